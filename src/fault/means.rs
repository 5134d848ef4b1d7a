//! What a fault needs of this machine, and whether a host is reached. `inject` asks before it does anything, and `check --host` before there is a drill, so that the
//! two cannot differ. What only the doing can tell is left to the doing.

use std::path::Path;

use crate::agent::{Agent, Way};
use crate::base::host::{self, Controller, Device, Docker, Group, Identity, Marker, Resource};
use crate::plan::{Blow, Container, FaultKind, Host, Platform, Process, ProcessId, ProcessSource, Shape, Template};
use crate::platform::lacks_names;

/// The place where faults are made.
pub struct Means<'p> {
    pub platform: &'p Platform,
    /// Where the drill is started.
    pub here: &'p Path,
    /// The program that is running: what `peakdrill` in `run:` means.
    pub program: &'p Path,
}

impl Means<'_> {
    /// Why no fault of this kind can be made here; none where nothing stands against it.
    pub fn lacks(&self, kind: &FaultKind) -> Option<String> {
        match kind {
            FaultKind::SkewClock { processes, .. } => {
                processes.iter().filter_map(|id| self.process(*id)).find_map(|process| self.lacks_clock(process))
            }
            FaultKind::SlowDisk { .. } => {
                let device = Device::below(&std::env::temp_dir()).err();
                device.or_else(|| Group::find(Controller::Disk, &nobody()).err())
            }
            FaultKind::ExhaustFiles { .. } => lacks_limits(Resource::Files),
            // Where no group can limit memory, limits of each process do.
            FaultKind::OutOfMemory { .. } => Group::find(Controller::Memory, &nobody())
                .err()
                .and_then(|why| Some(format!("{why}, and {}", lacks_limits(Resource::Memory)?))),
            FaultKind::Run { act, undo, check, .. } => {
                [act, undo, check].into_iter().find_map(|words| self.lacks_program(words.first()?))
            }
            FaultKind::Between { .. } => lacks_tool("nft", "nftables"),
            FaultKind::Shape { shape, .. } => {
                let lacks = lacks_tool("tc", "iproute2");
                lacks.or_else(|| {
                    (matches!(shape, Shape::Delay { .. }) && host::may_make_networks()).then(lacks_netem).flatten()
                })
            }
            FaultKind::BreakDns { .. } => lacks_names(),
            FaultKind::Container { containers, blow } => {
                let containers = containers.iter().filter_map(|id| self.platform.containers.get(id.index()));
                containers.map(|container| standing(container, *blow)).find_map(Result::err)
            }
            FaultKind::Kill { .. }
            | FaultKind::Terminate { .. }
            | FaultKind::CrashLoop { .. }
            | FaultKind::Restart { .. }
            | FaultKind::SlowStart { .. }
            | FaultKind::Pause { .. }
            // What is done on a host begins with the greeting that `lacks_host` asks for.
            | FaultKind::Burn { .. }
            | FaultKind::FillMemory { .. }
            | FaultKind::FillDisk { .. }
            | FaultKind::Link { .. } => None,
        }
    }

    /// Why no networks can be made here, where the platform wants some.
    pub fn lacks_networks(&self) -> Option<String> {
        if !self.platform.has_networks() {
            return None;
        }
        if !host::may_make_networks() {
            return Some("making networks needs root (CAP_NET_ADMIN and CAP_SYS_ADMIN)".to_owned());
        }
        lacks_tool("ip", "iproute2")
    }

    /// Why nothing can be done to this container.
    pub fn lacks_container(container: &Container) -> Option<String> {
        Docker::at(&container.socket).allowed(&container.container).err().map(|why| why.to_string())
    }

    /// Why nothing can be done on this host: an agent is started there, and ends at once.
    pub fn lacks_host(&self, host: &Host) -> Option<String> {
        let agent = match Agent::start(&Way::to(host, self.here), None) {
            Ok(agent) => agent,
            Err(why) => return Some(why.to_string()),
        };
        let greeted = agent.greet();
        agent.end();
        greeted.err().map(|why| why.to_string())
    }

    /// Why this process's clock cannot be told another time.
    pub fn lacks_clock(&self, process: &Process) -> Option<String> {
        let name = &process.name;
        if host::find_faketime().is_none() {
            return Some(format!(
                "libfaketime, which `clock: skewable` of process `{name}` needs, is not to be found; install it \
                 (Debian and Ubuntu: apt install libfaketime; Fedora: dnf install libfaketime)"
            ));
        }
        let ProcessSource::Run { argv, dir, .. } = &process.source else { return None };
        let folder = dir.as_ref().map_or_else(|| self.here.to_owned(), |dir| self.here.join(dir));
        let program = match argv.first()?.0.as_str() {
            "peakdrill" => self.program.to_owned(),
            // Known only once its template is settled.
            word if word.contains("{{") => return None,
            word => host::find_program(word, &folder)?,
        };
        let why = host::takes_no_library(&program)?;
        Some(format!("the clock of process `{name}` cannot be told another time: {}: {why}", program.display()))
    }

    fn lacks_program(&self, word: &Template) -> Option<String> {
        let word = word.0.as_str();
        let there = word == "peakdrill" || word.contains("{{") || host::find_program(word, self.here).is_some();
        (!there).then(|| format!("`{word}` is no program: neither a path to one nor in PATH"))
    }

    fn process(&self, id: ProcessId) -> Option<&Process> {
        self.platform.processes.get(id.index())
    }
}

fn lacks_tool(tool: &str, package: &str) -> Option<String> {
    host::find_tool(tool).err().map(|_| {
        format!("the program `{tool}` is not to be found; install it (Debian and Ubuntu: apt install {package})")
    })
}

/// The container as it stands, or why this cannot be done to it.
pub(super) fn standing(container: &Container, blow: Blow) -> Result<host::Container, String> {
    let name = &container.container;
    let found = Docker::at(&container.socket).allowed(name).map_err(|why| why.to_string())?;
    match blow {
        Blow::Kill | Blow::Terminate if found.removed_at_end => {
            Err(format!("Docker removes container `{name}` when it ends (--rm), so nobody could start it again"))
        }
        Blow::Disconnect if found.shares_network || found.attached.is_empty() => {
            Err(format!("container `{name}` is on no network of Docker's that it could be taken off"))
        }
        _ => Ok(found),
    }
}

fn lacks_limits(of: Resource) -> Option<String> {
    match Identity::own().limits(of) {
        Ok(Some(_)) => None,
        Ok(None) => Some("processes are not to be seen in /proc".to_owned()),
        Err(error) => Some(format!("limits of processes cannot be changed here (prlimit): {error}")),
    }
}

/// Tried in a network of its own, which goes with the thread that tries it.
fn lacks_netem() -> Option<String> {
    host::lacks_netem().map(|why| {
        format!("the kernel of this machine cannot delay packets (netem: {why}); put a link between the processes, and write `delay` with it")
    })
}

/// What is only looked for belongs to nobody.
fn nobody() -> Marker {
    Marker { run: "check".to_owned(), harness: Identity::own(), process: "none".to_owned() }
}
