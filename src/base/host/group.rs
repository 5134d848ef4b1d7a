//! cgroup folders that limit what is in them: memory, and the traffic to a disk. Where version 1 of the kernel's controllers is in
//! use, a folder of our own in the controller's hierarchy; with version 2, the folder that the tree is in anyway.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cgroup::{self, Cgroup, CgroupHome};
use super::disk::Device;
use super::identity::Identity;
use super::machine::may_write;
use super::proc::{self, Marker};

/// What a group limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Controller {
    Memory,
    Disk,
}

impl Controller {
    /// In version 1, and in version 2.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Controller::Memory => ("memory", "memory"),
            Controller::Disk => ("blkio", "io"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Version {
    /// The folder is the group's own.
    One,
    /// The folder is the tree's own.
    Two,
}

/// A folder, the controller that limits what is in it, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    folder: PathBuf,
    controller: Controller,
    version: Version,
}

/// The files of version 1 that hold a limit for each device.
const RATES: [&str; 2] = ["blkio.throttle.read_bps_device", "blkio.throttle.write_bps_device"];

impl Group {
    /// The group for one process of a run, not made yet. `Err` says why there can be none here.
    pub fn find(controller: Controller, marker: &Marker) -> Result<Group, String> {
        let (one, two) = controller.names();
        if let Some(own) = own_place(one) {
            if !may_write(&own) || !may_write(&own.join("cgroup.procs")) {
                return Err(format!("the cgroup folder {} may not be written to", own.display()));
            }
            let folder = own.join(cgroup::folder_name(marker));
            return Ok(Group { folder, controller, version: Version::One });
        }
        let home = CgroupHome::find().filter(|home| home.hands_down(two));
        let home = home.ok_or_else(|| {
            format!("no cgroup controller `{two}` is to be had: neither version 1 of it is mounted, nor is it in this process's cgroup.subtree_control")
        })?;
        Ok(Group { folder: home.folder(marker).path().to_owned(), controller, version: Version::Two })
    }

    /// Of every drill, in hierarchies of version 1; with version 2 they go with the trees.
    pub fn drills() -> Vec<Group> {
        let mut found = Vec::new();
        for controller in [Controller::Memory, Controller::Disk] {
            let Some((mount, _)) = mounted(controller.names().0) else { continue };
            for cgroup in cgroup::drills_below(mount) {
                found.push(Group { folder: cgroup.path().to_owned(), controller, version: Version::One });
            }
        }
        found
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whose it is, as its name tells.
    pub fn marker(&self) -> Option<Marker> {
        Cgroup::at(self.folder.clone()).marker()
    }

    /// Whether those in it were there all along, so that what they have counts.
    pub fn counts_all(&self) -> bool {
        self.version == Version::Two
    }

    /// Makes the folder, where it is the group's own; one that is there already will do.
    pub fn create(&self) -> io::Result<()> {
        match self.version {
            Version::One => Cgroup::at(self.folder.clone()).create(),
            Version::Two => Ok(()),
        }
    }

    /// Moves these into it; those who are gone are left out.
    pub fn take_in(&self, members: &[Identity]) -> io::Result<()> {
        for member in members.iter().filter(|_| self.version == Version::One).filter(|member| member.is_alive()) {
            moved(&self.folder, &member.pid.to_string())?;
        }
        Ok(())
    }

    /// Moves the calling process into it.
    pub fn join(&self) -> io::Result<()> {
        fs::write(self.folder.join("cgroup.procs"), "0")
    }

    pub fn members(&self) -> Vec<Identity> {
        Cgroup::at(self.folder.clone()).members()
    }

    /// Those in it together have no more than so many bytes.
    pub fn limit_memory(&self, bytes: u64) -> io::Result<()> {
        self.write(self.memory_file(), &bytes.to_string())
    }

    /// What limits its memory, as the kernel calls it.
    pub const fn memory_file(&self) -> &'static str {
        match self.version {
            Version::One => "memory.limit_in_bytes",
            Version::Two => "memory.max",
        }
    }

    /// How often the kernel has killed in it for want of memory.
    pub fn kills(&self) -> u64 {
        let file = match self.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        proc::value(&self.read(file), "oom_kill").unwrap_or(0)
    }

    /// Bytes a second, to and from one disk, for all those in it together.
    pub fn limit_disk(&self, device: &Device, write: u64, read: Option<u64>) -> io::Result<()> {
        match self.version {
            Version::One => {
                let [reads, writes] = RATES;
                self.write(writes, &format!("{device} {write}"))?;
                read.map_or(Ok(()), |read| self.write(reads, &format!("{device} {read}")))
            }
            Version::Two => {
                let read = read.map_or_else(|| "max".to_owned(), |read| read.to_string());
                self.write("io.max", &format!("{device} rbps={read} wbps={write}"))
            }
        }
    }

    /// Nobody is limited any more: of version 1, everybody is back in the folder above and this one is gone.
    pub fn lift(&self) -> io::Result<()> {
        if !self.folder.is_dir() {
            return Ok(());
        }
        match (self.version, self.controller) {
            (Version::Two, Controller::Memory) => self.write("memory.max", "max"),
            (Version::Two, Controller::Disk) => {
                let limits = self.read("io.max");
                devices(&limits).try_for_each(|device| self.write("io.max", &format!("{device} rbps=max wbps=max")))
            }
            (Version::One, Controller::Memory) => {
                // First, so that whoever hangs for want of it can go on.
                self.write("memory.limit_in_bytes", "-1")?;
                self.leave()
            }
            (Version::One, Controller::Disk) => {
                for file in RATES {
                    let limits = self.read(file);
                    devices(&limits).try_for_each(|device| self.write(file, &format!("{device} 0")))?;
                }
                self.leave()
            }
        }
    }

    pub fn is_lifted(&self) -> bool {
        let set = |text: String| !text.trim().is_empty();
        match (self.version, self.controller) {
            (Version::One, _) => !self.folder.is_dir(),
            (Version::Two, Controller::Memory) => matches!(self.read("memory.max").trim(), "max" | ""),
            (Version::Two, Controller::Disk) => !set(self.read("io.max")),
        }
    }

    /// For a shell.
    pub fn lift_by_hand(&self, quoted: impl Fn(&Path) -> String) -> String {
        let folder = quoted(&self.folder);
        match (self.version, self.controller) {
            (Version::One, _) => {
                let above = quoted(self.folder.parent().unwrap_or(&self.folder));
                format!(
                    "for pid in $(cat {folder}/cgroup.procs); do echo $pid > {above}/cgroup.procs; done; rmdir {folder}"
                )
            }
            (Version::Two, Controller::Memory) => format!("echo max > {folder}/memory.max"),
            (Version::Two, Controller::Disk) => {
                format!(
                    "while read device rest; do echo $device rbps=max wbps=max; done < {folder}/io.max > {folder}/io.max"
                )
            }
        }
    }

    fn leave(&self) -> io::Result<()> {
        let above = self.folder.parent().ok_or(io::ErrorKind::NotFound)?;
        // Again: whoever is being born meanwhile is met by the next round.
        for _ in 0..100 {
            let listed = self.read("cgroup.procs");
            if listed.trim().is_empty() {
                break;
            }
            listed.lines().try_for_each(|pid| moved(above, pid))?;
        }
        Cgroup::at(self.folder.clone()).remove()
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap_or_default()
    }

    fn write(&self, file: &str, text: &str) -> io::Result<()> {
        let path = self.folder.join(file);
        let written = File::options().write(true).open(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    }
}

/// Fine when the process is gone.
fn moved(folder: &Path, pid: &str) -> io::Result<()> {
    match fs::write(folder.join("cgroup.procs"), pid) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        other => other,
    }
}

/// The devices of a file with a line for each: `254:0 1048576`.
fn devices(limits: &str) -> impl Iterator<Item = &str> {
    limits.lines().filter_map(|line| line.split_ascii_whitespace().next()).filter(|first| first.contains(':'))
}

/// The calling process's own place in the hierarchy of a controller of version 1.
fn own_place(controller: &str) -> Option<PathBuf> {
    let (mount, root) = mounted(controller)?;
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own.lines().find_map(|line| {
        let (names, path) = line.split_once(':')?.1.split_once(':')?;
        names.split(',').any(|name| name == controller).then_some(path)
    })?;
    Some(mount.join(Path::new(own).strip_prefix(&root).unwrap_or(Path::new(""))))
}

/// Mount point and root of that hierarchy.
fn mounted(controller: &str) -> Option<(PathBuf, PathBuf)> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let options = kind.strip_prefix("cgroup ")?.split(' ').next_back()?;
        options.split(',').any(|option| option == controller).then(|| cgroup::place_of(place))?
    })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn group(controller: Controller) -> Option<Group> {
        let marker = Marker { run: "group-test".into(), harness: Identity::own(), process: format!("{controller:?}") };
        match Group::find(controller, &marker) {
            Ok(group) if group.version == Version::One => Some(group),
            _ => None,
        }
    }

    #[test]
    fn whoever_is_in_it_is_back_above_once_it_is_lifted() {
        for controller in [Controller::Memory, Controller::Disk] {
            let Some(group) = group(controller) else { continue };
            let mut child = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
            let member = Identity::of(child.id()).unwrap();
            group.create().unwrap();
            assert!(!group.is_lifted() && Group::drills().contains(&group));
            assert_eq!(group.marker().unwrap().run, "group-test");
            group.take_in(&[member, Identity { pid: member.pid, started: 1 }]).unwrap();
            assert_eq!(group.members(), [member]);
            group.lift().unwrap();
            assert!(group.is_lifted() && member.is_alive() && !group.folder().exists());
            group.lift().unwrap();
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    #[test]
    fn limits_of_a_disk_are_found_by_their_devices() {
        assert_eq!(devices("254:0 1048576\n8:16 rbps=max wbps=9\n\nTotal 5\n").collect::<Vec<_>>(), ["254:0", "8:16"]);
    }
}
