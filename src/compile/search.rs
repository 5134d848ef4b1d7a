//! Loads that search for capacity.

use super::condition::{Role, Scenery};
use super::context::Cx;
use super::instant::PhaseTable;
use super::load::MOST;
use super::samples::needed;
use super::schedule;
use super::target::check_beside_means;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::{At, Share, Span};
use crate::plan::{self, Bound, Condition, LoadId, Measure, Scope};
use crate::scenario::{self, Spanned};

const HOLD: Span = Span::seconds(10);
const SETTLE: Span = Span::seconds(3);
const WITHIN: Share = Share(0.1);
const LONGEST_HOLD: Span = Span::seconds(600);

/// A search without its obligations, which are compiled when all that they can name is known.
pub(super) fn search(path: &str, written: &Spanned<scenario::Search>, cx: &mut Cx<'_>) -> Option<plan::Search> {
    cx.broken |= !written.complete;
    let path = format!("{path}.search");
    let hold = cx.settle(format!("{path}.hold"), &written.hold, HOLD);
    let settle = cx.settle(format!("{path}.settle"), &written.settle, SETTLE);
    let within = cx.settle(format!("{path}.within"), &written.within, WITHIN);
    let peak = cx.get(&written.peak).map(|peak| {
        cx.note(format!("{path}.peak"), &peak.value, peak.mark);
        peak.value
    });
    let [from, to, by] = [("from", &written.from), ("to", &written.to), ("by", &written.by)].map(|(word, field)| {
        let rate = cx.need(field)?;
        cx.note(format!("{path}.{word}"), &rate.value, rate.mark);
        Some(rate.value)
    });
    if let (Some(to), Some(mark)) = (to.filter(|to| to.as_per_second() > MOST), written.to.written()) {
        cx.say(Diagnostic::error("range", mark, format!("{to} is above any machine: at most {MOST}/s")));
        return None;
    }
    if let (true, Some(mark)) = (hold > LONGEST_HOLD, written.hold.written()) {
        cx.say(Diagnostic::error("range", mark, "`hold` is at most 10m"));
    }
    if written.from.is_hole() || written.hold.is_hole() || written.settle.is_hole() || written.within.is_hole() {
        return None;
    }
    let sound = |rate: f64| rate > 0.0;
    let (from, to, by) = (from?, to?, by?);
    let whole = sound(from.as_per_second())
        && sound(by.as_per_second())
        && to.as_per_second() > from.as_per_second()
        && (0.01..=1.0).contains(&within.as_f64());
    whole.then(|| plan::Search { from, to, by, hold, settle, within, peak, must: Vec::new() })
}

/// The loads that are searches, with their places.
pub(super) fn of(loads: &[plan::Load]) -> Vec<(usize, &plan::Search)> {
    loads.iter().enumerate().filter_map(|(index, load)| Some((index, load.search.as_ref()?))).collect()
}

/// Gives the searches of a plan their obligations.
pub(super) fn settle(plan: &mut plan::Plan, searches: Vec<(LoadId, Vec<Condition>)>) {
    for (load, must) in searches {
        if let Some(search) = plan.loads.get_mut(load.index()).and_then(|load| load.search.as_mut()) {
            search.must = must;
        }
    }
}

impl Scenery<'_> {
    /// What must hold in the trials of each load that is a search.
    pub(super) fn searches(
        &self,
        field: &scenario::Field<scenario::Named<scenario::Load>>,
        loads: &[plan::Load],
        cx: &mut Cx<'_>,
    ) -> Vec<(LoadId, Vec<Condition>)> {
        let mut made = Vec::new();
        for (name, load) in field.value().into_iter().flat_map(scenario::Named::iter) {
            let Some(written) = load.search.get() else { continue };
            let index = self.loads.get(&name.value);
            let Some(id) = index.filter(|index| loads.get(*index).is_some_and(|load| load.name == name.value)) else {
                continue;
            };
            let Some(list) = cx.need(&written.must) else { continue };
            let mut must = Vec::new();
            for (index, obligation) in cx.items(&list.value).iter().enumerate() {
                let path = format!("load.{}.search.while[{index}]", name.value);
                let condition = self.condition(&obligation.value, obligation.mark, &path, Role::Trial, cx);
                let (Some(condition), Some(search)) = (condition, loads[id].search.as_ref()) else { continue };
                self.check_trial(obligation, &condition, &loads[id], search, cx);
                must.push((Condition { over: Some(search.hold), ..condition }, obligation.mark));
            }
            if list.value.complete && must.len() == list.value.items.len() {
                check_beside_means(&must, "an obligation", cx);
            }
            let must = must.into_iter().map(|(condition, _)| condition).collect();
            made.push((LoadId::at(id), must));
        }
        made
    }

    /// Says of an obligation that a trial at the lowest rate has too few requests to decide it.
    fn check_trial(
        &self,
        written: &Spanned<scenario::Obligation>,
        condition: &Condition,
        load: &plan::Load,
        search: &plan::Search,
        cx: &mut Cx<'_>,
    ) {
        let (Some(samples), Some(word)) = (&self.samples, written.measure.get()) else { return };
        let first = search.trial(0, false, search.from, 0, load.start);
        let needs = match condition.measure {
            Measure::Percentile(quantile) => needed(quantile),
            _ => 3.0,
        };
        let Some(planned) = samples.count(condition.scope, first.judged, first.ends) else { return };
        if planned < needs {
            let message = format!(
                "`{}` needs {} requests in a trial to be decided, and about {} are planned at {} in {}",
                word.written(),
                needs.ceil(),
                planned.floor(),
                search.from,
                search.hold
            );
            let help = "take a longer `hold`, a lower percentile, or a higher `from`";
            cx.say(Diagnostic::error("too-few-samples", word.mark, message).help(help));
        }
    }

    /// The load of a target on capacity or headroom: the one it names, or the only search.
    pub(super) fn searched(&self, named: Option<usize>, word: &str, mark: Mark, cx: &mut Cx<'_>) -> Option<Scope> {
        let search = |id: usize| self.searches.iter().any(|(known, _)| *known == id);
        match (named, self.searches.as_slice()) {
            (Some(id), _) if search(id) => Some(Scope::Load(LoadId::at(id))),
            (None, [(id, _)]) => Some(Scope::Load(LoadId::at(*id))),
            _ if !self.loads.is_whole() || self.samples.is_none() => {
                cx.broken = true;
                None
            }
            (None, [_, _, ..]) => {
                let message = format!("there are several searches: `{word}` does not say of which");
                cx.say(Diagnostic::error("which-load", mark, message).help("add `load:` with its name"));
                None
            }
            (Some(_), _) | (None, []) => {
                let message = format!("`{word}` is the answer of a search, and there is none");
                let help = "write search: { from, to, by, while: [ … ] } in place of the load's `arrivals`";
                cx.say(Diagnostic::error("no-search", mark, message).help(help));
                None
            }
        }
    }

    /// Says of a bound on capacity or headroom that the search cannot decide it.
    pub(super) fn check_searched(&self, condition: &Condition, mark: Mark, bound: Mark, cx: &mut Cx<'_>) {
        let Scope::Load(load) = condition.scope else { return };
        let Some((_, search)) = self.searches.iter().find(|(id, _)| *id == load.index()) else { return };
        if condition.phase.is_some() {
            let message = format!("`{}` is the answer of a whole search: it has no `phase`", condition.measure);
            return cx.say(Diagnostic::error("wrong-word", mark, message));
        }
        let least = match (condition.measure, condition.bound, search.peak) {
            (Measure::Capacity, Bound::AtLeast(least), _) => least.as_f64(),
            (Measure::Headroom, Bound::AtLeast(least), Some(peak)) => peak.as_per_second() * (1.0 + least.as_f64()),
            (Measure::Headroom, Bound::AtLeast(_), None) => {
                let message = "`headroom` is what is left above the planned peak, and the search states none";
                let help = "write the peak in it: search: { …, peak: 800/s }";
                return cx.say(Diagnostic::error("needs-word", mark, message).help(help));
            }
            _ => {
                let message = format!("`{}` has a lower bound only: `at-least`", condition.measure);
                return cx.say(Diagnostic::error("wrong-pair", bound, message));
            }
        };
        let (from, to) = (search.from.as_per_second(), search.to.as_per_second());
        if !(from..=to).contains(&least) {
            let message = match condition.measure {
                Measure::Headroom => format!("this bound comes to {}/s", round(least)),
                _ => format!("{}/s", round(least)),
            };
            let message =
                format!("{message}, and the search goes from {} to {}: it cannot decide it", search.from, search.to);
            cx.say(Diagnostic::error("undecidable", bound, message).help("widen the search, or move the bound"));
        }
    }
}

fn round(rate: f64) -> f64 {
    (rate * 1e6).round() / 1e6
}

/// Says of faults and phases that a search decides whether they come to be: it would be looking for the limit of a platform
/// that is hurt, or end before them.
pub(super) fn check_beside(
    loads: &[plan::Load],
    faults: &[schedule::Made],
    phases: &PhaseTable,
    written: &scenario::Field<scenario::Named<scenario::Phase>>,
    cx: &mut Cx<'_>,
) {
    for load in loads.iter().filter(|load| load.search.is_some()) {
        for made in faults {
            // One that waits for a condition or an action may come at any time from then on, and one that ends with it stay.
            let beside = match (made.from.or(made.least), made.to) {
                (from, _) if made.floats => from.is_none_or(|from| from < load.end()),
                (Some(from), Some(to)) => from < load.end() && load.start < to,
                (Some(from), None) => made.ends_floating && from < load.end(),
                (None, _) => false,
            };
            if beside {
                let message = format!(
                    "fault `{}` falls into the search of `{}`, which would then find the limit of a platform that is hurt",
                    made.fault.name, load.name
                );
                let help = "put it into a scenario of its own, with the load that the search found";
                cx.say(Diagnostic::error("fault-in-search", made.at, message).help(help));
            }
        }
    }
    let Some(first) = loads.iter().filter(|load| load.search.is_some()).map(|load| load.start).min() else { return };
    let ends = loads.iter().map(|load| if load.search.is_some() { load.certain().end() } else { load.end() });
    let certain: At = ends.max().unwrap_or(first);
    for (name, phase) in written.value().into_iter().flat_map(scenario::Named::iter) {
        let times = phases.names.get(&name.value).and_then(|index| phases.times(index));
        if let (Some((_, to)), Some(mark)) = (times, phase.to.written())
            && to > certain
        {
            let message =
                format!("phase `{}` ends at {to}, and the search may have its answer at {certain}", name.value);
            let help = "leave it out: a search is judged by `capacity` and `headroom`";
            cx.say(Diagnostic::error("undecidable", mark, message).help(help));
        }
    }
}
