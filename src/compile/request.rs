//! Requests: where they go, what they carry, what makes their answers ok.

use regex::Regex;
use serde_json::Value;

use super::context::Cx;
use super::journey::Walker;
use super::platform::only_endpoint;
use super::retry;
use super::text::Place;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::template::JsonPath;
use crate::base::units::{Span, Text};
use crate::plan::{
    self, Capture, CaptureFrom, EndpointId, Expect, Matcher, Method, OnFailure, Poll, Request, StatusSet, StepId,
};
use crate::scenario::{self, AnyKey, Field, Named, Reached, Spanned, Tree};

/// Cuts a request that says nothing else.
pub(super) const TIMEOUT: Span = Span::seconds(30);

type Named2 = Vec<(String, plan::Template)>;

/// Says that `name` cannot be the name of a header, or is one that the harness sets itself.
pub(super) fn check_header(name: &str, mark: Mark, cx: &mut Cx<'_>) {
    const OWN: [&str; 4] = ["connection", "content-length", "transfer-encoding", "upgrade"];
    if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
        let message = format!("`{name}` cannot be the name of a header");
        cx.say(Diagnostic::error("header", mark, message).help("write letters, digits and `-`"));
    } else if OWN.contains(&name.to_ascii_lowercase().as_str()) {
        let message = format!("`{name}` is set by the harness itself");
        cx.say(Diagnostic::error("header", mark, message).help("leave it out"));
    }
}

/// Headers or query parameters.
pub(super) fn pairs(
    field: &Field<Named<scenario::Template, AnyKey>>,
    headers: bool,
    check: &mut dyn FnMut(&Spanned<scenario::Template>, &mut Cx<'_>) -> plan::Template,
    cx: &mut Cx<'_>,
) -> Named2 {
    let map = cx.get(field).map(|map| &map.value);
    let mut made: Named2 = Vec::new();
    for (name, value) in cx.entries(map) {
        if headers {
            check_header(&name.value, name.mark, cx);
            if made.iter().any(|(known, _)| known.eq_ignore_ascii_case(&name.value) && *known != name.value) {
                let message = format!("the header `{}` is given twice: capitals make no difference", name.value);
                cx.say(Diagnostic::error("given-twice", name.mark, message));
            }
            if value.text().contains(['\r', '\n']) {
                cx.say(Diagnostic::error("header", value.mark, "the value of a header is one line"));
            }
        }
        let value = check(value, cx);
        made.push((name.value.clone(), value));
    }
    made
}

/// What a request and an ask of a poll have in common.
struct Shared<'r> {
    name: &'r Field<String>,
    title: &'r Field<Text>,
    endpoint: &'r Field<String>,
    headers: &'r Field<Named<scenario::Template, AnyKey>>,
    query: &'r Field<Named<scenario::Template, AnyKey>>,
    timeout: &'r Field<Span>,
    expect: &'r Field<scenario::Expect>,
    on_failure: &'r Field<scenario::OnFailure>,
    capture: &'r Field<Named<scenario::Capture, Reached>>,
}

impl Walker<'_, '_> {
    pub(super) fn request(&mut self, request: &scenario::Request, cx: &mut Cx<'_>) -> Option<Request> {
        cx.broken |= !request.complete;
        let shared = Shared {
            name: &request.name,
            title: &request.title,
            endpoint: &request.endpoint,
            headers: &request.headers,
            query: &request.query,
            timeout: &request.timeout,
            expect: &request.expect,
            on_failure: &request.on_failure,
            capture: &request.capture,
        };
        let Some((method, path)) = request.target() else {
            cx.broken = true;
            self.steps.lack();
            return None;
        };
        let method = match method {
            scenario::Method::Get => Method::Get,
            scenario::Method::Post => Method::Post,
            scenario::Method::Put => Method::Put,
            scenario::Method::Patch => Method::Patch,
            scenario::Method::Delete => Method::Delete,
            scenario::Method::Head => Method::Head,
            scenario::Method::Options => Method::Options,
        };
        let within = request.expect.value().and_then(|expect| expect.within.get());
        let mut made = self.shared(&shared, method, path, within.map(|within| (within.value, within.mark)), cx);
        made.body = self.body(request, cx);
        made.follow = retry::follow(&request.follow, &made.expect, cx);
        made.decompress = cx.get(&request.decompress).map(|wanted| wanted.value);
        made.retry = retry::retry(&request.retry, &made.expect, cx);
        self.captures(&shared, &mut made, cx);
        Some(made)
    }

    pub(super) fn poll(&mut self, step: &scenario::PollStep, cx: &mut Cx<'_>) -> Option<Poll> {
        cx.broken |= !step.complete;
        let shared = Shared {
            name: &step.name,
            title: &step.title,
            endpoint: &step.endpoint,
            headers: &step.headers,
            query: &step.query,
            timeout: &step.timeout,
            expect: &step.expect,
            on_failure: &step.on_failure,
            capture: &step.capture,
        };
        let poll = cx.need(&step.poll)?;
        cx.broken |= !poll.complete;
        let Some(path) = cx.need(&poll.get) else {
            self.steps.lack();
            return None;
        };
        let within = cx.need(&poll.within);
        if let (Some(expect), Some(_)) = (step.expect.value(), within)
            && let Some(mark) = expect.within.written()
        {
            let message = "a poll has its `within` beside `until`: a second one here would judge nothing";
            cx.say(Diagnostic::error("wrong-word", mark, message));
        }
        let bound = within.map(|within| (within.value, within.mark));
        let mut request = self.shared(&shared, Method::Get, path, bound, cx);
        let until = cx.need(&poll.until).map(|until| self.until(&until.value, cx));
        self.captures(&shared, &mut request, cx);
        let (every, within) = (cx.need(&poll.every)?.value, within?.value);
        if every >= within
            && let Some(every) = poll.every.get()
        {
            let message = "`every` is not shorter than `within`: it would be asked once";
            cx.say(Diagnostic::error("range", every.mark, message));
        }
        Some(Poll { request, every, until: until?, within })
    }

    fn shared(
        &mut self,
        shared: &Shared<'_>,
        method: Method,
        path: &Spanned<scenario::Template>,
        within: Option<(Span, Mark)>,
        cx: &mut Cx<'_>,
    ) -> Request {
        check_target(path.text(), path.mark, cx);
        let (name, mark) = match cx.get(shared.name) {
            Some(name) => (name.value.clone(), name.mark),
            None => {
                // One of an unknown name may be the one that something else means.
                if shared.name.is_hole() {
                    self.steps.lack();
                }
                (format!("{method} {}", path.text()), path.mark)
            }
        };
        let title = cx.get(shared.title).map(|title| title.value.clone()).unwrap_or_default();
        let step = self.steps.register(&name, mark, title, within, cx);
        let endpoint = match (cx.get(shared.endpoint), self.endpoint) {
            (Some(endpoint), _) => self.endpoints.find(endpoint, cx),
            (None, Some(endpoint)) => Some(endpoint),
            (None, None) if shared.endpoint.is_hole() || self.endpoint_lost => None,
            (None, None) => {
                let only = only_endpoint(self.endpoints, path.key, "this step", cx);
                // Said once for all steps of a journey: it may have been meant for the whole.
                self.endpoint_lost |= only.is_none();
                only
            }
        };
        let endpoint = endpoint.unwrap_or(0);
        self.note_made(step, Some(endpoint));
        let kept = self.text(path.text(), path.mark, cx);
        let query = self.pairs(shared.query, false, cx);
        let headers = self.pairs(shared.headers, true, cx);
        let timeout = match cx.get(shared.timeout) {
            Some(timeout) => {
                cx.note(format!("steps.{name}.timeout"), &timeout.value, timeout.mark);
                timeout.value
            }
            None => TIMEOUT,
        };
        if self.place == Place::Visit {
            self.longest_timeout = self.longest_timeout.max(timeout);
        }
        let expect = match cx.get(shared.expect) {
            Some(expect) => self.expect(&expect.value, cx),
            None => Expect::default(),
        };
        let on_failure = match cx.get(shared.on_failure).map(|word| word.value) {
            None | Some(scenario::OnFailure::End) => OnFailure::End,
            Some(scenario::OnFailure::Continue) => OnFailure::Continue,
        };
        Request {
            step: StepId::at(step),
            endpoint: EndpointId::at(endpoint),
            method,
            path: kept,
            query,
            headers,
            body: None,
            timeout,
            expect,
            on_failure,
            captures: Vec::new(),
            retry: None,
            follow: None,
            decompress: None,
        }
    }

    pub(super) fn pairs(
        &mut self,
        field: &Field<Named<scenario::Template, AnyKey>>,
        headers: bool,
        cx: &mut Cx<'_>,
    ) -> Named2 {
        pairs(field, headers, &mut |text, cx| self.text(text.text(), text.mark, cx), cx)
    }

    /// A tree as JSON, its texts checked as templates.
    pub(super) fn json(&mut self, tree: &Tree, cx: &mut Cx<'_>) -> Option<Value> {
        for text in tree.texts() {
            self.text(text.value, text.mark, cx);
        }
        let json = tree.to_json();
        cx.broken |= json.is_none();
        json
    }

    fn expect(&mut self, expect: &scenario::Expect, cx: &mut Cx<'_>) -> Expect {
        cx.broken |= !expect.complete;
        let status = self.status(&expect.status, cx);
        let shed = self.status(&expect.shed, cx);
        if let Some(written) = expect.shed.get() {
            self.sheds.get_or_insert(written.key);
            if let Some(twice) = written.0.iter().find(|one| status.contains(&convert(one.value))) {
                let message = "this status is expected and shed at once";
                let also = expect.status.written().unwrap_or(twice.mark);
                cx.say(Diagnostic::error("given-twice", twice.mark, message).related(also, "expected here"));
            }
        }
        Expect {
            status,
            shed,
            body: self.matchers(&expect.body, false, cx),
            contains: self.contains(&expect.contains, cx),
            headers: self.matchers(&expect.headers, true, cx),
            within: cx.get(&expect.within).map(|within| within.value),
        }
    }

    fn until(&mut self, until: &scenario::Until, cx: &mut Cx<'_>) -> Expect {
        cx.broken |= !until.complete;
        Expect {
            status: self.status(&until.status, cx),
            shed: Vec::new(),
            body: self.matchers(&until.body, false, cx),
            contains: self.contains(&until.contains, cx),
            headers: self.matchers(&until.headers, true, cx),
            within: None,
        }
    }

    fn status(&mut self, field: &Field<scenario::Status>, cx: &mut Cx<'_>) -> Vec<StatusSet> {
        let Some(status) = cx.get(field) else { return Vec::new() };
        cx.items(&status.value.0).iter().map(|one| convert(one.value)).collect()
    }

    fn contains(&mut self, field: &Field<scenario::Contains>, cx: &mut Cx<'_>) -> Vec<plan::Template> {
        let Some(contains) = cx.get(field) else { return Vec::new() };
        cx.items(&contains.value.0).iter().map(|text| self.text(text.text(), text.mark, cx)).collect()
    }

    fn matchers(
        &mut self,
        field: &Field<Named<scenario::Matcher, AnyKey>>,
        headers: bool,
        cx: &mut Cx<'_>,
    ) -> Vec<(String, Matcher)> {
        let map = cx.get(field).map(|map| &map.value);
        let mut made = Vec::new();
        for (name, matcher) in cx.entries(map) {
            if headers {
                if http::HeaderName::from_bytes(name.value.as_bytes()).is_err() {
                    let message = format!("`{}` cannot be the name of a header", name.value);
                    cx.say(Diagnostic::error("header", name.mark, message).help("write letters, digits and `-`"));
                }
            } else {
                check_json_path(&name.value, name.mark, cx);
            }
            if let Some(matcher) = self.matcher(&matcher.value, cx) {
                made.push((name.value.clone(), matcher));
            }
        }
        made
    }

    fn matcher(&mut self, matcher: &scenario::Matcher, cx: &mut Cx<'_>) -> Option<Matcher> {
        let block = match matcher {
            scenario::Matcher::Equals(tree) => return self.json(tree, cx).map(Matcher::Equals),
            scenario::Matcher::Block(block) => block,
        };
        cx.broken |= !block.complete;
        if let Some(pattern) = cx.get(&block.matches) {
            let text = pattern.text();
            return check_regex(text, pattern.mark, cx).then(|| Matcher::Matches(text.to_owned()));
        }
        if let Some(exists) = cx.get(&block.exists) {
            return Some(Matcher::Exists(exists.value));
        }
        let at_least = cx.get(&block.at_least).map(|bound| bound.value);
        let at_most = cx.get(&block.at_most).map(|bound| bound.value);
        if let (Some(low), Some(high), Some(bound)) = (at_least, at_most, block.at_most.get())
            && low > high
        {
            cx.say(Diagnostic::error("range", bound.mark, "`at-most` lies below `at-least`"));
        }
        if at_least.is_none() && at_most.is_none() {
            cx.broken = true;
            return None;
        }
        Some(Matcher::Range { at_least, at_most })
    }

    fn captures(&mut self, shared: &Shared<'_>, request: &mut Request, cx: &mut Cx<'_>) {
        let map = cx.get(shared.capture).map(|map| &map.value);
        if let Some(map) = map {
            // Refused ones are made as well, as far as texts that use them are concerned.
            for (name, _) in map.entries.iter().filter(|(_, capture)| capture.is_none()) {
                self.own.sure.insert(name.value.clone(), name.mark);
                self.captured.push((name.value.clone(), name.mark));
            }
        }
        for (name, capture) in cx.entries(map) {
            let secret = match &capture.value {
                scenario::Capture::Json(_) => false,
                scenario::Capture::Block(block) => cx.get(&block.secret).is_some_and(|secret| secret.value),
            };
            let figure = match &capture.value {
                scenario::Capture::Json(_) => None,
                scenario::Capture::Block(block) => cx.get(&block.figure).map(|name| self.figure(name, cx)),
            };
            let from = match &capture.value {
                scenario::Capture::Json(path) => {
                    check_json_path(path, capture.mark, cx);
                    Some(CaptureFrom::Json(path.clone()))
                }
                scenario::Capture::Block(block) => capture_from(block, cx),
            };
            self.make(name, cx);
            self.captured.push((name.value.clone(), name.mark));
            if request.on_failure == OnFailure::Continue {
                self.own.sure.remove(&name.value);
                let why = "its step may fail, and the visit goes on (`on-failure: continue`)";
                self.own.maybe.insert(name.value.clone(), (name.mark, why));
            }
            match from {
                Some(from) => request.captures.push(Capture { name: name.value.clone(), from, secret, figure }),
                None => cx.broken = true,
            }
        }
    }
}

impl Walker<'_, '_> {
    fn figure(&mut self, name: &Spanned<String>, cx: &mut Cx<'_>) -> plan::FigureId {
        if self.place != Place::Visit {
            let message = "a figure is kept of what visits capture: there is none before and after the load";
            cx.say(Diagnostic::error("does-not-go", name.mark, message));
        }
        self.steps.figure(name)
    }
}

fn capture_from(block: &scenario::CaptureBlock, cx: &mut Cx<'_>) -> Option<CaptureFrom> {
    cx.broken |= !block.complete;
    if let Some(path) = cx.get(&block.json) {
        check_json_path(&path.value, path.mark, cx);
        return Some(CaptureFrom::Json(path.value.clone()));
    }
    for (field, what) in [(&block.header, "header"), (&block.cookie, "cookie")] {
        let Some(name) = cx.get(field) else { continue };
        // Both are tokens (RFC 9110, 5.6.2; RFC 6265, 4.1.1).
        if http::HeaderName::from_bytes(name.value.as_bytes()).is_err() {
            let message = format!("`{}` cannot be the name of a {what}", name.value);
            cx.say(Diagnostic::error("header", name.mark, message));
        }
        let name = name.value.clone();
        return Some(if what == "header" { CaptureFrom::Header(name) } else { CaptureFrom::Cookie(name) });
    }
    let pattern = cx.get(&block.regex)?;
    let index = cx.get(&block.index).map_or(0, |index| index.value);
    let sound = check_regex(&pattern.value, pattern.mark, cx);
    sound
        .then(|| CaptureFrom::Regex { pattern: pattern.value.clone(), index: u32::try_from(index).unwrap_or(u32::MAX) })
}

/// Says why a text is no regular expression.
fn check_regex(text: &str, mark: Mark, cx: &mut Cx<'_>) -> bool {
    let Err(error) = Regex::new(text) else { return true };
    let said = error.to_string();
    let reason = said.lines().last().unwrap_or("").trim_start_matches("error: ");
    let message = format!("`{text}` is no regular expression: {reason}");
    cx.say(Diagnostic::error("regex", mark, message));
    false
}

pub(super) fn convert(status: scenario::StatusSet) -> StatusSet {
    match status {
        scenario::StatusSet::Exactly(status) => StatusSet::Exactly(status),
        scenario::StatusSet::Class(class) => StatusSet::Class(class),
    }
}

/// What has no `$` was refused already.
fn check_json_path(path: &str, mark: Mark, cx: &mut Cx<'_>) {
    if !path.starts_with('$') {
        return;
    }
    if let Err(error) = JsonPath::parse(path) {
        let at = error.position.min(path.len());
        let at = if at > 0 && path.is_char_boundary(at) && at < path.len() {
            cx.inside(mark, path, at..path.len())
        } else {
            mark
        };
        cx.say(Diagnostic::error("json-path", at, format!("`{path}` is no JSONPath: {}", error.message)));
    }
}

/// The text of a path that a step asks for.
fn check_target(path: &str, mark: Mark, cx: &mut Cx<'_>) {
    let path = path.trim();
    if path.starts_with("http://") || path.starts_with("https://") {
        let message = "a step names a path; where it goes is its endpoint's affair";
        let help = "name the host under `platform.endpoints`, and write the path here";
        cx.say(Diagnostic::error("path", mark, message).help(help));
    } else if !path.starts_with('/') && !path.starts_with("{{") && !path.starts_with("{%") {
        let message = format!("`{path}` is no path: it does not begin with `/`");
        cx.say(Diagnostic::error("path", mark, message).help(format!("write `/{path}`")));
    } else if outside_tags(path).any(char::is_whitespace) {
        let message = "a path has no white space in it";
        cx.say(Diagnostic::error("path", mark, message).help("write %20 for a space"));
    } else if outside_tags(path).any(|c| c == '#') {
        cx.say(Diagnostic::error("path", mark, "what follows `#` is never sent to a server"));
    }
}

/// The characters of a text that stand outside of `{{ }}`, `{% %}` and `{# #}`.
fn outside_tags(text: &str) -> impl Iterator<Item = char> + '_ {
    let mut inside = false;
    let mut chars = text.chars().peekable();
    std::iter::from_fn(move || {
        loop {
            let c = chars.next()?;
            let next = chars.peek().copied();
            match (inside, c, next) {
                (false, '{', Some('{' | '%' | '#')) => inside = true,
                (true, '}' | '%' | '#', Some('}')) => {
                    chars.next();
                    inside = false;
                }
                (true, ..) => {}
                (false, c, _) => return Some(c),
            }
        }
    })
}
