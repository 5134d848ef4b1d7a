//! What users of closed loads do beside their journeys: once before the first one (`first`), and again and again between two of
//! them (`refresh`). Each is a journey of its own in the plan, so that its requests have figures; what it captures is known to
//! the journeys of its load.

use std::collections::BTreeMap;

use super::context::Cx;
use super::journey::{Journeys, Made, Steps, Used, Walker};
use super::names::Names;
use super::text::{Own, Place, Reach};
use super::whole::Walked;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::{Span, Text};
use crate::plan::{self, JourneyId, Refresh};
use crate::scenario::{self, Named, Scenario};

/// Of one load.
#[derive(Default)]
pub(super) struct Beside {
    first: Option<Walk>,
    refresh: Option<(Span, Walk)>,
    /// The names of its journeys.
    mix: Vec<String>,
    /// What its journeys know from the beginning.
    knows: BTreeMap<String, Mark>,
}

/// Steps, walked.
struct Walk {
    mark: Mark,
    journey: plan::Journey,
    made: Vec<Made>,
    used: Vec<Used>,
    meets: Vec<(Mark, u64)>,
    sheds: Option<Mark>,
    longest_timeout: Span,
}

/// Where they have come to lie among the plan's journeys.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Joined {
    pub(super) first: Option<JourneyId>,
    pub(super) refresh: Option<Refresh>,
}

/// Walks them for each readable load.
pub(super) fn besides(
    scenario: &Scenario,
    journeys: &Journeys<'_>,
    reach: &Reach<'_>,
    steps: &mut Steps,
    endpoints: &Names,
    cx: &mut Cx<'_>,
) -> Vec<Beside> {
    let mut all = Vec::new();
    for (name, load) in scenario.load.value().into_iter().flat_map(Named::iter) {
        let mut beside = Beside::default();
        let mix = load.mix.value().into_iter().flat_map(|mix| &mix.entries);
        beside.mix = mix.map(|(journey, _)| journey.value.clone()).collect();
        let mut walk = |written: &scenario::Spanned<scenario::Steps>,
                        what: &str,
                        knows: &mut BTreeMap<String, Mark>,
                        cx: &mut Cx<'_>| {
            let mut walker = Walker::new(journeys, reach, steps, endpoints, Place::Visit);
            walker.own.sure = knows.clone();
            walker.renews = true;
            let actions = walker.walk(&written.value, None, cx);
            if walker.made.is_empty() && walker.steps.names.is_whole() {
                let message = format!("`{what}` sends no request");
                cx.say(Diagnostic::error("no-request", written.key, message));
            }
            *knows = std::mem::take(&mut walker.own.sure);
            let name = format!("{}.{what}", name.value);
            Walk {
                mark: written.key,
                journey: plan::Journey { name, title: Text::default(), cookies: true, actions },
                made: walker.made,
                used: walker.used,
                meets: walker.meets,
                sheds: walker.sheds,
                longest_timeout: walker.longest_timeout,
            }
        };
        if let Some(first) = cx.get(&load.first) {
            beside.first = Some(walk(first, "first", &mut beside.knows, cx));
        }
        if let Some(refresh) = cx.get(&load.refresh) {
            cx.broken |= !refresh.complete;
            let every = cx.need(&refresh.every).map(|every| {
                cx.note(format!("load.{}.refresh.every", name.value), &every.value, every.mark);
                every.value
            });
            if let (Some(every), Some(written)) = (every, cx.need(&refresh.steps)) {
                // What only a refresh makes is not there before it.
                let mut knows = beside.knows.clone();
                beside.refresh = Some((every, walk(written, "refresh", &mut knows, cx)));
            }
        }
        all.push(beside);
    }
    all
}

/// What visits of a journey know from the beginning: what every load that takes it has captured before.
pub(super) fn granted(besides: &[Beside], journey: &str) -> Own {
    let taking: Vec<&Beside> = besides.iter().filter(|beside| beside.mix.iter().any(|name| name == journey)).collect();
    // One that is only a part of others is looked at there.
    let all: Vec<&Beside> = if taking.is_empty() { besides.iter().collect() } else { taking };
    let mut own = Own::default();
    for (name, mark) in all.iter().flat_map(|beside| &beside.knows) {
        if all.iter().all(|beside| beside.knows.contains_key(name)) {
            own.sure.insert(name.clone(), *mark);
        } else {
            let why = "it is made in the `first` of one load only, and another takes this journey, too";
            own.maybe.insert(name.clone(), (*mark, why));
        }
    }
    own
}

/// Adds them to the plan's journeys.
pub(super) fn join(besides: Vec<Beside>, names: &mut Names, walked: &mut Walked, cx: &mut Cx<'_>) -> Vec<Joined> {
    let mut add = |walk: Walk, cx: &mut Cx<'_>| {
        let id = JourneyId::at(walked.journeys.len());
        if let Err(first) = names.add(&walk.journey.name, walk.mark) {
            let message =
                format!("there is a journey `{}` already, which is the name of these steps", walk.journey.name);
            cx.say(Diagnostic::error("given-twice", walk.mark, message).related(first, "the other one"));
        }
        walked.sheds = walked.sheds.or(walk.sheds);
        walked.longest_timeout = walked.longest_timeout.max(walk.longest_timeout);
        walked.journeys.push(walk.journey);
        walked.made.push(walk.made);
        walked.used.push(walk.used);
        walked.meets.resize(walked.journeys.len() - 1, Vec::new());
        walked.meets.push(walk.meets);
        id
    };
    let joined = besides.into_iter().map(|beside| Joined {
        first: beside.first.map(|walk| add(walk, cx)),
        refresh: beside.refresh.map(|(every, walk)| Refresh { every, journey: add(walk, cx) }),
    });
    joined.collect()
}
