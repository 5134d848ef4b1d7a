use serde::{Deserialize, Serialize};

use super::{LinkId, Platform, ProcessId};
use crate::base::units::Span;

/// How the drill's name server answers those in networks while a fault is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Not at all.
    Nothing,
    /// There is no such name (NXDOMAIN).
    Missing,
    /// The server cannot tell (SERVFAIL).
    Failed,
    /// An address that nobody has.
    Wrong,
    /// The right one, so much later.
    Late(Span),
}

/// Whom a name leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    Process(ProcessId),
    Link(LinkId),
}

impl Platform {
    /// Every name that those in networks can ask for, in lower case, and all that it leads to: of each process in a network its
    /// name, that of its group, and those it is given; of a link those it is given.
    pub fn dns_names(&self) -> Vec<(String, Named)> {
        let mut names = Vec::new();
        for (index, process) in self.processes.iter().enumerate().filter(|(_, process)| process.network.is_some()) {
            let own = [Some(&process.name), process.group.as_ref()].into_iter().flatten();
            let all = own.chain(&process.names).map(|name| name.to_ascii_lowercase());
            names.extend(all.map(|name| (name, Named::Process(ProcessId::at(index)))));
        }
        for (index, link) in self.links.iter().enumerate() {
            let all = link.names.iter().map(|name| name.to_ascii_lowercase());
            names.extend(all.map(|name| (name, Named::Link(LinkId::at(index)))));
        }
        names
    }
}

/// Whether a name can be asked for: labels of letters, digits, `-` and `_`, 63 at the most in each and 253 in all, none empty.
pub fn is_dns_name(name: &str) -> bool {
    let sound = |label: &str| {
        let inside = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(inside) && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(sound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_can_be_asked_for() {
        for name in ["store", "node_1", "db.shop.internal", "A-1", "x"] {
            assert!(is_dns_name(name), "{name}");
        }
        let long = "a".repeat(64);
        for name in ["", ".", "a..b", "a.", "-a", "a-", "a b", "ä", long.as_str(), "a/b"] {
            assert!(!is_dns_name(name), "{name}");
        }
        assert!(!is_dns_name(&"a.".repeat(127)));
        assert!(is_dns_name(&format!("{}a", "a.".repeat(126))));
    }
}
