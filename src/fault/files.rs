//! No file more: the soft limit of open files of a whole tree is lowered to what it has open, so that new files and new connections
//! fail; healed by giving each process its own limit back, and waiting until it is ready.
//!
//! What had been open stays; what is closed meanwhile could be opened again, so the limit follows down until a new connection was
//! seen not to be answered. Each limit is in the journal before it is lowered.

use std::sync::Arc;

use super::{Faults, Kind, blocking, said};
use crate::base::host::Resource;
use crate::base::units::{At, Span};
use crate::plan::ProcessId;
use crate::platform::Process;
use crate::record::Sight;
use crate::undo::{Action, Lowered, UndoId};

type Held = Vec<(ProcessId, UndoId)>;

/// `lasts`: how long it may take until it is seen.
pub(super) async fn inject(
    faults: &Faults,
    processes: &[ProcessId],
    lasts: Span,
) -> Result<(Kind, Vec<Sight>), Vec<Sight>> {
    let deadline = faults.clock.now() + lasts;
    let (mut exhausted, mut proofs) = (Held::new(), Vec::new());
    for process in faults.living(processes)? {
        match exhaust(faults, process, deadline, &mut exhausted).await {
            Ok(proof) => proofs.push(proof),
            Err(why) => {
                let more = restore(faults, &exhausted).await.err().unwrap_or_default();
                return Err([vec![why], more].concat());
            }
        }
    }
    Ok((Kind::Files { exhausted }, proofs))
}

async fn exhaust(faults: &Faults, process: &Arc<Process>, deadline: At, exhausted: &mut Held) -> Result<Sight, Sight> {
    let id = process.id();
    let mut known = Vec::new();
    loop {
        write_down(faults, process, &mut known, exhausted).await?;
        let (one, members) = (process.clone(), known.clone());
        let files = blocking(move || lower(&one, &members)).await??;
        if !process.tells_ready() {
            if let Some(files) = files {
                return Ok(Sight::Exhausted { process: id, files, answers: None });
            }
        } else {
            let answered = faults.unless_stopped(deadline, process.is_ready()).await;
            match (answered, files) {
                (Some(false), Some(files)) => {
                    return Ok(Sight::Exhausted { process: id, files, answers: Some(false) });
                }
                // It could not live with it.
                (Some(false), None) if process.is_gone() => {
                    return Ok(Sight::Gone { process: id, members: known.len() as u64 });
                }
                (Some(_), _) => {}
                (None, _) if *faults.stopped.borrow() => return Err(Sight::NeverSeen),
                (None, _) => {}
            }
        }
        if faults.clock.now() >= deadline {
            return Err(Sight::StillAnswers { process: id });
        }
        faults.clock.sleep(Span::millis(5)).await;
    }
}

/// Those of the tree who are not in the journal yet get into it.
async fn write_down(
    faults: &Faults,
    process: &Arc<Process>,
    known: &mut Vec<Lowered>,
    exhausted: &mut Held,
) -> Result<(), Sight> {
    let tree = process.tree().ok_or(Sight::GoneAlready { process: process.id() })?;
    let mut before = Vec::new();
    for member in tree.members() {
        if known.iter().all(|one| one.process != member)
            && let Some(limits) = member.limits(Resource::Files).map_err(said)?
        {
            // Of one that was born since, this may be the lowered limit already.
            let soft = known.iter().map(|one| one.before).fold(limits.soft, u64::max);
            before.push(Lowered { process: member, before: soft });
        }
    }
    if before.is_empty() {
        return Ok(());
    }
    known.extend(before.iter().copied());
    let action = Action::Limits { name: process.name().to_owned(), tree, resource: Resource::Files, before };
    let journal = faults.journal.clone();
    let undo = blocking(move || journal.plan(action)).await?.map_err(said)?;
    exhausted.push((process.id(), undo));
    Ok(())
}

/// Lowers the limits of those who are known to what they have open. Gives the greatest, once all read back so and nobody has a
/// number left.
fn lower(process: &Process, known: &[Lowered]) -> Result<Option<u64>, Sight> {
    let mut most = None;
    for member in known.iter().map(|one| one.process).filter(|one| one.is_alive()) {
        let Some(next) = member.next_file() else {
            return Err(said(format!(
                "the open files of process {} of {} may not be looked at",
                member.pid,
                process.name()
            )));
        };
        if !member.set_soft_limit(Resource::Files, next).map_err(said)? {
            continue;
        }
        let now = member.limits(Resource::Files).map_err(said)?;
        if now.is_some_and(|now| now.soft != next) || member.next_file().is_some_and(|free| free < next) {
            return Ok(None);
        }
        most = most.max(Some(next));
    }
    let all = process
        .tree()
        .is_some_and(|tree| tree.members().iter().all(|member| known.iter().any(|one| one.process == *member)));
    Ok(most.filter(|_| all))
}

pub(super) async fn heal(faults: &Faults, exhausted: &[(ProcessId, UndoId)]) -> Result<Vec<Sight>, Vec<Sight>> {
    restore(faults, exhausted).await?;
    let (mut proofs, mut failed) = (Vec::new(), Vec::new());
    let mut processes: Vec<ProcessId> = exhausted.iter().map(|(id, _)| *id).collect();
    processes.dedup();
    for process in processes.iter().filter_map(|id| faults.platform.process(*id)) {
        // One that could not live with it is started again.
        let gone = process.is_gone();
        let ready = if gone { process.start_again().await } else { process.wait_ready().await };
        match ready {
            Ok(()) if gone => {
                let pid = process.tree().and_then(|tree| tree.root).map_or(0, |root| root.pid);
                proofs.push(Sight::Ready { process: process.id(), pid });
            }
            Ok(()) => proofs.push(Sight::Relieved { process: process.id() }),
            Err(why) => failed.push(said(why)),
        }
    }
    if failed.is_empty() { Ok(proofs) } else { Err(failed) }
}

/// All are tried, also when one does not get its limit back.
async fn restore(faults: &Faults, exhausted: &[(ProcessId, UndoId)]) -> Result<(), Vec<Sight>> {
    let journal = faults.journal.clone();
    let undos: Vec<UndoId> = exhausted.iter().map(|(_, undo)| *undo).collect();
    let undo_all =
        move || -> Vec<Sight> { undos.into_iter().filter_map(|undo| journal.undo(undo).err()).map(said).collect() };
    let failed = blocking(undo_all).await.map_err(|why| vec![why])?;
    if failed.is_empty() { Ok(()) } else { Err(failed) }
}
