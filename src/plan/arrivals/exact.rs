/// A sum of two floats, the second far below the last digit of the first: some 106 bits (Dekker 1971). Integrals of rates
/// are kept so, since a long stage of 600,000/s before one of 1/s must not move the latter's arrivals by microseconds.
///
/// The unit is 2·10⁹ for one arrival: then (rate at the start + rate at the end) × nanoseconds needs no division.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub(super) struct Exact {
    high: f64,
    low: f64,
}

const ARRIVAL: f64 = 2e9;

impl Exact {
    pub(super) const ZERO: Exact = Exact { high: 0.0, low: 0.0 };

    /// a + b without a rounding error (Knuth's two-sum).
    fn sum(a: f64, b: f64) -> Exact {
        let high = a + b;
        let part = high - a;
        Exact { high, low: (a - (high - part)) + (b - part) }
    }

    fn product(a: f64, b: f64) -> Exact {
        let high = a * b;
        Exact { high, low: a.mul_add(b, -high) }
    }

    /// What a stage from rate `a` to rate `b` brings in `nanos`.
    pub(super) fn area(a: f64, b: f64, nanos: u64) -> Exact {
        let rates = Exact::sum(a, b);
        let nanos = nanos as f64;
        let area = Exact::product(rates.high, nanos);
        Exact::sum(area.high, area.low + rates.low * nanos)
    }

    /// Some whole arrivals.
    pub(super) fn whole(count: u64) -> Exact {
        Exact::product(count as f64, ARRIVAL)
    }

    /// A float in the unit of this type.
    pub(super) fn float(high: f64) -> Exact {
        Exact { high, low: 0.0 }
    }

    /// Where arrival `k` lies: k + ½.
    pub(super) fn arrival(k: u64) -> Exact {
        Exact::product((k as f64).mul_add(2.0, 1.0), ARRIVAL / 2.0)
    }

    pub(super) fn plus(self, other: Exact) -> Exact {
        let high = Exact::sum(self.high, other.high);
        Exact::sum(high.high, high.low + self.low + other.low)
    }

    /// self − other.
    pub(super) fn less(self, other: Exact) -> Exact {
        self.plus(Exact { high: -other.high, low: -other.low })
    }

    /// self − other, rounded once.
    pub(super) fn minus(self, other: Exact) -> f64 {
        let high = Exact::sum(self.high, -other.high);
        high.high + (high.low + self.low - other.low)
    }

    /// This part of it, for points drawn at random.
    pub(super) fn part(self, share: f64) -> Exact {
        Exact { high: self.high * share, low: 0.0 }
    }

    pub(super) fn is_positive(self) -> bool {
        self.high > 0.0
    }

    /// In whole arrivals, a half rounded up.
    pub(super) fn arrivals(self) -> u64 {
        ((self.high + self.low) / ARRIVAL).round() as u64
    }
}
