use std::fs::File;
use std::io::{self, PipeWriter, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, ExitCode};

use super::UndoError;
use super::journal::{Inherited, Journal};
use crate::base::clock::Clock;
use crate::base::host::{self, CgroupHome, Watched};
use crate::base::template::Masker;
use crate::base::units::Span;

/// What a dead harness still held may be let go of a moment after its death.
const LOCK: Span = Span::seconds(10);

/// A small process of its own that waits for the harness to die, at no cost, and then undoes what is pending.
///
/// It has a session of its own, ignores what terminals send, and holds none of the harness's files.
#[must_use = "without a goodbye at the end, the guardian takes the harness's end for its death"]
#[derive(Debug)]
pub struct Guardian {
    child: Child,
    pipe: PipeWriter,
}

impl Guardian {
    /// Starts `command` with the journal's path as a last argument; it has to come to [`guardian_main`].
    pub fn start(journal: &Journal, mut command: Command) -> Result<Guardian, UndoError> {
        let program = command.get_program().to_string_lossy().into_owned();
        let no_guardian = |source| UndoError::NoGuardian { program: program.clone(), source };
        let path = journal.path().canonicalize().map_err(no_guardian)?;
        command.arg(path);
        let (reader, pipe) = io::pipe().map_err(no_guardian)?;
        let child = host::detach(command, reader, None).map_err(no_guardian)?;
        journal.confide_in(pipe.try_clone().map_err(no_guardian)?);
        Ok(Guardian { child, pipe })
    }

    /// Whether it still watches; it could have been killed.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Lets it go: all is undone, or what is not has been said. It leaves without a trace.
    pub fn goodbye(mut self) {
        // It can only be gone already; then there is nobody to say goodbye to.
        let _ = self.pipe.write_all(b".\n");
        drop(self.pipe);
        let _ = self.child.wait();
    }
}

/// What the guardian process does: waits for the harness named in `journal` to say goodbye (then nothing) or to die
/// (then every pending undo, the last first). Standard input is the pipe from the harness. Exits with 0, or with 5 when
/// something could not be undone; the journal says what.
pub fn guardian_main(journal: &Path) -> ExitCode {
    host::ignore_terminal_signals();
    if let Some(home) = CgroupHome::find() {
        // Otherwise whoever kills the harness's whole folder kills its guardian, too.
        home.escape();
    }
    match guard(journal) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) | Err(_) => ExitCode::from(5),
    }
}

fn guard(path: &Path) -> Result<bool, UndoError> {
    let mut journal = Inherited::open(path)?;
    let not_opened = |source| UndoError::NotOpened { path: path.to_owned(), source };
    let handle = journal.harness.open().map_err(not_opened)?;
    // Unbuffered, since it is asked by its descriptor whether there is more.
    let pipe = io::stdin().as_fd().try_clone_to_owned().map(File::from).map_err(not_opened)?;
    let mut secrets = Masker::default();
    let hear = |line: &[u8]| serde_json::from_slice(line).into_iter().for_each(|secret: String| secrets.add(&secret));
    if host::watch_end(pipe, handle.as_ref(), hear).map_err(not_opened)? == Watched::SaidGoodbye {
        return Ok(true);
    }
    if !take_lock(&journal)? {
        // Somebody else is at it: `recover`, started by hand in the same moment.
        return Ok(true);
    }
    journal.read()?;
    let (_, left) = journal.undo_all("guardian", Some(&secrets));
    Ok(left.is_empty())
}

/// Waits for the lock for a while; `false` when another still holds it then.
pub(super) fn take_lock(journal: &Inherited) -> Result<bool, UndoError> {
    let clock = Clock::start();
    loop {
        if journal.try_lock()? {
            return Ok(true);
        }
        if clock.now().as_nanos() > LOCK.as_nanos() {
            return Ok(false);
        }
        clock.block_for(Span::millis(5));
    }
}
