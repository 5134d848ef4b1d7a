use serde_json::{Value, json};

use super::{Container, Host, HostWatch, Link, Network, Pick, Steps};
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::{Flow, Rate, Share, Span, Text};
use crate::base::yaml::{Kind, Node};
use crate::scenario::decode::{Context, Raw};
use crate::scenario::define::{block, words};
use crate::scenario::field::{AnyKey, List, Named, Reached};
use crate::scenario::schema::Defs;
use crate::scenario::value::Template;

block! {
    /// The system under drill.
    pub struct Platform("`platform`") {
        /// Addresses, names with ports, or unix: and a path; nothing else is ever sent a request or a fault.
        allow: required("allow") List<String>,
        /// The header that every request carries.
        mark: optional("mark") DrillMark,
        /// Started in order, awaited, stopped in reverse.
        processes: optional("processes") Named<Process, Reached>,
        /// Run already, by Docker, and are there to be hurt.
        containers: optional("containers") Named<Container>,
        /// Machines that parts of it run on already, and are there to be hurt and watched.
        hosts: optional("hosts") Named<Host>,
        /// Where requests go.
        endpoints: required("endpoints") Named<Endpoint>,
        /// Networks of the drill's own; processes that name one live in it.
        networks: optional("networks") Named<Network>,
        /// A fault proxy stands on each; processes dial it instead of each other.
        links: optional("links") Named<Link, Reached>,
        /// Lets test code that runs meanwhile put toxics on the links by itself.
        toxiproxy: optional("toxiproxy") Toxiproxy,
        /// What is observed on the drill's clock.
        watch: optional("watch") Named<Watch>,
    }
}

block! {
    /// Toxiproxy's HTTP API over the links: each is a proxy of its name.
    pub struct Toxiproxy("`toxiproxy`") {
        /// Where it listens, on this machine alone.
        listen: required("listen") String,
    }
}

block! {
    /// The header that every request of the drill carries.
    pub struct DrillMark("`mark`") {
        header: required("header") String,
        value: required("value") Template,
    }
}

block! {
    /// A program that the drill starts, or one that runs already.
    pub struct Process("a process") {
        title: optional("title") Text,
        /// The program and its arguments; templates see address, host, port, folder, process., vars., env., secret., run.
        run: optional("run") Arguments,
        /// Variables of its environment.
        env: optional("env") Named<Template, AnyKey>,
        /// The folder that it works in; left out: where the drill was started.
        dir: optional("dir") String,
        /// When it counts as started; left out: when it listens.
        ready: optional("ready") Ready,
        /// Between TERM and KILL when it is stopped.
        grace: optional("grace") Span,
        /// How many of it: 2 makes NAME_1 and NAME_2.
        count: optional("count") u64,
        /// Whether its wall clock can be told another time (`skew-clock`): libfaketime is loaded into it.
        clock: optional("clock") ProcessClock,
        /// The network that it lives in, in a namespace of its own; left out: that of the machine.
        network: optional("network") String,
        /// Names that lead others in networks to it, beside its own.
        names: optional("names") List<String>,
        /// A process that runs already; it is never stopped at the end.
        attach: optional("attach") Attach,
    }
    one_of("run", "attach");
    later("user", "cap");
    check(check_process);
}

fn check_process(process: &Process, _: Mark, cx: &mut Context<'_>) {
    super::network::not_empty(&process.names, cx);
    if let Some(count) = process.count.get().filter(|count| !(1..=1_000).contains(&count.value)) {
        cx.say(Diagnostic::error("range", count.mark, "`count` is from 1 to 1000"));
    }
    if let (Some(attach), Some(ready)) = (process.attach.get(), process.ready.written())
        && attach.value.port.is_absent()
    {
        let message = "`ready` needs an address, which a process that is attached to by a pid file does not tell";
        cx.say(Diagnostic::error("does-not-go", ready, message).help("leave it out, or attach by `port`"));
    }
    if !process.attach.is_absent() && process.run.is_absent() {
        let given = [
            ("env", process.env.written()),
            ("dir", process.dir.written()),
            ("grace", process.grace.written()),
            ("count", process.count.written()),
            ("clock", process.clock.written()),
            ("network", process.network.written()),
            ("names", process.names.written()),
        ];
        for (word, mark) in given.into_iter().filter_map(|(word, mark)| mark.map(|mark| (word, mark))) {
            let message =
                format!("`{word}` is for a process that the drill starts with `run`, not for an attached one");
            cx.say(Diagnostic::error("does-not-go", mark, message));
        }
    }
}

words! {
    /// What can be done to a process's wall clock.
    pub enum ProcessClock("`clock`") { Skewable = "skewable" }
}

/// A program and its arguments: never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Arguments(pub List<Template>);

impl Raw for Arguments {
    fn decode(node: &Node, at: Mark, cx: &mut Context<'_>) -> Option<Arguments> {
        let Kind::List(items) = &node.kind else {
            let wrong =
                Diagnostic::error("wrong-type", node.mark, format!("a list is expected here, not {}", node.describe()));
            cx.say(wrong.help("write the program and each argument as an entry: [program, --flag, value]"));
            return None;
        };
        if items.is_empty() {
            cx.say(
                Diagnostic::error("empty-list", node.mark, "a program is missing").help("write [program, argument]"),
            );
            return None;
        }
        cx.decode(node, at).map(Arguments)
    }

    fn schema(defs: &mut Defs) -> Value {
        let mut schema = List::<Template>::schema(defs);
        schema["minItems"] = 1.into();
        schema
    }
}

block! {
    /// When a process is ready: a GET of `get` at its own address answers 2xx.
    pub struct Ready("`ready`") {
        /// A path, such as /healthz.
        get: required("get") String,
        /// How long to wait for it.
        within: optional("within") Span,
    }
    check(check_ready);
}

fn check_ready(ready: &Ready, _: Mark, cx: &mut Context<'_>) {
    super::load::positive(&ready.within, "within", cx);
}

block! {
    /// How to find a process that runs already.
    pub struct Attach("`attach`") {
        /// A file that holds its process id.
        pid_file: optional("pid-file") String,
        /// The TCP port of this host that it listens on.
        port: optional("port") u64,
    }
    one_of("pid-file", "port");
    later("unit");
    check(check_attach);
}

fn check_attach(attach: &Attach, _: Mark, cx: &mut Context<'_>) {
    if let Some(port) = attach.port.get().filter(|port| !(1..=65_535).contains(&port.value)) {
        cx.say(Diagnostic::error("range", port.mark, "a port is from 1 to 65535"));
    }
}

/// Where requests go: a URL, or a block with one.
#[derive(Debug, Clone, PartialEq)]
pub enum Endpoint {
    Url(Template),
    Block(Box<EndpointBlock>),
}

impl Raw for Endpoint {
    fn decode(node: &Node, at: Mark, cx: &mut Context<'_>) -> Option<Endpoint> {
        match &node.kind {
            Kind::Map(_) => cx.decode(node, at).map(|block| Endpoint::Block(Box::new(block))),
            _ => crate::scenario::value::text(node, "a URL or a map", cx)
                .and_then(|_| cx.decode(node, at))
                .map(Endpoint::Url),
        }
    }

    fn schema(defs: &mut Defs) -> Value {
        json!({ "anyOf": [{ "type": "string" }, EndpointBlock::schema(defs)] })
    }
}

block! {
    /// Where requests go, and how.
    pub struct EndpointBlock("an endpoint") {
        title: optional("title") Text,
        /// http:// or https://, host and port; or unix: and the path of a socket.
        url: required("url") Template,
        /// Sent with every request.
        headers: optional("headers") Named<Template, AnyKey>,
        tls: optional("tls") Tls,
        connections: optional("connections") Connections,
        /// true: asks for compressed answers (gzip, br, zstd) and decompresses them, where a step does not say.
        decompress: optional("decompress") bool,
        /// Every request tells its trace (the `traceparent` header of W3C Trace Context); the share of visits that is marked as sampled.
        traceparent: optional("traceparent") Share,
    }
    later("http2");
}

block! {
    /// How https is spoken.
    pub struct Tls("`tls`") {
        /// A PEM file of roots to trust beside the system's.
        ca: optional("ca") String,
        /// The name to ask for and check, where it is not the URL's host.
        server_name: optional("server-name") String,
    }
}

block! {
    /// How connections are kept.
    pub struct Connections("`connections`") {
        /// The greatest number open at once.
        max: optional("max") u64,
        /// Opened before the load begins.
        warm: optional("warm") u64,
        /// `shared`: kept and shared by all visits; `visit`: each visit opens its own.
        per: optional("per") PerConnection,
        /// Arrivals that may wait for one.
        queue: optional("queue") u64,
        /// The share of visits by new visitors, each on a connection of its own; the others come back on kept ones.
        new: optional("new") Share,
        /// A connection this old is closed, between two requests.
        age: optional("age") Span,
        /// Local addresses to connect from, in turn: an address, a range (10.0.0.1-10.0.0.9) or a network (10.0.0.0/28).
        source: optional("source") List<String>,
        /// Connections whose end reads slowly.
        slow: optional("slow") Slow,
    }
}

block! {
    /// Connections that read what comes at a rate and keep little unread, as over a bad line: the server's writes wait.
    pub struct Slow("`slow`") {
        /// Of all connections to the endpoint; which they are follows from the seed.
        share: required("share") Share,
        /// How fast each of them reads: 10KB/s.
        rate: required("rate") Flow,
    }
}

words! {
    pub enum PerConnection("`per`") { Shared = "shared", Visit = "visit" }
}

/// What is observed on the drill's clock.
#[derive(Debug, Clone, PartialEq)]
pub enum Watch {
    Process(ProcessWatch),
    Probe(ProbeWatch),
    Page(PageWatch),
    Host(HostWatch),
    Alert(AlertWatch),
    Ratio(RatioWatch),
}

crate::scenario::define::choice! {
    Watch("a watch") {
        Process(ProcessWatch): "process",
        Probe(ProbeWatch): "endpoint" "get",
        Page(PageWatch): "prometheus" "keep",
        Host(HostWatch): "host",
        Alert(AlertWatch): "alert",
        Ratio(RatioWatch): "ratio",
    }
}

block! {
    /// CPU, memory, threads and open files of a process.
    pub struct ProcessWatch("a watch of a process") {
        title: optional("title") Text,
        process: required("process") String,
    }
}

block! {
    /// A health probe; its turning bad is "detected".
    pub struct ProbeWatch("a probe") {
        title: optional("title") Text,
        endpoint: optional("endpoint") String,
        /// A path, such as /healthz.
        get: required("get") String,
        /// How often; left out: 1s.
        every: optional("every") Span,
    }
}

block! {
    /// Figures that the platform tells by itself, read once a second; each is NAME.metric.
    pub struct PageWatch("a watched page") {
        title: optional("title") Text,
        /// The URL of a page in Prometheus' text format, with its path.
        prometheus: required("prometheus") Template,
        /// The names that are kept of it; each is the sum over its label sets.
        keep: required("keep") List<String>,
    }
    check(check_page);
}

fn check_page(page: &PageWatch, _: Mark, cx: &mut Context<'_>) {
    if let Some(keep) = page.keep.get().filter(|keep| keep.items.is_empty() && keep.complete) {
        cx.say(Diagnostic::error("empty-list", keep.mark, "nothing of this page is kept"));
    }
}

block! {
    /// The platform's own alerts; each is "detected".
    pub struct AlertWatch("a watch of alerts") {
        title: optional("title") Text,
        alert: required("alert") Alert,
    }
}

block! {
    /// A webhook that the drill listens with: any POST is an alert, but one of Alertmanager's that says `resolved`.
    pub struct Alert("`alert`") {
        /// Where it listens, on this machine alone.
        listen: required("listen") String,
    }
}

block! {
    /// One watched figure as a part of another; its figure is NAME.
    pub struct RatioWatch("a watch of a ratio") {
        title: optional("title") Text,
        ratio: required("ratio") Ratio,
    }
}

block! {
    /// Two watched figures: what counters grew by, and the mean of gauges.
    pub struct Ratio("`ratio`") {
        /// WATCH.metric
        of: required("of") String,
        /// What that is a part of: WATCH.metric.
        to: required("to") String,
    }
}

block! {
    /// One thing to do before or after the load, outside all figures.
    pub struct Chore("a chore") {
        /// A program that must exit 0.
        run: optional("run") Arguments,
        /// Variables of its environment.
        env: optional("env") Named<Template, AnyKey>,
        /// The folder that it works in.
        dir: optional("dir") String,
        /// Steps that must all be ok; what they capture is prepare.NAME.
        steps: optional("steps") Steps,
        /// A feed: the steps are taken once with each of its rows, in their order.
        each: optional("each") String,
        /// Of `each`: how many rows begin in a second; never more than 32 are under way.
        rate: optional("rate") Rate,
        /// Of `each`: the name of a feed that is made of what the steps capture, with a row for each row.
        into: optional("into") String,
        /// Of `into`: which row a visit gets; left out: in-order.
        pick: optional("pick") Pick,
        /// A deadline.
        within: optional("within") Span,
    }
    one_of("run", "steps");
    refused("exponent" => "rows that were made are all alike: `pick` is in-order, random or unique here");
    check(check_chore);
}

fn check_chore(chore: &Chore, _: Mark, cx: &mut Context<'_>) {
    super::load::positive(&chore.within, "within", cx);
    if let Some(pick) = chore.pick.get().filter(|pick| pick.value == Pick::Zipf) {
        let message = "rows that were made are all alike: `pick` is in-order, random or unique here";
        cx.say(Diagnostic::error("does-not-go", pick.mark, message));
    }
    if let Some(rate) = chore.rate.get().filter(|rate| rate.value.as_per_second() <= 0.0) {
        cx.say(Diagnostic::error("range", rate.mark, "`rate` must be over 0"));
    }
    let needs = |word: &str, mark: Option<Mark>, other: &str, cx: &mut Context<'_>| {
        if let Some(mark) = mark {
            cx.say(Diagnostic::error("needs-word", mark, format!("`{word}` goes with `{other}`")));
        }
    };
    if chore.each.is_absent() {
        needs("rate", chore.rate.written(), "each", cx);
        needs("into", chore.into.written(), "each", cx);
    } else {
        needs("each", chore.each.written().filter(|_| chore.steps.is_absent() && !chore.run.is_absent()), "steps", cx);
        needs("each", chore.each.written().filter(|_| chore.rate.is_absent()), "rate", cx);
    }
    if chore.into.is_absent() {
        needs("pick", chore.pick.written(), "into", cx);
    }
}
