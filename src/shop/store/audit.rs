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

/// What each sku should have, by its orders, claims and lots.
const BY_SKU: &str = "WITH o AS (
    SELECT o.sku, sum(CASE WHEN o.state = 'placed' THEN quantity ELSE 0 END) AS placed,
        sum(CASE WHEN o.state IN ('paid', 'picked', 'shipped', 'delivered') THEN quantity ELSE 0 END) AS sold,
        sum(CASE WHEN o.state = 'returned' AND r.state = 'received' THEN quantity ELSE 0 END) AS held,
        sum(CASE WHEN r.outcome = 'scrapped' THEN quantity ELSE 0 END) AS scrapped
    FROM orders o LEFT JOIN claims r ON r.order_id = o.id AND r.kind = 'return' AND r.state IN ('received', 'refunded')
    GROUP BY o.sku),
  l AS (SELECT sku, sum(CASE WHEN state = 'passed' THEN quantity ELSE 0 END) AS passed FROM lots GROUP BY sku)
  SELECT s.sku FROM stock s LEFT JOIN o USING (sku) LEFT JOIN l USING (sku) WHERE ";

const OVERSOLD: &str = "coalesce(o.placed + o.sold + o.held + o.scrapped, 0) > s.stocked";

const DRIFT: &str = "s.available + s.reserved + s.sold + s.held + s.scrapped <> s.stocked OR s.available < 0
    OR (s.reserved, s.sold, s.held, s.scrapped) IS NOT
       (coalesce(o.placed, 0), coalesce(o.sold, 0), coalesce(o.held, 0), coalesce(o.scrapped, 0))
    OR s.stocked <> coalesce(l.passed, 0)";

const BY_ORDER: &str = "SELECT o.id FROM orders o LEFT JOIN payments p ON p.order_id = o.id WHERE ";

const UNPAID: &str = "
    (o.state IN ('paid', 'picked', 'shipped', 'delivered') AND (p.state IS NOT 'captured' OR p.amount <> o.amount))
    OR (o.state = 'placed' AND p.state IN ('captured', 'refund-due', 'refunded'))
    OR (o.state = 'returned' AND (p.state IN ('refund-due', 'refunded')) IS NOT TRUE)
    OR (o.state = 'cancelled' AND p.state IN ('pending', 'captured'))";

/// Lots whose pieces are neither there nor with an order.
const LOTS: &str = "WITH t AS (SELECT lot, sum(quantity) AS out FROM pieces WHERE back = 0 GROUP BY lot)
  SELECT l.id FROM lots l LEFT JOIN t ON t.lot = l.id
  WHERE l.remaining + coalesce(t.out, 0) <> CASE l.state WHEN 'passed' THEN l.quantity ELSE 0 END";

/// Orders whose pieces are not where the order is.
const UNTRACED: &str = "WITH t AS (
    SELECT order_id, sum(CASE WHEN back = 0 THEN quantity ELSE 0 END) AS out, sum(quantity) AS picked
    FROM pieces GROUP BY order_id)
  SELECT o.id FROM orders o LEFT JOIN t ON t.order_id = o.id
    LEFT JOIN claims r ON r.order_id = o.id AND r.kind = 'return' AND r.state IN ('received', 'refunded')
  WHERE coalesce(t.picked, 0) <> iif(o.state IN ('placed', 'paid', 'cancelled'), 0, o.quantity)
    OR coalesce(t.out, 0) <> CASE
        WHEN o.state IN ('picked', 'shipped', 'delivered') THEN o.quantity
        WHEN o.state = 'returned' AND (r.state = 'received' OR r.outcome = 'scrapped') THEN o.quantity
        ELSE 0 END";

/// Claims that contradict their order or its money.
const CLAIMS: &str = "SELECT r.id FROM claims r JOIN orders o ON o.id = r.order_id
    LEFT JOIN payments p ON p.order_id = o.id WHERE CASE r.kind
    WHEN 'return' THEN
        (r.state IN ('requested', 'approved') AND o.state <> 'delivered')
        OR (r.state IN ('received', 'refunded') AND o.state <> 'returned')
        OR (r.state = 'received' AND p.state IS NOT 'refund-due')
        OR (r.state = 'refunded' AND (p.state IS NOT 'refunded' OR r.outcome IS NULL))
        OR (r.closed_ms IS NULL) = (r.state IN ('refused', 'refunded'))
        OR EXISTS (SELECT 1 FROM claims x WHERE x.order_id = r.order_id AND x.kind = 'return' AND x.id <> r.id
            AND x.state <> 'refused' AND r.state <> 'refused')
    WHEN 'repair' THEN (r.closed_ms IS NULL AND o.state <> 'delivered')
        OR (r.closed_ms IS NULL) = (r.state = 'sent-back')
        OR (r.closed_ms IS NULL AND EXISTS (SELECT 1 FROM claims x WHERE x.order_id = r.order_id
            AND x.kind = 'return' AND x.closed_ms IS NULL))
    ELSE (r.closed_ms IS NULL) = (r.state = 'closed') OR (r.state <> 'opened' AND r.outcome IS NULL) END";

/// Reviews of what never arrived, and goods whose stars do not add up.
const REVIEWS: &str = "SELECT r.order_id FROM reviews r JOIN orders o ON o.id = r.order_id
    WHERE o.delivered_ms IS NULL OR o.sku <> r.sku
  UNION ALL SELECT sku FROM
    (SELECT sku, count(*) AS count, sum(stars) AS stars FROM reviews GROUP BY sku) n
    FULL JOIN ratings USING (sku) WHERE (n.count, n.stars) IS NOT (ratings.count, ratings.stars)";

/// Suppliers that have goods or lots and were not admitted, and goods on sale that nobody inspected.
const ADMISSION: &str = "SELECT id FROM suppliers s WHERE state <> 'admitted' AND (
    EXISTS (SELECT 1 FROM lots WHERE supplier = s.id) OR EXISTS (SELECT 1 FROM products WHERE supplier = s.id))
  UNION ALL SELECT sku FROM products WHERE listed
    AND NOT EXISTS (SELECT 1 FROM lots WHERE lots.sku = products.sku AND state = 'passed')";

const DUPLICATED: &str = "SELECT min(id) FROM orders GROUP BY key HAVING count(*) > 1";

/// Everything in one consistent view. `consistent` is true when no row contradicts another.
pub(super) fn audit(c: &Connection) -> rusqlite::Result<Value> {
    let view = Transaction::new_unchecked(c, TransactionBehavior::Deferred)?;
    let checks = [
        ("oversold", format!("{BY_SKU}{OVERSOLD}")),
        ("stock_drift", format!("{BY_SKU}{DRIFT}")),
        ("payment_mismatch", format!("{BY_ORDER}{UNPAID}")),
        ("duplicated", DUPLICATED.to_owned()),
        ("lot_drift", LOTS.to_owned()),
        ("untraced", UNTRACED.to_owned()),
        ("claim_mismatch", CLAIMS.to_owned()),
        ("review_mismatch", REVIEWS.to_owned()),
        ("admission_mismatch", ADMISSION.to_owned()),
    ];
    let mut books = Map::new();
    let mut consistent = true;
    for (name, select) in checks {
        let finding = find(&view, &select)?;
        consistent &= finding.count == 0;
        books.insert(name.to_owned(), json!(finding));
    }
    books.insert("consistent".to_owned(), consistent.into());
    books.insert("stock".to_owned(), stock(&view)?);
    let tables = [
        ("orders", "SELECT state, count(*), sum(quantity), sum(amount) FROM orders GROUP BY state"),
        ("payments", "SELECT state, count(*), NULL, sum(amount) FROM payments GROUP BY state"),
        ("lots", "SELECT state, count(*), sum(quantity), NULL FROM lots GROUP BY state"),
        ("goods", "SELECT iif(listed, 'listed', 'unlisted'), count(*), NULL, NULL FROM products GROUP BY 1"),
        ("suppliers", "SELECT state, count(*), NULL, NULL FROM suppliers GROUP BY state"),
        ("returns", "SELECT state, count(*), NULL, NULL FROM claims WHERE kind = 'return' GROUP BY state"),
        ("repairs", "SELECT state, count(*), NULL, NULL FROM claims WHERE kind = 'repair' GROUP BY state"),
        ("complaints", "SELECT state, count(*), NULL, NULL FROM claims WHERE kind = 'complaint' GROUP BY state"),
        ("reviews", "SELECT 'posted', count(*), NULL, NULL FROM reviews HAVING count(*) > 0"),
    ];
    for (name, select) in tables {
        books.insert(name.to_owned(), sums(&view, select)?.into());
    }
    for (name, table) in [("marked_orders", "orders"), ("marked_suppliers", "suppliers")] {
        let select = format!("SELECT count(*) FROM {table} WHERE mark IS NOT NULL");
        books.insert(name.to_owned(), view.query_row(&select, [], |row| row.get::<_, i64>(0))?.into());
    }
    Ok(Value::Object(books))
}

fn find(view: &Connection, select: &str) -> rusqlite::Result<Finding> {
    let count = view.query_row(&format!("SELECT count(*) FROM ({select})"), [], |row| row.get(0))?;
    let ids = view
        .prepare(&format!("SELECT * FROM ({select}) ORDER BY 1 LIMIT ?1"))?
        .query_map(params![NAMED], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Finding { count, ids })
}

/// Where all pieces are: `received = pending + rejected + available + reserved + sold + held + scrapped`.
fn stock(view: &Connection) -> rusqlite::Result<Value> {
    view.query_row(
        "SELECT count(*), coalesce(sum(available), 0), coalesce(sum(reserved), 0), coalesce(sum(sold), 0),
             coalesce(sum(held), 0), coalesce(sum(scrapped), 0), coalesce(sum(stocked), 0),
             (SELECT coalesce(sum(quantity), 0) FROM lots),
             (SELECT coalesce(sum(quantity), 0) FROM lots WHERE state = 'pending'),
             (SELECT coalesce(sum(quantity), 0) FROM lots WHERE state = 'failed')
         FROM stock",
        [],
        |row| {
            let n = |at: usize| row.get::<_, i64>(at);
            Ok(json!({
                "skus": n(0)?, "available": n(1)?, "reserved": n(2)?, "sold": n(3)?, "held": n(4)?, "scrapped": n(5)?,
                "stocked": n(6)?, "received": n(7)?, "pending": n(8)?, "rejected": n(9)?,
            }))
        },
    )
}

/// By state: how many, of how many pieces, worth how many cents, where that means anything.
fn sums(view: &Connection, select: &str) -> rusqlite::Result<Map<String, Value>> {
    let mut select = view.prepare(select)?;
    let row = |row: &rusqlite::Row<'_>| {
        let mut sum = Map::from_iter([("count".to_owned(), row.get::<_, i64>(1)?.into())]);
        for (at, name) in [(2, "quantity"), (3, "amount")] {
            if let Some(sums) = row.get::<_, Option<i64>>(at)? {
                sum.insert(name.to_owned(), sums.into());
            }
        }
        Ok((row.get::<_, String>(0)?, sum.into()))
    };
    select.query_map([], row)?.collect()
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

/// Begun before `before` and never ended, or due for a refund: somebody must ask the payment service about them.
pub(super) fn unsettled(c: &Connection, before: i64, limit: i64) -> rusqlite::Result<Vec<PaymentRow>> {
    let mut select = c.prepare_cached(
        "SELECT order_id, key, amount, state FROM payments
         WHERE (state = 'pending' AND changed_ms <= ?1) OR state = 'refund-due' ORDER BY changed_ms LIMIT ?2",
    )?;
    select.query_map(params![before, limit], payment_row)?.collect()
}
