use std::ops::Deref;

use serde_json::{Value, json};

use super::figure::Figure;
use crate::base::diagnostic::{Diagnostic, Mark, nearest};
use crate::base::units::{Share, Span, Text};
use crate::base::yaml::Node;
use crate::scenario::decode::{Context, Raw, not_yet};
use crate::scenario::define::{block, words};
use crate::scenario::field::{Field, List, Spanned};
use crate::scenario::schema::{Defs, or_var};
use crate::scenario::value::text;

block! {
    /// A measure, in a scope, over a window, against a bound.
    pub struct Condition("a condition") {
        title: optional("title") Text,
        /// What is measured.
        measure: required("measure") Measure,
        /// Only this step, by name.
        step: optional("step") String,
        /// Only groups of this name, each as one.
        group: optional("group") String,
        /// Only this journey.
        journey: optional("journey") String,
        /// Only this load.
        load: optional("load") String,
        /// Of cpu and memory: which process.
        process: optional("process") String,
        /// Only this endpoint.
        endpoint: optional("endpoint") String,
        /// Of detection-time, recovery-time and degraded-time: which fault.
        fault: optional("fault") String,
        /// Of action-time: which action.
        action: optional("action") String,
        /// Of p50 to p99.9, max and mean: the numbers that a capture keeps under this name.
        figure: optional("figure") String,
        /// Only within this phase.
        phase: optional("phase") String,
        /// A sliding window, for steady states and aborts.
        over: optional("over") Span,
        /// `service` leaves out what a request waited before it was sent.
        timing: optional("timing") Timing,
        at_most: optional("at-most") Figure,
        at_least: optional("at-least") Figure,
        above: optional("above") Figure,
        below: optional("below") Figure,
        /// How grave a miss is.
        severity: optional("severity") String,
        /// The steady state that a recovery goes back to.
        to: optional("to") String,
        /// Of apdex: the response time that satisfies.
        satisfied: optional("satisfied") Span,
        /// Of fault-rate: `outages` or `time`.
        basis: optional("basis") Basis,
        /// Of fault-rate: how often a month such an outage is expected.
        per_month: optional("per-month") f64,
        /// Of budget-left and burn-rate: the availability that is promised.
        objective: optional("objective") Share,
    }
    later("ledger", "confidence", "worse-by", "than");
    check(check_condition);
}

fn check_condition(condition: &Condition, at: Mark, cx: &mut Context<'_>) {
    let scopes = [
        ("step", &condition.step),
        ("group", &condition.group),
        ("journey", &condition.journey),
        ("load", &condition.load),
        ("process", &condition.process),
        ("endpoint", &condition.endpoint),
        ("fault", &condition.fault),
        ("action", &condition.action),
        ("figure", &condition.figure),
    ];
    let mut given = scopes.into_iter().filter_map(|(word, field)| field.written().map(|mark| (word, mark)));
    if let (Some((first, first_mark)), Some((second, mark))) = (given.next(), given.next()) {
        let wrong = Diagnostic::error("not-both", mark, format!("a condition has one scope: `{first}` or `{second}`"));
        cx.say(wrong.related(first_mark, format!("`{first}` is here")));
    }
    super::load::positive(&condition.over, "over", cx);
    let Some(measure) = condition.measure.get() else { return };
    measure_words(condition, measure, at, cx);
    let bounds = [&condition.at_most, &condition.at_least, &condition.above, &condition.below];
    let unit = if condition.figure.is_absent() { measure.unit() } else { Some(Unit::Number) };
    if let Some(unit) = unit {
        bounds.into_iter().filter_map(|bound| bound.get()).for_each(|bound| check_figure(measure, unit, bound, cx));
    }
    if let (Some(low), Some(high)) = (condition.at_least.get(), condition.at_most.get())
        && low.as_f64() > high.as_f64()
    {
        let wrong = Diagnostic::error("range", high.mark, "`at-most` lies below `at-least`");
        cx.say(wrong.related(low.mark, "`at-least` is here"));
    }
}

/// Words that only some measures have, or need.
fn measure_words(condition: &Condition, measure: &Spanned<Measure>, at: Mark, cx: &mut Context<'_>) {
    use Measure::{
        ActionTime, Apdex, BudgetLeft, BurnRate, Capacity, Cpu, DegradedTime, DetectionTime, Downtime, FaultRate,
        Headroom, Memory, RecoveryTime,
    };
    let is = |list: &[Measure]| list.contains(&measure.value);
    let recovery = is(&[RecoveryTime, DegradedTime]);
    let of_fault = recovery || is(&[DetectionTime]);
    let of_event = of_fault || is(&[ActionTime]);
    let rows = [
        ("satisfied", condition.satisfied.written(), is(&[Apdex]), is(&[Apdex])),
        ("basis", condition.basis.written(), is(&[FaultRate]), false),
        ("per-month", condition.per_month.written(), is(&[FaultRate]), false),
        ("objective", condition.objective.written(), is(&[BudgetLeft, BurnRate]), is(&[BudgetLeft, BurnRate])),
        ("to", condition.to.written(), recovery, false),
        ("fault", condition.fault.written(), of_fault, false),
        ("action", condition.action.written(), is(&[ActionTime]), false),
        ("phase", condition.phase.written(), !of_event, false),
        ("process", condition.process.written(), is(&[Cpu, Memory]), is(&[Cpu, Memory])),
        ("timing", condition.timing.written(), measure.of_time() && condition.figure.is_absent(), false),
        ("figure", condition.figure.written(), measure.of_numbers(), false),
    ];
    for (word, written, fits, needed) in rows {
        match written {
            Some(mark) if !fits => {
                let message = format!("`{word}` does not go with `{}`", measure.written());
                cx.say(Diagnostic::error("does-not-go", mark, message).related(measure.mark, "the measure is here"));
            }
            None if needed && condition.complete => {
                let message = format!("`{}` needs `{word}`", measure.written());
                cx.say(Diagnostic::error("needs-word", at, message));
            }
            _ => {}
        }
    }
    let requests = [
        ("step", &condition.step),
        ("group", &condition.group),
        ("journey", &condition.journey),
        ("load", &condition.load),
        ("endpoint", &condition.endpoint),
    ];
    for (word, field) in requests {
        let watched = matches!(measure.value, Measure::Watched(_));
        let of_search = is(&[Capacity, Headroom]) && word != "load";
        // Whether an endpoint is down is not kept: what visits want of it is.
        let of_windows = is(&[Downtime, FaultRate]) && word == "endpoint";
        let never = of_event || watched || of_search || of_windows || is(&[Cpu, Memory]);
        if let (Some(mark), true) = (field.written(), never) {
            let message = format!("`{word}` does not go with `{}`", measure.written());
            cx.say(Diagnostic::error("does-not-go", mark, message).related(measure.mark, "the measure is here"));
        }
    }
    if let (Some(timing), Some(journey)) = (condition.timing.written(), condition.journey.written()) {
        let message = "a journey has one time of its own: that of its steps, without thinking";
        cx.say(Diagnostic::error("does-not-go", timing, message).related(journey, "the journey is here"));
    }
    if let Some(objective) = condition.objective.get().filter(|objective| !(0.0..1.0).contains(&objective.as_f64())) {
        cx.say(Diagnostic::error("range", objective.mark, "`objective` is below 100%, else there is no budget"));
    }
    super::load::positive(&condition.satisfied, "satisfied", cx);
}

fn check_figure(measure: &Spanned<Measure>, unit: Unit, bound: &Spanned<Figure>, cx: &mut Context<'_>) {
    let fits = match (unit, bound.value) {
        (Unit::Span, Figure::Span(_))
        | (Unit::Share, Figure::Share(_))
        | (Unit::Rate, Figure::Rate(_))
        | (Unit::Size, Figure::Size(_))
        | (Unit::Number, Figure::Number(_)) => true,
        (Unit::Count, Figure::Number(number)) => number.fract() == 0.0 && number >= 0.0,
        _ => false,
    };
    if !fits {
        let what = unit.what();
        let message = format!("a bound of `{}` is {what}", measure.written());
        cx.say(Diagnostic::error("wrong-unit", bound.mark, message));
        return;
    }
    let whole = !matches!(&measure.value, Measure::Cpu | Measure::BudgetLeft | Measure::Headroom);
    if let Figure::Share(share) = bound.value
        && whole
        && share.as_f64() > 1.0
    {
        cx.say(Diagnostic::error("range", bound.mark, format!("`{}` is never over 100%", measure.written())));
    }
    if let (Measure::Apdex, Figure::Number(number)) = (&measure.value, bound.value)
        && !(0.0..=1.0).contains(&number)
    {
        cx.say(Diagnostic::error("range", bound.mark, "`apdex` is from 0 to 1"));
    }
}

/// What is measured.
#[derive(Debug, Clone, PartialEq)]
pub enum Measure {
    /// The quantile: 0.99 for p99.
    Percentile(f64),
    Max,
    Mean,
    Availability,
    Shed,
    Throughput,
    Unsent,
    NotReached,
    Downtime,
    FaultRate,
    Apdex,
    BudgetLeft,
    BurnRate,
    DetectionTime,
    RecoveryTime,
    DegradedTime,
    ActionTime,
    Cpu,
    Memory,
    /// A watch's figure, or a ratio: whether there is one of this name is known with the watches.
    Watched(String),
    Capacity,
    Headroom,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Span,
    Share,
    Rate,
    Size,
    Count,
    Number,
}

impl Unit {
    fn what(self) -> &'static str {
        match self {
            Unit::Span => "a duration such as 500ms",
            Unit::Share => "a share such as 99%",
            Unit::Rate => "a rate such as 50/s",
            Unit::Size => "a size such as 512MiB",
            Unit::Count => "a whole number",
            Unit::Number => "a plain number such as 0.9",
        }
    }
}

const MEASURES: &[(&str, Measure, Unit)] = &[
    ("max", Measure::Max, Unit::Span),
    ("mean", Measure::Mean, Unit::Span),
    ("availability", Measure::Availability, Unit::Share),
    ("shed", Measure::Shed, Unit::Share),
    ("throughput", Measure::Throughput, Unit::Rate),
    ("unsent", Measure::Unsent, Unit::Share),
    ("not-reached", Measure::NotReached, Unit::Count),
    ("downtime", Measure::Downtime, Unit::Span),
    ("fault-rate", Measure::FaultRate, Unit::Share),
    ("apdex", Measure::Apdex, Unit::Number),
    ("budget-left", Measure::BudgetLeft, Unit::Share),
    ("burn-rate", Measure::BurnRate, Unit::Number),
    ("detection-time", Measure::DetectionTime, Unit::Span),
    ("recovery-time", Measure::RecoveryTime, Unit::Span),
    ("degraded-time", Measure::DegradedTime, Unit::Span),
    ("action-time", Measure::ActionTime, Unit::Span),
    ("cpu", Measure::Cpu, Unit::Share),
    ("memory", Measure::Memory, Unit::Size),
    ("capacity", Measure::Capacity, Unit::Rate),
    ("headroom", Measure::Headroom, Unit::Share),
];

/// Measures of the language that are not built.
const MEASURES_LATER: &[&str] = &[
    "data-loss-window",
    "lost-writes",
    "phantom-writes",
    "duplicated-writes",
    "oversold",
    "stock-drift",
    "payment-mismatch",
    "invariant",
    "leaked",
];

impl Measure {
    /// The word that it is written as.
    pub fn written(&self) -> String {
        match self {
            Measure::Percentile(quantile) => format!("p{}", (quantile * 100.0 * 1e6).round() / 1e6),
            Measure::Watched(name) => name.clone(),
            other => MEASURES.iter().find(|(_, measure, _)| measure == other).map_or("", |(word, ..)| word).to_owned(),
        }
    }

    /// None: of a watched figure, whose bounds say it.
    fn unit(&self) -> Option<Unit> {
        match self {
            Measure::Percentile(_) => Some(Unit::Span),
            _ => MEASURES.iter().find(|(_, measure, _)| measure == self).map(|(.., unit)| *unit),
        }
    }

    /// Words that are measures wherever they stand, built or not: no ratio can have such a name.
    pub fn is_word(word: &str) -> bool {
        MEASURES.iter().any(|(known, ..)| *known == word)
            || MEASURES_LATER.contains(&word)
            || percentile(word).is_some()
    }

    /// `word` is no measure, and no watch's figure.
    pub fn unknown(word: &str, mark: Mark, figures: &[String]) -> Diagnostic {
        let known = ["p50", "p90", "p95", "p99", "p99.9"].into_iter().chain(MEASURES.iter().map(|(word, ..)| *word));
        let known = known.chain(figures.iter().map(String::as_str));
        let unknown = Diagnostic::error("unknown-word", mark, format!("`{word}` is not a measure"));
        match nearest(word, known.clone().chain(MEASURES_LATER.iter().copied())) {
            Some(meant) => unknown.help(format!("did you mean `{meant}`?")),
            None => unknown.help(format!("the measures are: {}", known.collect::<Vec<_>>().join(" "))),
        }
    }

    /// Is it a figure of any numbers?
    fn of_numbers(&self) -> bool {
        matches!(self, Measure::Percentile(_) | Measure::Max | Measure::Mean)
    }

    /// Is it a figure of response times?
    fn of_time(&self) -> bool {
        matches!(self, Measure::Percentile(_) | Measure::Max | Measure::Mean | Measure::Apdex)
    }
}

/// The name of a ratio, or a watch and what it keeps.
const WATCHED: &str = "^[a-zA-Z][a-zA-Z0-9_-]*(\\.[a-zA-Z_:][a-zA-Z0-9_:-]*)?$";

fn is_watched(word: &str) -> bool {
    let (watch, metric) = word.split_once('.').map_or((word, None), |(watch, metric)| (watch, Some(metric)));
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    // Only the machine's own figures have names with `-`.
    let metric = metric.is_none_or(|metric| is_metric(&metric.replace('-', "_")));
    watch.starts_with(|c: char| c.is_ascii_alphabetic()) && watch.chars().all(named) && metric
}

/// Whether Prometheus takes it for the name of a figure.
pub fn is_metric(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
}

/// `p99.9` → 0.999, exactly as the decimal says.
fn percentile(word: &str) -> Option<f64> {
    let digits = word.strip_prefix('p')?;
    if !digits.starts_with(|c: char| c.is_ascii_digit()) || !digits.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let percent: f64 = digits.parse().ok()?;
    let quantile: f64 = format!("{percent}e-2").parse().ok()?;
    (quantile > 0.0 && quantile < 1.0).then_some(quantile)
}

impl Raw for Measure {
    fn decode(node: &Node, _: Mark, cx: &mut Context<'_>) -> Option<Measure> {
        let word = text(node, "a measure", cx)?;
        let known = MEASURES.iter().find(|(known, ..)| *known == word).map(|(_, measure, _)| measure.clone());
        if let Some(found) = known.or_else(|| percentile(word).map(Measure::Percentile)) {
            return Some(found);
        }
        if MEASURES_LATER.contains(&word) {
            cx.say(not_yet(word, node.mark));
            return None;
        }
        if is_watched(word) {
            return Some(Measure::Watched(word.to_owned()));
        }
        cx.say(Measure::unknown(word, node.mark, &[]));
        None
    }

    fn schema(_: &mut Defs) -> Value {
        let words: Vec<&str> = MEASURES.iter().map(|(word, ..)| *word).collect();
        let percentile = json!({ "type": "string", "pattern": r"^p0*([1-9][0-9]?(\.[0-9]*)?|0?\.0*[1-9][0-9]*)$" });
        let watched = json!({ "type": "string", "pattern": WATCHED, "not": { "enum": MEASURES_LATER } });
        or_var(json!({ "anyOf": [{ "enum": words }, percentile, watched] }))
    }
}

words! {
    pub enum Timing("`timing`") { Response = "response", Service = "service" }
}

words! {
    pub enum Basis("`basis`") { Outages = "outages", Time = "time" }
}

/// A condition that must be met: it says `at-most` or `at-least`, or both.
#[derive(Debug, Clone, PartialEq)]
pub struct Obligation(pub Condition);

/// A condition that sets something off: it says `above` or `below`.
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger(pub Condition);

macro_rules! roles {
    ($($name:ident, $right:expr, $wrong:expr, $why:literal;)*) => {$(
        impl Deref for $name {
            type Target = Condition;

            fn deref(&self) -> &Condition {
                &self.0
            }
        }

        impl Raw for $name {
            fn decode(node: &Node, at: Mark, cx: &mut Context<'_>) -> Option<$name> {
                let condition: Condition = cx.decode(node, at)?;
                check_bounds(&condition, at, $right, $wrong, $why, cx);
                Some($name(condition))
            }

            fn schema(defs: &mut Defs) -> Value {
                defs.define(stringify!($name), |defs| {
                    // In place, since what the role refuses has to be taken out.
                    let mut inner = Defs::default();
                    Condition::schema(&mut inner);
                    let mut schema = inner.take("Condition");
                    defs.absorb(inner);
                    if let Some(properties) = schema["properties"].as_object_mut() {
                        $wrong.into_iter().for_each(|word: &str| { properties.shift_remove(word); });
                    }
                    schema["anyOf"] = $right.into_iter().map(|word: &str| json!({ "required": [word] })).collect();
                    schema
                })
            }
        }
    )*};
}

roles! {
    Obligation, ["at-most", "at-least"], ["above", "below"],
        "what must hold says `at-most` or `at-least`; `above` and `below` set something off (abort)";
    Trigger, ["above", "below"], ["at-most", "at-least"],
        "what sets something off says `above` or `below`; `at-most` and `at-least` are for what must hold";
}

fn check_bounds(condition: &Condition, at: Mark, right: [&str; 2], wrong: [&str; 2], why: &str, cx: &mut Context<'_>) {
    let field = |word: &str| -> &Field<Figure> {
        match word {
            "at-most" => &condition.at_most,
            "at-least" => &condition.at_least,
            "above" => &condition.above,
            _ => &condition.below,
        }
    };
    let mut refused = false;
    for word in wrong {
        if let Some(mark) = field(word).written() {
            refused = true;
            cx.say(Diagnostic::error("wrong-pair", mark, format!("`{word}` does not fit here")).help(why));
        }
    }
    let given: Vec<Mark> = right.iter().filter_map(|word| field(word).written()).collect();
    if given.is_empty() && !refused && condition.complete {
        let [first, second] = right;
        cx.say(Diagnostic::error("missing-word", at, format!("a bound is missing: `{first}` or `{second}`")));
    }
    if let ([first, second], "above") = (given.as_slice(), right[0]) {
        let both = Diagnostic::error("not-both", *second, "a trigger says either `above` or `below`, not both");
        cx.say(both.related(*first, "the other is here"));
    }
}

block! {
    /// What must hold before the first fault, and again for `hold` before a recovery counts.
    pub struct SteadyState("a steady state") {
        title: optional("title") Text,
        /// How long it must hold without a break; left out: 10s.
        hold: optional("hold") Span,
        /// Every one must hold.
        must: required("must") List<Obligation>,
    }
    check(check_steady);
}

fn check_steady(steady: &SteadyState, _: Mark, cx: &mut Context<'_>) {
    super::load::positive(&steady.hold, "hold", cx);
    if let Some(must) = steady.must.get().filter(|must| must.items.is_empty() && must.complete) {
        cx.say(Diagnostic::error("empty-list", must.mark, "this steady state demands nothing"));
    }
}
