//! What a person watches while a drill runs: on a terminal one line that is written anew each second, elsewhere a
//! status line every 10 s; and beneath both the events that matter, as they come. Leaves to others: the figures
//! (`analysis`), the words (`report`), which terminal there is and where to write (`cli`).

mod line;

pub use line::live_line;

use std::io::{self, Write};

use unicode_width::UnicodeWidthChar;

use crate::analysis::Snapshot;
use crate::plan::{FaultId, Plan};
use crate::record::{Entry, Event, FaultEvent};
use crate::report::{Colour, Words, event_line};

/// How often a status line is written where there is no terminal, in seconds.
const EVERY: u64 = 10;

/// Where a person watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// A terminal so many columns wide.
    Terminal { columns: usize, colour: Colour },
    /// A file, a pipe, a log of CI.
    Log,
}

impl Screen {
    /// `columns`: none without a terminal. `ci` and `no_color`: whether those variables are set and not empty.
    pub fn choose(columns: Option<usize>, ci: bool, no_color: bool) -> Screen {
        match columns {
            Some(columns) if !ci => {
                let colour = if no_color { Colour::Off } else { Colour::On };
                Screen::Terminal { columns: columns.max(20), colour }
            }
            _ => Screen::Log,
        }
    }

    pub fn colour(self) -> Colour {
        match self {
            Screen::Terminal { colour, .. } => colour,
            Screen::Log => Colour::Off,
        }
    }
}

/// The live view of one run.
#[derive(Debug)]
pub struct Live<'a, W> {
    plan: &'a Plan,
    words: Words,
    screen: Screen,
    out: W,
    /// Effective and not yet healed.
    in_force: Vec<FaultId>,
    /// The line that stands on the terminal.
    standing: String,
    /// The ten seconds that a status line was last written for.
    written: Option<u64>,
}

impl<'a, W: Write> Live<'a, W> {
    pub fn new(plan: &'a Plan, words: Words, screen: Screen, out: W) -> Live<'a, W> {
        Live { plan, words, screen, out, in_force: Vec::new(), standing: String::new(), written: None }
    }

    /// An entry of the record: what matters to a person is written above the line.
    pub fn note(&mut self, entry: &Entry) -> io::Result<()> {
        if let Event::Fault { fault, what } = &entry.event {
            match what {
                FaultEvent::Effective { .. } => self.in_force.push(*fault),
                FaultEvent::Healed { .. } => self.in_force.retain(|known| known != fault),
                _ => {}
            }
        }
        if !matters(&entry.event) {
            return Ok(());
        }
        let Some(text) = event_line(self.plan, self.words, &entry.event) else { return Ok(()) };
        let at = self.words.at(entry.at);
        let at = if entry.preparing { self.words.at_preparing(at) } else { at };
        self.erase()?;
        writeln!(self.out, "{at}  {text}")?;
        self.draw()
    }

    /// The second that was just closed.
    pub fn second(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        let line = live_line(self.plan, self.words, self.screen.colour(), snapshot, &self.in_force);
        match self.screen {
            Screen::Terminal { columns, .. } => {
                self.erase()?;
                self.standing = cut(&line, columns - 1);
                self.draw()
            }
            Screen::Log => {
                let ten = (snapshot.second + 1) / EVERY;
                if ten == 0 || self.written.is_some_and(|written| written >= ten) {
                    return Ok(());
                }
                self.written = Some(ten);
                writeln!(self.out, "{line}")?;
                self.out.flush()
            }
        }
    }

    /// Takes the line away, so that a summary begins on a clean one.
    pub fn finish(mut self) -> io::Result<()> {
        self.erase()?;
        self.out.flush()
    }

    fn erase(&mut self) -> io::Result<()> {
        match self.screen {
            Screen::Terminal { .. } if !self.standing.is_empty() => write!(self.out, "\r\x1b[2K"),
            _ => Ok(()),
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        write!(self.out, "{}", self.standing)?;
        self.out.flush()
    }
}

/// What is worth a line of its own while a drill runs.
fn matters(event: &Event) -> bool {
    match event {
        Event::Fault { .. }
        | Event::Action { .. }
        | Event::ProcessDied { .. }
        | Event::ChoreFailed { .. }
        | Event::LoadBegan
        | Event::LoadEnded
        | Event::Probe { .. }
        | Event::SteadyHeld { .. }
        | Event::SteadyMissed { .. }
        | Event::Aborting { .. }
        | Event::TrialEnded { .. }
        | Event::SearchEnded { .. }
        | Event::Signalled { .. }
        | Event::ClockStepped { .. }
        | Event::Noted { .. }
        | Event::Lacking { .. }
        | Event::Residue { .. } => true,
        Event::Drained { abandoned } => *abandoned > 0,
        Event::Opened { .. }
        | Event::Part(_)
        | Event::Approved(_)
        | Event::Merged { .. }
        | Event::Bindings { .. }
        | Event::ProcessStarted { .. }
        | Event::ProcessReady { .. }
        | Event::ProcessStopped { .. }
        | Event::ChoreDone { .. }
        | Event::SecondClosed { .. }
        | Event::TrialBegan { .. }
        | Event::Failed(_)
        | Event::Generator { .. }
        | Event::Scraped { .. }
        | Event::NotScraped { .. }
        | Event::Ended { .. } => false,
    }
}

/// The beginning of `text` that fits `columns`; escape sequences take none, and one that is open is closed.
fn cut(text: &str, columns: usize) -> String {
    let mut out = String::new();
    let (mut used, mut escape) = (0, false);
    for c in text.chars() {
        if c == '\x1b' {
            escape = true;
        }
        if escape {
            out.push(c);
            escape = c != 'm';
            continue;
        }
        used += c.width().unwrap_or(0);
        if used > columns {
            return if out.contains('\x1b') { out + "\x1b[0m" } else { out };
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::*;
    use crate::base::units::{At, Lang, Span};
    use crate::report::testing;

    fn snapshot(second: u64) -> Snapshot {
        Snapshot { second, planned: 120, released: 119, ok: 250, p50: Some(Span::micros(4_210)), ..Snapshot::default() }
    }

    fn fault(at: u64, what: FaultEvent) -> Entry {
        Entry { at: At(at * 1_000_000_000), preparing: false, event: Event::Fault { fault: FaultId(0), what } }
    }

    fn watched(screen: Screen, seconds: u64) -> String {
        let plan = testing::plan();
        let mut out = Vec::new();
        let mut live = Live::new(&plan, Words::new(Lang::En), screen, &mut out);
        for second in 0..seconds {
            if second == 14 {
                live.note(&fault(14, FaultEvent::Effective { proof: Vec::new() })).unwrap();
            }
            live.second(&snapshot(second)).unwrap();
        }
        live.note(&fault(seconds, FaultEvent::Healed { proof: Vec::new() })).unwrap();
        live.second(&snapshot(seconds)).unwrap();
        live.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_log_gets_a_line_every_ten_seconds_and_the_events() {
        let out = watched(Screen::Log, 30);
        assert!(!out.contains('\x1b') && !out.contains('\r'));
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines.len(), 5, "{out}");
        assert!(lines[0].starts_with("0:09 ") && lines[2].starts_with("0:19 ") && lines[4].contains("healed"), "{out}");
        assert!(lines[2].contains("FAULT node lost at the peak"), "{out}");
    }

    #[test]
    fn a_terminal_gets_one_line_written_anew() {
        let out = watched(Screen::Terminal { columns: 200, colour: Colour::Off }, 16);
        assert_eq!(out.matches('\n').count(), 2, "only events end a line: {out:?}");
        let last = out.rsplit("\r\x1b[2K").nth(1).unwrap();
        assert!(last.starts_with("0:16 ") && !last.contains("FAULT"), "{last}");
    }

    #[test]
    fn a_line_never_wraps() {
        for columns in [20, 41, 80] {
            let out = watched(Screen::Terminal { columns, colour: Colour::Off }, 3);
            for line in out.split("\r\x1b[2K").filter(|line| !line.contains('\n')) {
                assert!(line.width() < columns, "{line}");
            }
        }
        assert_eq!(cut("\x1b[31m停机\x1b[0m", 3), "\x1b[31m停\x1b[0m");
    }

    #[test]
    fn only_a_terminal_outside_ci_is_drawn_on_and_colour_can_be_refused() {
        let on = |colour| Screen::Terminal { columns: 80, colour };
        assert_eq!(Screen::choose(Some(80), false, false), on(Colour::On));
        assert_eq!(Screen::choose(Some(80), false, true), on(Colour::Off));
        assert_eq!(Screen::choose(Some(80), true, false), Screen::Log);
        assert_eq!(Screen::choose(None, false, false), Screen::Log);
    }
}
