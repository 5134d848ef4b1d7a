//! A server for tests that does to each request what a script says, byte by byte.
#![allow(dead_code)] // Each of those who share it uses its own part.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::base::clock::Clock;
use crate::base::units::{At, Span};

/// One request as the server read it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// On the server's clock.
    pub at: At,
    /// Which connection, and which request on it; both from 0.
    pub connection: u64,
    pub nth: u64,
    pub method: String,
    pub path: String,
    /// The request line and the headers.
    pub head: String,
    pub body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Addresses whose connections panic when they are asked: what a defect of the harness looks like.
static RIGGED: Mutex<Vec<SocketAddr>> = Mutex::new(Vec::new());

pub(super) fn is_rigged(tcp: &TcpStream) -> bool {
    tcp.peer_addr().is_ok_and(|address| RIGGED.lock().unwrap().contains(&address))
}

#[derive(Debug, Clone)]
pub(crate) enum Do {
    Send(Vec<u8>),
    Wait(Span),
    WaitUntil(At),
    Close,
    Reset,
    /// Says nothing more and keeps the connection open.
    Hang,
}

/// A whole answer with a body.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Do {
    let mut text = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.push_str(body);
    Do::Send(text.into_bytes())
}

pub(crate) fn ok(body: &str) -> Vec<Do> {
    vec![answer(200, &[], body)]
}

type Script = dyn Fn(&Seen) -> Vec<Do> + Send + Sync;

/// Listens at a port chosen by the system, on a thread of its own, until it is dropped.
pub(crate) struct Scripted {
    pub address: SocketAddr,
    pub clock: Clock,
    log: Arc<Mutex<Vec<Seen>>>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Scripted {
    pub(crate) fn start(script: impl Fn(&Seen) -> Vec<Do> + Send + Sync + 'static) -> Scripted {
        Scripted::start_with(None, script)
    }

    pub(crate) fn start_with(
        tls: Option<tokio_rustls::TlsAcceptor>,
        script: impl Fn(&Seen) -> Vec<Do> + Send + Sync + 'static,
    ) -> Scripted {
        Scripted::listen(std::net::TcpListener::bind("127.0.0.1:0").unwrap(), tls, script)
    }

    pub(crate) fn start_on(
        listener: std::net::TcpListener,
        script: impl Fn(&Seen) -> Vec<Do> + Send + Sync + 'static,
    ) -> Scripted {
        Scripted::listen(listener, None, script)
    }

    fn listen(
        listener: std::net::TcpListener,
        tls: Option<tokio_rustls::TlsAcceptor>,
        script: impl Fn(&Seen) -> Vec<Do> + Send + Sync + 'static,
    ) -> Scripted {
        let clock = Clock::start();
        let log: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let script: Arc<Script> = Arc::new(script);
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (server_clock, server_log) = (clock.clone(), log.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::spawn(accept(listener, tls, server_clock, server_log, script));
                let _ = stopped.await;
            });
        });
        Scripted { address, clock, log, stop: Some(stop), thread: Some(thread) }
    }

    /// From now on whoever makes a connection to it and asks something panics.
    pub(crate) fn rig(&self) {
        RIGGED.lock().unwrap().push(self.address);
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn log(&self) -> Vec<Seen> {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<tokio_rustls::TlsAcceptor>,
    clock: Clock,
    log: Arc<Mutex<Vec<Seen>>>,
    script: Arc<Script>,
) {
    for connection in 0.. {
        let Ok((tcp, _)) = listener.accept().await else { return };
        let _ = tcp.set_nodelay(true);
        let (clock, log, script) = (clock.clone(), log.clone(), script.clone());
        match tls.clone() {
            None => drop(tokio::spawn(serve(tcp, connection, clock, log, script))),
            Some(tls) => drop(tokio::spawn(async move {
                if let Ok(stream) = tls.accept(tcp).await {
                    serve(stream, connection, clock, log, script).await;
                }
            })),
        }
    }
}

trait Resettable: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin {
    fn tcp(&self) -> &TcpStream;
}

impl Resettable for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Resettable for tokio_rustls::server::TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

async fn serve(
    mut stream: impl Resettable,
    connection: u64,
    clock: Clock,
    log: Arc<Mutex<Vec<Seen>>>,
    script: Arc<Script>,
) {
    let mut buffer = Vec::new();
    for nth in 0.. {
        let Some((head, body)) = read(&mut stream, &mut buffer).await else { return };
        let mut words = head.split(' ');
        let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let (method, path) = (method.to_owned(), path.to_owned());
        let seen = Seen { at: clock.now(), connection, nth, method, path, head, body };
        log.lock().unwrap().push(seen.clone());
        for act in script(&seen) {
            match act {
                Do::Send(bytes) => {
                    if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() {
                        return;
                    }
                }
                Do::Wait(span) => clock.sleep(span).await,
                Do::WaitUntil(at) => clock.sleep_until(at).await,
                Do::Close => return,
                Do::Reset => {
                    let _ = socket2::SockRef::from(stream.tcp()).set_linger(Some(std::time::Duration::ZERO));
                    return;
                }
                Do::Hang => std::future::pending().await,
            }
        }
    }
}

/// The next request's head and body.
async fn read(stream: &mut (impl AsyncReadExt + Unpin), buffer: &mut Vec<u8>) -> Option<(String, String)> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(0, |(_, value)| value.trim().parse().unwrap());
            if buffer.len() >= end + 4 + length {
                let body = String::from_utf8_lossy(&buffer[end + 4..end + 4 + length]).into_owned();
                buffer.drain(..end + 4 + length);
                return Some((head, body));
            }
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}
