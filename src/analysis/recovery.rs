//! How a fault broke a steady state, and the way back: breach and recovered.

use super::condition::earliest_since;
use super::seconds::{begin_of, earlier};
use super::steady::{Held, Steady, SteadySecond};
use super::{Figure, Recovery, Standing, Stretch};
use crate::base::units::{At, Span};
use crate::plan::{FaultId, Quantity, SteadyId};

/// One fault against one steady state.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) fault: FaultId,
    pub(super) steady: SteadyId,
    pub(super) ordered: At,
    pub(super) healed: Option<At>,
    pub(super) breach: Option<At>,
    pub(super) recovered: Option<At>,
    reopened: u32,
    /// Broken now.
    open: bool,
    held: Held,
    last_miss: u64,
    /// Left to the platform: it may come back until it has held for two holds.
    platform: bool,
    pub(super) effective: Option<At>,
    calm: Held,
    /// When it had.
    closed: Option<At>,
    hold: Span,
    /// From *ordered* to here every instant lies in a window that was not unknown.
    seen_to: At,
}

impl Track {
    pub(super) fn new(fault: FaultId, steady: &Steady, ordered: At, platform: bool) -> Track {
        Track {
            fault,
            steady: steady.id(),
            ordered,
            healed: None,
            breach: None,
            recovered: None,
            reopened: 0,
            open: false,
            held: Held::default(),
            last_miss: 0,
            platform,
            effective: None,
            calm: Held::default(),
            closed: None,
            hold: steady.hold(),
            seen_to: ordered,
        }
    }

    /// Looks at the window that has just been closed; true when it is a miss of this fault's.
    pub(super) fn close(&mut self, window: &SteadySecond, steady: &Steady) -> bool {
        let end = begin_of(window.number + 1);
        if end <= self.ordered {
            return false;
        }
        let vouched_from = begin_of((window.number + 1).saturating_sub(steady.vouches()));
        if window.standing != Standing::Unknown && vouched_from <= self.seen_to {
            self.seen_to = end;
        }
        let misses = window.standing == Standing::Misses;
        if self.effective.is_some_and(|effective| begin_of(window.number) >= effective) {
            self.calm.next(window.standing, steady.over());
        }
        if self.closed.is_none() && self.calm.for_seconds(2 * steady.hold_seconds()) {
            self.closed = Some(end);
        }
        if misses && !self.open {
            // A miss that begins before healed + hold opens or reopens it; a later one belongs to no fault.
            let is_over = match self.platform {
                true => self.closed.is_some(),
                false => self.healed.is_some_and(|healed| window.begin >= healed + steady.hold()),
            };
            if is_over {
                return false;
            }
            self.open = true;
            if self.recovered.take().is_some() {
                self.reopened += 1;
            }
        }
        if !self.open {
            return false;
        }
        if misses {
            self.last_miss = window.number;
            self.breach = earlier(self.breach, Some(self.instant(window)));
        }
        self.held.next(window.standing, steady.over());
        if self.held.for_seconds(steady.hold_seconds()) {
            self.open = false;
            self.held = Held::default();
            self.recovered = Some(steady.hurt_until(self.last_miss).max(self.breach.unwrap_or(self.ordered)));
        }
        misses
    }

    /// The earliest *planned*, not before *ordered*, of those who count against a window that misses. Those who were in
    /// flight at *ordered* were hurt then.
    fn instant(&self, window: &SteadySecond) -> At {
        let waiting = window.waiting_since.map(|since| since.max(self.ordered));
        let counted = earliest_since(&window.against, self.ordered);
        earlier(waiting, counted).unwrap_or_else(|| {
            // Nobody was planned since: hurt in flight, or the measure counts nobody.
            let second = if window.against.is_empty() { begin_of(window.number) } else { At::START };
            second.max(self.ordered)
        })
    }

    /// When it was over; none while it is broken. A fault without a breach ends at *healed*, or as it began where it was left to
    /// the platform and the steady state held for two holds.
    pub(super) const fn end(&self) -> Option<At> {
        match (self.breach, self.platform, self.closed) {
            (Some(_), ..) => self.recovered,
            (None, false, _) => self.healed,
            (None, true, Some(_)) => Some(self.ordered),
            (None, true, None) => None,
        }
    }

    /// Where a breach would not have been seen: none after a breach, or when the windows from *ordered* to *healed* + hold
    /// were known, but for gaps that the sliding of the windows bridges. Their resolution is one window.
    fn unseen(&self, watched_to: At) -> Option<Stretch> {
        let over = if self.platform { self.closed } else { self.healed.map(|healed| healed + self.hold) };
        let to = over.unwrap_or(watched_to);
        let seen = over.is_some() && self.seen_to + Span::SECOND >= to;
        (self.breach.is_none() && !seen).then_some(Stretch { from: self.seen_to, to: to.max(self.seen_to) })
    }

    pub(super) fn recovery(&self, watched_to: At, between: impl Fn(At, At) -> Between) -> Recovery {
        let times = times(self.ordered, self.breach, self.end(), watched_to);
        let unseen = self.unseen(watched_to);
        let between = match self.breach {
            Some(breach) => between(breach, self.recovered.unwrap_or(watched_to)),
            None => Between::default(),
        };
        Recovery {
            to: self.steady,
            breach: self.breach,
            recovered: self.end(),
            reopened: self.reopened,
            time: times.0.filter(|_| unseen.is_none()),
            since_ordered: times.1.filter(|_| unseen.is_none()),
            unseen,
            degraded: between.degraded,
            down: between.down,
            kept: between.kept,
        }
    }
}

/// What became of the seconds from a breach to the recovery.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Between {
    pub(super) degraded: Span,
    pub(super) down: Span,
    pub(super) kept: Option<crate::base::units::Share>,
}

/// Recovered − breach and recovered − ordered; "more than" where watching ended before, 0 without a breach.
pub(super) fn times(
    ordered: At,
    breach: Option<At>,
    end: Option<At>,
    watched_to: At,
) -> (Option<Figure>, Option<Figure>) {
    let exactly = |span: Span| Some(Figure::Exactly(Quantity::Span(span)));
    let more = |span: Span| Some(Figure::MoreThan(Quantity::Span(span)));
    match (breach, end) {
        (Some(breach), Some(end)) => (exactly(end.since(breach)), exactly(end.since(ordered))),
        (Some(breach), None) => (more(watched_to.since(breach)), more(watched_to.since(ordered))),
        (None, Some(end)) => (exactly(Span::ZERO), exactly(end.since(ordered))),
        (None, None) => (exactly(Span::ZERO), None),
    }
}
