//! A target on a fault that comes several times: the worst is judged.

use super::targets::Evidence;
use super::{Figure, Measured};
use crate::plan::{Condition, FaultId, Scope, TargetId};

impl Evidence<'_> {
    /// Of several occurrences the worst counts: one that misses the bound, else one that could not be measured, else the one with
    /// the greatest figure.
    pub(super) fn measure(&self, target: TargetId, condition: &Condition) -> Measured {
        let Scope::Occurrences(first) = condition.scope else { return self.measure_one(target, condition) };
        let of = self.plan.faults.get(first.index()).map(|fault| fault.written());
        let ours = |(index, fault): (usize, &crate::plan::Fault)| {
            (Some(fault.written()) == of && !fault.spared).then(|| FaultId::at(index))
        };
        let all = self.plan.faults.iter().enumerate().filter_map(ours).map(|fault| {
            let one = Condition { scope: Scope::Fault(fault), ..condition.clone() };
            Measured { occurrence: Some(fault), ..self.measure_one(target, &one) }
        });
        let rank = |measured: &Measured| {
            let misses = measured.figure.and_then(|figure| figure.meets(condition.bound)) == Some(false);
            (misses, measured.gap.is_some())
        };
        let value = |measured: &Measured| match measured.figure {
            Some(Figure::Exactly(quantity) | Figure::MoreThan(quantity) | Figure::LessThan(quantity)) => {
                quantity.as_f64()
            }
            Some(Figure::Failed) => f64::INFINITY,
            None => 0.0,
        };
        // The first of those that are equally bad.
        let worst = all.reduce(|worst, next| {
            let order = rank(&next).cmp(&rank(&worst)).then(value(&next).total_cmp(&value(&worst)));
            if order.is_gt() { next } else { worst }
        });
        worst.unwrap_or_else(|| {
            let one = Condition { scope: Scope::Fault(first), ..condition.clone() };
            self.measure_one(target, &one)
        })
    }
}
