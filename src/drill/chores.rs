use std::sync::{Arc, RwLock};

use serde_json::{Map, Value};

use super::Setting;
use crate::base::template::Masker;
use crate::load::{self, Feeds};
use crate::plan::{Chore, ChoreWork, Plan};
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
}

impl Chores<'_> {
    /// Does one; `Err` says why it is not done.
    pub(super) async fn one(&mut self, index: usize, chore: &Chore, cleanup: bool) -> Result<(), String> {
        let actions = match &chore.work {
            work @ ChoreWork::Run { .. } => {
                let ran = self.platform.run_program(index, cleanup, work, chore.within).await;
                return ran.map_err(|error| error.to_string());
            }
            ChoreWork::Steps(actions) => actions,
        };
        let setting = self.load_setting(Feeds::default());
        let name = format!("{}-{}", if cleanup { "cleanup" } else { "prepare" }, index + 1);
        let carried = load::carry_out(&setting, &name, actions, chore.within).await;
        let carried = carried.map_err(|error| error.to_string())?;
        if !carried.transcript.ok {
            let last = carried.transcript.exchanges.iter().rev().find_map(|exchange| exchange.result.as_ref().err());
            return Err(last.map_or_else(|| "not every step was ok".to_owned(), |fault| fault.why.clone()));
        }
        for (name, value) in carried.captures {
            if carried.secret.contains(&name) {
                self.learn(&name, &value)?;
            }
            let prepared = self.constants.entry("prepare").or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(prepared) = prepared {
                prepared.insert(name, value);
            }
        }
        Ok(())
    }

    /// A secret that came to be known: masked from now on, here and by the load, which goes by what is under `secret`.
    fn learn(&mut self, name: &str, value: &Value) -> Result<(), String> {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.masker.write().expect("nothing panics while it holds this lock").add(&text);
        self.journal.conceal(&self.output.outputs(), &text).map_err(|error| error.to_string())?;
        let secrets = self.constants.entry("secret").or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(secrets) = secrets {
            secrets.insert(format!("prepare.{name}"), value.clone());
        }
        Ok(())
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
