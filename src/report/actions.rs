//! The emergency plan's steps, as reports and `summary.json` tell them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Model, Words};
use crate::analysis::ActionFigures;
use crate::base::units::{At, Span};
use crate::plan::{ActionId, Due, EmergencyAction, Plan, WatchKind, Work};
use crate::record::ActionEnd;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionSummary {
    pub name: String,
    /// Absent: what it waited for did not come.
    pub begun: Option<f64>,
    pub ended: Option<f64>,
    /// From begun to ended.
    pub time: Option<f64>,
    pub end: Option<ActionEndSummary>,
    /// Why it could not be done.
    pub why: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ActionEndSummary {
    Done,
    /// Not within its time.
    Late,
    Failed,
    /// The drill ended before.
    GivenUp,
}

pub(super) fn summaries(model: &Model<'_>) -> Vec<ActionSummary> {
    let of = |figures: &ActionFigures| {
        let (end, why) = match &figures.end {
            None => (None, None),
            Some(ActionEnd::Done) => (Some(ActionEndSummary::Done), None),
            Some(ActionEnd::Late) => (Some(ActionEndSummary::Late), None),
            Some(ActionEnd::Failed { why }) => (Some(ActionEndSummary::Failed), Some(why.clone())),
            Some(ActionEnd::GivenUp) => (Some(ActionEndSummary::GivenUp), None),
        };
        Some(ActionSummary {
            name: model.plan.actions.get(figures.action.index())?.name.clone(),
            begun: figures.begun.map(At::as_seconds_f64),
            ended: figures.ended.map(At::as_seconds_f64),
            time: figures.time().map(Span::as_seconds_f64),
            end,
            why,
        })
    };
    model.analysis.actions.iter().filter_map(of).collect()
}

/// One step as a row: what, who, when it began, how long it took, and what came of it; and whether it was done.
pub(super) struct Row {
    pub(super) cells: [String; 5],
    pub(super) done: bool,
}

pub(super) fn rows(model: &Model<'_>, words: Words) -> Vec<Row> {
    let of = |figures: &ActionFigures| {
        let action = model.plan.actions.get(figures.action.index())?;
        let done = figures.end == Some(ActionEnd::Done);
        let end = match &figures.end {
            Some(end) => outcome(action, end, words),
            None if figures.begun.is_some() => words.action_given_up(),
            None => words.reason_action_not_begun(),
        };
        let cells = [
            words.title(&action.title, &action.name),
            words.title(&action.by, ""),
            figures.begun.map_or_else(String::new, |at| words.at(at)),
            figures.time().map_or_else(String::new, |time| words.span(time)),
            end,
        ];
        Some(Row { cells, done })
    };
    model.analysis.actions.iter().filter_map(of).collect()
}

pub(super) fn outcome(action: &EmergencyAction, end: &ActionEnd, words: Words) -> String {
    match end {
        ActionEnd::Done => words.action_done(),
        ActionEnd::Late => words.action_late(words.span(action.within)),
        ActionEnd::Failed { why } => words.action_failed(why),
        ActionEnd::GivenUp => words.action_given_up(),
    }
}

/// What people are told when it begins.
pub(super) fn told(plan: &Plan, action: &EmergencyAction, words: Words) -> String {
    let name = words.title(&action.title, &action.name);
    let who = match words.title(&action.by, "") {
        by if by.is_empty() => name,
        by => words.with_name(name, by),
    };
    let mut said = vec![words.event_action_begun(who)];
    said.extend(Some(words.title(&action.say, "")).filter(|say| !say.is_empty()));
    match &action.work {
        Work::Terminal => said.push(words.action_enter()),
        Work::Alert { watch } => {
            said.extend(plan.platform.watches.get(watch.index()).and_then(|watch| match watch.kind {
                WatchKind::Alert { listen } => Some(words.action_post(listen)),
                _ => None,
            }))
        }
        Work::Run(_) | Work::Get { .. } => {}
    }
    said.join(&words.clause())
}

/// When it is to begin, for the plan's page; and how it is done.
pub(super) fn planned(plan: &Plan, action: &EmergencyAction, words: Words, moment: String) -> (String, String) {
    let due = match action.due {
        Due::At(at) => words.instant(at),
        Due::Fault { fault, offset, .. } => {
            let fault = plan.faults.get(fault.index()).map_or("", |fault| fault.name.as_str());
            words.plan_fault_after(fault, moment, words.span(offset))
        }
        Due::Action { action, offset } => after(plan, action, offset, words),
    };
    let how = match &action.work {
        Work::Run(argv) => argv.iter().map(|word| word.0.as_str()).collect::<Vec<_>>().join(" "),
        Work::Terminal => words.action_terminal(),
        Work::Alert { watch } => words.action_alert(words.watch(plan, *watch)),
        Work::Get { endpoint, get } => {
            let endpoint = plan.platform.endpoints.get(endpoint.index());
            endpoint.map_or_else(String::new, |it| format!("{} GET {get}", words.title(&it.title, &it.name)))
        }
    };
    (due, format!("{how} · {}", words.plan_within(words.span(action.within))))
}

/// So long after an action is done.
pub(super) fn after(plan: &Plan, action: ActionId, offset: Span, words: Words) -> String {
    let name = plan.actions.get(action.index()).map_or("", |action| action.name.as_str());
    words.plan_fault_after(name, words.action_done(), words.span(offset))
}
