use std::collections::VecDeque;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;

use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use super::books::Books;
use super::build::{self, Place};
use super::closed::Remote;
use super::dispatch::{Dispatcher, Source, State, may_spin};
use super::feeds::Feeds;
use super::files::Files;
use super::pool::{Pool, share};
use super::program::Program;
use super::slow::SlowReaders;
use super::worker::{Lane, Parts, Worker};
use super::{LoadError, visit};
use crate::base::clock::Spin;
use crate::base::host::Identity;
use crate::base::rng::{Weighted, run_word};
use crate::base::template::{Masker, Scope};
use crate::base::units::{At, Span};
use crate::plan::arrivals::{Schedule, Slice};
use crate::plan::{EndpointId, JourneyId, LoadId, PerConnection, Plan, Role, SeriesId, Trial};
use crate::record::{Failure, UnsentKind, Window};
use crate::wire::{Connection, Door};

/// What a run knows when its load begins. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Setting {
    pub plan: Arc<Plan>,
    /// The run's id: what `uuid()` draws depends on it.
    pub run: String,
    /// The names that templates find their values under: `vars env secret process prepare run …`. Values under `secret`
    /// are masked wherever they would be shown.
    pub constants: Arc<Map<String, Value>>,
    pub feeds: Feeds,
    /// Its clock is the load's.
    pub door: Door,
    /// The program that is running: closed loads are processes of it.
    pub program: PathBuf,
    /// Where files lie that the plan names.
    pub files: PathBuf,
}

/// How many workers there are, and how they wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// None: one for each core but one, and at least one.
    pub workers: Option<u16>,
    /// Whether workers spin through the last 60 µs before an arrival. None: while that costs under a tenth of a core.
    pub spin: Option<bool>,
}

/// What a crew is told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Order {
    /// The drill starts at this instant of the door's clock.
    Begin(At),
    /// A search goes on with this trial.
    Append(LoadId, Trial),
    /// No more trials of a search come.
    Over(LoadId),
    Drain,
    Drop,
    Finish,
}

/// What a crew tells.
#[derive(Debug)]
pub enum News {
    /// A second was closed, with the first failures of a kind that it brought.
    Window { window: Box<Window>, failures: Vec<Failure> },
    /// Everything is released and has come to its end; `abandoned` requests were cut off at the end of the drain time.
    /// Windows go on, empty, until the crew is told to finish.
    Idle { crew: u16, abandoned: u64 },
    /// The worker has ended by a defect; its arrivals are lost.
    Broken { crew: u16 },
}

/// The workers of all open loads of a plan, and a process for each closed one. A worker owns the arrivals k ≡ i mod n, on a thread and a runtime of its own.
/// Where several machines make one load, n counts the workers of all of them, as if all had as many as this one.
#[derive(Debug)]
pub struct Crews {
    orders: Vec<mpsc::UnboundedSender<Order>>,
    closed: Vec<Remote>,
    news: mpsc::UnboundedReceiver<News>,
    threads: Vec<JoinHandle<()>>,
}

impl Crews {
    /// Compiles the journeys and opens the connections that are to be warm. Nothing is sent until [`Crews::begin`].
    pub async fn start(setting: &Setting, options: Options) -> Result<Crews, LoadError> {
        Crews::start_slice(setting, options, Slice::WHOLE).await
    }

    /// The same for a part of the arrivals, and with that part of the connections.
    pub async fn start_slice(setting: &Setting, options: Options, slice: Slice) -> Result<Crews, LoadError> {
        let closed = setting.plan.loads.iter().enumerate().filter(|(_, load)| load.is_closed());
        let closed: Vec<LoadId> = closed.map(|(index, _)| LoadId::at(index)).collect();
        let any_open = closed.is_empty() || closed.len() < setting.plan.loads.len();
        let workers = if any_open { workers(&setting.plan, options.workers, slice) } else { 0 };
        let (tell, news) = mpsc::unbounded_channel();
        let mut crews = Crews { orders: Vec::new(), closed: Vec::new(), news, threads: Vec::new() };
        let mut ready = Vec::new();
        for index in 0..workers {
            let (order, orders) = mpsc::unbounded_channel();
            let (said, heard) = oneshot::channel();
            let work = Work { setting: setting.clone(), options, slice, index, workers, orders, news: tell.clone() };
            let thread = std::thread::Builder::new().name(format!("load-{index}")).spawn(move || work.run(said))?;
            crews.orders.push(order);
            crews.threads.push(thread);
            ready.push(heard);
        }
        for (load, crew) in closed.into_iter().zip(workers..) {
            let (said, heard) = oneshot::channel();
            crews.closed.push(Remote::start(setting, load, crew, tell.clone(), said)?);
            ready.push(heard);
        }
        for heard in ready {
            heard.await.map_err(|_| LoadError::Gone)??;
        }
        Ok(crews)
    }

    /// How many there are; each hands over one window a second.
    pub fn count(&self) -> u16 {
        u16::try_from(self.orders.len() + self.closed.len()).unwrap_or(u16::MAX)
    }

    /// The processes that are crews, beside this one.
    pub fn processes(&self) -> impl Iterator<Item = Identity> {
        self.closed.iter().filter_map(Remote::identity)
    }

    /// Begins the load: the plan's instants count from `zero` on the door's clock.
    pub fn begin(&self, zero: At) {
        self.order(Order::Begin(zero));
    }

    /// Has the arrivals of a trial come. Said once a trial, before it begins.
    pub fn append(&self, load: LoadId, trial: Trial) {
        self.order(Order::Append(load, trial));
    }

    /// No more trials of this search come.
    pub fn search_over(&self, load: LoadId) {
        self.order(Order::Over(load));
    }

    /// Releases no more arrivals; what is in flight may come to its end within the drain time.
    pub fn drain(&self) {
        self.order(Order::Drain);
    }

    /// Cuts off everything at once.
    pub fn drop_load(&self) {
        self.order(Order::Drop);
    }

    /// What the workers tell, in the order in which they tell it; none once all have finished.
    pub async fn news(&mut self) -> Option<News> {
        self.news.recv().await
    }

    /// Has every worker close its open second and end. What they tell meanwhile is still to be read.
    pub fn finish(&self) {
        self.order(Order::Finish);
    }

    fn order(&self, order: Order) {
        for worker in &self.orders {
            // One that has ended has said so.
            let _ = worker.send(order);
        }
        self.closed.iter().for_each(|crew| crew.order(order));
    }
}

impl Drop for Crews {
    fn drop(&mut self) {
        self.orders.clear();
        self.closed.clear();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// How many workers a load is made by, on this machine.
pub fn workers(plan: &Plan, asked: Option<u16>, slice: Slice) -> u16 {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let default = u16::try_from(cores.saturating_sub(1)).unwrap_or(u16::MAX).max(1);
    // Each needs a connection of every pool that open loads ask of.
    let endpoints = (0..).map(EndpointId).zip(&plan.platform.endpoints);
    let asked_of = endpoints.filter(|(id, _)| plan.is_asked(*id));
    let most = asked_of.map(|(_, endpoint)| slice.share(endpoint.connections.max)).min().unwrap_or(u32::MAX);
    asked.unwrap_or(default).clamp(1, u16::try_from(most).unwrap_or(u16::MAX).max(1))
}

struct Work {
    setting: Setting,
    options: Options,
    slice: Slice,
    index: u16,
    workers: u16,
    orders: mpsc::UnboundedReceiver<Order>,
    news: mpsc::UnboundedSender<News>,
}

impl Work {
    fn run(self, said: oneshot::Sender<Result<(), LoadError>>) {
        let (news, crew) = (self.news.clone(), self.index);
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || self.work(said)));
        if ended.is_err() {
            let _ = news.send(News::Broken { crew });
        }
    }

    fn work(self, said: oneshot::Sender<Result<(), LoadError>>) {
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(error) => return drop(said.send(Err(error))),
        };
        let local = LocalSet::new();
        local.block_on(&runtime, async {
            match self.ready().await {
                Ok(dispatcher) => {
                    let _ = said.send(Ok(()));
                    dispatcher.run().await;
                }
                Err(error) => drop(said.send(Err(error))),
            }
        });
    }

    async fn ready(self) -> Result<Dispatcher, LoadError> {
        let plan = &self.setting.plan;
        let compiled = Compiled::new(&self.setting)?;
        let (mut lanes, mut sources, mut rate) = (Vec::new(), Vec::new(), 0.0);
        for (index, load) in plan.loads.iter().enumerate().filter(|(_, load)| !load.is_closed()) {
            let id = LoadId::at(index);
            let weights = load.mix.iter().map(|(_, weight)| *weight);
            let Some(mix) = Weighted::new(weights) else { continue };
            let mut mine = Vec::new();
            for (journey, _) in &load.mix {
                mine.push(lanes.len());
                lanes.push(lane(plan, id, *journey, &compiled.programs));
            }
            let schedule = Schedule::new(load, plan.seed, id);
            let (first, stride) = self.slice.owned(self.index, self.workers);
            rate += schedule.peak().as_per_second() / stride as f64;
            let mut rest = schedule.cursor(first, stride);
            let next = rest.next();
            let (open, end) = (load.search.is_some(), schedule.end());
            let later = VecDeque::new();
            sources.push(Source { load: id.0, next, rest, later, mix, lanes: mine, end, open });
        }
        let (slice, index, workers) = (self.slice, self.index, self.workers);
        let (first, stride) = slice.owned(index, workers);
        let part = |total| share(slice.share(total), index, workers);
        let pools = plan.platform.endpoints.iter().enumerate().map(|(index, endpoint)| {
            let connections = &endpoint.connections;
            // One that a visit keeps through its think times may be full of visitors who ask nothing.
            let enough = connections.per == PerConnection::Shared
                && connections.new.0 == 0.0
                && connections.max >= plan.needed_connections(EndpointId::at(index));
            let full = if enough { UnsentKind::PoolFull } else { UnsentKind::PoolSmall };
            let pool = Pool::new(part(connections.max).max(1), part(connections.queue), full);
            pool.closing_after(connections.age)
        });
        let books = Books::new(plan, self.index);
        let parts = compiled.parts(&self.setting, lanes, pools.collect(), books, false, self.workers);
        let parts = Parts { slow: SlowReaders::new(plan, first, stride), ..parts };
        let spin = match self.options.spin {
            Some(true) => Spin::On,
            Some(false) => Spin::Off,
            None => may_spin(rate, 0.1),
        };
        let alarm = self.setting.door.clock().alarm(spin)?;
        let worker = Worker::new(parts);
        warm(&worker, plan, part).await;
        Ok(Dispatcher {
            worker,
            plan: plan.clone(),
            workers: self.workers,
            sources,
            users_until: None,
            crew: self.index,
            orders: self.orders,
            news: self.news,
            alarm,
            lag: plan.limits.lag,
            drain: plan.limits.drain,
            state: State::Ready,
        })
    }
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, LoadError> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// Opens the connections that are to be there before the load begins. One that fails will fail again where it counts.
async fn warm(worker: &Rc<Worker>, plan: &Plan, part: impl Fn(u32) -> usize) {
    for (id, endpoint) in plan.platform.endpoints.iter().enumerate() {
        let id = EndpointId::at(id);
        let mut made: Vec<Connection> = Vec::new();
        for _ in 0..part(endpoint.connections.warm) {
            let limit = Span::seconds(10);
            let slow = worker.slow.rate(id, None);
            let connecting = worker.door.connect_reading(&worker.places[id.index()].origin, slow);
            match worker.clock.timeout(limit, connecting).await {
                Ok(Ok((connection, _))) => made.push(connection),
                _ => break,
            }
        }
        made.into_iter().for_each(|connection| worker.add_warm(id, connection));
    }
}

/// Everything of a plan that a worker compiles.
pub(super) struct Compiled {
    places: Vec<Place>,
    files: Files,
    pub programs: Vec<Program>,
    scope: Scope,
    /// For whatever is compiled beside the journeys.
    sites: u32,
}

impl Compiled {
    pub(super) fn new(setting: &Setting) -> Result<Compiled, LoadError> {
        let plan = &setting.plan;
        let mut scope = Scope::new(&setting.constants, setting.feeds.shapes(plan));
        let places = build::places(plan, &mut scope, &setting.door)?;
        let (mut programs, mut sites) = (Vec::new(), 0);
        let files = &setting.feeds.files;
        for journey in &plan.journeys {
            let (name, actions) = (&journey.name, &journey.actions);
            programs.push(build::program(name, journey.cookies, actions, &places, files, &mut scope, &mut sites)?);
        }
        setting.feeds.logs.fill(plan, &places, &mut programs);
        Ok(Compiled { places, programs, files: files.clone(), scope, sites })
    }

    /// Compiles actions that belong to no journey; gives their place among the programs.
    pub(super) fn add(&mut self, name: &str, actions: &[crate::plan::Action]) -> Result<usize, LoadError> {
        let program = build::program(name, true, actions, &self.places, &self.files, &mut self.scope, &mut self.sites)?;
        self.programs.push(program);
        Ok(self.programs.len() - 1)
    }

    /// The slot of a name.
    pub(super) fn slot(&mut self, name: &str) -> u32 {
        self.scope.slot(name)
    }

    pub(super) fn parts(
        self,
        setting: &Setting,
        lanes: Vec<Lane>,
        pools: Vec<Pool>,
        books: Books,
        transcript: bool,
        workers: u16,
    ) -> Parts {
        let plan = &setting.plan;
        Parts {
            clock: setting.door.clock().clone(),
            door: setting.door.clone(),
            seed: plan.seed,
            run: run_word(&setting.run),
            places: self.places,
            per: plan.platform.endpoints.iter().map(|endpoint| endpoint.connections.per).collect(),
            new: plan.platform.endpoints.iter().map(|endpoint| endpoint.connections.new.0).collect(),
            slow: SlowReaders::new(plan, 0, 1),
            programs: self.programs,
            lanes,
            slots: self.scope.slots(),
            feeds: setting.feeds.clone(),
            secrets: secrets(&setting.constants),
            transcript,
            books,
            pools,
            most_runners: visit::most(workers),
        }
    }
}

fn secrets(constants: &Map<String, Value>) -> Masker {
    let mut masker = Masker::default();
    if let Some(Value::Object(secrets)) = constants.get("secret") {
        for secret in secrets.values() {
            match secret {
                Value::String(text) => masker.add(text),
                other => masker.add(&other.to_string()),
            }
        }
    }
    masker
}

pub(super) fn lane(plan: &Plan, load: LoadId, journey: JourneyId, programs: &[Program]) -> Lane {
    let steps = programs.get(journey.index()).map(|program| program.steps.as_slice()).unwrap_or_default();
    let series = steps.iter().map(|step| {
        let of =
            |series: &crate::plan::Series| series.load == load && series.journey == journey && series.step == *step;
        // One that a plan has forgotten is counted nowhere, rather than as another.
        plan.series.iter().position(of).map_or(SeriesId(u32::MAX), SeriesId::at)
    });
    let program = journey.index();
    Lane { load: Some(load), journey, program, role: Role::MIX, series: series.collect(), kept: false }
}
