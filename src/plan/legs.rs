use std::ops::Range;

use super::{LegId, Phase};
use crate::base::units::At;

/// The drill's time, cut wherever a phase begins or ends: leg 0 lies before all of that. Phases may overlap; each is some legs
/// that follow one another, so what is counted by leg is counted once and for every phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Legs(Vec<At>);

impl Legs {
    pub fn of(phases: &[Phase]) -> Legs {
        let mut cuts: Vec<At> = phases.iter().flat_map(|phase| [phase.from, phase.to]).collect();
        cuts.sort_unstable();
        cuts.dedup();
        Legs(cuts)
    }

    pub fn count(&self) -> usize {
        self.0.len() + 1
    }

    /// The one that `at` lies in.
    #[inline]
    pub fn at(&self, at: At) -> LegId {
        LegId(self.0.partition_point(|cut| *cut <= at) as u32)
    }

    /// Those of a phase.
    pub fn within(&self, phase: &Phase) -> Range<usize> {
        self.at(phase.from).index()..self.at(phase.to).index()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::units::Text;

    proptest! {
        #[test]
        fn an_instant_is_in_a_phase_exactly_when_its_leg_is(
            phases in prop::collection::vec((0u64..40, 1u64..20), 0..6), at in 0u64..70
        ) {
            let phase = |(from, long): &(u64, u64)| {
                Phase { name: String::new(), title: Text::default(), from: At(*from), to: At(from + long) }
            };
            let phases: Vec<Phase> = phases.iter().map(phase).collect();
            let legs = Legs::of(&phases);
            let leg = legs.at(At(at)).index();
            prop_assert!(leg < legs.count());
            for phase in &phases {
                prop_assert_eq!(legs.within(phase).contains(&leg), phase.from <= At(at) && At(at) < phase.to);
            }
        }
    }
}
