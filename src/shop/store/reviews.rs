//! Reviews: one for a delivered order, by its buyer, for good.

use axum::http::StatusCode;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::goods::{self, Outcome};
use super::orders::{self, State};
use super::totals;
use crate::shop::problem::Problem;

/// Reviews on one page.
pub(super) const PAGE: i64 = 20;

#[derive(Debug, Clone, Serialize)]
pub(super) struct Review {
    order: i64,
    sku: i64,
    stars: i64,
    says: String,
    at_ms: i64,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct NewReview {
    buyer: String,
    stars: i64,
    #[serde(default)]
    says: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Reviews {
    sku: i64,
    count: i64,
    /// Stars on average, to the hundredth; none without reviews.
    average: Option<f64>,
    /// Those of the newest orders first.
    reviews: Vec<Review>,
    /// `before` for the next page; none after the last.
    next: Option<i64>,
}

fn review_row(row: &Row<'_>) -> rusqlite::Result<Review> {
    Ok(Review { order: row.get(0)?, sku: row.get(1)?, stars: row.get(2)?, says: row.get(3)?, at_ms: row.get(4)? })
}

pub(super) fn of_order(c: &Connection, order: i64) -> rusqlite::Result<Option<Review>> {
    let mut select = c.prepare_cached("SELECT order_id, sku, stars, says, at_ms FROM reviews WHERE order_id = ?1")?;
    select.query_row([order], review_row).optional()
}

/// The review, and whether it is a new one. The order is its key: the same again is the same, another is refused.
pub(super) fn post(c: &Connection, order: i64, new: &NewReview, now: i64) -> Outcome<(Review, bool)> {
    if !(1..=5).contains(&new.stars) || new.says.len() > 2000 {
        return Ok(Err(Problem::bad("`stars` must lie between 1 and 5, `says` is at most 2000 bytes")));
    }
    let Some(order) = orders::by_id(c, order)? else { return Ok(Err(Problem::missing("order"))) };
    if order.buyer != new.buyer {
        return Ok(Err(Problem::new(StatusCode::FORBIDDEN, "not-yours", "only the order's buyer may review it")));
    }
    if let Some(known) = of_order(c, order.id)? {
        let same = (known.stars, &known.says) == (new.stars, &new.says);
        let other = || Problem::conflict("already-reviewed", "the order was reviewed already");
        return Ok(if same { Ok((known, false)) } else { Err(other()) });
    }
    if !matches!(order.state, State::Delivered | State::Returned) {
        return Ok(Err(Problem::conflict("not-delivered", format!("the order is {}", order.state.name()))));
    }
    let mut insert = c.prepare_cached("INSERT INTO reviews VALUES (?1, ?2, ?3, ?4, ?5)")?;
    insert.execute(params![order.id, order.sku, new.stars, new.says, now])?;
    let mut rate = c.prepare_cached(
        "INSERT INTO ratings VALUES (?1, 1, ?2)
         ON CONFLICT (sku) DO UPDATE SET count = count + 1, stars = stars + excluded.stars",
    )?;
    rate.execute([order.sku, new.stars])?;
    totals::moved(c, "reviews", None, "posted")?;
    Ok(of_order(c, order.id)?.map(|review| (review, true)).ok_or_else(|| Problem::missing("review")))
}

/// Reviews of goods, listed or not, older than that of the order `before`.
pub(super) fn of_goods(c: &Connection, sku: i64, before: i64) -> Outcome<Reviews> {
    if goods::any(c, sku)?.is_none() {
        return Ok(Err(Problem::missing("sku")));
    }
    let mut select = c.prepare_cached(
        "SELECT order_id, sku, stars, says, at_ms FROM reviews WHERE sku = ?1 AND order_id < ?2
         ORDER BY order_id DESC LIMIT ?3",
    )?;
    let mut reviews = select.query_map([sku, before, PAGE + 1], review_row)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let more = i64::try_from(reviews.len()).is_ok_and(|found| found > PAGE);
    if more {
        reviews.pop();
    }
    let next = reviews.last().filter(|_| more).map(|last| last.order);
    let mut rating = c.prepare_cached("SELECT count, stars FROM ratings WHERE sku = ?1")?;
    let rating = rating.query_row([sku], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let (count, stars): (i64, i64) = rating.unwrap_or((0, 0));
    // Whole hundredths, rounded half up: a sum of stars is exact, an average of floats would drift.
    let hundredths = |count: i64| i32::try_from((stars * 100 + count / 2) / count).unwrap_or(0);
    let average = (count > 0).then(|| f64::from(hundredths(count)) / 100.0);
    Ok(Ok(Reviews { sku, count, average, reviews, next }))
}
