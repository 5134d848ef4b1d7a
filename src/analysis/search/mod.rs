//! A search for capacity: trials as the record tells of them, judged as their last second closes, and what is to be done
//! next. The same online, where `drill` acts on it, and offline.

mod climb;
mod usl;

use serde::{Deserialize, Serialize};

use self::climb::Climb;
use self::climb::Step;
pub use self::climb::{Level, SearchEnd};
pub use self::usl::{NotFitted, Usl, UslPoint};
use super::condition::Watched;
use super::scopes::series_in;
use super::seconds::{Seconds, Sum, begin_of};
use super::tally::share;
use super::vitals::Vitals;
use super::{Figure, Standing};
use crate::base::units::{At, Rate, Share, Span};
use crate::plan::arrivals::Schedule;
use crate::plan::{LoadId, Miss, Plan, Quantity, Scope, Search, Trial, TrialEnd, Unfit};

/// A trial is none where more of its arrivals were released late …
const LATE: f64 = 0.01;
/// … a worker of the generator was busier …
const CPU: f64 = 0.9;
/// … or more arrivals stayed unsent by its own fault.
const UNSENT: f64 = 0.001;

/// A trial and what was seen in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialFigures {
    pub trial: Trial,
    pub end: TrialEnd,
    /// Of each obligation, over the judged time; none with too few samples.
    pub figures: Vec<Option<Figure>>,
    /// Ok requests of the load done per second of the judged time.
    pub throughput: Option<Rate>,
    /// Response time of its ok ones.
    pub mean: Option<Span>,
}

/// What a search came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchFigures {
    pub load: LoadId,
    pub end: SearchEnd,
    pub trials: Vec<TrialFigures>,
    /// Every rate in the order in which it was first tried.
    pub levels: Vec<Level>,
    /// The highest rate that held.
    pub held: Option<Level>,
    /// The lowest rate that failed.
    pub failed: Option<Level>,
    /// What was missed in the first failed trial at the lowest rate that failed.
    pub missed_first: Vec<Miss>,
    /// `held` over the stated peak, less one.
    pub headroom: Option<Share>,
    pub usl: Result<Usl, NotFitted>,
}

/// What a search needs next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Want {
    /// A trial goes on, or the platform is given time to come back.
    Nothing,
    /// From this instant on at the earliest.
    Trial {
        number: u32,
        probe: bool,
        rate: Rate,
        first: u64,
    },
    End,
}

/// One search, as far as the record goes.
#[derive(Debug)]
pub(super) struct Searching {
    load: LoadId,
    search: Search,
    must: Vec<Watched>,
    series: Vec<usize>,
    /// No other load runs beside it: nothing in flight is nothing of its own in flight.
    alone: bool,
    climb: Climb,
    open: Option<Trial>,
    /// The number of the next arrival.
    first: u64,
    trials: Vec<TrialFigures>,
    rest: Rest,
    ended: Option<At>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Rest {
    since: At,
    quiet: bool,
    probes: u64,
}

impl Searching {
    /// Of every load that is a search.
    pub(super) fn all(plan: &Plan) -> Vec<Searching> {
        let of = |(index, load): (usize, &crate::plan::Load)| {
            let search = load.search.clone()?;
            let load = LoadId::at(index);
            Some(Searching {
                load,
                must: search.must.iter().map(|condition| Watched::new(plan, condition)).collect(),
                series: series_in(plan, Scope::Load(load)),
                alone: plan.loads.len() == 1,
                climb: Climb::new(&search),
                search,
                open: None,
                first: 0,
                trials: Vec::new(),
                rest: Rest::default(),
                ended: None,
            })
        };
        plan.loads.iter().enumerate().filter_map(of).collect()
    }

    pub(super) const fn load(&self) -> LoadId {
        self.load
    }

    /// How many seconds it looks back at.
    pub(super) fn over(&self) -> u64 {
        self.search.hold.as_nanos().div_ceil(Span::SECOND.as_nanos())
    }

    /// The series whose distributions it needs.
    pub(super) fn keeps_times_of(&self) -> impl Iterator<Item = usize> {
        self.must.iter().flat_map(|watched| watched.series().iter().copied()).chain(self.series.iter().copied())
    }

    pub(super) fn keeps_visits(&self) -> bool {
        self.must.iter().any(Watched::keeps_visits)
    }

    /// A trial was appended.
    pub(super) fn began(&mut self, plan: &Plan, trial: &Trial) {
        let Some(load) = plan.loads.get(self.load.index()) else { return };
        self.first = trial.first + Schedule::trial(load, plan.seed, self.load, trial).count();
        self.open = Some(*trial);
    }

    pub(super) fn ended(&mut self, at: At) {
        self.climb.stop(SearchEnd::Stopped);
        self.open = None;
        self.ended.get_or_insert(at);
    }

    pub(super) const fn ended_at(&self) -> Option<At> {
        self.ended
    }

    /// The last trial that was judged.
    pub(super) fn last(&self) -> Option<&TrialFigures> {
        self.trials.last()
    }

    pub(super) fn want(&self) -> Want {
        let number = u32::try_from(self.trials.len()).unwrap_or(u32::MAX);
        let trial = |probe, rate| Want::Trial { number, probe, rate, first: self.first };
        match self.climb.step() {
            Step::End(_) => Want::End,
            _ if self.open.is_some() => Want::Nothing,
            Step::Try(rate) => trial(false, rate),
            Step::Rest { .. } if self.rest.quiet => trial(true, self.search.from),
            Step::Rest { .. } => Want::Nothing,
        }
    }

    /// The second `number` is closed.
    pub(super) fn close(&mut self, number: u64, seconds: &Seconds, vitals: &Vitals) {
        if let Some(trial) = self.open {
            if begin_of(number + 1) >= trial.ends {
                self.open = None;
                self.judged(trial, seconds, vitals);
            }
            return;
        }
        let Step::Rest { probe } = self.climb.step() else { return };
        if begin_of(number) >= self.rest.since && self.is_quiet(number, seconds) {
            self.rest.quiet = true;
            if !probe {
                self.climb.rested(true);
            }
        } else if !self.rest.quiet && begin_of(number + 1) >= self.rest.since + Search::QUIET {
            self.climb.rested(false);
        }
    }

    fn judged(&mut self, trial: Trial, seconds: &Seconds, vitals: &Vitals) {
        let figures = self.judge(trial, seconds, vitals);
        let held = figures.end == TrialEnd::Held;
        if !trial.probe {
            self.climb.told(&figures.end);
            self.rest = Rest { since: trial.ends, quiet: false, probes: 0 };
        } else if held {
            self.climb.rested(true);
        } else {
            let probes = self.rest.probes + 1;
            self.rest = Rest { since: trial.ends, quiet: false, probes };
            if probes >= Search::PROBES {
                self.climb.rested(false);
            }
        }
        self.trials.push(figures);
    }

    /// Whether nothing was in flight at the end of this second.
    fn is_quiet(&self, number: u64, seconds: &Seconds) -> bool {
        let Some(second) = seconds.get(number) else { return false };
        if self.alone {
            return second.lacks.is_empty()
                && !second.health.is_empty()
                && second.health.iter().all(|health| health.in_flight + health.queued == 0);
        }
        self.series.iter().filter_map(|&index| second.cells.get(index)).all(|cell| cell.waiting == 0)
    }

    fn judge(&self, trial: Trial, seconds: &Seconds, vitals: &Vitals) -> TrialFigures {
        let range = (trial.judged.second(), trial.ends.second());
        let sum = Sum::of(seconds, range, &self.series, &[], None, true, None);
        let (mut missed, mut few, mut figures) = (Vec::new(), None, Vec::new());
        let last = range.1.checked_sub(1).and_then(|last| seconds.get(last));
        for (index, watched) in self.must.iter().enumerate() {
            let obligation = u32::try_from(index).unwrap_or(u32::MAX);
            let judged = watched.within(seconds, vitals, range);
            let figure = watched.figure_within(seconds, vitals, range);
            let waiting: u64 = last.map_or(0, |second| {
                watched.series().iter().filter_map(|&index| second.cells.get(index)).map(|cell| cell.waiting).sum()
            });
            match judged.standing() {
                Standing::Meets => {}
                // What was asked waits for its answer: that is no want of samples.
                Standing::Unknown if waiting <= judged.samples => few = few.or(Some(obligation)),
                Standing::Misses | Standing::Unknown => {
                    missed.push(Miss { obligation, figure: figure.and_then(Figure::exactly) });
                }
            }
            figures.push(figure);
        }
        let end = match (self.unfit(range, seconds, &sum), few) {
            (Some(why), _) => TrialEnd::None { why },
            (None, _) if !missed.is_empty() => TrialEnd::Failed { missed },
            (None, Some(obligation)) => TrialEnd::None { why: Unfit::TooFew { obligation } },
            (None, None) => TrialEnd::Held,
        };
        let span = trial.ends.since(trial.judged).as_seconds_f64();
        let throughput = (span > 0.0).then(|| Rate::per_second(sum.done.ok as f64 / span));
        TrialFigures { trial, end, figures, throughput, mean: sum.response.mean() }
    }

    /// Why the generator is not to be trusted with a trial.
    fn unfit(&self, range: (u64, u64), seconds: &Seconds, sum: &Sum) -> Option<Unfit> {
        if seconds.lack(range) || seconds.range(range.0, range.1).count() as u64 != range.1 - range.0 {
            return Some(Unfit::Missing);
        }
        let (mut released, mut late, mut busy) = (0, 0, 0.0);
        for second in seconds.range(range.0, range.1) {
            released += second.health.iter().map(|health| health.released).sum::<u64>();
            late += second.health.iter().map(|health| health.late).sum::<u64>();
            busy += second.health.iter().map(|health| health.cpu.as_seconds_f64()).fold(0.0, f64::max);
        }
        let unsent = sum.counts.unsent_by_generator();
        let over = |part, whole, most: f64| share(part, whole).filter(|share| share.as_f64() > most);
        if let Some(share) = over(unsent, sum.counts.base() + sum.counts.shed + unsent, UNSENT) {
            return Some(Unfit::Unsent { share });
        }
        if let Some(share) = over(late, released, LATE) {
            return Some(Unfit::Late { share });
        }
        let busy = Share(busy / (range.1 - range.0).max(1) as f64);
        (busy.as_f64() >= CPU).then_some(Unfit::Busy { share: busy })
    }

    pub(super) fn finish(self) -> SearchFigures {
        let end = match self.climb.step() {
            Step::End(end) => end,
            _ => SearchEnd::Stopped,
        };
        let (held, failed) = (self.climb.held(), self.climb.failed());
        let first = self.trials.iter().find_map(|figures| match &figures.end {
            TrialEnd::Failed { missed }
                if !figures.trial.probe && failed.is_some_and(|level| level.rate == figures.trial.rate) =>
            {
                Some(missed.clone())
            }
            _ => None,
        });
        let peak = self.search.peak.map(Rate::as_per_second);
        SearchFigures {
            load: self.load,
            end,
            levels: self.climb.levels().to_vec(),
            missed_first: first.unwrap_or_default(),
            headroom: held.zip(peak).map(|(level, peak)| Share(level.rate.as_per_second() / peak - 1.0)),
            usl: usl::fit(&self.trials),
            held,
            failed,
            trials: self.trials,
        }
    }
}

impl SearchFigures {
    /// The capacity as a figure; none where no rate was decided.
    pub fn capacity(&self, search: &Search) -> Option<Figure> {
        let rate = |level: Level| Quantity::Rate(level.rate);
        match self.end {
            SearchEnd::Found => self.held.map(rate).map(Figure::Exactly),
            SearchEnd::NoneHeld => Some(Figure::LessThan(Quantity::Rate(search.from))),
            _ => self.held.map(rate).map(Figure::MoreThan),
        }
    }
}
