//! The engine against a scripted server.

mod figures;
mod follow;
mod groups;
mod journeys;
mod outcomes;
mod replay;
mod retry;
mod seconds;
pub(crate) mod support;
mod visits;
