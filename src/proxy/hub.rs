use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedSender;

use super::connection::BUFFER;
use super::link::{Link, To};
use super::live::{Bite, Live};
use super::message::{Wanted, Way};
use super::timer::Timer;
use crate::base::clock::Clock;
use crate::base::rng::Key;
use crate::base::units::{At, Span};
use crate::plan::{Flaw, Protocol};

/// How long what was held back may take to pass once nothing holds it any more: its receiver may be slow.
const FLUSH: Span = Span::seconds(5);
const LOOK: Span = Span::millis(1);
/// A port that others hold for a moment is tried again.
const REBIND: Span = Span::seconds(2);

/// All links of one process, on one thread.
pub(super) struct Hub {
    timer: Timer,
    scratch: Rc<RefCell<Vec<u8>>>,
    links: RefCell<Vec<Rc<Link>>>,
    /// By id: where it is in force.
    set: RefCell<BTreeMap<u64, Set>>,
    bites: UnboundedSender<Bite>,
}

type Set = (Rc<Link>, Rc<Live>);

/// A flaw is over, and nothing is held back by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cleared {
    pub(super) at: At,
    /// How often it was seen to bite.
    pub(super) bites: u64,
}

impl Hub {
    /// To be made within a `LocalSet`. `bites` hears of the first bite of each flaw.
    pub(super) fn new(clock: &Clock, bites: UnboundedSender<Bite>) -> io::Result<Hub> {
        Ok(Hub {
            timer: Timer::start(clock)?,
            scratch: Rc::new(RefCell::new(vec![0; BUFFER])),
            links: RefCell::default(),
            set: RefCell::default(),
            bites,
        })
    }

    /// Opens a link; its number is that of those opened so before it.
    pub(super) fn open(&self, way: Way) -> io::Result<Rc<Link>> {
        let link = self.link(way.at, To::Known(way.to), way.protocol)?;
        self.links.borrow_mut().push(link.clone());
        Ok(link)
    }

    /// Opens a link without a number.
    pub(super) fn link(&self, at: SocketAddr, to: To, protocol: Protocol) -> io::Result<Rc<Link>> {
        Link::open(at, to, protocol, &self.timer, &self.scratch)
    }

    /// Puts flaws on one link in force, and ends others of it, all at one instant. One that takes the place of another has its place
    /// among those of the link.
    pub(super) async fn exchange(
        &self,
        link: &Rc<Link>,
        ends: &[u64],
        begins: Vec<(u64, Flaw)>,
        seed: u64,
    ) -> io::Result<()> {
        let mut ends = ends.iter();
        for (id, flaw) in begins {
            self.begin(link, id, flaw, Key::new(seed, u32::MAX, id), ends.next().copied());
        }
        for id in ends {
            link.lives.remove(*id);
        }
        self.set.borrow_mut().retain(|_, (_, live)| !live.is_over());
        link.settle().await
    }

    /// A flaw is in force, in the place of `instead`; `key` decides whom it bites.
    fn begin(&self, link: &Rc<Link>, id: u64, flaw: Flaw, key: Key, instead: Option<u64>) {
        let live = Rc::new(Live::new(id, flaw, key, &self.bites));
        link.lives.put(instead, live.clone());
        self.set.borrow_mut().insert(id, (link.clone(), live));
    }

    /// Puts flaws in force, all from one instant on. Gives those that could not be, and why.
    pub(super) async fn set(&self, wanted: Vec<Wanted>, seed: u64) -> Vec<(u64, String)> {
        let mut failed = Vec::new();
        let mut touched = Vec::new();
        for Wanted { id, link, flaw, number } in wanted {
            let Some(link) = self.links.borrow().get(link).cloned() else {
                failed.push((id, "there is no such link".to_owned()));
                continue;
            };
            self.begin(&link, id, flaw, Key::new(seed, u32::MAX, u64::from(number)), None);
            touched.push((id, link));
        }
        for (id, link) in touched {
            if let Err(error) = link.settle().await {
                failed.push((id, error.to_string()));
            }
        }
        failed
    }

    /// Ends flaws, all at one instant, and waits until each is seen to be gone.
    pub(super) async fn clear(&self, ids: &[u64]) -> Vec<(u64, Result<Cleared, String>)> {
        let mut gone = Vec::new();
        for id in ids {
            if let Some((link, live)) = self.set.borrow_mut().remove(id) {
                link.lives.remove(*id);
                gone.push((link, live));
            }
        }
        let mut told = Vec::new();
        for (link, live) in gone {
            told.push((live.id, self.gone(&link, &live).await));
        }
        told
    }

    async fn gone(&self, link: &Rc<Link>, live: &Live) -> Result<Cleared, String> {
        let refuses = !link.lives.refusing().is_empty();
        let deadline = self.timer.now() + REBIND;
        while let Err(error) = link.settle().await {
            if self.timer.now() >= deadline {
                return Err(format!("cannot listen at {} again: {error}", link.at()));
            }
            self.timer.until(self.timer.now() + LOOK).await;
        }
        if !refuses {
            TcpStream::connect(link.at())
                .await
                .map_err(|error| format!("{} takes no connection: {error}", link.at()))?;
        }
        let deadline = self.timer.now() + FLUSH;
        while live.held() > 0 {
            if self.timer.now() >= deadline {
                return Err(format!("{} bytes that it held back have not passed in {FLUSH}", live.held()));
            }
            self.timer.until(self.timer.now() + LOOK).await;
        }
        Ok(Cleared { at: self.timer.now(), bites: live.bites() })
    }

    /// Bytes that a flaw holds back now.
    #[cfg(test)]
    pub(super) fn held(&self, id: u64) -> usize {
        self.set.borrow().get(&id).map_or(0, |(_, live)| live.held())
    }

    /// Ends all that is wrong with any link.
    pub(super) async fn clear_all(&self) {
        let ids: Vec<u64> = self.set.borrow().keys().copied().collect();
        self.clear(&ids).await;
    }
}
