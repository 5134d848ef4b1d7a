//! Times as logs write them, as nanoseconds since 1970.

const SECOND: i64 = 1_000_000_000;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Days since 1970 of a date of the Gregorian calendar (Hinnant's days_from_civil).
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) || !(1970..=2200).contains(&year) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

fn number(text: &str, digits: usize) -> Option<i64> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn clock(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let (hour, minute, second) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    // 60: a leap second.
    (parts.next().is_none() && hour < 24 && minute < 60 && second <= 60).then_some((hour * 60 + minute) * 60 + second)
}

/// `+08:00`, `+0800`, `Z`: seconds east of Greenwich.
fn zone(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = text.get(1..)?.replacen(':', "", 1);
    let all = number(&digits, 4)?;
    (all / 100 < 24 && all % 100 < 60).then_some(sign * (all / 100 * 60 + all % 100) * 60)
}

fn nanos(seconds: i64, fraction: i64) -> Option<u64> {
    u64::try_from(seconds.checked_mul(SECOND)?.checked_add(fraction)?).ok()
}

/// `10/Oct/2000:13:55:36 -0700`
pub(super) fn common(text: &str) -> Option<u64> {
    let (date, rest) = text.split_once(':')?;
    let (time, offset) = rest.split_once(' ')?;
    let mut date = date.split('/');
    let (day, month, year) = (number(date.next()?, 2)?, date.next()?, number(date.next()?, 4)?);
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))? as i64 + 1;
    if date.next().is_some() {
        return None;
    }
    nanos(days(year, month, day)? * 86_400 + clock(time)? - zone(offset)?, 0)
}

/// RFC 3339: `2000-10-10T13:55:36.123Z`, as nanoseconds since 1970.
pub fn rfc3339(text: &str) -> Option<u64> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let at = rest.find(['Z', 'z', '+', '-'])?;
    let (time, offset) = rest.split_at(at);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let mut date = date.split('-');
    let (year, month, day) = (number(date.next()?, 4)?, number(date.next()?, 2)?, number(date.next()?, 2)?);
    if date.next().is_some() {
        return None;
    }
    nanos(days(year, month, day)? * 86_400 + clock(time)? - zone(offset)?, fraction.parse().ok()?)
}

/// A number since 1970: seconds, or thousandths, millionths or billionths of one; the size tells which.
pub(super) fn epoch(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = match whole.parse::<u64>().ok()? {
        0..100_000_000_000 => 9,
        100_000_000_000..100_000_000_000_000 => 6,
        100_000_000_000_000..100_000_000_000_000_000 => 3,
        _ => 0,
    };
    // In decimals: a float of seconds since 1970 is good to a part of a microsecond.
    let fraction: String = fraction.chars().chain("000000000".chars()).take(digits).collect();
    format!("{whole}{fraction}").parse().ok()
}
