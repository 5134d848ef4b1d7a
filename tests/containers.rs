//! Whole drills on containers of a Docker of their own: what is done to them, and that nothing else is touched.

mod common;
#[path = "containers/daemon.rs"]
mod daemon;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use common::{Yard, events, eventually, summary};
use daemon::Docker;

const LABEL: [&str; 2] = ["--label", "peakdrill.allow=true"];

fn drill(docker: &Docker, containers: &str, faults: &str) -> String {
    format!(
        r#"peakdrill: 1
name: containers
seed: 5
vars: {{ docker: "{socket}" }}
platform:
  allow: ["unix:{served}"]
  containers: {{ {containers} }}
  endpoints: {{ db: "unix:{served}" }}
journeys:
  look: [ {{ get: /, name: look, timeout: 500ms }} ]
load:
  all: {{ mix: {{ look: 1 }}, arrivals: [ {{ hold: {{ rate: 20/s, for: 12s }} }} ] }}
# Other tests run meanwhile: how punctual the arrivals are is not what is tried here.
limits: {{ lag: 2s, patience: 5s }}
faults:
{faults}
targets: {{ up: {{ measure: availability, at-least: 20% }}, hurt: {{ measure: availability, at-most: 95% }} }}
"#,
        socket = docker.socket().display(),
        served = docker.served("db").display(),
    )
}

fn named(names: &[&str]) -> String {
    let one = |name: &&str| format!("{name}: {{ name: {name}, socket: \"{{{{ vars.docker }}}}\" }}");
    names.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// How many networks a container is on, as it sees itself; none where it does not answer.
fn networks(docker: &Docker, name: &str) -> Option<u32> {
    let mut stream = UnixStream::connect(docker.served(name)).ok()?;
    stream.set_read_timeout(Some(Duration::from_millis(300))).ok()?;
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").ok()?;
    let (mut answer, mut part) = (String::new(), [0; 512]);
    while !answer.ends_with('}') {
        let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
        answer.push_str(std::str::from_utf8(&part[..read]).ok()?);
    }
    answer.rsplit(':').next()?.trim_end_matches('}').parse().ok()
}

/// On two networks, on one of them at an address that can be asked for.
fn run(docker: &Docker, name: &str, address: &str, label: &[&str]) {
    docker.run(name, &[&["--network", "front", "--ip", address, "--network-alias", "database"], label].concat());
    docker.ask(&["network", "connect", "--alias", "behind", "back", name]).expect("a second network");
}

/// Whether it is as it was made.
fn is_whole(docker: &Docker, name: &str, address: &str) -> bool {
    let told = docker.inspect(name);
    let (state, ends) = (&told["State"], &told["NetworkSettings"]["Networks"]);
    let called = |network: &str, alias: &str| {
        ends[network]["Aliases"].as_array().is_some_and(|all| all.iter().any(|one| one == alias))
    };
    state["Running"] == true
        && state["Paused"] == false
        && ends["front"]["IPAddress"] == address
        && called("front", "database")
        && called("back", "behind")
        && networks(docker, name) == Some(2)
}

#[test]
fn containers_are_ended_paused_and_cut_off_and_are_then_what_they_were() {
    let yard = Yard::new();
    let Some(docker) = Docker::start(&yard) else { return };
    run(&docker, "db", "198.18.99.7", &LABEL);
    run(&docker, "other", "198.18.99.8", &[]);
    let before = docker.inspect("other");
    let faults = "  killed: { at: 1s, for: 1s, kill: { container: db } }
  ended: { at: 3s, for: 1s, terminate: { container: { any: container, pick: 1 } } }
  frozen: { at: 5s, for: 2s, pause: { container: db } }
  alone: { at: 8s, for: 2s, disconnect: { container: db } }
";
    yard.file("drill.yaml", &drill(&docker, &named(&["db"]), faults));
    yard.run(&["check", "--host", "drill.yaml"]).expect(0);
    let mut drill = yard.start(&["run", "drill.yaml"]);
    let state = |word: &str| docker.inspect("db")["State"][word].clone();
    assert!(drill.until(|| state("Running") == false), "{}", drill.text("err"));
    assert!(drill.until(|| state("Running") == true), "{}", drill.text("err"));
    assert!(drill.until(|| state("ExitCode") == 0 && state("Running") == false), "{}", drill.text("err"));
    assert!(drill.until(|| state("Paused") == true && networks(&docker, "db").is_none()), "{}", drill.text("err"));
    assert!(drill.until(|| networks(&docker, "db") == Some(0)), "{}", drill.text("err"));
    drill.wait().expect(0);
    assert!(is_whole(&docker, "db", "198.18.99.7"), "{:#}", docker.inspect("db"));
    let told = summary(&yard.last_run());
    let faults = told["faults"].as_array().expect("faults");
    assert_eq!(faults.len(), 4);
    for fault in faults {
        assert!(fault["effective"].is_f64() && fault["healed"].is_f64() && fault["containers"][0] == "db", "{fault:#}");
    }
    let entries: String = events(&yard.last_run()).iter().map(|event| event.to_string()).collect();
    for state in ["ended", "runs", "paused", "goes-on", "cut-off", "connected"] {
        assert!(entries.contains(&format!("\"{state}\"")), "{state} is not in the record");
    }
    assert_eq!(docker.inspect("other"), before, "what carries no label is left alone");
    yard.run(&["residue"]).expect(0);
}

#[test]
fn a_container_without_the_label_is_refused_before_anything_starts() {
    let yard = Yard::new();
    let Some(docker) = Docker::start(&yard) else { return };
    run(&docker, "db", "198.18.99.7", &LABEL);
    run(&docker, "other", "198.18.99.8", &["--label", "peakdrill.allow=1"]);
    docker.run("shares", &[&["--network", "none"], &LABEL[..]].concat());
    docker.run("brief", &[&["--network", "none", "--rm"], &LABEL[..]].concat());
    let refused = |names: &[&str], fault: &str, why: &str| {
        yard.file("drill.yaml", &drill(&docker, &named(names), &format!("  broken: {{ at: 1s, for: 1s, {fault} }}")));
        let ended = yard.run(&["check", "--host", "drill.yaml"]).expect(2);
        assert!(ended.out.contains(why) && ended.out.matches("[host]").count() == 1, "{}", ended.out);
    };
    let before = docker.inspect("other");
    refused(&["db", "other"], "pause: { container: other }", "does not carry the label peakdrill.allow=true");
    let ended = yard.run(&["run", "drill.yaml"]);
    assert!(ended.code != Some(0) && ended.all().contains("does not carry the label"), "{}", ended.all());
    assert_eq!(docker.inspect("other"), before);
    // Listed is enough: who may not be hurt has no place there.
    refused(&["db", "other"], "pause: { container: db }", "does not carry the label peakdrill.allow=true");
    refused(&["db", "none"], "pause: { container: db }", "there is no container `none`");
    refused(&["shares"], "disconnect: { container: shares }", "on no network");
    refused(&["brief"], "kill: { container: brief }", "removes container `brief` when it ends");
}

#[test]
fn when_the_harness_dies_containers_are_what_they_were() {
    let yard = Yard::new();
    let Some(docker) = Docker::start(&yard) else { return };
    let all = [("db", "198.18.99.7"), ("one", "198.18.99.8"), ("two", "198.18.99.9"), ("three", "198.18.99.10")];
    for (name, address) in all {
        run(&docker, name, address, &LABEL);
    }
    let faults = "  killed: { at: 200ms, for: 1m, kill: { container: one } }
  frozen: { at: 200ms, for: 1m, pause: { container: [db, two] } }
  alone: { at: 200ms, for: 1m, disconnect: { container: three } }
";
    for guarded in [true, false] {
        yard.file("drill.yaml", &drill(&docker, &named(&["db", "one", "two", "three"]), faults).replace("12s", "90s"));
        let mut drill = yard.start(&["run", "drill.yaml"]);
        let bitten = || {
            docker.inspect("one")["State"]["Running"] == false
                && docker.inspect("two")["State"]["Paused"] == true
                && networks(&docker, "three") == Some(0)
        };
        assert!(drill.until(bitten), "{}{}", drill.text("out"), drill.text("err"));
        if !guarded {
            let guardian = yard.process("guardian").expect("a guardian").to_string();
            let killed = std::process::Command::new("kill").args(["-KILL", &guardian]).status();
            assert!(killed.expect("kill runs").success());
        }
        drill.signal("KILL");
        drill.wait();
        let whole = || all.iter().all(|(name, address)| is_whole(&docker, name, address));
        if guarded {
            eventually("the guardian's work", whole);
        } else {
            let left = yard.run(&["residue"]);
            let told = ["ended", "paused", "taken off its networks", "network connect --ip 198.18.99.10 --alias"];
            assert!(left.code != Some(0) && told.iter().all(|text| left.all().contains(text)), "{}", left.all());
            yard.run(&["recover"]).expect(0);
            assert!(whole(), "{:#}", docker.inspect("three"));
        }
        yard.run(&["recover"]).expect(0);
        yard.run(&["residue"]).expect(0);
    }
}
