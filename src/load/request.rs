//! From a compiled step and a visit's values to the request that goes out, and to what people are shown of it.

use bytes::Bytes;
use http::{HeaderValue, Request, Uri, header, response};
use http_body_util::Full;

use super::build::SHOWN_BODY;
use super::program::{Ask, Content, Target};
use crate::base::template::{Bound, Escape, RenderError, Visit};

/// A request, ready to go out.
pub(super) struct Ready {
    pub request: Request<Full<Bytes>>,
    pub body: Bytes,
}

/// `cookie` is what the visit's jar says.
pub(super) fn ready(
    ask: &Ask,
    visit: &Visit<'_>,
    scratch: &mut Vec<u8>,
    cookie: impl FnOnce(&Uri) -> Option<HeaderValue>,
) -> Result<Ready, RenderError> {
    let uri = match &ask.target {
        Target::Fixed(uri) => uri.clone(),
        Target::Open { base, path, query } => {
            scratch.clear();
            scratch.extend_from_slice(base.as_bytes());
            write_target(path, query, visit, scratch)?;
            let shown = || String::from_utf8_lossy(scratch).into_owned();
            Uri::from_maybe_shared(Bytes::copy_from_slice(scratch))
                .map_err(|error| RenderError::Failed { expression: shown(), reason: error.to_string() })?
        }
    };
    let body = match &ask.body {
        Content::None => Bytes::new(),
        Content::Fixed(bytes) => bytes.clone(),
        Content::Json(json) => {
            scratch.clear();
            json.render(visit, scratch)?;
            Bytes::copy_from_slice(scratch)
        }
        Content::Text(text) => {
            scratch.clear();
            text.render(visit, Escape::None, scratch)?;
            Bytes::copy_from_slice(scratch)
        }
    };
    let mut headers = ask.fixed.clone();
    for (name, value) in &ask.open {
        scratch.clear();
        value.render(visit, Escape::None, scratch)?;
        let value = HeaderValue::from_bytes(scratch).map_err(|error| RenderError::Failed {
            expression: format!("{name}: {}", String::from_utf8_lossy(scratch)),
            reason: error.to_string(),
        })?;
        headers.insert(name, value);
    }
    if let Some(value) = cookie(&uri) {
        headers.insert(header::COOKIE, value);
    }
    let mut request = Request::new(Full::new(body.clone()));
    *request.method_mut() = ask.method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(Ready { request, body })
}

fn write_target(
    path: &Bound,
    query: &[(String, Bound)],
    visit: &Visit<'_>,
    out: &mut Vec<u8>,
) -> Result<(), RenderError> {
    path.render(visit, Escape::Path, out)?;
    let mut value = Vec::new();
    for (name, bound) in query {
        out.push(if out.contains(&b'?') { b'&' } else { b'?' });
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        value.clear();
        bound.render(visit, Escape::None, &mut value)?;
        out.extend_from_slice(encode(&String::from_utf8_lossy(&value)).as_bytes());
    }
    Ok(())
}

/// For a name or value of a query.
pub(super) fn encode(text: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const OPEN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, OPEN).to_string()
}

/// Request line, headers and the beginning of the body.
pub(super) fn show_request(ready: &Ready) -> String {
    let request = &ready.request;
    let mut text = format!("{} {} HTTP/1.1\n", request.method(), request.uri());
    show_headers(request.headers(), &mut text);
    show_body(&ready.body, ready.body.len() as u64, SHOWN_BODY, &mut text);
    text
}

/// Status line, headers and the beginning of the body.
pub(super) fn show_answer(head: &response::Parts, body: &[u8], length: u64, most: usize) -> String {
    let mut text = format!("{:?} {}\n", head.version, head.status);
    show_headers(&head.headers, &mut text);
    show_body(body, length, most, &mut text);
    text
}

fn show_headers(headers: &http::HeaderMap, text: &mut String) {
    for (name, value) in headers {
        text.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
    }
}

fn show_body(body: &[u8], length: u64, most: usize, text: &mut String) {
    if length == 0 {
        return;
    }
    let shown = &body[..body.len().min(most)];
    text.push('\n');
    text.push_str(&String::from_utf8_lossy(shown));
    if length > shown.len() as u64 {
        text.push_str(&format!("\n… {} bytes in all", length));
    }
}
