//! The crew without a schedule: as many visits as there are connections, each followed at once by the next. What one
//! request costs is measured so, next to other generators; no drill uses it.

use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::LoadError;
use super::books::Books;
use super::crew::{Compiled, Order, Setting, lane, runtime};
use super::dispatch::{Dispatcher, State};
use super::pool::Pool;
use super::worker::{Arrival, Worker};
use crate::base::clock::Spin;
use crate::base::units::Span;
use crate::plan::{JourneyId, LoadId};
use crate::record::{UnsentKind, Window};

/// Keeps `connections` busy with the journey of the plan's first load for `span`, with all measurement, on a thread of
/// its own. Gives the windows of those seconds.
pub fn saturate(setting: &Setting, connections: usize, span: Span) -> Result<Vec<Window>, LoadError> {
    let ended = std::thread::scope(|scope| {
        scope
            .spawn(|| {
                let runtime = runtime()?;
                LocalSet::new().block_on(&runtime, busy(setting, connections, span))
            })
            .join()
    });
    ended.map_err(|_| LoadError::Gone)?
}

async fn busy(setting: &Setting, connections: usize, span: Span) -> Result<Vec<Window>, LoadError> {
    let plan = &setting.plan;
    let compiled = Compiled::new(setting)?;
    let journey = plan.loads.first().and_then(|load| load.mix.first()).map_or(JourneyId(0), |(journey, _)| *journey);
    let lanes = vec![lane(plan, LoadId(0), journey, &compiled.programs)];
    let pool = |_| Pool::new(connections, 0, UnsentKind::PoolSmall);
    let pools = plan.platform.endpoints.iter().map(pool).collect();
    let books = Books::new(plan, 0);
    let worker = Worker::new(compiled.parts(setting, lanes, pools, books, false, 1));
    let zero = setting.door.clock().now();
    worker.start_at(zero);
    worker.saturate_until(worker.now() + span);
    for _ in 0..connections {
        let Some(me) = worker.runner() else { break };
        let now = worker.now();
        worker.send_off(me, Arrival { lane: 0, k: me as u64, planned: now, released: now, reserved: None });
    }
    let (order, orders) = mpsc::unbounded_channel();
    let (tell, mut news) = mpsc::unbounded_channel();
    let dispatcher = Dispatcher {
        alarm: setting.door.clock().alarm(Spin::Off)?,
        worker,
        plan: setting.plan.clone(),
        workers: 1,
        users_until: None,
        sources: Vec::new(),
        crew: 0,
        orders,
        news: tell,
        lag: plan.limits.lag,
        drain: Span::MAX,
        state: State::Running,
    };
    let read = tokio::task::spawn_local(async move {
        let mut windows = Vec::new();
        while let Some(told) = news.recv().await {
            match told {
                super::News::Window { window, .. } => windows.push(*window),
                super::News::Idle { .. } => drop(order.send(Order::Finish)),
                super::News::Broken { .. } => {}
            }
        }
        windows
    });
    dispatcher.run().await;
    read.await.map_err(|_| LoadError::Gone)
}
