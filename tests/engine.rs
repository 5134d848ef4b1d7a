//! What the engine measures against the truth that a scripted server makes. Judged in an optimised build alone, where
//! neither the generator nor the server is the slow one; a machine that is busy with something else gets more than one
//! chance, which helps no engine that measures wrongly.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use peakdrill::{base, load, plan, record, wire};

use crate::base::units::{At, Span};
use crate::record::{Cell, Latency};
use crate::scripted::{Do, Scripted, answer, ok};
use crate::support::{Maker, run};

#[path = "../src/wire/scripted.rs"]
mod scripted;
#[path = "../src/load/tests/support.rs"]
#[allow(dead_code)]
mod support;

/// One test at a time: each wants the machine for itself.
static ALONE: Mutex<()> = Mutex::new(());
const CHANCES: u32 = 6;

/// Measures until `judge` finds nothing wrong.
fn eventually(measure: impl Fn() -> Cell, judge: impl Fn(&Cell) -> Result<(), String>) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut wrong = Vec::new();
    for _ in 0..CHANCES {
        match judge(&measure()) {
            Ok(()) => return,
            Err(why) => wrong.push(why),
        }
    }
    panic!("{wrong:#?}");
}

/// In milliseconds.
fn percentile(latency: &Latency, q: f64) -> f64 {
    let rank = (latency.count() as f64 * q).ceil() as u64;
    latency.at_rank(rank).unwrap().as_seconds_f64() * 1e3
}

fn close(name: &str, found: f64, truth: f64, off: f64) -> Result<(), String> {
    if (found - truth).abs() <= off { Ok(()) } else { Err(format!("{name} is {found} ms, in truth {truth}")) }
}

fn below(name: &str, found: f64, bound: f64) -> Result<(), String> {
    if found < bound { Ok(()) } else { Err(format!("{name} is {found} ms, not under {bound}")) }
}

/// A server that is frozen for one second of every five, at 1,000/s: a tenth of all arrivals wait for 500 ms and more.
#[test]
#[cfg_attr(debug_assertions, ignore = "needs an optimised build")]
fn a_freeze_is_charged_to_every_arrival_that_it_delayed() {
    let measure = || {
        let server = Scripted::start(|seen| {
            let second = seen.at.second();
            // Not in the first one, so that the load has begun before.
            match second % 5 {
                2 => vec![Do::WaitUntil(At((second + 1) * 1_000_000_000)), answer(200, &[], "")],
                _ => ok(""),
            }
        });
        let mut maker = Maker::new(&server.url());
        // Few connections: most of those whom the freeze delays have not even been sent, so that `service` is blind.
        maker.connections().max = 40;
        let step = maker.get("/");
        run(maker.only(vec![step], 1_000.0, Span::seconds(10))).planned("/")
    };
    eventually(measure, |cell| {
        assert_eq!((cell.counts.ok, cell.counts.base()), (10_000, 10_000));
        for (name, q, truth) in [("p90", 0.90, 500.0), ("p95", 0.95, 750.0), ("p99", 0.99, 950.0)] {
            close(name, percentile(&cell.response, q), truth, f64::max(truth * 0.03, 15.0))?;
        }
        below("p90 by service", percentile(&cell.service, 0.9), 20.0)
    });
}

#[test]
#[cfg_attr(debug_assertions, ignore = "needs an optimised build")]
fn rare_slow_answers_are_seen_where_they_are_and_nowhere_else() {
    let measure = || {
        let count = AtomicU64::new(0);
        let server = Scripted::start(move |_| match count.fetch_add(1, Ordering::Relaxed) % 100 {
            50 => vec![Do::Wait(Span::millis(200)), answer(200, &[], "")],
            _ => ok(""),
        });
        let mut maker = Maker::new(&server.url());
        let step = maker.get("/");
        run(maker.only(vec![step], 1_000.0, Span::seconds(5))).planned("/")
    };
    eventually(measure, |cell| {
        assert_eq!((cell.counts.ok, cell.counts.base()), (5_000, 5_000));
        below("p98", percentile(&cell.response, 0.98), 5.0)?;
        close("p99.5", percentile(&cell.response, 0.995), 200.0, 6.0)
    });
}
