//! HTTP/1.1 over a socket without TLS, by hand: no allocation on the path of one request, nothing kept for an idle
//! connection but its socket. Held to the same tests as hyper's.

use std::pin::Pin;
use std::task::{Context, Waker};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

use super::answer::{Answer, Head, Lost};
use super::chunks::{Chunks, Piece};
use super::{Outgoing, WireError};
use crate::base::clock::Clock;
use crate::base::units::At;

/// A longer head is no honest one.
const LONGEST_HEAD: usize = 64 * 1024;
/// Room for reading, at least.
const ROOM: usize = 4096;
const MOST_HEADERS: usize = 128;

pub(super) struct Plain {
    tcp: TcpStream,
    open: bool,
    sent: Option<At>,
    first: Option<At>,
}

/// How the end of a body is known.
enum Length {
    Exactly(u64),
    Chunked,
    /// The connection's end.
    Close,
}

struct Parsed {
    head: Head,
    length: Length,
    keeps: bool,
}

impl Plain {
    pub(super) fn new(tcp: TcpStream) -> Plain {
        Plain { tcp, open: true, sent: None, first: None }
    }

    pub(super) fn sent(&self) -> Option<At> {
        self.sent
    }

    pub(super) fn is_open(&mut self) -> bool {
        if self.open {
            let mut byte = [0];
            let mut buffer = ReadBuf::new(&mut byte);
            let mut cx = Context::from_waker(Waker::noop());
            // Whatever there is to read now, an end or a byte that nobody asked for, makes it useless.
            self.open = Pin::new(&mut self.tcp).poll_read(&mut cx, &mut buffer).is_pending();
        }
        self.open
    }

    /// Sends `outgoing` and reads the whole answer into `into`, with up to `keep` bytes of its body.
    pub(super) async fn exchange(
        &mut self,
        outgoing: &Outgoing,
        keep: usize,
        into: &mut Vec<u8>,
        clock: &Clock,
    ) -> Result<Answer, Lost> {
        (self.sent, self.first) = (None, None);
        // Until the answer is there to its end: whoever drops this half-way leaves a connection of no more use.
        let was_open = std::mem::replace(&mut self.open, false);
        into.clear();
        let mut head = None;
        let read =
            if was_open { self.ask(outgoing, keep, into, clock, &mut head).await } else { Err(WireError::Closed) };
        match (read, head) {
            (Ok((body, length, keeps)), Some(head)) => {
                let done = clock.now();
                self.open = keeps;
                let (sent, first) = (self.sent.unwrap_or(done), self.first.unwrap_or(done));
                Ok(Answer { head, body, length, sent, first, done })
            }
            (read, head) => {
                let error = read.err().unwrap_or(WireError::Closed);
                Err(Lost { error, sent: self.sent, done: clock.now(), head })
            }
        }
    }

    async fn ask(
        &mut self,
        outgoing: &Outgoing,
        keep: usize,
        into: &mut Vec<u8>,
        clock: &Clock,
        found: &mut Option<Head>,
    ) -> Result<(std::ops::Range<usize>, u64, bool), WireError> {
        // A server may answer before it has read everything, and close: its answer counts, so it is read all the same.
        let written = self.write(outgoing.bytes(), clock).await;
        let mut at = 0;
        let mut parsed = loop {
            if self.fill(into, ROOM, clock).await? == 0 {
                return Err(match written {
                    Err(error) => WireError::of_stream(&error),
                    Ok(()) => WireError::Closed,
                });
            }
            // Answers with 1xx come before the one that counts.
            let parsed = loop {
                match parse(&into[at..], outgoing.is_head())? {
                    Some(parsed) if parsed.head.status == 101 => {
                        return Err(WireError::Protocol("a change of protocol that nobody asked for".into()));
                    }
                    Some(parsed) if parsed.head.status < 200 => at += parsed.head.text.end,
                    other => break other,
                }
            };
            match parsed {
                Some(parsed) => break parsed,
                None if into.len() - at > LONGEST_HEAD => {
                    return Err(WireError::Protocol("a head of more than 64 KiB".into()));
                }
                None => {}
            }
        };
        parsed.head.text = at + parsed.head.text.start..at + parsed.head.text.end;
        let start = parsed.head.text.end;
        *found = Some(parsed.head);
        let (end, length) = self.body(&parsed.length, start, keep, into, clock).await?;
        // What comes after the end belongs to no request of ours.
        let keeps = parsed.keeps && written.is_ok() && into.len() == end;
        into.truncate(end);
        Ok((start..end, length, keeps))
    }

    async fn write(&mut self, bytes: &[u8], clock: &Clock) -> std::io::Result<()> {
        let (begun, size) = std::future::poll_fn(|cx| {
            // The attempt that succeeds is the one that counts.
            let begun = clock.now();
            Pin::new(&mut self.tcp).poll_write(cx, bytes).map_ok(|size| (begun, size))
        })
        .await?;
        self.sent = (size > 0).then_some(begun);
        self.tcp.write_all(&bytes[size..]).await
    }

    /// Reads the body; gives where its kept part ends in `into`, and its whole length.
    async fn body(
        &mut self,
        length: &Length,
        start: usize,
        keep: usize,
        into: &mut Vec<u8>,
        clock: &Clock,
    ) -> Result<(usize, u64), WireError> {
        let mut chunks = Chunks::default();
        let (mut end, mut total) = (start, 0u64);
        // `into` holds the head, the kept body up to `end`, and from `next` on what is read and not looked at.
        let mut next = start;
        loop {
            let piece = match length {
                Length::Exactly(length) if total == *length => Piece::Done,
                Length::Exactly(length) => {
                    let left = usize::try_from(length - total).unwrap_or(usize::MAX);
                    data(left.min(into.len() - next))
                }
                Length::Chunked => chunks.next(&into[next..]),
                Length::Close => data(into.len() - next),
            };
            match piece {
                Piece::Data(size) => {
                    let kept = size.min(keep - (end - start).min(keep));
                    if end != next {
                        into.copy_within(next..next + kept, end);
                    }
                    (end, next, total) = (end + kept, next + size, total + size as u64);
                }
                Piece::Skip(size) => next += size,
                Piece::Wrong => return Err(WireError::Protocol("a chunk that is none".into())),
                Piece::Done => {
                    if end != next {
                        into.drain(end..next);
                    }
                    return Ok((end, total));
                }
                Piece::More => {
                    if end != next {
                        into.drain(end..next);
                        next = end;
                    }
                    let room = match length {
                        Length::Exactly(length) => {
                            usize::try_from(length - total).unwrap_or(ROOM).clamp(ROOM, ROOM * 16)
                        }
                        _ => ROOM * 4,
                    };
                    if self.fill(into, room, clock).await? == 0 {
                        return match length {
                            Length::Close => Ok((end, total)),
                            _ => Err(WireError::Closed),
                        };
                    }
                }
            }
        }
    }

    /// Reads what there is; 0 at the end.
    async fn fill(&mut self, into: &mut Vec<u8>, room: usize, clock: &Clock) -> Result<usize, WireError> {
        into.reserve(room);
        let read = self.tcp.read_buf(into).await.map_err(|error| WireError::of_stream(&error))?;
        if read > 0 && self.first.is_none() {
            self.first = Some(clock.now());
        }
        Ok(read)
    }

    pub(super) fn first(&self) -> Option<At> {
        self.first
    }
}

fn data(size: usize) -> Piece {
    if size == 0 { Piece::More } else { Piece::Data(size) }
}

/// Reads a head (RFC 9112); none while it is not complete.
fn parse(bytes: &[u8], to_head: bool) -> Result<Option<Parsed>, WireError> {
    let mut headers = [const { std::mem::MaybeUninit::uninit() }; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let parsed = config.parse_response_with_uninit_headers(&mut response, bytes, &mut headers);
    let size = match parsed {
        Ok(httparse::Status::Complete(size)) => size,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(WireError::Protocol(words(error).into())),
    };
    let status = response.code.unwrap_or(0);
    let mut keeps = response.version == Some(1);
    let (mut length, mut chunked) = (None, false);
    for header in response.headers.iter() {
        // By length first: most are none of these three.
        match header.name.len() {
            14 if header.name.eq_ignore_ascii_case("content-length") => {
                let value = number(header.value)
                    .ok_or_else(|| WireError::Protocol("a content-length that is no number".into()))?;
                if length.is_some_and(|known| known != value) {
                    return Err(WireError::Protocol("two content-lengths that differ".into()));
                }
                length = Some(value);
            }
            17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                let last = header.value.rsplit(|byte| *byte == b',').next().unwrap_or_default();
                if !last.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    return Err(WireError::Protocol("a transfer-encoding that is not chunked".into()));
                }
                chunked = true;
            }
            10 if header.name.eq_ignore_ascii_case("connection") => {
                for word in header.value.split(|byte| *byte == b',') {
                    match word.trim_ascii() {
                        word if word.eq_ignore_ascii_case(b"close") => keeps = false,
                        word if word.eq_ignore_ascii_case(b"keep-alive") => keeps = true,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    let length = match (chunked, length) {
        _ if to_head || status < 200 || matches!(status, 204 | 304) => Length::Exactly(0),
        (true, _) => Length::Chunked,
        (false, Some(length)) => Length::Exactly(length),
        (false, None) => Length::Close,
    };
    keeps &= !matches!(length, Length::Close);
    Ok(Some(Parsed { head: Head { status, text: 0..size }, length, keeps }))
}

/// What is wrong with a head, without putting a text together for each.
fn words(error: httparse::Error) -> &'static str {
    match error {
        httparse::Error::HeaderName => "the name of a header is none",
        httparse::Error::HeaderValue => "the value of a header is none",
        httparse::Error::NewLine => "a line that does not end as it should",
        httparse::Error::Status => "its status is none",
        httparse::Error::Token => "a byte that may not stand in a head",
        httparse::Error::TooManyHeaders => "more than 128 headers",
        httparse::Error::Version => "its first line names no version of HTTP",
    }
}

fn number(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii();
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}
