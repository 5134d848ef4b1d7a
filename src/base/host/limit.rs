//! What the kernel lets one process have, changed from outside (prlimit(2)).
#![allow(unsafe_code)]

use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

use super::identity::Identity;
use super::machine::Limits;

/// A limit of each process by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resource {
    /// Open files, connections among them: the first number that none of them can have.
    Files,
    /// Bytes of address space.
    Memory,
}

impl Resource {
    const fn number(self) -> libc::__rlimit_resource_t {
        match self {
            Resource::Files => libc::RLIMIT_NOFILE,
            Resource::Memory => libc::RLIMIT_AS,
        }
    }
}

impl Identity {
    /// `None` when this process is gone.
    pub fn limits(&self, of: Resource) -> io::Result<Option<Limits>> {
        self.exchange_limits(of, None)
    }

    /// Sets the soft limit and leaves the hard one. `false` when this process is gone.
    pub fn set_soft_limit(&self, of: Resource, soft: u64) -> io::Result<bool> {
        let Some(now) = self.limits(of)? else { return Ok(false) };
        Ok(self.exchange_limits(of, Some(Limits { soft: soft.min(now.hard), ..now }))?.is_some())
    }

    /// How soon the kernel ends it for want of memory, from -1000 (never) to 1000 (first); `None` when it is gone.
    pub fn dispensable(&self) -> Option<i32> {
        let text = fs::read_to_string(format!("/proc/{}/oom_score_adj", self.pid)).ok()?;
        self.is_alive().then(|| text.trim().parse().ok())?
    }

    /// Whoever goes below what it was started with needs a right (CAP_SYS_RESOURCE). Fine when it is gone.
    pub fn set_dispensable(&self, score: i32) -> io::Result<()> {
        match fs::write(format!("/proc/{}/oom_score_adj", self.pid), score.to_string()) {
            Err(_) if !self.is_alive() => Ok(()),
            other => other,
        }
    }

    fn exchange_limits(&self, of: Resource, new: Option<Limits>) -> io::Result<Option<Limits>> {
        let Ok(pid) = libc::pid_t::try_from(self.pid) else { return Ok(None) };
        // The start time tells a process from a later one of the same pid; a zombie has nothing to limit.
        if !self.is_alive() {
            return Ok(None);
        }
        let new = new.map(|new| libc::rlimit { rlim_cur: new.soft, rlim_max: new.hard });
        let new = new.as_ref().map_or(std::ptr::null(), |new| new as *const libc::rlimit);
        let mut old = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: `new` is null or valid for the whole call, and `old` is a valid place for the answer.
        if unsafe { libc::prlimit(pid, of.number(), new, &mut old) } == 0 {
            return Ok(Some(Limits { soft: old.rlim_cur, hard: old.rlim_max }));
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() == Some(libc::ESRCH) { Ok(None) } else { Err(error) }
    }

    /// The lowest number that none of its open files has: the next one that it opens gets it. `None` when its files may
    /// not be looked at, or it is gone.
    pub fn next_file(&self) -> Option<u64> {
        let entries = fs::read_dir(format!("/proc/{}/fd", self.pid)).ok()?;
        let mut taken: Vec<u64> =
            entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        taken.sort_unstable();
        let free = taken.iter().zip(0u64..).find(|(number, wanted)| *number != wanted);
        let next = free.map_or(taken.len() as u64, |(_, wanted)| wanted);
        self.is_alive().then_some(next)
    }

    /// Bytes of address space that it has. `None` when it is gone.
    pub fn address_space(&self) -> Option<u64> {
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.pid)).ok()?;
        let pages: u64 = statm.split_ascii_whitespace().next()?.parse().ok()?;
        self.is_alive().then(|| pages * super::machine::page_size())
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_soft_limit_is_set_from_outside_and_set_back() {
        let mut child = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
        let one = Identity::of(child.id()).unwrap();
        let before = one.limits(Resource::Files).unwrap().unwrap();
        assert!(one.set_soft_limit(Resource::Files, 5).unwrap());
        assert_eq!(one.limits(Resource::Files).unwrap(), Some(Limits { soft: 5, ..before }));
        assert!(one.set_soft_limit(Resource::Files, before.soft).unwrap());
        assert_eq!(one.limits(Resource::Files).unwrap(), Some(before));
        let other = Identity { started: one.started + 1, ..one };
        assert!(!other.set_soft_limit(Resource::Files, 5).unwrap(), "a later one of the same pid is not touched");
        assert_eq!(one.limits(Resource::Files).unwrap(), Some(before));
        // Until it is the program that it is to be, it may have none.
        let deadline = super::super::monotonic_nanos() + 20_000_000_000;
        while one.address_space() < Some(100_000) && super::super::monotonic_nanos() < deadline {}
        assert!(one.address_space().unwrap() > 100_000);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(one.limits(Resource::Files).unwrap(), None);
    }

    #[test]
    fn the_next_file_is_the_first_gap() {
        let mut child = Command::new("sh");
        let child = child
            .args(["-c", "exec 3</dev/null 5</dev/null; read x"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = child.spawn().unwrap();
        let one = Identity::of(child.id()).unwrap();
        let deadline = super::super::monotonic_nanos() + 20_000_000_000;
        while one.next_file() != Some(4) && super::super::monotonic_nanos() < deadline {}
        assert_eq!(one.next_file(), Some(4));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
