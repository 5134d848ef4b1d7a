//! The shop's own clock and random tokens.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, for what is stored. Only `clock` reads the wall clock.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Whole milliseconds of a duration, for what is stored.
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

static SECRET: LazyLock<(RandomState, RandomState)> = LazyLock::new(|| (RandomState::new(), RandomState::new()));
static COUNT: AtomicU64 = AtomicU64::new(0);

/// 32 hexadecimal digits, unlike any other token of any other process: a keyed hash of a counter, keyed by the system.
pub(super) fn token() -> String {
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{:016x}{:016x}", SECRET.0.hash_one(n), SECRET.1.hash_one(n))
}

/// A number in `0..below` (0 for 0): for jitter, nothing that must be fair.
pub(super) fn jitter(below: u64) -> u64 {
    match below {
        0 => 0,
        n => SECRET.0.hash_one(COUNT.fetch_add(1, Ordering::Relaxed)) % n,
    }
}
