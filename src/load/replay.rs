//! Requests of logs: read once, shared by all workers; which of them an arrival is follows from its number alone.

use std::path::Path;
use std::sync::Arc;

use super::LoadError;
use super::build::Place;
use super::feeds::bytes;
use super::program::{Op, Program, Target};
use crate::plan::{JourneyId, LoadId, Plan, Replay};

/// The requests of every load that replays a log. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Logs(Arc<[Option<Log>]>);

/// One load's requests.
#[derive(Debug)]
struct Log {
    /// Route and path of each.
    requests: Vec<(usize, String)>,
    /// Which request each arrival is.
    order: Vec<usize>,
}

impl Logs {
    /// Reads the logs; they lie in `folder`, and must be those that the plan was made with.
    pub(super) fn read(plan: &Plan, folder: &Path) -> Result<Logs, LoadError> {
        let read = plan.loads.iter().map(|load| {
            let Some(replay) = &load.replay else { return Ok(None) };
            let log = log(replay, folder).map_err(|why| LoadError::Log { load: load.name.clone(), why })?;
            Ok(Some(log))
        });
        Ok(Logs(read.collect::<Result<Vec<_>, LoadError>>()?.into()))
    }

    fn request(&self, load: u32, k: u64) -> Option<&(usize, String)> {
        let log = self.0.get(load as usize)?.as_ref()?;
        log.requests.get(*log.order.get(usize::try_from(k).ok()?)?)
    }

    /// The place of an arrival's journey in its load's mix; none where the load does not replay a log.
    pub(super) fn route(&self, load: u32, k: u64) -> Option<usize> {
        self.request(load, k).map(|(route, _)| *route)
    }

    /// The path and query that an arrival asks for.
    pub(super) fn target(&self, load: u32, k: u64) -> Option<&str> {
        self.request(load, k).map(|(_, target)| target.as_str())
    }

    /// The first arrival of `load` from `k` on that is of `journey`, where the load replays a log; else `k`.
    pub(super) fn first(&self, plan: &Plan, load: LoadId, journey: JourneyId, k: u64) -> u64 {
        let mix = plan.loads.get(load.index()).map(|load| load.mix.as_slice()).unwrap_or_default();
        let route = mix.iter().position(|(id, _)| *id == journey);
        let mut routes = (k..).map_while(|k| Some((k, self.route(load.0, k)?)));
        routes.find(|(_, found)| Some(*found) == route).map_or(k, |(k, _)| k)
    }

    /// Has the requests of replayed journeys ask for what the log says.
    pub(super) fn fill(&self, plan: &Plan, places: &[Place], programs: &mut [Program]) {
        let routes = plan.loads.iter().filter_map(|load| load.replay.as_ref()).flat_map(|replay| &replay.routes);
        for route in routes {
            let ops = programs.get_mut(route.journey.index()).map(|program| program.ops.as_mut_slice());
            for op in ops.unwrap_or_default() {
                if let Op::Ask(ask) = op {
                    let base = places.get(ask.endpoint.index()).map_or("", |place| place.origin.base()).to_owned();
                    ask.target = Target::Logged { base, logs: self.clone() };
                    ask.whole = None;
                }
            }
        }
    }
}

fn log(replay: &Replay, folder: &Path) -> Result<Log, String> {
    let text = String::from_utf8(bytes(&replay.file, &replay.sha256, folder)?)
        .map_err(|_| format!("`{}` is not UTF-8", replay.file))?;
    let (taken, _) = replay.choice.take(&text);
    let order: Vec<usize> =
        taken.arrivals(replay.speed, replay.amplify).into_iter().map(|(_, request)| request).collect();
    if order.len() as u64 != replay.instants.len() || taken.routes.len() != replay.routes.len() {
        return Err(format!(
            "`{}` is read otherwise than when the plan was made; check the scenario again",
            replay.file
        ));
    }
    Ok(Log { requests: taken.requests, order })
}
