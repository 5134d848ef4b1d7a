//! The gateway: one address for all nodes. It takes nodes that fail out of rotation, within about a second also those
//! that only stand still, asks another one where that is safe, and takes them back when they answer again.
//!
//! - `/healthz`: the shop can serve: some node is in rotation and has what it needs, the store above all. 503 otherwise.
//! - `/readyz`: the same, and the gateway is not stopping; names every node's place.
//! - `/health/nodes`: 503 while any configured node is not fully in rotation, so that a probe sees the loss of one node
//!   that buyers do not notice.
//! - `/metrics`: its own figures, and the shop's by state as some node tells them.

mod forward;
mod member;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use self::member::{Heard, Member, Place, Rules};
use super::ShopError;
use super::args::{Balance, Bounds, GatewayArgs};
use super::budget::RetryBudget;
use super::client::{Upstream, request};
use super::edge::{self, Edge};
use super::metrics::Page;
use super::serve::{self, Stop};
use super::store::Totals;

struct Gateway {
    members: Vec<Arc<Member>>,
    balance: Balance,
    budget: RetryBudget,
    turn: AtomicUsize,
    edge: Arc<Edge>,
}

pub(super) async fn run(args: GatewayArgs, stop: Stop) -> Result<(), ShopError> {
    let (listener, address) = serve::listen(&args.listen).await?;
    let app = open(&args.nodes, &args.balance, &args.bounds, &stop);
    serve::announce("gateway", address);
    serve::serve(listener, app, stop, (&args.bounds).into()).await;
    Ok(())
}

/// The gateway's paths, with its health checks begun.
pub(super) fn open(nodes: &[String], balance: &Balance, bounds: &Bounds, stop: &Stop) -> Router {
    let rules = Rules { eject_after: balance.eject_after.max(1), eject_for: balance.eject_for };
    let member = |address: &String| {
        let upstream = Upstream::new(address.trim(), balance.pool.max(1), balance.connect_timeout);
        Arc::new(Member::new(upstream, rules))
    };
    let gateway = Arc::new(Gateway {
        members: nodes.iter().filter(|address| !address.trim().is_empty()).map(member).collect(),
        balance: balance.clone(),
        // A node that stands still takes a second's worth of its requests with it: the reserve is for those.
        budget: RetryBudget::new(200, 200),
        turn: AtomicUsize::new(0),
        edge: Edge::new("gateway", bounds.in_flight, stop.clone()),
    });
    for member in &gateway.members {
        let checking = check(Arc::clone(member), balance.check_every, balance.check_timeout);
        tokio::spawn(checking);
    }
    let business = Router::new()
        .route("/", any(forward::forward))
        .route("/{*path}", any(forward::forward))
        .with_state(Arc::clone(&gateway));
    let operators = Router::new()
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .route("/health/nodes", get(all_nodes))
        .route("/metrics", get(metrics))
        .with_state(Arc::clone(&gateway));
    edge::wrap(business, operators, Arc::clone(&gateway.edge))
}

#[derive(Deserialize)]
struct Said {
    ready: bool,
    stopping: bool,
}

/// Asks one node how it is, for ever. On a connection of its own, so that a check never waits for a buyer's.
async fn check(member: Arc<Member>, every: Duration, within: Duration) {
    let address = &member.upstream.address;
    let probe = Upstream::new(address, 1, within);
    loop {
        let answer = probe.call(request("GET", "/readyz", address, None), within).await;
        match answer {
            // A node that answers is alive, even where it does not say what we hoped for.
            Ok((status, _, body)) => {
                let said =
                    serde_json::from_slice(&body).unwrap_or(Said { ready: status.is_success(), stopping: false });
                member.checked(Heard { ready: said.ready, stopping: said.stopping }, Instant::now());
            }
            Err(_) => {
                member.failed(Instant::now());
                probe.forget();
            }
        }
        sleep(every).await;
    }
}

impl Gateway {
    fn describe(&self) -> Vec<Value> {
        let member = |member: &Arc<Member>| {
            json!({
                "address": member.upstream.address, "place": member.place().name(), "ready": member.is_ready(),
                "outstanding": member.outstanding(), "ejected": member.ejected(),
            })
        };
        self.members.iter().map(member).collect()
    }

    fn can_serve(&self) -> bool {
        self.members.iter().any(|member| member.is_ready())
    }

    fn answer(&self, good: bool) -> Response {
        let status = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        (status, Json(json!({ "ok": good, "nodes": self.describe() }))).into_response()
    }
}

type Shared = State<Arc<Gateway>>;

async fn health(State(gateway): Shared) -> Response {
    gateway.answer(gateway.can_serve())
}

async fn ready(State(gateway): Shared) -> Response {
    gateway.answer(gateway.can_serve() && !gateway.edge.stop.is_leaving())
}

async fn all_nodes(State(gateway): Shared) -> Response {
    gateway.answer(gateway.members.iter().all(|member| member.place() == Place::In))
}

async fn metrics(State(gateway): Shared) -> Response {
    let mut page = Page { text: gateway.edge.metrics.render() };
    let each = |page: &mut Page, name: &str, value: &dyn Fn(&Member) -> u64| {
        for member in &gateway.members {
            page.line(name, &format!("node=\"{}\"", member.upstream.address), value(member));
        }
    };
    page.head("shop_gateway_node_in", "gauge", "1 while the node is fully in rotation.");
    each(&mut page, "shop_gateway_node_in", &|member| u64::from(member.place() == Place::In));
    page.head("shop_gateway_node_outstanding", "gauge", "Requests that the node has not answered yet.");
    each(&mut page, "shop_gateway_node_outstanding", &|member| member.outstanding() as u64);
    page.head("shop_gateway_node_ejected_total", "counter", "How often the node was taken out.");
    each(&mut page, "shop_gateway_node_ejected_total", &Member::ejected);
    let connected = |member: &Member| member.upstream.connected.load(std::sync::atomic::Ordering::Relaxed);
    page.head("shop_gateway_node_connections_total", "counter", "Connections that were opened.");
    each(&mut page, "shop_gateway_node_connections_total", &connected);
    page.single("shop_gateway_retries_total", "counter", "Tries after the first.", gateway.budget.retries());
    let refused = gateway.budget.refused();
    page.single("shop_gateway_retries_refused_total", "counter", "Tries that the budget did not allow.", refused);
    if let Some(totals) = totals(&gateway).await {
        totals.render(&mut page);
    }
    edge::prometheus(page.text)
}

/// The shop's figures, from some node. Without a node, or a store behind it, there are none.
async fn totals(gateway: &Gateway) -> Option<Totals> {
    let of_those = |wanted: fn(&Member) -> bool| gateway.members.iter().find(|member| wanted(member));
    let member = of_those(Member::is_ready).or_else(|| of_those(Member::may_take))?;
    let request = request("GET", "/totals", &member.upstream.address, None);
    let (_, _, body) = member.upstream.call(request, Duration::from_millis(800)).await.ok()?;
    serde_json::from_slice(&body).ok()
}
