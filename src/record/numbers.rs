use super::Latency;

/// A distribution of numbers from 0 up: 3 significant digits, and nothing finer than a thousandth. Its memory is bounded,
/// whatever comes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Numbers(Latency);

/// Greater numbers count as this.
const GREATEST: f64 = 1e12;
const PARTS: f64 = 1000.0;

impl Numbers {
    /// Counts a number; false: it is none, or below 0.
    pub fn record(&mut self, number: f64) -> bool {
        let sound = number >= 0.0;
        if sound {
            self.0.record_raw((number.min(GREATEST) * PARTS).round() as u64);
        }
        sound
    }

    pub fn add(&mut self, other: &Numbers) {
        self.0.add(&other.0);
    }

    pub fn count(&self) -> u64 {
        self.0.count()
    }

    /// The smallest counted number with at least `rank` numbers at or below it.
    pub fn at_rank(&self, rank: u64) -> Option<f64> {
        self.0.at_rank(rank).map(|span| span.as_micros() as f64 / PARTS)
    }

    pub fn max(&self) -> Option<f64> {
        self.0.max().map(|span| span.as_micros() as f64 / PARTS)
    }

    pub fn mean(&self) -> Option<f64> {
        self.0.raw_mean().map(|mean| mean / PARTS)
    }

    /// As the log of histograms keeps it: in thousandths.
    pub(super) fn as_latency(&self) -> &Latency {
        &self.0
    }

    pub(super) fn as_latency_mut(&mut self) -> &mut Latency {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_rank_is_that_of_the_sorted_numbers(mut numbers in prop::collection::vec(0.0f64..1e9, 1..200), pick in 0.0f64..1.0) {
            let mut kept = Numbers::default();
            numbers.iter().for_each(|number| assert!(kept.record(*number)));
            numbers.sort_by(f64::total_cmp);
            let rank = 1 + (pick * (numbers.len() - 1) as f64) as usize;
            let (got, exact) = (kept.at_rank(rank as u64).unwrap(), numbers[rank - 1]);
            prop_assert!((got - exact).abs() <= exact * 0.001 + 0.001, "{got} is not {exact}");
        }
    }

    #[test]
    fn nothing_is_0_and_nothing_is_endless() {
        let mut kept = Numbers::default();
        assert!(!kept.record(-1.0) && !kept.record(f64::NAN));
        assert_eq!((kept.count(), kept.mean(), kept.max()), (0, None, None));
        assert!(kept.record(0.0) && kept.record(f64::INFINITY) && kept.record(2.5));
        assert_eq!(kept.at_rank(1), Some(0.0));
        assert!(kept.at_rank(2).is_some_and(|second| (second / 2.5 - 1.0).abs() < 0.001));
        assert!(kept.max().is_some_and(|max| (max / GREATEST - 1.0).abs() < 0.001));
    }
}
