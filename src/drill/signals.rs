use std::future::pending;
use std::io;
use std::thread;

use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::base::host;

/// Ctrl-C, TERM and HUP, counted over a whole command: the first asks for an orderly end, the second for an end at once.
///
/// They are watched on a thread of their own as long as this lives, so that none is lost between two drills.
pub struct Signals {
    heard: mpsc::UnboundedReceiver<&'static str>,
    count: u32,
}

impl Signals {
    /// From now on these signals come here and no longer end the program. A hangup that was ignored when the program was
    /// started stays ignored: that is how `nohup` asks for it.
    pub fn listen() -> io::Result<Signals> {
        let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
        let inside = runtime.enter();
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        let hangup = if host::ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
        drop(inside);
        let (tell, heard) = mpsc::unbounded_channel();
        let work = move || runtime.block_on(pass_on(interrupt, terminate, hangup, tell));
        thread::Builder::new().name("signals".to_owned()).spawn(work)?;
        Ok(Signals::from(heard))
    }

    /// Whether any has come so far.
    pub fn came(&mut self) -> bool {
        while self.heard.try_recv().is_ok() {
            self.count += 1;
        }
        self.count > 0
    }

    /// How many have come.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// The next signal's name, and how many have come with it.
    pub(super) async fn next(&mut self) -> (&'static str, u32) {
        let Some(name) = self.heard.recv().await else { return pending().await };
        self.count += 1;
        (name, self.count)
    }
}

impl From<mpsc::UnboundedReceiver<&'static str>> for Signals {
    fn from(heard: mpsc::UnboundedReceiver<&'static str>) -> Signals {
        Signals { heard, count: 0 }
    }
}

/// Until nobody listens any more.
async fn pass_on(
    mut interrupt: Signal,
    mut terminate: Signal,
    mut hangup: Option<Signal>,
    tell: mpsc::UnboundedSender<&'static str>,
) {
    let mut hung_up = async move || match &mut hangup {
        Some(hangup) => hangup.recv().await,
        None => pending().await,
    };
    loop {
        let name = tokio::select! {
            Some(()) = interrupt.recv() => "INT",
            Some(()) = terminate.recv() => "TERM",
            Some(()) = hung_up() => "HUP",
            () = tell.closed() => return,
        };
        // Fails only when nobody listens, which the next turn finds out.
        let _ = tell.send(name);
    }
}
