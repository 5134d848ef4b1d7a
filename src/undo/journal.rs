use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, PipeWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use serde::{Deserialize, Serialize};

use super::action::{Action, Left};
use super::disk::{Disk, Real};
use super::{UndoError, frame, private};
use crate::base::host::{self, Identity, Marker};
use crate::base::template::Masker;

/// The journal's name in a run's folder.
pub const JOURNAL: &str = "undo.journal";

/// Of the stored format.
const VERSION: u32 = 1;

/// Names one undo of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UndoId(u32);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub(super) enum Entry {
    /// The first one.
    Opened {
        version: u32,
        run: String,
        harness: Identity,
        boot: String,
    },
    /// To be undone from now on; one of the same id before it is replaced.
    Planned {
        id: UndoId,
        action: Action,
    },
    Done {
        id: UndoId,
    },
    /// Tried in vain.
    Failed {
        id: UndoId,
        left: Left,
    },
    /// Somebody else than the harness went through it, for it had died.
    Recovered {
        by: String,
    },
}

/// The list of what must not stay, on disk ahead of what it undoes. Locked by the harness while it lives, so that
/// `recover` keeps its hands off a run that goes on. All clones are the same journal.
#[derive(Debug, Clone)]
pub struct Journal(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    run: String,
    harness: Identity,
    state: Mutex<State>,
    secrets: Mutex<Secrets>,
}

/// What must stay in no file; itself kept in memory alone.
#[derive(Debug, Default)]
struct Secrets {
    masker: Masker,
    planned: bool,
    /// The guardian's ear.
    guardian: Option<PipeWriter>,
}

#[derive(Debug)]
struct State {
    disk: Box<dyn Disk>,
    file: File,
    /// The file does not end with a whole line.
    torn: bool,
    next: u32,
    pending: BTreeMap<UndoId, Action>,
}

impl Journal {
    /// Begins the journal of a run in the run's `folder`. The run's name is unique among runs that may be alive.
    pub fn create(folder: &Path, run: &str) -> Result<Journal, UndoError> {
        Journal::begin(Box::new(Real), folder, run)
    }

    #[cfg(test)]
    pub(crate) fn create_on(
        disk: super::disk::recording::Recording,
        folder: &Path,
        run: &str,
    ) -> Result<Journal, UndoError> {
        Journal::begin(Box::new(disk), folder, run)
    }

    fn begin(disk: Box<dyn Disk>, folder: &Path, run: &str) -> Result<Journal, UndoError> {
        let path = folder.join(JOURNAL);
        let not_written = |source| UndoError::NotWritten { path: path.clone(), source };
        let file = disk.create(&path).map_err(not_written)?;
        file.try_lock().map_err(|error| not_written(io::Error::from(error)))?;
        let (harness, boot) = (Identity::own(), host::boot_id());
        let opened = Entry::Opened { version: VERSION, run: run.to_owned(), harness, boot };
        let mut state = State { disk, file, torn: false, next: 0, pending: BTreeMap::new() };
        if let Err(source) = state.append(&opened).and_then(|()| state.sync()) {
            // Half a first line would be taken for a journal that cannot be read.
            let _ = std::fs::remove_file(&path);
            return Err(not_written(source));
        }
        // So that the file itself is there after a crash of the machine.
        state.disk.sync_folder(folder).map_err(not_written)?;
        let run = run.to_owned();
        Ok(Journal(Arc::new(Shared { path, run, harness, state: Mutex::new(state), secrets: Mutex::default() })))
    }

    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The mark by which a process of this run is known.
    pub fn marker(&self, process: &str) -> Marker {
        Marker { run: self.0.run.clone(), harness: self.0.harness, process: process.to_owned() }
    }

    /// Writes an undo down. Only when this has returned may the thing be done that it undoes.
    pub fn plan(&self, action: Action) -> Result<UndoId, UndoError> {
        let mut state = self.lock();
        let id = UndoId(state.next);
        state.next += 1;
        self.write(&mut state, &Entry::Planned { id, action: action.clone() })?;
        state.pending.insert(id, action);
        Ok(id)
    }

    /// Adds what has become known since, such as the pid of what was started.
    pub fn amend(&self, id: UndoId, action: Action) -> Result<(), UndoError> {
        let mut state = self.lock();
        // In memory in any case: the one that is on disk still does its work.
        state.pending.insert(id, action.clone());
        self.write(&mut state, &Entry::Planned { id, action })
    }

    /// From now on `secret` is to stay in no file of `output`, where processes print to. The guardian is told, too: it is
    /// the only one left to know should the harness die.
    pub fn conceal(&self, output: &Path, secret: &str) -> Result<(), UndoError> {
        let mut secrets = self.secrets();
        if !secrets.planned {
            let folder =
                output.canonicalize().map_err(|source| UndoError::NotOpened { path: output.to_owned(), source })?;
            self.plan(Action::MaskOutput { folder })?;
            secrets.planned = true;
        }
        secrets.masker.add(secret);
        let line = serde_json::to_string(secret).expect("a text can be written as JSON");
        if let Some(guardian) = &mut secrets.guardian {
            // One that is gone is noticed elsewhere.
            let _ = guardian.write_all(format!("{line}\n").as_bytes());
        }
        Ok(())
    }

    /// Who is told of secrets from now on.
    pub(super) fn confide_in(&self, guardian: PipeWriter) {
        self.secrets().guardian = Some(guardian);
    }

    /// Strikes one off: there is nothing to undo any more. If that cannot be written, the undo is done once more by a
    /// successor, which changes nothing.
    pub fn done(&self, id: UndoId) {
        let mut state = self.lock();
        state.pending.remove(&id);
        let _ = state.append(&Entry::Done { id });
    }

    /// What would have to be undone now, in the order in which it was written down.
    pub fn pending(&self) -> Vec<(UndoId, Action)> {
        self.lock().pending.iter().map(|(id, action)| (*id, action.clone())).collect()
    }

    /// Undoes one, blocking, within its own deadline, and strikes it off. Fine when it is struck off already.
    pub fn undo(&self, id: UndoId) -> Result<(), UndoError> {
        let Some(action) = self.lock().pending.get(&id).cloned() else { return Ok(()) };
        let secrets = self.secrets().masker.clone();
        match action.perform(false, Some(&secrets)) {
            Ok(()) => {
                self.done(id);
                Ok(())
            }
            Err(left) => {
                let _ = self.lock().append(&Entry::Failed { id, left: left.clone() });
                Err(UndoError::Left(left))
            }
        }
    }

    /// Undoes all that is pending, the last first; says what could not be undone.
    pub fn undo_all(&self) -> Vec<Left> {
        let mut left = Vec::new();
        for (id, _) in last_first(self.pending()) {
            if let Err(UndoError::Left(one)) = self.undo(id) {
                left.push(one);
            }
        }
        left
    }

    /// Makes a folder for us alone in the system's place for temporary things; removed with all that is in it when it
    /// is undone. One for each run.
    pub fn private_folder(&self) -> Result<(UndoId, PathBuf), UndoError> {
        let marker = self.marker("folder");
        let folder = private::place(&marker);
        let token = marker.to_string();
        let id = self.plan(Action::RemoveFolder { folder: folder.clone(), token: token.clone() })?;
        match private::create(&folder, &token) {
            Ok(()) => Ok((id, folder)),
            Err(source) => {
                self.done(id);
                Err(UndoError::NoFolder { path: folder, source })
            }
        }
    }

    fn write(&self, state: &mut State, entry: &Entry) -> Result<(), UndoError> {
        state
            .append(entry)
            .and_then(|()| state.sync())
            .map_err(|source| UndoError::NotWritten { path: self.0.path.clone(), source })
    }

    fn secrets(&self) -> MutexGuard<'_, Secrets> {
        self.0.secrets.lock().expect("nothing panics while it holds this lock")
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("nothing panics while it holds this lock")
    }
}

/// In the order in which they are undone.
fn last_first(pending: impl IntoIterator<Item = (UndoId, Action)>) -> Vec<(UndoId, Action)> {
    let mut order: Vec<_> = pending.into_iter().collect();
    order.sort_by_key(|(id, action)| (action.is_last(), Reverse(*id)));
    order
}

impl State {
    fn append(&mut self, entry: &Entry) -> io::Result<()> {
        append(&*self.disk, &self.file, &mut self.torn, entry)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.sync_file(&self.file)
    }
}

fn append(disk: &dyn Disk, file: &File, torn: &mut bool, entry: &Entry) -> io::Result<()> {
    let mut line = frame::encode(entry);
    if *torn {
        line.insert(0, '\n');
    }
    // A write that fails may have left a part behind.
    let before = std::mem::replace(torn, true);
    let written = disk.write(file, line.as_bytes());
    *torn = match &written {
        Ok(()) => false,
        Err(error) => before || error.kind() != io::ErrorKind::Interrupted,
    };
    written
}

/// The journal of a run whose harness is dead, or is thought to be: what the guardian and `recover` go by.
#[derive(Debug)]
pub(super) struct Inherited {
    pub path: PathBuf,
    pub run: String,
    pub harness: Identity,
    pub rebooted: bool,
    pub pending: BTreeMap<UndoId, Action>,
    file: File,
    torn: bool,
}

impl Inherited {
    pub(super) fn open(path: &Path) -> Result<Inherited, UndoError> {
        let not_opened = |source| UndoError::NotOpened { path: path.to_owned(), source };
        let file = OpenOptions::new().read(true).append(true).open(path).map_err(not_opened)?;
        let mut inherited = Inherited {
            path: path.to_owned(),
            run: String::new(),
            harness: Identity { pid: 0, started: 0 },
            rebooted: false,
            pending: BTreeMap::new(),
            file,
            torn: false,
        };
        inherited.read()?;
        Ok(inherited)
    }

    /// Reads it (again). To be done under the lock before anything is undone.
    pub(super) fn read(&mut self) -> Result<(), UndoError> {
        let mut bytes = Vec::new();
        self.file
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.file.read_to_end(&mut bytes))
            .map_err(|source| UndoError::NotOpened { path: self.path.clone(), source })?;
        self.torn = !bytes.is_empty() && !bytes.ends_with(b"\n");
        let (entries, _) = frame::decode::<Entry>(&bytes);
        let mut entries = entries.into_iter();
        let Some(Entry::Opened { run, harness, boot, .. }) = entries.next() else {
            return Err(UndoError::NotAJournal { path: self.path.clone() });
        };
        (self.run, self.harness, self.rebooted) = (run, harness, boot != host::boot_id());
        self.pending.clear();
        for entry in entries {
            match entry {
                Entry::Planned { id, action } => drop(self.pending.insert(id, action)),
                Entry::Done { id } => drop(self.pending.remove(&id)),
                Entry::Opened { .. } | Entry::Failed { .. } | Entry::Recovered { .. } => {}
            }
        }
        Ok(())
    }

    pub(super) fn harness_lives(&self) -> bool {
        !self.rebooted && self.harness.is_alive()
    }

    /// `false` while another holds it: the living harness, its guardian, another `recover`.
    pub(super) fn try_lock(&self) -> Result<bool, UndoError> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(source)) => Err(UndoError::NotOpened { path: self.path.clone(), source }),
        }
    }

    /// Undoes all that is pending, the last first. What cannot be written down (a full disk) is undone all the same.
    /// Without `secrets`, output that may hold some is removed.
    pub(super) fn undo_all(&mut self, by: &str, secrets: Option<&Masker>) -> (Vec<Action>, Vec<Left>) {
        let (mut undone, mut left) = (Vec::new(), Vec::new());
        for (id, action) in last_first(std::mem::take(&mut self.pending)) {
            let did_remain = action.remains(self.rebooted);
            let entry = match action.perform(self.rebooted, secrets) {
                Ok(()) => {
                    if did_remain {
                        undone.push(action);
                    }
                    Entry::Done { id }
                }
                Err(one) => {
                    left.push(one.clone());
                    self.pending.insert(id, action);
                    Entry::Failed { id, left: one }
                }
            };
            let _ = append(&Real, &self.file, &mut self.torn, &entry);
        }
        let _ = append(&Real, &self.file, &mut self.torn, &Entry::Recovered { by: by.to_owned() });
        let _ = Real.sync_file(&self.file);
        (undone, left)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;
    use crate::base::host::Tree;

    fn thaw(name: &str) -> Action {
        Action::Thaw { name: name.into(), tree: Tree { cgroup: None, marker: None, root: None } }
    }

    #[test]
    fn what_was_planned_and_not_done_is_pending_for_a_successor() {
        let home = tempfile::tempdir().unwrap();
        let journal = Journal::create(home.path(), "r").unwrap();
        let first = journal.plan(thaw("a")).unwrap();
        let second = journal.plan(thaw("b")).unwrap();
        journal.amend(second, thaw("b, known better")).unwrap();
        journal.done(first);
        assert_eq!(journal.pending(), [(second, thaw("b, known better"))]);

        let mut inherited = Inherited::open(journal.path()).unwrap();
        assert_eq!(inherited.pending.clone().into_iter().collect::<Vec<_>>(), journal.pending());
        assert!(inherited.harness_lives() && !inherited.rebooted);
        assert!(!inherited.try_lock().unwrap(), "a living harness holds it");
        drop(journal);
        assert!(inherited.try_lock().unwrap());
        let (undone, left) = inherited.undo_all("test", None);
        assert!(undone.is_empty() && left.is_empty(), "nothing was paused, so nothing was there to undo");
        assert!(Inherited::open(&inherited.path).unwrap().pending.is_empty());
    }

    #[test]
    fn a_second_journal_in_one_folder_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let _journal = Journal::create(home.path(), "r").unwrap();
        assert!(matches!(Journal::create(home.path(), "r"), Err(UndoError::NotWritten { .. })));
    }

    #[test]
    fn a_private_folder_is_undone() {
        let home = tempfile::tempdir().unwrap();
        let journal = Journal::create(home.path(), "private-folder-test").unwrap();
        let (id, folder) = journal.private_folder().unwrap();
        fs::write(folder.join("data"), "x").unwrap();
        journal.undo(id).unwrap();
        assert!(!folder.exists() && journal.pending().is_empty());
        journal.undo(id).unwrap();
    }

    #[test]
    fn what_cannot_be_undone_is_said_with_a_command_that_does_it() {
        let home = tempfile::tempdir().unwrap();
        let journal = Journal::create(home.path(), "r").unwrap();
        let folder = home.path().join("data");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("file"), "x").unwrap();
        journal.plan(Action::RemoveFolder { folder: folder.clone(), token: "t".into() }).unwrap();
        let left = journal.undo_all();
        assert_eq!(left.len(), 1);
        assert_eq!(journal.pending().len(), 1, "still to be undone");
        let path = home.path().to_string_lossy().into_owned();
        insta::assert_snapshot!(left[0].to_string().replace(&path, "/tmp/home"), @"folder /tmp/home/data (it does not hold this run's token, so it is not the one that was made); to remove it by hand: rm -rf -- /tmp/home/data || { chattr -R -ia -- /tmp/home/data; rm -rf -- /tmp/home/data; }");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn torn_at_any_byte_it_reads_to_the_last_whole_entry_and_can_be_written_on(
            ends in prop::collection::vec(any::<bool>(), 1..6), cut in any::<prop::sample::Index>()
        ) {
            let home = tempfile::tempdir().unwrap();
            let journal = Journal::create(home.path(), "r").unwrap();
            let mut states = vec![(fs::metadata(journal.path()).unwrap().len(), journal.pending())];
            let mut note = |journal: &Journal| {
                states.push((fs::metadata(journal.path()).unwrap().len(), journal.pending()));
            };
            for (k, ends) in ends.iter().enumerate() {
                let id = journal.plan(thaw(&k.to_string())).unwrap();
                note(&journal);
                if *ends {
                    journal.done(id);
                    note(&journal);
                }
            }
            let path = journal.path().to_owned();
            drop(journal);
            let (first, last) = (states[0].0, states[states.len() - 1].0);
            let length = first + cut.index((last - first + 1) as usize) as u64;
            OpenOptions::new().write(true).open(&path).unwrap().set_len(length).unwrap();
            // Without its end of line, an entry is whole.
            let expected = &states.iter().rev().find(|(end, _)| *end - 1 <= length).unwrap().1;
            let mut inherited = Inherited::open(&path).unwrap();
            prop_assert_eq!(&inherited.pending.clone().into_iter().collect::<Vec<_>>(), expected);
            inherited.undo_all("test", None);
            prop_assert!(Inherited::open(&path).unwrap().pending.is_empty());
        }
    }
}
