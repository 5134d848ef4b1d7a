//! Faults of the kernel on processes, in whole drills: out of memory, a slow disk, a clock that is off.

mod common;

use std::path::Path;

use common::{Yard, events, eventually, summary};
use serde_json::Value;

fn drill(processes: &str, faults: &str, rest: &str) -> String {
    format!(
        r#"peakdrill: 1
name: harmed
platform:
  allow: [127.0.0.0/8]
  processes:
    shop:
      run: [peakdrill, shop, all, --listen, "{{{{ address }}}}", --data, "{{{{ folder }}}}"]
      ready: {{ get: /healthz }}
{processes}
  endpoints: {{ shop: "http://{{{{ process.shop.address }}}}" }}
journeys: {{ look: [ {{ get: /products, name: look }} ] }}
load: {{ all: {{ mix: {{ look: 1 }}, arrivals: [ {{ hold: {{ rate: 20/s, for: 8s }} }} ] }} }}
# Other tests run meanwhile.
limits: {{ lag: 2s }}
faults:
{faults}
{rest}
"#
    )
}

const UP: &str = "targets: { up: { measure: availability, at-least: 10% } }";

/// A server that only listens, with a tree of two processes below it.
const TREE: &str = r#"    tree:
      run: [sh, -c, "sleep 600 & exec python3 -c 'import socket,sys; s=socket.create_server((sys.argv[1].split(chr(58))[0],int(sys.argv[1].split(chr(58))[1])));\nwhile True: s.accept()[0].close()' {{ address }}"]
      grace: 1s"#;

/// What was seen of each fault, by its number and the instant.
fn seen(run: &Path, fault: u64, moment: &str) -> Value {
    let all = events(run);
    let of = |entry: &&Value| entry["fault"] == fault && entry["what"]["moment"] == moment;
    let found = all.iter().find(of).unwrap_or_else(|| panic!("no {moment} of fault {fault}: {all:#?}"));
    let what = &found["what"];
    if what["proof"].is_null() { what["why"].clone() } else { what["proof"].clone() }
}

/// The folder of a cgroup hierarchy of version 1 that the tests are in.
fn cgroup_v1(controller: &str) -> Option<std::path::PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let row = mounts.lines().find(|row| row.contains(" - cgroup ") && row.split(',').any(|one| one == controller))?;
    let mount = std::path::PathBuf::from(row.split(' ').nth(4)?);
    let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own.lines().find_map(|line| line.split_once(&format!(":{controller}:")))?.1.to_owned();
    let own = mount.join(own.trim_start_matches('/'));
    own.is_dir().then_some(own)
}

/// Folders of ours that are there now in that hierarchy.
fn folders(of: Option<&Path>) -> Vec<String> {
    let entries = of.and_then(|path| std::fs::read_dir(path).ok()).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("peakdrill-") && name.contains("-harmed-")).collect()
}

#[test]
fn the_kernel_ends_a_whole_tree_for_want_of_memory_and_it_is_started_again() {
    let yard = Yard::new();
    let faults = "  starved: { at: 1s, for: 2s, out-of-memory: { process: [shop, tree] } }";
    yard.file("drill.yaml", &drill(TREE, faults, UP));
    yard.run(&["run", "drill.yaml"]).expect(0);
    let run = yard.last_run();
    let effective = seen(&run, 0, "effective");
    for (index, members) in [(0, 1), (1, 2)] {
        let proof = &effective[index];
        assert_eq!(
            (proof["seen"].as_str(), proof["members"].as_u64()),
            (Some("out-of-memory"), Some(members)),
            "{proof}"
        );
        let by = proof["by"].as_str().expect("the limit's name");
        if cgroup_v1("memory").is_some() {
            assert_eq!(by, "memory.limit_in_bytes");
            assert!(proof["kills"].as_u64() >= Some(members), "{proof}");
        }
    }
    assert_eq!(seen(&run, 0, "healed")[1]["seen"], "ready");
    assert!(!events(&run).iter().any(|entry| entry["event"] == "died"), "an ordered end is no death");
    assert!(yard.process("agent").is_none());
    assert_eq!(folders(cgroup_v1("memory").as_deref()), Vec::<String>::new());
}

#[test]
fn a_slow_disk_is_measured_before_and_after() {
    let Some(own) = cgroup_v1("blkio") else { return };
    let yard = Yard::new();
    let faults = "  slow: { at: 1s, for: 5s, slow-disk: { process: shop, write: 1MiB/s, read: 2MiB/s } }";
    yard.file("drill.yaml", &drill("", faults, UP));
    let mut running = yard.start(&["run", "drill.yaml"]);
    let there = running.until(|| folders(Some(&own)).iter().any(|name| name.ends_with("-shop")));
    let ended = running.wait();
    let run = yard.last_run();
    let on_disk = std::fs::metadata(yard.path()).is_ok_and(|meta| {
        use std::os::unix::fs::MetadataExt;
        let device = meta.dev();
        let (major, minor) = ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00));
        Path::new(&format!("/sys/dev/block/{major}:{minor}")).exists()
    });
    if on_disk {
        assert_eq!(ended.code, Some(0), "{}", ended.all());
        assert!(there);
        let proof = &seen(&run, 0, "effective")[0];
        let figure = |name: &str| proof[name].as_u64().unwrap_or_else(|| panic!("{proof}"));
        assert!(figure("write") <= 3 << 19 && figure("before") > figure("write"), "{proof}");
        assert!(figure("read") <= 3 << 20, "{proof}");
        assert_eq!(seen(&run, 0, "healed")[0]["seen"], "fast-disk");
    } else {
        assert!(seen(&run, 0, "not-effective").to_string().contains("no block device"));
    }
    assert_eq!(folders(Some(&own)), Vec::<String>::new());
}

#[test]
fn a_limit_above_what_the_disk_can_is_no_slow_disk() {
    if cgroup_v1("blkio").is_none() {
        return;
    }
    let yard = Yard::new();
    let faults = "  slow: { at: 2s, for: 3s, slow-disk: { process: shop, write: 900GiB/s } }";
    let rest = "steady-state: { serving: { hold: 1s, must: [ { measure: availability, at-least: 50%, over: 1s } ] } }
targets: { rto: { measure: recovery-time, fault: slow, to: serving, at-most: 500ms } }";
    yard.file("drill.yaml", &drill("", faults, rest));
    yard.run(&["run", "drill.yaml"]).expect(3);
    let run = yard.last_run();
    assert_eq!(summary(&run)["faults"][0]["effective"], Value::Null);
    seen(&run, 0, "not-effective");
    assert_eq!(folders(cgroup_v1("blkio").as_deref()), Vec::<String>::new());
}

fn shares() -> Vec<String> {
    let entries = std::fs::read_dir("/dev/shm").into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.contains("faketime") || name.contains("peakdrill-clock-")).collect()
}

#[test]
fn a_clock_that_is_off_is_told_by_the_shop_itself_and_right_again_after_a_kill() {
    let there = Path::new("/usr/bin/faketime").exists();
    assert!(there || std::env::var_os("CI").is_none(), "in CI clocks can be skewed: apt install faketime");
    if !there {
        use std::io::Write;
        let _ =
            writeln!(std::io::stderr(), "\n!! NOT TRIED: clocks that are off, since there is no libfaketime here\n");
        return;
    }
    let yard = Yard::new();
    let before = shares();
    let new = || shares().into_iter().filter(|name| !before.contains(name)).collect::<Vec<_>>();
    let faults = "  off: { at: 1s, for: 2s, skew-clock: { process: shop, by: 1h } }";
    let text =
        drill("", faults, UP).replace("ready: { get: /healthz }", "ready: { get: /healthz }\n      clock: skewable");
    yard.file("drill.yaml", &text);
    yard.run(&["run", "drill.yaml"]).expect(0);
    let run = yard.last_run();
    let proof = &seen(&run, 0, "effective")[0];
    assert_eq!((proof["seconds"].as_i64(), proof["dated"].as_bool()), (Some(3600), Some(true)), "{proof}");
    assert_eq!(seen(&run, 0, "healed")[0]["seen"], "clock-right");
    eventually("nothing shared", || new().is_empty());

    let mut drill = yard.start(&["run", "drill.yaml"]);
    let effective = |run: &std::path::PathBuf| events(run).iter().any(|entry| entry["what"]["moment"] == "effective");
    let bitten = || yard.runs().get(1).is_some_and(effective);
    assert!(drill.until(bitten), "{}", drill.text("err"));
    drill.signal("KILL");
    assert_eq!(drill.wait().signal, Some(9));
    yard.run(&["recover"]).expect(0);
    assert_eq!(new(), Vec::<String>::new());
}
