//! Rust source cut into the few tokens that the house rules ask about: words, the marks between them, and which of
//! them only tests see. Comments, strings, characters and numbers fall away.

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    pub(crate) text: String,
    /// From 1.
    pub(crate) line: usize,
}

impl Token {
    pub(crate) fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

pub(crate) fn tokens(source: &str) -> Vec<Token> {
    let text: Vec<char> = source.chars().collect();
    let mut found = Vec::new();
    let (mut i, mut line) = (0, 1);
    let at = |i: usize| text.get(i).copied().unwrap_or('\0');
    while i < text.len() {
        let start = i;
        match at(i) {
            '/' if at(i + 1) == '/' => {
                while i < text.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            '/' if at(i + 1) == '*' => i = after_comment(&text, i),
            '"' => i = after_string(&text, i),
            'r' | 'b' | 'c' if raw_string(&text, i).is_some() => i = raw_string(&text, i).unwrap_or(i + 1),
            '\'' => i = after_quote(&text, i),
            c if c.is_alphabetic() || c == '_' => {
                while at(i).is_alphanumeric() || at(i) == '_' {
                    i += 1;
                }
                found.push(Token { text: text[start..i].iter().collect(), line });
            }
            c if c.is_ascii_digit() => {
                while at(i).is_alphanumeric() || at(i) == '_' {
                    i += 1;
                }
            }
            ':' if at(i + 1) == ':' => {
                i += 2;
                found.push(Token { text: "::".into(), line });
            }
            c if c.is_whitespace() => i += 1,
            c => {
                i += 1;
                found.push(Token { text: c.to_string(), line });
            }
        }
        line += text[start..i].iter().filter(|c| **c == '\n').count();
    }
    found
}

fn after_comment(text: &[char], mut i: usize) -> usize {
    let mut depth = 0;
    while i < text.len() {
        match (text[i], text.get(i + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                i += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                i += 2;
                if depth == 0 {
                    return i;
                }
            }
            _ => i += 1,
        }
    }
    i
}

fn after_string(text: &[char], mut i: usize) -> usize {
    i += 1;
    while i < text.len() && text[i] != '"' {
        i += if text[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(text.len())
}

/// The end of `r"…"`, `br#"…"#`, `b"…"`, `c"…"` or `b'…'` that begins at `i`.
fn raw_string(text: &[char], i: usize) -> Option<usize> {
    let mut j = i;
    if matches!(text[j], 'b' | 'c') {
        j += 1;
    }
    let raw = text.get(j) == Some(&'r');
    if raw {
        j += 1;
    }
    let hashes = if raw { text[j..].iter().take_while(|c| **c == '#').count() } else { 0 };
    j += hashes;
    match text.get(j)? {
        '"' if !raw => Some(after_string(text, j)),
        '\'' if !raw && text[i] == 'b' => Some(after_quote(text, j)),
        '"' => {
            j += 1;
            while j < text.len() {
                if text[j] == '"' && text[j + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes {
                    return Some(j + 1 + hashes);
                }
                j += 1;
            }
            Some(j)
        }
        _ => None,
    }
}

/// A character, or only the mark of a lifetime.
fn after_quote(text: &[char], i: usize) -> usize {
    match (text.get(i + 1), text.get(i + 2)) {
        (Some('\\'), _) => {
            let mut j = i + 3;
            while j < text.len() && text[j] != '\'' {
                j += 1;
            }
            j + 1
        }
        (Some(_), Some('\'')) => i + 3,
        _ => i + 1,
    }
}

/// What only tests see: the ranges of tokens under `#[cfg(test)]`, and the modules so marked that live in other files.
#[derive(Debug, Default)]
pub(crate) struct TestCode {
    pub(crate) ranges: Vec<std::ops::Range<usize>>,
    pub(crate) modules: Vec<String>,
}

impl TestCode {
    pub(crate) fn of(tokens: &[Token]) -> TestCode {
        let mut code = TestCode::default();
        let mut i = 0;
        while i < tokens.len() {
            if let Some(after) = test_attribute(tokens, i) {
                let mut end = after;
                while text(tokens, end) == "#" {
                    end = closing(tokens, end + 1);
                }
                let item = end;
                while end < tokens.len() && !matches!(text(tokens, end), ";" | "{") {
                    end = if matches!(text(tokens, end), "(" | "[") { closing(tokens, end) } else { end + 1 };
                }
                if text(tokens, end) == "{" {
                    end = closing(tokens, end);
                } else {
                    let name = (item..end).find(|k| text(tokens, *k) == "mod").map(|k| text(tokens, k + 1));
                    code.modules.extend(name.map(str::to_owned));
                    end += 1;
                }
                code.ranges.push(i..end.min(tokens.len()));
                i = end;
            } else {
                i += 1;
            }
        }
        code
    }

    pub(crate) fn holds(&self, token: usize) -> bool {
        self.ranges.iter().any(|range| range.contains(&token))
    }

    /// How many lines of the file are theirs.
    pub(crate) fn lines(&self, tokens: &[Token]) -> usize {
        let lines = |range: &std::ops::Range<usize>| tokens[range.end - 1].line + 1 - tokens[range.start].line;
        self.ranges.iter().filter(|range| !range.is_empty()).map(lines).sum()
    }
}

fn text(tokens: &[Token], i: usize) -> &str {
    tokens.get(i).map_or("", |token| &token.text)
}

/// The index after `#[cfg(…test…)]` at `i`.
fn test_attribute(tokens: &[Token], i: usize) -> Option<usize> {
    let opens = ["#", "[", "cfg", "("].iter().enumerate().all(|(n, word)| text(tokens, i + n) == *word);
    if !opens {
        return None;
    }
    let end = closing(tokens, i + 1);
    let words = || tokens[i..end].iter().map(|token| token.text.as_str());
    (words().any(|word| word == "test") && !words().any(|word| word == "not")).then_some(end)
}

/// The index after the bracket that closes the one at `open`.
pub(crate) fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return i + 1;
        }
    }
    tokens.len()
}
