use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

use super::transport::Transport;
use crate::base::clock::Clock;
use crate::base::units::At;

/// When the first byte of a request was handed to the socket, and the first byte of its answer was read.
///
/// Atomic only so that whoever holds a connection may move between threads; nobody ever writes at the same time.
#[derive(Debug, Default)]
pub(super) struct Stamps {
    sent: AtomicU64,
    first: AtomicU64,
}

/// Stands for "not yet": no drill lasts 584 years.
const NOT_YET: u64 = u64::MAX;

impl Stamps {
    /// Before each request.
    pub(super) fn clear(&self) {
        self.sent.store(NOT_YET, Ordering::Relaxed);
        self.first.store(NOT_YET, Ordering::Relaxed);
    }

    /// Only bytes that the socket has taken count, from the attempt that it took them at.
    fn note_written(&self, written: &Poll<io::Result<usize>>, begun: At) {
        if matches!(written, Poll::Ready(Ok(1..))) {
            note(&self.sent, begun);
        }
    }

    pub(super) fn sent(&self) -> Option<At> {
        read(&self.sent)
    }

    pub(super) fn first(&self) -> Option<At> {
        read(&self.first)
    }
}

fn read(stamp: &AtomicU64) -> Option<At> {
    Some(stamp.load(Ordering::Relaxed)).filter(|at| *at != NOT_YET).map(At)
}

fn note(stamp: &AtomicU64, at: At) {
    if stamp.load(Ordering::Relaxed) == NOT_YET {
        stamp.store(at.as_nanos(), Ordering::Relaxed);
    }
}

/// A socket that stamps what passes through it, under TLS if there is any.
#[derive(Debug)]
pub(super) struct Socket {
    transport: Transport,
    clock: Clock,
    pub(super) stamps: Arc<Stamps>,
}

impl Socket {
    pub(super) fn new(transport: Transport, clock: Clock) -> Socket {
        Socket { transport, clock, stamps: Arc::default() }
    }

    pub(super) fn into_transport(self) -> Transport {
        self.transport
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.transport).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            note(&self.stamps.first, self.clock.now());
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let begun = self.clock.now();
        let written = Pin::new(&mut self.transport).poll_write(cx, buf);
        self.stamps.note_written(&written, begun);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let begun = self.clock.now();
        let written = Pin::new(&mut self.transport).poll_write_vectored(cx, bufs);
        self.stamps.note_written(&written, begun);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}

/// What a connection speaks HTTP over.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
}

impl Stream {
    pub(super) fn stamps(&self) -> Arc<Stamps> {
        match self {
            Stream::Plain(socket) => socket.stamps.clone(),
            Stream::Tls(tls) => tls.get_ref().0.stamps.clone(),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            Stream::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).poll_write(cx, buf),
            Stream::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, bufs),
            Stream::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Plain(socket) => socket.is_write_vectored(),
            Stream::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
