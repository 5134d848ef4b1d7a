//! A yard: a folder of its own with a copy of the program, in which whole drills run, and what a test asks of them.
#![allow(dead_code)] // Each test file uses its part.
#![allow(clippy::disallowed_methods)] // A test waits in real time.

pub(crate) mod strangers;

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Far more than any drill here takes: a test that hangs says so instead.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Yard {
    folder: tempfile::TempDir,
    /// Stands in the environment of everything that runs here.
    pub(crate) mark: String,
}

impl Yard {
    pub(crate) fn new() -> Yard {
        let folder = tempfile::Builder::new().prefix("yard-").tempdir().expect("a temporary folder");
        let mark = folder.path().file_name().expect("a name").to_string_lossy().into_owned();
        for name in ["home", "tmp", "bin"] {
            fs::create_dir(folder.path().join(name)).expect("a folder in the yard");
        }
        let yard = Yard { folder, mark };
        let program = env!("CARGO_BIN_EXE_peakdrill");
        // A hard link where the file system allows one: the program is large.
        if fs::hard_link(program, yard.program()).is_err() {
            fs::copy(program, yard.program()).expect("a copy of the program");
        }
        yard
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn program(&self) -> PathBuf {
        self.path().join("bin/peakdrill")
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).expect("a file in the yard");
        path
    }

    /// The program with these arguments, at home in the yard.
    pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        self.command_of(self.program(), arguments)
    }

    /// Any program, at home in the yard.
    pub(crate) fn command_of<S: AsRef<std::ffi::OsStr>>(
        &self,
        program: impl AsRef<std::ffi::OsStr>,
        arguments: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PEAKDRILL_") {
                command.env_remove(name);
            }
        }
        command.env("HOME", self.path().join("home")).env("TMPDIR", self.path().join("tmp"));
        command.env("NO_COLOR", "1").env("TEST_MARK", &self.mark).env_remove("XDG_RUNTIME_DIR");
        command
    }

    /// Runs to its end, and says how it ended.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Running::new(self.command(arguments)).wait()
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::new(self.command(arguments))
    }

    /// The folders of the runs that are kept here, the oldest first.
    pub(crate) fn runs(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.path().join("reports")) else { return Vec::new() };
        let mut all: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
        all.retain(|path| path.join("plan.json").is_file());
        all.sort();
        all
    }

    pub(crate) fn last_run(&self) -> PathBuf {
        self.runs().pop().expect("a run in reports/")
    }

    /// The process of this yard's program that was started with this word.
    pub(crate) fn process(&self, word: &str) -> Option<u32> {
        let program = self.program().to_string_lossy().into_owned();
        let is = |pid: u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let words: Vec<String> =
                line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into()).collect();
            words.first() == Some(&program) && words.get(1).is_some_and(|first| first == word)
        };
        let pids = fs::read_dir("/proc").expect("/proc").flatten();
        pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(|pid| is(*pid))
    }

    /// Asks the residue judge; gives what it printed and whether all was clean.
    pub(crate) fn judge(&self, arguments: &[&str]) -> (String, bool) {
        let output = Command::new("python3")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/residue.py"))
            .args(arguments)
            .args(["--mark", &self.mark, "--watch"])
            .arg(self.path())
            .output()
            .expect("python3 runs the residue judge");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.is_empty(), "the residue judge: {error}");
        (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.success())
    }
}

/// A program that runs; killed and awaited when it is dropped.
pub(crate) struct Running {
    child: Option<Child>,
    output: tempfile::TempDir,
    line: String,
}

impl Running {
    pub(crate) fn new(mut command: Command) -> Running {
        let output = tempfile::tempdir().expect("a temporary folder");
        let file = |name: &str| fs::File::create(output.path().join(name)).expect("a file for output");
        command.stdout(file("out")).stderr(file("err"));
        let line = format!("{command:?}");
        let child = command.spawn().unwrap_or_else(|error| panic!("{line}: {error}"));
        Running { child: Some(child), output, line }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([&format!("-{signal}"), &self.pid().to_string()]).status();
        assert!(status.expect("kill runs").success(), "no {signal} to {}", self.line);
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.as_mut().is_none_or(|child| child.try_wait().expect("its state").is_some())
    }

    /// Waits for a condition, and for the program's end at the latest: false when it ended before.
    pub(crate) fn until(&mut self, mut condition: impl FnMut() -> bool) -> bool {
        let began = Instant::now();
        while !condition() {
            if self.has_ended() {
                return condition();
            }
            assert!(began.elapsed() < PATIENCE, "waited too long for {}", self.line);
            pause();
        }
        true
    }

    pub(crate) fn wait(mut self) -> Ended {
        let began = Instant::now();
        while !self.has_ended() {
            if began.elapsed() > PATIENCE {
                let so_far = self.text("err");
                drop(self);
                panic!("still running after {PATIENCE:?}: {so_far}");
            }
            pause();
        }
        let status = self.child.as_mut().expect("it ran").wait().expect("its status");
        let output = Output { status, stdout: Vec::new(), stderr: Vec::new() };
        Ended {
            code: output.status.code(),
            signal: output.status.signal(),
            out: self.text("out"),
            err: self.text("err"),
            line: self.line.clone(),
            took: began.elapsed(),
        }
    }

    pub(crate) fn text(&self, stream: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.output.path().join(stream)).unwrap_or_default()).into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn pause() {
    // A test that asks the world every 10 ms; nothing depends on how long it is.
    std::thread::sleep(Duration::from_millis(10));
}

#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) line: String,
    pub(crate) took: Duration,
}

impl Ended {
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Ended {
        let Ended { line, out, err, .. } = &self;
        assert_eq!(self.code, Some(code), "{line}\n--- out\n{out}\n--- err\n{err}");
        self
    }

    pub(crate) fn all(&self) -> String {
        format!("{}\n{}", self.out, self.err)
    }
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < PATIENCE, "{what} did not come about");
        pause();
    }
}

/// A process by its id, if it is no zombie.
pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

/// The entries of a run's `events.jsonl`; a last line that was cut off is left out.
pub(crate) fn events(run: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(run.join("events.jsonl")).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

pub(crate) fn summary(run: &Path) -> serde_json::Value {
    let text = fs::read_to_string(run.join("summary.json")).unwrap_or_else(|e| panic!("{}: {e}", run.display()));
    serde_json::from_str(&text).expect("summary.json is JSON")
}

/// So many rounds, each once, dealt out to so many hands; what came of them in no order.
pub(crate) fn deal<T: Send>(rounds: u64, hands: usize, round: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let (next, results) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..hands {
            scope.spawn(|| {
                loop {
                    let k = next.fetch_add(1, Ordering::Relaxed);
                    if k >= rounds {
                        break;
                    }
                    let result = round(k);
                    results.lock().expect("nobody panics with it").push(result);
                }
            });
        }
    });
    results.into_inner().expect("nobody panicked")
}

/// Until the moment of a kill, the one thing in a test that is a time.
pub(crate) fn wait(span: Duration) {
    std::thread::sleep(span);
}
