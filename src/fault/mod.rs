//! One file for each fault: inject it, prove that it bites, heal it, prove that it is gone.
//!
//! A fault is *effective* when it was observed to bite, *healed* when it was observed to be undone; an order alone is
//! worth nothing. One that finds its target gone already has no effect, which is data, not an error. What undoes it
//! should the harness die is in the journal before it bites.
//!
//! A new fault is a file here with its `inject` and `heal`, an arm in each `match` below, and a kind in `plan`.
//!
//! Leaves to others: when a fault is ordered and how long it lasts (`drill`), what it did to the traffic (`analysis`).

mod between;
mod container;
mod crash;
mod dns;
mod files;
mod kill;
mod link;
mod means;
mod memory;
#[cfg(test)]
mod network_tests;
mod pause;
mod restart;
mod run;
mod shape;
mod skew;
mod slow_disk;
mod slow_start;
mod strain;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::watch;

pub use means::Means;

use crate::agent::Strain;
use crate::base::clock::Clock;
use crate::base::units::{At, Span};
use crate::plan::{DiskOf, End, Fault, FaultId, FaultKind, LinkId, ProcessId, Undo};
use crate::platform::{Platform, PlatformError, Process};
use crate::proxy::{FlawId, Proxy};
use crate::record::Sight;
use crate::undo::{Journal, UndoId};

/// Injects and heals on one running platform. Cheap to clone.
#[derive(Clone)]
pub struct Faults {
    platform: Arc<Platform>,
    journal: Journal,
    clock: Clock,
    /// True once the drill is being stopped.
    stopped: watch::Sender<bool>,
}

/// Something that was observed: when, and what was seen, for a person who doubts it.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub at: At,
    pub proof: Vec<Sight>,
}

/// A fault that bites: what healing it needs.
#[must_use = "a fault that bites has to be healed"]
#[derive(Debug)]
pub struct Wound {
    kind: Kind,
    /// What the scenario says undoes it at the end of the drill, where it is left to the platform.
    settles: Option<UndoId>,
}

#[derive(Debug)]
enum Kind {
    Kill { processes: Vec<ProcessId> },
    Pause { paused: Vec<(ProcessId, UndoId)> },
    CrashLoop { looping: crash::Looping },
    Restart { rolling: restart::Rolling },
    Files { exhausted: Vec<(ProcessId, UndoId)> },
    Memory { starved: Vec<memory::Starved> },
    SlowStart { slow: slow_start::Slow },
    Skew { skewed: Vec<(ProcessId, UndoId)> },
    SlowDisk { slowed: slow_disk::Slowed },
    Strain { strained: strain::Strained },
    Run { undo: UndoId },
    Between { cut: between::Cut },
    Shape { slowed: Vec<shape::Slowed> },
    Dns { misled: dns::Misled },
    Container { hurt: Vec<container::Hurt> },
    Link { set: Vec<(LinkId, FlawId)>, proxy: Arc<Proxy> },
}

impl Faults {
    /// `clock` is the drill's.
    pub fn new(platform: Arc<Platform>, journal: Journal, clock: Clock) -> Faults {
        Faults { platform, journal, clock, stopped: watch::Sender::new(false) }
    }

    /// Injects a fault and waits until it was observed to bite all that it is aimed at. `Err` says why it did not;
    /// then nothing of it is in force any more. `id` is its number in the plan; what has not bitten within `lasts` is given up.
    pub async fn inject(&self, id: FaultId, fault: &Fault, lasts: Span) -> Result<(Wound, Seen), Vec<Sight>> {
        let (platform, kind) = (self.platform.clone(), fault.kind.clone());
        let lacks = move || {
            let (platform, here, program) = (platform.plan(), platform.here(), platform.program());
            Means { platform, here, program }.lacks(&kind)
        };
        if let Some(why) = blocking(lacks).await.map_err(|why| vec![why])? {
            return Err(vec![said(why)]);
        }
        // On disk before it bites, as every undo is.
        let settles = match &fault.end {
            End::Platform { undo: Undo::Run { command, check } } => {
                Some(run::plan_settling(self, &fault.name, command, check).await.map_err(|why| vec![why])?)
            }
            End::Platform { .. } | End::For(_) | End::Until(_) => None,
        };
        match self.bite(id, fault, lasts).await {
            Ok((kind, seen)) => Ok((Wound { kind, settles }, seen)),
            Err(mut why) => {
                // What never bit is not undone at the end of the drill.
                if let Some(undo) = settles {
                    why.extend(run::heal(self, undo).await.err().unwrap_or_default());
                }
                Err(why)
            }
        }
    }

    async fn bite(&self, id: FaultId, fault: &Fault, lasts: Span) -> Result<(Kind, Seen), Vec<Sight>> {
        let (kind, proof) = match &fault.kind {
            FaultKind::Kill { processes } => kill::inject(self, processes, kill::Way::Kill).await?,
            FaultKind::Terminate { processes } => kill::inject(self, processes, kill::Way::Terminate).await?,
            FaultKind::CrashLoop { processes, every } => crash::inject(self, processes, *every).await?,
            FaultKind::Restart { processes } => restart::inject(self, processes, lasts).await?,
            FaultKind::Pause { processes } => pause::inject(self, processes).await?,
            FaultKind::ExhaustFiles { processes } => files::inject(self, processes, lasts).await?,
            FaultKind::OutOfMemory { processes } => memory::inject(self, id, processes, lasts).await?,
            FaultKind::SlowStart { processes, by } => slow_start::inject(self, processes, *by).await?,
            FaultKind::SkewClock { processes, by } => skew::inject(self, processes, *by, lasts).await?,
            FaultKind::SlowDisk { process, write, read } => {
                let limit = slow_disk::Limit { write: *write, read: *read };
                slow_disk::inject(self, id, *process, limit, lasts).await?
            }
            FaultKind::Burn { cores, host } => {
                strain::inject(self, id, *host, Strain::Burn { cores: *cores }, lasts).await?
            }
            FaultKind::FillMemory { size, host } => {
                strain::inject(self, id, *host, Strain::Memory { size: *size }, lasts).await?
            }
            FaultKind::FillDisk { of, size } => {
                let folder = self.folder_of(*of).ok_or_else(|| vec![Sight::NoTarget])?;
                strain::inject(self, id, fault.kind.host(), Strain::Disk { folder, size: *size }, lasts).await?
            }
            FaultKind::Run { act, undo, check, within } => {
                let programs = run::Programs { act, undo, check, within: *within };
                run::inject(self, &fault.name, &programs).await?
            }
            FaultKind::Between { first, second, direction, harm } => {
                let wanted = between::Wanted { first, second, direction: *direction, harm };
                let (kind, at, proof) = between::inject(self, id, &fault.name, &wanted, lasts).await?;
                return Ok((kind, Seen { at, proof }));
            }
            FaultKind::Shape { processes, direction, shape } => {
                shape::inject(self, &fault.name, processes, *direction, shape, lasts).await?
            }
            FaultKind::BreakDns { processes, names, answer } => {
                let (kind, at, proof) = dns::inject(self, processes, names, *answer, lasts).await?;
                return Ok((kind, Seen { at, proof }));
            }
            FaultKind::Container { containers, blow } => container::inject(self, containers, *blow, lasts).await?,
            FaultKind::Link { links, flaw } => {
                let (kind, at, proof) = link::inject(self, id, links, flaw, lasts).await?;
                return Ok((kind, Seen { at, proof }));
            }
        };
        Ok((kind, Seen { at: self.clock.now(), proof }))
    }

    /// Where a disk is filled.
    fn folder_of(&self, of: DiskOf) -> Option<PathBuf> {
        match of {
            DiskOf::Process(process) => Some(self.platform.process(process)?.folder()?.to_owned()),
            DiskOf::Host(host) => Some(PathBuf::from(&self.platform.plan().hosts.get(host.index())?.folder)),
        }
    }

    /// The drill is being stopped: what has been ordered and was not seen to bite yet is not waited for any longer.
    pub fn stop(&self) {
        self.stopped.send_replace(true);
    }

    /// What `work` comes to; `None` if the drill is stopped or the deadline passes before.
    async fn unless_stopped<T>(&self, deadline: At, work: impl Future<Output = T>) -> Option<T> {
        let mut stopped = self.stopped.subscribe();
        tokio::select! {
            biased;
            done = work => Some(done),
            // The sender is ours.
            _ = stopped.wait_for(|stopped| *stopped) => None,
            () = self.clock.sleep_until(deadline) => None,
        }
    }

    /// Has a process end, which may take all of its grace period; of a drill that is being stopped it is killed instead. False
    /// when it was.
    async fn end(
        &self,
        process: &Process,
        ending: impl Future<Output = Result<(), PlatformError>>,
    ) -> Result<bool, Sight> {
        let mut ending = pin!(ending);
        if let Some(ended) = self.unless_stopped(At::MAX, &mut ending).await {
            return ended.map(|()| true).map_err(said);
        }
        // It may have ended meanwhile.
        let _ = process.kill().await;
        ending.await.map(|()| false).map_err(said)
    }

    /// Undoes a fault in its natural way and waits until that was observed. `Err` says what is not as it was.
    pub async fn heal(&self, wound: Wound) -> Result<Seen, Vec<Sight>> {
        let proof = match wound.kind {
            Kind::Kill { processes } => kill::heal(self, &processes).await?,
            Kind::Pause { paused } => pause::heal(self, &paused).await?,
            Kind::CrashLoop { looping } => crash::heal(self, looping).await?,
            Kind::Restart { rolling } => restart::heal(self, rolling).await?,
            Kind::Files { exhausted } => files::heal(self, &exhausted).await?,
            Kind::Memory { starved } => memory::heal(self, &starved).await?,
            Kind::SlowStart { slow } => slow_start::heal(self, slow).await?,
            Kind::Skew { skewed } => skew::heal(self, &skewed).await?,
            Kind::SlowDisk { slowed } => slow_disk::heal(self, slowed).await?,
            Kind::Strain { strained } => strain::heal(self, strained).await?,
            Kind::Run { undo } => run::heal(self, undo).await?,
            Kind::Between { cut } => between::heal(self, cut).await?,
            Kind::Shape { slowed } => shape::heal(self, slowed).await?,
            Kind::Dns { misled } => dns::heal(self, misled).await?,
            Kind::Container { hurt } => container::heal(self, hurt).await?,
            Kind::Link { set, proxy } => {
                let (at, proof) = link::heal(self, &set, &proxy).await?;
                return Ok(Seen { at, proof });
            }
        };
        Ok(Seen { at: self.clock.now(), proof })
    }

    /// What is done at the end of the drill about a fault that was left to the platform.
    pub async fn settle(&self, wound: Wound, undo: &Undo) -> Result<Seen, Vec<Sight>> {
        let proof = match (undo, wound.settles) {
            (Undo::Start, _) => return self.heal(wound).await,
            (Undo::Run { .. }, Some(id)) => {
                run::heal(self, id).await?;
                Sight::NotInForce
            }
            (Undo::None | Undo::Run { .. }, _) => Sight::LeftToPlatform,
        };
        Ok(Seen { at: self.clock.now(), proof: vec![proof] })
    }

    /// Those that a fault is aimed at, if all of them live: a fault on something already gone would prove nothing.
    fn living(&self, processes: &[ProcessId]) -> Result<Vec<&Arc<Process>>, Vec<Sight>> {
        let mut found = Vec::new();
        for id in processes {
            let process = self.platform.process(*id).ok_or_else(|| vec![Sight::NoTarget])?;
            if process.is_gone() {
                return Err(vec![Sight::GoneAlready { process: *id }]);
            }
            found.push(process);
        }
        if found.is_empty() { Err(vec![Sight::NoTarget]) } else { Ok(found) }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Sight> {
    tokio::task::spawn_blocking(work).await.map_err(said)
}

/// What an error says, word for word.
fn said(error: impl ToString) -> Sight {
    Sight::Said { text: error.to_string() }
}
