#![allow(unsafe_code)]

//! Files that a program sees in place of those of the machine, such as its own `/etc/resolv.conf`: laid over them in a mount
//! namespace of its own, which goes with it.

use std::ffi::CString;
use std::io;
use std::path::Path;

use super::network::{bind, c_path, check};

/// One file, and what it is seen in place of. Both exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cover {
    file: CString,
    over: CString,
}

impl Cover {
    /// Fails where a path has a zero byte in it.
    pub fn new(file: &Path, over: &Path) -> io::Result<Cover> {
        Ok(Cover { file: c_path(file)?, over: c_path(over)? })
    }
}

/// Gives the calling process a mount namespace of its own, and lays the files over the others there. What is mounted and unmounted
/// on the machine still is so for it. Plain system calls alone, for between fork and exec.
pub(super) fn lay(covers: &[Cover]) -> io::Result<()> {
    if covers.is_empty() {
        return Ok(());
    }
    // SAFETY: unshare takes a number; the caller has one thread.
    check(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    bind(c"none", c"/", libc::MS_REC | libc::MS_SLAVE)?;
    covers.iter().try_for_each(|cover| bind(&cover.file, &cover.over, libc::MS_BIND))
}
