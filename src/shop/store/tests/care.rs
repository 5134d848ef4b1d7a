//! Returns, repairs, complaints and reviews.

use super::*;
use crate::shop::store::claims::{Claim, Kind};
use crate::shop::store::{reviews, totals};

fn claim(c: &Connection, kind: Kind, key: &str, order: i64, cause: &str, now: i64) -> Result<Claim, String> {
    let new = serde_json::from_value(json!({ "key": key, "cause": cause })).unwrap();
    let made = claims::open(c, kind, order, &new, TERMS, now).unwrap();
    made.map(|(claim, _)| claim).map_err(|problem| problem.reason)
}

fn state(c: &Connection, kind: Kind, id: i64) -> String {
    claims::by_id(c, kind, id).unwrap().unwrap().state
}

#[test]
fn a_return_is_refunded_before_its_goods_are_for_sale_again() {
    for (cause, outcome, after) in
        [("unwanted", "restocked", [5, 0, 0, 0, 0, 5]), ("defective", "scrapped", [3, 0, 0, 0, 2, 5])]
    {
        let c = store(1, 5);
        let order = delivered(&c, "a", 2, 10_000);
        let back = claim(&c, Kind::Return, "r", order.id, cause, 10_000).unwrap();
        assert_eq!(claim(&c, Kind::Return, "r", order.id, cause, 10_500).unwrap().id, back.id, "one for one key");
        let way = [(10_999, "requested", 2), (11_000, "approved", 2), (11_999, "approved", 2), (12_000, "received", 0)];
        for (now, expected, sold) in way {
            claims::advance(&c, TERMS, 100, now).unwrap();
            assert_eq!((state(&c, Kind::Return, back.id).as_str(), pieces(&c, 1)[2]), (expected, sold), "at {now}");
            consistent(&c);
        }
        let returned = orders::by_id(&c, order.id).unwrap().unwrap();
        assert_eq!((returned.state, returned.payment.as_deref()), (State::Returned, Some("refund-due")));
        assert_eq!(pieces(&c, 1), [3, 0, 0, 2, 0, 5], "held, not for sale");
        refund(&c, order.id, 13_000);
        refund(&c, order.id, 13_001);
        let done = claims::by_id(&c, Kind::Return, back.id).unwrap().unwrap();
        assert_eq!((done.state.as_str(), done.outcome.as_deref()), ("refunded", Some(outcome)));
        assert_eq!(pieces(&c, 1), after);
        consistent(&c);
        assert_eq!(claim(&c, Kind::Return, "s", order.id, cause, 14_000).unwrap_err(), "not-delivered");
    }
}

#[test]
fn what_comes_too_late_is_refused_by_the_rules() {
    let c = store(1, 5);
    let order = delivered(&c, "a", 1, 10_000);
    let (unwanted, warranty) = (10_000 + 100_000, 10_000 + 300_000);
    let outcome = |key: &str, cause: &str, now: i64| {
        let id = claim(&c, Kind::Return, key, order.id, cause, now).unwrap().id;
        claims::advance(&c, TERMS, 100, now + 1000).unwrap();
        state(&c, Kind::Return, id)
    };
    assert_eq!(outcome("a", "unwanted", unwanted + 1), "refused");
    assert_eq!(outcome("b", "defective", warranty + 1), "refused");
    assert_eq!(claim(&c, Kind::Repair, "c", order.id, "damaged", warranty + 1).unwrap_err(), "out-of-warranty");
    assert_eq!(claim(&c, Kind::Repair, "c", order.id, "damaged", warranty).unwrap_err(), "out-of-warranty", "so told");
    assert_eq!(outcome("d", "unwanted", unwanted), "approved", "a refusal does not stand in the way of another");
    consistent(&c);
}

#[test]
fn goods_are_in_one_place_at_a_time() {
    let c = store(1, 5);
    let order = delivered(&c, "a", 1, 10_000);
    let placed = place(&c, "b", 1, 1, 10_000).unwrap();
    assert_eq!(claim(&c, Kind::Return, "p", placed.id, "wrong", 10_000).unwrap_err(), "not-delivered");
    assert_eq!(claim(&c, Kind::Repair, "p", 77, "damaged", 10_000).unwrap_err(), "not-found");
    assert_eq!(claim(&c, Kind::Repair, "p", order.id, "unwanted", 10_000).unwrap_err(), "bad-request");
    let repair = claim(&c, Kind::Repair, "a", order.id, "damaged", 10_000).unwrap();
    assert_eq!(claim(&c, Kind::Return, "a", order.id, "wrong", 10_000).unwrap_err(), "claim-under-way");
    assert_eq!(claim(&c, Kind::Repair, "b", order.id, "damaged", 10_000).unwrap_err(), "claim-under-way");
    let over_the_counter = orders::give_back(&c, order.id, "test", 10_000).unwrap();
    assert_eq!(over_the_counter.unwrap_err().reason, "claim-under-way");
    for (now, expected) in [(10_999, "received"), (11_000, "repaired"), (11_999, "repaired"), (12_000, "sent-back")] {
        claims::advance(&c, TERMS, 100, now).unwrap();
        assert_eq!(state(&c, Kind::Repair, repair.id), expected, "at {now}");
    }
    assert_eq!(claim(&c, Kind::Return, "a", order.id, "wrong", 12_000).unwrap_err(), "claim-under-way", "so told");
    assert_eq!(claim(&c, Kind::Return, "b", order.id, "wrong", 12_000).unwrap().state, "requested");
    assert_eq!(orders::by_id(&c, order.id).unwrap().unwrap().state, State::Delivered, "the buyer has it");
    consistent(&c);
}

#[test]
fn complaints_are_answered_in_time_or_counted() {
    let c = store(1, 5);
    let order = delivered(&c, "a", 1, 10_000);
    let figures = |now: i64| serde_json::to_value(totals::totals(&c, now).unwrap()).unwrap();
    let late = |now: i64| {
        let page = figures(now)["states"].as_array().unwrap().clone();
        page.iter().find(|t| t["what"] == "late" && t["state"] == "complaints").unwrap()["reached"].clone()
    };
    let first = claim(&c, Kind::Complaint, "a", order.id, "quality", 10_000).unwrap();
    assert_eq!(claim(&c, Kind::Complaint, "b", order.id, "other", 10_000).unwrap_err(), "complaint-open");
    assert_eq!(claims::close(&c, first.id, 10_500).unwrap().unwrap_err().reason, "not-answered");
    claims::advance(&c, TERMS, 100, 11_999).unwrap();
    assert_eq!(state(&c, Kind::Complaint, first.id), "opened");
    claims::advance(&c, TERMS, 100, 12_000).unwrap();
    assert_eq!(state(&c, Kind::Complaint, first.id), "answered");
    let other = claims::answer(&c, first.id, "another answer", 12_500).unwrap().unwrap();
    assert_ne!(other.outcome.as_deref(), Some("another answer"), "the first answer stands");
    for now in [13_000, 14_000] {
        assert_eq!(claims::close(&c, first.id, now).unwrap().unwrap().closed_ms, Some(13_000));
    }
    let second = claim(&c, Kind::Complaint, "c", order.id, "delivery", 20_000).unwrap();
    assert_eq!((&figures(30_000)["overdue_complaints"], late(30_000)), (&json!(0), json!(0)));
    assert_eq!(figures(30_001)["overdue_complaints"], json!(1));
    claims::answer(&c, second.id, "sorry", 30_001).unwrap().unwrap();
    assert_eq!((&figures(40_000)["overdue_complaints"], late(40_000)), (&json!(0), json!(1)));
    consistent(&c);
}

#[test]
fn one_review_for_an_order_and_they_add_up_page_by_page() {
    let c = store(1, 100);
    let post = |order: i64, buyer: &str, stars: i64| {
        let new = serde_json::from_value(json!({ "buyer": buyer, "stars": stars, "says": "!" })).unwrap();
        reviews::post(&c, order, &new, 50_000).unwrap().map(|(_, fresh)| fresh).map_err(|problem| problem.reason)
    };
    let placed = place(&c, "p", 1, 1, 0).unwrap();
    assert_eq!(post(placed.id, "b", 5), Err("not-delivered".to_owned()));
    let of = |sku, before| serde_json::to_value(reviews::of_goods(&c, sku, before).unwrap().unwrap()).unwrap();
    assert_eq!(of(1, i64::MAX)["average"], json!(null), "no stars are not none");
    let orders: Vec<i64> = (0..45).map(|n| delivered(&c, &n.to_string(), 1, 10_000).id).collect();
    assert_eq!(post(orders[0], "somebody", 5), Err("not-yours".to_owned()));
    assert_eq!(post(orders[0], "b", 6), Err("bad-request".to_owned()));
    for (order, stars) in orders.iter().zip([5, 4, 4].into_iter().cycle()) {
        assert_eq!((post(*order, "b", stars), post(*order, "b", stars)), (Ok(true), Ok(false)));
        assert_eq!(post(*order, "b", 1), Err("already-reviewed".to_owned()));
    }
    let (mut seen, mut before, mut pages) = (Vec::new(), i64::MAX, 0);
    while pages < 10 {
        pages += 1;
        let page = of(1, before);
        assert_eq!((&page["count"], &page["average"]), (&json!(45), &json!(4.33)));
        seen.extend(page["reviews"].as_array().unwrap().iter().map(|review| review["order"].as_i64().unwrap()));
        let Some(next) = page["next"].as_i64() else { break };
        before = next;
    }
    assert_eq!((pages, seen), (3, orders.into_iter().rev().collect()), "each once, the newest first");
    consistent(&c);
}

#[test]
fn the_audit_sees_what_contradicts_after_delivery() {
    let found = |spoil: &str| {
        let c = store(1, 9);
        let (kept, back) = (delivered(&c, "a", 1, 10_000), delivered(&c, "b", 2, 10_000));
        claim(&c, Kind::Return, "r", back.id, "unwanted", 10_000).unwrap();
        for now in [11_000, 12_000] {
            claims::advance(&c, TERMS, 100, now).unwrap();
        }
        let new = serde_json::from_value(json!({ "buyer": "b", "stars": 3 })).unwrap();
        reviews::post(&c, kept.id, &new, 12_000).unwrap().unwrap();
        consistent(&c);
        c.execute_batch(spoil).unwrap();
        let books = audit::audit(&c).unwrap();
        assert_eq!(books["consistent"], json!(false), "{spoil}");
        let bad = books.as_object().unwrap().iter().filter(|(_, value)| value["count"].as_i64() > Some(0));
        let mut bad: Vec<_> = bad.filter(|(_, value)| value["ids"].is_array()).map(|(name, _)| name.clone()).collect();
        bad.sort();
        bad
    };
    // Sold again although the buyer has no money yet.
    assert_eq!(found("UPDATE stock SET held = 0, available = available + 2"), ["stock_drift"]);
    assert_eq!(
        found("UPDATE claims SET state = 'refunded', outcome = 'restocked', closed_ms = 1"),
        ["claim_mismatch", "stock_drift", "untraced"]
    );
    assert_eq!(found("UPDATE lots SET remaining = remaining + 1"), ["lot_drift"]);
    assert_eq!(found("UPDATE pieces SET back = 1 WHERE order_id = 1"), ["lot_drift", "untraced"]);
    assert_eq!(found("UPDATE payments SET state = 'captured'"), ["claim_mismatch", "payment_mismatch"]);
    assert_eq!(found("UPDATE ratings SET stars = stars + 1"), ["review_mismatch"]);
    assert_eq!(found("UPDATE reviews SET order_id = 2; UPDATE orders SET delivered_ms = NULL"), ["review_mismatch"]);
    assert_eq!(
        found("UPDATE lots SET state = 'failed', remaining = 0"),
        ["admission_mismatch", "lot_drift", "stock_drift"]
    );
}
