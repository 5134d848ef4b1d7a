//! What buyers can expect after delivery: returns, repairs, complaints, reviews.

use serde_json::{Value, json};

use crate::parts::{Part, SOON, exchange, get, post, wait_for};

const SWIFT: [&str; 16] = [
    "--pick",
    "20ms",
    "--ship",
    "20ms",
    "--deliver",
    "20ms",
    "--review",
    "20ms",
    "--inspect",
    "20ms",
    "--send-back",
    "50ms",
    "--repair",
    "20ms",
    "--answer",
    "20ms",
];

struct Shop {
    folder: tempfile::TempDir,
    store: Part,
    _payment: Part,
    node: Part,
}

impl Shop {
    fn open(further: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Self::store(folder.path(), "127.0.0.1:0", further);
        let money = folder.path().join("money");
        let payment = Part::start(&["payment", "--data", money.to_str().unwrap()]);
        let behind = ["--store", &store.address, "--payment", &payment.address, "--settle", "300ms"];
        let node = Part::start(&[&["node"], &behind[..]].concat());
        Self { folder, store, _payment: payment, node }
    }

    fn store(folder: &std::path::Path, listen: &str, further: &[&str]) -> Part {
        let goods = folder.join("goods");
        let own = ["store", "--listen", listen, "--data", goods.to_str().unwrap(), "--skus", "3", "--stock", "9"];
        let swift = SWIFT.chunks(2).filter(|pair| !further.contains(&pair[0])).flatten().copied();
        Part::start(&own.into_iter().chain(swift).chain(further.iter().copied()).collect::<Vec<_>>())
    }

    fn get(&self, path: &str) -> Value {
        get(&self.node.address, path).unwrap().json()
    }

    fn delivered(&self, key: &str, quantity: i64) -> Value {
        let order = json!({ "sku": 1, "quantity": quantity, "buyer": "b" });
        let order = post(&self.node.address, "/orders", Some(key), &order).unwrap().json();
        let paid = post(&self.node.address, &format!("/orders/{}/payment", order["id"]), None, &json!({})).unwrap();
        assert_eq!(paid.status, 200, "{paid:?}");
        let path = format!("/orders/{}", order["id"]);
        wait_for("delivered", SOON, || self.get(&path)["state"] == json!("delivered"));
        order["id"].clone()
    }

    fn metric(&self, line: &str) -> bool {
        get(&self.node.address, "/metrics").unwrap().body.lines().any(|one| one == line)
    }
}

#[test]
fn a_return_goes_on_over_a_restart_until_the_buyer_has_the_money() {
    let mut shop = Shop::open(&["--send-back", "1500ms"]);
    let (worn, broken) = (shop.delivered("a", 2), shop.delivered("b", 3));
    let ask = |order: &Value, cause: &str| {
        let asked = |key| {
            post(&shop.node.address, &format!("/orders/{order}/returns"), Some(key), &json!({ "cause": cause }))
                .unwrap()
        };
        let (first, again, other) = (asked(cause), asked(cause), asked("another"));
        assert_eq!((first.status, again.status, &first.json()["id"]), (201, 201, &again.json()["id"]), "{first:?}");
        let replayed = |reply: &crate::parts::Reply| reply.header("idempotent-replayed").unwrap();
        assert_eq!((replayed(&first).as_str(), replayed(&again).as_str()), ("false", "true"));
        assert_eq!((other.status, other.reason().as_str()), (409, "claim-under-way"));
        first.json()["id"].clone()
    };
    let (first, second) = (ask(&worn, "unwanted"), ask(&broken, "defective"));
    let state = |shop: &Shop, id: &Value| shop.get(&format!("/returns/{id}"))["state"].clone();
    wait_for("approved", SOON, || state(&shop, &second) == json!("approved"));
    let address = shop.store.address.clone();
    shop.store.kill();
    shop.store = Shop::store(shop.folder.path(), &address, &[]);
    wait_for("the money", SOON, || [&first, &second].iter().all(|id| state(&shop, id) == json!("refunded")));
    let outcomes = [&first, &second].map(|id| shop.get(&format!("/returns/{id}"))["outcome"].clone());
    assert_eq!(outcomes, [json!("restocked"), json!("scrapped")]);
    let stock = shop.get("/stock/1");
    assert_eq!([&stock["available"], &stock["sold"], &stock["held"], &stock["scrapped"]], [6, 0, 0, 3], "{stock}");
    let books = shop.get("/audit");
    assert_eq!((&books["consistent"], &books["payments"]["refunded"]["count"]), (&json!(true), &json!(2)), "{books}");
    assert_eq!(books["payment_books"]["mismatches"]["count"], json!(0), "{books}");
    assert_eq!(shop.get("/returns?key=unwanted")["count"], json!(1));
    for line in [
        "shop_delivered_total 2",
        "shop_returned_total 2",
        "shop_returns_total{state=\"requested\"} 2",
        "shop_returns{state=\"refunded\"} 2",
        "shop_returns{state=\"requested\"} 0",
    ] {
        assert!(shop.metric(line), "{line}");
    }
}

#[test]
fn a_repair_goes_there_and_back_and_holds_a_return_off() {
    let shop = Shop::open(&["--send-back", "600ms"]);
    let order = shop.delivered("a", 1);
    let ask = |kind: &str, key: &str, cause: &str| {
        post(&shop.node.address, &format!("/orders/{order}/{kind}"), Some(key), &json!({ "cause": cause })).unwrap()
    };
    let repair = ask("repairs", "r", "damaged").json();
    assert_eq!(repair["state"], json!("received"));
    let early = ask("returns", "x", "unwanted");
    assert_eq!((early.status, early.reason().as_str()), (409, "claim-under-way"));
    let counter = post(&shop.node.address, &format!("/orders/{order}/return"), None, &json!({})).unwrap();
    assert_eq!((counter.status, counter.reason().as_str()), (409, "claim-under-way"));
    let path = format!("/repairs/{}", repair["id"]);
    wait_for("sent back", SOON, || shop.get(&path)["state"] == json!("sent-back"));
    assert!(shop.metric("shop_repairs_total{state=\"repaired\"} 1"));
    assert_eq!(get(&shop.node.address, &format!("/returns/{}", repair["id"])).unwrap().status, 404, "it is no return");
    assert_eq!(ask("returns", "y", "unwanted").status, 201);
}

#[test]
fn complaints_that_wait_too_long_are_seen() {
    let shop = Shop::open(&["--answer", "1h", "--respond-within", "400ms"]);
    let order = shop.delivered("a", 1);
    let complain = |key: &str| {
        let complaint = json!({ "cause": "delivery", "says": "it came a day late" });
        post(&shop.node.address, &format!("/orders/{order}/complaints"), Some(key), &complaint).unwrap()
    };
    let first = complain("a").json();
    assert_eq!((&first["state"], complain("b").reason().as_str()), (&json!("opened"), "complaint-open"));
    assert!(shop.metric("shop_complaints_open 1"));
    wait_for("overdue", SOON, || shop.metric("shop_complaints_overdue 1"));
    let path = format!("/complaints/{}", first["id"]);
    let act =
        |what: &str| post(&shop.node.address, &format!("{path}/{what}"), None, &json!({ "says": "sorry" })).unwrap();
    assert_eq!(act("close").reason(), "not-answered");
    for _ in 0..2 {
        assert_eq!(act("answer").json()["outcome"], json!("sorry"));
    }
    let lines = ["shop_complaints_open 0", "shop_complaints_overdue 0", "shop_complaints_late_total 1"];
    assert!(lines.iter().all(|line| shop.metric(line)));
    for _ in 0..2 {
        assert_eq!(act("close").json()["state"], json!("closed"));
    }
    assert_eq!(complain("c").status, 201, "there may be another one later");
    let books = shop.get("/audit");
    assert_eq!((&books["consistent"], &books["complaints"]["closed"]["count"]), (&json!(true), &json!(1)), "{books}");
}

#[test]
fn a_delivered_order_is_reviewed_once_by_its_buyer() {
    let shop = Shop::open(&[]);
    let review = |order: &Value, stars: i64, buyer: &str| {
        let review = json!({ "buyer": buyer, "stars": stars, "says": "as shown" });
        post(&shop.node.address, &format!("/orders/{order}/reviews"), None, &review).unwrap()
    };
    let orders = ["a", "b"].map(|key| shop.delivered(key, 1));
    assert_eq!(shop.get("/products/1/reviews")["average"], json!(null));
    assert_eq!((review(&orders[0], 5, "x").status, review(&orders[0], 0, "b").status), (403, 400));
    assert_eq!((review(&orders[0], 5, "b").status, review(&orders[0], 5, "b").status), (201, 201));
    assert_eq!(review(&orders[0], 4, "b").reason(), "already-reviewed");
    assert_eq!(review(&orders[1], 2, "b").status, 201);
    let seen = shop.get("/products/1/reviews");
    assert_eq!([&seen["count"], &seen["average"], &seen["next"]], [&json!(2), &json!(3.5), &json!(null)], "{seen}");
    let older = shop.get(&format!("/products/1/reviews?before={}", orders[1]));
    assert_eq!((&older["reviews"][0]["order"], older["reviews"].as_array().map(Vec::len)), (&orders[0], Some(1)));
    assert_eq!(shop.get(&format!("/orders/{}/reviews", orders[0]))["count"], json!(1));
    assert!(shop.metric("shop_reviews_total{state=\"posted\"} 2"));
}

#[test]
fn strange_claims_and_reviews_are_refused_with_a_reason() {
    let shop = Shop::open(&[]);
    let order = shop.delivered("a", 1);
    let long = "x".repeat(3000);
    let bodies = [
        String::new(),
        "{".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        "{\"cause\":7}".to_owned(),
        "{\"cause\":\"bored\",\"stars\":1e99,\"buyer\":\"b\"}".to_owned(),
        "{\"cause\":\"' OR 1=1 --\",\"stars\":\"many\",\"buyer\":\"b\"}".to_owned(),
        format!("{{\"cause\":\"defective\",\"says\":\"{long}\",\"stars\":5,\"buyer\":\"b\"}}"),
        format!("{{\"cause\":\"quality\",\"says\":\"{long}\",\"stars\":-5,\"buyer\":\"b\"}}"),
    ];
    for address in [&shop.node.address, &shop.store.address] {
        for kind in ["returns", "repairs", "complaints", "reviews"] {
            for body in &bodies {
                let head = format!("POST /orders/{order}/{kind} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
                let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
                let reply = exchange(address, request.as_bytes()).unwrap();
                assert!(reply.status == 400 && !reply.reason().is_empty(), "{kind} {body:.60}: {reply:?}");
            }
        }
        let missing =
            ["/returns/0", "/repairs/x", "/complaints/-1", "/complaints/99999999999999999999", "/orders/77/trace"];
        for path in missing {
            assert_eq!(get(address, path).unwrap().status, 404, "{path}");
        }
        for path in ["/complaints/1/answer", "/complaints/1/close", "/orders/9/reviews", "/orders/9/returns"] {
            let body = json!({ "key": "k", "says": "s", "cause": "wrong", "stars": 1, "buyer": "b" });
            assert_eq!(post(address, path, None, &body).unwrap().status, 404, "{path}");
        }
    }
    for path in ["/returns?key=%00%ff", "/complaints?key=%27%20OR%201=1"] {
        assert_eq!(shop.get(path)["count"], json!(0), "{path}");
    }
    let spaced = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nIdempotency-Key: a b\r\n\r\n"
        .replace("GET /", &format!("POST /orders/{order}/returns"));
    let body = "{\"cause\":\"wrong\"}";
    let spaced = spaced.replace("\r\n\r\n", &format!("\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    assert_eq!(exchange(&shop.node.address, spaced.as_bytes()).unwrap().status, 400);
    let books = shop.get("/audit");
    assert_eq!((&books["consistent"], &books["returns"], &books["reviews"]), (&json!(true), &json!({}), &json!({})));
}
