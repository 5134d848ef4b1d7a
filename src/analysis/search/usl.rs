//! The knee by the Universal Scalability Law: X(N) = λN / (1 + α(N − 1) + βN(N − 1)), throughput by concurrency
//! (N. J. Gunther, *Guerrilla Capacity Planning*, 2007, chapter 5).
//!
//! A trial gives a throughput X and a mean response time R, and N = X·R (J. D. C. Little, 1961). Since R = N / X, the law
//! is R = 1/λ · (1 + α(N − 1) + βN(N − 1)): linear in 1/λ, α/λ and β/λ, which are found by least squares of the relative
//! error, none of them below zero.

use serde::{Deserialize, Serialize};

use super::TrialFigures;
use crate::base::units::{Rate, Share};
use crate::plan::TrialEnd;

/// Three parameters, and one point to spare.
const POINTS: usize = 4;
/// Where the most concurrency is under so many times the least, nothing is known of how the platform scales.
const SPREAD: f64 = 2.0;
/// A trial that brought less of its rate was no balance: what it left behind was still growing.
const BALANCED: f64 = 0.98;

/// The law, fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Usl {
    /// Throughput of one at a time, per second.
    pub lambda: f64,
    /// Contention.
    pub alpha: f64,
    /// Coherency: above zero, more concurrency brings less in the end.
    pub beta: f64,
    /// Of the throughputs, 1 is perfect; none where all are alike.
    pub r2: Option<f64>,
    /// The greatest relative error of a throughput.
    pub worst: Share,
    /// The greatest throughput of the law: at its peak, or what it comes ever nearer to. None: it rises without end.
    pub peak: Option<Rate>,
    /// The concurrency at the peak; none without one.
    pub at: Option<f64>,
    pub points: Vec<UslPoint>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct UslPoint {
    pub concurrency: f64,
    pub throughput: Rate,
}

/// Why there is no fit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "why")]
pub enum NotFitted {
    TooFewPoints {
        have: u64,
        need: u64,
    },
    /// The greatest concurrency is only so many times the least.
    TooNarrow {
        spread: f64,
    },
    /// No law with λ above zero comes near.
    NoLaw,
}

impl Usl {
    /// The throughput at a concurrency.
    pub fn throughput(&self, n: f64) -> f64 {
        self.lambda * n / (1.0 + self.alpha * (n - 1.0) + self.beta * n * (n - 1.0))
    }
}

pub(super) fn fit(trials: &[TrialFigures]) -> Result<Usl, NotFitted> {
    // A visit may ask several times: as often as in the trial that had most of them answered.
    let asks = |figures: &TrialFigures| {
        let held = matches!(figures.end, TrialEnd::Held);
        let asks = figures.throughput?.as_per_second() / figures.trial.rate.as_per_second();
        held.then_some(asks).filter(|asks| asks.is_finite())
    };
    let asks = trials.iter().filter_map(asks).fold(f64::MIN_POSITIVE, f64::max);
    let point = |figures: &TrialFigures| {
        let requests = figures.throughput?.as_per_second();
        let throughput = Rate::per_second(requests / asks);
        let balanced = throughput.as_per_second() >= BALANCED * figures.trial.rate.as_per_second();
        let concurrency = requests * figures.mean?.as_seconds_f64();
        let sound = balanced && concurrency > 0.0 && !matches!(figures.end, TrialEnd::None { .. });
        sound.then_some(UslPoint { concurrency, throughput })
    };
    law(trials.iter().filter_map(point).collect())
}

fn law(mut points: Vec<UslPoint>) -> Result<Usl, NotFitted> {
    points.sort_by(|one, other| one.concurrency.total_cmp(&other.concurrency));
    if points.len() < POINTS {
        return Err(NotFitted::TooFewPoints { have: points.len() as u64, need: POINTS as u64 });
    }
    let spread = points[points.len() - 1].concurrency / points[0].concurrency;
    if spread < SPREAD {
        return Err(NotFitted::TooNarrow { spread });
    }
    // Which of the two may be other than zero: the best of those whose parameters are none below it.
    let all = [[true, true], [true, false], [false, true], [false, false]];
    let fits = all.into_iter().filter_map(|free| solve(&points, free));
    let best = fits.min_by(|(one, _), (other, _)| one.total_cmp(other));
    let Some((_, [a, b, c])) = best else { return Err(NotFitted::NoLaw) };
    let (lambda, alpha, beta) = (1.0 / a, b / a, c / a);
    let mut usl = Usl { lambda, alpha, beta, r2: None, worst: Share(0.0), peak: None, at: None, points };
    if beta > 0.0 && alpha < 1.0 {
        let at = ((1.0 - alpha) / beta).sqrt().max(1.0);
        (usl.at, usl.peak) = (Some(at), Some(Rate::per_second(usl.throughput(at))));
    } else if alpha > 0.0 {
        usl.peak = Some(Rate::per_second(lambda / alpha));
    }
    let throughput = |point: &UslPoint| point.throughput.as_per_second();
    let mean = usl.points.iter().map(throughput).sum::<f64>() / usl.points.len() as f64;
    let (mut left, mut all, mut worst) = (0.0, 0.0, 0.0f64);
    for point in &usl.points {
        let off = usl.throughput(point.concurrency) - throughput(point);
        left += off * off;
        all += (throughput(point) - mean) * (throughput(point) - mean);
        worst = worst.max((off / throughput(point)).abs());
    }
    usl.r2 = (all > 0.0).then(|| 1.0 - left / all);
    usl.worst = Share(worst);
    Ok(usl)
}

/// Least squares of R = a + b(N − 1) + cN(N − 1), relative to R; which of b and c are `free`. The squares that are left, and
/// the three. None: there is no such solution, or one of them is below zero.
fn solve(points: &[UslPoint], free: [bool; 2]) -> Option<(f64, [f64; 3])> {
    let rows: Vec<[f64; 3]> = points
        .iter()
        .map(|point| {
            let n = point.concurrency;
            let r = n / point.throughput.as_per_second();
            let on = |free: bool| f64::from(u8::from(free));
            [1.0 / r, on(free[0]) * (n - 1.0) / r, on(free[1]) * n * (n - 1.0) / r]
        })
        .collect();
    // The normal equations; what is not free is pinned to zero.
    let mut system = [[0.0; 4]; 3];
    for row in &rows {
        for (line, one) in system.iter_mut().zip(row) {
            for (cell, other) in line.iter_mut().zip(row.iter().chain([&1.0])) {
                *cell += one * other;
            }
        }
    }
    for (index, free) in free.into_iter().enumerate().filter(|(_, free)| !free) {
        debug_assert!(!free);
        system[index + 1][index + 1] = 1.0;
    }
    let found = gauss(system)?;
    let sound = found[0] > 0.0 && found[1] >= 0.0 && found[2] >= 0.0;
    let left = rows.iter().map(|row| {
        let off = row.iter().zip(&found).map(|(x, p)| x * p).sum::<f64>() - 1.0;
        off * off
    });
    sound.then(|| (left.sum(), found))
}

/// Three equations with three unknowns, by elimination with the greatest pivot.
fn gauss(mut system: [[f64; 4]; 3]) -> Option<[f64; 3]> {
    for column in 0..3 {
        let pivot = (column..3).max_by(|a, b| system[*a][column].abs().total_cmp(&system[*b][column].abs()))?;
        system.swap(column, pivot);
        let line = system[column];
        if line[column].abs() < 1e-12 * line.iter().fold(0.0f64, |most, cell| most.max(cell.abs()))
            || line[column] == 0.0
        {
            return None;
        }
        for (row, other) in system.iter_mut().enumerate().filter(|(row, _)| *row != column) {
            debug_assert_ne!(row, column);
            let factor = other[column] / line[column];
            other.iter_mut().zip(line).for_each(|(cell, pivot)| *cell -= factor * pivot);
        }
    }
    Some([0, 1, 2].map(|row| system[row][3] / system[row][row]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(lambda: f64, alpha: f64, beta: f64) -> Usl {
        Usl { lambda, alpha, beta, r2: None, worst: Share(0.0), peak: None, at: None, points: Vec::new() }
    }

    fn point(truth: &Usl, n: f64, noise: f64) -> UslPoint {
        UslPoint { concurrency: n, throughput: Rate::per_second(truth.throughput(n) * noise) }
    }

    proptest! {
        #[test]
        fn known_parameters_come_out_again(lambda in 10.0f64..2_000.0, alpha in 0.0f64..0.3, beta in 0.0f64..0.01) {
            let truth = of(lambda, alpha, beta);
            let fitted = law([0.5, 1.0, 2.0, 4.0, 8.0, 16.0].map(|n| point(&truth, n, 1.0)).to_vec()).unwrap();
            prop_assert!((fitted.lambda / lambda - 1.0).abs() < 1e-6, "{fitted:?}");
            prop_assert!((fitted.alpha - alpha).abs() < 1e-6 && (fitted.beta - beta).abs() < 1e-6, "{fitted:?}");
            prop_assert!(fitted.r2.unwrap() > 0.999_999 && fitted.worst.as_f64() < 1e-6);
        }

        #[test]
        fn noise_of_a_percent_moves_the_peak_by_little(
            noise in proptest::collection::vec(0.99f64..1.01, 12), beta in 0.002f64..0.01,
        ) {
            let truth = of(100.0, 0.05, beta);
            let peak = truth.throughput((0.95 / beta).sqrt());
            let points = noise.iter().enumerate().map(|(index, noise)| point(&truth, 1.0 + 2.0 * index as f64, *noise));
            let fitted = law(points.collect()).unwrap();
            let found = fitted.peak.unwrap().as_per_second();
            prop_assert!((found / peak - 1.0).abs() < 0.05, "{found} {peak} {fitted:?}");
        }
    }

    #[test]
    fn visits_that_ask_twice_scale_as_those_that_ask_once() {
        let truth = of(100.0, 0.05, 0.002);
        let trials = |asks: f64| {
            [1.0, 2.0, 4.0, 8.0, 16.0].map(|n| {
                let rate = Rate::per_second(truth.throughput(n));
                let begins = crate::base::units::At::START;
                let trial = crate::plan::Trial {
                    number: 0,
                    probe: false,
                    rate,
                    first: 0,
                    begins,
                    judged: begins,
                    ends: begins,
                };
                let requests = rate.as_per_second() * asks;
                TrialFigures {
                    trial,
                    end: TrialEnd::Held,
                    figures: Vec::new(),
                    throughput: Some(Rate::per_second(requests)),
                    mean: Some(crate::base::units::Span::from_seconds_f64(n / requests)),
                }
            })
        };
        let (once, twice) = (fit(&trials(1.0)).unwrap(), fit(&trials(2.0)).unwrap());
        assert!((once.lambda / twice.lambda - 1.0).abs() < 1e-3, "{once:?} {twice:?}");
        let peak = |usl: &Usl| usl.peak.unwrap().as_per_second();
        assert!((peak(&once) / peak(&twice) - 1.0).abs() < 1e-3, "{once:?} {twice:?}");
        // A trial that brought half of its visits' requests was no balance.
        let mut half = trials(2.0);
        half[4].throughput = half[4].throughput.map(|all| Rate::per_second(all.as_per_second() / 2.0));
        half[4].end = TrialEnd::Failed { missed: Vec::new() };
        assert_eq!(fit(&half).unwrap().points.len(), 4);
    }

    #[test]
    fn what_cannot_be_fitted_says_why() {
        let truth = of(100.0, 0.1, 0.001);
        let points = |ns: &[f64]| ns.iter().map(|n| point(&truth, *n, 1.0)).collect::<Vec<_>>();
        assert_eq!(law(points(&[1.0, 2.0, 4.0])), Err(NotFitted::TooFewPoints { have: 3, need: 4 }));
        assert!(matches!(law(points(&[1.0, 1.1, 1.2, 1.3])), Err(NotFitted::TooNarrow { .. })));
    }

    #[test]
    fn a_platform_that_only_gets_faster_has_no_peak() {
        let truth = of(100.0, 0.0, 0.0);
        let fitted = law([1.0, 2.0, 4.0, 8.0].map(|n| point(&truth, n, 1.0)).to_vec()).unwrap();
        assert!(fitted.peak.is_none() || fitted.peak.unwrap().as_per_second() > 1e9, "{fitted:?}");
    }
}
