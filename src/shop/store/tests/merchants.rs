//! Suppliers, goods, lots, and where a sold piece came from.

use super::*;
use crate::shop::store::suppliers::{self, Supplier};

fn apply(c: &Connection, key: &str, licence: &str, score: i64, now: i64) -> Supplier {
    let new = json!({ "key": key, "name": "Wu & Sons", "licence": licence, "score": score });
    suppliers::apply(c, &serde_json::from_value(new).unwrap(), TERMS, now).unwrap().unwrap().0
}

const LICENCE: &str = "91330100MA27XYZ01A";

fn admitted(c: &Connection) -> i64 {
    let supplier = apply(c, "s", LICENCE, 90, 0);
    suppliers::advance(c, 100, 1000).unwrap();
    supplier.id
}

fn deliver(c: &Connection, key: &str, supplier: i64, sku: i64, sizes: (i64, i64)) -> Result<lots::Lot, String> {
    let new = json!({ "key": key, "supplier": supplier, "sku": sku, "quantity": sizes.0, "defective": sizes.1 });
    let made = lots::receive(c, &serde_json::from_value(new).unwrap(), TERMS, 2000).unwrap();
    made.map(|(lot, _)| lot).map_err(|problem| problem.reason)
}

fn register(c: &Connection, key: &str, supplier: i64, price: i64) -> Result<i64, String> {
    let new = json!({ "key": key, "supplier": supplier, "name": "Jade comb", "category": "home", "price": price });
    let made = goods::register(c, &serde_json::from_value(new).unwrap(), 2000).unwrap();
    made.map(|(offer, _)| offer.sku).map_err(|problem| problem.reason)
}

#[test]
fn suppliers_are_admitted_by_rules_in_their_time() {
    let c = store(1, 1);
    let good = apply(&c, "a", LICENCE, 60, 0);
    let again = apply(&c, "b", LICENCE, 99, 0);
    let poor = apply(&c, "c", "91330100MA27XYZ02B", 59, 0);
    let forged = apply(&c, "d", "91330100ma27xyz02b", 99, 0);
    assert_eq!(apply(&c, "a", LICENCE, 60, 5).id, good.id, "one application for one key");
    suppliers::advance(&c, 100, 999).unwrap();
    let now = |supplier: &Supplier| {
        let now = serde_json::to_value(suppliers::by_id(&c, supplier.id).unwrap().unwrap()).unwrap();
        (now["state"].as_str().unwrap().to_owned(), now["reason"].as_str().map(str::to_owned))
    };
    assert_eq!(now(&good), ("applied".to_owned(), None), "the review takes its time");
    suppliers::advance(&c, 100, 1000).unwrap();
    assert_eq!(now(&good), ("admitted".to_owned(), None));
    for (supplier, why) in [(&again, "admitted already"), (&poor, "too few points"), (&forged, "is none")] {
        let (state, reason) = now(supplier);
        assert!(state == "refused" && reason.as_deref().is_some_and(|reason| reason.contains(why)), "{reason:?}");
    }
    consistent(&c);
    let late = apply(&c, "e", "91330100MA27XYZ03C", 99, 2000);
    let figures = |now| serde_json::to_value(super::super::totals::totals(&c, now).unwrap()).unwrap();
    assert_eq!(figures(12_000)["overdue_suppliers"], json!(0));
    assert_eq!(figures(12_001)["overdue_suppliers"], json!(1));
    suppliers::advance(&c, 100, 12_001).unwrap();
    assert_eq!((now(&late).0.as_str(), &figures(12_001)["overdue_suppliers"]), ("admitted", &json!(0)));
    let page = figures(12_001)["states"].as_array().unwrap().clone();
    assert!(page.contains(&json!({ "what": "late", "state": "suppliers", "reached": 1, "now": 1 })), "{page:?}");
}

#[test]
fn only_what_passed_its_inspection_is_sold() {
    let c = store(1, 0);
    let supplier = admitted(&c);
    let sound = deliver(&c, "a", supplier, 1, (100, 2)).unwrap();
    let bad = deliver(&c, "b", supplier, 1, (100, 3)).unwrap();
    assert_eq!(deliver(&c, "a", supplier, 1, (100, 2)).unwrap().id, sound.id, "one lot for one key");
    assert_eq!(deliver(&c, "a", supplier, 1, (100, 1)).unwrap_err(), "key-reused");
    assert_eq!(serde_json::to_value(&bad).unwrap()["defective"], json!(null), "nobody knows yet");
    assert_eq!(place(&c, "early", 1, 1, 2500).unwrap_err(), "sold-out");
    lots::advance(&c, 100, 2999).unwrap();
    assert_eq!(pieces(&c, 1), [0; 6]);
    lots::advance(&c, 100, 3000).unwrap();
    assert_eq!(pieces(&c, 1), [100, 0, 0, 0, 0, 100], "what failed is not for sale");
    let stock = audit::audit(&c).unwrap()["stock"].clone();
    assert_eq!([&stock["received"], &stock["rejected"], &stock["pending"]], [&json!(200), &json!(100), &json!(0)]);
    assert_eq!(place(&c, "late", 1, 100, 3000).unwrap().state, State::Placed);
    consistent(&c);
}

#[test]
fn nobody_delivers_before_admission_or_for_others() {
    let c = store(1, 1);
    let waiting = apply(&c, "w", "91330100MA27XYZ02B", 99, 0).id;
    assert_eq!(deliver(&c, "a", waiting, 1, (5, 0)).unwrap_err(), "not-admitted");
    assert_eq!(register(&c, "a", waiting, 500).unwrap_err(), "not-admitted");
    let supplier = admitted(&c);
    assert_eq!(deliver(&c, "a", waiting, 1, (5, 0)).unwrap_err(), "not-admitted", "they were told so");
    assert_eq!(register(&c, "a", waiting, 500).unwrap_err(), "not-admitted");
    let sku = register(&c, "b", supplier, 500).unwrap();
    assert_eq!(
        (register(&c, "b", supplier, 500), register(&c, "b", supplier, 501)),
        (Ok(sku), Err("key-reused".into()))
    );
    assert_eq!(deliver(&c, "b", waiting, sku, (5, 0)).unwrap_err(), "not-yours");
    assert_eq!(deliver(&c, "c", supplier, 77, (5, 0)).unwrap_err(), "not-found");
    assert_eq!(deliver(&c, "c", 77, 1, (5, 0)).unwrap_err(), "not-found");
    consistent(&c);
}

#[test]
fn goods_are_seen_and_ordered_only_while_they_are_listed() {
    let c = store(1, 5);
    let supplier = admitted(&c);
    let sku = register(&c, "g", supplier, 500).unwrap();
    let list = |by: Option<i64>, listed| {
        goods::set_listed(&c, sku, by, listed).unwrap().map(|offer| offer.listed).map_err(|problem| problem.reason)
    };
    assert_eq!(list(Some(supplier), true), Err("not-inspected".to_owned()));
    deliver(&c, "l", supplier, sku, (5, 0)).unwrap();
    lots::advance(&c, 100, 3000).unwrap();
    assert_eq!(list(None, true), Err("not-yours".to_owned()));
    assert_eq!(goods::page(&c, 0, 10).unwrap().len(), 1);
    assert_eq!(place(&c, "a", sku, 1, 3000).unwrap_err(), "unlisted");
    let before = goods::version(&c).unwrap();
    assert_eq!((list(Some(supplier), true), list(Some(supplier), true)), (Ok(true), Ok(true)));
    assert_eq!(goods::version(&c).unwrap(), before + 1, "nodes learn of it, once");
    assert_eq!(goods::page(&c, 0, 10).unwrap().len(), 2);
    assert_eq!(place(&c, "a", sku, 1, 3000).unwrap_err(), "unlisted", "the buyer was told so");
    assert_eq!(place(&c, "b", sku, 2, 3000).unwrap().amount, 1000);
    assert_eq!(list(Some(supplier), false), Ok(false));
    assert_eq!((place(&c, "c", sku, 1, 3000).unwrap_err(), goods::one(&c, sku).unwrap()), ("unlisted".into(), None));
    consistent(&c);
}

#[test]
fn a_sold_piece_is_traced_to_its_lots_in_the_order_they_came() {
    let c = store(1, 2);
    let supplier = admitted(&c);
    deliver(&c, "l", supplier, 1, (5, 0)).unwrap();
    lots::advance(&c, 100, 3000).unwrap();
    let order = delivered(&c, "a", 3, 10_000);
    let trace = |id| lots::trace(&c, id).unwrap().unwrap()["pieces"].as_array().unwrap().clone();
    let brief = |pieces: &[Value]| {
        let one = |piece: &Value| {
            let known = (piece["lot"]["origin"].as_str(), piece["supplier"]["name"].as_str());
            (piece["quantity"].as_i64(), known.0.unwrap().to_owned(), known.1.map(str::to_owned), piece["back"] == true)
        };
        pieces.iter().map(one).collect::<Vec<_>>()
    };
    let opening = (Some(2), "opening".to_owned(), None, false);
    let theirs = (Some(1), "supplier".to_owned(), Some("Wu & Sons".to_owned()), false);
    assert_eq!(brief(&trace(order.id)), [opening.clone(), theirs.clone()]);
    assert_eq!(trace(order.id)[1]["lot"]["inspected_ms"], json!(3000));
    let unpicked = place(&c, "b", 1, 1, 10_000).unwrap();
    assert_eq!(trace(unpicked.id), Vec::<Value>::new());
    orders::give_back(&c, order.id, "test", 10_001).unwrap().unwrap();
    assert!(trace(order.id).iter().all(|piece| piece["back"] == true), "it is still known where they were from");
    consistent(&c);
    // They are sold once more, from the same lots.
    let next = delivered(&c, "c", 2, 20_000);
    assert_eq!(brief(&trace(next.id)), [opening]);
    consistent(&c);
}
