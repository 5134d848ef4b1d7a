//! A drill that several machines make together: each part begins at the same instant of the wall clock. The first one does
//! all that is done once: it owns the platform, the faults, the probes and the chores.

use std::sync::Arc;

use super::Setting;
use crate::base::clock::{Clock, Wall};
use crate::base::units::{At, Span};
use crate::plan::arrivals::{Schedule, Slice};
use crate::plan::{LoadId, Plan};
use crate::record::Part;

/// A part that is ready later than this after the start instant sends nothing. One that is less late begins at once, and
/// the arrivals that were due meanwhile are counted as late.
const LATEST: Span = Span::millis(100);

impl Setting {
    pub(super) fn slice(&self) -> Slice {
        self.part.as_ref().and_then(|part| Slice::new(part.part, part.of)).unwrap_or(Slice::WHOLE)
    }

    /// The id that data depend on: that of the whole.
    pub(super) fn whole(&self) -> &str {
        self.part.as_ref().map_or(&self.run, |part| &part.whole)
    }

    /// Until when other parts may wait for answers; none where nothing is to be taken away from them.
    pub(super) fn quiet(&self) -> Option<At> {
        let plan = &self.plan;
        let takes = !plan.platform.processes.is_empty() || !plan.cleanup.is_empty();
        self.part.as_ref().filter(|part| part.part == 1 && part.of > 1 && takes)?;
        let ends = plan.loads.iter().enumerate();
        let ends = ends.map(|(index, load)| Schedule::new(load, plan.seed, LoadId::at(index)).end());
        Some(ends.max().unwrap_or(At::START) + plan.limits.drain + Span::SECOND)
    }

    /// The plan as this part carries it out: all but the first one send requests and do nothing else.
    pub(super) fn carried_out(&self) -> Arc<Plan> {
        if self.part.as_ref().is_none_or(|part| part.part == 1) {
            return self.plan.clone();
        }
        let mut plan = Plan::clone(&self.plan);
        plan.platform.processes.clear();
        plan.platform.links.clear();
        plan.platform.watches.clear();
        plan.prepare.clear();
        plan.cleanup.clear();
        plan.faults.clear();
        plan.actions.clear();
        Arc::new(plan)
    }
}

/// The start instant that a part was given, on a clock that counts from an earlier one; or by how much it is too late.
pub(super) fn start(part: &Part, clock: &Clock) -> Result<At, Span> {
    let wall = Wall::from_unix_nanos(u64::try_from(part.start).unwrap_or_default());
    let now = clock.now();
    let at = clock.at_wall(wall).map_err(|before| before + now.since(At::START))?;
    let by = now.since(at);
    if by > LATEST { Err(by) } else { Ok(at) }
}

/// What stands in the record where a part began a little late.
pub(super) fn lateness(start: At, clock: &Clock) -> Option<String> {
    let by = clock.now().since(start);
    (by > Span::ZERO).then(|| format!("ready {} ms after the start instant", by.as_nanos() / 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::SimClock;

    #[test]
    fn a_part_is_late_by_what_its_wall_clock_says() {
        let sim = SimClock::new();
        let clock = sim.clock().restarted(At(Span::seconds(100).0));
        let begun = clock.wall().unix_nanos();
        let part =
            |nanos: i64| Part { part: 1, of: 2, whole: "w".to_owned(), start: i64::try_from(begun).unwrap() + nanos };
        let second = 1_000_000_000;
        assert_eq!(start(&part(3 * second), &clock), Ok(At(Span::seconds(3).0)));
        sim.jump_to(At(Span::seconds(103).0 + LATEST.as_nanos()));
        assert_eq!(start(&part(3 * second), &clock), Ok(At(Span::seconds(3).0)));
        assert!(lateness(At(Span::seconds(3).0), &clock).is_some());
        sim.jump_to(At(Span::seconds(104).0));
        assert_eq!(start(&part(3 * second), &clock), Err(Span::SECOND));
        assert_eq!(start(&part(-second), &clock), Err(Span::seconds(5)));
    }
}
