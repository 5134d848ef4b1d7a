use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http::{Request, Response, response};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::WireError;
use super::stream::{Stamps, Stream};
use crate::base::clock::Clock;
use crate::base::units::At;

/// A connection that carries one request at a time. It has no task of its own: it moves while a request is asked.
///
/// hyper's HTTP/1.1 is the one way there is so far; another would stand beside it in `Speaker`.
pub struct Connection {
    /// Apart, since it is large and connections move from hand to hand.
    speaker: Box<Speaker>,
    stamps: Arc<Stamps>,
    clock: Clock,
    requests: u64,
    open: bool,
}

struct Speaker {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: http1::Connection<TokioIo<Stream>, Full<Bytes>>,
}

/// A complete answer.
#[derive(Debug)]
pub struct Answer {
    pub head: response::Parts,
    /// As much of the body as was asked for.
    pub body: Bytes,
    /// The body's whole length.
    pub length: u64,
    /// The first byte of the request was handed to the socket.
    pub sent: At,
    /// The first byte of the answer was read.
    pub first: At,
    /// The last byte of the answer was read.
    pub done: At,
}

/// A request that did not come to the end of its answer.
#[derive(Debug)]
pub struct Lost {
    pub error: WireError,
    /// None: not a byte of it was handed to the socket.
    pub sent: Option<At>,
    pub done: At,
    /// The head of the answer, if that had come.
    pub head: Option<response::Parts>,
}

impl Connection {
    pub(super) async fn over(stream: Stream, clock: Clock) -> Result<Connection, WireError> {
        let stamps = stream.stamps();
        let handshake = http1::Builder::new().handshake(TokioIo::new(stream)).await;
        let (sender, driver) = handshake.map_err(|error| classify(&error))?;
        Ok(Connection { speaker: Box::new(Speaker { sender, driver }), stamps, clock, requests: 0, open: true })
    }

    /// How many requests it has carried.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// When the first byte of the last request was handed to the socket; none: not a byte of it.
    pub fn sent(&self) -> Option<At> {
        self.stamps.sent()
    }

    /// Whether another request may go out on it. Notices when the other end has closed it, without waiting.
    pub fn is_open(&mut self) -> bool {
        if self.open {
            // Nobody waits for this connection between two requests, so what woke it up is looked at here.
            let mut cx = Context::from_waker(Waker::noop());
            self.drive(&mut cx);
            self.open = self.open && self.speaker.sender.is_ready();
        }
        self.open
    }

    fn drive(&mut self, cx: &mut Context<'_>) -> Option<hyper::Error> {
        if !self.open {
            return None;
        }
        match Pin::new(&mut self.speaker.driver).poll(cx) {
            Poll::Pending => None,
            Poll::Ready(ended) => {
                self.open = false;
                ended.err()
            }
        }
    }

    /// Sends `request` and reads the whole answer, keeping up to `keep` bytes of its body. Once dropped half-way, or
    /// after an error, the connection is of no more use.
    pub async fn exchange(&mut self, request: Request<Full<Bytes>>, keep: usize) -> Result<Answer, Lost> {
        self.stamps.clear();
        let reused = self.requests > 0;
        self.requests += 1;
        let (head, body) = match self.ask(request).await {
            Ok(answer) => answer.into_parts(),
            Err(error) => {
                let stale = reused && self.stamps.first().is_none();
                return Err(self.lost(error.as_ref().map_or(WireError::Closed, classify), stale, None));
            }
        };
        match self.read(body, keep).await {
            Ok((body, length)) => {
                let done = self.clock.now();
                let sent = self.stamps.sent().unwrap_or(done);
                let first = self.stamps.first().unwrap_or(done);
                Ok(Answer { head, body, length, sent, first, done })
            }
            Err(error) => Err(self.lost(classify(&error), false, Some(head))),
        }
    }

    fn lost(&mut self, error: WireError, stale: bool, head: Option<response::Parts>) -> Lost {
        self.open = false;
        let error = match error {
            WireError::Reset | WireError::Closed if stale => WireError::Stale,
            other => other,
        };
        Lost { error, sent: self.stamps.sent(), done: self.clock.now(), head }
    }

    /// Sends `request` and reads the answer's head. The error is what hyper knows, if anything.
    async fn ask(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Option<hyper::Error>> {
        let Speaker { sender, driver } = &mut *self.speaker;
        let mut asked = pin!(sender.try_send_request(request));
        let mut driver = Pin::new(driver);
        let open = &mut self.open;
        // The answer is moved on by the driver alone, so it needs no waker of its own: that saves waking ourselves.
        let mut quiet = Context::from_waker(Waker::noop());
        std::future::poll_fn(|cx| {
            let mut why = None;
            if *open && let Poll::Ready(ended) = driver.as_mut().poll(cx) {
                *open = false;
                why = ended.err();
            }
            match asked.as_mut().poll(&mut quiet) {
                Poll::Ready(Ok(answer)) => Poll::Ready(Ok(answer)),
                Poll::Ready(Err(error)) => Poll::Ready(Err(why.or_else(|| Some(error.into_error())))),
                Poll::Pending if *open => Poll::Pending,
                // The driver has ended and will never give the answer.
                Poll::Pending => Poll::Ready(Err(why)),
            }
        })
        .await
    }

    async fn read(&mut self, mut body: Incoming, keep: usize) -> Result<(Bytes, u64), hyper::Error> {
        let mut kept = Kept::new(keep);
        let mut length = 0;
        let mut quiet = Context::from_waker(Waker::noop());
        std::future::poll_fn(|cx| {
            let mut moved = false;
            let mut failed = None;
            loop {
                match Pin::new(&mut body).poll_frame(&mut quiet) {
                    Poll::Ready(Some(Ok(frame))) => {
                        if let Ok(data) = frame.into_data() {
                            length += data.len() as u64;
                            kept.add(data);
                        }
                        moved = false;
                    }
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(failed.take().unwrap_or(error))),
                    Poll::Ready(None) => return Poll::Ready(Ok(())),
                    Poll::Pending if moved => return Poll::Pending,
                    Poll::Pending => {
                        failed = self.drive(cx);
                        moved = true;
                    }
                }
            }
        })
        .await?;
        Ok((kept.bytes(), length))
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("requests", &self.requests).field("open", &self.open).finish()
    }
}

/// The beginning of a body. Most bodies come in one piece, which is kept without copying it.
struct Kept {
    room: usize,
    first: Bytes,
    rest: BytesMut,
}

impl Kept {
    fn new(room: usize) -> Kept {
        Kept { room, first: Bytes::new(), rest: BytesMut::new() }
    }

    fn add(&mut self, mut data: Bytes) {
        data.truncate(self.room);
        self.room -= data.len();
        if data.is_empty() {
            return;
        }
        if self.first.is_empty() && self.rest.is_empty() {
            self.first = data;
            return;
        }
        if self.rest.is_empty() {
            self.rest.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.rest.extend_from_slice(&data);
    }

    fn bytes(self) -> Bytes {
        if self.rest.is_empty() { self.first } else { self.rest.freeze() }
    }
}

fn classify(error: &hyper::Error) -> WireError {
    if error.is_parse() || error.is_parse_too_large() {
        return WireError::Protocol(error.to_string());
    }
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return WireError::of_stream(io);
        }
        source = cause.source();
    }
    WireError::Closed
}
