//! What Docker tells of a container, and what brings one back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::docker::Docker;
use crate::base::units::Span;

/// A container, as Docker tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// All 64 digits.
    pub id: String,
    /// Whether whoever made it lets drills touch it: its label says so.
    pub allowed: bool,
    pub running: bool,
    pub paused: bool,
    /// When it was started the last time, as Docker writes it.
    pub started: String,
    /// What its own health check says; none where it has none.
    pub healthy: Option<bool>,
    /// Docker removes it when it ends.
    pub removed_at_end: bool,
    /// The networks that it is connected to, the one that it was made with first.
    pub attached: Vec<Attachment>,
    /// It has no networks of its own: it lives in that of the machine or of another container.
    pub shares_network: bool,
}

/// How a container hangs on a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    pub network: String,
    /// Its address there, as version 4 and 6 have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address6: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
}

/// What brings a container back to what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    /// It was running since `since`, and was told to end: start it. It may take so long to end.
    Start {
        since: String,
        within: Span,
    },
    Unpause,
    Connect(Vec<Attachment>),
}

impl Container {
    /// Whether it hangs on that network.
    pub(super) fn is_attached(&self, to: &Attachment) -> bool {
        self.attached.iter().any(|one| one.network == to.network)
    }
}

impl Remedy {
    /// Whether the container is not as it was.
    pub fn is_wanted(&self, container: &Container) -> bool {
        match self {
            Remedy::Start { .. } => !container.running,
            Remedy::Unpause => container.paused,
            Remedy::Connect(all) => all.iter().any(|one| !container.is_attached(one)),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Told {
    id: String,
    state: ToldState,
    host_config: ToldHost,
    config: ToldConfig,
    network_settings: ToldNetworks,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ToldState {
    running: bool,
    paused: bool,
    #[serde(default)]
    restarting: bool,
    #[serde(default)]
    started_at: String,
    health: Option<ToldHealth>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ToldHealth {
    status: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ToldHost {
    #[serde(default)]
    network_mode: String,
    #[serde(default)]
    auto_remove: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ToldConfig {
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ToldNetworks {
    networks: Option<BTreeMap<String, ToldEnd>>,
}

#[derive(Deserialize)]
struct ToldEnd {
    #[serde(rename = "IPAddress", default)]
    address: String,
    #[serde(rename = "GlobalIPv6Address", default)]
    address6: String,
    #[serde(rename = "Aliases")]
    aliases: Option<Vec<String>>,
    #[serde(rename = "Links")]
    links: Option<Vec<String>>,
}

impl From<Told> for Container {
    fn from(told: Told) -> Container {
        let mode = told.host_config.network_mode;
        let attached = told.network_settings.networks.unwrap_or_default().into_iter();
        let mut attached: Vec<Attachment> = attached
            // Neither is a network that one could be taken off.
            .filter(|(name, _)| name != "host" && name != "none")
            .map(|(network, end)| Attachment {
                network,
                address: Some(end.address).filter(|address| !address.is_empty()),
                address6: Some(end.address6).filter(|address| !address.is_empty()),
                aliases: end.aliases.unwrap_or_default(),
                links: end.links.unwrap_or_default(),
            })
            .collect();
        attached.sort_by_key(|one| one.network != mode);
        let labels = told.config.labels.unwrap_or_default();
        Container {
            id: told.id,
            allowed: labels.get(Docker::LABEL).is_some_and(|value| value == "true"),
            // While it waits to be started again by Docker it is said to run.
            running: told.state.running && !told.state.restarting,
            paused: told.state.paused,
            started: told.state.started_at,
            healthy: told
                .state
                .health
                .filter(|health| health.status != "none")
                .map(|health| health.status == "healthy"),
            removed_at_end: told.host_config.auto_remove,
            attached,
            shares_network: mode == "host" || mode.starts_with("container:"),
        }
    }
}
