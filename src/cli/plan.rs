use serde_json::Value;

use super::args::{Format, PlanArgs};
use super::exit::Exit;
use super::machine;
use super::scenarios::{self, Reading};
use super::speech::Speech;
use crate::base::diagnostic::{Diagnostic, Sources, to_json};
use crate::base::units::{At, Span};
use crate::compile::Compiled;
use crate::plan::arrivals::{Schedule, Slice};
use crate::plan::{Load, LoadId, Plan, present};
use crate::report::{Colour, Origin, PlanPage, Words, plan_page};

/// The longest drill whose arrivals are counted second by second for the chart.
const SECONDS: u64 = 400_000;

pub(super) fn plan(args: &PlanArgs, speech: Speech) -> Exit {
    let choice = &args.choice;
    let reading = scenarios::read(&args.file, choice.profile.as_deref(), &choice.sets);
    let Some(compiled) = &reading.compiled else {
        scenarios::say(speech, &reading);
        return Exit::Wrong;
    };
    let machine = machine::warnings(&compiled.plan, None, Slice::WHOLE, speech.words);
    let shown = match args.format {
        Format::Json => json(compiled, &reading, &machine),
        Format::Text => Ok(page(compiled, &reading, &machine, speech.words, speech.colour)),
    };
    match shown {
        Ok(text) => {
            speech.print(&text);
            Exit::Passed
        }
        Err(error) => {
            speech.complain(&error);
            Exit::Defect
        }
    }
}

/// The plan as it is stored; and `warnings`, as `check` says them, and `machine`, what stands against making this load
/// here, where there are any.
fn json(compiled: &Compiled, reading: &Reading, machine: &[String]) -> serde_json::Result<String> {
    let mut plan = serde_json::to_value(&compiled.plan)?;
    if let (Value::Object(fields), false) = (&mut plan, reading.found.is_empty()) {
        fields.insert("warnings".to_owned(), to_json(&reading.found, &reading.sources));
    }
    if let (Value::Object(fields), false) = (&mut plan, machine.is_empty()) {
        fields.insert("machine".to_owned(), machine.into());
    }
    Ok(format!("{plan:#}\n"))
}

fn page(compiled: &Compiled, reading: &Reading, machine: &[String], words: Words, colour: Colour) -> String {
    let origins: Vec<Origin> = compiled
        .origins
        .0
        .iter()
        .map(|origin| Origin { name: origin.path.clone(), value: origin.value.clone(), from: origin.from.to_string() })
        .collect();
    let found = reading.found.iter().map(|one| told(one, &reading.sources));
    let warnings: Vec<String> = found.chain(machine.iter().cloned()).collect();
    let arrivals = arrivals(&compiled.plan);
    let page = PlanPage { plan: &compiled.plan, origins: &origins, arrivals: &arrivals, warnings: &warnings };
    plan_page(&page, words, colour)
}

fn told(warning: &Diagnostic, sources: &Sources) -> String {
    let help = warning.help.as_ref().map_or_else(String::new, |help| format!("; {help}"));
    format!("{}: {}{help}", sources.place(warning.mark), warning.message)
}

/// For each load, the arrivals of each second.
fn arrivals(plan: &Plan) -> Vec<Vec<u64>> {
    let seconds = plan.end.as_nanos().div_ceil(Span::SECOND.as_nanos()).min(SECONDS);
    let of = |(index, load): (usize, &Load)| {
        let schedule = Schedule::new(load, plan.seed, LoadId::at(index));
        let at = |second: u64| At(Span::seconds(second).0);
        if let Some(users) = &load.users {
            // Whoever goes as the second ends is still there.
            let lives = users.lives(load.start);
            let end = |second: u64| At(at(second + 1).as_nanos().saturating_sub(1));
            return (0..seconds).map(|second| present(&lives, end(second))).collect();
        }
        (0..seconds).map(|second| schedule.between(at(second), at(second + 1))).collect()
    };
    plan.loads.iter().enumerate().map(of).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::base::diagnostic::Mark;

    #[test]
    fn warnings_stand_on_the_page_and_in_the_json() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/quickstart.yaml");
        let mut reading = scenarios::read(&file, None, &[]);
        let compiled = reading.compiled.take().expect("the quickstart is sound");
        let stored = serde_json::to_value(&compiled.plan).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&json(&compiled, &reading, &[]).unwrap()).unwrap(), stored);

        let source = reading.sources.add("odd.yaml", "odd: 1\n");
        let warning =
            Diagnostic::warning("odd", Mark { source, start: 0, end: 3 }, "that is odd").help("write another");
        reading.found.push(warning);
        let page = page(&compiled, &reading, &[], Words::new(Default::default()), Colour::Off);
        assert!(page.contains("odd.yaml:1:1: that is odd; write another"), "{page}");
        let json: Value = serde_json::from_str(&json(&compiled, &reading, &[]).unwrap()).unwrap();
        assert_eq!(json["warnings"][0]["message"], "that is odd", "{json:#}");
    }
}
