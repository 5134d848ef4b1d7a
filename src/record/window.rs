use serde::{Deserialize, Serialize};

use super::{Latency, Numbers};
use crate::base::units::{At, Span};
use crate::plan::{FigureId, JourneyId, LegId, LoadId, SeriesId};

/// What one worker counted in one second; handed over once a second, merged on reading.
///
/// Requests stand in two books (see [`Book`]): the same request once in each.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// The second that is closed with this window: [second, second + 1) on the drill's clock.
    pub second: u64,
    /// Which worker.
    pub crew: u16,
    pub cells: Vec<Cell>,
    pub visits: Vec<VisitCell>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub figures: Vec<FigureCell>,
    pub health: GeneratorHealth,
    /// The users of a closed load.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<UserCell>,
}

/// Which second, or which leg of the phases, a request is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Book {
    /// By *settled*: done, or planned + patience if that is earlier. The window's own second.
    Seconds,
    /// The book of phases, by *planned*, with the final outcome: what was added to this leg in this second.
    Leg(LegId),
}

/// The requests of one series in one book.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    pub series: SeriesId,
    pub book: Book,
    pub counts: Counts,
    /// Planned and not settled when the second closed, sent or not (book of seconds only).
    pub waiting: u64,
    /// The earliest planned instant among those waiting (book of seconds only).
    pub oldest_waiting: Option<At>,
    /// Who counts against availability: bad and unsent by the platform (book of seconds only).
    pub against: Against,
    /// Who was shed: where it exceeds the limit, these count against availability too (book of seconds only).
    #[serde(default)]
    pub shedding: Against,
    /// For each of the step's `bounds`, who of the ok ones was slower (book of seconds only).
    pub slower: Vec<Against>,
    /// Of the ok ones: done − planned. Histograms are kept in their own file.
    #[serde(skip)]
    pub response: Latency,
    /// Of the ok ones: done − sent (book of phases only).
    #[serde(skip)]
    pub service: Latency,
    /// Of the ok ones: done − released, which is response with the generator's lateness taken out (book of phases only).
    #[serde(skip)]
    pub unlagged: Latency,
}

/// Outcomes. One request has one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub ok: u64,
    /// By kind, in the kinds' order; no zeros.
    pub bad: Vec<(BadKind, u64)>,
    /// Intended shedding.
    pub shed: u64,
    /// Never sent, by reason, in the reasons' order; no zeros.
    pub unsent: Vec<(UnsentKind, u64)>,
    /// Steps that a failed visit never came to.
    pub not_reached: u64,
    /// Steps that a visit which was shed never came to: not reached as far as the shedding exceeds its limit.
    #[serde(default)]
    pub shed_before: u64,
    /// Tries of requests that another try followed, by why, in the kinds' order; no zeros (book of phases only).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub again: Vec<(BadKind, u64)>,
}

impl Counts {
    pub fn bad(&self) -> u64 {
        self.bad.iter().map(|(_, count)| count).sum()
    }

    pub fn unsent_by_platform(&self) -> u64 {
        self.unsent.iter().filter(|(kind, _)| kind.is_platform()).map(|(_, count)| count).sum()
    }

    pub fn unsent_by_generator(&self) -> u64 {
        self.unsent.iter().filter(|(kind, _)| !kind.is_platform()).map(|(_, count)| count).sum()
    }

    /// The base of availability and percentiles: ok + bad + unsent by the platform. Shed stands apart.
    pub fn base(&self) -> u64 {
        self.ok + self.bad() + self.unsent_by_platform()
    }

    pub fn add(&mut self, other: &Counts) {
        self.ok += other.ok;
        self.shed += other.shed;
        self.not_reached += other.not_reached;
        self.shed_before += other.shed_before;
        merge(&mut self.bad, &other.bad);
        merge(&mut self.unsent, &other.unsent);
        merge(&mut self.again, &other.again);
    }

    pub fn add_bad(&mut self, kind: BadKind, count: u64) {
        merge(&mut self.bad, &[(kind, count)]);
    }

    pub fn add_again(&mut self, kind: BadKind, count: u64) {
        merge(&mut self.again, &[(kind, count)]);
    }

    pub fn add_unsent(&mut self, kind: UnsentKind, count: u64) {
        merge(&mut self.unsent, &[(kind, count)]);
    }
}

fn merge<K: Copy + Ord>(into: &mut Vec<(K, u64)>, from: &[(K, u64)]) {
    for &(kind, count) in from {
        match into.binary_search_by_key(&kind, |(known, _)| *known) {
            Ok(at) => into[at].1 += count,
            Err(at) => into.insert(at, (kind, count)),
        }
    }
}

/// Why a request was bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BadKind {
    /// The connection could not be made: refused, unreachable, DNS, TLS.
    Connect,
    /// The connection broke after the request began.
    Broken,
    /// The answer was no valid HTTP.
    Protocol,
    /// Cut by the step's timeout, or a poll that did not come to its end in time.
    Timeout,
    /// Not done when its patience ended (book of seconds only).
    Late,
    /// A status that was not expected.
    Status,
    /// A body or header that was not as expected.
    Expectation,
    /// Slower than the step's `within`.
    Slow,
    /// A capture that was not there.
    Capture,
    /// A template that could not be rendered from what the visit had.
    Template,
    /// Shedding beyond the share that the scenario intends (made by analysis, never by a worker).
    ExcessShed,
    /// Still in flight when the drain time was over.
    Abandoned,
    /// The allow-list refused the address that a name resolved to, or a redirect.
    Forbidden,
    /// A compressed answer that could not be decompressed.
    Encoding,
    /// Redirects that led nowhere, in a circle, or on and on.
    Redirect,
}

/// Why an arrival was never sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnsentKind {
    /// Every connection of a pool that holds at least peak rate × patience was waiting for an answer.
    PoolFull,
    /// The same with a smaller pool: the generator's own fault.
    PoolSmall,
    /// Could not be released before the drain time was over.
    Late,
    OpenFiles,
    Ports,
    Memory,
    /// Not begun since the drill was being stopped.
    Stopped,
}

impl UnsentKind {
    pub const fn is_platform(self) -> bool {
        matches!(self, UnsentKind::PoolFull)
    }
}

/// The earliest planned instants of requests that count against something: one for each second of *planned*, ascending.
/// Bounded by the patience, and enough to find the earliest one not before any given second.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Against {
    pub count: u64,
    pub earliest: Vec<At>,
}

impl Against {
    pub fn add(&mut self, planned: At) {
        self.count += 1;
        self.note(planned);
    }

    pub fn merge(&mut self, other: &Against) {
        self.count += other.count;
        for &planned in &other.earliest {
            self.note(planned);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn clear(&mut self) {
        self.count = 0;
        self.earliest.clear();
    }

    fn note(&mut self, planned: At) {
        match self.earliest.binary_search_by_key(&planned.second(), |known| known.second()) {
            Ok(at) => self.earliest[at] = self.earliest[at].min(planned),
            Err(at) => self.earliest.insert(at, planned),
        }
    }
}

/// Whole visits of one journey, by the phase that they were planned in: what was added in this second. Each that was
/// started came to one end, so `started` is `ok + failed + shed`; one whose first request was never sent by the
/// generator's own fault was not started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VisitCell {
    pub load: LoadId,
    pub journey: JourneyId,
    pub leg: LegId,
    pub started: u64,
    pub ok: u64,
    /// Those that a bad request ended, and those that were cut off before their end, be it between two steps.
    pub failed: u64,
    /// Those that a status of intended shedding ended: bad in analysis as far as they exceed the limit.
    #[serde(default)]
    pub shed: u64,
    /// A journey's own time, of the ok ones: its steps without think time.
    #[serde(skip)]
    pub own_time: Latency,
}

/// Numbers that answers told, by the phase that their requests were planned in: what was added in this second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FigureCell {
    pub figure: FigureId,
    pub leg: LegId,
    #[serde(skip)]
    pub values: Numbers,
}

/// What came of the users of a closed load in this second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserCell {
    pub load: LoadId,
    /// Each of these is one session: its cookies and its connections are nobody else's.
    pub launched: u64,
    pub ended: u64,
    /// When the second closed.
    pub present: u64,
}

/// How well the generator itself kept up in this second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GeneratorHealth {
    /// Arrivals whose planned instant lies in this second.
    pub planned: u64,
    /// Arrivals released in this second, whenever they were planned.
    pub released: u64,
    /// Released more than `limits.lag` after their planned instant.
    pub late: u64,
    /// Released − planned.
    #[serde(skip)]
    pub lag: Latency,
    /// CPU time that the worker used in this second, spinning left out.
    pub cpu: Span,
    /// Time spent spinning before instants.
    pub spun: Span,
    pub in_flight: u64,
    pub queued: u64,
    pub connections: u64,
    /// Connections opened in this second.
    pub connected: u64,
    /// What came compressed.
    #[serde(default, skip_serializing_if = "Unpacked::is_empty")]
    pub unpacked: Unpacked,
}

/// Answers that were decompressed, outside of their own times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpacked {
    pub answers: u64,
    /// Bytes of their bodies as they came.
    pub packed: u64,
    /// What they came to.
    pub plain: u64,
    /// How long it took.
    pub took: Span,
}

impl Unpacked {
    pub fn is_empty(&self) -> bool {
        self.answers == 0
    }

    pub fn add(&mut self, other: &Unpacked) {
        self.answers += other.answers;
        self.packed += other.packed;
        self.plain += other.plain;
        self.took += other.took;
    }
}
