//! Logs of requests: Common and Combined Log Format, lines of JSON, HAR. What was asked, when, and by whom; and every part
//! of the text that could not be read, with its place.
//!
//! Leaves to others: which of it is sent again, and when (`plan`).

mod har;
mod json;
mod line;
mod pattern;
mod time;

use serde::{Deserialize, Serialize};

pub use pattern::{fits, guess};
pub use time::rfc3339;

/// How a log is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `host ident user [time] "request" status bytes`
    Common,
    /// The same, with referer and agent.
    Combined,
    /// A map on each line.
    Json(Fields),
    /// What browsers save.
    Har,
}

/// The fields of a line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fields {
    /// RFC 3339, or a number since 1970.
    pub time: String,
    pub method: String,
    pub path: String,
    pub session: String,
    pub status: String,
}

/// One request of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Nanoseconds since 1970.
    pub at: u64,
    pub method: String,
    /// Path and query, fit to be sent.
    pub target: String,
    /// Client address and user, or page; what belongs to one of these stays in its order.
    pub session: String,
    pub status: Option<u16>,
}

/// A stretch of the text (bytes) that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub from: usize,
    pub to: usize,
    pub message: String,
}

/// The requests of a log in the order of their times, and what could not be read. Lines that hold no request are left out.
/// Where all times are whole seconds, the requests of a second are spread evenly over it, in the log's order.
pub fn read(text: &str, format: &Format) -> (Vec<Entry>, Vec<Mistake>) {
    let (mut entries, mistakes) = match format {
        Format::Common => lines(text, |line| line::read(line, false)),
        Format::Combined => lines(text, |line| line::read(line, true)),
        Format::Json(fields) => lines(text, |line| json::read(line, fields)),
        Format::Har => har::read(text),
    };
    entries.sort_by_key(|entry| entry.at);
    const SECOND: u64 = 1_000_000_000;
    if entries.iter().all(|entry| entry.at % SECOND == 0) {
        for second in entries.chunk_by_mut(|a, b| a.at == b.at) {
            let count = second.len() as u64;
            (0..).zip(second).for_each(|(nth, entry)| entry.at += SECOND * nth / count);
        }
    }
    (entries, mistakes)
}

/// What is wrong with a line: where in it, and why.
type Wrong = (std::ops::Range<usize>, String);

fn lines(text: &str, read: impl Fn(&str) -> Result<Option<Entry>, Wrong>) -> (Vec<Entry>, Vec<Mistake>) {
    let (mut entries, mut mistakes) = (Vec::new(), Vec::new());
    let mut from = 0;
    for whole in text.split_inclusive('\n') {
        let line = whole.trim_end_matches(['\n', '\r']);
        if !line.trim().is_empty() {
            match read(line) {
                Ok(entry) => entries.extend(entry),
                Err((part, message)) => {
                    mistakes.push(Mistake { from: from + part.start, to: from + part.end, message });
                }
            }
        }
        from += whole.len();
    }
    (entries, mistakes)
}

/// Path and query of what a log names as asked for: a path, or a whole URL. None where it is neither.
fn target(text: &str) -> Option<String> {
    let path = match text.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '?']) => rest.find(['/', '?']).map_or("", |at| &rest[at..]),
        _ if text.starts_with('/') => text,
        _ => return None,
    };
    let path = path.split('#').next().unwrap_or_default();
    let mut target = String::with_capacity(path.len() + 1);
    if !path.starts_with('/') {
        target.push('/');
    }
    for byte in path.bytes() {
        match byte {
            b'!'..=b'~' => target.push(char::from(byte)),
            other => target.push_str(&format!("%{other:02X}")),
        }
    }
    Some(target)
}

#[cfg(test)]
mod tests;
