//! What captures kept as figures, such as places in a queue.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Model, Words};
use crate::analysis::NumberRow;
use crate::plan::{Plan, Scope};

const QUANTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

/// The numbers of one figure, over the whole load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NumbersSummary {
    pub name: String,
    pub count: u64,
    /// Those that there were numbers enough for.
    pub percentiles: Vec<QuantileSummary>,
    pub mean: Option<f64>,
    pub max: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuantileSummary {
    /// 0.99 for p99.
    pub q: f64,
    pub value: f64,
}

pub(super) fn summary(plan: &Plan, row: &NumberRow) -> Option<NumbersSummary> {
    Some(NumbersSummary {
        name: plan.figures.get(row.figure.index())?.name.clone(),
        count: row.count,
        percentiles: row.percentiles.iter().map(|&(q, value)| QuantileSummary { q, value }).collect(),
        mean: row.mean,
        max: row.max,
    })
}

/// The heads of a table of them; the first is of names.
pub(super) fn heads(words: Words) -> Vec<String> {
    let quantiles = ["p50", "p90", "p95", "p99"].map(str::to_owned);
    let ends = [words.col_mean(), words.col_max()];
    [words.col_figure(), words.col_numbers()].into_iter().chain(quantiles).chain(ends).collect()
}

/// A row for each figure, under [`heads`].
pub(super) fn rows(model: &Model<'_>, words: Words) -> Vec<Vec<String>> {
    let shown = |number: Option<f64>| number.map_or_else(|| "–".to_owned(), |number| words.number(number));
    let row = |row: &NumberRow| {
        let at = |q: f64| row.percentiles.iter().find(|(known, _)| (known - q).abs() < 1e-9).map(|(_, value)| *value);
        let mut cells = vec![words.scope(model.plan, Scope::Figure(row.figure)), words.count(row.count)];
        cells.extend(QUANTILES.map(|q| shown(at(q))));
        cells.extend([row.mean, row.max].map(shown));
        cells
    };
    model.whole().into_iter().flat_map(|table| &table.figures).map(row).collect()
}
