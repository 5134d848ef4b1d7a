//! This machine under strain, and faults of the user's own programs, in whole drills.

mod common;

use common::{Yard, events, summary};
use serde_json::Value;

fn drill(faults: &str, rest: &str) -> String {
    format!(
        r#"peakdrill: 1
name: strained
platform:
  allow: [127.0.0.0/8]
  processes:
    shop: {{ run: [peakdrill, shop, all, --listen, "{{{{ address }}}}", --data, "{{{{ folder }}}}"], ready: {{ get: /healthz }} }}
  endpoints: {{ shop: "http://{{{{ process.shop.address }}}}" }}
journeys: {{ look: [ {{ get: /products, name: look }} ] }}
load: {{ all: {{ mix: {{ look: 1 }}, arrivals: [ {{ hold: {{ rate: 30/s, for: 5s }} }} ] }} }}
# Other tests run meanwhile, and this one takes a core away.
limits: {{ lag: 2s }}
faults:
{faults}
{rest}
"#
    )
}

/// What was seen of each fault as it took effect, and as it was healed.
fn proofs(run: &std::path::Path) -> Vec<(u64, String, Value)> {
    let of = |entry: &Value| {
        let what = &entry["what"];
        Some((entry["fault"].as_u64()?, what["moment"].as_str()?.to_owned(), what["proof"].get(0)?.clone()))
    };
    events(run).iter().filter_map(of).collect()
}

#[test]
fn cores_memory_and_disk_are_taken_and_given_back() {
    let yard = Yard::new();
    let faults = "  busy: { at: 1s, for: 2s, burn: { cores: 1 } }
  memory: { at: 1s, for: 1s, fill-memory: { size: 24MiB } }
  disk: { at: 1s, for: 1s, fill-disk: { process: shop, size: 24MiB } }";
    yard.file("drill.yaml", &drill(faults, "targets: { up: { measure: availability, at-least: 50% } }"));
    yard.run(&["run", "drill.yaml"]).expect(0);
    let run = yard.last_run();
    let seen = proofs(&run);
    let text = format!("{seen:#?}");
    for fault in 0..3 {
        let of = |word: &str| seen.iter().find(|(id, known, _)| *id == fault && known == word).map(|(.., proof)| proof);
        let effective = of("effective").unwrap_or_else(|| panic!("{text}"));
        match fault {
            0 => assert!(effective["cores"].as_f64().unwrap() >= 0.5, "{text}"),
            _ => assert!((22 << 20..28 << 20).contains(&effective["bytes"].as_u64().unwrap()), "{text}"),
        }
        assert_eq!(of("healed").unwrap_or_else(|| panic!("{text}"))["seen"], "released");
    }
    assert!(yard.process("agent").is_none());
    yard.run(&["residue"]).expect(0);
}

#[test]
fn what_cannot_be_taken_is_inconclusive() {
    let yard = Yard::new();
    let faults = "  memory: { at: 2s, for: 1s, fill-memory: { size: 100000000GiB } }";
    let rest = "steady-state: { serving: { hold: 1s, must: [ { measure: availability, at-least: 50%, over: 1s } ] } }
targets: { rto: { measure: recovery-time, fault: memory, to: serving, at-most: 500ms } }";
    yard.file("drill.yaml", &drill(faults, rest));
    yard.run(&["run", "drill.yaml"]).expect(3);
    assert_eq!(summary(&yard.last_run())["faults"][0]["effective"], Value::Null);
    assert!(yard.process("agent").is_none());
}

#[test]
fn a_fault_of_programs_of_ones_own_is_undone() {
    let yard = Yard::new();
    let faults =
        "  own: { at: 1s, for: 1s, run: { do: [touch, made], undo: [rm, -f, made], check: [test, -e, made] } }";
    yard.file("drill.yaml", &drill(faults, "targets: { up: { measure: availability, at-least: 50% } }"));
    let mut running = yard.start(&["run", "drill.yaml"]);
    let made = yard.path().join("made");
    assert!(running.until(|| made.exists()), "{}", running.text("err"));
    running.wait().expect(0);
    assert!(!made.exists());
    let seen = proofs(&yard.last_run());
    let words: Vec<&Value> = seen.iter().map(|(.., proof)| &proof["seen"]).collect();
    assert_eq!(words, ["in-force", "not-in-force"]);
}
