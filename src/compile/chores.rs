//! Programs and steps before or after the load, and the feeds that are made of what steps capture.

use super::context::Cx;
use super::feed::Rows;
use super::journey::{Journeys, Steps, Walker};
use super::names::Names;
use super::text::{Own, Place, Reach};
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::Span;
use crate::plan::{Action, Capture, Chore, ChoreWork, Feed, FeedData, FeedId, Pick};
use crate::scenario::{self, Spanned};

/// All rows are held at once.
const MOST_ROWS: u64 = 1_000_000;
const CHORE: Span = Span::seconds(60);

/// Programs and steps before or after the load. What steps capture can be reached from here on.
#[allow(clippy::too_many_arguments)]
pub(super) fn chores(
    word: &str,
    field: &scenario::Field<scenario::List<scenario::Chore>>,
    known: &Journeys<'_>,
    reach: &mut Reach<'_>,
    steps: &mut Steps,
    endpoints: &Names,
    feeds: &mut Vec<Feed>,
    cx: &mut Cx<'_>,
) -> Vec<Chore> {
    let Some(list) = cx.get(field) else {
        if field.is_hole() {
            reach.prepare.lacks();
        }
        return Vec::new();
    };
    if !list.complete {
        reach.prepare.lacks();
    }
    let mut made = Vec::new();
    for (index, chore) in cx.items(&list.value).iter().enumerate() {
        cx.broken |= !chore.complete;
        let within = cx.settle(format!("{word}[{index}].within"), &chore.within, CHORE);
        let work = match (cx.get(&chore.run), cx.get(&chore.steps)) {
            (Some(run), _) => {
                let own = Own::default();
                let text = |text: &Spanned<scenario::Template>, cx: &mut Cx<'_>| {
                    reach.check(text.text(), text.mark, Place::Chore, &own, cx).0
                };
                let argv = cx.items(&run.value.0).iter().map(|argument| text(argument, cx)).collect();
                let env = cx.get(&chore.env).map(|env| &env.value);
                let env =
                    cx.entries(env).into_iter().map(|(name, value)| (name.value.clone(), text(value, cx))).collect();
                Some(ChoreWork::Run { argv, env, dir: cx.get(&chore.dir).map(|dir| dir.value.clone()) })
            }
            (None, Some(written)) => {
                for (field, word) in [(chore.env.written(), "env"), (chore.dir.written(), "dir")] {
                    if let Some(mark) = field {
                        let message = format!("`{word}` is for a program: it goes with `run`");
                        cx.say(Diagnostic::error("wrong-word", mark, message));
                    }
                }
                let each = cx.get(&chore.each).map(|each| reach.feeds.find(each, cx));
                let place = match each {
                    Some(feed) => Place::EachStep(feed),
                    None => Place::ChoreStep,
                };
                let mut walker = Walker::new(known, reach, steps, endpoints, place);
                let actions = walker.walk(&written.value, None, cx);
                let (captured, own) = (walker.captured, walker.own);
                match each {
                    Some(feed) => {
                        // What is captured on some ways alone is not in every row.
                        let columns = captured.into_iter().filter(|(name, _)| own.sure.contains_key(name)).collect();
                        each_row(word, chore, feed, actions, within, columns, reach, feeds, cx)
                    }
                    None => {
                        for (name, mark) in captured {
                            if let Err(first) = reach.prepare.add(&name, mark) {
                                let message = format!("`prepare.{name}` is made already, and nothing may be shadowed");
                                cx.say(Diagnostic::error("shadowed", mark, message).related(first, "first made here"));
                            }
                        }
                        Some(ChoreWork::Steps(actions))
                    }
                }
            }
            (None, None) => None,
        };
        match work {
            Some(work) => made.push(Chore { work, within }),
            None => {
                reach.prepare.lacks();
                cx.broken = true;
            }
        }
    }
    made
}

/// Steps with each row of `feed`, and the feed that comes of them.
#[allow(clippy::too_many_arguments)]
fn each_row(
    word: &str,
    chore: &scenario::Chore,
    feed: Option<usize>,
    actions: Vec<Action>,
    within: Span,
    columns: Vec<(String, Mark)>,
    reach: &mut Reach<'_>,
    feeds: &mut Vec<Feed>,
    cx: &mut Cx<'_>,
) -> Option<ChoreWork> {
    let rate = cx.need(&chore.rate).map(|rate| (rate.value, rate.mark));
    let rows = feed.and_then(|feed| feeds.get(feed)).map_or(0, |feed| feed.rows);
    if let Some((rate, mark)) = rate.filter(|(rate, _)| rate.over(within) < rows.saturating_sub(1) as f64) {
        let message = format!("{rows} rows at {rate} take longer than the {within} that this chore has");
        cx.say(Diagnostic::error("too-long", mark, message).help("raise `rate`, or `within`"));
    }
    if let Some(mark) = chore.each.written().filter(|_| rows > MOST_ROWS) {
        let message = format!("this feed has {rows} rows, and steps are taken with {MOST_ROWS} at the most");
        cx.say(Diagnostic::error("range", mark, message).help("name a shorter feed"));
    }
    let made = cx.get(&chore.into).map(|into| (into.value.clone(), into.mark));
    let into = match made {
        None => None,
        Some((_, mark)) if word == "cleanup" => {
            let message = "nothing comes after `cleanup` that could use this feed";
            cx.say(Diagnostic::error("does-not-go", mark, message).help("leave `into` out"));
            None
        }
        Some((name, mark)) => {
            if columns.is_empty() {
                let message = format!("these steps capture nothing, so `{name}` would have no columns");
                cx.say(Diagnostic::error("needs-word", mark, message).help("write `capture` in one of the steps"));
            }
            match reach.feeds.add(&name, mark) {
                Err(first) => {
                    let message = format!("there is a feed `{name}` already");
                    cx.say(Diagnostic::error("given-twice", mark, message).related(first, "the other one"));
                    reach.feeds.lacks();
                    None
                }
                Ok(index) => {
                    let columns: Vec<String> = columns.into_iter().map(|(name, _)| name).collect();
                    let pick = match cx.get(&chore.pick).map(|pick| pick.value) {
                        None | Some(scenario::Pick::InOrder | scenario::Pick::Zipf) => Pick::InOrder,
                        Some(scenario::Pick::Random) => Pick::Random,
                        Some(scenario::Pick::Unique) => Pick::Unique,
                    };
                    reach.rows.push(Rows::Columns { columns: columns.clone(), is_table: false });
                    let secret = secret_captures(&actions, &columns);
                    feeds.push(Feed { name, data: FeedData::Made(columns), pick, secret, rows });
                    Some(FeedId::at(index))
                }
            }
        }
    };
    Some(ChoreWork::Each { feed: FeedId::at(feed?), rate: rate?.0, actions, into })
}

/// The columns that are never written anywhere.
fn secret_captures(actions: &[Action], columns: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for action in actions {
        match action {
            Action::Request(request) => found.extend(secrets(&request.captures, columns)),
            Action::Poll(poll) => found.extend(secrets(&poll.request.captures, columns)),
            Action::Repeat(repeat) => found.extend(secret_captures(&repeat.actions, columns)),
            Action::Group(group) => found.extend(secret_captures(&group.actions, columns)),
            Action::Choose(branches) => {
                branches.iter().for_each(|branch| found.extend(secret_captures(&branch.actions, columns)));
            }
            Action::If { then, otherwise, .. } => {
                [then, otherwise].iter().for_each(|actions| found.extend(secret_captures(actions, columns)));
            }
            Action::Let(_) | Action::Think(_) | Action::Rendezvous(_) => {}
        }
    }
    found.sort();
    found.dedup();
    found
}

fn secrets(captures: &[Capture], columns: &[String]) -> impl Iterator<Item = String> {
    captures
        .iter()
        .filter(|capture| capture.secret && columns.contains(&capture.name))
        .map(|capture| capture.name.clone())
}
