//! What figures are kept of: every step and group of every journey that a load takes, and the bounds that cells look at.

use std::collections::BTreeSet;

use super::journey::Made;
use crate::base::units::Span;
use crate::plan::{self, JourneyId, LoadId, Measure, Quantity, Scope, Series, StepId};

/// The response bounds that conditions of windows put on each step.
pub(super) fn bounds<'c>(
    conditions: impl Iterator<Item = &'c plan::Condition>,
    made: &[Vec<Made>],
    loads: &[plan::Load],
    asked: &[bool],
) -> Vec<BTreeSet<Span>> {
    let mut bounds = vec![BTreeSet::new(); asked.len()];
    let is_request = |step: usize| made.iter().flatten().any(|made| made.step == step && made.is_request());
    for condition in conditions {
        let limits: Vec<Span> = match (condition.measure, condition.bound) {
            (Measure::Apdex { satisfied }, _) => vec![satisfied],
            (Measure::Percentile(_) | Measure::Max | Measure::Mean, bound) => match bound {
                plan::Bound::AtMost(Quantity::Span(most))
                | plan::Bound::Between(_, Quantity::Span(most))
                | plan::Bound::AtLeast(Quantity::Span(most))
                | plan::Bound::Above(Quantity::Span(most))
                | plan::Bound::Below(Quantity::Span(most)) => vec![most],
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        let of_journey = |wanted: JourneyId, step: usize| {
            made.get(wanted.index()).is_some_and(|made| made.iter().any(|made| made.step == step))
        };
        for (step, bounds) in bounds.iter_mut().enumerate().filter(|(step, _)| asked.get(*step) == Some(&true)) {
            let fits = match condition.scope {
                // What is asked of all requests is asked of no group.
                Scope::All => is_request(step),
                Scope::Step(id) | Scope::Group(id) => id.index() == step,
                Scope::Journey(id) => is_request(step) && of_journey(id, step),
                Scope::Load(id) => loads.get(id.index()).is_some_and(|load| {
                    is_request(step) && load.mix.iter().any(|(journey, _)| of_journey(*journey, step))
                }),
                Scope::Endpoint(id) => {
                    made.iter().flatten().any(|made| made.step == step && made.endpoint == Some(id.index()))
                }
                Scope::Process(_) | Scope::Fault(_) | Scope::Occurrences(_) | Scope::Action(_) | Scope::Figure(_) => {
                    false
                }
            };
            if fits {
                bounds.extend(limits.iter().copied());
            }
        }
    }
    bounds
}

pub(super) fn series(loads: &[plan::Load], made: &[Vec<Made>]) -> Vec<Series> {
    let mut found = BTreeSet::new();
    for (index, load) in loads.iter().enumerate() {
        for journey in load.journeys() {
            for made in made.get(journey.index()).into_iter().flatten() {
                found.insert(Series { load: LoadId::at(index), journey, step: StepId::at(made.step) });
            }
        }
    }
    found.into_iter().collect()
}
