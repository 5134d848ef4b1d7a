use std::sync::Arc;

use rand_distr::{Binomial, Distribution};

use super::Exact;
use super::curve::Curve;
use crate::base::rng::{Key, Purpose};
use crate::base::units::At;

/// Stretches with at most this many arrivals are not split further.
const LEAF: u64 = 32;
/// Stretches of 2⁻⁴⁸ of a load are not split further, however full.
const DEPTH: u32 = 48;

/// The arrivals of each stretch of a curve, scattered over it. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Scatter {
    parts: Arc<[Part]>,
}

impl Scatter {
    pub(super) fn new(seed: u64, load: u32, curve: &Curve) -> Scatter {
        let mut parts = Vec::new();
        for (index, (from, to)) in curve.stretches().enumerate() {
            let (first, next) = (from.arrivals(), to.arrivals());
            if next > first {
                let key = Key::new(seed, load, index as u64);
                parts.push(Part { key, first, count: next - first, from, width: to.less(from) });
            }
        }
        Scatter { parts: parts.into() }
    }

    /// The part that holds arrival `k`.
    fn part(&self, k: u64) -> Option<&Part> {
        let after = self.parts.partition_point(|part| part.first <= k);
        after.checked_sub(1).and_then(|index| self.parts.get(index))
    }
}

/// `count` uniform points on an axis of length one, which is halved again and again: how many of a stretch's points lie in
/// its left half is binomial, drawn from a stream of the stretch's own. So every point can be had without the others.
#[derive(Debug)]
struct Part {
    key: Key,
    /// Its first arrival.
    first: u64,
    count: u64,
    /// Where it lies on the axis of N.
    from: Exact,
    width: Exact,
}

impl Part {
    fn root(&self) -> Stretch {
        self.stretch(0, 0, self.first, self.count)
    }

    fn stretch(&self, depth: u32, index: u64, first: u64, count: u64) -> Stretch {
        let mut stretch = Stretch { depth, index, first, count, left: 0 };
        if !stretch.is_leaf() {
            let mut stream = self.key.stream(Purpose::Split, stretch.name());
            stretch.left = Binomial::new(count, 0.5).map_or(count / 2, |halves| halves.sample(&mut stream)).min(count);
        }
        stretch
    }

    fn half(&self, of: &Stretch, k: u64) -> Stretch {
        if k < of.first + of.left {
            self.stretch(of.depth + 1, of.index * 2, of.first, of.left)
        } else {
            self.stretch(of.depth + 1, of.index * 2 + 1, of.first + of.left, of.count - of.left)
        }
    }

    /// The instant at which `share` of all has come.
    fn quantile(&self, curve: &Curve, share: f64) -> At {
        curve.invert(self.from.plus(self.width.part(share)))
    }

    /// The instants of a leaf's arrivals, sorted. Its ends bound them, so that rounding never swaps neighbours.
    fn fill(&self, leaf: &Stretch, curve: &Curve, instants: &mut Vec<At>) {
        let width = (-f64::from(leaf.depth)).exp2();
        let edge = |index: u64| self.quantile(curve, index as f64 * width);
        let (low, high) = (edge(leaf.index), edge(leaf.index + 1));
        let mut stream = self.key.stream(Purpose::Leaf, leaf.name());
        instants.clear();
        instants.extend((0..leaf.count).map(|_| {
            let share = (leaf.index as f64 + stream.unit()) * width;
            self.quantile(curve, share).clamp(low, high.max(low))
        }));
        instants.sort_unstable();
    }
}

/// The points `first .. first + count` of the whole, in the stretch [index, index + 1) / 2^depth.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    depth: u32,
    index: u64,
    first: u64,
    count: u64,
    /// How many lie in its left half.
    left: u64,
}

impl Stretch {
    fn is_leaf(&self) -> bool {
        self.count <= LEAF || self.depth >= DEPTH
    }

    fn holds(&self, k: u64) -> bool {
        k >= self.first && k - self.first < self.count
    }

    /// Its number in the tree: 1 for the whole, 2 and 3 for the halves …
    fn name(&self) -> u64 {
        (1 << self.depth) | self.index
    }
}

/// Remembers the way to the last leaf and its instants, so that the next arrivals are near.
#[derive(Debug, Clone, Default)]
pub(super) struct Seeker {
    way: Vec<Stretch>,
    instants: Vec<At>,
}

impl Seeker {
    /// The instant of arrival `k`, which must be below the count.
    pub(super) fn at(&mut self, scatter: &Scatter, curve: &Curve, k: u64) -> At {
        if !self.way.last().is_some_and(|leaf| leaf.holds(k)) {
            let Some(part) = scatter.part(k) else { return curve.end() };
            while self.way.last().is_some_and(|stretch| !stretch.holds(k)) {
                self.way.pop();
            }
            let mut here = self.way.last().copied().unwrap_or_else(|| {
                let root = part.root();
                self.way.push(root);
                root
            });
            while !here.is_leaf() {
                here = part.half(&here, k);
                self.way.push(here);
            }
            part.fill(&here, curve, &mut self.instants);
        }
        let first = self.way.last().map_or(0, |leaf| leaf.first);
        let within = usize::try_from(k.saturating_sub(first)).unwrap_or(usize::MAX);
        self.instants.get(within).copied().unwrap_or_else(|| curve.end())
    }
}
