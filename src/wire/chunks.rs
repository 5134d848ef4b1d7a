/// Takes the framing out of a chunked body (RFC 9112, 7.1), piece by piece.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    state: State,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// A size line comes next.
    #[default]
    Size,
    /// So many bytes of data are still to come.
    Data(u64),
    /// The line end after a chunk's data.
    After,
    /// Trailer lines, up to an empty one.
    Trailers,
    Done,
}

/// What lies at the beginning of the bytes that were looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Framing of so many bytes.
    Skip(usize),
    Data(usize),
    /// The body's end.
    Done,
    /// More bytes are needed.
    More,
    Wrong,
}

/// No honest size line or trailer is longer.
const LONGEST_LINE: usize = 8192;

impl Chunks {
    pub(super) fn next(&mut self, bytes: &[u8]) -> Piece {
        if self.state == State::Done {
            return Piece::Done;
        }
        if let State::Data(left) = self.state {
            let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
            if here == 0 {
                return Piece::More;
            }
            let left = left - here as u64;
            self.state = if left == 0 { State::After } else { State::Data(left) };
            return Piece::Data(here);
        }
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            return if bytes.len() > LONGEST_LINE { Piece::Wrong } else { Piece::More };
        };
        let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
        self.state = match self.state {
            State::Size => match size(line) {
                Some(0) => State::Trailers,
                Some(size) => State::Data(size),
                None => return Piece::Wrong,
            },
            State::After if line.is_empty() => State::Size,
            State::After => return Piece::Wrong,
            State::Trailers if line.is_empty() => State::Done,
            other => other,
        };
        Piece::Skip(end + 1)
    }
}

/// A size line: hexadecimal digits, and extensions that nobody needs.
fn size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| *byte == b';').next()?.trim_ascii();
    let text = std::str::from_utf8(digits).ok()?;
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(bytes: &[u8], step: usize) -> Result<(Vec<u8>, usize), ()> {
        let (mut chunks, mut data, mut at, mut known) = (Chunks::default(), Vec::new(), 0, 0);
        loop {
            match chunks.next(&bytes[at..known]) {
                Piece::Skip(n) => at += n,
                Piece::Data(n) => {
                    data.extend_from_slice(&bytes[at..at + n]);
                    at += n;
                }
                Piece::Done => return Ok((data, at)),
                Piece::More if known < bytes.len() => known = (known + step).min(bytes.len()),
                Piece::More | Piece::Wrong => return Err(()),
            }
        }
    }

    #[test]
    fn framing_is_taken_out() {
        let text = b"4;ext=1\r\nWiki\r\n6\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\nX-Sum: 1\r\n\r\nrest";
        let (data, end) = decode(text, 3).unwrap();
        assert_eq!(data, b"Wikipedia in \r\n\r\nchunks.");
        assert_eq!(&text[end..], b"rest");
        for wrong in [&b"zz\r\n"[..], b"\r\n", b"2\r\nabc\r\n", b"-1\r\n", b"ffffffffffffffffff\r\n", b"4\r\nab"] {
            assert!(decode(wrong, 1).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_pieces(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6), step in 1usize..50) {
            let mut text = Vec::new();
            for chunk in &chunks {
                text.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                text.extend_from_slice(chunk);
                text.extend_from_slice(b"\r\n");
            }
            text.extend_from_slice(b"0\r\n\r\n");
            let (data, end) = decode(&text, step).unwrap();
            prop_assert_eq!(data, chunks.concat());
            prop_assert_eq!(end, text.len());
        }

        #[test]
        fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), step in 1usize..9) {
            let _ = decode(&bytes, step);
        }
    }
}
