use std::path::Path;

use super::scripted::{Do, Scripted, Seen, answer, ok};
use super::{Answer, Connection, Door, Lost, Origin, Outgoing, WireError};
use crate::base::clock::Clock;
use crate::base::units::{At, Flow, Size, Span};
use crate::plan::{Allow, Tls};

const LONG: Span = Span::seconds(20);

fn run<F: Future>(work: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn loopback() -> Vec<Allow> {
    vec![Allow::Network { address: [127, 0, 0, 0].into(), prefix: 8 }]
}

fn name(host: &str, port: Option<u16>) -> Vec<Allow> {
    vec![Allow::Name { host: host.to_owned(), port }]
}

fn door(allow: &[Allow]) -> Door {
    Door::new(&Clock::start(), allow, Path::new("."))
}

fn origin(door: &Door, url: &str) -> Origin {
    door.origin(url, &Tls::default()).unwrap()
}

fn request(method: &str, path: &str, body: &str) -> Outgoing {
    let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\n{length}\r\n");
    let size = head.len();
    Outgoing::new((head + body).into_bytes().into(), size)
}

fn get(path: &str) -> Outgoing {
    request("GET", path, "")
}

/// Our own speaker, and hyper.
const SPEAKERS: [bool; 2] = [false, true];

async fn connect(door: &Door, server: &Scripted, hyper: bool) -> Connection {
    let origin = origin(door, &server.url());
    speaking(door, hyper).connect(&origin).await.unwrap().0
}

fn speaking(door: &Door, hyper: bool) -> Door {
    if hyper { door.by_hyper() } else { door.clone() }
}

/// One request on a connection of its own; the answer's status, whole text and body.
async fn once(
    door: &Door,
    server: &Scripted,
    hyper: bool,
    outgoing: &Outgoing,
) -> Result<(u16, String, u64), WireError> {
    let mut buffer = Vec::new();
    let answered = connect(door, server, hyper).await.exchange(outgoing, 64 * 1024, &mut buffer).await;
    let answer: Answer = answered.map_err(|lost: Lost| lost.error)?;
    Ok((answer.head.status, String::from_utf8_lossy(&buffer[answer.body]).into_owned(), answer.length))
}

#[test]
fn a_probe_brings_status_and_body() {
    let server = Scripted::start(|seen| match seen.path.as_str() {
        "/base/healthz" => ok("fine"),
        "/base/hang" => vec![Do::Hang],
        _ => vec![answer(503, &[], "")],
    });
    run(async {
        let door = door(&loopback());
        let origin = origin(&door, &format!("{}/base", server.url()));
        let mark = ("x-drill-run".parse().unwrap(), "r1".parse().unwrap());
        let probed = door.probe(&origin, "/healthz", &[mark], LONG).await.unwrap();
        assert!(probed.is_good());
        assert_eq!(probed.body, "fine");
        assert!(!door.probe(&origin, "/other", &[], LONG).await.unwrap().is_good());
        let short = Span::millis(20);
        assert_eq!(door.probe(&origin, "/hang", &[], short).await, Err(WireError::Timeout(short)));
    });
    assert_eq!(server.log()[0].header("x-drill-run"), Some("r1"));
    assert_eq!(server.log()[0].header("host"), Some(server.address.to_string().as_str()));
}

#[test]
fn nothing_but_what_is_allowed_is_dialled_whatever_its_name() {
    let server = Scripted::start(|_| ok(""));
    let port = server.address.port();
    let by_name = format!("http://localhost:{port}");
    let elsewhere = vec![Allow::Network { address: [192, 0, 2, 0].into(), prefix: 24 }];
    let mixed = [name("other", None), elsewhere.clone()].concat();
    for (allow, url, granted) in [
        (loopback(), server.url(), true),
        (loopback(), by_name.clone(), true),
        (name("localhost", None), by_name.clone(), true),
        (name("localhost", Some(port)), by_name.clone(), true),
        (name("localhost", Some(1)), by_name.clone(), false),
        (elsewhere.clone(), by_name.clone(), false),
        (elsewhere, server.url(), false),
        (mixed, by_name, false),
        (vec![], server.url(), false),
    ] {
        let before = server.log().len();
        let probed = run(async {
            let door = door(&allow);
            door.probe(&origin(&door, &url), "/", &[], LONG).await
        });
        match probed {
            Ok(_) => assert!(granted, "{allow:?} {url}"),
            Err(WireError::Forbidden { .. }) => {
                assert!(!granted, "{allow:?} {url}");
                assert_eq!(server.log().len(), before);
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn what_cannot_be_reached_says_why() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    run(async {
        let door = door(&[loopback(), name("no-such-host.invalid", None)].concat());
        let refused = door.probe(&origin(&door, &format!("http://{free}")), "/", &[], LONG).await;
        assert_eq!(refused, Err(WireError::Refused(free)));
        assert_eq!(door.reach("127.0.0.1", free.port(), LONG).await, Err(WireError::Refused(free)));
        let unknown = door.reach("no-such-host.invalid", 80, LONG).await;
        assert!(matches!(unknown, Err(WireError::Dns { .. })), "{unknown:?}");
    });
}

fn framing(seen: &Seen) -> Vec<Do> {
    let raw = |text: &str| Do::Send(text.as_bytes().to_vec());
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    match seen.path.as_str() {
        "/garbage" => vec![raw("EHLO what\r\n\r\n"), Do::Hang],
        "/close" => vec![Do::Close],
        "/reset" => vec![Do::Reset],
        "/half" => vec![raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"), Do::Close],
        "/half-head" => vec![raw("HTTP/1.1 200 OK\r\nconte"), Do::Close],
        "/half-chunk" => vec![raw(chunked), raw("5\r\nab"), Do::Close],
        "/bad-chunk" => vec![raw(chunked), raw("zz\r\n"), Do::Hang],
        "/two-lengths" => vec![raw("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"), Do::Hang],
        "/no-length" => vec![raw("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\nab"), Do::Hang],
        "/chunk" => {
            vec![raw(chunked), raw("3\r\none\r\n"), Do::Wait(Span::millis(5)), raw("4\r\n two\r\n0\r\nx: y\r\n\r\n")]
        }
        "/until-end" => vec![raw("HTTP/1.1 200 OK\r\n\r\nall "), Do::Wait(Span::millis(5)), raw("of it"), Do::Close],
        "/old" => vec![raw("HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nold"), Do::Hang],
        "/204" => vec![raw("HTTP/1.1 204 No Content\r\n\r\n")],
        "/304" => vec![raw("HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n")],
        "/continue" => vec![
            raw("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n"),
            raw("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
        ],
        "/bytes" => {
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".iter().map(|byte| Do::Send(vec![*byte])).collect()
        }
        "/echo" if seen.method == "HEAD" => vec![raw("HTTP/1.1 200 OK\r\ncontent-length: 44\r\n\r\n")],
        "/echo" => ok(&format!("{} {}", seen.method, seen.body)),
        _ => ok(&"x".repeat(300_000)),
    }
}

#[test]
fn both_speakers_read_the_same_answers() {
    let server = Scripted::start(framing);
    let large = "y".repeat(200_000);
    run(async {
        let door = door(&loopback());
        for hyper in SPEAKERS {
            let ask = async |path: &str| once(&door, &server, hyper, &get(path)).await;
            let body = |text: &str| Ok((200, text.to_owned(), text.len() as u64));
            for (path, error) in [
                ("/close", WireError::Closed),
                ("/reset", WireError::Reset),
                ("/half", WireError::Closed),
                ("/half-head", WireError::Closed),
                ("/half-chunk", WireError::Closed),
            ] {
                assert_eq!(ask(path).await, Err(error), "{path} {hyper}");
            }
            for path in ["/garbage", "/bad-chunk", "/two-lengths", "/no-length"] {
                let found = ask(path).await;
                assert!(matches!(found, Err(WireError::Protocol(_))), "{path} {hyper} {found:?}");
            }
            assert_eq!(ask("/chunk").await, body("one two"), "{hyper}");
            assert_eq!(ask("/until-end").await, body("all of it"), "{hyper}");
            assert_eq!(ask("/old").await, body("old"), "{hyper}");
            assert_eq!(ask("/continue").await, body("ok"), "{hyper}");
            assert_eq!(ask("/bytes").await, body("ok"), "{hyper}");
            assert_eq!(ask("/204").await, Ok((204, String::new(), 0)), "{hyper}");
            assert_eq!(ask("/304").await, Ok((304, String::new(), 0)), "{hyper}");
            assert_eq!(ask("/large").await, Ok((200, "x".repeat(64 * 1024), 300_000)), "{hyper}");
            let echoed = once(&door, &server, hyper, &request("POST", "/echo", "a b")).await;
            assert_eq!(echoed, body("POST a b"), "{hyper}");
            let echoed = once(&door, &server, hyper, &request("HEAD", "/echo", "")).await;
            assert_eq!(echoed, Ok((200, String::new(), 0)), "{hyper}");
            let echoed = once(&door, &server, hyper, &request("PUT", "/echo", &large)).await;
            assert_eq!(echoed.map(|(_, _, length)| length), Ok(200_004), "{hyper}");
        }
    });
}

#[test]
fn a_connection_is_kept_and_its_instants_are_in_order() {
    let server = Scripted::start(|seen| match seen.path.as_str() {
        "/slow" => {
            let text = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nsl".to_vec();
            vec![Do::Wait(Span::millis(30)), Do::Send(text), Do::Wait(Span::millis(30)), Do::Send(b"ow".to_vec())]
        }
        "/chunk" => {
            vec![Do::Send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n".to_vec())]
        }
        _ => ok("fine"),
    });
    run(async {
        let door = door(&loopback());
        for hyper in SPEAKERS {
            let mut buffer = Vec::new();
            let mut connection = connect(&door, &server, hyper).await;
            let before = door.clock().now();
            for (turn, path) in ["/", "/chunk", "/"].into_iter().enumerate() {
                assert!(connection.is_open());
                assert_eq!(connection.requests(), turn as u64);
                let answer = connection.exchange(&get(path), 2, &mut buffer).await.unwrap();
                assert_eq!((&buffer[answer.body], answer.length), (b"fi".as_slice(), 4));
                assert!(answer.head.headers(&buffer).iter().count() == 1);
            }
            let answer = connection.exchange(&get("/slow"), 100, &mut buffer).await.unwrap();
            assert!(before < answer.sent && answer.sent < answer.first && answer.first < answer.done);
            assert!(answer.first.since(answer.sent) >= Span::millis(25));
            assert!(answer.done.since(answer.first) >= Span::millis(25));
        }
    });
    let connections: std::collections::BTreeSet<u64> = server.log().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections.len(), 2);
}

#[test]
fn what_could_not_be_written_was_never_sent() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    run(async {
        let door = door(&loopback());
        let origin = origin(&door, &url);
        for hyper in SPEAKERS {
            let (mut connection, _) = speaking(&door, hyper).connect(&origin).await.unwrap();
            let (other, _) = listener.accept().unwrap();
            socket2::SockRef::from(&other).set_linger(Some(std::time::Duration::ZERO)).unwrap();
            // On loopback the reset is there as soon as the other end has let go.
            drop(other);
            let lost = connection.exchange(&get("/"), 0, &mut Vec::new()).await.unwrap_err();
            assert_eq!((lost.error, lost.sent), (WireError::Reset, None), "{hyper}");
            assert_eq!(connection.sent(), None, "{hyper}");
        }
    });
}

#[test]
fn a_connection_that_was_closed_meanwhile_is_seen_before_use() {
    let server = Scripted::start(|seen| match seen.path.as_str() {
        "/bye" => vec![answer(200, &[("connection", "close")], ""), Do::Hang],
        "/leave" => vec![answer(200, &[], ""), Do::Wait(Span::millis(10)), Do::Close],
        "/more" => vec![answer(200, &[], ""), Do::Wait(Span::millis(10)), answer(200, &[], ""), Do::Hang],
        "/stale" => vec![Do::Close],
        _ => ok(""),
    });
    run(async {
        let door = door(&loopback());
        for hyper in SPEAKERS {
            let mut buffer = Vec::new();
            let mut connection = connect(&door, &server, hyper).await;
            connection.exchange(&get("/bye"), 0, &mut buffer).await.unwrap();
            assert!(!connection.is_open());
            for path in ["/leave", "/more"] {
                let mut connection = connect(&door, &server, hyper).await;
                connection.exchange(&get(path), 0, &mut buffer).await.unwrap();
                let deadline = door.clock().now() + LONG;
                while connection.is_open() {
                    assert!(door.clock().now() < deadline, "never noticed");
                    door.clock().sleep(Span::millis(1)).await;
                }
            }
            let mut connection = connect(&door, &server, hyper).await;
            connection.exchange(&get("/"), 0, &mut buffer).await.unwrap();
            let lost = connection.exchange(&get("/stale"), 0, &mut buffer).await.unwrap_err();
            assert_eq!(lost.error, WireError::Stale);
            assert!(lost.sent.is_some());
            assert!(!connection.is_open());
            let again = connection.exchange(&get("/"), 0, &mut buffer).await.unwrap_err();
            assert!(matches!(again.error, WireError::Closed | WireError::Stale), "{:?}", again.error);
        }
    });
}

#[test]
fn connections_are_spread_over_the_addresses_of_a_name_and_pass_by_the_dead() {
    let first = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = first.local_addr().unwrap().port();
    let second = std::net::TcpListener::bind(("127.0.0.2", port)).unwrap();
    for listener in [&first, &second] {
        listener.set_nonblocking(true).unwrap();
    }
    run(async {
        let door = door(&[loopback(), name("shop.test", None)].concat());
        let target = |address: [u8; 4]| std::net::SocketAddr::from((address, port));
        door.know("shop.test", port, &[target([127, 0, 0, 1]), target([127, 0, 0, 2])]);
        let origin = origin(&door, &format!("http://shop.test:{port}"));
        for _ in 0..3 {
            let _both = (door.connect(&origin).await.unwrap(), door.connect(&origin).await.unwrap());
            assert!(first.accept().is_ok() && second.accept().is_ok(), "each has one of two");
        }
        drop(second);
        for _ in 0..4 {
            door.connect(&origin).await.unwrap();
        }
        assert_eq!((0..5).take_while(|_| first.accept().is_ok()).count(), 4);
    });
}

#[test]
#[allow(clippy::print_stderr)] // A skipped test says so.
fn an_address_of_ipv6_is_reached_like_any_other() {
    let Ok(listener) = std::net::TcpListener::bind("[::1]:0") else {
        assert!(std::env::var_os("CI").is_none(), "this machine has no IPv6");
        eprintln!("SKIPPED: this machine has no IPv6");
        return;
    };
    let server = Scripted::start_on(listener, |_| ok("six"));
    let allow = vec![Allow::Network { address: std::net::Ipv6Addr::LOCALHOST.into(), prefix: 128 }];
    run(async {
        let door = door(&allow);
        let origin = origin(&door, &server.url());
        assert_eq!(door.probe(&origin, "/", &[], LONG).await.unwrap().body, "six");
        let outside = self::door(&loopback());
        assert!(matches!(outside.probe(&origin, "/", &[], LONG).await, Err(WireError::Forbidden { .. })));
    });
    assert!(server.url().starts_with("http://[::1]:"));
    assert_eq!(server.log()[0].header("host"), Some(server.address.to_string().as_str()));
}

#[test]
fn a_unix_socket_is_reached_when_it_is_allowed_by_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let serving = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        let mut seen = Vec::new();
        let mut buffer = [0; 1024];
        while !seen.ends_with(b"\r\n\r\n") {
            match stream.read(&mut buffer).unwrap() {
                0 => break,
                read => seen.extend_from_slice(&buffer[..read]),
            }
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nlocal").unwrap();
        String::from_utf8(seen).unwrap()
    });
    let path = path.to_str().unwrap();
    let socket = |path: &str| vec![Allow::Socket { path: path.to_owned() }];
    run(async {
        let url = format!("unix:{path}");
        for allow in [loopback(), socket("/elsewhere"), socket(&format!("{path}x"))] {
            let door = door(&allow);
            let refused = door.probe(&origin(&door, &url), "/", &[], LONG).await;
            assert_eq!(refused, Err(WireError::ForbiddenSocket(std::path::Path::new(path).into())));
        }
        let door = door(&socket(path));
        assert_eq!(door.probe(&origin(&door, &url), "/a", &[], LONG).await.unwrap().body, "local");
    });
    let seen = serving.join().unwrap();
    assert!(seen.starts_with("GET /a HTTP/1.1\r\n") && seen.contains("host: localhost\r\n"), "{seen}");
    run(async {
        let gone = format!("{path}.gone");
        let door = door(&socket(&gone));
        let refused = door.probe(&origin(&door, &format!("unix:{gone}")), "/", &[], LONG).await;
        assert!(matches!(refused, Err(WireError::Socket { .. })), "{refused:?}");
    });
}

/// A server that answers one request with `size` bytes, with little room for what the other end does not read. Gives how
/// long its writes took.
fn writes(listener: std::net::TcpListener, size: usize) -> std::thread::JoinHandle<Span> {
    use std::io::{Read, Write};
    std::thread::spawn(move || {
        let (mut tcp, _) = listener.accept().unwrap();
        socket2::SockRef::from(&tcp).set_send_buffer_size(4096).unwrap();
        let mut request = [0; 4096];
        assert!(tcp.read(&mut request).unwrap() > 0);
        let clock = Clock::start();
        write!(tcp, "HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n").unwrap();
        for _ in 0..size / 1000 {
            tcp.write_all(&[b'x'; 1000]).unwrap();
        }
        let took = clock.now().since(At::START);
        // Until the other end goes: nothing is lost by a close.
        let _ = tcp.read(&mut request);
        took
    })
}

#[test]
fn who_reads_slowly_is_felt_by_the_server() {
    const SIZE: usize = 100_000;
    // What the two ends keep, of what the server has written and nobody has read, as the kernel doubles it.
    const KEPT: usize = 2 * (10_000 + 4_096) + 8_192;
    for hyper in SPEAKERS {
        let rate = Flow(100_000);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = writes(listener, SIZE);
        let (answer, kept) = run(async {
            let door = speaking(&door(&loopback()), hyper);
            let (mut connection, _) = door.connect_reading(&origin(&door, &url), Some(rate)).await.unwrap();
            let mut buffer = Vec::new();
            let answer = connection.exchange(&get("/"), 10, &mut buffer).await.unwrap();
            (answer.clone(), buffer[answer.body].to_vec())
        });
        assert_eq!((answer.length, kept.as_slice()), (SIZE as u64, b"xxxxxxxxxx".as_slice()), "{hyper}");
        let took = answer.done.since(answer.sent);
        assert!(took >= rate.time_of(Size(SIZE as u64)).saturating_sub(Span::millis(40)), "{hyper}: {took}");
        let wrote = server.join().unwrap();
        assert!(wrote >= rate.time_of(Size((SIZE - KEPT) as u64)), "{hyper}: the server wrote for {wrote} only");
    }
}

#[test]
fn who_reads_slowly_sees_a_connection_that_was_closed() {
    let server = Scripted::start(|_| vec![answer(200, &[], "fine"), Do::Wait(Span::millis(10)), Do::Close]);
    run(async {
        for hyper in SPEAKERS {
            let door = speaking(&door(&loopback()), hyper);
            let made = door.connect_reading(&origin(&door, &server.url()), Some(Flow(1_000))).await;
            let (mut connection, _) = made.unwrap();
            connection.exchange(&get("/"), 0, &mut Vec::new()).await.unwrap();
            let deadline = door.clock().now() + LONG;
            while connection.is_open() {
                assert!(door.clock().now() < deadline, "never noticed");
                door.clock().sleep(Span::millis(1)).await;
            }
        }
    });
}
