use super::Exact;
use super::wave::Wave;
use crate::base::units::{At, Rate, Span};
use crate::plan::{Load, StageKind};

/// A stretch of a load.
#[derive(Debug, Clone, Copy)]
struct Piece {
    from: u64,
    /// Zero for a burst at one instant.
    nanos: u64,
    shape: Shape,
    /// What all pieces before this one bring.
    before: Exact,
    area: Exact,
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    /// The rate goes straight from `a` to `b`, per second.
    Line {
        a: f64,
        b: f64,
    },
    Wave(Wave),
}

/// Arrivals on top of the level.
#[derive(Debug, Clone, Copy)]
struct Extra {
    from: u64,
    nanos: u64,
    count: u64,
}

impl Piece {
    /// Nanoseconds into the piece at which it has brought `x` more than `before`.
    ///
    /// The rate rises or falls in a straight line, so the sum is a square; its root is taken in the form without
    /// cancellation, x / (a + √(a² + c·x)), and counted from the end of lower rate.
    fn invert(&self, x: Exact) -> u64 {
        let (a, b) = match self.shape {
            Shape::Line { a, b } => (a, b),
            Shape::Wave(wave) => return wave.invert(x, self.before).round() as u64,
        };
        let nanos = self.nanos as f64;
        let slope = (b - a) / nanos;
        let root = |x: f64, a: f64, slope: f64| {
            let x = x.max(0.0);
            let below = a + (a * a + slope * x).max(0.0).sqrt();
            if below > 0.0 { (x / below).clamp(0.0, nanos) } else { 0.0 }
        };
        if b >= a {
            root(x.minus(self.before), a, slope).round() as u64
        } else {
            let left = root(self.before.plus(self.area).minus(x), b, -slope);
            // The fraction of `nanos - left` must be rounded, not that of `left`: halves go up either way.
            (nanos - left).round() as u64
        }
    }

    fn rate_at(&self, nanos: u64) -> f64 {
        match self.shape {
            Shape::Line { a, b } => a + (b - a) * (nanos as f64 / self.nanos as f64),
            Shape::Wave(wave) => wave.rate_at(nanos),
        }
    }

    fn peak(&self) -> f64 {
        match self.shape {
            Shape::Line { a, b } => a.max(b),
            Shape::Wave(wave) => wave.peak(self.nanos),
        }
    }
}

/// N(t) of a load, in pieces of its rate.
#[derive(Debug)]
pub(super) struct Curve {
    pieces: Vec<Piece>,
    start: u64,
    end: u64,
    total: Exact,
    extras: Vec<Extra>,
    /// The greatest rate without what bursts add.
    level: f64,
    /// Where bursts begin and end on the axis of N.
    cuts: Vec<Exact>,
}

impl Curve {
    pub(super) fn new(load: &Load) -> Curve {
        let start = load.start.as_nanos();
        let (total, level) = (Exact::ZERO, 0.0);
        let mut curve =
            Curve { pieces: Vec::new(), start, end: start, total, extras: Vec::new(), level, cuts: Vec::new() };
        for stage in &load.stages {
            match stage.kind {
                StageKind::Ramp { from, to, span } => curve.line(from, to, span.as_nanos()),
                StageKind::Hold { rate, span } => curve.line(rate, rate, span.as_nanos()),
                StageKind::Stairs { every, .. } => {
                    for rate in stage.kind.levels() {
                        curve.line(rate, rate, every.as_nanos());
                    }
                }
                StageKind::Spike { from, to, rise, hold, fall } => {
                    curve.line(from, to, rise.as_nanos());
                    curve.line(to, to, hold.as_nanos());
                    curve.line(to, from, fall.as_nanos());
                }
                StageKind::Wave { mean, amplitude, period, span } => {
                    let (mean, amplitude) = (mean.as_per_second(), amplitude.as_per_second());
                    curve.wave(Wave { mean, amplitude, period: period.as_nanos().max(1) }, span.as_nanos());
                }
                StageKind::Burst { level, count, spread } => curve.burst(level, count, spread.as_nanos()),
                StageKind::Points { ref points, .. } => {
                    for pair in points.windows(2) {
                        let &[(from, a), (to, b)] = pair else { continue };
                        curve.line(a, b, to.saturating_sub(from).as_nanos());
                    }
                }
            }
        }
        curve
    }

    fn line(&mut self, from: Rate, to: Rate, nanos: u64) {
        let nanos = nanos.min(u64::MAX - self.end);
        let (a, b) = (from.as_per_second(), to.as_per_second());
        if nanos > 0 {
            self.level = self.level.max(a).max(b);
            self.push(nanos, Shape::Line { a, b }, Exact::area(a, b, nanos));
        }
    }

    fn wave(&mut self, wave: Wave, nanos: u64) {
        let nanos = nanos.min(u64::MAX - self.end);
        if nanos > 0 {
            self.level = self.level.max(wave.peak(nanos));
            self.push(nanos, Shape::Wave(wave), wave.area(nanos));
        }
    }

    fn burst(&mut self, level: Rate, count: u64, nanos: u64) {
        let nanos = nanos.min(u64::MAX - self.end);
        let level = level.as_per_second();
        if nanos > 0 {
            self.level = self.level.max(level);
        }
        let rate = if nanos > 0 { level + count as f64 / Span::nanos(nanos).as_seconds_f64() } else { 0.0 };
        self.extras.push(Extra { from: self.end, nanos, count });
        self.cuts.push(self.total);
        self.push(nanos, Shape::Line { a: rate, b: rate }, Exact::area(level, level, nanos).plus(Exact::whole(count)));
        self.cuts.push(self.total);
    }

    fn push(&mut self, nanos: u64, shape: Shape, area: Exact) {
        // A stretch that brings nothing is none: no arrival is ever looked for in it.
        if area.is_positive() {
            self.pieces.push(Piece { from: self.end, nanos, shape, before: self.total, area });
        }
        self.end += nanos;
        self.total = self.total.plus(area);
    }

    pub(super) fn start(&self) -> At {
        At(self.start)
    }

    pub(super) fn end(&self) -> At {
        At(self.end)
    }

    pub(super) fn count(&self) -> u64 {
        self.total.arrivals()
    }

    /// The instant at which N(t) comes to `x`; always before the end.
    pub(super) fn invert(&self, x: Exact) -> At {
        let after = self.pieces.partition_point(|piece| piece.before <= x);
        let Some(piece) = after.checked_sub(1).and_then(|index| self.pieces.get(index)) else { return At(self.start) };
        if piece.nanos == 0 {
            return At(piece.from);
        }
        let at = piece.from.saturating_add(piece.invert(x));
        At(at.min((piece.from + piece.nanos).saturating_sub(1)))
    }

    /// The stretches of the axis of N that have their own whole number of arrivals each: one, and more where bursts are,
    /// whose arrivals must be as many as they say.
    pub(super) fn stretches(&self) -> impl Iterator<Item = (Exact, Exact)> {
        let starts = std::iter::once(Exact::ZERO).chain(self.cuts.iter().copied());
        starts.zip(self.cuts.iter().copied().chain(std::iter::once(self.total)))
    }

    pub(super) fn rate_at(&self, at: At) -> Rate {
        let at = at.as_nanos();
        let after = self.pieces.partition_point(|piece| piece.from <= at);
        let piece = after.checked_sub(1).and_then(|index| self.pieces.get(index));
        match piece {
            Some(piece) if at - piece.from < piece.nanos => Rate::per_second(piece.rate_at(at - piece.from)),
            _ => Rate::ZERO,
        }
    }

    pub(super) fn peak(&self) -> Rate {
        Rate::per_second(self.pieces.iter().map(Piece::peak).fold(0.0, f64::max))
    }

    /// What comes within `span` at the most: the highest level all along, and the bursts that one such window can hold.
    pub(super) fn most_within(&self, span: Span) -> f64 {
        let window = span.as_nanos();
        let part = |extra: &Extra| {
            let share = if extra.nanos > window { window as f64 / extra.nanos as f64 } else { 1.0 };
            extra.count as f64 * share
        };
        let from = |index: usize| {
            let reach = self.extras[index].from.saturating_add(self.extras[index].nanos).saturating_add(window);
            self.extras[index..].iter().take_while(|extra| extra.from <= reach).map(part).sum::<f64>()
        };
        self.level * span.as_seconds_f64() + (0..self.extras.len()).map(from).fold(0.0, f64::max)
    }
}
