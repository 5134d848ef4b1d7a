//! Percentiles: ranks over ok and failed requests alike, and their interval from order statistics.

use super::{Figure, Interval, Percentile};
use crate::base::units::Span;
use crate::plan::Quantity;
use crate::record::Latency;

/// q·n and 1 / (1 − q) are whole numbers oftener than floating point says so.
const SLACK: f64 = 1e-9;

/// How many samples the q-th percentile needs: n ≥ 1 / (1 − q).
pub fn needed(q: f64) -> u64 {
    if q >= 1.0 {
        return u64::MAX;
    }
    (1.0 / (1.0 - q) * (1.0 - SLACK)).ceil().max(1.0) as u64
}

/// The q-th percentile of n samples is the smallest value with at least q·n samples at or below it: the value at this
/// rank, counted from 1.
pub fn rank(q: f64, n: u64) -> u64 {
    ((q * n as f64 * (1.0 - SLACK)).ceil() as u64).clamp(1, n.max(1))
}

/// The q-th percentile of `ok` times and `failed` requests that are slower than any.
pub(super) fn percentile(q: f64, ok: &Latency, failed: u64) -> Percentile {
    percentiles(&[q], ok, failed).pop().expect("one for each quantile")
}

/// The same for many quantiles, in one walk over the times.
pub(super) fn percentiles(quantiles: &[f64], ok: &Latency, failed: u64) -> Vec<Percentile> {
    let samples = ok.count() + failed;
    let ends: Vec<Option<(u64, u64)>> =
        quantiles.iter().map(|&q| interval_ranks(q, samples).filter(|_| samples >= needed(q))).collect();
    let mut ranks: Vec<u64> = quantiles.iter().flat_map(|&q| [rank(q, samples), rank(q, ok.count())]).collect();
    ranks.extend(ends.iter().flatten().flat_map(|&(low, high)| [low, high]));
    ranks.sort_unstable();
    ranks.dedup();
    let values = ok.at_ranks(&ranks);
    let at = |rank: u64| ranks.binary_search(&rank).ok().and_then(|place| values[place]);
    let figure = |rank: u64| at(rank).map_or(Figure::Failed, |span| Figure::Exactly(Quantity::Span(span)));
    let one = |(&q, ends): (&f64, &Option<(u64, u64)>)| {
        let needed = needed(q);
        Percentile {
            q,
            figure: (samples >= needed).then(|| figure(rank(q, samples))),
            of_ok: at(rank(q, ok.count())).filter(|_| ok.count() >= needed),
            interval: ends.map(|(low, high)| Interval { low: figure(low), high: figure(high) }),
            samples,
            needed,
        }
    };
    quantiles.iter().zip(&ends).map(one).collect()
}

/// The q-th percentile of the ok times alone; none with too few of them.
pub(super) fn of_ok(q: f64, ok: &Latency) -> Option<Span> {
    let samples = ok.count();
    if samples < needed(q) { None } else { ok.at_rank(rank(q, samples)) }
}

/// The ranks l and u with P(X(l) ≤ the true percentile < X(u)) ≥ 95 %, half of the rest on either side, from the exact
/// binomial distribution (Conover, Practical Nonparametric Statistics, 3.2). None where n is too small for one of them.
pub fn interval_ranks(q: f64, n: u64) -> Option<(u64, u64)> {
    if n == 0 || q <= 0.0 || q >= 1.0 {
        return None;
    }
    let odds = q / (1.0 - q);
    let mode = (((n + 1) as f64 * q).floor() as u64).min(n);
    // The mass of each count, relative to that of the mode: as far out as it matters.
    let mut below = Vec::new();
    let (mut mass, mut k) = (1.0, mode);
    while k > 0 && mass > 1e-20 {
        mass *= k as f64 / ((n - k + 1) as f64 * odds);
        k -= 1;
        below.push(mass);
    }
    let lowest = k;
    let mut masses: Vec<f64> = below.into_iter().rev().chain([1.0]).collect();
    let (mut mass, mut k) = (1.0, mode);
    while k < n && mass > 1e-20 {
        mass *= (n - k) as f64 * odds / (k + 1) as f64;
        k += 1;
        masses.push(mass);
    }
    let total: f64 = masses.iter().sum();
    let (mut sum, mut low, mut high) = (0.0, None, None);
    for (offset, mass) in masses.iter().enumerate() {
        sum += mass / total;
        let count = lowest + offset as u64;
        if low.is_none() && sum > 0.025 {
            low = Some(count);
        }
        if high.is_none() && sum >= 0.975 {
            high = Some(count + 1);
        }
    }
    let (low, high) = (low?, high?);
    (low >= 1 && high <= n).then_some((low, high))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_percentile_needs_its_samples() {
        assert_eq!([0.5, 0.9, 0.95, 0.99, 0.999].map(needed), [2, 10, 20, 100, 1_000]);
        assert_eq!([1, 2, 99, 100, 101].map(|n| rank(0.99, n)), [1, 2, 99, 99, 100]);
        assert_eq!(rank(0.07, 100), 7);
        assert_eq!(rank(0.999, 1_000), 999);
    }

    /// p99 has both ends from 368 samples on.
    #[test]
    fn the_interval_is_the_exact_binomials() {
        assert_eq!(interval_ranks(0.99, 367), None);
        assert_eq!(interval_ranks(0.99, 368), Some((360, 368)));
        // From tables of the binomial distribution: n = 100, p = ½.
        assert_eq!(interval_ranks(0.5, 100), Some((40, 61)));
        assert_eq!(interval_ranks(0.5, 5), None);
        assert_eq!(interval_ranks(0.5, 6), Some((1, 6)));
        let (low, high) = interval_ranks(0.99, 100_000_000).unwrap();
        let sd = (1e8f64 * 0.99 * 0.01).sqrt();
        assert!((low as f64 - (0.99e8 - 1.96 * sd)).abs() < 5.0 && (high as f64 - (0.99e8 + 1.96 * sd)).abs() < 5.0);
    }

    #[test]
    fn failing_fast_never_improves_a_percentile() {
        let mut ok = Latency::new();
        (1..=95).for_each(|ms| ok.record(Span::millis(ms)));
        let p = |q, failed| percentile(q, &ok, failed);
        assert_eq!(p(0.9, 5).figure.unwrap().exactly().unwrap().as_f64().round(), 0.0);
        assert_eq!(p(0.95, 5).of_ok.unwrap().as_millis(), 91);
        assert_eq!(p(0.99, 5).figure, Some(Figure::Failed));
        assert_eq!((p(0.99, 4).figure, p(0.99, 4).samples), (None, 99));
        // 95 ok and 5 failed: the 95th value is the last ok one.
        assert!(matches!(p(0.95, 5).figure, Some(Figure::Exactly(_))));
        assert_eq!(p(0.96, 5).figure, Some(Figure::Failed));
        let nothing = percentile(0.5, &Latency::new(), 0);
        assert_eq!((nothing.figure, nothing.of_ok, nothing.interval), (None, None, None));
    }

    proptest! {
        /// Against exact sorting, with the failed ones sorted last.
        #[test]
        fn a_percentile_is_that_of_the_sorted(micros in prop::collection::vec(1u64..10_000_000, 0..300), failed in 0u64..60, q in 0.01f64..0.999) {
            let mut ok = Latency::new();
            for &one in &micros {
                ok.record(Span::micros(one));
            }
            let mut sorted: Vec<Option<u64>> = micros.iter().copied().map(Some).collect();
            sorted.sort_unstable();
            sorted.extend(std::iter::repeat_n(None, failed as usize));
            let figure = percentile(q, &ok, failed).figure;
            let n = sorted.len();
            // "The smallest value with at least q·n samples at or below it", searched for.
            let exact = (1..=n).find(|&count| count as f64 >= q * n as f64 - 1e-6).map(|count| sorted[count - 1]);
            match (figure, exact) {
                (None, _) => prop_assert!((n as f64) < 1.0 / (1.0 - q) + 1e-6),
                (Some(Figure::Failed), Some(None)) => {}
                (Some(Figure::Exactly(Quantity::Span(got))), Some(Some(micros))) => {
                    let off = (got.as_micros() as f64 - micros as f64).abs();
                    prop_assert!(off <= micros as f64 * 0.001 + 1.0, "{got} is not {micros} µs");
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }

        /// The probability that the interval holds the percentile is at least 95 %, by summing the binomial directly.
        #[test]
        fn the_interval_covers(n in 2u64..250, q in 0.05f64..0.9) {
            if let Some((low, high)) = interval_ranks(q, n) {
                let mut mass = (1.0 - q).powi(n as i32);
                let mut within = 0.0;
                for k in 0..n {
                    if k >= low && k < high {
                        within += mass;
                    }
                    mass *= (n - k) as f64 / (k + 1) as f64 * q / (1.0 - q);
                }
                prop_assert!(within >= 0.95 - 1e-9, "{within}");
            }
        }
    }
}
