//! One target.

use super::{Doubt, Judgement, Reason, Verdict};
use crate::analysis::{Analysis, Detail, Figure, Gap, Measured, SearchEnd, needed};
use crate::base::units::Share;
use crate::plan::{Basis, Bound, FaultId, Measure, Target};

/// At most so many of the worst stretch's arrivals may be released late.
pub(super) const LATE: f64 = 0.01;
/// A worker's core must not be busier.
pub(super) const CPU: f64 = 0.9;
/// At most so many of the arrivals may stay unsent by the generator's own fault.
pub(super) const UNSENT: f64 = 0.001;

/// Judges one target by what was measured for it; of a fault that comes several times, by the worst: what failed, else what could not
/// be decided, else the greatest figure.
pub fn judge(analysis: &Analysis, target: &Target, measured: &Measured) -> Judgement {
    let all = measured.occurrences.iter().map(|one| judge_one(analysis, target, one));
    let rank = |judged: &Judgement| match judged.verdict {
        Verdict::Pass => 0,
        Verdict::Inconclusive => 1,
        Verdict::Fail => 2,
    };
    let value = |judged: &Judgement| match judged.figure {
        Some(Figure::Exactly(quantity) | Figure::MoreThan(quantity) | Figure::LessThan(quantity)) => quantity.as_f64(),
        Some(Figure::Failed) => f64::INFINITY,
        None => -1.0,
    };
    // The first of those that are equally bad.
    let worst = all.reduce(|worst, next| {
        let order = rank(&next).cmp(&rank(&worst)).then(value(&next).total_cmp(&value(&worst)));
        if order.is_gt() { next } else { worst }
    });
    worst.unwrap_or_else(|| judge_one(analysis, target, measured))
}

fn judge_one(analysis: &Analysis, target: &Target, measured: &Measured) -> Judgement {
    let (verdict, reason) = verdict_of(analysis, target, measured);
    Judgement {
        target: measured.target,
        occurrence: measured.occurrence,
        verdict,
        reason,
        figure: measured.figure,
        bound: target.condition.bound,
        margin: measured.figure.and_then(|figure| margin(figure, target.condition.bound)),
        window: measured.window,
        samples: measured.samples,
        interval: measured.interval,
        detail: measured.detail.clone(),
        faults: faults_of(analysis, measured),
    }
}

fn verdict_of(analysis: &Analysis, target: &Target, measured: &Measured) -> (Verdict, Reason) {
    let inconclusive = |reason| (Verdict::Inconclusive, reason);
    let bound = target.condition.bound;
    let Some(figure) = measured.figure else {
        return inconclusive(Reason::NoFigure(measured.gap.clone().unwrap_or(Gap::NoData)));
    };
    if let Detail::Search { end, .. } = measured.detail {
        return match (end, figure.meets(bound)) {
            // The last that held is all that is known, whatever the bound.
            (SearchEnd::Generator | SearchEnd::NotRecovered | SearchEnd::Stopped, _) => {
                inconclusive(Reason::SearchOpen { end })
            }
            (_, Some(true)) => (Verdict::Pass, Reason::Met),
            (_, Some(false)) => (Verdict::Fail, Reason::Missed),
            (_, None) => inconclusive(Reason::NotOver),
        };
    }
    if let Some(reason) = too_few_windows(target, measured) {
        return inconclusive(reason);
    }
    let doubts = doubts(bound, measured);
    if !doubts.is_empty() {
        return inconclusive(Reason::Generator { doubts });
    }
    if !measured.lacks.is_empty() {
        return inconclusive(Reason::DataMissing { missing: measured.lacks.clone() });
    }
    match figure.meets(bound) {
        Some(false) if figure == Figure::Failed => (Verdict::Fail, Reason::Failed),
        Some(false) => (Verdict::Fail, Reason::Missed),
        // What is known in part only never passes.
        None => inconclusive(Reason::NotOver),
        Some(true) if matches!(figure, Figure::MoreThan(_)) => inconclusive(Reason::NotOver),
        Some(true) => {
            if measured.with_not_reached.is_some_and(|with| with.meets(bound) != Some(true)) {
                let count = not_reached(analysis, target);
                return inconclusive(Reason::NotReached { count });
            }
            if measured.cut_short {
                return inconclusive(Reason::CutShort);
            }
            (Verdict::Pass, Reason::Met)
        }
    }
}

/// A fault rate over time needs at least 1 / bound windows (0.1 %: 1,000).
fn too_few_windows(target: &Target, measured: &Measured) -> Option<Reason> {
    let Measure::FaultRate { basis: Basis::Time, .. } = target.condition.measure else { return None };
    let bound = match target.condition.bound {
        Bound::AtMost(most) | Bound::Between(_, most) => most.as_f64(),
        _ => return None,
    };
    let need = if bound > 0.0 { needed(1.0 - bound) } else { u64::MAX };
    let have = measured.samples;
    // Windows that were down say enough, however few there are.
    let down = measured.figure.and_then(|figure| figure.meets(target.condition.bound)) == Some(false);
    (have < need && !down).then_some(Reason::NoFigure(Gap::TooFew { have, need }))
}

/// Why the generator is not to be trusted with this figure.
fn doubts(bound: Bound, measured: &Measured) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    if let (Some(figure), Some(unlagged)) = (measured.figure, measured.unlagged)
        && figure.meets(bound) != unlagged.meets(bound)
    {
        doubts.push(Doubt::Lag { unlagged: Some(unlagged) });
    }
    if let Some(late) = measured.late.filter(|late| late.share.as_f64() > LATE) {
        doubts.push(Doubt::Late { share: late.share, window: late.window });
    }
    doubts.extend(measured.cpu.and_then(busy));
    doubts.extend(measured.unsent_by_generator.and_then(unsent));
    doubts
}

pub(super) fn busy(share: Share) -> Option<Doubt> {
    (share.as_f64() >= CPU).then_some(Doubt::Cpu { share })
}

pub(super) fn unsent(share: Share) -> Option<Doubt> {
    (share.as_f64() > UNSENT).then_some(Doubt::Unsent { share })
}

fn not_reached(analysis: &Analysis, target: &Target) -> u64 {
    let table = analysis.tables.iter().find(|table| table.phase == target.condition.phase);
    let row = table.and_then(|table| table.rows.iter().find(|row| row.scope == target.condition.scope));
    row.map_or(0, |row| row.not_reached)
}

fn faults_of(analysis: &Analysis, measured: &Measured) -> Vec<FaultId> {
    match measured.detail {
        Detail::Recovery { outage: Some(index) } => {
            analysis.outages.get(index).map_or_else(Vec::new, |outage| outage.faults.clone())
        }
        _ => Vec::new(),
    }
}

/// How far on the good side of the nearer bound, as a part of that bound.
fn margin(figure: Figure, bound: Bound) -> Option<f64> {
    let value = figure.exactly()?.as_f64();
    let below = |most: f64| (most != 0.0).then(|| (most - value) / most);
    let above = |least: f64| (least != 0.0).then(|| (value - least) / least);
    match bound {
        Bound::AtMost(most) | Bound::Below(most) => below(most.as_f64()),
        Bound::AtLeast(least) | Bound::Above(least) => above(least.as_f64()),
        Bound::Between(least, most) => match (above(least.as_f64()), below(most.as_f64())) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (one, other) => one.or(other),
        },
    }
}
