use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One end of a connection in memory. Clones share it. What the other end says comes piece by piece, each after a wait,
/// once the first byte of the request is written.
#[derive(Debug, Clone)]
pub(crate) struct Pieces(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    pieces: VecDeque<Vec<u8>>,
    waited: bool,
    end: End,
    written: Vec<u8>,
    /// Says nothing before more than this is written.
    gate: usize,
    reader: Option<Waker>,
    /// How much of the requests the other end reads.
    room: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Close,
    Reset,
    /// Nothing more, for ever.
    Hang,
}

impl Pieces {
    pub(crate) fn new(pieces: impl IntoIterator<Item = Vec<u8>>, end: End, room: usize) -> Pieces {
        let pieces = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
        Pieces(Arc::new(Mutex::new(State {
            pieces,
            waited: false,
            end,
            written: Vec::new(),
            gate: 0,
            reader: None,
            room,
        })))
    }

    /// All that is still to come comes at once.
    pub(crate) fn arrive(&self) {
        let mut state = self.0.lock().unwrap();
        let all: Vec<u8> = state.pieces.drain(..).flatten().collect();
        state.pieces.extend((!all.is_empty()).then_some(all));
        state.waited = true;
    }

    /// More comes, after another request.
    pub(crate) fn add(&self, piece: &[u8]) {
        let mut state = self.0.lock().unwrap();
        state.gate = state.written.len();
        state.pieces.push_back(piece.to_vec());
    }

    /// How many bytes have been written.
    pub(crate) fn written(&self) -> usize {
        self.0.lock().unwrap().written.len()
    }
}

impl AsyncRead for Pieces {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.lock().unwrap();
        if state.written.len() <= state.gate {
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let Some(piece) = state.pieces.front_mut() else {
            return match state.end {
                End::Close => Poll::Ready(Ok(())),
                End::Reset => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                End::Hang => Poll::Pending,
            };
        };
        let piece = std::mem::take(piece);
        if !std::mem::replace(&mut state.waited, true) {
            state.pieces[0] = piece;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let (here, rest) = piece.split_at(piece.len().min(buf.remaining()));
        buf.put_slice(here);
        if rest.is_empty() {
            state.pieces.pop_front();
            state.waited = false;
        } else {
            state.pieces[0] = rest.to_vec();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.0.lock().unwrap();
        let taken = buf.len().min(state.room - state.written.len());
        state.written.extend_from_slice(&buf[..taken]);
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
        if taken == 0 { Poll::Pending } else { Poll::Ready(Ok(taken)) }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
