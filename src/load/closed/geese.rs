//! goose, as the scheduler of users: it launches them and has each begin a journey when the one before is done. What a journey
//! is, and what is counted of it, is ours; goose's own client, metrics and reports stay idle.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use goose::config::GooseConfiguration;
use goose::goose::{GooseUser, Scenario, Transaction, TransactionFunction};
use goose::{GooseAttack, GooseError};
use tokio::sync::{mpsc, oneshot, watch};

use super::user::Asked;
use crate::base::clock::Clock;
use crate::base::units::Span;

/// Goose looks twice a second whether it is to stop.
const AGAIN: Span = Span::millis(50);

/// The way from one of goose's users to ours.
#[derive(Debug, Clone)]
struct Seat {
    ask: mpsc::UnboundedSender<Asked>,
    /// Turns when the whole load is over.
    over: watch::Receiver<bool>,
    clock: Clock,
}

impl Seat {
    /// Has our user go on with what is next; comes back when that is done. A user whose time is over waits here, since goose
    /// would only start it again, until goose is told to stop.
    async fn go_on(mut self) {
        let (tell, done) = oneshot::channel();
        let goes = self.ask.send(tell).is_ok() && done.await.unwrap_or(false);
        if !goes {
            let _ = self.over.wait_for(|over| *over).await;
            // Until goose says so, it begins anew again and again.
            self.clock.sleep(AGAIN).await;
        }
    }
}

/// Launches one user for each of `asks`, and lets them go on until [`stop`].
pub(super) async fn attack(
    asks: Vec<mpsc::UnboundedSender<Asked>>,
    over: watch::Receiver<bool>,
    clock: Clock,
) -> Result<(), GooseError> {
    let users = asks.len().to_string();
    // All of them now: each waits for its own instant.
    let rate = asks.len().max(1).saturating_mul(1_000).to_string();
    // Nothing is ever sent to the host: goose wants one to begin.
    let arguments = ["--host", "http://localhost", "--users", &users, "--increase-rate", &rate];
    let still = ["--no-metrics", "--no-print-metrics", "--no-telnet", "--no-websocket", "-qq"];
    let arguments: Vec<&str> = arguments.into_iter().chain(still).collect();
    let configuration = GooseConfiguration::parse_args_default(&arguments)?;
    let seats: VecDeque<Seat> =
        asks.into_iter().map(|ask| Seat { ask, over: over.clone(), clock: clock.clone() }).collect();
    let seats = Arc::new(Mutex::new(seats));
    let sit: TransactionFunction = Arc::new(move |user: &mut GooseUser| {
        let seat = seats.lock().ok().and_then(|mut seats| seats.pop_front());
        if let Some(seat) = &seat {
            user.set_session_data(seat.clone());
        }
        Box::pin(async move {
            if let Some(seat) = seat {
                seat.go_on().await;
            }
            Ok(())
        })
    });
    let journey: TransactionFunction = Arc::new(move |user: &mut GooseUser| {
        let seat = user.get_session_data::<Seat>().cloned();
        Box::pin(async move {
            if let Some(seat) = seat {
                seat.go_on().await;
            }
            Ok(())
        })
    });
    let scenario = Scenario::new("users")
        .register_transaction(Transaction::new(sit).set_on_start())
        .register_transaction(Transaction::new(journey));
    let attack = GooseAttack::initialize_with_config(configuration)?.register_scenario(scenario);
    attack.execute().await.map(drop)
}

/// Has goose let all users go.
pub(super) fn stop(over: &watch::Sender<bool>) {
    goose::trigger_killswitch("the load is over");
    over.send_replace(true);
}
