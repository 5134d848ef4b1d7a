//! One run on one clock: starts the platform, prepares it, lets the load and the faults go, watches, decides, heals,
//! cleans up, and writes everything down as it happens. The only holder of the record's writer.
//!
//! What it decides from figures it decides on entries already appended, so that the stored run replays to the same
//! decisions. Leaves to others: what a figure is (`analysis`), what the run comes to (`verdict`), how anything is done
//! to the platform (`platform`, `fault`) or sent to it (`load`).

mod actions;
mod book;
mod cast;
mod chores;
mod conductor;
mod part;
mod permit;
mod run;
mod searches;
mod seconds;
mod signals;
mod terminal;
#[cfg(test)]
mod tests;
mod timeline;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value};
use thiserror::Error;

pub use run::{rehearse, run};
pub use signals::Signals;

use crate::analysis::Snapshot;
use crate::load;
use crate::plan::Plan;
use crate::record::{Approval, EndReason, Entry, Folder, Part, RecordError};
use crate::undo::{Left, Scratch, UndoError};

/// What a run is made with.
pub struct Setting {
    pub plan: Arc<Plan>,
    /// Where each value of the plan came from; stored beside it.
    pub origins: Value,
    /// The run's id: the name of its folder.
    pub run: String,
    /// Which part of the drill this is. None: all of it, which starts as soon as it is ready.
    pub part: Option<Part>,
    /// Who let it go, where that is needed.
    pub approval: Option<Approval>,
    /// Where runs are kept, one folder each.
    pub reports: PathBuf,
    /// That folder, where it goes with the run.
    pub scratch: Option<Scratch>,
    /// The program that is running: what `peakdrill` in `run:` means, and what guards.
    pub program: PathBuf,
    /// Where the drill was started: programs and pid files are looked up from here.
    pub here: PathBuf,
    /// Where files lie that the plan names: feeds, roots of TLS.
    pub files: PathBuf,
    /// `vars env secret run` for templates. Values under `secret` are written nowhere.
    pub constants: Map<String, Value>,
    pub options: load::Options,
}

/// Who is told what happens, as it happens: the live view.
pub trait Audience {
    fn entry(&mut self, entry: &Entry);
    /// A second was closed.
    fn second(&mut self, snapshot: &Snapshot);
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub folder: Folder,
    pub reason: EndReason,
    /// A part of the harness ended by a defect.
    pub broken: bool,
    /// The record could not be written to its end (a full disk).
    pub lost: Option<RecordError>,
    /// What could not be undone.
    pub left: Vec<Left>,
}

/// Why a run could not even begin. Nothing was started.
#[derive(Debug, Error)]
pub enum DrillError {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Undo(#[from] UndoError),
    #[error("the harness could not set itself up: {0}")]
    Setup(#[from] io::Error),
}
