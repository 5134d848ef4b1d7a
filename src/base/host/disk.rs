use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::time::monotonic_nanos;

/// What a direct write or read is a multiple of, in memory and in length.
const PAGE: usize = 4096;

/// Bytes a second that came through to a disk, and back.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Speed {
    pub write: f64,
    /// 0 where nothing was read.
    pub read: f64,
}

/// A whole disk, as the kernel's controllers name it: `254:0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device(String);

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Device {
    /// The disk that a folder lies on. `Err` says why there is none.
    pub fn below(folder: &Path) -> Result<Device, String> {
        let cannot = |why: String| format!("the disk below {} is not known: {why}", folder.display());
        let device = fs::metadata(folder).map_err(|error| cannot(error.to_string()))?.dev();
        let number = format!("{}:{}", libc::major(device), libc::minor(device));
        let place = fs::canonicalize(format!("/sys/dev/block/{number}")).map_err(|_| {
            cannot(format!("its file system, such as overlay or tmpfs, lies on no block device ({number})"))
        })?;
        // Traffic is limited for whole disks only.
        let whole = if place.join("partition").exists() { place.parent().unwrap_or(&place) } else { &place };
        let number = fs::read_to_string(whole.join("dev")).map_err(|error| cannot(error.to_string()))?;
        Ok(Device(number.trim().to_owned()))
    }
}

/// Writes so much through to the disk below `folder`, past the kernel's memory, and reads it back if that is wanted. The file has
/// no name.
pub fn disk_speed(folder: &Path, size: u64, read: bool) -> io::Result<Speed> {
    let path = folder.join(format!(".speed-{}", std::process::id()));
    let flags = libc::O_DIRECT | libc::O_DSYNC;
    let mut file = File::options().read(true).write(true).create_new(true).custom_flags(flags).open(&path)?;
    fs::remove_file(&path)?;
    let size = usize::try_from(size).unwrap_or(usize::MAX).next_multiple_of(PAGE);
    // Many small ones: the kernel lets one through, and then counts.
    let block = (size / 16).next_multiple_of(PAGE).clamp(PAGE, 1 << 20);
    let mut memory: Vec<u8> = (0..block + PAGE).map(|at| (at * 131 % 251) as u8).collect();
    let from = memory.as_ptr().align_offset(PAGE);
    let block = memory.get_mut(from..from + block).ok_or(io::ErrorKind::OutOfMemory)?;
    let rate = |bytes: usize, begun: u64| bytes as f64 * 1e9 / monotonic_nanos().saturating_sub(begun).max(1) as f64;
    let (begun, mut done) = (monotonic_nanos(), 0);
    while done < size {
        file.write_all(block)?;
        done += block.len();
    }
    let write = rate(done, begun);
    if !read {
        return Ok(Speed { write, read: 0.0 });
    }
    file.rewind()?;
    let begun = monotonic_nanos();
    for _ in 0..done / block.len() {
        file.read_exact(block)?;
    }
    Ok(Speed { write, read: rate(done, begun) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_on_no_disk_is_said() {
        let why = Device::below(Path::new("/proc")).unwrap_err();
        assert!(why.contains("no block device"), "{why}");
        assert!(Device::below(Path::new("/no/such/folder")).is_err());
    }
}
