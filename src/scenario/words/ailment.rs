//! Faults on processes beyond ending and stopping them.

use super::Target;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::{Flow, Offset, Span};
use crate::scenario::decode::Context;
use crate::scenario::define::block;
use crate::scenario::field::Field;

block! {
    /// What is restarted.
    pub struct Restart("`restart`") {
        /// A process, a list of them, or { any: node, pick: 1 }: restarted one after another, spread evenly over `for`.
        process: required("process") Target,
    }
    later("container");
}

block! {
    /// What may open nothing more.
    pub struct ExhaustFiles("`exhaust-files`") {
        /// A process, a list of them, or { any: node, pick: 1 }.
        process: required("process") Target,
    }
    later("container");
}

block! {
    /// What runs out of memory.
    pub struct OutOfMemory("`out-of-memory`") {
        /// A process, a list of them, or { any: node, pick: 1 }.
        process: required("process") Target,
    }
    later("container");
}

block! {
    /// What comes up late, and slow.
    pub struct SlowStart("`slow-start`") {
        /// A process, a list of them, or { any: node, pick: 1 }.
        process: required("process") Target,
        /// How long after it was killed it is started again; from then to the end of `for` it runs a tenth of the time.
        by: required("by") Span,
    }
    later("container");
    check(check_slow_start);
}

fn check_slow_start(slow: &SlowStart, _: Mark, cx: &mut Context<'_>) {
    super::load::positive(&slow.by, "by", cx);
}

block! {
    /// Whose wall clock is off, and by how much.
    pub struct SkewClock("`skew-clock`") {
        /// A process with `clock: skewable`, a list of them, or { any: node, pick: 1 }.
        process: required("process") Target,
        /// Forwards (1h) or backwards (-30m), in whole seconds: 10s at the least.
        by: required("by") Offset,
    }
    later("container", "host");
    check(check_skew_clock);
}

fn check_skew_clock(skew: &SkewClock, _: Mark, cx: &mut Context<'_>) {
    let Some(by) = skew.by.get() else { return };
    let nanos = by.value.as_nanos();
    if nanos.unsigned_abs() < 10_000_000_000 || nanos % 1_000_000_000 != 0 {
        let message = "`by` is in whole seconds, and at least 10s: less could not be told from a clock that is right";
        cx.say(Diagnostic::error("range", by.mark, message));
    }
}

block! {
    /// Whose disk is slow, and how slow.
    pub struct SlowDisk("`slow-disk`") {
        /// Its whole tree, on the disk that its own folder lies on.
        process: required("process") String,
        /// Written through at the most: 1MiB/s.
        write: required("write") Flow,
        /// Read at the most; left out: as fast as ever.
        read: optional("read") Flow,
    }
    later("container", "host");
    check(check_slow_disk);
}

fn check_slow_disk(slow: &SlowDisk, _: Mark, cx: &mut Context<'_>) {
    let mut least = |flow: &Field<Flow>, word: &str| {
        if let Some(flow) = flow.get().filter(|flow| flow.value.0 < 4096) {
            cx.say(Diagnostic::error("range", flow.mark, format!("`{word}` is at least 4KiB/s, a page a second")));
        }
    };
    least(&slow.write, "write");
    least(&slow.read, "read");
}
