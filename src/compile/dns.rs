//! The names by which those in networks find each other, and what can be wrong with how they are answered.

use super::context::Cx;
use super::fault::{Draw, Scene};
use super::names::Names;
use super::network::networked;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::plan::{Answer, FaultKind, is_dns_name};
use crate::scenario::{self, DnsAnswer, Field, List, Named};

/// Every name that can be asked for in networks, each once.
pub(super) fn names(platform: &scenario::Platform, cx: &mut Cx<'_>) -> Names {
    let mut names = Names::new("name in networks");
    if platform.processes.is_hole() || platform.links.is_hole() {
        names.lacks();
    }
    let mut lives = false;
    let mut given: Vec<&Field<List<String>>> = Vec::new();
    for (name, process) in platform.processes.value().into_iter().flat_map(Named::iter) {
        if process.network.is_absent() {
            if let Some(mark) = process.names.written().filter(|_| process.attach.is_absent()) {
                let message = format!("`{}` lives in no network, where it could be found by a name", name.value);
                cx.say(
                    Diagnostic::error("no-network", mark, message).help("give it a `network`, or leave `names` out"),
                );
            }
            continue;
        }
        lives = true;
        // Its own names are those of processes, which there is one of each.
        let _ = names.add(&name.value, name.mark);
        for number in 1..=process.count.value().map_or(0, |count| (*count).min(1_000)) {
            let _ = names.add(&format!("{}_{number}", name.value), name.mark);
        }
        given.push(&process.names);
    }
    for (name, link) in platform.links.value().into_iter().flat_map(Named::iter) {
        if let Some(mark) = link.names.written().filter(|_| !lives) {
            let message = format!("nobody lives in a network, and could find the link `{}` by a name", name.value);
            cx.say(Diagnostic::error("no-network", mark, message).help("give the processes that dial it a `network`"));
            continue;
        }
        if let Some((listen, mark)) = link.listen.get().zip(link.names.written()) {
            let message =
                format!("nobody in a network reaches {}, where the link `{}` listens", listen.value, name.value);
            let help = "leave `listen` out: a link of a platform with networks is reached from all of it";
            cx.say(Diagnostic::error("unreachable", mark, message).related(listen.mark, "there").help(help));
        }
        given.push(&link.names);
    }
    for name in given.into_iter().filter_map(|names| names.value()).flat_map(|names| &names.items) {
        if !is_dns_name(&name.value) {
            let message = format!("`{}` is no name that can be asked for", name.value);
            let help = "write labels of letters, digits, `-` and `_`, with dots between them: payment.shop.internal";
            cx.say(Diagnostic::error("dns-name", name.mark, message).help(help));
        } else if let Err(first) = names.add(&name.value.to_ascii_lowercase(), name.mark) {
            let message = format!("`{}` leads to somebody else, too", name.value);
            let help = "a name leads to one process, to all of one with `count`, or to one link";
            cx.say(Diagnostic::error("given-twice", name.mark, message).related(first, "the other one").help(help));
        }
    }
    names
}

/// The names as the plan has them; what is wrong with them is said by [`names`].
pub(super) fn given(field: &Field<List<String>>, cx: &mut Cx<'_>) -> Vec<String> {
    let Some(names) = cx.get(field) else { return Vec::new() };
    cx.items(&names.value).iter().map(|name| name.value.to_ascii_lowercase()).collect()
}

/// `break-dns`; `None` for a fault on something else.
pub(super) fn kind(
    draw: Draw,
    path: &str,
    fault: &scenario::Fault,
    scene: &Scene<'_>,
    cx: &mut Cx<'_>,
) -> Option<Option<(FaultKind, Mark)>> {
    let broken = cx.get(&fault.break_dns)?;
    cx.broken |= !broken.complete;
    let latency = cx.get(&broken.latency).map(|latency| Answer::Late(latency.value));
    let answer = latency.or_else(|| {
        cx.get(&broken.answer).map(|answer| match answer.value {
            DnsAnswer::Nothing => Answer::Nothing,
            DnsAnswer::Missing => Answer::Missing,
            DnsAnswer::Failed => Answer::Failed,
            DnsAnswer::Wrong => Answer::Wrong,
        })
    });
    let mut names: Vec<String> = Vec::new();
    for name in cx.get(&broken.names).map(|names| cx.items(&names.value)).into_iter().flatten() {
        let lower = name.value.to_ascii_lowercase();
        match scene.dns.get(&lower) {
            _ if names.contains(&lower) => {
                let message = format!("`{}` is named twice", name.value);
                cx.say(Diagnostic::error("given-twice", name.mark, message));
            }
            Some(_) => names.push(lower),
            None => scene.dns.unknown(&lower, name.mark, cx),
        }
    }
    let target = cx.need(&broken.process)?;
    let processes = networked(path, draw, target, scene, cx);
    Some(answer.map(|answer| (FaultKind::BreakDns { processes, names, answer }, target.mark)))
}
