//! Goods out of a seed: the same numbers give the same names and prices, on every machine.

use std::time::Duration;

use serde_json::json;

use super::ShopError;
use super::args::SeedArgs;
use super::client::{Upstream, request};
use super::store::Goods;

const MAKES: [&str; 12] = [
    "Linen", "Walnut", "Copper", "Cotton", "Slate", "Birch", "Amber", "Indigo", "Cedar", "Silver", "Granite", "Willow",
];
const THINGS: [(&str, &str); 12] = [
    ("lamp", "home"),
    ("kettle", "kitchen"),
    ("notebook", "office"),
    ("scarf", "clothing"),
    ("chair", "home"),
    ("pan", "kitchen"),
    ("pen", "office"),
    ("jacket", "clothing"),
    ("vase", "home"),
    ("mug", "kitchen"),
    ("backpack", "travel"),
    ("bottle", "travel"),
];

/// Goods 1 to `skus`, each with `stock` pieces.
pub(super) fn goods(skus: u32, stock: u32, seed: u64) -> Vec<Goods> {
    (1..=i64::from(skus)).map(|sku| good(sku, i64::from(stock), seed)).collect()
}

fn good(sku: i64, stock: i64, seed: u64) -> Goods {
    let drawn = mix(seed ^ mix(sku.cast_unsigned()));
    let pick = |shift: u32, of: u64| (drawn >> shift) % of;
    let index = |n: u64| usize::try_from(n).unwrap_or(0);
    let make = MAKES.get(index(pick(0, 12))).copied().unwrap_or("Plain");
    let (thing, category) = THINGS.get(index(pick(8, 12))).copied().unwrap_or(("box", "home"));
    // 5.00 to 499.99
    let price = 500 + pick(16, 49_500).cast_signed();
    Goods { sku, name: format!("{make} {thing} {sku}"), category: category.to_owned(), price, stock: Some(stock) }
}

/// The finalizer of SplitMix64: every bit of the input moves every bit of the output.
fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// Fills a running store. Doing it twice is doing it once: goods that were traded meanwhile keep their stock.
pub(super) async fn run(args: &SeedArgs) -> Result<(), ShopError> {
    let failed = |what: String| ShopError::Seed { address: args.store.clone(), what };
    let store = Upstream::new(&args.store, 1, Duration::from_secs(2));
    let goods = goods(args.catalogue.skus, args.catalogue.stock, args.catalogue.seed);
    let (mut added, mut changed, mut kept) = (0, 0, 0);
    for batch in goods.chunks(500) {
        let body = json!({ "goods": batch });
        let call = store.call(request("POST", "/admin/goods", &args.store, Some(&body)), Duration::from_secs(20));
        let (status, _, answer) = call.await.map_err(|error| failed(error.to_string()))?;
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap_or_default();
        if !status.is_success() {
            return Err(failed(format!("{status}: {answer}")));
        }
        let count = |name: &str| answer.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0);
        added += count("added");
        changed += count("changed");
        kept += count("kept");
    }
    println!("{} goods: {added} added, {changed} set again, {kept} traded already and left as they are", goods.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_goods() {
        let once = goods(300, 7, 42);
        assert_eq!(once, goods(300, 7, 42));
        assert_ne!(once, goods(300, 7, 43));
        assert_eq!(once[..100], goods(100, 7, 42), "more goods do not change the first");
        assert!(once.iter().all(|good| (500..50_000).contains(&good.price)));
        let first = serde_json::to_string(&once[0]).unwrap();
        insta::assert_snapshot!(first, @r#"{"sku":1,"name":"Walnut vase 1","category":"home","price":27442,"stock":7}"#);
    }
}
