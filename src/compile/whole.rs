//! The order in which a scenario is compiled, and the plan that comes of it.

use std::collections::BTreeMap;

use super::about::about;
use super::action;
use super::beside::{self, Beside};
use super::chores::chores;
use super::condition::{Scenery, longest_hold};
use super::container;
use super::context::Cx;
use super::dns;
use super::fault;
use super::feed;
use super::host;
use super::instant::PhaseTable;
use super::journey::{Journeys, Made, Steps, Used, Walker};
use super::limits;
use super::load::{self, Files};
use super::names::Names;
use super::network;
use super::origin::Origins;
use super::platform;
use super::production::{self, Planned};
use super::replay;
use super::samples::Samples;
use super::schedule::{self, Roll};
use super::search;
use super::target;
use super::text::{Place, Reach};
use super::times;
use super::watch::{Around, watches};
use super::{bodies, dry, kept, pool, users, watch};
use crate::base::diagnostic::{Diagnostic, Mark, SourceId, Sources, any_error, sort};
use crate::base::units::{At, Span};
use crate::plan::{self, PhaseId, Plan, Platform, VERSION};
use crate::scenario::{self, Loader, Scenario};

/// What a plan is made of.
pub struct Input<'a> {
    pub scenario: &'a Scenario,
    pub sources: &'a mut Sources,
    /// The scenario's own file: files of feeds lie beside it.
    pub entry: SourceId,
    /// The profile that was laid over the file.
    pub profile: Option<&'a str>,
    /// Nobody is at the terminal, so that nothing can be confirmed there.
    pub unattended: bool,
}

/// A plan, where its values came from, and what is worth a warning.
#[derive(Debug, Clone, PartialEq)]
pub struct Compiled {
    pub plan: Plan,
    pub origins: Origins,
    pub warnings: Vec<Diagnostic>,
}

const SEED: u64 = 1;

/// Compiles `input`; `load` reads a feed's file by its path. Says every mistake. The list is empty when the scenario has holes
/// and nothing else is wrong: then it was all said on reading it.
pub fn compile(input: Input<'_>, load: &mut Loader<'_>) -> Result<Compiled, Vec<Diagnostic>> {
    let Input { scenario, sources, entry, profile, unattended } = input;
    let laid = profile.and_then(|name| {
        let profiles = scenario.profiles.value()?;
        let entry = profiles.entries.iter().find(|(known, _)| known.value == name)?;
        Some((name.to_owned(), entry.1.as_ref()?.mark))
    });
    let mut cx = Cx::new(sources, laid);
    let plan = build(scenario, profile, Files { entry, load }, unattended, &mut cx);
    let mut found = cx.found;
    sort(&mut found);
    match plan {
        Some(plan) if !cx.broken && !any_error(&found) => {
            Ok(Compiled { plan, origins: Origins(cx.origins), warnings: found })
        }
        _ => Err(found),
    }
}

/// What visits of the journeys come to, by journey.
#[derive(Default)]
pub(super) struct Walked {
    pub(super) journeys: Vec<plan::Journey>,
    pub(super) made: Vec<Vec<Made>>,
    pub(super) used: Vec<Vec<Used>>,
    /// Where users wait for one another, by journey; of those that are written as one.
    pub(super) meets: Vec<Vec<(Mark, u64)>>,
    pub(super) sheds: Option<Mark>,
    pub(super) longest_timeout: Span,
    /// True when every step is known.
    pub(super) whole: bool,
}

fn build(
    scenario: &Scenario,
    profile: Option<&str>,
    mut files: Files<'_, '_>,
    unattended: bool,
    cx: &mut Cx<'_>,
) -> Option<Plan> {
    cx.broken |= !scenario.complete;
    let about = about(scenario, cx);
    let seed = cx.settle("seed", &scenario.seed, SEED);
    let platform = cx.need(&scenario.platform).map(|platform| &platform.value);
    cx.broken |= platform.is_some_and(|platform| !platform.complete);
    let (processes, known, processes_whole) = platform::process_names(platform, cx);
    let (mut feeds, rows) = feed::feeds(&scenario.feeds, files.entry, files.load, cx);
    let mut reach = Reach {
        vars: scenario.vars.value(),
        vars_whole: !scenario.vars.is_hole() && scenario.vars.value().is_none_or(|vars| vars.complete),
        processes: known,
        processes_whole,
        links: platform.map_or_else(|| Names::new("link"), |platform| Names::of("link", &platform.links)),
        feeds: Names::of("feed", &scenario.feeds),
        rows,
        prepare: Names::new("captured name of `prepare`"),
    };
    let mut endpoint_names = Names::new("endpoint");
    match platform {
        Some(platform) => endpoint_names = Names::of("endpoint", &platform.endpoints),
        None => endpoint_names.lacks(),
    }
    let hosts = platform.map_or_else(|| Names::new("host"), |platform| Names::of("host", &platform.hosts));
    let made_platform = platform.map(|written| {
        let allow = platform::allowed(written, cx);
        let mark = platform::mark(written, &reach, cx);
        let networks = network::networks(written, allow.as_deref(), cx);
        let made = platform::processes(&written.processes, &networks, &reach, cx);
        network::check_reach(written, &reach, cx);
        let links = platform::links(&written.links, allow.as_deref(), &reach, cx);
        let toxiproxy = platform::toxiproxy(written, &links, cx);
        let containers = container::containers(written, cx);
        let endpoints = platform::endpoints(written, allow.as_deref(), &reach, cx);
        let made_hosts = host::hosts(written, allow.as_deref(), cx);
        let around = Around {
            allowed: allow.as_deref(),
            reach: &reach,
            processes: &processes,
            endpoints: &endpoint_names,
            hosts: &hosts,
        };
        let watches = watches(written, &around, cx);
        let allow = allow.unwrap_or_default();
        Platform {
            allow,
            mark,
            networks: networks.list,
            processes: made,
            containers,
            hosts: made_hosts,
            endpoints,
            links,
            toxiproxy,
            watches,
        }
    });

    let mut steps = Steps::new();
    let mut known_journeys = Journeys::new(&scenario.journeys);
    let mut prepare =
        chores("prepare", &scenario.prepare, &known_journeys, &mut reach, &mut steps, &endpoint_names, &mut feeds, cx);
    let besides = beside::besides(scenario, &known_journeys, &reach, &mut steps, &endpoint_names, cx);
    let mut walked = journeys(scenario, &known_journeys, &besides, &reach, &mut steps, &endpoint_names, cx);
    let mut cleanup =
        chores("cleanup", &scenario.cleanup, &known_journeys, &mut reach, &mut steps, &endpoint_names, &mut feeds, cx);

    bodies::fill(&steps.files, &mut walked, [&mut prepare, &mut cleanup], &mut files, cx);

    let mut phases = PhaseTable::new();
    let journey_names = &mut known_journeys.names;
    let replays = replay::replays(scenario, &endpoint_names, journey_names, &mut steps, &mut walked, &mut files, cx);
    let besides = beside::join(besides, journey_names, &mut walked, cx);
    let journey_names = &known_journeys.names;
    let loads = load::loads(scenario, replays, besides, journey_names, &mut phases, &mut files, cx);
    users::check_meetings(&loads.list, &walked.meets, cx);
    if scenario.load.is_hole() || scenario.load.value().is_none_or(|map| !map.complete) || !loads.whole {
        phases.names.lacks();
    }
    if loads.whole {
        phases.check_shared(cx);
    }
    // What is never asked was said here; figures that want for its requests are not said as well.
    let taken = known_journeys.taken.borrow();
    let all_used = loads.used.iter().enumerate().all(|(index, used)| *used || taken.contains(&index));
    for (index, used) in loads.used.iter().enumerate().filter(|(index, _)| !taken.contains(index)) {
        if let (false, Some(mark)) = (*used, journey_names.mark(index)) {
            let message = format!("no load takes the journey `{}`", journey_names.name(index));
            cx.say(
                Diagnostic::error("unused-journey", mark, message)
                    .help("name it in the `mix` of a load, or leave it out"),
            );
        }
    }
    phases.block(&scenario.phases, cx);
    let end = end(scenario, &loads, &phases, cx);
    if let Some(end) = end {
        check_phases(scenario, &phases, end, cx);
    }
    let roll = Roll::new(&scenario.faults, cx);
    let links = made_platform.as_ref().map(|platform| platform.links.as_slice()).unwrap_or_default();
    let containers =
        platform.map_or_else(|| Names::new("container"), |platform| Names::of("container", &platform.containers));
    let dns = platform.map_or_else(|| Names::new("name in networks"), |platform| dns::names(platform, cx));
    let action_names = Names::of("action", &scenario.actions);
    let scene = fault::Scene {
        roll: &roll,
        processes: &processes,
        linked: &reach.links,
        containers: &containers,
        hosts: &hosts,
        reach: &reach,
        links,
        dns: &dns,
        phases: &phases,
        actions: &action_names,
        seed,
    };
    let mut faults = schedule::faults(&scenario.faults, &scene, cx);
    let around = action::Around {
        names: &action_names,
        roll: &roll,
        phases: &phases,
        reach: &reach,
        endpoints: &endpoint_names,
        watches: platform.map(|platform| &platform.watch),
        end,
        unattended,
    };
    let actions = action::actions(&scenario.actions, &around, cx);
    // Where one was refused, the ids of the others are not what they seem.
    let known = if actions.len() == action_names.len() { actions.as_slice() } else { &[] };
    times::settle(&mut faults, known, end, cx);
    if loads.whole {
        search::check_beside(&loads.list, &faults, &phases, &scenario.phases, cx);
    }
    let first_fault = faults.iter().filter_map(|fault| fault.times().map(|(from, _)| from)).min();

    let watches = made_platform.as_ref().map(|platform| platform.watches.as_slice()).unwrap_or_default();
    let mut asked = vec![false; steps.list.len()];
    for made in &walked.made {
        for made in made {
            if let Some(asked) = asked.get_mut(made.step) {
                *asked = true;
            }
        }
    }
    let counted = loads.whole && loads.mixes && walked.whole && all_used;
    let load_names = Names::of("load", &scenario.load);
    let steady_names = Names::of("steady state", &scenario.steady_state);
    let watch_field = platform.map(|platform| &platform.watch);
    let figure_names = steps.figure_names();
    let scenery = Scenery {
        steps: &steps,
        asked: &asked,
        journeys: journey_names,
        loads: &load_names,
        processes: &processes,
        endpoints: &endpoint_names,
        faults: &roll,
        actions: &action_names,
        figures: &figure_names,
        steady: &steady_names,
        phases: &phases,
        samples: counted.then(|| Samples::new(&loads.list, &walked.made)),
        watched: &watch::watched_processes(watches),
        watches,
        has_probe: watches
            .iter()
            .any(|watch| matches!(watch.kind, plan::WatchKind::Probe { .. } | plan::WatchKind::Alert { .. })),
        watches_lost: watch_field.is_none_or(|field| {
            field.is_hole() || field.value().is_some_and(|map| watches.len() != map.entries.len() || !map.complete)
        }),
        end,
        searches: search::of(&loads.list),
    };
    let load_start = loads.whole.then(|| loads.list.iter().map(|load| load.start).min()).flatten();
    let in_time = times::check_first(&faults, load_start, longest_hold(&scenario.steady_state), cx);
    let first_fault = first_fault.filter(|_| in_time);
    let steady_states = scenery.steady_states(&scenario.steady_state, first_fault, cx);
    let aborts = scenery.aborts(&scenario.abort, cx);
    let searches = scenery.searches(&scenario.load, &loads.list, cx);
    schedule::triggers(&scenario.faults, &roll, &mut faults, &scenery, cx);
    let targets = target::targets(&scenario.targets, &scenery, &faults, &steady_states, cx);

    let limits = limits::limits(scenario, walked.sheds, walked.longest_timeout, cx);
    if loads.whole && loads.mixes {
        dry::check(&feeds, &reach.feeds, &loads.list, &walked.used, cx);
    }
    let planned = Planned {
        processes: made_platform.as_ref().map(|platform| platform.processes.len()).filter(|_| processes_whole),
        loads: loads.whole.then_some(loads.list.as_slice()),
        faults: &faults,
        end,
    };
    let production = production::production(scenario, &planned, cx);
    let made_platform = made_platform?;
    if cx.broken || any_error(&cx.found) {
        return None;
    }
    let conditions = steady_states.iter().flat_map(|steady| &steady.must);
    let conditions = conditions.chain(aborts.iter().map(|abort| &abort.condition));
    let conditions = conditions.chain(searches.iter().flat_map(|(_, must)| must));
    let conditions = conditions.chain(faults.iter().filter_map(|made| match &made.fault.at {
        plan::Instant::When(condition) => Some(condition.as_ref()),
        _ => None,
    }));
    let bounds = kept::bounds(conditions, &walked.made, &loads.list, &asked);
    for (step, bounds) in steps.list.iter_mut().zip(bounds) {
        step.bounds = bounds.into_iter().collect();
    }
    let (phases, moved) = phases.finish();
    let mut plan = Plan {
        version: VERSION,
        about,
        seed,
        profile: profile.map(str::to_owned),
        vars: vars(scenario)?,
        platform: made_platform,
        prepare,
        cleanup,
        feeds,
        figures: std::mem::take(&mut steps.figures),
        series: kept::series(&loads.list, &walked.made),
        steps: steps.list,
        journeys: walked.journeys,
        loads: loads.list,
        phases,
        faults: faults.into_iter().map(|made| made.fault).collect(),
        actions,
        steady_states,
        aborts,
        targets,
        limits,
        end: end? - At::START,
        rehearsal: None,
        unjudged: Vec::new(),
        production,
    };
    search::settle(&mut plan, searches);
    move_phases(&mut plan, &moved);
    if let Some(platform) = platform {
        pool::settle(&mut plan, &platform.endpoints, cx);
    }
    Some(plan)
}

fn journeys(
    scenario: &Scenario,
    known: &Journeys<'_>,
    besides: &[Beside],
    reach: &Reach<'_>,
    steps: &mut Steps,
    endpoints: &Names,
    cx: &mut Cx<'_>,
) -> Walked {
    let mut walked = Walked { whole: true, ..Walked::default() };
    let loads = scenario.load.value().into_iter().flat_map(scenario::Named::iter);
    if scenario.journeys.is_absent() && loads.map(|(_, load)| load).any(|load| !load.replay.is_absent()) {
        return walked;
    }
    let Some(map) = cx.need(&scenario.journeys) else {
        walked.whole = false;
        steps.lack();
        return walked;
    };
    if map.entries.is_empty() && map.complete {
        let message = "there is no journey: visitors would do nothing";
        cx.say(Diagnostic::error("empty-map", map.mark, message));
    }
    if !map.complete {
        cx.broken = true;
        walked.whole = false;
        steps.lack();
    }
    for (index, (name, journey)) in map.entries.iter().enumerate() {
        let mut walker = Walker::new(known, reach, steps, endpoints, Place::Visit);
        walker.own = beside::granted(besides, &name.value);
        let mut made = plan::Journey {
            name: name.value.clone(),
            title: crate::base::units::Text::default(),
            cookies: true,
            actions: Vec::new(),
        };
        let written = match journey.as_ref().map(|journey| &journey.value) {
            Some(scenario::Journey::Steps(steps)) => Some(steps),
            Some(scenario::Journey::Block(block)) => {
                cx.broken |= !block.complete;
                made.title = cx.get(&block.title).map(|title| title.value.clone()).unwrap_or_default();
                made.cookies = cx.get(&block.cookies).is_none_or(|word| word.value == scenario::Switch::On);
                walker.go_to(Some(&block.endpoint), cx);
                cx.need(&block.steps).map(|steps| &steps.value)
            }
            None => None,
        };
        match written {
            Some(written) => {
                made.actions = walker.walk(written, Some(index), cx);
                if !walker.made.iter().any(Made::is_request) && walker.steps.names.is_whole() {
                    let message = format!("the journey `{}` sends no request", name.value);
                    cx.say(Diagnostic::error("no-request", name.mark, message));
                }
            }
            None => {
                cx.broken = true;
                walker.steps.lack();
            }
        }
        walked.sheds = walked.sheds.or(walker.sheds);
        walked.longest_timeout = walked.longest_timeout.max(walker.longest_timeout);
        walked.made.push(walker.made);
        walked.used.push(walker.used);
        walked.meets.push(walker.meets);
        walked.journeys.push(made);
    }
    walked.whole &= steps.names.is_whole();
    walked
}

/// When the drill ends, as long as it is known.
fn end(scenario: &Scenario, loads: &load::Loads, phases: &PhaseTable, cx: &mut Cx<'_>) -> Option<At> {
    let last = loads.list.iter().map(plan::Load::end).max().filter(|_| loads.whole);
    match cx.get(&scenario.end) {
        Some(written) => {
            let end = phases.at(written, "the end of the drill", cx)?;
            cx.note("end", &end, written.mark);
            if let Some(last) = last.filter(|last| end < *last) {
                let message = format!("the drill would end at {end}, and a load goes on until {last}");
                let help = "leave `end` out: the drill ends with its last stage";
                cx.say(Diagnostic::error("too-short", written.mark, message).help(help));
                return None;
            }
            last.map(|_| end)
        }
        None if scenario.end.is_hole() => None,
        None => {
            if let Some(last) = last {
                cx.note_default("end", &last);
            }
            last
        }
    }
}

/// Phases of `phases:` must lie within the drill; those of stages do.
fn check_phases(scenario: &Scenario, phases: &PhaseTable, end: At, cx: &mut Cx<'_>) {
    for (name, phase) in scenario.phases.value().into_iter().flat_map(scenario::Named::iter) {
        let times = phases.names.get(&name.value).and_then(|index| phases.times(index));
        if let (Some((from, to)), Some(written_from), Some(written)) = (times, phase.from.get(), phase.to.get())
            && to > end
        {
            let (edge, at, mark) =
                if from >= end { ("begins", from, written_from.mark) } else { ("ends", to, written.mark) };
            let message = format!("phase `{}` {edge} at {at}, and the drill ends at {end}", name.value);
            cx.say(Diagnostic::error("outside-drill", mark, message));
        }
    }
}

fn vars(scenario: &Scenario) -> Option<BTreeMap<String, serde_json::Value>> {
    let vars = scenario.vars.value().into_iter().flat_map(scenario::Named::iter);
    vars.map(|(name, tree)| Some((name.value.clone(), tree.value.to_json()?))).collect()
}

/// Phases are ordered by their start once all are known; what names them follows.
fn move_phases(plan: &mut Plan, moved: &[usize]) {
    let place = |phase: &mut Option<PhaseId>| {
        if let Some(id) = phase.as_mut()
            && let Some(new) = moved.get(id.index())
        {
            *id = PhaseId::at(*new);
        }
    };
    plan.loads.iter_mut().flat_map(|load| &mut load.stages).for_each(|stage| place(&mut stage.phase));
    let users = plan.loads.iter_mut().filter_map(|load| load.users.as_mut());
    users.flat_map(|users| &mut users.stages).for_each(|stage| place(&mut stage.phase));
    plan.targets.iter_mut().for_each(|target| place(&mut target.condition.phase));
}
