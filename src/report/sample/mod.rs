//! A made-up run as real ones are: a pre-sale peak at which a node is killed and started again. For tests alone.

mod figures;
mod plan;

pub(super) use figures::{HOSTILE, analysis};
pub(crate) use plan::plan;

use super::Model;
use crate::analysis::*;
use crate::base::units::{At, Lang, Share, Span, Text};
use crate::plan::*;
use crate::record::EndReason;
use crate::verdict::{Cause, Doubt, Exit, Judgement, Outcome, Reason, Verdict};

pub(super) struct Sample {
    pub(super) plan: Plan,
    pub(super) analysis: Analysis,
    pub(super) outcome: Outcome,
}

fn text(en: &str, zh: &str) -> Text {
    Text { en: Some(en.to_owned()), zh: Some(zh.to_owned()) }
}

fn seconds(seconds: f64) -> At {
    At(Span::from_seconds_f64(seconds).as_nanos())
}

fn stretch(from: f64, to: f64) -> Stretch {
    Stretch { from: seconds(from), to: seconds(to) }
}

fn judged(
    target: u32,
    plan: &Plan,
    verdict: Verdict,
    reason: Reason,
    figure: Option<Figure>,
    margin: Option<f64>,
) -> Judgement {
    Judgement {
        occurrence: None,
        target: TargetId(target),
        verdict,
        reason,
        figure,
        bound: plan.targets[target as usize].condition.bound,
        margin,
        window: Some(stretch(0.0, 38.0)),
        samples: 612,
        interval: None,
        detail: Detail::None,
        faults: Vec::new(),
    }
}

impl Sample {
    pub(super) fn model(&self) -> Model<'_> {
        Model { plan: &self.plan, analysis: &self.analysis, outcome: &self.outcome }
    }

    /// Targets that pass, fail and cannot be decided.
    pub(super) fn mixed() -> Sample {
        let plan = plan();
        let span = |millis| Some(Figure::Exactly(Quantity::Span(Span::from_seconds_f64(millis / 1e3))));
        let exactly = |quantity| Some(Figure::Exactly(quantity));
        let mut targets = vec![
            judged(0, &plan, Verdict::Pass, Reason::Met, span(62.8), Some(0.874)),
            judged(1, &plan, Verdict::Pass, Reason::Met, exactly(Quantity::Share(Share(0.0))), Some(1.0)),
            judged(2, &plan, Verdict::Fail, Reason::Missed, span(5_992.0), Some(-0.1984)),
            judged(3, &plan, Verdict::Pass, Reason::Met, exactly(Quantity::Number(0.9672)), Some(0.0747)),
            judged(
                4,
                &plan,
                Verdict::Inconclusive,
                Reason::NoFigure(Gap::TooFew { have: 212, need: 1_000 }),
                None,
                None,
            ),
            judged(5, &plan, Verdict::Fail, Reason::Missed, exactly(Quantity::Share(Share(-2.26))), Some(-12.3)),
            judged(6, &plan, Verdict::Pass, Reason::Met, exactly(Quantity::Share(Share(0.36))), Some(0.76)),
        ];
        targets[0].interval = Some(Interval {
            low: Figure::Exactly(Quantity::Span(Span::micros(41_200))),
            high: Figure::Exactly(Quantity::Span(Span::micros(90_100))),
        });
        targets[1].detail = Detail::FaultRate {
            basis: Basis::Outages,
            downtime: Span::ZERO,
            per_month: 1.0,
            under_load: Span::seconds(38),
            at_most: None,
            unrecovered: false,
            stray: Span::ZERO,
        };
        targets[2].faults = vec![FaultId(0)];
        targets[2].detail = Detail::Recovery { outage: Some(0) };
        targets[3].detail = Detail::Apdex { satisfied: 9_060, tolerating: 27, frustrated: 306 };
        targets[5].detail = Detail::Budget { objective: Share(0.99), valid: 9_393, bad: 306, budget: 93.93 };
        let outcome = Outcome { verdict: Verdict::Fail, exit: Exit::Failed, causes: Vec::new(), targets };
        Sample { plan, analysis: analysis(), outcome }
    }

    /// More was asked for than the generator can send.
    pub(super) fn saturated() -> Sample {
        let mut sample = Sample::mixed();
        let doubts =
            vec![Doubt::Cpu { share: Share(0.994) }, Doubt::Late { share: Share(0.71), window: stretch(6.0, 16.0) }];
        for target in &mut sample.outcome.targets {
            target.verdict = Verdict::Inconclusive;
            target.reason = Reason::Generator { doubts: doubts.clone() };
        }
        sample.outcome.verdict = Verdict::Inconclusive;
        sample.outcome.exit = Exit::Inconclusive;
        sample.outcome.causes = vec![Cause::GeneratorSaturated { doubts }];
        sample
    }

    /// It ended before any load.
    pub(super) fn empty() -> Sample {
        let mut plan = plan();
        plan.targets.truncate(1);
        plan.faults.clear();
        plan.phases.clear();
        let targets = vec![judged(0, &plan, Verdict::Inconclusive, Reason::NoFigure(Gap::NoData), None, None)];
        let causes = vec![Cause::Ended { reason: EndReason::NotPrepared }, Cause::NoTraffic];
        let outcome = Outcome { verdict: Verdict::Inconclusive, exit: Exit::Inconclusive, causes, targets };
        Sample { plan, analysis: Analysis::default(), outcome }
    }

    pub(super) const LANGS: [Lang; 2] = [Lang::En, Lang::Zh];
}
