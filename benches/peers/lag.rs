//! How late arrivals are released, and what keeping a schedule costs.

use std::fmt::Write as _;

use serde_json::Value;

use super::asks::{Asker, Manner, Who, lag_of_k6};
use super::child::{median, on_core, run};
use super::kit::Tool;
use super::server::Nginx;
use super::{Effort, Failed};
use peakdrill::base::units::Span;

const RATES: [u64; 5] = [1_000, 5_000, 10_000, 20_000, 40_000];
/// Microseconds at p50 and p99, to this rate: the goal, and the aim.
const GOAL: (f64, f64) = (25.0, 400.0);
const TO: u64 = 20_000;

/// What one trial of ours brought.
struct Kept {
    cost: f64,
    spinning: f64,
    lag: (f64, f64),
}

#[allow(clippy::print_stderr)]
pub(crate) fn measure(asker: &Asker<'_>, nginx: &Nginx, effort: Effort) -> Result<String, Failed> {
    let (trials, seconds) = (effort.of(3, 1), effort.of(3, 1));
    let mut text = format!(
        "Released − planned, for evenly spaced arrivals of a constant GET, one worker on one core; the medians of {trials} trials of \
         {seconds} s. Spinning: through the last 60 µs before an arrival, which a core that is ours alone allows. The goal holds for \
         spinning: at most {:.0} µs at p50 and {:.0} µs at p99, up to {TO}/s; the aim is 5 and 100.\n\n\
         | rate | | lag p50 µs | lag p99 µs | CPU µs a request | spinning, of a core |\n|---|---|---|---|---|---|\n",
        GOAL.0, GOAL.1
    );
    let mut missed = Vec::new();
    for rate in RATES {
        for (spin, name) in [("spin", "peakdrill, spinning"), ("sleep", "peakdrill, sleeping")] {
            let mut kept = Vec::new();
            for _ in 0..trials {
                kept.push(one(asker, rate, spin, seconds, &nginx.url(0))?);
            }
            let of = |figure: fn(&Kept) -> f64| median(kept.iter().map(figure));
            let lag = (of(|kept| kept.lag.0), of(|kept| kept.lag.1));
            let (cost, share) = (of(|kept| kept.cost), of(|kept| kept.spinning));
            if spin == "spin" && rate <= TO && (lag.0 > GOAL.0 || lag.1 > GOAL.1) {
                missed.push(format!("{rate}/s: {:.0} and {:.0} µs", lag.0, lag.1));
            }
            eprintln!("{rate}/s, {name}: {:.0} and {:.0} µs", lag.0, lag.1);
            writeln!(text, "| {rate}/s | {name} | {:.0} | {:.0} | {cost:.1} | {share:.0} % |", lag.0, lag.1)?;
        }
        for tool in asker.kit.tools().filter(|tool| matches!(tool, Tool::Vegeta | Tool::K6)) {
            // k6 has no more than a few thousand a second in it here.
            if tool == Tool::K6 && rate > 5_000 {
                continue;
            }
            let asked = asker.paced(Who::Other(tool), Manner::AsItComes, &nginx.url(0), rate, seconds + 1);
            let found = asked.and_then(|(ran, told)| {
                let lag = match tool {
                    Tool::K6 => lag_of_k6(&ran.output)?,
                    _ => asker.lag_of_vegeta(rate)?,
                };
                Ok((lag, ran.cpu / told.requests * 1e6, told.requests / (seconds + 1) as f64 / rate as f64))
            });
            let name = tool.name();
            match found {
                Ok((lag, cost, kept)) => {
                    let left = if kept < 0.99 { format!(" (sent {:.0} % of it)", kept * 100.0) } else { String::new() };
                    writeln!(text, "| {rate}/s | {name}{left} | {:.0} | {:.0} | {cost:.1} | |", lag.0, lag.1)?;
                }
                Err(error) => writeln!(text, "| {rate}/s | {name} | failed: {error} | | | |")?,
            }
        }
    }
    text.push_str(
        "\nvegeta's lag is computed from its own results, against the earliest of them; k6's by its script, which sees milliseconds. The others \
         plan no arrivals.\n",
    );
    text.push_str(&super::missed(&missed));
    Ok(text)
}

fn one(asker: &Asker<'_>, rate: u64, spin: &str, seconds: u64, url: &str) -> Result<Kept, Failed> {
    let mut command = on_core(asker.cores.generator, &std::env::current_exe()?);
    command.args(["schedule", &rate.to_string(), spin, &seconds.to_string(), url]);
    let found: Value = serde_json::from_str(&run(&mut command, Span::seconds(60))?.output)?;
    let number = |path: &str| found.pointer(path).and_then(Value::as_f64).ok_or("the trial said nothing");
    Ok(Kept {
        cost: number("/cpu")? / number("/requests")? * 1e6,
        spinning: number("/spun")? / seconds as f64 * 100.0,
        lag: (number("/lag/50")?, number("/lag/99")?),
    })
}
