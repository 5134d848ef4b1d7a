//! The figures as data: what `verdict` judges and `report` shows. Words for people are in neither.

use serde::{Deserialize, Serialize};

use super::{
    ActionFigures, CrowdFigures, DownStretch, FaultFigures, Gap, Outage, ProbeFigures, SearchEnd, SearchFigures,
    SteadyFigures, WatchedFigures,
};
use crate::base::units::{At, Rate, Share, Span};
use crate::plan::{Basis, FaultId, FigureId, JourneyId, PhaseId, ProcessId, Quantity, Scope, TargetId};
use crate::record::{BadKind, EndReason, Entry, Failure, HostFacts, Unpacked, UnsentKind};

/// Everything that a run comes to.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Analysis {
    /// None: the record ends before its first entry.
    pub opened: Option<Opened>,
    /// None: no load ever began. Ends with the last closed second where the record breaks off.
    pub load: Option<Stretch>,
    /// None: the run did not end by itself.
    pub ended: Option<EndReason>,
    /// All requests first, then loads, journeys and steps in the plan's order.
    pub curves: Vec<Curve>,
    /// The whole time under load first, then each phase.
    pub tables: Vec<Table>,
    /// One for each target of the plan, in its order.
    pub targets: Vec<Measured>,
    /// One for each fault of the plan, in its order.
    pub faults: Vec<FaultFigures>,
    /// The emergency plan's steps, in the plan's order.
    pub actions: Vec<ActionFigures>,
    pub outages: Vec<Outage>,
    /// One for each steady state of the plan, in its order.
    pub steady_states: Vec<SteadyFigures>,
    /// One for each load of the plan that is a search, in its order.
    #[serde(default)]
    pub searches: Vec<SearchFigures>,
    /// One for each closed load of the plan, in its order.
    #[serde(default)]
    pub crowds: Vec<CrowdFigures>,
    /// Of all requests.
    pub down: Vec<DownStretch>,
    pub probes: Vec<ProbeFigures>,
    pub vitals: Vec<VitalCurve>,
    /// What watches keep of pages, and their ratios, in the plan's order.
    pub watched: Vec<WatchedFigures>,
    pub generator: Generator,
    /// The first failures of each step and kind.
    pub failures: Vec<Failure>,
    /// Everything that happened, without what stands elsewhere here: samples of failures, closed seconds, the
    /// generator's own state.
    pub events: Vec<Entry>,
    /// What workers never handed over.
    pub missing: Vec<Missing>,
    /// What they handed over after its second was closed: it stands in the book of phases, and was not there when down
    /// windows and steady states were decided.
    pub late: Vec<Missing>,
    /// What could not be undone.
    pub residue: Vec<Residue>,
}

/// [from, to) on the drill's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    pub from: At,
    pub to: At,
}

impl Stretch {
    pub const fn span(self) -> Span {
        self.to.since(self.from)
    }

    pub fn holds(self, at: At) -> bool {
        self.from <= at && at < self.to
    }

    pub fn overlaps(self, other: Stretch) -> bool {
        self.from < other.to && other.from < self.to
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    pub run: String,
    pub program: String,
    /// Nanoseconds since the epoch at the drill's start instant.
    pub wall: i64,
    pub host: HostFacts,
}

/// A figure that has been measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Figure {
    Exactly(Quantity),
    /// The rank falls among the failed requests: slower than any bound.
    Failed,
    /// It had not ended when watching did, or not all of it was seen: this much at least.
    MoreThan(Quantity),
    /// Not even the least that was tried was reached.
    LessThan(Quantity),
}

impl Figure {
    /// The same of another quantity that grows with this one.
    pub fn map(self, of: impl Fn(Quantity) -> Option<Quantity>) -> Option<Figure> {
        Some(match self {
            Figure::Exactly(quantity) => Figure::Exactly(of(quantity)?),
            Figure::Failed => Figure::Failed,
            Figure::MoreThan(quantity) => Figure::MoreThan(of(quantity)?),
            Figure::LessThan(quantity) => Figure::LessThan(of(quantity)?),
        })
    }

    /// The quantity, where it is known exactly.
    pub const fn exactly(self) -> Option<Quantity> {
        match self {
            Figure::Exactly(quantity) => Some(quantity),
            Figure::Failed | Figure::MoreThan(_) | Figure::LessThan(_) => None,
        }
    }
}

/// Two order statistics with the true percentile between them in 95 % of runs, were requests independent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    pub low: Figure,
    pub high: Figure,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Percentile {
    /// 0.99 for p99.
    pub q: f64,
    /// Over ok, bad and unsent by the platform. None: fewer than `needed` samples.
    pub figure: Option<Figure>,
    /// Of the ok ones alone; never a target. None: fewer than `needed` ok ones.
    pub of_ok: Option<Span>,
    /// None: one of its ends does not exist.
    pub interval: Option<Interval>,
    pub samples: u64,
    pub needed: u64,
}

/// The book of seconds, one scope.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    pub scope: Scope,
    /// Of `points`, in seconds.
    pub resolution: u64,
    pub points: Vec<Point>,
    /// p50, p95, p99 and p99.9 of the ok ones.
    pub percentiles: Vec<PercentileCurve>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// [second, second + resolution).
    pub second: u64,
    /// Visits whose planned instant lies in it, by the plan; known for all requests and for loads only.
    pub planned: Option<u64>,
    /// Visits begun in it; known for all requests only.
    pub released: Option<u64>,
    pub ok: u64,
    pub bad: Vec<(BadKind, u64)>,
    pub shed: u64,
    pub unsent: Vec<(UnsentKind, u64)>,
    /// Planned and not settled at its end.
    pub waiting: u64,
    /// Whether a second of it was down.
    pub down: bool,
}

impl Point {
    pub fn bad(&self) -> u64 {
        self.bad.iter().map(|(_, count)| count).sum()
    }

    pub fn unsent(&self) -> u64 {
        self.unsent.iter().map(|(_, count)| count).sum()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PercentileCurve {
    pub q: f64,
    /// Each spans as many seconds as it takes to have samples enough; where 30 s do not, there is none.
    pub points: Vec<PercentilePoint>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PercentilePoint {
    /// Seconds: [from, to).
    pub from: u64,
    pub to: u64,
    pub value: Span,
}

/// The book of phases, one phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// None: the whole time under load.
    pub phase: Option<PhaseId>,
    /// None: the load never came to it.
    pub window: Option<Stretch>,
    /// All requests first, then loads, journeys and steps in the plan's order.
    pub rows: Vec<Row>,
    pub visits: Vec<VisitRow>,
    /// What captures keep, in the plan's order.
    #[serde(default)]
    pub figures: Vec<NumberRow>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub scope: Scope,
    /// All that were planned, whatever became of them.
    pub requests: u64,
    pub ok: u64,
    /// With the shedding beyond its limit.
    pub bad: Vec<(BadKind, u64)>,
    /// Within its limit.
    pub shed: u64,
    pub unsent: Vec<(UnsentKind, u64)>,
    pub not_reached: u64,
    /// Tries that another try followed, by why; they are no requests of their own.
    #[serde(default)]
    pub again: Vec<(BadKind, u64)>,
    /// ok / (ok + bad + unsent by the platform).
    pub availability: Option<Share>,
    /// p50, p90, p95, p99 and p99.9 of response, and what the targets name.
    pub percentiles: Vec<Percentile>,
    /// The same of service.
    pub service: Vec<Percentile>,
    /// Of the ok ones.
    pub mean: Option<Span>,
    /// Of the ok ones.
    pub max: Option<Span>,
    /// Ok requests done per second of the window.
    pub throughput: Option<Rate>,
    /// For each bound that a target names.
    pub apdex: Vec<ApdexScore>,
    /// The response times of the ok ones, for drawing: quantiles q = 1 − 10^(−n/20) for n = 0, 1, 2 … as long as
    /// q ≤ 1 − 1/ok, then the greatest as q = 1. The whole time under load only; empty in phases.
    pub distribution: Vec<Quantile>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quantile {
    pub q: f64,
    pub value: Span,
}

impl Row {
    pub fn bad(&self) -> u64 {
        self.bad.iter().map(|(_, count)| count).sum()
    }

    pub fn unsent(&self) -> u64 {
        self.unsent.iter().map(|(_, count)| count).sum()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ApdexScore {
    pub satisfied: Span,
    pub score: f64,
}

/// The numbers that captures kept under one name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NumberRow {
    pub figure: FigureId,
    pub count: u64,
    /// Of p50, p90, p95, p99, p99.9 and what the targets name, those that there are numbers enough for.
    pub percentiles: Vec<(f64, f64)>,
    pub mean: Option<f64>,
    pub max: Option<f64>,
}

/// Whole visits of one journey, over all loads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VisitRow {
    pub journey: JourneyId,
    pub started: u64,
    pub ok: u64,
    /// Started, and neither ok nor shed as intended.
    pub failed: u64,
    /// Within the limit.
    pub shed: u64,
    /// Its ok visits over its started ones, without those that were shed as intended.
    pub availability: Option<Share>,
    /// A journey's own time: its steps without think time.
    pub percentiles: Vec<Percentile>,
}

/// What a target is judged by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    pub target: TargetId,
    /// The fault that this is of, where it is one of several of a target's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurrence: Option<FaultId>,
    /// Of a target on a fault that comes several times: each of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub occurrences: Vec<Measured>,
    /// None: no data, see `gap`.
    pub figure: Option<Figure>,
    pub gap: Option<Gap>,
    /// The figure with the generator's lateness taken out; none where lateness does not touch it.
    pub unlagged: Option<Figure>,
    /// The figure with the step's *not reached* counted as bad; none where there are none.
    pub with_not_reached: Option<Figure>,
    pub window: Option<Stretch>,
    /// Requests, visits, windows or seconds that it was made from.
    pub samples: u64,
    pub interval: Option<Interval>,
    pub detail: Detail,
    /// How well the generator kept up in the window; none for targets that it does not touch.
    pub late: Option<Late>,
    /// Share of the window's arrivals in the scope that the generator did not send.
    pub unsent_by_generator: Option<Share>,
    /// Of the generator's busiest worker, in the window's worst 10 s.
    pub cpu: Option<Share>,
    /// The load ended before the window did.
    pub cut_short: bool,
    /// Workers' seconds that the figure lacks, as far as they could change which side of the bound it is on.
    pub lacks: Vec<Missing>,
}

/// What stands beside a figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "of")]
pub enum Detail {
    None,
    FaultRate {
        basis: Basis,
        /// In outages (basis `outages`) or at all (basis `time`).
        downtime: Span,
        per_month: f64,
        /// In which the downtime was seen.
        under_load: Span,
        /// The 95 % bound where no window was down (basis `time`): at most three windows' share.
        at_most: Option<Share>,
        unrecovered: bool,
        /// Down windows outside every outage (basis `outages`).
        stray: Span,
    },
    Budget {
        objective: Share,
        valid: u64,
        bad: u64,
        /// (1 − objective) × valid requests.
        budget: f64,
    },
    Apdex {
        satisfied: u64,
        tolerating: u64,
        frustrated: u64,
    },
    Search {
        /// An index into `Analysis::searches`.
        search: usize,
        end: SearchEnd,
    },
    /// An index into `Analysis::outages`; none without a breach.
    Recovery {
        outage: Option<usize>,
    },
}

/// Arrivals released over the limit late, of the window's worst 10 s or 100 arrivals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Late {
    pub share: Share,
    pub of: u64,
    pub window: Stretch,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VitalCurve {
    pub process: ProcessId,
    pub points: Vec<VitalPoint>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct VitalPoint {
    pub at: At,
    /// Cores in use since the point before; none at the first.
    pub cpu: Option<f64>,
    /// Resident bytes.
    pub memory: u64,
    pub threads: u32,
    pub files: u32,
}

/// How well the harness itself kept up, over the whole time under load.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Generator {
    pub planned: u64,
    pub released: u64,
    /// Released over the limit late.
    pub late: u64,
    pub lag_p50: Option<Span>,
    pub lag_p99: Option<Span>,
    pub lag_max: Option<Span>,
    pub worst: Option<Late>,
    /// Of its busiest worker, in its worst 10 s; spinning left out.
    pub cpu: Option<Share>,
    pub unsent: Vec<(UnsentKind, u64)>,
    /// Of all requests that were planned.
    pub unsent_by_generator: Option<Share>,
    pub points: Vec<GeneratorPoint>,
    /// When, and by how many nanoseconds the wall clock was stepped.
    pub clock_steps: Vec<(At, i64)>,
    pub memory_max: Option<u64>,
    pub files_max: Option<u64>,
    pub files_limit: Option<u64>,
    /// Local ports towards one address; each open connection to it has one of them.
    pub ports: Option<u64>,
    /// Answers that were decompressed.
    #[serde(default)]
    pub unpacked: Unpacked,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct GeneratorPoint {
    pub second: u64,
    pub planned: u64,
    pub released: u64,
    pub late: u64,
    pub lag_p50: Option<Span>,
    pub lag_p99: Option<Span>,
    /// CPU time of all workers, spinning left out.
    pub cpu: Span,
    pub spun: Span,
    pub in_flight: u64,
    pub queued: u64,
    pub connections: u64,
    pub connected: u64,
}

/// A worker's window that never came, or came late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Missing {
    pub second: u64,
    pub crew: u16,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Residue {
    pub what: String,
    pub command: String,
}
