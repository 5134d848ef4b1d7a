//! Includes, profiles, settings, vars.

use super::*;
use crate::base::units::{Rate, Span};

const BASE: &str = "peakdrill: 1
name: base
vars: { peak: 10/s, calm: 1m, path: /a }
profiles:
  smoke: { vars: { peak: 1/s }, journeys: { b: null }, limits: { drain: 5s } }
  bad: { vars: { peak: 5 }, journeys: { c: null } }
platform: { allow: [127.0.0.0/8], endpoints: { shop: http://127.0.0.1:1 } }
journeys: { a: [{ get: \"{{ vars.path }}\" }], b: [{ get: /b }] }
load: { x: { mix: { a: 1 }, arrivals: [{ hold: { rate: \"{{ vars.peak }}\", for: \"{{ vars.calm }}\" } }] } }
";

fn rate(scenario: &Scenario) -> Rate {
    let load = scenario.load.value().unwrap().get("x").unwrap();
    *load.arrivals.value().unwrap()[0].hold.value().unwrap().rate.value().unwrap()
}

fn lines(found: &[Diagnostic], sources: &Sources) -> Vec<String> {
    found.iter().map(|d| format!("{}: {}", sources.place(d.mark), d.message)).collect()
}

fn mistakes(text: &str, profile: Option<&str>, sets: &[&str]) -> Vec<String> {
    let (_, found, sources) = read(text, profile, sets);
    lines(&found, &sources)
}

#[test]
fn a_profile_is_laid_over_the_file_and_settings_over_both() {
    let (scenario, found, _) = read(BASE, None, &[]);
    assert_eq!(found, []);
    assert_eq!(rate(&scenario.unwrap()), Rate::per_second(10.0));

    let (scenario, found, _) = read(BASE, Some("smoke"), &[]);
    assert_eq!(found, []);
    let scenario = scenario.unwrap();
    assert_eq!(rate(&scenario), Rate::per_second(1.0));
    assert_eq!(scenario.journeys.value().unwrap().names().collect::<Vec<_>>(), ["a"]);
    assert_eq!(scenario.limits.value().unwrap().drain.value(), Some(&Span::seconds(5)));

    let (scenario, found, _) = read(BASE, Some("smoke"), &["vars.peak=60/s", "seed=5", "limits.lag=1ms"]);
    assert_eq!(found, []);
    let scenario = scenario.unwrap();
    assert_eq!(rate(&scenario), Rate::per_second(60.0));
    assert_eq!(scenario.seed.value(), Some(&5));
    assert_eq!(scenario.limits.value().unwrap().lag.value(), Some(&Span::millis(1)));
}

#[test]
fn what_is_wrong_in_a_profile_or_a_setting_is_said_there() {
    assert_eq!(mistakes(BASE, Some("bad"), &[]), ["drill.yaml:6:41: there is no `c` here to take out"]);
    let text = BASE.replace(", journeys: { c: null }", "");
    assert_eq!(mistakes(&text, Some("bad"), &[]), ["drill.yaml:6:24: `5` has no unit"]);
    assert_eq!(mistakes(BASE, Some("smok"), &[]), ["drill.yaml:5:3: there is no profile `smok`"]);
    assert_eq!(mistakes(BASE, None, &["vars.peek=1/s"]), ["--set:1:6: there is no var `peek` to set"]);
    assert_eq!(mistakes(BASE, None, &["vars.peak=1"]), ["--set vars.peak:1:1: `1` has no unit"]);
    assert_eq!(mistakes(BASE, None, &["vars.peak"]), ["--set:1:1: a setting is a path, `=` and a value"]);
    assert_eq!(mistakes(BASE, None, &["vars.peak="]), ["--set:1:1: this setting has no value"]);
    assert_eq!(mistakes(BASE, None, &["limts.lag=1ms"]), ["--set:1:1: `limts` is not a word of a scenario"]);
    assert_eq!(
        mistakes(BASE, None, &["load.x.arrivals.7=1"]),
        ["--set:1:17: `7` is no entry of this list; it has 1, counted from 0"]
    );
    assert_eq!(
        mistakes(BASE, None, &["load.x.arrivals.0.hold.for=3"]),
        ["--set load.x.arrivals.0.hold.for:1:1: `3` has no unit"]
    );
    assert_eq!(mistakes(BASE, None, &[&format!("{}=1", vec!["a"; 10_000].join("."))]).len(), 1);
}

#[test]
fn a_var_that_is_used_three_times_is_wrong_once() {
    let text = BASE
        .replace("peak: 10/s", "peak: 10")
        .replace("{ hold: {", "{ ramp: { to: \"{{ vars.peak }}\", for: 1s } }, { hold: {");
    assert_eq!(mistakes(&text, None, &[]), ["drill.yaml:3:15: `10` has no unit"]);
}

#[test]
fn vars_are_checked_where_they_are_used_and_given() {
    let text = BASE.replace("vars.path }}", "vars.pth }}/x");
    assert_eq!(mistakes(&text, None, &[]), ["drill.yaml:8:28: there is no var `pth`"]);
    let text = BASE.replace("path: /a", "path: \"{{ uuid() }}\"");
    assert_eq!(
        mistakes(&text, None, &[]),
        ["drill.yaml:3:38: a var holds a plain value; it can use the scalar vars before it, and no other template"]
    );
    let text = BASE.replace("path: /a", "path: \"{{ vars.later }}\", later: 5");
    assert_eq!(mistakes(&text, None, &[]), ["drill.yaml:3:41: there is no var `later`"]);
    let text = BASE.replace("\"{{ vars.peak }}\"", "\"{{ int(1, 5) }}/s\"");
    assert_eq!(mistakes(&text, None, &[]).len(), 1);
    let doubled: String =
        (1..40).map(|i| format!(", a{i}: \"{{{{ vars.a{} }}}}{{{{ vars.a{} }}}}\"", i - 1, i - 1)).collect();
    let text = BASE.replace("path: /a", &format!("path: /a, a0: aaaa{doubled}"));
    let said = mistakes(&text, None, &[]);
    assert!(said.len() == 1 && said[0].contains("more than 16 MiB"), "{said:?}");
}

#[test]
fn files_are_brought_in_and_a_name_is_given_once() {
    let main = BASE.replace("name: base\n", "name: base\ninclude: [parts/more.yaml]\n");
    let more = "peakdrill: 1\ninclude: [deep.yaml]\njourneys: { c: [{ get: /c }] }\n";
    let deep = "feeds: { f: { range: 1..5 } }\nplatform: { endpoints: { pay: http://127.0.0.1:2 } }\n";
    let files = [("drill.yaml", main.as_str()), ("parts/more.yaml", more), ("parts/deep.yaml", deep)];
    let (scenario, found, sources) = read_files(&files, None, &[]);
    assert_eq!(lines(&found, &sources), [""; 0]);
    let scenario = scenario.unwrap();
    assert!(scenario.journeys.value().unwrap().has("c") && scenario.feeds.value().unwrap().has("f"));
    assert_eq!(scenario.platform.value().unwrap().endpoints.value().unwrap().names().count(), 2);

    let twice = "journeys: { b: [{ get: /c }], d: [{ gt: /d }] }\nname: again\n";
    let files = [("drill.yaml", main.as_str()), ("parts/more.yaml", twice)];
    let (_, found, sources) = read_files(&files, None, &[]);
    assert_eq!(
        lines(&found, &sources),
        [
            "drill.yaml:2:1: `name` is given twice",
            "drill.yaml:9:46: `b` is given twice",
            "parts/more.yaml:1:37: `gt` is not a word of a step",
        ]
    );
    assert_eq!(found.iter().filter(|d| d.related.len() == 1).count(), 2);
}

#[test]
fn a_file_that_cannot_be_brought_in_is_said_once() {
    let main = BASE.replace("name: base\n", "name: base\ninclude: [gone.yaml]\n").replace("load:", "xload:");
    let said = mistakes(&main, None, &[]);
    assert_eq!(
        said,
        [
            "drill.yaml:3:11: `gone.yaml` cannot be read: no such file",
            "drill.yaml:10:1: `xload` is not a word of a scenario",
        ]
    );
    // A file that includes itself is taken once.
    let main = BASE.replace("name: base\n", "name: base\ninclude: [drill.yaml]\n");
    assert_eq!(mistakes(&main, None, &[]), [""; 0]);
}
