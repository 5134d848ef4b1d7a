use serde_json::Value;

use super::scenarios::each_text;
use crate::base::clock::{Clock, Wall};
use crate::base::rng::run_word;
use crate::base::template::Template;
use crate::base::units::{Span, parse_span};
use crate::plan::arrivals::Slice;
use crate::plan::{Condition, FeedData, Instant, Measure, Plan};
use crate::record::{Part, run_id};

/// What `--start-at` says.
#[derive(Debug, Clone, Copy)]
pub(super) enum StartAt {
    At(Wall),
    In(Span),
}

/// More parts than anybody has machines; numbers of workers fit beside it.
const MOST: u16 = 256;

/// `2/4`.
pub(super) fn number(text: &str) -> Result<Slice, String> {
    let read = || {
        let (part, of) = text.split_once('/')?;
        let (part, of) = (part.parse().ok()?, of.parse().ok().filter(|of| *of <= MOST)?);
        Slice::new(part, of)
    };
    read().ok_or_else(|| format!("a part is written as 1/4 … 4/4, of at most {MOST}"))
}

/// An instant in RFC 3339.
pub(super) fn instant(text: &str) -> Result<Wall, String> {
    Wall::parse(text)
        .ok_or_else(|| "an instant is written as 2026-06-18T20:30:00Z or 2026-06-18T20:30:00+08:00".to_owned())
}

/// An instant in RFC 3339, or `+30s`.
pub(super) fn start(text: &str) -> Result<StartAt, String> {
    match text.strip_prefix('+') {
        Some(span) => parse_span(span).map(StartAt::In).map_err(|error| error.to_string()),
        None => Wall::parse(text).map(StartAt::At).ok_or_else(|| {
            "an instant is written as 2026-06-18T20:30:00Z, 2026-06-18T20:30:00+08:00 or +30s".to_owned()
        }),
    }
}

/// Which part of which whole a run is. Everything in the whole's id follows from the plan and the start instant.
pub(super) fn of(plan: &Plan, slice: Slice, start: StartAt) -> Result<Part, String> {
    let start = match start {
        StartAt::At(wall) => wall,
        // To the millisecond, as it is printed for the others.
        StartAt::In(span) => {
            let nanos = Clock::start().wall().unix_nanos().saturating_add(span.as_nanos());
            Wall::from_unix_nanos(nanos.div_ceil(1_000_000).saturating_mul(1_000_000))
        }
    };
    if slice.parts() > 1 {
        fits(plan)?;
    }
    let text = serde_json::to_string(plan).map_err(|error| error.to_string())?;
    let salt = run_word(&format!("{} {text}", start.unix_nanos()));
    Ok(Part {
        part: slice.number(),
        of: slice.parts(),
        whole: run_id(&start.compact(), &plan.about.name, salt),
        start: i64::try_from(start.unix_nanos()).map_err(|error| error.to_string())?,
    })
}

/// Refuses what several machines cannot do together.
fn fits(plan: &Plan) -> Result<(), String> {
    let sent = serde_json::to_value((&plan.platform.endpoints, &plan.platform.mark, &plan.journeys));
    let sent: Value = sent.map_err(|error| error.to_string())?;
    for (root, why) in [
        ("process", "only part 1 knows the addresses of processes: give endpoints URLs that every part can reach"),
        ("link", "links lead through part 1 alone: give endpoints URLs that every part can reach"),
        ("prepare", "only part 1 carries out `prepare`: what it captures is not known to the other parts"),
    ] {
        let mut named = None;
        each_text(&sent, &mut |text| {
            let Ok(template) = Template::parse(text) else { return };
            let references = template.references();
            if references.iter().any(|reference| reference.path.first().is_some_and(|name| name == root)) {
                named.get_or_insert_with(|| text.to_owned());
            }
        });
        if let Some(named) = named {
            return Err(format!("`{named}` cannot be sent by several parts; {why}"));
        }
    }
    if let Some(feed) = plan.feeds.iter().find(|feed| matches!(feed.data, FeedData::Made(_))) {
        return Err(format!(
            "`feed.{}` cannot be used by several parts; only part 1 carries out `prepare`: what it captures is not known to \
             the other parts",
            feed.name
        ));
    }
    if let Some(load) = plan.loads.iter().find(|load| load.search.is_some()) {
        return Err(format!(
            "the load `{}` searches for the capacity, and a part sees its own requests alone: search from one machine, \
             or hold rates in parts and judge them merged",
            load.name
        ));
    }
    if let Some(load) = plan.loads.iter().find(|load| load.is_closed()) {
        return Err(format!(
            "the load `{}` is closed, and its users are not dealt out to parts: run it on one machine, or give each part a \
             scenario with arrivals",
            load.name
        ));
    }
    let steady = plan.steady_states.iter().flat_map(|steady| &steady.must);
    let aborts = plan.aborts.iter().map(|abort| &abort.condition);
    let whens = plan.faults.iter().filter_map(|fault| match &fault.at {
        Instant::When(condition) => Some(condition.as_ref()),
        Instant::At(_) | Instant::After { .. } | Instant::Action { .. } => None,
    });
    if steady.chain(aborts).chain(whens).any(|condition: &Condition| condition.measure == Measure::Throughput) {
        return Err(
            "a part sees its own requests alone: steady states, aborts and `when` cannot ask for a throughput of all \
                    parts; ask for a share or a percentile"
                .to_owned(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_instants_are_read() {
        assert_eq!(number("2/4"), Ok(Slice::new(2, 4).unwrap()));
        for wrong in ["", "2", "0/4", "5/4", "2/", "/4", "-1/4", "1/257", "1/65537", "a/b"] {
            assert!(number(wrong).is_err(), "{wrong}");
        }
        assert!(matches!(start("+90s"), Ok(StartAt::In(span)) if span == Span::seconds(90)));
        assert!(matches!(start("1970-01-01T00:00:01Z"), Ok(StartAt::At(wall)) if wall.unix_nanos() == 1_000_000_000));
        assert!(start("soon").is_err() && start("+soon").is_err() && start("30s").is_err());
    }
}
