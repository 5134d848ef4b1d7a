//! Every visit that was started comes to one end, in every way that a run can end.

use serde_json::json;

use super::support::{Maker, Told, expect, run_with};
use crate::base::units::Span;
use crate::load::{Crews, Options};
use crate::plan::{Action, Matcher, Plan, Poll, Spacing, StatusSet, Think};
use crate::wire::scripted::{Do, Scripted, answer, ok};

/// Visits that think, hang, are shed, wait for a connection, poll, fail and come through.
fn all_kinds(server: &Scripted) -> Plan {
    let mut maker = Maker::new(&server.url());
    (maker.connections().max, maker.connections().queue) = (12, 20);
    maker.plan.limits.drain = Span::millis(300);
    let long = |millis| Action::Think(Think::Fixed(Span::millis(millis)));
    let poll = {
        let request = maker.request(crate::plan::Method::Get, "/placed");
        let mut until = expect();
        until.body = vec![("$.state".to_owned(), Matcher::Equals(json!("paid")))];
        Action::Poll(Box::new(Poll { request, every: Span::millis(20), until, within: Span::seconds(60) }))
    };
    let shed = maker.get_with("/shed", |request| request.expect.shed = vec![StatusSet::Exactly(429)]);
    let journeys = [
        ("through", vec![maker.get("/1"), long(10), maker.get("/2")]),
        ("thinks", vec![maker.get("/3"), long(60_000), maker.get("/4")]),
        ("thinks first", vec![long(60_000), maker.get("/5")]),
        ("shed", vec![shed, maker.get("/6")]),
        ("polls", vec![poll, maker.get("/7")]),
        ("fails", vec![maker.get("/500"), maker.get("/8")]),
        ("hangs", vec![maker.get("/9"), maker.get("/hang")]),
    ];
    let mix: Vec<_> = journeys.into_iter().map(|(name, actions)| (maker.journey(name, actions), 1.0)).collect();
    maker.load(&mix, Spacing::Poisson, 150.0, Span::seconds(2));
    maker.plan
}

fn script(seen: &crate::wire::scripted::Seen) -> Vec<Do> {
    match seen.path.as_str() {
        "/shed" => vec![answer(429, &[], "")],
        "/500" => vec![answer(500, &[], "")],
        "/hang" => vec![Do::Hang],
        "/placed" => ok(r#"{"state":"placed"}"#),
        _ => ok(""),
    }
}

/// Started, ok, failed and shed.
fn ends(told: &Told) -> (u64, u64, u64, u64) {
    told.visits
        .iter()
        .fold((0, 0, 0, 0), |sum, cell| (sum.0 + cell.started, sum.1 + cell.ok, sum.2 + cell.failed, sum.3 + cell.shed))
}

type Way = (&'static str, fn(&Crews));

#[test]
fn every_started_visit_comes_to_one_end_however_the_run_ends() {
    let server = Scripted::start(script);
    let ways: [Way; 5] = [
        ("by itself", |_| {}),
        ("drained", Crews::drain),
        ("dropped", Crews::drop_load),
        ("drained and dropped", |crews| {
            crews.drain();
            crews.drop_load();
        }),
        ("finished at once", Crews::finish),
    ];
    for (way, end) in ways {
        for workers in [1, 2] {
            let options = Options { workers: Some(workers), spin: None };
            let told = run_with(all_kinds(&server), options, |crews, window| {
                if window.second == 0 {
                    end(crews);
                }
            });
            let (started, ok, failed, shed) = ends(&told);
            let what = format!("{way}, {workers}: {started} {ok} {failed} {shed}");
            assert_eq!(started, ok + failed + shed, "{what}");
            let planned: u64 = told.windows.iter().map(|window| window.health.planned).sum();
            let first = ["/1", "/3", "/5", "/shed", "/placed", "/500", "/9"];
            let never: u64 = first.iter().map(|step| told.counts(step).unsent_by_generator()).sum();
            assert_eq!(planned, started + never, "{what}, {never} never sent");
            assert!(ok > 0 && failed > ok && shed > 0, "{what}");
            // Whoever was cut off did not come to the steps that lay before; whoever was shed did not either, but
            // that is only counted against anybody where the shedding exceeds what was intended.
            let third = told.counts("/3");
            assert_eq!(told.counts("/4").not_reached, third.base() + third.unsent_by_generator(), "{what}");
            assert_eq!(told.counts("/6").shed_before, told.counts("/shed").shed, "{what}");
            assert!(told.counts("/5").not_reached > 0, "{what}");
        }
    }
}
