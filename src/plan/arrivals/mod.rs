//! The arithmetic of arrivals: at which instant arrival k of a load is planned, in O(1) memory and without a walk from
//! the first one, so that a load splits over workers (k ≡ i mod n) and one arrival can be replayed alone.
//!
//! *Even*: arrival k lies where the planned curve N(t), the integral of the rate, comes to k + ½. *Poisson*: the same
//! number of arrivals, as independent uniform points on the axis of N (a Poisson process, given its count; a burst has
//! the count that it says, whatever comes around it). Either way the count is N(end) rounded, and no error adds up.
//! *Listed*: the arrivals of a replay, whose instants a log has given. Leaves to others: waiting for the instants (`load`).

mod curve;
mod exact;
mod listed;
mod scatter;
mod slice;
mod wave;

use std::sync::Arc;

pub use self::listed::{Instants, Source, sequence};

use self::curve::Curve;
use self::exact::Exact;
use self::scatter::{Scatter, Seeker};
pub use self::slice::Slice;
use super::{Load, LoadId, Spacing};
use crate::base::units::{At, Rate, Span};

/// When the arrivals of one load are planned. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Schedule {
    way: Way,
    count: u64,
}

#[derive(Debug, Clone)]
enum Way {
    Even(Arc<Curve>),
    Poisson(Arc<Curve>, Scatter),
    Listed { instants: Instants, start: At, end: At },
}

impl Schedule {
    pub fn new(load: &Load, seed: u64, id: LoadId) -> Schedule {
        if let Some(replay) = &load.replay {
            let instants = replay.instants.clone();
            let way = Way::Listed { start: load.start, end: load.end(), instants };
            return Schedule { way, count: replay.instants.len() };
        }
        let curve = Arc::new(Curve::new(load));
        let count = curve.count();
        let way = match load.spacing {
            Spacing::Even => Way::Even(curve),
            Spacing::Poisson => {
                let scatter = Scatter::new(seed, id.0, &curve);
                Way::Poisson(curve, scatter)
            }
        };
        Schedule { way, count }
    }

    /// How many arrivals there are.
    pub const fn count(&self) -> u64 {
        self.count
    }

    pub fn start(&self) -> At {
        match &self.way {
            Way::Even(curve) | Way::Poisson(curve, _) => curve.start(),
            Way::Listed { start, .. } => *start,
        }
    }

    /// The end of the last stage; every arrival is planned before it.
    pub fn end(&self) -> At {
        match &self.way {
            Way::Even(curve) | Way::Poisson(curve, _) => curve.end(),
            Way::Listed { end, .. } => *end,
        }
    }

    /// The instant of arrival `k`, to the nanosecond; none from `count` on. For poisson O(log k), some microseconds.
    pub fn at(&self, k: u64) -> Option<At> {
        (k < self.count).then(|| self.place(k, &mut Seeker::default()))
    }

    fn place(&self, k: u64, seeker: &mut Seeker) -> At {
        match &self.way {
            Way::Even(curve) => curve.invert(Exact::arrival(k)),
            Way::Poisson(curve, scatter) => seeker.at(scatter, curve, k),
            Way::Listed { instants, start, .. } => *start + instants.get(k),
        }
    }

    /// The arrivals k ≡ `first` mod `stride`, in order, each for O(1) on average.
    pub fn cursor(&self, first: u64, stride: u64) -> Cursor {
        Cursor { schedule: self.clone(), seeker: Seeker::default(), next: first, stride: stride.max(1) }
    }

    /// The planned rate at an instant; zero outside the load. Of a replay: what comes within the second from there on.
    pub fn rate_at(&self, at: At) -> Rate {
        match &self.way {
            Way::Even(curve) | Way::Poisson(curve, _) => curve.rate_at(at),
            Way::Listed { .. } => Rate::per_second(self.between(at, at + Span::SECOND) as f64),
        }
    }

    /// The greatest planned rate; of a replay, over one second. What a burst at one instant adds is in no rate.
    pub fn peak(&self) -> Rate {
        match &self.way {
            Way::Even(curve) | Way::Poisson(curve, _) => curve.peak(),
            Way::Listed { instants, .. } => Rate::per_second(instants.most_within(Span::SECOND) as f64),
        }
    }

    /// How many arrivals come within `span` wherever it lies, bursts included: never too few.
    pub fn most_within(&self, span: Span) -> f64 {
        match &self.way {
            Way::Even(curve) | Way::Poisson(curve, _) => curve.most_within(span),
            Way::Listed { instants, .. } => instants.most_within(span) as f64,
        }
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
        let at = self.schedule.place(k, &mut self.seeker);
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
