use serde::{Deserialize, Serialize};

use super::EndReason;
use crate::base::units::Span;

/// Which part of a drill a run is, where several machines make one drill together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// From 1 on. The first one starts and prepares the platform, injects the faults, watches and cleans up.
    pub part: u16,
    pub of: u16,
    /// The id of the whole drill: the same for all parts, since data such as `uuid()` depend on it.
    pub whole: String,
    /// The start instant that all parts were given, in nanoseconds since the epoch.
    pub start: i64,
}

impl Part {
    /// The id of this part's own run.
    pub fn run(&self) -> String {
        self.named(&format!("part-{}-of-{}", self.part, self.of))
    }

    /// The id of the run that is made of all parts the `n`th time.
    pub(super) fn merged(&self, n: u32) -> String {
        self.named(&format!("whole-{n:02}"))
    }

    /// Merged runs sort behind their parts, and the later one behind the earlier.
    fn named(&self, what: &str) -> String {
        match self.whole.rsplit_once('-') {
            Some((name, salt)) => format!("{name}-{what}-{salt}"),
            None => format!("{}-{what}", self.whole),
        }
    }

    /// Whether the two make one drill together.
    pub(super) fn is_of_same_drill(&self, other: &Part) -> bool {
        (self.of, self.start, &self.whole) == (other.of, other.start, &other.whole)
    }
}

/// What a whole lacks of one of its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "lack")]
pub enum Lack {
    Missing,
    /// `run` had another start instant, and was left out.
    OtherStart {
        run: String,
    },
    /// `run` had another seed, and was left out.
    OtherSeed {
        run: String,
        seed: u64,
    },
    /// It was ready so long after the start instant, and sent nothing.
    Late {
        by: Span,
    },
    /// Its record breaks off.
    BrokenOff,
    /// It ended before the plan did.
    Ended {
        reason: EndReason,
    },
}
