use serde::{Deserialize, Serialize};

use super::arrivals::Schedule;
use super::{JourneyId, LoadId, PhaseId, Replay, Search, StepId, Users};
use crate::base::units::{At, Rate, Share, Span, Text};

/// One load. Open: visits that begin at planned instants, whatever the platform does. Closed: `users` who each begin a
/// journey when the one before is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    pub name: String,
    pub title: Text,
    /// Journeys and their weights, each over 0.
    pub mix: Vec<(JourneyId, f64)>,
    pub spacing: Spacing,
    pub start: At,
    pub stages: Vec<Stage>,
    /// The arrivals of a log, in place of stages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Replay>,
    /// Trials in place of stages, decided while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
    /// Users in place of arrivals: a closed load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<Users>,
}

/// What some of a load's visits are there for: the mix, a user's first steps, or what it does again and again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Role {
    pub journeys: Vec<JourneyId>,
    /// How many such visits there are at the most; of users without a pace, without end.
    pub most: u64,
}

impl Role {
    pub const MIX: usize = 0;
    pub const FIRST: usize = 1;
    pub const REFRESH: usize = 2;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spacing {
    /// At equal steps of the planned curve.
    Even,
    /// As independent visitors come.
    Poisson,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    pub kind: StageKind,
    pub phase: Option<PhaseId>,
}

/// Every default ("the level so far") is settled here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StageKind {
    Ramp {
        from: Rate,
        to: Rate,
        span: Span,
    },
    Hold {
        rate: Rate,
        span: Span,
    },
    /// From `from` to `to` in steps of `by` (the last one may be shorter), each held for `every`; both ends are held.
    Stairs {
        from: Rate,
        to: Rate,
        by: Rate,
        every: Span,
    },
    /// From `from` up to `to` in `rise`, held for `hold`, and back in `fall`.
    Spike {
        from: Rate,
        to: Rate,
        rise: Span,
        hold: Span,
        fall: Span,
    },
    /// Day and night: mean + amplitude · sin(2π · t / period), t from the stage's start. It begins at the mean, going up.
    Wave {
        mean: Rate,
        /// At most the mean.
        amplitude: Rate,
        period: Span,
        span: Span,
    },
    /// Exactly `count` arrivals on top of `level`, evenly over `spread`; over zero: all at one instant.
    Burst {
        level: Rate,
        count: u64,
        spread: Span,
    },
    /// Straight from one point to the next; two of one instant are a step. The first lies at zero.
    Points {
        /// The file that they were read from, as named in the scenario.
        file: String,
        points: Vec<(Span, Rate)>,
    },
}

/// A flight of stairs is cut off here, whatever a plan says.
const MOST_LEVELS: f64 = 100_000.0;

impl StageKind {
    pub fn span(&self) -> Span {
        match *self {
            StageKind::Ramp { span, .. } | StageKind::Hold { span, .. } => span,
            StageKind::Stairs { every, .. } => every.saturating_mul(self.levels().count() as u64),
            StageKind::Spike { rise, hold, fall, .. } => rise + hold + fall,
            StageKind::Wave { span, .. } => span,
            StageKind::Burst { spread, .. } => spread,
            StageKind::Points { ref points, .. } => points.last().map_or(Span::ZERO, |(at, _)| *at),
        }
    }

    /// The rate that it leaves off at: where a next stage begins that does not say.
    pub fn last_rate(&self) -> Rate {
        match *self {
            StageKind::Ramp { to, .. } | StageKind::Stairs { to, .. } => to,
            StageKind::Hold { rate, .. } => rate,
            StageKind::Spike { from, .. } => from,
            StageKind::Wave { mean, amplitude, period, span } => {
                Rate::per_second(wave_at(mean.as_per_second(), amplitude.as_per_second(), period, span))
            }
            StageKind::Burst { level, .. } => level,
            StageKind::Points { ref points, .. } => points.last().map_or(Rate::ZERO, |(_, rate)| *rate),
        }
    }

    /// The levels that are held one after another: those of stairs; one for any other stage, its last.
    pub fn levels(&self) -> impl Iterator<Item = Rate> + use<> {
        let (from, to, by) = match *self {
            StageKind::Stairs { from, to, by, .. } => (from.as_per_second(), to.as_per_second(), by.as_per_second()),
            _ => (self.last_rate().as_per_second(), self.last_rate().as_per_second(), 1.0),
        };
        // A hair less, so that 0.3 in steps of 0.1 is three steps and not four.
        let steps = ((to - from).abs() / by * (1.0 - 1e-12)).ceil();
        let steps = if steps.is_finite() { steps.min(MOST_LEVELS) as u32 } else { 0 };
        let sign = if to < from { -1.0 } else { 1.0 };
        (0..steps)
            .map(move |step| Rate::per_second(from + sign * by * f64::from(step)))
            .chain(std::iter::once(Rate::per_second(to)))
    }
}

/// The rate of a wave, `at` from its start.
pub(super) fn wave_at(mean: f64, amplitude: f64, period: Span, at: Span) -> f64 {
    let turned = (at.as_nanos() % period.as_nanos().max(1)) as f64 / period.as_nanos().max(1) as f64;
    mean + amplitude * (std::f64::consts::TAU * turned).sin()
}

impl Load {
    /// When each stage begins and ends.
    pub fn stage_times(&self) -> impl Iterator<Item = (At, At)> {
        let mut next = self.start;
        let users = self.users.iter().flat_map(|users| &users.stages).map(|stage| stage.kind.span());
        self.stages.iter().map(|stage| stage.kind.span()).chain(users).map(move |span| {
            let from = next;
            next = next + span;
            (from, next)
        })
    }

    /// Every journey that its visits go through: those of its mix, and what users do beside them.
    pub fn journeys(&self) -> impl Iterator<Item = JourneyId> {
        let users = self.users.iter();
        let beside =
            users.flat_map(|users| users.first.into_iter().chain(users.refresh.map(|refresh| refresh.journey)));
        self.mix.iter().map(|(journey, _)| *journey).chain(beside)
    }

    /// By what its visits are there for; those of each role are numbered from 0.
    pub fn roles(&self) -> [Role; 3] {
        let most = Schedule::new(self, 0, LoadId(0)).most();
        let mix = Role { journeys: self.mix.iter().map(|(journey, _)| *journey).collect(), most };
        let users = self.users.as_ref();
        let first = users.and_then(|users| Some(Role { journeys: vec![users.first?], most: users.count() }));
        // At most once before each journey of the mix.
        let refresh = users.and_then(|users| Some(Role { journeys: vec![users.refresh?.journey], most }));
        [mix, first.unwrap_or_default(), refresh.unwrap_or_default()]
    }

    /// Whether its visits begin when users are free, and not at instants.
    pub fn is_closed(&self) -> bool {
        self.users.is_some()
    }

    /// The end of the last stage; of a search, the latest that it can have.
    pub fn end(&self) -> At {
        if let Some(replay) = &self.replay {
            return self.start + replay.span();
        }
        if let Some(search) = &self.search {
            return self.start + search.longest();
        }
        self.stage_times().last().map_or(self.start, |(_, end)| end)
    }
}

/// A named stretch of the drill that targets are judged over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    pub name: String,
    pub title: Text,
    pub from: At,
    /// Not in it.
    pub to: At,
}

/// The finest grain that figures are kept at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Series {
    pub load: LoadId,
    pub journey: JourneyId,
    pub step: StepId,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// When a request that is not done counts as bad in the book of seconds; a step's `within` goes before it.
    pub patience: Span,
    /// The greatest share of intended shedding that is not bad.
    pub shed: Option<Share>,
    /// A window is down when less than this share of what completed in it was ok.
    pub down_below: Share,
    /// How long requests in flight may finish after the load's end.
    pub drain: Span,
    /// An arrival released later than this counts as late.
    pub lag: Span,
}
