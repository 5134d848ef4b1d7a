use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::machine::clock_ticks;
use super::proc;
use crate::base::units::Span;

/// What the whole machine does. All but memory grows from boot on, so two readings make a rate; none: it cannot be read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SystemLoad {
    /// Time that its CPUs were busy, summed over them; time stolen by other guests is not ours to use, so it counts.
    pub busy: Option<Span>,
    /// Bytes in use: what could not be had without swapping.
    pub memory: Option<u64>,
    /// Bytes, over all disks of its own: partitions, and devices that are made of others, count once.
    pub disk_read: Option<u64>,
    pub disk_written: Option<u64>,
    /// Bytes, over all interfaces of this network namespace but the loopback.
    pub received: Option<u64>,
    pub sent: Option<u64>,
}

/// Reads files that the kernel makes while they are read: it may take a moment.
pub fn system_load() -> SystemLoad {
    let text = |path| fs::read_to_string(path).unwrap_or_default();
    let disks = disks(&text("/proc/diskstats"), |name| Path::new("/sys/block").join(name).join("device").exists());
    let network = network(&text("/proc/net/dev"));
    SystemLoad {
        busy: busy(&text("/proc/stat")),
        memory: memory(&text("/proc/meminfo")),
        disk_read: disks.map(|(read, _)| read),
        disk_written: disks.map(|(_, written)| written),
        received: network.map(|(received, _)| received),
        sent: network.map(|(_, sent)| sent),
    }
}

fn busy(stat: &str) -> Option<Span> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    // user nice system idle iowait irq softirq steal; guest times are in user already.
    let ticks: Vec<u64> = line.split_ascii_whitespace().take(8).map_while(|field| field.parse().ok()).collect();
    let idle = ticks.get(3)? + ticks.get(4)?;
    let busy = ticks.iter().sum::<u64>() - idle;
    Some(Span::nanos(busy.saturating_mul(1_000_000_000 / clock_ticks())))
}

fn memory(meminfo: &str) -> Option<u64> {
    let all = proc::value(meminfo, "MemTotal")?;
    Some(all.saturating_sub(proc::value(meminfo, "MemAvailable")?) * 1024)
}

/// Bytes read and written, over the devices that are disks.
fn disks(diskstats: &str, is_disk: impl Fn(&str) -> bool) -> Option<(u64, u64)> {
    let mut sum = None;
    for line in diskstats.lines() {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, _, name, _, _, read, _, _, _, written, ..] = fields.as_slice() else { continue };
        if !is_disk(name) {
            continue;
        }
        // Sectors of 512 bytes here, whatever the device has.
        let (read, written): (u64, u64) = (read.parse().ok()?, written.parse().ok()?);
        let (reads, writes) = sum.unwrap_or((0, 0));
        sum = Some((reads + read * 512, writes + written * 512));
    }
    sum
}

/// Bytes received and sent.
fn network(dev: &str) -> Option<(u64, u64)> {
    let mut sum = None;
    for (name, counts) in dev.lines().filter_map(|line| line.split_once(':')) {
        if name.trim() == "lo" {
            continue;
        }
        let counts: Vec<&str> = counts.split_ascii_whitespace().collect();
        let (received, sent): (u64, u64) = (counts.first()?.parse().ok()?, counts.get(8)?.parse().ok()?);
        let (all_received, all_sent) = sum.unwrap_or((0, 0));
        sum = Some((all_received + received, all_sent + sent));
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cpu_counts_and_waiting_for_a_disk_is_idle() {
        let tick = Span::nanos(1_000_000_000 / clock_ticks());
        let stat = "cpu  10 20 30 1000 500 1 2 3 7 0\ncpu0 5 5 5 5 5 5 5 5 5 5\nintr 1\n";
        assert_eq!(busy(stat), Some(Span::nanos(tick.0 * 66)));
        assert_eq!((busy("intr 1\n"), busy("cpu  1 2\n")), (None, None));
    }

    #[test]
    fn memory_is_what_could_not_be_had() {
        assert_eq!(memory("MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 400 kB\n"), Some(600 << 10));
        assert_eq!(memory("MemTotal: 1000 kB\n"), None);
    }

    #[test]
    fn a_disk_counts_once_and_none_is_no_figure() {
        let stats = "   8       0 sda 10 0 100 5 20 0 40 5 0 0 0\n   8       1 sda1 10 0 100 5 20 0 40 5 0 0 0\n   253       0 dm-0 10 0 100 5 20 0 40 5 0 0 0\n   8      16 sdb 1 0 1 5 1 0 2 5 0 0 0\n";
        assert_eq!(disks(stats, |name| matches!(name, "sda" | "sdb")), Some((101 * 512, 42 * 512)));
        assert_eq!(disks(stats, |_| false), None);
    }

    #[test]
    fn the_loopback_is_no_network() {
        let dev = "Inter-|   Receive |  Transmit\n face |bytes packets|bytes packets\n    lo: 9 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\n  eth0: 100 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0\n wlan0:1 1 0 0 0 0 0 0 2 1 0 0 0 0 0 0\n";
        assert_eq!(network(dev), Some((101, 9)));
        assert_eq!(network("    lo: 9 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\n"), None);
    }

    #[test]
    fn this_machine_can_be_read() {
        let load = system_load();
        assert!(load.busy.is_some_and(|busy| busy > Span::ZERO), "{load:?}");
        assert!(load.memory.is_some_and(|memory| memory > 1 << 20), "{load:?}");
    }
}
