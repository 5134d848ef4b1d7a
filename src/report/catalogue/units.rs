use std::cmp::Ordering;

use super::Words;
use crate::base::units::{At, Rate, Share, Size, Span};
use crate::plan::{Bound, Quantity};

/// How numbers are written. Both languages write digits, thousands and units alike.
impl Words {
    /// `12,345`.
    pub fn count(self, count: u64) -> String {
        let digits = count.to_string();
        let mut text = String::with_capacity(digits.len() + digits.len() / 3);
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        text
    }

    /// Three significant digits: `850 µs`, `4.31 ms`, `312 ms`, `20.3 s`; from a minute on `2 m 05 s`.
    pub fn span(self, span: Span) -> String {
        span_text(span, 3)
    }

    /// Two to five decimals as needed near nothing and near everything: `99.9987 %`; 0 % and 100 % only when exact.
    pub fn share(self, share: Share) -> String {
        share_text(share, 2)
    }

    pub fn rate(self, rate: Rate) -> String {
        rate_text(rate, 3)
    }

    pub fn size(self, size: Size) -> String {
        size_text(size, 3)
    }

    /// Three significant digits and no unit.
    pub fn number(self, number: f64) -> String {
        significant(number, 3)
    }

    pub fn quantity(self, quantity: Quantity) -> String {
        self.digits(quantity, 3)
    }

    /// `figure` with as many digits as it takes to be told from `objective`: a miss never reads like a hit.
    pub fn beside(self, figure: Quantity, objective: Quantity) -> String {
        let against = self.digits(objective, 9);
        let same = figure.partial_cmp(&objective) == Some(Ordering::Equal);
        (3..=9)
            .map(|digits| self.digits(figure, digits))
            .find(|text| same || (*text != against && *text != self.digits(objective, 3)))
            .unwrap_or_else(|| self.digits(figure, 9))
    }

    /// `≤ 500 ms`, with every digit that the scenario wrote.
    pub fn bound(self, bound: Bound) -> String {
        let exact = |quantity| self.digits(quantity, 9);
        match bound {
            Bound::AtMost(most) => format!("≤ {}", exact(most)),
            Bound::AtLeast(least) => format!("≥ {}", exact(least)),
            Bound::Between(least, most) => format!("{} – {}", exact(least), exact(most)),
            Bound::Above(above) => format!("> {}", exact(above)),
            Bound::Below(below) => format!("< {}", exact(below)),
        }
    }

    /// An instant of the drill, as minutes, seconds and milliseconds from its start: `1:23.456`.
    pub fn at(self, at: At) -> String {
        let millis = at.as_nanos() / 1_000_000;
        format!("{}.{:03}", clock(millis / 1_000), millis % 1_000)
    }

    /// The same without milliseconds.
    pub fn second(self, second: u64) -> String {
        clock(second)
    }

    /// A wall-clock instant in nanoseconds since the epoch, always in UTC: a report must not depend on where it is read.
    pub fn wall(self, nanos: i64) -> String {
        let seconds = nanos.div_euclid(1_000_000_000);
        let (year, month, day) = civil(seconds.div_euclid(86_400));
        let rest = seconds.rem_euclid(86_400);
        format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", rest / 3_600, rest / 60 % 60, rest % 60)
    }

    fn digits(self, quantity: Quantity, digits: usize) -> String {
        match quantity {
            Quantity::Span(span) => span_text(span, digits),
            Quantity::Share(share) => share_text(share, digits - 1),
            Quantity::Rate(rate) => rate_text(rate, digits),
            Quantity::Size(size) => size_text(size, digits),
            Quantity::Count(count) => self.count(count),
            Quantity::Number(number) => significant(number, digits),
        }
    }
}

fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// Days since 1970-01-01 as a date of the proleptic Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// `digits` significant digits, never fewer than the whole part has, without trailing zeros behind the point.
fn significant(number: f64, digits: usize) -> String {
    if number == 0.0 || !number.is_finite() {
        return format!("{number}");
    }
    let whole = (number.abs().log10().floor() as i64) + 1;
    let decimals = (digits as i64 - whole).clamp(0, 12) as usize;
    trimmed(format!("{number:.decimals$}")).replacen('-', "−", 1)
}

fn trimmed(text: String) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn span_text(span: Span, digits: usize) -> String {
    let nanos = span.as_nanos();
    let (scale, unit) = match nanos {
        0 => return "0 s".to_owned(),
        1..1_000 => (1.0, "ns"),
        1_000..1_000_000 => (1e3, "µs"),
        1_000_000..1_000_000_000 => (1e6, "ms"),
        1_000_000_000..60_000_000_000 => (1e9, "s"),
        _ => return long_span(nanos, digits),
    };
    let text = significant(nanos as f64 / scale, digits);
    // Rounding may have carried into the next unit.
    match (text.as_str(), unit) {
        ("1000", "ns") => "1 µs".to_owned(),
        ("1000", "µs") => "1 ms".to_owned(),
        ("1000", "ms") => "1 s".to_owned(),
        ("60", "s") => "1 m".to_owned(),
        _ => format!("{text} {unit}"),
    }
}

fn long_span(nanos: u64, digits: usize) -> String {
    let fine = digits > 3;
    let seconds = if fine { nanos / 1_000_000_000 } else { (nanos + 500_000_000) / 1_000_000_000 };
    let (days, hours, minutes, rest) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    let mut parts = Vec::new();
    if days > 0 {
        parts.push(format!("{days} d"));
    }
    if hours > 0 {
        parts.push(format!("{hours} h"));
    }
    if minutes > 0 {
        parts.push(format!("{minutes} m"));
    }
    let part = nanos % 1_000_000_000;
    if fine && part > 0 {
        parts.push(format!("{} s", trimmed(format!("{rest}.{part:09}"))));
    } else if rest > 0 {
        parts.push(format!("{rest} s"));
    }
    parts.join(" ")
}

fn share_text(share: Share, decimals: usize) -> String {
    let percent = share.percent();
    if !percent.is_finite() {
        return format!("{percent}");
    }
    // Binary fractions: 0.999 × 100 must be 99.9, and 1 − 0.999 must not look like a distance from everything.
    let percent = (percent * 1e9).round() / 1e9;
    let distance = percent.abs().min((100.0 - percent).abs());
    let needed = if distance == 0.0 { 0 } else { (1 - distance.log10().floor() as i64).clamp(0, 9) as usize };
    let text = trimmed(format!("{percent:.*}", needed.clamp(1, 5).max(decimals)));
    format!("{} %", text.replacen('-', "−", 1))
}

fn rate_text(rate: Rate, digits: usize) -> String {
    let per_second = rate.as_per_second();
    if per_second >= 10_000.0 && digits <= 3 {
        return format!("{}/s", Words::new(Default::default()).count(per_second.round() as u64));
    }
    format!("{}/s", significant(per_second, digits.max(4)))
}

fn size_text(size: Size, digits: usize) -> String {
    const UNITS: [(u64, &str); 4] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    for (scale, unit) in UNITS {
        if size.bytes() >= scale {
            return format!("{} {unit}", significant(size.bytes() as f64 / scale as f64, digits.max(3)));
        }
    }
    format!("{} B", size.bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::units::Lang;

    const WORDS: Words = Words::new(Lang::En);

    #[test]
    fn figures_have_three_digits_and_their_unit() {
        let spans = [
            (Span::ZERO, "0 s"),
            (Span::nanos(350), "350 ns"),
            (Span::micros(850), "850 µs"),
            (Span::micros(4_312), "4.31 ms"),
            (Span::nanos(999_999_900), "1 s"),
            (Span::millis(312), "312 ms"),
            (Span::millis(20_312), "20.3 s"),
            (Span::millis(59_990), "1 m"),
            (Span::seconds(125), "2 m 5 s"),
            (Span::seconds(3_600), "1 h"),
        ];
        for (span, text) in spans {
            assert_eq!(WORDS.span(span), text);
        }
        assert_eq!(WORDS.count(1_234_567), "1,234,567");
        assert_eq!(WORDS.count(123), "123");
        assert_eq!(WORDS.rate(Rate::per_second(118.44)), "118.4/s");
        assert_eq!(WORDS.size(Size(312 << 20)), "312 MiB");
    }

    #[test]
    fn shares_are_whole_only_when_they_are() {
        let shares = [
            (1.0, "100 %"),
            (0.999_987, "99.9987 %"),
            (0.0, "0 %"),
            (0.001, "0.1 %"),
            (0.5, "50 %"),
            (0.952_4, "95.24 %"),
        ];
        for (share, text) in shares {
            assert_eq!(WORDS.share(Share(share)), text);
        }
    }

    #[test]
    fn a_miss_never_reads_like_a_hit() {
        let objective = Quantity::Span(Span::millis(500));
        assert_eq!(WORDS.beside(Quantity::Span(Span::micros(500_400)), objective), "500.4 ms");
        assert_eq!(WORDS.beside(Quantity::Span(Span::millis(412)), objective), "412 ms");
        assert_eq!(WORDS.beside(objective, objective), "500 ms");
        assert_eq!(WORDS.bound(Bound::AtMost(Quantity::Span(Span::millis(90_500)))), "≤ 1 m 30.5 s");
    }

    #[test]
    fn wall_time_is_utc() {
        assert_eq!(WORDS.wall(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(WORDS.wall(1_709_164_799_000_000_000), "2024-02-28 23:59:59 UTC");
        assert_eq!(WORDS.wall(1_709_164_800_000_000_000), "2024-02-29 00:00:00 UTC");
        assert_eq!(WORDS.wall(-1), "1969-12-31 23:59:59 UTC");
        assert_eq!(WORDS.at(At(83_456_000_000)), "1:23.456");
    }

    proptest! {
        #[test]
        fn different_figures_never_read_alike(figure in 1u64..100_000_000, off in -2_000i64..2_000) {
            let objective = Span::micros(figure.saturating_add_signed(off).max(1));
            prop_assume!(objective != Span::micros(figure));
            let text = WORDS.beside(Quantity::Span(Span::micros(figure)), Quantity::Span(objective));
            prop_assert_ne!(format!("≤ {text}"), WORDS.bound(Bound::AtMost(Quantity::Span(objective))));
        }

        #[test]
        fn no_number_makes_it_panic(number in any::<f64>(), whole in any::<u64>()) {
            let _ = (WORDS.number(number), WORDS.share(Share(number)), WORDS.rate(Rate::per_second(number)));
            let _ = (WORDS.span(Span(whole)), WORDS.size(Size(whole)), WORDS.at(At(whole)), WORDS.wall(whole as i64));
        }
    }
}
