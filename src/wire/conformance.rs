//! Our own speaker of HTTP/1.1 against hyper's, over connections in memory: a table of answers by name, and answers made
//! up, spoilt and cut in pieces by chance.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use proptest::prelude::*;
use proptest::sample::Index;

use super::pieces::{End, Pieces};
use super::stream::{Socket, Stream};
use super::transport::Transport;
use super::{Connection, Outgoing, WireError};
use crate::base::clock::Clock;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    length: u64,
    /// Whether another request may follow.
    open: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Ended {
    Answer(Seen),
    Error(WireError),
    /// Nothing moves it any more.
    Waits,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Moves `work` for as long as something wakes it.
fn drive<T>(work: impl Future<Output = T>) -> Option<T> {
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = Waker::from(woken.clone());
    let mut work = pin!(work);
    for _ in 0..1_000_000 {
        if !woken.0.swap(false, Ordering::Relaxed) {
            return None;
        }
        if let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(done);
        }
    }
    panic!("it never comes to rest");
}

fn connect(wire: &Pieces, hyper: bool) -> Connection {
    let clock = Clock::start();
    let stream = Stream::Plain(Socket::new(Transport::Memory(wire.clone()), clock.clone()));
    let made = drive(async {
        if hyper { Connection::by_hyper(stream, clock).await } else { Connection::over(stream, clock).await }
    });
    made.unwrap().unwrap()
}

/// One request; most of all that a reader may hold is far less than `MOST`.
fn exchange(connection: &mut Connection, wire: &Pieces, outgoing: &Outgoing, keep: usize) -> Ended {
    const MOST: usize = 1 << 20;
    let mut buffer = Vec::new();
    let asked = drive(connection.exchange(outgoing, keep, &mut buffer));
    assert!(buffer.capacity() < MOST, "it holds {} bytes", buffer.capacity());
    match asked {
        None => Ended::Waits,
        Some(Err(lost)) => {
            assert!(!connection.is_open(), "after an error it is of no more use");
            Ended::Error(lost.error)
        }
        Some(Ok(answer)) => {
            let head = answer.head.headers(&buffer).iter();
            let lower = |name: &[u8]| String::from_utf8_lossy(name).to_ascii_lowercase();
            let mut headers: Vec<_> = head.map(|(name, value)| (lower(name), value.to_vec())).collect();
            headers.sort_by(|(a, _), (b, _)| a.cmp(b));
            wire.arrive();
            let (status, length) = (answer.head.status, answer.length);
            let body = buffer[answer.body].to_vec();
            Ended::Answer(Seen { status, headers, body, length, open: connection.is_open() })
        }
    }
}

fn request(method: &str, body: &str) -> Outgoing {
    let head = format!("{method} / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    let size = head.len();
    Outgoing::new((head + body).into_bytes().into(), size)
}

fn one(hyper: bool, method: &str, pieces: Vec<Vec<u8>>, end: End, keep: usize) -> Ended {
    let wire = Pieces::new(pieces, end, usize::MAX);
    let mut connection = connect(&wire, hyper);
    let first = exchange(&mut connection, &wire, &request(method, ""), keep);
    if let Ended::Answer(Seen { open: true, .. }) = first
        && end == End::Hang
    {
        // What is kept answers the next request with the next answer.
        wire.add(b"HTTP/1.1 299 Next\r\ncontent-length: 3\r\n\r\nnew");
        match exchange(&mut connection, &wire, &request("GET", ""), keep.max(3)) {
            Ended::Answer(seen) => assert_eq!((seen.status, seen.body.as_slice()), (299, b"new".as_slice())),
            other => panic!("{hyper} {other:?}"),
        }
    }
    first
}

/// What is expected: status, body and reuse; a protocol error; a connection closed too early; or waiting for ever.
enum Expect {
    Kept(u16, &'static str),
    Last(u16, &'static str),
    Wrong,
    Closed,
    Waits,
}

use Expect::{Closed, Kept, Last, Waits, Wrong};

#[test]
fn both_speakers_read_every_named_answer_alike() {
    let head = "HTTP/1.1 200 OK\r\n";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let plain = "content-length: 2\r\n\r\nok";
    let early = "HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n";
    let huge = |size: usize| format!("{head}a: {}\r\n{plain}", "x".repeat(size));
    let many = |count: usize| format!("{head}{}{plain}", "a: b\r\n".repeat(count - 1));
    let hints = |count: usize| format!("{}{head}{plain}", early.repeat(count));
    let ext = |size: usize| format!("{chunked}2;{}\r\nok\r\n0\r\n\r\n", "x".repeat(size));
    let table: Vec<(&str, String, End, Expect)> = vec![
        ("content-length", format!("{head}{plain}"), End::Hang, Kept(200, "ok")),
        ("no reason", format!("HTTP/1.1 200\r\n{plain}"), End::Hang, Kept(200, "ok")),
        ("an empty reason", format!("HTTP/1.1 200 \r\n{plain}"), End::Hang, Kept(200, "ok")),
        ("an odd reason", format!("HTTP/1.1 200 a: b\r\n{plain}"), End::Hang, Kept(200, "ok")),
        ("an empty line before", format!("\r\n\nHTTP/1.1 200 a: b\r\n{plain}"), End::Hang, Kept(200, "ok")),
        ("an unknown status", format!("HTTP/1.1 799 X\r\n{plain}"), End::Hang, Kept(799, "ok")),
        ("a status of two digits", format!("HTTP/1.1 20 X\r\n{plain}"), End::Hang, Wrong),
        ("a status below 100", format!("HTTP/1.1 099 X\r\n\r\n{head}{plain}"), End::Hang, Wrong),
        ("a version of another age", format!("HTTP/3.0 200 OK\r\n{plain}"), End::Hang, Wrong),
        ("no version", "hello\r\n\r\n".to_owned(), End::Hang, Wrong),
        ("garbage", "\u{0}\u{1}\u{2}".to_owned(), End::Hang, Wrong),
        ("a NUL in a value", format!("{head}a: b\0c\r\n{plain}"), End::Hang, Wrong),
        ("a NUL in a name", format!("{head}a\0: b\r\n{plain}"), End::Hang, Wrong),
        ("a NUL in the reason", format!("HTTP/1.1 200 O\0K\r\n{plain}"), End::Hang, Wrong),
        ("a blank after a name", format!("{head}a : b\r\n{plain}"), End::Hang, Wrong),
        ("no name", format!("{head}: b\r\n{plain}"), End::Hang, Wrong),
        ("no colon", format!("{head}ab\r\n{plain}"), End::Hang, Wrong),
        ("a folded line", format!("{head}a: b\r\n c\r\n{plain}"), End::Hang, Wrong),
        ("bare line feeds", "HTTP/1.1 200 OK\ncontent-length: 2\n\nok".to_owned(), End::Hang, Kept(200, "ok")),
        ("a bare carriage return", format!("{head}a: b\rc: d\r\n{plain}"), End::Hang, Wrong),
        ("a huge head", huge(60_000), End::Hang, Kept(200, "ok")),
        ("a head too long", huge(66_000), End::Hang, Wrong),
        ("a head without an end", format!("{head}a: {}", "x".repeat(66_000)), End::Hang, Wrong),
        ("a hundred headers", many(100), End::Hang, Kept(200, "ok")),
        ("more headers", many(101), End::Hang, Wrong),
        ("no head", String::new(), End::Close, Closed),
        ("half a head", "HTTP/1.1 200 OK\r\nconte".to_owned(), End::Close, Closed),
        ("half a body", format!("{head}content-length: 9\r\n\r\nhalf"), End::Close, Closed),
        ("half a body, and waiting", format!("{head}content-length: 9\r\n\r\nhalf"), End::Hang, Waits),
        ("an empty body", format!("{head}content-length: 0\r\n\r\n"), End::Hang, Kept(200, "")),
        ("leading zeros", format!("{head}content-length: 0002\r\n\r\nok"), End::Hang, Kept(200, "ok")),
        ("a plus sign", format!("{head}content-length: +2\r\n\r\nok"), End::Hang, Wrong),
        ("a minus sign", format!("{head}content-length: -2\r\n\r\nok"), End::Hang, Wrong),
        ("a length in hexadecimal", format!("{head}content-length: 0x2\r\n\r\nok"), End::Hang, Wrong),
        ("an empty length", format!("{head}content-length:\r\n\r\nok"), End::Hang, Wrong),
        ("a length beyond all", format!("{head}content-length: 18446744073709551616\r\n\r\nok"), End::Hang, Wrong),
        ("the greatest length", format!("{head}content-length: 18446744073709551615\r\n\r\nok"), End::Hang, Wrong),
        (
            "one length twice",
            format!("{head}content-length: 2\r\nContent-Length: 2\r\n\r\nok"),
            End::Hang,
            Kept(200, "ok"),
        ),
        ("one length twice in a line", format!("{head}content-length: 2, 2\r\n\r\nok"), End::Hang, Kept(200, "ok")),
        ("two lengths", format!("{head}content-length: 2\r\ncontent-length: 1\r\n\r\nok"), End::Hang, Wrong),
        ("two lengths in a line", format!("{head}content-length: 2, 1\r\n\r\nok"), End::Hang, Wrong),
        ("no length", format!("{head}\r\nall of it"), End::Close, Last(200, "all of it")),
        ("no length, reset", format!("{head}\r\nall of it"), End::Reset, Closed),
        ("no length, and waiting", format!("{head}\r\nall of it"), End::Hang, Waits),
        ("chunks", format!("{chunked}2\r\nok\r\n0\r\n\r\n"), End::Hang, Kept(200, "ok")),
        ("no chunk", format!("{chunked}0\r\n\r\n"), End::Hang, Kept(200, "")),
        (
            "chunk sizes in capitals",
            format!("{chunked}A\r\n0123456789\r\n00\r\n\r\n"),
            End::Hang,
            Kept(200, "0123456789"),
        ),
        ("chunk extensions", format!("{chunked}2;a=\"b;c\" \r\nok\r\n0;x\r\n\r\n"), End::Hang, Kept(200, "ok")),
        ("blanks after a chunk's size", format!("{chunked}2 \t\r\nok\r\n0\r\n\r\n"), End::Hang, Kept(200, "ok")),
        ("long extensions", ext(16_000), End::Hang, Kept(200, "ok")),
        ("extensions too long", ext(17_000), End::Hang, Wrong),
        ("a chunk's size beyond all", format!("{chunked}10000000000000000\r\nok"), End::Hang, Wrong),
        ("a chunk that is too short", format!("{chunked}3\r\nok\r\n0\r\n\r\n"), End::Hang, Wrong),
        ("a chunk that is too long", format!("{chunked}1\r\nok\r\n0\r\n\r\n"), End::Hang, Wrong),
        ("no last chunk", format!("{chunked}2\r\nok\r\n"), End::Close, Closed),
        ("half a chunk", format!("{chunked}5\r\nab"), End::Close, Closed),
        ("half a size", format!("{chunked}5"), End::Close, Closed),
        ("no size", format!("{chunked}zz"), End::Hang, Wrong),
        ("a bare line feed after a size", format!("{chunked}2\nok\r\n0\r\n\r\n"), End::Hang, Wrong),
        ("trailers", format!("{chunked}2\r\nok\r\n0\r\na: b\r\nc: d\r\n\r\n"), End::Hang, Kept(200, "ok")),
        ("trailers that are none", format!("{chunked}2\r\nok\r\n0\r\nab\r\n\r\n"), End::Hang, Wrong),
        ("half the trailers", format!("{chunked}2\r\nok\r\n0\r\na: b\r\n"), End::Close, Closed),
        ("trailers too long", format!("{chunked}0\r\na: {}", "x".repeat(17_000)), End::Hang, Wrong),
        (
            "chunks and a length",
            format!("{head}content-length: 7\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
            End::Hang,
            Kept(200, "ok"),
        ),
        (
            "chunks and a length that is none",
            format!("{head}transfer-encoding: chunked\r\ncontent-length: x\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
            End::Hang,
            Kept(200, "ok"),
        ),
        (
            "a coding before chunked",
            format!("{head}transfer-encoding: gzip, Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
            End::Hang,
            Kept(200, "ok"),
        ),
        (
            "a coding on a line before chunked",
            format!("{head}transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
            End::Hang,
            Kept(200, "ok"),
        ),
        (
            "a coding that is not chunked",
            format!("{head}transfer-encoding: gzip\r\n\r\nok"),
            End::Close,
            Last(200, "ok"),
        ),
        (
            "a coding after chunked",
            format!("{head}transfer-encoding: chunked, gzip\r\ncontent-length: 1\r\n\r\nok"),
            End::Close,
            Last(200, "ok"),
        ),
        (
            "chunks in HTTP/1.0",
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n".to_owned(),
            End::Close,
            Wrong,
        ),
        ("HTTP/1.0", format!("HTTP/1.0 200 OK\r\n{plain}"), End::Hang, Last(200, "ok")),
        ("HTTP/1.0, kept", format!("HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\n{plain}"), End::Hang, Kept(200, "ok")),
        ("HTTP/1.0 to the end", "HTTP/1.0 200 OK\r\n\r\nok".to_owned(), End::Close, Last(200, "ok")),
        ("connection: close", format!("{head}Connection: CLOSE\r\n{plain}"), End::Hang, Last(200, "ok")),
        ("connection: a, close", format!("{head}connection: a, close\r\n{plain}"), End::Hang, Last(200, "ok")),
        (
            "connection: close, then keep-alive",
            format!("{head}connection: close\r\nconnection: keep-alive\r\n{plain}"),
            End::Hang,
            Last(200, "ok"),
        ),
        ("closed after it", format!("{head}{plain}"), End::Close, Last(200, "ok")),
        ("reset after it", format!("{head}{plain}"), End::Reset, Last(200, "ok")),
        ("an answer too many", format!("{head}{plain}{head}{plain}"), End::Hang, Last(200, "ok")),
        ("a byte too many", format!("{head}{plain}\n"), End::Hang, Last(200, "ok")),
        ("a byte too many after chunks", format!("{chunked}0\r\n\r\nx"), End::Hang, Last(200, "")),
        ("204", "HTTP/1.1 204 No Content\r\n\r\n".to_owned(), End::Hang, Kept(204, "")),
        (
            "204 with a length",
            "HTTP/1.1 204 No Content\r\ncontent-length: x\r\n\r\n".to_owned(),
            End::Hang,
            Kept(204, ""),
        ),
        ("204 with a body", format!("HTTP/1.1 204 No Content\r\n{plain}"), End::Hang, Last(204, "")),
        ("304", "HTTP/1.1 304 X\r\ncontent-length: 9\r\n\r\n".to_owned(), End::Hang, Kept(304, "")),
        (
            "304 with chunks",
            "HTTP/1.1 304 X\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
            End::Hang,
            Kept(304, ""),
        ),
        ("304 with a body", format!("HTTP/1.1 304 X\r\n{plain}"), End::Hang, Last(304, "")),
        ("100", format!("HTTP/1.1 100 Continue\r\n\r\n{head}{plain}"), End::Hang, Kept(200, "ok")),
        (
            "100 with a length",
            format!("HTTP/1.1 100 X\r\ncontent-length: 2\r\n\r\n{head}{plain}"),
            End::Hang,
            Kept(200, "ok"),
        ),
        ("many hints", hints(5_000), End::Hang, Kept(200, "ok")),
        ("100 and no more", "HTTP/1.1 100 Continue\r\n\r\n".to_owned(), End::Close, Closed),
        ("100 and waiting", "HTTP/1.1 100 Continue\r\n\r\n".to_owned(), End::Hang, Waits),
        ("101", "HTTP/1.1 101 X\r\nupgrade: y\r\n\r\n".to_owned(), End::Hang, Wrong),
    ];
    for (name, text, end, expect) in table {
        for hyper in [false, true] {
            for step in [1, 7, text.len().max(1)] {
                let pieces = text.as_bytes().chunks(step).map(<[u8]>::to_vec).collect();
                // Byte by byte is slow where a head is long: it is read again each time.
                if step < 10 && text.len() > 20_000 {
                    continue;
                }
                let ended = one(hyper, "GET", pieces, end, 64 * 1024);
                let fits = match (&ended, &expect) {
                    (Ended::Answer(seen), Kept(status, body)) => {
                        (seen.status, seen.body.as_slice(), seen.open) == (*status, body.as_bytes(), true)
                    }
                    (Ended::Answer(seen), Last(status, body)) => {
                        (seen.status, seen.body.as_slice(), seen.open) == (*status, body.as_bytes(), false)
                    }
                    (Ended::Error(WireError::Protocol(_)), Wrong) => true,
                    (Ended::Error(WireError::Closed | WireError::Reset), Closed) => true,
                    (Ended::Waits, Waits) => true,
                    _ => false,
                };
                assert!(fits, "{name}, in steps of {step}, hyper: {hyper}: {:.300}", format!("{ended:?}"));
            }
        }
    }
}

#[test]
fn an_answer_to_head_has_no_body_whatever_it_says() {
    for (text, open) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 44\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", false),
        ("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", false),
    ] {
        for hyper in [false, true] {
            let Ended::Answer(seen) = one(hyper, "HEAD", vec![text.into()], End::Hang, 100) else { panic!("{text}") };
            assert_eq!((seen.body.len(), seen.length, seen.open), (0, 0, open), "{text} {hyper}");
        }
    }
}

#[test]
fn an_answer_before_the_request_is_read_counts_and_ends_the_connection() {
    let large = "y".repeat(100_000);
    for hyper in [false, true] {
        for room in [1, 50, 70_000] {
            for chunk in ["content-length: 2\r\n\r\nno", "transfer-encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n"] {
                let text = format!("HTTP/1.1 413 X\r\n{chunk}");
                let wire = Pieces::new([text.into_bytes()], End::Hang, room);
                let mut connection = connect(&wire, hyper);
                let Ended::Answer(seen) = exchange(&mut connection, &wire, &request("POST", &large), 100) else {
                    panic!("{hyper} {room}");
                };
                assert_eq!((seen.status, seen.body.as_slice()), (413, b"no".as_slice()), "{hyper} {room}");
                assert_eq!(wire.written(), room);
                // hyper would send the rest before the next request.
                assert!(hyper || !seen.open, "{room}");
            }
        }
    }
}

#[test]
fn a_body_without_end_is_read_in_little_memory() {
    for hyper in [false, true] {
        for framing in ["content-length: 8000000", "transfer-encoding: chunked", "x: y"] {
            let mut text = format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n").into_bytes();
            for _ in 0..1_000 {
                if framing.ends_with("chunked") {
                    text.extend_from_slice(b"1f40\r\n");
                }
                text.extend_from_slice(&[b'x'; 8_000]);
                if framing.ends_with("chunked") {
                    text.extend_from_slice(b"\r\n");
                }
            }
            if framing.ends_with("chunked") {
                text.extend_from_slice(b"0\r\n\r\n");
            }
            // `exchange` looks at how much is held.
            let pieces = text.chunks(100_000).map(<[u8]>::to_vec).collect();
            let Ended::Answer(seen) = one(hyper, "GET", pieces, End::Close, 10) else { panic!("{hyper} {framing}") };
            assert_eq!((seen.body.len(), seen.length), (10, 8_000_000), "{hyper} {framing}");
        }
    }
}

// ---- By chance

fn framing() -> impl Strategy<Value = Vec<u8>> {
    let body = prop::collection::vec(any::<u8>(), 0..200);
    let name = prop::sample::select(vec!["content-length", "Content-Length", "CONTENT-LENGTH"]);
    let exactly = (name, "0{0,2}", body.clone()).prop_map(|(name, zeros, body)| {
        let mut text = format!("{name}: {zeros}{}\r\n\r\n", body.len()).into_bytes();
        text.extend(body);
        text
    });
    let chunk = (prop::collection::vec(any::<u8>(), 1..40), "(|[ \t]{1,2})(|;[ -~]{0,9})");
    let trailers = prop::collection::vec("[a-z]{1,5}: [ -~]{0,9}\r\n", 0..3);
    let chunked =
        (prop::collection::vec(chunk, 0..5), trailers, any::<bool>()).prop_map(|(chunks, trailers, capital)| {
            let coding = if capital { "gzip, Chunked" } else { "chunked" };
            let mut text = format!("Transfer-Encoding: {coding}\r\n\r\n").into_bytes();
            for (data, rest) in chunks {
                let size = if capital { format!("{:X}", data.len()) } else { format!("{:x}", data.len()) };
                text.extend_from_slice(format!("{size}{rest}\r\n").as_bytes());
                text.extend(data);
                text.extend_from_slice(b"\r\n");
            }
            text.extend_from_slice(format!("0\r\n{}\r\n", trailers.concat()).as_bytes());
            text
        });
    let close = body.prop_map(|body| [b"\r\n".to_vec(), body].concat());
    prop_oneof![3 => exactly, 4 => chunked, 1 => close]
}

fn answer() -> impl Strategy<Value = Vec<u8>> {
    let version = prop::sample::select(vec!["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0"]);
    let status = prop_oneof![4 => Just(200u16), 1 => 100u16..1000, 1 => prop::sample::select(vec![204, 304, 100, 101])];
    let reason = prop::sample::select(vec!["", " ", " OK", " a: b"]);
    let header = prop_oneof![
        3 => "[a-zA-Z-]{1,9}:[ \t]{0,2}[ -~]{0,12}\r\n",
        1 => prop::sample::select(vec![
            "connection: close\r\n",
            "Connection: keep-alive\r\n",
            "connection: x, Close\r\n",
            "content-length: 4\r\n",
            "content-length: 4, 4\r\n",
            "transfer-encoding: chunked\r\n",
            "transfer-encoding: x\r\n",
            "a: b\n",
            " folded\r\n",
        ]).prop_map(str::to_owned),
    ];
    let hints = prop::collection::vec(Just("HTTP/1.1 103 Early\r\nlink: a\r\n\r\n"), 0..3);
    (hints, version, status, reason, prop::collection::vec(header, 0..5), framing()).prop_map(
        |(hints, version, status, reason, headers, framing)| {
            let head = format!("{}{version} {status:03}{reason}\r\n{}", hints.concat(), headers.concat());
            [head.into_bytes(), framing].concat()
        },
    )
}

#[derive(Debug, Clone)]
enum Spoil {
    Set(Index, u8),
    Insert(Index, u8),
    Drop(Index),
    Cut(Index),
    Twice(Index, Index),
}

fn spoil() -> impl Strategy<Value = Spoil> {
    let telling = prop::sample::select(b"\r\n :;,0129aAfF\x00\t+-x\x80\xff".to_vec());
    let byte = prop_oneof![3 => telling, 1 => any::<u8>()];
    prop_oneof![
        (any::<Index>(), byte.clone()).prop_map(|(at, byte)| Spoil::Set(at, byte)),
        (any::<Index>(), byte).prop_map(|(at, byte)| Spoil::Insert(at, byte)),
        any::<Index>().prop_map(Spoil::Drop),
        any::<Index>().prop_map(Spoil::Cut),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Spoil::Twice(from, to)),
    ]
}

fn spoilt(mut text: Vec<u8>, spoils: &[Spoil]) -> Vec<u8> {
    for spoil in spoils {
        if text.is_empty() {
            break;
        }
        match spoil {
            Spoil::Set(at, byte) => *at.get_mut(&mut text) = *byte,
            Spoil::Insert(at, byte) => text.insert(at.index(text.len()), *byte),
            Spoil::Drop(at) => drop(text.remove(at.index(text.len()))),
            Spoil::Cut(at) => text.truncate(at.index(text.len())),
            Spoil::Twice(from, to) => {
                let (from, to) = (from.index(text.len()), to.index(text.len()));
                let part = text[from.min(to)..from.max(to)].to_vec();
                text.extend(part);
            }
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn whatever_comes_both_speakers_make_the_same_of_it(
        text in answer(),
        spoils in prop::collection::vec(spoil(), 0..4),
        cuts in prop::collection::vec(any::<Index>(), 0..6),
        end in prop::sample::select(vec![End::Close, End::Reset, End::Hang]),
        keep in prop::sample::select(vec![0, 3, 1000]),
        to_head in prop::bool::weighted(0.1),
    ) {
        let text = spoilt(text, &spoils);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let pieces: Vec<Vec<u8>> = cuts.windows(2).map(|cut| text[cut[0]..cut[1]].to_vec()).collect();
        let method = if to_head { "HEAD" } else { "GET" };
        let ours = one(false, method, pieces.clone(), end, keep);
        let theirs = one(true, method, pieces, end, keep);
        let shown = String::from_utf8_lossy(&text);
        match (&ours, &theirs) {
            (Ended::Answer(_), _) | (_, Ended::Answer(_)) => prop_assert_eq!(&ours, &theirs, "{:?}", shown),
            // Who has seen that it is wrong need not wait for more.
            _ => {}
        }
    }
}
