#![allow(unsafe_code)]

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use super::cgroup::Cgroup;
use super::cover::{self, Cover};
use super::identity::Identity;
use super::machine::{limits_before_raising, set_open_files};
use super::network::{self, Namespace};
use super::proc::VARIABLE;

/// How to start a process in a session of its own, in its own cgroup from its first instruction on.
#[derive(Debug)]
pub struct Launch {
    /// A whole path: see [`find_program`].
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    /// Added to the environment that we have.
    pub environment: Vec<(String, String)>,
    pub folder: Option<PathBuf>,
    /// Takes standard output and error.
    pub output: File,
    pub marker: String,
    pub cgroup: Option<Cgroup>,
    /// The network that it lives in; none: that of the machine.
    pub network: Option<Namespace>,
    /// What it sees in place of files of the machine.
    pub covers: Vec<Cover>,
}

/// A started process. To be waited for by the thread that started it, see [`Launch::start`].
#[derive(Debug)]
pub struct Launched {
    pub identity: Identity,
    child: Child,
}

impl Launch {
    /// Starts it. It is killed when the *thread* that calls this ends (that is how the kernel keeps the parent-death
    /// signal), so the calling thread has to live as long as the process is wanted: it should go on to
    /// [`Launched::wait`].
    pub fn start(self) -> io::Result<Launched> {
        let entrance = match &self.cgroup {
            Some(cgroup) => {
                cgroup.create()?;
                Some(cgroup.entrance()?)
            }
            None => None,
        };
        let network = self.network.as_ref().map(Namespace::open).transpose()?;
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env(VARIABLE, &self.marker)
            .stdin(Stdio::null())
            .stdout(self.output.try_clone()?)
            .stderr(self.output);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let (parent, covers) = (std::process::id(), self.covers);
        let limits = limits_before_raising();
        let prepare = move || {
            leave_session()?;
            if let Some(mut entrance) = entrance.as_ref() {
                entrance.write_all(b"0")?;
            }
            if let Some(network) = &network {
                network::enter(network)?;
            }
            cover::lay(&covers)?;
            if let Some(limits) = limits {
                set_open_files(limits)?;
            }
            die_with(parent)
        };
        // SAFETY: between fork and exec the closure makes only plain system calls (setsid, write, setns, unshare,
        // mount, setrlimit, prctl, getppid) on values made before the fork: nothing is allocated or locked. An error's value is a number.
        unsafe { command.pre_exec(prepare) };
        let child = command.spawn()?;
        let pid = child.id();
        // It cannot be taken for another: nobody but us can wait for it, so its pid stays its own until then.
        let identity = Identity::of(pid).unwrap_or(Identity { pid, started: 0 });
        Ok(Launched { identity, child })
    }
}

impl Launched {
    /// Blocks until the first process of the tree has ended; others may live on.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }
}

/// Starts `command` as a process that has nothing to do with us: own session, no standard streams but `stdin`, at the
/// root of the file system. With a `marker` it can be found again by it.
pub fn detach(mut command: Command, stdin: impl AsFd, marker: Option<&str>) -> io::Result<Child> {
    command.stdin(Stdio::from(stdin.as_fd().try_clone_to_owned()?)).stdout(Stdio::null()).stderr(Stdio::null());
    command.current_dir("/");
    apart(command, marker)
}

/// The same for one that answers: `socket` is its standard input and output, and `errors` takes what it says beside. It works in the folder
/// that `command` says.
pub fn converse(
    mut command: Command,
    socket: impl AsFd,
    errors: impl Into<Stdio>,
    marker: Option<&str>,
) -> io::Result<Child> {
    let end = || socket.as_fd().try_clone_to_owned().map(Stdio::from);
    command.stdin(end()?).stdout(end()?).stderr(errors);
    apart(command, marker)
}

fn apart(mut command: Command, marker: Option<&str>) -> io::Result<Child> {
    command.env_remove(VARIABLE).envs(marker.map(|marker| (VARIABLE, marker)));
    // SAFETY: the closure makes one system call and allocates nothing.
    unsafe { command.pre_exec(leave_session) };
    command.spawn()
}

/// Puts the calling process into a session, and so a process group, of its own.
pub fn leave_session() -> io::Result<()> {
    // SAFETY: setsid takes nothing and changes only the calling process.
    if unsafe { libc::setsid() } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Kills a child that leads a process group, with all of that group. It has not been waited for, so the number is still its own.
pub fn kill_group(child: &mut Child) {
    let _ = child.kill();
    let Ok(group) = libc::pid_t::try_from(child.id()) else { return };
    // SAFETY: kill takes two numbers.
    unsafe { libc::kill(-group, libc::SIGKILL) };
}

/// Has the calling process killed when its parent's thread ends. A second line only: a change of user clears it, and
/// it does not reach grandchildren.
fn die_with(parent: u32) -> io::Result<()> {
    // SAFETY: PR_SET_PDEATHSIG takes one number.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // The parent may have died before the line above was reached.
    // SAFETY: getppid takes nothing and cannot fail.
    if unsafe { libc::getppid() } as u32 != parent {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    Ok(())
}

/// Takes the exit status of a child that has ended, if it is one.
pub(super) fn reap(pid: u32) {
    let Ok(pid) = libc::pid_t::try_from(pid) else { return };
    // SAFETY: the status is not asked for; with WNOHANG the call does not block.
    unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::WNOHANG) };
}

/// How a process ended, in words a shell user knows: `exit 1`, `signal 9`.
pub fn describe_exit(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

/// The whole path of a program: itself when it holds a slash (relative to `folder`), else the first of that name in
/// PATH that may be executed.
pub fn find_program(name: &str, folder: &Path) -> Option<PathBuf> {
    if name.contains('/') {
        let path = folder.join(name);
        return is_program(&path).then_some(path);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|place| folder.join(place).join(name)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
