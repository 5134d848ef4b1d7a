use proptest::prelude::*;

use super::*;
use crate::base::units::{Span, Text};
use crate::plan::{Stage, StageKind};

fn load(spacing: Spacing, start: At, stages: &[StageKind]) -> Load {
    let stages = stages.iter().map(|kind| Stage { kind: kind.clone(), phase: None }).collect();
    let (name, title) = ("shoppers".to_owned(), Text::default());
    Load { name, title, mix: Vec::new(), spacing, start, stages, replay: None, search: None, users: None }
}

fn rate(per_second: u32) -> Rate {
    Rate::per_second(f64::from(per_second))
}

fn schedule(spacing: Spacing, stages: &[StageKind]) -> Schedule {
    Schedule::new(&load(spacing, At::START, stages), 618, LoadId(0))
}

/// The same curve in whole numbers, by other means: a piece brings (a + b)/2 · nanos in a straight line, and `extra`
/// arrivals evenly beside them.
#[derive(Debug, Clone, Copy)]
struct Whole {
    from: i128,
    nanos: i128,
    a: i128,
    b: i128,
    extra: i128,
}

impl Whole {
    /// In half billionths of an arrival, as the rates are whole numbers.
    fn sum(&self) -> i128 {
        (self.a + self.b) * self.nanos + 2_000_000_000 * self.extra
    }
}

fn pieces(start: u64, stages: &[StageKind]) -> Vec<Whole> {
    let whole = |rate: Rate| rate.as_per_second() as i128;
    let mut pieces = Vec::new();
    let mut from = i128::from(start);
    let mut add = |nanos: Span, a: i128, b: i128, extra: i128| {
        let nanos = i128::from(nanos.as_nanos());
        if nanos > 0 || extra > 0 {
            pieces.push(Whole { from, nanos, a, b, extra });
            from += nanos;
        }
    };
    for stage in stages {
        let mut push = |nanos, a, b| add(nanos, a, b, 0);
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
            StageKind::Burst { level, count, spread } => add(spread, whole(level), whole(level), i128::from(count)),
            StageKind::Points { ref points, .. } => {
                for pair in points.windows(2) {
                    push(Span::nanos(pair[1].0.as_nanos() - pair[0].0.as_nanos()), whole(pair[0].1), whole(pair[1].1));
                }
            }
            StageKind::Wave { .. } => unreachable!("a wave is not whole"),
        }
    }
    pieces
}

/// Does N, in exact arithmetic, pass k + ½ within one nanosecond of `at`?
fn is_exact(pieces: &[Whole], k: u64, at: At) -> bool {
    let x = (2 * i128::from(k) + 1) * 1_000_000_000;
    let at = i128::from(at.as_nanos());
    // 2·10⁹·N(t) against x, multiplied by the nanoseconds of the piece to stay whole. A burst at one instant is over at it.
    let reached = |t: i128| {
        let mut before = 0;
        for (index, piece) in pieces.iter().enumerate() {
            let Whole { from, nanos, a, b, extra } = *piece;
            if t < from {
                return before - x;
            }
            if nanos > 0 && (t < from + nanos || index + 1 == pieces.len()) {
                let t = (t - from).clamp(0, nanos);
                return (2 * a * t + before - x) * nanos + (b - a) * t * t + 2_000_000_000 * extra * t;
            }
            before += piece.sum();
        }
        before - x
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
        (level(), 1u64..50_000, span()).prop_map(|(level, count, spread)| StageKind::Burst { level, count, spread }),
        prop::collection::vec((span(), level()), 1..6).prop_map(|steps| {
            let mut at = Span::ZERO;
            let points = steps.into_iter().enumerate().map(|(index, (step, rate))| {
                at = if index == 0 { Span::ZERO } else { at + step };
                (at, rate)
            });
            StageKind::Points { file: "rates.csv".to_owned(), points: points.collect() }
        }),
    ];
    // Not at the very end: a burst at one instant would lie on it.
    prop::collection::vec(stage, 0..6).prop_map(|mut stages| {
        stages.push(StageKind::Hold { rate: Rate::ZERO, span: Span::nanos(1) });
        stages
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn even_arrivals_are_exact_for_every_shape(stages in stages(), start in 0u64..1_000_000_000, picks in prop::collection::vec(any::<u64>(), 24)) {
        let schedule = Schedule::new(&load(Spacing::Even, At(start), &stages), 618, LoadId(0));
        let pieces = pieces(start, &stages);
        let total: i128 = pieces.iter().map(Whole::sum).sum();
        prop_assert_eq!(i128::from(schedule.count()), (total + 1_000_000_000) / 2_000_000_000);
        prop_assert_eq!(i128::from(schedule.end().as_nanos()), pieces.last().map_or(i128::from(start), |last| last.from + last.nanos));
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
                let bursts = stages.iter().any(|stage| matches!(stage, StageKind::Burst { spread: Span::ZERO, .. }));
                prop_assert!(bursts || poisson.rate_at(at) > Rate::ZERO || poisson.rate_at(At(at.as_nanos().saturating_sub(1))) > Rate::ZERO);
                last = at;
            }
        }
    }

    /// However many parts there are, and however many workers each of them has; of every shape, and of a replay.
    #[test]
    fn parts_and_their_workers_share_out_every_arrival(
        workers in prop::collection::vec(1u16..7, 1..9),
        poisson in any::<bool>(),
        listed in prop_oneof![Just(None), prop::collection::vec(0u64..50_000_000, 1..300).prop_map(Some)],
        level in 1u32..1_000,
    ) {
        let spacing = if poisson { Spacing::Poisson } else { Spacing::Even };
        let (mean, half) = (rate(level), Span::millis(500));
        let schedule = match listed {
            Some(steps) => {
                let mut at = Span::ZERO;
                let instants: Instants = steps.iter().map(|step| { at += Span(*step); at }).collect();
                let (start, count) = (At(7), instants.len());
                Schedule { way: Way::Listed { start, end: start + at + Span(1), instants }, first: 0, count }
            }
            None => schedule(spacing, &[
                StageKind::Hold { rate: mean, span: half },
                StageKind::Burst { level: mean, count: u64::from(level), spread: Span::ZERO },
                StageKind::Wave { mean, amplitude: mean, period: Span::SECOND, span: Span::SECOND },
                StageKind::Points { file: "rates.csv".to_owned(), points: vec![(Span::ZERO, mean), (half, Rate::ZERO)] },
            ]),
        };
        let of = u16::try_from(workers.len()).unwrap();
        let mut shared = Vec::new();
        for (part, &workers) in (1..).zip(&workers) {
            let slice = Slice::new(part, of).unwrap();
            for worker in 0..workers {
                let (first, stride) = slice.owned(worker, workers);
                let mine: Vec<(u64, At)> = schedule.cursor(first, stride).collect();
                prop_assert!(mine.iter().all(|(k, _)| k % u64::from(of) == u64::from(part) - 1));
                shared.extend(mine);
            }
        }
        shared.sort_unstable();
        let alone: Vec<(u64, At)> = schedule.cursor(0, 1).collect();
        prop_assert_eq!(shared, alone);
        let total: u32 = (1..=of).map(|part| Slice::new(part, of).unwrap().share(level)).sum();
        prop_assert_eq!(total, level);
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

/// sin² by its series, in whole multiples of 2⁻⁶⁰, for a share of a half turn: an arithmetic of its own to judge the wave's by.
fn sine_squared(share: (i128, i128)) -> i128 {
    const ONE: i128 = 1 << 60;
    // π · 2⁶⁰
    const PI: i128 = 3_622_009_729_038_561_421;
    let by = |a: i128, b: i128| a * b / ONE;
    let angle = 2 * PI * share.0 / share.1;
    // sin² x = (1 − cos 2x) / 2 = Σ (−1)ⁿ⁺¹ (2x)²ⁿ / (2 · (2n)!), for 2x within ±π.
    let angle = if angle > PI { 2 * PI - angle } else { angle };
    let square = by(angle, angle);
    let (mut term, mut sum) = (ONE / 2, 0);
    for n in 1..24 {
        term = -by(term, square) / (2 * n * (2 * n - 1));
        sum -= term;
    }
    sum
}

const SCALE: i128 = 1 << 38;

/// What a wave brings in its first `t` nanoseconds, in arrivals times [`SCALE`]:
/// mean · t + amplitude · period / π · sin²(π · t / period).
fn waved(mean: u32, amplitude: u32, period: u64, t: u64) -> i128 {
    // π · 2⁶⁰
    const PI: i128 = 3_622_009_729_038_561_421;
    let (mean, amplitude, period, t) = (i128::from(mean), i128::from(amplitude), i128::from(period), i128::from(t));
    let swing = sine_squared((t % period, period)) * (amplitude * period) / 1_000_000_000;
    mean * t * SCALE / 1_000_000_000 + swing * SCALE / PI
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn waves_are_exact(
        mean in 1u32..16_000,
        part in prop_oneof![Just(1.0), 0.0..1.0],
        period in prop_oneof![1_000_000u64..8_000_000_000_000, (1u64..8_000).prop_map(|s| s * 1_000_000_000)],
        turns in prop_oneof![0.01..4.0, Just(1.0), Just(0.25)],
        before in 0u32..3_000,
        picks in prop::collection::vec(any::<u64>(), 24),
    ) {
        let amplitude = (f64::from(mean) * part) as u32;
        let span = Span::nanos((period as f64 * turns) as u64 + 1);
        let wave = StageKind::Wave { mean: rate(mean), amplitude: rate(amplitude), period: Span::nanos(period), span };
        let hold = StageKind::Hold { rate: rate(before), span: Span::seconds(1) };
        for spacing in [Spacing::Even, Spacing::Poisson] {
            let schedule = schedule(spacing, &[hold.clone(), wave.clone()]);
            // What the floats of one period can be wrong by, in arrivals.
            let off = f64::from(amplitude) * period as f64 / 1e9 * 3e-16 + 1e-9;
            let off = (off * SCALE as f64) as i128;
            let of = |t: u64| waved(mean, amplitude, period, t) + i128::from(before) * SCALE;
            let total = of(span.as_nanos());
            let count = i128::from(schedule.count());
            prop_assert!((total - count * SCALE).abs() <= SCALE / 2 + off, "{count} arrivals");
            let mut last = None;
            for k in picks.iter().map(|pick| pick % schedule.count().max(1)).chain([schedule.count().saturating_sub(1)]) {
                let Some(at) = schedule.at(k) else { continue };
                prop_assert!(at < schedule.end());
                prop_assert_eq!(schedule.cursor(k, 7).next(), Some((k, at)));
                if k > 0 {
                    prop_assert!(schedule.at(k - 1).unwrap() <= at);
                }
                if spacing == Spacing::Even && at >= At(1_000_000_000) {
                    let t = at.as_nanos() - 1_000_000_000;
                    let x = (2 * i128::from(k) + 1) * SCALE / 2;
                    prop_assert!(of(t.saturating_sub(1)) <= x + off && of(t + 1) >= x - off, "arrival {k} at {at}");
                }
                last = last.max(Some(at));
            }
        }
    }

    #[test]
    fn bursts_are_as_many_as_they_say(
        poisson in any::<bool>(),
        bursts in prop::collection::vec((1u64..5_000, prop_oneof![Just(0u64), 1u64..2_000_000_000], 0u32..500), 1..4),
        workers in 1u64..5,
    ) {
        let spacing = if poisson { Spacing::Poisson } else { Spacing::Even };
        let mut stages = Vec::new();
        let mut windows = Vec::new();
        let mut from = 0;
        for (count, spread, level) in bursts {
            let hold = StageKind::Hold { rate: rate(level), span: Span::seconds(1) };
            stages.extend([hold.clone(), StageKind::Burst { level: rate(level), count, spread: Span::nanos(spread) }]);
            from += 1_000_000_000;
            windows.push((At(from), At(from + spread), count, u64::from(level) * spread));
            from += spread;
        }
        stages.push(StageKind::Hold { rate: Rate::ZERO, span: Span::SECOND });
        let schedule = schedule(spacing, &stages);
        for (from, to, count, level) in windows {
            // From the burst's first instant on: at one instant alone, all of them, and nobody else.
            let to = if from == to { to + Span::nanos(1) } else { to };
            let found = schedule.between(from, to);
            // The level beside it is what it is to the nearest whole arrival on both sides.
            let level = level as f64 / 1e9;
            prop_assert!(found as f64 >= count as f64 + (level - 1.5).floor() && found as f64 <= count as f64 + level + 1.5, "{found} of {count} and {level}");
            if level == 0.0 {
                prop_assert_eq!(found, count);
            }
        }
        let mut shared: Vec<(u64, At)> = (0..workers).flat_map(|worker| schedule.cursor(worker, workers)).collect();
        shared.sort_unstable();
        prop_assert!(shared.windows(2).all(|pair| pair[0].1 <= pair[1].1));
        prop_assert_eq!(shared, schedule.cursor(0, 1).collect::<Vec<_>>());
    }

    #[test]
    fn workers_share_out_every_arrival_of_every_shape(stages in stages(), seed in any::<u64>(), poisson in any::<bool>(), workers in 2u64..5) {
        let spacing = if poisson { Spacing::Poisson } else { Spacing::Even };
        let schedule = Schedule::new(&load(spacing, At::START, &stages), seed, LoadId(1));
        let most = schedule.count().min(2_000);
        let mut shared: Vec<(u64, At)> =
            (0..workers).flat_map(|worker| schedule.cursor(worker, workers).take_while(|(k, _)| *k < most)).collect();
        shared.sort_unstable();
        prop_assert_eq!(shared, (0..most).map(|k| (k, schedule.at(k).unwrap())).collect::<Vec<_>>());
    }

    #[test]
    fn a_window_never_holds_more_than_was_said(stages in stages(), span in 1u64..5_000_000_000, from in any::<u64>()) {
        let schedule = Schedule::new(&load(Spacing::Even, At::START, &stages), 618, LoadId(0));
        let from = from % schedule.end().as_nanos();
        let found = schedule.between(At(from), At(from + span)) as f64;
        prop_assert!(found <= schedule.most_within(Span::nanos(span)).ceil() + 1.0, "{found}");
    }

    #[test]
    fn replays_keep_the_order_of_each_session(
        steps in prop::collection::vec((0u64..2_000_000_000, 0u32..6), 1..60),
        speed in 0.1f64..20.0,
        amplify in prop_oneof![0.1f64..4.0, Just(1.0), Just(3.0)],
    ) {
        // Sessions are numbered as they first come.
        let (mut at, mut seen) = (0, Vec::new());
        let sources: Vec<Source> = steps.iter().map(|(step, session)| {
            at += step;
            let known = seen.iter().position(|known| known == session).unwrap_or_else(|| {
                seen.push(*session);
                seen.len() - 1
            });
            Source { at: Span::nanos(at), session: known as u32 }
        }).collect();
        let arrivals = sequence(&sources, speed, amplify);
        prop_assert!(arrivals.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        let mut copies = 0;
        for session in 0..seen.len() as u32 {
            let own: Vec<usize> = (0..sources.len()).filter(|index| sources[*index].session == session).collect();
            let sent: Vec<(Span, usize)> = arrivals.iter().copied().filter(|(_, index)| sources[*index].session == session).collect();
            let each = sent.len() / own.len();
            prop_assert_eq!(each * own.len(), sent.len());
            copies += each;
            // Each copy is the session again, moved as one.
            for copy in 0..each {
                let of_copy: Vec<Span> = own.iter().map(|index| {
                    let mut times: Vec<Span> = sent.iter().filter(|(_, sent)| sent == index).map(|(at, _)| *at).collect();
                    times.sort_unstable();
                    times[copy]
                }).collect();
                let moved: Vec<i128> = of_copy.iter().zip(&own).map(|(at, index)| {
                    i128::from(at.as_nanos()) - (sources[*index].at.as_nanos() as f64 / speed).round() as i128
                }).collect();
                prop_assert!(moved.iter().all(|by| *by == moved[0] && (0..1_000_000_000).contains(by)), "{moved:?}");
            }
        }
        prop_assert_eq!(copies, (seen.len() as f64 * amplify * (1.0 + 1e-12)).round() as usize);
    }
}

#[test]
fn a_wave_begins_at_its_mean_and_leaves_the_level_that_it_ends_at() {
    let wave = |seconds| StageKind::Wave {
        mean: rate(100),
        amplitude: rate(100),
        period: Span::seconds(40),
        span: Span::seconds(seconds),
    };
    let schedule = schedule(Spacing::Even, &[wave(100)]);
    let at = |second: u64| schedule.rate_at(At(second * 1_000_000_000)).as_per_second();
    assert_eq!([at(0), at(10), at(20), at(50)].map(f64::round), [100.0, 200.0, 100.0, 200.0]);
    assert!(at(30) < 1e-9);
    assert_eq!(
        (schedule.peak(), schedule.count()),
        (rate(200), 100 * 100 + (100.0 * 40.0 / std::f64::consts::PI).round() as u64)
    );
    assert_eq!(wave(50).last_rate(), rate(200));
    assert_eq!(wave(60).last_rate().as_per_second().round(), 100.0);
}

#[test]
fn instants_of_a_replay_are_stored_as_the_steps_between_them() {
    let instants: Instants = [0, 5, 5, 1_000].map(Span::nanos).into_iter().collect();
    let text = serde_json::to_string(&instants).unwrap();
    assert_eq!(text, "\"0 5 0 995\"");
    assert_eq!(serde_json::from_str::<Instants>(&text).unwrap(), instants);
    assert!(serde_json::from_str::<Instants>("\"18446744073709551615 1\"").is_err());
    assert_eq!(
        (
            instants.most_within(Span::nanos(1)),
            instants.most_within(Span::nanos(6)),
            instants.most_within(Span::SECOND)
        ),
        (2, 3, 4)
    );
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

#[test]
fn there_is_no_part_beyond_the_last() {
    assert_eq!(Slice::new(1, 1), Some(Slice::WHOLE));
    for (part, of) in [(0, 0), (0, 4), (5, 4), (1, 0)] {
        assert_eq!(Slice::new(part, of), None);
    }
}
