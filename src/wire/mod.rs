//! Connections and their timings, and **the one door outward**: everything that leaves the harness for the platform
//! goes through a [`Door`], which holds each connection to the scenario's `allow` at the address actually dialled.
//!
//! Leaves to others: what is sent and what an answer is worth (`load`, `platform`), pools and limits (`load`).

mod allow;
mod answer;
mod chunks;
#[cfg(test)]
mod conformance;
mod connection;
mod door;
mod error;
mod hyper1;
mod names;
mod origin;
mod outgoing;
#[cfg(test)]
mod own_network;
#[cfg(test)]
mod pieces;
mod plain;
mod probe;
#[cfg(test)]
pub(crate) mod scripted;
mod slow;
mod source;
mod stream;
#[cfg(test)]
mod tests;
mod tls;
mod transport;

pub use answer::{Answer, Head, Headers, Lost};
pub use chunks::{Chunks, Piece};
pub use connection::Connection;
pub use door::{Dialled, Door, unresolved};
pub use error::WireError;
pub use origin::Origin;
pub use outgoing::Outgoing;
pub use probe::Probed;
