//! A disk that runs full under a drill: a small one of its own, mounted where nobody else sees it.

mod common;

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Running, Yard, events, eventually, is_alive};

const DRILL: &str = r#"peakdrill: 1
name: cramped
platform:
  allow: [127.0.0.0/8]
  processes:
    theirs: { attach: { pid-file: shop.pid } }
    ours: { run: [peakdrill, shop, payment, --listen, "{{ address }}", --data, "{{ folder }}"], ready: { get: /healthz } }
  endpoints: { shop: "http://ADDRESS" }
  watch: { ours: { process: ours } }
journeys:
  look:
    - get: /products
      name: list products
load:
  shoppers: { mix: { look: 1 }, arrivals: [ { hold: { rate: 40/s, for: 110s } } ] }
limits: { lag: 500ms }
faults:
  frozen: { at: 1s, for: 100s, pause: { process: theirs } }
targets:
  up: { measure: availability, at-least: 1% }
"#;

/// What the small disk holds.
const SIZE: &str = "4m";

/// Mounts the small disk, runs the drill on it, and keeps what it held: the disk is gone with its last user.
const SCRIPT: &str = "mount -t tmpfs -o size=$1 none reports || exit 99
bin/peakdrill run cramped.yaml
code=$?
bin/peakdrill residue || exit 98
rm -f reports/ballast
cp -r reports kept || exit 97
exit $code
";

/// Whether a mount can be made that nobody else sees. Where CI runs as root it must be possible.
fn can_mount() -> bool {
    let tried = Command::new("unshare")
        .args(["-m", "sh", "-c", "mount -t tmpfs -o size=64k none /mnt"])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("unshare: {error}"));
    let why = match tried {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error,
    };
    let is_root = fs::read_to_string("/proc/self/status").expect("our own status").contains("\nUid:\t0\t");
    assert!(!(is_root && std::env::var_os("CI").is_some()), "as root in CI a disk can be mounted: {why}");
    // Straight to the stream: what is printed in a test that passes is shown to nobody.
    let _ = writeln!(std::io::stderr(), "\n!! NOT TRIED: a full disk, since no disk can be mounted here: {why}\n");
    false
}

/// Fills the disk that `folder` lies on. The record's files have a little room left, each in its last block.
fn fill(folder: &Path) {
    let mut file = File::create(folder.join("ballast")).expect("a file on the small disk");
    let chunk = [0; 4096];
    let mut written = 0;
    loop {
        match file.write(&chunk) {
            Ok(count) => written += count as u64,
            Err(error) if error.kind() == ErrorKind::StorageFull => break,
            Err(error) => panic!("{error}"),
        }
        assert!(written < 64 << 20, "that is no small disk");
    }
}

/// The same process, and it goes on.
fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    is_alive(pid) && stat.rsplit(") ").next().is_some_and(|rest| !rest.starts_with('T'))
}

fn only_folder(of: &Path) -> Option<PathBuf> {
    let mut folders = fs::read_dir(of).ok()?.flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
    folders.next()
}

#[test]
fn a_full_disk_ends_the_drill_undone_and_inconclusive_with_a_readable_record() {
    if !can_mount() {
        return;
    }
    let yard = Yard::new();
    // Somebody else's: what it leaves is no business of the judge.
    let data = tempfile::tempdir().expect("a temporary folder");
    let data = data.path().to_str().expect("a plain path");
    let mut command = Command::new(env!("CARGO_BIN_EXE_peakdrill"));
    command.args(["shop", "all", "--listen", "127.0.0.1:0", "--data", data]).current_dir(data).stdin(Stdio::null());
    let shop = Running::new(command);
    let address = || shop.text("out").lines().last().and_then(|line| line.rsplit(' ').next().map(str::to_owned));
    eventually("the shop's address", || address().is_some_and(|it| std::net::TcpStream::connect(it).is_ok()));
    yard.file("shop.pid", &shop.pid().to_string());
    yard.file("cramped.yaml", &DRILL.replace("ADDRESS", &address().expect("its address")));
    yard.file("cramped.sh", SCRIPT);
    fs::create_dir(yard.path().join("reports")).expect("where the disk is mounted");
    let (before, _) = yard.judge(&["snapshot"]);
    let before = yard.file("before.json", &before).to_str().expect("a plain path").to_owned();

    let command = yard.command_of("unshare", ["-m", "sh", "cramped.sh", SIZE]);
    let mut drill = Running::new(command);
    // Only from within its namespace is the disk to be seen.
    let inside = format!("/proc/{}/root{}", drill.pid(), yard.path().join("reports").display());
    let inside = Path::new(&inside);
    let frozen = || !runs(shop.pid()) && only_folder(inside).is_some_and(|run| events(&run).iter().any(is_effective));
    assert!(drill.until(frozen), "{}", drill.text("err"));
    fill(inside);

    let ended = drill.wait().expect(3);
    assert!(
        ended.err.contains("record could not be written") && ended.err.contains("No space left on device"),
        "{}",
        ended.err
    );
    assert!(!ended.all().contains("panicked"), "{}", ended.all());

    assert!(runs(shop.pid()), "the paused process does not go on");
    let allowed = ["*/reports", "*/kept", "*/kept/*", "*/before.json"];
    let allowed = allowed.iter().flat_map(|pattern| ["--allow", pattern]);
    let compare: Vec<&str> = ["compare", &before, "--within", "3"].into_iter().chain(allowed).collect();
    let (left, clean) = yard.judge(&compare);
    assert!(clean, "left behind:\n{left}");

    // Every whole entry can be read, and says how far it came.
    let run = only_folder(&yard.path().join("kept")).expect("the run");
    let entries = events(&run);
    assert!(entries.iter().any(is_effective), "{} entries", entries.len());
    let report = yard.run(&["report", run.to_str().expect("a plain path")]).expect(3);
    assert!(report.out.to_lowercase().contains("inconclusive"), "{}", report.out);
}

fn is_effective(entry: &serde_json::Value) -> bool {
    entry["what"]["moment"] == "effective"
}
