//! The platform's own alerts in whole drills: a POST while a fault is in force is "detected".

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use common::{Running, Yard, events, summary};
use serde_json::Value;

fn drill(listen: SocketAddr) -> String {
    format!(
        r#"peakdrill: 1
name: alerted
seed: 7
platform:
  allow: [127.0.0.0/8]
  processes:
    shop:
      run: [peakdrill, shop, all, --listen, "{{{{ address }}}}", --data, "{{{{ folder }}}}"]
      env: {{ KEY: "{{{{ secret.YARD_KEY }}}}" }}
      ready: {{ get: /healthz }}
  endpoints: {{ shop: "http://{{{{ process.shop.address }}}}" }}
  watch: {{ pager: {{ title: {{ en: On-call, zh: 值班 }}, alert: {{ listen: "{listen}" }} }} }}
journeys:
  look: [ {{ get: /products, name: list products }} ]
limits: {{ lag: 500ms }}
load:
  shoppers: {{ mix: {{ look: 1 }}, arrivals: [ {{ hold: {{ rate: 20/s, for: 8s }} }} ] }}
faults:
  frozen: {{ at: 1s, until: 7s, pause: {{ process: shop }} }}
targets:
  seen: {{ measure: detection-time, fault: frozen, at-most: 6s }}
"#
    )
}

/// An address where nobody listens now.
fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address")
}

/// The status that a request is answered with.
fn ask(address: SocketAddr, method: &str, body: &str) -> u16 {
    let mut stream = TcpStream::connect(address).expect("somebody listens for alerts");
    let length = body.len();
    write!(
        stream,
        "{method} /hook HTTP/1.1\r\nhost: drill\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

fn bites(entry: &Value) -> bool {
    entry["event"] == "fault" && entry["what"]["moment"] == "effective"
}

fn start(yard: &Yard) -> Running {
    Running::new({
        let mut command = yard.command(["run", "alerted.yaml"]);
        command.env("YARD_KEY", "hunter2hunter2");
        command
    })
}

#[test]
fn an_alert_while_a_fault_is_in_force_is_detection() {
    let yard = Yard::new();
    let listen = free();
    yard.file("alerted.yaml", &drill(listen));
    let mut running = start(&yard);
    let bitten = running.until(|| yard.runs().last().is_some_and(|run| events(run).iter().any(bites)));
    assert!(bitten, "{}", running.text("err"));
    assert_eq!(ask(listen, "GET", ""), 405, "an alert is a POST");
    let firing = format!(r#"{{ "status": "firing", "key": "hunter2hunter2", "alerts": "{}" }}"#, "x".repeat(500));
    assert_eq!(ask(listen, "POST", &firing), 200);
    assert_eq!(ask(listen, "POST", "a page\nin words"), 200);
    assert_eq!(ask(listen, "POST", r#"{ "status": "resolved" }"#), 200);
    running.wait().expect(0);

    let run = yard.last_run();
    let alerts: Vec<Value> = events(&run).into_iter().filter(|entry| entry["event"] == "probe").collect();
    let good: Vec<bool> = alerts.iter().map(|alert| alert["good"] == true).collect();
    assert_eq!(good, [false, false, true], "{alerts:#?}");
    let text = alerts[0]["why"].as_str().expect("its text");
    assert_eq!(text.chars().count(), 200, "{text}");
    assert!(text.starts_with(r#"{ "status": "firing", "#) && !text.contains("hunter2"), "{text}");
    assert_eq!(alerts[1]["why"], "a page in words");
    let summary = summary(&run);
    assert_eq!(summary["verdict"], "pass", "{summary:#}");
    let seen = alerts[0]["at"].as_f64().expect("an instant") / 1e9;
    let fault = &summary["faults"][0];
    assert!((fault["detected"].as_f64().expect("it was detected") - seen).abs() < 0.001, "{fault:#}");
    for (lang, words) in [("en", "On-call alerted: a page in words"), ("zh", "值班告警：a page in words")] {
        yard.run(&["report", "last", "--lang", lang]).expect(0);
        let page = std::fs::read_to_string(run.join("report.html")).expect("a page");
        assert!(page.contains(words), "{lang}: the page has the alert");
    }
}

#[test]
fn a_port_that_is_taken_is_said_before_anything_starts() {
    let yard = Yard::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = taken.local_addr().expect("its address");
    yard.file("alerted.yaml", &drill(listen));
    start(&yard).wait().expect(3);
    let events = events(&yard.last_run());
    let said = format!("watch `pager` cannot listen at {listen}");
    assert!(events.iter().any(|entry| entry["text"].as_str().is_some_and(|text| text.contains(&said))), "{events:#?}");
    assert!(!events.iter().any(|entry| entry["event"] == "process-started"), "{events:#?}");
}
