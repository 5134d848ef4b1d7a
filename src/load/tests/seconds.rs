//! What a worker counts as a second closes, without a dispatcher that would close it on time.

use std::rc::Rc;

use tokio::task::LocalSet;

use super::support::{Maker, setting};
use crate::base::units::{At, Span};
use crate::load::books::Books;
use crate::load::crew::{Compiled, lane, runtime};
use crate::load::pool::Pool;
use crate::load::worker::{Arrival, Worker};
use crate::plan::{JourneyId, LoadId};
use crate::record::{Book, UnsentKind};
use crate::wire::scripted::{Do, Scripted, answer};

/// Has one arrival of a one-step journey, planned at the drill's start, with a worker whose clock begins then; gives who
/// waited, and since when, in each second that `work` sees closed.
fn waiting(server: &Scripted, work: impl AsyncFnOnce(&Rc<Worker>)) -> Vec<(u64, Option<At>)> {
    let mut maker = Maker::new(&server.url());
    let step = maker.get("/");
    let setting = setting(maker.only(vec![step], 1.0, Span::seconds(5)));
    let compiled = Compiled::new(&setting).unwrap();
    let lanes = vec![lane(&setting.plan, LoadId(0), JourneyId(0), &compiled.programs)];
    let pools = vec![Pool::new(10, 10, UnsentKind::PoolFull)];
    let worker = Worker::new(compiled.parts(&setting, lanes, pools, Books::new(&setting.plan, 0), false, 1));
    LocalSet::new().block_on(&runtime().unwrap(), async {
        worker.start_at(setting.door.clock().now());
        let me = worker.runner().unwrap();
        let planned = At::START;
        worker.send_off(me, Arrival { lane: 0, k: 0, planned, released: planned, reserved: None });
        work(&worker).await;
    });
    let (windows, _) = worker.hand_over_windows();
    let cells = windows.iter().map(|window| {
        let cell = window.cells.iter().find(|cell| cell.book == Book::Seconds);
        cell.map_or((0, None), |cell| (cell.waiting, cell.oldest_waiting))
    });
    cells.collect()
}

#[test]
fn whoever_is_answered_just_after_a_second_has_waited_in_it() {
    let server = Scripted::start(|_| vec![Do::Wait(Span::millis(1_010)), answer(200, &[], "")]);
    let found = waiting(&server, async |worker| {
        let (clock, limit) = (worker.clock.clone(), worker.clock.now() + Span::seconds(20));
        while worker.active() > 0 && clock.now() < limit {
            clock.sleep(Span::millis(5)).await;
        }
    });
    assert_eq!(found, [(1, Some(At::START))]);
}

#[test]
fn whoever_is_released_late_has_waited_before() {
    let server = Scripted::start(|_| vec![Do::Hang]);
    // The worker comes round only after two seconds, and its visits have had no turn by then.
    let found = waiting(&server, async |worker| worker.close_before(At(2_000_000_000)));
    assert_eq!(found, [(1, Some(At::START)), (1, Some(At::START))]);
}
