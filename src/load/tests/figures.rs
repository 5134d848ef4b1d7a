use super::support::{Maker, run, run_with};
use crate::base::units::Span;
use crate::load::Options;
use crate::plan::arrivals::Schedule;
use crate::plan::{LoadId, Spacing};
use crate::record::UnsentKind;
use crate::wire::scripted::{Scripted, ok};

#[test]
fn every_planned_arrival_is_accounted_for() {
    let server = Scripted::start(|_| ok(""));
    for (rate, spacing, workers) in [(333.0, Spacing::Poisson, 2), (1_000.0, Spacing::Even, 3), (7.0, Spacing::Even, 4)]
    {
        let mut maker = Maker::new(&server.url());
        let step = maker.get("/");
        let journey = maker.journey("only", vec![step]);
        maker.load(&[(journey, 1.0)], spacing, rate, Span::seconds(2));
        let planned = Schedule::new(&maker.plan.loads[0], maker.plan.seed, LoadId(0)).count();
        let told = run_with(maker.plan, Options { workers: Some(workers), spin: None }, |_, _| {});
        assert_eq!(told.counts("/").ok, planned);
        assert_eq!(told.settled("/").counts.ok, planned);
        let health = told.windows.iter().map(|window| &window.health);
        assert_eq!(health.clone().map(|health| health.planned).sum::<u64>(), planned);
        assert_eq!(health.clone().map(|health| health.lag.count()).sum::<u64>(), planned);
        // Each worker hands over every second once, in order.
        for crew in 0..workers {
            let seconds = told.windows.iter().filter(|window| window.crew == crew).map(|window| window.second);
            assert!(seconds.enumerate().all(|(index, second)| index as u64 == second));
        }
    }
}

#[test]
fn more_than_can_be_sent_is_counted_and_costs_little_memory() {
    let server = Scripted::start(|_| ok(""));
    let mut maker = Maker::new(&server.url());
    (maker.connections().max, maker.connections().queue) = (100, 1_000);
    maker.plan.limits.drain = Span::seconds(1);
    let step = maker.get("/");
    let told = run(maker.only(vec![step], 600_000.0, Span::SECOND));
    let counts = told.counts("/");
    let unsent: u64 = counts.unsent.iter().map(|(_, count)| count).sum();
    assert_eq!(counts.ok + counts.bad() + unsent, 600_000);
    assert!(unsent > 300_000, "{counts:?}");
    assert!(counts.unsent.iter().all(|(kind, _)| matches!(kind, UnsentKind::PoolSmall | UnsentKind::Late)));
}
