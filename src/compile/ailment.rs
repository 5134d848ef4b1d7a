//! Faults on processes: what each is, and what cannot be.

use super::context::Cx;
use super::platform::Processes;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::plan::{FaultKind, ProcessId};
use crate::scenario::{self, Field, Target};

type Make = Box<dyn FnOnce(Vec<ProcessId>) -> Option<FaultKind>>;

/// The target of a fault on processes, and what it is of them; `None` for a fault on something else.
pub(super) fn on_processes<'f>(fault: &'f scenario::Fault, cx: &mut Cx<'_>) -> Option<(&'f Field<Target>, Make)> {
    if let Some(kill) = cx.get(&fault.kill) {
        return Some((&kill.process, Box::new(|processes| Some(FaultKind::Kill { processes }))));
    }
    if let Some(terminate) = cx.get(&fault.terminate) {
        return Some((&terminate.process, Box::new(|processes| Some(FaultKind::Terminate { processes }))));
    }
    if let Some(crash) = cx.get(&fault.crash_loop) {
        let every = cx.need(&crash.every).map(|every| every.value);
        return Some((
            &crash.process,
            Box::new(move |processes| every.map(|every| FaultKind::CrashLoop { processes, every })),
        ));
    }
    if let Some(restart) = cx.get(&fault.restart) {
        return Some((&restart.process, Box::new(|processes| Some(FaultKind::Restart { processes }))));
    }
    if let Some(pause) = cx.get(&fault.pause) {
        return Some((&pause.process, Box::new(|processes| Some(FaultKind::Pause { processes }))));
    }
    if let Some(files) = cx.get(&fault.exhaust_files) {
        return Some((&files.process, Box::new(|processes| Some(FaultKind::ExhaustFiles { processes }))));
    }
    if let Some(memory) = cx.get(&fault.out_of_memory) {
        return Some((&memory.process, Box::new(|processes| Some(FaultKind::OutOfMemory { processes }))));
    }
    if let Some(slow) = cx.get(&fault.slow_start) {
        let by = cx.need(&slow.by).map(|by| by.value);
        return Some((&slow.process, Box::new(move |processes| by.map(|by| FaultKind::SlowStart { processes, by }))));
    }
    if let Some(skew) = cx.get(&fault.skew_clock) {
        let by = cx.need(&skew.by).map(|by| by.value);
        return Some((&skew.process, Box::new(move |processes| by.map(|by| FaultKind::SkewClock { processes, by }))));
    }
    None
}

/// What else is wrong with it.
pub(super) fn check(kind: &FaultKind, fault: &scenario::Fault, target: Mark, processes: &Processes, cx: &mut Cx<'_>) {
    match kind {
        FaultKind::SkewClock { processes: skewed, .. } if skewed.iter().any(|id| !processes.is_skewable(*id)) => {
            let message = "the wall clock of a process can be told another time only if libfaketime is loaded into it";
            let help = "write `clock: skewable` at the process, which the drill has to start with `run`";
            cx.say(Diagnostic::error("not-skewable", target, message).help(help));
        }
        FaultKind::SlowStart { by, .. } => {
            let late = cx.get(&fault.slow_start).and_then(|slow| cx.get(&slow.by)).map(|by| by.mark);
            if let (Some(lasts), Some(late)) = (cx.get(&fault.lasts), late)
                && *by >= lasts.value
            {
                let message =
                    format!("it is started again after {by}, and the fault is over by then: nothing would be slow");
                cx.say(Diagnostic::error("range", late, message).help("let `for` be longer than `by`"));
            }
        }
        _ => {}
    }
}
