//! Which series a scope is made of.

use std::collections::BTreeSet;

use crate::plan::{Action, EndpointId, JourneyId, LoadId, Plan, Scope, StepId};

/// All requests first, then loads, journeys, steps and groups in the plan's order: what curves and tables are made for.
pub(super) fn scopes(plan: &Plan) -> Vec<Scope> {
    let loads = (0..plan.loads.len()).map(|index| Scope::Load(LoadId::at(index)));
    let journeys = (0..plan.journeys.len()).map(JourneyId::at).filter(|id| plan.is_taken(*id)).map(Scope::Journey);
    let named = |group: bool| {
        let steps = plan.steps.iter().enumerate().filter(move |(_, step)| step.group == group);
        steps.map(|(index, _)| StepId::at(index))
    };
    let (steps, groups) = (named(false).map(Scope::Step), named(true).map(Scope::Group));
    [Scope::All].into_iter().chain(loads).chain(journeys).chain(steps).chain(groups).collect()
}

/// The indices of the series whose requests are in `scope`.
pub(super) fn series_in(plan: &Plan, scope: Scope) -> Vec<usize> {
    let at_endpoint = match scope {
        Scope::Endpoint(endpoint) => steps_at(plan, endpoint),
        _ => BTreeSet::new(),
    };
    let holds = |index: &usize| {
        let series = &plan.series[*index];
        let request = !plan.is_group(series.step);
        match scope {
            Scope::All => request,
            Scope::Step(step) | Scope::Group(step) => series.step == step,
            Scope::Journey(journey) => request && series.journey == journey,
            Scope::Load(load) => request && series.load == load,
            Scope::Endpoint(_) => at_endpoint.contains(&(series.journey, series.step)),
            Scope::Process(_) | Scope::Fault(_) | Scope::Occurrences(_) | Scope::Action(_) | Scope::Figure(_) => false,
        }
    };
    (0..plan.series.len()).filter(holds).collect()
}

/// The steps of each journey that go to `endpoint`.
fn steps_at(plan: &Plan, endpoint: EndpointId) -> BTreeSet<(JourneyId, StepId)> {
    fn visit(actions: &[Action], endpoint: EndpointId, found: &mut impl FnMut(StepId)) {
        for action in actions {
            match action {
                Action::Request(request) if request.endpoint == endpoint => found(request.step),
                Action::Poll(poll) if poll.request.endpoint == endpoint => found(poll.request.step),
                Action::Repeat(repeat) => visit(&repeat.actions, endpoint, found),
                Action::Group(group) => visit(&group.actions, endpoint, found),
                Action::Choose(branches) => branches.iter().for_each(|branch| visit(&branch.actions, endpoint, found)),
                Action::If { then, otherwise, .. } => {
                    visit(then, endpoint, found);
                    visit(otherwise, endpoint, found);
                }
                Action::Request(_) | Action::Poll(_) | Action::Let(_) | Action::Think(_) | Action::Rendezvous(_) => {}
            }
        }
    }
    let mut steps = BTreeSet::new();
    for (index, journey) in plan.journeys.iter().enumerate() {
        visit(&journey.actions, endpoint, &mut |step| {
            steps.insert((JourneyId::at(index), step));
        });
    }
    steps
}
