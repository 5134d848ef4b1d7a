use std::borrow::Cow;

use super::text::{self, Escape};

/// What stands where a secret stood.
pub const MASK: &str = "•••";

/// Takes secrets out of texts that are about to be written: as they are, as they stand in JSON and in URLs, and in the two
/// forms of base64.
#[derive(Debug, Clone, Default)]
pub struct Masker {
    /// Longest first, so that a secret within another leaves nothing of the longer one.
    forms: Vec<String>,
}

impl Masker {
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Masker {
        let mut masker = Masker::default();
        secrets.into_iter().for_each(|secret| masker.add(secret));
        masker
    }

    /// Learns one more secret; an empty one is none.
    pub fn add(&mut self, secret: &str) {
        if secret.is_empty() {
            return;
        }
        let written = |escape| {
            let mut out = Vec::new();
            text::write_str(secret, escape, &mut out);
            String::from_utf8(out).unwrap_or_default()
        };
        let query = written(Escape::Query);
        let encode = |engine: &base64::engine::GeneralPurpose| base64::Engine::encode(engine, secret);
        let forms = [
            secret.to_owned(),
            written(Escape::Json),
            written(Escape::Path),
            lower_hex(&query),
            query.replace("%20", "+"),
            query,
            encode(&base64::engine::general_purpose::STANDARD_NO_PAD),
            encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD),
        ];
        for form in forms {
            if !self.forms.contains(&form) {
                self.forms.push(form);
            }
        }
        self.forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    }

    pub fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// `text` without secrets.
    pub fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut masked = Cow::Borrowed(text);
        for form in &self.forms {
            if masked.contains(form.as_str()) {
                masked = Cow::Owned(masked.replace(form.as_str(), MASK));
            }
        }
        masked
    }
}

/// `%2F` as `%2f`.
fn lower_hex(text: &str) -> String {
    let mut left = 0;
    text.chars()
        .map(|c| {
            left = if c == '%' { 3 } else { left - i32::from(left > 0) };
            if left > 0 { c.to_ascii_lowercase() } else { c }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_go_in_every_form() {
        let masker = Masker::new(["p\"ss/wörd 1", "p\"ss"]);
        let text = r#"raw p"ss/wörd 1, json p\"ss/wörd 1, query p%22ss%2Fw%C3%B6rd%201 p%22ss%2fw%c3%b6rd%201 p%22ss%2Fw%C3%B6rd+1"#;
        assert_eq!(masker.mask(text), "raw •••, json •••, query ••• ••• •••");
        assert_eq!(Masker::new(["admin"]).mask("Basic YWRtaW4="), "Basic •••=");
        assert_eq!(masker.mask("nothing here"), "nothing here");
        assert!(Masker::new([""]).is_empty());
    }

    proptest! {
        #[test]
        fn nothing_of_a_secret_is_left(secret in "[a-zA-Z0-9/ \"+%ß]{4,12}", before in "\\PC{0,9}", after in "\\PC{0,9}") {
            let masker = Masker::new([secret.as_str()]);
            let text = format!("{before}{secret}{after}");
            prop_assert!(!masker.mask(&text).contains(&secret));
        }
    }
}
