use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::base::host::{Group, Identity, Speed, SystemLoad};
use crate::base::units::{Size, Span};

/// What both ends have to be.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What an agent is to do to its machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strain {
    Burn {
        cores: u32,
    },
    Memory {
        size: Size,
    },
    Disk {
        folder: PathBuf,
        size: Size,
    },
    /// Goes into a group, and takes so much there; the kernel ends everybody else in it first.
    Crowd {
        group: Group,
        size: Size,
    },
    /// Writes so much through to the disk, from within a group or from where it is, and reads it back if that is wanted.
    Write {
        group: Option<Group>,
        folder: PathBuf,
        size: Size,
        read: bool,
    },
}

/// What an agent has seen of itself once it does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// So many cores are kept busy.
    Burns { cores: f64 },
    /// No more than so many are.
    Idle { cores: f64 },
    /// So much memory, or disk, is taken.
    Taken { bytes: u64 },
    /// No more than so much is.
    Short { bytes: u64 },
}

/// The first line of an agent. Those of all versions understand each other so far.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    /// Its version.
    pub(super) peakdrill: String,
    #[serde(default)]
    pub(super) process: Option<Identity>,
}

/// What an agent is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Word {
    /// The harness is there, and will say so again before this time is over.
    Still {
        within: Span,
    },
    Strain(Strain),
    /// What does the machine do?
    Load,
    /// Does this process live?
    Lives(Identity),
}

/// What it says to that.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Said {
    On(Seen),
    /// It is in the group, and begins to take.
    Crowding,
    Wrote(Speed),
    Load(SystemLoad),
    Lives(bool),
    Failed(String),
}
