//! The machine under strain: cores kept busy, memory or disk taken, by a process of our own that ends when it is told to, or when
//! the harness is gone. It is in the journal before it is started; what it takes goes with it, since it holds no name of a file.

use std::any::Any;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};

use serde::{Deserialize, Serialize};

use super::{Faults, Kind, blocking, said};
use crate::base::clock::Clock;
use crate::base::host::{self, Group, Identity, Speed, Tree, say, vitals_of};
use crate::base::units::{Size, Span};
use crate::plan::FaultId;
use crate::record::Sight;
use crate::undo::{Action, UndoId};

/// Burning is looked at for so long: it must have used half of its cores' time.
const LOOK: Span = Span::millis(200);
/// On a machine that others keep busy, too, it may take some.
const LOOKS: u32 = 20;
/// What is written at once.
const BLOCK: usize = 1 << 20;

/// What the process is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Strain {
    Burn {
        cores: u32,
    },
    Memory {
        size: Size,
    },
    Disk {
        folder: PathBuf,
        size: Size,
    },
    /// Goes into a group, and takes so much there; the kernel ends everybody else in it first.
    Crowd {
        group: Group,
        size: Size,
    },
    /// Writes so much through to the disk, from within a group or from where it is, and reads it back if that is wanted.
    Write {
        group: Option<Group>,
        folder: PathBuf,
        size: Size,
        read: bool,
    },
}

/// What it says once it does.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Said {
    Burning,
    Memory,
    /// It is in the group, and begins to take.
    Crowding,
    Wrote(Speed),
    /// The number of the open file, and whether nothing is left of the file system.
    Disk {
        file: i32,
        full: bool,
    },
    Failed(String),
}

/// A strain that is on.
#[derive(Debug)]
pub(super) struct Strained {
    child: Child,
    stream: UnixStream,
    undo: UndoId,
}

impl Strained {
    /// How fast it wrote.
    pub(super) async fn wrote(&self) -> Result<Speed, Sight> {
        let stream = self.stream.try_clone().map_err(said)?;
        match blocking(move || hear(&stream)).await?? {
            Said::Wrote(speed) => Ok(speed),
            _ => Err(said("the process that was to do it says something else")),
        }
    }

    /// Comes back only if it could not do what it was told, with the reason.
    pub(super) async fn failed(&self) -> Sight {
        let stream = match self.stream.try_clone() {
            Ok(stream) => stream,
            Err(why) => return said(why),
        };
        match blocking(move || hear(&stream)).await {
            Ok(Ok(_)) => std::future::pending().await,
            Ok(Err(why)) | Err(why) => why,
        }
    }
}

/// `lasts`: how long it may take until it is seen to be on.
pub(super) async fn inject(
    faults: &Faults,
    number: FaultId,
    strain: Strain,
    lasts: Span,
) -> Result<(Kind, Vec<Sight>), Vec<Sight>> {
    let (strained, identity) =
        start(faults, format!("strain-{number}"), strain.clone()).await.map_err(|why| vec![why])?;
    let (clock, stream) = (faults.clock.clone(), strained.stream.try_clone().map_err(|why| vec![said(why)])?);
    let look = blocking(move || observe(&strain, &stream, identity, &clock));
    let seen = faults.unless_stopped(faults.clock.now() + lasts, look).await;
    match seen {
        Some(Ok(Ok(sight))) => Ok((Kind::Strain { strained }, vec![sight])),
        other => {
            let why = match other {
                Some(Ok(Err(why))) => why,
                Some(Err(why)) => why,
                _ => Sight::NeverSeen,
            };
            let more = heal(faults, strained).await.err().unwrap_or_default();
            Err([vec![why], more].concat())
        }
    }
}

/// Starts the process, which is in the journal by `name` before, and tells it what to do.
pub(super) async fn start(faults: &Faults, name: String, wanted: Strain) -> Result<(Strained, Identity), Sight> {
    let (journal, program) = (faults.journal.clone(), faults.platform.program().to_owned());
    let start = move || -> io::Result<(Strained, Identity)> {
        let marker = journal.marker(&name).to_string();
        let tree = Tree { cgroup: None, marker: Some(marker.clone()), root: None };
        let undo = journal.plan(Action::StopTree { name, tree }).map_err(io::Error::other)?;
        let (stream, theirs) = UnixStream::pair()?;
        let mut command = Command::new(program);
        command.arg("strain");
        let child = host::detach(command, theirs, Some(&marker))?;
        let identity = Identity::of(child.id()).ok_or(io::ErrorKind::NotFound)?;
        let strained = Strained { child, stream, undo };
        say(&strained.stream, &wanted)?;
        Ok((strained, identity))
    };
    blocking(start).await?.map_err(said)
}

/// What it says next, in a line.
fn hear(stream: &UnixStream) -> Result<Said, Sight> {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).map_err(said)?;
    match serde_json::from_str(&line).map_err(|_| said("the process that was to do it ended"))? {
        Said::Failed(why) => Err(said(why)),
        told => Ok(told),
    }
}

/// Waits until it says that it is on, and looks whether that is so.
fn observe(strain: &Strain, stream: &UnixStream, process: Identity, clock: &Clock) -> Result<Sight, Sight> {
    let told = hear(stream)?;
    let used = || vitals_of(&[process]).ok_or_else(|| said("the process that does it is gone"));
    match (told, strain) {
        (Said::Burning, Strain::Burn { cores }) => {
            // More than there are cannot be had.
            let wanted = f64::from(*cores).min(f64::from(host::machine().cores.max(1)));
            let mut most = 0.0f64;
            for _ in 0..LOOKS {
                let (before, from) = (used()?.cpu, clock.now());
                clock.block_for(LOOK);
                let spent = used()?.cpu.saturating_sub(before).as_seconds_f64();
                most = most.max(spent / clock.now().since(from).as_seconds_f64());
                if most >= wanted / 2.0 {
                    return Ok(Sight::Burns { cores: most });
                }
            }
            Err(Sight::Idle { cores: most })
        }
        (Said::Memory, Strain::Memory { size }) => {
            let taken = used()?.memory;
            if taken >= size.0 { Ok(Sight::Taken { bytes: taken }) } else { Err(Sight::Short { bytes: taken }) }
        }
        (Said::Disk { file, full }, Strain::Disk { size, .. }) => {
            let written = fs::metadata(format!("/proc/{}/fd/{file}", process.pid)).map_err(said)?.len();
            let enough = written >= size.0 || (full && written > 0);
            if enough { Ok(Sight::Taken { bytes: written }) } else { Err(Sight::Short { bytes: written }) }
        }
        _ => Err(said("the process that was to do it says something else")),
    }
}

pub(super) async fn heal(faults: &Faults, mut strained: Strained) -> Result<Vec<Sight>, Vec<Sight>> {
    let journal = faults.journal.clone();
    let end = move || {
        let _ = strained.stream.shutdown(std::net::Shutdown::Both);
        let undone = journal.undo(strained.undo);
        let _ = strained.child.wait();
        undone
    };
    blocking(end).await.map_err(|why| vec![why])?.map_err(|why| vec![said(why)])?;
    Ok(vec![Sight::Released])
}

/// What the process of a strain does. Standard input is the socket to the harness, both ways; when that closes, it ends.
pub fn strain_main() -> ExitCode {
    host::ignore_terminal_signals();
    let done = work();
    if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn work() -> io::Result<()> {
    let mut stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line)?;
    let strain: Strain = serde_json::from_str(&line)?;
    let begun = begin(&strain);
    let told = match &begun {
        Ok((told, _)) => say(&stream, told),
        Err(why) => say(&stream, &Said::Failed(why.to_string())),
    };
    told?;
    // Until it is closed: nothing more is said.
    let _ = stream.read(&mut [0]);
    drop(begun);
    Ok(())
}

/// What is held as long as the strain is on.
type Held = Box<dyn Any>;

fn begin(strain: &Strain) -> io::Result<(Said, Held)> {
    match strain {
        Strain::Burn { cores } => {
            for _ in 0..*cores {
                // Ends with the process.
                std::thread::Builder::new().name("burn".to_owned()).spawn(|| {
                    loop {
                        std::hint::spin_loop();
                    }
                })?;
            }
            Ok((Said::Burning, Box::new(())))
        }
        Strain::Memory { size } => {
            let size = usize::try_from(size.0).map_err(io::Error::other)?;
            let mut taken: Vec<u8> = Vec::new();
            taken.try_reserve_exact(size).map_err(io::Error::other)?;
            // Each page is written to, or there would be none.
            taken.resize(size, 0x5a);
            // Looked at, so that it was not made in vain.
            Ok((Said::Memory, Box::new(std::hint::black_box(taken))))
        }
        Strain::Crowd { group, size } => {
            group.join()?;
            let (mut file, mut left) = (host::memory_file()?, size.0);
            // On a thread of its own: it may never be given all of it.
            std::thread::Builder::new().name("crowd".to_owned()).spawn(move || {
                let block = vec![0x5a; BLOCK];
                while left > 0 && file.write_all(&block).is_ok() {
                    left = left.saturating_sub(BLOCK as u64);
                }
                loop {
                    std::thread::park();
                }
            })?;
            Ok((Said::Crowding, Box::new(())))
        }
        Strain::Write { group, folder, size, read } => {
            group.as_ref().map_or(Ok(()), Group::join)?;
            Ok((Said::Wrote(host::disk_speed(folder, size.0, *read)?), Box::new(())))
        }
        Strain::Disk { folder, size } => {
            let (file, full) = fill(folder, size.0)?;
            Ok((Said::Disk { file: file.as_raw_fd(), full }, Box::new(file)))
        }
    }
}

/// A file without a name that is so large, or as large as there is room.
fn fill(folder: &Path, size: u64) -> io::Result<(File, bool)> {
    let path = folder.join(format!(".fill-{}", std::process::id()));
    let mut file = File::options().write(true).create_new(true).open(&path)?;
    // From here on it goes with the process.
    fs::remove_file(&path)?;
    let block: Vec<u8> = (0..BLOCK).map(|at| (at * 131 % 251) as u8).collect();
    let mut left = size;
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(usize::MAX).min(BLOCK);
        match file.write(&block[..part]) {
            Ok(0) => return Ok((file, true)),
            Ok(written) => left -= written as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                return Ok((file, true));
            }
            Err(error) => return Err(error),
        }
    }
    // What lies in memory only has taken nothing of the disk.
    match file.sync_data() {
        Err(error) if error.kind() != io::ErrorKind::StorageFull => Err(error),
        synced => Ok((file, synced.is_err())),
    }
}
