//! Limits of processes that were lowered: each gets its own back.

use std::io;

use serde::{Deserialize, Serialize};

use crate::base::host::{Identity, Resource, Tree};

/// A process whose soft limit was lowered, and what it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lowered {
    pub process: Identity,
    pub before: u64,
}

/// Those of the tree that have less than they had. Whoever was started by one of them since has the lowered limit from it,
/// and is to have what the most of them had.
pub(super) fn lowered(tree: &Tree, resource: Resource, before: &[Lowered]) -> Vec<Lowered> {
    let most = before.iter().map(|one| one.before).max().unwrap_or_default();
    let known = |member: &Identity| before.iter().find(|one| one.process == *member).map(|one| one.before);
    let mut members = tree.members();
    for one in before.iter().filter(|one| one.process.is_alive()) {
        if !members.contains(&one.process) {
            members.push(one.process);
        }
    }
    let wanted = members.into_iter().map(|member| Lowered { process: member, before: known(&member).unwrap_or(most) });
    wanted
        .filter(|one| {
            let now = one.process.limits(resource).ok().flatten();
            now.is_some_and(|now| now.soft < one.before.min(now.hard))
        })
        .collect()
}

pub(super) fn restore(tree: &Tree, resource: Resource, before: &[Lowered]) -> io::Result<bool> {
    // Again, since one may be born meanwhile.
    for _ in 0..3 {
        for one in lowered(tree, resource, before) {
            one.process.set_soft_limit(resource, one.before)?;
        }
    }
    Ok(lowered(tree, resource, before).is_empty())
}

/// With the program of util-linux.
pub(super) fn by_hand(tree: &Tree, resource: Resource, before: &[Lowered]) -> String {
    let option = match resource {
        Resource::Files => "nofile",
        Resource::Memory => "as",
    };
    let soft = |one: &Lowered| if one.before == u64::MAX { "unlimited".to_owned() } else { one.before.to_string() };
    let one = |one: &Lowered| format!("prlimit --pid {} --{option}={}:", one.process.pid, soft(one));
    lowered(tree, resource, before).iter().map(one).collect::<Vec<_>>().join("; ")
}
