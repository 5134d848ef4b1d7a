//! KILL or TERM to the whole tree, healed by starting it again at its address and in its folder, and waiting until it is ready.
//!
//! What would have to be undone is the start, which is in the journal since before the first one, for all of them.

use super::{Faults, Kind, said};
use crate::plan::ProcessId;
use crate::record::Sight;

/// How a process is made to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Kill,
    Terminate,
}

pub(super) async fn inject(
    faults: &Faults,
    processes: &[ProcessId],
    way: Way,
) -> Result<(Kind, Vec<Sight>), Vec<Sight>> {
    let targets = faults.living(processes)?;
    if let Some(foreign) = targets.iter().find(|process| !process.is_ours()) {
        return Err(vec![Sight::Foreign { process: foreign.id() }]);
    }
    let mut killed = Vec::new();
    let mut proofs = Vec::new();
    for process in targets {
        let members = process.tree().map_or(0, |tree| tree.members().len() as u64);
        let died = match way {
            Way::Kill => process.kill().await.map(|()| true).map_err(said),
            Way::Terminate => faults.end(process, process.terminate()).await,
        };
        if died.is_ok() && process.is_gone() {
            killed.push(process.id());
        }
        if died == Ok(true) && process.is_gone() {
            proofs.push(Sight::Gone { process: process.id(), members });
            continue;
        }
        let mut why = vec![match died {
            Err(why) => why,
            Ok(true) => Sight::Lives { process: process.id() },
            // Not by its own doing.
            Ok(false) => Sight::NeverSeen,
        }];
        why.extend(heal(faults, &killed).await.err().unwrap_or_default());
        return Err(why);
    }
    Ok((Kind::Kill { processes: killed }, proofs))
}

/// In the plan's order, since later ones may need earlier ones. All are tried, also when one does not come up.
pub(super) async fn heal(faults: &Faults, processes: &[ProcessId]) -> Result<Vec<Sight>, Vec<Sight>> {
    let mut order = processes.to_vec();
    order.sort_unstable();
    let (mut proofs, mut failed) = (Vec::new(), Vec::new());
    for id in order {
        let Some(process) = faults.platform.process(id) else { continue };
        match process.start_again().await {
            Ok(()) => {
                let pid = process.tree().and_then(|tree| tree.root).map_or(0, |root| root.pid);
                proofs.push(Sight::Ready { process: id, pid });
            }
            Err(error) => failed.push(said(error)),
        }
    }
    if failed.is_empty() { Ok(proofs) } else { Err(failed) }
}
