//! The whole conductor on a simulated clock: crews, faults and the guardian are others in their places.

use std::borrow::Cow;
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;

use super::book::Book;
use super::cast::{Crew, Surgeon, Watchman};
use super::conductor::{Conducted, Conductor};
use super::*;
use crate::analysis::sim::{Hurt, Sim, condition, share};
use crate::analysis::{Fold, Snapshot};
use crate::base::clock::{Clock, SimClock};
use crate::base::host::Identity;
use crate::base::units::{At, Span};
use crate::fault::Seen;
use crate::load::News;
use crate::plan::{
    Abort, Bound, Condition, Due, EmergencyAction, End, Fault, FaultId, FaultKind, Instant, LoadId, Measure, ProcessId,
    Scope, Trial, Undo, Work,
};
use crate::platform::Happening;
use crate::record::{ActionEnd, Event, FaultEvent, Item, Sight, Window, Writer};

const CREWS: u16 = 2;
/// A fault on it makes the surgeon panic.
const CURSED: ProcessId = ProcessId(13);

/// What happens beside the plan.
struct Script {
    sim: Sim,
    /// When Ctrl-C is pressed.
    signals: Vec<At>,
    /// The worker that hands a second over 300 ms after its end.
    late: Option<(u16, u64)>,
    bite: Span,
    heal: Span,
    guarded_until: At,
    /// From the world's start to the drill's, in which the platform tells something.
    lead: Span,
}

struct Played {
    entries: Vec<Entry>,
    conducted: Conducted,
    orders: Vec<&'static str>,
    /// When actions were begun, as the world counts.
    begun: Vec<At>,
    ended: At,
}

impl Script {
    fn new(sim: Sim) -> Script {
        let (bite, heal) = (Span::nanos(1_234_567), Span::nanos(7_654_321));
        Script { sim, signals: Vec::new(), late: None, bite, heal, guarded_until: At::MAX, lead: Span::ZERO }
    }

    fn plan(&self) -> Plan {
        Plan { end: Span::seconds(self.sim.seconds + 5), ..self.sim.plan() }
    }

    fn play(self) -> Played {
        let plan = self.plan();
        self.play_as(plan)
    }

    fn play_as(self, plan: Plan) -> Played {
        let windows = self.sim.run().items.into_iter().filter_map(|item| match item {
            Item::Window(window) => Some(window),
            _ => None,
        });
        let windows: Vec<Window> = windows.collect();
        let (time, plan) = (SimClock::new(), Arc::new(plan));
        let clock = time.clock().restarted(At::START + self.lead);
        let folder = tempfile::tempdir().unwrap();
        let writer = Writer::create(folder.path(), "run", &plan, None, Box::new(|text| Cow::Borrowed(text))).unwrap();
        let mut heard = Ears(Vec::new());
        let mut book = Book::new(writer, Fold::new(&plan), &clock, &mut heard);
        book.begin(&clock);
        book.note(Event::LoadBegan);
        let (tell, news) = unbounded_channel();
        let orders = Arc::default();
        let crews = Hands { tell: RefCell::new(Some(tell.clone())), news, orders: Arc::clone(&orders) };
        let (press, pressed) = unbounded_channel();
        let mut signals = Signals::from(pressed);
        let (platform, mut happenings) = unbounded_channel();
        if self.lead > Span::ZERO {
            platform.send(Happening::ByHand { what: "something".to_owned() }).unwrap();
        }
        let begun: Rc<RefCell<Vec<At>>> = Rc::default();
        let (world, begins) = (time.clone(), begun.clone());
        let hand = Box::new(move |_| -> Pin<Box<dyn Future<Output = ActionEnd>>> {
            begins.borrow_mut().push(world.now());
            Box::pin(std::future::pending())
        });
        let mut guardian = Watch { clock: clock.clone(), until: self.guarded_until };
        let conductor = Conductor {
            plan: &plan,
            clock: clock.clone(),
            book: &mut book,
            actions: super::actions::Actions::new(&plan, &clock, hand),
            surgeon: Ward { clock: clock.clone(), bite: self.bite, heal: self.heal },
            happenings: &mut happenings,
            signals: &mut signals,
            guardian: &mut guardian,
            crews,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let conducted = LocalSet::new().block_on(&runtime, async {
            tokio::select! {
                conducted = conductor.conduct() => conducted,
                () = self.happen(&time, windows, tell, press) => panic!("it went on for ever"),
            }
        });
        drop(book);
        let orders = std::mem::take(&mut *orders.lock().unwrap());
        Played { entries: heard.0, conducted, orders, begun: begun.take(), ended: time.now() }
    }

    /// The world around the conductor, second by second.
    async fn happen(
        &self,
        time: &SimClock,
        windows: Vec<Window>,
        tell: UnboundedSender<News>,
        press: UnboundedSender<&'static str>,
    ) {
        for second in 0..self.sim.seconds + 10 {
            let end = At(Span::seconds(second + 1).0);
            for signal in self.signals.iter().filter(|signal| signal.second() == second) {
                time.advance_to(*signal).await;
                press.send("INT").unwrap();
            }
            for (wait, late) in [(Span::millis(50), false), (Span::millis(300), true)] {
                time.advance_to(end + wait).await;
                for window in windows.iter().filter(|window| window.second == second) {
                    if (self.late == Some((window.crew, second))) == late {
                        let window = Box::new(window.clone());
                        let _ = tell.send(News::Window { window, failures: Vec::new() });
                    }
                }
            }
            if second + 1 == self.sim.seconds {
                (0..CREWS).for_each(|crew| drop(tell.send(News::Idle { crew, abandoned: 0 })));
            }
        }
    }
}

struct Ears(Vec<Entry>);

impl Audience for Ears {
    fn entry(&mut self, entry: &Entry) {
        self.0.push(entry.clone());
    }

    fn second(&mut self, _: &Snapshot) {}
}

/// Crews without a load: they are idle as soon as they are told to drain.
struct Hands {
    tell: RefCell<Option<UnboundedSender<News>>>,
    news: UnboundedReceiver<News>,
    orders: Arc<std::sync::Mutex<Vec<&'static str>>>,
}

impl Hands {
    fn told(&self, order: &'static str) {
        self.orders.lock().unwrap().push(order);
    }
}

impl Crew for Hands {
    fn count(&self) -> u16 {
        CREWS
    }

    fn processes(&self) -> Vec<Identity> {
        Vec::new()
    }

    fn append(&self, _: LoadId, _: Trial) {
        self.told("append");
    }

    fn search_over(&self, _: LoadId) {
        self.told("over");
    }

    fn drain(&self) {
        self.told("drain");
        let tell = self.tell.borrow();
        let tell = tell.as_ref().unwrap();
        (0..CREWS).for_each(|crew| tell.send(News::Idle { crew, abandoned: 0 }).unwrap());
    }

    fn drop_load(&self) {
        self.told("drop");
    }

    fn finish(&self) {
        self.told("finish");
        self.tell.take();
    }

    async fn news(&mut self) -> Option<News> {
        // The world's own sender stays: once they are told to finish, what is there is all there is.
        if self.tell.borrow().is_none() { self.news.try_recv().ok() } else { self.news.recv().await }
    }
}

/// Faults that take exactly as long as they are said to.
#[derive(Clone)]
struct Ward {
    clock: Clock,
    bite: Span,
    heal: Span,
}

impl Surgeon for Ward {
    type Wound = ();

    async fn inject(&self, _: FaultId, fault: &Fault, _: Span) -> Result<((), Seen), Vec<Sight>> {
        if fault.kind == (FaultKind::Kill { processes: vec![CURSED] }) {
            panic!("as this test wants it");
        }
        self.clock.sleep(self.bite).await;
        Ok(((), Seen { at: self.clock.now(), proof: Vec::new() }))
    }

    fn stop(&self) {}

    async fn heal(&self, (): ()) -> Result<Seen, Vec<Sight>> {
        self.clock.sleep(self.heal).await;
        Ok(Seen { at: self.clock.now(), proof: Vec::new() })
    }

    async fn settle(&self, (): (), _: &Undo) -> Result<Seen, Vec<Sight>> {
        self.heal(()).await
    }
}

struct Watch {
    clock: Clock,
    until: At,
}

impl Watchman for Watch {
    fn is_alive(&mut self) -> bool {
        self.clock.now() < self.until
    }
}

impl Played {
    /// When each moment of a fault was, by its name.
    fn moments(&self, fault: FaultId) -> Vec<(&'static str, u64)> {
        let name = |what: &FaultEvent| match what {
            FaultEvent::Ordered => "ordered",
            FaultEvent::Effective { .. } => "effective",
            FaultEvent::NotEffective { .. } => "not effective",
            FaultEvent::HealOrdered => "heal ordered",
            FaultEvent::Healed { .. } => "healed",
            FaultEvent::NotHealed { .. } => "not healed",
        };
        let of = |entry: &Entry| match &entry.event {
            Event::Fault { fault: other, what } if *other == fault => Some((name(what), entry.at.as_nanos())),
            _ => None,
        };
        self.entries.iter().filter_map(of).collect()
    }

    fn at(&self, wanted: impl Fn(&Event) -> bool) -> Option<At> {
        self.entries.iter().find(|entry| wanted(&entry.event)).map(|entry| entry.at)
    }
}

fn at(seconds: u64) -> At {
    At(Span::seconds(seconds).0)
}

fn lasting(from: f64, to: f64) -> Sim {
    Sim { fault: Some((from, to)), ..Sim::default() }
}

#[test]
fn faults_and_the_end_come_at_their_instants_to_the_nanosecond() {
    let script = Script::new(lasting(30.0, 40.0));
    let mut plan = script.plan();
    plan.faults[0].at = Instant::At(At(30_000_000_123));
    let played = script.play_as(plan);
    let effective = 30_000_000_123 + 1_234_567;
    let heal = effective + Span::seconds(10).as_nanos();
    assert_eq!(
        played.moments(FaultId(0)),
        [("ordered", 30_000_000_123), ("effective", effective), ("heal ordered", heal), ("healed", heal + 7_654_321)]
    );
    assert_eq!(played.at(|event| matches!(event, Event::SteadyHeld { .. })), Some(At(30_000_000_123)));
    assert_eq!(played.at(|event| *event == Event::LoadEnded), Some(at(90)));
    assert!(played.at(|event| matches!(event, Event::Drained { abandoned: 0 })) >= Some(at(90)));
    assert_eq!((played.conducted.reason, played.conducted.broken), (EndReason::Finished, false));
    assert_eq!((played.ended, played.orders.as_slice()), (at(95), ["finish"].as_slice()));
    let closed: Vec<u64> = played
        .entries
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::SecondClosed { second, missing } if missing.is_empty() => Some(*second),
            _ => None,
        })
        .collect();
    assert!(closed.len() >= 90 && closed.iter().copied().eq(0..closed.len() as u64), "each once, in order: {closed:?}");
}

#[test]
fn nothing_begins_before_the_start_instant_whatever_is_told() {
    let script = Script { lead: Span::millis(100), ..Script::new(Sim::default()) };
    let mut plan = script.plan();
    plan.actions = vec![EmergencyAction {
        name: "decide".to_owned(),
        title: Default::default(),
        by: Default::default(),
        say: Default::default(),
        due: Due::At(At::START),
        work: Work::Terminal,
        within: Span::SECOND,
    }];
    let start = At::START + script.lead;
    assert_eq!(script.play_as(plan).begun, [start]);
}

#[test]
fn without_a_steady_state_no_fault_is_ordered() {
    let hurts = vec![(Hurt::Refused, 5.0, 90.0)];
    let played = Script::new(Sim { hurts, ..lasting(30.0, 40.0) }).play();
    assert_eq!(played.at(|event| matches!(event, Event::SteadyMissed { .. })), Some(at(30)));
    assert_eq!(played.moments(FaultId(0)), []);
    assert_eq!((played.conducted.reason, played.ended), (EndReason::NotSteady, at(30)));
    assert_eq!(played.orders, ["drain", "finish"]);
}

#[test]
fn an_abort_condition_heals_and_ends() {
    let hurts = vec![(Hurt::Refused, 40.0, 90.0)];
    let script = Script::new(Sim { hurts, ..lasting(30.0, 80.0) });
    let mut plan = script.plan();
    let below = condition(Measure::Availability, Scope::All, Bound::Below(share(0.5)));
    let condition = Condition { over: Some(Span::seconds(2)), ..below };
    plan.aborts = vec![Abort { name: "hopeless".into(), title: Default::default(), condition }];
    let played = script.play_as(plan);
    let aborted = played.at(|event| matches!(event, Event::Aborting { .. })).unwrap();
    assert!(aborted > at(41) && aborted < at(43), "{aborted:?}");
    let moments = played.moments(FaultId(0));
    let after = [("heal ordered", aborted.as_nanos()), ("healed", aborted.as_nanos() + 7_654_321)];
    assert_eq!(moments[2..], after);
    assert_eq!(played.conducted.reason, EndReason::Aborted);
    assert_eq!(played.ended, aborted + Span::nanos(7_654_321));
}

#[test]
fn a_second_is_not_waited_for_longer_than_a_quarter_of_the_next() {
    let script = Script { late: Some((1, 20)), ..Script::new(Sim::default()) };
    let played = script.play();
    let named = |second: u64| played.at(|event| matches!(event, Event::SecondClosed { second: s, .. } if *s == second));
    assert_eq!(named(20), Some(at(21) + Span::millis(250)));
    assert_eq!(named(21), Some(at(22) + Span::millis(50)));
    let missing: Vec<_> = played
        .entries
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::SecondClosed { second, missing } if !missing.is_empty() => Some((*second, missing.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(missing, [(20, vec![1])]);
}

#[test]
fn ctrl_c_heals_and_ends_and_a_second_one_waits_for_nothing() {
    let pressed = At(35_500_000_001);
    let once = Script { signals: vec![pressed], ..Script::new(lasting(30.0, 80.0)) }.play();
    assert_eq!(once.at(|event| matches!(event, Event::Signalled { count: 1, .. })), Some(pressed));
    assert_eq!(
        once.moments(FaultId(0))[2..],
        [("heal ordered", pressed.as_nanos()), ("healed", pressed.as_nanos() + 7_654_321)]
    );
    assert_eq!(
        (once.conducted.reason, once.orders.as_slice()),
        (EndReason::Interrupted, ["drain", "finish"].as_slice())
    );

    let again = At(36_500_000_000);
    let twice = Script { signals: vec![pressed, again], heal: Span::seconds(3600), ..Script::new(lasting(30.0, 80.0)) };
    let twice = twice.play();
    assert_eq!(twice.moments(FaultId(0))[3..], [("not healed", again.as_nanos())]);
    assert_eq!((twice.ended, twice.orders.as_slice()), (again, ["drain", "drop", "finish"].as_slice()));
}

#[test]
fn a_defect_in_one_fault_leaves_no_other_unhealed() {
    let script = Script::new(lasting(30.0, 80.0));
    let mut plan = script.plan();
    let mut cursed = plan.faults[0].clone();
    (cursed.name, cursed.kind) = ("cursed".into(), FaultKind::Kill { processes: vec![CURSED] });
    cursed.at = Instant::At(at(35));
    plan.faults.push(cursed);
    let played = script.play_as(plan);
    assert_eq!(played.moments(FaultId(1)), [("ordered", at(35).as_nanos()), ("not healed", at(35).as_nanos())]);
    assert_eq!(
        played.moments(FaultId(0))[2..],
        [("heal ordered", at(35).as_nanos()), ("healed", at(35).as_nanos() + 7_654_321)]
    );
    assert_eq!((played.conducted.reason, played.conducted.broken), (EndReason::HarnessFailed, true));
}

#[test]
fn a_fault_waits_for_its_condition_and_lasts_until_its_instant() {
    let script = Script::new(Sim { hurts: vec![(Hurt::Refused, 50.0, 53.0)], ..lasting(30.0, 32.0) });
    let mut plan = script.plan();
    plan.steady_states[0].must.truncate(1);
    let below = condition(Measure::Availability, Scope::All, Bound::Below(share(0.5)));
    let mut waits = plan.faults[0].clone();
    waits.at = Instant::When(Box::new(Condition { over: Some(Span::seconds(2)), ..below }));
    waits.end = End::Until(Instant::At(at(70)));
    plan.faults.push(waits);
    let played = script.play_as(plan.clone());
    let moments = played.moments(FaultId(1));
    // The second that ended at 52 s was the second bad one of two: it is closed 50 ms later, when all have handed it over.
    let ordered = moments[0].1;
    assert!((at(52).as_nanos()..at(53).as_nanos()).contains(&ordered), "{moments:?}");
    assert_eq!(moments[2], ("heal ordered", at(70).as_nanos()));
    // The same is found in the record afterwards.
    let mut fold = Fold::new(&plan);
    played.entries.iter().for_each(|entry| fold.entry(entry));
    assert_eq!(fold.moment(FaultId(1), crate::plan::Moment::Ordered), Some(At(ordered)));
}

#[test]
fn what_is_left_to_the_platform_is_settled_at_the_end_of_the_drill() {
    let script = Script::new(lasting(30.0, 32.0));
    let mut plan = script.plan();
    plan.faults[0].end = End::Platform { undo: Undo::Start };
    let played = script.play_as(plan);
    let end = at(95).as_nanos();
    assert_eq!(played.moments(FaultId(0))[2..], [("heal ordered", end), ("healed", end + 7_654_321)]);
    assert_eq!(played.conducted.reason, EndReason::Finished);
}

#[test]
fn without_a_guardian_no_fault_stays_in_force() {
    let unguarded = Script { guarded_until: at(34), ..Script::new(lasting(30.0, 80.0)) };
    let played = unguarded.play();
    let noticed = At(at(34).as_nanos() + 50_000_000);
    assert_eq!(played.moments(FaultId(0))[2], ("heal ordered", noticed.as_nanos()));
    assert_eq!((played.conducted.reason, played.conducted.broken), (EndReason::HarnessFailed, false));
    let never = Script { guarded_until: at(20), ..Script::new(lasting(30.0, 80.0)) }.play();
    assert_eq!((never.moments(FaultId(0)), never.conducted.reason), (vec![], EndReason::HarnessFailed));
}
