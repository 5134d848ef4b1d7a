use std::io;

use crate::base::units::Span;

/// Why an agent did not do what it was to do.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error("`{program}`, by which {name} is reached, is no program: neither a path to one nor in PATH")]
    NoProgram { name: String, program: String },
    #[error("`{program}`, by which {name} is reached, could not be started: {why}")]
    NotStarted { name: String, program: String, why: io::Error },
    /// In the words of whoever said last why.
    #[error("{name}: {said}")]
    Ended { name: String, said: String },
    #[error("{name} did not answer within {within}")]
    Silent { name: String, within: Span },
    #[error("{name} has peakdrill {theirs}, this is {ours}: install the same version there, or name it in `program`")]
    Version { name: String, theirs: String, ours: &'static str },
    #[error("{name} says `{said}`, which is nothing that peakdrill says: look at `via` and `program`")]
    Strange { name: String, said: String },
    /// It is there, and could not.
    #[error("{name}: {why}")]
    Failed { name: String, why: String },
    #[error("what was said to {name} did not get there: {why}")]
    Broken { name: String, why: io::Error },
}
