//! Common and Combined Log Format.

use super::{Entry, Wrong, target, time};

/// The words of a line: bare, in brackets or in quotes.
struct Words<'l> {
    line: &'l str,
    at: usize,
}

impl<'l> Words<'l> {
    fn next(&mut self, what: &str) -> Result<(std::ops::Range<usize>, &'l str), Wrong> {
        let rest = &self.line[self.at..];
        let skipped = rest.len() - rest.trim_start().len();
        let from = self.at + skipped;
        let rest = &rest[skipped..];
        let missing = |why: &str| (from..self.line.len().max(from), format!("{what} {why}"));
        let (inner, end) = match rest.as_bytes().first() {
            None => return Err(missing("is missing at the end of this line")),
            Some(b'[') => (1, rest.find(']').ok_or_else(|| missing("has no closing bracket"))?),
            Some(b'"') => (1, closing(rest).ok_or_else(|| missing("has no closing quote"))?),
            Some(_) => (0, rest.find(' ').unwrap_or(rest.len())),
        };
        self.at = from + end + inner;
        Ok((from + inner..from + end, &rest[inner..end]))
    }
}

/// The quote that ends what the first one begins.
fn closing(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().enumerate().skip(1).find_map(|(at, byte)| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends.then_some(at)
    })
}

/// One line; none where its client sent no request.
pub(super) fn read(line: &str, combined: bool) -> Result<Option<Entry>, Wrong> {
    let mut words = Words { line, at: 0 };
    let (_, host) = words.next("the client's address")?;
    words.next("the identity")?;
    let (_, user) = words.next("the user")?;
    let (place, stamp) = words.next("the time")?;
    let at = time::common(stamp)
        .ok_or_else(|| (place, format!("`{stamp}` is no time such as [10/Oct/2000:13:55:36 -0700]")))?;
    let (place, request) = words.next("the request")?;
    let (status_place, status) = words.next("the status")?;
    let status: u16 = status.parse().map_err(|_| (status_place, format!("`{status}` is no status")))?;
    words.next("the size")?;
    if combined {
        words.next("the referer")?;
        words.next("the agent")?;
    } else if !line[words.at..].trim().is_empty() {
        let message = "this line goes on after the size: is it `format: combined`?".to_owned();
        return Err((words.at + 1..line.len(), message));
    }
    if matches!(request, "-" | "") {
        return Ok(None);
    }
    let mut parts = request.split(' ');
    let (method, asked) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    let target = target(asked).filter(|_| is_method && parts.clone().count() <= 1);
    match target {
        Some(target) => {
            let (method, session) = (method.to_owned(), format!("{host} {user}"));
            Ok(Some(Entry { at, method, target, session, status: Some(status) }))
        }
        None if method == "OPTIONS" && asked == "*" => Ok(None),
        None => Err((place, format!("`{request}` is no request such as \"GET /path HTTP/1.1\""))),
    }
}
