//! Networks that processes live in, and what can be wrong between those who do.

use serde_json::Value;

use super::fault::Target;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::{Share, Span, Text};
use crate::base::yaml::Node;
use crate::scenario::decode::{Context, Raw};
use crate::scenario::define::{block, words};
use crate::scenario::field::{Field, List};
use crate::scenario::schema::Defs;

block! {
    /// A network of the drill's own. Processes that name it live in it, each in a namespace of its own.
    pub struct Network("a network") {
        title: optional("title") Text,
        /// Its addresses, such as 198.18.7.0/24; left out: the next free /24 of 198.18.0.0/15.
        subnet: optional("subnet") String,
    }
}

block! {
    /// Nothing passes between two sides.
    pub struct Partition("`partition`") {
        /// Two sides, such as [node_1, [store, payment]]; each a process, a list of them, or { any: node, pick: 1 }.
        between: required("between") Sides,
    }
}

block! {
    /// Some of the packets between two sides are lost.
    pub struct Drop("`drop`") {
        /// Two sides, such as [node_1, store].
        between: required("between") Sides,
        /// Of packets, drawn by the kernel.
        share: required("share") Share,
    }
    check(check_drop);
}

fn check_drop(drop: &Drop, _: Mark, cx: &mut Context<'_>) {
    if let Some(share) = drop.share.get().filter(|share| !(0.0001..=1.0).contains(&share.as_f64())) {
        cx.say(Diagnostic::error("range", share.mark, "`share` is from 0.01% to 100%"));
    }
}

block! {
    /// Processes in networks are answered wrongly when they ask for names. Exactly one of `answer`, `latency`.
    pub struct BreakDns("`break-dns`") {
        /// Those who ask: a process, a list of them, or { any: node, pick: 1 }.
        process: required("process") Target,
        /// The names that they ask for; left out: any.
        names: optional("names") List<String>,
        answer: optional("answer") DnsAnswer,
        /// They are answered rightly, so much later.
        latency: optional("latency") Span,
    }
    one_of("answer", "latency");
    check(check_break_dns);
}

words! {
    /// What those who ask for a name are answered.
    pub enum DnsAnswer("answers of a name server") {
        /// Nothing.
        Nothing = "nothing",
        /// There is no such name (NXDOMAIN).
        Missing = "missing",
        /// The server cannot tell (SERVFAIL).
        Failed = "failed",
        /// An address that nobody has.
        Wrong = "wrong",
    }
}

fn check_break_dns(fault: &BreakDns, _: Mark, cx: &mut Context<'_>) {
    super::load::positive(&fault.latency, "latency", cx);
    not_empty(&fault.names, cx);
}

/// A list of names that names something.
pub(super) fn not_empty(names: &Field<List<String>>, cx: &mut Context<'_>) {
    if let Some(names) = names.get().filter(|names| names.items.is_empty() && names.complete) {
        cx.say(Diagnostic::error("empty-list", names.mark, "this list names nothing"));
    }
}

/// Two sides, and who is on each.
#[derive(Debug, Clone, PartialEq)]
pub struct Sides(pub List<Target>);

impl Raw for Sides {
    fn decode(node: &Node, at: Mark, cx: &mut Context<'_>) -> Option<Sides> {
        let sides: List<Target> = cx.decode(node, at)?;
        if sides.complete && sides.items.len() != 2 {
            let message = format!("`between` names two sides, not {}", sides.items.len());
            cx.say(Diagnostic::error("two-sides", node.mark, message).help("write [node_1, [store, payment]]"));
            return None;
        }
        Some(Sides(sides))
    }

    fn schema(defs: &mut Defs) -> Value {
        let mut schema = List::<Target>::schema(defs);
        (schema["minItems"], schema["maxItems"]) = (2.into(), 2.into());
        schema
    }
}
