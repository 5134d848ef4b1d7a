//! Whole drills of several loads, of a replay and of a flash sale: what was sent, as the other side counted it.

use std::collections::BTreeMap;
use std::path::Path;

use peakdrill::base;

use crate::common::{Yard, summary};
use crate::scripted::{Scripted, Seen, ok};

mod common;
#[path = "../src/wire/scripted.rs"]
mod scripted;

/// How often each path was asked for, without its query.
fn paths(seen: &[Seen]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for seen in seen {
        *counts.entry(seen.path.split('?').next().unwrap_or_default().to_owned()).or_insert(0) += 1;
    }
    counts
}

/// The sum of `field` over all windows, by load, as the record has them.
fn recorded(run: &Path, plan: &serde_json::Value) -> BTreeMap<String, BTreeMap<u64, u64>> {
    let text = std::fs::read_to_string(run.join("windows.jsonl")).expect("windows");
    let mut counts: BTreeMap<String, BTreeMap<u64, u64>> = BTreeMap::new();
    for line in text.lines() {
        let window: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let second = window["second"].as_u64().expect("a second");
        for cell in window["cells"].as_array().expect("cells").iter().filter(|cell| cell["book"] == "seconds") {
            let load = &plan["series"][cell["series"].as_u64().expect("a series") as usize]["load"];
            let name = plan["loads"][load.as_u64().expect("a load") as usize]["name"].as_str().expect("a name");
            let ok = cell["counts"]["ok"].as_u64().expect("a count");
            *counts.entry(name.to_owned()).or_default().entry(second).or_default() += ok;
        }
    }
    counts
}

const LOG: &str = r#"{"ts":"2026-11-11T20:00:00.000Z","method":"GET","path":"/old/1?x=a%20b","client":"a"}
{"ts":"2026-11-11T20:00:00.100Z","method":"GET","path":"/old/2","client":"b"}
{"ts":"2026-11-11T20:00:00.200Z","method":"POST","path":"/old/3","client":"a"}
{"ts":"2026-11-11T20:00:01.900Z","method":"GET","path":"/old/4","client":"a"}
"#;

#[test]
fn several_loads_add_up_and_each_keeps_its_own() {
    let server = Scripted::start(|_| ok("{}"));
    let yard = Yard::new();
    yard.file("old.log", LOG);
    let text = format!(
        r#"peakdrill: 1
name: several
seed: 5
platform:
  allow: [127.0.0.0/8]
  endpoints: {{ site: "{}" }}
journeys:
  look: [{{ get: /look, name: look }}]
  view: [{{ get: /view, name: view }}]
  buy: [{{ get: /cart, name: cart }}, {{ post: /buy, name: buy }}]
load:
  steady:
    mix: {{ look: 1 }}
    arrivals: [{{ hold: {{ rate: 40/s, for: 5s }} }}]
  sale:
    title: A sale
    mix: {{ view: 1, buy: 3 }}
    spacing: poisson
    start: 2s
    arrivals:
      - hold: {{ rate: 20/s, for: 1s }}
      - burst: {{ count: 50, spread: 0s }}
      - wave: {{ mean: 20/s, amplitude: 20/s, period: 1s, for: 1s }}
  again:
    start: 1s
    replay:
      log: old.log
      format: {{ json: {{ time: ts }} }}
      amplify: 3x
      names: {{ /old/2: old two }}
# Other tests run meanwhile: how punctual the arrivals are is not what is tried here.
limits: {{ lag: 500ms }}
targets:
  all: {{ measure: availability, at-least: 100% }}
  sale: {{ measure: availability, load: sale, at-least: 100% }}
"#,
        server.url()
    );
    yard.file("several.yaml", &text);
    let page = yard.run(&["plan", "several.yaml"]).expect(0).out;
    for line in ["steady: 200 visits", "A sale (sale): 90 visits", "again: 9 visits", "GET  old two     3"] {
        assert!(page.contains(line), "no {line:?} in\n{page}");
    }
    yard.run(&["run", "several.yaml"]).expect(0);

    // The other side.
    let seen = server.log();
    let counts = paths(&seen);
    let of = |path: &str| counts.get(path).copied().unwrap_or(0);
    assert_eq!(of("/look"), 200);
    assert_eq!(of("/view") + of("/buy"), 90);
    assert_eq!(of("/cart"), of("/buy"));
    assert!(of("/buy") > of("/view"), "{counts:?}");
    assert_eq!(["/old/1", "/old/2", "/old/4"].map(of), [3, 3, 3]);
    assert!(seen.iter().any(|seen| seen.path == "/old/1?x=a%20b"), "the query is sent as it was");
    assert_eq!(counts.values().sum::<u64>(), 200 + 90 + of("/buy") + 9, "and nothing else: {counts:?}");

    // The record, the report.
    let run = yard.last_run();
    let plan = std::fs::read_to_string(run.join("plan.json")).expect("the plan");
    let plan = serde_json::from_str(&plan).expect("JSON");
    let recorded = recorded(&run, &plan);
    let all = |load: &str| recorded.get(load).map_or(0, |seconds| seconds.values().sum::<u64>());
    assert_eq!([all("steady"), all("sale"), all("again")], [200, 90 + of("/buy"), 9]);
    let first = |load: &str| recorded[load].iter().find(|(_, ok)| **ok > 0).map(|(second, _)| *second);
    assert!(first("steady") < first("again") && first("again") < first("sale"), "each at its start: {recorded:?}");
    let summary = summary(&run);
    assert_eq!(summary["visits"]["planned"], 299);
    assert_eq!(summary["requests"]["ok"], 299 + of("/buy"));
    let step = |name: &str| summary["steps"].as_array().and_then(|all| all.iter().find(|step| step["step"] == name));
    assert_eq!(step("old two").map(|step| &step["ok"]), Some(&3.into()), "figures are kept by name");
    let html = std::fs::read_to_string(run.join("report.html")).expect("the report");
    assert!(html.contains("A sale"), "the report names the load");

    // The log is kept by hash: another one is not sent.
    yard.file("old.log", &LOG.replace("/old/2", "/old/5"));
    let page = yard.run(&["plan", "several.yaml", "--format", "json"]).expect(0).out;
    let changed: serde_json::Value = serde_json::from_str(&page).expect("JSON");
    assert_ne!(changed["loads"][2]["replay"]["sha256"], plan["loads"][2]["replay"]["sha256"]);
}

#[test]
fn try_shows_a_request_of_the_log() {
    let server = Scripted::start(|_| ok(""));
    let yard = Yard::new();
    yard.file("old.log", LOG);
    let text = format!(
        "peakdrill: 1\nname: again\nplatform: {{ allow: [127.0.0.0/8], endpoints: {{ site: \"{}\" }} }}\nload:\n  again:\n    \
         replay: {{ log: old.log, format: {{ json: {{ time: ts }} }}, names: {{ /old/2: second, \"/old/*\": other }} }}\n",
        server.url()
    );
    yard.file("again.yaml", &text);
    let out = yard.run(&["try", "again.yaml", "--journey", "second"]).expect(0).out;
    assert!(out.contains("GET /old/2 HTTP/1.1") && !out.contains("/old/1"), "{out}");
    yard.run(&["try", "again.yaml"]).expect(0);
    assert_eq!(paths(&server.log()).len(), 2, "each journey once: {:?}", server.log());
}

/// The shipped flash sale, with the store's data in a folder that outlives the run.
#[test]
fn try_shows_the_arrival_that_it_is_asked_for() {
    let server = Scripted::start(|_| ok(""));
    let yard = Yard::new();
    let text = format!(
        "peakdrill: 1\nname: one\nplatform: {{ allow: [127.0.0.0/8], endpoints: {{ site: \"{}\" }} }}\nfeeds: {{ row: {{ range: 100..199 }} }}\n\
         journeys: {{ go: [ {{ get: \"/{{{{ feed.row }}}}/{{{{ int(1, 1000000000) }}}}\", name: go }} ] }}\n\
         load: {{ all: {{ mix: {{ go: 1 }}, arrivals: [ {{ hold: {{ rate: 10/s, for: 5s }} }} ] }} }}\n",
        server.url()
    );
    yard.file("one.yaml", &text);
    for arrival in ["0", "7", "7"] {
        yard.run(&["try", "one.yaml", "--arrival", arrival]).expect(0);
    }
    let asked: Vec<String> = server.log().into_iter().map(|seen| seen.path).collect();
    assert_eq!(asked[1], asked[2], "the same each time");
    assert!(asked[0].starts_with("/100/") && asked[1].starts_with("/107/"), "its row of the feed: {asked:?}");
}

#[test]
fn a_flash_sale_sells_what_there_is_and_no_piece_more() {
    const PIECES: i64 = 100;
    let yard = Yard::new();
    let text = include_str!("../scenarios/flash-sale.yaml");
    let data = yard.path().join("store-data");
    let kept = format!("--data, \"{}\", --skus", data.display());
    assert_eq!(text.matches("--data, \"{{ folder }}\", --skus").count(), 1);
    yard.file("flash-sale.yaml", &text.replace("--data, \"{{ folder }}\", --skus", &kept));
    let ended = yard.run(&["run", "flash-sale.yaml", "--profile", "smoke"]);

    let rows = rusqlite::Connection::open(data.join("store.db")).expect("the store's rows");
    let number = |select: &str| rows.query_row(select, [], |row| row.get::<_, i64>(0)).expect(select);
    let accepted = number("SELECT coalesce(sum(quantity), 0) FROM orders WHERE sku = 1 AND state <> 'cancelled'");
    assert!(accepted <= PIECES, "{accepted} pieces were sold, and there were {PIECES}");
    assert_eq!(number("SELECT available FROM stock WHERE sku = 1"), 0, "sold out");
    // Nothing came or went: each sku has as many pieces as it began with, in one state or another.
    assert_eq!(number("SELECT count(*) FROM stock"), 50);
    let drifted = format!("SELECT count(*) FROM stock WHERE available + reserved + sold <> {PIECES}");
    assert_eq!(number(&drifted), 0);
    let reserved = "SELECT coalesce(sum(quantity), 0) FROM orders WHERE state = 'placed'";
    assert_eq!(number("SELECT sum(reserved) FROM stock"), number(reserved), "a piece is reserved for each order");

    ended.expect(0);
    let summary = summary(&yard.last_run());
    let steps = summary["steps"].as_array().expect("steps");
    let snatch = steps.iter().find(|step| step["step"] == "snatch").expect("the step");
    assert_eq!(snatch["ok"], accepted, "whoever was told that it is theirs has it");
    assert!(snatch["shed"].as_i64() > Some(0), "the others were turned away: {snatch:#}");
}

#[test]
fn the_shipped_replay_passes() {
    let yard = Yard::new();
    std::fs::create_dir(yard.path().join("data")).expect("a folder");
    yard.file("data/access.log", include_str!("../scenarios/data/access.log"));
    yard.file("replay.yaml", include_str!("../scenarios/replay.yaml"));
    yard.run(&["run", "replay.yaml", "--profile", "smoke"]).expect(0);
    let requests = &summary(&yard.last_run())["requests"];
    assert_eq!(requests["ok"], requests["requests"], "{requests:#}");
}
