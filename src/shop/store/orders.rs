//! Orders and their states: placed → paid → picked → shipped → delivered → returned; cancelled from placed and paid.
//!
//! Placing reserves stock, paying sells it, cancelling and returning make it available again. Each function is one
//! change of the store, to be run inside a commit: it changes nothing when it refuses.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::goods::{self, Outcome};
use super::{Delays, claims, keys, lots, totals};
use crate::shop::clock::millis;
use crate::shop::problem::Problem;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Placed,
    Paid,
    Picked,
    Shipped,
    Delivered,
    Returned,
    Cancelled,
}

impl State {
    pub(super) const ALL: [Self; 7] =
        [Self::Placed, Self::Paid, Self::Picked, Self::Shipped, Self::Delivered, Self::Returned, Self::Cancelled];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Paid => "paid",
            Self::Picked => "picked",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Returned => "returned",
            Self::Cancelled => "cancelled",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Notes when the state was reached, in its own column.
    fn update(self) -> &'static str {
        match self {
            Self::Placed => "UPDATE orders SET state = ?2, due_ms = ?3, placed_ms = ?4, reason = ?5 WHERE id = ?1",
            Self::Paid => "UPDATE orders SET state = ?2, due_ms = ?3, paid_ms = ?4, reason = ?5 WHERE id = ?1",
            Self::Picked => "UPDATE orders SET state = ?2, due_ms = ?3, picked_ms = ?4, reason = ?5 WHERE id = ?1",
            Self::Shipped => "UPDATE orders SET state = ?2, due_ms = ?3, shipped_ms = ?4, reason = ?5 WHERE id = ?1",
            Self::Delivered => {
                "UPDATE orders SET state = ?2, due_ms = ?3, delivered_ms = ?4, reason = ?5 WHERE id = ?1"
            }
            Self::Returned | Self::Cancelled => {
                "UPDATE orders SET state = ?2, due_ms = ?3, closed_ms = ?4, reason = ?5 WHERE id = ?1"
            }
        }
    }
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Order {
    pub(super) id: i64,
    pub(super) key: String,
    pub(super) sku: i64,
    pub(super) quantity: i64,
    /// Cents.
    pub(super) amount: i64,
    pub(super) buyer: String,
    pub(super) state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    placed_ms: i64,
    paid_ms: Option<i64>,
    picked_ms: Option<i64>,
    shipped_ms: Option<i64>,
    pub(super) delivered_ms: Option<i64>,
    closed_ms: Option<i64>,
    /// Where its payment stands, once one was begun.
    pub(super) payment: Option<String>,
    #[serde(skip)]
    payment_key: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct NewOrder {
    key: String,
    sku: i64,
    quantity: i64,
    buyer: String,
    /// The cart that the goods were taken from.
    cart: Option<String>,
    /// Whose traffic it is, if it is not a buyer's: drills mark theirs.
    mark: Option<String>,
}

macro_rules! select_orders {
    ($condition:literal) => {
        concat!(
            "SELECT o.id, o.key, o.sku, o.quantity, o.amount, o.buyer, o.state, o.reason, o.placed_ms, o.paid_ms,
             o.picked_ms, o.shipped_ms, o.delivered_ms, o.closed_ms, p.state, p.key
             FROM orders o LEFT JOIN payments p ON p.order_id = o.id WHERE ",
            $condition
        )
    };
}

fn order_row(row: &Row<'_>) -> rusqlite::Result<Order> {
    let state: String = row.get(6)?;
    let state = State::named(&state).ok_or_else(|| rusqlite::Error::InvalidParameterName(state))?;
    Ok(Order {
        id: row.get(0)?,
        key: row.get(1)?,
        sku: row.get(2)?,
        quantity: row.get(3)?,
        amount: row.get(4)?,
        buyer: row.get(5)?,
        state,
        reason: row.get(7)?,
        placed_ms: row.get(8)?,
        paid_ms: row.get(9)?,
        picked_ms: row.get(10)?,
        shipped_ms: row.get(11)?,
        delivered_ms: row.get(12)?,
        closed_ms: row.get(13)?,
        payment: row.get(14)?,
        payment_key: row.get(15)?,
    })
}

pub(super) fn by_id(c: &Connection, id: i64) -> rusqlite::Result<Option<Order>> {
    let mut select = c.prepare_cached(select_orders!("o.id = ?1"))?;
    select.query_row([id], order_row).optional()
}

pub(super) fn by_key(c: &Connection, key: &str) -> rusqlite::Result<Vec<Order>> {
    let mut select = c.prepare_cached(select_orders!("o.key = ?1"))?;
    select.query_map([key], order_row)?.collect()
}

/// The order, and whether it is a new one. The same key again gives the same order, or the same refusal.
pub(super) fn place(c: &Connection, new: &NewOrder, delays: Delays, now: i64) -> Outcome<(Order, bool)> {
    if let Some(wrong) = unsound(new) {
        return Ok(Err(wrong));
    }
    if let Some(order) = by_key(c, &new.key)?.pop() {
        let same = (order.sku, order.quantity, order.buyer.as_str()) == (new.sku, new.quantity, new.buyer.as_str());
        return Ok(if same { Ok((order, false)) } else { Err(keys::reused()) });
    }
    if let Some(no) = keys::refused(c, "order", &new.key)? {
        return Ok(Err(no));
    }
    let Some(product) = goods::any(c, new.sku)? else { return Ok(Err(Problem::missing("sku"))) };
    let mut reserve = c.prepare_cached(
        "UPDATE stock SET available = available - ?2, reserved = reserved + ?2 WHERE sku = ?1 AND available >= ?2",
    )?;
    let no = if !product.listed {
        Some(Problem::conflict("unlisted", format!("sku {} is not on sale", new.sku)))
    } else if reserve.execute([new.sku, new.quantity])? == 0 {
        Some(Problem::conflict("sold-out", format!("sku {} is sold out", new.sku)))
    } else {
        None
    };
    if let Some(no) = no {
        return keys::refuse(c, "order", &new.key, no, now).map(Err);
    }
    let mut insert = c.prepare_cached(
        "INSERT INTO orders (key, sku, quantity, amount, buyer, mark, state, due_ms, placed_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'placed', ?7, ?8)",
    )?;
    let amount = product.price * new.quantity;
    let due = now.saturating_add(millis(delays.unpaid));
    insert.execute(params![new.key, new.sku, new.quantity, amount, new.buyer, new.mark, due, now])?;
    let id = c.last_insert_rowid();
    totals::moved(c, "orders", None, State::Placed.name())?;
    if let Some(cart) = &new.cart {
        let mut bought = c.prepare_cached("DELETE FROM carts WHERE id = ?1 AND sku = ?2")?;
        bought.execute(params![cart, new.sku])?;
    }
    Ok(by_id(c, id)?.map(|order| (order, true)).ok_or_else(|| Problem::missing("order")))
}

fn unsound(new: &NewOrder) -> Option<Problem> {
    if let Some(wrong) = keys::unsound(&new.key) {
        return Some(wrong);
    }
    if !(1..=1000).contains(&new.quantity) {
        return Some(Problem::bad("`quantity` must lie between 1 and 1000"));
    }
    if new.buyer.is_empty() || new.buyer.len() > 200 {
        return Some(Problem::bad("`buyer` must be 1 to 200 bytes"));
    }
    new.mark.as_ref().filter(|mark| mark.len() > 200).map(|_| Problem::bad("the mark is over 200 bytes"))
}

/// What a node needs to ask the payment service.
#[derive(Debug, Serialize)]
pub(super) struct Begun {
    pub(super) key: String,
    pub(super) amount: i64,
    pub(super) order: Order,
}

/// Notes that a payment is under way, so that the order is neither cancelled nor lets its stock go meanwhile.
pub(super) fn begin_payment(c: &Connection, id: i64, now: i64) -> Outcome<Begun> {
    let Some(order) = by_id(c, id)? else { return Ok(Err(Problem::missing("order"))) };
    let begun = |order: Order, key: String| Begun { key, amount: order.amount, order };
    match (order.state, order.payment.as_deref(), order.payment_key.clone()) {
        (State::Cancelled, ..) => Ok(Err(Problem::conflict("cancelled", "the order was cancelled"))),
        (State::Returned, ..) => Ok(Err(Problem::conflict("returned", "the order was returned"))),
        (_, Some("pending" | "captured"), Some(key)) => Ok(Ok(begun(order, key))),
        (State::Placed, ..) => {
            let instance: String =
                c.prepare_cached("SELECT value FROM meta WHERE name = 'instance'")?.query_row([], |row| row.get(0))?;
            let mut begin = c.prepare_cached(
                "INSERT INTO payments VALUES (?1, ?2 || '-' || ?1 || '-1', 1, ?3, 'pending', ?4)
                 ON CONFLICT (order_id) DO UPDATE SET attempt = attempt + 1, state = 'pending', changed_ms = ?4,
                     key = ?2 || '-' || ?1 || '-' || (attempt + 1)
                 RETURNING key",
            )?;
            let key = begin.query_row(params![id, instance, order.amount, now], |row| row.get(0))?;
            c.prepare_cached("UPDATE orders SET due_ms = NULL WHERE id = ?1")?.execute([id])?;
            let order = by_id(c, id)?.unwrap_or(order);
            Ok(Ok(begun(order, key)))
        }
        _ => Ok(Err(Problem::conflict("not-payable", "the order cannot be paid"))),
    }
}

/// The payment service has the money: the goods are sold. Again for the same payment: nothing more happens.
pub(super) fn captured(c: &Connection, id: i64, key: &str, delays: Delays, now: i64) -> Outcome<Order> {
    let Some(order) = by_id(c, id)? else { return Ok(Err(Problem::missing("order"))) };
    if order.payment_key.as_deref() != Some(key) {
        return Ok(Err(Problem::conflict("other-payment", "the order waits for another payment")));
    }
    match order.payment.as_deref() {
        Some("pending") if order.state == State::Placed => (),
        Some("captured" | "refund-due" | "refunded") => return Ok(Ok(order)),
        _ => return Ok(Err(Problem::conflict("not-pending", "the payment is not under way"))),
    }
    set_payment(c, id, "captured", now)?;
    let mut sell = c.prepare_cached("UPDATE stock SET reserved = reserved - ?2, sold = sold + ?2 WHERE sku = ?1")?;
    sell.execute([order.sku, order.quantity])?;
    let due = now.saturating_add(millis(delays.pick));
    move_to(c, &order, State::Paid, Some(due), None, now)
}

/// The payment service has no such payment and will never capture it: the order is as if it had not been begun.
pub(super) fn voided(c: &Connection, id: i64, key: &str, delays: Delays, now: i64) -> Outcome<Order> {
    let Some(order) = by_id(c, id)? else { return Ok(Err(Problem::missing("order"))) };
    if order.payment_key.as_deref() == Some(key) && order.payment.as_deref() == Some("pending") {
        set_payment(c, id, "voided", now)?;
        let due = now.saturating_add(millis(delays.unpaid));
        c.prepare_cached("UPDATE orders SET due_ms = ?2 WHERE id = ?1")?.execute([id, due])?;
    }
    Ok(by_id(c, id)?.ok_or_else(|| Problem::missing("order")))
}

pub(super) fn refunded(c: &Connection, id: i64, key: &str, now: i64) -> Outcome<Order> {
    let Some(order) = by_id(c, id)? else { return Ok(Err(Problem::missing("order"))) };
    if order.payment_key.as_deref() == Some(key) && order.payment.as_deref() == Some("refund-due") {
        set_payment(c, id, "refunded", now)?;
        claims::refunded(c, &order, now)?;
    }
    Ok(by_id(c, id)?.ok_or_else(|| Problem::missing("order")))
}

pub(super) fn cancel(c: &Connection, id: i64, reason: &str, now: i64) -> Outcome<Order> {
    let Some(order) = by_id(c, id)? else { return Ok(Err(Problem::missing("order"))) };
    match (order.state, order.payment.as_deref()) {
        (State::Cancelled, _) => Ok(Ok(order)),
        (State::Placed, Some("pending")) => Ok(Err(Problem::conflict("payment-under-way", "a payment is under way"))),
        (State::Placed, _) => {
            let mut release = c.prepare_cached(
                "UPDATE stock SET reserved = reserved - ?2, available = available + ?2 WHERE sku = ?1",
            )?;
            release.execute([order.sku, order.quantity])?;
            move_to(c, &order, State::Cancelled, None, Some(reason), now)
        }
        (State::Paid, _) => {
            take_back(c, &order, now)?;
            move_to(c, &order, State::Cancelled, None, Some(reason), now)
        }
        _ => Ok(Err(Problem::conflict("too-late", format!("the order is {} already", order.state.name())))),
    }
}

/// Returned over the counter: the goods are on the shelf again at once. A return that is asked for, sent and received
/// goes by way of the claims.
pub(super) fn give_back(c: &Connection, id: i64, reason: &str, now: i64) -> Outcome<Order> {
    let Some(order) = by_id(c, id)? else { return Ok(Err(Problem::missing("order"))) };
    match order.state {
        State::Returned => Ok(Ok(order)),
        State::Delivered => {
            if claims::under_way(c, id)? {
                return Ok(Err(Problem::conflict("claim-under-way", "a return or repair of it is under way")));
            }
            take_back(c, &order, now)?;
            lots::put_back(c, id)?;
            move_to(c, &order, State::Returned, None, Some(reason), now)
        }
        _ => Ok(Err(Problem::conflict("not-delivered", format!("the order is {}", order.state.name())))),
    }
}

/// The goods of a return are in the house, and held until the buyer has the money.
pub(super) fn received_back(c: &Connection, id: i64, now: i64) -> Outcome<Order> {
    let Some(order) = by_id(c, id)?.filter(|order| order.state == State::Delivered) else {
        return Ok(Err(Problem::conflict("not-delivered", "the order is with no buyer")));
    };
    let mut hold = c.prepare_cached("UPDATE stock SET sold = sold - ?2, held = held + ?2 WHERE sku = ?1")?;
    hold.execute([order.sku, order.quantity])?;
    set_payment(c, id, "refund-due", now)?;
    move_to(c, &order, State::Returned, None, Some("received back"), now)
}

/// Sold goods are available again, and the buyer's money is due.
fn take_back(c: &Connection, order: &Order, now: i64) -> rusqlite::Result<()> {
    let mut back = c.prepare_cached("UPDATE stock SET sold = sold - ?2, available = available + ?2 WHERE sku = ?1")?;
    back.execute([order.sku, order.quantity])?;
    set_payment(c, order.id, "refund-due", now)
}

fn set_payment(c: &Connection, id: i64, state: &str, now: i64) -> rusqlite::Result<()> {
    let mut update = c.prepare_cached("UPDATE payments SET state = ?2, changed_ms = ?3 WHERE order_id = ?1")?;
    update.execute(params![id, state, now]).map(drop)
}

fn move_to(
    c: &Connection,
    order: &Order,
    to: State,
    due: Option<i64>,
    reason: Option<&str>,
    now: i64,
) -> Outcome<Order> {
    c.prepare_cached(to.update())?.execute(params![order.id, to.name(), due, now, reason])?;
    totals::moved(c, "orders", Some(order.state.name()), to.name())?;
    Ok(by_id(c, order.id)?.ok_or_else(|| Problem::missing("order")))
}

/// Moves on what is due: unpaid orders lapse, paid ones are picked, shipped and delivered. At most `limit` of each.
/// Returns how many moved.
pub(super) fn advance(c: &Connection, delays: Delays, limit: i64, now: i64) -> rusqlite::Result<usize> {
    let mut moved = 0;
    for id in due(c, State::Placed, limit, now)? {
        moved += usize::from(cancel(c, id, "not paid in time", now)?.is_ok());
    }
    // From the back, so that an order makes one step at a time.
    let steps = [
        (State::Shipped, State::Delivered, None),
        (State::Picked, State::Shipped, Some(delays.deliver)),
        (State::Paid, State::Picked, Some(delays.ship)),
    ];
    for (from, to, next) in steps {
        for id in due(c, from, limit, now)? {
            if to == State::Picked
                && let Some(order) = by_id(c, id)?
            {
                lots::pick(c, id, order.sku, order.quantity)?;
            }
            let next = next.map(|delay| now.saturating_add(millis(delay)));
            c.prepare_cached(to.update())?.execute(params![id, to.name(), next, now, None::<&str>])?;
            totals::moved(c, "orders", Some(from.name()), to.name())?;
            moved += 1;
        }
    }
    Ok(moved)
}

fn due(c: &Connection, state: State, limit: i64, now: i64) -> rusqlite::Result<Vec<i64>> {
    let mut select = c.prepare_cached(
        "SELECT id FROM orders WHERE state = ?1 AND due_ms IS NOT NULL AND due_ms <= ?2 ORDER BY due_ms LIMIT ?3",
    )?;
    select.query_map(params![state.name(), now, limit], |row| row.get(0))?.collect()
}

pub(super) fn any_due(c: &Connection, now: i64) -> rusqlite::Result<bool> {
    let mut select = c.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM orders WHERE state IN ('placed', 'paid', 'picked', 'shipped')
         AND due_ms IS NOT NULL AND due_ms <= ?1)",
    )?;
    select.query_row([now], |row| row.get(0))
}
