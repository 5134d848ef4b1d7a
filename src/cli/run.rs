use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::args::{Dry, RunArgs};
use super::exit::Exit;
use super::speech::Speech;
use super::{approve, machine, part, render, scenarios};
use crate::analysis::Snapshot;
use crate::base::clock::{Clock, Wall};
use crate::compile::Compiled;
use crate::drill::{self, Audience, Ended, Signals};
use crate::live::Live;
use crate::load;
use crate::plan::Plan;
use crate::plan::arrivals::Slice;
use crate::record::{self, EndReason, Entry, Part};

pub(super) fn run(args: &RunArgs, speech: Speech) -> Exit {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            speech.complain(&error);
            return Exit::Inconclusive;
        }
    };
    // Every file is read before the first drill begins: a mistake in the last one is said now, not in an hour.
    let choice = &args.choice;
    let mut plans = Vec::new();
    let mut wrong = false;
    for file in &args.files {
        match scenarios::to_run(speech, file, choice.profile.as_deref(), &choice.sets) {
            Ok(mut compiled) => {
                let whole = compiled.plan.production.is_some().then(|| compiled.plan.clone());
                if let Err(why) = leave_out(&mut compiled.plan, &args.dry) {
                    speech.complain(&why);
                    wrong = true;
                }
                let closed = compiled.plan.loads.iter().find(|load| load.is_closed() && !load::can_be_closed());
                if let Some(load) = closed {
                    speech.complain(&format!(
                        "the load `{}` has users, and this program was built without closed loads: build it with the cargo \
                         feature `closed`, or give the load `arrivals`",
                        load.name
                    ));
                    wrong = true;
                }
                plans.push((file, compiled, whole));
            }
            Err(_) => wrong = true,
        }
    }
    if wrong {
        return Exit::Wrong;
    }
    if args.part.is_some() && plans.len() > 1 {
        speech.complain(&"one start instant is for one drill: give a single file with --part");
        return Exit::Wrong;
    }
    let mut worst = Exit::Passed;
    for (file, compiled, whole) in plans {
        if signals.came() {
            break;
        }
        let exit = one(args, speech, file, compiled, whole.as_ref(), &mut signals);
        worst = worst.max(exit);
        if matches!(exit, Exit::Aborted | Exit::Residue) {
            // A person or a condition said stop, or something is still broken: no further drill is laid on top of it.
            break;
        }
    }
    // One that came while no drill was going on stops the command, too.
    if signals.came() { worst.max(Exit::Aborted) } else { worst }
}

/// `whole` is the plan of a drill of production before anything was left out of it.
fn one(
    args: &RunArgs,
    speech: Speech,
    file: &Path,
    compiled: Compiled,
    whole: Option<&Plan>,
    signals: &mut Signals,
) -> Exit {
    let options = load::Options { workers: args.workers, spin: None };
    let part = args.part.zip(args.start_at).map(|(slice, start)| part::of(&compiled.plan, slice, start)).transpose();
    let made = part.and_then(|part| {
        let start = part.as_ref().and_then(|part| u64::try_from(part.start).ok()).map(Wall::from_unix_nanos);
        let start = start.unwrap_or_else(|| Clock::start().wall());
        let approval =
            whole.map(|whole| approve::permit(whole, args.approval.as_deref(), start)).transpose()?.flatten();
        Ok((setting(file, compiled, &args.reports, options, part)?, approval))
    });
    let setting = match made {
        Ok((setting, approval)) => drill::Setting { approval, ..setting },
        Err(why) => {
            speech.complain(&why);
            return Exit::Wrong;
        }
    };
    if let Some(part) = &setting.part {
        let words = speech.words;
        speech.say(&format!("{}\n", words.event_part(part.part, part.of, words.wall(part.start))));
    }
    let plan = setting.plan.clone();
    for warning in machine::warnings(&plan, args.workers, args.part.unwrap_or(Slice::WHOLE), speech.words) {
        speech.say(&format!("{warning}\n"));
    }
    let mut view =
        View { live: (!args.quiet).then(|| Live::new(&plan, speech.words, speech.screen(), std::io::stderr())) };
    let ended = drill::run(&setting, signals, &mut view);
    view.finish();
    match ended {
        Ok(ended) => told(&ended, speech, setting.part.as_ref().is_some_and(|part| part.of > 1)),
        Err(error) => {
            speech.complain(&error);
            Exit::Inconclusive
        }
    }
}

/// Leaves out what the command line says.
fn leave_out(plan: &mut Plan, dry: &Dry) -> Result<(), String> {
    for name in &dry.without {
        if !plan.faults.iter().any(|fault| fault.name == *name || fault.written() == name) {
            let known: Vec<&str> = plan.faults.iter().map(|fault| fault.name.as_str()).collect();
            return Err(format!("--without {name}: there is no such fault; there are: {}", known.join(", ")));
        }
    }
    if !dry.without.is_empty() {
        plan.spare(|fault| dry.without.iter().any(|name| fault.name == *name || fault.written() == name));
    }
    if dry.no_faults {
        plan.without_faults();
    }
    if dry.no_load {
        plan.without_load();
    }
    Ok(())
}

/// What a drill of `file` is made with; its folder comes to lie in `reports`.
pub(super) fn setting(
    file: &Path,
    compiled: Compiled,
    reports: &Path,
    options: load::Options,
    part: Option<Part>,
) -> Result<drill::Setting, String> {
    let origins = serde_json::to_value(&compiled.origins).map_err(|error| error.to_string())?;
    let files = file.parent().map(PathBuf::from).unwrap_or_default();
    planned(compiled.plan, origins, files, reports, options, part)
}

/// The same of a plan whose files lie in `files`.
pub(super) fn planned(
    plan: Plan,
    origins: Value,
    files: PathBuf,
    reports: &Path,
    options: load::Options,
    part: Option<Part>,
) -> Result<drill::Setting, String> {
    let wall = Clock::start().wall();
    let (run, whole) = match &part {
        Some(part) => (part.run(), part.whole.clone()),
        None => {
            let run = record::run_id(&wall.compact(), &plan.about.name, salt(wall));
            (run.clone(), run)
        }
    };
    let io = |what: &str, error: std::io::Error| format!("{what}: {error}");
    Ok(drill::Setting {
        constants: scenarios::constants(&plan, &whole)?,
        plan: Arc::new(plan),
        origins,
        run,
        part,
        reports: reports.to_owned(),
        approval: None,
        scratch: None,
        program: std::env::current_exe().map_err(|error| io("the program's own path is not known", error))?,
        here: std::env::current_dir().map_err(|error| io("the working folder is not known", error))?,
        files,
        options,
    })
}

/// Tells runs of one second apart: the nanoseconds, and who we are.
fn salt(wall: Wall) -> u64 {
    (wall.unix_nanos() / 1_000) ^ u64::from(std::process::id())
}

/// Says what the run came to, and where the rest can be read. One part of several is not judged alone: it is done when it
/// came to its end.
fn told(ended: &Ended, speech: Speech, is_part: bool) -> Exit {
    let mut exit = match render::render(&ended.folder, speech, render::Pictures::IfPossible) {
        Ok(rendered) => {
            speech.print(&rendered.terminal);
            match rendered.failed {
                None if is_part && ended.reason == EndReason::Finished => Exit::Passed,
                None => rendered.exit,
                Some(error) => {
                    let again = "`peakdrill report` makes it again from the record";
                    speech.complain(&format!("no whole report: {error:#}; {again}"));
                    rendered.exit.max(Exit::Inconclusive)
                }
            }
        }
        Err(error) => {
            speech.complain(&error);
            Exit::Inconclusive
        }
    };
    if let Some(lost) = &ended.lost {
        speech.complain(&format!("the run is inconclusive, since its record could not be written: {lost}"));
        exit = Exit::Inconclusive;
    }
    if !ended.left.is_empty() {
        for left in &ended.left {
            speech.complain(&format!("could not be undone: {left}"));
        }
        exit = Exit::Residue;
    }
    if ended.broken {
        speech.complain(&"a defect of the harness itself ended a part of this run; its figures are not to be trusted");
        exit = Exit::Defect;
    }
    exit
}

/// The live view, where there is one. A stream that cannot be written ends the view, not the drill.
struct View<'p> {
    live: Option<Live<'p, std::io::Stderr>>,
}

impl View<'_> {
    fn finish(self) {
        if let Some(live) = self.live {
            let _ = live.finish();
        }
    }
}

impl Audience for View<'_> {
    fn entry(&mut self, entry: &Entry) {
        if self.live.as_mut().is_some_and(|live| live.note(entry).is_err()) {
            self.live = None;
        }
    }

    fn second(&mut self, snapshot: &Snapshot) {
        if self.live.as_mut().is_some_and(|live| live.second(snapshot).is_err()) {
            self.live = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::{Map, Value};

    use super::*;
    use crate::base::units::Span;
    use crate::cli::args::{ColorChoice, Language, Voice};
    use crate::load::tests::support::Maker;
    use crate::record::EndReason;
    use crate::wire::scripted::{Scripted, ok};

    #[test]
    fn a_visit_that_panics_ends_the_run_as_a_defect_of_the_harness() {
        let server = Scripted::start(|_| ok(""));
        server.rig();
        let mut maker = Maker::new(&server.url());
        let step = maker.get("/");
        let folder = tempfile::tempdir().unwrap();
        // A guardian that waits for the goodbye: there is nothing to undo.
        let program = folder.path().join("guardian");
        std::fs::write(&program, "#!/bin/sh\nread goodbye\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let setting = drill::Setting {
            plan: Arc::new(maker.only(vec![step], 20.0, Span::seconds(5))),
            origins: Value::Null,
            run: "r1".to_owned(),
            part: None,
            reports: folder.path().join("reports"),
            program,
            here: folder.path().to_owned(),
            files: folder.path().to_owned(),
            constants: Map::new(),
            options: load::Options { workers: Some(1), spin: None },
            scratch: None,
            approval: None,
        };
        let (_hand, pressed) = tokio::sync::mpsc::unbounded_channel();
        let ended = drill::run(&setting, &mut Signals::from(pressed), &mut View { live: None }).unwrap();
        assert!(ended.broken && ended.left.is_empty() && ended.lost.is_none(), "{ended:?}");
        assert_eq!(ended.reason, EndReason::HarnessFailed);
        let voice = Voice { lang: Language::En, color: ColorChoice::Never };
        assert_eq!(told(&ended, Speech::new(&voice), false).code(), 70);
    }
}
