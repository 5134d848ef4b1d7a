use std::collections::{BTreeMap, BTreeSet};

use super::support::{Maker, run_with};
use crate::base::units::{Share, Span};
use crate::load::Options;
use crate::plan::{Retry, RetryOn, StatusSet};
use crate::wire::scripted::{Scripted, Seen, answer, ok};

/// What each request told of its trace: trace, span, flags.
fn told(seen: &Seen) -> (String, String, String) {
    let value = seen.header("traceparent").unwrap();
    let parts: Vec<&str> = value.split('-').collect();
    let [version, trace, span, flags] = parts.as_slice() else { panic!("{value}") };
    let hex = |text: &str| text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')) && text.contains(|c| c != '0');
    assert!(*version == "00" && hex(trace) && hex(span), "{value}");
    assert_eq!((trace.len(), span.len(), flags.len()), (32, 16, 2), "{value}");
    ((*trace).to_owned(), (*span).to_owned(), (*flags).to_owned())
}

fn traces(share: f64, workers: u16, seed: u64) -> Vec<(String, String, String)> {
    let server = Scripted::start(|seen| if seen.path == "/fails" { vec![answer(503, &[], "")] } else { ok("") });
    let mut maker = Maker::new(&server.url());
    maker.plan.seed = seed;
    maker.plan.platform.endpoints[0].traceparent = Some(Share(share));
    let first = maker.get("/first");
    let fails = maker.get_with("/fails", |request| {
        request.retry = Some(Retry {
            times: 1,
            on: vec![RetryOn::Status(StatusSet::Exactly(503))],
            backoff: Span::millis(1),
            up_to: Span::millis(1),
            jitter: Share(0.0),
            retry_after: false,
        });
    });
    let run = run_with(
        maker.only(vec![first, fails], 40.0, Span::SECOND),
        Options { workers: Some(workers), spin: None },
        |_, _| {},
    );
    let log = server.log();
    // What is kept of a failure names the trace of its last try.
    let kept = run.failures.first().unwrap();
    let line = kept.request.lines().find(|line| line.starts_with("traceparent: ")).unwrap();
    assert!(log.iter().any(|seen| seen.path == "/fails" && line.ends_with(seen.header("traceparent").unwrap())));
    log.iter().map(told).collect()
}

/// A visit is a trace, a request a span; both follow from the arrival, whoever makes it.
#[test]
fn requests_tell_their_traces() {
    let found = traces(0.5, 1, 618);
    assert_eq!(found.len(), 120);
    let spans: BTreeSet<&String> = found.iter().map(|(_, span, _)| span).collect();
    assert_eq!(spans.len(), 120, "each request and each try has its own");
    let mut visits: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
    found.iter().for_each(|(trace, _, flags)| visits.entry(trace).or_default().push(flags));
    assert_eq!(visits.len(), 40);
    assert!(visits.values().all(|flags| flags.len() == 3 && flags.iter().all(|other| *other == flags[0])));
    let sampled = visits.values().filter(|flags| *flags[0] == "01").count();
    assert!((8..=32).contains(&sampled), "{sampled} of 40");
    let all = |found: &[(String, String, String)]| found.iter().cloned().collect::<BTreeSet<_>>();
    assert_eq!(all(&found), all(&traces(0.5, 2, 618)));
    assert!(all(&found).is_disjoint(&all(&traces(0.5, 1, 619))));
    assert!(traces(1.0, 1, 618).iter().all(|(_, _, flags)| flags == "01"));
    assert!(traces(0.0, 1, 618).iter().all(|(_, _, flags)| flags == "00"));
}

#[test]
fn nobody_who_does_not_ask_tells_a_trace_and_an_own_header_stays() {
    let server = Scripted::start(|_| ok(""));
    let mut maker = Maker::new(&server.url());
    let plain = maker.get("/plain");
    run_with(maker.only(vec![plain], 2.0, Span::SECOND), Options { workers: Some(1), spin: None }, |_, _| {});
    let mut maker = Maker::new(&server.url());
    maker.plan.platform.endpoints[0].traceparent = Some(Share(1.0));
    let own = maker.get_with("/own", |request| {
        request.headers = vec![("Traceparent".to_owned(), super::support::text("00-aa-bb-01"))];
    });
    run_with(maker.only(vec![own], 2.0, Span::SECOND), Options { workers: Some(1), spin: None }, |_, _| {});
    for seen in server.log() {
        let wanted = (seen.path == "/own").then_some("00-aa-bb-01");
        assert_eq!(
            (seen.header("traceparent"), seen.head.matches("raceparent").count()),
            (wanted, wanted.iter().count())
        );
    }
}
