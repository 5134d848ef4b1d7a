use super::Exact;
use crate::base::units::{At, Rate};
use crate::plan::{Load, StageKind};

/// A stretch in which the rate goes straight from `a` to `b`.
#[derive(Debug, Clone, Copy)]
struct Piece {
    from: u64,
    nanos: u64,
    /// Per second.
    a: f64,
    b: f64,
    /// What all pieces before this one bring.
    before: Exact,
    area: Exact,
}

impl Piece {
    /// Nanoseconds into the piece at which it has brought `x` more than `before`.
    ///
    /// The rate rises or falls in a straight line, so the sum is a square; its root is taken in the form without
    /// cancellation, x / (a + √(a² + c·x)), and counted from the end of lower rate.
    fn invert(&self, x: Exact) -> u64 {
        let nanos = self.nanos as f64;
        let slope = (self.b - self.a) / nanos;
        let root = |x: f64, a: f64, slope: f64| {
            let x = x.max(0.0);
            let below = a + (a * a + slope * x).max(0.0).sqrt();
            if below > 0.0 { (x / below).clamp(0.0, nanos) } else { 0.0 }
        };
        if self.b >= self.a {
            root(x.minus(self.before), self.a, slope).round() as u64
        } else {
            let left = root(self.before.plus(self.area).minus(x), self.b, -slope);
            // The fraction of `nanos - left` must be rounded, not that of `left`: halves go up either way.
            (nanos - left).round() as u64
        }
    }
}

/// N(t) of a load, in straight pieces of its rate.
#[derive(Debug)]
pub(super) struct Curve {
    pieces: Vec<Piece>,
    start: u64,
    end: u64,
    total: Exact,
}

impl Curve {
    pub(super) fn new(load: &Load) -> Curve {
        let start = load.start.as_nanos();
        let mut curve = Curve { pieces: Vec::new(), start, end: start, total: Exact::ZERO };
        for stage in &load.stages {
            match stage.kind {
                StageKind::Ramp { from, to, span } => curve.push(from, to, span.as_nanos()),
                StageKind::Hold { rate, span } => curve.push(rate, rate, span.as_nanos()),
                StageKind::Stairs { every, .. } => {
                    for rate in stage.kind.levels() {
                        curve.push(rate, rate, every.as_nanos());
                    }
                }
                StageKind::Spike { from, to, rise, hold, fall } => {
                    curve.push(from, to, rise.as_nanos());
                    curve.push(to, to, hold.as_nanos());
                    curve.push(to, from, fall.as_nanos());
                }
            }
        }
        curve
    }

    fn push(&mut self, from: Rate, to: Rate, nanos: u64) {
        let nanos = nanos.min(u64::MAX - self.end);
        if nanos == 0 {
            return;
        }
        let (a, b) = (from.as_per_second(), to.as_per_second());
        let area = Exact::area(a, b, nanos);
        self.pieces.push(Piece { from: self.end, nanos, a, b, before: self.total, area });
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
        // Pieces of rate zero bring nothing: no arrival lies in one.
        let piece = self.pieces.iter().take(after).rev().find(|piece| piece.area.is_positive());
        let Some(piece) = piece else { return At(self.start) };
        let at = piece.from.saturating_add(piece.invert(x));
        At(at.min((piece.from + piece.nanos).saturating_sub(1)))
    }

    /// The instant at which `share` of all has come.
    pub(super) fn quantile(&self, share: f64) -> At {
        self.invert(self.total.part(share))
    }

    pub(super) fn rate_at(&self, at: At) -> Rate {
        let at = at.as_nanos();
        let after = self.pieces.partition_point(|piece| piece.from <= at);
        let piece = after.checked_sub(1).and_then(|index| self.pieces.get(index));
        match piece {
            Some(piece) if at - piece.from < piece.nanos => {
                let share = (at - piece.from) as f64 / piece.nanos as f64;
                Rate::per_second(piece.a + (piece.b - piece.a) * share)
            }
            _ => Rate::ZERO,
        }
    }

    pub(super) fn peak(&self) -> Rate {
        Rate::per_second(self.pieces.iter().map(|piece| piece.a.max(piece.b)).fold(0.0, f64::max))
    }
}
