//! What watches keep of pages, as `summary.json` and the charts tell it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::chart::{Across, Chart, PALETTE, Upright};
use super::charts::{line, over_time};
use super::{Model, Words, why};
use crate::analysis;
use crate::plan::Plan;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WatchedSummary {
    /// `WATCH.metric`; of a ratio, the watch's name.
    pub name: String,
    pub kind: WatchedKind,
    /// A counter's growth, a gauge's mean, or the ratio; absent where it is not known for certain.
    pub value: Option<f64>,
    /// As it was read, while under load; absent of ratios.
    pub least: Option<f64>,
    pub greatest: Option<f64>,
    pub last: Option<f64>,
    /// A word for why there is no value.
    pub reason: Option<String>,
    pub points: Vec<WatchedPoint>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WatchedKind {
    Counter,
    Gauge,
    Ratio,
}

/// What was read at one instant; of a ratio, what it was from the load's begin to then.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WatchedPoint {
    pub at: f64,
    /// Absent: not read, or not on the page.
    pub value: Option<f64>,
}

pub(super) fn summary(plan: &Plan, figures: &analysis::WatchedFigures) -> WatchedSummary {
    WatchedSummary {
        name: figures.name(plan),
        kind: match (figures.metric, figures.counter) {
            (None, _) => WatchedKind::Ratio,
            (Some(_), true) => WatchedKind::Counter,
            (Some(_), false) => WatchedKind::Gauge,
        },
        value: figures.value,
        least: figures.least,
        greatest: figures.greatest,
        last: figures.last,
        reason: figures.gap.as_ref().map(why),
        points: figures
            .points
            .iter()
            .map(|point| WatchedPoint { at: point.at.as_seconds_f64(), value: point.value })
            .collect(),
    }
}

/// What watches keep of pages: counters as what they grew by each second, gauges as they were, ratios since the start.
pub(super) fn charts(model: &Model<'_>, words: Words) -> Vec<Chart> {
    let mut charts = Vec::new();
    for (nth, figures) in model.analysis.watched.iter().enumerate() {
        let (Some(first), Some(last)) = (figures.points.first(), figures.points.last()) else { continue };
        let name = match figures.metric {
            Some(_) => figures.name(model.plan),
            None => words.watch(model.plan, figures.watch),
        };
        let (label, upright) = match (figures.metric, figures.counter) {
            (None, _) => (words.axis_ratio(), Upright::Share),
            (Some(_), true) => (words.axis_growth(), Upright::PerSecond),
            (Some(_), false) => (words.axis_value(), Upright::Cores),
        };
        let key = format!("watched-{}", nth + 1);
        let mut chart = over_time(model, words, &key, words.chart_watched(&name), label, upright);
        chart.across = Across::time(0.0, chart.across.to.max(last.at.as_seconds_f64().ceil()));
        let mut before = *first;
        for point in &figures.points {
            let seconds = point.at.since(before.at).as_seconds_f64();
            let grown = point.value.zip(before.value).map(|(now, before)| now - before);
            let rate = grown.filter(|grown| *grown >= 0.0 && seconds > 0.0).map(|grown| grown / seconds);
            chart.x.push(point.at.as_seconds_f64());
            let value = if figures.counter { rate } else { point.value };
            match chart.lines.first_mut() {
                Some(line) => line.y.push(value),
                None => chart.lines.push(line(name.clone(), PALETTE[nth % PALETTE.len()], false, vec![value])),
            }
            before = *point;
        }
        charts.push(chart);
    }
    charts.retain(|chart| chart.lines.iter().any(|line| line.y.iter().any(Option::is_some)));
    charts
}
