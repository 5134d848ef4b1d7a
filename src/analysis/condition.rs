//! One condition, looked at second by second: over its sliding window, or over one second by itself.

use super::percentile::{needed, percentile, rank};
use super::scopes::series_in;
use super::seconds::{Seconds, Sum, begin_of, visits, whole_seconds};
use super::tally::{Budget, apdex, availability, excess_of, share};
use super::vitals::Vitals;
use super::{Figure, Standing};
use crate::base::units::{At, Rate, Share, Span};
use crate::plan::{Bound, Condition, Measure, Plan, Quantity, Scope, Timing};
use crate::record::{Against, Latency};

/// A share or a percentile is missed only when at least so many requests count against it.
const ENOUGH: u64 = 3;

/// A condition with what it needs at hand.
#[derive(Debug)]
pub(super) struct Watched {
    condition: Condition,
    series: Vec<usize>,
    /// For each of `series`, which bound of its step is this condition's.
    bounds: Vec<Option<usize>>,
    /// Seconds of its sliding window.
    over: u64,
    limit: Option<Share>,
}

/// What a condition comes to in one window.
#[derive(Debug, Clone, Default)]
pub(super) struct Judged {
    /// Whether the bound's own words hold; none: too few samples.
    holds: Option<bool>,
    /// How many requests count against it, where it is a share or a percentile.
    counted: Option<u64>,
    /// Of how many.
    pub(super) samples: u64,
    pub(super) against: Against,
    /// A worker's part of the window is lacking.
    lacks: bool,
}

impl Judged {
    /// Of an obligation: what must be. What is lacking might hide a miss, so without it nothing is met; a miss that is
    /// seen is not taken back for it.
    pub(super) fn standing(&self) -> Standing {
        match (self.holds, self.counted) {
            (None, _) => Standing::Unknown,
            (Some(false), counted) if counted.is_none_or(|counted| counted >= ENOUGH) => Standing::Misses,
            _ if self.lacks => Standing::Unknown,
            _ => Standing::Meets,
        }
    }

    /// Of a trigger: what must not be. Without data it does not fire.
    fn fires(&self, harmful: bool) -> bool {
        self.holds == Some(true) && !(harmful && self.counted.is_some_and(|counted| counted < ENOUGH))
    }

    pub(super) fn counted(&self) -> Option<u64> {
        self.counted
    }
}

impl Watched {
    pub(super) fn new(plan: &Plan, condition: &Condition) -> Watched {
        let series = series_in(plan, condition.scope);
        let bound = percentile_bound(condition);
        let place = |index: &usize| {
            let bounds = &plan.steps.get(plan.series[*index].step.index())?.bounds;
            bounds.iter().position(|known| Some(*known) == bound)
        };
        Watched {
            bounds: series.iter().map(place).collect(),
            series,
            over: whole_seconds(condition.over.unwrap_or(Span::seconds(5))),
            limit: plan.limits.shed,
            condition: condition.clone(),
        }
    }

    pub(super) fn series(&self) -> &[usize] {
        &self.series
    }

    pub(super) const fn over(&self) -> u64 {
        self.over
    }

    /// The series whose distributions it needs after their second is closed.
    pub(super) fn keeps_times_of(&self) -> Vec<usize> {
        let response = self.condition.timing == Timing::Response;
        match self.condition.measure {
            Measure::Percentile(_) if response && percentile_bound(&self.condition).is_some() => {
                let unknown = self.series.iter().zip(&self.bounds).filter(|(_, place)| place.is_none());
                unknown.map(|(&index, _)| index).collect()
            }
            Measure::Percentile(_) | Measure::Max | Measure::Mean | Measure::Apdex { .. } => self.series.clone(),
            _ => Vec::new(),
        }
    }

    /// Whether it needs the own times of visits.
    pub(super) const fn keeps_visits(&self) -> bool {
        matches!(self.condition.scope, Scope::Journey(_))
    }

    /// Over its sliding window that ends with `second`.
    pub(super) fn slide(&self, seconds: &Seconds, vitals: &Vitals, second: u64) -> Judged {
        self.judge(seconds, vitals, ((second + 1).saturating_sub(self.over), second + 1), false)
    }

    /// Over [from, to).
    pub(super) fn within(&self, seconds: &Seconds, vitals: &Vitals, range: (u64, u64)) -> Judged {
        self.judge(seconds, vitals, range, false)
    }

    /// Its figure over [from, to), for people; its distributions must have been kept.
    pub(super) fn figure_within(&self, seconds: &Seconds, vitals: &Vitals, range: (u64, u64)) -> Option<Figure> {
        if let (Measure::Cpu | Measure::Memory, Scope::Process(process)) =
            (self.condition.measure, self.condition.scope)
        {
            let greatest = vitals.greatest(process, self.condition.measure, begin_of(range.0), begin_of(range.1));
            return greatest.map(Figure::Exactly);
        }
        if let (true, Scope::Journey(journey)) = (is_of_visits(self.condition.measure), self.condition.scope) {
            let visits = visits(seconds, range, journey);
            let failed = visits.failed + excess_of(visits.shed, visits.ok + visits.failed + visits.shed, self.limit);
            return self.figure(&Sum::default(), visits.ok + failed, failed, &visits.own_time, false);
        }
        let sum = Sum::of(seconds, range, &self.series, &[], None, true, self.limit);
        let (ok, failed, times) = match self.condition.timing {
            Timing::Service => (sum.done.ok, sum.done_failed, &sum.service),
            Timing::Response => (sum.counts.ok, sum.failed, &sum.response),
        };
        self.figure(&sum, ok + failed, failed, times, false)
    }

    /// Over `second` by itself, however few samples it has.
    pub(super) fn alone(&self, seconds: &Seconds, vitals: &Vitals, second: u64) -> Judged {
        self.judge(seconds, vitals, (second, second + 1), true)
    }

    /// Whether a trigger fires at the end of `second`: its window must lie wholly after `begin`.
    pub(super) fn fires(&self, seconds: &Seconds, vitals: &Vitals, second: u64, begin: u64) -> bool {
        if second + 1 < begin + self.over {
            return false;
        }
        let good = matches!(
            self.condition.measure,
            Measure::Availability | Measure::Throughput | Measure::Apdex { .. } | Measure::BudgetLeft { .. }
        );
        let harmful = matches!((good, self.condition.bound), (true, Bound::Below(_)) | (false, Bound::Above(_)));
        self.slide(seconds, vitals, second).fires(harmful)
    }

    fn judge(&self, seconds: &Seconds, vitals: &Vitals, range: (u64, u64), few: bool) -> Judged {
        let judged = match (self.condition.measure, self.condition.scope) {
            (Measure::Cpu | Measure::Memory, Scope::Process(process)) => {
                let figure = vitals.greatest(process, self.condition.measure, begin_of(range.0), begin_of(range.1));
                let figure = figure.map(Figure::Exactly);
                Judged { holds: self.holds(figure), samples: range.1 - range.0, ..Judged::default() }
            }
            (measure, Scope::Journey(_)) if is_of_visits(measure) => self.of_visits(seconds, range, few),
            _ => self.of_requests(seconds, range, few),
        };
        Judged { lacks: self.is_of_load() && seconds.lack(range), ..judged }
    }

    /// Whether it is made of what workers hand over.
    const fn is_of_load(&self) -> bool {
        !matches!(self.condition.measure, Measure::Cpu | Measure::Memory)
    }

    fn of_requests(&self, seconds: &Seconds, range: (u64, u64), few: bool) -> Judged {
        let bound = percentile_bound(&self.condition);
        let times = !self.keeps_times_of().is_empty();
        let sum = Sum::of(seconds, range, &self.series, &self.bounds, bound, times, self.limit);
        let service = self.condition.timing == Timing::Service;
        let (ok, failed, times) = if service {
            (sum.done.ok, sum.done_failed, &sum.service)
        } else {
            (sum.counts.ok, sum.failed, &sum.response)
        };
        let samples = ok + failed;
        let exact = percentile_bound(&self.condition).filter(|_| !service);
        let counted = match self.condition.measure {
            Measure::Percentile(_) if exact.is_some() => Some(failed + sum.slower.count),
            Measure::Percentile(_) => {
                Some(failed + percentile_bound(&self.condition).map_or(0, |bound| times.over(bound)))
            }
            Measure::Apdex { satisfied } => Some(failed + times.over(satisfied)),
            Measure::Availability | Measure::BudgetLeft { .. } | Measure::BurnRate { .. } => Some(failed),
            Measure::Shed => Some(sum.counts.shed),
            Measure::Unsent => Some(sum.counts.unsent_by_generator() + sum.counts.unsent_by_platform()),
            _ => None,
        };
        let holds = match (self.condition.measure, exact) {
            (Measure::Percentile(q), Some(_)) => {
                // The percentile is over the bound when its rank falls among those who are.
                let over = rank(q, samples) > samples.saturating_sub(counted.unwrap_or(0));
                let enough = samples >= if few { 1 } else { needed(q) };
                enough.then_some(over == matches!(self.condition.bound, Bound::Above(_)))
            }
            _ => self.holds(self.figure(&sum, samples, failed, times, few)),
        };
        let mut against = sum.against;
        against.merge(&sum.slower);
        Judged { holds, counted, samples, against, lacks: false }
    }

    /// The figure of a window; none with too few samples.
    fn figure(&self, sum: &Sum, samples: u64, failed: u64, times: &Latency, few: bool) -> Option<Figure> {
        let least = if few { 1 } else { ENOUGH };
        let counts = &sum.counts;
        let quantity = match self.condition.measure {
            Measure::Percentile(q) if few => {
                return (samples > 0).then(|| {
                    times.at_rank(rank(q, samples)).map_or(Figure::Failed, |span| Figure::Exactly(Quantity::Span(span)))
                });
            }
            Measure::Percentile(q) => return percentile(q, times, failed).figure,
            Measure::Max => times.max().map(Quantity::Span),
            Measure::Mean => times.mean().map(Quantity::Span),
            Measure::Availability => {
                availability(samples - failed, failed).filter(|_| samples >= least).map(Quantity::Share)
            }
            Measure::Shed => share(counts.shed, counts.base() + counts.shed).map(Quantity::Share),
            Measure::Unsent => {
                let unsent = counts.unsent_by_generator() + counts.unsent_by_platform();
                share(unsent, counts.base() + counts.shed + counts.unsent_by_generator()).map(Quantity::Share)
            }
            Measure::Throughput => {
                (sum.seconds > 0).then(|| Quantity::Rate(Rate::per_second(sum.done.ok as f64 / sum.seconds as f64)))
            }
            Measure::NotReached => Some(Quantity::Count(sum.done.not_reached)),
            Measure::Apdex { satisfied } => apdex(satisfied, times, failed)
                .filter(|_| samples >= least)
                .map(|(score, _)| Quantity::Number(score.score)),
            Measure::BudgetLeft { objective } => {
                Budget { objective, valid: samples, bad: failed }.left().map(|left| Quantity::Share(Share(left)))
            }
            Measure::BurnRate { objective } => {
                Budget { objective, valid: samples, bad: failed }.burn().map(Quantity::Number)
            }
            Measure::Downtime
            | Measure::FaultRate { .. }
            | Measure::DetectionTime
            | Measure::ActionTime
            | Measure::RecoveryTime { .. }
            | Measure::DegradedTime { .. }
            | Measure::Capacity
            | Measure::Headroom
            | Measure::Cpu
            | Measure::Memory
            | Measure::Watched { .. }
            | Measure::Ratio { .. } => None,
        };
        quantity.map(Figure::Exactly)
    }

    fn of_visits(&self, seconds: &Seconds, range: (u64, u64), few: bool) -> Judged {
        let Scope::Journey(journey) = self.condition.scope else { return Judged::default() };
        let visits = visits(seconds, range, journey);
        let excess = excess_of(visits.shed, visits.ok + visits.failed + visits.shed, self.limit);
        let failed = visits.failed + excess;
        let samples = visits.ok + failed;
        let sum =
            Sum { counts: crate::record::Counts { ok: visits.ok, ..Default::default() }, failed, ..Sum::default() };
        let slower = percentile_bound(&self.condition).map_or(0, |bound| visits.own_time.over(bound));
        let counted = match self.condition.measure {
            Measure::Percentile(_) => Some(failed + slower),
            Measure::Apdex { satisfied } => Some(failed + visits.own_time.over(satisfied)),
            Measure::Availability | Measure::BudgetLeft { .. } | Measure::BurnRate { .. } => Some(failed),
            _ => None,
        };
        let requests = Sum::of(seconds, range, &self.series, &self.bounds, None, false, self.limit);
        let mut against = requests.against;
        if excess > 0 {
            against.merge(&requests.shedding);
        }
        Judged {
            holds: self.holds(self.figure(&sum, samples, failed, &visits.own_time, few)),
            counted,
            samples,
            against,
            lacks: false,
        }
    }

    fn holds(&self, figure: Option<Figure>) -> Option<bool> {
        figure.and_then(|figure| figure.meets(self.condition.bound))
    }

    /// The share of requests that its bound allows to count against it; none where it is no share and no percentile.
    pub(super) fn allowed(&self) -> Option<f64> {
        match (self.condition.measure, self.condition.bound) {
            (Measure::Percentile(q), Bound::AtMost(_)) => Some(1.0 - q),
            (Measure::Availability, Bound::AtLeast(Quantity::Share(share))) => Some(1.0 - share.as_f64()),
            _ => None,
        }
    }
}

/// Measures that speak of whole visits where their scope is a journey; the others speak of its requests.
pub(super) const fn is_of_visits(measure: Measure) -> bool {
    matches!(
        measure,
        Measure::Percentile(_)
            | Measure::Max
            | Measure::Mean
            | Measure::Availability
            | Measure::Apdex { .. }
            | Measure::BudgetLeft { .. }
            | Measure::BurnRate { .. }
    )
}

/// The time that a percentile is compared with from above.
fn percentile_bound(condition: &Condition) -> Option<Span> {
    match (condition.measure, condition.bound) {
        (Measure::Percentile(_), Bound::AtMost(Quantity::Span(span)) | Bound::Above(Quantity::Span(span))) => {
            Some(span)
        }
        _ => None,
    }
}

/// The earliest instant among `against` that is not before `ordered`.
pub(super) fn earliest_since(against: &Against, ordered: At) -> Option<At> {
    against.earliest.iter().copied().find(|planned| *planned >= ordered)
}

impl Figure {
    /// Whether this figure keeps a bound; none: it is known in part only, and that part does not tell. A failed
    /// percentile is slower than any bound.
    pub fn meets(self, bound: Bound) -> Option<bool> {
        match self {
            Figure::Exactly(quantity) => {
                let value = quantity.as_f64();
                Some(match bound {
                    Bound::AtMost(most) => value <= most.as_f64(),
                    Bound::AtLeast(least) => value >= least.as_f64(),
                    Bound::Between(least, most) => value >= least.as_f64() && value <= most.as_f64(),
                    Bound::Above(limit) => value > limit.as_f64(),
                    Bound::Below(limit) => value < limit.as_f64(),
                })
            }
            Figure::Failed => Some(matches!(bound, Bound::Above(_))),
            Figure::MoreThan(quantity) => {
                let value = quantity.as_f64();
                match bound {
                    Bound::AtMost(most) | Bound::Between(_, most) if value > most.as_f64() => Some(false),
                    Bound::Below(limit) if value >= limit.as_f64() => Some(false),
                    Bound::Above(limit) if value > limit.as_f64() => Some(true),
                    Bound::AtLeast(least) if value >= least.as_f64() => Some(true),
                    _ => None,
                }
            }
            Figure::LessThan(quantity) => match bound {
                Bound::AtLeast(least) | Bound::Between(least, _) if quantity.as_f64() <= least.as_f64() => Some(false),
                _ => None,
            },
        }
    }
}
