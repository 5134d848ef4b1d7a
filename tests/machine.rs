//! What this machine can send: measured, kept, and said before a load that is too much for it.

mod common;

use std::fs;
use std::path::PathBuf;

use common::{Ended, Running, Yard};

/// A load of `rate` visits a second, of one request each, that nobody serves.
fn drill(yard: &Yard, rate: &str) {
    let text = format!(
        r#"peakdrill: 1
name: heavy
platform:
  allow: [127.0.0.0/8]
  endpoints: {{ shop: "http://127.0.0.1:9" }}
journeys:
  look: [ {{ get: /, name: look }} ]
load:
  shoppers: {{ mix: {{ look: 1 }}, arrivals: [ {{ hold: {{ rate: {rate}, for: 1s }} }} ] }}
targets:
  up: {{ measure: availability, at-least: 50% }}
"#
    );
    yard.file("heavy.yaml", &text);
}

fn place(yard: &Yard) -> PathBuf {
    yard.path().join("cache/peakdrill/calibration.json")
}

fn run(yard: &Yard, arguments: &[&str]) -> Ended {
    let mut command = yard.command(arguments);
    command.env("XDG_CACHE_HOME", yard.path().join("cache"));
    Running::new(command).wait()
}

/// With this many open files at most.
fn run_limited(yard: &Yard, files: u32, arguments: &str) -> Ended {
    let script = format!("ulimit -n {files} && exec {} {arguments}", yard.program().display());
    Running::new(yard.command_of("sh", ["-c", &script])).wait()
}

#[test]
fn what_the_limit_of_open_files_does_not_let_through_is_said_before() {
    let yard = Yard::new();
    drill(&yard, "500/s");
    let plain = yard.run(&["plan", "heavy.yaml"]).expect(0);
    assert!(!plain.all().contains("open files"), "{}", plain.all());
    let limited = run_limited(&yard, 256, "plan heavy.yaml").expect(0);
    assert!(limited.out.contains("this machine allows 256 open files"), "{}", limited.out);
    let json = run_limited(&yard, 256, "plan heavy.yaml --format json").expect(0);
    let json: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert!(json["machine"][0].as_str().is_some_and(|text| text.contains("256 open files")), "{json:#}");
    let chinese = run_limited(&yard, 256, "plan heavy.yaml --lang zh").expect(0);
    assert!(chinese.out.contains("最多打开 256 个文件"), "{}", chinese.out);
    // And in the first lines of a run.
    let ended = run_limited(&yard, 256, "run heavy.yaml --quiet");
    assert!(ended.err.starts_with("this machine allows 256 open files"), "{}", ended.err);
}

#[test]
fn more_users_than_open_files_are_said_before() {
    let yard = Yard::new();
    yard.file(
        "crowd.yaml",
        r#"peakdrill: 1
name: crowd
platform: { allow: [127.0.0.0/8], endpoints: { one: "http://127.0.0.1:9", other: "http://127.0.0.1:10", idle: "http://127.0.0.1:11" } }
journeys: { go: [ { get: /a, endpoint: one, name: a }, { get: /b, endpoint: other, name: b } ] }
load: { crowd: { mix: { go: 1 }, users: [ { hold: { users: 150, for: 10s } } ] } }
"#,
    );
    let limited = run_limited(&yard, 256, "plan crowd.yaml").expect(0);
    assert!(limited.out.contains("the users of crowd may need 364 at once"), "{}", limited.out);
    let enough = run_limited(&yard, 400, "plan crowd.yaml").expect(0);
    assert!(!enough.out.contains("may need"), "{}", enough.out);
}

#[test]
fn a_calibration_of_this_machine_is_kept_and_used_and_no_other() {
    let yard = Yard::new();
    drill(&yard, "100/s");
    let measured = run(&yard, &["calibrate"]).expect(0);
    assert!(measured.out.contains("one core of this machine makes requests at"), "{}", measured.out);
    let text = fs::read_to_string(place(&yard)).expect("a kept calibration");
    let kept: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let rate = kept["requests_per_core"].as_f64().expect("a rate");
    assert!(rate > 100.0, "{kept:#}");
    let warned = |yard: &Yard| run(yard, &["plan", "heavy.yaml"]).expect(0).out;
    assert!(!warned(&yard).contains("calibrat"), "100/s is nothing to this machine: {}", warned(&yard));

    // As if it had been slower: the same plan is too much for it then.
    let mut slow = kept.clone();
    slow["requests_per_core"] = 0.5.into();
    let write = |value: &str| fs::write(place(&yard), value).expect("a calibration");
    write(&slow.to_string());
    assert!(warned(&yard).contains("requests are planned at up to 100/s"), "{}", warned(&yard));
    let ended = run(&yard, &["run", "heavy.yaml", "--quiet"]);
    assert!(ended.err.starts_with("requests are planned at up to 100/s"), "{}", ended.err);

    // Of another machine: said, and not used.
    for field in ["cpu_model", "kernel"] {
        let mut other = slow.clone();
        other["machine"][field] = "another".into();
        write(&other.to_string());
        let out = warned(&yard);
        assert!(out.contains("is of another machine") && !out.contains("are planned at"), "{out}");
    }
    let mut other = slow;
    other["machine"]["cores"] = 4_711.into();
    write(&other.to_string());
    assert!(warned(&yard).contains("is of another machine"), "{}", warned(&yard));

    for damaged in ["{ \"version\": 1, ", "", "[]", &kept.to_string().replace("requests_per_core", "requests")] {
        write(damaged);
        assert!(warned(&yard).contains("cannot be read"), "{damaged}: {}", warned(&yard));
    }
    run(&yard, &["calibrate"]).expect(0);
    assert!(!warned(&yard).contains("calibration"), "written anew: {}", warned(&yard));
}

#[test]
fn more_connections_than_local_ports_are_said_before() {
    let yard = Yard::new();
    let with = |rest: &str| {
        drill(&yard, "50000/s");
        let file = yard.path().join("heavy.yaml");
        let text = fs::read_to_string(&file).expect("the drill");
        let endpoint = format!("shop: {{ url: \"http://127.0.0.1:9\", connections: {{ max: 200000{rest} }} }}");
        yard.file("heavy.yaml", &text.replace("shop: \"http://127.0.0.1:9\"", &endpoint));
        yard.run(&["plan", "heavy.yaml"]).expect(0).out
    };
    assert!(with("").contains("local ports towards one address"), "{}", with(""));
    // Each local address has ports of its own.
    let sources = ", source: [127.0.0.2-127.0.0.254]";
    assert!(!with(sources).contains("local ports towards one address"), "{}", with(sources));
}
