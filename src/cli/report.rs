use super::args::ReportArgs;
use super::exit::Exit;
use super::render::{Pictures, render};
use super::speech::Speech;
use crate::record::{Folder, find_run, list_runs};

pub(super) fn report(args: &ReportArgs, speech: Speech) -> Exit {
    let pictures = if args.png { Pictures::Demanded } else { Pictures::IfPossible };
    let folder = match found(args) {
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

fn found(args: &ReportArgs) -> anyhow::Result<Folder> {
    if args.run.as_os_str() == "last" {
        let runs = list_runs(&args.reports)?;
        let last = runs
            .iter()
            .rfind(|run| run.begun)
            .ok_or_else(|| anyhow::anyhow!("there is no run in {}", args.reports.display()))?;
        return Ok(Folder::new(args.reports.join(&last.run)));
    }
    Ok(find_run(&args.reports, &args.run.to_string_lossy())?)
}
