//! Single values: numbers, texts, units, templates, trees.

use serde_json::{Value, json};

use super::decode::{Context, Raw};
use super::field::Spanned;
use super::schema::{Defs, or_var};
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::{
    Flow, Offset, Rate, Share, Size, Span, Text, UnitError, parse_flow, parse_offset, parse_rate, parse_share,
    parse_size, parse_span,
};
use crate::base::yaml::{Kind, Node, Scalar, ScalarKind};

/// The text at `node`; a number or `true` must be quoted to be one.
pub(crate) fn text<'n>(node: &'n Node, wanted: &str, cx: &mut Context<'_>) -> Option<&'n str> {
    match node.as_scalar() {
        Some(scalar) if scalar.kind == ScalarKind::Text => Some(&scalar.text),
        Some(scalar) if scalar.kind != ScalarKind::Null => {
            let message = format!("{wanted} is expected here, not {}", node.describe());
            let help = format!("in quotes it is a text: \"{}\"", scalar.text);
            cx.say(Diagnostic::error("wrong-type", node.mark, message).help(help));
            None
        }
        _ => {
            cx.wrong(node, wanted);
            None
        }
    }
}

/// True, and said, when `text` holds a template where a value must be known beforehand.
fn late_template(text: &str, mark: Mark, cx: &mut Context<'_>) -> bool {
    let late = text.contains("{{") || text.contains("{%");
    if late {
        let message = "this value is settled before the drill begins, so a template here can use scalar `vars.` only";
        cx.say(Diagnostic::error("late-template", mark, message).help("write the value, or \"{{ vars.name }}\""));
    }
    late
}

fn unit<T>(node: &Node, wanted: &str, parse: fn(&str) -> Result<T, UnitError>, cx: &mut Context<'_>) -> Option<T> {
    let scalar = match node.as_scalar() {
        Some(scalar) if !matches!(scalar.kind, ScalarKind::Null | ScalarKind::Bool(_)) => scalar,
        _ => {
            cx.wrong(node, wanted);
            return None;
        }
    };
    if late_template(&scalar.text, node.mark, cx) {
        return None;
    }
    parse(&scalar.text).map_err(|error| say_unit(&error, node.mark, cx)).ok()
}

pub(crate) fn say_unit(error: &UnitError, mark: Mark, cx: &mut Context<'_>) {
    let said = error.to_string();
    let (message, help) = said.split_once("; ").unwrap_or((&said, ""));
    let diagnostic = Diagnostic::error("unit", mark, message);
    cx.say(if help.is_empty() { diagnostic } else { diagnostic.help(help) });
}

macro_rules! unit_values {
    ($($ty:ident, $wanted:literal, $parse:ident, $pattern:literal;)*) => {$(
        impl Raw for $ty {
            fn decode(node: &Node, _: Mark, cx: &mut Context<'_>) -> Option<$ty> {
                unit(node, $wanted, $parse, cx)
            }

            fn schema(_: &mut Defs) -> Value {
                or_var(json!({ "type": "string", "pattern": $pattern }))
            }
        }
    )*};
}

unit_values! {
    Span, "a duration such as 800ms", parse_span, r"^\s*([0-9]+(\.[0-9]*)?(ns|us|ms|s|m|h|d))+\s*$";
    Offset, "a duration such as 1h or -30m", parse_offset, r"^\s*[+-]?([0-9]+(\.[0-9]*)?(ns|us|ms|s|m|h|d))+\s*$";
    Rate, "a rate such as 1200/s", parse_rate, r"^\s*[0-9]+(\.[0-9]*)?\s*/[smh]\s*$";
    Share, "a share such as 30%", parse_share, r"^\s*[0-9]+(\.[0-9]*)?\s*(%|x)\s*$";
    Size, "a size such as 64KiB", parse_size, r"^\s*[0-9]+(\.[0-9]*)?(B|KB|MB|GB|KiB|MiB|GiB)\s*$";
    Flow, "an amount of data in a second such as 10KB/s", parse_flow, r"^\s*[0-9]+(\.[0-9]*)?(B|KB|MB|GB|KiB|MiB|GiB)\s*/s\s*$";
}

impl Raw for u64 {
    fn decode(node: &Node, _: Mark, cx: &mut Context<'_>) -> Option<u64> {
        let number = match node.as_scalar() {
            Some(Scalar { kind: ScalarKind::Int(number), .. }) => u64::try_from(*number).ok(),
            Some(Scalar { kind: ScalarKind::Text, text }) if late_template(text, node.mark, cx) => return None,
            _ => None,
        };
        if number.is_none() {
            cx.wrong(node, "a whole number, not below 0,");
        }
        number
    }

    fn schema(_: &mut Defs) -> Value {
        or_var(json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX }))
    }
}

impl Raw for f64 {
    fn decode(node: &Node, _: Mark, cx: &mut Context<'_>) -> Option<f64> {
        let number = match node.as_scalar() {
            Some(Scalar { kind: ScalarKind::Int(number), .. }) => Some(*number as f64),
            Some(Scalar { kind: ScalarKind::Float(number), .. }) => Some(*number),
            Some(Scalar { kind: ScalarKind::Text, text }) if late_template(text, node.mark, cx) => return None,
            _ => None,
        };
        let number = number.filter(|number| number.is_finite());
        if number.is_none() {
            cx.wrong(node, "a number");
        }
        number
    }

    fn schema(_: &mut Defs) -> Value {
        or_var(json!({ "type": "number" }))
    }
}

impl Raw for bool {
    fn decode(node: &Node, _: Mark, cx: &mut Context<'_>) -> Option<bool> {
        match node.as_scalar() {
            Some(Scalar { kind: ScalarKind::Bool(value), .. }) => Some(*value),
            Some(Scalar { kind: ScalarKind::Text, text }) if late_template(text, node.mark, cx) => None,
            _ => {
                cx.wrong(node, "`true` or `false`");
                None
            }
        }
    }

    fn schema(_: &mut Defs) -> Value {
        or_var(json!({ "type": "boolean" }))
    }
}

/// A plain text: no template but vars, never empty.
impl Raw for String {
    fn decode(node: &Node, _: Mark, cx: &mut Context<'_>) -> Option<String> {
        let found = text(node, "a text", cx)?;
        if late_template(found, node.mark, cx) {
            return None;
        }
        if found.trim().is_empty() {
            cx.say(Diagnostic::error("empty-text", node.mark, "this text is empty"));
            return None;
        }
        Some(found.to_owned())
    }

    fn schema(_: &mut Defs) -> Value {
        json!({ "type": "string", "pattern": r"\S" })
    }
}

/// Text for people: plain, or `{ en, zh }`.
impl Raw for Text {
    fn decode(node: &Node, at: Mark, cx: &mut Context<'_>) -> Option<Text> {
        if let Kind::Map(_) = node.kind {
            let both: Languages = cx.decode(node, at)?;
            return Some(Text { en: both.en.value().cloned(), zh: both.zh.value().cloned() });
        }
        let plain = String::decode(node, at, cx)?;
        Some(Text { en: Some(plain), zh: None })
    }

    fn schema(defs: &mut Defs) -> Value {
        json!({ "anyOf": [String::schema(defs), Languages::schema(defs)] })
    }
}

super::define::block! {
    /// One text in one or both languages.
    pub struct Languages("a text for people") {
        en: optional("en") String,
        zh: optional("zh") String,
    }
    check(check_languages);
}

fn check_languages(both: &Languages, at: Mark, cx: &mut Context<'_>) {
    if both.en.is_absent() && both.zh.is_absent() && both.complete {
        cx.say(Diagnostic::error("empty-map", at, "this text is in neither language: write `en`, `zh` or both"));
    }
}

/// A text that may hold any template, or a plain scalar, whose kind is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Template(pub Scalar);

impl Template {
    pub fn text(&self) -> &str {
        &self.0.text
    }
}

impl Raw for Template {
    fn decode(node: &Node, _: Mark, cx: &mut Context<'_>) -> Option<Template> {
        match node.as_scalar() {
            Some(scalar) if scalar.kind != ScalarKind::Null => Some(Template(scalar.clone())),
            _ => {
                cx.wrong(node, "a text or a number");
                None
            }
        }
    }

    fn schema(_: &mut Defs) -> Value {
        json!({ "type": ["string", "number", "boolean"] })
    }
}

/// Any value at all, with the place of each part: a JSON body, a var. Texts in it may hold templates.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree(pub Node);

impl Raw for Tree {
    fn decode(node: &Node, _: Mark, cx: &mut Context<'_>) -> Option<Tree> {
        let before = cx.found.len();
        refuse_no_json(node, cx);
        (cx.found.len() == before).then(|| Tree(node.clone()))
    }

    fn schema(_: &mut Defs) -> Value {
        json!({})
    }
}

fn refuse_no_json(node: &Node, cx: &mut Context<'_>) {
    match &node.kind {
        Kind::Scalar(Scalar { kind: ScalarKind::Float(number), text }) if !number.is_finite() => {
            let message = format!("JSON has no number `{text}`");
            cx.say(Diagnostic::error("no-json", node.mark, message).help("put it in quotes to send it as a text"));
        }
        Kind::List(items) => items.iter().for_each(|item| refuse_no_json(item, cx)),
        Kind::Map(map) => map.entries.iter().for_each(|(_, value)| refuse_no_json(value, cx)),
        Kind::Hole | Kind::Scalar(_) => {}
    }
}

impl Tree {
    /// As JSON, templates unrendered; `None` where there is a hole in it.
    pub fn to_json(&self) -> Option<Value> {
        to_json(&self.0)
    }

    /// Every text in it (values, not keys), with its place.
    pub fn texts(&self) -> Vec<Spanned<&str>> {
        let mut found = Vec::new();
        texts(&self.0, &mut found);
        found
    }
}

pub(crate) fn to_json(node: &Node) -> Option<Value> {
    Some(match &node.kind {
        Kind::Hole => return None,
        Kind::Scalar(scalar) => match scalar.kind {
            ScalarKind::Null => Value::Null,
            ScalarKind::Bool(value) => value.into(),
            ScalarKind::Int(number) => match (u64::try_from(number), i64::try_from(number)) {
                (Ok(number), _) => number.into(),
                (_, Ok(number)) => number.into(),
                _ => (number as f64).into(),
            },
            ScalarKind::Float(number) => number.into(),
            ScalarKind::Text => scalar.text.as_str().into(),
        },
        Kind::List(items) => Value::Array(items.iter().map(to_json).collect::<Option<_>>()?),
        Kind::Map(map) => {
            let entries = map.entries.iter().map(|(key, value)| Some((key.text.clone(), to_json(value)?)));
            Value::Object(entries.collect::<Option<_>>()?)
        }
    })
}

fn texts<'n>(node: &'n Node, found: &mut Vec<Spanned<&'n str>>) {
    match &node.kind {
        Kind::Scalar(scalar) if scalar.kind == ScalarKind::Text => {
            found.push(Spanned { value: &scalar.text, mark: node.mark, key: node.mark });
        }
        Kind::Hole | Kind::Scalar(_) => {}
        Kind::List(items) => items.iter().for_each(|item| texts(item, found)),
        Kind::Map(map) => map.entries.iter().for_each(|(_, value)| texts(value, found)),
    }
}

/// `1..1000000`: both ends are in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub from: i64,
    pub to: i64,
}

impl Raw for Range {
    fn decode(node: &Node, _: Mark, cx: &mut Context<'_>) -> Option<Range> {
        let found = text(node, "a range such as 1..1000", cx)?;
        if late_template(found, node.mark, cx) {
            return None;
        }
        let ends = found.split_once("..").map(|(from, to)| (from.trim().parse::<i64>(), to.trim().parse::<i64>()));
        match ends {
            Some((Ok(from), Ok(to))) if from <= to => Some(Range { from, to }),
            Some((Ok(from), Ok(to))) => {
                let message = format!("the range {from}..{to} is empty");
                cx.say(Diagnostic::error("range", node.mark, message).help(format!("write {to}..{from}")));
                None
            }
            _ => {
                let message = format!("`{found}` is no range");
                cx.say(Diagnostic::error("range", node.mark, message).help("write both ends, such as 1..1000"));
                None
            }
        }
    }

    fn schema(_: &mut Defs) -> Value {
        or_var(json!({ "type": "string", "pattern": r"^\s*[+-]?[0-9]+\s*\.\.\s*[+-]?[0-9]+\s*$" }))
    }
}
