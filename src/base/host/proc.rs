//! `/proc`, read so that an entry that vanishes is simply not there.

use std::fmt;
use std::fs;
use std::str::FromStr;

use super::identity::Identity;

/// The environment variable by which a process of a drill, and whatever it starts, is known.
pub(super) const VARIABLE: &str = "PEAKDRILL_RUN";

/// What is in the environment of every process that a drill starts: `<run>/<harness>/<process>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Marker {
    pub run: String,
    pub harness: Identity,
    pub process: String,
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.run, self.harness, self.process)
    }
}

impl FromStr for Marker {
    type Err = String;

    fn from_str(text: &str) -> Result<Marker, String> {
        let mut parts = text.rsplitn(3, '/');
        let (process, harness, run) = (parts.next(), parts.next(), parts.next());
        match (process, harness.map(str::parse), run) {
            (Some(process), Some(Ok(harness)), Some(run)) if !run.is_empty() => {
                Ok(Marker { run: run.into(), harness, process: process.into() })
            }
            _ => Err(format!("`{text}` is not a drill's mark as RUN/HARNESS/PROCESS")),
        }
    }
}

impl Marker {
    /// Of a process, where it has one and its environment may be read.
    pub fn of(pid: u32) -> Option<Marker> {
        let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
        let prefix = format!("{VARIABLE}=");
        let value = environment.split(|byte| *byte == 0).find_map(|entry| entry.strip_prefix(prefix.as_bytes()))?;
        std::str::from_utf8(value).ok()?.parse().ok()
    }

    /// All living processes that carry a drill's mark.
    pub fn all() -> Vec<(Identity, Marker)> {
        let marked = |stat: Stat| Some((stat.identity(), Marker::of(stat.pid)?));
        stats().into_iter().filter(Stat::is_alive).filter_map(marked).collect()
    }
}

/// The fields of `/proc/PID/stat` that are of use (proc_pid_stat(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub pid: u32,
    pub state: u8,
    pub parent: u32,
    pub group: u32,
    pub session: u32,
    /// utime + stime, and cutime + cstime (children that were waited for), in clock ticks.
    pub cpu_own: u64,
    pub cpu_children: u64,
    pub threads: u32,
    pub started: u64,
}

impl Stat {
    pub(super) fn identity(&self) -> Identity {
        Identity { pid: self.pid, started: self.started }
    }

    pub(super) fn is_alive(&self) -> bool {
        !matches!(self.state, b'Z' | b'X' | b'x')
    }

    pub(super) fn is_stopped(&self) -> bool {
        matches!(self.state, b'T' | b't')
    }

    fn parse(text: &[u8]) -> Option<Stat> {
        // The name stands in parentheses and may itself hold spaces and parentheses, so the last one counts.
        let open = text.iter().position(|byte| *byte == b'(')?;
        let close = text.iter().rposition(|byte| *byte == b')')?;
        let pid = std::str::from_utf8(text.get(..open)?).ok()?.trim().parse().ok()?;
        let fields: Vec<&str> = std::str::from_utf8(text.get(close + 1..)?).ok()?.split_ascii_whitespace().collect();
        // Fields are numbered from 1 in the manual; the state, the first one here, is number 3.
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        let id = |field: usize| fields.get(field - 3)?.parse::<i64>().ok().map(|id| u32::try_from(id).unwrap_or(0));
        Some(Stat {
            pid,
            state: *fields.first()?.as_bytes().first()?,
            parent: id(4)?,
            group: id(5)?,
            session: id(6)?,
            cpu_own: number(14)? + number(15)?,
            cpu_children: number(16)? + number(17)?,
            threads: id(20)?,
            started: number(22)?,
        })
    }
}

/// `None` when there is no such process (any more).
pub(super) fn stat(pid: u32) -> Option<Stat> {
    Stat::parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// All processes that could be seen.
pub(super) fn stats() -> Vec<Stat> {
    pids().filter_map(stat).collect()
}

pub(super) fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The value of a line `Name:  value kB` or `name value` of a file made of such lines.
pub(super) fn value(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let rest = line.strip_prefix(name)?;
        let rest = rest.strip_prefix(':').unwrap_or(rest);
        rest.starts_with([' ', '\t']).then(|| rest.split_ascii_whitespace().next()?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_confuse() {
        let line = b"42 (a) R (b) S 7 42 41 0 -1 4194560 1 2 3 4 100 20 30 4 20 0 5 0 987654 1 2 3\n";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.pid, stat.state, stat.parent, stat.group, stat.session), (42, b'S', 7, 42, 41));
        assert_eq!((stat.cpu_own, stat.cpu_children, stat.threads, stat.started), (120, 34, 5, 987_654));
        for end in 0..line.len() - 8 {
            let _ = Stat::parse(&line[..end]);
        }
        assert_eq!(Stat::parse(b"42 (sleep"), None);
    }

    #[test]
    fn marks_are_read_back() {
        let marker = Marker { run: "a/b-1".into(), harness: Identity { pid: 1, started: 2 }, process: "node_1".into() };
        assert_eq!(marker.to_string().parse(), Ok(marker));
        assert!("x".parse::<Marker>().is_err());
        assert!("/1.2/x".parse::<Marker>().is_err());
    }

    #[test]
    fn values_are_found_by_their_whole_name() {
        assert_eq!(value("populated 1\nfrozen 0\n", "frozen"), Some(0));
        assert_eq!(value("MemTotal:  100 kB\nMem: 3\n", "Mem"), Some(3));
        assert_eq!(value("populated 1\n", "pop"), None);
    }
}
