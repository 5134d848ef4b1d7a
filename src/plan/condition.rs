use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    ActionId, EndpointId, FaultId, FigureId, JourneyId, LoadId, PhaseId, Plan, ProcessId, SteadyId, StepId, WatchId,
    Watched,
};
use crate::base::units::{Rate, Share, Size, Span, Text};

/// One type for steady states, aborts and targets: a measure in a scope over a window, against a bound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    pub measure: Measure,
    pub scope: Scope,
    /// None: the whole time under load.
    pub phase: Option<PhaseId>,
    /// The sliding window of steady states and aborts; targets have none.
    pub over: Option<Span>,
    pub timing: Timing,
    pub bound: Bound,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// The quantile: 0.99 for p99.
    Percentile(f64),
    Max,
    Mean,
    Availability,
    Shed,
    Throughput,
    /// Share of planned arrivals.
    Unsent,
    NotReached,
    Downtime,
    FaultRate {
        basis: Basis,
        per_month: f64,
    },
    Apdex {
        satisfied: Span,
    },
    /// Share of the error budget of `objective` that is left; negative when overspent.
    BudgetLeft {
        objective: Share,
    },
    BurnRate {
        objective: Share,
    },
    DetectionTime,
    RecoveryTime {
        to: SteadyId,
    },
    DegradedTime {
        to: SteadyId,
    },
    /// From when an action begins until it is done.
    ActionTime,
    /// Cores in use: 1.5 is one and a half cores. The greatest second.
    Cpu,
    /// Resident bytes, the greatest second.
    Memory,
    /// A watched figure: a counter's growth, or the second of a gauge that is worst for its bound.
    Watched {
        of: Watched,
        unit: Unit,
    },
    /// A watch's `ratio`.
    Ratio {
        watch: WatchId,
        unit: Unit,
    },
    /// Of a search: the highest rate that held below the lowest that failed.
    Capacity,
    /// Capacity / the stated peak − 1.
    Headroom,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    Outages,
    Time,
}

impl Measure {
    pub const fn unit(&self) -> Unit {
        match self {
            Measure::Percentile(_)
            | Measure::Max
            | Measure::Mean
            | Measure::Downtime
            | Measure::DetectionTime
            | Measure::ActionTime
            | Measure::RecoveryTime { .. }
            | Measure::DegradedTime { .. } => Unit::Span,
            Measure::Availability
            | Measure::Shed
            | Measure::Unsent
            | Measure::FaultRate { .. }
            | Measure::BudgetLeft { .. }
            | Measure::Headroom
            | Measure::Cpu => Unit::Share,
            Measure::Throughput | Measure::Capacity => Unit::Rate,
            Measure::NotReached => Unit::Count,
            Measure::Apdex { .. } | Measure::BurnRate { .. } => Unit::Number,
            Measure::Memory => Unit::Size,
            Measure::Watched { unit, .. } | Measure::Ratio { unit, .. } => *unit,
        }
    }

    /// The word that scenarios use.
    pub fn written(&self, plan: &Plan) -> String {
        let platform = &plan.platform;
        match self {
            Measure::Watched { of, .. } => platform.watched(*of).unwrap_or_default(),
            Measure::Ratio { watch, .. } => {
                platform.watches.get(watch.index()).map_or_else(String::new, |watch| watch.name.clone())
            }
            _ => self.to_string(),
        }
    }
}

/// The word that scenarios use; a watched figure has the name that its plan gives it.
impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Measure::Percentile(q) => {
                let percent = (q * 100.0 * 1e6).round() / 1e6;
                f.pad(&format!("p{percent}"))
            }
            Measure::Max => f.pad("max"),
            Measure::Mean => f.pad("mean"),
            Measure::Availability => f.pad("availability"),
            Measure::Shed => f.pad("shed"),
            Measure::Throughput => f.pad("throughput"),
            Measure::Unsent => f.pad("unsent"),
            Measure::NotReached => f.pad("not-reached"),
            Measure::Downtime => f.pad("downtime"),
            Measure::FaultRate { .. } => f.pad("fault-rate"),
            Measure::Apdex { .. } => f.pad("apdex"),
            Measure::BudgetLeft { .. } => f.pad("budget-left"),
            Measure::BurnRate { .. } => f.pad("burn-rate"),
            Measure::DetectionTime => f.pad("detection-time"),
            Measure::RecoveryTime { .. } => f.pad("recovery-time"),
            Measure::DegradedTime { .. } => f.pad("degraded-time"),
            Measure::ActionTime => f.pad("action-time"),
            Measure::Cpu => f.pad("cpu"),
            Measure::Memory => f.pad("memory"),
            Measure::Watched { .. } => f.pad("a watched figure"),
            Measure::Ratio { .. } => f.pad("a ratio"),
            Measure::Capacity => f.pad("capacity"),
            Measure::Headroom => f.pad("headroom"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    Span,
    Share,
    Rate,
    Size,
    Count,
    Number,
}

/// A value of a measure, with its unit.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantity {
    Span(Span),
    Share(Share),
    Rate(Rate),
    Size(Size),
    Count(u64),
    Number(f64),
}

impl Unit {
    /// `value`, in base units, as a quantity of this unit.
    pub fn quantity(self, value: f64) -> Quantity {
        match self {
            Unit::Span => Quantity::Span(Span::from_seconds_f64(value.max(0.0))),
            Unit::Share => Quantity::Share(Share(value)),
            Unit::Rate => Quantity::Rate(Rate::per_second(value)),
            Unit::Size => Quantity::Size(Size(value.max(0.0) as u64)),
            Unit::Count => Quantity::Count(value.max(0.0) as u64),
            Unit::Number => Quantity::Number(value),
        }
    }
}

impl Quantity {
    /// As a plain number in the base unit: seconds, parts of one, per second, bytes.
    pub fn as_f64(self) -> f64 {
        match self {
            Quantity::Span(span) => span.as_seconds_f64(),
            Quantity::Share(share) => share.as_f64(),
            Quantity::Rate(rate) => rate.as_per_second(),
            Quantity::Size(size) => size.bytes() as f64,
            Quantity::Count(count) => count as f64,
            Quantity::Number(number) => number,
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Quantity::Span(span) => span.fmt(f),
            Quantity::Share(share) => share.fmt(f),
            Quantity::Rate(rate) => rate.fmt(f),
            Quantity::Size(size) => size.fmt(f),
            Quantity::Count(count) => count.fmt(f),
            Quantity::Number(number) => number.fmt(f),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// All requests of journeys.
    All,
    Step(StepId),
    /// Groups of steps of this name, each as one.
    Group(StepId),
    Journey(JourneyId),
    Load(LoadId),
    Process(ProcessId),
    Endpoint(EndpointId),
    Fault(FaultId),
    /// All of those that this one is the first of: the worst counts.
    Occurrences(FaultId),
    Action(ActionId),
    /// The numbers that a capture keeps.
    Figure(FigureId),
}

impl Scope {
    /// As scenarios write it: `step place order`; none for all requests.
    pub fn written(self, plan: &Plan) -> Option<String> {
        let (kind, name) = match self {
            Scope::All => return None,
            Scope::Step(id) => ("step", &plan.steps.get(id.index())?.name),
            Scope::Group(id) => ("group", &plan.steps.get(id.index())?.name),
            Scope::Journey(id) => ("journey", &plan.journeys.get(id.index())?.name),
            Scope::Load(id) => ("load", &plan.loads.get(id.index())?.name),
            Scope::Process(id) => ("process", &plan.platform.processes.get(id.index())?.name),
            Scope::Endpoint(id) => ("endpoint", &plan.platform.endpoints.get(id.index())?.name),
            Scope::Figure(id) => ("figure", &plan.figures.get(id.index())?.name),
            Scope::Action(id) => ("action", &plan.actions.get(id.index())?.name),
            Scope::Fault(id) => ("fault", &plan.faults.get(id.index())?.name),
            Scope::Occurrences(id) => return Some(format!("fault {}", plan.faults.get(id.index())?.written())),
        };
        Some(format!("{kind} {name}"))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timing {
    Response,
    Service,
}

/// Obligations say at-most and at-least (both: a range); triggers say above or below.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    AtMost(Quantity),
    AtLeast(Quantity),
    Between(Quantity, Quantity),
    Above(Quantity),
    Below(Quantity),
}

/// What must hold before the first fault, and again for `hold` before a recovery counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SteadyState {
    pub name: String,
    pub title: Text,
    pub hold: Span,
    /// Every one must hold; each has an `over`.
    pub must: Vec<Condition>,
}

/// Stops the drill when its condition holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Abort {
    pub name: String,
    pub title: Text,
    pub condition: Condition,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    pub name: String,
    pub title: Text,
    pub condition: Condition,
    pub severity: Option<String>,
}
