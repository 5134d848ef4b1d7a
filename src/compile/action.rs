//! The emergency plan's steps: when each begins, and how it is known to be done.

use super::context::Cx;
use super::instant::PhaseTable;
use super::names::Names;
use super::platform::{check_path, only_endpoint};
use super::schedule::Roll;
use super::text::{Own, Place, Reach};
use crate::base::diagnostic::{Diagnostic, nearest};
use crate::base::units::{At, Span, Text};
use crate::plan::{ActionId, Due, EmergencyAction, EndpointId, WatchId, Work};
use crate::scenario::{self, Confirm, Field, Moment, Named, Reference, Spanned, When};

const OF_PROGRAM: Span = Span::seconds(10);
const OF_PEOPLE: Span = Span::seconds(60);

/// What actions speak of.
pub(super) struct Around<'c> {
    pub(super) names: &'c Names,
    pub(super) roll: &'c Roll,
    pub(super) phases: &'c PhaseTable,
    pub(super) reach: &'c Reach<'c>,
    pub(super) endpoints: &'c Names,
    /// As written; none where the platform was refused.
    pub(super) watches: Option<&'c Field<Named<scenario::Watch>>>,
    pub(super) end: Option<At>,
    /// Nobody is at the terminal.
    pub(super) unattended: bool,
}

pub(super) fn actions(
    field: &Field<Named<scenario::Action>>,
    around: &Around<'_>,
    cx: &mut Cx<'_>,
) -> Vec<EmergencyAction> {
    let map = cx.get(field).map(|map| &map.value);
    cx.broken |= map.is_some_and(|map| !map.complete || map.entries.iter().any(|(_, action)| action.is_none()));
    let mut made = Vec::new();
    let mut lost = false;
    for (name, action) in map.into_iter().flat_map(Named::iter) {
        match one(name, action, around, cx) {
            Some(action) => made.push(action),
            None => lost = true,
        }
    }
    cx.broken |= lost;
    if !lost && map.is_none_or(|map| map.entries.len() == made.len()) {
        check_circles(&made, around, cx);
    }
    made
}

fn one(
    name: &Spanned<String>,
    action: &Spanned<scenario::Action>,
    around: &Around<'_>,
    cx: &mut Cx<'_>,
) -> Option<EmergencyAction> {
    cx.broken |= !action.complete;
    let path = format!("actions.{}", name.value);
    let mut text = |field: &Field<Text>| cx.get(field).map(|text| text.value.clone()).unwrap_or_default();
    let (title, by, say) = (text(&action.title), text(&action.by), text(&action.say));
    let due = due(name, action, &path, around, cx);
    let work = work(name, action, around, cx);
    let usual = if action.run.is_absent() { OF_PEOPLE } else { OF_PROGRAM };
    let within = cx.settle(format!("{path}.within"), &action.within, usual);
    Some(EmergencyAction { name: name.value.clone(), title, by, say, due: due?, work: work?, within })
}

fn due(
    name: &Spanned<String>,
    action: &Spanned<scenario::Action>,
    path: &str,
    around: &Around<'_>,
    cx: &mut Cx<'_>,
) -> Option<Due> {
    let (when, word) = match cx.get(&action.at) {
        Some(at) => (at, "at"),
        None => (cx.need(&action.after)?, "after"),
    };
    let written = cx.sources.slice(when.mark).trim_matches(['"', '\'']).to_owned();
    cx.note(format!("{path}.{word}"), &written, when.mark);
    match &when.from {
        Reference::Other { name: other, moment: Moment::Done } => after_action(name, when, other, around, cx),
        Reference::Other { name: other, moment } => {
            let (fault, moment) = around.roll.moment(other, *moment, cx)?;
            Some(Due::Fault { fault, moment, offset: when.offset })
        }
        Reference::Start | Reference::Phase(_) if word == "after" => {
            let message = "`after` is an instant of a fault, or another action that is done";
            let help = "write `at`, or after: a-fault.detected + 5s";
            cx.say(Diagnostic::error("instant", when.mark, message).help(help));
            None
        }
        Reference::Start | Reference::Phase(_) => {
            let at = around.phases.at(when, "an action", cx)?;
            if let Some(end) = around.end.filter(|end| at >= *end) {
                let message = format!("action `{}` begins at {at}, and the drill ends at {end}", name.value);
                cx.say(Diagnostic::error("outside-drill", when.mark, message));
            }
            Some(Due::At(at))
        }
    }
}

fn after_action(
    name: &Spanned<String>,
    when: &Spanned<When>,
    other: &Spanned<String>,
    around: &Around<'_>,
    cx: &mut Cx<'_>,
) -> Option<Due> {
    let index = around.names.find(other, cx)?;
    if other.value == name.value {
        let message = format!("action `{}` waits for itself", name.value);
        cx.say(Diagnostic::error("circular", when.mark, message));
        return None;
    }
    Some(Due::Action { action: ActionId::at(index), offset: when.offset })
}

/// Each waits for one other at the most, so that whoever comes back to itself is in a circle.
fn check_circles(made: &[EmergencyAction], around: &Around<'_>, cx: &mut Cx<'_>) {
    let next = |index: usize| match made.get(index)?.due {
        Due::Action { action, .. } => Some(action.index()),
        Due::At(_) | Due::Fault { .. } => None,
    };
    let in_circle = |&start: &usize| {
        std::iter::successors(next(start), |&index| next(index)).take(made.len()).any(|index| index == start)
    };
    if let Some(first) = (0..made.len()).find(in_circle) {
        let message = format!("action `{}` waits for itself, by way of others", around.names.name(first));
        if let Some(mark) = around.names.mark(first) {
            cx.say(Diagnostic::error("circular", mark, message));
        }
    }
}

fn work(
    name: &Spanned<String>,
    action: &Spanned<scenario::Action>,
    around: &Around<'_>,
    cx: &mut Cx<'_>,
) -> Option<Work> {
    if let Some(run) = cx.get(&action.run) {
        let words = cx.items(&run.value.0).iter();
        let check = |word: &Spanned<scenario::Template>, cx: &mut Cx<'_>| {
            around.reach.check(word.text(), word.mark, Place::Start, &Own::default(), cx).0
        };
        return Some(Work::Run(words.map(|word| check(word, cx)).collect()));
    }
    let confirm = cx.need(&action.confirm)?;
    let Confirm::Seen(seen) = &confirm.value else {
        if around.unattended {
            let message = format!("action `{}` is confirmed at the terminal, and nobody is there", name.value);
            let help = "run it at a terminal, or let it be seen or told: confirm: { get: /healthz, endpoint: shop }, or \
                        { alert: WATCH }";
            cx.say(Diagnostic::error("unattended", confirm.mark, message).help(help));
        }
        return Some(Work::Terminal);
    };
    cx.broken |= !seen.complete;
    if let Some(alert) = cx.get(&seen.alert) {
        return alerted(alert, around, cx).map(|watch| Work::Alert { watch });
    }
    let get = cx.need(&seen.get)?;
    check_path(&get.value, get.mark, cx);
    let endpoint = match cx.get(&seen.endpoint) {
        Some(endpoint) => around.endpoints.find(endpoint, cx),
        None if seen.endpoint.is_hole() => None,
        None => only_endpoint(around.endpoints, confirm.mark, "this confirmation", cx),
    };
    Some(Work::Get { endpoint: EndpointId::at(endpoint?), get: get.value.clone() })
}

/// The watch of alerts that is meant.
fn alerted(name: &Spanned<String>, around: &Around<'_>, cx: &mut Cx<'_>) -> Option<WatchId> {
    let map = around.watches.and_then(Field::value);
    let entries = map.map(|map| map.entries.as_slice()).unwrap_or_default();
    let index = entries.iter().position(|(known, _)| known.value == name.value);
    let found = index.and_then(|index| entries.get(index));
    let message = match found.map(|(_, watch)| watch.as_ref().map(|watch| shows(watch))) {
        Some(Some(None)) => return index.map(WatchId::at),
        Some(Some(Some(what))) => {
            format!("the watch `{}` shows {what}: it cannot be told what was done, as one of alerts can", name.value)
        }
        None if around.watches.is_some_and(|field| !field.is_hole()) && map.is_none_or(|map| map.complete) => {
            format!("there is no watch `{}`", name.value)
        }
        // It was refused, or may have been.
        Some(None) | None => {
            cx.broken = true;
            return None;
        }
    };
    let hears = |watch: &&Spanned<scenario::Watch>| shows(watch).is_none();
    let of = |(name, watch): &'_ (Spanned<String>, Option<Spanned<scenario::Watch>>)| {
        watch.as_ref().filter(hears).map(|_| name.value.clone())
    };
    let hear: Vec<String> = entries.iter().filter_map(of).collect();
    let help = match nearest(&name.value, hear.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if hear.is_empty() => {
            "write watch: { pager: { alert: { listen: 127.0.0.1:9093 } } } under `platform`".to_owned()
        }
        None => format!("the watches of alerts are: {}", hear.join(" ")),
    };
    cx.say(Diagnostic::error("unknown-name", name.mark, message).help(help));
    None
}

/// What a watch shows; none of one of alerts, which hears.
const fn shows(watch: &scenario::Watch) -> Option<&'static str> {
    match watch {
        scenario::Watch::Process(_) => Some("what processes take (`process`)"),
        scenario::Watch::Probe(_) => Some("what a probe is answered (`get`)"),
        scenario::Watch::Page(_) => Some("the figures of a page (`prometheus`)"),
        scenario::Watch::Host(_) => Some("what this machine does (`host`)"),
        scenario::Watch::Ratio(_) => Some("a part of a figure (`ratio`)"),
        scenario::Watch::Alert(_) => None,
    }
}
