//! Processes restarted one after another, as a rollout does it: TERM (KILL after the grace period), and started again at once. The
//! restarts are spread evenly over the time that the fault lasts, and each begins when the one before is ready.
//!
//! What would have to be undone is the start, which is in the journal since before the first one, for all of them.

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Faults, Kind, said};
use crate::base::units::{At, Span};
use crate::plan::ProcessId;
use crate::record::Sight;

/// A restart of all of them that goes on.
#[derive(Debug)]
pub(super) struct Rolling {
    /// False once no further one is to be restarted.
    on: watch::Sender<bool>,
    /// When the last of them is due.
    last: At,
    task: JoinHandle<Result<Vec<Sight>, Vec<Sight>>>,
}

impl Drop for Rolling {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// To be called within a `LocalSet`. It bites when the first of them has ended.
pub(super) async fn inject(
    faults: &Faults,
    processes: &[ProcessId],
    lasts: Span,
) -> Result<(Kind, Vec<Sight>), Vec<Sight>> {
    let targets = faults.living(processes)?;
    if let Some(foreign) = targets.iter().find(|process| !process.is_ours()) {
        return Err(vec![Sight::Foreign { process: foreign.id() }]);
    }
    let first = processes.first().copied().ok_or_else(|| vec![Sight::NoTarget])?;
    let proof = match end(faults, first).await {
        Ok(proof) => proof,
        Err(why) => {
            let more = start(faults, first).await.err();
            return Err([why].into_iter().chain(more).collect());
        }
    };
    let (on, turned) = watch::channel(true);
    let task = tokio::task::spawn_local(roll(faults.clone(), processes.to_vec(), lasts, turned));
    let last = due(faults.clock.now(), lasts, processes.len() - 1, processes.len());
    Ok((Kind::Restart { rolling: Rolling { on, last, task } }, vec![proof]))
}

async fn end(faults: &Faults, id: ProcessId) -> Result<Sight, Sight> {
    let process = faults.platform.process(id).ok_or(Sight::NoTarget)?;
    let members = process.tree().map_or(0, |tree| tree.members().len() as u64);
    faults.end(process, process.end()).await?;
    if process.is_gone() { Ok(Sight::Gone { process: id, members }) } else { Err(Sight::Lives { process: id }) }
}

/// Starts one that has ended; fine when it lives.
async fn start(faults: &Faults, id: ProcessId) -> Result<Sight, Sight> {
    let process = faults.platform.process(id).ok_or(Sight::NoTarget)?;
    if process.is_gone() {
        process.start_again().await.map_err(said)?;
    }
    let pid = process.tree().and_then(|tree| tree.root).map_or(0, |root| root.pid);
    Ok(Sight::Ready { process: id, pid })
}

/// The first one has ended. What has been ended is started in any case.
async fn roll(
    faults: Faults,
    processes: Vec<ProcessId>,
    lasts: Span,
    mut on: watch::Receiver<bool>,
) -> Result<Vec<Sight>, Vec<Sight>> {
    let begun = faults.clock.now();
    let (mut proofs, mut failed) = (Vec::new(), Vec::new());
    for (index, id) in processes.iter().copied().enumerate() {
        if index > 0 {
            let due = due(begun, lasts, index, processes.len());
            tokio::select! {
                biased;
                _ = on.wait_for(|on| !on) => break,
                () = faults.clock.sleep_until(due) => {}
            }
            if let Err(why) = end(&faults, id).await {
                // One that has died meanwhile has not been restarted, and is started all the same.
                failed.push(why);
            }
        }
        match start(&faults, id).await {
            Ok(proof) => proofs.push(proof),
            Err(why) => failed.push(why),
        }
    }
    if failed.is_empty() { Ok(proofs) } else { Err(failed) }
}

/// When number `index` of `count` is due.
fn due(begun: At, lasts: Span, index: usize, count: usize) -> At {
    let nanos = u128::from(lasts.as_nanos()) * index as u128 / count.max(1) as u128;
    begun + Span(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Waits until the last of them is ready; of a drill that is being stopped, or a fault that ends before the last is due, until the one
/// that is under way is.
pub(super) async fn heal(faults: &Faults, mut rolling: Rolling) -> Result<Vec<Sight>, Vec<Sight>> {
    if *faults.stopped.borrow() || faults.clock.now() < rolling.last {
        rolling.on.send_replace(false);
    }
    let mut stopped = faults.stopped.subscribe();
    loop {
        tokio::select! {
            biased;
            done = &mut rolling.task => return done.map_err(|why| vec![said(why)])?,
            // The sender is ours.
            _ = stopped.wait_for(|stopped| *stopped), if *rolling.on.borrow() => drop(rolling.on.send_replace(false)),
        }
    }
}
