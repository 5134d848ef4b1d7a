use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar;

use super::{Diagnostic, Severity, Sources};

/// How rendered text looks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// ANSI colours.
    pub color: bool,
}

/// Columns of a source line that are shown; a longer one is cut around its mark.
const SHOWN: usize = 110;
const TAB: &str = "    ";

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// `found` as text for people: for each `file:line:column: error: message`, the source line, a marker under it, and what
/// to write instead.
pub fn render(found: &[Diagnostic], sources: &Sources, style: Style) -> String {
    let mut out = String::new();
    for (index, diagnostic) in found.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        render_one(&mut out, diagnostic, sources, style);
    }
    out
}

fn render_one(out: &mut String, diagnostic: &Diagnostic, sources: &Sources, style: Style) {
    let place = sources.place(diagnostic.mark);
    let (word, color) = match diagnostic.severity {
        Severity::Error => ("error", "1;31"),
        Severity::Warning => ("warning", "1;33"),
    };
    let head = style.paint("1", &visible(&place.to_string()));
    let word = style.paint(color, word);
    let code = style.paint("2", &format!("[{}]", diagnostic.code));
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{head}: {word}: {} {code}", visible(&diagnostic.message));

    let number = place.line.to_string();
    let gap = " ".repeat(number.len());
    let bar = style.paint("34", "|");
    let (line, range) = sources.line(diagnostic.mark);
    if !line.is_empty() {
        let (before, marked, after) = excerpt(line, range);
        let carets = "^".repeat(width(&marked).max(1));
        let label = diagnostic.label.as_deref().map(|label| format!(" {}", visible(label))).unwrap_or_default();
        let under = format!("{}{}", " ".repeat(width(&before)), style.paint(color, &format!("{carets}{label}")));
        let _ = writeln!(out, " {} {bar} {before}{marked}{after}", style.paint("34", &number));
        let _ = writeln!(out, " {gap} {bar} {under}");
    }
    for related in &diagnostic.related {
        let place = visible(&sources.place(related.mark).to_string());
        let _ = writeln!(out, " {gap} = {}: {place}", visible(&related.message));
    }
    if let Some(help) = &diagnostic.help {
        let _ = writeln!(out, " {gap} = {} {}", style.paint("1;32", "help:"), visible(help));
    }
}

/// What stands before, under and after the marker, tabs opened up and control characters made visible, at most about
/// [`SHOWN`] columns in all.
fn excerpt(line: &str, range: std::ops::Range<usize>) -> (String, String, String) {
    let part = |range| visible(line.get(range).unwrap_or(""));
    let (mut before, mut marked, mut after) =
        (part(0..range.start), part(range.start..range.end), part(range.end..line.len()));
    if width(&before) + width(&marked) + width(&after) > SHOWN {
        if width(&marked) > SHOWN / 2 {
            marked = format!("{}…", head(&marked, SHOWN / 2));
            after.clear();
        }
        let room = SHOWN - width(&marked).min(SHOWN);
        if width(&before) > room / 2 {
            before = format!("…{}", tail(&before, room / 2));
        }
        let room = room.saturating_sub(width(&before));
        if width(&after) > room {
            after = format!("{}…", head(&after, room));
        }
    }
    (before, marked, after.trim_end().to_owned())
}

/// `text` without anything that drives a terminal.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => out.push_str(TAB),
            '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                out.push('\u{fffd}')
            }
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// The beginning of `text` that fits in `columns`.
fn head(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > columns {
            return text.get(..at).unwrap_or("");
        }
    }
    text
}

/// The end of `text` that fits in `columns`.
fn tail(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices().rev() {
        used += c.width().unwrap_or(0);
        if used > columns {
            return text.get(at + c.len_utf8()..).unwrap_or("");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{Diagnostic, Mark, Sources};
    use super::*;

    fn shown(text: &str, part: &str) -> String {
        let mut sources = Sources::default();
        let source = sources.add("drill.yaml", text);
        let start = text.find(part).unwrap() as u32;
        let mark = Mark { source, start, end: start + part.len() as u32 };
        let diagnostic = Diagnostic::error("unknown-word", mark, format!("`{part}` is no word of `kill`"))
            .label("here")
            .help("write `process`")
            .related(Mark::head(source), "first written");
        render(&[diagnostic], &sources, Style::default())
    }

    #[test]
    fn an_error_shows_its_line_with_a_marker_under_it() {
        insta::assert_snapshot!(shown("name: x\nkill: { proccess: store }\n", "proccess"), @r"
        drill.yaml:2:9: error: `proccess` is no word of `kill` [unknown-word]
         2 | kill: { proccess: store }
           |         ^^^^^^^^ here
           = first written: drill.yaml:1:1
           = help: write `process`
        ");
    }

    #[test]
    fn chinese_text_and_tabs_line_up() {
        insta::assert_snapshot!(shown("标题: 高峰\t期 proccess: 1", "proccess"), @r"
        drill.yaml:1:10: error: `proccess` is no word of `kill` [unknown-word]
         1 | 标题: 高峰    期 proccess: 1
           |                  ^^^^^^^^ here
           = first written: drill.yaml:1:1
           = help: write `process`
        ");
    }

    #[test]
    fn a_long_line_is_cut_around_its_mark() {
        let text = format!("{}proccess{}", "长".repeat(300), "x".repeat(300));
        let out = shown(&text, "proccess");
        assert!(out.lines().all(|line| width(line) < 130), "{out}");
        let line = out.lines().nth(1).unwrap();
        let under = out.lines().nth(2).unwrap();
        let caret = width(under.split('^').next().unwrap());
        assert_eq!(width(line.split("proccess").next().unwrap()), caret);
    }

    #[test]
    fn nothing_in_a_file_drives_the_terminal() {
        let out = shown("a: \u{1b}[31m proccess\u{202e}", "proccess");
        assert!(!out.contains('\u{1b}') && !out.contains('\u{202e}'));
    }
}
