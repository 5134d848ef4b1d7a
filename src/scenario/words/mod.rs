//! The blocks of the language, each defined once.

mod action;
mod ailment;
mod body;
mod condition;
mod container;
mod fault;
mod feed;
mod figure;
mod flaw;
mod host;
mod instant;
mod journey;
mod load;
mod network;
mod platform;
mod production;
mod replay;
mod request;
mod retry;
mod schedule;
mod search;
mod top;
mod users;

pub use action::{Action, Confirm, ConfirmSeen, ConfirmWord};
pub use ailment::{ExhaustFiles, OutOfMemory, Restart, SkewClock, SlowDisk, SlowStart};
pub use body::{BodyFile, BodyText, PartBlock, PartValue};
pub use condition::{Basis, Condition, Measure, Obligation, SteadyState, Timing, Trigger, is_metric};
pub use container::{Container, Disconnect};
pub use fault::{AnyOf, Burn, CrashLoop, Fault, FillDisk, FillMemory, Kill, Pause, RunFault, Target, Terminate};
pub use feed::{Feed, Pick};
pub use figure::Figure;
pub use flaw::{
    CloseAfter, Corrupt, Delay, Direction, Hang, Link, OnlyRequests, Protocol, Refuse, Reset, Respond, Slice,
    SlowClose, Spread, Throttle,
};
pub use host::{Host, HostWatch, Machine};
pub use instant::{Moment, Reference, When};
pub use journey::{
    Branch, ChooseStep, Exponential, Group, GroupStep, IfStep, Journey, JourneyBlock, JourneyStep, LetStep, Lognormal,
    Poll, PollStep, Rendezvous, RendezvousStep, Repeat, RepeatStep, Step, Steps, Switch, Think, ThinkBlock, ThinkStep,
    Uniform,
};
pub use load::{Burst, Hold, Limits, Load, Phase, Ramp, RateFile, Spacing, Spike, Stage, Stairs, Wave};
pub use network::{BreakDns, DnsAnswer, Drop, Network, Partition, Sides};
pub use platform::{
    Alert, AlertWatch, Arguments, Attach, Chore, Connections, DrillMark, Endpoint, EndpointBlock, PageWatch,
    PerConnection, Platform, ProbeWatch, Process, ProcessClock, ProcessWatch, Ratio, RatioWatch, Ready, Slow, Tls,
    Watch,
};
pub use production::{Most, Production, Window};
pub use replay::{JsonFields, JsonLines, KnownFormat, LogFormat, Only, Replay, ReplayMethod};
pub use request::{
    Capture, CaptureBlock, Contains, Expect, Matcher, MatcherBlock, Method, OnFailure, Request, Status, StatusSet,
    Until,
};
pub use retry::{Retry, RetryCauses, RetryOn, RetryWord};
pub use schedule::{Healer, Storm, UndoAtEnd, UndoRun, UndoWord};
pub use search::Search;
pub use top::{Overlay, Scenario, Version};
pub use users::{Refresh, UserHold, UserRamp, UserSpike, UserStage, UserStairs};
