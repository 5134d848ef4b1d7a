use thiserror::Error;

use super::{Flow, Rate, Share, Size, Span};

/// Why a text is no value of its kind; the message says which units fit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UnitError {
    #[error("`{0}` has no unit; write {1}")]
    NoUnit(String, &'static str),
    #[error("`{unit}` in `{text}` is no unit that fits here; write {fits}")]
    Unit { text: String, unit: String, fits: &'static str },
    #[error("`{0}` is not a number with a unit; write {1}")]
    Number(String, &'static str),
    #[error("`{0}` is too large")]
    TooLarge(String),
}

const SPAN_FITS: &str = "a duration such as 800ms, 2s or 1m30s (ns us ms s m h d)";
const RATE_FITS: &str = "a rate such as 1200/s (/s /m /h)";
const SIZE_FITS: &str = "a size such as 64KiB (B KB MB GB KiB MiB GiB)";
const FLOW_FITS: &str = "an amount of data in a second such as 10KB/s (B KB MB GB KiB MiB GiB, each with /s)";
const SHARE_FITS: &str = "a share such as 30% or a factor such as 3x";

/// Splits `text` into pairs of (number, unit), reading `1m30s` as two pairs.
fn pairs<'t>(text: &'t str, fits: &'static str) -> Result<Vec<(&'t str, &'t str)>, UnitError> {
    let mut rest = text.trim();
    let mut found = Vec::new();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let valid = number.parse::<f64>().is_ok() && number.starts_with(|c: char| c.is_ascii_digit());
        if !valid {
            return Err(UnitError::Number(text.to_owned(), fits));
        }
        let letters = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        if unit.is_empty() {
            return Err(UnitError::NoUnit(text.to_owned(), fits));
        }
        found.push((number, unit));
        rest = tail;
    }
    if found.is_empty() {
        return Err(UnitError::Number(text.to_owned(), fits));
    }
    Ok(found)
}

/// `number` × `scale` as a whole, exact in decimal: `0.1` × 1,000 is 100.
fn scaled(number: &str, scale: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut value = whole.checked_mul(u128::from(scale))?;
    let part = part.trim_end_matches('0');
    if !part.is_empty() {
        let digits = part.get(..part.len().min(18))?;
        let tens = 10u128.pow(u32::try_from(digits.len()).ok()?);
        value = value.checked_add(digits.parse::<u128>().ok()? * u128::from(scale) / tens)?;
    }
    u64::try_from(value).ok()
}

fn unit_error(text: &str, unit: &str, fits: &'static str) -> UnitError {
    UnitError::Unit { text: text.to_owned(), unit: unit.trim().to_owned(), fits }
}

/// A duration: one or more numbers with units, largest first or not (`1m30s`, `1.5s`).
pub fn parse_span(text: &str) -> Result<Span, UnitError> {
    let mut sum = 0u64;
    for (number, unit) in pairs(text, SPAN_FITS)? {
        let scale = match unit {
            "ns" => 1,
            "us" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            _ => return Err(unit_error(text, unit, SPAN_FITS)),
        };
        let value = scaled(number, scale).ok_or_else(|| UnitError::TooLarge(text.to_owned()))?;
        sum = sum.checked_add(value).ok_or_else(|| UnitError::TooLarge(text.to_owned()))?;
    }
    Ok(Span(sum))
}

/// The one (number, unit) pair that `text` must be.
fn single<'t>(text: &'t str, fits: &'static str) -> Result<(&'t str, &'t str), UnitError> {
    match pairs(text, fits)?.as_slice() {
        [pair] => Ok(*pair),
        _ => Err(UnitError::Number(text.to_owned(), fits)),
    }
}

/// A rate: `1200/s`, `90/m`, `5/h`.
pub fn parse_rate(text: &str) -> Result<Rate, UnitError> {
    let (number, unit) = single(text, RATE_FITS)?;
    let seconds = match unit.trim() {
        "/s" => 1.0,
        "/m" => 60.0,
        "/h" => 3600.0,
        _ => return Err(unit_error(text, unit, RATE_FITS)),
    };
    let count: f64 = number.parse().map_err(|_| UnitError::Number(text.to_owned(), RATE_FITS))?;
    if !count.is_finite() || count > 1e12 {
        return Err(UnitError::TooLarge(text.to_owned()));
    }
    Ok(Rate::per_second(count / seconds))
}

/// A share (`30%`) or a factor (`3x`).
pub fn parse_share(text: &str) -> Result<Share, UnitError> {
    let (number, unit) = single(text, SHARE_FITS)?;
    let scale = match unit.trim() {
        "%" => 100.0,
        "x" => 1.0,
        _ => return Err(unit_error(text, unit, SHARE_FITS)),
    };
    let value: f64 = number.parse().map_err(|_| UnitError::Number(text.to_owned(), SHARE_FITS))?;
    if !value.is_finite() || value > 1e12 {
        return Err(UnitError::TooLarge(text.to_owned()));
    }
    Ok(Share(value / scale))
}

/// A size in bytes.
pub fn parse_size(text: &str) -> Result<Size, UnitError> {
    let (number, unit) = single(text, SIZE_FITS)?;
    let scale = scale(unit).ok_or_else(|| unit_error(text, unit, SIZE_FITS))?;
    scaled(number, scale).map(Size).ok_or_else(|| UnitError::TooLarge(text.to_owned()))
}

/// Data in a time: `10KB/s`.
pub fn parse_flow(text: &str) -> Result<Flow, UnitError> {
    let (number, unit) = single(text, FLOW_FITS)?;
    let scale = unit.strip_suffix("/s").and_then(|unit| scale(unit.trim_end()));
    let scale = scale.ok_or_else(|| unit_error(text, unit, FLOW_FITS))?;
    scaled(number, scale).map(Flow).ok_or_else(|| UnitError::TooLarge(text.to_owned()))
}

/// The bytes of a unit of size.
fn scale(unit: &str) -> Option<u64> {
    Some(match unit {
        "B" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_exact_and_compound() {
        assert_eq!(parse_span("1m30s"), Ok(Span::seconds(90)));
        assert_eq!(parse_span("0.1s"), Ok(Span::millis(100)));
        assert_eq!(parse_span("1.5us"), Ok(Span::nanos(1_500)));
        assert!(matches!(parse_span("30"), Err(UnitError::NoUnit(..))));
        assert!(matches!(parse_span("30q"), Err(UnitError::Unit { .. })));
        assert!(matches!(parse_span("99999999999d"), Err(UnitError::TooLarge(_))));
        assert!(matches!(parse_span("-3s"), Err(UnitError::Number(..))));
        assert!(matches!(parse_span(""), Err(UnitError::Number(..))));
    }

    #[test]
    fn rates_shares_and_sizes_need_their_own_units() {
        assert_eq!(parse_rate("90/m"), Ok(Rate::per_second(1.5)));
        assert_eq!(parse_share("30%"), Ok(Share(0.3)));
        assert_eq!(parse_share("3x"), Ok(Share(3.0)));
        assert_eq!(parse_size("64KiB"), Ok(Size(65_536)));
        assert_eq!(parse_flow("10KB/s"), Ok(Flow(10_000)));
        assert_eq!(parse_flow("0.5MiB/s"), Ok(Flow(524_288)));
        assert!(parse_flow("10KB").is_err() && parse_flow("10/s").is_err() && parse_flow("10KB/m").is_err());
        assert!(parse_rate("5s").is_err());
        assert!(parse_share("0.3").is_err());
        assert!(parse_size("64").is_err());
    }

    proptest! {
        #[test]
        fn a_printed_span_reads_back(nanos in any::<u64>()) {
            prop_assert_eq!(parse_span(&Span(nanos).to_string()), Ok(Span(nanos)));
        }

        #[test]
        fn a_printed_flow_reads_back(bytes in any::<u64>()) {
            prop_assert_eq!(parse_flow(&Flow(bytes).to_string()), Ok(Flow(bytes)));
        }

        /// What flows in a time takes that time, to the byte.
        #[test]
        fn what_flows_takes_its_time(bytes in 1u64..1 << 40, millis in 0u64..1 << 30) {
            let (flow, span) = (Flow(bytes), Span::millis(millis));
            let time = flow.time_of(flow.over(span));
            prop_assert!(time <= span && span.saturating_sub(time) <= flow.time_of(Size(1)) + Span(2), "{time} {span}");
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,24}") {
            let _ = (parse_span(&text), parse_rate(&text), parse_share(&text), parse_size(&text), parse_flow(&text));
        }
    }
}
