//! One user, on the worker's thread: launched at its instant, it goes through one journey after another with its own cookies
//! and connections until its time is over. Every next journey waits until its scheduler asks for it.

use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::{Notify, mpsc, oneshot};

use crate::base::rng::{Key, Purpose, Weighted};
use crate::base::units::{At, Span};
use crate::load::visit::{Alarm, Fate, Values, Visit};
use crate::load::worker::{Arrival, Worker};
use crate::plan::{Life, LoadId};

/// A user whose first steps were not ok tries them again no sooner.
const AGAIN: Span = Span::SECOND;

/// Asked by a user of the scheduler; answered once it was launched, or a journey is done: whether another may follow.
pub(super) type Asked = oneshot::Sender<bool>;

/// What the users of a load have in common.
pub(super) struct House {
    pub load: LoadId,
    /// How many users come in all.
    pub total: u64,
    pub pace: Span,
    /// By the lanes, which begin with the journeys of the mix.
    pub mix: Weighted,
    /// The lane of what each user does before its first journey.
    pub first: Option<usize>,
    /// … and of what it does again between two journeys, when so long has passed.
    pub refresh: Option<(Span, usize)>,
    /// The slots of what these capture: known to every journey after them.
    pub kept: Vec<u32>,
    pub ready: Cell<u64>,
    pub all_ready: Notify,
}

pub(super) struct User {
    pub house: Rc<House>,
    pub worker: Rc<Worker>,
    /// Its runner, for all its life.
    pub me: usize,
    pub number: u64,
    pub life: Life,
    pub asked: mpsc::UnboundedReceiver<Asked>,
}

impl User {
    /// From the moment that the scheduler's user stands ready to the end of its last journey.
    pub(super) async fn live(mut self) {
        let _alarm = Alarm::new(&self.worker);
        if let Some(asked) = self.asked.recv().await {
            let ready = self.house.ready.get() + 1;
            self.house.ready.set(ready);
            if ready == self.house.total {
                self.house.all_ready.notify_one();
            }
            let last = self.launched(asked).await;
            if let Some(last) = last {
                let _ = last.send(false);
            }
        }
        self.worker.retire(self.me);
    }

    /// Gives what was asked last, to be answered when nothing is left of the user.
    async fn launched(&mut self, mut asked: Asked) -> Option<Asked> {
        self.worker.begun(self.me).await;
        if !self.rest_until(self.life.from).await {
            return Some(asked);
        }
        self.worker.close_before(self.worker.now());
        self.worker.crowd.launch();
        let mut values = Values::default();
        let (mut begun, mut wait): (Option<At>, Span) = (None, Span::ZERO);
        // Since when it needs no refresh; none before its first steps are done.
        let mut fresh = self.house.first.is_none().then(|| self.worker.now());
        let mut turn = 0;
        let last = loop {
            let _ = asked.send(true);
            match self.asked.recv().await {
                Some(next) => asked = next,
                None => break None,
            }
            let due = begun.map_or(At::START, |begun| begun + wait);
            if !self.rest_until(due.min(self.life.until)).await || self.worker.now() >= self.life.until {
                break Some(asked);
            }
            begun = Some(self.worker.now());
            wait = self.house.pace;
            if self.prepare(turn, &mut fresh, &mut values).await {
                self.visit(self.lane(turn), turn, &mut values).await;
            } else {
                wait = wait.max(AGAIN);
            }
            if self.worker.cut(self.me).is_some() {
                break Some(asked);
            }
            turn += 1;
        };
        values.let_go(&self.worker);
        self.worker.close_before(self.worker.now());
        self.worker.crowd.end();
        last
    }

    /// Waits between two journeys; false when the load is over.
    async fn rest_until(&self, at: At) -> bool {
        if self.worker.crowd.is_over() {
            return false;
        }
        self.worker.rest(self.me, true);
        // Before the drill's start its clock stands at 0: a user that is due then waits for the start, too.
        let rested = self.worker.think_until(self.me, at.max(At(1))).await;
        self.worker.rest(self.me, false);
        rested.is_ok() && !self.worker.crowd.is_over()
    }

    /// What comes before a journey: the user's first steps, or those that it does again and again. False while the first
    /// have not been ok: without them a journey would say nothing about the platform.
    async fn prepare(&self, turn: u64, fresh: &mut Option<At>, values: &mut Values) -> bool {
        let now = self.worker.now();
        let lane = match (*fresh, self.house.first, self.house.refresh) {
            (None, Some(first), _) => first,
            (Some(since), _, Some((every, lane))) if now.since(since) >= every => lane,
            _ => return true,
        };
        let turn = if fresh.is_some() { turn } else { 0 };
        if self.visit(lane, turn, values).await {
            *fresh = Some(now);
        }
        fresh.is_some() && self.worker.cut(self.me).is_none()
    }

    /// The number that decides everything about the user's journey number `turn`: of an arrival of its load. What it does
    /// first is the same however often it tries.
    fn arrival(&self, turn: u64) -> u64 {
        turn.saturating_mul(self.house.total).saturating_add(self.number)
    }

    /// The lane of that journey.
    fn lane(&self, turn: u64) -> usize {
        let key = Key::new(self.worker.seed, self.house.load.0, self.arrival(turn));
        self.house.mix.draw(&mut key.stream(Purpose::Mix, 0))
    }

    /// Goes through a lane's journey once; true when it was ok.
    async fn visit(&self, lane_index: usize, turn: u64, values: &mut Values) -> bool {
        let worker = &*self.worker;
        let Some(lane) = worker.lanes.get(lane_index) else { return false };
        let Some(program) = worker.programs.get(lane.program) else { return false };
        let now = worker.now();
        let arrival = Arrival { lane: lane_index, k: self.arrival(turn), planned: now, released: now, reserved: None };
        let kept: Vec<_> = self.house.kept.iter().map(|slot| values.take(*slot)).collect();
        values.reset(worker, lane, program, &arrival);
        for (slot, (value, secret)) in self.house.kept.iter().zip(kept) {
            values.put(*slot, value, secret);
        }
        // Where this visit comes as a new visitor, it comes without what the user has open, and makes another in its place.
        for (_, own) in values.own.iter_mut().filter(|(endpoint, _)| worker.is_new(lane.load, arrival.k, *endpoint)) {
            *own = None;
        }
        let mut visit = Visit { worker, me: self.me, lane, program, arrival, values };
        let fate = visit.walk().await;
        visit.close(fate);
        fate == Fate::Ok
    }
}
