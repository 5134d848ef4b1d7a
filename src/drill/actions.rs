use std::pin::Pin;
use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};

use super::book::Book;
use super::terminal::Terminal;
use super::timeline::Timeline;
use crate::base::clock::Clock;
use crate::base::units::At;
use crate::plan::{ActionId, Due, EmergencyAction, Plan, Work};
use crate::platform::{Platform, PlatformError};
use crate::record::{ActionEnd, ActionEvent, Event};

/// Does an action, or waits until somebody has done it.
pub(super) type Hand = dyn Fn(ActionId) -> Pin<Box<dyn Future<Output = ActionEnd>>>;

/// The emergency plan while it is carried out. What was not done when the drill ends is not done.
pub(super) struct Actions {
    plan: Arc<Plan>,
    clock: Clock,
    hand: Box<Hand>,
    tracks: Vec<Track>,
    tasks: JoinSet<(ActionId, At, ActionEnd)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Track {
    Waiting,
    UnderWay,
    /// It was done, or was not, or is not begun any more.
    Over,
}

impl Actions {
    pub(super) fn new(plan: &Arc<Plan>, clock: &Clock, hand: Box<Hand>) -> Actions {
        let tracks = vec![Track::Waiting; plan.actions.len()];
        Actions { plan: plan.clone(), clock: clock.clone(), hand, tracks, tasks: JoinSet::new() }
    }

    /// The earliest to begin whose instant is known, in the plan's order where two share one.
    pub(super) fn next(&self, timeline: &Timeline) -> Option<(At, ActionId)> {
        let waiting = self.tracks.iter().enumerate().filter(|(_, track)| **track == Track::Waiting);
        let due = |(index, _): (usize, &Track)| {
            Some((self.due(&self.plan.actions.get(index)?.due, timeline)?, ActionId::at(index)))
        };
        waiting.filter_map(due).min_by_key(|(at, _)| *at)
    }

    fn due(&self, due: &Due, timeline: &Timeline) -> Option<At> {
        match *due {
            Due::At(at) => Some(at),
            Due::Fault { fault, moment, offset } => Some(timeline.moment(fault, moment)? + offset),
            Due::Action { action, offset } => Some(timeline.done_at(action)? + offset),
        }
    }

    /// Begins all that is due by `now`.
    pub(super) fn begin(&mut self, now: At, timeline: &Timeline, book: &mut Book<'_>) {
        while let Some((_, action)) = self.next(timeline).filter(|(at, _)| *at <= now) {
            self.tracks[action.index()] = Track::UnderWay;
            book.note(Event::Action { action, what: ActionEvent::Begun });
            let (work, clock) = ((self.hand)(action), self.clock.clone());
            self.tasks.spawn_local(async move {
                let end = work.await;
                (action, clock.now(), end)
            });
        }
    }

    /// What comes of those under way, one after another; none while nothing is.
    pub(super) async fn outcome(&mut self) -> Option<Result<(ActionId, At, ActionEnd), JoinError>> {
        self.tasks.join_next().await
    }

    /// Writes down what came of one; what waits for it hears when it was done.
    pub(super) fn came_of(
        &mut self,
        outcome: Result<(ActionId, At, ActionEnd), JoinError>,
        timeline: &mut Timeline,
        book: &mut Book<'_>,
    ) {
        match outcome {
            Ok((action, at, how)) => {
                self.tracks[action.index()] = Track::Over;
                if how == ActionEnd::Done {
                    timeline.done(action, at);
                }
                book.note_at(at, Event::Action { action, what: ActionEvent::Ended { how } });
            }
            // It stays under way, and so is not done at the end.
            Err(error) => {
                let text = format!("an action's task ended by a defect of the harness: {error}");
                book.note(Event::Noted { text });
            }
        }
    }

    /// None is begun any more.
    pub(super) fn stop(&mut self) {
        for track in self.tracks.iter_mut().filter(|track| **track == Track::Waiting) {
            *track = Track::Over;
        }
    }

    /// The drill is over: nobody waits for what is under way.
    pub(super) fn end(&mut self, book: &mut Book<'_>) {
        self.stop();
        self.tasks.abort_all();
        for (index, track) in self.tracks.iter_mut().enumerate().filter(|(_, track)| **track == Track::UnderWay) {
            *track = Track::Over;
            let what = ActionEvent::Ended { how: ActionEnd::GivenUp };
            book.note(Event::Action { action: ActionId::at(index), what });
        }
    }
}

/// Does what the plan says on the platform, or asks at the terminal.
pub(super) fn hand(plan: &Arc<Plan>, platform: &Arc<Platform>, clock: &Clock) -> Box<Hand> {
    let asks = plan.actions.iter().any(|action| action.work == Work::Terminal);
    let terminal = asks.then(|| Arc::new(Terminal::open()));
    let (plan, platform, clock) = (plan.clone(), platform.clone(), clock.clone());
    Box::new(move |id| {
        let (plan, platform, clock, terminal) = (plan.clone(), platform.clone(), clock.clone(), terminal.clone());
        // From this instant on, not only from when it is first waited for.
        let heard = match plan.actions.get(id.index()).map(|action| &action.work) {
            Some(Work::Alert { watch }) => Some(platform.confirmation(*watch)),
            _ => None,
        };
        Box::pin(async move {
            let Some(EmergencyAction { name, work, within, .. }) = plan.actions.get(id.index()) else {
                return ActionEnd::GivenUp;
            };
            let done = async {
                match work {
                    Work::Run(words) => {
                        let words = platform.words(&format!("`run` of action `{name}`"), words)?;
                        platform.run_words(&format!("action-{}", id.index() + 1), words, *within).await
                    }
                    Work::Get { endpoint, get } => platform.until_answered(*endpoint, get).await,
                    Work::Terminal => match &terminal {
                        Some(terminal) => {
                            terminal.answer().await;
                            Ok(())
                        }
                        None => std::future::pending().await,
                    },
                    Work::Alert { .. } => match heard {
                        Some(heard) => {
                            heard.come().await;
                            Ok(())
                        }
                        None => std::future::pending().await,
                    },
                }
            };
            // A program has its own deadline, and is gone after it.
            let done = match work {
                Work::Run(_) => Ok(done.await),
                Work::Get { .. } | Work::Terminal | Work::Alert { .. } => clock.timeout(*within, done).await,
            };
            match done {
                Ok(Ok(())) => ActionEnd::Done,
                Ok(Err(PlatformError::ChoreLate { .. })) | Err(_) => ActionEnd::Late,
                Ok(Err(error)) => ActionEnd::Failed { why: error.to_string() },
            }
        })
    })
}
