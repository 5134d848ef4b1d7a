use super::book::Book;
use super::cast::Crew;
use crate::analysis::Want;
use crate::base::units::{At, Span};
use crate::plan::{Load, LoadId, Plan};
use crate::record::Event;

/// Between the decision and a trial's first arrival: the crews are told, and wake in time for it.
const LEAD: Span = Span::millis(100);

/// The searches of a plan: has their trials come, as the fold says from what was appended.
#[derive(Debug)]
pub(super) struct Searches {
    going: Vec<Going>,
}

#[derive(Debug)]
struct Going {
    id: LoadId,
    load: Load,
    /// How many trials have been told to be over.
    told: usize,
    over: bool,
}

impl Searches {
    pub(super) fn new(plan: &Plan) -> Searches {
        let searches = plan.loads.iter().enumerate().filter(|(_, load)| load.search.is_some());
        let going =
            |(index, load): (usize, &Load)| Going { id: LoadId::at(index), load: load.clone(), told: 0, over: false };
        Searches { going: searches.map(going).collect() }
    }

    /// Appends the first trials, which begin with their loads.
    pub(super) fn begin(&mut self, book: &mut Book<'_>, crews: &impl Crew) {
        for going in &self.going {
            going.append(book, crews, going.load.start);
        }
    }

    /// After a second was closed. True when a search is over.
    pub(super) fn go_on(&mut self, book: &mut Book<'_>, crews: &impl Crew, now: At) -> bool {
        let mut over = false;
        for going in self.going.iter_mut().filter(|going| !going.over) {
            going.tell(book);
            // Where deciding took longer than the plan allows for, what is known by then is the answer.
            let late = now + LEAD >= going.load.end();
            if late || book.fold().want(going.id) == Some(Want::End) {
                book.note(Event::SearchEnded { load: going.id });
                crews.search_over(going.id);
                going.over = true;
                over = true;
            } else {
                going.append(book, crews, now + LEAD);
            }
        }
        over
    }
}

impl Going {
    /// Says how the last trial came out, once.
    fn tell(&mut self, book: &mut Book<'_>) {
        let Some(last) = book.fold().last_trial(self.id) else { return };
        let (number, end) = (last.trial.number, last.end.clone());
        if number as usize >= self.told {
            self.told = number as usize + 1;
            book.note(Event::TrialEnded { load: self.id, number, end });
        }
    }

    fn append(&self, book: &mut Book<'_>, crews: &impl Crew, begins: At) {
        let (Some(Want::Trial { number, probe, rate, first }), Some(search)) =
            (book.fold().want(self.id), &self.load.search)
        else {
            return;
        };
        let trial = search.trial(number, probe, rate, first, begins);
        book.note(Event::TrialBegan { load: self.id, trial });
        crews.append(self.id, trial);
    }
}
