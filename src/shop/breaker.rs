//! A circuit breaker: after enough failures in a row, calls fail at once until a trial succeeds.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Closed,
    Open,
    HalfOpen,
}

#[derive(Debug)]
struct Inner {
    failures: u32,
    /// While set, calls are refused until then; afterwards one trial at a time is let through.
    open_until: Option<Instant>,
    trial: Option<Instant>,
    opened: u64,
}

/// Instants are handed in, so that its tests need no waiting.
#[derive(Debug)]
pub(super) struct Breaker {
    failures: u32,
    open: Duration,
    inner: Mutex<Inner>,
}

impl Breaker {
    pub(super) fn new(failures: u32, open: Duration) -> Self {
        let inner = Inner { failures: 0, open_until: None, trial: None, opened: 0 };
        Self { failures: failures.max(1), open, inner: Mutex::new(inner) }
    }

    /// Whether a call may be made now. Each `true` must be followed by `succeeded` or `failed`; a trial whose outcome
    /// never comes (its caller went away) makes room for another after the open time.
    pub(super) fn admit(&self, now: Instant) -> bool {
        let mut inner = self.inner();
        match inner.open_until {
            None => true,
            Some(until) if now < until => false,
            Some(_) if inner.trial.is_some_and(|began| now < began + self.open) => false,
            Some(_) => {
                inner.trial = Some(now);
                true
            }
        }
    }

    pub(super) fn succeeded(&self) {
        let mut inner = self.inner();
        (inner.failures, inner.open_until, inner.trial) = (0, None, None);
    }

    pub(super) fn failed(&self, now: Instant) {
        let mut inner = self.inner();
        inner.failures = inner.failures.saturating_add(1);
        let was_trial = inner.trial.take().is_some();
        if was_trial || (inner.open_until.is_none() && inner.failures >= self.failures) {
            inner.open_until = Some(now + self.open);
            inner.opened += 1;
        }
    }

    pub(super) fn state(&self, now: Instant) -> State {
        match self.inner().open_until {
            None => State::Closed,
            Some(until) if now < until => State::Open,
            Some(_) => State::HalfOpen,
        }
    }

    /// How often it opened.
    pub(super) fn opened(&self) -> u64 {
        self.inner().opened
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_after_failures_in_a_row_and_closes_after_a_good_trial() {
        let (breaker, start, second) =
            (Breaker::new(3, Duration::from_secs(1)), Instant::now(), Duration::from_secs(1));
        for _ in 0..2 {
            assert!(breaker.admit(start));
            breaker.failed(start);
        }
        breaker.succeeded();
        for _ in 0..3 {
            assert_eq!(breaker.state(start), State::Closed, "the success began a new row");
            assert!(breaker.admit(start));
            breaker.failed(start);
        }
        assert_eq!(breaker.state(start), State::Open);
        assert!(!breaker.admit(start + second / 2));

        let later = start + second;
        assert_eq!(breaker.state(later), State::HalfOpen);
        assert!(breaker.admit(later), "a trial");
        assert!(!breaker.admit(later), "one at a time");
        breaker.failed(later);
        assert!(!breaker.admit(later + second / 2), "open again at once");
        assert!(breaker.admit(later + second));
        breaker.succeeded();
        assert_eq!(breaker.state(later + second), State::Closed);
        assert_eq!(breaker.opened(), 2);
    }

    #[test]
    fn a_trial_that_never_ends_does_not_hold_the_breaker_open() {
        let (breaker, start, second) =
            (Breaker::new(1, Duration::from_secs(1)), Instant::now(), Duration::from_secs(1));
        breaker.failed(start);
        assert!(breaker.admit(start + second));
        assert!(!breaker.admit(start + second * 3 / 2));
        assert!(breaker.admit(start + second * 2));
    }
}
