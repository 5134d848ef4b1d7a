use super::Obligation;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::{Rate, Share, Span};
use crate::scenario::decode::Context;
use crate::scenario::define::block;
use crate::scenario::field::{Field, List};

block! {
    /// Trials at rising rates, until the obligations fail; then between the last that held and the first that failed.
    pub struct Search("`search`") {
        /// The lowest rate, which the platform is sure to bear.
        from: required("from") Rate,
        to: required("to") Rate,
        /// The step upwards.
        by: required("by") Rate,
        /// How long a trial is judged, in whole seconds; left out: 10s.
        hold: optional("hold") Span,
        /// How long a trial goes on before it is judged; left out: 3s.
        settle: optional("settle") Span,
        /// How wide the range that answers may be, as a part of its lower end; left out: 10%.
        within: optional("within") Share,
        /// What the platform is planned to bear: what `headroom` is measured against.
        peak: optional("peak") Rate,
        /// All must hold; each is looked at over `hold`.
        must: required("while") List<Obligation>,
    }
    check(check_search);
}

fn check_search(search: &Search, _: Mark, cx: &mut Context<'_>) {
    for (word, rate) in [("from", &search.from), ("by", &search.by), ("peak", &search.peak)] {
        if let Some(rate) = rate.get().filter(|rate| rate.as_per_second() <= 0.0) {
            cx.say(Diagnostic::error("range", rate.mark, format!("`{word}` must be over 0/s")));
        }
    }
    if let (Some(from), Some(to)) = (search.from.get(), search.to.get())
        && to.as_per_second() <= from.as_per_second()
    {
        let wrong = Diagnostic::error("range", to.mark, "`to` must lie above `from`");
        cx.say(wrong.related(from.mark, "`from` is here"));
    }
    super::load::positive(&search.hold, "hold", cx);
    if let Field::Is(hold) = &search.hold
        && !hold.as_nanos().is_multiple_of(Span::SECOND.as_nanos())
    {
        let message = "a trial is judged second by second: `hold` is whole seconds";
        cx.say(Diagnostic::error("range", hold.mark, message));
    }
    if let Some(within) = search.within.get().filter(|within| !(0.01..=1.0).contains(&within.as_f64())) {
        cx.say(Diagnostic::error("range", within.mark, "`within` is from 1% to 100%"));
    }
    if let Some(must) = search.must.get().filter(|must| must.items.is_empty() && must.complete) {
        cx.say(Diagnostic::error("empty-list", must.mark, "this search demands nothing, so nothing ever fails"));
    }
}
