//! Visits that are cut off: by their own timeout, by the end of the drain time, or all at once.

use super::{Cut, Worker};
use crate::base::units::{At, Span};

/// The least time between two looks at which requests have run out of theirs.
const EVERY: Span = Span::millis(5);

impl Worker {
    /// Cuts requests whose time has run out.
    pub(in crate::load) fn cut_due(&self, now: At) {
        let mut next = At::MAX;
        let mut cut = Vec::new();
        for (me, runner) in self.runners.borrow_mut().iter_mut().enumerate() {
            let Some(flight) = &runner.flight else { continue };
            if flight.deadline > now {
                next = next.min(flight.deadline);
            } else if runner.cut.is_none() {
                runner.cut = Some(Cut::Timeout);
                cut.push(me);
            }
        }
        // Not sooner than this: with thousands in flight, each look at them all costs.
        self.next_cut.set(next.max(now + EVERY));
        cut.into_iter().for_each(|me| self.wake(me));
    }

    /// Cuts every visit; none is begun any more.
    pub(in crate::load) fn cut_all(&self, why: Cut) {
        let mut cut = Vec::new();
        for (me, runner) in self.runners.borrow_mut().iter_mut().enumerate() {
            if runner.busy {
                runner.cut = Some(why);
                cut.push(me);
            }
        }
        cut.into_iter().for_each(|me| self.wake(me));
    }
}
