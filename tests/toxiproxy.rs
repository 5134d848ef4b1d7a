//! `peakdrill proxy` under a client that knows nothing of it: Toxiproxy's own for Python, unchanged. And the same API over the links of a
//! running drill.

#![allow(clippy::print_stderr)] // What could not be tested is for a person to read.
#![allow(clippy::disallowed_methods)] // A test waits in real time.

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use common::{Running, Yard};

/// Fetches the client from PyPI. Where there is no way there, a person is told; a machine that checks changes fails.
fn client(yard: &Yard) -> Option<std::path::PathBuf> {
    let into = yard.path().join("client");
    let fetched = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"])
        .arg(&into)
        .args(["toxiproxy-python==0.1.1", "requests", "future"])
        .output();
    let why = match fetched {
        Ok(output) if output.status.success() => return Some(into),
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    assert!(std::env::var_os("CI").is_none(), "Toxiproxy's client cannot be fetched: {why}");
    eprintln!("NOT TESTED: Toxiproxy's client cannot be fetched: {why}");
    None
}

#[test]
fn the_client_of_toxiproxy_drives_it_through_each_of_its_toxics() {
    let yard = Yard::new();
    let Some(client) = client(&yard) else { return };
    let proxy = yard.start(&["proxy", "--listen", "127.0.0.1:0"]);
    let mut said = String::new();
    common::eventually("the API's address", || {
        said = proxy.text("out");
        said.contains("http://")
    });
    let address = said.split("http://").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("an address");
    let mut drives =
        yard.command_of("python3", [concat!(env!("CARGO_MANIFEST_DIR"), "/tests/drive_toxiproxy.py"), address]);
    drives.env("PYTHONPATH", client);
    let ended = Running::new(drives).wait().expect(0);
    assert!(ended.out.contains("every toxic does what it should"), "{}", ended.all());
    proxy.signal("INT");
    proxy.wait().expect(0);
}

#[test]
fn a_config_that_is_wrong_and_a_port_that_is_taken_are_refused() {
    let yard = Yard::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    yard.run(&["proxy", "--listen", &at]).expect(2);
    let config = yard.file("proxies.json", r#"[{ "name": "one" }]"#);
    let ended = yard.run(&["proxy", "--listen", "127.0.0.1:0", "--config", &config.display().to_string()]).expect(2);
    assert!(ended.all().contains("missing required field: upstream at proxy 1"), "{}", ended.all());
}

/// One request to Toxiproxy's API, or to whoever listens there: the status and what was said.
fn ask(at: SocketAddr, method: &str, path: &str, body: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(at)?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )?;
    let mut said = String::new();
    stream.read_to_string(&mut said)?;
    let status = said.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    Ok((status, said.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()))
}

#[test]
fn the_links_of_a_running_drill_take_toxics_from_test_code() {
    let yard = Yard::new();
    let api = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    yard.file(
        "drill.yaml",
        &format!(
            r#"peakdrill: 1
name: by-hand
seed: 11
platform:
  allow: [127.0.0.0/8]
  processes:
    payment: {{ run: [peakdrill, shop, payment, --listen, "{{{{ address }}}}", --data, "{{{{ folder }}}}"], ready: {{ get: /healthz }} }}
  links: {{ pay: {{ to: "{{{{ process.payment.address }}}}", protocol: http }} }}
  toxiproxy: {{ listen: "{api}" }}
  endpoints: {{ shop: "http://{{{{ process.payment.address }}}}" }}
journeys: {{ look: [{{ get: /healthz, name: look }}] }}
load: {{ visitors: {{ mix: {{ look: 1 }}, arrivals: [ {{ hold: {{ rate: 20/s, for: 6s }} }} ] }} }}
limits: {{ lag: 500ms }}
"#
        ),
    );
    let drill = yard.start(&["run", "drill.yaml"]);
    common::eventually("the API listens", || ask(api, "GET", "/version", "").is_ok());
    let (status, proxies) = ask(api, "GET", "/proxies", "").unwrap();
    let proxies: serde_json::Value = serde_json::from_str(&proxies).unwrap();
    assert_eq!((status, &proxies["pay"]["enabled"]), (200, &true.into()), "{proxies}");
    let link: SocketAddr = proxies["pay"]["listen"].as_str().unwrap().parse().unwrap();
    common::eventually("the payment service answers by the link", || {
        ask(link, "GET", "/healthz", "").is_ok_and(|(status, _)| status == 200)
    });
    let toxic = r#"{ "name": "slow", "type": "latency", "attributes": { "latency": 700 } }"#;
    assert_eq!(ask(api, "POST", "/proxies/pay/toxics", toxic).unwrap().0, 200);
    let begins = Instant::now();
    assert_eq!(ask(link, "GET", "/healthz", "").unwrap().0, 200);
    assert!(begins.elapsed() >= Duration::from_millis(700));
    // The links themselves are the scenario's.
    let other = format!(r#"{{ "name": "other", "upstream": "{link}" }}"#);
    assert_eq!(ask(api, "POST", "/proxies", &other).unwrap().0, 403);
    assert_eq!(ask(api, "DELETE", "/proxies/pay", "").unwrap().0, 403);
    assert_eq!(ask(api, "POST", "/proxies/pay", r#"{ "upstream": "127.0.0.1:1" }"#).unwrap().0, 403);
    drill.wait().expect(0);
    assert!(TcpStream::connect(api).is_err() && TcpStream::connect(link).is_err());
    let noted: Vec<String> = common::events(&yard.last_run())
        .iter()
        .filter_map(|event| event["text"].as_str().or_else(|| event["noted"]["text"].as_str()).map(str::to_owned))
        .collect();
    assert!(
        noted.iter().any(|text| text.contains("POST /proxies/pay/toxics") && text.contains("latency")),
        "{noted:?}"
    );
    assert!(!noted.iter().any(|text| text.contains("DELETE")), "{noted:?}");
}
