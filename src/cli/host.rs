//! Whether this machine can make a drill: its faults, its connections, its names, the hosts that it reaches.

use std::path::Path;

use super::machine;
use crate::fault::Means;
use crate::plan::arrivals::Slice;
use crate::plan::{Host, HostId, Plan, WatchKind};
use crate::report::Words;
use crate::wire;

/// What cannot be made of this plan here, each in a sentence. Asks for names, and whether hosts answer; does nothing to anybody.
/// `reached` keeps what each host answered: those of several profiles are asked once.
pub(super) fn lacks(plan: &Plan, words: Words, reached: &mut Vec<(Host, Option<String>)>) -> Vec<String> {
    let here = std::env::current_dir().unwrap_or_else(|_| Path::new("/").to_owned());
    let program = std::env::current_exe().unwrap_or_default();
    let means = Means { platform: &plan.platform, here: &here, program: &program };
    let mut said: Vec<String> = means.lacks_networks().into_iter().map(|why| words.host_networks(why)).collect();
    for fault in &plan.faults {
        if let Some(why) = means.lacks(&fault.kind) {
            said.push(words.host_fault(&fault.name, fault.kind.verb(), why));
        }
    }
    // One without a fault on it would not even be started.
    for process in plan.platform.processes.iter().filter(|process| process.skewable) {
        if let Some(why) = means.lacks_clock(process).filter(|why| !said.iter().any(|other| other.contains(why))) {
            said.push(words.host_process(&process.name, why));
        }
    }
    for container in &plan.platform.containers {
        let why = Means::lacks_container(container).filter(|why| !said.iter().any(|other| other.contains(why)));
        said.extend(why.map(|why| words.host_container(&container.name, why)));
    }
    for (index, host) in plan.platform.hosts.iter().enumerate() {
        if !is_used(plan, HostId::at(index)) {
            continue;
        }
        let known = reached.iter().find(|(other, _)| other == host).map(|(_, why)| why.clone());
        let why = known.unwrap_or_else(|| {
            let why = means.lacks_host(host);
            reached.push((host.clone(), why.clone()));
            why
        });
        said.extend(why.map(|why| words.host_unreached(&host.name, why)));
    }
    said.extend(machine::files(plan, Slice::WHOLE, words));
    for (name, why) in wire::unresolved(&plan.platform.allow) {
        said.push(words.host_name(name, why));
    }
    said
}

/// Whether anything is done there, or watched.
fn is_used(plan: &Plan, host: HostId) -> bool {
    plan.faults.iter().any(|fault| fault.kind.host() == Some(host))
        || plan.platform.watches.iter().any(|watch| watch.kind == WatchKind::Remote(host))
}
