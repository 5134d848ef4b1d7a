//! Steady states: what must hold before the first fault, and again before a recovery counts.

use super::condition::{Judged, Watched};
use super::down::DownSecond;
use super::seconds::{Seconds, begin_of, whole_seconds};
use super::vitals::Vitals;
use super::{Standing, StandingRun, SteadyFigures, Stretch, Tight};
use crate::base::units::{At, Share, Span};
use crate::plan::{Plan, SteadyId, SteadyState};
use crate::record::Against;

/// Before the first fault it must have held for its `hold` at some time in so long.
const LOOK_BACK: Span = Span::seconds(30);

/// One steady state, second by second.
#[derive(Debug)]
pub(super) struct Steady {
    id: SteadyId,
    must: Vec<Watched>,
    hold: Span,
    /// The longest of its sliding windows, in seconds.
    over: u64,
    stretch: Held,
    standing: Standing,
    first_held: Option<At>,
    last_held: Option<At>,
    runs: Vec<StandingRun>,
    /// What each second was by itself, from `first` on.
    alone: Vec<Alone>,
    first: u64,
    stray: Vec<(u64, u64)>,
    /// For each condition: how many counted against it in sound time, of how many.
    sound: Vec<(u64, u64)>,
}

/// How long it has met without a miss.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Held {
    meets: u64,
    unknown: u64,
}

impl Held {
    /// Unknown windows add nothing; more than `over` of them in a row restart it.
    pub(super) fn next(&mut self, standing: Standing, over: u64) {
        match standing {
            Standing::Meets => *self = Held { meets: self.meets + 1, unknown: 0 },
            Standing::Misses => *self = Held::default(),
            Standing::Unknown => {
                self.unknown += 1;
                if self.unknown > over {
                    self.meets = 0;
                }
            }
        }
    }

    pub(super) fn for_seconds(self, hold: u64) -> bool {
        self.meets >= hold
    }
}

/// What one second was by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alone {
    Clean,
    /// Something counted against it, not enough to miss.
    Touched,
    /// Missed by itself, or was down.
    Missed,
}

/// What the sliding window that ends with one second came to.
#[derive(Debug, Clone)]
pub(super) struct SteadySecond {
    pub(super) number: u64,
    pub(super) standing: Standing,
    /// Where the window that misses begins.
    pub(super) begin: At,
    /// Who counts against it, in the conditions that miss.
    pub(super) against: Against,
    /// In a down window in which nothing completed: the oldest that waited.
    pub(super) waiting_since: Option<At>,
}

impl Steady {
    pub(super) fn new(plan: &Plan, index: usize, state: &SteadyState) -> Steady {
        let must: Vec<Watched> = state.must.iter().map(|condition| Watched::new(plan, condition)).collect();
        Steady {
            id: SteadyId::at(index),
            hold: state.hold,
            over: must.iter().map(Watched::over).max().unwrap_or(5),
            stretch: Held::default(),
            standing: Standing::Unknown,
            first_held: None,
            last_held: None,
            runs: Vec::new(),
            alone: Vec::new(),
            first: 0,
            stray: Vec::new(),
            sound: vec![(0, 0); must.len()],
            must,
        }
    }

    pub(super) fn must(&self) -> &[Watched] {
        &self.must
    }

    pub(super) const fn id(&self) -> SteadyId {
        self.id
    }

    pub(super) const fn hold(&self) -> Span {
        self.hold
    }

    pub(super) fn hold_seconds(&self) -> u64 {
        whole_seconds(self.hold)
    }

    pub(super) const fn over(&self) -> u64 {
        self.over
    }

    /// What a window that is not unknown vouches for: the shortest of its sliding windows.
    pub(super) fn vouches(&self) -> u64 {
        self.must.iter().map(Watched::over).min().unwrap_or(self.over)
    }

    pub(super) const fn standing(&self) -> Standing {
        self.standing
    }

    /// Whether it had held for its `hold` at some time in the 30 s before `at`.
    pub(super) fn held_before(&self, at: At) -> bool {
        self.last_held.is_some_and(|held| held + LOOK_BACK >= at)
    }

    /// Looks at the second that has just been closed. A down window misses every steady state; `down_against` are those
    /// who count against it. `sound`: no fault has been ordered yet.
    pub(super) fn close(
        &mut self,
        number: u64,
        seconds: &Seconds,
        vitals: &Vitals,
        down: DownSecond,
        down_against: &Against,
        sound: bool,
    ) -> SteadySecond {
        let end = begin_of(number + 1);
        let mut standing = Standing::Meets;
        let mut begin = end;
        let mut against = Against::default();
        let mut alone = Alone::Clean;
        for (must, sound_counts) in self.must.iter().zip(&mut self.sound) {
            let window = must.slide(seconds, vitals, number);
            match window.standing() {
                Standing::Meets => {}
                Standing::Unknown if standing == Standing::Misses => {}
                Standing::Unknown => standing = Standing::Unknown,
                Standing::Misses => {
                    standing = Standing::Misses;
                    begin = begin.min(begin_of((number + 1).saturating_sub(must.over())));
                    against.merge(&window.against);
                }
            }
            let by_itself = must.alone(seconds, vitals, number);
            alone = worse(alone, &by_itself);
            if sound && let Some(counted) = by_itself.counted() {
                sound_counts.0 += counted;
                sound_counts.1 += by_itself.samples;
            }
        }
        if down.down {
            standing = Standing::Misses;
            alone = Alone::Missed;
            begin = begin.min(begin_of(number));
            against.merge(down_against);
        }
        self.remember(number, standing, alone);
        SteadySecond { number, standing, begin, against, waiting_since: down.waiting_since }
    }

    fn remember(&mut self, number: u64, standing: Standing, alone: Alone) {
        self.standing = standing;
        if self.alone.is_empty() {
            self.first = number;
        }
        self.alone.push(alone);
        match self.runs.last_mut() {
            Some(run) if run.standing == standing && run.to == number => run.to = number + 1,
            _ => self.runs.push(StandingRun { from: number, to: number + 1, standing }),
        }
        self.stretch.next(standing, self.over);
        if self.stretch.for_seconds(self.hold_seconds()) {
            let end = begin_of(number + 1);
            self.first_held.get_or_insert(end);
            self.last_held = Some(end);
        }
    }

    /// A miss that belongs to no fault.
    pub(super) fn note_stray(&mut self, number: u64) {
        match self.stray.last_mut() {
            Some((_, to)) if *to == number => *to = number + 1,
            _ => self.stray.push((number, number + 1)),
        }
    }

    /// The end of the last second that misses by itself in the sliding window that ends with `last`; where none does, of
    /// the last one with anything against it.
    pub(super) fn hurt_until(&self, last: u64) -> At {
        let from = (last + 1).saturating_sub(self.over);
        let of = |what: Alone| (from..=last).rev().find(|&second| self.alone_at(second) == Some(what));
        begin_of(of(Alone::Missed).or_else(|| of(Alone::Touched)).unwrap_or(last) + 1)
    }

    fn alone_at(&self, second: u64) -> Option<Alone> {
        self.alone.get(usize::try_from(second.checked_sub(self.first)?).ok()?).copied()
    }

    pub(super) fn figures(self, before_fault: Option<bool>) -> SteadyFigures {
        let tight = self.must.iter().zip(&self.sound).enumerate().filter_map(|(index, (must, &(counted, of)))| {
            let allowed = must.allowed()?;
            let share = counted as f64 / of as f64;
            (of > 0 && share > allowed / 3.0).then_some(Tight {
                must: index,
                share: Share(share),
                allowed: Share(allowed),
            })
        });
        SteadyFigures {
            steady: self.id,
            held: self.first_held,
            before_fault,
            tight: tight.collect(),
            stray: self.stray.iter().map(|&(from, to)| Stretch { from: begin_of(from), to: begin_of(to) }).collect(),
            runs: self.runs,
        }
    }
}

fn worse(alone: Alone, judged: &Judged) -> Alone {
    match (alone, judged.standing(), judged.counted()) {
        (_, Standing::Misses, _) | (Alone::Missed, _, _) => Alone::Missed,
        (_, _, Some(1..)) => Alone::Touched,
        _ => alone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_windows_add_nothing_and_too_many_restart_a_hold() {
        use Standing::{Meets, Misses, Unknown};
        let after = |standings: &[Standing]| {
            let mut held = Held::default();
            standings.iter().for_each(|standing| held.next(*standing, 2));
            held.meets
        };
        assert_eq!(after(&[Meets, Meets, Unknown, Unknown, Meets]), 3);
        assert_eq!(after(&[Meets, Meets, Unknown, Unknown, Unknown, Meets]), 1);
        assert_eq!(after(&[Meets, Misses, Meets]), 1);
    }
}
