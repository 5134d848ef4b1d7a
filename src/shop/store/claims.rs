//! What buyers want after delivery. Each claim is opened by the buyer, once for its key, and mostly goes on by itself:
//!
//! - a return: requested → approved (or refused, when it comes too late) → received → refunded, the goods restocked or
//!   scrapped; the order is returned from `received` on, and no piece is for sale before the buyer has the money;
//! - a repair: received → repaired → sent-back;
//! - a complaint: opened → answered, which has a time limit → closed, by the buyer.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::goods::Outcome;
use super::orders::{self, Order, State};
use super::{Terms, keys, lots, totals};
use crate::shop::clock::millis;
use crate::shop::problem::Problem;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Return,
    Repair,
    Complaint,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Return => "return",
            Self::Repair => "repair",
            Self::Complaint => "complaint",
        }
    }

    /// As in the figures.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Return => "returns",
            Self::Repair => "repairs",
            Self::Complaint => "complaints",
        }
    }

    fn causes(self) -> &'static [&'static str] {
        match self {
            Self::Return => &["unwanted", "wrong", "defective"],
            Self::Repair => &["defective", "damaged"],
            Self::Complaint => &["quality", "delivery", "service", "other"],
        }
    }
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Claim {
    pub(super) id: i64,
    key: String,
    order: i64,
    cause: String,
    says: String,
    pub(super) state: String,
    /// Why it was refused, what became of the goods, or what was answered.
    pub(super) outcome: Option<String>,
    opened_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer_by_ms: Option<i64>,
    moved_ms: i64,
    pub(super) closed_ms: Option<i64>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct NewClaim {
    key: String,
    cause: String,
    #[serde(default)]
    says: String,
}

const COLUMNS: &str = "SELECT id, key, order_id, cause, says, state, outcome, opened_ms, answer_by_ms, moved_ms,
    closed_ms FROM claims WHERE ";

fn claim_row(row: &Row<'_>) -> rusqlite::Result<Claim> {
    Ok(Claim {
        id: row.get(0)?,
        key: row.get(1)?,
        order: row.get(2)?,
        cause: row.get(3)?,
        says: row.get(4)?,
        state: row.get(5)?,
        outcome: row.get(6)?,
        opened_ms: row.get(7)?,
        answer_by_ms: row.get(8)?,
        moved_ms: row.get(9)?,
        closed_ms: row.get(10)?,
    })
}

pub(super) fn by_id(c: &Connection, kind: Kind, id: i64) -> rusqlite::Result<Option<Claim>> {
    let mut select = c.prepare_cached(&format!("{COLUMNS} id = ?1 AND kind = ?2"))?;
    select.query_row(params![id, kind.name()], claim_row).optional()
}

pub(super) fn by_key(c: &Connection, kind: Kind, key: &str) -> rusqlite::Result<Option<Claim>> {
    let mut select = c.prepare_cached(&format!("{COLUMNS} kind = ?1 AND key = ?2"))?;
    select.query_row([kind.name(), key], claim_row).optional()
}

/// The claim, and whether it is a new one.
pub(super) fn open(
    c: &Connection,
    kind: Kind,
    order: i64,
    new: &NewClaim,
    terms: Terms,
    now: i64,
) -> Outcome<(Claim, bool)> {
    if let Some(wrong) = keys::unsound(&new.key) {
        return Ok(Err(wrong));
    }
    if !kind.causes().contains(&new.cause.as_str()) {
        return Ok(Err(Problem::bad(format!("`cause` must be one of {}", kind.causes().join(", ")))));
    }
    if new.says.len() > 2000 {
        return Ok(Err(Problem::bad("`says` is over 2000 bytes")));
    }
    if let Some(known) = by_key(c, kind, &new.key)? {
        let same = (known.order, &known.cause, &known.says) == (order, &new.cause, &new.says);
        return Ok(if same { Ok((known, false)) } else { Err(keys::reused()) });
    }
    if let Some(no) = keys::refused(c, kind.name(), &new.key)? {
        return Ok(Err(no));
    }
    let Some(order) = orders::by_id(c, order)? else { return Ok(Err(Problem::missing("order"))) };
    if let Some(no) = objection(c, kind, &order, terms, now)? {
        return keys::refuse(c, kind.name(), &new.key, no, now).map(Err);
    }
    let (state, due, answer_by) = match kind {
        Kind::Return => ("requested", terms.review, None),
        Kind::Repair => ("received", terms.repair, None),
        Kind::Complaint => ("opened", terms.answer, Some(now.saturating_add(millis(terms.respond_within)))),
    };
    let mut insert = c.prepare_cached(
        "INSERT INTO claims (kind, key, order_id, cause, says, state, due_ms, answer_by_ms, opened_ms, moved_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)",
    )?;
    let due = now.saturating_add(millis(due));
    insert.execute(params![kind.name(), new.key, order.id, new.cause, new.says, state, due, answer_by, now])?;
    totals::moved(c, kind.plural(), None, state)?;
    Ok(by_id(c, kind, c.last_insert_rowid())?.map(|claim| (claim, true)).ok_or_else(|| Problem::missing(kind.name())))
}

/// Why a claim cannot be opened now, unless it can.
fn objection(c: &Connection, kind: Kind, order: &Order, terms: Terms, now: i64) -> rusqlite::Result<Option<Problem>> {
    if kind == Kind::Complaint {
        let mut open = c.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM claims WHERE order_id = ?1 AND kind = 'complaint' AND closed_ms IS NULL)",
        )?;
        let open = open.query_row([order.id], |row| row.get::<_, bool>(0))?;
        return Ok(open.then(|| Problem::conflict("complaint-open", "a complaint about it is open already")));
    }
    if order.state != State::Delivered {
        return Ok(Some(Problem::conflict("not-delivered", format!("the order is {}", order.state.name()))));
    }
    if under_way(c, order.id)? {
        return Ok(Some(Problem::conflict("claim-under-way", "a return or repair of it is under way")));
    }
    if kind == Kind::Repair && order.delivered_ms.is_some_and(|at| now - at > millis(terms.warranty)) {
        return Ok(Some(Problem::conflict("out-of-warranty", "the warranty has ended")));
    }
    Ok(None)
}

/// Whether the order's goods are on their way back or in repair.
pub(super) fn under_way(c: &Connection, order: i64) -> rusqlite::Result<bool> {
    let mut open = c.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM claims WHERE order_id = ?1 AND kind IN ('return', 'repair') AND closed_ms IS NULL)",
    )?;
    open.query_row([order], |row| row.get(0))
}

/// Where a claim goes: the state, when it moves on by itself, what came of it, and whether that is its end.
struct Step<'a> {
    to: &'a str,
    due: Option<i64>,
    outcome: Option<&'a str>,
    ends: bool,
}

fn go(c: &Connection, kind: Kind, claim: &Claim, step: &Step<'_>, now: i64) -> rusqlite::Result<()> {
    let mut update = c.prepare_cached(
        "UPDATE claims SET state = ?2, due_ms = ?3, outcome = coalesce(?4, outcome), moved_ms = ?5,
         closed_ms = CASE WHEN ?6 THEN ?5 END WHERE id = ?1",
    )?;
    update.execute(params![claim.id, step.to, step.due, step.outcome, now, step.ends])?;
    totals::moved(c, kind.plural(), Some(&claim.state), step.to)
}

/// Somebody answers a complaint. The first answer stands.
pub(super) fn answer(c: &Connection, id: i64, says: &str, now: i64) -> Outcome<Claim> {
    if !(1..=2000).contains(&says.len()) {
        return Ok(Err(Problem::bad("`says` must be 1 to 2000 bytes")));
    }
    let Some(claim) = by_id(c, Kind::Complaint, id)? else { return Ok(Err(Problem::missing("complaint"))) };
    if claim.state == "opened" {
        answered(c, &claim, says, now)?;
    }
    Ok(by_id(c, Kind::Complaint, id)?.ok_or_else(|| Problem::missing("complaint")))
}

fn answered(c: &Connection, claim: &Claim, says: &str, now: i64) -> rusqlite::Result<()> {
    let step = Step { to: "answered", due: None, outcome: Some(says), ends: false };
    go(c, Kind::Complaint, claim, &step, now)?;
    match claim.answer_by_ms {
        Some(by) if now > by => totals::moved(c, "late", None, "complaints"),
        _ => Ok(()),
    }
}

/// The buyer is content with the answer. Saying it twice is saying it once.
pub(super) fn close(c: &Connection, id: i64, now: i64) -> Outcome<Claim> {
    let Some(claim) = by_id(c, Kind::Complaint, id)? else { return Ok(Err(Problem::missing("complaint"))) };
    match claim.state.as_str() {
        "opened" => return Ok(Err(Problem::conflict("not-answered", "the complaint was not answered yet"))),
        "answered" => {
            let step = Step { to: "closed", due: None, outcome: None, ends: true };
            go(c, Kind::Complaint, &claim, &step, now)?;
        }
        _ => (),
    }
    Ok(by_id(c, Kind::Complaint, id)?.ok_or_else(|| Problem::missing("complaint")))
}

/// The buyer has the money: goods of a return that was received go back on the shelf, or away.
pub(super) fn refunded(c: &Connection, order: &Order, now: i64) -> rusqlite::Result<()> {
    let mut select =
        c.prepare_cached(&format!("{COLUMNS} order_id = ?1 AND kind = 'return' AND state = 'received' LIMIT 1"))?;
    let Some(claim) = select.query_row([order.id], claim_row).optional()? else { return Ok(()) };
    let (outcome, update) = match claim.cause.as_str() {
        "defective" => ("scrapped", "UPDATE stock SET held = held - ?2, scrapped = scrapped + ?2 WHERE sku = ?1"),
        _ => ("restocked", "UPDATE stock SET held = held - ?2, available = available + ?2 WHERE sku = ?1"),
    };
    c.prepare_cached(update)?.execute([order.sku, order.quantity])?;
    if outcome == "restocked" {
        lots::put_back(c, order.id)?;
    }
    go(c, Kind::Return, &claim, &Step { to: "refunded", due: None, outcome: Some(outcome), ends: true }, now)
}

pub(super) fn any_due(c: &Connection, now: i64) -> rusqlite::Result<bool> {
    let mut select = c.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM claims WHERE due_ms IS NOT NULL AND due_ms <= ?1
         AND (kind, state) IN (VALUES ('return', 'requested'), ('return', 'approved'), ('repair', 'received'),
             ('repair', 'repaired'), ('complaint', 'opened')))",
    )?;
    select.query_row([now], |row| row.get(0))
}

/// Moves on what is due, at most `limit` of each kind and state. Returns how many moved.
pub(super) fn advance(c: &Connection, terms: Terms, limit: i64, now: i64) -> rusqlite::Result<usize> {
    let mut moved = 0;
    // From the back, so that a claim makes one step at a time.
    let waiting = [
        (Kind::Return, "approved"),
        (Kind::Return, "requested"),
        (Kind::Repair, "repaired"),
        (Kind::Repair, "received"),
        (Kind::Complaint, "opened"),
    ];
    for (kind, state) in waiting {
        let mut due = c.prepare_cached(&format!(
            "{COLUMNS} kind = ?1 AND state = ?2 AND due_ms IS NOT NULL AND due_ms <= ?3 ORDER BY due_ms LIMIT ?4"
        ))?;
        let due = due.query_map(params![kind.name(), state, now, limit], claim_row)?;
        for claim in due.collect::<rusqlite::Result<Vec<_>>>()? {
            by_itself(c, kind, &claim, terms, now)?;
            moved += 1;
        }
    }
    Ok(moved)
}

fn by_itself(c: &Connection, kind: Kind, claim: &Claim, terms: Terms, now: i64) -> rusqlite::Result<()> {
    let later = |delay| Some(now.saturating_add(millis(delay)));
    let step = match (kind, claim.state.as_str()) {
        (Kind::Return, "requested") => match too_late(c, claim, terms)? {
            None => Step { to: "approved", due: later(terms.send_back), outcome: None, ends: false },
            Some(why) => Step { to: "refused", due: None, outcome: Some(why), ends: true },
        },
        (Kind::Return, _) => match orders::received_back(c, claim.order, now)? {
            Ok(_) => Step { to: "received", due: None, outcome: None, ends: false },
            Err(_) => Step { to: "refused", due: None, outcome: Some("the order is with no buyer"), ends: true },
        },
        (Kind::Repair, "received") => Step { to: "repaired", due: later(terms.send_back), outcome: None, ends: false },
        (Kind::Repair, _) => Step { to: "sent-back", due: None, outcome: None, ends: true },
        (Kind::Complaint, _) => return answered(c, claim, "We looked into it and have set it right.", now),
    };
    go(c, kind, claim, &step, now)
}

/// What is not wanted may go back for some days after delivery; what is not right, for as long as the warranty lasts.
fn too_late(c: &Connection, claim: &Claim, terms: Terms) -> rusqlite::Result<Option<&'static str>> {
    let delivered = orders::by_id(c, claim.order)?.and_then(|order| order.delivered_ms);
    let (within, why) = match claim.cause.as_str() {
        "unwanted" => (terms.return_within, "goods that are not wanted came too late"),
        _ => (terms.warranty, "the warranty had ended"),
    };
    Ok(delivered.filter(|at| claim.opened_ms - at > millis(within)).map(|_| why))
}
