//! The parser's complaints in words that say what to write instead.

use crate::base::diagnostic::{Diagnostic, Mark};

/// (part of the parser's message, what is wrong, what to do)
const WORDS: &[(&str, &str, &str)] = &[
    (
        "mapping values are not allowed",
        "a `:` makes no sense here",
        "put a text that contains `: ` in quotes, or check the indentation of this line and the one before",
    ),
    (
        "unknown anchor",
        "aliases (`*name`) are not supported",
        "write the value out; a text that begins with `*` needs quotes",
    ),
    ("misplaced bracket", "this bracket closes nothing", "remove it, or put the text in quotes"),
    (
        "did not find expected ',' or '}'",
        "a `,` or the closing `}` is missing before this",
        "separate the entries of `{ … }` with commas and close it; a text with `{`, `[`, `,` or `:` in it needs quotes",
    ),
    (
        "expected ',' or ']'",
        "a `,` or the closing `]` is missing before this",
        "separate the entries of `[ … ]` with commas and close it; a text with `{`, `[`, `,` or `:` in it needs quotes",
    ),
    (
        "illegal placement of ':'",
        "a `:` makes no sense in a list",
        "close the list with `]` before it, or write the entry as `{ key: value }`",
    ),
    (
        "did not find expected key",
        "this line does not fit the block it stands in",
        "give every key of a block the same indentation; a value that begins with `{`, `[` or a quote must end there",
    ),
    (
        "did not find expected '-'",
        "this line does not fit the list it stands in",
        "begin each entry with `- ` at the same indentation",
    ),
    ("block sequence entries are not allowed", "a list cannot begin here", "put the first `- ` on a line of its own"),
    ("invalid indentation in quoted scalar", "this quote is not closed", "close it; lines within quotes are indented"),
    ("unexpected end of stream", "this quote is not closed", "close it"),
    ("invalid trailing content", "text follows the closing quote", "put the whole value in one pair of quotes"),
    (
        "unknown escape character",
        "this text has an unknown escape after a `\\`",
        "write `\\\\` for a backslash, or use single quotes",
    ),
    (
        "hexadecimal",
        "this text has an incomplete escape",
        "write as many digits as `\\x41`, `\\u4e2d`, `\\U0001f600` have",
    ),
    ("Unicode character escape", "this text has an escape that is no character", "write the character itself"),
    ("unexpected character", "a plain text cannot begin with this character", "put the text in quotes"),
    ("unexpected end of plain scalar", "a value is expected here", "write one, or put the text in quotes"),
    ("plain scalar cannot start", "a plain text cannot begin like this", "put the text in quotes"),
    ("simple key expect", "a key without its `:`", "write `key: value`"),
    (
        "wrongly indented line in block scalar",
        "this line is indented less than its text block",
        "indent it like the first line",
    ),
    ("invalid indentation", "the indentation of this line does not fit", "indent with two spaces for each level"),
    ("comment intercepting", "a comment stands within this text", "move the comment to a line of its own, above"),
    ("must be followed by a valid YAML whitespace", "a space is missing after this", "write a space after `:` and `-`"),
    ("'%'", "a directive", "remove it"),
    ("tag", "tags (`!name`) are not supported", "remove the tag; a text that begins with `!` needs quotes"),
    ("TAG", "directives are not supported", "remove the line"),
    ("directive", "directives are not supported", "remove the line; a text that begins with `%` needs quotes"),
    ("anchor", "anchors (`&name`) are not supported", "write the value out; a text that begins with `&` needs quotes"),
];

/// The parser's `info` at `mark`, said plainly.
pub(super) fn plainly(info: &str, mark: Mark) -> Diagnostic {
    if info.contains("recursion limit") {
        return too_deep(mark);
    }
    let found = WORDS.iter().find(|(part, ..)| info.contains(part));
    let (message, help) = found.map_or(("this is not valid YAML", None), |(_, message, help)| (*message, Some(*help)));
    let diagnostic = Diagnostic::error("syntax", mark, message);
    match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic.help(format!("the parser says: {info}")),
    }
}

pub(super) fn too_deep(mark: Mark) -> Diagnostic {
    let depth = super::MAX_DEPTH;
    Diagnostic::error("too-deep", mark, format!("maps and lists nest deeper than {depth} levels here"))
        .help("no scenario needs that; is a bracket left open?")
}

pub(super) fn unquoted_template(mark: Mark) -> Diagnostic {
    Diagnostic::error("unquoted-template", mark, "a template `{{ … }}` needs quotes, else YAML reads it as a map")
        .help("write the whole value in quotes: \"{{ … }}\"")
}
