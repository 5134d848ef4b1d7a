use serde::{Deserialize, Serialize};

use super::{JourneyId, LoadId, PhaseId, StepId};
use crate::base::units::{At, Rate, Share, Span, Text};

/// One open-model load: visits that begin at planned instants, whatever the platform does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    pub name: String,
    pub title: Text,
    /// Journeys and their weights, each over 0.
    pub mix: Vec<(JourneyId, f64)>,
    pub spacing: Spacing,
    pub start: At,
    pub stages: Vec<Stage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spacing {
    /// At equal steps of the planned curve.
    Even,
    /// As independent visitors come.
    Poisson,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    pub kind: StageKind,
    pub phase: Option<PhaseId>,
}

/// Every default ("the level so far") is settled here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StageKind {
    Ramp {
        from: Rate,
        to: Rate,
        span: Span,
    },
    Hold {
        rate: Rate,
        span: Span,
    },
    /// From `from` to `to` in steps of `by` (the last one may be shorter), each held for `every`; both ends are held.
    Stairs {
        from: Rate,
        to: Rate,
        by: Rate,
        every: Span,
    },
    /// From `from` up to `to` in `rise`, held for `hold`, and back in `fall`.
    Spike {
        from: Rate,
        to: Rate,
        rise: Span,
        hold: Span,
        fall: Span,
    },
}

/// A named stretch of the drill that targets are judged over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    pub name: String,
    pub title: Text,
    pub from: At,
    /// Not in it.
    pub to: At,
}

/// The finest grain that figures are kept at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Series {
    pub load: LoadId,
    pub journey: JourneyId,
    pub step: StepId,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// When a request that is not done counts as bad in the book of seconds; a step's `within` goes before it.
    pub patience: Span,
    /// The greatest share of intended shedding that is not bad.
    pub shed: Option<Share>,
    /// A window is down when less than this share of what completed in it was ok.
    pub down_below: Share,
    /// How long requests in flight may finish after the load's end.
    pub drain: Span,
    /// An arrival released later than this counts as late.
    pub lag: Span,
}
