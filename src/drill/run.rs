use std::borrow::Cow;
use std::pin::pin;
use std::process::Command;
use std::sync::{Arc, RwLock};

use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::LocalSet;

use super::actions::{Actions, hand};
use super::book::Book;
use super::chores::Chores;
use super::conductor::{Conducted, Conductor, note};
use super::part;
use super::signals::Signals;
use super::{Audience, DrillError, Ended, Setting};
use crate::analysis::Fold;
use crate::base::clock::Clock;
use crate::base::host;
use crate::base::template::Masker;
use crate::base::units::{At, Span};
use crate::fault::Faults;
use crate::load::{self, Crews, Feeds, MadeRows, Transcript};
use crate::plan::{Chore, JourneyId, LinkId, LoadId, Plan};
use crate::platform::{self, Happening, Platform};
use crate::record::{self, EndReason, Event, HostFacts, Writer};
use crate::undo::{Guardian, Journal};
use crate::wire::Door;

/// Between the last word of preparation and the start instant: the crews are told, and wake in time for arrival 0.
const LEAD: Span = Span::millis(100);

/// Carries the plan out, from an empty folder to a closed record. Returns when everything that it started is stopped and
/// every fault undone, or what is left has been said.
pub fn run(setting: &Setting, signals: &mut Signals, audience: &mut dyn Audience) -> Result<Ended, DrillError> {
    perform(setting, signals, audience, Act::Drill)
}

/// Starts and prepares the platform as a drill does, and then, without load and faults, plays arrival `arrival` of each
/// of `journeys` once and tells what was sent and answered.
pub fn rehearse(
    setting: &Setting,
    journeys: &[(LoadId, JourneyId)],
    arrival: u64,
    signals: &mut Signals,
    audience: &mut dyn Audience,
    tell: &mut dyn FnMut(JourneyId, &Transcript),
) -> Result<Ended, DrillError> {
    perform(setting, signals, audience, Act::Rehearsal { journeys, arrival, tell })
}

/// What is done once the platform stands.
enum Act<'a> {
    Drill,
    Rehearsal { journeys: &'a [(LoadId, JourneyId)], arrival: u64, tell: &'a mut dyn FnMut(JourneyId, &Transcript) },
}

fn perform(
    setting: &Setting,
    signals: &mut Signals,
    audience: &mut dyn Audience,
    act: Act<'_>,
) -> Result<Ended, DrillError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = LocalSet::new().block_on(&runtime, whole(setting, signals, audience, act));
    // A look at the kernel that nobody waits for any more may still be under way on a thread of its own.
    runtime.shutdown_timeout(Span::SECOND.to_std());
    done
}

async fn whole(
    setting: &Setting,
    signals: &mut Signals,
    audience: &mut dyn Audience,
    act: Act<'_>,
) -> Result<Ended, DrillError> {
    // Beyond the soft limit there may be a harder one that this machine permits.
    let _ = host::raise_open_files();
    let clock = Clock::start();
    let secrets = setting.constants.get("secret").and_then(Value::as_object).cloned().unwrap_or_default();
    let masker = Arc::new(RwLock::new(Masker::new(secrets.values().filter_map(Value::as_str))));
    let writer =
        Writer::create(&setting.reports, &setting.run, &setting.plan, Some(&setting.origins), mask_with(&masker))?;
    let folder = writer.folder().clone();
    let journal = Journal::create(folder.path(), &setting.run)?;
    if let Some(scratch) = &setting.scratch {
        // Undone last: the journal itself lies in it.
        journal.plan(scratch.undo())?;
    }
    let mut guard = Command::new(&setting.program);
    guard.args(["guardian", "--"]);
    let mut guardian = Guardian::start(&journal, guard)?;
    for secret in secrets.values().filter_map(Value::as_str) {
        journal.conceal(&folder.outputs(), secret)?;
    }
    let mut book = Book::new(writer, Fold::new(&setting.plan), &clock, audience);
    book.note(opened(setting, &clock));
    if let Some(part) = &setting.part {
        book.note(Event::Part(part.clone()));
    }
    if let Some(approval) = &setting.approval {
        book.note(Event::Approved(approval.clone()));
    }
    let plan = setting.carried_out();

    let (tell, mut happenings) = unbounded_channel();
    let door = Door::new(&clock, &plan.platform.allow, &setting.files);
    let platform = Platform::new(platform::Setting {
        plan: plan.clone(),
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
                plan,
                clock,
                book: &mut book,
                platform: platform.clone(),
                journal: journal.clone(),
                folder: folder.clone(),
                door,
                masker,
                happenings: &mut happenings,
                signals,
                guardian: &mut guardian,
            };
            let conducted = stage.play(act).await;
            // What was given up half-way must not be done after it was undone.
            platform.at_rest().await;
            conducted
        }
        Err(error) => {
            book.note(Event::Noted { text: error.to_string() });
            Conducted { reason: EndReason::NotPrepared, broken: false }
        }
    };
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
    /// As this part carries it out.
    plan: Arc<Plan>,
    clock: Clock,
    book: &'s mut Book<'b>,
    platform: Arc<Platform>,
    journal: Journal,
    folder: record::Folder,
    door: Door,
    masker: Arc<RwLock<Masker>>,
    happenings: &'s mut UnboundedReceiver<Happening>,
    signals: &'s mut Signals,
    guardian: &'s mut Guardian,
}

impl Stage<'_, '_> {
    async fn play(&mut self, act: Act<'_>) -> Conducted {
        let bindings = self.platform.bindings();
        let links = bindings.links().iter().enumerate().map(|(link, at)| (LinkId::at(link), at.to_string()));
        self.book.note(Event::Bindings { addresses: bindings.all(), links: links.collect() });
        let platform = self.platform.clone();
        let mut chores = Chores {
            setting: self.setting,
            plan: self.plan.clone(),
            door: self.door.clone(),
            platform: &platform,
            journal: self.journal.clone(),
            output: self.folder.clone(),
            masker: self.masker.clone(),
            constants: platform.bindings().constants().clone(),
            made: MadeRows::new(),
        };
        let prepared = self.prepare(&mut chores).await;
        let mut conducted = match (prepared, act) {
            (Ok(load), Act::Drill) => self.conduct(load).await,
            (Ok(load), Act::Rehearsal { journeys, arrival, tell }) => {
                self.rehearse(load, journeys, arrival, tell).await
            }
            (Err(conducted), _) => conducted,
        };
        let (before, plan) = (self.signals.count(), self.plan.clone());
        if conducted.reason == EndReason::Finished {
            self.let_others_drain().await;
        }
        let _ = self.carry_out(&mut chores, &plan.cleanup, true).await;
        for error in self.attend(2, platform.stop()).await.unwrap_or_default() {
            self.book.note(Event::Noted { text: error.to_string() });
        }
        // Signals that came while the drill was being wound up.
        if self.signals.count() > before && conducted.reason == EndReason::Finished {
            conducted.reason = EndReason::Interrupted;
        }
        conducted
    }

    /// Does `work` while what happens and what signals come are written down, each at its instant. Drops it, or does not
    /// begin it, once as many signals as `most` have come.
    async fn attend<T>(&mut self, most: u32, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let mut done = None;
        while done.is_none() && self.signals.count() < most {
            tokio::select! {
                biased;
                (signal, count) = self.signals.next() => {
                    self.book.note(Event::Signalled { signal: signal.to_owned(), count });
                }
                Some(happening) = self.happenings.recv() => note(self.book, happening),
                result = &mut work => done = Some(result),
            }
        }
        while let Ok(happening) = self.happenings.try_recv() {
            note(self.book, happening);
        }
        done
    }

    /// Does chores until one fails; then the others are left undone, except in `cleanup`, where each is tried. `Err` when
    /// signals put an end to it, else whether all were done.
    async fn carry_out(&mut self, chores: &mut Chores<'_>, list: &[Chore], cleanup: bool) -> Result<bool, Interrupted> {
        let mut all = true;
        for (index, chore) in list.iter().enumerate() {
            let begun = self.clock.now();
            let done = self.attend(if cleanup { 2 } else { 1 }, chores.one(index, chore, cleanup)).await;
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            match done.ok_or(Interrupted)? {
                Ok(()) => {
                    self.book.note(Event::ChoreDone { cleanup, index, took: self.clock.now().since(begun) });
                }
                Err(why) => {
                    self.book.note(Event::ChoreFailed { cleanup, index, why });
                    all = false;
                    if !cleanup {
                        break;
                    }
                }
            }
        }
        Ok(all)
    }

    /// Starts and prepares the platform.
    async fn prepare(&mut self, chores: &mut Chores<'_>) -> Result<load::Setting, Conducted> {
        // What is wrong with a file is known before anything is started.
        let feeds = match Feeds::read(&self.setting.plan, &self.setting.files, MadeRows::new()) {
            Ok(feeds) => feeds,
            Err(error) => return Err(self.not_prepared(error.to_string())),
        };
        let (platform, plan) = (self.platform.clone(), self.plan.clone());
        let ready = match self.attend(1, platform.start()).await {
            Some(Ok(())) => self.carry_out(chores, &plan.prepare, false).await,
            Some(Err(error)) => return Err(self.not_prepared(error.to_string())),
            None => Err(Interrupted),
        };
        match ready {
            Ok(true) if chores.made.is_empty() => Ok(chores.load_setting(feeds)),
            Ok(true) => match Feeds::read(&self.setting.plan, &self.setting.files, chores.made.clone()) {
                Ok(feeds) => Ok(chores.load_setting(feeds)),
                Err(error) => Err(self.not_prepared(error.to_string())),
            },
            Ok(false) => Err(self.not_prepared(String::new())),
            Err(Interrupted) => {
                self.platform.end_programs().await;
                Err(Conducted { reason: EndReason::Interrupted, broken: false })
            }
        }
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
            match self.attend(1, load::once(&load, id, journey, arrival)).await {
                Some(Ok(transcript)) => tell(journey, &transcript),
                Some(Err(error)) => return self.not_prepared(error.to_string()),
                None => return Conducted { reason: EndReason::Interrupted, broken: false },
            }
        }
        Conducted { reason: EndReason::Finished, broken: false }
    }

    async fn conduct(&mut self, load: load::Setting) -> Conducted {
        let platform = self.platform.clone();
        match self.attend(1, platform.reach_hosts()).await {
            Some(Ok(())) => {}
            Some(Err(error)) => return self.not_prepared(error.to_string()),
            None => return Conducted { reason: EndReason::Interrupted, broken: false },
        }
        let crews = match Crews::start_slice(&load, self.setting.options, self.setting.slice()).await {
            Ok(crews) => crews,
            Err(error) => return self.not_prepared(error.to_string()),
        };
        let zero = match self.zero().await {
            Ok(zero) => zero,
            Err(reason) => return Conducted { reason, broken: false },
        };
        let clock = self.clock.restarted(zero);
        // On the drill's clock from here on: an instant before its start reads 0.
        self.clock = clock.clone();
        self.book.begin(&clock);
        let watching = match self.platform.watch(&clock) {
            Ok(watching) => watching,
            Err(error) => return self.not_prepared(error.to_string()),
        };
        crews.begin(zero);
        self.book.note_at(At::START, Event::LoadBegan);
        let faults = Faults::new(self.platform.clone(), self.journal.clone(), clock.clone());
        let hand = hand(&self.plan, &self.platform, &clock);
        let conductor = Conductor {
            plan: &self.plan,
            actions: Actions::new(&self.plan, &clock, hand),
            clock,
            book: self.book,
            surgeon: faults,
            happenings: self.happenings,
            signals: self.signals,
            guardian: self.guardian,
            crews,
        };
        let conducted = conductor.conduct().await;
        self.platform.end_programs().await;
        if conducted.reason == EndReason::Finished {
            self.attend(1, watching.read_pages()).await;
        }
        drop(watching);
        conducted
    }

    /// The start instant: at once, or the one that all parts were given, shortly before which this returns.
    async fn zero(&mut self) -> Result<At, EndReason> {
        let Some(part) = &self.setting.part else {
            let zero = self.clock.now() + LEAD;
            return self.fits(zero);
        };
        let zero = part::start(part, &self.clock).map_err(|by| EndReason::Late { by })?;
        if let Some(text) = part::lateness(zero, &self.clock) {
            self.book.note(Event::Noted { text });
        }
        self.fits(zero)?;
        let clock = self.clock.clone();
        let waited = self.attend(1, clock.sleep_until(zero.saturating_sub(LEAD))).await;
        waited.map(|()| zero).ok_or(EndReason::Interrupted)
    }

    /// Whether a drill that begins at `zero` may go on for as long as it would.
    fn fits(&mut self, zero: At) -> Result<At, EndReason> {
        match self.setting.overrun(zero, &self.clock) {
            Some(text) => {
                self.book.note(Event::Noted { text });
                Err(EndReason::NotPrepared)
            }
            None => Ok(zero),
        }
    }

    /// Waits until no part can be waiting for an answer, before the platform is cleaned up and stopped. Cut short by any
    /// signal.
    async fn let_others_drain(&mut self) {
        let Some(quiet) = self.setting.quiet() else { return };
        let clock = self.clock.clone();
        let _ = self.attend(1, clock.sleep_until(quiet)).await;
    }
}

/// Signals put an end to it.
struct Interrupted;

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
