//! The users of a closed load, stage by stage.

use super::context::Cx;
use super::instant::PhaseTable;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::Span;
use crate::plan::{self, PhaseId, UserStage, UserStageKind, Users};
use crate::scenario::{self, Field, Spanned};

/// More than this are a crowd that does not wait for its answers: the open model says what it does to the platform.
const MANY: u32 = 1_000;
/// So many journeys a second are the work of an open load.
const FAST: f64 = 10_000.0;
/// Each is a task with a connection of its own.
const MOST: u64 = 10_000;

/// The users of a load; true when all of them are known.
pub(super) fn users(
    path: &str,
    load: &scenario::Load,
    index: usize,
    made: &mut plan::Load,
    phases: &mut PhaseTable,
    cx: &mut Cx<'_>,
) -> bool {
    let Some(list) = cx.need(&load.users) else { return false };
    let mut whole = list.complete;
    let (mut stages, mut level) = (Vec::new(), None);
    let mut at = made.start;
    for (number, stage) in cx.items(&list.value).iter().enumerate() {
        cx.broken |= !stage.complete;
        let (kind, phase) = kind(&format!("{path}.users[{number}]"), stage, level, number == 0, cx);
        let Some(kind) = kind else {
            whole = false;
            level = None;
            // The level after a refused stage is unknown: the next one must not be blamed for it.
            if let Some(phase) = phase {
                phases.lost(phase);
            }
            continue;
        };
        let span = kind.span();
        let phase = phase.map(|phase| phases.stage(phase, index, at, at + span, whole, cx));
        level = Some(kind.last());
        at = at + span;
        stages.push(UserStage { kind, phase: phase.map(PhaseId::at) });
    }
    let pace = cx.get(&load.pace).map(|pace| {
        cx.note(format!("{path}.pace"), &pace.value, pace.mark);
        pace.value
    });
    whole &= !load.pace.is_hole();
    let users = Users { stages, pace, first: None, refresh: None };
    whole &= !whole || fits(&users, list, cx);
    made.users = Some(users);
    whole
}

/// Says of users that they are none, too many, or so many that an open load does better.
fn fits(users: &Users, list: &Spanned<scenario::List<scenario::UserStage>>, cx: &mut Cx<'_>) -> bool {
    let (count, peak) = (users.count(), users.peak());
    if count == 0 && !users.stages.is_empty() {
        let message = "there is never a user: all stages are at 0";
        cx.say(Diagnostic::error("no-arrivals", list.key, message));
        return false;
    }
    let open = "write how many visits begin per second instead, with `arrivals`: an open load has no such limit, and charges \
                the platform for every stall";
    if count > MOST {
        let message = format!("{count} users come in all, and a closed load has at most {MOST}");
        cx.say(Diagnostic::error("range", list.key, message).help(open));
        return false;
    }
    if peak > MANY {
        let message = format!("{peak} users at once: over about {MANY}, the users themselves slow the load down");
        cx.say(Diagnostic::warning("many-users", list.key, message).help(open));
    } else if let Some(pace) = users.pace.filter(|pace| *pace > Span::ZERO)
        && let rate = f64::from(peak) / pace.as_seconds_f64()
        && rate > FAST
    {
        let message = format!("{peak} users with a pace of {pace} may begin {rate:.0} journeys a second");
        cx.say(Diagnostic::warning("many-users", list.key, message).help(open));
    }
    true
}

type Kind<'s> = (Option<UserStageKind>, Option<&'s Spanned<String>>);

/// What a stage is, and the phase that it names; `level` is none at the beginning and after what was refused.
fn kind<'s>(
    path: &str,
    stage: &'s Spanned<scenario::UserStage>,
    level: Option<u32>,
    is_first: bool,
    cx: &mut Cx<'_>,
) -> Kind<'s> {
    let path = |word: &str| format!("{path}.{word}");
    let so_far = level.unwrap_or(0);
    if let Some(ramp) = cx.get(&stage.ramp) {
        let phase = cx.get(&ramp.phase);
        let from = level_or(&path("from"), &ramp.from, so_far, cx);
        let to = level_of(&path("to"), &ramp.to, cx);
        let span = span(&path("for"), &ramp.span, cx);
        return ((|| Some(UserStageKind::Ramp { from: from?, to: to?, span: span? }))(), phase);
    }
    if let Some(hold) = cx.get(&stage.hold) {
        let phase = cx.get(&hold.phase);
        let span = span(&path("for"), &hold.span, cx);
        if hold.users.is_absent() && level.is_none() {
            // After what was refused the level is unknown, which was said.
            if is_first {
                let message = "there is no level so far that could be held";
                cx.say(Diagnostic::error("no-level", stage.mark, message).help("write `users: 20`"));
            }
            cx.broken = true;
            return (None, phase);
        }
        let users = level_or(&path("users"), &hold.users, so_far, cx);
        return ((|| Some(UserStageKind::Hold { users: users?, span: span? }))(), phase);
    }
    if let Some(stairs) = cx.get(&stage.stairs) {
        let phase = cx.get(&stairs.phase);
        let from = level_or(&path("from"), &stairs.from, so_far, cx);
        let to = level_of(&path("to"), &stairs.to, cx);
        // `by: 0` was said before.
        let by = level_of(&path("by"), &stairs.by, cx).filter(|by| *by > 0);
        cx.broken |= by.is_none();
        let every = span(&path("every"), &stairs.every, cx);
        return ((|| Some(UserStageKind::Stairs { from: from?, to: to?, by: by?, every: every? }))(), phase);
    }
    if let Some(spike) = cx.get(&stage.spike) {
        let phase = cx.get(&spike.phase);
        let to = level_of(&path("to"), &spike.to, cx);
        let [rise, hold, fall] = [("rise", &spike.rise), ("for", &spike.span), ("fall", &spike.fall)]
            .map(|(word, field)| span(&path(word), field, cx));
        let kind = || Some(UserStageKind::Spike { from: so_far, to: to?, rise: rise?, hold: hold?, fall: fall? });
        return (kind(), phase);
    }
    cx.broken = true;
    (None, None)
}

fn span(path: &str, field: &Field<Span>, cx: &mut Cx<'_>) -> Option<Span> {
    let value = cx.need(field)?;
    cx.note(path, &value.value, value.mark);
    Some(value.value)
}

/// A number of users that must be there.
fn level_of(path: &str, field: &Field<u64>, cx: &mut Cx<'_>) -> Option<u32> {
    let value = cx.need(field)?;
    cx.note(path, &value.value, value.mark);
    small(value, cx)
}

/// One that may be left out.
fn level_or(path: &str, field: &Field<u64>, default: u32, cx: &mut Cx<'_>) -> Option<u32> {
    match field {
        Field::Absent => {
            cx.note_default(path, &default);
            Some(default)
        }
        _ => level_of(path, field, cx),
    }
}

fn small(value: &Spanned<u64>, cx: &mut Cx<'_>) -> Option<u32> {
    let small = u32::try_from(value.value).ok().filter(|value| u64::from(*value) <= MOST);
    if small.is_none() {
        let message = format!("a closed load has at most {MOST} users");
        let help = "take an open load (`arrivals`) for so many";
        cx.say(Diagnostic::error("range", value.mark, message).help(help));
    }
    small
}

/// Says of users who wait for others where there are none, or never enough.
pub(super) fn check_meetings(loads: &[plan::Load], meets: &[Vec<(Mark, u64)>], cx: &mut Cx<'_>) {
    for load in loads {
        let of = |journey: plan::JourneyId| meets.get(journey.index()).into_iter().flatten();
        for &(mark, count) in load.journeys().flat_map(of) {
            match &load.users {
                None => {
                    let message =
                        format!("`rendezvous` is for users, and the load `{}` is open: nobody waits there", load.name);
                    let help = "so many at once are a stage of `arrivals`: burst: { count, spread: 0s }";
                    cx.say(Diagnostic::error("does-not-go", mark, message).help(help));
                }
                Some(users) if u64::from(users.peak()) < count => {
                    let message = format!(
                        "{count} users are waited for, and `{}` never has more than {}",
                        load.name,
                        users.peak()
                    );
                    cx.say(Diagnostic::error("range", mark, message).help("take a smaller `count`, or more users"));
                }
                Some(_) => {}
            }
        }
    }
}
