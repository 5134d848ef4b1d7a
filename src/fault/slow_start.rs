//! A process that comes up late, and slow: killed, started again only after a while, and then let run a tenth of the time, until the
//! fault is healed. So whoever depends on it meets it in three ways: gone, there and far too slow for what waits for it,
//! and well; `kill` knows the first and the last alone.
//!
//! That it may stand still is in the journal before it is killed.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Faults, Kind, blocking, kill, said};
use crate::base::units::Span;
use crate::plan::ProcessId;
use crate::platform::Process;
use crate::record::Sight;
use crate::undo::{Action, UndoId};

/// In turn: long enough that whoever waits for an answer notices.
const STILL: Span = Span::millis(450);
const RUNS: Span = Span::millis(50);

/// Processes that come up slowly.
#[derive(Debug)]
pub(super) struct Slow {
    undos: Vec<UndoId>,
    stop: watch::Sender<bool>,
    tasks: Vec<(ProcessId, JoinHandle<Result<Sight, Sight>>)>,
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.tasks.iter().for_each(|(_, task)| task.abort());
    }
}

/// To be called within a `LocalSet`. It bites when they are gone.
pub(super) async fn inject(
    faults: &Faults,
    processes: &[ProcessId],
    by: Span,
) -> Result<(Kind, Vec<Sight>), Vec<Sight>> {
    let mut undos = Vec::new();
    for process in faults.living(processes)? {
        match write_down(faults, process).await {
            Ok(undo) => undos.push(undo),
            Err(why) => return Err([vec![why], undo(faults, undos).await].concat()),
        }
    }
    let proofs = match kill::inject(faults, processes, kill::Way::Kill).await {
        Ok((_, proofs)) => proofs,
        Err(why) => return Err([why, undo(faults, undos).await].concat()),
    };
    let (stop, stopped) = watch::channel(false);
    let slow = |id: &ProcessId| (*id, tokio::task::spawn_local(come_up(faults.clone(), *id, by, stopped.clone())));
    let tasks = processes.iter().map(slow).collect();
    Ok((Kind::SlowStart { slow: Slow { undos, stop, tasks } }, proofs))
}

async fn write_down(faults: &Faults, process: &Arc<Process>) -> Result<UndoId, Sight> {
    let mut tree = process.tree().ok_or(Sight::GoneAlready { process: process.id() })?;
    // It is another process that will stand still, known by its folder or its mark.
    tree.root = None;
    let action = Action::Thaw { name: process.name().to_owned(), tree };
    let journal = faults.journal.clone();
    blocking(move || journal.plan(action)).await?.map_err(said)
}

/// Starts it after a while, and lets it run now and then until it is told to stop.
async fn come_up(faults: Faults, id: ProcessId, by: Span, mut stop: watch::Receiver<bool>) -> Result<Sight, Sight> {
    let process = faults.platform.process(id).ok_or(Sight::NoTarget)?.clone();
    let mut wait = async |span: Span| {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => true,
            () = faults.clock.sleep(span) => false,
        }
    };
    let ended = wait(by).await;
    process.launch_again().await.map_err(said)?;
    let (begun, mut still) = (faults.clock.now(), Span::ZERO);
    let mut ended = ended;
    while !ended {
        let from = faults.clock.now();
        if !process.freeze().await.map_err(said)? {
            return Err(Sight::Moves { process: id });
        }
        ended = wait(STILL).await;
        process.thaw().await.map_err(said)?;
        still += faults.clock.now().since(from);
        ended = ended || wait(RUNS).await;
    }
    let whole = faults.clock.now().since(begun).as_seconds_f64().max(f64::MIN_POSITIVE);
    let ran = (1.0 - still.as_seconds_f64() / whole).clamp(0.0, 1.0);
    Ok(Sight::CameUp { process: id, ran })
}

/// Lets them run, starts those that were not started yet, and waits until all are ready.
pub(super) async fn heal(faults: &Faults, mut slow: Slow) -> Result<Vec<Sight>, Vec<Sight>> {
    slow.stop.send_replace(true);
    let (mut proofs, mut failed) = (Vec::new(), Vec::new());
    for (_, task) in &mut slow.tasks {
        match task.await.map_err(said) {
            Ok(Ok(proof)) => proofs.push(proof),
            Ok(Err(why)) | Err(why) => failed.push(why),
        }
    }
    failed.extend(undo(faults, std::mem::take(&mut slow.undos)).await);
    for process in slow.tasks.iter().filter_map(|(id, _)| faults.platform.process(*id)) {
        match process.come_up().await {
            Ok(pid) => proofs.push(Sight::Ready { process: process.id(), pid }),
            Err(why) => failed.push(said(why)),
        }
    }
    if failed.is_empty() { Ok(proofs) } else { Err(failed) }
}

/// What could not be undone.
async fn undo(faults: &Faults, undos: Vec<UndoId>) -> Vec<Sight> {
    let journal = faults.journal.clone();
    let undo_all = move || undos.into_iter().filter_map(|undo| journal.undo(undo).err()).map(said).collect();
    blocking(undo_all).await.unwrap_or_else(|why| vec![why])
}
