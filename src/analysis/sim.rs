//! A simulated platform under an open load, for tests: requests with their instants, counted into windows as a worker
//! does, and the events that a drill would append. What really happened is known, so figures can be held against it.

use std::collections::BTreeMap;

use crate::base::rng::{Key, Purpose};
use crate::base::units::{At, Rate, Share, Span};
use crate::plan::arrivals::Schedule;
use crate::plan::{
    About, Bound, Condition, Fault, FaultKind, Instant, Journey, JourneyId, LegId, Legs, Limits, Load, LoadId, Measure,
    Phase, Plan, Platform, ProcessId, Quantity, Scope, Series, SeriesId, Spacing, Stage, StageKind, SteadyState, Step,
    StepId, Target, Timing, VERSION,
};
use crate::record::{
    Against, BadKind, Book, Cell, EndReason, Entry, Event, FaultEvent, GeneratorHealth, HostFacts, Item, UnsentKind,
    VisitCell, Window,
};

/// How the platform is hurt in a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Hurt {
    /// Connections are refused at once.
    Refused,
    /// Nothing is answered until it ends; then all is, as fast as it can.
    Frozen,
    /// The same for every second request.
    HalfFrozen,
    /// What comes is lost: it times out, even after the end.
    Dead,
    /// Everything is answered with an intended status of shedding.
    Shedding,
}

#[derive(Debug, Clone)]
pub(crate) struct Sim {
    pub(crate) seed: u64,
    pub(crate) rate: f64,
    pub(crate) spacing: Spacing,
    pub(crate) seconds: u64,
    pub(crate) hurts: Vec<(Hurt, f64, f64)>,
    /// When the fault is ordered and healed, in seconds; it bites 20 ms after its order.
    pub(crate) fault: Option<(f64, f64)>,
    /// Whether it bites.
    pub(crate) bites: bool,
    /// Share of stray errors.
    pub(crate) stray: f64,
    /// Whether p90 ≤ 800 ms is in the steady state beside availability ≥ 99 %.
    pub(crate) latency: bool,
    pub(crate) hold: u64,
    pub(crate) timeout: f64,
    pub(crate) within: Option<Span>,
    pub(crate) shed: Option<Share>,
    pub(crate) targets: Vec<Target>,
    pub(crate) phases: Vec<(f64, f64)>,
    /// Typical service time, in seconds.
    pub(crate) service: f64,
    /// Arrivals of each worker released so much late, from and to, in seconds.
    pub(crate) lag: Option<(f64, f64, f64)>,
    /// Every n-th arrival is not sent, by the generator's own fault.
    pub(crate) drop_every: Option<u64>,
}

impl Default for Sim {
    fn default() -> Sim {
        Sim {
            seed: 1,
            rate: 60.0,
            spacing: Spacing::Even,
            seconds: 90,
            hurts: Vec::new(),
            fault: None,
            bites: true,
            stray: 0.0,
            latency: true,
            hold: 10,
            timeout: 5.0,
            within: None,
            shed: None,
            targets: Vec::new(),
            phases: Vec::new(),
            service: 0.02,
            lag: None,
            drop_every: None,
        }
    }
}

pub(crate) struct Run {
    pub(crate) plan: Plan,
    pub(crate) items: Vec<Item>,
    /// When the last request that the hurts delayed was done, in seconds.
    pub(crate) clear: f64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) planned: f64,
    pub(crate) released: f64,
    pub(crate) sent: f64,
    pub(crate) done: f64,
    pub(crate) outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Outcome {
    Ok,
    Shed,
    Bad(BadKind),
    Unsent(UnsentKind),
}

const CREWS: u16 = 2;
/// No request of a simulation takes longer, in seconds.
const LONGEST: f64 = 40.0;

pub(crate) fn at(seconds: f64) -> At {
    At((seconds * 1e9).round() as u64)
}

pub(crate) fn condition(measure: Measure, scope: Scope, bound: Bound) -> Condition {
    Condition { measure, scope, phase: None, over: None, timing: Timing::Response, bound }
}

pub(crate) fn target(measure: Measure, scope: Scope, bound: Bound) -> Target {
    Target {
        name: measure.to_string(),
        title: Default::default(),
        condition: condition(measure, scope, bound),
        severity: None,
    }
}

pub(crate) fn seconds(count: u64) -> Quantity {
    Quantity::Span(Span::seconds(count))
}

pub(crate) fn share(part: f64) -> Quantity {
    Quantity::Share(Share(part))
}

pub(crate) fn entry(at: At, event: Event) -> Entry {
    Entry { at, preparing: false, event }
}

impl Sim {
    pub(crate) fn plan(&self) -> Plan {
        let over = Some(Span::seconds(5));
        let step = Scope::Step(StepId(0));
        let mut must =
            vec![Condition { over, ..condition(Measure::Availability, Scope::All, Bound::AtLeast(share(0.99))) }];
        if self.latency {
            let bound = Bound::AtMost(Quantity::Span(Span::millis(800)));
            must.push(Condition { over, ..condition(Measure::Percentile(0.9), step, bound) });
        }
        let fault = self.fault.map(|(ordered, healed)| Fault {
            name: "lose".into(),
            title: Default::default(),
            kind: FaultKind::Kill { processes: vec![ProcessId(0)] },
            at: Instant::At(at(ordered)),
            of: None,
            end: crate::plan::End::For(Span::from_seconds_f64(healed - ordered)),
            spared: false,
        });
        let phases = self.phases.iter().enumerate().map(|(index, &(from, to))| Phase {
            name: format!("phase {index}"),
            title: Default::default(),
            from: at(from),
            to: at(to),
        });
        let hold = StageKind::Hold { rate: Rate::per_second(self.rate), span: Span::seconds(self.seconds) };
        Plan {
            version: VERSION,
            about: About { name: "simulated".into(), ..About::default() },
            seed: self.seed,
            profile: None,
            vars: BTreeMap::new(),
            platform: Platform::default(),
            prepare: Vec::new(),
            cleanup: Vec::new(),
            feeds: Vec::new(),
            figures: Vec::new(),
            steps: vec![Step {
                name: "order".into(),
                title: Default::default(),
                group: false,
                within: self.within,
                bounds: if self.latency { vec![Span::millis(800)] } else { Vec::new() },
            }],
            journeys: vec![Journey {
                name: "buy".into(),
                title: Default::default(),
                cookies: false,
                actions: Vec::new(),
            }],
            loads: vec![Load {
                name: "shoppers".into(),
                title: Default::default(),
                mix: vec![(JourneyId(0), 1.0)],
                spacing: self.spacing,
                start: At::START,
                stages: vec![Stage { kind: hold, phase: None }],
                replay: None,
                search: None,
                users: None,
            }],
            series: vec![Series { load: LoadId(0), journey: JourneyId(0), step: StepId(0) }],
            phases: phases.collect(),
            faults: fault.into_iter().collect(),
            actions: Vec::new(),
            steady_states: vec![SteadyState {
                name: "ordering".into(),
                title: Default::default(),
                hold: Span::seconds(self.hold),
                must,
            }],
            aborts: Vec::new(),
            targets: self.targets.clone(),
            limits: Limits {
                patience: Span::seconds(5),
                shed: self.shed,
                down_below: Share(0.5),
                drain: Span::seconds(30),
                lag: Span::millis(10),
            },
            end: Span::seconds(self.seconds),
            rehearsal: None,
            unjudged: Vec::new(),
            production: None,
        }
    }

    /// A first-come-first-served platform with three times the capacity that it needs.
    fn requests(&self, plan: &Plan) -> (Vec<Request>, f64) {
        let schedule = Schedule::new(&plan.loads[0], self.seed, LoadId(0));
        let each = 1.0 / (self.rate * 3.0);
        let mut free = 0.0f64;
        let mut clear = 0.0f64;
        let mut requests = Vec::new();
        for (k, planned) in schedule.cursor(0, 1) {
            let planned = planned.as_seconds_f64();
            let mut stream = Key::new(self.seed, 9, k).stream(Purpose::Resample(0), 0);
            let lag = self.lag.filter(|(_, from, to)| (*from..*to).contains(&planned)).map_or(0.0, |(lag, ..)| lag);
            let released = planned + lag;
            let hurt = self.hurts.iter().copied().find(|(_, from, to)| released >= *from && released < *to);
            // Uniform in ±50 %, one in a hundred three times as long.
            let mut service = self.service * (0.5 + stream.unit());
            if stream.below(100) == 0 {
                service *= 3.0;
            }
            let stray = stream.unit() < self.stray;
            let mut push =
                |done: f64, outcome| requests.push(Request { planned, released, sent: released, done, outcome });
            if self.drop_every.is_some_and(|every| k % every == 0) {
                push(released, Outcome::Unsent(UnsentKind::PoolSmall));
                continue;
            }
            let timed_out = released + self.timeout;
            let frozen = match hurt {
                Some((Hurt::Refused, ..)) => {
                    push(released + 0.001, Outcome::Bad(BadKind::Connect));
                    continue;
                }
                Some((Hurt::Dead, ..)) => {
                    push(timed_out, Outcome::Bad(BadKind::Timeout));
                    continue;
                }
                Some((Hurt::Shedding, ..)) => {
                    push(released + 0.001, Outcome::Shed);
                    continue;
                }
                Some((Hurt::Frozen, _, to)) => Some(to),
                Some((Hurt::HalfFrozen, _, to)) if k % 2 == 0 => Some(to),
                Some((Hurt::HalfFrozen, ..)) | None => None,
            };
            let begin = match frozen {
                Some(to) => free.max(to),
                None if hurt.is_some() => released,
                None => free.max(released),
            };
            if begin >= timed_out {
                push(timed_out, Outcome::Bad(BadKind::Timeout));
                continue;
            }
            if begin > released {
                clear = clear.max(begin + service);
            }
            // What was in hand when the freeze came is held up, too.
            let mut done = begin + each + service;
            for (hurt, from, to) in &self.hurts {
                let held = *hurt == Hurt::Frozen || *hurt == Hurt::HalfFrozen && k % 2 == 0;
                if held && begin < *from && done > *from {
                    done += to - from;
                }
            }
            if hurt.is_none() || frozen.is_some() {
                free = begin + each;
            }
            let outcome = match (stray, self.within) {
                _ if done > timed_out => Outcome::Bad(BadKind::Timeout),
                (true, _) => Outcome::Bad(BadKind::Status),
                (_, Some(within)) if done - planned > within.as_seconds_f64() => Outcome::Bad(BadKind::Slow),
                _ => Outcome::Ok,
            };
            push(done.min(timed_out), outcome);
        }
        (requests, clear)
    }

    pub(crate) fn run(&self) -> Run {
        let (requests, clear) = self.requests(&self.plan());
        self.run_of(requests, clear)
    }

    /// Requests made elsewhere, in the order of their planned instants.
    pub(crate) fn run_of(&self, requests: Vec<Request>, clear: f64) -> Run {
        let plan = self.plan();
        let mut timed: Vec<(At, Item)> =
            self.events().into_iter().map(|entry| (entry.at, Item::Entry(entry))).collect();
        let last = self.seconds + 10;
        for second in 0..last {
            let close = Span::seconds(second + 1).as_nanos();
            for crew in 0..CREWS {
                let window = window(&plan, &requests, crew, second);
                timed.push((At(close + 50_000_000 + u64::from(crew)), Item::Window(window)));
            }
            let closed = entry(At(close + 60_000_000), Event::SecondClosed { second, missing: Vec::new() });
            timed.push((closed.at, Item::Entry(closed)));
        }
        timed.push((At::MAX, Item::Entry(entry(at(last as f64 + 1.0), Event::Ended { reason: EndReason::Finished }))));
        timed.sort_by_key(|(at, _)| *at);
        Run { plan, items: timed.into_iter().map(|(_, item)| item).collect(), clear }
    }

    fn events(&self) -> Vec<Entry> {
        let opened = Event::Opened {
            version: 1,
            run: "simulated".into(),
            program: "peakdrill".into(),
            wall: 1_795_470_300_000_000_000,
            host: HostFacts::default(),
        };
        let mut events = vec![entry(At::START, opened), entry(At::START, Event::LoadBegan)];
        events.push(entry(at(self.seconds as f64), Event::LoadEnded));
        if let Some((ordered, healed)) = self.fault {
            let mut push = |seconds: f64, what| {
                events.push(entry(at(seconds), Event::Fault { fault: crate::plan::FaultId(0), what }));
            };
            push(ordered, FaultEvent::Ordered);
            if self.bites {
                push(ordered + 0.02, FaultEvent::Effective { proof: Vec::new() });
                push(healed, FaultEvent::Healed { proof: Vec::new() });
            } else {
                push(ordered + 1.0, FaultEvent::NotEffective { why: vec![crate::record::Sight::NoTarget] });
            }
        }
        events
    }
}

/// What worker `crew` hands over for `second`.
fn window(plan: &Plan, requests: &[Request], crew: u16, second: u64) -> Window {
    let patience = plan.steps[0].within.unwrap_or(plan.limits.patience).as_seconds_f64();
    let bounds = &plan.steps[0].bounds;
    let (from, to) = (second as f64, second as f64 + 1.0);
    let mut seconds = cell(Book::Seconds, bounds.len());
    let mut legs: BTreeMap<LegId, (Cell, VisitCell)> = BTreeMap::new();
    let mut health = GeneratorHealth { cpu: Span::millis(100), ..GeneratorHealth::default() };
    let within = |instant: f64| instant >= from && instant < to;
    // In the order of their planned instants; none is looked at again when all before it are done.
    let first = requests.partition_point(|request| request.planned < from - LONGEST);
    let until = requests.partition_point(|request| request.planned < to);
    for (k, request) in requests.iter().enumerate().take(until).skip(first) {
        if k % usize::from(CREWS) != usize::from(crew) {
            continue;
        }
        let planned = at(request.planned);
        let response = Span::from_seconds_f64(request.done - request.planned);
        let settled = request.done.min(request.planned + patience);
        if within(settled) {
            let late = request.done > request.planned + patience;
            match if late { Outcome::Bad(BadKind::Late) } else { request.outcome } {
                Outcome::Ok => {
                    seconds.counts.ok += 1;
                    seconds.response.record(response);
                    for (bound, slower) in bounds.iter().zip(&mut seconds.slower) {
                        if response > *bound {
                            slower.add(planned);
                        }
                    }
                }
                Outcome::Shed => {
                    seconds.counts.shed += 1;
                    seconds.shedding.add(planned);
                }
                Outcome::Bad(kind) => {
                    seconds.counts.add_bad(kind, 1);
                    seconds.against.add(planned);
                }
                Outcome::Unsent(kind) => seconds.counts.add_unsent(kind, 1),
            }
        } else if settled >= to {
            seconds.waiting += 1;
            seconds.oldest_waiting = Some(seconds.oldest_waiting.map_or(planned, |oldest: At| oldest.min(planned)));
        }
        if within(request.planned) {
            health.planned += 1;
        }
        if within(request.released) && !matches!(request.outcome, Outcome::Unsent(_)) {
            health.released += 1;
            health.lag.record(Span::from_seconds_f64(request.released - request.planned));
            health.late += u64::from(request.released - request.planned > plan.limits.lag.as_seconds_f64());
        }
        if within(request.done) {
            let leg = Legs::of(&plan.phases).at(planned);
            let fresh = || (cell(Book::Leg(leg), 0), visit(leg));
            let (cell, visit) = legs.entry(leg).or_insert_with(fresh);
            visit.started += 1;
            match request.outcome {
                Outcome::Ok => {
                    cell.counts.ok += 1;
                    cell.response.record(response);
                    cell.service.record(Span::from_seconds_f64(request.done - request.sent));
                    cell.unlagged.record(Span::from_seconds_f64(request.done - request.released));
                    visit.ok += 1;
                    visit.own_time.record(response);
                }
                Outcome::Shed => {
                    cell.counts.shed += 1;
                    visit.shed += 1;
                }
                Outcome::Bad(kind) => cell.counts.add_bad(kind, 1),
                Outcome::Unsent(kind) => cell.counts.add_unsent(kind, 1),
            }
            visit.failed = visit.started - visit.ok - visit.shed;
        }
    }
    let (mut cells, mut visits) = (vec![seconds], Vec::new());
    for (cell, visit) in legs.into_values() {
        cells.push(cell);
        visits.push(visit);
    }
    Window { second, crew, cells, visits, figures: Vec::new(), health, users: Vec::new() }
}

fn cell(book: Book, bounds: usize) -> Cell {
    Cell {
        series: SeriesId(0),
        book,
        counts: Default::default(),
        waiting: 0,
        oldest_waiting: None,
        against: Against::default(),
        shedding: Against::default(),
        slower: vec![Against::default(); bounds],
        response: Default::default(),
        service: Default::default(),
        unlagged: Default::default(),
    }
}

fn visit(leg: LegId) -> VisitCell {
    VisitCell {
        load: LoadId(0),
        journey: JourneyId(0),
        leg,
        started: 0,
        ok: 0,
        failed: 0,
        shed: 0,
        own_time: Default::default(),
    }
}

impl Run {
    pub(crate) fn analysis(&self) -> super::Analysis {
        super::analyse(&self.plan, self.items.iter().cloned().map(Ok)).expect("nothing is read")
    }
}
