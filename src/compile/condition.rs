//! Conditions: what is measured, of what, when, against what; and those that are looked at while the drill runs.

use super::context::Cx;
use super::instant::PhaseTable;
use super::journey::Steps;
use super::names::Names;
use super::platform::Processes;
use super::samples::{Samples, needed};
use super::schedule::Roll;
use super::watch;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::{At, Span};
use crate::plan::{self, Basis, Bound, Condition, Measure, PhaseId, Quantity, SteadyId, SteadyState, Timing};
use crate::scenario::{self, Field, Figure, Spanned};

const OVER: Span = Span::seconds(5);
const HOLD: Span = Span::seconds(10);
const LONGEST_OVER: Span = Span::seconds(600);

/// Everything that conditions can name.
pub(super) struct Scenery<'c> {
    pub(super) steps: &'c Steps,
    /// Of every step: whether a journey that comes asks for it.
    pub(super) asked: &'c [bool],
    pub(super) journeys: &'c Names,
    pub(super) loads: &'c Names,
    pub(super) processes: &'c Processes,
    pub(super) endpoints: &'c Names,
    pub(super) faults: &'c Roll,
    pub(super) actions: &'c Names,
    /// What captures keep.
    pub(super) figures: &'c Names,
    pub(super) steady: &'c Names,
    pub(super) phases: &'c PhaseTable,
    /// None while something about the load is unknown.
    pub(super) samples: Option<Samples<'c>>,
    /// Processes whose CPU and memory are watched.
    pub(super) watched: &'c [plan::ProcessId],
    pub(super) watches: &'c [plan::Watch],
    pub(super) has_probe: bool,
    /// A watch was refused: it may have been the one.
    pub(super) watches_lost: bool,
    pub(super) end: Option<At>,
    /// The loads that are searches.
    pub(super) searches: Vec<(usize, &'c plan::Search)>,
}

/// Whose condition it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Steady,
    Abort,
    Target,
    /// An obligation of a search.
    Trial,
    /// What a fault waits for.
    Trigger,
}

impl Role {
    const fn of(self) -> &'static str {
        match self {
            Role::Steady => "a steady state",
            Role::Abort => "an abort condition",
            Role::Target => "a target",
            Role::Trial => "a trial",
            Role::Trigger => "a condition that is waited for",
        }
    }
}

impl Scenery<'_> {
    /// A condition; none when something in it was refused.
    pub(super) fn condition(
        &self,
        written: &scenario::Condition,
        at: Mark,
        path: &str,
        role: Role,
        cx: &mut Cx<'_>,
    ) -> Option<Condition> {
        cx.broken |= !written.complete;
        let word = cx.need(&written.measure);
        self.check_role(written, word, role, cx);
        let scope = self.scope(written, word, at, cx);
        let phase = match cx.get(&written.phase) {
            Some(name) => self.phases.names.find(name, cx).map(|id| Some(PhaseId::at(id))),
            None if written.phase.is_hole() => None,
            None => Some(None),
        };
        let over = matches!(role, Role::Steady | Role::Abort | Role::Trigger).then(|| {
            if let Some(over) = written.over.get() {
                check_over(over, cx);
            }
            cx.settle(format!("{path}.over"), &written.over, OVER)
        });
        let timing = match cx.get(&written.timing).map(|timing| timing.value) {
            Some(scenario::Timing::Service) => Timing::Service,
            Some(scenario::Timing::Response) | None => Timing::Response,
        };
        let measure = word.and_then(|word| self.measure(written, word, at, cx));
        let bound = bound(written, word.map(|word| &word.value), path, cx);
        Some(Condition { measure: measure?, scope: scope?, phase: phase?, over, timing, bound: bound? })
    }

    fn check_role(
        &self,
        written: &scenario::Condition,
        word: Option<&Spanned<scenario::Measure>>,
        role: Role,
        cx: &mut Cx<'_>,
    ) {
        use scenario::Measure as M;
        let refused =
            |mark: Mark, message: String, cx: &mut Cx<'_>| cx.say(Diagnostic::error("wrong-word", mark, message));
        if role == Role::Target {
            if let Some(mark) = written.over.written() {
                let message = "a target is judged over a phase, or the whole time under load: it has no `over`";
                cx.say(Diagnostic::error("wrong-word", mark, message).help("write `phase: name`"));
            }
            return;
        }
        if let (Some(mark), Role::Trial) = (written.over.written(), role) {
            refused(mark, "a trial is judged over its `hold`: it has no `over`".to_owned(), cx);
        }
        if let Some(mark) = written.figure.written() {
            refused(mark, format!("a figure is known at the end only: {} needs what a window shows", role.of()), cx);
        }
        if let Some(mark) = written.phase.written() {
            refused(mark, format!("{} is looked at all the time: it has no `phase`", role.of()), cx);
        }
        if let Some(mark) = written.severity.written() {
            refused(mark, "`severity` is for targets".to_owned(), cx);
        }
        if let (Some(mark), Role::Steady | Role::Trial) = (written.title.written(), role) {
            let whole = if role == Role::Trial { "load" } else { "steady state" };
            refused(mark, format!("a title belongs to the {whole} as a whole"), cx);
        }
        if let Some(word) = word
            && matches!(
                word.value,
                M::RecoveryTime
                    | M::DetectionTime
                    | M::DegradedTime
                    | M::ActionTime
                    | M::FaultRate
                    | M::Downtime
                    | M::BudgetLeft
                    | M::NotReached
                    | M::Watched(_)
                    | M::Capacity
                    | M::Headroom
            )
        {
            let message =
                format!("`{}` is known at the end only: {} needs what a window shows", word.written(), role.of());
            let help = "such as availability, a percentile, throughput, unsent, cpu";
            cx.say(Diagnostic::error("wrong-measure", word.mark, message).help(help));
        }
    }

    fn measure(
        &self,
        written: &scenario::Condition,
        word: &Spanned<scenario::Measure>,
        at: Mark,
        cx: &mut Cx<'_>,
    ) -> Option<Measure> {
        use scenario::Measure as M;
        Some(match &word.value {
            M::Watched(name) => {
                let name = Spanned { value: name.clone(), mark: word.mark, key: word.key };
                let bounds = [&written.at_least, &written.at_most].into_iter().filter_map(|bound| bound.get());
                return watch::measure(&name, self.watches, self.watches_lost, &bounds.collect::<Vec<_>>(), cx);
            }
            M::Percentile(quantile) => Measure::Percentile(*quantile),
            M::Max => Measure::Max,
            M::Mean => Measure::Mean,
            M::Availability => Measure::Availability,
            M::Shed => Measure::Shed,
            M::Throughput => Measure::Throughput,
            M::Unsent => Measure::Unsent,
            M::NotReached => Measure::NotReached,
            M::Downtime => Measure::Downtime,
            M::FaultRate => {
                let has_faults = self.faults.len() > 0 || !self.faults.is_whole();
                let basis = match cx.get(&written.basis).map(|basis| basis.value) {
                    Some(scenario::Basis::Outages) => Basis::Outages,
                    Some(scenario::Basis::Time) => Basis::Time,
                    None if has_faults => Basis::Outages,
                    None => Basis::Time,
                };
                if let (Some(written), false, Basis::Outages) = (written.basis.get(), has_faults, basis) {
                    let message = "`basis: outages` needs a fault, and the scenario has none";
                    cx.say(Diagnostic::error("no-fault", written.mark, message).help("write `basis: time`"));
                }
                let per_month = cx.get(&written.per_month).map_or(1.0, |count| count.value);
                if let Some(count) = written.per_month.get().filter(|count| count.value <= 0.0) {
                    cx.say(Diagnostic::error("range", count.mark, "`per-month` is over 0"));
                }
                Measure::FaultRate { basis, per_month }
            }
            M::Apdex => Measure::Apdex { satisfied: cx.need(&written.satisfied)?.value },
            M::BudgetLeft => Measure::BudgetLeft { objective: cx.need(&written.objective)?.value },
            M::BurnRate => Measure::BurnRate { objective: cx.need(&written.objective)?.value },
            M::DetectionTime => {
                if !self.has_probe && !self.watches_lost {
                    let message = "nothing of the platform is probed, and no alerts come in, so the time to detect could not be measured";
                    let help = "write watch: { health: { endpoint: shop, get: /healthz } } under `platform`, or { pager: { alert: { listen: 127.0.0.1:9099 } } }";
                    cx.say(Diagnostic::error("not-watched", word.mark, message).help(help));
                }
                Measure::DetectionTime
            }
            M::RecoveryTime => Measure::RecoveryTime { to: self.steady(written, word, at, cx)? },
            M::DegradedTime => Measure::DegradedTime { to: self.steady(written, word, at, cx)? },
            M::ActionTime => Measure::ActionTime,
            M::Cpu => Measure::Cpu,
            M::Memory => Measure::Memory,
            M::Capacity => Measure::Capacity,
            M::Headroom => Measure::Headroom,
        })
    }

    fn steady(
        &self,
        written: &scenario::Condition,
        word: &Spanned<scenario::Measure>,
        at: Mark,
        cx: &mut Cx<'_>,
    ) -> Option<SteadyId> {
        if let Some(to) = cx.get(&written.to) {
            return self.steady.find(to, cx).map(SteadyId::at);
        }
        match self.steady.len() {
            _ if written.to.is_hole() => None,
            1 => Some(SteadyId(0)),
            0 if !self.steady.is_whole() => None,
            0 => {
                let message = format!("`{}` goes back to a steady state, and the scenario has none", word.written());
                let help = "say under `steady-state:` what must hold again";
                cx.say(Diagnostic::error("no-steady-state", word.mark, message).help(help));
                None
            }
            _ => {
                let known: Vec<&str> = self.steady.iter().collect();
                let message =
                    format!("there are several steady states: `{}` does not say which it goes back to", word.written());
                let help = format!("add `to:` with one of {}", known.join(", "));
                cx.say(Diagnostic::error("which-steady-state", at, message).help(help));
                None
            }
        }
    }

    pub(super) fn steady_states(
        &self,
        field: &Field<scenario::Named<scenario::SteadyState>>,
        first_fault: Option<At>,
        cx: &mut Cx<'_>,
    ) -> Vec<SteadyState> {
        let map = cx.get(field).map(|map| &map.value);
        let mut made = Vec::new();
        for (name, steady) in cx.entries(map) {
            cx.broken |= !steady.complete;
            let path = format!("steady-state.{}", name.value);
            let hold = cx.settle(format!("{path}.hold"), &steady.hold, HOLD);
            let Some(list) = cx.need(&steady.must) else { continue };
            let mut must = Vec::new();
            for (index, written) in cx.items(&list.value).iter().enumerate() {
                let path = format!("{path}.must[{index}]");
                let Some(condition) = self.condition(&written.value, written.mark, &path, Role::Steady, cx) else {
                    continue;
                };
                self.check_window(&written.value, &condition, first_fault, cx);
                must.push(condition);
            }
            let title = cx.get(&steady.title).map(|title| title.value.clone()).unwrap_or_default();
            made.push(SteadyState { name: name.value.clone(), title, hold, must });
        }
        made
    }

    /// Says of a steady state's percentile that its window holds too few requests: the last window before the first fault,
    /// or the fullest one where there is no fault.
    fn check_window(
        &self,
        written: &scenario::Condition,
        condition: &Condition,
        first_fault: Option<At>,
        cx: &mut Cx<'_>,
    ) {
        let (Some(samples), Some(over), Some(word)) = (&self.samples, condition.over, written.measure.get()) else {
            return;
        };
        let (start, end) = samples.span();
        let to = first_fault.unwrap_or_else(|| {
            let seconds = (end - start).as_nanos() / Span::SECOND.as_nanos();
            let ends = (1..=seconds.min(600))
                .map(|step| start + Span::nanos((end - start).as_nanos() / seconds.clamp(1, 600) * step));
            ends.max_by(|one, other| {
                let count = |to: At| samples.count(condition.scope, to.saturating_sub(over), to).unwrap_or(0.0);
                count(*one).total_cmp(&count(*other))
            })
            .unwrap_or(end)
        });
        let Some(planned) = samples.count(condition.scope, to.saturating_sub(over), to) else { return };
        let needs = match condition.measure {
            Measure::Percentile(quantile) => needed(quantile),
            _ => 1.0,
        };
        if planned < needs {
            let message = format!(
                "`{}` needs {} requests in a window of {over} to be decided, and about {} are planned",
                word.written(),
                needs.ceil(),
                planned.floor()
            );
            let help = "take a longer `over`, a lower percentile, or a higher rate";
            cx.say(Diagnostic::error("too-few-samples", word.mark, message).help(help));
        }
    }

    pub(super) fn aborts(
        &self,
        field: &Field<scenario::Named<scenario::Trigger>>,
        cx: &mut Cx<'_>,
    ) -> Vec<plan::Abort> {
        let map = cx.get(field).map(|map| &map.value);
        let mut made = Vec::new();
        for (name, trigger) in cx.entries(map) {
            let path = format!("abort.{}", name.value);
            let Some(condition) = self.condition(&trigger.value, name.mark, &path, Role::Abort, cx) else { continue };
            let title = cx.get(&trigger.title).map(|title| title.value.clone()).unwrap_or_default();
            made.push(plan::Abort { name: name.value.clone(), title, condition });
        }
        made
    }
}

/// The longest that a steady state must hold, and where that is said.
pub(super) fn longest_hold(field: &Field<scenario::Named<scenario::SteadyState>>) -> Option<(Span, Mark)> {
    let states = field.value().into_iter().flat_map(scenario::Named::iter);
    let holds = states.filter_map(|(name, steady)| match &steady.hold {
        Field::Is(hold) => Some((hold.value, hold.mark)),
        Field::Absent => Some((HOLD, name.mark)),
        Field::Hole(_) => None,
    });
    holds.max_by_key(|(hold, _)| *hold)
}

fn check_over(over: &Spanned<Span>, cx: &mut Cx<'_>) {
    if !over.as_nanos().is_multiple_of(Span::SECOND.as_nanos()) {
        let message = "`over` is moved on second by second: it is whole seconds";
        cx.say(Diagnostic::error("range", over.mark, message));
    } else if over.value > LONGEST_OVER {
        cx.say(Diagnostic::error("range", over.mark, "`over` is at most 10m"));
    }
}

fn quantity(figure: Figure, measure: Option<&scenario::Measure>) -> Quantity {
    match figure {
        Figure::Span(span) => Quantity::Span(span),
        Figure::Share(share) => Quantity::Share(share),
        Figure::Rate(rate) => Quantity::Rate(rate),
        Figure::Size(size) => Quantity::Size(size),
        Figure::Number(number) if measure == Some(&scenario::Measure::NotReached) => Quantity::Count(number as u64),
        Figure::Number(number) => Quantity::Number(number),
    }
}

fn bound(
    written: &scenario::Condition,
    measure: Option<&scenario::Measure>,
    path: &str,
    cx: &mut Cx<'_>,
) -> Option<Bound> {
    let mut one = |word: &str, field: &Field<Figure>| {
        let figure = cx.get(field)?;
        let quantity = quantity(figure.value, measure);
        cx.note(format!("{path}.{word}"), &quantity, figure.mark);
        Some(quantity)
    };
    let (most, least) = (one("at-most", &written.at_most), one("at-least", &written.at_least));
    let (above, below) = (one("above", &written.above), one("below", &written.below));
    Some(match (most, least, above, below) {
        (Some(most), Some(least), ..) => Bound::Between(least, most),
        (Some(most), None, ..) => Bound::AtMost(most),
        (None, Some(least), ..) => Bound::AtLeast(least),
        (None, None, Some(above), _) => Bound::Above(above),
        (None, None, None, Some(below)) => Bound::Below(below),
        (None, None, None, None) => {
            cx.broken = true;
            return None;
        }
    })
}
