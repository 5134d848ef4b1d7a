use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::support::{Maker, expect, run, run_with, setting, text};
use crate::base::units::{At, Span};
use crate::load::{Ended, FaultKind, Options, Setting, carry_out, once};
use crate::plan::{
    Action, Body, Branch, Capture, CaptureFrom, Feed, FeedData, JourneyId, LoadId, Matcher, Method, Pick, Plan, Poll,
    Repeat, Spacing, Think, Turns,
};
use crate::record::{BadKind, UnsentKind};
use crate::wire::scripted::{Do, Scripted, Seen, answer, ok};

const ONE: Options = Options { workers: Some(1), spin: None };

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn capture(name: &str, path: &str) -> Capture {
    Capture { name: name.to_owned(), from: CaptureFrom::Json(path.to_owned()), secret: false, figure: None }
}

pub(super) fn range(name: &str, to: i64, pick: Pick) -> Feed {
    Feed {
        name: name.to_owned(),
        data: FeedData::Range { from: 1, to },
        pick,
        secret: Vec::new(),
        rows: u64::try_from(to).unwrap(),
    }
}

/// A small shop: an order is placed with a key, read back by its id, and paid at the third look.
fn shop(seen: &Seen) -> Vec<Do> {
    let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
    let session = seen.header("cookie").is_some_and(|cookie| cookie.contains("sid="));
    match (seen.method.as_str(), path) {
        ("GET", "/login") => vec![answer(200, &[("set-cookie", "sid=s1; Path=/; HttpOnly")], "")],
        ("POST", "/orders") if session => {
            let body: Value = serde_json::from_str(&seen.body).unwrap();
            let id = seen.header("idempotency-key").unwrap();
            vec![answer(201, &[("x-order", id)], &json!({ "id": id, "echo": body, "amount": 17 }).to_string())]
        }
        ("GET", path) if path.starts_with("/orders/") && session => {
            let looks = query.len() as u64;
            let state = if looks > 2 { "paid" } else { "placed" };
            ok(&json!({ "state": state, "id": &path[8..] }).to_string())
        }
        ("GET", "/feed") => ok(""),
        _ => vec![answer(404, &[], "")],
    }
}

/// Log in, place an order, read it back.
fn buying(maker: &mut Maker) -> Vec<Action> {
    let order = json!({ "sku": "{{ feed.sku }}", "quantity": 2, "note": "for {{ feed.buyer }}", "ref": "{{ ref }}" });
    vec![
        maker.get("/login"),
        Action::Let(vec![("ref".to_owned(), text("{{ seeded_uuid() }}"))]),
        maker.post("/orders", order, |request| {
            request.headers = vec![("Idempotency-Key".to_owned(), text("{{ ref }}"))];
            request.expect.status = vec![crate::plan::StatusSet::Exactly(201)];
            request.expect.body = vec![
                ("$.echo.ref".to_owned(), Matcher::Equals(json!("{{ ref }}"))),
                ("$.echo.sku".to_owned(), Matcher::Equals(json!("{{ feed.sku }}"))),
            ];
            let header = CaptureFrom::Header("x-order".to_owned());
            request.captures = vec![
                capture("order", "$.id"),
                capture("amount", "$.amount"),
                Capture { name: "again".to_owned(), from: header, secret: false, figure: None },
            ];
        }),
        Action::Think(Think::Uniform { from: Span::millis(5), to: Span::millis(30) }),
        maker.get_with("/orders/{{ order }}", |request| {
            request.query = vec![("amount is".to_owned(), text("{{ amount + 1 }} &"))];
            request.expect.body = vec![("$.id".to_owned(), Matcher::Equals(json!("{{ again }}")))];
        }),
    ]
}

fn buyers(server: &Scripted, seed: u64) -> Plan {
    let mut maker = Maker::new(&server.url());
    maker.plan.seed = seed;
    maker.plan.feeds = vec![range("sku", 50, Pick::Zipf { exponent: 1.1 }), range("buyer", 1_000, Pick::Unique)];
    let buy = buying(&mut maker);
    let buy = maker.journey("buy", buy);
    let browse = maker.get_with("/feed", |request| request.query = vec![("row".to_owned(), text("{{ feed.sku }}"))]);
    let browse = maker.journey("browse", vec![browse]);
    maker.load(&[(buy, 3.0), (browse, 1.0)], Spacing::Poisson, 100.0, Span::seconds(2));
    maker.plan
}

/// What a server saw, whatever the order and the connection.
fn seen(server: &Scripted) -> BTreeMap<(String, String, String), u32> {
    let mut all = BTreeMap::new();
    for seen in server.log() {
        *all.entry((seen.method, seen.path, seen.body)).or_insert(0) += 1;
    }
    all
}

#[test]
fn a_journey_is_walked_to_its_end_and_the_same_seed_makes_the_same_requests() {
    let mut found = Vec::new();
    for (seed, workers) in [(618, 1), (618, 2), (618, 3), (619, 1)] {
        let server = Scripted::start(shop);
        let told = run_with(buyers(&server, seed), Options { workers: Some(workers), spin: None }, |_, _| {});
        let started: u64 = told.visits.iter().map(|cell| cell.started).sum();
        let good: u64 = told.visits.iter().map(|cell| cell.ok).sum();
        assert_eq!((started, good), (200, 200), "{:?}", told.failures);
        let bought = told.counts("/login").ok;
        assert_eq!(told.counts("/orders").ok, bought);
        assert_eq!(told.counts("/orders/{{ order }}").ok, bought);
        assert_eq!(bought + told.counts("/feed").ok, 200);
        assert!((120..180).contains(&bought), "{bought}");
        let last = server.log().into_iter().rfind(|seen| seen.path.starts_with("/orders/")).unwrap();
        assert!(last.path.ends_with("?amount%20is=18%20%26"), "{}", last.path);
        found.push(seen(&server));
    }
    assert_eq!(found[0], found[1]);
    assert_eq!(found[0], found[2]);
    assert_ne!(found[0], found[3]);
}

#[test]
fn rows_are_given_as_the_feed_says() {
    let server = Scripted::start(|_| ok(""));
    let mut maker = Maker::new(&server.url());
    maker.plan.feeds =
        vec![range("line", 7, Pick::InOrder), range("once", 120, Pick::Unique), range("any", 5, Pick::Random)];
    let path = "/feed/{{ feed.line }}/{{ feed.once }}/{{ feed.any }}";
    let step = maker.get(path);
    let turns = Repeat { turns: Turns::Times(3), actions: vec![step] };
    run(maker.only(vec![Action::Repeat(turns)], 40.0, Span::SECOND));
    let rows: Vec<Vec<u64>> = server
        .log()
        .iter()
        .map(|seen| seen.path.split('/').skip(2).map(|row| row.parse().unwrap()).collect())
        .collect();
    assert_eq!(rows.len(), 120);
    let once: BTreeSet<u64> = rows.iter().map(|row| row[1]).collect();
    assert_eq!(once.len(), 120);
    let count = |index: usize, row: u64| rows.iter().filter(|rows| rows[index] == row).count();
    assert!((1..=7).all(|row| (17..=18).contains(&count(0, row))));
    assert!((1..=5).all(|row| (10..=40).contains(&count(2, row))));
}

#[test]
fn branches_turns_and_what_is_not_reached() {
    let server = Scripted::start(|seen| match seen.path.as_str() {
        "/fail" => vec![answer(500, &[], "")],
        "/count" => ok(&json!({ "left": 2 }).to_string()),
        _ => ok(""),
    });
    let mut maker = Maker::new(&server.url());
    let count = maker.get_with("/count", |request| request.captures = vec![capture("left", "$.left")]);
    let choose = Action::If {
        test: text("{{ left > 1 }}"),
        then: vec![maker.get("/then")],
        otherwise: vec![maker.get("/else")],
    };
    let turn = vec![maker.get("/turn"), Action::Let(vec![("left".to_owned(), text("{{ left - 1 }}"))])];
    let turns = Action::Repeat(Repeat { turns: Turns::While(text("{{ left > 0 }}")), actions: turn });
    let fail = Action::Repeat(Repeat {
        turns: Turns::Times(3),
        actions: vec![maker.get("/each"), maker.get("/fail"), maker.get("/never")],
    });
    let last = maker.get("/last");
    let told = run(maker.only(vec![count, choose, turns, fail, last], 10.0, Span::SECOND));
    let counts = |step: &str| (told.counts(step).ok, told.counts(step).bad(), told.counts(step).not_reached);
    assert_eq!(counts("/count"), (10, 0, 0));
    assert_eq!(counts("/then"), (10, 0, 0));
    assert_eq!(counts("/else"), (0, 0, 0));
    assert_eq!(counts("/turn"), (20, 0, 0));
    // The first of three turns fails at its second step.
    assert_eq!(counts("/each"), (10, 0, 20));
    assert_eq!(counts("/fail"), (0, 10, 20));
    assert_eq!(counts("/never"), (0, 0, 30));
    assert_eq!(counts("/last"), (0, 0, 10));
}

#[test]
fn a_choice_is_drawn_by_weight_and_the_same_for_the_same_arrival() {
    let mut found = Vec::new();
    for workers in [1, 2] {
        let server = Scripted::start(|seen| match seen.path.as_str() {
            "/fail" => vec![answer(500, &[], "")],
            _ => ok(""),
        });
        let mut maker = Maker::new(&server.url());
        let way = |maker: &mut Maker, weight: f64, path: &str| Branch { weight, actions: vec![maker.get(path)] };
        let branches = vec![way(&mut maker, 3.0, "/often"), way(&mut maker, 1.0, "/seldom")];
        // In a repeat each turn draws for itself; before a step that fails what it would have come to is counted.
        let turns = vec![way(&mut maker, 1.0, "/left"), way(&mut maker, 1.0, "/right")];
        let turns = Repeat { turns: Turns::Times(2), actions: vec![Action::Choose(turns)] };
        let never = vec![way(&mut maker, 1.0, "/never-a"), way(&mut maker, 3.0, "/never-b")];
        let steps = vec![Action::Choose(branches), Action::Repeat(turns), maker.get("/fail"), Action::Choose(never)];
        let options = Options { workers: Some(workers), spin: None };
        let told = run_with(maker.only(steps, 400.0, Span::SECOND), options, |_, _| {});
        let ok = |step: &str| told.counts(step).ok;
        assert_eq!(ok("/often") + ok("/seldom"), 400);
        assert!((270..330).contains(&ok("/often")), "{}", ok("/often"));
        assert_eq!(ok("/left") + ok("/right"), 800);
        assert!((350..450).contains(&ok("/left")), "{}", ok("/left"));
        let never = |step: &str| told.counts(step).not_reached;
        assert_eq!(never("/never-a") + never("/never-b"), 400);
        assert!((70..130).contains(&never("/never-a")), "{}", never("/never-a"));
        found.push((seen(&server), never("/never-a")));
    }
    assert_eq!(found[0], found[1]);
}

#[test]
fn forms_go_out_encoded_and_captures_come_from_bodies_and_cookies() {
    let server = Scripted::start(|seen| match seen.path.as_str() {
        "/login" => {
            let cookies =
                [("set-cookie", "sid=old; Path=/"), ("set-cookie", "sid=a1; HttpOnly"), ("set-cookie", "t=x")];
            vec![answer(200, &cookies, "<b>queue 17</b><b>queue 9</b>")]
        }
        _ => ok("nothing here"),
    });
    let mut maker = Maker::new(&server.url());
    let catch = |name: &str, from: CaptureFrom| Capture { name: name.to_owned(), from, secret: false, figure: None };
    let regex = |pattern: &str, index| CaptureFrom::Regex { pattern: pattern.to_owned(), index };
    let login = maker.get_with("/login", |request| {
        request.captures = vec![
            catch("sid", CaptureFrom::Cookie("sid".to_owned())),
            catch("first", regex("queue (\\d+)", 0)),
            catch("second", regex("queue (?:\\d+)", 1)),
        ];
    });
    let mut form = maker.request(Method::Post, "/form");
    let field = |name: &str, value: &str| (name.to_owned(), text(value));
    form.body = Some(Body::Form(vec![field("who & what", "{{ sid }}"), field("place", "{{ first }} + {{ second }}")]));
    let mut fixed = maker.request(Method::Post, "/fixed");
    fixed.body = Some(Body::Form(vec![field("a", "1"), field("b", "ä=")]));
    let missing = maker.get_with("/missing", |request| request.captures = vec![catch("none", regex("queue", 0))]);
    let steps = vec![login, Action::Request(Box::new(form)), Action::Request(Box::new(fixed)), missing];
    let told = run_with(maker.only(steps, 5.0, Span::SECOND), ONE, |_, _| {});
    assert_eq!((told.counts("/login").ok, told.counts("/fixed").ok), (5, 5));
    assert_eq!(told.counts("/missing").bad, [(BadKind::Capture, 5)]);
    assert!(told.failures[0].why.contains("`none`"), "{}", told.failures[0].why);
    for (path, body) in [("/form", "who%20%26%20what=a1&place=17%20%2B%20queue%209"), ("/fixed", "a=1&b=%C3%A4%3D")] {
        let seen = server.log().into_iter().find(|seen| seen.path == path).unwrap();
        assert_eq!(seen.body, body);
        assert_eq!(seen.header("content-type"), Some("application/x-www-form-urlencoded"));
        assert_eq!(seen.header("content-length"), Some(body.len().to_string().as_str()));
    }
}

#[test]
fn a_text_that_cannot_be_rendered_fails_the_step_that_needs_it() {
    let server = Scripted::start(|_| ok(&json!({ "list": [] }).to_string()));
    let mut maker = Maker::new(&server.url());
    let first = maker.get_with("/first", |request| request.captures = vec![capture("list", "$.list")]);
    let path = "/second/{{ list[0].id }}";
    let second = maker.get(path);
    let third = maker.get("/third");
    let told = run(maker.only(vec![first, second, third], 10.0, Span::SECOND));
    assert_eq!(told.counts(path).bad, [(BadKind::Template, 10)]);
    assert_eq!(told.counts("/third").not_reached, 10);
    assert_eq!(server.log().len(), 10);
}

/// Whatever lies between: the other branch of an `if`, the end of a turn.
#[test]
fn a_let_that_cannot_be_made_fails_the_request_that_the_visit_would_have_come_to() {
    let server = Scripted::start(|_| ok(&json!({ "list": [] }).to_string()));
    let mut maker = Maker::new(&server.url());
    let first = maker.get_with("/first", |request| request.captures = vec![capture("list", "$.list")]);
    let stuck = || Action::Let(vec![("x".to_owned(), text("{{ list[0].id }}"))]);
    let (other, after) = (maker.get("/other"), maker.get("/after"));
    let choose = Action::If { test: text("{{ 1 == 1 }}"), then: vec![stuck()], otherwise: vec![other] };
    let turn = vec![maker.get("/turn"), stuck()];
    let turns = Action::Repeat(Repeat { turns: Turns::Times(3), actions: turn });
    let behind = maker.get("/behind");
    let branch = maker.journey("branch", vec![first.clone(), choose, after]);
    let turns = maker.journey("turns", vec![first, turns, behind]);
    maker.load(&[(branch, 1.0)], Spacing::Even, 4.0, Span::SECOND);
    maker.load(&[(turns, 1.0)], Spacing::Even, 4.0, Span::SECOND);
    let told = run(maker.plan);
    let counts = |path: &str| {
        let counts = told.counts(path);
        (counts.ok, counts.bad(), counts.not_reached)
    };
    assert_eq!(counts("/other"), (0, 0, 0));
    assert_eq!(counts("/after"), (0, 4, 0));
    // The first turn's is made, the second's fails, the third's is not reached.
    assert_eq!(counts("/turn"), (4, 4, 4));
    assert_eq!(told.counts("/after").bad, [(BadKind::Template, 4)]);
    assert_eq!(counts("/behind"), (0, 0, 4));
}

#[test]
fn a_poll_is_one_request_from_the_first_ask_to_the_answer_that_held() {
    let server = Scripted::start(|seen| match seen.path.as_str() {
        "/never" => ok(&json!({ "state": "placed" }).to_string()),
        "/broken" => vec![answer(500, &[], "")],
        _ => {
            let state = if seen.nth % 4 == 3 { "paid" } else { "placed" };
            ok(&json!({ "state": state }).to_string())
        }
    });
    let mut maker = Maker::new(&server.url());
    // One connection for all, so that the server counts the asks of one visit after another.
    let poll = |maker: &mut Maker, path: &str| {
        let mut request = maker.request(Method::Get, path);
        request.captures = vec![capture("state", "$.state")];
        request.on_failure = crate::plan::OnFailure::Continue;
        let mut until = expect();
        until.body = vec![("$.state".to_owned(), Matcher::Equals(json!("paid")))];
        Action::Poll(Box::new(Poll { request, every: Span::millis(20), until, within: Span::millis(150) }))
    };
    let steps = vec![poll(&mut maker, "/state"), poll(&mut maker, "/never"), poll(&mut maker, "/broken")];
    maker.connections().per = crate::plan::PerConnection::Visit;
    let told = run_with(maker.only(steps, 5.0, Span::SECOND), ONE, |_, _| {});
    assert_eq!((told.counts("/state").ok, told.counts("/state").base()), (5, 5));
    assert_eq!(told.counts("/never").bad, [(BadKind::Timeout, 5)]);
    assert_eq!(told.counts("/broken").bad, [(BadKind::Status, 5)]);
    let shortest = told.planned("/state").response.at_rank(1).unwrap();
    assert!(shortest >= Span::millis(60), "{shortest}");
    let asks = |path: &str| server.log().iter().filter(|seen| seen.path == path).count();
    assert_eq!((asks("/state"), asks("/broken")), (20, 5));
    assert!((25..=40).contains(&asks("/never")), "{}", asks("/never"));
}

#[test]
fn think_times_are_kept_and_not_charged_to_the_step_after_them() {
    let server = Scripted::start(|_| ok(""));
    let mut maker = Maker::new(&server.url());
    let steps = vec![maker.get("/a"), Action::Think(Think::Fixed(Span::millis(200))), maker.get("/b")];
    let told = run_with(maker.only(steps, 20.0, Span::SECOND), ONE, |_, _| {});
    assert_eq!(told.counts("/b").ok, 20);
    let mean = told.planned("/b").response.mean().unwrap();
    assert!(mean < Span::millis(100), "{mean}");
    // The server's clock began before the load's, whose last arrival is planned at 975 ms.
    let last = server.log().pop().unwrap();
    assert!(last.at >= At(1_175_000_000), "{}", last.at);
    let own: Vec<Span> = told.visits.iter().filter_map(|cell| cell.own_time.max()).collect();
    assert!(own.iter().all(|own| *own < Span::millis(200)), "{own:?}");
}

#[test]
fn secrets_are_masked_wherever_people_read() {
    let server = Scripted::start(|seen| {
        let body = format!("{{\"key\":\"k-123456\",\"echo\":{:?}}}", seen.header("authorization").unwrap_or(""));
        vec![answer(if seen.path.starts_with("/fail") { 500 } else { 200 }, &[], &body)]
    });
    let mut maker = Maker::new(&server.url());
    let bearer = |request: &mut crate::plan::Request| {
        request.headers = vec![("Authorization".to_owned(), text("Bearer {{ secret.token }}"))];
    };
    let first = maker.get_with("/first", |request| {
        bearer(request);
        request.captures = vec![Capture { secret: true, ..capture("key", "$.key") }];
    });
    let fail = maker.get_with("/fail", |request| {
        bearer(request);
        request.query = vec![("key".to_owned(), text("{{ key }}"))];
    });
    let plan = maker.only(vec![first, fail], 5.0, Span::SECOND);
    let transcript = wait(once(&setting(plan.clone()), LoadId(0), JourneyId(0), 0)).unwrap();
    let text = format!("{transcript:?}");
    assert!(!text.contains("hunter2") && !text.contains("k-123456"), "{text}");
    assert!(text.contains("Bearer •••"), "{text}");
    let failure = run(plan).failures.remove(0);
    let text = format!("{failure:?}");
    assert!(!text.contains("hunter2") && !text.contains("k-123456"), "{text}");
    assert!(server.log()[0].header("authorization") == Some("Bearer hunter2"));
}

#[test]
fn one_visit_can_be_played_alone_and_is_that_of_the_run() {
    let server = Scripted::start(shop);
    let plan = buyers(&server, 618);
    run(plan.clone());
    let all = seen(&server);
    let setting: Setting = setting(plan);
    for k in [0, 1, 57] {
        let before = server.log().len();
        let transcript = wait(once(&setting, LoadId(0), JourneyId(0), k)).unwrap();
        assert!(transcript.ok);
        let requests = server.log().split_off(before);
        assert_eq!(requests.len(), 3);
        let order = &requests[1];
        // Whichever journey the mix gave arrival k, its data are its own; those that bought appear in the run.
        let body: Value = serde_json::from_str(&order.body).unwrap();
        let again = wait(once(&setting, LoadId(0), JourneyId(0), k)).unwrap();
        assert_eq!(again.exchanges[1].captured, transcript.exchanges[1].captured);
        let placed = all.contains_key(&("POST".to_owned(), "/orders".to_owned(), order.body.clone()));
        let browsed = all.contains_key(&("GET".to_owned(), format!("/feed?row={}", body["sku"]), String::new()));
        assert!(placed || browsed, "{}", order.body);
    }
    let transcript = wait(once(&setting, LoadId(0), JourneyId(0), 3)).unwrap();
    let names: Vec<&str> = transcript.exchanges[1].captured.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["order", "amount", "again"]);
    assert_eq!(transcript.exchanges[1].captured[1].1, Some(json!(17)));
    assert!(transcript.exchanges[0].request.starts_with("GET /login HTTP/1.1\n"));
    assert!(transcript.exchanges[1].answer.starts_with("HTTP/1.1 201"));
    assert!(transcript.exchanges.iter().all(|one| one.result == Ok(Ended::Ok) && one.service().is_some()));
}

#[test]
fn steps_outside_all_figures_bring_their_captures() {
    let server = Scripted::start(shop);
    let mut maker = Maker::new(&server.url());
    maker.plan.feeds = vec![range("sku", 50, Pick::Random), range("buyer", 9, Pick::InOrder)];
    let steps = buying(&mut maker);
    let setting = setting(maker.plan);
    let carried = wait(carry_out(&setting, "prepare", &steps, Span::seconds(20))).unwrap();
    assert!(carried.transcript.ok, "{:?}", carried.transcript);
    assert_eq!(carried.captures["amount"], json!(17));
    assert_eq!(carried.captures["order"], carried.captures["ref"]);

    let server = Scripted::start(|_| vec![Do::Hang]);
    let mut maker = Maker::new(&server.url());
    let steps = vec![maker.get("/")];
    let setting = super::support::setting(maker.plan);
    let carried = wait(carry_out(&setting, "prepare", &steps, Span::millis(50))).unwrap();
    assert!(!carried.transcript.ok);
    let fault = carried.transcript.exchanges[0].result.as_ref().unwrap_err();
    assert_eq!(fault.kind, FaultKind::Bad(BadKind::Abandoned));
    assert_ne!(fault.kind, FaultKind::Unsent(UnsentKind::Late));
}

#[test]
fn steps_that_are_dropped_let_go_of_their_request_and_end_their_thread() {
    let server = Scripted::start(|_| vec![Do::Hang]);
    let mut maker = Maker::new(&server.url());
    let mut steps = vec![maker.get("/")];
    let Action::Request(request) = &mut steps[0] else { unreachable!() };
    request.timeout = Span::seconds(60);
    let setting = setting(maker.plan);
    let clock = setting.door.clock().clone();
    wait(async {
        let asked = async {
            while server.log().is_empty() {
                clock.sleep(Span::millis(1)).await;
            }
        };
        tokio::select! {
            _ = carry_out(&setting, "prepare", &steps, Span::seconds(60)) => panic!("nobody answers"),
            asked = clock.timeout(Span::seconds(30), asked) => asked.unwrap(),
        }
    });
    // Dropped, it has waited for its thread, and not for the answer.
    assert!(clock.now() < At(Span::seconds(50).0));
}
