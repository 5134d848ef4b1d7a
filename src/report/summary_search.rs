//! Searches for capacity in `summary.json`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::summary::{WORDS, Window, window};
use crate::analysis::{self, Stretch};
use crate::plan::{Plan, TrialEnd};

/// What a search for capacity came to. Rates are per second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchSummary {
    pub load: String,
    /// `found`, `none-failed`, `none-held`, or why there is no answer: `generator`, `not-recovered`, `stopped`.
    pub end: String,
    /// The highest rate that held, and in how many of its trials.
    pub held: Option<LevelSummary>,
    /// The lowest rate that failed.
    pub failed: Option<LevelSummary>,
    /// The obligations that were missed in the first failed trial at that rate; English.
    pub failed_first: Option<String>,
    pub headroom: Option<f64>,
    /// The Universal Scalability Law; absent where it could not be fitted.
    pub usl: Option<UslSummary>,
    pub trials: Vec<TrialSummary>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LevelSummary {
    pub rate: f64,
    pub held: u32,
    pub failed: u32,
    /// Trials that were none.
    pub unfit: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UslSummary {
    pub lambda: f64,
    pub alpha: f64,
    pub beta: f64,
    pub r2: Option<f64>,
    /// The greatest relative error.
    pub worst: f64,
    pub peak: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrialSummary {
    /// Only to see whether the platform had come back.
    pub probe: bool,
    pub rate: f64,
    pub judged: Window,
    pub throughput: Option<f64>,
    /// `held`, `failed` or `none`.
    pub end: String,
    /// For people; English.
    pub text: String,
}

pub(super) fn search(plan: &Plan, figures: &analysis::SearchFigures) -> SearchSummary {
    let load = plan.loads.get(figures.load.index());
    let must = load.and_then(|load| load.search.as_ref()).map_or(&[][..], |search| &search.must);
    let level = |level: analysis::Level| LevelSummary {
        rate: level.rate.as_per_second(),
        held: level.held,
        failed: level.failed,
        unfit: level.unfit,
    };
    let usl = figures.usl.as_ref().ok().map(|usl| UslSummary {
        lambda: usl.lambda,
        alpha: usl.alpha,
        beta: usl.beta,
        r2: usl.r2,
        worst: usl.worst.as_f64(),
        peak: usl.peak.map(|rate| rate.as_per_second()),
    });
    let trial = |figures: &analysis::TrialFigures| TrialSummary {
        probe: figures.trial.probe,
        rate: figures.trial.rate.as_per_second(),
        judged: window(Stretch { from: figures.trial.judged, to: figures.trial.ends }),
        throughput: figures.throughput.map(|rate| rate.as_per_second()),
        end: match figures.end {
            TrialEnd::Held => "held",
            TrialEnd::Failed { .. } => "failed",
            TrialEnd::None { .. } => "none",
        }
        .to_owned(),
        text: WORDS.trial_end(plan, must, &figures.end),
    };
    let end = match figures.end {
        analysis::SearchEnd::Found => "found",
        analysis::SearchEnd::NoneFailed => "none-failed",
        analysis::SearchEnd::NoneHeld => "none-held",
        analysis::SearchEnd::Generator => "generator",
        analysis::SearchEnd::NotRecovered => "not-recovered",
        analysis::SearchEnd::Stopped => "stopped",
    };
    SearchSummary {
        load: load.map(|load| load.name.clone()).unwrap_or_default(),
        end: end.to_owned(),
        held: figures.held.map(level),
        failed: figures.failed.map(level),
        failed_first: (!figures.missed_first.is_empty()).then(|| WORDS.missed(plan, must, &figures.missed_first)),
        headroom: figures.headroom.map(|share| share.as_f64()),
        usl,
        trials: figures.trials.iter().map(trial).collect(),
    }
}
