//! KILL to the whole tree, healed by starting it again at its address and in its folder, and waiting until it is ready.
//!
//! What would have to be undone is the start, which is in the journal since before the first one, for all of them.

use super::{Faults, Kind, counted, listed};
use crate::plan::ProcessId;

pub(super) async fn inject(faults: &Faults, processes: &[ProcessId]) -> Result<(Kind, String), String> {
    let targets = faults.living(processes)?;
    if let Some(foreign) = targets.iter().find(|process| !process.is_ours()) {
        return Err(format!("{} runs outside the drill, which could not start it again", foreign.name()));
    }
    let mut killed = Vec::new();
    let mut proofs = Vec::new();
    for process in targets {
        let members = process.tree().map_or(0, |tree| tree.members().len());
        let died = process.kill().await;
        if died.is_ok() && process.is_gone() {
            killed.push(process.id());
            proofs.push(format!("{} is gone ({})", process.name(), counted(members)));
            continue;
        }
        let why = died.err().map_or_else(|| format!("{} still lives", process.name()), |error| error.to_string());
        return Err(match heal(faults, &killed).await {
            Ok(_) => why,
            Err(more) => format!("{why}; {more}"),
        });
    }
    Ok((Kind::Kill { processes: killed }, listed(&proofs)))
}

/// In the plan's order, since later ones may need earlier ones. All are tried, also when one does not come up.
pub(super) async fn heal(faults: &Faults, processes: &[ProcessId]) -> Result<String, String> {
    let mut order = processes.to_vec();
    order.sort_unstable();
    let (mut proofs, mut failed) = (Vec::new(), Vec::new());
    for id in order {
        let Some(process) = faults.platform.process(id) else { continue };
        match process.start_again().await {
            Ok(()) => {
                let pid = process.tree().and_then(|tree| tree.root).map_or(0, |root| root.pid);
                proofs.push(format!("{} is ready again as pid {pid}", process.name()));
            }
            Err(error) => failed.push(error.to_string()),
        }
    }
    if failed.is_empty() { Ok(listed(&proofs)) } else { Err(failed.join("; ")) }
}
