use crate::base::diagnostic::{Diagnostic, Mark};
use crate::scenario::decode::Context;
use crate::scenario::define::{block, words};
use crate::scenario::field::List;
use crate::scenario::value::{Range, Tree};

block! {
    /// Rows of data for visits, in templates `feed.NAME` or `feed.NAME.column`.
    pub struct Feed("a feed") {
        /// A file with a heading line, beside the scenario.
        csv: optional("csv") String,
        /// A file that holds a JSON list, beside the scenario.
        json: optional("json") String,
        /// Whole numbers, both ends in it: 1..1000.
        range: optional("range") Range,
        /// The rows themselves.
        list: optional("list") List<Tree>,
        /// Which row a visit gets; left out: in-order.
        pick: optional("pick") Pick,
        /// Of `pick: zipf`: how much hotter the first rows are.
        exponent: optional("exponent") f64,
        /// Columns that are never written anywhere.
        secret: optional("secret") List<String>,
    }
    one_of("csv", "json", "range", "list");
    later("from", "offset");
    check(check_feed);
}

words! {
    pub enum Pick("`pick`") { InOrder = "in-order", Random = "random", Unique = "unique", Zipf = "zipf" }
}

fn check_feed(feed: &Feed, at: Mark, cx: &mut Context<'_>) {
    match (feed.pick.value(), feed.exponent.written()) {
        (Some(Pick::Zipf), None) if feed.complete => {
            let message = "`pick: zipf` needs `exponent`";
            cx.say(Diagnostic::error("needs-word", feed.pick.get().map_or(at, |pick| pick.mark), message));
        }
        (Some(Pick::InOrder | Pick::Random | Pick::Unique), Some(mark)) => {
            cx.say(Diagnostic::error("does-not-go", mark, "`exponent` goes with `pick: zipf` only"));
        }
        (None, Some(mark)) if feed.pick.is_absent() && feed.complete => {
            cx.say(Diagnostic::error("does-not-go", mark, "`exponent` goes with `pick: zipf` only"));
        }
        _ => {}
    }
    if let Some(exponent) = feed.exponent.get().filter(|exponent| !(exponent.value > 0.0 && exponent.value <= 10.0)) {
        cx.say(Diagnostic::error("range", exponent.mark, "`exponent` is over 0 and at most 10; 1.1 is usual"));
    }
    if let Some(rows) = feed.list.get().filter(|rows| rows.items.is_empty() && rows.complete) {
        cx.say(Diagnostic::error("empty-list", rows.mark, "this feed has no rows"));
    }
}
