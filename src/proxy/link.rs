use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::connection::Connection;
use super::live::Lives;
use super::timer::Timer;
use crate::base::units::Span;
use crate::plan::Protocol;

/// How many connections may wait to be taken.
const BACKLOG: u32 = 4096;
/// While nothing can be taken, for want of open files, it is tried so often.
const PAUSE: Span = Span::millis(10);

/// Whom a link leads to.
#[derive(Debug, Clone)]
pub(super) enum To {
    /// Tried one after the other. Whoever made the link has seen to it that they may be dialled.
    Known(Vec<SocketAddr>),
    /// `host:port`, looked up for each connection.
    Named(String),
}

/// One link: where it listens, whom it leads to, and what is wrong with it.
pub(super) struct Link {
    pub(super) protocol: Protocol,
    to: RefCell<To>,
    at: Cell<SocketAddr>,
    pub(super) lives: Lives,
    pub(super) changed: Notify,
    pub(super) timer: Timer,
    /// Read into by all connections, one after the other.
    pub(super) scratch: Rc<RefCell<Vec<u8>>>,
    taken: Cell<u64>,
    listening: RefCell<Option<JoinHandle<()>>>,
}

impl Link {
    /// Listens at `at`; port 0 lets the system choose.
    pub(super) fn open(
        at: SocketAddr,
        to: To,
        protocol: Protocol,
        timer: &Timer,
        scratch: &Rc<RefCell<Vec<u8>>>,
    ) -> io::Result<Rc<Link>> {
        let link = Rc::new(Link {
            protocol,
            to: RefCell::new(to),
            at: Cell::new(at),
            lives: Lives::default(),
            changed: Notify::new(),
            timer: timer.clone(),
            scratch: scratch.clone(),
            taken: Cell::new(0),
            listening: RefCell::default(),
        });
        link.listen()?;
        Ok(link)
    }

    /// Where it listens, or did.
    pub(super) fn at(&self) -> SocketAddr {
        self.at.get()
    }

    pub(super) fn is_listening(&self) -> bool {
        self.listening.borrow().is_some()
    }

    /// Takes connections again; fine if it does already.
    pub(super) fn listen(self: &Rc<Self>) -> io::Result<()> {
        if self.is_listening() {
            return Ok(());
        }
        let at = self.at.get();
        let socket = if at.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(at)?;
        let listener = socket.listen(BACKLOG)?;
        self.at.set(listener.local_addr()?);
        *self.listening.borrow_mut() = Some(tokio::task::spawn_local(take(self.clone(), listener)));
        Ok(())
    }

    /// Refuses connections, once this has returned.
    pub(super) async fn deafen(&self) {
        let task = self.listening.borrow_mut().take();
        if let Some(task) = task {
            task.abort();
            let _ = task.await;
        }
    }

    /// Listens elsewhere, or leads elsewhere, from now on. To be done while it takes no connections.
    pub(super) fn change(&self, at: Option<SocketAddr>, to: To) {
        self.to.replace(to);
        if let Some(at) = at {
            self.at.set(at);
        }
    }

    /// The first of those that it leads to, in words.
    pub(super) fn leads_to(&self) -> String {
        match &*self.to.borrow() {
            To::Known(to) => to.first().map(SocketAddr::to_string).unwrap_or_default(),
            To::Named(to) => to.clone(),
        }
    }

    pub(super) async fn dial(&self) -> io::Result<TcpStream> {
        let to = self.to.borrow().clone();
        let to = match to {
            To::Known(to) => to,
            To::Named(to) => return TcpStream::connect(to).await,
        };
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in to {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Has its connections see what has changed. Whether it takes new ones follows from that, too.
    pub(super) async fn settle(self: &Rc<Self>) -> io::Result<()> {
        self.changed.notify_waiters();
        let refusing = self.lives.refusing();
        if refusing.is_empty() {
            return self.listen();
        }
        self.deafen().await;
        let now = self.timer.now();
        let refused = TcpStream::connect(self.at.get()).await;
        if refused.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            refusing.iter().for_each(|live| live.bit(now));
        }
        Ok(())
    }
}

async fn take(link: Rc<Link>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                let number = link.taken.get();
                link.taken.set(number + 1);
                let connection = Connection::new(&link, number);
                drop(tokio::task::spawn_local(async move { connection.carry(client).await }));
            }
            // Out of open files or memory, or somebody who went away again.
            Err(_) => link.timer.until(link.timer.now() + PAUSE).await,
        }
    }
}
