use serde_json::{Value, json};

use super::StatusSet;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::{Share, Span};
use crate::base::yaml::{Kind, Node, Scalar, ScalarKind};
use crate::scenario::decode::{Context, Raw};
use crate::scenario::define::{block, words};
use crate::scenario::field::{List, Spanned};
use crate::scenario::schema::Defs;

block! {
    /// When a request is tried again. All its tries are one request with one outcome, the last try's, and its time runs on.
    pub struct Retry("`retry`") {
        /// How many further tries there are at most: from 1 to 20.
        times: required("times") u64,
        /// What is tried again: statuses such as 503 or 5xx, `connect`, `broken`, `timeout`, or a list of such.
        on: required("on") RetryCauses,
        /// How long is waited before the first further try, and twice as long before each next one; left out: 100ms.
        backoff: optional("backoff") Span,
        /// No wait is longer; left out: 10s.
        up_to: optional("up-to") Span,
        /// The part of each wait that chance may take away; left out: 50%.
        jitter: optional("jitter") Share,
        /// true: waits for as long as the answer's Retry-After says, where that is longer, and not beyond `up-to`.
        retry_after: optional("retry-after") bool,
    }
    check(check_retry);
}

fn check_retry(retry: &Retry, _: Mark, cx: &mut Context<'_>) {
    if let Some(times) = retry.times.get().filter(|times| !(1..=20).contains(&times.value)) {
        cx.say(Diagnostic::error("range", times.mark, "`times` is from 1 to 20: so many further tries"));
    }
    if let Some(jitter) = retry.jitter.get().filter(|jitter| !(0.0..=1.0).contains(&jitter.as_f64())) {
        cx.say(Diagnostic::error("range", jitter.mark, "`jitter` is a part of the wait: from 0% to 100%"));
    }
    super::load::positive(&retry.backoff, "backoff", cx);
    super::load::positive(&retry.up_to, "up-to", cx);
}

words! {
    pub enum RetryWord("`on`") {
        /// No connection could be made.
        Connect = "connect",
        /// The connection broke before the answer was whole.
        Broken = "broken",
        Timeout = "timeout",
    }
}

/// What is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryOn {
    Status(StatusSet),
    Word(RetryWord),
}

impl Raw for RetryOn {
    fn decode(node: &Node, at: Mark, cx: &mut Context<'_>) -> Option<RetryOn> {
        match node.as_scalar() {
            Some(Scalar { kind: ScalarKind::Text, text }) if !text.ends_with("xx") => {
                RetryWord::decode(node, at, cx).map(RetryOn::Word)
            }
            _ => StatusSet::decode(node, at, cx).map(RetryOn::Status),
        }
    }

    fn schema(defs: &mut Defs) -> Value {
        json!({ "anyOf": [StatusSet::schema(defs), RetryWord::schema(defs)] })
    }
}

/// One or several of them.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryCauses(pub List<RetryOn>);

impl Raw for RetryCauses {
    fn decode(node: &Node, at: Mark, cx: &mut Context<'_>) -> Option<RetryCauses> {
        match &node.kind {
            Kind::List(items) if items.is_empty() => {
                cx.say(Diagnostic::error("empty-list", node.mark, "this list names nothing to try again on"));
                None
            }
            Kind::List(_) => cx.decode(node, at).map(RetryCauses),
            _ => {
                let value = cx.decode(node, at)?;
                let items = vec![Spanned { value, mark: node.mark, key: at }];
                Some(RetryCauses(List { items, complete: true }))
            }
        }
    }

    fn schema(defs: &mut Defs) -> Value {
        let one = RetryOn::schema(defs);
        json!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
    }
}
