use crate::analysis::Percentile;
use crate::analysis::sim::{Hurt, Sim};

/// Frozen for 1 s in every 5, at 1,000/s: every arrival is charged for what it waited. The same by `service` in a
/// generator that waits for its turn would hide it, so the two must come out apart.
#[test]
fn a_periodic_freeze_is_seen_in_full() {
    let freezes = (0..8).map(|index| (Hurt::Frozen, index as f64 * 5.0 + 2.0, index as f64 * 5.0 + 3.0));
    let sim = Sim { rate: 1_000.0, seconds: 40, hurts: freezes.collect(), service: 0.001, ..Sim::default() };
    let mut run = sim.run();
    // As a client with one request on each connection sees it: what waited for a connection was not yet sent.
    for item in &mut run.items {
        if let crate::record::Item::Window(window) = item {
            for cell in &mut window.cells {
                cell.service = crate::record::Latency::new();
            }
        }
    }
    let mut sorted: Vec<f64> = run.requests.iter().map(|request| request.done - request.planned).collect();
    sorted.sort_by(f64::total_cmp);
    let analysis = run.analysis();
    let row = &analysis.tables[0].rows[0];
    let of = |list: &[Percentile], q: f64| list.iter().find(|percentile| percentile.q == q).unwrap().of_ok;
    for (q, truth) in [(0.9, 0.5), (0.95, 0.75), (0.99, 0.95)] {
        let measured = of(&row.percentiles, q).unwrap().as_seconds_f64();
        let exact = sorted[(q * sorted.len() as f64).ceil() as usize - 1];
        assert!((measured - exact).abs() <= exact * 0.001 + 1e-6, "{measured} is not {exact}");
        assert!(measured > truth * 0.8, "p{} is {measured}", q * 100.0);
    }
    assert!(of(&row.service, 0.9).is_none());
}
