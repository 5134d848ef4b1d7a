//! Faults on links in whole drills: real processes that dial a fault proxy instead of each other, and what is left when the harness
//! dies.

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use common::{Running, Yard, events, summary};
use serde_json::Value;

/// A shop whose payment service is behind a link; `{rest}` is what a test adds.
fn paying(protocol: &str, rest: &str) -> String {
    format!(
        r#"peakdrill: 1
name: paying
seed: 11
platform:
  allow: [127.0.0.0/8]
  processes:
    store:   {{ run: [peakdrill, shop, store, --listen, "{{{{ address }}}}", --data, "{{{{ folder }}}}"], ready: {{ get: /healthz }} }}
    payment: {{ run: [peakdrill, shop, payment, --listen, "{{{{ address }}}}", --data, "{{{{ folder }}}}"], ready: {{ get: /healthz }} }}
    node:
      run: [peakdrill, shop, node, --listen, "{{{{ address }}}}", --store, "{{{{ process.store.address }}}}",
            --payment, "{{{{ link.payment.address }}}}", --breaker-failures, "1000000"]
      ready: {{ get: /healthz }}
  links: {{ payment: {{ to: "{{{{ process.payment.address }}}}", protocol: {protocol} }} }}
  endpoints: {{ shop: "http://{{{{ process.node.address }}}}" }}
feeds: {{ sku: {{ range: 1..200, pick: random }} }}
journeys:
  buy:
    - post: /orders
      name: place
      headers: {{ Idempotency-Key: "{{{{ uuid() }}}}" }}
      json: {{ sku: "{{{{ feed.sku }}}}", quantity: 1, buyer: 7 }}
      expect: {{ status: 201 }}
      capture: {{ order: $.id }}
    - post: "/orders/{{{{ order }}}}/payment"
      name: pay
load:
  buyers:
    mix: {{ buy: 1 }}
    arrivals: [ {{ hold: {{ rate: 30/s, for: 1s, phase: before }} }}, {{ hold: {{ rate: 30/s, for: 4s, phase: hurt }} }}, {{ hold: {{ rate: 30/s, for: 3s, phase: after }} }} ]
# Other tests run meanwhile: how punctual the arrivals are is not what is tried here.
limits: {{ lag: 500ms }}
{rest}"#
    )
}

fn fault(what: &str) -> String {
    format!("faults:\n  broken: {{ at: hurt + 500ms, for: 2s, {what} }}\n")
}

/// The instants of the fault, in seconds, by their names.
fn instants(run: &std::path::Path) -> Value {
    summary(run)["faults"][0].clone()
}

#[test]
fn a_share_of_payments_fails_while_the_fault_lasts_and_no_other_request() {
    let yard = Yard::new();
    let what = "respond: { link: payment, status: 500, json: { error: no } }, share: 50%, only: { methods: [POST] }";
    let targets = "targets:
  placed: { measure: availability, step: place, at-least: 100% }
  before: { measure: availability, step: pay, phase: before, at-least: 100% }
  hurt: { measure: availability, step: pay, phase: hurt, at-least: 60%, at-most: 90% }
  after: { measure: availability, step: pay, phase: after, at-least: 100% }
";
    yard.file("drill.yaml", &paying("http", &(fault(what) + targets)));
    let ended = yard.run(&["run", "drill.yaml"]).expect(0);
    let found = instants(&yard.last_run());
    assert_eq!((&found["kind"], &found["links"]), (&"respond".into(), &serde_json::json!(["payment"])));
    let at = |name: &str| found[name].as_f64().unwrap_or_else(|| panic!("{name}: {found:#}"));
    assert!(at("ordered") >= 1.5 && at("effective") >= at("ordered") && at("healed") >= at("effective") + 2.0);
    assert!(ended.all().contains("the link payment was seen to suffer it (respond)"), "{}", ended.all());
}

#[test]
fn each_fault_on_a_link_is_felt_by_those_who_pay() {
    let cases = [
        (
            "delay: { link: payment, latency: 400ms }, direction: down",
            "tcp",
            "p75, step: pay, phase: hurt, at-least: 300ms",
        ),
        ("throttle: { link: payment, rate: 1KB/s }", "tcp", "p75, step: pay, phase: hurt, at-least: 100ms"),
        ("slice: { link: payment, size: 10B, pause: 20ms }", "tcp", "p75, step: pay, phase: hurt, at-least: 200ms"),
        ("refuse: { link: payment }", "tcp", "availability, step: pay, phase: hurt, at-most: 70%"),
        ("hang: { link: payment }", "tcp", "p75, step: pay, phase: hurt, at-least: 300ms"),
        ("reset: { link: payment }", "http", "availability, step: pay, phase: hurt, at-most: 70%"),
        (
            "close-after: { link: payment, bytes: 20B }, direction: down",
            "http",
            "availability, step: pay, phase: hurt, at-most: 70%",
        ),
        ("corrupt: { link: payment }, direction: down", "tcp", "availability, step: pay, phase: hurt, at-most: 90%"),
    ];
    let drill = |(what, protocol, hurts): (&str, &str, &str)| {
        let yard = Yard::new();
        let targets = format!(
            "targets:\n  hurts: {{ measure: {hurts} }}\n  after: {{ measure: availability, step: pay, phase: after, at-least: 95% }}\n"
        );
        yard.file("drill.yaml", &paying(protocol, &(fault(what) + &targets)));
        let ended = yard.run(&["run", "drill.yaml"]);
        assert_eq!(ended.code, Some(0), "{what}: {}", ended.all());
        let found = instants(&yard.last_run());
        assert!(found["effective"].is_f64() && found["healed"].is_f64(), "{what}: {found:#}");
    };
    // Some at once: each waits for most of its time.
    for some in cases.chunks(4) {
        std::thread::scope(|scope| some.iter().for_each(|case| drop(scope.spawn(|| drill(*case)))));
    }
}

#[test]
fn a_fault_that_nothing_passes_by_is_inconclusive() {
    let yard = Yard::new();
    let what = "respond: { link: payment, status: 500 }, only: { paths: [/nobody/asks] }";
    let targets =
        "steady-state: { ordering: { hold: 1s, must: [ { measure: availability, at-least: 90%, over: 1s } ] } }
targets: { rto: { measure: recovery-time, fault: broken, to: ordering, at-most: 1s } }
";
    yard.file("drill.yaml", &paying("http", &(fault(what) + targets)));
    let ended = yard.run(&["run", "drill.yaml"]).expect(3);
    assert!(ended.all().contains("nothing passed the link payment that it could have bitten"), "{}", ended.all());
}

/// A server of the test's own, which answers every request with 204 and keeps its connections.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let (mut have, mut part) = (Vec::new(), [0; 1024]);
                while let Ok(read @ 1..) = stream.read(&mut part) {
                    have.extend_from_slice(&part[..read]);
                    while let Some(end) = have.windows(4).position(|four| four == b"\r\n\r\n") {
                        have.drain(..end + 4);
                        if stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    at
}

/// A load that goes through the link itself, to a server that is not of the drill.
fn through(server: SocketAddr, fault: &str) -> String {
    format!(
        r#"peakdrill: 1
name: through
platform:
  allow: [127.0.0.0/8]
  links: {{ way: {{ to: "{server}", protocol: http }} }}
  endpoints: {{ out: "http://{{{{ link.way.address }}}}" }}
journeys: {{ go: [ {{ get: /x, name: go, timeout: 5s }} ] }}
load: {{ all: {{ mix: {{ go: 1 }}, arrivals: [ {{ hold: {{ rate: 50/s, for: 60s }} }} ] }} }}
limits: {{ lag: 500ms }}
faults: {{ broken: {{ at: 1s, for: 50s, {fault} }} }}
targets: {{ up: {{ measure: availability, at-least: 1% }} }}
"#
    )
}

/// Waits until the fault was heard of so; gives where the link listens.
fn when(yard: &Yard, drill: &mut Running, word: &str) -> SocketAddr {
    let told = |yard: &Yard| yard.runs().last().map(|run| events(run)).unwrap_or_default();
    assert!(drill.until(|| told(yard).iter().any(|entry| entry.to_string().contains(word))), "{}", drill.text("err"));
    let bindings = told(yard).into_iter().find_map(|entry| entry["links"][0][1].as_str().map(str::to_owned));
    bindings.expect("the address of the link").parse().unwrap()
}

#[test]
fn a_fault_that_waits_to_bite_does_not_hold_up_ctrl_c() {
    let yard = Yard::new();
    yard.file("drill.yaml", &through(server(), "respond: { link: way, status: 500 }, only: { paths: [/nobody/asks] }"));
    let mut drill = yard.start(&["run", "drill.yaml"]);
    when(&yard, &mut drill, "\"ordered\"");
    drill.signal("INT");
    drill.wait().expect(4);
    let told = events(&yard.last_run());
    let at = |word: &str| {
        let entry = told.iter().find(|entry| entry.to_string().contains(word)).unwrap_or_else(|| panic!("no {word}"));
        entry["at"].as_u64().unwrap()
    };
    let late = at("not-effective") - at("\"signalled\"");
    assert!(late < 2_000_000_000, "given up {late} ns after the signal");
}

#[test]
fn when_harness_and_guardian_die_nothing_is_wrong_with_links_until_recover_ends_them() {
    let yard = Yard::new();
    yard.file("drill.yaml", &through(server(), "hang: { link: way }"));
    let mut drill = yard.start(&["run", "drill.yaml"]);
    let link = when(&yard, &mut drill, "\"effective\"");
    let ask = |patience: Duration| {
        let mut stream = TcpStream::connect_timeout(&link, patience).ok()?;
        stream.set_read_timeout(Some(patience)).unwrap();
        stream.write_all(b"GET /x HTTP/1.1\r\nhost: x\r\n\r\n").ok()?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).ok()?;
        Some(String::from_utf8_lossy(&head).into_owned())
    };
    assert_eq!(ask(Duration::from_millis(300)), None, "nothing passes");
    // First the one who would undo it.
    let guardian = yard.process("guardian").expect("a guardian");
    let proxy = yard.process("links").expect("a fault proxy");
    kill(guardian);
    drill.signal("KILL");
    drill.wait();
    assert_eq!(ask(Duration::from_secs(20)).as_deref(), Some("HTTP/1.1 204"), "everything passes");
    assert!(common::is_alive(proxy));
    yard.run(&["recover"]).expect(0);
    assert!(!common::is_alive(proxy) && ask(Duration::from_millis(300)).is_none());
    yard.run(&["residue"]).expect(0);
}

#[test]
fn a_fault_proxy_that_dies_makes_the_drill_inconclusive() {
    let yard = Yard::new();
    yard.file("drill.yaml", &through(server(), "delay: { link: way, latency: 20ms }"));
    let mut drill = yard.start(&["run", "drill.yaml"]);
    when(&yard, &mut drill, "\"effective\"");
    kill(yard.process("links").expect("a fault proxy"));
    let ended = drill.wait().expect(3);
    assert!(ended.all().contains("the process of the fault proxy ended by itself"), "{}", ended.all());
}

fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
    common::eventually("its end", || !common::is_alive(pid));
}

/// The drill with every kind of fault on a link, whose requests go past the links.
#[test]
fn no_fault_on_a_link_that_nobody_uses_counts() {
    let yard = Yard::new();
    let mut text = include_str!("campaign/links.yaml").replace("NAME", "past");
    while let Some(from) = text.find("{{ link.") {
        let to = from + text[from..].find("}}").expect("its end") + 2;
        text.replace_range(from..to, "{{ process.shop.address }}");
    }
    yard.file("past.yaml", &text);
    let ended = yard.run(&["run", "past.yaml"]).expect(3);
    let faults = summary(&yard.last_run())["faults"].as_array().expect("a list of faults").clone();
    assert_eq!(faults.len(), 10, "{faults:#?}");
    // Whether a link refuses is seen by dialling it: that needs nobody else.
    for fault in faults.iter().filter(|fault| fault["name"] != "shut") {
        assert!(fault["ordered"].is_f64() && fault["effective"].is_null(), "{fault:#}\n{}", ended.all());
    }
}
