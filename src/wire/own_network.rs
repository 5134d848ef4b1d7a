//! Tests that need a network of their own, with files of their own over those of the machine.

use std::os::unix::fs::MetadataExt;
use std::process::Command;

/// Runs the ignored test `inside` in a process with a network and mounts of its own, after the shell's `setup`; skipped
/// out loud where no such network can be made.
#[allow(clippy::print_stderr)] // A skipped test says so.
pub(super) fn in_own_network(setup: &str, inside: &str) {
    let made = Command::new("unshare").args(["-n", "-m", "ip", "link", "set", "lo", "up"]).output();
    if !made.as_ref().is_ok_and(|made| made.status.success()) {
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0);
        assert!(!is_root || std::env::var_os("CI").is_none(), "no network of its own can be made: {made:?}");
        eprintln!("SKIPPED: no network of its own can be made here, which needs root and iproute2: {made:?}");
        return;
    }
    let script = format!("ip link set lo up && {setup} && exec \"$0\" --exact \"$1\" --ignored --nocapture");
    let me = std::env::current_exe().unwrap();
    let output = Command::new("unshare").args(["-n", "-m", "sh", "-c", &script]).arg(&me).arg(inside).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
