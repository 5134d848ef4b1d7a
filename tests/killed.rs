//! The harness is killed with SIGKILL at any moment of a drill: `recover` leaves nothing, and the record can be read.

mod common;

use std::time::Duration;

use common::{Running, Yard, deal, events, eventually, wait};

const SEED: u64 = 20_080_512;
const KILLS: u64 = 20;
/// From the start of the program to after the drill's last fault.
const SPAN_MS: u64 = 6_000;

const DRILL: &str = r#"peakdrill: 1
name: NAME
platform:
  allow: [127.0.0.0/8]
  processes:
    store: { run: [peakdrill, shop, store, --listen, "{{ address }}", --data, "{{ folder }}"], ready: { get: /healthz } }
    node:
      count: 2
      run: [peakdrill, shop, node, --listen, "{{ address }}", --store, "{{ link.way.address }}"]
      ready: { get: /healthz }
    gateway: { run: [peakdrill, shop, gateway, --listen, "{{ address }}", --nodes, "{{ process.node.addresses }}"], ready: { get: /healthz }SKEWABLE }
  links: { way: { to: "{{ process.store.address }}", protocol: http } }
  endpoints: { shop: "http://{{ process.gateway.address }}" }
  watch: { node: { process: node } }
journeys:
  look:
    - get: /products
      name: list products
load:
  shoppers: { mix: { look: 1 }, arrivals: [ { hold: { rate: 30/s, for: 6s } } ] }
faults:
  lost: { at: 1s, for: 2s, kill: { process: node_1 } }
  frozen: { at: 2s, for: 2s, pause: { process: store } }
  slow: { at: 1500ms, for: 2s, delay: { link: way, latency: 20ms }, share: 50% }
  full: { at: 1200ms, for: 2s, fill-memory: { size: 16MiB } }
  packed: { at: 1300ms, for: 2s, fill-disk: { process: store, size: 4MiB } }
  no-files: { at: 1s, for: 1500ms, exhaust-files: { process: node_2 } }
  starved: { at: 3500ms, for: 1s, out-of-memory: { process: node_2 } }
  crawls: { at: 3500ms, for: 1500ms, slow-start: { process: node_1, by: 300ms } }
  anew: { at: 4500ms, for: 1s, restart: { process: store } }
  sluggish: { at: 1100ms, for: 3s, slow-disk: { process: gateway, write: 4MiB/s } }
CLOCK
  own: { at: 1800ms, for: 2s, run: { do: [touch, made], undo: [rm, -f, made], check: [test, -e, made] } }
limits: { lag: 500ms }
targets:
  up: { measure: availability, at-least: 1% }
"#;

/// The finalizer of SplitMix64: moments that look random, and are the same in every run.
fn moment(k: u64) -> Duration {
    let mut z = SEED.wrapping_add((k + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    Duration::from_millis((z ^ (z >> 31)) % SPAN_MS)
}

fn kill_once(k: u64) -> Result<bool, String> {
    let at = moment(k);
    let yard = Yard::new();
    let name = format!("fragile-{k:02}");
    // Where there is no library that tells another time, all else is tried.
    let (skewable, clock) = match std::path::Path::new("/usr/bin/faketime").exists() {
        true => (", clock: skewable", "  off: { at: 1400ms, for: 3s, skew-clock: { process: gateway, by: 1h } }"),
        false => ("", ""),
    };
    let text = DRILL.replace("NAME", &name).replace("SKEWABLE", skewable).replace("CLOCK", clock);
    yard.file("fragile.yaml", &text);
    let (before, _) = yard.judge(&["snapshot", "--name", &name]);
    let before = yard.file("before.json", &before);
    let before = before.to_str().expect("a plain path");
    let drill = yard.start(&["run", "fragile.yaml"]);
    wait(at);
    drill.signal("KILL");
    let ended = drill.wait();
    let ours = |what: &str, text: &str| format!("seed {SEED}, kill {k} at {at:?}: {what}: {text}");
    if ended.signal != Some(9) {
        return Err(ours("it ended before it was killed", &ended.all()));
    }
    let recovered = yard.run(&["recover"]);
    if recovered.code != Some(0) {
        return Err(ours("recover", &format!("{recovered:#?}")));
    }
    let (left, clean) = yard.judge(&[
        "compare",
        before,
        "--name",
        &name,
        "--within",
        "3",
        "--allow",
        "*/reports",
        "--allow",
        "*/reports/*",
        "--allow",
        "*/before.json",
    ]);
    if !clean {
        return Err(ours("left behind", &left));
    }
    let listed = yard.run(&["runs", "list"]);
    if listed.code != Some(0) {
        return Err(ours("runs list", &format!("{listed:#?}")));
    }
    let runs = yard.runs();
    for run in &runs {
        events(run);
        let report = yard.run(&["report", run.to_str().expect("a plain path")]);
        // A run that was cut off proves nothing, whatever it had measured: never 0.
        if !matches!(report.code, Some(1 | 3 | 4)) {
            return Err(ours("report", &format!("{report:#?}")));
        }
    }
    Ok(!runs.is_empty())
}

#[test]
fn nothing_is_left_and_every_record_is_readable() {
    let results = deal(KILLS, 3, kill_once);
    let wrong: Vec<&String> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(results.len() as u64, KILLS);
    let with_record = results.iter().filter(|result| matches!(result, Ok(true))).count();
    assert!(with_record >= 12, "only {with_record} of {KILLS} kills came after the record was begun");
}

#[test]
fn a_killed_try_leaves_no_folder() {
    let yard = Yard::new();
    // It takes connections and never answers.
    let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = server.local_addr().expect("its address");
    yard.file(
        "try.yaml",
        &format!(
            r#"peakdrill: 1
name: fragile-try
platform:
  allow: [127.0.0.0/8]
  endpoints: {{ silent: "http://{address}" }}
journeys:
  look: [ {{ get: /, name: home }} ]
load:
  shoppers: {{ mix: {{ look: 1 }}, arrivals: [ {{ hold: {{ rate: 1/s, for: 1s }} }} ] }}
"#
        ),
    );
    let foreign = yard.file("tmp/peakdrill-try-foreign", "keep me");
    std::fs::create_dir(yard.path().join("tmp/peakdrill-try-1.2")).expect("a folder of somebody");
    std::fs::write(yard.path().join("tmp/peakdrill-try-1.2/precious"), "keep me").expect("a file of somebody");
    let left = || {
        let tmp = std::fs::read_dir(yard.path().join("tmp")).expect("the yard's place for temporary things");
        let names = tmp.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        names.filter(|name| !name.ends_with("foreign") && name != "peakdrill-try-1.2").collect::<Vec<_>>()
    };
    // A relative place for temporary things: the guardian works elsewhere.
    let mut command = yard.command(["try", "try.yaml"]);
    command.env("TMPDIR", "tmp");
    let mut tried = Running::new(command);
    server.set_nonblocking(true).expect("a listener that does not wait");
    let mut asked = None;
    let came = tried.until(|| {
        asked = asked.take().or_else(|| server.accept().ok());
        asked.is_some()
    });
    assert!(came, "{}{}", tried.text("out"), tried.text("err"));
    assert!(!left().is_empty(), "it works in a folder of its own");
    tried.signal("KILL");
    assert_eq!(tried.wait().signal, Some(9));
    eventually("the guardian's work", || left().is_empty());
    assert_eq!(std::fs::read_to_string(foreign).expect("it stays"), "keep me");
    yard.run(&["recover"]).expect(0);
    assert!(yard.path().join("tmp/peakdrill-try-1.2/precious").exists());
}

#[test]
fn ctrl_c_drops_what_a_try_waits_for() {
    let yard = Yard::new();
    let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = server.local_addr().expect("its address");
    yard.file(
        "try.yaml",
        &format!(
            r#"peakdrill: 1
name: dropped-try
platform:
  allow: [127.0.0.0/8]
  endpoints: {{ silent: "http://{address}" }}
journeys:
  look: [ {{ get: /, name: home, timeout: 10m }} ]
load:
  shoppers: {{ mix: {{ look: 1 }}, arrivals: [ {{ hold: {{ rate: 1/s, for: 1s }} }} ] }}
"#
        ),
    );
    let mut tried = yard.start(&["try", "try.yaml"]);
    server.set_nonblocking(true).expect("a listener that does not wait");
    let mut asked = None;
    let came = tried.until(|| {
        asked = asked.take().or_else(|| server.accept().ok());
        asked.is_some()
    });
    assert!(came, "{}{}", tried.text("out"), tried.text("err"));
    tried.signal("INT");
    tried.wait().expect(4);
    assert_eq!(std::fs::read_dir(yard.path().join("tmp")).expect("a folder").count(), 0);
}

#[test]
fn secrets_that_a_process_printed_stay_in_no_file_after_a_kill() {
    for guarded in [true, false] {
        let yard = Yard::new();
        yard.file(
            "print.yaml",
            r#"peakdrill: 1
name: printing
platform:
  allow: [127.0.0.0/8]
  processes:
    shop:
      run: [sh, print.sh, "{{ address }}", "{{ folder }}"]
      env: { KEY: "{{ secret.YARD_KEY }}" }
      ready: { get: /healthz }
  endpoints: { shop: "http://{{ process.shop.address }}" }
journeys:
  look: [ { get: /products, name: list products } ]
load:
  shoppers: { mix: { look: 1 }, arrivals: [ { hold: { rate: 1/s, for: 60s } } ] }
targets:
  up: { measure: availability, at-least: 1% }
"#,
        );
        yard.file("print.sh", "echo \"the key is $KEY\"; exec bin/peakdrill shop all --listen \"$1\" --data \"$2\"\n");
        let mut command = yard.command(["run", "print.yaml"]);
        command.env("YARD_KEY", "hunter2hunter2");
        let mut drill = Running::new(command);
        let output = || yard.runs().last().map(|run| run.join("output/shop.log"));
        let printed = || output().map(|path| std::fs::read_to_string(path).unwrap_or_default()).unwrap_or_default();
        let came = drill.until(|| {
            yard.runs().last().is_some_and(|run| events(run).iter().any(|entry| entry["event"] == "load-began"))
        });
        assert!(came && printed().contains("the key is"), "{}", drill.text("err"));
        if guarded {
            drill.signal("KILL");
        } else {
            let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", drill.pid())).expect("/proc");
            let guardian = children.split(' ').find(|pid| {
                let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                words.split(|byte| *byte == 0).any(|word| word == b"guardian")
            });
            let guardian = guardian.expect("the guardian is the harness's child");
            let both = [guardian.to_owned(), drill.pid().to_string()];
            let killed = std::process::Command::new("kill").arg("-KILL").args(both).status();
            assert!(killed.expect("kill runs").success());
        }
        assert_eq!(drill.wait().signal, Some(9));
        if guarded {
            eventually("the guardian's masking", || !printed().contains("hunter2"));
        }
        yard.run(&["recover"]).expect(0);
        let left = printed();
        assert!(!left.contains("hunter2"), "{left}");
        assert_eq!(guarded, left.starts_with("the key is •••"), "who knows the secret keeps the rest: {left}");
    }
}
