//! Containers ended, paused or taken off their networks, by Docker. It bites when Docker tells of the container that it is so, and is
//! gone when Docker tells that it is not.

use super::means::standing;
use super::{Faults, Kind, blocking, said};
use crate::base::host::{Docker, Remedy};
use crate::base::units::Span;
use crate::plan::{Blow, Container, ContainerId};
use crate::record::{ContainerState, Sight};
use crate::undo::{Action, UndoId};

/// How long a container has to end after TERM, as with `docker stop`.
const GRACE: Span = Span::seconds(10);
/// Docker has waited until it has ended after KILL.
const AT_ONCE: Span = Span::SECOND;
/// How long a container that was well has to be so again.
const WELL: Span = Span::seconds(60);
const LOOK: Span = Span::millis(20);

/// A container that a blow was struck at.
#[derive(Debug)]
pub(super) struct Hurt {
    container: ContainerId,
    docker: Docker,
    /// Docker's.
    id: String,
    remedy: Remedy,
    undo: UndoId,
    was_well: bool,
}

pub(super) async fn inject(
    faults: &Faults,
    containers: &[ContainerId],
    blow: Blow,
    lasts: Span,
) -> Result<(Kind, Vec<Sight>), Vec<Sight>> {
    let deadline = faults.clock.now() + lasts.max(GRACE);
    let (mut hurt, mut proofs) = (Vec::new(), Vec::new());
    for container in containers {
        let struck = match strike(faults, *container, blow, &mut hurt).await {
            Ok(()) => match hurt.last() {
                Some(one) => faults.unless_stopped(deadline, seen(faults, one, blow)).await,
                None => None,
            },
            Err(why) => Some(Err(why)),
        };
        match struck.unwrap_or(Err(Sight::Container { container: *container, is: ContainerState::AsBefore })) {
            Ok(proof) => proofs.push(proof),
            Err(why) => {
                let more = bring_back(faults, &hurt).await.err().unwrap_or_default();
                return Err([vec![why], more].concat());
            }
        }
    }
    if hurt.is_empty() { Err(vec![Sight::NoTarget]) } else { Ok((Kind::Container { hurt }, proofs)) }
}

/// How it is undone is on disk before anything is done; what was planned is in `hurt` from then on.
async fn strike(faults: &Faults, id: ContainerId, blow: Blow, hurt: &mut Vec<Hurt>) -> Result<(), Sight> {
    let container = faults.platform.plan().containers.get(id.index()).ok_or(Sight::NoTarget)?.clone();
    let journal = faults.journal.clone();
    let plan = move || {
        let found = standing(&container, blow).map_err(said)?;
        let no = |is| Err(Sight::Container { container: id, is });
        if !found.running {
            return no(ContainerState::NotRunning);
        }
        if found.paused {
            return no(ContainerState::PausedBefore);
        }
        let remedy = match blow {
            Blow::Kill => Remedy::Start { since: found.started, within: AT_ONCE },
            Blow::Terminate => Remedy::Start { since: found.started, within: GRACE },
            Blow::Pause => Remedy::Unpause,
            Blow::Disconnect => Remedy::Connect(found.attached),
        };
        let Container { name, socket, .. } = container;
        let docker = Docker::at(&socket);
        let action = Action::Container { name, socket: socket.into(), id: found.id.clone(), remedy: remedy.clone() };
        let undo = journal.plan(action).map_err(said)?;
        Ok(Hurt { container: id, docker, id: found.id, remedy, undo, was_well: found.healthy == Some(true) })
    };
    let planned = blocking(plan).await??;
    let (docker, id, remedy) = (planned.docker.clone(), planned.id.clone(), planned.remedy.clone());
    hurt.push(planned);
    let act = move || match (blow, remedy) {
        (Blow::Kill, _) => docker.signal(&id, "KILL"),
        (Blow::Terminate, _) => docker.signal(&id, "TERM"),
        (_, Remedy::Connect(all)) => all.iter().try_for_each(|one| docker.disconnect(&id, &one.network)),
        _ => docker.pause(&id),
    };
    blocking(act).await?.map_err(said)
}

/// Waits until Docker tells that it is so.
async fn seen(faults: &Faults, one: &Hurt, blow: Blow) -> Result<Sight, Sight> {
    let sight = |is| Sight::Container { container: one.container, is };
    let began = faults.clock.now();
    loop {
        let (docker, id) = (one.docker.clone(), one.id.clone());
        let found = blocking(move || docker.allowed(&id)).await?.map_err(said)?;
        match blow {
            Blow::Kill | Blow::Terminate if !found.running => return Ok(sight(ContainerState::Ended)),
            Blow::Pause if found.running && found.paused => return Ok(sight(ContainerState::Paused)),
            Blow::Disconnect if found.attached.is_empty() => {
                let Remedy::Connect(all) = &one.remedy else { return Err(Sight::NoTarget) };
                return Ok(sight(ContainerState::CutOff { networks: all.len() as u32 }));
            }
            _ if faults.clock.now() > began + GRACE => return Err(sight(ContainerState::AsBefore)),
            _ => faults.clock.sleep(LOOK).await,
        }
    }
}

pub(super) async fn heal(faults: &Faults, hurt: Vec<Hurt>) -> Result<Vec<Sight>, Vec<Sight>> {
    bring_back(faults, &hurt).await?;
    let (mut proofs, mut failed) = (Vec::new(), Vec::new());
    for one in &hurt {
        match healed(faults, one).await {
            Ok(proof) => proofs.push(proof),
            Err(why) => failed.push(why),
        }
    }
    if failed.is_empty() { Ok(proofs) } else { Err(failed) }
}

/// Looks whether it is what it was. One that was well by its own health check is waited for.
async fn healed(faults: &Faults, one: &Hurt) -> Result<Sight, Sight> {
    let sight = |is| Sight::Container { container: one.container, is };
    let began = faults.clock.now();
    loop {
        let (docker, id) = (one.docker.clone(), one.id.clone());
        let found = blocking(move || docker.allowed(&id)).await?.map_err(said)?;
        if !found.running || one.remedy.is_wanted(&found) {
            return Err(sight(ContainerState::StaysHurt));
        }
        match &one.remedy {
            Remedy::Unpause => return Ok(sight(ContainerState::GoesOn)),
            Remedy::Connect(all) => return Ok(sight(ContainerState::Connected { networks: all.len() as u32 })),
            Remedy::Start { .. } if !one.was_well || found.healthy != Some(false) => {
                return Ok(sight(ContainerState::Runs));
            }
            Remedy::Start { .. } if faults.clock.now() > began + WELL => return Err(sight(ContainerState::Unwell)),
            Remedy::Start { .. } => faults.clock.sleep(LOOK).await,
        }
    }
}

/// All are tried, also when one cannot be brought back.
async fn bring_back(faults: &Faults, hurt: &[Hurt]) -> Result<(), Vec<Sight>> {
    let journal = faults.journal.clone();
    let undos: Vec<UndoId> = hurt.iter().map(|one| one.undo).collect();
    let undo_all =
        move || -> Vec<Sight> { undos.into_iter().filter_map(|undo| journal.undo(undo).err()).map(said).collect() };
    let failed = blocking(undo_all).await.map_err(|why| vec![why])?;
    if failed.is_empty() { Ok(()) } else { Err(failed) }
}
