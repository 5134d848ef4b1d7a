use std::fmt;
use std::sync::Arc;

use http::{HeaderValue, Uri};
use rustls::pki_types::ServerName;

use super::WireError;

/// Where requests go: scheme, host, port, and a path that is put before each request's own.
#[derive(Clone)]
pub struct Origin {
    pub(super) host: Arc<str>,
    pub(super) port: u16,
    pub(super) tls: Option<Secure>,
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
        Ok((Origin { host: host.into(), port, tls: None, authority: value, base }, secure))
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
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
        for bad in ["", "localhost:80", "ftp://x/", "http://u:p@x/", "http://x/?a=1", "http:///x", "/x", "http://a b/"]
        {
            assert!(matches!(Origin::parse(bad), Err(WireError::Address { .. })), "{bad}");
        }
    }
}
