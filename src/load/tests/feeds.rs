use std::collections::BTreeMap;

use super::journeys::range;
use super::support::{Maker, run_with};
use crate::base::units::Span;
use crate::load::Options;
use crate::plan::{Action, Pick, Plan, Repeat, Spacing, Turns};
use crate::wire::scripted::{Scripted, ok};

/// Two loads at once, one of which uses two rows for each visit: 60 + 2 · 40 rows of each feed.
fn plan(server: &Scripted, seed: u64) -> Plan {
    let mut maker = Maker::new(&server.url());
    maker.plan.seed = seed;
    maker.plan.feeds = vec![range("once", 140, Pick::Unique), range("line", 140, Pick::InOrder)];
    let path = "/row/{{ feed.once }}/{{ feed.line }}";
    let (one, two) = (maker.get(path), maker.get(path));
    let one = maker.journey("one", vec![one]);
    let two = Action::Repeat(Repeat { turns: Turns::Times(2), actions: vec![two] });
    let two = maker.journey("two", vec![two]);
    maker.load(&[(one, 1.0)], Spacing::Even, 60.0, Span::SECOND);
    maker.load(&[(two, 1.0)], Spacing::Even, 40.0, Span::SECOND);
    maker.plan
}

/// How often each row was given, and to which request.
fn rows(server: &Scripted, index: usize) -> BTreeMap<u64, u32> {
    let mut found = BTreeMap::new();
    for seen in server.log() {
        let row = seen.path.split('/').nth(2 + index).unwrap().parse().unwrap();
        *found.entry(row).or_insert(0) += 1;
    }
    found
}

/// What a visit is given follows from its number alone: however many workers there are, no row is given twice, none is
/// left out, and the requests are the same ones.
#[test]
fn no_row_is_given_twice_however_many_workers_there_are() {
    let mut all = Vec::new();
    for (seed, workers) in [(618, 1), (618, 2), (618, 4), (619, 4)] {
        let server = Scripted::start(|_| ok(""));
        let told = run_with(plan(&server, seed), Options { workers: Some(workers), spin: None }, |_, _| {});
        assert_eq!(told.counts("/row/{{ feed.once }}/{{ feed.line }}").ok, 140, "{:?}", told.failures);
        for feed in [0, 1] {
            let rows = rows(&server, feed);
            assert_eq!(rows.len(), 140, "feed {feed}, {workers} workers: every row is given");
            assert!(rows.values().all(|times| *times == 1), "feed {feed}, {workers} workers: {rows:?}");
        }
        let mut paths: Vec<String> = server.log().into_iter().map(|seen| seen.path).collect();
        paths.sort();
        all.push(paths);
    }
    assert_eq!(all[0], all[1]);
    assert_eq!(all[0], all[2]);
    assert_ne!(all[2], all[3], "another seed pairs the rows otherwise");
}
