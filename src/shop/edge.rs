//! What every part does at its edge: counts, bounds what is in flight, and answers the operators' paths.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, MatchedPath, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::de::DeserializeOwned;

use super::metrics::Metrics;
use super::problem::Problem;
use super::serve::Stop;

/// Bodies over this size are refused: the largest honest one is a batch of goods from `seed`.
pub(super) const BODY_LIMIT: usize = 1 << 20;

/// What the edge of a part needs to know.
#[derive(Debug)]
pub(super) struct Edge {
    pub(super) metrics: Metrics,
    pub(super) in_flight: usize,
    pub(super) stop: Stop,
}

impl Edge {
    pub(super) fn new(part: &'static str, in_flight: usize, stop: Stop) -> Arc<Self> {
        Arc::new(Self { metrics: Metrics::new(part), in_flight, stop })
    }

    fn enter(&self) -> Option<InFlight<'_>> {
        if self.metrics.in_flight.fetch_add(1, Ordering::Relaxed) >= self.in_flight {
            self.metrics.in_flight.fetch_sub(1, Ordering::Relaxed);
            self.metrics.shed.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(InFlight(self))
    }
}

struct InFlight<'a>(&'a Edge);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.metrics.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Lays the edge around a part's routes. The operators' paths are served however full the part is.
pub(super) fn wrap(routes: Router, operators: Router, edge: Arc<Edge>) -> Router {
    routes
        .layer(from_fn_with_state(Arc::clone(&edge), bound))
        .merge(operators)
        .route("/livez", get(async || "alive\n"))
        .fallback(async || Problem::missing("path"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "bad-method", "this path has no such method")
        })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn_with_state(edge, count))
}

/// A better name for the route than its path here, set on an answer.
#[derive(Debug, Clone)]
pub(super) struct Route(pub(super) String);

async fn bound(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    match edge.enter() {
        Some(_in_flight) => next.run(request).await,
        None => Problem::shed("the service").into_response(),
    }
}

async fn count(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let method = match request.method().as_str() {
        known @ ("GET" | "POST" | "PUT" | "DELETE" | "PATCH" | "HEAD" | "OPTIONS") => known.to_owned(),
        _ => "OTHER".to_owned(),
    };
    let mut response = next.run(request).await;
    let route = response.extensions_mut().remove::<Route>().map_or(route, |Route(better)| better);
    edge.metrics.observe(&route, &method, response.status().as_u16(), began.elapsed());
    if edge.stop.is_leaving() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Prometheus text as an answer.
pub(super) fn prometheus(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// A JSON object as the body, refused in the shop's own form when it is none.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|refused| Problem::new(refused.status(), "bad-body", refused.body_text()))?;
        // A list would do for fields in their order, and an empty one for fields that may be left out.
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err(Problem::bad("the body must be a JSON object"));
        }
        serde_json::from_slice(&bytes)
            .map(Body)
            .map_err(|error| Problem::bad(format!("the body does not fit: {error}")))
    }
}

/// The query of the address, refused in the shop's own form when it does not fit.
pub(super) struct Ask<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Ask<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(asked)) => Ok(Ask(asked)),
            Err(refused) => Err(Problem::bad(refused.body_text())),
        }
    }
}

/// A header as text, if it is there and is text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim).filter(|text| !text.is_empty())
}

/// A number out of a path.
pub(super) fn number(text: &str, what: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_| Problem::missing(what))
}
