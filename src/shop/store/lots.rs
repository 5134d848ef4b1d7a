//! Lots: how pieces come into the house, and which of them went to whom.
//!
//! A supplier's lot waits for its inspection (pending → passed or failed); only what passed can be sold. What the house
//! itself adds was inspected where it came from. Orders are picked from the oldest lot, so that each sold piece can be
//! traced to its lot, its supplier and its inspection.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::goods::{self, MOST_PIECES, Outcome, Stock};
use super::{Terms, keys, orders, suppliers, totals};
use crate::shop::clock::millis;
use crate::shop::problem::Problem;

/// Of a hundred pieces, as many may be bad in a lot that passes.
const BAD_PER_HUNDRED: i64 = 2;

#[derive(Debug, Clone, Serialize)]
pub(super) struct Lot {
    pub(super) id: i64,
    pub(super) sku: i64,
    origin: String,
    supplier: Option<i64>,
    pub(super) quantity: i64,
    pub(super) state: String,
    received_ms: i64,
    inspected_ms: Option<i64>,
    /// Bad pieces that the inspection found: nobody knows before.
    defective: Option<i64>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct NewLot {
    key: String,
    supplier: i64,
    sku: i64,
    quantity: i64,
    /// Bad pieces in it.
    #[serde(default)]
    defective: i64,
}

const COLUMNS: &str = "SELECT id, sku, origin, supplier, quantity, state, received_ms, inspected_ms, defective
    FROM lots WHERE ";

fn lot_row(row: &Row<'_>) -> rusqlite::Result<Lot> {
    let inspected_ms: Option<i64> = row.get(7)?;
    Ok(Lot {
        id: row.get(0)?,
        sku: row.get(1)?,
        origin: row.get(2)?,
        supplier: row.get(3)?,
        quantity: row.get(4)?,
        state: row.get(5)?,
        received_ms: row.get(6)?,
        inspected_ms,
        defective: if inspected_ms.is_some() { row.get(8)? } else { None },
    })
}

pub(super) fn by_id(c: &Connection, id: i64) -> rusqlite::Result<Option<Lot>> {
    c.prepare_cached(&format!("{COLUMNS} id = ?1"))?.query_row([id], lot_row).optional()
}

pub(super) fn by_key(c: &Connection, key: &str) -> rusqlite::Result<Option<Lot>> {
    c.prepare_cached(&format!("{COLUMNS} key = ?1"))?.query_row([key], lot_row).optional()
}

/// What a key was used for before: sku, supplier, quantity, bad pieces.
type Content = (i64, Option<i64>, i64, i64);

fn content(c: &Connection, key: &str) -> rusqlite::Result<Option<Content>> {
    let mut select = c.prepare_cached("SELECT sku, supplier, quantity, defective FROM lots WHERE key = ?1")?;
    select.query_row([key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).optional()
}

/// The lot, and whether it is a new one. It waits for its inspection.
pub(super) fn receive(c: &Connection, new: &NewLot, terms: Terms, now: i64) -> Outcome<(Lot, bool)> {
    if let Some(wrong) = keys::unsound(&new.key) {
        return Ok(Err(wrong));
    }
    if !(1..=1_000_000).contains(&new.quantity) || !(0..=new.quantity).contains(&new.defective) {
        return Ok(Err(Problem::bad("`quantity` must lie between 1 and 1000000, `defective` between 0 and it")));
    }
    if let Some(known) = content(c, &new.key)? {
        let same = known == (new.sku, Some(new.supplier), new.quantity, new.defective);
        let lot = by_key(c, &new.key)?.filter(|_| same);
        return Ok(lot.map(|lot| (lot, false)).ok_or_else(keys::reused));
    }
    if let Some(no) = keys::refused(c, "lot", &new.key)? {
        return Ok(Err(no));
    }
    let Some(goods) = goods::any(c, new.sku)? else { return Ok(Err(Problem::missing("sku"))) };
    let no = match suppliers::unfit(c, new.supplier)? {
        Some(no) if no.reason == "not-found" => return Ok(Err(no)),
        Some(no) => Some(no),
        None if goods.supplier.is_some_and(|owner| owner != new.supplier) => Some(goods::not_yours()),
        None => full(c, new.sku, new.quantity)?,
    };
    if let Some(no) = no {
        return keys::refuse(c, "lot", &new.key, no, now).map(Err);
    }
    let mut insert = c.prepare_cached(
        "INSERT INTO lots (key, sku, origin, supplier, quantity, defective, remaining, state, due_ms, received_ms)
         VALUES (?1, ?2, 'supplier', ?3, ?4, ?5, 0, 'pending', ?6, ?7)",
    )?;
    let due = now.saturating_add(millis(terms.inspect));
    insert.execute(params![new.key, new.sku, new.supplier, new.quantity, new.defective, due, now])?;
    totals::moved(c, "lots", None, "pending")?;
    Ok(by_id(c, c.last_insert_rowid())?.map(|lot| (lot, true)).ok_or_else(|| Problem::missing("lot")))
}

fn full(c: &Connection, sku: i64, more: i64) -> rusqlite::Result<Option<Problem>> {
    let over = goods::stock(c, sku)?.is_some_and(|stock| stock.stocked + more > MOST_PIECES);
    Ok(over.then(|| Problem::conflict("warehouse-full", "the warehouse holds no more of this sku")))
}

/// Adds pieces of the house's own, inspected already; with a key, once.
pub(super) fn restock(c: &Connection, sku: i64, add: i64, key: Option<&str>, now: i64) -> Outcome<Stock> {
    if let Some(wrong) = key.and_then(keys::unsound) {
        return Ok(Err(wrong));
    }
    if !(1..=1_000_000).contains(&add) {
        return Ok(Err(Problem::bad("`add` must lie between 1 and 1000000")));
    }
    let Some(before) = goods::stock(c, sku)? else { return Ok(Err(Problem::missing("sku"))) };
    if let Some(key) = key {
        match content(c, key)? {
            Some(same) if same == (sku, None, add, 0) => return Ok(Ok(before)),
            Some(_) => return Ok(Err(keys::reused())),
            None => (),
        }
        if let Some(no) = keys::refused(c, "lot", key)? {
            return Ok(Err(no));
        }
    }
    if let Some(no) = full(c, sku, add)? {
        return Ok(Err(match key {
            Some(key) => keys::refuse(c, "lot", key, no, now)?,
            None => no,
        }));
    }
    own_lot(c, "house", sku, add, key, now)?;
    add_to_stock(c, sku, add)?;
    Ok(goods::stock(c, sku)?.ok_or_else(|| Problem::missing("sku")))
}

/// A lot of the house's own, which was inspected before it came.
pub(super) fn own_lot(
    c: &Connection,
    origin: &str,
    sku: i64,
    quantity: i64,
    key: Option<&str>,
    now: i64,
) -> rusqlite::Result<()> {
    let mut insert = c.prepare_cached(
        "INSERT INTO lots (key, sku, origin, quantity, defective, remaining, state, received_ms, inspected_ms)
         VALUES (?1, ?2, ?3, ?4, 0, ?4, 'passed', ?5, ?5)",
    )?;
    insert.execute(params![key, sku, origin, quantity, now])?;
    totals::moved(c, "lots", None, "passed")
}

fn add_to_stock(c: &Connection, sku: i64, pieces: i64) -> rusqlite::Result<()> {
    let mut more =
        c.prepare_cached("UPDATE stock SET available = available + ?2, stocked = stocked + ?2 WHERE sku = ?1")?;
    more.execute([sku, pieces]).map(drop)
}

pub(super) fn any_due(c: &Connection, now: i64) -> rusqlite::Result<bool> {
    c.prepare_cached("SELECT EXISTS (SELECT 1 FROM lots WHERE due_ms <= ?1)")?.query_row([now], |row| row.get(0))
}

/// Ends at most `limit` inspections. A lot passes unless too many of its pieces are bad. Returns how many ended.
pub(super) fn advance(c: &Connection, limit: i64, now: i64) -> rusqlite::Result<usize> {
    let mut due = c.prepare_cached(
        "SELECT id, sku, quantity, defective FROM lots WHERE due_ms <= ?1 ORDER BY due_ms, id LIMIT ?2",
    )?;
    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    let due: Vec<(i64, i64, i64, i64)> = due.query_map([now, limit], row)?.collect::<rusqlite::Result<_>>()?;
    for (id, sku, quantity, defective) in &due {
        let passes = defective * 100 <= quantity * BAD_PER_HUNDRED;
        let (state, remaining) = if passes { ("passed", *quantity) } else { ("failed", 0) };
        let mut end = c.prepare_cached(
            "UPDATE lots SET state = ?2, remaining = ?3, due_ms = NULL, inspected_ms = ?4 WHERE id = ?1",
        )?;
        end.execute(params![id, state, remaining, now])?;
        totals::moved(c, "lots", Some("pending"), state)?;
        if passes {
            add_to_stock(c, *sku, *quantity)?;
        }
    }
    Ok(due.len())
}

/// Takes an order's pieces out of the oldest lots. Stock that was sold is in some lot, always: the audit sees to it.
pub(super) fn pick(c: &Connection, order: i64, sku: i64, quantity: i64) -> rusqlite::Result<()> {
    let mut wanted = quantity;
    while wanted > 0 {
        let mut oldest =
            c.prepare_cached("SELECT id, remaining FROM lots WHERE sku = ?1 AND remaining > 0 ORDER BY id LIMIT 1")?;
        let (lot, remaining): (i64, i64) = oldest.query_row([sku], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let taken = wanted.min(remaining);
        c.prepare_cached("UPDATE lots SET remaining = remaining - ?2 WHERE id = ?1")?.execute([lot, taken])?;
        c.prepare_cached("INSERT INTO pieces VALUES (?1, ?2, ?3, 0)")?.execute([order, lot, taken])?;
        wanted -= taken;
    }
    Ok(())
}

/// An order's pieces are in their lots again.
pub(super) fn put_back(c: &Connection, order: i64) -> rusqlite::Result<()> {
    let mut into = c.prepare_cached(
        "UPDATE lots SET remaining = remaining + p.quantity FROM pieces p
         WHERE p.order_id = ?1 AND p.back = 0 AND lots.id = p.lot",
    )?;
    into.execute([order])?;
    c.prepare_cached("UPDATE pieces SET back = 1 WHERE order_id = ?1")?.execute([order]).map(drop)
}

/// Where an order's pieces came from: lot, supplier, inspection. Nothing before they are picked.
pub(super) fn trace(c: &Connection, order: i64) -> Outcome<Value> {
    let Some(order) = orders::by_id(c, order)? else { return Ok(Err(Problem::missing("order"))) };
    let mut select = c.prepare_cached("SELECT lot, quantity, back FROM pieces WHERE order_id = ?1 ORDER BY lot")?;
    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let pieces: Vec<(i64, i64, bool)> = select.query_map([order.id], row)?.collect::<rusqlite::Result<_>>()?;
    let mut traced = Vec::with_capacity(pieces.len());
    for (lot, quantity, back) in pieces {
        let lot = by_id(c, lot)?;
        let supplier = match lot.as_ref().and_then(|lot| lot.supplier) {
            Some(id) => suppliers::by_id(c, id)?,
            None => None,
        };
        traced.push(json!({ "quantity": quantity, "back": back, "lot": lot, "supplier": supplier }));
    }
    let Some(goods) = goods::any(c, order.sku)? else { return Ok(Err(Problem::missing("sku"))) };
    Ok(Ok(json!({ "order": order.id, "state": order.state, "goods": goods, "pieces": traced })))
}
