use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpStream, UnixStream};

use super::allow::AllowList;
use super::names::Names;
use super::slow::{Slow, receive_buffer};
use super::source::Sources;
use super::stream::{Socket, Stream};
use super::transport::Transport;
use super::{Connection, Origin, WireError, tls};
use crate::base::clock::Clock;
use crate::base::units::{Flow, Span};
use crate::plan::{Allow, Tls};

/// The one way outward. Every connection is held to the allow-list at the address it goes to, after DNS.
/// Cheap to clone; clones share the names that were resolved.
#[derive(Debug, Clone)]
pub struct Door(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    allow: AllowList,
    /// Where files that the plan names lie.
    folder: PathBuf,
    names: Names,
    /// Connections to names with several addresses: each begins at another.
    dialled: AtomicUsize,
    /// Hyper speaks also where our own speaker could.
    hyper: bool,
}

/// How long each part of making a connection took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dialled {
    pub dns: Span,
    pub connect: Span,
    pub tls: Span,
}

impl Door {
    /// `folder` is where files that the plan names (roots of TLS) lie.
    pub fn new(clock: &Clock, allow: &[Allow], folder: &Path) -> Door {
        Door::made(clock.clone(), AllowList::new(allow), folder.to_owned(), false)
    }

    fn made(clock: Clock, allow: AllowList, folder: PathBuf, hyper: bool) -> Door {
        let (names, dialled) = (Names::new(&clock), AtomicUsize::new(0));
        Door(Arc::new(Inner { clock, allow, folder, names, dialled, hyper }))
    }

    /// Another door like it, with hyper as the speaker also where there is no TLS: what our own is measured against.
    pub fn by_hyper(&self) -> Door {
        let Inner { clock, allow, folder, .. } = &*self.0;
        Door::made(clock.clone(), allow.clone(), folder.clone(), true)
    }

    /// The clock that its timings are taken with.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Reads an endpoint's address. Reads files of roots, so it belongs to the start of a run.
    pub fn origin(&self, url: &str, tls: &Tls) -> Result<Origin, WireError> {
        let (mut origin, secure) = Origin::parse(url)?;
        if secure {
            origin.tls = Some(tls::secure(&origin.host, tls, &self.0.folder)?);
        }
        Ok(origin)
    }

    /// The addresses of `host` that may be dialled; refused when there are addresses and none may.
    pub async fn resolve(&self, host: &Arc<str>, port: u16) -> Result<Arc<[SocketAddr]>, WireError> {
        if let Ok(address) = host.parse::<IpAddr>() {
            let address = SocketAddr::new(address, port);
            return self.permitted(host, port, vec![address]);
        }
        self.0.names.resolve(host, port, |found| self.permitted(host, port, found)).await
    }

    fn permitted(&self, host: &Arc<str>, port: u16, found: Vec<SocketAddr>) -> Result<Arc<[SocketAddr]>, WireError> {
        let permits = |address: &SocketAddr| self.0.allow.permits(host, port, address.ip());
        match found.first() {
            Some(&address) if !found.iter().any(permits) => Err(WireError::Forbidden { host: host.clone(), address }),
            _ => Ok(found.into_iter().filter(permits).collect()),
        }
    }

    /// Dials the addresses of `host` that may be dialled, one after the other, until one answers. Connections begin at
    /// each in turn, so that they are spread over all of them.
    async fn dial(
        &self,
        host: &Arc<str>,
        port: u16,
        from: &Sources,
        unread: Option<u32>,
    ) -> Result<(TcpStream, Dialled), WireError> {
        let clock = &self.0.clock;
        let begun = clock.now();
        let addresses = self.resolve(host, port).await?;
        let resolved = clock.now();
        let mut last = None;
        let turn = match addresses.len() {
            0 | 1 => 0,
            several => self.0.dialled.fetch_add(1, Ordering::Relaxed) % several,
        };
        for &address in addresses[turn..].iter().chain(&addresses[..turn]) {
            match from.connect(address, unread).await {
                Ok(tcp) => {
                    let _ = tcp.set_nodelay(true);
                    let connect = clock.now().since(resolved);
                    return Ok((tcp, Dialled { dns: resolved.since(begun), connect, tls: Span::ZERO }));
                }
                Err(error) => {
                    let ends = error.is_own_limit();
                    last = Some(error);
                    if ends {
                        break;
                    }
                }
            }
        }
        Err(last.unwrap_or_else(|| WireError::Dns { host: host.to_string(), why: "it has no address".to_owned() }))
    }

    /// Dials the socket at `path`, if that may be.
    async fn dial_socket(&self, path: &Arc<Path>) -> Result<(Transport, Dialled), WireError> {
        if !self.0.allow.permits_socket(path) {
            return Err(WireError::ForbiddenSocket(path.clone()));
        }
        let begun = self.0.clock.now();
        let unix = UnixStream::connect(path).await.map_err(|error| WireError::of_socket(&error, path))?;
        let connect = self.0.clock.now().since(begun);
        Ok((Transport::Unix(unix), Dialled { connect, ..Dialled::default() }))
    }

    async fn transport(&self, origin: &Origin, slow: Option<Flow>) -> Result<(Transport, Dialled), WireError> {
        if let Some(path) = &origin.socket {
            return self.dial_socket(path).await;
        }
        let unread = slow.map(receive_buffer);
        let (tcp, dialled) = self.dial(&origin.host, origin.port, &origin.sources, unread).await?;
        Ok((Transport::Tcp(tcp), dialled))
    }

    /// Makes a connection to `origin`. It has no time limit of its own.
    pub async fn connect(&self, origin: &Origin) -> Result<(Connection, Dialled), WireError> {
        self.connect_reading(origin, None).await
    }

    /// The same, reading as slowly as `slow` says.
    pub async fn connect_reading(
        &self,
        origin: &Origin,
        slow: Option<Flow>,
    ) -> Result<(Connection, Dialled), WireError> {
        let (mut transport, mut dialled) = self.transport(origin, slow).await?;
        let clock = &self.0.clock;
        #[cfg(test)]
        if matches!(&transport, Transport::Tcp(tcp) if super::scripted::is_rigged(tcp)) {
            return Ok((Connection::rigged(clock.clone()), dialled));
        }
        if let Some(rate) = slow {
            transport = Transport::Slow(Box::new(Slow::new(transport, clock.clone(), rate)));
        }
        let socket = Socket::new(transport, clock.clone());
        let stream = match &origin.tls {
            None => Stream::Plain(socket),
            Some(secure) => {
                let begun = clock.now();
                let connector = tokio_rustls::TlsConnector::from(secure.config.clone());
                let tls = connector.connect(secure.name.clone(), socket).await;
                let tls =
                    tls.map_err(|error| WireError::Tls { host: origin.host.to_string(), why: error.to_string() })?;
                dialled.tls = clock.now().since(begun);
                Stream::Tls(Box::new(tls))
            }
        };
        let clock = clock.clone();
        let made = match self.0.hyper {
            false => Connection::over(stream, clock).await,
            true => Connection::by_hyper(stream, clock).await,
        };
        Ok((made?, dialled))
    }

    /// Whether something listens at `host:port`: a connection that is made and closed again.
    pub async fn reach(&self, host: &str, port: u16, within: Span) -> Result<(), WireError> {
        let host = Arc::from(host);
        let dialled = self.0.clock.timeout(within, self.dial(&host, port, &Sources::default(), None)).await;
        dialled.map_err(|_| WireError::Timeout(within))?.map(|_| ())
    }

    /// Has `host` lead to these addresses from now on.
    #[cfg(test)]
    pub(super) fn know(&self, host: &str, port: u16, addresses: &[SocketAddr]) {
        self.0.names.know(host, port, addresses);
    }
}

/// The names of `allow` for which there is no address, and why; blocking, since they are asked for.
pub fn unresolved(allow: &[Allow]) -> Vec<(String, String)> {
    let names: Vec<(&str, u16)> = allow
        .iter()
        .filter_map(|one| match one {
            Allow::Name { host, port } => Some((host.as_str(), port.unwrap_or(80))),
            Allow::Network { .. } | Allow::Socket { .. } => None,
        })
        .collect();
    if names.is_empty() {
        return Vec::new();
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => return names.iter().map(|(name, _)| ((*name).to_owned(), why.to_string())).collect(),
    };
    let door = Door::new(&Clock::start(), allow, Path::new("/"));
    let mut failed: Vec<(String, String)> = Vec::new();
    for (name, port) in names {
        if let Err(why) = runtime.block_on(door.resolve(&name.into(), port))
            && failed.iter().all(|(known, _)| known != name)
        {
            failed.push((name.to_owned(), why.to_string()));
        }
    }
    failed
}
