use crate::base::units::At;
use crate::plan::{ActionId, End, Fault, FaultId, Instant, Moment};
use crate::record::FaultEvent;

/// Which fault is to be ordered or healed when: the plan's instants, moved by what was observed of other faults and of actions.
/// Pure; it is told what happened and asked what is next.
#[derive(Debug)]
pub(super) struct Timeline {
    tracks: Vec<Track>,
    /// The actions that are known to be done, and when they were.
    done: Vec<(ActionId, At)>,
    /// How many may be ordered, in force and being healed at once.
    most: usize,
}

#[derive(Debug)]
struct Track {
    fault: Fault,
    state: State,
    ordered: Option<At>,
    effective: Option<At>,
    detected: Option<At>,
    healed: Option<At>,
    recovered: Option<At>,
    /// When what it waits for held first.
    triggered: Option<At>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    /// Ordered, and nothing seen of it yet.
    Ordered,
    InForce,
    Healing,
    Over,
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Order(FaultId),
    Heal(FaultId),
}

impl Track {
    /// An order or a heal is under way, or it is in force.
    const fn is_busy(&self) -> bool {
        matches!(self.state, State::Ordered | State::InForce | State::Healing)
    }
}

impl Timeline {
    pub(super) fn new(faults: &[Fault], most: Option<u32>) -> Timeline {
        let track = |fault: &Fault| Track {
            fault: fault.clone(),
            state: if fault.spared { State::Over } else { State::Waiting },
            ordered: None,
            effective: None,
            detected: None,
            healed: None,
            recovered: None,
            triggered: None,
        };
        let most = most.map_or(usize::MAX, |most| most as usize);
        Timeline { tracks: faults.iter().map(track).collect(), done: Vec::new(), most }
    }

    /// The earliest thing to do whose instant is known, in the plan's order where two share one. A fault waits as long as
    /// one is on its target that it cannot be beside, or as many are in force as may be.
    pub(super) fn next(&self) -> Option<(At, Due)> {
        let due = |(index, track): (usize, &Track)| match track.state {
            State::Waiting if self.is_barred(track) => None,
            State::Waiting => Some((self.instant(&track.fault.at, track)?, Due::Order(FaultId::at(index)))),
            State::InForce => Some((self.heal_at(track)?, Due::Heal(FaultId::at(index)))),
            State::Ordered | State::Healing | State::Over => None,
        };
        self.tracks.iter().enumerate().filter_map(due).min_by_key(|(at, _)| *at)
    }

    fn is_barred(&self, track: &Track) -> bool {
        let busy = || self.tracks.iter().filter(|other| other.is_busy());
        busy().count() >= self.most || busy().any(|other| other.fault.kind.excludes(&track.fault.kind))
    }

    fn heal_at(&self, track: &Track) -> Option<At> {
        match &track.fault.end {
            End::For(lasts) => Some(track.effective? + *lasts),
            End::Until(instant) => self.instant(instant, track),
            End::Platform { .. } => None,
        }
    }

    fn instant(&self, instant: &Instant, track: &Track) -> Option<At> {
        match instant {
            Instant::At(at) => Some(*at),
            Instant::When(_) => track.triggered,
            Instant::After { fault, moment, offset } => Some(self.moment(*fault, *moment)? + *offset),
            Instant::Action { action, offset } => Some(self.done_at(*action)? + *offset),
        }
    }

    /// When an action was done; none until it is.
    pub(super) fn done_at(&self, action: ActionId) -> Option<At> {
        self.done.iter().find(|(known, _)| *known == action).map(|(_, at)| *at)
    }

    /// Takes note of an action that was done.
    pub(super) fn done(&mut self, action: ActionId, at: At) {
        self.done.push((action, at));
    }

    /// An instant of a fault, once it is known.
    pub(super) fn moment(&self, fault: FaultId, moment: Moment) -> Option<At> {
        let track = self.tracks.get(fault.index())?;
        match moment {
            Moment::Ordered => track.ordered,
            Moment::Effective => track.effective,
            Moment::Detected => track.detected,
            Moment::Healed => track.healed,
            Moment::Recovered => track.recovered,
        }
    }

    /// Takes note of an entry about a fault.
    pub(super) fn note(&mut self, at: At, fault: FaultId, event: &FaultEvent) {
        let Some(track) = self.tracks.get_mut(fault.index()) else { return };
        match event {
            FaultEvent::Ordered => {
                track.ordered = Some(at);
                track.state = State::Ordered;
            }
            FaultEvent::Effective { .. } => {
                track.effective = Some(at);
                track.state = State::InForce;
            }
            FaultEvent::HealOrdered => track.state = State::Healing,
            FaultEvent::Healed { .. } => {
                track.healed = Some(at);
                track.state = State::Over;
            }
            FaultEvent::NotEffective { .. } | FaultEvent::NotHealed { .. } => track.state = State::Over,
        }
    }

    /// Takes note of an instant that analysis found: the first one stays.
    pub(super) fn found(&mut self, fault: FaultId, moment: Moment, at: At) {
        let Some(track) = self.tracks.get_mut(fault.index()) else { return };
        let known = match moment {
            Moment::Detected => &mut track.detected,
            Moment::Recovered => &mut track.recovered,
            Moment::Ordered | Moment::Effective | Moment::Healed => return,
        };
        known.get_or_insert(at);
    }

    /// What a fault waits for held at the end of a second.
    pub(super) fn triggered(&mut self, fault: FaultId, at: At) {
        if let Some(track) = self.tracks.get_mut(fault.index()) {
            track.triggered.get_or_insert(at);
        }
    }

    /// Gives up whatever has not been ordered yet.
    pub(super) fn cancel_waiting(&mut self) {
        for track in self.tracks.iter_mut().filter(|track| track.state == State::Waiting) {
            track.state = State::Over;
        }
    }

    /// Faults whose order or heal is under way.
    pub(super) fn under_way(&self) -> Vec<FaultId> {
        let busy = |(index, track): (usize, &Track)| {
            matches!(track.state, State::Ordered | State::Healing).then(|| FaultId::at(index))
        };
        self.tracks.iter().enumerate().filter_map(busy).collect()
    }

    /// Whether its order or heal is under way.
    pub(super) fn is_under_way(&self, fault: FaultId) -> bool {
        self.under_way().contains(&fault)
    }

    /// Faults that bite now and whose heal has not been ordered.
    pub(super) fn in_force(&self) -> Vec<FaultId> {
        let bites = |(index, track): (usize, &Track)| (track.state == State::InForce).then(|| FaultId::at(index));
        self.tracks.iter().enumerate().filter_map(bites).collect()
    }

    /// True while an order or a heal is under way, or a fault is in force.
    pub(super) fn busy(&self) -> bool {
        self.tracks.iter().any(Track::is_busy)
    }

    /// True before any fault has been ordered.
    pub(super) fn untouched(&self) -> bool {
        self.tracks.iter().all(|track| track.ordered.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::units::{Share, Span, Text};
    use crate::plan::{Direction, FaultKind, Flaw, FlawKind, LinkId, Only, ProcessId};
    use crate::record::Sight;

    fn kill(name: &str, at: Instant) -> Fault {
        Fault {
            name: name.to_owned(),
            title: Text::default(),
            kind: FaultKind::Kill { processes: vec![ProcessId(0)] },
            of: None,
            at,
            end: End::For(Span::seconds(3)),
            spared: false,
        }
    }

    fn effective() -> FaultEvent {
        FaultEvent::Effective { proof: Vec::new() }
    }

    fn healed() -> FaultEvent {
        FaultEvent::Healed { proof: Vec::new() }
    }

    #[test]
    fn a_fault_lasts_from_the_instant_it_bit() {
        let mut timeline = Timeline::new(&[kill("a", Instant::At(At(10)))], None);
        assert_eq!(timeline.next(), Some((At(10), Due::Order(FaultId(0)))));
        timeline.note(At(12), FaultId(0), &FaultEvent::Ordered);
        assert_eq!((timeline.next(), timeline.busy()), (None, true));
        timeline.note(At(20), FaultId(0), &effective());
        assert_eq!(timeline.next(), Some((At(20) + Span::seconds(3), Due::Heal(FaultId(0)))));
        assert_eq!(timeline.in_force(), [FaultId(0)]);
        timeline.note(At(30), FaultId(0), &FaultEvent::HealOrdered);
        timeline.note(At(40), FaultId(0), &healed());
        assert_eq!((timeline.next(), timeline.busy()), (None, false));
    }

    #[test]
    fn one_that_waits_for_another_is_due_when_that_is_seen() {
        let after = Instant::After { fault: FaultId(0), moment: Moment::Healed, offset: Span(5) };
        let mut timeline = Timeline::new(&[kill("a", Instant::At(At(10))), kill("b", after)], None);
        timeline.note(At(10), FaultId(0), &FaultEvent::Ordered);
        timeline.note(At(11), FaultId(0), &effective());
        timeline.note(At(12), FaultId(0), &FaultEvent::HealOrdered);
        assert_eq!(timeline.next(), None);
        timeline.note(At(13), FaultId(0), &healed());
        assert_eq!(timeline.next(), Some((At(18), Due::Order(FaultId(1)))));
    }

    #[test]
    fn it_lasts_until_an_instant_or_the_end_of_the_drill() {
        let mut until = kill("a", Instant::At(At(10)));
        until.end = End::Until(Instant::At(At(50)));
        let mut left = kill("b", Instant::At(At(11)));
        left.kind = FaultKind::Kill { processes: vec![ProcessId(1)] };
        left.end = End::Platform { undo: crate::plan::Undo::Start };
        let mut timeline = Timeline::new(&[until, left], None);
        for fault in [FaultId(0), FaultId(1)] {
            timeline.note(At(12), fault, &FaultEvent::Ordered);
            timeline.note(At(20), fault, &effective());
        }
        assert_eq!(timeline.next(), Some((At(50), Due::Heal(FaultId(0)))));
        timeline.note(At(50), FaultId(0), &FaultEvent::HealOrdered);
        assert_eq!((timeline.next(), timeline.in_force()), (None, vec![FaultId(1)]), "it ends with the drill");
    }

    #[test]
    fn one_waits_while_another_is_on_its_target() {
        let mut timeline = Timeline::new(&[kill("a", Instant::At(At(10))), kill("b", Instant::At(At(11)))], None);
        timeline.note(At(10), FaultId(0), &FaultEvent::Ordered);
        assert_eq!(timeline.next(), None);
        timeline.note(At(12), FaultId(0), &effective());
        timeline.note(At(13), FaultId(0), &FaultEvent::HealOrdered);
        assert_eq!(timeline.next(), None);
        timeline.note(At(14), FaultId(0), &healed());
        assert_eq!(timeline.next(), Some((At(11), Due::Order(FaultId(1)))), "late, and at once");
    }

    #[test]
    fn no_more_are_in_force_at_once_than_may_be() {
        let on = |name: &str, at: u64, process| Fault {
            kind: FaultKind::Kill { processes: vec![ProcessId(process)] },
            ..kill(name, Instant::At(At(at)))
        };
        let faults = [on("a", 10, 0), on("b", 11, 1), on("c", 11, 2)];
        let mut timeline = Timeline::new(&faults, Some(2));
        timeline.note(At(10), FaultId(0), &FaultEvent::Ordered);
        assert_eq!(timeline.next(), Some((At(11), Due::Order(FaultId(1)))));
        timeline.note(At(11), FaultId(1), &FaultEvent::Ordered);
        assert_eq!(timeline.next(), None, "the third waits");
        timeline.note(At(12), FaultId(1), &FaultEvent::NotEffective { why: vec![Sight::NoTarget] });
        assert_eq!(timeline.next(), Some((At(11), Due::Order(FaultId(2)))), "one that did not bite makes room");
        timeline.note(At(13), FaultId(2), &FaultEvent::Ordered);
        timeline.note(At(14), FaultId(0), &effective());
        timeline.note(At(15), FaultId(0), &FaultEvent::HealOrdered);
        assert_eq!(timeline.under_way(), [FaultId(0), FaultId(2)], "one that is being healed is not gone yet");
    }

    #[test]
    fn what_lets_nothing_pass_a_link_keeps_all_else_off_it() {
        let on = |name: &str, link, kind| Fault {
            kind: FaultKind::Link { links: vec![LinkId(link)], flaw: flaw(kind) },
            ..kill(name, Instant::At(At(10)))
        };
        let slow = || FlawKind::Hang { close: None };
        let mut timeline = Timeline::new(&[on("a", 0, FlawKind::Refuse), on("b", 0, slow()), on("c", 1, slow())], None);
        timeline.note(At(10), FaultId(0), &FaultEvent::Ordered);
        assert_eq!(timeline.next(), Some((At(10), Due::Order(FaultId(2)))), "another link is free");
        timeline.note(At(10), FaultId(2), &FaultEvent::Ordered);
        assert_eq!(timeline.next(), None);
        timeline.note(At(11), FaultId(0), &FaultEvent::NotEffective { why: vec![Sight::NoTarget] });
        assert_eq!(timeline.next(), Some((At(10), Due::Order(FaultId(1)))));
    }

    #[test]
    fn one_that_waits_for_an_action_is_due_when_that_is_done_and_never_if_it_is_not() {
        let after = |action| Instant::Action { action: ActionId(action), offset: Span(5) };
        let mut until = kill("a", Instant::At(At(10)));
        until.kind = FaultKind::Kill { processes: vec![ProcessId(1)] };
        until.end = End::Until(after(1));
        let mut timeline = Timeline::new(&[until, kill("b", after(0)), kill("c", after(2))], None);
        timeline.note(At(10), FaultId(0), &FaultEvent::Ordered);
        timeline.note(At(11), FaultId(0), &effective());
        assert_eq!(timeline.next(), None);
        timeline.done(ActionId(1), At(15));
        assert_eq!(timeline.next(), Some((At(20), Due::Heal(FaultId(0)))));
        timeline.note(At(20), FaultId(0), &FaultEvent::HealOrdered);
        assert_eq!(timeline.next(), None);
        timeline.done(ActionId(0), At(30));
        assert_eq!(timeline.next(), Some((At(35), Due::Order(FaultId(1)))));
        timeline.note(At(35), FaultId(1), &FaultEvent::Ordered);
        timeline.note(At(36), FaultId(1), &FaultEvent::NotEffective { why: vec![Sight::NoTarget] });
        assert_eq!(timeline.next(), None, "its action was not done");
    }

    fn flaw(kind: FlawKind) -> Flaw {
        Flaw { kind, direction: Direction::Both, share: Share(1.0), only: Only::default() }
    }

    #[test]
    fn one_that_waits_for_a_condition_is_due_when_it_first_held_and_one_that_is_spared_never() {
        let at_most = crate::plan::Bound::Above(crate::plan::Quantity::Number(1.0));
        let (measure, scope) = (crate::plan::Measure::Availability, crate::plan::Scope::All);
        let condition = crate::analysis::sim::condition(measure, scope, at_most);
        let mut spared = kill("b", Instant::At(At(5)));
        spared.spared = true;
        let mut timeline = Timeline::new(&[kill("a", Instant::When(Box::new(condition))), spared], None);
        assert_eq!(timeline.next(), None);
        timeline.triggered(FaultId(0), At(30));
        timeline.triggered(FaultId(0), At(31));
        assert_eq!(timeline.next(), Some((At(30), Due::Order(FaultId(0)))));
    }

    #[test]
    fn one_that_never_bit_is_never_healed_and_what_waits_is_given_up() {
        let mut timeline = Timeline::new(&[kill("a", Instant::At(At(10))), kill("b", Instant::At(At(90)))], None);
        timeline.note(At(10), FaultId(0), &FaultEvent::Ordered);
        timeline.note(At(11), FaultId(0), &FaultEvent::NotEffective { why: vec![Sight::NoTarget] });
        assert!(!timeline.busy());
        timeline.cancel_waiting();
        assert_eq!(timeline.next(), None);
    }
}
