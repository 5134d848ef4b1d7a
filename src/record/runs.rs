//! The runs under one root: which there are, and removing one.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Component, Path};

use serde::Deserialize;

use super::folder::{is_locked, is_run_id};
use super::{Entry, Event, Folder, RecordError};

/// One line of `peakdrill runs list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFacts {
    /// Its id.
    pub run: String,
    /// The scenario's name.
    pub name: Option<String>,
    /// Nanoseconds since the epoch at the drill's start.
    pub wall: Option<i64>,
    /// As the summary says it; none where there is no summary.
    pub verdict: Option<String>,
    /// Its writer is still at work.
    pub live: bool,
    /// Its folder was made whole. If not, the harness was killed before anything was started or recorded.
    pub begun: bool,
}

/// The runs under `root`, the oldest first. A root that is not there has none.
pub fn list_runs(root: &Path) -> Result<Vec<RunFacts>, RecordError> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(RecordError::read(root, why)),
    };
    let mut runs: Vec<RunFacts> = entries
        .filter_map(Result::ok)
        .map(|entry| Folder::new(entry.path()))
        .filter(|folder| is_run(folder) || is_beginning(folder))
        .map(|folder| facts(&folder))
        .collect();
    runs.sort_by(|a, b| a.run.cmp(&b.run));
    Ok(runs)
}

/// The folder of the run with this id, or with this path; it has a record.
pub fn find_run(root: &Path, run: &str) -> Result<Folder, RecordError> {
    let candidates = [Folder::new(root.join(run)), Folder::new(run)];
    if let Some(found) = candidates.iter().find(|folder| is_run(folder)) {
        return Ok(found.clone());
    }
    if candidates.iter().any(is_beginning) {
        return Err(RecordError::NotBegun { run: run.to_owned() });
    }
    Err(RecordError::NoSuchRun { root: root.to_owned(), run: run.to_owned() })
}

/// Removes one run under `root`, by its id. Refuses anything that is no run of this root, and a run whose writer is
/// alive or which holds one of `locks` (names of files in its folder) locked: somebody may still have to undo something.
pub fn remove_run(root: &Path, run: &str, locks: &[&str]) -> Result<(), RecordError> {
    let mut parts = Path::new(run).components();
    let (Some(Component::Normal(_)), None) = (parts.next(), parts.next()) else {
        return Err(RecordError::NotARun { name: run.to_owned() });
    };
    let folder = Folder::new(root.join(run));
    if !is_run(&folder) && !is_beginning(&folder) {
        return Err(RecordError::NoSuchRun { root: root.to_owned(), run: run.to_owned() });
    }
    if folder.is_live() || locks.iter().any(|name| is_locked(&folder.path().join(name))) {
        return Err(RecordError::Live { run: run.to_owned() });
    }
    fs::remove_dir_all(folder.path())
        .map_err(|why| RecordError::Remove { path: folder.path().to_owned(), why: why.to_string() })
}

/// A real folder (no link to one elsewhere) with what a run begins with.
fn is_run(folder: &Folder) -> bool {
    fs::symlink_metadata(folder.path()).is_ok_and(|facts| facts.is_dir())
        && folder.events().is_file()
        && folder.plan().is_file()
}

/// A real folder named like a run, in which nothing is but what [`Writer::create`](super::Writer::create) makes: whoever
/// made it was killed at it.
fn is_beginning(folder: &Folder) -> bool {
    let ours = |entry: std::io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| {
            let (name, kind) = (entry.file_name(), entry.file_type());
            match kind {
                Ok(kind) if kind.is_dir() => name == "output" && is_empty(&entry.path()),
                Ok(kind) if kind.is_file() => FIRST.iter().any(|first| name == *first),
                _ => false,
            }
        })
    };
    is_run_id(&folder.run())
        && !is_run(folder)
        && fs::symlink_metadata(folder.path()).is_ok_and(|facts| facts.is_dir())
        && fs::read_dir(folder.path()).is_ok_and(|mut entries| entries.all(ours))
}

/// The files that a run's folder is begun with, and what they are called until they are whole.
const FIRST: [&str; 5] = ["events.jsonl", ".plan.json.tmp", "plan.json", ".origins.json.tmp", "origins.json"];

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

fn facts(folder: &Folder) -> RunFacts {
    #[derive(Deserialize)]
    struct Named {
        about: About,
    }
    #[derive(Deserialize)]
    struct About {
        name: String,
    }
    #[derive(Deserialize)]
    struct Judged {
        verdict: String,
    }
    fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
        serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
    }
    RunFacts {
        run: folder.run(),
        name: read::<Named>(&folder.plan()).map(|named| named.about.name),
        wall: opened_at(folder),
        verdict: read::<Judged>(&folder.summary()).map(|judged| judged.verdict),
        live: folder.is_live(),
        begun: is_run(folder),
    }
}

fn opened_at(folder: &Folder) -> Option<i64> {
    let mut line = String::new();
    BufReader::new(File::open(folder.events()).ok()?.take(1 << 20)).read_line(&mut line).ok()?;
    match serde_json::from_str(&line).ok()? {
        Entry { event: Event::Opened { wall, .. }, .. } => Some(wall),
        _ => None,
    }
}
