use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::rc::Rc;

use tokio::sync::mpsc::UnboundedSender;

use super::http::Asked;
use crate::base::log;
use crate::base::rng::{Key, Purpose, Stream};
use crate::base::units::{At, Share};
use crate::plan::{Direction, Flaw, FlawKind, Only};

/// A flaw that is, or was, in force on a link.
#[derive(Debug)]
pub(super) struct Live {
    /// Given by whoever asked for it.
    pub(super) id: u64,
    pub(super) flaw: Flaw,
    /// Decides whom it bites.
    key: Key,
    /// Requests that it might have bitten so far.
    met: Cell<u64>,
    over: Cell<bool>,
    bites: Cell<u64>,
    /// Bytes that it keeps from passing now.
    held: Cell<usize>,
    tell: UnboundedSender<Bite>,
}

/// A flaw was seen to bite for the first time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bite {
    pub(super) id: u64,
    pub(super) at: At,
}

impl Live {
    pub(super) fn new(id: u64, flaw: Flaw, key: Key, tell: &UnboundedSender<Bite>) -> Live {
        Live {
            id,
            flaw,
            key,
            met: Cell::new(0),
            over: Cell::new(false),
            bites: Cell::new(0),
            held: Cell::new(0),
            tell: tell.clone(),
        }
    }

    /// Numbers of its own for the `turn`-th thing that it does.
    pub(super) fn stream(&self, turn: u64) -> Stream {
        self.key.stream(Purpose::Flaw, turn)
    }

    fn draws(&self, turn: u64) -> bool {
        let Share(share) = self.flaw.share;
        share >= 1.0 || self.key.stream(Purpose::Bitten, turn).unit() < share
    }

    /// Whether it is meant for this connection as a whole.
    pub(super) fn bites_connection(&self, number: u64) -> bool {
        !self.over.get() && self.draws(number)
    }

    /// Whether it is meant for this request. To be asked once for each, in their order.
    pub(super) fn bites_request(&self, asked: &Asked<'_>) -> bool {
        let only = &self.flaw.only;
        let one_of = |list: &[String], fits: &dyn Fn(&str) -> bool| list.is_empty() || list.iter().any(|one| fits(one));
        if self.over.get()
            || !one_of(&only.methods, &|method| method.eq_ignore_ascii_case(asked.method))
            || !one_of(&only.paths, &|pattern| log::fits(pattern, asked.target))
        {
            return false;
        }
        let met = self.met.get();
        self.met.set(met + 1);
        only.first.is_none_or(|first| met < first)
            && only.every.is_none_or(|every| (met + 1).is_multiple_of(every.max(1)))
            && self.draws(met)
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.get()
    }

    pub(super) fn end(&self) {
        self.over.set(true);
    }

    /// In force, and looking at what goes this way.
    pub(super) fn acts(&self, way: Direction) -> bool {
        !self.over.get() && way.is_in(self.flaw.direction)
    }

    /// It was seen to bite.
    pub(super) fn bit(&self, now: At) {
        let before = self.bites.replace(self.bites.get() + 1);
        if before == 0 {
            // Nobody may want to know.
            let _ = self.tell.send(Bite { id: self.id, at: now });
        }
    }

    pub(super) fn bites(&self) -> u64 {
        self.bites.get()
    }

    pub(super) fn holds(&self, bytes: usize) {
        self.held.set(self.held.get() + bytes);
    }

    pub(super) fn lets_go(&self, bytes: usize) {
        self.held.set(self.held.get().saturating_sub(bytes));
    }

    pub(super) fn held(&self) -> usize {
        self.held.get()
    }
}

/// The flaws that a connection, or a request with its answer, has to do with. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Fate(Option<Rc<[Bond]>>);

/// A flaw, and whom it is meant for.
#[derive(Debug)]
pub(super) struct Bond {
    pub(super) live: Rc<Live>,
    /// Of a request it bites once, however many pieces that comes in.
    of_request: bool,
    bitten: Cell<bool>,
}

impl Bond {
    /// It was seen to bite.
    pub(super) fn bit(&self, now: At) {
        if !(self.bitten.replace(true) && self.of_request) {
            self.live.bit(now);
        }
    }
}

impl Deref for Bond {
    type Target = Live;

    fn deref(&self) -> &Live {
        &self.live
    }
}

impl Fate {
    fn new(flaws: impl Iterator<Item = Rc<Live>>, of_request: bool) -> Fate {
        let bonds: Vec<Bond> = flaws.map(|live| Bond { live, of_request, bitten: Cell::new(false) }).collect();
        Fate((!bonds.is_empty()).then(|| bonds.into()))
    }

    /// Those in force that look at what goes this way, in the order in which they were set.
    pub(super) fn acting(&self, way: Direction) -> impl Iterator<Item = &Bond> {
        self.all().filter(move |bond| bond.acts(way))
    }

    /// Those in force.
    pub(super) fn in_force(&self) -> impl Iterator<Item = &Bond> {
        self.all().filter(|bond| !bond.is_over())
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Bond> {
        self.0.iter().flat_map(|flaws| flaws.iter())
    }

    pub(super) fn is_free(&self) -> bool {
        self.0.is_none()
    }
}

/// What is wrong with a link now.
#[derive(Debug, Default)]
pub(super) struct Lives(RefCell<Vec<Rc<Live>>>);

impl Lives {
    /// Takes one in, in the place of `instead`, which is over from then on.
    pub(super) fn put(&self, instead: Option<u64>, live: Rc<Live>) {
        let mut lives = self.0.borrow_mut();
        match instead.and_then(|id| lives.iter_mut().find(|known| known.id == id)) {
            Some(place) => std::mem::replace(place, live).end(),
            None => lives.push(live),
        }
    }

    /// Takes one out, which is over from then on.
    pub(super) fn remove(&self, id: u64) -> Option<Rc<Live>> {
        let mut lives = self.0.borrow_mut();
        let at = lives.iter().position(|live| live.id == id)?;
        let live = lives.remove(at);
        live.end();
        Some(live)
    }

    /// Those that let nobody in.
    pub(super) fn refusing(&self) -> Vec<Rc<Live>> {
        self.0.borrow().iter().filter(|live| live.flaw.kind == FlawKind::Refuse).cloned().collect()
    }

    pub(super) fn of_connection(&self, number: u64) -> Fate {
        Fate::new(self.0.borrow().iter().filter(|live| live.bites_connection(number)).cloned(), false)
    }

    /// Of a connection whose requests, of HTTP/2, have fates of their own: what is wrong with its bytes.
    pub(super) fn of_bytes(&self, number: u64) -> Fate {
        let meant = |live: &Rc<Live>| acts_on_bytes(&live.flaw) && live.bites_connection(number);
        Fate::new(self.0.borrow().iter().filter(|live| meant(live)).cloned(), false)
    }

    /// Of a request of HTTP/2: what is not wrong with the bytes of its connection. To be asked once for each, in their order.
    pub(super) fn of_stream(&self, asked: &Asked<'_>) -> Fate {
        let meant = |live: &Rc<Live>| !is_of_bytes(&live.flaw.kind) && live.bites_request(asked);
        Fate::new(self.0.borrow().iter().filter(|live| meant(live)).cloned(), true)
    }

    pub(super) fn of_request(&self, asked: &Asked<'_>) -> Fate {
        if self.0.borrow().is_empty() {
            return Fate::default();
        }
        Fate::new(self.0.borrow().iter().filter(|live| live.bites_request(asked)).cloned(), true)
    }
}

/// Requests of HTTP/2 lie among each other in the bytes of one connection: these have no way to bite one and not the other.
fn is_of_bytes(kind: &FlawKind) -> bool {
    matches!(
        kind,
        FlawKind::Throttle { .. }
            | FlawKind::Slice { .. }
            | FlawKind::CloseAfter { .. }
            | FlawKind::SlowClose { .. }
            | FlawKind::Refuse
    )
}

/// What is meant for some requests only must not bite those beside them.
fn acts_on_bytes(flaw: &Flaw) -> bool {
    is_of_bytes(&flaw.kind) && flaw.only == Only::default()
}
