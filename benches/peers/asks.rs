//! How each generator is asked for the same, and what it says that came of it.

use std::fs;
use std::path::Path;
use std::process::Command;

use peakdrill::base::units::Span;
use serde_json::{Value, json};

use super::Failed;
use super::child::{Cores, Ran, on_core, run};
use super::kit::{Kit, Tool};

/// Whoever is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// This engine with its own speaker, or with hyper.
    Ours {
        hyper: bool,
    },
    /// This engine: two templated steps, a JSON body, a capture, an expectation.
    Templated,
    Other(Tool),
}

impl Who {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Who::Ours { hyper: false } => "peakdrill",
            Who::Ours { hyper: true } => "peakdrill, by hyper",
            Who::Templated => "peakdrill, two templated steps, JSON body, capture, expectation",
            Who::Other(tool) => tool.name(),
        }
    }
}

/// What a generator says it has seen.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) requests: f64,
    /// Arrivals that it had been asked for and left out, where it says so.
    pub(crate) dropped: Option<f64>,
    /// Percentile and milliseconds.
    pub(crate) times: Vec<(f64, f64)>,
}

impl Told {
    pub(crate) fn at(&self, percentile: f64) -> Option<f64> {
        self.times.iter().find(|(known, _)| *known == percentile).map(|(_, time)| *time)
    }
}

/// A variation of how a generator is asked for a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    AsItComes,
    /// With its own correction of coordinated omission.
    Corrected,
    /// With 100 users only.
    FewUsers,
}

/// One sitting: who is there, and which cores they are on.
pub(crate) struct Asker<'a> {
    pub(crate) kit: &'a Kit,
    pub(crate) cores: Cores,
    /// For scripts and results.
    pub(crate) folder: &'a Path,
}

impl Asker<'_> {
    fn start(&self, tool: Tool) -> Result<Command, Failed> {
        Ok(on_core(self.cores.generator, self.kit.path(tool)?))
    }

    /// `connections` busy all the time for `seconds`.
    pub(crate) fn closed(&self, who: Who, url: &str, connections: usize, seconds: u64) -> Result<(Ran, Told), Failed> {
        let (c, s) = (connections.to_string(), format!("{seconds}s"));
        let file = self.folder.join("vegeta.bin");
        let mut command = match who {
            Who::Ours { .. } | Who::Templated => {
                let words = match who {
                    Who::Templated => ["templated", "plain"],
                    Who::Ours { hyper: true } => ["constant", "hyper"],
                    _ => ["constant", "plain"],
                };
                let mut command = on_core(self.cores.generator, &std::env::current_exe()?);
                command.arg("saturate").args(words).args([&c, &seconds.to_string(), url]);
                command
            }
            Who::Other(tool) => self.start(tool)?,
        };
        match who {
            Who::Ours { .. } | Who::Templated => {}
            Who::Other(Tool::Wrk) => drop(command.args(["-t1", "-c", &c, "-d", &s, url])),
            Who::Other(Tool::Hey) => drop(command.args(["-c", &c, "-z", &s, url])),
            Who::Other(Tool::Oha) => {
                command.args(["-c", &c, "-z", &s, "--no-tui", "--output-format", "json", url]);
            }
            Who::Other(Tool::Goose) => drop(command.args(goose(url, connections, &s))),
            Who::Other(Tool::Vegeta) => {
                let targets = self.targets(url)?;
                command.args(["attack", "-rate", "0", "-max-workers", &c, "-workers", &c, "-connections", &c]);
                command.args(["-duration", &s, "-targets"]).arg(targets).arg("-output").arg(&file);
            }
            Who::Other(Tool::K6) => {
                let scenario = json!({ "executor": "constant-vus", "vus": connections, "duration": s });
                command.args(["run", "--quiet", "--no-usage-report"]).arg(self.script(url, &scenario)?);
            }
        }
        let ran = run(&mut command, Span::seconds(seconds * 4 + 60))?;
        let told = self.read(who, &ran.output, &file)?;
        Ok((ran, told))
    }

    /// `rate` requests a second for `seconds`, or as near to it as it can be asked for.
    pub(crate) fn paced(
        &self,
        who: Who,
        manner: Manner,
        url: &str,
        rate: u64,
        seconds: u64,
    ) -> Result<(Ran, Told), Failed> {
        let (r, s) = (rate.to_string(), format!("{seconds}s"));
        let file = self.folder.join("vegeta.bin");
        let mut command = match who {
            Who::Ours { .. } | Who::Templated => {
                let mut command = on_core(self.cores.generator, &std::env::current_exe()?);
                command.args(["schedule", &r, "auto", &seconds.to_string(), url]);
                command
            }
            Who::Other(tool) => self.start(tool)?,
        };
        match who {
            Who::Ours { .. } | Who::Templated => {}
            // It knows no rate: 50 connections as fast as they go.
            Who::Other(Tool::Wrk) => drop(command.args(["-t1", "-c50", "-d", &s, "--latency", url])),
            Who::Other(Tool::Hey) => {
                command.args(["-c", "50", "-q", &(rate / 50).to_string(), "-z", &s, url]);
            }
            Who::Other(Tool::Oha) => {
                command.args(["-c", "50", "-q", &r, "-z", &s, "--no-tui", "--output-format", "json"]);
                command.args((manner == Manner::Corrected).then_some("--latency-correction")).arg(url);
            }
            Who::Other(Tool::Goose) => {
                command.args(goose(url, 50, &s)).args(["--throttle-requests", &r]);
                if manner == Manner::Corrected {
                    command.args(["--co-mitigation", "average"]);
                }
            }
            Who::Other(Tool::Vegeta) => {
                let targets = self.targets(url)?;
                command.args(["attack", "-rate", &r, "-duration", &s, "-targets"]).arg(targets);
                command.arg("-output").arg(&file);
            }
            Who::Other(Tool::K6) => {
                let users = if manner == Manner::FewUsers { 100 } else { 1_500 };
                let scenario = json!({
                    "executor": "constant-arrival-rate", "rate": rate, "timeUnit": "1s", "duration": s,
                    "preAllocatedVUs": users, "maxVUs": users,
                });
                command.args(["run", "--quiet", "--no-usage-report"]).arg(self.script(url, &scenario)?);
            }
        }
        let ran = run(&mut command, Span::seconds(seconds * 4 + 60))?;
        let told = self.read(who, &ran.output, &file)?;
        Ok((ran, told))
    }

    fn targets(&self, url: &str) -> Result<std::path::PathBuf, Failed> {
        let file = self.folder.join("targets.txt");
        fs::write(&file, format!("GET {url}/\n"))?;
        Ok(file)
    }

    fn script(&self, url: &str, scenario: &Value) -> Result<std::path::PathBuf, Failed> {
        let mut scenario = scenario.clone();
        scenario["gracefulStop"] = json!("2s");
        let options = json!({
            "scenarios": { "peer": scenario }, "discardResponseBodies": true,
            "summaryTrendStats": ["p(50)", "p(75)", "p(90)", "p(95)", "p(99)"],
        });
        let script = format!(
            "import http from 'k6/http';\n\
             import exec from 'k6/execution';\n\
             import {{ Trend }} from 'k6/metrics';\n\
             const lag = new Trend('lag');\n\
             const rate = {rate};\n\
             export const options = {options};\n\
             export default function () {{\n\
             if (rate) lag.add(Date.now() - exec.scenario.startTime - exec.scenario.iterationInTest * 1000 / rate);\n\
             const got = http.get('{url}/');\n\
             if (got.status !== 200) throw new Error('status ' + got.status);\n\
             }}\n\
             export function handleSummary(data) {{\n\
             const of = (name) => data.metrics[name] ? (data.metrics[name].values || data.metrics[name]) : {{}};\n\
             return {{ stdout: JSON.stringify({{ peer: {{ requests: of('http_reqs').count, failed: of('http_req_failed').passes,\n\
             dropped: of('dropped_iterations').count || 0, times: of('http_req_duration'), lag: of('lag') }} }}) + '\\n' }};\n\
             }}\n",
            rate = scenario.get("rate").unwrap_or(&json!(0)),
        );
        let file = self.folder.join("peer.js");
        fs::write(&file, script)?;
        Ok(file)
    }

    fn read(&self, who: Who, output: &str, file: &Path) -> Result<Told, Failed> {
        match who {
            Who::Ours { .. } | Who::Templated => ours(output),
            Who::Other(Tool::Wrk) => wrk(output),
            Who::Other(Tool::Hey) => hey(output),
            Who::Other(Tool::Oha) => oha(output),
            Who::Other(Tool::Goose) => peer(output),
            Who::Other(Tool::K6) => peer(output),
            Who::Other(Tool::Vegeta) => self.vegeta(file),
        }
    }

    fn vegeta(&self, file: &Path) -> Result<Told, Failed> {
        let vegeta = self.kit.path(Tool::Vegeta)?;
        let report = run(Command::new(vegeta).args(["report", "-type", "json"]).arg(file), Span::seconds(120))?;
        let report: Value = serde_json::from_str(&report.output)?;
        let number = |path: &str| report.pointer(path).and_then(Value::as_f64);
        if number("/success") != Some(1.0) {
            return Err(format!("requests failed: {}", report["errors"]).into());
        }
        let times = [50.0, 90.0, 95.0, 99.0].into_iter();
        let times = times.filter_map(|q| Some((q, number(&format!("/latencies/{q}th"))? / 1e6))).collect();
        Ok(Told { requests: number("/requests").ok_or("no count")?, dropped: None, times })
    }

    /// How late vegeta released each request, by its own results: microseconds at p50 and p99.
    pub(crate) fn lag_of_vegeta(&self, rate: u64) -> Result<(f64, f64), Failed> {
        let vegeta = self.kit.path(Tool::Vegeta)?;
        let file = self.folder.join("vegeta.bin");
        let hits = run(Command::new(vegeta).args(["encode", "-to", "csv"]).arg(file), Span::seconds(300))?.output;
        // Instant in nanoseconds, …, number.
        let hits = hits.lines().filter_map(|line| {
            let mut fields = line.split(',');
            let at: i128 = fields.next()?.parse().ok()?;
            let number: i128 = fields.nth(7)?.parse().ok()?;
            Some(at - number * 1_000_000_000 / i128::from(rate))
        });
        let mut offsets: Vec<i128> = hits.collect();
        offsets.sort_unstable();
        let at = |q: f64| offsets.get((offsets.len() as f64 * q) as usize).copied();
        // No request goes out before it is planned, so the earliest tells when the first was.
        let first = offsets.first().copied().ok_or("no results")?;
        let late = |q: f64| at(q).map_or(f64::NAN, |offset| (offset - first) as f64 / 1e3);
        Ok((late(0.5), late(0.99)))
    }
}

fn goose(url: &str, users: usize, span: &str) -> Vec<String> {
    let launched = users.max(100).to_string();
    let words = ["--host", url, "--users", &users.to_string(), "--increase-rate", &launched, "--run-time", span];
    let rest = ["--no-reset-metrics", "--quiet", "--no-print-metrics"];
    words.into_iter().chain(rest).map(str::to_owned).collect()
}

pub(crate) fn wrk(output: &str) -> Result<Told, Failed> {
    if let Some(line) = output.lines().find(|line| line.contains("Non-2xx") || line.contains("Socket errors")) {
        return Err(line.trim().into());
    }
    let line = output.lines().find(|line| line.contains(" requests in ")).ok_or("it said nothing")?;
    let requests = line.trim().split(' ').next().ok_or("it said nothing")?.parse()?;
    let time = |line: &str| {
        let (percent, time) = line.trim().split_once('%')?;
        let time = time.trim();
        let digits = time.find(|c: char| c.is_ascii_alphabetic())?;
        let unit = match &time[digits..] {
            "us" => 1e-3,
            "ms" => 1.0,
            "s" => 1e3,
            _ => return None,
        };
        Some((percent.parse().ok()?, time[..digits].parse::<f64>().ok()? * unit))
    };
    Ok(Told { requests, dropped: None, times: output.lines().filter_map(time).collect() })
}

fn hey(output: &str) -> Result<Told, Failed> {
    let mut requests = None;
    let mut times = Vec::new();
    for line in output.lines().map(str::trim) {
        if let Some(count) = line.strip_prefix("[200]").and_then(|rest| rest.split_whitespace().next()) {
            requests = count.parse().ok();
        } else if let Some((percent, rest)) = line.split_once("% in ")
            && let (Ok(percent), Some(Ok(time))) = (percent.parse(), rest.strip_suffix(" secs").map(str::parse::<f64>))
        {
            times.push((percent, time * 1e3));
        }
    }
    if let Some((_, errors)) = output.split_once("Error distribution:") {
        return Err(format!("requests failed: {}", errors.trim().lines().next().unwrap_or_default()).into());
    }
    Ok(Told { requests: requests.ok_or("no count")?, dropped: None, times })
}

fn oha(output: &str) -> Result<Told, Failed> {
    let found: Value = serde_json::from_str(output)?;
    // What is under way as its time ends it gives up, and says so as an error.
    let requests = found["statusCodeDistribution"]["200"].as_f64().ok_or("no count")?;
    let times = [50.0, 75.0, 90.0, 95.0, 99.0].into_iter();
    let times = times.filter_map(|q| Some((q, found["latencyPercentiles"][format!("p{q}")].as_f64()? * 1e3)));
    Ok(Told { requests, dropped: None, times: times.collect() })
}

/// What a program of ours around another generator prints.
fn peer(output: &str) -> Result<Told, Failed> {
    let line = output.lines().find(|line| line.starts_with("{\"peer\"")).ok_or("it said nothing")?;
    let found: Value = serde_json::from_str(line)?;
    let found = &found["peer"];
    let failed = found["bad"].as_f64().or(found["failed"].as_f64()).unwrap_or(0.0);
    let requests = found["good"].as_f64().or(found["requests"].as_f64()).ok_or("no count")?;
    if failed > 0.0 {
        return Err(format!("{failed} of {requests} requests failed").into());
    }
    let times = [50.0, 75.0, 90.0, 95.0, 99.0].into_iter().filter_map(|q| {
        let time = found["times"][format!("{q}")].as_f64().or(found["times"][format!("p({q})")].as_f64());
        Some((q, time?))
    });
    Ok(Told { requests, dropped: found["dropped"].as_f64(), times: times.collect() })
}

fn ours(output: &str) -> Result<Told, Failed> {
    let found: Value = serde_json::from_str(output)?;
    let times = [50.0, 75.0, 90.0, 95.0, 99.0].into_iter();
    let times = times.filter_map(|q| Some((q, found["response"][format!("{q}")].as_f64()?))).collect();
    Ok(Told { requests: found["requests"].as_f64().ok_or("no count")?, dropped: None, times })
}

/// How late k6's script saw each of its turns begin, to the millisecond: microseconds at p50 and p99.
pub(crate) fn lag_of_k6(output: &str) -> Result<(f64, f64), Failed> {
    let line = output.lines().find(|line| line.starts_with("{\"peer\"")).ok_or("it said nothing")?;
    let found: Value = serde_json::from_str(line)?;
    let lag = |q: &str| found["peer"]["lag"][q].as_f64().map(|millis| millis * 1e3).ok_or("no lag");
    Ok((lag("p(50)")?, lag("p(99)")?))
}
