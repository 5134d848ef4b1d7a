//! The paths that shoppers, merchants and operators use.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::{Node, audit, care, merchants, pay};
use crate::shop::clock::token;
use crate::shop::edge::{self, Ask, Body, number, text};
use crate::shop::metrics::Page;
use crate::shop::problem::Problem;
use crate::shop::store::{Totals, cart_name};

pub(super) type Shared = State<Arc<Node>>;

pub(super) fn routes(node: Arc<Node>) -> Router {
    let edge = Arc::clone(&node.edge);
    let business = Router::new()
        .route("/products", get(products))
        .route("/products/{id}", get(product))
        .route("/search", get(search))
        .route("/cart", get(own_cart))
        .route("/cart/items", post(own_cart_line))
        .route("/carts/{id}", get(cart))
        .route("/carts/{id}/items", post(cart_line))
        .route("/carts/{id}/items/{sku}", put(cart_quantity).delete(cart_remove))
        .route("/orders", get(find_orders).post(place))
        .route("/orders/{id}", get(order))
        .route("/orders/{id}/payment", post(payment))
        .route("/orders/{id}/cancel", post(cancel))
        .route("/orders/{id}/return", post(give_back))
        .route("/stock", get(stock_page))
        .route("/stock/{sku}", get(stock))
        .merge(merchants::routes())
        .merge(care::routes())
        .route("/audit", get(full_audit))
        .with_state(Arc::clone(&node))
        .layer(from_fn(session));
    let operators = Router::new()
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .route("/totals", get(totals))
        .route("/metrics", get(metrics))
        .with_state(node);
    edge::wrap(business, operators, edge)
}

/// Who comes without a session gets one.
async fn session(mut request: Request, next: Next) -> Response {
    if session_of(request.headers()).is_some() {
        return next.run(request).await;
    }
    let fresh = format!("session={}", token());
    let cookie = HeaderValue::try_from(format!("{fresh}; Path=/; HttpOnly; SameSite=Lax"));
    if let Ok(value) = HeaderValue::try_from(fresh) {
        // Seen by the handlers too, so that the very first request can fill a cart.
        request.headers_mut().append(header::COOKIE, value);
    }
    let mut response = next.run(request).await;
    if let Ok(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

fn session_of(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let sound = |id: &str| (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
    pairs.find_map(|(name, id)| (name == "session" && sound(id)).then_some(id))
}

/// A number, or the same in quotes: templates produce either.
pub(super) fn either<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    match Value::deserialize(from)? {
        Value::Number(n) => n.as_i64().ok_or_else(|| serde::de::Error::custom("a whole number is needed")),
        Value::String(text) => text.trim().parse().map_err(|_| serde::de::Error::custom("a whole number is needed")),
        _ => Err(serde::de::Error::custom("a whole number is needed")),
    }
}

pub(super) fn text_or_number<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    match Value::deserialize(from)? {
        Value::Number(n) => Ok(n.to_string()),
        Value::String(text) => Ok(text),
        _ => Err(serde::de::Error::custom("a text or a number is needed")),
    }
}

fn first() -> usize {
    1
}

#[derive(Deserialize)]
struct PageOf {
    #[serde(default = "first")]
    page: usize,
    #[serde(default)]
    q: String,
}

async fn products(State(node): Shared, Ask(asked): Ask<PageOf>) -> Response {
    Json(node.catalogue.list(asked.page)).into_response()
}

async fn search(State(node): Shared, Ask(asked): Ask<PageOf>) -> Result<Response, Problem> {
    if asked.q.len() > 200 {
        return Err(Problem::bad("`q` is over 200 bytes"));
    }
    Ok(Json(node.catalogue.search(&asked.q, asked.page)).into_response())
}

/// From the node's own copy; what it does not know yet, the store may.
async fn product(State(node): Shared, Path(id): Path<String>) -> Result<Response, Problem> {
    let sku = number(&id, "product")?;
    match node.catalogue.one(sku) {
        Some(one) => Ok(Json(one).into_response()),
        None => Ok(node.store.get(&format!("/goods/{sku}")).await?.into_response()),
    }
}

#[derive(Deserialize)]
struct Line {
    #[serde(deserialize_with = "either")]
    sku: i64,
    #[serde(deserialize_with = "either", default = "one_piece")]
    quantity: i64,
}

fn one_piece() -> i64 {
    1
}

#[derive(Deserialize)]
struct Quantity {
    #[serde(deserialize_with = "either")]
    quantity: i64,
}

async fn set_line(node: &Node, cart: &str, sku: i64, quantity: i64) -> Result<Response, Problem> {
    let line = json!({ "sku": sku, "quantity": quantity });
    Ok(node.store.post(&format!("/carts/{}/items", cart_name(cart)?), &line).await?.into_response())
}

async fn cart(State(node): Shared, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(node.store.get(&format!("/carts/{}", cart_name(&id)?)).await?.into_response())
}

async fn cart_line(State(node): Shared, Path(id): Path<String>, Body(line): Body<Line>) -> Result<Response, Problem> {
    set_line(&node, &id, line.sku, line.quantity).await
}

async fn cart_quantity(
    State(node): Shared,
    Path((id, sku)): Path<(String, String)>,
    Body(asked): Body<Quantity>,
) -> Result<Response, Problem> {
    set_line(&node, &id, number(&sku, "sku")?, asked.quantity).await
}

async fn cart_remove(State(node): Shared, Path((id, sku)): Path<(String, String)>) -> Result<Response, Problem> {
    set_line(&node, &id, number(&sku, "sku")?, 0).await
}

fn own(headers: &HeaderMap) -> Result<&str, Problem> {
    session_of(headers).ok_or_else(|| Problem::bad("there is no session"))
}

async fn own_cart(State(node): Shared, headers: HeaderMap) -> Result<Response, Problem> {
    Ok(node.store.get(&format!("/carts/{}", own(&headers)?)).await?.into_response())
}

async fn own_cart_line(State(node): Shared, headers: HeaderMap, Body(line): Body<Line>) -> Result<Response, Problem> {
    set_line(&node, own(&headers)?, line.sku, line.quantity).await
}

#[derive(Deserialize)]
struct NewOrder {
    #[serde(deserialize_with = "either")]
    sku: i64,
    #[serde(deserialize_with = "either", default = "one_piece")]
    quantity: i64,
    #[serde(deserialize_with = "text_or_number")]
    buyer: String,
    cart: Option<String>,
}

/// The `Idempotency-Key` makes a request have one effect. Without one the node makes one, so that its own repetition has
/// no second effect either, and every request is a thing of its own.
pub(super) fn key(headers: &HeaderMap) -> Result<String, Problem> {
    match headers.get("idempotency-key") {
        None => Ok(token()),
        Some(_) => text(headers, "idempotency-key")
            .map(str::to_owned)
            .ok_or_else(|| Problem::bad("the Idempotency-Key must be 1 to 200 visible characters")),
    }
}

async fn place(State(node): Shared, headers: HeaderMap, Body(new): Body<NewOrder>) -> Result<Response, Problem> {
    let order = json!({
        "key": key(&headers)?, "sku": new.sku, "quantity": new.quantity, "buyer": new.buyer, "cart": new.cart,
        "mark": text(&headers, "x-drill-run"),
    });
    Ok(node.store.post("/orders", &order).await?.into_response())
}

#[derive(Deserialize)]
pub(super) struct Find {
    key: String,
}

/// What a key led to: nothing, or one thing.
pub(super) async fn found(node: &Node, path: &str, find: &Find) -> Result<Response, Problem> {
    let key = percent_encoding::utf8_percent_encode(&find.key, percent_encoding::NON_ALPHANUMERIC);
    Ok(node.store.get(&format!("{path}?key={key}")).await?.into_response())
}

async fn find_orders(State(node): Shared, Ask(find): Ask<Find>) -> Result<Response, Problem> {
    found(&node, "/orders", &find).await
}

async fn order(State(node): Shared, Path(id): Path<String>) -> Result<Response, Problem> {
    let id = number(&id, "order")?;
    Ok(node.store.get(&format!("/orders/{id}")).await?.into_response())
}

async fn payment(State(node): Shared, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(pay::pay(&node, number(&id, "order")?).await?.into_response())
}

async fn cancel(State(node): Shared, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(pay::undo(&node, number(&id, "order")?, "cancel").await?.into_response())
}

async fn give_back(State(node): Shared, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(pay::undo(&node, number(&id, "order")?, "return").await?.into_response())
}

async fn stock(State(node): Shared, Path(sku): Path<String>) -> Result<Response, Problem> {
    let sku = number(&sku, "sku")?;
    Ok(node.store.get(&format!("/stock/{sku}")).await?.into_response())
}

#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: i64,
}

async fn stock_page(State(node): Shared, Ask(asked): Ask<After>) -> Result<Response, Problem> {
    Ok(node.store.get(&format!("/stock?after={}", asked.after)).await?.into_response())
}

async fn totals(State(node): Shared) -> Result<Response, Problem> {
    Ok(node.store.get("/totals").await?.into_response())
}

async fn full_audit(State(node): Shared) -> Result<Response, Problem> {
    Ok(Json(audit::audit(&node).await?).into_response())
}

/// The node itself, whatever is behind it.
async fn health() -> Json<Value> {
    Json(json!({ "ok": true }))
}

/// With what is behind it. `stopping` is for the gateway: such a node should get no more requests, while one whose store
/// is away still answers from its catalogue.
async fn ready(State(node): Shared) -> Response {
    let (seen, ago) = node.catalogue.store_seen();
    let stopping = node.edge.stop.is_leaving();
    let said = json!({
        "ready": seen && !stopping, "stopping": stopping,
        "dependencies": {
            "store": { "ok": seen, "seen_ms_ago": ago.map(|ago| u64::try_from(ago.as_millis()).unwrap_or(u64::MAX)) },
            "payment": { "configured": node.payment.is_some(), "breaker": node.breaker_state() },
        },
    });
    if seen && !stopping {
        return Json(said).into_response();
    }
    (axum::http::StatusCode::SERVICE_UNAVAILABLE, Json(said)).into_response()
}

async fn metrics(State(node): Shared) -> Response {
    let mut page = Page { text: node.edge.metrics.render() };
    page.single("shop_catalogue_goods", "gauge", "Goods in the node's copy of the catalogue.", node.catalogue.len());
    page.head("shop_breaker_state", "gauge", "1 for the state that the payment breaker is in.");
    for state in ["closed", "open", "half-open"] {
        page.line("shop_breaker_state", &format!("state=\"{state}\""), u8::from(node.breaker_state() == state));
    }
    page.single("shop_breaker_opened_total", "counter", "How often it opened.", node.breaker.opened());
    let behind = [("store", Some(&node.store)), ("payment", node.payment.as_ref())];
    page.head("shop_backend_outstanding", "gauge", "Calls to a service behind that are not answered yet.");
    for (name, backend) in behind.iter().filter_map(|(name, backend)| backend.map(|backend| (name, backend))) {
        page.line("shop_backend_outstanding", &format!("backend=\"{name}\""), backend.outstanding());
    }
    page.head("shop_backend_connections_total", "counter", "Connections that were opened.");
    for (name, backend) in behind.iter().filter_map(|(name, backend)| backend.map(|backend| (name, backend))) {
        page.line("shop_backend_connections_total", &format!("backend=\"{name}\""), backend.connected());
    }
    page.head("shop_backend_retries_total", "counter", "Calls that were repeated.");
    for (name, backend) in behind.iter().filter_map(|(name, backend)| backend.map(|backend| (name, backend))) {
        page.line("shop_backend_retries_total", &format!("backend=\"{name}\""), backend.budget.retries());
    }
    // Without the store they are left out: no data is not nothing.
    let totals = node.store.peek("/totals", Duration::from_millis(500)).await.and_then(|reply| reply.json::<Totals>());
    if let Ok(totals) = totals {
        totals.render(&mut page);
    }
    edge::prometheus(page.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_read_from_among_other_cookies() {
        let mut headers = HeaderMap::new();
        assert_eq!(session_of(&headers), None);
        headers.append(header::COOKIE, HeaderValue::from_static("theme=dark; session=../../x"));
        assert_eq!(session_of(&headers), None, "a name that is not ours");
        headers.append(header::COOKIE, HeaderValue::from_static("lang=zh; session=abc123"));
        assert_eq!(session_of(&headers), Some("abc123"));
    }
}
