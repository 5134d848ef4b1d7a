//! What each generator says of a server whose true figures are known.

use std::fmt::Write as _;

use super::asks::{Asker, Manner, Told, Who};
use super::kit::Tool;
use super::server::{Trouble, Troubled};
use super::{Effort, Failed};

const RATE: u64 = 1_000;
const PERCENTILES: [f64; 5] = [50.0, 75.0, 90.0, 95.0, 99.0];

#[allow(clippy::print_stderr)]
pub(crate) fn measure(asker: &Asker<'_>, effort: Effort) -> Result<String, Failed> {
    let mut text = format!(
        "Each is asked for {RATE} requests a second, as near as it can be asked for it. Milliseconds, as it reports them.\n"
    );
    for (trouble, title, truth, seconds) in [
        (
            Trouble::Freezes,
            "The server does nothing for 1 s in every 5",
            "| **the truth** | 100 % | under 1 | under 1 | 500 | 750 | 950 |",
            effort.of(15, 5),
        ),
        (
            Trouble::Stalls,
            "Every hundredth answer comes after 200 ms, the others at once",
            "| **the truth** | 100 % | under 1 | under 1 | under 1 | under 1 | under 1, or 200 |",
            effort.of(10, 3),
        ),
    ] {
        write!(
            text,
            "\n{title}; {seconds} s:\n\n| | sent | p50 | p75 | p90 | p95 | p99 |\n|---|---|---|---|---|---|---|\n{truth}\n"
        )?;
        for (who, manner, name) in contestants(asker, trouble) {
            let server = Troubled::start(asker.cores.server, trouble)?;
            match asker.paced(who, manner, &server.url(), RATE, seconds) {
                Ok((_, told)) => writeln!(text, "| {name} |{}", row(&told, seconds))?,
                Err(error) => writeln!(text, "| {name} | failed: {error} | | | | | |")?,
            }
            eprintln!("{}", text.lines().last().unwrap_or_default());
        }
    }
    Ok(text)
}

fn contestants(asker: &Asker<'_>, trouble: Trouble) -> Vec<(Who, Manner, &'static str)> {
    let mut all = vec![(Who::Ours { hyper: false }, Manner::AsItComes, "peakdrill")];
    for tool in asker.kit.tools() {
        let manners: &[(Manner, &str)] = match tool {
            Tool::Wrk => &[(Manner::AsItComes, "wrk (closed, as fast as it goes; corrects by itself)")],
            Tool::Hey => &[(Manner::AsItComes, "hey -q")],
            Tool::Oha => &[(Manner::AsItComes, "oha -q"), (Manner::Corrected, "oha -q --latency-correction")],
            Tool::Goose => &[
                (Manner::AsItComes, "goose --throttle-requests"),
                (Manner::Corrected, "goose --throttle-requests --co-mitigation average"),
            ],
            Tool::Vegeta => &[(Manner::AsItComes, "vegeta -rate")],
            Tool::K6 if trouble == Trouble::Freezes => {
                &[(Manner::AsItComes, "k6, 1,500 users prepared"), (Manner::FewUsers, "k6, 100 users")]
            }
            Tool::K6 => &[(Manner::AsItComes, "k6, 1,500 users prepared")],
        };
        all.extend(manners.iter().map(|(manner, name)| (Who::Other(tool), *manner, *name)));
    }
    all
}

fn row(told: &Told, seconds: u64) -> String {
    let sent = told.requests / (RATE * seconds) as f64 * 100.0;
    let dropped = told.dropped.filter(|dropped| *dropped > 0.0);
    let dropped = dropped.map_or(String::new(), |dropped| format!(", {dropped:.0} dropped"));
    let mut row = format!(" {sent:.0} %{dropped} |");
    for percentile in PERCENTILES {
        row.push_str(&told.at(percentile).map_or(" – |".to_owned(), |time| match time {
            ..10.0 => format!(" {time:.1} |"),
            _ => format!(" {time:.0} |"),
        }));
    }
    row
}
