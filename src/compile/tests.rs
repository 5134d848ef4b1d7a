use super::*;
use crate::base::diagnostic::{Diagnostic, Severity, Sources, Style, render};
use crate::scenario;

/// Compiles `text` with `files` beside it: the plan, or every mistake of reading and compiling as `line:column code message`.
fn compile_text(
    text: &str,
    profile: Option<&str>,
    sets: &[&str],
    files: &[(&str, &str)],
) -> Result<Compiled, Vec<String>> {
    let mut sources = Sources::default();
    let mut load = |path: &str| -> Result<Vec<u8>, String> {
        if path == "drill.yaml" {
            return Ok(text.as_bytes().to_vec());
        }
        let file = files.iter().find(|(name, _)| *name == path);
        file.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(|| "no such file".to_owned())
    };
    let (opened, mut found) = scenario::open(&mut sources, "drill.yaml", &mut load);
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let (read, wrong) = opened.read(&mut sources, profile, &sets);
    found.extend(wrong);
    let mut compiled = None;
    if let Some(scenario) = &read {
        let input = Input { scenario, sources: &sources, entry: opened.entry(), profile };
        match compile(&input, &mut load) {
            Ok(made) => compiled = Some(made),
            Err(wrong) => found.extend(wrong),
        }
    }
    match compiled {
        Some(compiled) if found.is_empty() => Ok(compiled),
        _ => Err(found.iter().map(|found| shown(found, &sources)).collect()),
    }
}

fn shown(found: &Diagnostic, sources: &Sources) -> String {
    assert_eq!(found.severity, Severity::Error);
    let _ = render(std::slice::from_ref(found), sources, Style::default());
    let place = sources.place(found.mark);
    let help = found.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
    format!("{place} {}: {}{help}", found.code, found.message)
}

#[test]
fn shipped_scenarios_compile_in_every_profile() {
    for (text, profiles) in [
        (include_str!("../../scenarios/presale-peak.yaml"), [None, Some("smoke")].as_slice()),
        (include_str!("../../scenarios/order-lifecycle.yaml"), &[None, Some("smoke")]),
        (include_str!("../../scenarios/quickstart.yaml"), &[None]),
    ] {
        for profile in profiles {
            if let Err(found) = compile_text(text, *profile, &[], &[]) {
                panic!("{profile:?}\n{}", found.join("\n"));
            }
        }
    }
}
