use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::plan::Allow;

/// The scenario's `allow`, ready to be asked.
#[derive(Debug, Clone)]
pub(super) struct AllowList {
    networks: Vec<IpNet>,
    names: Vec<(String, Option<u16>)>,
    sockets: Vec<PathBuf>,
}

impl AllowList {
    pub(super) fn new(allow: &[Allow]) -> AllowList {
        let mut list = AllowList { networks: Vec::new(), names: Vec::new(), sockets: Vec::new() };
        for one in allow {
            match one {
                // A prefix that is too long for its family matches nothing, which is the safe side.
                Allow::Network { address, prefix } => list.networks.extend(IpNet::new(*address, *prefix)),
                Allow::Socket { path } => list.sockets.push(path.into()),
                Allow::Name { host, port } => list.names.push((host.clone(), *port)),
            }
        }
        list
    }

    /// Whether the Unix socket at `path`, as it is written, may be dialled.
    pub(super) fn permits_socket(&self, path: &Path) -> bool {
        self.sockets.iter().any(|known| known.as_os_str() == path.as_os_str())
    }

    /// Whether `address`, which `host` resolved to, may be dialled.
    pub(super) fn permits(&self, host: &str, port: u16, address: IpAddr) -> bool {
        // An IPv4 address in IPv6 clothes reaches the IPv4 host.
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
            || self.names.iter().any(|(name, on)| name.eq_ignore_ascii_case(host) && on.is_none_or(|on| on == port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Allow {
        let network: IpNet = text.parse().unwrap();
        Allow::Network { address: network.addr(), prefix: network.prefix_len() }
    }

    #[test]
    fn the_address_decides_unless_the_name_is_allowed() {
        let list = AllowList::new(&[
            network("127.0.0.0/8"),
            network("::1/128"),
            Allow::Name { host: "shop.test".to_owned(), port: Some(443) },
        ]);
        let permits = |host, port, address: &str| list.permits(host, port, address.parse().unwrap());
        assert!(permits("localhost", 80, "127.0.0.1"));
        assert!(permits("anything", 80, "127.9.9.9"));
        assert!(permits("localhost", 80, "::1"));
        assert!(permits("localhost", 80, "::ffff:127.0.0.1"));
        assert!(permits("SHOP.test", 443, "192.0.2.1"));
        assert!(!permits("shop.test", 80, "192.0.2.1"));
        assert!(!permits("other.test", 443, "192.0.2.1"));
        assert!(!permits("localhost", 80, "0.0.0.0"));
        assert!(!permits("localhost", 80, "::ffff:192.0.2.1"));
    }

    #[test]
    fn a_network_that_cannot_be_matches_nothing() {
        let list = AllowList::new(&[Allow::Network { address: IpAddr::from([127, 0, 0, 1]), prefix: 77 }]);
        assert!(!list.permits("localhost", 80, IpAddr::from([127, 0, 0, 1])));
    }
}
