//! CPU, memory, threads and files of the platform's processes.

use std::collections::BTreeMap;

use super::{VitalCurve, VitalPoint};
use crate::base::units::{At, Share, Size, Span};
use crate::plan::{Measure, ProcessId, Quantity};
use crate::record::Vital;

#[derive(Debug, Default)]
pub(super) struct Vitals {
    points: BTreeMap<ProcessId, Vec<VitalPoint>>,
    /// The CPU time at each process's last point.
    used: BTreeMap<ProcessId, (At, Span)>,
}

impl Vitals {
    pub(super) fn add(&mut self, vital: &Vital) {
        let before = self.used.insert(vital.process, (vital.at, vital.cpu));
        let cpu = before
            .filter(|(at, used)| *at < vital.at && *used <= vital.cpu)
            .map(|(at, used)| vital.cpu.saturating_sub(used).as_seconds_f64() / vital.at.since(at).as_seconds_f64());
        self.points.entry(vital.process).or_default().push(VitalPoint {
            at: vital.at,
            cpu,
            memory: vital.memory,
            threads: vital.threads,
            files: vital.files,
        });
    }

    /// The greatest of `measure` in [from, to).
    pub(super) fn greatest(&self, process: ProcessId, measure: Measure, from: At, to: At) -> Option<Quantity> {
        let points = self.points.get(&process)?.iter().rev();
        let within = points.skip_while(|point| point.at >= to).take_while(|point| point.at >= from);
        match measure {
            Measure::Cpu => {
                within.filter_map(|point| point.cpu).reduce(f64::max).map(|cpu| Quantity::Share(Share(cpu)))
            }
            Measure::Memory => within.map(|point| point.memory).max().map(|bytes| Quantity::Size(Size(bytes))),
            _ => None,
        }
    }

    /// How many points of `process` there are in [from, to).
    pub(super) fn count(&self, process: ProcessId, from: At, to: At) -> u64 {
        let points = self.points.get(&process).map_or(&[][..], Vec::as_slice);
        points.iter().filter(|point| from <= point.at && point.at < to).count() as u64
    }

    pub(super) fn curves(self) -> Vec<VitalCurve> {
        self.points.into_iter().map(|(process, points)| VitalCurve { process, points }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_is_what_was_used_between_two_points() {
        let mut vitals = Vitals::default();
        let process = ProcessId(0);
        for (second, used) in [(0u64, 0u64), (1, 500), (2, 2_000), (3, 2_000)] {
            vitals.add(&Vital {
                at: At(second * 1_000_000_000),
                process,
                cpu: Span::millis(used),
                memory: 10 - second,
                threads: 1,
                files: 1,
            });
        }
        let greatest = |measure, from, to| vitals.greatest(process, measure, At(from), At(to));
        assert_eq!(greatest(Measure::Cpu, 0, u64::MAX), Some(Quantity::Share(Share(1.5))));
        assert_eq!(greatest(Measure::Cpu, 0, 2_000_000_000), Some(Quantity::Share(Share(0.5))));
        assert_eq!(greatest(Measure::Memory, 1, u64::MAX), Some(Quantity::Size(Size(9))));
        assert_eq!(greatest(Measure::Cpu, 0, 1), None);
        assert_eq!(vitals.greatest(ProcessId(1), Measure::Cpu, At(0), At::MAX), None);
    }
}
