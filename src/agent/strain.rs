//! What an agent does to its machine, and what it sees of that by itself.

use std::any::Any;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::message::{Said, Seen, Strain};
use crate::base::clock::Clock;
use crate::base::host::{self, Group};
use crate::base::units::Span;

/// Burning is looked at for so long: it must have used half of its cores' time.
const LOOK: Span = Span::millis(200);
/// On a machine that others keep busy, too, it may take some.
const LOOKS: u32 = 20;
/// Such a part of the memory may be missing.
const SLACK: u64 = 16;
/// What is written at once.
const BLOCK: usize = 1 << 20;

/// What is held as long as the strain is on.
pub(super) type Held = Box<dyn Any>;

/// Begins, and looks whether it is so.
pub(super) fn begin(strain: &Strain) -> io::Result<(Said, Held)> {
    match strain {
        Strain::Burn { cores } => {
            for _ in 0..*cores {
                // Ends with the process.
                std::thread::Builder::new().name("burn".to_owned()).spawn(|| {
                    loop {
                        std::hint::spin_loop();
                    }
                })?;
            }
            Ok((Said::On(burning(*cores)), Box::new(())))
        }
        Strain::Memory { size } => {
            let length = usize::try_from(size.0).map_err(io::Error::other)?;
            let (mut taken, before): (Vec<u8>, u64) = (Vec::new(), host::own_vitals().memory);
            taken.try_reserve_exact(length).map_err(io::Error::other)?;
            // Each page is written to, or there would be none.
            taken.resize(length, 0x5a);
            // Looked at, so that it was not made in vain.
            let held: Held = Box::new(std::hint::black_box(taken));
            let bytes = host::own_vitals().memory.saturating_sub(before);
            // The kernel counts in strides, and may have taken something else back meanwhile.
            Ok((
                Said::On(if bytes >= size.0 - size.0 / SLACK { Seen::Taken { bytes } } else { Seen::Short { bytes } }),
                held,
            ))
        }
        Strain::Disk { folder, size } => {
            let (file, full) = fill(folder, size.0).map_err(|error| at(folder, &error))?;
            let bytes = file.metadata()?.len();
            let enough = bytes >= size.0 || (full && bytes > 0);
            Ok((Said::On(if enough { Seen::Taken { bytes } } else { Seen::Short { bytes } }), Box::new(file)))
        }
        Strain::Crowd { group, size } => {
            group.join()?;
            let (mut file, mut left) = (host::memory_file()?, size.0);
            // On a thread of its own: it may never be given all of it.
            std::thread::Builder::new().name("crowd".to_owned()).spawn(move || {
                let block = vec![0x5a; BLOCK];
                while left > 0 && file.write_all(&block).is_ok() {
                    left = left.saturating_sub(BLOCK as u64);
                }
                loop {
                    std::thread::park();
                }
            })?;
            Ok((Said::Crowding, Box::new(())))
        }
        Strain::Write { group, folder, size, read } => {
            group.as_ref().map_or(Ok(()), Group::join)?;
            Ok((Said::Wrote(host::disk_speed(folder, size.0, *read)?), Box::new(())))
        }
    }
}

/// How busy the process keeps the machine, by its own time on the CPUs.
fn burning(cores: u32) -> Seen {
    // More than there are cannot be had.
    let wanted = f64::from(cores).min(f64::from(host::machine().cores.max(1)));
    let (clock, mut most) = (Clock::start(), 0.0f64);
    for _ in 0..LOOKS {
        let (before, from) = (host::own_cpu(), clock.now());
        clock.block_for(LOOK);
        let spent = host::own_cpu().saturating_sub(before).as_seconds_f64();
        most = most.max(spent / clock.now().since(from).as_seconds_f64());
        if most >= wanted / 2.0 {
            return Seen::Burns { cores: most };
        }
    }
    Seen::Idle { cores: most }
}

fn at(folder: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", folder.display()))
}

/// A file without a name that is so large, or as large as there is room.
fn fill(folder: &Path, size: u64) -> io::Result<(File, bool)> {
    let path = folder.join(format!(".fill-{}", std::process::id()));
    let mut file = File::options().write(true).create_new(true).open(&path)?;
    // From here on it goes with the process.
    fs::remove_file(&path)?;
    let block: Vec<u8> = (0..BLOCK).map(|at| (at * 131 % 251) as u8).collect();
    let mut left = size;
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(usize::MAX).min(BLOCK);
        match file.write(&block[..part]) {
            Ok(0) => return Ok((file, true)),
            Ok(written) => left -= written as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                return Ok((file, true));
            }
            Err(error) => return Err(error),
        }
    }
    // What lies in memory only has taken nothing of the disk.
    match file.sync_data() {
        Err(error) if error.kind() != io::ErrorKind::StorageFull => Err(error),
        synced => Ok((file, synced.is_err())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::units::Size;

    #[test]
    fn what_is_taken_is_seen_and_its_file_has_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Strain::Disk { folder: folder.path().to_owned(), size: Size(3 << 20) };
        let (said, held) = begin(&disk).unwrap();
        assert!(matches!(said, Said::On(Seen::Taken { bytes }) if bytes == 3 << 20), "{said:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        drop(held);
        let (said, _held) = begin(&Strain::Memory { size: Size(24 << 20) }).unwrap();
        assert!(matches!(said, Said::On(Seen::Taken { bytes }) if bytes >= 22 << 20), "{said:?}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let nowhere = Strain::Disk { folder: "/no/such/folder".into(), size: Size(1) };
        let why = begin(&nowhere).map(|(said, _)| said).unwrap_err().to_string();
        assert!(why.starts_with("/no/such/folder: "), "{why}");
        assert!(begin(&Strain::Memory { size: Size(u64::MAX) }).is_err());
    }
}
