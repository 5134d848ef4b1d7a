use super::{Words, actions};
use crate::base::units::Span;
use crate::plan::{Plan, ProcessId, Scope, TrialEnd, WatchId, WatchKind};
use crate::record::{ActionEnd, ActionEvent, Event, FaultEvent};

/// One event in words, and the class that the page paints it by; none for what stands elsewhere: samples of failures,
/// closed seconds, the generator's own state.
pub(super) fn event(plan: &Plan, words: Words, event: &Event) -> Option<(String, &'static str)> {
    let process = |id: &ProcessId| words.scope(plan, Scope::Process(*id));
    let chore = |cleanup: bool, index: u32| {
        let n = index + 1;
        if cleanup { words.chore_cleanup(n) } else { words.chore_prepare(n) }
    };
    Some(match event {
        Event::Opened { program, .. } => (words.event_opened(program), ""),
        Event::Part(part) => (words.event_part(part.part, part.of, words.wall(part.start)), ""),
        Event::Approved(approval) => (words.event_approved(&approval.key, words.wall(approval.until)), ""),
        Event::Merged { of, runs } => (words.event_merged(words.n_parts(u64::from(*of)), words.list(runs)), ""),
        Event::Lacking { part, of, what } => (words.lack(*part, *of, what), "bad"),
        Event::Bindings { addresses, links } => {
            let addresses = addresses.iter().map(|(id, address)| words.pair(process(id), address));
            let links = links.iter().map(|(id, at)| words.pair(words.link(plan, *id), at));
            let said: Vec<String> = addresses.chain(links).collect();
            (words.event_bindings(said.join(&words.clause())), "")
        }
        Event::ProcessStarted { process: id, pid } => (words.event_started(process(id), pid), ""),
        Event::ProcessReady { process: id } => (words.event_ready(process(id)), ""),
        Event::ProcessDied { process: id, status } => (words.event_died(process(id), status), "bad"),
        Event::ProcessStopped { process: id } => (words.event_stopped(process(id)), ""),
        Event::ChoreDone { cleanup, index, took } => {
            (words.event_chore_done(chore(*cleanup, *index), words.span(*took)), "")
        }
        Event::ChoreFailed { cleanup, index, why } => (words.event_chore_failed(chore(*cleanup, *index), why), "bad"),
        Event::LoadBegan => (words.event_load_began(), ""),
        Event::LoadEnded => (words.event_load_ended(), ""),
        Event::Drained { abandoned: 0 } => (words.event_drained(), ""),
        Event::Drained { abandoned } => (words.event_drained_abandoned(words.n_requests(*abandoned)), "bad"),
        Event::Fault { fault, what } => {
            let fault = words.fault(plan, *fault);
            match what {
                FaultEvent::Ordered => (words.event_ordered(fault), "fault"),
                FaultEvent::Effective { proof } => (words.event_effective(fault, words.sights(plan, proof)), "fault"),
                FaultEvent::NotEffective { why } => (words.event_not_effective(fault, words.sights(plan, why)), "bad"),
                FaultEvent::HealOrdered => (words.event_heal_ordered(fault), "fault"),
                FaultEvent::Healed { proof } => (words.event_healed(fault, words.sights(plan, proof)), "fault"),
                FaultEvent::NotHealed { why } => (words.event_not_healed(fault, words.sights(plan, why)), "bad"),
            }
        }
        Event::Action { action, what } => {
            let action = plan.actions.get(action.index())?;
            match what {
                ActionEvent::Begun => (actions::told(plan, action, words), ""),
                ActionEvent::Ended { how } => {
                    let name = words.title(&action.title, &action.name);
                    let class = if *how == ActionEnd::Done { "good" } else { "bad" };
                    (words.colon(name, actions::outcome(action, how, words)), class)
                }
            }
        }
        Event::Probe { watch, good, why } if is_alert(plan, *watch) => {
            let (watch, text) = (words.watch(plan, *watch), why.as_deref().unwrap_or_default());
            if *good { (words.event_resolved(watch, text), "good") } else { (words.event_alert(watch, text), "bad") }
        }
        Event::Probe { watch, good: true, .. } => (words.event_probe_good(words.watch(plan, *watch)), "good"),
        Event::Probe { watch, good: false, why } => {
            let why = why.clone().unwrap_or_else(|| words.unknown_reason());
            (words.event_probe_bad(words.watch(plan, *watch), why), "bad")
        }
        Event::SteadyHeld { steady } => (words.event_steady_held(words.steady(plan, *steady)), "good"),
        Event::SteadyMissed { steady } => (words.event_steady_missed(words.steady(plan, *steady)), "bad"),
        Event::Aborting { abort } => {
            let abort = plan.aborts.get(abort.index());
            let name = abort.map_or_else(String::new, |abort| words.title(&abort.title, &abort.name));
            (words.event_aborting(name), "bad")
        }
        Event::TrialBegan { trial, .. } => {
            let (number, rate) = (trial.number + 1, words.rate(trial.rate));
            (if trial.probe { words.event_probe_trial(number, rate) } else { words.event_trial(number, rate) }, "")
        }
        Event::TrialEnded { load, number, end } => {
            let search = plan.loads.get(load.index()).and_then(|load| load.search.as_ref());
            let must = search.map_or(&[][..], |search| &search.must);
            let class = if *end == TrialEnd::Held { "good" } else { "bad" };
            (words.event_trial_ended(number + 1, words.trial_end(plan, must, end)), class)
        }
        Event::SearchEnded { load } => (words.event_search_ended(words.scope(plan, Scope::Load(*load))), ""),
        Event::Signalled { signal, count } => (words.event_signalled(signal, words.n_times(u64::from(*count))), "bad"),
        Event::ClockStepped { by } => {
            let sign = if *by < 0 { "−" } else { "+" };
            (words.event_clock(format_args!("{sign}{}", words.span(Span(by.unsigned_abs())))), "bad")
        }
        Event::Noted { text } => (text.clone(), ""),
        Event::Residue { what, .. } => (words.event_residue(what), "bad"),
        Event::Ended { reason } => (words.event_ended(words.end_reason(*reason)), ""),
        Event::Failed(_)
        | Event::SecondClosed { .. }
        | Event::Generator { .. }
        | Event::Scraped { .. }
        | Event::NotScraped { .. } => return None,
    })
}

fn is_alert(plan: &Plan, watch: WatchId) -> bool {
    let watch = plan.platform.watches.get(watch.index());
    watch.is_some_and(|watch| matches!(watch.kind, WatchKind::Alert { .. }))
}
