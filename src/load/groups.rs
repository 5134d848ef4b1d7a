//! Groups of steps: a visit's way through some of its requests, counted as one.
//!
//! A group begins with the planned instant of its first request and ends with its last one; its time is the sum of its
//! requests' times, so that nobody's thinking is in it. It comes out as the first of its requests that did not come out
//! ok, sheds first giving way to failures; one that the visit left halfway is bad. A group without a request is none.

use super::books::{Ended, Finished, Outcome, Times};
use super::visit::Visit;
use super::worker::GroupFlight;
use crate::base::units::At;

/// A group that a visit is in.
pub(super) struct Open {
    /// Which, by [`Ask::index`](super::program::Ask)'s count.
    group: usize,
    /// Of its first request; none: it has made none.
    planned: Option<At>,
    times: Times,
    outcome: Outcome,
    /// Of the request that made it what it is.
    blamed: At,
    late: bool,
}

impl Visit<'_> {
    pub(super) fn open_group(&mut self, group: usize) {
        let (times, outcome) = (Times::default(), Outcome::Ok);
        self.values.groups.push(Open { group, planned: None, times, outcome, blamed: At::START, late: false });
    }

    /// A request is about to be made that was planned at `planned`.
    pub(super) fn begin_groups(&mut self, planned: At) {
        for open in self.values.groups.iter_mut().filter(|open| open.planned.is_none()) {
            open.planned = Some(planned);
            open.blamed = planned;
            if let Some(series) = self.lane.series.get(open.group).copied() {
                self.worker.with(self.me, |runner| runner.groups.push(GroupFlight { series, settled: false }));
            }
        }
    }

    /// A request has come to its end.
    pub(super) fn note_in_groups(&mut self, finished: &Finished) {
        if self.values.groups.is_empty() {
            return;
        }
        let late = finished.settled || finished.done > self.worker.books().patience(finished.series, finished.planned);
        let times = finished.times();
        for open in &mut self.values.groups {
            open.times.response += times.response;
            open.times.service += times.service;
            open.times.unlagged += times.unlagged;
            let worse = match open.outcome {
                Outcome::Ok => finished.outcome != Outcome::Ok || late && !open.late,
                Outcome::Shed => !matches!(finished.outcome, Outcome::Ok | Outcome::Shed),
                Outcome::Bad(_) | Outcome::Unsent(_) => false,
            };
            if worse {
                open.outcome = finished.outcome;
                open.blamed = finished.planned;
            }
            open.late |= late;
        }
    }

    /// Counts the group that was begun last; `unless` it is known to have failed, this is how it ended.
    pub(super) fn shut_group(&mut self, unless: Outcome) {
        let Some(open) = self.values.groups.pop() else { return };
        let (Some(planned), Some(series)) = (open.planned, self.lane.series.get(open.group).copied()) else { return };
        let flight = self.worker.with(self.me, |runner| runner.groups.pop());
        self.worker.record_group(&Ended {
            series,
            planned,
            blamed: open.blamed,
            times: open.times,
            outcome: if open.outcome == Outcome::Ok { unless } else { open.outcome },
            late: open.late,
            settled: flight.is_some_and(|flight| flight.settled),
        });
    }
}
