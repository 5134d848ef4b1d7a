//! The system under drill.

use super::allow;
use super::context::Cx;
use super::dns;
use super::names::Names;
use super::network::{self, Networks};
use super::pool;
use super::request::{check_header, pairs};
use super::text::{Own, Place, ProcessName, Reach};
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::{Span, Text};
use crate::plan::{self, Allow, Attach, Connections, Mark as DrillMark, ProcessId, ProcessSource, Ready, Tls};
use crate::scenario::{self, Field, Named, Reached, Spanned};

const GRACE: Span = Span::seconds(10);
const READY: Span = Span::seconds(30);

/// The names of processes as scenarios write them, and the processes that each stands for.
#[derive(Debug, Default)]
pub(super) struct Processes {
    /// `node` as well as `node_1`.
    pub(super) names: Names,
    pub(super) members: Vec<Vec<ProcessId>>,
    /// Of the processes themselves: whether the drill starts them.
    pub(super) started: Vec<bool>,
    /// Of the same: whether their wall clocks can be told another time.
    skewable: Vec<bool>,
    /// Of the processes themselves: whether they live in networks of the drill's own.
    pub(super) networked: Vec<bool>,
}

impl Processes {
    /// Whether the drill starts it; what was refused counts as started.
    pub(super) fn starts(&self, id: ProcessId) -> bool {
        self.started.get(id.index()) != Some(&false)
    }

    pub(super) fn is_skewable(&self, id: ProcessId) -> bool {
        self.skewable.get(id.index()) != Some(&false)
    }

    pub(super) fn find(&self, name: &Spanned<String>, cx: &mut Cx<'_>) -> Option<&[ProcessId]> {
        self.names.find(name, cx).and_then(|index| self.members.get(index)).map(Vec::as_slice)
    }
}

/// The names first: texts anywhere may use them.
pub(super) fn process_names(
    platform: Option<&scenario::Platform>,
    cx: &mut Cx<'_>,
) -> (Processes, Vec<ProcessName>, bool) {
    let mut found = Processes { names: Names::new("process"), ..Processes::default() };
    let mut known = Vec::new();
    let field = platform.map(|platform| &platform.processes);
    let mut whole = field.is_some_and(|field| !field.is_hole());
    if let Some(map) = field.and_then(|field| cx.get(field)) {
        whole &= map.complete;
        for (name, process) in &map.entries {
            let has_address = process
                .as_ref()
                .is_none_or(|process| process.attach.value().is_none_or(|attach| attach.pid_file.is_absent()));
            let networked = process.as_ref().is_none_or(|process| !process.network.is_absent());
            let started = process.as_ref().is_none_or(|process| process.attach.is_absent());
            // How many there are of one that was refused nobody knows.
            let count = match process.as_ref().map(|process| &process.count) {
                Some(Field::Is(count)) => Some(count.value.clamp(1, 1_000)),
                Some(Field::Absent) => None,
                Some(Field::Hole(_)) | None => {
                    whole &= process.is_some() && !process.as_ref().is_some_and(|process| process.count.is_hole());
                    None
                }
            };
            let mut add = |name: &str, members: Vec<ProcessId>, mark: Mark, has, cx: &mut Cx<'_>| match found
                .names
                .add(name, mark)
            {
                Ok(_) => {
                    found.members.push(members);
                    known.push(ProcessName { name: name.to_owned(), has_address, networked, has });
                }
                Err(first) => {
                    let message = format!("there are two processes `{name}`: `count` makes numbered names");
                    cx.say(Diagnostic::error("given-twice", mark, message).related(first, "the other one"));
                }
            };
            let first = found.started.len();
            match count {
                None => add(&name.value, vec![ProcessId::at(first)], name.mark, ProcessName::ONE, cx),
                Some(count) => {
                    let ids = (0..count as usize).map(|index| ProcessId::at(first + index));
                    add(&name.value, ids.clone().collect(), name.mark, ProcessName::ALL, cx);
                    for (id, number) in ids.zip(1u64..) {
                        add(&format!("{}_{number}", name.value), vec![id], name.mark, ProcessName::NUMBERED, cx);
                    }
                }
            }
            // One that was refused is not said to be anything else as well.
            let skewable = process.as_ref().is_none_or(|process| !process.clock.is_absent());
            let count = count.unwrap_or(1) as usize;
            found.started.extend(std::iter::repeat_n(started, count));
            found.skewable.extend(std::iter::repeat_n(skewable, count));
            found.networked.extend(std::iter::repeat_n(networked, count));
        }
    }
    if !whole {
        found.names.lacks();
    }
    (found, known, whole)
}

/// The links that fault proxies stand on.
pub(super) fn links(
    field: &Field<Named<scenario::Link, Reached>>,
    allowed: Option<&[Allow]>,
    reach: &Reach<'_>,
    cx: &mut Cx<'_>,
) -> Vec<plan::Link> {
    let map = cx.get(field).map(|map| &map.value);
    let mut made = Vec::new();
    for (name, link) in cx.entries(map) {
        cx.broken |= !link.complete;
        let Some(to) = cx.need(&link.to) else { continue };
        let text = to.text().trim();
        allow::check_address(text, to.mark, allowed, reach, cx);
        let listen = cx.get(&link.listen).and_then(|listen| {
            let sound = listen.value.parse::<std::net::SocketAddr>().is_ok_and(|address| address.port() != 0);
            if !sound {
                let message = format!("`{}` is no address that a proxy could listen at", listen.value);
                cx.say(Diagnostic::error("address", listen.mark, message).help("write it such as 127.0.0.1:5433"));
            }
            sound.then(|| listen.value.clone())
        });
        let protocol = match cx.get(&link.protocol).map(|protocol| protocol.value) {
            None | Some(scenario::Protocol::Tcp) => plan::Protocol::Tcp,
            Some(scenario::Protocol::Http) => plan::Protocol::Http,
            Some(scenario::Protocol::Tls) => plan::Protocol::Tls,
        };
        let title = cx.get(&link.title).map(|title| title.value.clone()).unwrap_or_default();
        let (to, _) = reach.check(text, to.mark, Place::Link, &Own::default(), cx);
        let names = dns::given(&link.names, cx);
        made.push(plan::Link { name: name.value.clone(), title, to, listen, protocol, names });
    }
    made
}

/// Where the links' API listens.
pub(super) fn toxiproxy(
    platform: &scenario::Platform,
    links: &[plan::Link],
    cx: &mut Cx<'_>,
) -> Option<std::net::SocketAddr> {
    let written = cx.get(&platform.toxiproxy)?;
    let (mark, listen) = (written.mark, cx.get(&written.value.listen)?);
    if platform.links.is_absent() {
        cx.say(
            Diagnostic::error("link", mark, "there are no links that `toxiproxy` could show")
                .help("name those that test code may put toxics on in `links`"),
        );
        return None;
    }
    let address = listen.value.parse::<std::net::SocketAddr>().ok();
    let sound = address.filter(|address| address.port() != 0 && address.ip().is_loopback());
    if sound.is_none() {
        let message = format!("`{}` is no address that only this machine reaches", listen.value);
        let help = "whoever reaches it can break things: write it such as 127.0.0.1:8474";
        cx.say(Diagnostic::error("address", listen.mark, message).help(help));
        return None;
    }
    let taken = links.iter().find(|link| link.listen.as_ref().and_then(|at| at.parse().ok()) == sound);
    if let Some(taken) = taken {
        let message = format!("the link `{}` listens at {} already", taken.name, listen.value);
        cx.say(Diagnostic::error("address", listen.mark, message));
    }
    sound
}

pub(super) fn processes(
    field: &Field<Named<scenario::Process, Reached>>,
    networks: &Networks,
    reach: &Reach<'_>,
    cx: &mut Cx<'_>,
) -> Vec<plan::Process> {
    let mut made = Vec::new();
    let map = cx.get(field).map(|map| &map.value);
    for (name, process) in cx.entries(map) {
        cx.broken |= !process.complete;
        let path = format!("platform.processes.{}", name.value);
        let source = source(process, reach, cx);
        let network = network::of_process(process, networks, cx);
        let names = dns::given(&process.names, cx);
        let ready = cx.get(&process.ready).and_then(|ready| {
            let get = cx.need(&ready.get)?;
            check_path(&get.value, get.mark, cx);
            let within = cx.settle(format!("{path}.ready.within"), &ready.within, READY);
            Some(Ready { get: get.value.clone(), within })
        });
        let title = cx.get(&process.title).map(|title| title.value.clone()).unwrap_or_default();
        let grace =
            if process.attach.is_absent() { cx.settle(format!("{path}.grace"), &process.grace, GRACE) } else { GRACE };
        let skewable = cx.get(&process.clock).is_some();
        let Some(source) = source else {
            cx.broken = true;
            continue;
        };
        let one = |name: String, group: Option<String>| plan::Process {
            name,
            title: title.clone(),
            group,
            source: source.clone(),
            network,
            names: names.clone(),
            ready: ready.clone(),
            grace,
            skewable,
        };
        match cx.get(&process.count) {
            None => made.push(one(name.value.clone(), None)),
            Some(count) => {
                cx.note(format!("{path}.count"), &count.value, count.mark);
                for number in 1..=count.value.min(1_000) {
                    made.push(one(format!("{}_{number}", name.value), Some(name.value.clone())));
                }
            }
        }
    }
    made
}

fn source(process: &scenario::Process, reach: &Reach<'_>, cx: &mut Cx<'_>) -> Option<ProcessSource> {
    if let Some(attach) = cx.get(&process.attach) {
        cx.broken |= !attach.complete;
        return Some(ProcessSource::Attach(match (cx.get(&attach.pid_file), cx.get(&attach.port)) {
            (Some(file), _) => Attach::PidFile(file.value.clone()),
            (None, Some(port)) => Attach::Port(u16::try_from(port.value).ok()?),
            (None, None) => return None,
        }));
    }
    let run = cx.need(&process.run)?;
    let own = Own::default();
    let text = |text: &Spanned<scenario::Template>, cx: &mut Cx<'_>| {
        reach.check(text.text(), text.mark, Place::Process, &own, cx).0
    };
    let argv = cx.items(&run.value.0).iter().map(|argument| text(argument, cx)).collect();
    let env = cx.get(&process.env).map(|env| &env.value);
    let env = cx.entries(env).into_iter().map(|(name, value)| (name.value.clone(), text(value, cx))).collect();
    Some(ProcessSource::Run { argv, env, dir: cx.get(&process.dir).map(|dir| dir.value.clone()) })
}

/// A path that is no template: it begins with `/`.
pub(super) fn check_path(path: &str, mark: Mark, cx: &mut Cx<'_>) {
    if !path.starts_with('/') {
        let message = format!("`{path}` is no path: it does not begin with `/`");
        cx.say(Diagnostic::error("path", mark, message).help(format!("write `/{path}`, without scheme and host")));
    } else if path.contains(char::is_whitespace) {
        cx.say(Diagnostic::error("path", mark, format!("the path `{path}` has white space in it")));
    }
}

pub(super) fn allowed(platform: &scenario::Platform, cx: &mut Cx<'_>) -> Option<Vec<Allow>> {
    cx.need(&platform.allow).and_then(|list| allow::read(list, cx))
}

pub(super) fn mark(platform: &scenario::Platform, reach: &Reach<'_>, cx: &mut Cx<'_>) -> Option<DrillMark> {
    let mark = cx.get(&platform.mark)?;
    cx.broken |= !mark.complete;
    let (header, value) = (cx.need(&mark.header)?, cx.need(&mark.value.value)?);
    check_header(&header.value, header.mark, cx);
    let (value, _) = reach.check(value.text(), value.mark, Place::Start, &Own::default(), cx);
    Some(DrillMark { header: header.value.clone(), value })
}

/// The endpoints, with `connections` as far as they are written: the rest follows from the load.
pub(super) fn endpoints(
    platform: &scenario::Platform,
    allowed: Option<&[Allow]>,
    reach: &Reach<'_>,
    cx: &mut Cx<'_>,
) -> Vec<plan::Endpoint> {
    let Some(map) = cx.need(&platform.endpoints) else { return Vec::new() };
    if map.entries.is_empty() && map.complete {
        let message = "there is no endpoint: no request could go anywhere";
        cx.say(
            Diagnostic::error("empty-map", map.mark, message)
                .help("write endpoints: { shop: \"http://127.0.0.1:8080\" }"),
        );
    }
    let mut made = Vec::new();
    for (name, endpoint) in &map.entries {
        let plain = |url| plan::Endpoint {
            name: name.value.clone(),
            title: Text::default(),
            url,
            headers: Vec::new(),
            tls: Tls::default(),
            connections: Connections::default(),
            decompress: false,
            traceparent: None,
        };
        let url = |url: &Spanned<scenario::Template>, cx: &mut Cx<'_>| {
            allow::check_url(url.text().trim(), url.mark, allowed, reach, cx);
            reach.check(url.text().trim(), url.mark, Place::Start, &Own::default(), cx).0
        };
        made.push(match endpoint.as_ref().map(|endpoint| (&endpoint.value, endpoint.mark)) {
            Some((scenario::Endpoint::Url(template), mark)) => {
                plain(url(&Spanned { value: template.clone(), mark, key: name.mark }, cx))
            }
            Some((scenario::Endpoint::Block(block), _)) => {
                cx.broken |= !block.complete;
                let url = cx.need(&block.url).map(|text| url(text, cx));
                cx.broken |= url.is_none();
                let mut endpoint = plain(url.unwrap_or_else(|| plan::Template(String::new())));
                fill(&mut endpoint, block, reach, cx);
                endpoint
            }
            None => {
                cx.broken = true;
                plain(plan::Template(String::new()))
            }
        });
    }
    made
}

fn fill(endpoint: &mut plan::Endpoint, block: &scenario::EndpointBlock, reach: &Reach<'_>, cx: &mut Cx<'_>) {
    endpoint.title = cx.get(&block.title).map(|title| title.value.clone()).unwrap_or_default();
    let mut check = |value: &Spanned<scenario::Template>, cx: &mut Cx<'_>| {
        reach.check(value.text(), value.mark, Place::Start, &Own::default(), cx).0
    };
    endpoint.decompress = cx.get(&block.decompress).is_some_and(|wanted| wanted.value);
    endpoint.traceparent = cx.get(&block.traceparent).map(|share| share.value);
    if let Some(share) = block.traceparent.get().filter(|share| !(0.0..=1.0).contains(&share.as_f64())) {
        let message = "`traceparent` is the share of visits whose traces are sampled: from 0% to 100%";
        cx.say(Diagnostic::error("range", share.mark, message));
    }
    endpoint.headers = pairs(&block.headers, true, &mut check, cx);
    if let Some(tls) = cx.get(&block.tls) {
        cx.broken |= !tls.complete;
        endpoint.tls.ca = cx.get(&tls.ca).map(|ca| ca.value.clone());
        endpoint.tls.server_name = cx.get(&tls.server_name).map(|name| name.value.clone());
    }
    if let Some(connections) = cx.get(&block.connections) {
        endpoint.connections = pool::check(&connections.value, cx);
    }
}

/// The endpoint where none is named: the only one.
pub(super) fn only_endpoint(endpoints: &Names, mark: Mark, who: &str, cx: &mut Cx<'_>) -> Option<usize> {
    match endpoints.len() {
        1 => Some(0),
        0 => {
            cx.broken = true;
            None
        }
        _ => {
            let message = format!("there are several endpoints, and {who} does not say which");
            let known: Vec<&str> = endpoints.iter().collect();
            let help = format!("add `endpoint:` with one of {}", known.join(", "));
            cx.say(Diagnostic::error("which-endpoint", mark, message).help(help));
            None
        }
    }
}
