use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use super::args::{ColorChoice, Voice};
use crate::live;
use crate::report::{Colour, Words};

static LOST: AtomicBool = AtomicBool::new(false);

/// How this run of the program speaks: in which language, with colour or without, and where to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Speech {
    pub(super) words: Words,
    pub(super) colour: Colour,
    choice: ColorChoice,
}

impl Speech {
    pub(super) fn new(voice: &Voice) -> Speech {
        let colour = match voice.color {
            ColorChoice::Always => Colour::On,
            ColorChoice::Auto if io::stdout().is_terminal() && !is_plain() => Colour::On,
            ColorChoice::Auto | ColorChoice::Never => Colour::Off,
        };
        Speech { words: Words::new(voice.lang()), colour, choice: voice.color }
    }

    /// Where a drill is watched: standard error, when that is a terminal of a person.
    pub(super) fn screen(self) -> live::Screen {
        let columns = io::stderr().is_terminal().then(|| terminal_columns().unwrap_or(100));
        live::Screen::choose(columns, is_set("CI"), is_plain() || self.choice == ColorChoice::Never)
    }

    /// Whether messages may be coloured.
    pub(super) fn colours_messages(self) -> bool {
        match self.choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => io::stderr().is_terminal() && !is_plain(),
        }
    }

    /// Results, to standard output. A reader that went away (`peakdrill … | head`) has what it wanted; what else stands
    /// in the way is said, and the program does not end as if all were well.
    pub(super) fn print(self, text: &str) {
        match write(&mut io::stdout().lock(), text) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe && !LOST.swap(true, Ordering::Relaxed) => {
                self.complain(&format!("standard output cannot be written: {error}"));
            }
            _ => {}
        }
    }

    /// Whether something that was printed is lost.
    pub(super) fn has_lost() -> bool {
        LOST.load(Ordering::Relaxed)
    }

    /// Progress and errors, to standard error.
    pub(super) fn say(self, text: &str) {
        // There is nowhere left to complain.
        let _ = write(&mut io::stderr().lock(), text);
    }

    /// One line of a failed command.
    pub(super) fn complain(self, error: &dyn std::fmt::Display) {
        self.say(&format!("peakdrill: {error}\n"));
    }
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

fn is_plain() -> bool {
    is_set("NO_COLOR") || is_set("CI") || std::env::var("TERM").is_ok_and(|term| term == "dumb")
}

fn terminal_columns() -> Option<usize> {
    terminal_size::terminal_size_of(io::stderr()).map(|(width, _)| usize::from(width.0))
}

fn write(stream: &mut impl Write, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes()).and_then(|()| stream.flush())
}
