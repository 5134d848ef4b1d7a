use super::args::MergeArgs;
use super::exit::Exit;
use super::render::{Pictures, render};
use super::speech::Speech;
use crate::record::{self, Folder, RecordError, find_run};

pub(super) fn merge(args: &MergeArgs, speech: Speech) -> Exit {
    let found = args.runs.iter().map(|run| find_run(&args.reports, &run.to_string_lossy()));
    let merged =
        found.collect::<Result<Vec<Folder>, RecordError>>().and_then(|folders| record::merge(&args.reports, &folders));
    let folder = match merged {
        Ok(folder) => folder,
        Err(error) => {
            speech.complain(&error);
            return Exit::Wrong;
        }
    };
    match render(&folder, speech, Pictures::IfPossible) {
        Ok(rendered) => {
            speech.print(&rendered.terminal);
            match rendered.failed {
                None => rendered.exit,
                Some(error) => {
                    speech.complain(&format!("no whole report: {error:#}"));
                    rendered.exit.max(Exit::Inconclusive)
                }
            }
        }
        Err(error) => {
            speech.complain(&format!("{error:#}"));
            Exit::Inconclusive
        }
    }
}
