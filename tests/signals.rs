//! Signals to the whole program, from its beginning to its end.

mod common;

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use common::{Running, Yard, events, eventually};

fn shop(length: &str, rest: &str) -> String {
    format!(
        r#"peakdrill: 1
name: NAME
platform:
  allow: [127.0.0.0/8]
  processes:
    shop:
      run: [peakdrill, shop, all, --listen, "{{{{ address }}}}", --data, "{{{{ folder }}}}"]
      ready: {{ get: /healthz }}
  endpoints: {{ shop: "http://{{{{ process.shop.address }}}}" }}
journeys:
  look: [ {{ get: /products, name: list products }} ]
limits: {{ lag: 500ms }}
load:
  shoppers: {{ mix: {{ look: 1 }}, arrivals: [ {{ hold: {{ rate: 30/s, for: {length} }} }} ] }}
targets:
  up: {{ measure: availability, at-least: 1% }}
{rest}"#
    )
}

fn said(run: &std::path::Path, event: &str) -> bool {
    events(run).iter().any(|entry| entry["event"] == event)
}

fn interrupt(pid: u32, signal: &str) {
    let sent = Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).status().expect("kill runs");
    assert!(sent.success());
}

#[test]
fn ctrl_c_between_two_drills_is_not_lost() {
    let yard = Yard::new();
    yard.file("a.yaml", &shop("1s", "").replace("NAME", "a"));
    yard.file("b.yaml", &shop("1s", "").replace("NAME", "b"));
    // Its output goes nowhere until it is read: what the first drill came to cannot be printed before.
    let (mut out, into) = std::io::pipe().expect("a pipe");
    let mut filler = into.try_clone().expect("the same pipe");
    let filled = std::thread::spawn(move || filler.write_all(&[b' '; 1 << 16]).map(|()| drop(filler)));
    filled.join().expect("no panic").expect("the pipe holds as much as pipes do");
    let mut command = yard.command(["run", "a.yaml", "b.yaml"]);
    let mut drill = command.stdout(into).stderr(Stdio::null()).spawn().expect("it runs");
    drop(command);
    eventually("the first drill's report", || {
        let ended = drill.try_wait().expect("its state");
        assert!(ended.is_none(), "{ended:?}");
        yard.runs().first().is_some_and(|run| run.join("report.html").is_file())
    });
    interrupt(drill.id(), "INT");
    let mut printed = Vec::new();
    out.read_to_end(&mut printed).expect("what it prints");
    assert_eq!(drill.wait().expect("its end").code(), Some(4));
    assert_eq!(yard.runs().len(), 1, "the second drill has not begun");
}

/// The program with its hangup signal as `nohup` has it, or as it is without.
fn hung_up(yard: &Yard, ignored: bool) -> Running {
    let how = if ignored { "SIG_IGN" } else { "SIG_DFL" };
    let start = format!(
        "import os, signal, sys; signal.signal(signal.SIGHUP, signal.{how}); os.execv(sys.argv[1], sys.argv[1:])"
    );
    let mut command = Command::new("python3");
    let drill = yard.command(["run", "a.yaml"]);
    command.arg("-c").arg(start).arg(drill.get_program()).args(drill.get_args()).current_dir(yard.path());
    for (name, value) in drill.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.stdin(Stdio::null());
    let mut drill = Running::new(command);
    assert!(drill.until(|| yard.runs().last().is_some_and(|run| said(run, "load-began"))), "{}", drill.text("err"));
    drill.signal("HUP");
    drill
}

#[test]
fn a_hangup_stops_the_drill_but_not_under_nohup() {
    let yard = Yard::new();
    yard.file("a.yaml", &shop("60s", "").replace("NAME", "a"));
    hung_up(&yard, false).wait().expect(4);
    let run = yard.last_run();
    assert!(said(&run, "signalled") && said(&run, "ended") && run.join("report.html").is_file());

    let yard = Yard::new();
    yard.file("a.yaml", &shop("2s", "").replace("NAME", "a"));
    hung_up(&yard, true).wait().expect(0);
    assert!(!said(&yard.last_run(), "signalled"));
}

#[test]
fn what_prepares_is_written_down_when_it_happens() {
    let yard = Yard::new();
    let rest = "prepare: [ { run: [sleep, \"0.3\"] } ]\n";
    let slow = "run: [sh, slow.sh, bin/peakdrill, shop";
    yard.file("a.yaml", &shop("1s", rest).replace("NAME", "a").replace("run: [peakdrill, shop", slow));
    yard.file("slow.sh", "sleep 0.3; exec \"$@\"\n");
    yard.run(&["run", "a.yaml"]).expect(0);
    let events = events(&yard.last_run());
    let of = |name: &str| events.iter().find(|entry| entry["event"] == name).unwrap_or_else(|| panic!("no {name}"));
    let at = |name: &str| of(name)["at"].as_u64().expect("an instant");
    let chore = of("chore-done");
    let took = chore["took"].as_u64().expect("a length");
    assert!(took >= 300_000_000, "{chore}");
    assert!(at("process-started") + 300_000_000 <= at("process-ready"), "how long it took can be seen: {events:#?}");
    assert!(at("process-ready") + took <= at("chore-done"), "ready before the chore began: {events:#?}");
    assert!(["process-started", "process-ready", "chore-done"].iter().all(|name| of(name)["preparing"] == true));
}
