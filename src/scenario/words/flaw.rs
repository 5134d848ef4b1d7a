//! What can be wrong with a link, and where links lead.

use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::{Flow, Size, Span, Text};
use crate::scenario::decode::Context;
use crate::scenario::define::{block, words};
use crate::scenario::field::{AnyKey, Field, List, Named};
use crate::scenario::value::{Template, Tree};

use super::fault::Target;
use super::network::Sides;

block! {
    /// A way between processes on which a fault proxy stands: whoever dials it reaches `to`.
    pub struct Link("a link") {
        title: optional("title") Text,
        /// host:port of whoever is asked, such as {{ process.payment.address }}.
        to: required("to") Template,
        /// host:port that the proxy listens at, for processes that run already; left out: chosen by the system, and told by link.NAME.address.
        listen: optional("listen") String,
        /// What it carries; left out: tcp.
        protocol: optional("protocol") Protocol,
        /// Names that lead those in networks to it.
        names: optional("names") List<String>,
    }
    check(check_link);
}

fn check_link(link: &Link, _: Mark, cx: &mut Context<'_>) {
    super::network::not_empty(&link.names, cx);
}

words! {
    /// What a link carries, as far as its proxy looks into it.
    pub enum Protocol("protocols of links") {
        /// Bytes.
        Tcp = "tcp",
        /// HTTP/1.1, or HTTP/2 without TLS: each request can have a fate of its own.
        Http = "http",
        /// Bytes that only the ends can read.
        Tls = "tls",
    }
}

words! {
    /// Which way a fault bites: up is towards the one who is asked.
    pub enum Direction("directions") { Up = "up", Down = "down", Both = "both" }
}

words! {
    /// How jitter is spread around a latency.
    pub enum Spread("spreads") {
        /// From latency − jitter to latency + jitter, all alike.
        Uniform = "uniform",
        /// The jitter is the standard deviation.
        Normal = "normal",
        /// The latency, and beyond it a time whose mean is the jitter.
        Exponential = "exponential",
    }
}

block! {
    /// What passes comes later.
    pub struct Delay("`delay`") {
        link: optional("link") Target,
        /// Processes in networks: what they send and get, whoever the other end is.
        process: optional("process") Target,
        latency: required("latency") Span,
        /// How much the latency varies.
        jitter: optional("jitter") Span,
        /// How it varies; left out: uniform.
        spread: optional("spread") Spread,
    }
    one_of("link", "process");
    check(check_delay);
}

fn check_delay(delay: &Delay, at: Mark, cx: &mut Context<'_>) {
    if let (Some(spread), Some(_)) = (delay.spread.get(), delay.process.written())
        && spread.value == Spread::Exponential
    {
        let message = "what a process sends is delayed by the kernel, which knows `uniform` and `normal`";
        cx.say(Diagnostic::error("does-not-go", spread.mark, message).help("a delay of a `link` can be exponential"));
    }
    if let (None, Some(spread)) = (delay.jitter.written(), delay.spread.written()) {
        cx.say(Diagnostic::error("does-not-go", spread, "`spread` is how the `jitter` is spread, and there is none"));
    }
    let none = |span: &Field<Span>| span.is_absent() || span.value() == Some(&Span::ZERO);
    if delay.latency.value() == Some(&Span::ZERO) && none(&delay.jitter) {
        let mark = delay.latency.get().map_or(at, |latency| latency.mark);
        cx.say(Diagnostic::error("range", mark, "a delay of nothing delays nothing"));
    }
}

block! {
    /// Little passes in a second, on each connection.
    pub struct Throttle("`throttle`") {
        link: optional("link") Target,
        /// Processes in networks: what they send and get, whoever the other end is.
        process: optional("process") Target,
        /// Such as 10KB/s.
        rate: required("rate") Flow,
    }
    one_of("link", "process");
    check(check_throttle);
}

fn check_throttle(throttle: &Throttle, _: Mark, cx: &mut Context<'_>) {
    if let Some(rate) = throttle.rate.get().filter(|rate| rate.value == Flow(0)) {
        cx.say(Diagnostic::error("range", rate.mark, "nothing would ever pass").help("that is `hang`"));
    }
}

block! {
    /// What passes comes in small pieces.
    pub struct Slice("`slice`") {
        link: required("link") Target,
        /// Of a piece.
        size: required("size") Size,
        /// Give or take so much.
        vary: optional("vary") Size,
        /// Between two pieces.
        pause: optional("pause") Span,
    }
    check(check_slice);
}

fn check_slice(slice: &Slice, _: Mark, cx: &mut Context<'_>) {
    if let Some(size) = slice.size.get().filter(|size| size.value == Size(0)) {
        cx.say(Diagnostic::error("range", size.mark, "a piece has a byte at least"));
    }
    if let (Some(size), Some(vary)) =
        (slice.size.get(), slice.vary.get().filter(|vary| vary.value > size_of(&slice.size)))
    {
        let message = format!("a piece of {} cannot vary by {}", size.value, vary.value);
        cx.say(Diagnostic::error("range", vary.mark, message));
    }
}

fn size_of(size: &Field<Size>) -> Size {
    size.value().copied().unwrap_or(Size(u64::MAX))
}

block! {
    /// The connection is closed after so many bytes.
    pub struct CloseAfter("`close-after`") {
        link: required("link") Target,
        bytes: required("bytes") Size,
    }
}

block! {
    /// New connections are refused, and those that are open are reset.
    pub struct Refuse("`refuse`") {
        link: optional("link") Target,
        /// Two sides of processes in networks, such as [node_1, [store, payment]].
        between: optional("between") Sides,
    }
    one_of("link", "between");
}

block! {
    /// Connections are reset once they carry something.
    pub struct Reset("`reset`") {
        link: optional("link") Target,
        /// Two sides of processes in networks, such as [node_1, [store, payment]].
        between: optional("between") Sides,
        /// So long after that; left out: at once.
        after: optional("after") Span,
    }
    one_of("link", "between");
    check(check_reset);
}

fn check_reset(reset: &Reset, _: Mark, cx: &mut Context<'_>) {
    if let (Some(after), Some(_)) = (reset.after.written(), reset.between.written()) {
        let message = "between processes, connections are reset at once: `after` is for links";
        cx.say(Diagnostic::error("does-not-go", after, message));
    }
}

block! {
    /// Connections are taken, and nothing passes.
    pub struct Hang("`hang`") {
        link: required("link") Target,
        /// They are closed after so long; left out: never.
        close: optional("close") Span,
    }
}

block! {
    /// The end of a connection comes later.
    pub struct SlowClose("`slow-close`") {
        link: required("link") Target,
        latency: required("latency") Span,
    }
    check(check_slow_close);
}

fn check_slow_close(slow: &SlowClose, _: Mark, cx: &mut Context<'_>) {
    super::load::positive(&slow.latency, "latency", cx);
}

block! {
    /// Single bits are wrong.
    pub struct Corrupt("`corrupt`") {
        link: required("link") Target,
    }
}

block! {
    /// The proxy answers in the stead of the one who is asked. For links that carry HTTP.
    pub struct Respond("`respond`") {
        link: required("link") Target,
        status: required("status") u64,
        headers: optional("headers") Named<String, AnyKey>,
        /// The body as JSON.
        json: optional("json") Tree,
        /// The body as text.
        body: optional("body") String,
    }
    check(check_respond);
}

fn check_respond(respond: &Respond, _: Mark, cx: &mut Context<'_>) {
    if let Some(status) = respond.status.get().filter(|status| !(200..=599).contains(&status.value)) {
        cx.say(Diagnostic::error("range", status.mark, "a status is from 200 to 599"));
    }
    if let (Some(json), Some(body)) = (respond.json.written(), respond.body.written()) {
        let message = "an answer has either `json` or `body`, not both";
        cx.say(Diagnostic::error("not-both", body, message).related(json, "`json` is here"));
    }
}

block! {
    /// Which requests a fault on a link may bite.
    pub struct OnlyRequests("`only`") {
        /// Such as [POST].
        methods: optional("methods") List<String>,
        /// Patterns: * for a part of one segment, ** for any segments.
        paths: optional("paths") List<String>,
        /// Of those, the first so many.
        first: optional("first") u64,
        /// Of those, every so manieth.
        every: optional("every") u64,
    }
    check(check_only);
}

fn check_only(only: &OnlyRequests, _: Mark, cx: &mut Context<'_>) {
    for (word, field) in [("first", &only.first), ("every", &only.every)] {
        if let Some(zero) = field.get().filter(|number| number.value == 0) {
            cx.say(Diagnostic::error("range", zero.mark, format!("`{word}` is at least 1")));
        }
    }
    for path in only.paths.value().into_iter().flat_map(|paths| paths.iter()) {
        if !path.value.starts_with(['/', '*']) {
            let message = format!("`{}` is no pattern of a path: it begins with `/` or `*`", path.value);
            cx.say(Diagnostic::error("path", path.mark, message));
        }
    }
}
