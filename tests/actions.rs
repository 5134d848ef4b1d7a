//! The emergency plan in whole drills: its steps begin when they are due, are timed, judged and shown.

mod common;

use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use common::{Running, Yard, events, summary};
use serde_json::Value;

fn drill(length: &str, rest: &str) -> String {
    format!(
        r#"peakdrill: 1
name: acting
seed: 7
platform:
  allow: [127.0.0.0/8]
  processes:
    shop:
      run: [peakdrill, shop, all, --listen, "{{{{ address }}}}", --data, "{{{{ folder }}}}"]
      ready: {{ get: /healthz }}
  endpoints: {{ shop: "http://{{{{ process.shop.address }}}}" }}
  watch: {{ health: {{ endpoint: shop, get: /healthz, every: 200ms }} }}
journeys:
  look: [ {{ get: /products, name: list products }} ]
limits: {{ lag: 500ms }}
load:
  shoppers: {{ mix: {{ look: 1 }}, arrivals: [ {{ hold: {{ rate: 20/s, for: {length} }} }} ] }}
{rest}"#
    )
}

const PLAN: &str = "faults:
  frozen: { at: 1s, for: 3s, pause: { process: shop } }
actions:
  decide: { after: frozen.detected, by: { en: shift leader, zh: 值班长 }, say: Bring the shop back, confirm: { get: /healthz, endpoint: shop }, within: 20s }
  switch: { after: decide.done + 100ms, run: [touch, switched] }
  broken: { at: 1s, run: [sh, -c, exit 3] }
  slow: { at: 1s, confirm: { get: /no/such/page }, within: 1s }
  open: { at: 5s, confirm: { get: /no/such/page }, within: 10m }
  never: { after: broken.done, run: [touch, never] }
targets:
  decide: { measure: action-time, action: decide, at-most: 20s }
  broken: { measure: action-time, action: broken, at-most: 20s }
  slow: { measure: action-time, action: slow, at-most: 20s }
  open: { measure: action-time, action: open, at-most: 10m }
  never: { measure: action-time, action: never, at-most: 20s }
";

fn ended(entry: &Value, how: &str) -> bool {
    entry["event"] == "action" && entry["what"]["how"]["end"] == how
}

#[test]
fn the_steps_of_the_emergency_plan_are_timed_and_judged() {
    let yard = Yard::new();
    yard.file("acting.yaml", &drill("8s", PLAN));
    let said = yard.run(&["run", "acting.yaml"]).expect(1);
    let run = yard.last_run();
    let summary = summary(&run);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let verdicts: Vec<String> =
        summary["targets"].as_array().expect("targets").iter().map(|one| text(&one["verdict"])).collect();
    assert_eq!(verdicts, ["pass", "fail", "fail", "inconclusive", "inconclusive"], "{summary:#}");
    let actions = summary["actions"].as_array().expect("actions");
    let ends: Vec<String> = actions.iter().map(|action| text(&action["end"])).collect();
    assert_eq!(ends, ["done", "done", "failed", "late", "given-up", ""], "{actions:#?}");
    // Whoever waits for the detection begins then, and is done once the shop answers again.
    let at = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value}: {summary:#}"));
    let (decide, fault) = (&actions[0], &summary["faults"][0]);
    assert!(at(&decide["begun"]) - at(&fault["detected"]) < 1.0, "{decide} {fault}");
    assert!(at(&decide["time"]) > 0.5 && at(&decide["ended"]) > at(&fault["effective"]) + 2.0, "{decide} {fault}");
    assert!(at(&actions[1]["begun"]) >= at(&decide["ended"]) + 0.1, "{actions:#?}");
    assert!((at(&actions[3]["time"]) - 1.0).abs() < 0.5, "{actions:#?}");
    assert!(yard.path().join("switched").exists() && !yard.path().join("never").exists());
    assert!(said.all().contains("decide (shift leader) begins"), "{}", said.all());
    for (lang, words) in [("en", "Emergency plan"), ("zh", "应急处置")] {
        let told = yard.run(&["report", "last", "--lang", lang]);
        let page = std::fs::read_to_string(run.join("report.html")).expect("a page");
        assert!(page.contains(words) && page.contains("Bring the shop back"), "{lang}: {}", told.all());
    }
}

const ASKING: &str = "actions:
  tell: { at: 1s, say: Call the bank, confirm: terminal, within: 60s }
targets:
  told: { measure: action-time, at-most: 60s }
";

#[test]
fn what_is_confirmed_at_a_terminal_is_refused_where_there_is_none() {
    let yard = Yard::new();
    yard.file("asking.yaml", &drill("3s", ASKING));
    yard.run(&["check", "asking.yaml"]).expect(0);
    for arguments in [&["check", "--unattended", "asking.yaml"][..], &["run", "asking.yaml"]] {
        let ended = yard.run(arguments).expect(2);
        assert!(ended.all().contains("asking.yaml:18:48"), "{}", ended.all());
        assert!(ended.all().contains("nobody is there"), "{}", ended.all());
    }
    assert!(yard.runs().is_empty(), "nothing was started");
}

#[test]
fn somebody_at_the_terminal_says_that_it_is_done() {
    let yard = Yard::new();
    yard.file("asking.yaml", &drill("6s", ASKING));
    let program = yard.program();
    let words = format!("{} run --quiet asking.yaml", program.display());
    // A terminal of its own.
    let mut command = yard.command_of("script", ["-qec", &words, "/dev/null"]);
    let (mut hands, theirs) = UnixStream::pair().expect("a pair of sockets");
    command.stdin(OwnedFd::from(theirs));
    let mut drill = Running::new(command);
    let begun = |entry: &Value| entry["event"] == "action" && entry["what"]["moment"] == "begun";
    let asked = drill.until(|| yard.runs().last().is_some_and(|run| events(run).iter().any(begun)));
    assert!(asked, "{}{}", drill.text("out"), drill.text("err"));
    hands.write_all(b"what?\ny\n").expect("somebody types");
    drill.wait().expect(0);
    let run = yard.last_run();
    assert!(events(&run).iter().any(|entry| ended(entry, "done")), "{:#?}", summary(&run)["actions"]);
}
