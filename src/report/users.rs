//! The users of closed loads: planned, and there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::chart::{Chart, GREY, PALETTE, Upright};
use super::charts::{line, over_time};
use super::{Model, Words};
use crate::analysis::CrowdFigures;
use crate::plan::{Plan, Scope};

/// The users of a closed load. Each that was launched had a session of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsersSummary {
    pub load: String,
    /// How many were to come in all.
    pub planned: u64,
    pub launched: u64,
    pub ended: u64,
    /// How many were to be there at once, at the most.
    pub planned_at_once: u64,
    /// How many were, as a second closed.
    pub most_at_once: u64,
}

fn most(figures: &CrowdFigures) -> u64 {
    figures.points.iter().map(|point| point.present).max().unwrap_or(0)
}

pub(super) fn summary(plan: &Plan, figures: &CrowdFigures) -> UsersSummary {
    UsersSummary {
        load: plan.loads.get(figures.load.index()).map(|load| load.name.clone()).unwrap_or_default(),
        planned: figures.planned,
        launched: figures.launched,
        ended: figures.ended,
        planned_at_once: figures.planned_at_once,
        most_at_once: most(figures),
    }
}

/// A sentence for each closed load.
pub(super) fn lines(model: &Model<'_>, words: Words) -> Vec<String> {
    let line = |figures: &CrowdFigures| {
        let load = words.scope(model.plan, Scope::Load(figures.load));
        let launched = words.users_launched(words.count(figures.launched), words.count(figures.planned));
        let at_once = words.users_at_once(words.count(most(figures)), words.count(figures.planned_at_once));
        words.colon(load, [launched, words.users_ended(words.count(figures.ended)), at_once].join(&words.clause()))
    };
    model.analysis.crowds.iter().map(line).collect()
}

/// How many users were there, over the drill.
pub(super) fn charts(model: &Model<'_>, words: Words) -> Vec<Chart> {
    let with_points = model.analysis.crowds.iter().filter(|figures| !figures.points.is_empty());
    let chart = |(nth, figures): (usize, &CrowdFigures)| {
        let title = words.colon(words.chart_users(), words.scope(model.plan, Scope::Load(figures.load)));
        let key = format!("users-{}", nth + 1);
        let mut chart = over_time(model, words, &key, title, words.axis_users(), Upright::Cores);
        // As the second closed.
        chart.x = figures.points.iter().map(|point| (point.second + 1) as f64).collect();
        let y = |of: fn(&crate::analysis::CrowdPoint) -> u64| {
            figures.points.iter().map(|point| Some(of(point) as f64)).collect()
        };
        chart.lines = vec![
            line(words.line_planned(), GREY, true, y(|point| point.planned)),
            line(words.line_there(), PALETTE[0], false, y(|point| point.present)),
        ];
        chart
    };
    with_points.enumerate().map(chart).collect()
}
