use serde::{Deserialize, Serialize};

use super::Clock;
use crate::base::units::{At, Span};

/// A difference over this, between two looks, is a step: NTP's slewing stays under 0.5 ms in each second.
const LEAST_STEP: Span = Span::millis(10);

/// The wall clock was set: forward (`by_nanos` > 0) or back, by that much against the monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockStep {
    /// When it was seen; it happened since the look before.
    pub at: At,
    pub by_nanos: i64,
}

/// Compares the wall clock with the monotonic one, look by look. The drill's own times hang on the latter alone, so a
/// step falsifies nothing of ours; it is reported since the platform may not be as careful.
#[derive(Debug, Clone)]
pub struct StepWatch {
    clock: Clock,
    offset: Option<i128>,
}

impl StepWatch {
    pub(super) fn new(clock: &Clock) -> StepWatch {
        let offset = offset(clock).map(|(_, offset)| offset);
        StepWatch { clock: clock.clone(), offset }
    }

    /// The step since the last look, if there was one. To be called about once a second.
    pub fn look(&mut self) -> Option<ClockStep> {
        let (at, offset) = offset(&self.clock)?;
        let before = self.offset.replace(offset)?;
        step_between(before, offset).map(|by_nanos| ClockStep { at, by_nanos })
    }
}

/// Wall time minus monotonic time. The wall clock is read between two monotonic readings that lie close together, so
/// that being put aside by the scheduler in between is not taken for a step.
fn offset(clock: &Clock) -> Option<(At, i128)> {
    let mut before = clock.now();
    for _ in 0..8 {
        let wall = clock.wall_now()?;
        let after = clock.now();
        if after.since(before) < Span::millis(1) {
            return Some((after, i128::from(wall) - i128::from(after.as_nanos())));
        }
        before = after;
    }
    None
}

fn step_between(before: i128, after: i128) -> Option<i64> {
    let by = after - before;
    (by.unsigned_abs() > u128::from(LEAST_STEP.as_nanos())).then(|| i64::try_from(by).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slewing_is_no_step_and_setting_is() {
        assert_eq!(step_between(1_000, 1_000 + 500_000), None);
        assert_eq!(step_between(0, 3_600_000_000_000), Some(3_600_000_000_000));
        assert_eq!(step_between(0, -20_000_000), Some(-20_000_000));
    }

    #[test]
    fn a_clock_that_nobody_sets_shows_none() {
        let clock = Clock::start();
        assert_eq!(clock.step_watch().look(), None);
    }
}
