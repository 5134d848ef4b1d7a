use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use http::{HeaderName, HeaderValue};
use serde_json::Value;
use tokio::sync::watch;

use super::bindings::{header, tail};
use super::keeper::{self, Ends, Kept};
use super::{Bindings, Happening, PlatformError, Setting};
use crate::base::host::{self, CgroupHome, Identity, Launch, Tree, Vitals};
use crate::base::units::Span;
use crate::plan::{Attach, ProcessId, ProcessSource, Template};
use crate::undo::{Action, UndoId};

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

/// What is started, and how.
struct Recipe {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(String, String)>,
    dir: Option<PathBuf>,
    /// Its own folder, empty at the start of the drill and kept over restarts.
    folder: Option<PathBuf>,
}

#[derive(Default)]
struct State {
    current: Option<Current>,
    /// What stops it should the harness die; planned once, before the first start.
    undo: Option<UndoId>,
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
            process.recipe = Some(process.recipe(bindings, argv, env, dir.as_deref(), private)?);
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

    /// Whether the drill itself starts and stops it.
    pub fn is_ours(&self) -> bool {
        self.recipe.is_some()
    }

    fn recipe(
        &self,
        bindings: &Bindings,
        argv: &[Template],
        env: &[(String, Template)],
        dir: Option<&str>,
        private: Option<&Path>,
    ) -> Result<Recipe, PlatformError> {
        let name = self.name().to_owned();
        let folder = private.map(|private| private.join(&name));
        let (host, port) = self.address.clone().unwrap_or_default();
        let own = [
            ("address", Value::from(format!("{host}:{port}"))),
            ("host", Value::from(host)),
            ("port", Value::from(port)),
            ("folder", folder.as_ref().map_or(Value::Null, |folder| Value::from(folder.to_string_lossy()))),
        ];
        let settle = |what: String, template: &Template| bindings.settle(&what, &template.0, &own);
        let mut words = Vec::new();
        for (index, template) in argv.iter().enumerate() {
            words.push(settle(format!("word {} of `run` of process `{name}`", index + 1), template)?);
        }
        let mut environment = Vec::new();
        for (key, template) in env {
            environment.push((key.clone(), settle(format!("`env.{key}` of process `{name}`"), template)?));
        }
        if let Some(folder) = &folder {
            // For programs that look for a place of their own without being told by a flag.
            environment.push(("PEAKDRILL_FOLDER".to_owned(), folder.to_string_lossy().into_owned()));
        }
        let dir = dir.map(|dir| self.setting.here.join(dir));
        let (program, arguments) = words.split_first().ok_or(PlatformError::Empty { process: name.clone() })?;
        let found = find(&self.setting, program, dir.as_ref());
        Ok(Recipe {
            program: found.ok_or_else(|| PlatformError::NoProgram { process: name, program: program.clone() })?,
            arguments: arguments.iter().map(OsString::from).collect(),
            environment,
            dir,
            folder,
        })
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

    async fn launch(&self) -> Result<(), PlatformError> {
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
        let output = self.setting.folder.output(&process);
        let launch = Launch {
            program: recipe.program.clone(),
            arguments: recipe.arguments.clone(),
            environment: recipe.environment.clone(),
            folder: Some(recipe.dir.clone().unwrap_or_else(|| self.setting.here.clone())),
            output: File::options().create(true).append(true).open(output).map_err(failed)?,
            marker: marker.to_string(),
            cgroup,
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

    async fn ask(&self) -> Result<(), String> {
        let Some((host, port)) = &self.address else { return Ok(()) };
        let door = &self.setting.door;
        let Some(ready) = &self.plan().ready else {
            return door.reach(host, *port, ASK).await.map_err(|error| error.to_string());
        };
        let origin = door
            .origin(&format!("http://{host}:{port}"), &crate::plan::Tls::default())
            .map_err(|error| error.to_string())?;
        match door.probe(&origin, &ready.get, &self.mark, ASK).await {
            Ok(answer) if answer.is_good() => Ok(()),
            Ok(answer) => Err(format!("GET {} answered {}", ready.get, answer.status)),
            Err(error) => Err(error.to_string()),
        }
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

    fn order_end(&self) -> Result<Tree, PlatformError> {
        let tree = self.running()?;
        if let Some(current) = &self.state().current {
            current.ordered.store(true, Ordering::Release);
        }
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
        let undo = self.state().undo.take();
        if let Some(undo) = undo {
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

    fn tell(&self, happening: Happening) {
        // The conductor may have gone; then nobody is left to tell.
        let _ = self.setting.happenings.send(happening);
    }
}

/// The program that `word` means: `peakdrill` is the one that is running.
pub(super) fn find(setting: &Setting, word: &str, dir: Option<&PathBuf>) -> Option<PathBuf> {
    if word == "peakdrill" {
        return Some(setting.program.clone());
    }
    host::find_program(word, dir.unwrap_or(&setting.here))
}
