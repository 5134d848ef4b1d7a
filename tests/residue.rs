//! What a drill leaves on the machine, judged by a script that shares no code with the harness; and that it leaves
//! other people's things alone, however much they look like its own.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::strangers::{Strangers, hierarchies};
use common::{Yard, events};

const DRILL: &str = r#"peakdrill: 1
name: tidy
platform:
  allow: [127.0.0.0/8]
  processes:
    store: { run: [peakdrill, shop, store, --listen, "{{ address }}", --data, "{{ folder }}"], ready: { get: /healthz } }
    node:
      count: 2
      run: [peakdrill, shop, node, --listen, "{{ address }}", --store, "{{ process.store.address }}"]
      ready: { get: /healthz }
    gateway: { run: [peakdrill, shop, gateway, --listen, "{{ address }}", --nodes, "{{ process.node.addresses }}"], ready: { get: /healthz } }
    # A tree: a shell with a child that has a child, none of which listens to TERM.
    tree: { run: [sh, tree.sh, "{{ address }}"], grace: 1s }
  endpoints: { shop: "http://{{ process.gateway.address }}" }
  watch: { node: { process: node } }
journeys:
  look:
    - get: /products
      name: list products
load:
  shoppers: { mix: { look: 1 }, arrivals: [ { hold: { rate: 30/s, for: LENGTH } } ] }
faults:
  lost: { at: 1s, for: 1s, kill: { process: node_1 } }
  frozen: { at: 1s, for: 1s, pause: { process: tree } }
limits: { lag: 500ms }
targets:
  up: { measure: availability, at-least: 1% }
"#;

const TREE: &str = r#"trap '' TERM
(trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & while :; do sleep 1; done) &
exec python3 -c '
import signal, socket, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
host, port = sys.argv[1].rsplit(":", 1)
server = socket.create_server((host, int(port)))
while True: server.accept()[0].close()
' "$1"
"#;

/// `recover` and `residue` look at the whole machine: one scene at a time.
static STAGE: Mutex<()> = Mutex::new(());

struct Scene {
    _alone: MutexGuard<'static, ()>,
    yard: Yard,
    strangers: Strangers,
    before: String,
}

impl Scene {
    fn set(length: &str) -> Scene {
        let alone = STAGE.lock().unwrap_or_else(PoisonError::into_inner);
        let yard = Yard::new();
        yard.file("tidy.yaml", &DRILL.replace("LENGTH", length));
        yard.file("tree.sh", TREE);
        let strangers = Strangers::plant();
        let (before, _) = yard.judge(&["snapshot"]);
        let before = yard.file("before.json", &before).to_str().expect("a plain path").to_owned();
        Scene { _alone: alone, yard, strangers, before }
    }

    /// A drill under way, with both of its faults in force, and what the judge sees of it then.
    fn begin(&self) -> common::Running {
        let mut drill = self.yard.start(&["run", "tidy.yaml"]);
        let bitten = || {
            let run = self.yard.runs().pop();
            let moments = run.map(|run| events(&run)).unwrap_or_default();
            moments.iter().filter(|entry| entry["what"]["moment"] == "effective").count() == 2
        };
        assert!(drill.until(bitten), "{}", drill.text("err"));
        let (during, _) = self.yard.judge(&["snapshot"]);
        let seen: serde_json::Value = serde_json::from_str(&during).expect("JSON");
        let ours =
            |kind: &str| seen[kind].as_object().expect("a map").values().filter(|thing| thing["ours"] == true).count();
        // The harness, its guardian, five processes less the killed one, three of the tree: the judge is not blind.
        assert!(ours("process") >= 8, "{}", seen["process"]);
        assert!(ours("socket") >= 3, "{}", seen["socket"]);
        self.yard.file("during.json", &during);
        drill
    }

    fn assert_clean(&self) {
        let during = self.yard.path().join("during.json");
        let (left, clean) = self.yard.judge(&[
            "compare",
            &self.before,
            "--within",
            "3",
            "--during",
            during.to_str().expect("a plain path"),
            "--allow",
            "*/reports",
            "--allow",
            "*/reports/*",
            "--allow",
            "*/before.json",
            "--allow",
            "*/during.json",
        ]);
        assert!(clean, "left behind:\n{left}");
        assert_eq!(self.strangers.harm(), None, "a stranger was harmed");
    }
}

#[test]
fn a_finished_drill_leaves_its_report_and_nothing_else() {
    let scene = Scene::set("4s");
    scene.begin().wait().expect(0);
    scene.assert_clean();
    scene.yard.run(&["residue"]).expect(0);
}

#[test]
fn a_drill_told_to_stop_twice_leaves_nothing() {
    let scene = Scene::set("60s");
    let drill = scene.begin();
    drill.signal("INT");
    drill.signal("INT");
    drill.wait().expect(4);
    scene.assert_clean();
}

#[test]
fn a_drill_that_was_killed_leaves_nothing_once_it_is_recovered() {
    let scene = Scene::set("60s");
    let drill = scene.begin();
    drill.signal("KILL");
    assert_eq!(drill.wait().signal, Some(9));
    scene.yard.run(&["recover"]).expect(0);
    scene.assert_clean();
    scene.yard.run(&["residue"]).expect(0);
}

/// So that "nothing is left" means something: a thing of each kind, left on purpose, is seen.
#[test]
fn the_judge_sees_what_is_left() {
    let _alone = STAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let yard = Yard::new();
    let (before, _) = yard.judge(&["snapshot"]);
    let before = yard.file("before.json", &before).to_str().expect("a plain path").to_owned();
    let compare = || yard.judge(&["compare", &before, "--allow", "*/before.json"]);
    assert_eq!(compare(), (String::new(), true));

    let mut left = Command::new("sleep").arg("600").env("TEST_MARK", &yard.mark).spawn().expect("sleep runs");
    let shm = Path::new("/dev/shm").join(&yard.mark);
    fs::write(&shm, "left").expect("shared memory");
    yard.file("litter", "left");
    let cgroup2 = hierarchies().into_iter().find(|(_, second)| *second);
    let cgroup = cgroup2
        .map(|(root, _)| root.join(format!("peakdrill-left-{}", yard.mark)))
        .filter(|path| fs::create_dir(path).is_ok());
    let (seen, clean) = compare();
    let _ = left.kill();
    let _ = left.wait();
    fs::remove_file(&shm).expect("ours");
    if let Some(path) = &cgroup {
        fs::remove_dir(path).expect("ours");
    }
    assert!(!clean);
    for kind in ["process ", "shared memory /dev/shm/", "litter"] {
        assert!(seen.contains(kind), "{kind} is missing in:\n{seen}");
    }
    assert!(cgroup.is_none() || seen.contains("cgroup "), "{seen}");
}
