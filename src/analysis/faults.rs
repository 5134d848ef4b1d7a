//! The instants of each fault, as the record says them.

use super::{FaultFigures, ProbeFigures, ProbeTurn};
use crate::base::units::{At, Span};
use crate::plan::{FaultId, Moment, WatchId};
use crate::record::{FaultEvent, Sight};

/// What is known of one fault so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Instants {
    pub(super) ordered: Option<At>,
    pub(super) effective: Option<At>,
    not_effective: Option<Vec<Sight>>,
    heal_ordered: Option<At>,
    pub(super) healed: Option<At>,
    not_healed: Option<Vec<Sight>>,
    detected: Option<(At, WatchId)>,
    /// No turn of a probe is taken for this fault's any more.
    superseded: bool,
}

impl Instants {
    pub(super) fn entry(&mut self, at: At, event: &FaultEvent) {
        match event {
            FaultEvent::Ordered => self.ordered = self.ordered.or(Some(at)),
            FaultEvent::Effective { .. } => self.effective = self.effective.or(Some(at)),
            FaultEvent::NotEffective { why } => self.not_effective = Some(why.clone()),
            FaultEvent::HealOrdered => self.heal_ordered = self.heal_ordered.or(Some(at)),
            FaultEvent::Healed { .. } => self.healed = self.healed.or(Some(at)),
            FaultEvent::NotHealed { why } => self.not_healed = Some(why.clone()),
        }
    }

    /// A probe turned bad: the platform's own signal, if it came while the fault was in force. One that came between the
    /// order and the proof of its bite was as quick as can be measured.
    pub(super) fn turned_bad(&mut self, at: At, watch: WatchId) {
        let open = self.healed.is_none() && !self.superseded && self.detected.is_none();
        if open && self.ordered.is_some_and(|ordered| at >= ordered) {
            self.detected = Some((at, watch));
        }
    }

    /// Another fault came while this one was left to the platform.
    pub(super) fn supersede(&mut self) {
        self.superseded = true;
    }

    pub(super) fn moment(&self, moment: Moment) -> Option<At> {
        match moment {
            Moment::Ordered => self.ordered,
            Moment::Effective => self.effective,
            Moment::Detected => self.detected().map(|(at, _)| at),
            Moment::Healed => self.healed,
            Moment::Recovered => None,
        }
    }

    fn detected(&self) -> Option<(At, WatchId)> {
        let effective = self.effective?;
        self.detected.map(|(at, watch)| (at.max(effective), watch))
    }

    pub(super) fn figures(&self, fault: FaultId) -> FaultFigures {
        let detected = self.detected();
        FaultFigures {
            fault,
            ordered: self.ordered,
            effective: self.effective,
            not_effective: self.not_effective.clone(),
            heal_ordered: self.heal_ordered,
            healed: self.healed,
            not_healed: self.not_healed.clone(),
            detected: detected.map(|(at, _)| at),
            detected_by: detected.map(|(_, watch)| watch),
            detection: detected.zip(self.effective).map(|((at, _), effective)| at.since(effective)),
            recoveries: Vec::new(),
        }
    }
}

/// The turns of one probe; `until` is when watching ended.
pub(super) fn probe_figures(watch: WatchId, turns: Vec<ProbeTurn>, until: At) -> ProbeFigures {
    let ends = turns.iter().skip(1).map(|turn| turn.at).chain([until]);
    let bad = turns.iter().zip(ends).filter(|(turn, _)| !turn.good).map(|(turn, end)| end.since(turn.at));
    ProbeFigures { watch, bad: bad.fold(Span::ZERO, |sum, span| sum + span), turns }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> At {
        At(ms * 1_000_000)
    }

    #[test]
    fn a_fault_is_detected_by_a_turn_in_its_time() {
        let mut fault = Instants::default();
        fault.turned_bad(at(1), WatchId(0));
        fault.entry(at(10), &FaultEvent::Ordered);
        assert_eq!(fault.moment(Moment::Detected), None);
        fault.entry(at(30), &FaultEvent::Effective { proof: Vec::new() });
        fault.turned_bad(at(430), WatchId(1));
        fault.turned_bad(at(500), WatchId(0));
        let figures = fault.figures(FaultId(0));
        assert_eq!((figures.detection, figures.detected_by), (Some(Span::millis(400)), Some(WatchId(1))));
        let mut left = Instants::default();
        left.entry(at(10), &FaultEvent::Ordered);
        left.entry(at(30), &FaultEvent::Effective { proof: Vec::new() });
        left.supersede();
        left.turned_bad(at(430), WatchId(1));
        assert_eq!(left.figures(FaultId(0)).detection, None, "another fault's");
        let mut early = Instants::default();
        early.entry(at(10), &FaultEvent::Ordered);
        early.turned_bad(at(20), WatchId(0));
        early.entry(at(30), &FaultEvent::Effective { proof: Vec::new() });
        assert_eq!(early.figures(FaultId(0)).detection, Some(Span::ZERO));
        let mut healed = Instants::default();
        healed.entry(at(10), &FaultEvent::Ordered);
        healed.entry(at(10), &FaultEvent::Effective { proof: Vec::new() });
        healed.entry(at(20), &FaultEvent::Healed { proof: Vec::new() });
        healed.turned_bad(at(30), WatchId(0));
        assert_eq!(healed.figures(FaultId(0)).detection, None);
    }

    #[test]
    fn a_probe_is_bad_until_it_turns() {
        let turn = |ms, good| ProbeTurn { at: at(ms), good, why: None };
        let figures = probe_figures(WatchId(0), vec![turn(0, true), turn(100, false), turn(250, true)], at(900));
        assert_eq!(figures.bad, Span::millis(150));
        assert_eq!(probe_figures(WatchId(0), vec![turn(100, false)], at(900)).bad, Span::millis(800));
    }
}
