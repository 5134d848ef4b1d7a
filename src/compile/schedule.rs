//! When faults come, how often, and how each ends.
//!
//! A fault that comes several times, and a storm, become as many faults of the plan: which are drawn is settled here.

use super::condition::{Role, Scenery};
use super::context::Cx;
use super::fault::{self, Draw, Scene};
use super::names::Names;
use super::storm;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::{At, Span};
use crate::plan::{self, ActionId, End, FaultId, FaultKind, Instant, Moment, Scope, Undo};
use crate::scenario::{self, Field, Named, Reference, Spanned, UndoAtEnd, UndoWord, When};

/// The names that faults are called by, and which of the plan each means.
pub(super) struct Roll {
    names: Names,
    ids: Vec<Vec<FaultId>>,
    /// The first of the names are those that are written.
    written: usize,
}

impl Roll {
    pub(super) fn new(field: &Field<Named<scenario::Fault>>, cx: &mut Cx<'_>) -> Roll {
        let names = Names::of("fault", field);
        let mut roll = Roll { written: names.len(), ids: Vec::new(), names };
        let mut next = 0;
        for (_, fault) in field.value().into_iter().flat_map(|map| &map.entries) {
            let count = fault.as_ref().map_or(1, |fault| count(fault));
            roll.ids.push((next..next + count).map(FaultId::at).collect());
            next += count;
        }
        for index in 0..roll.written {
            let ids = roll.ids.get(index).cloned().unwrap_or_default();
            let Some(mark) = roll.names.mark(index).filter(|_| ids.len() > 1) else { continue };
            for (nth, id) in ids.into_iter().enumerate() {
                let name = occurrence(roll.names.name(index), nth);
                match roll.names.add(&name, mark) {
                    Ok(_) => roll.ids.push(vec![id]),
                    Err(first) => {
                        let message = format!("`{name}` is what one of `{}` is called", roll.names.name(index));
                        cx.say(
                            Diagnostic::error("given-twice", first, message).related(mark, "it comes several times"),
                        );
                    }
                }
            }
        }
        roll
    }

    /// How many are written.
    pub(super) fn len(&self) -> usize {
        self.written
    }

    pub(super) fn is_whole(&self) -> bool {
        self.names.is_whole()
    }

    /// The names that are written.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().take(self.written)
    }

    /// What `name` means to a target.
    pub(super) fn scope(&self, name: &Spanned<String>, cx: &mut Cx<'_>) -> Option<Scope> {
        self.names.find(name, cx).and_then(|index| self.scope_at(index))
    }

    /// The same of the one that stands at `index`.
    pub(super) fn scope_at(&self, index: usize) -> Option<Scope> {
        match self.ids.get(index)?.as_slice() {
            [] => None,
            [one] => Some(Scope::Fault(*one)),
            [first, ..] => Some(Scope::Occurrences(*first)),
        }
    }

    /// An instant of the fault `name`. Of several: the beginning of the first, the end of the last.
    pub(super) fn moment(
        &self,
        name: &Spanned<String>,
        moment: scenario::Moment,
        cx: &mut Cx<'_>,
    ) -> Option<(FaultId, Moment)> {
        let ids = self.names.find(name, cx).and_then(|index| self.ids.get(index))?;
        let moment = moment_of(moment)?;
        let fault = match moment {
            Moment::Ordered | Moment::Effective | Moment::Detected => ids.first(),
            Moment::Healed | Moment::Recovered => ids.last(),
        };
        Some((*fault?, moment))
    }

    fn ids(&self, name: &str) -> &[FaultId] {
        self.names.get(name).and_then(|index| self.ids.get(index)).map_or(&[], Vec::as_slice)
    }
}

/// The name of the nth of several.
fn occurrence(name: &str, nth: usize) -> String {
    format!("{name}_{}", nth + 1)
}

/// How many faults one entry comes to.
fn count(fault: &scenario::Fault) -> usize {
    let times = fault.times.value().copied().unwrap_or(1);
    let count = fault.storm.value().map_or(times, |storm| {
        let budget = storm.budget.value().copied().unwrap_or(1);
        let (lasts, every) = (fault.lasts.value(), storm.every.value().filter(|every| **every > Span::ZERO));
        let stretches = lasts.zip(every).map_or(1, |(lasts, every)| lasts.as_nanos().div_ceil(every.as_nanos()));
        budget.min(stretches)
    });
    // More than that is refused.
    usize::try_from(count.clamp(1, 1_000)).unwrap_or(1)
}

/// A fault, and when it is planned at the earliest.
#[derive(Debug)]
pub(super) struct Made {
    /// Its number in the plan.
    pub(super) id: FaultId,
    pub(super) fault: plan::Fault,
    pub(super) at: Mark,
    /// Where `until` stands.
    pub(super) until: Option<Mark>,
    pub(super) target: Mark,
    pub(super) from: Option<At>,
    pub(super) to: Option<At>,
    /// It hangs on a condition or an action: when it comes, or ends, is not known beforehand.
    pub(super) floats: bool,
    pub(super) ends_floating: bool,
    /// Where it floats: it comes no earlier, as far as that is known.
    pub(super) least: Option<At>,
}

impl Made {
    /// From the order to the order to heal, where it is known.
    pub(super) fn times(&self) -> Option<(At, At)> {
        self.from.zip(self.to)
    }

    pub(super) fn known(&self, moment: Moment) -> Option<At> {
        match moment {
            Moment::Ordered | Moment::Effective | Moment::Detected => self.from,
            Moment::Healed | Moment::Recovered => self.to,
        }
    }
}

/// One of those that an entry comes to, without a start and an end.
pub(super) struct Deed {
    pub(super) kind: FaultKind,
    pub(super) target: Mark,
    pub(super) title: Option<crate::base::units::Text>,
    /// After the start of the first.
    pub(super) offset: Span,
    /// Of its own, where it is drawn by a storm.
    pub(super) lasts: Option<Span>,
}

pub(super) fn faults(field: &Field<Named<scenario::Fault>>, scene: &Scene<'_>, cx: &mut Cx<'_>) -> Vec<Made> {
    let map = cx.get(field).map(|map| &map.value);
    cx.broken |= map.is_some_and(|map| !map.complete || map.entries.iter().any(|(_, fault)| fault.is_none()));
    let mut made = Vec::new();
    for (name, fault) in map.into_iter().flat_map(Named::iter) {
        match entry(name, fault, scene, cx) {
            Some(faults) => made.extend(faults),
            None => cx.broken = true,
        }
    }
    made
}

fn entry(
    name: &Spanned<String>,
    fault: &Spanned<scenario::Fault>,
    scene: &Scene<'_>,
    cx: &mut Cx<'_>,
) -> Option<Vec<Made>> {
    cx.broken |= !fault.complete;
    let path = format!("faults.{}", name.value);
    let ids = scene.roll.ids(&name.value);
    let deeds = match cx.get(&fault.storm) {
        Some(written) => storm::deeds(&path, ids, fault, written, scene, cx),
        None => repeated(&path, ids, fault, scene, cx),
    };
    let start = start(name, fault, &path, scene, cx);
    let end = end(name, fault, &path, scene, cx);
    let (deeds, (start, at), end) = (deeds?, start?, end?);
    let title = cx.get(&fault.title).map(|title| title.value.clone()).unwrap_or_default();
    let (several, until) = (deeds.len() > 1, fault.until.get().map(|until| until.mark));
    let mut made = Vec::new();
    for (nth, (deed, &id)) in deeds.into_iter().zip(ids).enumerate() {
        let at_this = match &start {
            Some(Instant::At(at)) => Instant::At(*at + deed.offset),
            Some(Instant::After { fault, moment, offset }) => {
                Instant::After { fault: *fault, moment: *moment, offset: *offset + deed.offset }
            }
            Some(Instant::Action { action, offset }) => {
                Instant::Action { action: *action, offset: *offset + deed.offset }
            }
            // Filled in once conditions can be read; later ones hang on the first.
            Some(Instant::When(_)) | None if nth == 0 => Instant::At(At::MAX),
            Some(Instant::When(_)) | None => {
                Instant::After { fault: ids[0], moment: Moment::Ordered, offset: deed.offset }
            }
        };
        let fault = plan::Fault {
            name: if several { occurrence(&name.value, nth) } else { name.value.clone() },
            of: several.then(|| name.value.clone()),
            title: deed.title.unwrap_or_else(|| title.clone()),
            kind: deed.kind,
            at: at_this,
            end: deed.lasts.map_or_else(|| end.clone(), End::For),
            spared: false,
        };
        let floats = start.is_none() && nth == 0;
        made.push(Made {
            id,
            fault,
            at,
            until,
            target: deed.target,
            from: None,
            to: None,
            floats,
            ends_floating: false,
            least: None,
        });
    }
    Some(made)
}

/// The same again and again; whom the seed picks is drawn anew each time.
fn repeated(
    path: &str,
    ids: &[FaultId],
    fault: &Spanned<scenario::Fault>,
    scene: &Scene<'_>,
    cx: &mut Cx<'_>,
) -> Option<Vec<Deed>> {
    let every = cx.get(&fault.every).map_or(Span::ZERO, |every| every.value);
    let mut deeds = Vec::new();
    for (nth, &id) in ids.iter().enumerate() {
        let path = if ids.len() > 1 { occurrence(path, nth) } else { path.to_owned() };
        let said = cx.found.len();
        let kind = fault::kind(Draw { fault: id, attempt: 0 }, &path, fault, scene, cx);
        cx.unsay_repeats(said);
        let (kind, target) = kind?;
        let offset = Span(every.as_nanos().saturating_mul(nth as u64));
        deeds.push(Deed { kind, target, title: None, offset, lasts: None });
    }
    Some(deeds)
}

/// Whether one of these words is there; none, and said, where two are.
fn is_one(words: &[(&str, Option<Mark>)], cx: &mut Cx<'_>) -> Option<bool> {
    let mut given = words.iter().filter_map(|(word, mark)| Some((word, (*mark)?)));
    match (given.next(), given.next()) {
        (Some((first, first_mark)), Some((second, mark))) => {
            let message = format!("a fault has either `{first}` or `{second}`, not both");
            cx.say(Diagnostic::error("one-of", mark, message).related(first_mark, format!("`{first}` is here")));
            None
        }
        (one, _) => {
            cx.broken |= one.is_none();
            Some(one.is_some())
        }
    }
}

/// When it begins, and where that is written; no instant where it hangs on a condition.
fn start(
    name: &Spanned<String>,
    fault: &Spanned<scenario::Fault>,
    path: &str,
    scene: &Scene<'_>,
    cx: &mut Cx<'_>,
) -> Option<(Option<Instant>, Mark)> {
    let words = [("at", fault.at.written()), ("after", fault.after.written()), ("when", fault.when.written())];
    if !is_one(&words, cx)? {
        if fault.complete {
            let message = "a fault needs one of `at`, `after`, `when`";
            cx.say(Diagnostic::error("one-of", name.mark, message).help("write when it comes, such as at: 30s"));
        }
        return None;
    }
    if let Some(when) = cx.get(&fault.when) {
        return Some((None, when.key));
    }
    let (when, word) = match cx.get(&fault.at) {
        Some(at) => (at, "at"),
        None => (cx.need(&fault.after)?, "after"),
    };
    if word == "after" && !matches!(when.from, Reference::Other { .. }) {
        let message = "`after` is an instant of another fault, or an action that is done";
        let help = "write `at`, or after: other-fault.healed + 5s";
        cx.say(Diagnostic::error("instant", when.mark, message).help(help));
        return None;
    }
    let instant = instant(name, when, scene, cx)?;
    note(&format!("{path}.{word}"), &instant, when, cx);
    Some((Some(instant), when.mark))
}

fn note(path: &str, instant: &Instant, when: &Spanned<When>, cx: &mut Cx<'_>) {
    match instant {
        Instant::At(at) => cx.note(path, at, when.mark),
        Instant::After { .. } | Instant::Action { .. } | Instant::When(_) => {
            let written = cx.sources.slice(when.mark).trim_matches(['"', '\'']).to_owned();
            cx.note(path, &written, when.mark);
        }
    }
}

/// An instant that may hang on another fault, or on an action.
fn instant(name: &Spanned<String>, when: &Spanned<When>, scene: &Scene<'_>, cx: &mut Cx<'_>) -> Option<Instant> {
    let Reference::Other { name: other, moment } = &when.from else {
        return scene.phases.at(when, "a fault", cx).map(Instant::At);
    };
    if *moment == scenario::Moment::Done {
        if scene.actions.get(&other.value).is_none() && scene.roll.names.get(&other.value).is_some() {
            let message = format!("`{}` is a fault, and only an action is done", other.value);
            let help = format!("write an instant of it, such as {}.healed + 5s", other.value);
            cx.say(Diagnostic::error("instant", when.mark, message).help(help));
            return None;
        }
        let action = ActionId::at(scene.actions.find(other, cx)?);
        return Some(Instant::Action { action, offset: when.offset });
    }
    if other.value == name.value && scene.roll.names.get(&other.value).is_some() {
        let message = format!("fault `{}` waits for itself", name.value);
        cx.say(Diagnostic::error("circular", when.mark, message));
        return None;
    }
    if scene.roll.names.get(&other.value).is_none() && scene.actions.get(&other.value).is_some() {
        let message = format!("`{}` is an action, which has one instant: when it is done", other.value);
        let help = format!("write {}.done", other.value);
        cx.say(Diagnostic::error("instant", when.mark, message).help(help));
        return None;
    }
    let (fault, moment) = scene.roll.moment(other, *moment, cx)?;
    Some(Instant::After { fault, moment, offset: when.offset })
}

/// None: of an action.
fn moment_of(moment: scenario::Moment) -> Option<Moment> {
    match moment {
        scenario::Moment::Ordered => Some(Moment::Ordered),
        scenario::Moment::Effective => Some(Moment::Effective),
        scenario::Moment::Detected => Some(Moment::Detected),
        scenario::Moment::Healed => Some(Moment::Healed),
        scenario::Moment::Recovered => Some(Moment::Recovered),
        scenario::Moment::Done => None,
    }
}

fn end(
    name: &Spanned<String>,
    fault: &Spanned<scenario::Fault>,
    path: &str,
    scene: &Scene<'_>,
    cx: &mut Cx<'_>,
) -> Option<End> {
    let words = [("for", fault.lasts.written()), ("until", fault.until.written()), ("heal", fault.heal.written())];
    if !is_one(&words, cx)? {
        if fault.complete {
            let message = "a fault ends in one way: it needs one of `for`, `until`, `heal`";
            let help = "write how long it lasts, such as for: 20s";
            cx.say(Diagnostic::error("one-of", name.mark, message).help(help));
        }
        return None;
    }
    if let (Some(mark), None) = (fault.undo.written(), fault.heal.written()) {
        let message = "`undo` says what is done at the end of the drill about a fault that was left to the platform";
        cx.say(
            Diagnostic::error("does-not-go", mark, message).help("write `heal: platform` beside it, or leave it out"),
        );
        return None;
    }
    if let Some(lasts) = cx.get(&fault.lasts) {
        cx.note(format!("{path}.for"), &lasts.value, lasts.mark);
        return Some(End::For(lasts.value));
    }
    if let Some(until) = cx.get(&fault.until) {
        if let (Some(mark), true) = (fault.storm.written(), true) {
            let message = "a storm lasts for `for`";
            cx.say(Diagnostic::error("does-not-go", until.key, message).related(mark, "the storm is here"));
            return None;
        }
        let instant = instant(name, until, scene, cx)?;
        note(&format!("{path}.until"), &instant, until, cx);
        return Some(End::Until(instant));
    }
    let heal = cx.need(&fault.heal)?;
    if fault.kill.is_absent() && fault.terminate.is_absent() && fault.complete {
        let message =
            "only what was ended can be left to the platform: `heal: platform` goes with `kill` and `terminate`";
        cx.say(Diagnostic::error("does-not-go", heal.key, message).help("write `for` or `until`"));
        return None;
    }
    let Some(undo) = cx.get(&fault.undo) else {
        cx.broken = true;
        if fault.undo.is_absent() && fault.complete {
            let message = "`heal: platform` needs `undo`: what is done at the end of the drill";
            let help = "write undo: start, undo: none, or undo: { run: [program], check: [program] }";
            cx.say(Diagnostic::error("needs-word", heal.key, message).help(help));
        }
        return None;
    };
    let undo = match &undo.value {
        UndoAtEnd::Word(UndoWord::Start) => Undo::Start,
        UndoAtEnd::Word(UndoWord::None) => Undo::None,
        UndoAtEnd::Run(run) => {
            cx.broken |= !run.complete;
            let mut words = |field: &Field<scenario::Arguments>| {
                let list = cx.need(field)?;
                Some(cx.items(&list.value.0).iter().map(|word| scene.word(word, cx)).collect())
            };
            let (command, check) = (words(&run.run), words(&run.check));
            Undo::Run { command: command?, check: check? }
        }
    };
    Some(End::Platform { undo })
}

/// Fills in what faults wait for.
pub(super) fn triggers(
    field: &Field<Named<scenario::Fault>>,
    roll: &Roll,
    made: &mut [Made],
    scenery: &Scenery<'_>,
    cx: &mut Cx<'_>,
) {
    for (_, fault) in field.value().into_iter().flat_map(Named::iter) {
        let hangs = [&fault.at, &fault.after, &fault.until].into_iter().filter_map(|when| when.get());
        for when in hangs {
            let Reference::Other { moment, .. } = &when.from else { continue };
            let (never, help) = match moment {
                scenario::Moment::Recovered if scenery.steady.len() == 0 && scenery.steady.is_whole() => (
                    "there is no steady state, so no fault is ever seen to have recovered",
                    "write `healed`, or say what must hold under `steady-state:`",
                ),
                scenario::Moment::Detected if !scenery.has_probe && !scenery.watches_lost => (
                    "nothing of the platform is probed, so no fault is ever detected",
                    "write watch: { health: { endpoint: shop, get: /healthz } } under `platform`",
                ),
                _ => continue,
            };
            cx.say(Diagnostic::error("never", when.mark, never).help(help));
        }
    }
    for (name, fault) in field.value().into_iter().flat_map(Named::iter) {
        let Some(when) = cx.get(&fault.when) else { continue };
        let path = format!("faults.{}.when", name.value);
        let condition = scenery.condition(&when.value, when.key, &path, Role::Trigger, cx);
        let first = roll.ids(&name.value).first();
        let place = made.iter_mut().find(|made| Some(&made.id) == first);
        if let (Some(condition), Some(place)) = (condition, place) {
            place.fault.at = Instant::When(Box::new(condition));
        }
    }
}
