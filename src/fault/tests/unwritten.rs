//! What cannot be undone after a crash is not done.

use super::*;
use crate::base::host::Resource;
use crate::base::units::Size;
use crate::undo::Journal;
use crate::undo::recording::{Recording, Step};

#[test]
fn no_fault_is_made_while_its_undo_cannot_be_written_down() {
    in_runtime(async {
        let Ward { faults, happenings, door, _folder } = ward(vec![server("node_1"), server("node_2")]).await;
        let (home, disk) = (tempfile::tempdir().unwrap(), Recording::default());
        let journal = Journal::create_on(disk.clone(), home.path(), "full").unwrap();
        // The platform's own journal is sound: that one is of what was started.
        let sound = faults.clone();
        let faults = Faults { journal, ..faults };
        let ward = Ward { faults, happenings, door, _folder };
        let file = home.path().join("made");
        let processes = vec![ProcessId(0)];
        let kinds = [
            FaultKind::Pause { processes: BOTH.to_vec() },
            FaultKind::ExhaustFiles { processes: processes.clone() },
            FaultKind::OutOfMemory { processes: processes.clone() },
            FaultKind::SlowStart { processes, by: Span::millis(1) },
            FaultKind::FillMemory { size: Size(1 << 20), host: None },
            FaultKind::FillDisk { of: DiskOf::Process(ProcessId(0)), size: Size(1 << 20) },
            FaultKind::Burn { cores: 1, host: None },
            by_file(&file, "touch $0"),
        ];
        let state = || {
            BOTH.map(|id| {
                let tree = ward.faults.platform.process(id).unwrap().tree().unwrap();
                let limits = |resource| tree.root.unwrap().limits(resource).unwrap().unwrap().soft;
                (tree.members(), tree.is_frozen(), limits(Resource::Files), limits(Resource::Memory))
            })
        };
        let before = state();
        for step in [Step::SyncFile, Step::Write] {
            disk.fail(step);
            for kind in &kinds {
                disk.take();
                let why = ward.inject(kind).await.unwrap_err();
                let told =
                    |sight: &Sight| matches!(sight, Sight::Said { text } if text.contains("it is not done then"));
                assert!(why.iter().any(told), "{kind:?}: {why:?}");
                assert_eq!(disk.take().last(), Some(&step), "nothing comes after what failed: {kind:?}");
                assert_eq!(state(), before, "{kind:?}");
                assert!(!file.exists() && ward.faults.journal.pending().is_empty(), "{kind:?}");
            }
        }
        for id in BOTH {
            assert!(ward.answers(id, Span::seconds(20)).await);
        }
        Ward { faults: sound, ..ward }.end().await;
    });
}
