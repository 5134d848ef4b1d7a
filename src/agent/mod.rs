//! A process of ours that does something to the machine that it runs on, or says what that machine does: `peakdrill agent`, on this
//! machine or on a host that a program such as ssh reaches. Both ends of the talk are here, a line of JSON each on its standard input and
//! output; it looks at itself by the kernel's own figures, so that a strain is seen in one way wherever it is.
//!
//! It ends when its input closes, and when it has heard nothing for a while, since a connection can be cut without a word. What it
//! takes goes with it: it holds no name of a file.
//!
//! Leaves to others: what is in the journal before it is started, and what its answers mean (`fault`, `platform`).

mod error;
mod message;
mod process;
mod remote;
mod strain;

pub use error::AgentError;
pub use message::{Seen, Strain};
pub use process::agent_main;
pub use remote::{Agent, LEASE, Way};
