//! Goods and their stock.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use crate::shop::problem::Problem;

/// Either what was asked for, or why not; the outer error is the storage's.
pub(super) type Outcome<T> = rusqlite::Result<Result<T, Problem>>;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::shop) struct Goods {
    pub(in crate::shop) sku: i64,
    pub(in crate::shop) name: String,
    pub(in crate::shop) category: String,
    /// Cents.
    pub(in crate::shop) price: i64,
    /// Pieces to begin with; not part of the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::shop) stock: Option<i64>,
}

/// `available + reserved + sold = stocked`, always; the table itself refuses anything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Stock {
    sku: i64,
    available: i64,
    reserved: i64,
    sold: i64,
    stocked: i64,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Seeded {
    added: usize,
    changed: usize,
    /// Already traded, so their stock was left as it is.
    kept: usize,
}

pub(super) const MOST_PIECES: i64 = 1_000_000_000;

/// Adds or renames goods. Stock is set only where nothing was sold or reserved yet, so that seeding twice is seeding once.
pub(super) fn seed(c: &Connection, goods: &[Goods]) -> Outcome<Seeded> {
    for one in goods {
        let stock = one.stock.unwrap_or(0);
        let sound = one.sku > 0 && one.price > 0 && one.price <= MOST_PIECES && (0..=MOST_PIECES).contains(&stock);
        if !sound || one.name.len() > 200 || one.category.len() > 100 {
            return Ok(Err(Problem::bad(format!("goods {} have no sound sku, name, price or stock", one.sku))));
        }
    }
    let mut seeded = Seeded::default();
    for one in goods {
        let stock = one.stock.unwrap_or(0);
        let mut product = c.prepare_cached(
            "INSERT INTO products (sku, name, category, price) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (sku) DO UPDATE SET name = excluded.name, category = excluded.category, price = excluded.price",
        )?;
        product.execute(params![one.sku, one.name, one.category, one.price])?;
        let mut fresh = c.prepare_cached("INSERT OR IGNORE INTO stock VALUES (?1, ?2, 0, 0, ?2)")?;
        if fresh.execute(params![one.sku, stock])? == 1 {
            seeded.added += 1;
            continue;
        }
        let mut untouched = c.prepare_cached(
            "UPDATE stock SET available = ?2, stocked = ?2 WHERE sku = ?1 AND reserved = 0 AND sold = 0",
        )?;
        match untouched.execute(params![one.sku, stock])? {
            0 => seeded.kept += 1,
            _ => seeded.changed += 1,
        }
    }
    bump_version(c)?;
    Ok(Ok(seeded))
}

fn bump_version(c: &Connection) -> rusqlite::Result<()> {
    c.execute(
        "INSERT INTO meta VALUES ('catalogue', '1')
         ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)",
        [],
    )
    .map(drop)
}

/// Grows with every change of the goods (0: there are none yet).
pub(super) fn version(c: &Connection) -> rusqlite::Result<i64> {
    let mut select = c.prepare_cached("SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'catalogue'")?;
    Ok(select.query_row([], |row| row.get(0)).optional()?.unwrap_or(0))
}

pub(super) fn page(c: &Connection, after: i64, limit: i64) -> rusqlite::Result<Vec<Goods>> {
    let mut select =
        c.prepare_cached("SELECT sku, name, category, price FROM products WHERE sku > ?1 ORDER BY sku LIMIT ?2")?;
    select.query_map([after, limit], goods_row)?.collect()
}

pub(super) fn one(c: &Connection, sku: i64) -> rusqlite::Result<Option<Goods>> {
    let mut select = c.prepare_cached("SELECT sku, name, category, price FROM products WHERE sku = ?1")?;
    select.query_row([sku], goods_row).optional()
}

fn goods_row(row: &Row<'_>) -> rusqlite::Result<Goods> {
    Ok(Goods { sku: row.get(0)?, name: row.get(1)?, category: row.get(2)?, price: row.get(3)?, stock: None })
}

pub(super) fn stock(c: &Connection, sku: i64) -> rusqlite::Result<Option<Stock>> {
    let mut select = c.prepare_cached("SELECT sku, available, reserved, sold, stocked FROM stock WHERE sku = ?1")?;
    select.query_row([sku], stock_row).optional()
}

pub(super) fn stock_page(c: &Connection, after: i64, limit: i64) -> rusqlite::Result<Vec<Stock>> {
    let mut select = c.prepare_cached(
        "SELECT sku, available, reserved, sold, stocked FROM stock WHERE sku > ?1 ORDER BY sku LIMIT ?2",
    )?;
    select.query_map([after, limit], stock_row)?.collect()
}

fn stock_row(row: &Row<'_>) -> rusqlite::Result<Stock> {
    Ok(Stock {
        sku: row.get(0)?,
        available: row.get(1)?,
        reserved: row.get(2)?,
        sold: row.get(3)?,
        stocked: row.get(4)?,
    })
}

/// Adds pieces; with a key, once.
pub(super) fn restock(c: &Connection, sku: i64, add: i64, key: Option<&str>, now: i64) -> Outcome<Stock> {
    if !(1..=1_000_000).contains(&add) {
        return Ok(Err(Problem::bad("`add` must lie between 1 and 1000000")));
    }
    let Some(before) = stock(c, sku)? else { return Ok(Err(Problem::missing("sku"))) };
    if before.stocked + add > MOST_PIECES {
        return Ok(Err(Problem::conflict("warehouse-full", "the warehouse holds no more of this sku")));
    }
    if let Some(key) = key {
        let mut earlier = c.prepare_cached("SELECT sku, added FROM restocks WHERE key = ?1")?;
        let earlier = earlier.query_row([key], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).optional()?;
        match earlier {
            Some(same) if same == (sku, add) => return Ok(Ok(before)),
            Some(_) => return Ok(Err(key_reused())),
            None => (),
        }
        let mut note = c.prepare_cached("INSERT INTO restocks VALUES (?1, ?2, ?3, ?4)")?;
        note.execute(params![key, sku, add, now])?;
    }
    let mut more =
        c.prepare_cached("UPDATE stock SET available = available + ?2, stocked = stocked + ?2 WHERE sku = ?1")?;
    more.execute([sku, add])?;
    Ok(stock(c, sku)?.ok_or_else(|| Problem::missing("sku")))
}

pub(super) fn key_reused() -> Problem {
    let status = axum::http::StatusCode::UNPROCESSABLE_ENTITY;
    Problem::new(status, "key-reused", "this Idempotency-Key was used for something else")
}
