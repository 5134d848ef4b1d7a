//! How many requests are planned, for what is judged by them.

use super::journey::Made;
use crate::base::units::At;
use crate::plan::arrivals::Schedule;
use crate::plan::{Load, LoadId, Scope};

/// What visits of each journey ask for, and when they come.
pub(super) struct Samples<'p> {
    loads: &'p [Load],
    schedules: Vec<Schedule>,
    /// By journey.
    made: &'p [Vec<Made>],
}

impl<'p> Samples<'p> {
    pub(super) fn new(loads: &'p [Load], made: &'p [Vec<Made>]) -> Samples<'p> {
        // What is expected does not depend on how arrivals are spaced; of a search, its first trial is.
        let even = |load: &Load| Schedule::new(&load.certain(), 0, LoadId(0));
        Samples { loads, schedules: loads.iter().map(even).collect(), made }
    }

    /// For each load and journey of it: how many visits from `from` on and before `to`.
    fn visits(&self, from: At, to: At) -> Vec<(usize, usize, f64)> {
        let mut found = Vec::new();
        for (index, (load, schedule)) in self.loads.iter().zip(&self.schedules).enumerate() {
            let arrivals = match &load.users {
                // How often they come nobody knows before: never too few.
                Some(_) if from < load.end() && load.start < to => f64::INFINITY,
                _ => schedule.between(from, to) as f64,
            };
            let weights: f64 = load.mix.iter().map(|(_, weight)| weight).sum();
            for (journey, weight) in &load.mix {
                found.push((index, journey.index(), arrivals * weight / weights.max(f64::MIN_POSITIVE)));
            }
            if let Some(users) = &load.users {
                // Those of a user who comes in that time; how often they are repeated nobody knows before, either.
                let beside = users.first.into_iter().chain(users.refresh.map(|refresh| refresh.journey));
                found.extend(beside.map(|journey| (index, journey.index(), arrivals)));
            }
        }
        found
    }

    /// How many requests (visits, for a journey; groups, for a group) of `scope` are planned then; none for what is no matter of requests.
    pub(super) fn count(&self, scope: Scope, from: At, to: At) -> Option<f64> {
        let mut sum = 0.0;
        for (load, journey, visits) in self.visits(from, to) {
            let made = self.made.get(journey).map(Vec::as_slice).unwrap_or_default();
            let requests =
                |fits: &dyn Fn(&Made) -> bool| made.iter().filter(|made| fits(made)).map(|made| made.times).sum();
            let each: f64 = match scope {
                Scope::All => requests(&|made| made.endpoint.is_some()),
                Scope::Load(id) if id.index() == load => requests(&|made| made.endpoint.is_some()),
                Scope::Load(_) => 0.0,
                Scope::Journey(id) => f64::from(u8::from(id.index() == journey)),
                Scope::Step(id) | Scope::Group(id) => requests(&|made| made.step == id.index()),
                Scope::Endpoint(id) => requests(&|made| made.endpoint == Some(id.index())),
                Scope::Process(_) | Scope::Fault(_) | Scope::Occurrences(_) | Scope::Action(_) | Scope::Figure(_) => {
                    return None;
                }
            };
            if each > 0.0 {
                sum += visits * each;
            }
        }
        Some(sum)
    }

    /// From the first load's start to the last one's end.
    pub(super) fn span(&self) -> (At, At) {
        let from = self.schedules.iter().map(Schedule::start).min().unwrap_or_default();
        let to = self.schedules.iter().map(Schedule::end).max().unwrap_or_default();
        (from, to)
    }
}

/// How many samples a percentile needs, planned: 1 / (1 − q) and four of its square roots, for chance.
pub(super) fn needed(quantile: f64) -> f64 {
    let least = (1.0 / (1.0 - quantile) * (1.0 - 1e-12)).ceil();
    least + 4.0 * least.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_p99_needs_140() {
        assert_eq!(needed(0.99).round(), 140.0);
        assert_eq!(needed(0.5).ceil(), 8.0);
        assert_eq!(needed(0.9).ceil(), 23.0);
    }
}
