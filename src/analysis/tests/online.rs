use crate::analysis::sim::{Hurt, Run, Sim, condition, seconds, share, target};
use crate::analysis::{Fold, Missing, Snapshot, Standing};
use crate::base::units::{At, Span};
use crate::plan::{Abort, AbortId, Basis, Bound, Condition, FaultId, Measure, Moment, Quantity, Scope, SteadyId};
use crate::record::{Event, Item};

#[derive(Debug, PartialEq)]
struct Decision {
    standing: Standing,
    held: bool,
    aborting: Option<AbortId>,
    recovered: Option<At>,
    snapshot: Option<Snapshot>,
}

fn sim() -> Sim {
    Sim {
        seconds: 80,
        hurts: vec![(Hurt::Frozen, 30.3, 42.0)],
        fault: Some((30.28, 42.0)),
        stray: 0.001,
        targets: vec![target(Measure::Percentile(0.9), Scope::All, Bound::AtMost(Quantity::Span(Span::SECOND)))],
        ..Sim::default()
    }
}

fn with_abort(mut run: Run, over: u64) -> Run {
    run.plan.aborts.push(Abort {
        name: "collapse".into(),
        title: Default::default(),
        condition: Condition {
            over: Some(Span::seconds(over)),
            ..condition(Measure::Availability, Scope::All, Bound::Below(share(0.5)))
        },
    });
    run
}

fn decisions(run: &Run, items: &[Item]) -> (Vec<Decision>, Fold) {
    let mut fold = Fold::new(&run.plan);
    let mut decisions = Vec::new();
    for item in items {
        fold.item(item);
        if let Item::Entry(entry) = item
            && let Event::SecondClosed { second, .. } = entry.event
        {
            decisions.push(Decision {
                standing: fold.standing(SteadyId(0)),
                held: fold.held_before(SteadyId(0), At(Span::seconds(second + 1).as_nanos())),
                aborting: fold.aborting(),
                recovered: fold.moment(FaultId(0), Moment::Recovered),
                snapshot: fold.snapshot(),
            });
        }
    }
    (decisions, fold)
}

/// Asked at every second, the fold says what it says of the stored run, and in the end the same figures.
#[test]
fn online_is_offline() {
    let run = with_abort(sim().run(), 5);
    let (live, fold) = decisions(&run, &run.items);
    let root = tempfile::tempdir().unwrap();
    let mut writer =
        crate::record::Writer::create(root.path(), "one", &run.plan, None, Box::new(|text| text.into())).unwrap();
    for item in &run.items {
        match item {
            Item::Entry(entry) => writer.entry(entry).unwrap(),
            Item::Window(window) => writer.window(window).unwrap(),
            Item::Vital(vital) => writer.vital(vital).unwrap(),
        }
    }
    let reader = crate::record::Reader::open(writer.folder()).unwrap();
    let plan = reader.plan().clone();
    let stored: Vec<Item> = reader.map(Result::unwrap).collect();
    assert_eq!(plan, run.plan);
    let (replayed, _) = decisions(&run, &stored);
    assert_eq!(live, replayed);
    let offline = crate::analysis::analyse(&plan, stored.into_iter().map(Ok)).unwrap();
    assert_eq!(serde_json::to_string(&fold.finish()).unwrap(), serde_json::to_string(&offline).unwrap());
    // And something was decided.
    assert!(live[5].standing == Standing::Meets && live[33].standing == Standing::Misses);
    assert!(live[29].held && live[40].aborting == Some(AbortId(0)));
    assert!(live[45].recovered.is_none() && live[70].recovered.is_some());
}

#[test]
fn a_snapshot_is_the_last_second() {
    let run = sim().run();
    let (live, _) = decisions(&run, &run.items);
    let calm = live[20].snapshot.clone().unwrap();
    assert_eq!((calm.second, calm.planned, calm.released, calm.down), (20, 60, 60, false));
    assert!(calm.p50.unwrap() < Span::millis(100) && calm.p99.is_none());
    let frozen = live[38].snapshot.clone().unwrap();
    assert_eq!((frozen.ok, frozen.down, frozen.steady.clone()), (0, true, vec![Standing::Misses]));
    assert_eq!(frozen.bad_share.unwrap().as_f64(), 1.0);
    assert_eq!((frozen.waiting, frozen.bad), (300, 60));
    assert_eq!(Fold::new(&run.plan).snapshot(), None);
}

#[test]
fn an_abort_needs_its_whole_window_and_data() {
    // Broken from the very first request, watched over 30 s.
    let broken = Sim { hurts: vec![(Hurt::Refused, 0.0, 100.0)], fault: None, ..sim() };
    let run = with_abort(broken.run(), 30);
    let (live, _) = decisions(&run, &run.items);
    assert_eq!(live.iter().position(|decision| decision.aborting.is_some()), Some(29));
    let silent = with_abort(Sim { rate: 0.0, fault: None, ..sim() }.run(), 5);
    let (live, _) = decisions(&silent, &silent.items);
    assert!(live.iter().all(|decision| decision.aborting.is_none()));
}

#[test]
fn the_steady_state_must_have_held_in_the_last_thirty_seconds() {
    let mut broken = sim();
    broken.hurts = vec![(Hurt::Refused, 20.0, 75.0)];
    broken.fault = None;
    let run = broken.run();
    let (live, fold) = decisions(&run, &run.items);
    let first = live.iter().position(|decision| decision.held).unwrap();
    assert_eq!(first, 9);
    let at = |second: u64| At(Span::seconds(second).as_nanos());
    // It last held at the end of the second before 20 s.
    assert!(fold.held_before(SteadyId(0), at(50)) && !fold.held_before(SteadyId(0), at(51)));
}

/// Has worker 0 hand `second` over after its closing; `never`: not at all.
fn lag_behind(run: &mut Run, second: u64, never: bool) {
    let place = |items: &[Item], of: &dyn Fn(&Item) -> bool| items.iter().position(of).unwrap();
    let theirs = |item: &Item| matches!(item, Item::Window(window) if window.second == second && window.crew == 0);
    let window = run.items.remove(place(&run.items, &theirs));
    let closing = |item: &Item| matches!(item, Item::Entry(entry) if matches!(&entry.event, Event::SecondClosed { second: s, .. } if *s == second));
    let closed = place(&run.items, &closing);
    let Item::Entry(entry) = &mut run.items[closed] else { unreachable!() };
    entry.event = Event::SecondClosed { second, missing: vec![0] };
    if !never {
        run.items.insert(closed + 1, window);
    }
}

/// A window that comes after its second was closed changes no decision, is in the figures, and its lateness is said.
#[test]
fn a_late_window_is_counted_and_decides_nothing() {
    let sound = sim().run();
    let mut run = sim().run();
    lag_behind(&mut run, 25, false);
    let (live, fold) = decisions(&run, &run.items);
    assert!((28..=31).contains(&live[25].snapshot.clone().unwrap().ok));
    // With a worker missing nothing is met; with its window here, the next one is whole.
    assert_eq!([24, 25, 26].map(|second| live[second].standing), [Standing::Meets, Standing::Unknown, Standing::Meets]);
    let analysis = fold.finish();
    assert!(analysis.missing.is_empty());
    assert_eq!(analysis.late, [Missing { second: 25, crew: 0 }]);
    assert_eq!(analysis.curves[0].points, sound.analysis().curves[0].points);
    assert_eq!(analysis.tables[0].rows[0].requests, 80 * 60);
    // Never handed over: seen, not averaged away.
    let mut run = sim().run();
    lag_behind(&mut run, 25, true);
    let (live, fold) = decisions(&run, &run.items);
    assert!((25..30).all(|second| live[second].standing == Standing::Unknown), "until it has left the window");
    assert_eq!(live[30].standing, Standing::Meets);
    let analysis = fold.finish();
    assert_eq!((analysis.missing, analysis.late), (vec![Missing { second: 25, crew: 0 }], vec![]));
}

/// What was decided on a second that somebody had not handed over could have come out otherwise: said of the targets that
/// it could change, and of no others.
#[test]
fn a_late_window_is_a_doubt_where_it_could_change_the_answer() {
    let bound = |most| Bound::AtMost(seconds(most));
    let recovery = |most| target(Measure::RecoveryTime { to: SteadyId(0) }, Scope::Fault(FaultId(0)), bound(most));
    let time = Measure::FaultRate { basis: Basis::Time, per_month: 1.0 };
    let sim = Sim {
        hurts: vec![(Hurt::Refused, 30.0, 40.0)],
        fault: Some((29.98, 40.0)),
        targets: vec![
            target(Measure::Downtime, Scope::All, bound(10)),
            target(Measure::Downtime, Scope::All, bound(20)),
            target(time, Scope::All, Bound::AtMost(share(10.0 / 90.0))),
            recovery(30),
            target(Measure::Availability, Scope::All, Bound::AtLeast(share(0.5))),
            target(Measure::Shed, Scope::All, Bound::AtMost(share(0.5))),
        ],
        ..Sim::default()
    };
    let doubts = |second: u64, never: bool| {
        let mut run = sim.run();
        lag_behind(&mut run, second, never);
        let doubts = run.analysis().targets.into_iter().map(|measured| {
            assert!(measured.figure.is_some(), "{measured:?}");
            assert!(measured.lacks.iter().all(|lack| *lack == Missing { second, crew: 0 }));
            !measured.lacks.is_empty()
        });
        doubts.collect::<Vec<bool>>()
    };
    // In sound time, far from the outage: one more second of downtime than the closest bounds allow.
    assert_eq!(doubts(60, false), [true, false, true, false, false, false]);
    assert_eq!(doubts(60, true), [true, false, true, false, true, true]);
    // Where the outage began and ended; not in its middle.
    assert_eq!(doubts(30, false), [false, false, false, true, false, false]);
    assert_eq!(doubts(35, false), [false, false, false, false, false, false]);
    assert_eq!(doubts(41, false), [true, false, true, true, false, false]);
}
