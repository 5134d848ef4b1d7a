//! Networks, who lives in them, and what can be wrong between those who do.

use std::net::IpAddr;

use super::context::Cx;
use super::fault::{Draw, Scene, bitten};
use super::names::Names;
use super::platform::Processes;
use super::text::Reach;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::template::Template;
use crate::base::units::Span;
use crate::plan::{self, Allow, Direction, FaultKind, Harm, Network, NetworkId, ProcessId, Shape, Spread, Subnet};
use crate::scenario::{self, Field, Sides, Spanned, Target};

/// The networks as written, and where each process lives.
#[derive(Debug, Default)]
pub(super) struct Networks {
    pub(super) list: Vec<Network>,
    names: Option<Names>,
}

impl Networks {
    /// The network that a process names.
    pub(super) fn find(&self, field: &Field<String>, cx: &mut Cx<'_>) -> Option<NetworkId> {
        let name = cx.get(field)?;
        let found = self.names.as_ref()?.find(name, cx)?;
        Some(NetworkId::at(found))
    }
}

pub(super) fn networks(platform: &scenario::Platform, allowed: Option<&[Allow]>, cx: &mut Cx<'_>) -> Networks {
    let names = Names::of("network", &platform.networks);
    let map = cx.get(&platform.networks).map(|map| &map.value);
    let written = cx.entries(map);
    // Those that are written have the first choice.
    let subnets: Vec<Option<(Subnet, Mark)>> = written
        .iter()
        .map(|(_, network)| Some((subnet(cx.get(&network.subnet)?, cx)?, network.subnet.get()?.mark)))
        .collect();
    let mut taken: Vec<Subnet> = Vec::new();
    for (index, (one, mark)) in subnets.iter().enumerate().filter_map(|(index, one)| Some((index, (*one)?))) {
        let earlier = subnets.iter().take(index).flatten().find(|(other, _)| other.overlaps(one));
        if let Some((other, first)) = earlier {
            let message = format!("{one} and {other} overlap: an address has one network");
            cx.say(Diagnostic::error("overlap", mark, message).related(*first, "the other one"));
        }
        taken.push(one);
    }
    let mut list = Vec::new();
    for ((name, network), subnet) in written.iter().zip(subnets) {
        cx.broken |= !network.complete;
        let (subnet, mark) = match subnet {
            Some(subnet) => subnet,
            // Refused, and said.
            None if !network.subnet.is_absent() => {
                cx.broken = true;
                continue;
            }
            None => match Subnet::free(&taken) {
                Some(free) => (free, name.mark),
                None => {
                    let message = format!("no subnet is left for `{}`", name.value);
                    cx.say(Diagnostic::error("no-room", name.mark, message).help("write `subnet`"));
                    continue;
                }
            },
        };
        taken.push(subnet);
        cx.note(format!("platform.networks.{}.subnet", name.value), &subnet, mark);
        check_room(&name.value, subnet, mark, platform, cx);
        let reached = |entry: &Allow| match entry {
            Allow::Network { address: IpAddr::V4(address), prefix } => {
                let wide = ipnet::Ipv4Net::new(*address, *prefix);
                let inside = ipnet::Ipv4Net::new(subnet.address(), subnet.prefix());
                wide.is_ok_and(|wide| inside.is_ok_and(|inside| wide.contains(&inside)))
            }
            _ => false,
        };
        if allowed.is_some_and(|allowed| !allowed.is_empty() && !allowed.iter().any(reached)) {
            let message = format!("processes in `{}` are spoken to at {subnet}, which is outside `allow`", name.value);
            cx.say(Diagnostic::error("outside-allow", mark, message).help(format!("add {subnet} to `platform.allow`")));
        }
        let title = cx.get(&network.title).map(|title| title.value.clone()).unwrap_or_default();
        list.push(Network { name: name.value.clone(), title, subnet });
    }
    Networks { list, names: Some(names) }
}

fn subnet(text: &Spanned<String>, cx: &mut Cx<'_>) -> Option<Subnet> {
    let made = text.value.split_once('/').and_then(|(address, prefix)| {
        let address: std::net::Ipv4Addr = address.trim().parse().ok()?;
        Subnet::new(address, prefix.trim().parse().ok()?)
    });
    if made.is_none() {
        let (least, most) = Subnet::PREFIXES;
        let message = format!(
            "`{}` is no subnet: the first address of a network and its prefix, /{least} to /{most}",
            text.value
        );
        cx.say(Diagnostic::error("subnet", text.mark, message).help("write it such as 198.18.7.0/24"));
    }
    made
}

fn check_room(name: &str, subnet: Subnet, mark: Mark, platform: &scenario::Platform, cx: &mut Cx<'_>) {
    let processes = platform.processes.value().into_iter().flat_map(scenario::Named::iter);
    let live_here = processes.filter(|(_, process)| process.network.value().is_some_and(|network| network == name));
    let many: u64 =
        live_here.map(|(_, process)| process.count.value().map_or(1, |count| (*count).clamp(1, 1_000))).sum();
    if many > subnet.room() {
        let message = format!("{subnet} has room for {} processes, and {many} are to live in `{name}`", subnet.room());
        cx.say(Diagnostic::error("no-room", mark, message).help("write a shorter prefix: `subnet: 198.18.0.0/16`"));
    }
}

/// Whoever lives in a network reaches others in networks, and links; what listens on the loopback of the machine it does not.
pub(super) fn check_reach(platform: &scenario::Platform, reach: &Reach<'_>, cx: &mut Cx<'_>) {
    for (_, process) in platform.processes.value().into_iter().flat_map(scenario::Named::iter) {
        if process.network.is_absent() || !process.attach.is_absent() {
            continue;
        }
        let words = process.run.value().map(|run| run.0.items.as_slice()).unwrap_or_default();
        let env = process.env.value().into_iter().flat_map(scenario::Named::iter).map(|(_, text)| text);
        for text in words.iter().chain(env) {
            let Ok(template) = Template::parse(text.text()) else { continue };
            for name in template.references() {
                let Some(other) = name.path.get(1) else { continue };
                let at = cx.inside(text.mark, text.text(), name.range.clone());
                if name.root() == "process" && reach.lives_on_machine(other) {
                    let message =
                        format!("`{other}` listens on the loopback of this machine, which nobody in a network reaches");
                    let help = format!("give `{other}` a `network`, too, or lead a link to it: link.NAME.address");
                    cx.say(Diagnostic::error("unreachable", at, message).help(help));
                }
                let link = platform.links.value().filter(|_| name.root() == "link").and_then(|links| links.get(other));
                if let Some(listen) = link.and_then(|link| link.listen.get()) {
                    let message =
                        format!("the link `{other}` listens at {}, which nobody in a network reaches", listen.value);
                    let help = "leave `listen` out there: a link of a platform with networks is reached from all of it";
                    cx.say(Diagnostic::error("unreachable", at, message).related(listen.mark, "there").help(help));
                }
            }
        }
    }
}

/// A fault between two sides, or on what processes send and get; `None` for a fault on something else.
pub(super) fn kind(
    draw: Draw,
    path: &str,
    fault: &scenario::Fault,
    scene: &Scene<'_>,
    cx: &mut Cx<'_>,
) -> Option<Option<(FaultKind, Mark)>> {
    let direction = match cx.get(&fault.direction).map(|direction| direction.value) {
        Some(scenario::Direction::Up) => Direction::Up,
        Some(scenario::Direction::Down) => Direction::Down,
        None | Some(scenario::Direction::Both) => Direction::Both,
    };
    if let Some((between, harm)) = between(fault, cx) {
        let made = sides(draw, path, between, scene, cx).zip(harm);
        return Some(
            made.map(|((first, second, mark), harm)| (FaultKind::Between { first, second, direction, harm }, mark)),
        );
    }
    let (target, shape) = shape(fault, cx)?;
    let processes = networked(path, draw, target, scene, cx);
    Some(shape.map(|shape| (FaultKind::Shape { processes, direction, shape }, target.mark)))
}

fn between<'f>(fault: &'f scenario::Fault, cx: &mut Cx<'_>) -> Option<(&'f Spanned<Sides>, Option<Harm>)> {
    if let Some(partition) = fault.partition.get() {
        cx.broken |= !partition.complete;
        return Some((cx.need(&partition.between)?, Some(Harm::Partition)));
    }
    if let Some(drop) = fault.drop.get() {
        cx.broken |= !drop.complete;
        let share = cx.need(&drop.share).map(|share| Harm::Drop { share: share.value });
        return Some((cx.need(&drop.between)?, share));
    }
    if let Some(between) = fault.refuse.value().and_then(|refuse| refuse.between.get()) {
        return Some((between, Some(Harm::Refuse)));
    }
    let between = fault.reset.value()?.between.get()?;
    Some((between, Some(Harm::Reset)))
}

fn shape<'f>(fault: &'f scenario::Fault, cx: &mut Cx<'_>) -> Option<(&'f Spanned<Target>, Option<Shape>)> {
    if let Some(throttle) = fault.throttle.value()
        && let Some(process) = throttle.process.get()
    {
        cx.broken |= !throttle.complete;
        return Some((process, cx.need(&throttle.rate).map(|rate| Shape::Throttle { rate: rate.value })));
    }
    let delay = fault.delay.value()?;
    let process = delay.process.get()?;
    cx.broken |= !delay.complete;
    let latency = cx.need(&delay.latency).map(|latency| latency.value);
    let jitter = cx.get(&delay.jitter).map_or(Span::ZERO, |jitter| jitter.value);
    let spread = match cx.get(&delay.spread).map(|spread| spread.value) {
        Some(scenario::Spread::Normal) => Spread::Normal,
        _ => Spread::Uniform,
    };
    Some((process, latency.map(|latency| Shape::Delay { latency, jitter, spread })))
}

/// Who is on which side: each on one, and all in networks.
fn sides(
    draw: Draw,
    path: &str,
    between: &Spanned<Sides>,
    scene: &Scene<'_>,
    cx: &mut Cx<'_>,
) -> Option<(Vec<ProcessId>, Vec<ProcessId>, Mark)> {
    let [first, second] = cx.items(&between.value.0) else { return None };
    let one = networked(&format!("{path}.between.first"), draw, first, scene, cx);
    let two = networked(&format!("{path}.between.second"), draw, second, scene, cx);
    if one.iter().any(|id| two.contains(id)) {
        let message = "a process is on one side: nothing is between it and itself";
        cx.say(Diagnostic::error("given-twice", second.mark, message).related(first.mark, "the other side"));
    }
    Some((one, two, between.mark))
}

/// Those that a fault is aimed at, who all have to live in networks.
pub(super) fn networked(
    path: &str,
    draw: Draw,
    target: &Spanned<Target>,
    scene: &Scene<'_>,
    cx: &mut Cx<'_>,
) -> Vec<ProcessId> {
    let processes = bitten(path, draw, target, scene, cx);
    in_networks(&processes, target.mark, scene.processes, cx);
    processes
}

fn in_networks(bitten: &[ProcessId], mark: Mark, processes: &Processes, cx: &mut Cx<'_>) {
    let lives = |id: &ProcessId| processes.networked.get(id.index()) == Some(&true);
    if let Some(outside) = bitten.iter().find(|id| !lives(id)) {
        let name = super::fault::name_of(processes, *outside).unwrap_or("it");
        let message =
            format!("`{name}` lives in no network, so nothing can be done to what it sends, gets and asks for");
        let help = "give it a `network`, or break a link before it: `link`";
        cx.say(Diagnostic::error("no-network", mark, message).help(help));
    }
}

/// The plan's part of it.
pub(super) fn of_process(process: &scenario::Process, networks: &Networks, cx: &mut Cx<'_>) -> Option<plan::NetworkId> {
    networks.find(&process.network, cx)
}
