//! Programs of the user's: one undoes something, another says whether it is in force.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use crate::base::clock::Clock;
use crate::base::host;
use crate::base::units::Span;

const LOOK: Span = Span::millis(5);
/// Between two questions.
const PAUSE: Span = Span::millis(100);
/// How much of what it said at last is told.
const TOLD: u64 = 400;

/// Runs a program that has to exit with 0, blocking.
pub(super) fn carry_out(words: &[String], folder: &Path, within: Span) -> Result<(), String> {
    let ended = run(words, folder, within)?;
    if ended.status.success() { Ok(()) } else { Err(ended.told(words)) }
}

/// Asks a program, blocking, whether something is in force: 0 is yes, 1 is no. Ending in another way is no answer: whoever
/// could not look does not know.
pub fn ask(words: &[String], folder: &Path, within: Span) -> Result<bool, String> {
    let ended = run(words, folder, within)?;
    match ended.status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => Err(format!("it is not known whether it is in force: {}", ended.told(words))),
    }
}

/// Asks until it is not in force any more.
pub(super) fn until_gone(words: &[String], folder: &Path, within: Span) -> Result<(), String> {
    let clock = Clock::start();
    let deadline = clock.now() + within;
    loop {
        let why = match ask(words, folder, within) {
            Ok(false) => return Ok(()),
            Ok(true) => "its check still says that it is in force".to_owned(),
            Err(why) => why,
        };
        if clock.now() >= deadline {
            return Err(why);
        }
        clock.block_for(PAUSE);
    }
}

struct Ended {
    status: ExitStatus,
    complaint: File,
}

impl Ended {
    fn told(mut self, words: &[String]) -> String {
        let ended = format!("`{}` ended with {}", words.join(" "), host::describe_exit(self.status));
        match self.last_line() {
            Some(line) => format!("{ended}: {line}"),
            None => ended,
        }
    }

    /// The last line that it wrote to standard error.
    fn last_line(&mut self) -> Option<String> {
        let length = self.complaint.seek(SeekFrom::End(0)).ok()?;
        self.complaint.seek(SeekFrom::Start(length.saturating_sub(TOLD))).ok()?;
        let mut bytes = Vec::new();
        self.complaint.by_ref().take(TOLD).read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned)
    }
}

/// Runs a program to its end. One that takes longer is killed, with all that it started. What it prints is nobody's, but for its complaints.
/// What a terminal sends to us is not for it: a second Ctrl-C must not end what undoes.
fn run(words: &[String], folder: &Path, within: Span) -> Result<Ended, String> {
    let (program, arguments) = words.split_first().ok_or("there is no program to run")?;
    let path = host::find_program(program, folder).ok_or_else(|| format!("`{program}` is no program"))?;
    let said = |error: std::io::Error| format!("`{program}`: {error}");
    let complaint = host::memory_file().map_err(said)?;
    let mut command = Command::new(path);
    command.args(arguments).current_dir(folder).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(complaint.try_clone().map_err(said)?);
    let mut child = command.spawn().map_err(said)?;
    let clock = Clock::start();
    let deadline = clock.now() + within;
    loop {
        match child.try_wait().map_err(said)? {
            Some(status) => return Ok(Ended { status, complaint }),
            None if clock.now() >= deadline => {
                host::kill_group(&mut child);
                let _ = child.wait();
                return Err(format!("`{}` was not done within {within}", words.join(" ")));
            }
            None => clock.block_for(LOOK),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const LONG: Span = Span::seconds(20);

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_program_has_done_it_failed_or_taken_too_long() {
        let here = tempfile::tempdir().unwrap();
        let run = |list: &[&str], within| carry_out(&words(list), here.path(), within);
        assert_eq!(run(&["true"], LONG), Ok(()));
        assert_eq!(run(&["false"], LONG), Err("`false` ended with exit 1".to_owned()));
        let here = here.path().display().to_string();
        assert_eq!(run(&["sh", "-c", "test $(pwd) = \"$0\"", &here], LONG), Ok(()));
        assert!(run(&["sleep", "600"], Span::millis(20)).unwrap_err().contains("within"));
        assert!(run(&["no-such-program"], Span::SECOND).unwrap_err().contains("is no program"));
        assert!(run(&[], Span::SECOND).is_err());
    }

    #[test]
    fn the_last_line_of_its_complaints_is_told() {
        let here = tempfile::tempdir().unwrap();
        let script = "echo out; echo first >&2; printf 'no route\\n\\n' >&2; exit 7";
        let why = carry_out(&words(&["sh", "-c", script]), here.path(), LONG).unwrap_err();
        assert!(why.ends_with("ended with exit 7: no route"), "{why}");
    }

    #[test]
    fn a_check_that_cannot_look_gives_no_answer() {
        let here = tempfile::tempdir().unwrap();
        let ask = |script: &str| ask(&words(&["sh", "-c", script]), here.path(), LONG);
        assert_eq!((ask("exit 0"), ask("exit 1")), (Ok(true), Ok(false)));
        for script in ["exit 2", "no-such-program-of-ours", "kill -KILL $$"] {
            let why = ask(script).unwrap_err();
            assert!(why.contains("not known"), "{script}: {why}");
        }
    }

    #[test]
    fn what_takes_a_while_to_go_is_waited_for() {
        let here = tempfile::tempdir().unwrap();
        let file = here.path().join("asked");
        let file = file.to_str().unwrap();
        // In force when it is asked for the first time, unknown at the second, gone at the third.
        let script = "printf x >> $0; case $(cat $0) in x) exit 0;; xx) exit 2;; *) exit 1;; esac";
        assert_eq!(until_gone(&words(&["sh", "-c", script, file]), here.path(), LONG), Ok(()));
        assert_eq!(fs::read_to_string(file).unwrap(), "xxx");
        let why = until_gone(&words(&["true"]), here.path(), Span::millis(20)).unwrap_err();
        assert!(why.contains("still"), "{why}");
    }

    #[test]
    fn what_a_late_program_started_goes_with_it() {
        let here = tempfile::tempdir().unwrap();
        let file = here.path().join("pid");
        let script = "sleep 600 & echo $! > $0.new; mv $0.new $0; wait";
        let late = words(&["sh", "-c", script, file.to_str().unwrap()]);
        // It may be too slow to get there, on a busy machine.
        let pid = (1..20).find_map(|times| {
            assert!(carry_out(&late, here.path(), Span::millis(50 * times)).is_err());
            fs::read_to_string(&file).ok()
        });
        let pid = pid.expect("it never got there").trim().parse().unwrap();
        let clock = Clock::start();
        while host::Identity::of(pid).is_some_and(|process| process.is_alive()) {
            assert!(clock.now().as_nanos() < LONG.as_nanos(), "{pid} lives on");
            clock.block_for(LOOK);
        }
    }

    #[test]
    fn it_does_not_share_what_a_terminal_sends() {
        let here = tempfile::tempdir().unwrap();
        // The fifth field of its stat is its process group.
        let script = "test $(cut -d' ' -f5 /proc/$$/stat) = $$";
        assert_eq!(carry_out(&words(&["sh", "-c", script]), here.path(), LONG), Ok(()));
    }
}
