use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;

use super::args::{Cli, SchemaArgs, SchemaOf};
use super::exit::Exit;
use super::files;
use super::speech::Speech;
use crate::{report, scenario};

pub(super) fn schema(args: &SchemaArgs, speech: Speech) -> Exit {
    let schema = match args.of {
        SchemaOf::Scenario => scenario::schema(),
        SchemaOf::Summary => report::summary_schema(),
    };
    speech.print(&format!("{schema:#}\n"));
    Exit::Passed
}

pub(super) fn completions(shell: clap_complete::Shell, speech: Speech) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "peakdrill", &mut script);
    speech.print(&String::from_utf8_lossy(&script));
    Exit::Passed
}

pub(super) fn man(into: Option<&Path>, speech: Speech) -> Exit {
    let mut command = Cli::command();
    command.build();
    let written = match into {
        None => page(&command).map(|page| speech.print(&String::from_utf8_lossy(&page))).map_err(anyhow::Error::from),
        Some(folder) => all(&command, folder),
    };
    match written {
        Ok(()) => Exit::Passed,
        Err(error) => {
            speech.complain(&format!("{error:#}"));
            Exit::Wrong
        }
    }
}

fn all(command: &clap::Command, folder: &Path) -> anyhow::Result<()> {
    let wrong = |path: &Path| format!("{} could not be written; choose another folder with --into", path.display());
    std::fs::create_dir_all(folder).with_context(|| wrong(folder))?;
    let visible = command.get_subcommands().filter(|sub| !sub.is_hide_set());
    for one in std::iter::once(command).chain(visible) {
        let name = one.get_display_name().unwrap_or(one.get_name());
        let path = folder.join(format!("{name}.1"));
        files::write_whole(&path, &page(one)?).with_context(|| wrong(&path))?;
    }
    Ok(())
}

fn page(command: &clap::Command) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    Ok(page)
}
