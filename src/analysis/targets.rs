//! What each target is judged by.

use std::collections::BTreeSet;

use super::condition::is_of_visits;
use super::down::{Down, overlap};
use super::health::Health;
use super::percentile::{needed, percentile, rank};
use super::phases::{Phases, throughput, window};
use super::scopes::series_in;
use super::seconds::begin_of;
use super::tally::{Budget, Tally, apdex, availability, excess, share, unsent_share};
use super::touch::{Touch, touch};
use super::vitals::Vitals;
use super::watched::Watches;
use super::{
    ActionFigures, Detail, FaultFigures, Figure, Gap, Interval, Measured, Missing, Outage, SearchFigures, Stretch,
};
use crate::base::units::{Share, Span};
use crate::plan::{Basis, Condition, FaultId, Measure, Plan, Quantity, Scope, SteadyId, TargetId, Timing};
use crate::record::{Counts, Latency, Numbers};

/// A month, in which an outage is expected so and so often.
const MONTH: Span = Span::seconds(30 * 86_400);

/// Everything that targets are measured from.
pub(super) struct Evidence<'a> {
    pub(super) plan: &'a Plan,
    pub(super) load: Option<Stretch>,
    /// When the planned load would have ended.
    pub(super) planned_end: crate::base::units::At,
    pub(super) phases: &'a Phases,
    pub(super) faults: &'a [FaultFigures],
    pub(super) actions: &'a [ActionFigures],
    pub(super) outages: &'a [Outage],
    pub(super) vitals: &'a Vitals,
    pub(super) watches: &'a Watches,
    pub(super) health: &'a Health,
    /// The down windows of a scope.
    pub(super) down: &'a dyn Fn(Scope) -> Option<&'a Down>,
    pub(super) searches: &'a [SearchFigures],
    pub(super) missing: &'a BTreeSet<Missing>,
    pub(super) late: &'a BTreeSet<Missing>,
}

/// A figure in the making.
#[derive(Debug, Default)]
struct Taken {
    figure: Option<Figure>,
    gap: Option<Gap>,
    samples: u64,
    interval: Option<Interval>,
    detail: Option<Detail>,
}

impl Taken {
    fn gap(gap: Gap) -> Taken {
        Taken { gap: Some(gap), ..Taken::default() }
    }

    fn of(quantity: Option<Quantity>, samples: u64) -> Taken {
        let gap = quantity.is_none().then_some(Gap::NoData);
        Taken { figure: quantity.map(Figure::Exactly), gap, samples, ..Taken::default() }
    }

    fn with(self, detail: Detail) -> Taken {
        Taken { detail: Some(detail), ..self }
    }
}

/// Outcomes and times of requests, or of whole visits.
struct Sample<'t> {
    ok: u64,
    failed: u64,
    times: &'t Latency,
}

impl Evidence<'_> {
    pub(super) fn measured(&self) -> Vec<Measured> {
        let targets = self.plan.targets.iter().enumerate();
        targets.map(|(index, target)| self.measure(TargetId::at(index), &target.condition)).collect()
    }

    /// Of one fault, where it is of a fault.
    pub(super) fn measure_one(&self, target: TargetId, condition: &Condition) -> Measured {
        let window = self.window_of(condition);
        let tally = self.phases.tally(&series_in(self.plan, condition.scope), condition.phase, self.plan.limits.shed);
        let taken = self.take(condition, &tally, window);
        let touched = touch(condition);
        let requests = self.generator_tally(condition, &tally);
        Measured {
            target,
            occurrence: None,
            occurrences: Vec::new(),
            figure: taken.figure,
            gap: taken.gap,
            unlagged: self.unlagged(condition, &tally),
            with_not_reached: self.with_not_reached(condition, &tally),
            window,
            samples: taken.samples,
            interval: taken.interval,
            detail: taken.detail.unwrap_or(Detail::None),
            late: window.filter(|_| touched == Touch::Time).and_then(|window| self.health.late(window)),
            unsent_by_generator: match touched {
                Touch::None => None,
                _ => unsent_share(&requests),
            },
            cpu: window.filter(|_| touched != Touch::None).and_then(|window| self.health.cpu(window)),
            cut_short: self.is_cut_short(condition),
            lacks: self.lacks(condition, &tally, window, taken.figure),
        }
    }

    fn window_of(&self, condition: &Condition) -> Option<Stretch> {
        let whole = window(self.plan, condition.phase, self.load);
        match (condition.measure, condition.scope) {
            (Measure::RecoveryTime { to } | Measure::DegradedTime { to }, Scope::Fault(fault)) => {
                match self.outage(fault, to) {
                    Some((_, outage)) => {
                        let end = self.load.map_or(outage.ordered, |load| load.to);
                        Some(Stretch { from: outage.ordered, to: outage.recovered.unwrap_or(end) })
                    }
                    None => whole,
                }
            }
            _ => whole,
        }
    }

    /// A load that ended before the target's window did.
    fn is_cut_short(&self, condition: &Condition) -> bool {
        let phase = condition.phase.and_then(|phase| self.plan.phases.get(phase.index()));
        let needed = phase.map_or(self.planned_end, |phase| phase.to.min(self.planned_end));
        self.load.is_none_or(|load| load.to + Span::millis(1) < needed)
    }

    /// The requests that say whether the generator sent what was planned.
    fn generator_tally(&self, condition: &Condition, tally: &Tally) -> Counts {
        match condition.scope {
            Scope::Process(_) | Scope::Fault(_) | Scope::Occurrences(_) | Scope::Action(_) | Scope::Figure(_) => {
                self.phases.tally(&series_in(self.plan, Scope::All), condition.phase, self.plan.limits.shed).counts
            }
            _ => tally.counts.clone(),
        }
    }

    fn take(&self, condition: &Condition, tally: &Tally, window: Option<Stretch>) -> Taken {
        let requests = tally.requests();
        match condition.measure {
            Measure::Shed => Taken::of(
                share(tally.counts.shed + excess(&tally.counts), requests - tally.counts.unsent_by_generator())
                    .map(Quantity::Share),
                requests,
            ),
            Measure::Unsent => {
                let unsent = tally.counts.unsent_by_generator() + tally.counts.unsent_by_platform();
                Taken::of(share(unsent, requests).map(Quantity::Share), requests)
            }
            Measure::NotReached => {
                let count = tally.counts.not_reached;
                Taken::of((requests + count > 0).then_some(Quantity::Count(count)), requests + count)
            }
            Measure::Throughput => Taken::of(throughput(tally, window).map(Quantity::Rate), requests),
            Measure::Downtime | Measure::FaultRate { .. } => match (self.down)(condition.scope) {
                Some(down) => self.of_down(condition.measure, down, tally, window),
                None => Taken::gap(Gap::NoData),
            },
            Measure::DetectionTime => self.detection(condition.scope),
            Measure::ActionTime => self.action(condition.scope),
            Measure::RecoveryTime { to } => self.recovery(condition.scope, to, |outage| outage.time),
            Measure::DegradedTime { to } => {
                self.recovery(condition.scope, to, |outage| {
                    let degraded = Quantity::Span(outage.degraded);
                    // It goes on where watching ended.
                    let over = outage.recovered.is_some();
                    Some(if over { Figure::Exactly(degraded) } else { Figure::MoreThan(degraded) })
                })
            }
            Measure::Cpu | Measure::Memory => self.vital(condition, window),
            Measure::Watched { .. } | Measure::Ratio { .. } => self.watched(condition, window),
            Measure::Capacity | Measure::Headroom => self.searched(condition),
            _ => match condition.scope {
                Scope::Figure(figure) => of_numbers(condition.measure, &self.phases.numbers(figure, condition.phase)),
                Scope::Journey(journey) => {
                    let visits = self.phases.visits(journey, condition.phase, self.plan.limits.shed);
                    let sample = Sample { ok: visits.ok, failed: visits.not_ok(), times: &visits.own_time };
                    of_sample(condition.measure, &sample)
                }
                _ => of_sample(condition.measure, &sample(tally, condition.timing)),
            },
        }
    }

    /// The figure with the generator's lateness taken out.
    fn unlagged(&self, condition: &Condition, tally: &Tally) -> Option<Figure> {
        let timed =
            matches!(condition.measure, Measure::Percentile(_) | Measure::Max | Measure::Mean | Measure::Apdex { .. });
        let visits = matches!(condition.scope, Scope::Journey(_) | Scope::Figure(_));
        if !timed || visits || condition.timing == Timing::Service {
            return None;
        }
        let sample = Sample { ok: tally.counts.ok, failed: tally.failed(), times: &tally.unlagged };
        of_sample(condition.measure, &sample).figure
    }

    /// The figure of a step with its *not reached* counted as bad.
    fn with_not_reached(&self, condition: &Condition, tally: &Tally) -> Option<Figure> {
        if tally.counts.not_reached == 0
            || !matches!(condition.scope, Scope::Step(_) | Scope::Group(_))
            || !is_of_visits(condition.measure)
        {
            return None;
        }
        let sample = sample(tally, condition.timing);
        let failed = sample.failed + tally.counts.not_reached;
        of_sample(condition.measure, &Sample { failed, ..sample }).figure
    }

    fn of_down(&self, measure: Measure, down: &Down, tally: &Tally, window: Option<Stretch>) -> Taken {
        let Some(window) = window.filter(|_| tally.requests() > 0) else { return Taken::gap(Gap::NoData) };
        match measure {
            Measure::FaultRate { basis, per_month } => self.fault_rate(down, window, basis, per_month),
            _ => Taken::of(Some(Quantity::Span(down.downtime(window))), seconds_of(window)),
        }
    }

    fn fault_rate(&self, down: &Down, window: Stretch, basis: Basis, per_month: f64) -> Taken {
        if basis == Basis::Outages {
            // An outage that was meant and never happened says nothing about what one costs.
            for fault in self.faults {
                if self.plan.faults.get(fault.fault.index()).is_some_and(|planned| planned.spared) {
                    continue;
                }
                if fault.ordered.is_none() {
                    return Taken::gap(Gap::FaultNotOrdered);
                }
                if fault.effective.is_none() {
                    return Taken::gap(Gap::FaultNotEffective {
                        seen: fault.not_effective.clone().unwrap_or_default(),
                    });
                }
            }
        }
        let total = down.downtime(window);
        let outages: Vec<Stretch> = self.outages.iter().map(super::outage::stretch).collect();
        let (mut inside, mut stray) = (Span::ZERO, Span::ZERO);
        for stretch in down.stretches() {
            let hurt = outages.iter().any(|outage| outage.overlaps(stretch));
            *(if hurt { &mut inside } else { &mut stray }) += overlap(stretch, window);
        }
        let unrecovered = self.outages.iter().any(|outage| outage.recovered.is_none());
        let windows = seconds_of(window);
        let under_load = window.span();
        let (downtime, rate, open) = match basis {
            Basis::Outages => (
                inside,
                inside.as_seconds_f64() * per_month / MONTH.as_seconds_f64(),
                unrecovered || stray > Span::ZERO,
            ),
            Basis::Time => (total, total.as_seconds_f64() / under_load.as_seconds_f64(), unrecovered),
        };
        let rate = Quantity::Share(Share(rate));
        let at_most = (basis == Basis::Time && total == Span::ZERO).then(|| Share((3.0 / windows as f64).min(1.0)));
        Taken {
            figure: Some(if open { Figure::MoreThan(rate) } else { Figure::Exactly(rate) }),
            samples: windows,
            ..Taken::default()
        }
        .with(Detail::FaultRate { basis, downtime, per_month, under_load, at_most, unrecovered, stray })
    }

    fn detection(&self, scope: Scope) -> Taken {
        match self.bitten(scope) {
            Err(gap) => Taken::gap(gap),
            Ok(fault) => match fault.detection {
                None => Taken::gap(Gap::NotDetected),
                Some(time) => Taken::of(Some(Quantity::Span(time)), 1),
            },
        }
    }

    fn action(&self, scope: Scope) -> Taken {
        let Scope::Action(action) = scope else { return Taken::gap(Gap::NoData) };
        match self.actions.get(action.index()).map_or(Err(Gap::ActionNotBegun), ActionFigures::figure) {
            Ok(figure) => Taken { figure: Some(figure), samples: 1, ..Taken::default() },
            Err(gap) => Taken::gap(gap),
        }
    }

    /// Of the outage that the fault belongs to; 0 where no window missed.
    fn recovery(&self, scope: Scope, to: SteadyId, figure: impl Fn(&Outage) -> Option<Figure>) -> Taken {
        let fault = match self.bitten(scope) {
            Err(gap) => return Taken::gap(gap),
            Ok(fault) => fault,
        };
        if let Some((index, outage)) = self.outage(fault.fault, to) {
            let figure = figure(outage);
            let gap = figure.is_none().then_some(Gap::NoData);
            return Taken { figure, gap, samples: 1, ..Taken::default() }
                .with(Detail::Recovery { outage: Some(index) });
        }
        let recovery = fault.recoveries.iter().find(|recovery| recovery.to == to);
        let taken = match recovery.map(|recovery| recovery.unseen) {
            Some(Some(window)) if Some(window.from) != fault.ordered => Taken::gap(Gap::Unseen { window }),
            // Nothing at all was seen since.
            None | Some(Some(_)) => Taken::gap(Gap::NoData),
            Some(None) => Taken::of(Some(Quantity::Span(Span::ZERO)), 1),
        };
        taken.with(Detail::Recovery { outage: None })
    }

    fn outage(&self, fault: FaultId, to: SteadyId) -> Option<(usize, &Outage)> {
        let mut outages = self.outages.iter().enumerate();
        outages.find(|(_, outage)| outage.to == Some(to) && outage.faults.contains(&fault))
    }

    /// The fault of a scope, when it was ordered and bit.
    fn bitten(&self, scope: Scope) -> Result<&FaultFigures, Gap> {
        let Scope::Fault(id) = scope else { return Err(Gap::NoData) };
        let fault = self.faults.get(id.index()).ok_or(Gap::FaultNotOrdered)?;
        match (fault.ordered, fault.effective) {
            (None, _) => Err(Gap::FaultNotOrdered),
            (Some(_), None) => Err(Gap::FaultNotEffective { seen: fault.not_effective.clone().unwrap_or_default() }),
            (Some(_), Some(_)) => Ok(fault),
        }
    }

    /// The workers' seconds that could change on which side of its bound the figure is. The book of phases has what came
    /// late; what was decided second by second has not.
    fn lacks(
        &self,
        condition: &Condition,
        tally: &Tally,
        window: Option<Stretch>,
        figure: Option<Figure>,
    ) -> Vec<Missing> {
        let (Some(window), Some(figure)) = (window, figure) else { return Vec::new() };
        let second = |missing: &Missing| Stretch { from: begin_of(missing.second), to: begin_of(missing.second + 1) };
        let both = || self.missing.union(self.late).copied();
        match condition.measure {
            Measure::DetectionTime
            | Measure::ActionTime
            | Measure::Cpu
            | Measure::Memory
            | Measure::Watched { .. }
            | Measure::Ratio { .. }
            | Measure::Capacity
            | Measure::Headroom => Vec::new(),
            Measure::Downtime | Measure::FaultRate { .. } => {
                let Some(down) = (self.down)(condition.scope).filter(|down| down.is_doubtful()) else {
                    return Vec::new();
                };
                let meets = figure.meets(condition.bound);
                let other = |taken: bool| {
                    let other = self.of_down(condition.measure, &down.taking(taken), tally, Some(window)).figure;
                    other.and_then(|figure| figure.meets(condition.bound)) != meets
                };
                if !other(false) && !other(true) {
                    return Vec::new();
                }
                both().filter(|missing| begin_of(missing.second) < window.to).collect()
            }
            Measure::RecoveryTime { to } | Measure::DegradedTime { to } => {
                // Without a breach, what was not seen is a gap already.
                let Scope::Fault(fault) = condition.scope else { return Vec::new() };
                let Some((_, outage)) = self.outage(fault, to) else { return Vec::new() };
                let hold = self.plan.steady_states.get(to.index()).map_or(Span::ZERO, |state| state.hold);
                let breach = outage.breach.unwrap_or(outage.ordered);
                let begins = Stretch { from: outage.ordered, to: breach + Span::SECOND };
                let ends = outage.recovered.map(|recovered| Stretch {
                    from: recovered.saturating_sub(Span::SECOND),
                    to: recovered + hold + Span::SECOND,
                });
                // Between its two ends it goes on whatever one second was; how much of it was down does not.
                let all = matches!(condition.measure, Measure::DegradedTime { .. }).then_some(window);
                let touched = |missing: &Missing| {
                    let stretches = [Some(begins), ends, all].into_iter().flatten();
                    stretches.into_iter().any(|stretch| stretch.overlaps(second(missing)))
                };
                both().filter(touched).collect()
            }
            _ => self.missing.iter().filter(|missing| window.overlaps(second(missing))).copied().collect(),
        }
    }

    fn searched(&self, condition: &Condition) -> Taken {
        let Scope::Load(load) = condition.scope else { return Taken::gap(Gap::NoData) };
        let Some(index) = self.searches.iter().position(|search| search.load == load) else {
            return Taken::gap(Gap::NoData);
        };
        let figures = &self.searches[index];
        let Some(search) = self.plan.loads.get(load.index()).and_then(|load| load.search.as_ref()) else {
            return Taken::gap(Gap::NoData);
        };
        let over_peak = |quantity: Quantity| {
            search.peak.map(|peak| Quantity::Share(Share(quantity.as_f64() / peak.as_per_second() - 1.0)))
        };
        let capacity = figures.capacity(search);
        let figure = match condition.measure {
            Measure::Headroom => capacity.and_then(|figure| figure.map(over_peak)),
            _ => capacity,
        };
        let samples = figures.trials.iter().filter(|figures| !figures.trial.probe).count() as u64;
        let gap = figure.is_none().then_some(Gap::NoData);
        Taken { figure, gap, samples, ..Taken::default() }.with(Detail::Search { search: index, end: figures.end })
    }

    fn vital(&self, condition: &Condition, window: Option<Stretch>) -> Taken {
        let (Scope::Process(process), Some(window)) = (condition.scope, window) else {
            return Taken::gap(Gap::NoData);
        };
        let greatest = self.vitals.greatest(process, condition.measure, window.from, window.to);
        Taken::of(greatest, self.vitals.count(process, window.from, window.to))
    }

    fn watched(&self, condition: &Condition, window: Option<Stretch>) -> Taken {
        let Some(window) = window else { return Taken::gap(Gap::NoData) };
        let found = match condition.measure {
            Measure::Watched { of, .. } => {
                let course = self.watches.course(of, window);
                course.map(|course| (course.against(condition.bound), course.samples))
            }
            Measure::Ratio { watch, .. } => self.watches.ratio_of(&self.plan.platform, watch, window),
            _ => Err(Gap::NoData),
        };
        match found {
            Ok((value, samples)) => Taken::of(Some(condition.measure.unit().quantity(value)), samples),
            Err(gap) => Taken::gap(gap),
        }
    }
}

fn sample(tally: &Tally, timing: Timing) -> Sample<'_> {
    let times = match timing {
        Timing::Response => &tally.response,
        Timing::Service => &tally.service,
    };
    Sample { ok: tally.counts.ok, failed: tally.failed(), times }
}

/// Measures of numbers that answers told.
fn of_numbers(measure: Measure, numbers: &Numbers) -> Taken {
    let count = numbers.count();
    let number = |number: Option<f64>| Taken::of(number.map(Quantity::Number), count);
    match measure {
        Measure::Percentile(q) if count > 0 && count < needed(q) => {
            Taken { samples: count, ..Taken::gap(Gap::TooFew { have: count, need: needed(q) }) }
        }
        Measure::Percentile(q) => number(numbers.at_rank(rank(q, count))),
        Measure::Max => number(numbers.max()),
        Measure::Mean => number(numbers.mean()),
        _ => Taken::gap(Gap::NoData),
    }
}

/// Measures of requests or visits with an outcome and a time.
fn of_sample(measure: Measure, sample: &Sample<'_>) -> Taken {
    let samples = sample.ok + sample.failed;
    match measure {
        Measure::Percentile(q) => {
            let percentile = percentile(q, sample.times, sample.failed);
            let gap = match (percentile.figure, percentile.samples) {
                (Some(_), _) => None,
                (None, 0) => Some(Gap::NoData),
                (None, have) => Some(Gap::TooFew { have, need: percentile.needed }),
            };
            Taken { figure: percentile.figure, gap, samples, interval: percentile.interval, detail: None }
        }
        Measure::Max => Taken::of(sample.times.max().map(Quantity::Span), sample.times.count()),
        Measure::Mean => Taken::of(sample.times.mean().map(Quantity::Span), sample.times.count()),
        Measure::Availability => Taken::of(availability(sample.ok, sample.failed).map(Quantity::Share), samples),
        Measure::Apdex { satisfied } => match apdex(satisfied, sample.times, sample.failed) {
            None => Taken::gap(Gap::NoData),
            Some((score, detail)) => Taken::of(Some(Quantity::Number(score.score)), samples).with(detail),
        },
        Measure::BudgetLeft { objective } => {
            let budget = Budget { objective, valid: samples, bad: sample.failed };
            overspent(budget, budget.left().map(|left| Quantity::Share(Share(left))))
        }
        Measure::BurnRate { objective } => {
            let budget = Budget { objective, valid: samples, bad: sample.failed };
            overspent(budget, budget.burn().map(Quantity::Number))
        }
        _ => Taken::gap(Gap::NoData),
    }
}

/// An objective that allows nothing and was missed has no budget to speak of: failed.
fn overspent(budget: Budget, quantity: Option<Quantity>) -> Taken {
    if quantity.is_none() && budget.valid > 0 {
        return Taken { figure: Some(Figure::Failed), samples: budget.valid, ..Taken::default() }.with(budget.detail());
    }
    Taken::of(quantity, budget.valid).with(budget.detail())
}

fn seconds_of(window: Stretch) -> u64 {
    window.span().as_nanos().div_ceil(Span::SECOND.as_nanos())
}
