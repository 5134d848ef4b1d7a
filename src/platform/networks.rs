//! Networks of the drill's own: a namespace for each process that lives in one, and a router (a namespace, too) that leads from
//! each to each and to the machine, so that whatever is to be wrong between them is wrong in one place.
//!
//! Each is in the journal before it is made. What links them has one end in a namespace, and goes with it.

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard};

use serde::Deserialize;

use tokio::sync::watch;

use super::{PlatformError, Setting};
use crate::base::host::{self, Namespace};
use crate::plan::{self, FaultKind, Plan, ProcessId, Shape, Subnet};
use crate::undo::{Action, Journal, UndoId};

/// The mark of the router; no process can be called so.
const ROUTER: &str = "Router";
/// The device of a process, and the router's towards the machine.
const OWN: &str = "eth0";
const TO_MACHINE: &str = "host";
/// Where each listens: nobody else is there.
pub(super) const PORT: u16 = 8080;

/// Where a process lives.
#[derive(Debug, Clone)]
pub struct Residence {
    pub address: Ipv4Addr,
    pub port: u16,
    pub namespace: Namespace,
    /// The device in its namespace: what it sends leaves there.
    pub device: &'static str,
    /// All that passes between it and others passes here,
    pub router: Namespace,
    /// and what it gets leaves there by this device.
    pub towards: String,
}

impl Residence {
    /// Of a process that lives in a network.
    pub(super) fn of(plan: &plan::Platform, journal: &Journal, id: ProcessId) -> Option<Residence> {
        let address = plan.address(id)?;
        let name = &plan.processes.get(id.index())?.name;
        Some(Residence {
            address,
            port: PORT,
            namespace: Namespace::of(&journal.marker(name)),
            device: OWN,
            router: Namespace::of(&journal.marker(ROUTER)),
            towards: format!("p{id}"),
        })
    }
}

/// What was made of them.
#[derive(Debug, Default)]
pub(super) struct Networks {
    made: Arc<Mutex<Vec<UndoId>>>,
    /// What is being made or removed listens here: see [`Networks::at_rest`].
    at_work: watch::Sender<bool>,
}

impl Networks {
    /// Makes them, if a process lives in one.
    pub(super) async fn start(&self, setting: &Arc<Setting>) -> Result<(), PlatformError> {
        if !setting.plan.platform.has_networks() {
            return Ok(());
        }
        let (setting, made, given_up) = (setting.clone(), self.made.clone(), self.at_work.subscribe());
        // Held until all are made: whoever stops what was given up meanwhile stops all of it.
        let make = move || make(&setting.plan, &setting.journal, &mut lock(&made), &given_up);
        tokio::task::spawn_blocking(make).await.map_err(|error| failed("the drill", io::Error::other(error)))?
    }

    /// Removes them: nobody lives there any more.
    pub(super) async fn stop(&self, setting: &Arc<Setting>) -> Vec<PlatformError> {
        self.at_work.send_replace(true);
        let (setting, made, busy) = (setting.clone(), self.made.clone(), self.at_work.subscribe());
        let remove = move || -> Vec<PlatformError> {
            let _busy = busy;
            let made = std::mem::take(&mut *lock(&made));
            made.into_iter()
                .rev()
                .filter_map(|undo| setting.journal.undo(undo).err())
                .map(PlatformError::from)
                .collect()
        };
        let removed = tokio::task::spawn_blocking(remove).await;
        removed.unwrap_or_else(|error| vec![failed("the drill", io::Error::other(error))])
    }
}

impl Networks {
    /// Waits until nothing is being made or removed any more on behalf of somebody who has given up waiting for it.
    pub(super) async fn at_rest(&self) {
        self.at_work.send_replace(true);
        self.at_work.closed().await;
    }
}

fn lock(made: &Mutex<Vec<UndoId>>) -> MutexGuard<'_, Vec<UndoId>> {
    made.lock().expect("nothing panics while it holds this lock")
}

fn failed(of: &str, why: io::Error) -> PlatformError {
    PlatformError::Network { of: of.to_owned(), why }
}

/// Ends early, with an error that nobody hears, once it was `given_up`.
fn make(
    plan: &Plan,
    journal: &Journal,
    made: &mut Vec<UndoId>,
    given_up: &watch::Receiver<bool>,
) -> Result<(), PlatformError> {
    if !host::may_make_networks() {
        return Err(PlatformError::NoRight);
    }
    let platform = &plan.platform;
    for program in programs(plan) {
        host::find_tool(program).map_err(|why| PlatformError::NoTool { why })?;
    }
    check_free(platform)?;
    let mut pin = |name: &str, mark: &str| -> Result<Namespace, PlatformError> {
        if *given_up.borrow() {
            return Err(failed(name, io::Error::other("the drill is being stopped")));
        }
        let namespace = Namespace::of(&journal.marker(mark));
        let action = Action::RemoveNamespace { name: name.to_owned(), namespace: namespace.clone() };
        made.push(journal.plan(action)?);
        namespace.create().map_err(|why| failed(name, why))?;
        Ok(namespace)
    };
    let router = pin("the drill's router", ROUTER)?;
    lead_to_machine(platform, &router).map_err(|why| failed("the drill's router", why))?;
    for (index, process) in platform.processes.iter().enumerate() {
        let Some(residence) = Residence::of(platform, journal, ProcessId::at(index)) else { continue };
        let Some(network) = process.network.and_then(|id| platform.networks.get(id.index())) else { continue };
        pin(&process.name, &process.name)?;
        settle(&residence, network.subnet).map_err(|why| failed(&process.name, why))?;
    }
    if plan.faults.iter().any(|fault| matches!(fault.kind, FaultKind::Shape { shape: Shape::Delay { .. }, .. })) {
        let tried = router.tool("tc", &["qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"], "");
        tried.map_err(|why| PlatformError::NoNetem { why })?;
        router.tool("tc", &["qdisc", "delete", "dev", "lo", "root"], "").map_err(|why| failed("the drill", why))?;
    }
    Ok(())
}

/// What has to be there for all that the plan wants.
fn programs(plan: &Plan) -> Vec<&'static str> {
    let faults = |wanted: fn(&FaultKind) -> bool| plan.faults.iter().any(|fault| wanted(&fault.kind));
    let between = faults(|kind| matches!(kind, FaultKind::Between { .. })).then_some("nft");
    let shape = faults(|kind| matches!(kind, FaultKind::Shape { .. })).then_some("tc");
    ["ip"].into_iter().chain(between).chain(shape).collect()
}

/// What `ip -j route` tells.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Route {
    dst: String,
    dev: String,
}

/// Nobody else on this machine has these addresses: another drill, or a network that is really there.
fn check_free(platform: &plan::Platform) -> Result<(), PlatformError> {
    let told = host::tool("ip", &["-j", "-4", "route", "show"], "").map_err(|why| failed("the drill", why))?;
    let routes: Vec<Route> = serde_json::from_str(&told).unwrap_or_default();
    for network in &platform.networks {
        if let Some(route) = routes.iter().find(|route| leads_into(&route.dst, network.subnet)) {
            let (network, subnet) = (network.name.clone(), network.subnet.to_string());
            return Err(PlatformError::SubnetTaken { network, subnet, by: route.dev.clone() });
        }
    }
    Ok(())
}

/// Whether a route leads to addresses of a subnet. Those that are for nearly everything give way to it.
fn leads_into(route: &str, subnet: Subnet) -> bool {
    const NEARLY_ALL: u8 = 8;
    let (address, prefix) = route.split_once('/').unwrap_or((route, "32"));
    let (Ok(address), Ok(prefix)) = (address.parse::<Ipv4Addr>(), prefix.parse::<u8>()) else { return false };
    let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
    let around = subnet.address().to_bits() & mask == address.to_bits();
    prefix >= NEARLY_ALL && (subnet.contains(address) || around)
}

/// The router, and the way between it and the machine.
fn lead_to_machine(platform: &plan::Platform, router: &Namespace) -> io::Result<()> {
    let settings = [
        ("ip_forward", "1"),
        // Whatever the machine's defaults: it answers for its addresses on every device.
        ("conf/all/arp_ignore", "0"),
        ("conf/default/arp_ignore", "0"),
        ("conf/all/rp_filter", "0"),
        ("conf/default/rp_filter", "0"),
    ];
    router.enter(|| {
        let mut settings = settings.iter();
        settings.try_for_each(|(name, value)| std::fs::write(format!("/proc/sys/net/ipv4/{name}"), value))
    })??;
    let Some(first) = platform.networks.first() else { return Ok(()) };
    // Fits into the 15 letters of a device's name, and is one for each subnet.
    let device = format!("pd-{:08x}", first.subnet.address().to_bits());
    let name = router.name();
    let mut here = format!("link add {device} type veth peer name {TO_MACHINE} netns {name}\n");
    here.push_str(&format!("link set {device} alias {name}\nlink set {device} up\n"));
    let mut there = format!("link set {TO_MACHINE} up\n");
    for network in &platform.networks {
        let subnet = network.subnet;
        let (machine, middle) = (subnet.machine(), subnet.router());
        here.push_str(&format!("address add {machine}/32 dev {device}\n"));
        here.push_str(&format!("route add {middle}/32 dev {device} src {machine}\n"));
        here.push_str(&format!("route add {subnet} via {middle} dev {device} src {machine}\n"));
        there.push_str(&format!("address add {middle}/32 dev lo\nroute add {machine}/32 dev {TO_MACHINE}\n"));
    }
    host::tool("ip", &["-batch", "-"], &here)?;
    router.tool("ip", &["-batch", "-"], &there).map(drop)
}

/// A process's own namespace, and the way between it and the router.
fn settle(residence: &Residence, subnet: Subnet) -> io::Result<()> {
    let Residence { address, namespace, device, router, towards, .. } = residence;
    let (name, middle) = (namespace.name(), subnet.router());
    let there = format!(
        "link add {towards} type veth peer name {device} netns {name}\nlink set {towards} up\n\
         route add {address}/32 dev {towards}\n"
    );
    router.tool("ip", &["-batch", "-"], &there)?;
    let own = format!(
        "address add {address}/32 dev {device}\nlink set {device} up\nroute add {middle}/32 dev {device} src {address}\n\
         route add default via {middle} dev {device} src {address}\n"
    );
    namespace.tool("ip", &["-batch", "-"], &own).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_into_a_subnet_is_seen_and_one_for_nearly_everything_is_not() {
        let subnet = Subnet::new("198.18.7.0".parse().unwrap(), 24).unwrap();
        for taken in ["198.18.7.0/24", "198.18.7.9", "198.18.7.128/25", "198.18.0.0/15"] {
            assert!(leads_into(taken, subnet), "{taken}");
        }
        for free in ["default", "198.18.8.0/24", "10.0.0.0/8", "128.0.0.0/1", "198.18.6.255", "nonsense"] {
            assert!(!leads_into(free, subnet), "{free}");
        }
    }
}
