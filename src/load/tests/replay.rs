//! The requests of a log, by arrival.

use sha2::{Digest, Sha256};

use super::super::replay::Logs;
use super::support::Maker;
use crate::base::log::Format;
use crate::base::units::{At, Text};
use crate::plan::{Choice, JourneyId, Load, LoadId, Method, Plan, Replay, Route, Spacing};

const LOG: &str = r#"a - - [11/Nov/2026:20:00:00 +0800] "GET /x/1 HTTP/1.1" 200 1
a - - [11/Nov/2026:20:00:02 +0800] "GET /y?z HTTP/1.1" 200 1
b - - [11/Nov/2026:20:00:03 +0800] "GET /x/2 HTTP/1.1" 200 1
"#;

fn plan() -> Plan {
    let names = vec![("/x/*".to_owned(), "x".to_owned())];
    let choice = Choice { format: Format::Common, methods: vec![Method::Get], paths: Vec::new(), names };
    let taken = choice.take(LOG).0;
    let arrivals = taken.arrivals(1.0, 2.0);
    let route = |name: &str, id| Route { name: name.to_owned(), method: Method::Get, journey: JourneyId(id) };
    let replay = Replay {
        file: "a.log".to_owned(),
        sha256: Sha256::digest(LOG).iter().map(|byte| format!("{byte:02x}")).collect(),
        choice,
        speed: 1.0,
        amplify: 2.0,
        routes: vec![route("x", 4), route("GET /y", 7)],
        tally: taken.tally,
        instants: arrivals.into_iter().map(|(at, _)| at).collect(),
    };
    let mut plan = Maker::new("http://127.0.0.1:1").plan;
    let (name, title) = ("again".to_owned(), Text::default());
    let mix = vec![(JourneyId(4), 4.0), (JourneyId(7), 2.0)];
    let (spacing, start, stages) = (Spacing::Even, At::START, Vec::new());
    plan.loads =
        vec![Load { name, title, mix, spacing, start, stages, replay: Some(replay), search: None, users: None }];
    plan
}

#[test]
fn each_arrival_has_its_line_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.log"), LOG).unwrap();
    let plan = plan();
    let logs = Logs::read(&plan, folder.path()).unwrap();
    let targets: Vec<&str> = (0..).map_while(|k| logs.target(0, k)).collect();
    assert_eq!(targets, ["/x/1", "/x/1", "/y?z", "/y?z", "/x/2", "/x/2"]);
    assert_eq!((logs.route(0, 2), logs.route(0, 6), logs.route(1, 0)), (Some(1), None, None));
    let first = |journey, k| logs.first(&plan, LoadId(0), JourneyId(journey), k);
    assert_eq!((first(4, 0), first(7, 0), first(4, 2), first(7, 5)), (0, 2, 4, 5));
}

#[test]
fn another_log_than_the_one_that_was_planned_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Logs::read(&plan(), folder.path()).unwrap_err().to_string().contains("`a.log` could not be read"));
    std::fs::write(folder.path().join("a.log"), LOG.replace("/y", "/w")).unwrap();
    let error = Logs::read(&plan(), folder.path()).unwrap_err().to_string();
    assert!(error.contains("`again`") && error.contains("is not the file"), "{error}");
}
