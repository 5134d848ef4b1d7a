use std::borrow::Cow;
use std::pin::pin;
use std::process::Command;
use std::sync::{Arc, RwLock};

use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::LocalSet;

use super::book::Book;
use super::chores::Chores;
use super::conductor::{Conducted, Conductor, note};
use super::signals::Signals;
use super::{Audience, DrillError, Ended, Setting};
use crate::analysis::Fold;
use crate::base::clock::Clock;
use crate::base::host;
use crate::base::template::Masker;
use crate::base::units::Span;
use crate::fault::Faults;
use crate::load::{self, Crews, Feeds, Transcript};
use crate::plan::{JourneyId, LoadId};
use crate::platform::{self, Happening, PREPARE, Platform};
use crate::record::{self, EndReason, Event, HostFacts, Writer};
use crate::undo::{Action, Guardian, Journal};
use crate::wire::Door;

/// Between the last word of preparation and the start instant: the crews are told, and wake in time for arrival 0.
const LEAD: Span = Span::millis(100);

/// Carries the plan out, from an empty folder to a closed record. Returns when everything that it started is stopped and
/// every fault undone, or what is left has been said.
pub fn run(setting: &Setting, audience: &mut dyn Audience) -> Result<Ended, DrillError> {
    perform(setting, audience, Act::Drill)
}

/// Starts and prepares the platform as a drill does, and then, without load and faults, plays arrival `arrival` of each
/// of `journeys` once and tells what was sent and answered.
pub fn rehearse(
    setting: &Setting,
    journeys: &[(LoadId, JourneyId)],
    arrival: u64,
    audience: &mut dyn Audience,
    tell: &mut dyn FnMut(JourneyId, &Transcript),
) -> Result<Ended, DrillError> {
    perform(setting, audience, Act::Rehearsal { journeys, arrival, tell })
}

/// What is done once the platform stands.
enum Act<'a> {
    Drill,
    Rehearsal { journeys: &'a [(LoadId, JourneyId)], arrival: u64, tell: &'a mut dyn FnMut(JourneyId, &Transcript) },
}

fn perform(setting: &Setting, audience: &mut dyn Audience, act: Act<'_>) -> Result<Ended, DrillError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = LocalSet::new().block_on(&runtime, whole(setting, audience, act));
    // Steps of a chore that was cut short may still wait for an answer on a thread of their own.
    runtime.shutdown_timeout(Span::SECOND.to_std());
    done
}

async fn whole(setting: &Setting, audience: &mut dyn Audience, act: Act<'_>) -> Result<Ended, DrillError> {
    let mut signals = Signals::listen()?;
    // Beyond the soft limit there may be a harder one that this machine permits.
    let _ = host::raise_open_files();
    let clock = Clock::start();
    let secrets = setting.constants.get("secret").and_then(Value::as_object).cloned().unwrap_or_default();
    let masker = Arc::new(RwLock::new(Masker::new(secrets.values().filter_map(Value::as_str))));
    let writer =
        Writer::create(&setting.reports, &setting.run, &setting.plan, Some(&setting.origins), mask_with(&masker))?;
    let (folder, masker_at_end) = (writer.folder().clone(), masker.clone());
    let journal = Journal::create(folder.path(), &setting.run)?;
    let mut guard = Command::new(&setting.program);
    guard.args(["guardian", "--"]);
    let mut guardian = Guardian::start(&journal, guard)?;
    let mut book = Book::new(writer, Fold::new(&setting.plan), &clock, audience);
    book.note(opened(setting, &clock));

    let (tell, mut happenings) = unbounded_channel();
    let door = Door::new(&clock, &setting.plan.platform.allow, &setting.files);
    let platform = Platform::new(platform::Setting {
        plan: setting.plan.clone(),
        folder: folder.clone(),
        program: setting.program.clone(),
        here: setting.here.clone(),
        constants: setting.constants.clone(),
        journal: journal.clone(),
        door: door.clone(),
        happenings: tell,
    });
    let conducted = match platform {
        Ok(platform) => {
            let platform = Arc::new(platform);
            let mut stage = Stage {
                setting,
                clock,
                book: &mut book,
                platform: platform.clone(),
                journal: journal.clone(),
                door,
                masker,
                happenings: &mut happenings,
                signals: &mut signals,
                guardian: &mut guardian,
            };
            stage.play(act).await
        }
        Err(error) => {
            book.note(Event::Noted { text: error.to_string() });
            Conducted { reason: EndReason::NotPrepared, broken: false }
        }
    };
    if !secrets.is_empty() {
        // What processes print goes straight to their files; what is secret in it is masked once they are gone.
        if let Err(error) = folder.mask_output(&mask_with(&masker_at_end)) {
            book.note(Event::Noted { text: error.to_string() });
        }
    }
    Ok(close(book, conducted, &journal, guardian, folder).await)
}

/// Everything is stopped: undoes what is left of it, says what cannot be, and lets the guardian go.
async fn close(
    mut book: Book<'_>,
    conducted: Conducted,
    journal: &Journal,
    guardian: Guardian,
    folder: record::Folder,
) -> Ended {
    let last = journal.clone();
    let left = tokio::task::spawn_blocking(move || last.undo_all()).await.unwrap_or_default();
    for one in &left {
        book.note(Event::Residue { what: format!("{} ({})", one.what, one.why), command: one.command.clone() });
    }
    book.note(Event::Ended { reason: conducted.reason });
    book.sync();
    guardian.goodbye();
    Ended { folder, reason: conducted.reason, broken: conducted.broken, lost: book.into_lost(), left }
}

/// What the whole play needs, from the first process to the last.
struct Stage<'s, 'b> {
    setting: &'s Setting,
    clock: Clock,
    book: &'s mut Book<'b>,
    platform: Arc<Platform>,
    journal: Journal,
    door: Door,
    masker: Arc<RwLock<Masker>>,
    happenings: &'s mut UnboundedReceiver<Happening>,
    signals: &'s mut Signals,
    guardian: &'s mut Guardian,
}

impl Stage<'_, '_> {
    async fn play(&mut self, act: Act<'_>) -> Conducted {
        self.book.note(Event::Bindings { addresses: self.platform.bindings().all() });
        let platform = self.platform.clone();
        let mut chores = Chores {
            setting: self.setting,
            door: self.door.clone(),
            platform: &platform,
            masker: self.masker.clone(),
            constants: platform.bindings().constants().clone(),
        };
        let prepared = self.prepare(&mut chores).await;
        let mut conducted = match (prepared, act) {
            (Ok(load), Act::Drill) => self.conduct(load).await,
            (Ok(load), Act::Rehearsal { journeys, arrival, tell }) => {
                self.rehearse(load, journeys, arrival, tell).await
            }
            (Err(conducted), _) => conducted,
        };
        let clock = self.clock.clone();
        let cleanup = chores.carry_out(self.book, &self.setting.plan.cleanup, true, &clock);
        let (heard, _) = unless_twice(self.signals, cleanup).await;
        self.interrupted(&mut conducted, heard);
        let (heard, failed) = unless_twice(self.signals, platform.stop()).await;
        self.interrupted(&mut conducted, heard);
        self.take_note();
        for error in failed.unwrap_or_default() {
            self.book.note(Event::Noted { text: error.to_string() });
        }
        conducted
    }

    /// Signals that came while the drill was being wound up.
    fn interrupted(&mut self, conducted: &mut Conducted, heard: Vec<(&'static str, u32)>) {
        for (signal, count) in heard {
            self.book.note(Event::Signalled { signal: signal.to_owned(), count });
            if conducted.reason == EndReason::Finished {
                conducted.reason = EndReason::Interrupted;
            }
        }
    }

    /// Starts and prepares the platform.
    async fn prepare(&mut self, chores: &mut Chores<'_>) -> Result<load::Setting, Conducted> {
        let feeds = Feeds::read(&self.setting.plan, &self.setting.files);
        let clock = self.clock.clone();
        let work = async {
            let feeds = feeds.map_err(|error| error.to_string())?;
            chores.platform.start().await.map_err(|error| error.to_string())?;
            if !chores.carry_out(self.book, &self.setting.plan.prepare, false, &clock).await {
                return Err(String::new());
            }
            Ok(chores.load_setting(feeds))
        };
        let ended = tokio::select! {
            biased;
            (signal, count) = self.signals.next() => Err((signal, count)),
            done = work => Ok(done),
        };
        self.take_note();
        let why = match ended {
            Ok(Ok(load)) => return Ok(load),
            Ok(Err(why)) => why,
            Err((signal, count)) => {
                self.book.note(Event::Signalled { signal: signal.to_owned(), count });
                self.end_chores().await;
                return Err(Conducted { reason: EndReason::Interrupted, broken: false });
            }
        };
        Err(self.not_prepared(why))
    }

    /// Ends programs of `prepare` that were cut short, before anything is cleaned up behind them.
    async fn end_chores(&mut self) {
        let journal = self.journal.clone();
        let work = move || {
            for (id, action) in journal.pending() {
                if matches!(&action, Action::StopTree { name, .. } if name.starts_with(PREPARE)) {
                    // What could not be undone is tried again, and said, at the end.
                    let _ = journal.undo(id);
                }
            }
        };
        let _ = tokio::task::spawn_blocking(work).await;
    }

    /// `why` is empty where an entry has said it already.
    fn not_prepared(&mut self, why: String) -> Conducted {
        if !why.is_empty() {
            self.book.note(Event::Noted { text: why });
        }
        Conducted { reason: EndReason::NotPrepared, broken: false }
    }

    async fn rehearse(
        &mut self,
        load: load::Setting,
        journeys: &[(LoadId, JourneyId)],
        arrival: u64,
        tell: &mut dyn FnMut(JourneyId, &Transcript),
    ) -> Conducted {
        for &(id, journey) in journeys {
            let setting = load.clone();
            let work = tokio::task::spawn_blocking(move || load::once(&setting, id, journey, arrival));
            let played = tokio::select! {
                biased;
                (signal, count) = self.signals.next() => {
                    self.book.note(Event::Signalled { signal: signal.to_owned(), count });
                    return Conducted { reason: EndReason::Interrupted, broken: false };
                }
                played = work => played,
            };
            match played {
                Ok(Ok(transcript)) => tell(journey, &transcript),
                Ok(Err(error)) => return self.not_prepared(error.to_string()),
                Err(error) => return self.not_prepared(error.to_string()),
            }
        }
        Conducted { reason: EndReason::Finished, broken: false }
    }

    async fn conduct(&mut self, load: load::Setting) -> Conducted {
        let crews = match Crews::start(&load, self.setting.options).await {
            Ok(crews) => crews,
            Err(error) => return self.not_prepared(error.to_string()),
        };
        let zero = self.clock.now() + LEAD;
        let clock = self.clock.restarted(zero);
        // On the drill's clock from here on: an instant before its start reads 0.
        self.clock = clock.clone();
        self.book.begin(&clock);
        let watching = match self.platform.watch(&clock) {
            Ok(watching) => watching,
            Err(error) => return self.not_prepared(error.to_string()),
        };
        crews.begin(zero);
        self.book.note(Event::LoadBegan);
        let faults = Faults::new(self.platform.clone(), self.journal.clone(), clock.clone());
        let conductor = Conductor {
            plan: &self.setting.plan,
            clock,
            book: self.book,
            faults,
            happenings: self.happenings,
            signals: self.signals,
            guardian: self.guardian,
            crews,
        };
        let conducted = conductor.conduct().await;
        drop(watching);
        conducted
    }

    fn take_note(&mut self) {
        while let Ok(happening) = self.happenings.try_recv() {
            note(self.book, happening);
        }
    }
}

/// Does `work` unless a signal comes for the second time, or has come; and what signals came meanwhile.
async fn unless_twice<T>(
    signals: &mut Signals,
    work: impl Future<Output = T>,
) -> (Vec<(&'static str, u32)>, Option<T>) {
    let (mut work, mut heard) = (pin!(work), Vec::new());
    while signals.count() < 2 {
        tokio::select! {
            biased;
            signal = signals.next() => heard.push(signal),
            done = &mut work => return (heard, Some(done)),
        }
    }
    (heard, None)
}

fn mask_with(masker: &Arc<RwLock<Masker>>) -> record::Masker {
    let masker = masker.clone();
    Box::new(move |text| {
        let masker = masker.read().expect("nothing panics while it holds this lock");
        match masker.mask(text) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(masked) => Cow::Owned(masked),
        }
    })
}

fn opened(setting: &Setting, clock: &Clock) -> Event {
    let machine = host::machine();
    Event::Opened {
        version: crate::plan::VERSION,
        run: setting.run.clone(),
        program: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).to_owned(),
        wall: i64::try_from(clock.wall().unix_nanos()).unwrap_or(i64::MAX),
        host: HostFacts {
            cores: machine.cores,
            memory: machine.memory,
            kernel: machine.kernel,
            cpu_model: machine.cpu_model,
            open_files: host::open_file_limits().map_or(0, |limits| limits.soft),
        },
    }
}
