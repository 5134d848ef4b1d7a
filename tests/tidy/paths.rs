//! Every path that a file names, resolved to where it begins: the crate's root, or the outside.

use super::tokens::{Token, closing};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Path {
    pub(crate) segments: Vec<String>,
    /// Begins at the crate's root; else outside, or a name that the file itself brought in.
    pub(crate) inner: bool,
    /// Where it stands in the tokens.
    pub(crate) token: usize,
    pub(crate) line: usize,
}

/// `module` is where the file's own items live: `["base", "units", "time"]`.
pub(crate) fn paths(tokens: &[Token], module: &[String]) -> Vec<Path> {
    let mut found = Vec::new();
    let mut here = module.to_vec();
    // The ends of the inline modules that we are in.
    let mut ends: Vec<usize> = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        while ends.last().is_some_and(|end| i >= *end) {
            ends.pop();
            here.pop();
        }
        let text = |k: usize| tokens.get(k).map_or("", |token| token.text.as_str());
        if text(i) == "mod" && text(i + 2) == "{" {
            ends.push(closing(tokens, i + 2));
            here.push(text(i + 1).to_owned());
            i += 3;
        } else if text(i) == "use" && (i == 0 || text(i - 1) != "::") && text(i + 1) != "<" {
            i = tree(tokens, i + 1, &mut Vec::new(), &here, &mut found);
        } else if tokens[i].is_word() && text(i + 1) == "::" && (i == 0 || !matches!(text(i - 1), "::" | ".")) {
            let mut segments = vec![text(i).to_owned()];
            let start = i;
            while text(i + 1) == "::" && tokens.get(i + 2).is_some_and(Token::is_word) {
                segments.push(text(i + 2).to_owned());
                i += 2;
            }
            found.push(resolve(segments, &here, start, tokens[start].line));
            i += 1;
        } else {
            i += 1;
        }
    }
    found
}

/// One branch of a `use` tree; gives the index after it.
fn tree(tokens: &[Token], mut i: usize, stem: &mut Vec<String>, here: &[String], found: &mut Vec<Path>) -> usize {
    let text = |k: usize| tokens.get(k).map_or("", |token| token.text.as_str());
    let depth = stem.len();
    let start = i;
    loop {
        match text(i) {
            "::" => i += 1,
            "{" => {
                let end = closing(tokens, i);
                i += 1;
                while i < end - 1 {
                    i = tree(tokens, i, stem, here, found);
                    if text(i) == "," {
                        i += 1;
                    }
                }
                i = end;
                break;
            }
            "as" => i += 2,
            "," | ";" | "}" | "" => {
                if stem.len() > depth || depth > 0 {
                    found.push(resolve(stem.clone(), here, start, tokens[start.min(tokens.len() - 1)].line));
                }
                break;
            }
            word => {
                stem.push(word.to_owned());
                i += 1;
            }
        }
    }
    stem.truncate(depth);
    i
}

fn resolve(segments: Vec<String>, here: &[String], token: usize, line: usize) -> Path {
    let mut base: Vec<String> = match segments.first().map(String::as_str) {
        Some("crate") => Vec::new(),
        Some("self" | "super") => here.to_vec(),
        _ => return Path { segments, inner: false, token, line },
    };
    for segment in segments {
        match segment.as_str() {
            "crate" | "self" => {}
            "super" => {
                base.pop();
            }
            _ => base.push(segment),
        }
    }
    Path { segments: base, inner: true, token, line }
}
