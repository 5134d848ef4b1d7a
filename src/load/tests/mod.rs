//! The engine against a scripted server.

mod figures;
mod journeys;
mod outcomes;
mod replay;
mod seconds;
pub(crate) mod support;
mod visits;
