use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use proptest::prelude::*;

use super::*;
use crate::base::units::{At, Share, Span};
use crate::plan::{
    About, FaultId, FigureId, JourneyId, LegId, Limits, LoadId, Plan, Platform, ProcessId, SeriesId,
    VERSION as PLAN_VERSION,
};

pub(super) fn plan() -> Plan {
    Plan {
        version: PLAN_VERSION,
        about: About { name: "peak".to_owned(), ..About::default() },
        seed: 7,
        profile: None,
        vars: BTreeMap::new(),
        platform: Platform::default(),
        prepare: Vec::new(),
        cleanup: Vec::new(),
        feeds: Vec::new(),
        figures: Vec::new(),
        steps: Vec::new(),
        journeys: Vec::new(),
        loads: Vec::new(),
        series: Vec::new(),
        phases: Vec::new(),
        faults: Vec::new(),
        actions: Vec::new(),
        steady_states: Vec::new(),
        aborts: Vec::new(),
        targets: Vec::new(),
        limits: Limits {
            patience: Span::seconds(5),
            shed: None,
            down_below: Share(0.5),
            drain: Span::seconds(30),
            lag: Span::millis(10),
        },
        end: Span::seconds(60),
        rehearsal: None,
        unjudged: Vec::new(),
        production: None,
    }
}

pub(super) fn opened(version: u32) -> Entry {
    entry(
        0,
        Event::Opened {
            version,
            run: "r".to_owned(),
            program: "peakdrill 0.1.0".to_owned(),
            wall: 1_795_470_300_000_000_000,
            host: HostFacts::default(),
        },
    )
}

pub(super) fn entry(at: u64, event: Event) -> Entry {
    Entry { at: At(at), preparing: false, event }
}

pub(super) fn times(micros: &[u64]) -> Latency {
    let mut latency = Latency::new();
    for &one in micros {
        latency.record(Span::micros(one));
    }
    latency
}

fn numbers(values: &[f64]) -> Numbers {
    let mut numbers = Numbers::default();
    values.iter().for_each(|value| assert!(numbers.record(*value)));
    numbers
}

pub(super) fn window(second: u64, crew: u16, micros: &[u64]) -> Window {
    let mut against = Against::default();
    against.add(At(second * 1_000_000_000 + 5));
    let cell = |book, latency: Latency| Cell {
        series: SeriesId(3),
        book,
        counts: Counts {
            ok: micros.len() as u64,
            bad: vec![(BadKind::Timeout, 1)],
            unsent: vec![(UnsentKind::PoolFull, 2)],
            ..Counts::default()
        },
        waiting: 4,
        oldest_waiting: Some(At(second)),
        against: against.clone(),
        shedding: Against::default(),
        slower: vec![Against::default()],
        response: latency.clone(),
        service: if book == Book::Seconds { Latency::new() } else { latency.clone() },
        unlagged: Latency::new(),
    };
    Window {
        users: Vec::new(),
        second,
        crew,
        cells: vec![
            cell(Book::Seconds, times(micros)),
            cell(Book::Leg(LegId(1)), times(micros)),
            cell(Book::Leg(LegId(0)), Latency::new()),
        ],
        visits: vec![VisitCell {
            load: LoadId(0),
            journey: JourneyId(2),
            leg: LegId(0),
            started: 3,
            ok: 2,
            failed: 1,
            shed: 0,
            own_time: times(&[1, 3_600_000_000]),
        }],
        figures: vec![FigureCell { figure: FigureId(0), leg: LegId(0), values: numbers(&[0.0, 1.5, 4e9]) }],
        health: GeneratorHealth { planned: 9, lag: times(&[12]), ..GeneratorHealth::default() },
    }
}

fn vital(at: u64) -> Vital {
    Vital { at: At(at), process: ProcessId(0), cpu: Span(at), memory: 1, threads: 2, files: 3 }
}

fn failure(text: &str) -> Entry {
    entry(
        9,
        Event::Failed(Failure {
            series: SeriesId(0),
            kind: BadKind::Status,
            arrival: 1,
            planned: At(5),
            why: format!("answered 500 to {text}"),
            request: format!("GET /\nauthorization: {text}"),
            answer: String::new(),
        }),
    )
}

fn unmasked() -> Masker {
    Box::new(|text| text.into())
}

fn sample() -> Vec<Item> {
    let mut items = vec![
        Item::Entry(opened(VERSION)),
        Item::Entry(entry(0, Event::LoadBegan)),
        Item::Entry(entry(
            1,
            Event::Fault { fault: FaultId(0), what: FaultEvent::Effective { proof: vec![Sight::NoTarget] } },
        )),
        Item::Entry(entry(2, Event::Probe { watch: crate::plan::WatchId(0), good: false, why: Some("503".into()) })),
    ];
    for second in 0..3 {
        items.push(Item::Window(window(second, 0, &[1_000, 25_000])));
        items.push(Item::Vital(vital(second)));
        items.push(Item::Window(window(second, 1, &[7])));
        items.push(Item::Entry(entry(second, Event::SecondClosed { second, missing: vec![1] })));
    }
    items.push(Item::Entry(failure("x")));
    items.push(Item::Entry(entry(99, Event::Ended { reason: EndReason::Finished })));
    items
}

fn write(items: &[Item], masker: Masker) -> (tempfile::TempDir, Folder) {
    let root = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(root.path(), "one", &plan(), None, masker).unwrap();
    for item in items {
        match item {
            Item::Entry(entry) => writer.entry(entry).unwrap(),
            Item::Window(window) => writer.window(window).unwrap(),
            Item::Vital(vital) => writer.vital(vital).unwrap(),
        }
    }
    writer.sync().unwrap();
    let folder = writer.folder().clone();
    (root, folder)
}

fn read(folder: &Folder) -> Vec<Item> {
    Reader::open(folder).unwrap().map(Result::unwrap).collect()
}

fn same(a: &Item, b: &Item) -> bool {
    // Histograms that hold the same may have room for different values.
    match (a, b) {
        (Item::Window(a), Item::Window(b)) => strip(a) == strip(b) && times_of(a) == times_of(b),
        _ => a == b,
    }
}

fn strip(window: &Window) -> String {
    serde_json::to_string(window).unwrap()
}

fn times_of(window: &Window) -> Vec<Vec<Option<Span>>> {
    let cells = window.cells.iter().flat_map(|cell| [&cell.response, &cell.service, &cell.unlagged]);
    let visits = window.visits.iter().map(|visit| &visit.own_time);
    cells
        .chain(visits)
        .chain(window.figures.iter().map(|cell| cell.values.as_latency()))
        .chain([&window.health.lag])
        .map(|latency| (1..=latency.count()).map(|rank| latency.at_rank(rank)).collect())
        .collect()
}

fn assert_same(read: &[Item], written: &[Item]) {
    assert_eq!(read.len(), written.len());
    for (a, b) in read.iter().zip(written) {
        assert!(same(a, b), "{a:?}\n is not\n{b:?}");
    }
}

#[test]
fn what_is_written_is_read_in_order() {
    let items = sample();
    let (_root, folder) = write(&items, unmasked());
    assert_same(&read(&folder), &items);
    assert_eq!(Reader::open(&folder).unwrap().plan(), &plan());
}

#[test]
fn a_read_distribution_can_still_grow() {
    let (_root, folder) = write(&sample(), unmasked());
    let mut sum = Latency::new();
    for item in read(&folder) {
        if let Item::Window(window) = item {
            sum.add(&window.cells[0].response);
        }
    }
    sum.record(Span::seconds(3_000));
    let mut read = Latency::new();
    for latency in [times(&[5]), sum] {
        read.add(&latency);
    }
    assert_eq!(read.count(), 11);
}

/// The histograms are what other tools take for an interval log: read here by the crate's own reader.
#[test]
fn the_log_is_a_standard_interval_log() {
    let (_root, folder) = write(&sample(), unmasked());
    let bytes = fs::read(folder.histograms()).unwrap();
    let mut started = None;
    let mut tags = Vec::new();
    for line in IntervalLogIterator::new(&bytes) {
        match line.unwrap() {
            LogEntry::StartTime(at) => started = Some(at.as_secs()),
            LogEntry::BaseTime(_) => panic!("no base time is written"),
            LogEntry::Interval(interval) => {
                use base64::Engine as _;
                let raw = base64::engine::general_purpose::STANDARD.decode(interval.encoded_histogram()).unwrap();
                let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut raw.as_slice()).unwrap();
                assert!((histogram.max() as f64 / 1_000.0 - interval.max()).abs() < 0.001);
                tags.push(format!(
                    "{} {} {}",
                    interval.start_timestamp().as_secs(),
                    interval.tag().unwrap().as_str(),
                    histogram.len()
                ));
            }
        }
    }
    assert_eq!(started, Some(1_795_470_300));
    insta::assert_snapshot!(tags[..7].join("\n"), @r"
    0 series-3/seconds/response/crew-0 2
    0 series-3/leg-1/response/crew-0 2
    0 series-3/leg-1/service/crew-0 2
    0 visits-0-2/leg-0/own-time/crew-0 2
    0 figure-0/leg-0/value/crew-0 3
    0 generator/lag/crew-0 1
    0 series-3/seconds/response/crew-1 1
    ");
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Which {
    Events,
    Windows,
    Vitals,
    Histograms,
}

fn path(folder: &Folder, which: Which) -> PathBuf {
    match which {
        Which::Events => folder.events(),
        Which::Windows => folder.windows(),
        Which::Vitals => folder.vitals(),
        Which::Histograms => folder.histograms(),
    }
}

/// Cut at `keep` bytes, a file gives its whole lines, and the others what was appended before the first that is missing.
fn torn(folder: &Folder, items: &[Item], which: Which, keep: usize) {
    let path = path(folder, which);
    let bytes = fs::read(&path).unwrap();
    let left = &bytes[..keep];
    let whole = left.iter().filter(|&&byte| byte == b'\n').count();
    fs::write(&path, left).unwrap();
    let got = read(folder);
    fs::write(&path, &bytes).unwrap();
    let heads = 4;
    // Each window of the sample has six histograms.
    let windows = match which {
        Which::Windows => whole,
        Which::Histograms => whole.saturating_sub(heads) / 6,
        _ => usize::MAX,
    };
    let limit = |mut limit: usize| {
        move || {
            let take = limit > 0;
            limit = limit.saturating_sub(1);
            take
        }
    };
    let mut windows = limit(windows);
    let mut events = limit(if which == Which::Events { whole } else { usize::MAX });
    let mut vitals = limit(if which == Which::Vitals { whole } else { usize::MAX });
    let expected: Vec<Item> = items
        .iter()
        .take_while(|item| match item {
            Item::Entry(_) => events(),
            Item::Window(_) => windows(),
            Item::Vital(_) => vitals(),
        })
        .cloned()
        .collect();
    assert_same(&got, &expected);
}

#[test]
fn every_file_may_be_cut_anywhere() {
    let items = sample();
    let (_root, folder) = write(&items, unmasked());
    for which in [Which::Events, Which::Windows, Which::Vitals, Which::Histograms] {
        let bytes = fs::read(path(&folder, which)).unwrap();
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
        // Around each line's end; `a_cut_at_any_byte_leaves_the_whole_lines` tries those between.
        for keep in ends.flat_map(|end| [end, end + 1]).chain([0, 1, bytes.len()]) {
            torn(&folder, &items, which, keep);
        }
    }
    let whole = fs::read(folder.plan()).unwrap();
    for keep in (0..whole.len()).step_by(7) {
        fs::write(folder.plan(), &whole[..keep]).unwrap();
        // A plan is written whole or not at all; a cut one is an error, never a crash.
        assert!(Reader::open(&folder).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_cut_at_any_byte_leaves_the_whole_lines(pick in 0usize..4, part in 0.0f64..=1.0) {
        let which = [Which::Events, Which::Windows, Which::Vitals, Which::Histograms][pick];
        let items = sample();
        let (_root, folder) = write(&items, unmasked());
        let size = fs::read(path(&folder, which)).unwrap().len();
        torn(&folder, &items, which, (part * size as f64) as usize);
    }

    /// Whatever bytes a disk gives back: an end, or an error, never a crash.
    #[test]
    fn garbage_is_never_a_crash(pick in 0usize..4, at in 0.0f64..1.0, junk in prop::collection::vec(any::<u8>(), 1..20)) {
        let which = [Which::Events, Which::Windows, Which::Vitals, Which::Histograms][pick];
        let (_root, folder) = write(&sample(), unmasked());
        let mut bytes = fs::read(path(&folder, which)).unwrap();
        let at = (at * bytes.len() as f64) as usize;
        for (offset, byte) in junk.iter().enumerate() {
            if let Some(place) = bytes.get_mut(at + offset) {
                *place = *byte;
            }
        }
        fs::write(path(&folder, which), bytes).unwrap();
        let _ = Reader::open(&folder).unwrap().take(1_000).count();
    }
}

#[test]
fn a_secret_is_masked_in_every_text() {
    let said = |text: &str| vec![Sight::Said { text: text.to_owned() }];
    let masker: Masker = Box::new(|text| text.replace("hunter2", "***").into());
    let root = tempfile::tempdir().unwrap();
    let origins = serde_json::json!({ "vars": { "a": "--set hunter2" }, "list": ["hunter2"] });
    let mut writer = Writer::create(root.path(), "one", &plan(), Some(&origins), masker).unwrap();
    let texts = [
        Event::ProcessDied { process: ProcessId(0), status: "hunter2".into() },
        Event::ChoreFailed { cleanup: false, index: 0, why: "hunter2".into() },
        Event::Fault { fault: FaultId(0), what: FaultEvent::Effective { proof: said("hunter2") } },
        Event::Fault { fault: FaultId(0), what: FaultEvent::NotEffective { why: said("hunter2") } },
        Event::Fault { fault: FaultId(0), what: FaultEvent::Healed { proof: said("hunter2") } },
        Event::Fault { fault: FaultId(0), what: FaultEvent::NotHealed { why: said("hunter2") } },
        Event::Probe { watch: crate::plan::WatchId(0), good: false, why: Some("hunter2".into()) },
        Event::Noted { text: "hunter2".into() },
        Event::Residue { what: "hunter2".into(), command: "rm hunter2".into() },
        Event::Bindings { addresses: vec![(ProcessId(0), "hunter2".into())], links: Vec::new() },
    ];
    for event in texts {
        writer.entry(&entry(1, event)).unwrap();
    }
    writer.entry(&failure("hunter2")).unwrap();
    for file in [writer.folder().events(), writer.folder().origins()] {
        let text = fs::read_to_string(file).unwrap();
        assert!(text.contains("***") && !text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_newer_format_is_refused() {
    let (_root, folder) = write(&[Item::Entry(opened(VERSION + 1))], unmasked());
    let found = Reader::open(&folder).unwrap().next();
    assert!(matches!(found, Some(Err(RecordError::Newer { .. }))), "{found:?}");
    let newer = Plan { version: PLAN_VERSION + 1, ..plan() };
    folder.put("plan.json", serde_json::to_string(&newer).unwrap().as_bytes()).unwrap();
    assert!(matches!(Reader::open(&folder), Err(RecordError::Newer { .. })));
}

#[test]
fn a_run_is_not_written_twice() {
    let root = tempfile::tempdir().unwrap();
    let _first = Writer::create(root.path(), "one", &plan(), None, unmasked()).unwrap();
    let again = Writer::create(root.path(), "one", &plan(), None, unmasked());
    assert!(matches!(again, Err(RecordError::Create { .. })));
}

#[test]
fn runs_are_listed_and_removed_but_never_a_live_one() {
    let root = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let mut first = Writer::create(root.path(), "20261123-1-peak-0001", &plan(), None, unmasked()).unwrap();
    first.entry(&opened(VERSION)).unwrap();
    first.folder().put("summary.json", br#"{"verdict":"pass","more":1}"#).unwrap();
    let second = Writer::create(root.path(), "20261123-2-peak-0002", &plan(), None, unmasked()).unwrap();
    fs::write(second.folder().path().join("undo.journal"), b"").unwrap();
    fs::create_dir(root.path().join("no-run")).unwrap();
    let outside = Writer::create(other.path(), "three", &plan(), None, unmasked()).unwrap();
    let outside = outside.folder().clone();
    std::os::unix::fs::symlink(outside.path(), root.path().join("link")).unwrap();

    let runs = list_runs(root.path()).unwrap();
    assert_eq!(runs.len(), 2, "{runs:?}");
    assert_eq!(
        runs[0],
        RunFacts {
            run: "20261123-1-peak-0001".into(),
            name: Some("peak".into()),
            wall: Some(1_795_470_300_000_000_000),
            verdict: Some("pass".into()),
            live: true,
            begun: true,
        }
    );
    assert_eq!((runs[1].wall, runs[1].verdict.clone()), (None, None));

    let remove = |run: &str| remove_run(root.path(), run, &["undo.journal"]);
    assert!(matches!(remove("20261123-1-peak-0001"), Err(RecordError::Live { .. })));
    drop(first);
    remove("20261123-1-peak-0001").unwrap();

    // Its writer is gone, but somebody still holds its journal.
    let journal = fs::File::open(second.folder().path().join("undo.journal")).unwrap();
    journal.lock().unwrap();
    drop(second);
    assert!(matches!(remove("20261123-2-peak-0002"), Err(RecordError::Live { .. })));
    drop(journal);
    remove("20261123-2-peak-0002").unwrap();

    for wrong in ["", ".", "..", "a/b", "/", "../three", outside.path().to_str().unwrap()] {
        assert!(matches!(remove(wrong), Err(RecordError::NotARun { .. })), "{wrong}");
    }
    assert!(matches!(remove("no-run"), Err(RecordError::NoSuchRun { .. })));
    assert!(matches!(remove("link"), Err(RecordError::NoSuchRun { .. })));
    assert!(outside.plan().is_file());
    assert!(find_run(root.path(), outside.path().to_str().unwrap()).is_ok());
    assert!(find_run(root.path(), "gone").is_err());
    assert!(list_runs(&root.path().join("gone")).unwrap().is_empty());
}

/// However far a killed harness got with the folder of a run: it is listed as what it is and can be removed; a folder
/// in which anything else lies is nobody's business.
#[test]
fn a_run_that_was_broken_off_before_it_began_is_listed_and_removed() {
    let root = tempfile::tempdir().unwrap();
    let id = |nth: usize| format!("20261123-21450{nth}-peak-2a3f");
    let stages: [&[&str]; 5] = [
        &[],
        &["output/"],
        &["output/", "events.jsonl"],
        &["output/", "events.jsonl", ".plan.json.tmp"],
        &["plan.json"],
    ];
    let make = |name: &str, files: &[&str]| {
        let folder = root.path().join(name);
        fs::create_dir(&folder).unwrap();
        for file in files {
            match file.strip_suffix('/') {
                Some(inner) => fs::create_dir(folder.join(inner)).unwrap(),
                None => fs::write(folder.join(file), b"").unwrap(),
            }
        }
    };
    for (nth, files) in stages.iter().enumerate() {
        make(&id(nth), files);
    }
    let foreign = [
        ("photos", vec!["output/"]),
        ("20261123-214509-mine-2a3f", vec!["events.jsonl", "diary.txt"]),
        ("20261123-214509-ours-2a3f", vec!["photos/"]),
        ("20261123-214509-theirs-2a3f", vec!["output/", "output/a.log"]),
    ];
    for (name, files) in &foreign {
        make(name, files);
    }

    let listed = list_runs(root.path()).unwrap();
    let begun: Vec<(String, bool)> = listed.into_iter().map(|run| (run.run, run.begun)).collect();
    assert_eq!(begun, (0..stages.len()).map(|nth| (id(nth), false)).collect::<Vec<_>>());
    assert!(matches!(find_run(root.path(), &id(2)), Err(RecordError::NotBegun { .. })));

    // Somebody is making it at this moment.
    let events = fs::File::open(root.path().join(id(2)).join("events.jsonl")).unwrap();
    events.lock().unwrap();
    assert!(matches!(remove_run(root.path(), &id(2), &[]), Err(RecordError::Live { .. })));
    drop(events);

    for nth in 0..stages.len() {
        remove_run(root.path(), &id(nth), &[]).unwrap();
    }
    for (name, _) in &foreign {
        assert!(matches!(remove_run(root.path(), name, &[]), Err(RecordError::NoSuchRun { .. })), "{name}");
    }
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), foreign.len());
}

/// A line that is missing from the middle of any file, or that cannot be read: what comes after it is not given either,
/// so that a record with a hole is seen to break off.
#[test]
fn a_hole_in_the_record_ends_it() {
    let items = sample();
    let (_root, folder) = write(&items, unmasked());
    for path in [folder.windows(), folder.vitals(), folder.histograms()] {
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let middle = lines.len() / 2;
        let without = [&lines[..middle], &lines[middle + 1..]].concat().concat();
        let twice = [&lines[..=middle], &lines[middle..]].concat().concat();
        let spoilt = text.replacen(lines[middle], "\0\0\0\n", 1);
        let cut = lines[..middle].concat();
        for (what, damaged) in [("without", without), ("twice", twice), ("spoilt", spoilt), ("cut", cut)] {
            fs::write(&path, damaged).unwrap();
            let got = read(&folder);
            let place = format!("{what} {}", path.display());
            if (what, &path) == ("twice", &folder.histograms()) {
                // A distribution too many moves all after it.
                assert!(got.len() <= items.len(), "{place}");
                continue;
            }
            assert!(got.len() < items.len() - 1, "{place}: {}", got.len());
            assert!(got.iter().zip(&items).all(|(a, b)| same(a, b)), "{place}");
        }
        fs::write(&path, text).unwrap();
    }
}

/// One flipped digit makes an instant of the far future, for which no chart has room.
#[test]
fn an_instant_that_cannot_be_ends_the_record() {
    let items = sample();
    let (_root, folder) = write(&items, unmasked());
    for (path, from, to) in [
        (folder.vitals(), "\"at\":1,", "\"at\":18446744073709551615,"),
        (folder.windows(), "\"second\":1,", "\"second\":9223372036854775807,"),
        (folder.events(), "\"second\":1,", "\"second\":9223372036854775807,"),
    ] {
        let text = fs::read_to_string(&path).unwrap();
        let spoilt = text.replacen(from, to, 1);
        assert_ne!(text, spoilt, "{}", path.display());
        fs::write(&path, spoilt).unwrap();
        let got = read(&folder);
        assert!(got.len() < items.len() - 1 && got.iter().zip(&items).all(|(a, b)| same(a, b)), "{}", path.display());
        fs::write(&path, text).unwrap();
    }
}
