use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;

use super::bindings::tail;
use super::{Platform, PlatformError, keeper, recipe};
use crate::base::host::{CgroupHome, Launch, Tree};
use crate::base::units::Span;
use crate::plan::ChoreWork;
use crate::undo::Action;

const DEADLINE: Span = Span::seconds(10);

/// Runs the program of a chore to its end.
pub(super) async fn run(
    platform: &Platform,
    index: usize,
    cleanup: bool,
    work: &ChoreWork,
    within: Span,
) -> Result<(), PlatformError> {
    let ChoreWork::Run { argv, env, dir } = work else { return Ok(()) };
    let (setting, bindings) = (&platform.setting, &platform.bindings);
    let name = format!("{}-{}", if cleanup { "cleanup" } else { "prepare" }, index + 1);
    let mut words = Vec::new();
    for template in argv {
        words.push(bindings.settle(&format!("`run` of {name}"), &template.0, &[])?);
    }
    let mut environment = Vec::new();
    for (key, template) in env {
        environment.push((key.clone(), bindings.settle(&format!("`env.{key}` of {name}"), &template.0, &[])?));
    }
    let command = argv.iter().map(|word| word.0.as_str()).collect::<Vec<_>>().join(" ");
    let dir = dir.as_ref().map(|dir| setting.here.join(dir));
    program(platform, Program { name, command, words, environment, dir, within }).await
}

/// A program that is run once.
pub(super) struct Program {
    /// No process can be called so.
    pub(super) name: String,
    /// For messages: without what its templates came to.
    pub(super) command: String,
    pub(super) words: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) dir: Option<PathBuf>,
    pub(super) within: Span,
}

/// Runs it to its end; it and all it started are gone afterwards, also when the harness dies meanwhile.
pub(super) async fn program(platform: &Platform, program: Program) -> Result<(), PlatformError> {
    let Program { name, command, words, environment, dir, within } = program;
    let setting = &platform.setting;
    let (word, arguments) = words.split_first().ok_or(PlatformError::Empty { process: name.clone() })?;
    let program = recipe::find(setting, word, dir.as_ref())
        .ok_or_else(|| PlatformError::NoProgram { process: name.clone(), program: word.clone() })?;
    let failed = |why| PlatformError::ChoreStart { command: command.clone(), why };
    let marker = setting.journal.marker(&name);
    let cgroup = CgroupHome::find().map(|home| home.folder(&marker));
    let mut tree = Tree { cgroup: cgroup.clone(), marker: Some(marker.to_string()), root: None };
    let undo = setting.journal.plan(Action::StopTree { name: name.clone(), tree: tree.clone() })?;
    platform.programs().push(undo);
    let output = setting.folder.output(&name);
    let launch = Launch {
        program,
        arguments: arguments.iter().map(OsString::from).collect(),
        environment,
        folder: Some(dir.unwrap_or_else(|| setting.here.clone())),
        output: File::options().create(true).append(true).open(&output).map_err(failed)?,
        marker: marker.to_string(),
        cgroup,
        network: None,
        covers: Vec::new(),
    };
    let mut kept = keeper::keep(launch, keeper::Ends::WithItsFirst, |_| {}).await.map_err(failed)?;
    tree.root = Some(kept.identity);
    let clock = setting.door.clock();
    let waited = clock.timeout(within, kept.ended.wait_for(Option::is_some)).await;
    let status = waited.ok().map(|ended| ended.map_or_else(|_| None, |status| status.clone()).unwrap_or_default());
    let gone = tokio::task::spawn_blocking(move || {
        let gone = tree.kill(DEADLINE)?;
        tree.cgroup.as_ref().map_or(Ok(()), |cgroup| cgroup.remove())?;
        Ok(gone)
    });
    let gone = gone.await.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(failed)?;
    if !gone {
        return Err(PlatformError::NotGone { process: name, within: DEADLINE });
    }
    setting.journal.done(undo);
    platform.programs().retain(|other| *other != undo);
    match status.as_deref() {
        Some("exit 0") => Ok(()),
        Some(status) => Err(PlatformError::Chore { command, status: status.to_owned(), output: tail(&output) }),
        None => Err(PlatformError::ChoreLate { command, within }),
    }
}
