use serde::{Deserialize, Serialize};

use super::{HostId, ProcessId};
use crate::base::units::Text;

/// A machine that a part of the platform runs on, and how an agent is started there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Host {
    pub name: String,
    pub title: Text,
    /// An address or a name; `allow` allows it.
    pub address: String,
    /// The words that a command line there follows. Never empty.
    pub via: Vec<String>,
    /// What peakdrill is called there.
    pub program: String,
    /// Where its disk is filled.
    pub folder: String,
}

/// Whose disk it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskOf {
    /// The one that its own folder lies on.
    Process(ProcessId),
    /// The one that the host's folder lies on.
    Host(HostId),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::units::Size;
    use crate::plan::FaultKind;

    #[test]
    fn where_a_machine_is_hurt_is_stored_where_it_is_not_this_one() {
        let stored = |kind: &FaultKind| serde_json::to_string(kind).unwrap();
        let kinds = [
            (FaultKind::Burn { cores: 2, host: None }, r#"{"burn":{"cores":2}}"#),
            (FaultKind::Burn { cores: 2, host: Some(HostId(1)) }, r#"{"burn":{"cores":2,"host":1}}"#),
            (
                FaultKind::FillDisk { of: DiskOf::Process(ProcessId(0)), size: Size(5) },
                r#"{"fill-disk":{"process":0,"size":5}}"#,
            ),
            (
                FaultKind::FillDisk { of: DiskOf::Host(HostId(1)), size: Size(5) },
                r#"{"fill-disk":{"host":1,"size":5}}"#,
            ),
        ];
        for (kind, text) in kinds {
            assert_eq!((stored(&kind).as_str(), serde_json::from_str(text).ok()), (text, Some(kind)));
        }
    }
}
