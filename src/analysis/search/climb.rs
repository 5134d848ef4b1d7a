//! Which rate is tried next, from how the trials before came out. Pure.
//!
//! A rate holds when two of at most three trials hold, and fails when two fail: with "stop at the first miss" and 5 % stray
//! misses two searches of five would end at under 0.8 of the knee. Upwards step by step until a rate fails; from there on the
//! range between the highest that held and the lowest that failed is halved.

use serde::{Deserialize, Serialize};

use crate::base::units::Rate;
use crate::plan::{Search, TrialEnd};

/// So many trials of one kind decide.
const DECIDE: u32 = 2;

/// Why a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SearchEnd {
    /// The range is as narrow as was asked for.
    Found,
    /// Not even the highest rate failed.
    NoneFailed,
    /// Not even the lowest rate held.
    NoneHeld,
    /// Two trials at one rate were none, for the generator was not fit to judge by.
    Generator,
    /// After a failed trial the platform did not come back in time.
    NotRecovered,
    /// The drill ended before.
    Stopped,
}

/// All trials at one rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Level {
    pub rate: Rate,
    pub held: u32,
    pub failed: u32,
    /// Those that were none.
    pub unfit: u32,
}

impl Level {
    const fn new(rate: Rate) -> Level {
        Level { rate, held: 0, failed: 0, unfit: 0 }
    }

    pub const fn holds(&self) -> bool {
        self.held >= DECIDE
    }

    pub const fn fails(&self) -> bool {
        self.failed >= DECIDE
    }
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Step {
    Try(Rate),
    /// Let the platform come back: until nothing is in flight, and then, where this says so, until the obligations hold at
    /// the lowest rate.
    Rest {
        probe: bool,
    },
    End(SearchEnd),
}

#[derive(Debug, Clone)]
pub(super) struct Climb {
    from: f64,
    to: f64,
    by: f64,
    within: f64,
    /// In the order in which they were first tried; the last one may be undecided.
    levels: Vec<Level>,
    tired: bool,
    end: Option<SearchEnd>,
}

impl Climb {
    pub(super) fn new(search: &Search) -> Climb {
        Climb {
            from: search.from.as_per_second(),
            to: search.to.as_per_second(),
            by: search.by.as_per_second(),
            within: search.within.as_f64(),
            levels: vec![Level::new(search.from)],
            tired: false,
            end: None,
        }
    }

    pub(super) fn step(&self) -> Step {
        match (self.end, self.tired, self.levels.last()) {
            (Some(end), ..) => Step::End(end),
            (None, _, None) => Step::End(SearchEnd::Stopped),
            // A trial at the lowest rate is itself what would show that it holds there again.
            (None, true, Some(level)) => Step::Rest { probe: level.rate.as_per_second() > self.from },
            (None, false, Some(level)) => Step::Try(level.rate),
        }
    }

    pub(super) fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// The highest rate that held, below every one that failed.
    pub(super) fn held(&self) -> Option<Level> {
        let held = self.levels.iter().filter(|level| level.holds()).copied();
        held.max_by(|one, other| one.rate.as_per_second().total_cmp(&other.rate.as_per_second()))
    }

    /// The lowest rate that failed.
    pub(super) fn failed(&self) -> Option<Level> {
        let failed = self.levels.iter().filter(|level| level.fails()).copied();
        failed.min_by(|one, other| one.rate.as_per_second().total_cmp(&other.rate.as_per_second()))
    }

    /// A trial at the rate that was to be tried came out so.
    pub(super) fn told(&mut self, end: &TrialEnd) {
        if self.end.is_some() {
            return;
        }
        let Some(level) = self.levels.last_mut() else { return };
        match end {
            TrialEnd::Held => level.held += 1,
            TrialEnd::Failed { .. } => level.failed += 1,
            TrialEnd::None { .. } => level.unfit += 1,
        }
        self.tired = *end != TrialEnd::Held;
        if level.unfit >= DECIDE {
            self.end = Some(SearchEnd::Generator);
        } else if level.holds() || level.fails() {
            self.decided();
        }
    }

    /// The platform has come back, or not in time.
    pub(super) fn rested(&mut self, recovered: bool) {
        self.tired = false;
        if !recovered {
            self.stop(SearchEnd::NotRecovered);
        }
    }

    pub(super) fn stop(&mut self, end: SearchEnd) {
        self.end.get_or_insert(end);
    }

    fn decided(&mut self) {
        let rate = |level: Level| level.rate.as_per_second();
        let next = match (self.held().map(rate), self.failed().map(rate)) {
            (None, Some(_)) => return self.stop(SearchEnd::NoneHeld),
            (None, None) => self.from,
            (Some(held), None) if held >= self.to => return self.stop(SearchEnd::NoneFailed),
            (Some(held), None) => {
                // A hair short of the end is the end.
                let next = held + self.by;
                if next > self.to - self.by * 1e-9 { self.to } else { next }
            }
            // A hair more, since 10 % of 1000 is not quite 100 in binary.
            (Some(held), Some(failed)) if failed - held <= held * self.within * (1.0 + 1e-9) => {
                return self.stop(SearchEnd::Found);
            }
            (Some(held), Some(failed)) => (held + failed) / 2.0,
        };
        self.levels.push(Level::new(Rate::per_second(next)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::rng::{Key, Purpose};
    use crate::base::units::{Share, Span};
    use crate::plan::Unfit;

    fn search(from: f64, to: f64, by: f64) -> Search {
        Search {
            from: Rate::per_second(from),
            to: Rate::per_second(to),
            by: Rate::per_second(by),
            hold: Span::seconds(10),
            settle: Span::seconds(3),
            within: Share(0.1),
            peak: None,
            must: Vec::new(),
        }
    }

    fn miss() -> TrialEnd {
        TrialEnd::Failed { missed: Vec::new() }
    }

    /// Runs to the end; gives it, and how many trials and rests that took.
    fn run(search: &Search, mut holds: impl FnMut(f64, u64) -> TrialEnd) -> (Climb, u64, u64) {
        let (mut climb, mut trials, mut rests) = (Climb::new(search), 0, 0);
        for _ in 0..10_000 {
            match climb.step() {
                Step::Try(rate) => {
                    let end = holds(rate.as_per_second(), trials);
                    trials += 1;
                    climb.told(&end);
                }
                Step::Rest { .. } => {
                    rests += 1;
                    climb.rested(true);
                }
                Step::End(_) => return (climb, trials, rests),
            }
        }
        panic!("it goes on for ever");
    }

    fn range(climb: &Climb) -> (f64, f64) {
        (climb.held().unwrap().rate.as_per_second(), climb.failed().unwrap().rate.as_per_second())
    }

    #[test]
    fn a_search_goes_up_and_then_halves() {
        let mut tried = Vec::new();
        let (climb, ..) = run(&search(100.0, 1_000.0, 200.0), |rate, _| {
            tried.push(rate);
            if rate <= 640.0 { TrialEnd::Held } else { miss() }
        });
        tried.dedup();
        assert_eq!(tried, [100.0, 300.0, 500.0, 700.0, 600.0, 650.0]);
        assert_eq!((range(&climb), climb.end), ((600.0, 650.0), Some(SearchEnd::Found)));
        assert!(climb.levels().iter().all(|level| level.held + level.failed == 2));
    }

    #[test]
    fn its_ends_are_told_apart() {
        let end = |of: &dyn Fn(f64) -> TrialEnd| run(&search(100.0, 350.0, 100.0), |rate, _| of(rate)).0;
        let all = end(&|_| TrialEnd::Held);
        assert_eq!(
            (all.end, all.held().map(|level| level.rate)),
            (Some(SearchEnd::NoneFailed), Some(Rate::per_second(350.0)))
        );
        assert_eq!(all.levels().len(), 4);
        let none = end(&|_| miss());
        assert_eq!((none.end, none.held(), none.levels().len()), (Some(SearchEnd::NoneHeld), None, 1));
        let unfit = end(&|rate| if rate > 250.0 { TrialEnd::None { why: Unfit::Missing } } else { TrialEnd::Held });
        assert_eq!(
            (unfit.end, unfit.held().map(|level| level.rate)),
            (Some(SearchEnd::Generator), Some(Rate::per_second(200.0)))
        );
    }

    #[test]
    fn a_trial_that_is_none_is_repeated_once_and_counts_for_nothing() {
        let (climb, trials, _) = run(&search(100.0, 200.0, 100.0), |_, number| {
            if number == 0 { TrialEnd::None { why: Unfit::Missing } } else { TrialEnd::Held }
        });
        assert_eq!((climb.end, trials), (Some(SearchEnd::NoneFailed), 5));
    }

    #[test]
    fn after_a_failed_trial_the_platform_rests_and_one_that_stays_down_ends_it() {
        let mut climb = Climb::new(&search(100.0, 400.0, 100.0));
        climb.told(&miss());
        assert_eq!(climb.step(), Step::Rest { probe: false }, "the next trial is at the lowest rate anyway");
        climb.rested(true);
        climb.told(&TrialEnd::Held);
        climb.told(&TrialEnd::Held);
        climb.told(&miss());
        assert_eq!(climb.step(), Step::Rest { probe: true });
        climb.rested(false);
        assert_eq!(climb.step(), Step::End(SearchEnd::NotRecovered));
        assert_eq!(climb.held().map(|level| level.rate), Some(Rate::per_second(100.0)));
    }

    /// How many of 2,000 searches of a server with its knee at 2,000/s end at under 0.8 of it, when 5 % of the trials that
    /// should hold miss.
    #[test]
    fn stray_misses_seldom_end_a_search_early() {
        let search = search(100.0, 5_000.0, 200.0);
        let early = (0..2_000u64).filter(|seed| {
            let mut stream = Key::new(*seed, 0, 0).stream(Purpose::Think(0), 0);
            let (climb, ..) = run(&search, |rate, _| {
                let stray = stream.unit() < 0.05;
                if rate <= 2_000.0 && !stray { TrialEnd::Held } else { miss() }
            });
            climb.held().is_none_or(|level| level.rate.as_per_second() < 1_600.0)
        });
        let early = early.count() as f64 / 2_000.0;
        // Each of eight steps fails for (3 − 2·0.05)·0.05² = 0.7 % of searches.
        assert!(early < 0.09, "{early}");
    }

    proptest! {
        #[test]
        fn the_range_holds_the_truth_and_is_narrow_and_the_bound_on_its_length_is_kept(
            from in 10.0f64..500.0, steps in 1.0f64..40.0, by in 5.0f64..500.0, part in 0.0f64..1.0,
            strays in proptest::collection::vec(any::<bool>(), 64),
        ) {
            let to = from + by * steps;
            let truth = from + (to - from) * part;
            let search = search(from, to, by);
            // At most one stray miss at a rate: never two.
            let mut last = (0.0, false);
            let (climb, trials, rests) = run(&search, |rate, number| {
                if rate != last.0 {
                    last = (rate, false);
                }
                let stray = strays[number as usize % strays.len()] && !last.1;
                last.1 |= stray;
                if rate <= truth && !stray { TrialEnd::Held } else { miss() }
            });
            if climb.end == Some(SearchEnd::Found) {
                let (held, failed) = range(&climb);
                prop_assert!(held <= truth && truth < failed, "{held} {truth} {failed}");
                prop_assert!(failed - held <= held * 0.1 * (1.0 + 1e-6));
            } else {
                prop_assert_eq!(climb.end, Some(SearchEnd::NoneFailed));
                prop_assert!(truth >= to * (1.0 - 1e-9));
            }
            let trial = search.settle + search.hold + Span::seconds(2);
            let rest = Search::QUIET + (search.hold + Span::seconds(2)).saturating_mul(Search::PROBES);
            prop_assert!(trial.saturating_mul(trials) + rest.saturating_mul(rests) <= search.longest());
        }
    }
}
