use serde_json::{Value, json};

use super::{Capture, Expect, OnFailure, Request, Until};
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::{Span, Text};
use crate::base::yaml::{Kind, Node};
use crate::scenario::decode::{Context, Raw};
use crate::scenario::define::{block, choice, words};
use crate::scenario::field::{AnyKey, List, Named, Reached};
use crate::scenario::schema::Defs;
use crate::scenario::value::Template;

/// What one visitor does: steps, or a block with them.
#[derive(Debug, Clone, PartialEq)]
pub enum Journey {
    Steps(Steps),
    Block(Box<JourneyBlock>),
}

impl Raw for Journey {
    fn decode(node: &Node, at: Mark, cx: &mut Context<'_>) -> Option<Journey> {
        match &node.kind {
            Kind::Map(_) => cx.decode(node, at).map(|block| Journey::Block(Box::new(block))),
            _ => cx.decode(node, at).map(Journey::Steps),
        }
    }

    fn schema(defs: &mut Defs) -> Value {
        json!({ "anyOf": [Steps::schema(defs), JourneyBlock::schema(defs)] })
    }
}

block! {
    /// What one visitor does, and what holds for all of it.
    pub struct JourneyBlock("a journey") {
        title: optional("title") Text,
        /// Where its requests go unless they say otherwise.
        endpoint: optional("endpoint") String,
        /// `on` (the default): a cookie jar for each visit.
        cookies: optional("cookies") Switch,
        steps: required("steps") Steps,
    }
}

words! {
    pub enum Switch("a switch") { On = "on", Off = "off" }
}

/// Steps, one after another; never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Steps(pub List<Step>);

impl Raw for Steps {
    fn decode(node: &Node, at: Mark, cx: &mut Context<'_>) -> Option<Steps> {
        match &node.kind {
            Kind::List(items) if items.is_empty() => {
                cx.say(Diagnostic::error("empty-list", node.mark, "there is no step here"));
                None
            }
            Kind::List(_) => cx.decode(node, at).map(Steps),
            _ => {
                let message = format!("a list of steps is expected here, not {}", node.describe());
                cx.say(Diagnostic::error("wrong-type", node.mark, message).help("begin each step with `- `"));
                None
            }
        }
    }

    fn schema(defs: &mut Defs) -> Value {
        let mut schema = List::<Step>::schema(defs);
        schema["minItems"] = 1.into();
        schema
    }
}

/// One step of a journey, named by its verb.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Request(Box<Request>),
    Let(LetStep),
    Think(ThinkStep),
    Repeat(RepeatStep),
    Poll(Box<PollStep>),
    Choose(ChooseStep),
    If(IfStep),
    Journey(JourneyStep),
    Group(GroupStep),
    Rendezvous(RendezvousStep),
}

choice! {
    Step("a step") {
        Request(Request): "get" "post" "put" "patch" "delete" "head" "options",
        Let(LetStep): "let",
        Think(ThinkStep): "think",
        Repeat(RepeatStep): "repeat",
        Poll(PollStep): "poll",
        Choose(ChooseStep): "choose",
        If(IfStep): "if",
        Journey(JourneyStep): "journey",
        Group(GroupStep): "group",
        Rendezvous(RendezvousStep): "rendezvous",
    }
    later("open", "send", "await", "close", "grpc");
}

block! {
    /// Names for values, each seeing those before it.
    pub struct LetStep("`let`") {
        values: required("let") Named<Template, Reached>,
    }
}

block! {
    /// Waits for other users of the same closed load.
    pub struct RendezvousStep("`rendezvous`") {
        rendezvous: required("rendezvous") Rendezvous,
    }
}

block! {
    /// Where users wait for one another.
    pub struct Rendezvous("a `rendezvous`") {
        /// Who waits under one name, goes on together.
        name: required("name") String,
        /// They go on when so many are there.
        count: required("count") u64,
        /// … or, each for itself, after this time.
        within: required("within") Span,
    }
    check(check_rendezvous);
}

fn check_rendezvous(meeting: &Rendezvous, _: Mark, cx: &mut Context<'_>) {
    super::load::positive(&meeting.within, "within", cx);
    if let Some(count) = meeting.count.get().filter(|count| count.value < 2) {
        cx.say(Diagnostic::error("range", count.mark, "`count` must be over 1: nobody waits for itself"));
    }
}

block! {
    /// Time that a person takes.
    pub struct ThinkStep("`think`") {
        think: required("think") Think,
    }
}

/// Think time: fixed, or drawn.
#[derive(Debug, Clone, PartialEq)]
pub enum Think {
    Fixed(Span),
    Drawn(Box<ThinkBlock>),
}

impl Raw for Think {
    fn decode(node: &Node, at: Mark, cx: &mut Context<'_>) -> Option<Think> {
        match &node.kind {
            Kind::Map(_) => cx.decode(node, at).map(|block| Think::Drawn(Box::new(block))),
            _ => cx.decode(node, at).map(Think::Fixed),
        }
    }

    fn schema(defs: &mut Defs) -> Value {
        json!({ "anyOf": [Span::schema(defs), ThinkBlock::schema(defs)] })
    }
}

block! {
    /// A distribution of think times.
    pub struct ThinkBlock("`think`") {
        uniform: optional("uniform") Uniform,
        exponential: optional("exponential") Exponential,
        lognormal: optional("lognormal") Lognormal,
    }
    one_of("uniform", "exponential", "lognormal");
}

block! {
    /// Anything between two durations, each as likely.
    pub struct Uniform("`uniform`") {
        from: required("from") Span,
        to: required("to") Span,
    }
    check(check_uniform);
}

fn check_uniform(uniform: &Uniform, _: Mark, cx: &mut Context<'_>) {
    if let (Some(from), Some(to)) = (uniform.from.get(), uniform.to.get())
        && to.value < from.value
    {
        cx.say(Diagnostic::error("range", to.mark, "`to` is shorter than `from`").related(from.mark, "`from` is here"));
    }
}

block! {
    /// Memoryless, cut at ten times the mean.
    pub struct Exponential("`exponential`") {
        mean: required("mean") Span,
    }
}

block! {
    /// As people do: half of them within the median, few far beyond.
    pub struct Lognormal("`lognormal`") {
        median: required("median") Span,
        /// The spread: 0.6 is usual.
        sigma: required("sigma") f64,
    }
    check(check_lognormal);
}

fn check_lognormal(lognormal: &Lognormal, _: Mark, cx: &mut Context<'_>) {
    if let Some(sigma) = lognormal.sigma.get().filter(|sigma| !(0.0..=5.0).contains(&sigma.value)) {
        cx.say(Diagnostic::error("range", sigma.mark, "`sigma` is from 0 to 5; 0.6 is usual"));
    }
}

block! {
    /// Steps several times over.
    pub struct RepeatStep("`repeat`") {
        repeat: required("repeat") Repeat,
    }
}

block! {
    /// How often, and which steps.
    pub struct Repeat("`repeat`") {
        times: optional("times") u64,
        /// A template; asked before each turn.
        condition: optional("while") Template,
        steps: required("steps") Steps,
    }
    one_of("times", "while");
    check(check_repeat);
}

fn check_repeat(repeat: &Repeat, _: Mark, cx: &mut Context<'_>) {
    if let Some(times) = repeat.times.get().filter(|times| !(1..=1_000_000).contains(&times.value)) {
        cx.say(Diagnostic::error("range", times.mark, "`times` is from 1 to 1000000"));
    }
}

block! {
    /// One of several ways, drawn for each visitor.
    pub struct ChooseStep("`choose`") {
        choose: required("choose") List<Branch>,
    }
    check(check_choose);
}

fn check_choose(step: &ChooseStep, _: Mark, cx: &mut Context<'_>) {
    if let Some(branches) = step.choose.get().filter(|branches| branches.complete && branches.len() < 2) {
        let message = "there is nothing to choose from: `choose` has at least two branches";
        let wrong = Diagnostic::error("empty-list", branches.mark, message);
        cx.say(wrong.help("write [{ weight: 3, steps: […] }, { weight: 1, steps: […] }]"));
    }
}

block! {
    /// One way of several.
    pub struct Branch("a branch of `choose`") {
        /// How often it is taken, beside the weights of the others.
        weight: required("weight") f64,
        steps: required("steps") Steps,
    }
    check(check_branch);
}

fn check_branch(branch: &Branch, _: Mark, cx: &mut Context<'_>) {
    if let Some(weight) = branch.weight.get().filter(|weight| !(weight.value > 0.0 && weight.value.is_finite())) {
        let wrong = Diagnostic::error("range", weight.mark, "the weight of a branch is over 0");
        cx.say(wrong.help("leave the branch out instead"));
    }
}

block! {
    /// The steps of another journey, as if they stood here; cookies are this journey's.
    pub struct JourneyStep("`journey`") {
        /// Its name.
        journey: required("journey") String,
    }
}

block! {
    /// Steps with figures of their own as one, such as a checkout from the cart to the payment.
    pub struct GroupStep("`group`") {
        group: required("group") Group,
    }
}

block! {
    /// Its time is that of its steps without think times; it is bad when one of them is.
    pub struct Group("`group`") {
        /// Figures are kept under it; no step has the same name.
        name: required("name") String,
        title: optional("title") Text,
        steps: required("steps") Steps,
    }
}

block! {
    /// One request asked again and again until the awaited answer comes: one outcome.
    pub struct PollStep("a poll step") {
        poll: required("poll") Poll,
        /// Figures are kept per name; left out: the method and the path as written.
        name: optional("name") String,
        title: optional("title") Text,
        endpoint: optional("endpoint") String,
        headers: optional("headers") Named<Template, AnyKey>,
        query: optional("query") Named<Template, AnyKey>,
        /// Cuts each ask.
        timeout: optional("timeout") Span,
        /// What every answer must be, also those that are not yet the awaited one.
        expect: optional("expect") Expect,
        on_failure: optional("on-failure") OnFailure,
        capture: optional("capture") Named<Capture, Reached>,
    }
    later("retry", "follow", "acknowledge");
}

block! {
    /// What is asked, and until when.
    pub struct Poll("`poll`") {
        /// A path.
        get: required("get") Template,
        every: required("every") Span,
        /// What the awaited answer looks like.
        until: required("until") Until,
        /// When it has failed.
        within: required("within") Span,
    }
    check(check_poll);
}

fn check_poll(poll: &Poll, _: Mark, cx: &mut Context<'_>) {
    super::load::positive(&poll.every, "every", cx);
    super::load::positive(&poll.within, "within", cx);
}

block! {
    /// Steps on a condition.
    pub struct IfStep("`if`") {
        /// A template.
        test: required("if") Template,
        then: required("then") Steps,
        otherwise: optional("else") Steps,
    }
}
