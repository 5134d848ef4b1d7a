//! The book of phases: every request by the leg of the phases that it was planned in, with its final outcome.

use std::collections::BTreeMap;
use std::ops::Range;

use super::percentile::{needed, percentiles, rank};
use super::seconds::begin_of;
use super::tally::{Tally, apdex, availability, charge_excess, excess_of};
use super::{NumberRow, Quantile, Row, Stretch, Table, VisitRow};
use crate::base::units::{At, Rate, Share, Span};
use crate::plan::{FigureId, JourneyId, Legs, Measure, PhaseId, Plan, Scope};
use crate::record::{Book, Latency, Numbers, Window};

/// One place for each leg.
#[derive(Debug)]
pub(super) struct Phases {
    /// Of each series.
    journeys: Vec<JourneyId>,
    /// The legs of each phase.
    legs: Vec<Range<usize>>,
    tallies: Vec<Vec<Tally>>,
    visits: Vec<Vec<VisitTally>>,
    /// What captures kept, by figure.
    figures: Vec<Vec<Numbers>>,
    /// Ok requests done while each phase lasted, by series; the last place is the whole time under load.
    done: Vec<Vec<f64>>,
    windows: Vec<Stretch>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct VisitTally {
    pub(super) started: u64,
    pub(super) ok: u64,
    /// Within the limit, once the excess is charged.
    pub(super) shed: u64,
    pub(super) own_time: Latency,
}

impl VisitTally {
    fn add(&mut self, other: &VisitTally) {
        self.started += other.started;
        self.ok += other.ok;
        self.shed += other.shed;
        self.own_time.add(&other.own_time);
    }

    /// Those that were started and did not come out well, whatever became of them; intended shedding stands apart.
    pub(super) const fn not_ok(&self) -> u64 {
        self.started.saturating_sub(self.ok + self.shed)
    }
}

impl Phases {
    /// `end`: of the planned load.
    pub(super) fn new(plan: &Plan, end: At) -> Phases {
        let legs = Legs::of(&plan.phases);
        let places = legs.count();
        let windows = plan.phases.iter().map(|phase| Stretch { from: phase.from, to: phase.to.min(end) });
        Phases {
            journeys: plan.series.iter().map(|series| series.journey).collect(),
            tallies: vec![vec![Tally::default(); plan.series.len()]; places],
            visits: vec![vec![VisitTally::default(); plan.journeys.len()]; places],
            figures: vec![vec![Numbers::default(); plan.figures.len()]; places],
            done: vec![vec![0.0; plan.series.len()]; plan.phases.len() + 1],
            legs: plan.phases.iter().map(|phase| legs.within(phase)).collect(),
            windows: windows.chain([Stretch { from: At::START, to: end }]).collect(),
        }
    }

    pub(super) fn add(&mut self, window: &Window) {
        let second = Stretch { from: begin_of(window.second), to: begin_of(window.second.saturating_add(1)) };
        for cell in &window.cells {
            let Book::Leg(leg) = cell.book else { continue };
            let series = cell.series.index();
            let Some(tally) = self.tallies.get_mut(leg.index()).and_then(|tallies| tallies.get_mut(series)) else {
                continue;
            };
            tally.counts.add(&cell.counts);
            tally.response.add(&cell.response);
            tally.service.add(&cell.service);
            tally.unlagged.add(&cell.unlagged);
            for (done, window) in self.done.iter_mut().zip(&self.windows) {
                // A second that a phase shares with its neighbour counts in part.
                let part = super::down::overlap(*window, second).as_seconds_f64();
                if let Some(done) = done.get_mut(series) {
                    *done += cell.counts.ok as f64 * part;
                }
            }
        }
        for cell in &window.figures {
            let figures = self.figures.get_mut(cell.leg.index());
            let ours = figures.and_then(|figures| figures.get_mut(cell.figure.index()));
            ours.into_iter().for_each(|ours| ours.add(&cell.values));
        }
        for visit in &window.visits {
            let visits = self.visits.get_mut(visit.leg.index());
            let Some(ours) = visits.and_then(|visits| visits.get_mut(visit.journey.index())) else { continue };
            ours.started += visit.started;
            ours.ok += visit.ok;
            ours.shed += visit.shed;
            ours.own_time.add(&visit.own_time);
        }
    }

    fn places(&self, phase: Option<PhaseId>) -> Range<usize> {
        match phase {
            None => 0..self.tallies.len(),
            Some(phase) => self.legs.get(phase.index()).cloned().unwrap_or_default(),
        }
    }

    /// The requests of `series` that were planned in `phase` (none: in all the time under load), with the shedding
    /// beyond its limit made bad.
    pub(super) fn tally(&self, series: &[usize], phase: Option<PhaseId>, limit: Option<Share>) -> Tally {
        let mut sum = Tally::default();
        for tallies in self.tallies.get(self.places(phase)).unwrap_or_default() {
            series.iter().filter_map(|&index| tallies.get(index)).for_each(|tally| sum.add(tally));
        }
        charge_excess(&mut sum.counts, limit);
        sum.counts.not_reached += self.not_reached(series, phase, limit);
        let place = phase.map_or(self.done.len() - 1, PhaseId::index);
        let done = self.done.get(place).map_or(&[][..], Vec::as_slice);
        sum.done = series.iter().filter_map(|&index| done.get(index)).sum();
        sum
    }

    /// The steps that visits never came to which were shed beyond the limit: of each journey, the same part as of its
    /// shed visits, rounded up.
    fn not_reached(&self, series: &[usize], phase: Option<PhaseId>, limit: Option<Share>) -> u64 {
        let mut before: BTreeMap<JourneyId, u64> = BTreeMap::new();
        for tallies in self.tallies.get(self.places(phase)).unwrap_or_default() {
            for &index in series {
                let Some((tally, journey)) = tallies.get(index).zip(self.journeys.get(index)) else { continue };
                *before.entry(*journey).or_default() += tally.counts.shed_before;
            }
        }
        let of = |(journey, before): (JourneyId, u64)| {
            let visits = self.all_visits(journey, phase);
            let excess = excess_of(visits.shed, visits.started, limit);
            (before as f64 * excess as f64 / visits.shed.max(1) as f64).ceil() as u64
        };
        before.into_iter().filter(|(_, before)| *before > 0).map(of).sum()
    }

    /// The visits of a journey that were planned in `phase`, with those that were shed beyond the limit made bad.
    pub(super) fn visits(&self, journey: JourneyId, phase: Option<PhaseId>, limit: Option<Share>) -> VisitTally {
        let mut sum = self.all_visits(journey, phase);
        let excess = excess_of(sum.shed, sum.started, limit);
        sum.shed -= excess;
        sum
    }

    fn all_visits(&self, journey: JourneyId, phase: Option<PhaseId>) -> VisitTally {
        let mut sum = VisitTally::default();
        for visits in self.visits.get(self.places(phase)).unwrap_or_default() {
            visits.get(journey.index()).into_iter().for_each(|visit| sum.add(visit));
        }
        sum
    }

    /// What was kept of a figure in `phase` (none: in all the time under load).
    pub(super) fn numbers(&self, figure: FigureId, phase: Option<PhaseId>) -> Numbers {
        let mut sum = Numbers::default();
        for figures in self.figures.get(self.places(phase)).unwrap_or_default() {
            figures.get(figure.index()).into_iter().for_each(|numbers| sum.add(numbers));
        }
        sum
    }

    /// The whole time under load first, then each phase.
    pub(super) fn tables(&self, plan: &Plan, load: Option<Stretch>) -> Vec<Table> {
        let phases = (0..plan.phases.len()).map(|index| Some(PhaseId::at(index)));
        let scopes: Vec<(Scope, Vec<usize>)> = super::scopes::scopes(plan)
            .into_iter()
            .map(|scope| (scope, super::scopes::series_in(plan, scope)))
            .collect();
        let quantiles = quantiles(plan);
        [None]
            .into_iter()
            .chain(phases)
            .map(|phase| {
                let window = window(plan, phase, load);
                let row = |(scope, series): &(Scope, Vec<usize>)| {
                    let tally = self.tally(series, phase, plan.limits.shed);
                    let mut row = row(*scope, &tally, window, &quantiles, plan);
                    if phase.is_none() {
                        row.distribution = distribution(&tally.response);
                    }
                    row
                };
                let taken = (0..plan.journeys.len()).map(JourneyId::at).filter(|id| plan.is_taken(*id));
                let visits =
                    taken.map(|journey| visit_row(journey, &self.visits(journey, phase, plan.limits.shed), &quantiles));
                let figures = (0..plan.figures.len()).map(FigureId::at);
                let figures = figures.map(|figure| number_row(figure, &self.numbers(figure, phase), &quantiles));
                Table {
                    phase,
                    window,
                    rows: scopes.iter().map(row).collect(),
                    visits: visits.collect(),
                    figures: figures.collect(),
                }
            })
            .collect()
    }
}

/// A phase as far as the load came; none when it never came to it.
pub(super) fn window(plan: &Plan, phase: Option<PhaseId>, load: Option<Stretch>) -> Option<Stretch> {
    let load = load?;
    let window = match phase {
        None => load,
        Some(id) => {
            let phase = plan.phases.get(id.index())?;
            Stretch { from: phase.from.max(load.from), to: phase.to.min(load.to) }
        }
    };
    (window.from < window.to).then_some(window)
}

/// p50, p90, p95, p99 and p99.9, and what the targets name.
fn quantiles(plan: &Plan) -> Vec<f64> {
    let named = plan.targets.iter().filter_map(|target| match target.condition.measure {
        Measure::Percentile(q) => Some(q),
        _ => None,
    });
    let mut quantiles: Vec<f64> = [0.5, 0.9, 0.95, 0.99, 0.999].into_iter().chain(named).collect();
    quantiles.sort_by(f64::total_cmp);
    quantiles.dedup();
    quantiles
}

fn row(scope: Scope, tally: &Tally, window: Option<Stretch>, quantiles: &[f64], plan: &Plan) -> Row {
    let failed = tally.failed();
    let satisfied = plan.targets.iter().filter_map(|target| match target.condition.measure {
        Measure::Apdex { satisfied } => Some(satisfied),
        _ => None,
    });
    let mut bounds: Vec<Span> = satisfied.collect();
    bounds.sort_unstable();
    bounds.dedup();
    Row {
        scope,
        requests: tally.requests(),
        ok: tally.counts.ok,
        bad: tally.counts.bad.clone(),
        shed: tally.counts.shed,
        unsent: tally.counts.unsent.clone(),
        not_reached: tally.counts.not_reached,
        again: tally.counts.again.clone(),
        availability: availability(tally.counts.ok, failed),
        percentiles: percentiles(quantiles, &tally.response, failed),
        service: percentiles(quantiles, &tally.service, failed),
        mean: tally.response.mean(),
        max: tally.response.max(),
        throughput: throughput(tally, window),
        apdex: bounds
            .into_iter()
            .filter_map(|bound| apdex(bound, &tally.response, failed).map(|(score, _)| score))
            .collect(),
        distribution: Vec::new(),
    }
}

/// Ok requests per second, by *done*, over the window; none where nothing was planned.
pub(super) fn throughput(tally: &Tally, window: Option<Stretch>) -> Option<Rate> {
    let seconds = window?.span().as_seconds_f64();
    (seconds > 0.0 && tally.requests() > 0).then(|| Rate::per_second(tally.done / seconds))
}

/// Quantiles q = 1 − 10^(−n/20) as long as q ≤ 1 − 1/count, then the greatest as q = 1.
fn distribution(times: &Latency) -> Vec<Quantile> {
    let count = times.count();
    let Some(max) = times.max() else { return Vec::new() };
    let steps = (0..).map(|n| 1.0 - 10f64.powf(-f64::from(n) / 20.0));
    let quantiles: Vec<f64> = steps.take_while(|q| *q <= 1.0 - 1.0 / count as f64).collect();
    let ranks: Vec<u64> = quantiles.iter().map(|&q| rank(q, count)).collect();
    let values = times.at_ranks(&ranks);
    let quantiles = quantiles.into_iter().zip(values).filter_map(|(q, value)| Some(Quantile { q, value: value? }));
    quantiles.chain([Quantile { q: 1.0, value: max }]).collect()
}

fn number_row(figure: FigureId, numbers: &Numbers, quantiles: &[f64]) -> NumberRow {
    let enough = |q: &&f64| numbers.count() >= needed(**q);
    let percentile = |&q: &f64| Some((q, numbers.at_rank(rank(q, numbers.count()))?));
    NumberRow {
        figure,
        count: numbers.count(),
        percentiles: quantiles.iter().filter(enough).filter_map(percentile).collect(),
        mean: numbers.mean(),
        max: numbers.max(),
    }
}

fn visit_row(journey: JourneyId, visits: &VisitTally, quantiles: &[f64]) -> VisitRow {
    VisitRow {
        journey,
        started: visits.started,
        ok: visits.ok,
        failed: visits.not_ok(),
        shed: visits.shed,
        availability: availability(visits.ok, visits.not_ok()),
        percentiles: percentiles(quantiles, &visits.own_time, visits.not_ok()),
    }
}
