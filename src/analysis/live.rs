//! The last second, while it runs.

use serde::{Deserialize, Serialize};

use super::seconds::{Second, begin_of};
use super::tally::{charge_excess, share};
use super::{Fold, Standing};
use crate::base::units::{Share, Span};
use crate::record::Latency;

/// The last closed second, for those who watch while it runs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    pub second: u64,
    /// Visits.
    pub planned: u64,
    pub released: u64,
    /// Requests, in the book of seconds.
    pub ok: u64,
    pub bad: u64,
    pub shed: u64,
    pub unsent: u64,
    /// bad / all that settled; none where nothing did.
    pub bad_share: Option<Share>,
    /// Of the ok ones.
    pub p50: Option<Span>,
    pub p99: Option<Span>,
    pub waiting: u64,
    pub in_flight: u64,
    pub down: bool,
    /// One for each steady state of the plan.
    pub steady: Vec<Standing>,
}

/// Kept until a second is closed: its distribution is forgotten then.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LastTimes {
    pub(super) p50: Option<Span>,
    pub(super) p99: Option<Span>,
}

impl LastTimes {
    /// `requests`: the series that are of requests.
    pub(super) fn of(second: &Second, requests: &[usize]) -> LastTimes {
        let mut times = Latency::new();
        requests.iter().filter_map(|&index| second.cells.get(index)).for_each(|cell| times.add(&cell.response));
        LastTimes { p50: super::percentile::of_ok(0.5, &times), p99: super::percentile::of_ok(0.99, &times) }
    }
}

impl Fold {
    /// The last closed second; none before the first.
    pub fn snapshot(&self) -> Option<Snapshot> {
        let (number, down) = self.last()?;
        let second = self.seconds.get(number)?;
        let requests = self.requests();
        let mut counts = second.counts(requests);
        charge_excess(&mut counts, self.plan.limits.shed);
        let unsent = counts.unsent_by_generator() + counts.unsent_by_platform();
        let sum = |of: fn(&crate::record::GeneratorHealth) -> u64| second.health.iter().map(of).sum();
        Some(Snapshot {
            second: number,
            planned: self.curves.planned(begin_of(number), begin_of(number + 1)),
            released: sum(|health| health.released),
            ok: counts.ok,
            bad: counts.bad(),
            shed: counts.shed,
            unsent,
            bad_share: share(counts.bad(), counts.ok + counts.bad() + counts.shed + unsent),
            p50: self.last_times.p50,
            p99: self.last_times.p99,
            waiting: requests.iter().filter_map(|&index| second.cells.get(index)).map(|cell| cell.waiting).sum(),
            in_flight: sum(|health| health.in_flight),
            down,
            steady: self.standings(),
        })
    }
}
