//! The stages of a load: what each is, with the level that it begins from settled.

use super::context::Cx;
use super::load::{Files, MOST};
use super::rates;
use crate::base::diagnostic::Diagnostic;
use crate::base::units::{Rate, Span};
use crate::plan::StageKind;
use crate::scenario::{self, Field, Spanned};

const MOST_LEVELS: usize = 10_000;

/// A rate that is over what can be planned, or a flight of stairs without end.
pub(super) fn check(kind: &StageKind, stage: &Spanned<scenario::Stage>, cx: &mut Cx<'_>) -> bool {
    let (from, to) = match *kind {
        StageKind::Ramp { from, to, .. } | StageKind::Stairs { from, to, .. } | StageKind::Spike { from, to, .. } => {
            (from, to)
        }
        StageKind::Hold { rate, .. } => (rate, rate),
        StageKind::Wave { mean, amplitude, .. } => {
            (mean, Rate::per_second(mean.as_per_second() + amplitude.as_per_second()))
        }
        // Of one instant no rate can be said, and what a file says was looked at line by line.
        StageKind::Burst { level, count, spread } if spread > Span::ZERO => {
            (level, Rate::per_second(level.as_per_second() + count as f64 / spread.as_seconds_f64()))
        }
        StageKind::Burst { level, .. } => (level, level),
        StageKind::Points { .. } => (Rate::ZERO, Rate::ZERO),
    };
    if from.as_per_second().max(to.as_per_second()) > MOST {
        let message = "a load has at most 10000000 arrivals a second";
        cx.say(Diagnostic::error("range", stage.mark, message));
        return false;
    }
    if let StageKind::Stairs { by, .. } = *kind
        && (by == Rate::ZERO
            || (to.as_per_second() - from.as_per_second()).abs() / by.as_per_second() > MOST_LEVELS as f64)
    {
        // `by: 0/s` was said before.
        if by > Rate::ZERO {
            let message = format!("these stairs have more than {MOST_LEVELS} steps");
            cx.say(Diagnostic::error("range", stage.mark, message).help("take a greater `by`, or a ramp"));
        }
        return false;
    }
    true
}

pub(super) type Kind<'s> = (Option<StageKind>, Option<&'s Spanned<String>>);

/// What a stage is, and the phase that it names; `level` is none at the beginning and after what was refused.
pub(super) fn kind<'s>(
    path: &str,
    stage: &'s Spanned<scenario::Stage>,
    level: Option<Rate>,
    is_first: bool,
    files: &mut Files<'_, '_>,
    cx: &mut Cx<'_>,
) -> Kind<'s> {
    let number_of = |word: &str| format!("{path}.{word}");
    if let Some(ramp) = cx.get(&stage.ramp) {
        let phase = cx.get(&ramp.phase);
        let from = rate_or(&number_of("from"), &ramp.from, level.unwrap_or(Rate::ZERO), cx);
        let to = noted(&number_of("to"), &ramp.to, cx);
        let span = noted(&number_of("for"), &ramp.span, cx);
        let kind = (|| Some(StageKind::Ramp { from: from?, to: to?, span: span? }))();
        return (kind, phase);
    }
    if let Some(hold) = cx.get(&stage.hold) {
        let phase = cx.get(&hold.phase);
        let span = noted(&number_of("for"), &hold.span, cx);
        let rate = match (&hold.rate, level) {
            (Field::Absent, None) => {
                // After what was refused the level is unknown, which was said.
                if is_first {
                    let message = "there is no level so far that could be held";
                    cx.say(Diagnostic::error("no-level", stage.mark, message).help("write `rate: 100/s`"));
                }
                None
            }
            (rate, level) => rate_or(&number_of("rate"), rate, level.unwrap_or(Rate::ZERO), cx),
        };
        let kind = (|| Some(StageKind::Hold { rate: rate?, span: span? }))();
        return (kind, phase);
    }
    if let Some(stairs) = cx.get(&stage.stairs) {
        let phase = cx.get(&stairs.phase);
        let from = rate_or(&number_of("from"), &stairs.from, level.unwrap_or(Rate::ZERO), cx);
        let to = noted(&number_of("to"), &stairs.to, cx);
        let by = noted(&number_of("by"), &stairs.by, cx);
        let every = noted(&number_of("every"), &stairs.every, cx);
        let kind = (|| Some(StageKind::Stairs { from: from?, to: to?, by: by?, every: every? }))();
        return (kind, phase);
    }
    if let Some(spike) = cx.get(&stage.spike) {
        let phase = cx.get(&spike.phase);
        let to = noted(&number_of("to"), &spike.to, cx);
        let rise = noted(&number_of("rise"), &spike.rise, cx);
        let hold = noted(&number_of("for"), &spike.span, cx);
        let fall = noted(&number_of("fall"), &spike.fall, cx);
        let from = level.unwrap_or(Rate::ZERO);
        let kind = (|| Some(StageKind::Spike { from, to: to?, rise: rise?, hold: hold?, fall: fall? }))();
        return (kind, phase);
    }
    if let Some(wave) = cx.get(&stage.wave) {
        let phase = cx.get(&wave.phase);
        let mean = noted(&number_of("mean"), &wave.mean, cx);
        let amplitude = noted(&number_of("amplitude"), &wave.amplitude, cx);
        let period = noted(&number_of("period"), &wave.period, cx);
        let span = noted(&number_of("for"), &wave.span, cx);
        let kind = (|| Some(StageKind::Wave { mean: mean?, amplitude: amplitude?, period: period?, span: span? }))();
        return (kind, phase);
    }
    if let Some(burst) = cx.get(&stage.burst) {
        let phase = cx.get(&burst.phase);
        let count = noted(&number_of("count"), &burst.count, cx);
        let spread = noted(&number_of("spread"), &burst.spread, cx);
        let level = level.unwrap_or(Rate::ZERO);
        let kind = (|| Some(StageKind::Burst { level, count: count?, spread: spread? }))();
        return (kind, phase);
    }
    if let Some(file) = cx.get(&stage.file) {
        let phase = cx.get(&file.phase);
        let csv = cx.need(&file.csv);
        let kind = csv.and_then(|csv| {
            cx.note(number_of("csv"), &csv.value, csv.mark);
            rates::read(csv, files, cx)
        });
        cx.broken |= kind.is_none();
        return (kind, phase);
    }
    cx.broken = true;
    (None, None)
}

fn noted<T: Copy + std::fmt::Display>(path: &str, field: &Field<T>, cx: &mut Cx<'_>) -> Option<T> {
    let value = cx.need(field)?;
    cx.note(path, &value.value, value.mark);
    Some(value.value)
}

fn rate_or(path: &str, field: &Field<Rate>, level: Rate, cx: &mut Cx<'_>) -> Option<Rate> {
    match field {
        Field::Hole(_) => {
            cx.broken = true;
            None
        }
        field => Some(cx.settle(path, field, level)),
    }
}
