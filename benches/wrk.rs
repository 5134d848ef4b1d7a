//! What a request costs: wrk and this engine against the same nginx, at saturation, in interleaved pairs; and what the
//! schedule adds to it. `cargo bench --bench wrk` writes `benches/RESULTS.md`. It needs `nginx`, `wrk` and `taskset`.
//!
//! Every trial is a child of its own, whose user and system time is read once it has ended, the same for both.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use peakdrill::base::clock::Clock;
use peakdrill::base::host;
use peakdrill::base::units::{At, Share, Span};
use peakdrill::load::{Crews, Feeds, News, Options, Setting, saturate};
use peakdrill::plan::Plan;
use peakdrill::record::{Book, Latency, Window};
use peakdrill::wire::Door;
use serde_json::{Map, Value, json};

const PAIRS: usize = 7;
const CONNECTIONS: usize = 50;
const SECONDS: u64 = 5;
/// Of each schedule; the median of each figure stands.
const TRIALS: usize = 3;

type Failed = Box<dyn std::error::Error>;

fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["saturate", journey, url] => saturated(journey, url),
        ["schedule", rate, spin, url] => scheduled(rate.parse()?, *spin == "spin", url),
        _ => compare(),
    }
}

// ---- The two sides of a trial

/// What one trial brought.
#[derive(Debug, Clone, Copy)]
struct Trial {
    requests: f64,
    /// User and system seconds.
    cpu: f64,
    seconds: f64,
}

impl Trial {
    /// Microseconds of CPU for each request.
    fn cost(self) -> f64 {
        self.cpu / self.requests * 1e6
    }
}

fn wrk(url: &str, core: &str) -> Result<Trial, Failed> {
    let mut command = Command::new("taskset");
    command.args(["-c", core, "wrk", "-t1", &format!("-c{CONNECTIONS}"), &format!("-d{SECONDS}s"), url]);
    let (output, cpu) = timed(&mut command)?;
    let line = output.lines().find(|line| line.contains(" requests in ")).ok_or("wrk said nothing")?;
    let requests: f64 = line.trim().split(' ').next().ok_or("wrk said nothing")?.parse()?;
    Ok(Trial { requests, cpu, seconds: SECONDS as f64 })
}

fn ours(journey: &str, url: &str, core: &str) -> Result<Trial, Failed> {
    let mut command = Command::new("taskset");
    command.args(["-c", core]).arg(std::env::current_exe()?).args(["saturate", journey, url]);
    let (output, cpu) = timed(&mut command)?;
    Ok(Trial { requests: output.trim().parse()?, cpu, seconds: SECONDS as f64 })
}

/// What a program prints, and its user and system seconds.
fn timed(command: &mut Command) -> Result<(String, f64), Failed> {
    let before = children_cpu()?;
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{command:?} failed").into());
    }
    Ok((String::from_utf8(output.stdout)?, children_cpu()? - before))
}

/// User and system seconds of all children that have ended, to the hundredth.
fn children_cpu() -> Result<f64, Failed> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after = stat.rsplit_once(") ").ok_or("no stat")?.1;
    let fields: Vec<f64> = after.split(' ').map(|field| field.parse().unwrap_or(0.0)).collect();
    Ok((fields.get(13).unwrap_or(&0.0) + fields.get(14).unwrap_or(&0.0)) / 100.0)
}

// ---- Ours, in a child

/// A plan for one endpoint, as a scenario would come to.
fn plan(journey: &str, url: &str, rate: f64) -> Result<Plan, Failed> {
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
                            "connections": { "max": 5000, "queue": 5000, "per": "shared", "warm": CONNECTIONS } }],
        },
        "prepare": [], "cleanup": [],
        "feeds": [{ "name": "sku", "data": { "range": { "from": 1, "to": 5000 } }, "pick": { "zipf": { "exponent": 1.1 } },
                    "secret": [], "rows": 5000 }],
        "steps": (0..steps).map(step).collect::<Vec<_>>(),
        "journeys": [{ "name": journey, "title": {}, "cookies": true, "actions": actions }],
        "loads": [{ "name": "bench", "title": {}, "mix": [[0, 1.0]], "spacing": "even", "start": 0,
                    "stages": [{ "kind": { "hold": { "rate": rate, "span": SECONDS * 1_000_000_000 } }, "phase": null }] }],
        "series": (0..steps).map(series).collect::<Vec<_>>(),
        "phases": [], "faults": [], "steady_states": [], "aborts": [], "targets": [],
        "limits": { "patience": Span::seconds(5), "shed": null, "down_below": Share(0.5), "drain": Span::seconds(5),
                    "lag": Span::millis(10) },
        "end": SECONDS * 1_000_000_000,
    }))?)
}

fn setting(plan: Plan) -> Result<Setting, Failed> {
    let folder = Path::new(".");
    let door = Door::new(&Clock::start(), &plan.platform.allow, folder);
    let feeds = Feeds::read(&plan, folder)?;
    let mut constants = Map::new();
    constants.insert("run".to_owned(), json!({ "id": "bench" }));
    constants.insert("vars".to_owned(), Value::Object(Map::new()));
    Ok(Setting { plan: Arc::new(plan), run: "bench".to_owned(), constants: Arc::new(constants), feeds, door })
}

/// Prints how many requests were ok; anything else is an error.
fn saturated(journey: &str, url: &str) -> Result<(), Failed> {
    let setting = setting(plan(journey, url, 1.0)?)?;
    let windows = saturate(&setting, CONNECTIONS, Span::seconds(SECONDS))?;
    println!("{}", ok_of(&windows)?);
    Ok(())
}

fn ok_of(windows: &[Window]) -> Result<u64, Failed> {
    let cells = || windows.iter().flat_map(|window| &window.cells).filter(|cell| cell.book == Book::Phase(None));
    let bad: u64 = cells().map(|cell| cell.counts.base() - cell.counts.ok).sum();
    if bad > 0 {
        return Err(format!("{bad} requests failed").into());
    }
    Ok(cells().map(|cell| cell.counts.ok).sum())
}

/// Prints requests, the worker's CPU in seconds without spinning, spinning in seconds, and the lag's p50 and p99 in
/// microseconds.
fn scheduled(rate: f64, spin: bool, url: &str) -> Result<(), Failed> {
    let setting = setting(plan("constant", url, rate)?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let windows = runtime.block_on(async {
        let mut crews = Crews::start(&setting, Options { workers: Some(1), spin: Some(spin) }).await?;
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
    let mut lag = Latency::new();
    windows.iter().for_each(|window| lag.add(&window.health.lag));
    let spun: f64 = windows.iter().map(|window| window.health.spun.as_seconds_f64()).sum();
    let at = |q: f64| lag.at_rank((lag.count() as f64 * q).ceil() as u64).unwrap_or_default().as_micros();
    let cpu: f64 = windows.iter().map(|window| window.health.cpu.as_seconds_f64()).sum();
    println!("{} {cpu} {spun} {} {}", ok_of(&windows)?, at(0.5), at(0.99));
    Ok(())
}

// ---- The comparison

struct Nginx {
    child: Child,
    folder: tempfile::TempDir,
}

impl Nginx {
    fn start(core: &str, port: u16) -> Result<Nginx, Failed> {
        let folder = tempfile::tempdir()?;
        let place = folder.path().display();
        let order = r#"{"id":"o-17","state":"placed","amount":17}"#;
        let config = format!(
            "daemon off; worker_processes 1; pid {place}/pid; error_log {place}/error.log crit;
             events {{ worker_connections 8192; }}
             http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {place}/body;
               proxy_temp_path {place}/p; fastcgi_temp_path {place}/f; uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;
               server {{ listen 127.0.0.1:{port}; default_type application/json;
                 location / {{ return 200 '{{\"ok\":true}}'; }} location /order {{ return 200 '{order}'; }} }} }}"
        );
        let file = folder.path().join("nginx.conf");
        fs::write(&file, config)?;
        let child = Command::new("taskset").args(["-c", core, "nginx", "-c"]).arg(&file).spawn()?;
        let clock = Clock::start();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if clock.now() > At(10_000_000_000) {
                return Err("nginx does not listen".into());
            }
            clock.block_for(Span::millis(10));
        }
        Ok(Nginx { child, folder })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master stops its worker when it is told to quit; KILL would leave the worker behind.
        if let Ok(pid) = fs::read_to_string(self.folder.path().join("pid")) {
            let _ = Command::new("kill").args(["-TERM", pid.trim()]).status();
        }
        let _ = self.child.wait();
    }
}

fn compare() -> Result<(), Failed> {
    let cores = std::thread::available_parallelism()?.get();
    let (server_core, core) = if cores > 1 { ("0", "1") } else { ("0", "0") };
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let _nginx = Nginx::start(server_core, port)?;
    let url = format!("http://127.0.0.1:{port}");
    let mut report = format!(
        "# What a request costs\n\n\
         Written by `cargo bench --bench wrk` on a machine of {cores} cores, Linux {}: nginx on core {server_core}, the \
         generator on core {core}, {CONNECTIONS} kept connections over loopback, {PAIRS} interleaved pairs of {SECONDS} s. \
         Trust the ratios, not the absolutes.\n\n\
         ## At saturation, without a schedule\nUser and system time of the generator over completed requests.\n\n\
         | | requests/s | CPU µs a request | of wrk's efficiency: median (range) |\n|---|---|---|---|\n",
        host::machine().kernel.split('.').take(2).collect::<Vec<_>>().join(".")
    );
    for (name, journey) in
        [("a constant GET", "constant"), ("two templated steps, JSON body, capture, expectation", "templated")]
    {
        let (mut theirs, mut own) = (Vec::new(), Vec::new());
        for pair in 0..PAIRS {
            let mut one_of_each = [pair % 2 == 0, pair % 2 != 0];
            for first in &mut one_of_each {
                if *first { theirs.push(wrk(&url, core)?) } else { own.push(ours(journey, &url, core)?) }
            }
            eprintln!("{name}, pair {}: wrk {:.2} µs, ours {:.2} µs", pair + 1, theirs[pair].cost(), own[pair].cost());
        }
        let ratios: Vec<f64> = theirs.iter().zip(&own).map(|(wrk, ours)| wrk.cost() / ours.cost()).collect();
        let row = |name: &str, trials: &[Trial], ratio: &str| {
            let rate = median(trials.iter().map(|trial| trial.requests / trial.seconds));
            let cost = median(trials.iter().map(|trial| trial.cost()));
            format!("| {name} | {rate:.0} | {cost:.2} | {ratio} |\n")
        };
        report.push_str(&row("wrk", &theirs, "1.00"));
        let (low, high) = (ratios.iter().copied().fold(f64::MAX, f64::min), ratios.iter().copied().fold(0.0, f64::max));
        let ratio = format!("**{:.2}** ({low:.2} to {high:.2})", median(ratios.iter().copied()));
        report.push_str(&row(name, &own, &ratio));
    }
    report.push_str(
        "\n## The cost of the schedule\nOne worker, evenly spaced arrivals of a constant GET; the median of three trials. Between two arrivals the worker sleeps, so \
         each request pays for waking up twice: that is most of the difference to the table above. Lag: released − planned.\n\n\
         | rate | spin | CPU µs a request | spinning, of a core | lag p50 µs | lag p99 µs |\n|---|---|---|---|---|---|\n",
    );
    for rate in ["1000", "5000", "20000"] {
        for spin in ["spin", "no spin"] {
            let mut trials = Vec::new();
            for _ in 0..TRIALS {
                let mut command = Command::new("taskset");
                command.args(["-c", core]).arg(std::env::current_exe()?).args(["schedule", rate, spin, &url]);
                let (output, _) = timed(&mut command)?;
                let figures: Vec<f64> = output.split_whitespace().filter_map(|figure| figure.parse().ok()).collect();
                let [requests, cpu, spun, p50, p99] = figures[..] else { return Err("the trial said nothing".into()) };
                trials.push([cpu / requests * 1e6, spun / SECONDS as f64 * 100.0, p50, p99]);
            }
            let [cost, share, p50, p99] = [0, 1, 2, 3].map(|figure| median(trials.iter().map(|trial| trial[figure])));
            writeln!(report, "| {rate}/s | {spin} | {cost:.1} | {share:.0} % | {p50:.0} | {p99:.0} |")?;
        }
    }
    fs::write("benches/RESULTS.md", &report)?;
    println!("{report}");
    Ok(())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
