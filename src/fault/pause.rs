//! The whole tree stopped by the kernel, healed by letting it go on. Its sockets stay open meanwhile: whoever asks it
//! waits.

use std::sync::Arc;

use super::{Faults, Kind, blocking, said};
use crate::plan::ProcessId;
use crate::platform::Process;
use crate::record::Sight;
use crate::undo::{Action, UndoId};

pub(super) async fn inject(faults: &Faults, processes: &[ProcessId]) -> Result<(Kind, Vec<Sight>), Vec<Sight>> {
    let targets = faults.living(processes)?;
    let mut paused = Vec::new();
    let mut proofs = Vec::new();
    for process in targets {
        match freeze(faults, process, &mut paused).await {
            Ok(proof) => proofs.push(proof),
            Err(why) => {
                let more = thaw(faults, &paused).await.err().unwrap_or_default();
                return Err([vec![why], more].concat());
            }
        }
    }
    Ok((Kind::Pause { paused }, proofs))
}

async fn freeze(
    faults: &Faults,
    process: &Arc<Process>,
    paused: &mut Vec<(ProcessId, UndoId)>,
) -> Result<Sight, Sight> {
    let id = process.id();
    let tree = process.tree().ok_or(Sight::GoneAlready { process: id })?;
    let undo = Action::Thaw { name: process.name().to_owned(), tree: tree.clone() };
    let journal = faults.journal.clone();
    // On disk, which may take a while, before it bites.
    let undo = blocking(move || journal.plan(undo)).await?.map_err(said)?;
    paused.push((id, undo));
    let frozen = process.freeze().await.map_err(said)?;
    if frozen && tree.is_frozen() {
        return Ok(Sight::Still { process: id, members: tree.members().len() as u64 });
    }
    Err(if process.is_gone() { Sight::Ended { process: id } } else { Sight::Moves { process: id } })
}

pub(super) async fn heal(faults: &Faults, paused: &[(ProcessId, UndoId)]) -> Result<Vec<Sight>, Vec<Sight>> {
    thaw(faults, paused).await?;
    let (mut proofs, mut failed) = (Vec::new(), Vec::new());
    for &(id, _) in paused {
        let Some(process) = faults.platform.process(id) else { continue };
        match process.tree() {
            Some(tree) if tree.is_frozen() => failed.push(Sight::StaysStill { process: id }),
            Some(tree) if !tree.is_empty() => {
                proofs.push(Sight::GoesOn { process: id, members: tree.members().len() as u64 });
            }
            _ => failed.push(Sight::Ended { process: id }),
        }
    }
    if failed.is_empty() { Ok(proofs) } else { Err(failed) }
}

/// All are tried, also when one cannot be let go on.
async fn thaw(faults: &Faults, paused: &[(ProcessId, UndoId)]) -> Result<(), Vec<Sight>> {
    let journal = faults.journal.clone();
    let undos: Vec<UndoId> = paused.iter().map(|(_, undo)| *undo).collect();
    let undo_all =
        move || -> Vec<Sight> { undos.into_iter().filter_map(|undo| journal.undo(undo).err()).map(said).collect() };
    let failed = blocking(undo_all).await.map_err(|why| vec![why])?;
    if failed.is_empty() { Ok(()) } else { Err(failed) }
}
