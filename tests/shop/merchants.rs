//! The merchants' side: from the application to a sold piece that can be traced back.

use serde_json::{Value, json};

use crate::parts::{Part, SOON, exchange, get, post, status, wait_for};

const SWIFT: [&str; 10] =
    ["--pick", "20ms", "--ship", "20ms", "--deliver", "20ms", "--review", "20ms", "--inspect", "20ms"];

fn apply(address: &str, key: &str, licence: &str, score: i64) -> Value {
    let application = json!({ "name": "Wu & Sons", "licence": licence, "score": score });
    let reply = post(address, "/merchant/suppliers", Some(key), &application).unwrap();
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.json()
}

#[test]
fn a_merchant_is_admitted_delivers_lists_and_what_it_sold_can_be_traced() {
    let folder = tempfile::tempdir().unwrap();
    let goods = ["--data", folder.path().to_str().unwrap(), "--skus", "3"];
    let store = Part::start(&[&["store"], &goods[..], &SWIFT[..]].concat());
    let money = tempfile::tempdir().unwrap();
    let payment = Part::start(&["payment", "--data", money.path().to_str().unwrap()]);
    let node = Part::start(&["node", "--store", &store.address, "--payment", &payment.address]);
    let gateway = Part::start(&["gateway", "--nodes", &node.address]);
    wait_for("the gateway", SOON, || status(&gateway.address, "/healthz") == Some(200));
    let shop = gateway.address.as_str();
    let look = |path: &str| get(shop, path).unwrap().json();

    let refused = apply(shop, "a", "91330100MA27XYZ01A", 20);
    let supplier = apply(shop, "b", "91330100MA27XYZ01A", 80)["id"].clone();
    assert_eq!(apply(shop, "b", "91330100MA27XYZ01A", 80)["id"], supplier);
    let path = format!("/merchant/suppliers/{supplier}");
    wait_for("admission", SOON, || look(&path)["state"] == json!("admitted"));
    let refused = look(&format!("/merchant/suppliers/{}", refused["id"]));
    assert_eq!(refused["state"], json!("refused"));

    let comb = json!({ "supplier": supplier, "name": "Jade comb", "category": "home", "price": 1250 });
    let sku = post(shop, "/merchant/goods", Some("g"), &comb).unwrap().json()["sku"].clone();
    let list = || post(shop, &format!("/merchant/goods/{sku}/list"), None, &json!({ "supplier": supplier })).unwrap();
    assert_eq!((list().status, list().reason().as_str()), (409, "not-inspected"));
    assert_eq!(status(shop, &format!("/products/{sku}")), Some(404), "buyers do not see it");
    let deliver = |key: &str, defective: i64| {
        let lot = json!({ "supplier": supplier, "sku": sku, "quantity": 50, "defective": defective });
        post(shop, "/merchant/lots", Some(key), &lot).unwrap().json()["id"].clone()
    };
    let lots = [deliver("sound", 1), deliver("bad", 2)];
    assert_eq!(deliver("sound", 1), lots[0]);
    let state = |lot: &Value| look(&format!("/merchant/lots/{lot}"))["state"].clone();
    wait_for("both inspections", SOON, || state(&lots[0]) == json!("passed") && state(&lots[1]) == json!("failed"));
    assert_eq!(list().json()["listed"], json!(true));
    assert_eq!(look(&format!("/merchant/goods/{sku}"))["stock"]["available"], json!(50));
    let seen = || look("/search?q=jade")["total"] == json!(1);
    wait_for("the goods on sale", SOON, seen);

    let order = json!({ "sku": sku, "quantity": 3, "buyer": "b" });
    let order = post(shop, "/orders", Some("o"), &order).unwrap().json();
    assert_eq!(order["amount"], json!(3750));
    post(shop, &format!("/orders/{}/payment", order["id"]), Some("p"), &json!({})).unwrap();
    let trace = || look(&format!("/orders/{}/trace", order["id"]));
    wait_for("picked", SOON, || trace()["pieces"] != json!([]));
    let piece = trace()["pieces"][0].clone();
    assert_eq!([&piece["quantity"], &piece["lot"]["id"], &piece["supplier"]["id"]], [&json!(3), &lots[0], &supplier]);
    assert_eq!((&piece["lot"]["state"], piece["lot"]["inspected_ms"].is_number()), (&json!("passed"), true));

    let unlist = post(shop, &format!("/merchant/goods/{sku}/unlist"), None, &json!({ "supplier": supplier })).unwrap();
    assert_eq!(unlist.json()["listed"], json!(false));
    let late = post(shop, "/orders", Some("late"), &json!({ "sku": sku, "quantity": 1, "buyer": "b" })).unwrap();
    assert_eq!((late.status, late.reason().as_str()), (409, "unlisted"));
    wait_for("the goods hidden", SOON, || !seen());
    let books = look("/audit");
    assert_eq!(books["consistent"], json!(true), "{books}");
    assert_eq!([&books["stock"]["received"], &books["stock"]["rejected"]], [&json!(30_100), &json!(50)]);
    let metrics = get(shop, "/metrics").unwrap().body;
    for line in [
        "shop_suppliers{state=\"admitted\"} 1",
        "shop_suppliers_total{state=\"refused\"} 1",
        "shop_suppliers_overdue 0",
        "shop_goods{state=\"unlisted\"} 1",
        "shop_lots_total{state=\"failed\"} 1",
    ] {
        assert!(metrics.lines().any(|one| one == line), "{line} is not in {metrics}");
    }
    let routes = ["/merchant/goods/{}/list", "/orders/{}/trace"];
    assert!(routes.iter().all(|route| metrics.contains(&format!("route=\"{route}\""))), "{metrics}");
}

#[test]
fn adding_stock_has_one_effect_for_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let store = Part::start(&["store", "--data", folder.path().to_str().unwrap(), "--skus", "1", "--stock", "5"]);
    let node = Part::start(&["node", "--store", &store.address]);
    let add = |key: &str, add: i64| {
        post(&node.address, "/merchant/stock", Some(key), &json!({ "sku": "1", "add": add })).unwrap()
    };
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(add("a", 10).status, 200));
        }
    });
    assert_eq!((add("b", 1).json()["available"].clone(), add("a", 11).status), (json!(16), 422));
    assert_eq!((add("c", 0).status, add("c", 2_000_000).status), (400, 400));
    let books = get(&node.address, "/audit").unwrap().json();
    assert_eq!((&books["consistent"], &books["stock"]["stocked"]), (&json!(true), &json!(16)), "{books}");
}

#[test]
fn strange_merchants_are_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let store = Part::start(&["store", "--data", folder.path().to_str().unwrap(), "--skus", "1"]);
    let node = Part::start(&["node", "--store", &store.address]);
    let long = "x".repeat(300);
    let sound = json!({
        "key": "k", "name": "n", "licence": "l", "score": 5, "supplier": 1, "category": "c", "price": 5, "sku": 1,
        "quantity": 5, "defective": 0, "add": 1,
    });
    let strange = [
        ("suppliers", "score", json!(101)),
        ("suppliers", "score", json!(-1)),
        ("suppliers", "name", json!("")),
        ("suppliers", "licence", json!(long)),
        ("goods", "price", json!(0)),
        ("goods", "price", json!(i64::MAX)),
        ("goods", "name", json!(long)),
        ("lots", "quantity", json!(0)),
        ("lots", "quantity", json!(i64::MAX)),
        ("lots", "defective", json!(6)),
        ("lots", "defective", json!(-1)),
        ("lots", "sku", json!(1.5)),
        ("stock", "add", json!(i64::MIN)),
        ("stock", "sku", json!(null)),
    ];
    for (path, name, value) in strange {
        let mut body = sound.clone();
        body[name] = value;
        let reply = post(&node.address, &format!("/merchant/{path}"), Some("k"), &body).unwrap();
        assert!(reply.status == 400 && !reply.reason().is_empty(), "{path} {name}: {reply:?}");
    }
    for body in ["", "{", "[]", "\u{0}", "{\"supplier\":{}}"] {
        for path in ["suppliers", "goods", "goods/1/list", "lots", "stock"] {
            let head = format!("POST /merchant/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
            let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
            let reply = exchange(&node.address, request.as_bytes()).unwrap();
            assert_eq!(reply.status, 400, "{path} {body:?}: {reply:?}");
        }
    }
    let nobodys = post(&node.address, "/merchant/lots", Some("k"), &sound).unwrap();
    assert_eq!((nobodys.status, nobodys.reason().as_str()), (404, "not-found"));
    for path in ["/merchant/suppliers/x", "/merchant/lots/0", "/merchant/goods/-1", "/merchant/nothing"] {
        assert_eq!(status(&node.address, path), Some(404), "{path}");
    }
    let books = get(&node.address, "/audit").unwrap().json();
    assert_eq!(
        (&books["consistent"], &books["suppliers"], &books["lots"]["passed"]["count"]),
        (&json!(true), &json!({}), &json!(1))
    );
}
