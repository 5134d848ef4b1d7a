use std::fs;
use std::path::{Path, PathBuf};

use super::UndoError;
use super::action::{Action, Left, stop_stray};
use super::guardian::take_lock;
use super::journal::{Inherited, JOURNAL};
use super::private;
use crate::base::host::{CgroupHome, ClockShare, Group, Identity, Marker, Namespace, Tree};

/// What became of an interrupted run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovery {
    /// It goes on, or another recovers it at this moment: nothing was touched.
    Busy { run: String, harness: Identity },
    /// What was undone now (nothing, when the guardian or an earlier `recover` had done it), and what could not be.
    Done { run: String, undone: Vec<String>, left: Vec<Left> },
}

/// What became of all that was left.
#[derive(Debug)]
pub struct Sweep {
    /// Of each run, by its journal's path.
    pub runs: Vec<(PathBuf, Result<Recovery, UndoError>)>,
    /// What was left on this machine by runs whose journal is gone: undone now, and what could not be.
    pub undone: Vec<String>,
    pub left: Vec<Left>,
}

/// The journals of the runs in a folder of runs.
pub fn journals(reports: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(reports).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> =
        entries.map(|entry| entry.path().join(JOURNAL)).filter(|path| path.is_file()).collect();
    found.sort();
    found
}

/// Whether a run's journal still holds something to be undone.
pub fn has_pending(journal: &Path) -> bool {
    Inherited::open(journal).is_ok_and(|journal| !journal.pending.is_empty())
}

/// Undoes what one run has left, unless it goes on.
pub fn recover(journal: &Path) -> Result<Recovery, UndoError> {
    let mut journal = Inherited::open(journal)?;
    if journal.harness_lives() || !take_lock(&journal)? {
        return Ok(Recovery::Busy { run: journal.run, harness: journal.harness });
    }
    // The guardian may have been at it until we got the lock.
    journal.read()?;
    if journal.pending.is_empty() {
        return Ok(Recovery::Done { run: journal.run, undone: Vec::new(), left: Vec::new() });
    }
    let (undone, left) = journal.undo_all("recover", None);
    Ok(Recovery::Done { run: journal.run, undone: undone.iter().map(Action::told).collect(), left })
}

/// Undoes what all runs in a folder of runs have left, and then what was left on this machine by runs whose journal is
/// gone.
pub fn recover_all(reports: &Path) -> Sweep {
    let runs = journals(reports).into_iter().map(|path| (path.clone(), recover(&path))).collect();
    let (mut undone, mut left) = (Vec::new(), Vec::new());
    for stray in strays() {
        let told = stray.told();
        match stray.perform(false, None) {
            Ok(()) => undone.push(told),
            Err(one) => left.push(one),
        }
    }
    Sweep { runs, undone, left }
}

/// What is left on this machine by runs that do not go on: pending in a journal of `reports`, or found by the mark of a
/// harness that is dead. Touches nothing.
pub fn residue(reports: &Path) -> Vec<Left> {
    let mut found: Vec<Action> = Vec::new();
    let mut add = |action: Action| {
        if !found.iter().any(|other| other.is_about_the_same(&action)) {
            found.push(action);
        }
    };
    for path in journals(reports) {
        let Ok(journal) = Inherited::open(&path) else { continue };
        if !journal.harness_lives() {
            let remaining = |action: &Action| action.remains(journal.rebooted);
            journal.pending.into_values().filter(remaining).for_each(&mut add);
        }
    }
    strays().into_iter().for_each(&mut add);
    found.into_iter().map(|action| action.left("its harness is dead".to_owned())).collect()
}

/// cgroup folders, processes, private folders and networks that carry the mark of a harness that is dead.
fn strays() -> Vec<Action> {
    let mut found: Vec<Action> = Vec::new();
    let mut add = |action: Action| {
        if !found.iter().any(|other| other.is_about_the_same(&action)) {
            found.push(action);
        }
    };
    let orphaned = |marker: &Marker| !marker.harness.is_alive();
    for cgroup in CgroupHome::find().map(|home| home.drills()).unwrap_or_default() {
        if let Some(marker) = cgroup.marker().filter(orphaned) {
            let tree = Tree { cgroup: Some(cgroup), marker: Some(marker.to_string()), root: None };
            add(stop_stray(&marker, tree));
        }
    }
    for group in Group::drills() {
        if let Some(marker) = group.marker().filter(orphaned) {
            add(Action::Group { name: format!("{} of run {}", marker.process, marker.run), group });
        }
    }
    for (_, marker) in Marker::all() {
        if orphaned(&marker) {
            add(stop_stray(&marker, Tree { cgroup: None, marker: Some(marker.to_string()), root: None }));
        }
    }
    ClockShare::strays().into_iter().for_each(|share| add(Action::ClockShare { share }));
    for (folder, token) in private::all() {
        if token.parse().is_ok_and(|marker: Marker| orphaned(&marker)) {
            add(Action::RemoveFolder { folder, token });
        }
    }
    for namespace in Namespace::all() {
        if let Some(marker) = namespace.marker().filter(orphaned) {
            add(Action::RemoveNamespace { name: format!("{} of run {}", marker.process, marker.run), namespace });
        }
    }
    found
}
