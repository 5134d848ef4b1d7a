//! `check`, in every profile: one mistake in a sound scenario is said once, at its line and column, with nothing else beside it.

use std::fmt::Write as _;

use peakdrill::base::diagnostic::{Diagnostic, Sources, Style, any_error, render, sort};
use peakdrill::{compile, scenario};

const BASE: &str = include_str!("mistakes/base.yaml");

const LOG: &str = r#"::1 - - [11/Nov/2026:20:00:00 +0800] "GET /products/7 HTTP/1.1" 200 9
::1 - - [11/Nov/2026:20:00:09 +0800] "GET /cart HTTP/1.1" 200 9
"#;

/// Every mistake of `text`, as it is and in each of its profiles, as `peakdrill check` finds them.
fn check(text: &[u8]) -> (Vec<Diagnostic>, Sources) {
    let mut sources = Sources::default();
    let mut load = |path: &str| match path {
        "drill.yaml" => Ok(text.to_vec()),
        "skus.csv" => Ok(b"id,price\na,5\nb,7\n".to_vec()),
        "access.log" => Ok(LOG.as_bytes().to_vec()),
        "part.yaml" => Ok(b"journeys:\n  browse: [{ get: /more, endpoint: shop }]\n".to_vec()),
        _ => Err("no such file".to_owned()),
    };
    let (files, mut found) = scenario::open(&mut sources, "drill.yaml", &mut load);
    for profile in [None].into_iter().chain(files.profiles().iter().map(|name| Some(name.as_str()))) {
        let (read, wrong) = files.read(&mut sources, profile, &[]);
        found.extend(wrong);
        let Some(read) = &read else { continue };
        let input =
            compile::Input { scenario: read, sources: &mut sources, entry: files.entry(), profile, unattended: false };
        match compile::compile(input, &mut load) {
            Ok(compiled) => found.extend(compiled.warnings),
            Err(wrong) => found.extend(wrong),
        }
    }
    sort(&mut found);
    (found, sources)
}

/// One mistake: a part of the sound scenario, and what stands there instead; `«` is where the mistake begins.
struct Case(&'static str, &'static str);

/// All that makes a scenario one of production, but for its block.
const PRODUCTION: &str = "environment: production\nproduction:\n  \
    approver: \"19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1\"\n  \
    window: { from: \"2026-11-11T02:00:00+08:00\", to: \"2026-11-11T04:00:00+08:00\" }\n  \
    most: { faults: 2, processes: 40%, rate: 400/s }\n";

const CASES: &[Case] = &[
    // How the file is written
    Case("peakdrill: 1\n", "«\u{feff}peakdrill: 1\n"),
    Case("name: base\n", "name: base«\r\n"),
    Case("  mark: {", "«\tmark: {"),
    Case("name: base\n", "name: base\n«name: again\n"),
    Case("vars: { peak: 100/s,", "vars: { peak: «&peak 100/s,"),
    Case("  smoke: { vars: {", "  smoke: { «<<: { seed: 5 }, vars: {"),
    Case("seed: 7", "seed: «!!int 7"),
    Case("limits: { shed: 20% }\n", "limits: { shed: 20% }\n«---\nname: two\n"),
    Case("title: { en: A sound drill,", "title: { «1: A sound drill,"),
    Case("rate: \"{{ vars.peak }}\"", "rate: «{{ vars.peak }}"),
    Case("[{ get: \"/orders/{{ order }}\",", "[{ get: /orders/«{{ order }},"),
    Case("name: base\n", "name: «\"base\n"),
    // Words and values
    Case("seed: 7", "«sede: 7"),
    Case("peakdrill: 1", "peakdrill: «2"),
    Case("«name: base\n", ""),
    Case("every: 500ms", "every: «500"),
    Case("for: 20s }", "for: «20 }"),
    Case("for: 20s }", "for: «20sec }"),
    Case("shed: 20% }", "shed: «0.2 }"),
    Case("kill: { process: store }", "«kil: { process: store }"),
    Case("kill: { process: store }", "kill: { «proces: store }"),
    Case("{ at: outage + 1s, for: 10s,", "{ at: outage + 1s, for: 10s, «until: outage + 5s,"),
    // When faults come, and how they end
    Case("lose-store: { at: outage + 1s, for: 10s,", "«lose-store: { for: 10s,"),
    Case("lose-store: { at: outage + 1s, for: 10s,", "«lose-store: { at: outage + 1s,"),
    Case(
        "lose-store: { at: outage + 1s, for: 10s,",
        "lose-store: { at: outage + 1s, «after: stop-node.healed, for: 10s,",
    ),
    Case("lose-store: { at: outage + 1s, for: 10s,", "lose-store: { after: «outage + 1s, for: 10s,"),
    Case("lose-store: { at: outage + 1s, for: 10s,", "lose-store: { at: «outage + 1s, until: outage + 1s,"),
    Case("lose-store: { at: outage + 1s, for: 10s,", "lose-store: { at: outage + 1s, until: «stop-node.healed,"),
    Case("lose-store: { at: outage + 1s, for: 10s,", "lose-store: { at: outage + 1s, for: 10s, «every: 12s,"),
    Case("lose-store: { at: outage + 1s, for: 10s,", "lose-store: { at: outage + 1s, for: 10s, «times: 2,"),
    Case("lose-store: { at: outage + 1s, for: 10s,", "lose-store: { at: outage + 1s, for: 10s, every: 12s, times: «1,"),
    Case("for: 5s, pause: {", "for: 5s, every: «5s, times: 2, pause: {"),
    Case("for: 5s, pause: {", "every: 6s, times: 2, «until: outage + 50s, pause: {"),
    Case("for: 5s, pause: {", "for: 5s, «undo: start, pause: {"),
    Case("for: 5s, pause: {", "«heal: platform, undo: start, pause: {"),
    Case("for: 10s, kill: {", "«heal: platform, kill: {"),
    Case("for: 10s, kill: {", "heal: «nobody, undo: none, kill: {"),
    Case("for: 10s, kill: {", "heal: platform, undo: «stop, kill: {"),
    Case("stop-node: { at: lose-store.healed + 20s,", "stop-node: { when: { measure: p95, «at-most: 1s, over: 5s },"),
    Case("stop-node: { at: lose-store.healed + 20s,", "stop-node: { when: { measure: p95, step: «place, above: 1s },"),
    Case(STOP, "storm: { of: [{ for: 1s, pause: { process: node_1 } }], budget: «0, every: 2s }"),
    Case(STOP, "storm: { of: «[], budget: 2, every: 2s }"),
    Case(STOP, "storm: { of: [«{ pause: { process: node_1 } }], budget: 2, every: 2s }"),
    Case(STOP, "storm: { of: [{ «at: 5s, for: 1s, pause: { process: node_1 } }], budget: 2, every: 2s }"),
    Case(STOP, "storm: { of: [{ for: 1s, pause: { process: «nod_1 } }], budget: 2, every: 2s }"),
    Case(STOP, "storm: { of: [{ for: 1s, pause: { process: node_1 } }], budget: 2, every: «0s }"),
    Case(STOP, "storm: { of: [{ for: 1s, pause: { process: node_1 } }], budget: 2, every: «1us }"),
    Case("for: 10s, kill: {", "heal: platform, «undo: { run: [a] }, kill: {"),
    Case(STOP, "«storm: { of: [{ for: 1s, pause: { process: node_1 } }], budget: 2 }"),
    Case(STOP, "«every: 6s, storm: { of: [{ for: 1s, pause: { process: node_1 } }], budget: 2, every: 2s }"),
    Case(
        "for: 5s, pause: { process: { any: node, pick: 1 } } }\n",
        "for: 5s, every: 6s, times: 2, pause: { process: node_1 } }\n  «stop-node_2: { at: 60s, for: 1s, burn: { cores: 1 } }\n",
    ),
    // In production
    Case(PRODUCTION, "environment: «生产\n"),
    Case("approver: \"19bf", "approver: «\"19b"),
    Case("window: { from: \"2026-11-11T02:00:00+08:00\"", "window: { from: «tonight"),
    Case("to: \"2026-11-11T04:00:00+08:00\"", "to: «\"2026-11-11T02:00:00+08:00\""),
    Case("to: \"2026-11-11T04:00:00+08:00\"", "to: «\"2026-11-11T02:01:00+08:00\""),
    Case("processes: 40%, rate", "processes: «120%, rate"),
    Case("most: { faults: 2, processes: 40%, rate: 400/s }", "«most: { faults: 2, processes: 40% }"),
    Case(
        "  cut: {",
        "  busy: { at: outage + 2s, for: 5s, burn: { cores: 1 } }\n  full: { at: «outage + 3s, for: 1s, fill-memory: { size: 1MiB } }\n  cut: {",
    ),
    Case("partition: { between: [cache, queue_1] } }", "partition: { between: «[cache, queue] } }"),
    Case(
        "  shoppers:\n    mix: { browse: 80, buy: 20 }\n    spacing: poisson\n    arrivals:\n",
        "  «shoppers:\n    mix: { browse: 80, buy: 20 }\n    spacing: poisson\n    arrivals:\n      - burst: { count: 500, spread: 0s }\n",
    ),
    Case(
        "  shoppers:\n    mix: { browse: 80, buy: 20 }\n",
        "  «more: { mix: { browse: 1 }, users: [{ hold: { users: 1, for: 9s } }] }\n  shoppers:\n    mix: { browse: 80, buy: 20 }\n",
    ),
    Case("- think: {", "- «open: {"),
    Case("at-least: 99%, over: 5s", "«above: 99%, over: 5s"),
    Case("below: 5%, over: 10s", "«at-least: 5%, over: 10s"),
    Case("measure: p95, step: place order", "measure: «lost-writes, step: place order"),
    Case("  «memory: { measure: memory, process: node_1,", "  «memory: { measure: memory,"),
    Case("pick: unique", "pick: «uniqe"),
    Case("    store: {", "    «Store: {"),
    Case("limits: {", "«ledgers: { orders: {} }\nlimits: {"),
    Case("calm: 30s", "calm: «30"),
    Case("smoke: { vars: { peak: 50/s }", "smoke: { vars: { peak: «50 }"),
    Case("smoke: { vars: { peak: 50/s }", "smoke: { vars: { peak: 50/s }, faults: { «lose-stor: null }"),
    // The emergency plan
    Case("decide: { after: lose-store.detected, by", "decide: { after: «lose-stor.detected, by"),
    Case("decide: { after: lose-store.detected, by", "decide: { after: «lose-store.done, by"),
    Case("decide: { after: lose-store.detected, by", "decide: { after: «outage, by"),
    Case("decide: { after: lose-store.detected, by", "decide: { at: «500s, by"),
    Case("decide: { after: lose-store.detected, by", "«decide: { by"),
    Case("decide: { after: lose-store.detected, by", "decide: { at: 30s, «after: lose-store.detected, by"),
    Case("decide: { after: lose-store.detected, by", "«decide: { after: switch.done, by"),
    Case("switch: { after: decide.done", "switch: { after: «switch.done"),
    Case("switch: { after: decide.done", "switch: { after: «deside.done"),
    Case("run: [sh, -c, \"true\"] }", "run: [sh, -c, \"true\"], «confirm: terminal }"),
    Case("switch: { after: decide.done + 5s, run: [sh, -c, \"true\"] }", "«switch: { after: decide.done + 5s }"),
    Case("confirm: { get: /healthz, endpoint: shop }", "confirm: «termnal"),
    Case("confirm: { get: /healthz, endpoint: shop }", "confirm: { get: «healthz, endpoint: shop }"),
    Case("confirm: { get: /healthz, endpoint: shop }", "confirm: { get: /healthz, endpoint: «shoop }"),
    Case(
        "confirm: { get: /healthz, endpoint: shop }, within: 1m",
        "confirm: { get: /healthz, endpoint: shop }, within: «0s",
    ),
    Case("action: decide,", "action: «decided,"),
    Case("acted: { measure: action-time, action: decide,", "«acted: { measure: action-time,"),
    Case("confirm: { alert: pager }", "confirm: { alert: «pagr }"),
    Case("confirm: { alert: pager }", "confirm: { alert: «health }"),
    Case("confirm: { alert: pager }", "confirm: { alert: pager, «endpoint: shop }"),
    Case("confirm: { alert: pager }", "confirm: { «alert: pager, get: /healthz }"),
    Case("confirm: { alert: pager }", "«confirm: {}"),
    Case("confirm: { alert: pager }", "«confirm: { endpoint: shop }"),
    // What waits for it
    Case("stop-node: { at: lose-store.healed + 20s", "stop-node: { at: «deside.done"),
    Case("stop-node: { at: lose-store.healed + 20s", "stop-node: { at: «lose-store.done"),
    Case("stop-node: { at: lose-store.healed + 20s", "stop-node: { at: «decide.healed"),
    Case("stop-node: { at: lose-store.healed + 20s", "stop-node: { at: «switch.done + 10m"),
    Case("stop-node: { at: lose-store.healed + 20s, for: 5s", "stop-node: { at: «switch.done + 90s, for: 5s"),
    Case("until: switch.done + 10s", "until: told.«don"),
    Case(
        "strain: { at: told.done + 5s, until: switch.done + 10s",
        "strain: { at: «told.done + 5s, until: switch.done + 2m",
    ),
    Case("lose-store: { at: outage + 1s", "lose-store: { at: «switch.done + 1s"),
    Case(
        "actions:\n",
        "  held: { at: 60s, until: «back.done, pause: { process: cache } }\nactions:\n  back: { after: held.healed, confirm: { alert: pager } }\n",
    ),
    Case(
        "actions:\n",
        "  held: { at: 80s, until: «back.done, pause: { process: cache } }\n  \
         killed: { at: 85s, for: 2s, kill: { process: cache } }\n\
         actions:\n  seen: { after: killed.ordered, confirm: { alert: pager } }\n  back: { after: seen.done, confirm: { alert: pager } }\n",
    ),
    // Watches
    Case(
        "{ prometheus: \"http://{{ process.node_1.address }}/metrics\"",
        "{ prometheus: «\"http://{{ process.node_1.address }}\"",
    ),
    Case("prometheus: \"http:", "prometheus: «\"ftp:"),
    Case("\"127.0.0.1:9099\"", "«\"0.0.0.0:9099\""),
    Case(
        "    pager: { alert: { listen: ",
        "    other: { alert: { listen: \"127.0.0.1:9099\" } }\n    pager: { alert: { listen: «",
    ),
    Case("{ host: true }", "{ host: «false }"),
    Case("{ host: true }", "{ host: «db_3 }"),
    Case("{ host: true }", "{ host: «5 }"),
    Case("of: shop.returned_total", "of: «machine.disk-reads"),
    Case("\"http://{{ process.node_1.address }}/metrics", "«\"http://10.0.0.1:80/metrics"),
    Case("returned_total, open]", "returned_total, «open-orders]"),
    Case("returned_total, open]", "returned_total, open, «open]"),
    Case("of: shop.returned_total", "of: «shop.retuned_total"),
    Case("to: shop.orders_total", "to: «shop.returned_total"),
    Case(
        "    returned: { ratio",
        "    «p95: { ratio: { of: shop.open, to: shop.orders_total } }\n    returned: { ratio",
    ),
    Case("measure: shop.open", "measure: «shop.opn"),
    Case("measure: returned", "measure: «retuned"),
    Case("measure: availability, at-least: 99% }\n  rto", "measure: «availabilty, at-least: 99% }\n  rto"),
    Case("phase: before, at-most: 3%", "phase: before, at-most: «3s"),
    Case("at-most: 40", "at-most: «40/s"),
    Case("at-most: 40", "at-most: 40, «step: view"),
    Case("below: 5%, over: 10s", "below: 5%, over: 10s }\n  pile: { measure: «shop.open, above: 40, over: 5s"),
    // References
    Case("mix: { browse: 80, buy: 20 }", "mix: { browse: 80, «by: 20 }"),
    Case(
        "  browse:\n    endpoint: shop\n",
        "  «idle: [{ get: /idle, endpoint: shop }]\n  browse:\n    endpoint: shop\n",
    ),
    Case("    endpoint: shop\n    steps:", "    endpoint: «shopp\n    steps:"),
    Case(
        "    - poll: { get: \"/orders/{{ order }}\", every: 100ms, within: 5s, until: { body: { $.state: { matches: \"^paid$\" } } } }\n      endpoint: shop\n",
        "    - poll: { «get: \"/orders/{{ order }}\", every: 100ms, within: 5s, until: { status: 200 } }\n",
    ),
    Case("at: outage + 1s", "at: «outrage + 1s"),
    Case("at: lose-store.healed + 20s", "at: «lose-shop.healed + 20s"),
    Case("at: lose-store.healed + 20s", "at: «stop-node.healed + 20s"),
    Case("kill: { process: store }", "kill: { process: «stoer }"),
    Case("kill: { process: store }", "kill: { process: «old }"),
    Case("{ process: node }", "{ process: «nodes }"),
    Case("step: place order, phase: before", "step: «place-order, phase: before"),
    Case("step: place order, phase: before", "step: place order, phase: «befor"),
    Case("recovery-time, fault: lose-store, to: ordering", "recovery-time, fault: lose-store, to: «order"),
    Case("recovery-time, fault: lose-store, to: ordering", "recovery-time, fault: «lose-it, to: ordering"),
    Case("{ csv: skus.csv,", "{ csv: «sku.csv,"),
    Case("peakdrill: 1\n", "include: [«gone.yaml]\npeakdrill: 1\n"),
    Case("journeys:\n  browse:\n", "include: [part.yaml]\njourneys:\n  «browse:\n"),
    // Templates
    Case("\"/products/{{ feed.sku.id }}\"", "\"/products/{{ feed.sku.id «| }}\""),
    Case("\"/products/{{ feed.sku.id }}\"", "\"/products/{{ «feed.sku.cost }}\""),
    Case("\"/products/{{ feed.sku.id }}\"", "\"/products/{{ «feed.skus.id }}\""),
    Case("{{ vars.path }}?page", "{{ «vars.pth }}?page"),
    Case("--store, \"{{ process.store.address }}\"", "--store, \"{{ «process.stor.address }}\""),
    Case("{ Idempotency-Key: \"{{ ref }}\" }", "{ Idempotency-Key: \"{{ «order }}\" }"),
    Case("capture: { order: $.id,", "capture: { «ref: $.x, order: $.id,"),
    Case("tag: { header: ETag }", "tag: { regex: «\"(\" }"),
    Case("tag: { header: ETag }", "tag: { cookie: «a b }"),
    Case("tag: { header: ETag }", "tag: { header: ETag, «index: 1 }"),
    Case("tag: { header: ETag }", "tag: { header: ETag, «cookie: tag }"),
    Case("      json: { sku:", "      «form: { a: b }\n      json: { sku:"),
    Case("name: view\n", "name: view\n        «form: { a: b }\n"),
    Case("    - repeat: {", "    - journey: «brows\n    - repeat: {"),
    Case("    - repeat: {", "    - journey: «buy\n    - repeat: {"),
    Case("    - repeat: {", "    - choose: «[]\n    - repeat: {"),
    Case("    - repeat: {", "    - group: { name: «list, steps: [{ get: /x, endpoint: shop }] }\n    - repeat: {"),
    Case("    - repeat: {", "    - group: { name: «idle, steps: [think: 1s] }\n    - repeat: {"),
    Case(
        "    - repeat: {",
        "    - group: { name: g, steps: [{ group: { name: «g, steps: [{ get: /x, endpoint: shop }] } }] }\n    - repeat: {",
    ),
    Case("measure: p95, step: place order", "measure: p95, group: «place order"),
    Case("measure: p95, step: place order", "measure: p95, group: «checkout"),
    // Files, figures, traces
    Case("json: { sku:", "body: { file: «none.bin }\n      # json: { sku:"),
    Case(
        "latency: { measure: p95, step: place order, phase: before, at-most: 500ms }",
        "latency: { measure: p95, figure: «tags, at-most: 500 }",
    ),
    Case("pay: { url: \"https://pay.example\",", "pay: { url: \"https://pay.example\", traceparent: «200%,"),
    // Tried again, and followed
    Case(
        "expect: { status: 201, shed: 429,",
        "retry: { times: 2, on: [503, «201] }\n      expect: { status: 201, shed: 429,",
    ),
    Case(
        "expect: { status: 201, shed: 429,",
        "retry: { times: 2, on: 503, up-to: «10ms }\n      expect: { status: 201, shed: 429,",
    ),
    Case("expect: { status: 201, shed: 429,", "«retry: { times: 2 }\n      expect: { status: 201, shed: 429,"),
    Case("expect: { status: 201, shed: 429,", "«follow: 3\n      expect: { status: [201, 3xx], shed: 429,"),
    Case(
        "    - repeat: {",
        "    - choose: [{ weight: «0, steps: [think: 1s] }, { weight: 1, steps: [think: 1s] }]\n    - repeat: {",
    ),
    Case(
        "    - repeat: {",
        "    - choose: [«{ steps: [think: 1s] }, { weight: 1, steps: [think: 1s] }]\n    - repeat: {",
    ),
    Case(
        "    - repeat: {",
        "    - choose:\n        - { weight: 1, steps: [let: { way: a }] }\n        - { weight: 1, steps: [think: 1s] }\n    - { get: \"/{{ «way }}\", endpoint: shop }\n    - repeat: {",
    ),
    Case("int(1, 50)", "«itn(1, 50)"),
    Case("rate: \"{{ vars.peak }}\"", "rate: «\"{{ int(1, 5) }}/s\""),
    // Connections
    Case("pay: { url: \"https://pay.example\",", "pay: { connections: { new: «130% }, url: \"https://pay.example\","),
    Case("pay: { url: \"https://pay.example\",", "pay: { connections: { new: «0.3 }, url: \"https://pay.example\","),
    Case(
        "pay: { url: \"https://pay.example\",",
        "pay: { connections: { per: visit, new: «30% }, url: \"https://pay.example\",",
    ),
    Case("pay: { url: \"https://pay.example\",", "pay: { connections: { age: «0s }, url: \"https://pay.example\","),
    Case(
        "pay: { url: \"https://pay.example\",",
        "pay: { connections: { source: [«eth0] }, url: \"https://pay.example\",",
    ),
    Case(
        "pay: { url: \"https://pay.example\",",
        "pay: { connections: { source: [10.0.0.1, «10.0.0.9-10.0.0.2] }, url: \"https://pay.example\",",
    ),
    Case(
        "pay: { url: \"https://pay.example\",",
        "pay: { connections: { source: «[10.0.0.0/16] }, url: \"https://pay.example\",",
    ),
    Case("pay: { url: \"https://pay.example\",", "pay: { connections: { source: «[] }, url: \"https://pay.example\","),
    Case(
        "pay: { url: \"https://pay.example\",",
        "pay: { connections: { «slow: { share: 5% } }, url: \"https://pay.example\",",
    ),
    Case(
        "pay: { url: \"https://pay.example\",",
        "pay: { connections: { slow: { share: 5%, rate: «10KB } }, url: \"https://pay.example\",",
    ),
    Case(
        "pay: { url: \"https://pay.example\",",
        "pay: { connections: { slow: { share: 5%, rate: «0B/s } }, url: \"https://pay.example\",",
    ),
    Case(
        "pay: { url: \"https://pay.example\",",
        "pay: { connections: { slow: { share: 5%, rate: «11MB/s } }, url: \"https://pay.example\",",
    ),
    Case(
        "pay: { url: \"https://pay.example\",",
        "pay: { connections: { slow: { share: «2x, rate: 10KB/s } }, url: \"https://pay.example\",",
    ),
    Case("allow: [127.0.0.0/8,", "allow: [127.0.0.0/8, «\"unix:run/shop.sock\","),
    Case("url: \"https://pay.example\"", "url: «\"unix:run/shop.sock\""),
    Case("url: \"https://pay.example\"", "url: «\"unix:/run/shop.sock\""),
    // Meaning
    Case("url: \"https://pay.example\"", "url: «\"https://evil.example\""),
    Case("allow: [127.0.0.0/8,", "allow: [«127.0.0.0/80,"),
    Case("matches: \"^paid$\"", "matches: «\"^(paid$\""),
    Case("order: $.id,", "order: \"$.a«[\","),
    Case("  buyer: { range: 1..1000000,", "  «buyer: { range: 1..100,"),
    Case("at: outage + 1s", "at: «after + 10m"),
    Case(
        "kill: { process: store } }\n",
        "kill: { process: store } }\n  again: { at: outage + 5s, for: 2s, pause: { process: «store } }\n",
    ),
    Case("at-most: 30s }", "at-most: «10m }"),
    Case("latency: { measure: p95,", "latency: { measure: «p99.99,"),
    Case("availability: { measure: availability, at-least: 99% }", "worst: { measure: «max, at-most: 5s }"),
    Case("post: /orders", "post: «orders"),
    Case("post: /orders", "post: «orders"),
    Case(
        "arrivals:\n      - ramp: { from: 0/s, to: \"{{ vars.peak }}\", for: 20s }\n      - hold: { rate: \"{{ vars.peak }}\", for:",
        "arrivals:\n      - «hold: { for:",
    ),
    Case("phase: after }", "phase: «before }"),
    // Mistakes that something else stands or falls with
    Case("tag: { header: ETag }", "tag: { «headr: ETag }"),
    Case("    - post: /orders\n", "    - «post: /orders\n      get: /orders\n"),
    Case("mix: { browse: 80, buy: 20 }", "mix: { browse: 80, buy: «-20 }"),
    Case("within: 30s }", "within: «0s }"),
    Case("ready: { get: /healthz } }", "ready: { get: /healthz, within: «0s } }"),
    Case("at: outage + 1s", "at: «outage +"),
    Case("{{ tag == 'x' }}", "{{ tag «= 'x' }}"),
    // Shapes of load
    Case("  shoppers:\n    mix: { browse: 80, buy: 20 }\n", "  «shoppers:\n"),
    Case("mix: { browse: 80, buy: 20 }", "«mxi: { browse: 80, buy: 20 }"),
    Case(HOLD, "- wave: { mean: 50/s, amplitude: «51/s, period: 10s, for: 60s, phase: after }"),
    Case(HOLD, "- wave: { mean: 50/s, amplitude: 50/s, period: «0s, for: 60s, phase: after }"),
    Case(HOLD, "- wave: { mean: 50/s, «amplitud: 50/s, period: 10s, for: 60s, phase: after }"),
    Case(HOLD, "- wave: { mean: 50/s, amplitude: «50%, period: 10s, for: 60s, phase: after }"),
    Case(HOLD, "- burst: { count: «0, spread: 1s }\n      - hold: { for: 60s, phase: after }"),
    Case(HOLD, "- burst: { count: «10%, spread: 1s }\n      - hold: { for: 60s, phase: after }"),
    Case(HOLD, "- «burst: { count: 10 }\n      - hold: { for: 60s, phase: after }"),
    Case(HOLD, "- burst: { count: 10, spread: 0s, «phase: rush }\n      - hold: { for: 60s, phase: after }"),
    Case(HOLD, "- hold: { for: 60s, phase: after }\n      - «burst: { count: 10, spread: 0s }"),
    Case(HOLD, "- «burst: { count: 10000000, spread: 1us }\n      - hold: { for: 60s, phase: after }"),
    Case(HOLD, "- file: { csv: «rates.csv, phase: after }"),
    Case(HOLD, "- file: { «rates: rates.csv, phase: after }"),
    Case("load:\n", "load:\n  old: { replay: { log: «acces.log, format: common, endpoint: shop } }\n"),
    Case("load:\n", "load:\n  old: { «replay: { log: access.log, format: common } }\n"),
    Case("load:\n", "load:\n  old: { replay: { log: access.log, format: common, endpoint: «shp } }\n"),
    Case("load:\n", "load:\n  old: { replay: { log: access.log, format: «apache, endpoint: shop } }\n"),
    Case("load:\n", "load:\n  old: { «spacing: even, replay: { log: access.log, format: common, endpoint: shop } }\n"),
    Case(
        "load:\n",
        "load:\n  old: { replay: { log: access.log, format: common, endpoint: shop, only: { methods: [«post] } } }\n",
    ),
    Case(
        "load:\n",
        "load:\n  old: { «replay: { log: access.log, format: common, endpoint: shop, only: { methods: [head] } } }\n",
    ),
    Case("load:\n", "load:\n  old: { replay: { log: access.log, format: common, endpoint: shop, speed: «2/s } }\n"),
    Case(
        "load:\n",
        "load:\n  old: { «replay: { log: access.log, format: common, endpoint: shop, names: { \"/cart\": place order } } }\n",
    ),
    // Networks, and what is wrong in them
    Case("subnet: 198.18.7.0/24", "subnet: «198.18.7.1/24"),
    Case("subnet: 198.18.7.0/24", "subnet: «198.18.7.0/30"),
    Case("subnet: 198.18.7.0/24", "subnet: «10.0.0.0/24"),
    Case("outer: {} }", "outer: { subnet: «198.18.7.128/25 } }"),
    Case("outer: {} }", "outer: { subnet: «198.19.0.0/24 } }"),
    Case("queue: { count: 2,", "queue: { count: 2, dir: work, env: { A: \"{{ «process.store.address }}\" },"),
    Case("network: inner }", "network: «iner }"),
    Case("old: { attach: { port: 8099 } }", "old: { attach: { port: 8099 }, «network: inner }"),
    Case("partition: { between: [cache, queue_1] }", "partition: { between: «[cache] }"),
    Case("partition: { between: [cache, queue_1] }", "partition: { between: [cache, «store] }"),
    Case("partition: { between: [cache, queue_1] }", "partition: { between: [queue, «queue_1] }"),
    Case("partition: { between: [cache, queue_1] }", "partition: { between: [cache, «queu_1] }"),
    Case("partition: { between: [cache, queue_1] }", "partition: { between: [cache, queue_1] }, «share: 30%"),
    Case("partition: { between: [cache, queue_1] }", "drop: { between: [cache, queue_1], share: «0% }"),
    Case("partition: { between: [cache, queue_1] }", "«drop: { between: [cache, queue_1] }"),
    Case("partition: { between: [cache, queue_1] }", "reset: { between: [cache, queue_1], «after: 1s }"),
    Case("partition: { between: [cache, queue_1] }", "reset: { between: [cache, queue_1] }, «only: { first: 1 }"),
    Case("partition: { between: [cache, queue_1] }", "refuse: { between: [cache, queue_1] }, «direction: up"),
    Case("partition: { between: [cache, queue_1] }", "refuse: { link: pay, «between: [cache, queue_1] }"),
    Case("partition: { between: [cache, queue_1] }", "throttle: { process: «store, rate: 1KB/s }"),
    Case(
        "partition: { between: [cache, queue_1] }",
        "delay: { process: cache, latency: 1s, jitter: 1ms, spread: «exponential }",
    ),
    Case(
        "partition: { between: [cache, queue_1] } }\n",
        "partition: { between: [cache, queue_1] } }\n  more: { at: outage + 16s, for: 2s, drop: { between: «[queue, cache], share: 1% } }\n",
    ),
    // Names, and what is wrong with how they are answered
    Case("[cache.shop.internal]", "[«cache shop]"),
    Case("[cache.shop.internal]", "[cache.shop.internal, «Queue]"),
    Case("[cache.shop.internal]", "«[]"),
    Case("clock: skewable, run", "clock: skewable, «names: [shop], run"),
    Case("old: { attach: { port: 8099 } }", "old: { attach: { port: 8099 }, «names: [old] }"),
    Case("address }}\" } }\n  containers", "address }}\", names: [cache_1.x, «cache] } }\n  containers"),
    Case("address }}\" } }\n  containers", "address }}\", listen: 127.0.0.1:9998, «names: [pay] } }\n  containers"),
    Case("partition: { between: [cache, queue_1] }", "break-dns: { process: «store, answer: missing }"),
    Case("partition: { between: [cache, queue_1] }", "break-dns: { process: queue, names: [«cach], answer: missing }"),
    Case(
        "partition: { between: [cache, queue_1] }",
        "break-dns: { process: queue, names: [cache, «Cache], answer: wrong }",
    ),
    Case("partition: { between: [cache, queue_1] }", "break-dns: { process: queue, answer: «none }"),
    Case("partition: { between: [cache, queue_1] }", "break-dns: { process: queue, answer: wrong, «latency: 1s }"),
    Case("partition: { between: [cache, queue_1] }", "break-dns: { process: queue, latency: «0s }"),
    Case("partition: { between: [cache, queue_1] }", "«break-dns: { process: queue }"),
    Case("partition: { between: [cache, queue_1] }", "break-dns: { process: queue, answer: wrong }, «direction: up"),
    Case(
        "partition: { between: [cache, queue_1] } }\n",
        "break-dns: { process: queue, answer: wrong } }\n  more: { at: outage + 16s, for: 2s, break-dns: { process: «queue_2, names: [cache], answer: failed } }\n",
    ),
    // Links, and what is wrong with them
    Case(STOP, "delay: { link: «payy, latency: 1s }"),
    Case(STOP, "respond: { link: «pay, status: 503 }"),
    Case(STOP, "delay: { link: pay, latency: «0s }"),
    Case(STOP, "throttle: { link: pay, rate: «0B/s }"),
    Case(STOP, "delay: { link: pay, latency: 1s }, share: «0%"),
    Case(STOP, "refuse: { link: pay }, «share: 5%"),
    Case(STOP, "pause: { process: node_1 }, «share: 5%"),
    Case(STOP, "delay: { link: «pay, latency: 1s }, only: { first: 3 }"),
    Case(STOP, "delay: { link: pay, latency: 1s, «spread: normal }"),
    Case(STOP, "corrupt: { link: [pay, «pay] }"),
    Case(STOP, "hang: { link: { any: link, pick: «2 } }"),
    Case(STOP, "slice: { link: pay, size: 10B, vary: «11B }"),
    Case("env: { WORKERS: 2 }", "env: { WORKERS: \"{{ «link.payy.address }}\" }"),
    Case("env: { WORKERS: 2 }", "env: { WORKERS: \"{{ «link.pay.addres }}\" }"),
    Case("to: \"{{ process.store.address }}\"", "to: «\"10.0.0.1:80\""),
    Case("to: \"{{ process.store.address }}\"", "to: «\"127.0.0.1\""),
    Case("to: \"{{ process.store.address }}\"", "to: \"{{ «link.pay.address }}\""),
    Case(STOP, "crash-loop: { process: node_1, every: «0s }"),
    Case(STOP, "«crash-loop: { process: node_1 }"),
    Case(STOP, "restart: { process: «old }"),
    Case(STOP, "restart: { process: [node, «node_1] }"),
    Case(STOP, "exhaust-files: { process: «stroe }"),
    Case(STOP, "out-of-memory: { process: «old }"),
    Case(STOP, "slow-start: { process: node_1, by: «0s }"),
    Case(STOP, "slow-start: { process: node_1, by: «5s }"),
    Case(STOP, "«slow-start: { process: node_1 }"),
    Case(STOP, "slow-start: { process: «old, by: 1s }"),
    Case(STOP, "skew-clock: { process: «node_1, by: 1h }"),
    Case(STOP, "skew-clock: { process: store, by: «1h30 }"),
    Case(STOP, "skew-clock: { process: store, by: «-1s }"),
    Case("attach: { port: 8099 }", "attach: { port: 8099 }, «clock: skewable"),
    Case("clock: skewable", "clock: «skewed"),
    Case(STOP, "slow-disk: { process: «node, write: 1MiB/s }"),
    Case(STOP, "slow-disk: { process: store, write: «1KiB/s }"),
    Case(STOP, "slow-disk: { process: store, write: «1MiB }"),
    Case(STOP, "«slow-disk: { process: store, read: 1MiB/s }"),
    Case(STOP, "«kill: {}"),
    Case(STOP, "pause: { process: store, «container: db }"),
    Case(STOP, "pause: { container: «dbs }"),
    Case(STOP, "disconnect: { «process: store }"),
    Case(STOP, "disconnect: { container: db }, «share: 5%"),
    Case(STOP, "crash-loop: { «container: db, every: 1s }"),
    Case(STOP, "kill: { container: { any: container, pick: «2 } }"),
    Case(
        "partition: { between: [cache, queue_1] } }\n",
        "pause: { container: db } }\n  twice: { at: outage + 16s, for: 2s, kill: { container: «db } }\n",
    ),
    Case("db: { name: shop-db }", "«db: {}"),
    Case("db: { name: shop-db }", "db: { name: «/shop-db }"),
    Case("db: { name: shop-db }", "db: { name: shop-db, socket: «docker.sock }"),
    Case("db: { name: shop-db }", "db: { name: shop-db }, other: { name: «shop-db }"),
    // Hosts
    Case("hosts: { db_1: { address: 127.0.0.21,", "hosts: { db_1: { address: «10.0.0.21,"),
    Case("hosts: { db_1: { address: 127.0.0.21,", "hosts: { db_1: { address: «pay.example,"),
    Case("hosts: { db_1: { address: 127.0.0.21,", "hosts: { db_1: { address: «ops@127.0.0.21,"),
    Case("hosts: { db_1: { address: 127.0.0.21,", "hosts: { db_1: { address: «\"127.0.0.21:22\","),
    Case("hosts: { db_1: { address: 127.0.0.21,", "hosts: { db_1: { address: «\"-oProxyCommand=x\","),
    Case("hosts: { db_1: { address: 127.0.0.21,", "hosts: { «db_1: {"),
    Case("via: [ssh, ops@127.0.0.21]", "via: «[]"),
    Case("via: [ssh, ops@127.0.0.21]", "via: «ssh"),
    Case("via: [ssh, ops@127.0.0.21]", "via: [ssh, «\"{{ process.store.host }}\"]"),
    Case("via: [ssh, ops@127.0.0.21]", "program: «\"peakdrill; true\""),
    Case("via: [ssh, ops@127.0.0.21]", "folder: «tmp"),
    Case("via: [ssh, ops@127.0.0.21]", "«user: ops"),
    Case(STOP, "burn: { cores: 1, host: «db_3 }"),
    Case(STOP, "burn: { cores: «0, host: db_1 }"),
    Case(STOP, "fill-memory: { size: 1MiB, host: «store }"),
    Case(STOP, "fill-disk: { size: 1MiB, host: «db }"),
    Case(STOP, "fill-disk: { «host: db_1, size: 1MiB, process: store }"),
    Case(STOP, "«fill-disk: { size: 1MiB }"),
    Case(STOP, "slow-disk: { «host: db_1, write: 1MiB/s }"),
    Case(STOP, "burn: { cores: «0 }"),
    Case(STOP, "fill-memory: { size: «0B }"),
    Case(STOP, "fill-disk: { process: «node, size: 1MiB }"),
    Case(STOP, "fill-disk: { process: «old, size: 1MiB }"),
    Case(STOP, "«run: { do: [a], undo: [b] }"),
    Case(STOP, "run: { do: [a], undo: [b, «\"{{ secret.KEY }}\"], check: [c] }"),
    Case(STOP, "run: { do: [a], undo: [b], check: [c], within: «0s }"),
    Case(STOP, "burn: { cores: 1 }, «share: 5%"),
    Case("  endpoints:\n", "  toxiproxy: { listen: «0.0.0.0:8474 }\n  endpoints:\n"),
    Case("  endpoints:\n", "  toxiproxy: { listen: «localhost }\n  endpoints:\n"),
    Case("  endpoints:\n", "  «toxiproxy: {}\n  endpoints:\n"),
    Case(
        "  links: { pay: { to: \"{{ process.store.address }}\" } }\n",
        "  links: { pay: { to: \"{{ process.store.address }}\", listen: \"127.0.0.1:7\" } }\n  toxiproxy: { listen: «\"127.0.0.1:7\" }\n",
    ),
    Case(
        "  links: { pay: { to: \"{{ process.store.address }}\" } }\n",
        "  toxiproxy: «{ listen: \"127.0.0.1:8474\" }\n",
    ),
    // What could never be decided, or would be something else than it says
    Case("range: 1..1000000", "range: «\"-1..9223372036854775807\""),
    Case("shop: \"http://{{ process.node_1.address }}\"", "shop: \"http://{{ «process.node.address }}\""),
    Case(
        "availability: { measure: availability, at-least: 99% }",
        "down: { measure: downtime, «endpoint: shop, at-most: 1s }",
    ),
    Case(
        "rto: { measure: recovery-time, fault: lose-store,",
        "rto: { measure: recovery-time, «phase: before, fault: lose-store,",
    ),
    Case("p95, step: place order, phase: before,", "p95, journey: buy, «timing: service, phase: before,"),
    Case("limits: { shed: 20% }", "limits: { shed: 20%, drain: «31s }"),
];

/// A fault of the sound scenario.
const STOP: &str = "pause: { process: { any: node, pick: 1 } }";

/// The last stage of the sound scenario.
const HOLD: &str = "- hold: { for: 60s, phase: after }";

/// The text with the mistake in it, and its line and column.
fn planted(Case(from, to): &Case) -> (String, usize, usize) {
    let from = from.replace('«', "");
    assert_eq!(BASE.matches(&from).count(), 1, "stands there once: {from}");
    let text = BASE.replacen(&from, to, 1);
    let at = text.find('«').unwrap_or(0);
    let before = text.get(..at).unwrap_or("");
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (text.replace('«', ""), line, column)
}

#[test]
fn the_sound_scenario_has_no_mistake() {
    let (found, sources) = check(BASE.as_bytes());
    assert_eq!(render(&found, &sources, Style::default()), "");
}

#[test]
fn one_mistake_is_said_once_and_at_its_place() {
    let mut said = String::new();
    let mut wrong = String::new();
    for case in CASES {
        let (text, line, column) = planted(case);
        let (found, sources) = check(text.as_bytes());
        let shown = render(&found, &sources, Style::default());
        let places: Vec<_> =
            found.iter().map(|d| sources.place(d.mark)).map(|place| (place.line, place.column)).collect();
        if places != [(line, column)] || !any_error(&found) {
            let _ = writeln!(wrong, "#### {}\nwanted {line}:{column}, one error\n{shown}", case.1);
        }
        let _ = writeln!(said, "{shown}");
    }
    assert!(wrong.is_empty(), "{wrong}");
    insta::assert_snapshot!(said);
}
