//! The figures of what went wrong, as data: faults, outages, steady states, down windows, probes.

use serde::{Deserialize, Serialize};

use super::{Figure, Stretch};
use crate::base::units::{At, Share, Span};
use crate::plan::{FaultId, SteadyId, WatchId};
use crate::record::Sight;

/// The instants of a fault, and what they come to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultFigures {
    pub fault: FaultId,
    pub ordered: Option<At>,
    /// Observed to bite.
    pub effective: Option<At>,
    /// Why it did not bite.
    pub not_effective: Option<Vec<Sight>>,
    pub heal_ordered: Option<At>,
    /// Observed to be undone.
    pub healed: Option<At>,
    pub not_healed: Option<Vec<Sight>>,
    /// A probe of the platform turned bad.
    pub detected: Option<At>,
    pub detected_by: Option<WatchId>,
    /// Detected − effective. None: not measured.
    pub detection: Option<Span>,
    /// One for each steady state, in the plan's order.
    pub recoveries: Vec<Recovery>,
}

/// How one fault broke one steady state, and the way back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    pub to: SteadyId,
    /// None: no window missed ("no breach").
    pub breach: Option<At>,
    /// None: it had not recovered when watching ended. Without a breach: *healed*.
    pub recovered: Option<At>,
    /// How often it held and was broken again.
    pub reopened: u32,
    /// Recovered − breach: a `Span`; 0 without a breach, "more than" where watching ended before. None: see `unseen`.
    pub time: Option<Figure>,
    /// Recovered − ordered.
    pub since_ordered: Option<Figure>,
    /// No window missed, but here a miss would not have been seen: no breach cannot be said.
    pub unseen: Option<Stretch>,
    /// Windows from breach to recovered that were not down.
    pub degraded: Span,
    /// Windows from breach to recovered that were down.
    pub down: Span,
    /// The share of the steady throughput that was kept from breach to recovered.
    pub kept: Option<Share>,
}

/// Faults whose times from ordered to recovered overlap; every figure is that of them together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outage {
    /// None: of a plan without steady states; then it ends with its faults' *healed* and the down windows that follow.
    pub to: Option<SteadyId>,
    pub faults: Vec<FaultId>,
    pub ordered: At,
    pub breach: Option<At>,
    /// None: not when watching ended.
    pub recovered: Option<At>,
    pub time: Option<Figure>,
    pub since_ordered: Option<Figure>,
    pub degraded: Span,
    pub down: Span,
    pub kept: Option<Share>,
}

/// What a condition or steady state came to in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    Meets,
    Misses,
    /// Too few samples: neither broken nor met.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SteadyFigures {
    pub steady: SteadyId,
    /// When it had first held for its `hold`.
    pub held: Option<At>,
    /// Whether it had held in the last 30 s before the first fault; none without a fault ordered.
    pub before_fault: Option<bool>,
    /// Second by second.
    pub runs: Vec<StandingRun>,
    /// Misses that belong to no fault.
    pub stray: Vec<Stretch>,
    /// Bounds that its sound time came too near to.
    pub tight: Vec<Tight>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StandingRun {
    /// Seconds at whose end the sliding window stood so: [from, to).
    pub from: u64,
    pub to: u64,
    pub standing: Standing,
}

/// A condition whose share of misses in sound time exceeded a third of what its bound allows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tight {
    /// Into the steady state's `must`.
    pub must: usize,
    pub share: Share,
    pub allowed: Share,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DownStretch {
    pub window: Stretch,
    /// Into `Analysis::outages`; none: outside every outage.
    pub outage: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeFigures {
    pub watch: WatchId,
    pub turns: Vec<ProbeTurn>,
    /// While it was bad.
    pub bad: Span,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeTurn {
    pub at: At,
    pub good: bool,
    pub why: Option<String>,
}
