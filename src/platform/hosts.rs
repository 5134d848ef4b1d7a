//! The hosts that are watched, each by an agent of ours, which is asked once a second.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::{JoinHandle, JoinSet, spawn_blocking};

use super::{PlatformError, Setting};
use crate::agent::{Agent, AgentError, Way};
use crate::base::clock::Clock;
use crate::base::host::{SystemLoad, Tree};
use crate::base::units::{At, Span};
use crate::plan::{HostId, WatchId, WatchKind};
use crate::undo::{Action, UndoId};

/// Less than a second, so that each has its answer or the reason why it has none.
const PATIENCE: Span = Span::millis(900);
/// One who has not answered for so long is reached anew.
const LOST: Span = Span::seconds(3);

/// All that are watched.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    posts: Mutex<Vec<Arc<Post>>>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) watches: Vec<WatchId>,
    way: Way,
    marker: String,
    undo: UndoId,
    /// None while it is not reached.
    agent: Mutex<Option<Agent>>,
}

impl Hosts {
    /// Reaches each, where that can be done now: one that is not reached is tried again each second while it is watched. What leads there
    /// is in the journal before.
    pub(super) async fn reach(&self, setting: &Setting) -> Result<(), PlatformError> {
        let platform = &setting.plan.platform;
        let mut tries = JoinSet::new();
        for (index, host) in platform.hosts.iter().enumerate() {
            let kind = WatchKind::Remote(HostId::at(index));
            let watches = platform.watches.iter().enumerate().filter(|(_, watch)| watch.kind == kind);
            let watches: Vec<WatchId> = watches.map(|(index, _)| WatchId::at(index)).collect();
            if watches.is_empty() {
                continue;
            }
            let name = format!("watch-{}", host.name);
            let marker = setting.journal.marker(&name).to_string();
            let tree = Tree { cgroup: None, marker: Some(marker.clone()), root: None };
            let undo = setting.journal.plan(Action::StopTree { name, tree })?;
            let way = Way::to(host, &setting.here);
            let post = Arc::new(Post { watches, way, marker, undo, agent: Mutex::default() });
            self.lock().push(post.clone());
            tries.spawn_blocking(move || *post.agent() = post.reach().ok());
        }
        while tries.join_next().await.is_some() {}
        Ok(())
    }

    pub(super) fn posts(&self) -> Vec<Arc<Post>> {
        self.lock().clone()
    }

    /// Leaves all of them.
    pub(super) async fn stop(&self, setting: &Setting) -> Vec<PlatformError> {
        let (posts, journal) = (std::mem::take(&mut *self.lock()), setting.journal.clone());
        let leave = move || posts.iter().filter_map(|post| journal.undo(post.undo).err()).collect::<Vec<_>>();
        let failed = spawn_blocking(leave).await.unwrap_or_default();
        failed.into_iter().map(PlatformError::from).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Post>>> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Post {
    fn reach(&self) -> Result<Agent, AgentError> {
        let agent = Agent::start(&self.way, Some(&self.marker))?;
        agent.greet()?;
        Ok(agent)
    }

    /// What it does, and when it had said so.
    fn ask(&self, clock: &Clock) -> Result<(At, SystemLoad), String> {
        let mut held = self.agent();
        let agent = match held.take() {
            Some(agent) => agent,
            None => self.reach().map_err(|why| why.to_string())?,
        };
        // One that fails is left: what it says later would be taken for the answer to a later question.
        let load = agent.load(LOST).map_err(|why| why.to_string())?;
        *held = Some(agent);
        Ok((clock.now(), load))
    }

    fn agent(&self) -> MutexGuard<'_, Option<Agent>> {
        self.agent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks one host again and again; never twice at once.
pub(super) struct Asking {
    post: Arc<Post>,
    clock: Clock,
    asked: Option<JoinHandle<Result<(At, SystemLoad), String>>>,
}

impl Asking {
    pub(super) fn new(post: Arc<Post>, clock: Clock) -> Asking {
        Asking { post, clock, asked: None }
    }

    /// The answer to what was asked last, if that is still to come, else to what is asked now. What has come meanwhile is of a second that is
    /// over, and was said to have no answer.
    pub(super) async fn next(&mut self) -> Result<(At, SystemLoad), String> {
        let (post, clock) = (self.post.clone(), self.clock.clone());
        let late = self.asked.take().filter(|asked| !asked.is_finished());
        let mut asked = late.unwrap_or_else(|| spawn_blocking(move || post.ask(&clock)));
        match self.clock.timeout(PATIENCE, &mut asked).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => {
                self.asked = Some(asked);
                Err(format!("no answer within {PATIENCE}"))
            }
        }
    }
}
