use serde::{Deserialize, Serialize};

use super::{Condition, Load, Quantity, Spacing, Stage, StageKind};
use crate::base::units::{At, Rate, Share, Span};

/// A load that looks for the highest rate at which its obligations hold.
///
/// Which rates are tried is decided while it runs, from what is measured; which arrivals a trial brings is decided by the
/// trial alone, and what an arrival does by its number, as in every load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Search {
    pub from: Rate,
    pub to: Rate,
    /// The step upwards, until a rate fails; from there on the range is halved.
    pub by: Rate,
    /// How long a trial is judged; whole seconds.
    pub hold: Span,
    /// How long it goes on before that.
    pub settle: Span,
    /// The range that answers is at most this wide, as a part of its lower end.
    pub within: Share,
    /// What the platform is planned to bear: what `headroom` is measured against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak: Option<Rate>,
    /// All must hold; each is looked at over `hold`.
    pub must: Vec<Condition>,
}

/// A stretch of a search at one rate, appended while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// In the order in which they are made, from 0.
    pub number: u32,
    /// At `from` after a failed trial, to see that the platform has come back: it decides about no rate.
    pub probe: bool,
    pub rate: Rate,
    /// The number of its first arrival.
    pub first: u64,
    pub begins: At,
    /// A whole second: what settles from here on is judged.
    pub judged: At,
    /// A whole second.
    pub ends: At,
}

/// How a trial came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "trial")]
pub enum TrialEnd {
    Held,
    /// Some obligations were missed.
    Failed {
        missed: Vec<Miss>,
    },
    /// The generator was not fit to judge by, or too little was seen: no trial.
    None {
        why: Unfit,
    },
}

/// An obligation that was missed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Miss {
    /// Its place in the list.
    pub obligation: u32,
    /// None: its rank fell among failed requests, or nothing was answered at all.
    pub figure: Option<Quantity>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "unfit")]
pub enum Unfit {
    /// So many arrivals were released late.
    Late { share: Share },
    /// A worker of the generator was so busy.
    Busy { share: Share },
    /// So many arrivals were not sent by the generator's own fault.
    Unsent { share: Share },
    /// A worker's part is missing.
    Missing,
    /// Too few samples for an obligation.
    TooFew { obligation: u32 },
}

impl Search {
    /// Trials that decide about one rate: two of three, and one that is repeated.
    pub const TRIALS: u64 = 4;
    /// How often the platform is looked at after a failed trial before it is given up.
    pub const PROBES: u64 = 3;
    /// How long what is in flight after a failed trial may take to come to its end.
    pub const QUIET: Span = Span::seconds(30);
    /// Rounding to whole seconds, and the time to decide.
    const BETWEEN: Span = Span::seconds(2);

    /// How many rates may be tried: upwards, and then halving a range that is at most one step wide.
    fn rates(&self) -> (u64, u64) {
        let (from, to, by) = (self.from, self.to, self.by);
        let up = StageKind::Stairs { from, to, by, every: Span::SECOND }.levels().count() as u64;
        let wide = by.as_per_second().min(to.as_per_second() - from.as_per_second()) / from.as_per_second();
        let halvings = (wide / self.within.as_f64()).log2().ceil();
        (up, if halvings > 0.0 { halvings as u64 } else { 0 })
    }

    /// How long it takes at the most: every rate needs all of its trials, the platform recovers late after each that fails.
    pub fn longest(&self) -> Span {
        let (up, halvings) = self.rates();
        let trial = self.settle + self.hold + Search::BETWEEN;
        let rest = Search::QUIET + (self.hold + Search::BETWEEN).saturating_mul(Search::PROBES);
        // A rate that holds may fail once; the one that ends the climb, and every halving, twice. A trial that is none is
        // rested from, too.
        let rests = (up + 1 + 2 * halvings) + (up + halvings);
        trial.saturating_mul(Search::TRIALS * (up + halvings)) + rest.saturating_mul(rests)
    }

    /// How many arrivals it brings at the most.
    pub fn most_arrivals(&self) -> u64 {
        let (up, halvings) = self.rates();
        let trial = self.to.over(self.settle + self.hold + Search::BETWEEN).ceil() as u64;
        let probe = self.from.over(self.hold + Search::BETWEEN).ceil() as u64;
        let probes = (2 * up + 1 + 3 * halvings).saturating_mul(Search::PROBES);
        trial.saturating_mul(Search::TRIALS * (up + halvings)).saturating_add(probe.saturating_mul(probes))
    }

    /// The trial after `first` arrivals, from `begins` on.
    pub fn trial(&self, number: u32, probe: bool, rate: Rate, first: u64, begins: At) -> Trial {
        let settle = if probe { Span::ZERO } else { self.settle };
        let second = Span::SECOND.as_nanos();
        let judged = At((begins + settle).as_nanos().div_ceil(second).saturating_mul(second));
        Trial { number, probe, rate, first, begins, judged, ends: judged + self.hold }
    }
}

impl Trial {
    /// The load that it is by itself.
    pub(super) fn load(&self, load: &Load) -> Load {
        let kind = StageKind::Hold { rate: self.rate, span: self.ends.since(self.begins) };
        let stages = vec![Stage { kind, phase: None }];
        Load { start: self.begins, stages, search: None, ..load.clone() }
    }
}

impl Load {
    /// What comes for certain: of a search, its first trial.
    pub fn certain(&self) -> Load {
        let spacing = Spacing::Even;
        match &self.search {
            Some(search) => search.trial(0, false, search.from, 0, self.start).load(&Load { spacing, ..self.clone() }),
            None => Load { spacing, ..self.clone() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn rates_are_the_steps_and_as_many_halvings_as_the_widest_range_needs() {
        assert_eq!(search(100.0, 500.0, 200.0).rates(), (3, 5));
        assert_eq!(search(1_000.0, 2_000.0, 100.0).rates(), (11, 0));
    }

    #[test]
    fn what_is_judged_lies_on_whole_seconds() {
        let search = Search { settle: Span::millis(1_500), ..search(100.0, 500.0, 200.0) };
        let trial = search.trial(0, false, search.from, 0, At(Span::millis(250).0));
        assert_eq!((trial.judged, trial.ends), (At(Span::seconds(2).0), At(Span::seconds(12).0)));
        let probe = search.trial(1, true, search.from, 0, At(Span::seconds(3).0));
        assert_eq!((probe.judged, probe.ends), (At(Span::seconds(3).0), At(Span::seconds(13).0)));
    }
}
