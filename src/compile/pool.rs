//! Connections: how many there may be where the scenario does not say.

use super::context::Cx;
use super::journey::{Made, Steps};
use crate::base::diagnostic::Diagnostic;
use crate::base::units::Span;
use crate::plan::arrivals::Schedule;
use crate::plan::{Endpoint, Load, LoadId};
use crate::scenario::{self, Field, Named, Spanned};

/// More than this only when it is written: each is an open file and some memory.
const MOST: f64 = 10_000.0;
const MOST_WRITTEN: u64 = 1_000_000;

/// The default `max` is what unanswered requests can come to at the peak: their rate times their patience. A pool of at
/// least that much that is full is the platform's fault, a smaller one the generator's.
pub(super) fn connections(
    endpoints: &mut [Endpoint],
    written: &Field<Named<scenario::Endpoint>>,
    loads: &[Load],
    made: &[Vec<Made>],
    steps: &Steps,
    patience: Span,
    cx: &mut Cx<'_>,
) {
    let mut needed = vec![0.0; endpoints.len()];
    for load in loads {
        let peak = Schedule::new(load, 0, LoadId(0)).peak().as_per_second();
        let weights: f64 = load.mix.iter().map(|(_, weight)| weight).sum();
        for (journey, weight) in &load.mix {
            for made in made.get(journey.index()).into_iter().flatten() {
                let within = steps.list.get(made.step).and_then(|step| step.within).unwrap_or(patience);
                if let Some(needed) = needed.get_mut(made.endpoint) {
                    *needed += peak * weight / weights.max(f64::MIN_POSITIVE) * made.times * within.as_seconds_f64();
                }
            }
        }
    }
    let blocks = written.value().map(|map| map.entries.as_slice()).unwrap_or_default();
    for ((endpoint, needed), (_, block)) in endpoints.iter_mut().zip(needed).zip(blocks) {
        let path = format!("endpoints.{}.connections", endpoint.name);
        let default = needed.clamp(1.0, MOST).ceil() as u64;
        let absent = scenario::Field::Absent;
        let connections = match block.as_ref().map(|block| &block.value) {
            Some(scenario::Endpoint::Block(block)) => block.connections.value(),
            _ => None,
        };
        let field = |pick: fn(&scenario::Connections) -> &Field<u64>| connections.map_or(&absent, pick);
        let max = cx.settle(format!("{path}.max"), field(|c| &c.max), default);
        let queue = cx.settle(format!("{path}.queue"), field(|c| &c.queue), max);
        let warm = cx.settle(format!("{path}.warm"), field(|c| &c.warm), 0);
        let mut check = |field: &Field<u64>, least: u64, word: &str| {
            if let Some(value) = field.get().filter(|value| !(least..=MOST_WRITTEN).contains(&value.value)) {
                let message = format!("`{word}` is from {least} to {MOST_WRITTEN}");
                cx.say(Diagnostic::error("range", value.mark, message));
            }
        };
        check(field(|c| &c.max), 1, "max");
        check(field(|c| &c.queue), 0, "queue");
        let too_warm: Option<&Spanned<u64>> = field(|c| &c.warm).get().filter(|warm| warm.value > max);
        if let Some(warm) = too_warm {
            let message = format!("`warm` opens {} connections, and there may be {max}", warm.value);
            cx.say(Diagnostic::error("range", warm.mark, message));
        }
        let small = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        endpoint.connections.max = small(max);
        endpoint.connections.queue = small(queue);
        endpoint.connections.warm = small(warm);
    }
}
