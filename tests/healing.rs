//! Faults that are left to the platform, and what the drill does about them at its end.

mod common;

use std::path::Path;

use common::{Running, Yard, events, eventually, summary};
use serde_json::Value;

/// A shop, and beside it a process that a fault takes away for good.
fn drill(fault: &str) -> String {
    format!(
        r#"peakdrill: 1
name: left
platform:
  allow: [127.0.0.0/8]
  processes:
    shop:
      run: [peakdrill, shop, all, --listen, "{{{{ address }}}}", --data, "{{{{ folder }}}}"]
      ready: {{ get: /healthz }}
    beside:
      run: [peakdrill, shop, all, --listen, "{{{{ address }}}}", --data, "{{{{ folder }}}}"]
      ready: {{ get: /healthz }}
  endpoints: {{ shop: "http://{{{{ process.shop.address }}}}" }}
journeys: {{ look: [ {{ get: /products, name: look }} ] }}
load: {{ all: {{ mix: {{ look: 1 }}, arrivals: [ {{ hold: {{ rate: 20/s, for: 3s }} }} ] }} }}
# Other tests run meanwhile.
limits: {{ lag: 2s }}
faults:
  gone: {{ at: 1s, heal: platform, {fault} }}
targets: {{ up: {{ measure: availability, at-least: 90% }} }}
"#
    )
}

/// Puts the platform back, as somebody would who is called; says before that it was needed.
const MEND: &str = r#"undo: { run: [touch, mended], check: [sh, -c, "! test -e mended"] }, kill: { process: beside }"#;

/// What was seen at a moment of the fault; `None` if it did not come.
fn moment(run: &Path, moment: &str) -> Option<Value> {
    let found = events(run).into_iter().find(|entry| entry["what"]["moment"] == moment)?;
    Some(found["what"]["proof"].clone())
}

fn at(run: &Path, moment: &str) -> f64 {
    let fault = &summary(run)["faults"][0];
    fault[moment].as_f64().unwrap_or_else(|| panic!("no {moment}: {fault:#}"))
}

#[test]
fn what_the_platform_did_not_heal_is_undone_after_the_load_as_the_drill_says() {
    let cases = [
        ("undo: start, kill: { process: beside }", "ready"),
        (MEND, "not-in-force"),
        ("undo: none, kill: { process: beside }", "left-to-platform"),
    ];
    for (fault, seen) in cases {
        let yard = Yard::new();
        yard.file("drill.yaml", &drill(fault));
        yard.run(&["run", "drill.yaml"]).expect(0);
        let run = yard.last_run();
        let healed = moment(&run, "healed").unwrap_or_else(|| panic!("{fault}: never healed"));
        assert_eq!(healed[0]["seen"], seen, "{fault}: {healed}");
        assert!(at(&run, "healed") >= 3.0, "{fault}: while the load lasts the platform is alone");
        assert_eq!(yard.path().join("mended").exists(), seen == "not-in-force", "{fault}");
    }
}

/// The drill, until its fault bites.
fn bitten(yard: &Yard) -> Running {
    yard.file("drill.yaml", &drill(MEND).replace("for: 3s", "for: 60s"));
    let mut drill = yard.start(&["run", "drill.yaml"]);
    let bites = || yard.runs().last().is_some_and(|run| moment(run, "effective").is_some());
    assert!(drill.until(bites), "{}{}", drill.text("out"), drill.text("err"));
    assert!(!yard.path().join("mended").exists());
    drill
}

#[test]
fn who_stops_the_drill_has_it_undone() {
    let yard = Yard::new();
    let drill = bitten(&yard);
    drill.signal("INT");
    drill.wait().expect(4);
    assert!(yard.path().join("mended").exists());
    assert_eq!(moment(&yard.last_run(), "healed").expect("it is healed")[0]["seen"], "not-in-force");
}

#[test]
fn when_the_harness_dies_the_guardian_undoes_it() {
    let yard = Yard::new();
    let drill = bitten(&yard);
    drill.signal("KILL");
    drill.wait();
    eventually("the guardian's undo", || yard.path().join("mended").exists());
    eventually("the guardian's end", || yard.process("guardian").is_none());
    yard.run(&["recover"]).expect(0);
}
