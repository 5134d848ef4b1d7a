use crate::analysis::{Snapshot, Standing};
use crate::base::units::{At, Span};
use crate::plan::{FaultId, Plan, SteadyId};
use crate::report::{Colour, Words, warning};

/// One second in one line: `0:14  outage  120/s planned, 119/s begun  p50 4.21 ms  p99 24 ms  bad 1.2 %  FAULT …`.
pub fn live_line(plan: &Plan, words: Words, colour: Colour, snapshot: &Snapshot, in_force: &[FaultId]) -> String {
    let at = At(snapshot.second.saturating_mul(Span::SECOND.as_nanos()));
    let phase = plan.phases.iter().find(|phase| phase.from <= at && at < phase.to);
    let phase = match phase {
        Some(phase) => words.title(&phase.title, &phase.name),
        None if plan.loads.iter().all(|load| at < load.start) => words.live_before_load(),
        None if at.as_nanos() >= plan.end.as_nanos() => words.live_after_load(),
        None => words.live_between(),
    };
    let dash = |span: Option<Span>| span.map_or_else(|| "–".to_owned(), |span| words.span(span));
    let mut parts = vec![
        words.second(snapshot.second),
        phase,
        words.live_rate(words.count(snapshot.planned), words.count(snapshot.released)),
        words.pair("p50", dash(snapshot.p50)),
        words.pair("p99", dash(snapshot.p99)),
    ];
    let share = snapshot.bad_share.map_or_else(|| "–".to_owned(), |share| words.share(share));
    let bad = words.live_bad(share);
    parts.push(if snapshot.bad > 0 { warning(colour, &bad) } else { bad });
    let unsent = words.live_unsent(words.count(snapshot.unsent));
    parts.push(if snapshot.unsent > 0 { warning(colour, &unsent) } else { unsent });
    if snapshot.waiting > 0 {
        parts.push(words.live_waiting(words.count(snapshot.waiting)));
    }
    if snapshot.down {
        parts.push(warning(colour, &words.live_down()));
    }
    for (nth, standing) in snapshot.steady.iter().enumerate() {
        if *standing == Standing::Misses {
            parts.push(warning(colour, &words.live_unsteady(words.steady(plan, SteadyId::at(nth)))));
        }
    }
    parts.extend(in_force.iter().map(|fault| warning(colour, &words.live_fault(words.fault(plan, *fault)))));
    parts.join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::units::{Lang, Share};
    use crate::report::testing;

    fn hurt() -> Snapshot {
        Snapshot {
            second: 15,
            planned: 120,
            released: 118,
            ok: 190,
            bad: 84,
            unsent: 9,
            bad_share: Some(Share(0.3066)),
            p50: Some(Span::micros(4_210)),
            p99: Some(Span::millis(1_240)),
            waiting: 31,
            steady: vec![Standing::Misses],
            ..Snapshot::default()
        }
    }

    #[test]
    fn a_hurt_second_in_both_languages() {
        let line = |lang| live_line(&testing::plan(), Words::new(lang), Colour::Off, &hurt(), &[FaultId(0)]);
        assert_eq!(
            line(Lang::En),
            "0:15  outage  120/s planned, 118/s begun  p50 4.21 ms  p99 1.24 s  bad 30.66 %  unsent 9  waiting 31  \
             ordering works broken  FAULT node lost at the peak"
        );
        assert_eq!(
            line(Lang::Zh),
            "0:15  故障中  计划 120/s，实际 118/s  p50 4.21 ms  p99 1.24 s  失败 30.66 %  未发出 9  等待 31  下单正常偏离  \
             故障：高峰期节点丢失"
        );
    }

    #[test]
    fn no_data_is_a_dash() {
        let quiet = Snapshot { second: 40, ..Snapshot::default() };
        let line = live_line(&testing::plan(), Words::new(Lang::En), Colour::On, &quiet, &[]);
        assert_eq!(line, "0:40  after load  0/s planned, 0/s begun  p50 –  p99 –  bad –  unsent 0");
    }
}
