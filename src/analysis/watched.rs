//! Figures of watched pages and of the machine: how counters grew, what gauges came to, and ratios of two.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Gap, Stretch};
use crate::base::units::{At, Span};
use crate::plan::{Bound, Plan, Platform, WatchId, WatchKind, Watched};
use crate::record::Reading;

/// A watched figure, or a ratio of two, over the whole time under load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatchedFigures {
    pub watch: WatchId,
    /// Its place in the watch's figures; none: of a ratio.
    pub metric: Option<u32>,
    pub counter: bool,
    /// As it was read; of a ratio, what it was since the load began.
    pub points: Vec<WatchedPoint>,
    /// A counter's growth, a gauge's mean, or the ratio. None: see `gap`.
    pub value: Option<f64>,
    /// None: of a ratio, or with a gap.
    pub least: Option<f64>,
    pub greatest: Option<f64>,
    pub last: Option<f64>,
    pub gap: Option<Gap>,
}

impl WatchedFigures {
    /// As scenarios write it.
    pub fn name(&self, plan: &Plan) -> String {
        let platform = &plan.platform;
        let of = self.metric.map(|metric| Watched { watch: self.watch, metric });
        match of {
            Some(of) => platform.watched(of).unwrap_or_default(),
            None => platform.watches.get(self.watch.index()).map_or_else(String::new, |watch| watch.name.clone()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WatchedPoint {
    pub at: At,
    pub value: Option<f64>,
}

/// A page is read every second: further from an end of a window than this, what it was there is not known.
const NEAR: Span = Span::millis(1_500);

#[derive(Debug, Clone)]
struct Scrape {
    at: At,
    read: Result<Vec<Option<Reading>>, String>,
}

impl Scrape {
    /// `course` with this scrape behind it.
    fn follow(&self, of: Watched, course: Option<Course>) -> Result<Course, Gap> {
        let at = self.at;
        let values = match &self.read {
            Ok(values) => values,
            Err(why) => return Err(Gap::NotScraped { watch: of.watch, at, because: why.clone() }),
        };
        let reading = values.get(of.metric as usize).copied().flatten().ok_or(Gap::NotOnPage { of, at })?;
        let (value, counter) = (reading.value, reading.counter);
        let Some(before) = course else {
            let (mean, least, greatest, last) = (value, value, value, value);
            return Ok(Course { counter, growth: 0.0, mean, least, greatest, last, samples: 1 });
        };
        if before.counter && value < before.last {
            return Err(Gap::Reset { of, at });
        }
        let samples = before.samples + 1;
        Ok(Course {
            counter: before.counter,
            growth: before.growth + (value - before.last),
            mean: before.mean + (value - before.mean) / samples as f64,
            least: before.least.min(value),
            greatest: before.greatest.max(value),
            last: value,
            samples,
        })
    }
}

#[derive(Debug, Default)]
pub(super) struct Watches {
    scrapes: BTreeMap<WatchId, Vec<Scrape>>,
}

/// One figure over a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Course {
    pub(super) counter: bool,
    /// Of a counter.
    pub(super) growth: f64,
    pub(super) mean: f64,
    pub(super) least: f64,
    pub(super) greatest: f64,
    pub(super) last: f64,
    pub(super) samples: u64,
}

impl Course {
    /// What a target bounds: growth, or the value that is worst for it.
    pub(super) fn against(&self, bound: Bound) -> f64 {
        match bound {
            _ if self.counter => self.growth,
            Bound::AtMost(_) | Bound::Above(_) => self.greatest,
            Bound::AtLeast(_) | Bound::Below(_) => self.least,
            Bound::Between(_, most) if self.greatest > most.as_f64() => self.greatest,
            Bound::Between(least, _) if self.least < least.as_f64() => self.least,
            Bound::Between(..) => self.greatest,
        }
    }

    /// What is set against another figure: growth, or the mean.
    fn part(&self) -> f64 {
        if self.counter { self.growth } else { self.mean }
    }
}

impl Watches {
    pub(super) fn add(&mut self, watch: WatchId, at: At, read: Result<Vec<Option<Reading>>, String>) {
        self.scrapes.entry(watch).or_default().push(Scrape { at, read });
    }

    /// The scrapes from the one nearest to the window's begin to the one nearest to its end.
    fn within(&self, watch: WatchId, window: Stretch) -> Option<&[Scrape]> {
        let scrapes = self.scrapes.get(&watch)?;
        let off = |at: At, edge: At| at.since(edge).max(edge.since(at));
        let nearest = |edge: At| {
            let place = (0..scrapes.len()).min_by_key(|&index| off(scrapes[index].at, edge))?;
            (off(scrapes[place].at, edge) <= NEAR).then_some(place)
        };
        let (first, last) = (nearest(window.from)?, nearest(window.to)?);
        (first < last).then(|| &scrapes[first..=last])
    }

    /// How a figure went in a window; a gap where it is not known for certain. A counter that fell was set back by a
    /// restart: what it had counted since the scrape before is lost, so its growth is not known.
    pub(super) fn course(&self, of: Watched, window: Stretch) -> Result<Course, Gap> {
        let scrapes = self.within(of.watch, window).ok_or(Gap::NotWatched { watch: of.watch })?;
        let mut course = None;
        for scrape in scrapes {
            course = Some(scrape.follow(of, course)?);
        }
        course.ok_or(Gap::NotWatched { watch: of.watch })
    }

    /// One figure as a part of another, and how many scrapes it was made from.
    pub(super) fn ratio(&self, of: Watched, to: Watched, window: Stretch) -> Result<(f64, u64), Gap> {
        let (part, whole) = (self.course(of, window)?, self.course(to, window)?);
        if whole.part() == 0.0 {
            return Err(Gap::OfNothing { to });
        }
        Ok((part.part() / whole.part(), part.samples.min(whole.samples)))
    }

    fn points(&self, of: Watched) -> Vec<WatchedPoint> {
        let scrapes = self.scrapes.get(&of.watch).map_or(&[][..], Vec::as_slice);
        let value = |scrape: &Scrape| Some(scrape.read.as_ref().ok()?.get(of.metric as usize)?.as_ref()?.value);
        scrapes.iter().map(|scrape| WatchedPoint { at: scrape.at, value: value(scrape) }).collect()
    }

    fn is_counter(&self, of: Watched) -> bool {
        let scrapes = self.scrapes.get(&of.watch).into_iter().flatten();
        let mut readings = scrapes.filter_map(|scrape| scrape.read.as_ref().ok()?.get(of.metric as usize).copied()?);
        readings.next().is_some_and(|reading| reading.counter)
    }

    /// Every figure that the plan watches, over the whole load.
    pub(super) fn figures(&self, plan: &Plan, load: Option<Stretch>) -> Vec<WatchedFigures> {
        let all = plan.platform.watches.iter().enumerate().map(|(index, watch)| (WatchId::at(index), &watch.kind));
        let mut figures = Vec::new();
        for (watch, kind) in all {
            match kind {
                WatchKind::Ratio { of, to } => {
                    let ratio = load.map(|load| self.ratio(*of, *to, load).map(|(ratio, _)| ratio));
                    let (value, gap) = apart(ratio);
                    let points = load.map(|load| self.ratio_points(*of, *to, load)).unwrap_or_default();
                    figures.push(WatchedFigures {
                        watch,
                        metric: None,
                        counter: false,
                        points,
                        value,
                        least: None,
                        greatest: None,
                        last: None,
                        gap,
                    });
                }
                _ => {
                    let places = 0..u32::try_from(kind.figures().len()).unwrap_or(u32::MAX);
                    figures.extend(places.map(|metric| self.one(Watched { watch, metric }, load)));
                }
            }
        }
        figures
    }

    fn one(&self, of: Watched, load: Option<Stretch>) -> WatchedFigures {
        let (course, gap) = apart(load.map(|load| self.course(of, load)));
        WatchedFigures {
            watch: of.watch,
            metric: Some(of.metric),
            counter: self.is_counter(of),
            points: self.points(of),
            value: course.map(|course| course.part()),
            least: course.map(|course| course.least),
            greatest: course.map(|course| course.greatest),
            last: course.map(|course| course.last),
            gap,
        }
    }

    /// The ratio since the load began, at each scrape of `of` as long as both are known.
    fn ratio_points(&self, of: Watched, to: Watched, load: Stretch) -> Vec<WatchedPoint> {
        let wholes: BTreeMap<u64, f64> = self.parts(to, load).map(|(at, part)| (tick(at), part)).collect();
        let value = |at: At, part: f64| wholes.get(&tick(at)).filter(|whole| **whole != 0.0).map(|whole| part / whole);
        self.parts(of, load).map(|(at, part)| WatchedPoint { at, value: value(at, part) }).collect()
    }

    /// What a figure came to since the load began, scrape by scrape.
    fn parts(&self, of: Watched, load: Stretch) -> impl Iterator<Item = (At, f64)> {
        let scrapes = self.within(of.watch, load).unwrap_or_default();
        scrapes.iter().scan(None, move |course, scrape| {
            *course = Some(scrape.follow(of, *course).ok()?);
            course.map(|course| (scrape.at, course.part()))
        })
    }
}

/// The second that a scrape was made on.
fn tick(at: At) -> u64 {
    (at + Span::millis(500)).second()
}

fn apart<T>(found: Option<Result<T, Gap>>) -> (Option<T>, Option<Gap>) {
    match found {
        Some(Ok(found)) => (Some(found), None),
        Some(Err(gap)) => (None, Some(gap)),
        None => (None, Some(Gap::NoData)),
    }
}

impl Watches {
    /// The figure of a watch's `ratio`.
    pub(super) fn ratio_of(&self, platform: &Platform, watch: WatchId, window: Stretch) -> Result<(f64, u64), Gap> {
        match platform.watches.get(watch.index()).map(|watch| &watch.kind) {
            Some(WatchKind::Ratio { of, to }) => self.ratio(*of, *to, window),
            _ => Err(Gap::NoData),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Quantity;

    const OF: Watched = Watched { watch: WatchId(0), metric: 0 };
    const TO: Watched = Watched { watch: WatchId(0), metric: 1 };

    fn at(seconds: f64) -> At {
        At(Span::from_seconds_f64(seconds).0)
    }

    fn window(from: f64, to: f64) -> Stretch {
        Stretch { from: at(from), to: at(to) }
    }

    /// One scrape a second, a little after it; `metric` 0 is a counter, 1 a gauge.
    fn scraped(values: &[(f64, f64)]) -> Watches {
        let mut watches = Watches::default();
        for (second, (counter, gauge)) in values.iter().enumerate() {
            let readings = [Reading { value: *counter, counter: true }, Reading { value: *gauge, counter: false }];
            watches.add(WatchId(0), at(second as f64 + 0.004), Ok(readings.map(Some).to_vec()));
        }
        watches
    }

    #[test]
    fn a_counter_is_judged_by_its_growth_in_the_window() {
        let watches = scraped(&[(100.0, 1.0), (103.0, 1.0), (110.0, 5.0), (120.0, 2.0), (121.0, 3.0)]);
        let course = watches.course(OF, window(1.0, 3.0)).unwrap();
        assert_eq!((course.growth, course.samples), (17.0, 3));
        assert_eq!(course.against(Bound::AtMost(Quantity::Number(5.0))), 17.0);
        // Ends between two scrapes take the nearer one.
        assert_eq!(watches.course(OF, window(0.9, 3.6)).unwrap().growth, 18.0);
    }

    #[test]
    fn a_gauge_is_judged_by_its_worst_second() {
        let watches = scraped(&[(0.0, 1.0), (0.0, 5.0), (0.0, 2.0), (0.0, 9.0)]);
        let course = watches.course(TO, window(0.0, 2.0)).unwrap();
        let number = Quantity::Number;
        assert_eq!(course.against(Bound::AtMost(number(3.0))), 5.0);
        assert_eq!(course.against(Bound::AtLeast(number(3.0))), 1.0);
        assert_eq!(course.against(Bound::Between(number(2.0), number(6.0))), 1.0);
        assert_eq!(course.against(Bound::Between(number(1.0), number(4.0))), 5.0);
        assert_eq!((course.mean, course.last, course.counter), (8.0 / 3.0, 2.0, false));
    }

    #[test]
    fn a_reset_in_the_window_is_a_gap_and_one_outside_is_none() {
        let watches = scraped(&[(5.0, 0.0), (9.0, 0.0), (2.0, 0.0), (4.0, 0.0), (6.0, 0.0)]);
        assert_eq!(watches.course(OF, window(0.0, 4.0)), Err(Gap::Reset { of: OF, at: at(2.004) }));
        assert_eq!(watches.course(OF, window(2.0, 4.0)).unwrap().growth, 4.0);
        // A gauge may fall.
        assert!(scraped(&[(0.0, 5.0), (0.0, 1.0)]).course(TO, window(0.0, 1.0)).is_ok());
    }

    #[test]
    fn what_was_not_read_is_a_gap() {
        let mut watches = scraped(&[(1.0, 0.0), (2.0, 0.0)]);
        let failed = Gap::NotScraped { watch: WatchId(0), at: at(2.0), because: "status 500".to_owned() };
        watches.add(WatchId(0), at(2.0), Err("status 500".to_owned()));
        watches.add(WatchId(0), at(3.0), Ok(vec![None, None]));
        watches.add(WatchId(0), at(4.0), Ok(vec![Some(Reading { value: 7.0, counter: true }), None]));
        watches.add(WatchId(0), at(5.0), Ok(vec![Some(Reading { value: 9.0, counter: true }), None]));
        assert_eq!(watches.course(OF, window(0.0, 4.0)), Err(failed));
        assert_eq!(watches.course(OF, window(3.0, 4.0)), Err(Gap::NotOnPage { of: OF, at: at(3.0) }));
        assert_eq!(watches.course(OF, window(4.0, 5.0)).unwrap().growth, 2.0);
        // Nothing was asked near the window's end, or at all.
        assert_eq!(watches.course(OF, window(4.0, 9.0)), Err(Gap::NotWatched { watch: WatchId(0) }));
        let other = Watched { watch: WatchId(7), metric: 0 };
        assert_eq!(watches.course(other, window(0.0, 1.0)), Err(Gap::NotWatched { watch: WatchId(7) }));
    }

    #[test]
    fn a_ratio_is_growth_to_growth_and_mean_to_mean() {
        let mut watches = Watches::default();
        for (second, (of, to)) in [(0.0, 0.0), (1.0, 10.0), (3.0, 100.0)].into_iter().enumerate() {
            let readings = [of, to].map(|value| Some(Reading { value, counter: true }));
            watches.add(WatchId(0), at(second as f64), Ok(readings.to_vec()));
        }
        assert_eq!(watches.ratio(OF, TO, window(0.0, 2.0)), Ok((0.03, 3)));
        assert_eq!(watches.ratio(OF, TO, window(1.0, 2.0)), Ok((2.0 / 90.0, 2)));
        let still = scraped(&[(5.0, 2.0), (5.0, 4.0)]);
        assert_eq!(still.ratio(TO, OF, window(0.0, 1.0)), Err(Gap::OfNothing { to: OF }));
        assert_eq!(still.ratio(TO, TO, window(0.0, 1.0)), Ok((1.0, 2)));
    }
}
