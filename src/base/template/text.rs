use std::io::Write;

use serde_json::Value;

/// How a value is written into the text around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    None,
    /// Inside the quotes of a JSON string.
    Json,
    /// Into a path: only what may not stand in a URL at all is encoded, so that a captured link stays one.
    Path,
    /// As a name or value of a query or a form: all but unreserved characters are encoded.
    Query,
}

pub(super) fn write_str(text: &str, escape: Escape, out: &mut Vec<u8>) {
    match escape {
        Escape::None => out.extend_from_slice(text.as_bytes()),
        Escape::Json => write_json(text, out),
        Escape::Path => percent(text, out, |byte| {
            byte.is_ascii_graphic()
                && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | b'#')
        }),
        Escape::Query => {
            percent(text, out, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~'))
        }
    }
}

fn percent(text: &str, out: &mut Vec<u8>, stays: impl Fn(u8) -> bool) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if stays(byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xf)]]);
        }
    }
}

fn write_json(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=0x1f => {
                let _ = write!(out, "\\u{byte:04x}");
            }
            _ => out.push(byte),
        }
    }
}

/// A value as text: strings as they are, lists and maps as JSON.
pub(super) fn write_value(value: &Value, escape: Escape, out: &mut Vec<u8>) {
    match value {
        Value::String(text) => write_str(text, escape, out),
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
        Value::Number(number) => {
            let _ = write!(out, "{number}");
        }
        Value::Array(_) | Value::Object(_) => write_str(&value.to_string(), escape, out),
    }
}

/// A value as JSON.
pub(super) fn write_as_json(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::String(text) => {
            out.push(b'"');
            write_json(text, out);
            out.push(b'"');
        }
        Value::Array(_) | Value::Object(_) => {
            // Writing to memory cannot fail, and every key is a text.
            let _ = serde_json::to_writer(&mut *out, value);
        }
        _ => write_value(value, Escape::None, out),
    }
}

/// What `now()` gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Rfc3339,
    Millis,
    Seconds,
}

impl Moment {
    pub(super) fn of(unit: Option<&str>) -> Option<Moment> {
        match unit {
            None => Some(Moment::Rfc3339),
            Some("ms") => Some(Moment::Millis),
            Some("s") => Some(Moment::Seconds),
            Some(_) => None,
        }
    }

    /// `nanos` since 1970.
    pub(super) fn value(self, nanos: u64) -> Value {
        match self {
            Moment::Rfc3339 => Value::String(rfc3339(nanos)),
            Moment::Millis => Value::from(nanos / 1_000_000),
            Moment::Seconds => Value::from(nanos / 1_000_000_000),
        }
    }
}

/// `2026-11-23T10:15:00.123Z`.
fn rfc3339(nanos: u64) -> String {
    let (seconds, millis) = (nanos / 1_000_000_000, nanos / 1_000_000 % 1_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days to a civil date in years that begin in March (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn instants_are_written_by_the_calendar() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(951_782_400_000_000_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(rfc3339(1_795_428_900_123_456_789), "2026-11-23T10:15:00.123Z");
        assert_eq!(rfc3339(4_107_542_399_999_000_000), "2100-02-28T23:59:59.999Z");
    }

    #[test]
    fn urls_keep_their_form() {
        let write = |text: &str, escape| {
            let mut out = Vec::new();
            write_str(text, escape, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(write("/a b?c=1&d=é", Escape::Path), "/a%20b?c=1&d=%C3%A9");
        assert_eq!(write("a b/c&d", Escape::Query), "a%20b%2Fc%26d");
    }

    proptest! {
        #[test]
        fn json_reads_back(text in any::<String>()) {
            let mut out = Vec::new();
            write_as_json(&Value::String(text.clone()), &mut out);
            prop_assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), Value::String(text));
        }

        #[test]
        fn queries_read_back(text in any::<String>()) {
            let mut out = Vec::new();
            write_str(&text, Escape::Query, &mut out);
            prop_assert!(out.is_ascii());
            let back = percent_encoding::percent_decode(&out).decode_utf8().unwrap().into_owned();
            prop_assert_eq!(back, text);
        }
    }
}
