use std::sync::Arc;

use tokio::task::JoinSet;

use super::{Happening, Setting};
use crate::base::clock::Clock;
use crate::base::host::{SystemLoad, system_load};
use crate::base::units::{At, Span};
use crate::plan::{HOST_FIGURES, WatchId, WatchKind};
use crate::record::Reading;

/// Reads each second, on the second, what the whole machine does; each figure is of the time since it was read before.
pub(super) fn watch(setting: &Arc<Setting>, clock: &Clock, tasks: &mut JoinSet<()>) {
    let watches = setting.plan.platform.watches.iter().enumerate();
    let watches: Vec<WatchId> =
        watches.filter(|(_, watch)| watch.kind == WatchKind::Host).map(|(index, _)| WatchId::at(index)).collect();
    if watches.is_empty() {
        return;
    }
    let (clock, happenings) = (clock.clone(), setting.happenings.clone());
    tasks.spawn_local(async move {
        // Before its start the drill's clock stands still.
        clock.sleep_until(At::START).await;
        let (mut before, mut second) = (read(&clock).await, clock.now().second() + 1);
        loop {
            clock.sleep_until(At(Span::seconds(second).0)).await;
            let now = read(&clock).await;
            if let (Some((from, earlier)), Some((at, later))) = (before, now) {
                let values = figures(earlier, later, at.since(from));
                for watch in &watches {
                    let read = Ok(values.map(|value| value.map(|value| Reading { value, counter: false })).to_vec());
                    let _ = happenings.send(Happening::Scraped { at, watch: *watch, read });
                }
            }
            before = now.or(before);
            second = clock.now().second().max(second) + 1;
        }
    });
}

async fn read(clock: &Clock) -> Option<(At, SystemLoad)> {
    let reader = clock.clone();
    tokio::task::spawn_blocking(move || (reader.now(), system_load())).await.ok()
}

/// In the order of [`HOST_FIGURES`].
fn figures(before: SystemLoad, now: SystemLoad, during: Span) -> [Option<f64>; HOST_FIGURES.len()] {
    let seconds = during.as_seconds_f64();
    // A counter that fell has lost one of those it sums (an interface that went away): what it grew by is not known.
    let rate = |before: Option<u64>, now: Option<u64>| {
        let grown = now?.checked_sub(before?)?;
        (seconds > 0.0).then(|| grown as f64 / seconds)
    };
    let nanos = |busy: Option<Span>| busy.map(|busy| busy.0);
    [
        rate(nanos(before.busy), nanos(now.busy)).map(|nanos| nanos / 1e9),
        now.memory.map(|bytes| bytes as f64),
        rate(before.disk_read, now.disk_read),
        rate(before.disk_written, now.disk_written),
        rate(before.received, now.received),
        rate(before.sent, now.sent),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grew_is_a_rate_and_what_is_not_known_none() {
        let before = SystemLoad {
            busy: Some(Span::seconds(10)),
            memory: Some(5),
            disk_read: Some(1000),
            disk_written: None,
            received: Some(50),
            sent: Some(7),
        };
        let now = SystemLoad {
            busy: Some(Span::seconds(13)),
            memory: Some(3),
            disk_read: Some(3000),
            disk_written: Some(9),
            received: Some(49),
            sent: Some(7),
        };
        let expected = [Some(1.5), Some(3.0), Some(1000.0), None, None, Some(0.0)];
        assert_eq!(figures(before, now, Span::seconds(2)), expected);
        assert_eq!(figures(before, now, Span::ZERO), [None, Some(3.0), None, None, None, None]);
    }
}
