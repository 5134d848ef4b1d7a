//! Whole drills whose processes live in networks of their own, and what is left when the harness dies.

mod common;

use std::fs;
use std::process::Command;

use common::{Running, Yard, deal, events, eventually, summary};

/// True, and said, where networks cannot be made.
#[allow(clippy::print_stderr)]
fn skipped() -> bool {
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"));
    let tools = ["ip", "nft", "tc"].iter().all(|tool| Command::new(tool).arg("-V").output().is_ok());
    let may = root && tools;
    assert!(may || std::env::var_os("CI").is_none(), "networks need root, iproute2 and nftables");
    if !may {
        eprintln!("SKIPPED: networks need root, iproute2 and nftables");
    }
    !may
}

/// A shop in the network `subnet`, whose node reaches the store by itself and by a link, and a program that stays silent.
fn drill(name: &str, subnet: &str, rest: &str) -> String {
    format!(
        r#"peakdrill: 1
name: {name}
seed: 5
platform:
  allow: [127.0.0.0/8, {subnet}]
  networks: {{ inner: {{ subnet: {subnet} }} }}
  processes:
    store:
      network: inner
      run: [peakdrill, shop, store, --listen, "{{{{ address }}}}", --data, "{{{{ folder }}}}"]
      ready: {{ get: /healthz }}
    node:
      network: inner
      run: [peakdrill, shop, node, --listen, "{{{{ address }}}}", --store, "{{{{ process.store.address }}}}", --store-timeout, 300ms]
      ready: {{ get: /healthz }}
    other:
      network: inner
      run: [peakdrill, shop, node, --listen, "{{{{ address }}}}", --store, "{{{{ link.way.address }}}}"]
      ready: {{ get: /healthz }}
    silent:
      network: inner
      run: [peakdrill, shop, store, --listen, "{{{{ address }}}}", --data, "{{{{ folder }}}}"]
      ready: {{ get: /healthz }}
  links: {{ way: {{ to: "{{{{ process.store.address }}}}", protocol: http }} }}
  endpoints: {{ shop: "http://{{{{ process.node.address }}}}", other: "http://{{{{ process.other.address }}}}" }}
  watch: {{ node: {{ process: node }} }}
feeds: {{ sku: {{ range: 1..200, pick: random }} }}
journeys:
  look:
    - post: /orders
      name: direct
      endpoint: shop
      headers: {{ Idempotency-Key: "{{{{ uuid() }}}}" }}
      json: {{ sku: "{{{{ feed.sku }}}}", quantity: 1, buyer: 7 }}
      expect: {{ status: 201 }}
      timeout: 1s
      on-failure: continue
    - post: /orders
      name: by the link
      endpoint: other
      headers: {{ Idempotency-Key: "{{{{ uuid() }}}}" }}
      json: {{ sku: "{{{{ feed.sku }}}}", quantity: 1, buyer: 7 }}
      expect: {{ status: 201 }}
load:
  shoppers:
    mix: {{ look: 1 }}
    arrivals: [ {{ hold: {{ rate: 30/s, for: 1s, phase: before }} }}, {{ hold: {{ rate: 30/s, for: 4s, phase: hurt }} }}, {{ hold: {{ rate: 30/s, for: 3s, phase: after }} }} ]
# Other tests run meanwhile: how punctual the arrivals are is not what is tried here.
limits: {{ lag: 500ms, patience: 5s }}
{rest}"#
    )
}

fn fault(what: &str) -> String {
    format!("faults:\n  broken: {{ at: hurt + 500ms, for: 2s, {what} }}\n")
}

fn pins(name: &str) -> Vec<String> {
    let entries = fs::read_dir("/run/netns").into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|pin| pin.contains(name)).collect()
}

#[test]
fn each_fault_between_processes_is_felt_by_those_who_ask() {
    if skipped() {
        return;
    }
    let cases = [
        ("partition: { between: [node, store] }", "availability, step: direct, phase: hurt, at-most: 75%"),
        (
            "partition: { between: [node, [store, silent]] }, direction: up",
            "availability, step: direct, phase: hurt, at-most: 75%",
        ),
        ("drop: { between: [store, node], share: 60% }", "availability, step: direct, phase: hurt, at-most: 90%"),
        ("refuse: { between: [node, store] }", "availability, step: direct, phase: hurt, at-most: 75%"),
        ("reset: { between: [node, store] }, direction: up", "availability, step: direct, phase: hurt, at-most: 75%"),
        ("throttle: { process: node, rate: 20KB/s }", "p75, step: direct, phase: hurt, at-least: 50ms"),
    ];
    let all = |(index, (what, hurts)): (usize, (&str, &str))| {
        let (yard, name) = (Yard::new(), format!("felt-{index}"));
        let targets = format!(
            "targets:\n  hurts: {{ measure: {hurts} }}\n  after: {{ measure: availability, step: direct, phase: after, at-least: 90% }}\n  \
             link: {{ measure: availability, step: by the link, at-least: 95% }}\n"
        );
        yard.file("drill.yaml", &drill(&name, &format!("198.19.241.{}/28", index * 16), &(fault(what) + &targets)));
        let ended = yard.run(&["run", "drill.yaml"]);
        assert_eq!(ended.code, Some(0), "{what}: {}", ended.all());
        let found = &summary(&yard.last_run())["faults"][0];
        assert!(found["effective"].is_f64() && found["healed"].is_f64(), "{what}: {found:#}");
        assert_eq!(pins(&name), [] as [String; 0], "{what}");
    };
    deal(cases.len() as u64, 3, |index| all((index as usize, cases[index as usize])));
}

#[test]
fn between_two_that_never_talk_a_drill_is_inconclusive() {
    if skipped() {
        return;
    }
    let yard = Yard::new();
    let targets =
        "steady-state: { ordering: { hold: 500ms, must: [ { measure: availability, at-least: 90%, over: 1s } ] } }
targets: { rto: { measure: recovery-time, fault: broken, to: ordering, at-most: 1s } }
";
    let what = fault("partition: { between: [silent, store] }") + targets;
    yard.file("drill.yaml", &drill("untalked", "198.19.242.0/28", &what));
    let ended = yard.run(&["run", "drill.yaml"]).expect(3);
    assert!(ended.all().contains("the two sides sent each other nothing that it could have bitten"), "{}", ended.all());
    assert_eq!(pins("untalked"), [] as [String; 0]);
}

/// The same, but that the node finds the store, and the other the link, by their names; `hurt` tears the node's connection, which
/// it then has to look the store up for.
fn by_names(name: &str, subnet: &str, broken: &str, rest: &str) -> String {
    let faults = format!(
        "faults:\n  torn: {{ at: hurt + 500ms, for: 500ms, reset: {{ between: [node, store] }}, direction: up }}\n  broken: {{ at: hurt + 400ms, for: 2s, \
         break-dns: {{ {broken} }} }}\n"
    );
    drill(name, subnet, &(faults + rest))
        .replace("--store, \"{{ process.store.address }}\"", "--store, \"store:{{ process.store.port }}\"")
        .replace("--store, \"{{ link.way.address }}\"", "--store, \"way.shop.internal:{{ link.way.port }}\"")
        .replace("links: { way: { ", "links: { way: { names: [way.shop.internal], ")
}

#[test]
fn those_who_look_each_other_up_are_misled_and_found_again() {
    if skipped() {
        return;
    }
    let cases = [
        ("process: node, answer: nothing", "was not answered"),
        ("process: node, names: [Store], answer: missing", "there are none such"),
        ("process: node, names: [store], answer: failed", "the server cannot tell"),
        ("process: node, names: [store], answer: wrong", "an address that nobody has"),
        ("process: node, names: [store], latency: 10s", "was answered 10 s late"),
    ];
    let all = |(index, (what, said)): (usize, (&str, &str))| {
        let (yard, name) = (Yard::new(), format!("misled-{index}"));
        // The torn connection alone would cost half a second of four.
        let targets = "targets:\n  hurts: { measure: availability, step: direct, phase: hurt, at-most: 65% }\n  \
                       after: { measure: availability, step: direct, phase: after, at-least: 90% }\n  \
                       link: { measure: availability, step: by the link, at-least: 95% }\n";
        yard.file("drill.yaml", &by_names(&name, &format!("198.19.243.{}/28", index * 16), what, targets));
        let ended = yard.run(&["run", "drill.yaml"]);
        assert_eq!(ended.code, Some(0), "{what}: {}", ended.all());
        let found = summary(&yard.last_run())["faults"].clone();
        let broken =
            found.as_array().expect("faults").iter().find(|one| one["name"] == "broken").expect("it was there");
        assert!(broken["effective"].is_f64() && broken["healed"].is_f64(), "{what}: {broken:#}");
        let told = yard.run(&["report", &yard.last_run().to_string_lossy()]).expect(0);
        let page = fs::read_to_string(yard.last_run().join("report.html")).expect("a page");
        assert!(page.contains(said), "{what}: {}", told.all());
        assert_eq!(pins(&name), [] as [String; 0], "{what}");
    };
    deal(cases.len() as u64, 5, |index| all((index as usize, cases[index as usize])));
}

#[test]
fn who_looks_nobody_up_makes_a_fault_of_names_inconclusive() {
    if skipped() {
        return;
    }
    let yard = Yard::new();
    let targets =
        "steady-state: { ordering: { hold: 500ms, must: [ { measure: availability, at-least: 90%, over: 1s } ] } }
targets: { rto: { measure: recovery-time, fault: broken, to: ordering, at-most: 1s } }
";
    let what = fault("break-dns: { process: node, answer: nothing }") + targets;
    yard.file("drill.yaml", &drill("unasked", "198.19.243.80/28", &what));
    let ended = yard.run(&["run", "drill.yaml"]).expect(3);
    assert!(ended.all().contains("asked for no name that is broken"), "{}", ended.all());
    assert_eq!(pins("unasked"), [] as [String; 0]);
}

/// The drill, until its fault bites.
fn bitten(yard: &Yard) -> Running {
    let mut drill = yard.start(&["run", "drill.yaml"]);
    let bites = |yard: &Yard| {
        yard.runs().last().is_some_and(|run| events(run).iter().any(|one| one.to_string().contains("\"effective\"")))
    };
    assert!(drill.until(|| bites(yard)), "{}{}", drill.text("out"), drill.text("err"));
    drill
}

#[test]
fn when_the_harness_dies_all_networks_go_and_a_look_alike_stays() {
    if skipped() {
        return;
    }
    for (guarded, name, subnet) in [(true, "dies", "198.19.242.16/28"), (false, "orphan", "198.19.242.32/28")] {
        let yard = Yard::new();
        let (before, _) = yard.judge(&["snapshot", "--name", name]);
        let before = yard.file("before.json", &before);
        yard.file("drill.yaml", &drill(name, subnet, &fault("partition: { between: [node, store] }")));
        let drill = bitten(&yard);
        assert_eq!(pins(name).len(), 5, "four processes and a router");
        // Named as one of a dead harness of ours, and not marked by it.
        let foreign = format!("peakdrill-lookalike{}-1.1-node", u8::from(guarded));
        let ip =
            |words: &[&str]| assert!(Command::new("ip").args(words).status().expect("ip runs").success(), "{words:?}");
        ip(&["netns", "add", &foreign]);
        if !guarded {
            let guardian = yard.process("guardian").expect("a guardian");
            assert!(Command::new("kill").args(["-KILL", &guardian.to_string()]).status().expect("kill runs").success());
        }
        drill.signal("KILL");
        drill.wait();
        if guarded {
            eventually("the guardian's work", || pins(name).is_empty());
        } else {
            // The run's folder is lost, and with it the journal: their names and marks are left.
            fs::remove_dir_all(yard.path().join("reports")).expect("the folder of runs");
            let left = yard.run(&["residue"]);
            assert!(left.code != Some(0) && left.all().contains("network namespace peakdrill-"), "{}", left.all());
            assert!(!left.all().contains(&foreign), "{}", left.all());
        }
        yard.run(&["recover"]).expect(0);
        let before = before.to_str().expect("a plain path");
        let within = ["--name", name, "--within", "5", "--allow", "*/reports", "--allow", "*/reports/*"];
        let foreigners = ["--allow", "*/before.json", "--allow", "*/drill.yaml", "--allow", "*lookalike*"];
        let (left, clean) = yard.judge(&[&["compare", before], &within[..], &foreigners[..]].concat());
        assert!(clean, "{left}");
        assert!(fs::exists(format!("/run/netns/{foreign}")).expect("its pin"), "what is not ours stays");
        ip(&["netns", "delete", &foreign]);
    }
}

#[test]
fn without_the_rights_nothing_is_started() {
    if skipped() {
        return;
    }
    let yard = Yard::new();
    yard.file("drill.yaml", &drill("powerless", "198.19.242.48/28", ""));
    let program = yard.program().display().to_string();
    let words = ["--bounding-set", "-net_admin", "--inh-caps", "-net_admin", &program, "run", "drill.yaml"];
    let ended = Running::new(yard.command_of("setpriv", words)).wait();
    assert!(ended.code != Some(0) && ended.all().contains("CAP_NET_ADMIN"), "{ended:#?}");
    assert_eq!(pins("powerless"), [] as [String; 0]);
    let outputs = yard.runs().last().map(|run| fs::read_dir(run.join("output")).map_or(0, Iterator::count));
    assert_eq!(outputs.unwrap_or(0), 0, "no process has said anything");
}

#[test]
fn a_delay_that_the_kernel_does_not_know_is_refused_before_anything_starts() {
    if skipped() {
        return;
    }
    let yard = Yard::new();
    yard.file("drill.yaml", &drill("late", "198.19.242.64/28", &fault("delay: { process: node, latency: 50ms }")));
    let ended = yard.run(&["run", "drill.yaml"]);
    let knows = Command::new("unshare")
        .args(["-n", "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"])
        .output()
        .is_ok_and(|output| output.status.success());
    if knows {
        assert_eq!(ended.code, Some(0), "{}", ended.all());
    } else {
        assert!(ended.code != Some(0) && ended.all().contains("put a link before the process"), "{}", ended.all());
    }
    assert_eq!(pins("late"), [] as [String; 0]);
}
