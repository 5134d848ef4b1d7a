//! The scenarios that ship: accepted in every profile, short where they promise it, and refused word by word where they
//! use what is not built yet.

mod common;

use std::path::Path;

use common::Yard;
use serde_json::Value;

/// Those that use nothing but what is built.
const SHIPPED: [&str; 18] = [
    "presale-peak.yaml",
    "order-lifecycle.yaml",
    "merchant-day.yaml",
    "mixed-models.yaml",
    "after-sales-surge.yaml",
    "quickstart.yaml",
    "flash-sale.yaml",
    "replay.yaml",
    "capacity.yaml",
    "soak.yaml",
    "network-partition.yaml",
    "slow-payment.yaml",
    "dependency-errors.yaml",
    "resource-pressure.yaml",
    "node-storm.yaml",
    "gateway-loss.yaml",
    "zone-loss.yaml",
    "slow-start.yaml",
];

fn shipped(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name).display().to_string()
}

#[test]
fn every_profile_of_the_shipped_scenarios_is_accepted() {
    let yard = Yard::new();
    let all = SHIPPED.map(shipped);
    let arguments: Vec<&str> = ["check"].into_iter().chain(all.iter().map(String::as_str)).collect();
    let ended = yard.run(&arguments).expect(0);
    assert!(!ended.all().contains("warning"), "{}", ended.all());
    for file in &all {
        let ended = yard.run(&["plan", file, "--profile", "smoke", "--format", "json"]).expect(0);
        let plan: Value = serde_json::from_str(&ended.out).expect("a plan as JSON");
        let seconds = plan["end"].as_f64().expect("the end, in nanoseconds") / 1e9;
        // A search ends with its answer; its plan has the latest that it could take.
        let most = if file.ends_with("capacity.yaml") { 1_800.0 } else { 34.0 };
        assert!((1.0..=most).contains(&seconds), "{file} runs for {seconds} s");
        assert_eq!(plan["profile"], "smoke");
    }
    let lines = std::fs::read_to_string(shipped("quickstart.yaml")).expect("the file").lines().count();
    assert!(lines <= 20, "the quickstart has {lines} lines");
}

#[test]
fn what_is_not_built_yet_is_refused_by_name_and_line() {
    let yard = Yard::new();
    let file = shipped("primary-loss-at-peak.yaml");
    let ended = yard.run(&["check", &file, "--format", "json"]).expect(2);
    let found: Value = serde_json::from_str(&ended.out).expect("JSON");
    let said: Vec<String> = found
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| format!("{}:{} {}", one["line"], one["column"], one["message"].as_str().unwrap_or_default()))
        .collect();
    let expected = [
        "40:1 `ledgers`",
        "58:7 `acknowledge`",
        "99:29 `data-loss-window`",
        "99:47 `ledger`",
        "100:29 `lost-writes`",
        "100:42 `ledger`",
    ]
    .map(|place| format!("{place} is not supported yet"));
    assert_eq!(said, expected, "and nothing else is wrong with it, in any profile");
}

#[test]
fn the_schema_knows_the_words_of_the_shipped_scenarios() {
    let yard = Yard::new();
    let schema: Value = serde_json::from_str(&yard.run(&["schema"]).expect(0).out).expect("a schema as JSON");
    let schema = jsonschema::validator_for(&schema).expect("a sound schema");
    for name in SHIPPED {
        let text = std::fs::read_to_string(shipped(name)).expect("the file");
        let value: Value = serde_yaml::from_str(&text).expect("YAML");
        let wrong: Vec<String> =
            schema.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
    }
}

/// Every word of the README's table, but for what stands in `{{ … }}` and the examples of units and addresses.
#[test]
fn the_readme_names_words_that_exist_and_shows_the_quickstart_as_it_is() {
    let yard = Yard::new();
    let schema = yard.run(&["schema"]).expect(0).out;
    let readme = include_str!("../README.md");
    let from = readme.find("\n## The words").expect("a section on the words");
    let table = readme[from..].split("\n### ").next().expect("the table");
    let rows = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| units") && !line.starts_with("| in `{{"));
    let mut unknown = Vec::new();
    let mut words = 0;
    for word in rows.flat_map(|row| row.split('`').skip(1).step_by(2)).filter(|word| !word.contains(":/")) {
        words += 1;
        let percentile = word.strip_prefix('p').is_some_and(|rest| rest.parse::<f64>().is_ok());
        if !percentile && !schema.contains(&format!("\"{word}\"")) {
            unknown.push(word);
        }
    }
    assert!(words > 100, "{words} words");
    assert!(unknown.is_empty(), "not in the schema: {unknown:?}");
    assert!(
        readme.contains(include_str!("../scenarios/quickstart.yaml").trim_end()),
        "the README shows another quickstart"
    );
}

#[test]
fn the_fault_by_kubectl_is_accepted_as_both_readmes_show_it() {
    let yard = Yard::new();
    let shown = |readme: &str| {
        let (_, section) = readme.split_once("# Kubernetes\n").expect("a section on Kubernetes");
        let (_, fragment) = section.split_once("```yaml\n").expect("a fragment");
        fragment.split("```").next().expect("its end").to_owned()
    };
    let fragment = shown(include_str!("../README.md"));
    assert_eq!(fragment, shown(include_str!("../README.zh.md")));
    let quickstart = include_str!("../scenarios/quickstart.yaml");
    // In every profile longer than the fault.
    let phased = quickstart
        .replace("time: 5s", "time: 15s")
        .replace("for: \"{{ vars.time }}\" }", "for: \"{{ vars.time }}\", phase: outage }");
    let file = yard.file("kubernetes.yaml", &format!("{phased}{fragment}"));
    let file = file.to_str().expect("a plain path");
    yard.run(&["check", file]).expect(0);
    let plan: Value = serde_json::from_str(&yard.run(&["plan", file, "--format", "json"]).expect(0).out).expect("JSON");
    assert_eq!(plan["faults"][0]["name"], "no-payment");
}
