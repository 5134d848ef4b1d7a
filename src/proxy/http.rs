//! Where requests and answers of HTTP/1.1 begin and end in what passes. Nothing is changed by looking; what is not
//! understood is let through as bytes from there on.

use crate::wire::{Chunks, Piece};

/// No honest head is longer.
const LONGEST: usize = 64 * 1024;
/// What a client of HTTP/2 sends first (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const MOST_HEADERS: usize = 128;

/// What is asked for, read where it lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'b> {
    pub(super) method: &'b str,
    pub(super) target: &'b str,
    /// Whoever asks waits for a word before it sends the body.
    pub(super) waits: bool,
}

/// What lies at the beginning of the bytes that were looked at.
#[derive(Debug)]
pub(super) enum Seen<'b> {
    /// More bytes are needed to tell.
    More,
    /// The head of a request.
    Request { size: usize, asked: Asked<'b> },
    /// The head of an answer; `last` when nothing of it follows.
    Answer { size: usize, last: bool },
    /// One that only says that another follows.
    Interim { size: usize },
    /// So many bytes of a body; `last` when that ends it.
    Body { size: usize, last: bool },
    /// What follows, and this, is HTTP/2.
    Http2,
    /// All that follow are bytes.
    Bytes,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Head,
    Length(u64),
    Chunked(Chunks),
    /// Up to the end of the connection.
    Rest,
    Bytes,
}

/// Follows one direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    state: State,
    /// There was something before.
    begun: bool,
}

impl Tracker {
    /// The next part of what a client sends. What was seen is taken as passed.
    pub(super) fn request<'b>(&mut self, bytes: &'b [u8]) -> Seen<'b> {
        if !matches!(self.state, State::Head) {
            return self.body(bytes);
        }
        if !self.begun && bytes.starts_with(PREFACE) {
            return Seen::Http2;
        }
        if !self.begun && PREFACE.starts_with(bytes) {
            return Seen::More;
        }
        self.begun = true;
        // Empty lines before a request are no part of it (RFC 9112, 2.2).
        let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let size = match request.parse(&bytes[blank..]) {
            Ok(httparse::Status::Complete(size)) => blank + size,
            Ok(httparse::Status::Partial) if bytes.len() < LONGEST => return Seen::More,
            _ => return self.give_up(),
        };
        let (Some(method), Some(target)) = (request.method, request.path) else { return self.give_up() };
        if method == "CONNECT" || method == "PRI" {
            return self.give_up();
        }
        let Some(framing) = Framing::of(request.headers) else { return self.give_up() };
        self.state = match framing {
            Framing::Chunked => State::Chunked(Chunks::default()),
            Framing::Length(length) => State::Length(length),
            Framing::None => State::Length(0),
        };
        let waits = request.headers.iter().any(|header| header.name.eq_ignore_ascii_case("expect"));
        self.settle();
        Seen::Request { size, asked: Asked { method, target, waits } }
    }

    /// The next part of what a server sends; `head` when it answers a HEAD.
    pub(super) fn answer<'b>(&mut self, bytes: &'b [u8], head: bool) -> Seen<'b> {
        if !matches!(self.state, State::Head) {
            return self.body(bytes);
        }
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let size = match response.parse(bytes) {
            Ok(httparse::Status::Complete(size)) => size,
            Ok(httparse::Status::Partial) if bytes.len() < LONGEST => return Seen::More,
            _ => return self.give_up(),
        };
        let status = response.code.unwrap_or_default();
        if status == 101 {
            return self.give_up();
        }
        if (100..200).contains(&status) {
            return Seen::Interim { size };
        }
        let Some(framing) = Framing::of(response.headers) else { return self.give_up() };
        self.state = match framing {
            _ if head || status == 204 || status == 304 => State::Length(0),
            Framing::Chunked => State::Chunked(Chunks::default()),
            Framing::Length(length) => State::Length(length),
            Framing::None => State::Rest,
        };
        let last = matches!(self.state, State::Length(0));
        self.settle();
        Seen::Answer { size, last }
    }

    /// Between two messages.
    pub(super) fn is_between(&self) -> bool {
        matches!(self.state, State::Head)
    }

    fn body<'b>(&mut self, bytes: &'b [u8]) -> Seen<'b> {
        match &mut self.state {
            State::Head | State::Bytes => Seen::Bytes,
            State::Rest => Seen::Body { size: bytes.len(), last: false },
            State::Length(left) => {
                let size = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                if size == 0 {
                    return Seen::More;
                }
                *left -= size as u64;
                let last = *left == 0;
                self.settle();
                Seen::Body { size, last }
            }
            State::Chunked(chunks) => {
                let mut size = 0;
                loop {
                    match chunks.next(&bytes[size..]) {
                        Piece::Skip(more) | Piece::Data(more) => size += more,
                        Piece::Done => {
                            self.state = State::Head;
                            return Seen::Body { size, last: true };
                        }
                        Piece::More if size == 0 => return Seen::More,
                        Piece::More => return Seen::Body { size, last: false },
                        Piece::Wrong => return self.give_up(),
                    }
                }
            }
        }
    }

    fn settle(&mut self) {
        if matches!(self.state, State::Length(0)) {
            self.state = State::Head;
        }
    }

    fn give_up<'b>(&mut self) -> Seen<'b> {
        self.state = State::Bytes;
        Seen::Bytes
    }
}

enum Framing {
    None,
    Length(u64),
    Chunked,
}

impl Framing {
    /// `None` where it cannot be told where the message ends.
    fn of(headers: &[httparse::Header<'_>]) -> Option<Framing> {
        let mut found = Framing::None;
        for header in headers {
            if header.name.eq_ignore_ascii_case("content-length") {
                let length = std::str::from_utf8(header.value).ok()?.trim().parse().ok()?;
                match found {
                    Framing::Length(other) if other != length => return None,
                    Framing::Chunked => {}
                    _ => found = Framing::Length(length),
                }
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                let last = header.value.rsplit(|byte| *byte == b',').next()?.trim_ascii();
                if !last.eq_ignore_ascii_case(b"chunked") {
                    return None;
                }
                found = Framing::Chunked;
            }
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Follows `bytes` as they come in steps, and tells what was seen: `R GET /a`, `A`, `I`, `B n`, `| ` at an end, `*` for bytes.
    fn follow(bytes: &[u8], step: usize, request: bool, head: bool) -> (String, usize) {
        let (mut tracker, mut told, mut at, mut known) = (Tracker::default(), String::new(), 0, 0);
        let mut body = 0;
        loop {
            let seen =
                if request { tracker.request(&bytes[at..known]) } else { tracker.answer(&bytes[at..known], head) };
            let mut ends = |told: &mut String, size: usize, last: bool| {
                body += size;
                if last {
                    *told += &format!("{body}|");
                    body = 0;
                }
            };
            match seen {
                Seen::More if known < bytes.len() => known = (known + step).min(bytes.len()),
                Seen::More => return (told, at),
                Seen::Request { size, asked } => {
                    told += &format!("{} {} ", asked.method, asked.target);
                    at += size;
                    if tracker.is_between() {
                        ends(&mut told, 0, true);
                    }
                }
                Seen::Interim { size } => {
                    told += "i ";
                    at += size;
                }
                Seen::Answer { size, last } => {
                    told += "a ";
                    at += size;
                    ends(&mut told, 0, last);
                }
                Seen::Body { size, last } => {
                    at += size;
                    if size == 0 && !last {
                        if known == bytes.len() {
                            return (told, at);
                        }
                        known = (known + step).min(bytes.len());
                    }
                    ends(&mut told, size, last);
                }
                Seen::Http2 => return (told + "2", at),
                Seen::Bytes => return (told + "*", at),
            }
        }
    }

    #[test]
    fn requests_are_told_apart_whatever_the_pieces() {
        let text =
            b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nPOST /b?c=1 HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello\r\nPUT /d \
            HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nWiki\r\n0\r\n\r\nHEAD /e HTTP/1.1\r\n\r\n";
        for step in 1..text.len() {
            assert_eq!(
                follow(text, step, true, false),
                ("GET /a 0|POST /b?c=1 5|PUT /d 14|HEAD /e 0|".into(), text.len())
            );
        }
    }

    #[test]
    fn answers_are_told_apart_whatever_the_pieces() {
        let text = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\
            Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.0 200 OK\r\n\r\nto the end";
        for step in 1..text.len() {
            assert_eq!(follow(text, step, false, false), ("i a 2|a 0|a 12|a ".into(), text.len()));
        }
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
        assert_eq!(follow(head, 3, false, true), ("a 0|a 0|".into(), head.len()));
    }

    #[test]
    fn what_is_not_understood_passes_as_bytes() {
        for request in [
            "CONNECT a:1 HTTP/1.1\r\n\r\nx",
            "PRI * HTTP/2.0\r\n\r\nno preface",
            "no request at all",
            "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            "GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        ] {
            assert_eq!(follow(request.as_bytes(), 1, true, false), ("*".into(), 0), "{request}");
        }
        let late = [b"GET / HTTP/1.1\r\n\r\n", PREFACE].concat();
        assert_eq!(follow(&late, 1, true, false).0, "GET / 0|*");
        assert_eq!(follow(b"HTTP/1.1 101 Switching Protocols\r\n\r\nx", 4, false, false).0, "*");
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(2 * LONGEST));
        assert_eq!(follow(long.as_bytes(), 999, true, false).0, "*");
    }

    #[test]
    fn http2_is_told_by_its_preface_whatever_the_pieces() {
        for step in 1..=PREFACE.len() {
            assert_eq!(follow(PREFACE, step, true, false), ("2".into(), 0));
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), step in 1usize..9, request in any::<bool>()) {
            let (_, end) = follow(&bytes, step, request, false);
            prop_assert!(end <= bytes.len());
        }
    }
}
