//! Real harnesses that are killed. The test program starts itself again as a harness and as a guardian; what is left
//! is looked for by code that shares nothing with the room.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::*;
use crate::base::clock::Clock;
use crate::base::host::{self, CgroupHome, Identity, Launch, Launched, Namespace, Tree};
use crate::base::units::Span;

const FOLDER: &str = "PEAKDRILL_TEST_FOLDER";
const GUARDED: &str = "PEAKDRILL_TEST_GUARDED";
/// As on a machine without cgroup2.
const WALKING: &str = "PEAKDRILL_TEST_WALKING";
const LONG: Span = Span::seconds(30);

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let clock = Clock::start();
    while !done() {
        assert!(clock.now().as_nanos() < LONG.as_nanos(), "waited in vain until {what}");
        clock.block_for(Span::millis(2));
    }
}

/// This test program, to run one of the entries below.
fn myself(entry: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("undo::tests::{entry}"), "--ignored", "--nocapture", "--test-threads=1"]);
    command
}

/// Not a test: what the guardian process of the tests does.
#[test]
#[ignore = "an entry for the tests of this file"]
fn as_guardian() {
    let journal = PathBuf::from(std::env::args_os().next_back().unwrap_or_else(|| OsString::from("none")));
    if journal.is_absolute() {
        let _ = guardian_main(&journal);
    }
}

/// Not a test: a harness that starts, pauses, kills and starts again until it is killed.
#[test]
#[ignore = "an entry for the tests of this file"]
fn as_harness() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let journal = Journal::create(&folder, "killed").unwrap();
    let guardian = std::env::var_os(GUARDED).map(|_| Guardian::start(&journal, myself("as_guardian")).unwrap());
    let (_, private) = journal.private_folder().unwrap();
    fs::write(folder.join("private"), private.to_str().unwrap()).unwrap();
    let mut running: Vec<(UndoId, Tree, Launched)> = Vec::new();
    for turn in 0u32.. {
        let name = format!("p{}", turn % 3);
        if let Some(at) = running.iter().position(|(_, tree, _)| tree.marker.as_ref().unwrap().ends_with(&name)) {
            let (id, tree, mut launched) = running.remove(at);
            let thaw = journal.plan(Action::Thaw { name: name.clone(), tree: tree.clone() }).unwrap();
            assert!(tree.freeze(LONG).unwrap());
            journal.undo(thaw).unwrap();
            journal.undo(id).unwrap();
            launched.wait().unwrap();
        }
        running.push(start(&journal, &name, &private));
        fs::write(folder.join("turn"), turn.to_string()).unwrap();
    }
    drop(guardian);
}

fn start(journal: &Journal, name: &str, private: &Path) -> (UndoId, Tree, Launched) {
    let marker = journal.marker(name);
    let home = CgroupHome::find().filter(|_| std::env::var_os(WALKING).is_none());
    let cgroup = home.map(|home| home.folder(&marker));
    let mut tree = Tree { cgroup: cgroup.clone(), marker: Some(marker.to_string()), root: None };
    let id = journal.plan(Action::StopTree { name: name.to_owned(), tree: tree.clone() }).unwrap();
    let script = "trap '' TERM; (setsid sh -c 'sleep 600 & echo >> data; sleep 600' &); sleep 600 & wait";
    let launch = Launch {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into()],
        environment: Vec::new(),
        folder: Some(private.to_owned()),
        output: File::create(private.join(name)).unwrap(),
        marker: marker.to_string(),
        cgroup,
        network: None,
        covers: Vec::new(),
    };
    let launched = launch.start().unwrap();
    tree.root = Some(launched.identity);
    journal.amend(id, Action::StopTree { name: name.to_owned(), tree: tree.clone() }).unwrap();
    (id, tree, launched)
}

/// Pids of living processes, other than zombies, whose environment names this folder.
fn processes_of(folder: &Path) -> Vec<u32> {
    let needle = format!("{FOLDER}={}", folder.display());
    let alive = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
    };
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let ours = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == needle.as_bytes())
    };
    pids.filter(ours).filter(|pid| alive(*pid)).collect()
}

fn cgroups_of(pid: u32) -> Vec<PathBuf> {
    let Some(home) = CgroupHome::find() else { return Vec::new() };
    let of = |path: &PathBuf| path.to_string_lossy().contains(&format!("-{pid}."));
    home.drills().into_iter().map(|cgroup| cgroup.path().to_owned()).filter(of).collect()
}

fn harness(folder: &Path, guarded: bool, walking: bool) -> Child {
    let mut command = myself("as_harness");
    command.env(FOLDER, folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if guarded {
        command.env(GUARDED, "1");
    }
    if walking {
        command.env(WALKING, "1");
    }
    command.spawn().unwrap()
}

/// Kills a harness `after` that many microseconds of work; what it left must go by its guardian, or by `recover`.
fn killed(after: u64, guarded: bool, walking: bool) {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("run");
    fs::create_dir(&run).unwrap();
    let mut child = harness(&run, guarded, walking);
    let pid = child.id();
    // Half of the moments lie within the start, half within the work.
    wait_until("the journal is begun", || run.join(JOURNAL).exists());
    Clock::start().block_for(Span::micros(after));
    child.kill().unwrap();
    child.wait().unwrap();
    if guarded {
        wait_until("the guardian has gone, too", || processes_of(&run).is_empty());
    }
    if let Ok(journal) = journal::Inherited::open(&run.join(JOURNAL)) {
        if guarded {
            assert_eq!(journal.pending.len(), 0, "the guardian has written down what it did");
        }
        let recovery = recover(&run.join(JOURNAL)).unwrap();
        let Recovery::Done { left, .. } = &recovery else { panic!("{recovery:?}") };
        assert!(left.is_empty(), "{left:?}");
    }
    // One that was just being born sees that its parent is gone, and ends; anything else would stay for 600 s.
    wait_until("nobody lives", || processes_of(&run).is_empty());
    assert_eq!(cgroups_of(pid), [] as [PathBuf; 0], "killed after {after} us");
    if let Ok(private) = fs::read_to_string(run.join("private")) {
        assert!(private.is_empty() || !Path::new(&private).exists(), "killed after {after} us");
    }
}

/// The seed stands in each test, the moment in what it says when it fails.
fn seeded_moments(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % 120_000
    })
}

#[test]
fn nothing_is_left_of_a_killed_harness_that_was_guarded() {
    seeded_moments(618).take(8).for_each(|after| killed(after, true, false));
}

#[test]
fn nothing_is_left_of_a_killed_harness_after_recover() {
    seeded_moments(1111).take(8).for_each(|after| killed(after, false, false));
}

#[test]
fn nothing_is_left_either_where_there_is_no_cgroup() {
    seeded_moments(1212).take(4).for_each(|after| killed(after, true, true));
}

#[test]
fn a_goodbye_sends_the_guardian_away_and_it_undoes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let journal = Journal::create(home.path(), "goodbye").unwrap();
    let (id, private) = journal.private_folder().unwrap();
    let mut guardian = Guardian::start(&journal, myself("as_guardian")).unwrap();
    assert!(guardian.is_alive());
    guardian.goodbye();
    assert!(private.exists());
    journal.undo(id).unwrap();
    assert!(!private.exists());
}

#[test]
fn a_run_that_goes_on_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("run");
    fs::create_dir(&run).unwrap();
    let journal = Journal::create(&run, "goes-on").unwrap();
    let (id, private) = journal.private_folder().unwrap();
    let (stop, tree, mut launched) = start(&journal, "alive", &private);
    wait_until("the tree has grown", || tree.members().len() >= 4);
    let members = tree.members();

    let busy = Recovery::Busy { run: "goes-on".into(), harness: Identity::own() };
    assert_eq!(recover(journal.path()).unwrap(), busy);
    let about_us = |left: &Left| left.what.contains("goes-on") || left.what.contains("alive");
    assert!(!residue(home.path()).iter().any(about_us));
    let mut after = tree.members();
    after.retain(|member| members.contains(member));
    assert_eq!(after.len(), members.len());

    journal.undo(stop).unwrap();
    launched.wait().unwrap();
    journal.undo(id).unwrap();
    assert!(tree.is_empty() && journal.pending().is_empty());
}

#[test]
fn what_a_dead_harness_left_is_listed_and_its_command_removes_it() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("run");
    fs::create_dir(&run).unwrap();
    let mut child = harness(&run, false, false);
    wait_until("some work was done", || fs::read_to_string(run.join("turn")).is_ok_and(|turn| turn.len() == 1));
    let pid = child.id();
    child.kill().unwrap();
    child.wait().unwrap();
    let left = residue(home.path());
    let ours: Vec<&Left> = left
        .iter()
        .filter(|left| left.command.contains(&format!("-{pid}.")) || left.command.starts_with("kill -KILL"))
        .collect();
    assert!(ours.len() >= 2, "a folder and a tree at least: {left:?}");
    for left in &ours {
        Command::new("sh").args(["-c", &left.command]).status().unwrap();
    }
    wait_until("nothing is left", || processes_of(&run).is_empty() && cgroups_of(pid).is_empty());
    assert!(!Path::new(&fs::read_to_string(run.join("private")).unwrap()).exists());
    assert!(!residue(home.path()).iter().any(|left| left.command.contains(&format!("-{pid}."))));
}

#[test]
fn a_network_is_found_by_its_mark_and_removed_with_all_that_is_in_it() {
    if !host::may_make_networks() || host::find_tool("nft").is_err() {
        assert!(std::env::var_os("CI").is_none(), "networks need root, iproute2 and nftables");
        #[allow(clippy::print_stderr)]
        {
            eprintln!("SKIPPED: networks need root, iproute2 and nftables");
        }
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let journal = Journal::create(home.path(), "network").unwrap();
    let namespace = Namespace::of(&journal.marker("node"));
    let removal = Action::RemoveNamespace { name: "node".into(), namespace: namespace.clone() };
    let network = journal.plan(removal.clone()).unwrap();
    assert!(!removal.remains(false));
    namespace.create().unwrap();
    let device = format!("pd-{}", std::process::id());
    host::tool("ip", &["link", "add", &device, "type", "veth", "peer", "name", "eth0", "netns", namespace.name()], "")
        .unwrap();
    let rules = Action::RemoveRules { name: "cut".into(), namespace: namespace.clone(), table: "cut".into() };
    let rules_id = journal.plan(rules.clone()).unwrap();
    let shape = Action::RemoveShape { name: "slow".into(), namespace: namespace.clone(), device: "eth0".into() };
    let shape_id = journal.plan(shape.clone()).unwrap();
    // Not done yet, and undone all the same.
    journal.undo(rules_id).unwrap();
    rules.perform(false, None).unwrap();
    namespace.tool("nft", &["add", "table", "inet", "cut"], "").unwrap();
    namespace
        .tool(
            "tc",
            &["qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "8mbit", "burst", "32k", "latency", "1s"],
            "",
        )
        .unwrap();
    assert!(rules.remains(false) && shape.remains(false) && !rules.remains(true));
    for _ in 0..2 {
        rules.perform(false, None).unwrap();
        shape.perform(false, None).unwrap();
    }
    journal.undo(shape_id).unwrap();
    assert!(!rules.remains(false) && !shape.remains(false));

    // One of the run's, and one of somebody else's, who goes on.
    let mark = journal.marker("node").to_string();
    let start = || Command::new("sleep").arg("600").env("PEAKDRILL_RUN", &mark).spawn();
    let mut ours = namespace.enter(start).unwrap().unwrap();
    let mut foreign = namespace.enter(|| Command::new("sleep").arg("600").spawn()).unwrap().unwrap();
    assert_eq!(namespace.members().len(), 2);
    assert!(removal.remains(false) && !removal.remains(true));
    journal.undo(network).unwrap();
    assert!(!removal.remains(false) && !Path::new("/sys/class/net").join(&device).exists());
    assert!(!ours.wait().unwrap().success());
    assert!(foreign.try_wait().unwrap().is_none());
    foreign.kill().unwrap();
    foreign.wait().unwrap();
}
