use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A length of time in whole nanoseconds. Stored as a plain number of nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(pub u64);

/// An instant of a drill: nanoseconds after the drill's single start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct At(pub u64);

impl Span {
    pub const ZERO: Span = Span(0);
    pub const MAX: Span = Span(u64::MAX);
    pub const SECOND: Span = Span(1_000_000_000);

    pub const fn nanos(n: u64) -> Span {
        Span(n)
    }

    pub const fn micros(n: u64) -> Span {
        Span(n.saturating_mul(1_000))
    }

    pub const fn millis(n: u64) -> Span {
        Span(n.saturating_mul(1_000_000))
    }

    pub const fn seconds(n: u64) -> Span {
        Span(n.saturating_mul(1_000_000_000))
    }

    /// `seconds` rounded to the nearest nanosecond; negative and NaN become zero, too large saturates.
    pub fn from_seconds_f64(seconds: f64) -> Span {
        Span((seconds * 1e9).round() as u64)
    }

    pub fn as_seconds_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole microseconds, rounded down: the resolution of histograms.
    pub const fn as_micros(self) -> u64 {
        self.0 / 1_000
    }

    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    pub const fn to_std(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    pub fn from_std(duration: Duration) -> Span {
        Span(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }

    pub const fn saturating_sub(self, other: Span) -> Span {
        Span(self.0.saturating_sub(other.0))
    }

    pub const fn saturating_mul(self, factor: u64) -> Span {
        Span(self.0.saturating_mul(factor))
    }
}

impl Add for Span {
    type Output = Span;
    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Span {
    fn add_assign(&mut self, other: Span) {
        *self = *self + other;
    }
}

impl At {
    pub const START: At = At(0);
    pub const MAX: At = At(u64::MAX);

    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    pub fn as_seconds_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The whole second that this instant lies in, counted from the start.
    pub const fn second(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// The time from `earlier` to this instant; zero when `earlier` is later.
    pub const fn since(self, earlier: At) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    pub const fn saturating_sub(self, span: Span) -> At {
        At(self.0.saturating_sub(span.0))
    }
}

impl Add<Span> for At {
    type Output = At;
    fn add(self, span: Span) -> At {
        At(self.0.saturating_add(span.0))
    }
}

impl Sub<At> for At {
    type Output = Span;
    fn sub(self, earlier: At) -> Span {
        self.since(earlier)
    }
}

/// In the scenario language's own words, shortest exact form: `1m30s`, `800ms`, `1.5s`, `0s`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 7] = [
            (86_400_000_000_000, "d"),
            (3_600_000_000_000, "h"),
            (60_000_000_000, "m"),
            (1_000_000_000, "s"),
            (1_000_000, "ms"),
            (1_000, "us"),
            (1, "ns"),
        ];
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        let mut text = String::new();
        for (size, unit) in UNITS {
            let count = rest / size;
            if count > 0 {
                text.push_str(&format!("{count}{unit}"));
                rest %= size;
            }
        }
        f.pad(&text)
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Span(self.0), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_the_shortest_exact_compound() {
        assert_eq!(Span::ZERO.to_string(), "0s");
        assert_eq!(Span::millis(1_500).to_string(), "1s500ms");
        assert_eq!(Span::seconds(90).to_string(), "1m30s");
        assert_eq!(Span::seconds(86_400 + 7).to_string(), "1d7s");
    }

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        assert_eq!(Span::MAX + Span::SECOND, Span::MAX);
        assert_eq!(At::START.since(At(5)), Span::ZERO);
        assert_eq!(At::MAX + Span::SECOND, At::MAX);
    }
}
