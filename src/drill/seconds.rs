use std::collections::{BTreeMap, BTreeSet};

use crate::base::units::{At, Span};

/// How long a second is kept open for a worker that has not handed it over.
const GRACE: Span = Span::millis(250);

/// Which seconds are still open, and who has handed them over. Seconds are closed in order, each once.
#[derive(Debug)]
pub(super) struct Seconds {
    next: u64,
    handed: BTreeMap<u64, BTreeSet<u16>>,
    /// Workers that still make windows.
    going: BTreeSet<u16>,
}

/// A second that is to be closed now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Closing {
    pub(super) second: u64,
    /// Who did not hand it over in time.
    pub(super) missing: Vec<u16>,
}

impl Seconds {
    pub(super) fn new(workers: u16) -> Seconds {
        Seconds { next: 0, handed: BTreeMap::new(), going: (0..workers).collect() }
    }

    /// `crew` has handed `second` over.
    pub(super) fn handed(&mut self, second: u64, crew: u16) {
        if second >= self.next {
            self.handed.entry(second).or_default().insert(crew);
        }
    }

    /// `crew` makes no more windows.
    pub(super) fn finished(&mut self, crew: u16) {
        self.going.remove(&crew);
    }

    /// When the next second is closed at the latest; none once nobody makes windows and none are open.
    pub(super) fn deadline(&self) -> Option<At> {
        let open = !self.going.is_empty() || self.handed.keys().next_back().is_some_and(|last| *last >= self.next);
        open.then(|| At(Span::seconds(self.next + 1).0) + GRACE)
    }

    /// The next second to close at `now`, if it can be.
    pub(super) fn close(&mut self, now: At) -> Option<Closing> {
        let deadline = self.deadline()?;
        let handed = self.handed.get(&self.next);
        let has = |crew: &u16| handed.is_some_and(|crews| crews.contains(crew));
        let over = now >= At(Span::seconds(self.next + 1).0);
        let complete = over && self.going.iter().all(has);
        if !complete && now < deadline {
            return None;
        }
        let missing = self.going.iter().filter(|crew| !has(crew)).copied().collect();
        let closing = Closing { second: self.next, missing };
        self.handed.remove(&self.next);
        self.next += 1;
        Some(closing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> At {
        At(Span::millis(millis).0)
    }

    #[test]
    fn a_second_closes_when_all_have_handed_it_over() {
        let mut seconds = Seconds::new(2);
        seconds.handed(0, 0);
        assert_eq!(seconds.close(at(1_010)), None);
        seconds.handed(0, 1);
        assert_eq!(seconds.close(at(1_010)), Some(Closing { second: 0, missing: vec![] }));
        assert_eq!(seconds.close(at(1_010)), None);
    }

    #[test]
    fn a_quarter_of_a_second_later_it_closes_without_those_who_are_missing() {
        let mut seconds = Seconds::new(2);
        seconds.handed(0, 1);
        assert_eq!(seconds.deadline(), Some(at(1_250)));
        assert_eq!(seconds.close(at(1_249)), None);
        assert_eq!(seconds.close(at(1_250)), Some(Closing { second: 0, missing: vec![0] }));
        assert_eq!(seconds.deadline(), Some(at(2_250)));
    }

    #[test]
    fn who_has_finished_is_not_waited_for_and_then_there_is_nothing_to_close() {
        let mut seconds = Seconds::new(2);
        seconds.finished(1);
        seconds.handed(0, 0);
        seconds.finished(0);
        assert_eq!(seconds.close(at(1_000)), Some(Closing { second: 0, missing: vec![] }));
        assert_eq!((seconds.deadline(), seconds.close(at(9_000))), (None, None));
    }
}
