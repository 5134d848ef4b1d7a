//! Is an answer what was expected?

use std::borrow::Cow;

use http::HeaderName;
use regex::Regex;
use serde_json::Value;

use super::LoadError;
use super::build::{LONGEST_BODY, bind, header_name};
use crate::base::template::{Bound, BoundJson, Escape, JsonPath, RenderError, Scope, Visit};
use crate::plan::{Expect, Matcher, StatusSet};
use crate::wire::Headers;

/// An expectation, compiled.
pub(super) struct Judge {
    status: Vec<StatusSet>,
    shed: Vec<StatusSet>,
    body: Vec<(String, JsonPath, Match)>,
    contains: Vec<Wanted>,
    headers: Vec<(HeaderName, Match)>,
    pub within: Option<crate::base::units::Span>,
}

/// A text that the body has to contain.
enum Wanted {
    Fixed(Vec<u8>),
    Open(Bound),
}

enum Match {
    Equals(Value),
    /// Strings in it are templates.
    EqualsOpen(BoundJson),
    Matches(Regex),
    Range {
        at_least: Option<f64>,
        at_most: Option<f64>,
    },
    Exists(bool),
}

/// What the head of an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Good,
    Shed,
    Bad,
}

/// Why an answer is not as expected, as data: which of the expectations it misses. [`Judge::explain`] has the words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mismatch {
    NoJson,
    TooLong,
    Body(usize),
    Contains(usize),
    Header(usize),
    Render(RenderError),
}

impl From<RenderError> for Mismatch {
    fn from(error: RenderError) -> Mismatch {
        Mismatch::Render(error)
    }
}

/// What is looked at: a body as JSON is there when [`Judge::needs_json`].
#[derive(Clone, Copy)]
pub(super) struct Looked<'a> {
    pub headers: Headers<'a>,
    pub body: &'a [u8],
    pub json: Option<&'a Value>,
}

impl Judge {
    pub(super) fn new(expect: &Expect, scope: &mut Scope, place: &str) -> Result<Judge, LoadError> {
        let wrong = |why: String| LoadError::Text { place: place.to_owned(), why };
        let mut judge = Judge {
            status: expect.status.clone(),
            shed: expect.shed.clone(),
            body: Vec::new(),
            contains: Vec::new(),
            headers: Vec::new(),
            within: expect.within,
        };
        for (path, matcher) in &expect.body {
            let parsed = JsonPath::parse(path).map_err(|error| wrong(format!("`{path}`: {error}")))?;
            judge.body.push((path.clone(), parsed, Match::new(matcher, scope, place)?));
        }
        for text in &expect.contains {
            let bound = bind(text, scope, || place.to_owned())?;
            let fixed = bound.constant().map(String::into_bytes);
            judge.contains.push(fixed.map_or(Wanted::Open(bound), Wanted::Fixed));
        }
        for (name, matcher) in &expect.headers {
            judge.headers.push((header_name(name, || place.to_owned())?, Match::new(matcher, scope, place)?));
        }
        Ok(judge)
    }

    /// Looks at the status alone.
    #[inline]
    pub(super) fn is_simple(&self) -> bool {
        self.body.is_empty() && self.contains.is_empty() && self.headers.is_empty()
    }

    pub(super) fn needs_body(&self) -> bool {
        !self.body.is_empty() || !self.contains.is_empty()
    }

    pub(super) fn needs_json(&self) -> bool {
        !self.body.is_empty()
    }

    #[inline]
    pub(super) fn status(&self, status: u16) -> Status {
        let holds = |sets: &[StatusSet]| sets.iter().any(|set| set.holds(status));
        if holds(&self.shed) {
            Status::Shed
        } else if holds(&self.status) || self.status.is_empty() && (200..300).contains(&status) {
            Status::Good
        } else {
            Status::Bad
        }
    }

    /// Looks at headers and body.
    pub(super) fn look(&self, looked: Looked<'_>, visit: &Visit<'_>) -> Result<(), Mismatch> {
        for (index, (name, matcher)) in self.headers.iter().enumerate() {
            if !matcher.header(header(looked, name).as_deref(), visit)? {
                return Err(Mismatch::Header(index));
            }
        }
        for (index, text) in self.contains.iter().enumerate() {
            let wanted = text.render(visit)?;
            if !wanted.is_empty() && !looked.body.windows(wanted.len()).any(|window| window == &*wanted) {
                return Err(Mismatch::Contains(index));
            }
        }
        for (index, (_, path, matcher)) in self.body.iter().enumerate() {
            if !matcher.value(looked.json.and_then(|json| path.first(json)), visit)? {
                return Err(Mismatch::Body(index));
            }
        }
        Ok(())
    }

    /// A mismatch in words, from the same answer.
    pub(super) fn explain(&self, mismatch: &Mismatch, looked: Looked<'_>, visit: &Visit<'_>) -> String {
        let says = |place: &str, found: Option<String>, matcher: &Match| {
            let found = found.unwrap_or_else(|| "not there".to_owned());
            format!("{place} is {found}, expected {}", matcher.words(visit))
        };
        let body = |index: &usize| {
            let (place, path, matcher) = self.body.get(*index)?;
            let found = looked.json.and_then(|json| path.first(json));
            Some(says(place, found.map(Value::to_string), matcher))
        };
        let named = |index: &usize| {
            let (name, matcher) = self.headers.get(*index)?;
            Some(says(&format!("the header {name}"), header(looked, name).map(Cow::into_owned), matcher))
        };
        let missing = |index: &usize| {
            let wanted = self.contains.get(*index)?.render(visit).ok()?;
            Some(format!("the body does not contain `{}`", String::from_utf8_lossy(&wanted)))
        };
        let words = match mismatch {
            Mismatch::NoJson => serde_json::from_slice::<serde::de::IgnoredAny>(looked.body)
                .err()
                .map(|error| format!("the body is no JSON: {error}")),
            Mismatch::TooLong => Some(format!("the body is longer than the {LONGEST_BODY} bytes that are looked into")),
            Mismatch::Body(index) => body(index),
            Mismatch::Contains(index) => missing(index),
            Mismatch::Header(index) => named(index),
            Mismatch::Render(error) => Some(format!("what was expected could not be rendered: {error}")),
        };
        words.unwrap_or_default()
    }

    /// `201`, `2xx or 404`.
    pub(super) fn statuses(&self) -> String {
        if self.status.is_empty() {
            return "2xx".to_owned();
        }
        let names = self.status.iter().map(|set| match set {
            StatusSet::Exactly(status) => status.to_string(),
            StatusSet::Class(class) => format!("{class}xx"),
        });
        names.collect::<Vec<_>>().join(" or ")
    }
}

impl Match {
    fn new(matcher: &Matcher, scope: &mut Scope, place: &str) -> Result<Match, LoadError> {
        let wrong = |why: String| LoadError::Text { place: place.to_owned(), why };
        Ok(match matcher {
            Matcher::Equals(value) => {
                let bound = BoundJson::bind(value, scope)
                    .map_err(|source| LoadError::Template { place: place.to_owned(), source })?;
                match bound.constant().map(serde_json::from_slice) {
                    Some(value) => Match::Equals(value.map_err(|error| wrong(error.to_string()))?),
                    None => Match::EqualsOpen(bound),
                }
            }
            Matcher::Matches(pattern) => Match::Matches(Regex::new(pattern).map_err(|error| wrong(error.to_string()))?),
            Matcher::Range { at_least, at_most } => Match::Range { at_least: *at_least, at_most: *at_most },
            Matcher::Exists(exists) => Match::Exists(*exists),
        })
    }

    fn value(&self, found: Option<&Value>, visit: &Visit<'_>) -> Result<bool, RenderError> {
        Ok(match self {
            Match::Exists(exists) => found.is_some() == *exists,
            Match::Equals(wanted) => found.is_some_and(|found| same(found, wanted)),
            Match::EqualsOpen(wanted) => {
                let wanted = wanted.value(visit)?;
                found.is_some_and(|found| same(found, &wanted))
            }
            Match::Matches(regex) => found.is_some_and(|found| match found {
                Value::String(text) => regex.is_match(text),
                other => regex.is_match(&other.to_string()),
            }),
            Match::Range { at_least, at_most } => {
                found.and_then(Value::as_f64).is_some_and(|number| within(number, *at_least, *at_most))
            }
        })
    }

    fn header(&self, found: Option<&str>, visit: &Visit<'_>) -> Result<bool, RenderError> {
        let equals = |wanted: &Value| match (wanted, found) {
            (Value::String(wanted), Some(found)) => wanted == found,
            (wanted, Some(found)) => serde_json::to_string(wanted).is_ok_and(|wanted| wanted == found),
            (_, None) => false,
        };
        Ok(match self {
            Match::Exists(exists) => found.is_some() == *exists,
            Match::Equals(wanted) => equals(wanted),
            Match::EqualsOpen(wanted) => equals(&wanted.value(visit)?),
            Match::Matches(regex) => found.is_some_and(|found| regex.is_match(found)),
            Match::Range { at_least, at_most } => {
                let number = found.and_then(|found| found.trim().parse().ok());
                number.is_some_and(|number| within(number, *at_least, *at_most))
            }
        })
    }

    fn words(&self, visit: &Visit<'_>) -> String {
        match self {
            Match::Equals(value) => value.to_string(),
            Match::EqualsOpen(wanted) => {
                wanted.value(visit).map_or_else(|_| "another value".to_owned(), |wanted| wanted.to_string())
            }
            Match::Matches(regex) => format!("something that matches `{regex}`"),
            Match::Range { at_least, at_most } => match (at_least, at_most) {
                (Some(low), Some(high)) => format!("a number from {low} to {high}"),
                (Some(low), None) => format!("a number of at least {low}"),
                (None, Some(high)) => format!("a number of at most {high}"),
                (None, None) => "a number".to_owned(),
            },
            Match::Exists(true) => "a value".to_owned(),
            Match::Exists(false) => "no value".to_owned(),
        }
    }
}

impl Wanted {
    fn render(&self, visit: &Visit<'_>) -> Result<Cow<'_, [u8]>, RenderError> {
        match self {
            Wanted::Fixed(text) => Ok(Cow::Borrowed(text)),
            Wanted::Open(bound) => {
                let mut text = Vec::new();
                bound.render(visit, Escape::None, &mut text)?;
                Ok(Cow::Owned(text))
            }
        }
    }
}

/// A header's value; one that is no text is compared as far as it is one.
fn header<'a>(looked: Looked<'a>, name: &HeaderName) -> Option<Cow<'a, str>> {
    looked.headers.get(name).map(String::from_utf8_lossy)
}

fn within(number: f64, at_least: Option<f64>, at_most: Option<f64>) -> bool {
    at_least.is_none_or(|low| number >= low) && at_most.is_none_or(|high| number <= high)
}

/// Equal as JSON means it: 17 and 17.0 are one number.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}
