//! A run as people read it: one model → text, pages, pictures and `summary.json`, in English and Chinese. The same model
//! gives the same bytes, wherever and whenever it is rendered: times are offsets from the drill's start, wall time is
//! UTC, and no path of the machine is in it.
//!
//! `catalogue` holds every word and the way numbers are written; `chart` draws; the rest arranges. Leaves to others: how
//! figures come about (`analysis`), whether they are good enough (`verdict`), files, terminals and fonts of the system
//! (`cli`).

mod actions;
mod catalogue;
mod chart;
mod charts;
mod deed;
mod event;
mod numbers;
mod page;
mod plan_page;
mod png;
#[cfg(test)]
mod sample;
mod search;
mod story;
mod summary;
mod summary_faults;
mod summary_search;
mod table;
mod terminal;
mod tries;
mod users;
mod watched;

pub use catalogue::Words;
pub use charts::{Plot, plots};
pub use page::html;
pub use plan_page::{Origin, PlanPage, plan_page};
pub use png::{Fonts, png};
pub use summary::{SUMMARY_VERSION, Summary, summary, summary_json, summary_schema};
pub use terminal::terminal;

use thiserror::Error;

use crate::analysis::Analysis;
use crate::plan::Plan;
use crate::record::Event;
use crate::verdict::Outcome;

/// Everything that a report is made from.
#[derive(Debug, Clone, Copy)]
pub struct Model<'a> {
    pub plan: &'a Plan,
    pub analysis: &'a Analysis,
    pub outcome: &'a Outcome,
}

/// One event of a record in words, for those who watch; none for samples of failures, closed seconds and the
/// generator's own state.
pub fn event_line(plan: &Plan, words: Words, event: &Event) -> Option<String> {
    event::event(plan, words, event).map(|(text, _)| table::one_line(&text))
}

/// Whether escape sequences of terminals may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    On,
    Off,
}

/// `text` in the colour of what is not as it should be.
pub fn warning(colour: Colour, text: &str) -> String {
    table::Paint::Bad.on(colour, text)
}

/// Made-up runs for the tests of rooms that show them.
#[cfg(test)]
pub(crate) mod testing {
    pub(crate) use super::sample::plan;
}

#[derive(Debug, Error)]
pub enum ReportError {
    #[error("a chart could not be drawn: {0}")]
    Draw(String),
    #[error("the page could not be rendered: {0}")]
    Page(#[from] minijinja::Error),
    #[error("a picture could not be made from a chart: {0}")]
    Picture(String),
    #[error("no font here has {glyphs}; {help}; the SVG needs no font")]
    Glyphs { glyphs: String, help: &'static str },
    #[error("the summary could not be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Fold;
    use crate::base::units::Lang;
    use crate::verdict::outcome;

    /// A record that broke off before its first entry is a report, too, and every picture of a sound one can be made.
    #[test]
    fn whatever_analysis_says_can_be_shown() {
        let plan = testing::plan();
        let analysis = Fold::new(&plan).finish();
        let outcome = outcome(&plan, &analysis);
        let model = Model { plan: &plan, analysis: &analysis, outcome: &outcome };
        for lang in [Lang::En, Lang::Zh] {
            let words = Words::new(lang);
            assert!(terminal(&model, words, Colour::Off, None).starts_with(&words.inconclusive()));
            assert!(html(&model, words).is_ok() && plots(&model, words).is_ok());
        }
        let sound = sample::Sample::mixed();
        let plots = plots(&sound.model(), Words::new(Lang::En)).unwrap();
        let names: Vec<&str> = plots.iter().map(|plot| plot.name.as_str()).collect();
        let all = "rate requests percentiles errors cpu memory distribution recovery-1 budget-1";
        assert_eq!(names.join(" "), all);
        for plot in &plots {
            assert!(png(&plot.svg, &Fonts::default(), 0.25).is_ok(), "{}", plot.name);
        }
    }
}

/// The word that a reason is told apart by.
fn why(reason: &impl serde::Serialize) -> String {
    let told = serde_json::to_value(reason).unwrap_or_default();
    told.get("why").and_then(|why| why.as_str()).unwrap_or_default().to_owned()
}
