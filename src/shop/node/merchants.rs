//! The paths that merchants use: to be admitted, to offer goods, to deliver lots of them.

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
use crate::shop::edge::{Ask, Body, number, text};
use crate::shop::problem::Problem;

pub(super) fn routes() -> Router<Arc<Node>> {
    Router::new()
        .route("/merchant/suppliers", get(find_supplier).post(apply))
        .route("/merchant/suppliers/{id}", get(supplier))
        .route("/merchant/goods", post(register))
        .route("/merchant/goods/{sku}", get(offer))
        .route("/merchant/goods/{sku}/list", post(list))
        .route("/merchant/goods/{sku}/unlist", post(unlist))
        .route("/merchant/lots", get(find_lot).post(deliver))
        .route("/merchant/lots/{id}", get(lot))
        .route("/merchant/stock", post(restock))
        .route("/orders/{id}/trace", get(trace))
}

#[derive(Deserialize)]
struct Application {
    name: String,
    #[serde(deserialize_with = "text_or_number")]
    licence: String,
    #[serde(deserialize_with = "either")]
    score: i64,
}

async fn apply(State(node): Shared, headers: HeaderMap, Body(new): Body<Application>) -> Result<Response, Problem> {
    let application = json!({
        "key": key(&headers)?, "name": new.name, "licence": new.licence, "score": new.score,
        "mark": text(&headers, "x-drill-run"),
    });
    Ok(node.store.post("/suppliers", &application).await?.into_response())
}

async fn supplier(State(node): Shared, Path(id): Path<String>) -> Result<Response, Problem> {
    let id = number(&id, "supplier")?;
    Ok(node.store.get(&format!("/suppliers/{id}")).await?.into_response())
}

async fn find_supplier(State(node): Shared, Ask(find): Ask<Find>) -> Result<Response, Problem> {
    found(&node, "/suppliers", &find).await
}

#[derive(Deserialize)]
struct Goods {
    #[serde(deserialize_with = "either")]
    supplier: i64,
    name: String,
    category: String,
    /// Cents.
    #[serde(deserialize_with = "either")]
    price: i64,
}

async fn register(State(node): Shared, headers: HeaderMap, Body(new): Body<Goods>) -> Result<Response, Problem> {
    let offer = json!({
        "key": key(&headers)?, "supplier": new.supplier, "name": new.name, "category": new.category,
        "price": new.price,
    });
    Ok(node.store.post("/offers", &offer).await?.into_response())
}

async fn offer(State(node): Shared, Path(sku): Path<String>) -> Result<Response, Problem> {
    let sku = number(&sku, "sku")?;
    Ok(node.store.get(&format!("/offers/{sku}")).await?.into_response())
}

/// Whose goods they are; nobody's are the house's.
#[derive(Deserialize)]
struct Owner {
    #[serde(default, deserialize_with = "some")]
    supplier: Option<i64>,
}

fn some<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    either(from).map(Some)
}

async fn set_listed(node: &Node, sku: &str, owner: &Owner, listed: bool) -> Result<Response, Problem> {
    let sku = number(sku, "sku")?;
    let body = json!({ "supplier": owner.supplier, "listed": listed });
    Ok(node.store.post(&format!("/offers/{sku}/listing"), &body).await?.into_response())
}

async fn list(State(node): Shared, Path(sku): Path<String>, Body(owner): Body<Owner>) -> Result<Response, Problem> {
    set_listed(&node, &sku, &owner, true).await
}

async fn unlist(State(node): Shared, Path(sku): Path<String>, Body(owner): Body<Owner>) -> Result<Response, Problem> {
    set_listed(&node, &sku, &owner, false).await
}

#[derive(Deserialize)]
struct Lot {
    #[serde(deserialize_with = "either")]
    supplier: i64,
    #[serde(deserialize_with = "either")]
    sku: i64,
    #[serde(deserialize_with = "either")]
    quantity: i64,
    #[serde(default, deserialize_with = "either")]
    defective: i64,
}

/// Delivers a lot, which is sold only once it passed its inspection.
async fn deliver(State(node): Shared, headers: HeaderMap, Body(new): Body<Lot>) -> Result<Response, Problem> {
    let lot = json!({
        "key": key(&headers)?, "supplier": new.supplier, "sku": new.sku, "quantity": new.quantity,
        "defective": new.defective,
    });
    Ok(node.store.post("/lots", &lot).await?.into_response())
}

async fn lot(State(node): Shared, Path(id): Path<String>) -> Result<Response, Problem> {
    let id = number(&id, "lot")?;
    Ok(node.store.get(&format!("/lots/{id}")).await?.into_response())
}

async fn find_lot(State(node): Shared, Ask(find): Ask<Find>) -> Result<Response, Problem> {
    found(&node, "/lots", &find).await
}

#[derive(Deserialize)]
struct Restock {
    #[serde(deserialize_with = "either")]
    sku: i64,
    #[serde(deserialize_with = "either")]
    add: i64,
}

/// Adds pieces of the house's own, which were inspected where they come from.
async fn restock(State(node): Shared, headers: HeaderMap, Body(asked): Body<Restock>) -> Result<Response, Problem> {
    let body = json!({ "sku": asked.sku, "add": asked.add, "key": key(&headers)? });
    Ok(node.store.post("/stock", &body).await?.into_response())
}

/// Where an order's pieces came from: lot, supplier, inspection.
async fn trace(State(node): Shared, Path(id): Path<String>) -> Result<Response, Problem> {
    let id = number(&id, "order")?;
    Ok(node.store.get(&format!("/orders/{id}/trace")).await?.into_response())
}
