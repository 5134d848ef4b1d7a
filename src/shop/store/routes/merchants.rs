//! The store's paths for suppliers and what they deliver.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Find, Shared, created};
use crate::shop::clock::now_ms;
use crate::shop::edge::{Ask, Body, number};
use crate::shop::problem::Problem;
use crate::shop::store::{Store, goods, lots, suppliers};

pub(super) fn routes() -> Router<Arc<Store>> {
    Router::new()
        .route("/suppliers", get(find_supplier).post(apply))
        .route("/suppliers/{id}", get(supplier))
        .route("/offers", post(register))
        .route("/offers/{sku}", get(offer))
        .route("/offers/{sku}/listing", post(set_listed))
        .route("/lots", get(find_lot).post(receive))
        .route("/lots/{id}", get(lot))
        .route("/orders/{id}/trace", get(trace))
}

async fn apply(State(store): Shared, Body(new): Body<suppliers::Application>) -> Result<Response, Problem> {
    let terms = store.terms;
    Ok(created(store.database.write(move |c| suppliers::apply(c, &new, terms, now_ms())).await??))
}

async fn supplier(State(store): Shared, Path(id): Path<String>) -> Answer<suppliers::Supplier> {
    let id = number(&id, "supplier")?;
    let found = store.database.read(move |c| suppliers::by_id(c, id)).await?;
    found.map(Json).ok_or_else(|| Problem::missing("supplier"))
}

async fn find_supplier(State(store): Shared, Ask(find): Ask<Find>) -> Answer {
    let found = store.database.read(move |c| suppliers::by_key(c, &find.key)).await?;
    Ok(Json(json!({ "count": u8::from(found.is_some()), "suppliers": Vec::from_iter(found) })))
}

async fn register(State(store): Shared, Body(new): Body<goods::NewOffer>) -> Result<Response, Problem> {
    Ok(created(store.database.write(move |c| goods::register(c, &new, now_ms())).await??))
}

async fn offer(State(store): Shared, Path(sku): Path<String>) -> Answer {
    let sku = number(&sku, "sku")?;
    let both = store.database.read(move |c| Ok(goods::any(c, sku)?.zip(goods::stock(c, sku)?))).await?;
    let (offer, stock) = both.ok_or_else(|| Problem::missing("sku"))?;
    Ok(Json(json!({ "offer": offer, "stock": stock })))
}

#[derive(Deserialize)]
struct Listing {
    supplier: Option<i64>,
    listed: bool,
}

async fn set_listed(State(store): Shared, Path(sku): Path<String>, Body(to): Body<Listing>) -> Answer<goods::Offer> {
    let sku = number(&sku, "sku")?;
    Ok(Json(store.database.write(move |c| goods::set_listed(c, sku, to.supplier, to.listed)).await??))
}

async fn receive(State(store): Shared, Body(new): Body<lots::NewLot>) -> Result<Response, Problem> {
    let terms = store.terms;
    Ok(created(store.database.write(move |c| lots::receive(c, &new, terms, now_ms())).await??))
}

async fn lot(State(store): Shared, Path(id): Path<String>) -> Answer<lots::Lot> {
    let id = number(&id, "lot")?;
    let found = store.database.read(move |c| lots::by_id(c, id)).await?;
    found.map(Json).ok_or_else(|| Problem::missing("lot"))
}

async fn find_lot(State(store): Shared, Ask(find): Ask<Find>) -> Answer {
    let found = store.database.read(move |c| lots::by_key(c, &find.key)).await?;
    Ok(Json(json!({ "count": u8::from(found.is_some()), "lots": Vec::from_iter(found) })))
}

async fn trace(State(store): Shared, Path(id): Path<String>) -> Answer {
    let id = number(&id, "order")?;
    Ok(Json(store.database.read(move |c| lots::trace(c, id)).await??))
}
