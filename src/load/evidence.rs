//! What is kept of a request: its counts, the first failures of a kind, and the transcript where somebody reads it.

use serde_json::Value;

use super::books::{Finished, Outcome};
use super::build::SHOWN_BODY;
use super::exchange::{Received, Tried, Why};
use super::judge::Looked;
use super::program::Ask;
use super::request;
use super::transcript::{Ended, Exchange, Fault, FaultKind};
use super::visit::Visit;
use crate::base::template::Masker;
use crate::base::units::At;
use crate::plan::{FigureId, SeriesId};
use crate::record::{BadKind, Failure};

/// Rows of so many turns back are still known for secret.
const TURNS: u64 = 1_000;

impl Visit<'_> {
    /// Counts a number that an answer told.
    pub(super) fn count_figure(&self, figure: FigureId, planned: At, number: f64) {
        // Of loads only, as requests are.
        if self.lane.load.is_some() {
            self.worker.books().figure(figure, planned, number);
        }
    }

    /// Counts a request that has come to its end.
    pub(super) fn finish(&mut self, ask: &Ask, planned: At, released: At, tried: Tried, settled: bool) -> Outcome {
        let outcome = tried.result.as_ref().map_or_else(|(outcome, _)| *outcome, |()| Outcome::Ok);
        if let Some(series) = self.lane.series.get(ask.index).copied() {
            let (sent, done) = (tried.sent, tried.done);
            let finished = Finished { series, planned, released, sent, done, outcome, settled };
            self.worker.record(&finished);
            self.note_in_groups(&finished);
            if let (Outcome::Bad(kind), Err((_, why))) = (outcome, &tried.result)
                && self.worker.wants(series, kind)
            {
                self.sample(ask, series, kind, planned, &tried, why);
            }
        }
        if self.worker.transcript.is_some() {
            let result = match &tried.result {
                Ok(()) => Ok(Ended::Ok),
                Err((Outcome::Shed | Outcome::Ok, _)) => Ok(Ended::Shed),
                Err((Outcome::Bad(kind), why)) => {
                    Err(Fault { kind: FaultKind::Bad(*kind), why: self.explain(ask, &tried, why) })
                }
                Err((Outcome::Unsent(kind), why)) => {
                    Err(Fault { kind: FaultKind::Unsent(*kind), why: self.explain(ask, &tried, why) })
                }
            };
            self.witness(ask, planned, &tried, result);
        }
        self.learn(ask, &tried);
        outcome
    }

    /// Why a request failed, in one line.
    fn explain(&self, ask: &Ask, tried: &Tried, why: &Why) -> String {
        match why {
            Why::Wire(error) => error.to_string(),
            Why::Status(status) => format!("the status is {status}, expected {}", ask.judge.statuses()),
            Why::Mismatch(mismatch) => {
                let looked = tried.answer.as_ref().map(|received| received.looked(&self.values.buffer));
                looked.map_or_else(String::new, |looked| self.see(|visit| ask.judge.explain(mismatch, looked, visit)))
            }
            Why::Slow(took) => {
                format!("it took {took}, expected at most {}", ask.judge.within.unwrap_or_default())
            }
            Why::Capture(index) => {
                let name = ask.captures.get(*index).map_or("", |catch| &catch.name);
                format!("there is nothing to capture for `{name}`")
            }
            Why::NoNumber(index) => {
                let name = ask.captures.get(*index).map_or("", |catch| &catch.name);
                format!("what was captured for `{name}` is no number from 0 up")
            }
            Why::Render(error) => error.to_string(),
            Why::Poll(within) => format!("what it waited for did not come within {within}"),
            Why::Packed(packed) => packed.to_string(),
            Why::Astray(astray) => astray.to_string(),
            Why::Drained => "it was still under way when the drain time was over".to_owned(),
            Why::Stopped => "the load was stopped".to_owned(),
            Why::Full(limit) => format!("no connection was free within {limit}"),
            Why::QueueFull => "neither a connection nor a place in the queue was free".to_owned(),
        }
    }

    pub(super) fn masker(&self) -> Masker {
        let mut masker = self.worker.secrets.clone();
        for (slot, value) in self.values.slots.iter().enumerate() {
            if let Some(value) = value.as_ref().filter(|_| self.values.secret.get(slot) == Some(&true)) {
                match value {
                    Value::String(text) => masker.add(text),
                    other => masker.add(&other.to_string()),
                }
            }
        }
        self.values.still_secret.iter().for_each(|secret| masker.add(secret));
        // What a turn before kept by `let` is as secret as its row was.
        let first = self.values.turn.saturating_sub(TURNS);
        let turns = first..=self.values.turn;
        let own = turns.flat_map(|turn| self.worker.feeds.secrets(self.lane.role, self.values.key(), turn));
        own.for_each(|secret| masker.add(&secret));
        masker
    }

    pub(super) fn sample(&mut self, ask: &Ask, series: SeriesId, kind: BadKind, planned: At, tried: &Tried, why: &Why) {
        let request = self.outgoing(ask).map(|outgoing| request::show_request(&outgoing)).unwrap_or_default();
        let answer = tried.answer.as_ref().map(|received| received.show(&self.values.buffer)).unwrap_or_default();
        let masker = self.masker();
        let mask = |text: String| masker.mask(&text).into_owned();
        self.worker.keep(Failure {
            series,
            kind,
            arrival: self.arrival.k,
            planned,
            why: mask(self.explain(ask, tried, why)),
            request: mask(request),
            answer: mask(answer),
        });
    }

    pub(super) fn witness(&self, ask: &Ask, planned: At, tried: &Tried, result: Result<Ended, Fault>) {
        let Some(transcript) = &self.worker.transcript else { return };
        let masker = self.masker();
        let mask = |text: &str| masker.mask(text).into_owned();
        let caught = if result == Ok(Ended::Ok) { ask.captures.as_slice() } else { &[] };
        let captured = caught.iter().map(|catch| {
            let value = self.values.slots.get(catch.slot as usize).cloned().flatten();
            (catch.name.clone(), value.filter(|_| !catch.secret))
        });
        let answer = tried.answer.as_ref().map(|received| received.show(&self.values.buffer)).unwrap_or_default();
        transcript.borrow_mut().push(Exchange {
            step: ask.step,
            request: mask(tried.shown.as_deref().unwrap_or_default()),
            answer: mask(&answer),
            planned,
            sent: tried.sent,
            done: tried.done,
            dialled: tried.dialled,
            result: result.map_err(|fault| Fault { why: mask(&fault.why), ..fault }),
            captured: captured.collect(),
        });
    }
}

impl Received {
    pub(super) fn looked<'a>(&'a self, buffer: &'a [u8]) -> Looked<'a> {
        let json = self.json.as_ref().and_then(|json| json.as_ref().ok());
        let body = buffer.get(self.body.clone()).unwrap_or_default();
        Looked { headers: self.head.headers(buffer), body, json }
    }

    fn show(&self, buffer: &[u8]) -> String {
        let body = buffer.get(self.body.clone()).unwrap_or_default();
        request::show_answer(self.head.headers(buffer), body, self.length, SHOWN_BODY)
    }
}
