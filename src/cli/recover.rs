use super::args::RecoverArgs;
use super::exit::Exit;
use super::speech::Speech;
use crate::undo::{self, Left, Recovery};

/// Undoes whatever dead runs have left on this machine.
pub(super) fn recover(args: &RecoverArgs, speech: Speech) -> Exit {
    let sweep = undo::recover_all(&args.reports);
    let (mut undone, mut left, mut exit) = (sweep.undone, sweep.left, Exit::Passed);
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
    let left = undo::residue(&args.reports);
    if left.is_empty() {
        speech.print("nothing is left\n");
    }
    told(&left, speech)
}

fn told(left: &[Left], speech: Speech) -> Exit {
    for one in left {
        speech.print(&format!("left: {one}\n"));
    }
    if left.is_empty() { Exit::Passed } else { Exit::Residue }
}
