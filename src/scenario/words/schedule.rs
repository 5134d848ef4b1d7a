//! When faults come, how often, and how they end.

use serde_json::{Value, json};

use super::Arguments;
use super::fault::Fault;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::Span;
use crate::base::yaml::{Kind, Node};
use crate::scenario::decode::{Context, Raw};
use crate::scenario::define::{block, words};
use crate::scenario::field::List;
use crate::scenario::schema::Defs;

/// The most faults that one entry can come to.
const MOST: u64 = 1_000;

/// The most stretches of a storm.
const STRETCHES: u64 = 100_000;

words! {
    /// Who heals a fault.
    pub enum Healer("`heal`") { Platform = "platform" }
}

words! {
    pub enum UndoWord("`undo` of a fault") {
        /// It is healed as it would have been with `for`.
        Start = "start",
        None = "none",
    }
}

/// What is done at the end of the drill about a fault that was left to the platform.
#[derive(Debug, Clone, PartialEq)]
pub enum UndoAtEnd {
    Word(UndoWord),
    Run(UndoRun),
}

block! {
    /// A program that undoes it, also when the harness has died.
    pub struct UndoRun("`undo` of a fault") {
        run: required("run") Arguments,
        /// Exits with 0 as long as it is still to be undone, and with 1 when it is not; with anything else it could not tell.
        check: required("check") Arguments,
    }
}

impl Raw for UndoAtEnd {
    fn decode(node: &Node, at: Mark, cx: &mut Context<'_>) -> Option<UndoAtEnd> {
        match &node.kind {
            Kind::Map(_) => cx.decode(node, at).map(UndoAtEnd::Run),
            _ => cx.decode(node, at).map(UndoAtEnd::Word),
        }
    }

    fn schema(defs: &mut Defs) -> Value {
        json!({ "anyOf": [UndoWord::schema(defs), UndoRun::schema(defs)] })
    }
}

block! {
    /// Faults that the seed draws, one in each stretch of `every`.
    pub struct Storm("`storm`") {
        /// What is drawn from: faults as elsewhere, each with `for`, and without a start of its own.
        of: required("of") List<Fault>,
        /// At most so many.
        budget: required("budget") u64,
        /// How far apart they come, on average.
        every: required("every") Span,
    }
    check(check_storm);
}

fn check_storm(storm: &Storm, _: Mark, cx: &mut Context<'_>) {
    super::load::positive(&storm.every, "every", cx);
    if let Some(budget) = storm.budget.get().filter(|budget| !(1..=MOST).contains(&budget.value)) {
        cx.say(Diagnostic::error("range", budget.mark, format!("`budget` is from 1 to {MOST}")));
    }
    if let Some(of) = storm.of.get().filter(|of| of.items.is_empty() && of.complete) {
        cx.say(Diagnostic::error("empty-list", of.mark, "this list names nothing"));
    }
    for fault in storm.of.get().into_iter().flat_map(|of| &of.items) {
        let own = [
            ("at", fault.at.written()),
            ("after", fault.after.written()),
            ("when", fault.when.written()),
            ("until", fault.until.written()),
            ("heal", fault.heal.written()),
            ("undo", fault.undo.written()),
            ("every", fault.every.written()),
            ("times", fault.times.written()),
            ("storm", fault.storm.written()),
        ];
        for (word, mark) in own.into_iter().filter_map(|(word, mark)| Some((word, mark?))) {
            let message = format!("a fault of a storm begins when it is drawn and lasts for `for`: it has no `{word}`");
            cx.say(Diagnostic::error("does-not-go", mark, message));
        }
    }
}

/// `every` and `times` go together; a storm has its own.
pub(super) fn check_repeats(fault: &Fault, cx: &mut Context<'_>) {
    super::load::positive(&fault.every, "every", cx);
    if let Some(times) = fault.times.get().filter(|times| !(2..=MOST).contains(&times.value)) {
        cx.say(Diagnostic::error("range", times.mark, format!("`times` is from 2 to {MOST}")));
    }
    match (fault.every.written(), fault.times.written(), fault.storm.written()) {
        (Some(mark), _, Some(_)) | (None, Some(mark), Some(_)) => {
            let message = "a storm says itself how often faults come: `every` and `times` do not go with it";
            cx.say(Diagnostic::error("does-not-go", mark, message));
        }
        (Some(mark), None, None) => {
            cx.say(Diagnostic::error("needs-word", mark, "`every` needs `times`: how often the fault comes"));
        }
        (None, Some(mark), None) => {
            cx.say(Diagnostic::error("needs-word", mark, "`times` needs `every`: how far apart the faults come"));
        }
        _ => {}
    }
    if let (Some(lasts), Some(every)) = (fault.lasts.get(), fault.storm.get().and_then(|storm| storm.every.get()))
        && every.value > Span::ZERO
        && lasts.as_nanos() / every.as_nanos() > STRETCHES
    {
        let message = format!("{} has more than {STRETCHES} stretches of {}", lasts.value, every.value);
        cx.say(Diagnostic::error("range", every.mark, message).related(lasts.mark, "it lasts that long"));
    }
    let Some(every) = fault.every.get() else { return };
    if let Some(lasts) = fault.lasts.get().filter(|lasts| lasts.value >= every.value) {
        let message =
            format!("every {}, and each lasts {}: one would begin before the last is healed", every.value, lasts.value);
        cx.say(Diagnostic::error("range", every.mark, message).related(lasts.mark, "it lasts that long"));
    }
    let ends = [("until", fault.until.written()), ("heal", fault.heal.written())];
    for (word, mark) in ends.into_iter().filter_map(|(word, mark)| Some((word, mark?))) {
        let message = format!("a fault that comes several times ends with `for`, not with `{word}`");
        cx.say(Diagnostic::error("does-not-go", mark, message).related(every.mark, "it comes several times"));
    }
}
