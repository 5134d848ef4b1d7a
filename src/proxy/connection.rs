use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::pin::{Pin, pin};
use std::rc::Rc;

use bytes::Bytes;
use socket2::SockRef;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Notify;

use super::flow::{End, Flow};
use super::http::{Asked, Seen, Tracker};
use super::http2::relay;
use super::link::Link;
use super::live::Fate;
use crate::base::units::At;
use crate::plan::{Direction, FlawKind, Protocol};

/// What is read at once.
pub(super) const BUFFER: usize = 64 * 1024;

/// One connection through a link: two ends and what passes between them.
pub(super) struct Connection {
    link: Rc<Link>,
    number: u64,
    /// Of the connection as a whole; requests have their own.
    fate: RefCell<Fate>,
    /// Requests whose answers have not ended.
    exchanges: RefCell<VecDeque<Exchange>>,
    exchanged: Notify,
    /// What passes is not told apart: both sides have stopped speaking HTTP/1.1 that is understood.
    bytes: Cell<bool>,
    is_http2: Cell<bool>,
}

struct Exchange {
    fate: Fate,
    head: bool,
    /// What the proxy answers itself.
    answer: Option<Answer>,
}

struct Answer {
    bytes: Bytes,
    closes: bool,
}

impl Connection {
    pub(super) fn new(link: &Rc<Link>, number: u64) -> Connection {
        Connection {
            link: link.clone(),
            number,
            fate: RefCell::default(),
            exchanges: RefCell::default(),
            exchanged: Notify::new(),
            bytes: Cell::new(link.protocol != Protocol::Http),
            is_http2: Cell::new(false),
        }
    }

    /// Carries it until both sides have ended, or a flaw or an error ends it.
    pub(super) async fn carry(&self, mut client: TcpStream) {
        let mut server = match self.link.dial().await {
            Ok(server) => server,
            // As if the one who was to be asked had not taken the connection.
            Err(_) => return reset(&client),
        };
        for end in [&client, &server] {
            let _ = end.set_nodelay(true);
        }
        *self.fate.borrow_mut() = self.fate_now();
        let (mut up, mut down) = (Course::new(Direction::Up), Course::new(Direction::Down));
        let ended = self.pass(&mut client, &mut server, &mut up, &mut down).await;
        let ended = if ended == Err(End::Http2) { self.http2(&mut client, server, up, down).await } else { ended };
        if ended == Err(End::Reset) {
            reset(&client);
        }
    }

    /// Passes bytes both ways until both have ended. What one side was told by a reset, the other is, too.
    async fn pass(
        &self,
        client: &mut TcpStream,
        server: &mut TcpStream,
        up: &mut Course,
        down: &mut Course,
    ) -> Result<(), End> {
        let ended = {
            let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
            let upward = Pump { of: self, to: to_server, way: Direction::Up };
            let downward = Pump { of: self, to: to_client, way: Direction::Down };
            let (mut upward, mut downward) = (pin!(upward.run(from_client, up)), pin!(downward.run(from_server, down)));
            tokio::select! {
                ended = &mut upward => match ended {
                    Ok(()) => downward.await,
                    ended => ended,
                },
                ended = &mut downward => match ended {
                    Ok(()) => upward.await,
                    ended => ended,
                },
            }
        };
        if ended == Err(End::Reset) {
            reset(server);
        }
        ended
    }

    /// Its requests are told apart by those who speak HTTP/2: from here on they stand before the server, and what is left to be done here
    /// is to pass bytes between them and the client.
    async fn http2(&self, client: &mut TcpStream, server: TcpStream, up: Course, down: Course) -> Result<(), End> {
        let Ok((mut near, far)) = pair() else { return Err(End::Reset) };
        drop(tokio::task::spawn_local(relay(self.link.clone(), far, server, down.untold)));
        self.bytes.set(true);
        self.is_http2.set(true);
        *self.fate.borrow_mut() = self.fate_now();
        let up = &mut Course { early: up.early, ..Course::new(Direction::Up) };
        self.pass(client, &mut near, up, &mut Course::new(Direction::Down)).await
    }

    /// What is wrong with it as a whole now.
    fn fate_now(&self) -> Fate {
        let lives = &self.link.lives;
        if self.is_http2.get() { lives.of_bytes(self.number) } else { lives.of_connection(self.number) }
    }

    /// The fate of bytes that belong to no request.
    fn whole(&self) -> Fate {
        if self.bytes.get() { self.fate.borrow().clone() } else { Fate::default() }
    }
}

/// Closing it will then tell the other side that it was reset.
fn reset(stream: &TcpStream) {
    let _ = SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO));
}

/// Two ends of one connection within this process: for us one as any other, on which bytes come and go.
fn pair() -> io::Result<(TcpStream, UnixStream)> {
    let (near, far) = std::os::unix::net::UnixStream::pair()?;
    near.set_nonblocking(true)?;
    far.set_nonblocking(true)?;
    let near = std::net::TcpStream::from(OwnedFd::from(near));
    Ok((TcpStream::from_std(near)?, UnixStream::from_std(far)?))
}

/// One direction of a connection.
struct Pump<'c> {
    of: &'c Connection,
    to: WriteHalf<'c>,
    way: Direction,
}

/// Where one direction stands.
struct Course {
    flow: Flow,
    tracker: Tracker,
    /// What has come and cannot be told yet.
    untold: Vec<u8>,
    /// What came before this began.
    early: Vec<u8>,
    /// Of the request, or the answer, that passes now.
    fate: Fate,
    /// The request that passes now is answered here, and goes no further.
    swallowed: bool,
    /// The sender has closed its side.
    ended: bool,
    /// When that is to be passed on.
    closing: Option<At>,
    /// The receiver took less than there was.
    blocked: bool,
}

impl Course {
    fn new(way: Direction) -> Course {
        Course {
            flow: Flow::new(way),
            tracker: Tracker::default(),
            untold: Vec::new(),
            early: Vec::new(),
            fate: Fate::default(),
            swallowed: false,
            ended: false,
            closing: None,
            blocked: false,
        }
    }
}

impl Pump<'_> {
    async fn run(&self, mut from: ReadHalf<'_>, course: &mut Course) -> Result<(), End> {
        let link = &self.of.link;
        let timer = &link.timer;
        let mut changed = pin!(link.changed.notified());
        changed.as_mut().enable();
        self.strike(course, timer.now(), false);
        let early = std::mem::take(&mut course.early);
        self.take(course, &early)?;
        loop {
            self.write(course)?;
            if course.ended && course.flow.is_empty() {
                let now = timer.now();
                let at =
                    *course.closing.get_or_insert_with(|| course.flow.closing(&self.fate_at_end(&course.fate), now));
                if at <= now {
                    let _ = SockRef::from(self.to.as_ref()).shutdown(Shutdown::Write);
                    return Ok(());
                }
            }
            let due = if course.blocked { None } else { course.flow.next() };
            let next = due.into_iter().chain(course.flow.end_at()).chain(course.closing).min();
            tokio::select! {
                biased;
                () = changed.as_mut() => {
                    changed.set(link.changed.notified());
                    changed.as_mut().enable();
                    self.changed(course);
                }
                // On the answers' side: requests that are answered here.
                () = self.of.exchanged.notified(), if self.way == Direction::Down => {
                    self.answer_here(course);
                    self.take(course, &[])?;
                }
                _ = self.to.writable(), if course.blocked => course.blocked = false,
                read = self.come(&mut from), if !course.ended && course.flow.has_room() => self.read(course, read)?,
                () = timer.until(next.unwrap_or(At::MAX)), if next.is_some() => {}
            }
            if course.flow.end_at().is_some()
                && let Some(end) = course.flow.ended(timer.now())
            {
                return Err(end);
            }
        }
    }

    fn fate_at_end(&self, last: &Fate) -> Fate {
        if self.of.bytes.get() { self.of.whole() } else { last.clone() }
    }

    /// Waits for bytes, which lie in the scratch then: nothing else of this thread runs before they are taken in. A read that did not fill
    /// it is known to have taken all, so that no second one is needed to see that.
    async fn come(&self, from: &mut ReadHalf<'_>) -> io::Result<usize> {
        poll_fn(|context| {
            let mut scratch = self.of.link.scratch.borrow_mut();
            let mut buffer = ReadBuf::new(&mut scratch);
            let read = Pin::new(&mut *from).poll_read(context, &mut buffer);
            read.map_ok(|()| buffer.filled().len())
        })
        .await
    }

    /// Takes in what has come, and passes on at once what nothing stands in the way of.
    fn read(&self, course: &mut Course, read: io::Result<usize>) -> Result<(), End> {
        match read {
            Ok(0) => {
                course.ended = true;
                let rest = std::mem::take(&mut course.untold);
                self.admit(course, &rest, &self.fate_at_end(&course.fate))
            }
            Ok(size) => {
                let scratch = self.of.link.scratch.borrow();
                self.take(course, &scratch[..size])
            }
            Err(_) => Err(End::Reset),
        }
    }

    fn take(&self, course: &mut Course, bytes: &[u8]) -> Result<(), End> {
        if self.of.bytes.get() && course.untold.is_empty() {
            return self.admit(course, bytes, &self.of.whole());
        }
        if course.untold.is_empty() {
            let told = self.tell(course, bytes)?;
            course.untold.extend_from_slice(&bytes[told..]);
        } else {
            let mut all = std::mem::take(&mut course.untold);
            all.extend_from_slice(bytes);
            let told = self.tell(course, &all)?;
            all.drain(..told);
            course.untold = all;
        }
        Ok(())
    }

    /// Follows requests or answers through what has come; gives how far they could be told.
    fn tell(&self, course: &mut Course, bytes: &[u8]) -> Result<usize, End> {
        // What was told and does not pass yet: a message passes whole, if it has come whole.
        let (mut from, mut at) = (0, 0);
        while at < bytes.len() {
            let rest = &bytes[at..];
            if self.of.bytes.get() {
                self.pass(course, &bytes[from..at])?;
                self.admit(course, rest, &self.of.whole())?;
                return Ok(bytes.len());
            }
            let seen = match self.way {
                Direction::Up => course.tracker.request(rest),
                _ => match self.of.exchanges.borrow().front() {
                    // A server of HTTP/2 may speak first. Whether it is one is for the client to say.
                    None if rest[0] == 0 && rest.len() < BUFFER => Seen::More,
                    exchange => course.tracker.answer(rest, exchange.is_some_and(|exchange| exchange.head)),
                },
            };
            let size = match seen {
                Seen::More => break,
                Seen::Request { size, asked } => {
                    self.pass(course, &bytes[from..at])?;
                    from = at;
                    let fate = self.of.link.lives.of_request(&asked);
                    let answer = match fate.is_free() {
                        true => None,
                        false => answer(&fate, &asked, self.of.link.timer.now()),
                    };
                    course.swallowed = answer.is_some();
                    course.fate = fate.clone();
                    course.flow.next_request();
                    let head = asked.method == "HEAD";
                    self.of.exchanges.borrow_mut().push_back(Exchange { fate, head, answer });
                    if course.swallowed {
                        self.of.exchanged.notify_one();
                    }
                    size
                }
                Seen::Answer { size, .. } | Seen::Interim { size } => {
                    self.pass(course, &bytes[from..at])?;
                    from = at;
                    let first = self.of.exchanges.borrow().front().map(|exchange| exchange.fate.clone());
                    course.fate = first.unwrap_or_default();
                    course.flow.next_request();
                    size
                }
                Seen::Body { size: 0, last: false } => break,
                Seen::Body { size, .. } => size,
                Seen::Http2 => {
                    course.early = rest.to_vec();
                    return Err(End::Http2);
                }
                Seen::Bytes => {
                    self.of.bytes.set(true);
                    self.of.exchanged.notify_one();
                    continue;
                }
            };
            at += size;
            let over = matches!(seen, Seen::Answer { last: true, .. } | Seen::Body { last: true, .. });
            if over && self.way == Direction::Down {
                self.pass(course, &bytes[from..at])?;
                from = at;
                self.of.exchanges.borrow_mut().pop_front();
                self.answer_here(course);
            }
        }
        self.pass(course, &bytes[from..at])?;
        Ok(at)
    }

    /// Lets a part of the message on, which is under way, unless it is answered here.
    fn pass(&self, course: &mut Course, bytes: &[u8]) -> Result<(), End> {
        if course.swallowed {
            return Ok(());
        }
        let fate = course.fate.clone();
        self.admit(course, bytes, &fate)
    }

    /// Queues the answers that are the proxy's own, as far as it is their turn.
    fn answer_here(&self, course: &mut Course) {
        if !course.tracker.is_between() {
            return;
        }
        loop {
            let mut exchanges = self.of.exchanges.borrow_mut();
            let Some(exchange) = exchanges.front_mut() else { return };
            let Some(answer) = exchange.answer.take() else { return };
            let fate = exchange.fate.clone();
            exchanges.pop_front();
            drop(exchanges);
            let now = self.of.link.timer.now();
            course.flow.next_request();
            course.flow.push(answer.bytes, &fate, now);
            if answer.closes {
                course.ended = true;
                return;
            }
        }
    }

    fn admit(&self, course: &mut Course, bytes: &[u8], fate: &Fate) -> Result<(), End> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut rest = bytes;
        if course.flow.is_free(fate) {
            match self.to.try_write(bytes) {
                Ok(size) => rest = &bytes[size..],
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(_) => return Err(End::Reset),
            }
            course.blocked = !rest.is_empty();
        }
        if !rest.is_empty() {
            course.flow.push(Bytes::copy_from_slice(rest), fate, self.of.link.timer.now());
        }
        Ok(())
    }

    /// Writes what is due.
    fn write(&self, course: &mut Course) -> Result<(), End> {
        if course.blocked || course.flow.is_empty() {
            return Ok(());
        }
        let now = self.of.link.timer.now();
        while let Some(bytes) = course.flow.due(now) {
            let size = match bytes.is_empty() {
                true => 0,
                false => match self.to.try_write(bytes) {
                    Ok(size) => size,
                    Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                        course.blocked = true;
                        return Ok(());
                    }
                    Err(_) => return Err(End::Reset),
                },
            };
            if let Some(end) = course.flow.written(size) {
                return Err(end);
            }
        }
        Ok(())
    }

    /// Something has begun or ended to be wrong with the link.
    fn changed(&self, course: &mut Course) {
        let now = self.of.link.timer.now();
        let whole = self.of.fate_now();
        *self.of.fate.borrow_mut() = whole.clone();
        course.flow.rearrange(self.of.bytes.get().then_some(&whole), now);
        course.closing = None;
        self.strike(course, now, true);
    }

    /// What does not wait for bytes to pass: connections that carry no requests are reset if they were there before, or closed.
    fn strike(&self, course: &mut Course, now: At, there: bool) {
        let whole = self.of.fate.borrow().clone();
        for live in whole.in_force() {
            match live.flaw.kind {
                FlawKind::Refuse => course.flow.ends(now, End::Reset, live),
                FlawKind::Reset { after } if there && self.of.bytes.get() => {
                    course.flow.ends(now + after, End::Reset, live);
                }
                FlawKind::Hang { close: Some(after) } if self.of.bytes.get() => {
                    course.flow.ends(now + after, End::Close, live);
                }
                _ => {}
            }
        }
    }
}

/// What the proxy answers in the stead of the one who is asked, if this fate wants that.
fn answer(fate: &Fate, asked: &Asked<'_>, now: At) -> Option<Answer> {
    fate.in_force().find_map(|live| match &live.flaw.kind {
        FlawKind::Respond { status, headers, body } => {
            live.bit(now);
            let reason = http::StatusCode::from_u16(*status).ok().and_then(|status| status.canonical_reason());
            let mut text = format!("HTTP/1.1 {status} {}\r\n", reason.unwrap_or("Status"));
            for (name, value) in headers {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
            // Whoever waits for a word before its body has not sent it, and may or may not do so now.
            text.push_str(if asked.waits { "connection: close\r\n" } else { "" });
            text.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
            text.push_str(if asked.method == "HEAD" { "" } else { body });
            Some(Answer { bytes: Bytes::from(text), closes: asked.waits })
        }
        _ => None,
    })
}
