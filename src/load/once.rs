//! One visit for people to read, and the steps that prepare and clean up: the same visit machinery, outside all figures.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use super::LoadError;
use super::books::Books;
use super::crew::{Compiled, Order, Setting, runtime};
use super::dispatch::{Dispatcher, Source, State};
use super::pool::Pool;
use super::transcript::Exchange;
use super::worker::{Arrival, Lane, Slots, Worker};
use crate::base::clock::Spin;
use crate::base::units::Span;
use crate::plan::{Action, JourneyId, Load, LoadId, Plan, Role};
use crate::record::UnsentKind;

/// What one visit came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcript {
    /// In the order in which they were made, polls answer by answer.
    pub exchanges: Vec<Exchange>,
    /// Every step was ok.
    pub ok: bool,
}

/// What steps outside all figures brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Carried {
    pub transcript: Transcript,
    /// Captures and `let`s, by name.
    pub captures: Map<String, Value>,
    /// Those of them that are never to be written anywhere.
    pub secret: Vec<String>,
}

/// Plays arrival `k` of `load`, with think times, in one pass through `journey`, on a thread of its own; of a replay the
/// first one from `k` on that is of that journey. Dropped, it cuts off whatever is in flight, and that thread has ended.
pub async fn once(setting: &Setting, load: LoadId, journey: JourneyId, k: u64) -> Result<Transcript, LoadError> {
    let compiled = Compiled::new(setting)?;
    if journey.index() >= compiled.programs.len() {
        return Err(LoadError::Journey(journey.to_string()));
    }
    let roles = setting.plan.loads.get(load.index()).map(Load::roles).unwrap_or_default();
    let role = roles.iter().position(|role| role.journeys.contains(&journey)).unwrap_or(Role::MIX);
    let program = journey.index();
    let lane = Lane { load: Some(load), journey, program, role, series: Vec::new(), kept: false };
    let k = setting.feeds.logs.first(&setting.plan, load, journey, k);
    Ok(play(setting, compiled, lane, k, None).await?.0)
}

/// Carries out steps that belong to no journey (`prepare`, `cleanup`), all of which must be ok. Cut off after `within`,
/// and when it is dropped, as [`once`].
pub async fn carry_out(setting: &Setting, name: &str, actions: &[Action], within: Span) -> Result<Carried, LoadError> {
    // Journeys may name what is not there yet: rows of feeds, and what these very steps capture.
    let plan = Plan { journeys: Vec::new(), ..Plan::clone(&setting.plan) };
    let setting = &Setting { plan: Arc::new(plan), ..setting.clone() };
    let mut compiled = Compiled::new(setting)?;
    let program = compiled.add(name, actions)?;
    let mut names = BTreeMap::new();
    made(actions, &mut |name| {
        names.insert(name.to_owned(), compiled.slot(name));
    });
    let journey = JourneyId(u32::MAX);
    let lane = Lane { load: None, journey, program, role: Role::MIX, series: Vec::new(), kept: false };
    let (transcript, values) = play(setting, compiled, lane, 0, Some(within)).await?;
    let mut carried = Carried { transcript, captures: Map::new(), secret: Vec::new() };
    for (name, slot) in names {
        if let Some((Some(value), secret)) = values.get(slot as usize) {
            if *secret {
                carried.secret.push(name.clone());
            }
            carried.captures.insert(name, value.clone());
        }
    }
    Ok(carried)
}

/// The names that actions make.
pub(super) fn made(actions: &[Action], note: &mut impl FnMut(&str)) {
    for action in actions {
        match action {
            Action::Request(request) => request.captures.iter().for_each(|capture| note(&capture.name)),
            Action::Poll(poll) => poll.request.captures.iter().for_each(|capture| note(&capture.name)),
            Action::Let(names) => names.iter().for_each(|(name, _)| note(name)),
            Action::Think(_) | Action::Rendezvous(_) => {}
            Action::Repeat(repeat) => made(&repeat.actions, note),
            Action::Group(group) => made(&group.actions, note),
            Action::Choose(branches) => branches.iter().for_each(|branch| made(&branch.actions, note)),
            Action::If { then, otherwise, .. } => {
                made(then, note);
                made(otherwise, note);
            }
        }
    }
}

/// The thread that a visit is played on; it has ended when this is gone.
struct Stage {
    order: mpsc::UnboundedSender<Order>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.order.send(Order::Finish);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn play(
    setting: &Setting,
    compiled: Compiled,
    lane: Lane,
    k: u64,
    within: Option<Span>,
) -> Result<(Transcript, Slots), LoadError> {
    // On a thread of its own, since the caller stands in a runtime already.
    let (order, orders) = mpsc::unbounded_channel();
    let (tell, played) = oneshot::channel();
    let (setting, finish) = (setting.clone(), order.clone());
    let work = move || {
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(error) => return drop(tell.send(Err(error))),
        };
        let play = play_here(&setting, compiled, lane, k, within, (finish, orders));
        let played = LocalSet::new().block_on(&runtime, play);
        // A name that is still being looked up is not waited for.
        runtime.shutdown_background();
        let _ = tell.send(played);
    };
    let thread = std::thread::Builder::new().name("visit".to_owned()).spawn(work)?;
    let _stage = Stage { order, thread: Some(thread) };
    played.await.map_err(|_| LoadError::Gone)?
}

async fn play_here(
    setting: &Setting,
    compiled: Compiled,
    lane: Lane,
    k: u64,
    within: Option<Span>,
    (order, orders): (mpsc::UnboundedSender<Order>, mpsc::UnboundedReceiver<Order>),
) -> Result<(Transcript, Slots), LoadError> {
    let plan: &Plan = &setting.plan;
    // As many connections as a visit could ever use.
    let pools = plan.platform.endpoints.iter().map(|_| Pool::new(1, 1, UnsentKind::PoolSmall)).collect();
    let books = Books::new(&setting.plan, 0);
    let parts = compiled.parts(setting, vec![lane], pools, books, true, 1);
    let alarm = setting.door.clock().alarm(Spin::Off)?;
    let worker = Worker::new(parts);
    worker.start_at(setting.door.clock().now());
    let me = worker.runner().ok_or(LoadError::Gone)?;
    let now = worker.now();
    worker.send_off(me, Arrival { lane: 0, k, planned: now, released: now, reserved: None });
    // Nothing else is due: its end is waited for, and not that of the second.
    worker.call_dispatcher();
    let (tell, mut news) = mpsc::unbounded_channel();
    let dispatcher = Dispatcher {
        worker: worker.clone(),
        plan: setting.plan.clone(),
        workers: 1,
        sources: Vec::<Source>::new(),
        users_until: None,
        crew: 0,
        orders,
        news: tell,
        alarm,
        lag: plan.limits.lag,
        drain: within.unwrap_or(Span::MAX),
        state: State::Running,
    };
    tokio::task::spawn_local(async move {
        while let Some(told) = news.recv().await {
            if matches!(told, super::News::Idle { .. }) {
                let _ = order.send(Order::Finish);
            }
        }
    });
    dispatcher.run().await;
    let (ok, slots) = worker.result().ok_or(LoadError::Gone)?;
    Ok((Transcript { exchanges: worker.exchanges(), ok }, slots))
}
