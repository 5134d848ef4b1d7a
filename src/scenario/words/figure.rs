use serde_json::{Value, json};

use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::{Rate, Share, Size, Span, parse_rate, parse_share, parse_size, parse_span};
use crate::base::yaml::{Node, Scalar, ScalarKind};
use crate::scenario::decode::{Context, Raw};
use crate::scenario::schema::{Defs, or_var};
use crate::scenario::value::text;

/// A bound, by the unit that it is written with; whether it fits the measure is checked with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Figure {
    Span(Span),
    Share(Share),
    Rate(Rate),
    Size(Size),
    Number(f64),
}

impl Figure {
    pub(super) fn as_f64(self) -> f64 {
        match self {
            Figure::Span(span) => span.as_seconds_f64(),
            Figure::Share(share) => share.as_f64(),
            Figure::Rate(rate) => rate.as_per_second(),
            Figure::Size(size) => size.bytes() as f64,
            Figure::Number(number) => number,
        }
    }
}

impl Raw for Figure {
    fn decode(node: &Node, at: Mark, cx: &mut Context<'_>) -> Option<Figure> {
        if let Some(Scalar { kind: ScalarKind::Int(_) | ScalarKind::Float(_), .. }) = node.as_scalar() {
            return cx.decode(node, at).map(Figure::Number);
        }
        let written = text(node, "a bound with its unit", cx)?;
        if written.contains("{{") {
            return String::decode(node, at, cx).and(None);
        }
        let found = parse_share(written)
            .map(Figure::Share)
            .or_else(|_| parse_rate(written).map(Figure::Rate))
            .or_else(|_| parse_size(written).map(Figure::Size))
            .or_else(|_| parse_span(written).map(Figure::Span));
        if found.is_err() {
            let message = format!("`{written}` is no bound");
            let help = "write a duration (500ms), a share (99%), a rate (50/s), a size (512MiB) or a number";
            cx.say(Diagnostic::error("unit", node.mark, message).help(help));
        }
        found.ok()
    }

    fn schema(defs: &mut Defs) -> Value {
        let kinds = [Span::schema(defs), Share::schema(defs), Rate::schema(defs), Size::schema(defs)];
        let mut kinds: Vec<Value> = kinds.into_iter().filter_map(|kind| kind.pointer("/anyOf/0").cloned()).collect();
        kinds.push(json!({ "type": "number" }));
        or_var(json!({ "anyOf": kinds }))
    }
}
