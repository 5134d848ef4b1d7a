use std::f64::consts::PI;

use super::Exact;
use crate::base::units::Span;
use crate::plan::load::wave_at;

/// mean + amplitude · sin(2π · t / period), and its integral in the unit of [`Exact`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Wave {
    pub mean: f64,
    pub amplitude: f64,
    pub period: u64,
}

/// Newton's steps need four or five; halving, which takes over where they leave the bracket, one for each bit.
const MOST_STEPS: u32 = 120;

impl Wave {
    pub(super) fn rate_at(&self, nanos: u64) -> f64 {
        wave_at(self.mean, self.amplitude, Span::nanos(self.period), Span::nanos(nanos)).max(0.0)
    }

    /// The greatest rate in the first `nanos`.
    pub(super) fn peak(&self, nanos: u64) -> f64 {
        if nanos >= self.period / 4 { self.mean + self.amplitude } else { self.rate_at(nanos) }
    }

    /// What it brings in the first `nanos`. Whole periods bring the mean, to the last bit; only the rest of one needs a sine.
    pub(super) fn area(&self, nanos: u64) -> Exact {
        let rest = nanos % self.period.max(1);
        Exact::area(self.mean, self.mean, nanos).plus(Exact::float(self.swing(rest as f64)))
    }

    /// What the sine alone brings in the first `nanos` of a period: 1 − cos as a square, which loses nothing near zero.
    fn swing(&self, nanos: f64) -> f64 {
        let period = self.period as f64;
        2.0 * self.amplitude * period / PI * (PI * nanos / period).sin().powi(2)
    }

    /// Nanoseconds at which it has brought `x` more than `before`.
    pub(super) fn invert(&self, x: Exact, before: Exact) -> f64 {
        let a_period = 2.0 * self.mean * self.period as f64;
        let whole_of = |periods: u64| periods.saturating_mul(self.period);
        let mut periods = (x.minus(before) / a_period).floor().max(0.0) as u64;
        let rest = |periods| x.minus(before.plus(Exact::area(self.mean, self.mean, whole_of(periods))));
        // The division above has rounded.
        if rest(periods) < 0.0 {
            periods = periods.saturating_sub(1);
        }
        whole_of(periods) as f64 + self.solve(rest(periods).max(0.0))
    }

    /// Nanoseconds into a period at which it has brought `x` since the period's start.
    fn solve(&self, x: f64) -> f64 {
        let period = self.period as f64;
        let (mut low, mut high) = (0.0, period);
        let mut at = (x / (2.0 * self.mean)).min(period);
        for _ in 0..MOST_STEPS {
            let over = 2.0 * self.mean * at + self.swing(at) - x;
            if over > 0.0 {
                high = at;
            } else {
                low = at;
            }
            let slope = 2.0 * (self.mean + self.amplitude * (2.0 * PI * at / period).sin());
            let newton = at - over / slope;
            let next = if newton >= low && newton <= high { newton } else { low + (high - low) / 2.0 };
            let step = (next - at).abs();
            at = next;
            if step < 0.01 {
                break;
            }
        }
        at
    }
}
