//! The node's copy of the catalogue: browsing goes on while the store is away.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::Node;
use crate::shop::problem::Problem;
use crate::shop::store::Goods;

/// Goods on one page.
pub(super) const PAGE: usize = 20;
/// Goods that a node keeps at most.
const MOST: usize = 100_000;
const LOOK_EVERY: Duration = Duration::from_millis(500);
const LOOK_WITHIN: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Catalogue {
    inner: RwLock<Known>,
}

#[derive(Debug, Default, Clone)]
struct Known {
    version: i64,
    goods: Arc<Vec<Goods>>,
    /// When the store last answered, and whether the last look failed.
    seen: Option<Instant>,
    failing: bool,
}

/// Goods on a page, and how many there are.
#[derive(Debug, Serialize)]
pub(super) struct Listing {
    page: usize,
    pages: usize,
    total: usize,
    items: Vec<Goods>,
}

#[derive(Deserialize)]
struct Version {
    version: i64,
}

#[derive(Deserialize)]
struct Batch {
    version: i64,
    goods: Vec<Goods>,
}

impl Catalogue {
    fn copy(&self) -> Known {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.inner.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Whether the store answered the last look, and how long ago it answered one.
    pub(super) fn store_seen(&self) -> (bool, Option<Duration>) {
        let copy = self.copy();
        (copy.seen.is_some() && !copy.failing, copy.seen.map(|at| at.elapsed()))
    }

    pub(super) fn len(&self) -> usize {
        self.copy().goods.len()
    }

    /// Pages count from 1; one past the end is empty.
    pub(super) fn list(&self, page: usize) -> Listing {
        let goods = self.copy().goods;
        listing(&goods.iter().collect::<Vec<_>>(), page)
    }

    /// Goods whose name or category holds every word, whatever its case.
    pub(super) fn search(&self, query: &str, page: usize) -> Listing {
        let words: Vec<String> = query.split_whitespace().take(8).map(str::to_lowercase).collect();
        let goods = self.copy().goods;
        let fits = |one: &&Goods| {
            let name = one.name.to_lowercase();
            words.iter().all(|word| name.contains(word.as_str()) || one.category == *word)
        };
        listing(&goods.iter().filter(fits).collect::<Vec<_>>(), page)
    }

    pub(super) fn one(&self, sku: i64) -> Option<Goods> {
        let goods = self.copy().goods;
        let at = goods.binary_search_by_key(&sku, |one| one.sku).ok()?;
        goods.get(at).cloned()
    }
}

fn listing(goods: &[&Goods], page: usize) -> Listing {
    let from = page.saturating_sub(1).saturating_mul(PAGE);
    let items = goods.iter().skip(from).take(PAGE).map(|one| (*one).clone()).collect();
    Listing { page: page.max(1), pages: goods.len().div_ceil(PAGE), total: goods.len(), items }
}

/// Keeps the copy in step with the store, for ever.
pub(super) async fn follow(node: Arc<Node>) {
    loop {
        let looked = look(&node).await;
        node.catalogue.note(|copy| match looked {
            Ok(()) => (copy.seen, copy.failing) = (Some(Instant::now()), false),
            Err(_) => copy.failing = true,
        });
        sleep(LOOK_EVERY).await;
    }
}

async fn look(node: &Node) -> Result<(), Problem> {
    let Version { version } = node.store.peek("/catalogue/version", LOOK_WITHIN).await?.json()?;
    if version == node.catalogue.copy().version {
        return Ok(());
    }
    let mut goods: Vec<Goods> = Vec::new();
    let loaded = loop {
        let after = goods.last().map_or(0, |one| one.sku);
        let batch: Batch = node.store.peek(&format!("/catalogue?after={after}"), LOOK_WITHIN).await?.json()?;
        let ended = batch.goods.len() < 1000;
        goods.extend(batch.goods);
        if ended || goods.len() >= MOST {
            break batch.version;
        }
    };
    node.catalogue.note(|copy| {
        // The version seen before the load: what changed meanwhile is loaded by the next look.
        copy.version = version.min(loaded);
        copy.goods = Arc::new(goods);
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::seed;

    fn filled(n: u32) -> Catalogue {
        let catalogue = Catalogue::default();
        catalogue.note(|copy| copy.goods = Arc::new(seed::goods(n, 1, 1)));
        catalogue
    }

    #[test]
    fn pages_cover_all_goods_once() {
        let catalogue = filled(45);
        let pages: Vec<_> = (1..=4).map(|page| catalogue.list(page)).collect();
        assert!(pages.iter().all(|page| (page.pages, page.total) == (3, 45)));
        let seen: Vec<i64> = pages.iter().flat_map(|page| page.items.iter().map(|one| one.sku)).collect();
        assert_eq!(seen, (1..=45).collect::<Vec<_>>());
    }

    #[test]
    fn a_search_holds_every_word() {
        let catalogue = filled(500);
        let found = catalogue.search("LAMP linen", 1);
        assert!(found.total > 0 && found.total < 50, "{}", found.total);
        assert!(found.items.iter().all(|one| one.name.starts_with("Linen lamp")));
        assert_eq!(catalogue.search("no such thing", 1).total, 0);
        assert_eq!(catalogue.search("", 1).total, 500);
        assert_eq!(catalogue.one(17).map(|one| one.sku), Some(17));
        assert!(catalogue.one(501).is_none());
    }
}
