//! The smallest set of faults with which a drill that failed still fails: delta debugging, whose test is a whole drill.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::args::ShrinkArgs;
use super::exit::Exit;
use super::render::{self, Pictures};
use super::report::found;
use super::run::planned;
use super::speech::Speech;
use crate::analysis::{Snapshot, analyse};
use crate::compile::{From, Origins};
use crate::drill::{self, Audience, Signals};
use crate::load;
use crate::plan::{EmergencyAction, End, Instant, Plan, Work};
use crate::record::{Entry, Folder, Reader};
use crate::verdict::{self, Verdict};

pub(super) fn shrink(args: &ShrinkArgs, speech: Speech) -> Exit {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            speech.complain(&error);
            return Exit::Inconclusive;
        }
    };
    let failed = match Failed::open(args) {
        Ok(failed) => failed,
        Err(error) => {
            speech.complain(&format!("{error:#}"));
            return Exit::Wrong;
        }
    };
    let mut trials =
        Trials { failed: &failed, args, speech, signals: &mut signals, left: args.drills, stopped: None, spent: false };
    let smallest = smallest(&failed.faults, &mut |set| trials.still_fails(set));
    let (stopped, spent) = (trials.stopped, trials.spent);
    if let Some(exit) = stopped {
        return exit;
    }
    let names = |set: &[usize]| {
        let named = set.iter().filter_map(|index| failed.plan.faults.get(*index));
        named.map(|fault| fault.name.clone()).collect::<Vec<_>>()
    };
    let words = speech.words;
    if smallest.is_empty() {
        speech.print(&format!("{}\n", words.shrink_none()));
        return Exit::Passed;
    }
    let out: Vec<usize> = failed.faults.iter().copied().filter(|index| !smallest.contains(index)).collect();
    let without: String = names(&out).iter().map(|name| format!(" --without {name}")).collect();
    if spent {
        speech.print(&format!("{}\n", words.shrink_spent(names(&smallest).join(", "))));
        return Exit::Inconclusive;
    }
    speech.print(&format!("{}\n", words.shrink_found(names(&smallest).join(", "))));
    if !without.is_empty() {
        speech.print(&format!("{}\n", words.shrink_again(without.trim_start())));
    }
    Exit::Passed
}

/// A run that failed, with what is needed to run it again.
struct Failed {
    plan: Plan,
    origins: Value,
    files: PathBuf,
    /// The faults that bit, by their numbers.
    faults: Vec<usize>,
    /// The targets that failed, by their names.
    targets: Vec<String>,
}

impl Failed {
    fn open(args: &ShrinkArgs) -> anyhow::Result<Failed> {
        let folder = found(&args.run, &args.reports)?;
        let reader = Reader::open(&folder)?;
        let plan = reader.plan().clone();
        anyhow::ensure!(
            plan.production.is_none(),
            "this was a drill of production, which is not done again and again: find the faults in another environment"
        );
        let analysis = analyse(&plan, reader)?;
        let targets = failed_targets(&plan, &analysis);
        anyhow::ensure!(!targets.is_empty(), "no target of this run failed, so there is nothing to find");
        let bit = |(index, fault): (usize, &crate::analysis::FaultFigures)| fault.effective.map(|_| index);
        let faults: Vec<usize> = analysis.faults.iter().enumerate().filter_map(bit).collect();
        anyhow::ensure!(!faults.is_empty(), "no fault of this run bit, so none of them made it fail");
        let asks = plan.actions.iter().any(|action| action.work == Work::Terminal);
        anyhow::ensure!(!asks, "an action is confirmed at the terminal, and nobody can be asked again and again");
        let origins = fs::read(folder.origins()).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let origins: Value = origins.unwrap_or_default();
        let files = args.files.clone().unwrap_or_else(|| beside(&origins));
        Ok(Failed { plan, origins, files, faults, targets })
    }
}

/// The folder of the scenario that the origins of a plan's values tell of.
fn beside(origins: &Value) -> PathBuf {
    let origins: Origins = serde_json::from_value(origins.clone()).unwrap_or_default();
    let places = origins.0.iter().filter_map(|origin| match &origin.from {
        From::Written(place) | From::Profile { place, .. } if !place.starts_with("--") => Some(place.as_str()),
        _ => None,
    });
    let file = places.filter_map(|place| place.rsplitn(3, ':').nth(2)).next().unwrap_or_default();
    Path::new(file).parent().map(PathBuf::from).unwrap_or_default()
}

fn failed_targets(plan: &Plan, analysis: &crate::analysis::Analysis) -> Vec<String> {
    let outcome = verdict::outcome(plan, analysis);
    let failed = outcome.targets.iter().filter(|judged| judged.verdict == Verdict::Fail);
    failed.filter_map(|judged| Some(plan.targets.get(judged.target.index())?.name.clone())).collect()
}

/// Drills with some of the faults, until there have been enough.
struct Trials<'t> {
    failed: &'t Failed,
    args: &'t ShrinkArgs,
    speech: Speech,
    signals: &'t mut Signals,
    left: u32,
    /// Why no more are made.
    stopped: Option<Exit>,
    /// More were needed than may be made.
    spent: bool,
}

impl Trials<'_> {
    /// Whether a target that failed fails again with these faults alone. Once no more drills may be made, nothing does.
    fn still_fails(&mut self, set: &[usize]) -> bool {
        if self.stopped.is_none() && self.signals.came() {
            self.stopped = Some(Exit::Aborted);
        }
        self.spent |= self.left == 0;
        if self.stopped.is_some() || self.spent {
            return false;
        }
        self.left -= 1;
        let mut plan = self.failed.plan.clone();
        let mut index = 0;
        let kept = with_what_they_wait_for(&plan, set);
        let out: Vec<bool> = (0..plan.faults.len()).map(|fault| !kept.contains(&fault)).collect();
        plan.faults.iter_mut().for_each(|fault| {
            fault.spared = out.get(index).copied().unwrap_or(true);
            index += 1;
        });
        plan.spare(|fault| fault.spared);
        let names: Vec<String> =
            plan.faults.iter().filter(|fault| !fault.spared).map(|fault| fault.name.clone()).collect();
        match self.drill(plan) {
            Ok((verdict, fails)) => {
                let words = self.speech.words;
                let told = if names.is_empty() { words.shrink_no_fault() } else { names.join(", ") };
                self.speech.say(&format!("{}\n", words.shrink_trial(told, words.verdict(verdict))));
                fails
            }
            Err(exit) => {
                self.stopped = Some(exit);
                false
            }
        }
    }

    fn drill(&mut self, plan: Plan) -> Result<(Verdict, bool), Exit> {
        let options = load::Options { workers: None, spin: None };
        let (origins, files) = (self.failed.origins.clone(), self.failed.files.clone());
        let setting = planned(plan, origins, files, &self.args.reports, options, None).map_err(|why| {
            self.speech.complain(&why);
            Exit::Wrong
        })?;
        let ended = drill::run(&setting, self.signals, &mut Nobody).map_err(|error| {
            self.speech.complain(&error);
            Exit::Inconclusive
        })?;
        if !ended.left.is_empty() {
            ended.left.iter().for_each(|left| self.speech.complain(&format!("could not be undone: {left}")));
            return Err(Exit::Residue);
        }
        if ended.broken || ended.lost.is_some() {
            return Err(if ended.broken { Exit::Defect } else { Exit::Inconclusive });
        }
        if self.signals.came() {
            return Err(Exit::Aborted);
        }
        self.judged(&ended.folder).map_err(|error| {
            self.speech.complain(&format!("{error:#}"));
            Exit::Inconclusive
        })
    }

    fn judged(&self, folder: &Folder) -> anyhow::Result<(Verdict, bool)> {
        render::render(folder, self.speech, Pictures::IfPossible)?;
        let reader = Reader::open(folder)?;
        let plan = reader.plan().clone();
        let analysis = analyse(&plan, reader)?;
        let verdict = verdict::outcome(&plan, &analysis).verdict;
        // A drill that was void has not failed, whatever its figures were.
        let again = failed_targets(&plan, &analysis).iter().any(|name| self.failed.targets.contains(name));
        Ok((verdict, verdict == Verdict::Fail && again))
    }
}

/// These faults, and those whose instants they hang on, also by way of actions.
fn with_what_they_wait_for(plan: &Plan, set: &[usize]) -> Vec<usize> {
    let mut kept = set.to_vec();
    let mut next = set.to_vec();
    while let Some(fault) = next.pop().and_then(|index| plan.faults.get(index)) {
        let until = match &fault.end {
            End::Until(instant) => Some(instant),
            End::For(_) | End::Platform { .. } => None,
        };
        for instant in [Some(&fault.at), until].into_iter().flatten() {
            let behind = match instant {
                Instant::After { fault, .. } => Some(*fault),
                Instant::Action { action, .. } => {
                    EmergencyAction::behind(*action, &plan.actions).map(|(fault, _)| fault)
                }
                Instant::At(_) | Instant::When(_) => None,
            };
            if let Some(fault) = behind
                && !kept.contains(&fault.index())
            {
                kept.push(fault.index());
                next.push(fault.index());
            }
        }
    }
    kept
}

struct Nobody;

impl Audience for Nobody {
    fn entry(&mut self, _: &Entry) {}
    fn second(&mut self, _: &Snapshot) {}
}

/// A subset of `all` that `fails`, of which nothing can be left out so that it still does (delta debugging: Zeller and
/// Hildebrandt, "Simplifying and isolating failure-inducing input", 2002). `all` is taken to fail.
fn smallest(all: &[usize], fails: &mut dyn FnMut(&[usize]) -> bool) -> Vec<usize> {
    if fails(&[]) {
        return Vec::new();
    }
    let mut set = all.to_vec();
    let mut parts = 2;
    while set.len() > 1 {
        let size = set.len().div_ceil(parts);
        let chunks: Vec<Vec<usize>> = set.chunks(size).map(<[usize]>::to_vec).collect();
        if let Some(chunk) = chunks.iter().find(|chunk| fails(chunk)) {
            (set, parts) = (chunk.clone(), 2);
            continue;
        }
        let without = |chunk: &Vec<usize>| set.iter().copied().filter(|one| !chunk.contains(one)).collect::<Vec<_>>();
        // Of two parts, what one leaves is the other, which has been tried.
        let rest = chunks.iter().filter(|_| chunks.len() > 2).map(without).find(|rest| fails(rest));
        match rest {
            Some(rest) => (set, parts) = (rest, (parts - 1).max(2)),
            None if parts >= set.len() => break,
            None => parts = (parts * 2).min(set.len()),
        }
    }
    set
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::units::Span;
    use crate::plan::Moment;

    proptest! {
        #[test]
        fn nothing_can_be_left_out_of_what_is_found(count in 1usize..12, needed in proptest::collection::btree_set(0usize..12, 0..5)) {
            let needed: Vec<usize> = needed.into_iter().filter(|one| *one < count).collect();
            let all: Vec<usize> = (0..count).collect();
            let mut tries = 0;
            let found = smallest(&all, &mut |set| {
                tries += 1;
                needed.iter().all(|one| set.contains(one))
            });
            prop_assert_eq!(found, needed);
            prop_assert!(tries <= count * count + 4 * count + 1, "{} tries", tries);
        }
    }

    #[test]
    fn what_a_fault_waits_for_by_way_of_actions_is_kept() {
        let mut plan = crate::analysis::sim::Sim { fault: Some((30.0, 40.0)), ..Default::default() }.plan();
        let due =
            crate::plan::Due::Fault { fault: crate::plan::FaultId(0), moment: Moment::Detected, offset: Span::ZERO };
        plan.actions = vec![EmergencyAction {
            name: "decide".to_owned(),
            title: Default::default(),
            by: Default::default(),
            say: Default::default(),
            due,
            work: Work::Terminal,
            within: Span::SECOND,
        }];
        let mut next = plan.faults[0].clone();
        next.at = Instant::Action { action: crate::plan::ActionId(0), offset: Span::ZERO };
        plan.faults.extend([next.clone(), next]);
        assert_eq!(with_what_they_wait_for(&plan, &[2]), [2, 0]);
    }

    #[test]
    fn either_of_two_will_do() {
        let found = smallest(&[0, 1, 2, 3], &mut |set| set.contains(&1) || set.contains(&3));
        assert_eq!(found.len(), 1);
    }
}
