//! What a part answers when it does not do what was asked: a status, a sentence, and a reason that programs can match.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) reason: String,
    pub(super) error: String,
    /// Seconds after which it is worth trying again.
    pub(super) retry_after: Option<u32>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, reason: &str, error: impl Into<String>) -> Self {
        Self { status, reason: reason.to_owned(), error: error.into(), retry_after: None }
    }

    pub(super) fn bad(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", error)
    }

    pub(super) fn missing(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", format!("no such {what}"))
    }

    pub(super) fn conflict(reason: &str, error: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, reason, error)
    }

    pub(super) fn unavailable(reason: &str, error: impl Into<String>) -> Self {
        Self { retry_after: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, reason, error) }
    }

    /// Too much at once: refused on purpose, before any work was done for it.
    pub(super) fn shed(what: &str) -> Self {
        Self::unavailable("overloaded", format!("{what} is full; try again shortly"))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Json(json!({ "error": self.error, "reason": self.reason }));
        let mut response = (self.status, body).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
