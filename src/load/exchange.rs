//! Each request's way from *planned* to its one outcome.

use std::ops::Range;
use std::pin::pin;

use serde_json::Value;

use super::books::Outcome;
use super::cookies::{self, Whom};
use super::follow::{Astray, Hop};
use super::judge::{Judge, Mismatch, Status};
use super::lease::undialled;
use super::program::{Again, Ask, CatchFrom};
use super::request;
use super::transcript::Ended;
use super::unpack::Packed;
use super::visit::Visit;
use super::worker::Cut;
use crate::base::template::RenderError;
use crate::base::units::{At, Span};
use crate::plan::EndpointId;
use crate::record::BadKind;
use crate::wire::{Answer, Dialled, Head, Lost, Origin, Outgoing, WireError};

/// Why a request did not bring what it should, as data: a platform that fails at a high rate costs no texts. They are
/// put together where somebody will read them, by [`Visit::explain`].
#[derive(Debug)]
pub(super) enum Why {
    Wire(WireError),
    Status(u16),
    Mismatch(Mismatch),
    Slow(Span),
    /// Nothing for the capture of this number.
    Capture(usize),
    /// What it found is no number from 0 up, which a figure could count.
    NoNumber(usize),
    Render(RenderError),
    /// What it waited for did not come in this time.
    Poll(Span),
    Drained,
    Stopped,
    /// An answer that could not be made plain.
    Packed(Packed),
    /// A redirect that was not followed.
    Astray(Astray),
    /// No connection was free in this time.
    Full(Span),
    QueueFull,
}

impl From<WireError> for Why {
    fn from(error: WireError) -> Why {
        Why::Wire(error)
    }
}

impl From<RenderError> for Why {
    fn from(error: RenderError) -> Why {
        Why::Render(error)
    }
}

impl From<Mismatch> for Why {
    fn from(mismatch: Mismatch) -> Why {
        Why::Mismatch(mismatch)
    }
}

/// One request and what came of it.
pub(super) struct Tried {
    pub sent: Option<At>,
    pub done: At,
    pub dialled: Option<Dialled>,
    pub answer: Option<Received>,
    pub result: Result<(), (Outcome, Why)>,
    /// What went out, where somebody reads every request.
    pub shown: Option<String>,
    /// Where a redirect has led it.
    pub hop: Option<Box<Hop>>,
}

impl Default for Tried {
    fn default() -> Tried {
        let (sent, dialled, answer, shown, hop) = (None, None, None, None, None);
        Tried { sent, done: At::START, dialled, answer, result: Ok(()), shown, hop }
    }
}

/// Its text lies in the visit's buffer.
pub(super) struct Received {
    pub head: Head,
    pub body: Range<usize>,
    pub length: u64,
    /// The body as JSON, where the step looks into it.
    pub json: Option<Result<Value, Mismatch>>,
}

impl Visit<'_> {
    /// From *planned* to the one outcome, and the instant at which it was done.
    pub(super) async fn ask(&mut self, ask: &Ask, planned: At, released: At) -> Result<At, (Outcome, At)> {
        let series = self.lane.series.get(ask.index).copied();
        let deadline = match &ask.poll {
            None => released + ask.timeout,
            Some(poll) => planned + poll.within,
        };
        self.begin_groups(planned);
        self.worker.begin(self.me, series, planned, deadline);
        let mut tried = match &ask.poll {
            None => self.tries(ask, planned).await,
            Some(poll) => self.poll(ask, poll, planned, deadline).await,
        };
        // Before it ends: it was waiting in every second that was over by then.
        self.worker.close_before(tried.done);
        let settled = self.worker.end(self.me);
        if tried.result.is_ok() {
            tried.result = self.capture(ask, planned, &tried);
        }
        if let (Ok(()), Some(within)) = (&tried.result, ask.judge.within)
            && tried.done.since(planned) > within
        {
            let why = Why::Slow(tried.done.since(planned));
            tried.result = Err((Outcome::Bad(BadKind::Slow), why));
        }
        let done = tried.done;
        match self.finish(ask, planned, released, tried, settled) {
            Outcome::Ok => Ok(done),
            outcome => Err((outcome, done)),
        }
    }

    /// Asks again and again until the awaited answer comes, a request fails, or the time is over.
    pub(super) async fn poll(&mut self, ask: &Ask, poll: &Again, planned: At, deadline: At) -> Tried {
        let mut first = None;
        loop {
            let asked = self.worker.now();
            let left = deadline.since(asked).min(ask.timeout);
            self.worker.begin_again(self.me, asked + left);
            let mut tried = self.once(ask, left).await;
            first = first.or(tried.sent);
            tried.sent = first;
            match &tried.result {
                Err((outcome @ Outcome::Bad(BadKind::Timeout), _)) if self.worker.now() >= deadline => {
                    tried.result = Err((*outcome, Why::Poll(poll.within)));
                }
                Err(_) => {}
                Ok(()) if self.holds(&poll.until, &tried) => {}
                Ok(()) => {
                    self.witness(ask, planned, &tried, Ok(Ended::NotYet));
                    self.learn(ask, &tried);
                    self.worker.begin_again(self.me, deadline);
                    match self.worker.think_until(self.me, asked + poll.every).await {
                        Ok(()) => continue,
                        Err(Cut::Timeout) => {
                            tried.result = Err((Outcome::Bad(BadKind::Timeout), Why::Poll(poll.within)));
                        }
                        Err(cut) => tried.result = Err(abandoned(cut, left)),
                    }
                    tried.done = self.worker.now();
                }
            }
            return tried;
        }
    }

    pub(super) fn holds(&self, until: &Judge, tried: &Tried) -> bool {
        let Some(received) = &tried.answer else { return false };
        until.status(received.head.status) == Status::Good && self.look(until, received).is_ok()
    }

    pub(super) fn look(&self, judge: &Judge, received: &Received) -> Result<(), Mismatch> {
        if let Some(Err(error)) = &received.json
            && judge.needs_json()
        {
            return Err(error.clone());
        }
        if judge.needs_body() && received.length > received.body.len() as u64 {
            return Err(Mismatch::TooLong);
        }
        self.see(|visit| judge.look(received.looked(&self.values.buffer), visit))
    }

    /// One request and its answer, without captures.
    pub(super) async fn once(&mut self, ask: &Ask, limit: Span) -> Tried {
        let mut tried = Tried::default();
        self.values.sends += 1;
        match self.outgoing(ask) {
            Ok(outgoing) => self.send(ask, ask.endpoint, &outgoing, limit, &mut tried).await,
            Err(error) => {
                tried.result = Err((Outcome::Bad(BadKind::Template), error.into()));
                tried.done = self.worker.now();
            }
        }
        tried
    }

    /// Sends a request to an endpoint, and reads its answer.
    pub(super) async fn send(
        &mut self,
        ask: &Ask,
        endpoint: EndpointId,
        outgoing: &Outgoing,
        limit: Span,
        tried: &mut Tried,
    ) {
        self.show(outgoing, tried);
        loop {
            let mut connection = match self.connection(endpoint, limit, &mut tried.dialled).await {
                Ok(connection) => connection,
                Err(failed) => {
                    tried.result = Err(failed);
                    tried.done = self.worker.now();
                    return;
                }
            };
            let reused = connection.requests() > 0;
            let exchanged = {
                let exchange = pin!(connection.exchange(outgoing, ask.keep, &mut self.values.buffer));
                self.worker.unless_cut(self.me, exchange).await
            };
            tried.sent = connection.sent().map(|at| self.worker.at(at));
            match &exchanged {
                Ok(_) => self.put_back(endpoint, connection),
                Err(_) => self.throw_away(endpoint, connection),
            }
            // It was closed while it was idle and nothing of the request went out, so this is no second try.
            if matches!(&exchanged, Ok(Err(lost)) if lost.sent.is_none() && reused) {
                continue;
            }
            self.take(ask, exchanged, limit, tried);
            return;
        }
    }

    fn show(&self, outgoing: &Outgoing, tried: &mut Tried) {
        if self.worker.transcript.is_some() {
            tried.shown = Some(request::show_request(outgoing));
        }
    }

    /// Sends a request to a host that is no endpoint, on a connection of its own.
    pub(super) async fn send_elsewhere(
        &mut self,
        ask: &Ask,
        origin: &Origin,
        outgoing: &Outgoing,
        limit: Span,
        tried: &mut Tried,
    ) {
        self.show(outgoing, tried);
        tried.done = self.worker.now();
        let mut connection = match self.worker.unless_cut(self.me, pin!(self.worker.door.connect(origin))).await {
            Ok(Ok((connection, took))) => {
                self.worker.note_connected();
                tried.dialled = Some(took);
                connection
            }
            Ok(Err(error)) => {
                tried.result = Err(undialled(error));
                tried.done = self.worker.now();
                return;
            }
            Err(cut) => {
                tried.result = Err(abandoned(cut, limit));
                tried.done = self.worker.now();
                return;
            }
        };
        let exchanged = {
            let exchange = pin!(connection.exchange(outgoing, ask.keep, &mut self.values.buffer));
            self.worker.unless_cut(self.me, exchange).await
        };
        tried.sent = connection.sent().map(|at| self.worker.at(at));
        self.take(ask, exchanged, limit, tried);
    }

    /// Makes of an exchange what it came to.
    fn take(&mut self, ask: &Ask, exchanged: Result<Result<Answer, Lost>, Cut>, limit: Span, tried: &mut Tried) {
        match exchanged {
            Ok(Ok(answer)) => {
                tried.done = self.worker.at(answer.done);
                let (answer, unpacked) = if ask.decompress { self.unpack(answer) } else { (answer, Ok(())) };
                let received = receive(ask, answer, &self.values.buffer);
                tried.result = match (self.judge(ask, &received), unpacked) {
                    (Err(failed @ (Outcome::Shed | Outcome::Bad(BadKind::Status), _)), _) => Err(failed),
                    (_, Err(packed)) => Err((Outcome::Bad(BadKind::Encoding), Why::Packed(packed))),
                    (judged, Ok(())) => judged,
                };
                tried.answer = Some(received);
            }
            Ok(Err(lost)) => {
                tried.done = self.worker.now();
                let kind = match lost.error {
                    WireError::Protocol(_) => BadKind::Protocol,
                    _ => BadKind::Broken,
                };
                tried.answer = lost.head.map(|head| Received { head, body: 0..0, length: 0, json: None });
                tried.result = Err((Outcome::Bad(kind), lost.error.into()));
            }
            Err(cut) => {
                tried.done = self.worker.now();
                tried.result = Err(abandoned(cut, limit));
            }
        }
    }

    pub(super) fn outgoing(&mut self, ask: &Ask) -> Result<Outgoing, RenderError> {
        let mut scratch = std::mem::take(&mut self.values.scratch);
        let jar = &self.values.jar;
        let cookie = |path: &str| jar.header(self.whom(ask, path)?, self.worker.wall());
        // A user's jar may hold what other journeys were given.
        let sends = self.program.cookies && !jar.is_empty();
        let cookie: Option<&request::CookieFor<'_>> = sends.then_some(&cookie);
        let trace = ask.traceparent.map(|sampled| self.traceparent(sampled));
        let trace = trace.as_ref().map(<[u8; 55]>::as_slice);
        let outgoing = self.see(|visit| request::outgoing(ask, visit, &mut scratch, cookie, trace));
        self.values.scratch = scratch;
        outgoing
    }

    fn whom<'p>(&self, ask: &Ask, path: &'p str) -> Option<Whom<'p>>
    where
        Self: 'p,
    {
        let origin = &self.worker.places.get(ask.endpoint.index())?.origin;
        Some(Whom { host: origin.host(), port: origin.port(), secure: origin.is_secure(), path })
    }

    pub(super) fn judge(&self, ask: &Ask, received: &Received) -> Result<(), (Outcome, Why)> {
        let status = received.head.status;
        match ask.judge.status(status) {
            Status::Good => {}
            Status::Shed => return Err((Outcome::Shed, Why::Status(status))),
            Status::Bad => return Err((Outcome::Bad(BadKind::Status), Why::Status(status))),
        }
        if ask.judge.is_simple() {
            return Ok(());
        }
        self.look(&ask.judge, received).map_err(|mismatch| (Outcome::Bad(BadKind::Expectation), mismatch.into()))
    }

    pub(super) fn capture(&mut self, ask: &Ask, planned: At, tried: &Tried) -> Result<(), (Outcome, Why)> {
        let Some(received) = &tried.answer else { return Ok(()) };
        for (index, catch) in ask.captures.iter().enumerate() {
            let missing = |why: Why| (Outcome::Bad(BadKind::Capture), why);
            let found = match &catch.from {
                CatchFrom::Header(name) => {
                    let value = received.head.headers(&self.values.buffer).get(name);
                    value.map(|value| Value::String(String::from_utf8_lossy(value).into_owned()))
                }
                CatchFrom::Cookie(name) => {
                    let value = cookies::set_by(received.head.headers(&self.values.buffer), name);
                    value.map(|value| Value::String(value.to_owned()))
                }
                CatchFrom::Regex(regex, index) => {
                    let body = self.values.buffer.get(received.body.clone()).unwrap_or_default();
                    let found = regex.captures_iter(body).nth(*index);
                    if found.is_none() && received.length > received.body.len() as u64 {
                        return Err(missing(Mismatch::TooLong.into()));
                    }
                    let part = found.and_then(|found| found.get(usize::from(regex.captures_len() > 1)));
                    part.map(|part| Value::String(String::from_utf8_lossy(part.as_bytes()).into_owned()))
                }
                CatchFrom::Json(path) => match &received.json {
                    Some(Ok(json)) => path.first(json).cloned(),
                    Some(Err(error)) => return Err(missing(error.clone().into())),
                    None => None,
                },
            };
            match found {
                Some(value) => {
                    let number = catch.figure.map(|figure| (figure, number(&value)));
                    self.set(catch.slot, value, catch.secret);
                    match number {
                        None => {}
                        Some((figure, Some(number))) => self.count_figure(figure, planned, number),
                        Some((_, None)) => return Err(missing(Why::NoNumber(index))),
                    }
                }
                None => return Err(missing(Why::Capture(index))),
            }
        }
        Ok(())
    }

    pub(super) fn learn(&mut self, ask: &Ask, tried: &Tried) {
        let sets = |received: &&Received| self.program.cookies && received.head.sets_cookie;
        let Some(received) = tried.answer.as_ref().filter(sets) else { return };
        if let Some(hop) = &tried.hop {
            let headers = received.head.headers(&self.values.buffer);
            self.values.jar.learn(headers, hop.whom(), self.worker.wall());
            return;
        }
        // The request's own path counts where a cookie names none; it is rendered again for that rare case.
        let line = self.outgoing(ask).map(|outgoing| String::from_utf8_lossy(outgoing.head()).into_owned());
        let line = line.unwrap_or_default();
        let path = line.split([' ', '?']).nth(1).unwrap_or("/");
        let Some(origin) = self.worker.places.get(ask.endpoint.index()).map(|place| &place.origin) else { return };
        let whom = Whom { host: origin.host(), port: origin.port(), secure: origin.is_secure(), path };
        let headers = received.head.headers(&self.values.buffer);
        self.values.jar.learn(headers, whom, self.worker.wall());
    }
}

/// A number from 0 up, be it written as a text.
fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (number.is_finite() && number >= 0.0).then_some(number)
}

fn receive(ask: &Ask, answer: Answer, buffer: &[u8]) -> Received {
    let body = || buffer.get(answer.body.clone()).unwrap_or_default();
    let json = ask.json.then(|| match serde_json::from_slice(body()) {
        Ok(json) => Ok(json),
        Err(_) if answer.length > answer.body.len() as u64 => Err(Mismatch::TooLong),
        Err(_) => Err(Mismatch::NoJson),
    });
    Received { head: answer.head, body: answer.body, length: answer.length, json }
}

/// A request that was cut off once an attempt to send it had been made.
pub(super) fn abandoned(cut: Cut, limit: Span) -> (Outcome, Why) {
    match cut {
        Cut::Timeout => (Outcome::Bad(BadKind::Timeout), WireError::Timeout(limit).into()),
        Cut::Drained => (Outcome::Bad(BadKind::Abandoned), Why::Drained),
        Cut::Stopped => (Outcome::Bad(BadKind::Abandoned), Why::Stopped),
    }
}
