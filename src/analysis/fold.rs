//! The fold: what is appended to the record goes in, one thing after another, and figures come out, at any time and at
//! the end. `drill` decides from a fold that it feeds while it runs; a stored run goes through the same one.

use std::collections::{BTreeMap, BTreeSet};

use super::actions::ActionFigures;
use super::condition::Watched;
use super::crowd::Crowd;
use super::curve::Curves;
use super::down::{Down, DownSecond};
use super::faults::Instants;
use super::finish;
use super::health::Health;
use super::live::LastTimes;
use super::phases::Phases;
use super::recovery::Track;
use super::scopes::{scopes, series_in};
use super::search::Searching;
use super::seconds::{Second, Seconds, begin_of, earlier};
use super::steady::Steady;
use super::tally::excess_shed;
use super::vitals::Vitals;
use super::watched::Watches;
use super::{Analysis, Missing, Opened, ProbeTurn, Residue, Standing, Stretch, TrialFigures, Want};
use crate::base::units::At;
use crate::plan::{AbortId, ActionId, End, FaultId, Instant, LoadId, Moment, Plan, Scope, SteadyId, WatchId};
use crate::record::{Against, EndReason, Entry, Event, Failure, Item, RecordError, Vital, Window};

/// Curves are finished so many seconds after they closed: until then a worker that is late may still add to them.
const LATE: u64 = 10;

/// Entries to figures. Feed it everything in the order of the record.
pub struct Fold {
    pub(super) plan: Plan,
    /// The series that are of requests, and not of groups of them.
    requests: Vec<usize>,
    pub(super) seconds: Seconds,
    pub(super) curves: Curves,
    pub(super) phases: Phases,
    /// By scope, in the order of [`scopes`].
    pub(super) down: Vec<(Scope, Down)>,
    steady: Vec<Steady>,
    aborts: Vec<Watched>,
    pub(super) searches: Vec<Searching>,
    pub(super) crowds: Vec<Crowd>,
    /// What faults wait for, and the end of the second at which it held first.
    whens: Vec<(FaultId, Watched, Option<At>)>,
    /// The first abort condition that held.
    pub(super) aborting: Option<AbortId>,
    pub(super) tracks: Vec<Track>,
    pub(super) faults: Vec<Instants>,
    pub(super) actions: Vec<ActionFigures>,
    /// Whether each steady state had held when the first fault was ordered.
    pub(super) before_fault: Option<Vec<bool>>,
    pub(super) vitals: Vitals,
    pub(super) watches: Watches,
    pub(super) health: Health,
    pub(super) probes: BTreeMap<WatchId, Vec<ProbeTurn>>,
    pub(super) failures: Vec<Failure>,
    pub(super) events: Vec<Entry>,
    pub(super) missing: BTreeSet<Missing>,
    pub(super) late: BTreeSet<Missing>,
    pub(super) residue: Vec<Residue>,
    pub(super) opened: Option<Opened>,
    pub(super) ended: Option<EndReason>,
    pub(super) began: Option<At>,
    pub(super) load_ended: Option<At>,
    /// The last stage's end.
    pub(super) planned_end: At,
    /// The last closed second, and whether it was down.
    last: Option<(u64, bool)>,
    pub(super) last_times: LastTimes,
    /// The series whose distributions some condition needs after their second is closed.
    keep: Vec<bool>,
    keep_visits: bool,
}

/// A whole stored run.
pub fn analyse(
    plan: &Plan,
    items: impl IntoIterator<Item = Result<Item, RecordError>>,
) -> Result<Analysis, RecordError> {
    let mut fold = Fold::new(plan);
    for item in items {
        fold.item(&item?);
    }
    Ok(fold.finish())
}

impl Fold {
    pub fn new(plan: &Plan) -> Fold {
        let curves = Curves::new(plan);
        let planned_end = curves.planned_end().unwrap_or(At(plan.end.as_nanos()));
        let steady_states = plan.steady_states.iter().enumerate();
        let steady: Vec<Steady> = steady_states.map(|(index, state)| Steady::new(plan, index, state)).collect();
        let aborts: Vec<Watched> = plan.aborts.iter().map(|abort| Watched::new(plan, &abort.condition)).collect();
        let when = |(index, fault): (usize, &crate::plan::Fault)| match &fault.at {
            Instant::When(condition) => Some((FaultId::at(index), Watched::new(plan, condition), None)),
            Instant::At(_) | Instant::After { .. } | Instant::Action { .. } => None,
        };
        let whens: Vec<(FaultId, Watched, Option<At>)> = plan.faults.iter().enumerate().filter_map(when).collect();
        let searches = Searching::all(plan);
        let watched: Vec<&Watched> = steady
            .iter()
            .flat_map(Steady::must)
            .chain(&aborts)
            .chain(whens.iter().map(|(_, watched, _)| watched))
            .collect();
        let mut keep = vec![false; plan.series.len()];
        watched.iter().flat_map(|watched| watched.keeps_times_of()).for_each(|index| keep[index] = true);
        searches.iter().flat_map(Searching::keeps_times_of).for_each(|index| keep[index] = true);
        let keep_visits = watched.iter().any(|watched| watched.keeps_visits());
        let keep_visits = keep_visits || searches.iter().any(Searching::keeps_visits);
        let over = watched.iter().map(|watched| watched.over()).chain(searches.iter().map(Searching::over));
        let over = over.max().unwrap_or(0);
        Fold {
            seconds: Seconds::new(over.max(LATE) + 1),
            requests: series_in(plan, Scope::All),
            phases: Phases::new(plan, planned_end),
            down: scopes(plan).into_iter().map(|scope| (scope, Down::new(series_in(plan, scope)))).collect(),
            faults: vec![Instants::default(); plan.faults.len()],
            actions: (0..plan.actions.len()).map(|index| ActionFigures::new(ActionId::at(index))).collect(),
            curves,
            steady,
            aborts,
            whens,
            searches,
            crowds: Crowd::all(plan),
            aborting: None,
            tracks: Vec::new(),
            before_fault: None,
            vitals: Vitals::default(),
            watches: Watches::default(),
            health: Health::default(),
            probes: BTreeMap::new(),
            failures: Vec::new(),
            events: Vec::new(),
            missing: BTreeSet::new(),
            late: BTreeSet::new(),
            residue: Vec::new(),
            opened: None,
            ended: None,
            began: None,
            load_ended: None,
            planned_end,
            last: None,
            last_times: LastTimes::default(),
            keep,
            keep_visits,
            plan: plan.clone(),
        }
    }

    pub fn item(&mut self, item: &Item) {
        match item {
            Item::Entry(entry) => self.entry(entry),
            Item::Window(window) => self.window(window),
            Item::Vital(vital) => self.vital(vital),
        }
    }

    pub fn vital(&mut self, vital: &Vital) {
        self.vitals.add(vital);
    }

    /// One worker's second. It may come after the second was closed: then it is in every figure of the book of phases, no
    /// decision that was taken changes, and what was decided without it stays in doubt.
    pub fn window(&mut self, window: &Window) {
        if self.seconds.is_absurd(window.second) {
            return;
        }
        self.phases.add(window);
        self.crowds.iter_mut().for_each(|crowd| crowd.add(window));
        let missing = Missing { second: window.second, crew: window.crew };
        self.missing.remove(&missing);
        if window.second < self.seconds.next() {
            self.late.insert(missing);
        }
        // Where it is too late for the curves, they keep the hole.
        if let Some(second) = self.seconds.at(window.second, &self.plan) {
            second.merge(window, &self.keep, self.keep_visits);
        }
    }

    pub fn entry(&mut self, entry: &Entry) {
        let kept_elsewhere = matches!(
            entry.event,
            Event::Failed(_)
                | Event::SecondClosed { .. }
                | Event::Generator { .. }
                | Event::Scraped { .. }
                | Event::NotScraped { .. }
        );
        if !kept_elsewhere {
            self.events.push(entry.clone());
        }
        self.health.entry(entry.at, &entry.event);
        match &entry.event {
            Event::Opened { run, program, wall, host, .. } => {
                self.opened =
                    Some(Opened { run: run.clone(), program: program.clone(), wall: *wall, host: host.clone() });
            }
            Event::LoadBegan => self.began = self.began.or(Some(entry.at)),
            Event::LoadEnded => self.load_ended = self.load_ended.or(Some(entry.at)),
            Event::SecondClosed { second, missing } => {
                let number = *second;
                self.missing.extend(missing.iter().map(|&crew| Missing { second: number, crew }));
                if let Some(second) = self.seconds.at(number, &self.plan) {
                    second.lacks.extend(missing);
                }
                self.close(number);
            }
            Event::Fault { fault, what } => self.fault(*fault, entry.at, what),
            Event::Action { action, what } => {
                if let Some(figures) = self.actions.get_mut(action.index()) {
                    figures.entry(entry.at, what);
                }
            }
            Event::Probe { watch, good, why } => {
                // What happens while the platform is being started is on another axis of time.
                if entry.preparing {
                    return;
                }
                let turns = self.probes.entry(*watch).or_default();
                turns.push(ProbeTurn { at: entry.at, good: *good, why: why.clone() });
                if !good {
                    self.faults.iter_mut().for_each(|fault| fault.turned_bad(entry.at, *watch));
                }
            }
            Event::Scraped { watch, values } => self.watches.add(*watch, entry.at, Ok(values.clone())),
            Event::NotScraped { watch, why } => self.watches.add(*watch, entry.at, Err(why.clone())),
            Event::Failed(failure) => self.failures.push(failure.clone()),
            Event::Residue { what, command } => {
                self.residue.push(Residue { what: what.clone(), command: command.clone() });
            }
            Event::Aborting { abort } => self.aborting = self.aborting.or(Some(*abort)),
            Event::TrialBegan { load, trial } => {
                self.curves.trial(&self.plan, *load, trial);
                let search = self.searches.iter_mut().find(|search| search.load() == *load);
                search.into_iter().for_each(|search| search.began(&self.plan, trial));
            }
            Event::SearchEnded { load } => {
                let search = self.searches.iter_mut().find(|search| search.load() == *load);
                search.into_iter().for_each(|search| search.ended(entry.at));
                self.planned_end = self.loads_end();
            }
            Event::Ended { reason } => self.ended = Some(*reason),
            _ => {}
        }
    }

    fn fault(&mut self, id: FaultId, at: At, what: &crate::record::FaultEvent) {
        let Some(fault) = self.faults.get_mut(id.index()) else { return };
        let first = fault.ordered.is_none();
        fault.entry(at, what);
        if first && fault.ordered.is_some() {
            let held = self.steady.iter().map(|steady| steady.held_before(at)).collect();
            self.before_fault.get_or_insert(held);
            let platform =
                self.plan.faults.get(id.index()).is_some_and(|fault| matches!(fault.end, End::Platform { .. }));
            self.tracks.extend(self.steady.iter().map(|steady| Track::new(id, steady, at, platform)));
        }
        if first && let Some(ordered) = fault.ordered {
            // What is left to the platform is in force to the end: what is noticed after another fault came is that one's.
            let earlier = |(index, other): (usize, &mut Instants)| {
                let left = self.plan.faults.get(index).is_some_and(|fault| matches!(fault.end, End::Platform { .. }));
                if left && index != id.index() && other.ordered.is_some_and(|at| at <= ordered) {
                    other.supersede();
                }
            };
            self.faults.iter_mut().enumerate().for_each(earlier);
        }
        let Some(fault) = self.faults.get(id.index()) else { return };
        if let Some(effective) = fault.effective {
            let tracks = self.tracks.iter_mut().filter(|track| track.fault == id);
            tracks.for_each(|track| track.effective = Some(effective));
        }
        if let Some(healed) = fault.healed {
            let tracks = self.tracks.iter_mut().filter(|track| track.fault == id);
            tracks.for_each(|track| track.healed = Some(healed));
        }
    }

    /// Closes all seconds up to this one, whether all workers handed theirs over or not.
    fn close(&mut self, number: u64) {
        if self.seconds.is_absurd(number) {
            return;
        }
        while self.seconds.next() <= number {
            self.close_next();
        }
    }

    fn close_next(&mut self) {
        let number = self.seconds.next();
        if self.seconds.at(number, &self.plan).is_none() {
            return;
        }
        let loaded = self.is_under_load(number);
        let second = self.seconds.get(number);
        let mut all_down = DownSecond { down: false, waiting_since: None };
        if loaded {
            for (scope, down) in &mut self.down {
                let closed = down.close(number, second, &self.plan);
                if *scope == Scope::All {
                    all_down = closed;
                }
            }
        }
        if let Some(second) = second {
            self.curves.add_times(second);
            self.last_times = LastTimes::of(second, &self.requests);
        }
        if loaded {
            self.judge(number, all_down);
        }
        for search in &mut self.searches {
            search.close(number, &self.seconds, &self.vitals);
        }
        self.last = Some((number, all_down.down));
        if let Some(second) = self.seconds.at(number, &self.plan) {
            second.forget_times(&self.keep);
        }
        for gone in self.seconds.close() {
            self.finish_second(&gone);
        }
    }

    fn judge(&mut self, number: u64, down: DownSecond) {
        let mut down_against = Against::default();
        if down.down
            && let Some(second) = self.seconds.get(number)
        {
            let counts = second.counts(&self.requests);
            let beyond = excess_shed(&counts, self.plan.limits.shed) > 0;
            for cell in self.requests.iter().filter_map(|&index| second.cells.get(index)) {
                down_against.merge(&cell.against);
                if beyond {
                    down_against.merge(&cell.shedding);
                }
            }
        }
        let sound = self.before_fault.is_none();
        for steady in &mut self.steady {
            let window = steady.close(number, &self.seconds, &self.vitals, down, &down_against, sound);
            let mut ours = false;
            for track in self.tracks.iter_mut().filter(|track| track.steady == steady.id()) {
                ours |= track.close(&window, steady);
            }
            if window.standing == Standing::Misses && !ours {
                steady.note_stray(number);
            }
        }
        let begin = self.began.map_or(0, At::second);
        for (_, watched, at) in self.whens.iter_mut().filter(|(_, _, at)| at.is_none()) {
            *at = watched.fires(&self.seconds, &self.vitals, number, begin).then(|| begin_of(number + 1));
        }
        if self.aborting.is_none() {
            let fires = |watched: &Watched| watched.fires(&self.seconds, &self.vitals, number, begin);
            self.aborting = self.aborts.iter().position(fires).map(AbortId::at);
        }
    }

    fn is_under_load(&self, number: u64) -> bool {
        let end = self.load_end();
        self.began.is_some_and(|began| begin_of(number + 1) > began) && begin_of(number) < end
    }

    /// When the last load ends: a search with its answer, or at the latest that it can.
    pub fn loads_end(&self) -> At {
        let end = |(index, load): (usize, &crate::plan::Load)| {
            let search = self.searches.iter().find(|search| search.load() == LoadId::at(index));
            search.and_then(Searching::ended_at).unwrap_or_else(|| load.end())
        };
        self.plan.loads.iter().enumerate().map(end).max().unwrap_or(At(self.plan.end.as_nanos()))
    }

    /// What a search needs next; none where the load is no search.
    pub fn want(&self, load: LoadId) -> Option<Want> {
        self.searches.iter().find(|search| search.load() == load).map(Searching::want)
    }

    /// The trial of a search that was judged last.
    pub fn last_trial(&self, load: LoadId) -> Option<&TrialFigures> {
        self.searches.iter().find(|search| search.load() == load).and_then(Searching::last)
    }

    /// When the load ended, or will.
    fn load_end(&self) -> At {
        earlier(self.load_ended, Some(self.planned_end)).unwrap_or(self.planned_end)
    }

    pub(super) fn finish_second(&mut self, second: &Second) {
        self.health.add(second);
        let down = &self.down;
        let is_down = |scope: usize| down.get(scope).is_some_and(|(_, down)| down.is_down(second.number));
        self.curves.add_second(second, is_down, &self.plan);
    }

    /// [began, ended), as far as the record goes.
    pub(super) fn load(&self) -> Option<Stretch> {
        let from = self.began?;
        let to = match self.load_ended {
            Some(ended) => ended.min(self.planned_end),
            None => begin_of(self.seconds.next()).min(self.planned_end),
        };
        Some(Stretch { from, to: to.max(from) })
    }

    pub(super) fn take_steady(&mut self) -> Vec<Steady> {
        std::mem::take(&mut self.steady)
    }

    /// All figures of what was fed.
    pub fn finish(self) -> Analysis {
        finish::finish(self)
    }

    /// Whether a steady state had held for its `hold` at some time in the 30 s before `at`.
    pub fn held_before(&self, steady: SteadyId, at: At) -> bool {
        self.steady.get(steady.index()).is_some_and(|steady| steady.held_before(at))
    }

    /// How a steady state stands at the last closed second.
    pub fn standing(&self, steady: SteadyId) -> Standing {
        self.steady.get(steady.index()).map_or(Standing::Unknown, Steady::standing)
    }

    /// The first abort condition that has held, or that an entry names.
    pub fn aborting(&self) -> Option<AbortId> {
        self.aborting
    }

    /// When what a fault waits for held first.
    pub fn triggered(&self, fault: FaultId) -> Option<At> {
        self.whens.iter().find(|(waiting, ..)| *waiting == fault).and_then(|(_, _, at)| *at)
    }

    /// When a fault came to this moment; for *recovered*, when every steady state has held again for its `hold`. It may
    /// go away again, where a miss reopens it.
    pub fn moment(&self, fault: FaultId, moment: Moment) -> Option<At> {
        if moment != Moment::Recovered {
            return self.faults.get(fault.index()).and_then(|fault| fault.moment(moment));
        }
        let tracks = self.tracks.iter().filter(|track| track.fault == fault);
        let ends: Option<Vec<At>> = tracks.map(Track::end).collect();
        ends.and_then(|ends| ends.into_iter().max())
    }

    pub(super) fn requests(&self) -> &[usize] {
        &self.requests
    }

    pub(super) fn last(&self) -> Option<(u64, bool)> {
        self.last
    }

    pub(super) fn standings(&self) -> Vec<Standing> {
        self.steady.iter().map(Steady::standing).collect()
    }
}
