//! How well the generator itself kept up.

use super::seconds::{Second, begin_of};
use super::tally::share;
use super::{Generator, GeneratorPoint, Late, Stretch};
use crate::base::units::{At, Share};
use crate::record::{Event, Latency, Unpacked};

/// The worst stretch of so many seconds is what counts …
const STRETCH: u64 = 10;
/// … or of so many arrivals, where there are fewer in it.
const ARRIVALS: u64 = 100;

#[derive(Debug, Default)]
pub(super) struct Health {
    points: Vec<GeneratorPoint>,
    /// For each point, the CPU share of the busiest worker: each may use one core.
    busiest: Vec<f64>,
    lag: Latency,
    clock_steps: Vec<(At, i64)>,
    memory_max: Option<u64>,
    files_max: Option<u64>,
    files_limit: Option<u64>,
    ports: Option<u64>,
    unpacked: Unpacked,
}

impl Health {
    /// A second that nothing can be added to any more.
    pub(super) fn add(&mut self, second: &Second) {
        let mut point = GeneratorPoint { second: second.number, ..GeneratorPoint::default() };
        let mut lag = Latency::new();
        let mut busiest = 0.0f64;
        for health in &second.health {
            point.planned += health.planned;
            point.released += health.released;
            point.late += health.late;
            point.cpu += health.cpu;
            point.spun += health.spun;
            point.in_flight += health.in_flight;
            point.queued += health.queued;
            point.connections += health.connections;
            point.connected += health.connected;
            self.unpacked.add(&health.unpacked);
            lag.add(&health.lag);
            busiest = busiest.max(health.cpu.as_seconds_f64());
        }
        point.lag_p50 = super::percentile::of_ok(0.5, &lag);
        point.lag_p99 = super::percentile::of_ok(0.99, &lag);
        self.lag.add(&lag);
        self.points.push(point);
        self.busiest.push(busiest);
    }

    pub(super) fn entry(&mut self, at: At, event: &Event) {
        match event {
            Event::ClockStepped { by } => self.clock_steps.push((at, *by)),
            Event::Generator { memory, files, files_limit, ports, .. } => {
                self.memory_max = self.memory_max.max(Some(*memory));
                self.files_max = self.files_max.max(Some(*files));
                self.files_limit = Some(*files_limit);
                // Records of before it was sampled say 0.
                self.ports = Some(*ports).filter(|ports| *ports > 0);
            }
            _ => {}
        }
    }

    /// The points of `window`: their place in the list.
    fn range(&self, window: Stretch) -> std::ops::Range<usize> {
        let from = self.points.partition_point(|point| begin_of(point.second + 1) <= window.from);
        let to = self.points.partition_point(|point| begin_of(point.second) < window.to);
        from..to.max(from)
    }

    /// Arrivals released late, of the worst 10 s of `window`; of the last 100 arrivals where there are fewer in them.
    pub(super) fn late(&self, window: Stretch) -> Option<Late> {
        self.range(window)
            .filter_map(|last| {
                let (mut released, mut late, mut first) = (0, 0, last);
                for (seconds, at) in (0..=last).rev().enumerate() {
                    let before = begin_of(self.points[at].second + 1) <= window.from;
                    if released >= ARRIVALS && (seconds as u64 >= STRETCH || before) {
                        break;
                    }
                    released += self.points[at].released;
                    late += self.points[at].late;
                    first = at;
                }
                Some(Late {
                    share: share(late, released)?,
                    of: released,
                    window: Stretch {
                        from: begin_of(self.points[first].second),
                        to: begin_of(self.points[last].second + 1),
                    },
                })
            })
            .max_by(|a, b| a.share.as_f64().total_cmp(&b.share.as_f64()))
    }

    /// CPU share of the busiest worker, in the worst 10 s of `window`.
    pub(super) fn cpu(&self, window: Stretch) -> Option<Share> {
        let busiest = self.busiest.get(self.range(window))?;
        let size = (STRETCH as usize).min(busiest.len()).max(1);
        busiest.windows(size).map(|window| window.iter().sum::<f64>() / window.len() as f64).reduce(f64::max).map(Share)
    }

    pub(super) fn finish(self, load: Option<Stretch>) -> Generator {
        let sum = |of: fn(&GeneratorPoint) -> u64| self.points.iter().map(of).sum();
        Generator {
            planned: sum(|point| point.planned),
            released: sum(|point| point.released),
            late: sum(|point| point.late),
            lag_p50: super::percentile::of_ok(0.5, &self.lag),
            lag_p99: super::percentile::of_ok(0.99, &self.lag),
            lag_max: self.lag.max(),
            worst: load.and_then(|load| self.late(load)),
            cpu: load.and_then(|load| self.cpu(load)),
            unsent: Vec::new(),
            unsent_by_generator: None,
            clock_steps: self.clock_steps,
            memory_max: self.memory_max,
            files_max: self.files_max,
            files_limit: self.files_limit,
            ports: self.ports,
            unpacked: self.unpacked,
            points: self.points,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::units::Span;
    use crate::record::GeneratorHealth;

    fn health(released: u64, late: u64, cpu: [u64; 2]) -> Vec<GeneratorHealth> {
        let one = |cpu, released, late| GeneratorHealth {
            released,
            late,
            cpu: Span::millis(cpu),
            ..GeneratorHealth::default()
        };
        vec![one(cpu[0], released, late), one(cpu[1], 0, 0)]
    }

    fn of(seconds: Vec<Vec<GeneratorHealth>>) -> Health {
        let mut all = Health::default();
        for (number, health) in seconds.into_iter().enumerate() {
            all.add(&Second {
                number: number as u64,
                cells: Vec::new(),
                visits: Vec::new(),
                health,
                lacks: Default::default(),
            });
        }
        all
    }

    fn window(from: u64, to: u64) -> Stretch {
        Stretch { from: begin_of(from), to: begin_of(to) }
    }

    #[test]
    fn the_worst_ten_seconds_count() {
        let mut seconds = vec![health(100, 0, [100, 100]); 40];
        seconds[20] = health(100, 30, [950, 100]);
        let health = of(seconds);
        let worst = health.late(window(0, 40)).unwrap();
        assert_eq!((worst.share, worst.of), (Share(0.03), 1_000));
        assert!(worst.window.holds(begin_of(20)));
        assert_eq!(health.late(window(25, 40)).unwrap().share, Share(0.0));
        // Shorter than ten seconds: nothing outside it is looked at while it has arrivals enough.
        assert_eq!(health.late(window(20, 21)).unwrap().share, Share(0.3));
        assert_eq!(health.late(window(21, 22)).unwrap().share, Share(0.0));
        assert!((health.cpu(window(0, 40)).unwrap().as_f64() - 0.185).abs() < 1e-9);
        assert_eq!(health.late(window(50, 60)), None);
        assert_eq!(health.cpu(window(50, 60)), None);
    }

    #[test]
    fn where_there_are_few_arrivals_the_last_hundred_count() {
        let mut seconds = vec![health(5, 0, [0, 0]); 60];
        seconds[30] = health(5, 1, [0, 0]);
        let worst = of(seconds).late(window(0, 60)).unwrap();
        // At 30 s there have been 155 arrivals: the last 100 of them are those since 11 s.
        assert_eq!(worst.of, 100);
        assert_eq!(worst.share, Share(0.01));
    }
}
