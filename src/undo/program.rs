use std::path::Path;
use std::process::{Command, Stdio};

use crate::base::clock::Clock;
use crate::base::host;
use crate::base::units::Span;

const LOOK: Span = Span::millis(5);

/// Runs a program to its end, blocking; true when it exits with 0. One that takes longer is killed. What it prints is nobody's.
pub fn run(words: &[String], folder: &Path, within: Span) -> Result<bool, String> {
    let (program, arguments) = words.split_first().ok_or("there is no program to run")?;
    let path = host::find_program(program, folder).ok_or_else(|| format!("`{program}` is no program"))?;
    let mut command = Command::new(path);
    command.args(arguments).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let said = |error: std::io::Error| format!("`{program}`: {error}");
    let mut child = command.spawn().map_err(said)?;
    let clock = Clock::start();
    let deadline = clock.now() + within;
    loop {
        match child.try_wait().map_err(said)? {
            Some(status) => return Ok(status.success()),
            None if clock.now() >= deadline => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("`{}` was not done within {within}", words.join(" ")));
            }
            None => clock.block_for(LOOK),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_program_has_done_it_failed_or_taken_too_long() {
        let here = tempfile::tempdir().unwrap();
        let run = |list: &[&str], within| run(&words(list), here.path(), within);
        assert_eq!(run(&["true"], Span::seconds(20)), Ok(true));
        assert_eq!(run(&["false"], Span::seconds(20)), Ok(false));
        assert_eq!(
            run(&["sh", "-c", "test $(pwd) = \"$0\"", &here.path().display().to_string()], Span::seconds(20)),
            Ok(true)
        );
        assert!(run(&["sleep", "600"], Span::millis(20)).unwrap_err().contains("within"));
        assert!(run(&["no-such-program"], Span::SECOND).unwrap_err().contains("is no program"));
        assert!(run(&[], Span::SECOND).is_err());
    }
}
