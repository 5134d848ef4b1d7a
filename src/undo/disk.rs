use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// What a journal asks of the disk. All of its writing goes through here, so that a test can look at the order, or have
/// a step of it fail.
pub(super) trait Disk: fmt::Debug + Send + Sync {
    /// A new file, to be read and written on.
    fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().create_new(true).read(true).append(true).open(path)
    }

    fn write(&self, mut file: &File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    /// What was written to the file is there after a crash of the machine.
    fn sync_file(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    /// The file itself is.
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder).and_then(|folder| folder.sync_all())
    }
}

/// The disk as it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Real;

impl Disk for Real {}

#[cfg(test)]
pub(crate) mod recording {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// One step of writing.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Step {
        Create,
        Write,
        SyncFile,
        SyncFolder,
    }

    /// A disk that keeps what it was asked, in order, and refuses one kind of step when it is told to.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Recording(Arc<Mutex<(Vec<Step>, Option<Step>)>>);

    impl Recording {
        /// The steps since this was asked the last time.
        pub(crate) fn take(&self) -> Vec<Step> {
            std::mem::take(&mut self.0.lock().unwrap().0)
        }

        /// From now on this step fails.
        pub(crate) fn fail(&self, step: Step) {
            self.0.lock().unwrap().1 = Some(step);
        }

        fn note(&self, step: Step) -> io::Result<()> {
            let (steps, refused) = &mut *self.0.lock().unwrap();
            steps.push(step);
            if *refused == Some(step) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        }
    }

    impl Disk for Recording {
        fn create(&self, path: &Path) -> io::Result<File> {
            self.note(Step::Create)?;
            Real.create(path)
        }

        fn write(&self, file: &File, bytes: &[u8]) -> io::Result<()> {
            self.note(Step::Write)?;
            Real.write(file, bytes)
        }

        fn sync_file(&self, file: &File) -> io::Result<()> {
            self.note(Step::SyncFile)?;
            Real.sync_file(file)
        }

        fn sync_folder(&self, folder: &Path) -> io::Result<()> {
            self.note(Step::SyncFolder)?;
            Real.sync_folder(folder)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::recording::{Recording, Step};
    use crate::base::host::{self, Group, Identity, Namespace, Resource, Tree};
    use crate::base::units::Span;
    use crate::undo::{Action, Journal, UndoError};

    /// One of each kind: the compiler asks for a new one here.
    fn after(one: Option<&Action>) -> Option<Action> {
        let name = || "n".to_owned();
        let tree = || Tree { cgroup: None, marker: Some("r/1.2/n".into()), root: None };
        let marker = host::Marker { run: "r".into(), harness: Identity { pid: 1, started: 2 }, process: "n".into() };
        let namespace = || Namespace::of(&marker);
        let Some(one) = one else { return Some(Action::StopTree { name: name(), tree: tree() }) };
        Some(match one {
            Action::StopTree { .. } => Action::Thaw { name: name(), tree: tree() },
            Action::Thaw { .. } => {
                Action::Limits { name: name(), tree: tree(), resource: Resource::Files, before: Vec::new() }
            }
            Action::Limits { .. } => Action::Group { name: name(), group: group() },
            Action::Group { .. } => Action::Clock { name: name(), file: "/nowhere/clock".into() },
            Action::Clock { .. } => Action::ClockShare { share: "nowhere".into() },
            Action::ClockShare { .. } => Action::RemoveFolder { folder: "/nowhere".into(), token: "t".into() },
            Action::RemoveFolder { .. } => Action::Run {
                name: name(),
                command: vec!["true".into()],
                check: vec!["false".into()],
                folder: "/".into(),
                within: Span::SECOND,
            },
            Action::Run { .. } => Action::RemoveNamespace { name: name(), namespace: namespace() },
            Action::RemoveNamespace { .. } => {
                Action::RemoveRules { name: name(), namespace: namespace(), table: "t".into() }
            }
            Action::RemoveRules { .. } => {
                Action::RemoveShape { name: name(), namespace: namespace(), device: "eth0".into() }
            }
            Action::RemoveShape { .. } => Action::Container {
                name: name(),
                socket: "/nowhere/docker.sock".into(),
                id: "0".into(),
                remedy: host::Remedy::Unpause,
            },
            Action::Container { .. } => Action::MaskOutput { folder: "/nowhere".into() },
            Action::MaskOutput { .. } => return None,
        })
    }

    fn every_action() -> impl Iterator<Item = Action> {
        std::iter::successors(after(None), |one| after(Some(one)))
    }

    #[test]
    fn an_undo_of_any_kind_is_on_disk_before_its_plan_returns() {
        let home = tempfile::tempdir().unwrap();
        let disk = Recording::default();
        let journal = Journal::create_on(disk.clone(), home.path(), "r").unwrap();
        assert_eq!(disk.take(), [Step::Create, Step::Write, Step::SyncFile, Step::SyncFolder]);
        for action in every_action() {
            let id = journal.plan(action.clone()).unwrap();
            assert_eq!(disk.take(), [Step::Write, Step::SyncFile], "{action:?}");
            // Written down again, as what was started is known better.
            journal.amend(id, action.clone()).unwrap();
            assert_eq!(disk.take(), [Step::Write, Step::SyncFile], "{action:?}");
        }
        assert_eq!(journal.pending().len(), every_action().count());
        journal.conceal(home.path(), "hunter2").unwrap();
        assert_eq!(disk.take(), [Step::Write, Step::SyncFile]);
    }

    #[test]
    fn what_cannot_be_written_down_for_good_is_not_planned() {
        for step in [Step::Write, Step::SyncFile] {
            let home = tempfile::tempdir().unwrap();
            let disk = Recording::default();
            let journal = Journal::create_on(disk.clone(), home.path(), "r").unwrap();
            disk.fail(step);
            for action in every_action() {
                let planned = journal.plan(action);
                assert!(matches!(planned, Err(UndoError::NotWritten { .. })), "{step:?}: {planned:?}");
            }
            assert!(journal.pending().is_empty());
            assert!(matches!(journal.conceal(home.path(), "hunter2"), Err(UndoError::NotWritten { .. })));
            assert!(matches!(journal.private_folder(), Err(UndoError::NotWritten { .. })));
        }
    }

    #[test]
    fn there_is_no_journal_that_might_not_be_there_after_a_crash() {
        for step in [Step::Create, Step::Write, Step::SyncFile, Step::SyncFolder] {
            let home = tempfile::tempdir().unwrap();
            let disk = Recording::default();
            disk.fail(step);
            let created = Journal::create_on(disk, home.path(), "r");
            assert!(matches!(created, Err(UndoError::NotWritten { .. })), "{step:?}: {created:?}");
        }
    }

    fn group() -> Group {
        serde_json::from_value(serde_json::json!({ "folder": "/nowhere", "controller": "memory", "version": "two" }))
            .unwrap()
    }
}
