use serde_json::{Value, json};

use super::{BodyText, PartValue, Retry};
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::{Span, Text};
use crate::base::yaml::{Kind, Node, Scalar, ScalarKind};
use crate::scenario::decode::{Context, Raw};
use crate::scenario::define::{block, words};
use crate::scenario::field::{AnyKey, Field, List, Named, Reached, Spanned};
use crate::scenario::schema::Defs;
use crate::scenario::value::{Template, Tree, text};

block! {
    /// One request.
    pub struct Request("a request") {
        /// A path, such as /products/{{ feed.sku.id }}.
        get: optional("get") Template,
        /// A path.
        post: optional("post") Template,
        /// A path.
        put: optional("put") Template,
        /// A path.
        patch: optional("patch") Template,
        /// A path.
        delete: optional("delete") Template,
        /// A path.
        head: optional("head") Template,
        /// A path.
        options: optional("options") Template,
        /// Figures are kept per name; left out: the method and the path as written.
        name: optional("name") String,
        title: optional("title") Text,
        /// Needed where there are several.
        endpoint: optional("endpoint") String,
        headers: optional("headers") Named<Template, AnyKey>,
        query: optional("query") Named<Template, AnyKey>,
        /// A body as JSON; texts in it may be templates.
        json: optional("json") Tree,
        /// Fields of a form (application/x-www-form-urlencoded).
        form: optional("form") Named<Template, AnyKey>,
        /// Parts of a form with files (multipart/form-data): each a text, or { file, filename, type } or { text, type }.
        multipart: optional("multipart") Named<PartValue, AnyKey>,
        /// A body as text, or { file, type }.
        body: optional("body") BodyText,
        /// Cuts the request; left out: 30s.
        timeout: optional("timeout") Span,
        /// What makes the answer ok; left out: 2xx.
        expect: optional("expect") Expect,
        /// What a failure does to the visit; left out: it ends.
        on_failure: optional("on-failure") OnFailure,
        /// Names for parts of the answer.
        capture: optional("capture") Named<Capture, Reached>,
        /// Tries again what failed: one request all the same.
        retry: optional("retry") Retry,
        /// Follows redirects, so many at the most (from 1 to 20): one request all the same. Where `platform.allow` names it.
        follow: optional("follow") u64,
        /// true: asks for a compressed answer (gzip, br, zstd) and decompresses it, outside of its time; left out: as its endpoint says.
        decompress: optional("decompress") bool,
    }
    one_of("get", "post", "put", "patch", "delete", "head", "options");
    later("acknowledge");
    check(check_request);
}

fn check_request(request: &Request, _: Mark, cx: &mut Context<'_>) {
    let bodies = [
        ("json", request.json.written()),
        ("form", request.form.written()),
        ("multipart", request.multipart.written()),
        ("body", request.body.written()),
    ];
    let mut bodies = bodies.into_iter().filter_map(|(word, mark)| Some((word, mark?)));
    let first = bodies.next();
    if let (Some((one, mark)), Some((other, again))) = (first, bodies.next()) {
        let message = format!("a request has either `{one}` or `{other}`, not both");
        cx.say(Diagnostic::error("not-both", again, message).related(mark, format!("`{one}` is here")));
    }
    let methods = [&request.post, &request.put, &request.patch, &request.delete, &request.options];
    let other = methods.into_iter().any(|method| !method.is_absent());
    for (method, verb) in [(&request.get, "get"), (&request.head, "head")].into_iter().filter(|_| !other) {
        if let (Some(_), Some((word, mark))) = (method.get(), first) {
            cx.say(Diagnostic::error("does-not-go", mark, format!("a `{verb}` request has no `{word}`")));
        }
    }
    super::load::positive(&request.timeout, "timeout", cx);
    if let Some(follow) = request.follow.get().filter(|follow| !(1..=20).contains(&follow.value)) {
        cx.say(Diagnostic::error("range", follow.mark, "`follow` is from 1 to 20: so many redirects at the most"));
    }
}

/// The method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Head,
    Options,
}

impl Request {
    /// Method and path; `None` where they were refused.
    pub fn target(&self) -> Option<(Method, &Spanned<Template>)> {
        let fields: [(Method, &Field<Template>); 7] = [
            (Method::Get, &self.get),
            (Method::Post, &self.post),
            (Method::Put, &self.put),
            (Method::Patch, &self.patch),
            (Method::Delete, &self.delete),
            (Method::Head, &self.head),
            (Method::Options, &self.options),
        ];
        fields.into_iter().find_map(|(method, field)| field.get().map(|path| (method, path)))
    }
}

words! {
    pub enum OnFailure("`on-failure`") {
        /// The visit ends there.
        End = "end",
        Continue = "continue",
    }
}

block! {
    /// What makes an answer ok.
    pub struct Expect("`expect`") {
        /// 201, 2xx or a list of such.
        status: optional("status") Status,
        /// Statuses of intended shedding.
        shed: optional("shed") Status,
        /// JSONPath to a value, or to { matches, at-least, at-most, exists }.
        body: optional("body") Named<Matcher, AnyKey>,
        /// Text that is in the body.
        contains: optional("contains") Contains,
        /// Headers and their values.
        headers: optional("headers") Named<Matcher, AnyKey>,
        /// Judges the response time; never cuts.
        within: optional("within") Span,
    }
    check(check_expect);
}

fn check_expect(expect: &Expect, _: Mark, cx: &mut Context<'_>) {
    check_paths(&expect.body, cx);
    super::load::positive(&expect.within, "within", cx);
}

block! {
    /// What an awaited answer looks like.
    pub struct Until("`until`") {
        /// 201, 2xx or a list of such.
        status: optional("status") Status,
        /// JSONPath to a value, or to { matches, at-least, at-most, exists }.
        body: optional("body") Named<Matcher, AnyKey>,
        /// Text that is in the body.
        contains: optional("contains") Contains,
        /// Headers and their values.
        headers: optional("headers") Named<Matcher, AnyKey>,
    }
    refused("within" => "write `within` beside `until`");
    check(check_until);
}

fn check_until(until: &Until, at: Mark, cx: &mut Context<'_>) {
    check_paths(&until.body, cx);
    let empty = until.status.is_absent() && until.body.is_absent() && until.contains.is_absent();
    if empty && until.headers.is_absent() && until.complete {
        cx.say(Diagnostic::error("empty-map", at, "`until` names nothing to wait for"));
    }
}

fn check_paths(body: &Field<Named<Matcher, AnyKey>>, cx: &mut Context<'_>) {
    let Some(body) = body.get() else { return };
    for (path, _) in &body.entries {
        if !path.value.starts_with('$') {
            let message = format!("`{}` is no JSONPath", path.value);
            cx.say(
                Diagnostic::error("json-path", path.mark, message)
                    .help(format!("a JSONPath begins with `$`: $.{}", path.value)),
            );
        }
    }
}

/// A status, or all of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusSet {
    Exactly(u16),
    /// 2 stands for 2xx.
    Class(u8),
}

/// One or several of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Status(pub List<StatusSet>);

impl Raw for StatusSet {
    fn decode(node: &Node, _: Mark, cx: &mut Context<'_>) -> Option<StatusSet> {
        let found = match node.as_scalar() {
            Some(Scalar { kind: ScalarKind::Int(status @ 100..=599), .. }) => {
                u16::try_from(*status).ok().map(StatusSet::Exactly)
            }
            Some(Scalar { kind: ScalarKind::Text, text }) => match text.as_bytes() {
                [class @ b'1'..=b'5', b'x', b'x'] => Some(StatusSet::Class(class - b'0')),
                _ => None,
            },
            _ => None,
        };
        if found.is_none() {
            let message = format!("a status is expected here, not {}", node.describe());
            cx.say(
                Diagnostic::error("status", node.mark, message)
                    .help("write a status from 100 to 599, or a class such as 2xx"),
            );
        }
        found
    }

    fn schema(_: &mut Defs) -> Value {
        json!({ "anyOf": [
            { "type": "integer", "minimum": 100, "maximum": 599 },
            { "type": "string", "pattern": "^[1-5]xx$" },
        ] })
    }
}

impl Raw for Status {
    fn decode(node: &Node, at: Mark, cx: &mut Context<'_>) -> Option<Status> {
        match &node.kind {
            Kind::List(items) if items.is_empty() => {
                cx.say(Diagnostic::error("empty-list", node.mark, "this list names no status"));
                None
            }
            Kind::List(_) => cx.decode(node, at).map(Status),
            _ => {
                let value = cx.decode(node, at)?;
                let items = vec![Spanned { value, mark: node.mark, key: at }];
                Some(Status(List { items, complete: true }))
            }
        }
    }

    fn schema(defs: &mut Defs) -> Value {
        let one = StatusSet::schema(defs);
        json!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
    }
}

/// One text or several.
#[derive(Debug, Clone, PartialEq)]
pub struct Contains(pub List<Template>);

impl Raw for Contains {
    fn decode(node: &Node, at: Mark, cx: &mut Context<'_>) -> Option<Contains> {
        match &node.kind {
            Kind::List(_) => cx.decode(node, at).map(Contains),
            _ => {
                let value = cx.decode(node, at)?;
                let items = vec![Spanned { value, mark: node.mark, key: at }];
                Some(Contains(List { items, complete: true }))
            }
        }
    }

    fn schema(defs: &mut Defs) -> Value {
        let one = Template::schema(defs);
        json!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}

/// What a value must be: a scalar or a list stands for itself, a map says more.
#[derive(Debug, Clone, PartialEq)]
pub enum Matcher {
    Equals(Tree),
    Block(MatcherBlock),
}

impl Raw for Matcher {
    fn decode(node: &Node, at: Mark, cx: &mut Context<'_>) -> Option<Matcher> {
        match &node.kind {
            Kind::Map(_) => cx.decode(node, at).map(Matcher::Block),
            _ => cx.decode(node, at).map(Matcher::Equals),
        }
    }

    fn schema(defs: &mut Defs) -> Value {
        json!({ "anyOf": [{ "not": { "type": "object" } }, MatcherBlock::schema(defs)] })
    }
}

block! {
    /// What a value must be.
    pub struct MatcherBlock("a matcher") {
        /// A regular expression that is found in it.
        matches: optional("matches") Template,
        at_least: optional("at-least") f64,
        at_most: optional("at-most") f64,
        /// Whether it is there at all.
        exists: optional("exists") bool,
    }
    check(check_matcher);
}

fn check_matcher(matcher: &MatcherBlock, at: Mark, cx: &mut Context<'_>) {
    let range = matcher.at_least.written().or(matcher.at_most.written());
    let given =
        [("matches", matcher.matches.written()), ("at-least or at-most", range), ("exists", matcher.exists.written())];
    let mut given = given.into_iter().filter_map(|(word, mark)| mark.map(|mark| (word, mark)));
    match (given.next(), given.next()) {
        (None, _) if matcher.complete => {
            let message = "a matcher says one of `matches`, `at-least`, `at-most`, `exists`";
            cx.say(Diagnostic::error("empty-map", at, message));
        }
        (Some((first, _)), Some((second, mark))) => {
            cx.say(Diagnostic::error("not-both", mark, format!("a matcher says either {first} or {second}, not both")));
        }
        _ => {}
    }
}

/// A part of an answer: a JSONPath, or a block.
#[derive(Debug, Clone, PartialEq)]
pub enum Capture {
    Json(String),
    Block(Box<CaptureBlock>),
}

impl Raw for Capture {
    fn decode(node: &Node, at: Mark, cx: &mut Context<'_>) -> Option<Capture> {
        if let Kind::Map(_) = node.kind {
            return cx.decode(node, at).map(|block| Capture::Block(Box::new(block)));
        }
        let path = text(node, "a JSONPath or a map", cx)?;
        check_path(path, node.mark, cx).then(|| Capture::Json(path.to_owned()))
    }

    fn schema(defs: &mut Defs) -> Value {
        json!({ "anyOf": [{ "type": "string", "pattern": r"^\$" }, CaptureBlock::schema(defs)] })
    }
}

fn check_path(path: &str, mark: Mark, cx: &mut Context<'_>) -> bool {
    let sound = path.starts_with('$');
    if !sound {
        let wrong = Diagnostic::error("json-path", mark, format!("`{path}` is no JSONPath"));
        cx.say(wrong.help("a JSONPath begins with `$`: $.id; a header is { header: name }"));
    }
    sound
}

block! {
    /// A part of an answer.
    pub struct CaptureBlock("a capture") {
        /// A JSONPath into the body; the first value found.
        json: optional("json") String,
        /// A header's name.
        header: optional("header") String,
        /// The name of a cookie that the answer sets.
        cookie: optional("cookie") String,
        /// A regular expression that is looked for in the body; taken is its first group, or else the whole match.
        regex: optional("regex") String,
        /// Which match of `regex`, from 0 (the default).
        index: optional("index") u64,
        /// true: never written anywhere.
        secret: optional("secret") bool,
        /// Its value is a number that is kept as a figure of this name, which targets may be about.
        figure: optional("figure") String,
    }
    one_of("json", "header", "cookie", "regex");
    check(check_capture);
}

fn check_capture(capture: &CaptureBlock, _: Mark, cx: &mut Context<'_>) {
    if let Some(path) = capture.json.get() {
        check_path(&path.value, path.mark, cx);
    }
    if let (Some(mark), Some(true)) = (capture.figure.written(), capture.secret.value().copied()) {
        cx.say(Diagnostic::error("not-both", mark, "what is never written cannot be a figure"));
    }
    if let Some(index) = capture.index.written().filter(|_| capture.regex.is_absent()) {
        cx.say(Diagnostic::error("does-not-go", index, "`index` goes with `regex`: it says which match"));
    }
    if let Some(index) = capture.index.get().filter(|index| index.value > 10_000) {
        cx.say(Diagnostic::error("range", index.mark, "`index` is from 0 to 10000"));
    }
}
