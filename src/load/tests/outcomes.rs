use serde_json::json;

use super::support::{Maker, expect, run, run_with, text};
use crate::base::rng::{Key, Purpose};
use crate::base::units::{At, Flow, Share, Span};
use crate::load::{Crews, News, Options};
use crate::plan::{Action, Connections, Matcher, OnFailure, PerConnection, Pick, Slow, StatusSet, Think, Tls};
use crate::record::{BadKind, UnsentKind};
use crate::wire::scripted::{Do, Scripted, Seen, answer, ok};

const ONE: Options = Options { workers: Some(1), spin: None };

#[test]
fn an_endpoint_that_open_loads_do_not_ask_keeps_no_worker_away() {
    let mut maker = Maker::new("http://127.0.0.1:1");
    let step = maker.get_with("/", |_| {});
    let mut plan = maker.only(vec![step], 10.0, Span::SECOND);
    let idle = crate::plan::Endpoint {
        connections: Connections { max: 1, ..Connections::default() },
        ..plan.platform.endpoints[0].clone()
    };
    plan.platform.endpoints.push(idle);
    assert_eq!(crate::load::workers(&plan, Some(8), crate::plan::arrivals::Slice::WHOLE), 8);
    plan.platform.endpoints[0].connections.max = 3;
    assert_eq!(crate::load::workers(&plan, Some(8), crate::plan::arrivals::Slice::WHOLE), 3);
}

/// Each path has its own way of failing; the table says what it is called.
#[test]
fn every_failure_has_its_name() {
    let server = Scripted::start(|seen| match seen.path.as_str() {
        "/close" => vec![Do::Close],
        "/reset" => vec![Do::Reset],
        "/garbage" => vec![Do::Send(b"what?\r\n\r\n".to_vec()), Do::Close],
        "/half" => vec![Do::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_vec()), Do::Close],
        "/hang" => vec![Do::Hang],
        "/slow" => vec![Do::Wait(Span::millis(60)), answer(200, &[], "")],
        "/500" => vec![answer(500, &[], "no")],
        "/302" => vec![answer(302, &[("location", "/")], "")],
        "/429" => vec![answer(429, &[], "")],
        _ => vec![answer(200, &[("x-state", "placed")], r#"{"state":"placed","n":17,"list":[1,2]}"#)],
    });
    let mut maker = Maker::new(&server.url());
    let quick = |request: &mut crate::plan::Request| request.timeout = Span::millis(80);
    let is = |value| Matcher::Equals(value);
    let steps = vec![
        ("/ok", maker.get_with("/ok", |_| {}), "ok"),
        ("/close", maker.get_with("/close", |_| {}), "broken"),
        ("/reset", maker.get_with("/reset", |_| {}), "broken"),
        ("/garbage", maker.get_with("/garbage", |_| {}), "protocol"),
        ("/half", maker.get_with("/half", |_| {}), "broken"),
        ("/hang", maker.get_with("/hang", quick), "timeout"),
        ("/slow", maker.get_with("/slow", |request| request.expect.within = Some(Span::millis(30))), "slow"),
        ("/500", maker.get_with("/500", |_| {}), "status"),
        ("/302", maker.get_with("/302", |_| {}), "status"),
        ("/429", maker.get_with("/429", |request| request.expect.shed = vec![StatusSet::Exactly(429)]), "shed"),
        ("/ok?a", maker.get_with("/ok?a", |request| request.expect.status = vec![StatusSet::Class(4)]), "status"),
        (
            "/ok?b",
            maker.get_with("/ok?b", |r| r.expect.body = vec![("$.state".into(), is(json!("paid")))]),
            "expectation",
        ),
        ("/ok?c", maker.get_with("/ok?c", |r| r.expect.contains = vec![text("missing")]), "expectation"),
        (
            "/ok?d",
            maker.get_with("/ok?d", |r| r.expect.headers = vec![("x-state".into(), is(json!("x")))]),
            "expectation",
        ),
        (
            "/ok?e",
            maker.get_with("/ok?e", |r| {
                r.captures = vec![crate::plan::Capture {
                    name: "order".into(),
                    from: crate::plan::CaptureFrom::Json("$.id".into()),
                    secret: false,
                    figure: None,
                }];
            }),
            "capture",
        ),
        ("/{{ nobody.x }}", maker.get_with("/ok?f", |_| {}), "ok"),
        (
            "/ok?g",
            maker.get_with("/ok?g", |r| {
                r.expect = crate::plan::Expect {
                    status: vec![StatusSet::Exactly(200)],
                    body: vec![
                        ("$.state".into(), Matcher::Matches("^pl".into())),
                        ("$.n".into(), is(json!(17.0))),
                        ("$.n".into(), Matcher::Range { at_least: Some(17.0), at_most: Some(18.0) }),
                        ("$.list".into(), is(json!([1, 2]))),
                        ("$.none".into(), Matcher::Exists(false)),
                    ],
                    contains: vec![text("\"state\":\"{{ 'placed' }}\"")],
                    headers: vec![("x-state".into(), is(json!("placed"))), ("x-none".into(), Matcher::Exists(false))],
                    ..expect()
                };
            }),
            "ok",
        ),
    ];
    let names: Vec<(String, &str)> = steps.iter().map(|(name, _, kind)| ((*name).to_owned(), *kind)).collect();
    let actions = steps.into_iter().map(|(_, mut action, _)| {
        if let crate::plan::Action::Request(request) = &mut action {
            request.on_failure = OnFailure::Continue;
        }
        action
    });
    let plan = maker.only(actions.collect(), 5.0, Span::SECOND);
    let told = run(plan);
    for (index, (name, kind)) in names.iter().enumerate() {
        let counts = told.counts(&told.plan.steps[index].name);
        let found = match (counts.ok, counts.shed, counts.bad.as_slice()) {
            (5, 0, []) => "ok".to_owned(),
            (0, 5, []) => "shed".to_owned(),
            (0, 0, [(kind, 5)]) => serde_json::to_value(kind).unwrap().as_str().unwrap().to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(found, *kind, "{name}");
    }
    let visits: Vec<_> = told.visits.iter().map(|cell| (cell.started, cell.ok, cell.failed)).collect();
    assert_eq!(visits.iter().fold((0, 0, 0), |a, b| (a.0 + b.0, a.1 + b.1, a.2 + b.2)), (5, 0, 5));
    // Both books agree on what was not late.
    assert_eq!(told.settled("/500").counts, told.counts("/500"));
    let sample = told.failures.iter().find(|failure| failure.why.contains("500")).unwrap();
    assert_eq!(
        sample.why,
        "the status is 500 Internal Server Error, expected 2xx".replace(" Internal Server Error", "")
    );
    assert!(sample.request.starts_with("GET /500 HTTP/1.1\nhost: 127.0.0.1:"), "{}", sample.request);
    assert!(sample.answer.starts_with("HTTP/1.1 500"), "{}", sample.answer);
    assert!(sample.answer.ends_with("\n\nno"), "{}", sample.answer);
}

#[test]
fn refused_and_forbidden_are_bad_and_leave_the_rest_unreached() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, kind) in
        [(format!("http://{free}"), BadKind::Connect), ("http://192.0.2.1".to_owned(), BadKind::Forbidden)]
    {
        let mut maker = Maker::new(&url);
        let steps = vec![maker.get("/first"), maker.get("/second"), maker.get("/second")];
        let told = run(maker.only(steps, 50.0, Span::SECOND));
        assert_eq!(told.counts("/first").bad, [(kind, 50)]);
        assert_eq!((told.counts("/second").base(), told.counts("/second").not_reached), (0, 100));
    }
}

#[test]
fn a_full_pool_is_the_platforms_fault_only_when_it_was_large_enough() {
    let server = Scripted::start(|_| vec![Do::Hang]);
    for (max, queue, timeout, kind) in [
        (5, 0, 10_000, UnsentKind::PoolSmall),
        (5, 10, 300, UnsentKind::PoolSmall),
        (20, 10, 10_000, UnsentKind::PoolFull),
    ] {
        let mut maker = Maker::new(&server.url());
        (maker.connections().max, maker.connections().queue) = (max, queue);
        maker.plan.limits.patience = Span::millis(200);
        maker.plan.limits.drain = Span::millis(400);
        let step = maker.get_with("/", |request| request.timeout = Span::millis(timeout));
        let told = run_with(maker.only(vec![step], 100.0, Span::SECOND), ONE, |_, _| {});
        let counts = told.counts("/");
        let unsent: u64 = counts.unsent.iter().map(|(_, count)| count).sum();
        assert_eq!(unsent + counts.bad(), 100, "{counts:?}");
        if timeout > 1_000 {
            // What hangs is abandoned; what waited until the end did so since the pool was full.
            assert_eq!(counts.bad, [(BadKind::Abandoned, u64::from(max))]);
            assert_eq!(told.abandoned, u64::from(max));
            assert_eq!(unsent, 100 - u64::from(max));
        }
        assert!(counts.unsent.iter().all(|(found, _)| *found == kind || *found == UnsentKind::Late), "{counts:?}");
        // The book of seconds charges every one of them within its patience.
        assert_eq!(told.settled("/").counts.base() + told.settled("/").counts.unsent_by_generator(), 100);
    }
}

#[test]
fn whoever_is_not_answered_in_time_counts_while_it_waits() {
    let server = Scripted::start(|seen| {
        if seen.at.second() < 3 { vec![Do::WaitUntil(At(3_000_000_000)), answer(200, &[], "")] } else { ok("") }
    });
    let mut maker = Maker::new(&server.url());
    maker.plan.limits.patience = Span::millis(500);
    let step = maker.get("/");
    maker.plan.steps[0].bounds = vec![Span::millis(100)];
    let told = run_with(maker.only(vec![step], 100.0, Span::seconds(4)), ONE, |_, _| {});
    let counts = told.counts("/");
    assert_eq!((counts.ok, counts.base()), (400, 400));
    let settled = told.settled("/");
    let late = settled.counts.bad.first().map_or(0, |(_, count)| *count);
    assert_eq!(settled.counts.ok + late, 400);
    assert!((150..=300).contains(&late), "{late}");
    assert_eq!(settled.against.count, late);
    let frozen = &told.windows[1].cells.iter().find(|cell| cell.book == crate::record::Book::Seconds).unwrap();
    assert_eq!(frozen.counts.ok, 0);
    assert!((40..=60).contains(&frozen.waiting), "{}", frozen.waiting);
    let oldest = frozen.oldest_waiting.unwrap();
    assert!((1_450..=1_550).contains(&(oldest.as_nanos() / 1_000_000)), "{oldest}");
    // After the freeze, those still within their patience were ok, and slower than the step's bound.
    let slower: u64 =
        told.windows.iter().flat_map(|window| &window.cells).flat_map(|cell| &cell.slower).map(|s| s.count).sum();
    assert!((20..=60).contains(&slower), "{slower}");
}

#[test]
fn a_stopped_load_counts_what_it_cut_off() {
    let server = Scripted::start(|_| vec![Do::Hang]);
    let mut maker = Maker::new(&server.url());
    (maker.connections().max, maker.connections().queue) = (30, 1_000);
    let step = maker.get("/");
    let told = run_with(maker.only(vec![step], 100.0, Span::seconds(600)), ONE, |crews, window| {
        if window.second == 0 {
            crews.drop_load();
        }
    });
    let counts = told.counts("/");
    assert_eq!(counts.bad, [(BadKind::Abandoned, 30)]);
    let stopped = counts.unsent.first().map_or(0, |(_, count)| *count);
    assert!(counts.unsent.len() == 1 && counts.unsent[0].0 == UnsentKind::Stopped);
    assert!((70..=300).contains(&stopped), "{stopped}");
}

#[test]
fn a_drained_load_lets_what_is_in_flight_come_to_its_end() {
    let server = Scripted::start(|_| vec![Do::Wait(Span::millis(300)), answer(200, &[], "")]);
    let mut maker = Maker::new(&server.url());
    let step = maker.get("/");
    let told = run_with(maker.only(vec![step], 100.0, Span::seconds(600)), ONE, |crews, window| {
        if window.second == 0 {
            crews.drain();
        }
    });
    let counts = told.counts("/");
    assert!(counts.ok >= 100 && counts.base() == counts.ok && counts.unsent.is_empty(), "{counts:?}");
    assert_eq!(server.log().len() as u64, counts.ok);
}

#[test]
fn a_kept_connection_that_was_closed_is_not_used_again() {
    let server = Scripted::start(|seen| match seen.nth {
        0 => vec![answer(200, &[], ""), Do::Wait(Span::millis(1)), Do::Close],
        _ => ok(""),
    });
    let mut maker = Maker::new(&server.url());
    let step = maker.get("/");
    let told = run_with(maker.only(vec![step], 4.0, Span::seconds(2)), ONE, |_, _| {});
    assert_eq!(told.counts("/").ok, 8);
    assert!(server.log().iter().all(|seen| seen.nth == 0));
}

#[test]
fn a_visit_may_have_its_own_connection() {
    let server = Scripted::start(|_| ok(""));
    let mut maker = Maker::new(&server.url());
    maker.connections().per = PerConnection::Visit;
    let steps = vec![maker.get("/a"), maker.get("/b")];
    let told = run_with(maker.only(steps, 20.0, Span::SECOND), ONE, |_, _| {});
    assert_eq!((told.counts("/a").ok, told.counts("/b").ok), (20, 20));
    let log = server.log();
    let connections: std::collections::BTreeSet<u64> = log.iter().map(|seen| seen.connection).collect();
    assert_eq!((connections.len(), log.len()), (20, 40));
    assert_eq!(told.windows.iter().map(|window| window.health.connected).sum::<u64>(), 20);
}

#[test]
fn new_visitors_come_on_connections_of_their_own_and_the_others_share() {
    let server = Scripted::start(|_| ok(""));
    let mut maker = Maker::new(&server.url());
    maker.connections().new = Share(0.3);
    // Of few, so that new visitors take the place of idle ones and stand in the queue, too.
    maker.connections().max = 2;
    maker.plan.feeds = vec![super::journeys::range("n", 1_000, Pick::InOrder)];
    let steps = vec![maker.get("/a/{{ feed.n }}"), maker.get("/b/{{ feed.n }}")];
    let plan = maker.only(steps, 100.0, Span::seconds(2));
    let seed = plan.seed;
    let told = run_with(plan, ONE, |_, _| {});
    let visitor = |seen: &Seen| seen.path[3..].parse::<u64>().unwrap();
    let mut log = server.log();
    assert_eq!(log.len(), 400);
    let first = log.iter().map(visitor).min().unwrap();
    let is_new = |n: u64| Key::new(seed, 0, n - first).stream(Purpose::Visitor, 0).unit() < 0.3;
    log.sort_by_key(|seen| (seen.connection, seen.nth));
    let (mut new, mut connections) = (0, 0);
    for connection in log.chunk_by(|one, other| one.connection == other.connection) {
        connections += 1;
        if connection.iter().any(|seen| is_new(visitor(seen))) {
            let paths: Vec<&str> = connection.iter().map(|seen| &seen.path[..2]).collect();
            assert_eq!(paths, ["/a", "/b"], "its own, and closed at its end");
            assert_eq!(visitor(&connection[0]), visitor(&connection[1]));
            new += 1;
        }
    }
    assert_eq!(new, (first..first + 200).filter(|n| is_new(*n)).count());
    assert!((35..90).contains(&new), "{new}");
    assert_eq!(told.windows.iter().map(|window| window.health.connected).sum::<u64>(), connections);
}

/// How many of 20 visits, of one request of 20 KB each, took as long as reading that at 20 KB/s takes.
fn took_long(connections: Connections) -> u64 {
    let server = Scripted::start(|_| ok(&"x".repeat(20_000)));
    let mut maker = Maker::new(&server.url());
    *maker.connections() = Connections { max: 20, queue: 20, ..connections };
    let step = maker.get("/");
    let told = run_with(maker.only(vec![step], 20.0, Span::SECOND), ONE, |_, _| {});
    let cell = told.planned("/");
    assert_eq!(cell.counts.ok, 20);
    cell.response.over(Span::millis(900))
}

#[test]
fn some_connections_read_slowly_and_their_requests_take_that_long() {
    let slow =
        |share| Connections { slow: Some(Slow { share: Share(share), rate: Flow(20_000) }), ..Connections::default() };
    assert_eq!(took_long(slow(0.0)), 0);
    assert_eq!(took_long(slow(1.0)), 20);
    assert_eq!(took_long(Connections { warm: 20, ..slow(1.0) }), 20, "opened before the load begins");
    let seed = Maker::new("http://x").plan.seed;
    let is_slow = |k: &u64| Key::new(seed, 0, *k).stream(Purpose::Reader(0), 0).unit() < 0.3;
    let expected = (0..20).filter(is_slow).count() as u64;
    assert!((2..12).contains(&expected), "{expected}");
    assert_eq!(took_long(Connections { per: PerConnection::Visit, ..slow(0.3) }), expected);
}

#[test]
fn a_connection_that_is_too_old_is_closed_between_two_requests() {
    for per in [PerConnection::Shared, PerConnection::Visit] {
        let server = Scripted::start(|_| ok(""));
        let mut maker = Maker::new(&server.url());
        maker.connections().age = Some(Span::millis(100));
        maker.connections().per = per;
        let think = Action::Think(Think::Fixed(Span::millis(150)));
        let steps = vec![maker.get("/a"), think, maker.get("/b")];
        let told = run_with(maker.only(steps, 1.0, Span::SECOND), ONE, |_, _| {});
        assert_eq!((told.counts("/a").ok, told.counts("/b").ok), (1, 1));
        let connections: Vec<u64> = server.log().iter().map(|seen| seen.connection).collect();
        assert_eq!(connections, [0, 1], "{per:?}");
        assert_eq!(told.windows.iter().map(|window| window.health.connected).sum::<u64>(), 2);
    }
}

#[test]
fn tls_needs_a_root_that_vouches_for_the_server() {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let certificate = CertificateDer::pem_file_iter("src/wire/testdata/server.pem").unwrap();
    let key = PrivateKeyDer::from_pem_file("src/wire/testdata/server.key").unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificate.collect::<Result<_, _>>().unwrap(), key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let server = Scripted::start_with(Some(acceptor), |_| ok(""));
    let url = server.url().replace("http://", "https://");
    let trusted = Tls { ca: Some("ca.pem".to_owned()), server_name: None };
    let other_name = Tls { server_name: Some("elsewhere.test".to_owned()), ..trusted.clone() };
    for (tls, good) in [(trusted, true), (other_name, false), (Tls::default(), false)] {
        let mut maker = Maker::new(&url);
        maker.plan.platform.endpoints[0].tls = tls;
        let step = maker.get("/");
        let told = run_with(maker.only(vec![step], 20.0, Span::SECOND), ONE, |_, _| {});
        let counts = told.counts("/");
        if good {
            assert_eq!((counts.ok, counts.base()), (20, 20));
        } else {
            assert_eq!(counts.bad, [(BadKind::Connect, 20)]);
            assert!(told.failures[0].why.contains("TLS"), "{}", told.failures[0].why);
        }
    }
}

/// What the workers told until all of them had ended, and whether each said that it broke.
fn broken_by(server: &Scripted, workers: u16) -> Vec<u16> {
    let mut maker = Maker::new(&server.url());
    let steps = vec![maker.get("/a"), maker.get("/b")];
    let setting = super::support::setting(maker.only(steps, 100.0, Span::seconds(600)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut crews = Crews::start(&setting, Options { workers: Some(workers), spin: None }).await.unwrap();
        let clock = setting.door.clock();
        crews.begin(clock.now());
        let mut broken = Vec::new();
        let limit = clock.now() + Span::seconds(60);
        while let Ok(Some(news)) = clock.timeout_at(limit, crews.news()).await {
            match news {
                News::Window { window, .. } if window.second == 0 => server.rig(),
                News::Broken { crew } => broken.push(crew),
                _ => {}
            }
        }
        assert!(clock.now() < limit, "a worker goes on after a visit of it has panicked");
        broken
    })
}

#[test]
fn a_worker_fails_aloud_when_a_visit_panics() {
    for workers in [1, 2] {
        // Each answer closes the connection, so that each visit makes one of its own.
        let server = Scripted::start(|_| vec![answer(200, &[("connection", "close")], "")]);
        let mut broken = broken_by(&server, workers);
        broken.sort_unstable();
        assert_eq!(broken, (0..workers).collect::<Vec<_>>());
    }
    let server = Scripted::start(|_| ok(""));
    server.rig();
    let mut maker = Maker::new(&server.url());
    let steps = vec![maker.get("/a")];
    let setting = super::support::setting(maker.only(steps, 1.0, Span::SECOND));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let alone = crate::load::once(&setting, crate::plan::LoadId(0), crate::plan::JourneyId(0), 0);
    let alone = runtime.block_on(alone);
    assert!(matches!(alone, Err(crate::load::LoadError::Gone)), "{alone:?}");
}
