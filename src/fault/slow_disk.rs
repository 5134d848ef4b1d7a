//! A slow disk: the whole tree is in a cgroup folder that the kernel lets write, and read, so many bytes a second at the most, on the disk
//! that its own folder lies on. It bites when a process of ours in that folder was seen to be as slow, and faster outside of it;
//! it is gone when one in the tree's place is fast again.
//!
//! With version 1 of the kernel's controllers only what is written through at once (fsync, direct writes) is slowed, as
//! databases write. The folder is in the journal before it is made.

use std::sync::Arc;

use super::{Faults, Kind, blocking, memory, said, strain};
use crate::agent::Strain;
use crate::base::host::{Controller, Device, Group, Speed};
use crate::base::units::{At, Flow, Size, Span};
use crate::plan::{FaultId, ProcessId};
use crate::platform::Process;
use crate::record::Sight;
use crate::undo::{Action, UndoId};

/// Slowed is who comes to no more than so many times the limit, and to so many times that outside of it.
const NEAR: f64 = 1.5;
const APART: f64 = 1.2;
/// How long it may take after it was lifted until a write is seen to be fast.
const FAST_AGAIN: Span = Span::seconds(20);

/// What is asked of the disk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pub(super) write: Flow,
    pub(super) read: Option<Flow>,
}

/// A tree whose disk is slow.
#[derive(Debug)]
pub(super) struct Slowed {
    process: ProcessId,
    number: FaultId,
    limit: Limit,
    seen: Speed,
    undo: UndoId,
}

/// `lasts`: how long it may take until it is seen.
pub(super) async fn inject(
    faults: &Faults,
    number: FaultId,
    id: ProcessId,
    limit: Limit,
    lasts: Span,
) -> Result<(Kind, Vec<Sight>), Vec<Sight>> {
    let process =
        faults.living(&[id])?.first().map(|process| Arc::clone(process)).ok_or_else(|| vec![Sight::NoTarget])?;
    let deadline = faults.clock.now() + lasts;
    let mut planned = None;
    match slow(faults, number, &process, limit, deadline, &mut planned).await {
        Ok((seen, proof, undo)) => {
            Ok((Kind::SlowDisk { slowed: Slowed { process: id, number, limit, seen, undo } }, vec![proof]))
        }
        Err(why) => {
            let more = match planned {
                Some(undo) => lift(faults, undo).await.err(),
                None => None,
            };
            Err([why].into_iter().chain(more).collect())
        }
    }
}

async fn slow(
    faults: &Faults,
    number: FaultId,
    process: &Arc<Process>,
    limit: Limit,
    deadline: At,
    planned: &mut Option<UndoId>,
) -> Result<(Speed, Sight, UndoId), Sight> {
    let id = process.id();
    let tree = process.tree().ok_or(Sight::GoneAlready { process: id })?;
    let folder = process.folder().ok_or(Sight::NoTarget)?;
    let device = Device::below(folder).map_err(said)?;
    let group = Group::find(Controller::Disk, &faults.journal.marker(process.name())).map_err(said)?;
    let before = measure(faults, number, process, None, limit, Some(deadline)).await?;
    let action = Action::Group { name: process.name().to_owned(), group: group.clone() };
    let journal = faults.journal.clone();
    let undo = blocking(move || journal.plan(action)).await?.map_err(said)?;
    *planned = Some(undo);
    let inside = group.clone();
    let prepare = move || {
        inside.create()?;
        memory::gather(&inside, &tree)?;
        inside.limit_disk(&device, limit.write.0, limit.read.map(|read| read.0))
    };
    blocking(prepare).await?.map_err(said)?;
    let after = measure(faults, number, process, Some(group), limit, Some(deadline)).await?;
    let slowed = |before: f64, after: f64, limit: Flow| after <= limit.0 as f64 * NEAR && before >= after * APART;
    let writes = slowed(before.write, after.write, limit.write);
    let reads = limit.read.is_none_or(|limit| slowed(before.read, after.read, limit));
    if writes && reads {
        let read = limit.read.map(|_| after.read as u64);
        return Ok((
            after,
            Sight::SlowDisk { process: id, before: before.write as u64, write: after.write as u64, read },
            undo,
        ));
    }
    Err(Sight::DiskNotSlowed { process: id, before: before.write as u64, now: after.write as u64 })
}

/// How fast a process of ours writes through to the process's own folder and reads back, in its group or outside.
async fn measure(
    faults: &Faults,
    number: FaultId,
    process: &Arc<Process>,
    group: Option<Group>,
    limit: Limit,
    deadline: Option<At>,
) -> Result<Speed, Sight> {
    let folder = process.folder().ok_or(Sight::NoTarget)?.to_owned();
    // Half a second's worth, and no more than a disk can be troubled with.
    let most = limit.write.0.max(limit.read.map_or(0, |read| read.0));
    let size = Size((most / 2).clamp(8 << 10, 64 << 20));
    let wanted = Strain::Write { group, folder, size, read: limit.read.is_some() };
    let strained = strain::order(faults, format!("disk-{number}"), wanted).await?;
    let told = match deadline {
        Some(deadline) => faults.unless_stopped(deadline, strained.wrote()).await,
        None => Some(strained.wrote().await),
    };
    strain::end(faults, strained).await.map_err(|why| why.into_iter().next().unwrap_or(Sight::HarnessFailed))?;
    told.unwrap_or(Err(Sight::NeverSeen))
}

async fn lift(faults: &Faults, undo: UndoId) -> Result<(), Sight> {
    let journal = faults.journal.clone();
    blocking(move || journal.undo(undo)).await?.map_err(said)
}

pub(super) async fn heal(faults: &Faults, slowed: Slowed) -> Result<Vec<Sight>, Vec<Sight>> {
    lift(faults, slowed.undo).await.map_err(|why| vec![why])?;
    let process = faults.platform.process(slowed.process).ok_or_else(|| vec![Sight::NoTarget])?;
    if process.is_gone() {
        return Err(vec![Sight::Ended { process: slowed.process }]);
    }
    let deadline = faults.clock.now() + FAST_AGAIN;
    loop {
        // Where the tree is again, we are too.
        let now = measure(faults, slowed.number, process, None, slowed.limit, Some(deadline)).await;
        let now = now.map_err(|why| vec![why])?;
        if now.write >= slowed.seen.write * APART {
            return Ok(vec![Sight::FastDisk { process: slowed.process, write: now.write as u64 }]);
        }
        if faults.clock.now() >= deadline || *faults.stopped.borrow() {
            let (before, now) = (slowed.seen.write as u64, now.write as u64);
            return Err(vec![Sight::DiskStaysSlow { process: slowed.process, before, now }]);
        }
    }
}
