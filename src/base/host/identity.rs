#![allow(unsafe_code)]

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::proc;
use crate::base::units::Span;

/// A process that cannot be taken for another: pids are used again, the start time (clock ticks after boot) tells
/// them apart. Holds within one boot. Written as `1234.567890`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Identity {
    pub pid: u32,
    pub started: u64,
}

/// The signals that this house sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    Term,
    Kill,
    Stop,
    Continue,
}

impl Signal {
    const fn number(self) -> libc::c_int {
        match self {
            Signal::Term => libc::SIGTERM,
            Signal::Kill => libc::SIGKILL,
            Signal::Stop => libc::SIGSTOP,
            Signal::Continue => libc::SIGCONT,
        }
    }
}

impl Identity {
    /// Of the process that has this pid now; `None` when there is none. A zombie still has one.
    pub fn of(pid: u32) -> Option<Identity> {
        proc::stat(pid).map(|stat| stat.identity())
    }

    /// Of the calling process.
    pub fn own() -> Identity {
        let pid = std::process::id();
        // Without /proc nothing in this room works; 0 then matches no process, so nothing is ever touched by mistake.
        Identity::of(pid).unwrap_or(Identity { pid, started: 0 })
    }

    /// Whether it runs, stopped or frozen included. A zombie is gone.
    pub fn is_alive(&self) -> bool {
        proc::stat(self.pid).is_some_and(|stat| stat.started == self.started && stat.is_alive())
    }

    /// A handle that stays with this very process; `None` when it is gone.
    pub fn open(&self) -> io::Result<Option<PidFd>> {
        let Ok(pid) = libc::pid_t::try_from(self.pid) else { return Ok(None) };
        // SAFETY: pidfd_open takes two numbers; the answer is checked before it is taken as a descriptor.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        if fd < 0 {
            let error = io::Error::last_os_error();
            // ESRCH: no such process; EINVAL: the pid is that of a thread by now.
            return match error.raw_os_error() {
                Some(libc::ESRCH | libc::EINVAL) => Ok(None),
                _ => Err(error),
            };
        }
        // SAFETY: the kernel has just handed this descriptor (close-on-exec by default) to us alone.
        let fd = unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) };
        // The descriptor is bound to whoever has the pid now; only then is the start time looked at.
        Ok(self.is_alive().then_some(PidFd(fd)))
    }

    /// Sends a signal to this very process; `false` when it is gone.
    pub fn signal(&self, signal: Signal) -> io::Result<bool> {
        match self.open()? {
            Some(handle) => handle.signal(signal),
            None => Ok(false),
        }
    }
}

/// A handle on one process, never on a later one of the same pid.
#[derive(Debug)]
pub struct PidFd(OwnedFd);

impl PidFd {
    /// `false` when the process is gone.
    pub fn signal(&self, signal: Signal) -> io::Result<bool> {
        let (fd, number) = (self.0.as_raw_fd(), signal.number());
        // SAFETY: the descriptor is a pidfd that we own; a null siginfo is allowed and means "as kill(2) would".
        let answer =
            unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, number, std::ptr::null::<libc::siginfo_t>(), 0) };
        if answer == 0 {
            return Ok(true);
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() == Some(libc::ESRCH) { Ok(false) } else { Err(error) }
    }

    /// Blocks until the process has ended (as a zombie at least) or `within` has passed; `true` when it has ended.
    /// [`Span::MAX`] waits for ever.
    pub fn wait(&self, within: Span) -> io::Result<bool> {
        super::descriptor::readable(&self.0, within)
    }

    pub(super) fn descriptor(&self) -> &OwnedFd {
        &self.0
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.pid, self.started)
    }
}

impl FromStr for Identity {
    type Err = String;

    fn from_str(text: &str) -> Result<Identity, String> {
        let parsed = text.split_once('.').and_then(|(pid, started)| Some((pid.parse().ok()?, started.parse().ok()?)));
        let (pid, started) = parsed.ok_or_else(|| format!("`{text}` is not a process as PID.STARTED"))?;
        Ok(Identity { pid, started })
    }
}

impl From<Identity> for String {
    fn from(identity: Identity) -> String {
        identity.to_string()
    }
}

impl TryFrom<String> for Identity {
    type Error = String;

    fn try_from(text: String) -> Result<Identity, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_is_told_from_a_later_one_of_the_same_pid() {
        let own = Identity::own();
        assert!(own.is_alive());
        assert_eq!(own.to_string().parse(), Ok(own));
        let other = Identity { started: own.started + 1, ..own };
        assert!(!other.is_alive());
        assert!(other.open().unwrap().is_none());
        // Would end this test if it were sent.
        assert!(!other.signal(Signal::Kill).unwrap());
    }

    #[test]
    fn a_zombie_is_gone() {
        let mut child = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
        let identity = Identity::of(child.id()).unwrap();
        let handle = identity.open().unwrap().unwrap();
        assert!(identity.is_alive());
        assert!(!handle.wait(Span::ZERO).unwrap());
        assert!(identity.signal(Signal::Kill).unwrap());
        assert!(handle.wait(Span::seconds(20)).unwrap());
        assert_eq!(Identity::of(child.id()), Some(identity), "not waited for yet, so its entry is still there");
        assert!(!identity.is_alive());
        child.wait().unwrap();
        assert!(!identity.signal(Signal::Kill).unwrap());
    }
}
