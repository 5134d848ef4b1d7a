//! A wall clock that is off, of a process that the drill started with `clock: skewable`: the file from which libfaketime reads by how
//! much is written, and set back. It bites when every process of the tree has the library, and a program that is started as it is sees
//! the other time. Whether the `date` of its answers has moved is looked at and told, and proves nothing when it has not: many
//! servers keep it until a clock that went back is where it was.
//!
//! That the clock is set right is in the journal before.

use std::sync::Arc;

use super::{Faults, Kind, blocking, said};
use crate::base::host;
use crate::base::units::{At, Offset, Span};
use crate::plan::ProcessId;
use crate::platform::{Dial, Process};
use crate::record::Sight;
use crate::undo::{Action, UndoId};

/// How far what is seen may be off what is wanted: a date has whole seconds.
const NEAR: i64 = 2;
/// How long it may take, once the clock is set right, until that is seen.
const RIGHT: Span = Span::seconds(10);

/// How long answers are given to show it.
const DATED: Span = Span::seconds(2);

type Held = Vec<(ProcessId, UndoId)>;

/// `lasts`: how long it may take until it is seen.
pub(super) async fn inject(
    faults: &Faults,
    processes: &[ProcessId],
    by: Offset,
    lasts: Span,
) -> Result<(Kind, Vec<Sight>), Vec<Sight>> {
    let deadline = faults.clock.now() + lasts;
    let (mut skewed, mut proofs) = (Held::new(), Vec::new());
    for process in faults.living(processes)? {
        match skew(faults, process, by, deadline, &mut skewed).await {
            Ok(proof) => proofs.push(proof),
            Err(why) => {
                let more = set_right(faults, &skewed).await.err().unwrap_or_default();
                return Err([vec![why], more].concat());
            }
        }
    }
    Ok((Kind::Skew { skewed }, proofs))
}

async fn skew(
    faults: &Faults,
    process: &Arc<Process>,
    by: Offset,
    deadline: At,
    skewed: &mut Held,
) -> Result<Sight, Sight> {
    let id = process.id();
    let dial = process.dial().ok_or(Sight::NotSkewable { process: id })?.clone();
    all_listen(process, &dial)?;
    let before = process.answered_date().await;
    let action = Action::Clock { name: process.name().to_owned(), file: dial.file().to_owned() };
    let journal = faults.journal.clone();
    let undo = blocking(move || journal.plan(action)).await?.map_err(said)?;
    skewed.push((id, undo));
    let file = dial.file().to_owned();
    blocking(move || host::set_skew(&file, by.as_nanos())).await?.map_err(said)?;
    let wanted = by.as_nanos() / 1_000_000_000;
    let looked = faults.unless_stopped(deadline, seen(faults, process, wanted, before)).await;
    let dated = looked.unwrap_or(Err(Sight::ClockStands { process: id }))?;
    // Whoever was born meanwhile too.
    all_listen(process, &dial)?;
    Ok(Sight::Skewed { process: id, seconds: wanted, dated })
}

/// Nobody of the tree has a clock that cannot be told another time.
fn all_listen(process: &Process, dial: &Dial) -> Result<(), Sight> {
    let id = process.id();
    let tree = process.tree().ok_or(Sight::GoneAlready { process: id })?;
    for member in tree.members() {
        if member.has_loaded(dial.library()) == Some(false) {
            return Err(Sight::NotLoaded { process: id, pid: member.pid });
        }
    }
    Ok(())
}

/// Waits until its clock is off by so many seconds. Says whether its answers tell so too, which may take them a moment.
async fn seen(faults: &Faults, process: &Arc<Process>, wanted: i64, before: Option<i64>) -> Result<bool, Sight> {
    let mut told_at = None;
    loop {
        let looker = process.clone();
        let off = blocking(move || looker.look_at_clock()).await?.map_err(said)?;
        if (off / 1_000_000_000 - wanted).abs() <= NEAR {
            let Some(before) = before else { return Ok(false) };
            let now = process.answered_date().await;
            if now.is_some_and(|now| (now - before - wanted).abs() <= NEAR) {
                return Ok(true);
            }
            let told_at = *told_at.get_or_insert(faults.clock.now());
            if faults.clock.now().since(told_at) >= DATED {
                return Ok(false);
            }
        }
        faults.clock.sleep(Span::millis(20)).await;
    }
}

pub(super) async fn heal(faults: &Faults, skewed: &[(ProcessId, UndoId)]) -> Result<Vec<Sight>, Vec<Sight>> {
    set_right(faults, skewed).await?;
    let (mut proofs, mut failed) = (Vec::new(), Vec::new());
    for process in skewed.iter().filter_map(|(id, _)| faults.platform.process(*id)) {
        let id = process.id();
        match faults.clock.timeout(RIGHT, seen(faults, process, 0, None)).await {
            Ok(Ok(_)) => proofs.push(Sight::ClockRight { process: id }),
            Ok(Err(why)) => failed.push(why),
            Err(_) => failed.push(Sight::ClockStands { process: id }),
        }
    }
    if failed.is_empty() { Ok(proofs) } else { Err(failed) }
}

/// All are tried, also when one cannot be set right.
async fn set_right(faults: &Faults, skewed: &[(ProcessId, UndoId)]) -> Result<(), Vec<Sight>> {
    let journal = faults.journal.clone();
    let undos: Vec<UndoId> = skewed.iter().map(|(_, undo)| *undo).collect();
    let undo_all =
        move || -> Vec<Sight> { undos.into_iter().filter_map(|undo| journal.undo(undo).err()).map(said).collect() };
    let failed = blocking(undo_all).await.map_err(|why| vec![why])?;
    if failed.is_empty() { Ok(()) } else { Err(failed) }
}
