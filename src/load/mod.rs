//! Visits and steps: the open crew, and the crews of closed loads. A [`Crews`] has one worker for each core in use, each a thread with a runtime of its
//! own that owns the arrivals k ≡ i mod n, its own connections, schedule and histograms; nothing is shared on the path of
//! one request, and once a second each worker hands over what it counted.
//!
//! Leaves to others: connections and the allow-list (`wire`), the arithmetic of arrivals (`plan`), what the windows mean
//! (`analysis`), when to begin and to stop (`drill`).

mod asks;
mod books;
mod build;
mod calibrate;
mod closed;
mod cookies;
mod crew;
mod dispatch;
mod error;
mod evidence;
mod exchange;
mod feeds;
mod files;
mod follow;
mod groups;
mod judge;
mod lease;
mod once;
mod pool;
mod program;
mod replay;
mod request;
mod retry;
mod saturate;
mod slow;
mod tally;
#[cfg(test)]
pub(crate) mod tests;
mod trace;
mod transcript;
mod unpack;
mod visit;
mod worker;

pub use calibrate::calibrate;
pub use closed::can_be_closed;
#[cfg(feature = "closed")]
pub use closed::crew_main;
pub use crew::{Crews, News, Options, Setting, workers};
pub use error::LoadError;
pub use feeds::{Feeds, MadeRows};
pub use once::{Carried, Transcript, carry_out, once};
pub use saturate::saturate;
pub use transcript::{Ended, Exchange, Fault, FaultKind};
