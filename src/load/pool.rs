use std::collections::VecDeque;

use crate::base::units::Span;
use crate::record::UnsentKind;
use crate::wire::Connection;

/// The right to one connection of a pool.
#[derive(Debug)]
pub(super) enum Ticket {
    /// This one, which was open a moment ago.
    Use(Connection),
    /// One that the holder makes.
    Open,
}

#[derive(Debug)]
pub(super) enum Taken {
    Ticket(Ticket),
    /// The runner stands in the queue and is handed a ticket later.
    Queued,
    /// Neither a connection nor a place in the queue is free.
    Full,
}

/// One worker's connections to one endpoint. Whoever is idle last is used first, so that few stay warm at low rates.
pub(super) struct Pool {
    idle: Vec<Connection>,
    /// Idle, in use, or being made.
    open: usize,
    max: usize,
    queue: VecDeque<usize>,
    queue_max: usize,
    /// A connection this old is closed.
    age: Option<Span>,
    /// Whose fault it is when an arrival finds the pool full.
    pub full: UnsentKind,
}

impl Pool {
    pub(super) fn new(max: usize, queue_max: usize, full: UnsentKind) -> Pool {
        Pool { idle: Vec::new(), open: 0, max, queue: VecDeque::new(), queue_max, age: None, full }
    }

    pub(super) fn closing_after(self, age: Option<Span>) -> Pool {
        Pool { age, ..self }
    }

    /// Whether another request may go out on `connection`.
    pub(super) fn keeps(&self, connection: &mut Connection) -> bool {
        connection.is_open() && self.age.is_none_or(|age| connection.age() < age)
    }

    /// A connection for `runner`, or a place in the queue. To a new visitor, only the right to make one.
    pub(super) fn take(&mut self, runner: usize, new: bool) -> Taken {
        if new && self.open >= self.max && self.idle.pop().is_some() {
            // In its place, which is counted already.
            return Taken::Ticket(Ticket::Open);
        }
        while !new && let Some(mut connection) = self.idle.pop() {
            if self.keeps(&mut connection) {
                return Taken::Ticket(Ticket::Use(connection));
            }
            self.open -= 1;
        }
        if self.open < self.max {
            self.open += 1;
            Taken::Ticket(Ticket::Open)
        } else if self.queue.len() < self.queue_max {
            self.queue.push_back(runner);
            Taken::Queued
        } else {
            Taken::Full
        }
    }

    /// A connection comes back, open or not; its ticket goes to whoever waits longest.
    pub(super) fn give_back(&mut self, mut connection: Connection) -> Option<(usize, Ticket)> {
        if !connection.is_sound() {
            return self.give_up();
        }
        // Whoever takes it from the idle ones looks at it then.
        match self.queue.pop_front() {
            Some(runner) if self.keeps(&mut connection) => Some((runner, Ticket::Use(connection))),
            Some(runner) => Some((runner, Ticket::Open)),
            None => {
                self.idle.push(connection);
                None
            }
        }
    }

    /// A connection is gone, or was never made.
    pub(super) fn give_up(&mut self) -> Option<(usize, Ticket)> {
        match self.queue.pop_front() {
            Some(runner) => Some((runner, Ticket::Open)),
            None => {
                self.open -= 1;
                None
            }
        }
    }

    /// The runner waits no longer.
    pub(super) fn leave(&mut self, runner: usize) {
        // Whoever gives up has mostly waited longest, so it is found at once.
        if let Some(at) = self.queue.iter().position(|waiting| *waiting == runner) {
            self.queue.remove(at);
        }
    }

    /// Lets go of idle connections that the other end has closed, or that are too old.
    pub(super) fn sweep(&mut self) {
        let mut idle = std::mem::take(&mut self.idle);
        let before = idle.len();
        idle.retain_mut(|connection| self.keeps(connection));
        self.open -= before - idle.len();
        self.idle = idle;
    }

    pub(super) fn open(&self) -> usize {
        self.open
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// A connection that nobody has asked for yet.
    pub(super) fn add_warm(&mut self, connection: Connection) {
        self.open += 1;
        self.idle.push(connection);
    }
}

/// Worker `index`'s part of `total`, when it is dealt out to `workers`.
pub(super) fn share(total: u32, index: u16, workers: u16) -> usize {
    let (total, index, workers) = (total as usize, usize::from(index), usize::from(workers.max(1)));
    total / workers + usize::from(index < total % workers)
}
