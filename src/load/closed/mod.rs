//! Closed loads: users who each begin a journey when the one before is done. Their scheduler is goose, of which a process can
//! run one load only: its stop switch and its Ctrl-C handler belong to the whole process. So each closed load is a process of
//! its own, which hears the same orders as a worker and tells the same news, line by line over one socket. It ends at once
//! when that socket is closed, however the harness came to its end.
//!
//! Users take part in visits, books and windows as arrivals do (`worker`, `visit`); here is only what makes them users: when
//! they come and go, what they keep from one journey to the next, and that the next one waits for the one before.

#[cfg(feature = "closed")]
mod geese;
mod message;
#[cfg(feature = "closed")]
mod process;
mod remote;
#[cfg(feature = "closed")]
mod user;

#[cfg(feature = "closed")]
pub use process::crew_main;
pub(super) use remote::Remote;

use std::cell::Cell;

use crate::plan::LoadId;
use crate::record::UserCell;

/// Whether this program can make closed loads: the cargo feature `closed`, which brings in goose.
pub const fn can_be_closed() -> bool {
    cfg!(feature = "closed")
}

/// What a worker knows of its users.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    load: Cell<Option<LoadId>>,
    /// None begins another journey.
    over: Cell<bool>,
    launched: Cell<u64>,
    ended: Cell<u64>,
    present: Cell<u64>,
}

impl Crowd {
    /// What came of the users since this was asked last.
    pub(super) fn take(&self) -> Option<UserCell> {
        let load = self.load.get()?;
        Some(UserCell { load, launched: self.launched.take(), ended: self.ended.take(), present: self.present.get() })
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.get()
    }

    /// No user begins another journey.
    pub(super) fn close(&self) {
        self.over.set(true);
    }
}

#[cfg(feature = "closed")]
impl Crowd {
    pub(super) fn belongs_to(&self, load: LoadId) {
        self.load.set(Some(load));
    }

    fn launch(&self) {
        self.launched.set(self.launched.get() + 1);
        self.present.set(self.present.get() + 1);
    }

    fn end(&self) {
        self.ended.set(self.ended.get() + 1);
        self.present.set(self.present.get() - 1);
    }
}
