//! Down windows: seconds in which the platform did not do its work.

use std::collections::BTreeSet;

use super::Stretch;
use super::seconds::{Second, begin_of, earlier};
use super::tally::excess_shed;
use crate::base::units::{At, Span};
use crate::plan::Plan;

/// The down windows of one scope, found second by second.
#[derive(Debug)]
pub(super) struct Down {
    series: Vec<usize>,
    down: bool,
    /// The state rests on a second that a worker had not handed over.
    unsure: bool,
    /// [from, to) in seconds.
    stretches: Vec<(u64, u64)>,
    /// The same, of the seconds that might as well have been the other way.
    doubtful: Vec<(u64, u64)>,
}

/// What one second came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DownSecond {
    pub(super) down: bool,
    /// In a down window in which nothing completed: the oldest that waited.
    pub(super) waiting_since: Option<At>,
}

impl Down {
    pub(super) fn new(series: Vec<usize>) -> Down {
        Down { series, down: false, unsure: false, stretches: Vec::new(), doubtful: Vec::new() }
    }

    /// A window is down when under `down_below` of what completed in it was ok, or when nothing completed in it while
    /// something had been waiting since before it began and, where its step has a `within`, for longer than that. Where
    /// nothing completed and nothing waited so, it keeps the state of the one before.
    pub(super) fn close(&mut self, number: u64, second: Option<&Second>, plan: &Plan) -> DownSecond {
        let mut waiting_since = None;
        let mut kept = true;
        if let Some(second) = second {
            let counts = second.counts(&self.series);
            let completed = counts.base() + excess_shed(&counts, plan.limits.shed);
            if completed > 0 {
                kept = false;
                self.down = (counts.ok as f64) < plan.limits.down_below.as_f64() * completed as f64;
            } else if counts.shed == 0 {
                waiting_since = self.oldest_waiting(number, second, plan);
                kept = waiting_since.is_none();
                self.down |= waiting_since.is_some();
            }
        }
        self.unsure = second.is_some_and(|second| !second.lacks.is_empty()) || kept && self.unsure;
        if self.down {
            append(&mut self.stretches, number);
        }
        if self.unsure {
            append(&mut self.doubtful, number);
        }
        DownSecond { down: self.down, waiting_since: waiting_since.filter(|_| self.down) }
    }

    fn oldest_waiting(&self, number: u64, second: &Second, plan: &Plan) -> Option<At> {
        let (begin, end) = (begin_of(number), begin_of(number + 1));
        let mut oldest = None;
        for &index in &self.series {
            let Some(since) = second.cells.get(index).and_then(|cell| cell.oldest_waiting) else { continue };
            let within = plan
                .series
                .get(index)
                .and_then(|series| plan.steps.get(series.step.index()))
                .and_then(|step| step.within);
            if since < begin && within.is_none_or(|within| end.since(since) > within) {
                oldest = earlier(oldest, Some(since));
            }
        }
        oldest
    }

    pub(super) fn stretches(&self) -> impl Iterator<Item = Stretch> {
        self.stretches.iter().map(|&(from, to)| Stretch { from: begin_of(from), to: begin_of(to) })
    }

    pub(super) fn is_down(&self, second: u64) -> bool {
        holds(&self.stretches, second)
    }

    /// The same scope with every doubtful second taken for down, or for sound.
    pub(super) fn taking(&self, down: bool) -> Down {
        let all = self.stretches.iter().chain(&self.doubtful).flat_map(|&(from, to)| from..to);
        let all: BTreeSet<u64> = all.filter(|second| down || !holds(&self.doubtful, *second)).collect();
        let mut taken = Down::new(self.series.clone());
        all.into_iter().for_each(|second| append(&mut taken.stretches, second));
        taken
    }

    pub(super) fn is_doubtful(&self) -> bool {
        !self.doubtful.is_empty()
    }

    /// The down windows' total length within `window`.
    pub(super) fn downtime(&self, window: Stretch) -> Span {
        self.stretches().map(|down| overlap(down, window)).fold(Span::ZERO, |sum, span| sum + span)
    }
}

fn append(stretches: &mut Vec<(u64, u64)>, second: u64) {
    match stretches.last_mut() {
        Some((_, to)) if *to == second => *to = second + 1,
        _ => stretches.push((second, second + 1)),
    }
}

fn holds(stretches: &[(u64, u64)], second: u64) -> bool {
    stretches.iter().rev().any(|&(from, to)| from <= second && second < to)
}

/// How long two stretches overlap.
pub(super) fn overlap(a: Stretch, b: Stretch) -> Span {
    a.to.min(b.to).since(a.from.max(b.from))
}
