use std::collections::HashMap;
use std::io::{self, BufRead, BufReader};
use std::net::{Shutdown, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use tokio::sync::{oneshot, watch};

use super::message::{Said, Shown, Wanted, Way, Word};
use crate::base::host::{self, Identity, say};
use crate::plan::Flaw;

/// The process that carries a drill's links, as the harness sees it. Without [`Proxy::goodbye`] it goes on when this is dropped,
/// with nothing wrong with any link.
#[derive(Debug)]
pub struct Proxy {
    child: Mutex<Child>,
    stream: UnixStream,
    next: AtomicU64,
    flaws: Flaws,
    /// It has been told to.
    goes: Arc<AtomicBool>,
    reader: Mutex<Option<JoinHandle<()>>>,
}

/// A flaw that was set: used once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlawId(u64);

/// Instants are those of the machine's monotonic clock, in nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Set,
    Bites { nanos: u64 },
    Clear { nanos: u64, bites: u64 },
    Failed { why: String },
}

/// What the process does that nobody here asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Somebody has changed something by Toxiproxy's API.
    ByHand(String),
    /// It has ended without a goodbye.
    Ended,
}

/// A flaw is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone {
    /// When it was seen to be gone, on the machine's monotonic clock.
    pub nanos: u64,
    /// How often it was seen to bite.
    pub bites: u64,
}

type Flaws = Arc<Mutex<HashMap<u64, watch::Sender<State>>>>;

const LOST: &str = "the process of the fault proxy has ended";

impl Proxy {
    /// Starts `program links`, which has to come to [`super::proxy_main`], with `marker` in its environment; gives where each link listens.
    /// `toxiproxy`: lets others put toxics on the links meanwhile. `tell` hears of them.
    pub async fn start(
        program: &Path,
        marker: &str,
        seed: u64,
        links: Vec<Way>,
        toxiproxy: Option<Shown>,
        tell: impl Fn(Told) + Send + 'static,
    ) -> io::Result<(Proxy, Vec<SocketAddr>)> {
        let (stream, theirs) = UnixStream::pair()?;
        let mut command = Command::new(program);
        command.arg("links");
        let child = host::detach(command, theirs, Some(marker))?;
        let flaws = Flaws::default();
        let (ready, started) = oneshot::channel();
        let reads = Reader { flaws: flaws.clone(), ready: Some(ready) };
        let from = stream.try_clone()?;
        let goes = Arc::new(AtomicBool::new(false));
        let expected = goes.clone();
        let read = move || {
            reads.read(from, &tell);
            if !expected.load(Ordering::Acquire) {
                tell(Told::Ended);
            }
        };
        let reader = std::thread::Builder::new().name("links".to_owned()).spawn(read)?;
        let (child, reader) = (Mutex::new(child), Mutex::new(Some(reader)));
        let proxy = Proxy { child, stream, next: AtomicU64::new(0), flaws, goes, reader };
        say(&proxy.stream, &Word::Open { seed, links, toxiproxy })?;
        let at = started.await.unwrap_or_else(|_| Err(LOST.to_owned())).map_err(io::Error::other)?;
        Ok((proxy, at))
    }

    /// Its process, while that lives.
    pub fn identity(&self) -> Option<Identity> {
        Identity::of(self.child.lock().expect("nothing panics while it holds this lock").id())
    }

    /// Puts flaws in force, each on the link of that number, all from one instant on. The last part of each is its number in the plan,
    /// which with the seed decides whom it bites.
    pub fn set(&self, flaws: Vec<(usize, Flaw, u32)>) -> Result<Vec<FlawId>, String> {
        let mut ids = Vec::new();
        let mut wanted = Vec::new();
        for (link, flaw, number) in flaws {
            let id = self.next.fetch_add(1, Ordering::Relaxed);
            self.flaws().insert(id, watch::Sender::new(State::Set));
            ids.push(FlawId(id));
            wanted.push(Wanted { id, link, flaw, number });
        }
        self.tell(&Word::Set { flaws: wanted })?;
        Ok(ids)
    }

    /// Waits until a flaw was seen to bite; gives when, on the machine's monotonic clock.
    pub async fn bitten(&self, id: FlawId) -> Result<u64, String> {
        match self.when(id, |state| *state != State::Set).await? {
            State::Bites { nanos } | State::Clear { nanos, .. } => Ok(nanos),
            State::Failed { why } => Err(why),
            State::Set => Err(LOST.to_owned()),
        }
    }

    /// Ends flaws, all at one instant, and waits until each was seen to be gone.
    pub async fn clear(&self, ids: &[FlawId]) -> Result<Vec<Gone>, String> {
        self.tell(&Word::Clear { ids: ids.iter().map(|id| id.0).collect() })?;
        let mut gone = Vec::new();
        for id in ids {
            let over = |state: &State| matches!(state, State::Clear { .. } | State::Failed { .. });
            match self.when(*id, over).await? {
                State::Clear { nanos, bites } => gone.push(Gone { nanos, bites }),
                State::Failed { why } => return Err(why),
                State::Set | State::Bites { .. } => return Err(LOST.to_owned()),
            }
        }
        Ok(gone)
    }

    async fn when(&self, id: FlawId, is: impl Fn(&State) -> bool) -> Result<State, String> {
        let watched = self.flaws().get(&id.0).map(watch::Sender::subscribe);
        let mut watched = watched.ok_or_else(|| LOST.to_owned())?;
        let state = watched.wait_for(is).await.map_err(|_| LOST.to_owned())?;
        Ok(state.clone())
    }

    fn tell(&self, word: &Word) -> Result<(), String> {
        say(&self.stream, word).map_err(|_| LOST.to_owned())
    }

    fn flaws(&self) -> MutexGuard<'_, HashMap<u64, watch::Sender<State>>> {
        self.flaws.lock().expect("nothing panics while it holds this lock")
    }

    /// Ends the process, and waits until it has ended: whoever is connected through it is cut off.
    pub fn goodbye(&self) {
        self.goes.store(true, Ordering::Release);
        let _ = say(&self.stream, &Word::Goodbye);
        let _ = self.stream.shutdown(Shutdown::Write);
        let _ = self.child.lock().expect("nothing panics while it holds this lock").wait();
        let reader = self.reader.lock().expect("nothing panics while it holds this lock").take();
        if let Some(reader) = reader {
            let _ = reader.join();
        }
    }
}

/// Hears what the process says, until it is gone.
struct Reader {
    flaws: Flaws,
    /// None once it was told.
    ready: Option<oneshot::Sender<Result<Vec<SocketAddr>, String>>>,
}

impl Reader {
    fn read(mut self, stream: UnixStream, tell: &impl Fn(Told)) {
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        for said in lines.filter_map(|line| serde_json::from_str(&line).ok()) {
            match said {
                Said::Ready { at } => self.is_ready(Ok(at)),
                Said::NotReady { why } => self.is_ready(Err(why)),
                Said::ByHand { what } => tell(Told::ByHand(what)),
                Said::Bit { id, nanos } => self.note(id, State::Bites { nanos }),
                Said::Clear { id, nanos, bites } => self.note(id, State::Clear { nanos, bites }),
                Said::Failed { id, why } => self.note(id, State::Failed { why }),
            }
        }
        // Whoever waits hears that there is nobody left to tell.
        self.flaws.lock().expect("nothing panics while it holds this lock").clear();
    }

    fn is_ready(&mut self, ready: Result<Vec<SocketAddr>, String>) {
        if let Some(tell) = self.ready.take() {
            let _ = tell.send(ready);
        }
    }

    fn note(&self, id: u64, state: State) {
        if let Some(flaw) = self.flaws.lock().expect("nothing panics while it holds this lock").get(&id) {
            flaw.send_replace(state);
        }
    }
}
