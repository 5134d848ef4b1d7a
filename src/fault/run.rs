//! Whatever a program does: one does it, another undoes it, and a third says by its exit code whether it is in force. How it is undone
//! is in the journal before it is done, so that the guardian can; the one that does it is ended before.

use std::path::Path;

use super::{Faults, Kind, blocking, said};
use crate::base::units::Span;
use crate::plan::Template;
use crate::record::Sight;
use crate::undo::{self, Action, UndoError, UndoId};

/// How long to wait at least before it is asked again whether a fault is in force.
const LOOK: Span = Span::millis(20);

/// The command lines of a fault.
pub(super) struct Programs<'p> {
    pub(super) act: &'p [Template],
    pub(super) undo: &'p [Template],
    pub(super) check: &'p [Template],
    pub(super) within: Span,
}

pub(super) async fn inject(
    faults: &Faults,
    name: &str,
    programs: &Programs<'_>,
) -> Result<(Kind, Vec<Sight>), Vec<Sight>> {
    let words = |what: &str, templates: &[Template]| {
        faults.platform.words(&format!("`{what}` of fault `{name}`"), templates).map_err(|why| vec![said(why)])
    };
    let (act, undo, check) =
        (words("do", programs.act)?, words("undo", programs.undo)?, words("check", programs.check)?);
    let (folder, within) = (faults.platform.here().to_owned(), programs.within);
    if ask(&check, &folder, within).await.map_err(|why| vec![why])? {
        return Err(vec![Sight::InForceAlready]);
    }
    let journal = faults.journal.clone();
    let action =
        Action::Run { name: name.to_owned(), command: undo, check: check.clone(), folder: folder.clone(), within };
    let id = blocking(move || journal.plan(action)).await.map_err(|why| vec![why])?.map_err(|why| vec![said(why)])?;
    let why = match faults.platform.run_words(&format!("fault-{name}"), act, within).await {
        Err(why) => said(why),
        Ok(()) => match seen(faults, &check, &folder, within).await {
            Ok(()) => return Ok((Kind::Run { undo: id }, vec![Sight::InForce])),
            Err(why) => why,
        },
    };
    let more = heal(faults, id).await.err().unwrap_or_default();
    Err([vec![why], more].concat())
}

/// Waits until the check says that it is in force.
async fn seen(faults: &Faults, check: &[String], folder: &Path, within: Span) -> Result<(), Sight> {
    let deadline = faults.clock.now() + within;
    loop {
        let asked = faults.clock.now();
        if ask(check, folder, within).await? {
            return Ok(());
        }
        let now = faults.clock.now();
        if now >= deadline {
            return Err(Sight::NeverSeen);
        }
        // A program that takes long to look is not to keep the machine busy.
        faults.clock.sleep(now.since(asked).max(LOOK).min(deadline.since(now))).await;
    }
}

async fn ask(check: &[String], folder: &Path, within: Span) -> Result<bool, Sight> {
    let (check, folder) = (check.to_vec(), folder.to_owned());
    blocking(move || undo::ask(&check, &folder, within)).await?.map_err(said)
}

/// How long a program that undoes a fault at the end of the drill may take.
const SETTLE: Span = Span::seconds(30);

/// Writes down what the scenario says undoes a fault that is left to the platform.
pub(super) async fn plan_settling(
    faults: &Faults,
    name: &str,
    command: &[Template],
    check: &[Template],
) -> Result<UndoId, Sight> {
    let words = |templates| faults.platform.words(&format!("`undo` of fault `{name}`"), templates).map_err(said);
    let (command, check) = (words(command)?, words(check)?);
    let folder = faults.platform.here().to_owned();
    let action = Action::Run { name: name.to_owned(), command, check, folder, within: SETTLE };
    let journal = faults.journal.clone();
    blocking(move || journal.plan(action)).await?.map_err(said)
}

/// The undo's own check has seen that it is gone.
pub(super) async fn heal(faults: &Faults, undo: UndoId) -> Result<Vec<Sight>, Vec<Sight>> {
    let journal = faults.journal.clone();
    match blocking(move || journal.undo(undo)).await.map_err(|why| vec![why])? {
        Ok(()) => Ok(vec![Sight::NotInForce]),
        Err(UndoError::Left(left)) => Err(vec![said(left)]),
        Err(error) => Err(vec![said(error)]),
    }
}
