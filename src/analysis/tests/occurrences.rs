//! Faults that come several times, and those that are left to the platform.

use crate::analysis::sim::{Hurt, Run, Sim, at, entry, seconds, target};
use crate::analysis::{Figure, Gap};
use crate::base::units::Span;
use crate::plan::{Bound, End, FaultId, Measure, Quantity, Scope, SteadyId, Undo};
use crate::record::{Event, FaultEvent, Item, Sight};
use crate::verdict::{Reason, Verdict};

fn recovery(most: u64) -> Vec<crate::plan::Target> {
    let measure = Measure::RecoveryTime { to: SteadyId(0) };
    vec![target(measure, Scope::Occurrences(FaultId(0)), Bound::AtMost(seconds(most)))]
}

/// One fault at 30 s and another like it at 60 s, which hurt for 4 s and for 9 s.
fn twice(most: u64, bites: bool) -> Run {
    twice_in(120, most, bites)
}

/// The same in a drill of so many seconds.
fn twice_in(seconds: u64, most: u64, bites: bool) -> Run {
    let sim = Sim {
        seconds,
        fault: Some((30.0, 34.0)),
        hurts: vec![(Hurt::Refused, 30.0, 34.0), (Hurt::Refused, 60.0, 69.0)],
        targets: recovery(most),
        ..Sim::default()
    };
    let mut run = sim.run();
    run.plan.faults[0].of = Some("lose".to_owned());
    let mut second = run.plan.faults[0].clone();
    second.name = "lose_2".to_owned();
    run.plan.faults.push(second);
    let fault = |what| Event::Fault { fault: FaultId(1), what };
    let events = [
        (60.0, fault(FaultEvent::Ordered)),
        (
            60.02,
            fault(if bites {
                FaultEvent::Effective { proof: Vec::new() }
            } else {
                FaultEvent::NotEffective { why: vec![Sight::NoTarget] }
            }),
        ),
        (69.0, fault(FaultEvent::Healed { proof: Vec::new() })),
    ];
    for (second, event) in
        events.into_iter().filter(|(second, _)| (bites || *second < 69.0) && *second < seconds as f64)
    {
        let place = run.items.iter().position(|item| matches!(item, Item::Entry(entry) if entry.at > at(second)));
        run.items.insert(place.expect("a later entry"), Item::Entry(entry(at(second), event)));
    }
    run
}

/// The judgement of the one target.
fn judged(run: &Run) -> crate::verdict::Judgement {
    crate::verdict::outcome(&run.plan, &run.analysis()).targets.remove(0)
}

#[test]
fn the_worst_occurrence_is_judged_and_named() {
    let judged = judged(&twice(5, true));
    assert_eq!((judged.occurrence, judged.verdict), (Some(FaultId(1)), Verdict::Fail));
    let Some(Figure::Exactly(Quantity::Span(time))) = judged.figure else { panic!("{judged:?}") };
    assert!((8.0..11.0).contains(&time.as_seconds_f64()), "{time}");
}

#[test]
fn an_occurrence_that_did_not_bite_leaves_the_target_open_unless_another_missed_it() {
    let open = judged(&twice(20, false));
    assert_eq!((open.occurrence, open.verdict), (Some(FaultId(1)), Verdict::Inconclusive));
    assert!(matches!(open.reason, Reason::NoFigure(Gap::FaultNotEffective { .. })), "{open:?}");
    let missed = judged(&twice(1, false));
    assert_eq!((missed.occurrence, missed.verdict), (Some(FaultId(0)), Verdict::Fail));
}

#[test]
fn an_occurrence_that_had_not_recovered_when_watching_ended_is_not_hidden_by_one_that_took_longer() {
    // The first recovers in 4 s; the second is still broken 3 s later, when the load ends.
    let run = twice_in(63, 30, true);
    let judged = judged(&run);
    assert_eq!((judged.occurrence, judged.verdict), (Some(FaultId(1)), Verdict::Inconclusive), "{judged:?}");
    assert!(matches!(judged.figure, Some(Figure::MoreThan(_))), "{judged:?}");
}

/// Hurt from 30 s to 34 s, and again for as long from `again` on; left to the platform, as far as `left` says.
fn left_to_the_platform(again: f64, left: bool) -> (Option<Figure>, u32) {
    let sim = Sim {
        seconds: 120,
        hold: 5,
        fault: Some((30.0, 34.0)),
        hurts: vec![(Hurt::Refused, 30.0, 34.0), (Hurt::Refused, again, again + 4.0)],
        ..Sim::default()
    };
    let mut run = sim.run();
    if left {
        run.plan.faults[0].end = End::Platform { undo: Undo::None };
        run.items.retain(|item| !matches!(item, Item::Entry(entry) if matches!(&entry.event, Event::Fault { what: FaultEvent::Healed { .. }, .. })));
    }
    let recovery = run.analysis().faults[0].recoveries[0].clone();
    (recovery.time, recovery.reopened)
}

#[test]
fn what_is_left_to_the_platform_may_come_back_until_it_has_held_for_two_holds() {
    let span = |figure: Option<Figure>| match figure {
        Some(Figure::Exactly(Quantity::Span(span))) => span.as_seconds_f64(),
        other => panic!("{other:?}"),
    };
    // Recovered at 34 s: the last window that the miss is in ends 5 s later, and two holds are over at about 48 s.
    let (again, reopened) = left_to_the_platform(45.0, true);
    assert_eq!(reopened, 1);
    assert!((18.0..20.5).contains(&span(again)), "{again:?}");
    let (later, reopened) = left_to_the_platform(60.0, true);
    assert_eq!(reopened, 0);
    assert!((3.5..5.5).contains(&span(later)), "{later:?}");
    // What was healed has one hold.
    let (healed, reopened) = left_to_the_platform(45.0, false);
    assert_eq!(reopened, 0);
    assert!((3.5..5.5).contains(&span(healed)), "{healed:?}");
}

#[test]
fn what_is_left_to_the_platform_and_hurts_nobody_has_recovered_once_two_holds_were_seen() {
    let sim = Sim { fault: Some((30.0, 34.0)), hold: 5, ..Sim::default() };
    let mut run = sim.run();
    run.plan.faults[0].end = End::Platform { undo: Undo::Start };
    let healed = |item: &Item| matches!(item, Item::Entry(entry) if matches!(&entry.event, Event::Fault { what: FaultEvent::Healed { .. }, .. }));
    run.items.retain(|item| !healed(item));
    let recovery = run.analysis().faults[0].recoveries[0].clone();
    assert_eq!(recovery.time, Some(Figure::Exactly(Quantity::Span(Span::ZERO))));
}
