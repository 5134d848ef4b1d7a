use serde::{Deserialize, Serialize};

use super::{JourneyId, PhaseId};
use crate::base::units::{At, Span};

/// The users of a closed load: each goes through one journey after another, from its launch until it ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Users {
    pub stages: Vec<UserStage>,
    /// From the start of a user's journey to the start of its next one, at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace: Option<Span>,
    /// What each does once, before its first journey; again until it is ok.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<JourneyId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Refresh>,
}

/// What a user does between two journeys when so long has passed since it did it last, or since its launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refresh {
    pub every: Span,
    pub journey: JourneyId,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserStage {
    pub kind: UserStageKind,
    pub phase: Option<PhaseId>,
}

/// How many users there are; every default ("the level so far") is settled here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserStageKind {
    Ramp {
        from: u32,
        to: u32,
        span: Span,
    },
    Hold {
        users: u32,
        span: Span,
    },
    /// From `from` to `to` in steps of `by` (the last one may be shorter), each held for `every`; both ends are held.
    Stairs {
        from: u32,
        to: u32,
        by: u32,
        every: Span,
    },
    /// From `from` up to `to` in `rise`, held for `hold`, and back in `fall`.
    Spike {
        from: u32,
        to: u32,
        rise: Span,
        hold: Span,
        fall: Span,
    },
}

/// When one user is there: it is launched at `from`, and begins no journey at `until` or later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    pub from: At,
    pub until: At,
}

/// A stretch in which the number of users goes straight from one level to another.
#[derive(Debug, Clone, Copy)]
struct Line {
    from: u32,
    to: u32,
    span: Span,
}

impl UserStageKind {
    pub fn span(self) -> Span {
        self.lines().map(|line| line.span).fold(Span::ZERO, |sum, span| sum + span)
    }

    /// The level that it leaves off at: where a next stage begins that does not say.
    pub fn last(self) -> u32 {
        match self {
            UserStageKind::Ramp { to, .. } | UserStageKind::Stairs { to, .. } => to,
            UserStageKind::Hold { users, .. } => users,
            UserStageKind::Spike { from, .. } => from,
        }
    }

    pub fn peak(self) -> u32 {
        self.lines().map(|line| line.from.max(line.to)).max().unwrap_or(0)
    }

    fn lines(self) -> impl Iterator<Item = Line> {
        let line = |from, to, span| Line { from, to, span };
        let (few, steps) = match self {
            UserStageKind::Ramp { from, to, span } => (vec![line(from, to, span)], None),
            UserStageKind::Hold { users, span } => (vec![line(users, users, span)], None),
            UserStageKind::Spike { from, to, rise, hold, fall } => {
                (vec![line(from, to, rise), line(to, to, hold), line(to, from, fall)], None)
            }
            UserStageKind::Stairs { from, to, by, every } => {
                let by = by.max(1);
                let steps = (0..=from.abs_diff(to).div_ceil(by)).map(move |step| {
                    let moved = step.saturating_mul(by).min(from.abs_diff(to));
                    let level = if to < from { from - moved } else { from + moved };
                    Line { from: level, to: level, span: every }
                });
                (Vec::new(), Some(steps))
            }
        };
        few.into_iter().chain(steps.into_iter().flatten())
    }
}

impl Users {
    /// When each user is there, in the order of their launches: user u is the u-th of these.
    ///
    /// At every instant there are as many as the planned level, rounded: one comes where the level rises through j + ½, and
    /// one goes where it falls through it, to the nanosecond. Who came last goes first. All go with the last stage.
    pub fn lives(&self, start: At) -> Vec<Life> {
        let (mut lives, mut there): (Vec<Life>, Vec<usize>) = (Vec::new(), Vec::new());
        let mut at = start;
        for line in self.stages.iter().flat_map(|stage| stage.kind.lines()) {
            step(line.from, at, &mut lives, &mut there);
            let levels = line.from.abs_diff(line.to);
            for moved in 0..levels {
                // Half-way from one whole level to the next.
                let part = u128::from(line.span.as_nanos()) * u128::from(2 * u64::from(moved) + 1);
                let nanos = part.div_ceil(u128::from(2 * u64::from(levels)));
                let crossed = at + Span::nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
                let level = if line.to < line.from { line.from - moved - 1 } else { line.from + moved + 1 };
                step(level, crossed, &mut lives, &mut there);
            }
            at = at + line.span;
        }
        step(0, at, &mut lives, &mut there);
        lives
    }

    /// How many users there are at the most.
    pub fn peak(&self) -> u32 {
        self.stages.iter().map(|stage| stage.kind.peak()).max().unwrap_or(0)
    }

    /// How many users come in all, as long as they are not too many to be counted.
    pub fn count(&self) -> u64 {
        let (mut level, mut count) = (0, 0u64);
        for line in self.stages.iter().flat_map(|stage| stage.kind.lines()) {
            for next in [line.from, line.to] {
                count += u64::from(next.saturating_sub(level));
                level = next;
            }
        }
        count
    }

    /// How many journeys they begin at the most; unknown where nothing keeps a user from hurrying.
    pub fn most_journeys(&self, start: At) -> Option<u64> {
        let pace = self.pace.filter(|pace| *pace > Span::ZERO)?;
        let lives = self.lives(start);
        let turns = |life: &Life| life.until.since(life.from).as_nanos().div_ceil(pace.as_nanos());
        // Their numbers have gaps: those of users who were there for a shorter time.
        let most = lives.iter().map(turns).max().unwrap_or(0);
        Some(most.saturating_mul(lives.len() as u64))
    }
}

/// Brings the number of users to `level`.
fn step(level: u32, at: At, lives: &mut Vec<Life>, there: &mut Vec<usize>) {
    while there.len() < level as usize {
        there.push(lives.len());
        lives.push(Life { from: at, until: at });
    }
    while there.len() > level as usize {
        if let Some(life) = there.pop().and_then(|gone| lives.get_mut(gone)) {
            life.until = at;
        }
    }
}

/// How many of `lives` are there at an instant.
pub fn present(lives: &[Life], at: At) -> u64 {
    lives.iter().filter(|life| life.from <= at && at < life.until).count() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stage() -> impl Strategy<Value = UserStageKind> {
        let span = (1u64..5_000_000_000).prop_map(Span::nanos);
        prop_oneof![
            (0u32..60, 0u32..60, span.clone()).prop_map(|(from, to, span)| UserStageKind::Ramp { from, to, span }),
            (0u32..60, span.clone()).prop_map(|(users, span)| UserStageKind::Hold { users, span }),
            (0u32..60, 0u32..60, 1u32..20, span.clone())
                .prop_map(|(from, to, by, every)| { UserStageKind::Stairs { from, to, by, every } }),
            (0u32..60, 0u32..60, span.clone(), span.clone(), span)
                .prop_map(|(from, to, rise, hold, fall)| { UserStageKind::Spike { from, to, rise, hold, fall } }),
        ]
    }

    fn users(kinds: Vec<UserStageKind>) -> Users {
        let stages = kinds.into_iter().map(|kind| UserStage { kind, phase: None }).collect();
        Users { stages, pace: None, first: None, refresh: None }
    }

    /// The planned level at an instant, in halves of nanoseconds of the line it lies in: (numerator, denominator).
    fn level(users: &Users, start: At, at: At) -> Option<(i128, i128)> {
        let mut from = start;
        for line in users.stages.iter().flat_map(|stage| stage.kind.lines()) {
            let to = from + line.span;
            if from <= at && at < to {
                let nanos = i128::from(line.span.as_nanos());
                let gone = i128::from(at.since(from).as_nanos());
                let rise = i128::from(line.to) - i128::from(line.from);
                return Some((i128::from(line.from) * nanos + rise * gone, nanos));
            }
            from = to;
        }
        None
    }

    proptest! {
        #[test]
        fn there_are_always_as_many_as_the_level_rounded(
            kinds in prop::collection::vec(stage(), 1..6),
            start in 0u64..3_000_000_000,
            looks in prop::collection::vec(0.0f64..1.0, 1..40),
        ) {
            let (users, start) = (users(kinds), At(start));
            let lives = users.lives(start);
            prop_assert_eq!(lives.len() as u64, users.count());
            prop_assert!(lives.windows(2).all(|pair| pair[0].from <= pair[1].from), "in the order of their launches");
            let span: u64 = users.stages.iter().map(|stage| stage.kind.span().as_nanos()).sum();
            let end = At(start.as_nanos() + span);
            prop_assert!(lives.iter().all(|life| life.from <= life.until && life.until <= end));
            for look in looks {
                let at = At(start.as_nanos() + (span as f64 * look) as u64);
                let Some((level, of)) = level(&users, start, at) else { continue };
                let present = i128::from(present(&lives, at));
                // |present − level| ≤ ½, without a division.
                prop_assert!(2 * (present * of - level).abs() <= of, "{present} at {at:?}, planned {level}/{of}");
            }
        }
    }

    #[test]
    fn a_ramp_launches_in_fractions_of_a_second() {
        let users = users(vec![UserStageKind::Ramp { from: 0, to: 4, span: Span::seconds(2) }]);
        let launched: Vec<u64> = users.lives(At(1)).iter().map(|life| life.from.as_nanos() - 1).collect();
        assert_eq!(launched, [250_000_000, 750_000_000, 1_250_000_000, 1_750_000_000]);
    }

    #[test]
    fn who_came_last_goes_first_and_who_comes_again_is_another() {
        let span = Span::seconds(2);
        let hold = |users| UserStageKind::Hold { users, span };
        let lives = users(vec![hold(2), hold(1), hold(2)]).lives(At::START);
        let at = |seconds: u64| At(Span::seconds(seconds).0);
        let life = |from, until| Life { from: at(from), until: at(until) };
        assert_eq!(lives, [life(0, 6), life(0, 2), life(4, 6)]);
    }

    #[test]
    fn a_pace_says_how_many_journeys_there_can_be() {
        let hold = UserStageKind::Hold { users: 3, span: Span::seconds(10) };
        let paced = |pace| Users { pace, ..users(vec![hold]) }.most_journeys(At::START);
        assert_eq!(paced(Some(Span::seconds(4))), Some(9));
        assert_eq!((paced(None), paced(Some(Span::ZERO))), (None, None));
    }
}
