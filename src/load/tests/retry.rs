use std::sync::Mutex;

use super::support::{Maker, Told, run_with, setting};
use crate::base::units::{Share, Span};
use crate::load::{Ended, Options, once};
use crate::plan::{JourneyId, LoadId, Method, Request, Retry, RetryOn, StatusSet};
use crate::record::BadKind;
use crate::wire::scripted::{Do, Scripted, Seen, answer, ok};

const ONE: Options = Options { workers: Some(1), spin: None };

fn retry(times: u32, on: &[RetryOn]) -> Option<Retry> {
    Some(Retry {
        times,
        on: on.to_vec(),
        backoff: Span::millis(20),
        up_to: Span::millis(50),
        jitter: Share(0.0),
        retry_after: false,
    })
}

/// A server that does one thing after another, by path.
fn in_turn(script: impl Fn(&str, usize) -> Vec<Do> + Send + Sync + 'static) -> Scripted {
    let seen: Mutex<std::collections::HashMap<String, usize>> = Mutex::default();
    Scripted::start(move |asked: &Seen| {
        let mut seen = seen.lock().unwrap();
        let nth = seen.entry(asked.path.clone()).or_default();
        *nth += 1;
        script(&asked.path, *nth)
    })
}

type Change = Box<dyn Fn(&mut Request)>;

fn tell(server: &Scripted, paths: &[(&str, Change)]) -> Told {
    let mut maker = Maker::new(&server.url());
    let journeys: Vec<_> = paths
        .iter()
        .map(|(path, change)| {
            let action = maker.get_with(path, change);
            (maker.journey(path, vec![action]), 1.0)
        })
        .collect();
    for journey in journeys {
        maker.load(&[journey], crate::plan::Spacing::Even, 1.0, Span::SECOND);
    }
    run_with(maker.plan, ONE, |_, _| {})
}

/// One request with one outcome; its time runs from when it was planned through every wait; its tries stand beside it.
#[test]
fn a_request_is_tried_again_as_its_step_says_and_counts_once() {
    const UNAVAILABLE: RetryOn = RetryOn::Status(StatusSet::Exactly(503));
    const ANY_5: RetryOn = RetryOn::Status(StatusSet::Class(5));
    let server = in_turn(|path, nth| match (path, nth) {
        ("/healed", 1..=2) | ("/given-up", _) => vec![answer(503, &[], "busy")],
        ("/other", _) => vec![answer(500, &[], "")],
        ("/dropped", 1) => vec![Do::Close],
        ("/hung", 1) => vec![Do::Hang],
        ("/shed", 1) => vec![answer(429, &[], "")],
        _ => ok("{}"),
    });
    let told = tell(
        &server,
        &[
            ("/healed", Box::new(|r| r.retry = retry(3, &[UNAVAILABLE]))),
            ("/given-up", Box::new(|r| r.retry = retry(2, &[ANY_5]))),
            ("/other", Box::new(|r| r.retry = retry(2, &[UNAVAILABLE]))),
            ("/dropped", Box::new(|r| r.retry = retry(1, &[RetryOn::Broken]))),
            (
                "/hung",
                Box::new(|r| {
                    r.retry = retry(1, &[RetryOn::Timeout]);
                    r.timeout = Span::millis(150);
                }),
            ),
            (
                "/shed",
                Box::new(|r| {
                    r.retry = retry(1, &[RetryOn::Status(StatusSet::Exactly(429))]);
                    r.expect.shed = vec![StatusSet::Exactly(429)];
                }),
            ),
        ],
    );
    let outcome = |path: &str| {
        let counts = told.counts(path);
        let asked = server.log().iter().filter(|seen| seen.path == path).count();
        (counts.ok, counts.bad, counts.again, asked)
    };
    let status = |count| vec![(BadKind::Status, count)];
    assert_eq!(outcome("/healed"), (1, vec![], status(2), 3));
    assert_eq!(outcome("/given-up"), (0, status(1), status(2), 3));
    assert_eq!(outcome("/other"), (0, status(1), vec![], 1));
    assert_eq!(outcome("/dropped"), (1, vec![], vec![(BadKind::Broken, 1)], 2));
    assert_eq!(outcome("/hung"), (1, vec![], vec![(BadKind::Timeout, 1)], 2));
    assert_eq!(outcome("/shed"), (1, vec![], status(1), 2));
    // 20 ms and twice that; a timeout of 150 and 20.
    let took = |path: &str| (told.planned(path).response.max().unwrap(), told.planned(path).service.max().unwrap());
    for (path, least) in [("/healed", 60), ("/hung", 170)] {
        let (response, service) = took(path);
        assert!(
            service >= Span::millis(least - 5) && response >= Span::millis(least) && response >= service,
            "{path}: {response} {service}"
        );
    }
    assert_eq!(told.settled("/healed").counts.again, [], "the book of seconds knows requests only");
    assert_eq!(told.failures.len(), 2, "{:?}", told.failures);
}

#[test]
fn a_try_that_was_never_made_is_not_counted() {
    let server = in_turn(|_, _| vec![answer(503, &[], "busy")]);
    let mut maker = Maker::new(&server.url());
    maker.plan.limits.drain = Span::millis(100);
    let wait = Retry {
        backoff: Span::seconds(60),
        up_to: Span::seconds(60),
        ..retry(3, &[RetryOn::Status(StatusSet::Exactly(503))]).unwrap()
    };
    let step = maker.get_with("/", |request| request.retry = Some(wait));
    let told = run_with(maker.only(vec![step], 4.0, Span::SECOND), ONE, |_, _| {});
    let counts = told.counts("/");
    assert_eq!((counts.base(), counts.again, server.log().len()), (4, vec![], 4), "{:?}", counts.bad);
}

#[test]
fn waits_grow_up_to_a_bound_and_are_drawn_from_the_arrivals_own_chance() {
    let gaps = |seed: u64, jitter: f64| {
        let server = in_turn(|_, _| vec![answer(503, &[], "")]);
        let mut maker = Maker::new(&server.url());
        maker.plan.seed = seed;
        let step = maker.get_with("/", |request| {
            let wait = Span::millis(40);
            let more =
                Retry { backoff: wait, up_to: Span::millis(100), jitter: Share(jitter), ..retry(4, &[]).unwrap() };
            request.retry = Some(Retry { on: vec![RetryOn::Status(StatusSet::Class(5))], ..more });
        });
        run_with(maker.only(vec![step], 1.0, Span::SECOND), ONE, |_, _| {});
        let log = server.log();
        let pairs = log.iter().zip(log.iter().skip(1));
        pairs.map(|(one, next)| next.at.since(one.at).as_seconds_f64() * 1e3).collect::<Vec<f64>>()
    };
    let plain = gaps(1, 0.0);
    assert_eq!(plain.len(), 4);
    for (gap, least) in plain.iter().zip([40.0, 80.0, 100.0, 100.0]) {
        assert!(*gap >= least - 1.0 && *gap < least + 400.0, "{plain:?}");
    }
    let drawn = gaps(1, 1.0);
    assert!(drawn.iter().sum::<f64>() < 320.0 - 1.0, "{drawn:?} are not shorter");
}

#[test]
fn a_server_that_says_how_long_is_heeded_within_bounds() {
    let gap = |heeds: bool, up_to: Span, told: &'static str| {
        let server = in_turn(move |_, nth| match nth {
            1 => vec![answer(503, &[("retry-after", told)], "")],
            _ => ok(""),
        });
        let step = move |request: &mut Request| {
            let on = [RetryOn::Status(StatusSet::Exactly(503))];
            request.retry = Some(Retry { up_to, retry_after: heeds, ..retry(1, &on).unwrap() });
        };
        let told = tell(&server, &[("/", Box::new(step))]);
        assert_eq!(told.counts("/").ok, 1);
        let log = server.log();
        log[1].at.since(log[0].at)
    };
    assert!(gap(true, Span::seconds(5), "1") >= Span::millis(999));
    let bounded = gap(true, Span::millis(300), "3000");
    assert!(bounded >= Span::millis(299) && bounded < Span::millis(2_000), "{bounded}");
    for not in [gap(false, Span::seconds(5), "1"), gap(true, Span::seconds(5), "Wed, 21 Oct 2099 07:28:00 GMT")] {
        assert!(not < Span::millis(900), "{not}");
    }
}

#[test]
fn somebody_who_reads_every_request_sees_every_try() {
    let server = in_turn(|_, nth| if nth < 3 { vec![answer(503, &[], "busy")] } else { ok("") });
    let mut maker = Maker::new(&server.url());
    let mut request = maker.request(Method::Post, "/orders");
    request.retry = retry(3, &[RetryOn::Status(StatusSet::Exactly(503))]);
    let plan = maker.only(vec![crate::plan::Action::Request(Box::new(request))], 1.0, Span::SECOND);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let setting = setting(plan);
    let transcript = runtime.block_on(once(&setting, LoadId(0), JourneyId(0), 0)).unwrap();
    let ends: Vec<_> = transcript.exchanges.iter().map(|exchange| exchange.result.clone()).collect();
    assert_eq!(ends, [Ok(Ended::Again), Ok(Ended::Again), Ok(Ended::Ok)]);
    assert!(transcript.ok && transcript.exchanges[0].answer.contains("busy"));
}
