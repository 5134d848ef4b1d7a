use serde::{Deserialize, Serialize};

use super::{
    ActionId, Answer, Blow, Condition, ContainerId, Direction, DiskOf, FaultId, Flaw, Harm, HostId, LinkId, ProcessId,
    Shape, Template,
};
use crate::base::units::{At, Flow, Offset, Size, Span, Text};

/// One planned injury and how it ends. One that is written as several (`times`, a storm) is as many of these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    pub name: String,
    /// The name that is written, where this is one of several of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    pub title: Text,
    pub kind: FaultKind,
    pub at: Instant,
    pub end: End,
    /// It is not ordered: a rehearsal without faults, or a search for those that matter.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spared: bool,
}

/// How a fault ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Healed so long after it was seen to bite.
    For(Span),
    /// Healed at an instant, or as soon as it bites where that is later.
    Until(Instant),
    /// Left to the platform; what is done at the end of the drill.
    Platform { undo: Undo },
}

/// What is done at the end of the drill about what was left to the platform.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undo {
    /// It is healed in its natural way.
    Start,
    None,
    /// A program of the user's does it, however often it is called; another exits with 0 as long as there is something to undo.
    Run {
        command: Vec<Template>,
        check: Vec<Template>,
    },
}

impl Fault {
    /// How long it is to last, where that is known beforehand.
    pub const fn lasts(&self) -> Option<Span> {
        match self.end {
            End::For(lasts) => Some(lasts),
            End::Until(_) | End::Platform { .. } => None,
        }
    }

    /// The name that is written.
    pub fn written(&self) -> &str {
        self.of.as_ref().unwrap_or(&self.name)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// KILL to the whole tree; healed by starting it again at the same address and waiting until it is ready.
    Kill { processes: Vec<ProcessId> },
    /// TERM to the whole tree; healed in the same way.
    Terminate { processes: Vec<ProcessId> },
    /// KILL to the whole tree, and again so long after each time that it is ready; healed by leaving it running.
    CrashLoop { processes: Vec<ProcessId>, every: Span },
    /// TERM to the whole tree and started again at once, one after another, spread over the time that it lasts; healed when all are
    /// ready.
    Restart { processes: Vec<ProcessId> },
    /// The whole tree stopped; healed by letting it go on.
    Pause { processes: Vec<ProcessId> },
    /// The tree may open no file or connection more than it has open; healed when it may again, and answers.
    ExhaustFiles { processes: Vec<ProcessId> },
    /// The kernel ends the tree for want of memory; healed by starting it again.
    OutOfMemory { processes: Vec<ProcessId> },
    /// KILL to the whole tree; started again so much later, and let run a tenth of the time until it is healed.
    SlowStart { processes: Vec<ProcessId>, by: Span },
    /// Its wall clock is off by so much; healed by setting it right.
    SkewClock { processes: Vec<ProcessId>, by: Offset },
    /// The tree writes, and reads, so much a second at the most on the disk that its own folder lies on.
    SlowDisk { process: ProcessId, write: Flow, read: Option<Flow> },
    /// So many cores of this machine, or of a host, are kept busy; healed when they are let go.
    Burn {
        cores: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<HostId>,
    },
    /// So much of the memory of this machine, or of a host, is taken; healed when it is given back.
    FillMemory {
        size: Size,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<HostId>,
    },
    /// So much of a file system is taken, or all that is left of it.
    FillDisk {
        #[serde(flatten)]
        of: DiskOf,
        size: Size,
    },
    /// Whatever a program does, which another undoes. While `check` exits with 0 it is in force.
    Run { act: Vec<Template>, undo: Vec<Template>, check: Vec<Template>, within: Span },
    /// Something is wrong with what processes in networks send each other: those of the one side and those of the other. Up is
    /// what the first side sends. Healed when nothing is.
    Between { first: Vec<ProcessId>, second: Vec<ProcessId>, direction: Direction, harm: Harm },
    /// What processes in networks send (up) or get (down) is slowed, whoever the other end is; healed when it is not.
    Shape { processes: Vec<ProcessId>, direction: Direction, shape: Shape },
    /// Those in networks who ask for names (these, or none: any) are answered wrongly; healed when they are answered rightly.
    BreakDns { processes: Vec<ProcessId>, names: Vec<String>, answer: Answer },
    /// Something is done to containers, by Docker.
    Container { containers: Vec<ContainerId>, blow: Blow },
    /// Something is wrong with links; healed when nothing is, and what was held back has passed.
    Link { links: Vec<LinkId>, flaw: Flaw },
}

impl FaultKind {
    /// The processes that it bites.
    pub fn processes(&self) -> Vec<ProcessId> {
        match self {
            FaultKind::Kill { processes }
            | FaultKind::Terminate { processes }
            | FaultKind::CrashLoop { processes, .. }
            | FaultKind::Restart { processes }
            | FaultKind::ExhaustFiles { processes }
            | FaultKind::OutOfMemory { processes }
            | FaultKind::SlowStart { processes, .. }
            | FaultKind::SkewClock { processes, .. }
            | FaultKind::Pause { processes }
            | FaultKind::BreakDns { processes, .. }
            | FaultKind::Shape { processes, .. } => processes.clone(),
            FaultKind::Between { first, second, .. } => [first.as_slice(), second].concat(),
            FaultKind::FillDisk { of: DiskOf::Process(process), .. } | FaultKind::SlowDisk { process, .. } => {
                vec![*process]
            }
            FaultKind::FillDisk { of: DiskOf::Host(_), .. }
            | FaultKind::Burn { .. }
            | FaultKind::FillMemory { .. }
            | FaultKind::Run { .. }
            | FaultKind::Container { .. }
            | FaultKind::Link { .. } => Vec::new(),
        }
    }

    /// The links that it bites.
    pub fn links(&self) -> &[LinkId] {
        match self {
            FaultKind::Link { links, .. } => links,
            _ => &[],
        }
    }

    /// The containers that it bites.
    pub fn containers(&self) -> &[ContainerId] {
        match self {
            FaultKind::Container { containers, .. } => containers,
            _ => &[],
        }
    }

    /// The host that it bites.
    pub const fn host(&self) -> Option<HostId> {
        match self {
            FaultKind::Burn { host, .. } | FaultKind::FillMemory { host, .. } => *host,
            FaultKind::FillDisk { of: DiskOf::Host(host), .. } => Some(*host),
            _ => None,
        }
    }

    /// The verb that scenarios name it by.
    pub const fn verb(&self) -> &'static str {
        match self {
            FaultKind::Kill { .. } => "kill",
            FaultKind::Terminate { .. } => "terminate",
            FaultKind::CrashLoop { .. } => "crash-loop",
            FaultKind::Restart { .. } => "restart",
            FaultKind::Pause { .. } => "pause",
            FaultKind::ExhaustFiles { .. } => "exhaust-files",
            FaultKind::OutOfMemory { .. } => "out-of-memory",
            FaultKind::SlowStart { .. } => "slow-start",
            FaultKind::SkewClock { .. } => "skew-clock",
            FaultKind::SlowDisk { .. } => "slow-disk",
            FaultKind::Burn { .. } => "burn",
            FaultKind::FillMemory { .. } => "fill-memory",
            FaultKind::FillDisk { .. } => "fill-disk",
            FaultKind::Run { .. } => "run",
            FaultKind::Link { flaw, .. } => flaw.kind.verb(),
            FaultKind::Container { blow, .. } => blow.verb(),
            FaultKind::Between { harm, .. } => harm.verb(),
            FaultKind::Shape { shape, .. } => shape.verb(),
            FaultKind::BreakDns { .. } => "break-dns",
        }
    }

    /// Whether it is healed by starting processes again.
    pub const fn starts_again(&self) -> bool {
        use FaultKind::{CrashLoop, Kill, OutOfMemory, Restart, SlowStart, Terminate};
        matches!(
            self,
            Kill { .. } | Terminate { .. } | CrashLoop { .. } | Restart { .. } | OutOfMemory { .. } | SlowStart { .. }
        )
    }

    /// Whether this and `other` cannot be on one target at one time.
    pub fn excludes(&self, other: &FaultKind) -> bool {
        use FaultKind::{ExhaustFiles, Pause, SkewClock, SlowDisk};
        // What ends or stops a process, or changes what its tree may do, is observed, and undone, on the process as it is.
        let ends = |kind: &FaultKind| {
            kind.starts_again() || matches!(kind, Pause { .. } | ExhaustFiles { .. } | SlowDisk { .. })
        };
        let skews = |kind: &FaultKind| matches!(kind, SkewClock { .. });
        // Whoever may open no file cannot look at the one that tells it the time.
        let tells = |kind: &FaultKind| skews(kind) || matches!(kind, ExhaustFiles { .. } | Pause { .. });
        let both = (ends(self) && ends(other)) || (skews(self) && tells(other)) || (tells(self) && skews(other));
        let same_process = both && self.processes().iter().any(|id| other.processes().contains(id));
        let shuts = |kind: &FaultKind| match kind {
            FaultKind::Link { flaw, .. } => flaw.lets_nothing_pass(),
            _ => false,
        };
        let same_link = self.links().iter().any(|id| other.links().contains(id));
        // Whatever is done to a container is seen, and undone, on the container as it is.
        let same_container = self.containers().iter().any(|id| other.containers().contains(id));
        same_process
            || same_container
            || (same_link && (shuts(self) || shuts(other)))
            || self.excludes_in_network(other)
    }
}

impl FaultKind {
    /// Where nothing of a kind passes no other can be seen to bite, and a process is slowed in one way at a time.
    fn excludes_in_network(&self, other: &FaultKind) -> bool {
        match (self, other) {
            (
                FaultKind::Between { first, second, direction, harm },
                FaultKind::Between { first: firsts, second: seconds, direction: theirs, harm: other },
            ) => {
                let meet = |one: &[ProcessId], two: &[ProcessId]| one.iter().any(|id| two.contains(id));
                let along = meet(first, firsts) && meet(second, seconds);
                let against = meet(first, seconds) && meet(second, firsts);
                let same_way = (along && direction.meets(*theirs)) || (against && direction.meets(theirs.reversed()));
                let shuts = harm.lets_nothing_pass() || other.lets_nothing_pass();
                // What is asked one way is answered the other: where both are shut in part, neither is seen to be gone alone.
                let both_shut = harm.lets_nothing_pass() && other.lets_nothing_pass();
                (same_way && shuts) || ((along || against) && both_shut)
            }
            (
                FaultKind::Shape { processes, direction, .. },
                FaultKind::Shape { processes: others, direction: theirs, .. },
            ) => direction.meets(*theirs) && processes.iter().any(|id| others.contains(id)),
            // A question has one answer.
            (
                FaultKind::BreakDns { processes, names, .. },
                FaultKind::BreakDns { processes: others, names: theirs, .. },
            ) => {
                let same_name = names.is_empty() || theirs.is_empty() || names.iter().any(|name| theirs.contains(name));
                same_name && processes.iter().any(|id| others.contains(id))
            }
            _ => false,
        }
    }
}

/// When something happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Instant {
    At(At),
    After {
        fault: FaultId,
        moment: Moment,
        offset: Span,
    },
    /// After an action was done.
    Action {
        action: ActionId,
        offset: Span,
    },
    /// With the second at whose end this held first.
    When(Box<Condition>),
}

/// The instants of a fault, in the order in which they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    Ordered,
    /// Observed to bite.
    Effective,
    /// The platform's own signal turned.
    Detected,
    /// Undone, and observed to be undone.
    Healed,
    Recovered,
}
