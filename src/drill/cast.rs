//! Whom the conductor leads, as it sees them: it can be tried on a simulated clock with others in their places.

use crate::base::host::Identity;
use crate::base::units::Span;
use crate::fault::{Faults, Seen, Wound};
use crate::load::{Crews, News};
use crate::plan::{Fault, FaultId, LoadId, Trial, Undo};
use crate::record::Sight;
use crate::undo::Guardian;

/// Workers that send the load; each hands over a window a second.
pub(super) trait Crew {
    fn count(&self) -> u16;
    /// Those that are processes of their own.
    fn processes(&self) -> Vec<Identity>;
    /// A search goes on with this trial.
    fn append(&self, load: LoadId, trial: Trial);
    /// No more trials of it come.
    fn search_over(&self, load: LoadId);
    /// No more arrivals; what is in flight may end.
    fn drain(&self);
    /// Cuts off everything at once.
    fn drop_load(&self);
    /// To close the open second, and end.
    fn finish(&self);
    /// What they tell, in order; none once all have finished.
    async fn news(&mut self) -> Option<News>;
}

/// Injects faults and heals them; `Err` says why not.
pub(super) trait Surgeon: Clone + 'static {
    /// What healing a fault needs.
    type Wound: 'static;
    /// Ends when the fault was observed to bite; what has not within `lasts` is given up.
    async fn inject(&self, id: FaultId, fault: &Fault, lasts: Span) -> Result<(Self::Wound, Seen), Vec<Sight>>;
    /// What was not observed to bite yet is not waited for any longer.
    fn stop(&self);
    /// Ends when it was observed to be gone.
    async fn heal(&self, wound: Self::Wound) -> Result<Seen, Vec<Sight>>;
    /// What is done at the end about a fault that was left to the platform.
    async fn settle(&self, wound: Self::Wound, undo: &Undo) -> Result<Seen, Vec<Sight>>;
}

/// Who undoes everything should the harness die.
pub(super) trait Watchman {
    fn is_alive(&mut self) -> bool;
}

impl Crew for Crews {
    fn count(&self) -> u16 {
        Crews::count(self)
    }

    fn processes(&self) -> Vec<Identity> {
        Crews::processes(self).collect()
    }

    fn append(&self, load: LoadId, trial: Trial) {
        Crews::append(self, load, trial);
    }

    fn search_over(&self, load: LoadId) {
        Crews::search_over(self, load);
    }

    fn drain(&self) {
        Crews::drain(self);
    }

    fn drop_load(&self) {
        Crews::drop_load(self);
    }

    fn finish(&self) {
        Crews::finish(self);
    }

    async fn news(&mut self) -> Option<News> {
        Crews::news(self).await
    }
}

impl Surgeon for Faults {
    type Wound = Wound;

    async fn inject(&self, id: FaultId, fault: &Fault, lasts: Span) -> Result<(Wound, Seen), Vec<Sight>> {
        Faults::inject(self, id, fault, lasts).await
    }

    fn stop(&self) {
        Faults::stop(self);
    }

    async fn heal(&self, wound: Wound) -> Result<Seen, Vec<Sight>> {
        Faults::heal(self, wound).await
    }

    async fn settle(&self, wound: Wound, undo: &Undo) -> Result<Seen, Vec<Sight>> {
        Faults::settle(self, wound, undo).await
    }
}

impl Watchman for Guardian {
    fn is_alive(&mut self) -> bool {
        Guardian::is_alive(self)
    }
}
