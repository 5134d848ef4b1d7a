use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::{
    Action, Container, EndpointId, FeedId, Host, HostId, Link, Network, NetworkId, ProcessId, Template, WatchId,
};
use crate::base::units::{Flow, Rate, Share, Span, Text};

/// The system under drill.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Platform {
    /// Nothing else is ever sent a request, a probe or a fault. Never empty.
    pub allow: Vec<Allow>,
    pub mark: Option<Mark>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Network>,
    /// In the order of their start; `count: 2` has been made into `node_1`, `node_2`.
    pub processes: Vec<Process>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<Container>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<Host>,
    pub endpoints: Vec<Endpoint>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// Where Toxiproxy's API to the links listens; an address of this machine's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toxiproxy: Option<SocketAddr>,
    pub watches: Vec<Watch>,
}

/// What traffic and faults may reach.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Allow {
    Network {
        address: IpAddr,
        prefix: u8,
    },
    /// A host by name, on one port or (none) on any; holds for the addresses that the name resolves to.
    Name {
        host: String,
        port: Option<u16>,
    },
    /// A Unix socket, by its path.
    Socket {
        path: String,
    },
}

/// The header that every request of the drill carries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    pub header: String,
    pub value: Template,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Process {
    pub name: String,
    pub title: Text,
    /// `node` for `node_1` and `node_2`.
    pub group: Option<String>,
    pub source: ProcessSource,
    /// Where it lives; none: in the network of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkId>,
    /// The names by which others in networks find it, beside its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    pub ready: Option<Ready>,
    /// Between TERM and KILL when it is stopped.
    pub grace: Span,
    /// Its wall clock can be told another time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skewable: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProcessSource {
    /// Started by the drill. Templates see `address host port folder process.* vars.* env.* secret.* run.id`.
    Run { argv: Vec<Template>, env: Vec<(String, Template)>, dir: Option<String> },
    /// Runs already; never stopped at the end.
    Attach(Attach),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attach {
    PidFile(String),
    /// The process that listens on this TCP port of this host.
    Port(u16),
}

/// A process is ready when a GET of `get` at its own address answers 2xx; without one, when it listens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ready {
    pub get: String,
    pub within: Span,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    pub name: String,
    pub title: Text,
    /// Sees `process.* vars.* env.*`; the scheme is http or https, or it is `unix:` and a path.
    pub url: Template,
    pub headers: Vec<(String, Template)>,
    pub tls: Tls,
    pub connections: Connections,
    /// Whether answers are asked for compressed, and decompressed, where a step does not say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub decompress: bool,
    /// Every request to it tells its trace (W3C Trace Context); the share of visits whose traces are marked as sampled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<Share>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Tls {
    /// A PEM file of roots to trust beside the system's.
    pub ca: Option<String>,
    /// The name to ask for and check, where it is not the URL's host.
    pub server_name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Connections {
    /// The greatest number of connections open at once, over all workers.
    pub max: u32,
    /// Arrivals that may wait for a connection, over all workers.
    pub queue: u32,
    pub per: PerConnection,
    /// Opened before the load begins.
    pub warm: u32,
    /// The share of visits that come on a new connection of their own, where the others share kept ones.
    #[serde(default, skip_serializing_if = "is_none")]
    pub new: Share,
    /// A connection this old is closed between two requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<Span>,
    /// The local addresses that connections go out from, in turn; none: the system chooses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source: Vec<Addresses>,
    /// Some of them read what comes slowly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow: Option<Slow>,
}

/// Connections whose end reads slowly, and keeps little that it has not read: what it does not read stays with the server.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Slow {
    /// Of all connections.
    pub share: Share,
    pub rate: Flow,
}

fn is_none(share: &Share) -> bool {
    share.0 == 0.0
}

/// Addresses of one kind, from one to another, both in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    pub from: IpAddr,
    pub to: IpAddr,
}

impl Addresses {
    /// How many there are: none where the ends do not fit.
    pub fn count(self) -> u128 {
        let ends = match (self.from, self.to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => (from.to_bits().into(), to.to_bits().into()),
            (IpAddr::V6(from), IpAddr::V6(to)) => (from.to_bits(), to.to_bits()),
            _ => return 0,
        };
        let (from, to): (u128, u128) = ends;
        to.checked_sub(from).map_or(0, |steps| steps.saturating_add(1))
    }

    pub fn iter(self) -> impl Iterator<Item = IpAddr> {
        (0..self.count()).map(move |index| match self.from {
            IpAddr::V4(from) => IpAddr::V4(Ipv4Addr::from_bits(from.to_bits() + index as u32)),
            IpAddr::V6(from) => IpAddr::V6(Ipv6Addr::from_bits(from.to_bits() + index)),
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PerConnection {
    /// Kept alive and shared by all visits of a load.
    #[default]
    Shared,
    /// Each visit opens its own and closes it at its end.
    Visit,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    pub name: String,
    pub title: Text,
    pub kind: WatchKind,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WatchKind {
    /// CPU, memory, threads and open files of each process, once a second.
    Process(Vec<ProcessId>),
    /// A health probe: good while it answers 2xx in time. Its turning bad is "detected".
    Probe { endpoint: EndpointId, get: String, every: Span },
    /// A page of figures in Prometheus' text format, read once a second.
    Page {
        /// Scheme, host and port.
        url: Template,
        path: String,
        /// The figures that are kept of it; each is the sum over its label sets.
        keep: Vec<String>,
    },
    /// The platform's own alerts, which come in here as POST: each is "detected", but one of Alertmanager's that says that it is
    /// resolved.
    Alert { listen: SocketAddr },
    /// What this whole machine does, once a second: [`HOST_FIGURES`], all of them gauges.
    Host,
    /// The same of a host.
    Remote(HostId),
    /// One watched figure as a part of another.
    Ratio { of: Watched, to: Watched },
}

/// The figures of a watch of a machine: cores that are busy, bytes of memory in use, and bytes a second.
pub const HOST_FIGURES: [&str; 6] = ["cpu", "memory", "disk-read", "disk-write", "network-in", "network-out"];

impl WatchKind {
    /// The names of the figures that it reads.
    pub fn figures(&self) -> Vec<&str> {
        match self {
            WatchKind::Page { keep, .. } => keep.iter().map(String::as_str).collect(),
            WatchKind::Host | WatchKind::Remote(_) => HOST_FIGURES.to_vec(),
            _ => Vec::new(),
        }
    }
}

/// One figure of a watched page, or of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Watched {
    pub watch: WatchId,
    /// Its place in the watch's figures.
    pub metric: u32,
}

impl Platform {
    /// Whether a process lives in a network of the drill's own.
    pub fn has_networks(&self) -> bool {
        self.processes.iter().any(|process| process.network.is_some())
    }

    /// The address of a process that lives in a network: the next one of its subnet, in the order of their start.
    pub fn address(&self, process: ProcessId) -> Option<Ipv4Addr> {
        let network = self.processes.get(process.index())?.network?;
        let before = self.processes.iter().take(process.index()).filter(|other| other.network == Some(network)).count();
        self.networks.get(network.index())?.subnet.member(before as u64)
    }

    /// As scenarios write it: `WATCH.metric`.
    pub fn watched(&self, of: Watched) -> Option<String> {
        let watch = self.watches.get(of.watch.index())?;
        Some(format!("{}.{}", watch.name, watch.kind.figures().get(of.metric as usize)?))
    }
}

/// One thing to do before or after the load, outside all figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chore {
    pub work: ChoreWork,
    pub within: Span,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChoreWork {
    /// A program that must exit 0.
    Run { argv: Vec<Template>, env: Vec<(String, Template)>, dir: Option<String> },
    /// Steps that must all be ok; what they capture is `prepare.NAME` for the journeys.
    Steps(Vec<Action>),
    /// Steps that must all be ok with each row of a feed, in the order of the rows.
    Each {
        feed: FeedId,
        rate: Rate,
        actions: Vec<Action>,
        /// The feed that is made of what they capture.
        into: Option<FeedId>,
    },
}

impl ChoreWork {
    pub fn actions(&self) -> &[Action] {
        match self {
            ChoreWork::Run { .. } => &[],
            ChoreWork::Steps(actions) | ChoreWork::Each { actions, .. } => actions,
        }
    }

    pub fn actions_mut(&mut self) -> &mut [Action] {
        match self {
            ChoreWork::Run { .. } => &mut [],
            ChoreWork::Steps(actions) | ChoreWork::Each { actions, .. } => actions,
        }
    }
}
