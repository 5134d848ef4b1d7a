//! Programs as children: what they print, the CPU that they use and the most memory that they hold.

use std::fs;
use std::io::{Read, Seek};
use std::process::{Command, Stdio};

use peakdrill::base::clock::Clock;
use peakdrill::base::units::{At, Span};

use super::Failed;

/// Which core is the server's, and which the generator's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cores {
    pub(crate) count: usize,
    pub(crate) server: &'static str,
    pub(crate) generator: &'static str,
}

impl Cores {
    pub(crate) fn of_this_machine() -> Result<Cores, Failed> {
        let count = std::thread::available_parallelism()?.get();
        Ok(Cores { count, server: "0", generator: if count > 1 { "1" } else { "0" } })
    }
}

/// A program that is run on one core alone.
pub(crate) fn on_core(core: &str, program: &std::path::Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", core]).arg(program);
    command
}

/// What came of a program that ended well.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) output: String,
    /// User and system seconds.
    pub(crate) cpu: f64,
    /// The most that was resident, in MiB.
    pub(crate) resident: f64,
}

/// Runs a program to its end, which must be a good one and come within `limit`.
pub(crate) fn run(command: &mut Command, limit: Span) -> Result<Ran, Failed> {
    // Files, since nobody reads pipes while the child is watched.
    let (mut out, mut err) = (tempfile::tempfile()?, tempfile::tempfile()?);
    let before = cpu_of_children()?;
    command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(err.try_clone()?);
    let mut child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
    let clock = Clock::start();
    let mut resident = 0.0;
    let status = loop {
        resident = most_resident(child.id()).unwrap_or(resident);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if clock.now() > At::START + limit {
            child.kill()?;
            child.wait()?;
            return Err(format!("{command:?} had not ended after {limit}").into());
        }
        clock.block_for(Span::millis(50));
    };
    let cpu = cpu_of_children()? - before;
    let text = |file: &mut fs::File| -> Result<String, Failed> {
        let mut text = Vec::new();
        file.rewind()?;
        file.read_to_end(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    };
    let (output, said) = (text(&mut out)?, text(&mut err)?);
    if !status.success() {
        let last: Vec<&str> = said.lines().chain(output.lines()).rev().take(3).collect();
        return Err(format!("{command:?} ended with {status}: {}", last.join(" / ")).into());
    }
    Ok(Ran { output, cpu, resident })
}

/// User and system seconds of all children that have ended, to the hundredth.
fn cpu_of_children() -> Result<f64, Failed> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after = stat.rsplit_once(") ").ok_or("no stat")?.1;
    let fields: Vec<f64> = after.split(' ').map(|field| field.parse().unwrap_or(0.0)).collect();
    Ok((fields.get(13).unwrap_or(&0.0) + fields.get(14).unwrap_or(&0.0)) / 100.0)
}

/// None once it has ended.
fn most_resident(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib / 1024.0)
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The least and the greatest.
pub(crate) fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)))
}
