//! Requests that are tried again: one request with one outcome, whatever it took.

use http::header;

use super::books::Outcome;
use super::exchange::{Tried, Why, abandoned};
use super::program::Ask;
use super::transcript::Ended;
use super::visit::Visit;
use crate::base::rng::{Purpose, Stream};
use crate::base::units::{At, Span};
use crate::plan::{Retry, RetryOn};
use crate::record::BadKind;

pub(super) struct Retrying {
    /// Its number among what is drawn in journeys.
    pub site: u32,
    pub retry: Retry,
}

impl Visit<'_> {
    /// One request, tried again for as long as its step says: `sent` is the first try's, the rest the last one's. One
    /// that could not be sent again is what the try before it was.
    pub(super) async fn tries(&mut self, ask: &Ask, planned: At) -> Tried {
        let Some(Retrying { site, retry }) = &ask.retry else { return self.reach(ask, ask.timeout).await };
        let mut chance = self.values.key().stream(Purpose::Retry(*site), self.values.turn);
        let mut first = None;
        let mut before: Option<(BadKind, (Outcome, Why))> = None;
        let mut made = 0;
        loop {
            let mut tried = self.reach(ask, ask.timeout).await;
            first = first.or(tried.sent);
            tried.sent = first;
            if let Some((kind, failed)) = before.take() {
                if matches!(tried.result, Err((Outcome::Unsent(_), _))) {
                    tried.result = Err(failed);
                    return tried;
                }
                self.note_again(ask, planned, tried.done, kind);
            }
            let Some(kind) = cause(retry, &tried).filter(|_| made < retry.times) else { return tried };
            let wait = self.wait(retry, made, &tried, &mut chance);
            made += 1;
            self.witness(ask, planned, &tried, Ok(Ended::Again));
            self.learn(ask, &tried);
            self.worker.lift_cut(self.me);
            self.worker.begin_again(self.me, At::MAX);
            if let Err(cut) = self.worker.think_until(self.me, tried.done + wait).await {
                tried.result = Err(abandoned(cut, ask.timeout));
                tried.done = self.worker.now();
                return tried;
            }
            before = tried.result.err().map(|failed| (kind, failed));
            self.worker.begin_again(self.me, self.worker.now() + ask.timeout);
        }
    }

    fn wait(&self, retry: &Retry, made: u32, tried: &Tried, chance: &mut Stream) -> Span {
        let grown = retry.backoff.saturating_mul(1 << made.min(40)).min(retry.up_to).as_seconds_f64();
        let drawn = Span::from_seconds_f64(grown * (1.0 - retry.jitter.as_f64() * chance.unit()));
        let told = tried.answer.as_ref().filter(|_| retry.retry_after).and_then(|received| {
            let value = received.head.headers(&self.values.buffer).get(&header::RETRY_AFTER)?;
            // As a date it would be by the platform's clock, which is not ours.
            std::str::from_utf8(value).ok()?.trim().parse().ok().map(|seconds: u32| Span::seconds(u64::from(seconds)))
        });
        drawn.max(told.unwrap_or_default()).min(retry.up_to)
    }

    /// Counts a try that was made because the one before it failed by `kind`.
    fn note_again(&mut self, ask: &Ask, planned: At, done: At, kind: BadKind) {
        if let Some(series) = self.lane.series.get(ask.index).copied() {
            self.worker.close_before(done);
            self.worker.books().again(series, planned, kind);
        }
    }
}

/// Why a try is made again; none: it is not.
fn cause(retry: &Retry, tried: &Tried) -> Option<BadKind> {
    let Err((outcome, why)) = &tried.result else { return None };
    let on = |wanted: &dyn Fn(&RetryOn) -> bool| retry.on.iter().any(wanted);
    match (outcome, why) {
        (Outcome::Bad(BadKind::Status) | Outcome::Shed, Why::Status(status)) => {
            on(&|one| matches!(one, RetryOn::Status(set) if set.holds(*status))).then_some(BadKind::Status)
        }
        (Outcome::Bad(kind), _) => {
            let wanted = match kind {
                BadKind::Connect => RetryOn::Connect,
                BadKind::Broken => RetryOn::Broken,
                BadKind::Timeout => RetryOn::Timeout,
                _ => return None,
            };
            on(&|one| *one == wanted).then_some(*kind)
        }
        _ => None,
    }
}
