use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use super::identity::Identity;
use super::machine::local_port_range;
use super::proc;
use super::time::monotonic_nanos;

/// The lowest port that is handed out: below lie those that services are known by.
const LOWEST: u16 = 10_000;

/// A free TCP port on the loopback, ours while this lives, whether somebody listens on it or not.
///
/// It lies outside the range of outgoing connections, so that none of them can sit on it while its process is down;
/// and it is named in the kernel's abstract sockets, so that another harness does not hand it out as well.
#[derive(Debug)]
pub struct ReservedPort {
    port: u16,
    _held: UnixListener,
}

impl ReservedPort {
    pub fn number(&self) -> u16 {
        self.port
    }
}

/// Finds and reserves one.
pub fn reserve_port() -> io::Result<ReservedPort> {
    let (first, last) = local_port_range();
    let below = LOWEST..first.max(LOWEST);
    let above = last.saturating_add(1).max(LOWEST)..u16::MAX;
    let outside: Vec<u16> = below.chain(above).collect();
    // Where everything is in that range, anything free must do.
    let candidates = if outside.is_empty() { (LOWEST..u16::MAX).collect() } else { outside };
    let from = monotonic_nanos() as usize % candidates.len();
    let (late, early) = candidates.split_at(from);
    for &port in early.iter().chain(late) {
        if let Some(reserved) = reserve(port) {
            return Ok(reserved);
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, "every TCP port of the loopback is in use"))
}

fn reserve(port: u16) -> Option<ReservedPort> {
    let name = SocketAddr::from_abstract_name(format!("peakdrill-port-{port}")).ok()?;
    let held = UnixListener::bind_addr(&name).ok()?;
    // On all addresses, since a listener elsewhere would clash with a process that wants 0.0.0.0.
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).ok()?;
    Some(ReservedPort { port, _held: held })
}

/// The process that listens on this TCP port of this machine: of several that share the socket, the one that the
/// others came of. `None` when nobody does, or it may not be looked at.
pub fn listener_of(port: u16) -> Option<Identity> {
    let mut sockets = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = fs::read_to_string(table).unwrap_or_default();
        sockets.extend(text.lines().skip(1).filter_map(|line| listening(line, port)));
    }
    let names: Vec<String> = sockets.iter().map(|inode| format!("socket:[{inode}]")).collect();
    if names.is_empty() {
        return None;
    }
    let holders: Vec<_> = proc::stats().into_iter().filter(|stat| stat.is_alive() && holds(stat.pid, &names)).collect();
    let is_first = |stat: &&proc::Stat| !holders.iter().any(|other| other.pid == stat.parent);
    holders.iter().filter(is_first).min_by_key(|stat| stat.started).map(proc::Stat::identity)
}

fn holds(pid: u32, names: &[String]) -> bool {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    entries.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|link| {
        let link = link.to_string_lossy();
        names.iter().any(|name| link == name.as_str())
    })
}

/// The inode of a line of `/proc/net/tcp` that listens (state 0A) on `port`.
fn listening(line: &str, port: u16) -> Option<u64> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let local = fields.get(1)?.rsplit_once(':')?.1;
    let matches = u16::from_str_radix(local, 16).ok()? == port && *fields.get(3)? == "0A";
    matches.then(|| fields.get(9)?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_port_is_free_not_handed_out_twice_and_out_of_the_way_of_outgoing_connections() {
        let ports: Vec<ReservedPort> = (0..20).map(|_| reserve_port().unwrap()).collect();
        let mut numbers: Vec<u16> = ports.iter().map(ReservedPort::number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 20);
        let (first, last) = local_port_range();
        for port in numbers {
            assert!(port < first || port > last);
            assert!(reserve(port).is_none());
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        }
    }

    #[test]
    fn a_listener_is_found_by_its_port() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(listener_of(port), Some(Identity::own()));
        assert_eq!(listener_of(reserve_port().unwrap().number()), None);
    }
}
