use super::*;
use crate::base::diagnostic::{Diagnostic, Severity, Sources};
use crate::base::units::{At, Span};
use crate::plan;
use crate::scenario;

/// Compiles `text` with `files` beside it: the plan, or every mistake of reading and compiling as `line:column code message`.
fn compile_text(
    text: &str,
    profile: Option<&str>,
    sets: &[&str],
    files: &[(&str, &str)],
) -> Result<Compiled, Vec<String>> {
    let mut sources = Sources::default();
    let mut load = |path: &str| -> Result<Vec<u8>, String> {
        if path == "drill.yaml" {
            return Ok(text.as_bytes().to_vec());
        }
        let file = files.iter().find(|(name, _)| *name == path);
        file.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(|| "no such file".to_owned())
    };
    let (opened, mut found) = scenario::open(&mut sources, "drill.yaml", &mut load);
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let (read, wrong) = opened.read(&mut sources, profile, &sets);
    found.extend(wrong);
    let mut compiled = None;
    if let Some(scenario) = &read {
        let input = Input { scenario, sources: &mut sources, entry: opened.entry(), profile, unattended: false };
        match compile(input, &mut load) {
            Ok(made) => compiled = Some(made),
            Err(wrong) => found.extend(wrong),
        }
    }
    match compiled {
        Some(compiled) if found.is_empty() => Ok(compiled),
        _ => Err(found.iter().map(|found| shown(found, &sources)).collect()),
    }
}

fn shown(found: &Diagnostic, sources: &Sources) -> String {
    assert_eq!(found.severity, Severity::Error);

    let place = sources.place(found.mark);
    let help = found.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
    format!("{place} {}: {}{help}", found.code, found.message)
}

#[test]
fn shipped_scenarios_compile_in_every_profile() {
    for (text, profiles) in [
        (include_str!("../../scenarios/presale-peak.yaml"), [None, Some("smoke")].as_slice()),
        (include_str!("../../scenarios/order-lifecycle.yaml"), &[None, Some("smoke")]),
        (include_str!("../../scenarios/merchant-day.yaml"), &[None, Some("smoke")]),
        (include_str!("../../scenarios/after-sales-surge.yaml"), &[None, Some("smoke")]),
        (include_str!("../../scenarios/quickstart.yaml"), &[None]),
        (include_str!("../../scenarios/flash-sale.yaml"), &[None, Some("smoke")]),
        (include_str!("../../scenarios/replay.yaml"), &[None, Some("smoke")]),
        (include_str!("../../scenarios/capacity.yaml"), &[None, Some("smoke")]),
        (include_str!("../../scenarios/soak.yaml"), &[None, Some("smoke")]),
        (include_str!("../../scenarios/node-storm.yaml"), &[None, Some("smoke")]),
    ] {
        for profile in profiles {
            let log = include_str!("../../scenarios/data/access.log");
            if let Err(found) = compile_text(text, *profile, &[], &[("data/access.log", log)]) {
                panic!("{profile:?}\n{}", found.join("\n"));
            }
        }
    }
}

const WHOLE: &str = include_str!("../../tests/check/whole.yaml");
const FILES: &[(&str, &str)] = &[("skus.csv", "id,title,cost\n1,tea,5\n2,cup,7\n")];

fn whole(sets: &[&str]) -> Compiled {
    compile_text(WHOLE, None, sets, FILES).unwrap_or_else(|found| panic!("{}", found.join("\n")))
}

/// The first mistake of `WHOLE` with one text replaced.
fn broken(from: &str, to: &str) -> String {
    assert!(WHOLE.contains(from), "{from}");
    match compile_text(&WHOLE.replacen(from, to, 1), None, &[], FILES) {
        Ok(_) => "sound".to_owned(),
        Err(found) => found.join("\n"),
    }
}

#[test]
fn a_plan_is_the_same_for_the_same_text() {
    let plan = whole(&[]).plan;
    insta::assert_json_snapshot!(plan);
    assert_eq!(serde_json::to_string(&plan).unwrap(), serde_json::to_string(&whole(&[]).plan).unwrap());
    let read: crate::plan::Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!(read, plan, "what is stored reads back");
}

#[test]
fn every_value_of_note_says_where_it_came_from() {
    let text = WHOLE.replace("vars:", "profiles: { smoke: { limits: { patience: 3s } } }\nvars:");
    let made = compile_text(&text, Some("smoke"), &["vars.peak=100/s"], FILES).unwrap();
    let shown: Vec<String> =
        made.origins.0.iter().map(|origin| format!("{} = {} ({})", origin.path, origin.value, origin.from)).collect();
    insta::assert_snapshot!(shown.join("\n"));
    assert!(shown.iter().any(|line| line.starts_with("limits.patience = 3s (profile smoke, drill.yaml:")));
    assert!(shown.iter().any(|line| line.starts_with("load.shoppers.arrivals[0].to = 100/s (--set vars.peak)")));
    assert!(shown.iter().any(|line| line == "limits.lag = 10ms (default)"));
}

#[test]
fn a_choice_follows_the_seed() {
    let picked = |seed: u64| whole(&[&format!("seed={seed}")]).plan.faults[1].kind.processes().to_vec();
    assert_eq!(picked(7), picked(7));
    let ones = (0..60).filter(|seed| picked(*seed) == [crate::plan::ProcessId(1)]).count();
    assert!((15..45).contains(&ones), "{ones} of 60");
}

#[test]
fn phases_are_ordered_and_what_names_them_follows() {
    let plan = whole(&[]).plan;
    let names: Vec<&str> = plan.phases.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(names, ["before", "outage", "hurt", "after"]);
    assert!(plan.phases.is_sorted_by_key(|phase| phase.from));
    let stages: Vec<Option<&str>> =
        plan.loads[0].stages.iter().map(|stage| stage.phase.map(|id| names[id.index()])).collect();
    assert_eq!(stages, [None, Some("before"), Some("outage"), Some("after")]);
    assert_eq!(plan.targets[0].condition.phase.map(|id| names[id.index()]), Some("before"));
}

#[test]
fn feeds_last_for_exactly_the_rows_they_need() {
    // 1,000 + 4,000 + 6,000 + 12,000 arrivals, one row each: k decides, whatever journey it takes.
    assert_eq!(broken("range: 1..1000000", "range: 1..23000"), "sound");
    assert!(broken("range: 1..1000000", "range: 1..22999").contains("23000 rows are needed, and it has 22999"));
    let twice = WHOLE
        .replace("gift={{ gift }}", "gift={{ gift }}&b={{ feed.buyer }}")
        .replace("range: 1..1000000", "range: 1..45999");
    let found = compile_text(&twice, None, &[], FILES).unwrap_err();
    assert!(found[0].contains("46000 rows are needed"), "{found:?}");
}

#[test]
fn samples_are_counted_where_they_are_judged() {
    // 200/s for 20 s, a fifth of it: 800 orders in `before`; p99.5 needs 257, p99.9 1,127.
    assert_eq!(broken("measure: p99, step", "measure: p99.5, step"), "sound");
    assert!(
        broken("measure: p99, step", "measure: p99.9, step")
            .contains("needs 1127 requests to be decided, and about 800")
    );
}

#[test]
fn a_recovery_must_fit_into_the_drill() {
    // Healed at 41 s, held for 5 s, the end at 120 s: 74 s are left to recover in.
    assert_eq!(broken("fault: lose-node, at-most: 20s", "fault: lose-node, at-most: 74s"), "sound");
    assert!(broken("fault: lose-node, at-most: 20s", "fault: lose-node, at-most: 75s").contains("too-short"));
}

#[test]
fn a_hole_is_not_said_again() {
    let found = broken("          times: 2\n", "          times: two\n");
    assert_eq!(found.lines().count(), 1, "{found}");
    let found = broken("      - ramp: { to: \"{{ vars.peak }}\", for: 10s }\n", "      - ramp: { to: 5, for: 10s }\n");
    assert_eq!(found.lines().count(), 1, "{found}");
    let found = broken("store: { run: [shop, store, --listen, \"{{ address }}\"],", "store: { rn: [x],");
    assert_eq!(found.lines().count(), 1, "{found}");
}

#[test]
fn defaults_are_those_of_the_language() {
    let plan = whole(&[]).plan;
    let shop = &plan.platform.endpoints[0].connections;
    assert_eq!((shop.max, shop.queue, shop.warm), (plan.needed_connections(crate::plan::EndpointId(0)), shop.max, 0));
    assert_eq!(plan.limits.patience, crate::base::units::Span::seconds(5));
    assert_eq!(plan.limits.drain, crate::base::units::Span::seconds(30));
    let order = plan.steps.iter().find(|step| step.name == "place order").unwrap();
    assert_eq!(order.bounds, [crate::base::units::Span::millis(800)]);
    assert_eq!(order.within, Some(crate::base::units::Span::seconds(2)));
    let vast = whole(&["vars.peak=600000/s", "feeds.buyer.range=1..100000000"]).plan;
    assert_eq!(vast.platform.endpoints[0].connections.max, 10_000);
}

#[test]
fn a_file_named_in_an_included_file_lies_beside_that_one() {
    let main = WHOLE.replace("  sku: { csv: skus.csv, pick: zipf, exponent: 1.1, secret: [cost] }\n", "");
    let main = main.replace("feeds:", "include: [parts/feeds.yaml]\nfeeds:");
    let part = "peakdrill: 1\nfeeds:\n  sku: { csv: skus.csv, pick: random, secret: [cost] }\n";
    let files = [("parts/feeds.yaml", part), ("parts/skus.csv", FILES[0].1)];
    let made = compile_text(&main, None, &[], &files).unwrap_or_else(|found| panic!("{}", found.join("\n")));
    let sku = made.plan.feeds.iter().find(|feed| feed.name == "sku").unwrap();
    assert!(matches!(&sku.data, crate::plan::FeedData::Csv { file, .. } if file == "parts/skus.csv"), "{:?}", sku.data);
    assert_eq!(sku.rows, 2);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    /// Whatever is cut out of a scenario, doubled or swapped: mistakes, never a panic; and never a plan with a mistake said.
    #[test]
    fn no_scenario_makes_it_panic(
        lines in proptest::collection::vec((0usize..95, 0u8..4, 0usize..95), 1..4),
        words in proptest::collection::vec((0usize..600, 0usize..600), 0..4),
    ) {
        let mut text: Vec<String> = WHOLE.lines().map(str::to_owned).collect();
        for (line, what, other) in lines {
            let (line, other) = (line % text.len(), other % text.len());
            match what {
                0 => drop(text.remove(line)),
                1 => text.insert(other, text[line].clone()),
                2 => text.swap(line, other),
                _ => text[line] = text[line].replace(|c: char| c.is_ascii_digit(), "9999999999"),
            }
        }
        let text = text.join("\n") + "\n";
        let mut parts: Vec<&str> = text.split_inclusive([' ', ',', '\n', '}', '{']).collect();
        for (one, other) in words {
            let (one, other) = (one % parts.len(), other % parts.len());
            parts[one] = parts[other];
        }
        match compile_text(&parts.concat(), None, &[], FILES) {
            Ok(_) => {}
            // A hole without a mistake would leave a person without an answer.
            Err(found) => proptest::prop_assert!(!found.is_empty()),
        }
    }
}

#[test]
fn a_journey_in_another_is_the_same_as_its_steps_written_there() {
    const BASE: &str = include_str!("../../tests/mistakes/base.yaml");
    const LOGIN: &str = "{ get: /login, endpoint: pay, capture: { sid: { header: X-Session } } }";
    let files = [("skus.csv", "id,price\na,5\nb,7\n")];
    let with = |steps: &str, login: &str| {
        let text = BASE.replacen("    - let: { ref:", &format!("{steps}    - let: {{ ref:"), 1);
        let text = text.replacen("\nload:\n", &format!("\n{login}load:\n"), 1);
        compile_text(&text, None, &[], &files).unwrap_or_else(|found| panic!("{}", found.join("\n"))).plan
    };
    let after = "    - { get: \"/me/{{ sid }}\", endpoint: shop }\n";
    let login = format!("  login: {{ endpoint: pay, steps: [{}] }}\n", LOGIN.replacen(" endpoint: pay,", "", 1));
    let inside = with(&format!("    - journey: login\n{after}"), &login);
    let written = with(&format!("    - {LOGIN}\n{after}"), "");
    assert_eq!(inside.journeys[1], written.journeys[1]);
    assert_eq!((&inside.steps, &inside.series), (&written.steps, &written.series));
    assert!(!inside.is_taken(crate::plan::JourneyId(2)) && inside.is_taken(crate::plan::JourneyId(1)));
    // Twice in one visit, and through a third one.
    let twice = with(
        &format!("    - journey: through\n    - journey: login\n{after}"),
        &format!("{login}  through: [journey: login]\n"),
    );
    assert_eq!(twice.series.len(), inside.series.len());
    assert_eq!(twice.journeys[1].actions.len(), inside.journeys[1].actions.len() + 1);
}

/// A drill with one load, which is `load`.
fn with_load(load: &str) -> String {
    format!(
        r#"peakdrill: 1
name: shapes
platform:
  allow: [127.0.0.0/8]
  endpoints: {{ shop: "http://127.0.0.1:8080" }}
journeys:
  look: [{{ get: / }}]
load:
  shoppers: {load}
"#
    )
}

#[test]
fn rates_come_from_a_file() {
    let text = with_load("{ mix: { look: 1 }, arrivals: [{ file: { csv: data/rates.csv } }, { hold: { for: 1s } }] }");
    let rates = "\u{feff}rate , second\r\n0,0\r\n\r\n10, 4\n30,4\n30,6.5\n";
    let plan = compile_text(&text, None, &[], &[("data/rates.csv", rates)]).unwrap().plan;
    let schedule = plan::arrivals::Schedule::new(&plan.loads[0], 1, plan::LoadId(0));
    let at = |millis: u64| schedule.rate_at(At(millis * 1_000_000)).as_per_second();
    assert_eq!([at(0), at(2_000), at(3_999).round(), at(4_000), at(7_000)], [0.0, 5.0, 10.0, 30.0, 30.0]);
    assert_eq!((schedule.count(), plan.end), (20 + 75 + 30, Span::millis(7_500)));
}

#[test]
fn every_mistake_in_a_file_of_rates_has_its_place() {
    let text = with_load("{ mix: { look: 1 }, arrivals: [{ file: { csv: rates.csv } }] }");
    for (rates, expected) in [
        ("", &["rates.csv:1:1"][..]),
        ("time,rate\n0,1\n", &["rates.csv:1:1"]),
        ("second,rate\n1,5\n2,5\n", &["rates.csv:2:1"]),
        ("second,rate\n0,5\n", &["rates.csv:2:4"]),
        (
            "second,rate\n0,5\n2,-1\n3,5/s\nx,1\n5\n6,7,8\n5,1e9\n",
            &["rates.csv:3:3", "rates.csv:4:3", "rates.csv:5:1", "rates.csv:6:1", "rates.csv:7:1", "rates.csv:8:3"],
        ),
        ("second,rate\n0,5\n9, 1\n 8,1\n8,2\n8,3\n", &["rates.csv:4:2", "rates.csv:6:1"]),
    ] {
        let found = compile_text(&text, None, &[], &[("rates.csv", rates)]).unwrap_err();
        let places: Vec<&str> = found.iter().map(|said| said.split(' ').next().unwrap()).collect();
        assert_eq!(places, expected, "{rates:?}\n{found:#?}");
    }
}

const LOG: &str = r#"10.0.0.1 - - [11/Nov/2026:20:00:00 +0800] "GET /products/7?from=home HTTP/1.1" 200 9 "-" "x"
10.0.0.2 - - [11/Nov/2026:20:00:00 +0800] "POST /orders HTTP/1.1" 201 9 "-" "x"
10.0.0.1 - - [11/Nov/2026:20:00:04 +0800] "GET /products/8 HTTP/1.1" 404 9 "-" "x"
10.0.0.2 - - [11/Nov/2026:20:00:06 +0800] "HEAD /products/9 HTTP/1.1" 304 - "-" "x"
10.0.0.1 - - [11/Nov/2026:20:00:08 +0800] "GET /cart HTTP/1.1" 200 9 "-" "x"
10.0.0.3 - - [11/Nov/2026:20:00:09 +0800] "GET /admin/1 HTTP/1.1" 200 9 "-" "x"
"#;

#[test]
fn a_log_is_planned_as_arrivals() {
    let text = with_load(
        "{ start: 1s, replay: { log: a.log, format: combined, speed: 2x, amplify: 2x, only: { paths: [/cart, \"/products/*\"] }, \
         names: { \"/products/*\": view product } } }",
    )
    .replace("journeys:\n  look: [{ get: / }]\n", "");
    let plan = compile_text(&text, None, &[], &[("a.log", LOG)]).unwrap().plan;
    let load = &plan.loads[0];
    let replay = load.replay.as_ref().unwrap();
    let tally = plan::Tally { taken: 3, other_methods: 1, other_paths: 1, refused_then: 1 };
    assert_eq!((replay.tally, load.end()), (tally, At(6_000_000_000)));
    // Each session twice, the second half a second after the first.
    let schedule = plan::arrivals::Schedule::new(load, 1, plan::LoadId(0));
    let millis: Vec<u64> = schedule.cursor(0, 1).map(|(_, at)| at.as_nanos() / 1_000_000).collect();
    assert_eq!(millis, [1_000, 1_500, 4_000, 4_500, 5_000, 5_500]);
    assert_eq!((schedule.peak().as_per_second(), schedule.before(At(4_000_000_000))), (2.0, 2));
    let journeys: Vec<(&str, f64)> =
        load.mix.iter().map(|(id, count)| (plan.journeys[id.index()].name.as_str(), *count)).collect();
    assert_eq!(journeys, [("view product", 2.0), ("HEAD view product", 2.0), ("GET /cart", 2.0)]);
    let steps: Vec<&str> = plan.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(steps, ["view product", "GET /cart"], "figures are kept by name");
    let stored = serde_json::to_string(&plan).unwrap();
    assert!(!stored.contains("from=home") && !stored.contains("10.0.0.1"), "nothing of the log but what is planned");
    assert_eq!(serde_json::from_str::<plan::Plan>(&stored).unwrap(), plan);
}

#[test]
fn every_line_of_a_log_that_cannot_be_read_has_its_place() {
    let text =
        with_load("{ replay: { log: logs/a.log, format: common } }").replace("journeys:\n  look: [{ get: / }]\n", "");
    let log =
        "x - - [11/Nov/2026:20:00:00 +0800] \"GET / HTTP/1.1\" 200 9\nnothing\nx - - [noon] \"GET / HTTP/1.1\" 200 9\n";
    let found = compile_text(&text, None, &[], &[("logs/a.log", log)]).unwrap_err();
    let places: Vec<&str> = found.iter().map(|said| said.split(' ').next().unwrap()).collect();
    assert_eq!(places, ["logs/a.log:2:8", "logs/a.log:3:8"], "{found:#?}");
    let many = "?\n".repeat(50);
    let found = compile_text(&text, None, &[], &[("logs/a.log", &many)]).unwrap_err();
    assert!(found.len() == 20 && found[19].contains("and 30 more"), "{found:#?}");
}

/// The faults of the plan, with `fault` instead of the last one.
fn faults(fault: &str, seed: u64) -> Vec<plan::Fault> {
    let last = "  hang-node: { at: lose-node.healed + 5s, for: 2s, pause: { process: { any: node, pick: 1 } } }\n";
    assert!(WHOLE.contains(last));
    let text = WHOLE.replacen(last, &format!("  {fault}\n"), 1);
    let made = compile_text(&text, None, &[&format!("seed={seed}")], FILES);
    made.unwrap_or_else(|found| panic!("{}", found.join("\n"))).plan.faults.split_off(1)
}

fn second(fault: &plan::Fault) -> f64 {
    match fault.at {
        plan::Instant::At(at) => at.as_seconds_f64(),
        _ => panic!("{fault:?}"),
    }
}

#[test]
fn a_fault_that_comes_several_times_is_as_many_faults() {
    let flap = "flap: { at: outage + 20s, every: 5s, times: 3, for: 2s, pause: { process: { any: node, pick: 1 } } }";
    let made = faults(flap, 7);
    let names: Vec<&str> = made.iter().map(|fault| fault.name.as_str()).collect();
    assert_eq!(names, ["flap_1", "flap_2", "flap_3"]);
    assert!(made.iter().all(|fault| fault.of.as_deref() == Some("flap") && fault.lasts() == Some(Span::seconds(2))));
    let first = second(&made[0]);
    assert_eq!(made.iter().map(second).collect::<Vec<_>>(), [first, first + 5.0, first + 10.0]);
    // Whom the seed picks is drawn anew each time.
    let differs = |seed: u64| faults(flap, seed).windows(2).any(|pair| pair[0].kind != pair[1].kind);
    assert!((0..20).any(differs));
    let after =
        faults("flap: { after: lose-node.healed + 1s, every: 5s, times: 2, for: 2s, pause: { process: node_2 } }", 7);
    let offsets: Vec<Span> = after
        .iter()
        .map(|fault| match fault.at {
            plan::Instant::After { fault: plan::FaultId(0), moment: plan::Moment::Healed, offset } => offset,
            _ => panic!("{fault:?}"),
        })
        .collect();
    assert_eq!(offsets, [Span::seconds(1), Span::seconds(6)]);
    let after = "flap: { after: back.done + 1s, every: 5s, times: 2, for: 2s, burn: { cores: 1 } }\n\
                 actions:\n  back: { at: outage + 25s, run: [back] }";
    let after = faults(after, 7);
    let done = |seconds| plan::Instant::Action { action: plan::ActionId(0), offset: Span::seconds(seconds) };
    assert_eq!(after.iter().map(|fault| fault.at.clone()).collect::<Vec<_>>(), [done(1), done(6)]);
    let when = "dip: { when: { measure: availability, below: 90% }, every: 5s, times: 2, for: 2s, pause: { process: node_2 } }";
    let when = faults(when, 7);
    assert!(matches!(when[0].at, plan::Instant::When(_)));
    let first =
        plan::Instant::After { fault: plan::FaultId(1), moment: plan::Moment::Ordered, offset: Span::seconds(5) };
    assert_eq!(when[1].at, first);
}

#[test]
fn what_waits_for_an_action_may_fall_into_a_search_unless_that_begins_after_it() {
    let text = |at: &str, fault: &str| {
        format!(
            "{}\nfaults:\n  hurt: {{ {fault}, burn: {{ cores: 1 }} }}\nactions:\n  act: {{ at: {at}, run: [act] }}\n",
            include_str!("../../scenarios/capacity.yaml").replacen(
                "load:\n",
                "load:\n  after: { mix: { pay: 1 }, start: 20m, arrivals: [{ hold: { rate: 1/s, for: 5m } }] }\n",
                1
            )
        )
    };
    for (at, fault, falls) in [
        ("5s", "at: act.done, for: 1s", true),
        ("21m", "at: act.done, for: 1s", false),
        ("21m", "at: 1s, until: act.done", true),
        ("22m", "at: 21m, until: act.done", false),
    ] {
        let found = compile_text(&text(at, fault), Some("smoke"), &[], &[]).err().unwrap_or_default();
        assert!(found.len() == usize::from(falls), "{at} {fault} {found:#?}");
        assert!(found.iter().all(|said| said.contains("`hurt` falls into the search of `payers`")), "{found:#?}");
    }
}

#[test]
fn a_storm_is_drawn_by_the_seed_within_its_budget_and_nothing_in_it_excludes_another() {
    let storm = "storm: { at: outage + 20s, for: 30s, storm: { budget: 5, every: 4s, of: [{ for: 3s, pause: { process: { any: node, pick: 1 } } }, \
                 { for: 2s, kill: { process: { any: node, pick: 1 } } }, { for: 3s, burn: { cores: 1 } }] } }";
    let from = second(&faults("x: { at: outage + 20s, for: 1s, burn: { cores: 1 } }", 1)[0]);
    let (mut verbs, mut instants) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
    for seed in 0..40 {
        let made = faults(storm, seed);
        assert_eq!(made, faults(storm, seed), "the same seed, the same storm");
        assert_eq!(made.len(), 5);
        assert!(made.is_sorted_by(|one, two| second(one) <= second(two)));
        assert!(made.iter().all(|fault| second(fault) >= from), "{seed}");
        for (index, one) in made.iter().enumerate() {
            verbs.insert(one.kind.verb());
            instants.insert(second(one).to_bits());
            for two in &made[..index] {
                let over = second(two) + two.lasts().unwrap().as_seconds_f64() + 1.0;
                assert!(!one.kind.excludes(&two.kind) || second(one) >= over, "{seed}: {two:?} {one:?}");
            }
        }
    }
    assert_eq!(verbs.into_iter().collect::<Vec<_>>(), ["burn", "kill", "pause"]);
    assert!(instants.len() > 180, "{} instants", instants.len());
    // No more than there are stretches.
    assert_eq!(faults(&storm.replace("budget: 5", "budget: 500"), 3).len(), 8);
}

#[test]
fn a_target_on_several_occurrences_means_all_of_them() {
    let flap = "flap: { at: outage + 20s, every: 5s, times: 3, for: 2s, pause: { process: node_2 } }";
    let last = "  hang-node: { at: lose-node.healed + 5s, for: 2s, pause: { process: { any: node, pick: 1 } } }\n";
    let text = WHOLE.replacen(last, &format!("  {flap}\n"), 1);
    let scope = |name: &str| {
        let text = text.replace("fault: lose-node, at-most", &format!("fault: {name}, at-most"));
        let made = compile_text(&text, None, &[], FILES).unwrap_or_else(|found| panic!("{}", found.join("\n")));
        let recovery = |target: &&plan::Target| matches!(target.condition.measure, plan::Measure::RecoveryTime { .. });
        made.plan.targets.iter().find(recovery).expect("a target").condition.scope
    };
    assert_eq!(scope("flap"), plan::Scope::Occurrences(plan::FaultId(1)));
    assert_eq!(scope("flap_2"), plan::Scope::Fault(plan::FaultId(2)));
    assert_eq!(scope("lose-node"), plan::Scope::Fault(plan::FaultId(0)));
}
