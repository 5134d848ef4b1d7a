//! Loads that send the requests of a log again: which of them, when, and under which names.

use super::context::Cx;
use super::feed;
use super::journey::Made;
use super::load::Files;
use super::names::Names;
use super::platform::only_endpoint;
use super::rates;
use super::request::TIMEOUT;
use super::whole::Walked;
use super::{journey::Steps, rates::Wrong};
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::log::{Fields, Format, fits};
use crate::base::units::{Share, Text};
use crate::plan::{
    self, Action, Choice, EndpointId, Expect, JourneyId, Method, OnFailure, Replay, Route, StatusSet, StepId, Taken,
    Template,
};
use crate::scenario::{self, Field, KnownFormat, LogFormat, Named, ReplayMethod, Scenario, Spanned};

/// A log whose paths come to more names than this wants them written.
const MOST_NAMES: usize = 100;
/// Each has its instant in the plan.
const MOST_ARRIVALS: usize = 2_000_000;

/// What a load's log came to.
pub(super) struct Replayed {
    /// None where it was refused.
    pub(super) replay: Option<Replay>,
    /// The journeys that its requests are, and how many of each.
    pub(super) mix: Vec<(JourneyId, f64)>,
}

/// For each readable load what its log came to, if it has one. The requests of one name are a journey of one step.
pub(super) fn replays(
    scenario: &Scenario,
    endpoints: &Names,
    journeys: &mut Names,
    steps: &mut Steps,
    walked: &mut Walked,
    files: &mut Files<'_, '_>,
    cx: &mut Cx<'_>,
) -> Vec<Option<Replayed>> {
    let loads = scenario.load.value().into_iter().flat_map(Named::iter);
    let made = loads.map(|(name, load)| {
        load.replay.written()?;
        let mut made = Replayed { replay: None, mix: Vec::new() };
        let Some((written, taken)) = read(&name.value, &load.replay, endpoints, files, cx) else {
            // Its names would have been those of its paths.
            cx.broken = true;
            walked.whole = false;
            steps.lack();
            journeys.lacks();
            return Some(made);
        };
        let Read { mut replay, endpoint, mark } = written;
        // Before they are made, which may be more than there is memory for.
        let about = taken.requests.len() as f64 * replay.amplify;
        let arrivals = match about > 2.0 * MOST_ARRIVALS as f64 {
            true => Vec::new(),
            false => taken.arrivals(replay.speed, replay.amplify),
        };
        let count = if arrivals.is_empty() { about as usize } else { arrivals.len() };
        if arrivals.is_empty() || count > MOST_ARRIVALS {
            let file = &replay.file;
            let message = match count {
                0 => format!("nothing of `{file}` is sent: {}", left_out(&taken.tally)),
                _ => {
                    format!("the replay of `{file}` comes to {count} arrivals, and at most {MOST_ARRIVALS} are planned")
                }
            };
            cx.say(Diagnostic::error("no-arrivals", mark, message));
            steps.lack();
            journeys.lacks();
            return Some(made);
        }
        let mut counts = vec![0.0; taken.routes.len()];
        for (_, index) in &arrivals {
            if let Some(count) = taken.requests.get(*index).and_then(|(route, _)| counts.get_mut(*route)) {
                *count += 1.0;
            }
        }
        replay.instants = arrivals.into_iter().map(|(at, _)| at).collect();
        let mut all = true;
        for ((name, method), count) in taken.routes.iter().zip(counts) {
            match journey(name, *method, endpoint, mark, journeys, steps, walked, cx) {
                Some(id) => {
                    replay.routes.push(Route { name: name.clone(), method: *method, journey: id });
                    made.mix.push((id, count));
                }
                None => all = false,
            }
        }
        made.replay = all.then_some(replay);
        Some(made)
    });
    made.collect()
}

fn left_out(tally: &plan::Tally) -> String {
    let plan::Tally { taken, other_methods, other_paths, refused_then } = tally;
    format!(
        "{other_methods} requests are of other methods, {other_paths} of other paths, {refused_then} were answered with \
         4xx then, {taken} are taken"
    )
}

struct Read {
    replay: Replay,
    endpoint: usize,
    mark: Mark,
}

fn read(
    load: &str,
    field: &Field<scenario::Replay>,
    endpoints: &Names,
    files: &mut Files<'_, '_>,
    cx: &mut Cx<'_>,
) -> Option<(Read, Taken)> {
    let block = cx.get(field)?;
    let mark = block.key;
    cx.broken |= !block.complete;
    let endpoint = match cx.get(&block.endpoint) {
        Some(name) => endpoints.find(name, cx),
        None if block.endpoint.is_hole() => None,
        None => only_endpoint(endpoints, mark, "the replay", cx),
    };
    let path = format!("load.{load}.replay");
    let speed = cx.settle(format!("{path}.speed"), &block.speed, Share(1.0)).as_f64();
    let amplify = cx.settle(format!("{path}.amplify"), &block.amplify, Share(1.0)).as_f64();
    let choice = choice(block, cx);
    let log = cx.need(&block.log)?;
    let (file, bytes) = feed::file(log, files.entry, files.load, cx)?;
    cx.note(format!("{path}.log"), &file, log.mark);
    let sha256 = feed::sha256(&bytes);
    let whole = rates::path(&file, files.entry, cx);
    let text = rates::text(log.mark, &whole, bytes, cx)?;
    let choice = choice?;
    let (taken, mistakes) = choice.take(&text);
    if !mistakes.is_empty() {
        let source = cx.sources.add(whole, text);
        let wrong =
            |wrong: crate::base::log::Mistake| -> Wrong { (wrong.from..wrong.to, wrong.message, String::new()) };
        rates::say(source, mistakes.into_iter().map(wrong).collect(), cx);
        return None;
    }
    if taken.routes.len() > MOST_NAMES {
        let message =
            format!("the paths of `{file}` come to {} names, and figures are kept for each", taken.routes.len());
        let help = "write `names: { \"/products/*\": view product }` for them, or choose with `only: { paths }`";
        cx.say(Diagnostic::error("too-many-names", log.mark, message).help(help));
        return None;
    }
    for (pattern, _) in block.names.value().into_iter().flat_map(Named::iter) {
        if !taken.requests.iter().any(|(_, target)| fits(&pattern.value, target)) {
            let message = format!("`{}` fits no request of `{file}` that is sent", pattern.value);
            cx.say(Diagnostic::warning("fits-nothing", pattern.mark, message));
        }
    }
    let tally = taken.tally;
    let (routes, instants) = (Vec::new(), Default::default());
    let replay = Replay { file, sha256, choice, speed, amplify, routes, tally, instants };
    Some((Read { replay, endpoint: endpoint?, mark }, taken))
}

fn choice(block: &scenario::Replay, cx: &mut Cx<'_>) -> Option<Choice> {
    let sent = |method: ReplayMethod| !matches!(method, ReplayMethod::Post | ReplayMethod::Put | ReplayMethod::Patch);
    let mut choice = Choice {
        format: format(&cx.need(&block.format)?.value, cx)?,
        methods: vec![Method::Get, Method::Head],
        paths: Vec::new(),
        names: Vec::new(),
    };
    if let Some(only) = cx.get(&block.only) {
        cx.broken |= !only.complete;
        if let Some(methods) = cx.get(&only.methods) {
            // Such a list was refused where it was read.
            if methods.items.is_empty() || !methods.items.iter().all(|method| sent(method.value)) {
                return None;
            }
            choice.methods = cx.items(&methods.value).iter().map(|method| method_of(method.value)).collect();
        }
        if let Some(paths) = cx.get(&only.paths) {
            if paths.items.is_empty() {
                return None;
            }
            choice.paths = cx.items(&paths.value).iter().map(|path| path.value.clone()).collect();
        }
    }
    let names = cx.get(&block.names).map(|names| &names.value);
    let named = |(pattern, name): (&Spanned<String>, &Spanned<String>)| (pattern.value.clone(), name.value.clone());
    choice.names = cx.entries(names).into_iter().map(named).collect();
    Some(choice)
}

fn method_of(method: ReplayMethod) -> Method {
    match method {
        ReplayMethod::Get => Method::Get,
        ReplayMethod::Head => Method::Head,
        ReplayMethod::Options => Method::Options,
        ReplayMethod::Delete => Method::Delete,
        ReplayMethod::Post => Method::Post,
        ReplayMethod::Put => Method::Put,
        ReplayMethod::Patch => Method::Patch,
    }
}

fn format(format: &LogFormat, cx: &mut Cx<'_>) -> Option<Format> {
    let lines = match format {
        LogFormat::Known(KnownFormat::Common) => return Some(Format::Common),
        LogFormat::Known(KnownFormat::Combined) => return Some(Format::Combined),
        LogFormat::Known(KnownFormat::Har) => return Some(Format::Har),
        LogFormat::Lines(lines) => lines,
    };
    cx.broken |= !lines.complete;
    let fields = cx.need(&lines.json)?;
    cx.broken |= !fields.complete;
    let mut or = |field: &Field<String>, default: &str| {
        cx.get(field).map_or_else(|| default.to_owned(), |name| name.value.clone())
    };
    let method = or(&fields.method, "method");
    let path = or(&fields.path, "path");
    let session = or(&fields.session, "client");
    let status = or(&fields.status, "status");
    let time = cx.need(&fields.time)?.value.clone();
    Some(Format::Json(Fields { time, method, path, session, status }))
}

/// The journey of one step that requests of this name are. Loads share it.
#[allow(clippy::too_many_arguments)]
fn journey(
    name: &str,
    method: Method,
    endpoint: usize,
    mark: Mark,
    journeys: &mut Names,
    steps: &mut Steps,
    walked: &mut Walked,
    cx: &mut Cx<'_>,
) -> Option<JourneyId> {
    let step = steps.register(name, mark, Text::default(), None, cx);
    let request = plan::Request {
        step: StepId::at(step),
        endpoint: EndpointId::at(endpoint),
        method,
        // Which path is asked for only the log says.
        path: Template("/".to_owned()),
        query: Vec::new(),
        headers: Vec::new(),
        body: None,
        timeout: TIMEOUT,
        expect: Expect { status: vec![StatusSet::Class(2), StatusSet::Class(3)], ..Expect::default() },
        on_failure: OnFailure::End,
        captures: Vec::new(),
        retry: None,
        follow: None,
        decompress: None,
    };
    let actions = vec![Action::Request(Box::new(request))];
    let known = |name: &str, walked: &Walked, journeys: &Names| {
        let id = journeys.get(name)?;
        Some((id, walked.journeys.get(id).is_some_and(|journey| journey.actions == actions)))
    };
    // Two methods may share a name, and figures; a journey has one request.
    for name in [name.to_owned(), format!("{method} {name}")] {
        match known(&name, walked, journeys) {
            Some((id, true)) => return Some(JourneyId::at(id)),
            Some((_, false)) => continue,
            None => {}
        }
        let id = journeys.add(&name, mark).ok()?;
        let title = Text::default();
        walked.journeys.push(plan::Journey { name, title, cookies: false, actions });
        walked.made.push(vec![Made { step, endpoint: Some(endpoint), times: 1.0 }]);
        walked.used.push(Vec::new());
        walked.longest_timeout = walked.longest_timeout.max(TIMEOUT);
        return Some(JourneyId::at(id));
    }
    let message = format!("there is a journey `{name}` already, and the requests of a log are kept under that name");
    cx.say(Diagnostic::error("given-twice", mark, message).help("give either another name"));
    None
}
