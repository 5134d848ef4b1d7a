use super::Words;
use crate::base::units::Size;
use crate::plan::{LinkId, Plan, ProcessId, Scope};
use crate::record::Sight;

/// What was seen of faults, as sentences.
impl Words {
    pub(crate) fn sights(self, plan: &Plan, sights: &[Sight]) -> String {
        let said: Vec<String> = sights.iter().map(|sight| self.sight(plan, sight)).collect();
        self.list(&said)
    }

    /// A link, as people call it.
    pub(crate) fn link(self, plan: &Plan, link: LinkId) -> String {
        plan.platform.links.get(link.index()).map_or_else(String::new, |link| self.title(&link.title, &link.name))
    }

    fn sight(self, plan: &Plan, sight: &Sight) -> String {
        let name = |process: &ProcessId| self.scope(plan, Scope::Process(*process));
        match sight {
            Sight::Gone { process, members } => self.sight_gone(name(process), self.n_processes(*members)),
            Sight::Ready { process, pid } => self.sight_ready(name(process), pid),
            Sight::Crashed { process, times } => self.sight_crashed(name(process), self.n_times(*times)),
            Sight::Still { process, members } => self.sight_still(name(process), self.n_processes(*members)),
            Sight::GoesOn { process, members } => self.sight_goes_on(name(process), self.n_processes(*members)),
            Sight::Bites { link, verb } => self.sight_bites(self.link(plan, *link), verb),
            Sight::Passes { link, bites } => self.sight_passes(self.link(plan, *link), self.n_times(*bites)),
            Sight::NeverBit { link } => self.sight_never_bit(self.link(plan, *link)),
            Sight::Burns { cores } => self.sight_burns(self.cores(self.number(*cores))),
            Sight::Idle { cores } => self.sight_idle(self.cores(self.number(*cores))),
            Sight::Taken { bytes } => self.sight_taken(self.size(Size(*bytes))),
            Sight::Short { bytes } => self.sight_short(self.size(Size(*bytes))),
            Sight::Released => self.sight_released(),
            Sight::InForce => self.sight_in_force(),
            Sight::NotInForce => self.sight_not_in_force(),
            Sight::InForceAlready => self.sight_in_force_already(),
            Sight::NeverSeen => self.sight_never_seen(),
            Sight::LeftToPlatform => self.sight_left_to_platform(),
            Sight::GoneAlready { process } => self.sight_gone_already(name(process)),
            Sight::Foreign { process } => self.sight_foreign(name(process)),
            Sight::Lives { process } => self.sight_lives(name(process)),
            Sight::Moves { process } => self.sight_moves(name(process)),
            Sight::Ended { process } => self.sight_ended(name(process)),
            Sight::StaysStill { process } => self.sight_stays_still(name(process)),
            Sight::NoTarget => self.sight_no_target(),
            Sight::NoWound => self.sight_no_wound(),
            Sight::HarnessFailed => self.sight_harness_failed(),
            Sight::GivenUp => self.sight_given_up(),
            Sight::Said { text } => text.clone(),
        }
    }
}
