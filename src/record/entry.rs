use serde::{Deserialize, Serialize};

use super::{Approval, BadKind, Lack, Part, Sight};
use crate::base::units::{At, Span};
use crate::plan::{
    AbortId, ActionId, FaultId, LinkId, LoadId, ProcessId, SeriesId, SteadyId, Trial, TrialEnd, WatchId,
};

/// One line of `events.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// After the drill's start; while `preparing`, after the run was opened. It is when the thing happened, so what lies
    /// between a process's start and its readiness, or before a chore was done, is how long that took.
    pub at: At,
    /// Before the drill's start instant: the platform is being started and prepared.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub preparing: bool,
    #[serde(flatten)]
    pub event: Event,
}

/// Everything that happened, other than requests and vitals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The first entry of every record.
    Opened {
        /// Of the stored format.
        version: u32,
        run: String,
        program: String,
        /// Nanoseconds since the epoch when the run was opened: what entries of preparation count from.
        wall: i64,
        host: HostFacts,
    },
    /// The run is one part of a drill, or the whole of it in one part.
    Part(Part),
    /// It was let go by whoever answers for production.
    Approved(Approval),
    /// The record was made of those of these runs, one for each part.
    Merged {
        of: u16,
        runs: Vec<String>,
    },
    /// What the merged record lacks of a part.
    Lacking {
        part: u16,
        of: u16,
        what: Lack,
    },
    /// Addresses chosen by the system, kept over restarts.
    Bindings {
        addresses: Vec<(ProcessId, String)>,
        /// Where the proxy of each link listens.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        links: Vec<(LinkId, String)>,
    },
    ProcessStarted {
        process: ProcessId,
        pid: u32,
    },
    ProcessReady {
        process: ProcessId,
    },
    /// It ended although nobody ordered it; `status` in words a shell user knows (`exit 1`, `signal 9`).
    ProcessDied {
        process: ProcessId,
        status: String,
    },
    ProcessStopped {
        process: ProcessId,
    },
    /// A chore of `prepare` or `cleanup`, with its place in the list.
    ChoreDone {
        cleanup: bool,
        index: u32,
        took: Span,
    },
    ChoreFailed {
        cleanup: bool,
        index: u32,
        why: String,
    },
    /// The drill's start instant: arrivals count from here.
    LoadBegan,
    /// The last planned instant; what is in flight drains from here.
    LoadEnded,
    Drained {
        abandoned: u64,
    },
    /// Every worker handed the second over, or those named did not within 250 ms.
    SecondClosed {
        second: u64,
        missing: Vec<u16>,
    },
    Fault {
        fault: FaultId,
        what: FaultEvent,
    },
    /// A step of the emergency plan.
    Action {
        action: ActionId,
        what: ActionEvent,
    },
    /// A probe's answer turned from good to bad or back; the first answer counts as a turn. Or an alert came, whose first
    /// characters are `why`: it is bad, or says that one is resolved.
    Probe {
        watch: WatchId,
        good: bool,
        why: Option<String>,
    },
    /// A watch's page was read: the figures that it keeps, in the plan's order; none: not on the page.
    Scraped {
        watch: WatchId,
        values: Vec<Option<Reading>>,
    },
    /// It could not be read.
    NotScraped {
        watch: WatchId,
        why: String,
    },
    /// The steady state had held for its `hold` when the first fault was due.
    SteadyHeld {
        steady: SteadyId,
    },
    /// It had not, so the drill stops, inconclusive.
    SteadyMissed {
        steady: SteadyId,
    },
    Aborting {
        abort: AbortId,
    },
    /// A search goes on with this trial: its arrivals are decided from here on.
    TrialBegan {
        load: LoadId,
        trial: Trial,
    },
    TrialEnded {
        load: LoadId,
        number: u32,
        end: TrialEnd,
    },
    /// No more trials come; the load ends with it.
    SearchEnded {
        load: LoadId,
    },
    /// Ctrl-C or TERM; `count` 2 drops the load at once.
    Signalled {
        signal: String,
        count: u32,
    },
    Failed(Failure),
    /// The wall clock was stepped by this many nanoseconds.
    ClockStepped {
        by: i64,
    },
    /// What the generator uses, once a second: the CPU time of this process alone, the memory of it and of its crews that are
    /// processes, the open files of whichever of them has the most.
    Generator {
        cpu: Span,
        memory: u64,
        files: u64,
        files_limit: u64,
        cores: u32,
        /// Local ports that the system gives to connections towards one address.
        #[serde(default)]
        ports: u64,
    },
    /// Something that a reader should know and no other entry says; English, for logs.
    Noted {
        text: String,
    },
    /// An undo that could not be done; `command` removes what is left by hand.
    Residue {
        what: String,
        command: String,
    },
    /// The last entry of a run that ended by itself.
    Ended {
        reason: EndReason,
    },
}

/// One figure of a watched page, summed over its label sets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    pub value: f64,
    /// It only grows, but for restarts.
    pub counter: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "moment", rename_all = "kebab-case")]
pub enum FaultEvent {
    Ordered,
    /// Observed to bite.
    Effective {
        proof: Vec<Sight>,
    },
    /// It did not bite.
    NotEffective {
        why: Vec<Sight>,
    },
    HealOrdered,
    /// Observed to be undone.
    Healed {
        proof: Vec<Sight>,
    },
    NotHealed {
        why: Vec<Sight>,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "moment", rename_all = "kebab-case")]
pub enum ActionEvent {
    /// It is due, and people are told to do it.
    Begun,
    Ended {
        how: ActionEnd,
    },
}

/// What came of an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "kebab-case")]
pub enum ActionEnd {
    /// It was done, or somebody said so, or it was seen to be.
    Done,
    /// It was not within its time.
    Late,
    /// A program said that it could not.
    Failed { why: String },
    /// The drill ended before.
    GivenUp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndReason {
    /// The plan's end was reached.
    Finished,
    /// An abort condition held.
    Aborted,
    Interrupted,
    /// The steady state did not hold before the first fault.
    NotSteady,
    /// The platform or a chore of `prepare` failed before any load.
    NotPrepared,
    /// The record could not be written (a full disk).
    RecordLost,
    /// A part of the harness itself ended by a defect.
    HarnessFailed,
    /// It was ready so long after the start instant that it was given: nothing was sent.
    Late {
        by: Span,
    },
}

/// One of the first failures of a step and kind: what was sent and what came back, secrets masked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    pub series: SeriesId,
    pub kind: BadKind,
    /// Which arrival of its load.
    pub arrival: u64,
    pub planned: At,
    /// Why, in one line.
    pub why: String,
    /// Request line and headers, and the body's first 2 KiB.
    pub request: String,
    /// Status line and headers, and the body's first 2 KiB; empty where nothing came.
    pub answer: String,
}

/// The machine that the harness ran on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HostFacts {
    pub cores: u32,
    pub memory: u64,
    pub kernel: String,
    pub cpu_model: String,
    pub open_files: u64,
}

/// One line of `vitals.jsonl`: a process's whole tree at one instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vital {
    pub at: At,
    pub process: ProcessId,
    /// CPU time used since it started, over all restarts; only ever grows.
    pub cpu: Span,
    /// Resident bytes.
    pub memory: u64,
    pub threads: u32,
    pub files: u32,
}
