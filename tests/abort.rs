//! However a drill is stopped, every fault is healed within two seconds, whatever the fault was about to wait for.

mod common;

use std::path::Path;

use common::{Yard, events};
use serde_json::Value;

const DRILL: &str = r#"peakdrill: 1
name: stopped
platform:
  allow: [127.0.0.0/8]
  processes:
    shop: { run: [peakdrill, shop, all, --listen, "{{ address }}", --data, "{{ folder }}"], ready: { get: /healthz } }
    other:
      count: 5
      run: [peakdrill, shop, payment, --listen, "{{ address }}", --data, "{{ folder }}"]
      ready: { get: /healthz }
    # TERM ends none of them, so that they would have all of their grace.
    deaf:
      count: 2
      grace: 5s
      run: [sh, -c, "trap '' TERM; bin/peakdrill shop payment --listen $0 --data $1 & while :; do sleep 1; done", "{{ address }}", "{{ folder }}"]
      ready: { get: /healthz }
  links: { way: { to: "{{ process.shop.address }}", protocol: http } }
  endpoints: { shop: "http://{{ link.way.address }}" }
journeys: { look: [ { get: "PATH", name: look } ] }
load: { all: { mix: { look: 1 }, arrivals: [ { hold: { rate: 20/s, for: 100s } } ] } }
# Other tests run meanwhile.
limits: { lag: 5s }
faults:
  still: { at: 500ms, for: 60s, pause: { process: other_1 } }
  slow: { at: 500ms, for: 60s, delay: { link: way, latency: 100ms } }
  memory: { at: 500ms, for: 60s, fill-memory: { size: 16MiB } }
  files: { at: 500ms, for: 60s, exhaust-files: { process: other_2 } }
  crashes: { at: 500ms, for: 60s, crash-loop: { process: other_3, every: 200ms } }
  rolls: { at: 500ms, for: 60s, restart: { process: other_4 } }
  late: { at: 500ms, for: 60s, slow-start: { process: other_5, by: 50s } }
  own: { at: 500ms, for: 60s, run: { do: [touch, made], undo: [rm, -f, made], check: [test, -e, made] } }
  dying: { at: AT, for: 60s, terminate: { process: deaf_2 } }
  again: { at: AT, for: 60s, restart: { process: deaf_1 } }
ABORT
targets: { up: { measure: availability, at-least: 1% } }
"#;

/// Of the faults, in the order of the file.
const DYING: u64 = 8;
const AGAIN: u64 = 9;

/// The instant of the first entry that is so, in nanoseconds.
fn first(events: &[Value], wanted: impl Fn(&Value) -> bool) -> Option<u64> {
    events.iter().find(|entry| wanted(entry))?["at"].as_u64()
}

fn moment(events: &[Value], fault: u64, moment: &str) -> Option<u64> {
    first(events, |entry| entry["fault"] == fault && entry["what"]["moment"] == moment)
}

/// All were in force or on their way when it was stopped, and are gone two seconds later.
fn all_gone(run: &Path, stopped: &str, told: &str) {
    let all = events(run);
    let at = first(&all, |entry| entry["event"] == stopped).unwrap_or_else(|| panic!("no {stopped}: {told}"));
    for fault in 0..=AGAIN {
        let of = |name: &str| moment(&all, fault, name);
        let what: Vec<&Value> = all.iter().filter(|entry| entry["fault"] == fault).collect();
        assert!(of("ordered").is_some_and(|ordered| ordered < at), "{fault} was not ordered before: {what:#?}");
        let gone = match fault {
            // Asked to end, and given up.
            DYING => of("not-effective"),
            // It has ended only by now.
            AGAIN => of("healed"),
            _ => {
                assert!(of("effective").is_some_and(|bit| bit < at), "{fault} was not in force: {what:#?}");
                of("healed")
            }
        };
        let gone = gone.unwrap_or_else(|| panic!("{fault} is not gone: {what:#?}"));
        assert!(gone <= at + 2_000_000_000, "{fault} took {} ms: {what:#?}", (gone - at) / 1_000_000);
    }
}

#[test]
fn an_abort_heals_every_fault_within_two_seconds() {
    let yard = Yard::new();
    let abort = "abort: { hopeless: { measure: availability, below: 50%, over: 4s } }";
    yard.file("drill.yaml", &DRILL.replace("PATH", "/no/such/page").replace("ABORT", abort).replace("AT", "2500ms"));
    let ended = yard.run(&["run", "drill.yaml"]).expect(4);
    all_gone(&yard.last_run(), "aborting", &ended.all());
    assert!(!yard.path().join("made").exists());
}

#[test]
fn a_signal_heals_every_fault_within_two_seconds() {
    let yard = Yard::new();
    yard.file("drill.yaml", &DRILL.replace("PATH", "/products").replace("ABORT", "").replace("AT", "2500ms"));
    let mut drill = yard.start(&["run", "drill.yaml"]);
    let came = drill.until(|| {
        let Some(run) = yard.runs().pop() else { return false };
        let all = events(&run);
        (0..DYING).all(|fault| moment(&all, fault, "effective").is_some()) && moment(&all, AGAIN, "ordered").is_some()
    });
    assert!(came, "{}", drill.text("err"));
    drill.signal("INT");
    let ended = drill.wait().expect(4);
    all_gone(&yard.last_run(), "signalled", &ended.all());
    assert!(!yard.path().join("made").exists());
}

#[test]
fn a_link_leads_nowhere_that_is_not_allowed() {
    let yard = Yard::new();
    let text = DRILL.replace("PATH", "/products").replace("ABORT", "").replace("AT", "2500ms");
    let text = text.replace("{{ process.shop.address }}", "{{ env.WHERE }}");
    yard.file("drill.yaml", &text);
    let mut command = yard.command(["run", "drill.yaml"]);
    // An address of nobody's, kept for documentation.
    command.env("WHERE", "192.0.2.1:80");
    let ended = common::Running::new(command).wait().expect(3);
    assert!(ended.all().contains("192.0.2.1") && ended.all().contains("allow"), "{}", ended.all());
    let all = events(&yard.last_run());
    assert!(first(&all, |entry| entry["event"] == "load-began").is_none(), "nobody was sent anywhere");
}
