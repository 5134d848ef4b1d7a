//! One record out of those of a drill's parts. All of them count from the same instant, so nothing is moved: a second of
//! the whole is that second of every part, and its windows stand side by side under worker numbers of their own.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{EndReason, Entry, Event, Folder, Item, Lack, Part, Reader, RecordError, Vital, Window, Writer};
use crate::base::units::At;
use crate::plan::Plan;

/// Makes a new run under `root` out of the runs of a drill's parts. What is missing of a part, or was left out, is said in
/// the new record. Refuses what is no part or still goes on, two runs of one part, and parts of different plans.
pub fn merge(root: &Path, runs: &[Folder]) -> Result<Folder, RecordError> {
    let mut parts = runs.iter().map(Source::open).collect::<Result<Vec<Source>, RecordError>>()?;
    parts.sort_by_key(|source| source.part.part);
    let (mut parts, left_out) = of_one_drill(parts)?;
    let Some(first) = parts.first() else {
        return Err(RecordError::NotAPart { run: String::new() });
    };
    let part = first.part.clone();
    let writer = create(root, first)?;
    let mut whole = Whole { writer, part, last: At::START, began: false, load_ended: false };
    whole.opened(&parts)?;
    whole.seconds(&mut parts)?;
    whole.ended(&parts, left_out)?;
    whole.writer.sync()?;
    Ok(whole.writer.folder().clone())
}

/// What was left out, by part.
type LeftOut = Vec<(u16, Lack)>;

/// Those that make one drill together: what most of them agree on. The others are left out where they would have been of
/// it but for their seed or their start.
fn of_one_drill(parts: Vec<Source>) -> Result<(Vec<Source>, LeftOut), RecordError> {
    for pair in parts.windows(2) {
        if let [one, next] = pair
            && one.part.part == next.part.part
        {
            let (part, run, other) = (one.part.part, next.run.clone(), one.run.clone());
            return Err(RecordError::PartTwice { part, run, other });
        }
    }
    let agree = |one: &Source| parts.iter().filter(|other| other.part.is_of_same_drill(&one.part)).count();
    // The last of those that are equal is the one of the lowest part.
    let Some(chosen) = parts.iter().rev().max_by_key(|one| agree(one)) else { return Ok((parts, LeftOut::new())) };
    let (chosen, plan, named) = (chosen.part.clone(), chosen.reader.plan().clone(), chosen.run.clone());
    let (mut kept, mut left_out) = (Vec::new(), LeftOut::new());
    for source in parts {
        let (part, run, seed) = (source.part.part, source.run.clone(), source.reader.plan().seed);
        let other = named.clone();
        if *source.reader.plan() != (Plan { seed, ..plan.clone() }) {
            return Err(RecordError::OtherPlan { run, other });
        } else if source.part.of != chosen.of {
            return Err(RecordError::OtherParts { run, of: source.part.of, other, other_of: chosen.of });
        } else if seed != plan.seed {
            left_out.push((part, Lack::OtherSeed { run, seed }));
        } else if source.part.is_of_same_drill(&chosen) {
            kept.push(source);
        } else {
            left_out.push((part, Lack::OtherStart { run }));
        }
    }
    Ok((kept, left_out))
}

/// The whole's folder, with the number of the attempt in its name.
fn create(root: &Path, first: &Source) -> Result<Writer, RecordError> {
    let mut names = (1..).map(|n| first.part.merged(n));
    let name = names.find(|name| !root.join(name).exists()).unwrap_or_default();
    let origins = fs::read_to_string(first.reader.folder().origins()).ok();
    let origins = origins.and_then(|text| serde_json::from_str(&text).ok());
    // What the parts hold is masked already.
    Writer::create(root, &name, first.reader.plan(), origins.as_ref(), Box::new(|text| Cow::Borrowed(text)))
}

/// The record of one part, read second by second.
struct Source {
    reader: Reader,
    part: Part,
    run: String,
    opened: Event,
    /// By their numbers in the whole.
    crews: BTreeSet<u16>,
    over: bool,
    ended: Option<EndReason>,
    abandoned: u64,
}

/// What came up to the end of one second.
#[derive(Default)]
struct Batch {
    entries: Vec<Entry>,
    vitals: Vec<Vital>,
    windows: Vec<Window>,
    /// When the last part closed it.
    closed: Option<At>,
    missing: Vec<u16>,
}

impl Source {
    fn open(folder: &Folder) -> Result<Source, RecordError> {
        if folder.is_live() {
            return Err(RecordError::Live { run: folder.run() });
        }
        let mut reader = Reader::open(folder)?;
        let (mut opened, mut part) = (None, None);
        for item in reader.by_ref().take(2) {
            match item? {
                Item::Entry(Entry { event: event @ Event::Opened { .. }, .. }) => opened = Some(event),
                Item::Entry(Entry { event: Event::Part(found), .. }) => part = Some(found),
                _ => {}
            }
        }
        let run = folder.run();
        let (Some(opened), Some(part)) = (opened, part) else { return Err(RecordError::NotAPart { run }) };
        let (crews, ended) = (BTreeSet::new(), None);
        Ok(Source { reader, part, run, opened, crews, over: false, ended, abandoned: 0 })
    }

    /// The worker's number in the whole: the first arrival that it owns, where all parts have as many workers.
    fn crew(&mut self, crew: u16) -> u16 {
        let crew = crew.saturating_mul(self.part.of).saturating_add(self.part.part - 1);
        self.crews.insert(crew);
        crew
    }

    /// Takes everything up to the end of the next second.
    fn second(&mut self, batch: &mut Batch) -> Result<(), RecordError> {
        while let Some(item) = self.reader.next().transpose()? {
            match item {
                Item::Entry(Entry { at, event: Event::SecondClosed { missing, .. }, .. }) => {
                    batch.closed = batch.closed.max(Some(at));
                    batch.missing.extend(missing.into_iter().map(|crew| self.crew(crew)));
                    return Ok(());
                }
                Item::Entry(Entry { event: Event::Ended { reason }, .. }) => self.ended = Some(reason),
                Item::Entry(Entry { event: Event::Drained { abandoned }, .. }) => self.abandoned += abandoned,
                // The addresses of processes are those of the part that owns them.
                Item::Entry(Entry { event: Event::Bindings { .. } | Event::Approved(_), .. }) if self.part.part > 1 => {
                }
                Item::Entry(Entry { at, preparing, event: Event::Noted { text } }) => {
                    let text = format!("part {}: {text}", self.part.part);
                    batch.entries.push(Entry { at, preparing, event: Event::Noted { text } });
                }
                Item::Entry(entry) => batch.entries.push(entry),
                Item::Vital(vital) => batch.vitals.push(vital),
                Item::Window(window) => {
                    let crew = self.crew(window.crew);
                    batch.windows.push(Window { crew, ..window });
                }
            }
        }
        self.over = true;
        Ok(())
    }

    fn lack(&self) -> Option<Lack> {
        match self.ended {
            None => Some(Lack::BrokenOff),
            Some(EndReason::Finished) => None,
            Some(EndReason::Late { by }) => Some(Lack::Late { by }),
            Some(reason) => Some(Lack::Ended { reason }),
        }
    }
}

/// The record that is being made.
struct Whole {
    writer: Writer,
    part: Part,
    last: At,
    began: bool,
    load_ended: bool,
}

impl Whole {
    fn opened(&mut self, parts: &[Source]) -> Result<(), RecordError> {
        let Some(Event::Opened { version, program, host, .. }) = parts.first().map(|first| first.opened.clone()) else {
            return Ok(());
        };
        let (run, wall) = (self.writer.folder().run(), self.part.start);
        let runs = parts.iter().map(|source| source.run.clone()).collect();
        for event in [Event::Opened { version, run, program, wall, host }, Event::Merged { of: self.part.of, runs }] {
            self.writer.entry(&Entry { at: At::START, preparing: true, event })?;
        }
        Ok(())
    }

    /// All parts side by side, one second after another.
    fn seconds(&mut self, parts: &mut [Source]) -> Result<(), RecordError> {
        for second in 0.. {
            let mut batch = Batch::default();
            for source in parts.iter_mut() {
                source.second(&mut batch)?;
            }
            if batch.closed.is_some() {
                // The workers of a part that broke off hand over no more.
                let lost = parts.iter().filter(|source| source.over && source.ended.is_none());
                batch.missing.extend(lost.flat_map(|source| &source.crews));
            }
            self.batch(second, batch)?;
            if parts.iter().all(|source| source.over) {
                break;
            }
        }
        Ok(())
    }

    fn batch(&mut self, second: u64, mut batch: Batch) -> Result<(), RecordError> {
        batch.entries.sort_by_key(|entry| (!entry.preparing, entry.at));
        for entry in &batch.entries {
            let said = match entry.event {
                Event::LoadBegan => std::mem::replace(&mut self.began, true),
                // The whole's load ended where the first part's did.
                Event::LoadEnded => std::mem::replace(&mut self.load_ended, true),
                _ => false,
            };
            if !said {
                self.writer.entry(entry)?;
            }
            if !entry.preparing {
                self.last = self.last.max(entry.at);
            }
        }
        for vital in &batch.vitals {
            self.writer.vital(vital)?;
        }
        for window in &batch.windows {
            self.writer.window(window)?;
        }
        let Some(at) = batch.closed else { return Ok(()) };
        batch.missing.sort_unstable();
        self.last = self.last.max(at);
        self.note(at, Event::SecondClosed { second, missing: batch.missing })
    }

    fn ended(&mut self, parts: &[Source], left_out: LeftOut) -> Result<(), RecordError> {
        let (at, of) = (self.last, self.part.of);
        if self.load_ended {
            let abandoned = parts.iter().map(|source| source.abandoned).sum();
            self.note(at, Event::Drained { abandoned })?;
        }
        let mut lacking = left_out;
        lacking.extend(parts.iter().filter_map(|source| Some((source.part.part, source.lack()?))));
        let here = |part: u16| parts.iter().any(|source| source.part.part == part);
        let absent: Vec<u16> = (1..=of).filter(|&part| !here(part)).collect();
        for part in absent {
            if lacking.iter().all(|(known, _)| *known != part) {
                lacking.push((part, Lack::Missing));
            }
        }
        lacking.sort_by_key(|(part, _)| *part);
        for (part, what) in lacking {
            self.note(at, Event::Lacking { part, of, what })?;
        }
        // One that was late is said above, and ended nothing for the others.
        let ended = parts.iter().filter_map(|source| source.ended);
        let ended: Vec<EndReason> = ended.filter(|reason| !matches!(reason, EndReason::Late { .. })).collect();
        let early = ended.iter().find(|reason| **reason != EndReason::Finished);
        let reason = early.copied().unwrap_or(EndReason::Finished);
        self.note(at, Event::Ended { reason })
    }

    fn note(&mut self, at: At, event: Event) -> Result<(), RecordError> {
        self.writer.entry(&Entry { at, preparing: false, event })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{entry, opened, plan, window};
    use super::*;
    use crate::base::units::Span;
    use crate::record::{Book, Latency, VERSION};

    /// What is written of one of three parts.
    struct Sample {
        part: Part,
        seed: u64,
        name: &'static str,
        ended: Option<EndReason>,
    }

    /// Microseconds that a worker of a part measured in a second; up to 2 ms they are kept exactly.
    fn measured(part: u16, second: u64, crew: u16) -> Vec<u64> {
        let shift = second * 11 + u64::from(crew) * 5 + u64::from(part);
        (1..40 * u64::from(part)).map(|n| (n * 37 + shift) % 2_000 + 1).collect()
    }

    fn sample(part: u16) -> Sample {
        let whole = "20261123-214500-peak-00ff".to_owned();
        let part = Part { part, of: 3, whole, start: 1_795_470_300_000_000_000 };
        Sample { part, seed: 7, name: "peak", ended: Some(EndReason::Finished) }
    }

    impl Sample {
        fn write(&self, root: &Path) -> Folder {
            let mut plan = Plan { seed: self.seed, ..plan() };
            plan.about.name = self.name.to_owned();
            let mut writer =
                Writer::create(root, &self.part.run(), &plan, None, Box::new(|text| Cow::Borrowed(text))).unwrap();
            writer.entry(&opened(VERSION)).unwrap();
            writer.entry(&entry(0, Event::Part(self.part.clone()))).unwrap();
            writer.entry(&entry(0, Event::LoadBegan)).unwrap();
            for second in 0..3 {
                for crew in 0..2 {
                    writer.window(&window(second, crew, &measured(self.part.part, second, crew))).unwrap();
                }
                let at = (second + 1) * Span::SECOND.as_nanos() + u64::from(self.part.part);
                writer.entry(&entry(at, Event::Noted { text: "so".to_owned() })).unwrap();
                writer.entry(&entry(at + 5, Event::SecondClosed { second, missing: vec![1] })).unwrap();
            }
            if let Some(reason) = self.ended {
                writer.entry(&entry(4 * Span::SECOND.as_nanos(), Event::LoadEnded)).unwrap();
                writer.entry(&entry(4 * Span::SECOND.as_nanos() + 1, Event::Drained { abandoned: 2 })).unwrap();
                writer.entry(&entry(4 * Span::SECOND.as_nanos() + 2, Event::Ended { reason })).unwrap();
            }
            writer.folder().clone()
        }
    }

    fn merged(samples: &[Sample]) -> Result<Vec<Item>, RecordError> {
        let root = tempfile::tempdir().unwrap();
        let folders: Vec<Folder> = samples
            .iter()
            .enumerate()
            .map(|(index, sample)| sample.write(&root.path().join(format!("machine-{index}"))))
            .collect();
        let whole = merge(&root.path().join("reports"), &folders)?;
        assert_eq!(whole.run(), "20261123-214500-peak-whole-01-00ff");
        Ok(Reader::open(&whole).unwrap().collect::<Result<_, _>>().unwrap())
    }

    fn events(items: &[Item]) -> Vec<&Event> {
        items.iter().filter_map(|item| if let Item::Entry(entry) = item { Some(&entry.event) } else { None }).collect()
    }

    fn lacking(items: &[Item]) -> Vec<(u16, Lack)> {
        let lack = |event: &&Event| match event {
            Event::Lacking { part, of: 3, what } => Some((*part, what.clone())),
            _ => None,
        };
        events(items).iter().filter_map(lack).collect()
    }

    #[test]
    fn percentiles_of_the_whole_are_those_of_all_samples() {
        let items = merged(&[sample(2), sample(3), sample(1)]).unwrap();
        let (mut all, mut crews) = (Latency::new(), BTreeSet::new());
        for item in &items {
            if let Item::Window(window) = item {
                crews.insert(window.crew);
                let cells = window.cells.iter().filter(|cell| cell.book != Book::Seconds);
                cells.for_each(|cell| all.add(&cell.response));
            }
        }
        assert_eq!(crews, BTreeSet::from([0, 1, 2, 3, 4, 5]), "no two workers share a number");
        let seconds = || (0..3).flat_map(|second| [(second, 0), (second, 1)]);
        let mut samples: Vec<u64> =
            (1..=3).flat_map(|part| seconds().flat_map(move |(second, crew)| measured(part, second, crew))).collect();
        samples.sort_unstable();
        assert_eq!(all.count(), samples.len() as u64);
        for rank in 1..=all.count() {
            assert_eq!(all.at_rank(rank), Some(Span::micros(samples[rank as usize - 1])), "rank {rank}");
        }
    }

    #[test]
    fn events_stand_on_one_clock_and_what_is_said_once_is_said_once() {
        let items = merged(&[sample(1), sample(2), sample(3)]).unwrap();
        assert_eq!(lacking(&items), []);
        let at = |item: &Item| if let Item::Entry(entry) = item { Some(entry.at) } else { None };
        let instants: Vec<At> = items.iter().filter_map(at).collect();
        assert!(instants.is_sorted(), "{instants:?}");
        let events = events(&items);
        let times = |wanted: fn(&Event) -> bool| events.iter().filter(|event| wanted(event)).count();
        assert_eq!(times(|event| matches!(event, Event::LoadBegan)), 1);
        assert_eq!(times(|event| matches!(event, Event::LoadEnded)), 1);
        assert_eq!(times(|event| matches!(event, Event::Part(_))), 0);
        assert_eq!(times(|event| matches!(event, Event::Noted { text } if text == "part 2: so")), 3);
        assert_eq!(times(|event| matches!(event, Event::Drained { abandoned: 6 })), 1);
        let closed: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::SecondClosed { second, missing } => Some((*second, missing.clone())),
                _ => None,
            })
            .collect();
        // The second worker of each part.
        assert_eq!(closed, [0, 1, 2].map(|second| (second, vec![3, 4, 5])));
        assert!(matches!(events.last(), Some(Event::Ended { reason: EndReason::Finished })));
    }

    #[test]
    fn what_is_missing_of_a_part_is_said() {
        assert_eq!(lacking(&merged(&[sample(3), sample(1)]).unwrap()), [(2, Lack::Missing)]);
        let by = Span::SECOND;
        let late = Sample { ended: Some(EndReason::Late { by }), ..sample(2) };
        assert_eq!(lacking(&merged(&[sample(1), late, sample(3)]).unwrap()), [(2, Lack::Late { by })]);
        let killed = Sample { ended: None, ..sample(3) };
        let items = merged(&[sample(1), sample(2), killed]).unwrap();
        assert_eq!(lacking(&items), [(3, Lack::BrokenOff)]);
        let stopped = Sample { ended: Some(EndReason::Interrupted), ..sample(1) };
        let items = merged(&[stopped, sample(2), sample(3)]).unwrap();
        assert_eq!(lacking(&items), [(1, Lack::Ended { reason: EndReason::Interrupted })]);
        assert!(matches!(events(&items).last(), Some(Event::Ended { reason: EndReason::Interrupted })));
    }

    #[test]
    fn one_with_another_seed_or_start_is_left_out_wherever_it_stands() {
        let other = |part| Sample {
            seed: 8,
            part: Part { whole: "20261123-214500-peak-0008".into(), ..sample(part).part },
            ..sample(part)
        };
        let later = |part: u16| {
            let part = sample(part).part;
            let part = Part { start: part.start + 1, whole: "20261123-214501-peak-00ff".to_owned(), ..part };
            Sample { part: part.clone(), ..sample(part.part) }
        };
        for (samples, part, named) in [
            ([sample(1), other(2), sample(3)], 2, "20261123-214500-peak-part-2-of-3-0008"),
            ([other(1), sample(2), sample(3)], 1, "20261123-214500-peak-part-1-of-3-0008"),
        ] {
            let lack = Lack::OtherSeed { run: named.to_owned(), seed: 8 };
            assert_eq!(lacking(&merged(&samples).unwrap()), [(part, lack)]);
        }
        let run = "20261123-214501-peak-part-3-of-3-00ff".to_owned();
        let items = merged(&[later(3), sample(1), sample(2)]).unwrap();
        assert_eq!(lacking(&items), [(3, Lack::OtherStart { run })]);
        let windows = items.iter().filter(|item| matches!(item, Item::Window(_))).count();
        assert_eq!(windows, 12, "nothing of it is in the figures");
    }

    #[test]
    fn what_makes_no_whole_is_refused() {
        let twice = merged(&[sample(1), sample(2), sample(2)]);
        assert!(matches!(twice, Err(RecordError::PartTwice { part: 2, .. })), "{twice:?}");
        let other = Sample { name: "else", ..sample(2) };
        let other = merged(&[sample(1), other, sample(3)]);
        assert!(matches!(&other, Err(RecordError::OtherPlan { run, .. }) if run.contains("part-2-of-3")), "{other:?}");
        let four = Sample { part: Part { of: 4, ..sample(3).part }, ..sample(3) };
        let four = merged(&[sample(1), sample(2), four]);
        assert!(matches!(four, Err(RecordError::OtherParts { of: 4, other_of: 3, .. })), "{four:?}");
        let root = tempfile::tempdir().unwrap();
        let mut alone = Writer::create(root.path(), "r", &plan(), None, Box::new(|text| Cow::Borrowed(text))).unwrap();
        alone.entry(&opened(VERSION)).unwrap();
        let folder = alone.folder().clone();
        assert!(matches!(merge(root.path(), std::slice::from_ref(&folder)), Err(RecordError::Live { .. })));
        drop(alone);
        assert!(matches!(merge(root.path(), &[folder]), Err(RecordError::NotAPart { run }) if run == "r"));
    }
}
