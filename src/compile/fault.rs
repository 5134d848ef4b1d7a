//! What breaks, when, and what cannot break at once.

use super::context::Cx;
use super::flaw;
use super::instant::PhaseTable;
use super::names::Names;
use super::platform::Processes;
use super::text::{Own, Place, Reach};
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::rng::{Key, Purpose};
use crate::base::template::Template;
use crate::base::units::{At, Span};
use crate::plan::{self, FaultId, FaultKind, Instant, LinkId, Moment, ProcessId};
use crate::scenario::{self, Field, Named, Reference, Spanned, Target};

/// A fault, and when it is planned at the earliest.
#[derive(Debug)]
pub(super) struct Made {
    /// Its number among the faults as written.
    pub(super) index: usize,
    pub(super) fault: plan::Fault,
    pub(super) at: Mark,
    target: Mark,
    /// From the order to the order to heal, where it is known.
    pub(super) times: Option<(At, At)>,
}

/// What faults are aimed at, and when.
pub(super) struct Scene<'c> {
    pub(super) names: &'c Names,
    pub(super) processes: &'c Processes,
    /// As written, also those that were refused.
    pub(super) linked: &'c Names,
    pub(super) links: &'c [plan::Link],
    pub(super) reach: &'c Reach<'c>,
    pub(super) phases: &'c PhaseTable,
    pub(super) seed: u64,
}

pub(super) fn faults(field: &Field<Named<scenario::Fault>>, scene: &Scene<'_>, cx: &mut Cx<'_>) -> Vec<Made> {
    let map = cx.get(field).map(|map| &map.value);
    cx.broken |= map.is_some_and(|map| !map.complete || map.entries.iter().any(|(_, fault)| fault.is_none()));
    let mut made = Vec::new();
    for (name, fault) in map.into_iter().flat_map(Named::iter) {
        let index = scene.names.get(&name.value).unwrap_or_default();
        match one(index, name, fault, scene, cx) {
            Some(fault) => made.push(fault),
            None => cx.broken = true,
        }
    }
    made
}

fn one(
    index: usize,
    name: &Spanned<String>,
    fault: &Spanned<scenario::Fault>,
    scene: &Scene<'_>,
    cx: &mut Cx<'_>,
) -> Option<Made> {
    cx.broken |= !fault.complete;
    let path = format!("faults.{}", name.value);
    let kind = kind(index, &path, fault, scene, cx);
    let at = cx.need(&fault.at);
    let instant = at.and_then(|at| match &at.from {
        Reference::Fault { name: other, moment } => {
            let id = scene.names.find(other, cx)?;
            if id == index {
                let message = format!("fault `{}` waits for itself", name.value);
                cx.say(Diagnostic::error("circular", at.mark, message));
                return None;
            }
            Some(Instant::After { fault: FaultId::at(id), moment: moment_of(*moment), offset: at.offset })
        }
        _ => scene.phases.at(at, "a fault", cx).map(Instant::At),
    });
    let lasts = cx.need(&fault.lasts);
    if let Some(lasts) = lasts {
        cx.note(format!("{path}.for"), &lasts.value, lasts.mark);
    }
    let (at, (kind, target), lasts) = (at?, kind?, lasts?);
    let instant = instant?;
    match instant {
        Instant::At(when) => cx.note(format!("{path}.at"), &when, at.mark),
        Instant::After { .. } => {
            let written = cx.sources.slice(at.mark).trim_matches(['"', '\'']).to_owned();
            cx.note(format!("{path}.at"), &written, at.mark);
        }
    }
    let title = cx.get(&fault.title).map(|title| title.value.clone()).unwrap_or_default();
    let made = plan::Fault { name: name.value.clone(), title, kind, at: instant, lasts: lasts.value };
    Some(Made { index, fault: made, at: at.mark, target, times: None })
}

fn moment_of(moment: scenario::Moment) -> Moment {
    match moment {
        scenario::Moment::Ordered => Moment::Ordered,
        scenario::Moment::Effective => Moment::Effective,
        scenario::Moment::Detected => Moment::Detected,
        scenario::Moment::Healed => Moment::Healed,
        scenario::Moment::Recovered => Moment::Recovered,
    }
}

/// What it does, and where it says to whom.
fn kind(
    index: usize,
    path: &str,
    fault: &scenario::Fault,
    scene: &Scene<'_>,
    cx: &mut Cx<'_>,
) -> Option<(FaultKind, Mark)> {
    let kill = cx.get(&fault.kill).map(|kill| &kill.process);
    let terminate = cx.get(&fault.terminate).map(|terminate| &terminate.process);
    let pause = cx.get(&fault.pause).map(|pause| &pause.process);
    let crash = cx.get(&fault.crash_loop);
    let every = crash.and_then(|crash| cx.need(&crash.every)).map(|every| every.value);
    let crash = crash.map(|crash| &crash.process);
    if let Some(target) = kill.or(terminate).or(crash).or(pause) {
        let target = cx.need(target)?;
        let processes = bitten(path, index, target, scene, cx);
        if pause.is_none() && processes.iter().any(|id| scene.processes.started.get(id.index()) == Some(&false)) {
            let message =
                "a process that the drill has not started cannot be started again, so ending it would not heal";
            let help = "write `pause`, or let the drill start it with `run`";
            cx.say(Diagnostic::error("kill-attached", target.mark, message).help(help));
        }
        let kind = match (kill, terminate, crash) {
            (Some(_), ..) => FaultKind::Kill { processes },
            (None, Some(_), _) => FaultKind::Terminate { processes },
            (None, None, Some(_)) => FaultKind::CrashLoop { processes, every: every? },
            (None, None, None) => FaultKind::Pause { processes },
        };
        return Some((kind, target.mark));
    }
    if let Some(made) = strain(fault, scene, cx) {
        return made;
    }
    let (target, flaw) = flaw::flaw(fault, cx)?;
    let target = cx.need(target)?;
    let links = linked(path, index, target, scene, cx);
    flaw::check(fault, target.mark, &links, scene.links, cx);
    let links = links.into_iter().map(LinkId::at).collect();
    Some((FaultKind::Link { links, flaw: flaw? }, target.mark))
}

/// What is done to the machine, or by programs; `None` for a fault on something else.
fn strain(fault: &scenario::Fault, scene: &Scene<'_>, cx: &mut Cx<'_>) -> Option<Option<(FaultKind, Mark)>> {
    if let Some(burn) = cx.get(&fault.burn) {
        cx.broken |= !burn.complete;
        let cores = cx.need(&burn.cores).and_then(|cores| u32::try_from(cores.value).ok());
        return Some(cores.map(|cores| (FaultKind::Burn { cores }, burn.mark)));
    }
    if let Some(fill) = cx.get(&fault.fill_memory) {
        cx.broken |= !fill.complete;
        return Some(cx.need(&fill.size).map(|size| (FaultKind::FillMemory { size: size.value }, fill.mark)));
    }
    if let Some(fill) = cx.get(&fault.fill_disk) {
        cx.broken |= !fill.complete;
        let (process, size) = (cx.need(&fill.process), cx.need(&fill.size));
        let process = process.and_then(|name| {
            let found = scene.processes.find(name, cx)?.to_vec();
            if found.len() != 1 || scene.processes.started.get(found[0].index()) == Some(&false) {
                let message =
                    format!("`{}` is not one process that the drill starts: it has no folder of its own", name.value);
                cx.say(Diagnostic::error("no-folder", name.mark, message));
                return None;
            }
            found.first().copied()
        });
        let (process, size) = (process, size.map(|size| size.value));
        return Some(process.zip(size).map(|(process, size)| (FaultKind::FillDisk { process, size }, fill.mark)));
    }
    let run = cx.get(&fault.run)?;
    cx.broken |= !run.complete;
    let mut words = |field: &Field<scenario::Arguments>| {
        let list = cx.need(field)?;
        Some(cx.items(&list.value.0).iter().map(|word| scene.word(word, cx)).collect())
    };
    let (act, undo, check) = (words(&run.act), words(&run.undo), words(&run.check));
    let within = cx.get(&run.within).map_or(WITHIN, |within| within.value);
    let made = act.zip(undo).zip(check);
    Some(made.map(|((act, undo), check)| (FaultKind::Run { act, undo, check, within }, run.mark)))
}

/// How long each program of a fault may take.
const WITHIN: Span = Span::seconds(10);

impl Scene<'_> {
    /// A word of a command line that is written into the undo journal, so that no secret may be in it.
    fn word(&self, word: &Spanned<scenario::Template>, cx: &mut Cx<'_>) -> plan::Template {
        let template = Template::parse(word.text()).ok();
        let names_secret = template.iter().flat_map(Template::references).any(|name| name.root() == "secret");
        if names_secret {
            let message =
                "how a fault is undone is written down before it is done, and a secret would be written with it";
            let help = "let the program take it from its environment";
            cx.say(Diagnostic::error("secret", word.mark, message).help(help));
        }
        self.reach.check(word.text(), word.mark, Place::Start, &Own::default(), cx).0
    }
}

/// The processes that a fault bites; `any` is drawn by the seed.
fn bitten(path: &str, index: usize, target: &Spanned<Target>, scene: &Scene<'_>, cx: &mut Cx<'_>) -> Vec<ProcessId> {
    let found = chosen(index, target, scene.seed, cx, &|name, cx| Some(scene.processes.find(name, cx)?.to_vec()));
    if let Target::Any(any) = &target.value
        && let Some(name) = any.any.get()
    {
        let shown: Vec<&str> = found.iter().filter_map(|id| name_of(scene.processes, *id)).collect();
        cx.note(format!("{path}.process"), &shown.join(", "), name.mark);
    }
    found
}

/// The links that a fault bites, by their numbers.
fn linked(path: &str, index: usize, target: &Spanned<Target>, scene: &Scene<'_>, cx: &mut Cx<'_>) -> Vec<usize> {
    let find = |name: &Spanned<String>, cx: &mut Cx<'_>| match &target.value {
        // There is one link of each name, so `any` chooses among all of them.
        Target::Any(_) if name.value == "link" => Some((0..scene.linked.len()).collect()),
        _ => Some(vec![scene.linked.find(name, cx)?]),
    };
    let found = chosen(index, target, scene.seed, cx, &find);
    if let Target::Any(any) = &target.value
        && let Some(name) = any.any.get()
    {
        let shown: Vec<&str> = found.iter().map(|link| scene.linked.name(*link)).collect();
        cx.note(format!("{path}.link"), &shown.join(", "), name.mark);
    }
    found
}

/// Those that a name stands for; what is not there is said.
type Find<'f, T> = dyn Fn(&Spanned<String>, &mut Cx<'_>) -> Option<Vec<T>> + 'f;

/// Those that a target names, or that the seed draws of them.
fn chosen<T: Copy + Ord>(
    index: usize,
    target: &Spanned<Target>,
    seed: u64,
    cx: &mut Cx<'_>,
    find: &Find<'_, T>,
) -> Vec<T> {
    let mut found: Vec<T> = Vec::new();
    match &target.value {
        Target::Named(list) => {
            for name in cx.items(list) {
                let Some(these) = find(name, cx) else { continue };
                if these.iter().any(|one| found.contains(one)) {
                    let message = format!("`{}` is named twice", name.value);
                    cx.say(Diagnostic::error("given-twice", name.mark, message));
                    continue;
                }
                found.extend(these);
            }
        }
        Target::Any(any) => {
            cx.broken |= !any.complete;
            let (Some(name), Some(pick)) = (cx.need(&any.any), cx.need(&any.pick)) else { return found };
            let Some(mut left) = find(name, cx) else { return found };
            if pick.value > left.len() as u64 {
                let message = format!("`{}` has {} of it, and {} are to be picked", name.value, left.len(), pick.value);
                cx.say(Diagnostic::error("range", pick.mark, message));
                return found;
            }
            let mut stream = Key::plan(seed).stream(Purpose::Plan(index as u32), 0);
            for _ in 0..pick.value {
                let drawn = stream.below(left.len() as u64) as usize;
                if drawn < left.len() {
                    found.push(left.remove(drawn));
                }
            }
            found.sort_unstable();
        }
    }
    found
}

fn name_of(processes: &Processes, id: ProcessId) -> Option<&str> {
    // The last one: `node_1` and not the `node` of a single one.
    let index = processes.members.iter().rposition(|members| members.as_slice() == [id])?;
    Some(processes.names.name(index))
}

/// Settles when each fault comes at the earliest, and says which never can. One that lies outside of the drill has no times:
/// what follows from it is not said as well.
pub(super) fn settle(made: &mut [Made], end: Option<At>, cx: &mut Cx<'_>) {
    let mut outside = vec![false; made.len()];
    for _ in 0..=made.len() {
        for (index, outside) in outside.iter_mut().enumerate() {
            let Some(fault) = made.get(index).filter(|fault| fault.times.is_none() && !*outside) else { continue };
            let at = match fault.fault.at {
                Instant::At(at) => Some(at),
                Instant::After { fault: other, moment, offset } => {
                    let times = made.iter().find(|made| made.index == other.index()).and_then(|made| made.times);
                    times.map(|(from, to)| offset_from(moment, from, to) + offset)
                }
            };
            let Some((from, to)) = at.map(|at| (at, at + fault.fault.lasts)) else { continue };
            if let Some(wrong) = end.and_then(|end| outside_drill(fault, from, to, end)) {
                cx.say(wrong);
                *outside = true;
            } else if let Some(fault) = made.get_mut(index) {
                fault.times = Some((from, to));
            }
        }
    }
    for fault in made.iter().filter(|fault| fault.times.is_none()) {
        if is_circular(fault, made) {
            let message = format!("fault `{}` waits for one that waits for it", fault.fault.name);
            cx.say(Diagnostic::error("circular", fault.at, message));
        } else {
            cx.broken = true;
        }
    }
    for (index, one) in made.iter().enumerate() {
        for other in made.iter().take(index) {
            check_pair(other, one, cx);
        }
    }
}

fn outside_drill(fault: &Made, from: At, to: At, end: At) -> Option<Diagnostic> {
    let name = &fault.fault.name;
    if from >= end {
        let message = format!("fault `{name}` comes at {from}, and the drill ends at {end}");
        return Some(Diagnostic::error("outside-drill", fault.at, message));
    }
    let message =
        format!("fault `{name}` lasts until {to}, and the drill ends at {end}: its healing would not be seen");
    let help = format!("it comes at {from}; let the load go on for longer, or shorten `for`");
    (to >= end).then(|| Diagnostic::error("outside-drill", fault.at, message).help(help))
}

/// The earliest that a moment of a fault ordered at `from`, healed from `to` on, can come.
fn offset_from(moment: Moment, from: At, to: At) -> At {
    match moment {
        Moment::Ordered | Moment::Effective | Moment::Detected => from,
        Moment::Healed | Moment::Recovered => to,
    }
}

fn is_circular(fault: &Made, made: &[Made]) -> bool {
    let mut at = fault;
    for _ in 0..=made.len() {
        let Instant::After { fault: other, .. } = at.fault.at else { return false };
        let Some(next) = made.iter().find(|made| made.index == other.index()) else { return false };
        if next.index == fault.index {
            return true;
        }
        at = next;
    }
    false
}

/// What ends or stops a process excludes all else of that kind on it at one time; what lets nothing pass excludes all else on a
/// link.
fn check_pair(first: &Made, second: &Made, cx: &mut Cx<'_>) {
    let (Some(one), Some(two)) = (first.times, second.times) else { return };
    let overlap = one.0 < two.1 && two.0 < one.1;
    if overlap && first.fault.kind.excludes(&second.fault.kind) {
        let what = if first.fault.kind.links().is_empty() { "process" } else { "link" };
        let message = format!(
            "`{}` ({}) and `{}` ({}) exclude each other on one {what}, and overlap from {} to {}",
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
    let first =
        made.iter().filter_map(|fault| fault.times.map(|(from, _)| (from, fault))).min_by_key(|(from, _)| *from);
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
