use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use super::{Clock, Kind, Wall};
use crate::base::units::{At, Span};

/// How often [`SimClock::advance_to`] lets the other tasks run between two instants: enough for a chain of that many
/// tasks, each waking the next.
const TURNS: usize = 64;

/// Time moved by hand. Whoever sleeps on its [`Clock`] wakes when time is moved to its instant: in the order of the
/// instants, then in the order of falling asleep, always the same.
#[derive(Debug, Clone, Default)]
pub struct SimClock(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct State {
    now: At,
    next_id: u64,
    sleepers: BTreeMap<(At, u64), Waker>,
}

impl SimClock {
    /// Stands at the start.
    pub fn new() -> SimClock {
        SimClock::default()
    }

    /// The clock to hand to the code under test.
    pub fn clock(&self) -> Clock {
        Clock(Kind::Simulated(self.clone(), Span::ZERO))
    }

    pub fn now(&self) -> At {
        self.lock().now
    }

    /// The instant of the one who will wake next.
    pub fn next_sleeper(&self) -> Option<At> {
        self.lock().sleepers.keys().next().map(|(at, _)| *at)
    }

    /// Moves time on to `at`, stopping at each instant on the way that someone waits for, and letting the other tasks
    /// of a `current_thread` runtime run there; also those who fall asleep on the way and are due before `at`.
    pub async fn advance_to(&self, at: At) {
        self.settle().await;
        while let Some(due) = self.next_sleeper().filter(|due| *due <= at) {
            self.jump_to(due);
            self.settle().await;
        }
        self.jump_to(at);
        self.settle().await;
    }

    /// Moves time on by `span`, as [`SimClock::advance_to`].
    pub async fn advance(&self, span: Span) {
        self.advance_to(self.now() + span).await;
    }

    /// Moves time to `at` in one go and wakes everyone who is due by then. For tests without a runtime.
    pub fn jump_to(&self, at: At) {
        let mut state = self.lock();
        state.now = state.now.max(at);
        let now = state.now;
        let later = state.sleepers.split_off(&(now + Span::nanos(1), 0));
        let due = std::mem::replace(&mut state.sleepers, later);
        drop(state);
        for waker in due.into_values() {
            waker.wake();
        }
        self.0.moved.notify_all();
    }

    pub(super) fn wall(&self) -> Wall {
        Wall::from_unix_nanos(1_781_814_600_000_000_000)
    }

    pub(super) fn sleep_until(&self, at: At) -> impl Future<Output = ()> + Send + 'static {
        SimSleep { clock: self.clone(), at, id: None }
    }

    pub(super) fn block_until(&self, at: At) {
        let mut state = self.lock();
        while state.now < at {
            state = self.0.moved.wait(state).expect("nothing panics while it holds this lock");
        }
    }

    async fn settle(&self) {
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("nothing panics while it holds this lock")
    }
}

struct SimSleep {
    clock: SimClock,
    at: At,
    id: Option<u64>,
}

impl Future for SimSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let clock = self.clock.clone();
        let mut state = clock.lock();
        if state.now >= self.at {
            if let Some(id) = self.id.take() {
                state.sleepers.remove(&(self.at, id));
            }
            return Poll::Ready(());
        }
        let id = *self.id.get_or_insert_with(|| {
            state.next_id += 1;
            state.next_id
        });
        state.sleepers.insert((self.at, id), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for SimSleep {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.clock.lock().sleepers.remove(&(self.at, id));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::base::clock::{Elapsed, Spin};

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
    }

    #[test]
    fn sleepers_wake_in_the_order_of_their_instants_and_see_their_own_instant() {
        runtime().block_on(async {
            let sim = SimClock::new();
            let seen = Arc::new(Mutex::new(Vec::new()));
            for (name, first, then) in [("c", 30, 5), ("a", 10, 15), ("b", 10, 100)] {
                let (clock, seen) = (sim.clock(), seen.clone());
                tokio::spawn(async move {
                    for millis in [first, then] {
                        clock.sleep(Span::millis(millis)).await;
                        seen.lock().unwrap().push((name, Span(clock.now().as_nanos()).as_millis()));
                    }
                });
            }
            sim.advance_to(At(40_000_000)).await;
            assert_eq!(*seen.lock().unwrap(), [("a", 10), ("b", 10), ("a", 25), ("c", 30), ("c", 35)]);
            assert_eq!(sim.now(), At(40_000_000));
            assert_eq!(sim.next_sleeper(), Some(At(110_000_000)));
        });
    }

    #[test]
    fn timeouts_and_alarms_hang_on_simulated_time() {
        runtime().block_on(async {
            let sim = SimClock::new();
            let clock = sim.clock();
            let late = tokio::spawn({
                let clock = clock.clone();
                async move { clock.timeout(Span::seconds(30), std::future::pending::<()>()).await }
            });
            let alarm = tokio::spawn({
                let clock = clock.clone();
                async move {
                    let mut alarm = clock.alarm(Spin::On).unwrap();
                    alarm.wait_until(At(2_000_000_000)).await;
                    clock.now()
                }
            });
            sim.advance(Span::seconds(29)).await;
            assert_eq!(alarm.await.unwrap(), At(2_000_000_000));
            assert!(!late.is_finished());
            sim.advance(Span::seconds(1)).await;
            assert_eq!(late.await.unwrap(), Err(Elapsed));
            assert_eq!(sim.next_sleeper(), None, "a dropped sleeper leaves nothing behind");
        });
    }

    #[test]
    fn a_blocked_thread_wakes_too() {
        let sim = SimClock::new();
        let clock = sim.clock();
        let blocked = std::thread::spawn(move || clock.block_until(At(5_000_000_000)));
        sim.jump_to(At(4_999_999_999));
        assert!(!blocked.is_finished());
        sim.jump_to(At(5_000_000_000));
        blocked.join().unwrap();
    }
}
