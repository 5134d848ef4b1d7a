//! The raw clocks and timers under `clock`, which is the only room that should call these.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// `CLOCK_MONOTONIC` in nanoseconds: steady, not stepped, standing still while the machine is suspended.
pub fn monotonic_nanos() -> u64 {
    read_clock(libc::CLOCK_MONOTONIC)
}

/// `CLOCK_REALTIME` in nanoseconds since 1970: what people set and NTP steps.
pub fn realtime_nanos() -> u64 {
    read_clock(libc::CLOCK_REALTIME)
}

fn read_clock(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid place for the answer; both clocks exist on every Linux, so the call cannot fail.
    unsafe { libc::clock_gettime(clock, &mut now) };
    (now.tv_sec.max(0) as u64).saturating_mul(1_000_000_000).saturating_add(now.tv_nsec.max(0) as u64)
}

/// Lets the kernel wake the calling thread at the nanosecond asked for, instead of up to 50 µs later.
pub fn sharpen_timers() -> io::Result<()> {
    // SAFETY: PR_SET_TIMERSLACK takes one number and touches only the calling thread's timer slack.
    match unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1 as libc::c_ulong, 0, 0, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A one-shot kernel timer on `CLOCK_MONOTONIC`, readable once it has fired. Non-blocking and close-on-exec.
#[derive(Debug)]
pub struct TimerFd(OwnedFd);

impl TimerFd {
    pub fn new() -> io::Result<TimerFd> {
        // SAFETY: no pointers are involved; the answer is checked before it is taken as a descriptor.
        let fd = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_NONBLOCK | libc::TFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just handed this descriptor to us and nobody else holds it.
        Ok(TimerFd(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Fires at the instant `monotonic` (nanoseconds of [`monotonic_nanos`]), at once if that has passed. What was
    /// set before, and an expiry that was not read yet, are forgotten.
    pub fn fire_at(&self, monotonic: u64) -> io::Result<()> {
        // Zero would disarm the timer.
        let monotonic = monotonic.max(1);
        let value = libc::timespec {
            tv_sec: (monotonic / 1_000_000_000) as libc::time_t,
            tv_nsec: (monotonic % 1_000_000_000) as libc::c_long,
        };
        let setting = libc::itimerspec { it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        // SAFETY: the descriptor is a timer that we own, `setting` outlives the call, the old value is not asked for.
        let answer = unsafe {
            libc::timerfd_settime(self.0.as_raw_fd(), libc::TFD_TIMER_ABSTIME, &setting, std::ptr::null_mut())
        };
        if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Takes the expiry; `WouldBlock` while the timer has not fired.
    pub fn take(&self) -> io::Result<()> {
        let mut count = 0u64;
        // SAFETY: eight bytes are read into a place of eight bytes.
        let read = unsafe { libc::read(self.0.as_raw_fd(), (&raw mut count).cast(), 8) };
        if read == 8 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

impl AsRawFd for TimerFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsFd for TimerFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
