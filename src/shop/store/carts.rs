//! Carts: lines of goods under a name that the shopper holds. They reserve nothing.

use rusqlite::{Connection, params};
use serde::Serialize;

use super::goods::{self, Outcome};
use crate::shop::problem::Problem;

const MOST_LINES: i64 = 50;

#[derive(Debug, Serialize)]
pub(super) struct Cart {
    id: String,
    items: Vec<Line>,
    /// Cents, at today's prices.
    amount: i64,
}

#[derive(Debug, Serialize)]
struct Line {
    sku: i64,
    quantity: i64,
    name: String,
    price: i64,
}

/// A cart's name, if it may be one.
pub(in crate::shop) fn name(id: &str) -> Result<&str, Problem> {
    let sound = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    match (1..=64).contains(&id.len()) && id.bytes().all(sound) {
        true => Ok(id),
        false => Err(Problem::bad("a cart's name is 1 to 64 letters, digits, - and _")),
    }
}

pub(super) fn cart(c: &Connection, id: &str) -> rusqlite::Result<Cart> {
    let mut select = c.prepare_cached(
        "SELECT l.sku, l.quantity, p.name, p.price FROM carts l JOIN products p USING (sku) WHERE l.id = ?1 ORDER BY 1",
    )?;
    let line = |row: &rusqlite::Row<'_>| {
        Ok(Line { sku: row.get(0)?, quantity: row.get(1)?, name: row.get(2)?, price: row.get(3)? })
    };
    let items = select.query_map([id], line)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let amount = items.iter().map(|line| line.price * line.quantity).sum();
    Ok(Cart { id: id.to_owned(), items, amount })
}

/// Sets a line to a quantity (0 takes it out), so that saying it twice is saying it once.
pub(super) fn set(c: &Connection, id: &str, sku: i64, quantity: i64, now: i64) -> Outcome<Cart> {
    if let Err(unsound) = name(id) {
        return Ok(Err(unsound));
    }
    if !(0..=1000).contains(&quantity) {
        return Ok(Err(Problem::bad("`quantity` must lie between 0 and 1000")));
    }
    if quantity == 0 {
        c.prepare_cached("DELETE FROM carts WHERE id = ?1 AND sku = ?2")?.execute(params![id, sku])?;
        return cart(c, id).map(Ok);
    }
    if goods::one(c, sku)?.is_none() {
        return Ok(Err(Problem::missing("sku")));
    }
    let mut others = c.prepare_cached("SELECT count(*) FROM carts WHERE id = ?1 AND sku <> ?2")?;
    if others.query_row(params![id, sku], |row| row.get::<_, i64>(0))? >= MOST_LINES {
        return Ok(Err(Problem::conflict("cart-full", format!("a cart holds at most {MOST_LINES} lines"))));
    }
    let mut upsert = c.prepare_cached(
        "INSERT INTO carts VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id, sku) DO UPDATE SET quantity = excluded.quantity, changed_ms = excluded.changed_ms",
    )?;
    upsert.execute(params![id, sku, quantity, now])?;
    cart(c, id).map(Ok)
}

/// Forgets what is older than it is worth keeping: cart lines and refusals. At most `limit` of each.
pub(super) fn sweep(c: &Connection, before: i64, limit: i64) -> rusqlite::Result<usize> {
    let mut swept = 0;
    let sweeps = [
        "DELETE FROM carts WHERE (id, sku) IN (SELECT id, sku FROM carts WHERE changed_ms < ?1 LIMIT ?2)",
        "DELETE FROM refusals WHERE (what, key) IN (SELECT what, key FROM refusals WHERE at_ms < ?1 LIMIT ?2)",
    ];
    for sweep in sweeps {
        swept += c.prepare_cached(sweep)?.execute([before, limit])?;
    }
    Ok(swept)
}
