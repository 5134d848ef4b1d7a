//! Those in networks who ask for names are answered wrongly, late or not at all, by the drill's name server. It bites when each of
//! them has asked and was answered so; it is gone when a question from where each lives is answered rightly.
//!
//! Should the harness die, its name server is gone with it, and so are those who would ask it.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::{Faults, Kind, blocking, said};
use crate::base::host::Namespace;
use crate::base::units::{At, Span};
use crate::plan::{Answer, ProcessId};
use crate::platform::{Broken, NameServer};
use crate::record::Sight;

/// How often it is looked whether they have asked.
const LOOK: Span = Span::millis(10);
/// How long it may take until they are answered rightly.
const RIGHTLY: Span = Span::seconds(5);

/// Those who are misled.
#[derive(Debug)]
pub(super) struct Misled {
    server: Arc<NameServer>,
    broken: Arc<Broken>,
    askers: Vec<Asker>,
    /// What they are asked to look up at the end.
    name: String,
}

#[derive(Debug, Clone)]
struct Asker {
    process: ProcessId,
    address: Ipv4Addr,
    namespace: Namespace,
}

/// `lasts`: how long it may take until all of them have asked; who has not by then had no need of names.
pub(super) async fn inject(
    faults: &Faults,
    processes: &[ProcessId],
    names: &[String],
    answer: Answer,
    lasts: Span,
) -> Result<(Kind, At, Vec<Sight>), Vec<Sight>> {
    let living = faults.living(processes)?;
    let nobody = || vec![Sight::NoTarget];
    let server = faults.platform.name_server().ok_or_else(nobody)?;
    let own = living.first().map(|process| process.name().to_ascii_lowercase());
    let name = names.first().cloned().or(own).ok_or_else(nobody)?;
    let asker = |id: &ProcessId| {
        let residence = faults.platform.residence(*id)?;
        Some(Asker { process: *id, address: residence.address, namespace: residence.namespace })
    };
    let askers = processes.iter().map(asker).collect::<Option<Vec<_>>>().ok_or_else(nobody)?;
    let addresses: Vec<Ipv4Addr> = askers.iter().map(|asker| asker.address).collect();
    let broken = server.mislead(&addresses, names, answer);
    let deadline = faults.clock.now() + lasts;
    let (mut from, mut unseen) = (At::START, Vec::new());
    for asker in &askers {
        match faults.unless_stopped(deadline, first(faults, &broken, asker.address)).await {
            Some(nanos) => from = from.max(faults.clock.at_monotonic(nanos)),
            None => unseen.push(Sight::NeverAsked { process: asker.process }),
        }
    }
    let misled = |asker: &Asker| {
        let times = broken.asked(asker.address).times;
        Sight::Misled { process: asker.process, times, answer }
    };
    let proofs = askers.iter().map(misled).collect();
    let misled = Misled { server, broken, askers, name };
    if unseen.is_empty() {
        return Ok((Kind::Dns { misled }, from, proofs));
    }
    unseen.extend(heal(faults, misled).await.err().unwrap_or_default());
    Err(unseen)
}

/// When it was misled first, by the machine's monotonic clock.
async fn first(faults: &Faults, broken: &Broken, address: Ipv4Addr) -> u64 {
    loop {
        let asked = broken.asked(address);
        if asked.times > 0 {
            return asked.first;
        }
        faults.clock.sleep(LOOK).await;
    }
}

pub(super) async fn heal(faults: &Faults, misled: Misled) -> Result<Vec<Sight>, Vec<Sight>> {
    let Misled { server, broken, askers, name } = misled;
    server.mend(&broken);
    let (mut proofs, mut failed) = (Vec::new(), Vec::new());
    let deadline = faults.clock.now() + RIGHTLY;
    for asker in askers {
        let process = asker.process;
        loop {
            let (server, name, namespace) = (server.clone(), name.clone(), asker.namespace.clone());
            let left = deadline.since(faults.clock.now());
            match blocking(move || server.is_right_from(&namespace, &name, left)).await {
                Ok(Ok(true)) => {
                    proofs.push(Sight::LedRight { process, times: broken.asked(asker.address).times });
                    break;
                }
                Ok(Ok(false)) if faults.clock.now() < deadline => faults.clock.sleep(LOOK).await,
                Ok(Ok(false)) => {
                    failed.push(Sight::StillMisled { process });
                    break;
                }
                Ok(Err(why)) => {
                    failed.push(said(why));
                    break;
                }
                Err(why) => {
                    failed.push(why);
                    break;
                }
            }
        }
    }
    if failed.is_empty() { Ok(proofs) } else { Err(failed) }
}
