//! What a search for capacity came to, in sentences and rows: for the terminal and the page alike.

use super::{Model, Words};
use crate::analysis::{NotFitted, SearchEnd, SearchFigures, Usl};
use crate::plan::{Scope, Search, TrialEnd};

/// One search, for people.
pub(super) struct Told {
    pub(super) lines: Vec<String>,
    pub(super) trials: Vec<Row>,
}

pub(super) struct Row {
    /// Number, instants, rate, throughput, mean, how it came out.
    pub(super) cells: [String; 6],
    /// None: it was none, or a probe.
    pub(super) held: Option<bool>,
}

pub(super) fn heads(words: Words) -> [String; 6] {
    [
        words.col_trial(),
        words.col_judged(),
        words.col_rate(),
        words.measure_throughput(),
        words.col_mean(),
        words.col_came_out(),
    ]
}

pub(super) fn searches(model: &Model<'_>, words: Words) -> Vec<Told> {
    let one = |figures: &SearchFigures| {
        let load = model.plan.loads.get(figures.load.index())?;
        let search = load.search.as_ref()?;
        Some(Told { lines: lines(model, words, figures, search), trials: trials(model, words, figures, search) })
    };
    model.analysis.searches.iter().filter_map(one).collect()
}

fn lines(model: &Model<'_>, words: Words, figures: &SearchFigures, search: &Search) -> Vec<String> {
    let load = words.scope(model.plan, Scope::Load(figures.load));
    let rate = |level: crate::analysis::Level| words.rate(level.rate);
    let why = words.search_end(figures.end);
    let mut lines = vec![match (figures.end, figures.held, figures.failed) {
        (SearchEnd::Found, Some(held), Some(failed)) => words.search_found(load, rate(held), rate(failed)),
        (SearchEnd::NoneFailed, Some(held), _) => words.search_all_held(load, rate(held)),
        (SearchEnd::NoneHeld, ..) => words.search_none_held(load, words.rate(search.from)),
        (_, Some(held), _) => words.search_open(load, rate(held), why),
        (_, None, _) => words.search_nothing(load, why),
    }];
    let mut sure = Vec::new();
    if let (Some(held), Some(failed)) = (figures.held, figures.failed) {
        let width = failed.rate.as_per_second() / held.rate.as_per_second() - 1.0;
        sure.push(words.search_width(words.share(crate::base::units::Share(width))));
    }
    if let Some(level) = figures.held {
        let all = u64::from(level.held + level.failed);
        sure.push(words.pair(rate(level), words.search_level_held(level.held, words.n_trials(all))));
    }
    if let Some(level) = figures.failed {
        let all = u64::from(level.held + level.failed);
        sure.push(words.pair(rate(level), words.search_level_failed(level.failed, words.n_trials(all))));
    }
    if !sure.is_empty() {
        lines.push(sure.join(&words.clause()));
    }
    if !figures.missed_first.is_empty() {
        lines.push(words.search_first(words.missed(model.plan, &search.must, &figures.missed_first)));
    }
    if let (Some(headroom), Some(peak)) = (figures.headroom, search.peak) {
        lines.push(words.search_headroom(words.share(headroom), words.rate(peak)));
    }
    lines.push(usl(words, &figures.usl));
    lines.push(words.search_settling(words.span(search.settle), words.span(search.hold)));
    lines
}

fn usl(words: Words, usl: &Result<Usl, NotFitted>) -> String {
    let usl = match usl {
        Ok(usl) => usl,
        Err(NotFitted::TooFewPoints { have, need }) => return words.usl_few(have, need),
        Err(NotFitted::TooNarrow { spread }) => return words.usl_narrow(words.number(*spread)),
        Err(NotFitted::NoLaw) => return words.usl_none(),
    };
    let [lambda, alpha, beta] = [usl.lambda, usl.alpha, usl.beta].map(|number| words.number(number));
    let points = words.n_trials(usl.points.len() as u64);
    let r2 = usl.r2.map_or_else(|| "–".to_owned(), |r2| words.number((r2 * 1e4).floor() / 1e4));
    let peak = match (usl.peak, usl.at) {
        (Some(peak), Some(at)) => words.usl_peak(words.rate(peak), words.number(at)),
        (Some(peak), None) => words.usl_limit(words.rate(peak)),
        (None, _) => words.usl_endless(),
    };
    let said = [words.usl_fitted(lambda, alpha, beta, points), words.usl_quality(r2, words.share(usl.worst)), peak];
    said.join(&words.clause())
}

fn trials(model: &Model<'_>, words: Words, figures: &SearchFigures, search: &Search) -> Vec<Row> {
    let row = |figures: &crate::analysis::TrialFigures| {
        let trial = figures.trial;
        let end = words.trial_end(model.plan, &search.must, &figures.end);
        let end = if trial.probe { words.colon(words.trial_probe(), end) } else { end };
        let none = || "–".to_owned();
        Row {
            cells: [
                (trial.number + 1).to_string(),
                words.stretch(crate::analysis::Stretch { from: trial.judged, to: trial.ends }),
                words.rate(trial.rate),
                figures.throughput.map_or_else(none, |rate| words.rate(rate)),
                figures.mean.map_or_else(none, |mean| words.span(mean)),
                end,
            ],
            held: match figures.end {
                _ if trial.probe => None,
                TrialEnd::Held => Some(true),
                TrialEnd::Failed { .. } => Some(false),
                TrialEnd::None { .. } => None,
            },
        }
    };
    figures.trials.iter().map(row).collect()
}
