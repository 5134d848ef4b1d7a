//! Users of a closed load: runners that are theirs for life, and where they wait for one another.

#[cfg(feature = "closed")]
use super::Runner;
use super::{Cut, Worker};
use crate::base::units::At;
use crate::plan::Rendezvous;
#[cfg(feature = "closed")]
use std::task::Poll;

impl Worker {
    /// A runner that is a user's for all its life: whoever has it carries its visits, and retires it.
    #[cfg(feature = "closed")]
    pub(in crate::load) fn seat(&self) -> usize {
        let mut runners = self.runners.borrow_mut();
        runners.push(Runner { busy: true, ..Runner::default() });
        runners.len() - 1
    }

    /// Waits until the drill's start is known.
    #[cfg(feature = "closed")]
    pub(in crate::load) async fn begun(&self, me: usize) {
        std::future::poll_fn(|cx| {
            self.with(me, |runner| {
                runner.waker.get_or_insert_with(|| cx.waker().clone());
            });
            if self.has_begun.get() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// User `me` is between two journeys, or no longer.
    #[cfg(feature = "closed")]
    pub(in crate::load) fn rest(&self, me: usize, rests: bool) {
        self.with(me, |runner| runner.rests = rests);
    }

    /// No user begins another journey; those who are between two of them go at once.
    pub(in crate::load) fn end_users(&self) {
        self.crowd.close();
        let mut gone = Vec::new();
        for (me, runner) in self.runners.borrow_mut().iter_mut().enumerate().filter(|(_, runner)| runner.rests) {
            runner.cut = Some(Cut::Drained);
            gone.push(me);
        }
        gone.into_iter().for_each(|me| self.wake(me));
        // Nobody else comes to where these wait.
        let waiting: Vec<usize> = self.meetings.borrow_mut().drain().flat_map(|(_, waiting)| waiting).collect();
        waiting.into_iter().for_each(|me| self.let_on(me));
    }

    /// Waits until enough users are here, and until `until` at the most.
    pub(in crate::load) async fn meet(&self, me: usize, meeting: &Rendezvous, until: At) -> Result<(), Cut> {
        if self.crowd.is_over() {
            return self.cut(me).map_or(Ok(()), Err);
        }
        let all = {
            let mut meetings = self.meetings.borrow_mut();
            if !meetings.contains_key(&meeting.name) {
                meetings.insert(meeting.name.clone(), Vec::new());
            }
            let waiting = meetings.get_mut(&meeting.name);
            waiting.and_then(|waiting| {
                waiting.push(me);
                (waiting.len() as u64 >= meeting.count).then(|| std::mem::take(waiting))
            })
        };
        if let Some(all) = all {
            all.into_iter().filter(|other| *other != me).for_each(|other| self.let_on(other));
            return self.cut(me).map_or(Ok(()), Err);
        }
        let waited = self.think_until(me, until).await;
        if let Some(waiting) = self.meetings.borrow_mut().get_mut(&meeting.name) {
            waiting.retain(|other| *other != me);
        }
        waited
    }

    /// Ends the wait of a user.
    fn let_on(&self, me: usize) {
        self.with(me, |runner| runner.woken = true);
        self.wake(me);
    }
}
