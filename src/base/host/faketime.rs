//! libfaketime: a library that tells a program another wall clock than the machine's, from a file that we write.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::identity::Identity;
use super::proc::Marker;

const LIBRARY: &str = "libfaketimeMT.so.1";
/// How the names of what its users share begin.
const PREFIX: &str = "peakdrill-clock-";
/// Where POSIX' shared memory lies; glibc keeps semaphores there too.
const SHARED: &str = "/dev/shm";

/// Where the library lies: below /usr/lib of this machine's architecture, or of another distribution's custom.
pub fn find_faketime() -> Option<PathBuf> {
    let triplets = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let places =
        triplets.chain(["/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/opt/homebrew/lib"].map(PathBuf::from));
    places.map(|place| place.join("faketime").join(LIBRARY)).find(|path| path.is_file())
}

impl Identity {
    /// Whether it has loaded this library. `None` when it may not be looked at, or is gone.
    pub fn has_loaded(&self, library: &Path) -> Option<bool> {
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.pid)).ok().filter(|maps| !maps.is_empty())?;
        let name = fs::canonicalize(library).unwrap_or_else(|_| library.to_owned());
        let name = name.to_string_lossy().into_owned();
        self.is_alive().then(|| maps.lines().any(|line| line.ends_with(&name)))
    }
}

/// Writes by how much the clock is off, in whole seconds; whoever reads it meets the old one or the new one, never half of it.
pub fn set_skew(file: &Path, nanos: i64) -> io::Result<()> {
    let beside = file.with_extension("new");
    fs::write(&beside, format!("{:+}\n", nanos / 1_000_000_000))?;
    fs::rename(&beside, file)
}

/// Whether a program that reads this file has the right time. One that is not there tells no other.
pub fn tells_right(file: &Path) -> bool {
    fs::read_to_string(file).map_or(true, |text| text.trim().trim_start_matches(['+', '-']).chars().all(|c| c == '0'))
}

/// A semaphore and a piece of memory of this name, which the library would make by itself otherwise, under names that nobody
/// removes when its process is killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockShare(String);

impl ClockShare {
    pub fn of(marker: &Marker) -> ClockShare {
        ClockShare(format!("{PREFIX}{}-{}-{}", marker.run.replace('/', "_"), marker.harness, marker.process))
    }

    /// Those of harnesses that are dead, by their names.
    pub fn strays() -> Vec<String> {
        let entries = fs::read_dir(SHARED).into_iter().flatten().flatten();
        let mut found: Vec<String> = entries
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let name = name.strip_prefix("sem.").unwrap_or(&name);
                let harness: Identity = name.strip_prefix(PREFIX)?.split('-').find_map(|part| part.parse().ok())?;
                (!harness.is_alive()).then(|| name.to_owned())
            })
            .collect();
        found.sort();
        found.dedup();
        found
    }

    /// One of that name, if it is one of ours.
    pub fn named(name: &str) -> Option<ClockShare> {
        (name.starts_with(PREFIX) && !name.contains('/')).then(|| ClockShare(name.to_owned()))
    }

    pub fn name(&self) -> &str {
        &self.0
    }

    /// For the library's environment.
    pub fn told(&self) -> String {
        format!("/{0} /{0}", self.0)
    }

    pub fn make(&self) -> io::Result<()> {
        // More than it needs; what is 0 in it, it fills in by itself.
        fs::write(Path::new(SHARED).join(&self.0), [0; 4096])?;
        let name = CString::new(format!("/{}", self.0)).map_err(io::Error::other)?;
        // SAFETY: the name is a C string that outlives the call; mode and value are what the call takes with O_CREAT.
        let semaphore =
            unsafe { libc::sem_open(name.as_ptr(), libc::O_CREAT, 0o600 as libc::c_uint, 1 as libc::c_uint) };
        if semaphore == libc::SEM_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it has just been opened, and is not used any more.
        unsafe { libc::sem_close(semaphore) };
        Ok(())
    }

    pub fn exists(&self) -> bool {
        self.paths().iter().any(|path| path.exists())
    }

    pub fn remove(&self) -> io::Result<()> {
        for path in self.paths() {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    pub fn paths(&self) -> [PathBuf; 2] {
        [format!("sem.{}", self.0), self.0.clone()].map(|name| Path::new(SHARED).join(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_is_removed_and_known_for_ours() {
        let share = ClockShare::of(&Marker {
            run: "share-test".into(),
            harness: Identity { started: 1, ..Identity::own() },
            process: "node_1".into(),
        });
        share.make().unwrap();
        assert!(share.exists());
        assert!(ClockShare::strays().contains(&share.name().to_owned()), "its harness is dead");
        assert_eq!(ClockShare::named(share.name()), Some(share.clone()));
        assert_eq!((ClockShare::named("passwd"), ClockShare::named("peakdrill-clock-/../x")), (None, None));
        share.remove().unwrap();
        assert!(!share.exists() && !ClockShare::strays().contains(&share.name().to_owned()));
        share.remove().unwrap();
    }

    #[test]
    fn a_library_is_found_among_what_a_process_has_loaded() {
        let own = Identity::own();
        assert_eq!(own.has_loaded(&std::env::current_exe().unwrap()), Some(true));
        assert_eq!(own.has_loaded(Path::new("/usr/lib/none.so")), Some(false));
        assert_eq!(Identity { started: 1, ..own }.has_loaded(Path::new("/usr/lib/none.so")), None);
    }
}
