//! The end of the fold: everything that is known becomes figures.

use super::crowd::Crowd;
use super::down::Down;
use super::faults::probe_figures;
use super::outage::{outages, outages_by_down, stretch};
use super::recovery::{Between, Track};
use super::search::Searching;
use super::seconds::begin_of;
use super::tally::share;
use super::targets::Evidence;
use super::{Analysis, DownStretch, FaultFigures, Fold, Outage, Stretch};
use crate::base::units::{At, Share, Span};
use crate::plan::{FaultId, Scope, SteadyId};
use crate::record::UnsentKind;

/// Steady throughput is that of so long before a fault.
const STEADY: Span = Span::seconds(30);

pub(super) fn finish(mut fold: Fold) -> Analysis {
    for second in fold.seconds.drain() {
        fold.finish_second(&second);
    }
    let load = fold.load();
    let watched_to = load.map_or(At::START, |load| load.to);
    let steady = fold.take_steady();
    let before_fault = fold.before_fault.take();
    let down_of = |scope: Scope| fold.down.iter().find(|(known, _)| *known == scope).map(|(_, down)| down);
    let none = Down::new(Vec::new());
    let all_down = down_of(Scope::All).unwrap_or(&none);
    let ok: Vec<(u64, u64)> = fold.curves.ok().collect();
    let between = |ordered: At| {
        let ok = &ok;
        move |from: At, to: At| between(ok, all_down, ordered, from, to)
    };
    let outages = all_outages(&fold, steady.len(), all_down, watched_to, &ok);
    let faults: Vec<FaultFigures> = fold
        .faults
        .iter()
        .enumerate()
        .map(|(index, instants)| {
            let fault = FaultId::at(index);
            let mut figures = instants.figures(fault);
            let tracks = fold.tracks.iter().filter(|track| track.fault == fault);
            figures.recoveries = tracks.map(|track| track.recovery(watched_to, between(track.ordered))).collect();
            figures
        })
        .collect();
    let searches: Vec<_> = std::mem::take(&mut fold.searches).into_iter().map(Searching::finish).collect();
    let targets = Evidence {
        searches: &searches,
        plan: &fold.plan,
        load,
        planned_end: fold.planned_end,
        phases: &fold.phases,
        faults: &faults,
        actions: &fold.actions,
        outages: &outages,
        vitals: &fold.vitals,
        watches: &fold.watches,
        health: &fold.health,
        down: &down_of,
        missing: &fold.missing,
        late: &fold.late,
    }
    .measured();
    let tables = fold.phases.tables(&fold.plan, load);
    let down = all_down.stretches().map(|window| DownStretch {
        window,
        outage: outages.iter().position(|outage| stretch(outage).overlaps(window)),
    });
    let down = down.collect();
    let mut generator = fold.health.finish(load);
    if let Some(all) = tables.first().and_then(|table| table.rows.first()) {
        generator.unsent = all.unsent.clone();
        // What was not begun since the drill was being stopped is no fault of the generator's.
        let ours = all.unsent.iter().filter(|(kind, _)| !kind.is_platform() && *kind != UnsentKind::Stopped);
        let ours: u64 = ours.map(|(_, count)| count).sum();
        generator.unsent_by_generator = share(ours, all.requests);
    }
    let steady_states = steady.into_iter().map(|steady| {
        let held = before_fault.as_ref().and_then(|held| held.get(steady.id().index()).copied());
        steady.figures(held)
    });
    Analysis {
        opened: fold.opened,
        load,
        ended: fold.ended,
        tables,
        targets,
        faults,
        actions: fold.actions,
        steady_states: steady_states.collect(),
        searches,
        crowds: fold.crowds.into_iter().map(Crowd::finish).collect(),
        down,
        probes: fold
            .probes
            .into_iter()
            .map(|(watch, turns)| probe_figures(watch, turns, watched_to.max(begin_of(fold.seconds.next()))))
            .collect(),
        vitals: fold.vitals.curves(),
        watched: fold.watches.figures(&fold.plan, load),
        generator,
        failures: fold.failures,
        events: fold.events,
        missing: fold.missing.into_iter().collect(),
        late: fold.late.into_iter().collect(),
        residue: fold.residue,
        outages,
        curves: fold.curves.finish(),
    }
}

fn all_outages(fold: &Fold, steady: usize, down: &Down, watched_to: At, ok: &[(u64, u64)]) -> Vec<Outage> {
    let bitten = |fault: FaultId| fold.faults.get(fault.index()).is_some_and(|fault| fault.effective.is_some());
    if steady == 0 {
        let faults: Vec<(FaultId, At, Option<At>)> = fold
            .faults
            .iter()
            .enumerate()
            .filter_map(|(index, fault)| Some((FaultId::at(index), fault.ordered?, fault.healed)))
            .filter(|(fault, ..)| bitten(*fault))
            .collect();
        let mut faults = faults;
        faults.sort_by_key(|(_, ordered, _)| *ordered);
        return outages_by_down(&faults, down, watched_to);
    }
    let tracks: Vec<&Track> = fold.tracks.iter().filter(|track| bitten(track.fault)).collect();
    let mut all: Vec<Outage> = (0..steady)
        .flat_map(|index| {
            outages(SteadyId::at(index), &tracks, watched_to, |ordered, from, to| between(ok, down, ordered, from, to))
        })
        .collect();
    all.sort_by_key(|outage| outage.ordered);
    all
}

/// What became of the seconds from a breach to the recovery: down, degraded, and how much throughput was kept of that of
/// the 30 s before the fault was ordered.
fn between(ok: &[(u64, u64)], down: &Down, ordered: At, from: At, to: At) -> Between {
    let window = Stretch { from, to };
    let down_for = down.downtime(window);
    let rate = |window: Stretch| {
        let seconds =
            ok.iter().filter(|(second, _)| begin_of(*second) >= window.from && begin_of(second + 1) <= window.to);
        let (count, sum) = seconds.fold((0u64, 0u64), |(count, sum), (_, ok)| (count + 1, sum + ok));
        (count > 0).then(|| sum as f64 / count as f64)
    };
    let steady = rate(Stretch { from: ordered.saturating_sub(STEADY), to: ordered }).filter(|rate| *rate > 0.0);
    // The seconds that the stretch lies in, whole.
    let whole = Stretch { from: begin_of(from.second()), to: begin_of(to.as_nanos().div_ceil(1_000_000_000)) };
    Between {
        degraded: window.span().saturating_sub(down_for),
        down: down_for,
        kept: steady.zip(rate(whole)).map(|(steady, during)| Share(during / steady)),
    }
}
