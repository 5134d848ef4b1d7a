use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{Id, JoinSet};

use super::actions::Actions;
use super::book::Book;
use super::cast::{Crew, Surgeon, Watchman};
use super::searches::Searches;
use super::seconds::Seconds;
use super::signals::Signals;
use super::timeline::{Due, Timeline};
use crate::base::clock::{Clock, StepWatch};
use crate::base::host::{self, Identity};
use crate::base::units::{At, Span};
use crate::load::News;
use crate::plan::{End, FaultId, Instant, Moment, Plan, SteadyId};
use crate::platform::Happening;
use crate::record::{EndReason, Event, FaultEvent, Sight};

/// How long the crews may take to hand over their last window.
const FINISH: Span = Span::seconds(5);

/// What became of an order or a heal.
struct Outcome<W> {
    fault: FaultId,
    at: At,
    event: FaultEvent,
    /// What is to be healed later.
    wound: Option<W>,
}

/// The one who decides while the load is on: takes in what happens, writes it down, folds it, and acts on it.
pub(super) struct Conductor<'c, 'b, C, S, G> {
    pub(super) plan: &'c Arc<Plan>,
    pub(super) clock: Clock,
    pub(super) book: &'c mut Book<'b>,
    pub(super) surgeon: S,
    pub(super) actions: Actions,
    pub(super) happenings: &'c mut UnboundedReceiver<Happening>,
    pub(super) signals: &'c mut Signals,
    pub(super) guardian: &'c mut G,
    pub(super) crews: C,
}

/// What changes while it goes on.
struct Course<W> {
    timeline: Timeline,
    seconds: Seconds,
    tasks: JoinSet<Outcome<W>>,
    /// Whose order or heal each task is.
    owners: Vec<(Id, FaultId)>,
    /// By fault: what its heal needs.
    wounds: Vec<Option<W>>,
    /// Set with the first second: before the start instant the drill's clock stands still.
    steps: Option<StepWatch>,
    going: Vec<bool>,
    abandoned: u64,
    searches: Searches,
    load_end: At,
    /// Of the drill: earlier than planned where searches have their answers earlier.
    end: At,
    load_over: bool,
    stop: Option<EndReason>,
    broken: bool,
}

/// How the load's part of the drill ended.
pub(super) struct Conducted {
    pub(super) reason: EndReason,
    /// A worker ended by a defect of the harness.
    pub(super) broken: bool,
}

impl<C: Crew, S: Surgeon, G: Watchman> Conductor<'_, '_, C, S, G> {
    /// From the start instant to the plan's end, or to an earlier one. Every fault that was in force is healed then, or
    /// has been said not to be.
    pub(super) async fn conduct(mut self) -> Conducted {
        let workers = self.crews.count();
        let mut course = Course {
            timeline: Timeline::new(
                &self.plan.faults,
                self.plan.production.as_ref().map(|production| production.most.faults),
            ),
            seconds: Seconds::new(workers),
            tasks: JoinSet::new(),
            owners: Vec::new(),
            wounds: self.plan.faults.iter().map(|_| None).collect(),
            steps: None,
            going: vec![true; usize::from(workers)],
            abandoned: 0,
            searches: Searches::new(self.plan),
            load_end: self.book.fold().loads_end(),
            end: At(self.plan.end.as_nanos()),
            load_over: false,
            stop: None,
            broken: false,
        };
        course.searches.begin(self.book, &self.crews);
        // Whatever is told meanwhile: nothing begins before the start instant, until which the clock shows 0.
        self.clock.sleep_until(At::START).await;
        while !self.is_over(&course) {
            self.turn(&mut course).await;
            self.catch_up(&mut course);
        }
        self.actions.end(self.book);
        self.finish(&mut course).await;
        let reason = course.stop.unwrap_or(EndReason::Finished);
        Conducted { reason, broken: course.broken }
    }

    fn is_over(&self, course: &Course<S::Wound>) -> bool {
        let idle = !course.going.contains(&true);
        let quiet = !course.timeline.busy() && course.tasks.is_empty();
        let ended = course.stop.is_some() || self.clock.now() >= course.end;
        // Nothing is due any more: what waits for an instant that will never come is given up.
        idle && quiet && ended && (course.stop.is_some() || course.timeline.next().is_none())
    }

    /// Waits for the next thing that happens, and takes note of it.
    async fn turn(&mut self, course: &mut Course<S::Wound>) {
        let next = self.next_instant(course);
        tokio::select! {
            // In this order: what happened comes before what is due, so that decisions see all there is.
            biased;
            (signal, count) = self.signals.next() => self.signalled(course, signal, count),
            Some(happening) = self.happenings.recv() => self.happened(course, happening),
            Some(news) = self.crews.news() => self.heard(course, news),
            Some(outcome) = course.tasks.join_next() => self.came_of(course, outcome),
            Some(outcome) = self.actions.outcome() => {
                self.actions.came_of(outcome, &mut course.timeline, self.book);
            }
            () = self.clock.sleep_until(next) => {}
        }
    }

    fn next_instant(&self, course: &Course<S::Wound>) -> At {
        let due = course.timeline.next().map(|(at, _)| at);
        let begins = self.actions.next(&course.timeline).map(|(at, _)| at);
        let load_end = (!course.load_over).then_some(course.load_end);
        let end = (course.end > self.clock.now()).then_some(course.end);
        [course.seconds.deadline(), due, begins, load_end, end].into_iter().flatten().min().unwrap_or(At::MAX)
    }

    /// Does all that is due by now.
    fn catch_up(&mut self, course: &mut Course<S::Wound>) {
        let now = self.clock.now();
        while let Some(closing) = course.seconds.close(now) {
            self.book.note(Event::SecondClosed { second: closing.second, missing: closing.missing });
            self.second_closed(course);
            self.search(course);
        }
        if !course.load_over && now >= course.load_end {
            self.load_ended(course);
        }
        if self.book.lost().is_some() {
            self.stop(course, EndReason::RecordLost);
        }
        if now >= course.end {
            // A fault after the end would hurt a platform that nobody asks anything.
            course.timeline.cancel_waiting();
            self.actions.stop();
            for fault in course.timeline.in_force() {
                self.heal(course, fault);
            }
        }
        while let Some((at, due)) = course.timeline.next().filter(|(at, _)| *at <= now) {
            match due {
                Due::Order(fault) => self.order(course, fault, at),
                Due::Heal(fault) => self.heal(course, fault),
            }
        }
        self.actions.begin(now, &course.timeline, self.book);
    }

    /// What is looked at once a second.
    fn second_closed(&mut self, course: &mut Course<S::Wound>) {
        let steps = course.steps.get_or_insert_with(|| self.clock.step_watch());
        if let Some(step) = steps.look() {
            self.book.note(Event::ClockStepped { by: step.by_nanos });
        }
        let own = host::own_vitals();
        let processes: Vec<_> = std::iter::once(Identity::own()).chain(self.crews.processes()).collect();
        let memory = host::vitals_of(&processes).map_or(own.memory, |all| all.memory);
        // Each has the limit for itself.
        let most = processes[1..].iter().filter_map(|crew| Some(host::vitals_of(&[*crew])?.files));
        let files = most.fold(own.files, u32::max);
        let files_limit = host::open_file_limits().map_or(0, |limits| limits.soft);
        self.book.note(Event::Generator {
            cpu: own.cpu,
            memory,
            files: u64::from(files),
            files_limit,
            cores: host::machine().cores,
            ports: host::local_ports(),
        });
        self.look_at_faults(course);
        self.book.tell_second();
        if course.stop.is_none() && course.timeline.busy() && !self.guardian.is_alive() {
            let text = "the guardian process is gone while a fault is in force, so it is healed now".to_owned();
            self.book.note(Event::Noted { text });
            self.stop(course, EndReason::HarnessFailed);
        }
        if course.stop.is_none()
            && let Some(abort) = self.book.fold().aborting()
        {
            self.book.note(Event::Aborting { abort });
            self.stop(course, EndReason::Aborted);
        }
    }

    /// Takes note of what analysis has found about faults.
    fn look_at_faults(&self, course: &mut Course<S::Wound>) {
        for index in 0..self.plan.faults.len() {
            let fault = FaultId::at(index);
            if let Some(at) = self.book.fold().triggered(fault) {
                course.timeline.triggered(fault, at);
            }
            for moment in [Moment::Detected, Moment::Recovered] {
                if let Some(at) = self.book.fold().moment(fault, moment) {
                    course.timeline.found(fault, moment, at);
                }
            }
        }
    }

    /// Lets searches go on. The drill ends with their answers, unless it was said to go on for longer.
    fn search(&mut self, course: &mut Course<S::Wound>) {
        if course.stop.is_none() && course.searches.go_on(self.book, &self.crews, self.clock.now()) {
            let latest = course.load_end;
            course.load_end = self.book.fold().loads_end();
            if course.end == latest {
                course.end = course.load_end;
            }
        }
    }

    /// The load lasts to the end of its last stage, also when nothing more is due in the rest of it.
    fn load_ended(&mut self, course: &mut Course<S::Wound>) {
        course.load_over = true;
        self.book.note(Event::LoadEnded);
        self.drained(course);
    }

    /// Says so when the load is over and no worker has anything in flight.
    fn drained(&mut self, course: &Course<S::Wound>) {
        if course.load_over && !course.going.contains(&true) {
            self.book.note(Event::Drained { abandoned: course.abandoned });
        }
    }

    /// An orderly end: no more arrivals, every fault healed now, what was not ordered yet given up.
    fn stop(&mut self, course: &mut Course<S::Wound>, reason: EndReason) {
        if course.stop.is_some() {
            return;
        }
        course.stop = Some(reason);
        self.crews.drain();
        if !course.load_over {
            self.load_ended(course);
        }
        course.timeline.cancel_waiting();
        self.actions.stop();
        self.surgeon.stop();
        for fault in course.timeline.in_force() {
            self.heal(course, fault);
        }
    }

    fn signalled(&mut self, course: &mut Course<S::Wound>, signal: &str, count: u32) {
        self.book.note(Event::Signalled { signal: signal.to_owned(), count });
        self.stop(course, EndReason::Interrupted);
        if count > 1 {
            self.crews.drop_load();
            // What is not healed by now is undone with everything else that the journal holds.
            self.give_up(course);
        }
    }

    fn happened(&mut self, course: &mut Course<S::Wound>, happening: Happening) {
        let cut = happening == Happening::ProxyDied;
        let turned = matches!(happening, Happening::Turned { .. });
        note(self.book, happening);
        if turned {
            // Whoever waits for a fault to be detected need not wait for the second's end.
            self.look_at_faults(course);
        }
        if cut {
            // What is measured from here on would be our own doing.
            self.stop(course, EndReason::HarnessFailed);
        }
    }

    fn heard(&mut self, course: &mut Course<S::Wound>, news: News) {
        match news {
            News::Window { window, failures } => {
                course.seconds.handed(window.second, window.crew);
                self.book.window(&window);
                for failure in failures {
                    self.book.note(Event::Failed(failure));
                }
            }
            News::Idle { crew, abandoned } => {
                course.abandoned += abandoned;
                if let Some(going) = course.going.get_mut(usize::from(crew)) {
                    *going = false;
                }
                self.drained(course);
            }
            News::Broken { crew } => {
                course.broken = true;
                course.seconds.finished(crew);
                if let Some(going) = course.going.get_mut(usize::from(crew)) {
                    *going = false;
                }
                self.book.note(Event::Noted { text: format!("load worker {crew} ended by a defect of the harness") });
                self.stop(course, EndReason::HarnessFailed);
            }
        }
    }

    /// Orders a fault; before the first one, the steady states must have held.
    fn order(&mut self, course: &mut Course<S::Wound>, fault: FaultId, due: At) {
        if course.timeline.untouched() {
            let states = (0..self.plan.steady_states.len()).map(SteadyId::at);
            let (held, missed): (Vec<_>, Vec<_>) = states.partition(|id| self.book.fold().held_before(*id, due));
            for steady in held {
                self.book.note(Event::SteadyHeld { steady });
            }
            if !missed.is_empty() {
                for steady in missed {
                    self.book.note(Event::SteadyMissed { steady });
                }
                return self.stop(course, EndReason::NotSteady);
            }
        }
        // What was measured up to here must outlive whatever the fault does to the machine.
        self.book.sync();
        if self.book.lost().is_some() {
            return self.stop(course, EndReason::RecordLost);
        }
        if !self.guardian.is_alive() {
            // Without it nobody would undo the fault should the harness die.
            self.book.note(Event::Noted { text: "the guardian process is gone, so no fault is ordered".to_owned() });
            return self.stop(course, EndReason::HarnessFailed);
        }
        self.note_fault(course, fault, self.clock.now(), FaultEvent::Ordered);
        let (surgeon, clock) = (self.surgeon.clone(), self.clock.clone());
        let planned = self.plan.faults[fault.index()].clone();
        let now = clock.now();
        let lasts = match &planned.end {
            End::For(lasts) => *lasts,
            End::Until(Instant::At(until)) => until.since(now),
            End::Until(_) | End::Platform { .. } => course.end.since(now),
        };
        let task = course.tasks.spawn_local(async move {
            match surgeon.inject(fault, &planned, lasts).await {
                Ok((wound, seen)) => Outcome {
                    fault,
                    at: seen.at,
                    event: FaultEvent::Effective { proof: seen.proof },
                    wound: Some(wound),
                },
                Err(why) => Outcome { fault, at: clock.now(), event: FaultEvent::NotEffective { why }, wound: None },
            }
        });
        course.owners.push((task.id(), fault));
    }

    fn heal(&mut self, course: &mut Course<S::Wound>, fault: FaultId) {
        let wound = course.wounds.get_mut(fault.index()).and_then(Option::take);
        self.note_fault(course, fault, self.clock.now(), FaultEvent::HealOrdered);
        let (surgeon, clock) = (self.surgeon.clone(), self.clock.clone());
        let planned = self.plan.faults[fault.index()].clone();
        let task = course.tasks.spawn_local(async move {
            let healed = match (wound, &planned.end) {
                (Some(wound), End::Platform { undo }) => surgeon.settle(wound, undo).await,
                (Some(wound), End::For(_) | End::Until(_)) => surgeon.heal(wound).await,
                (None, _) => Err(vec![Sight::NoWound]),
            };
            match healed {
                Ok(seen) => {
                    Outcome { fault, at: seen.at, event: FaultEvent::Healed { proof: seen.proof }, wound: None }
                }
                Err(why) => Outcome { fault, at: clock.now(), event: FaultEvent::NotHealed { why }, wound: None },
            }
        });
        course.owners.push((task.id(), fault));
    }

    fn came_of(&mut self, course: &mut Course<S::Wound>, outcome: Result<Outcome<S::Wound>, tokio::task::JoinError>) {
        match outcome {
            // Given up meanwhile. Should it bite all the same, the journal holds what undoes it.
            Ok(late) if !course.timeline.is_under_way(late.fault) => {}
            Ok(Outcome { fault, at, event, wound }) => {
                let bites = wound.is_some();
                if let (Some(place), Some(wound)) = (course.wounds.get_mut(fault.index()), wound) {
                    *place = Some(wound);
                }
                self.note_fault(course, fault, at, event);
                // The drill was stopped while the fault was being ordered.
                if bites && course.stop.is_some() {
                    self.heal(course, fault);
                }
            }
            Err(error) if error.is_cancelled() => {}
            Err(error) => {
                course.broken = true;
                self.book
                    .note(Event::Noted { text: format!("a fault's task ended by a defect of the harness: {error}") });
                // That one alone is lost: the others are healed as in every orderly end.
                let owner = course.owners.iter().find(|(task, _)| *task == error.id()).map(|(_, fault)| *fault);
                if let Some(fault) = owner.filter(|fault| course.timeline.is_under_way(*fault)) {
                    let why = vec![Sight::HarnessFailed];
                    self.note_fault(course, fault, self.clock.now(), FaultEvent::NotHealed { why });
                }
                self.stop(course, EndReason::HarnessFailed);
            }
        }
    }

    /// Waits no longer for what is being ordered or healed.
    fn give_up(&mut self, course: &mut Course<S::Wound>) {
        course.tasks.abort_all();
        for fault in course.timeline.under_way() {
            self.note_fault(course, fault, self.clock.now(), FaultEvent::NotHealed { why: vec![Sight::GivenUp] });
        }
    }

    fn note_fault(&mut self, course: &mut Course<S::Wound>, fault: FaultId, at: At, what: FaultEvent) {
        self.book.note_at(at, Event::Fault { fault, what: what.clone() });
        course.timeline.note(at, fault, &what);
    }

    /// Has the crews hand over what they have, and closes their last seconds.
    async fn finish(&mut self, course: &mut Course<S::Wound>) {
        self.crews.finish();
        let deadline = self.clock.now() + FINISH;
        while let Ok(Some(news)) = self.clock.timeout_at(deadline, self.crews.news()).await {
            self.heard(course, news);
        }
        for crew in 0..self.crews.count() {
            course.seconds.finished(crew);
        }
        while let Some(closing) = course.seconds.close(At::MAX) {
            self.book.note(Event::SecondClosed { second: closing.second, missing: closing.missing });
            self.second_closed(course);
        }
    }
}

/// Writes down what the platform did.
pub(super) fn note(book: &mut Book<'_>, happening: Happening) {
    let event = match happening {
        Happening::Started { process, pid } => Event::ProcessStarted { process, pid },
        Happening::Ready { process } => Event::ProcessReady { process },
        Happening::Died { process, status } => Event::ProcessDied { process, status },
        Happening::ByHand { what } => Event::Noted { text: what },
        Happening::ProxyDied => Event::Noted { text: "the process of the fault proxy ended by itself".to_owned() },
        Happening::Stopped { process } => Event::ProcessStopped { process },
        Happening::Turned { at, watch, good, why } => return book.note_at(at, Event::Probe { watch, good, why }),
        Happening::Scraped { at, watch, read } => {
            let event = match read {
                Ok(values) => Event::Scraped { watch, values },
                Err(why) => Event::NotScraped { watch, why },
            };
            return book.note_at(at, event);
        }
        Happening::Vital(vital) => return book.vital(&vital),
    };
    book.note(event);
}
