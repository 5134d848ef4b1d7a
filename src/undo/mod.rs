//! What was done to this machine and must not stay: written down before it is done, undone by whoever is left.
//!
//! An undo is data in the run's [`Journal`]: one of a closed list of [`Action`]s, idempotent, blocking, with a deadline
//! of its own, needing nothing of the run that died. It is on disk before the thing it undoes is done. A started
//! process is an undo too. Three can carry one out: the harness that lives, the [`Guardian`] that watches its death,
//! and [`recover`] later on. Identities are looked at before anything is signalled, so nothing foreign is touched.
//!
//! Leaves to others: healing, which is planned, observed and done on the drill's clock by the living harness (`fault`);
//! starting and stopping in order and with grace (`platform`).

mod action;
mod container;
mod disk;
mod frame;
mod guardian;
mod journal;
mod limits;
mod network;
mod output;
mod private;
mod program;
mod recover;
#[cfg(test)]
mod tests;

pub use action::{Action, Left};
#[cfg(test)]
pub(crate) use disk::recording;
pub use guardian::{Guardian, guardian_main};
pub use journal::{JOURNAL, Journal, UndoId};
pub use limits::Lowered;
pub use private::Scratch;
pub use program::ask;
pub use recover::{Recovery, Sweep, has_pending, journals, recover, recover_all, residue};

use std::io;
use std::path::PathBuf;

/// Why something could not be written down or undone.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    #[error(
        "cannot write down how to undo what comes next, in {}: {source}; it is not done then. Free space there, or \
         choose another folder for the run", path.display()
    )]
    NotWritten { path: PathBuf, source: io::Error },
    #[error("cannot open the undo journal {}: {source}", path.display())]
    NotOpened { path: PathBuf, source: io::Error },
    #[error("{} is not an undo journal: its first line does not name a run; remove its folder by hand", path.display())]
    NotAJournal { path: PathBuf },
    #[error("cannot make a private folder {}: {source}; set TMPDIR to a place that can be written", path.display())]
    NoFolder { path: PathBuf, source: io::Error },
    #[error("cannot start the guardian {program}: {source}; without it nothing undoes the faults if the harness dies")]
    NoGuardian { program: String, source: io::Error },
    #[error("could not undo: {0}")]
    Left(Left),
}
