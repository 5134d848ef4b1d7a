//! A light reading of an expression, for what the expression engine does not tell: where its names stand.

use std::ops::Range;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// `a.b.c`, not an attribute of something computed.
    Path { segments: Vec<String>, range: Range<usize>, called: bool },
    /// After `|`.
    Filter { name: String, range: Range<usize> },
    /// After `is`.
    Test { name: String, range: Range<usize> },
}

const KEYWORDS: [&str; 26] = [
    "and",
    "or",
    "not",
    "in",
    "is",
    "if",
    "else",
    "elif",
    "endif",
    "for",
    "endfor",
    "set",
    "endset",
    "with",
    "endwith",
    "true",
    "false",
    "none",
    "True",
    "False",
    "None",
    "recursive",
    "raw",
    "endraw",
    "filter",
    "endfilter",
];

fn begins_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The end of the string literal that begins at `at`, after its closing quote; none when it is not closed.
pub(super) fn skip_string(bytes: &[u8], at: usize) -> Option<usize> {
    let quote = *bytes.get(at)?;
    let mut at = at + 1;
    loop {
        match *bytes.get(at)? {
            b'\\' => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// The words of `source`, an expression or the inside of a tag.
pub(super) fn words(source: &str) -> Vec<Word> {
    let bytes = source.as_bytes();
    let get = |at: usize| bytes.get(at).copied().unwrap_or(0);
    let name_end = |mut at: usize| {
        while in_name(get(at)) {
            at += 1;
        }
        at
    };
    let text = |range: Range<usize>| source.get(range).unwrap_or_default();
    let mut found = Vec::new();
    let mut at = 0;
    // The last byte that is no white space, and whether the last word was `is` (or `is not`).
    let (mut before, mut after_is) = (0u8, false);
    while at < bytes.len() {
        let byte = get(at);
        if byte.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        if matches!(byte, b'"' | b'\'') {
            at = skip_string(bytes, at).unwrap_or(bytes.len());
            (before, after_is) = (b'"', false);
            continue;
        }
        if byte.is_ascii_digit() {
            while in_name(get(at)) || (get(at) == b'.' && get(at + 1).is_ascii_digit()) {
                at += 1;
            }
            (before, after_is) = (b'0', false);
            continue;
        }
        if !begins_name(byte) {
            at += 1;
            (before, after_is) = (byte, false);
            continue;
        }
        let start = at;
        at = name_end(at);
        let first = text(start..at);
        if before == b'.' {
            // An attribute of something computed: no name of ours.
        } else if before == b'|' {
            found.push(Word::Filter { name: first.to_owned(), range: start..at });
        } else if after_is && first != "not" {
            found.push(Word::Test { name: first.to_owned(), range: start..at });
        } else if KEYWORDS.contains(&first) {
            after_is = first == "is" || (after_is && first == "not");
            before = b' ';
            continue;
        } else {
            let mut segments = vec![first.to_owned()];
            while get(at) == b'.' && begins_name(get(at + 1)) {
                let from = at + 1;
                at = name_end(from);
                segments.push(text(from..at).to_owned());
            }
            let next = source.get(at..).unwrap_or_default().trim_start();
            let keyword = next.starts_with('=') && !next.starts_with("==") && segments.len() == 1;
            if !keyword {
                found.push(Word::Path { segments, range: start..at, called: next.starts_with('(') });
            }
        }
        (before, after_is) = (b'a', false);
    }
    found
}

/// Splits the arguments of a call at its top-level commas.
pub(super) fn arguments(source: &str) -> Vec<&str> {
    let bytes = source.as_bytes();
    let (mut depth, mut at, mut from) = (0usize, 0, 0);
    let mut parts = Vec::new();
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' | b'\'' => {
                at = skip_string(bytes, at).unwrap_or(bytes.len());
                continue;
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                parts.push(source.get(from..at).unwrap_or_default());
                from = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    let last = source.get(from..).unwrap_or_default();
    if !last.trim().is_empty() {
        parts.push(last);
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn paths(source: &str) -> Vec<String> {
        words(source)
            .into_iter()
            .filter_map(|word| match word {
                Word::Path { segments, called, .. } => Some(segments.join(".") + if called { "()" } else { "" }),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn names_are_found_where_they_stand() {
        assert_eq!(paths("feed.sku.id"), ["feed.sku.id"]);
        assert_eq!(paths("int(1, 50) + order.total * 2"), ["int()", "order.total"]);
        assert_eq!(paths("'a.b' ~ x[\"k.l\"].m | default(y, boolean=true)"), ["x", "y"]);
        assert_eq!(paths("a if b is not defined else none"), ["a", "b"]);
        assert_eq!(paths("1.5 + 2.x1"), Vec::<String>::new());
        let words = words("a | upper | tojson is string");
        assert_eq!(words.len(), 4);
        assert_eq!(words[1], Word::Filter { name: "upper".to_owned(), range: 4..9 });
        assert_eq!(words[3], Word::Test { name: "string".to_owned(), range: 22..28 });
    }

    #[test]
    fn arguments_part_at_the_top_only() {
        assert_eq!(arguments("1, [2, 3], 'a,b', f(4, 5)"), ["1", " [2, 3]", " 'a,b'", " f(4, 5)"]);
        assert_eq!(arguments(" "), Vec::<&str>::new());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            let _ = (words(&text), arguments(&text));
        }
    }
}
