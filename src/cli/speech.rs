use std::io::{self, IsTerminal, Write};

use super::args::{ColorChoice, Voice};
use crate::live;
use crate::report::{Colour, Words};

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

    /// Results, to standard output.
    pub(super) fn print(self, text: &str) {
        write(&mut io::stdout().lock(), text);
    }

    /// Progress and errors, to standard error.
    pub(super) fn say(self, text: &str) {
        write(&mut io::stderr().lock(), text);
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

fn write(stream: &mut impl Write, text: &str) {
    // A reader that went away (`peakdrill … | head`) is no error, and nothing sensible can be done about another: the
    // record holds everything that is printed.
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
}
