use serde::{Deserialize, Serialize};

use crate::analysis::{Detail, Figure, Gap, Interval, Missing, SearchEnd, Stretch};
use crate::base::units::Share;
use crate::plan::{AbortId, Bound, FaultId, SteadyId, TargetId};
use crate::record::{EndReason, Lack, Sight};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Pass,
    Fail,
    Inconclusive,
}

/// One target, judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    pub target: TargetId,
    /// The fault that it is of, where it is the worst of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurrence: Option<FaultId>,
    pub verdict: Verdict,
    pub reason: Reason,
    /// None: no data.
    pub figure: Option<Figure>,
    pub bound: Bound,
    /// How far on the good side of the nearer bound the figure is, as a part of that bound; negative when it misses.
    /// None: no figure, no exact one, or a bound of 0.
    pub margin: Option<f64>,
    pub window: Option<Stretch>,
    pub samples: u64,
    pub interval: Option<Interval>,
    pub detail: Detail,
    /// The faults of the outage that the figure is of.
    pub faults: Vec<FaultId>,
}

/// Why a target ended as it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "why")]
pub enum Reason {
    /// Pass: the figure is on the good side.
    Met,
    /// Fail: the figure is on the wrong side.
    Missed,
    /// Fail: the percentile's rank falls among the failed requests.
    Failed,
    /// The generator could not be trusted with this figure.
    Generator { doubts: Vec<Doubt> },
    /// It would not pass with the step's *not reached* counted as bad.
    NotReached { count: u64 },
    /// The search ended before its answer.
    SearchOpen { end: SearchEnd },
    /// Only a lower end of the figure is known, and it is still on the good side.
    NotOver,
    /// Workers' windows are missing, or came after their second was closed, and could change the verdict.
    DataMissing { missing: Vec<Missing> },
    /// The load did not come to the end of the target's window.
    CutShort,
    /// Inconclusive: there is no figure, or one of too little.
    #[serde(untagged)]
    NoFigure(Gap),
}

/// Why the generator is not to be trusted with a figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "doubt")]
pub enum Doubt {
    /// With the generator's lateness taken out, the verdict is another one.
    Lag { unlagged: Option<Figure> },
    /// Over 1 % of the arrivals of the worst 10 s were released late.
    Late { share: Share, window: Stretch },
    /// 90 % or more of what a worker may use.
    Cpu { share: Share },
    /// Over 0.1 % of the arrivals were not sent by its own fault.
    Unsent { share: Share },
}

/// What the run comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub verdict: Verdict,
    pub exit: Exit,
    /// What made the verdict or the exit other than the targets alone would.
    pub causes: Vec<Cause>,
    /// One for each target, in the plan's order.
    pub targets: Vec<Judgement>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "cause")]
pub enum Cause {
    /// No request was answered well or badly: a drill without traffic never passes.
    NoTraffic,
    /// A fault of the plan was never ordered.
    FaultNotOrdered {
        fault: FaultId,
    },
    /// A fault was ordered and did not bite.
    FaultNotEffective {
        fault: FaultId,
        because: Vec<Sight>,
    },
    /// A fault bit and was not seen to be healed.
    FaultNotHealed {
        fault: FaultId,
        because: Vec<Sight>,
    },
    /// The steady state did not hold before the first fault.
    NotSteady {
        steady: SteadyId,
    },
    /// The run ended before its plan did.
    Ended {
        reason: EndReason,
    },
    /// The record breaks off.
    BrokenOff,
    Aborted {
        abort: AbortId,
    },
    /// By Ctrl-C or TERM.
    Interrupted,
    /// A fault could not be undone.
    Residue,
    /// The generator could not send what was planned.
    GeneratorSaturated {
        doubts: Vec<Doubt>,
    },
    /// The run is one of several parts: only all of them together are the drill.
    PartAlone {
        part: u16,
        of: u16,
    },
    /// The whole lacks something of one of its parts.
    PartLacking {
        part: u16,
        of: u16,
        what: Lack,
    },
}

/// What the program exits with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    Passed,
    Failed,
    Inconclusive,
    Aborted,
    Residue,
}

impl Exit {
    pub const fn code(self) -> u8 {
        match self {
            Exit::Passed => 0,
            Exit::Failed => 1,
            Exit::Inconclusive => 3,
            Exit::Aborted => 4,
            Exit::Residue => 5,
        }
    }
}
