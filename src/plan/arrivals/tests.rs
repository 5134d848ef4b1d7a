use proptest::prelude::*;

use super::*;
use crate::base::units::{Span, Text};
use crate::plan::{Stage, StageKind};

fn load(spacing: Spacing, start: At, stages: &[StageKind]) -> Load {
    let stages = stages.iter().map(|kind| Stage { kind: kind.clone(), phase: None }).collect();
    Load { name: "shoppers".to_owned(), title: Text::default(), mix: Vec::new(), spacing, start, stages }
}

fn rate(per_second: u32) -> Rate {
    Rate::per_second(f64::from(per_second))
}

fn schedule(spacing: Spacing, stages: &[StageKind]) -> Schedule {
    Schedule::new(&load(spacing, At::START, stages), 618, LoadId(0))
}

/// The same curve in whole numbers, by other means: pieces (from, nanos, a, b).
fn pieces(start: u64, stages: &[StageKind]) -> Vec<(i128, i128, i128, i128)> {
    let whole = |rate: Rate| rate.as_per_second() as i128;
    let mut pieces = Vec::new();
    let mut from = i128::from(start);
    let mut push = |nanos: Span, a: i128, b: i128| {
        let nanos = i128::from(nanos.as_nanos());
        if nanos > 0 {
            pieces.push((from, nanos, a, b));
            from += nanos;
        }
    };
    for stage in stages {
        match *stage {
            StageKind::Ramp { from, to, span } => push(span, whole(from), whole(to)),
            StageKind::Hold { rate, span } => push(span, whole(rate), whole(rate)),
            StageKind::Stairs { from, to, by, every } => {
                let (mut level, to, by) = (whole(from), whole(to), whole(by));
                let sign = (to - level).signum();
                while (to - level) * sign > 0 {
                    push(every, level, level);
                    level += by * sign;
                }
                push(every, to, to);
            }
            StageKind::Spike { from, to, rise, hold, fall } => {
                push(rise, whole(from), whole(to));
                push(hold, whole(to), whole(to));
                push(fall, whole(to), whole(from));
            }
        }
    }
    pieces
}

/// Does N, in exact arithmetic, pass k + ½ within one nanosecond of `at`?
fn is_exact(pieces: &[(i128, i128, i128, i128)], k: u64, at: At) -> bool {
    let x = (2 * i128::from(k) + 1) * 1_000_000_000;
    let at = i128::from(at.as_nanos());
    // 2·10⁹·N(t) against x, multiplied by the nanoseconds of the piece to stay whole.
    let reached = |t: i128| {
        let mut before = 0;
        for (index, (from, nanos, a, b)) in pieces.iter().enumerate() {
            if t < from + nanos || index + 1 == pieces.len() {
                let t = (t - from).clamp(0, *nanos);
                return (2 * a * t + before - x) * nanos + (b - a) * t * t;
            }
            before += (a + b) * nanos;
        }
        0
    };
    reached(at - 1) <= 0 && reached(at + 1) >= 0
}

fn stages() -> impl Strategy<Value = Vec<StageKind>> {
    let span =
        || prop_oneof![Just(Span::ZERO), (1u64..20_000_000_000).prop_map(Span), (1u64..20).prop_map(Span::seconds)];
    let level = || prop_oneof![Just(0u32), 1u32..20, 20u32..600_000].prop_map(rate);
    let stage = prop_oneof![
        (level(), level(), span()).prop_map(|(from, to, span)| StageKind::Ramp { from, to, span }),
        (level(), span()).prop_map(|(rate, span)| StageKind::Hold { rate, span }),
        (0u32..5_000, 0u32..5_000, 1u32..2_000, span()).prop_map(|(from, to, by, every)| StageKind::Stairs {
            from: rate(from),
            to: rate(to),
            by: rate(by.max(100)),
            every
        }),
        (level(), level(), span(), span(), span()).prop_map(|(from, to, rise, hold, fall)| StageKind::Spike {
            from,
            to,
            rise,
            hold,
            fall
        }),
    ];
    prop::collection::vec(stage, 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn even_arrivals_are_exact_for_every_shape(stages in stages(), start in 0u64..1_000_000_000, picks in prop::collection::vec(any::<u64>(), 24)) {
        let schedule = Schedule::new(&load(Spacing::Even, At(start), &stages), 618, LoadId(0));
        let pieces = pieces(start, &stages);
        let total: i128 = pieces.iter().map(|(_, nanos, a, b)| (a + b) * nanos).sum();
        prop_assert_eq!(i128::from(schedule.count()), (total + 1_000_000_000) / 2_000_000_000);
        prop_assert_eq!(i128::from(schedule.end().as_nanos()), pieces.last().map_or(i128::from(start), |(from, nanos, ..)| from + nanos));
        prop_assert_eq!(schedule.at(schedule.count()), None);
        if schedule.count() > 0 {
            for k in picks.into_iter().map(|pick| pick % schedule.count()).chain([0, schedule.count() - 1]) {
                let at = schedule.at(k).unwrap();
                prop_assert!(is_exact(&pieces, k, at), "arrival {k} at {at}");
                prop_assert!(at < schedule.end());
                prop_assert!(k == 0 || schedule.at(k - 1).unwrap() <= at);
            }
        }
    }

    #[test]
    fn poisson_arrivals_are_as_many_and_in_order(stages in stages(), seed in any::<u64>(), pick in any::<u64>()) {
        let even = Schedule::new(&load(Spacing::Even, At::START, &stages), seed, LoadId(3));
        let poisson = Schedule::new(&load(Spacing::Poisson, At::START, &stages), seed, LoadId(3));
        prop_assert_eq!(even.count(), poisson.count());
        if poisson.count() > 0 {
            let first = pick % poisson.count();
            let mut last = At::START;
            for (k, at) in poisson.cursor(first, 1).take(300) {
                prop_assert!(at >= last && at < poisson.end());
                prop_assert_eq!(poisson.at(k), Some(at));
                prop_assert!(poisson.rate_at(at) > Rate::ZERO || poisson.rate_at(At(at.as_nanos().saturating_sub(1))) > Rate::ZERO);
                last = at;
            }
        }
    }

    #[test]
    fn workers_share_out_every_arrival(workers in 1u64..9, poisson in any::<bool>(), level in 1u32..3_000) {
        let spacing = if poisson { Spacing::Poisson } else { Spacing::Even };
        let ramp = StageKind::Ramp { from: Rate::ZERO, to: rate(level), span: Span::seconds(1) };
        let schedule = schedule(spacing, &[ramp]);
        let mut shared: Vec<(u64, At)> = (0..workers).flat_map(|worker| schedule.cursor(worker, workers)).collect();
        shared.sort_unstable();
        let alone: Vec<(u64, At)> = schedule.cursor(0, 1).collect();
        prop_assert_eq!(alone.len() as u64, schedule.count());
        prop_assert_eq!(shared, alone);
    }

    #[test]
    fn windows_add_up(poisson in any::<bool>(), cuts in prop::collection::vec(0u64..4_000_000_000, 3)) {
        let spacing = if poisson { Spacing::Poisson } else { Spacing::Even };
        let spike = StageKind::Spike { from: rate(50), to: rate(900), rise: Span::seconds(1), hold: Span::seconds(1), fall: Span::seconds(1) };
        let schedule = schedule(spacing, &[spike]);
        let mut cuts = cuts;
        cuts.sort_unstable();
        let edges = [At::START, At(cuts[0]), At(cuts[1]), At(cuts[2]), At::MAX];
        let sum: u64 = edges.windows(2).map(|edge| schedule.between(edge[0], edge[1])).sum();
        prop_assert_eq!(sum, schedule.count());
        let by_hand = schedule.cursor(0, 1).filter(|(_, at)| (At(cuts[0])..At(cuts[2])).contains(at)).count() as u64;
        prop_assert_eq!(schedule.between(At(cuts[0]), At(cuts[2])), by_hand);
    }
}

#[test]
fn a_long_fast_stage_does_not_move_the_slow_one_after_it() {
    let fast = StageKind::Hold { rate: rate(599_999), span: Span::nanos(35_999_999_999_999) };
    let ramp = StageKind::Ramp { from: rate(599_999), to: rate(1), span: Span::nanos(7_777_777_777_777) };
    let stages = [fast, ramp, StageKind::Hold { rate: rate(1), span: Span::seconds(10) }];
    let schedule = schedule(Spacing::Even, &stages);
    for k in schedule.count() - 10..schedule.count() {
        assert!(is_exact(&pieces(0, &stages), k, schedule.at(k).unwrap()), "arrival {k} at {:?}", schedule.at(k));
    }
}

#[test]
fn the_same_seed_gives_the_same_instants_for_ever() {
    let hold = StageKind::Hold { rate: rate(1_000), span: Span::seconds(60) };
    let poisson = schedule(
        Spacing::Poisson,
        &[StageKind::Ramp { from: Rate::ZERO, to: rate(1_000), span: Span::seconds(10) }, hold],
    );
    let picked: Vec<u64> =
        [0, 1, 2, 4_999, 30_000, 64_999].into_iter().map(|k| poisson.at(k).unwrap().as_nanos()).collect();
    insta::assert_compact_debug_snapshot!(picked, @"[89818865, 258272055, 261492086, 10098670888, 35114406352, 69998378785]");
}

/// Variance over mean of the counts in windows: 1 for a Poisson process, 0 for even spacing.
fn dispersion(counts: &[u64]) -> f64 {
    let n = counts.len() as f64;
    let mean = counts.iter().sum::<u64>() as f64 / n;
    counts.iter().map(|count| (*count as f64 - mean).powi(2)).sum::<f64>() / (n - 1.0) / mean
}

#[test]
fn poisson_arrivals_scatter_as_independent_ones_do() {
    for (level, window) in [(200u32, 50_000_000u64), (200, 1_000_000_000), (5_000, 1_000_000)] {
        let span = Span::nanos(window * 2_000);
        let hold = StageKind::Hold { rate: rate(level), span };
        for (spacing, low, high) in [(Spacing::Poisson, 0.88, 1.12), (Spacing::Even, 0.0, 0.1)] {
            let mut counts = vec![0u64; 2_000];
            for (_, at) in schedule(spacing, std::slice::from_ref(&hold)).cursor(0, 1) {
                counts[(at.as_nanos() / window) as usize] += 1;
            }
            let index = dispersion(&counts);
            // 2,000 windows: a standard deviation of 0.03.
            assert!((low..=high).contains(&index), "{spacing:?} at {level}/s in {window} ns: {index}");
        }
    }
}

#[test]
fn gaps_of_poisson_arrivals_are_exponential() {
    let schedule = schedule(Spacing::Poisson, &[StageKind::Hold { rate: rate(1_000), span: Span::seconds(40) }]);
    let instants: Vec<u64> = schedule.cursor(0, 1).map(|(_, at)| at.as_nanos()).collect();
    let share = |limit: u64| {
        let short = instants.windows(2).filter(|pair| pair[1] - pair[0] < limit).count();
        short as f64 / (instants.len() - 1) as f64
    };
    for millis in [0.1f64, 0.7, 1.0, 3.0] {
        let expected = 1.0 - (-millis).exp();
        assert!(
            (share((millis * 1e6) as u64) - expected).abs() < 0.01,
            "{millis} ms: {} and not {expected}",
            share((millis * 1e6) as u64)
        );
    }
}

#[test]
fn vast_loads_need_no_memory_and_no_time() {
    for spacing in [Spacing::Even, Spacing::Poisson] {
        let schedule = schedule(spacing, &[StageKind::Hold { rate: rate(600_000), span: Span::seconds(36_000) }]);
        assert_eq!(schedule.count(), 21_600_000_000);
        let (k, at) = schedule.cursor(21_000_000_001, 2).next().unwrap();
        assert_eq!(k, 21_000_000_001);
        assert!((at.as_seconds_f64() - 35_000.0).abs() < 1.0, "{at}");
        assert!((schedule.between(At(9_000_000_000), At(10_000_000_000)) as f64 - 600_000.0).abs() < 5_000.0);
    }
}

#[test]
fn the_planned_rate_can_be_read_off() {
    let spike = StageKind::Spike {
        from: rate(10),
        to: rate(100),
        rise: Span::seconds(2),
        hold: Span::seconds(1),
        fall: Span::seconds(1),
    };
    let schedule = Schedule::new(&load(Spacing::Even, At(1_000_000_000), &[spike]), 0, LoadId(0));
    let at = |millis: u64| schedule.rate_at(At(millis * 1_000_000)).as_per_second();
    assert_eq!([at(999), at(1_000), at(2_000), at(3_500), at(4_500), at(5_000)], [0.0, 10.0, 55.0, 100.0, 55.0, 0.0]);
    assert_eq!(schedule.peak(), rate(100));
}

#[test]
fn stairs_hold_both_ends() {
    let levels = |from: f64, to: f64, by: f64| -> Vec<f64> {
        let (from, to, by) = (Rate::per_second(from), Rate::per_second(to), Rate::per_second(by));
        StageKind::Stairs { from, to, by, every: Span::SECOND }.levels().map(Rate::as_per_second).collect()
    };
    assert_eq!(levels(100.0, 300.0, 100.0), [100.0, 200.0, 300.0]);
    assert_eq!(levels(100.0, 250.0, 100.0), [100.0, 200.0, 250.0]);
    assert_eq!(levels(300.0, 100.0, 150.0), [300.0, 150.0, 100.0]);
    assert_eq!(levels(0.0, 0.3, 0.1).len(), 4);
    assert_eq!(levels(5.0, 5.0, 1.0), [5.0]);
    assert_eq!(levels(5.0, 9.0, 0.0).len(), 1, "an endless flight comes to its end at once");
}
