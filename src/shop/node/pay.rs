//! Payments. The store notes that one was begun, the payment service captures it, the store sells the goods. Whatever
//! dies in between, the note in the store says what is open, and `settle` closes it: sold if it was captured, given up
//! for good if not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::Node;
use super::backend::{Backend, Reply};
use crate::shop::clock::{jitter, millis};
use crate::shop::problem::Problem;

#[derive(Deserialize)]
struct Begun {
    key: String,
    amount: i64,
    order: Begins,
}

#[derive(Deserialize)]
struct Begins {
    payment: Option<String>,
}

/// Pays an order; paying it again is answered with the order as it is.
pub(super) async fn pay(node: &Node, order: i64) -> Result<Reply, Problem> {
    let payment =
        node.payment.as_ref().ok_or_else(|| Problem::unavailable("no-payment", "this shop takes no payments"))?;
    // Before anything is noted: an order that cannot be paid now should not be held by a payment under way.
    if node.breaker.state(Instant::now()) == crate::shop::breaker::State::Open {
        return Err(breaker_open());
    }
    let begun: Begun = node.store.post(&format!("/orders/{order}/payment/begin"), &json!({})).await?.json()?;
    if begun.order.payment.as_deref() == Some("captured") {
        return node.store.get(&format!("/orders/{order}")).await;
    }
    let body = json!({ "key": begun.key, "order": order, "amount": begun.amount });
    guarded(node, payment.post("/payments", &body)).await?.json::<Value>()?;
    node.store.post(&format!("/orders/{order}/payment/captured"), &json!({ "key": begun.key })).await
}

fn breaker_open() -> Problem {
    Problem::unavailable("breaker-open", "payments are failing; none is tried for a moment")
}

/// Through the circuit breaker. A refusal with reasons is no failure of the service.
async fn guarded(node: &Node, call: impl Future<Output = Result<Reply, Problem>>) -> Result<Reply, Problem> {
    if !node.breaker.admit(Instant::now()) {
        return Err(breaker_open());
    }
    let answer = call.await;
    match &answer {
        Ok(reply) if !reply.status.is_server_error() => node.breaker.succeeded(),
        _ => node.breaker.failed(Instant::now()),
    }
    answer
}

/// Cancels or takes back, and refunds what was paid. A refund that does not work now is done by `settle`.
pub(super) async fn undo(node: &Node, order: i64, how: &str) -> Result<Reply, Problem> {
    let reply = node.store.post(&format!("/orders/{order}/{how}"), &json!({})).await?;
    let after: Option<Begins> = reply.json().ok();
    if after.and_then(|order| order.payment).as_deref() == Some("refund-due") {
        let open = Open { order, key: String::new(), state: "refund-due".to_owned() };
        if refund_of_order(node, &open).await.is_ok() {
            return node.store.get(&format!("/orders/{order}")).await;
        }
    }
    Ok(reply)
}

#[derive(Deserialize)]
struct Open {
    order: i64,
    key: String,
    state: String,
}

#[derive(Deserialize)]
struct AllOpen {
    payments: Vec<Open>,
}

#[derive(Deserialize)]
struct Payment {
    key: String,
    state: String,
}

#[derive(Deserialize)]
struct Payments {
    payments: Vec<Payment>,
}

async fn refund_of_order(node: &Node, open: &Open) -> Result<(), Problem> {
    let Some(payment) = &node.payment else { return Ok(()) };
    let of_order: Payments = payment.get(&format!("/payments?order={}", open.order)).await?.json()?;
    for paid in of_order.payments.iter().filter(|paid| paid.state == "captured" || paid.state == "refunded") {
        refund(node, payment, open.order, &paid.key).await?;
    }
    Ok(())
}

async fn refund(node: &Node, payment: &Backend, order: i64, key: &str) -> Result<(), Problem> {
    guarded(node, payment.post(&format!("/payments/{key}/refund"), &json!({}))).await?.json::<Value>()?;
    let done = format!("/orders/{order}/payment/refunded");
    node.store.post(&done, &json!({ "key": key })).await?.json::<Value>().map(drop)
}

const SETTLED_AT_ONCE: usize = 50;

/// Ends what was begun long ago and never ended, and refunds what is due, for ever. Several nodes may do it at once: each step is idempotent.
pub(super) async fn settle(node: Arc<Node>, age: Duration) {
    let pause = age.clamp(Duration::from_millis(200), Duration::from_secs(2));
    let mut busy = false;
    loop {
        // While whole pages of refunds wait, there is no time to lose.
        if !std::mem::take(&mut busy) {
            sleep(pause + Duration::from_millis(jitter(200))).await;
        }
        let path = format!("/payments/unsettled?older_ms={}&limit={SETTLED_AT_ONCE}", millis(age));
        let Ok(AllOpen { payments }) = node.store.get(&path).await.and_then(|reply| reply.json()) else { continue };
        busy = payments.len() == SETTLED_AT_ONCE;
        for open in payments {
            // What does not work now is still open in the next round.
            if settle_one(&node, &open).await.is_err() {
                busy = false;
                break;
            }
        }
    }
}

async fn settle_one(node: &Node, open: &Open) -> Result<(), Problem> {
    let Some(payment) = &node.payment else { return Ok(()) };
    if open.state == "refund-due" {
        return refund(node, payment, open.order, &open.key).await;
    }
    let (path, body) = (format!("/payments/{}/void", open.key), json!({ "order": open.order }));
    let outcome: Payment = guarded(node, payment.post(&path, &body)).await?.json()?;
    let told = if outcome.state == "voided" { "voided" } else { "captured" };
    let path = format!("/orders/{}/payment/{told}", open.order);
    let reply = node.store.post(&path, &json!({ "key": open.key })).await?;
    match reply.status {
        // Somebody else was faster.
        StatusCode::CONFLICT => Ok(()),
        _ => reply.json::<Value>().map(drop),
    }
}
