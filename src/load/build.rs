//! Plan → programs, once for each worker.

use http::header::{self, HeaderName, HeaderValue};

use super::LoadError;
use super::files::Files;
use super::program::{Choice, Draw, Left, Op, Program, Rest, RestTurns, Turns};
use crate::base::rng::{Exponential, Lognormal, Weighted};
use crate::base::template::{Bound, RenderError, Scope, Template};
use crate::base::units::Share;
use crate::plan::{self, Action, Branch, Plan, Repeat, StepId, Think};
use crate::wire::{Door, Origin};

/// An endpoint with its names settled.
pub(super) struct Place {
    pub origin: Origin,
    pub(super) headers: Vec<(HeaderName, Text)>,
    /// Whether its answers are asked for compressed.
    pub(super) decompress: bool,
    /// The share of visits whose traces are sampled, where requests tell theirs.
    pub(super) traceparent: Option<Share>,
}

pub(super) enum Text {
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
        let refuse = |source| LoadError::Endpoint { endpoint: endpoint.name.clone(), source };
        let mut origin = door.origin(&url, &endpoint.tls).map_err(refuse)?;
        origin.leave_from(&endpoint.connections.source).map_err(refuse)?;
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
        let (decompress, traceparent) = (endpoint.decompress, endpoint.traceparent);
        places.push(Place { origin, headers, decompress, traceparent });
    }
    Ok(places)
}

/// Compiles one journey. `sites` numbers the think times over all journeys.
pub(super) fn program(
    name: &str,
    cookies: bool,
    actions: &[Action],
    places: &[Place],
    files: &Files,
    scope: &mut Scope,
    sites: &mut u32,
) -> Result<Program, LoadError> {
    let mut builder = Builder {
        name,
        places,
        files,
        scope,
        sites,
        ops: Vec::new(),
        steps: Vec::new(),
        counters: 0,
        choices: Vec::new(),
        loops: Vec::new(),
    };
    let all = builder.actions(actions, &Rest::default())?;
    let first = builder.ops.iter().find_map(|op| match op {
        Op::Let { .. } | Op::Open { .. } => None,
        Op::Ask(ask) => Some(Some(ask.endpoint)),
        _ => Some(None),
    });
    Ok(Program {
        first: first.flatten(),
        ops: builder.ops,
        counters: builder.counters,
        choices: builder.choices,
        cookies,
        steps: builder.steps,
        all,
    })
}

pub(super) struct Builder<'a> {
    pub(super) name: &'a str,
    pub(super) places: &'a [Place],
    pub(super) files: &'a Files,
    pub(super) scope: &'a mut Scope,
    sites: &'a mut u32,
    ops: Vec<Op>,
    pub(super) steps: Vec<StepId>,
    counters: usize,
    choices: Vec<Choice>,
    /// The turns that what is being built lies in.
    loops: Vec<usize>,
}

impl Builder<'_> {
    /// Adds `actions`; `after` is what comes when they are done. Gives everything that lies before whoever comes to
    /// them: which branch of an `if` is taken nobody knows, so both count, and a `while` counts one turn.
    fn actions(&mut self, actions: &[Action], after: &Rest) -> Result<Rest, LoadError> {
        // Each action needs to know what comes after it, and numbers are given from the front: two passes.
        let from = Numbers { asks: self.steps.len(), choices: self.choices.len() };
        let counted = count(actions, from, true);
        let mut next = from;
        for (at, action) in actions.iter().enumerate() {
            let here = count(std::slice::from_ref(action), next, true).1;
            let mut later = Rest { after: count(&actions[at + 1..], here, true).0, turns: after.turns.clone() };
            later.after.extend_from_slice(&after.after);
            self.action(action, later)?;
            next = here;
        }
        let mut all = Rest { after: counted.0, turns: after.turns.clone() };
        all.after.extend_from_slice(&after.after);
        Ok(all)
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
                let site = self.site();
                self.ops.push(Op::Think { site, draw, rest: later });
            }
            Action::Rendezvous(meeting) => self.ops.push(Op::Rendezvous { meeting: meeting.clone(), rest: later }),
            Action::Repeat(repeat) => self.repeat(repeat, later)?,
            Action::Group(group) => {
                let open = self.ops.len();
                self.ops.push(Op::Open { group: 0 });
                self.actions(&group.actions, &later)?;
                // After its steps, so that what a visit asks first comes first.
                self.ops[open] = Op::Open { group: self.steps.len() };
                self.steps.push(group.step);
                self.ops.push(Op::Shut);
            }
            Action::Choose(branches) => self.choose(branches, &later)?,
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
        let from = Numbers { asks: self.steps.len(), choices: self.choices.len() };
        let each = count(&repeat.actions, from, false).0;
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

    fn choose(&mut self, branches: &[Branch], later: &Rest) -> Result<(), LoadError> {
        let weights = Weighted::new(branches.iter().map(|branch| branch.weight));
        let weights = weights.ok_or_else(|| LoadError::Text {
            place: format!("journey `{}`: choose", self.name),
            why: "it has no weight over zero".to_owned(),
        })?;
        let choice = self.choices.len();
        let site = self.site();
        self.choices.push(Choice { site, weights, within: self.loops.last().copied(), to: Vec::new() });
        self.ops.push(Op::Choose(choice));
        let mut jumps = Vec::new();
        for branch in branches {
            self.choices[choice].to.push(self.ops.len());
            self.actions(&branch.actions, later)?;
            jumps.push(self.ops.len());
            self.ops.push(Op::Jump(0));
        }
        let end = self.ops.len();
        for jump in jumps {
            self.ops[jump] = Op::Jump(end);
        }
        Ok(())
    }

    /// A number for what is drawn at one place.
    pub(super) fn site(&mut self) -> u32 {
        let site = *self.sites;
        *self.sites += 1;
        site
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

    pub(super) fn bind(&mut self, template: &plan::Template, place: impl Fn() -> String) -> Result<Bound, LoadError> {
        bind(template, self.scope, || format!("journey `{}`: {}", self.name, place()))
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

/// The numbers that the next request or group and the next choice of a journey get.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    asks: usize,
    choices: usize,
}

/// The requests and groups in `actions`, with their times, and the numbers after them. Which branch of a `choose` is taken is known
/// beforehand, but in turns that are still to come only when they come: there (not `sure`) all of them count.
fn count(actions: &[Action], mut next: Numbers, sure: bool) -> (Vec<Left>, Numbers) {
    let mut found = Vec::new();
    for action in actions {
        match action {
            Action::Request(_) | Action::Poll(_) => {
                found.push(Left { ask: next.asks, times: 1, only: Vec::new() });
                next.asks += 1;
            }
            Action::Let(_) | Action::Think(_) | Action::Rendezvous(_) => {}
            Action::Repeat(repeat) => {
                let times = match repeat.turns {
                    plan::Turns::Times(times) => u64::from(times),
                    plan::Turns::While(_) => 1,
                };
                let (inner, end) = count(&repeat.actions, next, false);
                found.extend(inner.into_iter().map(|left| Left { times: left.times * times, ..left }));
                next = end;
            }
            Action::Group(group) => {
                let (inner, end) = count(&group.actions, next, sure);
                found.extend(inner);
                found.push(Left { ask: end.asks, times: 1, only: Vec::new() });
                next = Numbers { asks: end.asks + 1, ..end };
            }
            Action::Choose(branches) => {
                let choice = next.choices;
                next.choices += 1;
                for (index, branch) in branches.iter().enumerate() {
                    let (inner, end) = count(&branch.actions, next, sure);
                    found.extend(inner.into_iter().map(|mut left| {
                        left.only.extend(sure.then_some((choice, index)));
                        left
                    }));
                    next = end;
                }
            }
            Action::If { then, otherwise, .. } => {
                for branch in [then, otherwise] {
                    let (inner, end) = count(branch, next, sure);
                    found.extend(inner);
                    next = end;
                }
            }
        }
    }
    (found, next)
}
