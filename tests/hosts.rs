//! Drills that put other machines under strain and watch them: over a real ssh to a server of the test's own on the loopback, and by the
//! agent alone.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::{Running, Yard, events, eventually, is_alive, summary};
use serde_json::Value;

/// Each takes a core for itself: one at a time.
static STAGE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    STAGE.lock().unwrap_or_else(PoisonError::into_inner)
}

const SSHD: &str = "/usr/sbin/sshd";

/// True, and said, where no server of ssh can be started.
#[allow(clippy::print_stderr)]
fn skipped() -> bool {
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"));
    let client = Command::new("ssh").arg("-V").output().is_ok_and(|output| output.status.success());
    let may = root && client && Path::new(SSHD).exists();
    assert!(may || std::env::var_os("CI").is_none(), "a server of ssh needs root and openssh-server");
    if !may {
        eprintln!("SKIPPED: a server of ssh needs root and openssh-server");
    }
    !may
}

/// A server of ssh for this test alone, which lets nobody in but with its key; ended when it is dropped.
struct Server {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Server {
    fn new() -> Server {
        let folder = tempfile::Builder::new().prefix("sshd-").tempdir().expect("a temporary folder");
        // Its own users must be able to go through it.
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).expect("our folder");
        fs::create_dir_all("/run/sshd").expect("the folder that the server wants");
        for name in ["host", "key", "wrong"] {
            let file = folder.path().join(name);
            let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&file).status();
            assert!(made.expect("ssh-keygen runs").success());
        }
        fs::copy(folder.path().join("key.pub"), folder.path().join("authorized")).expect("the keys that are let in");
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port();
        let key = fs::read_to_string(folder.path().join("host.pub")).expect("the server's key");
        fs::write(folder.path().join("known"), format!("[127.0.0.1]:{port} {key}")).expect("a file");
        let at = folder.path().display();
        let settings = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {at}/host\nAuthorizedKeysFile {at}/authorized\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PermitRootLogin prohibit-password\nLogLevel ERROR\nMaxStartups 100\n"
        );
        fs::write(folder.path().join("settings"), settings).expect("a file");
        let log = fs::File::create(folder.path().join("log")).expect("a file");
        let mut command = Command::new(SSHD);
        command.args(["-D", "-e", "-f"]).arg(folder.path().join("settings"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("sshd runs");
        let server = Server { child, port, folder };
        eventually("a server of ssh", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        server
    }

    /// The words that lead to it, in YAML.
    fn via(&self, key: &str) -> String {
        let at = self.folder.path().display();
        format!(
            "[ssh, -F, none, -p, \"{}\", -i, {at}/{key}, -o, BatchMode=yes, -o, IdentitiesOnly=yes, -o, \
             UserKnownHostsFile={at}/known, root@127.0.0.1]",
            self.port
        )
    }

    /// The clients that are on their way to it.
    fn clients(&self) -> Vec<u32> {
        let port = self.port.to_string();
        let is = |pid: &u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
            words.first().is_some_and(|first| first.ends_with(b"ssh"))
                && words.contains(&port.as_bytes())
                && is_alive(*pid)
        };
        let pids = fs::read_dir("/proc").expect("/proc").flatten();
        pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn drill(via: &str, program: &str, rest: &str) -> String {
    format!(
        r#"peakdrill: 1
name: elsewhere
platform:
  allow: [127.0.0.0/8]
  hosts:
    db_1: {{ title: Database, address: 127.0.0.1, via: {via}, program: {program} }}
  processes:
    shop: {{ run: [peakdrill, shop, all, --listen, "{{{{ address }}}}", --data, "{{{{ folder }}}}"], ready: {{ get: /healthz }} }}
  endpoints: {{ shop: "http://{{{{ process.shop.address }}}}" }}
  watch: {{ db: {{ host: db_1 }} }}
journeys: {{ look: [ {{ get: /products, name: look }} ] }}
load: {{ all: {{ mix: {{ look: 1 }}, arrivals: [ {{ hold: {{ rate: 30/s, for: 9s }} }} ] }} }}
# The host is this machine: a core of it is taken away, and other tests run.
limits: {{ lag: 2s }}
{rest}
"#
    )
}

const FAULTS: &str = "faults:
  busy: { at: 2s, for: 2s, burn: { cores: 1, host: db_1 } }
  memory: { at: 2s, for: 1s, fill-memory: { size: 24MiB, host: db_1 } }
  disk: { at: 2s, for: 1s, fill-disk: { host: db_1, size: 24MiB } }
";

const LONG: &str = "faults: { busy: { at: 500ms, for: 4s, burn: { cores: 1, host: db_1 } } }
targets: { up: { measure: availability, at-least: 50% } }
";

fn program(yard: &Yard) -> String {
    yard.program().display().to_string()
}

/// What was seen of each fault at these moments.
fn proofs(run: &Path, moment: &str) -> Vec<Value> {
    let of = |entry: &Value| (entry["what"]["moment"] == moment).then(|| entry["what"]["proof"].clone());
    events(run).iter().filter_map(of).collect()
}

/// The drill, until its fault bites.
fn bitten(yard: &Yard, text: &str) -> Running {
    yard.file("drill.yaml", text);
    let mut drill = yard.start(&["run", "drill.yaml"]);
    let bites = || yard.runs().last().is_some_and(|run| !proofs(run, "effective").is_empty());
    assert!(drill.until(bites), "{}{}", drill.text("out"), drill.text("err"));
    drill
}

/// The same drill, whose host nobody watches.
fn unwatched(text: &str) -> String {
    text.replace("  watch: { db: { host: db_1 } }\n", "")
}

#[test]
fn a_host_is_put_under_strain_and_watched() {
    let _alone = alone();
    if skipped() {
        return;
    }
    let (yard, server) = (Yard::new(), Server::new());
    let targets =
        "steady-state: { serving: { hold: 1s, must: [ { measure: availability, at-least: 50%, over: 1s } ] } }
targets:
  rto: { measure: recovery-time, fault: busy, to: serving, at-most: 4s }
  busy: { measure: db.cpu, at-least: 0, at-most: 10000 }
  memory: { measure: db.memory, at-least: 1MB }
";
    yard.file("drill.yaml", &drill(&server.via("key"), &program(&yard), &(FAULTS.to_owned() + targets)));
    assert_eq!(yard.run(&["check", "--host", "drill.yaml"]).expect(0).out, "drill.yaml: ok\n");
    let ended = yard.run(&["run", "drill.yaml"]).expect(0);
    assert!(ended.out.contains("keep 1 core of Database busy"), "{}", ended.out);
    let run = yard.last_run();
    let seen = proofs(&run, "effective");
    let text = format!("{seen:#?}");
    let sizes = seen.iter().filter_map(|proof| proof[0]["bytes"].as_u64());
    assert_eq!(sizes.filter(|size| (22 << 20..28 << 20).contains(size)).count(), 2, "{text}");
    assert!(seen.iter().any(|proof| proof[0]["cores"].as_f64().is_some_and(|cores| cores >= 0.5)), "{text}");
    let healed = proofs(&run, "healed");
    assert_eq!(healed.len(), 3, "{healed:#?}");
    for proof in healed {
        assert_eq!(proof, serde_json::json!([{ "seen": "released" }]), "it was in force all the time");
    }
    assert_eq!(summary(&run)["faults"][0]["hosts"], serde_json::json!(["db_1"]));
    let read = events(&run).iter().filter(|entry| entry.to_string().contains("\"scraped\"")).count();
    assert!(read >= 4, "{read} seconds were read");
    assert!(yard.process("agent").is_none());
    assert_eq!(server.clients(), [] as [u32; 0]);
    yard.run(&["residue"]).expect(0);
}

#[test]
fn who_is_not_let_in_is_told_why_before_and_by_the_drill() {
    if skipped() {
        return;
    }
    let (yard, server) = (Yard::new(), Server::new());
    let targets =
        "steady-state: { serving: { hold: 1s, must: [ { measure: availability, at-least: 50%, over: 1s } ] } }
targets:
  rto: { measure: recovery-time, fault: busy, to: serving, at-most: 500ms }
  memory: { measure: db.memory, at-least: 1MB }
";
    let why = "db_1: root@127.0.0.1: Permission denied (publickey).";
    yard.file("drill.yaml", &drill(&server.via("wrong"), &program(&yard), &(FAULTS.to_owned() + targets)));
    let ended = yard.run(&["check", "--host", "drill.yaml"]).expect(2);
    assert_eq!(ended.out, format!("drill.yaml: error: nothing can be done on host `db_1`: {why} [host]\n"));
    let ended = yard.run(&["run", "drill.yaml"]).expect(3);
    let of = |word: &str| ended.out.lines().filter(|line| line.contains(word) && line.contains(why)).count();
    assert!(of("did not take effect") >= 3 && of("memory") >= 1, "{}", ended.out);
    assert_eq!(summary(&yard.last_run())["faults"][0]["effective"], Value::Null);
    assert_eq!(server.clients(), [] as [u32; 0]);
}

#[test]
fn another_version_or_none_is_said() {
    if skipped() {
        return;
    }
    let (yard, server) = (Yard::new(), Server::new());
    let script = yard.file("older", "#!/bin/sh\necho '{\"peakdrill\":\"0.0.9\"}'\ncat >/dev/null\n");
    fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("our file");
    let ours = env!("CARGO_PKG_VERSION");
    let cases = [
        (script.display().to_string(), format!("db_1 has peakdrill 0.0.9, this is {ours}")),
        ("/no/such/peakdrill".to_owned(), "No such file or directory".to_owned()),
        ("/bin/cat".to_owned(), "cat: agent: No such file or directory".to_owned()),
    ];
    for (program, why) in cases {
        yard.file("drill.yaml", &drill(&server.via("key"), &program, LONG));
        let ended = yard.run(&["check", "--host", "drill.yaml"]).expect(2);
        assert!(ended.out.contains(&why) && ended.out.lines().count() == 1, "{program}: {}", ended.out);
    }
    // Hosts that a drill does not use are not asked.
    let text =
        drill(&server.via("wrong"), &program(&yard), "targets: { up: { measure: availability, at-least: 50% } }");
    yard.file("drill.yaml", &unwatched(&text));
    yard.run(&["check", "--host", "drill.yaml"]).expect(0);
}

#[test]
fn when_the_harness_dies_nothing_is_left_on_the_host() {
    let _alone = alone();
    if skipped() {
        return;
    }
    let (yard, server) = (Yard::new(), Server::new());
    let long = LONG.replace("for: 4s", "for: 50s");
    let text = drill(&server.via("key"), &program(&yard), &long).replace("for: 9s", "for: 60s");
    let drill = bitten(&yard, &text);
    assert!(yard.process("agent").is_some() && server.clients().len() == 2);
    let guardian = yard.process("guardian").expect("a guardian");
    signal(guardian, "KILL");
    drill.signal("KILL");
    drill.wait();
    eventually("the end of the strain", || yard.process("agent").is_none());
    yard.run(&["recover"]).expect(0);
    assert_eq!(server.clients(), [] as [u32; 0]);
    yard.run(&["residue"]).expect(0);
}

#[test]
fn a_connection_that_is_cut_without_a_word_ends_the_strain_and_is_said() {
    let _alone = alone();
    if skipped() {
        return;
    }
    let (yard, server) = (Yard::new(), Server::new());
    // Watched by nobody, so the one client is the strain's.
    let long = LONG.replace("for: 4s", "for: 14s");
    let text = drill(&server.via("key"), &program(&yard), &long).replace("for: 9s", "for: 16s");
    let mut drill = bitten(&yard, &unwatched(&text));
    let clients = server.clients();
    assert_eq!(clients.len(), 1);
    signal(clients[0], "STOP");
    assert!(drill.until(|| yard.process("agent").is_none()), "{}{}", drill.text("out"), drill.text("err"));
    assert!(is_alive(clients[0]), "nobody has told it to");
    let ended = drill.wait().expect(3);
    assert!(ended.out.contains("whether it was in force until then is not known"), "{}", ended.out);
    assert_eq!(proofs(&yard.last_run(), "healed"), [] as [Value; 0]);
    let all = events(&yard.last_run());
    let seen = all.iter().find(|entry| entry["what"]["moment"] == "not-healed").expect("it is said");
    let seen = &seen["what"]["why"];
    assert_eq!((&seen[0]["seen"], &seen[1]["seen"]), (&"unheard".into(), &"released".into()), "{seen}");
    assert_eq!(server.clients(), [] as [u32; 0]);
}

#[test]
fn a_second_without_an_answer_has_no_figures_and_the_host_is_reached_again() {
    if skipped() {
        return;
    }
    let (yard, server) = (Yard::new(), Server::new());
    let targets = "targets: { memory: { measure: db.memory, at-least: 1MB } }\n";
    let text = drill(&server.via("key"), &program(&yard), targets).replace("for: 9s", "for: 10s");
    yard.file("drill.yaml", &text);
    let seconds = |word: &str| {
        let run = yard.runs().pop();
        let found = run.map(|run| events(&run)).unwrap_or_default();
        found.iter().filter(|entry| entry.to_string().contains(word)).count()
    };
    let (mut drill, mut cut) = (yard.start(&["run", "drill.yaml"]), 0);
    assert!(drill.until(|| seconds("\"scraped\"") >= 2), "{}", drill.text("err"));
    // Until it was noticed: one whose answer was on its way already is not missed.
    assert!(drill.until(|| {
        if seconds("\"not-scraped\"") == 0 && server.clients().iter().any(|client| *client != cut) {
            cut = server.clients()[0];
            signal(cut, "KILL");
        }
        seconds("\"not-scraped\"") > 0
    }));
    let before = seconds("\"scraped\"");
    assert!(drill.until(|| seconds("\"scraped\"") > before), "it is reached again");
    let ended = drill.wait().expect(3);
    assert!(ended.out.contains("INCONCLUSIVE") && ended.out.contains("db_1: "), "{}", ended.out);
}

#[test]
fn what_stands_between_need_not_be_ssh() {
    let _alone = alone();
    let yard = Yard::new();
    let targets = "targets: { memory: { measure: db.memory, at-least: 1MB } }\n";
    yard.file("drill.yaml", &drill("[env, A=b]", &program(&yard), &(FAULTS.to_owned() + targets)));
    yard.run(&["run", "drill.yaml"]).expect(0);
    assert_eq!(proofs(&yard.last_run(), "healed").len(), 3);
    assert!(yard.process("agent").is_none());
    let plan = yard.run(&["plan", "drill.yaml"]).expect(0).out;
    assert!(plan.contains("a host at 127.0.0.1, by env A=b"), "{plan}");
    let chinese = yard.run(&["plan", "drill.yaml", "--lang", "zh"]).expect(0).out;
    assert!(chinese.contains("占满 Database 的"), "{chinese}");
}

#[test]
fn an_agent_ends_with_its_input_and_when_it_hears_nothing_more() {
    let yard = Yard::new();
    let begin = |words: &str| {
        let mut command = yard.command(["agent"]);
        let mut agent = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("an agent");
        let mut input = agent.stdin.take().expect("its input");
        let mut lines = BufReader::new(agent.stdout.take().expect("its output")).lines();
        let hello = lines.next().expect("a line").expect("text");
        assert!(hello.starts_with(&format!("{{\"peakdrill\":\"{}\",", env!("CARGO_PKG_VERSION"))), "{hello}");
        input.write_all(words.as_bytes()).expect("it listens");
        (agent, input, lines)
    };
    let burn = "{\"strain\":{\"burn\":{\"cores\":1}}}\n";
    // Its input stays open, and nothing more is said.
    let soon = "{\"still\":{\"within\":300000000}}\n";
    for words in [soon.to_owned(), soon.to_owned() + burn] {
        let (mut agent, input, _lines) = begin(&words);
        eventually("the end of its lease", || agent.try_wait().expect("its state").is_some());
        drop(input);
    }
    // As long as something is said, it goes on.
    let (mut agent, mut input, mut lines) = begin(&(soon.to_owned() + burn));
    let seen = std::thread::scope(|scope| {
        let seen = scope.spawn(|| lines.next());
        eventually("what it has seen of itself", || {
            input.write_all(soon.as_bytes()).expect("it listens");
            seen.is_finished()
        });
        seen.join().expect("a line")
    });
    assert!(seen.is_some_and(|line| line.is_ok_and(|line| line.contains("burns"))));
    assert!(agent.try_wait().expect("its state").is_none());
    drop(input);
    eventually("its end with its input", || agent.try_wait().expect("its state").is_some());
}

fn signal(pid: u32, signal: &str) {
    let status = Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).status();
    assert!(status.expect("kill runs").success(), "no {signal} to {pid}");
}
