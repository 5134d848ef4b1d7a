//! Calls to a service behind the node: bounded in time, repeated once where that is safe and the budget allows.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::shop::budget::RetryBudget;
use crate::shop::client::{CallError, Upstream, request};
use crate::shop::problem::Problem;

/// Connecting to a service on the same network takes less, or it is gone.
const CONNECT: Duration = Duration::from_millis(500);

pub(super) struct Backend {
    name: &'static str,
    upstream: Arc<Upstream>,
    within: Duration,
    pub(super) budget: RetryBudget,
}

/// A service's answer, read whole.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Backend {
    pub(super) fn new(name: &'static str, address: &str, connections: usize, within: Duration) -> Self {
        let upstream = Upstream::new(address, connections.max(1), CONNECT);
        Self { name, upstream, within, budget: RetryBudget::new(100, 20) }
    }

    pub(super) async fn get(&self, path: &str) -> Result<Reply, Problem> {
        self.call("GET", path, None, self.within).await
    }

    /// Every change that a node asks for is idempotent (by key, or by the state it leads to), so a call that broke may
    /// be repeated.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Reply, Problem> {
        self.call("POST", path, Some(body), self.within).await
    }

    /// For background work, which must not wait as long as a buyer would.
    pub(super) async fn peek(&self, path: &str, within: Duration) -> Result<Reply, Problem> {
        self.call("GET", path, None, within).await
    }

    async fn call(&self, method: &str, path: &str, body: Option<&Value>, within: Duration) -> Result<Reply, Problem> {
        let once = || self.upstream.call(request(method, path, &self.upstream.address, body), within);
        self.budget.called();
        let mut answer = once().await;
        // What was late may still be under way, and what is full would only get fuller: only broken calls are repeated.
        if matches!(answer, Err(CallError::Broken { .. } | CallError::Connect { .. })) && self.budget.retry() {
            answer = once().await;
        }
        match answer {
            Ok((status, headers, body)) => Ok(Reply { status, headers, body }),
            Err(CallError::Busy(_)) => Err(Problem::shed(self.name)),
            Err(error @ CallError::Late(_)) => {
                let late = StatusCode::GATEWAY_TIMEOUT;
                Err(Problem::new(late, "timeout", format!("{} was too slow: {error}", self.name)))
            }
            Err(error) => Err(Problem::unavailable("unreachable", format!("{} is unreachable: {error}", self.name))),
        }
    }

    pub(super) fn outstanding(&self) -> usize {
        self.upstream.outstanding.load(std::sync::atomic::Ordering::Relaxed)
    }

    pub(super) fn connected(&self) -> u64 {
        self.upstream.connected.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl Reply {
    /// The answer as what it should be; an answer that says no becomes the problem that it is.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        if !self.status.is_success() {
            return Err(self.problem());
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| Problem::new(StatusCode::BAD_GATEWAY, "bad-answer", format!("a strange answer: {error}")))
    }

    fn problem(&self) -> Problem {
        let said: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let text = |name: &str| said.get(name).and_then(Value::as_str).map(str::to_owned);
        Problem {
            status: self.status,
            reason: text("reason").unwrap_or_else(|| "refused".to_owned()),
            error: text("error").unwrap_or_else(|| format!("the service behind answered {}", self.status)),
            retry_after: self.headers.get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok()),
        }
    }

    /// Handed on as it came.
    pub(super) fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        for name in ["content-type", "retry-after", "idempotent-replayed"] {
            if let Some(value) = self.headers.get(name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
        response
    }
}
