//! Memory does not grow with time, with requests made or with requests failed. The real program drills a server of this
//! test's own, part of which fails in every way that costs something to remember, and its resident size is read each second.

#![allow(clippy::disallowed_methods)] // A second is a second of the real clock.
#![allow(clippy::print_stdout)] // What each second found is for a person to read.
#[path = "common/mod.rs"]
mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use std::time::{Duration, Instant};

use common::{Yard, summary};

/// Answers each connection on a thread of its own until the other end goes. What `/fail` is asked fails: three in four by
/// status, with a body that is worth showing; the others by an answer that is cut off, and with it the connection.
fn serve() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            std::thread::Builder::new().stack_size(64 << 10).spawn(move || answer(stream)).unwrap();
        }
    });
    port
}

fn answer(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let mut request = [0; 2048];
    let mut have = 0;
    let mut failed = 0u64;
    while let Ok(read @ 1..) = stream.read(&mut request[have..]) {
        have += read;
        if !request[..have].ends_with(b"\r\n\r\n") {
            continue;
        }
        let fails = request.starts_with(b"GET /fail");
        have = 0;
        failed += u64::from(fails);
        let body = if fails { r#"{"error":"no","detail":"the stock could not be read"}"# } else { r#"{"id":"o-17"}"# };
        let status = if fails { "500 Internal Server Error" } else { "200 OK" };
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nset-cookie: s=1\r\n\r\n", body.len());
        let cut = if fails && failed.is_multiple_of(4) { body.len() / 2 } else { body.len() };
        let whole = head + &body[..cut];
        if stream.write_all(whole.as_bytes()).is_err() || cut < body.len() {
            return;
        }
    }
}

fn scenario(port: u16, rate: u32, seconds: u64) -> String {
    format!(
        r#"peakdrill: 1
name: memory
seed: 7
platform:
  allow: [127.0.0.0/8]
  endpoints: {{ server: "http://127.0.0.1:{port}" }}
feeds:
  sku: {{ range: 1..5000, pick: zipf, exponent: 1.1 }}
journeys:
  good:
    - {{ get: "/order/{{{{ feed.sku }}}}", name: good, capture: {{ id: $.id }}, expect: {{ body: {{ $.id: o-17 }} }} }}
  failing:
    - {{ get: "/fail/{{{{ feed.sku }}}}", name: failing }}
load:
  all:
    mix: {{ good: 80, failing: 20 }}
    spacing: poisson
    arrivals: [hold: {{ rate: {rate}/s, for: {seconds}s }}]
# The server shares the cores, and nothing here is about time.
limits: {{ lag: 1s }}
targets:
  half: {{ measure: availability, at-least: 50% }}
"#
    )
}

/// More seconds than are looked at: what the report needs at the end is not the load's.
const BEYOND: u64 = 3;

/// What the program holds resident at the end of each second of such a drill, in KiB.
fn resident(rate: u32, seconds: u64) -> Vec<u64> {
    let yard = Yard::new();
    let file = yard.file("memory.yaml", &scenario(serve(), rate, seconds + BEYOND));
    let mut running = yard.start(&["run", file.to_str().unwrap()]);
    let status = format!("/proc/{}/status", running.pid());
    let windows = || fs::metadata(yard.last_run().join("windows.jsonl")).is_ok_and(|file| file.len() > 0);
    assert!(running.until(|| !yard.runs().is_empty() && windows()), "{}", running.text("err"));
    // The first second has been closed by now.
    let (began, mut found) = (Instant::now(), Vec::new());
    for second in 1..seconds {
        assert!(running.until(|| began.elapsed() >= Duration::from_secs(second)), "{}", running.text("err"));
        let status = fs::read_to_string(&status).unwrap();
        let size = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        found.push(size.trim().trim_end_matches(" kB").parse().unwrap());
    }
    running.wait().expect(0);
    let requests = summary(&yard.last_run())["requests"].clone();
    let (made, bad) = (u64::from(rate) * (seconds + BEYOND), requests["bad"].as_u64().unwrap());
    println!("{requests}");
    assert!(requests["ok"].as_u64().unwrap() > made * 7 / 10 && bad > made / 10, "{requests}");
    found
}

/// The growth in KiB from second `from` to the highest after it.
fn growth(resident: &[u64], from: usize) -> u64 {
    let after = &resident[from - 1..];
    println!("KiB in each second: {resident:?}");
    after.iter().max().unwrap() - after[0]
}

#[test]
fn it_does_not_grow_with_requests_and_failures() {
    let grown = growth(&resident(2_000, 20), 8);
    // 43 bytes for each request in that time would be too much.
    assert!(grown < 1_024, "{grown} KiB in 12 s");
}

/// `cargo test --release --test memory -- --ignored --nocapture`
#[test]
#[ignore = "takes ten minutes; run by name"]
fn it_does_not_grow_in_ten_minutes_at_5000_a_second() {
    let grown = growth(&resident(5_000, 600), 120);
    assert!(grown < 2 * 1024, "{grown} KiB from minute 2 to 10");
}
