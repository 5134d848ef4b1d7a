//! Names and where they lead to, for as long as their servers say.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_resolver::config::{LookupIpStrategy, ResolveHosts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name as DnsName, RecordType};
use hickory_resolver::{Hosts, TokioResolver, system_conf};

use super::WireError;
use crate::base::clock::Clock;
use crate::base::units::{At, Span};

/// How long addresses are used that nobody gave a time to live: those of `/etc/hosts`, and of what the system alone knows.
const AGE: Span = Span::SECOND;

/// The names that were asked for. Of each, one question is under way at a time, whoever waits for its answer.
#[derive(Debug)]
pub(super) struct Names {
    clock: Clock,
    /// By host and port.
    known: Mutex<HashMap<Key, Arc<Name>>>,
}

type Key = (Arc<str>, u16);

#[derive(Debug, Default)]
struct Name {
    resolved: Mutex<Option<Resolved>>,
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone)]
struct Resolved {
    /// When it was asked for.
    asked: At,
    until: At,
    addresses: Arc<[SocketAddr]>,
}

impl Name {
    /// What is known at `now`, or was asked for since.
    fn fresh(&self, now: At) -> Option<Arc<[SocketAddr]>> {
        let resolved = self.resolved.lock().expect("nothing panics while it holds this lock");
        let fresh = resolved.as_ref().filter(|known| now < known.until || now <= known.asked);
        fresh.map(|known| known.addresses.clone())
    }

    fn learn(&self, resolved: Resolved) {
        *self.resolved.lock().expect("nothing panics while it holds this lock") = Some(resolved);
    }
}

impl Names {
    pub(super) fn new(clock: &Clock) -> Names {
        Names { clock: clock.clone(), known: Mutex::default() }
    }

    /// The addresses of `host`, as far as `permitted` lets them through.
    pub(super) async fn resolve(
        &self,
        host: &Arc<str>,
        port: u16,
        permitted: impl Fn(Vec<SocketAddr>) -> Result<Arc<[SocketAddr]>, WireError>,
    ) -> Result<Arc<[SocketAddr]>, WireError> {
        let name = self.name(host, port);
        let now = self.clock.now();
        if let Some(known) = name.fresh(now) {
            return Ok(known);
        }
        let _one = name.asking.lock().await;
        if let Some(known) = name.fresh(now) {
            return Ok(known);
        }
        let asked = self.clock.now();
        let refuse = |why| WireError::Dns { host: host.to_string(), why };
        let (found, lives) = ask(host).await.map_err(refuse)?;
        if found.is_empty() {
            return Err(refuse("it has no address".to_owned()));
        }
        let addresses = permitted(found.into_iter().map(|address| SocketAddr::new(address, port)).collect())?;
        name.learn(Resolved { asked, until: asked + lives, addresses: addresses.clone() });
        Ok(addresses)
    }

    /// Has `host` lead to these addresses from now on.
    #[cfg(test)]
    pub(super) fn know(&self, host: &str, port: u16, addresses: &[SocketAddr]) {
        let resolved = Resolved { asked: At::START, until: At::MAX, addresses: addresses.into() };
        self.name(&host.into(), port).learn(resolved);
    }

    fn name(&self, host: &Arc<str>, port: u16) -> Arc<Name> {
        let mut known = self.known.lock().expect("nothing panics while it holds this lock");
        known.entry((host.clone(), port)).or_default().clone()
    }
}

type Found = (Vec<IpAddr>, Span);

/// Asks `/etc/hosts`, then the servers of `/etc/resolv.conf`, and the system where these know nothing: it may have other
/// ways to learn of a name.
async fn ask(host: &str) -> Result<Found, String> {
    match ask_files_and_servers(host).await {
        Ok(found) => Ok(found),
        Err(NetError::Timeout) => Err("no server of /etc/resolv.conf answered in time".to_owned()),
        Err(_) => {
            let found = tokio::net::lookup_host((host, 0)).await.map_err(|error| error.to_string())?;
            Ok((found.map(|address| address.ip()).collect(), AGE))
        }
    }
}

/// Reads the files anew each time: they are small, and change under a long run.
async fn ask_files_and_servers(host: &str) -> Result<Found, NetError> {
    let name = DnsName::from_str_relaxed(host)?;
    let read = || (Hosts::from_system().unwrap_or_default(), system_conf::read_system_conf());
    let (hosts, servers) = tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?;
    let listed = [RecordType::A, RecordType::AAAA].into_iter();
    let listed = listed.filter_map(|kind| hosts.lookup_static_host(&Query::query(name.clone(), kind)));
    let listed: Vec<IpAddr> = listed
        .flat_map(|found| found.answers().iter().filter_map(|one| one.data.ip_addr()).collect::<Vec<_>>())
        .collect();
    if !listed.is_empty() {
        return Ok((listed, AGE));
    }
    let (servers, mut options) = servers?;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = ResolveHosts::Never;
    options.cache_size = 0;
    // Its connections belong to the runtime that it is asked on, so that each question has a resolver of its own.
    let resolver = TokioResolver::builder_with_config(servers, TokioRuntimeProvider::default());
    let found = resolver.with_options(options).build()?.lookup_ip(name).await?;
    // With the names that lead to others: the shortest-lived of them ends it.
    let lives = found.as_lookup().answers().iter().map(|record| record.ttl).min();
    Ok((found.iter().collect(), lives.map_or(AGE, |seconds| Span::seconds(u64::from(seconds)))))
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use hickory_resolver::proto::op::{Message, ResponseCode};
    use hickory_resolver::proto::rr::rdata::{A, CNAME};
    use hickory_resolver::proto::rr::{RData, Record};

    use super::*;
    use crate::base::clock::SimClock;
    use crate::wire::own_network::in_own_network;

    const ADDRESS: [[u8; 4]; 3] = [[127, 0, 0, 1], [127, 0, 0, 2], [127, 0, 0, 3]];

    /// What the server answers at the `nth` question for an address of IPv4, from 1 on; it knows none of IPv6.
    fn answers(name: &DnsName, nth: usize) -> Vec<Record> {
        let record = |of: &DnsName, ttl, data| Record::from_rdata(of.clone(), ttl, data);
        let a = |of: &DnsName, ttl, at: usize| record(of, ttl, RData::A(A(ADDRESS[at].into())));
        match name.to_utf8().trim_end_matches('.') {
            // After a failover it leads elsewhere.
            "shop.test" if nth == 1 => vec![a(name, 30, 0), a(name, 5, 1)],
            "shop.test" => vec![a(name, 30, 2)],
            "alias.test" => {
                let target = DnsName::from_utf8("target.test.").unwrap();
                vec![record(name, 2, RData::CNAME(CNAME(target.clone()))), a(&target, 600, 0)]
            }
            "now.test" => vec![a(name, 0, nth % 3)],
            "short.search.test" => vec![a(name, 60, 1)],
            _ => Vec::new(),
        }
    }

    /// A server of names at port 53, which lives as long as the process; how often it was asked, by name.
    fn serve() -> Arc<Mutex<HashMap<String, usize>>> {
        let seen: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
        let socket = UdpSocket::bind("127.0.0.1:53").unwrap();
        let count = seen.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let asked = Message::from_vec(&buffer[..length]).unwrap();
                let mut said = Message::response(asked.metadata.id, asked.metadata.op_code);
                let query = asked.queries[0].clone();
                if query.query_type() == RecordType::A {
                    let mut count = count.lock().unwrap();
                    let nth = count.entry(query.name().to_utf8()).or_default();
                    *nth += 1;
                    said.add_answers(answers(query.name(), *nth));
                }
                if said.answers.is_empty() && answers(query.name(), 1).is_empty() {
                    said.metadata.response_code = ResponseCode::NXDomain;
                }
                said.add_query(query);
                socket.send_to(&said.to_vec().unwrap(), from).unwrap();
            }
        });
        seen
    }

    #[test]
    fn a_name_leads_where_its_server_says_for_as_long_as_it_says() {
        in_own_network(
            "mount --make-rprivate / && dir=$(mktemp -d) && mount -t tmpfs none $dir \
             && printf 'nameserver 127.0.0.1\\nsearch search.test\\n' > $dir/resolv.conf \
             && printf '127.0.0.9 listed.test\\n' > $dir/hosts \
             && mount --bind $dir/resolv.conf /etc/resolv.conf && mount --bind $dir/hosts /etc/hosts \
             && umount -l $dir && rmdir $dir",
            "wire::names::tests::inside_a_network_with_a_server_of_names",
        );
    }

    #[test]
    #[ignore = "needs a network with a server of names, which the test above makes"]
    fn inside_a_network_with_a_server_of_names() {
        let seen = serve();
        let clock = SimClock::new();
        let names = Names::new(&clock.clock());
        let asked = |name: &str| seen.lock().unwrap().get(name).copied().unwrap_or(0);
        let all = |found: Vec<SocketAddr>| Ok(found.into());
        let resolve = async |host: &str| {
            let found = names.resolve(&host.into(), 80, all).await?;
            Ok::<_, WireError>(found.iter().map(SocketAddr::ip).collect::<Vec<_>>())
        };
        let at = |index: usize| IpAddr::from(ADDRESS[index]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            // As long as the shortest-lived address holds; those who wait for an answer share it.
            let (first, second) = tokio::join!(resolve("shop.test"), resolve("shop.test"));
            assert_eq!((&first, &second), (&Ok(vec![at(0), at(1)]), &first));
            clock.advance(Span::nanos(4_999_999_999)).await;
            assert_eq!((resolve("shop.test").await, asked("shop.test.")), (first, 1));
            clock.advance(Span::nanos(1)).await;
            assert_eq!((resolve("shop.test").await, asked("shop.test.")), (Ok(vec![at(2)]), 2));

            // A name that leads to another one holds no longer than that lead.
            assert_eq!(resolve("alias.test").await, Ok(vec![at(0)]));
            clock.advance(Span::seconds(2)).await;
            assert_eq!((resolve("alias.test").await, asked("alias.test.")), (Ok(vec![at(0)]), 2));

            // What does not live is asked for by every connection.
            for nth in 1..4 {
                assert_eq!(resolve("now.test").await, Ok(vec![at(nth % 3)]));
                clock.advance(Span::nanos(1)).await;
            }

            // The search list, the file of hosts, and a name that nobody knows.
            assert_eq!(resolve("short").await, Ok(vec![at(1)]));
            assert_eq!(resolve("listed.test").await, Ok(vec![IpAddr::from([127, 0, 0, 9])]));
            assert_eq!(asked("listed.test."), 0);
            let unknown = resolve("unknown.test").await;
            assert!(matches!(unknown, Err(WireError::Dns { .. })), "{unknown:?}");
        });
    }
}
