//! Instants as they are written.

use serde_json::{Value, json};

use crate::base::diagnostic::{Diagnostic, Mark, nearest};
use crate::base::units::{Span, parse_span};
use crate::base::yaml::{Node, ScalarKind};
use crate::scenario::decode::{Context, Raw};
use crate::scenario::define::words;
use crate::scenario::field::Spanned;
use crate::scenario::schema::{Defs, or_var};
use crate::scenario::value::{say_unit, text};

words! {
    /// The instants of a fault; an action is `done`.
    pub enum Moment("instants") {
        Ordered = "ordered", Effective = "effective", Detected = "detected", Healed = "healed", Recovered = "recovered",
        Done = "done",
    }
}

/// An instant as written: `30s`, `outage`, `outage + 5s`, `lose-primary.healed + 30s`.
#[derive(Debug, Clone, PartialEq)]
pub struct When {
    pub from: Reference,
    pub offset: Span,
}

/// What an instant counts from.
#[derive(Debug, Clone, PartialEq)]
pub enum Reference {
    Start,
    /// The beginning of a phase.
    Phase(Spanned<String>),
    /// An instant of a fault, or of an action.
    Other {
        name: Spanned<String>,
        moment: Moment,
    },
}

const WHEN: &str = "an instant such as 30s, outage + 5s or fault.healed + 30s";

impl Raw for When {
    fn decode(node: &Node, at: Mark, cx: &mut Context<'_>) -> Option<When> {
        if let Some(scalar) = node.as_scalar().filter(|s| matches!(s.kind, ScalarKind::Int(_) | ScalarKind::Float(_))) {
            let message = format!("`{}` has no unit", scalar.text);
            cx.say(Diagnostic::error("unit", node.mark, message).help(format!("write {WHEN}")));
            return None;
        }
        let written = text(node, WHEN, cx)?;
        if written.contains("{{") {
            // The check of plain texts says it.
            return String::decode(node, at, cx).and(None);
        }
        let part = |part: &str| {
            let start = part.as_ptr() as usize - written.as_ptr() as usize;
            cx.sources.inside(node.mark, written, start..start + part.len())
        };
        let (name, offset) = match written.split_once('+') {
            Some((name, offset)) => (name.trim(), Some(offset.trim())),
            None => (written.trim(), None),
        };
        if offset.is_none() && name.starts_with(|c: char| c.is_ascii_digit()) {
            let mark = node.mark;
            let offset = parse_span(name).map_err(|error| say_unit(&error, mark, cx)).ok()?;
            return Some(When { from: Reference::Start, offset });
        }
        let (name_mark, offset_mark) = (part(name), offset.map(part));
        let named = |name: &str, mark| Spanned { value: name.to_owned(), mark, key: node.mark };
        let word = |text: &str| {
            text.starts_with(char::is_alphabetic) && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
        };
        let from = match name.split_once('.') {
            None if word(name) => Reference::Phase(named(name, name_mark)),
            Some((fault, moment)) if word(fault) => {
                let mark = part(moment);
                let fault = named(fault, part(fault));
                let Some(moment) = Moment::of(moment) else {
                    let message = format!("`{moment}` is no instant of a fault or an action");
                    let meant = nearest(moment, Moment::WORDS.iter().copied());
                    let help = meant.map_or_else(
                        || format!("the instants are {}", Moment::WORDS.join(" ")),
                        |meant| format!("did you mean `{meant}`?"),
                    );
                    cx.say(Diagnostic::error("unknown-word", mark, message).help(help));
                    return None;
                };
                Reference::Other { name: fault, moment }
            }
            _ => {
                cx.say(
                    Diagnostic::error("instant", node.mark, format!("`{written}` is no instant"))
                        .help(format!("write {WHEN}")),
                );
                return None;
            }
        };
        let offset = match (offset, offset_mark) {
            (Some(""), _) => {
                let wrong = Diagnostic::error("instant", node.mark, format!("`{written}` does not say how long after"));
                cx.say(wrong.help(format!("write a duration after the `+`, such as {name} + 5s")));
                return None;
            }
            (Some(offset), Some(mark)) => parse_span(offset).map_err(|error| say_unit(&error, mark, cx)).ok()?,
            _ => Span::ZERO,
        };
        Some(When { from, offset })
    }

    fn schema(_: &mut Defs) -> Value {
        let span = r"([0-9]+(\.[0-9]*)?(ns|us|ms|s|m|h|d))+";
        let name = r"\p{Alphabetic}[\p{Alphabetic}\p{N}_-]*";
        let moments = Moment::WORDS.join("|");
        let pattern = format!(r"^\s*({span}|{name}(\.({moments}))?(\s*\+\s*{span})?)\s*$");
        or_var(json!({ "type": "string", "pattern": pattern }))
    }
}
