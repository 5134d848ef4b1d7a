//! What a link costs through which nothing is wrong: ours, Toxiproxy's, and a bare copier's, which does no more than must be done.

use std::fmt::Write as _;

use peakdrill::base::units::Span;

use super::asks::{Asker, wrk};
use super::child::{median, on_core, range, run};
use super::kit::Tool;
use super::saturation::CONNECTIONS;
use super::server::{LARGE, Nginx};
use super::stand::{Stand, Who};
use super::{Effort, Failed};

/// Of the bare copier's rate: at least, and the aim.
const GOAL: (f64, f64) = (0.80, 0.95);
const ALL: [Who; 4] = [Who::Copier, Who::Tcp, Who::Http, Who::Toxiproxy];

struct Trial {
    /// Requests a second.
    rate: f64,
    /// Microseconds of the proxy's CPU for each request.
    cost: f64,
}

pub(crate) fn measure(asker: &Asker<'_>, nginx: &Nginx, effort: Effort) -> Result<String, Failed> {
    let (rounds, seconds) = (effort.of(9, 1), effort.of(3, 1));
    let mut text = format!(
        "wrk and nginx together on core {0}, what stands between them alone on core {1}; {CONNECTIONS} connections busy all the time, nothing wrong \
         with the link; {rounds} interleaved rounds of {seconds} s for each. The CPU is the proxy's own, user and system. The ratios are to \
         the bare copier of the same round: rates, and what a request costs it of CPU over what it costs the other. Where core {0} is busy first, \
         the rates say little; the goal holds for both.\n",
        asker.cores.server, asker.cores.generator
    );
    if asker.kit.toxiproxy().is_none() {
        text.push_str("Toxiproxy was not found, and is left out.\n");
    }
    let mut missed = Vec::new();
    for (path, name) in [("/", "11 bytes".to_owned()), ("/large", format!("{} KiB", LARGE / 1024))] {
        writeln!(
            text,
            "\nAnswers of {name}:\n\n\
             | | requests/s | CPU µs a request | of the copier's rate: median (range) | of its efficiency: median (range) | goal: at least, aim |\n\
             |---|---|---|---|---|---|"
        )?;
        let found = rounds_of(asker, nginx, path, rounds, seconds)?;
        let copier: Vec<&Trial> =
            found.iter().filter(|(who, _)| *who == Who::Copier).flat_map(|(_, trials)| trials).collect();
        for (who, trials) in found.iter().filter(|(_, trials)| !trials.is_empty()) {
            let rates = || trials.iter().zip(&copier).map(|(own, copier)| own.rate / copier.rate);
            let costs = || trials.iter().zip(&copier).map(|(own, copier)| copier.cost / own.cost);
            let ((low, high), (least, most)) = (range(rates()), range(costs()));
            let (rate, cost) = (median(rates()), median(costs()));
            let ours = matches!(who, Who::Tcp | Who::Http);
            if ours && rate.min(cost) < GOAL.0 {
                missed.push(format!(
                    "{}, answers of {name}: {rate:.2} of the rate, {cost:.2} of the efficiency, goal {:.2}",
                    who.name(),
                    GOAL.0
                ));
            }
            let (bold, goal) = if ours { ("**", format!("{:.2}, {:.2}", GOAL.0, GOAL.1)) } else { ("", String::new()) };
            writeln!(
                text,
                "| {} | {:.0} | {:.2} | {bold}{rate:.2}{bold} ({low:.2} to {high:.2}) | {bold}{cost:.2}{bold} ({least:.2} to {most:.2}) | {goal} |",
                who.name(),
                median(trials.iter().map(|trial| trial.rate)),
                median(trials.iter().map(|trial| trial.cost)),
            )?;
        }
    }
    text.push_str(&super::missed(&missed));
    Ok(text)
}

#[allow(clippy::print_stderr)]
fn rounds_of(
    asker: &Asker<'_>,
    nginx: &Nginx,
    path: &str,
    rounds: u64,
    seconds: u64,
) -> Result<Vec<(Who, Vec<Trial>)>, Failed> {
    let mut found: Vec<(Who, Vec<Trial>)> = ALL.into_iter().map(|who| (who, Vec::new())).collect();
    for round in 0..rounds {
        let first = round as usize % found.len();
        found.rotate_left(first);
        for (who, trials) in &mut found {
            let Some(stand) = Stand::start(asker, *who, nginx.address())? else { continue };
            let mut command = on_core(asker.cores.server, asker.kit.path(Tool::Wrk)?);
            let (connections, time, url) =
                (CONNECTIONS.to_string(), format!("{seconds}s"), format!("http://{}{path}", stand.at));
            command.args(["-t1", "-c", &connections, "-d", &time, &url]);
            let before = stand.cpu()?;
            let ran = run(&mut command, Span::seconds(seconds * 4 + 60))?;
            let cpu = stand.cpu()? - before;
            let told = wrk(&ran.output)?;
            let trial = Trial { rate: told.requests / seconds as f64, cost: cpu / told.requests * 1e6 };
            eprintln!("round {}, {path}, {}: {:.0}/s, {:.2} µs", round + 1, who.name(), trial.rate, trial.cost);
            trials.push(trial);
        }
        found.rotate_right(first);
    }
    found.sort_by_key(|(who, _)| ALL.iter().position(|known| known == who));
    Ok(found)
}
