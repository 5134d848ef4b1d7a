//! A real database, stopped at the height of the load: all of it stands still, also the session that was open before.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use common::{Yard, events, eventually};

/// The folder of PostgreSQL's programs; none, and said, where it is not installed or nobody may start it.
#[allow(clippy::print_stderr)]
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|version| version.path().join("bin")).find(|bin| bin.join("postgres").exists());
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"));
    let found = found.filter(|_| root);
    assert!(
        found.is_some() || std::env::var_os("CI").is_none(),
        "this needs root and PostgreSQL (apt install postgresql)"
    );
    if found.is_none() {
        eprintln!("SKIPPED: this needs root and PostgreSQL (apt install postgresql)");
    }
    found
}

/// It does not run as root: its folder is given to its own user.
const START: &str = r#"set -e
bin=$1; folder=$2; port=$3
mkdir -p "$folder/data"
chown -R postgres "$folder"
cd "$folder"
setpriv --reuid=postgres --regid=postgres --clear-groups "$bin/initdb" -D "$folder/data" -A trust -U postgres >/dev/null
exec setpriv --reuid=postgres --regid=postgres --clear-groups "$bin/postgres" -D "$folder/data" -p "$port" -h 127.0.0.1 -k ''
"#;

const DRILL: &str = r#"peakdrill: 1
name: database
platform:
  allow: [127.0.0.0/8]
  processes:
    db: { run: [sh, start.sh, BIN, FOLDER, "{{ port }}"] }
    shop:
      run: [peakdrill, shop, all, --listen, "{{ address }}", --data, "{{ folder }}"]
      ready: { get: /healthz }
  endpoints: { shop: "http://{{ process.shop.address }}" }
journeys:
  look:
    - get: /products
      name: list products
load:
  shoppers: { mix: { look: 1 }, arrivals: [ { hold: { rate: 30/s, for: 9s } } ] }
faults:
  stopped: { at: 4s, for: 3s, pause: { process: db } }
limits: { lag: 500ms }
targets:
  up: { measure: availability, at-least: 50% }
"#;

#[test]
fn a_session_held_open_sees_its_write_hang_until_it_is_healed() {
    let Some(bin) = programs() else { return };
    let yard = Yard::new();
    // The database's own user has to come through to its folder.
    let opened = Command::new("chmod").arg("a+rx").arg(yard.path()).status();
    assert!(opened.is_ok_and(|status| status.success()));
    yard.file("start.sh", START);
    let folder = yard.path().join("database");
    let plain = |path: &std::path::Path| path.to_str().expect("a plain path").to_owned();
    yard.file("database.yaml", &DRILL.replace("BIN", &plain(&bin)).replace("FOLDER", &plain(&folder)));
    let mut drill = yard.start(&["run", "database.yaml"]);
    let run = || yard.runs().pop();
    let address = || {
        let bindings = events(&run()?).into_iter().find(|entry| entry["event"] == "bindings")?;
        bindings["addresses"][0][1].as_str().map(str::to_owned)
    };
    let began = || run().is_some_and(|run| events(&run).iter().any(|entry| entry["event"] == "load-began"));
    assert!(drill.until(began), "{}", drill.text("err"));
    let address = address().expect("where the database listens");
    let port = address.rsplit(':').next().expect("a port");
    let mut session = Command::new(bin.join("psql"))
        .args(["-h", "127.0.0.1", "-p", port, "-U", "postgres", "-d", "postgres", "-q", "-A", "-t"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("psql runs");
    let mut ask = session.stdin.take().expect("its input");
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let lines = BufReader::new(session.stdout.take().expect("its output")).lines();
    let heard = told.clone();
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| heard.lock().expect("ours").push(line)));
    let count = || told.lock().expect("ours").len();
    ask.write_all(b"create table writes (n int);\ninsert into writes values (1) returning n;\n").expect("a session");
    eventually("the first write", || count() == 1);
    let moment = |wanted: &str| {
        let all = run().map(|run| events(&run)).unwrap_or_default();
        all.into_iter().find(|entry| entry["event"] == "fault" && entry["what"]["moment"] == wanted)
    };
    assert!(drill.until(|| moment("effective").is_some()), "{}", drill.text("err"));
    ask.write_all(b"insert into writes values (2) returning n;\n").expect("the same session");
    let still = moment("effective").expect("it bit");
    let members = still["what"]["proof"][0]["members"].as_u64().expect("how many");
    assert!(members >= 4, "the whole tree stands still, its backends too: {still}");
    assert!(drill.until(|| moment("heal-ordered").is_some()), "{}", drill.text("err"));
    // Asked for since the moment it bit, and seen in the instant of the heal at the earliest.
    let before = count();
    let healed = moment("healed").is_some();
    assert!(before == 1 || healed, "the write came back while the database stood still");
    eventually("the write that hung", || count() == 2);
    drop(ask);
    let _ = session.wait();
    let ended = drill.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.all());
}
