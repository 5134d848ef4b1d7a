use super::support::{Maker, percentile, run};
use crate::base::units::{At, Span};
use crate::wire::scripted::{Do, Scripted, answer, ok};

/// The smallest of the times that a server, frozen for the first second of every five, lets `count` even arrivals wait.
const FREEZE: u64 = 5;

#[test]
fn a_freeze_is_charged_to_every_arrival_that_it_delayed() {
    let server = Scripted::start(|seen| {
        let second = seen.at.second();
        match second % FREEZE {
            // From the second second on, so that the load has begun before.
            2 => vec![Do::WaitUntil(At((second + 1) * 1_000_000_000)), answer(200, &[], "")],
            _ => ok(""),
        }
    });
    let mut maker = Maker::new(&server.url());
    // Few connections: most of those whom the freeze delays have not even been sent, so that `service` does not see them.
    maker.connections().max = 40;
    let step = maker.get("/");
    let told = run(maker.only(vec![step], 1_000.0, Span::seconds(10)));
    let cell = told.planned("/");
    assert_eq!((cell.counts.ok, cell.counts.base()), (10_000, 10_000));
    for (q, truth) in [(0.90, 500.0), (0.95, 750.0), (0.99, 950.0)] {
        let found = percentile(&cell.response, q);
        assert!((found - truth).abs() <= f64::max(truth * 0.03, 15.0), "p{}: {found} ms", q * 100.0);
    }
    let blind = percentile(&cell.service, 0.9);
    assert!(blind < 20.0, "{blind} ms");
}
