use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use tokio::task::JoinSet;

use super::bindings::header;
use super::{Bindings, Happening, PlatformError, Setting};
use crate::base::clock::Clock;
use crate::base::units::{At, Span};
use crate::plan::{EndpointId, WatchId, WatchKind};
use crate::wire::Origin;

/// A probe that is not answered within this, or before the next is due, is bad.
const PATIENCE: Span = Span::seconds(2);

/// Between two tries of what is to be answered.
const AGAIN: Span = Span::millis(200);

struct Probe {
    watch: WatchId,
    origin: Origin,
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    every: Span,
}

/// Asks each health probe of the plan at its own pace, and tells when an answer turns.
pub(super) fn watch(
    setting: &Arc<Setting>,
    bindings: &Bindings,
    clock: &Clock,
    tasks: &mut JoinSet<()>,
) -> Result<(), PlatformError> {
    for (index, watch) in setting.plan.platform.watches.iter().enumerate() {
        let WatchKind::Probe { endpoint, get, every } = &watch.kind else { continue };
        let Some((origin, headers)) = asked(setting, bindings, *endpoint)? else { continue };
        let probe = Probe { watch: WatchId::at(index), origin, path: get.clone(), headers, every: *every };
        tasks.spawn_local(run(probe, setting.clone(), clock.clone()));
    }
    Ok(())
}

/// Where an endpoint is, and what is sent with every request to it.
type Asked = (Origin, Vec<(HeaderName, HeaderValue)>);

fn asked(setting: &Setting, bindings: &Bindings, endpoint: EndpointId) -> Result<Option<Asked>, PlatformError> {
    let Some(endpoint) = setting.plan.platform.endpoints.get(endpoint.index()) else { return Ok(None) };
    let url = bindings.settle(&format!("the URL of endpoint `{}`", endpoint.name), &endpoint.url.0, &[])?;
    let mut headers = Vec::new();
    let mark = setting.plan.platform.mark.iter().map(|mark| (&mark.header, &mark.value));
    for (name, value) in mark.chain(endpoint.headers.iter().map(|(name, value)| (name, value))) {
        headers.push(header(bindings, &format!("endpoint `{}`", endpoint.name), name, value)?);
    }
    Ok(Some((setting.door.origin(&url, &endpoint.tls)?, headers)))
}

/// Asks again and again, and ends with the first answer that is 2xx.
pub(super) async fn until_answered(
    setting: &Setting,
    bindings: &Bindings,
    endpoint: EndpointId,
    path: &str,
) -> Result<(), PlatformError> {
    let Some((origin, headers)) = asked(setting, bindings, endpoint)? else { return Ok(()) };
    let clock = setting.door.clock();
    while !setting.door.probe(&origin, path, &headers, PATIENCE).await.is_ok_and(|answer| answer.is_good()) {
        clock.sleep(AGAIN).await;
    }
    Ok(())
}

async fn run(probe: Probe, setting: Arc<Setting>, clock: Clock) {
    let mut last = None;
    let mut due = At::START;
    loop {
        clock.sleep_until(due).await;
        let within = PATIENCE.min(probe.every.max(Span::millis(100)));
        let why = match setting.door.probe(&probe.origin, &probe.path, &probe.headers, within).await {
            Ok(answer) if answer.is_good() => None,
            Ok(answer) => Some(format!("status {}", answer.status)),
            Err(error) => Some(error.to_string()),
        };
        let (at, good) = (clock.now(), why.is_none());
        if last != Some(good) {
            last = Some(good);
            let _ = setting.happenings.send(Happening::Turned { at, watch: probe.watch, good, why });
        }
        // On the grid of its own pace; what was missed while an answer took long is not caught up with.
        let every = probe.every.as_nanos().max(1);
        due = At((at.as_nanos() / every + 1).saturating_mul(every));
    }
}
