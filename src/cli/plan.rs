use super::args::{Format, PlanArgs};
use super::exit::Exit;
use super::scenarios;
use super::speech::Speech;
use crate::base::units::{At, Span};
use crate::plan::arrivals::Schedule;
use crate::plan::{LoadId, Plan};
use crate::report::{Origin, PlanPage, plan_page};

/// The longest drill whose arrivals are counted second by second for the chart.
const SECONDS: u64 = 400_000;

pub(super) fn plan(args: &PlanArgs, speech: Speech) -> Exit {
    let choice = &args.choice;
    let compiled = match scenarios::compiled(speech, &args.file, choice.profile.as_deref(), &choice.sets) {
        Ok(compiled) => compiled,
        Err(exit) => return exit,
    };
    if args.format == Format::Json {
        return match serde_json::to_string_pretty(&compiled.plan) {
            Ok(text) => {
                speech.print(&format!("{text}\n"));
                Exit::Passed
            }
            Err(error) => {
                speech.complain(&error);
                Exit::Defect
            }
        };
    }
    let origins: Vec<Origin> = compiled
        .origins
        .0
        .iter()
        .map(|origin| Origin { name: origin.path.clone(), value: origin.value.clone(), from: origin.from.to_string() })
        .collect();
    let arrivals = arrivals(&compiled.plan);
    let page = PlanPage { plan: &compiled.plan, origins: &origins, arrivals: &arrivals, warnings: &[] };
    speech.print(&plan_page(&page, speech.words, speech.colour));
    Exit::Passed
}

/// For each load, the arrivals of each second.
fn arrivals(plan: &Plan) -> Vec<Vec<u64>> {
    let seconds = plan.end.as_nanos().div_ceil(Span::SECOND.as_nanos()).min(SECONDS);
    let of = |(index, load)| {
        let schedule = Schedule::new(load, plan.seed, LoadId::at(index));
        let at = |second: u64| At(Span::seconds(second).0);
        (0..seconds).map(|second| schedule.between(at(second), at(second + 1))).collect()
    };
    plan.loads.iter().enumerate().map(of).collect()
}
