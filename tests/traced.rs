//! What the kernel saw: how a fault is undone is on disk, file and folder, before the fault is made.

mod common;

use std::collections::HashMap;
use std::process::Command;

use common::{Running, Yard, events};

const DRILL: &str = r#"peakdrill: 1
name: traced
platform:
  allow: [127.0.0.0/8]
  processes:
    shop: { run: [peakdrill, shop, all, --listen, "{{ address }}", --data, "{{ folder }}"], ready: { get: /healthz } }
  endpoints: { shop: "http://{{ process.shop.address }}" }
journeys: { look: [ { get: /products, name: look } ] }
load: { all: { mix: { look: 1 }, arrivals: [ { hold: { rate: 5/s, for: 3s } } ] } }
# Whoever is traced is slow.
limits: { lag: 10s }
faults:
  frozen: { at: 1s, for: 500ms, pause: { process: shop } }
targets: { up: { measure: availability, at-least: 1% } }
"#;

/// The system calls by which something is written, made to last, or hurt.
const CALLS: &str = "write,writev,pwrite64,fsync,fdatasync,openat,kill,pidfd_send_signal,mkdir,rename";

/// Why nothing can be traced here, if so.
fn untraceable() -> Option<String> {
    match Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output() {
        Ok(done) if done.status.success() => None,
        Ok(done) => {
            let why = format!("strace cannot trace: {}", String::from_utf8_lossy(&done.stderr));
            assert!(std::env::var_os("CI").is_none(), "{why}");
            Some(why)
        }
        Err(error) => Some(format!("strace: {error}")),
    }
}

/// One call: the lines of the log at which it began and was over, and what stands there.
#[derive(Debug)]
struct Call {
    thread: String,
    text: String,
    began: usize,
    over: usize,
}

impl Call {
    fn is(&self, name: &str) -> bool {
        self.text.strip_prefix(name).is_some_and(|rest| rest.starts_with('('))
    }

    /// What its first argument, a descriptor, is open on.
    fn on(&self) -> &str {
        self.text.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(path, _)| path)
    }

    fn succeeded(&self) -> bool {
        self.text.rsplit_once(" = ").is_some_and(|(_, value)| !value.starts_with(['-', '?']))
    }
}

/// The calls of a log, in the order in which they began. One that another came in between of stands on two lines.
fn calls(log: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut open: HashMap<String, usize> = HashMap::new();
    for (line, text) in log.lines().enumerate() {
        let Some((thread, text)) = text.split_once(' ') else { continue };
        let text = text.trim_start();
        if let Some(rest) = text.strip_prefix("<... ") {
            if let (Some(at), Some((_, rest))) = (open.remove(thread), rest.split_once("resumed>")) {
                calls[at].text.push_str(rest);
                calls[at].over = line;
            }
            continue;
        }
        let (text, over) = match text.strip_suffix("<unfinished ...>") {
            Some(begun) => {
                open.insert(thread.to_owned(), calls.len());
                (begun, usize::MAX)
            }
            None => (text, line),
        };
        calls.push(Call { thread: thread.to_owned(), text: text.to_owned(), began: line, over });
    }
    calls
}

#[test]
fn the_undo_is_on_disk_before_the_fault_is_made() {
    if let Some(why) = untraceable() {
        #[allow(clippy::print_stderr)]
        {
            eprintln!("SKIPPED: {why}");
        }
        return;
    }
    let yard = Yard::new();
    yard.file("drill.yaml", DRILL);
    let log = yard.path().join("strace.log");
    let drill = yard.command(["run", "drill.yaml"]);
    let mut command = yard.command_of("strace", ["-f", "--seccomp-bpf", "-y", "-s", "512", "-e"]);
    command.arg(format!("trace={CALLS}")).arg("-o").arg(&log).arg("--").arg(drill.get_program()).args(drill.get_args());
    let ended = Running::new(command).wait();
    let run = yard.last_run();
    let bit = events(&run).iter().any(|entry| entry["what"]["moment"] == "effective");
    assert!(bit, "{}", ended.all());

    let log = std::fs::read(log).expect("what strace wrote");
    let calls = calls(&String::from_utf8_lossy(&log));
    let found = |what: &str, wanted: &dyn Fn(&Call) -> bool| {
        calls.iter().find(|call| wanted(call)).unwrap_or_else(|| panic!("no {what} among {} calls", calls.len()))
    };
    let journal = run.join("undo.journal");
    let journal = journal.to_str().expect("a plain path");
    let folder = run.to_str().expect("a plain path");
    let synced = |call: &Call, what: &str| (call.is("fsync") || call.is("fdatasync")) && call.on() == what;

    let made = found("journal made", &|call| {
        call.is("openat") && call.text.contains("O_CREAT") && call.text.contains("undo.journal")
    });
    let folder_synced = found("sync of its folder", &|call| synced(call, folder) && call.began > made.over);
    let written = found("undo of the pause", &|call| {
        call.is("write") && call.on() == journal && call.text.contains(r#"\"undo\":\"thaw\""#)
    });
    let file_synced = found("sync of the undo", &|call| synced(call, journal) && call.began > written.over);
    assert!(folder_synced.succeeded() && written.succeeded() && file_synced.succeeded());
    assert_eq!(written.thread, file_synced.thread);
    let hurt = found("pause", &|call| {
        let stops = call.text.contains("SIGSTOP");
        let freezes = call.on().ends_with("/cgroup.freeze") && call.text.contains("\"1\"");
        (call.is("write") && freezes) || ((call.is("kill") || call.is("pidfd_send_signal")) && stops)
    });
    let order = [made.over, folder_synced.over, written.began, written.over, file_synced.over, hurt.began];
    assert!(order.is_sorted(), "{made:#?}\n{folder_synced:#?}\n{written:#?}\n{file_synced:#?}\n{hurt:#?}");
}
