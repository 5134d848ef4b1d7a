//! The book of seconds while it is open: each second of the recent past, merged over workers.

use std::collections::{BTreeSet, VecDeque};

use crate::base::units::{At, Share, Span};
use crate::plan::{JourneyId, Plan};
use crate::record::{Against, Book, Counts, GeneratorHealth, Latency, Window};

/// A second that a record speaks of and that lies further ahead than this is no second of this run.
const FAR: u64 = 86_400;

/// One series in one second.
#[derive(Debug, Clone, Default)]
pub(super) struct SecondCell {
    pub(super) counts: Counts,
    pub(super) waiting: u64,
    pub(super) oldest_waiting: Option<At>,
    pub(super) against: Against,
    pub(super) shedding: Against,
    pub(super) slower: Vec<Against>,
    pub(super) response: Latency,
    /// What was done in it (the book of phases, by its second).
    pub(super) done: Counts,
    pub(super) service: Latency,
}

/// Visits of one journey that ended in one second.
#[derive(Debug, Clone, Default)]
pub(super) struct SecondVisits {
    pub(super) ok: u64,
    /// Started, and neither ok nor shed.
    pub(super) failed: u64,
    pub(super) shed: u64,
    pub(super) own_time: Latency,
}

#[derive(Debug, Clone)]
pub(super) struct Second {
    pub(super) number: u64,
    pub(super) cells: Vec<SecondCell>,
    /// By journey.
    pub(super) visits: Vec<SecondVisits>,
    /// By worker, in the order of their handing over.
    pub(super) health: Vec<GeneratorHealth>,
    /// The workers without whom it was closed and who have not handed it over since.
    pub(super) lacks: BTreeSet<u16>,
}

impl Second {
    fn new(number: u64, plan: &Plan) -> Second {
        Second {
            number,
            cells: vec![SecondCell::default(); plan.series.len()],
            visits: vec![SecondVisits::default(); plan.journeys.len()],
            health: Vec::new(),
            lacks: BTreeSet::new(),
        }
    }

    /// `keep` and `keep_visits`: whose times of service, and of visits, somebody will ask for.
    pub(super) fn merge(&mut self, window: &Window, keep: &[bool], keep_visits: bool) {
        for cell in &window.cells {
            let Some(ours) = self.cells.get_mut(cell.series.index()) else { continue };
            if cell.book == Book::Seconds {
                ours.counts.add(&cell.counts);
                ours.waiting += cell.waiting;
                ours.oldest_waiting = earlier(ours.oldest_waiting, cell.oldest_waiting);
                ours.against.merge(&cell.against);
                ours.shedding.merge(&cell.shedding);
                ours.response.add(&cell.response);
                if ours.slower.len() < cell.slower.len() {
                    ours.slower.resize_with(cell.slower.len(), Against::default);
                }
                for (ours, theirs) in ours.slower.iter_mut().zip(&cell.slower) {
                    ours.merge(theirs);
                }
            } else {
                ours.done.add(&cell.counts);
                if keep.get(cell.series.index()) == Some(&true) {
                    ours.service.add(&cell.service);
                }
            }
        }
        for visit in &window.visits {
            let Some(ours) = self.visits.get_mut(visit.journey.index()) else { continue };
            ours.ok += visit.ok;
            ours.failed += visit.started.saturating_sub(visit.ok + visit.shed);
            ours.shed += visit.shed;
            if keep_visits {
                ours.own_time.add(&visit.own_time);
            }
        }
        self.health.push(window.health.clone());
        self.lacks.remove(&window.crew);
    }

    /// Lets go of the distributions of all series that nobody will ask about again.
    pub(super) fn forget_times(&mut self, keep: &[bool]) {
        for (cell, keep) in self.cells.iter_mut().zip(keep) {
            if !keep {
                cell.response = Latency::new();
                cell.service = Latency::new();
            }
        }
    }

    /// The outcomes of these series in the book of seconds.
    pub(super) fn counts(&self, series: &[usize]) -> Counts {
        let mut sum = Counts::default();
        for cell in series.iter().filter_map(|&index| self.cells.get(index)) {
            sum.add(&cell.counts);
        }
        sum
    }
}

/// The instant at which a second begins.
pub(super) const fn begin_of(second: u64) -> At {
    At(Span::seconds(second).as_nanos())
}

/// Whole seconds, rounded up; at least one.
pub(super) fn whole_seconds(span: Span) -> u64 {
    span.as_nanos().div_ceil(Span::SECOND.as_nanos()).max(1)
}

pub(super) fn earlier(a: Option<At>, b: Option<At>) -> Option<At> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}

/// The recent seconds, without a hole between them.
#[derive(Debug)]
pub(super) struct Seconds {
    open: VecDeque<Second>,
    /// Not yet closed: the number of the second that closes next.
    next: u64,
    /// How many closed ones are kept.
    kept: u64,
}

impl Seconds {
    pub(super) fn new(kept: u64) -> Seconds {
        Seconds { open: VecDeque::new(), next: 0, kept }
    }

    /// The number of the second that closes next.
    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn get(&self, number: u64) -> Option<&Second> {
        self.open.get(self.place(number)?)
    }

    fn place(&self, number: u64) -> Option<usize> {
        let first = self.open.front()?.number;
        usize::try_from(number.checked_sub(first)?).ok()
    }

    /// The second of that number; none when it is forgotten already, or absurd.
    pub(super) fn at(&mut self, number: u64, plan: &Plan) -> Option<&mut Second> {
        if number > self.next.saturating_add(FAR) {
            return None;
        }
        if self.open.is_empty() {
            self.open.push_back(Second::new(self.next.saturating_sub(self.kept).min(number), plan));
        }
        while self.open.back().is_some_and(|last| last.number < number) {
            let following = self.open.back().map_or(number, |last| last.number + 1);
            self.open.push_back(Second::new(following, plan));
        }
        let place = self.place(number)?;
        self.open.get_mut(place)
    }

    /// Closes the next second; hands back the ones that are forgotten with it.
    pub(super) fn close(&mut self) -> Vec<Second> {
        self.next += 1;
        let mut gone = Vec::new();
        while self.open.front().is_some_and(|first| first.number + self.kept < self.next) {
            gone.extend(self.open.pop_front());
        }
        gone
    }

    /// All that are left, the oldest first.
    pub(super) fn drain(&mut self) -> Vec<Second> {
        self.open.drain(..).collect()
    }

    /// [from, to): those of them that are known.
    pub(super) fn range(&self, from: u64, to: u64) -> impl Iterator<Item = &Second> {
        (from..to).filter_map(|number| self.get(number))
    }

    /// Whether a worker's part of [from, to) is lacking.
    pub(super) fn lack(&self, (from, to): (u64, u64)) -> bool {
        self.range(from, to).any(|second| !second.lacks.is_empty())
    }

    pub(super) fn is_absurd(&self, number: u64) -> bool {
        number > self.next.saturating_add(FAR)
    }
}

/// What a condition looks at: some series over some seconds.
#[derive(Debug, Clone, Default)]
pub(super) struct Sum {
    pub(super) counts: Counts,
    /// With the shedding beyond its limit.
    pub(super) failed: u64,
    pub(super) against: Against,
    pub(super) shedding: Against,
    pub(super) slower: Against,
    pub(super) response: Latency,
    pub(super) done: Counts,
    pub(super) done_failed: u64,
    pub(super) service: Latency,
    pub(super) seconds: u64,
}

impl Sum {
    /// Over [from, to). `bounds` says for each series which of its step's bounds is meant by `slower`; where it has none
    /// there, times over `bound` are counted from its distribution. `times`: distributions are wanted, too.
    pub(super) fn of(
        seconds: &Seconds,
        (from, to): (u64, u64),
        series: &[usize],
        bounds: &[Option<usize>],
        bound: Option<Span>,
        times: bool,
        limit: Option<Share>,
    ) -> Sum {
        let mut sum = Sum { seconds: to.saturating_sub(from), ..Sum::default() };
        for second in seconds.range(from, to) {
            for (&index, place) in series.iter().zip(bounds.iter().chain(std::iter::repeat(&None))) {
                let Some(cell) = second.cells.get(index) else { continue };
                sum.counts.add(&cell.counts);
                sum.against.merge(&cell.against);
                sum.shedding.merge(&cell.shedding);
                sum.done.add(&cell.done);
                if times {
                    sum.response.add(&cell.response);
                    sum.service.add(&cell.service);
                }
                match (place.and_then(|place| cell.slower.get(place)), bound) {
                    (Some(slower), _) => sum.slower.merge(slower),
                    (None, Some(bound)) => {
                        // Their planned instants were not kept: at least `bound` before the second's end.
                        let over = cell.response.over(bound);
                        if over > 0 {
                            sum.slower.add(begin_of(second.number).saturating_sub(bound));
                            sum.slower.count += over - 1;
                        }
                    }
                    (None, None) => {}
                }
            }
        }
        let excess = super::tally::excess_shed(&sum.counts, limit);
        sum.failed = sum.counts.bad() + sum.counts.unsent_by_platform() + excess;
        sum.done_failed = sum.done.bad() + sum.done.unsent_by_platform() + super::tally::excess_shed(&sum.done, limit);
        if excess > 0 {
            sum.against.merge(&sum.shedding);
            sum.against.count = sum.failed;
        }
        sum
    }
}

/// Visits of one journey that ended in [from, to).
pub(super) fn visits(seconds: &Seconds, (from, to): (u64, u64), journey: JourneyId) -> SecondVisits {
    let mut sum = SecondVisits::default();
    for second in seconds.range(from, to) {
        if let Some(visits) = second.visits.get(journey.index()) {
            sum.ok += visits.ok;
            sum.failed += visits.failed;
            sum.shed += visits.shed;
            sum.own_time.add(&visits.own_time);
        }
    }
    sum
}
