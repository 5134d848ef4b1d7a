//! One visit: a walk through a program.

use std::rc::Rc;

use serde_json::Value;

use super::books::{Outcome, VisitEnd};
use super::cookies::Jar;
use super::exchange::Tried;
use super::feeds::{Feeds, MOST_TURNS};
use super::groups::Open;
use super::program::{Op, Program, Rest, Turns};
use super::request::Scratch;
use super::worker::{Arrival, Lane, Worker};
use crate::base::rng::Key;
use crate::base::template::{self, Cell, RenderError, Rows};
use crate::base::units::{At, Span};
use crate::plan::EndpointId;
use crate::record::BadKind;
use crate::wire::Connection;

/// What a visit is taken to need, its task and its buffers: memory is bounded by the number of visits.
const BYTES: usize = 8192;
/// What all visits together may need.
const ALL_BYTES: usize = 768 << 20;

/// A larger buffer is not kept for the next visit.
pub(super) const SPARE_BUFFER: usize = 64 * 1024;

/// The most visits that one of `workers` workers has under way.
pub(super) fn most(workers: u16) -> usize {
    ALL_BYTES / BYTES / usize::from(workers.max(1))
}

/// Tells the worker when a task that carries visits ends by a defect: the runtime keeps its panic to itself.
pub(super) struct Alarm(Rc<Worker>);

impl Alarm {
    pub(super) fn new(worker: &Rc<Worker>) -> Alarm {
        Alarm(worker.clone())
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.note_broken();
        }
    }
}

/// Carries visits for ever, one after another.
pub(super) async fn run(worker: Rc<Worker>, me: usize) {
    let _alarm = Alarm::new(&worker);
    let mut values = Values::default();
    loop {
        let mut next = Some(worker.mail(me).await);
        while let Some(arrival) = next.take() {
            let lane = &worker.lanes[arrival.lane];
            let program = &worker.programs[lane.program];
            values.reset(&worker, lane, program, &arrival);
            let mut visit = Visit { worker: &worker, me, lane, program, arrival, values: &mut values };
            let fate = visit.walk().await;
            visit.close(fate);
            next = worker.follow(&arrival);
        }
        worker.retire(me);
    }
}

/// What a visit knows, kept from one to the next for its memory.
#[derive(Default)]
pub(super) struct Values {
    pub key: Option<Key>,
    pub slots: Vec<Option<Value>>,
    /// The slots whose values are never written anywhere.
    pub secret: Vec<bool>,
    pub jar: Jar,
    /// Secrets of a user's earlier journeys that stand in its cookies.
    pub still_secret: Vec<String>,
    /// Turns begun, by counter.
    pub counters: Vec<u32>,
    /// The whole number of the turn that each counter is in.
    pub turns: Vec<u64>,
    pub turn: u64,
    pub scratch: Scratch,
    /// The last answer's text.
    pub buffer: Vec<u8>,
    /// Where answers are decompressed to.
    pub unpacked: Vec<u8>,
    /// Its own connections, where the endpoint gives each visit one.
    pub own: Vec<(EndpointId, Option<Connection>)>,
    pub own_time: Span,
    /// Requests that it has made, each try and each ask of a poll for itself.
    pub sends: u64,
    /// The groups of steps that it is in, the outermost first.
    pub groups: Vec<Open>,
}

pub(super) struct Visit<'a> {
    pub worker: &'a Worker,
    pub me: usize,
    pub lane: &'a Lane,
    pub program: &'a Program,
    pub arrival: Arrival,
    pub values: &'a mut Values,
}

/// How a visit ended.
///
/// In the order of their weight, where steps go on after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    Ok,
    /// Turned away as intended.
    Shed,
    /// Its first request was never sent, by the generator's own fault: it says nothing about the platform.
    Void,
    /// A request failed, or it was cut off before its end, be it between two steps.
    Failed,
}

/// The rows that this use of the feeds is given.
pub(super) struct Given<'a> {
    pub feeds: &'a Feeds,
    pub role: usize,
    pub key: Key,
    pub turn: u64,
}

impl Rows for Given<'_> {
    fn cell(&self, feed: u32, column: Option<u32>) -> Option<Cell<'_>> {
        self.feeds.cell(feed, column, self.role, self.key, self.turn)
    }
}

impl Values {
    pub(super) fn reset(&mut self, worker: &Worker, lane: &Lane, program: &Program, arrival: &Arrival) {
        let key = match lane.load {
            Some(load) => Key::new(worker.seed, load.0, arrival.k),
            None => Key { k: arrival.k, ..Key::plan(worker.seed) },
        };
        self.key = Some(key);
        if lane.kept {
            self.keep_secrets();
        } else {
            self.jar.clear();
            self.still_secret.clear();
        }
        self.slots.clear();
        self.slots.resize(worker.slots, None);
        self.secret.clear();
        self.secret.resize(worker.slots, false);
        self.counters.clear();
        self.counters.resize(program.counters, 0);
        self.turns.clear();
        self.turns.resize(program.counters, 0);
        self.turn = 0;
        if self.buffer.capacity() > SPARE_BUFFER {
            self.buffer = Vec::new();
        }
        self.own_time = Span::ZERO;
        self.sends = 0;
        self.groups.clear();
    }

    /// Before its slots are cleared: what of them will be sent again.
    fn keep_secrets(&mut self) {
        let slots = self.slots.drain(..).zip(&self.secret).filter(|(_, secret)| **secret);
        self.still_secret.extend(slots.filter_map(|(value, _)| value?.as_str().map(str::to_owned)));
        self.still_secret.sort_unstable();
        self.still_secret.dedup();
        self.still_secret.retain(|secret| self.jar.holds(secret));
    }

    /// What a slot holds, and whether it is secret; nothing is left in it.
    #[cfg(feature = "closed")]
    pub(super) fn take(&mut self, slot: u32) -> (Option<Value>, bool) {
        let value = self.slots.get_mut(slot as usize).and_then(Option::take);
        (value, self.secret.get(slot as usize).copied().unwrap_or(false))
    }

    #[cfg(feature = "closed")]
    pub(super) fn put(&mut self, slot: u32, value: Option<Value>, secret: bool) {
        if let (Some(place), Some(known)) = (self.slots.get_mut(slot as usize), self.secret.get_mut(slot as usize)) {
            (*place, *known) = (value, secret);
        }
    }

    /// Lets go of the connections that it kept.
    pub(super) fn let_go(&mut self, worker: &Worker) {
        for (endpoint, connection) in self.own.drain(..) {
            drop(connection);
            worker.give_up(endpoint);
        }
    }

    pub(super) fn key(&self) -> Key {
        self.key.unwrap_or(Key::plan(0))
    }
}

impl Visit<'_> {
    /// Evaluates templates with all that the visit knows by now.
    pub(super) fn see<T>(&self, look: impl FnOnce(&template::Visit<'_>) -> T) -> T {
        let values = &*self.values;
        let (role, key, turn) = (self.lane.role, values.key(), values.turn);
        let rows = Given { feeds: &self.worker.feeds, role, key, turn };
        look(&template::Visit {
            key,
            run: self.worker.run,
            turn,
            slots: &values.slots,
            rows: &rows,
            now: &|| self.worker.wall(),
        })
    }

    pub(super) async fn walk(&mut self) -> Fate {
        let mut at = 0;
        let mut fate = Fate::Ok;
        let mut asked = false;
        // None: as soon as the step has its turn.
        let (mut planned, mut released) = (self.arrival.planned, Some(self.arrival.released));
        while let Some(op) = self.program.ops.get(at) {
            at += 1;
            match op {
                Op::Ask(ask) => match self.ask(ask, planned, released.unwrap_or_else(|| self.worker.now())).await {
                    Ok(done) => {
                        asked = true;
                        self.values.own_time += done.since(planned);
                        (planned, released) = self.then(done);
                    }
                    Err((outcome, done)) => {
                        let ended = match outcome {
                            Outcome::Ok => Fate::Ok,
                            Outcome::Shed => Fate::Shed,
                            _ if outcome.is_own_fault() && !asked => Fate::Void,
                            _ => Fate::Failed,
                        };
                        asked |= ended != Fate::Void;
                        fate = fate.max(ended);
                        if !ask.goes_on || self.worker.cut(self.me).is_some() {
                            self.not_reached(&ask.rest, planned, outcome == Outcome::Shed);
                            return fate;
                        }
                        self.values.own_time += done.since(planned);
                        (planned, released) = self.then(done);
                    }
                },
                Op::Let { slot, value } => match self.see(|visit| value.value(visit)) {
                    Ok(value) => self.set(*slot, value, false),
                    Err(error) => return self.stuck(at, planned, error),
                },
                Op::Think { site, draw, rest } => {
                    planned = planned + draw.span(self.values.key(), *site, self.values.turn);
                    if self.worker.think_until(self.me, planned).await.is_err() {
                        self.not_reached(rest, planned, false);
                        return Fate::Failed;
                    }
                    (planned, released) = self.then(planned);
                }
                Op::Rendezvous { meeting, rest } => {
                    let until = self.worker.now() + meeting.within;
                    // A visit that is made alone has nobody to wait for.
                    if self.lane.kept && self.worker.meet(self.me, meeting, until).await.is_err() {
                        self.not_reached(rest, planned, false);
                        return Fate::Failed;
                    }
                    (planned, released) = self.then(self.worker.now());
                }
                leads => match self.lead(leads, at) {
                    Ok(to) => at = to,
                    Err(error) => return self.stuck(at, planned, error),
                },
            }
        }
        fate
    }

    /// Where the walk goes on after an operation that asks nothing and waits for nothing; `next` is the one behind it.
    fn lead(&mut self, op: &Op, next: usize) -> Result<usize, RenderError> {
        match op {
            Op::Unless { test, to } => Ok(if self.see(|visit| test.holds(visit))? { next } else { *to }),
            Op::Jump(to) | Op::Again { head: to } => Ok(*to),
            Op::Choose(choice) => {
                let choice = &self.program.choices[*choice];
                let branch = choice.branch(self.values.key(), &self.values.turns);
                Ok(choice.to.get(branch).copied().unwrap_or(next))
            }
            Op::Open { group } => {
                self.open_group(*group);
                Ok(next)
            }
            Op::Shut => {
                self.shut_group(Outcome::Ok);
                Ok(next)
            }
            Op::Enter { counter } => {
                self.values.counters[*counter] = 0;
                Ok(next)
            }
            Op::Turn { counter, outer, turns, exit } => {
                let begun = self.values.counters[*counter];
                let base = outer.map_or(0, |outer| self.values.turns[outer]);
                let (most, more) = match turns {
                    Turns::Times(times) => (u64::from(*times), begun < *times),
                    Turns::While(test) => {
                        self.values.turn = base.saturating_mul(MOST_TURNS).saturating_add(u64::from(begun));
                        let more = self.see(|visit| test.holds(visit))?;
                        if more && u64::from(begun) >= MOST_TURNS {
                            let expression = "while".to_owned();
                            let reason = format!("it held for {MOST_TURNS} turns");
                            return Err(RenderError::Failed { expression, reason });
                        }
                        (MOST_TURNS, more)
                    }
                };
                if !more {
                    self.values.turn = base;
                    return Ok(*exit);
                }
                self.values.counters[*counter] += 1;
                self.values.turn = base.saturating_mul(most).saturating_add(u64::from(begun));
                self.values.turns[*counter] = self.values.turn;
                Ok(next)
            }
            Op::Ask(_) | Op::Let { .. } | Op::Think { .. } | Op::Rendezvous { .. } => Ok(next),
        }
    }

    /// When the next step is planned, and when it is released: for a user both are the instant at which it begins.
    fn then(&self, planned: At) -> (At, Option<At>) {
        if !self.lane.kept {
            return (planned, None);
        }
        let now = self.worker.now();
        (now, Some(now))
    }

    pub(super) fn set(&mut self, slot: u32, value: Value, secret: bool) {
        if let Some(place) = self.values.slots.get_mut(slot as usize) {
            *place = Some(value);
        }
        if let Some(place) = self.values.secret.get_mut(slot as usize) {
            *place = secret;
        }
    }

    /// A text between two requests that cannot be rendered fails the request that the visit would have come to: a test of
    /// which nobody knows whether it holds is taken to.
    fn stuck(&mut self, mut at: usize, planned: At, error: RenderError) -> Fate {
        let program = self.program;
        let (mut next, mut unknown) = (None, 0);
        while let Some(op) = program.ops.get(at).filter(|_| unknown <= program.ops.len()) {
            at += 1;
            if let Op::Ask(ask) = op {
                next = Some(ask);
                break;
            }
            at = self.lead(op, at).unwrap_or_else(|_| {
                unknown += 1;
                at
            });
        }
        if let Some(ask) = next {
            self.begin_groups(planned);
            let now = self.worker.now();
            let result = Err((Outcome::Bad(BadKind::Template), error.into()));
            let tried = Tried { done: now, result, ..Tried::default() };
            self.finish(ask, planned, now, tried, false);
            self.not_reached(&ask.rest, planned, false);
        }
        Fate::Failed
    }

    /// Counts what lay before a visit that came to its end.
    fn not_reached(&self, rest: &Rest, planned: At, shed: bool) {
        let mut books = self.worker.books();
        let mut note = |ask: usize, times: u64| {
            if let Some(series) = self.lane.series.get(ask).filter(|_| times > 0) {
                books.not_reached(*series, times, planned, shed);
            }
        };
        let (key, turns) = (self.values.key(), self.values.turns.as_slice());
        for left in rest.after.iter().filter(|left| self.program.leads_to(left, key, turns)) {
            note(left.ask, left.times);
        }
        for turns in &rest.turns {
            let begun = self.values.counters.get(turns.counter).copied().unwrap_or(0);
            let left = turns.times.map_or(0, |times| times.saturating_sub(begun));
            turns.each.iter().for_each(|each| note(each.ask, each.times * u64::from(left)));
        }
    }

    /// After the last step, however it came to that.
    pub(super) fn close(&mut self, fate: Fate) {
        if self.worker.transcript.is_some() {
            let slots = self.values.slots.iter().cloned().zip(self.values.secret.iter().copied()).collect();
            self.worker.set_result(fate == Fate::Ok, slots);
        }
        if let Some(endpoint) = self.arrival.reserved.take() {
            self.worker.leave(self.me, endpoint);
        }
        while !self.values.groups.is_empty() {
            self.shut_group(Outcome::Bad(BadKind::Abandoned));
        }
        if self.lane.kept {
            // Where each visit has a connection of its own, this one's go.
            let (gone, kept) = std::mem::take(&mut self.values.own)
                .into_iter()
                .partition(|(endpoint, _)| self.worker.per_visit[endpoint.index()]);
            self.values.own = gone;
            self.values.let_go(self.worker);
            self.values.own = kept;
        } else {
            self.values.let_go(self.worker);
        }
        let end = match fate {
            Fate::Ok => VisitEnd::Ok(self.values.own_time),
            Fate::Shed => VisitEnd::Shed,
            Fate::Failed => VisitEnd::Failed,
            Fate::Void => return,
        };
        if let Some(load) = self.lane.load {
            // A request that ended the visit has closed what was over by then.
            if !matches!(self.program.ops.last(), Some(Op::Ask(_))) {
                self.worker.close_before(self.worker.now());
            }
            self.worker.books().visit(load, self.lane.journey, self.arrival.planned, end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visit_needs_no_more_than_it_is_taken_to() {
        fn size<F>(_: impl FnOnce(Rc<Worker>, usize) -> F) -> usize {
            size_of::<F>()
        }
        let found = size(run);
        // The rest is for its buffers.
        assert!(found <= BYTES / 8 * 5, "{found} bytes");
    }
}
