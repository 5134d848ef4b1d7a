//! Feeds that would run dry.

use super::context::Cx;
use super::journey::Used;
use super::names::Names;
use crate::base::diagnostic::Diagnostic;
use crate::plan::{Feed, JourneyId, Load, Pick};

/// Rows that are handed out once must last: for each role of each load its visits times the rows that one may use, which is
/// the most that one of its journeys uses. (So `load` indexes them, too.)
pub(super) fn check(feeds: &[Feed], names: &Names, loads: &[Load], used: &[Vec<Used>], cx: &mut Cx<'_>) {
    for (index, feed) in feeds.iter().enumerate() {
        if !matches!(feed.pick, Pick::Unique | Pick::InOrder) || feed.rows == 0 {
            continue;
        }
        let word = if feed.pick == Pick::Unique { "unique" } else { "in-order" };
        let mut needed = 0u64;
        let mut unknown = None;
        let mut hurries = None;
        for role in loads.iter().flat_map(Load::roles) {
            let of = |journey: &JourneyId| used.get(journey.index());
            let uses: Vec<&Used> =
                role.journeys.iter().filter_map(of).flatten().filter(|used| used.feed == index).collect();
            unknown = unknown.or_else(|| uses.iter().find(|used| used.rows.is_none()).map(|used| used.mark));
            let each = uses.iter().filter_map(|used| used.rows).max().unwrap_or(0);
            if let Some(used) = uses.first().filter(|_| role.most == u64::MAX) {
                hurries.get_or_insert(used.mark);
            }
            needed = needed.saturating_add(role.most.saturating_mul(each));
        }
        if let Some(mark) = unknown {
            let message = format!(
                "how many rows of `{}` this uses is not known beforehand (`while`), and it is `{word}`",
                feed.name
            );
            let help = "use it outside of the `while`, or write `pick: random` for this feed";
            cx.say(Diagnostic::error("unknown-uses", mark, message).help(help));
        } else if let Some(mark) = hurries {
            let message = format!(
                "how many rows of `{}` these users take is not known beforehand, and it is `{word}`: without a `pace` \
                 they begin journeys as fast as they are answered",
                feed.name
            );
            let help = "give the load a `pace`, or write `pick: random` for this feed";
            cx.say(Diagnostic::error("unknown-uses", mark, message).help(help));
        } else if needed > feed.rows {
            let Some(mark) = names.mark(index) else { continue };
            let message =
                format!("feed `{}` would run dry: {needed} rows are needed, and it has {}", feed.name, feed.rows);
            let help = "give it more rows, or write `pick: random`";
            cx.say(Diagnostic::error("runs-dry", mark, message).help(help));
        }
    }
}
