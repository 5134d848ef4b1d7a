use std::fs::{self, File};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use http::{HeaderName, HeaderValue};
use tokio::sync::watch;

use super::bindings::{header, tail};
use super::keeper::{self, Ends, Kept};
use super::recipe::{Own, Recipe};
use super::{Bindings, Dial, Happening, PlatformError, Setting};
use crate::base::host::{self, CgroupHome, Identity, Launch, Namespace, Tree, Vitals};
use crate::base::units::Span;
use crate::plan::{Attach, ProcessId, ProcessSource};
use crate::undo::{Action, UndoId};
use crate::wire::{Probed, WireError};

/// How long a killed tree may take to be gone, and a frozen one to stand still.
const DEADLINE: Span = Span::seconds(10);
/// How long one ask for readiness may take, and how long until the next.
const ASK: Span = Span::seconds(1);
const PAUSE: Span = Span::millis(20);

/// One process of the plan, through all its restarts.
pub struct Process {
    setting: Arc<Setting>,
    id: ProcessId,
    address: Option<(String, u16)>,
    recipe: Option<Recipe>,
    /// The drill mark, for what it is asked while it gets ready.
    mark: Vec<(HeaderName, HeaderValue)>,
    state: Mutex<State>,
    /// Everything blocking that is being done to it listens here.
    at_work: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    current: Option<Current>,
    /// What stops it should the harness die; planned once, before the first start.
    undo: Option<UndoId>,
    /// What removes what its clock shares.
    share: Option<UndoId>,
    meter: Meter,
}

/// The instance that was started last.
struct Current {
    tree: Tree,
    ended: Option<watch::Receiver<Option<String>>>,
    /// Set before its end is ordered, so that it is not taken for a death of its own.
    ordered: Arc<AtomicBool>,
}

/// CPU time over restarts: the kernel's own count begins anew where there is no cgroup.
#[derive(Default)]
struct Meter {
    total: u64,
    last: u64,
}

impl Meter {
    fn read(&mut self, now: Span) -> Span {
        let now = now.as_nanos();
        self.total += if now >= self.last { now - self.last } else { now };
        self.last = now;
        Span(self.total)
    }
}

impl Process {
    /// `private` is the run's private folder, where one of its processes wants one.
    pub(super) fn new(
        setting: &Arc<Setting>,
        id: ProcessId,
        bindings: &Bindings,
        private: Option<&Path>,
    ) -> Result<Process, PlatformError> {
        let mut process = Process {
            setting: setting.clone(),
            id,
            address: bindings.address(id).cloned(),
            recipe: None,
            mark: Vec::new(),
            state: Mutex::default(),
            at_work: watch::Sender::new(()),
        };
        if let Some(mark) = setting.plan.platform.mark.as_ref().filter(|_| process.plan().ready.is_some()) {
            process.mark.push(header(bindings, &format!("process `{}`", process.name()), &mark.header, &mark.value)?);
        }
        if let ProcessSource::Run { argv, env, dir } = &process.plan().source {
            let plan = process.plan();
            let (address, networked) = (process.address.clone(), plan.network.is_some());
            let own = Own { name: &plan.name, address, skewable: plan.skewable, networked };
            process.recipe = Some(Recipe::new(setting, own, bindings, (argv, env, dir.as_deref()), private)?);
        }
        Ok(process)
    }

    fn plan(&self) -> &crate::plan::Process {
        &self.setting.plan.platform.processes[self.id.index()]
    }

    pub fn id(&self) -> ProcessId {
        self.id
    }

    pub fn name(&self) -> &str {
        &self.plan().name
    }

    /// The folder of its own; none for what the drill attached to.
    pub fn folder(&self) -> Option<&Path> {
        self.recipe.as_ref()?.folder.as_deref()
    }

    /// By which it can be told another time; none where it cannot.
    pub fn dial(&self) -> Option<&Dial> {
        self.recipe.as_ref()?.dial.as_ref()
    }

    /// What it has beside the harness's own environment.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        self.recipe.as_ref().map(|recipe| recipe.environment.clone()).unwrap_or_default()
    }

    /// Whether the drill itself starts and stops it.
    pub fn is_ours(&self) -> bool {
        self.recipe.is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }

    /// The tree as it is now; none before the first start.
    pub fn tree(&self) -> Option<Tree> {
        self.state().current.as_ref().map(|current| current.tree.clone())
    }

    /// Nobody of it lives.
    pub fn is_gone(&self) -> bool {
        self.tree().is_none_or(|tree| tree.is_empty())
    }

    /// Starts it, or attaches to it, and waits until it is ready.
    pub async fn start(&self) -> Result<(), PlatformError> {
        match &self.plan().source {
            ProcessSource::Attach(attach) => self.attach(attach)?,
            ProcessSource::Run { .. } => self.launch().await?,
        }
        let pid = self.tree().and_then(|tree| tree.root).map_or(0, |root| root.pid);
        self.tell(Happening::Started { process: self.id, pid });
        self.wait_ready().await?;
        self.tell(Happening::Ready { process: self.id });
        Ok(())
    }

    pub(super) async fn launch(&self) -> Result<(), PlatformError> {
        let process = self.name().to_owned();
        let recipe = self.recipe.as_ref().ok_or(PlatformError::NotOurs { process: process.clone() })?;
        let failed = |why| PlatformError::Start { process: process.clone(), why };
        let marker = self.setting.journal.marker(&process);
        let home = CgroupHome::find();
        if home.is_none() {
            host::become_subreaper().map_err(failed)?;
        }
        let cgroup = home.map(|home| home.folder(&marker));
        let mut tree = Tree { cgroup: cgroup.clone(), marker: Some(marker.to_string()), root: None };
        self.write_down(&tree)?;
        if let Some(folder) = &recipe.folder {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        if let Some(dial) = &recipe.dial {
            self.make_clock(dial)?;
        }
        let output = self.setting.folder.output(&process);
        let launch = Launch {
            program: recipe.program.clone(),
            arguments: recipe.arguments.clone(),
            environment: recipe.environment.clone(),
            folder: Some(recipe.dir.clone().unwrap_or_else(|| self.setting.here.clone())),
            output: File::options().create(true).append(true).open(output).map_err(failed)?,
            marker: marker.to_string(),
            cgroup,
            network: self.plan().network.map(|_| Namespace::of(&marker)),
            covers: recipe.covers.clone(),
        };
        let ordered = Arc::new(AtomicBool::new(false));
        let (happenings, id, expected) = (self.setting.happenings.clone(), self.id, ordered.clone());
        let on_end = move |status: &str| {
            if !expected.load(Ordering::Acquire) {
                let _ = happenings.send(Happening::Died { process: id, status: status.to_owned() });
            }
        };
        let Kept { identity, ended } = keeper::keep(launch, Ends::WithItsTree, on_end).await.map_err(failed)?;
        tree.root = Some(identity);
        self.state().current = Some(Current { tree, ended: Some(ended), ordered });
        Ok(())
    }

    /// Once, before the first start: a restart keeps the clock as it is.
    fn make_clock(&self, dial: &Dial) -> Result<(), PlatformError> {
        if self.state().share.is_some() {
            return Ok(());
        }
        let undo = self.setting.journal.plan(Action::ClockShare { share: dial.share().name().to_owned() })?;
        self.state().share = Some(undo);
        dial.make().map_err(|why| PlatformError::Start { process: self.name().to_owned(), why })
    }

    /// The journal knows how to undo the start before the start; one undo serves all restarts.
    fn write_down(&self, tree: &Tree) -> Result<(), PlatformError> {
        if self.state().undo.is_some() {
            return Ok(());
        }
        let action = Action::StopTree { name: self.name().to_owned(), tree: tree.clone() };
        let undo = self.setting.journal.plan(action)?;
        self.state().undo = Some(undo);
        Ok(())
    }

    fn attach(&self, attach: &Attach) -> Result<(), PlatformError> {
        let process = self.name().to_owned();
        let refuse = |why: String| PlatformError::Attach { process: process.clone(), why };
        let root = match attach {
            Attach::Port(port) => {
                host::listener_of(*port).ok_or_else(|| refuse(format!("nobody listens on port {port} here")))?
            }
            Attach::PidFile(file) => {
                let path = self.setting.here.join(file);
                let text = fs::read_to_string(path).map_err(|error| refuse(format!("`{file}`: {error}")))?;
                let pid = text.lines().next().and_then(|line| line.trim().parse().ok());
                let pid: u32 = pid.ok_or_else(|| refuse(format!("the first line of `{file}` is no process id")))?;
                let identity = Identity::of(pid).filter(Identity::is_alive);
                identity.ok_or_else(|| refuse(format!("`{file}` names process {pid}, which is not running")))?
            }
        };
        let ordered = Arc::new(AtomicBool::new(false));
        let handle = root.open().ok().flatten().ok_or_else(|| refuse(format!("process {} is gone", root.pid)))?;
        let (happenings, id) = (self.setting.happenings.clone(), self.id);
        // Not tied to anything: it costs nothing while it waits, and ends with the harness.
        std::thread::spawn(move || {
            if handle.wait(Span::MAX).unwrap_or(false) {
                let _ = happenings.send(Happening::Died { process: id, status: "ended".to_owned() });
            }
        });
        let tree = Tree { cgroup: None, marker: None, root: Some(root) };
        self.state().current = Some(Current { tree, ended: None, ordered });
        Ok(())
    }

    /// Waits until it answers as ready: a GET that answers 2xx where the plan names one, else until it listens.
    pub async fn wait_ready(&self) -> Result<(), PlatformError> {
        let plan = self.plan();
        let within = plan.ready.as_ref().map_or(Span::seconds(30), |ready| ready.within);
        let clock = self.setting.door.clock().clone();
        let deadline = clock.now() + within;
        loop {
            let last = match self.ask().await {
                Ok(()) => return Ok(()),
                Err(last) => last,
            };
            if let Some(status) = self.ended() {
                let output = tail(&self.setting.folder.output(self.name()));
                return Err(PlatformError::EndedEarly { process: plan.name.clone(), status, output });
            }
            if clock.now() >= deadline {
                let output = format!("output/{}.log", plan.name);
                return Err(PlatformError::NotReady { process: plan.name.clone(), within, last, output });
            }
            clock.sleep(PAUSE).await;
        }
    }

    /// Whether it answers as ready on a new connection, within a second.
    pub async fn is_ready(&self) -> bool {
        self.ask().await.is_ok()
    }

    /// Whether it says by an answer that it is ready; without one, a connection that the kernel takes is all there is to see.
    pub fn tells_ready(&self) -> bool {
        self.plan().ready.is_some()
    }

    async fn ask(&self) -> Result<(), String> {
        let Some((host, port)) = &self.address else { return Ok(()) };
        let Some(ready) = &self.plan().ready else {
            return self.setting.door.reach(host, *port, ASK).await.map_err(|error| error.to_string());
        };
        match self.probe(host, *port, &ready.get).await {
            Ok(answer) if answer.is_good() => Ok(()),
            Ok(answer) => Err(format!("GET {} answered {}", ready.get, answer.status)),
            Err(error) => Err(error.to_string()),
        }
    }

    /// What it answers when it is asked whether it is ready.
    pub(super) async fn answer(&self) -> Option<Probed> {
        let (host, port) = self.address.as_ref()?;
        self.probe(host, *port, &self.plan().ready.as_ref()?.get).await.ok()
    }

    async fn probe(&self, host: &str, port: u16, get: &str) -> Result<Probed, WireError> {
        let origin = self.setting.door.origin(&format!("http://{host}:{port}"), &crate::plan::Tls::default())?;
        self.setting.door.probe(&origin, get, &self.mark, ASK).await
    }

    fn ended(&self) -> Option<String> {
        let state = self.state();
        state.current.as_ref()?.ended.as_ref()?.borrow().clone()
    }

    /// Kills the whole tree and waits until nobody lives.
    pub async fn kill(&self) -> Result<(), PlatformError> {
        let tree = self.order_end()?;
        if !self.blocking(move || tree.kill(DEADLINE)).await? {
            return Err(PlatformError::NotGone { process: self.name().to_owned(), within: DEADLINE });
        }
        Ok(())
    }

    /// Asks the whole tree to end (TERM) and waits until nobody lives, as long as its grace period.
    pub async fn terminate(&self) -> Result<(), PlatformError> {
        let (tree, grace) = (self.order_end()?, self.plan().grace);
        let asked = move || {
            tree.ask_to_end()?;
            Ok(tree.wait_empty(grace))
        };
        if !self.blocking(asked).await? {
            return Err(PlatformError::NotTerminated { process: self.name().to_owned(), within: grace });
        }
        Ok(())
    }

    /// Asks the whole tree to end (TERM), and kills it (KILL) after its grace period.
    pub async fn end(&self) -> Result<(), PlatformError> {
        let (tree, grace) = (self.order_end()?, self.plan().grace);
        let ended = move || {
            tree.ask_to_end()?;
            Ok(tree.wait_empty(grace) || tree.kill(DEADLINE)?)
        };
        if !self.blocking(ended).await? {
            return Err(PlatformError::NotGone { process: self.name().to_owned(), within: DEADLINE });
        }
        Ok(())
    }

    /// Starts it again at the same address, in the same folder, and waits until it is ready.
    pub async fn start_again(&self) -> Result<(), PlatformError> {
        if !self.is_ours() {
            return Err(PlatformError::NotOurs { process: self.name().to_owned() });
        }
        self.start().await
    }

    /// Stops the whole tree; true when nobody of it runs any more.
    pub async fn freeze(&self) -> Result<bool, PlatformError> {
        let tree = self.running()?;
        self.blocking(move || tree.freeze(DEADLINE)).await
    }

    /// Lets the whole tree go on.
    pub async fn thaw(&self) -> Result<bool, PlatformError> {
        let tree = self.running()?;
        self.blocking(move || tree.thaw(DEADLINE)).await
    }

    fn running(&self) -> Result<Tree, PlatformError> {
        let tree = self.tree().filter(|tree| !tree.is_empty());
        tree.ok_or_else(|| PlatformError::NotRunning { process: self.name().to_owned() })
    }

    /// From now on its end is ordered, or (false) would be a death of its own again.
    pub fn expect_end(&self, expected: bool) {
        if let Some(current) = &self.state().current {
            current.ordered.store(expected, Ordering::Release);
        }
    }

    fn order_end(&self) -> Result<Tree, PlatformError> {
        let tree = self.running()?;
        self.expect_end(true);
        Ok(tree)
    }

    /// Goes on to its end when the one who waits for it gives up: see [`Process::at_rest`].
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, PlatformError> {
        let busy = self.at_work.subscribe();
        let work = move || {
            let done = work();
            drop(busy);
            done
        };
        let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        done.map_err(|why| PlatformError::Signal { process: self.name().to_owned(), why })
    }

    /// Waits until nothing is being done to it any more: a tree that is still being stopped must not be stopped after it
    /// was let go on.
    pub(super) async fn at_rest(&self) {
        self.at_work.closed().await;
    }

    /// TERM, then KILL after its grace period; what the drill attached to is left alone.
    pub(super) async fn stop(&self) -> Result<(), PlatformError> {
        if !self.is_ours() {
            return Ok(());
        }
        if let Ok(tree) = self.order_end() {
            let grace = self.plan().grace;
            let polite = tree.clone();
            let asked = self.blocking(move || {
                if polite.is_frozen() {
                    polite.thaw(DEADLINE)?;
                }
                polite.ask_to_end()?;
                Ok(polite.wait_empty(grace))
            });
            if !asked.await? && !self.blocking(move || tree.kill(DEADLINE)).await? {
                return Err(PlatformError::NotGone { process: self.name().to_owned(), within: DEADLINE });
            }
        }
        if self.state().current.is_some() {
            self.tell(Happening::Stopped { process: self.id });
        }
        self.forget().await
    }

    /// Has its undo done, which finds nobody any more (or whoever was started and never became known), removes its
    /// cgroup, and is struck out.
    async fn forget(&self) -> Result<(), PlatformError> {
        self.state().current = None;
        let undos = {
            let mut state = self.state();
            [state.undo.take(), state.share.take()]
        };
        for undo in undos.into_iter().flatten() {
            let journal = self.setting.journal.clone();
            let done = tokio::task::spawn_blocking(move || journal.undo(undo)).await;
            done.map_err(|error| PlatformError::Signal {
                process: self.name().to_owned(),
                why: std::io::Error::other(error),
            })??;
        }
        Ok(())
    }

    /// What its whole tree uses now, CPU time summed over restarts; none while nobody lives.
    pub(super) fn vitals(&self) -> Option<Vitals> {
        let tree = self.tree()?;
        let mut vitals = tree.vitals()?;
        vitals.cpu = self.state().meter.read(vitals.cpu);
        Some(vitals)
    }

    pub(super) fn tell(&self, happening: Happening) {
        // The conductor may have gone; then nobody is left to tell.
        let _ = self.setting.happenings.send(happening);
    }
}
