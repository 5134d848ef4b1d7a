//! What a request costs, with as many connections busy as all have, and no schedule.

use std::fmt::Write as _;

use super::asks::{Asker, Who};
use super::child::{median, range};
use super::server::Nginx;
use super::{Effort, Failed};
use crate::kit::Tool;

pub(crate) const CONNECTIONS: usize = 50;

struct Trial {
    requests: f64,
    /// User and system seconds.
    cpu: f64,
}

impl Trial {
    /// Microseconds of CPU for each request.
    fn cost(&self) -> f64 {
        self.cpu / self.requests * 1e6
    }
}

/// What each of ours is to reach, of wrk's efficiency: at least, and the aim.
fn goal(who: Who) -> Option<(f64, f64)> {
    match who {
        Who::Ours { hyper: false } => Some((1.0, 1.1)),
        Who::Ours { hyper: true } => Some((0.8, 0.92)),
        Who::Templated => Some((0.7, 0.95)),
        Who::Other(_) => None,
    }
}

#[allow(clippy::print_stderr)]
pub(crate) fn measure(asker: &Asker<'_>, nginx: &Nginx, effort: Effort) -> Result<String, Failed> {
    let mut all = vec![Who::Other(Tool::Wrk), Who::Ours { hyper: false }, Who::Ours { hyper: true }, Who::Templated];
    all.extend(asker.kit.tools().filter(|tool| *tool != Tool::Wrk).map(Who::Other));
    let (pairs, seconds) = (effort.of(7, 1), effort.of(3, 1));
    let mut trials: Vec<(Who, Vec<Trial>, Option<String>)> = all.iter().map(|who| (*who, Vec::new(), None)).collect();
    for pair in 0..pairs {
        // Each in turn begins a round, so that nobody always follows the same one.
        let first = pair as usize % trials.len();
        trials.rotate_left(first);
        for (who, trials, failed) in &mut trials {
            match asker.closed(*who, &nginx.url(0), CONNECTIONS, seconds) {
                Ok((ran, told)) => trials.push(Trial { requests: told.requests, cpu: ran.cpu }),
                Err(error) => *failed = Some(error.to_string()),
            }
            if let Some(trial) = trials.last() {
                eprintln!("pair {}, {}: {:.2} µs a request", pair + 1, who.name(), trial.cost());
            }
        }
        trials.rotate_right(first);
    }
    let mut text = format!(
        "User and system time of the whole program over completed requests, {CONNECTIONS} connections busy all the time, no \
         schedule; {pairs} interleaved rounds of {seconds} s for each. The ratio is to wrk of the same round.\n\n\
         | | requests/s | CPU µs a request | of wrk's efficiency: median (range) | goal: at least, aim |\n|---|---|---|---|---|\n",
    );
    let wrk: Vec<f64> = trials[0].1.iter().map(Trial::cost).collect();
    let mut missed = Vec::new();
    for (who, trials, failed) in &trials {
        if let Some(failed) = failed {
            writeln!(text, "| {} | failed: {failed} | | | |", who.name())?;
            continue;
        }
        let rate = median(trials.iter().map(|trial| trial.requests / seconds as f64));
        let cost = median(trials.iter().map(Trial::cost));
        let ratios = || wrk.iter().zip(trials).map(|(wrk, own)| wrk / own.cost());
        let (low, high) = range(ratios());
        let (ratio, aim) = match (wrk.len() == trials.len(), goal(*who)) {
            (false, _) => ("–".to_owned(), String::new()),
            (true, None) => (format!("{:.2} ({low:.2} to {high:.2})", median(ratios())), String::new()),
            (true, Some((least, aim))) => {
                let found = median(ratios());
                if found < least {
                    missed.push(format!("{}: {found:.2}, goal {least:.2}", who.name()));
                }
                (format!("**{found:.2}** ({low:.2} to {high:.2})"), format!("{least:.2}, {aim:.2}"))
            }
        };
        writeln!(text, "| {} | {rate:.0} | {cost:.2} | {ratio} | {aim} |", who.name())?;
    }
    text.push_str(&super::missed(&missed));
    Ok(text)
}
