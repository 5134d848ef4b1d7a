use std::sync::Arc;

use crate::base::host;
use crate::base::units::{At, Span};
use crate::plan::{FigureId, JourneyId, LegId, Legs, LoadId, Plan, SeriesId};
use crate::record::{
    BadKind, Book, Cell, Counts, FigureCell, GeneratorHealth, Latency, Numbers, UnsentKind, VisitCell, Window,
};

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Ok,
    Shed,
    Bad(BadKind),
    Unsent(UnsentKind),
}

impl Outcome {
    /// The generator's own failure, which says nothing about the platform.
    pub(super) fn is_own_fault(self) -> bool {
        matches!(self, Outcome::Unsent(kind) if !kind.is_platform())
    }
}

/// How a visit that was started ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VisitEnd {
    /// With the time of its steps, think times left out.
    Ok(Span),
    Failed,
    Shed,
}

/// The instants of one request that came to its end, on the drill's clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finished {
    pub series: SeriesId,
    pub planned: At,
    pub released: At,
    /// None: not a byte of it went out.
    pub sent: Option<At>,
    pub done: At,
    pub outcome: Outcome,
    /// Its patience ended before, and the book of seconds has it already.
    pub settled: bool,
}

impl Finished {
    pub(super) fn times(&self) -> Times {
        Times {
            response: self.done.since(self.planned),
            service: self.done.since(self.sent.unwrap_or(self.released)),
            unlagged: self.done.since(self.released),
        }
    }
}

/// How long it took: since it was planned, sent and released. Of a group the sums over its requests.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Times {
    pub response: Span,
    pub service: Span,
    pub unlagged: Span,
}

/// A request, or a group of them, as the books count it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    pub series: SeriesId,
    pub planned: At,
    /// Whose planned instant counts against availability: in a group that of the request that made it bad.
    pub blamed: At,
    pub times: Times,
    pub outcome: Outcome,
    /// It was not done when its patience ended.
    pub late: bool,
    /// The book of seconds has it already.
    pub settled: bool,
}

/// What one worker has counted since it last handed over a window.
pub(super) struct Books {
    crew: u16,
    series: Vec<Pages>,
    visits: Vec<VisitPages>,
    figures: Vec<FigureCell>,
    legs: Legs,
    pub health: GeneratorHealth,
    /// The second that is open.
    pub second: u64,
    effort: Effort,
}

/// What the worker's thread has used, up to the last closed second and by now.
#[derive(Default)]
struct Effort {
    cpu: Span,
    spun: Span,
    spun_by_now: Span,
}

/// The cells of one series: its second's, and one for each leg of the phases that it has met.
struct Pages {
    bounds: Vec<Span>,
    patience: Span,
    second: Cell,
    legs: Vec<Cell>,
}

struct VisitPages {
    load: LoadId,
    journey: JourneyId,
    legs: Vec<VisitCell>,
}

impl Books {
    pub(super) fn new(plan: &Arc<Plan>, crew: u16) -> Books {
        let series = plan.series.iter().enumerate().map(|(index, series)| {
            let step = plan.steps.get(series.step.index());
            let bounds = step.map(|step| step.bounds.clone()).unwrap_or_default();
            Pages {
                patience: step.and_then(|step| step.within).unwrap_or(plan.limits.patience),
                second: empty(SeriesId::at(index), Book::Seconds, bounds.len()),
                bounds,
                legs: Vec::new(),
            }
        });
        Books {
            crew,
            series: series.collect(),
            visits: Vec::new(),
            figures: Vec::new(),
            legs: Legs::of(&plan.phases),
            health: GeneratorHealth::default(),
            second: 0,
            effort: Effort::default(),
        }
    }

    /// The drill begins: what the thread used before it does not count. To be called on the worker's thread.
    pub(super) fn begin(&mut self) {
        self.effort.cpu = host::thread_cpu();
        self.effort.spun = self.effort.spun_by_now;
    }

    /// How long the worker has spun in all.
    pub(super) fn note_spun(&mut self, spun: Span) {
        self.effort.spun_by_now = spun;
    }

    /// When a request of `series` that is planned at `planned` counts as bad although it is not done.
    pub(super) fn patience(&self, series: SeriesId, planned: At) -> At {
        self.series.get(series.index()).map_or(At::MAX, |pages| planned + pages.patience)
    }

    /// Counts a request in both books. Its second must be the open one.
    pub(super) fn record(&mut self, finished: &Finished) {
        self.count(&Ended {
            series: finished.series,
            planned: finished.planned,
            blamed: finished.planned,
            times: finished.times(),
            outcome: finished.outcome,
            late: finished.done > self.patience(finished.series, finished.planned),
            settled: finished.settled,
        });
    }

    /// Counts a request or a group of them in both books. Its second must be the open one.
    pub(super) fn count(&mut self, ended: &Ended) {
        let leg = self.legs.at(ended.planned);
        let Some(pages) = self.series.get_mut(ended.series.index()) else { return };
        let response = ended.times.response;
        if !ended.settled {
            let outcome = if ended.late { Outcome::Bad(BadKind::Late) } else { ended.outcome };
            let second = &mut pages.second;
            count(&mut second.counts, outcome);
            if outcome == Outcome::Ok {
                second.response.record(response);
                for (bound, slower) in pages.bounds.iter().zip(&mut second.slower) {
                    if response > *bound {
                        slower.add(ended.planned);
                    }
                }
            } else if outcome == Outcome::Shed {
                second.shedding.add(ended.blamed);
            } else if !outcome.is_own_fault() {
                second.against.add(ended.blamed);
            }
        }
        let cell = pages.leg(ended.series, leg);
        count(&mut cell.counts, ended.outcome);
        if ended.outcome == Outcome::Ok {
            cell.response.record(response);
            cell.service.record(ended.times.service);
            cell.unlagged.record(ended.times.unlagged);
        }
    }

    /// Counts a try of a request that another try follows.
    pub(super) fn again(&mut self, series: SeriesId, planned: At, kind: BadKind) {
        let leg = self.legs.at(planned);
        if let Some(pages) = self.series.get_mut(series.index()) {
            pages.leg(series, leg).counts.add_again(kind, 1);
        }
    }

    /// Counts in the book of seconds that a request's patience ended.
    pub(super) fn settle_late(&mut self, series: SeriesId, planned: At) {
        if let Some(pages) = self.series.get_mut(series.index()) {
            pages.second.counts.add_bad(BadKind::Late, 1);
            pages.second.against.add(planned);
        }
    }

    /// Notes a request that is planned and not settled as the second closes.
    pub(super) fn note_waiting(&mut self, series: SeriesId, planned: At) {
        if let Some(pages) = self.series.get_mut(series.index()) {
            pages.second.waiting += 1;
            let oldest = pages.second.oldest_waiting.get_or_insert(planned);
            *oldest = planned.min(*oldest);
        }
    }

    /// Counts steps that a visit never came to, in the second and in the phase that the visit was planned in. `shed`: it
    /// was turned away as intended before them.
    pub(super) fn not_reached(&mut self, series: SeriesId, times: u64, planned: At, shed: bool) {
        let leg = self.legs.at(planned);
        if let Some(pages) = self.series.get_mut(series.index()) {
            let place = |counts: &mut Counts| {
                let count = if shed { &mut counts.shed_before } else { &mut counts.not_reached };
                *count += times;
            };
            place(&mut pages.second.counts);
            place(&mut pages.leg(series, leg).counts);
        }
    }

    /// Counts a visit that came to its end.
    pub(super) fn visit(&mut self, load: LoadId, journey: JourneyId, planned: At, end: VisitEnd) {
        let leg = self.legs.at(planned);
        let found = self.visits.iter().position(|pages| pages.load == load && pages.journey == journey);
        let index = found.unwrap_or_else(|| {
            self.visits.push(VisitPages { load, journey, legs: Vec::new() });
            self.visits.len() - 1
        });
        let legs = &mut self.visits[index].legs;
        let found = legs.iter().rposition(|cell| cell.leg == leg);
        let index = found.unwrap_or_else(|| {
            let own_time = Latency::new();
            legs.push(VisitCell { load, journey, leg, started: 0, ok: 0, failed: 0, shed: 0, own_time });
            legs.len() - 1
        });
        let cell = &mut legs[index];
        cell.started += 1;
        match end {
            VisitEnd::Ok(own_time) => {
                cell.ok += 1;
                cell.own_time.record(own_time);
            }
            VisitEnd::Failed => cell.failed += 1,
            VisitEnd::Shed => cell.shed += 1,
        }
    }

    /// Counts a number that an answer told.
    pub(super) fn figure(&mut self, figure: FigureId, planned: At, number: f64) {
        let leg = self.legs.at(planned);
        let found = self.figures.iter().position(|cell| cell.figure == figure && cell.leg == leg);
        let index = found.unwrap_or_else(|| {
            self.figures.push(FigureCell { figure, leg, values: Numbers::default() });
            self.figures.len() - 1
        });
        self.figures[index].values.record(number);
    }

    /// Hands over what was counted, and opens the next second. To be called on the worker's thread.
    pub(super) fn close(&mut self) -> Window {
        let cpu = host::thread_cpu();
        let spun = self.effort.spun_by_now.saturating_sub(self.effort.spun);
        self.health.cpu = cpu.saturating_sub(self.effort.cpu).saturating_sub(spun);
        self.health.spun = spun;
        self.effort = Effort { cpu, spun: self.effort.spun_by_now, spun_by_now: self.effort.spun_by_now };
        let mut window = Window {
            second: self.second,
            crew: self.crew,
            cells: Vec::new(),
            visits: Vec::new(),
            figures: Vec::new(),
            health: std::mem::take(&mut self.health),
            users: Vec::new(),
        };
        for pages in &mut self.series {
            for cell in std::iter::once(&mut pages.second).chain(&mut pages.legs) {
                if cell.counts != Counts::default() || cell.waiting > 0 {
                    let next = empty(cell.series, cell.book, cell.slower.len());
                    window.cells.push(std::mem::replace(cell, next));
                }
            }
        }
        for cell in self.visits.iter_mut().flat_map(|pages| &mut pages.legs) {
            if cell.started > 0 {
                let own_time = Latency::new();
                let next = VisitCell { started: 0, ok: 0, failed: 0, shed: 0, own_time, ..*cell };
                window.visits.push(std::mem::replace(cell, next));
            }
        }
        for cell in self.figures.iter_mut().filter(|cell| cell.values.count() > 0) {
            window.figures.push(FigureCell { values: std::mem::take(&mut cell.values), ..*cell });
        }
        self.second += 1;
        window
    }
}

impl Pages {
    fn leg(&mut self, series: SeriesId, leg: LegId) -> &mut Cell {
        let book = Book::Leg(leg);
        // From the back: the newest leg is asked for far more often than those before it.
        let index = self.legs.iter().rposition(|cell| cell.book == book).unwrap_or_else(|| {
            self.legs.push(empty(series, book, 0));
            self.legs.len() - 1
        });
        &mut self.legs[index]
    }
}

fn count(counts: &mut Counts, outcome: Outcome) {
    match outcome {
        Outcome::Ok => counts.ok += 1,
        Outcome::Shed => counts.shed += 1,
        Outcome::Bad(kind) => counts.add_bad(kind, 1),
        Outcome::Unsent(kind) => counts.add_unsent(kind, 1),
    }
}

fn empty(series: SeriesId, book: Book, bounds: usize) -> Cell {
    Cell {
        series,
        book,
        counts: Counts::default(),
        waiting: 0,
        oldest_waiting: None,
        against: Default::default(),
        shedding: Default::default(),
        slower: vec![Default::default(); bounds],
        response: Latency::new(),
        service: Latency::new(),
        unlagged: Latency::new(),
    }
}
