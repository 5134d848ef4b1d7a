use std::collections::VecDeque;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use rand_distr::Distribution;

use super::live::{Bond, Fate, Live};
use crate::base::rng::Stream;
use crate::base::units::{At, Size, Span};
use crate::plan::{Direction, FlawKind, Spread};

/// What waits in one direction of a connection at most; whoever sends more is not read from.
const MOST: usize = 1024 * 1024;
/// The same where it passes slowly: else the sender would take for passed what is not.
const MOST_PACED: usize = 64 * 1024;
/// A wrong bit for each so many bytes: a packet's worth.
const PACKET: usize = 1460;
/// What a throttle lets through at once is no more than what it lets through in this time.
const GRAIN: Span = Span::millis(20);
/// A throttle that costs less is none for what passes.
const NOTICED: Span = Span::millis(1);

/// How a connection comes to an end that nobody at its ends wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Close,
    Reset,
    /// It does not end: its two ends speak HTTP/2 to each other.
    Http2,
}

/// What passes in one direction of a connection, and has not passed yet. It is told the time.
#[derive(Debug)]
pub(super) struct Flow {
    way: Direction,
    queue: VecDeque<Piece>,
    queued: usize,
    /// When the last piece is due: none overtakes another.
    last: At,
    /// By flaw: until when it is busy with what came before.
    busy: Vec<(u64, At)>,
    /// By flaw: bytes that have passed it.
    passed: Vec<(u64, u64)>,
    turns: u64,
    paced: bool,
    end: Option<(At, End, Rc<Live>)>,
}

#[derive(Debug)]
struct Piece {
    bytes: Bytes,
    arrived: At,
    due: At,
    fate: Fate,
    /// Its bytes are on the accounts of the flaws that hold it.
    held: bool,
    /// With it the connection ends.
    closes: bool,
}

impl Piece {
    /// On the accounts of those who hold it: what is no bytes is held, too.
    fn weight(&self) -> usize {
        self.bytes.len().max(1)
    }
}

impl Flow {
    pub(super) fn new(way: Direction) -> Flow {
        Flow {
            way,
            queue: VecDeque::new(),
            queued: 0,
            last: At::START,
            busy: Vec::new(),
            passed: Vec::new(),
            turns: 0,
            paced: false,
            end: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// More may come.
    pub(super) fn has_room(&self) -> bool {
        self.queued < if self.paced { MOST_PACED } else { MOST }
    }

    /// Nothing waits, and nothing that this fate holds is to be done to what comes: it may pass as it is.
    pub(super) fn is_free(&self, fate: &Fate) -> bool {
        self.queue.is_empty() && (fate.is_free() || fate.acting(self.way).next().is_none())
    }

    /// What passes from now on belongs to another request.
    pub(super) fn next_request(&mut self) {
        self.passed.clear();
    }

    /// Takes in what is no bytes and has a place among them: a piece that is empty.
    pub(super) fn mark(&mut self, fate: &Fate, now: At) {
        self.strike(fate, now);
        let piece =
            Piece { bytes: Bytes::new(), arrived: now, due: now, fate: fate.clone(), held: false, closes: false };
        self.enqueue(piece, now);
    }

    /// What comes meets those who put an end to the connection.
    fn strike(&mut self, fate: &Fate, now: At) {
        for live in fate.acting(self.way) {
            match live.flaw.kind {
                FlawKind::Reset { after } => self.ends(now + after, End::Reset, live),
                FlawKind::Hang { close: Some(after) } => self.ends(now + after, End::Close, live),
                _ => {}
            }
        }
    }

    /// Takes in what has come.
    pub(super) fn push(&mut self, bytes: Bytes, fate: &Fate, now: At) {
        let mut bytes = bytes;
        let mut closes = false;
        for live in fate.acting(self.way) {
            match live.flaw.kind {
                FlawKind::Corrupt => bytes = self.corrupt(live, bytes, now),
                FlawKind::CloseAfter { bytes: Size(most) } => {
                    let passed = entry(&mut self.passed, live.id, 0);
                    let left = usize::try_from(most.saturating_sub(*passed)).unwrap_or(usize::MAX);
                    if left <= bytes.len() {
                        bytes.truncate(left);
                        closes = true;
                        live.bit(now);
                    }
                    *passed += bytes.len() as u64;
                }
                _ => {}
            }
        }
        self.strike(fate, now);
        while !bytes.is_empty() || closes {
            let size = self.size(fate, bytes.len(), now);
            let piece = bytes.split_to(size.min(bytes.len()));
            let closes = std::mem::take(&mut closes) && bytes.is_empty();
            self.queued += piece.len();
            let piece = Piece { bytes: piece, arrived: now, due: now, fate: fate.clone(), held: false, closes };
            self.enqueue(piece, now);
            if closes {
                break;
            }
        }
    }

    /// What was there already when the connection got another fate, and what is not held any more, is put in order anew.
    pub(super) fn rearrange(&mut self, fate: Option<&Fate>, now: At) {
        (self.last, self.paced) = (At::START, false);
        self.busy.clear();
        self.end = self.end.take().filter(|(_, _, live)| !live.is_over());
        for mut piece in std::mem::take(&mut self.queue) {
            self.release(&mut piece);
            if let Some(fate) = fate {
                piece.fate = fate.clone();
            }
            self.enqueue(piece, now);
        }
    }

    fn enqueue(&mut self, mut piece: Piece, now: At) {
        let mut due = piece.arrived;
        for live in piece.fate.acting(self.way) {
            let before = due;
            match &live.flaw.kind {
                FlawKind::Delay { latency, jitter, spread } => {
                    self.turns += 1;
                    due = due + delayed(*latency, *jitter, *spread, &mut live.stream(self.turns));
                }
                FlawKind::Throttle { rate } => {
                    self.paced = true;
                    let busy = entry(&mut self.busy, live.id, At::START);
                    due = due.max(*busy) + rate.time_of(Size(piece.bytes.len() as u64));
                    *busy = due;
                }
                FlawKind::Slice { pause, .. } => {
                    let busy = entry(&mut self.busy, live.id, At::START);
                    due = due.max(*busy);
                    *busy = due + *pause;
                }
                FlawKind::Hang { .. } | FlawKind::Reset { .. } => due = At::MAX,
                _ => {}
            }
            let bites = match live.flaw.kind {
                // It is seen to be reset when it is.
                FlawKind::Reset { .. } => false,
                FlawKind::Throttle { .. } => due > before + NOTICED,
                _ => due > before,
            };
            if bites && due > now {
                live.bit(now);
            }
        }
        piece.due = due.max(self.last);
        self.last = piece.due;
        if piece.due > now {
            piece.held = true;
            holders(&piece.fate, self.way).for_each(|live| live.holds(piece.weight()));
        }
        self.queue.push_back(piece);
    }

    fn release(&self, piece: &mut Piece) {
        if std::mem::take(&mut piece.held) {
            holders(&piece.fate, self.way).for_each(|live| live.lets_go(piece.weight()));
        }
    }

    /// What is to be written now. Nothing where nothing is due.
    pub(super) fn due(&self, now: At) -> Option<&Bytes> {
        self.queue.front().filter(|piece| piece.due <= now).map(|piece| &piece.bytes)
    }

    /// When more is due, if something waits.
    pub(super) fn next(&self) -> Option<At> {
        self.queue.front().map(|piece| piece.due)
    }

    /// When a flaw puts an end to the connection.
    pub(super) fn end_at(&self) -> Option<At> {
        self.end.as_ref().map(|(at, ..)| *at)
    }

    /// So much of what was due has been written. The connection may end with it.
    pub(super) fn written(&mut self, size: usize) -> Option<End> {
        let mut piece = self.queue.pop_front()?;
        self.release(&mut piece);
        let size = size.min(piece.bytes.len());
        self.queued -= size;
        let _ = piece.bytes.split_to(size);
        if !piece.bytes.is_empty() {
            self.queue.push_front(piece);
            return None;
        }
        piece.closes.then_some(End::Close)
    }

    /// Whether a flaw puts an end to the connection now.
    pub(super) fn ended(&mut self, now: At) -> Option<End> {
        let (_, end, live) = self.end.as_ref().filter(|(at, ..)| *at <= now)?;
        live.bit(now);
        Some(*end)
    }

    /// A flaw puts an end to the connection at that instant, if nothing does earlier.
    pub(super) fn ends(&mut self, at: At, end: End, live: &Bond) {
        if self.end.as_ref().is_none_or(|(sooner, ..)| at < *sooner) {
            self.end = Some((at, end, live.live.clone()));
        }
    }

    /// The sender has closed its side: when that is to be passed on.
    pub(super) fn closing(&mut self, fate: &Fate, now: At) -> At {
        let mut at = now.max(if self.queue.is_empty() { now } else { self.last });
        for live in fate.acting(self.way) {
            match live.flaw.kind {
                FlawKind::SlowClose { delay } if delay > Span::ZERO => {
                    at = at + delay;
                    live.bit(now);
                }
                // Not even the end passes.
                FlawKind::Hang { .. } => {
                    at = At::MAX;
                    live.bit(now);
                }
                _ => {}
            }
        }
        at
    }

    /// The size of the next piece.
    fn size(&mut self, fate: &Fate, all: usize, now: At) -> usize {
        let mut size = all;
        for live in fate.acting(self.way) {
            match live.flaw.kind {
                FlawKind::Slice { size: Size(mean), vary: Size(vary), .. } => {
                    self.turns += 1;
                    let (mean, vary) = (mean.cast_signed(), vary.min(mean).cast_signed());
                    let drawn = live.stream(self.turns).int(mean - vary, mean + vary).max(1);
                    let drawn = usize::try_from(drawn).unwrap_or(usize::MAX);
                    if drawn < size {
                        live.bit(now);
                        size = drawn;
                    }
                }
                FlawKind::Throttle { rate } => {
                    let grain = usize::try_from(rate.over(GRAIN).0).unwrap_or(usize::MAX);
                    size = size.min(grain.max(1));
                }
                _ => {}
            }
        }
        size
    }

    fn corrupt(&mut self, live: &Bond, bytes: Bytes, now: At) -> Bytes {
        let mut changed = BytesMut::from(bytes);
        for packet in changed.chunks_mut(PACKET) {
            self.turns += 1;
            let bit = live.stream(self.turns).below(packet.len() as u64 * 8);
            packet[(bit / 8) as usize] ^= 1 << (bit % 8);
            live.bit(now);
        }
        changed.freeze()
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        for mut piece in std::mem::take(&mut self.queue) {
            self.release(&mut piece);
        }
    }
}

/// Those that keep bytes waiting.
fn holders(fate: &Fate, way: Direction) -> impl Iterator<Item = &Bond> {
    fate.all().filter(move |live| {
        let waits = matches!(
            live.flaw.kind,
            FlawKind::Delay { .. } | FlawKind::Throttle { .. } | FlawKind::Slice { .. } | FlawKind::Hang { .. }
        );
        waits && way.is_in(live.flaw.direction)
    })
}

fn delayed(latency: Span, jitter: Span, spread: Spread, stream: &mut Stream) -> Span {
    if jitter == Span::ZERO {
        return latency;
    }
    let by = match spread {
        Spread::Uniform => stream.unit().mul_add(2.0, -1.0),
        Spread::Normal => rand_distr::StandardNormal.sample(stream),
        Spread::Exponential => rand_distr::Exp1.sample(stream),
    };
    Span::from_seconds_f64(by.mul_add(jitter.as_seconds_f64(), latency.as_seconds_f64()))
}

fn entry<T: Copy>(list: &mut Vec<(u64, T)>, id: u64, first: T) -> &mut T {
    let at = list.iter().position(|(known, _)| *known == id).unwrap_or_else(|| {
        list.push((id, first));
        list.len() - 1
    });
    &mut list[at].1
}
