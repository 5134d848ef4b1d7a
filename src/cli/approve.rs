//! Who may let a drill of production go: makes keys, signs plans, and asks for both before a run.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::args::ApproveArgs;
use super::exit::Exit;
use super::files;
use super::scenarios;
use super::speech::Speech;
use super::token::{self, Approver};
use crate::base::clock::{Clock, Wall};
use crate::plan::Plan;
use crate::record::Approval;

const KEY_LIMIT: u64 = 64 << 10;

pub(super) fn approve(args: &ApproveArgs, speech: Speech) -> Exit {
    let made = match (&args.new_key, &args.file, &args.key, args.until) {
        (Some(path), ..) => new_key(path),
        (None, Some(file), Some(key), Some(until)) => {
            match scenarios::compiled(speech, file, args.choice.profile.as_deref(), &args.choice.sets) {
                Ok(compiled) => sign(&compiled.plan, key, until),
                Err(exit) => return exit,
            }
        }
        // The command line asks for all of them.
        _ => Err("give FILE, --key and --until, or --new-key".to_owned()),
    };
    match made {
        Ok(line) => {
            speech.print(&format!("{line}\n"));
            Exit::Passed
        }
        Err(why) => {
            speech.complain(&why);
            Exit::Wrong
        }
    }
}

/// Makes a pair of keys: the private one in a file of one's own, which is never one that is there; gives the public one.
fn new_key(path: &Path) -> Result<String, String> {
    let key = Approver::generate()?;
    let pem = key.to_pem()?;
    let failed = |error: std::io::Error| format!("{}: {error}; a key is only written to a new file", path.display());
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    if let Err(error) = file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()) {
        // Half of a key is none.
        let _ = std::fs::remove_file(path);
        return Err(failed(error));
    }
    Ok(key.public())
}

fn sign(plan: &Plan, key: &Path, until: Wall) -> Result<String, String> {
    let Some(production) = &plan.production else {
        return Err("this scenario has no `production`, so it needs no approval".to_owned());
    };
    let failed = |why: String| format!("{}: {why}", key.display());
    let bytes = files::read_limited(key, KEY_LIMIT).map_err(|error| failed(error.to_string()))?;
    let approver = Approver::from_pem(&String::from_utf8_lossy(&bytes)).map_err(failed)?;
    if approver.public() != production.approver {
        let public = approver.public();
        return Err(failed(format!(
            "its public key is {public}, and the scenario's `approver` is {}: sign with the key of that one",
            production.approver
        )));
    }
    let now = Clock::start().wall();
    if until <= now {
        return Err(format!("--until {until} has passed: it is {now}"));
    }
    Ok(approver.approve(&digest(plan)?, until))
}

/// Of the bytes that a run's `plan.json` has.
fn digest(plan: &Plan) -> Result<String, String> {
    let stored = serde_json::to_vec_pretty(plan).map_err(|error| error.to_string())?;
    Ok(token::digest(&stored))
}

/// What is to be said in the record of a drill that starts at `start`; nothing where it needs no approval. `Err` says why it
/// may not go. `whole` is the plan with nothing left out: that one is approved.
pub(super) fn permit(whole: &Plan, given: Option<&str>, start: Wall) -> Result<Option<Approval>, String> {
    let Some(production) = &whole.production else { return Ok(None) };
    let wall = Wall::from_unix_nanos;
    let end = wall(start.unix_nanos().saturating_add(whole.end.as_nanos()));
    let window = production.window;
    if start < wall(window.from) || end > wall(window.to) {
        return Err(format!(
            "this drill of production would go on from {start} to {end}, and its window is from {} to {}: run it then, or \
             have another window approved",
            wall(window.from),
            wall(window.to)
        ));
    }
    let Some(given) = given.map(str::trim).filter(|given| !given.is_empty()) else {
        return Err(
            "a drill of production needs an approval: `peakdrill approve FILE --key … --until …` makes it, with the \
                    same --profile and --set; give it as --approval or PEAKDRILL_APPROVAL"
                .to_owned(),
        );
    };
    let digest = digest(whole)?;
    let approved = token::verify(given, &digest, &production.approver, end).map_err(|why| why.to_string())?;
    let until = i64::try_from(approved.until.unix_nanos()).unwrap_or(i64::MAX);
    Ok(Some(Approval { key: approved.key, until, plan: digest }))
}
