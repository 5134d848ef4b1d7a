use serde::{Deserialize, Serialize};

use super::{ActionId, EndpointId, FaultId, Moment, Template, WatchId};
use crate::base::units::{At, Span, Text};

/// One step of the emergency plan: done by people or by a program, and timed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmergencyAction {
    pub name: String,
    pub title: Text,
    /// Who does it.
    pub by: Text,
    /// What is to be done.
    pub say: Text,
    pub due: Due,
    pub work: Work,
    /// What takes longer is not done.
    pub within: Span,
}

/// When an action begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Due {
    At(At),
    /// As soon as this is known of a fault.
    Fault {
        fault: FaultId,
        moment: Moment,
        offset: Span,
    },
    /// After another action was done.
    Action {
        action: ActionId,
        offset: Span,
    },
}

/// What is done, or how it is known that somebody did it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// A program that must exit 0.
    Run(Vec<Template>),
    /// Somebody says so at the terminal.
    Terminal,
    /// A GET answers 2xx.
    Get { endpoint: EndpointId, get: String },
    /// A watch of alerts hears of it; of alerts of Alertmanager's, that it is resolved.
    Alert { watch: WatchId },
}

impl EmergencyAction {
    /// The instant of a fault that an action of `actions` hangs on, itself or by way of others.
    pub fn behind(action: ActionId, actions: &[EmergencyAction]) -> Option<(FaultId, Moment)> {
        let mut next = action;
        // Each waits for one other at the most, so that whoever goes on for longer is in a circle.
        for _ in actions {
            match actions.get(next.index())?.due {
                Due::At(_) => return None,
                Due::Fault { fault, moment, .. } => return Some((fault, moment)),
                Due::Action { action, .. } => next = action,
            }
        }
        None
    }
}
