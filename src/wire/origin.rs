use std::fmt;
use std::path::Path;
use std::sync::Arc;

use http::{HeaderValue, Uri};
use rustls::pki_types::ServerName;

use super::WireError;
use super::source::Sources;
use crate::plan::Addresses;

/// Where requests go: scheme, host, port, and a path that is put before each request's own.
#[derive(Clone)]
pub struct Origin {
    pub(super) host: Arc<str>,
    pub(super) port: u16,
    /// A Unix socket, which there is instead of host and port.
    pub(super) socket: Option<Arc<Path>>,
    pub(super) tls: Option<Secure>,
    pub(super) sources: Sources,
    authority: HeaderValue,
    base: String,
}

#[derive(Clone)]
pub(super) struct Secure {
    pub(super) config: Arc<rustls::ClientConfig>,
    pub(super) name: ServerName<'static>,
}

impl Origin {
    pub(super) fn parse(url: &str) -> Result<(Origin, bool), WireError> {
        let refuse = |why: &str| WireError::Address { url: url.to_owned(), why: why.to_owned() };
        if let Some(path) = url.strip_prefix("unix:") {
            if !path.starts_with('/') {
                return Err(refuse("the path of a socket begins with `/`"));
            }
            return Ok((Origin::local(Path::new(path).into()), false));
        }
        let uri: Uri = url.parse().map_err(|error: http::uri::InvalidUri| refuse(&error.to_string()))?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(_) => return Err(refuse("its scheme is neither http nor https")),
            None => return Err(refuse("it has no scheme")),
        };
        let authority = uri.authority().ok_or_else(|| refuse("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(refuse("it holds credentials, which belong into a header"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(refuse("it has no host"));
        }
        if uri.query().is_some() {
            return Err(refuse("it has a query, which belongs to the steps"));
        }
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let value = HeaderValue::from_str(authority.as_str()).map_err(|_| refuse("its host is no header value"))?;
        let base = uri.path().trim_end_matches('/').to_owned();
        let (host, sources) = (host.into(), Sources::default());
        Ok((Origin { host, port, socket: None, tls: None, sources, authority: value, base }, secure))
    }

    /// Requests to a socket are for `localhost`: no name leads to it.
    fn local(socket: Arc<Path>) -> Origin {
        Origin {
            host: "localhost".into(),
            port: 80,
            socket: Some(socket),
            tls: None,
            sources: Sources::default(),
            authority: HeaderValue::from_static("localhost"),
            base: String::new(),
        }
    }

    /// Has connections go out from these local addresses, in turn. Refused when one is not this machine's.
    pub fn leave_from(&mut self, addresses: &[Addresses]) -> Result<(), WireError> {
        self.sources = Sources::new(addresses)?;
        Ok(())
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is a Unix socket.
    pub fn is_local(&self) -> bool {
        self.socket.is_some()
    }

    pub fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// The value of the `Host` header.
    pub fn authority(&self) -> &HeaderValue {
        &self.authority
    }

    /// What stands before each request's own path; empty for most.
    pub fn base(&self) -> &str {
        &self.base
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({self})")
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(socket) = &self.socket {
            return write!(f, "unix:{}", socket.display());
        }
        let scheme = if self.is_secure() { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority.to_str().unwrap_or(&self.host), self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_scheme_host_and_port() {
        let (origin, secure) = Origin::parse("http://127.0.0.1:8080").unwrap();
        assert_eq!((origin.host(), origin.port(), origin.base(), secure), ("127.0.0.1", 8080, "", false));
        let (origin, secure) = Origin::parse("https://[::1]/api/").unwrap();
        assert_eq!((origin.host(), origin.port(), origin.base(), secure), ("::1", 443, "/api", true));
        assert_eq!(origin.authority(), "[::1]");
        let (origin, secure) = Origin::parse("unix:/run/shop.sock").unwrap();
        assert_eq!(
            (origin.host(), origin.authority().as_bytes(), secure),
            ("localhost", b"localhost".as_slice(), false)
        );
        assert_eq!(origin.to_string(), "unix:/run/shop.sock");
        for bad in [
            "unix:shop.sock",
            "",
            "localhost:80",
            "ftp://x/",
            "http://u:p@x/",
            "http://x/?a=1",
            "http:///x",
            "/x",
            "http://a b/",
        ] {
            assert!(matches!(Origin::parse(bad), Err(WireError::Address { .. })), "{bad}");
        }
    }
}
