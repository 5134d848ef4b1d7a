//! What was seen of a fault's target, as data.

use serde::{Deserialize, Serialize};

use crate::plan::{Answer, ContainerId, LinkId, ProcessId};

/// What was seen when a fault was injected or healed: the proof that it bites or is gone, or why it is not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "seen", rename_all = "kebab-case")]
pub enum Sight {
    /// Killed: all `members` processes of its tree are gone.
    Gone {
        process: ProcessId,
        members: u64,
    },
    /// Started again, and ready.
    Ready {
        process: ProcessId,
        pid: u32,
    },
    /// It crashed so often while the fault was in force, and runs.
    Crashed {
        process: ProcessId,
        times: u64,
    },
    /// Paused: all `members` processes of its tree stand still.
    Still {
        process: ProcessId,
        members: u64,
    },
    /// Let go on: `members` processes of its tree run.
    GoesOn {
        process: ProcessId,
        members: u64,
    },
    /// The fault proxy saw the fault on this link bite.
    Bites {
        link: LinkId,
        verb: String,
    },
    /// Nothing of it is left on this link; it bit so often.
    Passes {
        link: LinkId,
        bites: u64,
    },
    /// Nothing passed the link that it could have bitten.
    NeverBit {
        link: LinkId,
    },
    /// So many open files is the most that any process of its tree may have, and what it has. `answers`: whether it answered on a
    /// new connection then; none where it was not asked, since it does not say when it is ready.
    Exhausted {
        process: ProcessId,
        files: u64,
        answers: Option<bool>,
    },
    /// It answered on a new connection.
    StillAnswers {
        process: ProcessId,
    },
    /// It has its limits back, and is ready.
    Relieved {
        process: ProcessId,
    },
    /// All `members` processes of its tree are gone for want of memory, `kills` of them ended by the kernel; none where each only
    /// could have no more than it had. `by` is the limit, as the kernel calls it.
    OutOfMemory {
        process: ProcessId,
        members: u64,
        kills: Option<u64>,
        by: String,
    },
    /// It can have no more memory, and lives on.
    LivesOn {
        process: ProcessId,
        by: String,
    },
    /// It was started late, and stood still but for this share of the time.
    CameUp {
        process: ProcessId,
        ran: f64,
    },
    /// Its wall clock is off by so many seconds, as a program sees that is started as it is; `dated`: as its own answers say, too.
    Skewed {
        process: ProcessId,
        seconds: i64,
        dated: bool,
    },
    /// Its wall clock is right again.
    ClockRight {
        process: ProcessId,
    },
    /// Its wall clock does not show what it was told.
    ClockStands {
        process: ProcessId,
    },
    /// This process of its tree has not loaded what could tell it another time.
    NotLoaded {
        process: ProcessId,
        pid: u32,
    },
    NotSkewable {
        process: ProcessId,
    },
    /// Bytes a second that come through to its disk: before, and now; read: where that is limited.
    SlowDisk {
        process: ProcessId,
        before: u64,
        write: u64,
        read: Option<u64>,
    },
    FastDisk {
        process: ProcessId,
        write: u64,
    },
    /// The limit makes no difference to what comes through.
    DiskNotSlowed {
        process: ProcessId,
        before: u64,
        now: u64,
    },
    DiskStaysSlow {
        process: ProcessId,
        before: u64,
        now: u64,
    },
    /// The rules between two sides have bitten so many packets.
    Bit {
        verb: String,
        packets: u64,
    },
    /// The rules between two sides are gone; they bit so many packets.
    Lifted {
        packets: u64,
    },
    /// The two sides sent each other nothing that could have been bitten.
    NothingBetween,
    /// A probe of the one does not reach the other.
    CutOff {
        from: ProcessId,
        to: ProcessId,
    },
    /// A probe of the one reaches the other.
    Reaches {
        from: ProcessId,
        to: ProcessId,
    },
    /// What it sends or gets was held back so often.
    Slowed {
        process: ProcessId,
        verb: String,
        packets: u64,
    },
    /// It sent and got nothing, or too little to be held back.
    NeverSlowed {
        process: ProcessId,
    },
    /// Nothing slows what it sends and gets any more.
    AtFullSpeed {
        process: ProcessId,
    },
    /// It asked for names, and was answered so, that often.
    Misled {
        process: ProcessId,
        times: u64,
        answer: Answer,
    },
    /// It asked for none of the names.
    NeverAsked {
        process: ProcessId,
    },
    /// A question from where it lives is answered rightly; before, it was misled so often.
    LedRight {
        process: ProcessId,
        times: u64,
    },
    /// A question from where it lives is not answered rightly.
    StillMisled {
        process: ProcessId,
    },
    /// How Docker tells a container to be.
    Container {
        container: ContainerId,
        is: ContainerState,
    },
    /// So many cores are kept busy.
    Burns {
        cores: f64,
    },
    /// The fault uses no more than this of what it was to use.
    Idle {
        cores: f64,
    },
    /// So much memory, or disk, is taken.
    Taken {
        bytes: u64,
    },
    /// Only so much could be taken.
    Short {
        bytes: u64,
    },
    /// What was taken of the machine is given back.
    Released,
    /// Whoever kept it in force was not heard any more when it was to end.
    Unheard {
        why: String,
    },
    /// The fault's own check says that it is in force.
    InForce,
    NotInForce,
    /// It said so before anything was done.
    InForceAlready,
    /// It was not seen to be in force in time.
    NeverSeen,
    /// Nothing was done: it was left to the platform.
    LeftToPlatform,
    /// It was gone before anything was done to it.
    GoneAlready {
        process: ProcessId,
    },
    /// It runs outside the drill, which could not start it again.
    Foreign {
        process: ProcessId,
    },
    /// It lives after KILL.
    Lives {
        process: ProcessId,
    },
    /// It did not stand still.
    Moves {
        process: ProcessId,
    },
    /// It ended by itself while it was to be paused, or was.
    Ended {
        process: ProcessId,
    },
    /// It was let go on, and does not.
    StaysStill {
        process: ProcessId,
    },
    /// The fault was aimed at nothing.
    NoTarget,
    /// How it was done is not known, so it cannot be taken back.
    NoWound,
    /// The harness itself failed while it was at it.
    HarnessFailed,
    /// It was not waited for any longer, at the second signal.
    GivenUp,
    /// What something outside said, as it said it.
    Said {
        text: String,
    },
}

/// What was seen of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContainerState {
    /// Nothing of it runs any more.
    Ended,
    /// It runs again, and its health check, if it has one, says that it is well.
    Runs,
    Paused,
    GoesOn,
    /// It was on so many networks, and is on none.
    CutOff {
        networks: u32,
    },
    /// It is on so many networks again.
    Connected {
        networks: u32,
    },
    /// It did not run before anything was done to it.
    NotRunning,
    /// It was paused before anything was done to it.
    PausedBefore,
    /// What was to end, to stand still or to be cut off is as it was.
    AsBefore,
    /// It is not what it was before the fault.
    StaysHurt,
    /// It runs again, and its health check does not say that it is well.
    Unwell,
}
