//! Who comes, and how many: loads, their stages, and the phases that stages name.

use super::context::Cx;
use super::instant::PhaseTable;
use super::names::Names;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::{At, Rate, Share, Span};
use crate::plan::{self, JourneyId, Limits, PhaseId, Spacing, StageKind};
use crate::scenario::{self, Field, Spanned};

/// Above any machine; below where instants of a nanosecond run out.
const MOST: f64 = 10_000_000.0;
const MOST_LEVELS: usize = 10_000;
/// No drill is longer.
const LONGEST: Span = Span::seconds(30 * 86_400);

#[derive(Debug)]
pub(super) struct Loads {
    pub(super) list: Vec<plan::Load>,
    /// True when every rate and time is known: only then are instants and counts to be trusted.
    pub(super) whole: bool,
    /// True when every journey of every mix is known: only then are counts of requests to be trusted.
    pub(super) mixes: bool,
    /// Journeys that some load takes.
    pub(super) used: Vec<bool>,
}

pub(super) fn loads(
    scenario: &scenario::Scenario,
    journeys: &Names,
    phases: &mut PhaseTable,
    cx: &mut Cx<'_>,
) -> Loads {
    let mut loads = Loads { list: Vec::new(), whole: true, mixes: true, used: vec![false; journeys.len()] };
    let Some(map) = cx.need(&scenario.load) else {
        loads.whole = false;
        loads.used.fill(true);
        return loads;
    };
    if map.entries.is_empty() && map.complete {
        let message = "there is no load: nobody comes";
        cx.say(Diagnostic::error("empty-map", map.mark, message).help("name one under `load:`"));
    }
    if !map.complete || map.entries.iter().any(|(_, load)| load.is_none()) {
        cx.broken = true;
        loads.whole = false;
        loads.used.fill(true);
    }
    for (name, load) in map.iter() {
        let known = load.mix.value().is_some_and(|mix| {
            mix.complete
                && mix.entries.iter().all(|(name, weight)| {
                    journeys.get(&name.value).is_some() && weight.as_ref().is_some_and(|weight| weight.value > 0.0)
                })
        });
        if !known {
            // What was meant may be any of them.
            loads.mixes = false;
            loads.used.fill(true);
        }
        let made = one(name, load, journeys, loads.list.len(), &mut loads.used, phases, cx);
        match made {
            (load, true) => loads.list.push(load),
            (load, false) => {
                loads.whole = false;
                loads.list.push(load);
            }
        }
    }
    if !loads.whole {
        cx.broken = true;
    }
    loads
}

/// A load, and whether all of its stages are known.
fn one(
    name: &Spanned<String>,
    load: &Spanned<scenario::Load>,
    journeys: &Names,
    index: usize,
    used: &mut [bool],
    phases: &mut PhaseTable,
    cx: &mut Cx<'_>,
) -> (plan::Load, bool) {
    cx.broken |= !load.complete;
    let path = format!("load.{}", name.value);
    let mut mix = Vec::new();
    match cx.need(&load.mix) {
        Some(written) => {
            if !written.complete {
                used.fill(true);
            }
            for (journey, weight) in &written.entries {
                let Some(id) = journeys.find(journey, cx) else { continue };
                if let Some(used) = used.get_mut(id) {
                    *used = true;
                }
                match weight {
                    Some(weight) => mix.push((JourneyId::at(id), weight.value)),
                    None => cx.broken = true,
                }
            }
        }
        None => used.fill(true),
    }
    let spacing = match cx.get(&load.spacing) {
        Some(word) => {
            let spacing = match word.value {
                scenario::Spacing::Even => Spacing::Even,
                scenario::Spacing::Poisson => Spacing::Poisson,
            };
            let shown = if spacing == Spacing::Even { "even" } else { "poisson" };
            cx.note(format!("{path}.spacing"), &shown, word.mark);
            spacing
        }
        None => {
            cx.note_default(format!("{path}.spacing"), &"even");
            Spacing::Even
        }
    };
    let start = cx.settle(format!("{path}.start"), &load.start, Span::ZERO);
    let mut made = plan::Load {
        name: name.value.clone(),
        title: cx.get(&load.title).map(|title| title.value.clone()).unwrap_or_default(),
        mix,
        spacing,
        start: At::START + start,
        stages: Vec::new(),
    };
    let whole = !load.start.is_hole() && stages(&path, load, index, &mut made, phases, cx);
    if whole && made.stages.iter().any(|stage| stage.kind.span() > LONGEST) || made.end() > At::START + LONGEST {
        let message = format!("the load `{}` is longer than 30 days", name.value);
        cx.say(Diagnostic::error("range", name.mark, message));
        return (made, false);
    }
    (made, whole)
}

fn stages(
    path: &str,
    load: &scenario::Load,
    index: usize,
    made: &mut plan::Load,
    phases: &mut PhaseTable,
    cx: &mut Cx<'_>,
) -> bool {
    let Some(list) = cx.need(&load.arrivals) else { return false };
    let mut whole = list.complete;
    let mut level: Option<Rate> = None;
    let mut at = made.start;
    for (number, stage) in cx.items(&list.value).iter().enumerate() {
        cx.broken |= !stage.complete;
        let path = format!("{path}.arrivals[{number}]");
        let (kind, phase) = kind(&path, stage, level, number == 0, cx);
        let Some(kind) = kind else {
            whole = false;
            level = None;
            // The level after a refused stage is unknown: the next one must not be blamed for it.
            if let Some(phase) = phase {
                phases.lost(phase);
            }
            continue;
        };
        whole &= check_kind(&kind, stage, cx);
        let span = kind.span();
        let phase = phase.map(|phase| phases.stage(phase, index, at, at + span, whole, cx));
        level = Some(kind.last_rate());
        at = at + span;
        made.stages.push(plan::Stage { kind, phase: phase.map(PhaseId::at) });
    }
    if whole && plan::arrivals::Schedule::new(made, 0, plan::LoadId(0)).count() == 0 && !made.stages.is_empty() {
        let message = "no arrival is planned: these stages come to less than one";
        cx.say(Diagnostic::error("no-arrivals", list.key, message));
    }
    whole
}

/// A rate that is over what can be planned, or a flight of stairs without end.
fn check_kind(kind: &StageKind, stage: &Spanned<scenario::Stage>, cx: &mut Cx<'_>) -> bool {
    let (from, to) = match *kind {
        StageKind::Ramp { from, to, .. } | StageKind::Stairs { from, to, .. } | StageKind::Spike { from, to, .. } => {
            (from, to)
        }
        StageKind::Hold { rate, .. } => (rate, rate),
    };
    if from.as_per_second().max(to.as_per_second()) > MOST {
        let message = "a load has at most 10000000 arrivals a second";
        cx.say(Diagnostic::error("range", stage.mark, message));
        return false;
    }
    if let StageKind::Stairs { by, .. } = *kind
        && (by == Rate::ZERO
            || (to.as_per_second() - from.as_per_second()).abs() / by.as_per_second() > MOST_LEVELS as f64)
    {
        // `by: 0/s` was said before.
        if by > Rate::ZERO {
            let message = format!("these stairs have more than {MOST_LEVELS} steps");
            cx.say(Diagnostic::error("range", stage.mark, message).help("take a greater `by`, or a ramp"));
        }
        return false;
    }
    true
}

type Kind<'s> = (Option<StageKind>, Option<&'s Spanned<String>>);

/// What a stage is, and the phase that it names; `level` is none at the beginning and after what was refused.
fn kind<'s>(
    path: &str,
    stage: &'s Spanned<scenario::Stage>,
    level: Option<Rate>,
    is_first: bool,
    cx: &mut Cx<'_>,
) -> Kind<'s> {
    let number_of = |word: &str| format!("{path}.{word}");
    if let Some(ramp) = cx.get(&stage.ramp) {
        let phase = cx.get(&ramp.phase);
        let from = rate_or(&number_of("from"), &ramp.from, level.unwrap_or(Rate::ZERO), cx);
        let to = noted(&number_of("to"), &ramp.to, cx);
        let span = noted(&number_of("for"), &ramp.span, cx);
        let kind = (|| Some(StageKind::Ramp { from: from?, to: to?, span: span? }))();
        return (kind, phase);
    }
    if let Some(hold) = cx.get(&stage.hold) {
        let phase = cx.get(&hold.phase);
        let span = noted(&number_of("for"), &hold.span, cx);
        let rate = match (&hold.rate, level) {
            (Field::Absent, None) => {
                // After what was refused the level is unknown, which was said.
                if is_first {
                    let message = "there is no level so far that could be held";
                    cx.say(Diagnostic::error("no-level", stage.mark, message).help("write `rate: 100/s`"));
                }
                None
            }
            (rate, level) => rate_or(&number_of("rate"), rate, level.unwrap_or(Rate::ZERO), cx),
        };
        let kind = (|| Some(StageKind::Hold { rate: rate?, span: span? }))();
        return (kind, phase);
    }
    if let Some(stairs) = cx.get(&stage.stairs) {
        let phase = cx.get(&stairs.phase);
        let from = rate_or(&number_of("from"), &stairs.from, level.unwrap_or(Rate::ZERO), cx);
        let to = noted(&number_of("to"), &stairs.to, cx);
        let by = noted(&number_of("by"), &stairs.by, cx);
        let every = noted(&number_of("every"), &stairs.every, cx);
        let kind = (|| Some(StageKind::Stairs { from: from?, to: to?, by: by?, every: every? }))();
        return (kind, phase);
    }
    if let Some(spike) = cx.get(&stage.spike) {
        let phase = cx.get(&spike.phase);
        let to = noted(&number_of("to"), &spike.to, cx);
        let rise = noted(&number_of("rise"), &spike.rise, cx);
        let hold = noted(&number_of("for"), &spike.span, cx);
        let fall = noted(&number_of("fall"), &spike.fall, cx);
        let from = level.unwrap_or(Rate::ZERO);
        let kind = (|| Some(StageKind::Spike { from, to: to?, rise: rise?, hold: hold?, fall: fall? }))();
        return (kind, phase);
    }
    cx.broken = true;
    (None, None)
}

fn noted<T: Copy + std::fmt::Display>(path: &str, field: &Field<T>, cx: &mut Cx<'_>) -> Option<T> {
    let value = cx.need(field)?;
    cx.note(path, &value.value, value.mark);
    Some(value.value)
}

fn rate_or(path: &str, field: &Field<Rate>, level: Rate, cx: &mut Cx<'_>) -> Option<Rate> {
    match field {
        Field::Hole(_) => {
            cx.broken = true;
            None
        }
        field => Some(cx.settle(path, field, level)),
    }
}

pub(super) fn limits(
    scenario: &scenario::Scenario,
    sheds: Option<Mark>,
    longest_timeout: Span,
    cx: &mut Cx<'_>,
) -> Limits {
    const PATIENCE: Span = Span::seconds(5);
    const DRAIN: Span = Span::seconds(30);
    const LAG: Span = Span::millis(10);
    let down_below = Share(0.5);
    let drain = longest_timeout.min(DRAIN);
    let written = cx.get(&scenario.limits).map(|limits| &limits.value);
    let shed = written.and_then(|limits| cx.get(&limits.shed)).map(|share| share.value);
    if let (None, Some(mark)) = (shed, sheds)
        && !scenario.limits.is_hole()
        && written.is_none_or(|limits| limits.shed.is_absent())
    {
        let message = "intended shedding needs the greatest share that is intended";
        cx.say(Diagnostic::error("shed-limit", mark, message).help("write limits: { shed: 5% } at the top"));
    }
    let (patience, below, drained, lag) = match written {
        Some(limits) => {
            cx.broken |= !limits.complete;
            (&limits.patience, &limits.down_below, &limits.drain, &limits.lag)
        }
        None => (&Field::Absent, &Field::Absent, &Field::Absent, &Field::Absent),
    };
    if let Some(shed) = written.and_then(|limits| limits.shed.get()) {
        cx.note("limits.shed", &shed.value, shed.mark);
    }
    Limits {
        patience: cx.settle("limits.patience", patience, PATIENCE),
        shed,
        down_below: cx.settle("limits.down-below", below, down_below),
        drain: cx.settle("limits.drain", drained, drain),
        lag: cx.settle("limits.lag", lag, LAG),
    }
}
