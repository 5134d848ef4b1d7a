//! `report.html`: the engineer's page, one file that needs no network. The template, its style and its script are beside
//! this file; charts are the same SVG as in [`super::plots`] and stand without the script.

use std::collections::BTreeMap;

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value as View};
use serde_json::{Value, json};

use super::chart::Drawn;
use super::story::{FailureGroup, Tone, percentile_of, tone};
use super::summary::plan_sha256;
use super::terminal::rate_lines;
use super::{Model, ReportError, SUMMARY_VERSION, Words, actions, charts, numbers, search, tries};
use crate::analysis::{Row, Table};
use crate::base::units::{Lang, Size};
use crate::plan::Scope;

/// So many samples of each group of failures stand in the page.
const SAMPLES: usize = 3;

/// The page of one run in one language.
pub fn html(model: &Model<'_>, words: Words) -> Result<Vec<u8>, ReportError> {
    let drawn = charts::drawn(model, words)?;
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_template("page", include_str!("page.html"))?;
    let page = environment.get_template("page")?.render(view(&model_view(model, words, &drawn)?))?;
    Ok((page.trim_end().to_owned() + "\n").into_bytes())
}

/// JSON as the template engine's values.
fn view(value: &Value) -> View {
    match value {
        Value::Null => View::from(()),
        Value::Bool(bool) => View::from(*bool),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(whole), _) => View::from(whole),
            (_, Some(whole)) => View::from(whole),
            _ => View::from(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => View::from(text.as_str()),
        Value::Array(items) => items.iter().map(view).collect(),
        Value::Object(fields) => {
            View::from(fields.iter().map(|(key, value)| (key.clone(), view(value))).collect::<BTreeMap<_, _>>())
        }
    }
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Bad => "bad",
        Tone::Open => "open",
    }
}

fn model_view(model: &Model<'_>, words: Words, drawn: &[Drawn]) -> Result<Value, ReportError> {
    let plan = model.plan;
    let (word, verdict) = model.headline(words);
    let (healthy, said) = model.generator(words);
    let whole = model.whole();
    let steps = whole.map(|table| figure_rows(model, words, table)).unwrap_or_default();
    // The group is the key without its number: `recovery` of `recovery-2`.
    let group = |key: &str| key.split('-').next().unwrap_or_default().to_owned();
    let has = |name: &str| drawn.iter().any(|chart| group(&chart.key) == name);
    let words_plain: BTreeMap<&str, &str> = words.plain().collect();
    Ok(json!({
        "lang": match words.lang() { Lang::En => "en", Lang::Zh => "zh-CN" },
        "w": words_plain,
        "css": include_str!("page.css"),
        "js": include_str!("page.js"),
        "title": model.title(words),
        "verdict": { "word": word, "tone": class(verdict), "because": model.because(words) },
        "facts": facts(model, words),
        "targets": model.targets(words).into_iter().map(|row| json!({
            "name": row.name, "measure": row.measure, "measured": row.measured, "objective": row.objective,
            "margin": row.margin, "word": row.word, "tone": class(tone(row.verdict)), "reason": row.reason,
            "detail": row.detail,
        })).collect::<Vec<_>>(),
        "generator": {
            "tone": if healthy { "good" } else { "open" },
            "word": if healthy { words.generator_fine() } else { words.generator_doubtful() },
            "said": said.join(&words.clause()),
            "doubts": words.doubts(&model.generator_doubts()),
        },
        "residue": model.analysis.residue.iter()
            .map(|residue| words.residue_line(&residue.what, &residue.command)).collect::<Vec<_>>(),
        "rate": model.total().map(|total| rate_lines(model, words, total)),
        "charts": drawn.iter()
            .map(|chart| json!({ "key": chart.key, "group": group(&chart.key), "svg": chart.svg })).collect::<Vec<_>>(),
        "hover": drawn.iter()
            .map(|chart| Ok((chart.key.clone(), serde_json::to_value(&chart.hover)?)))
            .collect::<Result<serde_json::Map<_, _>, ReportError>>()?,
        "has": { "percentiles": has("percentiles"), "errors": has("errors"), "distribution": has("distribution"), "budget": has("budget"), "watched": has("watched") },
        "vitals": vitals(model, words),
        "faults": model.faults(words).into_iter().map(|fault| json!({
            "title": fault.title,
            "notes": fault.notes,
            "steps": fault.steps.into_iter()
                .map(|step| json!({ "name": step.name, "at": step.at, "note": step.note })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "actions": actions::rows(model, words).into_iter()
            .map(|row| json!({ "cells": row.cells, "class": if row.done { "good" } else { "bad" } })).collect::<Vec<_>>(),
        "steady": model.steady_notes(words),
        "steps": steps,
        "number_heads": numbers::heads(words),
        "numbers": numbers::rows(model, words),
        "tries": tries::lines(model, words),
        "journeys": whole.map(|table| journeys(model, words, table)).unwrap_or_default(),
        "phases": phases(model, words),
        "search_heads": search::heads(words),
        "searches": search::searches(model, words).into_iter().map(|told| json!({
            "lines": told.lines,
            "trials": told.trials.into_iter().map(|row| json!({
                "cells": row.cells,
                "class": match row.held { Some(true) => "good", Some(false) => "bad", None => "quiet" },
            })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "timeline": model.timeline(words).into_iter()
            .map(|told| json!({ "at": told.when(words), "text": told.text, "class": told.class })).collect::<Vec<_>>(),
        "failures": model.failure_groups(words).iter().map(|group| failures(words, group)).collect::<Vec<_>>(),
        "about": about(model, words),
        "plan": serde_json::to_string_pretty(plan)?,
    }))
}

fn facts(model: &Model<'_>, words: Words) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    if let Some(opened) = &model.analysis.opened {
        facts.push((words.run_word(), opened.run.clone()));
        facts.push((words.started_word(), words.wall(opened.wall)));
    }
    if let Some(profile) = &model.plan.profile {
        facts.push((words.profile_word(), profile.clone()));
    }
    facts.push((words.seed_word(), model.plan.seed.to_string()));
    if let Some(load) = model.analysis.load {
        facts.push((words.under_load_word(), words.span(load.span())));
    }
    facts
}

fn about(model: &Model<'_>, words: Words) -> Vec<(String, String)> {
    let about = &model.plan.about;
    let mut facts = Vec::new();
    let people: Vec<String> = about.people.iter().map(|person| words.title(person, "")).collect();
    let texts = [
        (words.purpose_word(), words.title(&about.purpose, "")),
        (words.scope_word(), words.title(&about.scope, "")),
        (words.emergency_plan_word(), about.emergency_plan.clone().unwrap_or_default()),
        (words.owner_word(), words.title(&about.owner, "")),
        (words.people_word(), words.list(&people)),
        (words.environment_word(), words.title(&about.environment, "")),
        (words.differs_word(), words.title(&about.differs_from_production, "")),
    ];
    facts.extend(texts.into_iter().filter(|(_, text)| !text.is_empty()));
    if let Some(opened) = &model.analysis.opened {
        let host = &opened.host;
        facts.push((words.program_word(), opened.program.clone()));
        facts.push((
            words.host_word(),
            words.host_facts(
                words.n_cores(u64::from(host.cores)),
                words.size(Size(host.memory)),
                &host.cpu_model,
                &host.kernel,
            ),
        ));
    }
    facts.push((words.seed_word(), model.plan.seed.to_string()));
    facts.push((words.plan_hash_word(), plan_sha256(model.plan)));
    facts.push((words.formats_word(), words.formats(model.plan.version, SUMMARY_VERSION)));
    let coarse = model.analysis.curves.iter().map(|curve| curve.resolution).max().filter(|seconds| *seconds > 1);
    facts.extend(coarse.map(|seconds| (words.head_notes(), words.resolution_note(seconds))));
    facts
}

/// The cells of a row of figures, in the template's order.
fn cells(words: Words, row: &Row) -> Vec<Value> {
    let dash = || "–".to_owned();
    let plain = |text: String| json!({ "text": text, "warn": false });
    let count = |count: u64, warns: bool| json!({ "text": words.count(count), "warn": warns && count > 0 });
    let mut cells = vec![
        count(row.requests, false),
        count(row.ok, false),
        count(row.bad(), true),
        count(row.shed, false),
        count(row.unsent(), true),
        count(row.not_reached, false),
    ];
    cells.extend([0.5, 0.9, 0.95, 0.99, 0.999].map(|q| plain(percentile_of(words, row, q))));
    cells.extend([row.mean, row.max].map(|span| plain(span.map_or_else(dash, |span| words.span(span)))));
    cells.push(plain(row.availability.map_or_else(dash, |share| words.share(share))));
    cells.push(plain(row.throughput.map_or_else(dash, |rate| words.rate(rate))));
    cells
}

fn figure_rows(model: &Model<'_>, words: Words, table: &Table) -> Vec<Value> {
    let steps = table.rows.iter().filter(|row| matches!(row.scope, Scope::Step(_) | Scope::Group(_)));
    steps
        .chain(table.rows.iter().filter(|row| row.scope == Scope::All))
        .map(|row| {
            let total = row.scope == Scope::All;
            let name = if total { words.all_requests() } else { words.scope(model.plan, row.scope) };
            json!({ "name": name, "total": total, "window": "", "cells": cells(words, row) })
        })
        .collect()
}

/// Each phase, and under it its steps.
fn phases(model: &Model<'_>, words: Words) -> Vec<Value> {
    let mut rows = Vec::new();
    for table in &model.analysis.tables {
        let Some(phase) = table.phase.and_then(|id| model.plan.phases.get(id.index())) else { continue };
        let window = table.window.map_or_else(|| words.no_data(), |window| words.stretch(window));
        let all = table.rows.iter().find(|row| row.scope == Scope::All);
        let name = words.title(&phase.title, &phase.name);
        let empty = || vec![json!({ "text": "–", "warn": false }); 15];
        rows.push(json!({ "name": name, "total": true, "window": window, "cells": all.map_or_else(empty, |row| cells(words, row)) }));
        let named = |row: &&Row| matches!(row.scope, Scope::Step(_) | Scope::Group(_)) && row.requests > 0;
        for row in table.rows.iter().filter(named) {
            let name = words.scope(model.plan, row.scope);
            rows.push(json!({ "name": name, "total": false, "window": "", "cells": cells(words, row) }));
        }
    }
    rows
}

fn journeys(model: &Model<'_>, words: Words, table: &Table) -> Vec<Value> {
    let row = |visits: &crate::analysis::VisitRow| {
        let percentile = |q: f64| {
            let found = visits.percentiles.iter().find(|percentile| (percentile.q - q).abs() < 1e-9);
            found.and_then(|found| found.figure).map_or_else(|| "–".to_owned(), |figure| words.figure(figure, None))
        };
        let mut cells: Vec<String> =
            [visits.started, visits.ok, visits.failed, visits.shed].iter().map(|count| words.count(*count)).collect();
        cells.push(visits.availability.map_or_else(|| "–".to_owned(), |share| words.share(share)));
        cells.extend([0.5, 0.95, 0.99].map(percentile));
        json!({ "name": words.scope(model.plan, Scope::Journey(visits.journey)), "cells": cells })
    };
    table.visits.iter().map(row).collect()
}

fn vitals(model: &Model<'_>, words: Words) -> Vec<Value> {
    let row = |curve: &crate::analysis::VitalCurve| {
        let cpu: Vec<f64> = curve.points.iter().filter_map(|point| point.cpu).collect();
        let cores = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| words.cores(words.number(value)));
        let mean = (!cpu.is_empty()).then(|| cpu.iter().sum::<f64>() / cpu.len() as f64);
        let memory = curve.points.iter().map(|point| point.memory).max();
        let memory = memory.map_or_else(|| "–".to_owned(), |memory| words.size(Size(memory)));
        let name = words.scope(model.plan, Scope::Process(curve.process));
        json!({ "name": name, "cells": [cores(mean), cores(cpu.iter().copied().reduce(f64::max)), memory] })
    };
    model.analysis.vitals.iter().map(row).collect()
}

/// What a browser can show of a text from outside: control characters, other than those of lines, are made visible.
fn shown(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            c if c.is_control() => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

fn failures(words: Words, group: &FailureGroup<'_>) -> Value {
    let samples = group.samples.iter().take(SAMPLES).map(|failure| {
        json!({
            "first": words.failure_first(words.at(failure.planned), shown(&failure.why)),
            "request": shown(&failure.request.replace("\r\n", "\n")),
            "answer": shown(&failure.answer.replace("\r\n", "\n")),
        })
    });
    let more = group.samples.len().saturating_sub(SAMPLES) as u64;
    json!({
        "step": group.step,
        "kind": words.bad_kind(group.kind),
        "count": words.count(group.count),
        "title": words.failure_line(&group.step, words.bad_kind(group.kind), words.n_times(group.count)),
        "samples": samples.collect::<Vec<_>>(),
        "more": if more > 0 { words.n_more(more) } else { String::new() },
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample::{HOSTILE, Sample};
    use super::*;

    fn page(sample: &Sample, lang: Lang) -> String {
        String::from_utf8(html(&sample.model(), Words::new(lang)).unwrap()).unwrap()
    }

    /// HTML's void elements closed, `<!doctype>` and bare attributes made XML: then every tag must have its end.
    fn as_xml(page: &str) -> String {
        let mut xml = page.replace("<!doctype html>", "").replace(" open>", " open=\"\">");
        for void in ["<meta "] {
            let mut parts = xml.split(void);
            let mut closed = parts.next().unwrap().to_owned();
            for part in parts {
                closed += &format!("{void}{}", part.replacen('>', "/>", 1));
            }
            xml = closed;
        }
        for raw in ["style>", "script>"] {
            xml = xml
                .replace(&format!("<{raw}"), &format!("<{raw}<![CDATA["))
                .replace(&format!("</{raw}"), &format!("]]></{raw}"));
        }
        xml.replace("id=\"hover\">", "id=\"hover\"><![CDATA[")
    }

    #[test]
    fn every_page_is_well_formed() {
        for sample in [Sample::mixed(), Sample::saturated(), Sample::empty()] {
            for lang in Sample::LANGS {
                let xml = as_xml(&page(&sample, lang));
                let document = roxmltree::Document::parse(&xml).unwrap_or_else(|error| panic!("{error}"));
                assert!(document.descendants().any(|node| node.has_tag_name("main")));
            }
        }
    }

    #[test]
    fn hostile_answers_stay_text() {
        let page = page(&Sample::mixed(), Lang::En);
        assert!(!page.contains("<script>alert"));
        let xml = as_xml(&page);
        let document = roxmltree::Document::parse(&xml).unwrap();
        let shown = HOSTILE.replace('\u{1b}', "\u{fffd}");
        assert!(document.descendants().any(|node| node.has_tag_name("pre") && node.text() == Some(shown.as_str())));
    }

    #[test]
    fn nothing_is_loaded_from_anywhere() {
        for lang in Sample::LANGS {
            let page = page(&Sample::mixed(), lang);
            for outward in ["src=", "href=", "url(", "@import", "fetch("] {
                assert!(!page.contains(outward), "{outward}");
            }
        }
    }

    #[test]
    fn the_same_model_gives_the_same_bytes() {
        assert_eq!(page(&Sample::mixed(), Lang::Zh), page(&Sample::mixed(), Lang::Zh));
    }

    #[test]
    fn a_changed_figure_changes_the_page() {
        let mut sample = Sample::mixed();
        let before = page(&sample, Lang::En);
        sample.analysis.curves[0].points[20].ok += 50;
        assert_ne!(before, page(&sample, Lang::En));
    }
}
