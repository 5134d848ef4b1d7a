use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Bindings, Dial, PlatformError, Setting, covers};
use crate::base::host::{self, Cover};
use crate::plan::Template;

/// Command line, environment and folder as the plan has them.
type Source<'p> = (&'p [Template], &'p [(String, Template)], Option<&'p str>);

/// The process itself.
pub(super) struct Own<'p> {
    pub(super) name: &'p str,
    pub(super) address: Option<(String, u16)>,
    /// It can be told another time.
    pub(super) skewable: bool,
    /// It lives in a network.
    pub(super) networked: bool,
}

/// What is started, and how.
pub(super) struct Recipe {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) dir: Option<PathBuf>,
    /// Its own folder, empty at the start of the drill and kept over restarts.
    pub(super) folder: Option<PathBuf>,
    /// By which it can be told another time.
    pub(super) dial: Option<Dial>,
    /// What it sees in place of files of the machine.
    pub(super) covers: Vec<Cover>,
}

impl Recipe {
    pub(super) fn new(
        setting: &Setting,
        own: Own<'_>,
        bindings: &Bindings,
        (argv, env, dir): Source<'_>,
        private: Option<&Path>,
    ) -> Result<Recipe, PlatformError> {
        let Own { address, skewable, networked, .. } = own;
        let name = own.name.to_owned();
        let folder = private.map(|private| private.join(&name));
        let (host, port) = address.unwrap_or_default();
        let own = [
            ("address", Value::from(format!("{host}:{port}"))),
            ("host", Value::from(host)),
            ("port", Value::from(port)),
            ("folder", folder.as_ref().map_or(Value::Null, |folder| Value::from(folder.to_string_lossy()))),
        ];
        let settle = |what: String, template: &Template| bindings.settle(&what, &template.0, &own);
        let mut words = Vec::new();
        for (index, template) in argv.iter().enumerate() {
            words.push(settle(format!("word {} of `run` of process `{name}`", index + 1), template)?);
        }
        let mut environment = Vec::new();
        for (key, template) in env {
            environment.push((key.clone(), settle(format!("`env.{key}` of process `{name}`"), template)?));
        }
        if let Some(folder) = &folder {
            // For programs that look for a place of their own without being told by a flag.
            environment.push(("PEAKDRILL_FOLDER".to_owned(), folder.to_string_lossy().into_owned()));
        }
        let dial = private
            .filter(|_| skewable)
            .map(|private| Dial::new(&setting.journal.marker(&name), private))
            .transpose()?;
        if let Some(dial) = &dial {
            let more = dial.environment(&environment);
            environment.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
            environment.extend(more);
        }
        let covers = match private.filter(|_| networked) {
            Some(private) => covers::of(private).map_err(|why| PlatformError::Start { process: name.clone(), why })?,
            None => Vec::new(),
        };
        let dir = dir.map(|dir| setting.here.join(dir));
        let (program, arguments) = words.split_first().ok_or(PlatformError::Empty { process: name.clone() })?;
        let found = find(setting, program, dir.as_ref());
        Ok(Recipe {
            program: found.ok_or_else(|| PlatformError::NoProgram { process: name, program: program.clone() })?,
            arguments: arguments.iter().map(OsString::from).collect(),
            environment,
            dir,
            folder,
            dial,
            covers,
        })
    }
}

/// The program that `word` means: `peakdrill` is the one that is running.
pub(super) fn find(setting: &Setting, word: &str, dir: Option<&PathBuf>) -> Option<PathBuf> {
    if word == "peakdrill" {
        return Some(setting.program.clone());
    }
    host::find_program(word, dir.unwrap_or(&setting.here))
}
