//! A figure against its bound: pass, fail or inconclusive, with the reason as data; and what the run comes to.
//!
//! No data never passes. Leaves to others: how figures come about (`analysis`), the words for reasons (`report`).

mod judge;
mod judgement;
mod outcome;
#[cfg(test)]
mod tests;

pub use judge::judge;
pub use judgement::{Cause, Doubt, Exit, Judgement, Outcome, Reason, Verdict};
pub use outcome::outcome;
