//! Drills on a process that somebody else started: it is found by its pid file or by its port, may be paused, and is
//! never stopped, however the drill ends.

mod common;

use common::{Running, Yard, events, eventually, is_alive, summary};

/// A drill on an attached shop; `attach` says how it is found, `faults` what is done to it.
fn drill(address: &str, attach: &str, length: &str, faults: &str) -> String {
    format!(
        r#"peakdrill: 1
name: attached
seed: 7
platform:
  allow: [127.0.0.0/8]
  processes: {{ shop: {{ attach: {attach} }} }}
  endpoints: {{ shop: "http://{address}" }}
  watch: {{ shop: {{ process: shop }} }}
journeys:
  look:
    - get: /products
      name: list products
load:
  shoppers: {{ mix: {{ look: 1 }}, arrivals: [ {{ hold: {{ rate: 40/s, for: {length}, phase: all }} }} ] }}
limits: {{ lag: 500ms }}
faults: {{ {faults} }}
targets:
  up: {{ measure: availability, at-least: 50% }}
"#
    )
}

const PAUSE: &str = "frozen: { at: 1s, for: 1s, pause: { process: shop } }";
/// Longer than any test waits for what ends it.
const LONG_PAUSE: &str = "frozen: { at: 500ms, for: 100s, pause: { process: shop } }";

/// A shop that this test has started and that is nobody else's business.
struct Shop {
    process: Running,
    address: String,
}

impl Shop {
    fn start(yard: &Yard) -> Shop {
        let data = yard.path().join("data");
        let data = data.to_str().expect("a plain path");
        let mut process = yard.start(&["shop", "all", "--listen", "127.0.0.1:0", "--data", data]);
        let said = |process: &Running| process.text("out").lines().last().map(str::to_owned).unwrap_or_default();
        let mut address = String::new();
        eventually("the shop's address", || {
            assert!(!process.has_ended(), "{}", process.text("err"));
            address = said(&process).rsplit(' ').next().unwrap_or_default().to_owned();
            std::net::TcpStream::connect(&address).is_ok()
        });
        yard.file("shop.pid", &format!("{}\n", process.pid()));
        Shop { process, address }
    }

    fn port(&self) -> &str {
        self.address.rsplit(':').next().expect("a port")
    }

    fn is_paused(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.pid())).expect("it lives");
        stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
    }

    /// The same process, going on, and it answers.
    #[track_caller]
    fn assert_untouched(&mut self, yard: &Yard) {
        assert!(!self.process.has_ended() && is_alive(self.process.pid()), "the attached process was stopped");
        assert!(!self.is_paused(), "the attached process is still paused");
        yard.file("probe.yaml", &drill(&self.address, "{ pid-file: shop.pid }", "1s", ""));
        yard.run(&["try", "probe.yaml"]).expect(0);
        assert!(!self.process.has_ended(), "`try` stopped the attached process");
    }
}

fn moments(yard: &Yard) -> Vec<String> {
    let entries = yard.runs().pop().map(|run| events(&run)).unwrap_or_default();
    entries.iter().filter_map(|entry| entry["what"]["moment"].as_str().map(str::to_owned)).collect()
}

#[test]
fn a_drill_on_an_attached_process_passes_and_leaves_it_running() {
    let yard = Yard::new();
    let mut shop = Shop::start(&yard);
    let by_port = format!("{{ port: {} }}, ready: {{ get: /healthz }}", shop.port());
    let ways = [("{ pid-file: shop.pid }", shop.address.clone()), (&by_port, "{{ process.shop.address }}".to_owned())];
    for (attach, address) in ways {
        yard.file("attached.yaml", &drill(&address, attach, "4s", PAUSE));
        yard.run(&["run", "attached.yaml"]).expect(0);
        assert_eq!(moments(&yard), ["ordered", "effective", "heal-ordered", "healed"], "{attach}");
        let run = yard.last_run();
        let started = events(&run).into_iter().find(|entry| entry["event"] == "process-started").expect("it is found");
        assert_eq!(started["pid"], shop.process.pid(), "{attach}: {started}");
        assert_eq!(summary(&run)["verdict"], "pass", "{attach}");
        shop.assert_untouched(&yard);
    }
}

#[test]
fn an_attached_process_that_is_not_there_is_said_and_nothing_runs() {
    let yard = Yard::new();
    let mut shop = Shop::start(&yard);
    yard.file("empty.pid", "\n");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port();
    let by_port = format!("{{ port: {nobody} }}");
    for (attach, why) in [
        ("{ pid-file: gone.pid }", "gone.pid"),
        ("{ pid-file: empty.pid }", "no process id"),
        (&by_port, "nobody listens"),
    ] {
        yard.file("attached.yaml", &drill(&shop.address, attach, "4s", ""));
        let ended = yard.run(&["run", "attached.yaml"]).expect(3);
        assert!(ended.all().contains(why), "{attach}: {}", ended.all());
    }
    shop.assert_untouched(&yard);
}

#[test]
fn an_attached_process_goes_on_after_ctrl_c_in_its_pause() {
    let yard = Yard::new();
    let mut shop = Shop::start(&yard);
    yard.file("attached.yaml", &drill(&shop.address, "{ pid-file: shop.pid }", "110s", LONG_PAUSE));
    let mut harness = yard.start(&["run", "attached.yaml"]);
    assert!(harness.until(|| shop.is_paused()), "{}", harness.text("err"));
    harness.signal("INT");
    harness.wait().expect(4);
    shop.assert_untouched(&yard);
    yard.run(&["residue"]).expect(0);
}

#[test]
fn an_attached_process_goes_on_after_the_harness_was_killed_in_its_pause() {
    let yard = Yard::new();
    let mut shop = Shop::start(&yard);
    let attach = format!("{{ port: {} }}", shop.port());
    yard.file("attached.yaml", &drill(&shop.address, &attach, "110s", LONG_PAUSE));
    let mut harness = yard.start(&["run", "attached.yaml"]);
    assert!(harness.until(|| shop.is_paused()), "{}", harness.text("err"));
    harness.signal("KILL");
    assert_eq!(harness.wait().signal, Some(9));
    yard.run(&["recover"]).expect(0);
    shop.assert_untouched(&yard);
    yard.run(&["residue"]).expect(0);
}

#[test]
fn to_kill_an_attached_process_is_refused() {
    let yard = Yard::new();
    let mut shop = Shop::start(&yard);
    let text =
        drill(&shop.address, "{ pid-file: shop.pid }", "4s", "gone: { at: 1s, for: 1s, kill: { process: shop } }");
    yard.file("attached.yaml", &text);
    let line = 1 + text.lines().position(|line| line.contains("kill:")).expect("its line");
    for command in ["check", "run"] {
        let ended = yard.run(&[command, "attached.yaml"]).expect(2);
        let place = format!("attached.yaml:{line}:");
        assert!(ended.all().contains(&place) && ended.all().contains("kill-attached"), "{}", ended.all());
    }
    assert!(yard.runs().is_empty(), "nothing ran");
    shop.assert_untouched(&yard);
}
