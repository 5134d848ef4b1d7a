use std::ops::Range;

use http::HeaderName;

use super::WireError;
use crate::base::units::At;

/// A complete answer. Its text lies in the buffer that was handed to the exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub head: Head,
    /// As much of the body as was asked for.
    pub body: Range<usize>,
    /// The body's whole length.
    pub length: u64,
    /// The first byte of the request was handed to the socket.
    pub sent: At,
    /// The first byte of the answer was read.
    pub first: At,
    /// The last byte of the answer was read.
    pub done: At,
}

/// A request that did not come to the end of its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    pub error: WireError,
    /// None: not a byte of it was handed to the socket.
    pub sent: Option<At>,
    pub done: At,
    /// The head of the answer, if that had come.
    pub head: Option<Head>,
}

/// Status and headers of an answer; the text lies in the exchange's buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    /// The status line and the header lines, each with its end.
    pub text: Range<usize>,
    /// A `Set-Cookie` is among them: few have one, and whoever keeps cookies need not look for it in each.
    pub sets_cookie: bool,
}

impl Head {
    /// The headers; `buffer` is the exchange's.
    pub fn headers<'b>(&self, buffer: &'b [u8]) -> Headers<'b> {
        Headers(buffer.get(self.text.clone()).unwrap_or_default())
    }
}

/// Header lines, read where they lie.
#[derive(Debug, Clone, Copy)]
pub struct Headers<'b>(&'b [u8]);

impl<'b> Headers<'b> {
    /// A head that holds these lines; the first is the status line.
    pub fn new(text: &'b [u8]) -> Headers<'b> {
        Headers(text)
    }

    /// All names and values, in their order.
    pub fn iter(self) -> impl Iterator<Item = (&'b [u8], &'b [u8])> {
        self.0.split(|byte| *byte == b'\n').skip(1).filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            Some((&line[..colon], line[colon + 1..].trim_ascii()))
        })
    }

    /// The values under `name`, in their order.
    pub fn all(self, name: &HeaderName) -> impl Iterator<Item = &'b [u8]> {
        let name = name.as_str().as_bytes();
        self.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The first value under `name`.
    pub fn get(self, name: &HeaderName) -> Option<&'b [u8]> {
        self.all(name).next()
    }

    /// Status line and headers as they came.
    pub fn text(self) -> &'b [u8] {
        self.0
    }
}
