use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;

use crate::base::clock::{Clock, Spin};
use crate::base::units::At;

/// Wakes any number of tasks of one thread, each at its instant, by one alarm: some microseconds late instead of tokio's millisecond.
#[derive(Debug, Clone)]
pub(super) struct Timer(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    waiting: RefCell<BTreeMap<(At, u64), Waker>>,
    next: Cell<u64>,
    sooner: Notify,
}

impl Timer {
    /// To be made within the thread's `LocalSet`, which drives it.
    pub(super) fn start(clock: &Clock) -> io::Result<Timer> {
        let mut alarm = clock.alarm(Spin::Off)?;
        let inner = Rc::new(Inner {
            clock: clock.clone(),
            waiting: RefCell::default(),
            next: Cell::new(0),
            sooner: Notify::new(),
        });
        let drives = inner.clone();
        tokio::task::spawn_local(async move {
            loop {
                let first = drives.waiting.borrow().first_key_value().map(|((at, _), _)| *at);
                match first {
                    None => drives.sooner.notified().await,
                    Some(at) => tokio::select! {
                        () = alarm.wait_until(at) => drives.wake(),
                        () = drives.sooner.notified() => {}
                    },
                }
            }
        });
        Ok(Timer(inner))
    }

    pub(super) fn now(&self) -> At {
        self.0.clock.now()
    }

    /// Waits until `at`; never early.
    pub(super) fn until(&self, at: At) -> Until<'_> {
        Until { timer: &self.0, at, entered: None }
    }
}

impl Inner {
    fn wake(&self) {
        let now = self.clock.now();
        let mut waiting = self.waiting.borrow_mut();
        while let Some(entry) = waiting.first_entry().filter(|entry| entry.key().0 <= now) {
            entry.remove().wake();
        }
    }
}

#[derive(Debug)]
#[must_use]
pub(super) struct Until<'t> {
    timer: &'t Inner,
    at: At,
    entered: Option<u64>,
}

impl Future for Until<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.timer.clock.now() >= self.at {
            return Poll::Ready(());
        }
        let id = self.entered.unwrap_or_else(|| {
            self.timer.next.set(self.timer.next.get() + 1);
            self.timer.next.get()
        });
        self.entered = Some(id);
        let mut waiting = self.timer.waiting.borrow_mut();
        let was_first = waiting.first_key_value().map(|(key, _)| *key);
        waiting.insert((self.at, id), context.waker().clone());
        if was_first.is_none_or(|first| (self.at, id) < first) {
            self.timer.sooner.notify_one();
        }
        Poll::Pending
    }
}

impl Drop for Until<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.entered {
            self.timer.waiting.borrow_mut().remove(&(self.at, id));
        }
    }
}
