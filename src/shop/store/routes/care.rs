//! The store's paths for what comes after delivery: returns, repairs, complaints, reviews.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Find, Shared, created};
use crate::shop::clock::now_ms;
use crate::shop::edge::{Ask, Body, number};
use crate::shop::problem::Problem;
use crate::shop::store::claims::{self, Kind};
use crate::shop::store::{Store, reviews};

pub(super) fn routes() -> Router<Arc<Store>> {
    [Kind::Return, Kind::Repair, Kind::Complaint]
        .into_iter()
        .fold(Router::new(), |router, kind| router.merge(of_kind(kind)))
        .route("/complaints/{id}/answer", post(answer))
        .route("/complaints/{id}/close", post(close))
        .route("/orders/{id}/reviews", get(review).post(post_review))
        .route("/goods/{sku}/reviews", get(reviews_of))
}

/// Opening a claim, looking at it, and finding it by its key.
fn of_kind(kind: Kind) -> Router<Arc<Store>> {
    let plural = kind.plural();
    let open = async move |State(store): Shared, Path(id): Path<String>, Body(new): Body<claims::NewClaim>| {
        let (id, terms) = (number(&id, "order")?, store.terms);
        let made = store.database.write(move |c| claims::open(c, kind, id, &new, terms, now_ms())).await??;
        Ok::<_, Problem>(created(made))
    };
    let look = async move |State(store): Shared, Path(id): Path<String>| {
        let id = number(&id, kind.name())?;
        let found = store.database.read(move |c| claims::by_id(c, kind, id)).await?;
        found.map(Json).ok_or_else(|| Problem::missing(kind.name()))
    };
    let find = async move |State(store): Shared, Ask(find): Ask<Find>| {
        let found = store.database.read(move |c| claims::by_key(c, kind, &find.key)).await?;
        Ok::<_, Problem>(Json(json!({ "count": u8::from(found.is_some()), plural: Vec::from_iter(found) })))
    };
    Router::new()
        .route(&format!("/orders/{{id}}/{plural}"), post(open))
        .route(&format!("/{plural}/{{id}}"), get(look))
        .route(&format!("/{plural}"), get(find))
}

#[derive(Deserialize)]
struct Said {
    says: String,
}

async fn answer(State(store): Shared, Path(id): Path<String>, Body(said): Body<Said>) -> Answer<claims::Claim> {
    let id = number(&id, "complaint")?;
    Ok(Json(store.database.write(move |c| claims::answer(c, id, &said.says, now_ms())).await??))
}

async fn close(State(store): Shared, Path(id): Path<String>) -> Answer<claims::Claim> {
    let id = number(&id, "complaint")?;
    Ok(Json(store.database.write(move |c| claims::close(c, id, now_ms())).await??))
}

async fn post_review(
    State(store): Shared,
    Path(id): Path<String>,
    Body(new): Body<reviews::NewReview>,
) -> Result<Response, Problem> {
    let id = number(&id, "order")?;
    Ok(created(store.database.write(move |c| reviews::post(c, id, &new, now_ms())).await??))
}

/// None, or the one.
async fn review(State(store): Shared, Path(id): Path<String>) -> Answer {
    let id = number(&id, "order")?;
    let found = store.database.read(move |c| reviews::of_order(c, id)).await?;
    Ok(Json(json!({ "count": u8::from(found.is_some()), "reviews": Vec::<Value>::from_iter(found.map(|r| json!(r))) })))
}

#[derive(Deserialize)]
struct Older {
    before: Option<i64>,
}

async fn reviews_of(State(store): Shared, Path(sku): Path<String>, Ask(asked): Ask<Older>) -> Answer<reviews::Reviews> {
    let (sku, before) = (number(&sku, "sku")?, asked.before.unwrap_or(i64::MAX));
    Ok(Json(store.database.read(move |c| reviews::of_goods(c, sku, before)).await??))
}
