//! Plan → programs, once for each worker.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::LoadError;
use super::judge::Judge;
use super::program::{Again, Ask, Catch, CatchFrom, Content, Draw, Op, Program, Rest, RestTurns, Target, Turns};
use super::request::{Scratch, encode, outgoing, write_header};
use crate::base::rng::{Exponential, Key, Lognormal};
use crate::base::template::{Bound, BoundJson, JsonPath, NoRows, RenderError, Scope, Template, Visit};
use crate::plan::{self, Action, Body, CaptureFrom, Method, OnFailure, Plan, Poll, Repeat, Request, StepId, Think};
use crate::wire::{Door, Origin, Outgoing};

/// An endpoint with its names settled.
pub(super) struct Place {
    pub origin: Origin,
    headers: Vec<(HeaderName, Text)>,
}

enum Text {
    Fixed(HeaderValue),
    Open(plan::Template),
}

/// How much of a body is read where a step looks into it; longer ones fail the step.
pub(super) const LONGEST_BODY: usize = 4 << 20;
/// How much of any other body is kept, for the record of failures.
pub(super) const SHOWN_BODY: usize = 2048;

/// The endpoints' addresses and standing headers.
pub(super) fn places(plan: &Plan, scope: &mut Scope, door: &Door) -> Result<Vec<Place>, LoadError> {
    let mut places = Vec::new();
    for endpoint in &plan.platform.endpoints {
        let place = || format!("endpoint `{}`", endpoint.name);
        let url = bind(&endpoint.url, scope, place)?;
        let url = url.constant().ok_or_else(|| LoadError::Text {
            place: place(),
            why: "its address must be known before the load begins".to_owned(),
        })?;
        let origin = door
            .origin(&url, &endpoint.tls)
            .map_err(|source| LoadError::Endpoint { endpoint: endpoint.name.clone(), source })?;
        let mut headers = vec![
            (header::HOST, Text::Fixed(origin.authority().clone())),
            (
                header::USER_AGENT,
                Text::Fixed(HeaderValue::from_static(concat!("peakdrill/", env!("CARGO_PKG_VERSION")))),
            ),
        ];
        let mark = plan.platform.mark.iter().map(|mark| (&mark.header, &mark.value));
        for (name, value) in mark.chain(endpoint.headers.iter().map(|(name, value)| (name, value))) {
            headers.push((header_name(name, place)?, Text::Open(value.clone())));
        }
        places.push(Place { origin, headers });
    }
    Ok(places)
}

/// Compiles one journey. `sites` numbers the think times over all journeys.
pub(super) fn program(
    name: &str,
    cookies: bool,
    actions: &[Action],
    places: &[Place],
    scope: &mut Scope,
    sites: &mut u32,
) -> Result<Program, LoadError> {
    let mut builder =
        Builder { name, places, scope, sites, ops: Vec::new(), steps: Vec::new(), counters: 0, loops: Vec::new() };
    let all = builder.actions(actions, &Rest::default())?;
    let first = builder.ops.iter().find_map(|op| match op {
        Op::Let { .. } => None,
        Op::Ask(ask) => Some(Some(ask.endpoint)),
        _ => Some(None),
    });
    Ok(Program {
        first: first.flatten(),
        ops: builder.ops,
        counters: builder.counters,
        cookies,
        steps: builder.steps,
        all,
    })
}

struct Builder<'a> {
    name: &'a str,
    places: &'a [Place],
    scope: &'a mut Scope,
    sites: &'a mut u32,
    ops: Vec<Op>,
    steps: Vec<StepId>,
    counters: usize,
    /// The turns that what is being built lies in.
    loops: Vec<usize>,
}

impl Builder<'_> {
    /// Adds `actions`; `after` is what comes when they are done. Gives everything that lies before whoever comes to
    /// them: which of two branches is taken nobody knows, so both count, and a `while` counts one turn.
    fn actions(&mut self, actions: &[Action], after: &Rest) -> Result<Rest, LoadError> {
        // Each action needs to know what comes after it, and numbers are given from the front: two passes.
        let counted = self.count(actions, self.steps.len());
        let mut next = self.steps.len();
        for (at, action) in actions.iter().enumerate() {
            let here = self.count(std::slice::from_ref(action), next).1;
            let mut later = Rest { after: self.count(&actions[at + 1..], here).0, turns: after.turns.clone() };
            later.after.extend_from_slice(&after.after);
            self.action(action, later)?;
            next = here;
        }
        let mut all = Rest { after: counted.0, turns: after.turns.clone() };
        all.after.extend_from_slice(&after.after);
        Ok(all)
    }

    /// The requests in `actions` by number from `next` on, with their times, and the number after the last.
    fn count(&self, actions: &[Action], mut next: usize) -> (Vec<(usize, u64)>, usize) {
        let mut found = Vec::new();
        for action in actions {
            match action {
                Action::Request(_) | Action::Poll(_) => {
                    found.push((next, 1));
                    next += 1;
                }
                Action::Let(_) | Action::Think(_) => {}
                Action::Repeat(repeat) => {
                    let times = match repeat.turns {
                        plan::Turns::Times(times) => u64::from(times),
                        plan::Turns::While(_) => 1,
                    };
                    let (inner, end) = self.count(&repeat.actions, next);
                    found.extend(inner.into_iter().map(|(ask, each)| (ask, each * times)));
                    next = end;
                }
                Action::If { then, otherwise, .. } => {
                    for branch in [then, otherwise] {
                        let (inner, end) = self.count(branch, next);
                        found.extend(inner);
                        next = end;
                    }
                }
            }
        }
        (found, next)
    }

    fn action(&mut self, action: &Action, later: Rest) -> Result<(), LoadError> {
        match action {
            Action::Request(request) => {
                let ask = self.ask(request, later)?;
                self.ops.push(Op::Ask(Box::new(ask)));
            }
            Action::Poll(poll) => {
                let ask = self.poll(poll, later)?;
                self.ops.push(Op::Ask(Box::new(ask)));
            }
            Action::Let(names) => {
                for (name, value) in names {
                    let value = self.bind(value, || format!("let `{name}`"))?;
                    let slot = self.scope.slot(name);
                    self.ops.push(Op::Let { slot, value });
                }
            }
            Action::Think(think) => {
                let draw = self.think(think)?;
                self.ops.push(Op::Think { site: *self.sites, draw, rest: later });
                *self.sites += 1;
            }
            Action::Repeat(repeat) => self.repeat(repeat, later)?,
            Action::If { test, then, otherwise } => {
                let test = self.bind(test, || "if".to_owned())?;
                let branch = self.ops.len();
                self.ops.push(Op::Unless { test, to: 0 });
                self.actions(then, &later)?;
                let jump = self.ops.len();
                self.ops.push(Op::Jump(0));
                self.actions(otherwise, &later)?;
                let end = self.ops.len();
                if let Some(Op::Unless { to, .. }) = self.ops.get_mut(branch) {
                    *to = jump + 1;
                }
                if let Some(Op::Jump(to)) = self.ops.get_mut(jump) {
                    *to = end;
                }
            }
        }
        Ok(())
    }

    fn repeat(&mut self, repeat: &Repeat, mut later: Rest) -> Result<(), LoadError> {
        let counter = self.counters;
        self.counters += 1;
        let (turns, times) = match &repeat.turns {
            plan::Turns::Times(times) => (Turns::Times(*times), Some(*times)),
            plan::Turns::While(test) => (Turns::While(self.bind(test, || "while".to_owned())?), None),
        };
        self.ops.push(Op::Enter { counter });
        let head = self.ops.len();
        let outer = self.loops.last().copied();
        self.ops.push(Op::Turn { counter, outer, turns, exit: 0 });
        let each = self.count(&repeat.actions, self.steps.len()).0;
        later.turns.push(RestTurns { counter, times, each });
        self.loops.push(counter);
        self.actions(&repeat.actions, &later)?;
        self.loops.pop();
        self.ops.push(Op::Again { head });
        let end = self.ops.len();
        if let Some(Op::Turn { exit, .. }) = self.ops.get_mut(head) {
            *exit = end;
        }
        Ok(())
    }

    fn think(&self, think: &Think) -> Result<Draw, LoadError> {
        let wrong = || LoadError::Text {
            place: format!("journey `{}`: think", self.name),
            why: "this distribution has no values; its mean or median must be over zero".to_owned(),
        };
        Ok(match think {
            Think::Fixed(span) => Draw::Fixed(*span),
            Think::Uniform { from, to } => Draw::Uniform(*from, *to),
            Think::Exponential { mean } => {
                Draw::Exponential(Exponential::new(mean.as_seconds_f64()).ok_or_else(wrong)?)
            }
            Think::Lognormal { median, sigma } => {
                Draw::Lognormal(Lognormal::new(median.as_seconds_f64(), *sigma).ok_or_else(wrong)?)
            }
        })
    }

    fn poll(&mut self, poll: &Poll, later: Rest) -> Result<Ask, LoadError> {
        let mut ask = self.ask(&poll.request, later)?;
        let until = self.judge(&poll.until)?;
        if until.needs_body() {
            ask.keep = LONGEST_BODY;
        }
        ask.json |= until.needs_json();
        ask.poll = Some(Again { every: poll.every, until, within: poll.within });
        Ok(ask)
    }

    fn judge(&mut self, expect: &plan::Expect) -> Result<Judge, LoadError> {
        let place = format!("journey `{}`: expect", self.name);
        Judge::new(expect, self.scope, &place)
    }

    fn ask(&mut self, request: &Request, rest: Rest) -> Result<Ask, LoadError> {
        let name = self.name;
        let place = || format!("journey `{name}`: {} {}", request.method, request.path.0);
        let index = self.steps.len();
        self.steps.push(request.step);
        let at = self
            .places
            .get(request.endpoint.index())
            .ok_or_else(|| LoadError::Text { place: place(), why: "its endpoint is not in the plan".to_owned() })?;
        let target = self.target(request, at.origin.base(), place)?;
        let (mut fixed, mut open) = (HeaderMap::new(), Vec::new());
        if matches!(request.body, Some(Body::Json(_))) {
            fixed.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        for (name, text) in &at.headers {
            match text {
                Text::Fixed(value) => drop(fixed.insert(name, value.clone())),
                Text::Open(value) => self.header(name.clone(), value, &mut fixed, &mut open, place)?,
            }
        }
        for (name, value) in &request.headers {
            self.header(header_name(name, place)?, value, &mut fixed, &mut open, place)?;
        }
        let body = match &request.body {
            None => Content::None,
            Some(Body::Text(text)) => {
                let bound = self.bind(text, place)?;
                bound.constant().map_or(Content::Text(bound), |text| Content::Fixed(text.into_bytes().into()))
            }
            Some(Body::Json(document)) => {
                let bound = BoundJson::bind(document, self.scope)
                    .map_err(|source| LoadError::Template { place: place(), source })?;
                match bound.constant() {
                    Some(bytes) => Content::Fixed(bytes.to_vec().into()),
                    None => Content::Json(bound),
                }
            }
        };
        let judge = self.judge(&request.expect)?;
        let mut captures = Vec::new();
        for capture in &request.captures {
            let from = match &capture.from {
                CaptureFrom::Header(name) => CatchFrom::Header(header_name(name, place)?),
                CaptureFrom::Json(path) => CatchFrom::Json(
                    JsonPath::parse(path)
                        .map_err(|error| LoadError::Text { place: place(), why: error.to_string() })?,
                ),
            };
            let slot = self.scope.slot(&capture.name);
            captures.push(Catch { slot, name: capture.name.clone(), from, secret: capture.secret });
        }
        let judge_needs_body = judge.needs_body();
        let json = judge.needs_json() || captures.iter().any(|catch| matches!(catch.from, CatchFrom::Json(_)));
        let method = method(request.method);
        // Without a body, those that could have one say that there is none (RFC 9110, 8.6).
        let may = matches!(method, http::Method::POST | http::Method::PUT | http::Method::PATCH);
        let own_length = fixed.contains_key(header::CONTENT_LENGTH);
        let says_length = !own_length && (may || !matches!(body, Content::None));
        let mut lines = Vec::new();
        for (name, value) in &fixed {
            write_header(name, value.as_bytes(), &mut lines);
        }
        let mut ask = Ask {
            index,
            step: request.step,
            endpoint: request.endpoint,
            method,
            target,
            fixed: lines,
            open,
            body,
            says_length,
            whole: None,
            timeout: request.timeout,
            judge,
            captures,
            json,
            keep: if json || judge_needs_body { LONGEST_BODY } else { SHOWN_BODY },
            goes_on: request.on_failure == OnFailure::Continue,
            poll: None,
            rest,
        };
        if ask.is_constant() {
            ask.whole = constant(&ask);
        }
        Ok(ask)
    }

    fn target(
        &mut self,
        request: &Request,
        base: &str,
        place: impl Fn() -> String + Copy,
    ) -> Result<Target, LoadError> {
        let path = self.bind(&request.path, place)?;
        let mut query = Vec::new();
        for (name, value) in &request.query {
            query.push((encode(name), self.bind(value, place)?));
        }
        let target = Target::Open { base: base.to_owned(), path, query };
        match target.constant() {
            Some(text) => match text.parse::<http::Uri>() {
                Ok(_) if text.starts_with('/') => Ok(Target::Fixed(text)),
                Ok(_) => Err(LoadError::Text { place: place(), why: format!("`{text}` does not begin with /") }),
                Err(error) => Err(LoadError::Text { place: place(), why: format!("`{text}` is no path: {error}") }),
            },
            None => Ok(target),
        }
    }

    fn header(
        &mut self,
        name: HeaderName,
        value: &plan::Template,
        fixed: &mut HeaderMap,
        open: &mut Vec<(HeaderName, Bound)>,
        place: impl Fn() -> String + Copy,
    ) -> Result<(), LoadError> {
        let bound = self.bind(value, place)?;
        open.retain(|(known, _)| *known != name);
        match bound.constant() {
            Some(text) => {
                let value = HeaderValue::from_str(&text).map_err(|_| LoadError::Text {
                    place: place(),
                    why: format!("`{text}` is no value for the header `{name}`"),
                })?;
                fixed.insert(name, value);
            }
            None => {
                fixed.remove(&name);
                open.push((name, bound));
            }
        }
        Ok(())
    }

    fn bind(&mut self, template: &plan::Template, place: impl Fn() -> String) -> Result<Bound, LoadError> {
        bind(template, self.scope, || format!("journey `{}`: {}", self.name, place()))
    }
}

impl Ask {
    fn is_constant(&self) -> bool {
        let body = matches!(self.body, Content::None | Content::Fixed(_));
        body && self.open.is_empty() && matches!(self.target, Target::Fixed(_))
    }
}

/// The whole request of a step whose parts are all constant.
fn constant(ask: &Ask) -> Option<Outgoing> {
    let visit = Visit { key: Key::plan(0), run: 0, turn: 0, slots: &[], rows: &NoRows, now: &|| 0 };
    outgoing(ask, &visit, &mut Scratch::default(), None).ok()
}

impl Target {
    /// The text, when it is the same for every visit.
    fn constant(&self) -> Option<String> {
        let Target::Open { base, path, query } = self else { return None };
        let mut text = format!("{base}{}", path.constant()?);
        for (name, value) in query {
            text.push(if text.contains('?') { '&' } else { '?' });
            text.push_str(&format!("{name}={}", encode(&value.constant()?)));
        }
        Some(text)
    }
}

pub(super) fn bind(
    template: &plan::Template,
    scope: &mut Scope,
    place: impl Fn() -> String,
) -> Result<Bound, LoadError> {
    let parsed = Template::parse(&template.0)
        .map_err(|error| RenderError::Failed { expression: template.0.clone(), reason: error.message });
    let bound = parsed.and_then(|parsed| parsed.bind(scope));
    bound.map_err(|source| LoadError::Template { place: place(), source })
}

pub(super) fn header_name(name: &str, place: impl Fn() -> String) -> Result<HeaderName, LoadError> {
    name.parse().map_err(|_| LoadError::Text { place: place(), why: format!("`{name}` is no name of a header") })
}

fn method(method: Method) -> http::Method {
    match method {
        Method::Get => http::Method::GET,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Patch => http::Method::PATCH,
        Method::Delete => http::Method::DELETE,
        Method::Head => http::Method::HEAD,
        Method::Options => http::Method::OPTIONS,
    }
}
