//! What the store's changes do, one by one; `walk` throws them together at random.

mod care;
mod merchants;
mod walk;

use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::orders::{Order, State};
use super::{Delays, Terms, audit, carts, claims, goods, lots, orders, schema};
use crate::shop::seed;

const DELAYS: Delays = Delays {
    unpaid: Duration::from_secs(60),
    pick: Duration::from_secs(1),
    ship: Duration::from_secs(1),
    deliver: Duration::from_secs(1),
};

const TERMS: Terms = Terms {
    review: Duration::from_secs(1),
    inspect: Duration::from_secs(1),
    send_back: Duration::from_secs(1),
    repair: Duration::from_secs(1),
    answer: Duration::from_secs(2),
    respond_within: Duration::from_secs(10),
    return_within: Duration::from_secs(100),
    warranty: Duration::from_secs(300),
};

fn store(skus: u32, stock: u32) -> Connection {
    let c = Connection::open_in_memory().unwrap();
    c.execute_batch(schema::SCHEMA).unwrap();
    c.execute("INSERT INTO meta VALUES ('instance', 'here')", []).unwrap();
    goods::seed(&c, &seed::goods(skus, stock, 1), 0).unwrap().unwrap();
    c
}

/// An order that its buyer has had since `at`.
fn delivered(c: &Connection, key: &str, quantity: i64, at: i64) -> Order {
    let order = place(c, key, 1, quantity, at - 3000).unwrap();
    let begun = orders::begin_payment(c, order.id, at - 3000).unwrap().unwrap();
    orders::captured(c, order.id, &begun.key, DELAYS, at - 3000).unwrap().unwrap();
    for now in [at - 2000, at - 1000, at] {
        orders::advance(c, DELAYS, 100, now).unwrap();
    }
    let order = orders::by_id(c, order.id).unwrap().unwrap();
    assert_eq!(order.state, State::Delivered);
    order
}

fn refund(c: &Connection, order: i64, now: i64) {
    let key = c.query_row("SELECT key FROM payments WHERE order_id = ?1", [order], |row| row.get::<_, String>(0));
    orders::refunded(c, order, &key.unwrap(), now).unwrap().unwrap();
}

#[track_caller]
fn consistent(c: &Connection) {
    let books = audit::audit(c).unwrap();
    assert_eq!(books["consistent"], json!(true), "{books}");
}

/// A sku's pieces: available, reserved, sold, held, scrapped, stocked.
fn pieces(c: &Connection, sku: i64) -> [i64; 6] {
    let stock = stock_of(c, sku);
    ["available", "reserved", "sold", "held", "scrapped", "stocked"].map(|name| stock[name].as_i64().unwrap())
}

fn place(c: &Connection, key: &str, sku: i64, quantity: i64, now: i64) -> Result<Order, String> {
    let new = json!({ "key": key, "sku": sku, "quantity": quantity, "buyer": "b" });
    let new = serde_json::from_value(new).unwrap();
    orders::place(c, &new, DELAYS, now).unwrap().map(|(order, _)| order).map_err(|problem| problem.reason)
}

fn stock_of(c: &Connection, sku: i64) -> Value {
    serde_json::to_value(goods::stock(c, sku).unwrap().unwrap()).unwrap()
}

#[test]
fn a_key_ends_one_way_however_late_it_comes_again() {
    let c = store(1, 2);
    let first = place(&c, "a", 1, 2, 0).unwrap();
    assert_eq!(place(&c, "a", 1, 2, 1).unwrap().id, first.id);
    assert_eq!(place(&c, "a", 1, 1, 1).unwrap_err(), "key-reused");
    assert_eq!(place(&c, "b", 1, 1, 1).unwrap_err(), "sold-out");
    orders::cancel(&c, first.id, "test", 2).unwrap().unwrap();
    assert_eq!(place(&c, "b", 1, 1, 3).unwrap_err(), "sold-out", "the buyer was told so");
    assert_eq!(place(&c, "c", 1, 1, 3).unwrap().state, State::Placed);
    assert_eq!(place(&c, "d", 9, 1, 3).unwrap_err(), "not-found");
    assert_eq!(pieces(&c, 1), [1, 1, 0, 0, 0, 2]);
}

#[test]
fn an_order_under_payment_is_neither_cancelled_nor_lapses() {
    let c = store(1, 2);
    let order = place(&c, "a", 1, 1, 0).unwrap();
    let begun = orders::begin_payment(&c, order.id, 1).unwrap().unwrap();
    assert_eq!(begun.amount, order.amount);
    assert_eq!(orders::cancel(&c, order.id, "test", 2).unwrap().unwrap_err().reason, "payment-under-way");
    assert!(!orders::any_due(&c, i64::MAX).unwrap());
    let voided = orders::voided(&c, order.id, &begun.key, DELAYS, 3).unwrap().unwrap();
    assert_eq!((voided.state, voided.payment.as_deref()), (State::Placed, Some("voided")));
    let late = orders::captured(&c, order.id, &begun.key, DELAYS, 4).unwrap();
    assert_eq!(late.unwrap_err().reason, "not-pending", "given up for good");
    let again = orders::begin_payment(&c, order.id, 5).unwrap().unwrap();
    assert_ne!(again.key, begun.key, "a new attempt has a key of its own");
    assert_eq!(orders::captured(&c, order.id, &again.key, DELAYS, 6).unwrap().unwrap().state, State::Paid);
}

#[test]
fn unpaid_orders_lapse_and_paid_ones_go_their_way_in_their_time() {
    let c = store(1, 5);
    let (unpaid, paid) = (place(&c, "a", 1, 1, 0).unwrap(), place(&c, "b", 1, 2, 0).unwrap());
    let begun = orders::begin_payment(&c, paid.id, 0).unwrap().unwrap();
    orders::captured(&c, paid.id, &begun.key, DELAYS, 0).unwrap().unwrap();
    let state = |id| orders::by_id(&c, id).unwrap().unwrap().state;
    let expected = [(999, State::Paid), (1000, State::Picked), (1999, State::Picked), (2000, State::Shipped)];
    for (now, expected) in expected.into_iter().chain([(3000, State::Delivered), (59_999, State::Delivered)]) {
        orders::advance(&c, DELAYS, 100, now).unwrap();
        assert_eq!((state(paid.id), state(unpaid.id)), (expected, State::Placed), "at {now}");
    }
    orders::advance(&c, DELAYS, 100, 60_000).unwrap();
    assert_eq!(state(unpaid.id), State::Cancelled);
    assert_eq!(pieces(&c, 1), [3, 0, 2, 0, 0, 5]);
    orders::give_back(&c, paid.id, "test", 60_001).unwrap().unwrap();
    assert_eq!(orders::by_id(&c, paid.id).unwrap().unwrap().payment.as_deref(), Some("refund-due"));
    assert_eq!(pieces(&c, 1), [5, 0, 0, 0, 0, 5]);
}

#[test]
fn the_audit_sees_what_contradicts() {
    let c = store(3, 5);
    place(&c, "a", 2, 2, 0).unwrap();
    assert_eq!(audit::audit(&c).unwrap()["consistent"], json!(true));
    // Stock let go behind the order's back.
    c.execute("UPDATE stock SET reserved = 0, available = 5 WHERE sku = 2", []).unwrap();
    let books = audit::audit(&c).unwrap();
    assert_eq!((&books["consistent"], &books["stock_drift"]), (&json!(false), &json!({ "count": 1, "ids": [2] })));
    c.execute("UPDATE stock SET reserved = 2, available = 3 WHERE sku = 2", []).unwrap();
    // Sold without money.
    c.execute("UPDATE orders SET state = 'paid' WHERE sku = 2", []).unwrap();
    assert_eq!(audit::audit(&c).unwrap()["payment_mismatch"]["count"], json!(1));
    // More sold than there ever was.
    c.execute("UPDATE orders SET quantity = 9 WHERE sku = 2", []).unwrap();
    assert_eq!(audit::audit(&c).unwrap()["oversold"], json!({ "count": 1, "ids": [2] }));
    assert!(c.execute("UPDATE stock SET available = available - 9 WHERE sku = 1", []).is_err(), "the table refuses");
}

#[test]
fn seeding_twice_is_seeding_once_and_leaves_traded_goods_alone() {
    let c = store(3, 5);
    place(&c, "a", 2, 2, 0).unwrap();
    let again = goods::seed(&c, &seed::goods(4, 9, 1), 1).unwrap().unwrap();
    assert_eq!(serde_json::to_value(again).unwrap(), json!({ "added": 1, "changed": 2, "kept": 1 }));
    assert_eq!(stock_of(&c, 1)["stocked"], json!(9));
    assert_eq!(stock_of(&c, 2)["stocked"], json!(5));
    lots::restock(&c, 3, 4, Some("r"), 2).unwrap().unwrap();
    let third = goods::seed(&c, &seed::goods(4, 9, 1), 3).unwrap().unwrap();
    assert_eq!(serde_json::to_value(third).unwrap(), json!({ "added": 0, "changed": 2, "kept": 2 }));
    assert_eq!(stock_of(&c, 3)["stocked"], json!(13), "what came meanwhile stays");
    consistent(&c);
}

#[test]
fn carts_are_bounded_forgotten_and_emptied_by_the_order() {
    let c = store(60, 5);
    for sku in 1..=50 {
        carts::set(&c, "me", sku, 1, 100).unwrap().unwrap();
    }
    assert_eq!(carts::set(&c, "me", 51, 1, 100).unwrap().unwrap_err().reason, "cart-full");
    carts::set(&c, "me", 50, 3, 200).unwrap().unwrap();
    carts::set(&c, "me", 1, 0, 200).unwrap().unwrap();
    let new = json!({ "key": "k", "sku": 2, "quantity": 1, "buyer": "b", "cart": "me" });
    orders::place(&c, &serde_json::from_value(new).unwrap(), DELAYS, 300).unwrap().unwrap();
    let cart = serde_json::to_value(carts::cart(&c, "me").unwrap()).unwrap();
    assert_eq!(cart["items"].as_array().unwrap().len(), 48);
    assert_eq!(carts::sweep(&c, 150, 1000).unwrap(), 47);
    assert_eq!(carts::sweep(&c, 150, 1000).unwrap(), 0);
}
