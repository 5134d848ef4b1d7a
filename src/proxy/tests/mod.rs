use std::future::Future;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::LocalSet;

use super::hub::{Cleared, Hub};
use super::link::Link;
use super::live::Bite;
use super::message::{Wanted, Way};
use crate::base::clock::Clock;
use crate::base::units::{Flow, Share, Size, Span};
use crate::plan::{Direction, Flaw, FlawKind, Only, Protocol, Spread};

mod http2;

const PATIENCE: Span = Span::seconds(20);

/// A hub with one link to a server of the test's own.
struct Scene {
    clock: Clock,
    hub: Hub,
    link: Rc<Link>,
    bites: UnboundedReceiver<Bite>,
}

fn play<F: Future<Output = ()>>(
    protocol: Protocol,
    serve: fn(TcpStream) -> ServeFuture,
    play: impl FnOnce(Scene) -> F,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async move {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let to = vec![listener.local_addr().unwrap()];
        tokio::task::spawn_local(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::task::spawn_local(serve(stream));
            }
        });
        let clock = Clock::start();
        let (tell, bites) = unbounded_channel();
        let hub = Hub::new(&clock, tell).unwrap();
        let link = hub.open(Way { at: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), to, protocol }).unwrap();
        let scene = Scene { clock: clock.clone(), hub, link, bites };
        clock.timeout(PATIENCE, play(scene)).await.expect("the test hangs");
    });
}

type ServeFuture = std::pin::Pin<Box<dyn Future<Output = ()>>>;

/// Sends back what comes, and ends when that ends.
fn echo(mut stream: TcpStream) -> ServeFuture {
    Box::pin(async move {
        let (mut read, mut write) = stream.split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
    })
}

/// Answers each request on a connection with its own path, and keeps the connection.
fn http(mut stream: TcpStream) -> ServeFuture {
    Box::pin(async move {
        let mut have = Vec::new();
        loop {
            let Some(end) = have.windows(4).position(|four| four == b"\r\n\r\n") else {
                match stream.read_buf(&mut have).await {
                    Ok(1..) => continue,
                    _ => return,
                }
            };
            let head = String::from_utf8(have.drain(..end + 4).collect()).unwrap();
            let path = head.split(' ').nth(1).unwrap().to_owned();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{path}", path.len());
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    })
}

impl Scene {
    async fn dial(&self) -> TcpStream {
        TcpStream::connect(self.link.at()).await.unwrap()
    }

    async fn set(&self, id: u64, flaw: Flaw) {
        let failed = self.hub.set(vec![Wanted { id, link: 0, flaw, number: id as u32 }], 618).await;
        assert!(failed.is_empty(), "{failed:?}");
    }

    async fn clear(&self, id: u64) -> Cleared {
        self.hub.clear(&[id]).await.remove(0).1.unwrap()
    }
}

fn flaw(kind: FlawKind) -> Flaw {
    Flaw { kind, direction: Direction::Both, share: Share(1.0), only: Only::default() }
}

fn delay(millis: u64) -> FlawKind {
    FlawKind::Delay { latency: Span::millis(millis), jitter: Span::ZERO, spread: Spread::Uniform }
}

fn noise(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31 % 251) as u8).collect()
}

async fn round(stream: &mut TcpStream, text: &[u8]) -> Vec<u8> {
    stream.write_all(text).await.unwrap();
    let mut back = vec![0; text.len()];
    stream.read_exact(&mut back).await.unwrap();
    back
}

/// Writes all of it, ends, and reads to the end.
async fn through(stream: TcpStream, text: Vec<u8>) -> std::io::Result<Vec<u8>> {
    let (mut read, mut write) = stream.into_split();
    let writes = tokio::task::spawn_local(async move {
        let _ = write.write_all(&text).await;
        let _ = write.shutdown().await;
        write
    });
    let mut back = Vec::new();
    let done = read.read_to_end(&mut back).await;
    drop(writes.await);
    done.map(|_| back)
}

async fn get(stream: &mut TcpStream, path: &str) -> (u16, String) {
    ask(stream, "GET", path).await.unwrap()
}

async fn ask(stream: &mut TcpStream, method: &str, path: &str) -> std::io::Result<(u16, String)> {
    stream.write_all(format!("{method} {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await?;
    let mut have = Vec::new();
    let end = loop {
        if let Some(end) = have.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut have).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    };
    let head = String::from_utf8(have.drain(..end).collect()).unwrap();
    let length =
        head.to_ascii_lowercase().split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse::<usize>();
    let length = if method == "HEAD" { 0 } else { length.unwrap() };
    while have.len() < length {
        assert!(stream.read_buf(&mut have).await? > 0);
    }
    assert_eq!(have.len(), length, "no more than the answer");
    Ok((head.split(' ').nth(1).unwrap().parse().unwrap(), String::from_utf8(have).unwrap()))
}

#[test]
fn a_link_without_flaws_passes_everything_and_each_side_ends_by_itself() {
    for protocol in [Protocol::Tcp, Protocol::Http, Protocol::Tls] {
        play(protocol, echo, |mut scene| async move {
            let text = noise(3_000_000);
            assert!(through(scene.dial().await, text.clone()).await.unwrap() == text);
            assert!(scene.bites.try_recv().is_err());
        });
    }
}

#[test]
fn a_delay_bites_what_comes_while_it_is_in_force_and_nothing_after() {
    play(Protocol::Tcp, echo, |mut scene| async move {
        let mut stream = scene.dial().await;
        round(&mut stream, b"before").await;
        scene.set(1, flaw(delay(60))).await;
        assert!(scene.bites.try_recv().is_err(), "nothing has passed yet");
        let from = scene.clock.now();
        assert_eq!(round(&mut stream, b"during").await, b"during");
        // Once in each direction.
        assert!(scene.clock.now().since(from) >= Span::millis(120));
        let bite = scene.bites.recv().await.unwrap();
        assert!(bite.id == 1 && bite.at >= from && bite.at < from + Span::millis(60));
        assert_eq!(scene.clear(1).await.bites, 2);
        let from = scene.clock.now();
        round(&mut stream, b"after").await;
        assert!(scene.clock.now().since(from) < Span::millis(60));
    });
}

#[test]
fn what_a_flaw_held_back_passes_when_it_ends_all_of_it_and_in_order() {
    for kind in [FlawKind::Hang { close: None }, delay(3_600_000), FlawKind::Throttle { rate: Flow(1) }] {
        play(Protocol::Tcp, echo, |scene| async move {
            let stream = scene.dial().await;
            scene.set(1, flaw(kind)).await;
            let text = noise(200_000);
            let passes = tokio::task::spawn_local(through(stream, text.clone()));
            while scene.hub.held(1) == 0 {
                tokio::task::yield_now().await;
            }
            assert!(!passes.is_finished());
            let gone = scene.clear(1).await;
            assert!(gone.bites > 0);
            assert!(passes.await.unwrap().unwrap() == text);
        });
    }
}

#[test]
fn a_throttle_lets_so_much_through_in_a_second() {
    play(Protocol::Tcp, echo, |mut scene| async move {
        scene.set(1, Flaw { direction: Direction::Up, ..flaw(FlawKind::Throttle { rate: Flow(500_000) }) }).await;
        let from = scene.clock.now();
        let text = noise(100_000);
        assert!(through(scene.dial().await, text.clone()).await.unwrap() == text);
        assert!(scene.clock.now().since(from) >= Span::millis(199));
        assert!(scene.bites.recv().await.is_some());
    });
}

#[test]
fn pieces_are_small_and_nothing_is_lost() {
    play(Protocol::Tcp, echo, |scene| async move {
        let kind = FlawKind::Slice { size: Size(100), vary: Size(50), pause: Span::micros(10) };
        scene.set(1, Flaw { direction: Direction::Down, ..flaw(kind) }).await;
        let text = noise(20_000);
        assert!(through(scene.dial().await, text.clone()).await.unwrap() == text);
        let bites = scene.clear(1).await.bites;
        assert!((133..400).contains(&bites), "{bites} pieces");
    });
}

#[test]
fn a_connection_is_closed_after_exactly_so_many_bytes() {
    play(Protocol::Tcp, echo, |scene| async move {
        scene.set(1, Flaw { direction: Direction::Down, ..flaw(FlawKind::CloseAfter { bytes: Size(1_000) }) }).await;
        for _ in 0..3 {
            let back = through(scene.dial().await, noise(5_000)).await.unwrap_or_else(|_| noise(1_000));
            assert!(back == noise(1_000), "{} bytes", back.len());
        }
        assert_eq!(scene.clear(1).await.bites, 3);
    });
}

#[test]
fn refusing_resets_who_is_there_and_lets_nobody_in_until_it_ends() {
    play(Protocol::Tcp, echo, |mut scene| async move {
        let mut there = scene.dial().await;
        round(&mut there, b"hello").await;
        scene.set(1, flaw(FlawKind::Refuse)).await;
        assert_eq!(scene.bites.recv().await.unwrap().id, 1);
        assert_eq!(there.read(&mut [0; 8]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        let refused = TcpStream::connect(scene.link.at()).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        scene.clear(1).await;
        assert_eq!(round(&mut scene.dial().await, b"again").await, b"again");
    });
}

#[test]
fn connections_are_reset_and_hanging_ones_closed_in_time() {
    play(Protocol::Tcp, echo, |scene| async move {
        let mut there = scene.dial().await;
        round(&mut there, b"hello").await;
        let from = scene.clock.now();
        scene.set(1, flaw(FlawKind::Reset { after: Span::millis(50) })).await;
        assert_eq!(there.read(&mut [0; 8]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert!(scene.clock.now().since(from) >= Span::millis(50));
        assert!(scene.clear(1).await.bites > 0);

        let mut there = scene.dial().await;
        round(&mut there, b"hello").await;
        scene.set(2, flaw(FlawKind::Hang { close: Some(Span::millis(50)) })).await;
        there.write_all(b"lost").await.unwrap();
        let read = there.read(&mut [0; 8]).await;
        assert!(matches!(read, Ok(0)) || read.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
        assert!(scene.clear(2).await.bites > 0);
    });
}

#[test]
fn one_bit_of_each_packet_is_wrong() {
    play(Protocol::Tcp, echo, |scene| async move {
        scene.set(1, Flaw { direction: Direction::Up, ..flaw(FlawKind::Corrupt) }).await;
        let text = noise(50_000);
        let back = through(scene.dial().await, text.clone()).await.unwrap();
        assert_eq!(back.len(), text.len());
        let wrong: u32 = text.iter().zip(&back).map(|(sent, came)| (sent ^ came).count_ones()).sum();
        assert_eq!(u64::from(wrong), scene.clear(1).await.bites);
        assert!(wrong >= 35, "{wrong}");
    });
}

#[test]
fn the_end_of_a_connection_comes_late() {
    play(Protocol::Tcp, echo, |scene| async move {
        scene.set(1, Flaw { direction: Direction::Up, ..flaw(FlawKind::SlowClose { delay: Span::millis(80) }) }).await;
        let from = scene.clock.now();
        assert_eq!(through(scene.dial().await, b"hello".to_vec()).await.unwrap(), b"hello");
        assert!(scene.clock.now().since(from) >= Span::millis(80));
        assert_eq!(scene.clear(1).await.bites, 1);
    });
}

#[test]
fn a_share_of_connections_is_drawn_by_the_seed() {
    let mut seen = Vec::new();
    for _ in 0..2 {
        let (tell, told) = std::sync::mpsc::channel();
        play(Protocol::Tcp, echo, |scene| async move {
            scene.set(3, Flaw { share: Share(0.3), ..flaw(FlawKind::Hang { close: Some(Span::millis(5)) }) }).await;
            let mut hit = Vec::new();
            for _ in 0..60 {
                let back = through(scene.dial().await, b"x".to_vec()).await;
                hit.push(!back.is_ok_and(|back| back == b"x"));
            }
            tell.send(hit).unwrap();
        });
        seen.push(told.recv().unwrap());
    }
    assert_eq!(seen[0], seen[1]);
    let hits = seen[0].iter().filter(|hit| **hit).count();
    assert!((8..30).contains(&hits), "{hits} of 60");
}

#[test]
fn of_requests_only_those_meant_are_answered_by_the_proxy() {
    play(Protocol::Http, http, |mut scene| async move {
        let kind =
            FlawKind::Respond { status: 503, headers: vec![("retry-after".into(), "1".into())], body: "busy".into() };
        let only = Only { methods: vec!["GET".into()], paths: vec!["/pay/*".into()], first: None, every: Some(2) };
        let mut stream = scene.dial().await;
        assert_eq!(get(&mut stream, "/pay/0").await, (200, "/pay/0".into()));
        scene.set(1, Flaw { only, ..flaw(kind.clone()) }).await;
        for (path, status) in [("/pay/1", 200), ("/stock", 200), ("/pay/2", 503), ("/pay/3", 200), ("/pay/4?x=1", 503)]
        {
            let (found, body) = get(&mut stream, path).await;
            assert_eq!((found, body.as_str()), (status, if status == 503 { "busy" } else { path }));
        }
        assert_eq!(scene.bites.recv().await.unwrap().id, 1);
        assert_eq!(scene.clear(1).await.bites, 2);
        assert_eq!(get(&mut stream, "/pay/6").await.0, 200);

        scene.set(2, Flaw { only: Only { first: Some(2), ..Only::default() }, ..flaw(kind) }).await;
        let mut found = Vec::new();
        for _ in 0..4 {
            found.push(get(&mut stream, "/x").await.0);
        }
        assert_eq!(found, [503, 503, 200, 200]);
        scene.clear(2).await;
    });
}

#[test]
fn an_answer_of_the_proxy_to_a_head_has_no_body_and_the_connection_goes_on() {
    play(Protocol::Http, http, |scene| async move {
        let kind = FlawKind::Respond { status: 418, headers: Vec::new(), body: "teapot".into() };
        scene.set(1, Flaw { only: Only { methods: vec!["head".into()], ..Only::default() }, ..flaw(kind) }).await;
        let mut stream = scene.dial().await;
        assert_eq!(ask(&mut stream, "HEAD", "/a").await.unwrap(), (418, String::new()));
        assert_eq!(get(&mut stream, "/b").await, (200, "/b".into()));
    });
}

#[test]
fn pipelined_requests_are_answered_in_their_order_whoever_answers() {
    play(Protocol::Http, http, |scene| async move {
        let kind = FlawKind::Respond { status: 500, headers: Vec::new(), body: "no".into() };
        scene.set(1, Flaw { only: Only { paths: vec!["/bad".into()], ..Only::default() }, ..flaw(kind) }).await;
        let mut stream = scene.dial().await;
        let asked = ["/a", "/bad", "/b", "/bad", "/bad", "/c"];
        let text: String = asked.iter().map(|path| format!("GET {path} HTTP/1.1\r\n\r\n")).collect();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut all = String::new();
        stream.read_to_string(&mut all).await.unwrap();
        let found: Vec<&str> =
            all.split("HTTP/1.1 ").skip(1).map(|answer| answer.split("\r\n\r\n").nth(1).unwrap()).collect();
        assert_eq!(found, ["/a", "no", "/b", "no", "no", "/c"]);
    });
}

#[test]
fn a_request_has_a_fate_of_its_own_on_a_connection_that_goes_on() {
    play(Protocol::Http, http, |scene| async move {
        let slow = Only { paths: vec!["/slow/**".into()], ..Only::default() };
        scene.set(1, Flaw { only: slow, direction: Direction::Down, ..flaw(delay(80)) }).await;
        let mut stream = scene.dial().await;
        for (path, late) in [("/slow/1", true), ("/quick", false), ("/slow/2/3", true), ("/quick", false)] {
            let from = scene.clock.now();
            assert_eq!(get(&mut stream, path).await, (200, path.into()));
            assert_eq!(scene.clock.now().since(from) >= Span::millis(80), late, "{path}");
        }
        assert_eq!(scene.clear(1).await.bites, 2);

        let only = Only { paths: vec!["/die".into()], ..Only::default() };
        scene.set(2, Flaw { only, ..flaw(FlawKind::Reset { after: Span::ZERO }) }).await;
        assert_eq!(get(&mut stream, "/live").await.0, 200);
        assert!(ask(&mut stream, "GET", "/die").await.is_err());
    });
}

#[test]
fn flaws_on_one_link_add_up() {
    play(Protocol::Http, http, |scene| async move {
        scene.set(1, Flaw { direction: Direction::Down, ..flaw(delay(40)) }).await;
        scene.set(2, Flaw { direction: Direction::Down, ..flaw(delay(50)) }).await;
        let kind = FlawKind::Respond { status: 503, headers: Vec::new(), body: String::new() };
        scene.set(3, Flaw { only: Only { paths: vec!["/no".into()], ..Only::default() }, ..flaw(kind) }).await;
        let mut stream = scene.dial().await;
        for (path, status) in [("/yes", 200), ("/no", 503)] {
            let from = scene.clock.now();
            assert_eq!(get(&mut stream, path).await.0, status);
            assert!(scene.clock.now().since(from) >= Span::millis(90), "{path}");
        }
        assert_eq!(scene.clear(1).await.bites, 2);
        assert_eq!(scene.clear(2).await.bites, 2);
        assert_eq!(scene.clear(3).await.bites, 1);
    });
}

#[test]
fn who_cannot_be_reached_looks_like_one_who_is_not_there() {
    play(Protocol::Tcp, echo, |scene| async move {
        let nobody = {
            let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            gone.local_addr().unwrap()
        };
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let link = scene.hub.open(Way { at, to: vec![nobody], protocol: Protocol::Tcp }).unwrap();
        let mut stream = TcpStream::connect(link.at()).await.unwrap();
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    });
}
