use super::Words;
use crate::base::units::{Flow, Share, Size, Span};
use crate::plan::{Answer, ContainerId, HostId, LinkId, Plan, ProcessId, Scope};
use crate::record::{ContainerState, Sight};

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

    /// A container, as people call it.
    pub(crate) fn container(self, plan: &Plan, id: ContainerId) -> String {
        let found = plan.platform.containers.get(id.index());
        found.map_or_else(String::new, |container| self.title(&container.title, &container.name))
    }

    /// A host, as people call it.
    pub(crate) fn host(self, plan: &Plan, id: HostId) -> String {
        plan.platform.hosts.get(id.index()).map_or_else(String::new, |host| self.title(&host.title, &host.name))
    }

    fn container_is(self, name: String, is: ContainerState) -> String {
        match is {
            ContainerState::Ended => self.sight_container_ended(name),
            ContainerState::Runs => self.sight_container_runs(name),
            ContainerState::Paused => self.sight_container_paused(name),
            ContainerState::GoesOn => self.sight_container_goes_on(name),
            ContainerState::CutOff { networks } => self.sight_container_cut_off(name, self.n_networks(networks.into())),
            ContainerState::Connected { networks } => {
                self.sight_container_connected(name, self.n_networks(networks.into()))
            }
            ContainerState::NotRunning => self.sight_container_not_running(name),
            ContainerState::PausedBefore => self.sight_container_paused_before(name),
            ContainerState::AsBefore => self.sight_container_as_before(name),
            ContainerState::StaysHurt => self.sight_container_stays_hurt(name),
            ContainerState::Unwell => self.sight_container_unwell(name),
        }
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
            Sight::Exhausted { process, files, answers } => match answers {
                Some(_) => self.sight_exhausted(name(process), self.count(*files)),
                None => self.sight_full(name(process), self.count(*files)),
            },
            Sight::StillAnswers { process } => self.sight_still_answers(name(process)),
            Sight::Relieved { process } => self.sight_relieved(name(process)),
            Sight::OutOfMemory { process, members, kills, by } => match kills {
                Some(kills) => self.sight_out_of_memory(name(process), self.n_processes(*kills), by),
                None => self.sight_starved(name(process), self.n_processes(*members), by),
            },
            Sight::LivesOn { process, by } => self.sight_lives_on(name(process), by),
            Sight::CameUp { process, ran } => self.sight_came_up(name(process), self.share(Share(*ran))),
            Sight::Skewed { process, seconds, dated } => {
                let by = self.span(Span::seconds(seconds.unsigned_abs()));
                let by = if *seconds < 0 { self.behind(by) } else { self.ahead(by) };
                match dated {
                    true => self.sight_skewed_dated(name(process), by),
                    false => self.sight_skewed(name(process), by),
                }
            }
            Sight::ClockRight { process } => self.sight_clock_right(name(process)),
            Sight::ClockStands { process } => self.sight_clock_stands(name(process)),
            Sight::NotLoaded { process, pid } => self.sight_not_loaded(name(process), pid),
            Sight::NotSkewable { process } => self.sight_not_skewable(name(process)),
            Sight::SlowDisk { process, before, write, read } => {
                let (before, write) = (Flow(*before), Flow(*write));
                match read {
                    Some(read) => self.sight_slow_disk_both(name(process), write, before, Flow(*read)),
                    None => self.sight_slow_disk(name(process), write, before),
                }
            }
            Sight::FastDisk { process, write } => self.sight_fast_disk(name(process), Flow(*write)),
            Sight::DiskNotSlowed { process, before, now } => {
                self.sight_disk_not_slowed(name(process), Flow(*before), Flow(*now))
            }
            Sight::DiskStaysSlow { process, before, now } => {
                self.sight_disk_stays_slow(name(process), Flow(*before), Flow(*now))
            }
            Sight::Bit { verb, packets } => self.sight_bit(verb, self.n_packets(*packets)),
            Sight::Lifted { packets } => self.sight_lifted(self.n_packets(*packets)),
            Sight::NothingBetween => self.sight_nothing_between(),
            Sight::CutOff { from, to } => self.sight_cut_off(name(from), name(to)),
            Sight::Reaches { from, to } => self.sight_reaches(name(from), name(to)),
            Sight::Slowed { process, verb, packets } => self.sight_slowed(name(process), verb, self.n_times(*packets)),
            Sight::NeverSlowed { process } => self.sight_never_slowed(name(process)),
            Sight::AtFullSpeed { process } => self.sight_at_full_speed(name(process)),
            Sight::Misled { process, times, answer } => {
                let (process, times) = (name(process), self.n_times(*times));
                match answer {
                    Answer::Nothing => self.sight_not_answered(process, times),
                    Answer::Missing => self.sight_name_missing(process, times),
                    Answer::Failed => self.sight_name_failed(process, times),
                    Answer::Wrong => self.sight_led_astray(process, times),
                    Answer::Late(by) => self.sight_answered_late(process, self.span(*by), times),
                }
            }
            Sight::NeverAsked { process } => self.sight_never_asked(name(process)),
            Sight::LedRight { process, times } => self.sight_led_right(name(process), self.n_times(*times)),
            Sight::StillMisled { process } => self.sight_still_misled(name(process)),
            Sight::Container { container, is } => self.container_is(self.container(plan, *container), *is),
            Sight::Burns { cores } => self.sight_burns(self.cores(self.number(*cores))),
            Sight::Idle { cores } => self.sight_idle(self.cores(self.number(*cores))),
            Sight::Taken { bytes } => self.sight_taken(self.size(Size(*bytes))),
            Sight::Short { bytes } => self.sight_short(self.size(Size(*bytes))),
            Sight::Released => self.sight_released(),
            Sight::Unheard { why } => self.sight_unheard(why),
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
