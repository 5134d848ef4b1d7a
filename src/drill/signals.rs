use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C and TERM, counted: the first asks for an orderly end, the second for an end at once.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    count: u32,
}

impl Signals {
    /// From now on these signals come here and no longer end the program.
    pub(super) fn listen() -> std::io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            count: 0,
        })
    }

    /// How many have come.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// The next signal's name, and how many have come with it.
    pub(super) async fn next(&mut self) -> (&'static str, u32) {
        let name = tokio::select! {
            Some(()) = self.interrupt.recv() => "INT",
            Some(()) = self.terminate.recv() => "TERM",
            Some(()) = self.hangup.recv() => "HUP",
            else => std::future::pending().await,
        };
        self.count += 1;
        (name, self.count)
    }
}
