//! Until when a drill of production may go on: preparing it may have taken longer than was thought.

use super::Setting;
use crate::base::clock::Clock;
use crate::base::units::{At, Span};

impl Setting {
    /// When all of it has to be over, in nanoseconds since the epoch; none where nobody says.
    fn latest(&self) -> Option<u64> {
        let window = self.plan.production.as_ref().map(|production| production.window.to);
        let approval = self.approval.as_ref().map(|approval| u64::try_from(approval.until).unwrap_or_default());
        window.into_iter().chain(approval).min()
    }

    /// What stands in the record where a drill that begins at `zero` would go on for too long; then it does not begin.
    pub(super) fn overrun(&self, zero: At, clock: &Clock) -> Option<String> {
        let by = overrun(self.latest()?, zero + self.plan.end, clock);
        (by > Span::ZERO).then(|| format!("it was prepared too late: it would go on for {by} longer than it may"))
    }
}

fn overrun(latest: u64, end: At, clock: &Clock) -> Span {
    let end = clock.wall().unix_nanos().saturating_add(end.as_nanos());
    Span(end.saturating_sub(latest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::SimClock;

    #[test]
    fn what_was_prepared_too_late_would_go_on_for_too_long() {
        let clock = SimClock::new().clock();
        let begun = clock.wall().unix_nanos();
        let end = |seconds| At(Span::seconds(seconds).0);
        let latest = begun + Span::seconds(10).0;
        assert_eq!(overrun(latest, end(10), &clock), Span::ZERO);
        assert_eq!(overrun(latest, end(12), &clock), Span::seconds(2));
    }
}
