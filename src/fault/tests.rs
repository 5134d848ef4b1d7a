mod harder;
mod unwritten;

use std::process::{Command, Stdio};

use tokio::sync::mpsc::UnboundedReceiver;

use super::*;
use crate::base::host::Identity;
use crate::base::units::{Span, Text};
use crate::plan::{Allow, Attach, Instant, ProcessSource};
use crate::platform::Happening;
use crate::platform::tests::{Scene, Yard, in_runtime, scene, server};
use crate::undo::Action;
use crate::wire::{Door, Origin};

struct Ward {
    faults: Faults,
    happenings: UnboundedReceiver<Happening>,
    door: Door,
    _folder: Yard,
}

async fn ward(processes: Vec<crate::plan::Process>) -> Ward {
    let Scene { platform, happenings, journal, clock, _folder } = scene(processes);
    platform.start().await.unwrap();
    let door = Door::new(&clock, &[Allow::Network { address: "127.0.0.1".parse().unwrap(), prefix: 8 }], "/".as_ref());
    Ward { faults: Faults::new(Arc::new(platform), journal, clock), happenings, door, _folder }
}

/// A fault of that kind, as a plan has it.
pub(super) fn planned(kind: FaultKind) -> Fault {
    Fault {
        name: "fault".into(),
        title: Text::default(),
        kind,
        of: None,
        at: Instant::At(At::START),
        end: crate::plan::End::For(Span::seconds(20)),
        spared: false,
    }
}

impl Ward {
    async fn inject(&self, kind: &FaultKind) -> Result<(Wound, Seen), Vec<Sight>> {
        self.faults.inject(FaultId(0), &planned(kind.clone()), Span::seconds(20)).await
    }

    fn origin(&self, id: ProcessId) -> Origin {
        let (host, port) = self.faults.platform.bindings().address(id).unwrap();
        self.door.origin(&format!("http://{host}:{port}"), &Default::default()).unwrap()
    }

    async fn answers(&self, id: ProcessId, within: Span) -> bool {
        self.door.probe(&self.origin(id), "/", &[], within).await.is_ok_and(|answer| answer.is_good())
    }

    async fn end(mut self) {
        assert!(self.faults.platform.stop().await.is_empty());
        assert!(self.faults.journal.pending().is_empty());
        self.happenings.close();
        while let Some(happening) = self.happenings.recv().await {
            assert!(!matches!(happening, Happening::Died { .. }), "an ordered end is no death: {happening:?}");
        }
    }
}

const BOTH: [ProcessId; 2] = [ProcessId(0), ProcessId(1)];

#[test]
fn a_killed_process_refuses_until_it_is_healed_at_the_same_address() {
    in_runtime(async {
        let ward = ward(vec![server("node_1"), server("node_2")]).await;
        let before = ward.origin(ProcessId(0)).base().to_owned();
        let root = ward.faults.platform.process(ProcessId(0)).unwrap().tree().unwrap().root.unwrap();
        let ordered = ward.faults.clock.now();
        let kill = FaultKind::Kill { processes: vec![ProcessId(0)] };
        let (wound, seen) = ward.inject(&kill).await.unwrap();
        assert!(seen.at >= ordered && !root.is_alive());
        assert_eq!(seen.proof, [Sight::Gone { process: ProcessId(0), members: 1 }]);
        assert!(!ward.answers(ProcessId(0), Span::SECOND).await);
        assert!(ward.answers(ProcessId(1), Span::seconds(20)).await, "the other one serves on");
        let healed = ward.faults.heal(wound).await.unwrap();
        assert!(healed.at >= seen.at);
        assert!(matches!(healed.proof[..], [Sight::Ready { process: ProcessId(0), pid: 1.. }]), "{:?}", healed.proof);
        assert!(ward.answers(ProcessId(0), Span::seconds(20)).await);
        assert_eq!(ward.origin(ProcessId(0)).base(), before);
        ward.end().await;
    });
}

#[test]
fn paused_processes_keep_their_sockets_and_answer_once_healed() {
    in_runtime(async {
        let ward = ward(vec![server("node_1"), server("node_2")]).await;
        let pause = FaultKind::Pause { processes: BOTH.to_vec() };
        let (wound, seen) = ward.inject(&pause).await.unwrap();
        assert_eq!(seen.proof, BOTH.map(|process| Sight::Still { process, members: 1 }));
        let thaws = |ward: &Ward| {
            let pending = ward.faults.journal.pending();
            pending.iter().filter(|(_, action)| matches!(action, Action::Thaw { .. })).count()
        };
        assert_eq!(thaws(&ward), 2, "the journal knows how to let them go on");
        for id in BOTH {
            assert!(ward.door.connect(&ward.origin(id)).await.is_ok(), "the kernel still takes connections");
            assert!(!ward.answers(id, Span::millis(100)).await);
        }
        let healed = ward.faults.heal(wound).await.unwrap();
        assert_eq!(healed.proof, BOTH.map(|process| Sight::GoesOn { process, members: 1 }));
        assert_eq!(thaws(&ward), 0);
        for id in BOTH {
            assert!(ward.answers(id, Span::seconds(20)).await);
        }
        ward.end().await;
    });
}

#[test]
fn on_something_gone_already_nothing_bites_and_nothing_else_is_touched() {
    in_runtime(async {
        let ward = ward(vec![server("node_1"), server("node_2")]).await;
        let alone = FaultKind::Kill { processes: vec![ProcessId(1)] };
        let (wound, _) = ward.inject(&alone).await.unwrap();
        for kind in [FaultKind::Kill { processes: BOTH.to_vec() }, FaultKind::Pause { processes: BOTH.to_vec() }] {
            assert_eq!(ward.inject(&kind).await.unwrap_err(), [Sight::GoneAlready { process: ProcessId(1) }]);
            assert!(ward.answers(ProcessId(0), Span::seconds(20)).await);
        }
        let _ = ward.faults.heal(wound).await.unwrap();
        ward.end().await;
    });
}

#[test]
fn one_that_dies_while_it_is_paused_is_not_healed() {
    in_runtime(async {
        let ward = ward(vec![server("node_1")]).await;
        let process = ward.faults.platform.process(ProcessId(0)).unwrap().clone();
        let (wound, _) = ward.inject(&FaultKind::Pause { processes: vec![ProcessId(0)] }).await.unwrap();
        process.kill().await.unwrap();
        assert_eq!(ward.faults.heal(wound).await.unwrap_err(), [Sight::Ended { process: ProcessId(0) }]);
        ward.end().await;
    });
}

#[test]
fn what_runs_outside_the_drill_is_paused_and_never_killed() {
    in_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        let mut outside = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
        let identity = Identity::of(outside.id()).unwrap();
        let file = folder.path().join("pid");
        std::fs::write(&file, outside.id().to_string()).unwrap();
        let attach = ProcessSource::Attach(Attach::PidFile(file.to_str().unwrap().to_owned()));
        let attached = crate::plan::Process { source: attach, ready: None, group: None, ..server("outside") };
        let ward = ward(vec![attached]).await;
        let only = vec![ProcessId(0)];
        let why = ward.inject(&FaultKind::Kill { processes: only.clone() }).await.unwrap_err();
        assert_eq!(why, [Sight::Foreign { process: ProcessId(0) }]);
        let (wound, seen) = ward.inject(&FaultKind::Pause { processes: only }).await.unwrap();
        assert_eq!(seen.proof, [Sight::Still { process: ProcessId(0), members: 1 }]);
        let stat = || std::fs::read_to_string(format!("/proc/{}/stat", identity.pid)).unwrap();
        assert!(stat().contains(" T "), "{}", stat());
        let _ = ward.faults.heal(wound).await.unwrap();
        assert!(!stat().contains(" T "));
        ward.end().await;
        assert!(identity.is_alive(), "what was attached to stays");
        outside.kill().unwrap();
        outside.wait().unwrap();
    });
}

#[test]
fn a_process_that_crashes_again_and_again_runs_once_it_is_healed() {
    in_runtime(async {
        let ward = ward(vec![server("node")]).await;
        let process = ward.faults.platform.process(ProcessId(0)).unwrap().clone();
        let root = |process: &Process| process.tree().and_then(|tree| tree.root);
        let kind = FaultKind::CrashLoop { processes: vec![ProcessId(0)], every: Span::millis(20) };
        let mut met = vec![root(&process)];
        let (wound, seen) = ward.inject(&kind).await.unwrap();
        assert_eq!(seen.proof, [Sight::Gone { process: ProcessId(0), members: 1 }]);
        // It came up, and crashed, and came up: three of them.
        while met.len() < 3 {
            let now = root(&process);
            if now.is_some() && !met.contains(&now) {
                met.push(now);
            }
            ward.faults.clock.sleep(Span::millis(1)).await;
        }
        let healed = ward.faults.heal(wound).await.unwrap();
        assert!(matches!(healed.proof.last(), Some(Sight::Crashed { times: 2.., .. })), "{:?}", healed.proof);
        let last = root(&process);
        assert!(ward.answers(ProcessId(0), Span::seconds(20)).await);
        ward.faults.clock.sleep(Span::millis(60)).await;
        assert!(root(&process) == last && last.unwrap().is_alive(), "nothing ends it any more");
        ward.end().await;
    });
}

/// A fault that is a file: made, removed, and looked for.
fn by_file(file: &std::path::Path, act: &str) -> FaultKind {
    let words = |words: &[&str]| words.iter().map(|word| crate::plan::Template((*word).to_owned())).collect();
    let file = file.to_str().unwrap();
    FaultKind::Run {
        act: words(&["sh", "-c", act, file]),
        undo: words(&["rm", "-f", file]),
        check: words(&["test", "-e", file]),
        within: Span::seconds(1),
    }
}

#[test]
fn a_fault_of_programs_is_believed_by_its_check_alone() {
    in_runtime(async {
        let ward = ward(vec![server("store")]).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("broken");
        let undoes = |ward: &Ward| {
            ward.faults.journal.pending().iter().filter(|(_, action)| matches!(action, Action::Run { .. })).count()
        };
        let (wound, seen) = ward.inject(&by_file(&file, "touch $0")).await.unwrap();
        assert_eq!((seen.proof, undoes(&ward), file.exists()), (vec![Sight::InForce], 1, true));
        // It is in force already.
        assert_eq!(ward.inject(&by_file(&file, "true")).await.unwrap_err(), [Sight::InForceAlready]);
        assert_eq!(ward.faults.heal(wound).await.unwrap().proof, [Sight::NotInForce]);
        assert!(!file.exists());
        // One that does nothing never bites, and one that fails is undone all the same.
        assert_eq!(ward.inject(&by_file(&file, "true")).await.unwrap_err(), [Sight::NeverSeen]);
        let why = ward.inject(&by_file(&file, "touch $0; echo no; exit 3")).await.unwrap_err();
        assert!(
            matches!(&why[..], [Sight::Said { text }] if text.contains("exit 3") && text.contains("no")),
            "{why:?}"
        );
        assert!(!file.exists() && undoes(&ward) == 0);
        ward.end().await;
    });
}

#[test]
fn a_check_that_takes_long_is_asked_half_of_the_time_at_most() {
    in_runtime(async {
        let ward = ward(vec![server("store")]).await;
        let folder = tempfile::tempdir().unwrap();
        let (file, asked) = (folder.path().join("broken"), folder.path().join("asked"));
        let mut slow = by_file(&file, "true");
        let FaultKind::Run { check, .. } = &mut slow else { panic!("{slow:?}") };
        let script = "sleep 0.1; printf x >> $0; test -e $1";
        let words = ["sh", "-c", script, asked.to_str().unwrap(), file.to_str().unwrap()];
        *check = words.map(|word| crate::plan::Template(word.to_owned())).to_vec();
        assert_eq!(ward.inject(&slow).await.unwrap_err(), [Sight::NeverSeen]);
        // Before, six times in its second, and whether it is gone.
        let times = std::fs::read_to_string(&asked).unwrap().len();
        assert!((3..=8).contains(&times), "{times}");
        ward.end().await;
    });
}
