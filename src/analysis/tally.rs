//! Requests of some series over some stretch, and what shares come out of them.

use super::{ApdexScore, Detail};
use crate::base::units::{Share, Span};
use crate::record::{BadKind, Counts, Latency, UnsentKind};

/// What the book of phases says of some requests.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) counts: Counts,
    pub(super) response: Latency,
    pub(super) service: Latency,
    pub(super) unlagged: Latency,
    /// Ok ones done within the stretch.
    pub(super) done: f64,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Tally) {
        self.counts.add(&other.counts);
        self.response.add(&other.response);
        self.service.add(&other.service);
        self.unlagged.add(&other.unlagged);
        self.done += other.done;
    }

    /// Who counts against availability.
    pub(super) fn failed(&self) -> u64 {
        self.counts.bad() + self.counts.unsent_by_platform()
    }

    /// All that were planned, whatever became of them.
    pub(super) fn requests(&self) -> u64 {
        self.counts.base() + self.counts.shed + self.counts.unsent_by_generator()
    }
}

/// How many of the shed exceed the share that the scenario intends; without a limit, none was intended.
pub(super) fn excess_shed(counts: &Counts, limit: Option<Share>) -> u64 {
    if counts.shed == 0 { 0 } else { excess_of(counts.shed, counts.base() + counts.shed, limit) }
}

/// The same of `shed` among `all`: requests, or visits.
pub(super) fn excess_of(shed: u64, all: u64, limit: Option<Share>) -> u64 {
    let allowed = limit.map_or(0.0, Share::as_f64) * all as f64;
    shed - shed.min((allowed + 1e-9).floor().max(0.0) as u64)
}

/// Makes the shedding beyond the limit bad.
pub(super) fn charge_excess(counts: &mut Counts, limit: Option<Share>) {
    let excess = excess_shed(counts, limit);
    if excess > 0 {
        counts.shed -= excess;
        counts.add_bad(BadKind::ExcessShed, excess);
    }
}

/// ok / (ok + bad + unsent by the platform).
pub(super) fn availability(ok: u64, failed: u64) -> Option<Share> {
    share(ok, ok + failed)
}

/// None of nothing.
pub(super) fn share(part: u64, whole: u64) -> Option<Share> {
    (whole > 0).then(|| Share(part as f64 / whole as f64))
}

/// Apdex(T) = (requests ≤ T + ½ requests ≤ 4T) / all; failed ones are frustrated.
pub(super) fn apdex(satisfied: Span, times: &Latency, failed: u64) -> Option<(ApdexScore, Detail)> {
    let all = times.count() + failed;
    if all == 0 {
        return None;
    }
    let within = times.within(satisfied);
    let tolerating = times.within(satisfied.saturating_mul(4)) - within;
    let score = (within as f64 + tolerating as f64 / 2.0) / all as f64;
    let detail = Detail::Apdex { satisfied: within, tolerating, frustrated: all - within - tolerating };
    Some((ApdexScore { satisfied, score }, detail))
}

/// Error budget = (1 − objective) × valid requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Budget {
    pub(super) objective: Share,
    pub(super) valid: u64,
    pub(super) bad: u64,
}

impl Budget {
    pub(super) fn size(self) -> f64 {
        (1.0 - self.objective.as_f64()) * self.valid as f64
    }

    /// The share that is left; negative when overspent. None of nothing, or of an objective that allows nothing and has
    /// been missed.
    pub(super) fn left(self) -> Option<f64> {
        match (self.valid, self.bad) {
            (0, _) => None,
            (_, 0) => Some(1.0),
            _ => Some(1.0 - self.bad as f64 / self.size()).filter(|left| left.is_finite()),
        }
    }

    /// Bad share / (1 − objective).
    pub(super) fn burn(self) -> Option<f64> {
        self.left().map(|left| 1.0 - left)
    }

    pub(super) fn detail(self) -> Detail {
        Detail::Budget { objective: self.objective, valid: self.valid, bad: self.bad, budget: self.size() }
    }
}

/// Of the arrivals that were due while the drill was not being stopped, those that the generator did not send.
pub(super) fn unsent_share(counts: &Counts) -> Option<Share> {
    let stopped = counts.unsent.iter().find(|(kind, _)| *kind == UnsentKind::Stopped).map_or(0, |(_, count)| *count);
    let ours = counts.unsent_by_generator() - stopped;
    share(ours, counts.base() + counts.shed + ours)
}

pub(super) fn excess(counts: &Counts) -> u64 {
    let of = |(kind, count): &(BadKind, u64)| {
        if *kind == BadKind::ExcessShed { *count } else { 0 }
    };
    counts.bad.iter().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(ok: u64, bad: u64, shed: u64) -> Counts {
        let mut counts = Counts { ok, shed, ..Counts::default() };
        if bad > 0 {
            counts.add_bad(BadKind::Status, bad);
        }
        counts
    }

    #[test]
    fn shedding_is_bad_only_beyond_its_limit() {
        let excess = |counts: &Counts, limit: f64| excess_shed(counts, Some(Share(limit)));
        assert_eq!(excess(&counts(40, 0, 60), 0.6), 0);
        assert_eq!(excess(&counts(30, 0, 70), 0.6), 10);
        assert_eq!(excess(&counts(0, 0, 3), 0.0), 3);
        assert_eq!(excess(&counts(0, 0, 3), 1.0), 0);
        assert_eq!(excess_shed(&counts(1, 0, 3), None), 3);
        let mut some = counts(30, 5, 65);
        charge_excess(&mut some, Some(Share(0.6)));
        assert_eq!((some.shed, some.bad(), some.base()), (60, 10, 40));
        assert_eq!(some.bad.last(), Some(&(BadKind::ExcessShed, 5)));
    }

    #[test]
    fn budgets_burn() {
        let budget = Budget { objective: Share(0.99), valid: 1_000, bad: 5 };
        assert!((budget.left().unwrap() - 0.5).abs() < 1e-9 && (budget.burn().unwrap() - 0.5).abs() < 1e-9);
        assert!((Budget { bad: 30, ..budget }.left().unwrap() + 2.0).abs() < 1e-9);
        assert_eq!(Budget { valid: 0, bad: 0, ..budget }.left(), None);
        assert_eq!(Budget { objective: Share(1.0), ..budget }.left(), None);
        assert_eq!(Budget { objective: Share(1.0), bad: 0, ..budget }.burn(), Some(0.0));
    }

    #[test]
    fn apdex_counts_failures_as_frustrated() {
        let mut times = Latency::new();
        for ms in [100, 499, 501, 1_998, 2_100] {
            times.record(Span::millis(ms));
        }
        let (score, detail) = apdex(Span::millis(500), &times, 5).unwrap();
        assert_eq!(detail, Detail::Apdex { satisfied: 2, tolerating: 2, frustrated: 6 });
        assert!((score.score - 0.3).abs() < 1e-9);
        assert!(apdex(Span::millis(500), &Latency::new(), 0).is_none());
    }
}
