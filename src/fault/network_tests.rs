//! Faults in networks of real namespaces: what passes is what sockets in them send and get.

use std::cell::Cell;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::tests::planned;
use super::*;
use crate::base::host;
use crate::base::units::{Flow, Share, Span, Text};
use crate::plan::{Answer, Direction, Harm, Network, NetworkId, Shape, Spread, Subnet};
use crate::platform::tests::{Scene, in_runtime, scene_in, server};
use crate::platform::{PlatformError, Residence};

const ONE: ProcessId = ProcessId(0);
const TWO: ProcessId = ProcessId(1);

struct Ward {
    faults: Faults,
    _rest: Box<dyn std::any::Any>,
}

/// Two servers, each in a namespace of its own in `subnet`; none, and said, where there are no rights.
async fn ward(subnet: &str) -> Option<Ward> {
    let Scene { platform, happenings, journal, clock, _folder } = networked(subnet, Vec::new())?;
    platform.start().await.unwrap();
    Some(Ward { faults: Faults::new(Arc::new(platform), journal, clock), _rest: Box::new((happenings, _folder)) })
}

fn networked(subnet: &str, faults: Vec<Fault>) -> Option<Scene> {
    if !host::may_make_networks() || ["ip", "nft", "tc"].iter().any(|tool| host::find_tool(tool).is_err()) {
        assert!(std::env::var_os("CI").is_none(), "networks need root, iproute2 and nftables");
        #[allow(clippy::print_stderr)]
        {
            eprintln!("SKIPPED: networks need root, iproute2 and nftables");
        }
        return None;
    }
    let (address, prefix) = subnet.split_once('/').unwrap();
    let subnet = Subnet::new(address.parse().unwrap(), prefix.parse().unwrap()).unwrap();
    let network = Network { name: "inner".into(), title: Text::default(), subnet };
    let lives = |name| crate::plan::Process { network: Some(NetworkId(0)), ..server(name) };
    Some(scene_in(vec![lives("node_1"), lives("node_2")], vec![network], faults))
}

fn between(direction: Direction, harm: Harm) -> FaultKind {
    FaultKind::Between { first: vec![ONE], second: vec![TWO], direction, harm }
}

impl Ward {
    fn residence(&self, id: ProcessId) -> Residence {
        self.faults.platform.residence(id).unwrap()
    }

    async fn inject(&self, kind: FaultKind) -> Result<(Wound, Seen), Vec<Sight>> {
        self.faults.inject(FaultId(3), &planned(kind), Span::seconds(20)).await
    }

    /// A connection from the one to a port of the other.
    fn connect(&self, from: ProcessId, to: ProcessId, port: u16) -> io::Result<TcpStream> {
        let at = SocketAddr::from((self.residence(to).address, port));
        self.residence(from).namespace.enter(|| TcpStream::connect_timeout(&at, Duration::from_millis(400)))?
    }

    /// Nothing is left of it.
    async fn end(self) {
        let namespaces = [ONE, TWO].map(|id| self.residence(id).namespace);
        let router = self.residence(ONE).router;
        assert!(namespaces.iter().chain([&router]).all(|one| one.exists().unwrap()));
        assert!(self.faults.platform.stop().await.is_empty());
        assert!(self.faults.journal.pending().is_empty());
        assert!(!namespaces.iter().chain([&router]).any(|one| one.exists().unwrap()));
    }

    fn tables(&self) -> String {
        self.residence(ONE).router.tool("nft", &["list", "tables"], "").unwrap()
    }
}

/// Datagrams that go from one to the other all the time, and those that are counted.
struct Stream {
    stop: Arc<AtomicBool>,
    all_the_time: Option<JoinHandle<()>>,
    sender: UdpSocket,
    receiver: UdpSocket,
    bursts: Cell<u64>,
}

/// How many are sent at once, and how often it is asked whether they have come.
const BURST: u64 = 20;
const TRIES: usize = 20;

impl Stream {
    fn begin(ward: &Ward, from: ProcessId, to: ProcessId) -> Stream {
        let bind = |id| {
            let residence = ward.residence(id);
            residence.namespace.enter(|| UdpSocket::bind((residence.address, 0)).unwrap()).unwrap()
        };
        let (sender, receiver, nobody) = (bind(from), bind(to), bind(to));
        receiver.set_read_timeout(Some(Duration::from_millis(25))).unwrap();
        let (another, stop) = (sender.try_clone().unwrap(), Arc::new(AtomicBool::new(false)));
        let stopped = stop.clone();
        let all_the_time = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                // One that was refused is one that was lost.
                let _ = another.send_to(b"x", nobody.local_addr().unwrap());
                pause(Duration::from_micros(200));
            }
        });
        Stream { stop, all_the_time: Some(all_the_time), sender, receiver, bursts: Cell::default() }
    }

    /// How many of so many come, however slow the machine is.
    fn arrive(&self, many: u64) -> u64 {
        (0..many.div_ceil(BURST)).map(|_| self.burst()).sum()
    }

    /// What comes after them by the same way says that no more of them will.
    fn burst(&self) -> u64 {
        let number = 2 * self.bursts.get();
        self.bursts.set(self.bursts.get() + 1);
        let at = self.receiver.local_addr().unwrap();
        let send = |number: u64| drop(self.sender.send_to(&number.to_le_bytes(), at));
        (0..BURST).for_each(|_| send(number));
        let (mut come, mut bytes) = (0, [0; 8]);
        for _ in 0..TRIES {
            send(number + 1);
            while self.receiver.recv(&mut bytes).is_ok() {
                match u64::from_le_bytes(bytes) {
                    one if one == number => come += 1,
                    last if last == number + 1 => return come,
                    _of_an_earlier_burst => {}
                }
            }
        }
        come
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.all_the_time.take().map(JoinHandle::join);
    }
}

#[allow(clippy::disallowed_methods)] // The spacing of what a test sends; nothing is awaited by it.
fn pause(span: Duration) {
    std::thread::sleep(span);
}

#[test]
fn two_sides_that_are_cut_off_reach_everybody_but_each_other() {
    in_runtime(async {
        let Some(ward) = ward("198.19.240.0/28").await else { return };
        let there = Stream::begin(&ward, ONE, TWO);
        assert!(there.arrive(20) > 10);
        let (wound, seen) = ward.inject(between(Direction::Both, Harm::Partition)).await.unwrap();
        assert!(matches!(&seen.proof[0], Sight::Bit { verb, packets: 1.. } if verb == "partition"), "{:?}", seen.proof);
        assert_eq!(seen.proof[1..], [Sight::CutOff { from: ONE, to: TWO }, Sight::CutOff { from: TWO, to: ONE }]);
        for (from, to) in [(ONE, TWO), (TWO, ONE)] {
            assert_eq!(ward.connect(from, to, 8080).unwrap_err().kind(), ErrorKind::TimedOut);
        }
        assert_eq!(there.arrive(20), 0);
        // The machine reaches both.
        for id in [ONE, TWO] {
            let at = SocketAddr::from((ward.residence(id).address, 8080));
            TcpStream::connect_timeout(&at, Duration::from_secs(20)).unwrap();
        }
        let healed = ward.faults.heal(wound).await.unwrap();
        assert!(matches!(healed.proof[0], Sight::Lifted { packets: 1.. }), "{:?}", healed.proof);
        assert_eq!(healed.proof[1..], [Sight::Reaches { from: ONE, to: TWO }, Sight::Reaches { from: TWO, to: ONE }]);
        assert!(there.arrive(20) > 10 && ward.connect(TWO, ONE, 8080).is_ok());
        assert_eq!(ward.tables(), "");
        drop(there);
        ward.end().await;
    });
}

#[test]
fn one_way_is_lost_and_the_other_is_not() {
    in_runtime(async {
        let Some(ward) = ward("198.19.240.16/28").await else { return };
        let (there, back) = (Stream::begin(&ward, ONE, TWO), Stream::begin(&ward, TWO, ONE));
        for (direction, lost, kept, from, to) in
            [(Direction::Up, &there, &back, ONE, TWO), (Direction::Down, &back, &there, TWO, ONE)]
        {
            let (wound, seen) = ward.inject(between(direction, Harm::Partition)).await.unwrap();
            assert_eq!(seen.proof[1..], [Sight::CutOff { from, to }]);
            assert_eq!(lost.arrive(20), 0);
            assert!(kept.arrive(20) > 10);
            let _ = ward.faults.heal(wound).await.unwrap();
            assert!(lost.arrive(20) > 10);
        }
        drop((there, back));
        ward.end().await;
    });
}

#[test]
fn a_share_of_packets_is_lost() {
    in_runtime(async {
        let Some(ward) = ward("198.19.240.32/28").await else { return };
        let there = Stream::begin(&ward, ONE, TWO);
        let (wound, _) = ward.inject(between(Direction::Up, Harm::Drop { share: Share(0.3) })).await.unwrap();
        let come = there.arrive(2_000);
        // 600 are lost; nine standard deviations more or less would be 410 or 790.
        assert!((1_210..=1_590).contains(&come), "{come} of 2000");
        let _ = ward.faults.heal(wound).await.unwrap();
        assert!(there.arrive(200) > 190);
        drop(there);
        ward.end().await;
    });
}

/// Connections from the one to the other that carry something all the time, and what became of the last one.
fn talk(ward: &Ward) -> (TcpListener, TcpStream, TcpStream) {
    let residence = ward.residence(TWO);
    let listener = residence.namespace.enter(|| TcpListener::bind((residence.address, 7000)).unwrap()).unwrap();
    let stream = ward.connect(ONE, TWO, 7000).unwrap();
    let (other, _) = listener.accept().unwrap();
    (listener, stream, other)
}

/// Writes until that fails: why it did.
fn write_until_it_fails(mut stream: TcpStream, stop: Arc<AtomicBool>) -> JoinHandle<Option<ErrorKind>> {
    std::thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            if let Err(error) = stream.write_all(b"x") {
                return Some(error.kind());
            }
            pause(Duration::from_millis(5));
        }
        None
    })
}

#[test]
fn connections_are_refused_or_reset() {
    in_runtime(async {
        let Some(ward) = ward("198.19.240.48/28").await else { return };
        let (listener, stream, _other) = talk(&ward);
        let stop = Arc::new(AtomicBool::new(false));
        let writer = write_until_it_fails(stream, stop.clone());
        let (wound, seen) = ward.inject(between(Direction::Both, Harm::Refuse)).await.unwrap();
        assert_eq!(seen.proof[1..], [Sight::CutOff { from: ONE, to: TWO }, Sight::CutOff { from: TWO, to: ONE }]);
        assert_eq!(ward.connect(ONE, TWO, 7000).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        let broken = writer.join().unwrap();
        assert!(matches!(broken, Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)), "{broken:?}");
        let _ = ward.faults.heal(wound).await.unwrap();

        let stream = ward.connect(ONE, TWO, 7000).unwrap();
        let writer = write_until_it_fails(stream, stop.clone());
        let (wound, seen) = ward.inject(between(Direction::Both, Harm::Reset)).await.unwrap();
        assert!(matches!(&seen.proof[..], [Sight::Bit { verb, .. }] if verb == "reset"), "{:?}", seen.proof);
        let broken = writer.join().unwrap();
        assert!(matches!(broken, Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)), "{broken:?}");
        // It is taken, and ends with the first that it carries.
        let mut stream = ward.connect(ONE, TWO, 7000).unwrap();
        stream.write_all(b"x").unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
        let _ = ward.faults.heal(wound).await.unwrap();
        let mut stream = ward.connect(ONE, TWO, 7000).unwrap();
        stream.write_all(b"x").unwrap();
        drop((stream, listener));
        ward.end().await;
    });
}

#[test]
fn what_a_process_sends_or_gets_is_slowed() {
    in_runtime(async {
        let Some(ward) = ward("198.19.240.64/28").await else { return };
        let (listener, mut stream, mut other) = talk(&ward);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let sender = std::thread::spawn(move || {
            let block = [7; 16 << 10];
            while !stopped.load(Ordering::Relaxed) && stream.write_all(&block).is_ok() {}
        });
        // How long so much takes to come.
        let mut take = |ward: &Ward, bytes: usize| {
            let (clock, mut block, mut left) = (ward.faults.clock.clone(), vec![0; 64 << 10], bytes);
            let from = clock.now();
            while left > 0 {
                let read = other.read(&mut block).unwrap();
                assert!(read > 0, "the other end has closed");
                left = left.saturating_sub(read);
            }
            clock.now().since(from)
        };
        let free = take(&ward, 1 << 20);
        let fault = |direction| FaultKind::Shape {
            processes: vec![TWO],
            direction,
            shape: Shape::Throttle { rate: Flow(2 << 20) },
        };
        // Nothing to speak of goes the other way.
        let (wound, seen) = ward.inject(fault(Direction::Down)).await.unwrap();
        assert!(matches!(seen.proof[..], [Sight::Slowed { process: TWO, packets: 1.., .. }]), "{:?}", seen.proof);
        // What is on its way comes at once.
        take(&ward, 6 << 20);
        let slow = take(&ward, 2 << 20);
        assert!(slow > Span::millis(700) && slow < Span::seconds(20), "{slow} instead of {free}");
        let healed = ward.faults.heal(wound).await.unwrap();
        assert_eq!(healed.proof, [Sight::AtFullSpeed { process: TWO }]);
        take(&ward, 1 << 20);
        let again = take(&ward, 2 << 20);
        assert!(again < Span::millis(500), "{again}");
        stop.store(true, Ordering::Relaxed);
        // Whoever still writes fails now.
        drop((other, listener));
        let _ = sender.join();
        ward.end().await;
    });
}

#[test]
fn between_two_that_never_talk_nothing_bites_and_nothing_is_left() {
    in_runtime(async {
        let Some(ward) = ward("198.19.240.80/28").await else { return };
        let short = planned(between(Direction::Both, Harm::Partition));
        assert_eq!(
            ward.faults.inject(FaultId(3), &short, Span::millis(300)).await.unwrap_err(),
            [Sight::NothingBetween]
        );
        assert_eq!(ward.tables(), "");
        let shape = Shape::Throttle { rate: Flow(1 << 20) };
        let slow = FaultKind::Shape { processes: vec![ONE], direction: Direction::Both, shape };
        let short = planned(slow);
        assert_eq!(
            ward.faults.inject(FaultId(3), &short, Span::millis(300)).await.unwrap_err(),
            [Sight::NeverSlowed { process: ONE }]
        );
        let shown = ward.residence(ONE).namespace.tool("tc", &["qdisc", "show", "dev", "eth0"], "").unwrap();
        assert!(!shown.contains("tbf"), "{shown}");
        ward.end().await;
    });
}

#[test]
fn a_process_is_killed_and_started_again_where_it_lives() {
    in_runtime(async {
        let Some(ward) = ward("198.19.240.96/28").await else { return };
        let (wound, _) = ward.inject(FaultKind::Kill { processes: vec![ONE] }).await.unwrap();
        assert_eq!(ward.connect(TWO, ONE, 8080).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        let _ = ward.faults.heal(wound).await.unwrap();
        assert!(ward.connect(TWO, ONE, 8080).is_ok());
        let process = ward.faults.platform.process(ONE).unwrap();
        let root = process.tree().unwrap().root.unwrap();
        assert!(ward.residence(ONE).namespace.members().contains(&root));
        ward.end().await;
    });
}

#[test]
fn a_delay_works_or_is_refused_before_anything_is_started() {
    in_runtime(async {
        let shape = Shape::Delay { latency: Span::millis(60), jitter: Span::ZERO, spread: Spread::Uniform };
        let slow = FaultKind::Shape { processes: vec![ONE], direction: Direction::Both, shape };
        let Some(scene) = networked("198.19.240.112/28", vec![planned(slow.clone())]) else { return };
        let Scene { platform, happenings: _happenings, journal, clock, _folder } = scene;
        match platform.start().await {
            Err(error @ PlatformError::NoNetem { .. }) => {
                let said = error.to_string();
                assert!(said.contains("no netem") && said.contains("put a link before the process"), "{said}");
                assert!(platform.process(ONE).unwrap().tree().is_none(), "nothing was started");
                assert!(platform.stop().await.is_empty());
                assert!(journal.pending().is_empty());
            }
            Err(error) => panic!("{error}"),
            Ok(()) => {
                let ward = Ward { faults: Faults::new(Arc::new(platform), journal, clock), _rest: Box::new(()) };
                let there = Stream::begin(&ward, ONE, TWO);
                let (wound, _) = ward.inject(slow).await.unwrap();
                let from = ward.faults.clock.now();
                ward.connect(TWO, ONE, 8080).unwrap();
                assert!(ward.faults.clock.now().since(from) >= Span::millis(60));
                let _ = ward.faults.heal(wound).await.unwrap();
                drop(there);
                ward.end().await;
            }
        }
    });
}

#[test]
fn a_subnet_that_others_use_is_refused() {
    in_runtime(async {
        let Some(first) = ward("198.19.240.128/28").await else { return };
        let scene = networked("198.19.240.128/28", Vec::new()).unwrap();
        let error = scene.platform.start().await.unwrap_err();
        assert!(matches!(&error, PlatformError::SubnetTaken { .. }), "{error}");
        assert!(scene.platform.stop().await.is_empty() && scene.journal.pending().is_empty());
        let at: Ipv4Addr = first.residence(ONE).address;
        assert!(TcpStream::connect((at, 8080)).is_ok(), "the first one goes on");
        first.end().await;
    });
}

/// Asks for a name from where a process lives, all the time.
fn asking(ward: &Ward, id: ProcessId, name: &'static str) -> (Arc<AtomicBool>, JoinHandle<u64>) {
    let (server, namespace) = (ward.faults.platform.name_server().unwrap(), ward.residence(id).namespace);
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let ask = move || {
        let mut right = 0;
        while !stopped.load(Ordering::Relaxed) {
            right += u64::from(server.is_right_from(&namespace, name, Span::ZERO).unwrap());
            pause(Duration::from_millis(5));
        }
        right
    };
    (stop, std::thread::spawn(ask))
}

#[test]
fn whoever_asks_for_a_name_is_misled_until_it_is_mended() {
    in_runtime(async {
        let Some(ward) = ward("198.19.240.144/28").await else { return };
        let server = ward.faults.platform.name_server().unwrap();
        let right = |id, name| server.is_right_from(&ward.residence(id).namespace, name, Span::ZERO).unwrap();
        assert!(right(ONE, "node_1") && right(ONE, "node") && right(TWO, "node_1") && !right(ONE, "elsewhere"));
        let fault = |answer| FaultKind::BreakDns { processes: vec![ONE], names: vec!["node_2".to_owned()], answer };
        let late = Answer::Late(Span::seconds(20));
        for answer in [Answer::Nothing, Answer::Missing, Answer::Failed, Answer::Wrong, late] {
            let (stop, asking) = asking(&ward, ONE, "node_2");
            let (wound, seen) = ward.inject(fault(answer)).await.unwrap();
            assert!(
                matches!(seen.proof[..], [Sight::Misled { process: ONE, times: 1.., answer: seen }] if seen == answer),
                "{:?}",
                seen.proof
            );
            assert!(!right(ONE, "node_2") && right(ONE, "node_1") && right(TWO, "node_2"), "{answer:?}");
            // Those who wait for a late answer have it at once.
            let healed = ward.faults.heal(wound).await.unwrap();
            assert!(matches!(healed.proof[..], [Sight::LedRight { process: ONE, times: 2.. }]), "{:?}", healed.proof);
            assert!(right(ONE, "node_2"));
            stop.store(true, Ordering::Relaxed);
            asking.join().unwrap();
        }
        // Nobody asks, or for another name only: nothing bites, and nothing stays.
        let (stop, asking) = asking(&ward, ONE, "node_1");
        let short = planned(fault(Answer::Nothing));
        let unseen = ward.faults.inject(FaultId(3), &short, Span::millis(300)).await.unwrap_err();
        assert_eq!(unseen, [Sight::NeverAsked { process: ONE }]);
        assert!(right(ONE, "node_2"));
        stop.store(true, Ordering::Relaxed);
        assert!(asking.join().unwrap() > 0);
        drop(server);
        ward.end().await;
    });
}
