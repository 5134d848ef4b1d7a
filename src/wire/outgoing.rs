use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::Full;

use super::WireError;

/// One request, byte by byte as HTTP/1.1 writes it. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    bytes: Bytes,
    /// Where the body begins.
    body: usize,
    /// Asks for no body.
    is_head: bool,
}

impl Outgoing {
    /// `bytes` are the request line, the headers (with `host`, and `content-length` where there is a body), an empty line
    /// and, from `body` on, the body.
    pub fn new(bytes: Bytes, body: usize) -> Outgoing {
        let is_head = bytes.starts_with(b"HEAD ");
        Outgoing { body: body.min(bytes.len()), bytes, is_head }
    }

    /// Request line and headers, with the empty line after them.
    pub fn head(&self) -> &[u8] {
        &self.bytes[..self.body]
    }

    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body..]
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn is_head(&self) -> bool {
        self.is_head
    }

    /// The same as hyper wants it.
    pub(super) fn to_hyper(&self) -> Result<Request<Full<Bytes>>, WireError> {
        let wrong = |why: String| WireError::Protocol(format!("the request is none: {why}").into());
        let mut headers = [const { std::mem::MaybeUninit::uninit() }; 128];
        let mut parsed = httparse::Request::new(&mut []);
        let found = parsed.parse_with_uninit_headers(self.head(), &mut headers);
        found.map_err(|error| wrong(error.to_string()))?;
        // Not by the builder, which is handed on whole with each header. What can lie where it lies is not copied.
        let part = |text: &[u8]| self.bytes.slice_ref(text);
        let mut request = Request::new(Full::new(self.bytes.slice(self.body..)));
        let method = parsed.method.unwrap_or("GET").as_bytes();
        *request.method_mut() = Method::from_bytes(method).map_err(|error| wrong(error.to_string()))?;
        let path = parsed.path.unwrap_or("/").as_bytes();
        *request.uri_mut() = Uri::from_maybe_shared(part(path)).map_err(|error| wrong(error.to_string()))?;
        for header in parsed.headers.iter() {
            let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|error| wrong(error.to_string()))?;
            let value = HeaderValue::from_maybe_shared(part(header.value)).map_err(|error| wrong(error.to_string()))?;
            request.headers_mut().append(name, value);
        }
        Ok(request)
    }
}
