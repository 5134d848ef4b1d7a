//! A scenario to a plan: every reference followed, every default settled, every mistake said at once, and where each value
//! came from. What the plan says then depends on the file, the profile, the settings and the seed alone.
//!
//! A mistake is said once: what stands on something that was refused stays silent. Leaves to others: what one block can
//! tell by itself (`scenario`), reading files, which it is handed (`cli`), and everything that needs a machine (`check
//! --host`).

mod about;
mod action;
mod ailment;
mod allow;
mod beside;
mod bodies;
mod body;
mod chores;
mod condition;
mod container;
mod context;
mod dns;
mod dry;
mod fault;
mod feed;
mod flaw;
mod group;
mod host;
mod instant;
mod journey;
mod kept;
mod limits;
mod load;
mod names;
mod network;
mod origin;
mod platform;
mod pool;
mod production;
mod rates;
mod replay;
mod request;
mod retry;
mod samples;
mod schedule;
mod scope;
mod search;
mod stage;
mod steps;
mod storm;
mod target;
mod text;
mod times;
mod users;
mod watch;
mod whole;

pub use origin::{From, Origin, Origins};
pub use whole::{Compiled, Input, compile};

#[cfg(test)]
mod tests;
