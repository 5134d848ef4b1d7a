use super::Steps;
use super::load::positive;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::Span;
use crate::scenario::decode::Context;
use crate::scenario::define::block;
use crate::scenario::field::Field;

block! {
    /// One stretch of a closed load.
    pub struct UserStage("a stage of users") {
        ramp: optional("ramp") UserRamp,
        hold: optional("hold") UserHold,
        stairs: optional("stairs") UserStairs,
        spike: optional("spike") UserSpike,
    }
    one_of("ramp", "hold", "stairs", "spike");
    later("wave", "file");
    refused(
        "burst" => "users stay; a burst is of arrivals, in an open load (`arrivals`)",
        "phase" => "write it inside the stage: hold: { …, phase: name }"
    );
}

block! {
    /// From one number of users to another, evenly.
    pub struct UserRamp("`ramp` of users") {
        /// Left out: the level so far.
        from: optional("from") u64,
        to: required("to") u64,
        span: required("for") Span,
        /// The phase that this stage is, or belongs to.
        phase: optional("phase") String,
    }
    check(check_ramp);
}

fn check_ramp(ramp: &UserRamp, _: Mark, cx: &mut Context<'_>) {
    positive(&ramp.span, "for", cx);
}

block! {
    /// So many users.
    pub struct UserHold("`hold` of users") {
        /// Left out: the level so far.
        users: optional("users") u64,
        span: required("for") Span,
        /// The phase that this stage is, or belongs to.
        phase: optional("phase") String,
    }
    refused("rate" => "this is a closed load: its level is `users`");
    check(check_hold);
}

fn check_hold(hold: &UserHold, _: Mark, cx: &mut Context<'_>) {
    positive(&hold.span, "for", cx);
}

block! {
    /// Level by level; both ends are held.
    pub struct UserStairs("`stairs` of users") {
        /// Left out: the level so far.
        from: optional("from") u64,
        to: required("to") u64,
        by: required("by") u64,
        every: required("every") Span,
        /// The phase that this stage is, or belongs to.
        phase: optional("phase") String,
    }
    check(check_stairs);
}

fn check_stairs(stairs: &UserStairs, _: Mark, cx: &mut Context<'_>) {
    positive(&stairs.every, "every", cx);
    if let Field::Is(by) = &stairs.by
        && by.value == 0
    {
        cx.say(Diagnostic::error("range", by.mark, "`by` must be over 0"));
    }
}

block! {
    /// Up, there for a while, and back to the level before.
    pub struct UserSpike("`spike` of users") {
        to: required("to") u64,
        rise: required("rise") Span,
        span: required("for") Span,
        fall: required("fall") Span,
        /// The phase that this stage is, or belongs to.
        phase: optional("phase") String,
    }
}

block! {
    /// What a user does again and again between two journeys.
    pub struct Refresh("`refresh`") {
        /// From one time to the next, at least.
        every: required("every") Span,
        steps: required("steps") Steps,
    }
    check(check_refresh);
}

fn check_refresh(refresh: &Refresh, _: Mark, cx: &mut Context<'_>) {
    positive(&refresh.every, "every", cx);
}
