use std::path::{Path, PathBuf};

/// What can go wrong with a record.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RecordError {
    #[error("cannot create the run's folder {}: {why}; choose another place for runs with --reports, or make room", .path.display())]
    Create { path: PathBuf, why: String },
    /// Sticky: once an append has failed, every later one fails with the same.
    #[error("cannot write {}: {why}; make room on that disk and run again", .path.display())]
    Write { path: PathBuf, why: String },
    #[error("cannot read {}: {why}; look at what stands there, and at who may read it", .path.display())]
    Read { path: PathBuf, why: String },
    #[error("{} is no plan of a run: {why}; it is written once, with the run, and cannot be made again", .path.display())]
    Plan { path: PathBuf, why: String },
    #[error("{} was written by a newer peakdrill (format {found}, this one reads up to {known}); read it with that one", .path.display())]
    Newer { path: PathBuf, found: u32, known: u32 },
    #[error("there is no run '{run}' in {}; `peakdrill runs list` shows those there are", .root.display())]
    NoSuchRun { root: PathBuf, run: String },
    #[error(
        "run '{run}' was broken off before it began: there is nothing to report; `peakdrill runs remove` removes it"
    )]
    NotBegun { run: String },
    #[error("'{name}' is not the name of a run; give one of those that `peakdrill runs list` shows")]
    NotARun { name: String },
    #[error("run '{run}' is still going on; stop it first (Ctrl-C in its terminal)")]
    Live { run: String },
    #[error("run '{run}' is no part of a drill; `peakdrill run --part 1/4 --start-at …` makes one")]
    NotAPart { run: String },
    #[error("run '{run}' and run '{other}' are both part {part}; give one run for each part")]
    PartTwice { part: u16, run: String, other: String },
    #[error("run '{run}' is of another plan than run '{other}'; give the parts of one drill")]
    OtherPlan { run: String, other: String },
    #[error("run '{run}' is one of {of} parts, run '{other}' one of {other_of}; give the parts of one drill")]
    OtherParts { run: String, of: u16, other: String, other_of: u16 },
    #[error("cannot remove {}: {why}; what is left of it can be removed by hand", .path.display())]
    Remove { path: PathBuf, why: String },
}

impl RecordError {
    pub(super) fn write(path: &Path, why: impl std::fmt::Display) -> RecordError {
        RecordError::Write { path: path.to_owned(), why: why.to_string() }
    }

    pub(super) fn read(path: &Path, why: impl std::fmt::Display) -> RecordError {
        RecordError::Read { path: path.to_owned(), why: why.to_string() }
    }
}
