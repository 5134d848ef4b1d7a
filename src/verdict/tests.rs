use super::*;
use crate::analysis::sim::{Hurt, Run, Sim, entry, seconds, share, target};
use crate::analysis::{Analysis, Figure, Gap, Missing};
use crate::base::units::{Share, Span};
use crate::plan::{AbortId, Basis, Bound, FaultId, Measure, PhaseId, Quantity, Scope, SteadyId, StepId, Target};
use crate::record::{Book, EndReason, Event, Item, Sight};

fn millis(count: u64) -> Quantity {
    Quantity::Span(Span::millis(count))
}

fn p(q: f64, bound: Quantity) -> Target {
    target(Measure::Percentile(q), Scope::Step(StepId(0)), Bound::AtMost(bound))
}

fn rto(bound: Quantity) -> Target {
    target(Measure::RecoveryTime { to: SteadyId(0) }, Scope::Fault(FaultId(0)), Bound::AtMost(bound))
}

fn availability(least: f64) -> Target {
    target(Measure::Availability, Scope::All, Bound::AtLeast(share(least)))
}

/// 10 s refused of 70 s, at 60/s.
fn drill(targets: Vec<Target>) -> Sim {
    Sim {
        seconds: 70,
        hurts: vec![(Hurt::Refused, 30.0, 40.0)],
        fault: Some((29.98, 40.0)),
        phases: vec![(0.0, 25.0), (25.0, 70.0)],
        targets,
        ..Sim::default()
    }
}

fn judged(run: &Run) -> (Outcome, Analysis) {
    let analysis = run.analysis();
    (outcome(&run.plan, &analysis), analysis)
}

fn of(sim: &Sim) -> Outcome {
    judged(&sim.run()).0
}

/// Another end of the run.
fn ending(run: &mut Run, reason: EndReason) {
    if let Some(Item::Entry(entry)) = run.items.last_mut() {
        entry.event = Event::Ended { reason };
    }
}

fn at_end(run: &mut Run, event: Event) {
    let place = run.items.len() - 1;
    run.items.insert(place, Item::Entry(entry(crate::base::units::At(69_000_000_000), event)));
}

#[test]
fn a_good_drill_passes() {
    let outcome = of(&drill(vec![
        Target { condition: phase(p(0.99, millis(500)), 0), ..p(0.99, millis(500)) },
        rto(seconds(15)),
        availability(0.8),
    ]));
    assert_eq!((outcome.verdict, outcome.exit.code()), (Verdict::Pass, 0), "{outcome:#?}");
    assert_eq!(outcome.causes, []);
    assert!(outcome.targets.iter().all(|target| target.reason == Reason::Met));
    let rto = &outcome.targets[1];
    assert_eq!(rto.faults, [FaultId(0)]);
    assert!((rto.margin.unwrap() - 5.0 / 15.0).abs() < 0.05, "{rto:?}");
}

fn phase(target: Target, phase: u32) -> crate::plan::Condition {
    crate::plan::Condition { phase: Some(PhaseId(phase)), ..target.condition }
}

#[test]
fn a_missed_target_fails_the_run() {
    let outcome = of(&drill(vec![availability(0.8), rto(seconds(5)), p(0.99, seconds(10))]));
    assert_eq!((outcome.verdict, outcome.exit.code()), (Verdict::Fail, 1));
    let verdicts: Vec<(Verdict, &Reason)> = outcome.targets.iter().map(|one| (one.verdict, &one.reason)).collect();
    // One request in seven failed: p99 is slower than any bound.
    assert_eq!(
        verdicts,
        [(Verdict::Pass, &Reason::Met), (Verdict::Fail, &Reason::Missed), (Verdict::Fail, &Reason::Failed)]
    );
    assert_eq!((outcome.targets[2].figure, outcome.targets[2].margin), (Some(Figure::Failed), None));
}

#[test]
fn a_drill_without_traffic_never_passes() {
    for targets in [Vec::new(), vec![rto(seconds(100))], vec![availability(0.1)], vec![p(0.5, seconds(100))]] {
        let outcome = of(&Sim { rate: 0.0, ..drill(targets) });
        assert_eq!((outcome.verdict, outcome.exit.code()), (Verdict::Inconclusive, 3), "{outcome:?}");
        assert!(outcome.causes.contains(&Cause::NoTraffic));
        assert!(
            outcome
                .targets
                .iter()
                .all(|target| target.reason == Reason::NoFigure(Gap::NoData) && target.figure.is_none())
        );
    }
}

#[test]
fn a_fault_that_never_bites_is_inconclusive() {
    let detection = target(Measure::DetectionTime, Scope::Fault(FaultId(0)), Bound::AtMost(seconds(100)));
    let sim = Sim { bites: false, hurts: Vec::new(), ..drill(vec![rto(seconds(100)), detection, availability(0.9)]) };
    let outcome = of(&sim);
    assert_eq!((outcome.verdict, outcome.exit.code()), (Verdict::Inconclusive, 3));
    let because = vec![Sight::NoTarget];
    assert_eq!(outcome.targets[0].reason, Reason::NoFigure(Gap::FaultNotEffective { seen: because.clone() }));
    assert_eq!(outcome.targets[1].reason, Reason::NoFigure(Gap::FaultNotEffective { seen: because.clone() }));
    assert_eq!(outcome.targets[2].verdict, Verdict::Pass);
    assert_eq!(outcome.causes, [Cause::FaultNotEffective { fault: FaultId(0), because }]);
    // With no target about it, the drill is no pass either.
    assert_eq!(of(&Sim { targets: Vec::new(), ..sim.clone() }).verdict, Verdict::Inconclusive);
    // And one that was never ordered.
    let mut run = drill(vec![rto(seconds(100))]).run();
    run.items.retain(|item| !matches!(item, Item::Entry(entry) if matches!(entry.event, Event::Fault { .. })));
    let (outcome, _) = judged(&run);
    assert_eq!(outcome.targets[0].reason, Reason::NoFigure(Gap::FaultNotOrdered));
    assert_eq!(outcome.causes, [Cause::FaultNotOrdered { fault: FaultId(0) }]);
}

#[test]
fn without_a_signal_detection_is_not_measured() {
    let detection = target(Measure::DetectionTime, Scope::Fault(FaultId(0)), Bound::AtMost(seconds(1)));
    let sim = drill(vec![detection]);
    assert_eq!(of(&sim).targets[0].reason, Reason::NoFigure(Gap::NotDetected));
    let mut run = sim.run();
    let place = run.items.iter().position(|item| matches!(item, Item::Window(window) if window.second == 30)).unwrap();
    let turned = Event::Probe { watch: crate::plan::WatchId(0), good: false, why: None };
    run.items.insert(place, Item::Entry(entry(crate::analysis::sim::at(30.5), turned)));
    let (outcome, _) = judged(&run);
    assert_eq!(outcome.targets[0].figure, Some(Figure::Exactly(millis(500))));
    assert_eq!(outcome.verdict, Verdict::Pass);
}

#[test]
fn what_had_not_recovered_fails_only_a_bound_that_was_passed() {
    let mut sim = drill(vec![rto(seconds(10)), rto(seconds(1_000))]);
    sim.hurts = vec![(Hurt::Refused, 30.0, 100.0)];
    let outcome = of(&sim);
    let verdicts: Vec<(Verdict, &Reason)> = outcome.targets.iter().map(|one| (one.verdict, &one.reason)).collect();
    assert_eq!(verdicts, [(Verdict::Fail, &Reason::Missed), (Verdict::Inconclusive, &Reason::NotOver)]);
}

#[test]
fn fault_rates_need_their_windows() {
    let time = |most| {
        let measure = Measure::FaultRate { basis: Basis::Time, per_month: 1.0 };
        target(measure, Scope::All, Bound::AtMost(share(most)))
    };
    let sound = Sim { hurts: Vec::new(), fault: None, ..drill(vec![time(0.001), time(0.02)]) };
    let outcome = of(&sound);
    assert_eq!(outcome.targets[0].reason, Reason::NoFigure(Gap::TooFew { have: 70, need: 1_000 }));
    assert_eq!(outcome.targets[1].verdict, Verdict::Pass);
    // Down windows are enough to fail it.
    assert_eq!(of(&drill(vec![time(0.001)])).targets[0].verdict, Verdict::Fail);
    // Of outages: projected on a month, and never passed while one is open.
    let measure = Measure::FaultRate { basis: Basis::Outages, per_month: 2.0 };
    let outages = target(measure, Scope::All, Bound::AtMost(share(0.001)));
    assert_eq!(of(&drill(vec![outages.clone()])).targets[0].verdict, Verdict::Pass);
    let open = Sim { hurts: vec![(Hurt::Refused, 30.0, 100.0)], ..drill(vec![outages]) };
    assert_eq!(of(&open).targets[0].reason, Reason::NotOver);
}

#[test]
fn too_few_samples_are_inconclusive() {
    let outcome = of(&Sim { rate: 1.0, fault: None, hurts: Vec::new(), ..drill(vec![p(0.99, seconds(1))]) });
    assert_eq!(outcome.targets[0].reason, Reason::NoFigure(Gap::TooFew { have: 70, need: 100 }));
    assert_eq!(outcome.exit.code(), 3);
}

#[test]
fn a_generator_that_lags_is_not_to_be_trusted() {
    // Half a second late for 5 s: with it the bound is missed, without it is not.
    let sim = Sim {
        hurts: Vec::new(),
        fault: None,
        lag: Some((0.5, 20.0, 25.0)),
        ..drill(vec![p(0.99, millis(400)), rto(seconds(1)), p(0.5, millis(400))])
    };
    let outcome = of(&sim);
    let Reason::Generator { doubts } = &outcome.targets[0].reason else { panic!("{:?}", outcome.targets[0]) };
    assert!(matches!(doubts[0], Doubt::Lag { unlagged: Some(Figure::Exactly(_)) }), "{doubts:?}");
    assert!(matches!(doubts[1], Doubt::Late { share, .. } if share.as_f64() > 0.4), "{doubts:?}");
    // The median comes out the same, but half of ten seconds' arrivals were late.
    let Reason::Generator { doubts } = &outcome.targets[2].reason else { panic!("{:?}", outcome.targets[2]) };
    assert!(matches!(doubts[..], [Doubt::Late { .. }]), "{doubts:?}");
    // A phase that was over before is not touched.
    let mut calm = p(0.99, millis(400));
    calm.condition.phase = Some(PhaseId(0));
    let calm = Sim { targets: vec![calm], phases: vec![(0.0, 10.0)], ..sim };
    assert_eq!(of(&calm).verdict, Verdict::Pass);
}

#[test]
fn a_generator_that_does_not_send_is_not_to_be_trusted() {
    let sim = Sim {
        hurts: Vec::new(),
        fault: None,
        drop_every: Some(500),
        ..drill(vec![p(0.9, millis(400)), availability(0.9)])
    };
    let outcome = of(&sim);
    for target in &outcome.targets {
        let Reason::Generator { doubts } = &target.reason else { panic!("{target:?}") };
        assert!(
            matches!(doubts[..], [Doubt::Unsent { share }] if (share.as_f64() - 0.002).abs() < 0.0005),
            "{doubts:?}"
        );
    }
    assert_eq!((outcome.exit.code(), outcome.causes.len()), (3, 0));
    // One arrival in 2,000 is no reason.
    assert_eq!(of(&Sim { drop_every: Some(2_000), ..sim.clone() }).verdict, Verdict::Pass);
    // A tenth of the drill was not there: no pass, whatever the targets are.
    let outcome = of(&Sim { drop_every: Some(10), targets: Vec::new(), ..sim });
    assert!(matches!(outcome.causes[..], [Cause::GeneratorSaturated { .. }]), "{:?}", outcome.causes);
    assert_eq!(outcome.verdict, Verdict::Inconclusive);
}

#[test]
fn a_busy_generator_is_not_to_be_trusted() {
    let mut run = Sim { hurts: Vec::new(), fault: None, ..drill(vec![availability(0.9)]) }.run();
    for item in &mut run.items {
        if let Item::Window(window) = item
            && (40..50).contains(&window.second)
            && window.crew == 1
        {
            window.health.cpu = Span::millis(950);
        }
    }
    let (outcome, _) = judged(&run);
    let Reason::Generator { doubts } = &outcome.targets[0].reason else { panic!("{:?}", outcome.targets[0]) };
    assert!(matches!(doubts[..], [Doubt::Cpu { share: Share(0.9..1.0) }]), "{doubts:?}");
}

#[test]
fn not_reached_steps_stand_against_a_pass() {
    let mut run = Sim { hurts: Vec::new(), fault: None, ..drill(vec![p(0.9, millis(400)), p(0.5, millis(400))]) }.run();
    for item in &mut run.items {
        if let Item::Window(window) = item
            && window.second == 20
        {
            window.cells[1].counts.not_reached = 300;
        }
    }
    let (outcome, _) = judged(&run);
    assert_eq!(outcome.targets[0].reason, Reason::NotReached { count: 600 });
    assert_eq!(outcome.targets[1].verdict, Verdict::Pass);
}

#[test]
fn missing_windows_are_inconclusive_where_they_lie() {
    let mut first = availability(0.5);
    first.condition.phase = Some(PhaseId(0));
    let mut run = drill(vec![first, availability(0.5)]).run();
    for item in &mut run.items {
        if let Item::Entry(entry) = item
            && let Event::SecondClosed { second: 33, missing } = &mut entry.event
        {
            missing.push(1);
        }
    }
    run.items.retain(|item| !matches!(item, Item::Window(window) if window.second == 33 && window.crew == 1));
    let (outcome, _) = judged(&run);
    assert_eq!(outcome.targets[0].verdict, Verdict::Pass);
    assert_eq!(outcome.targets[1].reason, Reason::DataMissing { missing: vec![Missing { second: 33, crew: 1 }] });
}

/// A drill whose fault met nobody says nothing about the way back from it.
#[test]
fn a_fault_in_whose_time_nothing_was_seen_is_inconclusive() {
    let mut run = Sim { hurts: Vec::new(), ..drill(vec![rto(seconds(15))]) }.run();
    assert_eq!(judged(&run).0.targets[0].verdict, Verdict::Pass);
    for item in &mut run.items {
        if let Item::Window(window) = item
            && window.second >= 31
        {
            window.cells.retain(|cell| cell.book != Book::Seconds);
        }
    }
    let (outcome, _) = judged(&run);
    assert_eq!(outcome.targets[0].verdict, Verdict::Inconclusive);
    assert!(matches!(outcome.targets[0].reason, Reason::NoFigure(Gap::Unseen { .. })), "{:?}", outcome.targets[0]);
}

#[test]
fn how_a_run_ended_is_in_its_exit_code() {
    let with = |reason, events: Vec<Event>, targets: Vec<Target>| {
        let mut run = drill(targets).run();
        ending(&mut run, reason);
        events.into_iter().for_each(|event| at_end(&mut run, event));
        judged(&run).0
    };
    let good = || vec![availability(0.5)];
    let bad = || vec![availability(0.99)];
    let aborting = Event::Aborting { abort: AbortId(0) };
    let aborted = with(EndReason::Aborted, vec![aborting.clone()], good());
    assert_eq!((aborted.verdict, aborted.exit.code()), (Verdict::Inconclusive, 4));
    assert_eq!(aborted.causes, [Cause::Aborted { abort: AbortId(0) }]);
    let aborted = with(EndReason::Aborted, vec![aborting], bad());
    assert_eq!((aborted.verdict, aborted.exit.code()), (Verdict::Fail, 4));
    let interrupted = with(EndReason::Interrupted, Vec::new(), good());
    assert_eq!((interrupted.verdict, interrupted.exit.code()), (Verdict::Inconclusive, 4));
    let unsteady = with(EndReason::NotSteady, vec![Event::SteadyMissed { steady: SteadyId(0) }], bad());
    assert_eq!((unsteady.verdict, unsteady.exit.code()), (Verdict::Inconclusive, 3));
    assert_eq!(unsteady.causes, [Cause::NotSteady { steady: SteadyId(0) }]);
    let lost = with(EndReason::RecordLost, Vec::new(), bad());
    assert_eq!((lost.verdict, lost.exit.code()), (Verdict::Inconclusive, 3));
    let failed = with(EndReason::HarnessFailed, Vec::new(), bad());
    assert_eq!((failed.verdict, failed.exit.code()), (Verdict::Inconclusive, 3));
    let residue = Event::Residue { what: "a process".into(), command: "kill 5".into() };
    let residue = with(EndReason::Finished, vec![residue], good());
    assert_eq!((residue.verdict, residue.exit.code()), (Verdict::Fail, 5));
    assert_eq!(residue.targets[0].verdict, Verdict::Pass);
}

#[test]
fn a_record_that_breaks_off_is_inconclusive() {
    let mut run = drill(vec![availability(0.5), availability(0.99)]).run();
    let place = run.items.iter().position(|item| matches!(item, Item::Window(window) if window.second == 50)).unwrap();
    run.items.truncate(place);
    let (outcome, analysis) = judged(&run);
    assert_eq!(outcome.causes, [Cause::BrokenOff]);
    assert_eq!(analysis.load.unwrap().to.second(), 50);
    assert_eq!(outcome.targets[0].reason, Reason::CutShort);
    assert_eq!(outcome.targets[1].verdict, Verdict::Fail);
    // Whatever is left: never a pass, never a crash.
    while !run.items.is_empty() {
        run.items.truncate(run.items.len() / 2);
        assert_ne!(judged(&run).0.verdict, Verdict::Pass);
    }
}

#[test]
fn cutting_short_leaves_finished_phases_alone() {
    let mut first = availability(0.9);
    first.condition.phase = Some(PhaseId(0));
    let mut run = drill(vec![first, availability(0.5)]).run();
    for item in &mut run.items {
        if let Item::Entry(entry) = item
            && entry.event == Event::LoadEnded
        {
            entry.at = crate::analysis::sim::at(28.0);
        }
    }
    ending(&mut run, EndReason::Interrupted);
    let (outcome, _) = judged(&run);
    assert_eq!(outcome.targets[0].verdict, Verdict::Pass);
    assert_eq!(outcome.targets[1].reason, Reason::CutShort);
}

#[test]
fn judgements_are_data() {
    let outcome = of(&drill(vec![p(0.99, seconds(10)), rto(seconds(15))]));
    let text = serde_json::to_string(&outcome).unwrap();
    assert_eq!(serde_json::from_str::<Outcome>(&text).unwrap(), outcome);
}
