//! Is an answer what was expected?

use http::HeaderName;
use regex::Regex;
use serde_json::Value;

use super::LoadError;
use super::build::{bind, header_name};
use crate::base::template::{Bound, BoundJson, Escape, JsonPath, RenderError, Scope, Visit};
use crate::plan::{Expect, Matcher, StatusSet};
use crate::wire::Headers;

/// An expectation, compiled.
pub(super) struct Judge {
    status: Vec<StatusSet>,
    shed: Vec<StatusSet>,
    body: Vec<(String, JsonPath, Match)>,
    contains: Vec<Bound>,
    headers: Vec<(HeaderName, Match)>,
    pub within: Option<crate::base::units::Span>,
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

/// Why an answer is not as expected. Put into words only when somebody will read them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Mismatch {
    #[error("the body is no JSON: {0}")]
    NoJson(String),
    #[error("the body is longer than the {0} bytes that are looked into")]
    TooLong(usize),
    #[error("{place} is {found}, expected {expected}")]
    Value { place: String, found: String, expected: String },
    #[error("the body does not contain `{0}`")]
    Contains(String),
    #[error("what was expected could not be rendered: {0}")]
    Render(#[from] RenderError),
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
            judge.contains.push(bind(text, scope, || place.to_owned())?);
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

    /// Looks at headers and body; `json` is there when [`Judge::needs_json`].
    pub(super) fn look(
        &self,
        headers: Headers<'_>,
        body: &[u8],
        json: Option<&Value>,
        visit: &Visit<'_>,
    ) -> Result<(), Mismatch> {
        for (name, matcher) in &self.headers {
            // A header that is no text is compared as far as it is one.
            let found = headers.get(name).map(|value| String::from_utf8_lossy(value).into_owned());
            matcher.header(name, found, visit)?;
        }
        for text in &self.contains {
            let mut wanted = Vec::new();
            text.render(visit, Escape::None, &mut wanted)?;
            if !wanted.is_empty() && !body.windows(wanted.len()).any(|window| window == wanted) {
                return Err(Mismatch::Contains(String::from_utf8_lossy(&wanted).into_owned()));
            }
        }
        for (path, compiled, matcher) in &self.body {
            matcher.value(path, json.and_then(|json| compiled.first(json)), visit)?;
        }
        Ok(())
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

    fn value(&self, path: &str, found: Option<&Value>, visit: &Visit<'_>) -> Result<(), Mismatch> {
        let open;
        let holds = match self {
            Match::Exists(exists) => found.is_some() == *exists,
            Match::Equals(wanted) => found.is_some_and(|found| same(found, wanted)),
            Match::EqualsOpen(wanted) => {
                open = wanted.value(visit)?;
                return match found.is_some_and(|found| same(found, &open)) {
                    true => Ok(()),
                    false => Err(mismatch(path, found.map(Value::to_string), open.to_string())),
                };
            }
            Match::Matches(regex) => found.is_some_and(|found| match found {
                Value::String(text) => regex.is_match(text),
                other => regex.is_match(&other.to_string()),
            }),
            Match::Range { at_least, at_most } => {
                found.and_then(Value::as_f64).is_some_and(|number| within(number, *at_least, *at_most))
            }
        };
        if holds { Ok(()) } else { Err(mismatch(path, found.map(Value::to_string), self.words())) }
    }

    fn header(&self, name: &HeaderName, found: Option<String>, visit: &Visit<'_>) -> Result<(), Mismatch> {
        let equals = |wanted: &Value| match (wanted, &found) {
            (Value::String(wanted), Some(found)) => wanted == found,
            (wanted, Some(found)) => serde_json::to_string(wanted).is_ok_and(|wanted| wanted == *found),
            (_, None) => false,
        };
        let holds = match self {
            Match::Exists(exists) => found.is_some() == *exists,
            Match::Equals(wanted) => equals(wanted),
            Match::EqualsOpen(wanted) => equals(&wanted.value(visit)?),
            Match::Matches(regex) => found.as_deref().is_some_and(|found| regex.is_match(found)),
            Match::Range { at_least, at_most } => {
                let number = found.as_deref().and_then(|found| found.trim().parse().ok());
                number.is_some_and(|number| within(number, *at_least, *at_most))
            }
        };
        if holds { Ok(()) } else { Err(mismatch(&format!("the header {name}"), found, self.words())) }
    }

    fn words(&self) -> String {
        match self {
            Match::Equals(value) => value.to_string(),
            Match::EqualsOpen(_) => "another value".to_owned(),
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

fn mismatch(place: &str, found: Option<String>, expected: String) -> Mismatch {
    let found = found.unwrap_or_else(|| "not there".to_owned());
    Mismatch::Value { place: place.to_owned(), found, expected }
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
