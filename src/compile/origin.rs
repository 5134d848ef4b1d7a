use std::fmt::Display;

use serde::{Deserialize, Serialize};

/// Where a value of the plan came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum From {
    /// `scenario.yaml:12:7`, or `--set …`.
    Written(String),
    /// The same, in a profile of that name.
    Profile { name: String, place: String },
    /// Nobody wrote it.
    Default,
}

impl Display for From {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            From::Written(place) => f.pad(place),
            From::Profile { name, place } => f.pad(&format!("profile {name}, {place}")),
            From::Default => f.pad("default"),
        }
    }
}

/// One value of note: `loads.shoppers.arrivals[1].rate`, `800/s`, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    pub path: String,
    pub value: String,
    pub from: From,
}

/// Every value of note, in the order of the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Origins(pub Vec<Origin>);
