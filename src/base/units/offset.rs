use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Span, UnitError, parse_span};

/// A span forwards or (less than zero) backwards: `1h`, `-30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offset(i64);

impl Offset {
    pub const fn as_nanos(self) -> i64 {
        self.0
    }
}

pub fn parse_offset(text: &str) -> Result<Offset, UnitError> {
    let text = text.trim();
    let (sign, span) = match text.strip_prefix('-') {
        Some(span) => (-1, span),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let nanos = i64::try_from(parse_span(span)?.as_nanos()).map_err(|_| UnitError::TooLarge(text.to_owned()))?;
    Ok(Offset(sign * nanos))
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}{}", if self.0 < 0 { "-" } else { "" }, Span(self.0.unsigned_abs())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_both_ways() {
        for (text, seconds) in [("1h", 3_600), ("-30m", -1_800), ("+5s", 5)] {
            let offset = parse_offset(text).unwrap();
            assert_eq!(offset.as_nanos(), seconds * 1_000_000_000);
            assert_eq!(parse_offset(&offset.to_string()), Ok(offset));
        }
        assert!(parse_offset("--5s").is_err() && parse_offset("-5").is_err() && parse_offset("-200000d").is_err());
    }
}
