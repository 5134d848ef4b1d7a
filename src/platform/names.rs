//! The name server of those who live in networks: by it they find each other, and links, and by it a fault misleads them.
//!
//! It is a thread of the harness that listens in the drill's router, and ends with it: a fault of names needs no undo in the journal.
//! What those in networks see in place of files of the machine leads them to it.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use hickory_resolver::proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::A;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::sync::watch;

use super::{Bindings, PlatformError, Residence, Setting, covers};
use crate::base::clock::Clock;
use crate::base::host::{Namespace, monotonic_nanos};
use crate::base::units::{At, Span};
use crate::plan::{self, Answer, Named};

/// Where it listens, and how large a question may be.
const PORT: u16 = 53;
const LARGEST: usize = 4_096;
/// For how long an answer may be kept, in seconds.
const LIVES: u32 = 1;
/// As many addresses as fit into an answer that everybody takes.
const MOST: usize = 24;
/// Nobody has it (RFC 5737).
const NOBODYS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// After how long a question of ours is asked again.
const ASK: Duration = Duration::from_millis(250);

/// The server, while it runs.
#[derive(Debug, Default)]
pub(super) struct Names {
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    server: Arc<NameServer>,
    thread: JoinHandle<()>,
    /// It ends when this is dropped.
    stop: watch::Sender<()>,
}

impl Names {
    /// Starts it where somebody lives in a network: after the networks were made, and before anybody lives there.
    pub(super) async fn start(
        &self,
        setting: &Arc<Setting>,
        bindings: &Bindings,
        private: Option<&Path>,
    ) -> Result<(), PlatformError> {
        let platform = &setting.plan.platform;
        let lives = (0..platform.processes.len()).map(plan::ProcessId::at);
        let Some(residence) = lives.filter_map(|id| Residence::of(platform, &setting.journal, id)).next() else {
            return Ok(());
        };
        let Some(address) = platform.networks.first().map(|network| network.subnet.router()) else { return Ok(()) };
        let failed = |why| PlatformError::Network { of: "the drill's name server".to_owned(), why };
        let table = table(platform, bindings);
        let server = NameServer {
            at: SocketAddr::from((address, PORT)),
            table,
            turn: AtomicUsize::new(0),
            broken: Mutex::default(),
        };
        let server = Arc::new(server);
        let (stop, stopped) = watch::channel(());
        let (shared, clock) = (server.clone(), setting.door.clock().clone());
        let private = private.map(Path::to_owned);
        let begin = move || -> io::Result<JoinHandle<()>> {
            if let Some(private) = private {
                covers::write(&private, address)?;
            }
            let socket = residence.router.enter(|| UdpSocket::bind(shared.at))??;
            socket.set_nonblocking(true)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let serve = move || {
                let local = tokio::task::LocalSet::new();
                local.block_on(&runtime, serve(&shared, socket, clock, stopped));
            };
            std::thread::Builder::new().name("names".to_owned()).spawn(serve)
        };
        let thread = tokio::task::spawn_blocking(begin).await.map_err(|error| failed(io::Error::other(error)))?;
        *self.lock() = Some(Running { server, thread: thread.map_err(failed)?, stop });
        Ok(())
    }

    pub(super) fn server(&self) -> Option<Arc<NameServer>> {
        self.lock().as_ref().map(|running| running.server.clone())
    }

    /// Ends it: nobody asks any more.
    pub(super) async fn stop(&self) {
        let Some(Running { thread, stop, .. }) = self.lock().take() else { return };
        drop(stop);
        // What it panicked of has been said where panics are.
        let _ = tokio::task::spawn_blocking(move || drop(thread.join())).await;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().expect("nothing panics while it holds this lock")
    }
}

/// Every name, and where it leads.
fn table(platform: &plan::Platform, bindings: &Bindings) -> HashMap<String, Vec<Ipv4Addr>> {
    let mut table: HashMap<String, Vec<Ipv4Addr>> = HashMap::new();
    for (name, named) in platform.dns_names() {
        let address = match named {
            Named::Process(id) => platform.address(id),
            Named::Link(id) => bindings.links().get(id.index()).and_then(|at| match at.ip() {
                IpAddr::V4(address) => Some(address),
                IpAddr::V6(_) => None,
            }),
        };
        let addresses = table.entry(name).or_default();
        addresses.extend(address.filter(|address| !addresses.contains(address)));
    }
    table
}

/// Knows who is called what, and what is wrong with that.
#[derive(Debug)]
pub struct NameServer {
    at: SocketAddr,
    table: HashMap<String, Vec<Ipv4Addr>>,
    turn: AtomicUsize,
    broken: Mutex<Vec<Arc<Broken>>>,
}

/// Something that is wrong with what some who ask are answered.
#[derive(Debug)]
pub struct Broken {
    /// Empty: any.
    names: Vec<String>,
    answer: Answer,
    askers: Vec<(Ipv4Addr, Mutex<Asked>)>,
    /// Those who wait for a late answer have it when this is told.
    mended: watch::Sender<bool>,
}

/// How often one of them was misled, and when first, by the machine's monotonic clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    pub times: u64,
    pub first: u64,
}

impl Broken {
    /// How often this one was misled until now.
    pub fn asked(&self, asker: Ipv4Addr) -> Asked {
        let asked = self.askers.iter().find(|(address, _)| *address == asker);
        asked.map(|(_, asked)| *lock(asked)).unwrap_or_default()
    }

    /// Whether a question is answered otherwise than it should be, which is then counted. `known`: such a name leads somewhere.
    fn meets(&self, asker: Ipv4Addr, name: &str, kind: RecordType, known: bool) -> bool {
        let differs = match self.answer {
            Answer::Nothing | Answer::Failed | Answer::Late(_) => true,
            Answer::Missing => known,
            Answer::Wrong => known && kind == RecordType::A,
        };
        if !differs || !(self.names.is_empty() || self.names.iter().any(|one| one == name)) {
            return false;
        }
        let Some((_, asked)) = self.askers.iter().find(|(address, _)| *address == asker) else { return false };
        let mut asked = lock(asked);
        if asked.times == 0 {
            asked.first = monotonic_nanos();
        }
        asked.times += 1;
        true
    }
}

impl NameServer {
    /// From now on those at these addresses are answered so, when they ask for one of the names (none: for any).
    pub fn mislead(&self, askers: &[Ipv4Addr], names: &[String], answer: Answer) -> Arc<Broken> {
        let askers = askers.iter().map(|address| (*address, Mutex::default())).collect();
        let broken = Arc::new(Broken { names: names.to_vec(), answer, askers, mended: watch::Sender::new(false) });
        lock(&self.broken).push(broken.clone());
        broken
    }

    /// They are answered rightly again, those who wait for an answer at once.
    pub fn mend(&self, broken: &Arc<Broken>) {
        lock(&self.broken).retain(|other| !Arc::ptr_eq(other, broken));
        broken.mended.send_replace(true);
    }

    /// Asks as one who lives there would, again and again until there is an answer: whether a name leads where it should. Blocks, as long as
    /// `within` at the most.
    pub fn is_right_from(&self, namespace: &Namespace, name: &str, within: Span) -> io::Result<bool> {
        let expected = self.addresses(name);
        let asked = question(name)?;
        let bytes = asked.to_vec().map_err(io::Error::other)?;
        let answered = namespace.enter(|| -> io::Result<Vec<u8>> {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            socket.set_read_timeout(Some(ASK))?;
            socket.connect(self.at)?;
            let mut buffer = vec![0; LARGEST];
            let clock = Clock::start();
            loop {
                socket.send(&bytes)?;
                // What is on its way for longer than this may still come.
                match socket.recv(&mut buffer) {
                    Ok(length) => {
                        buffer.truncate(length);
                        return Ok(buffer);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock && clock.now() < At::START + within => {}
                    Err(error) => return Err(error),
                }
            }
        })?;
        let Ok(answered) = answered else { return Ok(false) };
        let Ok(answered) = Message::from_vec(&answered) else { return Ok(false) };
        let mut found: Vec<Ipv4Addr> = answered.answers.iter().filter_map(address).collect();
        let mut expected = expected.unwrap_or_default().to_vec();
        // Of more than there is room for, some.
        if expected.len() > MOST {
            expected.retain(|address| found.contains(address));
        }
        found.sort();
        expected.sort();
        Ok(answered.metadata.id == asked.metadata.id && !found.is_empty() && found == expected)
    }

    fn addresses(&self, name: &str) -> Option<&[Ipv4Addr]> {
        self.table.get(name).map(Vec::as_slice)
    }

    /// What a question is answered, and after what it is to wait; none: nothing.
    fn answer(&self, from: Ipv4Addr, bytes: &[u8]) -> Option<(Vec<u8>, Option<Arc<Broken>>)> {
        let asked = Message::from_vec(bytes).ok().filter(|asked| asked.metadata.message_type == MessageType::Query)?;
        let query = asked.queries.first()?;
        let name = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
        let known = self.addresses(&name);
        let mut said = response(&asked, query);
        if asked.metadata.op_code != OpCode::Query {
            said.metadata.response_code = ResponseCode::NotImp;
            return Some((said.to_vec().ok()?, None));
        }
        let meets = |one: &&Arc<Broken>| one.meets(from, &name, query.query_type(), known.is_some());
        let broken = lock(&self.broken).iter().find(meets).cloned();
        let is_address = query.query_type() == RecordType::A;
        let right = |said: &mut Message| match known {
            Some(addresses) if is_address => {
                let turn = self.turn.fetch_add(1, Ordering::Relaxed) % addresses.len().max(1);
                let turned = addresses.iter().cycle().skip(turn).take(addresses.len().min(MOST));
                said.add_answers(turned.map(|address| record(query.name(), *address)));
            }
            Some(_) => {}
            None => said.metadata.response_code = ResponseCode::NXDomain,
        };
        match broken.as_ref().map(|broken| broken.answer) {
            None => right(&mut said),
            Some(Answer::Late(_)) => {
                right(&mut said);
                return Some((said.to_vec().ok()?, broken));
            }
            Some(Answer::Nothing) => return None,
            Some(Answer::Missing) => said.metadata.response_code = ResponseCode::NXDomain,
            Some(Answer::Failed) => said.metadata.response_code = ResponseCode::ServFail,
            Some(Answer::Wrong) => drop(said.add_answer(record(query.name(), NOBODYS))),
        }
        Some((said.to_vec().ok()?, None))
    }
}

fn question(name: &str) -> io::Result<Message> {
    let name = Name::from_str_relaxed(format!("{name}.")).map_err(io::Error::other)?;
    let mut asked = Message::query();
    asked.add_query(Query::query(name, RecordType::A));
    Ok(asked)
}

/// To be filled in.
fn response(asked: &Message, query: &Query) -> Message {
    let mut said = Message::response(asked.metadata.id, asked.metadata.op_code);
    said.metadata.authoritative = true;
    said.metadata.recursion_desired = asked.metadata.recursion_desired;
    // Programs that want everything from their name server take no answer without it.
    said.metadata.recursion_available = true;
    said.add_query(query.clone());
    if asked.edns.is_some() {
        said.set_edns(Edns::new());
    }
    said
}

fn record(name: &Name, address: Ipv4Addr) -> Record {
    Record::from_rdata(name.clone(), LIVES, RData::A(A(address)))
}

fn address(record: &Record) -> Option<Ipv4Addr> {
    match record.data.ip_addr()? {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

/// Answers until it is stopped.
async fn serve(server: &Arc<NameServer>, socket: UdpSocket, clock: Clock, mut stopped: watch::Receiver<()>) {
    let Ok(socket) = tokio::net::UdpSocket::from_std(socket) else { return };
    let socket = Arc::new(socket);
    let mut buffer = vec![0; LARGEST];
    loop {
        let received = tokio::select! {
            // Nothing is ever told; it ends.
            _ = stopped.changed() => return,
            received = socket.recv_from(&mut buffer) => received,
        };
        // One whom an answer did not reach is told of at the next question, which is none of ours.
        let Ok((length, from)) = received else { continue };
        let IpAddr::V4(asker) = from.ip() else { continue };
        let Some((said, late)) = server.answer(asker, &buffer[..length]) else { continue };
        match late {
            None => drop(socket.send_to(&said, from).await),
            Some(broken) => {
                let (socket, clock) = (socket.clone(), clock.clone());
                tokio::task::spawn_local(async move {
                    wait(&broken, &clock).await;
                    drop(socket.send_to(&said, from).await);
                });
            }
        }
    }
}

/// As long as an answer is held back, or until there is nothing wrong any more.
async fn wait(broken: &Broken, clock: &Clock) {
    let latency = if let Answer::Late(latency) = broken.answer { latency } else { Span::ZERO };
    let mut mended = broken.mended.subscribe();
    tokio::select! {
        () = clock.sleep(latency) => {}
        _ = mended.wait_for(|mended| *mended) => {}
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().expect("nothing panics while it holds this lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Ipv4Addr = Ipv4Addr::new(198, 18, 7, 3);
    const TWO: Ipv4Addr = Ipv4Addr::new(198, 18, 7, 4);

    fn server() -> NameServer {
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
        let names = [("node", vec![ONE, TWO]), ("store", vec![TWO]), ("xn--bcher-kva.shop", vec![ONE])];
        let table = names.into_iter().map(|(name, addresses)| (name.to_owned(), addresses)).collect();
        NameServer { at, table, turn: AtomicUsize::new(0), broken: Mutex::default() }
    }

    /// What the one is answered who asks; none: nothing.
    fn ask(server: &NameServer, from: Ipv4Addr, name: &str, kind: RecordType) -> Option<(ResponseCode, Vec<Ipv4Addr>)> {
        let mut asked = Message::query();
        asked.add_query(Query::query(Name::from_str_relaxed(name).unwrap(), kind));
        asked.set_edns(Edns::new());
        let (said, _) = server.answer(from, &asked.to_vec().unwrap())?;
        let said = Message::from_vec(&said).unwrap();
        assert_eq!((said.metadata.id, said.queries.len(), said.edns.is_some()), (asked.metadata.id, 1, true));
        assert!(said.answers.iter().all(|record| record.ttl == LIVES));
        Some((said.metadata.response_code, said.answers.iter().filter_map(address).collect()))
    }

    #[test]
    fn a_name_leads_to_all_of_it_in_turns() {
        let server = server();
        let node = |name: &str| ask(&server, ONE, name, RecordType::A).unwrap();
        assert_eq!(node("node."), (ResponseCode::NoError, vec![ONE, TWO]));
        assert_eq!(node("NODE."), (ResponseCode::NoError, vec![TWO, ONE]));
        assert_eq!(node("node.shop."), (ResponseCode::NXDomain, vec![]));
        assert_eq!(node("xn--bcher-kva.shop."), (ResponseCode::NoError, vec![ONE]));
        // There is such a name, and no address of version 6.
        assert_eq!(ask(&server, ONE, "node.", RecordType::AAAA), Some((ResponseCode::NoError, vec![])));
        // Whatever comes, nothing breaks.
        for bytes in [&b""[..], b"x", &[0; 12], &[0xff; 40]] {
            assert!(server.answer(ONE, bytes).is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn whoever_is_misled_is_counted_and_the_others_are_not() {
        let server = server();
        let cases = [
            (Answer::Nothing, RecordType::A, None),
            (Answer::Missing, RecordType::AAAA, Some((ResponseCode::NXDomain, vec![]))),
            (Answer::Failed, RecordType::A, Some((ResponseCode::ServFail, vec![]))),
            (Answer::Wrong, RecordType::A, Some((ResponseCode::NoError, vec![NOBODYS]))),
            (Answer::Late(Span::seconds(1)), RecordType::A, Some((ResponseCode::NoError, vec![TWO]))),
        ];
        for (answer, kind, expected) in cases {
            let broken = server.mislead(&[ONE], &["store".to_owned()], answer);
            assert_eq!(broken.asked(ONE), Asked::default());
            assert_eq!(ask(&server, ONE, "Store.", kind), expected, "{answer:?}");
            let once = broken.asked(ONE);
            assert!(once.times == 1 && once.first > 0, "{once:?}");
            // Another name, and another who asks.
            assert_eq!(ask(&server, ONE, "node.", RecordType::AAAA), Some((ResponseCode::NoError, vec![])));
            assert_eq!(ask(&server, TWO, "store.", RecordType::A), Some((ResponseCode::NoError, vec![TWO])));
            assert_eq!((broken.asked(ONE), broken.asked(TWO)), (once, Asked::default()));
            ask(&server, ONE, "store.", kind);
            assert_eq!(broken.asked(ONE), Asked { times: 2, first: once.first });
            server.mend(&broken);
            assert_eq!(ask(&server, ONE, "store.", RecordType::A), Some((ResponseCode::NoError, vec![TWO])));
            assert_eq!(broken.asked(ONE).times, 2);
        }
    }

    #[test]
    fn what_is_no_question_is_not_misled() {
        let server = server();
        let broken = server.mislead(&[ONE], &[], Answer::Nothing);
        let mut told = Message::new(7, MessageType::Query, OpCode::Notify);
        told.add_query(Query::query(Name::from_str_relaxed("store.").unwrap(), RecordType::A));
        let (said, _) = server.answer(ONE, &told.to_vec().unwrap()).unwrap();
        assert_eq!(Message::from_vec(&said).unwrap().metadata.response_code, ResponseCode::NotImp);
        assert_eq!(broken.asked(ONE).times, 0);
    }

    #[test]
    fn what_would_be_answered_so_anyway_is_no_harm() {
        let server = server();
        let missing = server.mislead(&[ONE], &[], Answer::Missing);
        assert_eq!(ask(&server, ONE, "nowhere.", RecordType::A), Some((ResponseCode::NXDomain, vec![])));
        assert_eq!(missing.asked(ONE).times, 0);
        assert_eq!(ask(&server, ONE, "node.", RecordType::A), Some((ResponseCode::NXDomain, vec![])));
        assert_eq!(missing.asked(ONE).times, 1);
        server.mend(&missing);
        let wrong = server.mislead(&[ONE], &[], Answer::Wrong);
        assert_eq!(ask(&server, ONE, "node.", RecordType::AAAA), Some((ResponseCode::NoError, vec![])));
        assert_eq!(wrong.asked(ONE).times, 0);
    }
}
