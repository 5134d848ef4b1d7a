use serde_json::{Value, json};

use super::Arguments;
use super::ailment::{ExhaustFiles, OutOfMemory, Restart, SkewClock, SlowDisk, SlowStart};
use super::condition::Trigger;
use super::container::Disconnect;
use super::flaw::{
    CloseAfter, Corrupt, Delay, Direction, Hang, OnlyRequests, Refuse, Reset, Respond, Slice, SlowClose, Throttle,
};
use super::instant::When;
use super::network::{BreakDns, Drop, Partition};
use super::schedule::{Healer, Storm, UndoAtEnd};
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::{Share, Size, Span, Text};
use crate::base::yaml::{Kind, Node};
use crate::scenario::decode::{Context, Raw};
use crate::scenario::define::block;
use crate::scenario::field::{Field, List, Spanned};
use crate::scenario::schema::Defs;

block! {
    /// One planned injury, named by its verb.
    pub struct Fault("a fault") {
        title: optional("title") Text,
        /// When it is ordered: an instant, such as 30s, outage + 1s or other-fault.healed + 30s.
        at: optional("at") When,
        /// It is ordered after an instant of another fault, such as other-fault.healed + 30s.
        after: optional("after") When,
        /// It is ordered as soon as this holds.
        when: optional("when") Trigger,
        /// How long it lasts from the moment it bites; then it is healed. Of a storm: how long faults are drawn.
        lasts: optional("for") Span,
        /// It is healed at this instant.
        until: optional("until") When,
        /// `platform`: it is left to the platform to get over it.
        heal: optional("heal") Healer,
        /// Beside `heal`: what is done about it at the end of the drill.
        undo: optional("undo") UndoAtEnd,
        /// Beside `times`: it is ordered again so long after each time.
        every: optional("every") Span,
        /// How often it is ordered.
        times: optional("times") u64,
        /// Faults drawn by the seed, one after another.
        storm: optional("storm") Storm,
        /// KILL to the whole tree of processes; healed by starting it again.
        kill: optional("kill") Kill,
        /// TERM to the whole tree of processes; healed by starting it again.
        terminate: optional("terminate") Terminate,
        /// KILL again and again, some time after each time that it is ready.
        crash_loop: optional("crash-loop") CrashLoop,
        /// TERM to the whole tree of processes, which is started again at once; several one after another.
        restart: optional("restart") Restart,
        /// Containers are taken off all their networks; healed by connecting them to each again.
        disconnect: optional("disconnect") Disconnect,
        /// The whole tree of processes is stopped; healed by letting it go on.
        pause: optional("pause") Pause,
        /// The tree of processes may open no file or connection more.
        exhaust_files: optional("exhaust-files") ExhaustFiles,
        /// The kernel ends the tree of processes for want of memory; healed by starting it again.
        out_of_memory: optional("out-of-memory") OutOfMemory,
        /// KILL to the whole tree of processes, which comes up late and slow.
        slow_start: optional("slow-start") SlowStart,
        /// The wall clock of processes is off.
        skew_clock: optional("skew-clock") SkewClock,
        /// The disk of a process is slow.
        slow_disk: optional("slow-disk") SlowDisk,
        /// Cores of this machine, or of a host, are kept busy.
        burn: optional("burn") Burn,
        /// Memory of this machine, or of a host, is taken.
        fill_memory: optional("fill-memory") FillMemory,
        /// The file system that a process's own folder, or the folder of a host, lies on is filled.
        fill_disk: optional("fill-disk") FillDisk,
        /// Whatever a program does, which another undoes.
        run: optional("run") RunFault,
        delay: optional("delay") Delay,
        throttle: optional("throttle") Throttle,
        slice: optional("slice") Slice,
        close_after: optional("close-after") CloseAfter,
        partition: optional("partition") Partition,
        drop: optional("drop") Drop,
        /// Those in networks who ask for names are answered wrongly, late, or not at all.
        break_dns: optional("break-dns") BreakDns,
        refuse: optional("refuse") Refuse,
        reset: optional("reset") Reset,
        hang: optional("hang") Hang,
        slow_close: optional("slow-close") SlowClose,
        corrupt: optional("corrupt") Corrupt,
        respond: optional("respond") Respond,
        /// Which way a fault on a link, or in networks, bites; left out: both. Between two sides, up is what the first one sends; for a process, what it sends.
        direction: optional("direction") Direction,
        /// The share of requests that a fault on a link bites, drawn by the seed; of connections, where the link carries no HTTP.
        share: optional("share") Share,
        /// Which requests a fault on a link may bite.
        only: optional("only") OnlyRequests,
    }
    one_of(
        "kill", "terminate", "crash-loop", "restart", "pause", "disconnect", "exhaust-files", "out-of-memory", "slow-start", "skew-clock", "slow-disk", "burn", "fill-memory", "fill-disk", "run", "delay", "throttle", "slice", "close-after", "partition", "drop", "break-dns", "refuse", "reset", "hang", "slow-close",
        "corrupt", "respond", "storm"
    );
    check(check_fault);
}

fn check_fault(fault: &Fault, _: Mark, cx: &mut Context<'_>) {
    super::load::positive(&fault.lasts, "for", cx);
    super::schedule::check_repeats(fault, cx);
    if let Some(share) = fault.share.get().filter(|share| !(share.as_f64() > 0.0 && share.as_f64() <= 1.0)) {
        cx.say(Diagnostic::error("range", share.mark, "`share` is over 0% and at most 100%"));
    }
    let beside =
        [("direction", fault.direction.written()), ("share", fault.share.written()), ("only", fault.only.written())];
    let on_process = [
        fault.kill.written(),
        fault.terminate.written(),
        fault.crash_loop.written(),
        fault.restart.written(),
        fault.exhaust_files.written(),
        fault.out_of_memory.written(),
        fault.slow_start.written(),
        fault.skew_clock.written(),
        fault.slow_disk.written(),
        fault.pause.written(),
        fault.disconnect.written(),
        fault.burn.written(),
        fault.fill_memory.written(),
        fault.fill_disk.written(),
        fault.run.written(),
        fault.break_dns.written(),
        fault.storm.written(),
    ];
    let whole_link = [(&"refuse", fault.refuse.written())];
    for (word, mark) in beside.into_iter().filter_map(|(word, mark)| Some((word, mark?))) {
        if on_process.iter().any(Option::is_some) {
            let message = format!("`{word}` is for faults on links alone");
            cx.say(Diagnostic::error("does-not-go", mark, message));
        } else if let Some((verb, _)) = whole_link.iter().find(|(_, mark)| mark.is_some()) {
            let message = format!("`{verb}` is of the whole link, so `{word}` does not go with it");
            cx.say(Diagnostic::error("does-not-go", mark, message).help("`reset` can bite a share"));
        }
    }
    if in_network(fault) {
        for (word, mark) in [("share", fault.share.written()), ("only", fault.only.written())] {
            let Some(mark) = mark else { continue };
            let message = format!("`{word}` is for faults on links alone");
            let help = "the share of packets that are lost is written as `drop: { between: [a, b], share: 30% }`";
            cx.say(Diagnostic::error("does-not-go", mark, message).help(help));
        }
    }
    if let (Some(direction), Some(_)) = (fault.direction.written(), fault.respond.written()) {
        let message = "an answer goes one way, so `direction` does not go with `respond`";
        cx.say(Diagnostic::error("does-not-go", direction, message));
    }
}

/// Whether it bites what processes in networks send and get.
fn in_network(fault: &Fault) -> bool {
    !fault.partition.is_absent()
        || !fault.drop.is_absent()
        || fault.reset.value().is_some_and(|reset| !reset.between.is_absent())
        || fault.throttle.value().is_some_and(|throttle| !throttle.process.is_absent())
        || fault.delay.value().is_some_and(|delay| !delay.process.is_absent())
}

block! {
    /// What is killed.
    pub struct Kill("`kill`") {
        /// A process, a list of them, or { any: node, pick: 1 }.
        process: optional("process") Target,
        /// A container, a list of them, or { any: container, pick: 1 }.
        container: optional("container") Target,
    }
    one_of("process", "container");
}

block! {
    /// What is terminated.
    pub struct Terminate("`terminate`") {
        /// A process, a list of them, or { any: node, pick: 1 }.
        process: optional("process") Target,
        /// A container, a list of them, or { any: container, pick: 1 }.
        container: optional("container") Target,
    }
    one_of("process", "container");
}

block! {
    /// What crashes, and how soon after each time that it is ready.
    pub struct CrashLoop("`crash-loop`") {
        /// A process, a list of them, or { any: node, pick: 1 }.
        process: required("process") Target,
        every: required("every") Span,
    }
    later("container");
    check(check_crash_loop);
}

fn check_crash_loop(crash: &CrashLoop, _: Mark, cx: &mut Context<'_>) {
    super::load::positive(&crash.every, "every", cx);
}

block! {
    /// How busy a machine is kept.
    pub struct Burn("`burn`") {
        /// So many cores.
        cores: required("cores") u64,
        /// One of `hosts`; left out: this machine.
        host: optional("host") String,
    }
    check(check_burn);
}

fn check_burn(burn: &Burn, _: Mark, cx: &mut Context<'_>) {
    if let Some(cores) = burn.cores.get().filter(|cores| !(1..=1_024).contains(&cores.value)) {
        cx.say(Diagnostic::error("range", cores.mark, "`cores` is from 1 to 1024"));
    }
}

block! {
    /// How much of a machine's memory is taken.
    pub struct FillMemory("`fill-memory`") {
        size: required("size") Size,
        /// One of `hosts`; left out: this machine.
        host: optional("host") String,
    }
    check(check_fill_memory);
}

fn check_fill_memory(fill: &FillMemory, _: Mark, cx: &mut Context<'_>) {
    not_nothing(&fill.size, cx);
}

fn not_nothing(size: &Field<Size>, cx: &mut Context<'_>) {
    if let Some(size) = size.get().filter(|size| size.value == Size(0)) {
        cx.say(Diagnostic::error("range", size.mark, "`size` is more than nothing"));
    }
}

block! {
    /// Where, and how much.
    pub struct FillDisk("`fill-disk`") {
        /// The file system that its own folder lies on.
        process: optional("process") String,
        /// The file system that the `folder` of one of `hosts` lies on.
        host: optional("host") String,
        /// At the most: less where less is left.
        size: required("size") Size,
    }
    one_of("process", "host");
    check(check_fill_disk);
}

fn check_fill_disk(fill: &FillDisk, _: Mark, cx: &mut Context<'_>) {
    not_nothing(&fill.size, cx);
}

block! {
    /// A fault of your own: programs, which see process., link., vars., env. and run.
    pub struct RunFault("`run` of a fault") {
        /// Does it, and exits with 0.
        act: required("do") Arguments,
        /// Undoes it, however often it is called, and exits with 0; also when the harness has died.
        undo: required("undo") Arguments,
        /// Exits with 0 while it is in force, and with 1 while it is not; with anything else it could not tell.
        check: required("check") Arguments,
        /// How long each may take, and how long the check may take to see it come, and go; left out: 10s.
        within: optional("within") Span,
    }
    check(check_run);
}

fn check_run(run: &RunFault, _: Mark, cx: &mut Context<'_>) {
    super::load::positive(&run.within, "within", cx);
}

block! {
    /// What is paused.
    pub struct Pause("`pause`") {
        /// A process, a list of them, or { any: node, pick: 1 }.
        process: optional("process") Target,
        /// A container, a list of them, or { any: container, pick: 1 }.
        container: optional("container") Target,
    }
    one_of("process", "container");
}

/// Which processes, or links, a fault bites.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// By name; a name with `count` means all of it.
    Named(List<String>),
    /// Drawn by the seed.
    Any(AnyOf),
}

block! {
    /// Some of those that there are several of, drawn by the seed.
    pub struct AnyOf("a choice") {
        any: required("any") String,
        pick: required("pick") u64,
    }
    check(check_any);
}

fn check_any(any: &AnyOf, _: Mark, cx: &mut Context<'_>) {
    if let Some(pick) = any.pick.get().filter(|pick| pick.value == 0) {
        cx.say(Diagnostic::error("range", pick.mark, "`pick` is at least 1"));
    }
}

impl Raw for Target {
    fn decode(node: &Node, at: Mark, cx: &mut Context<'_>) -> Option<Target> {
        match &node.kind {
            Kind::Map(_) => cx.decode(node, at).map(Target::Any),
            Kind::List(items) if items.is_empty() => {
                cx.say(Diagnostic::error("empty-list", node.mark, "this list names nothing"));
                None
            }
            Kind::List(_) => cx.decode(node, at).map(Target::Named),
            Kind::Hole | Kind::Scalar(_) => {
                let name: String = cx.decode(node, at)?;
                let name = Spanned { value: name, mark: node.mark, key: at };
                Some(Target::Named(List { items: vec![name], complete: true }))
            }
        }
    }

    fn schema(defs: &mut Defs) -> Value {
        let list = json!({ "type": "array", "items": String::schema(defs), "minItems": 1 });
        json!({ "anyOf": [String::schema(defs), list, AnyOf::schema(defs)] })
    }
}
