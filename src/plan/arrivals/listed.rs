use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base::units::Span;

/// Instants in order, from a load's start. Stored as one text of the steps between them, in nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Instants(Arc<[u64]>);

impl Instants {
    pub fn len(&self) -> u64 {
        self.0.len() as u64
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The instant of arrival `k`; past the last one, the last.
    pub(super) fn get(&self, k: u64) -> Span {
        let index = usize::try_from(k).unwrap_or(usize::MAX);
        Span::nanos(self.0.get(index).or(self.0.last()).copied().unwrap_or(0))
    }

    pub fn last(&self) -> Span {
        Span::nanos(self.0.last().copied().unwrap_or(0))
    }

    /// The most of them that lie within `span`.
    pub(super) fn most_within(&self, span: Span) -> u64 {
        let (mut first, mut most) = (0, 0);
        for (index, at) in self.0.iter().enumerate() {
            while self.0.get(first).is_some_and(|from| at - from >= span.as_nanos().max(1)) {
                first += 1;
            }
            most = most.max(index + 1 - first);
        }
        most as u64
    }
}

impl FromIterator<Span> for Instants {
    /// Of instants in order.
    fn from_iter<I: IntoIterator<Item = Span>>(instants: I) -> Instants {
        Instants(instants.into_iter().map(Span::as_nanos).collect())
    }
}

impl Serialize for Instants {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut last = 0;
        let steps = self.0.iter().map(|at| {
            let step = at - last;
            last = *at;
            step.to_string()
        });
        serializer.serialize_str(&steps.collect::<Vec<_>>().join(" "))
    }
}

impl<'de> Deserialize<'de> for Instants {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Instants, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut last = 0u64;
        let instants = text.split_ascii_whitespace().map(|step| {
            let step: u64 = step.parse().map_err(serde::de::Error::custom)?;
            last = last.checked_add(step).ok_or_else(|| serde::de::Error::custom("instants beyond all time"))?;
            Ok(last)
        });
        Ok(Instants(instants.collect::<Result<_, D::Error>>()?))
    }
}

/// A request of a log, as far as time goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Since the first one.
    pub at: Span,
    /// Whose it is; sessions are numbered in the order in which they first come.
    pub session: u32,
}

/// The arrivals that requests of a log, in order, come to: each one's instant and which of `sources` it is.
///
/// `speed` divides all times. Of `amplify` sessions for each one, the whole number that is due when it comes is made (so
/// that the sum is exact), and the copies of one session follow it at equal parts of a second. All requests of a copy are
/// moved alike: their order within it is that of the log.
pub fn sequence(sources: &[Source], speed: f64, amplify: f64) -> Vec<(Span, usize)> {
    let due = |session: u32| (f64::from(session) * amplify * (1.0 + 1e-12)).round() as u64;
    let mut all = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let copies = due(source.session + 1) - due(source.session);
        let at = (source.at.as_nanos() as f64 / speed).round() as u64;
        all.extend((0..copies).map(|copy| {
            let moved = (u128::from(Span::SECOND.as_nanos()) * u128::from(copy) / u128::from(copies)) as u64;
            (Span::nanos(at.saturating_add(moved)), index, copy)
        }));
    }
    // Of what comes at one instant the log's order counts.
    all.sort_unstable();
    all.into_iter().map(|(at, index, _)| (at, index)).collect()
}
