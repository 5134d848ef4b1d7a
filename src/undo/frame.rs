//! One line for each entry: eight hex digits of CRC-32 over what follows, a space, JSON. A line that was torn by a
//! crash or a full disk does not match its sum and counts for nothing; the next entry begins a line of its own.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The line, with its end.
pub(super) fn encode(entry: &impl Serialize) -> String {
    let json = serde_json::to_string(entry).expect("entries are plain data with names as keys");
    format!("{:08x} {json}\n", crc32(json.as_bytes()))
}

/// All whole entries, and how many lines were none.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> (Vec<T>, usize) {
    let mut entries = Vec::new();
    let mut torn = 0;
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = &rest[..end];
        rest = &rest[end + 1..];
        match decode_line(line) {
            Some(entry) => entries.push(entry),
            None => torn += usize::from(!line.is_empty()),
        }
    }
    // Torn of its end of line alone, the last one is whole.
    match decode_line(rest) {
        Some(entry) => entries.push(entry),
        None => torn += usize::from(!rest.is_empty()),
    }
    (entries, torn)
}

fn decode_line<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    let sum = u32::from_str_radix(std::str::from_utf8(line.get(..8)?).ok()?, 16).ok()?;
    let json = line.get(8..)?.strip_prefix(b" ")?;
    (crc32(json) == sum).then(|| serde_json::from_slice(json).ok())?
}

/// CRC-32 as in ISO 3309 (reflected, polynomial 0xEDB88320). A journal has some dozens of lines: no table is worth it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes
        .iter()
        .fold(!0u32, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_sum_is_the_standard_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    proptest! {
        #[test]
        fn torn_anywhere_and_written_on_the_whole_entries_are_read(
            entries in prop::collection::vec(".*", 1..6), after in ".*", cut in any::<prop::sample::Index>()
        ) {
            let lines: Vec<String> = entries.iter().map(encode).collect();
            let whole = lines.concat();
            let cut = cut.index(whole.len() + 1);
            let mut complete = 0;
            let mut end = 0;
            for line in &lines {
                end += line.len();
                complete += usize::from(end - 1 <= cut);
            }
            let mut torn = whole.as_bytes()[..cut].to_vec();
            let (read, _) = decode::<String>(&torn);
            prop_assert_eq!(&read, &entries[..complete]);

            if !torn.is_empty() && !torn.ends_with(b"\n") {
                torn.push(b'\n');
            }
            torn.extend(encode(&after).bytes());
            let (read, _) = decode::<String>(&torn);
            prop_assert_eq!(&read[..complete], &entries[..complete]);
            prop_assert_eq!(&read[complete..], [after]);
        }

        #[test]
        fn a_changed_byte_never_passes(entry in "[a-z]{1,40}", at in any::<prop::sample::Index>(), bit in 0u32..8) {
            let mut line = encode(&entry).into_bytes();
            let at = at.index(line.len() - 1);
            line[at] ^= 1 << bit;
            let (read, _) = decode::<String>(&line);
            // Upper and lower case hex digits are the same sum.
            prop_assert!(read.is_empty() || read == [entry]);
        }
    }
}
