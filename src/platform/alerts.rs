use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Happening, PlatformError, Setting};
use crate::base::clock::Clock;
use crate::base::template::Masker;
use crate::base::units::At;
use crate::plan::{WatchId, WatchKind};

/// So many characters of an alert are kept.
const KEPT: usize = 200;

/// Where the platform's own alerts come in.
#[derive(Debug, Default)]
pub(super) struct Alerts {
    listeners: Mutex<Vec<(WatchId, TcpListener)>>,
    /// What tells that something was done, by watch.
    tellers: Mutex<Vec<(WatchId, watch::Sender<()>)>>,
}

/// What a watch of alerts hears from now on of something being done.
#[derive(Debug)]
pub struct Confirmation(watch::Receiver<()>);

impl Confirmation {
    /// Ends when it has heard of it; never, where nobody listens any more.
    pub async fn come(mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Who takes the alerts of one watch.
#[derive(Clone)]
struct Pager {
    watch: WatchId,
    clock: Clock,
    masker: Arc<Masker>,
    happenings: UnboundedSender<Happening>,
    teller: watch::Sender<()>,
}

/// What is read of a webhook of Prometheus' Alertmanager.
#[derive(Deserialize)]
struct Webhook {
    status: String,
}

impl Alerts {
    /// Listens where the plan says; what comes before anybody watches waits until then.
    pub(super) async fn start(&self, setting: &Setting) -> Result<(), PlatformError> {
        let mut listeners = Vec::new();
        for (index, watch) in setting.plan.platform.watches.iter().enumerate() {
            let WatchKind::Alert { listen } = watch.kind else { continue };
            let wrong = |why| PlatformError::Alert { watch: watch.name.clone(), listen, why };
            listeners.push((WatchId::at(index), TcpListener::bind(listen).await.map_err(wrong)?));
        }
        *self.listeners.lock().unwrap_or_else(PoisonError::into_inner) = listeners;
        Ok(())
    }

    /// Takes what comes: each POST is an alert, whatever is in it.
    pub(super) fn watch(&self, setting: &Setting, clock: &Clock, tasks: &mut JoinSet<()>) {
        let secrets =
            setting.constants.get("secret").and_then(Value::as_object).into_iter().flat_map(|all| all.values());
        let masker = Arc::new(Masker::new(secrets.filter_map(Value::as_str)));
        let listeners = std::mem::take(&mut *self.listeners.lock().unwrap_or_else(PoisonError::into_inner));
        for (watch, listener) in listeners {
            let (clock, masker, happenings) = (clock.clone(), masker.clone(), setting.happenings.clone());
            let teller = self.teller(watch);
            let router = Router::new().fallback(take).with_state(Pager { watch, clock, masker, happenings, teller });
            tasks.spawn_local(async move {
                let _ = axum::serve(listener, router).await;
            });
        }
    }

    /// What a watch hears from now on.
    pub(super) fn confirmation(&self, watch: WatchId) -> Confirmation {
        Confirmation(self.teller(watch).subscribe())
    }

    fn teller(&self, watch: WatchId) -> watch::Sender<()> {
        let mut tellers = self.tellers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = tellers.iter().find(|(known, _)| *known == watch) {
            return known.clone();
        }
        let teller = watch::Sender::new(());
        tellers.push((watch, teller.clone()));
        teller
    }
}

async fn take(State(pager): State<Pager>, method: Method, body: Bytes) -> StatusCode {
    let at = pager.clock.now();
    if method != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED;
    }
    let status = serde_json::from_slice::<Webhook>(&body).ok().map(|webhook| webhook.status);
    let good = status.as_deref() == Some("resolved");
    let text = String::from_utf8_lossy(&body);
    // Masked before it is cut, so that no part of a secret is left at its end.
    let why = kept(&pager.masker.mask(&text));
    let _ = pager.happenings.send(Happening::Turned { at, watch: pager.watch, good, why: Some(why) });
    // One that is firing is sent again and again: it says that something is wrong, not that something was done. What had
    // come before the drill began is taken before anything begins.
    if (good || status.is_none()) && at > At::START {
        pager.teller.send_replace(());
    }
    StatusCode::OK
}

/// Its beginning, in one line.
fn kept(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(KEPT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_kept_as_one_short_line() {
        assert_eq!(kept("down\n\x1b[31mnow"), "down  [31mnow");
        assert_eq!(kept(&"\u{9999}".repeat(500)).chars().count(), KEPT);
    }
}
