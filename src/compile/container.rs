//! Containers, and what is done to them.

use super::context::Cx;
use super::fault::{Draw, Scene, numbered};
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::plan::{Blow, Container, ContainerId, FaultKind};
use crate::scenario::{self, Field, Spanned, Target};

const SOCKET: &str = "/var/run/docker.sock";

/// As written, in their order.
pub(super) fn containers(platform: &scenario::Platform, cx: &mut Cx<'_>) -> Vec<Container> {
    let map = cx.get(&platform.containers).map(|map| &map.value);
    let mut made: Vec<(Container, Mark)> = Vec::new();
    for (name, container) in cx.entries(map) {
        cx.broken |= !container.complete;
        let Some(called) = cx.need(&container.name) else { continue };
        check_name(called, cx);
        if let Some(socket) = cx.get(&container.socket).filter(|socket| !socket.value.starts_with('/')) {
            let message = format!("`{}` is no path from the root", socket.value);
            cx.say(Diagnostic::error("path", socket.mark, message).help(format!("write it such as {SOCKET}")));
        }
        let socket =
            cx.settle(format!("platform.containers.{}.socket", name.value), &container.socket, SOCKET.to_owned());
        let title = cx.get(&container.title).map(|title| title.value.clone()).unwrap_or_default();
        let one = Container { name: name.value.clone(), title, container: called.value.clone(), socket };
        let same = |(other, _): &&(Container, Mark)| other.container == one.container && other.socket == one.socket;
        if let Some((_, first)) = made.iter().find(same) {
            let message = format!("`{}` has a name here already", called.value);
            cx.say(Diagnostic::error("given-twice", called.mark, message).related(*first, "the other one"));
        }
        made.push((one, called.mark));
    }
    made.into_iter().map(|(container, _)| container).collect()
}

fn check_name(name: &Spanned<String>, cx: &mut Cx<'_>) {
    let sound = name.value.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.value.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    if !sound {
        let message = format!("no container is called `{}`: Docker's names have letters, digits and `_.-`", name.value);
        cx.say(Diagnostic::error("name", name.mark, message).help("write it as `docker ps` shows it, without a slash"));
    }
}

/// A fault on containers; `None` for a fault on something else.
pub(super) fn kind(
    draw: Draw,
    path: &str,
    fault: &scenario::Fault,
    scene: &Scene<'_>,
    cx: &mut Cx<'_>,
) -> Option<Option<(FaultKind, Mark)>> {
    let (target, blow, complete) = blow(fault)?;
    cx.broken |= !complete;
    let Some(target) = cx.need(target) else { return Some(None) };
    let found = numbered(path, "container", scene.containers, draw, target, scene.seed, cx);
    let containers = found.into_iter().map(ContainerId::at).collect();
    Some(Some((FaultKind::Container { containers, blow }, target.mark)))
}

fn blow(fault: &scenario::Fault) -> Option<(&Field<Target>, Blow, bool)> {
    let kill = fault.kill.value().map(|kill| (&kill.container, Blow::Kill, kill.complete));
    let terminate = fault.terminate.value().map(|kill| (&kill.container, Blow::Terminate, kill.complete));
    let pause = fault.pause.value().map(|pause| (&pause.container, Blow::Pause, pause.complete));
    let disconnect = fault.disconnect.value().map(|cut| (&cut.container, Blow::Disconnect, cut.complete));
    let given = |(target, blow, _): &(&Field<Target>, Blow, bool)| !target.is_absent() || *blow == Blow::Disconnect;
    [kill, terminate, pause, disconnect].into_iter().flatten().find(given)
}
