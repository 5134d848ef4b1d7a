//! The fault proxy: links that lead connections on as they are, until something is wrong with them.
//!
//! All links of a drill are carried by one process and one thread, so what is set together is in force from one instant on. A
//! flaw is set and cleared while connections go on: what was held back passes then, in its order, and nothing is lost that the
//! flaw itself does not take. On a link that carries HTTP each request has a fate of its own, decided when its head has
//! come; elsewhere a connection has. What speaks HTTP/1.1 is only looked at; where the two ends speak HTTP/2 without TLS, the proxy
//! speaks it with each of them.
//!
//! When the harness dies, every flaw ends and the links go on until somebody ends the process: the guardian, or `recover`.
//! Leaves to others: which addresses may be dialled (`wire`), and when a flaw begins and ends (`fault`). It knows no drill.

mod alone;
mod connection;
mod flow;
mod http;
mod http2;
mod hub;
mod link;
mod live;
mod message;
mod process;
mod remote;
mod stream;
#[cfg(test)]
mod tests;
mod timer;
mod toxiproxy;

pub use alone::{Alone, serve};
pub use message::{Shown, Way};
pub use process::proxy_main;
pub use remote::{FlawId, Gone, Proxy, Told};
