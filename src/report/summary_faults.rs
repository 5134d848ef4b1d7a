//! Faults in `summary.json`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Model;
use super::summary::{FigureSummary, Window, figure, window};
use crate::analysis;
use crate::base::units::{At, Span};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultSummary {
    pub name: String,
    pub kind: String,
    pub processes: Vec<String>,
    pub links: Vec<String>,
    pub containers: Vec<String>,
    pub hosts: Vec<String>,
    pub ordered: Option<f64>,
    pub effective: Option<f64>,
    pub detected: Option<f64>,
    pub healed: Option<f64>,
    pub time_to_detect: Option<f64>,
    pub recoveries: Vec<RecoverySummary>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecoverySummary {
    pub steady_state: String,
    pub breach: Option<f64>,
    pub recovered: Option<f64>,
    /// RTO: recovered − breach.
    pub time: Option<FigureSummary>,
    pub since_ordered: Option<FigureSummary>,
    /// No window missed, but here a miss would not have been seen; then there is no time.
    pub unseen: Option<Window>,
    pub down: f64,
    pub degraded: f64,
    /// Share of the steady throughput that was kept.
    pub kept: Option<f64>,
}

pub(super) fn faults(model: &Model<'_>) -> Vec<FaultSummary> {
    let plan = model.plan;
    let seconds = |at: Option<At>| at.map(At::as_seconds_f64);
    let of = |figures: &analysis::FaultFigures| {
        let fault = plan.faults.get(figures.fault.index())?;
        let name = |id: &crate::plan::ProcessId| Some(plan.platform.processes.get(id.index())?.name.clone());
        let link = |id: &crate::plan::LinkId| Some(plan.platform.links.get(id.index())?.name.clone());
        let container = |id: &crate::plan::ContainerId| Some(plan.platform.containers.get(id.index())?.name.clone());
        let host = |id: crate::plan::HostId| Some(plan.platform.hosts.get(id.index())?.name.clone());
        Some(FaultSummary {
            name: fault.name.clone(),
            kind: fault.kind.verb().to_owned(),
            links: fault.kind.links().iter().filter_map(link).collect(),
            containers: fault.kind.containers().iter().filter_map(container).collect(),
            hosts: fault.kind.host().and_then(host).into_iter().collect(),
            processes: fault.kind.processes().iter().filter_map(name).collect(),
            ordered: seconds(figures.ordered),
            effective: seconds(figures.effective),
            detected: seconds(figures.detected),
            healed: seconds(figures.healed),
            time_to_detect: figures.detection.map(Span::as_seconds_f64),
            recoveries: figures
                .recoveries
                .iter()
                .filter_map(|recovery| {
                    Some(RecoverySummary {
                        steady_state: plan.steady_states.get(recovery.to.index())?.name.clone(),
                        breach: seconds(recovery.breach),
                        recovered: seconds(recovery.recovered),
                        time: recovery.time.map(figure),
                        since_ordered: recovery.since_ordered.map(figure),
                        unseen: recovery.unseen.map(window),
                        down: recovery.down.as_seconds_f64(),
                        degraded: recovery.degraded.as_seconds_f64(),
                        kept: recovery.kept.map(|share| share.as_f64()),
                    })
                })
                .collect(),
        })
    };
    model.analysis.faults.iter().filter_map(of).collect()
}
