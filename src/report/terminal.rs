use std::fmt::Write as _;

use super::search;
use super::story::{Tone, percentile_of};
use super::table::{Align, Paint, Table, one_line};
use super::{Colour, Model, Words, actions, numbers, tries, users};
use crate::analysis::Row;
use crate::base::units::Rate;
use crate::plan::Scope;
use crate::verdict::Verdict;

const INDENT: &str = "  ";
/// So many groups of failures are hinted at.
const HINTS: usize = 5;

/// The summary of a run for a terminal or a log. `place`: where the report lies, as a person would open it.
pub fn terminal(model: &Model<'_>, words: Words, colour: Colour, place: Option<&str>) -> String {
    let mut out = String::new();
    verdict(&mut out, model, words, colour);
    rate(&mut out, model, words, colour);
    steps(&mut out, model, words, colour);
    numbers(&mut out, model, words, colour);
    phases(&mut out, model, words, colour);
    searches(&mut out, model, words, colour);
    faults(&mut out, model, words, colour);
    emergency(&mut out, model, words, colour);
    failures(&mut out, model, words, colour);
    generator(&mut out, model, words, colour);
    targets(&mut out, model, words, colour);
    for residue in &model.analysis.residue {
        let line = words.residue_line(one_line(&residue.what), one_line(&residue.command));
        let _ = writeln!(out, "\n{}", Paint::Bad.on(colour, &line));
    }
    if let Some(place) = place {
        let _ = writeln!(out, "\n{}", words.report_at(place));
    }
    out
}

fn paint(tone: Tone) -> Paint {
    match tone {
        Tone::Good => Paint::Good,
        Tone::Bad => Paint::Bad,
        Tone::Open => Paint::Open,
    }
}

fn head(out: &mut String, colour: Colour, text: &str) {
    let _ = writeln!(out, "\n{}", Paint::Bold.on(colour, text));
}

/// The first line says how it ended and why; an inconclusive run names its cause there.
fn verdict(out: &mut String, model: &Model<'_>, words: Words, colour: Colour) {
    let (word, tone) = model.headline(words);
    let because = model.because(words);
    let mut because = because.iter().map(|line| one_line(line));
    let first = because.next().unwrap_or_default();
    let painted = paint(tone).on(colour, &word);
    let _ = writeln!(out, "{painted}  {}", words.colon(one_line(&model.title(words)), first));
    for line in because {
        let _ = writeln!(out, "{INDENT}{line}");
    }
    let mut facts = Vec::new();
    if let Some(opened) = &model.analysis.opened {
        facts.push(words.pair(words.run_word(), one_line(&opened.run)));
        facts.push(words.wall(opened.wall));
    }
    if let Some(profile) = &model.plan.profile {
        facts.push(words.pair(words.profile_word(), one_line(profile)));
    }
    facts.push(words.pair(words.seed_word(), model.plan.seed));
    if let Some(load) = model.analysis.load {
        facts.push(words.pair(words.under_load_word(), words.span(load.span())));
    }
    let _ = writeln!(out, "{INDENT}{}", Paint::Dim.on(colour, &facts.join(" · ")));
}

fn rate(out: &mut String, model: &Model<'_>, words: Words, colour: Colour) {
    head(out, colour, &words.head_rate());
    let Some(total) = model.total() else {
        let _ = writeln!(out, "{INDENT}{}", words.no_load());
        return;
    };
    for line in rate_lines(model, words, total) {
        let _ = writeln!(out, "{INDENT}{line}");
    }
}

/// Planned against achieved, in sentences.
pub(super) fn rate_lines(model: &Model<'_>, words: Words, total: &Row) -> Vec<String> {
    let generator = &model.analysis.generator;
    let mut lines = Vec::new();
    if let Some(share) = model.begun() {
        let (planned, released) = (words.count(generator.planned), words.count(generator.released));
        lines.push(words.rate_visits(planned, released, words.share(share)));
    }
    let [requests, ok, bad, shed, unsent] =
        [total.requests, total.ok, total.bad(), total.shed, total.unsent()].map(|count| words.count(count));
    lines.push(words.rate_requests(requests, ok, bad, shed, unsent));
    if !total.unsent.is_empty() {
        let kinds: Vec<String> =
            total.unsent.iter().map(|&(kind, count)| words.pair(words.unsent_kind(kind), words.count(count))).collect();
        lines.push(words.colon(words.col_unsent(), kinds.join(&words.clause())));
    }
    lines.extend(users::lines(model, words));
    if let Some((planned, ok)) = model.peak() {
        let most = words.rate(Rate::per_second(model.plan.most_requests_a_second()));
        lines.push(words.rate_peak(words.rate(planned), most, words.rate(ok)));
    }
    lines
}

/// The counts and percentiles that steps and phases both show.
fn figures(words: Words, row: &Row) -> Vec<(String, Paint)> {
    let warn = |count: u64| if count > 0 { Paint::Open } else { Paint::Plain };
    let mut cells = vec![
        (words.count(row.requests), Paint::Plain),
        (words.count(row.ok), Paint::Plain),
        (words.count(row.bad()), warn(row.bad())),
        (words.count(row.shed), Paint::Plain),
        (words.count(row.unsent()), warn(row.unsent())),
        (words.count(row.not_reached), Paint::Plain),
    ];
    cells.extend([0.5, 0.95, 0.99, 0.999].map(|q| (percentile_of(words, row, q), Paint::Plain)));
    cells.push((row.availability.map_or_else(|| "–".to_owned(), |share| words.share(share)), Paint::Plain));
    cells
}

fn figure_heads(words: Words, first: String) -> Vec<(String, Align)> {
    let heads = [
        words.col_requests(),
        words.col_ok(),
        words.col_bad(),
        words.col_shed(),
        words.col_unsent(),
        words.col_not_reached(),
        "p50".to_owned(),
        "p95".to_owned(),
        "p99".to_owned(),
        "p99.9".to_owned(),
        words.col_availability(),
    ];
    std::iter::once((first, Align::Left)).chain(heads.map(|head| (head, Align::Right))).collect()
}

fn steps(out: &mut String, model: &Model<'_>, words: Words, colour: Colour) {
    let Some(whole) = model.whole() else { return };
    head(out, colour, &words.head_steps());
    let mut table = Table::new(&figure_heads(words, words.col_step()));
    let steps = whole.rows.iter().filter(|row| matches!(row.scope, Scope::Step(_) | Scope::Group(_)));
    for row in steps.chain(whole.rows.iter().filter(|row| row.scope == Scope::All)) {
        let name = words.scope(model.plan, row.scope);
        let name = if row.scope == Scope::All { words.all_requests() } else { name };
        let mut cells = vec![(name, Paint::Plain)];
        cells.extend(figures(words, row));
        table.row(cells);
    }
    out.push_str(&table.render(INDENT, colour));
    for line in tries::lines(model, words) {
        let _ = writeln!(out, "{INDENT}{}", one_line(&line));
    }
    let _ = writeln!(out, "{INDENT}{}", Paint::Dim.on(colour, &words.percentile_note()));
}

fn numbers(out: &mut String, model: &Model<'_>, words: Words, colour: Colour) {
    let rows = numbers::rows(model, words);
    if rows.is_empty() {
        return;
    }
    head(out, colour, &words.head_figures());
    let align = |index: usize| if index == 0 { Align::Left } else { Align::Right };
    let heads = numbers::heads(words).into_iter().enumerate().map(|(index, head)| (head, align(index)));
    let mut table = Table::new(&heads.collect::<Vec<_>>());
    rows.into_iter().for_each(|row| table.plain(row));
    out.push_str(&table.render(INDENT, colour));
}

fn phases(out: &mut String, model: &Model<'_>, words: Words, colour: Colour) {
    let phases: Vec<_> = model.analysis.tables.iter().filter(|table| table.phase.is_some()).collect();
    if phases.is_empty() {
        return;
    }
    head(out, colour, &words.head_phases());
    let mut heads = figure_heads(words, words.col_phase());
    heads.insert(1, (words.col_window(), Align::Left));
    heads.push((words.col_rate(), Align::Right));
    let mut table = Table::new(&heads);
    for phase in phases {
        let planned = phase.phase.and_then(|id| model.plan.phases.get(id.index()));
        let Some(planned) = planned else { continue };
        let name = words.title(&planned.title, &planned.name);
        let (Some(window), Some(row)) = (phase.window, phase.rows.iter().find(|row| row.scope == Scope::All)) else {
            table.plain(vec![name, words.no_data()]);
            continue;
        };
        let mut cells = vec![(name, Paint::Plain), (words.stretch(window), Paint::Plain)];
        cells.extend(figures(words, row));
        cells.push((row.throughput.map_or_else(|| "–".to_owned(), |rate| words.rate(rate)), Paint::Plain));
        table.row(cells);
    }
    out.push_str(&table.render(INDENT, colour));
}

fn searches(out: &mut String, model: &Model<'_>, words: Words, colour: Colour) {
    for told in search::searches(model, words) {
        head(out, colour, &words.head_search());
        for line in &told.lines {
            let _ = writeln!(out, "{INDENT}{}", one_line(line));
        }
        let aligns = [Align::Right, Align::Left, Align::Right, Align::Right, Align::Right, Align::Left];
        let heads: Vec<(String, Align)> = search::heads(words).into_iter().zip(aligns).collect();
        let mut table = Table::new(&heads);
        for row in &told.trials {
            let paint = match row.held {
                Some(true) => Paint::Good,
                Some(false) => Paint::Bad,
                None => Paint::Dim,
            };
            let cells = row.cells.iter().enumerate();
            table.row(cells.map(|(at, cell)| (cell.clone(), if at == 5 { paint } else { Paint::Plain })).collect());
        }
        out.push_str(&table.render(INDENT, colour));
    }
}

fn faults(out: &mut String, model: &Model<'_>, words: Words, colour: Colour) {
    let faults = model.faults(words);
    if faults.is_empty() {
        return;
    }
    head(out, colour, &words.head_faults());
    for fault in faults {
        let _ = writeln!(out, "{INDENT}{}", one_line(&fault.title));
        let mut table = Table::bare(&[Align::Left, Align::Right, Align::Left]);
        for step in fault.steps {
            table.plain(vec![step.name, step.at, step.note]);
        }
        out.push_str(&table.render("    ", colour));
        for note in fault.notes {
            let _ = writeln!(out, "    {}", one_line(&note));
        }
    }
    for note in model.steady_notes(words) {
        let _ = writeln!(out, "{INDENT}{}", one_line(&note));
    }
}

fn emergency(out: &mut String, model: &Model<'_>, words: Words, colour: Colour) {
    let rows = actions::rows(model, words);
    if rows.is_empty() {
        return;
    }
    head(out, colour, &words.head_actions());
    let mut table = Table::bare(&[Align::Left, Align::Left, Align::Right, Align::Right, Align::Left]);
    for row in rows {
        let paint = if row.done { Paint::Good } else { Paint::Bad };
        let [name, by, begun, took, outcome] = row.cells;
        let plain = |text: String| (text, Paint::Plain);
        table.row(vec![plain(name), plain(by), plain(begun), plain(took), (one_line(&outcome), paint)]);
    }
    out.push_str(&table.render(INDENT, colour));
}

fn failures(out: &mut String, model: &Model<'_>, words: Words, colour: Colour) {
    let groups = model.failure_groups(words);
    if groups.is_empty() {
        return;
    }
    head(out, colour, &words.head_failures());
    for group in groups.iter().take(HINTS) {
        let line = words.failure_line(&group.step, words.bad_kind(group.kind), words.n_times(group.count));
        let _ = writeln!(out, "{INDENT}{}", one_line(&line));
        if let Some(first) = group.samples.first() {
            let line = words.failure_first(words.at(first.planned), &first.why);
            let _ = writeln!(out, "    {}", Paint::Dim.on(colour, &one_line(&line)));
        }
    }
    if groups.len() > HINTS {
        let _ = writeln!(out, "{INDENT}{}", words.n_more((groups.len() - HINTS) as u64));
    }
}

fn generator(out: &mut String, model: &Model<'_>, words: Words, colour: Colour) {
    if model.analysis.load.is_none() {
        return;
    }
    let (fine, said) = model.generator(words);
    let (word, tone) =
        if fine { (words.generator_fine(), Paint::Good) } else { (words.generator_doubtful(), Paint::Open) };
    head(out, colour, &words.head_generator());
    let _ = writeln!(out, "{INDENT}{}", words.colon(tone.on(colour, &word), said.join(&words.clause())));
    let doubts = model.generator_doubts();
    if !doubts.is_empty() {
        let _ = writeln!(out, "{INDENT}{}", words.doubts(&doubts));
    }
}

fn targets(out: &mut String, model: &Model<'_>, words: Words, colour: Colour) {
    head(out, colour, &words.head_targets());
    let rows = model.targets(words);
    if rows.is_empty() {
        let _ = writeln!(out, "{INDENT}{}", words.no_targets());
        return;
    }
    let mut table = Table::new(&[
        (words.col_verdict(), Align::Left),
        (words.col_target(), Align::Left),
        (words.col_measure(), Align::Left),
        (words.col_measured(), Align::Right),
        (words.col_objective(), Align::Right),
        (words.col_margin(), Align::Right),
        (words.col_reason(), Align::Left),
    ]);
    for row in rows {
        let tone = match row.verdict {
            Verdict::Pass => Paint::Good,
            Verdict::Fail => Paint::Bad,
            Verdict::Inconclusive => Paint::Open,
        };
        let reason = [row.reason, row.detail].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>();
        table.row(vec![
            (row.word, tone),
            (row.name, Paint::Plain),
            (row.measure, Paint::Plain),
            (row.measured, Paint::Plain),
            (row.objective, Paint::Plain),
            (row.margin, Paint::Plain),
            (reason.join(&words.clause()), Paint::Dim),
        ]);
    }
    out.push_str(&table.render(INDENT, colour));
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;
    use crate::base::units::Lang;

    fn summary(sample: &Sample, lang: Lang) -> String {
        terminal(&sample.model(), Words::new(lang), Colour::Off, Some("reports/presale-peak-1/report.html"))
    }

    #[test]
    fn a_drill_with_every_verdict_in_english() {
        insta::assert_snapshot!(summary(&Sample::mixed(), Lang::En));
    }

    #[test]
    fn a_drill_with_every_verdict_in_chinese() {
        insta::assert_snapshot!(summary(&Sample::mixed(), Lang::Zh));
    }

    #[test]
    fn a_saturated_generator_is_said_in_the_first_line() {
        let first = |lang| summary(&Sample::saturated(), lang).lines().next().unwrap_or_default().to_owned();
        assert_eq!(
            first(Lang::En),
            "INCONCLUSIVE  A node lost at the pre-sale peak (presale-peak): the load generator could not send what was \
             planned: it used 99.4 % of its CPU; 71 % of arrivals were released late between 0:06 and 0:16"
        );
        assert!(
            first(Lang::Zh).starts_with("无法判定  预售高峰期节点故障演练（presale-peak）：压测端无法按计划发出请求：")
        );
    }

    #[test]
    fn a_run_without_anything_has_no_figures() {
        insta::assert_snapshot!(summary(&Sample::empty(), Lang::En));
    }

    #[test]
    fn colour_is_only_there_when_asked_for() {
        let sample = Sample::mixed();
        assert!(!summary(&sample, Lang::En).contains('\x1b'));
        assert!(terminal(&sample.model(), Words::new(Lang::En), Colour::On, None).contains("\x1b[31mFAIL\x1b[0m"));
    }
}
