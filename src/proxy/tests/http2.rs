use std::cell::{Cell, RefCell};

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Reason, RecvStream};
use http::{HeaderMap, Method, Request, Response};
use tokio::task::{JoinHandle, spawn_local};

use super::*;

thread_local! {
    static GIVEN_UP: Cell<Option<Reason>> = const { Cell::new(None) };
}

/// Sends back each body as it comes, and in trailers its length and what the trailers of the request said. `/bare` is answered by a head
/// alone, `/wait` never.
fn serve(stream: TcpStream) -> ServeFuture {
    Box::pin(async move {
        let Ok(mut connection) = h2::server::handshake(stream).await else { return };
        while let Some(Ok((request, mut reply))) = connection.accept().await {
            drop(spawn_local(async move {
                let path = request.uri().path().to_owned();
                if path == "/wait" {
                    let reset = std::future::poll_fn(|context| reply.poll_reset(context)).await;
                    GIVEN_UP.set(reset.ok());
                    return Ok(());
                }
                let head = Response::builder().status(200).header("x-path", &path).body(()).unwrap();
                let mut sends = reply.send_response(head, path == "/bare")?;
                if path == "/bare" {
                    return Ok(());
                }
                let mut body = request.into_body();
                let mut size = 0;
                while let Some(data) = body.data().await {
                    let data = data?;
                    size += data.len();
                    body.flow_control().release_capacity(data.len())?;
                    send(&mut sends, data).await?;
                }
                let said = body.trailers().await?.unwrap_or_default();
                let mut trailers = HeaderMap::new();
                trailers.insert("x-size", size.into());
                if let Some(said) = said.get("x-said") {
                    trailers.insert("x-said", said.clone());
                }
                sends.send_trailers(trailers)
            }));
        }
    })
}

async fn send(to: &mut h2::SendStream<Bytes>, mut data: Bytes) -> Result<(), h2::Error> {
    while !data.is_empty() {
        to.reserve_capacity(data.len());
        if to.capacity() == 0 {
            match std::future::poll_fn(|context| to.poll_capacity(context)).await {
                Some(capacity) => drop(capacity?),
                None => return Err(Reason::CANCEL.into()),
            }
        }
        let size = to.capacity().min(data.len());
        to.send_data(data.split_to(size), false)?;
    }
    Ok(())
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    trailers: HeaderMap,
}

/// A client on a connection of its own; and that connection.
async fn client(scene: &Scene) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
    let (send, connection) = h2::client::handshake(scene.dial().await).await.unwrap();
    (send, spawn_local(connection))
}

async fn ask(client: &SendRequest<Bytes>, method: Method, path: &str, body: Vec<u8>) -> Result<Answer, h2::Error> {
    let mut client = client.clone().ready().await?;
    let request = Request::builder().method(method).uri(format!("http://shop{path}")).body(()).unwrap();
    let (response, mut sends) = client.send_request(request, body.is_empty())?;
    if !body.is_empty() {
        let writes = async {
            send(&mut sends, Bytes::from(body)).await?;
            sends.send_trailers(HeaderMap::from_iter([("x-said".parse().unwrap(), "all".parse().unwrap())]))
        };
        let (written, answer) = tokio::join!(writes, async { take(response.await?).await });
        written?;
        return answer;
    }
    take(response.await?).await
}

async fn take(response: Response<RecvStream>) -> Result<Answer, h2::Error> {
    let (head, mut from) = response.into_parts();
    let mut body = Vec::new();
    while let Some(data) = from.data().await {
        let data = data?;
        from.flow_control().release_capacity(data.len())?;
        body.extend_from_slice(&data);
    }
    let trailers = from.trailers().await?.unwrap_or_default();
    Ok(Answer { status: head.status.as_u16(), headers: head.headers, body, trailers })
}

fn respond(status: u16) -> FlawKind {
    let headers = vec![("Retry-After".to_owned(), "1".to_owned()), ("Connection".to_owned(), "close".to_owned())];
    FlawKind::Respond { status, headers, body: r#"{"why":"drill"}"#.to_owned() }
}

fn only(paths: &[&str], first: Option<u64>, every: Option<u64>) -> Only {
    Only { methods: Vec::new(), paths: paths.iter().map(|path| (*path).to_owned()).collect(), first, every }
}

#[test]
fn requests_pass_beside_each_other_with_their_bodies_and_trailers() {
    play(Protocol::Http, serve, async |scene| {
        let (client, _connection) = client(&scene).await;
        let asks: Vec<_> = (0..20)
            .map(|index| {
                let client = client.clone();
                spawn_local(
                    async move { ask(&client, Method::POST, &format!("/{index}"), noise(300_000 + index)).await },
                )
            })
            .collect();
        for (index, asks) in asks.into_iter().enumerate() {
            let answer = asks.await.unwrap().unwrap();
            assert_eq!(answer.headers["x-path"], format!("/{index}"));
            assert!(answer.body == noise(300_000 + index), "{index}");
            assert_eq!(answer.trailers["x-size"], (300_000 + index).to_string());
            assert_eq!(answer.trailers["x-said"], "all");
        }
        // Whoever speaks gRPC tells an answer that is a head alone from one whose body is empty.
        let mut ready = client.clone().ready().await.unwrap();
        let request = Request::get("http://shop/bare").body(()).unwrap();
        let answer = ready.send_request(request, true).unwrap().0.await.unwrap();
        assert!(answer.body().is_end_stream());
    });
}

#[test]
fn of_requests_only_those_meant_are_answered_by_the_proxy() {
    play(Protocol::Http, serve, async |scene| {
        let (client, _connection) = client(&scene).await;
        scene.set(1, Flaw { only: only(&["/orders/*"], Some(2), None), ..flaw(respond(503)) }).await;
        let mut statuses = Vec::new();
        for path in ["/carts/1", "/orders/1", "/orders/2?page=1", "/orders/3"] {
            statuses.push(ask(&client, Method::GET, path, Vec::new()).await.unwrap().status);
        }
        assert_eq!(statuses, [200, 503, 503, 200]);
        assert_eq!(scene.clear(1).await.bites, 2);

        scene.set(2, Flaw { only: only(&[], None, Some(3)), ..flaw(respond(429)) }).await;
        let mut statuses = Vec::new();
        for index in 0..6 {
            // The body of one that is answered here goes nowhere.
            let answer = ask(&client, Method::POST, "/", noise(10)).await.unwrap();
            statuses.push(answer.status);
            if index == 2 {
                assert_eq!(
                    (answer.body.as_slice(), &answer.headers["retry-after"]),
                    (&br#"{"why":"drill"}"#[..], &"1".parse().unwrap())
                );
                assert_eq!(
                    (answer.headers["content-length"].as_bytes(), answer.headers.get("connection")),
                    (&b"15"[..], None)
                );
            }
        }
        assert_eq!(statuses, [200, 200, 429, 200, 200, 429]);
        let answer = ask(&client, Method::HEAD, "/", Vec::new()).await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, 0));
        assert_eq!(scene.clear(2).await.bites, 2);
    });
}

#[test]
fn the_seed_draws_the_same_requests_as_on_http1() {
    let drawn = |serve: fn(TcpStream) -> ServeFuture, is_http2: bool| {
        let drawn = Rc::new(RefCell::new(Vec::new()));
        let tell = drawn.clone();
        play(Protocol::Http, serve, async move |scene| {
            scene.set(7, Flaw { share: Share(0.3), ..flaw(respond(503)) }).await;
            let mut plain = scene.dial().await;
            let http2 = if is_http2 { Some(client(&scene).await.0) } else { None };
            for _ in 0..100 {
                let status = match &http2 {
                    Some(client) => ask(client, Method::GET, "/", Vec::new()).await.unwrap().status,
                    None => get(&mut plain, "/").await.0,
                };
                tell.borrow_mut().push(status);
            }
        });
        drawn.take()
    };
    let found = drawn(serve, true);
    assert_eq!(found, drawn(http, false));
    assert!((15..45).contains(&found.iter().filter(|status| **status == 503).count()), "{found:?}");
}

#[test]
fn one_request_is_delayed_and_one_is_reset_and_those_beside_them_are_not() {
    play(Protocol::Http, serve, async |mut scene| {
        let (client, _connection) = client(&scene).await;
        scene.set(1, Flaw { only: only(&["/slow"], None, None), ..flaw(delay(150)) }).await;
        scene.set(2, Flaw { only: only(&["/lost"], None, None), ..flaw(FlawKind::Reset { after: Span::ZERO }) }).await;
        let begins = scene.clock.now();
        let slow = async {
            let answer = ask(&client, Method::POST, "/slow", noise(100_000)).await.unwrap();
            assert!(answer.body == noise(100_000));
            scene.clock.now().since(begins)
        };
        let beside = async {
            ask(&client, Method::POST, "/", noise(100_000)).await.unwrap();
            scene.clock.now().since(begins)
        };
        let lost =
            async { ask(&client, Method::GET, "/lost", Vec::new()).await.err().and_then(|error| error.reason()) };
        let (slow, beside, lost) = tokio::join!(slow, beside, lost);
        assert!(slow >= Span::millis(300) && beside < slow, "{slow}, {beside}");
        assert_eq!(lost, Some(Reason::INTERNAL_ERROR));
        assert_eq!((scene.clear(1).await.bites, scene.clear(2).await.bites), (1, 1));
        assert!(scene.bites.recv().await.is_some());
    });
}

#[test]
fn what_begins_and_ends_while_requests_fly_loses_none_of_them() {
    play(Protocol::Http, serve, async |scene| {
        let asked = Rc::new(Cell::new(0));
        let stop = Rc::new(Cell::new(false));
        let mut users = Vec::new();
        for user in 0..8 {
            let (client, connection) = client(&scene).await;
            let (asked, stop) = (asked.clone(), stop.clone());
            users.push(spawn_local(async move {
                while !stop.get() {
                    let answer = ask(&client, Method::POST, "/", noise(20_000 + user)).await.unwrap();
                    assert!(answer.status == 200 && answer.body == noise(20_000 + user));
                    asked.set(asked.get() + 1);
                }
                drop((client, connection));
            }));
        }
        let kinds = [
            delay(20),
            FlawKind::Hang { close: None },
            FlawKind::Throttle { rate: Flow(1_000_000) },
            FlawKind::Slice { size: Size(700), vary: Size(300), pause: Span::micros(50) },
        ];
        for turn in 0..24 {
            let before = asked.get();
            scene.set(turn, flaw(kinds[turn as usize % kinds.len()].clone())).await;
            scene.clock.sleep(Span::millis(15)).await;
            scene.clear(turn).await;
            while asked.get() < before + 8 {
                scene.clock.sleep(Span::millis(1)).await;
            }
        }
        stop.set(true);
        for user in users {
            user.await.unwrap();
        }
    });
}

#[test]
fn when_nobody_is_left_to_end_them_all_flaws_end_and_what_they_held_passes() {
    play(Protocol::Http, serve, async |mut scene| {
        let (client, _connection) = client(&scene).await;
        scene.set(1, flaw(FlawKind::Hang { close: None })).await;
        let held = ask(&client, Method::POST, "/", noise(50_000));
        let ends = async {
            scene.bites.recv().await.unwrap();
            scene.hub.clear_all().await;
        };
        let (answer, ()) = tokio::join!(held, ends);
        assert!(answer.unwrap().body == noise(50_000));
        ask(&client, Method::GET, "/", Vec::new()).await.unwrap();
    });
}

#[test]
fn what_acts_on_bytes_acts_on_those_of_the_connection() {
    play(Protocol::Http, serve, async |scene| {
        let (client, connection) = client(&scene).await;
        ask(&client, Method::GET, "/", Vec::new()).await.unwrap();
        scene.set(1, Flaw { direction: Direction::Down, ..flaw(FlawKind::Throttle { rate: Flow(1_000_000) }) }).await;
        let begins = scene.clock.now();
        ask(&client, Method::POST, "/", noise(300_000)).await.unwrap();
        assert!(scene.clock.now().since(begins) >= Span::millis(200));
        assert!(scene.clear(1).await.bites > 0);
        // One that is meant for some requests only would bite those beside them, too, and leaves all alone.
        scene.set(2, Flaw { only: only(&["/a"], None, None), ..flaw(FlawKind::CloseAfter { bytes: Size(1) }) }).await;
        ask(&client, Method::POST, "/a", noise(10)).await.unwrap();
        assert_eq!(scene.clear(2).await.bites, 0);
        scene.set(3, Flaw { direction: Direction::Down, ..flaw(FlawKind::Corrupt) }).await;
        let answer = ask(&client, Method::POST, "/", noise(10_000)).await.unwrap();
        assert!(answer.body.len() == 10_000 && answer.body != noise(10_000));
        assert_eq!(scene.clear(3).await.bites, 1);
        scene.set(4, flaw(FlawKind::Refuse)).await;
        assert!(connection.await.unwrap().is_err() || ask(&client, Method::GET, "/", Vec::new()).await.is_err());
        assert!(scene.clear(4).await.bites > 0);
    });
}

#[test]
fn what_a_client_gives_up_is_given_up_by_the_server() {
    play(Protocol::Http, serve, async |scene| {
        let (client, _connection) = client(&scene).await;
        let mut ready = client.clone().ready().await.unwrap();
        let (response, mut sends) =
            ready.send_request(Request::get("http://shop/wait").body(()).unwrap(), true).unwrap();
        ask(&client, Method::GET, "/", Vec::new()).await.unwrap();
        sends.send_reset(Reason::CANCEL);
        drop(response);
        while GIVEN_UP.get().is_none() {
            scene.clock.sleep(Span::millis(1)).await;
        }
        assert_eq!(GIVEN_UP.get(), Some(Reason::CANCEL));
        ask(&client, Method::GET, "/", Vec::new()).await.unwrap();
    });
}
