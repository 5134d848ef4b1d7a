//! What `peakdrill plan` prints: what would happen, and where each value came from.

use std::fmt::Write as _;

use super::deed::fault_deed;
use super::table::{Align, Paint, Table, one_line};
use super::{Colour, Words, actions};
use crate::base::units::{At, Rate};
use crate::plan::{
    Action, Allow, Attach, ChoreWork, Due, End, FeedId, Instant, JourneyId, Load, Moment, Plan, ProcessSource, Replay,
    Scope, Spacing, StageKind, Turns, WatchKind,
};

const INDENT: &str = "  ";
/// Columns of the chart of arrivals.
const WIDE: usize = 72;

/// A value of the plan and where it came from, as texts: `vars.peak`, `120/s`, `profile smoke, presale.yaml:14`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub name: String,
    pub value: String,
    pub from: String,
}

/// What the plan's page is made from.
#[derive(Debug, Clone, Copy)]
pub struct PlanPage<'a> {
    pub plan: &'a Plan,
    pub origins: &'a [Origin],
    /// For each load of the plan, the arrivals of each second from the drill's start; of a closed one, the users there at its
    /// end.
    pub arrivals: &'a [Vec<u64>],
    /// What is odd and not wrong.
    pub warnings: &'a [String],
}

/// The page as text.
pub fn plan_page(page: &PlanPage<'_>, words: Words, colour: Colour) -> String {
    let plan = page.plan;
    let mut out = String::new();
    let title = words.plan_heading(one_line(&words.titled(&plan.about.title, &plan.about.name)));
    let _ = writeln!(out, "{}", Paint::Bold.on(colour, &title));
    let mut facts = vec![words.plan_takes(words.span(plan.end)), words.pair(words.seed_word(), plan.seed)];
    facts.extend(plan.profile.as_ref().map(|profile| words.pair(words.profile_word(), one_line(profile))));
    let _ = writeln!(out, "{INDENT}{}", Paint::Dim.on(colour, &facts.join(" · ")));
    arrivals(&mut out, page, words, colour);
    requests(&mut out, page, words, colour);
    timeline(&mut out, plan, words, colour);
    platform(&mut out, plan, words, colour);
    conditions(&mut out, plan, words, colour);
    if !page.origins.is_empty() {
        head(&mut out, colour, &words.plan_values());
        let mut table = Table::bare(&[Align::Left, Align::Left, Align::Left]);
        for origin in page.origins {
            let [name, value, from] =
                [&origin.name, &origin.value, &origin.from].map(|text| (text.clone(), Paint::Plain));
            table.row(vec![name, value, (from.0, Paint::Dim)]);
        }
        out.push_str(&table.render(INDENT, colour));
    }
    if !page.warnings.is_empty() {
        head(&mut out, colour, &words.plan_warnings());
        for warning in page.warnings {
            let _ = writeln!(out, "{INDENT}{}", Paint::Open.on(colour, &one_line(warning)));
        }
    }
    out
}

fn head(out: &mut String, colour: Colour, text: &str) {
    let _ = writeln!(out, "\n{}", Paint::Bold.on(colour, text));
}

fn arrivals(out: &mut String, page: &PlanPage<'_>, words: Words, colour: Colour) {
    let plan = page.plan;
    head(out, colour, &words.plan_arrivals());
    for (load, seconds) in plan.loads.iter().zip(page.arrivals) {
        let name = one_line(&words.titled(&load.title, &load.name));
        if let Some(users) = &load.users {
            let _ = writeln!(out, "{INDENT}{}", words.colon(name, words.plan_closed()));
            let pace = users.pace.map_or_else(String::new, |pace| words.plan_pace(words.span(pace)));
            let [most, all] = [u64::from(users.peak()), users.count()].map(|count| words.count(count));
            let _ = writeln!(out, "{INDENT}{}", words.plan_users(most, all, pace));
            mix(out, plan, load, words);
            bars(out, seconds, words);
            continue;
        }
        let visits: u64 = seconds.iter().sum();
        let peak = seconds.iter().copied().max().unwrap_or(0);
        let line = words.plan_load_line(words.n_visits(visits), words.rate(Rate::per_second(peak as f64)));
        let spacing = match (&load.replay, load.spacing) {
            (Some(_), _) => words.plan_spacing_log(),
            (None, Spacing::Even) => words.plan_spacing_even(),
            (None, Spacing::Poisson) => words.plan_spacing_poisson(),
        };
        let _ = writeln!(out, "{INDENT}{}", words.colon(name, [line, spacing].join(" · ")));
        for stage in &load.stages {
            if let StageKind::Points { file, points } = &stage.kind {
                let lines = words.plan_rates(one_line(file), words.count(points.len() as u64));
                let _ = writeln!(out, "{INDENT}{lines}");
            }
        }
        if let Some(search) = &load.search {
            let how = words.plan_search(words.rate(search.from), words.rate(search.to), words.rate(search.by));
            let longest = words.plan_search_longest(words.span(search.longest()));
            let _ = writeln!(out, "{INDENT}{}", [how, longest].join(" · "));
        }
        if let Some(replay) = &load.replay {
            replayed(out, plan, load, replay, words, colour);
        }
        if load.replay.is_none() {
            mix(out, plan, load, words);
        }
        bars(out, seconds, words);
    }
    if plan.loads.is_empty() {
        let _ = writeln!(out, "{INDENT}{}", words.plan_nothing());
    }
}

/// The journeys of a load.
fn mix(out: &mut String, plan: &Plan, load: &Load, words: Words) {
    let weights: f64 = load.mix.iter().map(|(_, weight)| weight).sum();
    let mix: Vec<String> = load
        .mix
        .iter()
        .filter_map(|(journey, weight)| {
            let journey = plan.journeys.get(journey.index())?;
            let share = crate::base::units::Share(weight / weights);
            Some(words.pair(one_line(&words.title(&journey.title, &journey.name)), words.share(share)))
        })
        .collect();
    let _ = writeln!(out, "{INDENT}{}", words.colon(words.plan_mix(), mix.join(" · ")));
}

/// What comes, second by second.
fn bars(out: &mut String, seconds: &[u64], words: Words) {
    let wide = seconds.len().clamp(1, WIDE);
    let bars = columns(seconds, wide);
    let highest = bars.iter().copied().fold(0.0, f64::max);
    let scale = [highest, highest / 2.0].map(|rate| words.number(rate));
    let margin = scale.iter().map(String::len).max().unwrap_or(1);
    for (row, label) in [(3, scale[0].as_str()), (2, ""), (1, scale[1].as_str()), (0, "")] {
        let cells: String = bars.iter().map(|bar| block(bar / highest.max(1e-9) * 4.0 - f64::from(row))).collect();
        let _ = writeln!(out, "{INDENT}{label:>margin$} │{}", cells.trim_end());
    }
    let end = words.second(seconds.len() as u64);
    let _ = writeln!(out, "{INDENT}{:>margin$} └{}", "0", "─".repeat(wide));
    let _ = writeln!(out, "{INDENT}{:>margin$}  0:00{end:>width$}", "", width = wide.saturating_sub(4));
}

/// What of a log is sent.
fn replayed(out: &mut String, plan: &Plan, load: &Load, replay: &Replay, words: Words, colour: Colour) {
    let how = words.plan_replay(
        one_line(&replay.file),
        words.n_requests(replay.tally.taken),
        words.number(replay.speed),
        words.number(replay.amplify),
    );
    let _ = writeln!(out, "{INDENT}{how}");
    let left_out = words.plan_left_out(
        words.count(replay.tally.other_methods),
        words.count(replay.tally.other_paths),
        words.count(replay.tally.refused_then),
    );
    let _ = writeln!(out, "{INDENT}{}", Paint::Dim.on(colour, &left_out));
    let mut table = Table::bare(&[Align::Left, Align::Left, Align::Right]);
    for (route, (_, count)) in replay.routes.iter().zip(&load.mix) {
        let step = plan.steps.iter().find(|step| step.name == route.name);
        let name = step.map_or_else(|| route.name.clone(), |step| words.title(&step.title, &step.name));
        table.plain(vec![route.method.to_string(), name, words.count(count.round() as u64)]);
    }
    out.push_str(&table.render("    ", colour));
}

/// Arrivals per second in each of `wide` columns.
fn columns(seconds: &[u64], wide: usize) -> Vec<f64> {
    (0..wide)
        .map(|column| {
            let (from, to) = (column * seconds.len() / wide, ((column + 1) * seconds.len() / wide).max(1));
            let part = seconds.get(from..to).unwrap_or_default();
            part.iter().sum::<u64>() as f64 / part.len().max(1) as f64
        })
        .collect()
}

/// One row's part of a bar; `height` in rows.
fn block(height: f64) -> char {
    const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    BLOCKS[(height * 8.0).round().clamp(0.0, 8.0) as usize]
}

/// What the visits come to in requests: each step as often as the plan says by itself.
fn requests(out: &mut String, page: &PlanPage<'_>, words: Words, colour: Colour) {
    let plan = page.plan;
    let mut per_step = vec![(0.0, 0.0); plan.steps.len()];
    // What users come to depends on the platform.
    let open = plan.loads.iter().zip(page.arrivals).filter(|(load, _)| !load.is_closed());
    for (load, seconds) in open {
        let visits = seconds.iter().sum::<u64>() as f64;
        let peak = seconds.iter().copied().max().unwrap_or(0) as f64;
        let weights: f64 = load.mix.iter().map(|(_, weight)| weight).sum();
        for (journey, weight) in &load.mix {
            for (step, times) in turns(plan, *journey) {
                if let Some((at_peak, in_all)) = per_step.get_mut(step) {
                    *at_peak += peak * weight / weights * times;
                    *in_all += visits * weight / weights * times;
                }
            }
        }
    }
    if per_step.iter().all(|(_, in_all)| *in_all == 0.0) {
        return;
    }
    head(out, colour, &words.plan_follows());
    let mut table = Table::new(&[
        (words.col_step(), Align::Left),
        (words.plan_peak_word(), Align::Right),
        (words.plan_total_word(), Align::Right),
    ]);
    let row = |name: String, at_peak: f64, in_all: f64| {
        vec![name, words.rate(Rate::per_second(at_peak)), words.count(in_all.round() as u64)]
    };
    for (step, &(at_peak, in_all)) in plan.steps.iter().zip(&per_step).filter(|(step, _)| !step.group) {
        table.plain(row(words.title(&step.title, &step.name), at_peak, in_all));
    }
    let sum = per_step.iter().fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    table.plain(row(words.all_requests(), sum.0, sum.1));
    out.push_str(&table.render(INDENT, colour));
    let _ = writeln!(out, "{INDENT}{}", Paint::Dim.on(colour, &words.plan_follows_note()));
}

/// How often one visit of a journey comes to each step; what a condition decides counts once.
fn turns(plan: &Plan, journey: JourneyId) -> Vec<(usize, f64)> {
    fn walk(actions: &[Action], times: f64, found: &mut Vec<(usize, f64)>) {
        for action in actions {
            match action {
                Action::Request(request) => found.push((request.step.index(), times)),
                Action::Poll(poll) => found.push((poll.request.step.index(), times)),
                Action::Repeat(repeat) => {
                    let turns = match repeat.turns {
                        Turns::Times(turns) => f64::from(turns),
                        Turns::While(_) => 1.0,
                    };
                    walk(&repeat.actions, times * turns, found);
                }
                Action::Choose(branches) => {
                    let all: f64 = branches.iter().map(|branch| branch.weight).sum();
                    branches.iter().for_each(|branch| walk(&branch.actions, times * branch.weight / all, found));
                }
                Action::Group(group) => walk(&group.actions, times, found),
                Action::If { then, .. } => walk(then, times, found),
                Action::Let(_) | Action::Think(_) | Action::Rendezvous(_) => {}
            }
        }
    }
    let mut found = Vec::new();
    if let Some(journey) = plan.journeys.get(journey.index()) {
        walk(&journey.actions, 1.0, &mut found);
    }
    found
}

fn timeline(out: &mut String, plan: &Plan, words: Words, colour: Colour) {
    head(out, colour, &words.plan_timeline());
    let end = plan.end.as_seconds_f64().max(1e-9);
    let mut lines: Vec<(At, String, String)> = Vec::new();
    let bar = |from: f64, to: f64, mark: char| -> String {
        let place = |at: f64| ((at / end * 40.0).round() as usize).min(40);
        let (from, to) = (place(from), place(to).max(place(from) + 1).min(41));
        (0..41).map(|at| if (from..to).contains(&at) { mark } else { '·' }).collect()
    };
    for phase in &plan.phases {
        let text = words.pair(
            format_args!("{}–{}", words.instant(phase.from), words.instant(phase.to)),
            words.titled(&phase.title, &phase.name),
        );
        lines.push((phase.from, bar(phase.from.as_seconds_f64(), phase.to.as_seconds_f64(), '─'), text));
    }
    let mut later = Vec::new();
    for fault in &plan.faults {
        let what = words.with_name(words.title(&fault.title, &fault.name), fault_deed(words, plan, &fault.kind));
        if fault.spared {
            later.push(words.plan_fault_spared(what));
            continue;
        }
        let at = instant(words, plan, &fault.at);
        let text = match &fault.end {
            End::For(lasts) => words.plan_fault_lasts(what, at, words.span(*lasts)),
            End::Until(until) => words.plan_fault_until(what, at, instant(words, plan, until)),
            End::Platform { .. } => words.plan_fault_platform(what, at),
        };
        match (&fault.at, &fault.end) {
            (Instant::At(at), ends) => {
                let to = match ends {
                    End::For(lasts) => *at + *lasts,
                    End::Until(Instant::At(until)) => *until,
                    // Until something that is not known beforehand.
                    End::Until(_) | End::Platform { .. } => At(plan.end.as_nanos()),
                };
                lines.push((*at, bar(at.as_seconds_f64(), to.as_seconds_f64(), '█'), text));
            }
            (Instant::After { .. } | Instant::Action { .. } | Instant::When(_), _) => later.push(text),
        }
    }
    for action in &plan.actions {
        let moment =
            if let Due::Fault { moment, .. } = action.due { moment_word(words, moment) } else { String::new() };
        let (due, how) = actions::planned(plan, action, words, moment);
        let text = words.pair(due, words.with_name(words.title(&action.title, &action.name), how));
        match action.due {
            Due::At(at) => lines.push((at, bar(at.as_seconds_f64(), at.as_seconds_f64(), '▸'), text)),
            Due::Fault { .. } | Due::Action { .. } => later.push(text),
        }
    }
    lines.sort_by_key(|(at, _, _)| *at);
    let mut table = Table::bare(&[Align::Left, Align::Left]);
    for (_, bar, text) in lines {
        table.plain(vec![bar, text]);
    }
    for text in later {
        table.plain(vec!["·".repeat(41), text]);
    }
    let done = words.pair(words.instant(At(plan.end.as_nanos())), words.plan_drill_end());
    table.plain(vec![bar(end, end, '┤'), done]);
    out.push_str(&table.render(INDENT, colour));
}

fn instant(words: Words, plan: &Plan, instant: &Instant) -> String {
    match instant {
        Instant::At(at) => words.instant(*at),
        Instant::After { fault, moment, offset } => {
            let other = plan.faults.get(fault.index()).map_or("", |other| other.name.as_str());
            words.plan_fault_after(other, moment_word(words, *moment), words.span(*offset))
        }
        Instant::Action { action, offset } => actions::after(plan, *action, *offset, words),
        Instant::When(condition) => {
            let bound = words.objective(&condition.measure, condition.bound);
            words.plan_fault_when(words.subject(plan, condition), bound)
        }
    }
}

fn moment_word(words: Words, moment: Moment) -> String {
    match moment {
        Moment::Ordered => words.moment_ordered(),
        Moment::Effective => words.moment_effective(),
        Moment::Detected => words.moment_detected(),
        Moment::Healed => words.moment_healed(),
        Moment::Recovered => words.moment_recovered(),
    }
}

fn platform(out: &mut String, plan: &Plan, words: Words, colour: Colour) {
    head(out, colour, &words.plan_processes());
    let mut table = Table::bare(&[Align::Left, Align::Left]);
    for process in &plan.platform.processes {
        let how = match &process.source {
            ProcessSource::Run { argv, .. } => argv.iter().map(|word| word.0.as_str()).collect::<Vec<_>>().join(" "),
            ProcessSource::Attach(Attach::PidFile(file)) => words.plan_attached(words.plan_attach_pid(file)),
            ProcessSource::Attach(Attach::Port(port)) => words.plan_attached(words.plan_attach_port(port)),
        };
        table.plain(vec![words.titled(&process.title, &process.name), how]);
    }
    for endpoint in &plan.platform.endpoints {
        table.plain(vec![words.titled(&endpoint.title, &endpoint.name), endpoint.url.0.clone()]);
    }
    for link in &plan.platform.links {
        table.plain(vec![words.titled(&link.title, &link.name), words.plan_link(&link.to.0)]);
    }
    for host in &plan.platform.hosts {
        let command = [host.via.as_slice(), std::slice::from_ref(&host.program)].concat().join(" ");
        table.plain(vec![words.titled(&host.title, &host.name), words.plan_host(&host.address, command)]);
    }
    for watch in &plan.platform.watches {
        let what = match &watch.kind {
            WatchKind::Process(processes) => {
                let names: Vec<String> = processes.iter().map(|id| words.scope(plan, Scope::Process(*id))).collect();
                words.list(&names)
            }
            WatchKind::Probe { endpoint, get, every } => {
                format!("{} GET {get} / {}", words.scope(plan, Scope::Endpoint(*endpoint)), words.span(*every))
            }
            WatchKind::Page { url, path, keep } => format!("GET {}{path}: {}", url.0, words.list(keep)),
            WatchKind::Alert { listen } => format!("POST {listen}"),
            WatchKind::Host => words.list(&watch.kind.figures()),
            WatchKind::Remote(host) => {
                format!("{}: {}", words.host(plan, *host), words.list(&watch.kind.figures()))
            }
            WatchKind::Ratio { of, to } => format!("{} / {}", words.watched(plan, *of), words.watched(plan, *to)),
        };
        table.plain(vec![words.titled(&watch.title, &watch.name), what]);
    }
    for (cleanup, chores) in [(false, &plan.prepare), (true, &plan.cleanup)] {
        for (nth, chore) in chores.iter().enumerate() {
            let name = if cleanup { words.chore_cleanup(nth + 1) } else { words.chore_prepare(nth + 1) };
            let what = match &chore.work {
                ChoreWork::Run { argv, .. } => argv.iter().map(|word| word.0.as_str()).collect::<Vec<_>>().join(" "),
                ChoreWork::Steps(actions) => words.plan_steps_chore(words.n_steps(actions.len() as u64)),
                ChoreWork::Each { feed, rate, actions, into } => {
                    let name = |id: FeedId| plan.feeds.get(id.index()).map_or("", |feed| feed.name.as_str());
                    let steps = words.plan_steps_chore(words.n_steps(actions.len() as u64));
                    let rows = plan.feeds.get(feed.index()).map_or(0, |feed| feed.rows);
                    let each = words.plan_each_chore(steps, name(*feed), words.count(rows), rate);
                    match into {
                        Some(into) => words.plan_into_chore(each, name(*into)),
                        None => each,
                    }
                }
            };
            table.plain(vec![name, format!("{what} · {}", words.plan_within(words.span(chore.within)))]);
        }
    }
    let allow: Vec<String> = plan
        .platform
        .allow
        .iter()
        .map(|allow| match allow {
            Allow::Network { address, prefix } => format!("{address}/{prefix}"),
            Allow::Socket { path } => format!("unix:{path}"),
            Allow::Name { host, port: Some(port) } => format!("{host}:{port}"),
            Allow::Name { host, port: None } => words.with_name(host, words.plan_any_port()),
        })
        .collect();
    table.plain(vec![words.plan_allow(), allow.join(", ")]);
    out.push_str(&table.render(INDENT, colour));
}

fn conditions(out: &mut String, plan: &Plan, words: Words, colour: Colour) {
    let said = |condition: &crate::plan::Condition| {
        let over = condition.over.map(|over| words.plan_over(words.span(over)));
        (words.subject(plan, condition), words.objective(&condition.measure, condition.bound), over.unwrap_or_default())
    };
    if !plan.steady_states.is_empty() {
        head(out, colour, &words.plan_steady());
        for steady in &plan.steady_states {
            let name = words.titled(&steady.title, &steady.name);
            let _ = writeln!(out, "{INDENT}{}", one_line(&words.colon(name, words.plan_hold(words.span(steady.hold)))));
            let mut table = Table::bare(&[Align::Left, Align::Left, Align::Left]);
            for must in &steady.must {
                let (measure, bound, over) = said(must);
                table.plain(vec![measure, bound, over]);
            }
            out.push_str(&table.render("    ", colour));
        }
    }
    for (heading, named) in [
        (words.plan_aborts(), plan.aborts.iter().map(|it| (&it.title, &it.name, &it.condition)).collect::<Vec<_>>()),
        (words.head_targets(), plan.targets.iter().map(|it| (&it.title, &it.name, &it.condition)).collect()),
    ] {
        if named.is_empty() {
            continue;
        }
        head(out, colour, &heading);
        let mut table = Table::bare(&[Align::Left, Align::Left, Align::Left, Align::Left]);
        for (title, name, condition) in named {
            let (measure, bound, over) = said(condition);
            table.plain(vec![words.titled(title, name), measure, bound, over]);
        }
        out.push_str(&table.render(INDENT, colour));
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn page(lang: crate::base::units::Lang) -> String {
        let plan = sample::plan();
        let arrivals: Vec<u64> = (0..38).map(|second| if second < 5 { 24 * second + 12 } else { 120 }).collect();
        let origins = [
            Origin {
                name: "vars.peak".into(),
                value: "120/s".into(),
                from: "profile smoke, presale-peak.yaml:9:18".into(),
            },
            Origin { name: "seed".into(), value: "618".into(), from: "presale-peak.yaml:6:7".into() },
        ];
        let warnings = ["the feed `sku` has fewer rows than visits; rows come again".to_owned()];
        let page = PlanPage { plan: &plan, origins: &origins, arrivals: &[arrivals], warnings: &warnings };
        plan_page(&page, Words::new(lang), Colour::Off)
    }

    #[test]
    fn a_plan_in_english() {
        insta::assert_snapshot!(page(crate::base::units::Lang::En));
    }

    #[test]
    fn a_plan_in_chinese() {
        insta::assert_snapshot!(page(crate::base::units::Lang::Zh));
    }

    #[test]
    fn a_replay_says_what_would_be_sent() {
        use crate::base::units::{Lang, Span};
        use crate::plan::{Choice, Method, Route, StageKind, Tally};
        let mut plan = sample::plan();
        let load = &mut plan.loads[0];
        load.replay = Some(Replay {
            file: "data/access.log".to_owned(),
            sha256: String::new(),
            choice: Choice {
                format: crate::base::log::Format::Combined,
                methods: vec![Method::Get, Method::Head],
                paths: Vec::new(),
                names: Vec::new(),
            },
            speed: 2.0,
            amplify: 1.5,
            routes: [(Method::Get, "list products", 0), (Method::Head, "view product", 1)]
                .map(|(method, name, id)| Route { name: name.to_owned(), method, journey: JourneyId(id) })
                .to_vec(),
            tally: Tally { taken: 2_000, other_methods: 12, other_paths: 3, refused_then: 1 },
            instants: (0..3_000).map(|k| Span::millis(k * 10)).collect(),
        });
        load.mix = vec![(JourneyId(0), 2_900.0), (JourneyId(1), 100.0)];
        let mut rates = load.clone();
        rates.replay = None;
        let points = vec![(Span::ZERO, Rate::ZERO), (Span::SECOND, Rate::per_second(5.0))];
        rates.stages[0].kind = StageKind::Points { file: "rates.csv".to_owned(), points };
        plan.loads.push(rates);
        let arrivals = [vec![100; 30], vec![5; 30]];
        let page = |lang| {
            let page = PlanPage { plan: &plan, origins: &[], arrivals: &arrivals, warnings: &[] };
            plan_page(&page, Words::new(lang), Colour::Off).split("\n\n").nth(1).unwrap_or_default().to_owned()
        };
        insta::assert_snapshot!([Lang::En, Lang::Zh].map(page).join("\n\n"));
    }

    #[test]
    fn a_plan_without_a_load_still_prints() {
        let plan = Plan { loads: Vec::new(), ..sample::plan() };
        let page = PlanPage { plan: &plan, origins: &[], arrivals: &[], warnings: &[] };
        assert!(plan_page(&page, Words::new(Default::default()), Colour::Off).contains("nothing"));
    }
}
