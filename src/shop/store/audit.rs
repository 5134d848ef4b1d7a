//! The store's own reckoning: its rows added up, and every row that contradicts another.

use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Offenders named at most; their number is always exact.
const NAMED: i64 = 20;

#[derive(Debug, Serialize)]
struct Finding {
    count: i64,
    /// The first few, by sku or order.
    ids: Vec<i64>,
}

impl Finding {
    fn none(&self) -> bool {
        self.count == 0
    }
}

const BY_SKU: &str = "WITH held AS (
    SELECT sku, sum(CASE WHEN state = 'placed' THEN quantity ELSE 0 END) AS placed,
        sum(CASE WHEN state IN ('paid', 'picked', 'shipped', 'delivered') THEN quantity ELSE 0 END) AS sold
    FROM orders GROUP BY sku)
  SELECT s.sku FROM stock s LEFT JOIN held h USING (sku) WHERE ";

const BY_ORDER: &str = "SELECT o.id FROM orders o LEFT JOIN payments p ON p.order_id = o.id WHERE ";

const LIVE: &str = "o.state IN ('paid', 'picked', 'shipped', 'delivered')";

/// Everything in one consistent view. `consistent` is true when no row contradicts another.
pub(super) fn audit(c: &Connection) -> rusqlite::Result<Value> {
    let view = Transaction::new_unchecked(c, TransactionBehavior::Deferred)?;
    let find = |select: &str, condition: &str| -> rusqlite::Result<Finding> {
        let from = format!("{select}{condition}");
        let count = view.query_row(&format!("SELECT count(*) FROM ({from})"), [], |row| row.get(0))?;
        let ids = view
            .prepare(&format!("{from} ORDER BY 1 LIMIT ?1"))?
            .query_map(params![NAMED], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        Ok(Finding { count, ids })
    };
    let oversold = find(BY_SKU, "coalesce(h.placed, 0) + coalesce(h.sold, 0) > s.stocked")?;
    let drift = find(
        BY_SKU,
        "s.available + s.reserved + s.sold <> s.stocked OR s.reserved <> coalesce(h.placed, 0)
         OR s.sold <> coalesce(h.sold, 0) OR s.available < 0",
    )?;
    let unmatched = find(
        BY_ORDER,
        &format!(
            "({LIVE} AND (p.state IS NOT 'captured' OR p.amount <> o.amount))
             OR (o.state = 'placed' AND p.state IN ('captured', 'refund-due', 'refunded'))
             OR (o.state = 'returned' AND p.state NOT IN ('refund-due', 'refunded'))
             OR (o.state = 'cancelled' AND p.state IN ('pending', 'captured'))"
        ),
    )?;
    let duplicated = find("SELECT min(id) FROM orders GROUP BY key HAVING count(*) > 1", "")?;
    let consistent = oversold.none() && drift.none() && unmatched.none() && duplicated.none();
    let stock = view.query_row(
        "SELECT count(*), coalesce(sum(available), 0), coalesce(sum(reserved), 0), coalesce(sum(sold), 0),
         coalesce(sum(stocked), 0) FROM stock",
        [],
        |row| {
            Ok(json!({
                "skus": row.get::<_, i64>(0)?, "available": row.get::<_, i64>(1)?, "reserved": row.get::<_, i64>(2)?,
                "sold": row.get::<_, i64>(3)?, "stocked": row.get::<_, i64>(4)?,
            }))
        },
    )?;
    let orders = sums(&view, "SELECT state, count(*), sum(quantity), sum(amount) FROM orders GROUP BY state")?;
    let payments = sums(&view, "SELECT state, count(*), NULL, sum(amount) FROM payments GROUP BY state")?;
    let marked: i64 = view.query_row("SELECT count(*) FROM orders WHERE mark IS NOT NULL", [], |row| row.get(0))?;
    Ok(json!({
        "consistent": consistent, "oversold": oversold, "stock_drift": drift, "payment_mismatch": unmatched,
        "duplicated": duplicated, "stock": stock, "orders": orders, "payments": payments, "marked_orders": marked,
    }))
}

fn sums(view: &Connection, select: &str) -> rusqlite::Result<Map<String, Value>> {
    let mut select = view.prepare(select)?;
    let row = |row: &rusqlite::Row<'_>| {
        let mut sum = json!({ "count": row.get::<_, i64>(1)?, "amount": row.get::<_, i64>(3)? });
        if let (Some(quantity), Value::Object(fields)) = (row.get::<_, Option<i64>>(2)?, &mut sum) {
            fields.insert("quantity".to_owned(), quantity.into());
        }
        Ok((row.get::<_, String>(0)?, sum))
    };
    select.query_map([], row)?.collect()
}

/// Orders by state: `(state, how many ever reached it, how many are in it)`.
pub(super) fn totals(c: &Connection) -> rusqlite::Result<Vec<(String, i64, i64)>> {
    let mut select = c.prepare_cached("SELECT state, reached, now FROM totals ORDER BY rowid")?;
    select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
}

/// A row of the store's own book of payments.
#[derive(Debug, Serialize)]
pub(super) struct PaymentRow {
    order: i64,
    key: String,
    amount: i64,
    state: String,
}

fn payment_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<PaymentRow> {
    Ok(PaymentRow { order: row.get(0)?, key: row.get(1)?, amount: row.get(2)?, state: row.get(3)? })
}

pub(super) fn payments(c: &Connection, after: &str, limit: i64) -> rusqlite::Result<Vec<PaymentRow>> {
    let mut select =
        c.prepare_cached("SELECT order_id, key, amount, state FROM payments WHERE key > ?1 ORDER BY key LIMIT ?2")?;
    select.query_map(params![after, limit], payment_row)?.collect()
}

/// Begun or due for a refund since before `before`: somebody must ask the payment service about them.
pub(super) fn unsettled(c: &Connection, before: i64, limit: i64) -> rusqlite::Result<Vec<PaymentRow>> {
    let mut select = c.prepare_cached(
        "SELECT order_id, key, amount, state FROM payments
         WHERE state IN ('pending', 'refund-due') AND changed_ms <= ?1 ORDER BY changed_ms LIMIT ?2",
    )?;
    select.query_map(params![before, limit], payment_row)?.collect()
}
