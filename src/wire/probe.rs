use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, header};
use http_body_util::Full;

use super::{Door, Origin, WireError};
use crate::base::units::{At, Span};

/// How much of a probe's answer is kept.
const KEPT: usize = 64 * 1024;

/// What a probe's one request brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    pub status: u16,
    /// The first 64 KiB.
    pub body: Bytes,
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
        let asked = self.clock().timeout(within, self.ask(origin, path, headers)).await;
        asked.map_err(|_| WireError::Timeout(within))?
    }

    async fn ask(
        &self,
        origin: &Origin,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
    ) -> Result<Probed, WireError> {
        let target = format!("{}{path}", origin.base());
        let refuse = |why: String| WireError::Address { url: format!("{origin}{path}"), why };
        let mut request = Request::builder()
            .method(Method::GET)
            .uri(&target)
            .header(header::HOST, origin.authority())
            .header(header::CONNECTION, "close")
            .body(Full::default())
            .map_err(|error| refuse(error.to_string()))?;
        for (name, value) in headers {
            request.headers_mut().insert(name, value.clone());
        }
        let (mut connection, _) = self.connect(origin).await?;
        let answer = connection.exchange(request, KEPT).await.map_err(|lost| lost.error)?;
        Ok(Probed { status: answer.head.status.as_u16(), body: answer.body, done: answer.done })
    }
}
