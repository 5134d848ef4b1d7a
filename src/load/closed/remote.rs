use std::io::{self, BufRead, BufReader};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, absolute};
use std::process::{Child, Command};
use std::thread::JoinHandle;

use serde_json::Map;
use tokio::sync::{mpsc, oneshot};

use super::message::{Brief, Said, Word};
use crate::base::clock::Clock;
use crate::base::host::{self, Identity, say};
use crate::load::crew::{News, Order, Setting};
use crate::load::{LoadError, MadeRows, can_be_closed};
use crate::plan::{LoadId, Plan};

/// A crew in a process of its own, as the harness sees it.
#[derive(Debug)]
pub(in crate::load) struct Remote {
    child: Child,
    stream: UnixStream,
    clock: Clock,
    reader: Option<JoinHandle<()>>,
}

impl Remote {
    /// Starts the process; `ready` hears of its readiness, `news` of all that follows.
    pub(in crate::load) fn start(
        setting: &Setting,
        load: LoadId,
        crew: u16,
        news: mpsc::UnboundedSender<News>,
        ready: oneshot::Sender<Result<(), LoadError>>,
    ) -> Result<Remote, LoadError> {
        if !can_be_closed() {
            return Err(LoadError::NotClosed);
        }
        let (stream, theirs) = UnixStream::pair()?;
        let mut command = Command::new(&setting.program);
        command.arg("crew");
        let child = host::detach(command, theirs, None)?;
        let brief = Brief {
            plan: Plan::clone(&setting.plan),
            run: setting.run.clone(),
            constants: Map::clone(&setting.constants),
            made: MadeRows::clone(&setting.feeds.made),
            files: absolute(Path::new(".").join(&setting.files))?,
            load,
            crew,
        };
        let theirs = stream.try_clone()?;
        let read = move || {
            // Only here it is heard if the process ends before it has read all of this.
            let told = say(&theirs, &brief);
            Reader { crew, news, ready: Some(ready) }.read(told, theirs);
        };
        let reader = std::thread::Builder::new().name(format!("closed-{load}")).spawn(read)?;
        Ok(Remote { child, stream, clock: setting.door.clock().clone(), reader: Some(reader) })
    }

    pub(in crate::load) fn identity(&self) -> Option<Identity> {
        Identity::of(self.child.id())
    }

    pub(in crate::load) fn order(&self, order: Order) {
        let word = match order {
            Order::Begin(zero) => Word::Begin { nanos: self.clock.monotonic(zero) },
            Order::Drain => Word::Drain,
            Order::Drop => Word::Drop,
            Order::Finish => Word::Finish,
            // Searches are open loads.
            Order::Append(..) | Order::Over(_) => return,
        };
        // One that has ended has said so.
        let _ = say(&self.stream, &word);
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// Hears what the process says, until it has said everything or is gone.
struct Reader {
    crew: u16,
    news: mpsc::UnboundedSender<News>,
    /// None once it was told.
    ready: Option<oneshot::Sender<Result<(), LoadError>>>,
}

impl Reader {
    fn read(mut self, told: io::Result<()>, stream: UnixStream) {
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        let done = told.is_ok() && lines.any(|line| self.hear(&line));
        if done {
            return;
        }
        match self.ready.take() {
            Some(ready) => drop(ready.send(Err(LoadError::Gone))),
            None => drop(self.news.send(News::Broken { crew: self.crew })),
        }
    }

    /// Passes a line on; true when it was the last one.
    fn hear(&mut self, line: &str) -> bool {
        let Ok(said) = serde_json::from_str(line) else { return false };
        let news = match said {
            Said::Ready | Said::NotReady { .. } => {
                let ready = match said {
                    Said::NotReady { why } => Err(LoadError::Closed(why)),
                    _ => Ok(()),
                };
                let failed = ready.is_err();
                if let Some(tell) = self.ready.take() {
                    let _ = tell.send(ready);
                }
                return failed;
            }
            Said::Window { parcel, failures } => match parcel.unpack() {
                Some(window) => News::Window { window: Box::new(window), failures },
                None => return false,
            },
            Said::Idle { abandoned } => News::Idle { crew: self.crew, abandoned },
            // Said again by whoever hears the socket close.
            Said::Broken => return false,
            Said::Done => return true,
        };
        let _ = self.news.send(news);
        false
    }
}
