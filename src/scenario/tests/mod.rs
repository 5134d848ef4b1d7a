use std::collections::BTreeMap;

use super::*;
use crate::base::diagnostic::{Diagnostic, Sources, Style, render};

mod agreement;
mod composition;
mod mistakes;

/// The example that the language is told by.
const LANGUAGE: &str = include_str!("../../../scenarios/primary-loss-at-peak.yaml");
const SHIPPED: [&str; 5] = [
    include_str!("../../../scenarios/quickstart.yaml"),
    include_str!("../../../scenarios/presale-peak.yaml"),
    include_str!("../../../scenarios/order-lifecycle.yaml"),
    include_str!("../../../scenarios/merchant-day.yaml"),
    include_str!("../../../scenarios/after-sales-surge.yaml"),
];
const EVERYTHING: &str = include_str!("everything.yaml");

/// Reads one text.
fn read(text: &str, profile: Option<&str>, sets: &[&str]) -> (Option<Scenario>, Vec<Diagnostic>, Sources) {
    read_files(&[("drill.yaml", text)], profile, sets)
}

/// Reads the first of `files`; the others may be included.
fn read_files(
    files: &[(&str, &str)],
    profile: Option<&str>,
    sets: &[&str],
) -> (Option<Scenario>, Vec<Diagnostic>, Sources) {
    let files: BTreeMap<&str, &str> = files.iter().copied().collect();
    let mut sources = Sources::default();
    let mut load = |path: &str| {
        let text = files.get(path).ok_or_else(|| "no such file".to_owned())?;
        Ok(text.as_bytes().to_vec())
    };
    let (files, mut found) = open(&mut sources, "drill.yaml", &mut load);
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let (scenario, more) = files.read(&mut sources, profile, &sets);
    found.extend(more);
    (scenario, found, sources)
}

fn said(text: &str) -> String {
    let (_, found, sources) = read(text, None, &[]);
    render(&found, &sources, Style::default())
}

#[test]
fn the_example_of_the_language_is_refused_word_by_word_where_it_is_not_built() {
    insta::assert_snapshot!(said(LANGUAGE));
    assert!(read(LANGUAGE, None, &[]).1.iter().all(|found| found.code == "not-yet"));
}

#[test]
fn every_built_word_is_read() {
    for profile in [None, Some("smoke"), Some("long")] {
        let (scenario, found, sources) = read(EVERYTHING, profile, &[]);
        assert_eq!(render(&found, &sources, Style::default()), "", "{profile:?}");
        assert!(scenario.unwrap().complete);
    }
}

#[test]
fn the_shipped_scenarios_read_without_a_mistake() {
    for text in SHIPPED {
        for profile in [None, Some("smoke")] {
            let (_, found, sources) = read(text, profile, &[]);
            assert_eq!(render(&found, &sources, Style::default()), "", "{profile:?}");
        }
    }
}

#[test]
fn what_is_read_is_what_was_written() {
    use crate::base::units::{Rate, Span};
    let (scenario, _, sources) = read(EVERYTHING, None, &[]);
    let scenario = scenario.unwrap();
    let load = scenario.load.value().unwrap().get("shoppers").unwrap();
    let arrivals = load.arrivals.value().unwrap();
    let ramp = arrivals[0].ramp.value().unwrap();
    assert_eq!(ramp.to.value(), Some(&Rate::per_second(800.0)));
    let hold = arrivals[1].hold.value().unwrap();
    assert_eq!(hold.rate.value(), Some(&Rate::per_second(800.0)));
    assert_eq!(hold.span.value(), Some(&Span::seconds(60)));
    // A var's value stands where the var is given.
    assert_eq!(sources.slice(hold.span.get().unwrap().mark), "1m");
    assert_eq!(sources.slice(hold.span.get().unwrap().key), "for");
    let fault = scenario.faults.value().unwrap().get("one-node").unwrap();
    let at = fault.at.value().unwrap();
    assert_eq!(at.offset, Span::seconds(30));
    let Reference::Other { name, moment } = &at.from else { panic!("{at:?}") };
    assert_eq!((name.value.as_str(), *moment, sources.slice(name.mark)), ("lose-store", Moment::Healed, "lose-store"));
    let endpoints = scenario.platform.value().unwrap().endpoints.value().unwrap();
    let Endpoint::Url(url) = &endpoints.get("shop").unwrap().value else { panic!("a URL") };
    assert_eq!(url.text(), "http://127.0.0.1:80");
}
