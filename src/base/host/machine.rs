#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::FromRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::OnceLock;

use super::proc;
use crate::base::units::Span;

/// The machine that we run on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// CPUs that this process may use: affinity and quota.
    pub cores: u32,
    /// Bytes in all.
    pub memory: u64,
    pub kernel: String,
    pub cpu_model: String,
}

pub fn machine() -> Machine {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    Machine {
        cores: std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX)),
        memory: proc::value(&meminfo, "MemTotal").unwrap_or(0) * 1024,
        kernel: first_line("/proc/sys/kernel/osrelease"),
        cpu_model: model.map_or(String::new(), |(_, name)| name.trim().to_owned()),
    }
}

/// Its first two numbers; zeros where it cannot be read.
pub(super) fn kernel_version() -> (u32, u32) {
    let release = first_line("/proc/sys/kernel/osrelease");
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Whether this process, by its effective user and on what is mounted there, may write to a file or folder.
pub(super) fn may_write(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    // SAFETY: the path is a C string that outlives the call, which writes nothing.
    unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::W_OK, libc::AT_EACCESS) == 0 }
}

/// Another one after each boot; what was written down before it names no process any more.
pub fn boot_id() -> String {
    first_line("/proc/sys/kernel/random/boot_id")
}

/// First and last port that the kernel gives to outgoing connections.
pub fn local_port_range() -> (u16, u16) {
    let text = first_line("/proc/sys/net/ipv4/ip_local_port_range");
    let mut ports = text.split_ascii_whitespace().filter_map(|port| port.parse().ok());
    (ports.next().unwrap_or(32_768), ports.next().unwrap_or(60_999))
}

/// How many those are.
pub fn local_ports() -> u64 {
    let (first, last) = local_port_range();
    u64::from(last.saturating_sub(first)) + 1
}

/// CPU time of the calling process, all threads, to the nanosecond.
pub fn own_cpu() -> Span {
    cpu(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// CPU time of the calling thread, to the nanosecond.
pub fn thread_cpu() -> Span {
    cpu(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn cpu(clock: libc::clockid_t) -> Span {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the answer, and every Linux has these two clocks.
    unsafe { libc::clock_gettime(clock, &mut time) };
    Span::seconds(time.tv_sec.max(0) as u64) + Span::nanos(time.tv_nsec.max(0) as u64)
}

/// How many files a process may have open: now, and at most without more rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub soft: u64,
    pub hard: u64,
}

static BEFORE_RAISING: OnceLock<Limits> = OnceLock::new();

pub fn open_file_limits() -> io::Result<Limits> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid place for the answer.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Limits { soft: limit.rlim_cur, hard: limit.rlim_max })
}

/// Raises the soft limit of open files to the hard one, for this process; those it starts keep what there was before,
/// since some programs walk through all numbers that they might have open.
pub fn raise_open_files() -> io::Result<Limits> {
    let before = open_file_limits()?;
    BEFORE_RAISING.get_or_init(|| before);
    set_open_files(Limits { soft: before.hard, ..before })?;
    open_file_limits()
}

/// What a started process gets back; `None` when nothing was raised.
pub(super) fn limits_before_raising() -> Option<Limits> {
    BEFORE_RAISING.get().copied()
}

/// Async-signal-safe, for use between fork and exec.
pub(super) fn set_open_files(limits: Limits) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: limits.soft, rlim_max: limits.hard };
    // SAFETY: `limit` is valid for the whole call.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// A file that lies in memory alone, and goes with its last user. What is in it counts as that of the cgroup that wrote it, and as
/// nobody's own.
pub fn memory_file() -> io::Result<File> {
    // SAFETY: the name is a C string; the answer is checked before it is taken as a descriptor.
    let file = unsafe { libc::memfd_create(c"peakdrill".as_ptr(), libc::MFD_CLOEXEC) };
    if file < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just handed this descriptor to us alone.
    Ok(unsafe { File::from_raw_fd(file) })
}

/// Orphans among our descendants become our children instead of init's, so that a walk finds them. Only where there
/// is no cgroup2.
pub fn become_subreaper() -> io::Result<()> {
    // SAFETY: PR_SET_CHILD_SUBREAPER takes one number.
    match unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1 as libc::c_ulong, 0, 0, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Clock ticks in a second, the unit of `/proc/PID/stat`.
pub(super) fn clock_ticks() -> u64 {
    // SAFETY: sysconf takes one number.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).unwrap_or(100).max(1)
}

pub(super) fn page_size() -> u64 {
    // SAFETY: sysconf takes one number.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

fn first_line(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_can_be_read() {
        let machine = machine();
        assert!(machine.cores >= 1 && machine.memory > 1 << 20 && !machine.kernel.is_empty(), "{machine:?}");
        assert_eq!(boot_id().len(), 36);
        assert!(kernel_version() > (3, 0));
        assert!(may_write(Path::new("/proc/self/comm")) && !may_write(Path::new("/proc/nothing")));
        let (first, last) = local_port_range();
        assert!(first < last);
    }
}
