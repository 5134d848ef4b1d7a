//! A process that crashes again and again: killed, started, and killed again some time after it was ready, until it is healed.

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Faults, Kind, kill, said};
use crate::base::units::Span;
use crate::plan::ProcessId;
use crate::record::Sight;

/// A loop that goes on; it ends with this.
#[derive(Debug)]
pub(super) struct Looping {
    processes: Vec<ProcessId>,
    stop: watch::Sender<bool>,
    /// Gives how often they crashed after the first time.
    task: JoinHandle<u64>,
}

impl Drop for Looping {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// To be called within a `LocalSet`.
pub(super) async fn inject(
    faults: &Faults,
    processes: &[ProcessId],
    every: Span,
) -> Result<(Kind, Vec<Sight>), Vec<Sight>> {
    let (_, proofs) = kill::inject(faults, processes, kill::Way::Kill).await?;
    let (stop, stopped) = watch::channel(false);
    let task = tokio::task::spawn_local(crash(faults.clone(), processes.to_vec(), every, stopped));
    Ok((Kind::CrashLoop { looping: Looping { processes: processes.to_vec(), stop, task } }, proofs))
}

async fn crash(faults: Faults, processes: Vec<ProcessId>, every: Span, mut stopped: watch::Receiver<bool>) -> u64 {
    let mut crashes = 0;
    loop {
        // One that does not come up is tried again.
        let _ = kill::heal(&faults, &gone(&faults, &processes)).await;
        tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => return crashes,
            () = faults.clock.sleep(every) => {}
        }
        for process in processes.iter().filter_map(|id| faults.platform.process(*id)) {
            let _ = process.kill().await;
        }
        crashes += 1;
    }
}

fn gone(faults: &Faults, processes: &[ProcessId]) -> Vec<ProcessId> {
    let is_gone = |id: &ProcessId| faults.platform.process(*id).is_some_and(|process| process.is_gone());
    processes.iter().copied().filter(is_gone).collect()
}

pub(super) async fn heal(faults: &Faults, mut looping: Looping) -> Result<Vec<Sight>, Vec<Sight>> {
    looping.stop.send_replace(true);
    let times = (&mut looping.task).await.map_err(|why| vec![said(why)])?;
    let mut proofs = kill::heal(faults, &gone(faults, &looping.processes)).await?;
    for process in looping.processes.iter().filter_map(|id| faults.platform.process(*id)) {
        // Whoever came up by the loop itself is looked at once more.
        process.wait_ready().await.map_err(|why| vec![said(why)])?;
        proofs.push(Sight::Crashed { process: process.id(), times: times + 1 });
    }
    Ok(proofs)
}
