//! Closed loads in whole drills: every user that was launched is in the record and is a session of its own for the server,
//! and nobody is left, however the drill ends.
#![cfg(feature = "closed")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Running, Yard, events, eventually, summary};
use serde_json::Value;

/// What a server has seen: by session, on how many connections and how often it asked; by path, how often.
#[derive(Debug, Default)]
struct Seen {
    sessions: BTreeMap<String, (BTreeSet<u64>, u64)>,
    paths: BTreeMap<String, u64>,
    /// Requests that came without a cookie.
    without: u64,
    /// Sessions that were given to whoever asked for a new one.
    renewed: Vec<String>,
}

/// Gives every visitor without a session a new one, and counts: whoever asks for `/renew`, too. What begins with `/login` is
/// refused when it is asked for the first time. It lives as long as the test.
struct Server {
    port: u16,
    seen: Arc<Mutex<Seen>>,
}

impl Server {
    fn start(delay: Duration) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let all = seen.clone();
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let (Ok(stream), all) = (stream, all.clone()) else { continue };
                std::thread::spawn(move || serve(number as u64, stream, &all, delay));
            }
        });
        Server { port, seen }
    }

    fn sessions(&self) -> usize {
        self.seen.lock().expect("sound").sessions.len()
    }
}

#[allow(clippy::disallowed_methods)] // The server takes its time.
fn serve(connection: u64, stream: TcpStream, seen: &Mutex<Seen>, delay: Duration) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut stream = stream;
    loop {
        let (mut path, mut session, mut length) = (String::new(), None, 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            if path.is_empty() {
                path = line.split(' ').nth(1).unwrap_or_default().to_owned();
            }
            let (name, value) = line.split_once(": ").unwrap_or_default();
            match name.to_ascii_lowercase().as_str() {
                "cookie" => session = value.strip_prefix("session=").map(str::to_owned),
                "content-length" => length = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        let _ = reader.by_ref().take(length).read_to_end(&mut Vec::new());
        let mut seen = seen.lock().expect("sound");
        let times = seen.paths.entry(path.clone()).or_default();
        *times += 1;
        let status = if path.starts_with("/login") && *times == 1 { "503 Busy" } else { "200 OK" };
        let mut given = session.is_none().then(|| format!("s{}", seen.without));
        seen.without += u64::from(given.is_some());
        if path == "/renew" {
            let name = format!("session-renewed-{}", seen.renewed.len());
            seen.renewed.push(name.clone());
            given = Some(name);
        }
        let name = session.clone().or_else(|| given.clone()).unwrap_or_default();
        let (connections, times) = seen.sessions.entry(name).or_default();
        connections.insert(connection);
        *times += 1;
        drop(seen);
        std::thread::sleep(delay);
        let cookie = given.map_or_else(String::new, |name| format!("Set-Cookie: session={name}; Path=/\r\n"));
        if write!(stream, "HTTP/1.1 {status}\r\n{cookie}Content-Length: 2\r\n\r\nok").is_err() {
            return;
        }
    }
}

/// A scenario against servers at these ports; `loads` is what stands under `load:`.
fn scenario(yard: &Yard, name: &str, ports: &[u16], loads: &str) -> String {
    let endpoints: Vec<String> =
        ports.iter().enumerate().map(|(nth, port)| format!("at_{nth}: \"http://127.0.0.1:{port}\"")).collect();
    let journeys: Vec<String> = (0..ports.len())
        .map(|nth| format!("  visit_{nth}:\n    - get: /in\n      endpoint: at_{nth}\n      name: in {nth}\n    - get: /out\n      endpoint: at_{nth}\n      name: out {nth}\n"))
        .collect();
    let text = format!(
        "peakdrill: 1\nname: {name}\nplatform: {{ allow: [127.0.0.0/8], endpoints: {{ {} }} }}\njourneys:\n{}load:\n{loads}",
        endpoints.join(", "),
        journeys.concat(),
    );
    yard.file(&format!("{name}.yaml"), &text).display().to_string()
}

fn users<'s>(summary: &'s Value, load: &str) -> &'s Value {
    let all = summary["users"].as_array().expect("users in the summary");
    all.iter().find(|users| users["load"] == load).unwrap_or_else(|| panic!("{load} in {all:?}"))
}

#[test]
fn users_launched_are_users_recorded_are_sessions_seen() {
    let server = Server::start(Duration::from_millis(15));
    let other = Server::start(Duration::from_millis(5));
    let yard = Yard::new();
    // Up to 20, down to 8 and up to 14: 26 users come in all. The other closed load, and an open one, go on beside it.
    let file = scenario(
        &yard,
        "sessions",
        &[server.port, other.port],
        "  crew:\n    mix: { visit_0: 1 }\n    users: [ { ramp: { to: 20, for: 1500ms } }, { hold: { for: 1s } }, { ramp: { to: 8, for: 500ms } }, { ramp: { to: 14, for: 1s } } ]\n\
         \x20 pairs:\n    mix: { visit_1: 1 }\n    pace: 200ms\n    users: [ { stairs: { from: 2, to: 6, by: 2, every: 1s } } ]\n\
         \x20 public:\n    mix: { visit_0: 1 }\n    arrivals: [ { hold: { rate: 10/s, for: 4s } } ]\n",
    );
    yard.run(&["run", &file, "--quiet"]).expect(0);
    let run = yard.last_run();
    let summary = summary(&run);
    let public = summary["visits"]["planned"].as_u64().expect("visits");
    assert_eq!(public, 40, "arrivals of the open load alone");
    for (load, server, launched, most, beside) in [("crew", &server, 26, 20, public), ("pairs", &other, 6, 6, 0)] {
        let told = users(&summary, load);
        for (word, value) in [
            ("planned", launched),
            ("launched", launched),
            ("ended", launched),
            ("planned_at_once", most),
            ("most_at_once", most),
        ] {
            assert_eq!(told[word], value, "{word} of {load}: {told}");
        }
        let seen = server.seen.lock().expect("sound");
        // An open visit has a session of its own, too.
        assert_eq!(seen.sessions.len() as u64, launched + beside, "{load}");
        assert_eq!(seen.without, launched + beside, "{load}: each came once without a cookie");
        let (in_, out) = (seen.paths["/in"], seen.paths["/out"]);
        assert_eq!(in_, out, "{load}: journeys are not cut");
        let of_users: Vec<_> = seen.sessions.values().filter(|(_, times)| *times > 2).collect();
        assert!(of_users.len() as u64 >= launched / 2, "{load}: users make several journeys: {of_users:?}");
        assert!(of_users.iter().all(|(connections, _)| connections.len() == 1), "{load}: a connection of its own");
    }
    let requests: u64 =
        [&server, &other].iter().map(|server| server.seen.lock().unwrap().paths.values().sum::<u64>()).sum();
    assert_eq!(summary["requests"]["ok"], requests, "every request is in the record");
    // Stairs of 2, 4 and 6 users for a second each, five journeys a second at the most.
    let pairs = other.seen.lock().unwrap().paths["/in"];
    assert!((40..=66).contains(&pairs), "{pairs} journeys at a pace of 200 ms");
    let windows = std::fs::read_to_string(run.join("windows.jsonl")).expect("windows");
    let launched: u64 = windows
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .flat_map(|window| window["users"].as_array().cloned().unwrap_or_default())
        .map(|users| users["launched"].as_u64().expect("a count"))
        .sum();
    assert_eq!(launched, 32);
}

#[test]
fn a_ramp_launches_at_fractions_of_a_second() {
    let server = Server::start(Duration::from_millis(1));
    let yard = Yard::new();
    let loads = "  crew:\n    mix: { visit_0: 1 }\n    pace: 10s\n    users: [ { ramp: { to: 5, for: 2500ms } } ]\n";
    let file = scenario(&yard, "ramp", &[server.port], loads);
    yard.run(&["run", &file, "--quiet"]).expect(0);
    let windows = std::fs::read_to_string(yard.last_run().join("windows.jsonl")).expect("windows");
    let seconds: Vec<(u64, u64)> = windows
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .filter_map(|window| Some((window["users"][0]["launched"].as_u64()?, window["users"][0]["present"].as_u64()?)))
        .collect();
    // At 0.25, 0.75, 1.25, 1.75 and 2.25 s.
    assert_eq!(seconds[..3].iter().map(|(launched, _)| *launched).collect::<Vec<_>>(), [2, 2, 1], "{seconds:?}");
    assert_eq!(seconds[..2].iter().map(|(_, present)| *present).collect::<Vec<_>>(), [2, 4], "{seconds:?}");
    assert_eq!(server.sessions(), 5);
}

#[test]
fn two_drills_on_one_machine_stop_each_for_itself() {
    let yard = Yard::new();
    let servers = [Server::start(Duration::from_millis(10)), Server::start(Duration::from_millis(10))];
    let start = |nth: usize, time: &str| {
        let loads =
            format!("  crew:\n    mix: {{ visit_0: 1 }}\n    users: [ {{ hold: {{ users: 5, for: {time} }} }} ]\n");
        let file = scenario(&yard, &format!("drill-{nth}"), &[servers[nth].port], &loads);
        yard.start(&["run", &file, "--quiet", "--reports", &format!("reports-{nth}")])
    };
    let (mut short, mut long) = (start(0, "30s"), start(1, "4s"));
    assert!(short.until(|| servers[0].sessions() == 5) && long.until(|| servers[1].sessions() == 5));
    short.signal("INT");
    short.wait().expect(4);
    long.wait().expect(0);
    let last = |nth: usize| {
        let folder = std::fs::read_dir(yard.path().join(format!("reports-{nth}"))).expect("reports");
        folder
            .map(|entry| entry.expect("an entry").path())
            .find(|path| path.join("plan.json").is_file())
            .expect("a run")
    };
    for (nth, journeys) in [(0, 5), (1, 100)] {
        let told = users(&summary(&last(nth)), "crew").clone();
        assert_eq!((&told["launched"], &told["ended"]), (&Value::from(5), &Value::from(5)), "{told}");
        let asked = servers[nth].seen.lock().unwrap().paths["/in"];
        assert!(asked >= journeys, "drill {nth}: {asked} journeys");
    }
}

#[test]
#[allow(clippy::disallowed_methods)] // Silence is heard for a while.
fn a_user_that_is_cut_short_ends_and_nobody_is_left_after_a_kill() {
    // Nothing is answered in time: the drain time ends what is under way.
    let slow = Server::start(Duration::from_secs(60));
    let yard = Yard::new();
    let loads = "  crew:\n    mix: { visit_0: 1 }\n    users: [ { hold: { users: 3, for: 1s } } ]\nlimits: { drain: 1s, patience: 1s }\n";
    let file = scenario(&yard, "stuck", &[slow.port], loads);
    yard.run(&["run", &file, "--quiet"]).expect(0);
    let run = yard.last_run();
    let told = users(&summary(&run), "crew").clone();
    assert_eq!((&told["launched"], &told["ended"]), (&Value::from(3), &Value::from(3)), "{told}");
    let drained = events(&run).into_iter().find(|entry| entry["event"] == "drained").expect("drained");
    assert_eq!(drained["abandoned"], 3);

    let quick = Server::start(Duration::from_millis(5));
    let loads = "  crew:\n    mix: { visit_0: 1 }\n    users: [ { hold: { users: 10, for: 60s } } ]\n";
    let file = scenario(&yard, "killed", &[quick.port], loads);
    let mut killed = yard.start(&["run", &file, "--quiet"]);
    assert!(killed.until(|| quick.sessions() == 10));
    killed.signal("KILL");
    killed.wait();
    eventually("silence after the kill", || {
        let count = || quick.seen.lock().unwrap().paths["/in"];
        let before = count();
        std::thread::sleep(Duration::from_millis(200));
        count() == before
    });
    eventually("no process is left", || !left(&yard));
}

/// Whether a process of the yard's program is there.
fn left(yard: &Yard) -> bool {
    let program = yard.program();
    let Ok(all) = std::fs::read_dir("/proc") else { return false };
    all.flatten().any(|entry| std::fs::read_link(entry.path().join("exe")).is_ok_and(|exe| exe == program))
}

#[test]
fn a_closed_load_that_has_ended_waits_without_work() {
    let server = Server::start(Duration::from_millis(5));
    let yard = Yard::new();
    let loads = "  crew:\n    mix: { visit_0: 1 }\n    users: [ { hold: { users: 2, for: 1s } } ]\n\
                 \x20 public:\n    mix: { visit_0: 1 }\n    arrivals: [ { hold: { rate: 5/s, for: 5s } } ]\n";
    let file = scenario(&yard, "over", &[server.port], loads);
    yard.run(&["run", &file, "--quiet"]).expect(0);
    let windows = std::fs::read_to_string(yard.last_run().join("windows.jsonl")).expect("windows");
    let windows: Vec<Value> = windows.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let crew = windows.iter().find(|window| window["users"].is_array()).expect("users in a window")["crew"].clone();
    let after = windows.iter().filter(|window| window["crew"] == crew && window["second"].as_u64() >= Some(2));
    let cpu: Vec<u64> = after.map(|window| window["health"]["cpu"].as_u64().expect("nanoseconds")).collect();
    assert!(cpu.len() >= 2 && cpu.iter().all(|nanos| *nanos < 200_000_000), "{cpu:?}");
}

#[test]
fn a_journey_without_cookies_sends_none_of_what_its_user_was_given() {
    let server = Server::start(Duration::from_millis(5));
    let yard = Yard::new();
    let text = format!(
        "peakdrill: 1\nname: off\nplatform: {{ allow: [127.0.0.0/8], endpoints: {{ at: \"http://127.0.0.1:{}\" }} }}\n\
         journeys:\n  quiet: {{ cookies: off, steps: [{{ get: /in }}] }}\n\
         load:\n  crew:\n    mix: {{ quiet: 1 }}\n    pace: 100ms\n    first: [{{ get: /first }}, {{ get: /second }}]\n    \
         users: [{{ hold: {{ users: 3, for: 1s }} }}]\n",
        server.port
    );
    let file = yard.file("off.yaml", &text).display().to_string();
    yard.run(&["run", &file, "--quiet"]).expect(0);
    let seen = server.seen.lock().unwrap();
    let [first, second, quiet] = ["/first", "/second", "/in"].map(|path| seen.paths[path]);
    assert!((first, second) == (3, 3) && quiet > 6, "{seen:?}");
    assert_eq!(seen.without, first + quiet, "the second of the first steps alone had a cookie");
}

/// A scenario of one endpoint, at this port.
fn at(yard: &Yard, name: &str, port: u16, rest: &str) -> String {
    let text = format!(
        "peakdrill: 1\nname: {name}\n\
         platform: {{ allow: [127.0.0.0/8], endpoints: {{ at: \"http://127.0.0.1:{port}\" }} }}\n{rest}"
    );
    yard.file(&format!("{name}.yaml"), &text).display().to_string()
}

#[test]
fn what_users_do_first_takes_each_row_once_however_often_it_is_tried() {
    let server = Server::start(Duration::from_millis(2));
    let yard = Yard::new();
    let load = |users: u32| {
        format!(
            "{{ mix: {{ look: 1 }}, first: [{{ get: \"/login/{{{{ feed.account }}}}\" }}], \
             users: [{{ hold: {{ users: {users}, for: 2s }} }}] }}"
        )
    };
    let rest = |rows: u32| {
        format!(
            "feeds: {{ account: {{ range: 1..{rows}, pick: unique }} }}\njourneys: {{ look: [{{ get: /look }}] }}\n\
             load:\n  one: {}\n  two: {}\n",
            load(6),
            load(4)
        )
    };
    let short = yard.run(&["check", &at(&yard, "short", server.port, &rest(9))]).expect(2);
    let dry = "feed `account` would run dry: 10 rows are needed, and it has 9";
    assert!((short.out.clone() + &short.err).contains(dry), "{}{}", short.out, short.err);
    yard.run(&["run", &at(&yard, "just", server.port, &rest(10)), "--quiet"]).expect(0);
    let seen = server.seen.lock().unwrap();
    let logins = seen.paths.iter().filter(|(path, _)| path.starts_with("/login"));
    let logins: BTreeMap<&str, u64> = logins.map(|(path, times)| (path.as_str(), *times)).collect();
    assert_eq!(logins.len(), 10, "{logins:?}");
    assert!(logins.values().all(|times| *times == 2), "each is refused once, and tried again: {logins:?}");
}

#[test]
fn memory_and_open_files_of_a_crew_are_the_generators() {
    let server = Server::start(Duration::from_millis(2));
    let yard = Yard::new();
    let rest = "journeys: { look: [{ get: /look }] }\nload:\n  \
                crew: { mix: { look: 1 }, pace: 200ms, users: [{ hold: { users: 120, for: 2s } }] }\n";
    yard.run(&["run", &at(&yard, "files", server.port, rest), "--quiet"]).expect(0);
    let told: Vec<Value> = events(&yard.last_run()).into_iter().filter(|event| event["event"] == "generator").collect();
    let files = told.iter().filter_map(|event| event["files"].as_u64()).max();
    assert!(files >= Some(120), "a connection for each user: {told:?}");
}

#[test]
fn a_secret_cookie_of_an_earlier_journey_is_not_shown_with_a_later_failure() {
    let server = Server::start(Duration::from_millis(2));
    let yard = Yard::new();
    let rest = "journeys:\n  \
                renew: [{ get: /renew, capture: { session: { cookie: session, secret: true } } }]\n  \
                fail: [{ get: /fail, expect: { status: 404 } }]\n\
                load:\n  crew: { mix: { renew: 1, fail: 1 }, pace: 20ms, users: [{ hold: { users: 1, for: 1s } }] }\n";
    yard.run(&["run", &at(&yard, "masked", server.port, rest), "--quiet"]).expect(0);
    let failures = std::fs::read_to_string(yard.last_run().join("events.jsonl")).expect("events");
    let seen = server.seen.lock().unwrap();
    assert!(seen.renewed.len() > 4 && failures.contains("/fail"), "{seen:?} {failures}");
    assert!(!failures.contains("session-renewed"), "{failures}");
    assert!(failures.contains("cookie: session=•••"), "{failures}");
}

#[test]
fn a_part_cannot_have_users() {
    let yard = Yard::new();
    let loads = "  crew:\n    mix: { visit_0: 1 }\n    users: [ { hold: { users: 3, for: 1s } } ]\n";
    let file = scenario(&yard, "parts", &[9], loads);
    let ended = Running::new(yard.command(["run", &file, "--part", "1/2", "--start-at", "+1s"])).wait().expect(2);
    assert!(ended.err.contains("the load `crew` is closed"), "{}", ended.err);
}
