use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};

use super::{Door, Origin, Outgoing, WireError};
use crate::base::units::{At, Span};

/// How much of a probe's answer is kept.
const KEPT: usize = 64 * 1024;

/// What a probe's one request brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    pub status: u16,
    /// Its beginning: the first 64 KiB, unless more was asked for.
    pub body: Bytes,
    /// Its `date` header, as it came.
    pub date: Option<String>,
    pub done: At,
}

impl Probed {
    pub fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Door {
    /// One GET of `path` on a connection of its own: for readiness and health, outside all figures.
    pub async fn probe(
        &self,
        origin: &Origin,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        within: Span,
    ) -> Result<Probed, WireError> {
        self.fetch(origin, path, headers, KEPT, within).await
    }

    /// The same, keeping the first `kept` bytes of the answer.
    pub async fn fetch(
        &self,
        origin: &Origin,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        kept: usize,
        within: Span,
    ) -> Result<Probed, WireError> {
        let asked = self.clock().timeout(within, self.ask(origin, path, headers, kept)).await;
        asked.map_err(|_| WireError::Timeout(within))?
    }

    async fn ask(
        &self,
        origin: &Origin,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        kept: usize,
    ) -> Result<Probed, WireError> {
        let refuse = |why: &str| WireError::Address { url: format!("{origin}{path}"), why: why.to_owned() };
        let target = format!("{}{path}", origin.base());
        if target.parse::<http::Uri>().is_err() || !target.starts_with('/') {
            return Err(refuse("its path is none"));
        }
        let mut bytes = format!("GET {target} HTTP/1.1\r\nconnection: close\r\n").into_bytes();
        let host = [(header::HOST, origin.authority().clone())];
        let own_host = headers.iter().any(|(name, _)| *name == header::HOST);
        for (name, value) in host.iter().filter(|_| !own_host).chain(headers) {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        let size = bytes.len();
        let outgoing = Outgoing::new(bytes.into(), size);
        let (mut connection, _) = self.connect(origin).await?;
        let mut buffer = Vec::new();
        let answer = connection.exchange(&outgoing, kept, &mut buffer).await.map_err(|lost| lost.error)?;
        let mut headers = answer.head.headers(&buffer).iter();
        let date = headers.find(|(name, _)| name.eq_ignore_ascii_case(b"date"));
        let date = date.and_then(|(_, value)| String::from_utf8(value.to_vec()).ok());
        let body = Bytes::copy_from_slice(buffer.get(answer.body).unwrap_or_default());
        Ok(Probed { status: answer.head.status, body, date, done: answer.done })
    }
}
