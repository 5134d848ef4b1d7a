use crate::base::units::{Rate, Size, Span};
use crate::report::Words;

/// The axis from left to right.
#[derive(Debug, Clone, Copy)]
pub(in crate::report) struct Across {
    pub(in crate::report) from: f64,
    pub(in crate::report) to: f64,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Time,
    Quantiles,
    Numbers,
}

impl Across {
    /// Seconds of the drill.
    pub(in crate::report) fn time(from: f64, to: f64) -> Across {
        Across { from, to: if to > from { to } else { from + 1.0 }, kind: Kind::Time }
    }

    /// Plain numbers, from 0.
    pub(in crate::report) fn numbers(to: f64) -> Across {
        Across { from: 0.0, to: if to > 0.0 { to } else { 1.0 }, kind: Kind::Numbers }
    }

    /// Quantiles, each further nine as wide as the one before it: a quantile stands at [`Across::quantile`].
    pub(in crate::report) fn quantiles(nines: f64) -> Across {
        Across { from: 0.0, to: nines.max(1.0), kind: Kind::Quantiles }
    }

    /// How many nines: 0.9 stands at 1, 0.99 at 2.
    pub(in crate::report) fn quantile(q: f64) -> f64 {
        -(1.0 - q).max(1e-12).log10()
    }

    pub(super) fn is_time(self) -> bool {
        self.kind == Kind::Time
    }

    pub(super) fn is_number(self) -> bool {
        self.kind == Kind::Numbers
    }

    pub(super) fn ticks(self) -> Vec<(f64, String)> {
        if self.kind == Kind::Numbers {
            let rough = self.to / 8.0;
            let decade = 10f64.powf(rough.log10().floor());
            let step = [1.0, 2.0, 5.0, 10.0].map(|part| part * decade).into_iter().find(|step| *step >= rough);
            let step = step.unwrap_or(rough);
            let words = Words::new(Default::default());
            let ticks = (0..=10u8).map(|nth| f64::from(nth) * step).take_while(|at| *at <= self.to + 1e-9);
            return ticks.map(|at| (at, words.number(at))).collect();
        }
        if self.kind == Kind::Quantiles {
            return [0.0, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999, 0.99999, 0.999999]
                .into_iter()
                .map(|q| (Across::quantile(q), format!("{}%", trimmed(q * 100.0))))
                .filter(|(at, _)| *at <= self.to + 1e-9)
                .collect();
        }
        const STEPS: [f64; 15] =
            [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0];
        let span = self.to - self.from;
        let step = STEPS.into_iter().find(|step| span / step <= 13.0).unwrap_or((span / 43_200.0).ceil() * 3_600.0);
        let words = Words::new(Default::default());
        let first = (self.from / step).ceil() as u64;
        (first..)
            .map(|nth| nth as f64 * step)
            .take_while(|at| *at <= self.to + 1e-9)
            .map(|at| (at, words.second(at as u64)))
            .collect()
    }
}

fn trimmed(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

/// The axis upright: what its values are and how they are spread.
#[derive(Debug, Clone, Copy)]
pub(in crate::report) enum Upright {
    /// Seconds, each power of ten as high as another.
    Time,
    PerSecond,
    Cores,
    Bytes,
    Share,
}

impl Upright {
    /// What the page's script writes behind values.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Upright::Time => "time",
            Upright::PerSecond => "rate",
            Upright::Cores => "number",
            Upright::Bytes => "bytes",
            Upright::Share => "share",
        }
    }

    fn is_log(self) -> bool {
        matches!(self, Upright::Time)
    }

    /// Where a value stands on the axis.
    pub(super) fn place(self, value: f64) -> f64 {
        if self.is_log() { value.max(1e-6).log10() } else { value }
    }

    /// What the axis spans, in places.
    pub(super) fn range(self, values: impl Iterator<Item = Option<f64>>) -> (f64, f64) {
        let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.flatten().filter(|value| value.is_finite()) {
            least = least.min(value);
            greatest = greatest.max(value);
        }
        if self.is_log() {
            if greatest < least {
                return (-3.0, 0.0);
            }
            // Down to the next of 1, 2 or 5.
            let decade = 10f64.powf(self.place(least * 0.95).floor());
            let low = [5.0, 2.0, 1.0].into_iter().map(|part| part * decade).find(|low| *low <= least).unwrap_or(decade);
            return (self.place(low), self.place(greatest * 1.2).max(self.place(low) + 1.0));
        }
        let top = match self {
            _ if greatest > 0.0 => greatest * 1.08,
            Upright::Bytes => 1_048_576.0,
            _ => 1.0,
        };
        // An overspent budget lies below nothing.
        (if least < 0.0 { least * 1.08 } else { 0.0 }, top)
    }

    /// Places and what is written there; empty for a line without a number.
    pub(super) fn ticks(self, (low, high): (f64, f64)) -> Vec<(f64, String)> {
        if self.is_log() {
            let every = high - low <= 3.2;
            let mut ticks = Vec::new();
            let mut decade = low.floor() as i32;
            while f64::from(decade) <= high {
                for (part, shown) in [(1.0, true), (2.0, every), (5.0, every)] {
                    let value = part * 10f64.powi(decade);
                    if (low - 1e-9..=high).contains(&value.log10()) {
                        ticks.push((value.log10(), if shown { self.text(value) } else { String::new() }));
                    }
                }
                decade += 1;
            }
            return ticks;
        }
        let unit = match self {
            Upright::Bytes if high >= 2_147_483_648.0 => 1_073_741_824.0,
            Upright::Bytes => 1_048_576.0,
            _ => 1.0,
        };
        let rough = (high - low) / unit / 5.0;
        let decade = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|part| part * decade)
            .find(|step| *step >= rough * 0.999)
            .unwrap_or(decade * 10.0);
        let first = (low / unit / step).ceil() as i64;
        let last = (high / unit / step).floor() as i64;
        (first..=last.min(first + 20))
            .map(|nth| nth as f64 * step * unit)
            .map(|value| (value, self.text(value)))
            .collect()
    }

    fn text(self, value: f64) -> String {
        let words = Words::new(Default::default());
        match self {
            Upright::Time => words.span(Span::from_seconds_f64(value)),
            Upright::PerSecond if value >= 10_000.0 => words.count(value as u64),
            Upright::PerSecond => words.number(Rate::per_second(value).as_per_second()),
            Upright::Cores => words.number(value),
            Upright::Bytes => words.size(Size(value as u64)),
            Upright::Share => format!("{}%", trimmed(value * 100.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(ticks: Vec<(f64, String)>) -> Vec<String> {
        ticks.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn time_is_cut_at_round_seconds() {
        assert_eq!(texts(Across::time(0.0, 40.0).ticks()).len(), 9);
        assert_eq!(texts(Across::time(12.5, 21.0).ticks())[0], "0:13");
        assert!(texts(Across::time(0.0, 86_400.0).ticks()).len() <= 14);
        assert!(texts(Across::time(0.0, 400_000.0).ticks()).len() <= 14);
    }

    #[test]
    fn heights_are_cut_at_round_values() {
        assert_eq!(texts(Upright::PerSecond.ticks((0.0, 130.0))), ["0", "50", "100"]);
        assert_eq!(
            texts(Upright::Time.ticks((-3.0, -1.0))),
            ["1 ms", "2 ms", "5 ms", "10 ms", "20 ms", "50 ms", "100 ms"]
        );
        assert_eq!(
            texts(Upright::Bytes.ticks((0.0, 104_857_600.0))),
            ["0 B", "20 MiB", "40 MiB", "60 MiB", "80 MiB", "100 MiB"]
        );
        assert_eq!(texts(Upright::Share.ticks((-0.5, 1.0)))[0], "-50%");
    }

    #[test]
    fn no_data_still_has_an_axis() {
        for upright in [Upright::Time, Upright::PerSecond, Upright::Bytes] {
            let range = upright.range([None, Some(f64::NAN)].into_iter());
            assert!(range.1 > range.0 && upright.ticks(range).len() > 1);
        }
    }
}
