//! A machine under strain, this one or a host: cores kept busy, memory or disk taken, by an agent that ends when it is told to, or when
//! the harness is gone. What leads to it is in the journal before it is started. An agent sees by itself what it takes; that it is gone
//! from a host is asked there, once more.

use std::sync::{Arc, OnceLock};

use super::{Faults, Kind, blocking, said};
use crate::agent::{Agent, AgentError, LEASE, Seen, Strain, Way};
use crate::base::clock::Clock;
use crate::base::host::{Identity, Speed, Tree};
use crate::base::units::{At, Span};
use crate::plan::{FaultId, HostId};
use crate::record::Sight;
use crate::undo::{Action, UndoId};

/// How long an agent may take to answer what it can tell at once.
const ANSWER: Span = Span::seconds(3);
/// One whose connection was cut lives for its lease; and then it may take a little.
const GONE: Span = Span(LEASE.0 + Span::seconds(5).0);
/// How often it is asked for.
const AGAIN: Span = Span::millis(200);

/// A strain that is on.
#[derive(Debug)]
pub(super) struct Strained {
    agent: Arc<Agent>,
    undo: UndoId,
    number: Option<FaultId>,
    /// Where it is, if not here.
    host: Option<HostId>,
    /// Known once it has been told what to do.
    process: Arc<OnceLock<Identity>>,
}

impl Strained {
    /// How fast it wrote.
    pub(super) async fn wrote(&self) -> Result<Speed, Sight> {
        let agent = self.agent.clone();
        blocking(move || agent.wrote()).await?.map_err(said)
    }

    /// Comes back only if it could not do what it was told, with the reason.
    pub(super) async fn failed(&self) -> Sight {
        let agent = self.agent.clone();
        match blocking(move || agent.begun()).await {
            Ok(Ok(())) => std::future::pending().await,
            Ok(Err(why)) => said(why),
            Err(why) => why,
        }
    }
}

/// `lasts`: how long it may take until it is seen to be on.
pub(super) async fn inject(
    faults: &Faults,
    number: FaultId,
    host: Option<HostId>,
    strain: Strain,
    lasts: Span,
) -> Result<(Kind, Vec<Sight>), Vec<Sight>> {
    let way = way(faults, host).map_err(|why| vec![why])?;
    let deadline = faults.clock.now() + lasts;
    let (agent, undo) = start(faults, format!("strain-{number}"), way).await.map_err(|why| vec![why])?;
    let strained = Strained { agent, undo, number: Some(number), host, process: Arc::default() };
    let (agent, process) = (strained.agent.clone(), strained.process.clone());
    let begin = move || -> Result<Seen, AgentError> {
        // One of another version is told nothing.
        let identity = agent.greet()?;
        let _ = process.set(identity);
        agent.strain(strain)
    };
    let why = match faults.unless_stopped(deadline, blocking(begin)).await {
        Some(Ok(Ok(Seen::Burns { cores }))) => return Ok((Kind::Strain { strained }, vec![Sight::Burns { cores }])),
        Some(Ok(Ok(Seen::Taken { bytes }))) => return Ok((Kind::Strain { strained }, vec![Sight::Taken { bytes }])),
        Some(Ok(Ok(Seen::Idle { cores }))) => Sight::Idle { cores },
        Some(Ok(Ok(Seen::Short { bytes }))) => Sight::Short { bytes },
        Some(Ok(Err(why))) => said(why),
        Some(Err(why)) => why,
        None => Sight::NeverSeen,
    };
    let more = end(faults, strained).await.err().unwrap_or_default();
    Err([vec![why], more].concat())
}

/// The same here, without looking: has an agent, which is in the journal by `name` before, do something.
pub(super) async fn order(faults: &Faults, name: String, strain: Strain) -> Result<Strained, Sight> {
    let (agent, undo) = start(faults, name, way(faults, None)?).await?;
    let strained = Strained { agent, undo, number: None, host: None, process: Arc::default() };
    let agent = strained.agent.clone();
    match blocking(move || agent.greet().and_then(|_| agent.order(strain))).await? {
        Ok(()) => Ok(strained),
        Err(why) => {
            let _ = end(faults, strained).await;
            Err(said(why))
        }
    }
}

fn way(faults: &Faults, host: Option<HostId>) -> Result<Way, Sight> {
    let Some(host) = host else { return Ok(Way::here(faults.platform.program())) };
    let host = faults.platform.plan().hosts.get(host.index()).ok_or(Sight::NoTarget)?;
    Ok(Way::to(host, faults.platform.here()))
}

/// Starts what leads to an agent, which is in the journal by `name` before.
async fn start(faults: &Faults, name: String, way: Way) -> Result<(Arc<Agent>, UndoId), Sight> {
    let journal = faults.journal.clone();
    let start = move || -> Result<(Arc<Agent>, UndoId), Sight> {
        let marker = journal.marker(&name).to_string();
        let tree = Tree { cgroup: None, marker: Some(marker.clone()), root: None };
        let undo = journal.plan(Action::StopTree { name, tree }).map_err(said)?;
        match Agent::start(&way, Some(&marker)) {
            Ok(agent) => Ok((Arc::new(agent), undo)),
            Err(why) => {
                journal.done(undo);
                Err(said(why))
            }
        }
    };
    blocking(start).await?
}

/// Ends a strain that was seen to be on.
pub(super) async fn heal(faults: &Faults, strained: Strained) -> Result<Vec<Sight>, Vec<Sight>> {
    let agent = strained.agent.clone();
    // One that has ended before, or was cut off, was not in force all the time.
    let lost = blocking(move || agent.load(ANSWER).err()).await.map_err(|why| vec![why])?;
    let released = end(faults, strained).await?;
    match lost {
        None => Ok(released),
        // It is gone, but nobody can say since when.
        Some(why) => Err([vec![Sight::Unheard { why: why.to_string() }], released].concat()),
    }
}

/// Ends it, and waits until it is gone.
pub(super) async fn end(faults: &Faults, strained: Strained) -> Result<Vec<Sight>, Vec<Sight>> {
    let Strained { agent, undo, number, host, process } = strained;
    let journal = faults.journal.clone();
    let undone = move || {
        agent.end();
        journal.undo(undo)
    };
    blocking(undone).await.map_err(|why| vec![why])?.map_err(|why| vec![said(why)])?;
    if let (Some(number), Some(host), Some(process)) = (number, host, process.get()) {
        until_gone(faults, number, host, *process).await.map_err(|why| vec![why])?;
    }
    Ok(vec![Sight::Released])
}

/// Asks a host until a process is gone there.
async fn until_gone(faults: &Faults, number: FaultId, host: HostId, process: Identity) -> Result<(), Sight> {
    let way = way(faults, Some(host))?;
    let deadline = faults.clock.now() + GONE;
    loop {
        let (agent, undo) = start(faults, format!("ask-{number}"), way.clone()).await?;
        let (clock, journal) = (faults.clock.clone(), faults.journal.clone());
        let ask = move || {
            let asked = ask(&agent, process, &clock, deadline);
            agent.end();
            journal.undo(undo).map_err(said).and(asked)
        };
        match blocking(ask).await? {
            Err(why) if faults.clock.now() >= deadline => return Err(why),
            Err(_) => faults.clock.sleep(AGAIN).await,
            Ok(()) => return Ok(()),
        }
    }
}

fn ask(agent: &Agent, process: Identity, clock: &Clock, deadline: At) -> Result<(), Sight> {
    agent.greet().map_err(said)?;
    while agent.lives(process, ANSWER).map_err(said)? {
        if clock.now() >= deadline {
            return Err(said(format!("process {} of ours lives there still", process.pid)));
        }
        clock.block_for(AGAIN);
    }
    Ok(())
}
