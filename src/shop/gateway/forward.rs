//! Handing a request to a node and its answer back: tried again elsewhere only where that can do no harm.
//!
//! A try may be repeated when the node cannot have seen it, or when repeating is safe (an idempotent method or an
//! `Idempotency-Key`) and no byte of an answer had come.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Limited};
use tokio::time::timeout;

use super::Gateway;
use super::member::{Member, choose};
use crate::shop::client::{Answer, CallError};
use crate::shop::clock::token;
use crate::shop::edge::{BODY_LIMIT, Route};
use crate::shop::problem::Problem;
use crate::shop::serve::Peer;

/// Bodies up to this size are kept until the answer comes, so that they can be sent again.
const KEPT_BODY: usize = 64 << 10;
const TRIES: usize = 3;

enum Payload {
    Kept(Bytes),
    /// Too large to keep: sent once, as it comes in.
    Streamed(Body),
}

pub(super) async fn forward(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let route = route(request.uri().path());
    let mut response = balance(&gateway, request).await.into_response();
    response.extensions_mut().insert(route);
    response
}

/// The path as a template, for the figures: few words are known, everything else is a placeholder, so that nobody can
/// fill the memory with names.
fn route(path: &str) -> Route {
    const FIRST: [&str; 12] = [
        "products",
        "search",
        "cart",
        "carts",
        "orders",
        "merchant",
        "stock",
        "totals",
        "audit",
        "returns",
        "repairs",
        "complaints",
    ];
    const LATER: [&str; 17] = [
        "items",
        "payment",
        "cancel",
        "return",
        "stock",
        "trace",
        "returns",
        "repairs",
        "complaints",
        "reviews",
        "answer",
        "close",
        "suppliers",
        "goods",
        "lots",
        "list",
        "unlist",
    ];
    let mut segments = path.trim_matches('/').split('/');
    let mut route = match segments.next() {
        Some(first) if FIRST.contains(&first) => format!("/{first}"),
        _ => return Route("other".to_owned()),
    };
    for segment in segments.take(3) {
        route.push('/');
        route.push_str(if LATER.contains(&segment) { segment } else { "{}" });
    }
    Route(route)
}

async fn balance(gateway: &Gateway, request: Request) -> Result<Response, Problem> {
    let deadline = Instant::now() + gateway.balance.answer_timeout;
    let (mut parts, body) = request.into_parts();
    let payload = payload(&parts, body, gateway.balance.answer_timeout).await?;
    let repeatable = repeatable(&parts) && matches!(payload, Payload::Kept(_));
    prepare(&mut parts);
    gateway.budget.called();
    let mut tried = vec![false; gateway.members.len()];
    let mut payload = Some(payload);
    for nth in 1..=TRIES {
        let turn = gateway.turn.fetch_add(1, Ordering::Relaxed);
        let Some((at, member)) = choose(&gateway.members, gateway.balance.pick, &tried, turn) else { break };
        if let Some(mark) = tried.get_mut(at) {
            *mark = true;
        }
        let body = match payload.take() {
            Some(Payload::Kept(bytes)) => {
                payload = Some(Payload::Kept(bytes.clone()));
                Body::from(bytes)
            }
            Some(Payload::Streamed(body)) => body,
            None => break,
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let within = if repeatable && nth < TRIES { left.min(gateway.balance.try_timeout) } else { left };
        let began = Instant::now();
        let outcome = attempt(member, outgoing(&parts, member, body), within, repeatable).await;
        let error = match outcome {
            Ok(answer) => {
                member.answered(Instant::now());
                return Ok(incoming(answer, member));
            }
            Err(error) => error,
        };
        match error {
            CallError::Busy(_) => (),
            CallError::Late(_) => member.late(began, Instant::now()),
            CallError::Connect { .. } | CallError::Broken { .. } => member.failed(Instant::now()),
        }
        let harmless = payload.is_some() && (repeatable || error.unsent());
        let again = nth < TRIES && harmless && Instant::now() < deadline && gateway.budget.retry();
        if !again {
            return Err(given_up(&error));
        }
    }
    Err(Problem::unavailable("no-node", "no node can be reached"))
}

fn given_up(error: &CallError) -> Problem {
    match error {
        CallError::Busy(_) => Problem::shed("every node"),
        CallError::Connect { .. } => Problem::unavailable("no-node", error.to_string()),
        CallError::Broken { .. } => Problem::new(StatusCode::BAD_GATEWAY, "node-lost", error.to_string()),
        CallError::Late(_) => Problem::new(StatusCode::GATEWAY_TIMEOUT, "timeout", error.to_string()),
    }
}

/// One try. Where it may be repeated, an ejection of the node (others found out that it is gone) ends it early.
async fn attempt(
    member: &Member,
    request: axum::http::Request<Body>,
    within: Duration,
    repeatable: bool,
) -> Result<axum::http::Response<Answer>, CallError> {
    let mut ejections = member.ejections();
    let gone = async {
        match repeatable {
            // It cannot fail while the member lives.
            true => drop(ejections.changed().await),
            false => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        answer = member.upstream.send(request, within) => answer,
        () = gone => Err(CallError::Late(member.upstream.address.clone())),
    }
}

fn repeatable(parts: &Parts) -> bool {
    let idempotent = [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE];
    idempotent.contains(&parts.method) || parts.headers.contains_key("idempotency-key")
}

async fn payload(parts: &Parts, body: Body, within: Duration) -> Result<Payload, Problem> {
    let too_large = || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "the body is over 1 MiB");
    let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let chunked = parts.headers.contains_key(header::TRANSFER_ENCODING);
    match length {
        None if !chunked => Ok(Payload::Kept(Bytes::new())),
        Some(length) if length > BODY_LIMIT => Err(too_large()),
        Some(length) if length <= KEPT_BODY => match timeout(within, body.collect()).await {
            Ok(Ok(body)) => Ok(Payload::Kept(body.to_bytes())),
            Ok(Err(error)) => Err(Problem::bad(format!("the body broke off: {error}"))),
            Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "slow-body", "the body did not come in time")),
        },
        _ => Ok(Payload::Streamed(Body::new(Limited::new(body, BODY_LIMIT)))),
    }
}

/// Headers that concern one connection only.
const HOP: [HeaderName; 8] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in HOP.iter().chain(&named) {
        headers.remove(name);
    }
}

/// What the node should know about where the request came from. Everything else, `X-` headers too, goes on as it is.
fn prepare(parts: &mut Parts) {
    strip(&mut parts.headers);
    parts.headers.remove(header::EXPECT);
    parts.headers.remove(header::CONTENT_LENGTH);
    if let Some(Peer(peer)) = parts.extensions.get::<Peer>() {
        let chain = match parts.headers.get("x-forwarded-for").and_then(|value| value.to_str().ok()) {
            Some(before) => format!("{before}, {}", peer.ip()),
            None => peer.ip().to_string(),
        };
        if let Ok(chain) = HeaderValue::try_from(chain) {
            parts.headers.insert("x-forwarded-for", chain);
        }
    }
    if !parts.headers.contains_key("x-request-id")
        && let Ok(id) = HeaderValue::try_from(token())
    {
        parts.headers.insert("x-request-id", id);
    }
}

fn outgoing(parts: &Parts, member: &Member, body: Body) -> axum::http::Request<Body> {
    let mut request = axum::http::Request::new(body);
    *request.method_mut() = parts.method.clone();
    *request.headers_mut() = parts.headers.clone();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().unwrap_or_default();
    if !request.headers().contains_key(header::HOST)
        && let Ok(host) = HeaderValue::try_from(member.upstream.address.as_str())
    {
        request.headers_mut().insert(header::HOST, host);
    }
    request
}

fn incoming(answer: axum::http::Response<Answer>, member: &Member) -> Response {
    let (mut parts, body) = answer.into_parts();
    strip(&mut parts.headers);
    parts.version = Version::HTTP_11;
    if let Ok(by) = HeaderValue::try_from(member.upstream.address.as_str()) {
        parts.headers.insert("x-served-by", by);
    }
    Response::from_parts(parts, Body::new(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_kept_per_template() {
        let named = |path| route(path).0;
        assert_eq!(named("/orders/17/payment"), "/orders/{}/payment");
        assert_eq!(named("/orders"), "/orders");
        assert_eq!(named("/merchant/stock"), "/merchant/stock");
        assert_eq!(named("/merchant/goods/17/list"), "/merchant/goods/{}/list");
        assert_eq!(named("/carts/items2/items/3"), "/carts/{}/items/{}");
        assert_eq!(named("/a/b/c"), "other");
        assert_eq!(named("/orders/1/2/3/4/5/6/7/8"), "/orders/{}/{}/{}");
    }

    #[test]
    fn headers_of_one_connection_stay_behind() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("connection", "close, x-private"), ("x-private", "1"), ("x-drill-run", "r"), ("te", "t")]
        {
            headers.insert(name, HeaderValue::from_static(value));
        }
        strip(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-drill-run"]);
    }
}
