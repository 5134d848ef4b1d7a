use std::io;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{Clock, Kind};
use crate::base::host::{self, TimerFd};
use crate::base::units::{At, Span};

/// How long before the instant the timer fires: a wake-up through epoll takes 20 to 90 µs.
const LEAD: Span = Span::micros(60);

/// A turn of the runtime in which nothing else happens takes less: a look at the sockets.
const TURN: Span = Span::micros(5);

/// Whether an alarm spins through the last 60 µs. Worth it only on a core that is ours alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spin {
    On,
    Off,
}

/// Wakes one task at an instant, some microseconds late instead of tokio's millisecond. Never early.
#[derive(Debug)]
pub struct Alarm {
    kind: Armed,
    spin: Spin,
    spun: Span,
}

#[derive(Debug)]
enum Armed {
    Real { timer: AsyncFd<TimerFd>, start: u64 },
    Simulated(Clock),
}

impl Alarm {
    pub(super) fn new(clock: &Clock, spin: Spin) -> io::Result<Alarm> {
        let kind = match &clock.0 {
            Kind::Real(real) => {
                host::sharpen_timers()?;
                // Deprecated since a type could answer with another descriptor each time; a `TimerFd` owns one for
                // life, and the call that replaces it is `unsafe`, which this room does not use.
                #[expect(deprecated)]
                let timer = AsyncFd::with_interest(TimerFd::new()?, Interest::READABLE)?;
                Armed::Real { timer, start: real.start }
            }
            Kind::Simulated(..) => Armed::Simulated(clock.clone()),
        };
        Ok(Alarm { kind, spin, spun: Span::ZERO })
    }

    /// Waits until `at`; at once if it has passed. May be dropped half-way and called again with another instant.
    pub async fn wait_until(&mut self, at: At) {
        let (timer, start) = match &self.kind {
            Armed::Real { timer, start } => (timer, *start),
            Armed::Simulated(clock) => return clock.sleep_until(at).await,
        };
        let goal = start.saturating_add(at.as_nanos());
        let lead = if self.spin == Spin::On { LEAD.as_nanos() } else { 0 };
        // Waking before the timer's instant is not promised anywhere; the loop makes "never early" ours.
        while host::monotonic_nanos().saturating_add(lead) < goal {
            if fired(timer, goal.saturating_sub(lead)).await.is_err() {
                // A timer that we own cannot fail to be set or read, short of a defect of the kernel; being late by a
                // millisecond, and saying so in `lag`, is better than not sending.
                tokio::time::sleep(Span::millis(1).to_std()).await;
            }
        }
        let mut now = host::monotonic_nanos();
        while now < goal {
            let from = now;
            tokio::task::yield_now().await;
            now = host::monotonic_nanos();
            // A turn that took longer had other tasks in it, whose work is no spinning.
            if now - from < TURN.as_nanos() {
                self.spun += Span(now - from);
            }
        }
    }

    /// The CPU time spent spinning so far; turns in which other tasks ran are left out.
    pub fn spun(&self) -> Span {
        self.spun
    }
}

async fn fired(timer: &AsyncFd<TimerFd>, monotonic: u64) -> io::Result<()> {
    timer.get_ref().fire_at(monotonic)?;
    loop {
        let mut ready = timer.readable().await?;
        match ready.try_io(|timer| timer.get_ref().take()) {
            Ok(taken) => return taken,
            Err(_not_yet) => continue,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wakes_after_the_instant_never_before() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let clock = Clock::start();
            for spin in [Spin::On, Spin::Off] {
                let mut alarm = clock.alarm(spin).unwrap();
                let first = clock.now() + Span::millis(2);
                let mut latest = Span::ZERO;
                for k in 0..50 {
                    let at = first + Span::micros(k * 400);
                    alarm.wait_until(at).await;
                    assert!(clock.now() >= at);
                    latest = latest.max(clock.now().since(at));
                }
                // Not a stopwatch: only that the timer works at all, on a machine however busy.
                assert!(latest < Span::seconds(5), "{latest} late");
                assert_eq!(alarm.spun() > Span::ZERO, spin == Spin::On);
            }
        });
    }

    #[test]
    fn an_abandoned_wait_does_not_disturb_the_next() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let clock = Clock::start();
            let mut alarm = clock.alarm(Spin::Off).unwrap();
            let far = clock.now() + Span::seconds(600);
            assert!(clock.timeout(Span::millis(2), alarm.wait_until(far)).await.is_err());
            let near = clock.now() + Span::millis(3);
            assert!(clock.timeout(Span::millis(0), alarm.wait_until(near)).await.is_err());
            clock.sleep_until(near + Span::millis(2)).await;
            let next = clock.now() + Span::millis(3);
            alarm.wait_until(next).await;
            assert!(clock.now() >= next);
        });
    }
}
