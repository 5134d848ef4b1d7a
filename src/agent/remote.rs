//! An agent, as the harness sees it.

use std::io::{self, Read};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};

use super::AgentError;
use super::message::{Hello, Said, Seen, Strain, VERSION, Word};
use crate::base::clock::Clock;
use crate::base::host::{self, Identity, Speed, SystemLoad, Tail, say};
use crate::base::units::{At, Span};
use crate::plan::Host;

/// An agent that has heard nothing for so long ends: the connection was cut.
pub const LEASE: Span = Span::seconds(10);
/// It is told so often that the harness is there.
const BEAT: Span = Span::SECOND;
/// How long it may take to reach it.
const REACH: Span = Span::seconds(10);
/// How long what leads to it has to end by itself.
const GRACE: Span = Span::SECOND;
const LOOK: Span = Span::millis(10);
/// A longer line is none of an agent's.
const LONGEST: usize = 64 << 10;

/// How an agent is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// What its machine is called.
    name: String,
    words: Vec<String>,
    folder: PathBuf,
}

impl Way {
    /// On this machine, by the program that is running.
    pub fn here(program: &Path) -> Way {
        let words = [&program.to_string_lossy(), "agent"].map(str::to_owned).to_vec();
        Way { name: "this machine".to_owned(), words, folder: PathBuf::from("/") }
    }

    /// On a host; what leads there is started in `here`.
    pub fn to(host: &Host, here: &Path) -> Way {
        let program = [&host.program, "agent"].map(str::to_owned);
        Way { name: host.name.clone(), words: [host.via.as_slice(), &program].concat(), folder: here.to_owned() }
    }
}

/// An agent that has been started. Ended when it is dropped.
#[derive(Debug)]
pub struct Agent {
    name: String,
    child: Mutex<Child>,
    stream: UnixStream,
    /// What has come and is no whole line yet.
    heard: Mutex<Vec<u8>>,
    /// What it, or what leads to it, has said on standard error.
    errors: Tail,
    /// Who tells it that we are there stops when this is gone.
    _beat: mpsc::Sender<()>,
}

impl Agent {
    /// Starts what leads to it, with `marker` in its environment, and does not wait.
    pub fn start(way: &Way, marker: Option<&str>) -> Result<Agent, AgentError> {
        let (name, program) = (way.name.clone(), way.words.first().cloned().unwrap_or_default());
        let Some(path) = host::find_program(&program, &way.folder) else {
            return Err(AgentError::NoProgram { name, program });
        };
        let start = || -> io::Result<Agent> {
            let (stream, theirs) = UnixStream::pair()?;
            // Whoever does not listen is not waited for.
            stream.set_write_timeout(Some(BEAT.to_std()))?;
            let ((said, errors), voice) = (io::pipe()?, stream.try_clone()?);
            let mut command = Command::new(path);
            command.args(way.words.get(1..).unwrap_or_default()).current_dir(&way.folder);
            let (beat, goes_on) = mpsc::channel();
            std::thread::Builder::new().name("beat".to_owned()).spawn(move || tell(&voice, &goes_on))?;
            let said = Tail::of(said, LONGEST)?;
            let child = Mutex::new(host::converse(command, theirs, errors, marker)?);
            Ok(Agent { name: name.clone(), child, stream, heard: Mutex::default(), errors: said, _beat: beat })
        };
        start().map_err(|why| AgentError::NotStarted { name: name.clone(), program, why })
    }

    /// Waits for its first line; gives the process that it is.
    pub fn greet(&self) -> Result<Identity, AgentError> {
        let line = self.line(Some(REACH))?;
        let hello: Hello = serde_json::from_str(&line).map_err(|_| self.strange(&line))?;
        if hello.peakdrill != VERSION {
            let (name, theirs) = (self.name.clone(), shortened(&hello.peakdrill));
            return Err(AgentError::Version { name, theirs, ours: VERSION });
        }
        hello.process.ok_or_else(|| self.strange(&line))
    }

    /// Has it begin, and says what it has seen of that, however long it takes.
    pub fn strain(&self, strain: Strain) -> Result<Seen, AgentError> {
        self.order(strain)?;
        match self.hear(None)? {
            Said::On(seen) => Ok(seen),
            other => Err(self.strange(&format!("{other:?}"))),
        }
    }

    /// Has it begin, and does not wait.
    pub fn order(&self, strain: Strain) -> Result<(), AgentError> {
        self.say(&Word::Strain(strain))
    }

    /// How fast it wrote.
    pub fn wrote(&self) -> Result<Speed, AgentError> {
        match self.hear(None)? {
            Said::Wrote(speed) => Ok(speed),
            other => Err(self.strange(&format!("{other:?}"))),
        }
    }

    /// Whether it has begun, where nothing is to be seen of that yet.
    pub fn begun(&self) -> Result<(), AgentError> {
        self.hear(None).map(drop)
    }

    /// What its machine does.
    pub fn load(&self, within: Span) -> Result<SystemLoad, AgentError> {
        self.say(&Word::Load)?;
        match self.hear(Some(within))? {
            Said::Load(load) => Ok(load),
            other => Err(self.strange(&format!("{other:?}"))),
        }
    }

    /// Whether a process of its machine lives.
    pub fn lives(&self, process: Identity, within: Span) -> Result<bool, AgentError> {
        self.say(&Word::Lives(process))?;
        match self.hear(Some(within))? {
            Said::Lives(lives) => Ok(lives),
            other => Err(self.strange(&format!("{other:?}"))),
        }
    }

    /// Ends it, and what leads to it.
    pub fn end(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
        let clock = Clock::start();
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        while clock.now() < At::START + GRACE {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            clock.block_for(LOOK);
        }
        kill(&mut child);
    }

    fn say(&self, word: &Word) -> Result<(), AgentError> {
        say(&self.stream, word).map_err(|why| self.ended(why))
    }

    fn hear(&self, within: Option<Span>) -> Result<Said, AgentError> {
        let line = self.line(within)?;
        match serde_json::from_str(&line).map_err(|_| self.strange(&line))? {
            Said::Failed(why) => Err(AgentError::Failed { name: self.name.clone(), why: shortened(&why) }),
            said => Ok(said),
        }
    }

    /// Its next line. Only one waits at a time.
    fn line(&self, within: Option<Span>) -> Result<String, AgentError> {
        let (clock, mut heard) = (Clock::start(), self.heard());
        let mut chunk = [0; 4096];
        loop {
            if let Some(end) = heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = heard.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if heard.len() > LONGEST {
                return Err(self.strange(&String::from_utf8_lossy(&heard)));
            }
            let left = within.map(|within| within.saturating_sub(clock.now().since(At::START)));
            if let (Some(Span::ZERO), Some(within)) = (left, within) {
                return Err(AgentError::Silent { name: self.name.clone(), within });
            }
            let read = self.stream.set_read_timeout(left.map(Span::to_std));
            match read.and_then(|()| (&self.stream).read(&mut chunk)) {
                Ok(0) => return Err(self.ended(io::ErrorKind::UnexpectedEof.into())),
                Ok(read) => heard.extend_from_slice(chunk.get(..read).unwrap_or_default()),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => {}
                    _ => return Err(self.ended(error)),
                },
            }
        }
    }

    fn heard(&self) -> MutexGuard<'_, Vec<u8>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why there is nobody there any more.
    fn ended(&self, why: io::Error) -> AgentError {
        let name = self.name.clone();
        match self.last_words() {
            Some(said) => AgentError::Ended { name, said },
            // Which of them depends on what it had not read yet.
            None => match why.kind() {
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                    AgentError::Ended { name, said: "the process ended without a word".to_owned() }
                }
                _ => AgentError::Broken { name, why },
            },
        }
    }

    /// The last line of what was said on standard error; of a usage that does not fit, what is wrong with it.
    fn last_words(&self) -> Option<String> {
        last_words(&self.errors.text()).map(shortened)
    }

    fn strange(&self, said: &str) -> AgentError {
        AgentError::Strange { name: self.name.clone(), said: shortened(said) }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
        kill(self.child.get_mut().unwrap_or_else(PoisonError::into_inner));
    }
}

/// What leads there may be several processes.
fn kill(child: &mut Child) {
    if matches!(child.try_wait(), Ok(None)) {
        host::kill_group(child);
        let _ = child.wait();
    }
}

/// Tells it that we are there, until nobody needs that any more.
fn tell(stream: &UnixStream, goes_on: &mpsc::Receiver<()>) {
    while say(stream, &Word::Still { within: LEASE }).is_ok() {
        if !matches!(goes_on.recv_timeout(BEAT.to_std()), Err(mpsc::RecvTimeoutError::Timeout)) {
            return;
        }
    }
}

fn last_words(said: &str) -> Option<&str> {
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let usage = said.lines().find(|line| line.starts_with("error: ")).filter(|_| said.contains("Usage: "));
    usage.or_else(|| lines.next_back())
}

/// In one line that is not too long.
fn shortened(said: &str) -> String {
    said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::units::Text;

    /// What stands in for a host: a script of the shell, which says what it says.
    fn agent(script: &str) -> Agent {
        let host = Host {
            name: "db_1".to_owned(),
            title: Text::default(),
            address: "10.0.0.21".to_owned(),
            via: ["sh", "-c", script].map(str::to_owned).to_vec(),
            program: "peakdrill".to_owned(),
            folder: "/var/tmp".to_owned(),
        };
        Agent::start(&Way::to(&host, Path::new("/")), None).unwrap()
    }

    fn why<T: std::fmt::Debug>(result: Result<T, AgentError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn whoever_is_there_is_asked_for_its_version_first() {
        let agent = agent(r#"echo '{"peakdrill":"0.0.9","more":[1]}'; cat"#);
        assert_eq!(
            why(agent.greet()),
            format!(
                "db_1 has peakdrill 0.0.9, this is {VERSION}: install the same version there, or name it in `program`"
            )
        );
        let other = self::agent("echo Welcome; cat");
        assert!(why(other.greet()).starts_with("db_1 says `Welcome`, "));
        other.end();
        // The words that lead there, and then the program's.
        assert!(why(self::agent("echo $0 $*; cat").greet()).contains("`peakdrill agent`"));
    }

    #[test]
    fn why_there_is_nobody_is_said_in_the_words_of_who_knows() {
        let denied =
            "echo 'Warning: something' >&2; echo 'ops@10.0.0.21: Permission denied (publickey).' >&2; exit 255";
        assert_eq!(why(agent(denied).greet()), "db_1: ops@10.0.0.21: Permission denied (publickey).");
        assert_eq!(why(agent("exit 3").greet()), "db_1: the process ended without a word");
        let much = "yes no-route | head -c 300000 >&2; echo >&2; echo 'no more' >&2; exit 255";
        assert_eq!(why(agent(much).greet()), "db_1: no more");
        let dressed = format!(
            r#"echo '{{"peakdrill":"{VERSION}","process":"12.34"}}'; read still; read word; echo '{{"failed":"a\u001b[2Jb"}}'; cat"#
        );
        let dressed = agent(&dressed);
        dressed.greet().unwrap();
        assert_eq!(why(dressed.load(Span::seconds(20))), "db_1: a [2Jb");
        assert!(why(agent(r#"echo '{"peakdrill":"\u001b[2J"}'; cat"#).greet()).contains("db_1 has peakdrill  [2J, "));
        let way = Way { name: "db_1".to_owned(), words: vec!["no-such-ssh".to_owned()], folder: "/".into() };
        assert!(why(Agent::start(&way, None)).contains("`no-such-ssh`, by which db_1 is reached, is no program"));
    }

    #[test]
    fn an_agent_that_answers_is_asked_and_one_that_does_not_is_left() {
        let hello = format!(r#"echo '{{"peakdrill":"{VERSION}","process":"12.34"}}'; "#);
        let load = r#"while read word; do case $word in *load*) echo '{"load":{"memory":7}}';; *12.34*) echo '{"lives":true}';; esac; done"#;
        let agent = agent(&(hello.clone() + load));
        assert_eq!(agent.greet().unwrap(), Identity { pid: 12, started: 34 });
        assert_eq!(agent.load(Span::seconds(20)).unwrap(), SystemLoad { memory: Some(7), ..SystemLoad::default() });
        assert!(agent.lives(Identity { pid: 12, started: 34 }, Span::seconds(20)).unwrap());
        agent.end();
        let silent = self::agent(&(hello + "exec sleep 600"));
        silent.greet().unwrap();
        assert_eq!(why(silent.load(Span::millis(20))), "db_1 did not answer within 20ms");
    }

    #[test]
    fn all_that_leads_there_is_ended() {
        let script = r#"sleep 600 & echo "{\"peakdrill\":\"VERSION\",\"process\":\"$!.1\"}"; wait"#;
        for ends in [true, false] {
            let agent = agent(&script.replace("VERSION", VERSION));
            let below = Identity::of(agent.greet().unwrap().pid).unwrap();
            if ends {
                agent.end();
            }
            drop(agent);
            let clock = Clock::start();
            while below.is_alive() {
                assert!(clock.now() < At::START + Span::seconds(20), "it lives on");
                clock.block_for(LOOK);
            }
        }
    }

    #[test]
    fn the_last_words_are_those_that_say_why() {
        assert_eq!(last_words("one\ntwo\n\n"), Some("two"));
        assert_eq!(
            last_words("error: no `agent`\n\nUsage: peakdrill\n\nFor more, try --help\n"),
            Some("error: no `agent`")
        );
        assert_eq!(last_words("\n"), None);
        assert_eq!(shortened("a\u{1b}[31mb"), "a [31mb");
    }
}
