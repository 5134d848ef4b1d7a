//! What the drill is, for people.

use super::context::Cx;
use crate::base::diagnostic::Diagnostic;
use crate::base::units::Text;
use crate::plan::About;
use crate::scenario::{Field, Scenario};

pub(super) fn about(scenario: &Scenario, cx: &mut Cx<'_>) -> About {
    if let Some(name) = cx.need(&scenario.name) {
        let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
        if !name.value.chars().all(fits) || name.value.starts_with(['.', '-', ' ']) || name.value.chars().count() > 80 {
            let message = format!("`{}` cannot be a scenario's name: runs are filed under it", name.value);
            let help =
                "write letters, digits, `-`, `_`, `.` and spaces, at most 80, beginning with a letter or a digit";
            cx.say(Diagnostic::error("name", name.mark, message).help(help));
        }
    }
    cx.need(&scenario.peakdrill);
    let mut text = |field: &Field<Text>| cx.get(field).map(|text| text.value.clone()).unwrap_or_default();
    let (title, description) = (text(&scenario.title), text(&scenario.description));
    let (purpose, scope) = (text(&scenario.purpose), text(&scenario.scope));
    let (owner, environment) = (text(&scenario.owner), text(&scenario.environment));
    let differs_from_production = text(&scenario.differs_from_production);
    let people = match cx.get(&scenario.people) {
        Some(people) => cx.items(&people.value).iter().map(|person| person.value.clone()).collect(),
        None => Vec::new(),
    };
    About {
        name: scenario.name.value().cloned().unwrap_or_default(),
        title,
        description,
        purpose,
        scope,
        emergency_plan: cx.get(&scenario.emergency_plan).map(|plan| plan.value.clone()),
        owner,
        people,
        environment,
        differs_from_production,
    }
}
