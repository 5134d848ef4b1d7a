//! Listening, and stopping gracefully: readiness turns bad, then no more connections, then what is in flight ends.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::ShopError;

/// An idle connection is closed after this long, and so is one that never finishes its headers.
const IDLE: Duration = Duration::from_secs(75);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Running,
    Leaving,
    Closed,
}

/// The one way in which a part learns that it should end. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    sender: Arc<watch::Sender<Stage>>,
}

impl Stop {
    /// One that nobody has asked for yet.
    pub(super) fn new() -> Self {
        Self { sender: Arc::new(watch::Sender::new(Stage::Running)) }
    }

    /// One that TERM or INT asks for.
    pub(super) fn on_signals() -> std::io::Result<Self> {
        let stop = Self::new();
        let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let asked = stop.clone();
        tokio::spawn(async move {
            tokio::select! { _ = term.recv() => (), _ = int.recv() => () }
            asked.ask();
        });
        Ok(stop)
    }

    /// Readiness turns bad; what is asked is still served.
    pub(super) fn ask(&self) {
        self.rise(Stage::Leaving);
    }

    fn close(&self) {
        self.rise(Stage::Closed);
    }

    fn rise(&self, to: Stage) {
        self.sender.send_if_modified(|stage| {
            let rises = *stage < to;
            *stage = to.max(*stage);
            rises
        });
    }

    pub(super) fn is_leaving(&self) -> bool {
        *self.sender.borrow() >= Stage::Leaving
    }

    pub(super) async fn leaving(&self) {
        self.reached(Stage::Leaving).await;
    }

    async fn reached(&self, at_least: Stage) {
        // The sender lives as long as self, so waiting cannot fail.
        let _ = self.sender.subscribe().wait_for(|stage| *stage >= at_least).await;
    }
}

/// Who is at the other end of the connection that a request came on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Bounds of one listener.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) connections: usize,
    /// From the stop signal to refusing connections; time for balancers to see that readiness is bad.
    pub(super) linger: Duration,
    /// For what is in flight once no more is accepted.
    pub(super) finish: Duration,
}

/// A part that is started again at its address may come while the system still clears up after the last one: an
/// address in use is asked for again for this long.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) async fn listen(address: &str) -> Result<(TcpListener, SocketAddr), ShopError> {
    let failed = |source| ShopError::Listen { address: address.to_owned(), source };
    let began = Instant::now();
    let listener = loop {
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == ErrorKind::AddrInUse && began.elapsed() < PATIENCE => {
                sleep(Duration::from_millis(50)).await;
            }
            other => break other.map_err(failed)?,
        }
    };
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Says where a part can be reached: the line that scripts wait for.
pub(super) fn announce(part: &str, address: SocketAddr) {
    use std::io::Write;
    // A closed standard output is no reason not to serve.
    let _ = writeln!(std::io::stdout(), "{part} listening on {address}");
    let _ = std::io::stdout().flush();
}

/// Serves until stopped. Returns when everything in flight has ended, or its time is over.
pub(super) async fn serve(listener: TcpListener, app: Router, stop: Stop, bounds: Bounds) {
    let room = Arc::new(Semaphore::new(bounds.connections));
    let mut connections = JoinSet::new();
    let closing = {
        let stop = stop.clone();
        async move {
            stop.leaving().await;
            sleep(bounds.linger).await;
            stop.close();
        }
    };
    tokio::pin!(closing);
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            () = &mut closing => break,
            accepted = accept(&listener, &room) => accepted,
        };
        let Some((stream, peer, permit)) = accepted else { continue };
        let (inner, stop) = (TowerToHyperService::new(app.clone()), stop.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            inner.call(request)
        });
        connections.spawn(async move {
            let _permit = permit;
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(IDLE)
                .serve_connection(TokioIo::new(stream), service);
            tokio::pin!(connection);
            tokio::select! {
                // A client that resets its connection is its own affair.
                _ = connection.as_mut() => return,
                () = stop.reached(Stage::Closed) => (),
            }
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        });
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if timeout(bounds.finish, all_ended).await.is_err() {
        eprintln!("{} connections were still busy after the grace period and are cut", connections.len());
    }
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    // Waiting for room before accepting leaves surplus connections to the kernel's own bounded queue.
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Small answers must not wait for acknowledgements; a socket that refuses still works.
            let _ = stream.set_nodelay(true);
            Some((stream, peer, permit))
        }
        Err(_) => {
            // Out of open files, mostly: going round at once would only burn the processor.
            sleep(Duration::from_millis(20)).await;
            None
        }
    }
}

impl From<&super::args::Bounds> for Bounds {
    fn from(args: &super::args::Bounds) -> Self {
        Self { connections: args.connections.max(1), linger: args.linger, finish: args.finish }
    }
}
