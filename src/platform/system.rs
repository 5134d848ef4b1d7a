use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

use super::hosts::{Asking, Hosts};
use super::{Happening, Setting};
use crate::base::clock::Clock;
use crate::base::host::{SystemLoad, system_load};
use crate::base::units::{At, Span};
use crate::plan::{HOST_FIGURES, WatchId, WatchKind};
use crate::record::Reading;

/// A machine that is watched.
enum Machine {
    This(Clock),
    Host(Asking),
}

impl Machine {
    /// What it does, and when that was read.
    async fn read(&mut self) -> Result<(At, SystemLoad), String> {
        match self {
            Machine::This(clock) => {
                let reader = clock.clone();
                let read = tokio::task::spawn_blocking(move || (reader.now(), system_load())).await;
                read.map_err(|error| error.to_string())
            }
            Machine::Host(asking) => asking.next().await,
        }
    }
}

/// Reads each second, on the second, what whole machines do; each figure is of the time since it was read before.
pub(super) fn watch(setting: &Arc<Setting>, hosts: &Hosts, clock: &Clock, tasks: &mut JoinSet<()>) {
    let watches = setting.plan.platform.watches.iter().enumerate();
    let here: Vec<WatchId> =
        watches.filter(|(_, watch)| watch.kind == WatchKind::Host).map(|(index, _)| WatchId::at(index)).collect();
    let mut watch = |machine, watches| {
        tasks.spawn_local(follow(machine, watches, clock.clone(), setting.happenings.clone()));
    };
    if !here.is_empty() {
        watch(Machine::This(clock.clone()), here);
    }
    for post in hosts.posts() {
        watch(Machine::Host(Asking::new(post.clone(), clock.clone())), post.watches.clone());
    }
}

async fn follow(mut machine: Machine, watches: Vec<WatchId>, clock: Clock, happenings: UnboundedSender<Happening>) {
    // Before its start the drill's clock stands still.
    clock.sleep_until(At::START).await;
    let (mut before, mut second) = (machine.read().await.ok(), clock.now().second() + 1);
    loop {
        clock.sleep_until(At(Span::seconds(second).0)).await;
        let now = machine.read().await;
        let told = match (before, &now) {
            (Some((from, earlier)), Ok((at, later))) => {
                let values = figures(earlier, *later, at.since(from));
                Some((*at, Ok(values.map(|value| value.map(|value| Reading { value, counter: false })).to_vec())))
            }
            (None, Ok(_)) => None,
            (_, Err(why)) => Some((clock.now(), Err(why.clone()))),
        };
        if let Some((at, read)) = told {
            for watch in &watches {
                let _ = happenings.send(Happening::Scraped { at, watch: *watch, read: read.clone() });
            }
        }
        before = now.ok().or(before);
        second = clock.now().second().max(second) + 1;
    }
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
