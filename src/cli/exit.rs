use std::process::ExitCode;

/// How the program ends; the numbers are part of what CI jobs rely on. Ordered by how bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Exit {
    Passed,
    Inconclusive,
    Failed,
    Aborted,
    /// The scenario or the command line is wrong.
    Wrong,
    /// A fault could not be undone.
    Residue,
    /// A defect of the harness itself.
    Defect,
}

impl Exit {
    pub(super) const fn code(self) -> u8 {
        match self {
            Exit::Passed => 0,
            Exit::Failed => 1,
            Exit::Wrong => 2,
            Exit::Inconclusive => 3,
            Exit::Aborted => 4,
            Exit::Residue => 5,
            Exit::Defect => 70,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}
