//! Down windows: seconds in which the platform did not do its work.

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
    /// [from, to) in seconds.
    stretches: Vec<(u64, u64)>,
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
        Down { series, down: false, stretches: Vec::new() }
    }

    /// A window is down when under `down_below` of what completed in it was ok, or when nothing completed in it while
    /// something had been waiting since before it began and, where its step has a `within`, for longer than that. Where
    /// nothing completed and nothing waited so, it keeps the state of the one before.
    pub(super) fn close(&mut self, number: u64, second: Option<&Second>, plan: &Plan) -> DownSecond {
        let mut waiting_since = None;
        if let Some(second) = second {
            let counts = second.counts(&self.series);
            let completed = counts.base() + excess_shed(&counts, plan.limits.shed);
            if completed > 0 {
                self.down = (counts.ok as f64) < plan.limits.down_below.as_f64() * completed as f64;
            } else if counts.shed == 0 {
                waiting_since = self.oldest_waiting(number, second, plan);
                self.down |= waiting_since.is_some();
            }
        }
        if self.down {
            match self.stretches.last_mut() {
                Some((_, to)) if *to == number => *to = number + 1,
                _ => self.stretches.push((number, number + 1)),
            }
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
        self.stretches.iter().rev().any(|&(from, to)| from <= second && second < to)
    }

    /// The down windows' total length within `window`.
    pub(super) fn downtime(&self, window: Stretch) -> Span {
        self.stretches().map(|down| overlap(down, window)).fold(Span::ZERO, |sum, span| sum + span)
    }
}

/// How long two stretches overlap.
pub(super) fn overlap(a: Stretch, b: Stretch) -> Span {
    a.to.min(b.to).since(a.from.max(b.from))
}
