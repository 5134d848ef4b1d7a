//! Real processes: this test program, started again as a small server.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use serde_json::{Map, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::LocalSet;

use super::*;
use crate::base::units::Text;
use crate::plan::{About, Connections, Endpoint, EndpointId, Limits, ProcessSource, Ready, Template, Watch, WatchKind};
use crate::wire::scripted;

const HOST: &str = "PLATFORM_TEST_LISTENS_ON";

/// Not a test of anything: the server that the others start, in a process of its own.
#[test]
fn serve() {
    let Ok(address) = std::env::var(HOST) else { return };
    let listener = TcpListener::bind(address).unwrap();
    for stream in listener.incoming() {
        // One that may open nothing more goes on trying.
        let Ok(mut stream) = stream else {
            std::thread::yield_now();
            continue;
        };
        let mut request = [0; 1024];
        let read = stream.read(&mut request).unwrap_or(0);
        if request.get(..read).is_some_and(|head| head.starts_with(b"GET /die")) {
            std::process::exit(3);
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    }
}

pub(crate) fn server(name: &str) -> crate::plan::Process {
    let program = std::env::current_exe().unwrap();
    let argv = [program.to_str().unwrap(), "platform::tests::serve", "--exact", "--nocapture"];
    crate::plan::Process {
        name: name.to_owned(),
        title: Text::default(),
        group: Some("node".to_owned()),
        source: ProcessSource::Run {
            argv: argv.into_iter().map(|word| Template(word.to_owned())).collect(),
            env: vec![(HOST.to_owned(), Template("{{ address }}".to_owned()))],
            dir: None,
        },
        ready: Some(Ready { get: "/".to_owned(), within: Span::seconds(20) }),
        network: None,
        names: Vec::new(),
        grace: Span::seconds(5),
        skewable: false,
    }
}

pub(crate) fn shell(name: &str, script: &str) -> crate::plan::Process {
    let argv = ["sh", "-c", script].into_iter().map(|word| Template(word.to_owned())).collect();
    let within = Span::millis(300);
    crate::plan::Process {
        source: ProcessSource::Run { argv, env: Vec::new(), dir: None },
        ready: Some(Ready { get: "/".to_owned(), within }),
        ..server(name)
    }
}

pub(crate) struct Scene {
    pub(crate) platform: Platform,
    pub(crate) happenings: UnboundedReceiver<Happening>,
    pub(crate) journal: Journal,
    pub(crate) clock: Clock,
    pub(crate) _folder: Yard,
}

/// A scene's folder, that does at its end what a guardian would: nothing of the scene is left on the machine.
pub(crate) struct Yard {
    journal: Journal,
    _folder: tempfile::TempDir,
}

impl Drop for Yard {
    fn drop(&mut self) {
        let left = self.journal.undo_all();
        assert!(left.is_empty() || std::thread::panicking(), "{left:?}");
    }
}

pub(crate) fn scene(processes: Vec<crate::plan::Process>) -> Scene {
    let probe = WatchKind::Probe { endpoint: EndpointId(0), get: "/healthz".to_owned(), every: Span::millis(100) };
    scene_watching(processes, Watch { name: "health".to_owned(), title: Text::default(), kind: probe })
}

/// Of processes that may live in networks.
pub(crate) fn scene_in(
    processes: Vec<crate::plan::Process>,
    networks: Vec<crate::plan::Network>,
    faults: Vec<crate::plan::Fault>,
) -> Scene {
    scene_of(processes, networks, faults, Vec::new())
}

fn scene_watching(processes: Vec<crate::plan::Process>, watch: Watch) -> Scene {
    scene_of(processes, Vec::new(), Vec::new(), vec![watch])
}

fn scene_of(
    processes: Vec<crate::plan::Process>,
    networks: Vec<crate::plan::Network>,
    faults: Vec<crate::plan::Fault>,
    watches: Vec<Watch>,
) -> Scene {
    let all = |address: &str, prefix| crate::plan::Allow::Network { address: address.parse().unwrap(), prefix };
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("output")).unwrap();
    let endpoint = Endpoint {
        name: "shop".to_owned(),
        title: Text::default(),
        url: Template("http://{{ process.node_1.address }}".to_owned()),
        headers: Vec::new(),
        tls: Default::default(),
        connections: Connections { max: 1, queue: 1, ..Connections::default() },
        decompress: false,
        traceparent: None,
    };
    let plan = Plan {
        version: 1,
        about: About::default(),
        seed: 1,
        profile: None,
        vars: Default::default(),
        platform: crate::plan::Platform {
            allow: vec![all("127.0.0.0", 8), all("198.18.0.0", 15)],
            mark: None,
            networks,
            processes,
            endpoints: vec![endpoint],
            containers: Vec::new(),
            hosts: Vec::new(),
            links: Vec::new(),
            toxiproxy: None,
            watches,
        },
        prepare: Vec::new(),
        cleanup: Vec::new(),
        feeds: Vec::new(),
        figures: Vec::new(),
        steps: Vec::new(),
        journeys: Vec::new(),
        loads: Vec::new(),
        series: Vec::new(),
        phases: Vec::new(),
        faults,
        actions: Vec::new(),
        steady_states: Vec::new(),
        aborts: Vec::new(),
        targets: Vec::new(),
        limits: Limits {
            patience: Span::seconds(5),
            shed: None,
            down_below: crate::base::units::Share(0.5),
            drain: Span::seconds(1),
            lag: Span::millis(10),
        },
        end: Span::seconds(1),
        rehearsal: None,
        unjudged: Vec::new(),
        production: None,
    };
    let clock = Clock::start();
    let run = format!("platform-{}", folder.path().file_name().unwrap().to_string_lossy().replace('.', ""));
    let journal = Journal::create(folder.path(), &run).unwrap();
    let (tell, happenings) = unbounded_channel();
    let door = Door::new(&clock, &plan.platform.allow, folder.path());
    let setting = Setting {
        plan: Arc::new(plan),
        folder: Folder::new(folder.path()),
        program: std::env::current_exe().unwrap(),
        here: folder.path().to_owned(),
        constants: Map::from_iter([("vars".to_owned(), json!({}))]),
        journal: journal.clone(),
        door,
        happenings: tell,
    };
    let _folder = Yard { journal: journal.clone(), _folder: folder };
    Scene { platform: Platform::new(setting).unwrap(), happenings, journal, clock, _folder }
}

pub(crate) fn in_runtime<F: Future<Output = ()>>(test: F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

async fn until(happenings: &mut UnboundedReceiver<Happening>, wanted: impl Fn(&Happening) -> bool) -> Happening {
    loop {
        let next = happenings.recv().await.expect("the platform lives");
        if wanted(&next) {
            return next;
        }
    }
}

#[test]
fn killed_and_started_again_it_is_at_the_same_address_and_nothing_is_left_at_the_end() {
    in_runtime(async {
        let Scene { platform, mut happenings, journal, clock, _folder } =
            scene(vec![server("node_1"), server("node_2")]);
        platform.start().await.unwrap();
        let _watching = platform.watch(&clock).unwrap();
        let process = platform.process(ProcessId(0)).unwrap().clone();
        let first = process.tree().unwrap().root.unwrap();
        assert!(first.is_alive() && !process.is_gone());
        process.kill().await.unwrap();
        assert!(process.is_gone() && !first.is_alive());
        until(&mut happenings, |h| matches!(h, Happening::Turned { good: false, .. })).await;
        assert!(matches!(process.kill().await, Err(PlatformError::NotRunning { .. })));
        process.start_again().await.unwrap();
        assert_ne!(process.tree().unwrap().root.unwrap(), first);
        until(&mut happenings, |h| matches!(h, Happening::Turned { good: true, .. })).await;
        let pending = journal.pending().len();
        assert_eq!(pending, 3, "one undo a process, however often it was started, and one for their folder");
        assert!(platform.stop().await.is_empty());
        assert!(process.is_gone() && journal.pending().is_empty());
        happenings.close();
        while let Some(happening) = happenings.recv().await {
            assert!(!matches!(happening, Happening::Died { .. }), "an ordered end is no death: {happening:?}");
        }
    });
}

#[test]
fn one_that_ends_by_itself_is_noticed() {
    in_runtime(async {
        let Scene { platform, mut happenings, clock, _folder, .. } = scene(vec![server("node_1")]);
        platform.start().await.unwrap();
        let (host, port) = platform.bindings().address(ProcessId(0)).unwrap().clone();
        let door = Door::new(&clock, &[crate::plan::Allow::Name { host: host.clone(), port: None }], "/".as_ref());
        let origin = door.origin(&format!("http://{host}:{port}"), &Default::default()).unwrap();
        assert!(door.probe(&origin, "/die", &[], Span::seconds(5)).await.is_err());
        let died = until(&mut happenings, |h| matches!(h, Happening::Died { .. })).await;
        assert_eq!(died, Happening::Died { process: ProcessId(0), status: "exit 3".to_owned() });
        assert!(platform.stop().await.is_empty());
    });
}

#[test]
fn a_paused_one_answers_no_probe_until_it_goes_on_and_is_stopped_even_when_paused() {
    in_runtime(async {
        let Scene { platform, mut happenings, journal, clock, _folder } = scene(vec![server("node_1")]);
        platform.start().await.unwrap();
        let _watching = platform.watch(&clock).unwrap();
        until(&mut happenings, |h| matches!(h, Happening::Turned { good: true, .. })).await;
        let process = platform.process(ProcessId(0)).unwrap().clone();
        assert!(process.freeze().await.unwrap());
        until(&mut happenings, |h| matches!(h, Happening::Turned { good: false, .. })).await;
        assert!(process.thaw().await.unwrap());
        until(&mut happenings, |h| matches!(h, Happening::Turned { good: true, .. })).await;
        assert!(process.freeze().await.unwrap());
        assert!(platform.stop().await.is_empty());
        assert!(process.is_gone() && journal.pending().is_empty());
    });
}

#[test]
fn one_that_does_not_come_up_is_told_with_its_output() {
    in_runtime(async {
        let ended = scene(vec![shell("node_1", "echo out of paper; exit 7")]);
        let error = ended.platform.start().await.unwrap_err();
        let PlatformError::EndedEarly { status, output, .. } = error else { panic!("{error}") };
        assert_eq!((status.as_str(), output.as_str()), ("exit 7", "out of paper"));
        assert!(ended.platform.stop().await.is_empty());
        let late = scene(vec![shell("node_1", "sleep 600")]);
        assert!(matches!(late.platform.start().await.unwrap_err(), PlatformError::NotReady { .. }));
        assert!(late.platform.stop().await.is_empty());
        assert!(late.journal.pending().is_empty());
    });
}

#[test]
fn one_that_forks_away_lives_as_long_as_what_it_left_behind() {
    in_runtime(async {
        let program = std::env::current_exe().unwrap();
        let script = format!("setsid {} platform::tests::serve --exact & exit 0", program.display());
        let mut daemon = shell("node_1", &script);
        let ProcessSource::Run { env, .. } = &mut daemon.source else { unreachable!() };
        env.push((HOST.to_owned(), Template("{{ address }}".to_owned())));
        daemon.ready = server("node_1").ready;
        let Scene { platform, mut happenings, journal, clock: _, _folder } = scene(vec![daemon]);
        platform.start().await.unwrap();
        let process = platform.process(ProcessId(0)).unwrap().clone();
        let tree = process.tree().unwrap();
        assert!(!tree.root.unwrap().is_alive() && !process.is_gone());
        for member in tree.members() {
            member.signal(crate::base::host::Signal::Kill).unwrap();
        }
        let died = until(&mut happenings, |h| matches!(h, Happening::Died { .. })).await;
        assert_eq!(died, Happening::Died { process: ProcessId(0), status: "exit 0".to_owned() });
        assert!(platform.stop().await.is_empty());
        assert!(journal.pending().is_empty());
    });
}

#[test]
fn a_chore_must_exit_0_in_its_time() {
    in_runtime(async {
        let scene = scene(Vec::new());
        let chore = |script: &str| ChoreWork::Run {
            argv: ["sh", "-c", script].into_iter().map(|word| Template(word.to_owned())).collect(),
            env: Vec::new(),
            dir: None,
        };
        let run = async |script: &str| scene.platform.run_program(0, false, &chore(script), Span::seconds(2)).await;
        run("exit 0").await.unwrap();
        let error = run("echo broken; exit 4").await.unwrap_err();
        assert!(
            matches!(&error, PlatformError::Chore { status, output, .. } if status == "exit 4" && output == "broken")
        );
        assert!(matches!(run("sleep 600").await, Err(PlatformError::ChoreLate { .. })));
        run("setsid sleep 600 & exit 0").await.unwrap();
        assert!(scene.journal.pending().is_empty());
    });
}

#[test]
fn what_was_given_up_half_way_is_waited_for() {
    in_runtime(async {
        let Scene { platform, clock, _folder, .. } = scene(vec![server("node_1")]);
        let process = platform.process(ProcessId(0)).unwrap();
        platform.at_rest().await;
        let (go_on, held) = std::sync::mpsc::channel::<()>();
        let work = process.blocking(move || held.recv().map_err(std::io::Error::other));
        assert!(clock.timeout(Span::millis(5), work).await.is_err(), "given up");
        assert!(clock.timeout(Span::millis(20), platform.at_rest()).await.is_err(), "it is still being done");
        go_on.send(()).unwrap();
        assert!(clock.timeout(Span::seconds(30), platform.at_rest()).await.is_ok());
    });
}

/// What came of reading the page that `script` serves, once for each answer that is asked for.
fn scraped(
    url: &str,
    answers: usize,
    script: impl Fn(&scripted::Seen) -> Vec<scripted::Do> + Send + Sync + 'static,
) -> Vec<Result<Vec<Option<Reading>>, String>> {
    let shop = scripted::Scripted::start(script);
    let url = Template(url.replace("PORT", &shop.address.port().to_string()));
    let keep = ["placed_total", "open", "gone"].map(str::to_owned).to_vec();
    let kind = WatchKind::Page { url, path: "/metrics?all=1".to_owned(), keep };
    let mut all = Vec::new();
    in_runtime(async {
        let watch = Watch { name: "shop".to_owned(), title: Text::default(), kind };
        let Scene { platform, mut happenings, clock, _folder, .. } = scene_watching(vec![server("node_1")], watch);
        let watching = platform.watch(&clock).unwrap();
        for _ in 0..answers {
            watching.read_pages().await;
        }
        drop(watching);
        happenings.close();
        while let Some(happening) = happenings.recv().await {
            if let Happening::Scraped { read, .. } = happening {
                all.push(read);
            }
        }
    });
    assert!(shop.log().iter().all(|seen| seen.method == "GET" && seen.path == "/metrics?all=1"));
    all
}

#[test]
fn a_watched_page_is_read_as_it_stands_then() {
    let page = |seen: &scripted::Seen| {
        let text = "# TYPE placed_total counter\nplaced_total{by=\"a\"} 3\nplaced_total{by=\"b\"} 4\nopen 5\n";
        scripted::ok(&text.replace('5', &(seen.connection * 100).to_string()))
    };
    let all = scraped("http://127.0.0.1:PORT", 3, page);
    let mut open = std::collections::BTreeSet::new();
    for read in all {
        let values = read.unwrap();
        assert_eq!((values[0], values[2]), (Some(Reading { value: 7.0, counter: true }), None));
        open.insert(values[1].map(|reading| reading.value as u64));
    }
    assert!(open.len() >= 3 && !open.contains(&None), "{open:?}");
}

#[test]
fn a_page_that_is_not_served_in_time_or_size_is_not_read() {
    let why = |url: &str, script: fn(&scripted::Seen) -> Vec<scripted::Do>| -> String {
        scraped(url, 1, script).into_iter().next().expect("an answer").expect_err("it is not read")
    };
    let here = "http://127.0.0.1:PORT";
    assert_eq!(why(here, |_| vec![scripted::answer(503, &[], "open 5\n")]), "status 503");
    assert!(why(here, |_| vec![scripted::Do::Hang]).contains("1s"));
    assert!(why(here, |_| vec![scripted::Do::Close]).contains("closed"));
    assert!(why(here, |_| scripted::ok(&"# long\n".repeat(700_000))).contains("longer than 4 MiB"));
    // Through the door: what is outside the allow-list is not asked.
    assert!(why("http://[::1]:PORT", |_| scripted::ok("open 5\n")).contains("allow"));
}
