use rand_distr::Distribution;

use super::Stream;

/// One of several, each as often as its weight says.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighted {
    /// Sums of the weights up to and with each.
    sums: Vec<f64>,
}

impl Weighted {
    /// None when there is nothing to choose: no weight over zero, or one that is negative or not finite.
    pub fn new(weights: impl IntoIterator<Item = f64>) -> Option<Weighted> {
        let mut sum = 0.0;
        let mut sums = Vec::new();
        for weight in weights {
            if !(weight >= 0.0 && weight.is_finite()) {
                return None;
            }
            sum += weight;
            sums.push(sum);
        }
        (sum > 0.0 && sum.is_finite()).then_some(Weighted { sums })
    }

    /// The index of the one chosen.
    #[inline]
    pub fn draw(&self, stream: &mut Stream) -> usize {
        let Some(total) = self.sums.last() else { return 0 };
        let point = stream.unit() * total;
        self.sums.partition_point(|sum| *sum <= point).min(self.sums.len() - 1)
    }
}

/// Row r of n (from 0) with a probability in proportion to 1 / (r + 1)^exponent.
#[derive(Debug, Clone, Copy)]
pub struct Zipf(rand_distr::Zipf<f64>);

impl Zipf {
    /// None when there are no rows, or the exponent is negative or not finite.
    pub fn new(rows: u64, exponent: f64) -> Option<Zipf> {
        if rows == 0 || !exponent.is_finite() {
            return None;
        }
        rand_distr::Zipf::new(rows as f64, exponent).ok().map(Zipf)
    }

    #[inline]
    pub fn draw(&self, stream: &mut Stream) -> u64 {
        (self.0.sample(stream) as u64).saturating_sub(1)
    }
}

/// Times between independent events, by their mean.
#[derive(Debug, Clone, Copy)]
pub struct Exponential(rand_distr::Exp<f64>);

impl Exponential {
    /// None unless the mean is over zero and finite.
    pub fn new(mean: f64) -> Option<Exponential> {
        if !(mean > 0.0 && mean.is_finite()) {
            return None;
        }
        rand_distr::Exp::new(1.0 / mean).ok().map(Exponential)
    }

    #[inline]
    pub fn draw(&self, stream: &mut Stream) -> f64 {
        self.0.sample(stream)
    }
}

/// How long people take: half of them less than the median, its logarithm spread by sigma.
#[derive(Debug, Clone, Copy)]
pub struct Lognormal(rand_distr::LogNormal<f64>);

impl Lognormal {
    /// None unless the median is over zero, sigma not negative, both finite.
    pub fn new(median: f64, sigma: f64) -> Option<Lognormal> {
        if !(median > 0.0 && median.is_finite() && sigma >= 0.0 && sigma.is_finite()) {
            return None;
        }
        rand_distr::LogNormal::new(median.ln(), sigma).ok().map(Lognormal)
    }

    #[inline]
    pub fn draw(&self, stream: &mut Stream) -> f64 {
        self.0.sample(stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Key, Purpose};

    fn stream(k: u64) -> Stream {
        Key::new(5, 0, k).stream(Purpose::Mix, 0)
    }

    #[test]
    fn the_same_seed_draws_the_same_for_ever() {
        let zipf = Zipf::new(5_000, 1.1).unwrap();
        let mix = Weighted::new([80.0, 20.0]).unwrap();
        let think = Lognormal::new(2.0, 0.6).unwrap();
        let gap = Exponential::new(0.5).unwrap();
        insta::assert_compact_debug_snapshot!((0..12).map(|k| zipf.draw(&mut stream(k))).collect::<Vec<_>>(), @"[1, 8, 12, 4213, 171, 4, 1, 21, 32, 133, 2, 0]");
        insta::assert_compact_debug_snapshot!((0..12).map(|k| mix.draw(&mut stream(k))).collect::<Vec<_>>(), @"[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]");
        insta::assert_compact_debug_snapshot!((0..4).map(|k| think.draw(&mut stream(k))).collect::<Vec<_>>(), @"[1.037842942382824, 1.842385484739572, 1.861693744676454, 7.644931317697087]");
        insta::assert_compact_debug_snapshot!((0..4).map(|k| gap.draw(&mut stream(k))).collect::<Vec<_>>(), @"[0.24309189196158373, 0.16690072240983395, 1.0184217136445919, 1.641374633772506]");
    }

    #[test]
    fn shares_come_out_as_weighed_and_zero_never() {
        let mix = Weighted::new([0.0, 3.0, 0.0, 1.0, 0.0]).unwrap();
        let mut counts = [0u32; 5];
        for k in 0..20_000 {
            counts[mix.draw(&mut stream(k))] += 1;
        }
        assert_eq!((counts[0], counts[2], counts[4]), (0, 0, 0));
        assert!((14_700..15_300).contains(&counts[1]), "{counts:?}");
    }

    #[test]
    fn what_cannot_be_drawn_from_is_refused() {
        assert!(Weighted::new([]).is_none());
        assert!(Weighted::new([0.0, 0.0]).is_none());
        assert!(Weighted::new([1.0, -1.0]).is_none());
        assert!(Weighted::new([f64::NAN]).is_none());
        assert!(Zipf::new(0, 1.0).is_none());
        assert!(Zipf::new(5, f64::NAN).is_none());
        assert!(Zipf::new(5, -1.0).is_none());
        assert!(Exponential::new(0.0).is_none());
        assert!(Lognormal::new(0.0, 1.0).is_none());
    }

    #[test]
    fn zipf_falls_as_its_exponent_says_and_stays_in_its_rows() {
        let zipf = Zipf::new(100, 1.0).unwrap();
        let mut counts = [0f64; 100];
        for k in 0..50_000 {
            counts[zipf.draw(&mut stream(k)) as usize] += 1.0;
        }
        assert!((counts[0] / counts[1] - 2.0).abs() < 0.15, "{}", counts[0] / counts[1]);
        assert!((counts[0] / counts[9] - 10.0).abs() < 1.5, "{}", counts[0] / counts[9]);
    }

    #[test]
    fn medians_and_means_are_as_asked() {
        let think = Lognormal::new(2.0, 0.6).unwrap();
        let under = (0..20_000).filter(|k| think.draw(&mut stream(*k)) < 2.0).count();
        assert!((9_800..10_200).contains(&under), "{under}");
        let gap = Exponential::new(0.5).unwrap();
        let mean = (0..20_000).map(|k| gap.draw(&mut stream(k))).sum::<f64>() / 20_000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
    }
}
