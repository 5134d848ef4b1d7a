//! The store's paths.

mod care;
mod merchants;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::totals::{Totals, totals};
use super::{Goods, Store, audit, carts, goods, lots, orders};
use crate::shop::clock::now_ms;
use crate::shop::edge::{self, Ask, Body, number};
use crate::shop::metrics::Page;
use crate::shop::problem::Problem;

type Shared = State<Arc<Store>>;
type Answer<T = Value> = Result<Json<T>, Problem>;

pub(super) fn routes(store: Arc<Store>) -> Router {
    let edge = Arc::clone(&store.edge);
    let business = Router::new()
        .route("/catalogue/version", get(version))
        .route("/catalogue", get(catalogue))
        .route("/goods/{sku}", get(one_good))
        .route("/stock", get(stock_page).post(restock))
        .route("/stock/{sku}", get(stock))
        .route("/carts/{id}", get(cart))
        .route("/carts/{id}/items", post(set_line))
        .route("/orders", get(find_orders).post(place))
        .route("/orders/{id}", get(order))
        .route("/orders/{id}/payment/begin", post(begin_payment))
        .route("/orders/{id}/payment/captured", post(captured))
        .route("/orders/{id}/payment/voided", post(voided))
        .route("/orders/{id}/payment/refunded", post(refunded))
        .route("/orders/{id}/cancel", post(cancel))
        .route("/orders/{id}/return", post(give_back))
        .route("/payments", get(payments))
        .route("/payments/unsettled", get(unsettled))
        .merge(merchants::routes())
        .merge(care::routes())
        .route("/audit", get(full_audit))
        .route("/admin/goods", post(seed))
        .with_state(Arc::clone(&store));
    let operators = Router::new()
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .route("/totals", get(all_totals))
        .route("/metrics", get(metrics))
        .with_state(store);
    edge::wrap(business, operators, edge)
}

/// Serves as long as the file can be read.
async fn health(State(store): Shared) -> Answer {
    let version = store.database.read(goods::version).await?;
    Ok(Json(json!({ "ok": true, "catalogue": version })))
}

async fn ready(State(store): Shared) -> Answer {
    if store.edge.stop.is_leaving() {
        return Err(Problem::unavailable("stopping", "the store is stopping"));
    }
    // A write that changes nothing, by the same way as every other: the disk must be able to take it.
    store.database.write(|_| Ok(())).await?;
    Ok(Json(json!({ "ready": true })))
}

async fn metrics(State(store): Shared) -> Result<Response, Problem> {
    let mut page = Page { text: store.edge.metrics.render() };
    store.database.metrics(&mut page);
    store.database.read(|c| totals(c, now_ms())).await?.render(&mut page);
    Ok(edge::prometheus(page.text))
}

async fn all_totals(State(store): Shared) -> Answer<Totals> {
    Ok(Json(store.database.read(|c| totals(c, now_ms())).await?))
}

async fn full_audit(State(store): Shared) -> Answer {
    Ok(Json(store.database.read(audit::audit).await?))
}

#[derive(Debug, Deserialize)]
struct Range {
    #[serde(default)]
    after: i64,
    limit: Option<i64>,
}

impl Range {
    fn limit(&self) -> i64 {
        self.limit.unwrap_or(1000).clamp(1, 1000)
    }
}

async fn version(State(store): Shared) -> Answer {
    Ok(Json(json!({ "version": store.database.read(goods::version).await? })))
}

async fn catalogue(State(store): Shared, Ask(range): Ask<Range>) -> Answer {
    let page = move |c: &rusqlite::Connection| Ok((goods::version(c)?, goods::page(c, range.after, range.limit())?));
    let (version, goods) = store.database.read(page).await?;
    Ok(Json(json!({ "version": version, "goods": goods })))
}

async fn one_good(State(store): Shared, Path(sku): Path<String>) -> Answer<Goods> {
    let sku = number(&sku, "sku")?;
    let found = store.database.read(move |c| goods::one(c, sku)).await?;
    found.map(Json).ok_or_else(|| Problem::missing("sku"))
}

async fn stock(State(store): Shared, Path(sku): Path<String>) -> Answer<goods::Stock> {
    let sku = number(&sku, "sku")?;
    let found = store.database.read(move |c| goods::stock(c, sku)).await?;
    found.map(Json).ok_or_else(|| Problem::missing("sku"))
}

async fn stock_page(State(store): Shared, Ask(range): Ask<Range>) -> Answer {
    let rows = store.database.read(move |c| goods::stock_page(c, range.after, range.limit())).await?;
    Ok(Json(json!({ "stock": rows })))
}

#[derive(Debug, Deserialize)]
struct Restock {
    sku: i64,
    add: i64,
    key: Option<String>,
}

async fn restock(State(store): Shared, Body(asked): Body<Restock>) -> Answer<goods::Stock> {
    let change = move |c: &rusqlite::Connection| lots::restock(c, asked.sku, asked.add, asked.key.as_deref(), now_ms());
    Ok(Json(store.database.write(change).await??))
}

#[derive(Debug, Deserialize)]
struct Seed {
    goods: Vec<Goods>,
}

async fn seed(State(store): Shared, Body(asked): Body<Seed>) -> Answer<goods::Seeded> {
    if asked.goods.len() > 1000 {
        return Err(Problem::bad("at most 1000 goods at once"));
    }
    Ok(Json(store.database.write(move |c| goods::seed(c, &asked.goods, now_ms())).await??))
}

async fn cart(State(store): Shared, Path(id): Path<String>) -> Answer<carts::Cart> {
    carts::name(&id)?;
    Ok(Json(store.database.read(move |c| carts::cart(c, &id)).await?))
}

#[derive(Debug, Deserialize)]
struct Line {
    sku: i64,
    quantity: i64,
}

async fn set_line(State(store): Shared, Path(id): Path<String>, Body(line): Body<Line>) -> Answer<carts::Cart> {
    Ok(Json(store.database.write(move |c| carts::set(c, &id, line.sku, line.quantity, now_ms())).await??))
}

#[derive(Debug, Deserialize)]
struct Find {
    key: String,
}

async fn find_orders(State(store): Shared, Ask(find): Ask<Find>) -> Answer {
    let orders = store.database.read(move |c| orders::by_key(c, &find.key)).await?;
    Ok(Json(json!({ "count": orders.len(), "orders": orders })))
}

async fn order(State(store): Shared, Path(id): Path<String>) -> Answer<orders::Order> {
    let id = number(&id, "order")?;
    let found = store.database.read(move |c| orders::by_id(c, id)).await?;
    found.map(Json).ok_or_else(|| Problem::missing("order"))
}

/// The same key again gives the same answer, 201 too, so that a balancer may repeat it unseen; only a header tells.
fn created<T: Serialize>((made, fresh): (T, bool)) -> Response {
    let replayed = if fresh { "false" } else { "true" };
    (StatusCode::CREATED, [("idempotent-replayed", replayed)], Json(made)).into_response()
}

async fn place(State(store): Shared, Body(new): Body<orders::NewOrder>) -> Result<Response, Problem> {
    let delays = store.delays;
    Ok(created(store.database.write(move |c| orders::place(c, &new, delays, now_ms())).await??))
}

async fn begin_payment(State(store): Shared, Path(id): Path<String>) -> Answer<orders::Begun> {
    let id = number(&id, "order")?;
    Ok(Json(store.database.write(move |c| orders::begin_payment(c, id, now_ms())).await??))
}

#[derive(Debug, Deserialize)]
struct PaymentKey {
    key: String,
}

async fn captured(State(store): Shared, Path(id): Path<String>, Body(of): Body<PaymentKey>) -> Answer<orders::Order> {
    let (id, delays) = (number(&id, "order")?, store.delays);
    Ok(Json(store.database.write(move |c| orders::captured(c, id, &of.key, delays, now_ms())).await??))
}

async fn voided(State(store): Shared, Path(id): Path<String>, Body(of): Body<PaymentKey>) -> Answer<orders::Order> {
    let (id, delays) = (number(&id, "order")?, store.delays);
    Ok(Json(store.database.write(move |c| orders::voided(c, id, &of.key, delays, now_ms())).await??))
}

async fn refunded(State(store): Shared, Path(id): Path<String>, Body(of): Body<PaymentKey>) -> Answer<orders::Order> {
    let id = number(&id, "order")?;
    Ok(Json(store.database.write(move |c| orders::refunded(c, id, &of.key, now_ms())).await??))
}

async fn cancel(State(store): Shared, Path(id): Path<String>) -> Answer<orders::Order> {
    let id = number(&id, "order")?;
    Ok(Json(store.database.write(move |c| orders::cancel(c, id, "by the buyer", now_ms())).await??))
}

async fn give_back(State(store): Shared, Path(id): Path<String>) -> Answer<orders::Order> {
    let id = number(&id, "order")?;
    Ok(Json(store.database.write(move |c| orders::give_back(c, id, "by the buyer", now_ms())).await??))
}

#[derive(Debug, Deserialize)]
struct PaymentRange {
    #[serde(default)]
    after: String,
    limit: Option<i64>,
}

async fn payments(State(store): Shared, Ask(range): Ask<PaymentRange>) -> Answer {
    let limit = range.limit.unwrap_or(1000).clamp(1, 1000);
    let rows = store.database.read(move |c| audit::payments(c, &range.after, limit)).await?;
    Ok(Json(json!({ "payments": rows })))
}

#[derive(Debug, Deserialize)]
struct Unsettled {
    older_ms: i64,
    limit: Option<i64>,
}

async fn unsettled(State(store): Shared, Ask(asked): Ask<Unsettled>) -> Answer {
    let (before, limit) = (now_ms().saturating_sub(asked.older_ms), asked.limit.unwrap_or(50).clamp(1, 1000));
    let rows = store.database.read(move |c| audit::unsettled(c, before, limit)).await?;
    Ok(Json(json!({ "payments": rows })))
}
