//! Drills of production: who lets them go, when, and that the record says so.

mod common;

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use common::{Ended, Running, Yard, events};

const DRILL: &str = r#"peakdrill: 1
name: real
environment: { en: Production, zh: 生产 }
production:
  approver: "APPROVER"
  window: { from: "FROM", to: "TO" }
  most: { faults: 1, processes: 50%, rate: 20/s }
platform:
  allow: [127.0.0.0/8]
  processes:
    shop: { run: [peakdrill, shop, all, --listen, "{{ address }}", --data, "{{ folder }}"], ready: { get: /healthz } }
    other: { run: [peakdrill, shop, payment, --listen, "{{ address }}", --data, "{{ folder }}"], ready: { get: /healthz } }
  endpoints: { shop: "http://{{ process.shop.address }}" }
vars: { rate: 20/s }
journeys: { look: [ { get: /products, name: look } ] }
load: { all: { mix: { look: 1 }, arrivals: [ { hold: { rate: "{{ vars.rate }}", for: 4s } } ] } }
# Other tests run meanwhile.
limits: { lag: 2s }
faults:
  first: { when: { measure: availability, above: 1%, over: 1s }, for: 1s, pause: { process: other } }
  second: { after: first.ordered, for: 1s, fill-memory: { size: 1MiB } }
targets: { up: { measure: availability, at-least: 1% } }
"#;

/// An instant from now on, as `date` of the system says it.
fn instant(when: &str) -> String {
    let said = Command::new("date").args(["-u", "-d", when, "+%Y-%m-%dT%H:%M:%SZ"]).output().expect("date runs");
    String::from_utf8(said.stdout).expect("a text").trim().to_owned()
}

fn scenario(yard: &Yard, approver: &str, from: &str, to: &str) {
    let text = DRILL.replace("APPROVER", approver).replace("FROM", &instant(from)).replace("TO", &instant(to));
    yard.file("drill.yaml", &text);
}

fn approve(yard: &Yard, until: &str, more: &[&str]) -> Ended {
    let until = instant(until);
    yard.run(&[&["approve", "drill.yaml", "--key", "private.pem", "--until", until.as_str()], more].concat())
}

#[test]
fn a_drill_of_production_goes_in_its_window_with_its_approval_alone() {
    let yard = Yard::new();
    let public = yard.run(&["approve", "--new-key", "private.pem"]).expect(0).out.trim().to_owned();
    let mode = std::fs::metadata(yard.path().join("private.pem")).expect("the key").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = yard.run(&["approve", "--new-key", "private.pem"]).expect(2);
    assert!(again.err.contains("new file"), "{}", again.err);

    scenario(&yard, &public, "-1 hour", "+1 hour");
    yard.run(&["check", "drill.yaml"]).expect(0);
    let refused = |token: Option<&str>, more: &[&str], why: &str| {
        let mut command = yard.command([&["run", "drill.yaml", "--quiet"], more].concat());
        if let Some(token) = token {
            command.env("PEAKDRILL_APPROVAL", token);
        }
        let ended = Running::new(command).wait().expect(2);
        assert!(ended.err.contains(why), "{why}: {}", ended.err);
        assert!(yard.runs().is_empty(), "nothing was begun: {}", ended.all());
    };
    refused(None, &[], "needs an approval");
    refused(Some("peakdrill1.x"), &[], "no token");
    let token = approve(&yard, "+1 hour", &[]).expect(0).out.trim().to_owned();
    refused(Some(&token), &["--set", "vars.rate=10/s"], "for another plan");
    refused(Some(&format!("{}A", &token[..token.len() - 1])), &[], "ignature");
    let short = approve(&yard, "+2 seconds", &[]).expect(0).out.trim().to_owned();
    refused(Some(&short), &[], "expired at");
    let past = approve(&yard, "-1 minute", &[]).expect(2);
    assert!(past.err.contains("has passed"), "{}", past.err);

    let run = yard.run(&["run", "drill.yaml", "--quiet", "--approval", &token]).expect(0);
    let folder = yard.last_run();
    let all = events(&folder);
    let approved = all.iter().find(|entry| entry["event"] == "approved").expect("who approved it");
    let key = approved["key"].as_str().expect("a fingerprint");
    assert!(token.contains(&format!(".{key}.")), "{approved}");
    let sum = Command::new("sha256sum").arg(folder.join("plan.json")).output().expect("sha256sum runs");
    assert!(
        String::from_utf8_lossy(&sum.stdout).starts_with(approved["plan"].as_str().expect("a digest")),
        "{approved}"
    );
    let page = std::fs::read_to_string(folder.join("report.html")).expect("the report");
    assert!(page.contains(&format!("approved by the key {key}")), "{}", run.all());
    // Whatever comes of conditions, one fault is in force at once.
    let of = |fault: u64, moment: &str| {
        let found = all.iter().find(|entry| entry["fault"] == fault && entry["what"]["moment"] == moment);
        found.and_then(|entry| entry["at"].as_u64()).unwrap_or_else(|| panic!("{fault} {moment}: {all:#?}"))
    };
    assert!(of(1, "ordered") >= of(0, "healed"), "the second waited");

    // What is approved is this plan, and its key is this key.
    let other = yard.run(&["approve", "--new-key", "other.pem"]).expect(0).out.trim().to_owned();
    scenario(&yard, &other, "-1 hour", "+1 hour");
    let wrong = approve(&yard, "+1 hour", &[]).expect(2);
    assert!(wrong.err.contains("sign with the key of that one"), "{}", wrong.err);
    let ended = yard.run(&["run", "drill.yaml", "--quiet", "--approval", &token]).expect(2);
    assert!(ended.err.contains("signed by the key"), "{}", ended.err);
    // Outside its window nothing helps.
    scenario(&yard, &public, "+1 hour", "+2 hours");
    let token = approve(&yard, "+2 hours", &[]).expect(0).out.trim().to_owned();
    let ended = yard.run(&["run", "drill.yaml", "--quiet", "--approval", &token]).expect(2);
    assert!(ended.err.contains("its window is from"), "{}", ended.err);
    assert_eq!(yard.runs().len(), 1);
}
