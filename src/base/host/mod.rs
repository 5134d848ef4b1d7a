//! The kernel, as this house sees it: clocks and timers, processes by (pid, start time), signals, cgroups, `/proc`.
//!
//! The only room with `unsafe` in it. Everything here is blocking and short, robust against entries of `/proc` that
//! vanish while they are read, and knows nothing of drills.
//!
//! Leaves to others: what time means to a drill (`clock`), what is written down before something is done (`undo`),
//! when to do it (`platform`, `fault`).

mod time;

pub use time::{TimerFd, monotonic_nanos, realtime_nanos, sharpen_timers};
