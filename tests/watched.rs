//! Watched figures in whole drills: what a platform's own page tells is recorded, judged and shown.

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{Yard, events, summary};

/// Serves pages of figures on a thread of its own, as long as the test lives: `/PAGE` at its nth reading.
fn pages(page: impl Fn(&str, u64) -> Option<String> + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let readings: [AtomicU64; 4] = Default::default();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut asked = [0; 4096];
            let size = stream.read(&mut asked).unwrap_or(0);
            let asked = String::from_utf8_lossy(&asked[..size]).into_owned();
            let path = asked.split(' ').nth(1).unwrap_or("/").to_owned();
            let place = ["/steady", "/restarted", "/failing", "/empty"].iter().position(|known| *known == path);
            let nth = place.map_or(0, |place| readings[place].fetch_add(1, Ordering::SeqCst));
            let (status, body) = page(&path, nth).map_or((500, String::new()), |body| (200, body));
            let _ = write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        }
    });
    port
}

fn drill(port: u16, rest: &str) -> String {
    format!(
        r#"peakdrill: 1
name: watched
seed: 7
platform:
  allow: [127.0.0.0/8]
  processes:
    shop:
      run: [peakdrill, shop, all, --listen, "{{{{ address }}}}", --data, "{{{{ folder }}}}"]
      ready: {{ get: /healthz }}
  endpoints: {{ shop: "http://{{{{ process.shop.address }}}}" }}
  watch:
    own: {{ prometheus: "http://{{{{ process.shop.address }}}}/metrics", keep: [shop_orders_total, shop_orders] }}
    steady: {{ prometheus: "http://127.0.0.1:{port}/steady", keep: [returned_total, delivered_total, open] }}
    restarted: {{ prometheus: "http://127.0.0.1:{port}/restarted", keep: [returned_total] }}
    failing: {{ prometheus: "http://127.0.0.1:{port}/failing", keep: [returned_total] }}
    empty: {{ prometheus: "http://127.0.0.1:{port}/empty", keep: [returned_total] }}
    machine: {{ host: true }}
    return-rate:
      title: {{ en: Returned, zh: 商品退换率 }}
      ratio: {{ of: steady.returned_total, to: steady.delivered_total }}
journeys:
  buy:
    - post: /orders
      name: place order
      headers: {{ Idempotency-Key: "{{{{ uuid() }}}}" }}
      json: {{ sku: 1, quantity: 1, buyer: 5 }}
limits: {{ lag: 500ms }}
load:
  shoppers:
    mix: {{ buy: 1 }}
    arrivals:
      - hold: {{ rate: 20/s, for: 2s, phase: first }}
      - hold: {{ rate: 20/s, for: 2s, phase: second }}
{rest}"#
    )
}

/// At its nth reading: 3 of 100 are returned each time; restarted after the second; failing at the second; never there.
fn page(path: &str, nth: u64) -> Option<String> {
    let counters = |nth: u64| {
        format!(
            "# TYPE returned_total counter\nreturned_total{{why=\"a\"}} {}\nreturned_total{{why=\"b\"}} {nth}\n\
             # TYPE delivered_total counter\ndelivered_total {}\n# TYPE open gauge\nopen {}\n",
            nth * 2,
            nth * 100,
            nth % 2
        )
    };
    match path {
        "/steady" => Some(counters(nth + 50)),
        "/restarted" => Some(counters(if nth < 2 { 50 + nth } else { nth })),
        "/failing" => (nth != 1).then(|| counters(nth)),
        "/empty" => Some("# nothing yet\n".to_owned()),
        _ => None,
    }
}

#[test]
fn watched_figures_are_judged_recorded_and_shown() {
    let yard = Yard::new();
    let targets = "targets:
  returns: { measure: return-rate, at-most: 3% }
  returns-later: { measure: return-rate, phase: second, at-least: 3%, at-most: 3% }
  open: { measure: steady.open, at-most: 1, at-least: 0 }
  busy: { measure: machine.cpu, at-least: 0.01, at-most: 10000 }
  memory: { measure: machine.memory, at-least: 1MB }
  placed: { measure: own.shop_orders_total, at-least: 70 }
  placed-later: { measure: own.shop_orders_total, phase: second, at-least: 30, at-most: 60 }
";
    yard.file("good.yaml", &drill(pages(page), targets));
    yard.run(&["run", "good.yaml"]).expect(0);
    let run = yard.last_run();
    let summary = summary(&run);
    let watched = |name: &str| {
        let all = summary["watched"].as_array().expect("a list");
        all.iter().find(|figure| figure["name"] == name).unwrap_or_else(|| panic!("{name}: {all:#?}")).clone()
    };
    let returned = watched("steady.returned_total");
    assert_eq!(returned["kind"], "counter");
    let points = returned["points"].as_array().expect("its points");
    assert!(points.len() >= 4, "one a second: {points:?}");
    // Three more at each reading, and one reading at the end may be of the drain.
    let grown = returned["value"].as_f64().expect("its growth");
    let readings = [points.len() as f64 - 1.0, points.len() as f64 - 2.0];
    assert!(readings.contains(&(grown / 3.0)), "{returned:#}");
    assert_eq!((&watched("steady.open")["kind"], &watched("return-rate")["kind"]), (&"gauge".into(), &"ratio".into()));
    assert_eq!(watched("return-rate")["value"], 0.03);
    assert_eq!(watched("own.shop_orders")["kind"], "gauge");
    assert_eq!(watched("restarted.returned_total")["reason"], "reset");
    // The drill itself keeps the machine busy, and the machine is busy with no more cores than it has.
    let cores = std::fs::read_to_string("/proc/cpuinfo").expect("its CPUs").matches("processor\t").count() as f64;
    let busy = watched("machine.cpu");
    let greatest = busy["greatest"].as_f64().expect("busy cores");
    assert!(greatest > 0.01 && greatest < cores + 0.5, "{busy:#}");
    assert!(busy["points"].as_array().expect("its points").len() >= 3, "{busy:#}");
    assert_eq!(watched("machine.network-in")["kind"], "gauge");
    let target = summary["targets"].as_array().and_then(|all| all.iter().find(|one| one["name"] == "returns")).cloned();
    let target = target.expect("a target");
    assert_eq!((&target["measure"], &target["unit"]), (&"return-rate".into(), &"share".into()));
    assert!(events(&run).iter().any(|entry| entry["event"] == "scraped"), "in the record");
    for (lang, words) in [("zh", "监视指标"), ("en", "Watched figures")] {
        yard.run(&["report", "last", "--lang", lang]).expect(0);
        let text = std::fs::read_to_string(run.join("report.html")).expect("a page");
        assert!(text.contains(words) && text.contains("steady.returned_total"), "{lang}: it shows what was watched");
    }
    assert!(run.join("plots/watched-1.svg").is_file(), "and plots it");
    // What the record holds says the same again.
    let before = std::fs::read(run.join("summary.json")).expect("a summary");
    yard.run(&["report", "last"]).expect(0);
    assert_eq!(std::fs::read(run.join("summary.json")).expect("a summary"), before);
}

#[test]
fn what_cannot_be_known_of_a_watched_figure_is_inconclusive_and_a_bound_that_is_missed_fails() {
    let yard = Yard::new();
    let targets = "targets:
  restarted: { measure: restarted.returned_total, at-most: 1000 }
  failing: { measure: failing.returned_total, at-most: 1000 }
  empty: { measure: empty.returned_total, at-most: 1000 }
";
    yard.file("open.yaml", &drill(pages(page), targets));
    yard.run(&["run", "open.yaml"]).expect(3);
    let open = summary(&yard.last_run());
    let reasons: Vec<(&str, &str)> = open["targets"]
        .as_array()
        .expect("targets")
        .iter()
        .map(|target| (target["verdict"].as_str().unwrap_or(""), target["reason"].as_str().unwrap_or("")))
        .collect();
    let wanted = [("inconclusive", "reset"), ("inconclusive", "not-scraped"), ("inconclusive", "not-on-page")];
    assert_eq!(reasons, wanted, "{open:#}");
    assert!(open["targets"][1]["explanation"].as_str().is_some_and(|text| text.contains("status 500")), "{open:#}");

    let targets = "targets:\n  returns: { measure: return-rate, at-most: 2.9% }\n";
    yard.file("bad.yaml", &drill(pages(page), targets));
    yard.run(&["run", "bad.yaml"]).expect(1);
}
