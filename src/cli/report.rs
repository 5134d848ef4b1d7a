use std::path::Path;

use super::args::ReportArgs;
use super::exit::Exit;
use super::render::{Pictures, render};
use super::speech::Speech;
use crate::record::{Folder, find_run, list_runs};

pub(super) fn report(args: &ReportArgs, speech: Speech) -> Exit {
    let pictures = if args.png { Pictures::Demanded } else { Pictures::IfPossible };
    let folder = match found(&args.run, &args.reports) {
        Ok(folder) => folder,
        Err(error) => {
            speech.complain(&error);
            return Exit::Wrong;
        }
    };
    match render(&folder, speech, pictures) {
        Ok(rendered) => {
            speech.print(&rendered.terminal);
            match rendered.failed {
                None => rendered.exit,
                Some(error) => {
                    speech.complain(&format!("no whole report: {error:#}"));
                    Exit::Wrong
                }
            }
        }
        Err(error) => {
            speech.complain(&format!("{error:#}"));
            Exit::Wrong
        }
    }
}

/// The run of that name or folder; `last` is the latest.
pub(super) fn found(run: &Path, reports: &Path) -> anyhow::Result<Folder> {
    if run.as_os_str() == "last" {
        let runs = list_runs(reports)?;
        let last = runs
            .iter()
            .rfind(|run| run.begun)
            .ok_or_else(|| anyhow::anyhow!("there is no run in {}", reports.display()))?;
        return Ok(Folder::new(reports.join(&last.run)));
    }
    Ok(find_run(reports, &run.to_string_lossy())?)
}
