//! cgroup2 folders: no controllers are needed for `cgroup.freeze`, `cgroup.kill` and `cpu.stat`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::descriptor;
use super::identity::Identity;
use super::machine::{kernel_version, may_write};
use super::proc::{self, Marker};
use super::time::monotonic_nanos;
use crate::base::units::Span;

/// How every folder that a drill makes begins.
const PREFIX: &str = "peakdrill-";

/// Where folders can be made: the calling process's own place in the cgroup2 tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CgroupHome {
    mount: PathBuf,
    own: PathBuf,
}

/// One folder, and whatever was started in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cgroup(PathBuf);

impl CgroupHome {
    /// `None` where cgroup2 is not mounted, not writable, or too old to kill (Linux 5.14).
    pub fn find() -> Option<CgroupHome> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::"))?;
        let (mount, root) = mounts.lines().find_map(mounted)?;
        // A path outside the mounted part of the tree cannot be reached; the mounted part's top is all there is.
        let inside = Path::new(own).strip_prefix(&root).unwrap_or(Path::new(""));
        let home = CgroupHome { own: mount.join(inside), mount };
        home.is_usable().then_some(home)
    }

    /// The folder for one process of a run, not made yet. Its name tells whose it is: see [`Cgroup::marker`].
    pub fn folder(&self, marker: &Marker) -> Cgroup {
        Cgroup(self.own.join(folder_name(marker)))
    }

    /// Every drill's folder in the whole tree that is mounted here.
    pub fn drills(&self) -> Vec<Cgroup> {
        drills_below(self.mount.clone())
    }

    /// Whether the folders made here have this controller.
    pub(super) fn hands_down(&self, controller: &str) -> bool {
        let listed = fs::read_to_string(self.own.join("cgroup.subtree_control")).unwrap_or_default();
        listed.split_ascii_whitespace().any(|name| name == controller)
    }

    /// Moves the calling process to the top of the tree, out of reach of whoever kills or freezes its present place.
    /// `false` when that is not permitted.
    pub fn escape(&self) -> bool {
        self.own == self.mount || fs::write(self.mount.join("cgroup.procs"), "0").is_ok()
    }

    /// Looked at, not tried: a folder made for a trial would be left behind by whoever is killed meanwhile.
    fn is_usable(&self) -> bool {
        kernel_version() >= (5, 14) && may_write(&self.own) && may_write(&self.own.join("cgroup.procs"))
    }
}

impl Cgroup {
    pub(super) fn at(path: PathBuf) -> Cgroup {
        Cgroup(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Whose folder this is, as its name tells; `None` when a drill of ours did not name it.
    pub fn marker(&self) -> Option<Marker> {
        let mut parts = name_of(&self.0).strip_prefix(PREFIX)?.rsplitn(3, '-');
        let (process, harness, run) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Marker { run: run.into(), harness: harness.parse().ok()?, process: process.into() })
    }

    pub fn exists(&self) -> bool {
        self.0.join("cgroup.procs").exists()
    }

    /// Makes the folder; one that is there already will do.
    pub fn create(&self) -> io::Result<()> {
        match fs::create_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && self.exists() => Ok(()),
            other => other,
        }
    }

    /// Writing `0` to this file moves the writing process into the folder.
    pub(super) fn entrance(&self) -> io::Result<File> {
        File::options().write(true).open(self.0.join("cgroup.procs"))
    }

    /// All processes in it and in folders made below it; zombies are not listed by the kernel.
    pub fn members(&self) -> Vec<Identity> {
        let mut pids = Vec::new();
        let mut open = vec![self.0.clone()];
        while let Some(folder) = open.pop() {
            let listed = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            pids.extend(listed.lines().filter_map(|line| line.parse::<u32>().ok()));
            open.extend(folders_in(&folder));
        }
        pids.into_iter().filter_map(proc::stat).filter(|stat| stat.is_alive()).map(|stat| stat.identity()).collect()
    }

    /// No living process is in it. A folder that is not there is empty.
    pub fn is_empty(&self) -> bool {
        self.event("populated") != Some(1)
    }

    pub fn is_frozen(&self) -> bool {
        self.event("frozen") == Some(1)
    }

    /// Kills everything in it and waits until that is gone; `false` when it was not within the time.
    pub fn kill(&self, within: Span) -> io::Result<bool> {
        self.write("cgroup.kill", "1")?;
        self.wait(within, Cgroup::is_empty)
    }

    /// Stops everything in it, or lets it go on, and waits until that is so; `false` when it was not within the time.
    pub fn freeze(&self, frozen: bool, within: Span) -> io::Result<bool> {
        self.write("cgroup.freeze", if frozen { "1" } else { "0" })?;
        self.wait(within, |cgroup| cgroup.is_frozen() == frozen)
    }

    /// CPU time used by all that ever ran in it, also by processes that are gone.
    pub fn cpu(&self) -> Option<Span> {
        let text = fs::read_to_string(self.0.join("cpu.stat")).ok()?;
        proc::value(&text, "usage_usec").map(Span::micros)
    }

    /// Removes the folder and those below it; fine when it is not there. The kernel refuses while a process is in it.
    pub fn remove(&self) -> io::Result<()> {
        for below in folders_in(&self.0) {
            Cgroup(below).remove()?;
        }
        // An exiting process holds on to its folder for a moment after it is no longer listed.
        let deadline = monotonic_nanos() + Span::seconds(2).as_nanos();
        loop {
            match fs::remove_dir(&self.0) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy && self.is_empty() => {
                    if monotonic_nanos() > deadline {
                        return Err(error);
                    }
                    pause();
                }
                other => return other,
            }
        }
    }

    fn write(&self, name: &str, value: &str) -> io::Result<()> {
        match File::options().write(true).open(self.0.join(name)).and_then(|mut file| file.write_all(value.as_bytes()))
        {
            // The folder went away in between: nothing is in it.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV)) && !self.exists() => Ok(()),
            other => other,
        }
    }

    fn event(&self, name: &str) -> Option<u64> {
        proc::value(&fs::read_to_string(self.0.join("cgroup.events")).ok()?, name)
    }

    fn wait(&self, within: Span, done: impl Fn(&Cgroup) -> bool) -> io::Result<bool> {
        let deadline = monotonic_nanos().saturating_add(within.as_nanos());
        loop {
            // Opened before the look, so that a change after it is announced.
            let events = File::open(self.0.join("cgroup.events"));
            if done(self) {
                return Ok(true);
            }
            let left = Span(deadline.saturating_sub(monotonic_nanos()));
            if left == Span::ZERO {
                return Ok(false);
            }
            match events {
                Ok(events) => drop(descriptor::changed(&events, left.min(Span::millis(10)))?),
                Err(_) => pause(),
            }
        }
    }
}

/// The name of the folder for one process of a run, in any hierarchy.
pub(super) fn folder_name(marker: &Marker) -> String {
    // A run's name never holds a slash in practice; if it did, the folder would lie somewhere else.
    let run = marker.run.replace('/', "_");
    format!("{PREFIX}{run}-{}-{}", marker.harness, marker.process)
}

/// Every drill's folder below this one.
pub(super) fn drills_below(mount: PathBuf) -> Vec<Cgroup> {
    let mut found = Vec::new();
    let mut open = vec![mount];
    while let Some(folder) = open.pop() {
        for path in folders_in(&folder) {
            if name_of(&path).starts_with(PREFIX) { found.push(Cgroup(path)) } else { open.push(path) }
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// A short wait between two looks, where the kernel announces nothing.
pub(super) fn pause() {
    // This room stands above `clock`, whose waits are for drills; this is a look at the kernel every millisecond.
    #[allow(clippy::disallowed_methods)]
    std::thread::sleep(Span::millis(1).to_std());
}

fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// Mount point and root of a line of mountinfo that mounts cgroup2 (proc_pid_mountinfo(5)).
fn mounted(line: &str) -> Option<(PathBuf, PathBuf)> {
    let (before, after) = line.split_once(" - ")?;
    if after.starts_with("cgroup2 ") { place_of(before) } else { None }
}

/// Mount point and root, from the first part of such a line.
pub(super) fn place_of(before: &str) -> Option<(PathBuf, PathBuf)> {
    let mut fields = before.split(' ').skip(3);
    let (root, point) = (fields.next()?, fields.next()?);
    Some((unescaped(point), unescaped(root)))
}

/// Where something is mounted at or below `folder`, the innermost last.
pub fn mounts_below(folder: &Path) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let point = |line: &str| Some(unescaped(line.split(' ').nth(4)?));
    let mut found: Vec<PathBuf> = mounts.lines().filter_map(point).filter(|point| point.starts_with(folder)).collect();
    found.sort();
    found
}

/// Spaces and the like are written as octal escapes there.
fn unescaped(text: &str) -> PathBuf {
    let codes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    codes.iter().fold(text.to_owned(), |text, (code, plain)| text.replace(code, plain)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_mount_of_version_two_among_others() {
        let old = "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu";
        let new = "41 31 0:38 /a /sys/fs/cgroup/un\\040ified rw,relatime shared:9 - cgroup2 cgroup2 rw";
        assert_eq!(mounted(old), None);
        assert_eq!(mounted(new), Some(("/sys/fs/cgroup/un ified".into(), "/a".into())));
    }

    #[test]
    fn a_folder_tells_whose_it_is() {
        let home = CgroupHome { mount: "/c".into(), own: "/c/x".into() };
        let harness = Identity { pid: 7, started: 99 };
        let marker = Marker { run: "20260618T203000Z-peak".into(), harness, process: "node_1".into() };
        let folder = home.folder(&marker);
        assert_eq!(folder.path(), Path::new("/c/x/peakdrill-20260618T203000Z-peak-7.99-node_1"));
        assert_eq!(folder.marker(), Some(marker));
        assert_eq!(Cgroup("/c/peakdrill-guest".into()).marker(), None);
    }

    #[test]
    fn a_folder_that_is_gone_is_empty_and_fine_to_remove() {
        let gone = Cgroup("/nowhere/peakdrill-x-1.1-y".into());
        assert!(gone.is_empty());
        assert!(gone.kill(Span::ZERO).unwrap());
        assert!(gone.freeze(false, Span::ZERO).unwrap());
        gone.remove().unwrap();
    }
}
