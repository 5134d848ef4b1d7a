use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::arrivals::{Instants, Source, sequence};
use super::{JourneyId, Method};
use crate::base::log::{self, Entry, Format, Mistake, fits, guess};
use crate::base::units::Span;

/// A load whose arrivals are the requests of a log, one each. The log is kept by hash, as the files of feeds are: a plan
/// cannot be run with another one, and it holds none of the log's addresses, paths and queries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replay {
    /// A file beside the scenario, as named there.
    pub file: String,
    pub sha256: String,
    pub choice: Choice,
    /// 2: twice as fast.
    pub speed: f64,
    /// 3: three sessions for each one.
    pub amplify: f64,
    /// In the order of the load's mix, whose weights are the numbers of arrivals.
    pub routes: Vec<Route>,
    pub tally: Tally,
    pub instants: Instants,
}

/// What of a log is sent, and under which names its figures are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    pub format: Format,
    pub methods: Vec<Method>,
    /// Patterns of paths; empty: all.
    pub paths: Vec<String>,
    /// Patterns and names; the first that fits counts. A path that fits none is named by what it looks like.
    pub names: Vec<(String, String)>,
}

/// Requests of one method and one name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Route {
    pub name: String,
    pub method: Method,
    pub journey: JourneyId,
}

/// What became of a log's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    pub taken: u64,
    pub other_methods: u64,
    pub other_paths: u64,
    /// Their own fault then (4xx), so that they would fail again and say nothing.
    pub refused_then: u64,
}

/// The requests of a log that are sent, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Taken {
    /// Each with its route.
    pub requests: Vec<(usize, String)>,
    sources: Vec<Source>,
    /// Names and methods, as they first come.
    pub routes: Vec<(String, Method)>,
    pub tally: Tally,
}

impl Choice {
    /// What is taken of the log `text`, and what of it cannot be read.
    pub fn take(&self, text: &str) -> (Taken, Vec<Mistake>) {
        let (entries, mistakes) = log::read(text, &self.format);
        let mut taken = Taken::default();
        let mut sessions = HashMap::new();
        let mut routes = HashMap::new();
        let mut first = None;
        for entry in entries {
            let Some(method) = self.method(&entry, &mut taken.tally) else { continue };
            let name = self.name(method, &entry.target);
            let route = *routes.entry((name.clone(), method)).or_insert_with(|| {
                taken.routes.push((name, method));
                taken.routes.len() - 1
            });
            let sessions_so_far = sessions.len() as u32;
            let session = *sessions.entry(entry.session).or_insert(sessions_so_far);
            let at = Span::nanos(entry.at - *first.get_or_insert(entry.at));
            taken.sources.push(Source { at, session });
            taken.requests.push((route, entry.target));
        }
        (taken, mistakes)
    }

    fn method(&self, entry: &Entry, tally: &mut Tally) -> Option<Method> {
        let method = Method::of(&entry.method).filter(|method| self.methods.contains(method));
        let counter = match method {
            None => &mut tally.other_methods,
            Some(_) if !self.paths.is_empty() && !self.paths.iter().any(|pattern| fits(pattern, &entry.target)) => {
                &mut tally.other_paths
            }
            Some(_) if entry.status.is_some_and(|status| status / 100 == 4) => &mut tally.refused_then,
            Some(method) => {
                tally.taken += 1;
                return Some(method);
            }
        };
        *counter += 1;
        None
    }

    fn name(&self, method: Method, target: &str) -> String {
        match self.names.iter().find(|(pattern, _)| fits(pattern, target)) {
            Some((_, name)) => name.clone(),
            None => format!("{method} {}", guess(target)),
        }
    }
}

impl Taken {
    /// The arrivals that they come to: instants, and which request each one is.
    pub fn arrivals(&self, speed: f64, amplify: f64) -> Vec<(Span, usize)> {
        sequence(&self.sources, speed, amplify)
    }
}

impl Replay {
    /// From the first arrival to the end: whole seconds, so that the last one has its own.
    pub fn span(&self) -> Span {
        Span::seconds(self.instants.last().as_nanos() / Span::SECOND.as_nanos() + 1)
    }
}
