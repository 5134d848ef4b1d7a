//! What the record means: entries to figures, as one fold, the same online (while the drill runs) and offline (from the
//! stored run). The definitions are those of measurement.md, one file for each family.
//!
//! A figure without data is `None`, never 0. Leaves to others: whether a figure is good enough (`verdict`), how it is
//! shown (`report`).

mod figures;

pub use figures::{
    Analysis, ApdexScore, Curve, Detail, DownStretch, FaultFigures, Figure, Gap, Generator, GeneratorPoint, Interval,
    Late, Measured, Missing, Opened, Outage, Percentile, PercentileCurve, PercentilePoint, Point, ProbeFigures,
    ProbeTurn, Quantile, Recovery, Residue, Row, Snapshot, Standing, StandingRun, SteadyFigures, Stretch, Table, Tight,
    VisitRow, VitalCurve, VitalPoint,
};
