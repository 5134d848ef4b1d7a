use serde::{Deserialize, Serialize};

use crate::base::units::Text;

/// A container that runs already, and carries the label `peakdrill.allow=true`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Container {
    pub name: String,
    pub title: Text,
    /// As Docker calls it.
    pub container: String,
    /// The path of Docker's socket.
    pub socket: String,
}

/// What is done to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blow {
    /// KILL; healed by starting it.
    Kill,
    /// TERM to its first process; healed by starting it.
    Terminate,
    /// All of its processes stopped; healed by letting them go on.
    Pause,
    /// Taken off all its networks; healed by connecting it to each, with its aliases and its address.
    Disconnect,
}

impl Blow {
    /// The verb that scenarios name it by.
    pub const fn verb(self) -> &'static str {
        match self {
            Blow::Kill => "kill",
            Blow::Terminate => "terminate",
            Blow::Pause => "pause",
            Blow::Disconnect => "disconnect",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{ContainerId, FaultKind, ProcessId};

    #[test]
    fn two_on_one_container_exclude_each_other() {
        let on = |containers: &[u32], blow| FaultKind::Container {
            containers: containers.iter().copied().map(ContainerId).collect(),
            blow,
        };
        let kill = on(&[0, 1], Blow::Kill);
        for (other, excluded) in [
            (on(&[1, 2], Blow::Disconnect), true),
            (on(&[0], Blow::Kill), true),
            (on(&[2], Blow::Pause), false),
            (FaultKind::Kill { processes: vec![ProcessId(0)] }, false),
        ] {
            assert_eq!((kill.excludes(&other), other.excludes(&kill)), (excluded, excluded), "{other:?}");
        }
    }
}
