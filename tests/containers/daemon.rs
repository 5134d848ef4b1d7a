//! A Docker of the tests' own: daemon, containers, networks and files in namespaces and a folder that go with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::common::{Yard, eventually};

/// In a mount namespace of its own, Docker's places outside its folder are this one's alone.
const START: &str = r#"mount -t tmpfs none /run && mount --bind "$1/etc" /etc && shift && exec dockerd "$@""#;

pub(crate) struct Docker {
    daemon: Child,
    folder: PathBuf,
    cgroup: String,
}

impl Docker {
    /// Starts it in the yard; none, and said, where that cannot be done.
    #[allow(clippy::print_stderr)]
    pub(crate) fn start(yard: &Yard) -> Option<Docker> {
        match Docker::try_start(yard) {
            Ok(docker) => Some(docker),
            Err(why) => {
                assert!(std::env::var_os("CI").is_none(), "containers cannot be tried here: {why}");
                eprintln!("SKIPPED: containers cannot be tried here: {why}");
                None
            }
        }
    }

    fn try_start(yard: &Yard) -> Result<Docker, String> {
        let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"));
        let there = |tool: &&str| Command::new(tool).arg("--version").output().is_ok();
        let tools = ["dockerd", "docker", "containerd", "runc", "unshare", "rustc"];
        if let Some(lacks) = tools.iter().find(|tool| !there(tool)).filter(|_| root) {
            return Err(format!("there is no `{lacks}`"));
        }
        if !root {
            return Err("Docker needs root".to_owned());
        }
        let folder = yard.path().join("docker");
        for name in ["etc", "share", "image"] {
            fs::create_dir_all(folder.join(name)).expect("a folder in the yard");
        }
        for name in ["passwd", "group"] {
            let _ = fs::copy(Path::new("/etc").join(name), folder.join("etc").join(name));
        }
        let at = |name: &str| folder.join(name).display().to_string();
        let cgroup = format!("{}-docker", yard.mark);
        let log = fs::File::create(folder.join("log")).expect("a file in the yard");
        let private = ["--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"];
        let daemon = yard
            .command_of("unshare", private)
            .args(["sh", "-c", START, "sh", &at(""), "--storage-driver", "vfs", "--bridge=none"])
            .args(["--iptables=false", "--ip6tables=false", "--exec-opt", "native.cgroupdriver=cgroupfs"])
            .args(["--data-root", &at("data"), "--exec-root", &at("exec"), "--pidfile", &at("pid")])
            .args(["--cgroup-parent", &format!("/{cgroup}"), "--host", &format!("unix://{}", at("docker.sock"))])
            .stdout(log.try_clone().expect("the same file"))
            .stderr(log)
            .spawn()
            .map_err(|why| format!("unshare: {why}"))?;
        let mut docker = Docker { daemon, folder, cgroup };
        let mut ended = false;
        eventually("Docker's start", || {
            ended = docker.daemon.try_wait().expect("its state").is_some();
            ended || docker.ask(&["version"]).is_ok()
        });
        if ended {
            return Err(format!("dockerd ended: {}", docker.log()));
        }
        docker.build()?;
        Ok(docker)
    }

    /// An image with one static program.
    fn build(&self) -> Result<(), String> {
        let image = self.folder.join("image");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/containers/server.rs");
        let built = Command::new("rustc")
            .args(["--edition", "2024", "-C", "target-feature=+crt-static", "-o"])
            .arg(image.join("server"))
            .arg(source)
            .output()
            .expect("rustc runs");
        if !built.status.success() {
            return Err(format!("no static program: {}", String::from_utf8_lossy(&built.stderr)));
        }
        let (tar, folder) = (self.folder.join("image.tar").display().to_string(), image.display().to_string());
        let packed = Command::new("tar").args(["-cf", &tar, "-C", &folder, "server"]).status();
        assert!(packed.expect("tar runs").success());
        self.ask(&["import", &tar, "server:1"])?;
        // Nothing here depends on what a container does, but on whether one can be made at all.
        self.ask(&["run", "--rm", "--network", "none", "server:1", "/server"])
            .map_or_else(|why| if why.contains("a socket") { Ok(()) } else { Err(why) }, |_| Ok(()))?;
        self.ask(&["network", "create", "--subnet", "198.18.99.0/24", "front"])?;
        self.ask(&["network", "create", "back"])?;
        Ok(())
    }

    /// Docker's own program; the error is what it says.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new("docker")
            .args(["--host", &format!("unix://{}", self.socket().display())])
            .args(arguments)
            .env("DOCKER_CONFIG", self.folder.join("client"))
            .stdin(Stdio::null())
            .output()
            .expect("docker runs");
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(said(&output.stdout)) } else { Err(said(&output.stderr)) }
    }

    /// Runs a container that serves at [`Docker::served`], and waits until it does.
    pub(crate) fn run(&self, name: &str, options: &[&str]) {
        let share = format!("{}:/share", self.folder.join("share").display());
        let words = [&["run", "--detach", "--name", name, "--volume", &share], options].concat();
        let socket = format!("/share/{name}.sock");
        let started = self.ask(&[&words[..], &["server:1", "/server", &socket]].concat());
        assert!(started.is_ok(), "{started:?}\n{}", self.log());
        eventually("a server in a container", || self.served(name).exists());
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("docker.sock")
    }

    /// Where a container answers.
    pub(crate) fn served(&self, name: &str) -> PathBuf {
        self.folder.join(format!("share/{name}.sock"))
    }

    /// What Docker's own program tells of a container.
    pub(crate) fn inspect(&self, name: &str) -> Value {
        let told = self.ask(&["inspect", "--type", "container", name]).expect("a container");
        serde_json::from_str::<Value>(&told).expect("JSON")[0].take()
    }

    fn log(&self) -> String {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        log.lines().rev().take(8).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        // One that is paused would not even end with its namespace.
        for id in self.ask(&["ps", "--all", "--quiet"]).unwrap_or_default().lines() {
            let _ = self.ask(&["rm", "--force", id]);
        }
        // With the first process of the namespace goes everyone in there; if it is not to be found, it goes with its parent.
        let pid = self.daemon.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        match children.split_whitespace().next() {
            Some(child) => drop(Command::new("kill").args(["-KILL", child]).status()),
            None => drop(self.daemon.kill()),
        }
        let _ = self.daemon.wait();
        let folders = Command::new("find").args(["/sys/fs/cgroup", "-maxdepth", "2", "-name", &self.cgroup]).output();
        let folders = folders.map(|found| String::from_utf8_lossy(&found.stdout).into_owned()).unwrap_or_default();
        for folder in folders.lines() {
            let empty = || Command::new("find").args([folder, "-depth", "-type", "d", "-delete"]).output();
            eventually("an empty cgroup folder", || empty().is_ok() && !Path::new(folder).exists());
        }
    }
}
