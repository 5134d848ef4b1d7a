//! The program `peakdrill`: one file for each command. The only room that prints, exits, reads the environment, finds
//! files and fonts, and wires the other rooms together.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod approve;
mod args;
mod calibrate;
mod check;
mod exit;
mod files;
mod host;
mod machine;
mod merge;
mod once;
mod pages;
mod part;
mod plan;
mod proxy;
mod recover;
mod render;
mod report;
mod run;
mod runs;
mod scenarios;
mod shrink;
mod speech;
mod token;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use self::args::{Cli, Command};
use self::exit::Exit;
use self::speech::Speech;
use crate::undo;

/// Runs the command that the program was called with.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let speech = Speech::new(&cli.voice);
    match cli.command {
        // Programs of their own, in whose exit codes we have no say.
        Command::Shop(part) => return crate::shop::main(part),
        Command::Guardian(args) => {
            let journal = args.rest.last().map(String::as_str).unwrap_or_default();
            return undo::guardian_main(Path::new(journal));
        }
        #[cfg(feature = "closed")]
        Command::Crew => return crate::load::crew_main(),
        Command::Links => return crate::proxy::proxy_main(),
        Command::Agent => return crate::agent::agent_main(),
        _ => {}
    }
    let done = std::panic::catch_unwind(|| command(&cli.command, speech));
    let exit = done.unwrap_or_else(|_| {
        speech.say("peakdrill: this is a defect of the harness itself; `peakdrill recover` undoes what it left\n");
        Exit::Defect
    });
    if Speech::has_lost() { exit.max(Exit::Inconclusive) } else { exit }.into()
}

fn command(command: &Command, speech: Speech) -> Exit {
    match command {
        Command::Check(args) => check::check(args, speech),
        Command::Plan(args) => plan::plan(args, speech),
        Command::Try(args) => once::once(args, speech),
        Command::Run(args) => run::run(args, speech),
        Command::Approve(args) => approve::approve(args, speech),
        Command::Shrink(args) => shrink::shrink(args, speech),
        Command::Merge(args) => merge::merge(args, speech),
        Command::Report(args) => report::report(args, speech),
        Command::Recover(args) => recover::recover(args, speech),
        Command::Residue(args) => recover::residue(args, speech),
        Command::Runs(args) => runs::runs(args, speech),
        Command::Proxy(args) => proxy::proxy(args, speech),
        Command::Calibrate => calibrate::calibrate(speech),
        Command::Schema(args) => pages::schema(args, speech),
        Command::Completions { shell } => pages::completions(*shell, speech),
        Command::Man { into } => pages::man(into.as_deref(), speech),
        Command::Shop(_) | Command::Guardian(_) | Command::Links | Command::Agent => Exit::Passed,
        #[cfg(feature = "closed")]
        Command::Crew => Exit::Passed,
    }
}
