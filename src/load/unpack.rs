//! Answers that came compressed: made plain after their last byte was read, outside of their time.

use std::fmt;
use std::io::{self, Read};

use flate2::bufread::{MultiGzDecoder, ZlibDecoder};
use http::header;

use super::build::LONGEST_BODY;
use super::visit::{SPARE_BUFFER, Visit};
use crate::record::Unpacked;
use crate::wire::{Answer, Headers};

/// What is asked for: what [`unpack`] can make plain.
pub(super) const ACCEPTED: &str = "gzip, br, zstd";
/// No answer is made longer than this: a small one may come to anything.
const LONGEST: usize = 4 * LONGEST_BODY;
/// As many codings as one answer may have.
const MOST_CODINGS: usize = 4;

/// Why an answer could not be made plain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Packed {
    Unknown(String),
    Broken {
        coding: String,
        why: String,
    },
    /// It was not read whole.
    Cut,
    TooLong,
}

impl fmt::Display for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Packed::Unknown(coding) => write!(f, "it is compressed with `{coding}`, which was not asked for"),
            Packed::Broken { coding, why } => write!(f, "it is no sound {coding}: {why}"),
            Packed::Cut => write!(f, "it is longer than the {LONGEST_BODY} bytes that are decompressed"),
            Packed::TooLong => write!(f, "it comes to more than {LONGEST} bytes once decompressed"),
        }
    }
}

impl Visit<'_> {
    /// Makes an answer plain, in its buffer; one that cannot be made so stays as it came.
    pub(super) fn unpack(&mut self, mut answer: Answer) -> (Answer, Result<(), Packed>) {
        let codings = codings(answer.head.headers(&self.values.buffer));
        if codings.is_empty() || answer.length == 0 {
            return (answer, Ok(()));
        }
        if answer.length > answer.body.len() as u64 {
            return (answer, Err(Packed::Cut));
        }
        let begun = self.worker.now();
        let mut out = std::mem::take(&mut self.values.unpacked);
        out.clear();
        let body = self.values.buffer.get(answer.body.clone()).unwrap_or_default();
        let packed = body.len() as u64;
        let made = unpack(&codings, body, &mut out);
        if made.is_ok() {
            let from = self.values.buffer.len();
            self.values.buffer.extend_from_slice(&out);
            answer.body = from..self.values.buffer.len();
            answer.length = out.len() as u64;
        }
        let (plain, took) = (out.len() as u64, self.worker.now().since(begun));
        self.worker.books().health.unpacked.add(&Unpacked { answers: 1, packed, plain, took });
        if out.capacity() <= SPARE_BUFFER {
            self.values.unpacked = out;
        }
        (answer, made)
    }
}

/// The codings of an answer, the last one that was put on it first; none: it came plain.
pub(super) fn codings(headers: Headers<'_>) -> Vec<String> {
    let values =
        headers.all(&header::CONTENT_ENCODING).map(|value| String::from_utf8_lossy(value).to_ascii_lowercase());
    let mut all: Vec<String> = values
        .flat_map(|value| value.split(',').map(|coding| coding.trim().to_owned()).collect::<Vec<_>>())
        .filter(|coding| !coding.is_empty() && coding != "identity")
        .collect();
    all.reverse();
    all
}

/// Makes `body` plain into `out`.
pub(super) fn unpack(codings: &[String], body: &[u8], out: &mut Vec<u8>) -> Result<(), Packed> {
    if codings.len() > MOST_CODINGS {
        return Err(Packed::Unknown(codings.join(", ")));
    }
    let mut packed = Vec::new();
    for (index, coding) in codings.iter().enumerate() {
        if index > 0 {
            std::mem::swap(&mut packed, out);
        }
        let body = if index == 0 { body } else { &packed };
        out.clear();
        let read = match coding.as_str() {
            "gzip" | "x-gzip" => read(MultiGzDecoder::new(body), out),
            "deflate" => read(ZlibDecoder::new(body), out),
            "br" => read(brotli_decompressor::Decompressor::new(body, 4096), out),
            "zstd" => ruzstd::decoding::StreamingDecoder::new(body)
                .map_err(io::Error::other)
                .and_then(|decoder| read(decoder, out)),
            unknown => return Err(Packed::Unknown(unknown.to_owned())),
        };
        match read {
            Ok(true) => {}
            Ok(false) => return Err(Packed::TooLong),
            Err(error) => {
                let why = match error.kind() {
                    io::ErrorKind::UnexpectedEof => "it ends before its end".to_owned(),
                    _ => error.to_string(),
                };
                return Err(Packed::Broken { coding: coding.clone(), why });
            }
        }
    }
    Ok(())
}

/// False: it is too long.
fn read(from: impl Read, out: &mut Vec<u8>) -> io::Result<bool> {
    from.take(LONGEST as u64 + 1).read_to_end(out)?;
    Ok(out.len() <= LONGEST)
}
