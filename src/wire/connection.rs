use super::answer::{Answer, Lost};
use super::hyper1::Hyper;
use super::plain::Plain;
use super::stream::Stream;
use super::{Outgoing, WireError};
use crate::base::clock::Clock;
use crate::base::units::{At, Span};

/// A connection that carries one request at a time. It has no task of its own: it moves while a request is asked.
pub struct Connection {
    speaker: Speaker,
    clock: Clock,
    made: At,
    requests: u64,
}

/// Who speaks HTTP/1.1 on it.
enum Speaker {
    /// Without TLS.
    Plain(Plain),
    /// Apart, since it is large and connections move from hand to hand.
    Hyper(Box<Hyper>),
    /// Panics once it is asked.
    #[cfg(test)]
    Rigged,
}

impl Connection {
    pub(super) async fn over(stream: Stream, clock: Clock) -> Result<Connection, WireError> {
        match stream {
            Stream::Plain(socket) => Ok(Connection::new(Speaker::Plain(Plain::new(socket.into_transport())), clock)),
            tls => Connection::by_hyper(tls, clock).await,
        }
    }

    pub(super) async fn by_hyper(stream: Stream, clock: Clock) -> Result<Connection, WireError> {
        Ok(Connection::new(Speaker::Hyper(Box::new(Hyper::new(stream).await?)), clock))
    }

    fn new(speaker: Speaker, clock: Clock) -> Connection {
        Connection { speaker, made: clock.now(), clock, requests: 0 }
    }

    /// How long ago it was made.
    pub fn age(&self) -> Span {
        self.clock.now().since(self.made)
    }

    #[cfg(test)]
    pub(super) fn rigged(clock: Clock) -> Connection {
        Connection::new(Speaker::Rigged, clock)
    }

    /// How many requests it has carried.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// When the first byte of the last request was handed to the socket; none: not a byte of it.
    pub fn sent(&self) -> Option<At> {
        match &self.speaker {
            Speaker::Plain(plain) => plain.sent(),
            Speaker::Hyper(hyper) => hyper.sent(),
            #[cfg(test)]
            Speaker::Rigged => None,
        }
    }

    fn first(&self) -> Option<At> {
        match &self.speaker {
            Speaker::Plain(plain) => plain.first(),
            Speaker::Hyper(hyper) => hyper.first(),
            #[cfg(test)]
            Speaker::Rigged => None,
        }
    }

    /// Whether another request could go out on it, by what its last answer said. Costs nothing.
    pub fn is_sound(&self) -> bool {
        match &self.speaker {
            Speaker::Plain(plain) => plain.is_sound(),
            Speaker::Hyper(hyper) => hyper.is_sound(),
            #[cfg(test)]
            Speaker::Rigged => true,
        }
    }

    /// Whether another request may go out on it. Notices when the other end has closed it, without waiting.
    pub fn is_open(&mut self) -> bool {
        match &mut self.speaker {
            Speaker::Plain(plain) => plain.is_open(),
            Speaker::Hyper(hyper) => hyper.is_open(),
            #[cfg(test)]
            Speaker::Rigged => true,
        }
    }

    /// Sends `outgoing` and reads the whole answer into `into`, with up to `keep` bytes of its body. Once dropped
    /// half-way, or after an error, the connection is of no more use.
    pub async fn exchange(&mut self, outgoing: &Outgoing, keep: usize, into: &mut Vec<u8>) -> Result<Answer, Lost> {
        self.requests += 1;
        let answered = match &mut self.speaker {
            Speaker::Plain(plain) => plain.exchange(outgoing, keep, into, &self.clock).await,
            Speaker::Hyper(hyper) => hyper.exchange(outgoing, keep, into, &self.clock).await,
            #[cfg(test)]
            Speaker::Rigged => panic!("this connection is rigged to panic"),
        };
        answered.map_err(|mut lost| {
            // The server had closed it as the request went out, and may or may not have seen it.
            if matches!(lost.error, WireError::Reset | WireError::Closed) && self.requests > 1 && self.first().is_none()
            {
                lost.error = WireError::Stale;
            }
            lost
        })
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("requests", &self.requests).finish_non_exhaustive()
    }
}
