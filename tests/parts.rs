//! One drill made by several programs at once: together they send what one sends alone, to the last request; their records
//! make one, whose figures are those of all samples; and what is missing of it is said.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use peakdrill::analysis::rank;
use peakdrill::base;
use peakdrill::base::clock::{Clock, Wall};
use peakdrill::base::units::{At, Span};
use peakdrill::record::{Book, EndReason, Event, Folder, Item, Latency, Reader};

use crate::common::{Ended, Running, Yard, events, summary};
use crate::scripted::{Do, Scripted, ok};

mod common;
#[path = "../src/wire/scripted.rs"]
mod scripted;

const LOG: &str = r#"{"ts":"2026-11-11T20:00:00.000Z","method":"GET","path":"/old/1","client":"a"}
{"ts":"2026-11-11T20:00:00.100Z","method":"GET","path":"/old/2","client":"b"}
{"ts":"2026-11-11T20:00:00.900Z","method":"GET","path":"/old/3","client":"a"}
"#;

/// Where it is sent stands in the environment, so that each program can be given a server of its own for one plan.
const DRILL: &str = r#"peakdrill: 1
name: parted
seed: 5
platform:
  allow: [127.0.0.0/8]
  endpoints: { site: { url: "{{ env.SITE }}" } }
prepare: [{ steps: [{ get: /prepare }] }]
cleanup: [{ steps: [{ get: /cleanup }] }]
feeds: { item: { range: 1..5000, pick: unique } }
journeys:
  look: [{ get: "/look/{{ seeded_uuid() }}/{{ feed.item }}" }]
  buy: [{ get: "/cart/{{ uuid() }}" }, { think: 50ms }, { get: "/buy/{{ int(1, 1000000) }}" }]
load:
  steady:
    mix: { look: 3, buy: 1 }
    spacing: poisson
    arrivals: [{ hold: { rate: 60/s, for: 2s } }]
  shaped:
    mix: { look: 1 }
    arrivals:
      - hold: { rate: 20/s, for: 500ms }
      - burst: { count: 31, spread: 0s }
      - wave: { mean: 20/s, amplitude: 20/s, period: 1s, for: 1s }
      - file: { csv: rates.csv }
  again:
    start: 100ms
    replay: { log: old.log, format: { json: { time: ts } }, amplify: 5x }
# Other tests run meanwhile: how punctual the arrivals are is not what is tried here.
limits: { lag: 2s, drain: 3s }
targets:
  all: { measure: availability, at-least: 100% }
  # One part alone has too few samples.
  fast: { measure: p99, at-most: 30s }
"#;

/// How long the requests of part 4 wait for their answers: it ends last.
const SLOW: Span = Span::millis(600);

struct Parted {
    yard: Yard,
    /// What they asked for: each part, then the one that made all of it.
    asked: Vec<Vec<(base::units::At, String)>>,
    runs: Vec<PathBuf>,
    start: String,
}

fn site(yard: &Yard, arguments: &[&str], url: &str) -> Running {
    let mut command = yard.command(arguments);
    command.env("SITE", url);
    Running::new(command)
}

fn instant(ahead: Span) -> String {
    let now = Clock::start().wall().unix_nanos();
    Wall::from_unix_nanos(now + ahead.as_nanos()).to_string()
}

fn write(yard: &Yard) {
    yard.file("old.log", LOG);
    yard.file("rates.csv", "second,rate\n0,10\n0.5,40\n");
    yard.file("parted.yaml", DRILL);
}

fn run_of(ended: &Ended, reports: &Path) -> PathBuf {
    let runs =
        std::fs::read_dir(reports).unwrap_or_else(|error| panic!("{}: {error}\n{}", reports.display(), ended.all()));
    let mut runs: Vec<PathBuf> = runs.map(|entry| entry.expect("an entry").path()).collect();
    runs.sort();
    runs.pop().expect("a run")
}

/// Four parts and, at the same instant, one that makes all of it. A machine that is too busy for them to be ready in time
/// is given more of it.
fn all_at_once() -> Parted {
    for ahead in [4, 15, 45] {
        let yard = Yard::new();
        write(&yard);
        let start = instant(Span::seconds(ahead));
        let parts = ["1/4", "2/4", "3/4", "4/4", "1/1"];
        let servers: Vec<Scripted> = parts
            .iter()
            .map(|part| match *part {
                "4/4" => Scripted::start(|_| [vec![Do::Wait(SLOW)], ok("{}")].concat()),
                _ => Scripted::start(|_| ok("{}")),
            })
            .collect();
        let running: Vec<Running> = parts
            .iter()
            .zip(&servers)
            .enumerate()
            .map(|(index, (part, server))| {
                let reports = format!("machine-{index}");
                let arguments = ["run", "parted.yaml", "--part", part, "--start-at", &start, "--reports", &reports];
                site(&yard, &arguments, &server.url())
            })
            .collect();
        let ended: Vec<Ended> = running.into_iter().map(Running::wait).collect();
        if ended.iter().any(|ended| ended.code == Some(3) && ended.all().contains("after its start instant")) {
            continue;
        }
        let mut runs = Vec::new();
        for (index, ended) in ended.into_iter().enumerate() {
            let ended = ended.expect(0);
            if index < 4 {
                let alone = format!("this is part {} of 4 alone", index + 1);
                assert!(ended.out.contains(&alone), "no {alone:?} in\n{}", ended.out);
            }
            runs.push(run_of(&ended, &yard.path().join(format!("machine-{index}"))));
        }
        let asked = servers.iter().map(|server| server.log().into_iter().map(|seen| (seen.at, seen.path)).collect());
        return Parted { asked: asked.collect(), yard, runs, start };
    }
    panic!("the machine is never ready within 45 s");
}

fn merge(yard: &Yard, runs: &[&PathBuf]) -> Ended {
    let runs = runs.iter().map(|run| run.to_str().expect("a plain path"));
    Running::new(yard.command(["merge"].into_iter().chain(runs))).wait()
}

/// All response times of these runs, and how many arrivals were planned in each second.
fn samples(runs: &[PathBuf]) -> (Latency, BTreeMap<u64, u64>) {
    let (mut all, mut planned) = (Latency::new(), BTreeMap::new());
    for run in runs {
        for item in Reader::open(&Folder::new(run)).expect("a record") {
            let Item::Window(window) = item.expect("a whole record") else { continue };
            *planned.entry(window.second).or_insert(0) += window.health.planned;
            let cells = window.cells.iter().filter(|cell| cell.book != Book::Seconds);
            cells.for_each(|cell| all.add(&cell.response));
        }
    }
    planned.retain(|_, count| *count > 0);
    (all, planned)
}

fn causes(run: &Path) -> String {
    summary(run)["causes"].to_string()
}

#[test]
fn four_parts_are_the_whole() {
    let parted = all_at_once();
    let Parted { yard, asked, runs, start } = &parted;

    // The other side.
    let paths = |asked: &[(base::units::At, String)], chores: bool| {
        let is_chore = |path: &str| path == "/prepare" || path == "/cleanup";
        let mut paths: Vec<String> =
            asked.iter().map(|(_, path)| path.clone()).filter(|path| is_chore(path) == chores).collect();
        paths.sort();
        paths
    };
    let mut together: Vec<String> = asked[..4].iter().flat_map(|asked| paths(asked, false)).collect();
    together.sort();
    let alone = paths(&asked[4], false);
    assert!(alone.len() > 190, "{} requests", alone.len());
    assert_eq!(together, alone, "the parts ask for what one asks for");
    for (index, part) in asked[..4].iter().enumerate() {
        let share = paths(part, false).len();
        assert!(share > alone.len() / 6, "part {} sends its share: {share} of {}", index + 1, alone.len());
        let chores: &[&str] = if index == 0 { &["/cleanup", "/prepare"] } else { &[] };
        assert_eq!(paths(part, true), chores, "part {}", index + 1);
    }

    // One run of them.
    let all: Vec<&PathBuf> = runs[..4].iter().collect();
    merge(yard, &[all[2], all[0], all[3], all[1]]).expect(0);
    let whole = yard.last_run();
    assert!(
        whole.file_name().is_some_and(|name| name.to_string_lossy().contains("-parted-whole-")),
        "{}",
        whole.display()
    );
    let told = summary(&whole);
    assert_eq!((&told["verdict"], &told["causes"]), (&"pass".into(), &serde_json::json!([])), "{told:#}");
    assert_eq!(told["requests"]["ok"], alone.len());
    let one = summary(&runs[4]);
    assert_eq!(told["visits"]["planned"], one["visits"]["planned"]);
    let (latency, planned) = samples(&runs[..4]);
    assert_eq!(planned, samples(&runs[4..]).1, "as many are planned in each second");
    assert_eq!(samples(std::slice::from_ref(&whole)).1, planned);
    assert_eq!(latency.count(), alone.len() as u64);
    let percentiles = told["requests"]["percentiles"].as_array().expect("percentiles");
    let known: Vec<_> = percentiles.iter().filter(|one| !one["figure"].is_null()).collect();
    assert!(known.len() >= 4, "{percentiles:#?}");
    for one in known {
        let q = one["q"].as_f64().expect("a share");
        let of_all = latency.at_rank(rank(q, latency.count())).map(Span::as_seconds_f64);
        assert_eq!(one["figure"]["value"].as_f64(), of_all, "p{q}");
    }
    // The slow ones are a fourth: no part alone has these figures.
    assert!(latency.at_rank(rank(0.5, latency.count())) < Some(SLOW));
    assert!(latency.at_rank(rank(0.9, latency.count())) >= Some(SLOW));

    // The same report again, from the record.
    let files = || ["summary.json", "report.html"].map(|name| std::fs::read(whole.join(name)).expect(name));
    let first = files();
    for name in ["summary.json", "report.html"] {
        std::fs::remove_file(whole.join(name)).expect(name);
    }
    yard.run(&["report", whole.to_str().expect("a plain path")]).expect(0);
    assert!(first == files(), "the report of the merged record is another one");

    // Part 1 lets the others have their answers before it cleans up.
    let cleaned = Reader::open(&Folder::new(&runs[0])).expect("a record").find_map(|item| match item.expect("whole") {
        Item::Entry(entry) if matches!(entry.event, Event::ChoreDone { cleanup: true, .. }) => Some(entry.at),
        _ => None,
    });
    let drained = Reader::open(&Folder::new(&runs[3])).expect("a record").find_map(|item| match item.expect("whole") {
        Item::Entry(entry) if matches!(entry.event, Event::Ended { reason: EndReason::Finished }) => Some(entry.at),
        _ => None,
    });
    assert!(cleaned > drained && drained.is_some(), "cleaned up at {cleaned:?}, the slow part ended at {drained:?}");
    // However soon they had them here: the loads end at 2 s, and may drain for 3 s.
    assert!(cleaned.is_some_and(|at| at >= At(Span::seconds(5).as_nanos())), "cleaned up at {cleaned:?}");

    // One left out.
    merge(yard, &[all[0], all[1], all[3]]).expect(3);
    let lacks = yard.last_run();
    assert!(lacks != whole && causes(&lacks).contains("part 3 of 4 is missing"), "{}", causes(&lacks));

    // One that came too late: its start instant is over.
    let late = |file: &str, start: &str, part: &str, reports: &str| {
        let arguments = ["run", file, "--part", part, "--start-at", start, "--reports", reports];
        let ended = site(yard, &arguments, "http://127.0.0.1:1").wait().expect(3);
        assert!(ended.all().contains("after its start instant"), "{}", ended.all());
        run_of(&ended, &yard.path().join(reports))
    };
    let third = late("parted.yaml", start, "3/4", "late");
    merge(yard, &[all[0], all[1], &third, all[3]]).expect(3);
    let said = causes(&yard.last_run());
    assert!(said.contains("part 3 of 4: not ready until"), "{said}");

    // Another start, another seed.
    let third = late("parted.yaml", "2026-01-01T00:00:00Z", "3/4", "other-start");
    merge(yard, &[&third, all[0], all[1], all[3]]).expect(3);
    let said = causes(&yard.last_run());
    assert!(said.contains("part 3 of 4 had another start instant"), "{said}");
    yard.file("seed.yaml", &DRILL.replace("seed: 5", "seed: 6"));
    let third = late("seed.yaml", start, "3/4", "other-seed");
    merge(yard, &[all[0], all[1], &third, all[3]]).expect(3);
    let said = causes(&yard.last_run());
    assert!(said.contains("part 3 of 4 had another seed (6)"), "{said}");

    // What makes no whole is refused, and leaves nothing.
    let before = yard.runs();
    let twice = merge(yard, &[all[0], all[1], all[2], all[3], &third]).expect(2);
    assert!(twice.err.contains("are both part 3"), "{}", twice.err);
    yard.file("plan.yaml", &DRILL.replace("rate: 60/s", "rate: 61/s"));
    let third = late("plan.yaml", start, "3/4", "other-plan");
    let other = merge(yard, &[all[0], all[1], &third, all[3]]).expect(2);
    assert!(other.err.contains("is of another plan"), "{}", other.err);
    assert_eq!(yard.runs(), before);
}

#[test]
fn a_part_that_waits_for_its_start_can_be_stopped() {
    let server = Scripted::start(|_| ok("{}"));
    let yard = Yard::new();
    write(&yard);
    let mut waits = site(&yard, &["run", "parted.yaml", "--part", "1/2", "--start-at", "+1h"], &server.url());
    let prepared = || {
        let runs = yard.runs();
        let done = |run: &PathBuf| events(run).iter().any(|entry| entry.to_string().contains("chore-done"));
        runs.first().is_some_and(done)
    };
    assert!(waits.until(prepared), "{}", waits.text("err"));
    waits.signal("INT");
    waits.wait().expect(4);
    assert_eq!(server.log().iter().map(|seen| seen.path.as_str()).collect::<Vec<_>>(), ["/prepare", "/cleanup"]);
}

#[test]
fn what_several_machines_cannot_do_is_refused() {
    let yard = Yard::new();
    write(&yard);
    let refused = |changes: &[(&str, &str)]| {
        let mut text = DRILL.to_owned();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        yard.file("odd.yaml", &text);
        let arguments = ["run", "odd.yaml", "--part", "2/2", "--start-at", "+1h"];
        site(&yard, &arguments, "http://127.0.0.1:1").wait().expect(2).err
    };
    let captured = ("get: /prepare", "get: /prepare, capture: { token: $.token }");
    let said = refused(&[captured, ("/cart/{{ uuid() }}", "/cart/{{ prepare.token }}")]);
    assert!(said.contains("only part 1 carries out `prepare`"), "{said}");
    let process = "  processes: { shop: { run: [shop, \"{{ address }}\"] } }\n  endpoints: { site: { url: \"http://{{ process.shop.address }}\" } }";
    let said = refused(&[("  endpoints: { site: { url: \"{{ env.SITE }}\" } }", process)]);
    assert!(said.contains("only part 1 knows the addresses of processes"), "{said}");
    let abort = "abort: { idle: { measure: throughput, below: 1/s, over: 1s } }\ntargets:";
    let said = refused(&[("targets:", abort)]);
    assert!(said.contains("a part sees its own requests alone"), "{said}");
    let search = "search: { from: 100/s, to: 200/s, by: 50/s, hold: 10s, settle: 1s, while: [{ measure: availability, at-least: 90% }] }";
    let said = refused(&[("arrivals: [{ hold: { rate: 60/s, for: 2s } }]", search), ("1..5000,", "1..5000000,")]);
    assert!(said.contains("the load `steady` searches for the capacity"), "{said}");
}
