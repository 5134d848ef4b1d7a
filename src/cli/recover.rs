use std::io::ErrorKind;

use super::args::RecoverArgs;
use super::exit::Exit;
use super::speech::Speech;
use crate::undo::{self, Left, Recovery};

/// Undoes whatever dead runs have left on this machine.
pub(super) fn recover(args: &RecoverArgs, speech: Speech) -> Exit {
    let mut exit = looked_into(args, speech);
    let sweep = undo::recover_all(&args.reports);
    let (mut undone, mut left) = (sweep.undone, sweep.left);
    for (path, recovery) in sweep.runs {
        match recovery {
            Ok(Recovery::Busy { run, harness }) => {
                speech.say(&format!("{run}: still going on (pid {}); left alone\n", harness.pid));
            }
            Ok(Recovery::Done { undone: more, left: remaining, .. }) => {
                undone.extend(more);
                left.extend(remaining);
            }
            Err(error) => {
                speech.complain(&format!("{}: {error}", path.display()));
                exit = Exit::Residue;
            }
        }
    }
    undone.iter().for_each(|one| speech.print(&format!("{one}\n")));
    if undone.is_empty() && left.is_empty() && exit == Exit::Passed {
        speech.print("nothing to undo\n");
    }
    told(&left, speech).max(exit)
}

/// Lists what dead runs have left; changes nothing.
pub(super) fn residue(args: &RecoverArgs, speech: Speech) -> Exit {
    let exit = looked_into(args, speech);
    let left = undo::residue(&args.reports);
    if left.is_empty() && exit == Exit::Passed {
        speech.print("nothing is left\n");
    }
    told(&left, speech).max(exit)
}

/// Whether the runs' own journals can be looked into; what this machine itself tells is looked at in any case.
fn looked_into(args: &RecoverArgs, speech: Speech) -> Exit {
    let reports = args.reports.display();
    match std::fs::read_dir(&args.reports) {
        Ok(_) => Exit::Passed,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            speech.say(&format!(
                "there is no folder {reports} (--reports says where runs are kept); looked at this machine alone\n"
            ));
            Exit::Passed
        }
        Err(error) => {
            speech.complain(&format!("{reports} cannot be read: {error}; name the folder of runs with --reports"));
            Exit::Wrong
        }
    }
}

fn told(left: &[Left], speech: Speech) -> Exit {
    for one in left {
        speech.print(&format!("left: {one}\n"));
    }
    if left.is_empty() { Exit::Passed } else { Exit::Residue }
}
