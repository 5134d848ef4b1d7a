use std::sync::Arc;

use super::args::TryArgs;
use super::exit::Exit;
use super::run;
use super::scenarios;
use super::speech::Speech;
use crate::analysis::Snapshot;
use crate::base::diagnostic::nearest;
use crate::drill::{self, Audience, Signals};
use crate::load::{Ended, Transcript};
use crate::plan::{JourneyId, LoadId, Plan};
use crate::record::{EndReason, Entry, Event};
use crate::report::event_line;
use crate::undo::Scratch;

/// Plays journeys once, and prints every request and answer.
pub(super) fn once(args: &TryArgs, speech: Speech) -> Exit {
    let choice = &args.choice;
    let compiled = match scenarios::compiled(speech, &args.file, choice.profile.as_deref(), &choice.sets) {
        Ok(compiled) => compiled,
        Err(exit) => return exit,
    };
    let journeys = match wanted(&compiled.plan, args.journey.as_deref()) {
        Ok(journeys) => journeys,
        Err(why) => {
            speech.complain(&why);
            return Exit::Wrong;
        }
    };
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            speech.complain(&error);
            return Exit::Inconclusive;
        }
    };
    // Its record is nobody's report: kept only as long as it takes to undo what was started.
    let place = match Scratch::make("try") {
        Ok(place) => place,
        Err(error) => {
            speech.complain(&error);
            return Exit::Inconclusive;
        }
    };
    let mut setting = match run::setting(&args.file, compiled, place.path(), Default::default(), None) {
        Ok(setting) => setting,
        Err(why) => {
            speech.complain(&why);
            return Exit::Wrong;
        }
    };
    setting.scratch = Some(place);
    let plan = setting.plan.clone();
    let mut ok = true;
    let mut tell = |journey: JourneyId, transcript: &Transcript| {
        ok &= transcript.ok;
        speech.print(&page(&plan, journey, transcript));
    };
    let mut audience = Troubles { plan: plan.clone(), speech };
    let ended = drill::rehearse(&setting, &journeys, args.arrival, &mut signals, &mut audience, &mut tell);
    match ended {
        Ok(ended) if !ended.left.is_empty() => {
            ended.left.iter().for_each(|left| speech.complain(&format!("could not be undone: {left}")));
            Exit::Residue
        }
        Ok(ended) => match ended.reason {
            EndReason::Finished if ok => Exit::Passed,
            EndReason::Finished => Exit::Failed,
            EndReason::Interrupted => Exit::Aborted,
            _ => Exit::Inconclusive,
        },
        Err(error) => {
            speech.complain(&error);
            Exit::Inconclusive
        }
    }
}

/// The journey of that name, or all of them; each with the first load that sends it.
fn wanted(plan: &Plan, name: Option<&str>) -> Result<Vec<(LoadId, JourneyId)>, String> {
    let of = |index: usize| {
        let id = JourneyId::at(index);
        let sends = plan.loads.iter().position(|load| load.journeys().any(|journey| journey == id));
        (LoadId::at(sends.unwrap_or(0)), id)
    };
    let all = plan.journeys.iter().enumerate();
    let found: Vec<_> =
        all.filter(|(_, journey)| name.is_none_or(|name| journey.name == name)).map(|(index, _)| of(index)).collect();
    match name {
        Some(name) if found.is_empty() => {
            let names: Vec<&str> = plan.journeys.iter().map(|journey| journey.name.as_str()).collect();
            let meant = nearest(name, names.iter().copied());
            let help = meant
                .map_or_else(|| format!("there are: {}", names.join(" ")), |meant| format!("did you mean `{meant}`?"));
            Err(format!("there is no journey `{name}`; {help}"))
        }
        _ => Ok(found),
    }
}

fn page(plan: &Plan, journey: JourneyId, transcript: &Transcript) -> String {
    let name = plan.journeys.get(journey.index()).map_or("", |journey| journey.name.as_str());
    let mut out = format!("══ {name}\n");
    for exchange in &transcript.exchanges {
        let step = plan.steps.get(exchange.step.index()).map_or("", |step| step.name.as_str());
        out.push_str(&format!("\n── {step}\n{}\n", indented("> ", &exchange.request)));
        if !exchange.answer.is_empty() {
            out.push_str(&format!("{}\n", indented("< ", &exchange.answer)));
        }
        for (name, value) in &exchange.captured {
            let value = value.as_ref().map_or_else(|| "•••".to_owned(), ToString::to_string);
            out.push_str(&format!("  {name} = {value}\n"));
        }
        let ended = match &exchange.result {
            Ok(Ended::Ok) => "ok".to_owned(),
            Ok(Ended::Shed) => "shed, as intended".to_owned(),
            Ok(Ended::NotYet) => "not yet".to_owned(),
            Ok(Ended::Followed) => "redirected".to_owned(),
            Ok(Ended::Again) => "bad, tried again".to_owned(),
            Err(fault) => format!("BAD: {}", fault.why),
        };
        // Of a poll, since it was first asked.
        let took = exchange.service().map(|service| format!(" after {:.1} ms", service.as_seconds_f64() * 1e3));
        out.push_str(&format!("  {ended}{}\n", took.unwrap_or_default()));
    }
    out.push_str(if transcript.ok { "\n══ every step was ok\n\n" } else { "\n══ failed\n\n" });
    out
}

fn indented(mark: &str, text: &str) -> String {
    text.lines().map(|line| format!("  {mark}{line}")).collect::<Vec<_>>().join("\n")
}

/// Says only what goes wrong around the journeys.
struct Troubles {
    plan: Arc<Plan>,
    speech: Speech,
}

impl Audience for Troubles {
    fn entry(&mut self, entry: &Entry) {
        let trouble = matches!(
            entry.event,
            Event::ChoreFailed { .. } | Event::Noted { .. } | Event::ProcessDied { .. } | Event::Residue { .. }
        );
        if trouble && let Some(line) = event_line(&self.plan, self.speech.words, &entry.event) {
            self.speech.complain(&line);
        }
    }

    fn second(&mut self, _: &Snapshot) {}
}
