//! A node: the shop as its buyers see it. It keeps nothing but a copy of the catalogue, so any node can serve anybody
//! and one more or less makes no difference. Stock, carts and orders are the store's; money is the payment service's.

mod audit;
mod backend;
mod care;
mod catalogue;
mod merchants;
mod pay;
mod routes;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;

use self::backend::Backend;
use self::catalogue::Catalogue;
use super::ShopError;
use super::args::{Bounds, NodeArgs, NodeCalls};
use super::breaker::Breaker;
use super::edge::Edge;
use super::serve::{self, Stop};

pub(super) struct Node {
    store: Backend,
    payment: Option<Backend>,
    breaker: Breaker,
    catalogue: Catalogue,
    edge: Arc<Edge>,
}

pub(super) async fn run(args: NodeArgs, stop: Stop) -> Result<(), ShopError> {
    let (listener, address) = serve::listen(&args.listen).await?;
    let app = open(&args.store, args.payment.as_deref(), &args.calls, &args.bounds, &stop);
    serve::announce("node", address);
    serve::serve(listener, app, stop, (&args.bounds).into()).await;
    Ok(())
}

/// The node's paths, with its background work begun.
pub(super) fn open(store: &str, payment: Option<&str>, calls: &NodeCalls, bounds: &Bounds, stop: &Stop) -> Router {
    let node = Arc::new(Node {
        store: Backend::new("the store", store, calls.pool, calls.store_timeout),
        payment: payment.map(|address| Backend::new("the payment service", address, calls.pool, calls.payment_timeout)),
        breaker: Breaker::new(calls.breaker_failures, calls.breaker_open),
        catalogue: Catalogue::default(),
        edge: Edge::new("node", bounds.in_flight, stop.clone()),
    });
    tokio::spawn(until(stop.clone(), catalogue::follow(Arc::clone(&node))));
    if node.payment.is_some() {
        tokio::spawn(until(stop.clone(), pay::settle(Arc::clone(&node), calls.settle)));
    }
    routes::routes(node)
}

async fn until(stop: Stop, work: impl Future<Output = ()>) {
    tokio::select! { () = stop.leaving() => (), () = work => () }
}

impl Node {
    fn breaker_state(&self) -> &'static str {
        use super::breaker::State;
        match self.breaker.state(Instant::now()) {
            State::Closed => "closed",
            State::Open => "open",
            State::HalfOpen => "half-open",
        }
    }
}
