//! The ground floor: words and tools that every other room stands on.

pub mod diagnostic;
pub mod rng;
pub mod units;
pub mod yaml;
