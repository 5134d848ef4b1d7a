//! Whether this machine can make a load: its limits, and what was measured of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::base::host;
use crate::base::units::Rate;
use crate::load;
use crate::plan::arrivals::Slice;
use crate::plan::{EndpointId, Plan};
use crate::report::Words;

/// Of the kept file.
const VERSION: u32 = 1;
/// What the harness has open itself: record, guardian, runtimes, output of processes.
const OWN_FILES: u64 = 64;

/// A machine, as far as what was measured on it holds for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    cpu_model: String,
    cores: u32,
    kernel: String,
}

impl Identity {
    pub(super) fn here() -> Identity {
        let machine = host::machine();
        Identity { cpu_model: machine.cpu_model, cores: machine.cores, kernel: machine.kernel }
    }
}

/// What `peakdrill calibrate` keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Calibration {
    version: u32,
    machine: Identity,
    /// Requests a second that one core sends at the most.
    requests_per_core: f64,
}

/// What there is of a kept calibration.
#[derive(Debug, Clone, PartialEq)]
enum Kept {
    Nothing,
    Ours(f64),
    Other(PathBuf),
    Damaged(PathBuf, String),
}

impl Calibration {
    pub(super) fn new(machine: Identity, rate: Rate) -> Calibration {
        Calibration { version: VERSION, machine, requests_per_core: rate.as_per_second() }
    }

    /// Written beside its place first, so that there never is half of one.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let beside = path.with_extension(format!("{}.new", std::process::id()));
        fs::write(&beside, format!("{:#}\n", serde_json::to_value(self)?))?;
        fs::rename(&beside, path)
    }
}

/// Where a calibration is kept: in the user's cache.
pub(super) fn place() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("peakdrill/calibration.json"))
}

fn kept(path: Option<PathBuf>, here: &Identity) -> Kept {
    let Some(path) = path else { return Kept::Nothing };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Kept::Nothing,
        Err(error) => return Kept::Damaged(path, error.to_string()),
    };
    match serde_json::from_str::<Calibration>(&text) {
        Err(error) => Kept::Damaged(path, error.to_string()),
        Ok(found) if !(found.requests_per_core.is_finite() && found.requests_per_core > 0.0) => {
            Kept::Damaged(path, format!("{} requests a second", found.requests_per_core))
        }
        Ok(found) if found.version == VERSION && found.machine == *here => Kept::Ours(found.requests_per_core),
        Ok(_) => Kept::Other(path),
    }
}

/// The limits of open files that this slice of the load would pass, the fault proxy's own among them; each in a sentence.
pub(super) fn files(plan: &Plan, slice: Slice, words: Words) -> Vec<String> {
    let mut said = Vec::new();
    let held = |index: usize, max: u32| u64::from(slice.share(plan.needed_connections(EndpointId::at(index)).min(max)));
    let endpoints = || plan.platform.endpoints.iter().enumerate();
    let limit = host::open_file_limits().map_or(u64::MAX, |limits| limits.hard);
    let files: u64 =
        endpoints().map(|(index, endpoint)| held(index, endpoint.connections.max)).sum::<u64>() + OWN_FILES;
    if limit < files {
        said.push(words.machine_files(words.count(files), words.count(limit)));
    }
    // What comes to the proxy goes on from it: two for each.
    let carried = endpoints().filter(|(_, endpoint)| endpoint.url.0.contains("link."));
    let carried = 2 * carried.map(|(index, endpoint)| held(index, endpoint.connections.max)).sum::<u64>() + OWN_FILES;
    if limit < carried {
        said.push(words.machine_links(words.count(carried), words.count(limit)));
    }
    // Each is a process, with a limit of its own.
    for load in plan.loads.iter().filter(|load| load.is_closed()) {
        let files = plan.user_connections(load) + OWN_FILES;
        if limit < files {
            let name = words.title(&load.title, &load.name);
            said.push(words.machine_users(name, words.count(files), words.count(limit)));
        }
    }
    said
}

/// What stands against making this slice of the load of `plan` here, each in a sentence.
pub(super) fn warnings(plan: &Plan, workers: Option<u16>, slice: Slice, words: Words) -> Vec<String> {
    let mut said = files(plan, slice, words);
    let held = |index: usize, max: u32| u64::from(slice.share(plan.needed_connections(EndpointId::at(index)).min(max)));
    let endpoints = || plan.platform.endpoints.iter().enumerate();
    for (index, endpoint) in endpoints().filter(|(_, endpoint)| !endpoint.url.0.starts_with("unix:")) {
        let sources: u128 = endpoint.connections.source.iter().map(|range| range.count()).sum();
        let ports = u128::from(host::local_ports()) * sources.max(1);
        let needed = held(index, endpoint.connections.max);
        if u128::from(needed) > ports {
            let name = words.title(&endpoint.title, &endpoint.name);
            let ports = u64::try_from(ports).unwrap_or(u64::MAX);
            said.push(words.machine_ports(name, words.count(needed), words.count(ports)));
        }
    }
    match kept(place(), &Identity::here()) {
        Kept::Nothing => {}
        Kept::Ours(per_core) => {
            let workers =
                load::workers(plan, workers, slice).min(u16::try_from(Identity::here().cores).unwrap_or(u16::MAX));
            let planned = plan.most_requests_a_second() / f64::from(slice.parts());
            let most = per_core * f64::from(workers);
            if planned > most {
                let rate = |rate: f64| words.rate(Rate::per_second(rate.round()));
                said.push(words.machine_rate(rate(planned), rate(most), words.n_workers(u64::from(workers))));
            }
        }
        Kept::Other(path) => said.push(words.machine_other(path.display())),
        Kept::Damaged(path, why) => said.push(words.machine_damaged(path.display(), why)),
    }
    said
}
