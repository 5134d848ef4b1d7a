//! One file for each fault: inject it, prove that it bites, heal it, prove that it is gone.
//!
//! A fault is *effective* when it was observed to bite, *healed* when it was observed to be undone; an order alone is
//! worth nothing. One that finds its target gone already has no effect, which is data, not an error. What undoes it
//! should the harness die is in the journal before it bites.
//!
//! A new fault is a file here with its `inject` and `heal`, an arm in each `match` below, and a kind in `plan`.
//!
//! Leaves to others: when a fault is ordered and how long it lasts (`drill`), what it did to the traffic (`analysis`).

mod kill;
mod pause;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::base::clock::Clock;
use crate::base::units::At;
use crate::plan::{FaultKind, ProcessId};
use crate::platform::{Platform, Process};
use crate::record::Sight;
use crate::undo::{Journal, UndoId};

/// Injects and heals on one running platform. Cheap to clone.
#[derive(Clone)]
pub struct Faults {
    platform: Arc<Platform>,
    journal: Journal,
    clock: Clock,
}

/// Something that was observed: when, and what was seen, for a person who doubts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub at: At,
    pub proof: Vec<Sight>,
}

/// A fault that bites: what healing it needs.
#[must_use = "a fault that bites has to be healed"]
#[derive(Debug)]
pub struct Wound(Kind);

#[derive(Debug)]
enum Kind {
    Kill { processes: Vec<ProcessId> },
    Pause { paused: Vec<(ProcessId, UndoId)> },
}

impl Faults {
    /// `clock` is the drill's.
    pub fn new(platform: Arc<Platform>, journal: Journal, clock: Clock) -> Faults {
        Faults { platform, journal, clock }
    }

    /// Injects a fault and waits until it was observed to bite all that it is aimed at. `Err` says why it did not;
    /// then nothing of it is in force any more.
    pub async fn inject(&self, fault: &FaultKind) -> Result<(Wound, Seen), Vec<Sight>> {
        let (kind, proof) = match fault {
            FaultKind::Kill { processes } => kill::inject(self, processes).await?,
            FaultKind::Pause { processes } => pause::inject(self, processes).await?,
        };
        Ok((Wound(kind), Seen { at: self.clock.now(), proof }))
    }

    /// Undoes a fault in its natural way and waits until that was observed. `Err` says what is not as it was.
    pub async fn heal(&self, wound: Wound) -> Result<Seen, Vec<Sight>> {
        let proof = match wound.0 {
            Kind::Kill { processes } => kill::heal(self, &processes).await?,
            Kind::Pause { paused } => pause::heal(self, &paused).await?,
        };
        Ok(Seen { at: self.clock.now(), proof })
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

/// What an error says, word for word.
fn said(error: impl ToString) -> Sight {
    Sight::Said { text: error.to_string() }
}
