use std::io;

use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// The person at the terminal, who says that something is done: Enter, or `y` and Enter.
#[derive(Debug)]
pub(super) struct Terminal {
    /// Whoever asks first is answered first.
    answers: Mutex<UnboundedReceiver<()>>,
}

impl Terminal {
    /// Listens on standard input, on a thread that goes with the program.
    pub(super) fn open() -> Terminal {
        let (tell, answers) = unbounded_channel();
        std::thread::spawn(move || {
            for line in io::stdin().lines() {
                let Ok(line) = line else { return };
                if is_yes(&line) && tell.send(()).is_err() {
                    return;
                }
            }
        });
        Terminal { answers: Mutex::new(answers) }
    }

    /// Ends with the next answer; what was said before anybody asked is none. Never, once nothing more can be said.
    pub(super) async fn answer(&self) {
        let mut answers = self.answers.lock().await;
        while answers.try_recv().is_ok() {}
        if answers.recv().await.is_none() {
            std::future::pending().await
        }
    }
}

fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_lowercase().as_str(), "" | "y" | "yes")
}
