//! Out of memory: the whole tree is in a cgroup folder that may have little memory, where a process of ours asks for more, and whoever is
//! of the tree is the first that the kernel ends, until nobody of it is left. With version 2 of the kernel's controllers what the tree has
//! counts already, and a limit below that is enough. Where no folder can limit memory, no process of the tree may have
//! more than it has; one that does not end by that has not bitten.
//!
//! Healed by lifting the limit, and starting it again at its address. The folder and the limits are in the journal before.

use std::sync::Arc;

use super::{Faults, Kind, blocking, kill, said, strain};
use crate::agent::Strain;
use crate::base::host::{Controller, Group, Identity, Resource, Tree};
use crate::base::units::{At, Size, Span};
use crate::plan::{FaultId, ProcessId};
use crate::platform::Process;
use crate::record::Sight;
use crate::undo::{Action, Lowered, UndoId};

/// What those in the group may have together. It is also what being dispensable weighs, so it is more than our own process has of its
/// own, and less than that asks for.
const ROOM: Size = Size(128 << 20);
const CROWD: Size = Size(192 << 20);
/// Whom the kernel ends first.
const FIRST: i32 = 1000;

/// A process that has run out of memory, and what undoes that.
#[derive(Debug)]
pub(super) struct Starved {
    process: ProcessId,
    undo: UndoId,
}

/// `lasts`: how long it may take until they are gone.
pub(super) async fn inject(
    faults: &Faults,
    number: FaultId,
    processes: &[ProcessId],
    lasts: Span,
) -> Result<(Kind, Vec<Sight>), Vec<Sight>> {
    let targets = faults.living(processes)?;
    if let Some(foreign) = targets.iter().find(|process| !process.is_ours()) {
        return Err(vec![Sight::Foreign { process: foreign.id() }]);
    }
    let deadline = faults.clock.now() + lasts;
    let (mut starved, mut proofs) = (Vec::new(), Vec::new());
    for process in targets {
        process.expect_end(true);
        match starve(faults, number, process, deadline, &mut starved).await {
            Ok(proof) => proofs.push(proof),
            Err(why) => {
                process.expect_end(false);
                let mut said = vec![why];
                said.extend(heal(faults, &starved).await.err().unwrap_or_default());
                return Err(said);
            }
        }
    }
    Ok((Kind::Memory { starved }, proofs))
}

async fn starve(
    faults: &Faults,
    number: FaultId,
    process: &Arc<Process>,
    deadline: At,
    starved: &mut Vec<Starved>,
) -> Result<Sight, Sight> {
    let tree = process.tree().ok_or(Sight::GoneAlready { process: process.id() })?;
    match Group::find(Controller::Memory, &faults.journal.marker(process.name())) {
        Ok(group) => in_group(faults, number, process, &tree, group, deadline, starved).await,
        Err(_) => by_limit(faults, process, &tree, deadline, starved).await,
    }
}

async fn in_group(
    faults: &Faults,
    number: FaultId,
    process: &Arc<Process>,
    tree: &Tree,
    group: Group,
    deadline: At,
    starved: &mut Vec<Starved>,
) -> Result<Sight, Sight> {
    let id = process.id();
    let action = Action::Group { name: process.name().to_owned(), group: group.clone() };
    let journal = faults.journal.clone();
    let undo = blocking(move || journal.plan(action)).await?.map_err(said)?;
    starved.push(Starved { process: id, undo });
    let scores: Vec<_> = tree.members().into_iter().filter_map(|one| Some((one, one.dispensable()?))).collect();
    let (inside, of) = (group.clone(), tree.clone());
    let prepare = move || -> std::io::Result<(u64, u64)> {
        inside.create()?;
        let members = gather(&inside, &of)?;
        for member in of.members() {
            member.set_dispensable(FIRST)?;
        }
        let before = inside.kills();
        inside.limit_memory(if inside.counts_all() { 0 } else { ROOM.0 })?;
        Ok((members, before))
    };
    // Those who live on are as dear to the kernel as they were, however this ends.
    let spared = Dear(scores);
    let (members, before) = blocking(prepare).await?.map_err(said)?;
    let crowd = if group.counts_all() {
        None
    } else {
        let crowd = Strain::Crowd { group: group.clone(), size: CROWD };
        Some(strain::order(faults, format!("crowd-{number}-{id}"), crowd).await?)
    };
    let gone = is_gone(faults, tree, deadline, crowd.as_ref()).await;
    if let Some(crowd) = crowd {
        strain::end(faults, crowd).await.map_err(|why| said(format!("{why:?}")))?;
    }
    let by = group.memory_file().to_owned();
    let kills = group.kills().saturating_sub(before);
    match gone? {
        true if kills > 0 => Ok(Sight::OutOfMemory { process: id, members, kills: Some(kills), by }),
        true => Err(Sight::Ended { process: id }),
        false => {
            drop(spared);
            Err(Sight::LivesOn { process: id, by })
        }
    }
}

/// How dear processes were to the kernel; given back when this is dropped. One that is gone needs nothing.
struct Dear(Vec<(Identity, i32)>);

impl Drop for Dear {
    fn drop(&mut self) {
        for (member, score) in &self.0 {
            let _ = member.set_dispensable(*score);
        }
    }
}

/// Moves the whole tree into the group, also who is born meanwhile. Says how many they are.
pub(super) fn gather(group: &Group, tree: &Tree) -> std::io::Result<u64> {
    for _ in 0..100 {
        let inside = group.members();
        let outside: Vec<_> = tree.members().into_iter().filter(|member| !inside.contains(member)).collect();
        if outside.is_empty() || group.counts_all() {
            return Ok(tree.members().len() as u64);
        }
        group.take_in(&outside)?;
    }
    Err(std::io::Error::other("its tree grows faster than it can be gathered"))
}

/// No process of the tree may have more address space than it has.
pub(super) async fn by_limit(
    faults: &Faults,
    process: &Arc<Process>,
    tree: &Tree,
    deadline: At,
    starved: &mut Vec<Starved>,
) -> Result<Sight, Sight> {
    let id = process.id();
    let mut before = Vec::new();
    for member in tree.members() {
        if let Some(limits) = member.limits(Resource::Memory).map_err(said)? {
            before.push(Lowered { process: member, before: limits.soft });
        }
    }
    let members = before.len() as u64;
    let lowered = before.clone();
    let action =
        Action::Limits { name: process.name().to_owned(), tree: tree.clone(), resource: Resource::Memory, before };
    let journal = faults.journal.clone();
    let undo = blocking(move || journal.plan(action)).await?.map_err(said)?;
    starved.push(Starved { process: id, undo });
    for member in lowered.iter().map(|one| one.process) {
        if let Some(now) = member.address_space() {
            member.set_soft_limit(Resource::Memory, now).map_err(said)?;
        }
    }
    let by = "RLIMIT_AS".to_owned();
    match is_gone(faults, tree, deadline, None).await? {
        true => Ok(Sight::OutOfMemory { process: id, members, kills: None, by }),
        false => Err(Sight::LivesOn { process: id, by }),
    }
}

/// Waits until nobody of the tree lives; `crowd` must not fail meanwhile.
async fn is_gone(faults: &Faults, tree: &Tree, deadline: At, crowd: Option<&strain::Strained>) -> Result<bool, Sight> {
    let failed = async {
        match crowd {
            Some(crowd) => crowd.failed().await,
            None => std::future::pending().await,
        }
    };
    let gone = async {
        while !tree.is_empty() {
            faults.clock.sleep(Span::millis(2)).await;
        }
    };
    let either = async {
        tokio::select! {
            biased;
            () = gone => Ok(()),
            why = failed => Err(why),
        }
    };
    match faults.unless_stopped(deadline, either).await {
        Some(Ok(())) => Ok(true),
        Some(Err(why)) => Err(why),
        None => Ok(false),
    }
}

/// Lifts the limits, starts those again that are gone, and waits until all are ready.
pub(super) async fn heal(faults: &Faults, starved: &[Starved]) -> Result<Vec<Sight>, Vec<Sight>> {
    let journal = faults.journal.clone();
    let undos: Vec<UndoId> = starved.iter().map(|one| one.undo).collect();
    let lift =
        move || -> Vec<Sight> { undos.into_iter().filter_map(|undo| journal.undo(undo).err()).map(said).collect() };
    let failed = blocking(lift).await.map_err(|why| vec![why])?;
    let is_gone = |id: &ProcessId| faults.platform.process(*id).is_some_and(|process| process.is_gone());
    let gone: Vec<ProcessId> = starved.iter().map(|one| one.process).filter(is_gone).collect();
    let started = kill::heal(faults, &gone).await;
    match started {
        Ok(proofs) if failed.is_empty() => Ok(proofs),
        started => Err([failed, started.err().unwrap_or_default()].concat()),
    }
}
