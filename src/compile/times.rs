//! When each fault comes at the earliest, which never can, and which cannot be beside another.

use super::context::Cx;
use super::schedule::Made;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::{At, Span};
use crate::plan::{ActionId, Due, EmergencyAction, End, FaultId, FaultKind, Instant, Moment};

/// Settles when each fault comes at the earliest, and says which never can. One that lies outside of the drill has no times:
/// what follows from it is not said as well. `actions` are all of the plan, or none where some were refused.
pub(super) fn settle(made: &mut [Made], actions: &[EmergencyAction], end: Option<At>, cx: &mut Cx<'_>) {
    let mut outside = vec![false; made.len()];
    for _ in 0..=made.len() {
        for (index, outside) in outside.iter_mut().enumerate() {
            if *outside {
                continue;
            }
            let Some(fault) = made.get(index) else { continue };
            let from = fault.from.or_else(|| known(&fault.fault.at, made).filter(|_| !fault.floats));
            let to = fault.to.or_else(|| match &fault.fault.end {
                End::For(lasts) => from.map(|from| from + *lasts),
                End::Until(instant) => known(instant, made),
                End::Platform { .. } => end,
            });
            let hangs = |instant: &Instant| match instant {
                Instant::After { fault, moment, .. } => made.iter().any(|made| {
                    made.id == *fault && (made.floats || (made.ends_floating && *moment >= Moment::Healed))
                }),
                Instant::Action { .. } => true,
                Instant::At(_) | Instant::When(_) => false,
            };
            let floats = fault.floats || hangs(&fault.fault.at);
            let ends_floating = floats || matches!(&fault.fault.end, End::Until(instant) if hangs(instant));
            let wrong = end.zip(from).and_then(|(end, from)| outside_drill(fault, from, to, end));
            if let Some(wrong) = wrong {
                let first = fault.fault.of.is_none() || !cx.found.iter().any(|said| said.mark == fault.at);
                if first {
                    cx.say(wrong);
                }
                cx.broken = true;
                *outside = true;
            } else if let Some(fault) = made.get_mut(index) {
                (fault.from, fault.to) = (from, to);
                (fault.floats, fault.ends_floating) = (floats, ends_floating);
            }
        }
    }
    // One circle is one mistake, said of the first in it.
    let mut said = false;
    for fault in made.iter().filter(|fault| fault.times().is_none()) {
        cx.broken |= !fault.ends_floating;
        if said {
            continue;
        }
        let begins = is_circular(fault, false, made, actions);
        said = begins || is_circular(fault, true, made, actions);
        if said {
            let name = &fault.fault.name;
            let message = match (&fault.fault.at, &fault.fault.end) {
                (Instant::Action { action, .. }, _) if begins => waits_for_action(name, *action, actions),
                (_, End::Until(Instant::Action { action, .. })) if !begins => waits_for_action(name, *action, actions),
                _ => format!("fault `{name}` waits for one that waits for it"),
            };
            let mark = fault.until.filter(|_| !begins).unwrap_or(fault.at);
            cx.say(Diagnostic::error("circular", mark, message));
        }
    }
    if !said {
        settle_least(made, actions, end, cx);
    }
    for (index, one) in made.iter().enumerate() {
        for other in made.iter().take(index) {
            check_pair(other, one, actions, cx);
        }
    }
}

/// The earliest that an instant can come, as far as it is known by now.
fn known(instant: &Instant, made: &[Made]) -> Option<At> {
    match instant {
        Instant::At(at) => Some(*at),
        Instant::After { fault, moment, offset } => {
            let other = made.iter().find(|made| made.id == *fault)?;
            other.known(*moment).map(|at| at + *offset)
        }
        Instant::Action { .. } | Instant::When(_) => None,
    }
}

fn waits_for_action(fault: &str, action: ActionId, actions: &[EmergencyAction]) -> String {
    let action = actions.get(action.index()).map_or("", |action| action.name.as_str());
    format!("fault `{fault}` waits for the action `{action}`, which waits for that fault, itself or by way of others")
}

/// When a fault comes and ends at the earliest, as far as that is known.
type Least = (Option<At>, Option<At>);

/// Of those that hang on actions: what comes at the end of the drill even if each action were done at once. There are no circles.
fn settle_least(made: &mut [Made], actions: &[EmergencyAction], end: Option<At>, cx: &mut Cx<'_>) {
    let mut found: Vec<Least> = vec![(None, None); made.len()];
    let mut late = vec![false; made.len()];
    let (mut goes_on, mut said) = (true, None);
    while std::mem::take(&mut goes_on) {
        for (index, fault) in made.iter().enumerate().filter(|(_, fault)| fault.ends_floating || fault.from.is_some()) {
            let times = least(fault, made, &found, actions, end);
            let (Some(place), Some(late)) = (found.get_mut(index), late.get_mut(index)) else { continue };
            if *late || *place == times {
                continue;
            }
            (*place, goes_on) = (times, true);
            let Some(wrong) = end.filter(|_| fault.ends_floating).and_then(|end| too_late(fault, times, end)) else {
                continue;
            };
            // What follows from it is not said as well, and those of one entry are one mistake.
            (*place, *late, cx.broken) = ((None, None), true, true);
            if said.replace(fault.at) != Some(fault.at) {
                cx.say(wrong);
            }
        }
    }
    for (fault, (from, _)) in made.iter_mut().zip(found) {
        fault.least = from;
    }
}

fn too_late(fault: &Made, (from, to): Least, end: At) -> Option<Diagnostic> {
    let name = &fault.fault.name;
    let message = match (from?, to) {
        (from, _) if from >= end => {
            format!("fault `{name}` comes at {from} at the earliest, and the drill ends at {end}")
        }
        (_, Some(to)) if to >= end && !matches!(fault.fault.end, End::Platform { .. }) => format!(
            "fault `{name}` lasts until {to} at the earliest, and the drill ends at {end}: its healing would not be seen"
        ),
        _ => return None,
    };
    let help = "let the load go on for longer, or let what it waits for come earlier";
    Some(Diagnostic::error("outside-drill", fault.at, message).help(help))
}

/// By what was `found` of others.
fn least(fault: &Made, made: &[Made], found: &[Least], actions: &[EmergencyAction], end: Option<At>) -> Least {
    let of = |fault: FaultId, moment: Moment| {
        let (from, to) = *found.get(made.iter().position(|made| made.id == fault)?)?;
        if moment < Moment::Healed { from } else { to }
    };
    let done = |action: ActionId| {
        let (mut next, mut later) = (action, Span::ZERO);
        for _ in actions {
            match actions.get(next.index())?.due {
                // An action that comes too late is said of that.
                Due::At(at) => return end.is_none_or(|end| at < end).then(|| at + later),
                Due::Fault { fault, moment, offset } => return Some(of(fault, moment)? + offset + later),
                Due::Action { action, offset } => (next, later) = (action, later + offset),
            }
        }
        None
    };
    let at = |instant: &Instant| match instant {
        // One that waits for a condition has no instant yet.
        Instant::At(At::MAX) | Instant::When(_) => None,
        Instant::At(at) => Some(*at),
        Instant::After { fault, moment, offset } => Some(of(*fault, *moment)? + *offset),
        Instant::Action { action, offset } => Some(done(*action)? + *offset),
    };
    let from = at(&fault.fault.at);
    let to = match &fault.fault.end {
        End::For(lasts) => from.map(|from| from + *lasts),
        End::Until(instant) => from.zip(at(instant)).map(|(from, to)| from.max(to)),
        End::Platform { .. } => from,
    };
    (from, to)
}

fn outside_drill(fault: &Made, from: At, to: Option<At>, end: At) -> Option<Diagnostic> {
    let name = &fault.fault.name;
    if from >= end {
        let message = format!("fault `{name}` comes at {from}, and the drill ends at {end}");
        return Some(Diagnostic::error("outside-drill", fault.at, message));
    }
    let to = to.filter(|_| !matches!(fault.fault.end, End::Platform { .. }))?;
    if to <= from && matches!(fault.fault.end, End::Until(Instant::At(_))) {
        let message = format!("fault `{name}` comes at {from}, and lasts until {to}, which is before");
        return Some(Diagnostic::error("range", fault.at, message));
    }
    let message =
        format!("fault `{name}` lasts until {to}, and the drill ends at {end}: its healing would not be seen");
    let help = format!("it comes at {from}; let the load go on for longer, or shorten `for`");
    (to >= end).then(|| Diagnostic::error("outside-drill", fault.at, message).help(help))
}

/// Whether what a fault waits for, to begin or to end, waits for that.
fn is_circular(fault: &Made, ends: bool, made: &[Made], actions: &[EmergencyAction]) -> bool {
    let needs = |(id, ends): (FaultId, bool)| -> Vec<(FaultId, bool)> {
        let Some(made) = made.iter().find(|made| made.id == id) else { return Vec::new() };
        let of = |instant: &Instant| match instant {
            Instant::After { fault, moment, .. } => Some((*fault, *moment >= Moment::Healed)),
            Instant::Action { action, .. } => {
                EmergencyAction::behind(*action, actions).map(|(fault, moment)| (fault, moment >= Moment::Healed))
            }
            Instant::At(_) | Instant::When(_) => None,
        };
        match (&made.fault.end, ends) {
            (_, false) => of(&made.fault.at).into_iter().collect(),
            (End::Until(instant), true) => of(instant).into_iter().chain([(id, false)]).collect(),
            (_, true) => vec![(id, false)],
        }
    };
    let start = (fault.id, ends);
    let (mut seen, mut next) = (Vec::new(), needs(start));
    while let Some(one) = next.pop() {
        if one == start {
            return true;
        }
        if !seen.contains(&one) {
            seen.push(one);
            next.extend(needs(one));
        }
    }
    false
}

/// What ends or stops a process excludes all else of that kind on it at one time; what lets nothing pass excludes all else on a
/// link; whatever is done to a container, all else on it.
fn check_pair(first: &Made, second: &Made, actions: &[EmergencyAction], cx: &mut Cx<'_>) {
    if first.fault.of.is_some() && first.fault.of == second.fault.of {
        // Those of one entry were looked at there.
        return;
    }
    for (this, other) in [(first, second), (second, first)] {
        let (End::Until(instant), Some(mark)) = (&this.fault.end, this.until) else { continue };
        let (waits_for, action) = match instant {
            Instant::After { fault, moment, .. } if this.times().is_some() && other.times().is_some() => {
                (Some((*fault, *moment)), None)
            }
            Instant::Action { action, .. } => (EmergencyAction::behind(*action, actions), actions.get(action.index())),
            _ => continue,
        };
        if waits_for.is_some_and(|(fault, moment)| fault == other.id && moment < Moment::Healed)
            && this.fault.kind.excludes(&other.fault.kind)
        {
            let way = action.map_or_else(String::new, |action| format!(", by way of the action `{}`,", action.name));
            let message = format!(
                "`{}` lasts{way} until `{}` has come, which cannot come as long as it lasts",
                this.fault.name, other.fault.name
            );
            cx.say(Diagnostic::error("circular", mark, message).help("write `for`, or an instant before that"));
            return;
        }
    }
    let (Some(one), Some(two)) = (first.times(), second.times()) else { return };
    let overlap = one.0 < two.1 && two.0 < one.1;
    let said = cx.found.iter().any(|said| said.code == "excluded" && said.mark == second.target);
    if overlap && !said && first.fault.kind.excludes(&second.fault.kind) {
        let what = match first.fault.kind {
            FaultKind::Link { .. } => "on one link",
            FaultKind::Between { .. } => "between the same processes",
            FaultKind::Container { .. } => "on one container",
            _ => "on one process",
        };
        let message = format!(
            "`{}` ({}) and `{}` ({}) exclude each other {what}, and overlap from {} to {}",
            second.fault.name,
            second.fault.kind.verb(),
            first.fault.name,
            first.fault.kind.verb(),
            one.0.max(two.0),
            one.1.min(two.1),
        );
        let help = format!("let it come later: at: {}.healed + {}", first.fault.name, Span::seconds(5));
        cx.say(Diagnostic::error("excluded", second.target, message).related(first.target, "the other one").help(help));
    }
}

/// Before the first fault the steady states must have had the time to hold; false, and said, when they have not.
pub(super) fn check_first(made: &[Made], start: Option<At>, hold: Option<(Span, Mark)>, cx: &mut Cx<'_>) -> bool {
    let (Some(start), Some((hold, mark))) = (start, hold) else { return true };
    let first = made.iter().filter_map(|fault| fault.from.map(|from| (from, fault))).min_by_key(|(from, _)| *from);
    if let Some((from, fault)) = first
        && from < start + hold
    {
        let message = format!(
            "fault `{}` comes at {from}: the steady state, which must hold for {hold} before it, has had {} of load only",
            fault.fault.name,
            from - start
        );
        cx.say(Diagnostic::error("too-early", fault.at, message).related(mark, "it must hold that long"));
        return false;
    }
    true
}
