//! Randomness as a function: everything random about arrival k is drawn from a counter-based stream keyed by (seed, load,
//! k, purpose, use), so that no draw depends on what was drawn before it elsewhere, nor on who draws it.
//!
//! Streams implement rand's traits, so `rand_distr` draws from them. Values are part of the promise "same seed, same
//! drill": golden tests hold them still. Leaves to others: what is drawn for which purpose.

mod choice;
mod permutation;
mod philox;
mod stream;
mod uuid;

pub use choice::{Exponential, Lognormal, Weighted, Zipf};
pub use permutation::Permutation;
pub use stream::{Key, Purpose, Stream};
pub use uuid::{Uuid, run_word};
