//! What counts as late, down or shed.

use super::context::Cx;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::{Share, Span};
use crate::plan::Limits;
use crate::scenario::{self, Field};

pub(super) fn limits(
    scenario: &scenario::Scenario,
    sheds: Option<Mark>,
    longest_timeout: Span,
    cx: &mut Cx<'_>,
) -> Limits {
    const PATIENCE: Span = Span::seconds(5);
    const DRAIN: Span = Span::seconds(30);
    const LAG: Span = Span::millis(10);
    let down_below = Share(0.5);
    let drain = longest_timeout.min(DRAIN);
    let written = cx.get(&scenario.limits).map(|limits| &limits.value);
    let shed = written.and_then(|limits| cx.get(&limits.shed)).map(|share| share.value);
    if let (None, Some(mark)) = (shed, sheds)
        && !scenario.limits.is_hole()
        && written.is_none_or(|limits| limits.shed.is_absent())
    {
        let message = "intended shedding needs the greatest share that is intended";
        cx.say(Diagnostic::error("shed-limit", mark, message).help("write limits: { shed: 5% } at the top"));
    }
    let (patience, below, drained, lag) = match written {
        Some(limits) => {
            cx.broken |= !limits.complete;
            (&limits.patience, &limits.down_below, &limits.drain, &limits.lag)
        }
        None => (&Field::Absent, &Field::Absent, &Field::Absent, &Field::Absent),
    };
    if let Some(shed) = written.and_then(|limits| limits.shed.get()) {
        cx.note("limits.shed", &shed.value, shed.mark);
    }
    Limits {
        patience: cx.settle("limits.patience", patience, PATIENCE),
        shed,
        down_below: cx.settle("limits.down-below", below, down_below),
        drain: cx.settle("limits.drain", drained, drain),
        lag: cx.settle("limits.lag", lag, LAG),
    }
}
