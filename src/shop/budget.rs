//! A retry budget: retries may be a share of the calls, so that they cannot multiply an overload.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Tokens are counted in thousandths: each call pays in its share, each retry takes a whole one.
#[derive(Debug)]
pub(super) struct RetryBudget {
    tokens: AtomicI64,
    share: i64,
    most: i64,
    retries: AtomicU64,
    refused: AtomicU64,
}

impl RetryBudget {
    /// Starts full, with `most` retries in hand; each call earns `per_mille` thousandths of one.
    pub(super) fn new(per_mille: u32, most: u32) -> Self {
        let most = i64::from(most) * 1000;
        let (retries, refused) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { tokens: AtomicI64::new(most), share: i64::from(per_mille), most, retries, refused }
    }

    pub(super) fn called(&self) {
        let _ =
            self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |t| Some((t + self.share).min(self.most)));
    }

    pub(super) fn retry(&self) -> bool {
        let take = |t: i64| (t >= 1000).then_some(t - 1000);
        let granted = self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
        let counter = if granted { &self.retries } else { &self.refused };
        counter.fetch_add(1, Ordering::Relaxed);
        granted
    }

    pub(super) fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_a_share_of_the_calls() {
        let budget = RetryBudget::new(200, 2);
        assert!(budget.retry() && budget.retry() && !budget.retry());
        for _ in 0..4 {
            budget.called();
        }
        assert!(!budget.retry(), "four calls earn 0.8");
        budget.called();
        assert!(budget.retry() && !budget.retry());
        for _ in 0..1000 {
            budget.called();
        }
        assert!(budget.retry() && budget.retry() && !budget.retry(), "never more than the most");
        assert_eq!((budget.retries(), budget.refused()), (5, 4));
    }
}
