//! This engine and its peers against the same servers, interleaved in one sitting: what a request costs, what connections
//! cost in memory, how late arrivals are, and what each says of a server whose true figures are known. And our fault proxy
//! against a bare copier and Toxiproxy: what a link costs, and how exactly it delays.
//!
//! - `cargo bench --bench peers -- install` builds the peers that no package brings (some minutes), once;
//! - `cargo bench --bench peers` measures everything (about 15 minutes) and writes `benches/RESULTS.md`;
//! - `cargo bench --bench peers -- saturation memory lag truth links delay` measures some of it, and writes those sections anew;
//! - with `--quick` it prints what it finds, only to see that it works.
//!
//! It needs `nginx` and `taskset`; a peer that is not found, or fails, is named as such. `--tools FOLDER` says where the
//! built ones lie, if not beside the build. Every trial is a child of its own, measured the same for all.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod asks;
mod child;
mod delay;
mod engine;
mod kit;
mod lag;
mod links;
mod memory;
mod saturation;
mod server;
mod stand;
mod truth;

use std::fs;
use std::path::PathBuf;

use peakdrill::base::clock::Clock;
use peakdrill::base::host;

use asks::Asker;
use child::Cores;
use kit::Kit;
use server::Nginx;

pub(crate) type Failed = Box<dyn std::error::Error>;

const RESULTS: &str = "benches/RESULTS.md";
const SECTIONS: [(&str, &str); 6] = [
    ("saturation", "What a request costs"),
    ("memory", "What connections cost in memory"),
    ("lag", "How late arrivals are"),
    ("truth", "What each says of a troubled server"),
    ("links", "What a link through the fault proxy costs"),
    ("delay", "How exactly a link delays"),
];

/// How much time a sitting may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    Full,
    /// Only to see that it works.
    Quick,
}

impl Effort {
    pub(crate) fn of(self, full: u64, quick: u64) -> u64 {
        if self == Effort::Full { full } else { quick }
    }
}

fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let mut words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // What follows is the children's part.
    match words.as_slice() {
        ["saturate", journey, speaker, connections, seconds, url] => {
            return engine::saturated(journey, speaker, connections.parse()?, seconds.parse()?, url);
        }
        ["schedule", rate, spin, seconds, url] => {
            return engine::scheduled(rate.parse()?, spin, seconds.parse()?, url);
        }
        ["serve", trouble, port] => return server::serve(trouble, port.parse()?),
        ["copy", at, to] => return stand::copy(at.parse()?, to.parse()?),
        ["echo", at] => return delay::echo(at.parse()?),
        ["exchange", to, rate, seconds] => return delay::exchange(to.parse()?, rate.parse()?, seconds.parse()?),
        _ => {}
    }
    let mut folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("peers");
    if let Some(at) = words.iter().position(|word| *word == "--tools") {
        folder = words.get(at + 1).ok_or("--tools needs a folder")?.into();
        words.drain(at..at + 2);
    }
    let before = words.len();
    words.retain(|word| *word != "--quick");
    let effort = if words.len() < before { Effort::Quick } else { Effort::Full };
    if words == ["install"] {
        let kit = Kit::find(&folder);
        kit.install()?;
        print!("{}", Kit::find(&folder).describe());
        return Ok(());
    }
    let known = |word: &&str| SECTIONS.iter().any(|(name, _)| name == word);
    if let Some(unknown) = words.iter().find(|word| !known(word)) {
        return Err(format!(
            "`{unknown}` is none of: install, saturation, memory, lag, truth, links, delay, --quick, --tools"
        )
        .into());
    }
    sit(&Kit::find(&folder), effort, &words)
}

fn sit(kit: &Kit, effort: Effort, wanted: &[&str]) -> Result<(), Failed> {
    // For ourselves and for all children: 9,000 connections are as many files.
    host::raise_open_files()?;
    let cores = Cores::of_this_machine()?;
    let clock = Clock::start();
    let folder = tempfile::tempdir()?;
    let nginx = Nginx::start(cores.server)?;
    let asker = Asker { kit, cores, folder: folder.path() };
    let head = format!(
        "# Against its peers\n\n\
         Written by `cargo bench --bench peers` on a machine of {} cores, Linux {}: the server on core {}, each generator alone on core {}, over \
         loopback. Trust the ratios of one sitting, not the absolutes. Figures of ours are bold where a goal stands beside them; goals that \
         are missed are named.\n\n{}",
        cores.count,
        host::machine().kernel.split('.').take(2).collect::<Vec<_>>().join("."),
        cores.server,
        cores.generator,
        kit.describe(),
    );
    let mut found = Vec::new();
    for (name, title) in SECTIONS.into_iter().filter(|(name, _)| wanted.is_empty() || wanted.contains(name)) {
        let measured = match name {
            "saturation" => saturation::measure(&asker, &nginx, effort),
            "memory" => memory::measure(&asker, &nginx, effort),
            "lag" => lag::measure(&asker, &nginx, effort),
            "links" => links::measure(&asker, &nginx, effort),
            "delay" => delay::measure(&asker, effort),
            _ => truth::measure(&asker, effort),
        };
        // One that fails takes no other with it.
        let measured = measured.unwrap_or_else(|error| format!("Not measured: {error}\n"));
        found.push((title, measured));
        eprintln!("{name}: done after {:.0} s", clock.now().as_seconds_f64());
    }
    // Sections that were not measured now stay as they were.
    let before = if wanted.is_empty() { String::new() } else { fs::read_to_string(RESULTS).unwrap_or_default() };
    let mut report = if before.is_empty() { head } else { before };
    for (title, measured) in found {
        let section = format!("## {title}\n{measured}");
        println!("{section}");
        report = replaced(&report, title, &section);
    }
    if effort == Effort::Full {
        fs::write(RESULTS, &report)?;
    }
    Ok(())
}

/// The report with this section in the place of the one of that title, or at its end.
fn replaced(report: &str, title: &str, section: &str) -> String {
    let heading = format!("\n## {title}\n");
    match report.find(&heading) {
        None => format!("{}\n\n{}\n", report.trim_end(), section.trim_end()),
        Some(at) => {
            let (before, rest) = (&report[..at], &report[at + heading.len()..]);
            let after = rest.find("\n## ").map_or("", |next| &rest[next..]);
            format!("{}\n\n{}\n{after}", before.trim_end(), section.trim_end())
        }
    }
}

/// The goals that were not reached, in words.
pub(crate) fn missed(missed: &[String]) -> String {
    match missed {
        [] => String::new(),
        some => format!("\n**Missed:** {}.\n", some.join("; ")),
    }
}
