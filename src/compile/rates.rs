//! Stages from a file of rates: a heading line, then a second and a rate on each line. The level goes straight from one line
//! to the next; two lines of one second are a step.

use super::context::Cx;
use super::feed;
use super::load::{Files, MOST};
use crate::base::diagnostic::{Diagnostic, Mark, SourceId};
use crate::base::units::{Rate, Span};
use crate::plan::StageKind;
use crate::scenario::{Spanned, beside};

/// Rates are a part of the plan.
const MOST_LINES: usize = 100_000;
/// So many mistakes of one file are said.
const MOST_SAID: usize = 20;

pub(super) fn read(name: &Spanned<String>, files: &mut Files<'_, '_>, cx: &mut Cx<'_>) -> Option<StageKind> {
    let (file, bytes) = feed::file(name, files.entry, files.load, cx)?;
    let path = path(&file, files.entry, cx);
    let text = text(name.mark, &path, bytes, cx)?;
    let (points, wrong) = parse(&text);
    if !wrong.is_empty() {
        let source = cx.sources.add(path, text);
        say(source, wrong, cx);
        return None;
    }
    Some(StageKind::Points { file, points })
}

/// Where a file lies as people find it; it is kept as seen from the scenario.
pub(super) fn path(file: &str, entry: SourceId, cx: &Cx<'_>) -> String {
    beside(cx.sources.name(entry), file)
}

/// A mistake in a file beside the scenario: where (bytes), what, and what to do.
pub(super) type Wrong = (std::ops::Range<usize>, String, String);

/// Says what is wrong with a file, at its places.
pub(super) fn say(source: SourceId, mut wrong: Vec<Wrong>, cx: &mut Cx<'_>) {
    let more = wrong.len().saturating_sub(MOST_SAID);
    wrong.truncate(MOST_SAID);
    let last = wrong.len().saturating_sub(1);
    for (index, (part, message, help)) in wrong.into_iter().enumerate() {
        let byte = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let mark = Mark { source, start: byte(part.start), end: byte(part.end) };
        let and = if index == last && more > 0 { format!("; and {more} more in this file") } else { String::new() };
        let said = Diagnostic::error("file", mark, format!("{message}{and}"));
        cx.say(if help.is_empty() { said } else { said.help(help) });
    }
}

/// The text of a file, or its first byte that is none is said.
pub(super) fn text(name: Mark, file: &str, bytes: Vec<u8>, cx: &mut Cx<'_>) -> Option<String> {
    match String::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let shown = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let source = cx.sources.add(file, shown);
            let start = u32::try_from(at).unwrap_or(u32::MAX);
            let said = Diagnostic::error("file", Mark { source, start, end: start }, "this byte is not UTF-8");
            cx.say(said.related(name, "the file is named here"));
            None
        }
    }
}

fn parse(text: &str) -> (Vec<(Span, Rate)>, Vec<Wrong>) {
    let (mut points, mut wrong): (Vec<(Span, Rate)>, Vec<Wrong>) = (Vec::new(), Vec::new());
    let mut lines = lines(text);
    let heading = "begin with the line `second,rate`";
    let swapped = match lines.next() {
        None => {
            wrong.push((0..0, "this file is empty".to_owned(), heading.to_owned()));
            return (points, wrong);
        }
        Some((place, line)) => match cells(&line).as_slice() {
            [(_, "second"), (_, "rate")] => false,
            [(_, "rate"), (_, "second")] => true,
            _ => {
                let message = format!("the heading is `{line}`, not the columns `second` and `rate`");
                wrong.push((place, message, heading.to_owned()));
                return (points, wrong);
            }
        },
    };
    let mut end = 0;
    // Of a line that was refused its second is unknown, so that the next one cannot be blamed for going back.
    let mut last: Option<(Span, bool)> = None;
    for (place, line) in lines {
        end = place.end;
        if points.len() >= MOST_LINES {
            let message = format!("there are more than {MOST_LINES} lines");
            wrong.push((place, message, "say less often what the rate is: it goes straight between lines".to_owned()));
            break;
        }
        let cells = cells(&line);
        let [first, second] = cells.as_slice() else {
            let message = format!("this line has {} cells, not a second and a rate", cells.len());
            wrong.push((place, message, String::new()));
            last = None;
            continue;
        };
        let (at, rate) = if swapped { (second, first) } else { (first, second) };
        let mut number = |cell: &(usize, &str), what: &str, most: f64| {
            let value = cell.1.parse::<f64>().ok().filter(|value| (0.0..=most).contains(value));
            if value.is_none() {
                let from = place.start + cell.0;
                let message = format!("`{}` is no {what}", cell.1);
                let help = format!("write a number from 0 to {most}, without a unit");
                wrong.push((from..from + cell.1.len(), message, help));
            }
            value
        };
        let span = number(at, "second", 2_592_000.0).map(Span::from_seconds_f64);
        let rate = number(rate, "rate", MOST).map(Rate::per_second);
        let Some(span) = span else {
            last = None;
            continue;
        };
        let cell = place.start + at.0..place.start + at.0 + at.1.len();
        match last {
            None if points.is_empty() && wrong.is_empty() && span > Span::ZERO => {
                let message = format!("the first second is {}, not 0", at.1);
                wrong.push((cell, message, "begin with second 0: what the rate is there".to_owned()));
            }
            Some((before, _)) if span < before => {
                let message = format!("second {} comes after a later one", at.1);
                wrong.push((cell, message, String::new()));
            }
            Some((before, true)) if span == before => {
                let message = format!("second {} is there a third time", at.1);
                wrong.push((cell, message, "two lines of one second are a step; three mean nothing".to_owned()));
            }
            _ => {}
        }
        last = Some((span, last.is_some_and(|(before, _)| before == span)));
        if let Some(rate) = rate {
            points.push((span, rate));
        }
    }
    if wrong.is_empty() && points.last().is_none_or(|(at, _)| *at == Span::ZERO) {
        let message = "there is no second after 0: this stage would last for no time".to_owned();
        wrong.push((end..end, message, String::new()));
    }
    (points, wrong)
}

/// The lines that hold something, with their places.
fn lines(text: &str) -> impl Iterator<Item = (std::ops::Range<usize>, String)> + '_ {
    let mut from = 0;
    let whole = text.split_inclusive('\n').map(move |line| {
        let start = from;
        from += line.len();
        (start, line)
    });
    whole.filter_map(|(start, line)| {
        let skipped = line.len() - line.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}').len();
        let line = line[skipped..].trim_end();
        (!line.is_empty()).then(|| (start + skipped..start + skipped + line.len(), line.to_owned()))
    })
}

/// The cells of a line, each with its place in it.
fn cells(line: &str) -> Vec<(usize, &str)> {
    let mut from = 0;
    let cells = line.split(',').map(|cell| {
        let at = from + (cell.len() - cell.trim_start().len());
        from += cell.len() + 1;
        (at, cell.trim())
    });
    cells.collect()
}
