use std::io::IsTerminal as _;
use std::path::Path;

use serde_json::{Map, Value};

use super::exit::Exit;
use super::files;
use super::speech::Speech;
use crate::base::diagnostic::{Diagnostic, Sources, Style, any_error, render, sort};
use crate::base::template::Template;
use crate::compile::{self, Compiled};
use crate::plan::Plan;
use crate::scenario;

/// A scenario file, read and compiled: a plan, or the mistakes.
pub(super) struct Reading {
    pub(super) sources: Sources,
    pub(super) found: Vec<Diagnostic>,
    pub(super) compiled: Option<Compiled>,
}

/// Reads `file` as `profile` and `sets` make it.
pub(super) fn read(file: &Path, profile: Option<&str>, sets: &[String]) -> Reading {
    read_for(file, profile, sets, false)
}

fn read_for(file: &Path, profile: Option<&str>, sets: &[String], unattended: bool) -> Reading {
    let mut sources = Sources::default();
    let (files, mut found) = scenario::open(&mut sources, &file.to_string_lossy(), &mut load_scenario);
    let compiled = compile_as(&files, &mut sources, profile, sets, unattended, &mut found);
    sort(&mut found);
    Reading { sources, compiled: compiled.filter(|_| !any_error(&found)), found }
}

/// Every mistake of `file`, as it is and in each of its profiles; and the plans that they make.
pub(super) fn read_all(file: &Path, sets: &[String], unattended: bool) -> (Reading, Vec<Plan>) {
    let mut sources = Sources::default();
    let (files, mut found) = scenario::open(&mut sources, &file.to_string_lossy(), &mut load_scenario);
    let mut plans = Vec::new();
    for profile in [None].into_iter().chain(files.profiles().iter().map(|name| Some(name.as_str()))) {
        plans.extend(
            compile_as(&files, &mut sources, profile, sets, unattended, &mut found).map(|compiled| compiled.plan),
        );
    }
    sort(&mut found);
    (Reading { sources, found, compiled: None }, plans)
}

fn compile_as(
    files: &scenario::Files,
    sources: &mut Sources,
    profile: Option<&str>,
    sets: &[String],
    unattended: bool,
    found: &mut Vec<Diagnostic>,
) -> Option<Compiled> {
    let (scenario, more) = files.read(sources, profile, sets);
    found.extend(more);
    let scenario = scenario?;
    let input = compile::Input { scenario: &scenario, sources, entry: files.entry(), profile, unattended };
    match compile::compile(input, &mut load_feed) {
        Ok(compiled) => {
            found.extend(compiled.warnings.iter().cloned());
            Some(compiled)
        }
        Err(more) => {
            found.extend(more);
            None
        }
    }
}

fn load_scenario(path: &str) -> Result<Vec<u8>, String> {
    files::read_limited(Path::new(path), files::SCENARIO_LIMIT).map_err(|error| error.to_string())
}

fn load_feed(path: &str) -> Result<Vec<u8>, String> {
    files::read_limited(Path::new(path), files::FEED_LIMIT).map_err(|error| error.to_string())
}

/// The compiled scenario; or its mistakes are said and the command ends.
pub(super) fn compiled(speech: Speech, file: &Path, profile: Option<&str>, sets: &[String]) -> Result<Compiled, Exit> {
    let reading = read(file, profile, sets);
    say(speech, &reading);
    reading.compiled.ok_or(Exit::Wrong)
}

/// The same of a drill that is to be run: without a terminal nothing can be confirmed at one.
pub(super) fn to_run(speech: Speech, file: &Path, profile: Option<&str>, sets: &[String]) -> Result<Compiled, Exit> {
    let reading = read_for(file, profile, sets, !std::io::stdin().is_terminal());
    say(speech, &reading);
    reading.compiled.ok_or(Exit::Wrong)
}

/// Says what was found.
pub(super) fn say(speech: Speech, reading: &Reading) {
    if !reading.found.is_empty() {
        speech.say(&render(&reading.found, &reading.sources, Style { color: speech.colours_messages() }));
    }
}

/// `vars env secret run` as templates of `plan` see them. `secret.NAME` is the environment variable NAME, masked
/// wherever it would be written. The error names every variable that is not set.
pub(super) fn constants(plan: &Plan, run: &str) -> Result<Map<String, Value>, String> {
    let (mut env, mut secret, mut missing) = (Map::new(), Map::new(), Vec::new());
    let stored = serde_json::to_value(plan).map_err(|error| error.to_string())?;
    each_text(&stored, &mut |text| {
        let Ok(template) = Template::parse(text) else { return };
        for reference in template.references() {
            let [root, name, ..] = reference.path.as_slice() else { continue };
            let into = match root.as_str() {
                "env" => &mut env,
                "secret" => &mut secret,
                _ => continue,
            };
            match std::env::var(name) {
                Ok(value) => drop(into.insert(name.clone(), Value::String(value))),
                Err(_) if missing.contains(name) => {}
                Err(_) => missing.push(name.clone()),
            }
        }
    });
    if !missing.is_empty() {
        return Err(format!(
            "the scenario asks for environment variables that are not set (or are no text): {}",
            missing.join(" ")
        ));
    }
    let vars = Value::Object(plan.vars.iter().map(|(name, value)| (name.clone(), value.clone())).collect());
    let run = Value::Object(Map::from_iter([("id".to_owned(), Value::from(run))]));
    let named = [("vars", vars), ("env", Value::Object(env)), ("secret", Value::Object(secret)), ("run", run)];
    Ok(named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Every text in `value` that may be a template.
pub(super) fn each_text(value: &Value, look: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) if text.contains('{') => look(text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, look)),
        Value::Object(fields) => fields.values().for_each(|field| each_text(field, look)),
        _ => {}
    }
}
