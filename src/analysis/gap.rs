use serde::{Deserialize, Serialize};

use super::Stretch;
use crate::base::units::At;
use crate::plan::{WatchId, Watched};
use crate::record::Sight;

/// Why there is no figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "why")]
pub enum Gap {
    /// Nothing was counted.
    NoData,
    TooFew {
        have: u64,
        need: u64,
    },
    /// The fault was never ordered.
    FaultNotOrdered,
    /// The fault did not bite.
    FaultNotEffective {
        seen: Vec<Sight>,
    },
    /// No probe of the platform turned.
    NotDetected,
    /// What the action waited for did not come.
    ActionNotBegun,
    /// No window missed, but here a miss would not have been seen.
    Unseen {
        window: Stretch,
    },
    /// A watched page was not read near both ends of the window.
    NotWatched {
        watch: WatchId,
    },
    /// A watched page could not be read at some second of the window.
    NotScraped {
        watch: WatchId,
        at: At,
        because: String,
    },
    /// The figure was not on its page.
    NotOnPage {
        of: Watched,
        at: At,
    },
    /// A counter fell: what it counted until a restart is lost.
    Reset {
        of: Watched,
        at: At,
    },
    /// What a ratio is set against came to 0.
    OfNothing {
        to: Watched,
    },
}
