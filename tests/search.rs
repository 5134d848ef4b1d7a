//! Searches for capacity against servers whose capacity is known: the range that answers holds it.
#![allow(clippy::disallowed_methods)] // The servers live in real time.
#![allow(clippy::print_stdout)] // The campaign tells what each seed found.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use peakdrill::base;

use crate::base::units::Span;
use crate::common::{Yard, events, summary};
use crate::scripted::{Do, Scripted, answer, ok};

mod common;
#[path = "../src/wire/scripted.rs"]
mod scripted;

struct Search<'s> {
    from: f64,
    to: f64,
    by: f64,
    hold: u64,
    seed: u64,
    within: &'s str,
    must: &'s str,
    targets: &'s str,
}

fn scenario(server: &Scripted, search: &Search<'_>) -> String {
    let Search { from, to, by, hold, seed, within, must, targets } = search;
    format!(
        r#"peakdrill: 1
name: limit
seed: {seed}
platform:
  allow: [127.0.0.0/8]
  endpoints: {{ site: "{}" }}
journeys:
  look: [{{ get: /look, name: look }}]
load:
  limit:
    mix: {{ look: 1 }}
    search: {{ from: {from}/s, to: {to}/s, by: {by}/s, hold: {hold}s, settle: 1s, within: {within}, peak: {from}/s, while: {must} }}
limits: {{ lag: 100ms }}
targets: {{ {targets} }}
"#,
        server.url()
    )
}

/// Answers `rate` a second, and `burst` seconds' worth at once, and refuses the rest.
fn bucket(rate: f64, burst: f64) -> Scripted {
    let state = Mutex::new((Instant::now(), 0.0f64));
    Scripted::start(move |_| {
        let mut state = state.lock().expect("no panic before");
        let now = Instant::now();
        state.1 = (state.1 + (now - state.0).as_secs_f64() * rate).min(rate * burst);
        state.0 = now;
        if state.1 >= 1.0 {
            state.1 -= 1.0;
            ok("{}")
        } else {
            vec![answer(503, &[], "full")]
        }
    })
}

/// Serves by the Universal Scalability Law: with N under way, each takes (1 + α(N − 1) + βN(N − 1)) / λ.
fn law(lambda: f64, alpha: f64, beta: f64) -> Scripted {
    let ends: Mutex<Vec<Instant>> = Mutex::default();
    Scripted::start(move |_| {
        let mut ends = ends.lock().expect("no panic before");
        let now = Instant::now();
        ends.retain(|end| *end > now);
        let n = ends.len() as f64 + 1.0;
        if n > 60.0 {
            // As a server does that means to come back.
            return vec![answer(503, &[], "full")];
        }
        let takes = (1.0 + alpha * (n - 1.0) + beta * n * (n - 1.0)) / lambda;
        ends.push(now + std::time::Duration::from_secs_f64(takes));
        vec![Do::Wait(Span::from_seconds_f64(takes)), answer(200, &[], "{}")]
    })
}

/// The rate at which a server of the law takes `bound`, or its peak where that is lower.
fn truth(lambda: f64, alpha: f64, beta: f64, bound: f64) -> f64 {
    let takes = |n: f64| (1.0 + alpha * (n - 1.0) + beta * n * (n - 1.0)) / lambda;
    let steps = (1..100_000).map(|step| f64::from(step) / 100.0).take_while(|n| takes(*n) <= bound);
    steps.map(|n| n / takes(n)).fold(0.0, f64::max)
}

fn range(found: &serde_json::Value) -> (f64, f64) {
    let rate = |of: &str| found[of]["rate"].as_f64().unwrap_or_else(|| panic!("no {of}: {found:#}"));
    (rate("held"), rate("failed"))
}

#[test]
fn a_search_finds_what_a_server_that_refuses_bears_and_its_record_says_it_again() {
    let server = bucket(200.0, 0.1);
    let yard = Yard::new();
    let must = "[{ measure: availability, at-least: 98% }]";
    let targets = "enough: { measure: capacity, at-least: 160/s }, spare: { measure: headroom, at-least: 10% }";
    let search = Search { from: 150.0, to: 400.0, by: 35.0, hold: 2, seed: 3, within: "20%", must, targets };
    let file = yard.file("limit.yaml", &scenario(&server, &search));
    yard.run(&["run", &file.display().to_string()]).expect(0);
    let run = yard.last_run();
    let told = summary(&run);
    let found = &told["searches"][0];
    let (held, failed) = range(found);
    assert!(held <= 205.0 && 195.0 <= failed && failed <= held * 1.2 + 1e-6, "{found:#}");
    assert!(found["failed_first"].as_str().expect("what failed").contains("availability"), "{found:#}");

    // The judgement of the record is that of the drill, trial by trial.
    let events = events(&run);
    let ends: Vec<&str> = events
        .iter()
        .filter(|event| event["event"] == "trial-ended")
        .map(|event| event["end"]["trial"].as_str().expect("an end"))
        .collect();
    let trials: Vec<&str> = found["trials"]
        .as_array()
        .expect("trials")
        .iter()
        .map(|trial| trial["end"].as_str().expect("an end"))
        .collect();
    assert_eq!(ends, trials);
    assert!(ends.iter().filter(|end| **end == "failed").count() >= 2, "{ends:?}");
    // After a failed trial there is a look whether the platform has come back.
    assert!(found["trials"].as_array().expect("trials").iter().any(|trial| trial["probe"] == true), "{found:#}");
    // What came was what the trials brought, each arrival once.
    let planned = told["visits"]["planned"].as_u64().expect("a count");
    assert_eq!(server.log().len() as u64, planned);
    assert_eq!(told["visits"]["begun"].as_u64(), Some(planned));

    let page = std::fs::read(run.join("report.html")).expect("the page");
    yard.run(&["report", &run.display().to_string()]).expect(0);
    assert!(std::fs::read(run.join("report.html")).expect("the page") == page, "the page is another one");
    assert_eq!(summary(&run), told);
}

#[test]
fn a_server_that_slows_down_by_the_law_is_found_where_it_crosses_the_bound() {
    let (lambda, alpha, beta) = (40.0, 0.05, 0.002);
    let truth = truth(lambda, alpha, beta, 0.2);
    let server = law(lambda, alpha, beta);
    let yard = Yard::new();
    let must = "[{ measure: p90, at-most: 200ms }, { measure: availability, at-least: 99% }]";
    let search = Search { from: 100.0, to: 500.0, by: 50.0, hold: 2, seed: 4, within: "20%", must, targets: "" };
    let file = yard.file("law.yaml", &scenario(&server, &search));
    yard.run(&["run", &file.display().to_string()]).expect(0);
    let told = summary(&yard.last_run());
    let (held, failed) = range(&told["searches"][0]);
    assert!(held <= truth * 1.03 && truth * 0.97 <= failed && failed <= held * 1.2 + 1e-6, "{truth}: {told:#}");
}

#[test]
fn where_not_even_the_lowest_rate_holds_the_target_fails() {
    let refused = AtomicU64::new(0);
    let server = Scripted::start(move |_| {
        refused.fetch_add(1, Ordering::Relaxed);
        vec![answer(500, &[], "no")]
    });
    let yard = Yard::new();
    let (must, targets) =
        ("[{ measure: availability, at-least: 99% }]", "enough: { measure: capacity, at-least: 60/s }");
    let search = Search { from: 50.0, to: 100.0, by: 50.0, hold: 1, seed: 5, within: "10%", must, targets };
    let file = yard.file("none.yaml", &scenario(&server, &search));
    yard.run(&["run", &file.display().to_string()]).expect(1);
    let told = summary(&yard.last_run());
    assert_eq!(told["searches"][0]["end"], "none-held");
    assert_eq!(told["targets"][0]["figure"]["text"], "< 50/s");
}

/// What a server of the law has to hold. It refuses what is beyond its peak, so that being quick alone is no proof.
const LAW: &str = "[{ measure: p90, at-most: 100ms }, { measure: availability, at-least: 99% }]";

/// The campaign: ten seeds each against a bucket of 2,000/s and a server of the law. It takes about half an hour, and
/// wants a machine with cores to spare: `cargo test --release --test search -- --ignored --nocapture`.
#[test]
#[ignore = "half an hour; run by name"]
fn ten_of_ten_seeds() {
    let mut wrong = Vec::new();
    for seed in 1..=10 {
        let (lambda, alpha, beta) = (100.0, 0.02, 0.000_5);
        for (name, server, truth, must) in [
            // With what it answers at once, 2,022/s for the five seconds of a trial are the most.
            ("bucket", bucket(2_000.0, 0.05), 2_000.0, "[{ measure: availability, at-least: 99.9% }]"),
            ("law", law(lambda, alpha, beta), truth(lambda, alpha, beta, 0.1), LAW),
        ] {
            let yard = Yard::new();
            // Elsewhere with each seed, and in steps that leave a range to be halved.
            let (from, by) = (truth * (0.38 + 0.02 * f64::from(seed as u32)), truth * 0.2);
            let search = Search { from, to: 2.0 * truth, by, hold: 4, seed, within: "10%", must, targets: "" };
            let file = yard.file("campaign.yaml", &scenario(&server, &search));
            let mut running = yard.start(&["run", &file.display().to_string()]);
            // Longer than any other test here: until it ends.
            while !running.has_ended() {
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
            let told = summary(&yard.last_run());
            let found = &told["searches"][0];
            let (held, failed) = (found["held"]["rate"].as_f64(), found["failed"]["rate"].as_f64());
            let trials = found["trials"].as_array().map_or(0, Vec::len);
            println!(
                "{name} seed {seed}: truth {truth:.0}/s, held {held:?}, failed {failed:?}, {trials} trials, {}",
                found["end"]
            );
            let holds = held.zip(failed).is_some_and(|(held, failed)| {
                held <= truth * 1.02 && truth * 0.98 <= failed && failed <= held * 1.1 + 1e-6
            });
            if !holds {
                wrong.push((name, seed));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
