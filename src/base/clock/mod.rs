//! The only reader of time. A [`Clock`] tells how long ago the drill started and lets tasks wait; it is the machine's
//! monotonic clock or a [`SimClock`] that a test moves by hand. An [`Alarm`] wakes a dispatcher to the microsecond.
//!
//! Uses `host` for the kernel's clocks and timers, which is why `host` stands above it in the order of imports.
//!
//! Leaves to others: what happens at an instant. Nothing outside this room may name `std::time::Instant`,
//! `SystemTime`, `thread::sleep` or `tokio::time`; `clippy.toml` holds that.
#![allow(clippy::disallowed_methods)]

mod alarm;
mod sim;
mod step;
mod wall;

use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;

pub use alarm::{Alarm, Spin};
pub use sim::SimClock;
pub use step::{ClockStep, StepWatch};
pub use wall::Wall;

use crate::base::host;
use crate::base::units::{At, Span};

/// Time as the drill counts it: nanoseconds after its single start instant. Cloning is cheap; all clones agree.
#[derive(Debug, Clone)]
pub struct Clock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Real(Real),
    /// With the start's offset on the simulated time.
    Simulated(SimClock, Span),
}

#[derive(Debug, Clone, Copy)]
struct Real {
    /// The start as `CLOCK_MONOTONIC` nanoseconds, which timerfd understands.
    start: u64,
    /// The same instant for tokio's timers.
    start_std: Instant,
    wall: Wall,
}

/// The time that was allowed has passed before the work was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not done within the time allowed")]
pub struct Elapsed;

impl Clock {
    /// The machine's clock, with the start instant now.
    pub fn start() -> Clock {
        Clock(Kind::Real(Real {
            start: host::monotonic_nanos(),
            start_std: Instant::now(),
            wall: Wall::from_unix_nanos(host::realtime_nanos()),
        }))
    }

    /// The same clock with its start at `zero`, which may lie ahead: until then it shows 0.
    pub fn restarted(&self, zero: At) -> Clock {
        let by = zero.since(At::START);
        match &self.0 {
            Kind::Real(real) => Clock(Kind::Real(Real {
                start: real.start.saturating_add(by.as_nanos()),
                start_std: real.start_std.checked_add(by.to_std()).unwrap_or(real.start_std),
                wall: Wall::from_unix_nanos(real.wall.unix_nanos().saturating_add(by.as_nanos())),
            })),
            Kind::Simulated(sim, before) => Clock(Kind::Simulated(sim.clone(), *before + by)),
        }
    }

    /// Now, as the offset from the start. Never goes back.
    #[inline]
    pub fn now(&self) -> At {
        match &self.0 {
            Kind::Real(real) => real.now(),
            Kind::Simulated(sim, zero) => At(sim.now().since(At(zero.as_nanos())).as_nanos()),
        }
    }

    /// An instant as the machine's monotonic clock shows it, which all its processes share.
    pub fn monotonic(&self, at: At) -> u64 {
        match &self.0 {
            Kind::Real(real) => real.start.saturating_add(at.as_nanos()),
            Kind::Simulated(_, zero) => at.as_nanos().saturating_add(zero.as_nanos()),
        }
    }

    /// The instant at which the machine's monotonic clock shows `nanos`.
    pub fn at_monotonic(&self, nanos: u64) -> At {
        match &self.0 {
            Kind::Real(real) => At(nanos.saturating_sub(real.start)),
            Kind::Simulated(_, zero) => At(nanos.saturating_sub(zero.as_nanos())),
        }
    }

    /// What the wall clock showed at the start instant: the one wall-clock reading of a run.
    pub fn wall(&self) -> Wall {
        match &self.0 {
            Kind::Real(real) => real.wall,
            Kind::Simulated(sim, zero) => {
                Wall::from_unix_nanos(sim.wall().unix_nanos().saturating_add(zero.as_nanos()))
            }
        }
    }

    /// When the wall clock, as it was read at the start, comes to `wall`; or how long before the start that was.
    pub fn at_wall(&self, wall: Wall) -> Result<At, Span> {
        let (wall, start) = (wall.unix_nanos(), self.wall().unix_nanos());
        wall.checked_sub(start).map(At).ok_or(Span(start.saturating_sub(wall)))
    }

    /// Waits until `at`; at once if it has passed. Up to a millisecond late: arrivals hang on an [`Alarm`] instead.
    pub async fn sleep_until(&self, at: At) {
        match &self.0 {
            Kind::Real(real) => {
                // Before the start instant the clock shows 0, and the start itself is waited for all the same.
                if host::monotonic_nanos() >= real.start.saturating_add(at.as_nanos()) {
                    return;
                }
                match real.start_std.checked_add(Span(at.as_nanos()).to_std()) {
                    Some(instant) => tokio::time::sleep_until(tokio::time::Instant::from_std(instant)).await,
                    None => std::future::pending().await,
                }
            }
            Kind::Simulated(sim, zero) => sim.sleep_until(at + *zero).await,
        }
    }

    /// Waits for `span` from now on.
    pub async fn sleep(&self, span: Span) {
        self.sleep_until(self.now() + span).await;
    }

    /// The work's result, or [`Elapsed`] when it is not there after `span`; the work is dropped then.
    pub async fn timeout<F: Future>(&self, span: Span, work: F) -> Result<F::Output, Elapsed> {
        self.timeout_at(self.now() + span, work).await
    }

    /// As [`Clock::timeout`], with the instant instead of the length.
    pub async fn timeout_at<F: Future>(&self, at: At, work: F) -> Result<F::Output, Elapsed> {
        let mut work = pin!(work);
        let mut late = pin!(self.sleep_until(at));
        std::future::poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Ok(done));
            }
            late.as_mut().poll(context).map(|()| Err(Elapsed))
        })
        .await
    }

    /// Blocks the calling thread until `at`. For code that runs outside tokio.
    pub fn block_until(&self, at: At) {
        match &self.0 {
            Kind::Real(real) => std::thread::sleep(at.since(real.now()).to_std()),
            Kind::Simulated(sim, zero) => sim.block_until(at + *zero),
        }
    }

    /// Blocks the calling thread for `span`.
    pub fn block_for(&self, span: Span) {
        self.block_until(self.now() + span);
    }

    /// A precise alarm on this clock. Make it on the thread that will wait for it, inside its tokio runtime.
    pub fn alarm(&self, spin: Spin) -> std::io::Result<Alarm> {
        Alarm::new(self, spin)
    }

    /// Watches for steps of the wall clock, beginning now.
    pub fn step_watch(&self) -> StepWatch {
        StepWatch::new(self)
    }

    /// The wall clock as it is now, steps included; `None` on a simulated clock, which has none to step.
    fn wall_now(&self) -> Option<u64> {
        match &self.0 {
            Kind::Real(_) => Some(host::realtime_nanos()),
            Kind::Simulated(..) => None,
        }
    }
}

impl Real {
    #[inline]
    fn now(&self) -> At {
        At(host::monotonic_nanos().saturating_sub(self.start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
    }

    #[test]
    fn a_restarted_clock_counts_from_its_own_start() {
        let sim = SimClock::new();
        let later = sim.clock().restarted(At(50)).restarted(At(10));
        assert_eq!(later.now(), At::START);
        sim.jump_to(At(75));
        assert_eq!(later.now(), At(15));
        assert_eq!(later.wall().unix_nanos(), sim.clock().wall().unix_nanos() + 60);
        let real = Clock::start();
        let zero = real.now() + Span::SECOND;
        let ahead = real.restarted(zero);
        assert_eq!(ahead.now(), At::START);
        assert_eq!(ahead.wall().unix_nanos(), real.wall().unix_nanos() + zero.as_nanos());
    }

    #[test]
    fn a_start_that_lies_ahead_is_waited_for() {
        let real = Clock::start();
        let zero = real.now() + Span::millis(50);
        runtime().block_on(real.restarted(zero).sleep_until(At::START));
        assert!(real.now() >= zero, "{}", real.now());
    }

    #[test]
    fn the_real_clock_waits_at_least_as_long_as_asked() {
        runtime().block_on(async {
            let clock = Clock::start();
            let before = clock.now();
            clock.sleep(Span::millis(5)).await;
            assert!(clock.now().since(before) >= Span::millis(5));
            clock.sleep_until(before).await;
        });
    }

    #[test]
    fn timeout_gives_the_result_or_elapsed() {
        runtime().block_on(async {
            let clock = Clock::start();
            assert_eq!(clock.timeout(Span::seconds(60), async { 7 }).await, Ok(7));
            assert_eq!(clock.timeout(Span::millis(2), std::future::pending::<()>()).await, Err(Elapsed));
        });
    }

    #[test]
    fn a_wait_for_ever_does_not_overflow() {
        runtime().block_on(async {
            let clock = Clock::start();
            let never = clock.sleep_until(At::MAX);
            assert_eq!(clock.timeout(Span::millis(2), never).await, Err(Elapsed));
        });
    }
}
