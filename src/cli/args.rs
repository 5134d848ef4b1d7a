use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::part::{self, StartAt};
use crate::base::clock::Wall;
use crate::base::units::Lang;
use crate::plan::arrivals::Slice;

/// Load, faults and recovery in one file on one clock: peak-traffic drills with a verdict.
#[derive(Debug, Parser)]
#[command(
    name = "peakdrill",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 every target passed, 1 a target failed, 2 the scenario or the command line is wrong, \
                  3 inconclusive, 4 aborted, 5 a fault could not be undone, 70 a defect of the harness itself."
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) voice: Voice,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// How to speak.
#[derive(Debug, Clone, Args)]
pub(super) struct Voice {
    /// The language of summaries and reports.
    #[arg(long, global = true, value_enum, env = "PEAKDRILL_LANG", default_value = "en")]
    pub(super) lang: Language,
    /// Colour; `auto` means on a terminal without NO_COLOR and CI.
    #[arg(long, global = true, value_enum, env = "PEAKDRILL_COLOR", default_value = "auto")]
    pub(super) color: ColorChoice,
}

impl Voice {
    pub(super) fn lang(&self) -> Lang {
        match self.lang {
            Language::En => Lang::En,
            Language::Zh => Lang::Zh,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Language {
    En,
    Zh,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorChoice {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Find every mistake in scenario files, in every profile; sends nothing.
    Check(CheckArgs),
    /// Print what a run would do: resolved values and their sources, arrivals, faults; sends nothing.
    Plan(PlanArgs),
    /// Send each journey once, printing every request and answer; no load, no fault.
    Try(TryArgs),
    /// Run drills: load, faults, verdict, report.
    Run(RunArgs),
    /// Approve one drill of production: print the token that `run` asks for; or make the keys for that.
    Approve(ApproveArgs),
    /// Find the smallest set of faults with which a failed drill still fails, by running it again with fewer and fewer.
    Shrink(ShrinkArgs),
    /// Make one run out of those of a drill's parts, and judge it.
    Merge(MergeArgs),
    /// Make the report of a stored run again.
    Report(ReportArgs),
    /// Undo what interrupted runs left behind.
    Recover(RecoverArgs),
    /// List what is left of earlier runs; changes nothing.
    Residue(RecoverArgs),
    /// List or remove stored runs.
    Runs(RunsArgs),
    /// Stand between programs as a fault proxy, told what to do over Toxiproxy's HTTP API.
    Proxy(ProxyArgs),
    /// Measure what this machine can send, and keep it for `plan` and `run`; takes a few seconds.
    Calibrate,
    /// Print the JSON Schema of the scenario language (or of summary.json), for editors and CI.
    Schema(SchemaArgs),
    /// Print a shell's completion script.
    Completions {
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the man page (roff), or write one for each command into a folder.
    Man {
        /// The folder to write `peakdrill.1`, `peakdrill-run.1`, … into.
        #[arg(long, value_name = "FOLDER")]
        into: Option<PathBuf>,
    },
    /// Run the reference shop, or one of its parts.
    #[command(subcommand)]
    Shop(crate::shop::ShopCommand),
    /// Watches over a run and undoes its faults should it die.
    #[command(hide = true)]
    Guardian(GuardianArgs),
    /// Makes one closed load of a run.
    #[cfg(feature = "closed")]
    #[command(hide = true)]
    Crew,
    /// Puts the machine that it runs on under strain, or says what that does; started by `run`, on hosts too.
    #[command(hide = true)]
    Agent,
    /// Carries a drill's links; started by `run`.
    #[command(hide = true)]
    Links,
}

/// What makes a plan out of a scenario file.
#[derive(Debug, Clone, Args)]
pub(super) struct Choice {
    /// The profile to lay over the file.
    #[arg(long, env = "PEAKDRILL_PROFILE")]
    pub(super) profile: Option<String>,
    /// Set one value, such as `vars.peak=60/s`; may be given several times.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub(super) sets: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Format,
    /// Say also what this machine cannot make of it: faults, connections, names, hosts. Asks for names, and whether the hosts that it uses answer; does nothing to them.
    #[arg(long)]
    pub(super) host: bool,
    /// Refuse actions that somebody confirms at the terminal: nobody is there.
    #[arg(long)]
    pub(super) unattended: bool,
    /// Set one value, such as `vars.peak=60/s`; may be given several times.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub(super) sets: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) choice: Choice,
    /// `json` prints the plan as it is stored with a run, and `warnings` where there are any.
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct TryArgs {
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) choice: Choice,
    /// Only this journey.
    #[arg(long)]
    pub(super) journey: Option<String>,
    /// The data, choices and think times of this arrival.
    #[arg(long, default_value_t = 0)]
    pub(super) arrival: u64,
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Several files are run one after another; the worst exit code is the command's.
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) choice: Choice,
    /// Where runs are kept, one folder each.
    #[arg(long, env = "PEAKDRILL_REPORTS", default_value = "reports", value_name = "FOLDER")]
    pub(super) reports: PathBuf,
    /// Threads that make load; as many as measured best for this machine unless said.
    #[arg(long, env = "PEAKDRILL_WORKERS", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(super) workers: Option<u16>,
    /// Make only this part of the drill's arrivals, such as `2/4`; `peakdrill merge` judges all of them. Part 1 also starts
    /// the platform, injects the faults and watches. A part exits with 0 when it was carried out.
    #[arg(long, value_name = "I/N", value_parser = part::number, requires = "start_at")]
    pub(super) part: Option<Slice>,
    /// When all parts start: an instant such as `2026-06-18T20:30:00Z`, by each machine's wall clock, or `+30s`.
    #[arg(long, value_name = "INSTANT", value_parser = part::start, requires = "part", allow_hyphen_values = true)]
    pub(super) start_at: Option<StartAt>,
    #[command(flatten)]
    pub(super) dry: Dry,
    /// What `peakdrill approve` printed for this drill of production.
    #[arg(long, env = "PEAKDRILL_APPROVAL", hide_env_values = true, value_name = "TOKEN")]
    pub(super) approval: Option<String>,
    /// No live line.
    #[arg(long)]
    pub(super) quiet: bool,
}

#[derive(Debug, Args)]
pub(super) struct ApproveArgs {
    #[arg(value_name = "FILE", required_unless_present = "new_key", conflicts_with = "new_key")]
    pub(super) file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) choice: Choice,
    /// The private key of the scenario's `production.approver`: Ed25519 in PEM.
    #[arg(long, value_name = "PEM", required_unless_present = "new_key", conflicts_with = "new_key")]
    pub(super) key: Option<PathBuf>,
    /// When the approval expires, such as `2026-11-11T04:00:00+08:00`: the drill has to be over by then.
    #[arg(long, value_name = "INSTANT", value_parser = part::instant, required_unless_present = "new_key", conflicts_with = "new_key")]
    pub(super) until: Option<Wall>,
    /// Make a pair of keys: the private one into this new file, readable by its owner alone; prints the public one.
    #[arg(long, value_name = "PEM")]
    pub(super) new_key: Option<PathBuf>,
}

/// What is left out of a run on purpose.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Dry {
    /// A rehearsal of the load: no fault is ordered, and targets on faults are not judged.
    #[arg(long, conflicts_with_all = ["no_load", "without"])]
    pub(super) no_faults: bool,
    /// A rehearsal of the faults: nobody comes, and all that is judged is that each fault bites and is undone.
    #[arg(long)]
    pub(super) no_load: bool,
    /// Leave this fault out, and those that wait for it; may be given several times.
    #[arg(long, value_name = "FAULT")]
    pub(super) without: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct ShrinkArgs {
    /// The run that failed: its folder, or its name under the reports folder; `last` is the latest one.
    #[arg(value_name = "RUN")]
    pub(super) run: PathBuf,
    #[arg(long, env = "PEAKDRILL_REPORTS", default_value = "reports", value_name = "FOLDER")]
    pub(super) reports: PathBuf,
    /// Where the files lie that the scenario names; left out: beside the scenario.
    #[arg(long, value_name = "FOLDER")]
    pub(super) files: Option<PathBuf>,
    /// At most so many drills.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) drills: u32,
}

#[derive(Debug, Args)]
pub(super) struct MergeArgs {
    /// The runs of all parts: folders, or names under the reports folder.
    #[arg(required = true, value_name = "RUN")]
    pub(super) runs: Vec<PathBuf>,
    #[arg(long, env = "PEAKDRILL_REPORTS", default_value = "reports", value_name = "FOLDER")]
    pub(super) reports: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// The run's folder, or its name under the reports folder; `last` is the latest one.
    #[arg(value_name = "RUN")]
    pub(super) run: PathBuf,
    #[arg(long, env = "PEAKDRILL_REPORTS", default_value = "reports", value_name = "FOLDER")]
    pub(super) reports: PathBuf,
    /// Fail when a plot cannot be made as PNG, for want of a font with its letters.
    #[arg(long)]
    pub(super) png: bool,
}

#[derive(Debug, Args)]
pub(super) struct RecoverArgs {
    #[arg(long, env = "PEAKDRILL_REPORTS", default_value = "reports", value_name = "FOLDER")]
    pub(super) reports: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct RunsArgs {
    #[arg(long, global = true, env = "PEAKDRILL_REPORTS", default_value = "reports", value_name = "FOLDER")]
    pub(super) reports: PathBuf,
    #[command(subcommand)]
    pub(super) what: RunsCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum RunsCommand {
    /// Every stored run: name, start, verdict.
    List,
    /// Remove stored runs for good; refuses one that is still going or that left something behind.
    Remove {
        #[arg(required = true, value_name = "RUN")]
        runs: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    #[arg(value_enum, default_value = "scenario")]
    pub(super) of: SchemaOf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaOf {
    Scenario,
    Summary,
}

#[derive(Debug, Args)]
pub(super) struct GuardianArgs {
    #[arg(last = true)]
    pub(super) rest: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct ProxyArgs {
    /// Where the API listens.
    #[arg(long, default_value = "127.0.0.1:8474")]
    pub(super) listen: std::net::SocketAddr,
    /// Proxies to begin with, as Toxiproxy's -config has them: a list of { name, listen, upstream, enabled } in JSON.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Decides whom toxics with a toxicity below 1 bite.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
}
