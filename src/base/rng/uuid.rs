use std::fmt;

use super::Stream;

/// A UUID of version 4 (RFC 9562): 122 drawn bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Uuid([u8; 16]);

impl Uuid {
    pub fn draw(stream: &mut Stream) -> Uuid {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&stream.word().to_be_bytes());
        bytes[8..].copy_from_slice(&stream.word().to_be_bytes());
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Uuid(bytes)
    }

    /// `xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx` in ASCII, without an allocation.
    pub fn text(self) -> [u8; 36] {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'-'; 36];
        let mut at = 0;
        for (index, byte) in self.0.into_iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                at += 1;
            }
            text[at] = HEX[usize::from(byte >> 4)];
            text[at + 1] = HEX[usize::from(byte & 0xf)];
            at += 2;
        }
        text
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        f.pad(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// A run's id as a word to be mixed into the seed where each run must draw anew (FNV-1a, finished by SplitMix's mixer).
pub fn run_word(run: &str) -> u64 {
    let hash = run
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Key, Purpose};

    #[test]
    fn is_of_version_4_and_the_same_for_ever() {
        let uuid = Uuid::draw(&mut Key::new(618, 0, 3).stream(Purpose::Template(0), 0)).to_string();
        insta::assert_snapshot!(uuid, @"97af105f-a3d4-49e9-94f3-7c5356006cec");
        assert_eq!(uuid.len(), 36);
        assert_eq!(uuid.as_bytes()[14], b'4');
        assert!(matches!(uuid.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
        assert_eq!(uuid.matches('-').count(), 4);
    }

    #[test]
    fn runs_tell_apart() {
        assert_ne!(run_word("20261123-101500-a1b2"), run_word("20261123-101500-a1b3"));
        insta::assert_snapshot!(run_word("20261123-101500-a1b2"), @"12802248097181653864");
    }
}
