//! Curves: the book of seconds, one scope each, at the resolution that the plan allows.

use std::collections::BTreeSet;

use super::percentile::{needed, rank};
use super::scopes::{scopes, series_in};
use super::seconds::Second;
use super::tally::charge_excess;
use super::{Curve, PercentileCurve, PercentilePoint, Point};
use crate::base::units::At;
use crate::plan::arrivals::Schedule;
use crate::plan::{Condition, Instant, Load, LoadId, Measure, Plan, Scope, StepId, Trial};
use crate::record::{Counts, Latency};

const QUANTILES: [f64; 4] = [0.5, 0.95, 0.99, 0.999];
/// A percentile that so many seconds give too few samples for is left out.
const LONGEST: u64 = 30;
/// As many cells as a run's curves may have at 1 s; beyond that, steps that no condition names are kept coarser.
const CELLS: u64 = 1_000_000;

/// All curves of a run.
#[derive(Debug)]
pub(super) struct Curves {
    scopes: Vec<Scoped>,
    schedules: Vec<Schedule>,
    /// Of searches: each trial's.
    trials: Vec<(LoadId, Schedule)>,
}

#[derive(Debug)]
struct Scoped {
    curve: Curve,
    series: Vec<usize>,
    gathering: Vec<Gathering>,
}

/// A percentile point in the making.
#[derive(Debug, Default)]
struct Gathering {
    from: u64,
    times: Latency,
}

impl Curves {
    pub(super) fn new(plan: &Plan) -> Curves {
        let coarse = coarse_resolution(plan);
        let named = named_steps(plan);
        let scoped = |scope: Scope| {
            let resolution = match scope {
                Scope::Step(step) | Scope::Group(step) if !named.contains(&step) => coarse,
                _ => 1,
            };
            Scoped {
                curve: Curve {
                    scope,
                    resolution,
                    points: Vec::new(),
                    percentiles: QUANTILES.map(|q| PercentileCurve { q, points: Vec::new() }).to_vec(),
                },
                series: series_in(plan, scope),
                gathering: QUANTILES.iter().map(|_| Gathering::default()).collect(),
            }
        };
        let loads = plan.loads.iter().enumerate();
        Curves {
            scopes: scopes(plan).into_iter().map(scoped).collect(),
            schedules: loads.map(|(index, load)| Schedule::new(load, plan.seed, LoadId::at(index))).collect(),
            trials: Vec::new(),
        }
    }

    /// When the last load's last stage ends.
    pub(super) fn planned_end(&self) -> Option<At> {
        self.schedules.iter().map(Schedule::end).max()
    }

    /// A trial's arrivals are planned from here on.
    pub(super) fn trial(&mut self, plan: &Plan, load: LoadId, trial: &Trial) {
        if let Some(of) = plan.loads.get(load.index()) {
            self.trials.push((load, Schedule::trial(of, plan.seed, load, trial)));
        }
    }

    /// How many visits of each load are planned in [from, to).
    fn each(&self, from: At, to: At) -> Vec<u64> {
        let mut planned: Vec<u64> = self.schedules.iter().map(|schedule| schedule.between(from, to)).collect();
        for (load, schedule) in self.trials.iter().filter(|(_, trial)| trial.start() < to && from < trial.end()) {
            if let Some(planned) = planned.get_mut(load.index()) {
                *planned += schedule.between(from, to);
            }
        }
        planned
    }

    /// How many visits are planned in [from, to).
    pub(super) fn planned(&self, from: At, to: At) -> u64 {
        self.each(from, to).iter().sum()
    }

    /// The times of a second that has just been closed, for the percentiles.
    pub(super) fn add_times(&mut self, second: &Second) {
        for scoped in &mut self.scopes {
            let mut cells =
                scoped.series.iter().filter_map(|&index| second.cells.get(index)).map(|cell| &cell.response);
            let mut sum = Latency::new();
            let times = match scoped.series.len() {
                1 => cells.next().unwrap_or(&sum),
                _ => {
                    cells.for_each(|times| sum.add(times));
                    &sum
                }
            };
            for (gathering, curve) in scoped.gathering.iter_mut().zip(&mut scoped.curve.percentiles) {
                gathering.add(second.number, times, curve);
            }
        }
    }

    /// A second that nothing can be added to any more. `down` says of each scope whether it was down.
    pub(super) fn add_second(&mut self, second: &Second, down: impl Fn(usize) -> bool, plan: &Plan) {
        let (from, to) = (super::seconds::begin_of(second.number), super::seconds::begin_of(second.number + 1));
        let planned = self.each(from, to);
        for (index, scoped) in self.scopes.iter_mut().enumerate() {
            let mut counts = second.counts(&scoped.series);
            charge_excess(&mut counts, plan.limits.shed);
            let all = scoped.curve.scope == Scope::All;
            let planned = match scoped.curve.scope {
                Scope::All => Some(planned.iter().sum()),
                // When users come to their next visit is in no plan.
                Scope::Load(load) if plan.loads.get(load.index()).is_some_and(Load::is_closed) => None,
                Scope::Load(load) => planned.get(load.index()).copied(),
                _ => None,
            };
            let waiting = scoped.series.iter().filter_map(|&index| second.cells.get(index)).map(|cell| cell.waiting);
            scoped.add(Point {
                second: second.number,
                planned,
                released: all.then(|| second.health.iter().map(|health| health.released).sum()),
                ok: counts.ok,
                bad: counts.bad,
                shed: counts.shed,
                unsent: counts.unsent,
                waiting: waiting.sum(),
                down: down(index),
            });
        }
    }

    /// Ok requests of each known second, of all requests.
    pub(super) fn ok(&self) -> impl Iterator<Item = (u64, u64)> {
        self.scopes.iter().take(1).flat_map(|scoped| scoped.curve.points.iter().map(|point| (point.second, point.ok)))
    }

    pub(super) fn finish(self) -> Vec<Curve> {
        self.scopes.into_iter().map(|scoped| scoped.curve).collect()
    }
}

impl Scoped {
    fn add(&mut self, point: Point) {
        let resolution = self.curve.resolution;
        let begin = point.second / resolution * resolution;
        match self.curve.points.last_mut() {
            Some(last) if last.second == begin => {
                let mut counts = counts_of(last);
                counts.add(&counts_of(&point));
                last.ok = counts.ok;
                last.bad = counts.bad;
                last.shed = counts.shed;
                last.unsent = counts.unsent;
                last.waiting = point.waiting;
                last.down |= point.down;
            }
            _ => self.curve.points.push(Point { second: begin, ..point }),
        }
    }
}

fn counts_of(point: &Point) -> Counts {
    Counts { ok: point.ok, bad: point.bad.clone(), shed: point.shed, unsent: point.unsent.clone(), ..Counts::default() }
}

impl Gathering {
    fn add(&mut self, second: u64, times: &Latency, curve: &mut PercentileCurve) {
        if self.times.is_empty() {
            self.from = second;
            if times.count() >= needed(curve.q) {
                if let Some(value) = times.at_rank(rank(curve.q, times.count())) {
                    curve.points.push(PercentilePoint { from: second, to: second + 1, value });
                }
                return;
            }
        }
        self.times.add(times);
        let samples = self.times.count();
        let span = second + 1 - self.from.min(second);
        if samples >= needed(curve.q) {
            if let Some(value) = self.times.at_rank(rank(curve.q, samples)) {
                curve.points.push(PercentilePoint { from: self.from, to: second + 1, value });
            }
            self.times = Latency::new();
        } else if span >= LONGEST {
            self.times = Latency::new();
        }
    }
}

/// Steps that some condition names: always at 1 s.
fn named_steps(plan: &Plan) -> BTreeSet<StepId> {
    let steady = plan.steady_states.iter().flat_map(|steady| &steady.must);
    let aborts = plan.aborts.iter().map(|abort| &abort.condition);
    let down = plan
        .targets
        .iter()
        .map(|target| &target.condition)
        .filter(|condition| matches!(condition.measure, Measure::Downtime | Measure::FaultRate { .. }));
    let whens = plan.faults.iter().filter_map(|fault| match &fault.at {
        Instant::When(condition) => Some(condition.as_ref()),
        Instant::At(_) | Instant::After { .. } | Instant::Action { .. } => None,
    });
    let step = |condition: &Condition| match condition.scope {
        Scope::Step(step) | Scope::Group(step) => Some(step),
        _ => None,
    };
    steady.chain(aborts).chain(down).chain(whens).filter_map(step).collect()
}

fn coarse_resolution(plan: &Plan) -> u64 {
    let cells = plan.end.as_nanos().div_ceil(1_000_000_000).saturating_mul(plan.series.len() as u64);
    [1, 5, 10, 30].into_iter().find(|resolution| cells / resolution <= CELLS).unwrap_or(60)
}
