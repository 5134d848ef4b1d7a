use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::plan::{Flaw, Protocol};

/// What the harness tells the process of its links: a line of JSON each.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "word")]
pub(super) enum Word {
    /// The first: all links.
    Open { seed: u64, links: Vec<Way>, toxiproxy: Option<Shown> },
    /// These flaws are in force from one instant on.
    Set { flaws: Vec<Wanted> },
    /// These are over, from one instant on.
    Clear { ids: Vec<u64> },
    /// All is done.
    Goodbye,
}

/// A link to be opened.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Way {
    /// Port 0 lets the system choose.
    pub at: SocketAddr,
    /// Tried one after the other. All may be dialled.
    pub to: Vec<SocketAddr>,
    pub protocol: Protocol,
}

/// Toxiproxy's API over the links.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Shown {
    /// Where it listens.
    pub at: SocketAddr,
    /// What each link is called.
    pub names: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Wanted {
    /// Given by whoever wants it, and used once.
    pub(super) id: u64,
    /// The link's number among those opened.
    pub(super) link: usize,
    pub(super) flaw: Flaw,
    /// Its number in the plan: whom it bites is drawn by that and the seed.
    pub(super) number: u32,
}

/// What the process tells. Instants are those of the machine's monotonic clock.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "said")]
pub(super) enum Said {
    Ready {
        at: Vec<SocketAddr>,
    },
    NotReady {
        why: String,
    },
    /// A flaw was seen to bite for the first time.
    Bit {
        id: u64,
        nanos: u64,
    },
    /// Not in force any more, and nothing is held back by it.
    Clear {
        id: u64,
        nanos: u64,
        bites: u64,
    },
    /// Somebody else has changed something, by Toxiproxy's API.
    ByHand {
        what: String,
    },
    /// It could not be set, or not be cleared.
    Failed {
        id: u64,
        why: String,
    },
}
