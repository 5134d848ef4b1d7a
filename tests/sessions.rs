//! Feeds that are made in `prepare`: sessions are logged in before the load, handed out by the rules of feeds, never written
//! anywhere, and ended afterwards; all as the other side saw it.

use std::collections::{BTreeMap, BTreeSet};

use peakdrill::base;

use crate::common::{Yard, summary};
use crate::scripted::{Scripted, Seen, answer, ok};

mod common;
#[path = "../src/wire/scripted.rs"]
mod scripted;

const ACCOUNTS: usize = 40;

/// Gives account `n` the token `tok-N-secret`, and account 17 none where `refuse` says so.
fn shop(refuse: bool) -> Scripted {
    Scripted::start(move |seen: &Seen| {
        if seen.path != "/login" {
            return match seen.header("authorization") {
                Some(_) => ok("{}"),
                None => vec![answer(401, &[], "{}")],
            };
        }
        let account: String = seen.body.chars().filter(char::is_ascii_digit).collect();
        if refuse && account == "17" {
            return vec![answer(403, &[], "{\"why\":\"locked\"}")];
        }
        ok(&format!("{{\"token\":\"tok-{account}-secret\",\"user\":{account}}}"))
    })
}

fn scenario(url: &str, pick: &str, load: &str) -> String {
    format!(
        r#"peakdrill: 1
name: sessions
platform: {{ allow: [127.0.0.0/8], endpoints: {{ shop: "{url}" }} }}
feeds:
  account: {{ range: 1..{ACCOUNTS} }}
prepare:
  - each: account
    rate: 400/s
    into: session
    pick: {pick}
    steps:
      - post: /login
        json: {{ account: "{{{{ feed.account }}}}" }}
        expect: {{ status: 200 }}
        capture: {{ token: {{ json: $.token, secret: true }}, user: $.user }}
journeys:
  cart:
    - get: "/cart/{{{{ feed.session.user }}}}"
      name: cart
      headers: {{ Authorization: "Bearer {{{{ feed.session.token }}}}" }}
load:
  shoppers:
    mix: {{ cart: 1 }}
    {load}
cleanup:
  - each: session
    rate: 400/s
    steps:
      - post: "/logout/{{{{ feed.session.user }}}}"
        headers: {{ Authorization: "Bearer {{{{ feed.session.token }}}}" }}
        expect: {{ status: 200 }}
limits: {{ lag: 500ms }}
targets:
  all: {{ measure: availability, at-least: 100% }}
"#
    )
}

/// How often each account did what begins with `path`; its token must be its own.
fn by_account(seen: &[Seen], path: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for seen in seen {
        let Some(account) = seen.path.strip_prefix(path) else { continue };
        assert_eq!(seen.header("authorization"), Some(format!("Bearer tok-{account}-secret").as_str()));
        *counts.entry(account.to_owned()).or_default() += 1;
    }
    counts
}

/// Whether a text stands in any file of a folder.
fn stands_in(folder: &std::path::Path, text: &str) -> bool {
    std::fs::read_dir(folder).expect("the run's folder").flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return stands_in(&path, text);
        }
        let bytes = std::fs::read(&path).expect("a file of the run");
        bytes.windows(text.len()).any(|part| part == text.as_bytes())
    })
}

#[test]
fn sessions_are_made_once_each_used_once_each_and_ended_once_each() {
    let (yard, server) = (Yard::new(), shop(false));
    let load = "arrivals: [ { hold: { rate: 20/s, for: 2s } } ]";
    yard.file("sessions.yaml", &scenario(&server.url(), "unique", load));
    let page = yard.run(&["plan", "sessions.yaml"]).expect(0).out;
    assert!(page.contains("with each of the 40 rows of feed.account, 400/s, into feed.session"), "{page}");
    yard.run(&["run", "sessions.yaml"]).expect(0);
    let seen = server.log();
    let logins = seen.iter().filter(|seen| seen.path == "/login");
    let mut accounts: Vec<u64> =
        logins.map(|seen| seen.body.replace(|c: char| !c.is_ascii_digit(), "").parse().unwrap()).collect();
    accounts.sort_unstable();
    assert_eq!(accounts, (1..=ACCOUNTS as u64).collect::<Vec<_>>());
    for path in ["/cart/", "/logout/"] {
        let counts = by_account(&seen, path);
        assert!(counts.len() == ACCOUNTS && counts.values().all(|count| *count == 1), "{path}: {counts:?}");
    }
    assert_eq!(summary(&yard.last_run())["requests"]["ok"], 40);
    assert!(!stands_in(&yard.last_run(), "-secret"), "a token stands in the record");
    assert!(stands_in(&yard.last_run(), "/cart/"), "the search sees what is there");
}

#[test]
fn one_account_that_is_refused_is_said_and_nothing_is_loaded() {
    let (yard, server) = (Yard::new(), shop(true));
    let load = "arrivals: [ { hold: { rate: 20/s, for: 2s } } ]";
    yard.file("sessions.yaml", &scenario(&server.url(), "unique", load));
    let said = yard.run(&["run", "sessions.yaml"]).expect(3).all();
    assert!(said.contains("row 17: "), "{said}");
    let seen = server.log();
    assert!(by_account(&seen, "/cart/").is_empty());
    // Those who were logged in by then are logged out.
    let ended = by_account(&seen, "/logout/");
    assert!(!ended.is_empty() && !ended.contains_key("17") && ended.values().all(|count| *count == 1), "{ended:?}");
}

#[cfg(feature = "closed")]
#[test]
fn users_of_a_closed_load_are_given_rows_that_were_made() {
    let (yard, server) = (Yard::new(), shop(false));
    let load = "users: [ { hold: { users: 5, for: 2s } } ]\n    pace: 200ms";
    yard.file("sessions.yaml", &scenario(&server.url(), "random", load));
    yard.run(&["run", "sessions.yaml"]).expect(0);
    let counts = by_account(&server.log(), "/cart/");
    assert!(counts.len() > 5, "more sessions than users: {counts:?}");
}

#[test]
fn users_come_as_new_visitors_and_on_connections_that_age() {
    for (connections, fresh) in [("new: 100%", true), ("age: 1ms", true), ("age: 1h", false)] {
        let server = Scripted::start(|_| ok(""));
        let yard = Yard::new();
        let text = format!(
            r#"peakdrill: 1
name: crowd
platform:
  allow: [127.0.0.0/8]
  endpoints: {{ site: {{ url: "{}", connections: {{ {connections} }} }} }}
journeys: {{ look: [ {{ get: /look, name: look }} ] }}
load: {{ crowd: {{ mix: {{ look: 1 }}, pace: 100ms, users: [ {{ hold: {{ users: 2, for: 2s }} }} ] }} }}
limits: {{ lag: 500ms }}
targets: {{ up: {{ measure: availability, at-least: 100% }}, sent: {{ measure: unsent, at-most: 0% }} }}
"#,
            server.url()
        );
        yard.file("crowd.yaml", &text);
        yard.run(&["run", "crowd.yaml"]).expect(0);
        let asked = server.log();
        let used: BTreeSet<u64> = asked.iter().map(|seen| seen.connection).collect();
        assert!(asked.len() > 10, "{connections}: {} requests", asked.len());
        let wanted = if fresh { asked.len() } else { 2 };
        assert_eq!(used.len(), wanted, "{connections}: {} requests", asked.len());
    }
}

#[test]
fn what_cannot_be_made_is_refused_at_its_place() {
    let yard = Yard::new();
    let sound = scenario("http://127.0.0.1:9", "random", "arrivals: [ { hold: { rate: 20/s, for: 2s } } ]");
    let said = |from: &str, to: &str| {
        let text = sound.replacen(from, to, 1);
        assert_ne!(text, sound, "{from}");
        yard.file("sessions.yaml", &text);
        let ended = yard.run(&["check", "sessions.yaml"]).expect(2);
        assert!(ended.all().contains("1 error") || ended.all().matches("error:").count() == 1, "{}", ended.all());
        ended.all()
    };
    for (from, to, place, message) in [
        ("    into: session\n", "    into: account\n", "9:11", "there is a feed `account` already"),
        ("    rate: 400/s\n", "", "7:5", "`each` goes with `rate`"),
        ("rate: 400/s", "rate: 1/m", "8:11", "40 rows at"),
        ("feed.account }}", "feed.acount }}", "13:", "there is no feed `acount`"),
        ("each: account", "each: acount", "7:11", "there is no feed `acount`"),
        (
            "feed.session.user }}\"\n      name",
            "feed.session.usr }}\"\n      name",
            "18:22",
            "feed `session` has no column `usr`",
        ),
        (
            "  - each: session\n    rate: 400/s\n",
            "  - each: session\n    rate: 400/s\n    into: more\n",
            "",
            "nothing comes after `cleanup`",
        ),
    ] {
        let said = said(from, to);
        assert!(said.contains(message) && said.contains(&format!("sessions.yaml:{place}")), "{message}:\n{said}");
    }
}
