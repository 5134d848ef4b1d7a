//! The emergency plan in whole drills: its steps begin when they are due, are timed, judged and shown.

mod common;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

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

const TOLD: &str = "actions:
  gate: { at: 0s, confirm: { alert: gate }, within: 60s }
  told: { after: gate.done, by: shift leader, say: Call the bank, confirm: { alert: pager }, within: 60s }
  plain: { after: told.done, confirm: { alert: pager }, within: 60s }
  late: { after: plain.done, confirm: { alert: pager }, within: 500ms }
targets:
  told: { measure: action-time, action: told, at-most: 60s }
  plain: { measure: action-time, action: plain, at-most: 60s }
  late: { measure: action-time, action: late, at-most: 60s }
";

/// An address where nobody listens now.
fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address")
}

/// The status that a POST is answered with.
fn post(address: SocketAddr, body: &str) -> u16 {
    let mut stream = TcpStream::connect(address).expect("somebody listens for alerts");
    let length = body.len();
    write!(stream, "POST / HTTP/1.1\r\nhost: drill\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
        .expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

/// The instants, in seconds, of the entries that `is` holds for.
fn instants(run: &Path, is: impl Fn(&Value) -> bool) -> Vec<f64> {
    let at = |entry: &Value| entry["at"].as_f64().expect("an instant") / 1e9;
    events(run).iter().filter(|entry| is(entry)).map(at).collect()
}

/// The entries of what came to the watch at `index`.
fn heard(index: u64) -> impl Fn(&Value) -> bool {
    move |entry| entry["event"] == "probe" && entry["watch"] == index
}

fn moment(action: u64, moment: &'static str) -> impl Fn(&Value) -> bool {
    move |entry| entry["event"] == "action" && entry["action"] == action && entry["what"]["moment"] == moment
}

#[test]
fn a_post_to_a_watch_of_alerts_says_that_it_is_done() {
    let yard = Yard::new();
    let (gate, pager) = (free(), free());
    let watches = format!(
        "watch: {{ gate: {{ alert: {{ listen: \"{gate}\" }} }}, pager: {{ title: {{ en: On-call, zh: 值班 }}, alert: {{ listen: \"{pager}\" }} }}, "
    );
    yard.file("told.yaml", &drill("10s", TOLD).replacen("watch: { ", &watches, 1));
    yard.run(&["check", "--unattended", "told.yaml"]).expect(0);
    for (lang, words) in [("en", "confirmed by a POST to On-call"), ("zh", "由发往值班的 POST 请求确认")] {
        let plan = yard.run(&["plan", "told.yaml", "--lang", lang]).expect(0);
        assert!(plan.all().contains(words), "{}", plan.all());
    }
    let mut running = Running::new(yard.command(["run", "told.yaml"]));
    let mut until = |count: usize, is: &dyn Fn(&Value) -> bool| {
        let come = running.until(|| yard.runs().last().is_some_and(|run| instants(run, is).len() >= count));
        assert!(come, "{}{}", running.text("out"), running.text("err"));
    };
    until(1, &moment(0, "begun"));
    // Before it is under way, and on another watch.
    assert_eq!(post(pager, "too early"), 200);
    until(1, &heard(1));
    assert_eq!(post(gate, "go on"), 200);
    until(1, &moment(1, "begun"));
    assert_eq!(post(pager, r#"{ "status": "firing" }"#), 200);
    until(2, &heard(1));
    assert_eq!(post(pager, r#"{ "status": "resolved" }"#), 200);
    until(1, &moment(2, "begun"));
    assert_eq!(post(pager, "the bank says yes"), 200);
    until(1, &moment(3, "ended"));
    let said = running.wait().expect(1);

    let run = yard.last_run();
    let summary = summary(&run);
    let actions = summary["actions"].as_array().expect("actions");
    let ends: Vec<&str> = actions.iter().filter_map(|action| action["end"].as_str()).collect();
    assert_eq!(ends, ["done", "done", "done", "late"], "{actions:#?}");
    let come = instants(&run, heard(1));
    let [_, _, resolved, plain] = come[..] else { panic!("{come:?}") };
    for (action, told) in [(1, resolved), (2, plain)] {
        let after = actions[action]["ended"].as_f64().expect("it ended") - told;
        assert!((0.0..0.5).contains(&after), "done {after} s after it was told: {actions:#?}");
    }
    let told = format!("told (shift leader) begins; Call the bank; POST to http://{pager} once it is done");
    assert!(said.all().contains(&told), "{}", said.all());
}

const WAITING: &str = "faults:
  held: { at: 1s, until: back.done + 500ms, pause: { process: shop } }
  again: { at: switch.done + 500ms, for: 1s, pause: { process: shop } }
  never: { after: broken.done, for: 1s, pause: { process: shop } }
actions:
  back: { after: held.detected + 1s, run: [touch, back] }
  switch: { after: held.healed + 500ms, run: [touch, switched] }
  broken: { title: { en: Fall over, zh: 切换 }, at: 1s, run: [sh, -c, exit 3] }
targets:
  seen: { measure: detection-time, fault: again, at-most: 5s }
  unseen: { measure: detection-time, fault: never, at-most: 5s }
";

#[test]
fn a_fault_begins_and_ends_when_an_action_is_done_and_never_comes_if_it_is_not() {
    let yard = Yard::new();
    yard.file("waiting.yaml", &drill("10s", WAITING));
    for (lang, words) in [("en", "switch.done + 500 ms"), ("zh", "switch.完成 + 500 ms")] {
        let plan = yard.run(&["plan", "waiting.yaml", "--lang", lang]).expect(0);
        assert!(plan.all().contains(words), "{}", plan.all());
    }
    yard.run(&["run", "waiting.yaml"]).expect(3);
    let run = yard.last_run();
    let summary = summary(&run);
    let at = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value}: {summary:#}"));
    let (faults, actions) = (&summary["faults"], &summary["actions"]);
    let heals = instants(&run, |entry| entry["event"] == "fault" && entry["what"]["moment"] == "heal-ordered");
    for (what, done) in [(heals[0], &actions[0]), (at(&faults[1]["ordered"]), &actions[1])] {
        let after = what - at(&done["ended"]);
        assert!((0.5..1.0).contains(&after), "{after} s after {done}: {faults:#}");
    }
    let bitten = at(&faults[0]["healed"]) - at(&faults[0]["effective"]);
    assert!(bitten > 1.4, "it was held until it was told: {faults:#}");
    assert_eq!((&faults[2]["ordered"], &actions[2]["end"]), (&Value::Null, &Value::from("failed")), "{summary:#}");
    let verdicts: Vec<&str> =
        summary["targets"].as_array().expect("targets").iter().filter_map(|one| one["verdict"].as_str()).collect();
    assert_eq!(verdicts, ["pass", "inconclusive"], "{summary:#}");
    for (lang, words) in [("en", "was never ordered: Fall over was not done"), ("zh", "未曾下达：切换未完成")]
    {
        yard.run(&["report", "last", "--lang", lang]).expect(3);
        let page = std::fs::read_to_string(run.join("report.html")).expect("a page");
        assert!(page.contains(words), "{lang}");
    }
}
