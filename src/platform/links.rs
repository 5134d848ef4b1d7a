use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Bindings, Happening, PlatformError, Setting};
use crate::base::host::Tree;
use crate::proxy::{Proxy, Shown, Told, Way};
use crate::undo::{Action, UndoId};

/// No process can be called so.
const NAME: &str = "fault-proxy";

/// The fault proxy, which carries every link of the platform.
#[derive(Debug, Default)]
pub(super) struct Links {
    running: Mutex<Option<(Arc<Proxy>, UndoId)>>,
}

impl Links {
    /// Starts it, if the plan has links. How to end it is written down before.
    pub(super) async fn start(&self, setting: &Arc<Setting>, bindings: &Bindings) -> Result<(), PlatformError> {
        let plan = &setting.plan.platform.links;
        if plan.is_empty() {
            return Ok(());
        }
        let mut ways = Vec::new();
        for (link, at) in plan.iter().zip(bindings.links()) {
            let to = bindings.settle(&format!("`to` of link `{}`", link.name), &link.to.0, &[])?;
            ways.push(Way { at: *at, to: reach(setting, &link.name, &to).await?, protocol: link.protocol });
        }
        let marker = setting.journal.marker(NAME).to_string();
        let mut tree = Tree { cgroup: None, marker: Some(marker.clone()), root: None };
        let action = |tree: &Tree| Action::StopTree { name: NAME.to_owned(), tree: tree.clone() };
        let undo = setting.journal.plan(action(&tree))?;
        let tell = setting.happenings.clone();
        let tell = move |told| {
            let happening = match told {
                Told::ByHand(what) => Happening::ByHand { what },
                Told::Ended => Happening::ProxyDied,
            };
            // Nobody may want to know any more.
            let _ = tell.send(happening);
        };
        let names = plan.iter().map(|link| link.name.clone()).collect();
        let shown = setting.plan.platform.toxiproxy.map(|at| Shown { at, names });
        let started = Proxy::start(&setting.program, &marker, setting.plan.seed, ways, shown, tell).await;
        let (proxy, _) = started.map_err(|why| PlatformError::Proxy { why })?;
        tree.root = proxy.identity();
        setting.journal.amend(undo, action(&tree))?;
        *self.lock() = Some((Arc::new(proxy), undo));
        Ok(())
    }

    pub(super) fn proxy(&self) -> Option<Arc<Proxy>> {
        self.lock().as_ref().map(|(proxy, _)| proxy.clone())
    }

    /// Ends it: nobody needs its links any more.
    pub(super) async fn stop(&self, setting: &Arc<Setting>) -> Result<(), PlatformError> {
        let Some((proxy, undo)) = self.lock().take() else { return Ok(()) };
        let journal = setting.journal.clone();
        let end = move || {
            proxy.goodbye();
            journal.undo(undo)
        };
        let done = tokio::task::spawn_blocking(end).await;
        Ok(done.map_err(|error| PlatformError::Proxy { why: std::io::Error::other(error) })??)
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Arc<Proxy>, UndoId)>> {
        self.running.lock().expect("nothing panics while it holds this lock")
    }
}

/// The addresses that a link may lead to: those of `to` that the scenario allows.
async fn reach(setting: &Setting, link: &str, to: &str) -> Result<Vec<SocketAddr>, PlatformError> {
    let wrong = || PlatformError::LinkTo { link: link.to_owned(), to: to.to_owned() };
    let (host, port) = to.rsplit_once(':').ok_or_else(wrong)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = port.parse().map_err(|_| wrong())?;
    Ok(setting.door.resolve(&Arc::from(host), port).await?.to_vec())
}
