//! Calls from one part to another: pooled HTTP/1 connections to one address, bounded in number and in time.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, timeout, timeout_at};

/// Shorter than the time after which a server closes idle connections, so that we close first.
const IDLE: Duration = Duration::from_secs(30);

/// Answers that are read whole may be this large.
const ANSWER_LIMIT: usize = 8 << 20;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum CallError {
    #[error("every connection to {0} is in use")]
    Busy(String),
    #[error("cannot connect to {address}: {what}")]
    Connect { address: String, what: String },
    #[error("{address} broke the connection: {what}")]
    Broken { address: String, what: String },
    #[error("{0} did not answer in time")]
    Late(String),
}

impl CallError {
    /// Whether the other side cannot have seen the request.
    pub(super) fn unsent(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Connect { .. })
    }
}

/// One address, and the connections to it.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) address: String,
    connect: Duration,
    idle: Mutex<Vec<(SendRequest<Body>, Instant)>>,
    room: Arc<Semaphore>,
    /// Calls whose answer has not been read to its end.
    pub(super) outstanding: AtomicUsize,
    pub(super) connected: AtomicU64,
}

impl Upstream {
    pub(super) fn new(address: &str, connections: usize, connect: Duration) -> Arc<Self> {
        Arc::new(Self {
            address: address.to_owned(),
            connect,
            idle: Mutex::default(),
            room: Arc::new(Semaphore::new(connections)),
            outstanding: AtomicUsize::new(0),
            connected: AtomicU64::new(0),
        })
    }

    /// Sends and waits until the answer's head is here. Its body goes back to the pool with the connection once read.
    pub(super) async fn send(
        self: &Arc<Self>,
        mut request: Request<Body>,
        within: Duration,
    ) -> Result<Response<Answer>, CallError> {
        let deadline = tokio::time::Instant::now() + within;
        let late = || CallError::Late(self.address.clone());
        // Waiting a little for room evens out bursts; no room for long is the caller's cue to shed.
        let waiting = within.min(Duration::from_millis(100));
        let room = match timeout(waiting, Arc::clone(&self.room).acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            _ => return Err(CallError::Busy(self.address.clone())),
        };
        let hold = Hold::new(Arc::clone(self), room);
        loop {
            let (mut sender, reused) = match self.take_idle() {
                Some(sender) => (sender, true),
                None => (self.open().await?, false),
            };
            match timeout_at(deadline, sender.ready()).await {
                Ok(Ok(())) => (),
                Ok(Err(_)) if reused => continue,
                Ok(Err(error)) => return Err(self.broken(&error)),
                Err(_) => return Err(late()),
            }
            match timeout_at(deadline, sender.try_send_request(request)).await {
                Ok(Ok(response)) => return Ok(response.map(|inner| Answer::new(inner, sender, hold))),
                Ok(Err(mut error)) => match error.take_message() {
                    // It was never written: the idle connection had been closed meanwhile.
                    Some(unsent) if reused => request = unsent,
                    _ => return Err(self.broken(&error.into_error())),
                },
                Err(_) => return Err(late()),
            }
        }
    }

    /// Sends and reads the whole answer, all within one time.
    pub(super) async fn call(
        self: &Arc<Self>,
        request: Request<Body>,
        within: Duration,
    ) -> Result<(StatusCode, HeaderMap, Bytes), CallError> {
        let work = async {
            let (head, body) = self.send(request, within).await?.into_parts();
            let bytes = Limited::new(body, ANSWER_LIMIT)
                .collect()
                .await
                .map_err(|error| CallError::Broken { address: self.address.clone(), what: error.to_string() })?;
            Ok((head.status, head.headers, bytes.to_bytes()))
        };
        timeout(within, work).await.unwrap_or_else(|_| Err(CallError::Late(self.address.clone())))
    }

    /// Closes what is idle: after an ejection, old connections are not worth trusting.
    pub(super) fn forget(&self) {
        self.idle().clear();
    }

    fn take_idle(&self) -> Option<SendRequest<Body>> {
        let mut idle = self.idle();
        while let Some((sender, since)) = idle.pop() {
            if !sender.is_closed() && since.elapsed() < IDLE {
                return Some(sender);
            }
        }
        None
    }

    fn put_idle(&self, sender: SendRequest<Body>) {
        if !sender.is_closed() {
            self.idle().push((sender, Instant::now()));
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(SendRequest<Body>, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn open(&self) -> Result<SendRequest<Body>, CallError> {
        let failed = |what: String| CallError::Connect { address: self.address.clone(), what };
        let stream = match timeout(self.connect, TcpStream::connect(&self.address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(failed("no answer in time".to_owned())),
        };
        // Without it requests would still arrive, only later.
        let _ = stream.set_nodelay(true);
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failed(error.to_string()))?;
        // How the connection ended is told to whoever uses it.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        self.connected.fetch_add(1, Ordering::Relaxed);
        Ok(sender)
    }

    fn broken(&self, error: &hyper::Error) -> CallError {
        CallError::Broken { address: self.address.clone(), what: error.to_string() }
    }
}

/// A place among the upstream's connections; counted as outstanding while held.
#[derive(Debug)]
struct Hold {
    upstream: Arc<Upstream>,
    _room: OwnedSemaphorePermit,
}

impl Hold {
    fn new(upstream: Arc<Upstream>, room: OwnedSemaphorePermit) -> Self {
        upstream.outstanding.fetch_add(1, Ordering::Relaxed);
        Self { upstream, _room: room }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.upstream.outstanding.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer's body. Read to its end, it hands its connection back; dropped earlier, it closes it. A body that stands
/// still for longer than the idle time breaks.
#[derive(Debug)]
pub(super) struct Answer {
    inner: Incoming,
    sender: Option<SendRequest<Body>>,
    hold: Option<Hold>,
    stalled: Pin<Box<Sleep>>,
}

const STALL: Duration = Duration::from_secs(10);

impl Answer {
    fn new(inner: Incoming, sender: SendRequest<Body>, hold: Hold) -> Self {
        Self { inner, sender: Some(sender), hold: Some(hold), stalled: Box::pin(tokio::time::sleep(STALL)) }
    }

    fn finish(&mut self) {
        if let (Some(sender), Some(hold)) = (self.sender.take(), self.hold.take()) {
            hold.upstream.put_idle(sender);
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if hyper::body::Body::is_end_stream(&self.inner) {
            self.finish();
        }
    }
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.stalled.as_mut().reset(tokio::time::Instant::now() + STALL);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => {
                self.finish();
                Poll::Ready(None)
            }
            Poll::Pending => match self.stalled.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(Some(Err("the answer stood still for too long".into()))),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A request with a JSON body, or none.
pub(super) fn request(method: &str, path: &str, host: &str, body: Option<&serde_json::Value>) -> Request<Body> {
    let body = body.map(|value| Bytes::from(value.to_string()));
    raw_request(method, path, host, body, &HeaderMap::new())
}

/// A request whose body is JSON already, with further headers. A path that is none becomes `/`, which no part serves.
pub(super) fn raw_request(
    method: &str,
    path: &str,
    host: &str,
    body: Option<Bytes>,
    headers: &HeaderMap,
) -> Request<Body> {
    let mut request = Request::new(body.map_or_else(Body::empty, Body::from));
    *request.method_mut() = method.parse().unwrap_or_default();
    *request.uri_mut() = path.parse().unwrap_or_default();
    let own = request.headers_mut();
    own.extend(headers.iter().map(|(name, value)| (name.clone(), value.clone())));
    if let Ok(host) = host.parse() {
        own.insert(header::HOST, host);
    }
    own.insert(header::CONTENT_TYPE, axum::http::HeaderValue::from_static("application/json"));
    request
}
