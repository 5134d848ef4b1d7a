//! The arithmetic of arrivals: at which instant arrival k of a load is planned, in O(1) memory and without a walk from
//! the first one, so that a load splits over workers (k ≡ i mod n) and one arrival can be replayed alone.
//!
//! *Even*: arrival k lies where the planned curve N(t), the integral of the rate, comes to k + ½. *Poisson*: the same
//! number of arrivals, as independent uniform points on the axis of N (a Poisson process, given its count). Either way the
//! count is N(end) rounded, and no error adds up. Leaves to others: waiting for the instants (`load`).

mod curve;
mod exact;
mod scatter;

use std::sync::Arc;

use self::curve::Curve;
use self::exact::Exact;
use self::scatter::{Scatter, Seeker};
use super::{Load, LoadId, Spacing};
use crate::base::units::{At, Rate};

/// When the arrivals of one load are planned. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Schedule {
    curve: Arc<Curve>,
    scatter: Option<Scatter>,
    count: u64,
}

impl Schedule {
    pub fn new(load: &Load, seed: u64, id: LoadId) -> Schedule {
        let curve = Arc::new(Curve::new(load));
        let count = curve.count();
        let scatter = match load.spacing {
            Spacing::Even => None,
            Spacing::Poisson => Some(Scatter::new(seed, id.0, count)),
        };
        Schedule { curve, scatter, count }
    }

    /// How many arrivals there are.
    pub const fn count(&self) -> u64 {
        self.count
    }

    pub fn start(&self) -> At {
        self.curve.start()
    }

    /// The end of the last stage; every arrival is planned before it.
    pub fn end(&self) -> At {
        self.curve.end()
    }

    /// The instant of arrival `k`, to the nanosecond; none from `count` on. For poisson O(log k), some microseconds.
    pub fn at(&self, k: u64) -> Option<At> {
        if k >= self.count {
            return None;
        }
        Some(match &self.scatter {
            None => self.curve.invert(Exact::arrival(k)),
            Some(scatter) => Seeker::default().at(scatter, &self.curve, k),
        })
    }

    /// The arrivals of worker `worker` of `workers`, in order, each for O(1) on average.
    pub fn cursor(&self, worker: u64, workers: u64) -> Cursor {
        Cursor { schedule: self.clone(), seeker: Seeker::default(), next: worker, stride: workers.max(1) }
    }

    /// The planned rate at an instant; zero outside the load.
    pub fn rate_at(&self, at: At) -> Rate {
        self.curve.rate_at(at)
    }

    /// The greatest planned rate.
    pub fn peak(&self) -> Rate {
        self.curve.peak()
    }

    /// How many arrivals are planned before `at`.
    pub fn before(&self, at: At) -> u64 {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.at(middle).is_some_and(|instant| instant < at) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// How many arrivals are planned from `from` on and before `to`.
    pub fn between(&self, from: At, to: At) -> u64 {
        self.before(to).saturating_sub(self.before(from))
    }
}

/// One worker's arrivals in order: their numbers and instants.
#[derive(Debug, Clone)]
pub struct Cursor {
    schedule: Schedule,
    seeker: Seeker,
    next: u64,
    stride: u64,
}

impl Iterator for Cursor {
    type Item = (u64, At);

    fn next(&mut self) -> Option<(u64, At)> {
        let k = self.next;
        if k >= self.schedule.count {
            return None;
        }
        self.next = k.saturating_add(self.stride);
        let at = match &self.schedule.scatter {
            None => self.schedule.curve.invert(Exact::arrival(k)),
            Some(scatter) => self.seeker.at(scatter, &self.schedule.curve, k),
        };
        Some((k, at))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.schedule.count.saturating_sub(self.next).div_ceil(self.stride);
        let left = usize::try_from(left).ok();
        (left.unwrap_or(usize::MAX), left)
    }
}

#[cfg(test)]
mod tests;
