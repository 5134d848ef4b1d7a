//! What the shop hides of the loss of a part, and how it comes back.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::parts::{Part, Raise, Reply, SOON, get, post, status, wait_for};

/// The gateway's own bound for a whole answer: nobody may wait for a lost node until it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

struct Shop {
    _folder: tempfile::TempDir,
    _store: Part,
    nodes: Vec<Part>,
    gateway: Part,
    behind: String,
}

fn shop() -> Shop {
    let folder = tempfile::tempdir().unwrap();
    let store =
        Part::start(&["store", "--data", folder.path().to_str().unwrap(), "--skus", "20", "--stock", "1000000"]);
    let behind = store.address.clone();
    let nodes = vec![Part::start(&["node", "--store", &behind]), Part::start(&["node", "--store", &behind])];
    let list = format!("{},{}", nodes[0].address, nodes[1].address);
    let gateway = Part::start(&["gateway", "--nodes", &list]);
    wait_for("all nodes", SOON, || status(&gateway.address, "/health/nodes") == Some(200));
    Shop { _folder: folder, _store: store, nodes, gateway, behind }
}

/// What buyers met: what went wrong, the slowest answer, and who served since `mark`.
#[derive(Default)]
struct Met {
    wrong: Vec<String>,
    slowest: Duration,
    served: HashMap<String, usize>,
}

/// Six buyers browse and order through the gateway while `during` happens.
fn with_buyers(gateway: &str, during: impl FnOnce(&Mutex<Met>)) -> Met {
    let (met, over) = (Mutex::new(Met::default()), AtomicBool::new(false));
    thread::scope(|scope| {
        let _at_the_end = Raise(&over);
        for buyer in 0..6 {
            let (met, over) = (&met, &over);
            scope.spawn(move || {
                for n in 0.. {
                    if over.load(Ordering::SeqCst) {
                        return;
                    }
                    let began = Instant::now();
                    let (outcome, expected) = match n % 2 {
                        0 => (get(gateway, &format!("/products/{}", 1 + n % 20)), 200),
                        _ => {
                            let order = json!({ "sku": 1 + n % 20, "quantity": 1, "buyer": buyer });
                            (post(gateway, "/orders", Some(&format!("{buyer}-{n}")), &order), 201)
                        }
                    };
                    note(&mut met.lock().unwrap(), outcome, expected, began.elapsed());
                    thread::sleep(Duration::from_millis(3));
                }
            });
        }
        during(&met);
    });
    met.into_inner().unwrap()
}

fn note(met: &mut Met, outcome: std::io::Result<Reply>, expected: u16, took: Duration) {
    met.slowest = met.slowest.max(took);
    match outcome {
        Ok(reply) if reply.status == expected => {
            *met.served.entry(reply.header("x-served-by").unwrap_or_default()).or_default() += 1;
        }
        other => met.wrong.push(format!("{other:?}")),
    }
}

fn both_serve(met: &Mutex<Met>, nodes: &[Part]) {
    met.lock().unwrap().served.clear();
    let served = |node: &Part| met.lock().unwrap().served.get(&node.address).copied().unwrap_or(0);
    wait_for("both nodes to serve", SOON, || nodes.iter().all(|node| served(node) >= 20));
}

#[test]
fn the_gateway_hides_the_death_of_a_node_and_takes_it_back() {
    let mut shop = shop();
    let gateway = shop.gateway.address.clone();
    let met = with_buyers(&gateway, |met| {
        both_serve(met, &shop.nodes);
        let address = shop.nodes[0].address.clone();
        shop.nodes[0].kill();
        wait_for("the loss to be seen", SOON, || status(&gateway, "/health/nodes") == Some(503));
        // On a starved machine the living node may miss its checks for a moment, too: what must come is waited for.
        wait_for("the shop as a whole to serve", SOON, || status(&gateway, "/healthz") == Some(200));
        let left_out = format!("shop_gateway_node_in{{node=\"{address}\"}} 0");
        wait_for("the loss in the figures", SOON, || get(&gateway, "/metrics").unwrap().body.contains(&left_out));
        shop.nodes[0] = Part::start(&["node", "--listen", &address, "--store", &shop.behind]);
        wait_for("the node to be taken back", SOON, || status(&gateway, "/health/nodes") == Some(200));
        both_serve(met, &shop.nodes);
    });
    assert_eq!(met.wrong, Vec::<String>::new(), "buyers noticed");
    assert!(met.slowest < ANSWER_TIMEOUT, "{:?}", met.slowest);
}

#[test]
fn the_gateway_leaves_a_node_out_that_stands_still() {
    let shop = shop();
    let gateway = shop.gateway.address.clone();
    let met = with_buyers(&gateway, |met| {
        both_serve(met, &shop.nodes);
        shop.nodes[1].signal("-STOP");
        wait_for("the loss to be seen", SOON, || status(&gateway, "/health/nodes") == Some(503));
        shop.nodes[1].signal("-CONT");
        wait_for("the node to be taken back", SOON, || status(&gateway, "/health/nodes") == Some(200));
        both_serve(met, &shop.nodes);
    });
    assert_eq!(met.wrong, Vec::<String>::new(), "buyers noticed");
    assert!(met.slowest < ANSWER_TIMEOUT, "{:?}", met.slowest);
    let books = get(&gateway, "/audit").unwrap().json();
    assert_eq!(books["consistent"], json!(true), "{books}");
}

#[test]
fn a_node_that_stops_gracefully_is_not_missed() {
    let mut shop = shop();
    let gateway = shop.gateway.address.clone();
    let met = with_buyers(&gateway, |met| {
        both_serve(met, &shop.nodes);
        shop.nodes[0].signal("-TERM");
        wait_for("the node's end", SOON, || shop.nodes[0].ended().is_some());
        assert_eq!(shop.nodes[0].ended().and_then(|status| status.code()), Some(0));
        met.lock().unwrap().served.clear();
        let served = || met.lock().unwrap().served.get(&shop.nodes[1].address).copied().unwrap_or(0);
        wait_for("the other one to serve", SOON, || served() >= 50);
    });
    assert_eq!(met.wrong, Vec::<String>::new(), "buyers noticed");
}

#[test]
fn browsing_goes_on_without_the_store_and_the_gateway_says_what_is_wrong() {
    let mut shop = shop();
    let gateway = shop.gateway.address.clone();
    shop._store.kill();
    wait_for("the gateway to see it", SOON, || status(&gateway, "/healthz") == Some(503));
    assert_eq!(status(&gateway, "/health/nodes"), Some(200), "the nodes are there");
    assert_eq!(status(&gateway, "/products/3"), Some(200));
    let began = Instant::now();
    let order = post(&gateway, "/orders", Some("a"), &json!({ "sku": 1, "quantity": 1, "buyer": "b" })).unwrap();
    assert_eq!((order.status, order.reason().as_str()), (503, "unreachable"), "{order:?}");
    assert!(order.header("retry-after").is_some() && began.elapsed() < Duration::from_secs(2));
}

#[test]
fn the_breaker_opens_on_a_dead_payment_service_and_closes_when_it_is_back() {
    let (goods, money) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Part::start(&["store", "--data", goods.path().to_str().unwrap(), "--skus", "1"]);
    let flags = ["--data", money.path().to_str().unwrap()];
    let mut payment = Part::start(&[&["payment", "--listen", "127.0.0.1:0"], &flags[..]].concat());
    let address = payment.address.clone();
    let node = Part::start(&["node", "--store", &store.address, "--payment", &address, "--breaker-open", "700ms"]);
    let order = post(&node.address, "/orders", Some("a"), &json!({ "sku": 1, "quantity": 1, "buyer": "b" })).unwrap();
    let path = format!("/orders/{}/payment", order.json()["id"]);
    let pay = || post(&node.address, &path, None, &json!({})).unwrap();
    payment.kill();
    let reasons: Vec<String> = (0..7).map(|_| pay().reason()).collect();
    assert_eq!(reasons[..5], ["unreachable"; 5], "{reasons:?}");
    assert_eq!(reasons[5..], ["breaker-open"; 2], "{reasons:?}");
    assert_eq!(pay().header("retry-after").as_deref(), Some("1"));
    let metrics = get(&node.address, "/metrics").unwrap().body;
    assert!(metrics.contains("shop_breaker_state{state=\"open\"} 1"), "{metrics}");
    let _payment = Part::start(&[&["payment", "--listen", &address], &flags[..]].concat());
    wait_for("the breaker to close", SOON, || pay().status == 200);
    assert!(get(&node.address, "/metrics").unwrap().body.contains("shop_breaker_state{state=\"closed\"} 1"));
    let books = get(&node.address, "/audit").unwrap().json();
    assert_eq!((&books["consistent"], &books["payments"]["captured"]["count"]), (&json!(true), &json!(1)), "{books}");
}
