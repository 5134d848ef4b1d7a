//! What the parts do when nothing is broken.

use std::time::Duration;

use serde_json::json;

use crate::parts::{Part, SOON, exchange, get, post, status, wait_for};

#[test]
fn an_order_goes_from_placed_to_delivered_and_back_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let flags =
        ["--data", data, "--skus", "5", "--stock", "7", "--pick", "100ms", "--ship", "100ms", "--deliver", "1s"];
    let mut store = Part::start(&[&["store", "--listen", "127.0.0.1:0"], &flags[..]].concat());
    let pay_data = tempfile::tempdir().unwrap();
    let payment = Part::start(&["payment", "--data", pay_data.path().to_str().unwrap()]);
    let node = Part::start(&["node", "--store", &store.address, "--payment", &payment.address]);
    let order = post(&node.address, "/orders", Some("a"), &json!({ "sku": "3", "quantity": 2, "buyer": 7 })).unwrap();
    assert_eq!((order.status, order.json()["state"].as_str()), (201, Some("placed")), "{order:?}");
    let price = get(&node.address, "/products/3").unwrap().json()["price"].as_i64().unwrap();
    assert_eq!(order.json()["amount"], json!(2 * price));
    let path = format!("/orders/{}", order.json()["id"]);
    let paid = post(&node.address, &format!("{path}/payment"), None, &json!({})).unwrap();
    assert_eq!((paid.status, paid.json()["payment"].as_str()), (200, Some("captured")), "{paid:?}");

    // On its way when the store dies: the rows say what is due.
    let address = store.address.clone();
    store.kill();
    let _store = Part::start(&[&["store", "--listen", &address], &flags[..]].concat());
    let state =
        || get(&node.address, &path).ok().filter(|reply| reply.status == 200).map(|r| r.json()["state"].clone());
    wait_for("delivered", SOON, || state() == Some(json!("delivered")));
    let early = post(&node.address, &format!("{path}/cancel"), None, &json!({})).unwrap();
    assert_eq!((early.status, early.reason().as_str()), (409, "too-late"));
    let back = post(&node.address, &format!("{path}/return"), None, &json!({})).unwrap();
    assert_eq!((back.status, &back.json()["state"]), (200, &json!("returned")), "{back:?}");
    let books = get(&node.address, "/audit").unwrap().json();
    assert_eq!(books["consistent"], json!(true), "{books}");
    assert_eq!(books["payments"]["refunded"]["amount"], json!(2 * price));
    assert_eq!(get(&node.address, "/stock/3").unwrap().json()["available"], json!(7));
    let metrics = get(&node.address, "/metrics").unwrap().body;
    assert!(metrics.contains("shop_orders_total{state=\"delivered\"} 1"), "{metrics}");
    assert!(metrics.contains("shop_orders{state=\"returned\"} 1"), "{metrics}");
}

#[test]
fn a_folder_of_another_version_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    Part::start(&["store", "--data", data, "--skus", "1"]).kill();
    let file = rusqlite::Connection::open(folder.path().join("store.db")).unwrap();
    file.execute_batch("PRAGMA user_version = 0").unwrap();
    drop(file);
    let words = ["shop", "store", "--data", data];
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_peakdrill")).args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("another version of the shop"), "{said}");
}

#[test]
fn cancelled_and_unpaid_orders_release_their_stock() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let store = Part::start(&["store", "--data", data, "--skus", "1", "--stock", "4", "--unpaid", "1s"]);
    let node = Part::start(&["node", "--store", &store.address]);
    let place =
        |key| post(&node.address, "/orders", Some(key), &json!({ "sku": 1, "quantity": 2, "buyer": "b" })).unwrap();
    let (first, second, third) = (place("a"), place("b"), place("c"));
    assert_eq!((first.status, second.status, third.status), (201, 201, 409));
    assert_eq!(third.reason(), "sold-out");
    let cancelled = post(&node.address, &format!("/orders/{}/cancel", first.json()["id"]), None, &json!({})).unwrap();
    assert_eq!(cancelled.json()["state"], json!("cancelled"));
    assert_eq!(place("d").status, 201);
    let stock = || get(&node.address, "/stock/1").unwrap().json();
    wait_for("both unpaid orders to lapse", SOON, || stock()["available"] == json!(4));
    assert_eq!((&stock()["reserved"], &stock()["stocked"]), (&json!(0), &json!(4)));
    assert_eq!(get(&node.address, "/orders?key=b").unwrap().json()["orders"][0]["state"], json!("cancelled"));
}

#[test]
fn strange_requests_are_refused_with_a_reason_and_break_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Part::start(&["store", "--data", folder.path().to_str().unwrap(), "--skus", "2"]);
    let node = Part::start(&["node", "--store", &store.address]);
    let gateway = Part::start(&["gateway", "--nodes", &node.address]);
    wait_for("the gateway", SOON, || status(&gateway.address, "/health/nodes") == Some(200));
    let large = vec![b' '; 1 << 20];
    let bodies: [&[u8]; 9] = [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"{\"sku\":1e99,\"buyer\":\"b\"}",
        b"{\"sku\":1,\"quantity\":-1,\"buyer\":\"b\"}",
        b"{\"sku\":1,\"quantity\":9223372036854775807,\"buyer\":\"b\"}",
        b"{\"sku\":1,\"quantity\":1,\"buyer\":\"\"}",
        &large,
    ];
    for address in [&gateway.address, &node.address, &store.address] {
        for body in bodies {
            let head = format!(
                "POST /orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let reply = exchange(address, &[head.as_bytes(), body].concat()).unwrap();
            assert_eq!(reply.status, 400, "{reply:?}");
            assert!(!reply.reason().is_empty());
        }
        for path in [
            "/orders?key=%00%ff",
            "/orders/x",
            "/orders/99999999999999999999",
            "/%2e%2e/etc",
            "/stock/-1",
            "/carts/%2f",
        ] {
            let reply = get(address, path).unwrap();
            assert!([400, 404].contains(&reply.status) || reply.json()["count"] == json!(0), "{path}: {reply:?}");
        }
    }
    let over = format!("POST /orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", 2 << 20);
    assert_eq!(exchange(&gateway.address, over.as_bytes()).unwrap().status, 413);
    let page = get(&gateway.address, "/products?page=999999999999").unwrap();
    assert_eq!((page.status, page.json()["items"].as_array().map(Vec::len)), (200, Some(0)));
    assert_eq!(get(&gateway.address, "/products").unwrap().json()["total"], json!(2));
}

#[test]
fn a_session_keeps_a_cart_through_the_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let store = Part::start(&["store", "--data", folder.path().to_str().unwrap(), "--skus", "9"]);
    let node = Part::start(&["node", "--store", &store.address]);
    let gateway = Part::start(&["gateway", "--nodes", &node.address]);
    wait_for("the gateway", SOON, || status(&gateway.address, "/healthz") == Some(200));
    let first = post(&gateway.address, "/cart/items", None, &json!({ "sku": 4, "quantity": 2 })).unwrap();
    let cookie = first.header("set-cookie").expect("a session is given");
    let session = cookie.split(';').next().unwrap();
    let cart = format!("GET /cart HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: {session}\r\n\r\n");
    let cart = exchange(&gateway.address, cart.as_bytes()).unwrap();
    assert_eq!(cart.header("set-cookie"), None, "one session is enough");
    assert_eq!((&cart.json()["items"][0]["sku"], &cart.json()["items"][0]["quantity"]), (&json!(4), &json!(2)));
}

#[test]
fn the_whole_shop_in_one_process_serves_and_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let mut shop = Part::start_in(&["all", "--listen", "127.0.0.1:0", "--skus", "3"], temporary.path());
    wait_for("all nodes", SOON, || status(&shop.address, "/health/nodes") == Some(200));
    let order = post(&shop.address, "/orders", Some("a"), &json!({ "sku": 1, "quantity": 1, "buyer": "b" })).unwrap();
    assert_eq!(order.status, 201, "{order:?}");
    let paid = post(&shop.address, &format!("/orders/{}/payment", order.json()["id"]), Some("p"), &json!({})).unwrap();
    assert_eq!(paid.json()["state"], json!("paid"), "{paid:?}");
    let metrics = get(&shop.address, "/metrics").unwrap().body;
    assert!(metrics.contains("shop_orders_total{state=\"paid\"} 1"), "{metrics}");
    shop.signal("-TERM");
    wait_for("the end", SOON, || shop.ended().is_some());
    assert_eq!(shop.ended().and_then(|status| status.code()), Some(0));
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
}

#[test]
fn seeding_fills_a_running_store_and_nodes_see_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Part::start(&["store", "--data", folder.path().to_str().unwrap(), "--skus", "10", "--stock", "5"]);
    let node = Part::start(&["node", "--store", &store.address]);
    let seed = || {
        let seed = ["shop", "seed", "--store", &store.address, "--skus", "1200", "--stock", "8", "--seed", "3"];
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_peakdrill")).args(seed).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(seed(), "1200 goods: 1190 added, 10 set again, 0 traded already and left as they are\n");
    assert_eq!(get(&node.address, "/products/1200").unwrap().status, 200, "at once, from the store");
    let listed = || get(&node.address, "/products?page=60").unwrap().json()["total"].clone();
    wait_for("the node's own copy", SOON, || listed() == json!(1200));
    let before = get(&store.address, "/catalogue?limit=1000").unwrap().json()["goods"].clone();
    assert_eq!(seed(), "1200 goods: 0 added, 1200 set again, 0 traded already and left as they are\n");
    assert_eq!(get(&store.address, "/catalogue?limit=1000").unwrap().json()["goods"], before);
    assert_eq!(get(&node.address, "/stock/1200").unwrap().json()["stocked"], json!(8));
    let nobody = ["shop", "seed", "--store", "127.0.0.1:1", "--skus", "1"];
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_peakdrill")).args(nobody).output().unwrap();
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("is it running?"));
}

#[test]
fn a_part_that_stops_finishes_what_it_began() {
    let (goods, money) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Part::start(&["store", "--data", goods.path().to_str().unwrap(), "--skus", "1"]);
    let slow = ["--data", money.path().to_str().unwrap(), "--latency", "1500ms", "--jitter", "0ms"];
    let payment = Part::start(&[&["payment"], &slow[..]].concat());
    let mut node =
        Part::start(&["node", "--store", &store.address, "--payment", &payment.address, "--linger", "400ms"]);
    wait_for("the node", SOON, || status(&node.address, "/readyz") == Some(200));
    let order = post(&node.address, "/orders", Some("a"), &json!({ "sku": 1, "quantity": 1, "buyer": "b" })).unwrap();
    let path = format!("/orders/{}/payment", order.json()["id"]);
    let address = node.address.clone();
    let paying = std::thread::spawn(move || post(&address, &path, None, &json!({})));
    let begun = || get(&store.address, "/audit").unwrap().json()["payments"]["pending"]["count"] == json!(1);
    wait_for("the payment to be under way", SOON, begun);
    node.signal("-TERM");
    wait_for("readiness to turn bad", SOON, || status(&node.address, "/readyz") == Some(503));
    assert_eq!(status(&node.address, "/products"), Some(200), "it still serves while it leaves");
    wait_for("new connections to be refused", SOON, || get(&node.address, "/livez").is_err());
    assert!(node.ended().is_none() && !paying.is_finished(), "it waits for what is in flight");
    let paid = paying.join().unwrap().unwrap();
    assert_eq!((paid.status, &paid.json()["state"]), (200, &json!("paid")), "{paid:?}");
    wait_for("the end", Duration::from_secs(5), || node.ended().is_some());
    assert_eq!(node.ended().and_then(|status| status.code()), Some(0));
}
