//! Journeys compiled for one worker: branches and turns become jumps, constant requests are built once.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Method};
use regex::bytes::Regex;

use super::files::Multipart;
use super::judge::Judge;
use super::replay::Logs;
use super::retry::Retrying;
use crate::base::rng::{Exponential, Key, Lognormal, Purpose, Weighted};
use crate::base::template::{Bound, BoundJson, JsonPath};
use crate::base::units::{Share, Span};
use crate::plan::{EndpointId, FigureId, Rendezvous, StepId};
use crate::wire::Outgoing;

/// One journey, as a list of operations that a visit walks.
pub(super) struct Program {
    pub ops: Vec<Op>,
    /// How many counters of turns a visit needs.
    pub counters: usize,
    pub choices: Vec<Choice>,
    pub cookies: bool,
    /// The endpoint that a visit asks before anything makes it wait.
    pub first: Option<EndpointId>,
    /// The steps of its requests and groups, by [`Ask::index`].
    pub steps: Vec<StepId>,
    /// What a visit that never begins does not reach.
    pub all: Rest,
}

pub(super) enum Op {
    Ask(Box<Ask>),
    Let {
        slot: u32,
        value: Bound,
    },
    Think {
        site: u32,
        draw: Draw,
        /// What a visit that is cut off meanwhile does not reach.
        rest: Rest,
    },
    /// Waits for other users.
    Rendezvous {
        meeting: Rendezvous,
        /// What a visit that is cut off meanwhile does not reach.
        rest: Rest,
    },
    /// Goes on at `to` unless the test holds.
    Unless {
        test: Bound,
        to: usize,
    },
    Jump(usize),
    /// Goes on at one of several places, by the choice of this number.
    Choose(usize),
    /// Begins a group of steps, by [`Ask::index`]'s count.
    Open {
        group: usize,
    },
    /// Ends the group that was begun last.
    Shut,
    /// Begins the turns of a `repeat`.
    Enter {
        counter: usize,
    },
    /// Asks at the head of each turn whether there is one.
    Turn {
        counter: usize,
        /// The counter of the turns that these turns lie in.
        outer: Option<usize>,
        turns: Turns,
        exit: usize,
    },
    /// Ends a turn.
    Again {
        head: usize,
    },
}

pub(super) enum Turns {
    Times(u32),
    While(Bound),
}

/// A request, ready to be made.
pub(super) struct Ask {
    /// Among the requests and groups of its journey.
    pub index: usize,
    pub step: StepId,
    pub endpoint: EndpointId,
    pub method: Method,
    pub target: Target,
    /// The header lines that are the same for every visit.
    pub fixed: Vec<u8>,
    pub open: Vec<(HeaderName, Bound)>,
    pub body: Content,
    /// Whether the length of the body is said by us.
    pub says_length: bool,
    /// The whole request, where it is the same for every visit.
    pub whole: Option<Outgoing>,
    pub timeout: Span,
    pub judge: Judge,
    pub captures: Vec<Catch>,
    /// Whether the answer's body is read as JSON.
    pub json: bool,
    /// How much of the answer's body is needed.
    pub keep: usize,
    pub goes_on: bool,
    pub poll: Option<Again>,
    pub retry: Option<Retrying>,
    /// How many redirects are followed at most.
    pub follow: Option<u32>,
    /// Whether it asks for a compressed answer, which is made plain.
    pub decompress: bool,
    /// Whether it tells its trace: the share of visits that is sampled.
    pub traceparent: Option<Share>,
    pub rest: Rest,
}

/// What makes a request a poll.
pub(super) struct Again {
    pub every: Span,
    pub until: Judge,
    pub within: Span,
}

pub(super) enum Target {
    Fixed(String),
    Open {
        base: String,
        path: Bound,
        query: Vec<(String, Bound)>,
    },
    /// What the log of the arrival's load says.
    Logged {
        base: String,
        logs: Logs,
    },
}

pub(super) enum Content {
    None,
    Fixed(Bytes),
    Json(BoundJson),
    Text(Bound),
    /// Names as they are written on the wire.
    Form(Vec<(String, Bound)>),
    Multipart(Multipart),
}

pub(super) struct Catch {
    pub slot: u32,
    pub name: String,
    pub from: CatchFrom,
    pub secret: bool,
    /// Its value is a number that this figure counts.
    pub figure: Option<FigureId>,
}

pub(super) enum CatchFrom {
    Json(JsonPath),
    Header(HeaderName),
    Cookie(String),
    Regex(Regex, usize),
}

/// The requests that still lay before a visit: those after it, and those of further turns.
#[derive(Debug, Clone, Default)]
pub(super) struct Rest {
    pub after: Vec<Left>,
    pub turns: Vec<RestTurns>,
}

/// A request, or a group of them, that still lay before a visit.
#[derive(Debug, Clone)]
pub(super) struct Left {
    /// [`Ask::index`].
    pub ask: usize,
    pub times: u64,
    /// Only where these choices fall on these branches.
    pub only: Vec<(usize, usize)>,
}

/// One of several branches, drawn by their weights.
pub(super) struct Choice {
    pub site: u32,
    pub weights: Weighted,
    /// The counter of the turns that it lies in.
    pub within: Option<usize>,
    /// Where each branch begins.
    pub to: Vec<usize>,
}

impl Choice {
    /// The branch that an arrival takes, in the turn that it is in.
    pub(super) fn branch(&self, key: Key, turns: &[u64]) -> usize {
        let turn = self.within.and_then(|counter| turns.get(counter)).copied().unwrap_or(0);
        self.weights.draw(&mut key.stream(Purpose::Choice(self.site), turn))
    }
}

impl Program {
    /// Whether an arrival's choices, in the turns that it is in, lead to this request.
    pub(super) fn leads_to(&self, left: &Left, key: Key, turns: &[u64]) -> bool {
        let falls = |(choice, branch): &(usize, usize)| {
            self.choices.get(*choice).is_some_and(|choice| choice.branch(key, turns) == *branch)
        };
        left.only.iter().all(falls)
    }
}

#[derive(Debug, Clone)]
pub(super) struct RestTurns {
    pub counter: usize,
    /// None: it is not known how many turns there would have been.
    pub times: Option<u32>,
    /// Of one whole turn.
    pub each: Vec<Left>,
}

/// A think time.
pub(super) enum Draw {
    Fixed(Span),
    Uniform(Span, Span),
    Exponential(Exponential),
    Lognormal(Lognormal),
}

/// Nobody thinks for longer; a distribution without end could otherwise outlast the drill.
const LONGEST_THOUGHT: Duration = Duration::from_secs(3600);

impl Draw {
    pub(super) fn span(&self, key: Key, site: u32, turn: u64) -> Span {
        let mut stream = key.stream(Purpose::Think(site), turn);
        let drawn = match self {
            Draw::Fixed(span) => *span,
            Draw::Uniform(from, to) => {
                let (low, high) = (from.as_seconds_f64(), to.as_seconds_f64());
                Span::from_seconds_f64(low + (high - low) * stream.unit())
            }
            Draw::Exponential(exponential) => Span::from_seconds_f64(exponential.draw(&mut stream)),
            Draw::Lognormal(lognormal) => Span::from_seconds_f64(lognormal.draw(&mut stream)),
        };
        drawn.min(Span::from_std(LONGEST_THOUGHT))
    }
}
