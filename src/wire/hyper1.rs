//! HTTP/1.1 as hyper speaks it: over TLS, and as what our own is held against.

use std::future::Future;
use std::io::Write as _;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::SET_COOKIE;
use http::{Request, Response, StatusCode, response};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::answer::{Answer, Head, Lost};
use super::plain::{LONGEST_HEAD, too_long};
use super::stream::{Stamps, Stream};
use super::{Outgoing, WireError};
use crate::base::clock::Clock;
use crate::base::units::At;

pub(super) struct Hyper {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: http1::Connection<TokioIo<Stream>, Full<Bytes>>,
    stamps: Arc<Stamps>,
    open: bool,
}

impl Hyper {
    pub(super) async fn new(stream: Stream) -> Result<Hyper, WireError> {
        let stamps = stream.stamps();
        let handshake = http1::Builder::new().max_buf_size(LONGEST_HEAD).handshake(TokioIo::new(stream)).await;
        let (sender, driver) = handshake.map_err(|error| classify(&error))?;
        Ok(Hyper { sender, driver, stamps, open: true })
    }

    pub(super) fn sent(&self) -> Option<At> {
        self.stamps.sent()
    }

    pub(super) fn first(&self) -> Option<At> {
        self.stamps.first()
    }

    pub(super) fn is_sound(&self) -> bool {
        self.open
    }

    pub(super) fn is_open(&mut self) -> bool {
        if self.open {
            // Nobody waits for this connection between two requests, so what woke it up is looked at here.
            let mut cx = Context::from_waker(Waker::noop());
            self.drive(&mut cx);
            self.open = self.open && self.sender.is_ready();
        }
        self.open
    }

    fn drive(&mut self, cx: &mut Context<'_>) -> Option<hyper::Error> {
        if !self.open {
            return None;
        }
        match Pin::new(&mut self.driver).poll(cx) {
            Poll::Pending => None,
            Poll::Ready(ended) => {
                self.open = false;
                ended.err()
            }
        }
    }

    pub(super) async fn exchange(
        &mut self,
        outgoing: &Outgoing,
        keep: usize,
        into: &mut Vec<u8>,
        clock: &Clock,
    ) -> Result<Answer, Lost> {
        self.stamps.clear();
        into.clear();
        let request = match outgoing.to_hyper() {
            Ok(request) => request,
            Err(error) => return Err(self.lost(error, None, clock)),
        };
        let (head, body) = match self.ask(request).await {
            Ok(answer) => answer.into_parts(),
            Err(error) => return Err(self.lost(error.as_ref().map_or(WireError::Closed, classify), None, clock)),
        };
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            let error = WireError::Protocol("a change of protocol that nobody asked for".into());
            return Err(self.lost(error, None, clock));
        }
        let head = write(&head, into);
        if head.text.len() > LONGEST_HEAD {
            return Err(self.lost(too_long(), None, clock));
        }
        let start = into.len();
        match self.read(body, keep, into).await {
            Ok(length) => {
                let done = clock.now();
                let sent = self.stamps.sent().unwrap_or(done);
                let first = self.stamps.first().unwrap_or(done);
                Ok(Answer { head, body: start..into.len(), length, sent, first, done })
            }
            Err(error) => Err(self.lost(classify(&error), Some(head), clock)),
        }
    }

    fn lost(&mut self, error: WireError, head: Option<Head>, clock: &Clock) -> Lost {
        self.open = false;
        Lost { error, sent: self.stamps.sent(), done: clock.now(), head }
    }

    /// Sends `request` and reads the answer's head. The error is what hyper knows, if anything.
    async fn ask(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Option<hyper::Error>> {
        let mut asked = pin!(self.sender.try_send_request(request));
        let mut driver = Pin::new(&mut self.driver);
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

    async fn read(&mut self, mut body: Incoming, keep: usize, into: &mut Vec<u8>) -> Result<u64, hyper::Error> {
        let mut length = 0;
        let mut room = keep;
        let mut quiet = Context::from_waker(Waker::noop());
        std::future::poll_fn(|cx| {
            let mut moved = false;
            let mut failed = None;
            loop {
                match Pin::new(&mut body).poll_frame(&mut quiet) {
                    Poll::Ready(Some(Ok(frame))) => {
                        if let Ok(data) = frame.into_data() {
                            length += data.len() as u64;
                            let kept = &data[..data.len().min(room)];
                            into.extend_from_slice(kept);
                            room -= kept.len();
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
        Ok(length)
    }
}

/// A head as it stood on the wire, near enough: names in lower case.
fn write(head: &response::Parts, into: &mut Vec<u8>) -> Head {
    let status = head.status.as_u16();
    let reason = head.status.canonical_reason().unwrap_or_default();
    // Into memory: that cannot fail.
    let _ = write!(into, "{:?} {status} {reason}\r\n", head.version);
    for (name, value) in &head.headers {
        into.extend_from_slice(name.as_str().as_bytes());
        into.extend_from_slice(b": ");
        into.extend_from_slice(value.as_bytes());
        into.extend_from_slice(b"\r\n");
    }
    into.extend_from_slice(b"\r\n");
    Head { status, text: 0..into.len(), sets_cookie: head.headers.contains_key(SET_COOKIE) }
}

fn classify(error: &hyper::Error) -> WireError {
    if error.is_parse() || error.is_parse_too_large() {
        return WireError::Protocol(error.to_string().into());
    }
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return match WireError::of_stream(io) {
                // hyper's own complaints about the framing of a body.
                WireError::Broken(std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData) => {
                    WireError::Protocol(io.to_string().into())
                }
                other => other,
            };
        }
        source = cause.source();
    }
    WireError::Closed
}
