//! The fault proxy by itself, told what to do over Toxiproxy's HTTP API.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use super::hub::Hub;
use super::toxiproxy::{Answer, Toxiproxy};
use crate::base::clock::Clock;
use crate::base::host;

/// How to start it.
#[derive(Debug)]
pub struct Alone {
    /// Where its API listens; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Proxies to begin with: what `POST /populate` takes.
    pub config: Option<Vec<u8>>,
    /// Decides whom toxics with a share bite.
    pub seed: u64,
}

/// One request to the API, and who waits for its answer.
struct Ask {
    method: Method,
    path: String,
    body: Bytes,
    reply: oneshot::Sender<Answer>,
}

/// Serves until it is interrupted or terminated. `listening` is told where.
pub fn serve(alone: Alone, listening: impl FnOnce(SocketAddr)) -> io::Result<()> {
    let _ = host::raise_open_files();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async move {
        // First bites are nobody's concern here.
        let (bites, _) = mpsc::unbounded_channel();
        let api = Rc::new(Toxiproxy::new(Hub::new(&Clock::start(), bites)?, alone.seed));
        if let Some(config) = &alone.config {
            let (status, said) = api.ask("POST", "/populate", config).await;
            if status != 201 {
                let why = said.and_then(|said| Some(said.get("error")?.as_str()?.to_owned())).unwrap_or_default();
                return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
            }
        }
        let listener = TcpListener::bind(alone.listen).await?;
        listening(listener.local_addr()?);
        let mut terminated = signal(SignalKind::terminate())?;
        let mut interrupted = signal(SignalKind::interrupt())?;
        tokio::select! {
            served = answer(listener, api) => served,
            _ = terminated.recv() => Ok(()),
            _ = interrupted.recv() => Ok(()),
        }
    })
}

/// Answers requests to the API for as long as it is polled.
pub(super) async fn answer(listener: TcpListener, api: Rc<Toxiproxy>) -> io::Result<()> {
    // Whoever serves may be on any thread, and the links are on this one.
    let (tell, mut asks) = mpsc::unbounded_channel::<Ask>();
    let router = Router::new().fallback(move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
        let tell = tell.clone();
        async move { pass_on(&tell, method, &uri, &headers, body).await }
    });
    let mut serves = pin!(async { axum::serve(listener, router).await });
    loop {
        tokio::select! {
            served = &mut serves => return served,
            Some(ask) = asks.recv() => {
                let api = api.clone();
                drop(tokio::task::spawn_local(async move {
                    let answer = api.ask(ask.method.as_str(), &ask.path, &ask.body).await;
                    let _ = ask.reply.send(answer);
                }));
            }
        }
    }
}

async fn pass_on(
    tell: &mpsc::UnboundedSender<Ask>,
    method: Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: Bytes,
) -> Response {
    // A page in a browser must not be able to break things on the machine that shows it.
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    if agent.starts_with("Mozilla/") {
        return (StatusCode::FORBIDDEN, "User agent not allowed").into_response();
    }
    let (reply, answered) = oneshot::channel();
    let path = percent_encoding::percent_decode_str(uri.path()).decode_utf8_lossy().into_owned();
    let _ = tell.send(Ask { method, path, body, reply });
    match answered.await {
        Ok((status, said)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            match said {
                Some(said) => (status, axum::Json(said)).into_response(),
                None => status.into_response(),
            }
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
