use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl $name {
            /// The id of the thing at `index` of its list.
            pub fn at(index: usize) -> $name {
                $name(u32::try_from(index).expect("a list of a plan is far shorter than 2^32"))
            }

            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

ids! {
    /// Into `Plan::platform.processes`.
    ProcessId;
    /// Into `Plan::platform.endpoints`.
    EndpointId;
    /// Into `Plan::platform.links`.
    LinkId;
    /// Into `Plan::platform.containers`.
    ContainerId;
    /// Into `Plan::platform.hosts`.
    HostId;
    /// Into `Plan::platform.networks`.
    NetworkId;
    /// Into `Plan::platform.watches`.
    WatchId;
    /// Into `Plan::feeds`.
    FeedId;
    /// Into `Plan::steps`.
    StepId;
    /// Into `Plan::journeys`.
    JourneyId;
    /// Into `Plan::loads`.
    LoadId;
    /// Into `Plan::series`.
    SeriesId;
    /// Into `Plan::phases`.
    PhaseId;
    /// Of a plan's [`Legs`](super::Legs).
    LegId;
    /// Into `Plan::faults`.
    FaultId;
    /// Into `Plan::actions`.
    ActionId;
    /// Into `Plan::steady_states`.
    SteadyId;
    /// Into `Plan::aborts`.
    AbortId;
    /// Into `Plan::figures`.
    FigureId;
    /// Into `Plan::targets`.
    TargetId;
}
