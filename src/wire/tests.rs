use std::path::Path;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use super::scripted::{Do, Scripted, answer, ok};
use super::{Connection, Door, Origin, WireError};
use crate::base::clock::Clock;
use crate::base::units::Span;
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

fn get(path: &str) -> Request<Full<Bytes>> {
    Request::get(path).header("host", "x").body(Full::default()).unwrap()
}

async fn connect(door: &Door, server: &Scripted) -> Connection {
    door.connect(&origin(door, &server.url())).await.unwrap().0
}

#[test]
fn a_probe_brings_status_and_body() {
    let server = Scripted::start(|seen| match seen.path.as_str() {
        "/base/healthz" => ok("fine"),
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

#[test]
fn broken_answers_are_told_apart() {
    let server = Scripted::start(|seen| match seen.path.as_str() {
        "/garbage" => vec![Do::Send(b"EHLO what\r\n\r\n".to_vec()), Do::Hang],
        "/close" => vec![Do::Close],
        "/reset" => vec![Do::Reset],
        "/half" => vec![Do::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec()), Do::Close],
        "/half-head" => vec![Do::Send(b"HTTP/1.1 200 OK\r\nconte".to_vec()), Do::Close],
        "/hang" => vec![Do::Hang],
        "/chunk" => vec![
            Do::Send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n".to_vec()),
            Do::Wait(Span::millis(5)),
            Do::Send(b"4\r\n two\r\n0\r\n\r\n".to_vec()),
        ],
        "/bad-chunk" => vec![Do::Send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_vec())],
        "/until-end" => vec![Do::Send(b"HTTP/1.1 200 OK\r\n\r\nall of it".to_vec()), Do::Close],
        "/204" => vec![Do::Send(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())],
        _ => ok(&"x".repeat(300_000)),
    });
    run(async {
        let door = door(&loopback());
        let at = origin(&door, &server.url());
        let probe = async |path: &str| door.probe(&at, path, &[], LONG).await;
        assert!(matches!(probe("/garbage").await, Err(WireError::Protocol(_))));
        assert_eq!(probe("/close").await, Err(WireError::Closed));
        assert_eq!(probe("/reset").await, Err(WireError::Reset));
        assert_eq!(probe("/half").await, Err(WireError::Closed));
        assert_eq!(probe("/half-head").await, Err(WireError::Closed));
        assert!(matches!(probe("/bad-chunk").await, Err(WireError::Protocol(_) | WireError::Broken(_))));
        assert_eq!(probe("/chunk").await.unwrap().body, "one two");
        assert_eq!(probe("/until-end").await.unwrap().body, "all of it");
        assert_eq!(probe("/204").await.unwrap().status, 204);
        assert_eq!(probe("/large").await.unwrap().body.len(), 64 * 1024);
        let short = Span::millis(20);
        assert_eq!(door.probe(&at, "/hang", &[], short).await, Err(WireError::Timeout(short)));
    });
}

#[test]
fn a_connection_is_kept_and_its_instants_are_in_order() {
    let server = Scripted::start(|seen| match seen.path.as_str() {
        "/slow" => {
            let text = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nsl".to_vec();
            vec![Do::Wait(Span::millis(30)), Do::Send(text), Do::Wait(Span::millis(30)), Do::Send(b"ow".to_vec())]
        }
        _ => ok("fine"),
    });
    run(async {
        let door = door(&loopback());
        let mut connection = connect(&door, &server).await;
        let before = door.clock().now();
        for turn in 0..3 {
            assert!(connection.is_open());
            assert_eq!(connection.requests(), turn);
            let answer = connection.exchange(get("/"), 2).await.unwrap();
            assert_eq!((answer.body.as_ref(), answer.length), (b"fi".as_slice(), 4));
        }
        let answer = connection.exchange(get("/slow"), 100).await.unwrap();
        assert!(before < answer.sent && answer.sent < answer.first && answer.first < answer.done);
        assert!(answer.first.since(answer.sent) >= Span::millis(25));
        assert!(answer.done.since(answer.first) >= Span::millis(25));
    });
    assert!(server.log().iter().all(|seen| seen.connection == 0));
}

#[test]
fn a_connection_that_was_closed_meanwhile_is_seen_before_use() {
    let server = Scripted::start(|seen| match seen.path.as_str() {
        "/bye" => vec![answer(200, &[("connection", "close")], ""), Do::Close],
        "/leave" => vec![answer(200, &[], ""), Do::Wait(Span::millis(10)), Do::Close],
        "/stale" => vec![Do::Close],
        _ => ok(""),
    });
    run(async {
        let door = door(&loopback());
        let mut connection = connect(&door, &server).await;
        connection.exchange(get("/bye"), 0).await.unwrap();
        assert!(!connection.is_open());
        let mut connection = connect(&door, &server).await;
        connection.exchange(get("/leave"), 0).await.unwrap();
        let deadline = door.clock().now() + LONG;
        while connection.is_open() {
            assert!(door.clock().now() < deadline, "never noticed");
            door.clock().sleep(Span::millis(1)).await;
        }
        let mut connection = connect(&door, &server).await;
        connection.exchange(get("/"), 0).await.unwrap();
        let lost = connection.exchange(get("/stale"), 0).await.unwrap_err();
        assert_eq!(lost.error, WireError::Stale);
        assert!(lost.sent.is_some());
        assert!(!connection.is_open());
    });
}
