//! The plan as data: what a scenario comes to once every reference, default and choice is settled. A stored format
//! (`plan.json`): versioned, and the same bytes for the same file, profile, settings and seed.
//!
//! It holds no secret, no position in a file and no path of the machine. Texts that may hold `{{ … }}` are kept as
//! [`Template`]s; whoever renders them compiles them once. Leaves to others: how a plan comes about (`compile`), and
//! all doing.

mod action;
pub mod arrivals;
mod condition;
mod container;
mod demand;
mod dns;
mod dry;
mod fault;
mod host;
mod id;
mod journey;
mod legs;
mod link;
mod load;
mod network;
mod platform;
mod production;
mod replay;
mod search;
mod users;

pub use action::{Due, EmergencyAction, Work};
pub use condition::{Abort, Basis, Bound, Condition, Measure, Quantity, Scope, SteadyState, Target, Timing, Unit};
pub use container::{Blow, Container};
pub use dns::{Answer, Named, is_dns_name};
pub use fault::{End, Fault, FaultKind, Instant, Moment, Undo};
pub use host::{DiskOf, Host};
pub use id::{
    AbortId, ActionId, ContainerId, EndpointId, FaultId, FeedId, FigureId, HostId, JourneyId, LegId, LinkId, LoadId,
    NetworkId, PhaseId, ProcessId, SeriesId, SteadyId, StepId, TargetId, WatchId,
};
pub use journey::{
    Action, Body, Branch, Capture, CaptureFrom, Expect, Feed, FeedData, FileBody, Group, Journey, Matcher, Method,
    NamedFigure, OnFailure, Part, PartContent, Pick, Poll, Rendezvous, Repeat, Request, Retry, RetryOn, StatusSet,
    Step, Think, Turns,
};
pub use legs::Legs;
pub use link::{Direction, Flaw, FlawKind, Link, Only, Protocol, Spread};
pub use load::{Limits, Load, Phase, Role, Series, Spacing, Stage, StageKind};
pub use network::{Harm, Network, Shape, Subnet};
pub use platform::{
    Addresses, Allow, Attach, Chore, ChoreWork, Connections, Endpoint, HOST_FIGURES, Mark, PerConnection, Platform,
    Process, ProcessSource, Ready, Slow, Tls, Watch, WatchKind, Watched,
};
pub use production::{Most, Production, Window};
pub use replay::{Choice, Replay, Route, Taken, Tally};
pub use search::{Miss, Search, Trial, TrialEnd, Unfit};
pub use users::{Life, Refresh, UserStage, UserStageKind, Users, present};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::units::{Span, Text};

/// The version of the stored format; a reader refuses a newer one.
pub const VERSION: u32 = 1;

/// A text that may hold `{{ … }}`, as written. `compile` has parsed it once; rendering compiles it again, once a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template(pub String);

impl Template {
    /// True when rendering would give the text back unchanged.
    pub fn is_constant(&self) -> bool {
        !self.0.contains("{{") && !self.0.contains("{%") && !self.0.contains("{#")
    }
}

/// What the drill is, for people.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct About {
    pub name: String,
    pub title: Text,
    pub description: Text,
    pub purpose: Text,
    pub scope: Text,
    pub emergency_plan: Option<String>,
    pub owner: Text,
    pub people: Vec<Text>,
    pub environment: Text,
    pub differs_from_production: Text,
}

/// One drill, fully resolved. Ids are indices into the lists here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub version: u32,
    pub about: About,
    pub seed: u64,
    pub profile: Option<String>,
    /// `vars.*` as templates of steps see them.
    pub vars: BTreeMap<String, serde_json::Value>,
    pub platform: Platform,
    pub prepare: Vec<Chore>,
    pub cleanup: Vec<Chore>,
    pub feeds: Vec<Feed>,
    /// What captures keep as figures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub figures: Vec<NamedFigure>,
    /// One for each name of a step: figures are kept per name.
    pub steps: Vec<Step>,
    pub journeys: Vec<Journey>,
    pub loads: Vec<Load>,
    /// Every (load, journey, step) that can happen: the finest grain that figures are kept at.
    pub series: Vec<Series>,
    /// Ordered by their start. They may overlap.
    pub phases: Vec<Phase>,
    pub faults: Vec<Fault>,
    /// The emergency plan's steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<EmergencyAction>,
    pub steady_states: Vec<SteadyState>,
    pub aborts: Vec<Abort>,
    pub targets: Vec<Target>,
    pub limits: Limits,
    /// What it keeps to where it is a drill of production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub production: Option<Production>,
    /// When the drill ends: the last stage's end, or what `end:` says.
    pub end: Span,
    /// Something is left out on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsal: Option<Rehearsal>,
    /// The targets that cannot be judged for that, by their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unjudged: Vec<String>,
}

/// A drill of which something is left out on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rehearsal {
    NoFaults,
    NoLoad,
    /// Some faults.
    Without,
}
