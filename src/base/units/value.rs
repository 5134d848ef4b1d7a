use std::fmt;

use serde::{Deserialize, Serialize};

use super::Span;

/// Events per second; never negative, never NaN.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(f64);

impl Rate {
    pub const ZERO: Rate = Rate(0.0);

    /// `per_second`; negative and NaN become zero.
    pub fn per_second(per_second: f64) -> Rate {
        Rate(if per_second > 0.0 { per_second } else { 0.0 })
    }

    pub const fn as_per_second(self) -> f64 {
        self.0
    }

    /// How many events this rate makes in `span`, as a real number.
    pub fn over(self, span: Span) -> f64 {
        self.0 * span.as_seconds_f64()
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/s", self.0))
    }
}

/// A part of a whole, or a ratio: 0.3 is 30 %. May exceed 1 where a block allows it.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Share(pub f64);

impl Share {
    pub const fn as_f64(self) -> f64 {
        self.0
    }

    pub fn percent(self) -> f64 {
        self.0 * 100.0
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded far below what a scenario can say, so that 0.1 % does not print as 0.10000000000000001 %.
        let percent = (self.0 * 100.0 * 1e9).round() / 1e9;
        f.pad(&format!("{percent}%"))
    }
}

/// An amount of data in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Size(pub u64);

impl Size {
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        for (size, unit) in UNITS {
            if self.0 >= size && self.0.is_multiple_of(size) {
                return f.pad(&format!("{}{unit}", self.0 / size));
            }
        }
        f.pad(&format!("{}B", self.0))
    }
}

/// Data in a time: bytes per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Flow(pub u64);

impl Flow {
    /// How much of it there is in `span`.
    pub fn over(self, span: Span) -> Size {
        let bytes = u128::from(self.0) * u128::from(span.as_nanos()) / u128::from(Span::SECOND.as_nanos());
        Size(u64::try_from(bytes).unwrap_or(u64::MAX))
    }

    /// How long `size` takes; for ever where nothing flows.
    pub fn time_of(self, size: Size) -> Span {
        let nanos = (u128::from(size.0) * u128::from(Span::SECOND.as_nanos())).checked_div(u128::from(self.0));
        nanos.and_then(|nanos| u64::try_from(nanos).ok()).map_or(Span::MAX, Span::nanos)
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/s", Size(self.0)))
    }
}

/// Money in whole cents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cents(pub i64);

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let whole = self.0.unsigned_abs();
        f.pad(&format!("{sign}{}.{:02}", whole / 100, whole % 100))
    }
}
