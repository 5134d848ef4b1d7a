use serde_json::{Value, json};

use super::{
    Action, Chore, Fault, Feed, Journey, Limits, Load, Obligation, Phase, Platform, Production, SteadyState, Trigger,
    When,
};
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::Text;
use crate::base::yaml::{Kind, Node, Scalar, ScalarKind};
use crate::scenario::decode::{Context, Raw};
use crate::scenario::define::block;
use crate::scenario::field::{Free, List, Named, Reached};
use crate::scenario::schema::Defs;
use crate::scenario::value::Tree;

block! {
    /// One drill, as written: what we drill, who comes, how many, what breaks, what must hold.
    pub struct Scenario("a scenario") {
        /// The version of the language: 1.
        peakdrill: required("peakdrill") Version,
        /// A short name: reports and runs are filed under it.
        name: required("name") String,
        /// What reports are headed with.
        title: optional("title") Text,
        /// What it is about, in a few sentences.
        description: optional("description") Text,
        /// Why the drill is done.
        purpose: optional("purpose") Text,
        /// What is drilled and what is left out.
        scope: optional("scope") Text,
        /// The emergency plan that this drill rehearses.
        emergency_plan: optional("emergency-plan") String,
        /// Who answers for the drill.
        owner: optional("owner") Text,
        /// Who takes part.
        people: optional("people") List<Text>,
        /// Where it is done.
        environment: optional("environment") Text,
        /// What a drill of production keeps to.
        production: optional("production") Production,
        /// How that place differs from production.
        differs_from_production: optional("differs-from-production") Text,
        /// Same seed: same arrivals, same data, same choices.
        seed: optional("seed") u64,
        /// Values used in several places as "{{ vars.name }}"; profiles and --set change them.
        vars: optional("vars") Named<Tree, Reached>,
        /// Named sets of changes: maps merge, null takes an entry out, all else replaces.
        profiles: optional("profiles") Named<Overlay, Free>,
        /// Files whose entries are brought in; a name may be given once only.
        include: optional("include") List<String>,
        /// The system under drill.
        platform: required("platform") Platform,
        /// Done once before any load, outside all figures.
        prepare: optional("prepare") List<Chore>,
        /// Done once after everything, after aborts too.
        cleanup: optional("cleanup") List<Chore>,
        /// Rows of data for visits.
        feeds: optional("feeds") Named<Feed, Reached>,
        /// What one visitor does; left out where all loads replay logs.
        journeys: optional("journeys") Named<Journey>,
        /// Who comes, and how many.
        load: required("load") Named<Load>,
        /// When the drill ends; left out: with its last stage.
        end: optional("end") When,
        /// Named stretches beside those that stages name.
        phases: optional("phases") Named<Phase>,
        /// What breaks.
        faults: optional("faults") Named<Fault>,
        /// The emergency plan's steps, timed on the same timeline.
        actions: optional("actions") Named<Action>,
        /// What must hold before the first fault, and again before a recovery counts.
        steady_state: optional("steady-state") Named<SteadyState>,
        /// What stops the drill.
        abort: optional("abort") Named<Trigger>,
        /// What must hold for the drill to pass.
        targets: optional("targets") Named<Obligation>,
        /// Patience, shedding and the like.
        limits: optional("limits") Limits,
    }
    later("ledgers", "invariants", "compare");
    check(check_scenario);
}

fn check_scenario(scenario: &Scenario, at: Mark, cx: &mut Context<'_>) {
    let loads = scenario.load.value().into_iter().flat_map(Named::iter);
    let replays = loads.map(|(_, load)| load).any(|load| load.replay.written().is_some());
    if scenario.journeys.is_absent() && scenario.complete && !replays {
        cx.say(Diagnostic::error("needs-word", at, "a scenario needs `journeys`"));
    }
}

/// The version of the language; only 1 exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version(pub u32);

impl Raw for Version {
    fn decode(node: &Node, _: Mark, cx: &mut Context<'_>) -> Option<Version> {
        match node.as_scalar() {
            Some(Scalar { kind: ScalarKind::Int(1), .. }) => Some(Version(1)),
            Some(Scalar { kind: ScalarKind::Int(_) | ScalarKind::Float(_), text }) => {
                let message = format!("this program reads version 1 of the language, not {text}");
                cx.say(Diagnostic::error("version", node.mark, message).help("write `peakdrill: 1`"));
                None
            }
            _ => {
                cx.wrong(node, "the version of the language, 1,");
                None
            }
        }
    }

    fn schema(_: &mut Defs) -> Value {
        json!({ "const": 1 })
    }
}

/// What a profile lays over the file. It is read as a part of the whole, not by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlay;

impl Raw for Overlay {
    fn decode(node: &Node, _: Mark, cx: &mut Context<'_>) -> Option<Overlay> {
        let Kind::Map(map) = &node.kind else {
            cx.wrong(node, "a map of changes");
            return None;
        };
        for (key, _) in &map.entries {
            if matches!(key.text.as_str(), "peakdrill" | "profiles" | "include") {
                let message = format!("a profile cannot change `{}`", key.text);
                cx.say(Diagnostic::error("wrong-word", key.mark, message));
            }
        }
        Some(Overlay)
    }

    fn schema(_: &mut Defs) -> Value {
        let fixed = json!({ "enum": ["peakdrill", "profiles", "include"] });
        json!({ "type": "object", "propertyNames": { "not": fixed } })
    }
}
