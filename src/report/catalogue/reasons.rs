use super::Words;
use crate::analysis::{Detail, Figure, Gap, SearchEnd, Stretch};
use crate::base::units::{At, Lang, Span};
use crate::plan::{
    Basis, Bound, Condition, FaultId, Measure, Miss, Plan, Quantity, Scope, SteadyId, Timing, TrialEnd, Unfit, WatchId,
    Watched,
};
use crate::record::{BadKind, EndReason, Lack, UnsentKind};
use crate::verdict::{Cause, Doubt, Judgement, Outcome, Reason, Verdict};

/// Data of verdicts as sentences.
impl Words {
    pub(crate) fn verdict(self, verdict: Verdict) -> String {
        match verdict {
            Verdict::Pass => self.pass(),
            Verdict::Fail => self.fail(),
            Verdict::Inconclusive => self.inconclusive(),
        }
    }

    /// How many targets were met, in one clause.
    pub(crate) fn tally(self, outcome: &Outcome) -> String {
        let count = |verdict| outcome.targets.iter().filter(|target| target.verdict == verdict).count() as u64;
        let targets = self.n_targets(outcome.targets.len() as u64);
        match (outcome.targets.len(), count(Verdict::Fail), count(Verdict::Inconclusive)) {
            (0, _, _) => self.no_targets(),
            (_, 0, 0) => self.all_met(targets),
            (_, 0, open) => self.some_open(open, targets),
            (_, missed, 0) => self.some_missed(missed, targets),
            (_, missed, open) => self.some_missed_and_open(missed, open, targets),
        }
    }

    pub(crate) fn cause(self, plan: &Plan, cause: &Cause) -> String {
        match cause {
            Cause::NoTraffic => self.cause_no_traffic(),
            Cause::FaultNotOrdered { fault } => self.cause_not_ordered(self.fault(plan, *fault)),
            Cause::FaultNotEffective { fault, because } => {
                self.cause_not_effective(self.fault(plan, *fault), self.sights(plan, because))
            }
            Cause::FaultNotHealed { fault, because } => {
                self.cause_not_healed(self.fault(plan, *fault), self.sights(plan, because))
            }
            Cause::NotSteady { steady } => self.cause_not_steady(self.steady(plan, *steady)),
            Cause::Ended { reason } => self.end_reason(*reason),
            Cause::BrokenOff => self.cause_broken_off(),
            Cause::Aborted { abort } => {
                let abort = plan.aborts.get(abort.index());
                self.cause_aborted(abort.map_or_else(String::new, |abort| self.title(&abort.title, &abort.name)))
            }
            Cause::Interrupted => self.cause_interrupted(),
            Cause::Residue => self.cause_residue(),
            Cause::GeneratorSaturated { doubts } => self.cause_generator(self.doubts(doubts)),
            Cause::PartAlone { part, of } => self.cause_part_alone(*part, *of),
            Cause::PartLacking { part, of, what } => self.lack(*part, *of, what),
        }
    }

    /// What a whole lacks of one of its parts.
    pub(crate) fn lack(self, part: u16, of: u16, what: &Lack) -> String {
        let part = self.part_of(part, of);
        match what {
            Lack::Missing => self.lack_missing(part),
            Lack::OtherStart { run } => self.lack_other_start(part, run),
            Lack::OtherSeed { run, seed } => self.lack_other_seed(part, run, seed),
            Lack::Late { by } => self.lack_of(part, self.ended_late(self.span(*by))),
            Lack::BrokenOff => self.lack_of(part, self.cause_broken_off()),
            Lack::Ended { reason } => self.lack_of(part, self.end_reason(*reason)),
        }
    }

    pub(crate) fn end_reason(self, reason: EndReason) -> String {
        match reason {
            EndReason::Finished => self.ended_finished(),
            EndReason::Aborted => self.ended_aborted(),
            EndReason::Interrupted => self.ended_interrupted(),
            EndReason::NotSteady => self.ended_not_steady(),
            EndReason::NotPrepared => self.ended_not_prepared(),
            EndReason::RecordLost => self.ended_record_lost(),
            EndReason::HarnessFailed => self.ended_harness_failed(),
            EndReason::Late { by } => self.ended_late(self.span(by)),
        }
    }

    /// Why a target ended as it did; empty where figure and bound say all.
    pub(crate) fn reason(self, plan: &Plan, judgement: &Judgement) -> String {
        match &judgement.reason {
            Reason::Met => String::new(),
            Reason::Missed => match judgement.margin {
                Some(margin) if margin <= -10.0 => self.reason_missed_times(self.number(-margin)),
                Some(margin) if margin < 0.0 => self.reason_missed(self.ratio(-margin)),
                _ => self.reason_missed_plain(),
            },
            Reason::Failed => match plan.targets.get(judgement.target.index()).map(|target| target.condition.measure) {
                Some(Measure::ActionTime) => self.reason_not_done(),
                _ => self.reason_failed(),
            },
            Reason::NoFigure(gap) => self.gap(plan, gap),
            Reason::Generator { doubts } => self.reason_generator(self.doubts(doubts)),
            Reason::NotReached { count } => self.reason_not_reached(self.n_requests(*count)),
            Reason::NotOver => self.reason_not_over(),
            Reason::SearchOpen { end } => self.reason_search_open(self.search_end(*end)),
            Reason::DataMissing { missing } => {
                let mut seconds: Vec<String> = missing.iter().take(5).map(|one| one.second.to_string()).collect();
                seconds.dedup();
                let more = if missing.len() > 5 { " …" } else { "" };
                self.reason_data_missing(self.n_windows(missing.len() as u64), seconds.join(", ") + more)
            }
            Reason::CutShort => self.reason_cut_short(),
        }
    }

    fn gap(self, plan: &Plan, gap: &Gap) -> String {
        match gap {
            Gap::NoData => self.reason_no_data(),
            Gap::TooFew { have, need } => self.reason_too_few(self.n_samples(*have), self.count(*need)),
            Gap::FaultNotOrdered => self.reason_fault_not_ordered(),
            Gap::FaultNotEffective { seen } => self.reason_fault_not_effective(self.sights(plan, seen)),
            Gap::NotDetected => self.reason_not_detected(),
            Gap::ActionNotBegun => self.reason_action_not_begun(),
            Gap::Unseen { window } => {
                self.reason_unseen(self.second(window.from.second()), self.second(window.to.second()))
            }
            Gap::NotWatched { watch } => self.reason_not_watched(self.watch(plan, *watch)),
            Gap::NotScraped { watch, at, because } => {
                self.reason_not_scraped(self.watch(plan, *watch), self.at(*at), because)
            }
            Gap::NotOnPage { of, at } => self.reason_not_on_page(self.watched(plan, *of), self.at(*at)),
            Gap::Reset { of, at } => self.reason_reset(self.watched(plan, *of), self.at(*at)),
            Gap::OfNothing { to } => self.reason_of_nothing(self.watched(plan, *to)),
        }
    }

    pub(crate) fn search_end(self, end: SearchEnd) -> String {
        match end {
            SearchEnd::Found => self.end_found(),
            SearchEnd::NoneFailed => self.end_none_failed(),
            SearchEnd::NoneHeld => self.end_none_held(),
            SearchEnd::Generator => self.end_generator(),
            SearchEnd::NotRecovered => self.end_not_recovered(),
            SearchEnd::Stopped => self.end_stopped(),
        }
    }

    /// How a trial of this search came out.
    pub(crate) fn trial_end(self, plan: &Plan, must: &[Condition], end: &TrialEnd) -> String {
        match end {
            TrialEnd::Held => self.trial_held(),
            TrialEnd::Failed { missed } => self.trial_failed(self.missed(plan, must, missed)),
            TrialEnd::None { why } => self.trial_none(match why {
                Unfit::Late { share } => self.unfit_late(self.share(*share)),
                Unfit::Busy { share } => self.unfit_busy(self.share(*share)),
                Unfit::Unsent { share } => self.unfit_unsent(self.share(*share)),
                Unfit::Missing => self.unfit_missing(),
                Unfit::TooFew { obligation } => {
                    let condition = must.get(*obligation as usize);
                    self.unfit_few(condition.map_or_else(String::new, |condition| self.subject(plan, condition)))
                }
            }),
        }
    }

    pub(crate) fn missed(self, plan: &Plan, must: &[Condition], missed: &[Miss]) -> String {
        let of = |miss: &Miss| {
            let condition = must.get(miss.obligation as usize)?;
            let figure = miss.figure.map_or_else(
                || self.failed_figure(),
                |figure| self.figure(Figure::Exactly(figure), Some(condition.bound)),
            );
            let bound = self.objective(&condition.measure, condition.bound);
            Some(self.missed_figure(self.subject(plan, condition), figure, bound))
        };
        missed.iter().filter_map(of).collect::<Vec<_>>().join(&self.clause())
    }

    pub(crate) fn doubts(self, doubts: &[Doubt]) -> String {
        let said: Vec<String> = doubts
            .iter()
            .map(|doubt| match doubt {
                Doubt::Lag { unlagged: Some(figure) } => self.doubt_lag(self.figure(*figure, None)),
                Doubt::Lag { unlagged: None } => self.doubt_lag_unknown(),
                Doubt::Late { share, window } => self.doubt_late(
                    self.share(*share),
                    self.second(window.from.second()),
                    self.second(window.to.second()),
                ),
                Doubt::Cpu { share } => self.doubt_cpu(self.share(*share)),
                Doubt::Unsent { share } => self.doubt_unsent(self.share(*share)),
            })
            .collect();
        said.join(&self.clause())
    }

    /// A figure, with as many digits as its bound asks for.
    pub(crate) fn figure(self, figure: Figure, bound: Option<Bound>) -> String {
        let against = |quantity| match bound {
            Some(Bound::AtMost(one) | Bound::AtLeast(one) | Bound::Above(one) | Bound::Below(one)) => {
                self.beside(quantity, one)
            }
            Some(Bound::Between(least, most)) => {
                let nearer = |to: Quantity| (quantity.as_f64() - to.as_f64()).abs();
                self.beside(quantity, if nearer(least) < nearer(most) { least } else { most })
            }
            None => self.quantity(quantity),
        };
        match figure {
            Figure::Exactly(quantity) => against(quantity),
            Figure::Failed => self.failed_figure(),
            // Of a rate that held, no more than that is known; what had not ended lasted for longer.
            Figure::MoreThan(quantity @ Quantity::Rate(_)) => self.at_least(against(quantity)),
            Figure::MoreThan(quantity) => self.more_than(against(quantity)),
            Figure::LessThan(quantity) => self.less_than(against(quantity)),
        }
    }

    /// `+18 %` on the good side, `−3.1 %` on the bad one.
    pub(crate) fn margin(self, margin: Option<f64>) -> String {
        match margin {
            Some(margin) if margin.is_finite() => {
                format!("{}{}", if margin < 0.0 { "−" } else { "+" }, self.ratio(margin.abs()))
            }
            _ => "–".to_owned(),
        }
    }

    fn ratio(self, ratio: f64) -> String {
        if ratio >= 10.0 {
            return format!("{}×", self.number(ratio));
        }
        format!("{} %", self.number((ratio * 100.0 * 1e6).round() / 1e6))
    }

    /// What stands beside a figure, in one clause; empty where nothing does.
    pub(crate) fn detail(self, plan: &Plan, judgement: &Judgement) -> String {
        let mut said = Vec::new();
        match &judgement.detail {
            Detail::None => {}
            Detail::Recovery { outage: None } if judgement.figure.is_some() => {
                let to = plan.targets.get(judgement.target.index()).map(|target| target.condition.measure);
                if let Some(Measure::RecoveryTime { to } | Measure::DegradedTime { to }) = to {
                    said.push(self.fault_no_breach(self.steady(plan, to)));
                }
            }
            Detail::Recovery { .. } => {}
            // The search has a section of its own.
            Detail::Search { end, .. } => said.push(self.search_end(*end)),
            Detail::FaultRate { basis, downtime, per_month, under_load, at_most, unrecovered, stray } => {
                match basis {
                    Basis::Outages => {
                        said.push(self.detail_outages(self.span(*downtime), self.per_month(*per_month)));
                    }
                    Basis::Time => said.push(self.detail_time(self.span(*downtime), self.span(*under_load))),
                }
                said.extend(at_most.map(|share| self.detail_at_most(self.share(share))));
                said.extend(unrecovered.then(|| self.detail_unrecovered()));
                if *stray > Span::ZERO && *basis == Basis::Outages {
                    said.push(self.detail_stray(self.span(*stray)));
                }
            }
            Detail::Budget { bad, budget, .. } => {
                said.push(self.detail_budget(self.count(*bad), self.number(*budget)));
            }
            Detail::Apdex { satisfied, tolerating, frustrated } => {
                said.push(self.detail_apdex(self.count(*satisfied), self.count(*tolerating), self.count(*frustrated)));
            }
        }
        if judgement.faults.len() > 1 {
            let names: Vec<String> = judgement.faults.iter().map(|fault| self.fault(plan, *fault)).collect();
            said.push(self.detail_shared(self.list(&names)));
        }
        if let Some(interval) = judgement.interval {
            said.push(self.interval(self.figure(interval.low, None), self.figure(interval.high, None)));
        }
        said.join(&self.clause())
    }

    fn per_month(self, per_month: f64) -> String {
        if per_month == 1.0 {
            return self.n_times(1);
        }
        match self.lang() {
            Lang::En => format!("{} times", self.number(per_month)),
            Lang::Zh => format!("{} 次", self.number(per_month)),
        }
    }

    pub(crate) fn measure(self, plan: &Plan, measure: &Measure, timing: Timing) -> String {
        match measure {
            Measure::Percentile(_) if timing == Timing::Service => self.measure_percentile_service(measure),
            Measure::Percentile(_) => self.measure_percentile(measure),
            Measure::Max => self.measure_max(),
            Measure::Mean => self.measure_mean(),
            Measure::Availability => self.measure_availability(),
            Measure::Shed => self.measure_shed(),
            Measure::Throughput => self.measure_throughput(),
            Measure::Unsent => self.measure_unsent(),
            Measure::NotReached => self.measure_not_reached(),
            Measure::Downtime => self.measure_downtime(),
            Measure::FaultRate { basis: Basis::Outages, .. } => self.measure_fault_rate_outages(),
            Measure::FaultRate { basis: Basis::Time, .. } => self.measure_fault_rate_time(),
            Measure::Apdex { satisfied } => self.measure_apdex(self.span(*satisfied)),
            Measure::BudgetLeft { objective } => self.measure_budget_left(self.share(*objective)),
            Measure::BurnRate { objective } => self.measure_burn_rate(self.share(*objective)),
            Measure::DetectionTime => self.measure_detection(),
            Measure::ActionTime => self.measure_action(),
            Measure::RecoveryTime { to } => self.measure_recovery(self.steady(plan, *to)),
            Measure::DegradedTime { to } => self.measure_degraded(self.steady(plan, *to)),
            Measure::Cpu => self.measure_cpu(),
            Measure::Memory => self.measure_memory(),
            Measure::Watched { of, .. } => self.watched(plan, *of),
            Measure::Ratio { watch, .. } => self.watch(plan, *watch),
            Measure::Capacity => self.measure_capacity(),
            Measure::Headroom => self.measure_headroom(),
        }
    }

    pub(crate) fn watch(self, plan: &Plan, watch: WatchId) -> String {
        let watch = plan.platform.watches.get(watch.index());
        watch.map_or_else(String::new, |watch| self.title(&watch.title, &watch.name))
    }

    /// The name that a platform gives its figure stays as it is.
    pub(crate) fn watched(self, plan: &Plan, of: Watched) -> String {
        plan.platform.watched(of).unwrap_or_default()
    }

    /// The bound of a measure, as people read it: CPU in cores.
    pub(crate) fn objective(self, measure: &Measure, bound: Bound) -> String {
        if !matches!(measure, Measure::Cpu) {
            return self.bound(bound);
        }
        let cores = |quantity: Quantity| self.cores(self.number(quantity.as_f64()));
        match bound {
            Bound::AtMost(most) => format!("≤ {}", cores(most)),
            Bound::AtLeast(least) => format!("≥ {}", cores(least)),
            Bound::Between(least, most) => format!("{} – {}", cores(least), cores(most)),
            Bound::Above(above) => format!("> {}", cores(above)),
            Bound::Below(below) => format!("< {}", cores(below)),
        }
    }

    /// `p99 response · place order, phase before`.
    pub(crate) fn subject(self, plan: &Plan, condition: &Condition) -> String {
        let mut subject = self.measure(plan, &condition.measure, condition.timing);
        let scope = self.scope(plan, condition.scope);
        if !scope.is_empty() {
            subject = format!("{subject} · {scope}");
        }
        match condition.phase.and_then(|id| plan.phases.get(id.index())) {
            Some(phase) => self.in_phase(subject, self.title(&phase.title, &phase.name)),
            None => subject,
        }
    }

    /// Empty for all requests.
    pub(crate) fn scope(self, plan: &Plan, scope: Scope) -> String {
        let missing = String::new;
        match scope {
            Scope::All => String::new(),
            Scope::Step(id) => plan.steps.get(id.index()).map_or_else(missing, |it| self.title(&it.title, &it.name)),
            Scope::Group(id) => {
                let group = plan.steps.get(id.index());
                group.map_or_else(missing, |it| self.group_named(self.title(&it.title, &it.name)))
            }
            Scope::Journey(id) => {
                plan.journeys.get(id.index()).map_or_else(missing, |it| self.title(&it.title, &it.name))
            }
            Scope::Load(id) => plan.loads.get(id.index()).map_or_else(missing, |it| self.title(&it.title, &it.name)),
            Scope::Process(id) => {
                plan.platform.processes.get(id.index()).map_or_else(missing, |it| self.title(&it.title, &it.name))
            }
            Scope::Endpoint(id) => {
                plan.platform.endpoints.get(id.index()).map_or_else(missing, |it| self.title(&it.title, &it.name))
            }
            Scope::Figure(id) => plan.figures.get(id.index()).map_or_else(missing, |it| it.name.clone()),
            Scope::Action(id) => {
                plan.actions.get(id.index()).map_or_else(missing, |it| self.title(&it.title, &it.name))
            }
            Scope::Fault(id) => self.fault(plan, id),
            Scope::Occurrences(id) => plan.faults.get(id.index()).map_or_else(missing, |it| it.written().to_owned()),
        }
    }

    pub(crate) fn fault(self, plan: &Plan, fault: FaultId) -> String {
        let Some(fault) = plan.faults.get(fault.index()) else { return String::new() };
        let title = self.title(&fault.title, &fault.name);
        // One of several has the title of all.
        if fault.of.is_some() && title != fault.name { self.one_of_several(title, &fault.name) } else { title }
    }

    pub(crate) fn steady(self, plan: &Plan, steady: SteadyId) -> String {
        plan.steady_states.get(steady.index()).map_or_else(String::new, |it| self.title(&it.title, &it.name))
    }

    pub(crate) fn stretch(self, stretch: Stretch) -> String {
        format!("{}–{}", self.instant(stretch.from), self.instant(stretch.to))
    }

    /// An instant: whole seconds without a fraction.
    pub(crate) fn instant(self, at: At) -> String {
        if at.as_nanos().is_multiple_of(1_000_000_000) { self.second(at.second()) } else { self.at(at) }
    }

    pub(crate) fn bad_kind(self, kind: BadKind) -> String {
        match kind {
            BadKind::Connect => self.bad_connect(),
            BadKind::Broken => self.bad_broken(),
            BadKind::Protocol => self.bad_protocol(),
            BadKind::Timeout => self.bad_timeout(),
            BadKind::Late => self.bad_late(),
            BadKind::Status => self.bad_status(),
            BadKind::Expectation => self.bad_expectation(),
            BadKind::Slow => self.bad_slow(),
            BadKind::Capture => self.bad_capture(),
            BadKind::Template => self.bad_template(),
            BadKind::ExcessShed => self.bad_excess_shed(),
            BadKind::Abandoned => self.bad_abandoned(),
            BadKind::Forbidden => self.bad_forbidden(),
            BadKind::Encoding => self.bad_encoding(),
            BadKind::Redirect => self.bad_redirect(),
        }
    }

    pub(crate) fn unsent_kind(self, kind: UnsentKind) -> String {
        match kind {
            UnsentKind::PoolFull => self.unsent_pool_full(),
            UnsentKind::PoolSmall => self.unsent_pool_small(),
            UnsentKind::Late => self.unsent_late(),
            UnsentKind::OpenFiles => self.unsent_open_files(),
            UnsentKind::Ports => self.unsent_ports(),
            UnsentKind::Memory => self.unsent_memory(),
            UnsentKind::Stopped => self.unsent_stopped(),
        }
    }
}
