use std::borrow::Cow;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use crate::base::units::Span;

/// Why something could not be sent or answered. Made on the path of requests: texts are put together only when shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("`{url}` is no address to send to: {why}; write it as http://host:port, https://host:port or unix:/path")]
    Address { url: String, why: String },
    #[error("`{host}` is at {address}, which `platform.allow` does not name; add it there if the drill may reach it")]
    Forbidden { host: Arc<str>, address: SocketAddr },
    #[error("`connections.source` names {address}, which no connection can go out from: {kind}; is it this machine's?")]
    Source { address: IpAddr, kind: io::ErrorKind },
    #[error("`connections.source` names no address of the kind that {0} has: name one of IPv4, or of IPv6")]
    NoSource(SocketAddr),
    #[error("`platform.allow` does not name unix:{}; add it there if the drill may reach it", .0.display())]
    ForbiddenSocket(Arc<Path>),
    #[error("the socket {} could not be reached: {kind}", .path.display())]
    Socket { path: Arc<Path>, kind: io::ErrorKind },
    #[error("`{host}` could not be resolved: {why}")]
    Dns { host: String, why: String },
    #[error("{0} refused the connection")]
    Refused(SocketAddr),
    #[error("{address} could not be reached: {kind}")]
    Unreachable { address: SocketAddr, kind: io::ErrorKind },
    #[error("no TLS with `{host}`: {why}")]
    Tls { host: String, why: String },
    #[error("the roots of `{file}` could not be used: {why}")]
    Roots { file: String, why: String },
    #[error("the connection was reset")]
    Reset,
    #[error("the connection was closed before the answer was complete")]
    Closed,
    #[error("a kept connection was closed just as the request went out")]
    Stale,
    #[error("the connection broke: {0}")]
    Broken(io::ErrorKind),
    #[error("the answer is no valid HTTP: {0}")]
    Protocol(Cow<'static, str>),
    #[error("no answer within {0}")]
    Timeout(Span),
    #[error("no more files can be opened; raise the limit of open files (ulimit -n) or lower `connections.max`")]
    OpenFiles,
    #[error(
        "no local port is left for another connection; lower `connections.max`, name (more) addresses in \
         `connections.source`, or widen ip_local_port_range"
    )]
    Ports,
    #[error("the kernel has no memory for another connection; lower `connections.max`")]
    Memory,
}

impl WireError {
    /// What the kernel said to `socket` or `connect`.
    pub(super) fn of_connect(error: &io::Error, address: SocketAddr) -> WireError {
        match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE) => WireError::OpenFiles,
            Some(libc::EADDRNOTAVAIL | libc::EADDRINUSE | libc::EAGAIN) => WireError::Ports,
            Some(libc::ENOMEM | libc::ENOBUFS) => WireError::Memory,
            Some(libc::ECONNREFUSED) => WireError::Refused(address),
            Some(libc::ECONNRESET) => WireError::Reset,
            _ => WireError::Unreachable { address, kind: error.kind() },
        }
    }

    /// What the kernel said to a connection to a Unix socket.
    pub(super) fn of_socket(error: &io::Error, path: &Arc<Path>) -> WireError {
        match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE) => WireError::OpenFiles,
            Some(libc::ENOMEM | libc::ENOBUFS) => WireError::Memory,
            _ => WireError::Socket { path: path.clone(), kind: error.kind() },
        }
    }

    /// What an established connection said.
    pub(super) fn of_stream(error: &io::Error) -> WireError {
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
                WireError::Reset
            }
            io::ErrorKind::UnexpectedEof => WireError::Closed,
            kind => WireError::Broken(kind),
        }
    }

    /// True when the harness's own machine was at its limit, so that nothing was sent.
    pub fn is_own_limit(&self) -> bool {
        matches!(self, WireError::OpenFiles | WireError::Ports | WireError::Memory)
    }
}
