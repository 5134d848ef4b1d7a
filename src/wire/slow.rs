//! A connection whose end reads slowly: it takes what comes at a rate, and has the kernel keep little that it has not
//! taken. So the server feels it: its window closes, and its writes wait.
//!
//! The whole connection is slow, as over a bad line, a handshake of TLS included. What is sent is not held back.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::transport::Transport;
use crate::base::clock::Clock;
use crate::base::units::{At, Flow, Size, Span};

/// How often it reads: seldom enough for a coarse timer.
const TURN: Span = Span::millis(20);
/// What the kernel keeps for it: what it reads in this time, within what a kernel takes.
const UNREAD: Span = Span::millis(100);
const LEAST_UNREAD: u64 = 4 << 10;
const MOST_UNREAD: u64 = 256 << 10;

pub(super) struct Slow {
    transport: Transport,
    clock: Clock,
    rate: Flow,
    /// What was read is paid for by then.
    paid: At,
    wait: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// How large a receive buffer whoever reads at `rate` has. To be set before the connection is made: its window follows
/// from it.
pub(super) fn receive_buffer(rate: Flow) -> u32 {
    rate.over(UNREAD).bytes().clamp(LEAST_UNREAD, MOST_UNREAD) as u32
}

impl Slow {
    pub(super) fn new(transport: Transport, clock: Clock, rate: Flow) -> Slow {
        Slow { transport, clock, rate, paid: At::START, wait: None }
    }

    /// Waits until what was read before is paid for.
    fn poll_paid(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.clock.now() < self.paid {
            let (clock, paid) = (self.clock.clone(), self.paid);
            let wait = self.wait.get_or_insert_with(|| Box::pin(async move { clock.sleep_until(paid).await }));
            ready!(wait.as_mut().poll(cx));
            self.wait = None;
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Slow {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_paid(cx));
        let most = usize::try_from(self.rate.over(TURN).bytes().max(1)).unwrap_or(usize::MAX).min(buf.remaining());
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(most));
        ready!(Pin::new(&mut self.transport).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        buf.advance(read);
        // A timer that came late is made up for, by a turn at most.
        let from = self.paid.max(self.clock.now().saturating_sub(TURN));
        self.paid = from + self.rate.time_of(Size(read as u64));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Slow {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write_vectored(cx, bufs)
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

impl std::fmt::Debug for Slow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slow").field("transport", &self.transport).field("rate", &self.rate).finish_non_exhaustive()
    }
}
