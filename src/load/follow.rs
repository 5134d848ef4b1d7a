//! Redirects that a step follows: one request all the same, timed from the first of them to the last answer.

use std::fmt;

use bytes::Bytes;
use http::header;

use super::books::Outcome;
use super::cookies::Whom;
use super::exchange::{Tried, Why};
use super::program::Ask;
use super::transcript::Ended;
use super::visit::Visit;
use crate::base::units::{At, Span};
use crate::plan::{EndpointId, Tls};
use crate::record::BadKind;
use crate::wire::{Origin, Outgoing, WireError};

/// Hosts that are no endpoint, and that a worker remembers.
const MOST_ELSEWHERE: usize = 64;

/// Why a redirect was not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Astray {
    /// Without a `Location`, or with one that is none.
    Nowhere(String),
    /// To what was asked before.
    Circle(String),
    TooMany(u32),
}

impl fmt::Display for Astray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Astray::Nowhere(location) if location.is_empty() => f.write_str("the redirect says no `Location`"),
            Astray::Nowhere(location) => write!(f, "the redirect leads to `{location}`, which is no http address"),
            Astray::Circle(url) => write!(f, "the redirects go in a circle: {url} was asked before"),
            Astray::TooMany(most) => write!(f, "there were more than {most} redirects"),
        }
    }
}

/// Where a request went.
#[derive(Debug, Clone)]
pub(super) struct Hop {
    place: Where,
    pub host: String,
    pub port: u16,
    pub secure: bool,
    /// Path and query.
    target: String,
}

#[derive(Debug, Clone)]
enum Where {
    Endpoint(EndpointId),
    /// A host that is no endpoint: each request to it makes a connection of its own.
    Elsewhere(Origin),
}

impl Hop {
    pub(super) fn whom(&self) -> Whom<'_> {
        let path = self.target.split('?').next().unwrap_or("/");
        Whom { host: &self.host, port: self.port, secure: self.secure, path }
    }

    fn is_of(&self, other: &Hop) -> bool {
        (self.secure, self.port) == (other.secure, other.port) && self.host.eq_ignore_ascii_case(&other.host)
    }

    /// As people write it; what is asked twice is asked in a circle.
    fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}:{}{}", self.host, self.port, self.target)
    }
}

/// Whether an answer sends its asker elsewhere (RFC 9110, 15.4).
const fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// Whether its answer is a redirect, and none that was expected.
fn redirects(tried: &Tried) -> bool {
    tried.result.is_err() && tried.answer.as_ref().is_some_and(|answer| is_redirect(answer.head.status))
}

impl Visit<'_> {
    /// One request and its answer, or that of where it was sent on to.
    pub(super) async fn reach(&mut self, ask: &Ask, limit: Span) -> Tried {
        let tried = self.once(ask, limit).await;
        match ask.follow {
            // Apart, for what only few requests need.
            Some(most) if redirects(&tried) => Box::pin(self.follow(ask, most, limit, tried)).await,
            _ => tried,
        }
    }

    async fn follow(&mut self, ask: &Ask, most: u32, limit: Span, mut tried: Tried) -> Tried {
        let (Ok(mut outgoing), Some(origin)) = (self.outgoing(ask), self.origin(ask.endpoint)) else { return tried };
        let mut at = Hop {
            host: origin.host().to_owned(),
            port: origin.port(),
            secure: origin.is_secure(),
            place: Where::Endpoint(ask.endpoint),
            target: target_of(&outgoing),
        };
        let mut seen = vec![(method_of(&outgoing).to_owned(), at.url())];
        while redirects(&tried) {
            if seen.len() > most as usize {
                return astray(tried, Astray::TooMany(most));
            }
            let next = match self.next(&at, &tried) {
                Ok(next) => next,
                Err(Lost::Astray(why)) => return astray(tried, why),
                Err(Lost::Wire(error)) => {
                    tried.result = Err((Outcome::Bad(BadKind::Redirect), error.into()));
                    return tried;
                }
            };
            self.witness(ask, tried.done, &tried, Ok(Ended::Followed));
            self.learn(ask, &tried);
            let status = tried.answer.as_ref().map_or(0, |answer| answer.head.status);
            outgoing = self.sent_on(&outgoing, status, &at, &next);
            at = next;
            let asked = (method_of(&outgoing).to_owned(), at.url());
            if seen.contains(&asked) {
                return astray(tried, Astray::Circle(asked.1));
            }
            seen.push(asked);
            let first = tried.sent;
            tried = Tried { sent: None, done: At::START, result: Ok(()), answer: None, shown: None, ..tried };
            match at.place.clone() {
                Where::Endpoint(endpoint) => self.send(ask, endpoint, &outgoing, limit, &mut tried).await,
                Where::Elsewhere(origin) => self.send_elsewhere(ask, &origin, &outgoing, limit, &mut tried).await,
            }
            tried.sent = first.or(tried.sent);
            tried.hop = Some(Box::new(at.clone()));
        }
        tried
    }

    fn origin(&self, endpoint: EndpointId) -> Option<&Origin> {
        self.worker.places.get(endpoint.index()).map(|place| &place.origin)
    }

    /// Where an answer sends its asker.
    fn next(&self, at: &Hop, tried: &Tried) -> Result<Hop, Lost> {
        let answer = tried.answer.as_ref();
        let value = answer.and_then(|answer| answer.head.headers(&self.values.buffer).get(&header::LOCATION));
        let location = value.map(located).unwrap_or_default();
        let nowhere = || Lost::Astray(Astray::Nowhere(location.clone()));
        let (origin, target) = resolve(at, &location).ok_or_else(nowhere)?;
        let Some((secure, authority)) = origin else { return Ok(Hop { target, ..at.clone() }) };
        let known = |origin: &Origin| {
            let (host, port) = split(&authority, secure);
            let same = origin.is_secure() == secure && origin.port() == port;
            same && !origin.is_local() && origin.host().eq_ignore_ascii_case(host)
        };
        let endpoint = self.worker.places.iter().position(|place| known(&place.origin));
        let (place, origin) = match endpoint {
            Some(index) => (Where::Endpoint(EndpointId::at(index)), self.worker.places[index].origin.clone()),
            None => {
                let url = format!("{}://{authority}", if secure { "https" } else { "http" });
                let origin = self.elsewhere(url)?;
                (Where::Elsewhere(origin.clone()), origin)
            }
        };
        Ok(Hop { place, host: origin.host().to_owned(), port: origin.port(), secure, target })
    }

    /// A host that is no endpoint, made ready once.
    fn elsewhere(&self, url: String) -> Result<Origin, Lost> {
        let mut known = self.worker.elsewhere.borrow_mut();
        if let Some(origin) = known.get(&url) {
            return Ok(origin.clone());
        }
        let origin = self.worker.door.origin(&url, &Tls::default()).map_err(Lost::Wire)?;
        if known.len() >= MOST_ELSEWHERE {
            known.clear();
        }
        known.insert(url, origin.clone());
        Ok(origin)
    }

    /// The request that follows a redirect (RFC 9110, 15.4): without a body where the method changes, and without what is
    /// for the first host alone where it goes to another.
    fn sent_on(&self, before: &Outgoing, status: u16, from: &Hop, to: &Hop) -> Outgoing {
        let method = method_of(before);
        let gets = status == 303 && method != "HEAD" || matches!(status, 301 | 302) && method == "POST";
        let stays = to.is_of(from);
        let authority = match &to.place {
            Where::Endpoint(endpoint) => self.origin(*endpoint).map(|origin| origin.authority().clone()),
            Where::Elsewhere(origin) => Some(origin.authority().clone()),
        };
        let mut text = format!("{} {} HTTP/1.1\r\n", if gets { "GET" } else { method }, to.target).into_bytes();
        for line in before.head().split_inclusive(|byte| *byte == b'\n').skip(1).filter(|line| line.len() > 2) {
            let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
            let is = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
            if is(&["host"]) {
                text.extend_from_slice(b"host: ");
                text.extend_from_slice(authority.as_ref().map_or(&[][..], |authority| authority.as_bytes()));
                text.extend_from_slice(b"\r\n");
            } else if gets && is(&["content-length", "content-type", "content-encoding"])
                || is(&["cookie"]) && (self.program.cookies || !stays)
                || !stays && is(&["authorization", "proxy-authorization"])
            {
                continue;
            } else {
                text.extend_from_slice(line);
            }
        }
        let cookie = self.values.jar.header(to.whom(), self.worker.wall()).filter(|_| self.program.cookies);
        if let Some(cookie) = cookie {
            text.extend_from_slice(format!("cookie: {cookie}\r\n").as_bytes());
        }
        text.extend_from_slice(b"\r\n");
        let head = text.len();
        if !gets {
            text.extend_from_slice(before.body());
        }
        Outgoing::new(Bytes::from(text), head)
    }
}

/// Why there is no next hop.
enum Lost {
    Astray(Astray),
    Wire(WireError),
}

fn astray(mut tried: Tried, why: Astray) -> Tried {
    tried.result = Err((Outcome::Bad(BadKind::Redirect), Why::Astray(why)));
    tried
}

fn method_of(outgoing: &Outgoing) -> &str {
    let line = outgoing.head().split(|byte| *byte == b' ').next().unwrap_or_default();
    std::str::from_utf8(line).unwrap_or("GET")
}

fn target_of(outgoing: &Outgoing) -> String {
    let target = outgoing.head().split(|byte| *byte == b' ').nth(1).unwrap_or(b"/");
    String::from_utf8_lossy(target).into_owned()
}

/// A `Location` as it may stand in a request: what follows `#` is not sent, and what no address may hold is written in %.
fn located(value: &[u8]) -> String {
    let mut text = String::new();
    for &byte in value.trim_ascii().iter().take_while(|byte| **byte != b'#') {
        match byte {
            b' ' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | 0..=0x1f | 0x7f.. => {
                text.push_str(&format!("%{byte:02X}"));
            }
            _ => text.push(char::from(byte)),
        }
    }
    text
}

/// Scheme and authority, where they are others than before, and path with query (RFC 3986, 5.2).
fn resolve(at: &Hop, location: &str) -> Option<(Option<(bool, String)>, String)> {
    if location.is_empty() {
        return None;
    }
    let colon = location.find([':', '/', '?']).filter(|at| location[*at..].starts_with(':'));
    let (secure, rest) = match colon {
        Some(colon) => {
            let secure = match location[..colon].to_ascii_lowercase().as_str() {
                "http" => false,
                "https" => true,
                _ => return None,
            };
            (secure, &location[colon + 1..])
        }
        None => (at.secure, location),
    };
    if let Some(rest) = rest.strip_prefix("//") {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if authority.is_empty() || authority.contains('@') {
            return None;
        }
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        return Some((Some((secure, authority.to_owned())), without_dots(&target)));
    }
    if colon.is_some() {
        return None;
    }
    let path = at.target.split('?').next().unwrap_or("/");
    let target = if rest.starts_with('/') {
        rest.to_owned()
    } else if rest.starts_with('?') {
        format!("{path}{rest}")
    } else {
        let folder = path.rfind('/').map_or("/", |slash| &path[..=slash]);
        format!("{folder}{rest}")
    };
    Some((None, without_dots(&target)))
}

/// Host and port of an authority.
fn split(authority: &str, secure: bool) -> (&str, u16) {
    let usual = if secure { 443 } else { 80 };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().unwrap_or(usual)),
        _ => (authority, usual),
    };
    (host.trim_start_matches('[').trim_end_matches(']'), port)
}

/// A path without `.` and `..` (RFC 3986, 5.2.4).
fn without_dots(target: &str) -> String {
    let (path, query) = target.find('?').map_or((target, ""), |at| target.split_at(at));
    let mut kept: Vec<&str> = Vec::new();
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match part {
            "." | ".." => {
                if part == ".." {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            part => kept.push(part),
        }
    }
    format!("/{}{query}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 3986, 5.4, as far as they are of http.
    #[test]
    fn a_location_is_resolved_against_where_it_came_from() {
        let at = Hop {
            place: Where::Endpoint(EndpointId(0)),
            host: "a".to_owned(),
            port: 80,
            secure: false,
            target: "/b/c/d;p?q".to_owned(),
        };
        let found = |location: &str| {
            let (origin, target) = resolve(&at, &located(location.as_bytes()))?;
            let origin = origin.map(|(secure, authority)| format!("{}{authority}", if secure { "s:" } else { "" }));
            Some(format!("{}{target}", origin.unwrap_or_default()))
        };
        for (location, wanted) in [
            ("g", "/b/c/g"),
            ("./g", "/b/c/g"),
            ("g/", "/b/c/g/"),
            ("/g", "/g"),
            ("//g", "g/"),
            ("?y", "/b/c/d;p?y"),
            ("g?y", "/b/c/g?y"),
            ("g?y/./x", "/b/c/g?y/./x"),
            ("g#s", "/b/c/g"),
            (";x", "/b/c/;x"),
            (".", "/b/c/"),
            ("..", "/b/"),
            ("../g", "/b/g"),
            ("../..", "/"),
            ("../../../g", "/g"),
            ("/./g", "/g"),
            ("g.", "/b/c/g."),
            ("..g", "/b/c/..g"),
            ("./g/.", "/b/c/g/"),
            ("g;x=1/../y", "/b/c/y"),
            ("http://h:81/x?y", "h:81/x?y"),
            ("HTTPS://h", "s:h/"),
            ("http://h?q", "h/?q"),
            ("/a b/ü", "/a%20b/%C3%BC"),
            ("/x:y", "/x:y"),
        ] {
            assert_eq!(found(location).as_deref(), Some(wanted), "{location}");
        }
        for nowhere in ["", "#top", "ftp://h/", "mailto:x@y", "http://u:p@h/", "http:///x", "http:x"] {
            assert_eq!(found(nowhere), None, "{nowhere}");
        }
        assert_eq!(split("[::1]:8080", false), ("::1", 8080));
        assert_eq!((split("[::1]", true), split("h", false)), (("::1", 443), ("h", 80)));
    }
}
