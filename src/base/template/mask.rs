use std::borrow::Cow;
use std::io::{self, Read, Write};

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

    /// Copies bytes without secrets, in bounded memory and wherever the reads happen to cut them; true when there were
    /// any.
    pub fn copy(&self, mut from: impl Read, mut to: impl Write) -> io::Result<bool> {
        let longest = self.forms.first().map_or(1, String::len);
        let begins: Vec<u8> = self.forms.iter().filter_map(|form| form.bytes().next()).collect();
        let (mut held, mut out, mut chunk) = (Vec::new(), Vec::new(), vec![0; 1 << 16]);
        let mut found = false;
        loop {
            let read = match from.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            held.extend_from_slice(chunk.get(..read).unwrap_or_default());
            // What begins later could go on in the next read.
            let safe = if read == 0 { held.len() } else { (held.len() + 1).saturating_sub(longest) };
            let mut at = 0;
            while at < safe {
                let rest = &held[at..];
                let form =
                    begins.contains(&rest[0]).then(|| self.forms.iter().find(|form| rest.starts_with(form.as_bytes())));
                if let Some(form) = form.flatten() {
                    out.extend_from_slice(MASK.as_bytes());
                    at += form.len();
                    found = true;
                } else {
                    out.push(rest[0]);
                    at += 1;
                }
            }
            to.write_all(&out)?;
            out.clear();
            held.drain(..at);
            if read == 0 {
                return Ok(found);
            }
        }
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

    /// Gives out a few bytes at a time.
    struct Drops<'t>(&'t [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let few = self.1.min(self.0.len()).min(into.len());
            into[..few].copy_from_slice(&self.0[..few]);
            self.0 = &self.0[few..];
            Ok(few)
        }
    }

    #[test]
    fn secrets_go_wherever_the_reads_cut_them_and_other_bytes_stay() {
        let masker = Masker::new(["hunter2", "two\nlines"]);
        let text = b"\xff a hunter2 b two\nlines c hunter hunter2";
        for few in 1..text.len() {
            let mut copied = Vec::new();
            assert!(masker.copy(Drops(text, few), &mut copied).unwrap());
            let expected =
                [b"\xff a ".as_slice(), MASK.as_bytes(), b" b ", MASK.as_bytes(), b" c hunter ", MASK.as_bytes()];
            assert_eq!(copied, expected.concat(), "{few} at a time");
        }
        let mut copied = Vec::new();
        assert!(!masker.copy(Drops(b"hunter", 1), &mut copied).unwrap());
        assert_eq!(copied, b"hunter");
        assert!(!Masker::default().copy(Drops(b"hunter2", 3), io::sink()).unwrap());
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
