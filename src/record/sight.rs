//! What was seen of a fault's target, as data.

use serde::{Deserialize, Serialize};

use crate::plan::{LinkId, ProcessId};

/// What was seen when a fault was injected or healed: the proof that it bites or is gone, or why it is not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "seen", rename_all = "kebab-case")]
pub enum Sight {
    /// Killed: all `members` processes of its tree are gone.
    Gone {
        process: ProcessId,
        members: u64,
    },
    /// Started again, and ready.
    Ready {
        process: ProcessId,
        pid: u32,
    },
    /// It crashed so often while the fault was in force, and runs.
    Crashed {
        process: ProcessId,
        times: u64,
    },
    /// Paused: all `members` processes of its tree stand still.
    Still {
        process: ProcessId,
        members: u64,
    },
    /// Let go on: `members` processes of its tree run.
    GoesOn {
        process: ProcessId,
        members: u64,
    },
    /// The fault proxy saw the fault on this link bite.
    Bites {
        link: LinkId,
        verb: String,
    },
    /// Nothing of it is left on this link; it bit so often.
    Passes {
        link: LinkId,
        bites: u64,
    },
    /// Nothing passed the link that it could have bitten.
    NeverBit {
        link: LinkId,
    },
    /// So many cores of this machine are kept busy.
    Burns {
        cores: f64,
    },
    /// The fault uses no more than this of what it was to use.
    Idle {
        cores: f64,
    },
    /// So much memory, or disk, is taken.
    Taken {
        bytes: u64,
    },
    /// Only so much could be taken.
    Short {
        bytes: u64,
    },
    /// What was taken of the machine is given back.
    Released,
    /// The fault's own check says that it is in force.
    InForce,
    NotInForce,
    /// It said so before anything was done.
    InForceAlready,
    /// It was not seen to be in force in time.
    NeverSeen,
    /// Nothing was done: it was left to the platform.
    LeftToPlatform,
    /// It was gone before anything was done to it.
    GoneAlready {
        process: ProcessId,
    },
    /// It runs outside the drill, which could not start it again.
    Foreign {
        process: ProcessId,
    },
    /// It lives after KILL.
    Lives {
        process: ProcessId,
    },
    /// It did not stand still.
    Moves {
        process: ProcessId,
    },
    /// It ended by itself while it was to be paused, or was.
    Ended {
        process: ProcessId,
    },
    /// It was let go on, and does not.
    StaysStill {
        process: ProcessId,
    },
    /// The fault was aimed at nothing.
    NoTarget,
    /// How it was done is not known, so it cannot be taken back.
    NoWound,
    /// The harness itself failed while it was at it.
    HarnessFailed,
    /// It was not waited for any longer, at the second signal.
    GivenUp,
    /// What something outside said, as it said it.
    Said {
        text: String,
    },
}
