//! What can be wrong with a link.

use super::context::Cx;
use super::request::check_header;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::{Share, Size, Span};
use crate::plan::{Direction, Flaw, FlawKind, Link, Only, Protocol, Spread};
use crate::scenario::{self, Field, Target};

/// Whom a fault on links is aimed at, and what is wrong with them: none where that was refused. `None` for a fault on something else.
pub(super) fn flaw<'f>(fault: &'f scenario::Fault, cx: &mut Cx<'_>) -> Option<(&'f Field<Target>, Option<Flaw>)> {
    let (target, kind) = kind(fault, cx)?;
    let direction = match cx.get(&fault.direction).map(|direction| direction.value) {
        Some(scenario::Direction::Up) => Direction::Up,
        Some(scenario::Direction::Down) => Direction::Down,
        None | Some(scenario::Direction::Both) => Direction::Both,
    };
    let share = cx.get(&fault.share).map_or(Share(1.0), |share| share.value);
    let only = cx.get(&fault.only).map(|only| {
        cx.broken |= !only.complete;
        let mut texts = |list: &Field<scenario::List<String>>| {
            let list = cx.get(list).map(|list| cx.items(&list.value));
            list.into_iter().flatten().map(|text| text.value.clone()).collect()
        };
        let (methods, paths) = (texts(&only.methods), texts(&only.paths));
        Only { methods, paths, first: number(&only.first, cx), every: number(&only.every, cx) }
    });
    Some((target, kind.map(|kind| Flaw { kind, direction, share, only: only.unwrap_or_default() })))
}

fn number(field: &Field<u64>, cx: &mut Cx<'_>) -> Option<u64> {
    cx.get(field).map(|number| number.value)
}

fn kind<'f>(fault: &'f scenario::Fault, cx: &mut Cx<'_>) -> Option<(&'f Field<Target>, Option<FlawKind>)> {
    if let Some(delay) = cx.get(&fault.delay) {
        cx.broken |= !delay.complete;
        let latency = cx.need(&delay.latency).map(|latency| latency.value);
        let jitter = cx.get(&delay.jitter).map_or(Span::ZERO, |jitter| jitter.value);
        let spread = match cx.get(&delay.spread).map(|spread| spread.value) {
            None | Some(scenario::Spread::Uniform) => Spread::Uniform,
            Some(scenario::Spread::Normal) => Spread::Normal,
            Some(scenario::Spread::Exponential) => Spread::Exponential,
        };
        return Some((&delay.link, latency.map(|latency| FlawKind::Delay { latency, jitter, spread })));
    }
    if let Some(throttle) = cx.get(&fault.throttle) {
        cx.broken |= !throttle.complete;
        return Some((&throttle.link, cx.need(&throttle.rate).map(|rate| FlawKind::Throttle { rate: rate.value })));
    }
    if let Some(slice) = cx.get(&fault.slice) {
        cx.broken |= !slice.complete;
        let vary = cx.get(&slice.vary).map_or(Size(0), |vary| vary.value);
        let pause = cx.get(&slice.pause).map_or(Span::ZERO, |pause| pause.value);
        let size = cx.need(&slice.size);
        return Some((&slice.link, size.map(|size| FlawKind::Slice { size: size.value, vary, pause })));
    }
    if let Some(close) = cx.get(&fault.close_after) {
        cx.broken |= !close.complete;
        return Some((&close.link, cx.need(&close.bytes).map(|bytes| FlawKind::CloseAfter { bytes: bytes.value })));
    }
    if let Some(refuse) = cx.get(&fault.refuse) {
        cx.broken |= !refuse.complete;
        return Some((&refuse.link, Some(FlawKind::Refuse)));
    }
    if let Some(reset) = cx.get(&fault.reset) {
        cx.broken |= !reset.complete;
        let after = cx.get(&reset.after).map_or(Span::ZERO, |after| after.value);
        return Some((&reset.link, Some(FlawKind::Reset { after })));
    }
    if let Some(hang) = cx.get(&fault.hang) {
        cx.broken |= !hang.complete;
        let close = cx.get(&hang.close).map(|close| close.value);
        return Some((&hang.link, Some(FlawKind::Hang { close })));
    }
    if let Some(slow) = cx.get(&fault.slow_close) {
        cx.broken |= !slow.complete;
        let delay = cx.need(&slow.latency);
        return Some((&slow.link, delay.map(|delay| FlawKind::SlowClose { delay: delay.value })));
    }
    if let Some(corrupt) = cx.get(&fault.corrupt) {
        cx.broken |= !corrupt.complete;
        return Some((&corrupt.link, Some(FlawKind::Corrupt)));
    }
    let respond = cx.get(&fault.respond)?;
    Some((&respond.link, answer(respond, cx)))
}

fn answer(respond: &scenario::Respond, cx: &mut Cx<'_>) -> Option<FlawKind> {
    cx.broken |= !respond.complete;
    let status = cx.need(&respond.status).and_then(|status| u16::try_from(status.value).ok());
    let map = cx.get(&respond.headers).map(|headers| &headers.value);
    let mut headers = Vec::new();
    for (name, value) in cx.entries(map) {
        check_header(&name.value, name.mark, cx);
        let framing =
            ["content-length", "transfer-encoding"].iter().any(|known| name.value.eq_ignore_ascii_case(known));
        if framing || http::HeaderValue::from_str(&value.value).is_err() {
            let message = match framing {
                true => format!("`{}` follows from the body", name.value),
                false => format!("`{}` is no value of a header", value.value),
            };
            cx.say(Diagnostic::error("header", if framing { name.mark } else { value.mark }, message));
        }
        headers.push((name.value.clone(), value.value.clone()));
    }
    let typed = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let mut body = cx.get(&respond.body).map(|body| body.value.clone()).unwrap_or_default();
    if let Some(json) = cx.get(&respond.json) {
        if let Some(late) = json.value.texts().into_iter().find(|text| text.value.contains("{{")) {
            let message =
                "this answer is settled before the drill begins, so a template here can use scalar `vars.` only";
            cx.say(Diagnostic::error("late-template", late.mark, message));
        }
        body = json.value.to_json()?.to_string();
        if !typed {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
    }
    Some(FlawKind::Respond { status: status?, headers, body })
}

/// What only a link that carries HTTP can do.
pub(super) fn check(fault: &scenario::Fault, mark: Mark, bitten: &[usize], links: &[Link], cx: &mut Cx<'_>) {
    let blind = bitten.iter().filter_map(|index| links.get(*index)).find(|link| link.protocol != Protocol::Http);
    let Some(link) = blind else { return };
    let word = if !fault.respond.is_absent() {
        "respond"
    } else if !fault.only.is_absent() {
        "only"
    } else {
        return;
    };
    let name = &link.name;
    let (message, help) = match link.protocol {
        Protocol::Tls => (
            format!(
                "the link `{name}` carries TLS, which its proxy cannot look into, so `{word}` cannot be done there"
            ),
            None,
        ),
        _ => (
            format!("`{word}` is for links that carry HTTP, and `{name}` carries bytes"),
            Some("add `protocol: http` to the link"),
        ),
    };
    let wrong = Diagnostic::error("does-not-go", mark, message);
    cx.say(match help {
        Some(help) => wrong.help(help),
        None => wrong,
    });
}
