use serde_json::{Value, json};

use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::Share;
use crate::base::yaml::{Kind, Node};
use crate::scenario::decode::{Context, Raw, unknown};
use crate::scenario::define::{block, words};
use crate::scenario::field::{AnyKey, Field, List, Named};
use crate::scenario::schema::Defs;
use crate::scenario::value::text;

block! {
    /// The requests of an access log, sent again: each at its instant, without a body. Lines that were answered with 4xx are
    /// left out.
    pub struct Replay("`replay`") {
        /// A file beside the scenario.
        log: required("log") String,
        /// `common`, `combined`, `har`, or { json: { time: FIELD } } for a map on each line.
        format: required("format") LogFormat,
        /// Where its requests go; needed where there are several.
        endpoint: optional("endpoint") String,
        /// What of it is sent; left out: every GET and HEAD.
        only: optional("only") Only,
        /// Patterns of paths, and the names that their figures are kept under; `*` stands for a part of one segment, `**`
        /// for any. The first that fits counts; other paths are named by what they look like.
        names: optional("names") Named<String, AnyKey>,
        /// 2x: twice as fast.
        speed: optional("speed") Share,
        /// 3x: three sessions for each one; 50%: every other one.
        amplify: optional("amplify") Share,
    }
    check(check_replay);
}

fn check_replay(replay: &Replay, _: Mark, cx: &mut Context<'_>) {
    for (word, share) in [("speed", &replay.speed), ("amplify", &replay.amplify)] {
        if let Some(share) = share.get().filter(|share| !(0.001..=1000.0).contains(&share.as_f64())) {
            cx.say(Diagnostic::error("range", share.mark, format!("`{word}` is from 0.001x to 1000x")));
        }
    }
    for (pattern, _) in replay.names.value().into_iter().flat_map(Named::iter) {
        path(&pattern.value, pattern.mark, cx);
    }
}

fn path(pattern: &str, mark: Mark, cx: &mut Context<'_>) {
    if !pattern.starts_with(['/', '*']) {
        let message = format!("`{pattern}` fits no path: paths begin with /");
        cx.say(Diagnostic::error("range", mark, message).help(format!("write /{pattern}")));
    } else if pattern.contains('?') {
        let message = format!("`{pattern}` fits no path: the query is not looked at");
        cx.say(Diagnostic::error("range", mark, message).help("end the pattern before the `?`"));
    }
}

block! {
    /// What of a log is sent.
    pub struct Only("`only`") {
        methods: optional("methods") List<ReplayMethod>,
        /// Patterns of paths, as in `names`.
        paths: optional("paths") List<String>,
    }
    check(check_only);
}

words! {
    pub enum ReplayMethod("`methods`") {
        Get = "get", Head = "head", Options = "options", Delete = "delete", Post = "post", Put = "put", Patch = "patch"
    }
}

fn check_only(only: &Only, _: Mark, cx: &mut Context<'_>) {
    for method in only.methods.value().into_iter().flat_map(|list| &list.items) {
        if matches!(method.value, ReplayMethod::Post | ReplayMethod::Put | ReplayMethod::Patch) {
            let message = "a log does not say what such requests carried, so they cannot be sent again";
            cx.say(Diagnostic::error("range", method.mark, message).help("write a journey for them"));
        }
    }
    for (mark, is_empty) in [empty(&only.methods), empty(&only.paths)].into_iter().flatten() {
        if is_empty {
            cx.say(Diagnostic::error("empty-list", mark, "nothing would be sent: this list is empty"));
        }
    }
    for pattern in only.paths.value().into_iter().flat_map(|list| &list.items) {
        path(&pattern.value, pattern.mark, cx);
    }
}

fn empty<T>(list: &Field<List<T>>) -> Option<(Mark, bool)> {
    list.get().map(|list| (list.mark, list.items.is_empty() && list.complete))
}

/// How a log is written.
#[derive(Debug, Clone, PartialEq)]
pub enum LogFormat {
    Known(KnownFormat),
    Lines(Box<JsonLines>),
}

impl Raw for LogFormat {
    fn decode(node: &Node, at: Mark, cx: &mut Context<'_>) -> Option<LogFormat> {
        match &node.kind {
            Kind::Map(_) => cx.decode(node, at).map(|lines| LogFormat::Lines(Box::new(lines))),
            _ if node.as_scalar().is_some_and(|scalar| scalar.text == "json") => {
                let message = "which field of a line holds its time is to be said";
                cx.say(Diagnostic::error("missing-word", node.mark, message).help("write { json: { time: FIELD } }"));
                None
            }
            _ => {
                let word = text(node, "one of the words of `format`", cx)?;
                let known = KnownFormat::of(word);
                if known.is_none() {
                    cx.say(unknown("word", word, "`format`", node.mark, &["common", "combined", "har", "json"]));
                }
                known.map(LogFormat::Known)
            }
        }
    }

    fn schema(defs: &mut Defs) -> Value {
        json!({ "anyOf": [KnownFormat::schema(defs), JsonLines::schema(defs)] })
    }
}

words! {
    pub enum KnownFormat("`format`") { Common = "common", Combined = "combined", Har = "har" }
}

block! {
    /// A map in JSON on each line.
    pub struct JsonLines("`format`") {
        json: required("json") JsonFields,
    }
}

block! {
    /// The names of its fields.
    pub struct JsonFields("`json`") {
        /// RFC 3339, or a number since 1970.
        time: required("time") String,
        /// Left out: `method`.
        method: optional("method") String,
        /// A path or a URL; left out: `path`.
        path: optional("path") String,
        /// What one client's requests have in common; left out: `client`.
        session: optional("session") String,
        /// Left out: `status`.
        status: optional("status") String,
    }
}
