use serde::{Deserialize, Serialize};

use super::Template;
use crate::base::units::{Flow, Share, Size, Span, Text};

/// A way between two processes on which a fault proxy stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Link {
    pub name: String,
    pub title: Text,
    /// `host:port` of whoever is asked; sees `process.* vars.* env.*`.
    pub to: Template,
    /// `host:port` that the proxy listens at; none: chosen by the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    pub protocol: Protocol,
    /// The names by which those in networks find it, beside its address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// What a link carries, as far as its proxy looks into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Bytes. Shares count connections.
    #[default]
    Tcp,
    /// HTTP/1.1, or HTTP/2 without TLS: shares count requests.
    Http,
    /// Bytes that nobody but the ends can read.
    Tls,
}

/// One thing that is wrong with a link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flaw {
    pub kind: FlawKind,
    #[serde(default)]
    pub direction: Direction,
    /// The share of requests (of connections, where the link carries no HTTP) that it bites, drawn by the seed.
    #[serde(default = "all", skip_serializing_if = "is_all")]
    pub share: Share,
    /// Which requests it may bite.
    #[serde(default, skip_serializing_if = "Only::is_all")]
    pub only: Only,
}

impl Flaw {
    /// Where it is in force, no other can be seen to bite.
    pub fn lets_nothing_pass(&self) -> bool {
        let everything = self.share.0 >= 1.0 && self.only.is_all() && self.direction == Direction::Both;
        match self.kind {
            FlawKind::Refuse => true,
            FlawKind::Hang { .. } | FlawKind::Reset { .. } => everything,
            _ => false,
        }
    }
}

fn all() -> Share {
    Share(1.0)
}

fn is_all(share: &Share) -> bool {
    share.0 >= 1.0
}

/// Up: towards the one who is asked. Down: back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    Up,
    Down,
    #[default]
    Both,
}

impl Direction {
    /// Whether this is one of those.
    pub fn is_in(self, these: Direction) -> bool {
        these == Direction::Both || these == self
    }

    /// Whether anything goes both ways at once.
    pub fn meets(self, other: Direction) -> bool {
        self == Direction::Both || other == Direction::Both || self == other
    }

    /// As the other end sees it.
    pub const fn reversed(self) -> Direction {
        match self {
            Direction::Up => Direction::Down,
            Direction::Down => Direction::Up,
            Direction::Both => Direction::Both,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlawKind {
    /// What passes comes later, in its order.
    Delay { latency: Span, jitter: Span, spread: Spread },
    /// So much passes in a second, on each connection.
    Throttle { rate: Flow },
    /// What passes comes in pieces of about `size` bytes (give or take `vary`), `pause` apart.
    Slice { size: Size, vary: Size, pause: Span },
    /// After so many bytes the connection is closed.
    CloseAfter { bytes: Size },
    /// New connections are refused, and those that are open are reset.
    Refuse,
    /// Connections are reset, so long after they carry something.
    Reset { after: Span },
    /// Nothing passes, and nothing is lost. With `close`, connections are closed so long after they would have carried something.
    Hang { close: Option<Span> },
    /// The end of a connection comes later.
    SlowClose { delay: Span },
    /// One bit of each 1,460 bytes, or fewer that come at once, is wrong.
    Corrupt,
    /// The proxy answers in the stead of the one who is asked.
    Respond { status: u16, headers: Vec<(String, String)>, body: String },
}

/// How jitter is spread around a latency; what would be less than nothing is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spread {
    /// From latency − jitter to latency + jitter, all alike.
    #[default]
    Uniform,
    /// The jitter is the standard deviation.
    Normal,
    /// Latency, and beyond it a time whose mean is the jitter.
    Exponential,
}

/// Which requests of a link that carries HTTP. Empty lists mean all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Only {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Patterns of paths: `*` for a part of one segment, `**` for any segments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Of those, the first so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
    /// Of those, every so manieth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
}

impl Only {
    pub fn is_all(&self) -> bool {
        *self == Only::default()
    }
}

impl FlawKind {
    /// The verb that scenarios name it by.
    pub const fn verb(&self) -> &'static str {
        match self {
            FlawKind::Delay { .. } => "delay",
            FlawKind::Throttle { .. } => "throttle",
            FlawKind::Slice { .. } => "slice",
            FlawKind::CloseAfter { .. } => "close-after",
            FlawKind::Refuse => "refuse",
            FlawKind::Reset { .. } => "reset",
            FlawKind::Hang { .. } => "hang",
            FlawKind::SlowClose { .. } => "slow-close",
            FlawKind::Corrupt => "corrupt",
            FlawKind::Respond { .. } => "respond",
        }
    }
}
