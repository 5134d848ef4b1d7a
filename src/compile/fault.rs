//! What breaks: the kinds of faults, and whom they are aimed at.

use super::ailment;
use super::container;
use super::context::Cx;
use super::dns;
use super::flaw;
use super::instant::PhaseTable;
use super::names::Names;
use super::network;
use super::platform::Processes;
use super::schedule::Roll;
use super::text::{Own, Place, Reach};
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::rng::{Key, Purpose};
use crate::base::template::Template;
use crate::base::units::Span;
use crate::plan::{self, DiskOf, FaultId, FaultKind, HostId, LinkId, ProcessId};
use crate::scenario::{self, Field, Spanned, Target};

/// What faults are aimed at, and when.
pub(super) struct Scene<'c> {
    pub(super) roll: &'c Roll,
    pub(super) processes: &'c Processes,
    /// As written, also those that were refused.
    pub(super) linked: &'c Names,
    pub(super) links: &'c [plan::Link],
    /// The names that can be asked for in networks.
    pub(super) dns: &'c Names,
    /// The same.
    pub(super) containers: &'c Names,
    /// The same.
    pub(super) hosts: &'c Names,
    pub(super) reach: &'c Reach<'c>,
    pub(super) phases: &'c PhaseTable,
    pub(super) actions: &'c Names,
    pub(super) seed: u64,
}

/// Which draw of the seed it is: of a fault, and of the tries to place it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw {
    pub(super) fault: FaultId,
    pub(super) attempt: u64,
}

/// What it does, and where it says to whom.
pub(super) fn kind(
    draw: Draw,
    path: &str,
    fault: &scenario::Fault,
    scene: &Scene<'_>,
    cx: &mut Cx<'_>,
) -> Option<(FaultKind, Mark)> {
    if let Some(made) = container::kind(draw, path, fault, scene, cx) {
        return made;
    }
    if let Some((target, make)) = ailment::on_processes(fault, cx) {
        let target = cx.need(target)?;
        let processes = bitten(path, draw, target, scene, cx);
        let kind = make(processes)?;
        if kind.starts_again() && kind.processes().iter().any(|id| !scene.processes.starts(*id)) {
            let message =
                "a process that the drill has not started cannot be started again, so ending it would not heal";
            let help = "write `pause`, or let the drill start it with `run`";
            cx.say(Diagnostic::error("kill-attached", target.mark, message).help(help));
        }
        ailment::check(&kind, fault, target.mark, scene.processes, cx);
        return Some((kind, target.mark));
    }
    if let Some(made) = strain(fault, scene, cx) {
        return made;
    }
    if let Some(made) = network::kind(draw, path, fault, scene, cx) {
        return made;
    }
    if let Some(made) = dns::kind(draw, path, fault, scene, cx) {
        return made;
    }
    let (target, flaw) = flaw::flaw(fault, cx)?;
    let target = cx.need(target)?;
    let links = numbered(path, "link", scene.linked, draw, target, scene.seed, cx);
    flaw::check(fault, target.mark, &links, scene.links, cx);
    let links = links.into_iter().map(LinkId::at).collect();
    Some((FaultKind::Link { links, flaw: flaw? }, target.mark))
}

/// What is done to a machine, or by programs; `None` for a fault on something else.
fn strain(fault: &scenario::Fault, scene: &Scene<'_>, cx: &mut Cx<'_>) -> Option<Option<(FaultKind, Mark)>> {
    if let Some(burn) = cx.get(&fault.burn) {
        cx.broken |= !burn.complete;
        let cores = cx.need(&burn.cores).and_then(|cores| u32::try_from(cores.value).ok());
        let made = cores.zip(machine(&burn.host, scene, cx));
        return Some(made.map(|(cores, host)| (FaultKind::Burn { cores, host }, burn.mark)));
    }
    if let Some(fill) = cx.get(&fault.fill_memory) {
        cx.broken |= !fill.complete;
        let made = cx.need(&fill.size).zip(machine(&fill.host, scene, cx));
        return Some(made.map(|(size, host)| (FaultKind::FillMemory { size: size.value, host }, fill.mark)));
    }
    if let Some(fill) = cx.get(&fault.fill_disk) {
        cx.broken |= !fill.complete;
        let of = match cx.get(&fill.host) {
            Some(name) => scene.hosts.find(name, cx).map(|index| DiskOf::Host(HostId::at(index))),
            None => cx.need(&fill.process).and_then(|name| with_folder(name, scene, cx)).map(DiskOf::Process),
        };
        let made = of.zip(cx.need(&fill.size));
        return Some(made.map(|(of, size)| (FaultKind::FillDisk { of, size: size.value }, fill.mark)));
    }
    if let Some(slow) = cx.get(&fault.slow_disk) {
        cx.broken |= !slow.complete;
        let (process, write) = (cx.need(&slow.process), cx.need(&slow.write));
        let read = cx.get(&slow.read).map(|read| read.value);
        let process = process.and_then(|name| with_folder(name, scene, cx));
        let made = process.zip(write).map(|(process, write)| FaultKind::SlowDisk { process, write: write.value, read });
        return Some(made.map(|kind| (kind, slow.mark)));
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

/// The host that is named; none within: this machine is meant.
fn machine(host: &Field<String>, scene: &Scene<'_>, cx: &mut Cx<'_>) -> Option<Option<HostId>> {
    match cx.get(host) {
        Some(name) => scene.hosts.find(name, cx).map(|index| Some(HostId::at(index))),
        None => (!host.is_hole()).then_some(None),
    }
}

/// The one process of that name, which has a folder of its own.
fn with_folder(name: &Spanned<String>, scene: &Scene<'_>, cx: &mut Cx<'_>) -> Option<ProcessId> {
    let found = scene.processes.find(name, cx)?.to_vec();
    match found.as_slice() {
        [one] if scene.processes.starts(*one) => Some(*one),
        _ => {
            let message =
                format!("`{}` is not one process that the drill starts: it has no folder of its own", name.value);
            cx.say(Diagnostic::error("no-folder", name.mark, message));
            None
        }
    }
}

/// How long each program of a fault may take.
const WITHIN: Span = Span::seconds(10);

impl Scene<'_> {
    /// A word of a command line that is written into the undo journal, so that no secret may be in it.
    pub(super) fn word(&self, word: &Spanned<scenario::Template>, cx: &mut Cx<'_>) -> plan::Template {
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
pub(super) fn bitten(
    path: &str,
    draw: Draw,
    target: &Spanned<Target>,
    scene: &Scene<'_>,
    cx: &mut Cx<'_>,
) -> Vec<ProcessId> {
    let found = chosen(draw, target, scene.seed, cx, &|name, cx| Some(scene.processes.find(name, cx)?.to_vec()));
    if let Target::Any(any) = &target.value
        && let Some(name) = any.any.get()
    {
        let shown: Vec<&str> = found.iter().filter_map(|id| name_of(scene.processes, *id)).collect();
        cx.note(format!("{path}.process"), &shown.join(", "), name.mark);
    }
    found
}

/// Those of a kind of which there is one of each name, such as links, by their numbers.
pub(super) fn numbered(
    path: &str,
    word: &str,
    names: &Names,
    draw: Draw,
    target: &Spanned<Target>,
    seed: u64,
    cx: &mut Cx<'_>,
) -> Vec<usize> {
    let find = |name: &Spanned<String>, cx: &mut Cx<'_>| match &target.value {
        // There is one of each name, so `any` chooses among all of them.
        Target::Any(_) if name.value == word => Some((0..names.len()).collect()),
        _ => Some(vec![names.find(name, cx)?]),
    };
    let found = chosen(draw, target, seed, cx, &find);
    if let Target::Any(any) = &target.value
        && let Some(name) = any.any.get()
    {
        let shown: Vec<&str> = found.iter().map(|one| names.name(*one)).collect();
        cx.note(format!("{path}.{word}"), &shown.join(", "), name.mark);
    }
    found
}

/// Those that a name stands for; what is not there is said.
type Find<'f, T> = dyn Fn(&Spanned<String>, &mut Cx<'_>) -> Option<Vec<T>> + 'f;

/// Those that a target names, or that the seed draws of them.
fn chosen<T: Copy + Ord>(
    draw: Draw,
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
            let mut stream = Key::plan(seed).stream(Purpose::Plan(draw.fault.0), draw.attempt);
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

pub(super) fn name_of(processes: &Processes, id: ProcessId) -> Option<&str> {
    // The last one: `node_1` and not the `node` of a single one.
    let index = processes.members.iter().rposition(|members| members.as_slice() == [id])?;
    Some(processes.names.name(index))
}
