use std::borrow::Cow;
use std::fs;
use std::path::Path;

use serde::Serialize;

use super::histograms::{self, Encoder};
use super::lines::Lines;
use super::mask::mask;
use super::{Entry, Event, Folder, RecordError, Vital, Window};
use crate::plan::Plan;

/// Replaces what must never be written. Applied to every text that did not come from the plan.
pub type Masker = Box<dyn Fn(&str) -> Cow<'_, str> + Send>;

/// Writes one run's record. Blocking: it belongs to the conductor's own thread (or one that it feeds), never to a
/// worker's. Every append is with the kernel when it returns, so a killed harness loses none.
///
/// The first failure (a full disk) sticks: that append and every later one return it.
pub struct Writer {
    folder: Folder,
    events: Lines,
    windows: Lines,
    vitals: Lines,
    histograms: Lines,
    encoder: Encoder,
    text: String,
    /// The next line's number, over all files.
    next: u64,
    wall: i64,
    headed: bool,
    masker: Masker,
    lost: Option<RecordError>,
}

/// One line: its number over all files, so that a reader finds the order in which they were appended.
#[derive(Serialize)]
struct Numbered<'a, T> {
    n: u64,
    #[serde(flatten)]
    line: &'a T,
}

#[derive(Serialize)]
struct NumberedWindow<'a> {
    n: u64,
    /// How many lines of `histograms.hlog` belong to it.
    histograms: u64,
    #[serde(flatten)]
    window: &'a Window,
}

impl Writer {
    /// Makes the run's folder under `root` with its plan (written whole before anything else) and, beside it, where each
    /// of its values came from.
    pub fn create(
        root: &Path,
        run: &str,
        plan: &Plan,
        origins: Option<&serde_json::Value>,
        masker: Masker,
    ) -> Result<Writer, RecordError> {
        let folder = Folder::new(root.join(run));
        let create = |why: std::io::Error| RecordError::Create { path: folder.path().to_owned(), why: why.to_string() };
        fs::create_dir_all(root).map_err(create)?;
        fs::create_dir(folder.path()).map_err(create)?;
        fs::create_dir(folder.path().join("output")).map_err(create)?;
        let events = Lines::append_to(&folder.events())?;
        events.lock()?;
        let text = serde_json::to_string_pretty(plan).map_err(|why| RecordError::write(&folder.plan(), why))?;
        folder.put("plan.json", text.as_bytes())?;
        if let Some(origins) = origins {
            let mut origins = origins.clone();
            mask_json(&mut origins, &masker);
            folder.put("origins.json", format!("{origins:#}\n").as_bytes())?;
        }
        Ok(Writer {
            events,
            windows: Lines::append_to(&folder.windows())?,
            vitals: Lines::append_to(&folder.vitals())?,
            histograms: Lines::append_to(&folder.histograms())?,
            encoder: Encoder::new(),
            text: String::new(),
            next: 0,
            wall: 0,
            headed: false,
            masker,
            lost: None,
            folder,
        })
    }

    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The entry as it will be stored, without secrets.
    pub fn masked(&self, entry: &Entry) -> Entry {
        mask(entry, &self.masker).into_owned()
    }

    pub fn entry(&mut self, entry: &Entry) -> Result<(), RecordError> {
        if let Event::Opened { wall, .. } = entry.event {
            self.wall = wall;
        }
        let masked = mask(entry, &self.masker);
        let n = self.number();
        let line = serde_json::to_string(&Numbered { n, line: masked.as_ref() });
        let path = self.folder.events();
        self.append(|writer| writer.events.append(&ended(line, &path)?))
    }

    pub fn vital(&mut self, vital: &Vital) -> Result<(), RecordError> {
        let n = self.number();
        let line = serde_json::to_string(&Numbered { n, line: vital });
        let path = self.folder.vitals();
        self.append(|writer| writer.vitals.append(&ended(line, &path)?))
    }

    /// The window's distributions go first: a window that is there has them all.
    pub fn window(&mut self, window: &Window) -> Result<(), RecordError> {
        let n = self.number();
        let path = self.folder.windows();
        self.append(|writer| {
            writer.text.clear();
            if !writer.headed {
                writer.text.push_str(&histograms::head(writer.wall));
                writer.headed = true;
            }
            let histograms = writer
                .encoder
                .encode(window, &mut writer.text)
                .map_err(|why| RecordError::write(&writer.folder.histograms(), why))?;
            writer.histograms.append(writer.text.as_bytes())?;
            let line = serde_json::to_string(&NumberedWindow { n, histograms, window });
            writer.windows.append(&ended(line, &path)?)
        })
    }

    /// Waits until the disk has everything: it then outlives a power cut, too. Once before each fault and at the end is
    /// enough.
    pub fn sync(&mut self) -> Result<(), RecordError> {
        self.append(|writer| {
            writer.histograms.sync()?;
            writer.windows.sync()?;
            writer.vitals.sync()?;
            writer.events.sync()
        })
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn append(&mut self, work: impl FnOnce(&mut Writer) -> Result<(), RecordError>) -> Result<(), RecordError> {
        if let Some(lost) = &self.lost {
            return Err(lost.clone());
        }
        work(self).inspect_err(|why| self.lost = Some(why.clone()))
    }
}

fn ended(line: Result<String, serde_json::Error>, path: &Path) -> Result<Vec<u8>, RecordError> {
    let mut line = line.map_err(|why| RecordError::write(path, why))?.into_bytes();
    line.push(b'\n');
    Ok(line)
}

fn mask_json(value: &mut serde_json::Value, masker: &Masker) {
    match value {
        serde_json::Value::String(text) => {
            if let Cow::Owned(masked) = masker(text) {
                *text = masked;
            }
        }
        serde_json::Value::Array(list) => list.iter_mut().for_each(|item| mask_json(item, masker)),
        serde_json::Value::Object(map) => map.values_mut().for_each(|item| mask_json(item, masker)),
        _ => {}
    }
}
