//! What one worker's visits and its dispatcher share. All of it lives on one thread.

mod cuts;
mod lane;
mod users;

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use serde_json::Value;

pub(super) use self::lane::{Arrival, Lane};
use super::books::Books;
use super::build::Place;
use super::closed::Crowd;
use super::feeds::Feeds;
use super::pool::{Pool, Ticket};
use super::program::Program;
use super::slow::SlowReaders;
use super::transcript::Exchange;
use super::visit;
use crate::base::clock::Clock;
use crate::base::template::Masker;
use crate::base::units::{At, Span};
use crate::plan::{PerConnection, SeriesId};
use crate::record::{BadKind, Failure, Window};
use crate::wire::{Door, Origin};

pub(super) struct Worker {
    pub clock: Clock,
    pub door: Door,
    /// The drill's start on `clock`.
    zero: Cell<u64>,
    pub seed: u64,
    /// Of the run's id, for `uuid()`.
    pub run: u64,
    pub places: Vec<Place>,
    pub per_visit: Vec<bool>,
    /// The share of visits by new visitors, by endpoint; empty where there are none anywhere.
    pub new: Vec<f64>,
    pub slow: SlowReaders,
    pub programs: Vec<Program>,
    pub lanes: Vec<Lane>,
    pub slots: usize,
    pub feeds: Feeds,
    /// The secrets that are known to the whole run.
    pub secrets: Masker,
    /// Kept only where somebody reads every request.
    pub transcript: Option<RefCell<Vec<Exchange>>>,
    pub books: RefCell<Books>,
    pub closed: RefCell<Vec<Window>>,
    pub pools: RefCell<Vec<Pool>>,
    pub runners: RefCell<Vec<Runner>>,
    idle: RefCell<Vec<usize>>,
    most_runners: usize,
    /// Who is to be woken when; an entry whose turn is over is passed by.
    thinkers: RefCell<BinaryHeap<Reverse<(At, usize, u32)>>>,
    /// No request's time runs out before this.
    next_cut: Cell<At>,
    dispatcher: RefCell<Option<Waker>>,
    /// What the dispatcher waits for.
    waits_for: Cell<At>,
    pub samples: RefCell<HashMap<(SeriesId, BadKind), u8>>,
    pub failures: RefCell<Vec<Failure>>,
    pub abandoned: Cell<u64>,
    pub connected: Cell<u64>,
    /// Hosts that redirects led to and that are no endpoints, by scheme and authority.
    pub elsewhere: RefCell<HashMap<String, Origin>>,
    /// The users of a closed load, where it has any.
    pub crowd: Crowd,
    /// Users who wait for one another, by the name of what they wait at.
    meetings: RefCell<HashMap<String, Vec<usize>>>,
    /// The drill has begun.
    has_begun: Cell<bool>,
    /// The dispatcher waits for the last visit to end.
    drains: Cell<bool>,
    broken: Cell<bool>,
    /// Until then every visit is followed by another at once.
    saturated: Cell<At>,
    /// How the one visit ended, where only one is made.
    result: RefCell<Option<(bool, Slots)>>,
}

/// What a visit's names ended as, and which of them are secret.
pub(super) type Slots = Vec<(Option<Value>, bool)>;

/// A task that carries visits, one after another, so that none is made for each.
#[derive(Default)]
pub(super) struct Runner {
    waker: Option<Waker>,
    pub mail: Option<Arrival>,
    pub ticket: Option<Ticket>,
    woken: bool,
    pub cut: Option<Cut>,
    pub flight: Option<Flight>,
    /// The groups of steps that its visit has begun a request in, the outermost first.
    pub groups: Vec<GroupFlight>,
    /// Which think time it is in, or was in last.
    thought: u32,
    busy: bool,
    /// A user between two journeys.
    rests: bool,
}

/// Why a visit is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    Timeout,
    /// The drain time is over.
    Drained,
    /// The load is dropped at once.
    Stopped,
}

/// A request that is planned and not done.
pub(super) struct Flight {
    pub series: Option<SeriesId>,
    pub planned: At,
    pub patience: At,
    deadline: At,
    pub settled: bool,
}

/// A group of steps that is under way.
pub(super) struct GroupFlight {
    pub series: SeriesId,
    /// The patience of a request of its was over, and the book of seconds has it.
    pub settled: bool,
}

pub(super) struct Parts {
    pub clock: Clock,
    pub door: Door,
    pub seed: u64,
    pub run: u64,
    pub places: Vec<Place>,
    pub per: Vec<PerConnection>,
    pub new: Vec<f64>,
    pub slow: SlowReaders,
    pub programs: Vec<Program>,
    pub lanes: Vec<Lane>,
    pub slots: usize,
    pub feeds: Feeds,
    pub secrets: Masker,
    pub transcript: bool,
    pub books: Books,
    pub pools: Vec<Pool>,
    pub most_runners: usize,
}

impl Worker {
    pub(super) fn new(parts: Parts) -> Rc<Worker> {
        Rc::new(Worker {
            clock: parts.clock,
            door: parts.door,
            zero: Cell::new(0),
            seed: parts.seed,
            run: parts.run,
            places: parts.places,
            slow: parts.slow,
            new: if parts.new.iter().any(|share| *share > 0.0) { parts.new } else { Vec::new() },
            per_visit: parts.per.iter().map(|per| *per == PerConnection::Visit).collect(),
            programs: parts.programs,
            lanes: parts.lanes,
            slots: parts.slots,
            feeds: parts.feeds,
            secrets: parts.secrets,
            transcript: parts.transcript.then(RefCell::default),
            books: RefCell::new(parts.books),
            closed: RefCell::default(),
            pools: RefCell::new(parts.pools),
            runners: RefCell::default(),
            idle: RefCell::default(),
            most_runners: parts.most_runners,
            thinkers: RefCell::default(),
            next_cut: Cell::new(At::MAX),
            dispatcher: RefCell::default(),
            waits_for: Cell::new(At::MAX),
            samples: RefCell::default(),
            failures: RefCell::default(),
            abandoned: Cell::new(0),
            connected: Cell::new(0),
            elsewhere: RefCell::default(),
            crowd: Crowd::default(),
            meetings: RefCell::default(),
            has_begun: Cell::new(false),
            drains: Cell::new(false),
            broken: Cell::new(false),
            saturated: Cell::new(At::START),
            result: RefCell::default(),
        })
    }

    /// Sets the drill's start.
    pub(super) fn start_at(&self, zero: At) {
        self.zero.set(zero.as_nanos());
        self.has_begun.set(true);
        let all = self.runners.borrow().len();
        (0..all).for_each(|me| self.wake(me));
    }

    /// Now, on the drill's clock.
    #[inline]
    pub(super) fn now(&self) -> At {
        self.at(self.clock.now())
    }

    /// The drill's start lies ahead.
    pub(super) fn is_early(&self) -> bool {
        self.clock.now().as_nanos() < self.zero.get()
    }

    /// An instant of the machine's clock on the drill's.
    #[inline]
    pub(super) fn at(&self, at: At) -> At {
        At(at.as_nanos().saturating_sub(self.zero.get()))
    }

    /// An instant of the drill's clock on the machine's.
    pub(super) fn on_clock(&self, at: At) -> At {
        At(at.as_nanos().saturating_add(self.zero.get()))
    }

    /// Nanoseconds since 1970.
    pub(super) fn wall(&self) -> u64 {
        self.clock.wall().unix_nanos().saturating_add(self.clock.now().as_nanos())
    }

    /// A visit's task has ended by a defect: whatever it held is lost.
    pub(super) fn note_broken(&self) {
        self.broken.set(true);
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.get()
    }

    // ---- Runners

    /// A runner for a new visit: an idle one, else a new one; none when there are as many as memory is meant for.
    pub(super) fn runner(self: &Rc<Worker>) -> Option<usize> {
        if let Some(me) = self.idle.borrow_mut().pop() {
            return Some(me);
        }
        let mut runners = self.runners.borrow_mut();
        let me = runners.len();
        if me >= self.most_runners {
            return None;
        }
        runners.push(Runner::default());
        tokio::task::spawn_local(visit::run(self.clone(), me));
        Some(me)
    }

    /// Puts a runner back that was not needed.
    pub(super) fn spare(&self, me: usize) {
        self.idle.borrow_mut().push(me);
    }

    pub(super) fn send_off(&self, me: usize, arrival: Arrival) {
        self.with(me, |runner| {
            runner.mail = Some(arrival);
            runner.busy = true;
            runner.cut = None;
        });
        self.wake(me);
    }

    /// The next arrival for runner `me`.
    pub(super) async fn mail(&self, me: usize) -> Arrival {
        std::future::poll_fn(|cx| {
            self.with(me, |runner| {
                // A task's waker is the same for all its life.
                runner.waker.get_or_insert_with(|| cx.waker().clone());
                runner.mail.take().map_or(Poll::Pending, Poll::Ready)
            })
        })
        .await
    }

    /// Has every visit followed by another at once, until `at`.
    pub(super) fn saturate_until(&self, at: At) {
        self.saturated.set(at);
    }

    /// The visit that follows `last` at once, where no schedule says when.
    #[inline]
    pub(super) fn follow(&self, last: &Arrival) -> Option<Arrival> {
        if self.saturated.get() == At::START {
            return None;
        }
        let now = self.now();
        (now < self.saturated.get()).then(|| {
            let mut books = self.books.borrow_mut();
            books.health.planned += 1;
            books.health.released += 1;
            books.health.lag.record(Span::ZERO);
            let k = last.k.wrapping_add(self.runners.borrow().len() as u64);
            Arrival { k, planned: now, released: now, reserved: None, ..*last }
        })
    }

    /// Runner `me` has come to the end of its visit.
    pub(super) fn retire(&self, me: usize) {
        self.with(me, |runner| {
            runner.busy = false;
            runner.flight = None;
            runner.groups.clear();
            runner.ticket = None;
        });
        self.idle.borrow_mut().push(me);
        if self.drains.get() && self.active() == 0 {
            self.call_dispatcher();
        }
    }

    /// The dispatcher is called once the last visit has ended.
    pub(super) fn drains(&self) {
        self.drains.set(true);
    }

    /// Visits that are under way.
    pub(super) fn active(&self) -> usize {
        self.runners.borrow().len() - self.idle.borrow().len()
    }

    pub(super) fn with<T>(&self, me: usize, act: impl FnOnce(&mut Runner) -> T) -> T {
        act(&mut self.runners.borrow_mut()[me])
    }

    pub(super) fn wake(&self, me: usize) {
        self.with(me, |runner| {
            if let Some(waker) = &runner.waker {
                waker.wake_by_ref();
            }
        });
    }

    /// Why the visit of `me` is cut off, if it is.
    #[inline]
    pub(super) fn cut(&self, me: usize) -> Option<Cut> {
        self.with(me, |runner| runner.cut)
    }

    /// `work`, unless the visit is cut off before. It is large, and stays where it is.
    pub(super) async fn unless_cut<F: Future>(&self, me: usize, mut work: Pin<&mut F>) -> Result<F::Output, Cut> {
        std::future::poll_fn(|cx| {
            if let Some(cut) = self.cut(me) {
                return Poll::Ready(Err(cut));
            }
            work.as_mut().poll(cx).map(Ok)
        })
        .await
    }

    /// Waits until `at`, to the microsecond.
    pub(super) async fn think_until(&self, me: usize, at: At) -> Result<(), Cut> {
        if at > self.now() {
            let thought = self.with(me, |runner| {
                runner.woken = false;
                runner.thought = runner.thought.wrapping_add(1);
                runner.thought
            });
            self.thinkers.borrow_mut().push(Reverse((at, me, thought)));
            self.due(at);
            std::future::poll_fn(|_| {
                self.with(me, |runner| match (runner.cut, runner.woken) {
                    (Some(cut), _) => Poll::Ready(Err(cut)),
                    (None, true) => Poll::Ready(Ok(())),
                    (None, false) => Poll::Pending,
                })
            })
            .await?;
        }
        match self.cut(me) {
            Some(cut) => Err(cut),
            None => Ok(()),
        }
    }

    // ---- Requests in flight

    /// Begins a request; it is cut at `deadline`.
    pub(super) fn begin(&self, me: usize, series: Option<SeriesId>, planned: At, deadline: At) {
        let patience = series.map_or(At::MAX, |series| self.books.borrow().patience(series, planned));
        self.with(me, |runner| {
            runner.flight = Some(Flight { series, planned, patience, deadline, settled: false });
        });
        if deadline < self.next_cut.get() {
            self.next_cut.set(deadline);
            self.due(deadline);
        }
    }

    /// A try that was cut by its timeout is over, and the request is not.
    pub(super) fn lift_cut(&self, me: usize) {
        self.with(me, |runner| runner.cut = runner.cut.filter(|cut| *cut != Cut::Timeout));
    }

    /// Sets the instant at which the request is cut.
    pub(super) fn begin_again(&self, me: usize, deadline: At) {
        self.with(me, |runner| {
            if let Some(flight) = &mut runner.flight {
                flight.deadline = deadline;
            }
        });
        if deadline < self.next_cut.get() {
            self.next_cut.set(deadline);
            self.due(deadline);
        }
    }

    /// Ends it. True: its patience was over, and the book of seconds has it.
    pub(super) fn end(&self, me: usize) -> bool {
        let flight = self.with(me, |runner| {
            if runner.cut == Some(Cut::Timeout) {
                runner.cut = None;
            }
            runner.flight.take()
        });
        flight.is_some_and(|flight| flight.settled)
    }

    pub(super) fn next_cut(&self) -> At {
        self.next_cut.get()
    }

    pub(super) fn next_thinker(&self) -> At {
        self.thinkers.borrow().peek().map_or(At::MAX, |Reverse((at, ..))| *at)
    }

    /// Wakes the visit that has thought for long enough.
    pub(super) fn wake_thinker(&self) {
        let Some(Reverse((_, me, thought))) = self.thinkers.borrow_mut().pop() else { return };
        let fits = self.with(me, |runner| {
            let fits = runner.busy && runner.thought == thought;
            runner.woken |= fits;
            fits
        });
        if fits {
            self.wake(me);
        }
    }

    // ---- The dispatcher's ear

    /// Something is due at `at`.
    fn due(&self, at: At) {
        if at < self.waits_for.get() {
            self.call_dispatcher();
        }
    }

    pub(super) fn call_dispatcher(&self) {
        self.waits_for.set(At::START);
        if let Some(waker) = &*self.dispatcher.borrow() {
            waker.wake_by_ref();
        }
    }

    /// The dispatcher waits for `at`, and is called when something is due before.
    pub(super) fn wait_for(&self, at: At, waker: &Waker) {
        self.waits_for.set(at);
        let mut known = self.dispatcher.borrow_mut();
        if known.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    /// True when it was called since.
    pub(super) fn was_called(&self) -> bool {
        self.waits_for.get() == At::START
    }

    // ---- One visit alone

    pub(super) fn set_result(&self, ok: bool, slots: Slots) {
        *self.result.borrow_mut() = Some((ok, slots));
    }

    pub(super) fn result(&self) -> Option<(bool, Slots)> {
        self.result.take()
    }

    pub(super) fn exchanges(&self) -> Vec<Exchange> {
        self.transcript.as_ref().map(RefCell::take).unwrap_or_default()
    }
}
