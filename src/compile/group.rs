//! Groups of steps, which have figures of their own as one.

use super::context::Cx;
use super::journey::{Made, Walker};
use crate::base::diagnostic::Diagnostic;
use crate::plan::{self, Action, StepId};
use crate::scenario;

impl Walker<'_, '_> {
    pub(super) fn group(&mut self, step: &scenario::GroupStep, cx: &mut Cx<'_>) -> Option<Action> {
        cx.broken |= !step.complete;
        let group = cx.need(&step.group)?;
        cx.broken |= !group.complete;
        let name = cx.need(&group.name);
        let Some(name) = name else {
            self.steps.lack();
            if let Some(steps) = cx.get(&group.steps) {
                self.actions(&steps.value, cx);
            }
            return None;
        };
        let title = cx.get(&group.title).map(|title| title.value.clone()).unwrap_or_default();
        let id = self.steps.register_group(&name.value, name.mark, title, cx);
        if self.groups.contains(&id) {
            let message = format!("the group `{}` lies within itself: its time would count twice", name.value);
            cx.say(Diagnostic::error("group-in-itself", name.mark, message).help("give one of them another name"));
        }
        let made = self.made.len();
        self.groups.push(id);
        let actions = cx.need(&group.steps).map(|steps| self.actions(&steps.value, cx));
        self.groups.pop();
        let requests = self.made.get(made..).unwrap_or_default();
        if actions.is_some() && !requests.iter().any(Made::is_request) && self.steps.names.is_whole() {
            let message = format!("the group `{}` sends no request: it has no time", name.value);
            cx.say(Diagnostic::error("no-request", name.mark, message));
        }
        self.note_made(id, None);
        Some(Action::Group(plan::Group { step: StepId::at(id), actions: actions? }))
    }
}
