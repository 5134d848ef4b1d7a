//! Suppliers: applied → admitted or refused, reviewed in the background by rules that anybody can read here.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::goods::Outcome;
use super::{Terms, keys, totals};
use crate::shop::clock::millis;
use crate::shop::problem::Problem;

/// Points out of 100 that a supplier's site audit must have given it.
const SCORE: i64 = 60;

#[derive(Debug, Clone, Serialize)]
pub(super) struct Supplier {
    pub(super) id: i64,
    key: String,
    pub(super) name: String,
    pub(super) licence: String,
    score: i64,
    pub(super) state: String,
    /// Why it was refused.
    reason: Option<String>,
    applied_ms: i64,
    decide_by_ms: i64,
    decided_ms: Option<i64>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Application {
    key: String,
    name: String,
    licence: String,
    score: i64,
    mark: Option<String>,
}

const COLUMNS: &str =
    "SELECT id, key, name, licence, score, state, reason, applied_ms, decide_by_ms, decided_ms FROM suppliers WHERE ";

fn supplier_row(row: &Row<'_>) -> rusqlite::Result<Supplier> {
    Ok(Supplier {
        id: row.get(0)?,
        key: row.get(1)?,
        name: row.get(2)?,
        licence: row.get(3)?,
        score: row.get(4)?,
        state: row.get(5)?,
        reason: row.get(6)?,
        applied_ms: row.get(7)?,
        decide_by_ms: row.get(8)?,
        decided_ms: row.get(9)?,
    })
}

pub(super) fn by_id(c: &Connection, id: i64) -> rusqlite::Result<Option<Supplier>> {
    c.prepare_cached(&format!("{COLUMNS} id = ?1"))?.query_row([id], supplier_row).optional()
}

pub(super) fn by_key(c: &Connection, key: &str) -> rusqlite::Result<Option<Supplier>> {
    c.prepare_cached(&format!("{COLUMNS} key = ?1"))?.query_row([key], supplier_row).optional()
}

/// The application, and whether it is a new one.
pub(super) fn apply(c: &Connection, new: &Application, terms: Terms, now: i64) -> Outcome<(Supplier, bool)> {
    let text = |text: &str| (1..=200).contains(&text.len());
    if let Some(wrong) = keys::unsound(&new.key) {
        return Ok(Err(wrong));
    }
    if !text(&new.name) || !text(&new.licence) || new.mark.as_ref().is_some_and(|mark| mark.len() > 200) {
        return Ok(Err(Problem::bad("`name` and `licence` must be 1 to 200 bytes")));
    }
    if !(0..=100).contains(&new.score) {
        return Ok(Err(Problem::bad("`score` must lie between 0 and 100")));
    }
    if let Some(known) = by_key(c, &new.key)? {
        let same = (&known.name, &known.licence, known.score) == (&new.name, &new.licence, new.score);
        return Ok(if same { Ok((known, false)) } else { Err(keys::reused()) });
    }
    let mut insert = c.prepare_cached(
        "INSERT INTO suppliers (key, name, licence, score, mark, state, due_ms, decide_by_ms, applied_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, 'applied', ?6, ?7, ?8)",
    )?;
    let due = now.saturating_add(millis(terms.review));
    let decide_by = now.saturating_add(millis(terms.respond_within));
    insert.execute(params![new.key, new.name, new.licence, new.score, new.mark, due, decide_by, now])?;
    totals::moved(c, "suppliers", None, "applied")?;
    let made = by_id(c, c.last_insert_rowid())?;
    Ok(made.map(|supplier| (supplier, true)).ok_or_else(|| Problem::missing("supplier")))
}

/// Why a supplier may not deliver or list goods, unless it may.
pub(super) fn unfit(c: &Connection, id: i64) -> rusqlite::Result<Option<Problem>> {
    Ok(match by_id(c, id)? {
        None => Some(Problem::missing("supplier")),
        Some(supplier) if supplier.state == "admitted" => None,
        Some(supplier) => Some(Problem::conflict("not-admitted", format!("the supplier is {}", supplier.state))),
    })
}

/// The rules of admission: a sound licence (18 digits and capitals), nobody else admitted with it, a good audit.
fn objection(c: &Connection, supplier: &Supplier) -> rusqlite::Result<Option<&'static str>> {
    let sound = |b: u8| b.is_ascii_digit() || b.is_ascii_uppercase();
    if supplier.licence.len() != 18 || !supplier.licence.bytes().all(sound) {
        return Ok(Some("the licence is none"));
    }
    if supplier.score < SCORE {
        return Ok(Some("the site audit gave too few points"));
    }
    let mut taken =
        c.prepare_cached("SELECT EXISTS (SELECT 1 FROM suppliers WHERE licence = ?1 AND state = 'admitted')")?;
    let taken = taken.query_row([&supplier.licence], |row| row.get::<_, bool>(0))?;
    Ok(taken.then_some("a supplier with this licence was admitted already"))
}

pub(super) fn any_due(c: &Connection, now: i64) -> rusqlite::Result<bool> {
    c.prepare_cached("SELECT EXISTS (SELECT 1 FROM suppliers WHERE due_ms <= ?1)")?.query_row([now], |row| row.get(0))
}

/// Decides on at most `limit` applications whose review has ended. Returns how many.
pub(super) fn advance(c: &Connection, limit: i64, now: i64) -> rusqlite::Result<usize> {
    let mut due = c.prepare_cached(&format!("{COLUMNS} due_ms <= ?1 ORDER BY due_ms, id LIMIT ?2"))?;
    let due = due.query_map([now, limit], supplier_row)?.collect::<rusqlite::Result<Vec<_>>>()?;
    for supplier in &due {
        let objection = objection(c, supplier)?;
        let state = if objection.is_none() { "admitted" } else { "refused" };
        let mut decide = c.prepare_cached(
            "UPDATE suppliers SET state = ?2, reason = ?3, due_ms = NULL, decided_ms = ?4 WHERE id = ?1",
        )?;
        decide.execute(params![supplier.id, state, objection, now])?;
        totals::moved(c, "suppliers", Some("applied"), state)?;
        if now > supplier.decide_by_ms {
            totals::moved(c, "late", None, "suppliers")?;
        }
    }
    Ok(due.len())
}
