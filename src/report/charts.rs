//! Which charts a run has, and what is on them.

use std::collections::{BTreeMap, BTreeSet};

use super::chart::{
    AMBER, Across, Band, Chart, Drawn, GREEN, GREY, Level, Line, Mark, PALETTE, QUANTILES, RED, Upright, VIOLET,
};
use super::{Model, ReportError, Words, users, watched};
use crate::analysis::{Curve, Point, SearchFigures};
use crate::base::units::Share;
use crate::plan::{Measure, Scope};
use crate::record::{BadKind, UnsentKind};

/// A chart as a file of its own: `NAME.svg`, or by way of [`super::png`], `NAME.png`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plot {
    pub name: String,
    pub title: String,
    pub svg: String,
}

/// Every chart of a run for which there is data, in the page's order.
pub fn plots(model: &Model<'_>, words: Words) -> Result<Vec<Plot>, ReportError> {
    Ok(drawn(model, words)?
        .into_iter()
        .map(|chart| Plot { name: chart.key, title: chart.title, svg: chart.svg })
        .collect())
}

pub(super) fn drawn(model: &Model<'_>, words: Words) -> Result<Vec<Drawn>, ReportError> {
    let mut charts = Vec::new();
    if let Some(curve) = model.curve().filter(|curve| !curve.points.is_empty()) {
        if model.plan.loads.iter().any(|load| !load.is_closed()) {
            charts.push(rate(model, words, curve));
        }
        charts.extend(users::charts(model, words));
        charts.push(requests(model, words, curve));
        charts.extend(percentiles(model, words, curve));
        charts.extend(errors(model, words, curve));
    }
    charts.extend(vitals(model, words));
    charts.extend(watched::charts(model, words));
    charts.extend(laws(model, words));
    charts.extend(distribution(model, words));
    charts.extend(recoveries(model, words));
    charts.extend(budgets(model, words));
    charts.iter().map(Chart::draw).collect()
}

/// A chart over the whole drill, without lines yet.
pub(super) fn over_time(
    model: &Model<'_>,
    words: Words,
    key: &str,
    title: String,
    y_label: String,
    upright: Upright,
) -> Chart {
    let load_end = model.analysis.load.map_or(0.0, |load| load.to.as_seconds_f64());
    let last = model.curve().and_then(|curve| Some(curve.points.last()?.second + curve.resolution)).unwrap_or(0) as f64;
    let end = last.max(load_end);
    let phases = model.plan.phases.iter().map(|phase| Band {
        name: words.title(&phase.title, &phase.name),
        from: phase.from.as_seconds_f64(),
        to: phase.to.as_seconds_f64().min(load_end),
    });
    let faults = model.analysis.faults.iter().filter_map(|figures| {
        let from = figures.effective?.as_seconds_f64();
        Some(Band {
            name: words.fault(model.plan, figures.fault),
            from,
            to: figures.healed.map_or(end.max(from), |healed| healed.as_seconds_f64()),
        })
    });
    let mut faults: Vec<Band> = faults.collect();
    faults.sort_by(|one, other| one.from.total_cmp(&other.from));
    Chart {
        key: key.to_owned(),
        title,
        x_label: words.axis_time(),
        y_label,
        across: Across::time(0.0, end),
        upright,
        x: Vec::new(),
        lines: Vec::new(),
        stacked: false,
        phases: phases.filter(|band| band.to > band.from).collect(),
        faults,
        marks: Vec::new(),
        levels: Vec::new(),
        off_label: words.line_off(),
    }
}

pub(super) fn line(name: String, colour: (u8, u8, u8), filled: bool, y: Vec<Option<f64>>) -> Line {
    Line { name, colour, filled, y, off: Vec::new() }
}

/// The middle of each point.
fn middles(curve: &Curve) -> Vec<f64> {
    curve.points.iter().map(|point| point.second as f64 + curve.resolution as f64 / 2.0).collect()
}

/// A count of each point, per second.
fn per_second(curve: &Curve, count: impl Fn(&Point) -> Option<u64>) -> Vec<Option<f64>> {
    curve.points.iter().map(|point| Some(count(point)? as f64 / curve.resolution.max(1) as f64)).collect()
}

fn any(y: &[Option<f64>]) -> bool {
    y.iter().any(|value| value.is_some_and(|value| value > 0.0))
}

fn rate(model: &Model<'_>, words: Words, curve: &Curve) -> Chart {
    let mut chart = over_time(model, words, "rate", words.chart_rate(), words.axis_rate(), Upright::PerSecond);
    chart.x = middles(curve);
    // After the load's end nothing is planned: no line there, rather than one that falls to 0.
    let end = model.analysis.load.map_or(u64::MAX, |load| load.to.as_nanos().div_ceil(1_000_000_000));
    let under_load = |point: &Point, count: Option<u64>| count.filter(|_| point.second < end);
    chart.lines = vec![
        line(words.line_planned(), GREY, true, per_second(curve, |point| under_load(point, point.planned))),
        line(words.line_released(), PALETTE[0], false, per_second(curve, |point| under_load(point, point.released))),
        line(words.line_unsent(), AMBER, false, per_second(curve, |point| Some(point.unsent()))),
    ];
    chart
}

fn requests(model: &Model<'_>, words: Words, curve: &Curve) -> Chart {
    let mut chart = over_time(model, words, "requests", words.chart_requests(), words.axis_rate(), Upright::PerSecond);
    chart.x = middles(curve);
    chart.stacked = true;
    chart.lines = vec![
        line(words.line_ok(), (126, 190, 150), true, per_second(curve, |point| Some(point.ok))),
        line(words.line_shed(), VIOLET, true, per_second(curve, |point| Some(point.shed))),
        line(words.line_unsent(), AMBER, true, per_second(curve, |point| Some(point.unsent()))),
        line(words.line_bad(), RED, true, per_second(curve, |point| Some(point.bad()))),
    ];
    chart.lines.retain(|line| line.colour == (126, 190, 150) || any(&line.y));
    chart
}

fn percentiles(model: &Model<'_>, words: Words, curve: &Curve) -> Option<Chart> {
    let mut chart =
        over_time(model, words, "percentiles", words.chart_percentiles(), words.axis_response(), Upright::Time);
    chart.x = middles(curve);
    for (nth, percentile) in curve.percentiles.iter().enumerate() {
        let mut spans = percentile.points.iter().peekable();
        let mut y = Vec::with_capacity(curve.points.len());
        for point in &curve.points {
            while spans.next_if(|span| span.to <= point.second).is_some() {}
            let value = spans.peek().filter(|span| span.from <= point.second);
            y.push(value.map(|span| span.value.as_seconds_f64()));
        }
        // The rank of the q-th percentile falls among the requests that count against it.
        let off = curve.points.iter().map(|point| {
            let against = point.bad() + unsent_by_platform(point);
            let base = point.ok + against;
            against > 0 && (percentile.q * base as f64).ceil() as u64 > point.ok
        });
        chart.lines.push(Line {
            name: Measure::Percentile(percentile.q).to_string(),
            colour: QUANTILES[nth.min(QUANTILES.len() - 1)],
            filled: false,
            off: off.collect(),
            y,
        });
    }
    let drawn = |line: &Line| line.y.iter().any(Option::is_some) || line.off.contains(&true);
    chart.lines.iter().any(drawn).then_some(chart)
}

fn unsent_by_platform(point: &Point) -> u64 {
    point.unsent.iter().filter(|(kind, _)| kind.is_platform()).map(|(_, count)| count).sum()
}

fn errors(model: &Model<'_>, words: Words, curve: &Curve) -> Option<Chart> {
    let bad: BTreeSet<BadKind> = curve.points.iter().flat_map(|point| &point.bad).map(|(kind, _)| *kind).collect();
    let unsent: BTreeSet<UnsentKind> =
        curve.points.iter().flat_map(|point| &point.unsent).map(|(kind, _)| *kind).collect();
    if bad.is_empty() && unsent.is_empty() {
        return None;
    }
    let mut chart = over_time(model, words, "errors", words.chart_errors(), words.axis_rate(), Upright::PerSecond);
    chart.x = middles(curve);
    chart.stacked = true;
    let of_bad = bad.into_iter().map(|kind| {
        let y = per_second(curve, |point| Some(count_of(&point.bad, kind)));
        (words.bad_kind(kind), y)
    });
    let of_unsent = unsent.into_iter().map(|kind| {
        let y = per_second(curve, |point| Some(count_of(&point.unsent, kind)));
        (words.colon(words.line_unsent(), words.unsent_kind(kind)), y)
    });
    let colours = [1, 3, 7, 5, 0, 2, 4, 6].map(|at: usize| PALETTE[at]);
    chart.lines = of_bad
        .chain(of_unsent)
        .enumerate()
        .map(|(nth, (name, y))| line(name, colours[nth % colours.len()], true, y))
        .collect();
    Some(chart)
}

fn count_of<K: PartialEq>(counts: &[(K, u64)], kind: K) -> u64 {
    counts.iter().find(|(known, _)| *known == kind).map_or(0, |(_, count)| *count)
}

/// CPU and memory of every watched process.
fn vitals(model: &Model<'_>, words: Words) -> Vec<Chart> {
    let seconds: BTreeSet<u64> =
        model.analysis.vitals.iter().flat_map(|curve| &curve.points).map(|point| point.at.second()).collect();
    if seconds.is_empty() {
        return Vec::new();
    }
    let all: Vec<u64> = (seconds.first().copied().unwrap_or(0)..=seconds.last().copied().unwrap_or(0)).collect();
    let mut cpu = over_time(model, words, "cpu", words.chart_cpu(), words.axis_cores(), Upright::Cores);
    let mut memory = over_time(model, words, "memory", words.chart_memory(), words.axis_memory(), Upright::Bytes);
    for chart in [&mut cpu, &mut memory] {
        chart.x = all.iter().map(|second| *second as f64 + 0.5).collect();
        let end = chart.across.to.max(all.last().map_or(0.0, |last| *last as f64 + 1.0));
        chart.across = Across::time(0.0, end);
    }
    for (nth, curve) in model.analysis.vitals.iter().enumerate() {
        let name = words.scope(model.plan, Scope::Process(curve.process));
        let by_second: BTreeMap<u64, _> = curve.points.iter().map(|point| (point.at.second(), point)).collect();
        let colour = PALETTE[nth % PALETTE.len()];
        let of_cpu = all.iter().map(|second| by_second.get(second).and_then(|point| point.cpu)).collect();
        let of_memory = all.iter().map(|second| by_second.get(second).map(|point| point.memory as f64)).collect();
        cpu.lines.push(line(name.clone(), colour, false, of_cpu));
        memory.lines.push(line(name, colour, false, of_memory));
    }
    vec![cpu, memory]
}

/// Response times against quantiles, each further nine as wide as the one before.
/// Of each search to which the Universal Scalability Law was fitted: the law, and the trials that it came of.
fn laws(model: &Model<'_>, words: Words) -> Vec<Chart> {
    let chart = |(nth, figures): (usize, &SearchFigures)| {
        let usl = figures.usl.as_ref().ok()?;
        let last = usl.points.iter().map(|point| point.concurrency).fold(0.0, f64::max);
        // A little beyond what was seen, to the peak where that lies near.
        let end = usl.at.filter(|at| *at < 2.0 * last).map_or(last, |at| last.max(at)) * 1.1;
        let mut x: Vec<f64> = (0..=200u8).map(|part| end * f64::from(part) / 200.0).collect();
        x.extend(usl.points.iter().map(|point| point.concurrency));
        x.sort_by(f64::total_cmp);
        x.dedup();
        let near = |n: f64| usl.points.iter().find(|point| point.concurrency == n);
        let law: Vec<Option<f64>> = x.iter().map(|n| Some(usl.throughput(*n).max(0.0))).collect();
        let seen: Vec<Option<f64>> = x.iter().map(|n| near(*n).map(|point| point.throughput.as_per_second())).collect();
        let load = words.scope(model.plan, Scope::Load(figures.load));
        let name = format!("usl-{nth}");
        let mut chart = over_time(model, words, &name, words.chart_usl(load), words.axis_rate(), Upright::PerSecond);
        chart.x_label = words.axis_concurrency();
        chart.across = Across::numbers(end);
        (chart.phases, chart.faults) = (Vec::new(), Vec::new());
        chart.lines = vec![line(words.line_law(), PALETTE[0], false, law), line(words.line_trials(), RED, false, seen)];
        chart.levels.extend(
            usl.peak
                .filter(|_| usl.at.is_some())
                .map(|peak| Level { name: words.rate(peak), value: peak.as_per_second() }),
        );
        chart.x = x;
        Some(chart)
    };
    model.analysis.searches.iter().enumerate().filter_map(chart).collect()
}

fn distribution(model: &Model<'_>, words: Words) -> Option<Chart> {
    let whole = model.whole()?;
    let rows: Vec<_> = whole
        .rows
        .iter()
        .filter(|row| matches!(row.scope, Scope::All | Scope::Step(_) | Scope::Group(_)) && row.distribution.len() > 1)
        .collect();
    let grid: BTreeSet<u64> = rows
        .iter()
        .flat_map(|row| &row.distribution)
        .filter(|point| point.q < 1.0)
        .map(|point| point.q.to_bits())
        .collect();
    let grid: Vec<f64> = grid.into_iter().map(f64::from_bits).collect();
    let furthest = Across::quantile(*grid.last()?);
    let lines = rows.iter().enumerate().map(|(nth, row)| {
        let mut points = row.distribution.iter().peekable();
        let y = grid
            .iter()
            .map(|q| {
                while points.next_if(|point| point.q < *q).is_some() {}
                points.peek().filter(|point| point.q == *q).map(|point| point.value.as_seconds_f64())
            })
            .collect();
        let (name, colour) = match row.scope {
            Scope::All => (words.all_requests(), (20, 24, 32)),
            scope => (words.scope(model.plan, scope), PALETTE[(nth + PALETTE.len() - 1) % PALETTE.len()]),
        };
        line(name, colour, false, y)
    });
    let mut chart =
        over_time(model, words, "distribution", words.chart_distribution(), words.axis_response(), Upright::Time);
    chart.lines = lines.collect();
    chart.x_label = words.axis_percentile();
    chart.across = Across::quantiles(furthest);
    chart.x = grid.into_iter().map(Across::quantile).collect();
    chart.phases.clear();
    chart.faults.clear();
    Some(chart)
}

/// For each fault that took effect: what was ok and what was bad around it, with its instants.
fn recoveries(model: &Model<'_>, words: Words) -> Vec<Chart> {
    let Some(curve) = model.curve() else { return Vec::new() };
    let mut charts = Vec::new();
    for (nth, figures) in model.analysis.faults.iter().enumerate() {
        let (Some(ordered), Some(effective)) = (figures.ordered, figures.effective) else { continue };
        let title = words.chart_recovery(words.fault(model.plan, figures.fault));
        let key = format!("recovery-{}", nth + 1);
        let mut chart = over_time(model, words, &key, title, words.axis_rate(), Upright::PerSecond);
        let mut marks = vec![
            (Some(ordered), words.moment_ordered(), GREY),
            (Some(effective), words.moment_effective(), RED),
            (figures.detected, words.moment_detected(), PALETTE[0]),
            (figures.healed, words.moment_healed(), GREEN),
        ];
        let several = figures.recoveries.len() > 1;
        for recovery in figures.recoveries.iter().filter(|recovery| recovery.breach.is_some()) {
            let name = |moment: String| {
                if several { words.with_name(moment, words.steady(model.plan, recovery.to)) } else { moment }
            };
            marks.push((recovery.breach, name(words.moment_breach()), RED));
            marks.push((recovery.recovered, name(words.moment_recovered()), GREEN));
        }
        chart.marks = marks
            .into_iter()
            .filter_map(|(at, name, colour)| Some(Mark { name, at: at?.as_seconds_f64(), colour }))
            .collect();
        chart.marks.sort_by(|a, b| a.at.total_cmp(&b.at));
        let last = chart.marks.iter().map(|mark| mark.at).fold(0.0, f64::max);
        let unrecovered =
            figures.recoveries.iter().any(|recovery| recovery.breach.is_some() && recovery.recovered.is_none());
        let end = if unrecovered || figures.healed.is_none() {
            chart.across.to
        } else {
            last + (last - ordered.as_seconds_f64()).clamp(5.0, 60.0)
        };
        let from = (ordered.as_seconds_f64() - (last - ordered.as_seconds_f64()).clamp(5.0, 30.0)).max(0.0).floor();
        chart.across = Across::time(from, end.min(chart.across.to).ceil());
        let within = |second: u64| (chart.across.from..chart.across.to).contains(&(second as f64));
        let around = Curve {
            points: curve.points.iter().filter(|point| within(point.second)).cloned().collect(),
            percentiles: Vec::new(),
            ..*curve
        };
        chart.x = middles(&around);
        chart.lines = vec![
            line(words.line_ok(), GREEN, true, per_second(&around, |point| Some(point.ok))),
            line(words.line_bad(), RED, true, per_second(&around, |point| Some(point.bad()))),
            line(words.line_unsent(), AMBER, false, per_second(&around, |point| Some(point.unsent()))),
        ];
        chart.lines.retain(|line| line.colour != AMBER || any(&line.y));
        charts.push(chart);
    }
    charts
}

/// For each objective that a target states: how its budget went down, second by second.
fn budgets(model: &Model<'_>, words: Words) -> Vec<Chart> {
    let mut charts = Vec::new();
    let mut seen = Vec::new();
    for target in &model.plan.targets {
        let condition = &target.condition;
        let (Measure::BudgetLeft { objective } | Measure::BurnRate { objective }) = condition.measure else { continue };
        let Some(curve) = model.analysis.curves.iter().find(|curve| curve.scope == condition.scope) else { continue };
        let phase = condition.phase.and_then(|id| model.plan.phases.get(id.index()));
        let within =
            |point: &&Point| phase.is_none_or(|phase| (phase.from.second()..phase.to.second()).contains(&point.second));
        let key = (objective.as_f64().to_bits(), condition.scope, condition.phase);
        let valid: u64 =
            curve.points.iter().filter(within).map(|point| point.ok + point.bad() + unsent_by_platform(point)).sum();
        let budget = (1.0 - objective.as_f64()) * valid as f64;
        if seen.contains(&key) || budget <= 0.0 {
            continue;
        }
        seen.push(key);
        let mut spent = 0;
        let mut y = Vec::new();
        let mut x = Vec::new();
        for point in curve.points.iter().filter(within) {
            spent += point.bad() + unsent_by_platform(point);
            x.push((point.second + curve.resolution) as f64);
            y.push(Some(1.0 - spent as f64 / budget));
        }
        let scope = words.scope(model.plan, condition.scope);
        let mut title = words.chart_budget(words.share(Share(objective.as_f64())));
        if !scope.is_empty() {
            title = words.pair(title, format_args!("· {scope}"));
        }
        let name = format!("budget-{}", seen.len());
        let mut chart = over_time(model, words, &name, title, words.axis_budget(), Upright::Share);
        chart.x = x;
        chart.lines = vec![line(words.axis_budget(), PALETTE[0], false, y)];
        charts.push(chart);
    }
    charts
}
