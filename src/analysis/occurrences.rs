//! A target on a fault that comes several times: each time is measured. Which is the worst, `verdict` finds.

use super::Measured;
use super::targets::Evidence;
use crate::plan::{Condition, FaultId, Scope, TargetId};

impl Evidence<'_> {
    /// Of a fault that comes several times: the figure of the first, and beside it those of all, in their order.
    pub(super) fn measure(&self, target: TargetId, condition: &Condition) -> Measured {
        let Scope::Occurrences(first) = condition.scope else { return self.measure_one(target, condition) };
        let of = self.plan.faults.get(first.index()).map(|fault| fault.written());
        let ours = |(index, fault): (usize, &crate::plan::Fault)| {
            (Some(fault.written()) == of && !fault.spared).then(|| FaultId::at(index))
        };
        let on = |fault| {
            let one = Condition { scope: Scope::Fault(fault), ..condition.clone() };
            Measured { occurrence: Some(fault), ..self.measure_one(target, &one) }
        };
        let all: Vec<Measured> = self.plan.faults.iter().enumerate().filter_map(ours).map(on).collect();
        let one = all.first().cloned().unwrap_or_else(|| on(first));
        Measured { occurrences: all, ..one }
    }
}
