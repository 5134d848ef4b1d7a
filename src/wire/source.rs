use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpSocket, TcpStream};

use super::WireError;
use crate::base::host::{bind_without_port, check_own_address};
use crate::plan::Addresses;

/// The local addresses that connections go out from, in turn. Each has all local ports to itself towards one target.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources {
    known: Arc<[IpAddr]>,
    next: Arc<AtomicUsize>,
}

/// So many are tried when one has no port left.
const TRIES: usize = 64;

impl Sources {
    /// Refused when one of them is not this machine's.
    pub(super) fn new(ranges: &[Addresses]) -> Result<Sources, WireError> {
        let known: Arc<[IpAddr]> = ranges.iter().flat_map(|range| range.iter()).collect();
        for address in known.iter() {
            let checked = check_own_address(*address);
            checked.map_err(|error| WireError::Source { address: *address, kind: error.kind() })?;
        }
        Ok(Sources { known, next: Arc::default() })
    }

    /// Connects to `target` from the next of them; from wherever the system likes when there are none. `unread`: how much
    /// the kernel is to keep of what is not read; none: as it likes.
    pub(super) async fn connect(&self, target: SocketAddr, unread: Option<u32>) -> Result<TcpStream, WireError> {
        if self.known.is_empty() {
            return connect_from(None, target, unread).await;
        }
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let turn = (0..self.known.len()).map(|index| self.known[first.wrapping_add(index) % self.known.len()]);
        let mut last = WireError::NoSource(target);
        for from in turn.filter(|from| from.is_ipv4() == target.is_ipv4()).take(TRIES) {
            match connect_from(Some(from), target, unread).await {
                Err(WireError::Ports) => last = WireError::Ports,
                other => return other,
            }
        }
        Err(last)
    }
}

async fn connect_from(from: Option<IpAddr>, target: SocketAddr, unread: Option<u32>) -> Result<TcpStream, WireError> {
    let failed = |error| WireError::of_connect(&error, target);
    let socket = if target.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(failed)?;
    if let Some(unread) = unread {
        socket.set_recv_buffer_size(unread).map_err(failed)?;
    }
    if let Some(from) = from {
        let bound = bind_without_port(&socket).and_then(|()| socket.bind(SocketAddr::new(from, 0)));
        bound.map_err(|error| WireError::Source { address: from, kind: error.kind() })?;
    }
    socket.connect(target).await.map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::base::clock::Clock;
    use crate::plan::{Allow, Tls};
    use crate::wire::own_network::in_own_network;
    use crate::wire::{Connection, Door, Origin};

    fn run<F: Future>(work: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    fn range(from: &str, to: &str) -> Addresses {
        Addresses { from: from.parse().unwrap(), to: to.parse().unwrap() }
    }

    fn origin(door: &Door, port: u16, ranges: &[Addresses]) -> Origin {
        let mut origin = door.origin(&format!("http://127.0.0.1:{port}"), &Tls::default()).unwrap();
        origin.leave_from(ranges).unwrap();
        origin
    }

    fn door() -> Door {
        let allow = [Allow::Network { address: [127, 0, 0, 0].into(), prefix: 8 }];
        Door::new(&Clock::start(), &allow, Path::new("."))
    }

    #[test]
    fn connections_go_out_from_each_in_turn() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        run(async {
            let door = door();
            let origin = origin(&door, port, &[range("127.0.0.2", "127.0.0.3"), range("127.0.0.9", "127.0.0.9")]);
            let mut seen = Vec::new();
            for _ in 0..6 {
                let _made = door.connect(&origin).await.unwrap();
                seen.push(listener.accept().unwrap().1.ip().to_string());
            }
            assert_eq!(seen, ["127.0.0.2", "127.0.0.3", "127.0.0.9", "127.0.0.2", "127.0.0.3", "127.0.0.9"]);
        });
    }

    #[test]
    fn what_is_not_of_this_machine_or_not_of_the_kind_is_refused() {
        let door = door();
        let mut origin = door.origin("http://127.0.0.1:1", &Tls::default()).unwrap();
        let refused = origin.leave_from(&[range("192.0.2.1", "192.0.2.1")]);
        assert!(matches!(refused, Err(WireError::Source { .. })), "{refused:?}");
        if origin.leave_from(&[range("::1", "::1")]).is_ok() {
            let refused = run(door.connect(&origin)).map(|_| ());
            assert!(matches!(refused, Err(WireError::NoSource(_))), "{refused:?}");
        }
    }

    /// 1,000 ports, and 3,000 connections to one address at once.
    #[test]
    fn more_connections_than_ports_go_out_from_several_addresses() {
        in_own_network(
            "echo 20000 20999 > /proc/sys/net/ipv4/ip_local_port_range && ulimit -n 16384",
            "wire::source::tests::inside_a_network_of_few_ports",
        );
    }

    #[test]
    #[ignore = "needs a network with 1,000 ports, which the test above makes"]
    fn inside_a_network_of_few_ports() {
        for port in [80, 81] {
            let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
            // Kept open: this ends with the process.
            std::thread::spawn(move || drop(listener.incoming().collect::<Vec<_>>()));
        }
        run(async {
            let door = door();
            let mut kept: Vec<Connection> = Vec::new();
            let mut make = async |port: u16, ranges: &[Addresses]| {
                let origin = origin(&door, port, ranges);
                for made in 0..3_000 {
                    match door.connect(&origin).await {
                        Ok((connection, _)) => kept.push(connection),
                        Err(error) => return (made, Some(error)),
                    }
                }
                (3_000, None)
            };
            let one = [range("127.0.0.2", "127.0.0.2")];
            assert_eq!(make(80, &one).await, (1_000, Some(WireError::Ports)));
            assert_eq!(make(81, &one).await, (1_000, Some(WireError::Ports)), "to another target all are free again");
            assert_eq!(make(80, &[range("127.0.1.1", "127.0.1.3")]).await, (3_000, None));
        });
    }
}
