//! What a fault does, in words.

use super::Words;
use crate::plan::{Answer, Blow, FaultKind, FlawKind, Harm, Plan, ProcessId, Scope, Shape};

/// `kill node_1`.
pub(super) fn fault_deed(words: Words, plan: &Plan, kind: &FaultKind) -> String {
    let processes = kind.processes().into_iter().map(|process| words.scope(plan, Scope::Process(process)));
    let links = kind.links().iter().map(|link| words.link(plan, *link));
    let containers = kind.containers().iter().map(|container| words.container(plan, *container));
    let host = kind.host().map(|host| words.host(plan, host));
    let names = words.list(&processes.chain(links).chain(containers).chain(host.clone()).collect::<Vec<String>>());
    let flaw = match kind {
        FaultKind::Kill { .. } => return words.fault_kill(names),
        FaultKind::Terminate { .. } => return words.fault_terminate(names),
        FaultKind::Pause { .. } => return words.fault_pause(names),
        FaultKind::CrashLoop { every, .. } => return words.fault_crash_loop(names, words.span(*every)),
        FaultKind::Restart { .. } => return words.fault_restart(names),
        FaultKind::ExhaustFiles { .. } => return words.fault_exhaust_files(names),
        FaultKind::OutOfMemory { .. } => return words.fault_out_of_memory(names),
        FaultKind::SlowStart { by, .. } => return words.fault_slow_start(names, words.span(*by)),
        FaultKind::SkewClock { by, .. } => return words.fault_skew_clock(names, by),
        FaultKind::SlowDisk { write, .. } => return words.fault_slow_disk(names, write),
        FaultKind::Burn { cores, .. } => {
            let cores = words.n_cores(u64::from(*cores));
            return match host {
                Some(host) => words.fault_burn_on(host, cores),
                None => words.fault_burn(cores),
            };
        }
        FaultKind::FillMemory { size, .. } => {
            let size = words.size(*size);
            return match host {
                Some(host) => words.fault_fill_memory_on(host, size),
                None => words.fault_fill_memory(size),
            };
        }
        FaultKind::FillDisk { size, .. } => return words.fault_fill_disk(names, words.size(*size)),
        FaultKind::Run { act, .. } => {
            let command: Vec<&str> = act.iter().map(|word| word.0.as_str()).collect();
            return words.fault_run(command.join(" "));
        }
        FaultKind::Between { first, second, harm, .. } => return between(words, plan, first, second, harm),
        FaultKind::Shape { shape, .. } => {
            return match shape {
                Shape::Throttle { .. } => words.fault_throttle(names),
                Shape::Delay { .. } => words.fault_delay(names),
            };
        }
        FaultKind::BreakDns { names: broken, answer, .. } => {
            let broken = if broken.is_empty() { words.any_name() } else { words.list(broken) };
            return match answer {
                Answer::Nothing => words.fault_dns_nothing(names, broken),
                Answer::Missing => words.fault_dns_missing(names, broken),
                Answer::Failed => words.fault_dns_failed(names, broken),
                Answer::Wrong => words.fault_dns_wrong(names, broken),
                Answer::Late(by) => words.fault_dns_late(names, broken, words.span(*by)),
            };
        }
        FaultKind::Container { blow, .. } => {
            return match blow {
                Blow::Kill => words.fault_kill(names),
                Blow::Terminate => words.fault_terminate(names),
                Blow::Pause => words.fault_pause(names),
                Blow::Disconnect => words.fault_disconnect(names),
            };
        }
        FaultKind::Link { flaw, .. } => &flaw.kind,
    };
    match flaw {
        FlawKind::Delay { .. } => words.fault_delay(names),
        FlawKind::Throttle { .. } => words.fault_throttle(names),
        FlawKind::Slice { .. } => words.fault_slice(names),
        FlawKind::CloseAfter { .. } => words.fault_close_after(names),
        FlawKind::Refuse => words.fault_refuse(names),
        FlawKind::Reset { .. } => words.fault_reset(names),
        FlawKind::Hang { .. } => words.fault_hang(names),
        FlawKind::SlowClose { .. } => words.fault_slow_close(names),
        FlawKind::Corrupt => words.fault_corrupt(names),
        FlawKind::Respond { status, .. } => words.fault_respond(names, status),
    }
}

/// `cut node_1 off from store`.
fn between(words: Words, plan: &Plan, first: &[ProcessId], second: &[ProcessId], harm: &Harm) -> String {
    let side = |side: &[ProcessId]| {
        words.list(&side.iter().map(|id| words.scope(plan, Scope::Process(*id))).collect::<Vec<String>>())
    };
    let (one, other) = (side(first), side(second));
    match harm {
        Harm::Partition => words.fault_partition(one, other),
        Harm::Drop { share } => words.fault_drop(words.share(*share), one, other),
        Harm::Refuse => words.fault_refuse_between(one, other),
        Harm::Reset => words.fault_reset_between(one, other),
    }
}
