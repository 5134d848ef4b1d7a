//! What connections cost in memory.

use std::fmt::Write as _;

use super::asks::{Asker, Who};
use super::server::Nginx;
use super::{Effort, Failed};

const CONNECTIONS: [usize; 3] = [50, 1_000, 9_000];
/// KiB for each connection: at least, and the aim with our own speaker.
const GOAL: f64 = 30.0;
const AIM: f64 = 8.0;

#[allow(clippy::print_stderr)]
pub(crate) fn measure(asker: &Asker<'_>, nginx: &Nginx, effort: Effort) -> Result<String, Failed> {
    let mut all = vec![Who::Ours { hyper: false }, Who::Ours { hyper: true }];
    all.extend(asker.kit.tools().map(Who::Other));
    let (most, seconds) = (effort.of(3, 2), effort.of(4, 2));
    let mut text = String::from(
        "The most that the program held resident (`VmHWM`), in MiB, with so many connections busy all the time. The last \
         column: what each connection between 1,000 and 9,000 added.\n\n\
         | | 50 | 1,000 | 9,000 | KiB a connection |\n|---|---|---|---|---|\n",
    );
    let mut missed = Vec::new();
    for (host, who) in all.into_iter().enumerate() {
        let mut found = [None; 3];
        let mut cells = Vec::new();
        for (index, connections) in CONNECTIONS.into_iter().enumerate().take(most as usize) {
            cells.push(match asker.closed(who, &nginx.url(host * 3 + index + 1), connections, seconds) {
                Ok((ran, _)) => {
                    found[index] = Some(ran.resident);
                    format!("{:.1}", ran.resident)
                }
                Err(error) => format!("failed: {error}"),
            });
            eprintln!("{}, {connections}: {} MiB", who.name(), cells[index]);
        }
        let each = found[1].zip(found[2]).map(|(small, large)| (large - small) * 1024.0 / 8_000.0);
        if let (Some(each), Who::Ours { .. }) = (each, who)
            && each > GOAL
        {
            missed.push(format!("{}: {each:.1} KiB a connection, goal {GOAL:.0}", who.name()));
        }
        let each = each.map_or("–".to_owned(), |each| format!("{each:.1}"));
        cells.resize(CONNECTIONS.len(), "–".to_owned());
        writeln!(text, "| {} | {} | {each} |", who.name(), cells.join(" | "))?;
    }
    writeln!(text, "\nGoal: at most {GOAL:.0} KiB for each connection; the aim with our own speaker is {AIM:.0}.")?;
    text.push_str(&super::missed(&missed));
    Ok(text)
}
