//! The whole run.

use super::judge::{busy, judge, unsent};
use super::{Cause, Doubt, Exit, Judgement, Outcome, Verdict};
use crate::analysis::Analysis;
use crate::plan::{FaultId, Plan, Rehearsal, Scope, SteadyId};
use crate::record::{EndReason, Event};

/// A drill of which the generator did not send more than this is another drill than the one planned.
const UNSENT_OF_RUN: f64 = 0.01;

/// Judges every target and the run. The run fails if a target failed, else is inconclusive if one was or something else
/// stands against a pass, else passes; what could not be undone fails it whatever its targets say.
pub fn outcome(plan: &Plan, analysis: &Analysis) -> Outcome {
    let pairs = plan.targets.iter().zip(&analysis.targets);
    let targets: Vec<Judgement> = pairs.map(|(target, measured)| judge(analysis, target, measured)).collect();
    let causes = causes(plan, analysis);
    let any = |verdict| targets.iter().any(|judged| judged.verdict == verdict);
    let verdict = if !analysis.residue.is_empty() {
        Verdict::Fail
    } else if causes.iter().any(voids) {
        Verdict::Inconclusive
    } else if any(Verdict::Fail) {
        Verdict::Fail
    } else if any(Verdict::Inconclusive) || targets.len() < plan.targets.len() || !causes.is_empty() {
        Verdict::Inconclusive
    } else {
        Verdict::Pass
    };
    let exit = match verdict {
        _ if !analysis.residue.is_empty() => Exit::Residue,
        _ if causes.iter().any(stops) => Exit::Aborted,
        Verdict::Pass => Exit::Passed,
        Verdict::Fail => Exit::Failed,
        Verdict::Inconclusive => Exit::Inconclusive,
    };
    Outcome { verdict, exit, causes, targets }
}

/// Causes after which not even a failed target counts: the drill was not the one that was planned.
const fn voids(cause: &Cause) -> bool {
    matches!(
        cause,
        Cause::NoTraffic
            | Cause::NotSteady { .. }
            | Cause::PartAlone { .. }
            | Cause::PartLacking { .. }
            | Cause::Ended {
                reason: EndReason::NotSteady
                    | EndReason::NotPrepared
                    | EndReason::RecordLost
                    | EndReason::HarnessFailed
                    | EndReason::Late { .. }
            }
    )
}

/// Stopped by an abort condition or a signal.
const fn stops(cause: &Cause) -> bool {
    matches!(cause, Cause::Aborted { .. } | Cause::Interrupted | Cause::Ended { reason: EndReason::Aborted })
}

fn causes(plan: &Plan, analysis: &Analysis) -> Vec<Cause> {
    let mut causes = Vec::new();
    match analysis.ended {
        Some(EndReason::Finished) => {}
        Some(EndReason::Aborted) => causes.extend(aborted(analysis)),
        Some(EndReason::Interrupted) => causes.push(Cause::Interrupted),
        Some(EndReason::NotSteady) => causes.extend(not_steady(analysis)),
        Some(reason) => causes.push(Cause::Ended { reason }),
        None => causes.push(Cause::BrokenOff),
    }
    causes.extend(analysis.events.iter().filter_map(|entry| part(&entry.event)));
    causes.extend(generator(analysis));
    if !has_traffic(analysis) && plan.rehearsal != Some(Rehearsal::NoLoad) {
        causes.push(Cause::NoTraffic);
    }
    // Of several parts the first one alone injects faults.
    let idle = analysis.events.iter().any(|entry| matches!(&entry.event, Event::Part(one) if one.part > 1));
    let faults = if idle { 0 } else { plan.faults.len() };
    for (index, fault) in analysis.faults.iter().enumerate().take(faults) {
        if plan.faults.get(index).is_some_and(|fault| fault.spared) {
            continue;
        }
        let fault_id = FaultId::at(index);
        match (fault.ordered, fault.effective) {
            (None, _) => causes.push(Cause::FaultNotOrdered { fault: fault_id }),
            (Some(_), None) => causes.push(Cause::FaultNotEffective {
                fault: fault_id,
                because: fault.not_effective.clone().unwrap_or_default(),
            }),
            (Some(_), Some(_)) if fault.healed.is_none() => causes
                .push(Cause::FaultNotHealed { fault: fault_id, because: fault.not_healed.clone().unwrap_or_default() }),
            (Some(_), Some(_)) => {}
        }
    }
    if !analysis.residue.is_empty() {
        causes.push(Cause::Residue);
    }
    causes
}

/// What a part says of itself, and a whole of its parts.
fn part(event: &Event) -> Option<Cause> {
    match event {
        Event::Part(one) if one.of > 1 => Some(Cause::PartAlone { part: one.part, of: one.of }),
        Event::Lacking { part, of, what } => Some(Cause::PartLacking { part: *part, of: *of, what: what.clone() }),
        _ => None,
    }
}

fn aborted(analysis: &Analysis) -> Vec<Cause> {
    let named = analysis.events.iter().find_map(|entry| match entry.event {
        Event::Aborting { abort } => Some(Cause::Aborted { abort }),
        _ => None,
    });
    vec![named.unwrap_or(Cause::Ended { reason: EndReason::Aborted })]
}

fn not_steady(analysis: &Analysis) -> Vec<Cause> {
    let missed = analysis.events.iter().filter_map(|entry| match entry.event {
        Event::SteadyMissed { steady } => Some(steady),
        _ => None,
    });
    let causes: Vec<Cause> = missed.map(|steady: SteadyId| Cause::NotSteady { steady }).collect();
    if causes.is_empty() { vec![Cause::Ended { reason: EndReason::NotSteady }] } else { causes }
}

/// The generator could not send what was planned: said whenever it is so, for it is the first thing to know of a run.
fn generator(analysis: &Analysis) -> Option<Cause> {
    let share = analysis.generator.unsent_by_generator?;
    if share.as_f64() <= UNSENT_OF_RUN {
        return None;
    }
    let doubts: Vec<Doubt> = unsent(share).into_iter().chain(analysis.generator.cpu.and_then(busy)).collect();
    Some(Cause::GeneratorSaturated { doubts })
}

fn has_traffic(analysis: &Analysis) -> bool {
    let whole = analysis.tables.first().and_then(|table| table.rows.iter().find(|row| row.scope == Scope::All));
    whole.is_some_and(|row| row.ok + row.bad() + row.shed > 0)
}
