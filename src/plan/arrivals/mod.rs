//! The arithmetic of arrivals: at which instant arrival k of a load is planned, in O(1) memory and without a walk from
//! the first one, so that a load splits over workers (k ≡ i mod n) and one arrival can be replayed alone.
//!
//! *Even*: arrival k lies where the planned curve N(t), the integral of the rate, comes to k + ½. *Poisson*: the same
//! number of arrivals, as independent uniform points on the axis of N (a Poisson process, given its count; a burst has
//! the count that it says, whatever comes around it). Either way the count is N(end) rounded, and no error adds up.
//! *Listed*: the arrivals of a replay, whose instants a log has given. *Open*: a search, whose arrivals come trial by trial;
//! each trial has a schedule of its own ([`Schedule::trial`]); and users, whose journeys come when they come, as many as
//! a pace lets. Leaves to others: waiting for the instants (`load`).

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
use super::{Load, LoadId, Spacing, Trial};
use crate::base::units::{At, Rate, Span};

/// When the arrivals of one load are planned. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Schedule {
    way: Way,
    /// The number of its first arrival.
    first: u64,
    count: u64,
}

#[derive(Debug, Clone)]
enum Way {
    Even(Arc<Curve>),
    Poisson(Arc<Curve>, Scatter),
    Listed { instants: Instants, start: At, end: At },
    Open { peak: Rate, start: At, end: At, most: u64 },
}

impl Schedule {
    pub fn new(load: &Load, seed: u64, id: LoadId) -> Schedule {
        if let Some(replay) = &load.replay {
            let instants = replay.instants.clone();
            let way = Way::Listed { start: load.start, end: load.end(), instants };
            return Schedule { way, first: 0, count: replay.instants.len() };
        }
        if let Some(search) = &load.search {
            let most = search.most_arrivals();
            let way = Way::Open { peak: search.to, start: load.start, end: load.end(), most };
            return Schedule { way, first: 0, count: 0 };
        }
        if let Some(users) = &load.users {
            // When a user begins its next journey, the platform decides.
            let most = users.most_journeys(load.start).unwrap_or(u64::MAX);
            let way = Way::Open { peak: Rate::ZERO, start: load.start, end: load.end(), most };
            return Schedule { way, first: 0, count: 0 };
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
        Schedule { way, first: 0, count }
    }

    /// The arrivals that a trial of a search brings; numbered on from those before it.
    pub fn trial(load: &Load, seed: u64, id: LoadId, trial: &Trial) -> Schedule {
        // Scattered anew in each: a trial that is repeated is not the same again.
        let seed = seed.wrapping_add(u64::from(trial.number));
        Schedule { first: trial.first, ..Schedule::new(&trial.load(load), seed, id) }
    }

    /// How many arrivals there are; of a search, none is known beforehand.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// How many there can be: of a search, with all of its trials; of users without a pace, without end.
    pub const fn most(&self) -> u64 {
        match &self.way {
            Way::Open { most, .. } => *most,
            _ => self.count,
        }
    }

    pub fn start(&self) -> At {
        match &self.way {
            Way::Even(curve) | Way::Poisson(curve, _) => curve.start(),
            Way::Listed { start, .. } | Way::Open { start, .. } => *start,
        }
    }

    /// The end of the last stage; every arrival is planned before it.
    pub fn end(&self) -> At {
        match &self.way {
            Way::Even(curve) | Way::Poisson(curve, _) => curve.end(),
            Way::Listed { end, .. } | Way::Open { end, .. } => *end,
        }
    }

    /// The instant of arrival `k`, to the nanosecond; none where it is not one of these. For poisson O(log k), some microseconds.
    pub fn at(&self, k: u64) -> Option<At> {
        let own = k.checked_sub(self.first)?;
        (own < self.count).then(|| self.place(own, &mut Seeker::default()))
    }

    fn place(&self, k: u64, seeker: &mut Seeker) -> At {
        match &self.way {
            Way::Even(curve) => curve.invert(Exact::arrival(k)),
            Way::Poisson(curve, scatter) => seeker.at(scatter, curve, k),
            Way::Listed { instants, start, .. } => *start + instants.get(k),
            Way::Open { end, .. } => *end,
        }
    }

    /// The arrivals k ≡ `first` mod `stride` from `first` on, in order, each for O(1) on average.
    pub fn cursor(&self, first: u64, stride: u64) -> Cursor {
        let stride = stride.max(1);
        let next = first + self.first.saturating_sub(first).div_ceil(stride) * stride;
        Cursor { schedule: self.clone(), seeker: Seeker::default(), next, stride }
    }

    /// The planned rate at an instant; zero outside the load. Of a replay: what comes within the second from there on.
    pub fn rate_at(&self, at: At) -> Rate {
        match &self.way {
            Way::Even(curve) | Way::Poisson(curve, _) => curve.rate_at(at),
            Way::Listed { .. } => Rate::per_second(self.between(at, at + Span::SECOND) as f64),
            Way::Open { .. } => Rate::ZERO,
        }
    }

    /// The greatest planned rate; of a replay, over one second. What a burst at one instant adds is in no rate.
    pub fn peak(&self) -> Rate {
        match &self.way {
            Way::Even(curve) | Way::Poisson(curve, _) => curve.peak(),
            Way::Listed { instants, .. } => Rate::per_second(instants.most_within(Span::SECOND) as f64),
            Way::Open { peak, .. } => *peak,
        }
    }

    /// How many arrivals come within `span` wherever it lies, bursts included: never too few.
    pub fn most_within(&self, span: Span) -> f64 {
        match &self.way {
            Way::Even(curve) | Way::Poisson(curve, _) => curve.most_within(span),
            Way::Listed { instants, .. } => instants.most_within(span) as f64,
            Way::Open { peak, .. } => peak.over(span),
        }
    }

    /// How many arrivals are planned before `at`.
    pub fn before(&self, at: At) -> u64 {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.at(self.first + middle).is_some_and(|instant| instant < at) {
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
        let own = k - self.schedule.first;
        if own >= self.schedule.count {
            return None;
        }
        self.next = k.saturating_add(self.stride);
        let at = self.schedule.place(own, &mut self.seeker);
        Some((k, at))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let end = self.schedule.first + self.schedule.count;
        let left = end.saturating_sub(self.next).div_ceil(self.stride);
        let left = usize::try_from(left).ok();
        (left.unwrap_or(usize::MAX), left)
    }
}

#[cfg(test)]
mod tests;
