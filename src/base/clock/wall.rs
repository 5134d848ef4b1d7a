use std::fmt;

use serde::{Deserialize, Serialize};

/// A reading of the wall clock, in nanoseconds since 1970 (UTC). Prints as RFC 3339 with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wall(u64);

impl Wall {
    pub const fn from_unix_nanos(nanos: u64) -> Wall {
        Wall(nanos)
    }

    pub const fn unix_nanos(self) -> u64 {
        self.0
    }

    /// `20260618T203000Z`: fit for the name of a folder, and sorted by time.
    pub fn compact(self) -> String {
        let (year, month, day, hour, minute, second) = self.civil();
        format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
    }

    /// An instant in RFC 3339: `2026-06-18T20:30:00Z`, with an optional fraction and `Z` or an offset such as `+08:00`.
    pub fn parse(text: &str) -> Option<Wall> {
        let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
        let marked = marks.iter().all(|&(at, mark)| text.as_bytes().get(at) == Some(&mark));
        let parted = matches!(text.as_bytes().get(10), Some(b'T' | b't' | b' '));
        let (year, month, day) = (digits(text, 0, 4)?, digits(text, 5, 2)?, digits(text, 8, 2)?);
        let (hour, minute, second) = (digits(text, 11, 2)?, digits(text, 14, 2)?, digits(text, 17, 2)?);
        let rest = text.get(19..)?;
        let (nanos, zone) = match rest.strip_prefix('.') {
            Some(fraction) => {
                let length = fraction.find(|c: char| !c.is_ascii_digit()).filter(|length| (1..=9).contains(length))?;
                let tens = 10u64.pow(9 - u32::try_from(length).ok()?);
                (digits(fraction, 0, length)? * tens, &fraction[length..])
            }
            None => (0, rest),
        };
        let offset = || {
            let (hours, minutes) = (digits(zone, 1, 2)?, digits(zone, 4, 2)?);
            (hours <= 23 && minutes <= 59).then_some(hours * 3_600 + minutes * 60)
        };
        let (east, west) = match zone.as_bytes() {
            b"Z" | b"z" => (0, 0),
            [b'+', _, _, b':', _, _] => (offset()?, 0),
            [b'-', _, _, b':', _, _] => (0, offset()?),
            _ => return None,
        };
        let in_range = (1970..=2500).contains(&year) && hour <= 23 && minute <= 59 && second <= 59;
        let days = days_before(year, month, day).filter(|_| marked && parted && in_range)?;
        let local = days * 86_400 + hour * 3_600 + minute * 60 + second;
        let wall = Wall((local + west).checked_sub(east)? * 1_000_000_000 + nanos);
        // The day is one of the calendar's: it prints as it was read.
        (Wall(local * 1_000_000_000).civil().2 == day).then_some(wall)
    }

    /// Year, month, day, hour, minute and second in UTC, by Howard Hinnant's `civil_from_days`
    /// (<https://howardhinnant.github.io/date_algorithms.html>).
    fn civil(self) -> (u64, u64, u64, u64, u64, u64) {
        let seconds = self.0 / 1_000_000_000;
        let days = seconds / 86_400 + 719_468;
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        (year, month, day, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60)
    }
}

/// The number that `length` digits from `from` on make.
fn digits(text: &str, from: usize, length: usize) -> Option<u64> {
    let digits = text.get(from..from + length)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar: `days_from_civil` of the same page.
fn days_before(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).checked_sub(719_468)
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day, hour, minute, second) = self.civil();
        let millis = self.0 / 1_000_000 % 1_000;
        f.pad(&format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_printed_is_read(millis in 0u64..16_000_000_000_000) {
            let wall = Wall::from_unix_nanos(millis * 1_000_000);
            prop_assert_eq!(Wall::parse(&wall.to_string()), Some(wall));
        }
    }

    #[test]
    fn reads_offsets_and_fractions_and_no_nonsense() {
        let noon = Wall::from_unix_nanos(1_781_784_000_000_000_000);
        for same in ["2026-06-18T12:00:00Z", "2026-06-18 20:00:00+08:00", "2026-06-18T06:30:00.000-05:30"] {
            assert_eq!(Wall::parse(same), Some(noon), "{same}");
        }
        assert_eq!(Wall::parse("2026-06-18T12:00:00.000000001Z"), Some(Wall(noon.0 + 1)));
        for wrong in [
            "",
            "12:00",
            "2026-06-18",
            "2026-06-18T12:00:00",
            "2026-06-31T12:00:00Z",
            "2026-13-01T12:00:00Z",
            "2026-06-18T24:00:00Z",
            "2026-06-18T12:00:00.Z",
            "2026-06-18T12:00:00+8:00",
            "2026-06-18T12:00:00+08:001",
            "2026-06-18T12:00:00++8:00",
            "+026-06-18T12:00:00Z",
            "2026-06-18T12:00:00Zz",
            "1969-12-31T23:59:59Z",
            "二〇二六-06-18T12:00:00Z",
        ] {
            assert_eq!(Wall::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn prints_the_calendar() {
        let at = |seconds: u64| Wall::from_unix_nanos(seconds * 1_000_000_000 + 42_999_999).to_string();
        assert_eq!(at(0), "1970-01-01T00:00:00.042Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00.042Z");
        assert_eq!(at(1_709_251_199), "2024-02-29T23:59:59.042Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00.042Z");
        assert_eq!(Wall::from_unix_nanos(1_781_814_600_000_000_000).compact(), "20260618T203000Z");
    }
}
