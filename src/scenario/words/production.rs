use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::{Rate, Share};
use crate::scenario::decode::Context;
use crate::scenario::define::block;

block! {
    /// What a drill of production keeps to, and who has to approve it.
    pub struct Production("`production`") {
        /// The Ed25519 public key of whoever approves: 32 bytes, in hexadecimal digits or base64.
        approver: required("approver") String,
        /// When it may go on: all of it.
        window: required("window") Window,
        /// How much it may hurt.
        most: required("most") Most,
    }
}

block! {
    /// From one instant by the wall clock to another.
    pub struct Window("`window`") {
        /// Such as 2026-11-11T02:00:00+08:00.
        from: required("from") String,
        to: required("to") String,
    }
}

block! {
    /// What is never exceeded.
    pub struct Most("`most`") {
        /// So many faults are in force at once.
        faults: required("faults") u64,
        /// The share of the platform's processes that faults are aimed at, at once.
        processes: required("processes") Share,
        /// Journeys that begin in a second, of all loads together.
        rate: required("rate") Rate,
    }
    check(check_most);
}

fn check_most(most: &Most, _: Mark, cx: &mut Context<'_>) {
    if let Some(share) = most.processes.get().filter(|share| share.as_f64() > 1.0) {
        cx.say(Diagnostic::error("range", share.mark, "`processes` is a share of at most 100%"));
    }
}
