#![allow(unsafe_code)]

//! Network namespaces, pinned by a name where `ip netns` looks for them. One of ours carries its name on its loopback, too (as the
//! alias of the interface), so that another of such a name is never taken for it.

use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use serde::{Deserialize, Serialize};

use super::identity::{Identity, Signal};
use super::launch::find_program;
use super::proc::{self, Marker};
use super::time::monotonic_nanos;
use crate::base::units::Span;

/// Where `ip netns` pins namespaces.
const PINS: &str = "/var/run/netns";
/// How every name that a drill gives begins.
const PREFIX: &str = "peakdrill-";
/// How long a program that is asked for something may take.
const TOOL: Span = Span::seconds(10);
/// How long those who are killed in it may take to be gone.
const GONE: Span = Span::seconds(5);

/// A network of one process's own, by the name that it is pinned by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Namespace(String);

/// What is found where a namespace is to be pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    /// A file on which nothing was pinned: its maker died before.
    Begun,
    Ours,
    /// Something of that name which does not say that it is ours.
    Foreign,
}

impl Namespace {
    /// The one for one process of a run; not made yet. Its name tells whose it is.
    pub fn of(marker: &Marker) -> Namespace {
        Namespace(format!("{PREFIX}{}-{}-{}", marker.run.replace('/', "_"), marker.harness, marker.process))
    }

    pub fn name(&self) -> &str {
        &self.0
    }

    /// Whose it is, as its name tells.
    pub fn marker(&self) -> Option<Marker> {
        let mut parts = self.0.strip_prefix(PREFIX)?.rsplitn(3, '-');
        let (process, harness, run) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Marker { run: run.into(), harness: harness.parse().ok()?, process: process.into() })
    }

    /// Every one that a drill has left pinned, whole or half-made; not what only has such a name.
    pub fn all() -> Vec<Namespace> {
        let names = fs::read_dir(PINS).into_iter().flatten().flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok()).map(Namespace);
        let mut found: Vec<Namespace> =
            names.filter(|one| one.marker().is_some() && one.exists().unwrap_or(false)).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }

    fn path(&self) -> PathBuf {
        Path::new(PINS).join(&self.0)
    }

    /// To be entered, also by others.
    pub(super) fn open(&self) -> io::Result<File> {
        File::open(self.path())
    }

    fn find(&self) -> io::Result<Found> {
        let meta = match self.path().symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            other => other?,
        };
        if !meta.is_file() {
            return Ok(Found::Foreign);
        }
        match self.enter(|| tool("ip", &["-j", "link", "show", "lo"], "")) {
            Ok(links) => Ok(if alias(&links?).as_deref() == Some(self.name()) { Found::Ours } else { Found::Foreign }),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) && meta.len() == 0 => Ok(Found::Begun),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(Found::Foreign),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Whether one of ours, whole or half-made, is there.
    pub fn exists(&self) -> io::Result<bool> {
        Ok(matches!(self.find()?, Found::Ours | Found::Begun))
    }

    /// Makes it, with a loopback that is up and nothing else in it. It must not be there yet.
    pub fn create(&self) -> io::Result<()> {
        fs::create_dir_all(PINS)?;
        share_pins()?;
        let path = self.path();
        File::create_new(&path)?;
        let make = || {
            // SAFETY: unshare takes a number and changes the calling thread alone, which ends right after.
            check(unsafe { libc::unshare(libc::CLONE_NEWNET) })?;
            // Before it is pinned: what is pinned says whose it is.
            tool("ip", &["link", "set", "lo", "alias", self.name(), "up"], "")?;
            mount(Path::new("/proc/thread-self/ns/net"), &path, libc::MS_BIND)
        };
        let made = aside(make).and_then(|made| made);
        if made.is_err() {
            // Nothing is pinned on it.
            let _ = fs::remove_file(&path);
        }
        made
    }

    /// Does something on a thread in it; programs that are started there are in it, too.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        let file = self.open()?;
        aside(move || {
            enter(&file)?;
            Ok(work())
        })?
    }

    /// Has `ip`, `nft` or `tc` do something in it: what it says.
    pub fn tool(&self, program: &str, arguments: &[&str], input: &str) -> io::Result<String> {
        self.enter(|| tool(program, arguments, input))?
    }

    /// The processes in it.
    pub fn members(&self) -> Vec<Identity> {
        let Ok(meta) = fs::metadata(self.path()) else { return Vec::new() };
        let name = format!("net:[{}]", meta.ino());
        let is_in =
            |pid: u32| fs::read_link(format!("/proc/{pid}/ns/net")).is_ok_and(|link| link.as_os_str() == &*name);
        let living = proc::stats().into_iter().filter(|stat| stat.is_alive() && is_in(stat.pid));
        living.map(|stat| stat.identity()).collect()
    }

    /// Removes it with all that is in it, if it is ours: those of its run who are still in it are killed, its links go with
    /// their other ends. Fine when it is gone already.
    pub fn remove(&self) -> io::Result<()> {
        match self.find()? {
            Found::Nothing => return Ok(()),
            Found::Begun => return ignore_gone(fs::remove_file(self.path())),
            Found::Foreign => {
                return Err(io::Error::other("it does not carry this run's mark, so it is not the one that was made"));
            }
            Found::Ours => {}
        }
        self.end_members()?;
        match self.unlink() {
            // Another was quicker.
            Err(_) if matches!(self.find(), Ok(Found::Nothing)) => return Ok(()),
            other => other?,
        }
        let path = c_path(&self.path())?;
        // SAFETY: the path is a C string that outlives the call.
        match check(unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) }) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOENT)) => {}
            other => other?,
        }
        ignore_gone(fs::remove_file(self.path()))
    }

    /// A namespace ends when the kernel finds the time; the other ends of its links should be gone now.
    fn unlink(&self) -> io::Result<()> {
        let links = self.tool("ip", &["-j", "link", "show", "type", "veth"], "")?;
        for link in names(&links) {
            let deleted = self.tool("ip", &["link", "delete", &link], "");
            if deleted.is_err() && names(&self.tool("ip", &["-j", "link", "show", "type", "veth"], "")?).contains(&link)
            {
                return deleted.map(drop);
            }
        }
        Ok(())
    }

    /// Those who carry the mark of the run that made it; others are nobody's business, and keep it without its links.
    fn end_members(&self) -> io::Result<()> {
        let Some(owner) = self.marker() else { return Ok(()) };
        let ours = |member: &Identity| Marker::of(member.pid).is_some_and(|marker| marker.harness == owner.harness);
        let deadline = monotonic_nanos() + GONE.as_nanos();
        loop {
            let left: Vec<Identity> = self.members().into_iter().filter(ours).collect();
            if left.is_empty() {
                return Ok(());
            }
            if monotonic_nanos() >= deadline {
                return Err(io::Error::other(format!("{} of its processes live {GONE} after KILL", left.len())));
            }
            for member in left {
                member.signal(Signal::Kill)?;
            }
            super::cgroup::pause();
        }
    }
}

/// Whether this process may make networks and programs that live in them (CAP_NET_ADMIN and CAP_SYS_ADMIN).
pub fn may_make_networks() -> bool {
    const NET_ADMIN: u64 = 1 << 12;
    const SYS_ADMIN: u64 = 1 << 21;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let held = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let held = held.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0);
    held & NET_ADMIN != 0 && held & SYS_ADMIN != 0
}

/// Why the kernel cannot delay packets; tried in a namespace that goes with the thread that tries it.
pub fn lacks_netem() -> Option<String> {
    let tried = aside(|| {
        // SAFETY: unshare takes a number and changes the calling thread alone, which ends right after.
        check(unsafe { libc::unshare(libc::CLONE_NEWNET) })?;
        tool("tc", &["qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"], "")
    });
    tried.and_then(|tried| tried).err().map(|error| error.to_string())
}

/// Asks a program of the network (`ip`, `nft`, `tc`) where the calling thread is: what it says.
pub fn tool(program: &str, arguments: &[&str], input: &str) -> io::Result<String> {
    let path = find_tool(program)?;
    let (mut out, mut err) = (memory(c"out")?, memory(c"err")?);
    let mut command = Command::new(path);
    // What a terminal sends to its group is not for a tool that is half-way.
    command.process_group(0);
    command.args(arguments).stdin(Stdio::piped()).stdout(out.try_clone()?).stderr(err.try_clone()?);
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read it all says why by its exit.
        let _ = stdin.write_all(input.as_bytes());
    }
    let deadline = monotonic_nanos() + TOOL.as_nanos();
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if monotonic_nanos() >= deadline => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(io::Error::other(format!("`{program}` was not done within {TOOL}")));
            }
            None => super::cgroup::pause(),
        }
    };
    let read = |file: &mut File| {
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(0))?;
        file.read_to_end(&mut text)?;
        io::Result::Ok(String::from_utf8_lossy(&text).into_owned())
    };
    if status.success() {
        return read(&mut out);
    }
    let said = read(&mut err)?;
    let said = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it does not say why");
    Err(io::Error::other(format!("`{program} {}`: {said}", arguments.join(" "))))
}

/// The whole path of a program of the network; what to install where it is missing.
pub fn find_tool(program: &str) -> io::Result<PathBuf> {
    // Where PATH is a user's, it has no place for programs of administrators.
    let places = ["/usr/sbin", "/sbin"].map(|place| format!("{place}/{program}"));
    let found = find_program(program, Path::new("/"));
    found.or_else(|| places.iter().find_map(|place| find_program(place, Path::new("/")))).ok_or_else(|| {
        let package = if program == "nft" { "nftables" } else { "iproute2" };
        io::Error::new(io::ErrorKind::NotFound, format!("there is no program `{program}`: install {package}"))
    })
}

/// Has the calling thread enter a namespace.
pub(super) fn enter(file: &File) -> io::Result<()> {
    // SAFETY: the descriptor is open; setns changes the calling thread alone.
    check(unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) })
}

/// On a thread of its own, which ends: it may have gone where the others are not.
fn aside<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let inside = thread::Builder::new().name("network".to_owned()).spawn_scoped(scope, work)?;
        Ok(inside.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// Makes the folder of pins a mount of its own that others share, as `ip netns add` does: a pin is then seen, and taken away,
/// in all mount namespaces.
fn share_pins() -> io::Result<()> {
    let pins = Path::new(PINS);
    // As `ip` does: two at once would mount it twice.
    let folder = File::open(pins)?;
    folder.lock()?;
    let shared = || mount(Path::new("none"), pins, libc::MS_SHARED | libc::MS_REC);
    match shared() {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            mount(pins, pins, libc::MS_BIND | libc::MS_REC)?;
            shared()
        }
        other => other,
    }
}

fn mount(what: &Path, on: &Path, flags: libc::c_ulong) -> io::Result<()> {
    bind(&c_path(what)?, &c_path(on)?, flags)
}

/// A plain system call, also for between fork and exec.
pub(super) fn bind(what: &CStr, on: &CStr, flags: libc::c_ulong) -> io::Result<()> {
    // SAFETY: both paths are C strings that outlive the call; for these flags there is no type and no data.
    check(unsafe { libc::mount(what.as_ptr(), on.as_ptr(), std::ptr::null(), flags, std::ptr::null()) })
}

/// A file that is in memory alone.
fn memory(name: &CStr) -> io::Result<File> {
    // SAFETY: the name is a C string that outlives the call.
    let fd = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) };
    check(fd.min(0))?;
    // SAFETY: the kernel has just handed this descriptor to us alone.
    Ok(unsafe { File::from_raw_fd(fd) })
}

pub(super) fn check(answer: libc::c_int) -> io::Result<()> {
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

pub(super) fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)
}

fn ignore_gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// What `ip -j link` tells.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Link {
    ifname: String,
    ifalias: Option<String>,
}

fn links(told: &str) -> Vec<Link> {
    // Where there is nothing to tell, nothing is told.
    serde_json::from_str(told).unwrap_or_default()
}

fn names(told: &str) -> Vec<String> {
    links(told).into_iter().map(|link| link.ifname).filter(|name| !name.is_empty()).collect()
}

fn alias(told: &str) -> Option<String> {
    links(told).into_iter().next()?.ifalias
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker(process: &str) -> Marker {
        Marker { run: "network-test".into(), harness: Identity::own(), process: process.into() }
    }

    /// Said where it is skipped: networks need rights.
    fn may() -> bool {
        let may = may_make_networks() && find_tool("ip").is_ok();
        assert!(may || std::env::var_os("CI").is_none(), "networks need root and iproute2");
        #[allow(clippy::print_stderr)]
        if !may {
            eprintln!("SKIPPED: networks need root and iproute2");
        }
        may
    }

    #[test]
    fn a_name_tells_whose_it_is() {
        let harness = Identity { pid: 7, started: 99 };
        let marker = Marker { run: "20260618T203000Z-peak".into(), harness, process: "node_1".into() };
        let namespace = Namespace::of(&marker);
        assert_eq!(namespace.name(), "peakdrill-20260618T203000Z-peak-7.99-node_1");
        assert_eq!(namespace.marker(), Some(marker));
        assert_eq!(Namespace("peakdrill-guest".into()).marker(), None);
    }

    #[test]
    fn one_of_ours_is_made_entered_and_removed_and_gone_is_gone() {
        if !may() {
            return;
        }
        let ours = Namespace::of(&marker("made"));
        assert!(!ours.exists().unwrap());
        ours.create().unwrap();
        assert!(ours.create().is_err(), "never one that is there");
        assert!(ours.exists().unwrap() && Namespace::all().contains(&ours));
        let links = ours.tool("ip", &["-j", "link", "show"], "").unwrap();
        assert_eq!(names(&links), ["lo"]);
        let inside = ours.enter(|| fs::read_link("/proc/thread-self/ns/net").unwrap()).unwrap();
        assert_ne!(inside, fs::read_link("/proc/self/ns/net").unwrap());
        ours.remove().unwrap();
        assert!(!ours.exists().unwrap() && !ours.path().exists());
        ours.remove().unwrap();
    }

    #[test]
    fn a_half_made_one_is_removed_and_a_look_alike_is_not() {
        if !may() {
            return;
        }
        let begun = Namespace::of(&marker("begun"));
        fs::create_dir_all(PINS).unwrap();
        File::create_new(begun.path()).unwrap();
        assert!(begun.exists().unwrap());
        begun.remove().unwrap();
        assert!(!begun.path().exists());

        let foreign = Namespace::of(&marker("foreign"));
        tool("ip", &["netns", "add", foreign.name()], "").unwrap();
        assert!(!foreign.exists().unwrap() && !Namespace::all().contains(&foreign));
        assert!(foreign.remove().is_err());
        assert!(foreign.path().exists());
        tool("ip", &["netns", "delete", foreign.name()], "").unwrap();
    }

    #[test]
    fn what_a_program_says_of_its_failure_is_told() {
        if !may() {
            return;
        }
        let wrong = tool("ip", &["link", "show", "no-such-device"], "").unwrap_err().to_string();
        assert!(wrong.contains("no-such-device") && wrong.contains("does not exist"), "{wrong}");
        assert!(find_tool("no-such-program").unwrap_err().to_string().contains("install"));
    }
}
