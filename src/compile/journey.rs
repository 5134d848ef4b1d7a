//! Journeys and other lists of steps: one walk in the order in which a visit takes them.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::context::Cx;
use super::names::Names;
pub(super) use super::steps::Steps;
use super::text::{Own, Place, Reach};
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::Span;
use crate::plan::{self, Action, Repeat, Think, Turns};
use crate::scenario::{self, Field, Named, Reached, Spanned, Step};

/// How often one visit makes a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Made {
    pub(super) step: usize,
    /// None: a group of steps, which is no request itself.
    pub(super) endpoint: Option<usize>,
    /// Of the branches of an `if` each, of a `choose` each by its weight, of `while` one turn.
    pub(super) times: f64,
}

impl Made {
    pub(super) const fn is_request(&self) -> bool {
        self.endpoint.is_some()
    }
}

/// A use of a feed's rows by a visit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Used {
    pub(super) feed: usize,
    /// How many rows; none where nobody knows beforehand.
    pub(super) rows: Option<u64>,
    pub(super) mark: Mark,
}

/// Every journey of the scenario, and which of them others take in.
pub(super) struct Journeys<'s> {
    pub(super) names: Names,
    map: Option<&'s Named<scenario::Journey>>,
    pub(super) taken: RefCell<BTreeSet<usize>>,
}

impl<'s> Journeys<'s> {
    pub(super) fn new(field: &'s Field<Named<scenario::Journey>>) -> Journeys<'s> {
        Journeys { names: Names::of("journey", field), map: field.value(), taken: RefCell::default() }
    }

    /// The steps of a journey, and the endpoint that holds for them; none where they were refused.
    fn get(&self, index: usize) -> Option<(&'s scenario::Steps, Option<&'s Field<String>>)> {
        let (_, journey) = self.map?.entries.get(index)?;
        match &journey.as_ref()?.value {
            scenario::Journey::Steps(steps) => Some((steps, None)),
            scenario::Journey::Block(block) => Some((block.steps.value()?, Some(&block.endpoint))),
        }
    }
}

pub(super) struct Walker<'w, 's> {
    journeys: &'w Journeys<'s>,
    /// The journeys that the walk is in, by their number.
    inside: Vec<usize>,
    /// The groups that it is in, by the number of their names.
    pub(super) groups: Vec<usize>,
    pub(super) reach: &'w Reach<'s>,
    pub(super) steps: &'w mut Steps,
    pub(super) endpoints: &'w Names,
    pub(super) place: Place,
    /// Where requests go that do not say.
    pub(super) endpoint: Option<usize>,
    /// The journey's endpoint was refused.
    pub(super) endpoint_lost: bool,
    pub(super) own: Own,
    /// The turns that the walk is in, multiplied.
    turns: Option<u64>,
    /// The part of the visits that come this way: the weights of branches that the walk is in, multiplied.
    share: f64,
    pub(super) made: Vec<Made>,
    pub(super) used: Vec<Used>,
    /// What answers give, in order.
    pub(super) captured: Vec<(String, Mark)>,
    /// Where users wait for one another, and how many of them.
    pub(super) meets: Vec<(Mark, u64)>,
    /// What is known from before may be captured anew.
    pub(super) renews: bool,
    /// The first `shed`.
    pub(super) sheds: Option<Mark>,
    pub(super) longest_timeout: Span,
}

impl<'w, 's> Walker<'w, 's> {
    pub(super) fn new(
        journeys: &'w Journeys<'s>,
        reach: &'w Reach<'s>,
        steps: &'w mut Steps,
        endpoints: &'w Names,
        place: Place,
    ) -> Walker<'w, 's> {
        Walker {
            journeys,
            inside: Vec::new(),
            groups: Vec::new(),
            reach,
            steps,
            endpoints,
            place,
            endpoint: None,
            endpoint_lost: false,
            own: Own::default(),
            turns: Some(1),
            share: 1.0,
            made: Vec::new(),
            used: Vec::new(),
            captured: Vec::new(),
            meets: Vec::new(),
            renews: false,
            sheds: None,
            longest_timeout: Span::ZERO,
        }
    }

    /// Checks a text of a step, and counts the rows that it uses.
    pub(super) fn text(&mut self, text: &str, mark: Mark, cx: &mut Cx<'_>) -> plan::Template {
        let (kept, feeds) = self.reach.check(text, mark, self.place, &self.own, cx);
        self.used.extend(feeds.into_iter().map(|(feed, mark)| Used { feed, rows: self.turns, mark }));
        kept
    }

    pub(super) fn note_made(&mut self, step: usize, endpoint: Option<usize>) {
        self.made.push(Made { step, endpoint, times: self.share * self.turns.unwrap_or(1) as f64 });
    }

    /// Gives a name to a value of the visit.
    pub(super) fn make(&mut self, name: &Spanned<String>, cx: &mut Cx<'_>) {
        let sure = self.own.sure.get(&name.value).copied();
        let taken = sure.or_else(|| self.own.maybe.get(&name.value).map(|(mark, _)| *mark));
        // A journey that is taken in twice makes its names anew.
        let taken = taken.filter(|first| *first != name.mark && !self.renews);
        self.reach.check_own_name(name, taken, cx);
        self.own.sure.insert(name.value.clone(), name.mark);
    }

    /// All steps of a visit; `journey` is the number of theirs, if they are one's.
    pub(super) fn walk(&mut self, steps: &scenario::Steps, journey: Option<usize>, cx: &mut Cx<'_>) -> Vec<Action> {
        self.inside.extend(journey);
        self.names(steps, &mut self.inside.clone());
        self.actions(steps, cx)
    }

    pub(super) fn actions(&mut self, steps: &scenario::Steps, cx: &mut Cx<'_>) -> Vec<Action> {
        if !steps.0.complete {
            self.steps.lack();
        }
        let mut actions = Vec::new();
        for step in cx.items(&steps.0) {
            if let Step::Journey(step) = &step.value {
                actions.extend(self.other(step, cx));
                continue;
            }
            match self.action(&step.value, cx) {
                Some(action) => actions.push(action),
                None => cx.broken = true,
            }
        }
        actions
    }

    /// The steps of another journey, in the place of the step that names it.
    fn other(&mut self, step: &scenario::JourneyStep, cx: &mut Cx<'_>) -> Vec<Action> {
        cx.broken |= !step.complete;
        let found = cx.need(&step.journey).and_then(|name| Some((name, self.journeys.names.find(name, cx)?)));
        let Some((name, index)) = found else {
            self.steps.lack();
            return Vec::new();
        };
        self.journeys.taken.borrow_mut().insert(index);
        if self.inside.contains(&index) {
            let message = format!("`{}` would go on for ever: it takes itself in", name.value);
            cx.say(Diagnostic::error("endless", name.mark, message).help("repeat steps with `repeat`"));
            return Vec::new();
        }
        let Some((steps, endpoint)) = self.journeys.get(index) else {
            cx.broken = true;
            self.steps.lack();
            return Vec::new();
        };
        let before = (self.endpoint, self.endpoint_lost);
        self.go_to(endpoint, cx);
        self.inside.push(index);
        let actions = self.actions(steps, cx);
        self.inside.pop();
        (self.endpoint, self.endpoint_lost) = before;
        actions
    }

    /// Where requests go from here on that do not say.
    pub(super) fn go_to(&mut self, endpoint: Option<&Field<String>>, cx: &mut Cx<'_>) {
        let written = endpoint.and_then(|endpoint| cx.get(endpoint));
        self.endpoint = written.and_then(|endpoint| self.endpoints.find(endpoint, cx));
        self.endpoint_lost = self.endpoint.is_none() && endpoint.is_some_and(|endpoint| !endpoint.is_absent());
    }

    fn action(&mut self, step: &Step, cx: &mut Cx<'_>) -> Option<Action> {
        match step {
            Step::Request(request) => self.request(request, cx).map(|request| Action::Request(Box::new(request))),
            Step::Poll(poll) => self.poll(poll, cx).map(|poll| Action::Poll(Box::new(poll))),
            Step::Think(step) => {
                cx.broken |= !step.complete;
                let think = cx.need(&step.think)?;
                think_time(&think.value, cx).map(Action::Think)
            }
            Step::Let(step) => self.lets(step, cx),
            Step::Repeat(step) => {
                cx.broken |= !step.complete;
                let repeat = cx.need(&step.repeat)?;
                self.repeat(&repeat.value, cx)
            }
            Step::Choose(step) => self.choose(step, cx),
            Step::If(step) => self.branch(step, cx),
            Step::Group(step) => self.group(step, cx),
            Step::Rendezvous(step) => self.meet(step, cx),
            // Its steps stand in its place: `other`.
            Step::Journey(_) => None,
        }
    }

    fn meet(&mut self, step: &scenario::RendezvousStep, cx: &mut Cx<'_>) -> Option<Action> {
        cx.broken |= !step.complete;
        let written = cx.need(&step.rendezvous)?;
        cx.broken |= !written.complete;
        if self.place != Place::Visit {
            let message = "only users wait for one another, and these steps are nobody's but the drill's";
            cx.say(Diagnostic::error("does-not-go", written.key, message).help("leave `rendezvous` out"));
        }
        let (name, count) = (cx.need(&written.name)?.value.clone(), cx.need(&written.count)?.value);
        self.meets.push((written.key, count));
        Some(Action::Rendezvous(plan::Rendezvous { name, count, within: cx.need(&written.within)?.value }))
    }

    fn lets(&mut self, step: &scenario::LetStep, cx: &mut Cx<'_>) -> Option<Action> {
        cx.broken |= !step.complete;
        let map = cx.need(&step.values)?;
        cx.broken |= !map.complete;
        let mut values = Vec::new();
        for (name, value) in &map.entries {
            if let Some(value) = value {
                let text = self.text(value.text(), value.mark, cx);
                values.push((name.value.clone(), text));
            } else {
                cx.broken = true;
            }
            self.make(name, cx);
        }
        Some(Action::Let(values))
    }

    fn repeat(&mut self, repeat: &scenario::Repeat, cx: &mut Cx<'_>) -> Option<Action> {
        cx.broken |= !repeat.complete;
        let outer = self.turns;
        let before = self.own.clone();
        let turns = match (cx.get(&repeat.times), cx.get(&repeat.condition)) {
            (Some(times), _) => {
                let times = u32::try_from(times.value).ok()?;
                self.turns = outer.and_then(|outer| outer.checked_mul(u64::from(times)));
                Some(Turns::Times(times))
            }
            (None, Some(condition)) => {
                self.turns = None;
                Some(Turns::While(self.condition(condition, "while", cx)))
            }
            (None, None) => None,
        };
        let actions = cx.need(&repeat.steps).map(|steps| self.actions(&steps.value, cx));
        self.turns = outer;
        if matches!(turns, Some(Turns::While(_))) {
            self.forget(&before, "it is made in turns of `repeat`, and there may be none");
        }
        Some(Action::Repeat(Repeat { turns: turns?, actions: actions? }))
    }

    fn choose(&mut self, step: &scenario::ChooseStep, cx: &mut Cx<'_>) -> Option<Action> {
        cx.broken |= !step.complete;
        let branches = cx.need(&step.choose)?;
        let weights = branches.iter().filter_map(|branch| branch.value.weight.get());
        let all: f64 = weights.map(|weight| weight.value).sum();
        let (before, share) = (self.own.clone(), self.share);
        let (mut made, mut after) = (Vec::new(), Vec::new());
        for branch in cx.items(&branches.value) {
            cx.broken |= !branch.value.complete;
            let weight = cx.need(&branch.value.weight).map(|weight| weight.value);
            self.share = share * weight.map_or(0.0, |weight| weight / all);
            let actions = cx.need(&branch.value.steps).map(|steps| self.actions(&steps.value, cx));
            after.push(std::mem::replace(&mut self.own, before.clone()));
            made.extend(weight.zip(actions).map(|(weight, actions)| plan::Branch { weight, actions }));
        }
        self.share = share;
        self.join(&after, "it is made on one branch of `choose` only");
        Some(Action::Choose(made))
    }

    fn branch(&mut self, step: &scenario::IfStep, cx: &mut Cx<'_>) -> Option<Action> {
        cx.broken |= !step.complete;
        let test = cx.need(&step.test).map(|test| self.condition(test, "if", cx));
        let before = self.own.clone();
        let then = cx.need(&step.then).map(|steps| self.actions(&steps.value, cx));
        let after_then = std::mem::replace(&mut self.own, before.clone());
        let otherwise = match cx.get(&step.otherwise) {
            Some(steps) => self.actions(&steps.value, cx),
            None => Vec::new(),
        };
        let after_else = std::mem::replace(&mut self.own, before);
        self.join(&[after_then, after_else], "it is made on one branch of `if` only");
        Some(Action::If { test: test?, then: then?, otherwise })
    }

    /// One of several ways was gone: only what is made on all of them is sure.
    fn join(&mut self, ways: &[Own], one: &'static str) {
        for way in ways {
            for (name, mark) in &way.sure {
                if ways.iter().all(|other| other.sure.contains_key(name)) {
                    self.own.sure.insert(name.clone(), *mark);
                } else if !self.own.sure.contains_key(name) {
                    self.own.maybe.insert(name.clone(), (*mark, one));
                }
            }
            for (name, why) in &way.maybe {
                self.own.maybe.entry(name.clone()).or_insert(*why);
            }
        }
    }

    /// What was made since `before` may not have been made.
    fn forget(&mut self, before: &Own, why: &'static str) {
        let made: Vec<(String, Mark)> = self
            .own
            .sure
            .iter()
            .filter(|(name, _)| !before.sure.contains_key(*name))
            .map(|(name, mark)| (name.clone(), *mark))
            .collect();
        for (name, mark) in made {
            self.own.sure.remove(&name);
            self.own.maybe.insert(name, (mark, why));
        }
    }

    /// Notes every name that `steps` make, wherever.
    fn names(&mut self, steps: &scenario::Steps, inside: &mut Vec<usize>) {
        for step in &steps.0.items {
            match &step.value {
                Step::Request(request) => self.note_names(&request.capture),
                Step::Poll(poll) => self.note_names(&poll.capture),
                Step::Let(step) => self.note_names(&step.values),
                Step::Think(_) | Step::Rendezvous(_) => {}
                Step::Repeat(step) => {
                    if let Some(steps) = step.repeat.value().and_then(|repeat| repeat.steps.value()) {
                        self.names(steps, inside);
                    }
                }
                Step::Group(step) => {
                    if let Some(steps) = step.group.value().and_then(|group| group.steps.value()) {
                        self.names(steps, inside);
                    }
                }
                Step::Choose(step) => {
                    let branches = step.choose.value().into_iter().flat_map(|branches| &branches.items);
                    for steps in branches.filter_map(|branch| branch.value.steps.value()) {
                        self.names(steps, inside);
                    }
                }
                Step::If(step) => {
                    for steps in [&step.then, &step.otherwise].into_iter().filter_map(Field::value) {
                        self.names(steps, inside);
                    }
                }
                Step::Journey(step) => {
                    let index = step.journey.value().and_then(|name| self.journeys.names.get(name));
                    if let Some(index) = index.filter(|index| !inside.contains(index))
                        && let Some((steps, _)) = self.journeys.get(index)
                    {
                        inside.push(index);
                        self.names(steps, inside);
                        inside.pop();
                    }
                }
            }
        }
    }

    fn note_names<T>(&mut self, made: &Field<Named<T, Reached>>) {
        for (name, _) in made.value().into_iter().flat_map(|map| &map.entries) {
            self.own.ever.entry(name.value.clone()).or_insert(name.mark);
        }
    }

    fn condition(&mut self, condition: &Spanned<scenario::Template>, word: &str, cx: &mut Cx<'_>) -> plan::Template {
        let text = condition.text();
        if !text.contains("{{") && !text.contains("{%") {
            let message = format!("this `{word}` is always the same: it holds no template");
            let help = format!("write the condition as a template: {word}: \"{{{{ {} }}}}\"", text.trim());
            cx.say(Diagnostic::error("constant", condition.mark, message).help(help));
        }
        self.text(text, condition.mark, cx)
    }
}

fn think_time(think: &scenario::Think, cx: &mut Cx<'_>) -> Option<Think> {
    let over_zero = |span: &Spanned<Span>, word: &str, cx: &mut Cx<'_>| {
        if span.value == Span::ZERO {
            cx.say(Diagnostic::error("range", span.mark, format!("`{word}` must be longer than 0s")));
        }
        span.value
    };
    let block = match think {
        scenario::Think::Fixed(span) => return Some(Think::Fixed(*span)),
        scenario::Think::Drawn(block) => block,
    };
    cx.broken |= !block.complete;
    if let Some(uniform) = cx.get(&block.uniform) {
        let (from, to) = (cx.need(&uniform.from)?.value, cx.need(&uniform.to)?.value);
        return Some(Think::Uniform { from, to });
    }
    if let Some(exponential) = cx.get(&block.exponential) {
        let mean = over_zero(cx.need(&exponential.mean)?, "mean", cx);
        return Some(Think::Exponential { mean });
    }
    let lognormal = cx.need(&block.lognormal)?;
    let median = over_zero(cx.need(&lognormal.median)?, "median", cx);
    Some(Think::Lognormal { median, sigma: cx.need(&lognormal.sigma)?.value })
}
