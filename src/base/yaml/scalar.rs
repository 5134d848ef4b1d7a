/// A single value, with its text as it reads after quotes and escapes.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    pub text: String,
    pub kind: ScalarKind,
}

/// What a scalar is by the core schema of YAML 1.2: `yes`, `no`, `on`, `off` are texts; quotes make a text of anything.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ScalarKind {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text,
}

impl Scalar {
    pub(super) fn quoted(text: String) -> Scalar {
        Scalar { text, kind: ScalarKind::Text }
    }

    pub(super) fn plain(text: String) -> Scalar {
        let kind = match text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => ScalarKind::Null,
            "true" | "True" | "TRUE" => ScalarKind::Bool(true),
            "false" | "False" | "FALSE" => ScalarKind::Bool(false),
            other => number(other).unwrap_or(ScalarKind::Text),
        };
        Scalar { text, kind }
    }

    pub(super) fn describe(&self) -> String {
        match self.kind {
            ScalarKind::Null => "nothing".to_owned(),
            ScalarKind::Bool(value) => format!("`{value}`"),
            ScalarKind::Int(_) | ScalarKind::Float(_) => format!("the number {}", self.text),
            ScalarKind::Text => {
                let short: String = self.text.chars().take(40).collect();
                if short.len() < self.text.len() {
                    format!("the text `{short}…`")
                } else {
                    format!("the text `{short}`")
                }
            }
        }
    }
}

fn number(text: &str) -> Option<ScalarKind> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match unsigned {
        ".inf" | ".Inf" | ".INF" => {
            let value = if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY };
            return Some(ScalarKind::Float(value));
        }
        ".nan" | ".NaN" | ".NAN" if unsigned.len() == text.len() => return Some(ScalarKind::Float(f64::NAN)),
        _ => {}
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !unsigned.is_empty() && digits(unsigned) {
        return text.parse().map(ScalarKind::Int).or_else(|_| text.parse().map(ScalarKind::Float)).ok();
    }
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(m, e)| (m, Some(e)));
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.map(|text| text.strip_prefix(['+', '-']).unwrap_or(text));
    let sound = digits(whole) && digits(part) && whole.len() + part.len() > 0;
    (sound && exponent.is_none_or(|text| !text.is_empty() && digits(text)))
        .then(|| text.parse().ok().map(ScalarKind::Float))
        .flatten()
}

fn radix(digits: &str, radix: u32) -> Option<ScalarKind> {
    if !digits.starts_with(|c: char| c.is_digit(radix)) {
        return None;
    }
    i128::from_str_radix(digits, radix).ok().map(ScalarKind::Int)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> ScalarKind {
        Scalar::plain(text.to_owned()).kind
    }

    #[test]
    fn words_and_numbers_are_those_of_yaml_1_2() {
        use ScalarKind::{Bool, Float, Int, Null, Text};
        for (text, expected) in [
            ("", Null),
            ("~", Null),
            ("yes", Text),
            ("off", Text),
            ("True", Bool(true)),
            ("0", Int(0)),
            ("-17", Int(-17)),
            ("+5", Int(5)),
            ("0x10", Int(16)),
            ("0o17", Int(15)),
            ("007", Int(7)),
            ("0.10", Float(0.1)),
            ("1e3", Float(1000.0)),
            ("1E+3", Float(1000.0)),
            (".5", Float(0.5)),
            ("5.", Float(5.0)),
            ("-.inf", Float(f64::NEG_INFINITY)),
            ("99999999999999999999999999999999999999999", Float(1e41)),
            ("1e", Text),
            (".", Text),
            ("-", Text),
            ("0x", Text),
            ("0x+1", Text),
            ("1_000", Text),
            ("1:30", Text),
            ("12s", Text),
            ("inf", Text),
            ("e5", Text),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
        assert!(matches!(kind(".nan"), Float(value) if value.is_nan()));
    }
}
