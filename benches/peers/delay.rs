//! How exactly a link delays: round trips of small messages at a fixed rate, with and without a planned delay.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::thread;

use peakdrill::base::clock::Clock;
use peakdrill::base::units::Span;

use super::asks::Asker;
use super::child::{median, on_core, run};
use super::server::{await_listening, free_port};
use super::stand::{Stand, Who};
use super::{Effort, Failed};

const RATES: [u64; 2] = [1_000, 5_000];
/// Milliseconds, on the answers' way.
const PLANNED: u64 = 20;
const CONNECTIONS: usize = 10;
const MESSAGE: usize = 64;
/// Microseconds at p50 and p99, at the first rate.
const GOAL: (f64, f64) = (100.0, 500.0);

/// Round trips in microseconds.
#[derive(Debug, Clone, Copy)]
struct Trips {
    p50: f64,
    p99: f64,
}

#[allow(clippy::print_stderr)]
pub(crate) fn measure(asker: &Asker<'_>, effort: Effort) -> Result<String, Failed> {
    let (trials, seconds) = (effort.of(5, 1), effort.of(4, 1));
    let mut text = format!(
        "Round trips of messages of {MESSAGE} bytes over {CONNECTIONS} connections, both ends on core {}, what stands between them alone on core {}. \
         The error is the round trip with a delay of {PLANNED} ms on the answers' way, less the median of those without, less those {PLANNED} ms; the \
         medians of {trials} interleaved trials of {seconds} s. The goal holds at {}/s: at most {:.0} µs at p50 and {:.0} µs at p99.\n",
        asker.cores.server, asker.cores.generator, RATES[0], GOAL.0, GOAL.1
    );
    if asker.kit.toxiproxy().is_none() {
        text.push_str("Toxiproxy was not found, and is left out.\n");
    }
    text.push_str(
        "\n| rate | | round trip without it, p50 and p99 µs | error p50 µs | error p99 µs | CPU µs a round trip |\n|---|---|---|---|---|---|\n",
    );
    let echo = Echo::start(asker)?;
    let mut missed = Vec::new();
    for rate in RATES {
        let mut found = [(Who::Tcp, Vec::new()), (Who::Toxiproxy, Vec::new())];
        for _ in 0..trials {
            for (who, trials) in &mut found {
                let Some(stand) = Stand::start(asker, *who, echo.at)? else { continue };
                let without = trips(asker, stand.at, rate, seconds)?;
                stand.delays(PLANNED)?;
                let before = stand.cpu()?;
                let with = trips(asker, stand.at, rate, seconds)?;
                let cost = (stand.cpu()? - before) / (rate * seconds) as f64 * 1e6;
                let late = |trip: f64| trip - without.p50 - (PLANNED * 1_000) as f64;
                eprintln!("{rate}/s, {}: {:.0} and {:.0} µs late", who.name(), late(with.p50), late(with.p99));
                trials.push((without, late(with.p50), late(with.p99), cost));
            }
            found.reverse();
        }
        found.sort_by_key(|(who, _)| *who != Who::Tcp);
        for (who, trials) in found.iter().filter(|(_, trials)| !trials.is_empty()) {
            let (p50, p99) = (median(trials.iter().map(|trial| trial.1)), median(trials.iter().map(|trial| trial.2)));
            let ours = *who == Who::Tcp && rate == RATES[0];
            if ours && (p50 > GOAL.0 || p99 > GOAL.1) {
                missed.push(format!("{rate}/s: {p50:.0} and {p99:.0} µs"));
            }
            let bold = if ours { "**" } else { "" };
            writeln!(
                text,
                "| {rate}/s | {} | {:.0}, {:.0} | {bold}{p50:.0}{bold} | {bold}{p99:.0}{bold} | {:.1} |",
                who.name(),
                median(trials.iter().map(|trial| trial.0.p50)),
                median(trials.iter().map(|trial| trial.0.p99)),
                median(trials.iter().map(|trial| trial.3)),
            )?;
        }
    }
    text.push_str(&super::missed(&missed));
    Ok(text)
}

fn trips(asker: &Asker<'_>, to: SocketAddr, rate: u64, seconds: u64) -> Result<Trips, Failed> {
    let mut command = on_core(asker.cores.server, &std::env::current_exe()?);
    command.arg("exchange").args([to.to_string(), rate.to_string(), seconds.to_string()]);
    let ran = run(&mut command, Span::seconds(seconds + 30))?;
    let figures: Vec<f64> = ran.output.split_whitespace().filter_map(|figure| figure.parse().ok()).collect();
    let [p50, p99] = figures[..] else { return Err(format!("no figures: {}", ran.output).into()) };
    Ok(Trips { p50, p99 })
}

/// A server that sends back what it gets, as a child.
struct Echo {
    child: Child,
    at: SocketAddr,
}

impl Echo {
    fn start(asker: &Asker<'_>) -> Result<Echo, Failed> {
        let at = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let mut command = on_core(asker.cores.server, &std::env::current_exe()?);
        let child = command.arg("echo").arg(at.to_string()).stdin(Stdio::null()).spawn()?;
        let echo = Echo { child, at };
        await_listening(at.port())?;
        Ok(echo)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server's part. Serves until it is killed.
pub(crate) fn echo(at: SocketAddr) -> Result<(), Failed> {
    for stream in TcpListener::bind(at)?.incoming() {
        let mut stream = stream?;
        stream.set_nodelay(true)?;
        thread::spawn(move || {
            let mut message = [0; MESSAGE];
            while stream.read_exact(&mut message).is_ok() && stream.write_all(&message).is_ok() {}
        });
    }
    Ok(())
}

/// The client's part: sends at `rate`, and prints the round trip's p50 and p99 in microseconds.
#[allow(clippy::print_stdout)]
pub(crate) fn exchange(to: SocketAddr, rate: u64, seconds: u64) -> Result<(), Failed> {
    let clock = Clock::start();
    let (mut senders, mut receivers) = (Vec::new(), Vec::new());
    let count = (rate * seconds) as usize;
    for index in 0..CONNECTIONS {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        let (clock, mut from) = (clock.clone(), stream.try_clone()?);
        let mine = (index..count).step_by(CONNECTIONS).count();
        senders.push(stream);
        receivers.push(thread::spawn(move || -> std::io::Result<Vec<u64>> {
            let mut message = [0; MESSAGE];
            let mut trips = Vec::with_capacity(mine);
            for _ in 0..mine {
                from.read_exact(&mut message)?;
                let sent = u64::from_le_bytes(message[..8].try_into().expect("eight bytes"));
                trips.push(clock.now().as_nanos() - sent);
            }
            Ok(trips)
        }));
    }
    let begins = clock.now() + Span::millis(20);
    for index in 0..count {
        clock.block_until(begins + Span::nanos(index as u64 * 1_000_000_000 / rate));
        let mut message = [0; MESSAGE];
        message[..8].copy_from_slice(&clock.now().as_nanos().to_le_bytes());
        senders[index % CONNECTIONS].write_all(&message)?;
    }
    let mut trips = Vec::new();
    for receiver in receivers {
        trips.extend(receiver.join().map_err(|_| "a receiver panicked")??);
    }
    trips.sort_unstable();
    let at = |share: f64| trips[((trips.len() - 1) as f64 * share) as usize] as f64 / 1e3;
    println!("{} {}", at(0.50), at(0.99));
    Ok(())
}
