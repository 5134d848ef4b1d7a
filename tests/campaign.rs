//! A campaign of kills: a hundred drills with every kind of fault that this machine can make, each killed at a moment of
//! its own, by SIGKILL to the harness, to its guardian, or to both. What is left afterwards is nothing.
//!
//! ```text
//! cargo test --release --test campaign -- --ignored --nocapture
//! ```
//!
//! PEAKDRILL_TEST_ROUNDS says how many rounds, PEAKDRILL_TEST_SEED which. It takes about ten minutes.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::strangers::Strangers;
use common::{Yard, deal, events, wait};

const ROUNDS: u64 = 100;
const SEED: u64 = 20_091_111;
/// From the start of the program to after the drill's last fault.
const SPAN_MS: u64 = 7_000;
const DRILLS: [&str; 3] = [
    include_str!("campaign/processes.yaml"),
    include_str!("campaign/links.yaml"),
    include_str!("campaign/networks.yaml"),
];

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    Harness,
    Guardian,
    Both,
}

/// The finalizer of SplitMix64: moments that look random, and are the same in every campaign of one seed.
fn moment(seed: u64, round: u64) -> Duration {
    let mut z = seed.wrapping_add((round + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    Duration::from_millis((z ^ (z >> 31)) % SPAN_MS)
}

/// What one round showed.
struct Told {
    victim: Victim,
    /// The verbs of faults that had bitten by then, and of those that were in force.
    bitten: BTreeSet<String>,
    in_force: BTreeSet<String>,
    recorded: bool,
}

/// The process's child that guards it.
fn guardian_of(pid: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    let guards = |pid: &&str| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        words.split(|byte| *byte == 0).any(|word| word == b"guardian")
    };
    children.split(' ').find(guards)?.parse().ok()
}

fn kill(pids: &[u32]) {
    if pids.is_empty() {
        // It has not begun yet.
        return;
    }
    let _ = Command::new("kill").arg("-KILL").args(pids.iter().map(u32::to_string)).status();
}

/// The verb of a fault's kind as it is stored.
fn verb(fault: &serde_json::Value) -> String {
    let kind = fault["kind"].as_object().and_then(|kind| kind.iter().next());
    let Some((name, what)) = kind else { return fault["kind"].to_string() };
    let inner = match name.as_str() {
        "link" => &what["flaw"]["kind"],
        "between" => &what["harm"],
        "shape" => &what["shape"],
        _ => return name.clone(),
    };
    let inner = inner.as_str().map(str::to_owned).or_else(|| Some(inner.as_object()?.keys().next()?.clone()));
    let place = if name == "link" { "a link" } else { "a network" };
    format!("{} ({place})", inner.unwrap_or_default())
}

fn round(seed: u64, round: u64, strangers: &Strangers) -> Result<Told, String> {
    let at = moment(seed, round);
    let victim = [Victim::Harness, Victim::Guardian, Victim::Both][(round / 3 % 3) as usize];
    let yard = Yard::new();
    let name = format!("campaign-{round:03}");
    // Rounds go on side by side: each has a network of its own.
    let subnet = format!("198.18.{}.0/24", 100 + round % 100);
    let text = DRILLS[(round % 3) as usize].replace("NAME", &name).replace("SUBNET", &subnet);
    yard.file("drill.yaml", &text);
    let (before, _) = yard.judge(&["snapshot", "--name", &name]);
    let before = yard.file("before.json", &before).to_str().expect("a plain path").to_owned();
    let drill = yard.start(&["run", "drill.yaml"]);
    wait(at);
    let pid = drill.pid();
    match victim {
        Victim::Harness => kill(&[pid]),
        Victim::Guardian => kill(&Vec::from_iter(guardian_of(pid))),
        Victim::Both => kill(&Vec::from_iter(guardian_of(pid).into_iter().chain([pid]))),
    }
    // Where it lives, it finds out that nobody guards it, heals and ends, or was over before.
    let ended = drill.wait();
    let ours = |what: &str, text: &str| format!("seed {seed}, round {round}, {victim:?} at {at:?}: {what}: {text}");
    if victim != Victim::Guardian && ended.signal != Some(9) {
        return Err(ours("it ended before it was killed", &ended.all()));
    }
    let recovered = yard.run(&["recover"]);
    if recovered.code != Some(0) {
        return Err(ours("recover", &format!("{recovered:#?}")));
    }
    let (left, clean) = yard.judge(&[
        "compare",
        &before,
        "--name",
        &name,
        "--within",
        "5",
        "--allow",
        "*/reports",
        "--allow",
        "*/reports/*",
        "--allow",
        "*/before.json",
    ]);
    if !clean {
        return Err(ours("left behind", &left));
    }
    strangers.harm().map_or(Ok(()), |what| Err(ours("a stranger was harmed", &what)))?;
    let listed = yard.run(&["runs", "list"]);
    if listed.code != Some(0) {
        return Err(ours("runs list", &format!("{listed:#?}")));
    }
    let mut told = Told { victim, bitten: BTreeSet::new(), in_force: BTreeSet::new(), recorded: false };
    for run in yard.runs() {
        look(&run, &mut told);
        let report = yard.run(&["report", run.to_str().expect("a plain path")]);
        // A run that was cut off proves nothing, whatever it had measured; one that was over may have passed.
        let may_pass = victim == Victim::Guardian;
        let fits = matches!(report.code, Some(1 | 3 | 4)) || (may_pass && report.code == Some(0));
        if !fits {
            return Err(ours("report", &format!("{report:#?}")));
        }
        told.recorded = true;
    }
    Ok(told)
}

fn look(run: &Path, told: &mut Told) {
    let plan = fs::read_to_string(run.join("plan.json")).unwrap_or_default();
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap_or_default();
    let mut state: BTreeMap<u64, String> = BTreeMap::new();
    for entry in events(run).iter().filter(|entry| entry["event"] == "fault") {
        let (Some(fault), Some(moment)) = (entry["fault"].as_u64(), entry["what"]["moment"].as_str()) else { continue };
        state.insert(fault, moment.to_owned());
        if moment == "effective" {
            told.bitten.insert(verb(&plan["faults"][fault as usize]));
        }
    }
    for (fault, moment) in state {
        if matches!(moment.as_str(), "effective" | "heal-ordered") {
            told.in_force.insert(verb(&plan["faults"][fault as usize]));
        }
    }
}

#[test]
#[ignore = "about ten minutes"]
#[allow(clippy::print_stderr)]
fn nothing_is_left_whoever_is_killed_whenever() {
    let number =
        |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (rounds, seed) = (number("PEAKDRILL_TEST_ROUNDS", ROUNDS), number("PEAKDRILL_TEST_SEED", SEED));
    let yard = Yard::new();
    for (index, text) in DRILLS.iter().enumerate() {
        let file = format!("drill-{index}.yaml");
        yard.file(&file, &text.replace("NAME", "campaign").replace("SUBNET", "198.18.99.0/24"));
        let checked = yard.run(&["check", "--host", &file]);
        assert_eq!(checked.code, Some(0), "what this host cannot make has to be left out by hand: {}", checked.all());
    }
    // What no drill here has, and why.
    yard.file(
        "netem.yaml",
        &DRILLS[2]
            .replace("NAME", "campaign")
            .replace("SUBNET", "198.18.99.0/24")
            .replace("throttle: { process: node_1, rate: 200KB/s }", "delay: { process: node_1, latency: 20ms }"),
    );
    let netem = yard.run(&["check", "--host", "netem.yaml"]);
    let strangers = Strangers::plant();
    let results = deal(rounds, 2, |k| {
        let result = round(seed, k, &strangers);
        if let Err(why) = &result {
            eprintln!("{why}");
        }
        result
    });
    let wrong: Vec<&String> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    let told: Vec<&Told> = results.iter().filter_map(|result| result.as_ref().ok()).collect();
    let mut kinds: BTreeMap<&String, (usize, usize)> = BTreeMap::new();
    for one in &told {
        one.bitten.iter().for_each(|verb| kinds.entry(verb).or_default().0 += 1);
        one.in_force.iter().for_each(|verb| kinds.entry(verb).or_default().1 += 1);
    }
    eprintln!("{rounds} rounds with seed {seed}");
    for victim in [Victim::Harness, Victim::Guardian, Victim::Both] {
        eprintln!("{:>5} times killed: {victim:?}", told.iter().filter(|one| one.victim == victim).count());
    }
    eprintln!("{:>5} of them had begun a record", told.iter().filter(|one| one.recorded).count());
    eprintln!(
        "{} kinds of faults; in how many rounds each had bitten, and was in force when its record ends:",
        kinds.len()
    );
    for (verb, (bitten, in_force)) in &kinds {
        eprintln!("{bitten:>5} {in_force:>5}  {verb}");
    }
    if netem.code != Some(0) {
        eprintln!("not made here: delay (a network): {}", netem.all().lines().next().unwrap_or_default());
    }
    assert!(wrong.is_empty(), "{} of {rounds} rounds: {wrong:#?}", wrong.len());
    if rounds >= ROUNDS {
        assert!(kinds.len() >= 14, "{} kinds", kinds.len());
        assert!(
            kinds.values().filter(|(_, in_force)| *in_force > 0).count() >= 14,
            "too few were in force when it was killed"
        );
    }
}
