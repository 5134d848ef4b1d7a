use super::{seconds, stretch};
use crate::analysis::*;
use crate::base::units::{Rate, Share, Span};
use crate::plan::*;
use crate::record::{BadKind, EndReason, Entry, Event, Failure, FaultEvent, HostFacts, Sight, Unpacked, UnsentKind};

/// The answer of a platform that means ill.
pub(in crate::report) const HOSTILE: &str =
    "HTTP/1.1 503 Service Unavailable\n\n</pre><script>alert('x')</script>\u{1b}[2J&amp;]]>";

/// Deterministic unevenness in −1 to 1.
fn wobble(n: u64) -> f64 {
    let mixed = n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed >> 40) as f64 / f64::from(1u32 << 23) - 1.0
}

fn planned_in(second: u64) -> u64 {
    let level = if second < 5 { 24.0 * (second as f64 + 0.5) } else { 120.0 };
    (level + wobble(second) * level.sqrt()).max(0.0) as u64
}

/// How badly a second is hurt, 0 to 1.
fn hurt(second: u64) -> f64 {
    match second {
        14 => 0.46,
        15 => 0.31,
        16 => 0.12,
        17..=19 => 0.05,
        _ => 0.0,
    }
}

fn curve(scope: Scope, weight: f64, from: u64) -> Curve {
    let points: Vec<Point> = (0..39)
        .map(|second| {
            let planned = planned_in(second);
            let settled = if second == 0 { 0.4 } else { 1.0 } * planned as f64 * weight * 2.2;
            let settled = if second == 38 { 21.0 } else { settled };
            let bad = (settled * hurt(second)) as u64;
            Point {
                second: second + from,
                planned: (scope == Scope::All).then_some(if second == 38 { 0 } else { planned }),
                released: (scope == Scope::All).then_some(if second == 38 {
                    0
                } else {
                    planned - u64::from(second == 22)
                }),
                ok: settled as u64 - bad,
                bad: match bad {
                    0 => Vec::new(),
                    1..=20 => vec![(BadKind::Status, bad)],
                    _ => vec![
                        (BadKind::Connect, bad / 3),
                        (BadKind::Timeout, bad / 4),
                        (BadKind::Status, bad - bad / 3 - bad / 4),
                    ],
                },
                shed: u64::from(second % 7 == 3) * 2,
                unsent: if second == 15 { vec![(UnsentKind::PoolFull, 9)] } else { Vec::new() },
                waiting: 3,
                down: false,
            }
        })
        .collect();
    let base = [(0.5, 0.0042), (0.95, 0.011), (0.99, 0.024), (0.999, 0.061)];
    let percentiles = base
        .into_iter()
        .map(|(q, quiet)| PercentileCurve {
            q,
            points: (1..38)
                .step_by(if q > 0.99 { 6 } else { 1 })
                .map(|second| {
                    let slow = 1.0 + hurt(second) * 60.0 + wobble(second * 31 + (q * 1000.0) as u64).abs() * 0.5;
                    let to = if q > 0.99 { second + 6 } else { second + 1 };
                    PercentilePoint { from: second, to: to.min(38), value: Span::from_seconds_f64(quiet * slow) }
                })
                .collect(),
        })
        .collect();
    Curve { scope, resolution: 1, points, percentiles }
}

fn percentiles(figures: [Option<f64>; 5], samples: u64) -> Vec<Percentile> {
    [0.5, 0.9, 0.95, 0.99, 0.999]
        .into_iter()
        .zip(figures)
        .map(|(q, millis)| Percentile {
            q,
            figure: match millis {
                Some(millis) if millis < 0.0 => Some(Figure::Failed),
                Some(millis) => Some(Figure::Exactly(Quantity::Span(Span::from_seconds_f64(millis / 1e3)))),
                None => None,
            },
            of_ok: millis.map(|millis| Span::from_seconds_f64(millis.abs() / 1e3)),
            interval: None,
            samples,
            needed: (1.0 / (1.0 - q)).round() as u64,
        })
        .collect()
}

fn row(scope: Scope, counts: (u64, u64, u64), figures: [Option<f64>; 5], span: f64) -> Row {
    let (ok, bad, unsent) = counts;
    let samples = ok + bad + unsent;
    Row {
        scope,
        requests: samples + 12,
        ok,
        bad: if bad == 0 {
            Vec::new()
        } else {
            vec![(BadKind::Connect, bad / 3), (BadKind::Timeout, bad / 4), (BadKind::Status, bad - bad / 3 - bad / 4)]
        },
        shed: 12,
        unsent: if unsent == 0 { Vec::new() } else { vec![(UnsentKind::PoolFull, unsent)] },
        not_reached: bad / 9,
        again: if bad > 0 { vec![(BadKind::Connect, bad), (BadKind::Status, 2 * bad)] } else { Vec::new() },
        availability: Some(Share(ok as f64 / samples as f64)),
        percentiles: percentiles(figures, samples),
        service: percentiles(figures.map(|figure| figure.map(|millis| millis * 0.8)), samples),
        mean: Some(Span::micros(6_100)),
        max: Some(Span::millis(2_210)),
        throughput: Some(Rate::per_second(ok as f64 / span)),
        apdex: Vec::new(),
        distribution: distribution(figures),
    }
}

fn distribution(figures: [Option<f64>; 5]) -> Vec<Quantile> {
    let last = figures[4].map_or(60.0, f64::abs);
    (0..40)
        .map(|nth| {
            let nines = f64::from(nth) * 0.1;
            let millis = 2.0 + (last / 2.0) * (f64::from(nth) / 39.0).powi(4) * 1.7 + f64::from(nth) * 0.1;
            Quantile { q: 1.0 - 10f64.powf(-nines), value: Span::from_seconds_f64(millis / 1e3) }
        })
        .collect()
}

fn tables() -> Vec<Table> {
    let all = |phase: Option<u32>, from: f64, to: f64, rows: Vec<Row>| Table {
        phase: phase.map(PhaseId),
        window: Some(stretch(from, to)),
        rows,
        visits: vec![
            VisitRow {
                journey: JourneyId(0),
                started: 3_346,
                ok: 3_221,
                failed: 125,
                shed: 0,
                availability: Some(Share(3_221.0 / 3_346.0)),
                percentiles: percentiles([Some(13.0), Some(22.0), Some(31.0), Some(90.0), None], 3_221),
            },
            VisitRow {
                journey: JourneyId(1),
                started: 838,
                ok: 792,
                failed: 46,
                shed: 0,
                availability: Some(Share(792.0 / 838.0)),
                percentiles: percentiles([Some(12.0), Some(21.0), Some(33.0), Some(96.0), None], 792),
            },
        ],
        figures: vec![NumberRow {
            figure: FigureId(0),
            count: 838,
            percentiles: vec![(0.5, 12.0), (0.9, 140.0), (0.95, 212.0), (0.99, 1_310.0)],
            mean: Some(41.7),
            max: Some(2_048.0),
        }],
    };
    let step = |id| Scope::Step(StepId(id));
    vec![
        all(
            None,
            0.0,
            38.0,
            vec![
                row(Scope::All, (9_087, 297, 9), [Some(4.21), Some(9.8), Some(14.2), Some(-1.0), Some(-1.0)], 38.0),
                row(step(0), (3_340, 106, 3), [Some(3.94), Some(8.0), Some(11.2), Some(-1.0), Some(-1.0)], 38.0),
                row(step(1), (4_100, 109, 6), [Some(4.02), Some(8.4), Some(11.9), Some(-1.0), Some(-1.0)], 38.0),
                row(step(2), (847, 50, 0), [Some(6.83), Some(13.1), Some(62.8), Some(-1.0), None], 38.0),
                row(step(3), (800, 32, 0), [Some(5.71), Some(11.4), Some(19.0), Some(-1.0), None], 38.0),
                row(
                    Scope::Group(StepId(4)),
                    (792, 46, 0),
                    [Some(12.0), Some(21.3), Some(33.0), Some(-1.0), None],
                    38.0,
                ),
            ],
        ),
        all(
            Some(0),
            0.0,
            5.0,
            vec![row(Scope::All, (672, 0, 0), [Some(4.1), Some(8.8), Some(11.3), Some(21.9), None], 5.0)],
        ),
        all(
            Some(1),
            5.0,
            13.0,
            vec![row(Scope::All, (2_104, 0, 0), [Some(4.18), Some(9.2), Some(12.1), Some(24.4), Some(60.8)], 8.0)],
        ),
        all(
            Some(2),
            13.0,
            23.0,
            vec![row(Scope::All, (2_371, 297, 9), [Some(4.9), Some(24.1), Some(-1.0), Some(-1.0), Some(-1.0)], 10.0)],
        ),
        all(
            Some(3),
            23.0,
            38.0,
            vec![row(Scope::All, (3_940, 0, 0), [Some(4.2), Some(9.4), Some(12.4), Some(25.1), Some(61.3)], 15.0)],
        ),
    ]
}

fn events() -> Vec<Entry> {
    let fault = |what| Event::Fault { fault: FaultId(0), what };
    let probe = |good, why: Option<&str>| Event::Probe { watch: WatchId(0), good, why: why.map(str::to_owned) };
    let bindings = vec![(ProcessId(0), "127.0.0.1:40101".to_owned()), (ProcessId(1), "127.0.0.1:40102".to_owned())];
    [
        (
            0.0,
            Event::Opened {
                version: 1,
                run: "presale-peak-1".to_owned(),
                program: "peakdrill 0.1.0".to_owned(),
                wall: 1_709_164_799_000_000_000,
                host: host(),
            },
        ),
        (0.0, Event::Bindings { addresses: bindings, links: Vec::new() }),
        (0.0, Event::ProcessStarted { process: ProcessId(1), pid: 4_242 }),
        (0.0, Event::ProcessReady { process: ProcessId(1) }),
        (0.0, Event::ChoreDone { cleanup: false, index: 0, took: Span::millis(812) }),
        (0.0, Event::LoadBegan),
        (0.5, probe(true, None)),
        (13.9, Event::SteadyHeld { steady: SteadyId(0) }),
        (14.0, fault(FaultEvent::Ordered)),
        (14.006, fault(FaultEvent::Effective { proof: vec![Sight::Gone { process: ProcessId(1), members: 1 }] })),
        (14.5, probe(false, Some("HTTP 503"))),
        (17.006, fault(FaultEvent::HealOrdered)),
        (17.402, fault(FaultEvent::Healed { proof: vec![Sight::Ready { process: ProcessId(1), pid: 4260 }] })),
        (18.0, probe(true, None)),
        (38.0, Event::LoadEnded),
        (38.104, Event::Drained { abandoned: 0 }),
        (38.104, Event::Ended { reason: EndReason::Finished }),
    ]
    .into_iter()
    .map(|(at, event)| Entry { at: seconds(at), preparing: false, event })
    .collect()
}

fn host() -> HostFacts {
    HostFacts {
        cores: 2,
        memory: 8 << 30,
        kernel: "Linux 6.1".to_owned(),
        cpu_model: "a small virtual machine".to_owned(),
        open_files: 1_048_576,
    }
}

pub(in crate::report) fn analysis() -> Analysis {
    let span = |seconds: f64| Figure::Exactly(Quantity::Span(Span::from_seconds_f64(seconds)));
    let recovery = Recovery {
        to: SteadyId(0),
        breach: Some(seconds(14.008)),
        recovered: Some(seconds(20.0)),
        reopened: 0,
        time: Some(span(5.992)),
        since_ordered: Some(span(6.0)),
        unseen: None,
        degraded: Span::seconds(6),
        down: Span::ZERO,
        kept: Some(Share(0.836)),
    };
    let vital = |process: u32, level: f64| VitalCurve {
        process: ProcessId(process),
        points: (0..39)
            .filter(|second| process != 1 || !(14..17).contains(second))
            .map(|second| {
                let planned = planned_in(second) as f64 / 120.0;
                let restarted = process == 1 && second >= 17;
                VitalPoint {
                    at: seconds(second as f64 + 0.25),
                    cpu: (second > 0 && !(restarted && second == 17))
                        .then(|| level * planned * (1.0 + wobble(second + 7) * 0.1)),
                    memory: (40 << 20)
                        + (if restarted { second - 17 } else { second }) * (1 << 18) * u64::from(process + 1),
                    threads: 12,
                    files: 60,
                }
            })
            .collect(),
    };
    Analysis {
        opened: Some(Opened {
            run: "presale-peak-1".to_owned(),
            program: "peakdrill 0.1.0".to_owned(),
            wall: 1_709_164_799_000_000_000,
            host: host(),
        }),
        load: Some(stretch(0.0, 38.0)),
        ended: Some(EndReason::Finished),
        curves: vec![curve(Scope::All, 1.0, 0), curve(Scope::Step(StepId(2)), 0.1, 0)],
        tables: tables(),
        faults: vec![FaultFigures {
            fault: FaultId(0),
            ordered: Some(seconds(14.0)),
            effective: Some(seconds(14.006)),
            not_effective: None,
            heal_ordered: Some(seconds(17.006)),
            healed: Some(seconds(17.402)),
            not_healed: None,
            detected: Some(seconds(14.5)),
            detected_by: Some(WatchId(0)),
            detection: Some(Span::millis(494)),
            recoveries: vec![recovery],
        }],
        outages: vec![Outage {
            to: Some(SteadyId(0)),
            faults: vec![FaultId(0)],
            ordered: seconds(14.0),
            breach: Some(seconds(14.008)),
            recovered: Some(seconds(20.0)),
            time: Some(span(5.992)),
            since_ordered: Some(span(6.0)),
            degraded: Span::seconds(6),
            down: Span::ZERO,
            kept: Some(Share(0.836)),
        }],
        actions: Vec::new(),
        steady_states: vec![SteadyFigures {
            steady: SteadyId(0),
            held: Some(seconds(6.0)),
            before_fault: Some(true),
            runs: vec![
                StandingRun { from: 0, to: 14, standing: Standing::Meets },
                StandingRun { from: 14, to: 20, standing: Standing::Misses },
                StandingRun { from: 20, to: 38, standing: Standing::Meets },
            ],
            stray: vec![stretch(31.0, 32.0)],
            tight: vec![Tight { must: 1, share: Share(0.051), allowed: Share(0.1) }],
        }],
        vitals: vec![vital(0, 0.42), vital(1, 0.31), vital(2, 0.33), vital(3, 0.21)],
        generator: Generator {
            planned: 4_184,
            released: 4_183,
            late: 3,
            lag_p50: Some(Span::micros(24)),
            lag_p99: Some(Span::micros(412)),
            lag_max: Some(Span::millis(11)),
            worst: Some(Late { share: Share(0.0025), of: 1_200, window: stretch(14.0, 24.0) }),
            cpu: Some(Share(0.19)),
            unsent: vec![(UnsentKind::PoolFull, 9)],
            unsent_by_generator: Some(Share(0.0)),
            points: vec![GeneratorPoint { second: 3, connections: 54, ..GeneratorPoint::default() }],
            clock_steps: Vec::new(),
            memory_max: Some(41 << 20),
            ports: Some(28_232),
            files_max: Some(97),
            files_limit: Some(1_048_576),
            unpacked: Unpacked { answers: 3_340, packed: 2 << 20, plain: 11 << 20, took: Span::millis(184) },
        },
        failures: vec![
            Failure {
                series: SeriesId(2),
                kind: BadKind::Status,
                arrival: 1_312,
                planned: seconds(14.008),
                why: "status 503, expected 201".to_owned(),
                request: "POST /orders HTTP/1.1\nX-Drill-Run: presale-peak-1\n\n{\"sku\":17}".to_owned(),
                answer: HOSTILE.to_owned(),
            },
            Failure {
                series: SeriesId(0),
                kind: BadKind::Connect,
                arrival: 1_330,
                planned: seconds(14.151),
                why: "connection refused".to_owned(),
                request: "GET /products?page=3 HTTP/1.1".to_owned(),
                answer: String::new(),
            },
        ],
        events: events(),
        ..Analysis::default()
    }
}
