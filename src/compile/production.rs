//! A drill of production: what it has to say beforehand, and whether what is planned keeps to it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::context::Cx;
use super::schedule::Made;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::log::rfc3339;
use crate::base::units::{At, Lang, Rate, Span, Text};
use crate::plan::arrivals::Schedule;
use crate::plan::{self, Load, LoadId, Most, ProcessId, Window};
use crate::scenario::{self, Scenario, Spanned};

const NAMES: [&str; 4] = ["production", "prod", "生产", "生产环境"];
const EXAMPLE: &str = "production: { approver: …, window: { from: 2026-11-11T02:00:00+08:00, to: 2026-11-11T04:00:00+08:00 }, \
     most: { faults: 1, processes: 25%, rate: 500/s } }";

/// What is planned, as far as it is known by now.
pub(super) struct Planned<'p> {
    /// None where some were refused.
    pub(super) processes: Option<usize>,
    pub(super) loads: Option<&'p [Load]>,
    pub(super) faults: &'p [Made],
    pub(super) end: Option<At>,
}

/// Whether `environment` says so, in any language: without regard to case and to blanks around it.
fn is_production(environment: &Text) -> bool {
    let of = |lang| environment.get(lang).is_some_and(|text| NAMES.contains(&text.trim().to_lowercase().as_str()));
    of(Lang::En) || of(Lang::Zh)
}

/// What the drill keeps to. Where the block is written it holds, whatever `environment` says.
pub(super) fn production(scenario: &Scenario, planned: &Planned<'_>, cx: &mut Cx<'_>) -> Option<plan::Production> {
    let environment = scenario.environment.get().filter(|environment| is_production(&environment.value));
    if let (Some(environment), true) = (environment, scenario.production.is_absent()) {
        let message =
            "a drill of production needs `production`: who approves it, when it may go on, how much it may hurt";
        cx.say(Diagnostic::error("production", environment.mark, message).help(format!("write {EXAMPLE}")));
    }
    let written = cx.get(&scenario.production)?;
    cx.broken |= !written.complete;
    let approver = cx.need(&written.approver).and_then(|key| approver(key, cx));
    let window = cx.need(&written.window).and_then(|written| window(written, planned.end, cx));
    let most = cx.need(&written.most).and_then(|written| most(written, scenario, planned, cx));
    let production = plan::Production { approver: approver?, window: window?, most: most? };
    Some(production)
}

fn approver(key: &Spanned<String>, cx: &mut Cx<'_>) -> Option<String> {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let text = key.value.trim();
    let found = match text.len() {
        64 if text.bytes().all(|byte| byte.is_ascii_hexdigit()) => Some(text.to_ascii_lowercase()),
        _ => STANDARD.decode(text).ok().filter(|bytes| bytes.len() == 32).map(|bytes| hex(&bytes)),
    };
    match &found {
        Some(found) => cx.note("production.approver", found, key.mark),
        None => {
            cx.broken = true;
            let message = "this is no Ed25519 public key: 32 bytes, as 64 hexadecimal digits or in base64";
            let help = "`peakdrill approve --new-key private.pem` makes a pair of keys and prints the public one";
            cx.say(Diagnostic::error("production", key.mark, message).help(help));
        }
    }
    found
}

fn window(written: &Spanned<scenario::Window>, end: Option<At>, cx: &mut Cx<'_>) -> Option<Window> {
    cx.broken |= !written.complete;
    let mut instant = |path: &str, field| {
        let text: &Spanned<String> = cx.need(field)?;
        let nanos = rfc3339(text.value.trim());
        match nanos {
            Some(_) => cx.note(path, &text.value, text.mark),
            None => {
                cx.broken = true;
                let message = format!("`{}` is no instant", text.value);
                let help = "write date, time and offset, such as 2026-11-11T02:00:00+08:00";
                cx.say(Diagnostic::error("instant", text.mark, message).help(help));
            }
        }
        nanos.map(|nanos| (nanos, text.mark))
    };
    let from = instant("production.window.from", &written.from);
    let to = instant("production.window.to", &written.to);
    let ((from, begins), (to, ends)) = (from?, to?);
    let lasts = Span(to.saturating_sub(from));
    if lasts == Span::ZERO {
        let message = "the window ends before it begins";
        cx.say(Diagnostic::error("range", ends, message).related(begins, "it begins here"));
    } else if let Some(drill) = end.map(|end| end - At::START).filter(|drill| *drill > lasts) {
        let message = format!("the drill lasts {drill}, and the window {lasts}: all of it has to fit in");
        cx.say(Diagnostic::error("production", ends, message).help("widen the window, or shorten the load"));
    }
    Some(Window { from, to })
}

fn most(
    written: &Spanned<scenario::Most>,
    scenario: &Scenario,
    planned: &Planned<'_>,
    cx: &mut Cx<'_>,
) -> Option<Most> {
    cx.broken |= !written.complete;
    let (faults, processes, rate) = (cx.need(&written.faults), cx.need(&written.processes), cx.need(&written.rate));
    let (faults, processes, rate) = (faults?, processes?, rate?);
    cx.note("production.most.faults", &faults.value, faults.mark);
    cx.note("production.most.processes", &processes.value, processes.mark);
    cx.note("production.most.rate", &rate.value, rate.mark);
    let most =
        Most { faults: u32::try_from(faults.value).unwrap_or(u32::MAX), processes: processes.value, rate: rate.value };
    check_faults(planned.faults, most.faults, faults.mark, cx);
    if let Some(all) = planned.processes {
        check_processes(planned.faults, all, most, processes.mark, cx);
    }
    if let Some(loads) = planned.loads {
        check_rate(loads, scenario, most.rate, rate.mark, cx);
    }
    Some(most)
}

/// Those that are planned to be in force when one comes, itself the last of them.
fn beside<'m>(faults: &'m [Made], one: &'m Made) -> Option<Vec<&'m Made>> {
    let (from, _) = one.times()?;
    let is_there =
        |other: &&Made| other.id != one.id && other.times().is_some_and(|(begins, ends)| begins <= from && from < ends);
    Some(faults.iter().filter(is_there).chain([one]).collect())
}

fn names(faults: &[&Made]) -> String {
    let names: Vec<String> = faults.iter().map(|made| format!("`{}`", made.fault.name)).collect();
    names.join(", ")
}

fn check_faults(faults: &[Made], most: u32, mark: Mark, cx: &mut Cx<'_>) {
    let too_many = |one| beside(faults, one).filter(|there| there.len() > most as usize);
    // One is said: the others are the same mistake.
    let Some(there) = faults.iter().find_map(too_many) else { return };
    let Some(one) = there.last() else { return };
    let message = format!(
        "{} would be in force at once, and `production` permits {most} fault{} at once",
        names(&there),
        if most == 1 { "" } else { "s" }
    );
    let help = match there.first().filter(|_| there.len() > 1) {
        Some(first) => {
            format!("let it come later: at: {}.healed + {}; or permit more of them", first.fault.name, Span::seconds(5))
        }
        None => "leave the faults out, or permit one".to_owned(),
    };
    cx.say(Diagnostic::error("production", one.at, message).related(mark, "permitted here").help(help));
}

fn check_processes(faults: &[Made], all: usize, most: Most, mark: Mark, cx: &mut Cx<'_>) {
    // A hair more, since a share of a count of processes comes out below a whole number now and then.
    let permitted = (most.processes.as_f64() * all as f64 * (1.0 + 1e-9)).floor() as usize;
    for one in faults {
        let there = beside(faults, one).unwrap_or_else(|| vec![one]);
        let mut bitten: Vec<ProcessId> = there.iter().flat_map(|made| made.fault.kind.processes()).collect();
        bitten.sort_unstable();
        bitten.dedup();
        let said = cx.found.iter().any(|said| said.mark == one.target);
        if bitten.len() > permitted && !one.fault.kind.processes().is_empty() && !said {
            let message = format!(
                "with {} there are {} of {all} processes hurt at once, and `production` permits {permitted} ({})",
                names(&there),
                bitten.len(),
                most.processes
            );
            let help = "aim at fewer of them, let the fault come later, or permit a greater share";
            cx.say(Diagnostic::error("production", one.target, message).related(mark, "permitted here").help(help));
            return;
        }
    }
}

fn check_rate(loads: &[Load], scenario: &Scenario, most: Rate, mark: Mark, cx: &mut Cx<'_>) {
    let place = |load: &Load| {
        let names = scenario.load.value().into_iter().flat_map(scenario::Named::iter);
        names.map(|(name, _)| name).find(|name| name.value == load.name).map(|name| name.mark)
    };
    let mut rates = Vec::new();
    for (index, load) in loads.iter().enumerate() {
        match peak(load, LoadId::at(index)) {
            Some(peak) => rates.push((load, peak)),
            None => {
                let message = format!("nobody knows how often users of the load `{}` begin a journey", load.name);
                let help = "give it a `pace`: in production the greatest rate has to be known";
                let said = Diagnostic::error("production", place(load).unwrap_or(mark), message);
                cx.say(said.related(mark, "permitted here").help(help));
                return;
            }
        }
    }
    for (load, _) in &rates {
        let there = |other: &Load| other.start <= load.start && load.start < other.end();
        let sum: f64 = rates.iter().filter(|(other, _)| there(other)).map(|(_, peak)| peak).sum();
        if sum > most.as_per_second() * (1.0 + 1e-9) {
            let message = format!(
                "up to {} journeys would begin in a second, and `production` permits {most}",
                Rate::per_second(sum).as_per_second().ceil()
            );
            let said = Diagnostic::error("production", place(load).unwrap_or(mark), message);
            cx.say(said.related(mark, "permitted here").help("lower the rates of the load, or permit more"));
            return;
        }
    }
}

/// The journeys that a load begins within a second at the most, bursts included; none where nobody knows.
fn peak(load: &Load, id: LoadId) -> Option<f64> {
    let Some(users) = &load.users else {
        return Some(Schedule::new(load, 0, id).most_within(Span::SECOND));
    };
    let pace = users.pace.filter(|pace| *pace > Span::ZERO)?;
    // All of them may be launched at once.
    Some(f64::from(users.peak()) * (1.0 / pace.as_seconds_f64()).max(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn production_is_known_by_its_names_alone() {
        let of = |en: Option<&str>, zh: Option<&str>| {
            is_production(&Text { en: en.map(str::to_owned), zh: zh.map(str::to_owned) })
        };
        for name in ["production", "Production", " PROD ", "生产", "生产环境"] {
            assert!(of(Some(name), None) && of(None, Some(name)) && of(Some("staging"), Some(name)), "{name}");
            assert!(of(Some(name), Some("预发")), "{name}");
        }
        for name in ["", "staging", "pre-production", "production-like", "生产镜像"] {
            assert!(!of(Some(name), None) && !of(None, Some(name)), "{name}");
        }
        assert!(!of(None, None));
    }
}
