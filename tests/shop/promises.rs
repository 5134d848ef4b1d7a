//! What the shop promises: never oversold, one effect for one key, nothing lost that was acknowledged, money that
//! matches orders.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::parts::{Part, Raise, SOON, get, post, status, wait_for};

fn one(sku: i64) -> Value {
    json!({ "sku": sku, "quantity": 1, "buyer": "b" })
}

#[test]
fn a_hot_sku_is_never_oversold_and_a_key_has_one_effect() {
    let folder = tempfile::tempdir().unwrap();
    let store = Part::start(&["store", "--data", folder.path().to_str().unwrap(), "--skus", "2", "--stock", "60"]);
    let nodes = [Part::start(&["node", "--store", &store.address]), Part::start(&["node", "--store", &store.address])];
    let accepted = Mutex::new(HashMap::<String, HashSet<i64>>::new());
    let refused = Mutex::new(HashSet::new());
    // Every key comes three times, from different threads, mostly at the same time.
    thread::scope(|scope| {
        for worker in 0..12_usize {
            let (nodes, accepted, refused) = (&nodes, &accepted, &refused);
            scope.spawn(move || {
                for n in 0..25 {
                    let key = format!("key-{}-{n}", worker % 4);
                    let reply = post(&nodes[worker % 2].address, "/orders", Some(&key), &one(1)).unwrap();
                    match reply.status {
                        201 => {
                            let id = reply.json()["id"].as_i64().unwrap();
                            accepted.lock().unwrap().entry(key).or_default().insert(id);
                        }
                        _ => {
                            assert_eq!((reply.status, reply.reason().as_str()), (409, "sold-out"));
                            refused.lock().unwrap().insert(key);
                        }
                    }
                }
            });
        }
    });
    let (accepted, refused) = (accepted.into_inner().unwrap(), refused.into_inner().unwrap());
    assert_eq!((accepted.len(), refused.len()), (60, 40));
    assert!(accepted.values().all(|ids| ids.len() == 1), "one order for one key");
    assert!(accepted.keys().all(|key| !refused.contains(key)), "a key ends one way");
    for key in accepted.keys().take(10) {
        assert_eq!(get(&nodes[0].address, &format!("/orders?key={key}")).unwrap().json()["count"], json!(1));
    }
    for key in refused.iter().take(10) {
        assert_eq!(get(&nodes[0].address, &format!("/orders?key={key}")).unwrap().json()["count"], json!(0));
    }
    let books = get(&nodes[0].address, "/audit").unwrap().json();
    assert_eq!((&books["consistent"], &books["orders"]["placed"]["count"]), (&json!(true), &json!(60)), "{books}");
}

#[test]
fn what_the_store_acknowledged_survives_its_sudden_death() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--data", folder.path().to_str().unwrap(), "--skus", "20", "--stock", "100000"];
    let mut store = Part::start(&[&["store", "--listen", "127.0.0.1:0"], &flags[..]].concat());
    let address = store.address.clone();
    let acknowledged = Mutex::new(HashMap::<String, (Value, Value)>::new());
    for round in 0..4 {
        let (dead, begun) = (AtomicBool::new(false), acknowledged.lock().unwrap().len());
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let _at_the_end = Raise(&over);
            for worker in 0..8 {
                let (address, dead, over, acknowledged) = (&address, &dead, &over, &acknowledged);
                scope.spawn(move || {
                    for n in 0.. {
                        if over.load(Ordering::SeqCst) {
                            return;
                        }
                        let key = format!("{round}-{worker}-{n}");
                        let order = json!({ "key": key, "sku": 1 + n % 20, "quantity": 1 + n % 3, "buyer": "b" });
                        match post(address, "/orders", None, &order) {
                            Ok(reply) if reply.status == 201 => {
                                let promised = (reply.json()["id"].clone(), reply.json()["amount"].clone());
                                acknowledged.lock().unwrap().insert(key, promised);
                            }
                            // Only its death may end this.
                            other if dead.load(Ordering::SeqCst) => return drop(other),
                            other => panic!("{other:?}"),
                        }
                    }
                });
            }
            wait_for("writes in full swing", SOON, || acknowledged.lock().unwrap().len() >= begun + 100 + 37 * round);
            dead.store(true, Ordering::SeqCst);
            store.kill();
        });
        store = Part::start(&[&["store", "--listen", &address], &flags[..]].concat());
    }
    let acknowledged = acknowledged.into_inner().unwrap();
    for (key, (id, amount)) in &acknowledged {
        let found = get(&address, &format!("/orders?key={key}")).unwrap().json();
        assert_eq!(found["count"], json!(1), "{key} was acknowledged and is lost");
        assert_eq!((&found["orders"][0]["id"], &found["orders"][0]["amount"]), (id, amount), "{key} was altered");
    }
    let books = get(&address, "/audit").unwrap().json();
    assert_eq!(books["consistent"], json!(true), "{books}");
    assert_eq!(books["stock"]["stocked"], json!(2_000_000));
    let kept = books["orders"]["placed"]["count"].as_u64().unwrap();
    // The dying store may have kept one more for each worker and round than it could tell.
    let told = acknowledged.len() as u64;
    assert!((told..=told + 32).contains(&kept), "{kept} kept, {told} told");
}

#[test]
fn payments_match_orders_although_nodes_and_the_payment_service_die() {
    let (goods, money) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Part::start(&["store", "--data", goods.path().to_str().unwrap(), "--skus", "5"]);
    let slow = ["--data", money.path().to_str().unwrap(), "--latency", "40ms", "--jitter", "40ms"];
    let mut payment = Part::start(&[&["payment", "--listen", "127.0.0.1:0"], &slow[..]].concat());
    let payment_address = payment.address.clone();
    let behind = ["--store", &store.address, "--payment", &payment_address, "--settle", "1s"];
    let mut dying = Part::start(&[&["node"], &behind[..]].concat());
    let living = Part::start(&[&["node"], &behind[..]].concat());
    let place = |n: i64| {
        let reply = post(&living.address, "/orders", Some(&format!("k{n}")), &one(1 + n % 5)).unwrap();
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.json()["id"].as_i64().unwrap()
    };
    let orders: Vec<i64> = (0..60).map(place).collect();
    let told_paid = Mutex::new(HashSet::new());
    let tried = AtomicUsize::new(0);
    thread::scope(|scope| {
        for part in orders.chunks(10) {
            let (told_paid, tried, dying_address) = (&told_paid, &tried, dying.address.clone());
            scope.spawn(move || {
                for order in part {
                    let reply = post(&dying_address, &format!("/orders/{order}/payment"), None, &json!({}));
                    tried.fetch_add(1, Ordering::SeqCst);
                    if reply.is_ok_and(|reply| reply.status == 200) {
                        told_paid.lock().unwrap().insert(*order);
                    }
                }
            });
        }
        wait_for("payments under way", SOON, || tried.load(Ordering::SeqCst) >= 12);
        payment.kill();
        payment = Part::start(&[&["payment", "--listen", &payment_address], &slow[..]].concat());
        wait_for("more payments", SOON, || tried.load(Ordering::SeqCst) >= 30);
        dying.kill();
    });
    // The living node settles what the dead one left open.
    let settled = || {
        let books = get(&living.address, "/audit").unwrap().json();
        assert_eq!(books["payment_books"]["mismatches"]["count"], json!(0), "{books}");
        books["payment_books"]["open"] == json!(0)
    };
    wait_for("open payments to be settled", SOON, settled);
    let told_paid = told_paid.into_inner().unwrap();
    assert!(told_paid.len() >= 5, "only {} were paid", told_paid.len());
    for order in &orders {
        let state = get(&living.address, &format!("/orders/{order}")).unwrap().json();
        assert!(!told_paid.contains(order) || state["payment"] == json!("captured"), "{state}");
    }
    // Trying again pays the rest, and nothing twice.
    wait_for("the breaker to close", SOON, || {
        let again =
            |order| post(&living.address, &format!("/orders/{order}/payment"), None, &json!({})).unwrap().status;
        orders.iter().all(|order| again(order) == 200)
    });
    let books = get(&living.address, "/audit").unwrap().json();
    assert_eq!((&books["consistent"], &books["payments"]["captured"]["count"]), (&json!(true), &json!(60)), "{books}");
    assert_eq!(books["payment_books"]["mismatches"]["count"], json!(0), "{books}");
    let captured = get(&payment_address, "/totals").unwrap().json()["captured"].clone();
    assert_eq!((&captured["count"], &captured["amount"]), (&json!(60), &books["payments"]["captured"]["amount"]));
}

#[test]
fn one_payment_key_captures_once_and_a_voided_one_never() {
    let money = tempfile::tempdir().unwrap();
    let payment = Part::start(&["payment", "--data", money.path().to_str().unwrap()]);
    let pay = |key: &str, amount: i64| {
        post(&payment.address, "/payments", None, &json!({ "key": key, "order": 1, "amount": amount })).unwrap()
    };
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(pay("a", 5).status, 200));
        }
    });
    assert_eq!(get(&payment.address, "/totals").unwrap().json(), json!({ "captured": { "count": 1, "amount": 5 } }));
    assert_eq!((pay("a", 6).status, pay("b", 0).status), (409, 400));
    let void =
        |key: &str| post(&payment.address, &format!("/payments/{key}/void"), None, &json!({ "order": 1 })).unwrap();
    assert_eq!(void("a").json()["state"], json!("captured"));
    assert_eq!(void("c").json()["state"], json!("voided"));
    assert_eq!((pay("c", 5).status, pay("c", 5).reason().as_str()), (409, "voided"));
    for _ in 0..2 {
        let refund = post(&payment.address, "/payments/a/refund", None, &json!({})).unwrap();
        assert_eq!(refund.json()["state"], json!("refunded"));
    }
    assert_eq!(status(&payment.address, "/payments/none"), Some(404));
}

#[test]
fn a_full_part_sheds_at_once_and_says_when_to_come_again() {
    let (goods, money) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Part::start(&["store", "--data", goods.path().to_str().unwrap(), "--skus", "1"]);
    let slow = ["--data", money.path().to_str().unwrap(), "--latency", "5s", "--jitter", "0ms"];
    let payment = Part::start(&[&["payment"], &slow[..]].concat());
    let wide = ["--payment-timeout", "10s", "--in-flight", "2"];
    let node = Part::start(&[&["node", "--store", &store.address, "--payment", &payment.address], &wide[..]].concat());
    let ids: Vec<Value> = (0..2)
        .map(|n| post(&node.address, "/orders", Some(&format!("{n}")), &one(1)).unwrap().json()["id"].clone())
        .collect();
    thread::scope(|scope| {
        for id in &ids {
            let node = &node;
            scope.spawn(move || {
                let paid = post(&node.address, &format!("/orders/{id}/payment"), None, &json!({})).unwrap();
                assert_eq!(paid.status, 200, "what was let in is served: {paid:?}");
            });
        }
        // Asked on a path of the operators: a request of a buyer would take one of the two places itself.
        let full = || get(&node.address, "/metrics").unwrap().body.contains("shop_in_flight{part=\"node\"} 2");
        wait_for("the node to be full", SOON, full);
        let reply = get(&node.address, "/products").unwrap();
        assert_eq!((reply.status, reply.reason().as_str()), (503, "overloaded"));
        assert_eq!(reply.header("retry-after").as_deref(), Some("1"));
        assert_eq!(status(&node.address, "/healthz"), Some(200), "operators are let in");
    });
    assert_eq!(status(&node.address, "/products"), Some(200));
}
