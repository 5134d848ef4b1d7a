use super::{Refresh, Replay, Search, Steps, UserStage, When};
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::{Rate, Share, Span, Text};
use crate::scenario::decode::Context;
use crate::scenario::define::{block, words};
use crate::scenario::field::{List, Named};

block! {
    /// Who comes, and how many: `arrivals` begin at planned instants, whatever the platform does; `users` each begin a journey
    /// when the one before is done.
    pub struct Load("a load") {
        title: optional("title") Text,
        /// Journeys and their weights.
        mix: optional("mix") Named<f64>,
        /// Journeys started per second, stage by stage.
        arrivals: optional("arrivals") List<Stage>,
        /// The requests of a log, in place of journeys: each at its instant.
        replay: optional("replay") Replay,
        /// Trials at rising rates, in place of arrivals: the highest rate at which the obligations hold.
        search: optional("search") Search,
        /// How many users there are, stage by stage, in place of arrivals: a fixed crew that waits for its answers.
        users: optional("users") List<UserStage>,
        /// Of users: from the start of a journey to the start of the next one, at least.
        pace: optional("pace") Span,
        /// Of users: what each does once, before its first journey, such as logging in; what is captured here, its journeys know.
        first: optional("first") Steps,
        /// Of users: what each does again and again between two journeys, such as renewing its session.
        refresh: optional("refresh") Refresh,
        /// `even`, or `poisson` as independent visitors come.
        spacing: optional("spacing") Spacing,
        /// When its first stage begins; left out: at once.
        start: optional("start") Span,
    }
    one_of("arrivals", "users", "replay", "search");
    check(check_load);
}

/// What goes with users alone, and what does not go with them.
fn check_users(load: &Load, cx: &mut Context<'_>) {
    let closed = load.users.written().is_some();
    if let Some(mark) = load.spacing.written().filter(|_| closed && load.arrivals.written().is_none()) {
        let message = "`spacing` does not go with `users`: each begins a journey when the one before is done";
        cx.say(Diagnostic::error("does-not-go", mark, message).help("leave it out"));
    }
    let of_users =
        [("pace", load.pace.written()), ("first", load.first.written()), ("refresh", load.refresh.written())];
    for (word, mark) in of_users.into_iter().filter(|_| !closed) {
        if let Some(mark) = mark {
            let message = format!("`{word}` is for `users`: in an open load visitors come once, at planned instants");
            cx.say(Diagnostic::error("does-not-go", mark, message).help("leave it out"));
        }
    }
    positive(&load.pace, "pace", cx);
    if let Some(stages) = load.users.get().filter(|stages| stages.items.is_empty() && stages.complete) {
        cx.say(Diagnostic::error("empty-list", stages.mark, "`users` holds no stage"));
    }
}

fn check_load(load: &Load, at: Mark, cx: &mut Context<'_>) {
    if load.replay.written().is_some() {
        for (word, mark, why) in [
            ("mix", load.mix.written(), "the log says what is asked for"),
            ("spacing", load.spacing.written(), "the log says when"),
        ] {
            if let Some(mark) = mark {
                let message = format!("`{word}` does not go with `replay`: {why}");
                cx.say(Diagnostic::error("does-not-go", mark, message).help("leave it out"));
            }
        }
        return;
    }
    let own = load.arrivals.written().or(load.search.written()).or(load.users.written());
    check_users(load, cx);
    if load.mix.is_absent() && load.complete && own.is_some() {
        cx.say(Diagnostic::error("needs-word", at, "a load needs `mix`"));
    }
    if let Some(mix) = load.mix.get() {
        if mix.entries.is_empty() && mix.complete {
            let empty = Diagnostic::error("empty-map", mix.mark, "`mix` names no journey");
            cx.say(empty.help("write { journey: weight }"));
        }
        for (name, weight) in mix.iter().filter(|(_, weight)| weight.value <= 0.0) {
            let message = format!("the weight of `{}` is not over 0", name.value);
            cx.say(Diagnostic::error("range", weight.mark, message).help("leave the journey out instead"));
        }
    }
    if let Some(stages) = load.arrivals.get().filter(|stages| stages.items.is_empty() && stages.complete) {
        cx.say(Diagnostic::error("empty-list", stages.mark, "`arrivals` holds no stage"));
    }
}

words! {
    pub enum Spacing("`spacing`") { Even = "even", Poisson = "poisson" }
}

block! {
    /// One stretch of a load.
    pub struct Stage("a stage") {
        ramp: optional("ramp") Ramp,
        hold: optional("hold") Hold,
        stairs: optional("stairs") Stairs,
        spike: optional("spike") Spike,
        wave: optional("wave") Wave,
        burst: optional("burst") Burst,
        file: optional("file") RateFile,
    }
    one_of("ramp", "hold", "stairs", "spike", "wave", "burst", "file");
    refused("phase" => "write it inside the stage: hold: { …, phase: name }");
}

block! {
    /// From one level to another, evenly.
    pub struct Ramp("`ramp`") {
        /// Left out: the level so far.
        from: optional("from") Rate,
        to: required("to") Rate,
        span: required("for") Span,
        /// The phase that this stage is, or belongs to.
        phase: optional("phase") String,
    }
    check(check_ramp);
}

fn check_ramp(ramp: &Ramp, _: Mark, cx: &mut Context<'_>) {
    positive(&ramp.span, "for", cx);
}

block! {
    /// One level.
    pub struct Hold("`hold`") {
        /// Left out: the level so far.
        rate: optional("rate") Rate,
        span: required("for") Span,
        /// The phase that this stage is, or belongs to.
        phase: optional("phase") String,
    }
    refused("users" => "this is an open load: its level is a `rate`");
    check(check_hold);
}

fn check_hold(hold: &Hold, _: Mark, cx: &mut Context<'_>) {
    positive(&hold.span, "for", cx);
}

block! {
    /// Level by level; both ends are held.
    pub struct Stairs("`stairs`") {
        /// Left out: the level so far.
        from: optional("from") Rate,
        to: required("to") Rate,
        by: required("by") Rate,
        every: required("every") Span,
        /// The phase that this stage is, or belongs to.
        phase: optional("phase") String,
    }
    check(check_stairs);
}

fn check_stairs(stairs: &Stairs, _: Mark, cx: &mut Context<'_>) {
    positive(&stairs.every, "every", cx);
    if let Some(by) = stairs.by.get().filter(|by| by.as_per_second() <= 0.0) {
        cx.say(Diagnostic::error("range", by.mark, "`by` must be over 0/s"));
    }
}

block! {
    /// Up, there for a while, and back to the level before.
    pub struct Spike("`spike`") {
        to: required("to") Rate,
        rise: required("rise") Span,
        span: required("for") Span,
        fall: required("fall") Span,
        /// The phase that this stage is, or belongs to.
        phase: optional("phase") String,
    }
}

block! {
    /// Day and night: mean + amplitude · sin, from the mean upwards.
    pub struct Wave("`wave`") {
        mean: required("mean") Rate,
        /// At most the mean.
        amplitude: required("amplitude") Rate,
        /// From one crest to the next.
        period: required("period") Span,
        span: required("for") Span,
        /// The phase that this stage is, or belongs to.
        phase: optional("phase") String,
    }
    check(check_wave);
}

fn check_wave(wave: &Wave, _: Mark, cx: &mut Context<'_>) {
    positive(&wave.period, "period", cx);
    positive(&wave.span, "for", cx);
    if let (Some(mean), Some(amplitude)) = (wave.mean.get(), wave.amplitude.get())
        && amplitude.value > mean.value
    {
        let message = "`amplitude` is over `mean`: the rate would fall below 0";
        let over = Diagnostic::error("range", amplitude.mark, message).related(mean.mark, "`mean` is here");
        cx.say(over.help(format!("write at most {}", mean.value)));
    }
}

block! {
    /// So many arrivals on top of the level, evenly over `spread`.
    pub struct Burst("`burst`") {
        count: required("count") u64,
        /// 0s: all at one instant.
        spread: required("spread") Span,
        /// The phase that this stage is, or belongs to.
        phase: optional("phase") String,
    }
    check(check_burst);
}

fn check_burst(burst: &Burst, _: Mark, cx: &mut Context<'_>) {
    if let Some(count) = burst.count.get().filter(|count| !(1..=100_000_000).contains(&count.value)) {
        cx.say(Diagnostic::error("range", count.mark, "`count` is from 1 to 100000000"));
    }
    if let (Some(spread), Some(mark)) = (burst.spread.get(), burst.phase.written())
        && spread.value == Span::ZERO
    {
        let message = "a burst at one instant lasts for no time, and a phase must";
        let help = "give the stage after it the phase: what the burst does is seen there";
        cx.say(Diagnostic::error("does-not-go", mark, message).help(help));
    }
}

block! {
    /// Rates from a file: a line for each, the level goes straight from one to the next.
    pub struct RateFile("`file`") {
        /// Beside the scenario, with the columns `second` (from 0) and `rate` (per second).
        csv: required("csv") String,
        /// The phase that this stage is, or belongs to.
        phase: optional("phase") String,
    }
}

block! {
    /// A named stretch that targets are judged over.
    pub struct Phase("a phase") {
        title: optional("title") Text,
        from: required("from") When,
        to: required("to") When,
    }
}

block! {
    /// What counts as late, down or shed.
    pub struct Limits("`limits`") {
        /// When a request that is not done counts as bad in the book of seconds; a step's `within` goes before it.
        patience: optional("patience") Span,
        /// The greatest share of intended shedding that is not bad.
        shed: optional("shed") Share,
        /// A window is down when less than this share of it was ok.
        down_below: optional("down-below") Share,
        /// How long requests in flight may finish after the load's end.
        drain: optional("drain") Span,
        /// An arrival released later than this counts as late.
        lag: optional("lag") Span,
    }
    later("read-back");
    check(check_limits);
}

fn check_limits(limits: &Limits, _: Mark, cx: &mut Context<'_>) {
    for (word, share) in [("shed", &limits.shed), ("down-below", &limits.down_below)] {
        if let Some(share) = share.get().filter(|share| share.as_f64() > 1.0) {
            cx.say(Diagnostic::error("range", share.mark, format!("`{word}` is a share of at most 100%")));
        }
    }
    positive(&limits.patience, "patience", cx);
    if let Some(drain) = limits.drain.get().filter(|drain| drain.value > Span::seconds(30)) {
        cx.say(Diagnostic::error("range", drain.mark, "`drain` is at most 30s: what is not done by then is given up"));
    }
}

/// Says that a span must not be zero.
pub(super) fn positive(span: &crate::scenario::field::Field<Span>, word: &str, cx: &mut Context<'_>) {
    if let Some(span) = span.get().filter(|span| span.value == Span::ZERO) {
        cx.say(Diagnostic::error("range", span.mark, format!("`{word}` must be longer than 0s")));
    }
}
