use super::args::{CheckArgs, Format};
use super::exit::Exit;
use super::scenarios::read_all;
use super::speech::Speech;
use crate::base::diagnostic::{Style, any_error, render, to_json};

pub(super) fn check(args: &CheckArgs, speech: Speech) -> Exit {
    let mut exit = Exit::Passed;
    let mut list = Vec::new();
    for file in &args.files {
        let reading = read_all(file, &args.sets);
        if any_error(&reading.found) {
            exit = Exit::Wrong;
        }
        match args.format {
            Format::Json => {
                if let serde_json::Value::Array(more) = to_json(&reading.found, &reading.sources) {
                    list.extend(more);
                }
            }
            Format::Text if reading.found.is_empty() => speech.print(&format!("{}: ok\n", file.display())),
            Format::Text => {
                speech.print(&render(&reading.found, &reading.sources, Style { color: speech.colours_messages() }));
            }
        }
    }
    if args.format == Format::Json {
        speech.print(&format!("{:#}\n", serde_json::Value::Array(list)));
    }
    exit
}
