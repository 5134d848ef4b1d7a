//! The ground floor: words and tools that every other room stands on.

pub mod clock;
pub mod diagnostic;
pub mod host;
pub mod log;
pub mod rng;
pub mod template;
pub mod units;
pub mod yaml;
