//! The agent itself.

use std::io;
use std::process::ExitCode;
use std::sync::mpsc;

use super::message::{Hello, Said, VERSION, Word};
use super::remote::LEASE;
use super::strain::{self, Held};
use crate::base::host::{self, Identity, say};

/// What the agent does: it says who it is, does what it is told, and ends with its standard input, or when it has heard nothing for
/// longer than it was told to wait.
pub fn agent_main() -> ExitCode {
    host::ignore_terminal_signals();
    let done = work();
    if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn work() -> io::Result<()> {
    say(io::stdout(), &Hello { peakdrill: VERSION.to_owned(), process: Some(Identity::own()) })?;
    let (tell, words) = mpsc::channel();
    std::thread::Builder::new().name("ear".to_owned()).spawn(move || listen(&tell))?;
    let mut held: Vec<Held> = Vec::new();
    for word in words {
        let said = match word {
            Word::Still { .. } => continue,
            Word::Strain(strain) => match strain::begin(&strain) {
                Ok((said, now)) => {
                    held.push(now);
                    said
                }
                Err(why) => Said::Failed(why.to_string()),
            },
            Word::Load => Said::Load(host::system_load()),
            Word::Lives(process) => Said::Lives(process.is_alive()),
        };
        say(io::stdout(), &said)?;
    }
    Ok(())
}

/// Passes on what is heard. Ends the process, whatever it is at, when nothing more is to be heard.
fn listen(tell: &mpsc::Sender<Word>) {
    let (heard, lines) = mpsc::channel();
    let read = move || io::stdin().lines().map_while(Result::ok).all(|line| heard.send(line).is_ok());
    let reader = std::thread::Builder::new().name("reader".to_owned()).spawn(read);
    let mut lease = LEASE;
    if reader.is_ok() {
        while let Ok(line) = lines.recv_timeout(lease.to_std()) {
            match serde_json::from_str(&line) {
                Ok(Word::Still { within }) => lease = within,
                Ok(word) => drop(tell.send(word)),
                Err(_) => break,
            }
        }
    }
    std::process::exit(0)
}
