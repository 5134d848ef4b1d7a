//! What is kept of a request: its counts, the first failures of a kind, and the transcript where somebody reads it.

use serde_json::Value;

use super::books::{Finished, Outcome};
use super::build::SHOWN_BODY;
use super::exchange::{Received, Tried, Why};
use super::program::Ask;
use super::request;
use super::transcript::{Ended, Exchange, Fault, FaultKind};
use super::visit::Visit;
use crate::base::template::Masker;
use crate::base::units::At;
use crate::plan::SeriesId;
use crate::record::{BadKind, Failure};

impl Visit<'_> {
    /// Counts a request that has come to its end.
    pub(super) fn finish(&mut self, ask: &Ask, planned: At, released: At, tried: Tried, settled: bool) -> Outcome {
        let outcome = tried.result.as_ref().map_or_else(|(outcome, _)| *outcome, |()| Outcome::Ok);
        if let Some(series) = self.lane.series.get(ask.index).copied() {
            let (sent, done) = (tried.sent, tried.done);
            self.worker.record(&Finished { series, planned, released, sent, done, outcome, settled });
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
                Err((Outcome::Bad(kind), why)) => Err(Fault { kind: FaultKind::Bad(*kind), why: why.to_string() }),
                Err((Outcome::Unsent(kind), why)) => {
                    Err(Fault { kind: FaultKind::Unsent(*kind), why: why.to_string() })
                }
            };
            self.witness(ask, planned, &tried, result);
        }
        self.learn(ask, &tried);
        outcome
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
        let own = self.worker.feeds.secrets(self.values.key(), self.values.turn);
        own.iter().for_each(|secret| masker.add(secret));
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
            why: mask(why.to_string()),
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
    fn show(&self, buffer: &[u8]) -> String {
        let body = buffer.get(self.body.clone()).unwrap_or_default();
        request::show_answer(self.head.headers(buffer), body, self.length, SHOWN_BODY)
    }
}
