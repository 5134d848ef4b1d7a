//! What `check` says of scenarios with one mistake each: that one and nothing else, at its line and column.

use std::fmt::Write as _;

use peakdrill::base::diagnostic::{Diagnostic, Sources, Style, render, sort};
use peakdrill::compile::{Input, compile};
use peakdrill::scenario::open;

const WHOLE: &str = include_str!("check/whole.yaml");
const SKUS: &str = "id,title,cost\n1,tea,5\n2,cup,7\n";

/// Reads and compiles `text`, and says everything that is wrong with it.
fn check(text: &str) -> (Vec<Diagnostic>, Sources) {
    let mut sources = Sources::default();
    let mut load = |path: &str| match path {
        "drill.yaml" => Ok(text.as_bytes().to_vec()),
        "skus.csv" => Ok(SKUS.as_bytes().to_vec()),
        _ => Err("no such file".to_owned()),
    };
    let (files, mut found) = open(&mut sources, "drill.yaml", &mut load);
    let (scenario, wrong) = files.read(&mut sources, None, &[]);
    found.extend(wrong);
    if let Some(scenario) = scenario {
        let input = Input {
            scenario: &scenario,
            sources: &mut sources,
            entry: files.entry(),
            profile: None,
            unattended: false,
        };
        match compile(input, &mut load) {
            Ok(compiled) => found.extend(compiled.warnings),
            Err(wrong) => found.extend(wrong),
        }
    }
    sort(&mut found);
    (found, sources)
}

/// One mistake: what is replaced by what; `⟦ ⟧` in it mark the place that is to be blamed.
const MISTAKES: &[(&str, &str)] = &[
    // Names that are not there.
    ("step: place order, phase", "step: ⟦place oder⟧, phase"),
    ("phase: before, at-most", "phase: ⟦befor⟧, at-most"),
    ("mix: { browse: 80, buy: 20 }", "mix: { browse: 80, buy: 10, ⟦bui⟧: 10 }"),
    ("{ endpoint: shop, get", "{ endpoint: ⟦shp⟧, get"),
    ("fault: lose-node, at-most: 5s", "fault: ⟦loose-node⟧, at-most: 5s"),
    ("process: node_2", "process: ⟦node_3⟧"),
    ("process: node_2", "process: ⟦node⟧"),
    ("process: node_2", "process: ⟦store⟧"),
    ("fault: lose-node, at-most: 20s", "fault: lose-node, to: ⟦odering⟧, at-most: 20s"),
    ("kill: { process: node_1 }", "kill: { process: ⟦node1⟧ }"),
    ("pick: 1 }", "pick: ⟦3⟧ }"),
    ("step: place order, phase: before", "step: ⟦log in⟧, phase: before"),
    // Names that are misspelt where they are given.
    ("  buy:\n    endpoint", "  byu:\n    endpoint"),
    ("  sku: { csv", "  skus: { csv"),
    ("  lose-node: {", "  los-node: {"),
    ("- let: { ref:", "- let: { rf:"),
    ("{ to: \"{{ vars.peak }}\"", "{ to: \"{{ ⟦vars.peek⟧ }}\""),
    // Names in templates.
    ("\"/products/{{ feed.sku.id }}\"", "\"/products/{{ ⟦feed.sku.ix⟧ }}\""),
    ("\"/products/{{ feed.sku.id }}\"", "\"/products/{{ ⟦feed.skus.id⟧ }}\""),
    ("\"/products/{{ feed.sku.id }}\"", "\"/products/{{ ⟦feed.sku⟧ }}\""),
    ("\"{{ feed.city }}\"", "\"{{ ⟦feed.city.name⟧ }}\""),
    ("\"{{ feed.city }}\"", "\"{{ ⟦city⟧ }}\""),
    ("vars.deep.page", "⟦vars.deep.pag⟧"),
    ("prepare.session", "⟦prepare.sesion⟧"),
    ("seed, --store, \"{{ process.store.address }}\"", "seed, --store, \"{{ ⟦process.stor.address⟧ }}\""),
    ("seed, --store, \"{{ process.store.address }}\"", "seed, --store, \"{{ ⟦process.older.address⟧ }}\""),
    ("node, --listen, \"{{ address }}\"", "node, --listen, \"{{ ⟦adress⟧ }}\""),
    ("\"{{ run.id }}\"", "\"{{ ⟦uuid⟧() }}\""),
    ("{{ int(1, vars.deep.page) }}", "{{ ⟦itn⟧(1, vars.deep.page) }}"),
    ("{{ total > 100 }}", "{{ total ⟦>⟧ }}"),
    ("{{ total > 100 }}", "{{ total | ⟦itn⟧ > 100 }}"),
    ("if: \"{{ total > 100 }}\"", "if: ⟦\"total > 100\"⟧"),
    // What visits make, and when.
    ("headers: { Idempotency-Key: \"{{ ref }}\" }", "headers: { Idempotency-Key: \"{{ ⟦order⟧ }}\" }"),
    ("else:\n          - let: { gift: none }", "else:\n          - think: 1s"),
    ("ask for gift, capture", "ask for gift, on-failure: continue, capture"),
    ("- let: { ref: \"{{ uuid() }}\" }", "- let: { ref: \"{{ ⟦later⟧ }}\", later: \"{{ uuid() }}\" }"),
    ("capture: { order: $.id, total", "capture: { ⟦ref⟧: $.ref, order: $.id, total"),
    ("capture: { order: $.id, total", "capture: { ⟦feed⟧: $.ref, order: $.id, total"),
    // Requests.
    (
        "      - post: /pay\n        endpoint: pay\n",
        "      - post: ⟦https://pay.test:8443/pay⟧\n        endpoint: pay\n",
    ),
    ("- post: /orders", "- post: ⟦orders⟧"),
    ("headers: { Idempotency-Key:", "headers: { ⟦Idempotency Key⟧:"),
    ("headers: { Idempotency-Key:", "headers: { ⟦Content-Length⟧: 5, Idempotency-Key:"),
    ("{ order: $.id, total", "{ order: \"$.id[\", total"),
    ("\"^placed$\"", "⟦\"^(placed$\"⟧"),
    ("{ status: 201, shed: 429,", "{ status: [201, 429], shed: ⟦429⟧,"),
    ("limits: { shed: 10% }\n", ""),
    ("name: look again", "name: ⟦place order⟧"),
    ("  browse:\n    endpoint: shop\n    steps:\n      - get:", "  browse:\n    steps:\n      - ⟦get⟧:"),
    // Where requests may go.
    ("https://pay.test:8443\"", "https://pay.test:443\""),
    ("[127.0.0.0/8, pay.test:8443]", "[pay.test:8443]"),
    ("[127.0.0.0/8, pay.test:8443]", "[127.0.0.0/8, pay.test:8443, ⟦300.1.2.3/8⟧]"),
    ("\"https://pay.test:8443\"", "⟦\"ftp://pay.test:8443\"⟧"),
    // Feeds.
    ("range: 1..1000000", "range: 1..1000"),
    ("secret: [cost]", "secret: [⟦costs⟧]"),
    ("csv: skus.csv", "csv: ⟦sku.csv⟧"),
    ("csv: skus.csv, pick: zipf, exponent: 1.1,", "csv: skus.csv, pick: in-order,"),
    ("          times: 2\n", "          while: \"{{ ⟦feed.buyer⟧ < 5 }}\"\n"),
    // Time.
    ("at: outage + 1s, for: 10s", "at: ⟦outage + 89s⟧, for: 10s"),
    ("at: outage + 1s, for: 10s", "at: ⟦after + 55s⟧, for: 10s"),
    ("at: outage + 1s, for: 10s", "at: ⟦2s⟧, for: 10s"),
    ("at: lose-node.healed + 5s", "at: ⟦hang-node.healed + 5s⟧"),
    (
        "lose-node.healed + 5s, for: 2s, pause: { process: { any: node, pick: 1 } }",
        "lose-node.ordered + 5s, for: 2s, pause: { process: ⟦[node_1, node_2]⟧ }",
    ),
    ("to: after + 5s", "to: ⟦after + 61s⟧"),
    ("to: after + 5s", "to: ⟦outage⟧"),
    ("to: after + 5s", "to: ⟦lose-node⟧.healed"),
    (
        "- hold: { for: 60s, phase: after }",
        "- hold: { for: 60s, phase: after }\n      - hold: { for: 5s, phase: ⟦before⟧ }",
    ),
    ("- ramp: { to: \"{{ vars.peak }}\", for: 10s }\n", "- ⟦hold: { for: 10s }⟧\n"),
    ("limits: {", "end: ⟦100s⟧\nlimits: {"),
    ("kill: { process: node_1 }", "kill: { process: ⟦old⟧ }"),
    // What cannot be decided.
    ("measure: p99, step: place order", "measure: ⟦p99.99⟧, step: place order"),
    ("measure: p90, step: place order", "measure: ⟦p99.9⟧, step: place order"),
    ("fault: lose-node, at-most: 20s", "fault: lose-node, at-most: ⟦80s⟧"),
    ("measure: fault-rate, at-most: 0.1%", "measure: fault-rate, basis: time, at-most: ⟦0.1%⟧"),
    ("  up: { measure: availability, at-least: 99% }\n", ""),
    ("at-least: 99%, over: 5s", "at-least: 99%, phase: before, over: 5s"),
    ("  up: { measure: availability,", "  up: { measure: availability, ⟦over⟧: 5s,"),
    ("below: 5%, over: 10s", "below: 5%, over: ⟦1500ms⟧"),
    ("collapse: { measure: availability, below: 5%", "collapse: { measure: ⟦downtime⟧, above: 5s"),
    ("measure: recovery-time, fault: lose-node,", "measure: recovery-time,"),
    ("    health: { endpoint: shop, get: /healthz, every: 500ms }\n", ""),
    ("  buy:\n", "  ⟦idle⟧: [ { get: /, endpoint: shop } ]\n  buy:\n"),
    ("name: whole", "name: ⟦a/b⟧"),
    ("warm: 5", "warm: ⟦500⟧"),
    ("ready: { get: /healthz }", "ready: { get: ⟦healthz⟧ }"),
];

/// The whole scenario with a mistake in it, and the byte at which it stands, where the mistake says it.
fn broken(from: &str, to: &str) -> (String, Option<usize>) {
    let at = WHOLE.find(from).unwrap_or_else(|| panic!("`{from}` is not in the whole scenario"));
    let blamed = to.find('⟦').map(|offset| at + offset);
    let text = WHOLE.replacen(from, &to.replace(['⟦', '⟧'], ""), 1);
    (text, blamed)
}

#[test]
fn the_whole_scenario_is_sound() {
    let (found, sources) = check(WHOLE);
    assert!(found.is_empty(), "{}", render(&found, &sources, Style::default()));
}

#[test]
fn one_mistake_is_said_once_at_its_place() {
    let mut said = String::new();
    let mut wrong = String::new();
    for (from, to) in MISTAKES {
        let (text, blamed) = broken(from, to);
        let (found, sources) = check(&text);
        let shown = render(&found, &sources, Style::default());
        match found.as_slice() {
            [one] if blamed.is_none_or(|blamed| one.mark.start as usize == blamed) => {}
            _ => {
                let _ = writeln!(wrong, "`{from}` → `{to}`: {} diagnostics\n{shown}\n", found.len());
            }
        }
        let _ = writeln!(said, "{shown}");
    }
    assert!(wrong.is_empty(), "{wrong}");
    insta::assert_snapshot!(said);
}

/// Mistakes far from one another in one file: each is said, and no other.
#[test]
fn twelve_mistakes_are_twelve_diagnostics() {
    let twelve = [
        ("vars.deep.page", "vars.deep.pag"),
        ("seed: 618", "sed: 618"),
        ("every: 500ms", "every: 500"),
        ("secret: [cost]", "secret: [costs]"),
        ("\"{{ feed.city }}\"", "\"{{ feed.town }}\""),
        ("headers: { Idempotency-Key: \"{{ ref }}\" }", "headers: { Idempotency-Key: \"{{ order }}\" }"),
        ("- post: /orders", "- post: orders"),
        ("mix: { browse: 80, buy: 20 }", "mix: { browse: 80, buy: 10, bui: 10 }"),
        ("to: after + 5s", "to: after + 61s"),
        ("kill: { process: node_1 }", "kill: { process: old }"),
        ("below: 5%, over: 10s", "at-most: 5%, over: 10s"),
        ("measure: cpu, process: node_2, at-most: 150%", "measure: cpu, process: node_2, at-most: 5s"),
    ];
    let text = twelve.iter().fold(WHOLE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    let (found, sources) = check(&text);
    assert_eq!(found.len(), 12, "{}", render(&found, &sources, Style::default()));
}
