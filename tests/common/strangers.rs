//! Things that are nobody's business, named like the harness's own: whoever cleans up must leave them alone.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use super::{eventually, is_alive};

pub(crate) struct Strangers {
    process: Child,
    files: Vec<PathBuf>,
    /// In each hierarchy that can be written; in that of version 2 the process lives.
    cgroups: Vec<PathBuf>,
    socket: TcpListener,
    /// A network namespace with a table of rules in it.
    network: Option<String>,
    _folder: tempfile::TempDir,
}

impl Strangers {
    pub(crate) fn plant() -> Strangers {
        let folder = tempfile::Builder::new().prefix("stranger-").tempdir().expect("a folder");
        let program = folder.path().join("peakdrill");
        fs::copy("/bin/sleep", &program).expect("a copy of sleep");
        let process = Command::new(&program).arg0("peakdrill").arg("3600").spawn().expect("it runs");
        let name = format!("peakdrill-stranger-{}", process.id());
        let files: Vec<PathBuf> = ["/tmp", "/dev/shm"].iter().map(|folder| Path::new(folder).join(&name)).collect();
        for file in &files {
            fs::write(file, "keep me").expect("a file");
        }
        let mut cgroups = Vec::new();
        for (root, second) in hierarchies() {
            let path = root.join(&name);
            if fs::create_dir(&path).is_err() {
                continue;
            }
            if second {
                fs::write(path.join("cgroup.procs"), process.id().to_string()).expect("the stranger moves in");
            }
            cgroups.push(path);
        }
        let network = tool(&["ip", "netns", "add", &name]).then(|| name.clone());
        if network.is_some() {
            let made = tool(&["ip", "netns", "exec", &name, "nft", "add", "table", "inet", "peakdrill"]);
            assert!(made, "nft makes a table");
        }
        let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
        Strangers { process, files, cgroups, socket, network, _folder: folder }
    }

    /// What of it is not as it was.
    pub(crate) fn harm(&self) -> Option<String> {
        if !is_alive(self.process.id()) {
            return Some("its process is gone".to_owned());
        }
        if let Some(file) = self.files.iter().find(|file| fs::read_to_string(file).ok().as_deref() != Some("keep me")) {
            return Some(format!("{} is gone", file.display()));
        }
        if let Some(cgroup) = self.cgroups.iter().find(|path| !path.is_dir()) {
            return Some(format!("{} is gone", cgroup.display()));
        }
        if self.socket.local_addr().and_then(TcpStream::connect).is_err() {
            return Some("its port is closed".to_owned());
        }
        let network = self.network.as_ref()?;
        let listed = Command::new("ip").args(["netns", "exec", network, "nft", "list", "tables"]).output();
        let kept = listed.is_ok_and(|told| String::from_utf8_lossy(&told.stdout).contains("table inet peakdrill"));
        (!kept).then(|| "its table of rules is gone".to_owned())
    }
}

impl Drop for Strangers {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        self.files.iter().for_each(|file| drop(fs::remove_file(file)));
        for path in &self.cgroups {
            // Who was in it leaves it when the kernel finds the time.
            eventually("an empty cgroup", || fs::remove_dir(path).is_ok() || !path.is_dir());
        }
        if let Some(network) = &self.network {
            tool(&["ip", "netns", "delete", network]);
        }
    }
}

/// The roots of cgroups here, and whether each is of version 2.
pub(crate) fn hierarchies() -> Vec<(PathBuf, bool)> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let rows = mounts.lines().filter(|row| row.contains(" - cgroup"));
    rows.filter_map(|row| Some((PathBuf::from(row.split(' ').nth(4)?), row.contains(" - cgroup2 ")))).collect()
}

fn tool(words: &[&str]) -> bool {
    Command::new(words[0]).args(&words[1..]).status().is_ok_and(|status| status.success())
}
