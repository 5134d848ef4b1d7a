//! One mistake, one diagnostic, at its place.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

/// (what is replaced, by what)
const CASES: &[(&str, &str)] = &[
    ("peakdrill: 1", "peakdrill: 2"),
    ("seed: 618", "sed: 618"),
    ("seed: 618", "seed: yes"),
    ("seed: 618", "seed: -1"),
    ("name: everything", "nme: everything"),
    ("name: everything\n", ""),
    ("name: everything", "name: 5"),
    ("name: everything", "name:"),
    ("title: { en: Everything", "title: { fr: Everything"),
    ("  allow: [127.0.0.0/8, \"::1/128\", \"shop.example:443\", 198.18.0.0/15]\n", ""),
    ("    node: { count: 2,", "    Node: { count: 2,"),
    ("count: 2, run: [peakdrill, \"{{ process.store.address }}\"]", "count: 2"),
    ("count: 2, run: [peakdrill, \"{{ process.store.address }}\"]", "run: [x], attach: { port: 5 }"),
    ("run: [peakdrill, shop, seed]", "run: peakdrill shop seed"),
    ("run: [peakdrill, shop, seed]", "run: []"),
    ("grace: 5s", "grace: 5"),
    ("grace: 5s", "grace: 5 s"),
    ("grace: 5s", "grace: soon"),
    ("grace: 5s", "user: nobody"),
    ("attach: { port: 8080 }", "attach: { port: 80800 }"),
    ("attach: { port: 8080 }", "attach: { port: 8080 }, grace: 1s"),
    ("per: visit", "per: visitor"),
    ("endpoint: shop, get: /healthz, every: 500ms", "endpont: shop, get: /healthz"),
    ("{ title: Nodes, process: node }", "{ host: 5 }"),
    ("edge: { address: \"::1\" }", "edge: { address: \"::1\", via: [] }"),
    ("edge: { address: \"::1\" }", "edge: { address: \"::1\", program: peakdrill agent }"),
    ("edge: { address: \"::1\" }", "edge: { folder: /tmp }"),
    ("fill-disk: { host: db_1,", "fill-disk: { host: db_1, process: store,"),
    ("{ title: Nodes, process: node }", "{ title: Nodes }"),
    ("range: 1..1000000", "range: 9..1"),
    ("range: 1..1000000", "range: many"),
    ("pick: zipf, exponent: 1.1,", "pick: zipf,"),
    ("pick: random", "pick: random, exponent: 1.1"),
    ("{ csv: data/skus.csv, ", "{ csv: a.csv, json: a.json, "),
    ("cookies: off", "cookies: no"),
    ("- think: 2s", "- think: 2"),
    ("- think: 2s", "- thnk: 2s"),
    ("- think: 2s", "- think: 2s\n        get: /x"),
    ("- think: 2s", "- think: 2s\n        name: x"),
    ("- think: 2s", "- rendezvous: { name: x, count: 3 }"),
    ("- think: 2s", "- name: x"),
    ("- think: 2s", "- think: { lognormal: { median: 2s } }"),
    ("- think: 2s", "- think: { uniform: { from: 2s, to: 1s } }"),
    ("- patch: /b", "- patch: /b\n      acknowledge: 3"),
    (
        "retry: { times: 3, on: [503, 5xx, connect], backoff: 50ms, up-to: 2s, jitter: 30%, retry-after: true }",
        "retry: 3",
    ),
    ("retry: { times: 3, on: [503, 5xx, connect],", "retry: { times: 3, on: [],"),
    ("retry: { times: 3, on: [503, 5xx, connect],", "retry: { times: 3, on: [503, conect],"),
    ("retry: { times: 3, on: [503, 5xx, connect],", "retry: { times: 0, on: [503],"),
    ("retry: { times: 3, on: [503, 5xx, connect],", "retry: { times: 3, on: [503, 700],"),
    ("retry: { times: 3, on: [503, 5xx, connect],", "retry: { times: 3,"),
    ("jitter: 30%", "jitter: 130%"),
    ("up-to: 2s", "up-to: 0s"),
    ("body: { file: data/photo.jpg, type: image/jpeg }", "body: { type: image/jpeg }"),
    ("note: { text: x, type: text/plain }", "note: { text: x, filename: b.txt }"),
    ("note: { text: x, type: text/plain }", "note: { type: text/plain }"),
    ("multipart: { why:", "json: {}, multipart: { why:"),
    (
        "place: { json: $.place, figure: queue-position }",
        "place: { json: $.place, figure: queue-position, secret: true }",
    ),
    (
        "queue: { measure: p95, figure: queue-position, at-most: 500 }",
        "queue: { measure: p95, figure: queue-position, at-most: 500ms }",
    ),
    ("queue: { measure: p95, figure: queue-position,", "queue: { measure: availability, figure: queue-position,"),
    (
        "queue: { measure: p95, figure: queue-position,",
        "queue: { measure: p95, timing: service, figure: queue-position,",
    ),
    ("decompress: true", "decompress: gzip"),
    ("follow: 5", "follow: true"),
    ("follow: 5", "follow: 21"),
    ("- group: { name: checkout,", "- group: { nam: checkout,"),
    ("- group: { name: checkout,", "- group: {"),
    ("- patch: /b", "- patch: /b\n      json: {}\n      body: x"),
    ("- patch: /b", "- get: /b\n      body: x"),
    ("- patch: /b", "- patch: [/b]"),
    ("status: [201, 2xx]", "status: [201, 2x]"),
    ("status: [201, 2xx]", "status: 700"),
    ("$.state: placed", "state: placed"),
    ("{ exists: false }", "{ exist: false }"),
    ("{ exists: false }", "{}"),
    ("{ exists: false }", "{ exists: false, at-least: 5 }"),
    ("order: $.id", "order: id"),
    ("order: $.id", "Order: $.id"),
    ("etag: { header: ETag }", "etag: { header: ETag, index: 2 }"),
    ("repeat: { times: 3,", "repeat: { times: 3, while: x,"),
    ("repeat: { times: 3,", "repeat: { times: 0,"),
    ("        then:\n          - head: /a\n", ""),
    ("until: { status: 200,", "until: { within: 5s, status: 200,"),
    ("mix: { buy: 1 }", "mix: { buy: 0 }"),
    ("mix: { buy: 1 }", "mix: {}"),
    ("spacing: even", "users: [{ hold: { users: 5, for: 1s } }]"),
    ("pace: 2s", "spacing: even"),
    ("start: 1s", "pace: 1s"),
    ("rendezvous: { name: together, count: 5,", "rendezvous: { name: together, count: 1,"),
    ("- hold: { rate: 60/m, for: 2m }", "- hold: { rate: 60, for: 2m }"),
    ("- hold: { rate: 60/m, for: 2m }", "- hold: { rate: 60/m }"),
    ("- hold: { rate: 60/m, for: 2m }", "- hold: { rate: 60/m, for: 0s }"),
    ("- hold: { rate: 60/m, for: 2m }", "- hold: { users: 60, for: 2m }"),
    ("- hold: { rate: 60/m, for: 2m }", "- search: { from: 60/m }"),
    ("amplitude: 40/s", "amplitude: 60/s"),
    ("period: 10m", "period: 0s"),
    ("burst: { count: 500", "burst: { count: 0"),
    ("spread: 2s, phase: rush", "spread: 0s, phase: rush"),
    ("spread: 2s", "within: 2s"),
    ("file: { csv: data/rates.csv", "file: { json: data/rates.csv"),
    ("    start: 5s\n    replay:", "    spacing: even\n    replay:"),
    ("    start: 5s\n    replay:", "    mix: { buy: 1 }\n    replay:"),
    ("format: { json: { time: ts, method: verb, path: uri, session: ip, status: code } }", "format: json"),
    ("format: { json: { time: ts, method: verb, path: uri, session: ip, status: code } }", "format: nginx"),
    ("json: { time: ts, method: verb", "json: { method: verb"),
    ("methods: [get, head]", "methods: [get, post]"),
    ("methods: [get, head]", "methods: []"),
    ("paths: [\"/products/**\"]", "paths: [products]"),
    ("names: { \"/products/*\": view product }", "names: { \"/products?id=*\": view product }"),
    ("speed: 2x", "speed: 2"),
    ("speed: 2x", "speed: 0x"),
    ("amplify: 150%", "repeat: 2"),
    ("- hold: { rate: 60/m, for: 2m }", "- hold: { rate: 60/m, for: 2m }\n        phase: x"),
    ("spacing: even", "spacing: evn"),
    ("end: after + 10s", "end: 10"),
    ("end: after + 10s", "end: after + 10"),
    ("end: after + 10s", "end: after - 10s"),
    ("at: lose-store.healed + 30s", "at: lose-store.heald + 30s"),
    ("for: 20s, kill: { process: store }", "for: 20s"),
    ("for: 20s, kill: { process: store }", "for: 20s, kill: {}"),
    ("for: 20s, kill: { process: store }", "for: 20s, kill: { proces: store }"),
    ("for: 20s, kill: { process: store }", "for: 20s, kil: { process: store }"),
    ("for: 20s, kill: { process: store }", "for: 20s, kill: { process: store }, pause: { process: store }"),
    ("for: 20s, kill: { process: store }", "for: 20s, throttle: { link: x, rate: 5 }"),
    ("{ any: node, pick: 1 }", "{ any: node, pick: 0 }"),
    ("at-least: 99%, over: 5s", "above: 99%, over: 5s"),
    ("at-least: 99%, over: 5s", "at-least: 99, over: 5s"),
    ("at-least: 99%, over: 5s", "at-least: 0.99, over: 5s"),
    ("at-least: 99%, over: 5s", "at-least: 990%, over: 5s"),
    ("at-least: 99%, over: 5s", "over: 5s"),
    ("at-least: 99%, over: 5s", "atleast: 99%, over: 5s"),
    ("below: 5%, over: 30s", "at-most: 5%, over: 30s"),
    ("measure: p99.9", "measure: p100"),
    ("measure: p99.9", "measure: lost-writes"),
    ("measure: p99.9", "measure: response time"),
    ("measure: p99.9", "measure: shop.5xx"),
    ("measure: p99.9, step: place order", "measure: p99.9, step: place order, load: shoppers"),
    ("measure: throughput, at-least: 10/s", "measure: throughput, at-least: 2000/s"),
    ("apdex, satisfied: 500ms", "apdex"),
    ("at-least: 0.90", "at-least: 90%"),
    ("measure: mean, at-most: 1s", "measure: mean, at-most: 1s, satisfied: 5s"),
    ("measure: memory, process: store", "measure: memory"),
    ("keep: [orders_total, returned_total]", "keep: []"),
    ("of: figures.returned_total, ", ""),
    ("    hold: 5s\n", "    hold: 5ss\n"),
    ("    must:\n      - { measure: availability", "    mst:\n      - { measure: availability"),
    ("shed: 60%", "shed: 160%"),
    ("limits: {", "limits: { read-back: {}, "),
    ("limits: {", "ledgers: {}\nlimits: {"),
    ("profiles:\n  smoke: {", "profiles:\n  smoke: { include: [],"),
    ("calm: 1m,", "calm: 60,"),
    ("vars: { peak", "vars: { Peak"),
    ("journeys:\n", "jorneys:\n"),
];

#[test]
fn one_mistake_is_one_diagnostic() {
    let (mut out, mut wrong) = (String::new(), String::new());
    for (from, to) in CASES {
        let text = EVERYTHING.replacen(from, to, 1);
        assert_ne!(text, EVERYTHING, "{from}");
        let (_, found, sources) = read(&text, None, &[]);
        let shown = render(&found, &sources, Style::default());
        if found.len() != 1 {
            let _ = writeln!(wrong, "#### {from} → {to}\n{shown}");
        }
        let _ = writeln!(out, "#### {} → {}\n{shown}", from.trim(), to.trim());
    }
    assert!(wrong.is_empty(), "{wrong}");
    insta::assert_snapshot!(out);
}

#[test]
fn twelve_mistakes_are_twelve_diagnostics() {
    let wrong = [
        ("seed: 618", "sed: 618"),
        ("grace: 5s", "grace: 5"),
        ("per: visit", "per: visitor"),
        ("range: 1..1000000", "range: 9..1"),
        ("- think: 2s", "- thnk: 2s"),
        ("$.state: placed", "state: placed"),
        ("mix: { buy: 1 }", "mix: { buy: 0 }"),
        ("- hold: { rate: 60/m, for: 2m }", "- hold: { rate: 60 }"),
        ("at: lose-store.healed + 30s", "at: lose-store.heald + 30s"),
        ("below: 5%, over: 30s", "at-most: 5%, over: 30s"),
        ("limits: {", "ledgers: {}\nlimits: {"),
    ];
    let text = wrong.iter().fold(EVERYTHING.to_owned(), |text, (from, to)| text.replacen(from, to, 1));
    let (_, found, sources) = read(&text, None, &[]);
    // `hold: { rate: 60 }` has two.
    assert_eq!(found.len(), 12, "{}", render(&found, &sources, Style::default()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn no_change_to_a_scenario_makes_it_panic(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..7u8), 1..6)
    ) {
        const JUNK: &[&str] = &["{{ x }}", ": ", "- ", "  ", "null", "\"", "[", "}", "5", "\t", "&a ", "*a", "标", "vars:", "~", ".", "{% if %}"];
        let mut lines: Vec<String> = EVERYTHING.lines().map(str::to_owned).collect();
        for (line, junk, kind) in edits {
            let at = line.index(lines.len());
            let junk = JUNK[junk.index(JUNK.len())];
            let boundary = lines[at].floor_char_boundary(line.index(lines[at].len() + 1));
            match kind {
                0 => { lines.remove(at); }
                1 => { let copy = lines[at].clone(); lines.insert(at, copy); }
                2 => lines[at].insert_str(boundary, junk),
                3 => lines[at].truncate(boundary),
                4 => lines[at].insert_str(0, "  "),
                5 => { let next = (at + 1) % lines.len(); lines.swap(at, next); }
                _ => lines[at] = lines[at].replacen(": ", &format!(": {junk}"), 1),
            }
            if lines.is_empty() { lines.push(String::new()); }
        }
        let text = lines.join("\n");
        for profile in [None, Some("smoke")] {
            let (scenario, found, sources) = read(&text, profile, &["vars.peak=1/s"]);
            prop_assert!(scenario.is_some() || !found.is_empty());
            render(&found, &sources, Style::default());
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "(\\PC|\n){0,200}") {
        let (scenario, found, _) = read(&text, Some("x"), &[]);
        prop_assert!(scenario.is_some() || !found.is_empty());
    }
}
