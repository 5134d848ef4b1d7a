use super::support::{Maker, run_with};
use crate::analysis::{Figure, Fold, Gap};
use crate::base::units::{At, Span};
use crate::load::Options;
use crate::plan::{
    Bound, Capture, CaptureFrom, Condition, FigureId, Measure, NamedFigure, OnFailure, Phase, Plan, Quantity, Scope,
    Spacing, Target, Timing,
};
use crate::record::{BadKind, Book, Entry, Event, Numbers, Window};
use crate::wire::scripted::{Scripted, answer};

fn capture(name: &str, from: CaptureFrom, figure: u32) -> Capture {
    Capture { name: name.to_owned(), from, secret: false, figure: Some(FigureId(figure)) }
}

/// Visits that are told their places in a queue: 1 to 200, in the body and, as a text, in a header.
fn queue(server: &Scripted) -> Plan {
    let mut maker = Maker::new(&server.url());
    maker.plan.figures = ["place", "eta"].map(|name| NamedFigure { name: name.to_owned() }).into();
    let step = maker.get_with("/queue", |request| {
        request.captures = vec![
            capture("place", CaptureFrom::Json("$.place".to_owned()), 0),
            capture("eta", CaptureFrom::Header("x-eta".to_owned()), 1),
        ];
    });
    let journey = maker.journey("only", vec![step]);
    maker.load(&[(journey, 1.0)], Spacing::Even, 100.0, Span::seconds(2));
    let half = |name: &str, from: u64, to: u64| Phase {
        name: name.to_owned(),
        title: Default::default(),
        from: At::START + Span::seconds(from),
        to: At::START + Span::seconds(to),
    };
    maker.plan.phases = vec![half("first", 0, 1), half("second", 1, 2)];
    let target = |measure: Measure, phase: Option<u32>| Target {
        name: measure.to_string(),
        title: Default::default(),
        condition: Condition {
            measure,
            scope: Scope::Figure(FigureId(0)),
            phase: phase.map(crate::plan::PhaseId),
            over: None,
            timing: Timing::Response,
            bound: Bound::AtMost(Quantity::Number(150.0)),
        },
        severity: None,
    };
    maker.plan.targets = vec![
        target(Measure::Percentile(0.5), None),
        target(Measure::Percentile(0.95), Some(1)),
        target(Measure::Percentile(0.999), None),
        target(Measure::Max, None),
        target(Measure::Mean, Some(0)),
    ];
    maker.plan
}

fn entry(at: At, event: Event) -> Entry {
    Entry { at, preparing: false, event }
}

/// Equal to the 3 digits that are kept.
fn near(told: f64, exact: f64) -> bool {
    (told / exact - 1.0).abs() < 0.001
}

#[test]
fn numbers_that_answers_tell_are_figures_that_targets_are_about() {
    let asked = std::sync::atomic::AtomicU64::new(0);
    let server = Scripted::start(move |_| {
        let place = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        let eta = format!(" {}.5 ", place * 2);
        vec![answer(200, &[("x-eta", eta.as_str())], &format!("{{\"place\":{place}}}"))]
    });
    let plan = queue(&server);
    let told = run_with(plan.clone(), Options { workers: Some(2), spin: None }, |_, _| {});
    assert_eq!(told.cell("/queue", Book::Seconds).counts.ok, 200, "{:?}", told.failures);
    let sum = |figure: u32| {
        let mut sum = Numbers::default();
        let cells = told.windows.iter().flat_map(|window: &Window| &window.figures);
        cells.filter(|cell| cell.figure == FigureId(figure)).for_each(|cell| sum.add(&cell.values));
        sum
    };
    assert_eq!((sum(0).count(), sum(1).count()), (200, 200));
    let sums = [sum(0).max(), sum(0).mean(), sum(1).at_rank(1), sum(1).max()].map(Option::unwrap);
    assert!(sums.iter().zip([200.0, 100.5, 2.5, 400.5]).all(|(told, exact)| near(*told, exact)), "{sums:?}");

    let mut fold = Fold::new(&plan);
    fold.entry(&entry(At::START, Event::LoadBegan));
    told.windows.iter().for_each(|window| fold.window(window));
    fold.entry(&entry(At::START + Span::seconds(2), Event::LoadEnded));
    let analysis = fold.finish();
    let figures: Vec<_> = analysis.targets.iter().map(|measured| (measured.figure, measured.samples)).collect();
    let is = |of: usize, exact: f64| match figures[of] {
        (Some(Figure::Exactly(Quantity::Number(value))), 200) => near(value, exact),
        _ => false,
    };
    assert!(is(0, 100.0) && is(3, 200.0), "{figures:?}");
    // Which requests the second half asks is chance at its edge alone.
    let Some(Figure::Exactly(Quantity::Number(high))) = figures[1].0 else { panic!("{figures:?}") };
    assert!((190.0..=198.0).contains(&high) && figures[1].1 == 100, "{figures:?}");
    assert_eq!(figures[2], (None, 200));
    assert_eq!(analysis.targets[2].gap, Some(Gap::TooFew { have: 200, need: 1_000 }));
    let Some(Figure::Exactly(Quantity::Number(mean))) = figures[4].0 else { panic!("{figures:?}") };
    assert!((45.0..=56.0).contains(&mean), "{mean}");
    assert!(analysis.targets.iter().all(|measured| measured.late.is_none() && measured.unlagged.is_none()));
    let row = &analysis.tables[0].figures[1];
    assert!(row.count == 200 && row.max.is_some_and(|max| near(max, 400.5)), "{row:?}");
}

#[test]
fn what_is_no_number_is_a_bad_capture() {
    const TOLD: [(&str, &str, bool); 8] = [
        ("/whole", "7", true),
        ("/zero", "0", true),
        ("/text", "\" 8.5 \"", true),
        ("/below", "-1", false),
        ("/word", "\"many\"", false),
        ("/list", "[1]", false),
        ("/null", "null", false),
        ("/true", "true", false),
    ];
    let server = Scripted::start(|seen| {
        let (_, number, _) = TOLD.iter().find(|(path, ..)| *path == seen.path).unwrap();
        vec![answer(200, &[], &format!("{{\"n\":{number}}}"))]
    });
    let mut maker = Maker::new(&server.url());
    maker.plan.figures = vec![NamedFigure { name: "n".to_owned() }];
    let steps = TOLD.map(|(path, ..)| {
        maker.get_with(path, |request| {
            request.captures = vec![capture("n", CaptureFrom::Json("$.n".to_owned()), 0)];
            request.on_failure = OnFailure::Continue;
        })
    });
    let steps = steps.into();
    let told = run_with(maker.only(steps, 1.0, Span::SECOND), Options { workers: Some(1), spin: None }, |_, _| {});
    for (path, _, good) in TOLD {
        let bad = if good { vec![] } else { vec![(BadKind::Capture, 1)] };
        assert_eq!(told.counts(path).bad, bad, "{path}");
    }
    assert!(told.failures.iter().all(|failure| failure.why.contains("is no number from 0 up")), "{:?}", told.failures);
    let counted: u64 = told.windows.iter().flat_map(|window| &window.figures).map(|cell| cell.values.count()).sum();
    assert_eq!(counted, 3);
}
