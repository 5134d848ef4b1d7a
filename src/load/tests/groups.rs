use super::support::{Maker, run, run_with, text};
use crate::base::units::{At, Span};
use crate::load::Options;
use crate::plan::{Action, Capture, CaptureFrom, OnFailure, Repeat, StatusSet, Think, Turns};
use crate::record::{BadKind, Book};
use crate::wire::scripted::{Do, Scripted, answer, ok};

fn slow(millis: u64) -> Vec<Do> {
    vec![Do::Wait(Span::millis(millis)), answer(200, &[], "")]
}

fn think(millis: u64) -> Action {
    Action::Think(Think::Fixed(Span::millis(millis)))
}

/// Its time is that of its steps: no thinking, and nothing of what lies before and after.
#[test]
fn the_time_of_a_group_is_that_of_its_steps_without_thinking() {
    let server = Scripted::start(|seen| match seen.path.as_str() {
        "/cart" => slow(40),
        "/pay" => slow(60),
        _ => slow(20),
    });
    let mut maker = Maker::new(&server.url());
    let steps = vec![maker.get("/cart"), think(700), maker.get("/pay"), think(700)];
    let before = maker.get("/before");
    let checkout = maker.group("checkout", steps);
    let after = maker.get("/after");
    let told = run(maker.only(vec![before, think(100), checkout, after], 10.0, Span::SECOND));
    let group = told.planned("checkout");
    assert_eq!((group.counts.ok, group.counts.base(), group.response.count()), (10, 10, 10));
    for times in [&group.response, &group.service] {
        let (least, most) = (times.at_rank(1).unwrap(), times.max().unwrap());
        assert!(least >= Span::millis(99) && most < Span::millis(600), "{least} to {most}");
    }
    assert_eq!(told.settled("checkout").counts, group.counts);
    assert_eq!(told.settled("checkout").response, group.response);
    assert_eq!(told.counts("/after").ok, 10);
    // A group is planned when its first request is, and not when its visit begins: 120 ms or more after that.
    let first = |step: &str| {
        let settled = |window: &&crate::record::Window| {
            window.cells.iter().any(|cell| cell.series == told.series(step) && cell.counts.ok > 0)
        };
        told.windows.iter().find(settled).map(|window| window.second)
    };
    assert!(first("checkout") > first("/before"), "{:?} {:?}", first("checkout"), first("/before"));
}

#[test]
fn a_failed_step_makes_its_group_bad_and_what_lies_beyond_is_not_reached() {
    let server = Scripted::start(|seen| match seen.path.as_str() {
        "/no" => vec![answer(503, &[], "")],
        "/full" => vec![answer(429, &[], "")],
        _ => ok(""),
    });
    let mut maker = Maker::new(&server.url());
    let shed = |request: &mut crate::plan::Request| request.expect.shed = vec![StatusSet::Exactly(429)];
    let go_on = |request: &mut crate::plan::Request| request.on_failure = OnFailure::Continue;
    let (no, full, fine) = (maker.get_with("/no", go_on), maker.get_with("/full", shed), maker.get("/fine"));
    let good = maker.group("good", vec![fine.clone()]);
    let stained = maker.group("stained", vec![no.clone(), fine.clone()]);
    let inner = maker.group("inner", vec![no.clone(), fine.clone()]);
    let outer = maker.group("outer", vec![fine.clone(), inner]);
    let turned_away = maker.group("turned away", vec![full, fine.clone()]);
    let never = maker.group("never", vec![fine]);
    let never = Action::Repeat(Repeat { turns: Turns::Times(3), actions: vec![never] });
    let told = run(maker.only(vec![good, stained, outer, turned_away, never], 5.0, Span::SECOND));
    let counts = |step: &str| {
        let counts = told.counts(step);
        (counts.ok, counts.bad, counts.shed, counts.not_reached + counts.shed_before)
    };
    let status = || vec![(BadKind::Status, 5)];
    assert_eq!(counts("good"), (5, vec![], 0, 0));
    assert_eq!(counts("stained"), (0, status(), 0, 0));
    assert_eq!(counts("inner"), (0, status(), 0, 0));
    assert_eq!(counts("outer"), (0, status(), 0, 0));
    assert_eq!(counts("turned away"), (0, vec![], 5, 0));
    assert_eq!(counts("never"), (0, vec![], 0, 15));
    assert_eq!(told.settled("outer").counts, told.counts("outer"));
    assert!(told.failures.iter().all(|failure| failure.series == told.series("/no")), "a group has no samples");
}

/// The platform is silent for longer than anybody waits: the second in which patience ends has the group as bad.
#[test]
fn a_group_is_settled_when_the_patience_of_its_request_ends() {
    let server = Scripted::start(|seen| if seen.path == "/silent" { slow(2_600) } else { ok("") });
    let mut maker = Maker::new(&server.url());
    maker.plan.limits.patience = Span::millis(300);
    let steps = vec![maker.get("/quick"), maker.get("/silent")];
    let group = maker.group("both", steps);
    let told =
        run_with(maker.only(vec![group], 4.0, Span::SECOND), Options { workers: Some(1), spin: None }, |_, _| {});
    assert_eq!(told.counts("both").ok, 4);
    assert_eq!(told.settled("both").counts.bad, [(BadKind::Late, 4)]);
    let of = |second: u64| {
        let windows = told.windows.iter().filter(move |window| window.second == second);
        let cells = windows.flat_map(|window| &window.cells);
        cells.filter(|cell| cell.series == told.series("both") && cell.book == Book::Seconds).cloned().next_back()
    };
    // The first of them, planned at 0: late within the second; the last, planned at 0.75, waits as the second closes.
    let first = of(0).unwrap();
    assert!(first.counts.bad() >= 2 && first.waiting >= 1, "{first:?}");
    assert!(first.oldest_waiting > Some(At(0)));
    assert_eq!(of(2).map_or(0, |cell| cell.waiting), 0, "what is settled does not wait");
}

#[test]
fn a_visit_that_is_stuck_or_cut_off_leaves_no_group_open() {
    let server = Scripted::start(|_| ok(r#"{"list":[]}"#));
    let mut maker = Maker::new(&server.url());
    maker.plan.limits.drain = Span::millis(100);
    let stuck = Action::Let(vec![("x".to_owned(), text("{{ list[0].id }}"))]);
    let list =
        Capture { name: "list".to_owned(), from: CaptureFrom::Json("$.list".to_owned()), secret: false, figure: None };
    let first = maker.get_with("/first", |request| request.captures = vec![list]);
    let second = maker.get("/second");
    let group = maker.group("stuck", vec![first.clone(), stuck, second]);
    let stuck = maker.journey("stuck", vec![group]);
    let group = maker.group("cut", vec![first, think(60_000)]);
    let cut = maker.journey("cut", vec![group]);
    for journey in [stuck, cut] {
        maker.load(&[(journey, 1.0)], crate::plan::Spacing::Even, 4.0, Span::SECOND);
    }
    let told = run(maker.plan);
    assert_eq!(told.counts("stuck").bad, [(BadKind::Template, 4)]);
    assert_eq!(told.counts("cut").bad, [(BadKind::Abandoned, 4)]);
}
