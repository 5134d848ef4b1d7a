use std::io;

use tokio::sync::{oneshot, watch};

use crate::base::clock::Clock;
use crate::base::host::{Identity, Launch, Tree, describe_exit};
use crate::base::units::Span;

/// How often the rest of a tree is looked at whose first process has ended well.
const LOOK: Span = Span::millis(50);

/// When a program counts as ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    WithItsFirst,
    /// One that forks away to work, and ends well, lives as long as what it left behind.
    WithItsTree,
}

/// A started program and how it ended, once it has.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) identity: Identity,
    pub(super) ended: watch::Receiver<Option<String>>,
}

/// Starts a program on a thread that lives as long as it does: the kernel ties the parent-death signal to the thread.
/// `on_end` is called there with the exit status in words.
pub(super) async fn keep(launch: Launch, ends: Ends, on_end: impl FnOnce(&str) + Send + 'static) -> io::Result<Kept> {
    let (told, started) = oneshot::channel();
    let (tell_end, ended) = watch::channel(None);
    let work = move || {
        let (cgroup, marker) = (launch.cgroup.clone(), Some(launch.marker.clone()));
        if told.is_closed() {
            // Nobody waits for it any more, and its undo may be done already.
            return;
        }
        let mut launched = match launch.start() {
            Ok(launched) => launched,
            Err(error) => return drop(told.send(Err(error))),
        };
        if told.send(Ok(launched.identity)).is_err() {
            let tree = Tree { cgroup: cgroup.clone(), marker: marker.clone(), root: Some(launched.identity) };
            let _ = tree.kill(Span::seconds(10));
            let _ = tree.cgroup.map(|cgroup| cgroup.remove());
        }
        let status = launched.wait();
        if ends == Ends::WithItsTree && status.as_ref().is_ok_and(|status| status.success()) {
            let tree = Tree { cgroup, marker, root: Some(launched.identity) };
            let clock = Clock::start();
            while !tree.is_empty() {
                clock.block_for(LOOK);
            }
        }
        let status = status.map_or_else(|error| format!("unknown: {error}"), describe_exit);
        on_end(&status);
        tell_end.send_replace(Some(status));
    };
    std::thread::Builder::new().name("keeper".to_owned()).spawn(work)?;
    let identity = started.await.map_err(|_| io::Error::other("the thread that was to start it is gone"))??;
    Ok(Kept { identity, ended })
}
