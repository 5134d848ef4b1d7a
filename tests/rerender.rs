//! A report is a function of the stored run: the same bytes from a copy elsewhere, in another time zone and locale;
//! other bytes when a figure of the record changes.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::Yard;

const DRILL: &str = r#"peakdrill: 1
name: printed
title: { en: Printed twice, zh: 打印两次 }
seed: 3
platform:
  allow: [127.0.0.0/8]
  processes:
    shop: { run: [peakdrill, shop, all, --listen, "{{ address }}", --data, "{{ folder }}"], ready: { get: /healthz } }
  endpoints: { shop: "http://{{ process.shop.address }}" }
  watch: { shop: { process: shop } }
journeys:
  look:
    - get: /products
      name: list products
load:
  shoppers: { mix: { look: 1 }, arrivals: [ { hold: { rate: 50/s, for: 4s, phase: all } } ] }
faults:
  frozen: { at: 1s, for: 500ms, pause: { process: shop } }
limits: { lag: 500ms }
targets:
  up: { measure: availability, at-least: 50% }
  fast: { measure: p50, at-most: 2s }
"#;

/// The files that a report is made of, by their name.
fn rendered(run: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![run.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the run") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if is_rendered(&path) {
                let name = path.strip_prefix(run).expect("below the run").display().to_string();
                found.insert(name, fs::read(&path).expect("its bytes"));
            }
        }
    }
    found
}

fn is_rendered(path: &Path) -> bool {
    let name = path.file_name().expect("a name").to_string_lossy();
    name == "summary.json" || name == "report.html" || name.ends_with(".svg") || name.ends_with(".png")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder of the run") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else if !is_rendered(&path) {
            fs::copy(&path, &target).expect("a copy");
        }
    }
}

fn names(files: &BTreeMap<String, Vec<u8>>) -> Vec<&str> {
    files.keys().map(String::as_str).collect()
}

#[test]
fn a_report_is_made_of_its_record_alone() {
    let yard = Yard::new();
    yard.file("printed.yaml", DRILL);
    yard.run(&["run", "printed.yaml"]).expect(0);
    let run = yard.last_run();
    let first = rendered(&run);
    assert!(first.contains_key("report.html") && first.contains_key("summary.json"), "{:?}", names(&first));

    // Elsewhere, with every rendered file left out.
    let elsewhere = yard.path().join("else where/運行");
    copy(&run, &elsewhere);
    assert!(rendered(&elsewhere).is_empty());
    let mut command = yard.command(["report", "."]);
    command.current_dir(&elsewhere).env("TZ", "Asia/Kathmandu").env("LC_ALL", "zh_CN.UTF-8").env("LANG", "zh_CN.UTF-8");
    common::Running::new(command).wait().expect(0);
    let second = rendered(&elsewhere);
    assert_eq!(names(&first), names(&second));
    for (name, bytes) in &first {
        assert!(bytes == &second[name], "{name} differs between the run and its copy");
    }

    // A thousand answers more in every cell, of both books.
    let changed = yard.path().join("changed");
    copy(&run, &changed);
    let windows = changed.join("windows.jsonl");
    let text = fs::read_to_string(&windows).expect("windows.jsonl");
    let other = more(&text);
    assert_ne!(text, other, "a count was changed");
    fs::write(&windows, other).expect("the changed record");
    let code = yard.run(&["report", "changed"]).code;
    assert!(matches!(code, Some(0 | 1 | 3)), "{code:?}");
    let third = rendered(&changed);
    for name in ["report.html", "summary.json"] {
        assert!(first[name] != third[name], "{name} is the same although a figure changed");
    }
}

fn more(text: &str) -> String {
    let pattern = regex::Regex::new(r#""ok":([1-9]\d*)"#).expect("a pattern");
    let add = |found: &regex::Captures<'_>| format!("\"ok\":{}", found[1].parse::<u64>().expect("a count") + 1000);
    pattern.replace_all(text, add).into_owned()
}

#[test]
fn both_languages_say_the_same_figures() {
    let yard = Yard::new();
    yard.file("printed.yaml", DRILL);
    yard.run(&["run", "printed.yaml"]).expect(0);
    let run: PathBuf = yard.last_run();
    let english = rendered(&run);
    let path = run.to_str().expect("a plain path");
    yard.run(&["report", path, "--lang", "zh"]).expect(0);
    let chinese = rendered(&run);
    assert_eq!(english["summary.json"], chinese["summary.json"], "the summary is for programs: it has no language");
    let html = String::from_utf8(chinese["report.html"].clone()).expect("UTF-8");
    assert!(html.contains("打印两次") && html != String::from_utf8_lossy(&english["report.html"]));
}

/// The sample that is kept in the project is one of this version: it can be read, and says what it said.
#[test]
fn the_sample_in_the_project_can_be_rendered() {
    let yard = Yard::new();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/sample");
    let kept = yard.path().join("sample");
    copy(&sample, &kept);
    yard.run(&["report", "sample"]).expect(0);
    let (then, now) = (common::summary(&sample), common::summary(&kept));
    assert_eq!(then["verdict"], now["verdict"]);
    assert_eq!(then["targets"], now["targets"]);
    assert!(then["targets"].as_array().is_some_and(|targets| targets.len() > 5));
}
