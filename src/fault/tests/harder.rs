//! Faults on processes beyond ending and stopping them.

use super::*;
use crate::base::host::Resource;

fn root(ward: &Ward, id: ProcessId) -> Option<Identity> {
    ward.faults.platform.process(id).unwrap().tree().and_then(|tree| tree.root)
}

#[test]
fn several_are_restarted_one_after_another_and_never_all_at_once() {
    in_runtime(async {
        let ward = ward(vec![server("node_1"), server("node_2")]).await;
        let before = BOTH.map(|id| root(&ward, id));
        let fault = planned(FaultKind::Restart { processes: BOTH.to_vec() });
        let (wound, seen) = ward.faults.inject(FaultId(0), &fault, Span::millis(400)).await.unwrap();
        assert_eq!(seen.proof, [Sight::Gone { process: ProcessId(0), members: 1 }]);
        assert!(!before[0].unwrap().is_alive() && before[1].unwrap().is_alive(), "the other one serves on");
        // A fault is healed when it has lasted.
        ward.faults.clock.sleep_until(seen.at + Span::millis(400)).await;
        let healed = ward.faults.heal(wound).await.unwrap();
        assert!(healed.at >= seen.at + Span::millis(200), "the second was not due before");
        let after = BOTH.map(|id| root(&ward, id).unwrap());
        let ready = |at: usize| Sight::Ready { process: BOTH[at], pid: after[at].pid };
        assert_eq!(healed.proof, [ready(0), ready(1)]);
        assert!(after.iter().zip(before).all(|(after, before)| Some(*after) != before && after.is_alive()));
        for id in BOTH {
            assert!(ward.answers(id, Span::seconds(20)).await);
        }
        // The second waits for its turn, and the drill is stopped: it is left alone.
        let (wound, _) = ward.faults.inject(FaultId(0), &fault, Span::seconds(600)).await.unwrap();
        ward.faults.stop();
        assert_eq!(ward.faults.heal(wound).await.unwrap().proof.len(), 1);
        assert_eq!(root(&ward, ProcessId(1)), Some(after[1]));
        assert!(ward.answers(ProcessId(0), Span::seconds(20)).await);
        ward.end().await;
    });
}

#[test]
fn one_that_does_not_come_up_again_is_not_healed() {
    in_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        let once = folder.path().join("once");
        // It serves the first time, and ends at once the second.
        let crate::plan::Process { source: ProcessSource::Run { argv, env, .. }, .. } = server("node") else {
            panic!()
        };
        let program: Vec<&str> = argv.iter().map(|word| word.0.as_str()).collect();
        let script = format!("mkdir '{}' && exec {}", once.display(), program.join(" "));
        let argv = ["sh", "-c", &script].map(|word| crate::plan::Template(word.to_owned())).to_vec();
        let process = crate::plan::Process { source: ProcessSource::Run { argv, env, dir: None }, ..server("node") };
        let ward = ward(vec![process]).await;
        let fault = planned(FaultKind::Restart { processes: vec![ProcessId(0)] });
        let (wound, _) = ward.faults.inject(FaultId(0), &fault, Span::seconds(20)).await.unwrap();
        let why = ward.faults.heal(wound).await.unwrap_err();
        assert!(matches!(&why[..], [Sight::Said { text }] if text.contains("ended before it was ready")), "{why:?}");
        assert!(ward.faults.platform.stop().await.is_empty());
        assert_eq!(
            ward.inject(&fault.kind).await.unwrap_err(),
            [Sight::GoneAlready { process: ProcessId(0) }],
            "nothing to be restarted"
        );
    });
}

/// A server that gives itself back whatever limit is taken from it.
const STUBBORN: &str = r#"
import os, resource, socket, sys, threading
before = resource.getrlimit(resource.RLIMIT_NOFILE)
host, port = sys.argv[1].rsplit(":", 1)
server = socket.create_server((host, int(port)))
def again():
    while True: resource.setrlimit(resource.RLIMIT_NOFILE, before)
threading.Thread(target=again, daemon=True).start()
while True:
    try: connection = server.accept()[0]
    except OSError: continue
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    connection.close()
"#;

fn files_limit(ward: &Ward, id: ProcessId) -> u64 {
    root(ward, id).unwrap().limits(Resource::Files).unwrap().unwrap().soft
}

fn pending(ward: &Ward, wanted: impl Fn(&Action) -> bool) -> usize {
    ward.faults.journal.pending().iter().filter(|(_, action)| wanted(action)).count()
}

#[test]
fn one_without_a_file_left_takes_no_connection_until_it_has_its_limit_back() {
    in_runtime(async {
        let ward = ward(vec![server("node_1"), server("node_2")]).await;
        let first = ProcessId(0);
        let before = files_limit(&ward, first);
        let kind = FaultKind::ExhaustFiles { processes: vec![first] };
        let (wound, seen) = ward.inject(&kind).await.unwrap();
        let [Sight::Exhausted { process, files, answers: Some(false) }] = seen.proof[..] else { panic!("{seen:?}") };
        assert!(process == first && files < before && files_limit(&ward, first) == files, "{seen:?}");
        assert_eq!(pending(&ward, |action| matches!(action, Action::Limits { .. })), 1);
        assert!(!ward.answers(first, Span::millis(200)).await);
        assert!(ward.answers(ProcessId(1), Span::seconds(20)).await, "the other one serves on");
        assert_eq!(ward.faults.heal(wound).await.unwrap().proof, [Sight::Relieved { process: first }]);
        assert_eq!(files_limit(&ward, first), before);
        assert!(ward.answers(first, Span::seconds(20)).await);
        ward.end().await;
    });
}

#[test]
fn one_that_takes_its_files_all_the_same_is_not_exhausted() {
    in_runtime(async {
        let argv = ["python3", "-c", STUBBORN, "{{ address }}"];
        let argv = argv.into_iter().map(|word| crate::plan::Template(word.to_owned())).collect();
        let source = ProcessSource::Run { argv, env: Vec::new(), dir: None };
        let ward = ward(vec![crate::plan::Process { source, ..server("node") }]).await;
        let before = files_limit(&ward, ProcessId(0));
        let kind = FaultKind::ExhaustFiles { processes: vec![ProcessId(0)] };
        let fault = planned(kind);
        let why = ward.faults.inject(FaultId(0), &fault, Span::millis(300)).await.unwrap_err();
        assert_eq!(why, [Sight::StillAnswers { process: ProcessId(0) }]);
        assert_eq!(files_limit(&ward, ProcessId(0)), before);
        assert_eq!(pending(&ward, |action| matches!(action, Action::Limits { .. })), 0);
        ward.end().await;
    });
}

#[test]
fn one_that_comes_up_late_stands_still_most_of_the_time_until_it_is_healed() {
    in_runtime(async {
        let ward = ward(vec![server("node")]).await;
        let id = ProcessId(0);
        let process = ward.faults.platform.process(id).unwrap().clone();
        let before = root(&ward, id).unwrap();
        let kind = FaultKind::SlowStart { processes: vec![id], by: Span::millis(300) };
        let (wound, seen) = ward.inject(&kind).await.unwrap();
        assert_eq!(seen.proof, [Sight::Gone { process: id, members: 1 }]);
        assert!(process.is_gone() && !before.is_alive());
        assert_eq!(pending(&ward, |action| matches!(action, Action::Thaw { .. })), 1, "it may be left standing still");
        let (mut still, mut runs) = (0, 0);
        while still < 3 || runs < 3 {
            match process.tree().filter(|tree| !tree.is_empty()) {
                None => assert!(still == 0 && runs == 0, "once it is there, it stays"),
                Some(tree) if tree.is_frozen() => still += 1,
                Some(_) => runs += 1,
            }
            ward.faults.clock.sleep(Span::millis(1)).await;
        }
        assert!(ward.faults.clock.now() >= seen.at + Span::millis(300), "not before it is due");
        let healed = ward.faults.heal(wound).await.unwrap();
        let [Sight::CameUp { ran, .. }, Sight::Ready { pid, .. }] = healed.proof[..] else { panic!("{healed:?}") };
        assert!(ran < 0.6 && root(&ward, id).unwrap().pid == pid, "{healed:?}");
        assert_eq!(pending(&ward, |action| matches!(action, Action::Thaw { .. })), 0);
        assert!(ward.answers(id, Span::seconds(20)).await);
        // Healed before it was started: it is started then.
        let kind = FaultKind::SlowStart { processes: vec![id], by: Span::seconds(600) };
        let (wound, _) = ward.inject(&kind).await.unwrap();
        assert!(ward.faults.heal(wound).await.is_ok() && ward.answers(id, Span::seconds(20)).await);
        process.kill().await.unwrap();
        assert_eq!(ward.inject(&kind).await.unwrap_err(), [Sight::GoneAlready { process: id }]);
        assert_eq!(pending(&ward, |action| matches!(action, Action::Thaw { .. })), 0);
        ward.end().await;
    });
}

/// Whether there is libfaketime. In CI there has to be.
fn has_faketime() -> bool {
    let found = crate::base::host::find_faketime().is_some();
    assert!(found || std::env::var_os("CI").is_none(), "in CI clocks can be skewed: apt install libfaketime");
    if !found {
        use std::io::Write;
        let _ =
            writeln!(std::io::stderr(), "\n!! NOT TRIED: clocks that are off, since there is no libfaketime here\n");
    }
    found
}

fn skew(by: &str) -> FaultKind {
    let by = crate::base::units::parse_offset(by).unwrap();
    FaultKind::SkewClock { processes: vec![ProcessId(0)], by }
}

#[test]
fn a_clock_that_is_off_is_seen_to_be_and_set_right() {
    if !has_faketime() {
        return;
    }
    in_runtime(async {
        let ward = ward(vec![crate::plan::Process { skewable: true, ..server("node") }]).await;
        let id = ProcessId(0);
        let process = ward.faults.platform.process(id).unwrap().clone();
        let hours = |process: &Process| process.look_at_clock().unwrap() as f64 / 3.6e12;
        assert!(hours(&process).abs() < 0.01);
        let (wound, seen) = ward.inject(&skew("-30m")).await.unwrap();
        assert_eq!(seen.proof, [Sight::Skewed { process: id, seconds: -1800, dated: false }]);
        assert!((hours(&process) + 0.5).abs() < 0.01);
        assert_eq!(pending(&ward, |action| matches!(action, Action::Clock { .. })), 1);
        // Started again meanwhile, it has the same clock.
        process.kill().await.unwrap();
        process.start_again().await.unwrap();
        assert!((hours(&process) + 0.5).abs() < 0.01);
        assert_eq!(ward.faults.heal(wound).await.unwrap().proof, [Sight::ClockRight { process: id }]);
        assert!(hours(&process).abs() < 0.01);
        assert_eq!(pending(&ward, |action| matches!(action, Action::ClockShare { .. })), 1);
        ward.end().await;
    });
}

#[test]
fn a_program_that_has_not_loaded_the_library_has_no_other_clock() {
    if !has_faketime() {
        return;
    }
    in_runtime(async {
        let crate::plan::Process { source: ProcessSource::Run { mut argv, env, .. }, .. } = server("node") else {
            panic!()
        };
        argv.splice(0..0, ["env", "-u", "LD_PRELOAD"].map(|word| crate::plan::Template(word.to_owned())));
        let source = ProcessSource::Run { argv, env, dir: None };
        let ward = ward(vec![crate::plan::Process { source, skewable: true, ..server("node") }, server("plain")]).await;
        let pid = root(&ward, ProcessId(0)).unwrap().pid;
        assert_eq!(ward.inject(&skew("1h")).await.unwrap_err(), [Sight::NotLoaded { process: ProcessId(0), pid }]);
        assert_eq!(pending(&ward, |action| matches!(action, Action::Clock { .. })), 0);
        let by = crate::base::units::parse_offset("1h").unwrap();
        let plain = FaultKind::SkewClock { processes: vec![ProcessId(1)], by };
        assert_eq!(ward.inject(&plain).await.unwrap_err(), [Sight::NotSkewable { process: ProcessId(1) }]);
        ward.end().await;
    });
}

/// A server that needs more memory for every connection.
const HUNGRY: &str = r#"
import socket, sys
host, port = sys.argv[1].rsplit(":", 1)
server = socket.create_server((host, int(port)))
kept = []
while True:
    connection = server.accept()[0]
    if connection.recv(1000).startswith(b"GET /more"): kept.append(bytearray(64 << 20))
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    connection.close()
"#;

#[test]
fn where_no_group_can_limit_memory_each_process_has_no_more_than_it_has() {
    in_runtime(async {
        let argv = ["python3", "-c", HUNGRY, "{{ address }}"];
        let argv = argv.into_iter().map(|word| crate::plan::Template(word.to_owned())).collect();
        let source = ProcessSource::Run { argv, env: Vec::new(), dir: None };
        let ward = ward(vec![crate::plan::Process { source, ..server("node") }]).await;
        let id = ProcessId(0);
        let process = ward.faults.platform.process(id).unwrap().clone();
        let by_limit = async |lasts: Span| {
            let (tree, deadline) = (process.tree().unwrap(), ward.faults.clock.now() + lasts);
            let mut starved = Vec::new();
            process.expect_end(true);
            let seen = memory::by_limit(&ward.faults, &process, &tree, deadline, &mut starved).await;
            (seen, starved)
        };
        // Nobody asks it for anything.
        let (seen, starved) = by_limit(Span::millis(100)).await;
        assert_eq!(seen, Err(Sight::LivesOn { process: id, by: "RLIMIT_AS".to_owned() }));
        assert_eq!(pending(&ward, |action| matches!(action, Action::Limits { .. })), 1);
        assert_eq!(memory::heal(&ward.faults, &starved).await, Ok(vec![]));
        let now = root(&ward, id).unwrap().limits(Resource::Memory).unwrap().unwrap();
        assert_eq!(now.soft, now.hard, "it has its limit back");
        let origin = ward.origin(id);
        assert!(ward.door.probe(&origin, "/more", &[], Span::seconds(20)).await.unwrap().is_good());
        let ask = async {
            loop {
                let _ = ward.door.probe(&origin, "/more", &[], Span::SECOND).await;
            }
        };
        let (seen, starved) = tokio::select! {
            starved = by_limit(Span::seconds(20)) => starved,
            () = ask => unreachable!(),
        };
        let by = "RLIMIT_AS".to_owned();
        assert_eq!(seen, Ok(Sight::OutOfMemory { process: id, members: 1, kills: None, by }));
        assert!(memory::heal(&ward.faults, &starved).await.is_ok() && ward.answers(id, Span::seconds(20)).await);
        ward.end().await;
    });
}
