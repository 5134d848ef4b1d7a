//! The whole shop at once, and its store killed in the middle of it: everything that was acknowledged is there
//! afterwards, and the books agree.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::parts::{Part, Raise, Reply, SOON, get, post, wait_for};

const SWIFT: [&str; 16] = [
    "--pick",
    "20ms",
    "--ship",
    "20ms",
    "--deliver",
    "20ms",
    "--review",
    "30ms",
    "--inspect",
    "30ms",
    "--send-back",
    "30ms",
    "--repair",
    "30ms",
    "--answer",
    "30ms",
];

/// What was acknowledged, as a path to ask for it and the id it must have; and everything that went wrong.
#[derive(Default)]
struct Heard {
    acknowledged: Mutex<HashMap<String, Value>>,
    orders: Mutex<Vec<Value>>,
    wrong: Mutex<Vec<String>>,
    /// Pieces in lots that were acknowledged, and in all that were sent.
    told: AtomicI64,
    sent: AtomicI64,
}

impl Heard {
    /// A yes is written down under `ask`; a no must be one that can be expected, and silence is the dead store's.
    fn note(&self, ask: String, outcome: std::io::Result<Reply>) -> Option<Value> {
        match outcome {
            Ok(reply) if [200, 201].contains(&reply.status) => {
                let id = reply.json().get("id").cloned().unwrap_or_default();
                let before = self.acknowledged.lock().unwrap().insert(ask.clone(), id.clone());
                if let Some(before) = before.filter(|before| *before != id) {
                    self.wrong.lock().unwrap().push(format!("{ask} is {before} and {id}"));
                }
                return Some(id);
            }
            Ok(reply) if [409, 500, 502, 503, 504].contains(&reply.status) => (),
            Ok(reply) => self.wrong.lock().unwrap().push(format!("{ask}: {reply:?}")),
            Err(_) => (),
        }
        None
    }

    fn some_order(&self, n: usize) -> Option<Value> {
        let orders = self.orders.lock().unwrap();
        orders.get((n * 7) % orders.len().max(1)).cloned()
    }
}

fn buy(node: &str, heard: &Heard, key: &str, n: usize) {
    let order = json!({ "sku": 1 + n % 5, "quantity": 1 + n % 3, "buyer": "b" });
    let Some(id) = heard.note(format!("/orders?key={key}"), post(node, "/orders", Some(key), &order)) else { return };
    let paid = post(node, &format!("/orders/{id}/payment"), None, &json!({}));
    if paid.is_ok_and(|reply| reply.status == 200) {
        heard.orders.lock().unwrap().push(id);
    }
}

/// Every claim comes twice, so that the second must find the first.
fn claim(node: &str, heard: &Heard, key: &str, n: usize) {
    let Some(order) = heard.some_order(n) else { return };
    let (kind, cause) =
        [("returns", "unwanted"), ("returns", "defective"), ("repairs", "damaged"), ("complaints", "other")][n % 4];
    for _ in 0..2 {
        let reply = post(node, &format!("/orders/{order}/{kind}"), Some(key), &json!({ "cause": cause }));
        heard.note(format!("/{kind}?key={key}"), reply);
    }
    let review = json!({ "buyer": "b", "stars": 1 + order.as_i64().unwrap() % 5 });
    heard.note(format!("/orders/{order}/reviews"), post(node, &format!("/orders/{order}/reviews"), None, &review));
}

fn deliver(node: &str, heard: &Heard, supplier: &Value, key: &str, n: usize) {
    let lot = json!({ "supplier": supplier, "sku": 1 + n % 5, "quantity": 20, "defective": n % 2 });
    heard.sent.fetch_add(20, Ordering::SeqCst);
    if heard.note(format!("/merchant/lots?key={key}"), post(node, "/merchant/lots", Some(key), &lot)).is_some() {
        heard.told.fetch_add(20, Ordering::SeqCst);
    }
}

#[test]
fn what_was_acknowledged_is_kept_and_the_books_agree_although_the_store_dies_under_load() {
    let folder = tempfile::tempdir().unwrap();
    let goods = folder.path().join("goods");
    let flags = ["--data", goods.to_str().unwrap(), "--skus", "5", "--stock", "400"];
    let start = |at: &str| Part::start(&[&["store", "--listen", at], &flags[..], &SWIFT[..]].concat());
    let mut store = start("127.0.0.1:0");
    let address = store.address.clone();
    let money = folder.path().join("money");
    let payment = Part::start(&["payment", "--data", money.to_str().unwrap(), "--latency", "2ms", "--jitter", "2ms"]);
    let behind = ["--store", &address, "--payment", &payment.address, "--settle", "500ms"];
    let nodes = [0, 1].map(|_| Part::start(&[&["node"], &behind[..]].concat()));
    let supplier = json!({ "name": "n", "licence": "91330100MA27XYZ01A", "score": 80 });
    let supplier = post(&nodes[0].address, "/merchant/suppliers", Some("s"), &supplier).unwrap().json()["id"].clone();
    let admitted = || get(&nodes[0].address, &format!("/merchant/suppliers/{supplier}")).unwrap().json();
    wait_for("admission", SOON, || admitted()["state"] == json!("admitted"));

    let (heard, over) = (Heard::default(), AtomicBool::new(false));
    thread::scope(|scope| {
        let _at_the_end = Raise(&over);
        for worker in 0..6_usize {
            let (heard, over, node, supplier) = (&heard, &over, &nodes[worker % 2].address, &supplier);
            scope.spawn(move || {
                for n in 0.. {
                    if over.load(Ordering::SeqCst) {
                        return;
                    }
                    let key = format!("{worker}-{n}");
                    match worker {
                        0..=2 => buy(node, heard, &key, n),
                        3 | 4 => claim(node, heard, &key, n),
                        _ => deliver(node, heard, supplier, &key, n),
                    }
                    thread::sleep(Duration::from_millis(2));
                }
            });
        }
        for _ in 0..3 {
            let count = |what: &str| heard.acknowledged.lock().unwrap().keys().filter(|key| key.contains(what)).count();
            let kinds = ["/orders?", "/returns", "/complaints", "/reviews", "/merchant/lots"];
            let before = kinds.map(count);
            wait_for("everything in full swing", SOON, || {
                kinds.iter().zip(before).all(|(kind, before)| count(kind) >= before + 4)
            });
            store.kill();
            store = start(&address);
        }
    });

    let ask = |path: &str| get(&nodes[0].address, path).unwrap().json();
    let quiet = || {
        let books = ask("/audit");
        assert_eq!(books["consistent"], json!(true), "{books}");
        let none = |what: &str, states: &[&str]| states.iter().all(|state| books[what][state]["count"].is_null());
        none("returns", &["requested", "approved", "received"])
            && none("repairs", &["received", "repaired"])
            && none("complaints", &["opened"])
            && none("lots", &["pending"])
            && none("payments", &["pending", "refund-due"])
    };
    wait_for("everything to come to its end", SOON, quiet);
    assert_eq!(heard.wrong.lock().unwrap().as_slice(), &[] as &[String]);
    let acknowledged = heard.acknowledged.lock().unwrap().clone();
    for (path, id) in &acknowledged {
        let found = ask(path);
        assert_eq!(found["count"], json!(1), "{path} was acknowledged and is lost");
        let kind = path.trim_start_matches("/merchant").split(['/', '?']).find(|word| !word.is_empty()).unwrap();
        if !id.is_null() {
            assert_eq!(&found[kind][0]["id"], id, "{path}: {found}");
        }
    }
    let books = ask("/audit");
    assert_eq!(books["payment_books"]["mismatches"]["count"], json!(0), "{books}");
    let received = books["stock"]["received"].as_i64().unwrap() - 2000;
    let (told, sent) = (heard.told.into_inner(), heard.sent.into_inner());
    assert!((told..=sent).contains(&received), "{told} told, {received} received, {sent} sent");
    assert!(books["stock"]["rejected"].as_i64() > Some(0) && books["stock"]["scrapped"].as_i64() > Some(0), "{books}");
}
