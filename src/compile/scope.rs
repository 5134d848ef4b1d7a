//! What a condition is of: which step, fault, process and the like.

use super::condition::Scenery;
use super::context::Cx;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::plan::{ActionId, EndpointId, FigureId, JourneyId, LoadId, Scope, StepId};
use crate::scenario::{self, Spanned};

impl Scenery<'_> {
    pub(super) fn scope(
        &self,
        written: &scenario::Condition,
        word: Option<&Spanned<scenario::Measure>>,
        at: Mark,
        cx: &mut Cx<'_>,
    ) -> Option<Scope> {
        use scenario::Measure as M;
        let fields = [
            &written.step,
            &written.group,
            &written.journey,
            &written.load,
            &written.process,
            &written.endpoint,
            &written.fault,
            &written.action,
            &written.figure,
        ];
        if let Some(field) = fields.into_iter().find(|field| field.is_hole()) {
            return cx.get(field).map(|_| Scope::All);
        }
        if let Some(name) = cx.get(&written.step).or_else(|| cx.get(&written.group)) {
            return self.named_scope(name, written.step.is_absent(), cx);
        }
        if let Some(figure) = cx.get(&written.figure) {
            return self.figures.find(figure, cx).map(|id| Scope::Figure(FigureId::at(id)));
        }
        if let Some(journey) = cx.get(&written.journey) {
            return self.journeys.find(journey, cx).map(|id| Scope::Journey(JourneyId::at(id)));
        }
        let named = match cx.get(&written.load) {
            Some(load) => Some(self.loads.find(load, cx)?),
            None => None,
        };
        if let Some(word) = word.filter(|word| matches!(word.value, M::Capacity | M::Headroom)) {
            return self.searched(named, &word.written(), word.mark, cx);
        }
        if let Some(id) = named {
            return Some(Scope::Load(LoadId::at(id)));
        }
        if let Some(endpoint) = cx.get(&written.endpoint) {
            return self.endpoints.find(endpoint, cx).map(|id| Scope::Endpoint(EndpointId::at(id)));
        }
        if let Some(process) = cx.get(&written.process) {
            return self.process(process, word, cx);
        }
        let measure = word?;
        if measure.value == M::ActionTime {
            return self.action(written, measure, at, cx);
        }
        if !matches!(measure.value, M::DetectionTime | M::RecoveryTime | M::DegradedTime) {
            return Some(Scope::All);
        }
        if let Some(fault) = cx.get(&written.fault) {
            return self.faults.scope(fault, cx);
        }
        match self.faults.len() {
            1 => self.faults.scope_at(0),
            0 if !self.faults.is_whole() => None,
            0 => {
                let message = format!("`{}` is about a fault, and the scenario has none", measure.written());
                cx.say(Diagnostic::error("no-fault", measure.mark, message));
                None
            }
            _ => {
                let known: Vec<&str> = self.faults.iter().collect();
                let message = format!("there are several faults: `{}` does not say of which", measure.written());
                let help = format!("add `fault:` with one of {}", known.join(", "));
                cx.say(Diagnostic::error("which-fault", at, message).help(help));
                None
            }
        }
    }

    fn action(
        &self,
        written: &scenario::Condition,
        measure: &Spanned<scenario::Measure>,
        at: Mark,
        cx: &mut Cx<'_>,
    ) -> Option<Scope> {
        if let Some(action) = cx.get(&written.action) {
            return self.actions.find(action, cx).map(|id| Scope::Action(ActionId::at(id)));
        }
        match self.actions.len() {
            1 => Some(Scope::Action(ActionId(0))),
            0 if !self.actions.is_whole() => None,
            0 => {
                let message = "`action-time` is about an action, and the scenario has none";
                cx.say(Diagnostic::error("no-action", measure.mark, message).help("say what is done under `actions`"));
                None
            }
            _ => {
                let known: Vec<&str> = self.actions.iter().collect();
                let message = "there are several actions: `action-time` does not say of which";
                let help = format!("add `action:` with one of {}", known.join(", "));
                cx.say(Diagnostic::error("which-action", at, message).help(help));
                None
            }
        }
    }

    /// A step, or a group of steps.
    fn named_scope(&self, name: &Spanned<String>, group: bool, cx: &mut Cx<'_>) -> Option<Scope> {
        let id = self.steps.find(name, group, cx)?;
        if self.asked.get(id) == Some(&false) {
            let message = format!("no figures are kept of `{}`: it is no step of a journey that comes", name.value);
            cx.say(Diagnostic::error("unknown-name", name.mark, message));
            return None;
        }
        let id = StepId::at(id);
        Some(if group { Scope::Group(id) } else { Scope::Step(id) })
    }

    fn process(
        &self,
        name: &Spanned<String>,
        word: Option<&Spanned<scenario::Measure>>,
        cx: &mut Cx<'_>,
    ) -> Option<Scope> {
        let ids = self.processes.find(name, cx)?;
        let [id] = ids else {
            let message = format!("`{}` is {} processes: name one", name.value, ids.len());
            cx.say(Diagnostic::error("which-process", name.mark, message).help(format!("write `{}_1`", name.value)));
            return None;
        };
        if !self.watched.contains(id) && !self.watches_lost {
            let measure = word.map(|word| word.written()).unwrap_or_default();
            let message = format!("`{}` is not watched, so there is no {measure} of it", name.value);
            let help = format!("write watch: {{ {}: {{ process: {} }} }} under `platform`", name.value, name.value);
            cx.say(Diagnostic::error("not-watched", name.mark, message).help(help));
        }
        Some(Scope::Process(*id))
    }
}
