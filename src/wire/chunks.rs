/// Takes the framing out of a chunked body (RFC 9112, 7.1), piece by piece. As strict as hyper, whatever the pieces: who
/// reads a line end where another reads none can be made to take one answer for two.
#[derive(Debug, Default)]
pub struct Chunks {
    state: State,
    /// Bytes of extensions so far.
    extensions: usize,
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
pub enum Piece {
    /// Framing of so many bytes.
    Skip(usize),
    Data(usize),
    /// The body's end.
    Done,
    /// More bytes are needed.
    More,
    Wrong,
}

/// No honest size line, no honest extensions of one body and no honest trailers are longer.
const LONGEST: usize = 16 * 1024;
const MOST_TRAILERS: usize = 100;

impl Chunks {
    pub fn next(&mut self, bytes: &[u8]) -> Piece {
        match self.state {
            State::Size => self.size(bytes),
            State::Data(left) => {
                let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                if here == 0 {
                    return Piece::More;
                }
                let left = left - here as u64;
                self.state = if left == 0 { State::After } else { State::Data(left) };
                Piece::Data(here)
            }
            State::After => self.line_end(bytes, 0, State::Size),
            State::Trailers => self.trailers(bytes),
            State::Done => Piece::Done,
        }
    }

    /// A size line: hexadecimal digits, perhaps blanks, and extensions that nobody needs.
    fn size(&mut self, bytes: &[u8]) -> Piece {
        let digits = count(bytes, u8::is_ascii_hexdigit);
        let end = digits + count(&bytes[digits..], |byte| matches!(byte, b' ' | b'\t'));
        if end > LONGEST || (digits == 0 && !bytes.is_empty()) {
            return Piece::Wrong;
        }
        let zeros = count(&bytes[..digits], |byte| *byte == b'0');
        let size = match std::str::from_utf8(&bytes[zeros..digits]) {
            Ok("") => 0,
            Ok(digits) => match u64::from_str_radix(digits, 16) {
                Ok(size) => size,
                Err(_) => return Piece::Wrong,
            },
            Err(_) => return Piece::Wrong,
        };
        let next = if size == 0 { State::Trailers } else { State::Data(size) };
        let Some(rest) = bytes.get(end + 1..).filter(|_| bytes[end] == b';') else {
            return self.line_end(bytes, end, next);
        };
        let extension = count(rest, |byte| !matches!(byte, b'\r' | b'\n'));
        if self.extensions + extension >= LONGEST {
            return Piece::Wrong;
        }
        let ended = self.line_end(bytes, end + 1 + extension, next);
        if let Piece::Skip(_) = ended {
            self.extensions += extension;
        }
        ended
    }

    /// The line end that must be at `at`.
    fn line_end(&mut self, bytes: &[u8], at: usize, next: State) -> Piece {
        match &bytes[at..] {
            [b'\r', b'\n', ..] => {
                self.state = next;
                Piece::Skip(at + 2)
            }
            [] | [b'\r'] => Piece::More,
            _ => Piece::Wrong,
        }
    }

    /// Header lines that nobody needs, and an empty one.
    fn trailers(&mut self, bytes: &[u8]) -> Piece {
        let (mut at, mut lines) = (0, 0);
        loop {
            match self.line_end(bytes, at, State::Done) {
                Piece::Wrong => {}
                Piece::More if at + 1 < LONGEST => return Piece::More,
                Piece::Skip(end) if lines == 0 || end < LONGEST && are_headers(&bytes[..end], lines) => {
                    return Piece::Skip(end);
                }
                _ => return Piece::Wrong,
            }
            at += count(&bytes[at..], |byte| *byte != b'\r');
            lines += 1;
            match &bytes[at..] {
                _ if at + 2 >= LONGEST || lines > MOST_TRAILERS => return Piece::Wrong,
                [b'\r', b'\n', ..] => at += 2,
                [] | [b'\r'] => return Piece::More,
                _ => return Piece::Wrong,
            }
        }
    }
}

fn are_headers(bytes: &[u8], lines: usize) -> bool {
    let mut headers = [httparse::EMPTY_HEADER; MOST_TRAILERS];
    matches!(httparse::parse_headers(bytes, &mut headers[..lines]), Ok(httparse::Status::Complete(_)))
}

fn count(bytes: &[u8], of: impl Fn(&u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| of(byte)).count()
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
        for wrong in [
            &b"zz"[..],
            b"\r\n",
            b" 4\r\nWiki\r\n0\r\n\r\n",
            b"4 4\r\nWiki\r\n0\r\n\r\n",
            b"4\nWiki\r\n0\r\n\r\n",
            b"4\r\nWiki\n0\r\n\r\n",
            b"4;a\nb\r\nWiki\r\n0\r\n\r\n",
            b"+4\r\nWiki\r\n0\r\n\r\n",
            b"0x4\r\nWiki\r\n0\r\n\r\n",
            b"0\r\nno header\r\n\r\n",
            b"0\r\na: b\nc: d\r\n\r\n",
            b"2\r\nabc\r\n",
            b"-1\r\n",
            b"ffffffffffffffffff\r\n",
            b"4\r\nab",
        ] {
            assert!(decode(wrong, 1).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn lines_have_an_end_whatever_the_pieces() {
        let long = "x".repeat(LONGEST);
        let part = "x".repeat(LONGEST / 2);
        let zeros = "0".repeat(LONGEST);
        let trailer = "a: b\r\n".repeat(MOST_TRAILERS);
        for (text, good) in [
            (format!("1;{part}\r\na\r\n0\r\n\r\n"), true),
            (format!("1;{part}\r\na\r\n1;{part}\r\nb\r\n0\r\n\r\n"), false),
            (format!("1;{long}\r\na\r\n0\r\n\r\n"), false),
            (format!("{zeros}1\r\na\r\n0\r\n\r\n"), false),
            (format!("1{}\r\na\r\n0\r\n\r\n", " ".repeat(LONGEST)), false),
            (format!("0\r\na: {part}\r\n\r\n"), true),
            (format!("0\r\na: {long}\r\n\r\n"), false),
            (format!("0\r\n{trailer}\r\n"), true),
            (format!("0\r\n{trailer}a: b\r\n\r\n"), false),
        ] {
            for step in [7, usize::MAX / 2] {
                assert_eq!(decode(text.as_bytes(), step).is_ok(), good, "{:.20} {step}", text);
            }
        }
        // Nobody waits for the end of a line that is too long already.
        for begun in [format!("1;{long}"), zeros + "00", format!("0\r\na: {long}")] {
            let mut chunks = Chunks::default();
            let mut at = 0;
            while let Piece::Skip(size) = chunks.next(&begun.as_bytes()[at..]) {
                at += size;
            }
            assert_eq!(chunks.next(&begun.as_bytes()[at..]), Piece::Wrong, "{begun:.10}");
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
