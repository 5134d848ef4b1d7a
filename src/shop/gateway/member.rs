//! One node as the gateway sees it: in, half open, leaving or out. Requests and health checks judge it alike.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::shop::args::Pick;
use crate::shop::client::Upstream;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Not heard of yet.
    New,
    In,
    /// Back on trial: a few requests at a time, and the first failure sends it out again.
    HalfOpen,
    /// It says that it is stopping; what it was given it still answers.
    Leaving,
    Out,
}

impl Place {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::In => "in",
            Self::HalfOpen => "half-open",
            Self::Leaving => "leaving",
            Self::Out => "out",
        }
    }
}

/// What a health check heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heard {
    /// With everything that the node needs.
    pub(super) ready: bool,
    pub(super) stopping: bool,
}

/// When a node goes out, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) eject_after: u32,
    pub(super) eject_for: Duration,
}

/// Requests that a node on trial is given at once, and successes that end the trial.
const TRIALS: usize = 4;
const PROVEN: u32 = 3;
const MOST_DOUBLINGS: u32 = 3;

#[derive(Debug)]
struct Standing {
    place: Place,
    failures: u32,
    proven: u32,
    /// Ejections since it last proved itself: each doubles the time out.
    doublings: u32,
    until: Option<Instant>,
    ready: bool,
    ejected: u64,
    /// When it last answered anything.
    answered: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) upstream: Arc<Upstream>,
    rules: Rules,
    standing: Mutex<Standing>,
    /// Counts ejections; whoever waits for an answer of this node can stop waiting.
    ejections: watch::Sender<u64>,
}

impl Member {
    pub(super) fn new(upstream: Arc<Upstream>, rules: Rules) -> Self {
        let standing = Standing {
            place: Place::New,
            failures: 0,
            proven: 0,
            doublings: 0,
            until: None,
            ready: false,
            ejected: 0,
            answered: None,
        };
        Self { upstream, rules, standing: Mutex::new(standing), ejections: watch::Sender::new(0) }
    }

    /// Whether it may be given a request now.
    pub(super) fn may_take(&self) -> bool {
        match self.place() {
            Place::In => true,
            Place::HalfOpen => self.outstanding() < TRIALS,
            Place::New | Place::Leaving | Place::Out => false,
        }
    }

    pub(super) fn outstanding(&self) -> usize {
        self.upstream.outstanding.load(Ordering::Relaxed)
    }

    pub(super) fn place(&self) -> Place {
        self.standing().place
    }

    /// Whether it can do its whole business, as far as it said.
    pub(super) fn is_ready(&self) -> bool {
        let standing = self.standing();
        standing.ready && matches!(standing.place, Place::In | Place::HalfOpen)
    }

    pub(super) fn ejected(&self) -> u64 {
        self.standing().ejected
    }

    pub(super) fn ejections(&self) -> watch::Receiver<u64> {
        self.ejections.subscribe()
    }

    /// It answered a request, whatever it said: it is alive.
    pub(super) fn answered(&self, now: Instant) {
        Self::prove(&mut self.standing(), now);
    }

    fn prove(standing: &mut Standing, now: Instant) {
        (standing.failures, standing.answered) = (0, Some(now));
        if standing.place == Place::HalfOpen {
            standing.proven += 1;
            if standing.proven >= PROVEN {
                (standing.place, standing.doublings) = (Place::In, 0);
            }
        }
    }

    /// A request or a check failed on its side: no connection, a broken one, or no answer in time.
    pub(super) fn failed(&self, now: Instant) {
        let mut standing = self.standing();
        standing.failures = standing.failures.saturating_add(1);
        let enough = standing.failures >= self.rules.eject_after;
        match standing.place {
            Place::HalfOpen => self.eject(&mut standing, now),
            Place::In | Place::Leaving if enough => self.eject(&mut standing, now),
            Place::New if enough => standing.place = Place::Out,
            Place::New | Place::In | Place::Leaving | Place::Out => (),
        }
    }

    /// No answer in time to what was asked at `began`. One that answered others meanwhile is alive: then it is what was
    /// asked that takes long, and no reason to do without the node.
    pub(super) fn late(&self, began: Instant, now: Instant) {
        let alive = self.standing().answered.is_some_and(|answered| answered > began);
        if !alive {
            self.failed(now);
        }
    }

    fn eject(&self, standing: &mut Standing, now: Instant) {
        let time = self.rules.eject_for.saturating_mul(1 << standing.doublings);
        standing.doublings = (standing.doublings + 1).min(MOST_DOUBLINGS);
        (standing.place, standing.until, standing.ready) = (Place::Out, Some(now + time), false);
        standing.ejected += 1;
        self.upstream.forget();
        self.ejections.send_modify(|count| *count += 1);
    }

    pub(super) fn checked(&self, heard: Heard, now: Instant) {
        let mut standing = self.standing();
        (standing.ready, standing.answered) = (heard.ready, Some(now));
        if heard.stopping {
            if standing.place != Place::Out {
                standing.place = Place::Leaving;
            }
            return;
        }
        match standing.place {
            Place::New => (standing.place, standing.failures) = (Place::In, 0),
            Place::Out if standing.until.is_some_and(|until| now < until) => (),
            Place::Out | Place::Leaving => {
                (standing.place, standing.proven, standing.failures) = (Place::HalfOpen, 0, 0);
            }
            Place::In | Place::HalfOpen => Self::prove(&mut standing, now),
        }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one to ask: as `pick` says among those that may take one, and new ones before those that were
/// `tried`. With nobody in, everybody is asked: a gateway that is sure that all are gone is more often wrong than right.
pub(super) fn choose<'a>(
    members: &'a [Arc<Member>],
    pick: Pick,
    tried: &[bool],
    turn: usize,
) -> Option<(usize, &'a Arc<Member>)> {
    let count = members.len().max(1);
    // Begun at another one each time, so that idle nodes share the work.
    let in_turn = (0..count).filter_map(|i| {
        let at = (turn % count + i) % count;
        members.get(at).map(|member| (at, member))
    });
    in_turn.min_by_key(|(at, member)| {
        let tried = tried.get(*at).copied().unwrap_or(false);
        let rank = match (member.may_take(), tried, member.place()) {
            (true, false, _) => 0,
            (true, true, _) => 1,
            (false, false, Place::Leaving) => 2,
            (false, false, _) => 3,
            (false, true, _) => 4,
        };
        let outstanding = match pick {
            Pick::Fewest => member.outstanding(),
            Pick::Turns => 0,
        };
        (rank, outstanding)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALIVE: Heard = Heard { ready: true, stopping: false };

    fn member() -> Arc<Member> {
        let upstream = Upstream::new("127.0.0.1:1", 4, Duration::from_millis(10));
        let rules = Rules { eject_after: 3, eject_for: Duration::from_millis(500) };
        Arc::new(Member::new(upstream, rules))
    }

    fn after(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn failures_in_a_row_eject_and_checks_bring_back_on_trial() {
        let (member, start) = (member(), Instant::now());
        assert!(!member.may_take());
        member.checked(ALIVE, start);
        assert!(member.may_take() && member.is_ready());
        member.failed(start);
        member.failed(start);
        member.answered(start);
        member.failed(start);
        member.failed(start);
        assert_eq!(member.place(), Place::In, "the answer began a new row");
        member.failed(start);
        assert_eq!((member.place(), *member.ejections().borrow()), (Place::Out, 1));

        member.checked(ALIVE, after(start, 499));
        assert_eq!(member.place(), Place::Out);
        member.checked(ALIVE, after(start, 500));
        assert_eq!(member.place(), Place::HalfOpen);
        member.failed(after(start, 600));
        assert_eq!(member.place(), Place::Out, "one failure is enough on trial");
        member.checked(ALIVE, after(start, 1599));
        assert_eq!(member.place(), Place::Out, "twice as long the second time");
        member.checked(ALIVE, after(start, 1600));
        for _ in 0..3 {
            assert_eq!(member.place(), Place::HalfOpen);
            member.answered(start);
        }
        assert_eq!(member.place(), Place::In);
        assert_eq!(member.ejected(), 2);
    }

    #[test]
    fn slow_answers_of_one_that_answers_others_are_no_reason_to_leave_it_out() {
        let (member, start) = (member(), Instant::now());
        member.checked(ALIVE, start);
        member.answered(after(start, 500));
        (0..9).for_each(|_| member.late(start, after(start, 1000)));
        assert_eq!(member.place(), Place::In);
        (0..3).for_each(|_| member.late(after(start, 600), after(start, 1600)));
        assert_eq!(member.place(), Place::Out, "it answered nobody since");
    }

    #[test]
    fn one_that_stops_gets_no_more_and_one_without_its_store_still_does() {
        let (member, now) = (member(), Instant::now());
        member.checked(Heard { ready: false, stopping: false }, now);
        assert!(member.may_take() && !member.is_ready());
        member.checked(Heard { ready: false, stopping: true }, now);
        assert!(!member.may_take());
        assert_eq!(member.place(), Place::Leaving);
        member.checked(ALIVE, now);
        assert_eq!(member.place(), Place::HalfOpen);
    }

    #[test]
    fn the_least_busy_is_chosen_and_everybody_when_nobody_is_in() {
        let (members, now) = ([member(), member(), member()], Instant::now());
        assert!(choose(&members, Pick::Fewest, &[false; 3], 0).is_some(), "nobody is in");
        members.iter().for_each(|member| member.checked(ALIVE, now));
        members[0].upstream.outstanding.store(2, Ordering::Relaxed);
        members[1].upstream.outstanding.store(1, Ordering::Relaxed);
        members[2].upstream.outstanding.store(1, Ordering::Relaxed);
        assert_eq!(
            choose(&members, Pick::Turns, &[false; 3], 0).map(|(at, _)| at),
            Some(0),
            "in its turn, busy or not"
        );
        assert_eq!(choose(&members, Pick::Fewest, &[false; 3], 1).map(|(at, _)| at), Some(1));
        assert_eq!(choose(&members, Pick::Fewest, &[false; 3], 2).map(|(at, _)| at), Some(2));
        assert_eq!(choose(&members, Pick::Fewest, &[false, true, true], 2).map(|(at, _)| at), Some(0));
        (0..3).for_each(|_| members[1].failed(now));
        assert_eq!(choose(&members, Pick::Fewest, &[false, false, true], 1).map(|(at, _)| at), Some(0));
        assert_eq!(choose(&members, Pick::Fewest, &[true, false, true], 1).map(|(at, _)| at), Some(2), "in before out");
        assert!(choose(&[], Pick::Fewest, &[], 7).is_none());
    }
}
