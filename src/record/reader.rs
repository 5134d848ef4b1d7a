use std::fs;
use std::path::Path;

use hdrhistogram::serialization::Deserializer;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::histograms;
use super::lines::WholeLines;
use super::{Entry, Event, Folder, RecordError, Vital, Window};
use crate::base::units::Span;
use crate::plan::{self, Plan};

/// The version of the record's format; a reader refuses a newer one.
pub const VERSION: u32 = 1;

/// How long after its planned end a drill may still be wound up.
const AFTER: Span = Span::seconds(30 * 24 * 3600);

/// One thing of a record, in the order in which they were appended.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    Entry(Entry),
    /// With its distributions.
    Window(Window),
    Vital(Vital),
}

/// Reads one run's record up to its last whole line, whatever a kill, a full disk or a copy cut off. Lines are numbered
/// over all files: where one is missing or spoilt, the record ends, so that what is left never passes for the whole.
#[derive(Debug)]
pub struct Reader {
    folder: Folder,
    plan: Plan,
    events: Source<Entry>,
    windows: Source<CountedWindow>,
    vitals: Source<Vital>,
    histograms: WholeLines,
    deserializer: Decode,
    /// The number that the next line must have; none when the record has ended.
    next: Option<u64>,
}

struct Decode(Deserializer);

impl std::fmt::Debug for Decode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decode")
    }
}

#[derive(Deserialize)]
struct Numbered<T> {
    n: u64,
    #[serde(flatten)]
    line: T,
}

#[derive(Debug, Deserialize)]
struct CountedWindow {
    histograms: u64,
    #[serde(flatten)]
    window: Window,
}

impl Reader {
    pub fn open(folder: &Folder) -> Result<Reader, RecordError> {
        let plan = read_plan(&folder.plan())?;
        Ok(Reader {
            plan,
            events: Source::of(&folder.events())?,
            windows: Source::of(&folder.windows())?,
            vitals: Source::of(&folder.vitals())?,
            histograms: WholeLines::of(&folder.histograms())?,
            deserializer: Decode(Deserializer::new()),
            next: Some(1),
            folder: folder.clone(),
        })
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    fn step(&mut self) -> Result<Option<Item>, RecordError> {
        let heads = [self.events.peek()?, self.windows.peek()?, self.vitals.peek()?];
        let first = (0..heads.len()).find(|&at| heads[at].is_some() && heads[at] == self.next);
        self.next = self.next.filter(|_| first.is_some()).map(|next| next + 1);
        match first {
            None => Ok(None),
            Some(0) => {
                let entry = self.events.take().map(Item::Entry);
                if let Some(Item::Entry(Entry { event: Event::Opened { version, .. }, .. })) = &entry
                    && *version > VERSION
                {
                    return Err(RecordError::Newer { path: self.folder.events(), found: *version, known: VERSION });
                }
                Ok(entry)
            }
            Some(1) => {
                let Some(CountedWindow { histograms, mut window }) = self.windows.take() else { return Ok(None) };
                if self.join(histograms, &mut window)? {
                    return Ok(Some(Item::Window(window)));
                }
                // Its distributions are cut off.
                self.next = None;
                Ok(None)
            }
            Some(_) => Ok(self.vitals.take().map(Item::Vital)),
        }
    }

    fn join(&mut self, histograms: u64, window: &mut Window) -> Result<bool, RecordError> {
        let mut found = 0;
        while found < histograms {
            let Some(line) = self.histograms.next()? else { return Ok(false) };
            if histograms::is_head(line) {
                continue;
            }
            if histograms::restore(line, &mut self.deserializer.0, window).is_none() {
                return Ok(false);
            }
            found += 1;
        }
        Ok(true)
    }
}

impl Iterator for Reader {
    type Item = Result<Item, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        let end = self.plan.end.as_nanos().saturating_add(AFTER.as_nanos());
        let second = |item: &Item| match item {
            Item::Entry(Entry { event: Event::SecondClosed { second, .. }, .. }) => *second,
            Item::Window(window) => window.second,
            Item::Entry(Entry { at, .. }) | Item::Vital(Vital { at, .. }) => at.0 / Span::SECOND.as_nanos(),
        };
        let read = self.step();
        if matches!(&read, Ok(Some(item)) if second(item) > end / Span::SECOND.as_nanos()) {
            // No harness writes such an instant: the line is spoilt.
            self.next = None;
            return None;
        }
        read.transpose()
    }
}

/// One file of numbered lines, with the next one at hand.
#[derive(Debug)]
struct Source<T> {
    lines: WholeLines,
    next: Option<(u64, T)>,
}

impl<T: DeserializeOwned> Source<T> {
    fn of(path: &Path) -> Result<Source<T>, RecordError> {
        Ok(Source { lines: WholeLines::of(path)?, next: None })
    }

    /// The number of the next line.
    fn peek(&mut self) -> Result<Option<u64>, RecordError> {
        if self.next.is_none() {
            let parsed = self.lines.next()?.map(serde_json::from_str::<Numbered<T>>);
            match parsed {
                None => {}
                Some(Ok(numbered)) => self.next = Some((numbered.n, numbered.line)),
                Some(Err(_)) => self.lines.end(),
            }
        }
        Ok(self.next.as_ref().map(|(number, _)| *number))
    }

    fn take(&mut self) -> Option<T> {
        self.next.take().map(|(_, line)| line)
    }
}

fn read_plan(path: &Path) -> Result<Plan, RecordError> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let text = fs::read_to_string(path).map_err(|why| RecordError::read(path, why))?;
    let wrong = |why: serde_json::Error| RecordError::Plan { path: path.to_owned(), why: why.to_string() };
    let Versioned { version } = serde_json::from_str(&text).map_err(wrong)?;
    if version > plan::VERSION {
        return Err(RecordError::Newer { path: path.to_owned(), found: version, known: plan::VERSION });
    }
    serde_json::from_str(&text).map_err(wrong)
}
