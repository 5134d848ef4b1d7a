//! This engine, in a child: kept busy without a schedule, or held to one. What it measured is printed as JSON.
#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use peakdrill::base::clock::Clock;
use peakdrill::base::units::{Share, Span};
use peakdrill::load::{Crews, Feeds, News, Options, Setting, saturate};
use peakdrill::plan::{LegId, Plan};
use peakdrill::record::{Book, Latency, Window};
use peakdrill::wire::Door;
use serde_json::{Map, Value, json};

use super::Failed;

/// A plan for one endpoint, as a scenario would come to.
fn plan(journey: &str, url: &str, rate: f64, warm: usize, seconds: u64) -> Result<Plan, Failed> {
    let request = |step: u32, method: &str, path: &str| {
        json!({ "request": {
            "step": step, "endpoint": 0, "method": method, "path": path, "query": [], "headers": [], "body": null,
            "timeout": 30_000_000_000u64, "on_failure": "end", "captures": [],
            "expect": { "status": [], "shed": [], "body": [], "contains": [], "headers": [], "within": null },
        } })
    };
    let (steps, actions) = match journey {
        "constant" => (1, json!([request(0, "GET", "/")])),
        _ => {
            let mut place = request(0, "POST", "/order?page={{ int(1, 50) }}");
            place["request"]["body"] =
                json!({ "json": { "sku": "{{ feed.sku }}", "quantity": 1, "ref": "{{ uuid() }}" } });
            place["request"]["headers"] = json!([["Idempotency-Key", "{{ seeded_uuid() }}"]]);
            place["request"]["captures"] = json!([{ "name": "order", "from": { "json": "$.id" }, "secret": false }]);
            place["request"]["expect"]["body"] = json!([["$.state", { "equals": "placed" }]]);
            (2, json!([place, request(1, "GET", "/order/{{ order }}")]))
        }
    };
    let step = |name: u32| json!({ "name": format!("step {name}"), "title": {}, "within": null, "bounds": [] });
    let series = |step: u32| json!({ "load": 0, "journey": 0, "step": step });
    Ok(serde_json::from_value(json!({
        "version": 1,
        "about": { "name": "bench", "title": {}, "description": {}, "purpose": {}, "scope": {}, "emergency_plan": null,
                   "owner": {}, "people": [], "environment": {}, "differs_from_production": {} },
        "seed": 618, "profile": null, "vars": {},
        "platform": {
            "allow": [{ "network": { "address": "127.0.0.0", "prefix": 8 } }], "mark": { "header": "X-Drill-Run", "value": "bench" },
            "processes": [], "watches": [],
            "endpoints": [{ "name": "nginx", "title": {}, "url": url, "headers": [], "tls": { "ca": null, "server_name": null },
                            "connections": { "max": 5000, "queue": 5000, "per": "shared", "warm": warm } }],
        },
        "prepare": [], "cleanup": [],
        "feeds": [{ "name": "sku", "data": { "range": { "from": 1, "to": 5000 } }, "pick": { "zipf": { "exponent": 1.1 } },
                    "secret": [], "rows": 5000 }],
        "steps": (0..steps).map(step).collect::<Vec<_>>(),
        "journeys": [{ "name": journey, "title": {}, "cookies": true, "actions": actions }],
        "loads": [{ "name": "bench", "title": {}, "mix": [[0, 1.0]], "spacing": "even", "start": 0,
                    "stages": [{ "kind": { "hold": { "rate": rate, "span": Span::seconds(seconds) } }, "phase": null }] }],
        "series": (0..steps).map(series).collect::<Vec<_>>(),
        "phases": [], "faults": [], "steady_states": [], "aborts": [], "targets": [],
        "limits": { "patience": Span::seconds(5), "shed": null, "down_below": Share(0.5), "drain": Span::seconds(5),
                    "lag": Span::millis(10) },
        "end": Span::seconds(seconds),
    }))?)
}

fn setting(plan: Plan, hyper: bool) -> Result<Setting, Failed> {
    let folder = Path::new(".");
    let door = Door::new(&Clock::start(), &plan.platform.allow, folder);
    let door = if hyper { door.by_hyper() } else { door };
    let feeds = Feeds::read(&plan, folder, Default::default())?;
    let mut constants = Map::new();
    constants.insert("run".to_owned(), json!({ "id": "bench" }));
    constants.insert("vars".to_owned(), Value::Object(Map::new()));
    Ok(Setting {
        plan: Arc::new(plan),
        run: "bench".to_owned(),
        constants: Arc::new(constants),
        feeds,
        door,
        // No load of these is of users.
        program: PathBuf::new(),
        files: PathBuf::new(),
    })
}

/// Keeps `connections` busy, and prints how many requests were ok; anything else is an error.
pub(crate) fn saturated(
    journey: &str,
    speaker: &str,
    connections: usize,
    seconds: u64,
    url: &str,
) -> Result<(), Failed> {
    let setting = setting(plan(journey, url, 1.0, 0, seconds)?, speaker == "hyper")?;
    let windows = saturate(&setting, connections, Span::seconds(seconds))?;
    println!("{}", report(&windows)?);
    Ok(())
}

/// One worker's `rate` evenly spaced arrivals a second.
pub(crate) fn scheduled(rate: f64, spin: &str, seconds: u64, url: &str) -> Result<(), Failed> {
    let setting = setting(plan("constant", url, rate, 50, seconds)?, false)?;
    let spin = match spin {
        "spin" => Some(true),
        "sleep" => Some(false),
        _ => None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let windows = runtime.block_on(async {
        let mut crews = Crews::start(&setting, Options { workers: Some(1), spin }).await?;
        crews.begin(setting.door.clock().now() + Span::millis(20));
        let mut windows = Vec::new();
        while let Some(news) = crews.news().await {
            match news {
                News::Window { window, .. } => windows.push(*window),
                News::Idle { .. } => crews.finish(),
                News::Broken { .. } => return Err(Failed::from("the worker broke")),
            }
        }
        Ok(windows)
    })?;
    println!("{}", report(&windows)?);
    Ok(())
}

fn report(windows: &[Window]) -> Result<Value, Failed> {
    let cells = || windows.iter().flat_map(|window| &window.cells).filter(|cell| cell.book == Book::Leg(LegId(0)));
    let (mut lag, mut response) = (Latency::new(), Latency::new());
    windows.iter().for_each(|window| lag.add(&window.health.lag));
    cells().for_each(|cell| response.add(&cell.response));
    let ok: u64 = cells().map(|cell| cell.counts.ok).sum();
    let bad: u64 = cells().map(|cell| cell.counts.base() - cell.counts.ok).sum();
    if bad > 0 {
        return Err(format!("{bad} requests failed").into());
    }
    let at = |of: &Latency, q: f64| {
        let rank = (of.count() as f64 * q / 100.0).ceil() as u64;
        of.at_rank(rank).map(Span::as_seconds_f64)
    };
    let micros = |q| at(&lag, q).map(|seconds| seconds * 1e6);
    let millis = |q| at(&response, q).map(|seconds| seconds * 1e3);
    let sum = |of: fn(&Window) -> Span| windows.iter().map(|window| of(window).as_seconds_f64()).sum::<f64>();
    Ok(json!({
        "requests": ok,
        "cpu": sum(|window| window.health.cpu),
        "spun": sum(|window| window.health.spun),
        "lag": { "50": micros(50.0), "99": micros(99.0) },
        "response": {
            "50": millis(50.0), "75": millis(75.0), "90": millis(90.0), "95": millis(95.0), "99": millis(99.0),
        },
    }))
}
