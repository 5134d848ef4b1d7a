//! What is wrong in a text, and where: sources, marks, diagnostics, the nearest word, and their rendering for people
//! and as JSON.
//!
//! Leaves to others: reading files (`cli`), what a text means (`yaml`, `template`, `scenario`, `compile`).

mod json;
mod nearest;
mod render;
mod source;

use std::cmp::Ordering;

pub use json::to_json;
pub use nearest::nearest;
pub use render::{Style, render};
pub use source::{Mark, Place, SourceId, Sources};

/// How much a diagnostic weighs: with an error nothing is run, a warning is only said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    Error,
    Warning,
}

/// Another place that has to do with a diagnostic ("first written here").
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Related {
    pub mark: Mark,
    pub message: String,
}

/// One mistake: what is wrong, where, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Diagnostic {
    pub severity: Severity,
    /// A short stable slug for machines: `unknown-word`.
    pub code: &'static str,
    pub mark: Mark,
    pub message: String,
    /// A few words beside the marker.
    pub label: Option<String>,
    /// What to write instead.
    pub help: Option<String>,
    pub related: Vec<Related>,
}

impl Diagnostic {
    pub fn error(code: &'static str, mark: Mark, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            code,
            mark,
            message: message.into(),
            label: None,
            help: None,
            related: Vec::new(),
        }
    }

    pub fn warning(code: &'static str, mark: Mark, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, mark, message) }
    }

    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Diagnostic {
        self.label = Some(label.into());
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub fn related(mut self, mark: Mark, message: impl Into<String>) -> Diagnostic {
        self.related.push(Related { mark, message: message.into() });
        self
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// What makes it the same as another: its words but for the numbers, which differ from profile to profile.
    fn gist(&self) -> impl Iterator<Item = char> {
        self.message.chars().filter(|c| !c.is_ascii_digit())
    }

    fn order(&self, other: &Diagnostic) -> Ordering {
        let key = |d: &Diagnostic| (d.mark.source, d.mark.start, d.mark.end, d.severity == Severity::Warning, d.code);
        key(self).cmp(&key(other)).then_with(|| self.gist().cmp(other.gist()))
    }
}

/// Puts `found` into the order of files and places. Of what is said twice of one place, with other numbers at most, the
/// first stays: a scenario is checked in each of its profiles.
pub fn sort(found: &mut Vec<Diagnostic>) {
    found.sort_by(Diagnostic::order);
    found.dedup_by(|later, first| later.order(first) == Ordering::Equal);
}

/// Is there an error among `found`?
pub fn any_error(found: &[Diagnostic]) -> bool {
    found.iter().any(Diagnostic::is_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorting_goes_by_place_and_drops_repeats() {
        let mut sources = Sources::default();
        let file = sources.add("a.yaml", "x: 1\ny: 2\n");
        let at = |start| Mark { source: file, start, end: start + 1 };
        let mut found = vec![
            Diagnostic::error("b", at(5), "second"),
            Diagnostic::warning("a", at(0), "first, milder"),
            Diagnostic::error("c", at(0), "first"),
            Diagnostic::error("b", at(5), "second"),
        ];
        sort(&mut found);
        let messages: Vec<&str> = found.iter().map(|d| d.message.as_str()).collect();
        assert_eq!(messages, ["first", "first, milder", "second"]);
        assert!(any_error(&found));
        assert!(!any_error(&found[1..2]));
    }
}
