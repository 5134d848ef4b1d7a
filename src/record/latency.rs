use hdrhistogram::Histogram;

use crate::base::units::Span;

/// A distribution of times: 3 significant digits, 1 µs to 1 h, cells made on first use and grown as needed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Latency {
    histogram: Option<Box<Histogram<u64>>>,
}

/// Longer times count as this.
const LONGEST: u64 = 3_600_000_000;

impl Latency {
    pub fn new() -> Latency {
        Latency::default()
    }

    /// Counts one time; under 1 µs counts as 1 µs, over 1 h as 1 h.
    pub fn record(&mut self, span: Span) {
        let histogram = self.histogram.get_or_insert_with(|| Box::new(empty()));
        // Not `saturating_record`: that one clamps to what there is room for instead of growing.
        if histogram.record(span.as_micros().clamp(1, LONGEST)).is_err() {
            histogram.saturating_record(LONGEST);
        }
    }

    /// Counts a whole number as it is.
    pub(super) fn record_raw(&mut self, value: u64) {
        let histogram = self.histogram.get_or_insert_with(|| Box::new(empty()));
        // It grows as needed: only what no histogram can hold is refused, and no number here is that large.
        let _ = histogram.record(value);
    }

    pub(super) fn raw_mean(&self) -> Option<f64> {
        let histogram = self.histogram.as_ref().filter(|histogram| !histogram.is_empty())?;
        Some(histogram.mean())
    }

    /// Adds all of `other`.
    pub fn add(&mut self, other: &Latency) {
        let Some(theirs) = &other.histogram else { return };
        match &mut self.histogram {
            Some(ours) => ours.add(theirs.as_ref()).expect("histograms that grow can always be added"),
            None => self.histogram = Some(theirs.clone()),
        }
    }

    pub fn count(&self) -> u64 {
        self.histogram.as_ref().map_or(0, |histogram| histogram.len())
    }

    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// The smallest counted time with at least `rank` times at or below it; none when fewer than `rank` were counted.
    /// Exact to 3 significant digits.
    pub fn at_rank(&self, rank: u64) -> Option<Span> {
        let histogram = self.histogram.as_ref()?;
        if rank == 0 || rank > histogram.len() {
            return None;
        }
        let mut seen = 0;
        for step in histogram.iter_recorded() {
            seen += step.count_at_value();
            if seen >= rank {
                return Some(Span::micros(histogram.highest_equivalent(step.value_iterated_to())));
            }
        }
        None
    }

    /// The same for many ranks, ascending, in one walk.
    pub fn at_ranks(&self, ranks: &[u64]) -> Vec<Option<Span>> {
        let mut found = Vec::with_capacity(ranks.len());
        if let Some(histogram) = &self.histogram {
            let mut seen = 0;
            for step in histogram.iter_recorded() {
                seen += step.count_at_value();
                while ranks.get(found.len()).is_some_and(|rank| *rank <= seen) {
                    let rank = ranks[found.len()];
                    let value = Span::micros(histogram.highest_equivalent(step.value_iterated_to()));
                    found.push((rank > 0).then_some(value));
                }
                if found.len() == ranks.len() {
                    break;
                }
            }
        }
        found.resize(ranks.len(), None);
        found
    }

    /// How many times were at or below `bound`, to the histogram's resolution.
    pub fn within(&self, bound: Span) -> u64 {
        self.count() - self.over(bound)
    }

    /// How many times were over `bound`, to the histogram's resolution.
    pub fn over(&self, bound: Span) -> u64 {
        let Some(histogram) = &self.histogram else { return 0 };
        histogram
            .iter_recorded()
            .filter(|step| step.value_iterated_to() > bound.as_micros())
            .map(|step| step.count_at_value())
            .sum()
    }

    pub fn mean(&self) -> Option<Span> {
        let histogram = self.histogram.as_ref().filter(|histogram| !histogram.is_empty())?;
        Some(Span::from_seconds_f64(histogram.mean() / 1e6))
    }

    pub fn max(&self) -> Option<Span> {
        let histogram = self.histogram.as_ref().filter(|histogram| !histogram.is_empty())?;
        Some(Span::micros(histogram.max()))
    }

    /// Makes it empty and keeps its memory.
    pub fn clear(&mut self) {
        if let Some(histogram) = &mut self.histogram {
            histogram.reset();
        }
    }

    pub(super) fn histogram(&self) -> Option<&Histogram<u64>> {
        self.histogram.as_deref()
    }

    pub(super) fn from_histogram(mut histogram: Histogram<u64>) -> Latency {
        histogram.auto(true);
        Latency { histogram: Some(Box::new(histogram)) }
    }
}

fn empty() -> Histogram<u64> {
    let mut histogram = Histogram::new_with_bounds(1, 2_000, 3).expect("1 to 2,000 with 3 digits is a valid range");
    histogram.auto(true);
    histogram
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against exact sorting: within the three digits that a histogram keeps.
        #[test]
        fn a_rank_is_that_of_the_sorted_times(mut micros in prop::collection::vec(1u64..100_000_000, 1..400), pick in 0.0f64..1.0) {
            let mut latency = Latency::new();
            for &one in &micros {
                latency.record(Span::micros(one));
            }
            micros.sort_unstable();
            let rank = 1 + (pick * (micros.len() - 1) as f64) as usize;
            let exact = micros[rank - 1] as f64;
            let got = latency.at_rank(rank as u64).unwrap().as_micros() as f64;
            let many = latency.at_ranks(&[0, 1, rank as u64, rank as u64, micros.len() as u64 + 1]);
            prop_assert_eq!(many, vec![None, latency.at_rank(1), latency.at_rank(rank as u64), latency.at_rank(rank as u64), None]);
            prop_assert!((got - exact).abs() <= exact * 0.001 + 1.0, "{got} is not {exact}");
        }
    }

    #[test]
    fn nothing_counted_has_no_figures() {
        let latency = Latency::new();
        assert_eq!(
            (latency.at_rank(1), latency.mean(), latency.max(), latency.over(Span::ZERO)),
            (None, None, None, 0)
        );
    }
}
