//! Plan → requests, ready to be made: what is the same for every visit is put together once.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use regex::bytes::Regex;

use super::LoadError;
use super::build::{Builder, LONGEST_BODY, SHOWN_BODY, Text, header_name};
use super::files::Multipart;
use super::judge::Judge;
use super::program::{Again, Ask, Catch, CatchFrom, Content, Rest, Target};
use super::request::{Scratch, encode, outgoing, write_header};
use super::retry::Retrying;
use super::trace;
use super::unpack::ACCEPTED;
use crate::base::rng::Key;
use crate::base::template::{Bound, BoundJson, JsonPath, NoRows, Visit};
use crate::plan::{self, Body, CaptureFrom, Method, OnFailure, Poll, Request};
use crate::wire::Outgoing;

impl Builder<'_> {
    pub(super) fn poll(&mut self, poll: &Poll, later: Rest) -> Result<Ask, LoadError> {
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

    pub(super) fn ask(&mut self, request: &Request, rest: Rest) -> Result<Ask, LoadError> {
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
        let (body, content_type) = self.content(request, place)?;
        if let Some(value) = content_type {
            let value = HeaderValue::from_str(&value)
                .map_err(|_| LoadError::Text { place: place(), why: format!("`{value}` is no type of content") })?;
            fixed.insert(header::CONTENT_TYPE, value);
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
        let named = |name: &HeaderName| fixed.contains_key(name) || open.iter().any(|(known, _)| known == name);
        // One that the scenario writes itself goes before ours.
        let traceparent = at.traceparent.filter(|_| !named(&trace::NAME));
        let decompress = request.decompress.unwrap_or(at.decompress);
        if decompress && !named(&header::ACCEPT_ENCODING) {
            fixed.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED));
        }
        let judge = self.judge(&request.expect)?;
        let mut captures = Vec::new();
        for capture in &request.captures {
            let from = match &capture.from {
                CaptureFrom::Header(name) => CatchFrom::Header(header_name(name, place)?),
                CaptureFrom::Cookie(name) => CatchFrom::Cookie(name.clone()),
                CaptureFrom::Regex { pattern, index } => {
                    let regex = Regex::new(pattern)
                        .map_err(|error| LoadError::Text { place: place(), why: error.to_string() })?;
                    CatchFrom::Regex(regex, *index as usize)
                }
                CaptureFrom::Json(path) => CatchFrom::Json(
                    JsonPath::parse(path)
                        .map_err(|error| LoadError::Text { place: place(), why: error.to_string() })?,
                ),
            };
            let slot = self.scope.slot(&capture.name);
            captures.push(Catch {
                slot,
                name: capture.name.clone(),
                from,
                secret: capture.secret,
                figure: capture.figure,
            });
        }
        let reads_body = judge.needs_body() || captures.iter().any(|catch| matches!(catch.from, CatchFrom::Regex(..)));
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
            keep: if json || reads_body || decompress { LONGEST_BODY } else { SHOWN_BODY },
            goes_on: request.on_failure == OnFailure::Continue,
            poll: None,
            retry: self.retrying(request),
            follow: request.follow,
            decompress,
            traceparent,
            rest,
        };
        if ask.is_constant() {
            ask.whole = constant(&ask);
        }
        Ok(ask)
    }

    /// What it carries, and the type that goes with it.
    fn content(
        &mut self,
        request: &Request,
        place: impl Fn() -> String + Copy,
    ) -> Result<(Content, Option<String>), LoadError> {
        Ok(match &request.body {
            None => (Content::None, None),
            Some(Body::Text(text)) => {
                let bound = self.bind(text, place)?;
                (bound.constant().map_or(Content::Text(bound), |text| Content::Fixed(text.into_bytes().into())), None)
            }
            Some(Body::Form(fields)) => {
                let mut bound = Vec::new();
                for (name, value) in fields {
                    bound.push((encode(name), self.bind(value, place)?));
                }
                (Content::Form(bound), Some("application/x-www-form-urlencoded".to_owned()))
            }
            Some(Body::Json(document)) => {
                let bound = BoundJson::bind(document, self.scope)
                    .map_err(|source| LoadError::Template { place: place(), source })?;
                let content = match bound.constant() {
                    Some(bytes) => Content::Fixed(bytes.to_vec().into()),
                    None => Content::Json(bound),
                };
                (content, Some("application/json".to_owned()))
            }
            Some(Body::File { file, content_type }) => {
                let missing = || LoadError::Text { place: place(), why: format!("`{}` was not read", file.file) };
                (Content::Fixed(self.files.get(file).ok_or_else(missing)?), content_type.clone())
            }
            Some(Body::Multipart(parts)) => {
                let files = self.files;
                let parts = Multipart::new(parts, files, |text| self.bind(text, place))?;
                let kind = format!("multipart/form-data; boundary={}", parts.boundary);
                (parts.constant().map_or(Content::Multipart(parts), Content::Fixed), Some(kind))
            }
        })
    }

    fn retrying(&mut self, request: &Request) -> Option<Retrying> {
        let retry = request.retry.clone()?;
        let site = self.site();
        Some(Retrying { site, retry })
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
}

impl Ask {
    fn is_constant(&self) -> bool {
        let body = matches!(self.body, Content::None | Content::Fixed(_));
        self.traceparent.is_none() && body && self.open.is_empty() && matches!(self.target, Target::Fixed(_))
    }
}

/// The whole request of a step whose parts are all constant.
fn constant(ask: &Ask) -> Option<Outgoing> {
    let visit = Visit { key: Key::plan(0), run: 0, turn: 0, slots: &[], rows: &NoRows, now: &|| 0 };
    outgoing(ask, &visit, &mut Scratch::default(), None, None).ok()
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
