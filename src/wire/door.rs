use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio::net::TcpStream;

use super::allow::AllowList;
use super::stream::{Socket, Stream};
use super::{Connection, Origin, WireError, tls};
use crate::base::clock::Clock;
use crate::base::units::{At, Span};
use crate::plan::{Allow, Tls};

/// How long a name's addresses are used before it is asked for again: short enough to follow a failover by DNS.
const NAME_AGE: Span = Span::SECOND;

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
    names: Mutex<HashMap<(Arc<str>, u16), Resolved>>,
}

#[derive(Debug, Clone)]
struct Resolved {
    at: At,
    addresses: Arc<[SocketAddr]>,
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
        Door(Arc::new(Inner {
            clock: clock.clone(),
            allow: AllowList::new(allow),
            folder: folder.to_owned(),
            names: Mutex::default(),
        }))
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
        let now = self.0.clock.now();
        let key = (host.clone(), port);
        if let Some(known) = self.names().get(&key).filter(|known| now.since(known.at) < NAME_AGE) {
            return Ok(known.addresses.clone());
        }
        let refuse = |why: String| WireError::Dns { host: host.to_string(), why };
        let found = tokio::net::lookup_host((&**host, port)).await.map_err(|error| refuse(error.to_string()))?;
        let found: Vec<SocketAddr> = found.collect();
        if found.is_empty() {
            return Err(refuse("it has no address".to_owned()));
        }
        let addresses = self.permitted(host, port, found)?;
        self.names().insert(key, Resolved { at: now, addresses: addresses.clone() });
        Ok(addresses)
    }

    fn permitted(&self, host: &Arc<str>, port: u16, found: Vec<SocketAddr>) -> Result<Arc<[SocketAddr]>, WireError> {
        let permits = |address: &SocketAddr| self.0.allow.permits(host, port, address.ip());
        match found.first() {
            Some(&address) if !found.iter().any(permits) => Err(WireError::Forbidden { host: host.clone(), address }),
            _ => Ok(found.into_iter().filter(permits).collect()),
        }
    }

    /// Dials the addresses of `host` that may be dialled, one after the other, until one answers.
    async fn dial(&self, host: &Arc<str>, port: u16) -> Result<(TcpStream, Dialled), WireError> {
        let clock = &self.0.clock;
        let begun = clock.now();
        let addresses = self.resolve(host, port).await?;
        let resolved = clock.now();
        let mut last = None;
        for &address in addresses.iter() {
            match TcpStream::connect(address).await {
                Ok(tcp) => {
                    let _ = tcp.set_nodelay(true);
                    let connect = clock.now().since(resolved);
                    return Ok((tcp, Dialled { dns: resolved.since(begun), connect, tls: Span::ZERO }));
                }
                Err(error) => {
                    let error = WireError::of_connect(&error, address);
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

    /// Makes a connection to `origin`. It has no time limit of its own.
    pub async fn connect(&self, origin: &Origin) -> Result<(Connection, Dialled), WireError> {
        let (tcp, mut dialled) = self.dial(&origin.host, origin.port).await?;
        let clock = &self.0.clock;
        #[cfg(test)]
        if super::scripted::is_rigged(&tcp) {
            return Ok((Connection::rigged(clock.clone()), dialled));
        }
        let socket = Socket::new(tcp, clock.clone());
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
        Ok((Connection::over(stream, clock.clone()).await?, dialled))
    }

    /// The same with hyper as the speaker, whatever the origin: what our own is held against.
    #[cfg(test)]
    pub(super) async fn connect_by_hyper(&self, origin: &Origin) -> Result<Connection, WireError> {
        let (tcp, _) = self.dial(&origin.host, origin.port).await?;
        let clock = self.0.clock.clone();
        Connection::by_hyper(Stream::Plain(Socket::new(tcp, clock.clone())), clock).await
    }

    /// Whether something listens at `host:port`: a connection that is made and closed again.
    pub async fn reach(&self, host: &str, port: u16, within: Span) -> Result<(), WireError> {
        let host = Arc::from(host);
        let dialled = self.0.clock.timeout(within, self.dial(&host, port)).await;
        dialled.map_err(|_| WireError::Timeout(within))?.map(|_| ())
    }

    fn names(&self) -> std::sync::MutexGuard<'_, HashMap<(Arc<str>, u16), Resolved>> {
        self.0.names.lock().expect("nothing panics while it holds this lock")
    }
}
