//! Faults that come several times, drills without faults or without load, and which faults of a failed drill it takes.

mod common;

use common::{Yard, events, summary};

fn drill(faults: &str, targets: &str) -> String {
    format!(
        r#"peakdrill: 1
name: stormy
seed: 7
platform:
  allow: [127.0.0.0/8]
  processes:
    shop:
      run: [peakdrill, shop, all, --listen, "{{{{ address }}}}", --data, "{{{{ folder }}}}"]
      ready: {{ get: /healthz }}
    spare: {{ run: [peakdrill, shop, payment, --listen, "{{{{ address }}}}", --data, "{{{{ folder }}}}"], ready: {{ get: /healthz }} }}
  endpoints: {{ shop: "http://{{{{ process.shop.address }}}}" }}
journeys:
  look:
    - get: /products
      name: list products
# Other tests run meanwhile: how punctual the arrivals are is not what is tried here.
limits: {{ lag: 500ms }}
load:
  shoppers:
    mix: {{ look: 1 }}
    arrivals: [ {{ hold: {{ rate: 60/s, for: 4s }} }} ]
faults:
{faults}
targets:
{targets}
"#
    )
}

const FAST: &str = "  fast: { measure: p95, at-most: 400ms }";

/// By name: how often it was ordered, and how often it was healed.
fn moments(run: &std::path::Path) -> Vec<(u64, String)> {
    let all = events(run);
    let of = |entry: &serde_json::Value| {
        let fault = entry["fault"].as_u64().filter(|_| entry["event"] == "fault")?;
        Some((fault, entry["what"]["moment"].as_str()?.to_owned()))
    };
    all.iter().filter_map(of).collect()
}

#[test]
fn a_failed_drill_is_shrunk_to_the_fault_that_it_takes() {
    let yard = Yard::new();
    let faults = "  busy: { at: 500ms, for: 200ms, pause: { process: spare } }
  deadly: { at: 1s, for: 1s, pause: { process: shop } }
  later: { at: 2500ms, for: 300ms, kill: { process: spare } }";
    yard.file("storm.yaml", &drill(faults, FAST));
    yard.run(&["run", "storm.yaml"]).expect(1);
    let ended = yard.run(&["shrink", "last"]).expect(0);
    assert!(ended.out.contains("the smallest set of faults that still fails it: deadly"), "{}", ended.all());
    assert!(ended.out.contains("--without busy --without later"), "{}", ended.all());
    assert!(ended.err.contains("no fault: PASS"), "each drill is told: {}", ended.all());
    let ended = yard.run(&["run", "storm.yaml", "--without", "deadly"]).expect(0);
    assert!(ended.out.contains("left out of this run"), "{}", ended.all());
    // Of a drill that passed there is nothing to find.
    let ended = yard.run(&["shrink", "last"]).expect(2);
    assert!(ended.err.contains("nothing to find"), "{}", ended.all());
    yard.run(&["run", "storm.yaml", "--without", "nosuch"]).expect(2);
}

#[test]
fn each_occurrence_is_ordered_and_healed_and_the_worst_is_judged() {
    let yard = Yard::new();
    let faults = "  flap: { at: 500ms, every: 1s, times: 3, for: 300ms, pause: { process: shop } }
  late: { when: { measure: throughput, above: 30/s, over: 2s }, until: 3s, pause: { process: spare } }";
    yard.file("flap.yaml", &drill(faults, "  up: { measure: availability, at-least: 90% }"));
    let ended = yard.run(&["run", "flap.yaml"]).expect(0);
    let all = moments(&yard.last_run());
    for fault in 0..4 {
        for what in ["ordered", "effective", "healed"] {
            let count = all.iter().filter(|(id, seen)| *id == fault && seen == what).count();
            assert_eq!(count, 1, "{what} of fault {fault}: {all:?}\n{}", ended.all());
        }
    }
    assert!(ended.all().contains("flap_3"), "{}", ended.all());
}

#[test]
fn a_rehearsal_leaves_out_the_faults_or_the_load() {
    let yard = Yard::new();
    let faults = "  deadly: { at: 1s, for: 1s, pause: { process: shop } }";
    yard.file("dry.yaml", &drill(faults, FAST));
    let ended = yard.run(&["run", "dry.yaml", "--no-faults"]).expect(0);
    assert!(ended.all().contains("A rehearsal without faults"), "{}", ended.all());
    assert!(moments(&yard.last_run()).is_empty(), "no fault was ordered");
    let ended = yard.run(&["run", "dry.yaml", "--no-load"]).expect(0);
    assert!(ended.all().contains("A rehearsal without load"), "{}", ended.all());
    let summary = summary(&yard.last_run());
    assert_eq!(summary["verdict"], "pass", "{summary:#}");
    assert!(moments(&yard.last_run()).iter().any(|(_, what)| what == "healed"));
    // A fault that does not bite is found out without load, too.
    let faults =
        "  own: { at: 1s, for: 1s, run: { do: [\"true\"], undo: [\"true\"], check: [\"false\"], within: 500ms } }";
    yard.file("dull.yaml", &drill(faults, FAST));
    yard.run(&["run", "dull.yaml", "--no-load"]).expect(3);
    yard.run(&["run", "dry.yaml", "--no-load", "--no-faults"]).expect(2);
}
