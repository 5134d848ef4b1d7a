use serde_json::{Value, json};

use super::Arguments;
use super::instant::When;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::{Span, Text};
use crate::base::yaml::{Kind, Node};
use crate::scenario::decode::{Context, Raw};
use crate::scenario::define::{block, words};
use crate::scenario::schema::Defs;

block! {
    /// One step of the emergency plan, done by people or by a program, and timed.
    pub struct Action("an action") {
        title: optional("title") Text,
        /// When it begins: an instant, such as 30s, outage + 1s or a-fault.healed + 30s.
        at: optional("at") When,
        /// It begins after an instant of a fault, such as a-fault.detected, or when another action is done: other-action.done + 5s.
        after: optional("after") When,
        /// Who does it.
        by: optional("by") Text,
        /// What is to be done.
        say: optional("say") Text,
        /// A program that does it, and must exit 0.
        run: optional("run") Arguments,
        /// How it is known that somebody did it.
        confirm: optional("confirm") Confirm,
        /// What takes longer is not done; left out: 10s of a program, 1m of people.
        within: optional("within") Span,
    }
    one_of("run", "confirm");
    check(check_action);
}

fn check_action(action: &Action, at: Mark, cx: &mut Context<'_>) {
    super::load::positive(&action.within, "within", cx);
    match (action.at.written(), action.after.written()) {
        (None, None) if action.complete => {
            let message = "an action needs one of `at`, `after`";
            cx.say(
                Diagnostic::error("needs-word", at, message)
                    .help("write when it begins, such as after: a-fault.detected"),
            );
        }
        (Some(first), Some(mark)) => {
            let message = "an action has either `at` or `after`, not both";
            cx.say(Diagnostic::error("not-both", mark, message).related(first, "`at` is here"));
        }
        _ => {}
    }
}

/// How it is known that an action was done: somebody says so, or it can be seen.
#[derive(Debug, Clone, PartialEq)]
pub enum Confirm {
    Terminal,
    Seen(Box<ConfirmSeen>),
}

words! {
    pub enum ConfirmWord("`confirm`") { Terminal = "terminal" }
}

block! {
    /// A GET that answers 2xx once it is done, or a watch of alerts that hears of it.
    pub struct ConfirmSeen("`confirm`") {
        /// A path, such as /healthz.
        get: optional("get") String,
        /// The endpoint that the path is asked of.
        endpoint: optional("endpoint") String,
        /// A watch of alerts: a POST there while it is under way says that it is done; an alert of Alertmanager's once it is resolved.
        alert: optional("alert") String,
    }
    one_of("get", "alert");
    check(check_seen);
}

fn check_seen(seen: &ConfirmSeen, _: Mark, cx: &mut Context<'_>) {
    if let (Some(mark), Some(alert), None) = (seen.endpoint.written(), seen.alert.written(), seen.get.written()) {
        let message = "a watch of alerts is told, and nobody is asked: `endpoint` goes with `get`";
        cx.say(Diagnostic::error("does-not-go", mark, message).related(alert, "the watch is here"));
    }
}

impl Raw for Confirm {
    fn decode(node: &Node, at: Mark, cx: &mut Context<'_>) -> Option<Confirm> {
        match &node.kind {
            Kind::Map(_) => cx.decode(node, at).map(|seen| Confirm::Seen(Box::new(seen))),
            _ => cx.decode(node, at).map(|ConfirmWord::Terminal| Confirm::Terminal),
        }
    }

    fn schema(defs: &mut Defs) -> Value {
        json!({ "anyOf": [ConfirmWord::schema(defs), ConfirmSeen::schema(defs)] })
    }
}
