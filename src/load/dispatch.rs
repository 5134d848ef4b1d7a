//! The dispatcher: releases arrivals at their instants, wakes those who have thought for long enough, cuts requests whose
//! time is over and closes seconds. It sits in the worker itself, so that nothing has to be woken on another thread.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::books::{Finished, Outcome, VisitEnd};
use super::crew::{News, Order};
use super::pool::Taken;
use super::worker::{Arrival, Cut, Worker};
use crate::base::clock::{Alarm, Spin};
use crate::base::rng::{Key, Purpose, Weighted};
use crate::base::units::{At, Span};
use crate::plan::arrivals::{Cursor, Schedule};
use crate::plan::{LoadId, Plan, Trial};
use crate::record::UnsentKind;

/// The arrivals of one load that are this worker's.
pub(super) struct Source {
    pub load: u32,
    pub next: Option<(u64, At)>,
    pub rest: Cursor,
    /// What comes when nothing of that is left.
    pub later: VecDeque<Cursor>,
    pub mix: Weighted,
    /// The lane of each journey of the mix.
    pub lanes: Vec<usize>,
    /// The end of the load's last stage.
    pub end: At,
    /// More may be appended.
    pub open: bool,
}

impl Source {
    /// Makes the next arrival known.
    pub(super) fn go_on(&mut self) {
        self.next = self.rest.next();
        while self.next.is_none()
            && let Some(later) = self.later.pop_front()
        {
            self.rest = later;
            self.next = self.rest.next();
        }
    }
}

pub(super) struct Dispatcher {
    pub worker: Rc<Worker>,
    pub plan: Arc<Plan>,
    pub workers: u16,
    pub sources: Vec<Source>,
    /// When the load of users ends, where it is one.
    pub users_until: Option<At>,
    pub crew: u16,
    pub orders: UnboundedReceiver<Order>,
    pub news: UnboundedSender<News>,
    pub alarm: Alarm,
    /// An arrival released later than this is late.
    pub lag: Span,
    pub drain: Span,
    pub state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The drill has not begun.
    Ready,
    Running,
    /// Everything is released; what is in flight may end until then.
    Draining(At),
    Idle,
}

/// How often visits that were cut off are let run without one of them coming to its end before the worker ends.
const TURNS: usize = 1000;

impl Dispatcher {
    /// Runs until it is told to finish, or nobody is there any more to tell it.
    pub(super) async fn run(mut self) {
        loop {
            match self.wait().await {
                Heard::Nothing => {}
                Heard::Order(Order::Begin(zero)) => self.begin(zero),
                Heard::Order(Order::Append(load, trial)) => self.append(load, &trial),
                Heard::Order(Order::Over(load)) => self.search_over(load),
                Heard::Order(Order::Drain) => self.drain(),
                Heard::Order(Order::Drop) => self.drop_load(),
                Heard::Order(Order::Finish) | Heard::Alone => break,
            }
            // The runtime keeps a task's panic to itself; the whole worker goes down with it, and says so.
            assert!(!self.worker.is_broken(), "a visit ended by a defect of the harness");
            if self.state != State::Ready {
                self.worker.books().note_spun(self.alarm.spun());
                self.turn();
                if self.next() <= self.worker.now() {
                    // More is due already: visits have their turn first, or a schedule that this machine cannot keep
                    // would never let it send anything.
                    tokio::task::yield_now().await;
                }
            }
        }
        if self.state != State::Ready {
            self.worker.cut_all(Cut::Stopped);
            let (mut left, mut turns) = (self.worker.active(), 0);
            while left > 0 && turns < TURNS {
                tokio::task::yield_now().await;
                let before = std::mem::replace(&mut left, self.worker.active());
                turns = if left < before { 0 } else { turns + 1 };
            }
            self.worker.close_second();
            self.hand_over();
        }
    }

    fn begin(&mut self, zero: At) {
        self.worker.start_at(zero);
        self.worker.books().begin();
        self.state = State::Running;
    }

    /// The arrivals of a trial come after those of the one before it: a worker that is behind has some of them left.
    fn append(&mut self, load: LoadId, trial: &Trial) {
        let Some(source) = self.sources.iter_mut().find(|source| source.load == load.0) else { return };
        let Some(of) = self.plan.loads.get(load.index()) else { return };
        let schedule = Schedule::trial(of, self.plan.seed, load, trial);
        source.later.push_back(schedule.cursor(u64::from(self.crew), u64::from(self.workers)));
        if source.next.is_none() {
            source.go_on();
        }
    }

    fn search_over(&mut self, load: LoadId) {
        let now = self.worker.now();
        for source in self.sources.iter_mut().filter(|source| source.load == load.0) {
            source.open = false;
            source.end = now;
        }
    }

    /// Releases no more. What is due and not released would have gone out by now: it is counted.
    fn drain(&mut self) {
        let now = self.worker.now();
        while let Some((source, planned)) = self.next_arrival().filter(|(_, planned)| *planned <= now) {
            self.unsent(source, planned, now, UnsentKind::Stopped);
        }
        self.sources.clear();
        self.users_until = None;
        self.worker.end_users();
        if matches!(self.state, State::Running) {
            self.state = State::Draining(self.worker.now() + self.drain);
        }
    }

    fn drop_load(&mut self) {
        self.drain();
        self.worker.cut_all(Cut::Stopped);
    }

    // ---- Waiting

    async fn wait(&mut self) -> Heard {
        let at = if self.state == State::Ready { At::MAX } else { self.next() };
        let worker = self.worker.clone();
        let orders = &mut self.orders;
        let mut alarm = std::pin::pin!(self.alarm.wait_until(worker.on_clock(at)));
        std::future::poll_fn(|cx| {
            if worker.was_called() {
                worker.wait_for(At::MAX, cx.waker());
                return Poll::Ready(Heard::Nothing);
            }
            worker.wait_for(at, cx.waker());
            if let Poll::Ready(order) = orders.poll_recv(cx) {
                return Poll::Ready(order.map_or(Heard::Alone, Heard::Order));
            }
            // First, since a busy worker comes here often enough to need no timer.
            if worker.now() >= at {
                return Poll::Ready(Heard::Nothing);
            }
            alarm.as_mut().poll(cx).map(|()| Heard::Nothing)
        })
        .await
    }

    /// The instant of whatever is due next.
    fn next(&self) -> At {
        let arrival = self.next_arrival().map_or(At::MAX, |(_, at)| at);
        let drained = match self.state {
            State::Draining(until) => until,
            State::Running => self.users_until.unwrap_or(At::MAX),
            // Only orders are waited for, and the ends of seconds.
            State::Ready | State::Idle => At::MAX,
        };
        arrival.min(self.worker.next_thinker()).min(self.worker.next_cut()).min(self.boundary()).min(drained)
    }

    /// The end of the open second.
    fn boundary(&self) -> At {
        At(self.worker.books().second.saturating_add(1).saturating_mul(Span::SECOND.as_nanos()))
    }

    fn next_arrival(&self) -> Option<(usize, At)> {
        let next = self.sources.iter().enumerate().filter_map(|(index, source)| Some((index, source.next?.1)));
        next.min_by_key(|(_, at)| *at)
    }

    // ---- What is due

    fn turn(&mut self) {
        if self.worker.is_early() {
            return;
        }
        let now = self.worker.now();
        loop {
            let boundary = self.boundary();
            match self.next_arrival().filter(|(_, planned)| *planned <= now && *planned < boundary) {
                Some((source, planned)) => self.release(source, planned),
                None if boundary <= now => self.worker.close_second(),
                None => break,
            }
        }
        while self.worker.next_thinker() <= now {
            self.worker.wake_thinker();
        }
        if self.worker.next_cut() <= now {
            self.worker.cut_due(now);
        }
        let open = self.sources.iter().any(|source| source.open) || self.users_until.is_some_and(|until| now < until);
        if self.state == State::Running && self.next_arrival().is_none() && !open {
            self.worker.end_users();
            let end = self.sources.iter().map(|source| source.end).chain(self.users_until).max().unwrap_or(now);
            self.state = State::Draining(end.max(now) + self.drain);
        }
        if let State::Draining(until) = self.state {
            self.worker.drains();
            if self.worker.active() == 0 {
                self.state = State::Idle;
                let abandoned = self.worker.abandoned();
                let _ = self.news.send(News::Idle { crew: self.crew, abandoned });
            } else if until <= now {
                self.worker.cut_all(Cut::Drained);
                self.state = State::Draining(At::MAX);
            }
        }
        self.hand_over();
    }

    fn hand_over(&self) {
        let (windows, mut failures) = self.worker.hand_over_windows();
        for window in windows {
            let failures = std::mem::take(&mut failures);
            let _ = self.news.send(News::Window { window: Box::new(window), failures });
        }
    }

    /// Takes the next arrival of a source: its number and the lane of its journey.
    fn pick(&mut self, source: usize) -> Option<(u64, usize)> {
        let source = &mut self.sources[source];
        let (k, _) = source.next.take()?;
        source.go_on();
        let route = self.worker.feeds.logs.route(source.load, k);
        let draw = || source.mix.draw(&mut Key::new(self.worker.seed, source.load, k).stream(Purpose::Mix, 0));
        Some((k, source.lanes[route.unwrap_or_else(draw)]))
    }

    fn release(&mut self, source: usize, planned: At) {
        let Some((k, lane)) = self.pick(source) else { return };
        let now = self.worker.now();
        let lag = now.since(planned);
        {
            let mut books = self.worker.books();
            books.health.planned += 1;
            books.health.released += 1;
            books.health.late += u64::from(lag > self.lag);
            books.health.lag.record(lag);
        }
        let Some(me) = self.worker.runner() else {
            return self.never(lane, k, planned, now, UnsentKind::Memory);
        };
        let reserved = self.worker.programs[self.worker.lanes[lane].program].first;
        if let Some(endpoint) = reserved
            && let new = self.worker.is_new(self.worker.lanes[lane].load, k, endpoint)
            && let Taken::Full = self.worker.take(me, endpoint, new)
        {
            // Decided here, so that an arrival that cannot be sent costs no visit.
            // One that was released late itself says nothing about the platform.
            let full = if lag > self.lag { UnsentKind::Late } else { self.worker.full(endpoint) };
            self.worker.spare(me);
            return self.never(lane, k, planned, now, full);
        }
        self.worker.send_off(me, Arrival { lane, k, planned, released: now, reserved });
    }

    fn unsent(&mut self, source: usize, planned: At, now: At, kind: UnsentKind) {
        if let Some((k, lane)) = self.pick(source) {
            self.worker.books().health.planned += 1;
            self.never(lane, k, planned, now, kind);
        }
    }

    /// An arrival whose first request is never sent.
    fn never(&self, lane: usize, k: u64, planned: At, done: At, kind: UnsentKind) {
        let lane = &self.worker.lanes[lane];
        let program = &self.worker.programs[lane.program];
        let outcome = Outcome::Unsent(kind);
        let key = Key::new(self.worker.seed, lane.load.map_or(0, |load| load.0), k);
        let before = program.all.after.iter().filter(|left| program.leads_to(left, key, &[]));
        for (index, before) in before.enumerate() {
            let Some(series) = lane.series.get(before.ask).copied() else { continue };
            let mut left = before.times;
            if index == 0 {
                left -= 1;
                let finished = Finished { series, planned, released: done, sent: None, done, outcome, settled: false };
                self.worker.record(&finished);
            }
            if left > 0 {
                self.worker.books().not_reached(series, left, planned, false);
            }
        }
        let mut books = self.worker.books();
        if let Some(load) = lane.load.filter(|_| kind.is_platform()) {
            books.visit(load, lane.journey, planned, VisitEnd::Failed);
        }
    }
}

pub(super) enum Heard {
    Nothing,
    Order(Order),
    /// Nobody is there any more.
    Alone,
}

/// Whether spinning before `rate` arrivals a second keeps within `share` of a core: each costs up to 60 µs.
pub(super) fn may_spin(rate: f64, share: f64) -> Spin {
    if rate * 60e-6 <= share { Spin::On } else { Spin::Off }
}
