//! What the harness and the process of a closed load say to one another: one line of JSON each.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::load::MadeRows;
use crate::plan::{LoadId, Plan};
use crate::record::{Failure, Parcel};

/// The first line: all that a crew knows when it begins. It holds secrets, and is written nowhere else.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Brief {
    pub plan: Plan,
    pub run: String,
    pub constants: Map<String, Value>,
    pub made: MadeRows,
    /// Where files lie that the plan names; a whole path.
    pub files: PathBuf,
    pub load: LoadId,
    pub crew: u16,
}

/// Every other line to the crew.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Word {
    /// The drill starts at this instant of the machine's monotonic clock, which all its processes share.
    Begin {
        nanos: u64,
    },
    Drain,
    Drop,
    Finish,
}

/// A line from the crew.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Said {
    /// All users stand ready.
    Ready,
    NotReady {
        why: String,
    },
    Window {
        parcel: Box<Parcel>,
        failures: Vec<Failure>,
    },
    Idle {
        abandoned: u64,
    },
    /// It has ended by a defect.
    Broken,
    /// Everything was said.
    Done,
}
