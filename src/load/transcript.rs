use crate::base::units::{At, Span};
use crate::plan::StepId;
use crate::record::{BadKind, UnsentKind};
use crate::wire::Dialled;

/// One request of a visit and what came of it, for people. Secrets are masked.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    pub step: StepId,
    /// Request line and headers, and the beginning of the body.
    pub request: String,
    /// Status line and headers, and the beginning of the body; empty where nothing came.
    pub answer: String,
    pub planned: At,
    /// None: not a byte of it went out.
    pub sent: Option<At>,
    pub done: At,
    /// How long the connection took, where one was made for it.
    pub dialled: Option<Dialled>,
    pub result: Result<Ended, Fault>,
    /// The names and values that were captured; None stands for a secret.
    pub captured: Vec<(String, Option<serde_json::Value>)>,
}

/// How a request ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Ok,
    /// Turned away with a status that the scenario intends for that.
    Shed,
    /// A poll was answered, and what it waits for is not there yet.
    NotYet,
    /// It failed, and is tried again.
    Again,
    /// It led elsewhere, and is followed there.
    Followed,
}

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub kind: FaultKind,
    /// In one line.
    pub why: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    Bad(BadKind),
    Unsent(UnsentKind),
}

impl Exchange {
    /// From the first byte sent to the last byte read.
    pub fn service(&self) -> Option<Span> {
        Some(self.done.since(self.sent?))
    }
}
