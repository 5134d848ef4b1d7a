//! HTTP/1.1 over a socket without TLS, by hand: no allocation on the path of one request, nothing kept for an idle
//! connection but its socket. Held to the same tests as hyper's.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::answer::{Answer, Head, Lost};
use super::chunks::{Chunks, Piece};
use super::transport::Transport;
use super::{Outgoing, WireError};
use crate::base::clock::Clock;
use crate::base::units::At;

/// A longer head is no honest one.
pub(super) const LONGEST_HEAD: usize = 64 * 1024;
/// Room for reading, at least.
const ROOM: usize = 4096;
/// As many as hyper takes.
const MOST_HEADERS: usize = 100;
/// A longer body is no honest one.
const LONGEST_BODY: u64 = u64::MAX - 2;

pub(super) struct Plain {
    transport: Transport,
    open: bool,
    sent: Option<At>,
    first: Option<At>,
    /// When something was read last.
    last: At,
}

/// What of a request is still to be sent.
struct Unsent<'r> {
    rest: &'r [u8],
    failed: Option<io::Error>,
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
    pub(super) fn new(transport: Transport) -> Plain {
        Plain { transport, open: true, sent: None, first: None, last: At::START }
    }

    pub(super) fn sent(&self) -> Option<At> {
        self.sent
    }

    pub(super) fn is_sound(&self) -> bool {
        self.open
    }

    pub(super) fn is_open(&mut self) -> bool {
        if self.open {
            let mut byte = [0];
            let mut buffer = ReadBuf::new(&mut byte);
            let mut cx = Context::from_waker(Waker::noop());
            // Whatever there is to read now, an end or a byte that nobody asked for, makes it useless.
            self.open = Pin::new(&mut self.transport).poll_read(&mut cx, &mut buffer).is_pending();
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
                let done = self.last;
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
        let mut unsent = Unsent { rest: outgoing.bytes(), failed: None };
        let parsed = loop {
            if self.fill(&mut unsent, into, ROOM, clock).await? == 0 {
                return Err(unsent.failed.as_ref().map_or(WireError::Closed, WireError::of_stream));
            }
            // Answers with 1xx come before the one that counts, any number of them.
            let mut at = 0;
            let parsed = loop {
                match parse(&into[at..], outgoing.is_head())? {
                    Some(parsed) if parsed.head.status == 101 => {
                        return Err(WireError::Protocol("a change of protocol that nobody asked for".into()));
                    }
                    Some(parsed) if parsed.head.status < 200 => at += parsed.head.text.end,
                    other => break other,
                }
            };
            into.drain(..at);
            match parsed {
                Some(parsed) => break parsed,
                None if into.len() >= LONGEST_HEAD => return Err(too_long()),
                None => {}
            }
        };
        let start = parsed.head.text.end;
        *found = Some(parsed.head);
        let (end, length) = self.body(&parsed.length, start, keep, &mut unsent, into, clock).await?;
        // What comes after the end belongs to no request of ours.
        let keeps = parsed.keeps && unsent.rest.is_empty() && into.len() == end;
        into.truncate(end);
        Ok((start..end, length, keeps))
    }

    /// Reads the body; gives where its kept part ends in `into`, and its whole length.
    async fn body(
        &mut self,
        length: &Length,
        start: usize,
        keep: usize,
        unsent: &mut Unsent<'_>,
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
                    if self.fill(unsent, into, room, clock).await? == 0 {
                        return match length {
                            Length::Close => Ok((end, total)),
                            _ => Err(WireError::Closed),
                        };
                    }
                }
            }
        }
    }

    /// Reads what there is; 0 at the end. Meanwhile sends what is still to be sent: a server may answer before it has
    /// read everything, and then read no more, or close; its answer counts.
    async fn fill(
        &mut self,
        unsent: &mut Unsent<'_>,
        into: &mut Vec<u8>,
        room: usize,
        clock: &Clock,
    ) -> Result<usize, WireError> {
        into.reserve(room);
        let (transport, sent) = (&mut self.transport, &mut self.sent);
        let read = std::future::poll_fn(|cx| {
            unsent.send(transport, sent, clock, cx);
            pin!(transport.read_buf(into)).poll(cx)
        });
        let read = read.await.map_err(|error| WireError::of_stream(&error))?;
        // Its end too is something that was read.
        self.last = clock.now();
        if read > 0 {
            self.first.get_or_insert(self.last);
        }
        Ok(read)
    }

    pub(super) fn first(&self) -> Option<At> {
        self.first
    }
}

impl Unsent<'_> {
    /// Sends as much as goes out without waiting. `sent` is when the attempt began that took the first byte.
    fn send(&mut self, transport: &mut Transport, sent: &mut Option<At>, clock: &Clock, cx: &mut Context<'_>) {
        while !self.rest.is_empty() && self.failed.is_none() {
            let begun = sent.unwrap_or_else(|| clock.now());
            match Pin::new(&mut *transport).poll_write(cx, self.rest) {
                Poll::Ready(Ok(0)) => self.failed = Some(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(size)) => {
                    *sent = Some(begun);
                    self.rest = &self.rest[size..];
                }
                Poll::Ready(Err(error)) => self.failed = Some(error),
                Poll::Pending => return,
            }
        }
    }
}

pub(super) fn too_long() -> WireError {
    WireError::Protocol("a head of more than 64 KiB".into())
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
        Err(error) => return Err(WireError::Protocol(fault(error).into())),
    };
    let status = response.code.unwrap_or(0);
    if status < 100 {
        return Err(WireError::Protocol("a status under 100".into()));
    }
    if size > LONGEST_HEAD {
        return Err(too_long());
    }
    let modern = response.version == Some(1);
    let (mut closes, mut keeps, mut sets_cookie) = (false, modern, false);
    let (mut known, mut coded) = (None, None);
    for header in response.headers.iter() {
        // By length first: most are none of these.
        match header.name.len() {
            14 if header.name.eq_ignore_ascii_case("content-length") => {
                known = match (known, number(header.value)) {
                    // Nearly all are one number.
                    (None, Some(length)) if length <= LONGEST_BODY => Some(Ok(length)),
                    (known, _) => words(header.value).fold(known, same),
                };
            }
            17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                coded = Some(words(header.value).last().is_some_and(|word| word.eq_ignore_ascii_case(b"chunked")));
            }
            10 if header.name.eq_ignore_ascii_case("connection") => {
                for word in words(header.value) {
                    closes |= word.eq_ignore_ascii_case(b"close");
                    keeps |= word.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            10 => sets_cookie |= header.name.eq_ignore_ascii_case("set-cookie"),
            _ => {}
        }
    }
    let wrong = |why: &'static str| Err(WireError::Protocol(why.into()));
    let length = match (coded, known) {
        _ if to_head || status < 200 || matches!(status, 204 | 304) => Length::Exactly(0),
        (Some(_), _) if !modern => return wrong("a transfer-encoding in HTTP/1.0"),
        // Where there is a length as well, it goes before that (RFC 9112, 6.3).
        (Some(true), _) => Length::Chunked,
        (Some(false), _) => Length::Close,
        (None, Some(Ok(length))) => Length::Exactly(length),
        (None, Some(Err(why))) => return wrong(why),
        (None, None) => Length::Close,
    };
    let keeps = keeps && !closes && !matches!(length, Length::Close);
    // Line ends that stand before the status line are passed over.
    let start = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    Ok(Some(Parsed { head: Head { status, text: start..size, sets_cookie }, length, keeps }))
}

/// What is wrong with a head, without putting a text together for each.
fn fault(error: httparse::Error) -> &'static str {
    match error {
        httparse::Error::HeaderName => "the name of a header is none",
        httparse::Error::HeaderValue => "the value of a header is none",
        httparse::Error::NewLine => "a line that does not end as it should",
        httparse::Error::Status => "its status is none",
        httparse::Error::Token => "a byte that may not stand in a head",
        httparse::Error::TooManyHeaders => "more than 100 headers",
        httparse::Error::Version => "its first line names no version of HTTP",
    }
}

/// What stands between the commas of a header's value; a value with other than ASCII in it has one that nobody knows.
fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let value = if value.is_ascii() { value } else { b"?" };
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// A length that is given several times is one if it is the same each time (RFC 9110, 8.6).
fn same(known: Option<Result<u64, &'static str>>, word: &[u8]) -> Option<Result<u64, &'static str>> {
    let value = number(word).filter(|value| *value <= LONGEST_BODY).ok_or("a content-length that is no number");
    Some(match (known, value) {
        (Some(Ok(known)), Ok(value)) if known != value => Err("two content-lengths that differ"),
        (Some(Err(why)), _) => Err(why),
        (_, value) => value,
    })
}

fn number(digits: &[u8]) -> Option<u64> {
    let add = |sum: u64, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, add) }
}
