//! What is asked of a text before a parser sees it.

use super::MAX_BYTES;
use crate::base::diagnostic::{Diagnostic, Mark, SourceId, Sources};

/// Takes the text in and refuses what is too large, not UTF-8, or not saved as plain text with LF.
pub(super) fn admit(sources: &mut Sources, name: &str, bytes: &[u8]) -> (SourceId, Option<Diagnostic>) {
    if bytes.len() > MAX_BYTES {
        let source = sources.add(name, "");
        return (source, Some(too_large(source, bytes.len())));
    }
    let text = String::from_utf8_lossy(bytes);
    let valid = std::str::from_utf8(bytes).map_err(|error| error.valid_up_to());
    let source = sources.add(name, text.as_ref());
    let refused = match valid {
        Err(at) => Some(not_utf8(source, bytes, at)),
        Ok(text) => bad_character(source, text),
    };
    (source, refused)
}

fn too_large(source: SourceId, bytes: usize) -> Diagnostic {
    let (mib, limit) = (bytes >> 20, MAX_BYTES >> 20);
    Diagnostic::error("too-large", Mark::head(source), format!("the file has {mib} MiB; at most {limit} MiB are read"))
        .help("move large data into a feed's own csv or json file")
}

fn mark(source: SourceId, at: usize, length: usize) -> Mark {
    let start = u32::try_from(at).unwrap_or(u32::MAX);
    Mark { source, start, end: start.saturating_add(u32::try_from(length).unwrap_or(0)) }
}

fn not_utf8(source: SourceId, bytes: &[u8], at: usize) -> Diagnostic {
    // The replacement character that stands there in the text shown is three bytes long.
    let here = mark(source, at, '\u{fffd}'.len_utf8());
    let byte = bytes.get(at).copied().unwrap_or(0);
    let help = if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        "this looks like UTF-16; save the file as UTF-8 without a byte order mark"
    } else {
        "save the file as UTF-8"
    };
    Diagnostic::error("not-utf8", here, format!("the byte 0x{byte:02x} here is not valid UTF-8")).help(help)
}

/// The first character that has no place in a scenario.
fn bad_character(source: SourceId, text: &str) -> Option<Diagnostic> {
    let (at, c) =
        text.char_indices().find(|(_, c)| *c == '\u{feff}' || (c.is_control() && !matches!(c, '\n' | '\t')))?;
    let here = mark(source, at, c.len_utf8());
    Some(match c {
        '\u{feff}' => Diagnostic::error("byte-order-mark", here, "there is a byte order mark here")
            .help("save the file as UTF-8 without a byte order mark (\"UTF-8\", not \"UTF-8 with BOM\")"),
        '\r' => Diagnostic::error("crlf", here, "this line ends in CR LF")
            .help("save the file with LF line endings (in an editor's status bar: CRLF → LF)"),
        c => Diagnostic::error(
            "control-character",
            here,
            format!("the control character U+{:04X} stands here", c as u32),
        )
        .help("remove it, or write it as an escape such as \"\\x07\" in double quotes"),
    })
}

/// The first line, of those that `counts` says may hold no such thing, that has a tab before its text.
pub(super) fn tab_indent(source: SourceId, text: &str, counts: impl Fn(usize) -> bool) -> Option<Diagnostic> {
    let mut start = 0;
    for (index, line) in text.split('\n').enumerate() {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        let tab = line.get(..indent).and_then(|blank| blank.find('\t'));
        if let Some(tab) = tab.filter(|_| indent < line.len() && counts(index + 1)) {
            let here = mark(source, start + tab, 1);
            let message = "a tab stands in the indentation of this line";
            return Some(Diagnostic::error("tab", here, message).help("indent with spaces, two for each level"));
        }
        start += line.len() + 1;
    }
    None
}
