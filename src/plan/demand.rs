use super::arrivals::Schedule;
use super::{Action, Branch, EndpointId, JourneyId, LoadId, Plan, StepId, Turns};
use crate::base::units::Span;

impl Plan {
    /// The requests of open loads that an endpoint must expect within `span` at the most. Both branches of an `if` and one turn of a
    /// `while` count, and loads are added as if they peaked together: never too few.
    fn most_requests(&self, endpoint: EndpointId, span: Span) -> f64 {
        let of_load = |(index, load): (usize, &super::Load)| {
            let most = Schedule::new(load, self.seed, LoadId::at(index)).most_within(span);
            let all: f64 = load.mix.iter().map(|(_, weight)| weight).sum();
            let each = load.mix.iter().filter_map(|(journey, weight)| {
                let journey = self.journeys.get(journey.index())?;
                Some(weight / all * requests(&journey.actions, endpoint))
            });
            most * each.sum::<f64>()
        };
        // Users of a closed load have connections of their own.
        self.loads.iter().enumerate().filter(|(_, load)| !load.is_closed()).map(of_load).sum()
    }

    /// The most connections that a closed load's users hold at once: each has one of its own to every endpoint that it asks.
    pub fn user_connections(&self, load: &super::Load) -> u64 {
        let users = load.users.as_ref().map_or(0, |users| u64::from(users.peak()));
        let asks = |endpoint: EndpointId| {
            let mut journeys = load.journeys().filter_map(|journey| self.journeys.get(journey.index()));
            journeys.any(|journey| requests(&journey.actions, endpoint) > 0.0)
        };
        let endpoints = (0..self.platform.endpoints.len()).map(EndpointId::at).filter(|endpoint| asks(*endpoint));
        users * endpoints.count() as u64
    }

    /// Whether open loads send requests to an endpoint.
    pub fn is_asked(&self, endpoint: EndpointId) -> bool {
        self.most_requests(endpoint, Span::SECOND) > 0.0
    }

    /// The requests that open loads are to send within any one second at the most, to all endpoints.
    pub fn most_requests_a_second(&self) -> f64 {
        let endpoints = 0..self.platform.endpoints.len();
        endpoints.map(|index| self.most_requests(EndpointId::at(index), Span::SECOND)).sum()
    }

    /// Whether visits of a load go through this journey by itself, and not only as a part of others.
    pub fn is_taken(&self, journey: JourneyId) -> bool {
        self.loads.iter().any(|load| load.journeys().any(|taken| taken == journey))
    }

    /// Whether figures under this name are of a group of steps.
    pub fn is_group(&self, step: StepId) -> bool {
        self.steps.get(step.index()).is_some_and(|step| step.group)
    }

    /// How many connections to an endpoint are enough for its peak while nothing is answered for as long as patience
    /// lasts: the default of `connections.max`, and what makes a full pool the platform's fault.
    pub fn needed_connections(&self, endpoint: EndpointId) -> u32 {
        let longest = self.steps.iter().filter_map(|step| step.within).fold(self.limits.patience, Span::max);
        // A hair less, since a product of floats comes out above a whole number now and then.
        let needed = (self.most_requests(endpoint, longest) * (1.0 - 1e-9)).ceil();
        needed.clamp(1.0, f64::from(u32::MAX)) as u32
    }
}

/// How likely each branch is, and what it does.
fn shares(branches: &[Branch]) -> impl Iterator<Item = (f64, &[Action])> {
    let all: f64 = branches.iter().map(|branch| branch.weight).sum();
    branches.iter().map(move |branch| (branch.weight / all, branch.actions.as_slice()))
}

fn requests(actions: &[Action], endpoint: EndpointId) -> f64 {
    let each = actions.iter().map(|action| match action {
        Action::Request(request) => f64::from(u8::from(request.endpoint == endpoint)),
        // However often it is asked, a poll holds one connection at most.
        Action::Poll(poll) => f64::from(u8::from(poll.request.endpoint == endpoint)),
        Action::Let(_) | Action::Think(_) | Action::Rendezvous(_) => 0.0,
        Action::Repeat(repeat) => {
            let turns = match repeat.turns {
                Turns::Times(times) => f64::from(times),
                Turns::While(_) => 1.0,
            };
            turns * requests(&repeat.actions, endpoint)
        }
        Action::Choose(branches) => shares(branches).map(|(share, actions)| share * requests(actions, endpoint)).sum(),
        Action::Group(group) => requests(&group.actions, endpoint),
        Action::If { then, otherwise, .. } => requests(then, endpoint) + requests(otherwise, endpoint),
    });
    each.sum()
}
