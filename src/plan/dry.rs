use super::{
    ActionId, Basis, EmergencyAction, End, Instant, Measure, Moment, Plan, Rehearsal, Scope, Stage, StageKind,
};
use crate::base::units::Rate;

impl Plan {
    /// Leaves faults out: those that `is_out` says, and those that wait for an instant of one that is left out, also by way
    /// of actions. Targets on nothing but those go with them, and are named as not judged.
    pub fn spare(&mut self, is_out: impl Fn(&super::Fault) -> bool) {
        for fault in &mut self.faults {
            fault.spared |= is_out(fault);
        }
        loop {
            let gone = |instant: &Instant| match instant {
                Instant::After { fault, .. } => self.faults.get(fault.index()).is_some_and(|fault| fault.spared),
                Instant::Action { action, .. } => !comes(*action, &self.actions, &self.faults),
                Instant::At(_) | Instant::When(_) => false,
            };
            let follows =
                |fault: &super::Fault| gone(&fault.at) || matches!(&fault.end, End::Until(instant) if gone(instant));
            let more: Vec<usize> = (0..self.faults.len())
                .filter(|index| self.faults.get(*index).is_some_and(|fault| !fault.spared && follows(fault)))
                .collect();
            if more.is_empty() {
                break;
            }
            more.into_iter().filter_map(|index| self.faults.get_mut(index).map(|fault| fault.spared = true)).count();
        }
        let (faults, actions) = (&self.faults, &self.actions);
        let all_spared = faults.iter().all(|fault| fault.spared);
        let is_judged = |target: &super::Target| match (target.condition.scope, target.condition.measure) {
            (Scope::Fault(id), _) => faults.get(id.index()).is_none_or(|fault| !fault.spared),
            (Scope::Occurrences(first), _) => {
                let of = faults.get(first.index()).map(super::Fault::written);
                faults.iter().any(|fault| Some(fault.written()) == of && !fault.spared)
            }
            (Scope::Action(id), _) => comes(id, actions, faults),
            (_, Measure::FaultRate { basis: Basis::Outages, .. }) => !all_spared,
            _ => true,
        };
        let (judged, out) = std::mem::take(&mut self.targets).into_iter().partition(is_judged);
        self.targets = judged;
        self.unjudged
            .extend::<Vec<String>>(Vec::from_iter(out).into_iter().map(|target: super::Target| target.name).collect());
        self.rehearsal = self.rehearsal.or(Some(Rehearsal::Without));
    }

    /// A rehearsal of the load alone.
    pub fn without_faults(&mut self) {
        self.spare(|_| true);
        self.rehearsal = Some(Rehearsal::NoFaults);
    }

    /// A rehearsal of the faults alone: nobody comes, so that nothing but the faults themselves is judged. A fault that
    /// waits for what requests show is left out, also by way of actions.
    pub fn without_load(&mut self) {
        let actions = self.actions.clone();
        let waits = |instant: &Instant| match instant {
            Instant::When(_) | Instant::After { moment: Moment::Recovered, .. } => true,
            Instant::Action { action, .. } => {
                matches!(EmergencyAction::behind(*action, &actions), Some((_, Moment::Recovered)))
            }
            Instant::At(_) | Instant::After { .. } => false,
        };
        let ends = |end: &End| matches!(end, End::Until(instant) if waits(instant));
        self.spare(|fault| waits(&fault.at) || ends(&fault.end));
        for load in &mut self.loads {
            let span = load.end() - load.start;
            (load.replay, load.search, load.users) = (None, None, None);
            load.stages = vec![Stage { kind: StageKind::Hold { rate: Rate::ZERO, span }, phase: None }];
        }
        self.unjudged.extend(std::mem::take(&mut self.targets).into_iter().map(|target| target.name));
        (self.steady_states, self.aborts) = (Vec::new(), Vec::new());
        self.rehearsal = Some(Rehearsal::NoLoad);
    }
}

/// Whether an action does not wait for a fault that is left out, itself or by way of others.
fn comes(action: ActionId, actions: &[EmergencyAction], faults: &[super::Fault]) -> bool {
    let behind = EmergencyAction::behind(action, actions).and_then(|(fault, _)| faults.get(fault.index()));
    behind.is_none_or(|fault| !fault.spared)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::sim::Sim;
    use crate::plan::{Due, FaultId, Work};

    #[test]
    fn what_waits_for_a_fault_that_is_left_out_is_left_out_and_so_are_targets_on_it() {
        let measure = Measure::RecoveryTime { to: super::super::SteadyId(0) };
        let bound = super::super::Bound::AtMost(crate::analysis::sim::seconds(5));
        let on = |fault| crate::analysis::sim::target(measure, Scope::Fault(FaultId(fault)), bound);
        let mut plan = Sim { fault: Some((30.0, 40.0)), targets: vec![on(0), on(1), on(2)], ..Sim::default() }.plan();
        for (index, name) in [(1, "next"), (2, "own")] {
            let mut fault = plan.faults[0].clone();
            fault.name = name.to_owned();
            if index == 1 {
                fault.at = Instant::After { fault: FaultId(0), moment: Moment::Healed, offset: Default::default() };
            }
            plan.faults.push(fault);
        }
        plan.spare(|fault| fault.name == "lose");
        assert_eq!(plan.faults.iter().map(|fault| fault.spared).collect::<Vec<_>>(), [true, true, false]);
        assert_eq!(
            plan.targets.iter().map(|target| target.condition.scope).collect::<Vec<_>>(),
            [Scope::Fault(FaultId(2))]
        );
        plan.without_faults();
        assert!(plan.targets.is_empty() && plan.faults.iter().all(|fault| fault.spared));
    }

    /// `lose`, then the actions `decide` (after `moment` of it) and `switch` (after that), then the fault `next`.
    fn with_actions(moment: Moment) -> Plan {
        let mut plan = Sim { fault: Some((30.0, 40.0)), ..Sim::default() }.plan();
        let action = |name: &str, due| EmergencyAction {
            name: name.to_owned(),
            title: Default::default(),
            by: Default::default(),
            say: Default::default(),
            due,
            work: Work::Terminal,
            within: Default::default(),
        };
        let offset = Default::default();
        plan.actions = vec![
            action("decide", Due::Fault { fault: FaultId(0), moment, offset }),
            action("switch", Due::Action { action: ActionId(0), offset }),
        ];
        let mut next = plan.faults[0].clone();
        next.name = "next".to_owned();
        next.at = Instant::Action { action: ActionId(1), offset };
        plan.faults.push(next);
        plan
    }

    #[test]
    fn what_waits_for_an_action_that_waits_for_a_fault_that_is_left_out_is_left_out() {
        for until in [false, true] {
            let mut plan = with_actions(Moment::Detected);
            if until {
                let at = std::mem::replace(&mut plan.faults[1].at, Instant::At(crate::base::units::At::START));
                plan.faults[1].end = End::Until(at);
            }
            plan.spare(|fault| fault.name == "lose");
            assert!(plan.faults[1].spared, "{until}");
            plan = with_actions(Moment::Detected);
            plan.spare(|fault| fault.name == "next");
            assert!(!plan.faults[0].spared);
        }
    }

    #[test]
    fn without_load_what_waits_for_an_action_after_a_recovery_never_comes() {
        for (moment, spared) in [(Moment::Recovered, true), (Moment::Healed, false)] {
            let mut plan = with_actions(moment);
            plan.without_load();
            assert_eq!(plan.faults.iter().map(|fault| fault.spared).collect::<Vec<_>>(), [false, spared]);
        }
    }

    #[test]
    fn without_load_nobody_comes_for_as_long_as_before() {
        let mut plan = Sim { fault: Some((30.0, 40.0)), ..Sim::default() }.plan();
        let end = plan.loads[0].end();
        plan.without_load();
        assert_eq!(plan.loads[0].end(), end);
        assert_eq!(super::super::arrivals::Schedule::new(&plan.loads[0], 1, super::super::LoadId(0)).most(), 0);
        assert!(!plan.faults[0].spared);
    }
}
