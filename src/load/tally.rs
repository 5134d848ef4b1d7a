//! A worker's books: what they are told, and what is handed over once a second.

use super::books::{Books, Ended, Finished, Outcome};
use super::worker::{Arrival, Worker};
use crate::base::units::{At, Span};
use crate::plan::SeriesId;
use crate::record::{BadKind, Failure, Window};

/// Failures of one series and kind that are kept by one worker.
const SAMPLES: u8 = 3;

impl Worker {
    pub(super) fn record(&self, finished: &Finished) {
        if finished.outcome == Outcome::Bad(BadKind::Abandoned) {
            self.abandoned.set(self.abandoned.get() + 1);
        }
        self.close_before(finished.done);
        self.books.borrow_mut().record(finished);
    }

    /// Counts a group of steps that has come to its end.
    pub(super) fn record_group(&self, ended: &Ended) {
        self.close_before(self.now());
        self.books.borrow_mut().count(ended);
    }

    pub(super) fn books(&self) -> std::cell::RefMut<'_, Books> {
        self.books.borrow_mut()
    }

    pub(super) fn abandoned(&self) -> u64 {
        self.abandoned.get()
    }

    /// Closes all seconds that end at or before `at`, so that what ends at `at` falls into its own.
    pub(super) fn close_before(&self, at: At) {
        while self.books.borrow().second < at.second() {
            self.close_second();
        }
    }

    /// Closes the open second.
    pub(super) fn close_second(&self) {
        let mut books = self.books.borrow_mut();
        let end = At(books.second.saturating_add(1).saturating_mul(Span::SECOND.as_nanos()));
        for runner in self.runners.borrow_mut().iter_mut() {
            // Released, and its visit has not had its turn yet.
            if let Some((series, planned)) = runner.mail.as_ref().and_then(|arrival| self.asks_first(arrival))
                && planned < end
            {
                books.note_waiting(series, planned);
            }
            let Some(flight) = &mut runner.flight else { continue };
            let Some(series) = flight.series else { continue };
            if flight.settled || flight.planned >= end {
                continue;
            }
            if flight.patience < end {
                flight.settled = true;
                books.settle_late(series, flight.planned);
                for group in runner.groups.iter_mut().filter(|group| !group.settled) {
                    group.settled = true;
                    books.settle_late(group.series, flight.planned);
                }
            } else {
                books.note_waiting(series, flight.planned);
                for group in runner.groups.iter().filter(|group| !group.settled) {
                    books.note_waiting(group.series, flight.planned);
                }
            }
        }
        let mut pools = self.pools.borrow_mut();
        let mut health = std::mem::take(&mut books.health);
        for pool in pools.iter_mut() {
            pool.sweep();
            health.queued += pool.queued() as u64;
            health.connections += pool.open() as u64;
        }
        health.in_flight = self.runners.borrow().iter().filter(|runner| runner.flight.is_some()).count() as u64;
        health.connected = self.connected.take();
        books.health = health;
        let mut window = books.close();
        window.users.extend(self.crowd.take());
        self.closed.borrow_mut().push(window);
    }

    /// The request that an arrival makes before anything else, at its planned instant.
    fn asks_first(&self, arrival: &Arrival) -> Option<(SeriesId, At)> {
        let lane = self.lanes.get(arrival.lane)?;
        let program = self.programs.get(lane.program).filter(|program| program.first.is_some())?;
        let first = program.all.after.first()?;
        Some((*lane.series.get(first.ask)?, arrival.planned))
    }

    /// The windows that were closed, and the failures that were kept with them.
    pub(super) fn hand_over_windows(&self) -> (Vec<Window>, Vec<Failure>) {
        let windows = std::mem::take(&mut *self.closed.borrow_mut());
        let failures = if windows.is_empty() { Vec::new() } else { std::mem::take(&mut *self.failures.borrow_mut()) };
        (windows, failures)
    }

    /// Whether one more failure of this kind is worth keeping.
    pub(super) fn wants(&self, series: SeriesId, kind: BadKind) -> bool {
        let mut samples = self.samples.borrow_mut();
        let kept = samples.entry((series, kind)).or_insert(0);
        *kept += u8::from(*kept < SAMPLES + 1);
        *kept <= SAMPLES
    }

    pub(super) fn keep(&self, failure: Failure) {
        self.failures.borrow_mut().push(failure);
    }
}
