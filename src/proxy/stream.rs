//! One request of HTTP/2 and its answer.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Method, Request, Response, Version, header};
use tokio::sync::oneshot;

use super::flow::Flow;
use super::link::Link;
use super::live::Fate;
use crate::base::units::At;
use crate::plan::{Direction, FlawKind};

/// What a flaw ends, it ends as a server does that has failed.
const FAILED: Reason = Reason::INTERNAL_ERROR;

/// Carries it until both sides have ended, or one of them or a flaw resets it: the other hears the same reason.
pub(super) async fn carry(
    link: Rc<Link>,
    fate: Fate,
    request: Request<RecvStream>,
    mut reply: SendResponse<Bytes>,
    send: SendRequest<Bytes>,
) {
    if let Some((head, body)) = answer(&fate, &request, link.timer.now()) {
        let ends = body.is_empty();
        if let Ok(mut stream) = reply.send_response(head, ends)
            && !ends
        {
            // As much as there is room for at a time is up to h2, which keeps the rest.
            let _ = stream.send_data(body, true);
        }
        return;
    }
    let (reply, begun) = (RefCell::new(reply), Cell::new(false));
    let ended = {
        let (hand, handed) = oneshot::channel();
        let mut up = pin!(ask(&link, &fate, request, send, hand));
        let mut down = pin!(respond(&link, &fate, &reply, &begun, handed));
        let mut reset = pin!(poll_fn(|context| given_up(&reply, &begun, context)));
        let (mut asked, mut answered) = (false, false);
        loop {
            tokio::select! {
                ended = &mut up, if !asked => match ended {
                    Ok(()) => asked = true,
                    ended => break ended,
                },
                ended = &mut down, if !answered => match ended {
                    Ok(()) => answered = true,
                    ended => break ended,
                },
                reason = &mut reset => break Err(reason),
            }
            if asked && answered {
                break Ok(());
            }
        }
    };
    // The server hears of it as what was sent to it is dropped.
    if let Err(reason) = ended {
        reply.borrow_mut().send_reset(reason);
    }
}

/// Before it is answered: whether the client has given it up.
fn given_up(reply: &RefCell<SendResponse<Bytes>>, begun: &Cell<bool>, context: &mut Context<'_>) -> Poll<Reason> {
    if begun.get() {
        return Poll::Pending;
    }
    reply.borrow_mut().poll_reset(context).map(|reset| reset.unwrap_or(Reason::CANCEL))
}

/// What the proxy answers in the stead of the one who is asked, if this fate wants that.
fn answer(fate: &Fate, request: &Request<RecvStream>, now: At) -> Option<(Response<()>, Bytes)> {
    fate.in_force().find_map(|live| match &live.flaw.kind {
        FlawKind::Respond { status, headers, body } => {
            live.bit(now);
            let mut response = Response::builder().status(*status).header(header::CONTENT_LENGTH, body.len());
            let of_connection = ["connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection"];
            // Those are no part of HTTP/2.
            for (name, value) in
                headers.iter().filter(|(name, _)| !of_connection.contains(&name.to_lowercase().as_str()))
            {
                response = response.header(name, value);
            }
            let body = if *request.method() == Method::HEAD { Bytes::new() } else { Bytes::from(body.clone()) };
            Some((response.body(()).ok()?, body))
        }
        _ => None,
    })
}

async fn ask(
    link: &Link,
    fate: &Fate,
    request: Request<RecvStream>,
    send: SendRequest<Bytes>,
    hand: oneshot::Sender<ResponseFuture>,
) -> Result<(), Reason> {
    let (mut head, body) = request.into_parts();
    if head.uri.authority().is_none() {
        // h2 sends a request that names no host only where it is told that it came so.
        head.version = Version::HTTP_11;
    }
    let open = async |ends: bool| {
        let mut send = send.ready().await.map_err(|_| Reason::REFUSED_STREAM)?;
        let (response, stream) = send.send_request(Request::from_parts(head, ()), ends).map_err(reason)?;
        let _ = hand.send(response);
        Ok(stream)
    };
    Half::new(link, fate, Direction::Up, body).run(open).await
}

async fn respond(
    link: &Link,
    fate: &Fate,
    reply: &RefCell<SendResponse<Bytes>>,
    begun: &Cell<bool>,
    handed: oneshot::Receiver<ResponseFuture>,
) -> Result<(), Reason> {
    // Else the other half knows why.
    let Ok(mut response) = handed.await else { return std::future::pending().await };
    let response = loop {
        let come = poll_fn(|context| match response.poll_informational(context) {
            Poll::Ready(Some(Ok(interim))) => Poll::Ready(Err(interim)),
            _ => Pin::new(&mut response).poll(context).map(Ok),
        });
        match come.await {
            Ok(response) => break response.map_err(reason)?,
            Err(interim) => reply.borrow_mut().send_informational(interim).map_err(reason)?,
        }
    };
    let (head, body) = response.into_parts();
    let open = async |ends: bool| {
        begun.set(true);
        reply.borrow_mut().send_response(Response::from_parts(head, ()), ends).map_err(reason)
    };
    Half::new(link, fate, Direction::Down, body).run(open).await
}

fn reason(error: h2::Error) -> Reason {
    error.reason().unwrap_or(FAILED)
}

/// What has a place among the bytes of a body.
enum Mark {
    /// With `ends` nothing follows.
    Head {
        ends: bool,
    },
    Trailers(HeaderMap),
    End,
}

/// The request, or the answer.
struct Half<'s> {
    link: &'s Link,
    fate: &'s Fate,
    flow: Flow,
    marks: VecDeque<Mark>,
    from: RecvStream,
    /// All of it has come.
    over: bool,
    /// Once its head has passed.
    to: Option<SendStream<Bytes>>,
    /// The receiver takes no more for now.
    blocked: bool,
}

impl<'s> Half<'s> {
    fn new(link: &'s Link, fate: &'s Fate, way: Direction, from: RecvStream) -> Half<'s> {
        let (flow, marks) = (Flow::new(way), VecDeque::new());
        Half { link, fate, flow, marks, from, over: false, to: None, blocked: false }
    }

    /// Passes it on; `open` passes on the head.
    async fn run(mut self, open: impl AsyncFnOnce(bool) -> Result<SendStream<Bytes>, Reason>) -> Result<(), Reason> {
        let (link, mut open) = (self.link, Some(open));
        let timer = &link.timer;
        let mut changed = pin!(link.changed.notified());
        changed.as_mut().enable();
        self.over = self.from.is_end_stream();
        self.mark(Mark::Head { ends: self.over });
        loop {
            let mark = self.write(timer.now())?;
            match mark {
                Some(Mark::Head { ends }) => {
                    // The head comes first, and once.
                    let Some(open) = open.take() else { return Err(FAILED) };
                    let to = open(ends).await?;
                    if ends {
                        return Ok(());
                    }
                    self.to = Some(to);
                    continue;
                }
                Some(Mark::Trailers(trailers)) => return self.to()?.send_trailers(trailers).map_err(reason),
                Some(Mark::End) => return self.to()?.send_data(Bytes::new(), true).map_err(reason),
                None => {}
            }
            let due = if self.blocked { None } else { self.flow.next() };
            let next = due.into_iter().chain(self.flow.end_at()).min();
            let (more, blocked) = (!self.over && self.flow.has_room(), self.blocked);
            tokio::select! {
                biased;
                () = changed.as_mut() => {
                    changed.set(link.changed.notified());
                    changed.as_mut().enable();
                    self.flow.rearrange(None, timer.now());
                }
                taken = poll_fn(|context| takes(&mut self.to, blocked, context)) => {
                    taken?;
                    self.blocked = false;
                }
                data = self.from.data(), if more => match data {
                    Some(data) => self.flow.push(data.map_err(reason)?, self.fate, timer.now()),
                    None => {
                        self.over = true;
                        let trailers = self.from.trailers().await.map_err(reason)?;
                        self.mark(trailers.map_or(Mark::End, Mark::Trailers));
                    }
                },
                () = timer.until(next.unwrap_or(At::MAX)), if next.is_some() => {}
            }
            if self.flow.end_at().is_some() && self.flow.ended(timer.now()).is_some() {
                return Err(FAILED);
            }
        }
    }

    fn to(&mut self) -> Result<&mut SendStream<Bytes>, Reason> {
        self.to.as_mut().ok_or(FAILED)
    }

    fn mark(&mut self, mark: Mark) {
        self.marks.push_back(mark);
        self.flow.mark(self.fate, self.link.timer.now());
    }

    /// Passes on the bytes that are due, up to the next mark, which is for the caller.
    fn write(&mut self, now: At) -> Result<Option<Mark>, Reason> {
        while !self.blocked
            && let Some(bytes) = self.flow.due(now).cloned()
        {
            if bytes.is_empty() {
                self.flow.written(0);
                return Ok(self.marks.pop_front());
            }
            let to = self.to()?;
            to.reserve_capacity(bytes.len());
            let size = to.capacity().min(bytes.len());
            if size == 0 {
                self.blocked = true;
                return Ok(None);
            }
            to.send_data(bytes.slice(..size), false).map_err(reason)?;
            self.flow.written(size);
            // The sender may send as much more.
            let _ = self.from.flow_control().release_capacity(size);
        }
        Ok(None)
    }
}

/// Waits until the receiver takes more, if it does not now, or wants nothing any more.
fn takes(to: &mut Option<SendStream<Bytes>>, blocked: bool, context: &mut Context<'_>) -> Poll<Result<(), Reason>> {
    let Some(to) = to else { return Poll::Pending };
    if let Poll::Ready(reset) = to.poll_reset(context) {
        return Poll::Ready(Err(reset.unwrap_or_else(reason)));
    }
    if !blocked {
        return Poll::Pending;
    }
    match to.poll_capacity(context) {
        Poll::Ready(Some(capacity)) => Poll::Ready(capacity.map(|_| ()).map_err(reason)),
        Poll::Ready(None) => Poll::Ready(Err(Reason::CANCEL)),
        Poll::Pending => Poll::Pending,
    }
}
