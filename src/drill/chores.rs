use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use serde_json::{Map, Value};
use tokio::task::JoinSet;

use super::Setting;
use crate::base::template::Masker;
use crate::base::units::{At, Rate, Span};
use crate::load::{self, Carried, Feeds, LoadError, MadeRows};
use crate::plan::{Action, Chore, ChoreWork, FeedData, FeedId, Plan};
use crate::platform::Platform;
use crate::record::Folder;
use crate::undo::Journal;
use crate::wire::Door;

/// `prepare` and `cleanup`: one after another, outside all figures, each with its deadline.
pub(super) struct Chores<'c> {
    pub(super) setting: &'c Setting,
    pub(super) plan: Arc<Plan>,
    pub(super) door: Door,
    pub(super) platform: &'c Platform,
    pub(super) journal: Journal,
    pub(super) output: Folder,
    pub(super) masker: Arc<RwLock<Masker>>,
    /// What templates of the load see; `prepare.*` is added here.
    pub(super) constants: Map<String, Value>,
    /// Rows of feeds that were made so far.
    pub(super) made: MadeRows,
}

/// So many rows are under way at once, at the most.
const AT_ONCE: usize = 32;

impl Chores<'_> {
    /// Does one; `Err` says why it is not done.
    pub(super) async fn one(&mut self, index: usize, chore: &Chore, cleanup: bool) -> Result<(), String> {
        let name = format!("{}-{}", if cleanup { "cleanup" } else { "prepare" }, index + 1);
        let actions = match &chore.work {
            work @ ChoreWork::Run { .. } => {
                let ran = self.platform.run_program(index, cleanup, work, chore.within).await;
                return ran.map_err(|error| error.to_string());
            }
            ChoreWork::Steps(actions) => actions,
            ChoreWork::Each { feed, rate, actions, into } => {
                let mut rows = BTreeMap::new();
                let all = self.each(&name, (*feed, *rate), actions, chore.within, &mut rows).await;
                // Those that were made before one failed are there to be cleaned up.
                if let Some(into) = into.and_then(|into| self.plan.feeds.get(into.index())) {
                    self.made.insert(into.name.clone(), rows.into_values().collect());
                }
                return all;
            }
        };
        let setting = self.load_setting(Feeds::default());
        let carried = done(load::carry_out(&setting, &name, actions, chore.within).await)?;
        for (name, value) in carried.captures {
            if carried.secret.contains(&name) {
                self.learn(&value)?;
                let secrets = self.constants.entry("secret").or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(secrets) = secrets {
                    secrets.insert(format!("prepare.{name}"), value.clone());
                }
            }
            let prepared = self.constants.entry("prepare").or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(prepared) = prepared {
                prepared.insert(name, value);
            }
        }
        Ok(())
    }

    /// Takes the steps with each row of a feed, until one fails; the k-th row begins at k / rate, or when one of those under way
    /// is done. What they captured comes into `made`, by the number of the row.
    async fn each(
        &mut self,
        name: &str,
        (feed, rate): (FeedId, Rate),
        actions: &[Action],
        within: Span,
        made: &mut BTreeMap<usize, Value>,
    ) -> Result<(), String> {
        let files = &self.setting.files;
        let read = Feeds::read(&self.plan, files, MadeRows::new()).map_err(|error| error.to_string())?;
        let Some(known) = self.plan.feeds.get(feed.index()) else { return Err(format!("there is no feed {feed}")) };
        let feed_name = known.name.clone();
        let given: Vec<Value> = match known.data {
            FeedData::Made(_) => self.made.get(&feed_name).cloned().unwrap_or_default(),
            _ => read.whole_rows(feed),
        };
        let rows = given.len();
        let clock = self.door.clock().clone();
        let (began, actions): (At, Arc<[Action]>) = (clock.now(), actions.into());
        let due = |row: usize| began + Span::from_seconds_f64(row as f64 / rate.as_per_second());
        let (mut under_way, mut begun) = (JoinSet::new(), 0);
        let mut all = Ok(());
        loop {
            let more = all.is_ok() && begun < rows;
            if !more && under_way.is_empty() {
                return all;
            }
            if more && under_way.len() < AT_ONCE && due(begun) <= clock.now() {
                let left = within.saturating_sub(clock.now().since(began));
                if left == Span::ZERO {
                    all = Err(format!("{} of {rows} rows were done within {within}", made.len()));
                    continue;
                }
                let mut setting = self.load_setting(Feeds::default());
                let row = Value::Object(Map::from_iter([(feed_name.clone(), given[begun].clone())]));
                Arc::make_mut(&mut setting.constants).insert("feed".to_owned(), row);
                let (name, actions, nth) = (name.to_owned(), actions.clone(), begun);
                under_way.spawn(async move { (nth, load::carry_out(&setting, &name, &actions, left).await) });
                begun += 1;
                continue;
            }
            tokio::select! {
                Some(ended) = under_way.join_next(), if !under_way.is_empty() => {
                    let (row, carried) = ended.map_err(|error| error.to_string())?;
                    let carried = match done(carried) {
                        Ok(carried) => carried,
                        Err(why) => {
                            // Those under way come to their end: what they make is known, and can be cleaned up.
                            all = all.and(Err(format!("row {}: {why}", row + 1)));
                            continue;
                        }
                    };
                    for (_, secret) in carried.captures.iter().filter(|(name, _)| carried.secret.contains(name)) {
                        self.learn(secret)?;
                    }
                    made.insert(row, Value::Object(carried.captures));
                }
                () = clock.sleep_until(due(begun)), if more && under_way.len() < AT_ONCE => {}
            }
        }
    }

    /// A secret that came to be known: masked from now on, here and by the load, which goes by what is under `secret`, and by
    /// the secret columns of feeds.
    fn learn(&mut self, value: &Value) -> Result<(), String> {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.masker.write().expect("nothing panics while it holds this lock").add(&text);
        self.journal.conceal(&self.output.outputs(), &text).map_err(|error| error.to_string())
    }

    pub(super) fn load_setting(&self, feeds: Feeds) -> load::Setting {
        load::Setting {
            plan: self.plan.clone(),
            run: self.setting.whole().to_owned(),
            constants: Arc::new(self.constants.clone()),
            feeds,
            door: self.door.clone(),
            program: self.setting.program.clone(),
            files: self.setting.files.clone(),
        }
    }
}

/// What steps brought, where all of them were ok; `Err` says what was wrong with the last.
fn done(carried: Result<Carried, LoadError>) -> Result<Carried, String> {
    let carried = carried.map_err(|error| error.to_string())?;
    if carried.transcript.ok {
        return Ok(carried);
    }
    let last = carried.transcript.exchanges.iter().rev().find_map(|exchange| exchange.result.as_ref().err());
    Err(last.map_or_else(|| "not every step was ok".to_owned(), |fault| fault.why.clone()))
}
