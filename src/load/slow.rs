//! Which connections read slowly.

use std::cell::Cell;

use crate::base::rng::{Key, Purpose};
use crate::base::units::Flow;
use crate::plan::{EndpointId, Plan, Slow};

/// Decides it for each connection of one worker, from the seed: for one that a visit has to itself from the number of
/// the arrival, for one that visits share from its own number.
#[derive(Debug, Default)]
pub(super) struct SlowReaders {
    seed: u64,
    /// By endpoint; empty where there are none anywhere.
    endpoints: Vec<Readers>,
    /// Connections are numbered as arrivals are: over all workers, each has every n-th.
    stride: u64,
}

#[derive(Debug)]
struct Readers {
    slow: Option<Slow>,
    next: Cell<u64>,
}

impl SlowReaders {
    /// For the worker whose connections are numbered from `first` in steps of `stride`.
    pub(super) fn new(plan: &Plan, first: u64, stride: u64) -> SlowReaders {
        let slow = || plan.platform.endpoints.iter().map(|endpoint| endpoint.connections.slow);
        let endpoints = if slow().any(|slow| slow.is_some()) {
            slow().map(|slow| Readers { slow, next: Cell::new(first) }).collect()
        } else {
            Vec::new()
        };
        SlowReaders { seed: plan.seed, endpoints, stride }
    }

    /// How fast the next connection to `endpoint` reads, where that is slowly. `own`: whose arrival has it to itself.
    pub(super) fn rate(&self, endpoint: EndpointId, own: Option<Key>) -> Option<Flow> {
        let readers = self.endpoints.get(endpoint.index())?;
        let slow = readers.slow?;
        let key = own.unwrap_or_else(|| {
            let number = readers.next.get();
            readers.next.set(number + self.stride);
            Key { k: number, ..Key::plan(self.seed) }
        });
        let drawn = key.stream(Purpose::Reader(endpoint.0), 0).unit();
        (drawn < slow.share.0).then_some(slow.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::units::Share;
    use crate::load::tests::support::Maker;

    /// Which of the first `count` connections of the worker read slowly.
    fn slow(plan: &Plan, first: u64, stride: u64, count: usize) -> Vec<bool> {
        let readers = SlowReaders::new(plan, first, stride);
        (0..count).map(|_| readers.rate(EndpointId(0), None).is_some()).collect()
    }

    #[test]
    fn the_seed_decides_for_each_connection_whoever_makes_it() {
        let mut maker = Maker::new("http://127.0.0.1:1");
        assert_eq!(SlowReaders::new(&maker.plan, 0, 1).rate(EndpointId(0), None), None);
        maker.connections().slow = Some(Slow { share: Share(0.05), rate: Flow(10_000) });
        let all = slow(&maker.plan, 0, 1, 10_000);
        let count = all.iter().filter(|slow| **slow).count();
        // 500 ± 22 of a standard deviation.
        assert!((400..600).contains(&count), "{count}");
        for first in 0..3 {
            let part: Vec<bool> = all.iter().copied().skip(first).step_by(3).take(1_000).collect();
            assert_eq!(slow(&maker.plan, first as u64, 3, 1_000), part);
        }
        maker.plan.seed += 1;
        assert_ne!(slow(&maker.plan, 0, 1, 10_000), all);
    }
}
