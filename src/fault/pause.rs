//! The whole tree stopped by the kernel, healed by letting it go on. Its sockets stay open meanwhile: whoever asks it
//! waits.

use std::sync::Arc;

use super::{Faults, Kind, counted, listed};
use crate::plan::ProcessId;
use crate::platform::Process;
use crate::undo::{Action, UndoId};

pub(super) async fn inject(faults: &Faults, processes: &[ProcessId]) -> Result<(Kind, String), String> {
    let targets = faults.living(processes)?;
    let mut paused = Vec::new();
    let mut proofs = Vec::new();
    for process in targets {
        match freeze(faults, process, &mut paused).await {
            Ok(proof) => proofs.push(proof),
            Err(why) => {
                return Err(match thaw(faults, &paused).await {
                    Ok(()) => why,
                    Err(more) => format!("{why}; {more}"),
                });
            }
        }
    }
    Ok((Kind::Pause { paused }, listed(&proofs)))
}

async fn freeze(
    faults: &Faults,
    process: &Arc<Process>,
    paused: &mut Vec<(ProcessId, UndoId)>,
) -> Result<String, String> {
    let name = process.name();
    let tree = process.tree().ok_or_else(|| format!("{name} was gone already"))?;
    let undo = Action::Thaw { name: name.to_owned(), tree: tree.clone() };
    let journal = faults.journal.clone();
    // On disk, which may take a while, before it bites.
    let undo = blocking(move || journal.plan(undo)).await?.map_err(|error| error.to_string())?;
    paused.push((process.id(), undo));
    let frozen = process.freeze().await.map_err(|error| error.to_string())?;
    if frozen && tree.is_frozen() {
        return Ok(format!("{name} stands still ({})", counted(tree.members().len())));
    }
    Err(if process.is_gone() { format!("{name} ended meanwhile") } else { format!("{name} would not stand still") })
}

pub(super) async fn heal(faults: &Faults, paused: &[(ProcessId, UndoId)]) -> Result<String, String> {
    thaw(faults, paused).await?;
    let (mut proofs, mut failed) = (Vec::new(), Vec::new());
    for (id, _) in paused {
        let Some(process) = faults.platform.process(*id) else { continue };
        match process.tree() {
            Some(tree) if tree.is_frozen() => failed.push(format!("{} still stands still", process.name())),
            Some(tree) if !tree.is_empty() => {
                proofs.push(format!("{} goes on ({})", process.name(), counted(tree.members().len())));
            }
            _ => failed.push(format!("{} is gone: it ended while it was paused", process.name())),
        }
    }
    if failed.is_empty() { Ok(listed(&proofs)) } else { Err(failed.join("; ")) }
}

/// All are tried, also when one cannot be let go on.
async fn thaw(faults: &Faults, paused: &[(ProcessId, UndoId)]) -> Result<(), String> {
    let journal = faults.journal.clone();
    let undos: Vec<UndoId> = paused.iter().map(|(_, undo)| *undo).collect();
    let undo_all = move || -> Vec<String> {
        undos.into_iter().filter_map(|undo| journal.undo(undo).err()).map(|error| error.to_string()).collect()
    };
    let failed = blocking(undo_all).await?;
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())
}
