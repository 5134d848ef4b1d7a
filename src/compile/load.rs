//! Who comes, and how many: loads, their stages, and the phases that stages name.

use super::beside::Joined;
use super::context::Cx;
use super::instant::PhaseTable;
use super::names::Names;
use super::replay::Replayed;
use super::{search, stage, users};
use crate::base::diagnostic::{Diagnostic, SourceId};
use crate::base::units::{At, Rate, Span};
use crate::plan::{self, JourneyId, PhaseId, Spacing, StageKind};
use crate::scenario::{self, Loader, Spanned};

/// Above any machine; below where instants of a nanosecond run out.
pub(super) const MOST: f64 = 10_000_000.0;
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

/// Files beside the scenario, whose own file is `entry`.
pub(super) struct Files<'f, 'l> {
    pub(super) entry: SourceId,
    pub(super) load: &'f mut Loader<'l>,
}

/// `replays` has what the logs came to, for each load of the scenario that was readable.
pub(super) fn loads(
    scenario: &scenario::Scenario,
    replays: Vec<Option<Replayed>>,
    besides: Vec<Joined>,
    journeys: &Names,
    phases: &mut PhaseTable,
    files: &mut Files<'_, '_>,
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
    for (((name, load), replay), beside) in map.iter().zip(replays).zip(besides) {
        let mut made = empty(name, load, cx);
        let whole = match replay {
            Some(replay) => {
                mark_used(&mut loads.used, replay.mix.iter().map(|(journey, _)| journey.index()));
                made.mix = replay.mix;
                made.replay = replay.replay;
                loads.mixes &= made.replay.is_some();
                made.replay.is_some()
            }
            None => {
                loads.mixes &= mix(load, journeys, &mut made, &mut loads.used, cx);
                let path = format!("load.{}", name.value);
                if let Some(written) = cx.get(&load.search) {
                    made.search = search::search(&path, written, cx);
                    !load.start.is_hole() && made.search.is_some()
                } else if !load.users.is_absent() {
                    !load.start.is_hole() && users::users(&path, load, loads.list.len(), &mut made, phases, cx)
                } else {
                    !load.start.is_hole() && stages(&path, load, loads.list.len(), &mut made, phases, files, cx)
                }
            }
        };
        if let Some(users) = &mut made.users {
            (users.first, users.refresh) = (beside.first, beside.refresh);
        }
        mark_used(
            &mut loads.used,
            [beside.first, beside.refresh.map(|refresh| refresh.journey)].into_iter().flatten().map(JourneyId::index),
        );
        loads.whole &= whole && !is_too_long(&made, name, cx);
        loads.list.push(made);
    }
    if !loads.whole {
        cx.broken = true;
    }
    loads
}

fn mark_used(used: &mut [bool], journeys: impl Iterator<Item = usize>) {
    for journey in journeys {
        if let Some(used) = used.get_mut(journey) {
            *used = true;
        }
    }
}

/// A load of nobody yet.
fn empty(name: &Spanned<String>, load: &Spanned<scenario::Load>, cx: &mut Cx<'_>) -> plan::Load {
    cx.broken |= !load.complete;
    let path = format!("load.{}", name.value);
    // The instants of a replay are the log's.
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
            if load.replay.is_absent() && load.users.is_absent() {
                cx.note_default(format!("{path}.spacing"), &"even");
            }
            Spacing::Even
        }
    };
    let start = cx.settle(format!("{path}.start"), &load.start, Span::ZERO);
    plan::Load {
        name: name.value.clone(),
        title: cx.get(&load.title).map(|title| title.value.clone()).unwrap_or_default(),
        mix: Vec::new(),
        spacing,
        start: At::START + start,
        stages: Vec::new(),
        replay: None,
        search: None,
        users: None,
    }
}

/// Says of a load that is too long; true when it is.
fn is_too_long(load: &plan::Load, name: &Spanned<String>, cx: &mut Cx<'_>) -> bool {
    let mut stages = load.stage_times().map(|(from, to)| to.since(from));
    let too_long = stages.any(|span| span > LONGEST) || load.end() > At::START + LONGEST;
    if too_long {
        let message = format!("the load `{}` is longer than 30 days", name.value);
        cx.say(Diagnostic::error("range", name.mark, message));
    }
    too_long
}

/// The journeys of a load and their weights; true when all of them are known.
fn mix(load: &scenario::Load, journeys: &Names, made: &mut plan::Load, used: &mut [bool], cx: &mut Cx<'_>) -> bool {
    let mut known = false;
    if let Some(written) = cx.need(&load.mix) {
        known = written.complete;
        for (journey, weight) in &written.entries {
            let Some(id) = journeys.find(journey, cx) else {
                known = false;
                continue;
            };
            mark_used(used, std::iter::once(id));
            match weight {
                Some(weight) => {
                    known &= weight.value > 0.0;
                    made.mix.push((JourneyId::at(id), weight.value));
                }
                None => {
                    known = false;
                    cx.broken = true;
                }
            }
        }
    }
    if !known {
        // What was meant may be any of them.
        used.fill(true);
    }
    known
}

fn stages(
    path: &str,
    load: &scenario::Load,
    index: usize,
    made: &mut plan::Load,
    phases: &mut PhaseTable,
    files: &mut Files<'_, '_>,
    cx: &mut Cx<'_>,
) -> bool {
    let Some(list) = cx.need(&load.arrivals) else { return false };
    let mut whole = list.complete;
    let mut level: Option<Rate> = None;
    let mut at = made.start;
    for (number, stage) in cx.items(&list.value).iter().enumerate() {
        cx.broken |= !stage.complete;
        let path = format!("{path}.arrivals[{number}]");
        let (kind, phase) = stage::kind(&path, stage, level, number == 0, files, cx);
        let Some(kind) = kind else {
            whole = false;
            level = None;
            // The level after a refused stage is unknown: the next one must not be blamed for it.
            if let Some(phase) = phase {
                phases.lost(phase);
            }
            continue;
        };
        whole &= stage::check(&kind, stage, cx);
        let span = kind.span();
        let phase = phase.map(|phase| phases.stage(phase, index, at, at + span, whole, cx));
        level = Some(kind.last_rate());
        at = at + span;
        if let (StageKind::Burst { spread: Span::ZERO, .. }, true) = (&kind, number + 1 == list.items.len()) {
            let message = "a burst at one instant cannot be the last stage: the load would end with it";
            let help = "add a stage after it, such as hold: { rate: 0/s, for: 10s }";
            cx.say(Diagnostic::error("too-short", stage.mark, message).help(help));
        }
        made.stages.push(plan::Stage { kind, phase: phase.map(PhaseId::at) });
    }
    if whole && plan::arrivals::Schedule::new(made, 0, plan::LoadId(0)).count() == 0 && !made.stages.is_empty() {
        let message = "no arrival is planned: these stages come to less than one";
        cx.say(Diagnostic::error("no-arrivals", list.key, message));
    }
    whole
}
