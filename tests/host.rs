//! What `check --host` says of a machine, and that a drill there says the same.

mod common;

use std::os::unix::fs::PermissionsExt;

use common::Yard;
use serde_json::Value;

const DRILL: &str = r#"peakdrill: 1
name: lacking
profiles: { smoke: { faults: { own: { for: 2s } } } }
platform:
  allow: [127.0.0.0/8ALLOW]
  processes:
    shop: { run: [peakdrill, shop, all, --listen, "{{ address }}", --data, "{{ folder }}"], ready: { get: /healthz } }
MORE
  endpoints: { shop: "http://{{ process.shop.address }}" }
journeys: { look: [ { get: /products, name: look } ] }
load: { all: { mix: { look: 1 }, arrivals: [ { hold: { rate: 20/s, for: 5s } } ] } }
limits: { lag: 2s }
faults:
  own: { at: 1s, for: 1s, run: { do: [PROGRAM], undo: ["true"], check: ["false"] } }
targets: { up: { measure: availability, at-least: 10% } }
"#;

fn drill(allow: &str, more: &str, program: &str) -> String {
    DRILL.replace("ALLOW", allow).replace("MORE", more).replace("PROGRAM", program)
}

#[test]
fn a_fault_that_cannot_be_made_is_said_before_and_by_the_drill() {
    let yard = Yard::new();
    yard.file("drill.yaml", &drill("", "", "no-such-program"));
    yard.run(&["check", "drill.yaml"]).expect(0);
    let why = "`no-such-program` is no program: neither a path to one nor in PATH";
    let ended = yard.run(&["check", "--host", "drill.yaml"]).expect(2);
    assert_eq!(ended.out, format!("drill.yaml: error: fault `own` (run) cannot be made on this host: {why} [host]\n"));
    let ended = yard.run(&["check", "--host", "--format", "json", "drill.yaml"]).expect(2);
    let found: Value = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!((found[0]["code"].as_str(), found[0]["file"].as_str()), (Some("host"), Some("drill.yaml")));
    assert_eq!(found.as_array().map(Vec::len), Some(1), "once, whatever the number of profiles: {found}");
    let ended = yard.run(&["run", "drill.yaml"]).expect(3);
    assert!(ended.out.contains(why), "{}", ended.out);
    yard.file("drill.yaml", &drill("", "", "true"));
    assert_eq!(yard.run(&["check", "--host", "drill.yaml"]).expect(0).out, "drill.yaml: ok\n");
}

#[test]
fn names_without_an_address_and_clocks_that_cannot_be_told_another_time_are_said() {
    let yard = Yard::new();
    // The head of a program into which no library can be loaded.
    let mut head = b"\x7fELF\x02\x01".to_vec();
    head.resize(64, 0);
    let program = yard.path().join("alone");
    std::fs::write(&program, head).expect("a file in the yard");
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).expect("our file");
    let more = "    alone: { run: [./alone], clock: skewable }";
    yard.file("drill.yaml", &drill(", \"shop.invalid:80\"", more, "true"));
    let ended = yard.run(&["check", "--host", "drill.yaml"]).expect(2);
    let lines: Vec<&str> = ended.out.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ended.out);
    let there = std::path::Path::new("/usr/bin/faketime").exists();
    let why = if there { "it is a static program" } else { "apt install libfaketime" };
    assert!(lines[0].contains("process `alone`") && lines[0].contains(why), "{}", lines[0]);
    assert!(lines[1].contains("`shop.invalid` of `allow` has no address here"), "{}", lines[1]);
}

#[test]
fn pools_and_proxies_beyond_the_limit_of_open_files_are_said() {
    let yard = Yard::new();
    let text = drill("", "", "true");
    let text = text.replace("  endpoints: { shop: \"http://{{ process.shop.address }}\" }", "  links: { way: { to: \"{{ process.shop.address }}\" } }\n  endpoints: { shop: { url: \"http://{{ link.way.address }}\", connections: { max: 60 } } }");
    yard.file("drill.yaml", &text.replace("rate: 20/s", "rate: 2000/s"));
    let check = |limit: &str| {
        let script = format!("ulimit -n {limit} && exec bin/peakdrill check --host drill.yaml");
        common::Running::new(yard.command_of("sh", ["-c", &script])).wait()
    };
    check("1000").expect(0);
    // Enough for the pool, not for what carries it on.
    let ended = check("150").expect(2);
    assert!(ended.out.contains("the fault proxy would hold 184") && ended.out.lines().count() == 1, "{}", ended.out);
    let ended = check("100").expect(2);
    assert_eq!(ended.out.lines().count(), 2, "{}", ended.out);
}
