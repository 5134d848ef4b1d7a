//! The kernel, as this house sees it: clocks and timers, processes by (pid, start time), signals, whole trees of
//! processes, cgroups, network namespaces, ports, `/proc`; and Docker's socket.
//!
//! The only room with `unsafe` in it. Everything here is blocking, bounded by a deadline where it waits, robust
//! against entries of `/proc` that vanish while they are read, and knows nothing of drills.
//!
//! A process is its whole [`Tree`]. In a cgroup2 folder of its own nothing can leave it (double forks, new sessions),
//! and it is killed or frozen as one; where there is no writable cgroup2, it is found by walking `/proc`, again and
//! again until it is empty.
//!
//! Leaves to others: what time means to a drill (`clock`), what is written down before something is done (`undo`),
//! when to do it (`platform`, `fault`).

mod cgroup;
mod container;
mod cover;
mod descriptor;
mod disk;
mod docker;
mod executable;
mod faketime;
mod group;
mod identity;
mod launch;
mod limit;
mod machine;
mod network;
mod port;
mod proc;
mod socket;
mod system;
mod tail;
mod time;
mod tree;
mod vitals;
mod walk;

pub use cgroup::{Cgroup, CgroupHome, mounts_below};
pub use container::{Attachment, Container, Remedy};
pub use cover::Cover;
pub use descriptor::{Watched, ignore_terminal_signals, ignores_hangup, watch_end};
pub use disk::{Device, Speed, disk_speed};
pub use docker::Docker;
pub use executable::takes_no_library;
pub use faketime::{ClockShare, find_faketime, set_skew, tells_right};
pub use group::{Controller, Group};
pub use identity::{Identity, PidFd, Signal};
pub use launch::{Launch, Launched, converse, describe_exit, detach, find_program, kill_group, leave_session};
pub use limit::Resource;
pub use machine::{
    Limits, Machine, become_subreaper, boot_id, local_port_range, local_ports, machine, memory_file, open_file_limits,
    own_cpu, raise_open_files, thread_cpu,
};
pub use network::{Namespace, find_tool, lacks_netem, may_make_networks, tool};
pub use port::{ReservedPort, listener_of, reserve_port};
pub use proc::Marker;
pub use socket::{bind_without_port, check_own_address, say};
pub use system::{SystemLoad, system_load};
pub use tail::Tail;
pub use time::{TimerFd, monotonic_nanos, realtime_nanos, sharpen_timers};
pub use tree::Tree;
pub use vitals::{Vitals, own_vitals, vitals_of};
