//! Load testing and chaos drills from one YAML file: peak traffic, faults, recovery and a verdict on one clock.
//!
//! The rooms and who may use whom: ARCHITECTURE.md, held by `tests/tidy.rs`.

pub mod agent;
pub mod analysis;
pub mod base;
pub mod cli;
pub mod compile;
pub mod drill;
pub mod fault;
pub mod live;
pub mod load;
pub mod plan;
pub mod platform;
pub mod proxy;
pub mod record;
pub mod report;
pub mod scenario;
pub mod shop;
pub mod undo;
pub mod verdict;
pub mod wire;
