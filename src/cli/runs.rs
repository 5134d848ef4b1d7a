use std::path::Path;

use super::args::{RunsArgs, RunsCommand};
use super::exit::Exit;
use super::speech::Speech;
use crate::base::clock::Wall;
use crate::record::{RunFacts, list_runs, remove_run};
use crate::undo::{self, JOURNAL};

pub(super) fn runs(args: &RunsArgs, speech: Speech) -> Exit {
    let done = match &args.what {
        RunsCommand::List => list(&args.reports, speech),
        RunsCommand::Remove { runs } => runs.iter().try_for_each(|run| remove(&args.reports, run)),
    };
    match done {
        Ok(()) => Exit::Passed,
        Err(error) => {
            speech.complain(&format!("{error:#}"));
            Exit::Wrong
        }
    }
}

fn list(reports: &Path, speech: Speech) -> anyhow::Result<()> {
    let runs = list_runs(reports)?;
    if runs.is_empty() {
        speech.print(&format!("no runs in {}\n", reports.display()));
    }
    let wide = runs.iter().map(|run| run.run.chars().count()).max().unwrap_or(0);
    for run in &runs {
        speech.print(&format!("{:wide$}  {:24}  {}\n", run.run, started(run), state(run)));
    }
    Ok(())
}

fn started(run: &RunFacts) -> String {
    let wall = run.wall.and_then(|wall| u64::try_from(wall).ok());
    wall.map_or_else(|| "-".to_owned(), |wall| Wall::from_unix_nanos(wall).to_string())
}

fn state(run: &RunFacts) -> &str {
    match &run.verdict {
        _ if run.live => "running",
        _ if !run.begun => "broken off before it began",
        Some(verdict) => verdict,
        None => "no summary",
    }
}

/// A run that still has something to be undone is kept: its journal is how it is found.
fn remove(reports: &Path, run: &str) -> anyhow::Result<()> {
    let journal = reports.join(run).join(JOURNAL);
    if undo::has_pending(&journal) {
        anyhow::bail!("run {run} has left something behind; `peakdrill recover` undoes it");
    }
    Ok(remove_run(reports, run, &[JOURNAL])?)
}
