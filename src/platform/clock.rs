//! The wall clock of a process that may be told another one: libfaketime is loaded into it, and reads from a file by how much its
//! clock is off. Timers and the monotonic clock stay as they are.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{PlatformError, Process};
use crate::base::host::{self, ClockShare, Marker};

/// The clock of one process, through all its restarts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dial {
    library: PathBuf,
    file: PathBuf,
    share: ClockShare,
}

impl Dial {
    /// `private` is the run's private folder.
    pub(super) fn new(marker: &Marker, private: &Path) -> Result<Dial, PlatformError> {
        let process = &marker.process;
        let library = host::find_faketime().ok_or_else(|| PlatformError::NoFaketime { process: process.clone() })?;
        Ok(Dial { library, file: private.join(format!("{process}.clock")), share: ClockShare::of(marker) })
    }

    /// Beside what the process has already.
    pub(super) fn environment(&self, others: &[(String, String)]) -> Vec<(String, String)> {
        let own = others.iter().find(|(name, _)| name == "LD_PRELOAD").map(|(_, value)| value.clone());
        let library = self.library.display().to_string();
        let preload = own.map_or_else(|| library.clone(), |own| format!("{library}:{own}"));
        let file = self.file.display().to_string();
        [
            ("LD_PRELOAD", preload.as_str()),
            ("FAKETIME_TIMESTAMP_FILE", &file),
            // The file is read each time, so that a change holds at once.
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("NO_FAKE_STAT", "1"),
            ("FAKETIME_SHARED", &self.share.told()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// The file and what is shared, before the process is started; the clock is right.
    pub(super) fn make(&self) -> io::Result<()> {
        self.share.make()?;
        host::set_skew(&self.file, 0)
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    pub fn library(&self) -> &Path {
        &self.library
    }

    pub(super) fn share(&self) -> &ClockShare {
        &self.share
    }
}

impl Process {
    /// By how many nanoseconds the clock is off that a program sees which is started as this process is; blocking. `Err` says why that
    /// is not known.
    pub fn look_at_clock(&self) -> Result<i64, String> {
        let program = host::find_program("date", Path::new("/")).ok_or("there is no program `date`")?;
        let mut command = Command::new(program);
        command.arg("+%s %N").envs(self.environment()).stdin(Stdio::null()).stderr(Stdio::null());
        let before = host::realtime_nanos();
        let output = command.output().map_err(|error| format!("`date`: {error}"))?;
        let after = host::realtime_nanos();
        let text = String::from_utf8_lossy(&output.stdout);
        let mut numbers = text.split_ascii_whitespace().map(str::parse::<i64>);
        let (Some(Ok(seconds)), Some(Ok(nanos))) = (numbers.next(), numbers.next()) else {
            return Err(format!("`date` says `{}`", text.trim()));
        };
        let middle = i64::try_from(before.midpoint(after)).unwrap_or(i64::MAX);
        Ok(seconds.saturating_mul(1_000_000_000).saturating_add(nanos).saturating_sub(middle))
    }

    /// By how many seconds the `date` of its own answer is off; none where it has no such answer.
    pub async fn answered_date(&self) -> Option<i64> {
        let answer = self.answer().await?;
        let told = parse_date(answer.date.as_deref()?)?;
        Some(told - i64::try_from(host::realtime_nanos() / 1_000_000_000).ok()?)
    }
}

/// Seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7).
fn parse_date(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split_once(", ")?.1.split(' ');
    let day: i64 = words.next()?.parse().ok()?;
    let word = words.next()?;
    let month = MONTHS.iter().position(|month| *month == word)? as i64 + 1;
    let year: i64 = words.next()?.parse().ok().filter(|year| (1970..10_000).contains(year))?;
    let mut clock = words.next()?.split(':').map(|part| part.parse::<i64>().ok());
    let (hours, minutes, seconds) = (clock.next()??, clock.next()??, clock.next()??);
    // Years that begin in March, so that the leap day is the last of one.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hours * 3_600 + minutes * 60 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_seconds_since_1970() {
        assert_eq!(parse_date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(parse_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(parse_date("Thu, 29 Feb 2024 23:59:59 GMT"), Some(1_709_251_199));
        assert_eq!(parse_date("Thu, 01 Jan 2026 00:00:00 GMT"), Some(1_767_225_600));
        for wrong in ["", "now", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov", "Sun, 06 Nov 1 08:49:37 GMT"] {
            assert_eq!(parse_date(wrong), None, "{wrong}");
        }
    }
}
