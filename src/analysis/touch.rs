//! Which figures the load generator's own troubles put in doubt.

use crate::plan::{Condition, Measure, Scope};

/// How the generator's own troubles touch a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Touch {
    /// By every millisecond.
    Time,
    /// By what it did not send only: the figure's resolution is a second.
    Seconds,
    None,
}

pub(super) const fn touch(condition: &Condition) -> Touch {
    // What answers tell is what it is, whenever they were asked.
    if matches!(condition.scope, Scope::Figure(_)) {
        return Touch::None;
    }
    match condition.measure {
        Measure::Percentile(_)
        | Measure::Max
        | Measure::Mean
        | Measure::Availability
        | Measure::Throughput
        | Measure::Apdex { .. }
        | Measure::BudgetLeft { .. }
        | Measure::BurnRate { .. } => Touch::Time,
        Measure::Downtime | Measure::FaultRate { .. } | Measure::RecoveryTime { .. } | Measure::DegradedTime { .. } => {
            Touch::Seconds
        }
        Measure::Shed
        | Measure::Unsent
        | Measure::NotReached
        | Measure::DetectionTime
        | Measure::ActionTime
        | Measure::Cpu
        | Measure::Memory
        | Measure::Watched { .. }
        | Measure::Ratio { .. }
        // Each trial was fit to judge by, or none.
        | Measure::Capacity
        | Measure::Headroom => Touch::None,
    }
}
