//! A visit's connections: taken from the pool, made, and given back.

use std::pin::pin;
use std::task::Poll;

use super::books::Outcome;
use super::exchange::{Why, abandoned};
use super::pool::{Taken, Ticket};
use super::visit::Visit;
use super::worker::{Cut, Worker};
use crate::base::rng::{Key, Purpose};
use crate::base::units::Span;
use crate::plan::{EndpointId, LoadId};
use crate::record::{BadKind, UnsentKind};
use crate::wire::{Connection, Dialled, WireError};

impl Worker {
    /// Whether arrival `k` is a new visitor to this endpoint. One number for all endpoints: who is new to one is new to
    /// any with as large a share.
    pub(super) fn is_new(&self, load: Option<LoadId>, k: u64, endpoint: EndpointId) -> bool {
        let share = self.new.get(endpoint.index()).copied().unwrap_or(0.0);
        let Some(load) = load.filter(|_| share > 0.0) else { return false };
        Key::new(self.seed, load.0, k).stream(Purpose::Visitor, 0).unit() < share
    }

    pub(super) fn take(&self, me: usize, endpoint: EndpointId, new: bool) -> Taken {
        let taken = self.pools.borrow_mut()[endpoint.index()].take(me, new);
        match taken {
            Taken::Ticket(ticket) => {
                self.with(me, |runner| runner.ticket = Some(ticket));
                // Picked up by `ticket`, as one that is handed over later is.
                Taken::Queued
            }
            other => other,
        }
    }

    /// The ticket that [`Worker::take`] has promised.
    pub(super) async fn ticket(&self, me: usize) -> Result<Ticket, Cut> {
        std::future::poll_fn(|_| {
            self.with(me, |runner| match runner.cut {
                // A ticket that comes as the visit is cut off is left to whoever can still use it.
                Some(cut) => Poll::Ready(Err(cut)),
                None => runner.ticket.take().map_or(Poll::Pending, |ticket| Poll::Ready(Ok(ticket))),
            })
        })
        .await
    }

    /// Lets go of what [`Worker::take`] has promised.
    pub(super) fn leave(&self, me: usize, endpoint: EndpointId) {
        match self.with(me, |runner| runner.ticket.take()) {
            Some(Ticket::Use(connection)) => self.give_back(endpoint, connection),
            Some(Ticket::Open) => self.give_up(endpoint),
            None => self.pools.borrow_mut()[endpoint.index()].leave(me),
        }
    }

    pub(super) fn give_back(&self, endpoint: EndpointId, connection: Connection) {
        let next = self.pools.borrow_mut()[endpoint.index()].give_back(connection);
        self.hand_over(next);
    }

    /// A connection that was opened before the load begins.
    pub(super) fn add_warm(&self, endpoint: EndpointId, connection: Connection) {
        self.pools.borrow_mut()[endpoint.index()].add_warm(connection);
    }

    pub(super) fn give_up(&self, endpoint: EndpointId) {
        let next = self.pools.borrow_mut()[endpoint.index()].give_up();
        self.hand_over(next);
    }

    fn hand_over(&self, next: Option<(usize, Ticket)>) {
        if let Some((runner, ticket)) = next {
            self.with(runner, |runner| runner.ticket = Some(ticket));
            self.wake(runner);
        }
    }

    /// Whose fault it is that the pool is full.
    pub(super) fn full(&self, endpoint: EndpointId) -> UnsentKind {
        self.pools.borrow()[endpoint.index()].full
    }

    pub(super) fn note_connected(&self) {
        self.connected.set(self.connected.get() + 1);
    }
}

/// A connection that could not be made.
pub(super) fn undialled(error: WireError) -> (Outcome, Why) {
    let outcome = match &error {
        WireError::OpenFiles => Outcome::Unsent(UnsentKind::OpenFiles),
        WireError::Ports => Outcome::Unsent(UnsentKind::Ports),
        WireError::Memory => Outcome::Unsent(UnsentKind::Memory),
        WireError::Forbidden { .. } | WireError::ForbiddenSocket(_) => Outcome::Bad(BadKind::Forbidden),
        _ => Outcome::Bad(BadKind::Connect),
    };
    (outcome, error.into())
}

impl Visit<'_> {
    pub(super) async fn connection(
        &mut self,
        endpoint: EndpointId,
        limit: Span,
        dialled: &mut Option<Dialled>,
    ) -> Result<Connection, (Outcome, Why)> {
        if let Some((_, own)) = self.values.own.iter_mut().find(|(known, _)| *known == endpoint) {
            if let Some(mut connection) = own.take()
                && self.worker.pools.borrow()[endpoint.index()].keeps(&mut connection)
            {
                return Ok(connection);
            }
            return self.dial(endpoint, limit, dialled).await;
        }
        let new = self.is_new(endpoint);
        if let Some(other) = self.arrival.reserved.take_if(|reserved| *reserved != endpoint) {
            // What was kept for a step that came to nothing is not for this one.
            self.worker.leave(self.me, other);
        }
        if self.arrival.reserved.take_if(|reserved| *reserved == endpoint).is_none()
            && let Taken::Full = self.worker.take(self.me, endpoint, new)
        {
            return Err((Outcome::Unsent(self.worker.full(endpoint)), Why::QueueFull));
        }
        let ticket = match self.worker.ticket(self.me).await {
            Ok(ticket) => ticket,
            Err(cut) => {
                self.worker.leave(self.me, endpoint);
                return Err(match cut {
                    Cut::Timeout => (Outcome::Unsent(self.worker.full(endpoint)), Why::Full(limit)),
                    Cut::Drained => (Outcome::Unsent(self.worker.full(endpoint)), Why::Drained),
                    Cut::Stopped => (Outcome::Unsent(UnsentKind::Stopped), Why::Stopped),
                });
            }
        };
        if self.is_own(endpoint) {
            self.values.own.push((endpoint, None));
        }
        match ticket {
            Ticket::Use(connection) if !new => Ok(connection),
            // A new visitor makes one in place of what was handed over to it.
            Ticket::Use(_) | Ticket::Open => self.dial(endpoint, limit, dialled).await,
        }
    }

    /// Makes the connection that this visit has the right to.
    pub(super) async fn dial(
        &mut self,
        endpoint: EndpointId,
        limit: Span,
        dialled: &mut Option<Dialled>,
    ) -> Result<Connection, (Outcome, Why)> {
        let origin = &self.worker.places[endpoint.index()].origin;
        let own = self.is_own(endpoint).then(|| self.values.key());
        // What comes before and after a load is in no hurry, and in no figure.
        let slow = self.lane.load.and_then(|_| self.worker.slow.rate(endpoint, own));
        let made = self.worker.unless_cut(self.me, pin!(self.worker.door.connect_reading(origin, slow))).await;
        let failed = match made {
            Ok(Ok((connection, took))) => {
                self.worker.note_connected();
                *dialled = Some(took);
                return Ok(connection);
            }
            Ok(Err(error)) => undialled(error),
            Err(cut) => abandoned(cut, limit),
        };
        if !self.is_own(endpoint) {
            self.worker.give_up(endpoint);
        }
        Err(failed)
    }

    pub(super) fn is_own(&self, endpoint: EndpointId) -> bool {
        self.lane.kept || self.worker.per_visit[endpoint.index()] || self.is_new(endpoint)
    }

    fn is_new(&self, endpoint: EndpointId) -> bool {
        self.worker.is_new(self.lane.load, self.arrival.k, endpoint)
    }

    pub(super) fn put_back(&mut self, endpoint: EndpointId, connection: Connection) {
        match self.values.own.iter_mut().find(|(known, _)| *known == endpoint) {
            Some((_, own)) => *own = Some(connection),
            None => self.worker.give_back(endpoint, connection),
        }
    }

    pub(super) fn throw_away(&mut self, endpoint: EndpointId, connection: Connection) {
        drop(connection);
        if !self.is_own(endpoint) {
            self.worker.give_up(endpoint);
        }
    }
}
