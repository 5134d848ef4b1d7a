//! Idempotency keys: what one may look like, and that each ends one way.

use axum::http::StatusCode;
use rusqlite::{Connection, OptionalExtension, params};

use crate::shop::problem::Problem;

pub(super) fn unsound(key: &str) -> Option<Problem> {
    let sound = (1..=200).contains(&key.len()) && key.bytes().all(|b| (0x21..0x7f).contains(&b));
    (!sound).then(|| Problem::bad("the Idempotency-Key must be 1 to 200 visible characters"))
}

pub(super) fn reused() -> Problem {
    let error = "this Idempotency-Key was used for something else";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "key-reused", error)
}

/// The refusal that the key was answered with before, if it was.
pub(super) fn refused(c: &Connection, what: &str, key: &str) -> rusqlite::Result<Option<Problem>> {
    let mut select = c.prepare_cached("SELECT reason, error FROM refusals WHERE what = ?1 AND key = ?2")?;
    let row = |row: &rusqlite::Row<'_>| Ok(Problem::conflict(&row.get::<_, String>(0)?, row.get::<_, String>(1)?));
    select.query_row([what, key], row).optional()
}

/// Notes a refusal, so that a late repetition is not granted behind the back of whoever heard no.
pub(super) fn refuse(c: &Connection, what: &str, key: &str, no: Problem, now: i64) -> rusqlite::Result<Problem> {
    let mut note = c.prepare_cached("INSERT INTO refusals VALUES (?1, ?2, ?3, ?4, ?5)")?;
    note.execute(params![what, key, no.reason, no.error, now])?;
    Ok(no)
}
