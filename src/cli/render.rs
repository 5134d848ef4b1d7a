use std::path::Path;

use anyhow::Context;

use super::exit::Exit;
use super::files;
use super::speech::Speech;
use crate::analysis::analyse;
use crate::record::{Folder, Reader};
use crate::report::{self, Fonts, Model, ReportError};
use crate::verdict;

/// Whether plots are made as PNG too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pictures {
    /// A letter that no font has is said and no error.
    IfPossible,
    /// Whatever stands in their way is an error.
    Demanded,
}

/// The most bytes of a font's file.
const FONT_LIMIT: u64 = 256 << 20;

pub(super) struct Rendered {
    pub(super) terminal: String,
    pub(super) exit: Exit,
    /// Why a file could not be made: what is printed holds all the same.
    pub(super) failed: Option<anyhow::Error>,
}

/// Derives everything that is shown of a run from its record alone, and puts it into the run's folder.
pub(super) fn render(folder: &Folder, speech: Speech, pictures: Pictures) -> anyhow::Result<Rendered> {
    let reader = Reader::open(folder)?;
    let plan = reader.plan().clone();
    let analysis = analyse(&plan, reader)?;
    let outcome = verdict::outcome(&plan, &analysis);
    let model = Model { plan: &plan, analysis: &analysis, outcome: &outcome };
    let place = format!("{}", folder.path().join("report.html").display());
    let mut terminal = report::terminal(&model, speech.words, speech.colour, Some(&place));
    let failed = match files(folder, &model, speech, pictures) {
        Ok(note) => {
            terminal.push_str(&note);
            None
        }
        Err(error) => Some(error),
    };
    Ok(Rendered { terminal, exit: exit(outcome.exit), failed })
}

/// Every file of the report; the text says what is missing for want of a font.
fn files(folder: &Folder, model: &Model<'_>, speech: Speech, pictures: Pictures) -> anyhow::Result<String> {
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        files::write_whole(&path, bytes).with_context(|| format!("{} could not be written", path.display()))
    };
    put("summary.json", &report::summary_json(model)?)?;
    put("report.html", &report::html(model, speech.words)?)?;
    std::fs::create_dir_all(folder.path().join("plots")).context("the folder of plots could not be made")?;
    let plots = report::plots(model, speech.words)?;
    for plot in &plots {
        put(&format!("plots/{}.svg", plot.name), plot.svg.as_bytes())?;
    }
    let mut note = String::new();
    let named = match (named_font(), pictures) {
        (Ok(named), _) => named,
        (Err(error), Pictures::IfPossible) => {
            note = format!("{error:#}\n");
            None
        }
        (Err(error), Pictures::Demanded) => return Err(error),
    };
    let fonts = fonts(named);
    for plot in &plots {
        let name = format!("plots/{}.png", plot.name);
        match report::png(&plot.svg, &fonts, 2.0) {
            Ok(png) => put(&name, &png)?,
            Err(error @ ReportError::Glyphs { .. }) if pictures == Pictures::IfPossible => {
                // One of an earlier rendering would show something else than the SVG beside it.
                let _ = std::fs::remove_file(folder.path().join(name));
                note = format!("no PNG of the plots: {error}\n");
            }
            Err(error) => return Err(error).with_context(|| format!("{name} could not be made")),
        }
    }
    Ok(note)
}

fn exit(exit: verdict::Exit) -> Exit {
    match exit {
        verdict::Exit::Passed => Exit::Passed,
        verdict::Exit::Failed => Exit::Failed,
        verdict::Exit::Inconclusive => Exit::Inconclusive,
        verdict::Exit::Aborted => Exit::Aborted,
        verdict::Exit::Residue => Exit::Residue,
    }
}

/// The font file that PEAKDRILL_FONT says.
fn named_font() -> anyhow::Result<Option<Vec<u8>>> {
    let Some(path) = std::env::var_os("PEAKDRILL_FONT").filter(|path| !path.is_empty()) else { return Ok(None) };
    let path = Path::new(&path);
    let wrong = || format!("PEAKDRILL_FONT: {} cannot be read", path.display());
    files::read_limited(path, FONT_LIMIT).map(Some).with_context(wrong)
}

/// Beside the `named` font one with Chinese glyphs (names in a scenario may be Chinese in an English report, too), where
/// Debian's packages put them; the first is enough.
fn fonts(named: Option<Vec<u8>>) -> Fonts {
    const PLACES: [&str; 5] = [
        "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
        "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
        "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
        "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
        "/usr/share/fonts/truetype/arphic/uming.ttc",
    ];
    let found = PLACES.iter().find_map(|path| std::fs::read(path).ok());
    Fonts::with(named.into_iter().chain(found).collect())
}
