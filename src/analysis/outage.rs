//! Outages: faults whose times from ordered to recovered overlap.

use super::down::Down;
use super::recovery::{Between, Track, times};
use super::{Outage, Stretch};
use crate::base::units::At;
use crate::plan::{FaultId, SteadyId};

/// The outages of one steady state. `tracks` are those of faults that bit.
pub(super) fn outages(
    steady: SteadyId,
    tracks: &[&Track],
    watched_to: At,
    between: impl Fn(At, At, At) -> Between,
) -> Vec<Outage> {
    let mut sorted: Vec<&Track> = tracks.iter().copied().filter(|track| track.steady == steady).collect();
    sorted.sort_by_key(|track| track.ordered);
    let mut groups: Vec<Group> = Vec::new();
    for track in sorted {
        match groups.last_mut() {
            Some(group) if track.ordered < group.to => group.add(track),
            _ => groups.push(Group::of(track)),
        }
    }
    groups
        .into_iter()
        .filter(|group| group.breach.is_some())
        .map(|group| {
            let (time, since_ordered) = times(group.ordered, group.breach, group.recovered, watched_to);
            let breach = group.breach.unwrap_or(group.ordered);
            let between = between(group.ordered, breach, group.recovered.unwrap_or(watched_to));
            Outage {
                to: Some(steady),
                faults: group.faults,
                ordered: group.ordered,
                breach: group.breach,
                recovered: group.recovered,
                time,
                since_ordered,
                degraded: between.degraded,
                down: between.down,
                kept: between.kept,
            }
        })
        .collect()
}

struct Group {
    faults: Vec<FaultId>,
    ordered: At,
    to: At,
    breach: Option<At>,
    /// Of those with a breach; none while one of them is broken.
    recovered: Option<At>,
}

impl Group {
    fn of(track: &Track) -> Group {
        Group {
            faults: vec![track.fault],
            ordered: track.ordered,
            to: track.end().unwrap_or(At::MAX),
            breach: track.breach,
            recovered: track.recovered,
        }
    }

    fn add(&mut self, track: &Track) {
        self.faults.push(track.fault);
        self.to = self.to.max(track.end().unwrap_or(At::MAX));
        match (self.breach, track.breach) {
            (_, None) => {}
            (None, Some(_)) => (self.breach, self.recovered) = (track.breach, track.recovered),
            (Some(ours), Some(theirs)) => {
                self.breach = Some(ours.min(theirs));
                self.recovered = self.recovered.zip(track.recovered).map(|(a, b)| a.max(b));
            }
        }
    }
}

/// The outages of a plan without steady states: from a fault's order to its healing and the end of the down windows that
/// go on beyond it. None for a fault in whose time nothing was down.
pub(super) fn outages_by_down(faults: &[(FaultId, At, Option<At>)], down: &Down, watched_to: At) -> Vec<Outage> {
    let mut outages: Vec<Outage> = Vec::new();
    for &(fault, ordered, healed) in faults {
        let until = healed.unwrap_or(watched_to);
        let window = Stretch { from: ordered, to: until.max(At(ordered.as_nanos() + 1)) };
        let hit: Vec<Stretch> = down.stretches().filter(|stretch| stretch.overlaps(window)).collect();
        let (Some(first), Some(last)) = (hit.first(), hit.last()) else { continue };
        let end = last.to.max(until);
        let recovered = (healed.is_some() && last.to < watched_to).then_some(end);
        match outages.last_mut() {
            Some(outage) if outage.recovered.is_none_or(|over| ordered < over) => {
                outage.faults.push(fault);
                outage.recovered = outage.recovered.zip(recovered).map(|(a, b)| a.max(b));
            }
            _ => outages.push(Outage {
                to: None,
                faults: vec![fault],
                ordered,
                breach: Some(first.from.max(ordered)),
                recovered,
                time: None,
                since_ordered: None,
                degraded: crate::base::units::Span::ZERO,
                down: down.downtime(Stretch { from: ordered, to: end }),
                kept: None,
            }),
        }
    }
    for outage in &mut outages {
        (_, outage.since_ordered) = times(outage.ordered, outage.breach, outage.recovered, watched_to);
    }
    outages
}

/// From ordered to recovered, or on to the end.
pub(super) fn stretch(outage: &Outage) -> Stretch {
    Stretch { from: outage.ordered, to: outage.recovered.unwrap_or(At::MAX) }
}
