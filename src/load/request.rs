//! From a compiled step and a visit's values to the request that goes out, and to what people are shown of it.

use bytes::Bytes;
use http::{HeaderName, header};

use super::build::SHOWN_BODY;
use super::program::{Ask, Content, Target};
use super::trace;
use crate::base::template::{Bound, Escape, RenderError, Visit};
use crate::wire::{Headers, Outgoing};

/// Buffers that are used again and again.
#[derive(Default)]
pub(super) struct Scratch {
    text: Vec<u8>,
    body: Vec<u8>,
}

/// What a visit's jar says for a path.
pub(super) type CookieFor<'v> = dyn Fn(&str) -> Option<String> + 'v;

/// The request that goes out. Without `cookie` the jar is empty; `trace` is what it tells of its trace.
pub(super) fn outgoing(
    ask: &Ask,
    visit: &Visit<'_>,
    scratch: &mut Scratch,
    cookie: Option<&CookieFor<'_>>,
    trace: Option<&[u8]>,
) -> Result<Outgoing, RenderError> {
    if let (Some(whole), None) = (&ask.whole, cookie) {
        return Ok(whole.clone());
    }
    let Scratch { text, body } = scratch;
    text.clear();
    body.clear();
    text.extend_from_slice(ask.method.as_str().as_bytes());
    text.push(b' ');
    let from = text.len();
    match &ask.target {
        Target::Fixed(target) => text.extend_from_slice(target.as_bytes()),
        Target::Logged { base, logs } => {
            text.extend_from_slice(base.as_bytes());
            let target = logs.target(visit.key.load, visit.key.k);
            text.extend_from_slice(
                target.ok_or_else(|| wrong(base.as_bytes(), "the log has no such request"))?.as_bytes(),
            );
        }
        Target::Open { base, path, query } => {
            text.extend_from_slice(base.as_bytes());
            path.render(visit, Escape::Path, text)?;
            write_query(query, visit, text)?;
            if text.get(from) != Some(&b'/') || !text[from..].iter().all(u8::is_ascii_graphic) {
                return Err(wrong(&text[from..], "this is no path"));
            }
        }
    }
    let cookie = cookie.and_then(|cookie| {
        let target = String::from_utf8_lossy(&text[from..]);
        cookie(target.split('?').next().unwrap_or_default())
    });
    text.extend_from_slice(b" HTTP/1.1\r\n");
    text.extend_from_slice(&ask.fixed);
    for (name, value) in &ask.open {
        body.clear();
        value.render(visit, Escape::None, body)?;
        if !body.iter().all(|byte| *byte >= b' ' && *byte != 0x7f || *byte == b'\t') {
            return Err(wrong(body, "this is no value of a header"));
        }
        write_header(name, body, text);
    }
    if let Some(trace) = trace {
        write_header(&trace::NAME, trace, text);
    }
    if let Some(cookie) = cookie {
        write_header(&header::COOKIE, cookie.as_bytes(), text);
    }
    body.clear();
    let content: &[u8] = match &ask.body {
        Content::None => &[],
        Content::Fixed(bytes) => bytes,
        Content::Json(json) => {
            json.render(visit, body)?;
            body
        }
        Content::Text(bound) => {
            bound.render(visit, Escape::None, body)?;
            body
        }
        Content::Multipart(parts) => {
            parts.render(visit, body)?;
            body
        }
        Content::Form(fields) => {
            let mut value = Vec::new();
            for (name, bound) in fields {
                if !body.is_empty() {
                    body.push(b'&');
                }
                write_pair(name, bound, visit, &mut value, body)?;
            }
            body
        }
    };
    if ask.says_length {
        text.extend_from_slice(b"content-length: ");
        write_number(content.len(), text);
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    let size = text.len();
    text.extend_from_slice(content);
    Ok(Outgoing::new(Bytes::copy_from_slice(text), size))
}

fn wrong(text: &[u8], reason: &str) -> RenderError {
    RenderError::Failed { expression: String::from_utf8_lossy(text).into_owned(), reason: reason.to_owned() }
}

fn write_number(number: usize, out: &mut Vec<u8>) {
    let from = out.len();
    let mut left = number;
    loop {
        out.push(b'0' + (left % 10) as u8);
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out[from..].reverse();
}

pub(super) fn write_header(name: &HeaderName, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn write_query(query: &[(String, Bound)], visit: &Visit<'_>, out: &mut Vec<u8>) -> Result<(), RenderError> {
    let mut value = Vec::new();
    for (name, bound) in query {
        out.push(if out.contains(&b'?') { b'&' } else { b'?' });
        write_pair(name, bound, visit, &mut value, out)?;
    }
    Ok(())
}

/// `name=value`, for a query or a form; `value` is a buffer.
fn write_pair(
    name: &str,
    bound: &Bound,
    visit: &Visit<'_>,
    value: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<(), RenderError> {
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
    value.clear();
    bound.render(visit, Escape::None, value)?;
    out.extend_from_slice(encode(&String::from_utf8_lossy(value)).as_bytes());
    Ok(())
}

/// For a name or value of a query or a form.
pub(super) fn encode(text: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const OPEN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, OPEN).to_string()
}

/// Request line, headers and the beginning of the body.
pub(super) fn show_request(outgoing: &Outgoing) -> String {
    let body = outgoing.body();
    show(outgoing.head(), body, body.len() as u64, SHOWN_BODY)
}

/// Status line, headers and the beginning of the body.
pub(super) fn show_answer(headers: Headers<'_>, body: &[u8], length: u64, most: usize) -> String {
    show(headers.text(), body, length, most)
}

fn show(head: &[u8], body: &[u8], length: u64, most: usize) -> String {
    let mut text = String::from_utf8_lossy(head.trim_ascii_end()).replace('\r', "");
    text.push('\n');
    if length > 0 {
        let shown = &body[..body.len().min(most)];
        text.push('\n');
        text.push_str(&String::from_utf8_lossy(shown));
        if length > shown.len() as u64 {
            text.push_str(&format!("\n… {length} bytes in all"));
        }
    }
    text
}
