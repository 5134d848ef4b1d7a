use std::fs;

use super::identity::Identity;
use super::machine::{clock_ticks, own_cpu, page_size};
use super::proc;
use crate::base::units::Span;

/// What one or several processes use at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Vitals {
    /// User and system time so far, with that of children who were waited for.
    pub cpu: Span,
    /// Resident bytes: what each has alone, summed, and the largest part that one of them shares.
    pub memory: u64,
    pub threads: u32,
    pub files: u32,
    pub processes: u32,
}

/// Of the calling process.
pub fn own_vitals() -> Vitals {
    let own = vitals_of(&[Identity::own()]).unwrap_or_default();
    Vitals { cpu: own_cpu(), ..own }
}

/// Of several together. Those who vanish meanwhile are left out; `None` when all have.
pub fn vitals_of(members: &[Identity]) -> Option<Vitals> {
    let mut sum = Vitals::default();
    let mut ticks = 0u64;
    let mut shared = 0u64;
    for member in members {
        let Some(stat) = proc::stat(member.pid).filter(|stat| stat.started == member.started) else { continue };
        sum.processes += 1;
        sum.threads += stat.threads;
        ticks += stat.cpu_own + stat.cpu_children;
        let statm = fs::read_to_string(format!("/proc/{}/statm", member.pid)).unwrap_or_default();
        let mut pages = statm.split_ascii_whitespace().skip(1).map(|field| field.parse::<u64>().unwrap_or(0));
        let (resident, common) = (pages.next().unwrap_or(0), pages.next().unwrap_or(0));
        sum.memory += resident.saturating_sub(common) * page_size();
        shared = shared.max(common * page_size());
        let files = fs::read_dir(format!("/proc/{}/fd", member.pid)).map_or(0, |entries| entries.flatten().count());
        sum.files += u32::try_from(files).unwrap_or(u32::MAX);
    }
    sum.memory += shared;
    sum.cpu = Span::nanos(ticks.saturating_mul(1_000_000_000 / clock_ticks()));
    (sum.processes > 0).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_file_and_memory_in_use_are_seen() {
        let before = own_vitals();
        let files: Vec<_> = (0..40).map(|_| fs::File::open("/proc/self/stat").unwrap()).collect();
        let memory = vec![7u8; 64 << 20];
        let after = own_vitals();
        // Other tests run beside this one, so the figures are compared with room to spare.
        assert!(after.files >= 40 && after.files + 30 > before.files + 40, "{before:?} {after:?}");
        assert!(after.memory > 60 << 20, "{after:?}");
        assert!(after.cpu > Span::ZERO && after.threads >= 1);
        assert_eq!(after.processes, 1);
        drop((files, std::hint::black_box(memory)));
    }

    #[test]
    fn one_who_is_gone_has_none() {
        assert_eq!(vitals_of(&[Identity { pid: std::process::id(), started: 1 }]), None);
    }
}
