use super::philox;

/// A keyed permutation of 0..n: each row once, in an order that looks random, without a table. A balanced Feistel network
/// over the next even power of two, walked along its cycle until it lands inside (Black, Rogaway 2002); at most four steps on
/// average.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permutation {
    n: u64,
    key: [u64; 2],
    half: u32,
}

const ROUNDS: u64 = 8;

impl Permutation {
    /// A permutation of 0..n; `which` tells those of one seed apart (a feed's id).
    pub fn new(n: u64, seed: u64, which: u32) -> Permutation {
        let bits = u64::BITS - n.saturating_sub(1).leading_zeros();
        Permutation { n, key: [seed, (9 << 32) | u64::from(which)], half: bits.div_ceil(2).max(1) }
    }

    /// How many rows there are.
    pub const fn rows(&self) -> u64 {
        self.n
    }

    /// Where `index` goes; none when it is n or more.
    pub fn at(&self, index: u64) -> Option<u64> {
        if index >= self.n {
            return None;
        }
        let mut place = self.once(index);
        while place >= self.n {
            place = self.once(place);
        }
        Some(place)
    }

    fn once(&self, index: u64) -> u64 {
        let mask = (1u64 << self.half) - 1;
        let (mut left, mut right) = (index >> self.half, index & mask);
        for round in 0..ROUNDS {
            let [word, ..] = philox::block([round, right, self.n, 0], self.key);
            (left, right) = (right, left ^ (word & mask));
        }
        (left << self.half) | right
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_same_seed_shuffles_alike_for_ever() {
        let shuffle = Permutation::new(10, 618, 0);
        insta::assert_compact_debug_snapshot!((0..10).filter_map(|i| shuffle.at(i)).collect::<Vec<_>>(), @"[6, 4, 9, 1, 7, 0, 3, 8, 5, 2]");
        let large = Permutation::new(1_000_000, 618, 1);
        insta::assert_compact_debug_snapshot!((0..6).filter_map(|i| large.at(i)).collect::<Vec<_>>(), @"[813708, 189296, 867565, 864015, 38131, 350461]");
    }

    #[test]
    fn the_ends_hold() {
        assert_eq!(Permutation::new(0, 1, 0).at(0), None);
        assert_eq!(Permutation::new(1, 1, 0).at(0), Some(0));
        let vast = Permutation::new(u64::MAX, 1, 0);
        assert!(vast.at(u64::MAX - 1).is_some());
        assert_eq!(vast.at(u64::MAX), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn it_is_a_bijection(n in 1u64..600, seed in any::<u64>(), which in any::<u32>()) {
            let shuffle = Permutation::new(n, seed, which);
            let mut seen = vec![false; n as usize];
            for index in 0..n {
                let place = shuffle.at(index).unwrap() as usize;
                prop_assert!(!seen[place]);
                seen[place] = true;
            }
        }
    }

    #[test]
    fn neighbours_are_scattered() {
        let shuffle = Permutation::new(10_000, 3, 0);
        let kept = (0..9_999).filter(|i| shuffle.at(i + 1).unwrap().abs_diff(shuffle.at(*i).unwrap()) == 1).count();
        // Two of ten thousand by chance.
        assert!(kept < 12, "{kept} neighbours stayed together");
    }
}
