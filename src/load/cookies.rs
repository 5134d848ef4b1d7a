//! A visit's cookie jar: the part of RFC 6265 that one client of a few hosts needs. A cookie belongs to the host that
//! set it, whatever `Domain` says: a drill does not follow a session over hosts.

use http::header;

use crate::wire::Headers;

#[derive(Debug, Default)]
pub(super) struct Jar(Vec<Cookie>);

#[derive(Debug)]
struct Cookie {
    host: String,
    port: u16,
    name: String,
    value: String,
    path: String,
    secure: bool,
    /// In nanoseconds since 1970.
    expires: Option<u64>,
}

/// Whom a request goes to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whom<'a> {
    pub host: &'a str,
    pub port: u16,
    pub secure: bool,
    /// Without its query.
    pub path: &'a str,
}

impl Jar {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a text stands in one of the cookies.
    pub(super) fn holds(&self, text: &str) -> bool {
        self.0.iter().any(|cookie| cookie.value.contains(text))
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes in what an answer sets. `now` is in nanoseconds since 1970.
    pub(super) fn learn(&mut self, headers: Headers<'_>, whom: Whom<'_>, now: u64) {
        for value in headers.all(&header::SET_COOKIE) {
            let Ok(text) = std::str::from_utf8(value) else { continue };
            let Some(cookie) = parse(text, whom, now) else { continue };
            self.0.retain(|known| {
                !(known.host == cookie.host
                    && known.port == cookie.port
                    && known.name == cookie.name
                    && known.path == cookie.path)
            });
            if cookie.expires.is_none_or(|expires| expires > now) {
                self.0.push(cookie);
            }
        }
    }

    /// The `Cookie` header of a request, if there is anything to say. Longer paths first.
    pub(super) fn header(&self, whom: Whom<'_>, now: u64) -> Option<String> {
        let mut fit: Vec<&Cookie> = self.0.iter().filter(|cookie| cookie.fits(whom, now)).collect();
        fit.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<String> = fit.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        if pairs.is_empty() { None } else { Some(pairs.join("; ")) }
    }
}

impl Cookie {
    fn fits(&self, whom: Whom<'_>, now: u64) -> bool {
        let path = whom.path;
        let below = path.strip_prefix(self.path.as_str());
        let in_path = below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/'));
        self.host.eq_ignore_ascii_case(whom.host)
            && self.port == whom.port
            && in_path
            && (!self.secure || whom.secure)
            && self.expires.is_none_or(|expires| expires > now)
    }
}

/// The value of a cookie that an answer sets; of two under one name the later one stands.
pub(super) fn set_by<'h>(headers: Headers<'h>, name: &str) -> Option<&'h str> {
    let pairs = headers.all(&header::SET_COOKIE).filter_map(|value| {
        let text = std::str::from_utf8(value).ok()?;
        text.split(';').next()?.split_once('=')
    });
    let own = pairs.filter(|(known, _)| known.trim() == name).map(|(_, value)| value.trim());
    own.last()
}

fn parse(text: &str, whom: Whom<'_>, now: u64) -> Option<Cookie> {
    let mut parts = text.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let name = name.trim();
    if name.is_empty() || text.bytes().any(|byte| byte < b' ' && byte != b'\t' || byte == 0x7f) {
        return None;
    }
    let mut cookie = Cookie {
        host: whom.host.to_owned(),
        port: whom.port,
        name: name.to_owned(),
        value: value.trim().to_owned(),
        path: default_path(whom.path).to_owned(),
        secure: false,
        expires: None,
    };
    let mut max_age = None;
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
            "secure" => cookie.secure = true,
            "max-age" => max_age = value.parse::<i64>().ok(),
            "expires" => cookie.expires = date(value).or(cookie.expires),
            _ => {}
        }
    }
    if let Some(seconds) = max_age {
        let seconds = u64::try_from(seconds).unwrap_or(0);
        cookie.expires = Some(if seconds == 0 { 0 } else { now.saturating_add(seconds.saturating_mul(1_000_000_000)) });
    }
    Some(cookie)
}

/// RFC 6265, 5.1.4.
fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(last) => &path[..last],
    }
}

/// `Wed, 21 Oct 2026 07:28:00 GMT` (or with dashes) in nanoseconds since 1970; what lies before is 0.
fn date(text: &str) -> Option<u64> {
    let words: Vec<&str> = text.split([' ', ',', '-']).filter(|word| !word.is_empty()).collect();
    let [_, day, month, year, time, ..] = words.as_slice() else { return None };
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let month = MONTHS.iter().position(|name| month.to_ascii_lowercase().starts_with(name))? as i64 + 1;
    let day: i64 = day.parse().ok().filter(|day| (1..=31).contains(day))?;
    let year: i64 = match year.parse().ok()? {
        short @ 0..70 => short + 2000,
        short @ 70..100 => short + 1900,
        year @ 0..10_000 => year,
        _ => return None,
    };
    let mut clock = time.split(':').map(|part| part.parse::<i64>().ok().filter(|part| (0..61).contains(part)));
    let seconds = clock.next()?? * 3600 + clock.next()?? * 60 + clock.next()??;
    // Days since 1970 of a civil date, with years that begin in March (Hinnant, "chrono-Compatible Low-Level Date
    // Algorithms").
    let shifted = if month <= 2 { year - 1 } else { year };
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let days = shifted.div_euclid(400) * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(u64::try_from(days * 86_400 + seconds).unwrap_or(0).saturating_mul(1_000_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000_000_000;

    fn whom(path: &str) -> Whom<'_> {
        Whom { host: "shop.test", port: 80, secure: false, path }
    }

    fn jar(set: &[&str], path: &str) -> Jar {
        let mut jar = Jar::default();
        jar.learn(Headers::new(answer(set).as_bytes()), whom(path), NOW);
        jar
    }

    fn answer(set: &[&str]) -> String {
        let lines: String = set.iter().map(|text| format!("Set-Cookie: {text}\r\n")).collect();
        format!("HTTP/1.1 200 OK\r\n{lines}\r\n")
    }

    fn sent(jar: &Jar, whom: Whom<'_>) -> Option<String> {
        jar.header(whom, NOW)
    }

    #[test]
    fn a_cookie_comes_back_to_its_host_and_path() {
        let jar = jar(&["sid=1; Path=/; HttpOnly", "cart=2", "deep=3; path=/shop/cart"], "/shop/login");
        assert_eq!(sent(&jar, whom("/")), Some("sid=1".to_owned()));
        assert_eq!(sent(&jar, whom("/shop/x")), Some("cart=2; sid=1".to_owned()));
        assert_eq!(sent(&jar, whom("/shop/cart/9")), Some("deep=3; cart=2; sid=1".to_owned()));
        assert_eq!(sent(&jar, whom("/shopping")), Some("sid=1".to_owned()));
        assert_eq!(sent(&jar, Whom { host: "other.test", ..whom("/") }), None);
        assert_eq!(sent(&jar, Whom { port: 81, ..whom("/") }), None);
    }

    #[test]
    fn a_cookie_is_replaced_and_ends() {
        let mut jar =
            jar(&["a=1", "b=2; Max-Age=60", "c=3; Secure", "d=4; Expires=Wed, 21 Oct 2015 07:28:00 GMT"], "/");
        assert_eq!(sent(&jar, whom("/")), Some("a=1; b=2".to_owned()));
        assert_eq!(sent(&jar, Whom { secure: true, ..whom("/") }), Some("a=1; b=2; c=3".to_owned()));
        assert_eq!(jar.header(whom("/"), NOW + 61_000_000_000).unwrap(), "a=1");
        let text = answer(&["a=; Max-Age=0", "b=5", "no cookie"]);
        jar.learn(Headers::new(text.as_bytes()), whom("/"), NOW);
        assert_eq!(sent(&jar, whom("/")), Some("b=5".to_owned()));
    }

    #[test]
    fn dates_are_read() {
        assert_eq!(date("Thu, 01 Jan 1970 00:00:01 GMT"), Some(1_000_000_000));
        assert_eq!(date("Wed, 21-Oct-2026 07:28:00 GMT"), Some(1_792_567_680_000_000_000));
        assert_eq!(date("Tue, 29 Feb 2000 12:00:00 GMT"), Some(951_825_600_000_000_000));
        for bad in [
            "",
            "soon",
            "Wed, 99",
            "Wed, 21 Foo 2026 07:28:00 GMT",
            "Wed, 21 Oct 2026 7h",
            "Wed, 9223372036854775807 Oct 2026 07:28:00 GMT",
        ] {
            assert_eq!(date(bad), None, "{bad}");
        }
    }
}
