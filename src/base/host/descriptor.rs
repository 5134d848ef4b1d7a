#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};

use super::identity::PidFd;
use super::time::monotonic_nanos;
use crate::base::units::Span;

/// Blocks until `fd` is readable (`true`) or `within` has passed; [`Span::MAX`] waits for ever.
pub(super) fn readable(fd: &OwnedFd, within: Span) -> io::Result<bool> {
    let mut set = [libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
    Ok(poll(&mut set, within)? > 0)
}

/// Waits for a change of a file of cgroup2 or sysfs that announces changes (`POLLPRI`), at most `within`.
pub(super) fn changed(file: &File, within: Span) -> io::Result<bool> {
    let mut set = [libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLPRI, revents: 0 }];
    Ok(poll(&mut set, within)? > 0)
}

fn poll(set: &mut [libc::pollfd], within: Span) -> io::Result<usize> {
    let deadline = monotonic_nanos().saturating_add(within.as_nanos());
    loop {
        let left = deadline.saturating_sub(monotonic_nanos());
        let millis = if within == Span::MAX {
            -1
        } else {
            // Rounded up: a rest under a millisecond must not become a busy loop.
            libc::c_int::try_from(left.div_ceil(1_000_000)).unwrap_or(libc::c_int::MAX)
        };
        // SAFETY: the set is a valid slice of pollfd for the whole call, and its length is handed over with it.
        let answer = unsafe { libc::poll(set.as_mut_ptr(), set.len() as libc::nfds_t, millis) };
        match usize::try_from(answer) {
            Ok(0) if within != Span::MAX && monotonic_nanos() < deadline => continue,
            Ok(ready) => return Ok(ready),
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
}

/// How the one who was watched left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// It sent a dot before it went.
    SaidGoodbye,
    /// It ended without a word.
    Died,
}

/// Blocks, at no cost, until a line that is a dot alone comes through `pipe` or the process behind `handle` ends; every
/// other line is handed to `hear`. Of a pipe that is closed without a dot, the process's end is waited for. Without a
/// handle (it had gone before we could look) the pipe alone decides.
pub fn watch_end(
    mut pipe: impl Read + AsRawFd,
    handle: Option<&PidFd>,
    mut hear: impl FnMut(&[u8]),
) -> io::Result<Watched> {
    let mut set = vec![libc::pollfd { fd: pipe.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
    if let Some(handle) = handle {
        set.push(libc::pollfd { fd: handle.descriptor().as_raw_fd(), events: libc::POLLIN, revents: 0 });
    }
    let (mut said, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        poll(&mut set, Span::MAX)?;
        // What was sent before the death is still in the pipe, whichever of the two woke us.
        let mut look = [libc::pollfd { fd: pipe.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
        let read = if poll(&mut look, Span::ZERO)? > 0 { pipe.read(&mut chunk)? } else { 0 };
        if read == 0 {
            break;
        }
        said.extend_from_slice(chunk.get(..read).unwrap_or_default());
        while let Some(end) = said.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = said.drain(..=end).collect();
            match line.as_slice() {
                b".\n" => return Ok(Watched::SaidGoodbye),
                line => hear(line),
            }
        }
    }
    if let Some(handle) = handle {
        handle.wait(Span::MAX)?;
    }
    Ok(Watched::Died)
}

/// From now on INT, TERM, HUP, QUIT and TSTP do nothing to the calling process: what a terminal sends to everybody in
/// front of it is not meant for one who must clean up afterwards.
pub fn ignore_terminal_signals() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGTSTP, libc::SIGPIPE] {
        // SAFETY: SIG_IGN is a valid disposition for each of these, and no handler of ours is replaced.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// Whether a hangup was to be ignored when this program was started, as `nohup` has it.
pub fn ignores_hangup() -> bool {
    // SAFETY: all zeros is a valid `sigaction`.
    let mut now: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: nothing is set, and `now` is a valid place for what is set.
    let asked = unsafe { libc::sigaction(libc::SIGHUP, std::ptr::null(), &mut now) };
    asked == 0 && now.sa_sigaction == libc::SIG_IGN
}
