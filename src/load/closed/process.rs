//! The process of one closed load.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Lines};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::LocalSet;

use super::geese;
use super::message::{Brief, Said, Word};
use super::user::{House, User};
use crate::base::clock::{Clock, Spin};
use crate::base::host::{self, say};
use crate::base::rng::Weighted;
use crate::base::units::Span;
use crate::load::LoadError;
use crate::load::books::Books;
use crate::load::crew::{Compiled, News, Order, Setting, lane, runtime};
use crate::load::dispatch::{Dispatcher, State};
use crate::load::feeds::Feeds;
use crate::load::once::made;
use crate::load::pool::Pool;
use crate::load::worker::{Lane, Worker};
use crate::plan::{Endpoint, Role};
use crate::record::{Parcel, UnsentKind};
use crate::wire::Door;

/// How long goose may take to let its users go.
const GOODBYE: Span = Span::seconds(5);

/// What the process of a closed load does. Standard input is the socket to the harness, both ways.
pub fn crew_main() -> ExitCode {
    // What a terminal sends is for the harness, which then says what is to be done.
    host::ignore_terminal_signals();
    let done = begin().and_then(|(brief, stream, lines)| work(brief, stream, lines));
    if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

type Heard = Lines<BufReader<UnixStream>>;

fn begin() -> io::Result<(Brief, UnixStream, Heard)> {
    let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let brief = lines.next().ok_or(io::ErrorKind::UnexpectedEof)??;
    Ok((serde_json::from_str(&brief)?, stream, lines))
}

fn work(brief: Brief, stream: UnixStream, lines: Heard) -> io::Result<()> {
    let clock = Clock::start();
    let (order, orders) = mpsc::unbounded_channel();
    let hears = clock.clone();
    std::thread::Builder::new().name("orders".to_owned()).spawn(move || hear(lines, &order, &hears))?;
    let broken = stream.try_clone()?;
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || -> io::Result<()> {
        let runtime = runtime().map_err(io::Error::other)?;
        LocalSet::new().block_on(&runtime, perform(brief, clock, orders, &stream))?;
        // A name that is still being looked up is not waited for.
        runtime.shutdown_background();
        Ok(())
    }));
    done.unwrap_or_else(|_| say(&broken, &Said::Broken))
}

/// Passes orders on until the harness is gone, and then is gone, too: whatever is under way is of no use to anybody.
fn hear(lines: Heard, order: &mpsc::UnboundedSender<Order>, clock: &Clock) {
    for line in lines.map_while(Result::ok) {
        let heard = match serde_json::from_str(&line) {
            Ok(Word::Begin { nanos }) => Order::Begin(clock.at_monotonic(nanos)),
            Ok(Word::Drain) => Order::Drain,
            Ok(Word::Drop) => Order::Drop,
            Ok(Word::Finish) => Order::Finish,
            Err(_) => continue,
        };
        let _ = order.send(heard);
    }
    std::process::exit(1);
}

async fn perform(
    brief: Brief,
    clock: Clock,
    orders: mpsc::UnboundedReceiver<Order>,
    stream: &UnixStream,
) -> io::Result<()> {
    let (over, is_over) = watch::channel(false);
    let made = Crew::new(brief, clock.clone(), orders).and_then(|crew| Ok((crew, stream.try_clone()?)));
    let (crew, tells) = match made {
        Ok(made) => made,
        Err(error) => return say(stream, &Said::NotReady { why: error.to_string() }),
    };
    let Crew { dispatcher, told, house, asks } = crew;
    let mut geese = tokio::task::spawn_local(geese::attack(asks, is_over, clock.clone()));
    tokio::select! {
        () = house.all_ready.notified() => say(stream, &Said::Ready)?,
        ended = &mut geese => {
            let why = match ended {
                Ok(Err(error)) => format!("the scheduler of users refused: {error}"),
                _ => "the scheduler of users ended before its time".to_owned(),
            };
            return say(stream, &Said::NotReady { why });
        }
    }
    let over = Arc::new(over);
    let stops = over.clone();
    // On a thread of its own: nobody's visit waits until a window is written down.
    let teller = std::thread::Builder::new().name("news".to_owned()).spawn(move || tell(told, &tells, &stops))?;
    dispatcher.run().await;
    geese::stop(&over);
    teller.join().map_err(|_| io::Error::other("the thread that tells the news ended by a defect"))?;
    // A worker that has ended by a defect never comes here.
    say(stream, &Said::Done)?;
    let _ = clock.timeout(GOODBYE, geese).await;
    Ok(())
}

/// Tells the harness what the worker tells.
fn tell(mut told: mpsc::UnboundedReceiver<News>, stream: &UnixStream, over: &watch::Sender<bool>) {
    while let Some(news) = told.blocking_recv() {
        let said = match news {
            News::Window { window, failures } => Said::Window { parcel: Box::new(Parcel::pack(*window)), failures },
            News::Idle { abandoned, .. } => {
                geese::stop(over);
                Said::Idle { abandoned }
            }
            News::Broken { .. } => Said::Broken,
        };
        // Where the harness is gone, the thread that hears it ends the process.
        let _ = say(stream, &said);
    }
}

/// The one worker of a closed load, with its users.
struct Crew {
    dispatcher: Dispatcher,
    told: mpsc::UnboundedReceiver<News>,
    house: Rc<House>,
    /// One for each user.
    asks: Vec<mpsc::UnboundedSender<super::user::Asked>>,
}

impl Crew {
    fn new(brief: Brief, clock: Clock, orders: mpsc::UnboundedReceiver<Order>) -> Result<Crew, LoadError> {
        let _ = host::raise_open_files();
        let Brief { plan, run, constants, made: rows, files, load: id, crew } = brief;
        let plan = Arc::new(plan);
        let door = Door::new(&clock, &plan.platform.allow, &files);
        let feeds = Feeds::read(&plan, &files, rows)?;
        let constants = Arc::new(constants);
        let program = std::path::PathBuf::new();
        let setting = Setting { plan: plan.clone(), run, constants, feeds, door, program, files };
        let (load, users) = plan
            .loads
            .get(id.index())
            .and_then(|load| Some((load, load.users.as_ref()?)))
            .ok_or_else(|| LoadError::Closed(format!("load {id} of the plan has no users")))?;
        let mut compiled = Compiled::new(&setting)?;
        let of = |role, journey| Lane { role, kept: true, ..lane(&plan, id, journey, &compiled.programs) };
        let roles = load.roles();
        let roles = roles.iter().enumerate().flat_map(|(role, of)| of.journeys.iter().map(move |of| (role, *of)));
        let lanes: Vec<Lane> = roles.map(|(role, journey)| of(role, journey)).collect();
        let first = lanes.iter().position(|lane| lane.role == Role::FIRST);
        let again = lanes.iter().position(|lane| lane.role == Role::REFRESH);
        let refresh = users.refresh.zip(again).map(|(refresh, lane)| (refresh.every, lane));
        let mut kept = Vec::new();
        for journey in users.first.into_iter().chain(users.refresh.map(|refresh| refresh.journey)) {
            let actions = plan.journeys.get(journey.index()).map(|journey| journey.actions.as_slice());
            made(actions.unwrap_or_default(), &mut |name| kept.push(compiled.slot(name)));
        }
        kept.sort_unstable();
        kept.dedup();
        let mix = Weighted::new(load.mix.iter().map(|(_, weight)| *weight))
            .ok_or_else(|| LoadError::Closed(format!("the mix of `{}` has no weight", load.name)))?;
        let lives = users.lives(load.start);
        let house = Rc::new(House {
            load: id,
            total: lives.len() as u64,
            pace: users.pace.unwrap_or(Span::ZERO),
            mix,
            first,
            refresh,
            kept,
            ready: Cell::new(0),
            all_ready: Notify::new(),
        });
        // One for each user that is there, whatever open loads share.
        let pool = |endpoint: &Endpoint| {
            Pool::new(lives.len().max(1), 0, UnsentKind::PoolSmall).closing_after(endpoint.connections.age)
        };
        let pools = plan.platform.endpoints.iter().map(pool).collect();
        let parts = compiled.parts(&setting, lanes, pools, Books::new(&plan, crew), false, 1);
        let worker = Worker::new(parts);
        worker.crowd.belongs_to(id);
        let mut asks = Vec::new();
        for (number, life) in lives.iter().enumerate() {
            let (ask, asked) = mpsc::unbounded_channel();
            let (house, worker, me) = (house.clone(), worker.clone(), worker.seat());
            let user = User { house, worker, me, number: number as u64, life: *life, asked };
            tokio::task::spawn_local(user.live());
            asks.push(ask);
        }
        let (news, told) = mpsc::unbounded_channel();
        let dispatcher = Dispatcher {
            worker,
            plan: plan.clone(),
            workers: 1,
            sources: Vec::new(),
            users_until: Some(load.end()),
            crew,
            orders,
            news,
            alarm: clock.alarm(Spin::Off)?,
            lag: plan.limits.lag,
            drain: plan.limits.drain,
            state: State::Ready,
        };
        Ok(Crew { dispatcher, told, house, asks })
    }
}
