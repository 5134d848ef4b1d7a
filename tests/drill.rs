//! Whole drills on real processes: how they end, and what they say of it.

mod common;

use std::time::Duration;

use common::{Yard, events, summary};

/// A shop in one process and a few seconds of shoppers; `{rest}` is what a test adds.
fn short(rest: &str) -> String {
    format!(
        r#"peakdrill: 1
name: short
seed: 7
platform:
  allow: [127.0.0.0/8]
  processes:
    shop:
      run: [peakdrill, shop, all, --listen, "{{{{ address }}}}", --data, "{{{{ folder }}}}"]
      ready: {{ get: /healthz }}
  endpoints: {{ shop: "http://{{{{ process.shop.address }}}}" }}
journeys:
  look:
    - get: /products
      name: list products
# Other tests run meanwhile: how punctual the arrivals are is not what is tried here.
limits: {{ lag: 500ms }}
{rest}"#
    )
}

const SHOPPERS: &str = "load:
  shoppers:
    mix: { look: 1 }
    arrivals: [ { hold: { rate: 60/s, for: 3s, phase: all } } ]
";

fn with_targets(targets: &str) -> String {
    short(&format!("{SHOPPERS}targets:\n{targets}"))
}

#[test]
fn targets_that_hold_pass() {
    let yard = Yard::new();
    yard.file(
        "good.yaml",
        &with_targets("  fast: { measure: p95, at-most: 2s }\n  up: { measure: availability, at-least: 90% }\n"),
    );
    let ended = yard.run(&["run", "good.yaml"]).expect(0);
    let all = ended.all();
    assert!(all.contains("fast") && all.contains("up"), "a row for each target: {all}");
    let summary = summary(&yard.last_run());
    assert_eq!(summary["verdict"], "pass", "{summary:#}");
    let targets = summary["targets"].as_array().expect("a list of targets");
    assert_eq!(targets.len(), 2);
    assert!(targets.iter().all(|target| target["verdict"] == "pass"), "{targets:#?}");
    let generator = &summary["generator"];
    for figure in ["lag_p99", "cpu", "connections", "ports", "files", "files_limit", "memory"] {
        assert!(generator[figure].as_f64().is_some_and(|value| value > 0.0), "{figure}: {generator:#}");
    }
    assert!(all.contains("local ports to an address") && all.contains("open files"), "said aloud: {all}");
}

#[test]
fn a_target_that_cannot_hold_fails() {
    let yard = Yard::new();
    yard.file(
        "bad.yaml",
        &with_targets("  fast: { measure: p95, at-most: 1us }\n  up: { measure: availability, at-least: 90% }\n"),
    );
    yard.run(&["run", "bad.yaml"]).expect(1);
    let summary = summary(&yard.last_run());
    assert_eq!(summary["verdict"], "fail", "{summary:#}");
}

#[test]
fn a_broken_scenario_and_a_broken_command_line_are_refused() {
    let yard = Yard::new();
    yard.file("broken.yaml", &with_targets("  fast: { measure: p95, at-mots: 2s }\n"));
    let ended = yard.run(&["run", "broken.yaml"]).expect(2);
    assert!(ended.err.contains("broken.yaml:") && ended.err.contains("at-most"), "{}", ended.err);
    assert!(yard.runs().is_empty(), "nothing ran");
    yard.run(&["run", "missing.yaml"]).expect(2);
    yard.run(&["run", "--frobnicate", "broken.yaml"]).expect(2);
    yard.run(&["run", "broken.yaml", "--profile", "nosuch"]).expect(2);
}

#[test]
fn without_traffic_nothing_passes() {
    let yard = Yard::new();
    // Every visit comes, and none of them asks for anything.
    let quiet = r#"    - if: "{{ feed.n > 5 }}"
      then: [ { get: /, name: home } ]
"#;
    let text = with_targets("  up: { measure: availability, at-least: 50% }\n")
        .replace("    - get: /products\n      name: list products\n", quiet)
        .replace("journeys:\n", "feeds: { n: { range: 1..2, pick: random } }\njourneys:\n");
    yard.file("quiet.yaml", &text);
    yard.run(&["run", "quiet.yaml"]).expect(3);
    let summary = summary(&yard.last_run());
    assert_eq!(summary["verdict"], "inconclusive", "{summary:#}");
}

#[test]
fn a_fault_that_finds_nothing_to_bite_is_inconclusive() {
    let yard = Yard::new();
    // The victim ends by itself before its time comes.
    let text = short(&format!(
        "{SHOPPERS}faults:
  late: {{ at: 2s, for: 500ms, pause: {{ process: victim }} }}
targets:
  up: {{ measure: availability, at-least: 50% }}
  found: {{ measure: detection-time, fault: late, at-most: 5s }}
"
    ))
    .replace("  endpoints:", "    victim: { attach: { pid-file: victim.pid } }\n  watch: { health: { endpoint: shop, get: /healthz, every: 200ms } }\n  endpoints:");
    yard.file("late.yaml", &text);
    let mut victim = std::process::Command::new("sleep").arg("600").spawn().expect("sleep runs");
    yard.file("victim.pid", &format!("{}\n", victim.id()));
    let mut drill = yard.start(&["run", "late.yaml"]);
    let began = drill.until(|| yard.runs().last().is_some_and(|run| said(run, "load-began")));
    victim.kill().expect("the victim is ours");
    victim.wait().expect("its end");
    assert!(began, "the load never began: {}", drill.text("err"));
    drill.wait().expect(3);
    let run = yard.last_run();
    let not = events(&run).iter().any(|entry| entry["event"] == "fault" && entry["what"]["moment"] == "not-effective");
    assert!(not, "the record says that it did not bite");
    assert_eq!(summary(&run)["verdict"], "inconclusive");
}

fn said(run: &std::path::Path, event: &str) -> bool {
    events(run).iter().any(|entry| entry["event"] == event)
}

#[test]
fn a_killed_shop_is_missed_seen_and_back() {
    let yard = Yard::new();
    let text = short(
        "load:
  shoppers:
    mix: { look: 1 }
    arrivals:
      - hold: { rate: 50/s, for: 4s, phase: before }
      - hold: { for: 10s, phase: after }
faults:
  lost: { at: 4s, for: 2s, kill: { process: shop } }
steady-state:
  serving: { hold: 2s, must: [ { measure: availability, at-least: 95%, over: 2s } ] }
targets:
  calm: { measure: availability, phase: before, at-least: 99% }
  back: { measure: recovery-time, fault: lost, to: serving, at-most: 6s }
  seen: { measure: detection-time, fault: lost, at-most: 2s }
  down: { measure: downtime, at-least: 1s, at-most: 6s }
",
    )
    .replace("  endpoints:", "  watch: { health: { endpoint: shop, get: /healthz, every: 200ms } }\n  endpoints:");
    yard.file("lost.yaml", &text);
    yard.run(&["run", "lost.yaml"]).expect(0);
    let run = yard.last_run();
    let moments: Vec<String> = events(&run)
        .iter()
        .filter(|entry| entry["event"] == "fault")
        .map(|entry| entry["what"]["moment"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(moments, ["ordered", "effective", "heal-ordered", "healed"]);
    let summary = summary(&run);
    assert_eq!(summary["verdict"], "pass", "{summary:#}");
}

#[test]
fn an_abort_condition_stops_the_drill() {
    let yard = Yard::new();
    let text = short(
        "load:
  shoppers: { mix: { look: 1 }, arrivals: [ { hold: { rate: 60/s, for: 60s } } ] }
abort:
  hopeless: { measure: availability, below: 50%, over: 2s }
targets:
  up: { measure: availability, at-least: 50% }
",
    )
    .replace("get: /products", "get: /no/such/page");
    yard.file("hopeless.yaml", &text);
    let ended = yard.run(&["run", "hopeless.yaml"]).expect(4);
    assert!(ended.took < Duration::from_secs(30), "it stopped long before its end: {:?}", ended.took);
    assert!(said(&yard.last_run(), "aborting"));
}

#[test]
fn ctrl_c_stops_undoes_and_reports() {
    let yard = Yard::new();
    let text = short(
        "load:
  shoppers: { mix: { look: 1 }, arrivals: [ { hold: { rate: 60/s, for: 60s } } ] }
faults:
  frozen: { at: 1s, for: 50s, pause: { process: shop } }
targets:
  up: { measure: availability, at-least: 50% }
",
    );
    yard.file("long.yaml", &text);
    let mut drill = yard.start(&["run", "long.yaml"]);
    let bitten = |entry: &serde_json::Value| entry["event"] == "fault" && entry["what"]["moment"] == "effective";
    assert!(
        drill.until(|| yard.runs().last().is_some_and(|run| events(run).iter().any(bitten))),
        "{}",
        drill.text("err")
    );
    drill.signal("INT");
    drill.wait().expect(4);
    let run = yard.last_run();
    assert!(said(&run, "signalled") && said(&run, "ended"));
    assert!(run.join("report.html").is_file(), "the report of what was is written");
}

#[test]
fn what_cannot_be_undone_is_said_with_the_command_that_does_it() {
    let yard = Yard::new();
    // A mount below a folder that is to be removed: neither the harness nor its guardian may touch a foreign mount.
    yard.file("mounts.sh", "mkdir \"$1/held\" && mount -t tmpfs none \"$1/held\" && shift && exec \"$@\"\n");
    let text = with_targets("  up: { measure: availability, at-least: 50% }\n")
        .replace("run: [peakdrill, shop", "run: [sh, mounts.sh, \"{{ folder }}\", bin/peakdrill, shop");
    yard.file("mounts.yaml", &text);
    let ended = yard.run(&["run", "mounts.yaml"]).expect(5);
    let message = ended.err.lines().find(|line| line.contains("by hand: ")).unwrap_or_else(|| panic!("{}", ended.err));
    let command = message.split_once("by hand: ").expect("a command").1;
    yard.run(&["residue"]).expect(5);
    let status = std::process::Command::new("sh").args(["-c", command]).status().expect("a shell");
    assert!(status.success(), "{command}");
    yard.run(&["residue"]).expect(0);
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("the mounts");
    assert!(!mounts.contains(&yard.mark), "{mounts}");
}

/// A server that answers as fast as threads can.
fn fast_server() -> std::net::SocketAddr {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).is_ok_and(|n| n > 0) {
                    if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

#[test]
fn more_than_this_machine_can_send_never_passes() {
    let yard = Yard::new();
    yard.file(
        "flood.yaml",
        &format!(
            r#"peakdrill: 1
name: flood
platform:
  allow: [127.0.0.0/8]
  endpoints: {{ fast: {{ url: "http://{}", connections: {{ max: 64 }} }} }}
journeys:
  hit: [ {{ get: /, name: hit }} ]
load:
  flood: {{ mix: {{ hit: 1 }}, arrivals: [ {{ hold: {{ rate: 600000/s, for: 3s }} }} ] }}
limits: {{ drain: 5s }}
targets:
  fast: {{ measure: p99, at-most: 10s }}
  up: {{ measure: availability, at-least: 1% }}
"#,
            fast_server()
        ),
    );
    let mut drill = yard.start(&["run", "flood.yaml"]);
    let mut peak = 0;
    let status = format!("/proc/{}/status", drill.pid());
    drill.until(|| {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let row = text.lines().find(|line| line.starts_with("VmHWM:")).and_then(|line| line.split_whitespace().nth(1));
        peak = peak.max(row.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0));
        false
    });
    let ended = drill.wait().expect(3);
    assert!((1..1024 * 1024).contains(&peak), "{peak} KiB resident");
    assert!(ended.took < Duration::from_secs(30), "{:?}", ended.took);
    let first = ended.out.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    assert!(first.to_lowercase().contains("inconclusive"), "{first}");
    let summary = summary(&yard.last_run());
    assert_eq!(summary["verdict"], "inconclusive", "{summary:#}");
}
