use serde::{Deserialize, Serialize};

use super::{Figure, Gap};
use crate::base::units::{At, Span};
use crate::plan::{ActionId, Quantity};
use crate::record::{ActionEnd, ActionEvent};

/// What came of one step of the emergency plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionFigures {
    pub action: ActionId,
    /// None: what it waited for did not come.
    pub begun: Option<At>,
    pub ended: Option<At>,
    /// None: it has not ended.
    pub end: Option<ActionEnd>,
}

impl ActionFigures {
    pub(super) fn new(action: ActionId) -> ActionFigures {
        ActionFigures { action, begun: None, ended: None, end: None }
    }

    pub(super) fn entry(&mut self, at: At, event: &ActionEvent) {
        match event {
            ActionEvent::Begun => self.begun = Some(at),
            ActionEvent::Ended { how } => (self.ended, self.end) = (Some(at), Some(how.clone())),
        }
    }

    /// From its begin to its end, however it ended.
    pub fn time(&self) -> Option<Span> {
        self.begun.zip(self.ended).map(|(begun, ended)| ended.since(begun))
    }

    pub(super) fn figure(&self) -> Result<Figure, Gap> {
        let time = Quantity::Span(self.time().ok_or(Gap::ActionNotBegun)?);
        match self.end {
            Some(ActionEnd::Done) => Ok(Figure::Exactly(time)),
            Some(ActionEnd::Late | ActionEnd::Failed { .. }) => Ok(Figure::Failed),
            // It might still have been done.
            Some(ActionEnd::GivenUp) | None => Ok(Figure::MoreThan(time)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(how: ActionEnd) -> Result<Figure, Gap> {
        let mut figures = ActionFigures::new(ActionId(0));
        figures.entry(At(5), &ActionEvent::Begun);
        figures.entry(At(25), &ActionEvent::Ended { how });
        figures.figure()
    }

    #[test]
    fn only_what_was_done_has_a_time() {
        let time = Quantity::Span(Span::nanos(20));
        assert_eq!(ended(ActionEnd::Done), Ok(Figure::Exactly(time)));
        assert_eq!(ended(ActionEnd::Late), Ok(Figure::Failed));
        assert_eq!(ended(ActionEnd::Failed { why: "exit 1".to_owned() }), Ok(Figure::Failed));
        assert_eq!(ended(ActionEnd::GivenUp), Ok(Figure::MoreThan(time)));
        assert_eq!(ActionFigures::new(ActionId(0)).figure(), Err(Gap::ActionNotBegun));
    }
}
