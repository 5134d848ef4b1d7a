use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::{Happening, Process, Setting};
use crate::base::clock::Clock;
use crate::base::units::{At, Span};
use crate::plan::{ProcessId, WatchKind};
use crate::record::Vital;

/// Reads CPU, memory, threads and open files of every process each second, on the second.
pub(super) fn watch(setting: &Arc<Setting>, processes: &[Arc<Process>], clock: &Clock, tasks: &mut JoinSet<()>) {
    let mut wanted = BTreeSet::new();
    for watch in &setting.plan.platform.watches {
        if let WatchKind::Process(ids) = &watch.kind {
            wanted.extend(ids.iter().copied());
        }
    }
    // Without a word about it, system load is shown of everything that the drill knows.
    if wanted.is_empty() {
        wanted.extend(processes.iter().map(|process| process.id()));
    }
    let processes: Vec<_> = processes.iter().filter(|process| wanted.contains(&process.id())).cloned().collect();
    let (clock, happenings) = (clock.clone(), setting.happenings.clone());
    tasks.spawn_local(async move {
        let mut second = clock.now().second();
        loop {
            clock.sleep_until(At(Span::seconds(second).0)).await;
            let readers = processes.clone();
            let read = move || readers.iter().map(|process| (process.id(), process.vitals())).collect();
            let vitals: Vec<(ProcessId, _)> = tokio::task::spawn_blocking(read).await.unwrap_or_default();
            let at = clock.now();
            for (process, vitals) in vitals {
                let Some(vitals) = vitals else { continue };
                let (cpu, memory, threads, files) = (vitals.cpu, vitals.memory, vitals.threads, vitals.files);
                let _ = happenings.send(Happening::Vital(Vital { at, process, cpu, memory, threads, files }));
            }
            second = at.second().max(second) + 1;
        }
    });
}
