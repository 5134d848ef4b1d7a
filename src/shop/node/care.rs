//! The paths that buyers use after delivery: returns, repairs, complaints, reviews.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;

use super::Node;
use super::routes::{Find, Shared, either, found, key, text_or_number};
use crate::shop::edge::{Ask, Body, number};
use crate::shop::problem::Problem;

pub(super) fn routes() -> Router<Arc<Node>> {
    ["returns", "repairs", "complaints"]
        .into_iter()
        .fold(Router::new(), |router, kind| router.merge(of_kind(kind)))
        .route("/complaints/{id}/answer", post(answer))
        .route("/complaints/{id}/close", post(close))
        .route("/orders/{id}/reviews", get(review).post(post_review))
        .route("/products/{id}/reviews", get(reviews))
}

#[derive(Deserialize)]
struct Claim {
    cause: String,
    #[serde(default)]
    says: String,
}

/// Opening a claim, looking at it, and finding it by its key. What becomes of it is the store's affair; the refund of a
/// return that was received is `settle`'s.
fn of_kind(kind: &'static str) -> Router<Arc<Node>> {
    let open = async move |State(node): Shared, Path(id): Path<String>, headers: HeaderMap, Body(new): Body<Claim>| {
        let id = number(&id, "order")?;
        let claim = json!({ "key": key(&headers)?, "cause": new.cause, "says": new.says });
        let made = node.store.post(&format!("/orders/{id}/{kind}"), &claim).await?;
        Ok::<_, Problem>(made.into_response())
    };
    let look = async move |State(node): Shared, Path(id): Path<String>| {
        let id = number(&id, "claim")?;
        Ok::<_, Problem>(node.store.get(&format!("/{kind}/{id}")).await?.into_response())
    };
    let find = async move |State(node): Shared, Ask(find): Ask<Find>| found(&node, &format!("/{kind}"), &find).await;
    Router::new()
        .route(&format!("/orders/{{id}}/{kind}"), post(open))
        .route(&format!("/{kind}/{{id}}"), get(look))
        .route(&format!("/{kind}"), get(find))
}

#[derive(Deserialize)]
struct Said {
    says: String,
}

/// Somebody of the service desk answers before the desk does it by itself.
async fn answer(State(node): Shared, Path(id): Path<String>, Body(said): Body<Said>) -> Result<Response, Problem> {
    let id = number(&id, "complaint")?;
    Ok(node.store.post(&format!("/complaints/{id}/answer"), &json!({ "says": said.says })).await?.into_response())
}

async fn close(State(node): Shared, Path(id): Path<String>) -> Result<Response, Problem> {
    let id = number(&id, "complaint")?;
    Ok(node.store.post(&format!("/complaints/{id}/close"), &json!({})).await?.into_response())
}

#[derive(Deserialize)]
struct Review {
    #[serde(deserialize_with = "text_or_number")]
    buyer: String,
    #[serde(deserialize_with = "either")]
    stars: i64,
    #[serde(default)]
    says: String,
}

async fn post_review(
    State(node): Shared,
    Path(id): Path<String>,
    Body(new): Body<Review>,
) -> Result<Response, Problem> {
    let id = number(&id, "order")?;
    let review = json!({ "buyer": new.buyer, "stars": new.stars, "says": new.says });
    Ok(node.store.post(&format!("/orders/{id}/reviews"), &review).await?.into_response())
}

async fn review(State(node): Shared, Path(id): Path<String>) -> Result<Response, Problem> {
    let id = number(&id, "order")?;
    Ok(node.store.get(&format!("/orders/{id}/reviews")).await?.into_response())
}

#[derive(Deserialize)]
struct Older {
    before: Option<i64>,
}

async fn reviews(State(node): Shared, Path(sku): Path<String>, Ask(asked): Ask<Older>) -> Result<Response, Problem> {
    let (sku, before) = (number(&sku, "product")?, asked.before.unwrap_or(i64::MAX));
    Ok(node.store.get(&format!("/goods/{sku}/reviews?before={before}")).await?.into_response())
}
