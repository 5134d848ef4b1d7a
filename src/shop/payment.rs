//! The payment service: captures money once per key, and remembers. A key that was voided is never captured
//! afterwards, so that whoever gives a payment up can be sure of it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::args::{Bounds, Data, PaymentArgs};
use super::clock::{jitter, millis, now_ms};
use super::database::Database;
use super::edge::{self, Ask, Body, Edge};
use super::metrics::Page;
use super::problem::Problem;
use super::serve::{self, Stop};
use super::{ShopError, store};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS payments (
    key TEXT PRIMARY KEY, order_id INTEGER NOT NULL, amount INTEGER NOT NULL CHECK (amount >= 0), state TEXT NOT NULL
        CHECK (state IN ('captured', 'refunded', 'voided')),
    at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS payments_order ON payments (order_id);
";

#[derive(Debug, Clone, Serialize)]
struct Payment {
    key: String,
    order: i64,
    /// Cents.
    amount: i64,
    state: String,
    at_ms: i64,
}

#[derive(Debug, Deserialize)]
struct NewPayment {
    key: String,
    order: i64,
    amount: i64,
}

/// How long a bank takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) latency: Duration,
    pub(super) jitter: Duration,
}

struct Service {
    database: Database,
    pace: Pace,
    edge: Arc<Edge>,
}

pub(super) async fn run(args: PaymentArgs, stop: Stop) -> Result<(), ShopError> {
    let (listener, address) = serve::listen(&args.listen).await?;
    let folder = store::folder(&args.data, "payment", &address.to_string());
    let pace = Pace { latency: args.latency, jitter: args.jitter };
    let app = open(&folder, &args.data, pace, &args.bounds, &stop)?;
    serve::announce("payment", address);
    serve(listener, app, &args.bounds, stop).await;
    Ok(())
}

pub(super) fn open(
    folder: &std::path::Path,
    data: &Data,
    pace: Pace,
    bounds: &Bounds,
    stop: &Stop,
) -> Result<Router, ShopError> {
    let database = Database::open(folder, "payment.db", SCHEMA, data.queue)?;
    let edge = Edge::new("payment", bounds.in_flight, stop.clone());
    Ok(routes(Arc::new(Service { database, pace, edge })))
}

pub(super) async fn serve(listener: TcpListener, app: Router, bounds: &Bounds, stop: Stop) {
    serve::serve(listener, app, stop, bounds.into()).await;
}

fn routes(service: Arc<Service>) -> Router {
    let edge = Arc::clone(&service.edge);
    let business = Router::new()
        .route("/payments", get(list).post(capture))
        .route("/payments/{key}", get(lookup))
        .route("/payments/{key}/void", post(void))
        .route("/payments/{key}/refund", post(refund))
        .route("/totals", get(totals))
        .with_state(Arc::clone(&service));
    let operators = Router::new()
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(service);
    edge::wrap(business, operators, edge)
}

type Shared = State<Arc<Service>>;
type Answer<T = Value> = Result<Json<T>, Problem>;

const COLUMNS: &str = "SELECT key, order_id, amount, state, at_ms FROM payments WHERE ";

fn payment_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Payment> {
    Ok(Payment { key: row.get(0)?, order: row.get(1)?, amount: row.get(2)?, state: row.get(3)?, at_ms: row.get(4)? })
}

fn find(c: &Connection, key: &str) -> rusqlite::Result<Option<Payment>> {
    c.prepare_cached(&format!("{COLUMNS} key = ?1"))?.query_row([key], payment_row).optional()
}

async fn capture(State(service): Shared, Body(new): Body<NewPayment>) -> Answer<Payment> {
    if new.key.is_empty() || new.key.len() > 200 || !(1..=1_000_000_000_000).contains(&new.amount) {
        return Err(Problem::bad("a payment needs a key of 1 to 200 bytes and an amount in cents"));
    }
    let slower = Duration::from_millis(jitter(millis(service.pace.jitter).unsigned_abs() + 1));
    tokio::time::sleep(service.pace.latency + slower).await;
    let payment = service.database.write(move |c| {
        let mut insert = c.prepare_cached("INSERT OR IGNORE INTO payments VALUES (?1, ?2, ?3, 'captured', ?4)")?;
        insert.execute(params![new.key, new.order, new.amount, now_ms()])?;
        let payment = find(c, &new.key)?.ok_or_else(|| Problem::missing("payment"));
        Ok(payment.and_then(|payment| match payment.state.as_str() {
            "voided" => Err(Problem::conflict("voided", "this payment was given up and is never captured")),
            _ if (payment.order, payment.amount) != (new.order, new.amount) => {
                Err(Problem::conflict("key-reused", "this key paid for something else"))
            }
            _ => Ok(payment),
        }))
    });
    Ok(Json(payment.await??))
}

async fn lookup(State(service): Shared, Path(key): Path<String>) -> Answer<Payment> {
    let found = service.database.read(move |c| find(c, &key)).await?;
    found.map(Json).ok_or_else(|| Problem::missing("payment"))
}

#[derive(Debug, Deserialize)]
struct Void {
    order: i64,
}

/// Makes sure that a payment either was captured or never will be; says which.
async fn void(State(service): Shared, Path(key): Path<String>, Body(of): Body<Void>) -> Answer<Payment> {
    let outcome = service.database.write(move |c| {
        let mut insert = c.prepare_cached("INSERT OR IGNORE INTO payments VALUES (?1, ?2, 0, 'voided', ?3)")?;
        insert.execute(params![key, of.order, now_ms()])?;
        find(c, &key)
    });
    outcome.await?.map(Json).ok_or_else(|| Problem::missing("payment"))
}

async fn refund(State(service): Shared, Path(key): Path<String>) -> Answer<Payment> {
    let outcome = service.database.write(move |c| {
        let mut update = c.prepare_cached(
            "UPDATE payments SET state = 'refunded', at_ms = ?2 WHERE key = ?1 AND state = 'captured'",
        )?;
        update.execute(params![key, now_ms()])?;
        find(c, &key)
    });
    match outcome.await? {
        None => Err(Problem::missing("payment")),
        Some(payment) if payment.state == "voided" => Err(Problem::conflict("voided", "nothing was captured")),
        Some(payment) => Ok(Json(payment)),
    }
}

#[derive(Debug, Deserialize)]
struct List {
    /// Of one order; all in order of their keys without it.
    order: Option<i64>,
    #[serde(default)]
    after: String,
    limit: Option<i64>,
}

async fn list(State(service): Shared, Ask(asked): Ask<List>) -> Answer {
    let limit = asked.limit.unwrap_or(1000).clamp(1, 1000);
    let rows = service.database.read(move |c| match asked.order {
        Some(order) => c
            .prepare_cached(&format!("{COLUMNS} order_id = ?1 ORDER BY key LIMIT ?2"))?
            .query_map([order, limit], payment_row)?
            .collect::<rusqlite::Result<Vec<_>>>(),
        None => c
            .prepare_cached(&format!("{COLUMNS} key > ?1 ORDER BY key LIMIT ?2"))?
            .query_map(params![asked.after, limit], payment_row)?
            .collect(),
    });
    let rows = rows.await?;
    Ok(Json(json!({ "count": rows.len(), "payments": rows })))
}

async fn sums(service: &Service) -> Result<Vec<(String, i64, i64)>, Problem> {
    let sums = service.database.read(|c| {
        c.prepare_cached("SELECT state, count(*), sum(amount) FROM payments GROUP BY state ORDER BY state")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect()
    });
    sums.await
}

async fn totals(State(service): Shared) -> Answer {
    let sums = sums(&service).await?;
    let states = sums.iter().map(|(state, count, amount)| (state.clone(), json!({ "count": count, "amount": amount })));
    Ok(Json(Value::Object(states.collect())))
}

async fn health(State(service): Shared) -> Answer {
    service.database.read(|c| c.query_row("SELECT 1", [], |_| Ok(()))).await?;
    Ok(Json(json!({ "ok": true })))
}

async fn ready(State(service): Shared) -> Answer {
    if service.edge.stop.is_leaving() {
        return Err(Problem::unavailable("stopping", "the payment service is stopping"));
    }
    service.database.write(|_| Ok(())).await?;
    Ok(Json(json!({ "ready": true })))
}

async fn metrics(State(service): Shared) -> Result<Response, Problem> {
    let mut page = Page { text: service.edge.metrics.render() };
    service.database.metrics(&mut page);
    page.head("shop_payments", "gauge", "Payments by state.");
    for (state, count, _) in sums(&service).await? {
        page.line("shop_payments", &format!("state=\"{state}\""), count);
    }
    Ok(edge::prometheus(page.text))
}
