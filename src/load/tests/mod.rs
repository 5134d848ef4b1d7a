//! The engine against a scripted server.

mod figures;
mod journeys;
mod outcomes;
mod seconds;
mod support;
mod visits;
