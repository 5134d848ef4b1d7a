//! A tree of processes found by walking `/proc`, for machines without a writable cgroup2. Weaker: one who forks away,
//! takes a new session *and* clears its environment is lost once its parent is gone and the harness too.

use std::collections::HashSet;

use super::identity::{Identity, Signal};
use super::proc::{self, Marker, Stat};

/// By what the members are known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub root: Option<Identity>,
    pub marker: Option<&'a str>,
}

/// All that belong to the tree at this moment, zombies included; never the calling process.
pub(super) fn members(known: Known<'_>) -> Vec<Stat> {
    let stats = proc::stats();
    let own = std::process::id();
    let mut inside: HashSet<u32> = HashSet::new();
    // While a session or group lives, its number is not given to a new process. If the pid belongs to someone else
    // by now, then so does the session.
    let taken = |root: &Identity| stats.iter().any(|stat| stat.pid == root.pid && stat.started != root.started);
    let root = known.root.filter(|root| !taken(root));
    for stat in &stats {
        let by_root = root.is_some_and(|root| {
            stat.identity() == root
                || (stat.started >= root.started && (stat.session == root.pid || stat.group == root.pid))
        });
        let by_mark = || {
            let marker = known.marker?;
            Some(Marker::of(stat.pid)?.to_string() == marker)
        };
        if by_root || by_mark() == Some(true) {
            inside.insert(stat.pid);
        }
    }
    inside.remove(&own);
    // Children of members, to any depth.
    loop {
        let before = inside.len();
        for stat in &stats {
            if stat.pid != own && inside.contains(&stat.parent) {
                inside.insert(stat.pid);
            }
        }
        if inside.len() == before {
            break;
        }
    }
    stats.into_iter().filter(|stat| inside.contains(&stat.pid)).collect()
}

/// One round of a signal to all who live; says how many that were.
pub(super) fn signal(known: Known<'_>, signal: Signal) -> std::io::Result<usize> {
    let mut reached = 0;
    for stat in members(known).iter().filter(|stat| stat.is_alive()) {
        reached += usize::from(stat.identity().signal(signal)?);
    }
    Ok(reached)
}

/// Takes the exit status of orphans that were handed to us as their subreaper, all but the root, whose own keeper
/// waits for it.
pub(super) fn reap(known: Known<'_>) {
    let own = std::process::id();
    for stat in members(known) {
        if stat.parent == own && !stat.is_alive() && Some(stat.identity()) != known.root {
            super::launch::reap(stat.pid);
        }
    }
}
