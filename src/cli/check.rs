use serde_json::{Value, json};

use super::args::{CheckArgs, Format};
use super::exit::Exit;
use super::host;
use super::scenarios::read_all;
use super::speech::Speech;
use crate::base::diagnostic::{Style, any_error, render, to_json};

pub(super) fn check(args: &CheckArgs, speech: Speech) -> Exit {
    let mut exit = Exit::Passed;
    let (mut list, mut reached) = (Vec::new(), Vec::new());
    for file in &args.files {
        let (reading, plans) = read_all(file, &args.sets, args.unattended);
        let name = file.display().to_string();
        let mut lacks: Vec<String> = Vec::new();
        if args.host && !any_error(&reading.found) {
            for why in plans.iter().flat_map(|plan| host::lacks(plan, speech.words, &mut reached)) {
                // Several profiles lack the same.
                if !lacks.contains(&why) {
                    lacks.push(why);
                }
            }
        }
        if any_error(&reading.found) || !lacks.is_empty() {
            exit = Exit::Wrong;
        }
        match args.format {
            Format::Json => {
                if let Value::Array(more) = to_json(&reading.found, &reading.sources) {
                    list.extend(more);
                }
                let said = |why: &String| json!({ "file": name, "severity": "error", "code": "host", "message": why });
                list.extend(lacks.iter().map(said));
            }
            Format::Text if reading.found.is_empty() && lacks.is_empty() => speech.print(&format!("{name}: ok\n")),
            Format::Text => {
                speech.print(&render(&reading.found, &reading.sources, Style { color: speech.colours_messages() }));
                lacks.iter().for_each(|why| speech.print(&format!("{name}: error: {why} [host]\n")));
            }
        }
    }
    if args.format == Format::Json {
        speech.print(&format!("{:#}\n", Value::Array(list)));
    }
    exit
}
