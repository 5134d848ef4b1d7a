//! What the terminal, the page and the summary all tell, arranged once: rows of targets, the course of each fault, the
//! generator's health, groups of failures, the timeline.

use crate::analysis::{ActionFigures, Curve, FaultFigures, Gap, Recovery, Row, Table};
use crate::base::units::{At, Rate, Share, Span};
use crate::plan::{FaultId, FaultKind, Instant, Measure, Quantity, Rehearsal, Scope, SeriesId};
use crate::record::{ActionEnd, BadKind, Event, Failure, FaultEvent};
use crate::verdict::{Cause, Doubt, Exit, Judgement, Reason, Verdict};

use super::deed::fault_deed;
use super::event::event;
use super::{Model, Words};

/// One target as told.
#[derive(Debug, Clone)]
pub(super) struct TargetRow {
    pub(super) name: String,
    /// Measure, scope and phase.
    pub(super) measure: String,
    pub(super) measured: String,
    pub(super) objective: String,
    pub(super) margin: String,
    pub(super) verdict: Verdict,
    pub(super) word: String,
    /// Reason, and what stands beside the figure.
    pub(super) reason: String,
    pub(super) detail: String,
}

/// One line of a fault's course.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) at: String,
    pub(super) note: String,
}

#[derive(Debug, Clone)]
pub(super) struct FaultStory {
    /// What it does, and to whom.
    pub(super) title: String,
    pub(super) steps: Vec<Step>,
    /// What could not be done, and the figures of recovery.
    pub(super) notes: Vec<String>,
}

/// Failures of one step and kind.
#[derive(Debug, Clone)]
pub(super) struct FailureGroup<'a> {
    pub(super) step: String,
    pub(super) kind: BadKind,
    /// Over the whole time under load.
    pub(super) count: u64,
    pub(super) samples: Vec<&'a Failure>,
}

/// One line of the timeline.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// Before the drill's start; `at` counts from the opening of the run.
    pub(super) preparing: bool,
    pub(super) at: At,
    pub(super) text: String,
    pub(super) class: &'static str,
}

impl Told {
    fn at(at: At, text: String, class: &'static str) -> Told {
        Told { preparing: false, at, text, class }
    }

    pub(super) fn when(&self, words: Words) -> String {
        let at = words.at(self.at);
        if self.preparing { words.at_preparing(at) } else { at }
    }
}

/// A word for how the run ended, and what it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    Open,
}

impl<'a> Model<'a> {
    /// The first word of every report.
    pub(super) fn headline(&self, words: Words) -> (String, Tone) {
        match (self.outcome.exit, self.outcome.verdict) {
            (Exit::Aborted, _) => (words.aborted(), Tone::Bad),
            (Exit::Residue, _) => (words.residue_left(), Tone::Bad),
            (_, verdict) => (words.verdict(verdict), tone(verdict)),
        }
    }

    /// Why the run ended so: its causes first, else the tally of its targets.
    pub(super) fn because(&self, words: Words) -> Vec<String> {
        let mut said: Vec<String> = self.outcome.causes.iter().map(|cause| words.cause(self.plan, cause)).collect();
        match self.plan.rehearsal {
            Some(Rehearsal::NoLoad) => said.push(words.rehearsal_no_load()),
            Some(Rehearsal::NoFaults) => said.extend([words.tally(self.outcome), words.rehearsal_no_faults()]),
            Some(Rehearsal::Without) => said.extend([words.tally(self.outcome), words.rehearsal_without()]),
            None => said.push(words.tally(self.outcome)),
        }
        if !self.plan.unjudged.is_empty() {
            said.push(words.unjudged(words.list(&self.plan.unjudged)));
        }
        said
    }

    pub(super) fn title(&self, words: Words) -> String {
        words.titled(&self.plan.about.title, &self.plan.about.name)
    }

    pub(super) fn whole(&self) -> Option<&'a Table> {
        self.analysis.tables.iter().find(|table| table.phase.is_none())
    }

    pub(super) fn total(&self) -> Option<&'a Row> {
        self.whole().and_then(|table| row_of(table, Scope::All))
    }

    /// The curve of all requests.
    pub(super) fn curve(&self) -> Option<&'a Curve> {
        self.analysis.curves.iter().find(|curve| curve.scope == Scope::All)
    }

    pub(super) fn targets(&self, words: Words) -> Vec<TargetRow> {
        self.outcome.targets.iter().filter_map(|judgement| self.target(words, judgement)).collect()
    }

    fn target(&self, words: Words, judgement: &Judgement) -> Option<TargetRow> {
        let target = self.plan.targets.get(judgement.target.index())?;
        let condition = &target.condition;
        let cores = matches!(condition.measure, Measure::Cpu);
        let measured = match judgement.figure {
            _ if matches!(judgement.reason, Reason::NoFigure(Gap::NotDetected)) => words.not_measured(),
            None => words.no_data(),
            Some(figure) if cores => in_cores(words, words.figure(figure, None), figure.exactly()),
            Some(figure) => words.figure(figure, Some(judgement.bound)),
        };
        Some(TargetRow {
            name: words.title(&target.title, &target.name),
            measure: match judgement.occurrence {
                Some(worst) => words.worst_of(words.subject(self.plan, condition), words.fault(self.plan, worst)),
                None => words.subject(self.plan, condition),
            },
            measured,
            objective: words.objective(&condition.measure, judgement.bound),
            margin: words.margin(judgement.margin),
            verdict: judgement.verdict,
            word: words.verdict(judgement.verdict),
            reason: words.reason(self.plan, judgement),
            detail: words.detail(self.plan, judgement),
        })
    }

    pub(super) fn faults(&self, words: Words) -> Vec<FaultStory> {
        self.analysis.faults.iter().filter_map(|figures| self.fault(words, figures)).collect()
    }

    fn fault(&self, words: Words, figures: &FaultFigures) -> Option<FaultStory> {
        let plan = self.plan;
        let fault = plan.faults.get(figures.fault.index())?;
        let mut notes = Vec::new();
        let mut steps: Vec<(At, Step)> = Vec::new();
        let mut step = |at: Option<At>, name: String, note: String| {
            if let Some(at) = at {
                steps.push((at, Step { name, at: words.at(at), note }));
            }
        };
        step(figures.ordered, words.moment_ordered(), String::new());
        step(figures.effective, words.moment_effective(), self.proof(words, figures.fault, true));
        step(figures.heal_ordered, words.moment_heal_ordered(), String::new());
        step(figures.healed, words.moment_healed(), self.proof(words, figures.fault, false));
        let detected_by = figures.detected_by.map_or_else(String::new, |watch| words.watch(plan, watch));
        let after = figures.detection.map(|span| words.fault_after_effective(words.span(span), &detected_by));
        step(figures.detected, words.moment_detected(), after.unwrap_or(detected_by));
        let several = figures.recoveries.len() > 1;
        for recovery in &figures.recoveries {
            let steady = words.steady(plan, recovery.to);
            let of = if several { words.of_steady(&steady) } else { String::new() };
            step(recovery.breach, words.moment_breach(), of.clone());
            if recovery.breach.is_some() {
                step(recovery.recovered, words.moment_recovered(), of);
            }
        }
        steps.sort_by_key(|(at, _)| *at);
        if figures.ordered.is_none() {
            notes.push(if fault.spared { words.fault_spared() } else { self.never_ordered(words, &fault.at) });
        }
        notes.extend(figures.not_effective.as_ref().map(|why| words.fault_not_effective(words.sights(plan, why))));
        notes.extend(figures.not_healed.as_ref().map(|why| words.fault_not_healed(words.sights(plan, why))));
        if figures.effective.is_some() && figures.detected.is_none() {
            notes.push(words.colon(words.measure_detection(), words.fault_not_detected()));
        }
        if figures.effective.is_some() {
            for recovery in &figures.recoveries {
                notes.push(self.recovery(words, figures.fault, recovery));
            }
        }
        Some(FaultStory {
            title: self.fault_title(words, figures.fault, &fault.kind),
            steps: steps.into_iter().map(|(_, step)| step).collect(),
            notes,
        })
    }

    fn never_ordered(&self, words: Words, at: &Instant) -> String {
        let Instant::Action { action, .. } = at else { return words.fault_never_ordered() };
        let done = |figures: &ActionFigures| figures.action == *action && figures.end == Some(ActionEnd::Done);
        match self.plan.actions.get(action.index()) {
            Some(action) if !self.analysis.actions.iter().any(done) => {
                words.fault_action_not_done(words.title(&action.title, &action.name))
            }
            _ => words.fault_never_ordered(),
        }
    }

    fn recovery(&self, words: Words, fault: FaultId, recovery: &Recovery) -> String {
        let steady = words.steady(self.plan, recovery.to);
        if recovery.unseen.is_some() {
            return words.colon(words.measure_recovery(&steady), words.fault_unseen(&steady));
        }
        let Some(time) = recovery.time.filter(|_| recovery.breach.is_some()) else {
            return words.colon(words.measure_recovery(&steady), words.fault_no_breach(&steady));
        };
        let since = recovery.since_ordered.map_or_else(|| words.not_measured(), |since| words.figure(since, None));
        let mut said = vec![words.fault_rto(words.figure(time, None), since)];
        if recovery.recovered.is_none() {
            said.push(words.fault_recovered_not());
        }
        said.push(words.fault_down(words.span(recovery.down), words.span(recovery.degraded)));
        said.extend(recovery.kept.map(|kept| words.fault_kept(words.share(kept))));
        if recovery.reopened > 0 {
            said.push(words.fault_reopened(words.n_times(u64::from(recovery.reopened))));
        }
        let together = self
            .analysis
            .outages
            .iter()
            .find(|outage| outage.to == Some(recovery.to) && outage.faults.contains(&fault));
        let others: Vec<String> = together
            .into_iter()
            .flat_map(|outage| &outage.faults)
            .filter(|other| **other != fault)
            .map(|other| words.fault(self.plan, *other))
            .collect();
        if !others.is_empty() {
            said.push(words.fault_one_outage(words.list(&others)));
        }
        words.colon(words.measure_recovery(steady), said.join(&words.clause()))
    }

    /// `Node killed at the peak (kill node_1)`.
    pub(super) fn fault_title(&self, words: Words, fault: FaultId, kind: &FaultKind) -> String {
        let name = words.fault(self.plan, fault);
        words.with_name(name, fault_deed(words, self.plan, kind))
    }

    /// What was seen when the fault took effect, or was healed.
    fn proof(&self, words: Words, of: FaultId, effective: bool) -> String {
        self.analysis
            .events
            .iter()
            .find_map(|entry| match &entry.event {
                Event::Fault { fault, what: FaultEvent::Effective { proof } } if *fault == of && effective => {
                    Some(proof)
                }
                Event::Fault { fault, what: FaultEvent::Healed { proof } } if *fault == of && !effective => Some(proof),
                _ => None,
            })
            .map_or_else(String::new, |proof| words.sights(self.plan, proof))
    }

    /// Steady states in sentences: where one was missed without a fault, or its bound is too tight.
    pub(super) fn steady_notes(&self, words: Words) -> Vec<String> {
        let mut notes = Vec::new();
        for figures in &self.analysis.steady_states {
            let Some(steady) = self.plan.steady_states.get(figures.steady.index()) else { continue };
            let name = words.of_steady(words.title(&steady.title, &steady.name));
            let held =
                figures.held.map_or_else(|| words.steady_never_held(), |at| words.steady_held(words.instant(at)));
            notes.push(words.colon(&name, held));
            if !figures.stray.is_empty() {
                let stretches: Vec<String> = figures.stray.iter().map(|stray| words.stretch(*stray)).collect();
                notes.push(words.colon(&name, words.steady_stray(words.list(&stretches))));
            }
            for tight in &figures.tight {
                let Some(must) = steady.must.get(tight.must) else { continue };
                let what = words.measure(self.plan, &must.measure, must.timing);
                notes.push(
                    words.colon(&name, words.steady_tight(what, words.share(tight.share), words.share(tight.allowed))),
                );
            }
        }
        notes
    }

    /// Whether some figure of the run is in doubt because of the generator.
    pub(super) fn generator_doubts(&self) -> Vec<Doubt> {
        let saturated = self.outcome.causes.iter().find_map(|cause| match cause {
            Cause::GeneratorSaturated { doubts } => Some(doubts),
            _ => None,
        });
        let of_targets = || {
            self.outcome.targets.iter().find_map(|target| match &target.reason {
                Reason::Generator { doubts } => Some(doubts),
                _ => None,
            })
        };
        saturated.or_else(of_targets).cloned().unwrap_or_default()
    }

    /// The generator's health, in clauses.
    pub(super) fn generator(&self, words: Words) -> (bool, Vec<String>) {
        let generator = &self.analysis.generator;
        let doubts = self.generator_doubts();
        let mut said = Vec::new();
        if let (Some(p50), Some(p99), Some(max)) = (generator.lag_p50, generator.lag_p99, generator.lag_max) {
            said.push(words.generator_lag(words.span(p50), words.span(p99), words.span(max)));
        }
        if let Some(worst) = generator.worst {
            said.push(words.generator_late(words.share(worst.share), words.span(self.plan.limits.lag)));
        }
        said.extend(generator.cpu.map(|share| words.generator_cpu(words.share(share))));
        let unsent: u64 = generator.unsent.iter().filter(|(kind, _)| !kind.is_platform()).map(|(_, count)| count).sum();
        said.push(words.generator_unsent(words.count(unsent)));
        if let Some(most) = generator.points.iter().map(|point| point.connections).max() {
            said.push(match generator.ports {
                Some(ports) => words.generator_ports(words.n_connections(most), words.count(ports)),
                None => words.generator_connections(words.n_connections(most)),
            });
        }
        if let (Some(files), Some(limit)) = (generator.files_max, generator.files_limit) {
            said.push(words.generator_files(words.count(files), words.count(limit)));
        }
        said.extend(
            generator
                .memory_max
                .map(|size| words.generator_memory(words.quantity(Quantity::Size(crate::base::units::Size(size))))),
        );
        let unpacked = &generator.unpacked;
        if !unpacked.is_empty() {
            let size = |bytes| words.size(crate::base::units::Size(bytes));
            let (packed, plain) = (size(unpacked.packed), size(unpacked.plain));
            said.push(words.generator_unpacked(
                words.n_answers(unpacked.answers),
                packed,
                plain,
                words.span(unpacked.took),
            ));
        }
        for &(at, by) in &generator.clock_steps {
            let sign = if by < 0 { "−" } else { "+" };
            said.push(
                words.generator_clock(words.at(at), format_args!("{sign}{}", words.span(Span(by.unsigned_abs())))),
            );
        }
        if !self.analysis.missing.is_empty() {
            said.push(words.generator_missing(words.n_windows(self.analysis.missing.len() as u64)));
        }
        if !self.analysis.late.is_empty() {
            said.push(words.generator_handed_late(words.n_windows(self.analysis.late.len() as u64)));
        }
        (doubts.is_empty(), said)
    }

    /// Failures by step and kind, the most frequent first.
    pub(super) fn failure_groups(&self, words: Words) -> Vec<FailureGroup<'a>> {
        let mut groups: Vec<FailureGroup<'a>> = Vec::new();
        let mut add = |scope: Scope, kind: BadKind, count: u64| {
            groups.push(FailureGroup { step: words.scope(self.plan, scope), kind, count, samples: Vec::new() });
        };
        for row in self.whole().into_iter().flat_map(|table| &table.rows) {
            if matches!(row.scope, Scope::Step(_)) {
                row.bad.iter().for_each(|&(kind, count)| add(row.scope, kind, count));
            }
        }
        for failure in &self.analysis.failures {
            let step = self.step_of(words, failure.series);
            match groups.iter_mut().find(|group| group.step == step && group.kind == failure.kind) {
                Some(group) => group.samples.push(failure),
                // Failed in the book of seconds alone, or outside the load.
                None => groups.push(FailureGroup { step, kind: failure.kind, count: 0, samples: vec![failure] }),
            }
        }
        for group in &mut groups {
            group.samples.sort_by_key(|failure| (failure.planned, failure.arrival));
            group.count = group.count.max(group.samples.len() as u64);
        }
        groups.sort_by(|a, b| (b.count, &a.step, a.kind).cmp(&(a.count, &b.step, b.kind)));
        groups
    }

    pub(super) fn step_of(&self, words: Words, series: SeriesId) -> String {
        let step = self.plan.series.get(series.index()).map(|series| series.step);
        step.map_or_else(String::new, |step| words.scope(self.plan, Scope::Step(step)))
    }

    /// Everything that happened, with phases and the instants that only analysis knows, in order.
    pub(super) fn timeline(&self, words: Words) -> Vec<Told> {
        let plan = self.plan;
        let mut told: Vec<Told> = Vec::new();
        for entry in &self.analysis.events {
            if let Some((text, class)) = event(plan, words, &entry.event) {
                told.push(Told { preparing: entry.preparing, at: entry.at, text, class });
            }
        }
        let reached = self.analysis.load.map_or(At::START, |load| load.to);
        for phase in plan.phases.iter().filter(|phase| phase.from < reached) {
            told.push(Told::at(phase.from, words.event_phase(words.title(&phase.title, &phase.name)), "phase"));
        }
        for figures in &self.analysis.faults {
            let fault = words.fault(plan, figures.fault);
            if let (Some(at), Some(watch)) = (figures.detected, figures.detected_by) {
                told.push(Told::at(at, words.event_detected(&fault, words.watch(plan, watch)), "fault"));
            }
            for recovery in &figures.recoveries {
                let steady = words.steady(plan, recovery.to);
                if let Some(breach) = recovery.breach {
                    told.push(Told::at(breach, words.event_breach(&fault, &steady), "bad"));
                    if let Some(at) = recovery.recovered {
                        told.push(Told::at(at, words.event_recovered(&fault, &steady), "good"));
                    }
                }
            }
        }
        told.sort_by_key(|told| (!told.preparing, told.at));
        told
    }

    /// Visits planned and begun, and the greatest second of both.
    pub(super) fn peak(&self) -> Option<(Rate, Rate)> {
        let curve = self.curve()?;
        let per = |count: u64| Rate::per_second(count as f64 / curve.resolution.max(1) as f64);
        // Of users nothing is planned by rate.
        let planned = curve.points.iter().filter_map(|point| point.planned).max().filter(|planned| *planned > 0)?;
        let ok = curve.points.iter().map(|point| point.ok).max()?;
        Some((per(planned), per(ok)))
    }

    /// Visits begun as a share of those planned.
    pub(super) fn begun(&self) -> Option<Share> {
        let generator = &self.analysis.generator;
        (generator.planned > 0).then(|| Share(generator.released as f64 / generator.planned as f64))
    }
}

pub(super) fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Pass => Tone::Good,
        Verdict::Fail => Tone::Bad,
        Verdict::Inconclusive => Tone::Open,
    }
}

pub(super) fn row_of(table: &Table, scope: Scope) -> Option<&Row> {
    table.rows.iter().find(|row| row.scope == scope)
}

/// The figure of one percentile, as a table shows it.
pub(super) fn percentile_of(words: Words, row: &Row, q: f64) -> String {
    let found = row.percentiles.iter().find(|percentile| (percentile.q - q).abs() < 1e-9);
    found.and_then(|percentile| percentile.figure).map_or_else(|| "–".to_owned(), |figure| words.figure(figure, None))
}

/// CPU is a share of one core in the language; people read cores.
pub(super) fn in_cores(words: Words, text: String, quantity: Option<Quantity>) -> String {
    quantity.map_or(text, |quantity| words.cores(words.number(quantity.as_f64())))
}
