use std::fmt;

use serde::{Deserialize, Serialize};

use super::{EndpointId, FigureId, StepId, Template};
use crate::base::units::{Share, Span, Text};

/// A name that figures are kept under: of requests, or of groups of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub name: String,
    pub title: Text,
    /// It is a group of steps, whose figures are of the whole of it. It is no request, and counts in no sum of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub group: bool,
    /// The step's `within`: its patience, and the bound of a down window in which nothing completed.
    pub within: Option<Span>,
    /// Response bounds that steady states and aborts put on this step, in µs order: cells note who counts against them.
    pub bounds: Vec<Span>,
}

/// What one visitor does. A visit ends at the first failed step that does not say `on-failure: continue`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Journey {
    pub name: String,
    pub title: Text,
    /// Whether a visit keeps a cookie jar.
    pub cookies: bool,
    pub actions: Vec<Action>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    Request(Box<Request>),
    /// Names and values, each seeing those before it.
    Let(Vec<(String, Template)>),
    Think(Think),
    Repeat(Repeat),
    Poll(Box<Poll>),
    /// One of them, drawn by weight; never empty.
    Choose(Vec<Branch>),
    If {
        test: Template,
        then: Vec<Action>,
        otherwise: Vec<Action>,
    },
    Group(Group),
    Rendezvous(Rendezvous),
}

/// Steps with figures of their own as one. Its time is that of its steps without think times, from the planned instant of
/// its first request to the end of its last one; it is as good as the worst of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    pub step: StepId,
    pub actions: Vec<Action>,
}

/// Users of one closed load wait until `count` of them are here, each for `within` at the most; then they go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendezvous {
    pub name: String,
    /// At least 2.
    pub count: u64,
    pub within: Span,
}

/// One way of several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Branch {
    /// Over zero.
    pub weight: f64,
    pub actions: Vec<Action>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    pub step: StepId,
    pub endpoint: EndpointId,
    pub method: Method,
    /// Path and query, beginning with `/`.
    pub path: Template,
    pub query: Vec<(String, Template)>,
    pub headers: Vec<(String, Template)>,
    pub body: Option<Body>,
    /// Cuts the request.
    pub timeout: Span,
    pub expect: Expect,
    pub on_failure: OnFailure,
    pub captures: Vec<Capture>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// So many redirects are followed at most; none: a redirect is an answer like any other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follow: Option<u32>,
    /// Whether its answer is asked for compressed, and decompressed; none: as its endpoint says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decompress: Option<bool>,
}

/// When a request is tried again. All its tries are one request with one outcome, its last try's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// How many further tries there are at most.
    pub times: u32,
    pub on: Vec<RetryOn>,
    /// How long is waited before the first further try; twice as long before each next one.
    pub backoff: Span,
    /// No wait is longer.
    pub up_to: Span,
    /// The part of each wait that chance may take away.
    pub jitter: Share,
    /// Waits for as long as the answer's `Retry-After` says, where that is longer.
    pub retry_after: bool,
}

/// What a request is tried again on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetryOn {
    Status(StatusSet),
    /// No connection could be made.
    Connect,
    /// The connection broke before the answer was whole.
    Broken,
    Timeout,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Head,
    Options,
}

impl Method {
    pub const ALL: [Method; 7] =
        [Method::Get, Method::Post, Method::Put, Method::Patch, Method::Delete, Method::Head, Method::Options];

    /// The method of that name, in capitals.
    pub fn of(name: &str) -> Option<Method> {
        Method::ALL.into_iter().find(|method| method.to_string() == name)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Head => "HEAD",
            Method::Options => "OPTIONS",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// Every string in it is a template; one that is exactly `{{ … }}` keeps the type of its value.
    Json(serde_json::Value),
    Text(Template),
    /// Fields of application/x-www-form-urlencoded.
    Form(Vec<(String, Template)>),
    /// All of a file.
    File {
        file: FileBody,
        content_type: Option<String>,
    },
    /// Parts of multipart/form-data.
    Multipart(Vec<Part>),
}

/// A file beside the scenario, as named there; kept by hash, so that a plan cannot be run with another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileBody {
    pub file: String,
    pub sha256: String,
    /// How long it is.
    pub bytes: u64,
}

/// A part of a multipart body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    pub name: String,
    pub content: PartContent,
    pub content_type: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartContent {
    Text(Template),
    File { file: FileBody, filename: String },
}

/// What makes an answer ok. `within` judges and never cuts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Expect {
    /// Empty: 2xx.
    pub status: Vec<StatusSet>,
    /// Statuses of intended shedding.
    pub shed: Vec<StatusSet>,
    /// JSONPath and what its value must be.
    pub body: Vec<(String, Matcher)>,
    pub contains: Vec<Template>,
    pub headers: Vec<(String, Matcher)>,
    pub within: Option<Span>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StatusSet {
    Exactly(u16),
    /// 2 stands for 2xx.
    Class(u8),
}

impl StatusSet {
    pub const fn holds(self, status: u16) -> bool {
        match self {
            StatusSet::Exactly(exact) => status == exact,
            StatusSet::Class(class) => status / 100 == class as u16,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Matcher {
    /// Strings in it are templates.
    Equals(serde_json::Value),
    /// A regular expression that must be found in the text.
    Matches(String),
    Range {
        at_least: Option<f64>,
        at_most: Option<f64>,
    },
    Exists(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    End,
    Continue,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Capture {
    pub name: String,
    pub from: CaptureFrom,
    /// Never written anywhere.
    pub secret: bool,
    /// Its value, a number, is counted in this figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figure: Option<FigureId>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaptureFrom {
    /// A JSONPath into the body; the first value found.
    Json(String),
    Header(String),
    /// A cookie that the answer sets.
    Cookie(String),
    /// The match of that number, from 0: its first group, or else the whole of it.
    Regex {
        pattern: String,
        index: u32,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Think {
    Fixed(Span),
    Uniform { from: Span, to: Span },
    Exponential { mean: Span },
    Lognormal { median: Span, sigma: f64 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Repeat {
    pub turns: Turns,
    pub actions: Vec<Action>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Turns {
    Times(u32),
    /// Asked before each turn; a visit ends as failed after a thousand turns.
    While(Template),
}

/// One request asked again `every` until `until` holds: one outcome, whose response runs from the first ask to the
/// answer that held; bad when that did not come `within`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Poll {
    pub request: Request,
    pub every: Span,
    /// What the awaited answer looks like (its `within` is unused); other good answers mean "not yet".
    pub until: Expect,
    pub within: Span,
}

/// Numbers that answers tell, such as a place in a queue: a distribution of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedFigure {
    pub name: String,
}

/// Rows of data for visits, made `feed.NAME` or `feed.NAME.column` in templates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Feed {
    pub name: String,
    pub data: FeedData,
    pub pick: Pick,
    /// Columns that are never written anywhere.
    pub secret: Vec<String>,
    /// How many rows there are.
    pub rows: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeedData {
    /// Both ends are in it.
    Range {
        from: i64,
        to: i64,
    },
    List(Vec<serde_json::Value>),
    /// Maps of these names, captured in `prepare`.
    Made(Vec<String>),
    /// A file beside the scenario, as named there; its rows are kept by hash, so that a plan cannot be run with others.
    Csv {
        file: String,
        sha256: String,
    },
    Json {
        file: String,
        sha256: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pick {
    InOrder,
    Random,
    Unique,
    Zipf { exponent: f64 },
}
