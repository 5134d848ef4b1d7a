//! `peakdrill proxy` under a client that knows nothing of it: Toxiproxy's own for Python, unchanged.

#![allow(clippy::print_stderr)] // What could not be tested is for a person to read.

mod common;

use std::process::Command;

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
