//! What the record means: entries to figures, as one fold, the same online (while the drill runs) and offline (from the
//! stored run). The definitions are those of measurement.md, one file for each family.
//!
//! A figure without data is `None`, never 0. Leaves to others: whether a figure is good enough (`verdict`), how it is
//! shown (`report`).

mod actions;
mod condition;
mod crowd;
mod curve;
mod down;
mod faults;
mod figures;
mod finish;
mod fold;
mod gap;
mod health;
mod incidents;
mod live;
mod occurrences;
mod outage;
mod percentile;
mod phases;
mod recovery;
mod scopes;
mod search;
mod seconds;
#[cfg(test)]
pub(crate) mod sim;
mod steady;
mod tally;
mod targets;
#[cfg(test)]
mod tests;
mod touch;
mod vitals;
mod watched;

pub use actions::ActionFigures;
pub use crowd::{CrowdFigures, CrowdPoint};
pub use figures::{
    Analysis, ApdexScore, Curve, Detail, Figure, Generator, GeneratorPoint, Interval, Late, Measured, Missing,
    NumberRow, Opened, Percentile, PercentileCurve, PercentilePoint, Point, Quantile, Residue, Row, Stretch, Table,
    VisitRow, VitalCurve, VitalPoint,
};
pub use fold::{Fold, analyse};
pub use gap::Gap;
pub use incidents::{
    DownStretch, FaultFigures, Outage, ProbeFigures, ProbeTurn, Recovery, Standing, StandingRun, SteadyFigures, Tight,
};
pub use live::Snapshot;
pub use percentile::{interval_ranks, needed, rank};
pub use search::{Level, NotFitted, SearchEnd, SearchFigures, TrialFigures, Usl, UslPoint, Want};
pub use watched::{WatchedFigures, WatchedPoint};
