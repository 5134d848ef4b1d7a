//! Targets, and whether the drill can decide them.

use super::condition::{Role, Scenery};
use super::context::Cx;
use super::samples::needed;
use super::schedule::Made;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::{At, Span};
use crate::plan::{Basis, Bound, Condition, End, Measure, Quantity, Scope, SteadyState, Target};
use crate::scenario::{self, Field, Named};

pub(super) fn targets(
    field: &Field<Named<scenario::Obligation>>,
    scenery: &Scenery<'_>,
    faults: &[Made],
    steady: &[SteadyState],
    cx: &mut Cx<'_>,
) -> Vec<Target> {
    let map = cx.get(field).map(|map| &map.value);
    let whole = map.is_some_and(|map| map.complete && map.entries.iter().all(|(_, target)| target.is_some()));
    let mut made: Vec<(Target, Mark)> = Vec::new();
    let mut all_made = whole;
    for (name, written) in cx.entries(map) {
        let path = format!("targets.{}", name.value);
        let Some(condition) = scenery.condition(&written.value, name.mark, &path, Role::Target, cx) else {
            all_made = false;
            continue;
        };
        let mark = written.measure.get().map_or(name.mark, |measure| measure.mark);
        let bound = [&written.at_most, &written.at_least]
            .into_iter()
            .find_map(|bound| bound.get())
            .map_or(mark, |bound| bound.mark);
        scenery.check_decidable(&condition, mark, bound, cx);
        if matches!(condition.measure, Measure::Capacity | Measure::Headroom) {
            scenery.check_searched(&condition, mark, bound, cx);
        }
        check_recovery(&condition, bound, scenery, faults, steady, cx);
        let title = cx.get(&written.title).map(|title| title.value.clone()).unwrap_or_default();
        let severity = cx.get(&written.severity).map(|severity| severity.value.clone());
        made.push((Target { name: name.value.clone(), title, condition, severity }, mark));
    }
    if all_made {
        let conditions: Vec<(Condition, Mark)> =
            made.iter().map(|(target, mark)| (target.condition.clone(), *mark)).collect();
        check_beside_means(&conditions, "a target", cx);
    }
    made.into_iter().map(|(target, _)| target).collect()
}

/// A mean and a maximum are judged beside availability only.
pub(super) fn check_beside_means(conditions: &[(Condition, Mark)], what: &str, cx: &mut Cx<'_>) {
    for (condition, mark) in conditions {
        let of_numbers = matches!(condition.scope, Scope::Figure(_));
        if !matches!(condition.measure, Measure::Mean | Measure::Max) || of_numbers {
            continue;
        }
        let beside = conditions.iter().any(|(other, _)| {
            other.measure == Measure::Availability && other.scope == condition.scope && other.phase == condition.phase
        });
        if !beside {
            let message =
                format!("`{}` is of the requests that were ok only: failing fast would improve it", condition.measure);
            let help = format!("add {what} on availability of the same scope and phase");
            cx.say(Diagnostic::error("needs-availability", *mark, message).help(help));
        }
    }
}

impl Scenery<'_> {
    /// Says of a target that the planned requests, or the planned time, cannot decide it.
    fn check_decidable(&self, condition: &Condition, mark: Mark, bound: Mark, cx: &mut Cx<'_>) {
        let Some(samples) = &self.samples else { return };
        let (from, to) = match condition.phase {
            Some(phase) => match self.phases.times(phase.index()) {
                Some(times) => times,
                None => return,
            },
            None => samples.span(),
        };
        if let Measure::FaultRate { basis: Basis::Time, .. } = condition.measure {
            check_time_basis(&condition.bound, to - from, bound, cx);
        }
        let whole = condition.phase.map_or_else(
            || "in all".to_owned(),
            |phase| format!("in phase `{}`", self.phases.names.name(phase.index())),
        );
        let needs = match condition.measure {
            Measure::Percentile(quantile) => needed(quantile),
            Measure::DetectionTime
            | Measure::RecoveryTime { .. }
            | Measure::DegradedTime { .. }
            | Measure::Watched { .. }
            | Measure::Ratio { .. }
            | Measure::Capacity
            | Measure::Headroom => return,
            _ => 1.0,
        };
        let Some(planned) = samples.count(condition.scope, from, to) else { return };
        if planned < needs {
            let message = format!(
                "`{}` needs {} requests to be decided, and about {} are planned {whole}",
                condition.measure,
                needs.ceil(),
                planned.floor()
            );
            let help = "take a longer phase, a lower percentile, or a higher rate";
            cx.say(Diagnostic::error("too-few-samples", mark, message).help(help));
        }
    }
}

/// A share of the time is seen in windows of one second: a bound needs as many as there are in one part of it.
fn check_time_basis(bound: &Bound, span: Span, mark: Mark, cx: &mut Cx<'_>) {
    let (Bound::AtMost(Quantity::Share(most)) | Bound::Between(_, Quantity::Share(most))) = bound else { return };
    let windows = span.as_nanos() / Span::SECOND.as_nanos();
    let needs = (1.0 / most.as_f64() * (1.0 - 1e-12)).ceil();
    if (windows as f64) < needs {
        let message = match most.as_f64() > 0.0 {
            true => format!("{most} of the time needs {needs} windows of 1s to be seen, and there are {windows}"),
            false => "a fault rate of 0% over time cannot be shown in any finite time".to_owned(),
        };
        let help = "let the load go on for longer, or take `basis: outages` with a fault";
        cx.say(Diagnostic::error("too-few-samples", mark, message).help(help));
    }
}

/// Says of a bound on a recovery that the drill ends before it could be missed or met.
fn check_recovery(
    condition: &Condition,
    bound: Mark,
    scenery: &Scenery<'_>,
    faults: &[Made],
    steady: &[SteadyState],
    cx: &mut Cx<'_>,
) {
    let Measure::RecoveryTime { to } = condition.measure else { return };
    let (Bound::AtMost(Quantity::Span(most)) | Bound::Between(_, Quantity::Span(most))) = condition.bound else {
        return;
    };
    let meant = |made: &&Made| match condition.scope {
        Scope::Fault(fault) => made.id == fault,
        // Those of one entry follow one another.
        Scope::Occurrences(first) => faults.iter().any(|one| one.id == first && one.fault.of == made.fault.of),
        _ => false,
    };
    let last =
        faults.iter().filter(meant).filter_map(|made| Some((made.times()?, made))).max_by_key(|((_, to), _)| *to);
    let platform = last.is_some_and(|(_, made)| matches!(made.fault.end, End::Platform { .. }));
    // What is left to the platform may come back until it has held for two holds.
    let (healed, holds) = match last {
        Some(((from, _), _)) if platform => (Some(from), 2),
        Some(((_, to), _)) => (Some(to), 1),
        None => (None, 1),
    };
    // One that was refused has left the list: the names tell where it stood.
    let hold = steady
        .iter()
        .find(|steady| Some(steady.name.as_str()) == scenery.steady.iter().nth(to.index()))
        .map(|steady| Span(steady.hold.as_nanos().saturating_mul(holds)));
    let (Some(healed), Some(hold), Some(end)) = (healed, hold, scenery.end) else { return };
    let needs: At = healed + most + hold;
    if needs > end {
        let message = format!(
            "the drill ends at {end}: healed at {healed}, {most} to recover and {hold} to hold come to {needs}, so a miss might not be seen"
        );
        let help = "let the load go on for longer, or take a tighter bound or a shorter `hold`";
        cx.say(Diagnostic::error("too-short", bound, message).help(help));
    }
}
