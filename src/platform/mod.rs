//! The system under drill: its processes with their addresses, readiness and output; health probes and vitals.
//!
//! A process is its whole tree: kill, freeze and stop take all of it. What is started is written into the journal
//! before it runs, so that nothing outlives the harness. Leaves to others: when anything is to be done to a process
//! (`fault`, `drill`), and what its figures mean (`analysis`).

mod alerts;
mod bindings;
mod chore;
mod clock;
mod containers;
mod covers;
mod error;
mod exposition;
mod hosts;
mod keeper;
mod links;
mod names;
mod networks;
mod probe;
mod process;
mod recipe;
mod revive;
mod scrape;
mod system;
#[cfg(test)]
pub(crate) mod tests;
mod vitals;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Map, Value};
use tokio::sync::mpsc::UnboundedSender;

pub use alerts::Confirmation;
pub use bindings::Bindings;
pub use clock::Dial;
pub use covers::lacks_names;
pub use error::PlatformError;
pub use names::{Broken, NameServer};
pub use networks::Residence;
pub use process::Process;

use self::alerts::Alerts;
use self::hosts::Hosts;
use self::links::Links;
use self::names::Names;
use self::networks::Networks;
use crate::base::clock::Clock;
use crate::base::units::{At, Span};
use crate::plan::{ChoreWork, EndpointId, Plan, ProcessId, ProcessSource, Template, WatchId};
use crate::proxy::Proxy;
use crate::record::{Folder, Reading, Vital};
use crate::undo::{Journal, UndoId};
use crate::wire::Door;

/// What the platform does by itself, or shows.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    Started {
        process: ProcessId,
        pid: u32,
    },
    Ready {
        process: ProcessId,
    },
    /// It ended although nobody ordered it.
    Died {
        process: ProcessId,
        status: String,
    },
    Stopped {
        process: ProcessId,
    },
    /// The fault proxy ended although nobody ordered it: whoever was connected through it is cut off.
    ProxyDied,
    /// Somebody did something to the links by Toxiproxy's API.
    ByHand {
        what: String,
    },
    /// A probe's answer turned; the first one counts as a turn. Or an alert came, each of which is one.
    Turned {
        at: At,
        watch: WatchId,
        good: bool,
        why: Option<String>,
    },
    /// A watched page, or a machine, was asked at this instant, and what came of it.
    Scraped {
        at: At,
        watch: WatchId,
        read: Result<Vec<Option<Reading>>, String>,
    },
    Vital(Vital),
}

/// What a platform is started with.
pub struct Setting {
    pub plan: Arc<Plan>,
    pub folder: Folder,
    /// The program that is running: what `peakdrill` in `run:` means.
    pub program: PathBuf,
    /// Where the drill was started.
    pub here: PathBuf,
    /// `vars env secret run` for templates.
    pub constants: Map<String, Value>,
    pub journal: Journal,
    pub door: Door,
    pub happenings: UnboundedSender<Happening>,
}

/// The processes of one run.
pub struct Platform {
    setting: Arc<Setting>,
    bindings: Bindings,
    processes: Vec<Arc<Process>>,
    alerts: Alerts,
    links: Links,
    networks: Networks,
    names: Names,
    hosts: Hosts,
    /// The run's private folder, which goes with the platform.
    private: Option<(UndoId, PathBuf)>,
    /// What ends the programs of `prepare` and `cleanup` that have been started and not ended.
    programs: Mutex<Vec<UndoId>>,
}

impl Platform {
    /// Chooses addresses and works out every command line; starts nothing.
    pub fn new(setting: Setting) -> Result<Platform, PlatformError> {
        let bindings = Bindings::choose(&setting.plan.platform, &setting.constants)?;
        let setting = Arc::new(setting);
        let private = match setting
            .plan
            .platform
            .processes
            .iter()
            .any(|process| matches!(process.source, ProcessSource::Run { .. }))
        {
            true => Some(setting.journal.private_folder()?),
            false => None,
        };
        let folder = private.as_ref().map(|(_, folder)| folder.as_path());
        let ids = (0..setting.plan.platform.processes.len()).map(ProcessId::at);
        let made = ids.map(|id| Process::new(&setting, id, &bindings, folder).map(Arc::new));
        let processes = made.collect::<Result<_, _>>()?;
        Ok(Platform {
            setting,
            bindings,
            processes,
            alerts: Alerts::default(),
            links: Links::default(),
            networks: Networks::default(),
            names: Names::default(),
            hosts: Hosts::default(),
            private,
            programs: Mutex::default(),
        })
    }

    pub fn bindings(&self) -> &Bindings {
        &self.bindings
    }

    /// Looks whether containers may be touched, listens for alerts, makes networks and starts their name server, starts the fault proxy, and starts (or attaches to) every
    /// process in the plan's order, each awaited until it is ready. What had been started is left running after an error: call
    /// [`Platform::stop`].
    pub async fn start(&self) -> Result<(), PlatformError> {
        containers::check(&self.setting.plan.platform.containers).await?;
        self.alerts.start(&self.setting).await?;
        self.networks.start(&self.setting).await?;
        let private = self.private.as_ref().map(|(_, folder)| folder.as_path());
        self.names.start(&self.setting, &self.bindings, private).await?;
        self.links.start(&self.setting, &self.bindings).await?;
        for process in &self.processes {
            process.start().await?;
        }
        Ok(())
    }

    /// Reaches the hosts that are watched, as far as they can be reached. To be called before [`Platform::watch`].
    pub async fn reach_hosts(&self) -> Result<(), PlatformError> {
        self.hosts.reach(&self.setting).await
    }

    pub fn process(&self, id: ProcessId) -> Option<&Arc<Process>> {
        self.processes.get(id.index())
    }

    /// As the plan has it.
    pub fn plan(&self) -> &crate::plan::Platform {
        &self.setting.plan.platform
    }

    /// Where a process lives, if it is in a network.
    pub fn residence(&self, id: ProcessId) -> Option<Residence> {
        Residence::of(&self.setting.plan.platform, &self.setting.journal, id)
    }

    /// By whom those in networks find each other, if there are some.
    pub fn name_server(&self) -> Option<Arc<NameServer>> {
        self.names.server()
    }

    /// The program that is running.
    pub fn program(&self) -> &Path {
        &self.setting.program
    }

    /// Where the drill was started.
    pub fn here(&self) -> &Path {
        &self.setting.here
    }

    /// A command line with every name settled; `peakdrill` is the program that is running.
    pub fn words(&self, what: &str, templates: &[Template]) -> Result<Vec<String>, PlatformError> {
        let settle = |template: &Template| self.bindings.settle(what, &template.0, &[]);
        let mut words = templates.iter().map(settle).collect::<Result<Vec<String>, _>>()?;
        if let Some(first) = words.first_mut().filter(|first| *first == "peakdrill") {
            *first = self.setting.program.to_string_lossy().into_owned();
        }
        Ok(words)
    }

    /// What carries the platform's links, if it has some.
    pub fn proxy(&self) -> Option<Arc<Proxy>> {
        self.links.proxy()
    }

    /// Stops what was started, in reverse order: TERM, then KILL after each one's grace period. Returns what could not
    /// be stopped.
    pub async fn stop(&self) -> Vec<PlatformError> {
        let mut failed = Vec::new();
        for process in self.processes.iter().rev() {
            if let Err(error) = process.stop().await {
                failed.push(error);
            }
        }
        failed.extend(self.links.stop(&self.setting).await.err());
        failed.extend(self.hosts.stop(&self.setting).await);
        self.names.stop().await;
        failed.extend(self.networks.stop(&self.setting).await);
        if let Some((private, _)) = self.private.as_ref().filter(|_| failed.is_empty()) {
            failed.extend(self.setting.journal.undo(*private).err().map(PlatformError::from));
        }
        failed
    }

    /// Runs a program of `prepare` or `cleanup`: it must exit 0 within the time.
    pub async fn run_program(
        &self,
        index: usize,
        cleanup: bool,
        work: &ChoreWork,
        within: Span,
    ) -> Result<(), PlatformError> {
        chore::run(self, index, cleanup, work, within).await
    }

    /// Runs a program that a fault or an action is made of: it must exit 0 within the time. `name` is its output's.
    pub async fn run_words(&self, name: &str, words: Vec<String>, within: Span) -> Result<(), PlatformError> {
        let (name, command) = (name.to_owned(), words.join(" "));
        let program = chore::Program { name, command, words, environment: Vec::new(), dir: None, within };
        chore::program(self, program).await
    }

    /// Waits until a GET at an endpoint is answered with 2xx.
    pub async fn until_answered(&self, endpoint: EndpointId, path: &str) -> Result<(), PlatformError> {
        probe::until_answered(&self.setting, &self.bindings, endpoint, path).await
    }

    /// What a watch of alerts hears from now on of something being done.
    pub fn confirmation(&self, watch: WatchId) -> Confirmation {
        self.alerts.confirmation(watch)
    }

    /// Ends programs of `prepare` and of actions that were dropped half-way, before anything is cleaned up behind them.
    pub async fn end_programs(&self) {
        let programs = std::mem::take(&mut *self.programs());
        let journal = self.setting.journal.clone();
        // What could not be undone is tried again, and said, at the end.
        let end = move || programs.into_iter().for_each(|undo| drop(journal.undo(undo)));
        let _ = tokio::task::spawn_blocking(end).await;
    }

    /// Waits until nothing is being done to a process any more on behalf of somebody who has given up waiting for it.
    pub async fn at_rest(&self) {
        for process in &self.processes {
            process.at_rest().await;
        }
        self.networks.at_rest().await;
    }

    fn programs(&self) -> MutexGuard<'_, Vec<UndoId>> {
        self.programs.lock().expect("nothing panics while it holds this lock")
    }

    /// Begins to watch on the drill's clock: probes, alerts and, once a second, vitals, watched pages and machines. Ends when the returned guard is dropped.
    /// To be called within a `LocalSet`.
    pub fn watch(&self, clock: &Clock) -> Result<Watching, PlatformError> {
        let mut tasks = tokio::task::JoinSet::new();
        vitals::watch(&self.setting, &self.processes, clock, &mut tasks);
        self.alerts.watch(&self.setting, clock, &mut tasks);
        system::watch(&self.setting, &self.hosts, clock, &mut tasks);
        probe::watch(&self.setting, &self.bindings, clock, &mut tasks)?;
        let pages = scrape::pages(&self.setting, &self.bindings)?;
        for page in &pages {
            tasks.spawn_local(scrape::run(page.clone(), self.setting.clone(), clock.clone()));
        }
        Ok(Watching { _tasks: tasks, pages, setting: self.setting.clone(), clock: clock.clone() })
    }
}

/// Watches as long as it lives.
#[must_use = "watching ends when this is dropped"]
pub struct Watching {
    _tasks: tokio::task::JoinSet<()>,
    pages: Vec<Arc<scrape::Page>>,
    setting: Arc<Setting>,
    clock: Clock,
}

impl Watching {
    /// Reads every page once more, whatever the second: what the load's last requests did is then on record.
    pub async fn read_pages(&self) {
        let mut reads = tokio::task::JoinSet::new();
        for page in &self.pages {
            reads.spawn_local(scrape::read(page.clone(), self.setting.clone(), self.clock.clone()));
        }
        while reads.join_next().await.is_some() {}
    }
}
