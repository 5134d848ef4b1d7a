//! The process that carries a drill's links.

use std::io::{self, BufRead, BufReader, Lines};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::rc::Rc;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet};

use super::alone::answer;
use super::hub::Hub;
use super::link::Link;
use super::message::{Said, Shown, Way, Word};
use super::toxiproxy::Toxiproxy;
use crate::base::clock::Clock;
use crate::base::host::{self, say};

/// What the process does that carries a drill's links. Standard input is the socket to the harness, both ways. When the harness
/// dies, nothing is wrong with the links any more, and they go on until somebody ends the process.
pub fn proxy_main() -> ExitCode {
    host::ignore_terminal_signals();
    // Each connection has two ends.
    let _ = host::raise_open_files();
    let done = begin();
    if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn begin() -> io::Result<()> {
    let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().ok_or(io::ErrorKind::UnexpectedEof)??;
    let Word::Open { seed, links, toxiproxy } = serde_json::from_str(&first)? else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let (tell, words) = mpsc::unbounded_channel();
    std::thread::Builder::new().name("words".to_owned()).spawn(move || hear(lines, &tell))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, work(seed, (links, toxiproxy), words, stream))
}

/// Passes on what the harness says, and at last that it says no more.
fn hear(lines: Lines<BufReader<UnixStream>>, tell: &mpsc::UnboundedSender<Word>) {
    for word in lines.map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok()) {
        let _ = tell.send(word);
    }
}

async fn work(
    seed: u64,
    (links, shown): (Vec<Way>, Option<Shown>),
    mut words: mpsc::UnboundedReceiver<Word>,
    stream: UnixStream,
) -> io::Result<()> {
    let clock = Clock::start();
    let (tell, mut bites) = mpsc::unbounded_channel();
    let hub = Rc::new(Hub::new(&clock, tell)?);
    let (tell, mut by_hand) = mpsc::unbounded_channel();
    let opened: Result<Vec<_>, _> = links.into_iter().map(|way| open(&hub, way)).collect();
    let opened = match (opened, shown) {
        (Ok(links), Some(shown)) => {
            let shows = show(&hub, seed, &links, shown, tell).await;
            shows.map(|api| (links, Some(api)))
        }
        (opened, _) => opened.map(|links| (links, None)),
    };
    let mut api = match opened {
        Ok((links, api)) => {
            say(&stream, &Said::Ready { at: links.iter().map(|link| link.at()).collect() })?;
            api
        }
        Err(why) => return say(&stream, &Said::NotReady { why }),
    };
    loop {
        tokio::select! {
            word = words.recv() => match word {
                Some(Word::Set { flaws }) => {
                    for (id, why) in hub.set(flaws, seed).await {
                        let _ = say(&stream, &Said::Failed { id, why });
                    }
                }
                // What is held back may take a while to pass: other words are heard meanwhile.
                Some(Word::Clear { ids }) => {
                    let (hub, clock, stream) = (hub.clone(), clock.clone(), stream.try_clone()?);
                    tokio::task::spawn_local(async move {
                        for (id, gone) in hub.clear(&ids).await {
                            let said = match gone {
                                Ok(gone) => Said::Clear { id, nanos: clock.monotonic(gone.at), bites: gone.bites },
                                Err(why) => Said::Failed { id, why },
                            };
                            let _ = say(&stream, &said);
                        }
                    });
                }
                Some(Word::Open { .. }) => {}
                Some(Word::Goodbye) => return Ok(()),
                None => {
                    // Nor may others break anything any more.
                    drop(api.take());
                    hub.clear_all().await;
                    // Until somebody ends us: whoever is connected through us must not notice.
                    std::future::pending::<()>().await;
                }
            },
            Some(what) = by_hand.recv() => {
                let _ = say(&stream, &Said::ByHand { what });
            }
            Some(bite) = bites.recv() => {
                let _ = say(&stream, &Said::Bit { id: bite.id, nanos: clock.monotonic(bite.at) });
            }
        }
    }
}

fn open(hub: &Hub, way: Way) -> Result<Rc<Link>, String> {
    let at = way.at;
    hub.open(way).map_err(|error| format!("cannot listen at {at}: {error}"))
}

/// Serves Toxiproxy's API over the links, as long as what it gives is kept.
async fn show(
    hub: &Rc<Hub>,
    seed: u64,
    links: &[Rc<Link>],
    shown: Shown,
    tell: mpsc::UnboundedSender<String>,
) -> Result<JoinSet<io::Result<()>>, String> {
    let api = Toxiproxy::over(hub.clone(), seed, shown.names.into_iter().zip(links.iter().cloned()), tell);
    let listener = TcpListener::bind(shown.at).await;
    let listener = listener.map_err(|error| format!("cannot listen at {} for Toxiproxy's API: {error}", shown.at))?;
    let mut serves = JoinSet::new();
    serves.spawn_local(answer(listener, Rc::new(api)));
    Ok(serves)
}
