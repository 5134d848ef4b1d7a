//! The engine against a scripted server.

mod bodies;
mod feeds;
mod figures;
mod follow;
mod groups;
mod journeys;
mod numbers;
mod outcomes;
mod replay;
mod retry;
mod seconds;
pub(crate) mod support;
mod trace;
mod unpack;
mod visits;
