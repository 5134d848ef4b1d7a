//! Random histories: whatever comes in whatever order, the books must agree after every step.

use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::json;

use super::*;
use crate::shop::store::claims::Kind;
use crate::shop::store::{reviews, suppliers, totals};

#[derive(Debug, Clone)]
enum Step {
    Place {
        key: u8,
        sku: i64,
        quantity: i64,
    },
    /// Placed and paid in one go, so that walks come far.
    Sell {
        key: u8,
        sku: i64,
    },
    Begin(i64),
    Capture(i64),
    Void(i64),
    Refund(i64),
    RefundAll,
    Cancel(i64),
    GiveBack(i64),
    Restock {
        sku: i64,
        add: i64,
        key: u8,
    },
    Apply {
        key: u8,
        licence: u8,
        score: i64,
    },
    Offer {
        key: u8,
        supplier: i64,
    },
    Deliver {
        key: u8,
        supplier: i64,
        sku: i64,
        quantity: i64,
        defective: i64,
    },
    List {
        sku: i64,
        supplier: i64,
        listed: bool,
    },
    Claim {
        kind: Kind,
        key: u8,
        order: i64,
        cause: &'static str,
    },
    Answer(i64),
    Close(i64),
    Review {
        order: i64,
        stars: i64,
    },
    Wait(i64),
}

/// Short enough for a walk to outlive them.
const SHORT: Terms = Terms { return_within: Duration::from_secs(5), warranty: Duration::from_secs(20), ..TERMS };

const FIRST_OFFER: i64 = 1_000_000_001;

fn step() -> impl Strategy<Value = Step> {
    let order = || 1..7_i64;
    let sku = || prop_oneof![5 => 1..3_i64, 1 => FIRST_OFFER..FIRST_OFFER + 2];
    let claim = prop_oneof![
        3 => prop::sample::select(vec!["unwanted", "wrong", "defective"]).prop_map(|cause| (Kind::Return, cause)),
        1 => Just((Kind::Repair, "damaged")),
        1 => Just((Kind::Complaint, "quality")),
    ];
    prop_oneof![
        4 => (0..20_u8, sku(), 1..4_i64).prop_map(|(key, sku, quantity)| Step::Place { key, sku, quantity }),
        5 => (20..40_u8, 1..3_i64).prop_map(|(key, sku)| Step::Sell { key, sku }),
        3 => order().prop_map(Step::Begin),
        3 => order().prop_map(Step::Capture),
        1 => order().prop_map(Step::Void),
        1 => order().prop_map(Step::Refund),
        2 => Just(Step::RefundAll),
        1 => order().prop_map(Step::Cancel),
        1 => order().prop_map(Step::GiveBack),
        1 => (sku(), 1..5_i64, 0..4_u8).prop_map(|(sku, add, key)| Step::Restock { sku, add, key }),
        1 => (0..5_u8, 0..2_u8, 55..65_i64).prop_map(|(key, licence, score)| Step::Apply { key, licence, score }),
        1 => (0..3_u8, 1..4_i64).prop_map(|(key, supplier)| Step::Offer { key, supplier }),
        2 => (0..5_u8, 1..4_i64, sku(), 1..4_i64, 0..2_i64).prop_map(|(key, supplier, sku, quantity, defective)| {
            Step::Deliver { key, supplier, sku, quantity, defective }
        }),
        1 => (sku(), 0..3_i64, any::<bool>()).prop_map(|(sku, supplier, listed)| Step::List { sku, supplier, listed }),
        5 => (claim, 0..20_u8, order()).prop_map(|((kind, cause), key, order)| Step::Claim { kind, key, order, cause }),
        1 => (1..9_i64).prop_map(Step::Answer),
        1 => (1..9_i64).prop_map(Step::Close),
        1 => (order(), 1..6_i64).prop_map(|(order, stars)| Step::Review { order, stars }),
        // Mostly until something falls due, now and then until something has lapsed.
        8 => (900..3_000_i64).prop_map(Step::Wait),
        1 => (4_000..100_000_i64).prop_map(Step::Wait),
    ]
}

fn payment_key(c: &Connection, id: i64) -> String {
    let key = c.query_row("SELECT key FROM payments WHERE order_id = ?1", [id], |row| row.get(0));
    key.unwrap_or_else(|_| "none".to_owned())
}

/// Refusals are as good as anything else: only the storage may not fail.
fn apply(c: &Connection, step: &Step, now: &mut i64) {
    let at = *now;
    match step {
        Step::Place { key, sku, quantity } => drop(place(c, &format!("k{key}"), *sku, *quantity, at)),
        Step::Sell { key, sku } => {
            if let Ok(order) = place(c, &format!("k{key}"), *sku, 1, at)
                && orders::begin_payment(c, order.id, at).unwrap().is_ok()
            {
                drop(orders::captured(c, order.id, &payment_key(c, order.id), DELAYS, at).unwrap());
            }
        }
        Step::Begin(id) => drop(orders::begin_payment(c, *id, at).unwrap()),
        Step::Capture(id) => drop(orders::captured(c, *id, &payment_key(c, *id), DELAYS, at).unwrap()),
        Step::Void(id) => drop(orders::voided(c, *id, &payment_key(c, *id), DELAYS, at).unwrap()),
        Step::Refund(id) => drop(orders::refunded(c, *id, &payment_key(c, *id), at).unwrap()),
        Step::RefundAll => {
            for id in 1..20 {
                drop(orders::refunded(c, id, &payment_key(c, id), at).unwrap());
            }
        }
        Step::Cancel(id) => drop(orders::cancel(c, *id, "test", at).unwrap()),
        Step::GiveBack(id) => drop(orders::give_back(c, *id, "test", at).unwrap()),
        Step::Restock { sku, add, key } => drop(lots::restock(c, *sku, *add, Some(&format!("r{key}")), at).unwrap()),
        Step::Apply { key, licence, score } => {
            let new =
                json!({ "key": key.to_string(), "name": "n", "licence": format!("{licence:018}"), "score": score });
            drop(suppliers::apply(c, &serde_json::from_value(new).unwrap(), SHORT, at).unwrap());
        }
        Step::Offer { key, supplier } => {
            let key = key.to_string();
            let new = json!({ "key": key, "supplier": supplier, "name": "n", "category": "c", "price": 5 });
            drop(goods::register(c, &serde_json::from_value(new).unwrap(), at).unwrap());
        }
        Step::Deliver { key, supplier, sku, quantity, defective } => {
            let new = json!({
                "key": key.to_string(), "supplier": supplier, "sku": sku, "quantity": quantity, "defective": defective,
            });
            drop(lots::receive(c, &serde_json::from_value(new).unwrap(), SHORT, at).unwrap());
        }
        Step::List { sku, supplier, listed } => {
            let supplier = (*supplier > 0).then_some(*supplier);
            drop(goods::set_listed(c, *sku, supplier, *listed).unwrap());
        }
        Step::Claim { kind, key, order, cause } => {
            let new = serde_json::from_value(json!({ "key": key.to_string(), "cause": cause })).unwrap();
            drop(claims::open(c, *kind, *order, &new, SHORT, at).unwrap());
        }
        Step::Answer(id) => drop(claims::answer(c, *id, "so it is", at).unwrap()),
        Step::Close(id) => drop(claims::close(c, *id, at).unwrap()),
        Step::Review { order, stars } => {
            let new = serde_json::from_value(json!({ "buyer": "b", "stars": stars })).unwrap();
            drop(reviews::post(c, *order, &new, at).unwrap());
        }
        Step::Wait(ms) => {
            *now += ms;
            orders::advance(c, DELAYS, 100, *now).unwrap();
            claims::advance(c, SHORT, 100, *now).unwrap();
            lots::advance(c, 100, *now).unwrap();
            suppliers::advance(c, 100, *now).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_books_agree_after_every_step(steps in prop::collection::vec(step(), 1..120)) {
        let (c, mut now) = (store(2, 6), 1_000_000);
        for step in &steps {
            apply(&c, step, &mut now);
            let books = audit::audit(&c).unwrap();
            prop_assert_eq!(&books["consistent"], &json!(true), "after {:?}: {}", step, books);
            let stock = |name: &str| books["stock"][name].as_i64().unwrap();
            let places = ["pending", "rejected", "available", "reserved", "sold", "held", "scrapped"];
            prop_assert_eq!(stock("received"), places.map(stock).iter().sum::<i64>(), "after {:?}: {}", step, books);
            for total in totals::totals(&c, now).unwrap().states {
                let counted = books[&total.what][&total.state]["count"].as_i64().unwrap_or(0);
                prop_assert!(total.what == "late" || total.now == counted, "{:?} after {:?}", total, step);
                prop_assert!(total.reached >= total.now);
            }
        }
    }
}

/// A walk that never gets anywhere would agree with itself, too.
#[test]
fn random_walks_come_to_every_state() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut missed = None;
    for _ in 0..200 {
        let (c, mut now) = (store(2, 6), 1_000_000);
        for step in prop::collection::vec(step(), 80).new_tree(&mut runner).unwrap().current() {
            apply(&c, &step, &mut now);
        }
        let states = totals::totals(&c, now).unwrap().states;
        let never = states.into_iter().filter(|total| total.reached == 0).map(|total| (total.what, total.state));
        let never: std::collections::BTreeSet<_> = never.collect();
        missed = Some(missed.map_or_else(|| never.clone(), |missed| &missed & &never));
    }
    assert_eq!(missed.unwrap(), std::collections::BTreeSet::new());
}
