use crate::analysis::sim::{Hurt, Sim, seconds, share, target};
use crate::analysis::{Detail, Figure, Gap};
use crate::base::units::{Share, Span};
use crate::plan::{Basis, Bound, FaultId, JourneyId, Measure, Quantity, Scope, Spacing, SteadyId, StepId};
use crate::record::{BadKind, Book, Item};

/// On a 10 s outage, refused or frozen with 5 s timeouts: 9 to 10 s (an edge more or less), at 5/s and more.
#[test]
fn down_windows_are_as_long_as_the_outage() {
    for hurt in [Hurt::Refused, Hurt::Frozen] {
        for rate in [5.0, 24.0, 120.0] {
            if cfg!(debug_assertions) && rate > 100.0 {
                continue;
            }
            for (seed, offset) in [0.0, 0.3, 0.5, 0.8].into_iter().enumerate() {
                let from = 20.0 + offset;
                let sim = Sim {
                    rate,
                    seed: seed as u64,
                    spacing: Spacing::Poisson,
                    seconds: 50,
                    hurts: vec![(hurt, from, from + 10.0)],
                    latency: false,
                    targets: vec![target(Measure::Downtime, Scope::All, Bound::AtMost(seconds(1)))],
                    ..Sim::default()
                };
                let measured = &sim.run().analysis().targets[0];
                let Some(Figure::Exactly(Quantity::Span(down))) = measured.figure else { panic!("{measured:?}") };
                let down = down.as_seconds_f64();
                assert!((9.0..=11.0).contains(&down), "{hurt:?} at {rate}/s from {from}: {down}");
            }
        }
    }
}

#[test]
fn sound_runs_have_no_down_window() {
    for seed in (0..60).step_by(if cfg!(debug_assertions) { 6 } else { 1 }) {
        let sim = Sim {
            seed,
            rate: [5.0, 24.0, 60.0][seed as usize % 7 % 3],
            spacing: Spacing::Poisson,
            seconds: 60,
            stray: 0.0005,
            ..Sim::default()
        };
        let analysis = sim.run().analysis();
        assert!(analysis.down.is_empty(), "seed {seed}: {:?}", analysis.down);
    }
}

#[test]
fn a_second_in_which_nothing_happened_keeps_the_state() {
    // One arrival in 4 s: most seconds are empty. It hangs from 20 s to 40 s.
    let sim = Sim { rate: 0.25, seconds: 80, hurts: vec![(Hurt::Refused, 20.0, 40.0)], ..Sim::default() };
    let analysis = sim.run().analysis();
    assert_eq!(analysis.down.len(), 1, "{:?}", analysis.down);
    // The first refused arrival comes at 22 s; the next good one at 42 s is answered in the second after.
    assert_eq!((analysis.down[0].window.from.second(), analysis.down[0].window.to.second()), (22, 43));
}

#[test]
fn a_frozen_second_with_a_within_is_down_when_that_is_over() {
    let sim = Sim {
        rate: 10.0,
        seconds: 40,
        within: Some(Span::seconds(3)),
        hurts: vec![(Hurt::Frozen, 20.04, 30.04)],
        latency: false,
        ..Sim::default()
    };
    let analysis = sim.run().analysis();
    // What came at 20 s may take until 23 s; then it is late, second after second. From 30 s on it is answered in the
    // order of its coming, and too late at first.
    assert_eq!(analysis.down[0].window.from.second(), 23);
    assert_eq!(analysis.down[0].window.to.second(), 31);
}

#[test]
fn fault_rates_have_their_basis() {
    let outages = Measure::FaultRate { basis: Basis::Outages, per_month: 1.0 };
    let time = Measure::FaultRate { basis: Basis::Time, per_month: 1.0 };
    let bound = Bound::AtMost(share(0.001));
    let targets = vec![target(outages, Scope::All, bound), target(time, Scope::All, bound)];
    let sim = Sim {
        seconds: 90,
        hurts: vec![(Hurt::Refused, 30.0, 40.0)],
        fault: Some((29.98, 40.0)),
        targets: targets.clone(),
        ..Sim::default()
    };
    let of = |sim: &Sim, index: usize| sim.run().analysis().targets[index].clone();
    let Some(Figure::Exactly(Quantity::Share(Share(rate)))) = of(&sim, 0).figure else { panic!("no rate") };
    assert!((rate - 10.0 / 2_592_000.0).abs() < 1e-9, "{rate}");
    let Some(Figure::Exactly(Quantity::Share(Share(rate)))) = of(&sim, 1).figure else { panic!("no rate") };
    assert!((rate - 10.0 / 90.0).abs() < 1e-9, "{rate}");
    // Down windows outside every outage.
    let stray = Sim { hurts: vec![(Hurt::Refused, 30.0, 40.0), (Hurt::Refused, 70.0, 73.0)], ..sim.clone() };
    let measured = of(&stray, 0);
    assert!(matches!(measured.figure, Some(Figure::MoreThan(_))), "{measured:?}");
    let Detail::FaultRate { stray, downtime, .. } = measured.detail else { panic!("no detail") };
    assert_eq!((stray, downtime), (Span::seconds(3), Span::seconds(10)));
    // An outage that is not over.
    let open = Sim { hurts: vec![(Hurt::Refused, 30.0, 200.0)], ..sim.clone() };
    assert!(matches!(of(&open, 0).figure, Some(Figure::MoreThan(_))));
    // Nothing down: at most three windows' share.
    let sound = Sim { hurts: Vec::new(), fault: None, ..sim };
    let Detail::FaultRate { at_most, .. } = of(&sound, 1).detail else { panic!("no detail") };
    assert_eq!(at_most, Some(Share(3.0 / 90.0)));
}

#[test]
fn shedding_is_bad_beyond_its_limit_only() {
    let mut sim = Sim {
        seconds: 60,
        hurts: vec![(Hurt::Shedding, 20.0, 30.0)],
        phases: vec![(15.0, 35.0)],
        shed: Some(Share(0.6)),
        ..Sim::default()
    };
    let analysis = sim.run().analysis();
    // In a window all are shed: 40 % of them too many, and none of what completed in it was ok.
    assert_eq!(analysis.down.len(), 1);
    // In the phase half of them are: within the limit.
    let row = &analysis.tables[1].rows[0];
    assert_eq!((row.shed, row.bad(), row.ok), (600, 0, 600));
    assert_eq!(row.availability, Some(Share(1.0)));
    sim.shed = Some(Share(0.4));
    let row = sim.run().analysis().tables[1].rows[0].clone();
    assert_eq!((row.shed, row.bad), (480, vec![(BadKind::ExcessShed, 120)]));
    sim.shed = Some(Share(1.0));
    assert!(sim.run().analysis().down.is_empty());
}

/// Visits that were shed stand apart up to the limit, in every figure of their journey; beyond it they are bad.
#[test]
fn a_journey_accounts_for_every_visit_that_was_started() {
    let journey = Scope::Journey(JourneyId(0));
    let apdex = Measure::Apdex { satisfied: Span::SECOND };
    let mut sim = Sim {
        rate: 10.0,
        seconds: 60,
        hurts: vec![(Hurt::Shedding, 20.0, 30.0), (Hurt::Refused, 40.0, 41.0)],
        fault: None,
        shed: Some(Share(0.2)),
        targets: vec![
            target(Measure::Availability, journey, Bound::AtLeast(share(0.95))),
            target(Measure::Percentile(0.9), journey, Bound::AtMost(seconds(1))),
            target(apdex, journey, Bound::AtLeast(share(0.9))),
            target(Measure::NotReached, Scope::Step(StepId(0)), Bound::AtMost(Quantity::Count(0))),
        ],
        ..Sim::default()
    };
    let of = |sim: &Sim| {
        let mut run = sim.run();
        for item in &mut run.items {
            if let Item::Window(window) = item {
                let cells = window.cells.iter_mut().filter(|cell| matches!(cell.book, Book::Leg(_)));
                cells.for_each(|cell| cell.counts.shed_before = 2 * cell.counts.shed);
            }
        }
        let analysis = run.analysis();
        let figures: Vec<Figure> = analysis.targets.iter().map(|measured| measured.figure.unwrap()).collect();
        (analysis.tables[0].visits[0].clone(), figures)
    };
    // 600 visits, 100 of them shed, 10 refused; 120 may be.
    let (visits, figures) = of(&sim);
    assert_eq!((visits.started, visits.ok, visits.failed, visits.shed), (600, 490, 10, 100));
    assert_eq!(visits.availability, Some(Share(490.0 / 500.0)));
    assert_eq!(figures[0], Figure::Exactly(share(490.0 / 500.0)));
    assert!(matches!(figures[1], Figure::Exactly(_)), "{figures:?}");
    assert_eq!(figures[2], Figure::Exactly(Quantity::Number(490.0 / 500.0)));
    assert_eq!(figures[3], Figure::Exactly(Quantity::Count(0)));
    // 30 may be: 70 are bad, and 140 steps were not reached.
    sim.shed = Some(Share(0.05));
    let (visits, figures) = of(&sim);
    assert_eq!((visits.started, visits.ok, visits.failed, visits.shed), (600, 490, 80, 30));
    assert_eq!(visits.availability, Some(Share(490.0 / 570.0)));
    assert_eq!(figures[0], Figure::Exactly(share(490.0 / 570.0)));
    assert_eq!(figures[1], Figure::Failed);
    assert_eq!(figures[2], Figure::Exactly(Quantity::Number(490.0 / 570.0)));
    assert_eq!(figures[3], Figure::Exactly(Quantity::Count(140)));
}

/// The same in a steady state, window by window.
#[test]
fn visits_shed_beyond_the_limit_break_a_steady_state() {
    let standings = |limit: f64| {
        let sim = Sim {
            seconds: 60,
            hurts: vec![(Hurt::Shedding, 20.0, 25.0)],
            fault: Some((19.98, 25.0)),
            shed: Some(Share(limit)),
            ..Sim::default()
        };
        let mut run = sim.run();
        let must = &mut run.plan.steady_states[0].must;
        must.truncate(1);
        must[0].scope = Scope::Journey(JourneyId(0));
        // Down windows are another matter.
        run.plan.limits.down_below = Share(0.0);
        run.analysis().faults[0].recoveries[0].breach
    };
    assert_eq!(standings(1.0), None);
    let breach = standings(0.3).expect("a breach").as_seconds_f64();
    assert!((20.0..20.1).contains(&breach), "{breach}");
}

#[test]
fn no_data_is_no_figure() {
    let all = |measure| target(measure, Scope::All, Bound::AtMost(share(1.0)));
    let fault = |measure| target(measure, Scope::Fault(FaultId(0)), Bound::AtMost(seconds(1_000)));
    let objective = Share(0.99);
    let sim = Sim {
        rate: 0.0,
        fault: Some((30.0, 40.0)),
        targets: vec![
            all(Measure::Percentile(0.5)),
            all(Measure::Availability),
            all(Measure::Throughput),
            all(Measure::Shed),
            all(Measure::Unsent),
            all(Measure::NotReached),
            all(Measure::Downtime),
            all(Measure::FaultRate { basis: Basis::Time, per_month: 1.0 }),
            all(Measure::Apdex { satisfied: Span::SECOND }),
            all(Measure::BudgetLeft { objective }),
            all(Measure::BurnRate { objective }),
            all(Measure::Max),
            all(Measure::Mean),
            all(Measure::Cpu),
            fault(Measure::RecoveryTime { to: SteadyId(0) }),
            fault(Measure::DegradedTime { to: SteadyId(0) }),
        ],
        ..Sim::default()
    };
    for measured in sim.run().analysis().targets {
        assert_eq!((measured.figure, measured.gap.clone()), (None, Some(Gap::NoData)), "{measured:?}");
    }
}

#[test]
fn a_request_counts_in_every_phase_that_it_was_planned_in() {
    let sim = Sim {
        rate: 100.0,
        seconds: 60,
        phases: vec![(0.0, 10.0), (0.0, 40.0), (5.0, 8.0), (30.0, 50.0)],
        hurts: vec![(Hurt::Refused, 2.0, 6.0)],
        ..Sim::default()
    };
    let analysis = sim.run().analysis();
    let rows: Vec<(u64, u64)> =
        analysis.tables.iter().map(|table| (table.rows[0].requests, table.rows[0].ok)).collect();
    assert_eq!(rows, [(6_000, 5_600), (1_000, 600), (4_000, 3_600), (300, 200), (2_000, 2_000)]);
}

#[test]
fn a_phase_is_charged_for_the_stalls_that_its_arrivals_met() {
    let sim = Sim {
        rate: 100.0,
        seconds: 60,
        phases: vec![(10.0, 20.0), (20.0, 30.0)],
        hurts: vec![(Hurt::Frozen, 19.0, 21.0)],
        targets: vec![target(Measure::Max, Scope::Step(StepId(0)), Bound::AtMost(seconds(1)))],
        ..Sim::default()
    };
    let analysis = sim.run().analysis();
    let max = |table: usize| analysis.tables[table].rows[0].max.unwrap().as_seconds_f64();
    assert!((1.9..2.4).contains(&max(1)) && (0.9..1.6).contains(&max(2)), "{} {}", max(1), max(2));
    let row = &analysis.tables[1].rows[0];
    assert_eq!(row.requests, 1_000);
    // By *done*: what came in the last second of the first phase was answered in the second.
    assert!(row.throughput.unwrap().as_per_second() < 92.0);
    assert!(analysis.tables[2].rows[0].throughput.unwrap().as_per_second() > 108.0);
    assert!((analysis.tables[0].rows[0].throughput.unwrap().as_per_second() - 100.0).abs() < 0.5);
    assert_eq!(analysis.tables[0].rows[0].requests, 6_000);
}
