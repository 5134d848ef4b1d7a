//! Random histories of orders: whatever comes in whatever order, the books must agree after every step.

use std::time::Duration;

use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::orders::{Order, State};
use super::{Delays, audit, carts, goods, orders, schema};
use crate::shop::seed;

const DELAYS: Delays = Delays {
    unpaid: Duration::from_secs(60),
    pick: Duration::from_secs(1),
    ship: Duration::from_secs(1),
    deliver: Duration::from_secs(1),
};

fn store(skus: u32, stock: u32) -> Connection {
    let c = Connection::open_in_memory().unwrap();
    c.execute_batch(schema::SCHEMA).unwrap();
    c.execute("INSERT INTO meta VALUES ('instance', 'here')", []).unwrap();
    goods::seed(&c, &seed::goods(skus, stock, 1)).unwrap().unwrap();
    c
}

fn place(c: &Connection, key: &str, sku: i64, quantity: i64, now: i64) -> Result<Order, String> {
    let new = json!({ "key": key, "sku": sku, "quantity": quantity, "buyer": "b" });
    let new = serde_json::from_value(new).unwrap();
    orders::place(c, &new, DELAYS, now).unwrap().map(|(order, _)| order).map_err(|problem| problem.reason)
}

fn stock_of(c: &Connection, sku: i64) -> Value {
    serde_json::to_value(goods::stock(c, sku).unwrap().unwrap()).unwrap()
}

#[derive(Debug, Clone)]
enum Step {
    Place { key: u8, sku: i64, quantity: i64 },
    Begin(i64),
    Capture(i64),
    Void(i64),
    Refund(i64),
    Cancel(i64),
    Return(i64),
    Restock { sku: i64, add: i64, key: u8 },
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let order = 1..12_i64;
    prop_oneof![
        4 => (0..20_u8, 1..3_i64, 1..4_i64).prop_map(|(key, sku, quantity)| Step::Place { key, sku, quantity }),
        3 => order.clone().prop_map(Step::Begin),
        3 => order.clone().prop_map(Step::Capture),
        1 => order.clone().prop_map(Step::Void),
        1 => order.clone().prop_map(Step::Refund),
        1 => order.clone().prop_map(Step::Cancel),
        1 => order.prop_map(Step::Return),
        1 => (1..3_i64, 1..5_i64, 0..4_u8).prop_map(|(sku, add, key)| Step::Restock { sku, add, key }),
        2 => (100..70_000_i64).prop_map(Step::Wait),
    ]
}

fn payment_key(c: &Connection, id: i64) -> String {
    let key = c.query_row("SELECT key FROM payments WHERE order_id = ?1", [id], |row| row.get(0));
    key.unwrap_or_else(|_| "none".to_owned())
}

fn apply(c: &Connection, step: &Step, now: &mut i64) {
    match step {
        Step::Place { key, sku, quantity } => drop(place(c, &format!("k{key}"), *sku, *quantity, *now)),
        Step::Begin(id) => drop(orders::begin_payment(c, *id, *now).unwrap()),
        Step::Capture(id) => drop(orders::captured(c, *id, &payment_key(c, *id), DELAYS, *now).unwrap()),
        Step::Void(id) => drop(orders::voided(c, *id, &payment_key(c, *id), DELAYS, *now).unwrap()),
        Step::Refund(id) => drop(orders::refunded(c, *id, &payment_key(c, *id), *now).unwrap()),
        Step::Cancel(id) => drop(orders::cancel(c, *id, "test", *now).unwrap()),
        Step::Return(id) => drop(orders::give_back(c, *id, "test", *now).unwrap()),
        Step::Restock { sku, add, key } => {
            drop(goods::restock(c, *sku, *add, Some(&format!("r{key}")), *now).unwrap());
        }
        Step::Wait(ms) => {
            *now += ms;
            orders::advance(c, DELAYS, 100, *now).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_books_agree_after_every_step(steps in prop::collection::vec(step(), 1..40)) {
        let (c, mut now) = (store(2, 6), 1_000_000);
        for step in &steps {
            apply(&c, step, &mut now);
            let books = audit::audit(&c).unwrap();
            prop_assert_eq!(&books["consistent"], &json!(true), "after {:?}: {}", step, books);
            for (state, reached, in_it) in audit::totals(&c).unwrap() {
                let counted = books["orders"][&state]["count"].as_i64().unwrap_or(0);
                prop_assert_eq!(in_it, counted, "{}", state);
                prop_assert!(reached >= in_it);
            }
        }
    }
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
    assert_eq!(stock_of(&c, 1), json!({ "sku": 1, "available": 1, "reserved": 1, "sold": 0, "stocked": 2 }));
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
    assert_eq!(stock_of(&c, 1), json!({ "sku": 1, "available": 3, "reserved": 0, "sold": 2, "stocked": 5 }));
    orders::give_back(&c, paid.id, "test", 60_001).unwrap().unwrap();
    assert_eq!(orders::by_id(&c, paid.id).unwrap().unwrap().payment.as_deref(), Some("refund-due"));
    assert_eq!(stock_of(&c, 1), json!({ "sku": 1, "available": 5, "reserved": 0, "sold": 0, "stocked": 5 }));
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
    let again = goods::seed(&c, &seed::goods(4, 9, 1)).unwrap().unwrap();
    assert_eq!(serde_json::to_value(again).unwrap(), json!({ "added": 1, "changed": 2, "kept": 1 }));
    assert_eq!(stock_of(&c, 1)["stocked"], json!(9));
    assert_eq!(stock_of(&c, 2)["stocked"], json!(5));
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
